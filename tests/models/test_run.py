"""Run folders: the training log, TensorBoard, what is left where a run was killed at its very end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import generate, train
from hapforge.errors import ChecksumError, FormatError, MissingDependencyError
from hapforge.io import atomic
from hapforge.io.event_log import EventLog, events
from hapforge.models import _run, _store

pytest.importorskip("torch")
SETTINGS = {"num_hidden": 9, "gibbs_steps": 2, "epochs": 8, "batch_size": 90, "num_chains": 30, "temperature": 1.0}


class Interrupt(Exception):
    pass


def fit(cohort: hf.HaplotypeMatrix, run: Path, stop: int = 0, **more: Any) -> hf.models.RBM:
    def callback(state: Any) -> None:
        if state.epoch == stop:
            raise Interrupt

    return hf.models.RBM(**SETTINGS).fit(cohort, seed=3, run=run, callback=callback, checkpoint_every=3, **more)


@pytest.fixture
def killed(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    """A run with a checkpoint of epoch 3 and a log of 5."""
    with pytest.raises(Interrupt):
        fit(cohort, tmp_path / "run", 5)
    return tmp_path / "run"


def logged(run: Path) -> list[dict[str, Any]]:
    entries, torn = _run.read_log(run)
    assert not torn
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in entries]


def test_a_resumed_log_is_that_of_an_uninterrupted_run(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, killed: Path
) -> None:
    """Singular values too, to the last bit."""
    fit(cohort, tmp_path / "whole")
    assert len(logged(killed)) == 5
    fit(cohort, killed, resume=True)
    assert logged(killed) == logged(tmp_path / "whole")
    assert [entry["epoch"] for entry in logged(killed)] == list(range(1, 9))
    assert all(np.diff([entry["singular_value_0"] for entry in logged(killed)]) != 0)


def test_what_is_after_the_checkpoint_may_be_damaged(cohort: hf.HaplotypeMatrix, killed: Path) -> None:
    """A torn line, or one that never came to the disk: it is trained again."""
    log = killed / "train.jsonl"
    whole = log.read_bytes()
    *_, last = whole.splitlines(keepends=True)
    log.write_bytes(whole[: -len(last) // 2])
    entries, torn = _run.read_log(killed)
    assert ([entry["epoch"] for entry in entries], torn) == ([1, 2, 3, 4], True)
    log.write_bytes(whole[: -len(last)] + b"\0" * len(last))
    assert _run.read_log(killed)[1]
    log.write_bytes(whole[: -len(last)] + b"\0" * len(last) + b"\n")
    with pytest.raises(FormatError, match=r"train.jsonl, line 5: expected a line of JSON"):
        _run.read_log(killed)
    fit(cohort, killed, resume=True)
    assert [entry["epoch"] for entry in logged(killed)] == list(range(1, 9))


def test_any_flipped_bit_of_the_log_is_found(cohort: hf.HaplotypeMatrix, killed: Path) -> None:
    """Of the lines up to the checkpoint: reading them and resuming say the line."""
    log = killed / "train.jsonl"
    whole = log.read_bytes()
    lines = whole.splitlines(keepends=True)
    for position in np.random.default_rng(4).integers(8 * sum(map(len, lines[:3])), size=60).tolist():
        byte = position // 8
        log.write_bytes(whole[:byte] + bytes([whole[byte] ^ 1 << position % 8]) + whole[byte + 1 :])
        number = whole[:byte].count(b"\n") + 1
        for read in (lambda: _run.read_log(killed), lambda: fit(cohort, killed, resume=True)):
            with pytest.raises((FormatError, ChecksumError), match=f"train.jsonl, line {number}: expected"):
                read()
    log.write_bytes(b"".join([*lines[:1], *lines[2:]]))
    with pytest.raises(FormatError, match="line 2: expected the line of epoch 2, found that of 3"):
        fit(cohort, killed, resume=True)
    log.write_bytes(b"".join(lines[:2]))
    with pytest.raises(FormatError, match="expected lines of 3 epochs, as the checkpoint, found 2"):
        fit(cohort, killed, resume=True)
    log.unlink()
    fit(cohort, killed, resume=True)
    assert (killed / "model.json").exists()


def test_another_spelling_of_a_number_is_damage(tmp_path: Path) -> None:
    log = tmp_path / "log"
    _store.append_sealed(log, {"epoch": 1, "x": 1e-7, "y": 0.30000000000000004})
    assert _store.read_sealed_lines(log)[0] == [{"epoch": 1, "x": 1e-7, "y": 0.30000000000000004}]
    text = log.read_text()
    for old, new in (("1e-07", "1E-07"), ("30000000000000004", "30000000000000005")):
        log.write_text(text.replace(old, new))
        with pytest.raises(ChecksumError, match="line 1: expected a line as it was written"):
            _store.read_sealed_lines(log)
    log.write_text("[1]\n")
    with pytest.raises(FormatError, match="line 1: expected a JSON object, found list"):
        _store.read_sealed_lines(log)


def shown(run: Path) -> dict[str, dict[int, np.ndarray]]:
    """Values by name and step; every step once."""
    from tensorboard.util.tensor_util import make_ndarray

    (path,) = (run / "tensorboard" / "train").iterdir()
    found: dict[str, dict[int, np.ndarray]] = {}
    for event in events(path):
        for value in event.summary.value:
            assert event.step not in found.setdefault(value.tag, {})
            found[value.tag][event.step] = make_ndarray(value.tensor)
    return found


def test_tensorboard_has_the_log_and_the_spectrum(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Also where a run is killed and resumed: the same steps, once; an event that was torn is written again."""
    whole, run = tmp_path / "whole", tmp_path / "run"
    model = fit(cohort, whole, tensorboard_every=2)
    with pytest.raises(Interrupt):
        fit(cohort, run, 5, tensorboard_every=2)
    (path,) = (run / "tensorboard" / "train").iterdir()
    path.write_bytes(path.read_bytes()[:-9])
    (path.parent / f".{path.name}.hapforge-01234567.part").write_bytes(path.read_bytes())  # of one that was killed here
    fit(cohort, run, resume=True, tensorboard_every=2)
    for folder in (whole, run):
        found = shown(folder)
        assert list(found.pop("singular_values")) == [2, 4, 6, 8]
        entries = _run.read_log(folder)[0]
        assert set(found) == set(entries[0]) - {"epoch"}
        for name, steps in found.items():
            assert list(steps) == list(range(1, 9))
            assert list(steps.values()) == [np.float32(entry[name]) for entry in entries], name
    buckets = [shown(folder)["singular_values"][8] for folder in (whole, run)]  # left, right, count
    assert np.array_equal(*buckets)
    expected = np.linalg.svd(model.weights, compute_uv=False)
    assert buckets[0][:, 2].sum() == len(expected) == 9
    assert np.allclose(buckets[0][[0, -1], [0, 1]], [expected.min(), expected.max()], atol=1e-3)


def test_tensorboard_is_asked_for(cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    fit(cohort, run)
    assert not (run / "tensorboard").exists()
    hf.write(cohort, tmp_path / "data.hapz")
    settings = [f"{key}={value}" for key, value in (SETTINGS | {"epochs": 2, "tensorboard_every": 1}).items()]
    train.command("rbm", tmp_path / "data.hapz", run, settings=settings, force=True, quiet=True)
    assert list(shown(run)["singular_values"]) == [1, 2]
    train.command("markov", tmp_path / "data.hapz", run, force=True, quiet=True)
    assert sorted(path.name for path in run.iterdir()) == ["model.json", "weights.safetensors"]
    with pytest.raises(ValueError, match="tensorboard_every: expected 0 or more, found -1"):
        fit(cohort, tmp_path / "none", tensorboard_every=-1)
    with pytest.raises(ValueError, match="tensorboard_every: expected a run folder to write to, found run=None"):
        hf.models.RBM(**SETTINGS).fit(cohort, tensorboard_every=1)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingDependencyError, match=r"needs tensorboard.*hapforge\[train\]"):
        fit(cohort, tmp_path / "none", tensorboard_every=1)
    assert not (tmp_path / "none").exists()


def test_an_event_log_goes_on(tmp_path: Path) -> None:
    log = EventLog(tmp_path, 0)
    for step in range(1, 6):
        log.add(step, {"a": step / 2})
    EventLog(tmp_path, 3).add(4, {"a": 7.0})
    (path,) = tmp_path.iterdir()
    found = [(event.step, value.tensor.float_val[0]) for event in events(path) for value in event.summary.value]
    assert found == [(1, 0.5), (2, 1.0), (3, 1.5), (4, 7.0)]


def test_killed_between_the_model_and_its_checkpoint(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run has ended: it is loaded and drawn from; the checkpoint goes when it is resumed."""

    def interrupt(self: _run.Run) -> None:
        raise Interrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(_run.Run, "_drop_checkpoint", interrupt)
        with pytest.raises(Interrupt):
            fit(cohort, run)
    assert (run / "checkpoint" / "state-8.safetensors").exists()
    whole = fit(cohort, tmp_path / "whole")
    assert hf.models.load(run).sample(9).sha256() == whole.sample(9).sha256()
    generate.command(run, 4, tmp_path / "ag.hapz", quiet=True)
    assert json.loads((run / "model.json").read_text())["training"]["epochs_done"] == 8
    with pytest.raises(ValueError, match="expected an interrupted run, found one that has ended"):
        fit(cohort, run, resume=True)
    names = sorted(path.name for path in run.iterdir())
    assert names == ["model.json", "run.json", "train.jsonl", "weights.safetensors"]
    assert hf.models.load(run).sample(9).sha256() == whole.sample(9).sha256()


# two processes, one folder


def test_a_folder_in_use_is_refused(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Begun anew or resumed, while it is trained in; afterwards it is free, and nothing is left in it."""
    monkeypatch.setattr(atomic, "_PATIENCE_S", 0.1)
    run, refused = tmp_path / "run", []

    def again(state: Any) -> None:
        for more in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(ValueError, match=r"run: expected a run folder that no other process trains in, found "):
                fit(cohort, run, **more)
            refused.append(more)
        raise Interrupt

    with pytest.raises(Interrupt) as kept:  # whose frames are alive at the end
        hf.models.RBM(**SETTINGS).fit(cohort, seed=3, run=run, callback=again)
    assert len(refused) == 2
    assert kept.value is not None
    resumed = fit(cohort, run, resume=True)
    assert np.array_equal(resumed.weights, fit(cohort, tmp_path / "whole").weights)
    left = sorted(path.name for path in run.iterdir())
    assert left == ["model.json", "run.json", "train.jsonl", "weights.safetensors"]


def test_a_lock_that_goes_in_time_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tmp_path / "run"
    run.mkdir()
    first = _run.Run(run, {}, {}, resume=False, overwrite=False)
    monkeypatch.setattr(atomic.time, "sleep", lambda _: first.close())
    with _run.Run(run, {}, {}, resume=False, overwrite=False) as second:
        second.start(None)
    _run.Run(run, {}, {}, resume=False, overwrite=True).close()


def test_two_that_begin_in_one_new_folder(tmp_path: Path) -> None:
    first, second = (_run.Run(tmp_path / "run", {}, {}, resume=False, overwrite=True) for _ in range(2))
    with first, second:
        first.start(None)
        with pytest.raises(ValueError, match="run: expected a new folder for a run, found one that was made meanwhile"):
            second.start(None)
    assert (tmp_path / "run" / _store.RUN_DESCRIPTION).is_file()


def test_a_file_system_without_locks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise OSError(9, "Bad file descriptor")

    monkeypatch.setattr(atomic.fcntl, "flock", none)
    (tmp_path / "run").mkdir()
    for _ in range(2):
        _run.Run(tmp_path / "run", {}, {}, resume=False, overwrite=True).start(None)

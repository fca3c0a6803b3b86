"""Several processes that train one model: the same model as one process, resumption, processes that end."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from commands import forked
from hapforge.models import _ranks

pytest.importorskip("torch")
PROGRAM = Path(__file__).with_name("ranks_program.py")
MODELS = ("rdm", "rdm-open", "pcd", "cd", "relu", "window", "whitened", "labelled", "labelled-pcd")
COUNTS = (1, 2, 3)
Launch = Callable[..., tuple[list[int], str]]


@pytest.fixture(scope="module")
def folder(cohort: hf.HaplotypeMatrix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ranks")
    train, held = hf.HaplotypeMatrix(cohort.words, cohort.sites).split(0.2, 1)
    hf.write(train, path / "train.hapz")
    hf.write(held, path / "held.hapz")
    return path


@pytest.fixture(scope="module")
def launch(folder: Path) -> Iterator[Launch]:
    """launch(task, count, *more) -> exit status of every process, what they wrote on standard error."""
    errors = folder / "errors"
    with (
        open(errors, "w") as stderr,
        subprocess.Popen(
            [sys.executable, str(PROGRAM)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, "HAPFORGE_THREADS": "4"},
        ) as program,
    ):
        assert program.stdin is not None
        assert program.stdout is not None

        def run(task: str, count: int, *more: str) -> tuple[list[int], str]:
            before = errors.stat().st_size
            program.stdin.write(json.dumps([task, count, str(folder), *more]) + "\n")
            program.stdin.flush()
            return json.loads(program.stdout.readline()), errors.read_text()[before:]

        yield run
        program.stdin.close()


@pytest.fixture(scope="module")
def trained(folder: Path, launch: Launch) -> dict[int, list[dict]]:
    """What each of 1, 2, 3 processes has at the end of every case."""
    for count in COUNTS:
        assert launch("fit_all", count) == ([0] * count, "")
    return {n: [json.loads((folder / f"fit_all-{n}-{rank}.json").read_text()) for rank in range(n)] for n in COUNTS}


def last_state(folder: Path, count: int, name: str) -> bytes:
    return (folder / f"{count}-{name}" / "checkpoint" / "state-2.safetensors").read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_any_number_of_processes_trains_the_same_model(trained: dict, folder: Path, name: str) -> None:
    """Bit by bit: the float master, chains, log and files; and every process has the model."""

    def log(count: int) -> list[dict]:
        lines = (folder / f"{count}-{name}" / "train.jsonl").read_text().splitlines()
        return [{k: v for k, v in json.loads(line).items() if k not in ("seconds", "sha256_of_this")} for line in lines]

    alone = trained[1][0][name]
    for count in (2, 3):
        assert last_state(folder, count, name) == last_state(folder, 1, name)
        assert log(count) == log(1)
        assert all(found[name] == alone for found in trained[count])
        model, one = (hf.models._store.read_model(folder / f"{n}-{name}") for n in (count, 1))
        assert model[0]["config"] == one[0]["config"]
        assert model[0]["files"] == one[0]["files"]
    assert len(log(1)) == alone["epochs_done"] == 2


def test_cases_are_different_models(trained: dict, folder: Path) -> None:
    assert len({last_state(folder, 1, name) for name in MODELS}) == len(MODELS)
    assert trained[1][0]["rdm-open"]["temperature"] < 1  # chosen, and told to all


def test_sums_of_floats_differ_by_their_rounding_only(trained: dict) -> None:
    """A model that learns by gradients: all processes have the same bits, another number of them nearly the same."""
    for count in COUNTS:
        assert all(found["gradient"] == trained[count][0]["gradient"] for found in trained[count])
    alone = np.array(trained[1][0]["gradient"]["logits"])
    assert np.abs(alone).max() > 0.3
    for count in (2, 3):
        assert np.abs(np.array(trained[count][0]["gradient"]["logits"]) - alone).max() < 1e-6


@pytest.mark.parametrize("name", ["wgan", "vae-one-shard"])
def test_networks_are_trained_in_the_same_shards(trained: dict, name: str) -> None:
    """Statistics are of a shard, whichever process has it: only the order in which gradients are summed differs."""
    alone = np.array(trained[1][0][name])
    for count in COUNTS:
        assert all(found[name] == trained[count][0][name] for found in trained[count])
        assert np.abs(np.array(trained[count][0][name]) - alone).max() < 1e-4
    assert np.abs(alone).max() > 0.1


@pytest.mark.parametrize("count", [2, 3])
def test_what_processes_exchange(folder: Path, launch: Launch, count: int) -> None:
    assert launch("exchange", count) == ([0] * count, "")
    found = [json.loads((folder / f"exchange-{count}-{rank}.json").read_text()) for rank in range(count)]
    assert all(one == found[0] for one in found)
    total = count * (count + 1) // 2
    expected = np.arange(6.0).reshape(2, 3).T * total + 0.1 * count
    assert np.allclose(found[0]["floats"], expected, rtol=1e-6)
    assert found[0]["whole"] == [2**40 * count + total - count] * 3
    assert np.allclose(found[0]["doubles"], 0.1 * total, rtol=1e-15)
    assert found[0]["joined"] == [[-2], [-1], [0], [1]]
    assert found[0]["arrays"] == [[0, 3], [1, 4], [2, 5]]
    assert found[0]["told"] == {"a": [1, None, "é"], "k": 0}
    assert found[0]["followed"] == [0, 0]
    message = "torchrun: expected the same parameters in all 3 processes, found others in number 2 than in number 0"
    assert found[0]["same"] == (message if count == 3 else "")


def test_resumed_with_another_number_of_processes(trained: dict, folder: Path, launch: Launch) -> None:
    """The first process ends in epoch 3: the others notice; one and three processes go on to the same weights."""
    assert launch("die", 2) == ([9, 3], "")
    for count in (1, 3):
        (folder / f"resumed-{count}").mkdir()
        for path in (folder / "died").rglob("*"):
            if path.is_file():
                to = folder / f"resumed-{count}" / path.relative_to(folder / "died")
                to.parent.mkdir(exist_ok=True)
                to.write_bytes(path.read_bytes())
        assert launch("resume", count) == ([0] * count, "")
    first, *others = [json.loads((folder / f"resume-{n}-{rank}.json").read_text()) for n in (1, 3) for rank in range(n)]
    whole = hf.models.RBM(**json.loads((folder / "died" / "run.json").read_text())["config"])
    whole.fit(hf.read(folder / "train.hapz"), seed=3)
    assert first["weights"] == whole.weights.tolist()
    assert all(other == first for other in others)


SETTINGS = (
    *("num_hidden=9", "epochs=4", "gibbs_steps=2", "batch_size=90", "num_chains=31", "temperature=1"),
    "checkpoint_every=1",
)


def arguments(folder: Path, run: str, *more: str) -> list[str]:
    return [str(folder / "train.hapz"), "-o", str(folder / run), *(f"--set={pair}" for pair in SETTINGS), *more]


def test_the_command(folder: Path, launch: Launch) -> None:
    """One model, its two lines, one folder; a process that is killed ends all with one line; then it is resumed."""
    status, said = launch("train", 2, *arguments(folder, "command"))
    assert (status, said.count("\n")) == ([0, 0], 2), said
    assert re.search(
        r"command: rbm of 320 haplotypes x 120 sites \S+/report.html: curves of the training$", " ".join(said.split())
    )
    weights = (folder / "command" / "weights.safetensors").read_bytes()
    for doomed in (0, 1):
        status, said = launch("train", 2, f"SIGKILL={doomed}", *arguments(folder, f"killed-{doomed}"))
        assert sorted(status) == [-9, 2]
        assert said == (
            "hapforge: torchrun: expected 2 processes that train together, found that one has ended; hapforge train "
            "--resume (resume=True) goes on, with any number of them\n"
        )
        state = json.loads((folder / f"killed-{doomed}" / "checkpoint" / "state.json").read_text())
        assert state["epoch"] == 1
        status, said = launch("train", 3, *arguments(folder, f"killed-{doomed}", "--resume", "-q"))
        assert (status, said) == ([0, 0, 0], "")
        assert (folder / f"killed-{doomed}" / "weights.safetensors").read_bytes() == weights
    status, said = launch("train", 2, "SIGINT=01", *arguments(folder, "interrupted", "--set=checkpoint_every=9"))
    assert status == [130, 2]  # as torchrun passes Ctrl-C on
    assert re.search(r"to go on: hapforge train rbm .* --resume --seed 0\nhapforge: interrupted\n$", said)
    assert json.loads((folder / "interrupted" / "checkpoint" / "state.json").read_text())["epoch"] == 2


def test_one_line_whoever_fails(folder: Path, launch: Launch) -> None:
    status, said = launch("train", 2, *arguments(folder, "bad", "--set=epoch=3"))
    assert (status, said.count("\n")) == ([2, 2], 1)
    assert said.startswith("hapforge: --set: rbm knows num_hidden")
    (folder / "only-0.hapz").symlink_to(folder / "train.hapz")
    given = arguments(folder, "bad")
    status, said = launch("train", 2, str(folder / "only-RANK.hapz"), *given[1:])
    assert status == [2, 2]
    assert said == f"hapforge: {folder / 'only-1.hapz'}: expected a file to read, found none\n"
    (folder / "other-0.hapz").symlink_to(folder / "train.hapz")
    (folder / "other-1.hapz").symlink_to(folder / "held.hapz")
    status, said = launch("train", 2, str(folder / "other-RANK.hapz"), *given[1:])
    assert status == [2, 2]
    assert said == "hapforge: torchrun: expected the same data_sha256 in all processes, found another in number 1\n"
    assert not (folder / "bad").exists()


def torchrun(count: int, *arguments: str) -> subprocess.Popen[str]:
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count), "-m", "hapforge", "train"]
    return subprocess.Popen([sys.executable, "-m", *command, *arguments], stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("count", ["2", "x"])
def test_variables_of_another_launcher(monkeypatch: pytest.MonkeyPatch, count: str) -> None:
    """One line from each process, where they cannot find each other."""
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", count)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    with pytest.raises(ValueError, match="MASTER_ADDR expected" if count == "2" else "invalid literal"):
        _ranks.meet()
    assert _ranks.may_speak()


@pytest.mark.parametrize("command", ["demo", "half-data"])
def test_only_training_is_for_several_processes(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.chdir(tmp_path)
    done = forked(command, *(["rbm", "x.hapz"] if command == "half-data" else []), "-o", "out")
    assert done.returncode == 2
    assert done.stderr == f"hapforge: {command}: expected one process, found several of torchrun\n"
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_torchrun(folder: Path) -> None:
    """As a user does it, killed on the way; other models are refused."""
    given = [*arguments(folder, "torchrun"), "--seed=4", "--set=gibbs_steps=300", "--set=epochs=60"]
    log, pids = folder / "torchrun" / "train.jsonl", []
    process = torchrun(2, "rbm", *given)
    for _ in range(600):
        if log.exists() and log.read_text().count("\n") >= 3:
            break
        time.sleep(0.05)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    pids = [int(pid) for pid in children if b"hapforge" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(pids) == 2
    os.kill(pids[1], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode != 0
    ours = [line for line in said.splitlines() if line.startswith("hapforge: ")]
    assert len(ours) == 1
    assert re.match("hapforge: torchrun: expected 2 processes that train together, found that one has ended", ours[0])
    process = torchrun(3, "rbm", *given, "--resume")
    _, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    hf.models.RBM(**hf.models.load(folder / "torchrun").config.__dict__).fit(
        hf.read(folder / "train.hapz"), seed=4, run=folder / "alone"
    )
    first, second = ((folder / name / "weights.safetensors").read_bytes() for name in ("torchrun", "alone"))
    assert first == second
    process = torchrun(2, "markov", str(folder / "train.hapz"), "-o", str(folder / "markov"))
    _, said = process.communicate(timeout=60)
    assert "hapforge: markov: expected one process, found 2 of torchrun\n" in said
    assert not (folder / "markov").exists()

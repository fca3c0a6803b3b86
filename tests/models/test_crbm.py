from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import weakref
from importlib.util import module_from_spec, spec_from_file_location
from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import hapforge as hf
from hapforge.errors import ChecksumError, FormatError
from hapforge.io import atomic
from hapforge.io.event_log import events
from hapforge.models import _conditional, _machine, _store, _window_training, crbm
from hapforge.models._automatic import settings_for
from hapforge.models._fixed_point import BITS
from hapforge.models._rbm_config import AUTOMATIC
from hapforge.models._workers import Workers

_spec = spec_from_file_location("whitening_reference", Path(__file__).parents[1] / "reference" / "whitening.py")
assert _spec is not None
assert _spec.loader is not None
whitening_reference = module_from_spec(_spec)
_spec.loader.exec_module(whitening_reference)

TINY = {
    "num_hidden": 16,
    "gibbs_steps": 4,
    "epochs": 4,
    "batch_size": 100,
    "num_chains": 50,
    "learning_rate": 0.1,
    "temperature": 1.0,
    "window": 50,
    "overlap": 23,
}  # 120 sites: 0-50, 27-77, 54-104, 81-120


def fit(cohort: hf.HaplotypeMatrix, seed: int = 3, **more: object) -> crbm.CRBM:
    fields = set(crbm.CRBMConfig.__dataclass_fields__)
    settings = {**TINY, **{key: more.pop(key) for key in list(more) if key in fields}}
    return hf.models.CRBM(**settings).fit(cohort, seed=seed, **more)


@pytest.fixture(scope="module")
def in_memory(cohort: hf.HaplotypeMatrix) -> crbm.CRBM:
    return fit(cohort)


def same_weights(a: crbm.CRBM, b: crbm.CRBM) -> bool:
    return all(
        np.array_equal(a.machine(i)._tensors()[name], b.machine(i)._tensors()[name])
        for i in range(len(a.windows()))
        for name in ("weights", "visible_bias", "hidden_bias")
    )


# where windows lie


def test_windows_of_a_chain_by_hand(in_memory: crbm.CRBM) -> None:
    assert in_memory.windows() == [(0, 0, 50), (27, 50, 77), (54, 77, 104), (81, 104, 120)]
    assert in_memory.borders.tolist() == [50, 77, 104]


@pytest.mark.parametrize(
    ("num_sites", "first_window", "expected"),
    [
        (1, 0, [(0, 0, 1)]),
        (10, 0, [(0, 0, 10)]),
        (11, 0, [(0, 0, 10), (6, 10, 11)]),
        (16, 0, [(0, 0, 10), (6, 10, 16)]),
        (17, 0, [(0, 0, 10), (6, 10, 16), (12, 16, 17)]),
        (17, 4, [(0, 0, 4), (0, 4, 10), (6, 10, 16), (12, 16, 17)]),
        (17, 30, [(0, 0, 17)]),
    ],
)
def test_windows_at_the_ends(num_sites: int, first_window: int, expected: list[tuple[int, int, int]]) -> None:
    model = hf.models.CRBM(window=10, overlap=4, first_window=first_window)
    sites = hf.HaplotypeMatrix.from_dense(np.zeros((1, num_sites), np.uint8)).sites
    assert model.windows(sites) == expected


def test_every_contig_starts_a_chain() -> None:
    contig = ["1"] * 7 + ["2"] * 3 + ["X"] * 12
    position = [*range(1, 8), *range(1, 4), *range(1, 13)]
    H = hf.HaplotypeMatrix.from_dense(np.zeros((1, 22), np.uint8), positions=position, contig=contig)
    windows = hf.models.CRBM(window=6, overlap=2).windows(H.sites)
    assert windows == [(0, 0, 6), (4, 6, 7), (7, 7, 10), (10, 10, 16), (14, 16, 20), (18, 20, 22)]


def test_published_layout() -> None:
    sites = hf.HaplotypeMatrix.from_dense(np.zeros((1, 65_535), np.uint8)).sites
    windows = hf.models.CRBM(preset="crbm_65k").windows(sites)
    assert windows[:2] == [(0, 0, 10_000), (5_000, 10_000, 15_000)]
    assert windows[-1] == (60_000, 65_000, 65_535)


# the conditional machine


@pytest.fixture(scope="module")
def tiny() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """5 pinned and 4 inferred sites, 3 hidden units; pinned sites without bias."""
    rng = np.random.default_rng(4)
    grid = 1 << BITS
    parts = (rng.normal(0, 0.9, (9, 3)), rng.normal(0, 0.5, 9), rng.normal(0, 0.5, 3))
    weights, a, b = (np.round(part * grid) / grid for part in parts)
    a[:5] = 0
    return weights, a, b


def machine_of(weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> _machine.Machine:
    parts = [torch.from_numpy(np.round(np.asarray(x) * (1 << BITS)).astype(np.int32)) for x in (weights, a, b)]
    return _machine.machine_of(*parts)


def conditional(weights: np.ndarray, a: np.ndarray, b: np.ndarray, x: np.ndarray) -> np.ndarray:
    """p(s | x) of all s, hidden units summed out one by one."""
    log_p = []
    for s in product([0, 1], repeat=len(a) - len(x)):
        v = np.array([*x, *s], float)
        total = sum(np.exp(v @ weights @ np.array(h) + a @ v + b @ np.array(h)) for h in product([0, 1], repeat=len(b)))
        log_p.append(np.log(total))
    p = np.exp(np.array(log_p) - max(log_p))
    return p / p.sum()


@pytest.mark.parametrize("x", [(1, 0, 1, 1, 0), (0, 0, 0, 0, 1)])
def test_chains_follow_the_exact_conditional_distribution(tiny: tuple, x: tuple[int, ...]) -> None:
    """Chi-square on 30,000 chains; the distribution given another x must be told apart."""
    n, machine = 30_000, machine_of(*tiny)
    rows = _machine.packed(torch.tensor([[*x, 1, 1, 1, 1]], dtype=torch.int8).expand(n, -1).contiguous())
    drawn = _machine.unpacked(_conditional.pinned_chains(machine, rows, 5, 25, seed=9), 9).numpy()
    assert (drawn[:, :5] == x).all()
    seen = np.bincount(drawn[:, 5:] @ (1 << np.arange(4)[::-1]), minlength=16)

    def chi_square(given: tuple[int, ...]) -> float:
        expected = n * conditional(*tiny, np.array(given))
        return float(((seen - expected) ** 2 / expected).sum())

    limit = chi2.isf(1e-4, 15)
    assert chi_square(x) < limit
    assert chi_square((1 - x[0], *x[1:])) > limit


def test_inferred_sites_start_at_random_and_numbers_choose_the_words(tiny: tuple) -> None:
    machine = machine_of(*tiny)
    rows = _machine.packed(torch.zeros((4000, 9), dtype=torch.int8))
    start = _machine.unpacked(_conditional.pinned_chains(machine, rows, 5, 0, seed=2), 9).numpy()
    assert not start[:, :5].any()
    assert np.abs(start[:, 5:].mean(0) - 0.5).max() < 0.04  # 5 standard deviations
    whole = _conditional.pinned_chains(machine, rows, 5, 3, seed=2)
    assert torch.equal(whole[100:], _conditional.pinned_chains(machine, rows[100:], 5, 3, seed=2, first_chain=100))


def test_gradient_is_that_of_the_exact_conditional_likelihood(tiny: tuple) -> None:
    """<v h>_data - <E(v h | x)>_data, moments enumerated, against differences of mean log p(s | x)."""
    weights, a, b = tiny
    data = np.random.default_rng(3).integers(0, 2, (12, 9))
    states = np.array(list(product([0, 1], repeat=4)))

    def likelihood(w: np.ndarray, y: np.ndarray, z: np.ndarray) -> float:
        return float(
            np.mean([np.log(conditional(w, y, z, row[:5])[row[5:] @ (1 << np.arange(4)[::-1])]) for row in data])
        )

    def moments(v: np.ndarray, p: np.ndarray) -> list[np.ndarray]:
        hidden = 1 / (1 + np.exp(-(v @ weights + b)))
        return [(v * p[:, None]).T @ hidden, p @ v, p @ hidden]

    of_data = moments(data, np.full(12, 1 / 12))
    of_rows = [
        moments(np.hstack([np.tile(row[:5], (16, 1)), states]), conditional(weights, a, b, row[:5])) for row in data
    ]
    of_model = [np.mean([row[i] for row in of_rows], axis=0) for i in range(3)]
    assert np.abs(of_data[1][:5] - of_model[1][:5]).max() < 1e-12  # the same x in both terms
    step = 1e-5
    for which, at in ((0, (0, 1)), (0, (3, 2)), (0, (7, 0)), (1, (6,)), (2, (1,))):
        up, down = [p.copy() for p in tiny], [p.copy() for p in tiny]
        up[which][at] += step
        down[which][at] -= step
        slope = (likelihood(*up) - likelihood(*down)) / (2 * step)
        assert of_data[which][at] - of_model[which][at] == pytest.approx(slope, abs=1e-8)


def test_an_update_has_a_chain_for_each_row_with_its_pins(cohort: hf.HaplotypeMatrix) -> None:
    """The step of the learner, against moments of chains drawn here; pinned sites keep a bias of 0."""
    settings = {name: value for name, value in TINY.items() if name not in ("window", "overlap")}
    config = _conditional.ConditionalConfig(**settings, num_pinned=40, gradient="plain", site_scaling=0)
    with Workers(torch.device("cpu")) as workers:
        learner = _conditional.ConditionalLearner(cohort, config, 5, workers)
        machine, before, bias = learner.machine(), learner.weights.clone(), learner.visible_bias.clone()
        batch = _machine.host_rows(cohort.words)[:70]
        learner.update(batch, 3, 0.5, 11)
    v = [_machine.unpacked(batch, 120).double()]
    v.append(_machine.unpacked(_conditional.pinned_chains(machine, batch, 40, 3, 11), 120).double())
    h = [torch.sigmoid(machine.hidden_field(_machine.packed(x.to(torch.int8))).double() / (1 << BITS)) for x in v]
    expected = 0.5 * (v[0].T @ h[0] - v[1].T @ h[1]) / 70
    assert (learner.weights - before - expected).abs().max() < 1e-4  # hidden means are read from a table
    assert not learner.visible_bias[:40].any()
    assert torch.allclose(learner.visible_bias[40:], (bias + 0.5 * (v[0].mean(0) - v[1].mean(0)))[40:].float())


def test_a_whitened_update_covers_pinned_sites(cohort: hf.HaplotypeMatrix) -> None:
    """Against dense matrices: V too, by the covariance of pinned and inferred sites; biases of pinned ones stay 0."""
    settings = {name: value for name, value in TINY.items() if name not in ("window", "overlap")}
    config = _conditional.ConditionalConfig(**settings, num_pinned=40, whiten_above=0.5, initial_scale=0.5)
    with Workers(torch.device("cpu")) as workers:
        learner = _conditional.ConditionalLearner(cohort, config, 5, workers)
        machine, centre = learner.machine(), learner.hidden_centre.numpy().copy()
        names = ("weights", "visible_bias", "hidden_bias")
        before = [getattr(learner, name).clone() for name in names]
        batch = _machine.host_rows(cohort.words)
        learner.update(batch, 3, 0.5, 11)
        changes = [(getattr(learner, name) - old).numpy() for name, old in zip(names, before, strict=True)]
    v = [_machine.unpacked(batch, 120).double()]
    v.append(_machine.unpacked(_conditional.pinned_chains(machine, batch, 40, 3, 11), 120).double())
    h = [torch.sigmoid(machine.hidden_field(_machine.packed(x.to(torch.int8))).double() / (1 << BITS)) for x in v]
    moved = [
        (a - b).numpy() / len(batch)
        for a, b in ((v[0].T @ h[0], v[1].T @ h[1]), (v[0].sum(0), v[1].sum(0)), (h[0].sum(0), h[1].sum(0)))
    ]
    frequency = cohort.to_dense().mean(0)
    rates = (4 * np.maximum(frequency * (1 - frequency), 0.01)) ** -0.5
    P = whitening_reference.preconditioner(cohort.to_dense(), rates, 0.5)
    expected = whitening_reference.centred(*moved, frequency, centre, P)
    expected[1][:40] = 0
    assert np.abs(P[:40, 40:]).max() > 0.02
    for change, slope in zip(changes, expected, strict=True):
        np.testing.assert_allclose(change, 0.5 * slope, atol=3e-4)
        assert np.abs(slope).max() > 0.03


def test_a_window_learns_what_depends_on_its_pins() -> None:
    """Inferred sites copy pinned ones, which are independent; by themselves they would be right half the time."""
    first = np.random.default_rng(0).integers(0, 2, (300, 6), dtype=np.uint8)
    settings = {"num_hidden": 24, "gibbs_steps": 5, "epochs": 100, "learning_rate": 2.0, "initial_scale": 0.05}
    model = hf.models.CRBM(**settings, batch_size=150, window=9, overlap=6, first_window=6)
    model.fit(hf.HaplotypeMatrix.from_dense(np.hstack([first, first[:, :3]])), seed=1)
    drawn = model.sample(400, seed=2).to_dense()
    assert (drawn[:, 6:] == drawn[:, :3]).mean() > 0.9


# the whole chain


def test_the_first_window_is_an_rbm(cohort: hf.HaplotypeMatrix, in_memory: crbm.CRBM) -> None:
    settings = {name: value for name, value in TINY.items() if name not in ("window", "overlap")}
    seed = _window_training.window_seed(3, 0)
    alone = hf.models.RBM(**settings).fit(cohort.select_sites(np.arange(50)), seed=seed)
    assert np.array_equal(alone.weights, in_memory.machine(0).weights)
    drawn = in_memory.sample(20, seed=7).select_sites(np.arange(50))
    assert np.array_equal(drawn.words, alone.sample(20, seed=_window_training.window_seed(7, 0)).words)


def test_sampling_walks_the_chain(in_memory: crbm.CRBM) -> None:
    """Window by window by hand, in dense rows."""
    drawn = in_memory.sample(70, seed=7).to_dense()
    for number, (first, inferred, stop) in enumerate(in_memory.windows()):
        machine = in_memory.machine(number)
        assert machine.sites.position.tolist() == list(in_memory.sites.position[first:stop])
        if inferred == first:
            continue
        given = np.zeros((70, stop - first), np.uint8)
        given[:, : inferred - first] = drawn[:, first:inferred]
        rows = hf.HaplotypeMatrix.from_dense(given).words
        again = machine.extend(rows, _window_training.window_seed(7, number))
        dense = hf.HaplotypeMatrix(again, machine.sites).to_dense()
        assert np.array_equal(dense, drawn[:, first:stop])


@pytest.mark.parametrize("site", [0, 1, 63, 64, 100, 130])
@pytest.mark.parametrize("length", [1, 62, 64, 65, 128])
def test_bits_are_put_in_place(site: int, length: int) -> None:
    bits = np.random.default_rng(site + length).integers(0, 2, (3, length), dtype=np.uint8)
    words = np.zeros((3, (site + length + 63) // 64), np.uint64)
    crbm._put(words, site, hf.HaplotypeMatrix.from_dense(bits).words)
    dense = np.zeros((3, site + length), np.uint8)
    dense[:, site:] = bits
    assert np.array_equal(words, hf.HaplotypeMatrix.from_dense(dense).words)


def test_fewer_draws_are_the_first_of_more_and_temperature_cools(in_memory: crbm.CRBM) -> None:
    many = in_memory.sample(1100, seed=2)
    assert np.array_equal(in_memory.sample(5, seed=2).words, many.words[:5])
    assert in_memory.sample(5, seed=3).sha256() != in_memory.sample(5, seed=2).sha256()
    cold = in_memory.sample(1100, seed=2, temperature=0.05).to_dense().mean(0)
    assert (cold * (1 - cold)).mean() < (many.to_dense().mean(0) * (1 - many.to_dense().mean(0))).mean()
    assert in_memory.sample(0).shape == (0, 120)


def test_one_machine_is_in_memory_at_a_time(
    in_memory: crbm.CRBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_memory.save(tmp_path / "m")
    expected, made = in_memory.sample(9, seed=2), []
    load = crbm.CRBM.machine

    def recorded(self: crbm.CRBM, number: int) -> object:
        assert not [machine for machine in made if machine() is not None]
        machine = load(self, number)
        made.append(weakref.ref(machine))
        return machine

    monkeypatch.setattr(crbm.CRBM, "machine", recorded)
    assert hf.models.load(tmp_path / "m").sample(9, seed=2).sha256() == expected.sha256()
    assert len(made) == 4


def test_workers_do_not_change_the_result(cohort: hf.HaplotypeMatrix, in_memory: crbm.CRBM, tmp_path: Path) -> None:
    expected = in_memory.sample(50, seed=1).sha256()
    for workers in (1, 2):
        run = tmp_path / str(workers)
        made = fit(cohort, run=run, workers=workers, tensorboard_every=workers - 1)
        assert same_weights(made, in_memory)
        loaded = hf.models.load(run)
        assert loaded.sample(50, seed=1).sha256() == expected
        windows = sorted(path.name for path in (run / "windows").iterdir())
        assert windows == ["00000", "00001", "00002", "00003"]
        left = sorted(path.name for path in (run / "windows" / "00002").iterdir())
        shown = ["tensorboard"] if workers == 2 else []
        assert left == ["model.json", "run.json", *shown, "train.jsonl", "weights.safetensors"]
    (path,) = (run / "windows" / "00002" / "tensorboard" / "train").iterdir()
    assert [event.step for event in events(path)] == list(range(in_memory.config.epochs + 1))
    loaded.save(tmp_path / "copy")
    in_memory.save(tmp_path / "copy")  # over it
    shutil.rmtree(run)
    assert hf.models.load(tmp_path / "copy").sample(50, seed=1).sha256() == expected


def test_a_killed_process_leaves_a_run_that_can_be_resumed(
    cohort: hf.HaplotypeMatrix, in_memory: crbm.CRBM, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []

    class Recorded(subprocess.Popen):
        def __init__(self, *args: object, **more: object) -> None:
            super().__init__(*args, **more)
            started.append(self)

    monkeypatch.setattr(_window_training.subprocess, "Popen", Recorded)

    def kill(state: object) -> None:
        if state.epoch == 6:
            os.kill(started[0].pid, signal.SIGKILL)

    run = tmp_path / "run"
    with pytest.raises(ChildProcessError, match=r"window \d: expected its process .* status -9.* --resume"):
        fit(cohort, run=run, workers=2, checkpoint_every=1, callback=kill)
    assert len(started) == 2
    assert all(process.poll() is not None for process in started)
    assert not list((run / "windows").glob("*.data"))
    with pytest.raises(FormatError, match="a run that has not ended"):
        hf.models.load(run)
    with pytest.raises(ValueError, match="the same overlap, 23, found 24"):
        fit(cohort, run=run, resume=True, overlap=24)
    for name in ("00001.data", ".00001.data.hapforge-01234567.part"):  # as if the first process had been killed, too
        (run / "windows" / name).write_text("")
    epochs = []
    resumed = fit(cohort, run=run, resume=True, workers=1, callback=lambda state: epochs.append(state.epoch))
    assert same_weights(resumed, in_memory)
    assert len(epochs) < 14
    assert max(epochs) == 16
    assert sorted(path.name for path in (run / "windows").iterdir()) == ["00000", "00001", "00002", "00003"]
    with pytest.raises(ValueError, match="found one that has ended"):
        fit(cohort, run=run, resume=True)


@pytest.mark.slow
def test_stopping_saves_every_window_and_an_answer_ends_one(
    cohort: hf.HaplotypeMatrix, in_memory: crbm.CRBM, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"

    def interrupt(state: object) -> None:
        if state.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(cohort, run=run, workers=2, checkpoint_every=100, callback=interrupt)
    assert capfd.readouterr().err == ""  # processes have ended, none has fallen over
    done = [json.loads(path.read_text())["epoch"] for path in sorted(run.glob("windows/*/checkpoint/state.json"))]
    assert sum(done) >= 3
    assert same_weights(fit(cohort, run=run, resume=True, workers=1), in_memory)
    seen = []

    def enough(state: object) -> bool:
        seen.append((state.metrics["window"], state.metrics["window_epoch"]))
        return state.metrics["window"] == 1 and state.metrics["window_epoch"] == 2

    short = fit(cohort, run=tmp_path / "short", workers=2, callback=enough)
    assert sorted(seen) == [(w, e) for w in range(4) for e in range(1, 5) if w != 1 or e < 3]
    assert short.machine(1).training["epochs_done"] == 2


@pytest.mark.slow
def test_a_killed_parent_takes_its_processes_along(tmp_path: Path) -> None:
    """kill -9 of `hapforge train` in the middle, then --resume with another number of processes."""
    whole = hf.datasets.load("ooa")
    cohort = whole.select_haplotypes(np.arange(0, 5008, 12)[:400]).select_sites(np.arange(0, 600, 5))
    hf.io.write(cohort, tmp_path / "data.hapz")
    settings = [f"--set={key}={value}" for key, value in {**TINY, "epochs": 30, "checkpoint_every": 1}.items()]
    command = [sys.executable, "-m", "hapforge", "train", "crbm", str(tmp_path / "data.hapz"), "-q", "--seed", "3"]
    run = tmp_path / "run"
    parent = subprocess.Popen([*command, "-o", str(run), "--threads", "2", "--set=workers=2", *settings])
    try:
        deadline = time.monotonic() + 60
        while not list(run.glob("windows/*/train.jsonl")):
            assert parent.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.02)
    finally:
        parent.kill()
        parent.wait()

    time.sleep(0.5)
    logs = {path: path.read_bytes() for path in run.glob("windows/*/train.jsonl")}
    time.sleep(0.5)
    assert logs == {path: path.read_bytes() for path in run.glob("windows/*/train.jsonl")}
    assert not (run / "model.json").exists()
    subprocess.run([*command, "-o", str(run), "--resume", "--set=workers=1"], check=True)
    assert same_weights(hf.models.load(run), fit(cohort, epochs=30))


# what a chain chooses from its data

OPEN = {"epochs": 2, "num_hidden": 6, "gibbs_steps": 2, "window": 50, "overlap": 23}


def test_what_is_left_open_is_chosen_for_all_windows(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """From the first of the widest; the same by two processes, and after loading."""
    asked = hf.models.CRBM(**OPEN, first_window=30)  # 0-30, 7-57, 34-84, 61-111, 88-120
    assert asked.config.learning_rate == asked.config.temperature == 0
    assert asked.planned_epochs(cohort) == 10
    expected = settings_for(cohort.select_sites(np.arange(7, 57)), num_hidden=6)
    assert expected["whiten_above"] > 0
    model = asked.fit(cohort, seed=3, run=tmp_path / "run", workers=2)
    written = json.loads((tmp_path / "run" / "run.json").read_text())["config"]
    assert written == dataclasses.asdict(model.config) | {"temperature": 0}
    for name in set(AUTOMATIC) - {"temperature"}:
        assert written[name] == {**expected, **OPEN}[name]
        assert all(getattr(model.machine(i).config, name) == written[name] for i in range(5))
    in_memory = hf.models.CRBM(**OPEN, first_window=30).fit(cohort, seed=3)
    loaded = hf.models.load(tmp_path / "run")
    for other in (in_memory, loaded):
        assert other.config == model.config
        assert other.training["temperature"] == model.training["temperature"]
        assert other.sample(9, seed=1).sha256() == model.sample(9, seed=1).sha256()
    chosen = model.training["temperature"]
    assert chosen["num_sites"] == 120
    assert model.config.temperature == chosen["temperature"]
    assert model.sample(9, seed=1).sha256() == model.sample(9, seed=1, temperature=chosen["temperature"]).sha256()
    described = json.loads((tmp_path / "run" / "model.json").read_text())
    assert f"of each at temperature {chosen['temperature']:g}. It was chosen by" in described["card"]["sampling"]


def test_a_run_that_ends_at_the_choice_of_the_temperature_is_resumed(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a long chain, by its windows up to a number of sites; validation persons have a say."""
    monkeypatch.setattr(crbm, "_JUDGED_SITES", 51)  # of which there are 77 in whole windows
    train, validation = cohort.split(0.2, 1)
    seen = []

    def killed(draw: object, train: hf.HaplotypeMatrix, validation: hf.HaplotypeMatrix, seed: int) -> None:
        seen.append((draw(7, 5, 0.9), train, validation))
        raise KeyboardInterrupt

    run = tmp_path / "run"
    choose = crbm.choose_temperature
    monkeypatch.setattr(crbm, "choose_temperature", killed)
    with pytest.raises(KeyboardInterrupt):
        hf.models.CRBM(**OPEN).fit(train, seed=3, validation=validation, run=run, workers=1)
    assert not (run / "model.json").exists()
    monkeypatch.setattr(crbm, "choose_temperature", choose)
    model = hf.models.CRBM(**OPEN).fit(train, seed=3, validation=validation, run=run, resume=True)
    ((drawn, *cohorts),) = seen
    beginning = np.arange(77)
    assert np.array_equal(drawn.words, model.sample(7, seed=5, temperature=0.9).select_sites(beginning).words)
    assert [part.sha256() for part in cohorts] == [
        part.select_sites(beginning).sha256() for part in (train, validation)
    ]

    def draw(n: int, seed: int, temperature: float) -> hf.HaplotypeMatrix:
        return model.sample(n, seed=seed, temperature=temperature).select_sites(beginning)

    expected = choose(draw, *(part.select_sites(beginning) for part in (train, validation)), 3)
    assert model.training["temperature"] == expected | {"num_sites": 77}
    assert "privacy" in expected["scores"]["1"]


def test_sites_that_are_hardly_linked_get_rectified_units() -> None:
    loose = hf.HaplotypeMatrix.from_dense(np.random.default_rng(0).integers(0, 2, (80, 60), dtype=np.uint8))
    model = hf.models.CRBM(**OPEN).fit(loose, seed=1)
    assert model.config.hidden == "relu"
    assert (
        model.config.temperature == model.training["temperature"]["temperature"]
    )  # an RBM draws at 1 without a choice
    assert model.machine(1).config.hidden == "relu"


def test_the_preset_leaves_nothing_open() -> None:
    config = hf.models.CRBM(preset="crbm_65k").config
    assert all(getattr(config, name) for name in AUTOMATIC if name != "whiten_above")
    none = hf.HaplotypeMatrix.from_dense(np.zeros((2, 3), np.uint8))
    assert settings_for(none, hidden=config.hidden, learning_rate=config.learning_rate)["whiten_above"] == 0


def test_a_chain_is_trained_by_one_at_a_time(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(atomic, "_PATIENCE_S", 0.1)
    refused = []

    def again(state: object) -> bool:
        if not refused:
            with pytest.raises(ValueError, match="run: expected a run folder that no other process trains in"):
                fit(cohort, run=tmp_path / "run", resume=True)
            refused.append(state.epoch)
        return True

    fit(cohort, run=tmp_path / "run", workers=2, callback=again)
    assert refused == [1]
    with pytest.raises(ValueError, match="expected an interrupted run, found one that has ended"):
        fit(cohort, run=tmp_path / "run", resume=True)


def test_validation_is_only_looked_at(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    train, held = cohort.split(0.2, 1)
    whole = fit(train, validation=held, run=tmp_path / "run", workers=1)
    assert same_weights(whole, fit(train))
    log = [
        json.loads(line) for line in (tmp_path / "run" / "windows" / "00001" / "train.jsonl").read_text().splitlines()
    ]
    machine = whole.machine(1)
    assert np.isclose(
        log[-1]["free_energy_validation"], machine.free_energy(held.select_sites(np.arange(27, 77))).mean()
    )


def test_damaged_or_foreign_windows_are_refused(
    cohort: hf.HaplotypeMatrix, in_memory: crbm.CRBM, tmp_path: Path
) -> None:
    in_memory.save(tmp_path / "a")
    fit(cohort, seed=4).save(tmp_path / "b")
    weights = tmp_path / "a" / "windows" / "00002" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ChecksumError):
        hf.models.load(tmp_path / "a").sample(3)
    shutil.rmtree(weights.parent)
    weights.parent.symlink_to(tmp_path / "b" / "windows" / "00002")
    with pytest.raises(FormatError, match="a file of this folder, found a link"):
        hf.models.load(tmp_path / "a").sample(3)
    weights.parent.unlink()
    with pytest.raises(FileNotFoundError, match="00002"):
        hf.models.load(tmp_path / "a").sample(3)
    shutil.copytree(tmp_path / "b" / "windows" / "00002", weights.parent)  # of another chain
    with pytest.raises(ChecksumError):
        hf.models.load(tmp_path / "a").sample(3)
    model = tmp_path / "a" / "model.json"
    described = json.loads(model.read_text())
    del described["files"]["windows/00001"]
    del described[_store.SEAL]
    _store.write_sealed(model, described)
    with pytest.raises(FormatError, match="a checksum of windows/00001"):
        hf.models.load(tmp_path / "a")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"window": 1}, "window: expected 2 or more, found 1"),
        ({"window": 10, "overlap": 10}, "overlap: expected 1 to 9, below the window, found 10"),
        ({"overlap": 0}, "overlap: expected 1 to"),
        (
            {"window": 10, "overlap": 5, "first_window": 4},
            r"first_window: expected 0, or overlap \(5\) or more, found 4",
        ),
        ({"training": "pcd"}, "training: expected 'rdm'"),
        ({"num_hidden": -1}, "num_hidden: expected 1 or more"),
        ({"preset": "none"}, "preset: expected one of crbm_65k"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hf.models.CRBM(**settings)


def test_processes_of_torchrun_are_refused(cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(ValueError, match=r"CRBM: expected one process, which starts others \(workers\), found several"):
        fit(cohort)


def test_bad_arguments(cohort: hf.HaplotypeMatrix, in_memory: crbm.CRBM, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="workers: expected 0 or more, found -1"):
        fit(cohort, workers=-1)
    with pytest.raises(ValueError, match="workers: expected a run folder for 2 processes, found run=None"):
        fit(cohort, workers=2)
    with pytest.raises(ValueError, match="validation: expected 120 sites"):
        fit(cohort, validation=cohort.select_sites(np.arange(5)))
    with pytest.raises(ValueError, match="temperature: expected"):
        in_memory.sample(2, temperature=0)
    with pytest.raises(ValueError, match="steps: expected 1 or more"):
        in_memory.sample(2, steps=0)
    with pytest.raises(ValueError, match="expected a fitted model"):
        hf.models.CRBM().sample(1)
    with pytest.raises(ValueError, match=r"window \d: learning_rate: expected one at which training converges"):
        fit(cohort, learning_rate=1e30, run=tmp_path / "run", workers=2)


@pytest.mark.slow
def test_a_process_that_is_gone_does_not_take_this_one_along(tmp_path: Path) -> None:
    """Answering one that was killed is no signal, even where SIGPIPE has its default action, as in hapforge's main."""
    code = f"""
import os, signal, sys
import numpy as np, hapforge as hf
from hapforge.models import _window_training
signal.signal(signal.SIGPIPE, signal.SIG_DFL)
started = []
class Recorded(_window_training.subprocess.Popen):
    def __init__(self, *args, **more):
        super().__init__(*args, **more)
        started.append(self)
_window_training.subprocess.Popen = Recorded
def kill(state):
    for process in started:
        os.kill(process.pid, signal.SIGKILL)
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
H = hf.HaplotypeMatrix.from_dense(np.random.default_rng(0).integers(0, 2, (40, 60), dtype=np.uint8))
try:
    hf.models.CRBM(num_hidden=4, epochs=2, window=20, overlap=10).fit(
        H, run={str(tmp_path / "run")!r}, workers=2, callback=kill
    )
except ChildProcessError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "status -9" in done.stdout

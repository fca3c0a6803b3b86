"""Monitor: evaluation during training, its log, the best model, stopping."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.evaluation import Monitor
from hapforge.evaluation.monitor import _qualities
from hapforge.io.event_log import events
from hapforge.metrics import adversarial_accuracy, compare_ld, privacy_score
from hapforge.models import _store

pytest.importorskip("torch")
SETTINGS = {"num_hidden": 24, "gibbs_steps": 4, "epochs": 12, "num_chains": 60, "batch_size": 60, "learning_rate": 0.3}


class Interrupt(Exception):
    pass


@dataclasses.dataclass
class Epoch:
    """What a model tells its callback."""

    epoch: int
    model: object
    num_epochs: int = 100


class Playback:
    """A "model" that draws what it is told to."""

    def __init__(self, drawn: hf.HaplotypeMatrix) -> None:
        self.drawn, self.saved = drawn, []

    def sample(self, n: int, *, seed: int) -> hf.HaplotypeMatrix:
        return self.drawn.select_haplotypes(np.arange(n))

    def save(self, folder: Path, *, overwrite: bool) -> None:
        folder.mkdir(exist_ok=True)
        (folder / "which").write_text(str(self.drawn.num_haplotypes))


@pytest.fixture(scope="module")
def cohorts() -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    cohort = hf.datasets.load("ooa").select_sites(np.arange(3000, 3200)).select_haplotypes(np.arange(0, 5000, 10))
    cohort = hf.HaplotypeMatrix(cohort.words, cohort.sites)
    return cohort.split(0.4, 1)


@pytest.fixture(scope="module")
def noise(cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> hf.HaplotypeMatrix:
    return hf.models.Bernoulli().fit(cohorts[0]).sample(300, seed=1)


class Interrupted:
    def sample(self, n: int, *, seed: int) -> hf.HaplotypeMatrix:
        raise Interrupt


def parameters(model: hf.models.RBM) -> list[np.ndarray]:
    return [model.weights, model.visible_bias, model.hidden_bias]


def log(folder: Path) -> list[dict]:
    entries, torn = _store.read_sealed_lines(folder / "monitor.jsonl")
    assert not torn
    return entries


def test_scores_are_those_of_the_metrics(cohorts: tuple, noise: hf.HaplotypeMatrix) -> None:
    train, validation = cohorts
    monitor = Monitor(train, validation, every=1, n=10_000, seed=3)
    monitor(Epoch(1, Playback(noise)))
    n = validation.num_haplotypes  # the fewest
    drawn = noise.select_haplotypes(np.arange(n))
    entry = monitor.history[0]
    assert entry["n"] == n == 200
    accuracy = adversarial_accuracy(validation, drawn)
    assert entry["scores"]["aa_truth"] == accuracy.aa_truth
    assert entry["scores"]["aa_syn"] == accuracy.aa_syn
    assert entry["scores"]["ld_score"] == compare_ld(validation, drawn).score
    assert 0.05 < monitor.control["aa_truth"] < 0.5
    assert monitor.control["ld_score"] > 0.9


def test_qualities_by_hand() -> None:
    control = {"af_r": 0.99, "af_r_low": 0.8, "ld_score": 0.9, "pca_wasserstein": 0.01, "aa_truth": 0.4, "aa_syn": 0.5}
    assert _qualities(control, control) == dict.fromkeys(("af", "ld", "pca", "aa_truth", "aa_syn"), 1.0)
    worse = {
        "af_r": 0.9,
        "af_r_low": 0.6,
        "ld_score": math.nan,
        "pca_wasserstein": 0.04,
        "aa_truth": 1.0,
        "aa_syn": 0.2,
    }
    expected = {"af": 0.75, "ld": 0.0, "pca": 0.25, "aa_truth": 0.0, "aa_syn": 0.4}
    assert _qualities(worse, control) == pytest.approx(expected)
    assert _qualities(worse | {"af_r_low": math.nan}, control | {"af_r_low": math.nan})["af"] == pytest.approx(
        0.9 / 0.99
    )
    assert _qualities(control | {"ld_score": -3.0, "pca_wasserstein": 0.001}, control)["ld"] == 0
    assert _qualities(control | {"pca_wasserstein": 0.001}, control)["pca"] == 1


def test_perfect_draws_are_better_than_noise_and_patience_ends(
    cohorts: tuple, noise: hf.HaplotypeMatrix, tmp_path: Path
) -> None:
    train, validation = cohorts
    monitor = Monitor(train, validation, every=2, patience=2, folder=tmp_path)
    good, bad = Playback(train), Playback(noise)
    plan = [bad, bad, good, good, bad, bad, bad, bad]
    answers = [monitor(Epoch(i + 1, model)) for i, model in enumerate(plan)]
    assert answers == [False] * 7 + [True]  # epochs 2, 4, 6, 8; best at 4
    assert [entry["epoch"] for entry in monitor.history] == [2, 4, 6, 8]
    assert [entry["best_epoch"] for entry in monitor.history] == [2, 4, 4, 4]
    assert monitor.best_epoch == 4
    assert (tmp_path / "best" / "which").read_text() == str(train.num_haplotypes)
    aggregate = [entry["aggregate"] for entry in log(tmp_path)]
    assert aggregate[1] > 0.85
    assert aggregate[0] == aggregate[2] < 0.6
    assert aggregate[1] == pytest.approx(np.mean(list(monitor.history[1]["qualities"].values())))


def test_a_leak_ends_training(cohorts: tuple, noise: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Privacy is that of `privacy_score`; where training rows are drawn again it ends training, and they are not best.

    Without `leak` they are: they are real.
    """
    train, validation = cohorts
    equal = train.select_haplotypes(np.arange(validation.num_haplotypes))
    bad, copies = Playback(noise), Playback(equal)
    monitor = Monitor(equal, validation, every=1, n=1000, leak=0.1, folder=tmp_path)
    assert [monitor(Epoch(i + 1, model)) for i, model in enumerate([bad, bad, copies])] == [False, False, True]
    assert [entry["best_epoch"] for entry in monitor.history] == [1, 1, 1]
    assert [entry["best_aggregate"] for entry in monitor.history] == [monitor.history[0]["aggregate"]] * 3
    leaks = [entry["scores"]["privacy"] for entry in log(tmp_path)]
    drawn = noise.select_haplotypes(np.arange(validation.num_haplotypes))
    assert leaks[0] == pytest.approx(privacy_score(equal, validation, drawn))
    assert abs(leaks[0]) < 0.1 < leaks[2]
    assert log(tmp_path)[0]["control"].get("privacy") is None
    careless = Monitor(equal, validation, every=1, n=1000)
    assert [careless(Epoch(i + 1, model)) for i, model in enumerate([bad, copies])] == [False, False]
    assert careless.best_epoch == 2
    first = Monitor(equal, validation, every=1, n=1000, leak=0.1)  # a best there must be
    assert first(Epoch(1, copies))
    assert first.best_epoch == 1


def test_training_is_not_touched(cohorts: tuple) -> None:
    train, validation = cohorts
    alone = hf.models.RBM(**SETTINGS).fit(train, seed=3)
    watched = hf.models.RBM(**SETTINGS).fit(train, seed=3, callback=Monitor(train, validation, every=3, n=100))
    for a, b in zip(parameters(alone), parameters(watched), strict=True):
        assert np.array_equal(a, b)


def test_best_is_kept_and_training_stops(cohorts: tuple, tmp_path: Path) -> None:
    train, validation = cohorts
    run = tmp_path / "run"
    # a rate at which the machine is soon past its best
    model = hf.models.RBM(**(SETTINGS | {"epochs": 200, "learning_rate": 3.0, "hold": 1.0}))
    monitor = Monitor(train, validation, every=2, n=150, patience=3, folder=run)
    model.fit(train, seed=3, validation=validation, callback=monitor, run=run)
    entries = log(run)
    assert entries == monitor.history
    assert [entry["epoch"] for entry in entries] == list(range(2, model.training["epochs_done"] + 1, 2))
    assert model.training["epochs_done"] == monitor.best_epoch + 6 < 200
    best = max(entries, key=lambda entry: entry["aggregate"])
    assert best["epoch"] == monitor.best_epoch
    drawn = hf.models.load(run / "best").sample(150, seed=0, temperature=1.0)
    again = Monitor(train, validation, every=1, n=150)
    again(Epoch(1, Playback(drawn)))
    assert again.history[0]["scores"] == best["scores"]
    assert hf.models.load(run).sample(9).sha256() != hf.models.load(run / "best").sample(9).sha256()


def test_the_best_model_draws_at_a_temperature_that_is_chosen_for_it(
    cohorts: tuple, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if it were the last one: a machine whose training ends at the best epoch is the same model.

    Killed before it is chosen, the run is resumed, and trains no more: the callback had ended it.
    """
    train, validation = cohorts
    settings = SETTINGS | {"warmup": 0.0, "hold": 1.0, "learning_rate": 0.6}
    monkeypatch.setattr(Monitor, "_leaks", lambda self, scores: True)  # the first evaluation stays the best

    def fit(**more: object) -> hf.models.RBM:
        monitor = Monitor(train, validation, every=6, n=60, folder=run)

        def callback(state: Epoch) -> bool:
            monitor(state)
            return state.epoch == 9

        return hf.models.RBM(**settings).fit(train, seed=3, validation=validation, callback=callback, run=run, **more)

    def interrupt(*_: object) -> None:
        raise Interrupt

    run = tmp_path / "run"
    with monkeypatch.context() as patched:
        patched.setattr(_store, "replace_description", interrupt)
        with pytest.raises(Interrupt):
            fit()
    assert hf.models.load(run / "best").config.temperature == 0
    model = fit(resume=True)
    assert model.training["epochs_done"] == 9
    best, alone = hf.models.load(run / "best"), hf.models.RBM(**settings)
    alone.fit(train, seed=3, validation=validation, callback=lambda state: state.epoch == 6)
    assert 0 < best.config.temperature < 1
    assert best.config == alone.config
    assert best.training["temperature"] == alone.training["temperature"] != model.training["temperature"]
    assert best.sample(30, seed=1).sha256() == alone.sample(30, seed=1).sha256()
    card = json.loads((run / "best" / "model.json").read_text())["card"]
    assert f"at temperature {best.config.temperature:g}. It was chosen by" in card["sampling"]


def without_time(folder: Path) -> list[dict]:
    return [{key: value for key, value in entry.items() if key != "seconds"} for entry in log(folder)]


@pytest.mark.parametrize(("epoch", "evaluated"), [(5, True), (6, False), (8, True)])
def test_a_resumed_run_is_the_uninterrupted_one(cohorts: tuple, tmp_path: Path, epoch: int, evaluated: bool) -> None:
    """Also where it ends between an epoch that has a checkpoint and its evaluation."""
    train, validation = cohorts

    def fit(run: Path, stop_at: int | None = None, **more: object) -> Monitor:
        monitor = Monitor(train, validation, every=2, n=60, folder=run)

        def callback(state: Epoch) -> bool:
            if state.epoch == stop_at and not evaluated:
                raise Interrupt
            enough = monitor(state)
            if state.epoch == stop_at:
                raise Interrupt
            return enough

        hf.models.RBM(**SETTINGS).fit(train, seed=3, callback=callback, run=run, checkpoint_every=3, **more)
        return monitor

    whole, run = tmp_path / "whole", tmp_path / "run"
    fit(whole)
    with pytest.raises(Interrupt):
        fit(run, epoch)
    resumed = fit(run, resume=True)
    assert without_time(run) == without_time(whole)
    assert [entry["epoch"] for entry in resumed.history] == [2, 4, 6, 8, 10, 12]
    first, second = ((folder / "best" / "weights.safetensors").read_bytes() for folder in (run, whole))
    assert first == second
    fit(run, overwrite=True)
    assert without_time(run) == without_time(whole)  # and nothing of the old run


def test_tensorboard_gets_the_same_numbers(cohorts: tuple, noise: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    pytest.importorskip("tensorboard")
    monitor = Monitor(*cohorts, every=1, n=60, folder=tmp_path)
    for epoch in (1, 2):
        monitor(Epoch(epoch, Playback(noise)))
    with pytest.raises(Interrupt):  # a run that is resumed after epoch 1
        Monitor(*cohorts, every=1, n=60, folder=tmp_path)(Epoch(2, Interrupted()))
    Monitor(*cohorts, every=1, n=60, folder=tmp_path)(Epoch(2, Playback(noise)))
    (path,) = (tmp_path / "tensorboard" / "monitor").iterdir()
    values = [(event.step, value) for event in events(path) for value in event.summary.value]
    found = {(step, value.tag): value.tensor.float_val[0] for step, value in values}
    assert len(found) == len(values)
    assert [entry["epoch"] for entry in log(tmp_path)] == [1, 2]
    for entry in log(tmp_path):
        assert found[entry["epoch"], "monitor/aggregate"] == pytest.approx(entry["aggregate"])
        assert found[entry["epoch"], "monitor/ld_score"] == pytest.approx(entry["scores"]["ld_score"])


def test_without_tensorboard(
    cohorts: tuple, noise: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    Monitor(*cohorts, every=1, n=60, folder=tmp_path)(Epoch(1, Playback(noise)))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best", "monitor.jsonl"]


def test_collapsed_draws_are_scored(cohorts: tuple) -> None:
    nothing = hf.HaplotypeMatrix(np.zeros_like(cohorts[0].words), cohorts[0].sites)
    monitor = Monitor(*cohorts, every=1, n=60)
    monitor(Epoch(1, Playback(nothing)))
    assert monitor.history[0]["scores"]["ld_score"] is None
    assert 0 <= monitor.history[0]["aggregate"] < 0.4


def test_validation_rows_all_alike_have_quality_zero(cohorts: tuple) -> None:
    """Nothing varies: no correlation, no LD, no components; only the accuracies can be told, and all rows are tied."""
    train, validation = cohorts
    alike = hf.HaplotypeMatrix(np.zeros_like(validation.words), validation.sites)
    monitor = Monitor(train, alike, every=1, n=60)
    assert math.isnan(monitor.control["pca_wasserstein"])
    monitor(Epoch(1, Playback(train)))
    entry = monitor.history[0]
    assert entry["scores"]["pca_wasserstein"] is None
    assert [entry["qualities"][name] for name in ("af", "ld", "pca")] == [0, 0, 0]
    assert entry["aggregate"] == pytest.approx((entry["qualities"]["aa_truth"] + entry["qualities"]["aa_syn"]) / 5)


def test_one_site(cohorts: tuple) -> None:
    """A single component, no pair for LD, and no line through one frequency."""
    train, validation = (
        cohort.select_sites([int(np.argmin(np.abs(hf.stats.allele_frequencies(cohorts[1]) - 0.4)))])
        for cohort in cohorts
    )
    monitor = Monitor(train, validation, every=1, n=60)
    monitor(Epoch(1, Playback(train)))
    entry = monitor.history[0]
    assert (entry["qualities"]["af"], entry["qualities"]["ld"]) == (0, 0)
    shares = [cohort.to_dense()[:, 0] for cohort in (monitor._truth, train.select_haplotypes(np.arange(60)))]
    # of rows at 0 and 1, as far apart as can be, those in excess move by the whole length
    assert entry["scores"]["pca_wasserstein"] == pytest.approx(abs(shares[0].mean() - shares[1].mean()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"every": 0}, "every: expected 1 or more, found 0"),
        ({"n": 3}, "n: expected 4 or more, found 3"),
        ({"patience": 0}, "patience: expected 1 or more, found 0"),
        ({"leak": 0.0}, "leak: expected more than 0 and at most 1, found 0.0"),
        ({"seed": -1}, "seed"),
    ],
)
def test_bad_arguments(cohorts: tuple, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Monitor(*cohorts, **arguments)


def test_bad_cohorts(cohorts: tuple) -> None:
    train, validation = cohorts
    with pytest.raises(ValueError, match="validation: expected the sites of train, found others"):
        Monitor(train, validation.select_sites(range(5)))
    with pytest.raises(ValueError, match="validation: expected at least 4 haplotypes, found 3"):
        Monitor(train, validation.select_haplotypes(range(3)))

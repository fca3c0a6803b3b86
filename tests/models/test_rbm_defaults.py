"""What an RBM chooses from its data: settings by the training cohort, the temperature of draws by held-out persons."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.metrics import adversarial_accuracy, compare_ld, privacy_score
from hapforge.models import _temperature, rbm
from hapforge.models._automatic import (
    LOOSE,
    RECTIFIED_DIFFERENCES,
    differences,
    labelled_settings_for,
    nearness,
    settings_for,
)
from hapforge.models._temperature import TEMPERATURES, choose_temperature

CHOSEN = (
    *("hidden", "num_hidden", "gibbs_steps", "epochs", "batch_size", "num_chains", "learning_rate", "whiten_above"),
)
WHITENED = ("epochs", "batch_size", "learning_rate", "whiten_above")
SHORT = {"epochs": 3, "num_hidden": 9, "gibbs_steps": 2}


class Interrupt(Exception):
    pass


def values(config: object) -> dict[str, object]:
    return {name: getattr(config, name) for name in CHOSEN}


def unlinked(rows: int, sites: int, seed: int = 0) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(np.random.default_rng(seed).integers(0, 2, (rows, sites), dtype=np.uint8))


def test_rectified_machines_draw_at_one() -> None:
    """Unless a temperature is asked for: none is chosen after training."""
    loose = unlinked(60, 30)
    model = hf.models.RBM(**SHORT).fit(loose)
    assert (model.config.hidden, model.config.temperature) == ("relu", 1)
    assert "temperature" not in model.training
    assert hf.models.RBM(**SHORT, temperature=0.9).fit(loose).config.temperature == 0.9
    binary = hf.models.RBM(**SHORT, hidden="bernoulli").fit(loose)
    assert binary.config.temperature == binary.training["temperature"]["temperature"]


def test_nearness_by_its_definition(cohort: hf.HaplotypeMatrix) -> None:
    dense = cohort.to_dense().astype(int)
    apart = (dense[:, None] != dense).sum(2).astype(float)
    expected = (apart + np.diag(np.full(len(dense), np.inf))).min(1).mean() / apart.mean()
    assert nearness(cohort) == pytest.approx(expected)
    assert nearness(unlinked(1, 9)) == 1
    assert nearness(hf.HaplotypeMatrix.from_dense(np.zeros((9, 4), np.uint8))) == 1


def test_settings_follow_the_data(cohort: hf.HaplotypeMatrix) -> None:
    loose, close = unlinked(300, 200), cohort
    assert nearness(close) < LOOSE < nearness(loose)
    assert settings_for(close)["num_hidden"] > settings_for(loose)["num_hidden"]
    assert settings_for(close)["whiten_above"] > 0 == settings_for(loose)["whiten_above"]
    assert settings_for(close, learning_rate=0.1)["whiten_above"] == 0  # a rate of the plain gradient
    more = settings_for(close, num_hidden=900)
    assert settings_for(close, num_hidden=30) == settings_for(close)
    assert more["whiten_above"] == pytest.approx(settings_for(close)["whiten_above"] / 3)  # the same step


@pytest.mark.parametrize(
    ("hidden", "num_hidden", "epochs", "fewer"), [("relu", 50, 240, 80), ("bernoulli", 100, 120, 120)]
)
def test_few_rows_get_smaller_machines_and_fewer_passes(hidden: str, num_hidden: int, epochs: int, fewer: int) -> None:
    """As many updates an epoch however few they are."""
    many, few, fewest = (settings_for(unlinked(rows, 200), hidden=hidden) for rows in (2000, 200, 1))
    assert [many["hidden"], many["num_hidden"], many["epochs"]] == [hidden, num_hidden, epochs]
    assert [few["num_hidden"], few["epochs"], few["batch_size"]] == [40, fewer, 22]
    assert [fewest["num_hidden"], fewest["epochs"], fewest["batch_size"]] == [2, fewer, 1]
    for rows in (20, 300, 2250):
        assert 9 <= round(rows / settings_for(unlinked(rows, 200), hidden=hidden)["batch_size"]) <= 10


def test_units_are_rectified_where_nothing_else_is_asked_for(cohort: hf.HaplotypeMatrix) -> None:
    loose = unlinked(300, 200)
    low = settings_for(loose)["learning_rate"]
    assert settings_for(loose, hidden="relu") == settings_for(loose)
    binary = settings_for(loose, hidden="bernoulli")
    assert binary["hidden"] == "bernoulli"
    assert binary["learning_rate"] > 5 * low
    assert settings_for(loose, learning_rate=0.1) == binary  # a rate is one of binary units
    assert settings_for(loose, learning_rate=0.01, hidden="relu")["hidden"] == "relu"
    many = unlinked(300, 1000)  # two rows differ at 500 sites
    assert differences(many) > RECTIFIED_DIFFERENCES > differences(loose)
    assert settings_for(many) == settings_for(many, hidden="bernoulli")
    assert settings_for(cohort)["hidden"] == "bernoulli"
    assert settings_for(cohort, hidden="relu")["learning_rate"] < low


def test_rectified_units_that_see_less_learn_at_a_higher_rate() -> None:
    """In proportion to the sites at which haplotypes differ, half of those here: 680, 340, 170 ..."""
    sizes = (1360, 680, 340, 100, 40)
    rates = [settings_for(unlinked(300, sites), hidden="relu")["learning_rate"] for sites in sizes]
    assert rates == pytest.approx([0.005, 0.005, 0.01, 0.02, 0.02], rel=0.01)


def test_settings_of_labelled_machines(cohort: hf.HaplotypeMatrix) -> None:
    """Whitened as others where haplotypes are close, with as many updates; and labels, which overlap there, told less.

    Not where a rate of the plain gradient is asked for, nor persistent chains or aligned sequences.
    """
    close, plain = labelled_settings_for(cohort), labelled_settings_for(unlinked(300, 200))
    assert [close[name] for name in WHITENED] == [settings_for(cohort)[name] for name in WHITENED]
    assert close["telling_weight"] < 1 == plain["telling_weight"]
    assert plain["whiten_above"] == 0
    assert labelled_settings_for(cohort, learning_rate=0.1) == plain
    assert labelled_settings_for(cohort, training="pcd") == plain | {"learning_rate": 0.05}
    assert labelled_settings_for(cohort, num_hidden=600)["whiten_above"] == close["whiten_above"] / 2
    letters = np.repeat(np.random.default_rng(0).integers(0, 4, (3, 20)), 10, axis=0)
    sequences = hf.Alignment(letters, "ACGT").to_haplotypes()
    assert nearness(sequences) == 0
    assert labelled_settings_for(sequences) == plain


def test_what_a_labelled_machine_leaves_open_is_chosen(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Anew for every cohort, and kept."""
    model = hf.models.LabelledRBM("population", num_hidden=9, epochs=2, temperature=1.0)
    assert model.planned_epochs(cohort) == 2
    assert hf.models.LabelledRBM().planned_epochs(cohort) == labelled_settings_for(cohort)["epochs"]
    model.fit(cohort, seed=3, run=tmp_path / "run")
    chosen = labelled_settings_for(cohort, num_hidden=9) | {"epochs": 2}
    assert {name: getattr(model.config, name) for name in chosen} == chosen
    assert hf.models.load(tmp_path / "run").config == model.config
    loose = unlinked(60, 30).with_labels({"population": ["a", "b"] * 30})
    model.fit(loose)
    assert model.config.whiten_above == 0
    plain = hf.models.LabelledRBM("population", num_hidden=9, epochs=2, temperature=1.0, whiten_above=1e9)
    whitened = hf.models.LabelledRBM("population", num_hidden=9, epochs=2, temperature=1.0).fit(cohort, seed=3)
    assert not np.array_equal(plain.fit(cohort, seed=3).weights, whitened.weights)


def test_what_is_left_open_is_chosen_and_written_down(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    model = hf.models.RBM(**SHORT)
    assert values(model.config) == {**dict.fromkeys(CHOSEN, 0), "hidden": "", **SHORT}
    assert model.planned_epochs(cohort) == 3
    model.fit(cohort, seed=3, run=tmp_path / "run")
    assert values(model.config) == {**settings_for(cohort), **SHORT}
    assert model.config.temperature == model.training["temperature"]["temperature"]
    assert min(TEMPERATURES) <= model.config.temperature <= 1
    for file, temperature in (("run.json", 0), ("model.json", model.config.temperature)):
        config = json.loads((tmp_path / "run" / file).read_text())["config"]
        assert config == {**dataclasses.asdict(model.config), "temperature": temperature}
    loaded = hf.models.load(tmp_path / "run")
    assert loaded.config == model.config
    assert loaded.training["temperature"] == model.training["temperature"]
    assert loaded.sample(9, seed=1).sha256() == model.sample(9, seed=1).sha256()
    other = unlinked(60, 30)
    model.fit(other)  # chosen anew
    assert (model.config.hidden, model.config.temperature) == ("relu", 1)
    assert values(model.config) | {"temperature": 1} == {**settings_for(other), **SHORT}
    model = hf.models.RBM(epochs=1)
    model.planned_epochs(cohort)
    assert {name: getattr(model.config, name) for name in settings_for(cohort)} == settings_for(cohort) | {"epochs": 1}


def test_a_resumed_run_chooses_the_same(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    def stop(state: object) -> None:
        if state.epoch == 2:
            raise Interrupt

    train, validation = cohort.split(0.2, 1)
    more = {"seed": 3, "validation": validation}
    run = tmp_path / "run"
    with pytest.raises(Interrupt):
        hf.models.RBM(**SHORT).fit(train, **more, run=run, checkpoint_every=1, callback=stop)
    resumed = hf.models.RBM(**SHORT).fit(train, **more, run=run, resume=True)
    whole = hf.models.RBM(**SHORT).fit(train, **more)
    assert np.array_equal(resumed.weights, whole.weights)
    assert resumed.config == whole.config
    assert resumed.training["temperature"] == whole.training["temperature"]


def test_the_card_says_the_temperature(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = {
        "temperature": 0.85,
        "n": 70,
        "num_validation": 20,
        "control": {"aa_truth": 0.45, "aa_syn": 0.46},
        "scores": {"1": {"aa_truth": 0.7, "aa_syn": 0.2}, "0.85": {"aa_truth": 0.5, "aa_syn": 0.4}},
    }
    monkeypatch.setattr(rbm, "choose_temperature", lambda *_: found)
    hf.models.RBM(**SHORT).fit(cohort, run=tmp_path / "run")
    described = json.loads((tmp_path / "run" / "model.json").read_text())
    assert described["config"]["temperature"] == 0.85
    assert described["training"]["temperature"] == found
    assert described["card"]["sampling"] == (
        "2 Gibbs steps from a uniform start; the last visible units at temperature 0.85. It was chosen by 70 "
        "training rows, of AA truth / syn 0.50 / 0.40, at 1 0.70 / 0.20, real ones 0.45 / 0.46."
    )
    fixed = hf.models.RBM(**SHORT, temperature=1.0).fit(cohort)
    assert fixed.config.temperature == 1
    assert "temperature" not in fixed.training


def noisy(cohort: hf.HaplotypeMatrix, rate: float, seed: int) -> hf.HaplotypeMatrix:
    """A share of the alleles drawn anew at the sites' frequencies."""
    rng = np.random.default_rng(seed)
    dense = cohort.to_dense()
    anew = rng.random(dense.shape) < dense.mean(0)
    return hf.HaplotypeMatrix(
        hf.HaplotypeMatrix.from_dense(np.where(rng.random(dense.shape) < rate, anew, dense).astype(np.uint8)).words,
        cohort.sites,
    )


@pytest.fixture(scope="module")
def persons() -> list[hf.HaplotypeMatrix]:
    """Training, validation and further persons of 300 sites with few neighbours at hand."""
    rng = np.random.default_rng(5)
    parents = rng.integers(0, 2, (12, 300), dtype=np.uint8)
    source = np.repeat(rng.integers(0, 12, (900, 10)), 30, axis=1)
    whole = hf.HaplotypeMatrix.from_dense(parents[source, np.arange(300)])
    return [whole.select_haplotypes(np.arange(300 * i, 300 * (i + 1))) for i in range(3)]


@pytest.mark.parametrize("with_validation", [True, False])
def test_the_temperature_without_noise_is_found(persons: list[hf.HaplotypeMatrix], with_validation: bool) -> None:
    """Draws are other persons, with noise that grows with the distance from 0.8; scores are those of the metrics."""
    train, validation, others = persons
    train = hf.HaplotypeMatrix(np.vstack([train.words, train.words[::-1]]), train.sites)

    def draw(n: int, seed: int, temperature: float) -> hf.HaplotypeMatrix:
        return noisy(others, 2 * abs(temperature - 0.8), 3).select_haplotypes(np.arange(n))

    found = choose_temperature(draw, train, validation if with_validation else None, 1)
    assert found["temperature"] == 0.8
    assert found["n"] == 300
    assert found["num_validation"] == (300 if with_validation else 0)
    assert set(found["scores"]) == {f"{t:g}" for t in (*TEMPERATURES, 0.825, 0.775)}
    assert [("privacy" in scores) for scores in found["scores"].values()] == [with_validation] * len(found["scores"])
    json.dumps(found)


def test_scores_are_those_of_the_metrics(persons: list[hf.HaplotypeMatrix]) -> None:
    train, validation, others = persons
    judge = _temperature._Judge(train, validation, 0)
    accuracy, scores = adversarial_accuracy(train, others), judge.scores(others)
    assert [scores["aa_truth"], scores["aa_syn"]] == pytest.approx([accuracy.aa_truth, accuracy.aa_syn], abs=1e-4)
    assert scores["ld_r"] == pytest.approx(compare_ld(train, others).r2_r, abs=1e-4)
    p, q = train.to_dense().mean(0), others.to_dense().mean(0)
    assert scores["af_r"] == pytest.approx(np.corrcoef(p, q)[0, 1], abs=1e-4)
    assert scores["af_r_low"] == pytest.approx(np.corrcoef(p[p <= 0.2], q[p <= 0.2])[0, 1], abs=1e-4)
    assert judge.scores(train)["pca_distance"] == 0 < scores["pca_distance"]
    assert judge.privacy(others)["privacy"] == pytest.approx(privacy_score(train, validation, others), abs=1e-4)
    few = validation.select_haplotypes(np.arange(100))  # means of three sets
    means = [
        privacy_score(*(cohort.select_haplotypes(rows) for cohort in (train, few, others)))
        for rows in (np.arange(100),)
    ]
    assert _temperature._Judge(train, few, 0).privacy(others.select_haplotypes(np.arange(150))) == pytest.approx(
        {"privacy": means[0]}, abs=1e-4
    )


def test_adversarial_accuracy_alone_decides_nothing(persons: list[hf.HaplotypeMatrix]) -> None:
    """Copies of training rows, or draws that have lost their rare alleles, are not taken at whatever accuracy."""
    train, validation, others = persons

    def copies(n: int, seed: int, temperature: float) -> hf.HaplotypeMatrix:
        return (train if temperature == 0.8 else noisy(others, 0.05, 3)).select_haplotypes(np.arange(n))

    found = choose_temperature(copies, train, validation, 1)
    assert found["scores"]["0.8"]["privacy"] > 0.2
    assert found["temperature"] == 1
    good, plain = (
        {"af_r": 0.999, "af_r_low": 0.99, "ld_r": 0.95, "pca_distance": 0.1, "privacy": 0.01},
        {"af_r_low": 0.99},
    )
    assert _temperature._as_good(good, plain)
    for name, value in (("af_r", 0.99), ("af_r_low", 0.97), ("privacy", 0.071)):
        assert not _temperature._as_good(good | {name: value}, good)
    assert not _temperature._as_good(good | {"ld_r": 0.93}, good)
    assert not _temperature._as_good(good | {"pca_distance": 0.13}, good)
    assert _temperature._as_good(good | {"privacy": 0.08}, good | {"privacy": 0.06})
    assert not _temperature._as_good(good | {"privacy": 0.1}, good | {"privacy": 0.06})


def test_nothing_to_compare_with() -> None:
    """One person, or no site that varies."""
    assert choose_temperature(lambda *_: None, unlinked(2, 5), None, 0) == {"temperature": 1.0}
    same = hf.HaplotypeMatrix.from_dense(np.zeros((40, 7), np.uint8))
    found = choose_temperature(lambda n, *_: same.select_haplotypes(np.arange(n)), same, None, 0)
    assert found["temperature"] == 1
    assert set(found["scores"]["1"]) == {"aa_truth", "aa_syn"}

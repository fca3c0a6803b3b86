"""Verdicts and headlines: by hand, and on sets with a known fault made from the embedded cohort."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.evaluation.verdicts import MIN_HAPLOTYPES, headlines, judge, weigh
from hapforge.haplotypes import seeded_order
from hapforge.io.hapt import read as read_hapt
from hapforge.models import Bernoulli, Markov
from hapforge.report.data import Rule, Score, ScoreText

METRICS = ["allele_frequency", "ld", "pca", "adversarial_accuracy", "nearest_distance"]
NUM_SITES, NUM_ROWS = 3000, 1000
BOTH = Rule(0.05, 0.15, "low", "high")


def persons(seed: int, n: int = NUM_ROWS) -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    """Two cohorts of n haplotypes each, of different persons of the embedded cohort."""
    cohort = hf.datasets.load("ooa").select_sites(np.arange(2000, 2000 + NUM_SITES))
    order = seeded_order(cohort.num_haplotypes // 2, seed, 1)
    rows = [np.sort(np.concatenate([2 * part, 2 * part + 1])) for part in (order[: n // 2], order[n // 2 : n])]
    return cohort.select_haplotypes(rows[0]), cohort.select_haplotypes(rows[1])


def like(dense: np.ndarray, cohort: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix(hf.HaplotypeMatrix.from_dense(dense.astype(np.uint8)).words, cohort.sites)


def faulty(real: hf.HaplotypeMatrix, other: hf.HaplotypeMatrix) -> dict[str, hf.HaplotypeMatrix]:
    """Sets with one fault each, as many rows as `other`, which is without."""
    rng = np.random.default_rng(3)
    x, y = real.to_dense(), other.to_dense()
    n = len(y)
    copied, source = rng.choice(n, n // 5, replace=False), rng.choice(len(x), n // 5, replace=False)
    exact = y.copy()
    exact[copied] = x[source]
    near = exact ^ ((rng.random(y.shape) < 0.002) & np.isin(np.arange(n), copied)[:, None])
    prototypes = y[rng.choice(n, 20, replace=False)]
    clumps = prototypes[rng.integers(0, 20, n)] ^ (rng.random(y.shape) < 0.003)
    everyone = hf.datasets.load("ooa")
    alike = everyone.samples.labels["population"] == real.samples.labels["population"][0]
    unseen = np.flatnonzero(alike & ~np.isin(everyone.samples.sample_id, real.samples.sample_id))[:n]
    return {
        "perfect": other,
        "copies": like(exact, real),
        "near copies": like(near, real),
        "clumps": like(clumps, real),
        "Bernoulli noise": Bernoulli().fit(real).sample(n, seed=1),
        "Markov(10)": Markov(window=10).fit(real).sample(n, seed=1),
        "no rare alleles": like(np.where(x.mean(axis=0) < 0.05, 0, y), real),
        "few rows copied": like(x[np.tile(rng.choice(len(x), 50, replace=False), n // 50)], real),
        "one population": everyone.select_sites(np.arange(2000, 2000 + NUM_SITES)).select_haplotypes(unseen),
    }


@pytest.fixture(scope="module")
def cohorts() -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    return persons(1)


@pytest.fixture(scope="module")
def result(cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> hf.evaluation.Evaluation:
    metrics = [name for name in METRICS if name != "pca"]
    return hf.evaluate(cohorts[0], faulty(*cohorts), metrics=metrics, controls=["real_half"])


@pytest.mark.parametrize(
    ("name", "opening", "others"),
    [
        ("perfect", "No fault found at n = 500, but too little to tell by: pca_wasserstein.", []),
        ("copies", "Copies: ", []),
        ("near copies", "Copies: ", []),
        ("clumps", "Mode clumping: nearest neighbours of AGs are AGs (AA syn 0.", ["Rare alleles are lost"]),
        ("few rows copied", "Copies: ", ["Rare alleles are lost"]),
        ("Bernoulli noise", "Noise: AGs lie scattered", ["LD is not that of real haplotypes"]),
        ("Markov(10)", "Noise: AGs lie scattered", []),
        ("no rare alleles", "Mode clumping: ", ["Rare alleles are lost"]),
        ("one population", "Parts of the real diversity", []),
    ],
)
def test_headlines(result: hf.evaluation.Evaluation, name: str, opening: str, others: list[str]) -> None:
    said = result.data.headlines[name]
    assert said.startswith(opening), said
    for other in others:
        assert other in said
    if name in ("copies", "near copies"):
        assert "clumping" not in said
        assert "Noise" not in said
    elif name != "perfect":
        assert "Cannot be told" not in said


def test_structure(cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    """With principal components, on fewer rows."""
    real, other = (cohort.select_haplotypes(np.arange(0, NUM_ROWS, 2)) for cohort in cohorts)
    sets = {name: faulty(*cohorts)[name].select_haplotypes(np.arange(500)) for name in ("one population", "clumps")}
    said = hf.evaluate(real, {"perfect": other, **sets}, metrics=METRICS, controls=["real_half"]).data.headlines
    assert "Population structure is not that of real haplotypes (PCA W 0." in said["one population"]
    assert "Population structure" in said["clumps"]
    assert not said["perfect"].startswith(("Noise", "Mode", "Copies", "Population", "Rare"))


def test_verdicts_state_score_meaning_and_rule(result: hf.evaluation.Evaluation) -> None:
    clumped = result.data.verdicts["clumps"]["aa_syn_equal_n"]
    found = result.scores["clumps"]["aa_syn_equal_n"].value
    assert clumped.level == "poor"
    assert clumped.text == f"AA syn {found:.3g}: nearest neighbours of AGs are AGs: mode clumping"
    control = result.scores["real half"]["aa_syn_equal_n"].value
    assert clumped.rule == (
        f"good: at most 0.05 from that of the real half ({control:.3g}), or not surely; poor: more than 0.15, and "
        "surely more than 0.05"
    )
    assert {v.level for v in result.data.verdicts["perfect"].values()} == {"good"}
    noise = result.data.verdicts["Bernoulli noise"]
    assert (noise["ld_score_equal_n"].level, noise["aa_truth_equal_n"].level) == ("poor", "poor")
    assert noise["af_r_low_equal_n"].level == "good"
    assert result.data.verdicts["no rare alleles"]["ld_score_equal_n"].level == "good"


@pytest.mark.parametrize("n", [40, 100])
def test_few_haplotypes_give_no_confident_verdict(
    cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix], n: int
) -> None:
    real, other = (cohort.select_haplotypes(np.arange(n)) for cohort in cohorts)
    metrics = [name for name in METRICS if name != "pca"]
    data = hf.evaluate(real, other, metrics=metrics, controls=["real_half"]).data
    found = data.verdicts["synthetic"]
    if n // 2 < MIN_HAPLOTYPES:
        assert {v.level for v in found.values()} == {"unknown"}
        assert f"too few to tell, {n // 2} haplotypes a side" in found["aa_syn_equal_n"].text
        assert data.headlines["synthetic"].startswith("Too few to tell")
    else:
        assert found["aa_truth_equal_n"].level == "unknown"
        assert found["aa_truth_equal_n"].text.endswith("too few to tell")
        assert "poor" not in {v.level for v in found.values()}
        assert "Cannot be told" not in data.headlines["synthetic"]


@pytest.mark.parametrize(
    ("value", "half", "level"),
    [
        (0.53, 0.0, "good"),
        (0.6, 0.0, "fair"),
        (0.7, 0.0, "poor"),
        (0.3, 0.0, "poor"),
        (0.7, 0.05, "poor"),  # surely by 0.2 - 0.0707 > 0.05
        (0.7, 0.12, "fair"),  # surely by 0.03 only: no "poor"
        (0.7, 0.2, "unknown"),  # not surely different, but possibly by far
        (0.53, 0.1, "unknown"),
        (0.6, 0.075, "unknown"),  # 0.1 -+ 0.106
        (0.6, 0.03, "fair"),
        (0.53, 0.05, "good"),
    ],
)
def test_differences_against_their_noise(value: float, half: float, level: str) -> None:
    found = weigh(value, (value - half, value + half), 0.5, (0.5 - half, 0.5 + half), BOTH)
    assert found.level == level
    assert found.meaning == ("high" if value > 0.5 else "low")


def test_a_direction_without_a_meaning_is_no_fault() -> None:
    nowhere = (math.nan, math.nan)
    assert weigh(0.9, nowhere, 0.5, nowhere, Rule(0.05, 0.15, "low", "")).level == "good"
    assert weigh(0.1, nowhere, 0.5, nowhere, Rule(0.05, 0.15, "low", "")).level == "poor"
    assert weigh(0.1, nowhere, 0.5, nowhere, Rule(0.05, 0.15, "", "high")).level == "good"
    assert weigh(math.nan, nowhere, 0.5, nowhere, BOTH).level == "unknown"
    assert weigh(0.9, nowhere, math.nan, nowhere, BOTH).level == "unknown"


def test_privacy_score_is_judged_by_the_holdout() -> None:
    texts = {"privacy_score": ScoreText("privacy score", "", "lower", Rule(0.03, 0.06, "", "a leak"), twice=False)}
    scores = {
        "RBM": {"privacy_score": Score(0.23, 0.2, 0.26, 900, "")},
        "real half": {},
        "holdout": {"privacy_score": Score(0.01, -0.02, 0.04, 900, "")},
    }
    found = judge(["RBM"], scores, texts, 900)["RBM"]["privacy_score"]
    assert (found.level, found.text) == ("poor", "privacy score 0.23: a leak")
    assert "that of the holdout (0.01)" in found.rule
    assert headlines(["RBM"], scores, texts, 900)["RBM"] == (
        "Copies: AGs repeat training haplotypes or nearly so (privacy score 0.23, holdout 0.01)."
    )


def test_what_was_not_computed_is_not_called_perfect(
    cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix],
) -> None:
    data = hf.evaluate(*cohorts, metrics=["allele_frequency"], controls=["real_half"]).data
    assert data.headlines["synthetic"] == (
        "No fault found at n = 500, but too little to tell by: aa_truth, aa_syn, ld_score, pca_wasserstein."
    )


def test_published_gan(shared_data: Path) -> None:
    legend = shared_data / "805_SNP.legend"
    real = read_hapt(shared_data / "805_SNP_1000G_real.hapt.zip", legend=legend)
    gan = read_hapt(shared_data / "805_SNP_GAN_AG_20000epochs.hapt.zip", legend=legend)
    metrics = ["adversarial_accuracy", "nearest_distance", "allele_frequency", "ld"]
    data = hf.evaluate(real, {"GAN": gan}, metrics=metrics, controls=["bernoulli", "markov"]).data
    said = data.headlines["GAN"]
    assert said.startswith("Mode clumping: nearest neighbours of AGs are AGs (AA syn 0.98")
    assert "and they crowd around real ones (AA truth 0.2" in said
    assert "Copies" not in said


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 1000])
def test_perfect_sets_raise_no_alarm(n: int) -> None:
    """Other persons of the same populations, 20 times: nothing is poor, and no sentence names a fault."""
    for seed in range(20):
        real, other = persons(100 + seed, n)
        data = hf.evaluate(real, other, metrics=METRICS, controls=["real_half"], seed=seed).data
        found = data.verdicts["synthetic"]
        assert [name for name, verdict in found.items() if verdict.level == "poor"] == [], seed
        assert data.headlines["synthetic"].startswith(("Cannot be told", "No fault", "Close to")), seed


def test_a_privacy_score_below_zero_is_not_asked_for() -> None:
    texts = {"privacy_score": ScoreText("privacy score", "", "lower", Rule(0.01, 0.03, "", "a leak"), twice=False)}
    scores = {
        name: {"privacy_score": Score(value, value - 0.005, value + 0.005, 300, "")}
        for name, value in (("set", -0.004), ("leak", 0.2), ("holdout", -0.33))
    }
    found = judge(["set", "leak"], scores, texts, 300)
    assert [found[name]["privacy_score"].level for name in ("set", "leak")] == ["good", "poor"]

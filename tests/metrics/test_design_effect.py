"""Intervals of adversarial accuracy: dependence among indicators pair by pair, and how often they cover."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

import hapforge as hf
from hapforge.metrics import adversarial_accuracy
from hapforge.metrics._intervals import wilson
from hapforge.metrics.adversarial_accuracy import accuracy_over
from hapforge.metrics.design_effect import LabelDependence
from hapforge.metrics.nearer import nearest_mean_over
from hapforge.metrics.nearest import NearestPair, NearestSets, nearest_among, nearest_between
from hapforge.metrics.privacy import privacy_difference
from hapforge.models import Markov
from reference import design_effect as reference

pack = hf.HaplotypeMatrix.from_dense
NAMES = ("aa_truth", "aa_syn", "aats", "ties_truth", "ties_syn")


def pair_of(real: hf.HaplotypeMatrix, synthetic: hf.HaplotypeMatrix, k: int = 3) -> NearestPair:
    ts, st = nearest_between(real, synthetic, k)
    return NearestPair(nearest_among(real, k), ts, st, nearest_among(synthetic, k))


@pytest.mark.parametrize("num_sites", [4, 9, 200])
def test_variance_is_that_of_all_pairs(rng: np.random.Generator, num_sites: int) -> None:
    """With many identical rows, with ties, and without."""
    x = rng.integers(0, 2, (60, num_sites), dtype=np.uint8)
    distance = (x[:, None] != x[None]).sum(2)
    linked = NearestSets(pack(x[:30]), pack(x[30:]))(None, None).linked
    for _ in range(3):
        effect = rng.normal(size=60)
        expected = reference.variance(distance, 30, effect)
        assert LabelDependence(linked).variance(effect) == pytest.approx(expected, abs=1e-9)
    only = np.where(np.arange(60) < 30, effect, 0)
    assert LabelDependence(linked).variance(only) == pytest.approx(reference.variance(distance, 30, only), abs=1e-9)


@pytest.mark.parametrize("num_sites", [4, 9, 200])
def test_design_effect_by_hand(rng: np.random.Generator, num_sites: int) -> None:
    x = rng.integers(0, 2, (60, num_sites), dtype=np.uint8)
    distance = (x[:, None] != x[None]).sum(2)
    linked = NearestSets(pack(x[:30]), pack(x[30:]))(None, None).linked
    indicator = (linked.truth > 0).astype(float)
    share = indicator.mean()
    effect = np.r_[indicator - share, np.zeros(30)]
    kind = reference.size_of_kind(distance, 30, range(30))
    expected = kind
    if 0 < share < 1:
        found = reference.variance(distance, 30, effect) / (30 * share * (1 - share))
        events = 30 * min(share, 1 - share) / max(found, 1)
        expected = (events * found + kind) / (events + 1)
    assert LabelDependence(linked).design_effect((slice(0, 30), indicator)) == pytest.approx(expected)
    assert LabelDependence(linked).design_effect((slice(0, 30), np.ones(30))) == pytest.approx(kind)


def test_mutual_pairs_are_half_as_many() -> None:
    """Ten truth rows in five close pairs, synthetic rows far away: five independent indicators, all 1."""
    x = np.zeros((10, 400), np.uint8)
    for i in range(10):
        x[i, 20 * (i // 2) : 20 * (i // 2) + 20] = 1
    x[1::2, np.arange(200, 205)] ^= np.eye(5, dtype=np.uint8)
    y = 1 - x
    found = adversarial_accuracy(pack(x), pack(y))
    assert (found.aa_truth, found.aa_syn) == (1, 1)
    assert found.aa_truth_interval == found.aa_syn_interval == pytest.approx(wilson(1.0, 5))


def test_subsets_know_their_neighbours(rng: np.random.Generator) -> None:
    """Places in a subset, from lists of all rows that may be too short for it."""
    x, y = (rng.integers(0, 2, (m, 12), dtype=np.uint8) for m in (70, 90))
    for size in (2, 5, 30):
        rows, columns = (np.sort(rng.permutation(m)[:size]) for m in (70, 90))
        found = pair_of(pack(x), pack(y))(rows, columns)
        alone = NearestSets(pack(x[rows]), pack(y[columns]))(None, None)
        for name in ("truth", "syn", "own", "other", "repeated"):
            assert np.array_equal(getattr(found.linked, name), getattr(alone.linked, name)), name
        assert np.array_equal(found.truth, alone.truth)


def test_intervals_of_subsamples_have_the_mean_effect(rng: np.random.Generator) -> None:
    x, y = (rng.integers(0, 2, (m, 30), dtype=np.uint8) for m in (60, 60))
    pair = pair_of(pack(x), pack(y))
    halves = [(np.arange(30), np.arange(30, 60)), (np.arange(30, 60), np.arange(30))]
    found = accuracy_over(pair, halves)
    effects = [
        LabelDependence(linked).design_effect((slice(0, 30), (linked.truth > 0).astype(float)))
        for linked in (pair(*rows).linked for rows in halves)
    ]
    assert found.aa_truth_interval == pytest.approx(wilson(found.aa_truth, 30 / np.mean(effects)))


def test_large_sets_take_the_effect_of_a_sample(rng: np.random.Generator) -> None:
    """6000 rows a side: neighbours of 2048 of them are looked up, and the intervals are as wide as those of all."""
    x, y = rng.integers(0, 2, (2, 6000, 40), dtype=np.uint8)
    compared = NearestSets(pack(x), pack(y))(None, None)
    assert len(compared.truth) == 6000
    assert len(compared.linked.truth) == 2048
    found = adversarial_accuracy(pack(x), pack(y))
    exact = accuracy_over(pair_of(pack(x), pack(y), 16), [(None, None)])
    for name in NAMES:
        assert getattr(found, name) == getattr(exact, name)
        (low, high), (exact_low, exact_high) = (getattr(f, name + "_interval") for f in (found, exact))
        assert high - low == pytest.approx(exact_high - exact_low, rel=0.15)


def test_mean_distance_and_its_variance(rng: np.random.Generator) -> None:
    x = rng.integers(0, 2, (50, 20), dtype=np.uint8)
    parts = [np.sort(rng.permutation(50)[:30]) for _ in range(4)]
    found = nearest_mean_over(nearest_among(pack(x), 3), parts)
    means, variances = [], []
    for part in parts:
        distance = (x[part][:, None] != x[part][None]).sum(2) + np.where(np.eye(30) > 0, 99, 0)
        least, nearest = distance.min(1), distance.argmin(1)
        means.append(least.mean())
        effect = least - least.mean()
        common = [[bool({i, nearest[i]} & {j, nearest[j]}) for j in range(30)] for i in range(30)]
        variances.append(max(0.0, effect @ np.array(common, float) @ effect) / 900)
    half = 1.959963984540054 * np.sqrt(np.mean(variances))
    assert found.mean == pytest.approx(np.mean(means))
    assert found.interval == pytest.approx((np.mean(means) - half, np.mean(means) + half))
    assert found.n == 30


# coverage -----------------------------------------------------------------------------------------------------------

Draw = Callable[[int, np.random.Generator], hf.HaplotypeMatrix]


def mosaics(_: int) -> Draw:
    """Haplotypes with structure, of no finite cohort: a Markov chain fitted to the embedded cohort."""
    model = Markov(window=10).fit(hf.datasets.load("ooa").select_sites(np.arange(2000, 2600)))
    return lambda n, rng: model.sample(n, seed=int(rng.integers(1 << 60)))


def genealogies(_: int) -> Draw:
    """Rows of the embedded cohort, with replacement: three populations, identical rows, many ties."""
    cohort = hf.datasets.load("ooa").select_sites(np.arange(2000, 2600))
    return lambda n, rng: hf.HaplotypeMatrix(cohort.words[rng.integers(0, cohort.num_haplotypes, n)], cohort.sites)


def clones(n: int) -> Draw:
    """2n different haplotypes, some of them very frequent."""
    rng = np.random.default_rng(5)
    cohort = hf.datasets.load("ooa").select_sites(np.arange(2000, 2600))
    kinds, weight = rng.choice(cohort.num_haplotypes, 2 * n, replace=False), rng.dirichlet(np.full(2 * n, 0.3))
    return lambda n, rng: hf.HaplotypeMatrix(cohort.words[kinds[rng.choice(len(kinds), n, p=weight)]], cohort.sites)


@pytest.mark.slow
@pytest.mark.parametrize("n", [200, 1000])
@pytest.mark.parametrize(("source", "widest"), [(mosaics, 1.25), (genealogies, 1.4), (clones, 1.5)])
def test_intervals_cover(source: Callable[[int], Draw], widest: float, n: int) -> None:
    """95 % intervals over fresh draws of both sets hold the mean of all draws; Wilson's of n rows fall short.

    Where parts of the distribution differ in what they score, as frequent and rare haplotypes do, they are too wide.
    """
    draw, repeats = source(n), 400 if n == 200 else 200
    found: dict[str, list[tuple[float, float, float]]] = {}
    plain = []
    for seed in range(repeats):
        rng = np.random.default_rng([seed, n])
        real, synthetic, holdout = (draw(n, rng) for _ in range(3))
        on_train, on_holdout = adversarial_accuracy(real, synthetic), adversarial_accuracy(holdout, synthetic)
        for name in NAMES:
            found.setdefault(name, []).append((getattr(on_train, name), *getattr(on_train, name + "_interval")))
        mean = nearest_mean_over(nearest_among(synthetic, 1), [np.arange(n)])
        found.setdefault("nearest_distance", []).append((mean.mean, *mean.interval))
        privacy = privacy_difference(on_train, on_holdout)
        found.setdefault("privacy", []).append((privacy.score, *privacy.interval))
        plain.append(wilson(on_train.aa_truth, n))
    report = {}
    for name, each in found.items():
        value, low, high = np.array(each).T
        truth = 0 if name == "privacy" else value.mean()
        report[name] = np.mean((low <= truth) & (truth <= high)), (high - low).mean() / (3.92 * value.std(ddof=1))
    for name, (covered, width) in report.items():
        assert covered >= 0.92, report
        assert width < {"privacy": 1.6, "nearest_distance": 2.0}.get(name, widest), report
    truth = np.mean([value for value, _, _ in found["aa_truth"]])
    assert np.mean([low <= truth <= high for low, high in plain]) < 0.91

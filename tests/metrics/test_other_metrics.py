"""Allele frequencies, pairwise differences and LD decay against scipy and numpy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress, norm, pearsonr, wasserstein_distance

import hapforge as hf
from hapforge.metrics import (
    compare_allele_frequencies,
    compare_grouped_differences,
    compare_pairwise_differences,
)
from hapforge.metrics._intervals import combine, wilson
from hapforge.metrics.allele_frequency import newly_fixed, newly_fixed_interval
from hapforge.metrics.pairwise import num_repeated_rows
from hapforge.stats import grouped_differences, person_groups


@pytest.mark.parametrize("highest", [1.0, 0.2])
def test_frequencies_are_scipys_line(rng: np.random.Generator, highest: float) -> None:
    p = rng.beta(0.5, 1, 400)
    q = np.clip(0.9 * p + 0.02 + rng.normal(0, 0.03, 400), 0, 1)
    found = compare_allele_frequencies(p, q, highest=highest)
    kept = p <= highest
    line = linregress(p[kept], q[kept])
    assert (found.r, found.slope, found.intercept) == pytest.approx((line.rvalue, line.slope, line.intercept))
    assert found.num_sites == kept.sum()
    for value, (low, high) in (
        (found.r, found.r_interval),
        (found.slope, found.slope_interval),
        (found.intercept, found.intercept_interval),
    ):
        assert low < value < high
    # independent sites: the bootstrap's width is near the textbook's
    width = np.subtract(*found.slope_interval[::-1]) / (2 * 1.96)
    assert width == pytest.approx(line.stderr, rel=0.6)
    assert found == compare_allele_frequencies(p, q, highest=highest)


def test_low_frequency_includes_the_limit() -> None:
    p = np.array([0.0, 0.1, 0.2, 0.2000001, 0.9])
    assert compare_allele_frequencies(p, p, highest=0.2).num_sites == 3


def test_undefined_frequencies() -> None:
    flat = compare_allele_frequencies(np.full(50, 0.3), np.linspace(0, 1, 50))
    assert np.isnan([flat.r, flat.slope, flat.intercept, *flat.r_interval]).all()
    silent = compare_allele_frequencies(np.linspace(0, 1, 50), np.full(50, 0.3))
    assert np.isnan(silent.r)
    assert silent.slope == pytest.approx(0)
    few = compare_allele_frequencies(np.array([0.1, 0.5, 0.7]), np.array([0.1, 0.4, 0.8]))
    assert few.r == pytest.approx(pearsonr([0.1, 0.5, 0.7], [0.1, 0.4, 0.8]).statistic)
    assert np.isnan(few.r_interval).all()
    with pytest.raises(ValueError, match=r"at least 2 sites at real frequency <= 0.2, found 1"):
        compare_allele_frequencies(np.array([0.1, 0.5]), np.array([0.1, 0.5]), highest=0.2)
    with pytest.raises(ValueError, match=r"\(2,\) and \(3,\)"):
        compare_allele_frequencies(np.ones(2), np.ones(3))


def test_newly_fixed() -> None:
    assert newly_fixed(np.array([0.0, 0.5, 0.1, 1.0, 0.3]), np.array([0.0, 0.0, 0.2, 0.5, 1.0])).tolist() == [1, 4]


def test_interval_of_sites_that_are_lost_together(rng: np.random.Generator) -> None:
    """Runs of ten sites, each lost with chance 0.2: of 95 % intervals for independent sites about half would hold."""
    covered = plain = 0
    for seed in range(200):
        lost = np.flatnonzero(np.repeat(rng.random(60) < 0.2, 10))
        low, high = newly_fixed_interval(lost, 600, seed=seed)
        covered += low <= 120 <= high
        low, high = (600 * end for end in wilson(len(lost) / 600, 600))
        plain += low <= 120 <= high
    assert 0.91 <= covered / 200 <= 0.99
    assert plain / 200 < 0.6


def test_interval_of_few_lost_sites() -> None:
    none = np.array([], np.int64)
    assert newly_fixed_interval(none, 600) == pytest.approx([600 * end for end in wilson(0.0, 600)])
    alone = newly_fixed_interval(np.array([3, 100, 300, 500]), 600)  # spread more evenly than by chance: no surer
    assert alone == pytest.approx([600 * end for end in wilson(4 / 600, 600)], rel=0.1)
    assert np.isnan(newly_fixed_interval(none, 9)).all()


def test_pairwise(rng: np.random.Generator) -> None:
    x = (rng.random((30, 80)) < 0.3).astype(np.uint8)
    y = (rng.random((20, 80)) < 0.5).astype(np.uint8)
    a, b = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
    histogram = hf.kernels.hamming_histogram
    found = compare_pairwise_differences(histogram(a), histogram(b), histogram(a, b))
    within_x, within_y, between = (
        [int((u != v).sum()) for i, u in enumerate(s) for j, v in enumerate(t) if s is not t or i < j]
        for s, t in ((x, x), (y, y), (x, y))
    )
    assert found.within == pytest.approx(wasserstein_distance(within_x, within_y))
    assert found.between == pytest.approx(wasserstein_distance(within_x, between))


def test_pairwise_intervals(rng: np.random.Generator) -> None:
    def compared(x: np.ndarray, y: np.ndarray):
        a, b = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
        rows, columns = person_groups(a, 0), person_groups(b, 0)
        grouped = [grouped_differences(a, rows), grouped_differences(b, columns)]
        histograms = [hf.kernels.hamming_histogram(a), hf.kernels.hamming_histogram(b)]
        return (
            compare_grouped_differences(*grouped, grouped_differences(a, rows, b, columns)),
            compare_pairwise_differences(*histograms, hf.kernels.hamming_histogram(a, b)),
        )

    frequency = rng.beta(0.5, 0.5, (4, 100))
    values, spreads = [], []
    for _ in range(60):
        x, y = ((rng.random((80, 100)) < frequency[rng.integers(0, 4, 80)]).astype(np.uint8) for _ in range(2))
        found, plain = compared(x, y)
        assert (found.within, found.between) == pytest.approx((plain.within, plain.between))
        values.append((found.within, found.between))
        spreads.append(
            [
                (high - v) / 2.36  # Student's t, 8 groups
                for v, (_, high) in zip(values[-1], (found.within_interval, found.between_interval), strict=True)
            ]
        )
    ratio = np.mean(spreads, axis=0) / np.std(values, axis=0)
    assert (ratio > 0.75).all()
    assert (ratio < 1.5).all()
    few, _ = compared(x[:6], y[:6])  # of 8 groups 5 have no rows
    assert np.isnan([*few.within_interval, *few.between_interval]).all()
    with pytest.raises(ValueError, match="between: expected 3 x 2 groups, found 2 x 3"):
        compare_grouped_differences(np.ones((3, 3, 2), int), np.ones((2, 2, 2), int), np.ones((2, 3, 2), int))


def test_repeated_rows(rng: np.random.Generator) -> None:
    x = rng.integers(0, 2, (12, 100), dtype=np.uint8)
    x[7] = x[2]
    x[9] = x[2]
    assert num_repeated_rows(hf.HaplotypeMatrix.from_dense(x)) == 2


def test_wilson() -> None:
    low, high = wilson(0.3, 50)
    z = norm.ppf(0.975)
    for limit in (low, high):  # where the score test just rejects
        assert abs(0.3 - limit) == pytest.approx(z * np.sqrt(limit * (1 - limit) / 50))
    assert wilson(0.0, 10)[0] == 0
    assert all(wilson(1.0, n)[1] == 1 for n in range(2, 60))


def test_combined_interval_of_symmetric_parts() -> None:
    low, high = combine(0.5, [(0.5, 0.4, (0.3, 0.5)), (0.5, 0.6, (0.5, 0.7))])
    assert (0.5 - low, high - 0.5) == pytest.approx((np.hypot(0.05, 0.05),) * 2)
    low, high = combine(0.2, [(1, 0.6, (0.5, 0.8)), (-1, 0.4, (0.3, 0.5))])
    assert (0.2 - low, high - 0.2) == pytest.approx((np.hypot(0.1, 0.1), np.hypot(0.2, 0.1)))

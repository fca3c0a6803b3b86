"""Counts of motifs against a dictionary of strings and scipy's line."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import linregress

import hapforge as hf
from hapforge.kernels import kmer_counts
from hapforge.metrics import compare_motif_counts
from hapforge.metrics.kmers import motif_density


def cohorts(rng: np.random.Generator, n: int = 90, m: int = 60) -> tuple[np.ndarray, np.ndarray]:
    founders = rng.integers(0, 2, (6, 163), dtype=np.uint8)
    x, y = (founders[rng.integers(0, 6, size)] ^ (rng.random((size, 163)) < 0.05) for size in (n, m))
    return x.astype(np.uint8), y.astype(np.uint8)


def points(x: np.ndarray, y: np.ndarray, k: int) -> tuple[list[int], list[int]]:
    """(real, synthetic) count of each motif of each window that is in either."""
    real, synthetic = [], []
    for start in range(0, x.shape[1] - k + 1, k):
        a, b = (Counter("".join(map(str, row[start : start + k])) for row in v) for v in (x, y))
        for motif in sorted(set(a) | set(b)):
            real.append(a[motif])
            synthetic.append(b[motif])
    return real, synthetic


@pytest.mark.parametrize("k", [4, 8])
def test_line_is_scipys_over_the_motifs_that_occur(rng: np.random.Generator, k: int) -> None:
    x, y = cohorts(rng)
    found = compare_motif_counts(kmer_counts(x, k), kmer_counts(y, k))
    real, synthetic = points(x, y, k)
    line = linregress(real, np.array(synthetic) * 90 / 60)  # counts out of 90 haplotypes on both axes
    assert (found.r, found.slope, found.intercept) == pytest.approx((line.rvalue, line.slope, line.intercept))
    assert (found.num_motifs, found.num_windows) == (len(real), 163 // k)
    for value, (low, high) in (
        (found.r, found.r_interval),
        (found.slope, found.slope_interval),
        (found.intercept, found.intercept_interval),
    ):
        assert low < value < high
    assert found == compare_motif_counts(kmer_counts(x, k), kmer_counts(y, k))


def test_intercept_interval_is_in_haplotypes(rng: np.random.Generator) -> None:
    x, y = (kmer_counts(v, 4) for v in cohorts(rng))
    one, ten = compare_motif_counts(x, y), compare_motif_counts(10 * x, 10 * y)
    assert ten.intercept_interval == pytest.approx(tuple(10 * v for v in one.intercept_interval))
    assert ten.slope_interval == pytest.approx(one.slope_interval)


def test_copies_are_on_the_line(rng: np.random.Generator) -> None:
    x, _ = cohorts(rng)
    counts = kmer_counts(x, 8)
    for twin in (counts, 2 * counts):
        found = compare_motif_counts(counts, twin)
        assert (found.r, found.slope, found.intercept) == pytest.approx((1, 1, 0), abs=1e-9)


def test_density_keeps_every_motif(rng: np.random.Generator) -> None:
    x, y = cohorts(rng)
    real, synthetic = points(x, y, 4)
    grid = motif_density(kmer_counts(x, 4), kmer_counts(y, 4), 10)
    expected = np.zeros((10, 10), int)
    for a, b in zip(real, synthetic, strict=True):
        expected[min(9, b * 10 // 60), min(9, a * 10 // 90)] += 1
    assert (grid == expected).all()
    everyone = np.array([[0, 7]])
    assert motif_density(everyone, everyone, 5)[4, 4] == 1


def test_undefined_and_refused() -> None:
    flat = np.array([[5, 5]] * 30)
    found = compare_motif_counts(flat, flat)
    assert np.isnan([found.r, found.slope, found.intercept, *found.r_interval]).all()
    assert found.num_motifs == 60
    with pytest.raises(ValueError, match=r"one shape, found \(30, 2\) and \(2, 2\)"):
        compare_motif_counts(flat, flat[:2])
    with pytest.raises(ValueError, match="at least one window"):
        motif_density(flat[:0], flat[:0], 5)
    with pytest.raises(ValueError, match="expected haplotypes in both, found 10 and 0"):
        compare_motif_counts(flat, 0 * flat)


def test_windows_stay_on_their_contig() -> None:
    x = np.zeros((4, 10), np.uint8)
    matrix = hf.HaplotypeMatrix.from_dense(x, positions=[1, 2, 3, 4, 5, 6, 1, 2, 3, 4], contig=["1"] * 6 + ["2"] * 4)
    counts = kmer_counts(matrix, 4)
    assert compare_motif_counts(counts, counts).num_windows == 2

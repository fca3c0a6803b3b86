"""Allele frequencies against a column mean; spectra against exact fractions and scipy's hypergeometric law."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import hypergeom

import hapforge as hf
from hapforge.stats import allele_frequencies, class_shares, count_class_edges, site_frequency_spectrum
from reference import site_frequency_spectrum as reference


def test_frequencies(small_cohort: hf.HaplotypeMatrix) -> None:
    assert allele_frequencies(small_cohort).tolist() == small_cohort.to_dense().mean(axis=0).tolist()
    with pytest.raises(ValueError, match="at least one haplotype"):
        allele_frequencies(small_cohort.select_haplotypes([]))


@pytest.mark.parametrize("size", [2, 3, 7, 12, 19, 20])
@pytest.mark.parametrize("folded", [False, True])
def test_spectrum_is_the_exact_one(size: int, folded: bool) -> None:
    counts = np.array([0, 20, 1, 1, 19, 10, 7, 13, 2, 0])
    found = site_frequency_spectrum(counts, 20, size=size, folded=folded)
    expected = reference.site_frequency_spectrum(counts.tolist(), 20, size, folded)
    np.testing.assert_allclose(found, [float(v) for v in expected], rtol=1e-12, atol=1e-14)


def test_spectrum_by_hand() -> None:
    counts = np.array([0, 1, 4, 3, 3, 2])
    assert site_frequency_spectrum(counts, 4).tolist() == [1, 1, 1, 2, 1]
    assert site_frequency_spectrum(counts, 4, folded=True).tolist() == [2, 3, 1]
    assert site_frequency_spectrum(np.array([5, 2, 3]), 5, folded=True).tolist() == [1, 0, 2]
    assert site_frequency_spectrum(np.array([], dtype=np.int64), 4, size=2).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("n", "size"), [(5008, 5000), (5008, 2504), (100_000, 1000)])
def test_projection_of_many_haplotypes_is_scipys(n: int, size: int) -> None:
    """Logarithms of factorials of 100,000 are near 10^6: 1e-10 of a probability is lost in differences."""
    for count in (0, 1, 37, n // 3, n - 2, n):
        found = site_frequency_spectrum(np.array([count]), n, size=size)
        assert np.abs(found - hypergeom(n, count, size).pmf(np.arange(size + 1))).max() < 1e-9
        assert found.sum() == pytest.approx(1, abs=1e-12)
        assert found @ np.arange(size + 1) == pytest.approx(size * count / n, rel=1e-9)


def test_many_counts_at_once(rng: np.random.Generator) -> None:
    """More counts than are projected at a time."""
    counts = rng.integers(0, 20_001, 6000)
    spectrum = site_frequency_spectrum(counts, 20_000, size=9000)
    assert spectrum.sum() == pytest.approx(6000)
    assert spectrum @ np.arange(9001) == pytest.approx(counts.sum() * 9000 / 20_000)


@pytest.mark.parametrize("size", [2, 3, 4, 7, 8, 20])
def test_classes_of_counts(size: int) -> None:
    edges = count_class_edges(size)
    assert edges[-1] == size // 2 + 1
    for minor in range(size // 2 + 1):
        assert np.searchsorted(edges, minor, side="right") - 1 == reference.class_of(minor)
    counts = np.array([3, 0, 20, 17, 10, 3, 1])
    found = class_shares(counts, 20, size)
    for share, count in zip(found, counts.tolist(), strict=True):
        np.testing.assert_allclose(share, [float(v) for v in reference.classes([count], 20, size)], atol=1e-14)


def test_spectrum_refuses() -> None:
    for size in (1, 21):
        with pytest.raises(ValueError, match=f"size: expected 2 to 20 haplotypes, found {size}"):
            site_frequency_spectrum(np.array([3]), 20, size=size)
    with pytest.raises(ValueError, match="counts: expected 0 to 20, found 3 to 21"):
        class_shares(np.array([3, 21]), 20, 10)

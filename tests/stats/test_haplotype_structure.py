"""Rows for the picture of haplotypes."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.stats.haplotype_structure import consensus_haplotype, sorted_haplotypes, structure_sites


def test_sites() -> None:
    frequencies = np.array([0.0, 0.05, 0.051, 0.5, 0.949, 0.95, 1.0, 0.3])
    assert structure_sites(frequencies, 10).tolist() == [2, 3, 4, 7]
    assert structure_sites(frequencies, 2).tolist() == [3, 4]
    assert structure_sites(np.full(1000, 0.2), 5).tolist() == [497, 498, 499, 500, 501]
    with pytest.raises(ValueError, match=r"above 0\.05, found none"):
        structure_sites(np.array([0.01, 1.0]), 5)
    with pytest.raises(ValueError, match="most: expected 1 or more"):
        structure_sites(frequencies, 0)


def test_rows_are_sorted_by_distance(rng: np.random.Generator) -> None:
    x = rng.integers(0, 2, (40, 70), dtype=np.uint8)
    x[5] = x[11]
    matrix, sites = hf.HaplotypeMatrix.from_dense(x), np.array([0, 3, 64, 69])
    consensus = consensus_haplotype(x.mean(axis=0)[sites])
    assert consensus.tolist() == (2 * x[:, sites].sum(axis=0) > 40).astype(int).tolist()
    found = sorted_haplotypes(matrix, sites, consensus, 100)
    expected = sorted((int((row != consensus).sum()), *row.tolist()) for row in x[:, sites])
    assert found.tolist() == [list(row[1:]) for row in expected]
    few = sorted_haplotypes(matrix, sites, consensus, 7, seed=2)
    assert few.shape == (7, 4)
    assert {tuple(row) for row in few.tolist()} <= {tuple(row) for row in x[:, sites].tolist()}
    np.testing.assert_array_equal(few, sorted_haplotypes(matrix, sites, consensus, 7, seed=2))
    with pytest.raises(ValueError, match="consensus: expected 4 alleles"):
        sorted_haplotypes(matrix, sites, consensus[:2], 7)
    with pytest.raises(ValueError, match="rows: expected 1 or more"):
        sorted_haplotypes(matrix, sites, consensus, 0)

"""Allele frequencies against a column mean."""

from __future__ import annotations

import pytest

import hapforge as hf
from hapforge.stats import allele_frequencies


def test_frequencies(small_cohort: hf.HaplotypeMatrix) -> None:
    assert allele_frequencies(small_cohort).tolist() == small_cohort.to_dense().mean(axis=0).tolist()
    with pytest.raises(ValueError, match="at least one haplotype"):
        allele_frequencies(small_cohort.select_haplotypes([]))

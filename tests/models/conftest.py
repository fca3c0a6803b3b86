"""Cohorts small enough to enumerate."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf


@pytest.fixture(scope="session")
def cohort() -> hf.HaplotypeMatrix:
    """400 rows x 120 sites of the embedded cohort."""
    whole = hf.datasets.load("ooa")
    return whole.select_haplotypes(np.arange(0, 5008, 12)[:400]).select_sites(np.arange(0, 600, 5))

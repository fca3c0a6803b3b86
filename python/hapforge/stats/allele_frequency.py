"""Allele frequencies of one cohort."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.haplotypes import HaplotypeMatrix


def allele_frequencies(matrix: HaplotypeMatrix) -> NDArray[np.float64]:
    """ALT frequency of every site: p_j = (1 / n) sum_i x_ij.

    Parameters
    ----------
    matrix : HaplotypeMatrix of n >= 1 rows

    Returns
    -------
    float64 (num_sites,), between 0 and 1

    Raises
    ------
    ValueError
        No haplotypes.
    """
    if matrix.num_haplotypes == 0:
        raise ValueError("matrix: expected at least one haplotype, found none")
    return kernels.allele_counts(matrix) / matrix.num_haplotypes

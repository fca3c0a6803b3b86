"""Distributions of pairwise differences: within the real, within the synthetic cohort, and between them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.stats.distances import wasserstein_1d


@dataclass(frozen=True)
class PairwiseComparison:
    """Wasserstein-1 distances in sites: real-real against synthetic-synthetic, and against real-synthetic pairs."""

    within: float
    between: float


def compare_pairwise_differences(
    within_real: NDArray[np.int64], within_synthetic: NDArray[np.int64], between: NDArray[np.int64]
) -> PairwiseComparison:
    """Wasserstein-1 distances between distributions of pairwise differences.

    W = sum_d |F(d) - G(d)| over cumulative shares of pairs; unordered pairs of different rows within a cohort, all
    pairs between two. No matrix of pairs is needed: the histograms are `kernels.hamming_histogram`.

    Parameters
    ----------
    within_real, within_synthetic, between : int64 (num_sites + 1,)

    Raises
    ------
    ValueError
        Different lengths, or a histogram without pairs.

    References
    ----------
    Yelmen et al. 2021, results and supplementary figure 4 (which do not state what a pair with itself counts).
    """
    return PairwiseComparison(wasserstein_1d(within_real, within_synthetic), wasserstein_1d(within_real, between))


def num_repeated_rows(matrix: HaplotypeMatrix) -> int:
    """Number of haplotypes that are identical to an earlier one of the same cohort."""
    return matrix.num_haplotypes - len(np.unique(matrix.words, axis=0)) if matrix.num_sites else 0

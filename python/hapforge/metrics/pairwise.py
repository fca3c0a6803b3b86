"""Distributions of pairwise differences: within the real, within the synthetic cohort, and between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics._intervals import Interval, halves_interval
from hapforge.stats.distances import wasserstein_1d

NUM_HALVES = 100


@dataclass(frozen=True)
class PairwiseComparison:
    """Wasserstein-1 distances in sites: real-real against synthetic-synthetic, and against real-synthetic pairs.

    Attributes
    ----------
    within, between : float
    within_interval, between_interval : 95 % intervals, NaN where they were not asked for or groups lack pairs
    """

    within: float
    between: float
    within_interval: Interval = (math.nan, math.nan)
    between_interval: Interval = (math.nan, math.nan)


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


def compare_grouped_differences(
    within_real: NDArray[np.int64], within_synthetic: NDArray[np.int64], between: NDArray[np.int64], seed: int = 0
) -> PairwiseComparison:
    """`compare_pairwise_differences` with intervals, from `stats.grouped_differences`, which cost no more pairs.

    The intervals are from the spread over 100 seeded halves of the groups of persons of each cohort, drawn without
    replacement (a delete-half jackknife), with Student's t of one degree of freedom less than groups: a bootstrap would
    fill the distributions with pairs of a row and itself.

    Parameters
    ----------
    within_real, within_synthetic : int64 (groups, groups, number of differences + 1), 2 groups or more
    between : the same, groups of real by groups of synthetic rows
    seed : int >= 0

    Raises
    ------
    ValueError
        A histogram without pairs, or lengths of groups that don't fit.
    """
    length = max(grouped.shape[2] for grouped in (within_real, within_synthetic, between))
    tt, ss, ts = (
        np.pad(grouped, ((0, 0), (0, 0), (0, length - grouped.shape[2])))
        for grouped in (within_real, within_synthetic, between)
    )
    if ts.shape[:2] != (len(tt), len(ss)):
        raise ValueError(f"between: expected {len(tt)} x {len(ss)} groups, found {ts.shape[0]} x {ts.shape[1]}")
    value = compare_pairwise_differences(*(grouped.sum(axis=(0, 1)) for grouped in (tt, ss, ts)))
    chosen = [
        np.array([_half(groups, seed, 2 * h + one) for h in range(NUM_HALVES)])
        for one, groups in enumerate((len(tt), len(ss)))
    ]
    shares = []
    for grouped, rows, columns in ((tt, 0, 0), (ss, 1, 1), (ts, 0, 1)):
        half = np.einsum("hi,hj,ijd->hd", chosen[rows], chosen[columns], grouped, optimize=True).cumsum(axis=1)
        if half[:, -1].min() == 0:
            return value
        shares.append(half / half[:, -1:])
    low, high = halves_interval(
        np.array([value.within, value.between]),
        np.abs(shares[0][:, None] - np.stack(shares[1:], axis=1)).sum(axis=2),
        (0.0, float(length)),
        min(len(tt), len(ss)) - 1,
    )
    return PairwiseComparison(
        value.within, value.between, (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))
    )


def _half(groups: int, seed: int, draw: int) -> NDArray[np.float64]:
    """1 for each of the groups that are drawn, half of them, 0 for the others."""
    chosen = np.zeros(groups)
    chosen[seeded_order(groups, seed, Stream.PAIRWISE_HALVES + draw)[: groups // 2]] = 1
    return chosen


def num_repeated_rows(matrix: HaplotypeMatrix) -> int:
    """Number of haplotypes that are identical to an earlier one of the same cohort."""
    return matrix.num_haplotypes - len(np.unique(matrix.words, axis=0)) if matrix.num_sites else 0

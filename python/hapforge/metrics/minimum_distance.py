"""Distances to the closest neighbour, within and between two cohorts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, halves_interval
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import equal_subsamples
from hapforge.metrics.nearest import LIST_LENGTH, NearestPair, Subsample, halves_of, nearest_among, nearest_between
from hapforge.stats.distances import wasserstein_1d


@dataclass(frozen=True)
class MinimumDistances:
    """Result of `minimum_distances`.

    Attributes
    ----------
    within : float, Wasserstein-1 distance in sites of d_SS from d_TT
    between : float, the same of d_ST from d_TT
    within_interval, between_interval : 95 % intervals, from the spread over 10 seeded halves of the
        rows; NaN below 4 rows
    tt, ts, st, ss : int64 (num_sites + 1,), how many rows of all subsamples have their closest neighbour at each
        distance; first letter the row (T truth, S synthetic), second letter where the neighbour is
    n : int, rows of each set
    """

    within: float
    between: float
    within_interval: Interval
    between_interval: Interval
    tt: NDArray[np.int64]
    ts: NDArray[np.int64]
    st: NDArray[np.int64]
    ss: NDArray[np.int64]
    n: int


def minimum_distances(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, repeats: int = 10, seed: int = 0
) -> MinimumDistances:
    """Distributions of the Hamming distance to the closest neighbour, within and between two sets at equal n.

    W = sum_d |F(d) - G(d)| over cumulative shares of rows: d_SS against d_TT (is the set as spread out locally as the
    real one?), and d_ST against d_TT (is it as near to real haplotypes as they are to one another?).

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 2 rows each
    repeats : int >= 1. Unequal sizes: the larger set is subsampled without replacement to the smaller n this many
        times, and W is the mean over them. Equal sizes: one exact computation.
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows, repeats below 1.

    References
    ----------
    Yelmen et al. 2021, results and supplementary figure 4, d_TT to d_SS as in their equation of AATS.
    """
    check_same_sites(real=real, synthetic=synthetic)
    subsamples = equal_subsamples((real.num_haplotypes, synthetic.num_haplotypes), repeats, seed)
    ts, st = nearest_between(real, synthetic, LIST_LENGTH)
    pair = NearestPair(nearest_among(real, LIST_LENGTH), ts, st, nearest_among(synthetic, LIST_LENGTH))
    sizes = real.num_haplotypes, synthetic.num_haplotypes
    return minimum_distances_over(pair, subsamples, sizes, real.num_sites, seed)


def minimum_distances_over(
    pair: NearestPair, subsamples: Sequence[Subsample], sizes: tuple[int, int], num_sites: int, seed: int
) -> MinimumDistances:
    """Mean minimum distances over subsamples of one size, of cohorts of these sizes."""
    total, each, halves = np.zeros((4, num_sites + 1), np.int64), [], []
    for r, (truth, syn) in enumerate(subsamples):
        truth = np.arange(sizes[0]) if truth is None else truth
        syn = np.arange(sizes[1]) if syn is None else syn
        found = _histograms(pair, truth, syn, num_sites)
        total += found
        each.append(_distances(found))
        n = len(truth)
        if r == 0 and n >= 4:
            for a, b in halves_of(n, seed):
                halves.append(_distances(_histograms(pair, truth[a], syn[b], num_sites)))
    value = np.mean(each, axis=0)
    low, high = halves_interval(value, halves, (0.0, float(num_sites)))
    return MinimumDistances(
        float(value[0]),
        float(value[1]),
        (float(low[0]), float(high[0])),
        (float(low[1]), float(high[1])),
        total[0],
        total[1],
        total[2],
        total[3],
        n,
    )


def _histograms(
    pair: NearestPair, truth: NDArray[np.int64], syn: NDArray[np.int64], num_sites: int
) -> NDArray[np.int64]:
    """Rows at every distance, int64 (4, num_sites + 1): tt, ts, st, ss."""
    found = pair.tt(truth, truth), pair.ts(truth, syn), pair.st(syn, truth), pair.ss(syn, syn)
    return np.stack([np.bincount(distance, minlength=num_sites + 1) for distance in found])


def _distances(histograms: NDArray[np.int64]) -> tuple[float, float]:
    tt, _, st, ss = histograms
    return wasserstein_1d(tt, ss), wasserstein_1d(tt, st)

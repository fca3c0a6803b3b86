"""Nearest-neighbour test: which set do the k nearest neighbours of a haplotype belong to?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge._backend import map_threads
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, share_interval
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import equal_subsamples
from hapforge.metrics.nearest import Subsample
from hapforge.metrics.pool import SIDE_BY_SIDE, SYN, TRUTH, Pool, PoolSample

K = 10
_FIRST_WIDTH = 16


@dataclass(frozen=True)
class NearestNeighbourTest:
    """Result of `nearest_neighbour_test`.

    Attributes
    ----------
    real, syn : float in [0, 1], S with D1 = real and with D1 = synthetic; (n - 1) / (2n - 1) is ideal
    real_interval, syn_interval : 95 % intervals (low, high), Wilson's at the number of rows that S is worth
    n : int, rows of each set
    k : int
    """

    real: float
    syn: float
    real_interval: Interval
    syn_interval: Interval
    n: int
    k: int


def nearest_neighbour_test(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, k: int = K, repeats: int = 10, seed: int = 0
) -> NearestNeighbourTest:
    """Share of the k nearest neighbours of a haplotype, in the pool of both sets without itself, that are of its set.

    S(D1, D2) = (1 / |D1|) sum_{x in D1} (1 / k) |{neighbours of x in D1}|, by Hamming distance. Where several rows are
    at the distance of the k-th neighbour, each is one of the k with the same chance, and S is the expectation: of
    D1 = {000, 001}, D2 = {011, 101} and k = 2, the neighbours of 000 are 001 and one of the two others. Neither the
    order of rows nor copies favour a set.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 2 rows each
    k : int, 1 to 2n - 1
    repeats : int >= 1. Unequal sizes: the larger set is subsampled without replacement to the smaller n this many
        times, and S is the mean over them. Equal sizes: one exact computation.
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows, k out of range, repeats below 1.

    References
    ----------
    Kenneweg et al., creating synthetic genomes using diffusion models, equation 11. Schilling 1986, multivariate
    two-sample tests based on nearest neighbors.
    """
    check_same_sites(real=real, synthetic=synthetic)
    subsamples = equal_subsamples((real.num_haplotypes, synthetic.num_haplotypes), repeats, seed)
    pool = Pool(real, synthetic)
    return neighbour_test_over(pool, subsamples, k)


def neighbour_test_over(pool: Pool, subsamples: Sequence[Subsample], k: int) -> NearestNeighbourTest:
    """Mean nearest-neighbour test over subsamples of one size."""
    found = map_threads(lambda rows: _scores(pool.at(*rows), k), subsamples, SIDE_BY_SIDE)
    truth_rows, _ = subsamples[0]
    n = len(pool.truth_types) if truth_rows is None else len(truth_rows)
    (real, real_variance), (syn, syn_variance) = np.mean(found, axis=0).tolist()
    return NearestNeighbourTest(
        real, syn, share_interval(real, real_variance, n), share_interval(syn, syn_variance, n), n, k
    )


def _scores(sample: PoolSample, k: int) -> list[tuple[float, float]]:
    """S of truth and of synthetic rows, each with its variance.

    The variance is the infinitesimal jackknife's, of rows drawn into either set. A row adds to S as a query, by its
    share s less the mean, and as a neighbour: without it, a query of D1 would have another one, which is of D1 with
    the chance s of that query. Rows that are neighbours of many ("hubs") make S less sure than n queries would.
    """
    shares = own_shares(sample, k)
    scores = []
    for label in (TRUTH, SYN):
        own, other = sample.counts[sample.types, label], sample.counts[sample.types, 1 - label]
        share = shares.own[:, label]
        value = float(own @ share) / sample.n
        gained, lost = (shares.arriving(own * weight) for weight in (1 - share, share))
        # a row is no neighbour of itself
        as_own = share - value + gained - shares.to_own_type * (1 - share)
        as_other = -lost
        variance = sum(
            float(rows @ np.square(effect - rows @ effect / sample.n))
            for rows, effect in ((own, as_own), (other, as_other))
        )
        scores.append((value, variance / sample.n**2))
    return scores


@dataclass(frozen=True)
class Shares:
    """The k nearest neighbours of rows of each type that occurs.

    Attributes
    ----------
    own : float64 (types, 2), expected share that is of a row's own set; column 0 is that of a truth row of the type,
        column 1 of a synthetic one, without meaning where there is none
    to_own_type : float64 (types,), chance of every other row of the same type to be one of the neighbours, over k
    edges : what they are to rows of other types: places of the query's and the neighbour's type, the chance over k
    """

    own: NDArray[np.float64]
    to_own_type: NDArray[np.float64]
    edges: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]

    def arriving(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Sum over queries of their type's weight times the chance of a row of each type to be their neighbour."""
        total = weight * self.to_own_type
        for query, neighbour, chance in self.edges:
            total += np.bincount(neighbour, weight[query] * chance, minlength=len(total))
        return total


def own_shares(sample: PoolSample, k: int) -> Shares:
    """Who the k nearest neighbours of every row are, by types; at the k-th distance all rows have the same chance."""
    if not 1 <= k <= 2 * sample.n - 1:
        raise ValueError(f"k: expected 1 to {2 * sample.n - 1}, the number of other rows, found {k}")
    num_types = len(sample.types)
    own, to_own_type, edges = np.empty((num_types, 2)), np.empty(num_types), []
    todo = np.arange(num_types)
    for width in sample.widths(_FIRST_WIDTH):
        index, distance, horizon = sample.around(sample.types[todo], width)
        rows = sample.counts[index]
        total = rows.sum(axis=2)
        total[:, 0] -= 1  # the row itself
        enough = total.cumsum(axis=1) >= k
        last = distance[np.arange(len(todo)), enough.argmax(axis=1)]
        known = enough.any(axis=1) & (last < horizon)
        index, distance, rows, total, last = index[known], distance[known], rows[known], total[known], last[known]
        below, tied = distance < last[:, None], distance == last[:, None]
        wanted, among = k - (total * below).sum(axis=1), (total * tied).sum(axis=1)
        chance = below + tied * (wanted / among)[:, None]
        done, todo = todo[known], todo[~known]
        for label in (TRUTH, SYN):
            own[done, label] = ((rows[:, :, label] * chance).sum(axis=1) - chance[:, 0]) / k
        to_own_type[done] = chance[:, 0] / k
        i, j = np.nonzero(chance[:, 1:] * total[:, 1:])
        edges.append((done[i], sample.place(index[i, j + 1]), chance[i, j + 1] / k))
        if not len(todo):
            break
    return Shares(own.clip(0, 1), to_own_type, edges)

"""Nearest-neighbour distances at many subsamples from one search."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics._sites import check_same_sites

LIST_LENGTH = 16
NUM_HALVES = 10  # subsamples behind an interval
_MAX_LINKED = 2048  # rows of each set whose neighbours are looked up for an interval

Rows = NDArray[np.int64] | None  # None: all
Subsample = tuple[Rows, Rows]  # truth rows, synthetic rows
Search = Callable[[Rows, Rows], NDArray[Any]]  # (query rows, target rows) -> distances to the nearest target
Nearest = tuple[NDArray[Any], NDArray[np.int64]]  # of every query: distance, target
Compare = Callable[[Rows, Rows], "Comparison"]  # (truth rows, synthetic rows), equally many


class ListedDistances(ABC):
    """Distance of each query to its nearest target, exactly, for any subset of queries and targets.

    The k nearest targets of each query are listed once. In a subset of the targets a query's nearest is the first of
    its list that is in the subset; only queries whose whole list is outside are searched again.

    Parameters
    ----------
    index, distance : (num_queries, k), the k nearest targets of each query by rising distance; k = 1 is enough where
        all targets are always taken
    num_targets : int
    """

    def __init__(self, index: NDArray[np.int64], distance: NDArray[Any], num_targets: int) -> None:
        self._index, self._distance, self._num_targets = index, distance, num_targets

    def __call__(self, query_rows: Rows = None, target_rows: Rows = None) -> NDArray[Any]:
        """Distances (len(query_rows),) of these queries to their nearest among these targets; None means all."""
        return self.nearest(query_rows, target_rows)[0]

    def nearest(self, query_rows: Rows = None, target_rows: Rows = None) -> Nearest:
        """The same distances, and the target at each, the first listed of those equally near."""
        if query_rows is None:
            query_rows = np.arange(len(self._index))
        if target_rows is None:
            return self._distance[query_rows, 0], self._index[query_rows, 0]
        member = np.zeros(self._num_targets, bool)
        member[target_rows] = True
        listed = self._index[query_rows]
        usable = member[listed]
        every, first = np.arange(len(query_rows)), usable.argmax(axis=1)
        distance, index = self._distance[query_rows, first], listed[every, first]
        lost = ~usable.any(axis=1)
        if lost.any():
            distance[lost], index[lost] = self._search(query_rows[lost], np.flatnonzero(member))
        return distance, index

    @abstractmethod
    def _search(self, query_rows: NDArray[np.int64], target_rows: NDArray[np.int64]) -> Nearest:
        """Distances of these queries to their nearest among these targets, and which these are."""


class NearestDistances(ListedDistances):
    """`ListedDistances` by Hamming distance.

    Parameters
    ----------
    queries : HaplotypeMatrix
    targets : HaplotypeMatrix; None means the queries themselves, each without itself
    found : Neighbours, the k nearest targets of each query (`nearest_among`, `nearest_between`)
    """

    def __init__(self, queries: HaplotypeMatrix, targets: HaplotypeMatrix | None, found: kernels.Neighbours) -> None:
        self._num_sites = queries.num_sites
        self._queries = queries.words
        self._targets = self._queries if targets is None else targets.words
        self._among_themselves = targets is None
        super().__init__(found.index, found.distance, len(self._targets))

    @property
    def listed(self) -> kernels.Neighbours:
        """The k nearest of all targets to every query."""
        return kernels.Neighbours(self._index, self._distance)

    def _search(self, query_rows: NDArray[np.int64], target_rows: NDArray[np.int64]) -> Nearest:
        # Two neighbours, so that a query that is itself among the targets can be passed over. If it is not in the
        # list though it is a target, both entries are at distance 0, as it is itself: the first is right.
        k = min(2, len(target_rows))
        found = kernels.nearest_neighbours(
            (np.ascontiguousarray(self._queries[query_rows]), self._num_sites),
            (np.ascontiguousarray(self._targets[target_rows]), self._num_sites),
            k=k,
        )
        column = np.zeros(len(query_rows), np.int64)
        if self._among_themselves:
            itself = target_rows[found.index[:, 0]] == query_rows
            if k == 1 and itself.any():
                raise ValueError("target_rows: expected at least one other haplotype for every query, found none")
            column[itself] = 1
        every = np.arange(len(query_rows))
        return found.distance[every, column], target_rows[found.index[every, column]]


class Linked(NamedTuple):
    """Who is whose nearest neighbour in two sets of m rows, or in a sample of m rows of each that is taken alone.

    Attributes
    ----------
    truth, syn : int8 (m,), as in `Comparison`
    own, other : int64 (2m,), of each row, truth first, the nearest other row of its own set and of the other set, as
        places among all of them; the first of those equally near
    repeated : bool (2m,), whether another row is identical
    """

    truth: NDArray[np.int8]
    syn: NDArray[np.int8]
    own: NDArray[np.int64]
    other: NDArray[np.int64]
    repeated: NDArray[np.bool_]


class Comparison(NamedTuple):
    """Where the rows of two equally large sets, truth (T) and synthetic (S), have their nearest other rows.

    Attributes
    ----------
    truth, syn : int8 (n,), of each truth or synthetic row: 1 where its own set has the nearest other row, -1 where the
        other set has, 0 where both are equally far
    identical : bool (n,), synthetic rows that are identical to a truth row
    linked : Linked, of these rows or a sample of them; None where the search says distances only
    """

    truth: NDArray[np.int8]
    syn: NDArray[np.int8]
    identical: NDArray[np.bool_]
    linked: Linked | None


def nearest_among(rows: HaplotypeMatrix, k: int) -> NearestDistances:
    """Distances of rows to their nearest others, from lists of `k` or as many as there are."""
    others = rows.num_haplotypes - 1
    if others < 1:
        raise ValueError(f"rows: expected at least one other haplotype, found {others}")
    return NearestDistances(rows, None, kernels.nearest_neighbours(rows, k=min(k, others)))


def nearest_between(a: HaplotypeMatrix, b: HaplotypeMatrix, k: int) -> tuple[NearestDistances, NearestDistances]:
    """Distances of the rows of `a` to their nearest of `b`, and the other way, from lists of `k` at most."""
    fewest = min(a.num_haplotypes, b.num_haplotypes)
    if fewest < 1:
        raise ValueError(f"a, b: expected at least one haplotype each, found {fewest}")
    ab, ba = kernels.mutual_nearest_neighbours(a, b, k=min(k, fewest))
    return NearestDistances(a, b, ab), NearestDistances(b, a, ba)


def distances_to_train(
    train: HaplotypeMatrix, synthetic: HaplotypeMatrix, holdout: HaplotypeMatrix | None
) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Minimum distances to the training rows, of synthetic rows and of the reference: held-out rows to them, or, where
    there is no holdout, every training row to the others."""
    given = {"train": train, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    check_same_sites(**given)
    to_train = nearest_between(train, synthetic, 1)[1]()
    return to_train, nearest_among(train, 1)() if holdout is None else nearest_between(train, holdout, 1)[1]()


@dataclass(frozen=True)
class NearestPair:
    """The four searches behind an adversarial accuracy: truth (T) and synthetic (S) rows, first letter the query."""

    tt: Search
    ts: Search
    st: Search
    ss: Search

    def __call__(self, truth_rows: Rows = None, syn_rows: Rows = None) -> Comparison:
        asked: list[tuple[Search, Rows, Rows]] = [(self.tt, truth_rows, truth_rows), (self.ts, truth_rows, syn_rows)]
        asked += [(self.st, syn_rows, truth_rows), (self.ss, syn_rows, syn_rows)]
        distances: list[NDArray[Any]] = []
        places = []
        for search, queries, targets in asked:
            if isinstance(search, ListedDistances):
                distance, index = search.nearest(queries, targets)
                places.append(_place(index, targets))
            else:
                distance = search(queries, targets)
            distances.append(distance)
        tt, ts, st, ss = distances
        linked = _linked(distances, places) if len(places) == len(asked) else None
        return Comparison(_closer(tt, ts), _closer(ss, st), st == 0, linked)


class NearestSets:
    """The same comparison of two cohorts by `kernels.nearest_set`, which is faster and finds no neighbours.

    Who is whose neighbour is looked up in a sample of at most 2048 rows of each set.

    Parameters
    ----------
    truth, synthetic : HaplotypeMatrix with the same sites
    """

    def __init__(self, truth: HaplotypeMatrix, synthetic: HaplotypeMatrix) -> None:
        self._num_sites = truth.num_sites
        self._truth, self._synthetic = truth.words, synthetic.words

    def __call__(self, truth_rows: Rows = None, syn_rows: Rows = None) -> Comparison:
        truth = self._truth if truth_rows is None else self._truth[truth_rows]
        syn = self._synthetic if syn_rows is None else self._synthetic[syn_rows]
        found = kernels.nearest_set((truth, self._num_sites), (syn, self._num_sites))
        own_less_other = np.array([0, 1, -1, 0], np.int8)  # by the sets that have the nearest row: 1 = a, 2 = b
        return Comparison(
            own_less_other[found.a_sets],
            -own_less_other[found.b_sets],
            (found.b_distance == 0) & (found.b_sets & 1 > 0),
            self._sample(truth, syn),
        )

    def _sample(self, truth: NDArray[np.uint64], syn: NDArray[np.uint64]) -> Linked:
        parts = [
            words[np.sort(seeded_order(len(words), 0, Stream.LINKED_ROWS + which)[:_MAX_LINKED])]
            for which, words in enumerate((truth, syn))
        ]
        found = kernels.joint_nearest_neighbours(*((words, self._num_sites) for words in parts))
        four = found.aa, found.ab, found.ba, found.bb
        return _linked([part.distance[:, 0] for part in four], [part.index[:, 0] for part in four])


def list_length(n: int, num_targets: int) -> int:
    """Length at which one in a thousand queries loses its whole list in a random n of the targets; 16 at most."""
    if n >= num_targets:
        return 1
    return min(LIST_LENGTH, math.ceil(math.log(1e-3) / math.log1p(-n / num_targets)))


def _closer(own: NDArray[Any], other: NDArray[Any]) -> NDArray[np.int8]:
    return (own < other).astype(np.int8) - (own > other)


def _place(rows: NDArray[np.int64], among: Rows) -> NDArray[np.int64]:
    """Where each of these rows stands in a subset, in the order of the subset."""
    if among is None:
        return rows
    place = np.empty(int(among.max()) + 1, np.int64)
    place[among] = np.arange(len(among))
    return place[rows]


def _linked(distances: Sequence[NDArray[Any]], places: Sequence[NDArray[np.int64]]) -> Linked:
    """From the nearest rows of m truth and m synthetic ones: TT, TS, ST, SS."""
    (tt, ts, st, ss), (in_tt, in_ts, in_st, in_ss) = distances, places
    m = len(tt)
    return Linked(
        truth=_closer(tt, ts),
        syn=_closer(ss, st),
        own=np.concatenate([in_tt, in_ss + m]),
        other=np.concatenate([in_ts + m, in_st]),
        repeated=np.concatenate([np.minimum(tt, ts), np.minimum(ss, st)]) == 0,
    )


def rows_at(num_rows: int, n: int, seed: int, stream: int) -> Rows:
    """A seeded subsample of n of 0..num_rows-1 without replacement, ascending; None where all are taken."""
    return None if n == num_rows else np.sort(seeded_order(num_rows, seed, stream)[:n])


def halves_of(n: int, seed: int) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """10 seeded halves, rounded down and ascending, of the n rows of two sets, each drawn without replacement."""
    for h in range(NUM_HALVES):
        first, second = (
            np.sort(seeded_order(n, seed, Stream.NEAREST_HALVES + 2 * h + one)[: n // 2]) for one in (0, 1)
        )
        yield first, second

"""Who surrounds whom among the haplotypes of two cohorts together, at any subsample, from one search."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics.nearest import Rows

LIST_LENGTH = 32  # at half of the rows 16 of them are left: enough for 10 neighbours and their ties
SIDE_BY_SIDE = 4  # samples at a time, whatever the number of threads: each has lists of its own
TRUTH, SYN = 0, 1  # labels of rows, and columns of counts

_FAR = np.int32((1 << 31) - 1)  # beyond every distance
_FIRST_SEARCH, _GROWTH = 64, 4  # lengths of lists that are searched again


class Surroundings(NamedTuple):
    """The nearest types around some types, at ascending distance, each of them first in its own row.

    Attributes
    ----------
    types : int32 (n, width); those that fill a row up have no rows
    distance : int32 (n, width), sites that differ
    horizon : int32 (n,): all types at less than this distance are listed, of those at it perhaps not all
    """

    types: NDArray[np.int32]
    distance: NDArray[np.int32]
    horizon: NDArray[np.int32]


class Pool:
    """The different haplotypes ("types") of two cohorts, and the nearest other types of each.

    Identical rows are one type and are counted, so that no list is filled up by copies and ties among them are exact.

    Parameters
    ----------
    truth, synthetic : HaplotypeMatrix with the same sites; one and the same matrix where both are parts of it

    Raises
    ------
    ValueError
        No sites, or no rows.
    """

    def __init__(self, truth: HaplotypeMatrix, synthetic: HaplotypeMatrix) -> None:
        self._parts = [truth.words] if synthetic is truth else [truth.words, synthetic.words]
        self._num_sites = truth.num_sites
        words = np.concatenate(self._parts)
        if not words.size:
            raise ValueError(f"truth, synthetic: expected rows and sites, found {truth.shape} and {synthetic.shape}")
        # rows compared as bytes: any order will do
        rows = words.view(np.dtype((np.void, 8 * words.shape[1]))).ravel()
        _, self._first_row, of_row = np.unique(rows, return_index=True, return_inverse=True)
        self.truth_types = of_row[: truth.num_haplotypes]
        self.syn_types = of_row[len(of_row) - synthetic.num_haplotypes :]
        self.num_types = len(self._first_row)
        others = self.num_types - 1
        k = min(LIST_LENGTH, others)
        self.index, self.distance = (np.empty((self.num_types, 0), np.int32) for _ in range(2))
        if k:
            found = kernels.nearest_neighbours((words[self._first_row], self._num_sites), k=k)
            self.index, self.distance = found.index.astype(np.int32), found.distance.astype(np.int32)
        self.horizon = np.full(self.num_types, _FAR) if k == others else self.distance[:, -1]

    def haplotypes(self, types: NDArray[np.int64]) -> tuple[NDArray[np.uint64], int]:
        """Packed words of these types and the number of sites, as kernels take them."""
        row, truth = self._first_row[types], self._parts[0]
        words = np.empty((len(types), truth.shape[1]), np.uint64)
        inside = row < len(truth)
        words[inside] = truth[row[inside]]
        if not inside.all():
            words[~inside] = self._parts[1][row[~inside] - len(truth)]
        return words, self._num_sites

    def at(self, truth_rows: Rows = None, syn_rows: Rows = None) -> PoolSample:
        """The pool of these rows of both cohorts, equally many; None means all."""
        truth = self.truth_types if truth_rows is None else self.truth_types[truth_rows]
        syn = self.syn_types if syn_rows is None else self.syn_types[syn_rows]
        return PoolSample(self, truth, syn)


class PoolSample:
    """n rows of either cohort, and what surrounds them.

    Attributes
    ----------
    n : int, rows of each
    types : int64 (m,), the types that occur
    counts : int32 (num_types + 1, 2), rows of each type in truth and synthetic; the last entry fills up and is 0
    start_types, start_labels : int64 (2n,), the rows themselves, truth first
    """

    def __init__(self, pool: Pool, truth: NDArray[np.int64], syn: NDArray[np.int64]) -> None:
        if len(truth) != len(syn):
            raise ValueError(f"rows: expected equally many of both sets, found {len(truth)} and {len(syn)}")
        self.n, self._pool = len(truth), pool
        none = pool.num_types
        self.counts = np.stack([np.bincount(part, minlength=none + 1) for part in (truth, syn)], axis=1, dtype=np.int32)
        self.types = np.flatnonzero(self.counts.any(axis=1))
        self.start_types = np.concatenate([truth, syn])
        self.start_labels = np.repeat([TRUTH, SYN], self.n)
        self._place = np.empty(none, np.int64)
        self._place[self.types] = np.arange(len(self.types))
        # the lists, those types that do not occur moved behind the end
        index, distance = pool.index[self.types], pool.distance[self.types]
        absent = (self.counts.sum(axis=1) == 0)[index]
        order = np.argsort(absent, axis=1, kind="stable")
        absent = np.take_along_axis(absent, order, axis=1)
        index = np.where(absent, np.int32(none), np.take_along_axis(index, order, axis=1))
        distance = np.where(absent, _FAR, np.take_along_axis(distance, order, axis=1))
        self._index = np.concatenate([self.types[:, None].astype(np.int32), index], axis=1)
        self._distance = np.concatenate([np.zeros((len(index), 1), np.int32), distance], axis=1)
        self._horizon = pool.horizon[self.types]

    def part(self, truth_rows: NDArray[np.int64], syn_rows: NDArray[np.int64]) -> PoolSample:
        """The sample of these of its rows."""
        return PoolSample(self._pool, self.start_types[: self.n][truth_rows], self.start_types[self.n :][syn_rows])

    def place(self, types: NDArray[np.int64]) -> NDArray[np.int64]:
        """Where each of these types stands in `types`."""
        return self._place[types]

    def widths(self, first: int = LIST_LENGTH + 1) -> list[int]:
        """Widths of surroundings to try one after the other; the last one leaves nothing out."""
        listed = self._index.shape[1]
        widths = sorted({min(first, listed), listed})
        searched = _FIRST_SEARCH
        while searched < len(self.types):
            widths.append(searched)
            searched *= _GROWTH
        return [*widths, searched]

    def around(self, types: NDArray[np.int64], width: int) -> Surroundings:
        """What surrounds these types, which must occur: from the lists of the pool as long as they last."""
        listed = self._index.shape[1]
        if width <= listed:
            place = self._place[types]
            horizon = self._horizon[place]
            if width < listed:
                horizon = np.minimum(horizon, self._distance[place, width])
            return Surroundings(self._index[place, :width], self._distance[place, :width], horizon)
        width = min(width, len(self.types))
        found = kernels.nearest_neighbours(self._pool.haplotypes(types), self._pool.haplotypes(self.types), k=width)
        distance = found.distance.astype(np.int32)
        horizon = np.full(len(types), _FAR) if width == len(self.types) else distance[:, -1]
        return Surroundings(self.types[found.index].astype(np.int32), distance, horizon)

"""The cohorts of an evaluation while it runs: what several statistics share, each computed once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.evaluation.controls import HOLDOUT, REAL_HALF, person_halves
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy, accuracy_over, equal_subsamples
from hapforge.metrics.nearest import (
    LIST_LENGTH,
    NearestDistances,
    NearestPair,
    Subsample,
    nearest_among,
    nearest_between,
)
from hapforge.metrics.pool import Pool
from hapforge.report.data import EQUAL_N, Score
from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.distances import grouped_differences, person_groups
from hapforge.stats.pca import MAX_COMPONENTS, PCA, randomized_pca

REPEATS = 10

Rows = NDArray[np.int64]


class Cohort:
    """One cohort with the statistics that several scores share."""

    def __init__(self, matrix: HaplotypeMatrix) -> None:
        self.matrix = matrix
        self._grouped_between: dict[int, NDArray[np.int64]] = {}

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:
        return allele_frequencies(self.matrix)

    @cached_property
    def groups(self) -> list[Rows]:
        """Rows of eight groups of persons, for standard deviations."""
        return person_groups(self.matrix, 0)

    @cached_property
    def grouped_differences(self) -> NDArray[np.int64]:
        """Histograms of pairwise differences between the rows of two groups, `stats.grouped_differences`."""
        return grouped_differences(self.matrix, self.groups)

    @property
    def differences(self) -> NDArray[np.int64]:
        """Histogram of pairwise differences, int64 (num_sites + 1,)."""
        return self._total(self.grouped_differences)

    def _total(self, grouped: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.pad(grouped.sum(axis=(0, 1)), (0, self.matrix.num_sites + 1 - grouped.shape[2]))

    @cached_property
    def nearest(self) -> NearestDistances:
        return nearest_among(self.matrix, LIST_LENGTH)

    @cached_property
    def components(self) -> PCA:
        """The first ten principal components of this cohort alone, or as many as it has."""
        return randomized_pca(self.matrix, min(MAX_COMPONENTS, self.matrix.num_haplotypes - 1, self.matrix.num_sites))

    def grouped_between(self, other: Cohort) -> NDArray[np.int64]:
        """Histograms of differences between the rows of a group of this cohort and of a group of another."""
        if id(other) not in self._grouped_between:
            self._grouped_between[id(other)] = grouped_differences(self.matrix, self.groups, other.matrix, other.groups)
        return self._grouped_between[id(other)]

    def between(self, other: Cohort) -> NDArray[np.int64]:
        """Histogram of differences between the rows of this cohort and those of another, int64 (num_sites + 1,)."""
        return self._total(self.grouped_between(other))

    def part(self, rows: Rows) -> Cohort:
        return Cohort(self.matrix.select_haplotypes(rows))


@dataclass
class Column:
    """A set or control against its truth.

    Attributes
    ----------
    name : str
    truth, cohort : Cohort, at their own sizes; of the real half, the two halves of the first split
    own_rows : subsamples (rows of real, rows of the set) for nearest-neighbour scores at the set's own size. Rows of
        the real half are rows of the whole real cohort.
    equal_rows : the same at the one n of all columns; real rows are those of a real half
    pair : NearestPair, the four searches between the real cohort and the set
    """

    name: str
    truth: Cohort
    cohort: Cohort
    own_rows: list[Subsample]
    equal_rows: list[tuple[Rows, Rows]]
    _run: Run
    _pairs: list[NearestPair] = field(default_factory=list)

    @property
    def is_real_half(self) -> bool:
        return self.name == REAL_HALF

    @property
    def pair(self) -> NearestPair:
        if not self._pairs:
            own = self._run.real.nearest
            if self.is_real_half:
                self._pairs.append(NearestPair(own, own, own, own))
            else:
                ts, st = nearest_between(self._run.real.matrix, self.cohort.matrix, LIST_LENGTH)
                self._pairs.append(NearestPair(tt=own, ts=ts, st=st, ss=self.cohort.nearest))
        return self._pairs[0]

    @property
    def to_real(self) -> NearestDistances:
        """Distances of the set's haplotypes to the nearest real one, with the lists of the nearest."""
        st = self.pair.st
        assert isinstance(st, NearestDistances)
        return st

    @cached_property
    def accuracy(self) -> AdversarialAccuracy:
        """Adversarial accuracy by Hamming distance at the set's own size."""
        return accuracy_over(self.pair, self.own_rows)

    @cached_property
    def accuracy_equal_n(self) -> AdversarialAccuracy:
        """The same at the one n of all columns."""
        return self.accuracy if self.same_n else accuracy_over(self.pair, self.equal_rows)

    @cached_property
    def pool(self) -> Pool:
        """The different haplotypes of the real cohort and the set; rows as in `own_rows` and `equal_rows`."""
        real = self._run.real.matrix
        return Pool(real, real if self.is_real_half else self.cohort.matrix)

    @property
    def same_n(self) -> bool:
        """Whether both kinds of subsamples are the same: the real half, where no set is smaller."""
        return self.is_real_half and self._run.half_n == self._run.equal_n

    @cached_property
    def thinned(self) -> Cohort:
        """The set at the one n of all columns."""
        rows = self.equal_rows[0][1]
        if len(rows) == self.cohort.matrix.num_haplotypes:
            return self.cohort
        return (self._run.real if self.is_real_half else self.cohort).part(rows)

    def twice(self, score: Callable[[Cohort, Cohort], dict[str, Score]]) -> dict[str, Score]:
        """Scores of (truth, set) at their own sizes, and of (real half, set) at the one n of all columns.

        `score` gives the names without their ending; computed once where both are the same.
        """
        own = score(self.truth, self.cohort)
        same = self._run.thinned_truth is self.truth and self.thinned is self.cohort
        equal = own if same else score(self._run.thinned_truth, self.thinned)
        at = f"at n = {self._run.equal_n} haplotypes of a real half and of the set: "
        return own | {name + EQUAL_N: Score(s.value, s.low, s.high, s.n, at + s.procedure) for name, s in equal.items()}


class Run:
    """What every statistic of one evaluation is given.

    Attributes
    ----------
    seed : int
    real : Cohort, the whole real cohort
    columns : sets, then real half, then the other controls
    sets, controls : their names
    half_n : int, haplotypes of each side in the scores of the real half
    equal_n : int, haplotypes of each side in the scores at equal n
    thinned_truth : Cohort, that many haplotypes of one half of the real persons
    holdout : Column or None
    notes : remarks for the reader; a statistic may add to them
    ld_distance : "bp" or "cM", of LD decay
    scores : {set or control: {score name: Score}} of the statistics that are done
    """

    def __init__(
        self,
        matched: Mapping[str, HaplotypeMatrix],
        sets: list[str],
        models: Mapping[str, HaplotypeMatrix],
        seed: int,
        notes: list[str],
        ld_distance: str,
    ) -> None:
        self.seed, self.notes, self.sets, self.ld_distance = seed, notes, sets, ld_distance
        self.real = Cohort(matched["real"])
        halves = [person_halves(self.real.matrix.samples, seed, r) for r in range(REPEATS)]
        half_n = min(min(len(a), len(b)) for a, b in halves)
        if half_n < 2:
            raise ValueError(
                f"real: expected at least 2 haplotypes in each half of the persons, found {self.real.matrix!r}"
            )
        others = {**{name: matched[name] for name in sets}, **models}
        if HOLDOUT in matched:
            others[HOLDOUT] = matched[HOLDOUT]
        self.half_n = half_n
        self.equal_n = min(half_n, *(m.num_haplotypes for m in others.values()))
        self.columns = [self._set_column(name, Cohort(m), halves) for name, m in others.items()]
        self.holdout = next((column for column in self.columns if column.name == HOLDOUT), None)
        self.columns.insert(len(sets), self._half_column(halves))
        self.controls = [column.name for column in self.columns if column.name not in sets]
        self.scores: dict[str, dict[str, Score]] = {column.name: {} for column in self.columns}
        notes.append(
            f"Scores at equal n compare all sets and controls at n = {self.equal_n} haplotypes, with one half of the "
            "real persons as the truth; the others are at each set's own size."
        )

    def _thin(self, rows: Rows, stream: int) -> Rows:
        return np.sort(rows[seeded_order(len(rows), self.seed, stream)[: self.equal_n]])

    def _set_column(self, name: str, cohort: Cohort, halves: list[tuple[Rows, Rows]]) -> Column:
        n = cohort.matrix.num_haplotypes
        equal = [
            (self._thin(truth, Stream.THIN_TRUTH + r), self._thin(np.arange(n), Stream.THIN_SET + r))
            for r, (truth, _) in enumerate(halves)
        ]
        own = equal_subsamples((self.real.matrix.num_haplotypes, n), REPEATS, self.seed)
        return Column(name, self.real, cohort, own, equal, self)

    def _half_column(self, halves: list[tuple[Rows, Rows]]) -> Column:
        own: list[Subsample] = [(a[: self.half_n], b[: self.half_n]) for a, b in halves]
        equal = [
            (self._thin(a, Stream.THIN_TRUTH + r), self._thin(b, Stream.THIN_SET + r))
            for r, (a, b) in enumerate(halves)
        ]
        first, second = (self.real.part(rows) for rows in halves[0])
        self.thinned_truth = first if len(halves[0][0]) == self.equal_n else self.real.part(equal[0][0])
        return Column(REAL_HALF, first, second, own, equal, self)


def score(value: float, n: int, procedure: str, interval: tuple[float, float] = (np.nan, np.nan)) -> Score:
    """A Score from numpy's or Python's numbers."""
    return Score(float(value), float(interval[0]), float(interval[1]), int(n), procedure)

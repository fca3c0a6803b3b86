"""Distances to the closest neighbour."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.minimum_distance import MinimumDistances as Distances
from hapforge.metrics.minimum_distance import minimum_distances_over
from hapforge.metrics.nearest import Subsample
from hapforge.report.data import EQUAL_N, Score, ScoreText
from hapforge.report.figures.minimum_distance import MinimumDistances


class MinimumDistance(Statistic):
    name = "minimum_distance"
    heading = "Nearest neighbours"
    scores = {
        "min_distance_within": ScoreText(
            "minimum W, within",
            "Wasserstein distance, in sites, of the distances to the closest other haplotype of this set from those "
            "within the real set",
            "lower",
        ),
        "min_distance_between": ScoreText(
            "minimum W, between",
            "Wasserstein distance, in sites, of the distances of this set's haplotypes to the closest real one from "
            "those within the real set",
            "lower",
        ),
    }
    curves = {"minimum_distances": MinimumDistances}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._found: dict[str, Distances] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        own = self._distances(column, column.own_rows)
        equal = own if column.same_n else self._distances(column, column.equal_rows)
        self._found[column.name] = equal
        return self._scores(own, len(column.own_rows), "") | self._scores(equal, len(column.equal_rows), EQUAL_N)

    def _distances(self, column: Column, rows: list[Subsample] | list[Any]) -> Distances:
        sizes = self.run.real.matrix.num_haplotypes, column.cohort.matrix.num_haplotypes
        return minimum_distances_over(column.pair, rows, sizes, self.run.real.matrix.num_sites, self.run.seed)

    @staticmethod
    def _scores(found: Distances, repeats: int, end: str) -> dict[str, Score]:
        how = "exact" if repeats == 1 else f"mean over {repeats} seeded subsamples"
        text = (
            f"Wasserstein-1 in sites, n = {found.n} on each side, {how}{' of a real half and of the set' * bool(end)}; "
            "interval: 10 seeded halves of the rows; Yelmen et al. 2021"
        )
        return {
            "min_distance_within" + end: score(
                found.within, found.n, f"d_SS against d_TT; {text}", found.within_interval
            ),
            "min_distance_between" + end: score(
                found.between, found.n, f"d_ST against d_TT; {text}", found.between_interval
            ),
        }

    def collect(self) -> dict[str, Any]:
        if not self._found:
            return {}
        parts = {name: (found.ss, found.st, found.ts) for name, found in self._found.items()}
        first = next(iter(self._found.values()))
        used = [np.flatnonzero(h) for h in (first.tt, *(h for three in parts.values() for h in three))]
        length = 1 + max(int(where[-1]) for where in used)

        def sets(which: int) -> dict[str, NDArray[np.int64]]:
            return {name: three[which][:length] for name, three in parts.items()}

        curves = MinimumDistances(
            first.tt[:length], sets(0), sets(1), sets(2), first.n, len(self.run.columns[0].equal_rows)
        )
        return {"minimum_distances": curves}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return 4 * num_haplotypes * 16 * 12 + 24 * (num_sites + 1) * 8

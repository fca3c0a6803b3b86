"""Connected correlations of three sites."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.three_point import compare_three_point
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.three_point import ThreePointDensities
from hapforge.stats.three_point import MIN_TRIPLETS, RANDOM, SPACINGS, three_point_triplets

MAX_FIGURES = 3  # sets that are drawn, the first ones
_CELLS = 61
_KINDS = (*map(str, SPACINGS), RANDOM)


class ThreePoint(Statistic):
    name = "three_point"
    heading = "3-point correlations"
    scores = {
        **{
            f"three_point_r_{spacing}": ScoreText(
                f"3-point r, spacing {spacing}",
                f"correlation of the 3-point correlations of sites {spacing} apart",
                "higher",
                always=False,
            )
            for spacing in SPACINGS
        },
        f"three_point_r_{RANDOM}": ScoreText(
            "3-point r, random",
            "correlation of the 3-point correlations of sites at any distance",
            "higher",
            Rule(0.03, 0.2, "three sites do not vary together as in the real set", ""),
            always=False,
        ),
    }
    curves = {"three_point": ThreePointDensities}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._values: dict[int, dict[str, NDArray[np.float64]]] = {}

    @cached_property
    def _triplets(self) -> dict[str, NDArray[np.int64]]:
        found = three_point_triplets(self.run.real.matrix, seed=self.run.seed)
        if missing := [kind for kind in _KINDS if kind not in found]:
            self.run.notes.append(
                f"3-point correlations: left out are spacings with fewer than {MIN_TRIPLETS} triplets in all contigs: "
                f"{', '.join(missing)}."
            )
        return found

    def _of(self, cohort: Cohort) -> dict[str, NDArray[np.float64]]:
        """Values of all kinds in one pass over the cohort."""
        if id(cohort) not in self._values:
            every = kernels.three_point(cohort.matrix, np.concatenate(list(self._triplets.values())))
            ends = np.cumsum([len(triplets) for triplets in self._triplets.values()])[:-1]
            self._values[id(cohort)] = dict(zip(self._triplets, np.split(every, ends), strict=True))
        return self._values[id(cohort)]

    def compute(self, column: Column) -> dict[str, Score]:
        return column.twice(self._scores) if self._triplets else {}

    def _scores(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
        real, synthetic = self._of(truth), self._of(cohort)
        num_sites = truth.matrix.num_sites
        scores = {}
        for kind, triplets in self._triplets.items():
            fit = compare_three_point(real[kind], synthetic[kind], triplets, num_sites, seed=self.run.seed)
            where = "random sites" if kind == RANDOM else f"sites i, i + {kind}, i + {2 * int(kind)}"
            text = (
                f"Pearson over {fit.num_triplets} triplets of {where}, c = f_ijk - f_ij f_k - f_ik f_j - f_jk f_i + "
                "2 f_i f_j f_k of ALT; interval: block bootstrap over sites; Yelmen et al. 2021"
            )
            if np.isnan(fit.r):
                text = f"not computed: the same value at all {fit.num_triplets} triplets in one of the cohorts"
            scores[f"three_point_r_{kind}"] = score(fit.r, fit.num_triplets, text, fit.r_interval)
        return scores

    def collect(self) -> dict[str, Any]:
        shown = [c for c in self.run.columns if c.name in self.run.sets and id(c.cohort) in self._values][:MAX_FIGURES]
        if not shown:
            return {}
        real = self._of(self.run.real)
        found = ThreePointDensities({}, {}, {column.name: {} for column in shown})
        for kind, triplets in self._triplets.items():
            sets = {column.name: self._of(column.cohort)[kind] for column in shown}
            top = max(float(np.abs(values).max()) for values in (real[kind], *sets.values())) or 1.0
            found.num_triplets[kind], found.tops[kind] = len(triplets), top
            for name, values in sets.items():
                column, row = (
                    np.minimum(((v / top + 1) * _CELLS / 2).astype(np.int64), _CELLS - 1) for v in (real[kind], values)
                )
                grid = np.bincount(row * _CELLS + column, minlength=_CELLS**2)
                found.grids[name][kind] = grid.reshape(_CELLS, _CELLS)
        return {"three_point": found}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return num_haplotypes * num_sites // 8 + 16 * num_sites + (80 << 20)

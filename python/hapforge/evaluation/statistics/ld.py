"""Decay of linkage disequilibrium with distance."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.ld import compare_decay_sums, vary
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.ld import LDDecayCurves
from hapforge.stats.ld import DecaySums, ld_decay_sums, ld_distance_edges


class LinkageDisequilibrium(Statistic):
    name = "ld"
    heading = "Linkage disequilibrium"
    scores = {
        "ld_decay_r": ScoreText("LD decay r", "correlation of mean r² per distance bin", "higher"),
        "ld_score": ScoreText(
            "LD score",
            "1 - sum (LD real - LD syn)² / sum LD real² over distance bins; 1 is perfect",
            "higher",
            Rule(0.03, 0.15, "correlation between sites is lost, or invented", ""),
        ),
    }
    curves = {"ld_decay": LDDecayCurves}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._sums: dict[tuple[int, bytes], DecaySums] = {}
        self._found: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return ld_distance_edges(self.run.real.matrix.sites)

    def _decay(self, cohort: Cohort, kept: NDArray[np.bool_]) -> DecaySums:
        key = id(cohort), kept.tobytes()
        if key not in self._sums:
            self._sums[key] = ld_decay_sums(cohort.matrix.select_sites(kept), self._edges)
        return self._sums[key]

    def compute(self, column: Column) -> dict[str, Score]:
        def scores(truth: Cohort, cohort: Cohort) -> dict[str, Score]:
            kept = vary(truth.frequencies) & vary(cohort.frequencies)
            found = compare_decay_sums(
                self._decay(truth, kept), self._decay(cohort, kept), int(kept.sum()), self.run.seed
            )
            if truth is column.truth and cohort is column.cohort:
                self._found[column.name] = found.real, found.synthetic
            text = (
                f"{found.num_bins} distance bins, all pairs of the {found.num_sites} sites that vary in both; "
                "interval: block bootstrap over sites; Yelmen et al. 2023"
            )
            return {
                "ld_decay_r": score(found.r, found.num_sites, f"Pearson over {text}", found.r_interval),
                "ld_score": score(
                    found.score,
                    found.num_sites,
                    f"1 - sum (LD real - LD syn)² / sum LD real², {text}",
                    found.score_interval,
                ),
            }

        return column.twice(scores)

    def collect(self) -> dict[str, Any]:
        if not self._found:
            return {}
        real = self.run.real
        curves = LDDecayCurves(
            self._edges,
            self._decay(real, vary(real.frequencies)).curve(),
            {name: found[1] for name, found in self._found.items()},
            real.matrix.sites.position_known,
            {name: found[0] for name, found in self._found.items()},
        )
        return {"ld_decay": curves}

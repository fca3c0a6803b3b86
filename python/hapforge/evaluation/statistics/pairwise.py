"""Distributions of pairwise differences."""

from __future__ import annotations

from typing import Any

import numpy as np

from hapforge.evaluation.cohorts import Cohort, Column, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.pairwise import compare_grouped_differences
from hapforge.report.data import Score, ScoreText
from hapforge.report.figures.pairwise import PairwiseDifferences


class Pairwise(Statistic):
    name = "pairwise"
    heading = "Pairwise differences"
    scores = {
        "pairwise_within": ScoreText(
            "pairwise W, within",
            "Wasserstein distance, in sites, between pairwise differences within the real and within this set",
            "lower",
        ),
        "pairwise_between": ScoreText(
            "pairwise W, between",
            "Wasserstein distance, in sites, between pairwise differences within the real set and between it and this "
            "one",
            "lower",
        ),
    }
    curves = {"pairwise_differences": PairwiseDifferences}

    def compute(self, column: Column) -> dict[str, Score]:
        return column.twice(self._scores)

    def _scores(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
        between = truth.grouped_between(cohort)
        found = compare_grouped_differences(
            truth.grouped_differences, cohort.grouped_differences, between, self.run.seed
        )
        text = (
            "Wasserstein-1 in sites, all pairs; interval: 100 seeded halves of 8 groups of persons; Yelmen et al. "
            "2021, suppl. fig. 4"
        )
        return {
            "pairwise_within": score(
                found.within,
                int(cohort.grouped_differences.sum()),
                f"real-real against synthetic-synthetic, {text}",
                found.within_interval,
            ),
            "pairwise_between": score(
                found.between, int(between.sum()), f"real-real against real-synthetic, {text}", found.between_interval
            ),
        }

    def collect(self) -> dict[str, Any]:
        real = self.run.real.differences
        within = {c.name: c.cohort.differences for c in self.run.columns}
        between = {c.name: c.truth.between(c.cohort) for c in self.run.columns}
        length = 1 + max(int(np.flatnonzero(h)[-1]) for h in (real, *within.values(), *between.values()))
        found = PairwiseDifferences(
            real[:length], {n: h[:length] for n, h in within.items()}, {n: h[:length] for n, h in between.items()}
        )
        return {"pairwise_differences": found}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return 6 * 64 * 8 * (num_sites + 1) + 2 * num_haplotypes * num_sites // 8

"""Distributions of pairwise differences."""

from __future__ import annotations

from typing import Any

from hapforge.evaluation.cohorts import Cohort, Column, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.pairwise import compare_pairwise_differences
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
        between = truth.between(cohort)
        found = compare_pairwise_differences(truth.differences, cohort.differences, between)
        text = "Wasserstein-1 in sites, all pairs; Yelmen et al. 2021, suppl. fig. 4"
        return {
            "pairwise_within": score(
                found.within, int(cohort.differences.sum()), f"real-real against synthetic-synthetic, {text}"
            ),
            "pairwise_between": score(found.between, int(between.sum()), f"real-real against real-synthetic, {text}"),
        }

    def collect(self) -> dict[str, Any]:
        found = PairwiseDifferences(
            self.run.real.differences,
            {c.name: c.cohort.differences for c in self.run.columns},
            {c.name: c.truth.between(c.cohort) for c in self.run.columns},
        )
        return {"pairwise_differences": found}

"""Overlap of the real cohort and a set on principal components."""

from __future__ import annotations

from typing import Any

import numpy as np

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.haplotypes import seeded_order
from hapforge.metrics.pca import MAX_ROWS, pca_overlap
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.pca import PairPCAs, PrincipalComponents

MAX_COORDINATES = 5000  # rows of a side whose coordinates are kept for the figure
_KEEP = 8 << 20  # stream


class PrincipalComponentAnalysis(Statistic):
    name = "pca"
    heading = "Principal components"
    scores = {
        "pca_wasserstein": ScoreText(
            "PCA W",
            "2D Wasserstein distance on PC 1 and 2 of the pair, entropic as in the papers, cost over its maximum",
            "lower",
            Rule(0.003, 0.02, "", "the set does not cover the ground of the real haplotypes"),
            twice=False,
        ),
        "pca_wasserstein_exact": ScoreText("PCA W, exact", "the same with the optimal plan", "lower", twice=False),
    }
    curves = {"principal_components": PairPCAs}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._components: dict[str, PrincipalComponents] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        rows = min(MAX_ROWS, self.run.equal_n)
        found = pca_overlap(column.truth.matrix, column.cohort.matrix, rows=rows, seed=self.run.seed)
        first, second = (
            points[np.sort(seeded_order(len(points), self.run.seed, _KEEP)[:MAX_COORDINATES])]
            for points in (found.real, found.synthetic)
        )
        self._components[column.name] = PrincipalComponents(first, second, found.explained)
        text = (
            f"PC 1-2 of the pair, squared Euclidean cost over its maximum, {found.n} seeded rows of each side; "
            "Yelmen et al. 2021"
        )
        limit = found.cost.marginal_error
        stopped = f", stopped after 1000 steps at marginal error {limit:.1e}" if limit > 1e-9 else ""
        return {
            "pca_wasserstein": score(
                found.cost.entropic, found.n, f"entropic, regularisation 0.001, log domain{stopped}; {text}"
            ),
            "pca_wasserstein_exact": score(found.cost.exact, found.n, f"optimal plan; {text}"),
        }

    def collect(self) -> dict[str, Any]:
        return {"principal_components": PairPCAs(self._components)} if self._components else {}

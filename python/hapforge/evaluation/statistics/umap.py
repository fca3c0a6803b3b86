"""Overlap of the real cohort and a set on a UMAP of both."""

from __future__ import annotations

from typing import Any

import numpy as np

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.umap import MAX_ROWS, umap_overlap
from hapforge.report.data import Score, ScoreText
from hapforge.report.figures.umap import PairUMAPs, UMAPLayout

_KEPT = 750  # points of a side for the figure


class UniformManifold(Statistic):
    name = "umap"
    heading = "Principal components"
    opt_in = True
    scores = {
        "umap_wasserstein": ScoreText(
            "UMAP W",
            "2D Wasserstein distance on a UMAP of the pair, entropic, cost over its maximum; read beside the real half",
            "lower",
            twice=False,
        )
    }
    curves = {"umap": PairUMAPs}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._layouts: dict[str, UMAPLayout] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        rows = min(MAX_ROWS, self.run.equal_n)
        found = umap_overlap(column.truth.matrix, column.cohort.matrix, rows=rows, seed=self.run.seed)
        first, second = (np.round(points[:_KEPT], 3) for points in (found.real, found.synthetic))
        self._layouts[column.name] = UMAPLayout(first, second)
        text = (
            f"UMAP of {found.n} seeded rows of each side (15 neighbours, fixed state), squared Euclidean cost over its "
            "maximum, regularisation 0.001; interval: costs of 5 disjoint parts, Student's t, the layout as given; "
            "Yelmen et al. 2021"
        )
        return {"umap_wasserstein": score(found.cost.entropic, found.n, text, found.cost.entropic_interval)}

    def collect(self) -> dict[str, Any]:
        return {"umap": PairUMAPs(self._layouts)} if self._layouts else {}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        rows = 2 * min(num_haplotypes, MAX_ROWS)
        return rows * (num_sites // 8 + 64) + 40 * rows**2 + (600 << 20)  # numba and what it compiles

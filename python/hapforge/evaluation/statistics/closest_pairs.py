"""The closest pairs of a synthetic and a training haplotype, beside those of other real ones."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.controls import HOLDOUT
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.closest_pairs import QUANTILES, SHARE, closest_over, list_closest
from hapforge.report.data import Score, ScoreText
from hapforge.report.figures.closest_pairs import ClosestDistances, ClosestSet

_SHARES = np.geomspace(1e-4, 0.1, 40)  # of the rows, on the curve


class ClosestPairs(Statistic):
    name = "closest_pairs"
    heading = "Privacy"
    scores = {
        "closest_pairs": ScoreText(
            "closest pairs",
            "share of synthetic haplotypes nearer to a training one than all but 1 % of real ones are; 0.01: harmless; "
            "more: near copies, or too little variety",
            "lower",
            twice=False,
        )
    }
    curves = {"closest_pairs": ClosestDistances}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._sets: dict[str, ClosestSet] = {}

    def _reference(self, column: Column) -> tuple[NDArray[np.uint32], str]:
        """Minimum distances of real rows to the training rows, and whose they are."""
        if self.run.holdout is None or column.name == HOLDOUT:
            return self.run.real.nearest(), "each training row to the others"
        return self.run.holdout.to_real(), "held-out rows to the training rows"

    def compute(self, column: Column) -> dict[str, Score]:
        if column.is_real_half:
            pair = column.pair
            whose = "rows of the half to one another"
            found = closest_over([(pair.st(syn, truth), pair.tt(truth, truth)) for truth, syn in column.own_rows])
        else:
            reference, whose = self._reference(column)
            distance = column.to_real()
            found = closest_over([(distance, reference)])
            self._collect(column, distance, found.quantiles)
        text = (
            f"share below {found.limit:.4g} sites, the {SHARE:.0%} quantile of the minimum distances of {whose} "
            "(rows at the limit in part); distance to the closest record; interval: Wilson, for the rows of both"
        )
        return {"closest_pairs": score(found.share, found.n, text, found.interval)}

    def _collect(self, column: Column, distance: NDArray[np.uint32], quantiles: NDArray[np.float64]) -> None:
        real, syn = self.run.real.matrix.samples, column.cohort.matrix.samples
        pairs = list_closest(column.to_real)
        self._sets[column.name] = ClosestSet(
            curve=np.quantile(distance, _SHARES, method="inverted_cdf").astype(np.int64),
            quantiles=quantiles,
            synthetic=[str(syn.haplotype_id[p.synthetic]) for p in pairs],
            real=[str(real.haplotype_id[p.real]) for p in pairs],
            distance=[p.distance for p in pairs],
            next_distance=[p.next_distance for p in pairs],
        )

    def collect(self) -> dict[str, Any]:
        if not self._sets:
            return {}
        reference, whose = self._reference(self.run.columns[0])
        curve = np.quantile(reference, _SHARES, method="inverted_cdf").astype(np.int64)
        found = ClosestDistances(_SHARES, curve, whose, list(QUANTILES), self._sets)
        return {"closest_pairs": found}

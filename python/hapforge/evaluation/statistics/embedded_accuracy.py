"""Adversarial accuracy on principal components of the real cohort."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics.adversarial_accuracy import accuracy_over
from hapforge.metrics.embedded import search_points, unit_vectors
from hapforge.metrics.nearest import NearestPair, Search, Subsample
from hapforge.report.data import EQUAL_N, Rule, Score, ScoreText
from hapforge.stats.pca import PCA

WHOLE, HALF = "all real haplotypes", "one half of the real haplotypes"
Points = dict[str, NDArray[np.float64]]


class EmbeddedAccuracy(Statistic):
    name = "embedded_accuracy"
    heading = "Adversarial accuracy"
    scores = {
        f"aa_{part}_{metric}": ScoreText(
            f"AA {part}, {metric}",
            f"AA {part} by {kind} distance on the first ten components of the real haplotypes",
            "control",
            Rule(0.1, 0.2, below, above) if metric == "euclidean" else None,
        )
        for metric, kind in (("angular", "angular"), ("euclidean", "Euclidean"))
        for part, below, above in (
            (
                "truth",
                "AGs crowd around real haplotypes in the large-scale structure",
                "parts of the real structure have no AGs",
            ),
            (
                "syn",
                "AGs sit on real haplotypes in the large-scale structure",
                "AGs keep to themselves in the large-scale structure",
            ),
        )
    }

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._among_truth: dict[tuple[int, str, int], tuple[NDArray[np.float64], Search]] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        if column.is_real_half:
            truth, cohort = column.truth.matrix, column.cohort.matrix
            n = min(truth.num_haplotypes, cohort.num_haplotypes)
            own = self._scores(column.truth.components, truth, cohort, [(np.arange(n), np.arange(n))], HALF, "")
        else:
            real = self.run.real
            own = self._scores(real.components, real.matrix, column.cohort.matrix, column.own_rows, WHOLE, "")
        half = next(c.truth for c in self.run.columns if c.is_real_half)
        cohort = column.cohort.matrix
        rows: list[Subsample] = [(None, syn) for _, syn in column.equal_rows]
        if column.is_real_half:  # of one split only: one half is what the components are of
            cohort, rows = column.thinned.matrix, [(None, None)]
        truth = self.run.thinned_truth.matrix
        return own | self._scores(half.components, truth, cohort, rows, HALF, EQUAL_N)

    def _scores(
        self,
        embedding: PCA,
        truth: HaplotypeMatrix,
        cohort: HaplotypeMatrix,
        rows: Sequence[Subsample],
        whose: str,
        end: str,
    ) -> dict[str, Score]:
        """Truth rows are among those that the embedding was fitted to, the rows of the set are not, in any column."""
        found = {}
        n = truth.num_haplotypes if rows[0][0] is None else len(rows[0][0])
        for metric, syn in _points(embedding.project(cohort)).items():
            key = id(truth), metric, n
            if key not in self._among_truth:
                real = _points(embedding.project(truth))[metric]
                self._among_truth[key] = real, search_points(real, real, n)
            real, tt = self._among_truth[key]
            ts, st, ss = (search_points(a, b, n) for a, b in ((real, syn), (syn, real), (syn, syn)))
            pair = NearestPair(tt, ts, st, ss)
            accuracy = accuracy_over(pair, rows)
            how = "exact" if len(rows) == 1 else f"mean over {len(rows)} seeded subsamples"
            text = (
                f"{metric} distance on PC 1-{len(embedding.components)} of {whose}, strict ties ("
                f"{accuracy.ties_truth:.2g} of the real and {accuracy.ties_syn:.2g} of the other rows), n = "
                f"{accuracy.n} on each side, {how}; after Kenneweg et al., equations 9 and 10"
            )
            found[f"aa_truth_{metric}{end}"] = score(
                accuracy.aa_truth, accuracy.n, f"share of d_TS > d_TT; {text}", accuracy.aa_truth_interval
            )
            found[f"aa_syn_{metric}{end}"] = score(
                accuracy.aa_syn, accuracy.n, f"share of d_ST > d_SS; {text}", accuracy.aa_syn_interval
            )
        return found

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return (64 << 20) * 2 + num_haplotypes * 8 * (6 * 10 + 8 * 2 * 17) + 8 * 40 * num_sites


def _points(coordinates: NDArray[np.float64]) -> Points:
    return {"angular": unit_vectors(coordinates), "euclidean": coordinates}

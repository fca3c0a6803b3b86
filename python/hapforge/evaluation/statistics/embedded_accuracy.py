"""Adversarial accuracy on principal components of the real cohort."""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Column, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.adversarial_accuracy import accuracy_over
from hapforge.metrics.embedded import search_points, unit_vectors
from hapforge.metrics.nearest import NearestPair, Search
from hapforge.report.data import EQUAL_N, Rule, Score, ScoreText

METRICS = ("angular", "euclidean")
Points = dict[str, NDArray[np.float64]]


class EmbeddedAccuracy(Statistic):
    name = "embedded_accuracy"
    heading = "Adversarial accuracy"
    scores = {
        f"aa_{part}_{metric}": ScoreText(
            f"AA {part}, {metric}",
            f"AA {part} by {kind} distance on the first ten components of the real haplotypes",
            "control",
            Rule(0.05, 0.2, below, above) if metric == "euclidean" else None,
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

    def compute(self, column: Column) -> dict[str, Score]:
        embedding = self.run.real.components
        points = self._real if column.is_real_half else _points(embedding.project(column.cohort.matrix))
        found = {}
        for metric in METRICS:
            real, among, syn = self._real[metric], self._among[metric], points[metric]
            if column.is_real_half:
                pair = NearestPair(among, among, among, among)
            else:
                ts, st, ss = search_points(real, syn), search_points(syn, real), search_points(syn, syn)
                pair = NearestPair(among, ts, st, ss)
            for end, rows in (("", column.own_rows), (EQUAL_N, column.equal_rows)):
                accuracy = accuracy_over(pair, rows)
                text = (
                    f"{metric} distance on PC 1-{len(embedding.components)} of all real haplotypes, strict ties, n = "
                    f"{accuracy.n} on each side, mean over {len(rows)} seeded subsamples; Szatkownik et al. 2024"
                )
                found[f"aa_truth_{metric}{end}"] = score(
                    accuracy.aa_truth, accuracy.n, f"share of d_TS > d_TT; {text}", accuracy.aa_truth_interval
                )
                found[f"aa_syn_{metric}{end}"] = score(
                    accuracy.aa_syn, accuracy.n, f"share of d_ST > d_SS; {text}", accuracy.aa_syn_interval
                )
        return found

    @cached_property
    def _real(self) -> Points:
        return _points(self.run.real.components.coordinates)

    @cached_property
    def _among(self) -> dict[str, Search]:
        return {metric: search_points(points, points) for metric, points in self._real.items()}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return (64 << 20) * 2 + num_haplotypes * 8 * (6 * 10 + 8 * 2 * 17) + 8 * 40 * num_sites


def _points(coordinates: NDArray[np.float64]) -> Points:
    return {"angular": unit_vectors(coordinates), "euclidean": coordinates}

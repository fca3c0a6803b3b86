"""Counts of short haplotype motifs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.kmers import MOTIF_LENGTHS, compare_motif_counts, motif_density
from hapforge.report.data import Score, ScoreText
from hapforge.report.figures.kmers import MotifDensities

_CELLS = 100


class HaplotypeMotifs(Statistic):
    name = "kmers"
    heading = "Haplotype motifs"
    scores = {
        name: text
        for k in MOTIF_LENGTHS
        for name, text in {
            f"kmer{k}_r": ScoreText(f"{k}-mer r", f"correlation of the counts of all motifs of {k} sites", "higher"),
            f"kmer{k}_slope": ScoreText(
                f"{k}-mer slope",
                "least squares slope of synthetic on real counts; 1 is ideal, less: common motifs are too rare",
                "control",
            ),
            f"kmer{k}_intercept": ScoreText(
                f"{k}-mer intercept", "least squares intercept, in haplotypes; 0 is ideal", "control"
            ),
        }.items()
    }
    curves = {"motifs": MotifDensities}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._truths: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._densities = MotifDensities(run.real.matrix.num_haplotypes, {}, {str(k): {} for k in MOTIF_LENGTHS})

    def _truth(self, cohort: Cohort, k: int) -> NDArray[np.int64]:
        key = id(cohort), k
        if key not in self._truths:
            self._truths[key] = kernels.kmer_counts(cohort.matrix, k)
        return self._truths[key]

    def compute(self, column: Column) -> dict[str, Score]:
        def scores(truth: Cohort, cohort: Cohort) -> dict[str, Score]:
            result = {}
            sizes = truth.matrix.num_haplotypes, cohort.matrix.num_haplotypes
            scaled = "" if sizes[0] == sizes[1] else f", synthetic ones scaled to {sizes[0]} haplotypes"
            for k in MOTIF_LENGTHS:
                real, synthetic = self._truth(truth, k), kernels.kmer_counts(cohort.matrix, k)
                fit = compare_motif_counts(real, synthetic, seed=self.run.seed)
                if truth is column.truth and cohort is column.cohort and not column.is_real_half:
                    top = min(sizes[0], 1.1 * int(real.max()))
                    self._densities.tops[str(k)] = float(top)
                    self._densities.grids[str(k)][column.name] = motif_density(
                        real, synthetic, _CELLS, top=top / sizes[0]
                    )
                text = (
                    f"counts of the motifs that occur in {fit.num_windows} windows of {k} sites{scaled}; interval: "
                    "block bootstrap over windows; Yelmen et al. 2023, suppl. fig. 4"
                )
                result[f"kmer{k}_r"] = score(fit.r, fit.num_motifs, f"Pearson, {text}", fit.r_interval)
                result[f"kmer{k}_slope"] = score(
                    fit.slope, fit.num_motifs, f"least squares, {text}", fit.slope_interval
                )
                result[f"kmer{k}_intercept"] = score(
                    fit.intercept, fit.num_motifs, f"least squares, {text}", fit.intercept_interval
                )
            return result

        return column.twice(scores)

    def collect(self) -> dict[str, Any]:
        self._truths.clear()
        return {"motifs": self._densities} if all(self._densities.grids.values()) else {}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        table = 8 * sum(num_sites // k << k for k in MOTIF_LENGTHS)
        return 6 * table + (16 << 20)

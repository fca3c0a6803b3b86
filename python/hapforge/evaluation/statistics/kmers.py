"""Counts of short haplotype motifs."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.kmers import MOTIF_LENGTHS, compare_motif_counts, motif_density
from hapforge.report.data import Score, ScoreText
from hapforge.report.figures.kmers import MotifDensities

_CELLS = 60


class HaplotypeMotifs(Statistic):
    name = "kmers"
    heading = "Haplotype motifs"
    scores = {
        name: text
        for k in MOTIF_LENGTHS
        for name, text in {
            f"kmer{k}_r": ScoreText(
                f"{k}-mer r", f"correlation of the counts of all motifs of {k} sites", "higher", always=False
            ),
            f"kmer{k}_slope": ScoreText(
                f"{k}-mer slope",
                "least squares slope of synthetic on real counts; 1 is ideal, less: common motifs are too rare",
                "control",
                always=False,
            ),
            f"kmer{k}_intercept": ScoreText(
                f"{k}-mer intercept", "least squares intercept, in haplotypes; 0 is ideal", "control", always=False
            ),
        }.items()
    }
    curves = {"motifs": MotifDensities}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._truths: dict[tuple[int, int], NDArray[np.int64]] = {}
        self._densities = MotifDensities(run.real.matrix.num_haplotypes, {}, {})

    @cached_property
    def _lengths(self) -> list[int]:
        """Lengths of which a window fits a contig; the others are left out, which a note says."""
        longest = max((end - first for _, first, end in self.run.real.matrix.sites.contig_blocks()), default=0)
        if longest < MOTIF_LENGTHS[-1]:
            left_out = ", ".join(str(k) for k in MOTIF_LENGTHS if k > longest)
            self.run.notes.append(f"Motifs: left out are those of {left_out} sites, which no contig has.")
        return [k for k in MOTIF_LENGTHS if k <= longest]

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
            for k in self._lengths:
                real, synthetic = self._truth(truth, k), kernels.kmer_counts(cohort.matrix, k)
                fit = compare_motif_counts(real, synthetic, seed=self.run.seed)
                if truth is column.truth and cohort is column.cohort and not column.is_real_half:
                    top = min(sizes[0], 1.1 * int(real.max()))
                    self._densities.tops[str(k)] = float(top)
                    self._densities.grids.setdefault(str(k), {})[column.name] = motif_density(
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
        return {"motifs": self._densities} if self._densities.grids else {}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        table = 8 * sum(num_sites // k << k for k in MOTIF_LENGTHS)
        return 6 * table + (16 << 20)

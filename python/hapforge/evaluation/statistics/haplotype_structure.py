"""A picture of the haplotypes themselves."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Cohort, Column, Run
from hapforge.evaluation.statistics._base import Statistic
from hapforge.report.data import Score
from hapforge.report.figures.haplotype_structure import HaplotypeStructure
from hapforge.stats.haplotype_structure import consensus_haplotype, sorted_haplotypes, structure_sites

MAX_ROWS = 100
MAX_SITES = 200


class Haplotypes(Statistic):
    """Some haplotypes of each column at some common sites; a figure, not scores."""

    name = "haplotype_structure"
    heading = "Haplotypes"
    scores = {}
    curves = {"haplotype_structure": HaplotypeStructure}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._rows: dict[str, list[str]] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        if not column.is_real_half:
            self._rows[column.name] = self._picture(column.cohort)
        return {}

    def collect(self) -> dict[str, Any]:
        if not self._rows:
            return {}
        real = self.run.real
        found = HaplotypeStructure(
            real.matrix.sites.position[self._sites],
            real.matrix.sites.position_known and len(real.matrix.sites.contig_blocks()) == 1,
            self._picture(real),
            self._rows,
        )
        return {"haplotype_structure": found}

    @cached_property
    def _sites(self) -> NDArray[np.int64]:
        return structure_sites(self.run.real.frequencies, MAX_SITES)

    def _picture(self, cohort: Cohort) -> list[str]:
        consensus = consensus_haplotype(self.run.real.frequencies[self._sites])
        rows = sorted_haplotypes(cohort.matrix, self._sites, consensus, MAX_ROWS, seed=self.run.seed)
        return ["".join(map(str, row)) for row in rows.tolist()]

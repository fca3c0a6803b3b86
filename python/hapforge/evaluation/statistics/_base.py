"""What a statistic of the evaluation is."""

from __future__ import annotations

from typing import Any, ClassVar

from hapforge.evaluation.cohorts import Column, Run
from hapforge.report.data import Score, ScoreText


class Statistic:
    """One statistic of one evaluation; a subclass names its scores and computes them, a column at a time.

    Attributes
    ----------
    name : str, as users choose it
    heading : str, of its scores on the page
    scores : {score name: ScoreText}; those with `twice` are also given under the name that ends in ``_equal_n``
    curves : {name: dataclass of `report.figures`}, the kinds of figure data that it collects
    opt_in : bool, computed only where it is named
    """

    name: ClassVar[str]
    heading: ClassVar[str]
    scores: ClassVar[dict[str, ScoreText]]
    curves: ClassVar[dict[str, type]] = {}
    opt_in: ClassVar[bool] = False

    def __init__(self, run: Run) -> None:  # that of a subclass only makes room: nothing that can fail
        self.run = run

    def compute(self, column: Column) -> dict[str, Score]:
        """Scores of one set or control. A ValueError, MemoryError or MissingDependencyError is reported as such."""
        raise NotImplementedError

    def collect(self) -> dict[str, Any]:
        """Figure data once all columns are done, under the names of `curves`; what could not be had is left out."""
        return {}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        """Memory beyond the cohorts, at most, for two cohorts of this shape; here that of what works on packed rows."""
        return 6 * num_haplotypes * (num_sites // 8 + 8) + 6 * 16 * 12 * num_haplotypes + (64 << 20)

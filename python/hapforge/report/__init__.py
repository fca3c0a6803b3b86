"""From what an evaluation found to a page that can be read: figures and one self-contained HTML file."""

from __future__ import annotations

from hapforge.report.data import (
    AlleleFrequencies,
    EvaluationData,
    LDDecayCurves,
    PairwiseDifferences,
    PrincipalComponents,
    Score,
)

__all__ = [
    "AlleleFrequencies",
    "EvaluationData",
    "LDDecayCurves",
    "PairwiseDifferences",
    "PrincipalComponents",
    "Score",
]

"""From what an evaluation found to a page that can be read: figures and one self-contained HTML file."""

from __future__ import annotations

from hapforge.report.data import EvaluationData, Score, ScoreText, Verdict

__all__ = ["EvaluationData", "Score", "ScoreText", "Verdict"]

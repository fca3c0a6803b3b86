"""Evaluate synthetic cohorts against real ones, with the controls that make the scores mean something."""

from hapforge.evaluation.evaluate import Evaluation, evaluate
from hapforge.evaluation.monitor import Monitor
from hapforge.evaluation.output import json_schema
from hapforge.evaluation.statistics import METRICS, SCORES
from hapforge.report.data import EQUAL_N, Score, ScoreText, Verdict

__all__ = [
    "EQUAL_N",
    "METRICS",
    "SCORES",
    "Evaluation",
    "Monitor",
    "Score",
    "ScoreText",
    "Verdict",
    "evaluate",
    "json_schema",
]

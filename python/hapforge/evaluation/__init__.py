"""Evaluate synthetic cohorts against real ones, with the controls that make the scores mean something."""

from hapforge.evaluation.evaluate import Evaluation, evaluate
from hapforge.evaluation.labels import study_labels
from hapforge.evaluation.monitor import Monitor
from hapforge.evaluation.output import json_schema
from hapforge.evaluation.snapshots import Snapshots, load_snapshots
from hapforge.evaluation.statistics import METRICS, SCORES
from hapforge.evaluation.tune import tune
from hapforge.report.data import EQUAL_N, Score, ScoreText, Verdict
from hapforge.report.tuning import Range

__all__ = [
    "EQUAL_N",
    "METRICS",
    "SCORES",
    "Evaluation",
    "Monitor",
    "Range",
    "Score",
    "ScoreText",
    "Snapshots",
    "Verdict",
    "evaluate",
    "json_schema",
    "load_snapshots",
    "study_labels",
    "tune",
]

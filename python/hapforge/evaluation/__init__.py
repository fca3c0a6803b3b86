"""Evaluate synthetic cohorts against real ones, with the controls that make the scores mean something."""

from hapforge.evaluation.evaluate import Evaluation, evaluate
from hapforge.evaluation.scores import EQUAL_N, METRICS, SCORES, ScoreText

__all__ = ["EQUAL_N", "METRICS", "SCORES", "Evaluation", "ScoreText", "evaluate"]

"""The figure of the papers' radar scores, as dots on lines, which are easier to compare than areas."""

from __future__ import annotations

import math

import numpy as np

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, in_order, shown, styles

SCORES = {
    "radar_af": "allele frequency (sites at <= 0.2)",
    "radar_three_point": "3-point correlations",
    "radar_pairwise": "pairwise distance",
    "radar_ld": "linkage disequilibrium",
    "radar_overfitting": "overfitting",
    "radar_underfitting": "underfitting",
}


def figures(data: EvaluationData) -> list[Figure]:
    """The six scores of every set and control, at each set's own size."""
    names = in_order(data, (name for name, scores in data.scores.items() if set(SCORES) & set(scores)))
    if not names:
        return []
    style, series, words = styles(data), [], []
    for i, name in enumerate(names):
        scores = [data.scores[name].get(key) for key in SCORES]
        value, low, high = (
            np.array([math.nan if s is None else getattr(s, part) for s in scores]) for part in ("value", "low", "high")
        )
        place = np.arange(len(SCORES), dtype=np.float64) + 0.4 * i / len(names)
        pale = name in data.controls
        series.append(Series("dots", style[name].label, style[name], value, place, low=low, high=high, pale=pale))
        known = [f"{text} {v:.2f}" for text, v in zip(SCORES.values(), value.tolist(), strict=True) if math.isfinite(v)]
        words.append(f"{shown(name)}: {', '.join(known)}")
    panel = Panel(
        "",
        "score, 1 is perfect",
        "",
        series,
        x_range=(-0.02, 1.02),
        y_range=(len(SCORES) - 0.3, -0.6),
        names=tuple(SCORES.values()),
        legend=True,
    )
    figure = Figure(
        "radar",
        "Summary: radar scores",
        "The further right the better; compare with the real-against-real control. Overfitting and underfitting "
        "together tell what their mean would hide.",
        "The six axes of the radar plots of Yelmen et al. 2023, as dots on lines; what would be below 0 is at 0; "
        "controls are hollow; lines are 95 % intervals where defined.",
        f"Six scores from 0 to 1. {'; '.join(words)}.",
        [panel],
    )
    return [figure]

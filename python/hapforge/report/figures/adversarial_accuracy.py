"""The figure of nearest-neighbour adversarial accuracy."""

from __future__ import annotations

import numpy as np

from hapforge.report.data import EQUAL_N, EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, in_order, short, shown, styles

_PARTS = {"AA_truth": "aa_truth", "AA_syn": "aa_syn"}


def figures(data: EvaluationData) -> list[Figure]:
    """Both parts of every set and control."""
    names = in_order(data, (name for name, scores in data.scores.items() if {"aa_truth", "aa_syn"} & set(scores)))
    if not names:
        return []
    equal_n = all(part + EQUAL_N in data.scores[name] for name in names for part in ("aa_truth", "aa_syn"))
    parts = {name: part + EQUAL_N for name, part in _PARTS.items()} if equal_n else _PARTS
    style, series, words = styles(data), [], []
    for place, name in enumerate(names):
        found = {part: score for part, key in parts.items() if (score := data.scores[name].get(key)) is not None}
        for part, score in found.items():
            value, low, high = (np.array([v], dtype=np.float64) for v in (score.value, score.low, score.high))
            where = np.array([place + (0.0 if part == "AA_truth" else 0.28)])
            label, pale = f"{part}, {style[name].label}", part == "AA_syn"
            series.append(Series("bars", label, style[name], value, where, low=low, high=high, pale=pale))
        words.append(f"{shown(name)} " + ", ".join(f"{part} {score.value:.2f}" for part, score in found.items()))
    panel = Panel(
        "",
        "adversarial accuracy",
        "",
        series,
        x_range=(0, 1.02),
        y_range=(len(names) - 0.5, -0.55),
        vertical=0.5,
        names=tuple(short(name, 44) for name in names),
    )
    figure = Figure(
        "adversarial-accuracy",
        "Nearest-neighbour adversarial accuracy",
        "Both parts should be as close to the 0.5 line as those of the real-against-real control: lower means copies "
        "(overfitting), higher means that real and artificial haplotypes are easily told apart.",
        "For each set the filled bar is AA_truth (real haplotypes), the hollow bar AA_syn (artificial ones); whiskers "
        "are 95 % intervals where defined. The dashed line is 0.5."
        + (" All at the same number of haplotypes." if equal_n else ""),
        f"Bars of adversarial accuracy: {'; '.join(words)}.",
        [panel],
    )
    return [figure]

"""The figures of scores by label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hapforge.report.data import EvaluationData, Score
from hapforge.report.figures._base import Figure, Panel, Series, in_order, listed, short, shown, styles

SCORES = {
    "aa_truth": "AA_truth",
    "aa_syn": "AA_syn",
    "af_r": "AF r",
    "spectrum_error": "spectrum error",
    "entropy_error": "entropy error",
    "aai_error": "AAI error",
}
"""Scores of a label, and their headings."""

MAX_LABELS = 30  # drawn; all are in the result
MAX_SETS = 6


@dataclass(frozen=True)
class LabelScores:
    """{set or control: {label name: {label: {score name: Score}}}}, the scores being those of `SCORES`.

    All columns are at one n for each label, against one half of the real haplotypes with that label.
    """

    sets: dict[str, dict[str, dict[str, dict[str, Score]]]]


def figures(data: EvaluationData) -> list[Figure]:
    """One figure for each kind of label."""
    if (found := data.curve(LabelScores)) is None:
        return []
    kinds = dict.fromkeys(kind for tables in found.sets.values() for kind in tables)
    return [_figure(data, found, kind, number) for number, kind in enumerate(kinds)]


def _figure(data: EvaluationData, found: LabelScores, kind: str, number: int) -> Figure:
    names = in_order(data, (name for name, tables in found.sets.items() if kind in tables))
    drawn = names[:MAX_SETS]
    every = list(dict.fromkeys(label for name in names for label in found.sets[name][kind]))
    labels = every[:MAX_LABELS]
    style = styles(data)
    panels = []
    for key, heading in SCORES.items():
        series = []
        for i, name in enumerate(drawn):
            table = found.sets[name][kind]
            scores = [table[label][key] if label in table else None for label in labels]
            value, low, high = (
                np.array([math.nan if s is None else getattr(s, part) for s in scores])
                for part in ("value", "low", "high")
            )
            place = np.arange(len(labels), dtype=np.float64) + 0.4 * i / len(drawn)
            series.append(
                Series(
                    "dots",
                    style[name].label,
                    style[name],
                    value,
                    place,
                    low=low,
                    high=high,
                    pale=name in data.controls,
                )
            )
        share = key in ("aa_truth", "aa_syn")
        panels.append(
            Panel(
                heading,
                heading,
                "",
                series,
                x_range=(0, 1.02) if share else None,
                y_range=(len(labels) - 0.4, -0.6),
                vertical=0.5 if share else None,
                names=tuple(short(label, 24) for label in labels),
                legend=True,
            )
        )
    left_out = [
        *([f"{len(every) - len(labels)} further labels"] if len(every) > len(labels) else []),
        *([f"{len(names) - len(drawn)} further sets"] if len(names) > len(drawn) else []),
    ]
    return Figure(
        f"by-label-{number}",
        f"Scores by label: {short(kind, 30)}",
        "Each label should lie where the real-against-real control of that label lies: a label that is modelled badly "
        "does not show in scores of the whole set.",
        "Each label on its own, at the same number of haplotypes for all sets, against half of the real ones; controls "
        "are hollow; lines are 95 % intervals. A label with fewer than 10 haplotypes has no mark."
        + (f" Not drawn: {' and '.join(left_out)}; the result has them." if left_out else ""),
        f"Six scores of {len(labels)} labels of {shown(kind)} for {listed(drawn)}.",
        panels,
    )

"""The figure of adversarial accuracy with real haplotypes mixed in."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hapforge.metrics.mixing import MixedAccuracy
from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, in_order, listed, styles


@dataclass(frozen=True)
class MixedAccuracies:
    """Adversarial accuracy of every set with some of its haplotypes replaced by copies of real ones."""

    sets: dict[str, MixedAccuracy]


def figures(data: EvaluationData) -> list[Figure]:
    """Both parts against the share that is replaced."""
    if (mixed := data.curve(MixedAccuracies)) is None or not (names := in_order(data, mixed.sets)):
        return []
    style = styles(data)

    def panel(part: str, title: str) -> Panel:
        series = []
        for name in names:
            found = mixed.sets[name]
            share = 100 * np.maximum(found.copies, 0.5) / found.n
            series.append(Series("line", style[name].label, style[name], share, getattr(found, part)))
        return Panel("", "% of haplotypes that are copies", title, series, log_x=True, y_range=(0, 1.02), legend=True)

    figure = Figure(
        "mixed-accuracy",
        "What adversarial accuracy notices of copies",
        "A curve that is flat on the left means that so many copies of real haplotypes in the set would go unnoticed: "
        "read the closest pairs, which see single ones.",
        "0, 1, 10, 50, 100, 500 ... haplotypes of each set replaced by copies of real ones, up to half of it; the set "
        "itself is drawn at half a haplotype.",
        f"Adversarial accuracy against the share of copies mixed into {listed(names)}.",
        [panel("aa_truth", "AA_truth"), panel("aa_syn", "AA_syn")],
    )
    return [figure]

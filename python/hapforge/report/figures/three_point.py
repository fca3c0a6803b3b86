"""Figures of 3-point correlations."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, in_order, shown, styles


@dataclass(frozen=True)
class ThreePointDensities:
    """3-point correlations of the same triplets of sites in the real cohort (columns) and in the first sets (rows).

    Attributes
    ----------
    num_triplets : {kind: int}; a kind is a spacing in sites, or "random"
    tops : {kind: float}, cells cut -top to top evenly: the greatest absolute value in any of these cohorts
    grids : {set: {kind: int64 (cells, cells)}}, triplets; an odd number of cells, 0 is in the middle one
    """

    num_triplets: dict[str, int]
    tops: dict[str, float]
    grids: dict[str, dict[str, NDArray[np.int64]]]


def figures(data: EvaluationData) -> list[Figure]:
    """One figure for each set, one panel for each spacing."""
    if (found := data.curve(ThreePointDensities)) is None:
        return []
    style = styles(data)
    counts = ", ".join(f"{kind}: {number:,}" for kind, number in found.num_triplets.items())
    built = []
    for i, name in enumerate(in_order(data, found.grids)):
        panels = []
        for kind, grid in found.grids[name].items():
            top, cells = found.tops[kind], len(grid)
            centre = top * ((2 * np.arange(cells) + 1) / cells - 1)
            series = Series("density", shown(name), style[name], centre, centre, counts=grid, unit="triplets")
            title = "random sites" if kind == "random" else f"spacing {kind}"
            panels.append(Panel(title, "real", "set", [series], (-top, top), (-top, top), diagonal=True))
        built.append(
            Figure(
                f"three-point-{i}",
                f"3-point correlations: {shown(name)}",
                "On the line three sites vary together as in the real cohort; a flat row means that this was lost, "
                "first at the wider spacings.",
                f"Triplets of sites with this spacing in sites between neighbours, by their 3-point correlation in "
                f"{cells} x {cells} cells; a stronger colour means more. Number of triplets: {counts}.",
                f"3-point correlation of triplets of sites in the real cohort against {shown(name)}, by spacing, with "
                "the line of equality.",
                panels,
            )
        )
    return built

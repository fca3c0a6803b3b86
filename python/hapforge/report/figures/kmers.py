"""Figures of counts of short haplotype motifs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, in_order, listed, shown, styles


@dataclass(frozen=True)
class MotifDensities:
    """Motifs of k sites by their number of carriers in the real cohort (columns) and in a set (rows).

    Attributes
    ----------
    num_haplotypes : int, of the real cohort, which counts of all sets are scaled to
    tops : {k: float}, in haplotypes: cells cut 0 to this evenly, the last ones have also what is more
    grids : {k: {set: int64 (cells, cells)}}
    """

    num_haplotypes: int
    tops: dict[str, float]
    grids: dict[str, dict[str, NDArray[np.int64]]]


def figures(data: EvaluationData) -> list[Figure]:
    """One figure for each length, one panel for each set."""
    if (found := data.curve(MotifDensities)) is None:
        return []
    style = styles(data)
    built = []
    for k, grids in found.grids.items():
        names = in_order(data, grids)
        panels = []
        for name in names:
            cells = len(grids[name])
            centre = (np.arange(cells) + 0.5) * found.tops[k] / cells
            series = Series("density", shown(name), style[name], centre, centre, counts=grids[name], unit="motifs")
            limits = (0.0, found.tops[k])
            panels.append(
                Panel(shown(name), "haplotypes, real", "haplotypes, set", [series], limits, limits, diagonal=True)
            )
        num_motifs = max(int(grid.sum()) for grid in grids.values())
        built.append(
            Figure(
                f"motifs-{k}",
                f"Haplotype motifs of {k} sites",
                "On the line a motif is as frequent in the set as in the real cohort; along the left edge are motifs "
                "that the set has made up, along the bottom motifs that it has lost.",
                f"Every motif that occurs in windows of {k} neighbouring sites that do not overlap, by its number of "
                f"carriers (that of a set scaled to the {found.num_haplotypes:,} real haplotypes); up to "
                f"{num_motifs:,} motifs in {cells} x {cells} cells, a stronger colour means more; "
                "those above are drawn at the edge.",
                f"Carriers of each motif of {k} sites in the real cohort against {listed(names)}, with the line of "
                "equality.",
                panels,
            )
        )
    return built

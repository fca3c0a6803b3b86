"""Figure of UMAP layouts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, Figure, Panel, Series, in_order, listed, shown, styles


@dataclass(frozen=True)
class UMAPLayout:
    """Where UMAP puts rows of the real cohort and of one set: float64 (n, 2) each, at most 750 rows."""

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]


@dataclass(frozen=True)
class PairUMAPs:
    """The UMAP of every set or control, each together with the real cohort."""

    sets: dict[str, UMAPLayout]


def figures(data: EvaluationData) -> list[Figure]:
    """A UMAP of the real cohort with each set."""
    if (pairs := data.curve(PairUMAPs)) is None or not (names := in_order(data, pairs.sets)):
        return []
    style = styles(data)
    panels = []
    for name in names:
        layout = pairs.sets[name]
        series = [
            Series("points", label, how, points[:, 0], points[:, 1])
            for label, how, points in ((REAL.label, REAL, layout.real), (shown(name), style[name], layout.synthetic))
        ]
        panels.append(Panel(shown(name), "UMAP 1", "UMAP 2", series))
    most = max(len(points) for layout in pairs.sets.values() for points in (layout.real, layout.synthetic))
    return [
        Figure(
            "umap",
            "UMAP",
            "Grey and colour should be mixed in every island. Islands of one colour are structure of one set alone; "
            "the distances between islands mean little.",
            "Every panel is a UMAP of its own, of haplotypes of the real cohort (grey) and of one set (coloured); at "
            f"most {most:,} of each are drawn.",
            f"UMAP of the real cohort overlaid with {listed(names)}.",
            panels,
        )
    ]

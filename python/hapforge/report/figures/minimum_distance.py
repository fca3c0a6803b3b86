"""The figure of distances to the closest neighbour."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, REAL_WITHIN, Bins, Figure, Panel, Series, in_order, listed, styles


@dataclass(frozen=True)
class MinimumDistances:
    """Haplotypes by the distance to their closest neighbour, at equal n: int64 (1 + greatest distance,).

    Attributes
    ----------
    real : real haplotypes, neighbour real
    within : haplotypes of a set, neighbour of the same set
    to_real : haplotypes of a set, neighbour real
    from_real : real haplotypes, neighbour of the set
    n : int, rows of each set
    repeats : int, subsamples that were counted together
    """

    real: NDArray[np.int64]
    within: dict[str, NDArray[np.int64]]
    to_real: dict[str, NDArray[np.int64]]
    from_real: dict[str, NDArray[np.int64]]
    n: int
    repeats: int


def figures(data: EvaluationData) -> list[Figure]:
    """Distances within sets, from sets to the real cohort, and back."""
    if (found := data.curve(MinimumDistances)) is None or not (names := in_order(data, found.within)):
        return []
    style = styles(data)
    parts = (found.within, found.to_real, found.from_real)
    bins = Bins.covering([found.real, *(counts for part in parts for counts in part.values())])
    real = Series("line", REAL_WITHIN, REAL, *bins.percentages(found.real))

    def panel(title: str, counts: Mapping[str, NDArray[np.int64]]) -> Panel:
        lines = [Series("line", style[n].label, style[n], *bins.percentages(counts[n])) for n in names]
        return Panel(
            title, "differences from the closest one", "% of haplotypes, per difference", [real, *lines], legend=True
        )

    figure = Figure(
        "minimum-distances",
        "Distance to the closest neighbour",
        "The curves should lie on the real one. Within a set, further left means clumps of near-identical haplotypes; "
        "from a set to the real cohort, further left means near copies, further right haplotypes off the real ground; "
        "from real to a set, further right means real haplotypes that have no counterpart.",
        f"{bins.described}; all at {found.n:,} haplotypes, {found.repeats} subsamples counted together; the real "
        "curve is the same in all panels.",
        f"Distribution of the distance to the closest neighbour, within and between the real cohort, {listed(names)}.",
        [
            panel("Within each set", found.within),
            panel("From each set to real", found.to_real),
            panel("From real to each set", found.from_real),
        ],
    )
    return [figure]

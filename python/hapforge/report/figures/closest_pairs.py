"""The figure of the smallest distances to training haplotypes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, Style, in_order, listed, shown, styles

_REFERENCE = Style("other real haplotypes", "real")


@dataclass(frozen=True)
class ClosestSet:
    """How near the haplotypes of a set are to training haplotypes.

    Attributes
    ----------
    curve : int64 (shares,), so many differences or fewer has that share of the haplotypes to its closest training one
    quantiles : float64 (4,), the least, and the 0.1 %, 1 % and 5 % quantiles
    synthetic, real, distance, next_distance : the 20 closest pairs: haplotype ids, differences, and differences to the
        next training haplotype (-1: there is none)
    """

    curve: NDArray[np.int64]
    quantiles: NDArray[np.float64]
    synthetic: list[str]
    real: list[str]
    distance: list[int]
    next_distance: list[int]


@dataclass(frozen=True)
class ClosestDistances:
    """The lower tail of the distances to the closest training haplotype.

    Attributes
    ----------
    shares : float64 (shares,), of the haplotypes
    reference : int64 (shares,), the curve of other real haplotypes
    reference_rows : str, whose distances that curve is
    levels : of `quantiles`
    sets : {set or control: ClosestSet}
    """

    shares: NDArray[np.float64]
    reference: NDArray[np.int64]
    reference_rows: str
    levels: list[float]
    sets: dict[str, ClosestSet]


def figures(data: EvaluationData) -> list[Figure]:
    """Curves of all sets, and the closest pair of each in words."""
    if (closest := data.curve(ClosestDistances)) is None or not (names := in_order(data, closest.sets)):
        return []
    style = styles(data)
    x = 100 * closest.shares
    series = [Series("line", _REFERENCE.label, _REFERENCE, x, closest.reference.astype(np.float64))]
    series += [
        Series("line", style[name].label, style[name], x, closest.sets[name].curve.astype(np.float64)) for name in names
    ]
    words = [
        f"{shown(name)} {found.distance[0]:,}" + (f" (next {found.next_distance[0]:,})" * (found.next_distance[0] >= 0))
        for name in names
        if (found := closest.sets[name]).distance
    ]
    figure = Figure(
        "closest-pairs",
        "Closest pairs",
        "A curve well below that of other real haplotypes on the left means near copies of training haplotypes. One "
        "whose closest pair is much closer than the next training haplotype points at a single copied person.",
        f"Differences from the closest of {data.real_haplotypes:,} training haplotypes, of {data.num_sites:,} sites; "
        f"other real haplotypes: {closest.reference_rows}. Closest pair: {'; '.join(words)}. The 20 closest pairs of "
        "each set are in the JSON file.",
        f"Lower tail of the distance to the closest training haplotype of {listed(names)}.",
        [
            Panel(
                "",
                "% of haplotypes that are so near or nearer",
                "differences from the closest one",
                series,
                log_x=True,
                legend=True,
            )
        ],
    )
    return [figure]

"""The figure of pairwise differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import (
    REAL,
    REAL_WITHIN,
    Bins,
    Figure,
    Panel,
    Series,
    in_order,
    listed,
    shown,
    styles,
)


@dataclass(frozen=True)
class PairwiseDifferences:
    """Pairs at every distance, int64 (1 + greatest distance,): within a set, and between it and the real one."""

    within_real: NDArray[np.int64]
    within: dict[str, NDArray[np.int64]]
    between: dict[str, NDArray[np.int64]]


def figures(data: EvaluationData) -> list[Figure]:
    """Differences within sets, and between each and the real cohort."""
    if (pairs := data.curve(PairwiseDifferences)) is None:
        return []
    names = in_order(data, {*pairs.within, *pairs.between})
    bins = Bins.covering([pairs.within_real, *pairs.within.values(), *pairs.between.values()])
    style = styles(data)
    real = Series("line", REAL_WITHIN, REAL, *bins.percentages(pairs.within_real))

    def panel(title: str, counts: Mapping[str, NDArray[np.int64]]) -> Panel:
        lines = [
            Series("line", style[name].label, style[name], *bins.percentages(counts[name]))
            for name in names
            if name in counts
        ]
        return Panel(
            title, "differences between two haplotypes", "% of pairs, per difference", [real, *lines], legend=True
        )

    copies = {name: int(pairs.between[name][0]) for name in names if name in pairs.between}
    caption = f"{bins.described}; the real curve is the same in both panels."
    if any(copies.values()):
        found = ", ".join(f"{shown(name)} {count:,}" for name, count in copies.items() if count)
        caption += f" Pairs of a real and an identical other haplotype: {found}."
    figure = Figure(
        "pairwise-differences",
        "Pairwise differences",
        "The curves should lie on the real one: a peak further left means too little diversity, and mass near zero "
        "between a set and the real cohort means copies.",
        caption,
        f"Distribution of pairwise differences within the real cohort and {listed(names)}, and between them.",
        [panel("Within each set", pairs.within), panel("Between each set and real", pairs.between)],
    )
    return [figure]

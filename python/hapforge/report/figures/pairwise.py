"""The figure of pairwise differences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import (
    MAX_BINS,
    REAL,
    REAL_WITHIN,
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
    """Numbers of pairs at every distance: int64 (num_sites + 1,) within a set and between it and the real one."""

    within_real: NDArray[np.int64]
    within: dict[str, NDArray[np.int64]]
    between: dict[str, NDArray[np.int64]]


def _distribution(
    counts: NDArray[np.int64], first: int, width: int, num_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bin centres (differences) and the percentage of pairs per difference in each bin."""
    part = np.zeros(num_bins * width)
    inside = counts[first : first + num_bins * width]
    part[: len(inside)] = inside
    centres = first + (np.arange(num_bins, dtype=np.float64) + 0.5) * width - 0.5
    total = max(1, int(counts.sum()))
    return centres, 100 * part.reshape(num_bins, width).sum(axis=1) / width / total


def figures(data: EvaluationData) -> list[Figure]:
    """Differences within sets, and between each and the real cohort."""
    if (pairs := data.curve(PairwiseDifferences)) is None:
        return []
    names = in_order(data, {*pairs.within, *pairs.between})
    first, width, num_bins = _bins(pairs)
    style = styles(data)
    real = Series("line", REAL_WITHIN, REAL, *_distribution(pairs.within_real, first, width, num_bins))

    def panel(title: str, counts: Mapping[str, NDArray[np.int64]]) -> Panel:
        lines = [
            Series("line", style[name].label, style[name], *_distribution(counts[name], first, width, num_bins))
            for name in names
            if name in counts
        ]
        return Panel(
            title, "differences between two haplotypes", "% of pairs, per difference", [real, *lines], legend=True
        )

    copies = {name: int(pairs.between[name][0]) for name in names if name in pairs.between}
    caption = f"Bins of {width:,} difference{'s' if width > 1 else ''}; the real curve is the same in both panels."
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


def _bins(pairs: PairwiseDifferences) -> tuple[int, int, int]:
    """First difference, bin width and number of bins that cover every distribution."""
    used = np.zeros(len(pairs.within_real), dtype=bool)
    for counts in (pairs.within_real, *pairs.within.values(), *pairs.between.values()):
        used |= counts > 0
    where = np.flatnonzero(used)
    first, last = (int(where[0]), int(where[-1])) if len(where) else (0, 0)
    width = -(-(last - first + 1) // MAX_BINS)
    return first, width, -(-(last - first + 1) // width)

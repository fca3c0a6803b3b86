"""The figure of nearest-neighbour chains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import Figure, Panel, Series, Style, in_order, listed, styles

_EVEN = Style("even mix", "real", "dot")
_SIZES = np.arange(2.0, 6.0)
_PANELS = (
    ("SS, SSS, …", "S", "S"),
    ("ST, STT, …", "S", "T"),
    ("TT, TTT, …", "T", "T"),
    ("TS, TSS, …", "T", "S"),
)


@dataclass(frozen=True)
class NeighbourChains:
    """Chains of nearest neighbours at equal n.

    Attributes
    ----------
    patterns : the 60 patterns of 2 to 5 haplotypes, S synthetic and T real
    frequency : {set or control: share of the chains of their size, in the order of `patterns`}
    n : int, rows of each set
    """

    patterns: list[str]
    frequency: dict[str, list[float]]
    n: int


def figures(data: EvaluationData) -> list[Figure]:
    """Patterns that go on in one set, by their size."""
    if (chains := data.curve(NeighbourChains)) is None or not (names := in_order(data, chains.frequency)):
        return []
    style = styles(data)
    found = {name: dict(zip(chains.patterns, chains.frequency[name], strict=True)) for name in names}
    panels = []
    for title, start, rest in _PANELS:
        patterns = [start + rest * (int(size) - 1) for size in _SIZES]
        series = [Series("line", _EVEN.label, _EVEN, _SIZES, 2 * 0.5**_SIZES)]
        series += [
            Series(
                "line",
                style[name].label,
                style[name],
                _SIZES,
                np.array([2 * found[name][pattern] for pattern in patterns]),
            )
            for name in names
        ]
        panels.append(
            Panel(title, "haplotypes in the chain", "share of the chains", series, y_range=(0, 1.02), legend=True)
        )
    figure = Figure(
        "neighbour-chains",
        "Nearest-neighbour chains",
        "From a haplotype to its nearest neighbour, on to that one's nearest, and so on. All curves should lie on "
        "that of an even mix, as the control's do: chains that stay synthetic mean clumps, synthetic ones that turn "
        "real at once and stay there mean haplotypes scattered around the real modes.",
        "Share of the chains that begin with a synthetic (S) or real (T) haplotype, for 16 of the 60 patterns; from "
        f"each of 2 x {chains.n:,} haplotypes, none is visited twice.",
        f"Frequency of chains of two to five nearest neighbours that stay synthetic or real, for {listed(names)}.",
        panels,
    )
    return [figure]

"""Figures of linkage disequilibrium."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, Figure, Panel, Series, in_order, listed, shown, styles

_MAX_CELLS = 160_000  # of all the matrices of a figure
_NO_CURVE = np.empty(0)


@dataclass(frozen=True)
class LDDecayCurves:
    """Mean r² per distance bin [edges[i], edges[i + 1]): float64 (num_bins,), NaN where a bin is empty.

    `real` is over all sites that vary in the real set; a set's curve in `sets` and the real one in `real_beside` under
    the same name are over the sites that vary in both, and are what the scores compare. The two that end in `_common`
    leave out the sites with an ALT frequency below 0.1 (in the real set, in either). Edges are in `unit`: "bp", "cM",
    or "sites" where positions are not known.
    """

    edges: NDArray[np.float64]
    real: NDArray[np.float64]
    sets: dict[str, NDArray[np.float64]]
    unit: str
    real_beside: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    real_common: NDArray[np.float64] = field(default_factory=lambda: _NO_CURVE)
    sets_common: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class LDMatrices:
    """Mean r² of the pairs between cells of consecutive sites, in thousandths: real below the diagonal, set above.

    Attributes
    ----------
    edges : {set: int64 (num_cells + 1,)}, counting the sites that vary in both; a cell of one site is that site
    per_mille : {set: int64 (num_cells, num_cells)}, -1 where there is no pair; [row i, column j] is the real one for
        j >= i and the set's for j < i, rows counted from the bottom
    """

    edges: dict[str, NDArray[np.int64]]
    per_mille: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class LDCorrelation:
    """Pairs of sites counted by their r² in both sets, from a seeded sample of all pairs.

    Attributes
    ----------
    edges : float64 (num_cells + 1,), of both axes
    counts : {set: int64 (num_cells, num_cells)}, [r² in the set, r² in the real set]
    """

    edges: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]


def figures(data: EvaluationData) -> list[Figure]:
    """Matrices, decay with distance, bins against bins, pairs against pairs."""
    found = []
    if (matrices := data.curve(LDMatrices)) is not None and matrices.per_mille:
        found.append(_matrices(data, matrices))
    if (ld := data.curve(LDDecayCurves)) is not None:
        found.append(_decay(data, ld))
        if ld.sets_common:
            found.append(_common_decay(data, ld))
        if ld.real_beside:
            found.append(_bins(data, ld))
    if (pairs := data.curve(LDCorrelation)) is not None and pairs.counts:
        found.append(_pairs(data, pairs))
    return found


def _matrices(data: EvaluationData, ld: LDMatrices) -> Figure:
    names, style = in_order(data, ld.per_mille), styles(data)
    most = max(1, int(np.sqrt(_MAX_CELLS / len(names))))
    tables = {}
    for name in names:
        values = np.where(ld.per_mille[name] < 0, np.nan, ld.per_mille[name] / 1000)
        tables[name] = _coarser(values, ld.edges[name], -(-len(values) // most))
    apart = np.concatenate([values[~np.eye(len(values), dtype=bool)] for values, _ in tables.values()])
    apart = apart[np.isfinite(apart)]
    top = float(np.clip(np.quantile(apart, 0.995), 0.01, 1)) if len(apart) else 1.0
    panels, sizes = [], set()
    for name, (values, edges) in tables.items():
        centres = (edges[:-1] + edges[1:] - 1) / 2
        limits = -0.5, float(edges[-1]) - 0.5
        series = Series("image", shown(name), style[name], centres, centres, values=values, top=top)
        panels.append(Panel(shown(name), "site", "site", [series], limits, limits, diagonal=True))
        sizes.add(int(edges[1] - edges[0]))
    runs = " or ".join(f"{size:,}" for size in sorted(sizes))
    size = (
        "each cell a pair of sites"
        if sizes == {1}
        else f"each cell the mean of the pairs between two runs of {runs} sites"
    )
    return Figure(
        "ld-matrix",
        "Linkage disequilibrium between sites",
        "The two triangles should mirror each other: blocks that are paler above the diagonal are correlation that was "
        "lost, patches far from it correlation that was invented.",
        f"r², {size}, real below the diagonal and the set above it, over the sites that vary in both; from white at 0 "
        f"to full colour at {top:.2g} and beyond.",
        f"Matrix of r² between sites, real below and set above the diagonal, for {listed(names)}.",
        panels,
    )


def _coarser(
    values: NDArray[np.float64], edges: NDArray[np.int64], factor: int
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Means over squares of factor x factor cells; the real and the synthetic triangle stay apart."""
    if factor == 1:
        return values, edges
    first = np.arange(0, len(values), factor)

    def sums(table: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.asarray(np.add.reduceat(np.add.reduceat(table, first, axis=0), first, axis=1))

    below = np.tri(len(values), dtype=bool).T
    known = np.isfinite(values)
    parts = []
    for triangle in (below, ~below):
        used = known & triangle
        count = sums(used.astype(np.float64))
        total = sums(np.where(used, values, 0.0))
        parts.append(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))
    return np.where(np.tri(len(first), dtype=bool).T, parts[0], parts[1]), np.append(edges[:-1][first], edges[-1])


def _decay_panel(
    data: EvaluationData, ld: LDDecayCurves, real: NDArray[np.float64], sets: dict[str, NDArray[np.float64]]
) -> Panel:
    style = styles(data)
    low, high = ld.edges[:-1], ld.edges[1:]
    centres = np.where(low > 0, np.sqrt(np.maximum(low, 0) * high), high / 2)
    names = in_order(data, sets)
    used = np.isfinite([real, *(sets[name] for name in names)]).any(axis=0)
    series = [Series("line", REAL.label, REAL, centres[used], real[used])]
    series += [Series("line", style[name].label, style[name], centres[used], sets[name][used]) for name in names]
    unit = "sites; positions are not known" if ld.unit == "sites" else ld.unit
    return Panel("", f"distance ({unit})", "mean r²", series, log_x=True, legend=True)


def _decay(data: EvaluationData, ld: LDDecayCurves) -> Figure:
    beside = " The real curve is over all sites that vary in the real cohort, a set's over those that vary in both."
    return Figure(
        "ld-decay",
        "Decay of linkage disequilibrium",
        "A curve below the real one means that correlation between sites was lost at that distance; one that stays "
        "high far out means too few distinct haplotypes.",
        f"Mean r² of site pairs in {len(ld.real)} distance bins, distance on a logarithmic axis."
        + (beside if ld.real_beside else ""),
        f"Mean r² against distance for the real cohort and {listed(in_order(data, ld.sets))}.",
        [_decay_panel(data, ld, ld.real, ld.sets)],
    )


def _common_decay(data: EvaluationData, ld: LDDecayCurves) -> Figure:
    return Figure(
        "ld-decay-common",
        "Decay between common sites",
        "The same without rare variants, whose r² is low whatever the model: what differs here is not a matter of "
        "lost rare sites.",
        "As above, without the sites whose ALT allele is rarer than 0.1 in the real cohort (real curve) or in either "
        "(a set's).",
        "Mean r² between common sites against distance for the real cohort and "
        f"{listed(in_order(data, ld.sets_common))}.",
        [_decay_panel(data, ld, ld.real_common, ld.sets_common)],
    )


def _bins(data: EvaluationData, ld: LDDecayCurves) -> Figure:
    names, style = in_order(data, ld.real_beside), styles(data)
    most = max(
        float(np.nanmax(curve, initial=0.01)) for name in names for curve in (ld.real_beside[name], ld.sets[name])
    )
    limits = -0.02 * most, 1.05 * most
    panels = [
        Panel(
            shown(name),
            "mean r², real",
            "mean r², set",
            [Series("points", shown(name), style[name], ld.real_beside[name], ld.sets[name])],
            limits,
            limits,
            diagonal=True,
        )
        for name in names
    ]
    return Figure(
        "ld-bins",
        "Decay, bin against bin",
        "Points on the line mean as much correlation at that distance as in the real cohort.",
        "One point per distance bin, both means over the same pairs of sites; LD decay r is the correlation of these "
        "points.",
        f"Mean r² per distance bin in the real cohort against {listed(names)}, with the line of equality.",
        panels,
    )


def _pairs(data: EvaluationData, ld: LDCorrelation) -> Figure:
    names, style = in_order(data, ld.counts), styles(data)
    centres = (ld.edges[:-1] + ld.edges[1:]) / 2
    panels = [
        Panel(
            shown(name),
            "r², real",
            "r², set",
            [Series("density", shown(name), style[name], centres, centres, counts=ld.counts[name])],
            (0, 1),
            (0, 1),
            diagonal=True,
        )
        for name in names
    ]
    most = max(int(counts.sum()) for counts in ld.counts.values())
    return Figure(
        "ld-pairs",
        "r² pair by pair",
        "Pairs on the line are as correlated as in the real cohort; a cloud along the horizontal axis is correlation "
        "that the set has lost, one along the vertical axis correlation that it has invented.",
        f"{most:,} pairs of sites, all or drawn at random, in {len(centres)} x {len(centres)} cells; a stronger colour "
        "means more.",
        f"r² of pairs of sites in the real cohort against {listed(names)}, with the line of equality.",
        panels,
    )

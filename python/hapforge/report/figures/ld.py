"""Figures of linkage disequilibrium."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, Figure, Panel, Series, in_order, listed, styles


@dataclass(frozen=True)
class LDDecayCurves:
    """Mean r² per distance bin [edges[i], edges[i + 1]): float64 (num_bins,), NaN where a bin is empty.

    `real` is over all sites that vary in the real set; a set's curve in `sets` and the real one in `real_beside` under
    the same name are over the sites that vary in both, and are what the scores compare.
    """

    edges_bp: NDArray[np.float64]
    real: NDArray[np.float64]
    sets: dict[str, NDArray[np.float64]]
    position_known: bool
    real_beside: dict[str, NDArray[np.float64]] = field(default_factory=dict)


_LD_SITES = " The real curve is over all sites that vary in the real cohort, a set's over those that vary in both."


def _ld_panel(data: EvaluationData, ld: LDDecayCurves) -> Panel:
    style = styles(data)
    low, high = ld.edges_bp[:-1], ld.edges_bp[1:]
    centres = np.where(low > 0, np.sqrt(np.maximum(low, 0) * high), high / 2)
    names = in_order(data, ld.sets)
    used = np.isfinite([ld.real, *(ld.sets[name] for name in names)]).any(axis=0)
    series = [Series("line", REAL.label, REAL, centres[used], ld.real[used])]
    series += [Series("line", style[name].label, style[name], centres[used], ld.sets[name][used]) for name in names]
    unit = "bp" if ld.position_known else "sites; positions are not known"
    return Panel("", f"distance ({unit})", "mean r²", series, log_x=True, legend=True)


def figures(data: EvaluationData) -> list[Figure]:
    """Decay with distance."""
    if (ld := data.curve(LDDecayCurves)) is None:
        return []
    figure = Figure(
        "ld-decay",
        "Decay of linkage disequilibrium",
        "A curve below the real one means that correlation between sites was lost at that distance; one that stays "
        "high far out means too few distinct haplotypes.",
        f"Mean r² of site pairs in {len(ld.real)} distance bins, distance on a logarithmic axis."
        + (_LD_SITES if ld.real_beside else ""),
        f"Mean r² against distance for the real cohort and {listed(in_order(data, ld.sets))}.",
        [_ld_panel(data, ld)],
    )
    return [figure]

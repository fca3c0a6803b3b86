"""Figures of allele frequencies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics.allele_frequency import LOW_FREQUENCY
from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import (
    GRID,
    MAX_POINTS,
    MAX_SITES_AS_POINTS,
    Figure,
    Panel,
    Series,
    in_order,
    listed,
    shown,
    styles,
)


@dataclass(frozen=True)
class AlleleFrequencies:
    """ALT frequencies: `real` and each of `sets` float64 (num_sites,)."""

    real: NDArray[np.float64]
    sets: dict[str, NDArray[np.float64]]


def figures(data: EvaluationData) -> list[Figure]:
    """All sites, then those of low frequency."""
    if (af := data.curve(AlleleFrequencies)) is None:
        return []
    return [f for f in (_allele_frequencies(data, af), _low_allele_frequencies(data, af)) if f is not None]


def _allele_frequencies(data: EvaluationData, af: AlleleFrequencies) -> Figure | None:
    return _frequency_figure(
        data,
        af,
        np.ones(len(af.real), dtype=bool),
        (1.0, 1.0),
        key="allele-frequencies",
        heading="Allele frequencies",
        look="Points on the line mean that a site is as frequent in the set as in the real cohort; a flat row along "
        "the bottom or the top means sites that the set has lost or fixed.",
    )


def _low_allele_frequencies(data: EvaluationData, af: AlleleFrequencies) -> Figure | None:
    if not (low := af.real <= LOW_FREQUENCY).any():
        return None
    highest = max((float(np.nanmax(f[low], initial=0)) for f in af.sets.values()), default=0.0)
    return _frequency_figure(
        data,
        af,
        low,
        (LOW_FREQUENCY, min(0.3, max(LOW_FREQUENCY, highest))),
        key="low-allele-frequencies",
        heading=f"Allele frequencies up to {LOW_FREQUENCY}",
        look="The same, enlarged: rare variants are lost first, and the correlation over all sites hides it.",
    )


def _frequency_figure(
    data: EvaluationData,
    af: AlleleFrequencies,
    chosen: NDArray[np.bool_],
    limits: tuple[float, float],
    *,
    key: str,
    heading: str,
    look: str,
) -> Figure | None:
    style = styles(data)
    names = in_order(data, af.sets)
    if not names:
        return None
    real, num_sites = af.real[chosen], int(chosen.sum())
    as_points = num_sites <= MAX_SITES_AS_POINTS and num_sites * len(names) <= MAX_POINTS
    panels, above = [], 0
    for name in names:
        synthetic = af.sets[name][chosen]
        above += int((synthetic > limits[1]).sum())
        synthetic = np.minimum(synthetic, limits[1])
        if as_points:
            series = Series("points", shown(name), style[name], real, synthetic)
        else:
            counts, y_edges, x_edges = np.histogram2d(
                synthetic, real, bins=GRID, range=((0, limits[1]), (0, limits[0]))
            )
            x, y = (x_edges[:-1] + x_edges[1:]) / 2, (y_edges[:-1] + y_edges[1:]) / 2
            series = Series("density", shown(name), style[name], x, y, counts=counts.astype(np.int64))
        panels.append(
            Panel(shown(name), "ALT frequency, real", "ALT frequency, set", [series], *_padded(limits), diagonal=True)
        )
    caption = f"{num_sites:,} sites" + (
        ", one point each." if as_points else f", counted in {GRID} x {GRID} cells; a stronger colour means more."
    )
    if above:
        caption += f" {above:,} points above {limits[1]:g} are drawn at the upper edge."
    alt = f"ALT frequency in the real cohort against {listed(names)}, {num_sites:,} sites, with the line of equality."
    return Figure(key, heading, look, caption, alt, panels)


def _padded(limits: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    return (-0.02 * limits[0], 1.02 * limits[0]), (-0.02 * limits[1], 1.02 * limits[1])

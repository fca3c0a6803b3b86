"""Figures of principal components."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import (
    MAX_CLOUD,
    MAX_POINTS,
    REAL,
    Figure,
    Panel,
    Series,
    Style,
    in_order,
    listed,
    shown,
    styles,
)


@dataclass(frozen=True)
class PrincipalComponents:
    """PCA of real and one set together.

    Attributes
    ----------
    real, synthetic : float64 (n, 2), coordinates of at most 5,000 rows of each
    explained : float64 (2,), share of the variance along each component
    """

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    explained: NDArray[np.float64]


@dataclass(frozen=True)
class PairPCAs:
    """The PCA of every set or control, each together with the real cohort."""

    sets: dict[str, PrincipalComponents]


def _thinned(points: NDArray[np.float64], most: int) -> NDArray[np.float64]:
    """At most so many rows, chosen with a fixed seed, in their order."""
    if len(points) <= most:
        return points
    return points[np.sort(np.random.default_rng(0).choice(len(points), most, replace=False))]


def _pca_panel(name: str, pca: PrincipalComponents, style: Style, most: int) -> Panel:
    series = [
        Series("points", label, s, points[:, 0], points[:, 1])
        for label, s, points in (
            (REAL.label, REAL, _thinned(pca.real, most)),
            (shown(name), style, _thinned(pca.synthetic, most)),
        )
    ]
    labels = [f"PC{i + 1} ({100 * ratio:.1f} %)" for i, ratio in enumerate(pca.explained)]
    return Panel(shown(name), labels[0], labels[1], series)


def figures(data: EvaluationData) -> list[Figure]:
    """A PCA of the real cohort with each set."""
    if (pairs := data.curve(PairPCAs)) is None or not (names := in_order(data, pairs.sets)):
        return []
    style = styles(data)
    most = min(MAX_CLOUD, MAX_POINTS // (2 * len(names)))
    panels = [_pca_panel(name, pairs.sets[name], style[name], most) for name in names]
    sizes = [len(cloud) for p in pairs.sets.values() for cloud in (p.real, p.synthetic)]
    caption = "Every panel is a PCA of its own: the real cohort (grey) together with one set (coloured)."
    if max(sizes) > most:
        total = max(*sizes, data.real_haplotypes, *(data.num_haplotypes.get(name, 0) for name in names))
        caption += f" Of each cloud {most:,} points are drawn (of up to {total:,}), chosen with a fixed seed."
    figure = Figure(
        "principal-components",
        "Principal components",
        "The two clouds should cover the same ground with the same density: coloured points where there is no grey "
        "are invented structure, grey without colour is diversity that was lost.",
        caption,
        f"First two principal components of the real cohort overlaid with {listed(names)}.",
        panels,
    )
    return [figure]

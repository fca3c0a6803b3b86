"""Figures of principal components: all sets together, each with the real cohort, and their distances."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, Figure, Panel, Series, Style, in_order, listed, shown, styles

MAX_LATER_SETS = 3  # sets whose further components are drawn


@dataclass(frozen=True)
class CombinedPCA:
    """One PCA of the real cohort and all sets together.

    Attributes
    ----------
    explained : float64 (k,), shares of the variance
    x, y : float64 (columns,), (rows,), cell centres along the first and second component
    real : int64 (rows, columns), haplotypes of the real cohort in every cell
    sets : {name: the same}
    """

    explained: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    real: NDArray[np.int64]
    sets: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class PrincipalComponents:
    """PCA of real and one set together.

    Attributes
    ----------
    real, synthetic : float64 (n, k), coordinates of at most 300 rows of each
    explained : float64 (k,), share of the variance along each component
    x, y : float64 (columns,), (rows,), cell centres along the first and second component
    density : int64 (rows, columns), haplotypes of the real cohort in every cell, all of them
    wasserstein : float64 (pairs,), entropic cost on components 1 and 2, 3 and 4, ...
    """

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    explained: NDArray[np.float64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    density: NDArray[np.int64]
    wasserstein: NDArray[np.float64]


@dataclass(frozen=True)
class PairPCAs:
    """The PCA of every set or control, each together with the real cohort."""

    sets: dict[str, PrincipalComponents]


def _axis(component: int, explained: NDArray[np.float64]) -> str:
    return f"PC{component + 1} ({100 * explained[component]:.1f} %)"


def _range(centres: NDArray[np.float64]) -> tuple[float, float]:
    """From edge to edge of the cells."""
    half = (centres[1] - centres[0]) / 2
    return float(centres[0] - half), float(centres[-1] + half)


def _combined(data: EvaluationData, found: CombinedPCA) -> Figure:
    style = styles(data)
    names = in_order(data, found.sets)
    clouds = [(REAL.label, REAL, found.real), *((shown(name), style[name], found.sets[name]) for name in names)]
    panels = [
        Panel(
            title,
            _axis(0, found.explained),
            _axis(1, found.explained),
            [Series("density", title, how, found.x, found.y, counts=counts)],
            _range(found.x),
            _range(found.y),
        )
        for title, how, counts in clouds
    ]
    return Figure(
        "combined-components",
        "All sets on one plane",
        "Every panel should look like the first one. A set off on its own is unlike anything real; a set that makes "
        "the real clouds small dominates the components.",
        f"One PCA of the real cohort and all sets together, drawn apart on common axes: haplotypes in each of "
        f"{len(found.x)} x {len(found.y)} cells, shades on a logarithmic scale.",
        f"Densities of the real cohort and of {listed(names)} on the first two principal components of all together.",
        panels,
    )


def _pair_panel(name: str, pca: PrincipalComponents, style: Style) -> Panel:
    series = [
        Series("density", REAL.label, REAL, pca.x, pca.y, counts=pca.density),
        Series("points", shown(name), style, pca.synthetic[:, 0], pca.synthetic[:, 1]),
    ]
    return Panel(shown(name), _axis(0, pca.explained), _axis(1, pca.explained), series)


def _pairs(data: EvaluationData, pairs: PairPCAs, names: list[str]) -> Figure:
    style = styles(data)
    caption = (
        "Every panel is a PCA of its own: the real cohort (grey, haplotypes in each cell, shades on a logarithmic "
        "scale) together with one set (coloured points)."
    )
    most = max(len(pairs.sets[name].synthetic) for name in names)
    total = max(data.num_haplotypes.get(name, 0) for name in names)
    if total > most:
        caption += f" Of each set {most:,} points are drawn (of up to {total:,}), chosen with a fixed seed."
    return Figure(
        "principal-components",
        "Principal components",
        "The two clouds should cover the same ground with the same density: coloured points where there is no grey "
        "are invented structure, grey without colour is diversity that was lost.",
        caption,
        f"First two principal components of the real cohort overlaid with {listed(names)}.",
        [_pair_panel(name, pairs.sets[name], style[name]) for name in names],
    )


def _later(data: EvaluationData, pairs: PairPCAs, names: list[str]) -> list[Figure]:
    """Components 3 to 10 of the first sets."""
    style = styles(data)
    chosen = [name for name in names if name in data.sets][:MAX_LATER_SETS]
    panels = []
    for name in chosen:
        pca = pairs.sets[name]
        for i in range(2, len(pca.explained) - 1, 2):
            series = [
                Series("points", label, how, cloud[:, i], cloud[:, i + 1])
                for label, how, cloud in (
                    (REAL.label, REAL, pca.real),
                    (shown(name), style[name], pca.synthetic),
                )
            ]
            title = shown(name) if len(chosen) > 1 else f"PC {i + 1} and {i + 2}"
            panels.append(Panel(title, _axis(i, pca.explained), _axis(i + 1, pca.explained), series))
    if not panels:
        return []
    most = max(len(cloud) for name in chosen for cloud in (pairs.sets[name].real, pairs.sets[name].synthetic))
    left_out = len([name for name in names if name in data.sets]) - len(chosen)
    return [
        Figure(
            "later-components",
            "Further components",
            "Finer structure than continents: a set can match the first two components and miss these.",
            "Components from the third on of the real cohort (grey) together with one set (coloured); at most "
            f"{most:,} points of each, chosen with a fixed seed."
            + (f" The first {len(chosen)} sets are drawn; {left_out} more are not." if left_out else ""),
            f"Principal components from the third on of the real cohort overlaid with {listed(chosen)}.",
            panels,
        )
    ]


def _distances(data: EvaluationData, pairs: PairPCAs, names: list[str]) -> list[Figure]:
    """Wasserstein distance along the pairs of components."""
    style = styles(data)
    num_pairs = max(len(pairs.sets[name].wasserstein) for name in names)
    if num_pairs < 2:
        return []
    series = [
        Series("line", style[name].label, style[name], np.arange(1.0, 2 * len(cost), 2), cost)
        for name in names
        if len(cost := pairs.sets[name].wasserstein)
    ]
    return [
        Figure(
            "component-distances",
            "Distance by pair of components",
            "Low everywhere, near the curve of the real half. A rise to the right: broad structure is right, finer "
            "structure is not.",
            "2D Wasserstein distance (entropic, cost over its maximum) on PC 1-2, 3-4 and so on of each pair, "
            "logarithmic axis; real half against real half is what sampling alone gives.",
            f"Wasserstein distance to the real cohort for {num_pairs} pairs of components of {listed(names)}.",
            [Panel("", "first component of the pair", "Wasserstein distance", series, log_y=True, legend=True)],
        )
    ]


def figures(data: EvaluationData) -> list[Figure]:
    """All sets on one plane, each with the real cohort, further components, and their distances."""
    found = [] if (combined := data.curve(CombinedPCA)) is None else [_combined(data, combined)]
    if (pairs := data.curve(PairPCAs)) is not None and (names := in_order(data, pairs.sets)):
        found += [_pairs(data, pairs, names), *_later(data, pairs, names), *_distances(data, pairs, names)]
    return found

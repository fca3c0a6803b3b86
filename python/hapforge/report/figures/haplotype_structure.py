"""The figure of the haplotypes themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, Figure, Panel, Series, Style, in_order, listed, styles

MAX_SETS = 8


@dataclass(frozen=True)
class HaplotypeStructure:
    """Some haplotypes of the real cohort and of each set, at the same sites.

    Attributes
    ----------
    position_bp : int64 (num_sites,)
    by_position : bool, whether they lie on one contig at known places
    real : texts of 0 (REF) and 1 (ALT), one of num_sites for each row, by distance from the real consensus
    sets : {set or control: the same}
    """

    position_bp: NDArray[np.int64]
    by_position: bool
    real: list[str]
    sets: dict[str, list[str]]


def figures(data: EvaluationData) -> list[Figure]:
    """Pictures of alleles, one panel for the real cohort and one for each set."""
    if (found := data.curve(HaplotypeStructure)) is None:
        return []
    style = styles(data)
    names = in_order(data, found.sets)
    drawn = names[:MAX_SETS]
    panels = [_panel("real", REAL, found.real)]
    panels += [_panel(name, style[name], found.sets[name]) for name in drawn]
    where = (
        f", from position {found.position_bp[0]:,} to {found.position_bp[-1]:,}"
        if found.by_position and len(found.position_bp)
        else ""
    )
    number = len(found.position_bp)
    figure = Figure(
        "haplotype-structure",
        "Haplotype structure",
        "The pictures should have the same blocks: long stripes are shared haplotypes, speckle is linkage "
        "disequilibrium that is lost, and rows that repeat are too little diversity.",
        f"Up to {len(found.real)} seeded haplotypes of each, from nearest to farthest from the more frequent real "
        f"alleles; the middle {number} of the sites with a real minor allele frequency above 0.05{where}. "
        "ALT is coloured. After Haplostrips (Marnetto and Huerta-Sánchez 2017)."
        + (f" {len(names) - len(drawn)} further sets are not drawn." if len(names) > len(drawn) else ""),
        f"Alleles of haplotypes at {number} sites: real, {listed(drawn)}.",
        panels,
    )
    return [figure]


def _panel(title: str, style: Style, rows: list[str]) -> Panel:
    values = np.array([[int(allele) for allele in row] for row in rows], dtype=np.float64)
    sites, haplotypes = (np.arange(1, size + 1, dtype=np.float64) for size in values.T.shape)
    image = Series("image", title, style, sites, haplotypes, values=values)
    return Panel(title, "site", "haplotype", [image], y_range=(len(rows) + 0.5, 0.5))

"""The figures of a report: what each one shows, and its static drawing.

A figure is described once, as panels of plain series (`Figure`, `Panel`, `Series`). The page turns that description
into plotly (`report.html`), `draw` into PNG with matplotlib, so the two always show the same numbers. One module per
kind: the dataclass with its numbers, and `figures(data)`, which is empty where the data has none.
"""

from __future__ import annotations

from hapforge.report.data import EvaluationData
from hapforge.report.figures import (
    adversarial_accuracy,
    allele_frequency,
    by_label,
    chains,
    closest_pairs,
    haplotype_structure,
    kmers,
    ld,
    minimum_distance,
    mixing,
    pairwise,
    pca,
    radar,
    site_frequency,
    three_point,
    umap,
)
from hapforge.report.figures._base import Figure, Panel, Series, Style, palette, shown, styles
from hapforge.report.figures._draw import draw, draw_panels

__all__ = ["Figure", "Panel", "Series", "Style", "build", "build_groups", "draw", "palette", "png", "shown", "styles"]

_GROUPS = {
    "Allele frequencies": (allele_frequency, site_frequency),
    "Linkage disequilibrium": (ld,),
    "3-point correlations": (three_point,),
    "Haplotype motifs": (kmers,),
    "Pairwise differences": (pairwise,),
    "Principal components": (pca, umap),
    "Nearest neighbours": (adversarial_accuracy, mixing, chains, minimum_distance),
    "Privacy": (closest_pairs,),
    "Labels": (by_label,),
    "Haplotypes": (haplotype_structure,),
    "Summary": (radar,),
}


def build_groups(data: EvaluationData) -> dict[str, list[Figure]]:
    """Every figure for which `data` has the numbers, in the order of the page, under the headings of the page."""
    groups = {name: [figure for kind in kinds for figure in kind.figures(data)] for name, kinds in _GROUPS.items()}
    return {name: figures for name, figures in groups.items() if figures}


def build(data: EvaluationData) -> list[Figure]:
    """Every figure for which `data` has the numbers, in the order of the page."""
    return [figure for figures in build_groups(data).values() for figure in figures]


def png(data: EvaluationData, name: str | None = None) -> bytes:
    """One picture of an evaluation: PCA and allele frequencies of one set, adversarial accuracy and LD of all.

    Parameters
    ----------
    data : EvaluationData
    name : the set whose PCA and allele frequencies are drawn; the first one if None

    Raises
    ------
    ValueError
        `name` is not a set of this evaluation, or there is nothing to draw.
    MissingDependencyError
        Where matplotlib is not installed.
    """
    style = styles(data)
    if name is None and data.sets:
        name = data.sets[0]
    if name is None or name not in style:
        raise ValueError(
            f"name: expected one of {', '.join(style) or 'the sets, of which there are none'}, found {name}"
        )
    figures = {figure.key: figure for figure in build(data)}
    panels = []
    for key, title in (
        ("principal-components", f"Principal components: real (grey), {style[name].label}"),
        ("allele-frequencies", f"ALT frequency: real against {style[name].label}"),
        ("adversarial-accuracy", "AA_truth (filled), AA_syn (hollow)"),
        ("ld-decay", "Decay of linkage disequilibrium"),
    ):
        if key not in figures:
            continue
        found = figures[key].panels
        if len(found) > 1 or found[0].title:
            found = [panel for panel in found if panel.series[-1].style == style[name]]
        panels += [Panel(**{**vars(panel), "title": title}) for panel in found[:1]]
    if not panels:
        raise ValueError("data: expected an evaluation with at least one figure, found none")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    return draw_panels(panels, rows, columns, (5.0 * columns + 1.0, 4.0 * rows))

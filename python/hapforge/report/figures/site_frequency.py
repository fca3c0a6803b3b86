"""Figures of how many sites have which frequency: spectra, quantiles, and the sites that a set has lost."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData
from hapforge.report.figures._base import REAL, Figure, Panel, Series, in_order, listed, styles


@dataclass(frozen=True)
class SiteFrequencySpectra:
    """Number of sites by allele count, all cohorts projected to `size` haplotypes.

    Attributes
    ----------
    size : int
    class_edges : int64 (num_classes + 1,), classes [a, b) of minor allele counts from 1 on
    real_folded, folded : float64 (num_classes,), sites of the real cohort and of every set in each class
    frequency_edges : float64 (num_bins + 1,), bins of ALT frequency (a, b], the last without 1
    real_unfolded, unfolded : float64 (num_bins,), sites that vary in each bin
    """

    size: int
    class_edges: NDArray[np.int64]
    real_folded: NDArray[np.float64]
    folded: dict[str, NDArray[np.float64]]
    frequency_edges: NDArray[np.float64]
    real_unfolded: NDArray[np.float64]
    unfolded: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class FrequencyQuantiles:
    """Quantiles of ALT frequency over the sites at 0.1 or more in both the real cohort and the set.

    Attributes
    ----------
    real, sets : {set: float64 (num_quantiles,)}, evenly spaced from 0 to 100 %; of a set's own sites in both
    num_sites : {set: int}
    """

    real: dict[str, NDArray[np.float64]]
    sets: dict[str, NDArray[np.float64]]
    num_sites: dict[str, int]


@dataclass(frozen=True)
class FixedSiteList:
    """Sites in their order: index from 0, contig and position, ALT frequency in the real cohort."""

    site: NDArray[np.int64]
    contig: list[str]
    position: NDArray[np.int64]
    real_frequency: NDArray[np.float64]


@dataclass(frozen=True)
class FixedSites:
    """Sites that vary in the real cohort and not in a set.

    Attributes
    ----------
    at_least : float64 (num_limits,), ascending minor allele frequencies in the real cohort
    counts : {set: int64 (num_limits,)}, sites at that frequency or more; the first counts all
    sites : {set: FixedSiteList}, the 1,000 of greatest minor allele frequency where there are more
    """

    at_least: NDArray[np.float64]
    counts: dict[str, NDArray[np.int64]]
    sites: dict[str, FixedSiteList]


def figures(data: EvaluationData) -> list[Figure]:
    """Spectra, sites that were lost, quantiles."""
    found = []
    if (spectra := data.curve(SiteFrequencySpectra)) is not None:
        found.append(_spectra(data, spectra))
    if (fixed := data.curve(FixedSites)) is not None and any(counts.any() for counts in fixed.counts.values()):
        found.append(_fixed(data, fixed))
    if (quantiles := data.curve(FrequencyQuantiles)) is not None and quantiles.sets:
        found.append(_quantiles(data, quantiles))
    return found


def _seen(sites: NDArray[np.float64]) -> NDArray[np.float64]:
    """For a logarithmic axis: less than a tenth of a site is none."""
    return np.where(sites >= 0.1, sites, np.nan)


def _spectra(data: EvaluationData, found: SiteFrequencySpectra) -> Figure:
    style = styles(data)
    names = in_order(data, found.folded)
    low, high = found.class_edges[:-1], found.class_edges[1:]
    width = (high - low).astype(np.float64)
    middle = np.sqrt(low * (high - 1.0))
    centre = (found.frequency_edges[:-1] + found.frequency_edges[1:]) / 2
    folded = [Series("line", REAL.label, REAL, middle, _seen(found.real_folded) / width)]
    unfolded = [Series("line", REAL.label, REAL, centre, _seen(found.real_unfolded))]
    for name in names:
        drawn = style[name]
        folded.append(Series("line", drawn.label, drawn, middle, _seen(found.folded[name]) / width))
        unfolded.append(Series("line", drawn.label, drawn, centre, _seen(found.unfolded[name])))
    return Figure(
        "site-frequency-spectrum",
        "Site frequency spectrum",
        "Left: a curve that falls at its left end means that rare alleles were lost, one above the real one that rare "
        "alleles were made up. Right: a bulge or a dip means that there are too many or too few sites of that "
        "frequency.",
        f"Expected number of sites among {found.size:,} haplotypes drawn from each cohort; sites that do not vary are "
        f"left out. Left: folded, per single minor allele count, mean over the classes 1, 2-3, 4-7 and so on. Right: "
        f"by ALT frequency, in {len(centre)} bins.",
        f"Numbers of sites by minor allele count and by ALT frequency, real cohort and {listed(names)}.",
        [
            Panel(
                "Folded",
                f"minor allele count of {found.size:,}",
                "sites per count",
                folded,
                log_x=True,
                log_y=True,
                legend=True,
            ),
            Panel("Unfolded", "ALT frequency", "sites", unfolded, x_range=(0, 1), log_y=True, legend=True),
        ],
    )


def _fixed(data: EvaluationData, found: FixedSites) -> Figure:
    style = styles(data)
    names = [name for name in in_order(data, found.counts) if found.counts[name].any()]
    series = []
    for name in names:
        counts = found.counts[name]
        some = counts > 0
        x, y = found.at_least[some], counts[some].astype(float)
        series.append(Series("line", style[name].label, style[name], x, y, steps=True))
    totals = ", ".join(f"{style[name].label} {int(found.counts[name][0]):,}" for name in names)
    return Figure(
        "fixed-sites",
        "Sites that no longer vary",
        "Rare sites are lost in any finite sample; the farther to the right a curve reaches, the more common in the "
        "real cohort were sites that the set has lost.",
        f"Sites that vary in the real cohort and not in the set, by the least minor allele frequency they have in the "
        f"real one. In all: {totals}. The sites themselves are in the JSON file, at most 1,000 a set.",
        f"Number of lost sites at a real minor allele frequency or more; in all {totals}.",
        [Panel("", "real minor allele frequency, at least", "sites", series, log_x=True, log_y=True, legend=True)],
    )


def _quantiles(data: EvaluationData, found: FrequencyQuantiles) -> Figure:
    style = styles(data)
    names = in_order(data, found.sets)
    series = [Series("line", style[name].label, style[name], found.real[name], found.sets[name]) for name in names]
    sites = [found.num_sites[name] for name in names]
    few = f"{min(sites):,}" if min(sites) == max(sites) else f"{min(sites):,} to {max(sites):,}"
    limits = (0.08, 1.02)
    return Figure(
        "frequency-quantiles",
        "Frequency quantiles",
        "A curve on the line means that as many sites have a given frequency as in the real cohort; below the line "
        "alleles are rarer in the set, above it more common.",
        f"Quantiles of ALT frequency against those of the real cohort, over the {few} sites at 0.1 or more in both.",
        f"Quantiles of ALT frequency in the real cohort against those in {listed(names)}, with the line of equality.",
        [
            Panel(
                "",
                "ALT frequency, real",
                "ALT frequency, set",
                series,
                x_range=limits,
                y_range=limits,
                diagonal=True,
                legend=True,
            )
        ],
    )

"""How well ALT frequencies of a synthetic cohort follow the real ones."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics._intervals import Interval, block_weights, bootstrap_interval, share_interval
from hapforge.metrics._lines import Line, line_of_blocks, moments
from hapforge.stats.allele_frequency import class_shares, count_class_edges
from hapforge.stats.ld import site_blocks

LOW_FREQUENCY = 0.2
FREQUENCY_BINS = (0.0, 0.05, 0.1, 0.2, 0.5, 1.0)
MIN_BIN_SITES = 10
QUANTILE_LOWEST = 0.1
NUM_QUANTILES = 101
_CELLS = 2000  # of the frequencies from 0 to 1, for the resamples of a Wasserstein distance


@dataclass(frozen=True)
class AlleleFrequencyFit(Line):
    """Synthetic on real ALT frequency, over the sites.

    Attributes
    ----------
    r, slope, intercept : float, Pearson's correlation and ordinary least squares; NaN where not defined
    r_interval, slope_interval, intercept_interval : 95 % (low, high), block bootstrap over sites
    num_sites : int
    """

    num_sites: int


def compare_allele_frequencies(
    real: NDArray[np.float64], synthetic: NDArray[np.float64], *, highest: float = 1.0, seed: int = 0
) -> AlleleFrequencyFit:
    """Correlation and regression line of synthetic on real ALT frequencies.

    r = cov(p, q) / sqrt(var p var q), slope = cov(p, q) / var p, intercept = mean q - slope mean p, over the sites with
    real frequency p_j <= `highest`. Intervals: spread over 1000 resamples of 20 blocks of consecutive
    sites, for r on Fisher's scale.

    Parameters
    ----------
    real, synthetic : float64 (num_sites,), frequencies (`stats.allele_frequencies`)
    highest : float; 0.2 gives the papers' low-frequency sites, 1 all (sites that are fixed are kept)
    seed : int >= 0

    Raises
    ------
    ValueError
        Different lengths, or fewer than two sites.

    References
    ----------
    Yelmen et al. 2023, figure 5b and its legend; Yelmen et al. 2021, supplementary figure 7.
    """
    _check_lengths(real, synthetic)
    kept = real <= highest
    if (num_sites := int(kept.sum())) < 2:
        raise ValueError(f"frequencies: expected at least 2 sites at real frequency <= {highest}, found {num_sites}")
    return _fit(real[kept], synthetic[kept], seed)


def compare_frequency_bins(
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
    *,
    edges: tuple[float, ...] = FREQUENCY_BINS,
    seed: int = 0,
) -> list[AlleleFrequencyFit | None]:
    """`compare_allele_frequencies` within each bin of real ALT frequency.

    The correlation over all sites is carried by the common ones; within a bin it is not. Bins are [a, b), the last one
    [a, b].

    Parameters
    ----------
    real, synthetic : float64 (num_sites,), frequencies
    edges : floats, ascending
    seed : int >= 0

    Returns
    -------
    list of len(edges) - 1; None for a bin of fewer than 10 sites, of which a correlation says nothing

    Raises
    ------
    ValueError
        Different lengths; fewer than two edges, or edges that do not ascend.
    """
    _check_lengths(real, synthetic)
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges: expected at least 2 ascending numbers, found {edges}")
    found: list[AlleleFrequencyFit | None] = []
    for low, high in itertools.pairwise(edges):
        kept = (real >= low) & ((real <= high) if high == edges[-1] else (real < high))
        found.append(_fit(real[kept], synthetic[kept], seed) if kept.sum() >= MIN_BIN_SITES else None)
    return found


def newly_fixed(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sites at frequency 0 or 1 in the synthetic but not in the real cohort, ascending: alleles the model has lost."""
    fixed_real, fixed_synthetic = (((p == 0) | (p == 1)) for p in (real, synthetic))
    return np.flatnonzero(fixed_synthetic & ~fixed_real)


def newly_fixed_interval(sites: NDArray[np.int64], num_sites: int, *, seed: int = 0) -> Interval:
    """95 % interval of the number of newly fixed sites, which linked sites become together.

    Wilson's interval of their share, at the number of independent sites that the spread over 1000 resamples of 20
    blocks of consecutive sites tells (`num_sites` at most), times `num_sites`; NaN with fewer than 10 blocks.

    Parameters
    ----------
    sites : int64, as `newly_fixed` has them
    num_sites : int, of the cohorts
    seed : int >= 0
    """
    edges = site_blocks(num_sites)
    num_blocks = len(edges) - 1
    if num_blocks < 10:
        return math.nan, math.nan
    weights = block_weights(num_blocks, seed)
    lost = np.diff(np.searchsorted(sites, edges))
    share = len(sites) / num_sites
    variance = max(float((weights @ lost / (weights @ np.diff(edges))).var()), share * (1 - share) / num_sites)
    low, high = share_interval(share, variance, num_sites)
    return low * num_sites, high * num_sites


@dataclass(frozen=True)
class SiteFrequencyComparison:
    """Result of `compare_site_frequency_spectra`.

    Attributes
    ----------
    distance : float in [0, 1], total variation between the two spectra
    interval : 95 % (low, high), block bootstrap over sites
    size : int, haplotypes that both are projected to
    edges : int64 (num_classes + 1,), classes [a, b) of minor allele counts
    real, synthetic : float64 (num_classes,), share of the sites in each class
    num_sites : int
    """

    distance: float
    interval: Interval
    size: int
    edges: NDArray[np.int64]
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    num_sites: int


def compare_site_frequency_spectra(
    real_counts: NDArray[np.int64],
    num_real: int,
    synthetic_counts: NDArray[np.int64],
    num_synthetic: int,
    *,
    seed: int = 0,
) -> SiteFrequencyComparison:
    """Total variation between the folded site frequency spectra of two cohorts.

    d = 1/2 sum_c |s_c - t_c|, s_c and t_c the shares of sites in class c of minor allele counts: the least share of
    sites that would have to change class. Both spectra are projected to the smaller number of haplotypes
    (`stats.site_frequency_spectrum`); classes are 0 (fixed), 1, 2-3, 4-7 and so on (`stats.count_class_edges`), since
    a spectrum of single counts has more classes than there are sites. Interval: value -+ 1.96 standard deviations over
    1000 resamples of 20 blocks of consecutive sites.

    Parameters
    ----------
    real_counts, synthetic_counts : int64 (num_sites,), ALT counts
    num_real, num_synthetic : int >= 2, haplotypes they are out of
    seed : int >= 0

    Raises
    ------
    ValueError
        Different lengths, no sites, fewer than two haplotypes, counts out of range.
    """
    _check_lengths(real_counts, synthetic_counts)
    if len(real_counts) == 0:
        raise ValueError("counts: expected at least one site, found none")
    size = min(num_real, num_synthetic)
    edges = count_class_edges(size)
    starts = site_blocks(len(real_counts))[:-1]
    s, t = (
        np.add.reduceat(class_shares(counts, n, size), starts, axis=0)
        for counts, n in ((real_counts, num_real), (synthetic_counts, num_synthetic))
    )
    sites = np.diff([*starts, len(real_counts)])
    weights = block_weights(len(starts), seed)
    resampled = 0.5 * np.abs(weights @ (s - t)).sum(axis=1) / (weights @ sites)
    real, synthetic = s.sum(axis=0) / len(real_counts), t.sum(axis=0) / len(real_counts)
    distance = float(0.5 * np.abs(real - synthetic).sum())
    return SiteFrequencyComparison(
        distance,
        _at_least_zero(bootstrap_interval(distance, resampled, len(starts))),
        size,
        edges,
        real,
        synthetic,
        len(real_counts),
    )


@dataclass(frozen=True)
class QuantileComparison:
    """Result of `compare_frequency_quantiles`.

    Attributes
    ----------
    distance : float, Wasserstein-1 distance of the two distributions of ALT frequencies
    interval : 95 % (low, high), block bootstrap over sites
    real, synthetic : float64 (101,), quantiles at 0, 1 ... 100 %
    num_sites : int
    """

    distance: float
    interval: Interval
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    num_sites: int


def compare_frequency_quantiles(
    real: NDArray[np.float64], synthetic: NDArray[np.float64], *, lowest: float = QUANTILE_LOWEST, seed: int = 0
) -> QuantileComparison:
    """Distribution of ALT frequencies against distribution, over the sites with ALT frequency >= `lowest` in both.

    W = mean_k |p_(k) - q_(k)| over the sorted frequencies, exact as both have the same number of sites. It does not ask
    which site has which frequency: two sites that change places leave it as it is. Interval: value -+ 1.96 standard
    deviations over 1000 resamples of 20 blocks of consecutive sites, of the distributions in 2000 cells.

    Parameters
    ----------
    real, synthetic : float64 (num_sites,), frequencies
    lowest : float
    seed : int >= 0

    Raises
    ------
    ValueError
        Different lengths, or fewer than two sites.

    References
    ----------
    Yelmen et al. 2021, supplementary figure 19 b-d: quantiles after "removing alleles below 0.1 frequency from all
    datasets", the sites of its LD curves (`compare_ld` with min_frequency = 0.1) but that fixed ones stay.
    """
    _check_lengths(real, synthetic)
    kept = (real >= lowest) & (synthetic >= lowest)
    if (num_sites := int(kept.sum())) < 2:
        raise ValueError(f"frequencies: expected at least 2 sites at frequency >= {lowest} in both, found {num_sites}")
    p, q = real[kept], synthetic[kept]
    distance = float(np.abs(np.sort(p) - np.sort(q)).mean())
    # Sites of each block in each cell, real less synthetic: a resample is a weighted sum of them.
    edges = site_blocks(num_sites)
    num_blocks = len(edges) - 1
    block = np.repeat(np.arange(num_blocks), np.diff(edges)) * _CELLS
    cells = [np.minimum((f * _CELLS).astype(np.int64), _CELLS - 1) for f in (p, q)]
    more, less = (np.bincount(block + cell, minlength=num_blocks * _CELLS) for cell in cells)
    gap = np.cumsum((more - less).reshape(num_blocks, _CELLS), axis=1).astype(np.float64)
    weights = block_weights(num_blocks, seed).astype(np.float64)
    resampled = np.abs(weights @ gap).sum(axis=1) / (_CELLS * (weights @ np.diff(edges)))
    shares = np.linspace(0, 1, NUM_QUANTILES)
    return QuantileComparison(
        distance,
        _at_least_zero(bootstrap_interval(distance, resampled, num_blocks)),
        np.quantile(p, shares),
        np.quantile(q, shares),
        num_sites,
    )


def _fit(p: NDArray[np.float64], q: NDArray[np.float64], seed: int) -> AlleleFrequencyFit:
    # Sums per block around the means: a resample is a weighted sum of them.
    terms = moments(p - p.mean(), q - q.mean())
    blocks = np.add.reduceat(terms, site_blocks(len(p))[:-1], axis=1)
    return AlleleFrequencyFit(**vars(line_of_blocks(blocks, seed, p.mean(), q.mean())), num_sites=len(p))


def _check_lengths(real: NDArray[np.generic], synthetic: NDArray[np.generic]) -> None:
    if real.shape != synthetic.shape or real.ndim != 1:
        raise ValueError(f"frequencies: expected two vectors of one length, found {real.shape} and {synthetic.shape}")


def _at_least_zero(interval: Interval) -> Interval:
    low, high = interval
    return float(np.maximum(low, 0.0)), high

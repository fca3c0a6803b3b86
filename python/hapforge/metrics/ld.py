"""How well the decay of linkage disequilibrium with distance is kept."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, block_weights, bootstrap_interval, correlation_interval
from hapforge.metrics._sites import check_same_sites
from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.ld import DecaySums, ld_decay_sums, ld_distance_edges


@dataclass(frozen=True)
class DecayComparison:
    """Result of `compare_ld_decay`.

    Attributes
    ----------
    r : float, Pearson's correlation of the two curves over the bins
    score : float <= 1, the LD score of Yelmen et al. 2023; 1 is perfect
    r_interval, score_interval : 95 % (low, high), block bootstrap over sites
    edges_bp : float64 (num_bins + 1,)
    real, synthetic : float64 (num_bins,), mean r² per bin, NaN without pairs
    num_bins, num_sites : int, bins with pairs and sites they rest on
    """

    r: float
    score: float
    r_interval: Interval
    score_interval: Interval
    edges_bp: NDArray[np.float64]
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    num_bins: int
    num_sites: int


def compare_ld_decay(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    *,
    edges_bp: NDArray[np.float64] | None = None,
    seed: int = 0,
) -> DecayComparison:
    """Correlation of LD decay curves, and the LD score.

    Sites fixed in either cohort are removed from both first. Curves: mean r² of all pairs of sites of a contig by
    distance bin. r is Pearson's over the bins; score = 1 - sum (LD_real - LD_syn)² / sum LD_real². Intervals: spread
    over 1000 resamples of 20 blocks of consecutive sites, both curves on the same blocks, for r on Fisher's scale.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites
    edges_bp : float64, bin edges; default `stats.ld_distance_edges` of the sites (up to 50 bins)
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than two bins with pairs.

    References
    ----------
    Yelmen et al. 2023, equation of the LD radar score, supplementary figure 2b and c; Yelmen et al. 2021, figure 2b.
    """
    check_same_sites(real=real, synthetic=synthetic)
    if edges_bp is None:
        edges_bp = ld_distance_edges(real.sites)
    kept = vary(allele_frequencies(real)) & vary(allele_frequencies(synthetic))
    first, second = (ld_decay_sums(cohort.select_sites(kept), edges_bp) for cohort in (real, synthetic))
    return compare_decay_sums(first, second, int(kept.sum()), seed)


def vary(frequency: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Where a site is not fixed, bool (num_sites,)."""
    return (frequency > 0) & (frequency < 1)


def compare_decay_sums(real: DecaySums, synthetic: DecaySums, num_sites: int, seed: int) -> DecayComparison:
    """`compare_ld_decay` from sums made on the same `num_sites` sites and edges."""
    x, y = real.curve(), synthetic.curve()
    num_bins = int(np.isfinite(x).sum())
    if num_bins < 2:
        raise ValueError(
            f"LD decay: expected pairs in at least 2 distance bins, found {num_bins} among {num_sites} sites that vary "
            "in both cohorts"
        )
    num_blocks = len(real.sum_r2)
    weights = block_weights(num_blocks, seed)
    r, score = (float(v[0]) for v in _fit(x[None], y[None]))
    many_r, many_score = _fit(real.resampled(weights), synthetic.resampled(weights))
    score_low, score_high = bootstrap_interval(score, many_score, num_blocks)
    return DecayComparison(
        r=r,
        score=score,
        r_interval=correlation_interval(r, many_r, num_blocks),
        score_interval=(score_low, float(np.minimum(1.0, score_high))),
        edges_bp=real.edges_bp,
        real=x,
        synthetic=y,
        num_bins=num_bins,
        num_sites=num_sites,
    )


def _fit(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per row of (resamples, bins): correlation and LD score over the bins where both are known."""
    known = np.isfinite(x) & np.isfinite(y)
    n = known.sum(axis=1)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    some = np.maximum(n, 1)[:, None]
    dx = np.where(known, x - x.sum(axis=1, keepdims=True) / some, 0.0)
    dy = np.where(known, y - y.sum(axis=1, keepdims=True) / some, 0.0)
    xx, yy, xy = (dx * dx).sum(axis=1), (dy * dy).sum(axis=1), (dx * dy).sum(axis=1)
    nothing = np.full(len(x), math.nan)
    defined = (n >= 2) & (xx > 0) & (yy > 0)
    r = np.divide(xy, np.sqrt(np.where(defined, xx * yy, 1)), out=nothing.copy(), where=defined)
    square = (x * x).sum(axis=1)
    missed = np.divide(((x - y) ** 2).sum(axis=1), square, out=nothing.copy(), where=(n >= 1) & (square > 0))
    return np.clip(r, -1, 1), 1 - missed

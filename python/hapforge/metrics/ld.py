"""How well linkage disequilibrium is kept: r² pair by pair, and its decay with distance."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import POSITION_LIMIT, HaplotypeMatrix, philox
from hapforge.kernels.joint_counts import ld_moments
from hapforge.metrics._intervals import (
    NUM_RESAMPLES,
    Interval,
    block_weights,
    bootstrap_interval,
    correlation_interval,
)
from hapforge.metrics._sites import check_same_sites
from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.ld import (
    MAX_MATRIX_SITES,
    NUM_SAMPLED_PAIRS,
    cell_ends,
    ld_cells,
    ld_distance_edges,
    r2_of_pairs,
    sample_site_pairs,
    site_blocks,
)

COMMON_FREQUENCY = 0.1
MAX_R2_SITES = 20_000  # of the correlation of r² where pairs are sampled


@dataclass(frozen=True)
class LDCells:
    """Mean r² over the pairs of sites between cells of consecutive sites.

    Attributes
    ----------
    end : int64 (num_cells,), one past the last site of each cell, counting the sites compared
    real, synthetic : float64 (num_cells, num_cells), symmetric, NaN where there is no pair
    """

    end: NDArray[np.int64]
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]


@dataclass(frozen=True)
class LDComparison:
    """Result of `compare_ld` and of `compare_sampled_ld`.

    Attributes
    ----------
    r2_r : float, Pearson's correlation of real and synthetic r² over the pairs of sites
    decay_r : float, Pearson's correlation of the two decay curves over the bins
    score : float <= 1, the LD score of Yelmen et al. 2023; 1 is perfect
    r2_r_interval, decay_r_interval, score_interval : 95 % (low, high)
    edges_bp : float64 (num_bins + 1,)
    real, synthetic : float64 (num_bins,), mean r² per bin, NaN without pairs
    num_bins, num_sites, num_pairs : int, bins with pairs, and sites and pairs of sites they rest on
    r2_sites, r2_pairs : int, sites and pairs of sites that r2_r rests on
    cells : LDCells, where they were asked for
    """

    r2_r: float
    decay_r: float
    score: float
    r2_r_interval: Interval
    decay_r_interval: Interval
    score_interval: Interval
    edges_bp: NDArray[np.float64]
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    num_bins: int
    num_sites: int
    num_pairs: int
    r2_sites: int
    r2_pairs: int
    cells: LDCells | None = None


def vary(frequency: NDArray[np.float64], lowest: float = 0.0) -> NDArray[np.bool_]:
    """Where a site is not fixed and its ALT allele at least as frequent as `lowest`, bool (num_sites,)."""
    return (frequency > 0) & (frequency < 1) & (frequency >= lowest)


def compare_ld(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    *,
    min_frequency: float = 0.0,
    edges_bp: NDArray[np.float64] | None = None,
    cells: bool = False,
    seed: int = 0,
) -> LDComparison:
    """Correlation of r² over all pairs of sites, correlation of LD decay curves, and the LD score.

    Sites fixed in either cohort, or with an ALT allele rarer than `min_frequency` in either, are removed from both
    first. All pairs of the remaining sites of a contig count, also those at one position or beyond the bins, in one
    pass that forms no matrix. The diagonal (a site with itself) does not count; with it, and each pair twice, figures
    are higher: 0.946 instead of 0.924 on the published GAN file of 805 SNPs, which fits the 0.95 of Yelmen et al. 2021.

    Curves: mean r² by distance bin. decay_r is Pearson's over the bins; score = 1 - sum (LD_real - LD_syn)² /
    sum LD_real². Intervals: spread over 1000 resamples of 20 blocks of consecutive sites, both cohorts on the same
    blocks, for correlations on Fisher's scale.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites
    min_frequency : float in [0, 1); 0.1 for supplementary figure 19 of Yelmen et al. 2021, "removing sites that are
        fixed in at least one dataset and removing alleles below 0.1 frequency from all datasets". Frequencies there are
        those of the allele coded 1 (where the minor one is meant it says MAF), and the quantiles of the same figure
        (`compare_frequency_quantiles`) rest on the same sites.
    edges_bp : float64, bin edges; default `stats.ld_distance_edges` of the sites (up to 50 bins)
    cells : whether to give the means of r² over a grid of up to 200 x 200 cells of sites, for a picture: up to 200
        sites one pair of sites each, beyond exact means over the pairs between two runs of consecutive sites
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than two bins with pairs.

    References
    ----------
    Yelmen et al. 2021, figure 2, supplementary figures 9 and 19; Yelmen et al. 2023, equation of the LD radar score,
    supplementary figure 2b and c.
    """
    real, synthetic, edges_bp = _prepared(real, synthetic, min_frequency, edges_bp)
    num_sites = real.num_sites
    by_pass = cells and num_sites > MAX_MATRIX_SITES
    ends = cell_ends(num_sites)
    block_end = site_blocks(num_sites)[1:]
    if by_pass:
        block_end = np.unique(ends[np.searchsorted(ends, block_end)])
    outer, inner = _with_outer_bins(edges_bp)
    sums = ld_moments(real, synthetic, outer, block_end, ends if by_pass else block_end)
    table = np.concatenate([sums.num_pairs[..., None], sums.moments], axis=-1)
    num_blocks = len(block_end)
    point, many = (
        _resampled(table, weights) for weights in (np.ones((1, num_blocks), np.int64), block_weights(num_blocks, seed))
    )
    (x,), (y,) = (_mean(point[:, inner, k], point[:, inner, 0]) for k in (1, 2))
    num_bins = _enough_bins(x, num_sites)
    (r2_r,), many_r2_r = (_pearson(sums.sum(axis=1)) for sums in (point, many))
    (decay_r,), (score,) = _fit(x[None], y[None])
    many_x, many_y = (_mean(many[:, inner, k], many[:, inner, 0]) for k in (1, 2))
    many_r, many_score = _fit(many_x, many_y)
    found = None
    if by_pass:
        count = sums.cell_pairs + np.triu(sums.cell_pairs, 1).T
        means = (_mean(sums.cell_sums[..., k] + np.triu(sums.cell_sums[..., k], 1).T, count) for k in (0, 1))
        found = LDCells(ends, *means)
    elif cells:
        found = LDCells(ends, ld_cells(real, ends), ld_cells(synthetic, ends))
    return LDComparison(
        r2_r=float(r2_r),
        decay_r=float(decay_r),
        score=float(score),
        r2_r_interval=correlation_interval(float(r2_r), many_r2_r, num_blocks),
        decay_r_interval=correlation_interval(float(decay_r), many_r, num_blocks),
        score_interval=_below_one(bootstrap_interval(float(score), many_score, num_blocks)),
        edges_bp=edges_bp,
        real=x,
        synthetic=y,
        num_bins=num_bins,
        num_sites=num_sites,
        num_pairs=int(sums.num_pairs.sum()),
        r2_sites=num_sites,
        r2_pairs=int(sums.num_pairs.sum()),
        cells=found,
    )


def compare_sampled_ld(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    *,
    min_frequency: float = 0.0,
    edges_bp: NDArray[np.float64] | None = None,
    num_pairs: int = NUM_SAMPLED_PAIRS,
    seed: int = 0,
) -> LDComparison:
    """`compare_ld` from sampled pairs of sites, for regions too long to take them all.

    Curves: pairs are stratified by distance bin, which is uniform on log distance (`stats.sample_site_pairs`), and the
    same in both cohorts. The variances and covariance of the two means of every bin are known, and taken off the sums
    of decay_r and score, which noise would pull down. Their intervals hold the noise of the sampling only, not that of
    the sites: spread over 1000 seeded normal draws with that covariance.

    r2_r: a few pairs of rare variants with high r² decide it, which sampled pairs would miss. So it is that of
    `compare_ld`, interval included, over all pairs of up to 20,000 sites, evenly spaced among those that vary in both.

    Parameters
    ----------
    real, synthetic, min_frequency, edges_bp, seed : as for `compare_ld`
    num_pairs : int, over all bins

    Raises
    ------
    ValueError
        As `compare_ld`; fewer pairs than bins.

    References
    ----------
    Yelmen et al. 2023, "Summary statistics" (LD of the 65,535 SNPs, figure 5c).
    """
    real, synthetic, edges_bp = _prepared(real, synthetic, min_frequency, edges_bp)
    outer, inner = _with_outer_bins(edges_bp)
    pairs = sample_site_pairs(real.sites, outer, num_pairs, seed)
    x, y = (r2_of_pairs(cohort, pairs.index) for cohort in (real, synthetic))
    drawn, complete = pairs.num_drawn, pairs.complete
    num_bins = len(drawn)

    def binned(values: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean(np.bincount(pairs.bin, values, num_bins), drawn)

    def covariance(u: NDArray[np.float64], v: NDArray[np.float64]) -> NDArray[np.float64]:
        """Covariance of the means of u and v in each bin; none where every pair was taken."""
        apart = (u - binned(u)[pairs.bin]) * (v - binned(v)[pairs.bin])
        return np.where(complete, 0.0, _mean(binned(apart), np.maximum(drawn - 1, 0)))

    means = np.column_stack([binned(values) for values in (x, y)])[inner]
    found = _enough_bins(means[:, 0], real.num_sites)
    xx, xy, yy = (covariance(u, v)[inner] for u, v in ((x, x), (x, y), (y, y)))
    noise = xx, xy, yy
    (decay_r,), (score,) = _fit(means[None, :, 0], means[None, :, 1], noise)
    rng = np.random.Generator(philox(seed, Stream.LD_CURVES))
    z = rng.standard_normal((2, NUM_RESAMPLES, len(means)))
    along = np.divide(xy, np.sqrt(xx), out=np.zeros_like(xy), where=xx > 0)
    many_x = means[:, 0] + np.sqrt(xx) * z[0]
    many_y = means[:, 1] + along * z[0] + np.sqrt(np.maximum(yy - along**2, 0)) * z[1]
    many_r, many_score = _fit(many_x, many_y, tuple(2 * part for part in noise))

    spaced = np.unique(np.linspace(0, real.num_sites - 1, min(real.num_sites, MAX_R2_SITES)).round().astype(np.int64))
    some = compare_ld(real.select_sites(spaced), synthetic.select_sites(spaced), edges_bp=edges_bp, seed=seed)
    return LDComparison(
        r2_r=some.r2_r,
        decay_r=float(decay_r),
        score=float(score),
        r2_r_interval=some.r2_r_interval,
        decay_r_interval=correlation_interval(float(decay_r), many_r, NUM_RESAMPLES),
        score_interval=_below_one(bootstrap_interval(float(score), many_score, NUM_RESAMPLES)),
        edges_bp=edges_bp,
        real=means[:, 0],
        synthetic=means[:, 1],
        num_bins=found,
        num_sites=real.num_sites,
        num_pairs=int(drawn.sum()),
        r2_sites=some.r2_sites,
        r2_pairs=some.r2_pairs,
    )


def _prepared(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, min_frequency: float, edges_bp: NDArray[np.float64] | None
) -> tuple[HaplotypeMatrix, HaplotypeMatrix, NDArray[np.float64]]:
    """The cohorts at the sites that are compared, and the edges of the bins."""
    check_same_sites(real=real, synthetic=synthetic)
    if not 0 <= min_frequency < 1:
        raise ValueError(f"min_frequency: expected 0 or more and less than 1, found {min_frequency}")
    if edges_bp is None:
        edges_bp = ld_distance_edges(real.sites)
    kept = np.logical_and(*(vary(allele_frequencies(cohort), min_frequency) for cohort in (real, synthetic)))
    return real.select_sites(kept), synthetic.select_sites(kept), np.asarray(edges_bp, dtype=np.float64)


def _with_outer_bins(edges_bp: NDArray[np.float64]) -> tuple[NDArray[np.float64], slice]:
    """Edges with a bin more on either side, for pairs at one position and beyond the last edge; bins of those given."""
    outer = np.unique(np.concatenate([[0.0], edges_bp, [max(POSITION_LIMIT, edges_bp[-1])]]))
    return outer, slice(int(np.searchsorted(outer, edges_bp[0])), int(np.searchsorted(outer, edges_bp[-1])))


def _enough_bins(curve: NDArray[np.float64], num_sites: int) -> int:
    """Bins with pairs."""
    num_bins = int(np.isfinite(curve).sum())
    if num_bins < 2:
        raise ValueError(
            f"LD decay: expected pairs in at least 2 distance bins, found {num_bins} among {num_sites} sites that vary "
            "in both cohorts"
        )
    return num_bins


def _resampled(table: NDArray[np.float64], weights: NDArray[np.int64]) -> NDArray[np.float64]:
    """Sums over resampled blocks.

    Parameters
    ----------
    table : float64 (num_blocks, num_blocks, num_bins, num_sums), zero below the diagonal
    weights : int64 (num_resamples, num_blocks), how often each block was drawn

    Returns
    -------
    float64 (num_resamples, num_bins, num_sums). A pair within a block counts w_a times, a pair between blocks a and b
    w_a w_b times; pairs between two copies of one block are not counted.
    """
    times = weights[:, :, None] * weights[:, None, :].astype(np.float64)
    same = np.arange(len(table))
    times[:, same, same] = weights
    return (times.reshape(len(weights), -1) @ table.reshape(len(table) ** 2, -1)).reshape(-1, *table.shape[2:])


def _mean(total: NDArray[Any], count: NDArray[Any]) -> NDArray[np.float64]:
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=np.asarray(count) > 0)


def _pearson(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Correlation from (resamples, 6): n and the sums of x, y, x x, y y and x y; NaN where x or y do not differ."""
    n = np.maximum(sums[:, 0], 1e-300)
    x, y, xx, yy, xy = (sums[:, k] / n for k in range(1, 6))
    var_x, var_y = xx - x * x, yy - y * y
    differ = (sums[:, 0] > 0) & (var_x > 1e-12 * xx) & (var_y > 1e-12 * yy)  # beyond rounding
    spread = np.sqrt(np.where(differ, var_x * var_y, 1))
    return np.clip(np.divide(xy - x * y, spread, out=np.full(len(sums), np.nan), where=differ), -1, 1)


def _below_one(interval: Interval) -> Interval:
    return interval[0], float(np.minimum(1.0, interval[1]))


def _fit(
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    noise: tuple[NDArray[np.float64], ...] = (np.zeros(1), np.zeros(1), np.zeros(1)),
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Per row of (resamples, bins): correlation and LD score over the bins where both are known.

    `noise` holds, per bin, what of the squares of x, of x y and of the squares of y is noise of the means.
    """
    known = np.isfinite(x) & np.isfinite(y)
    n = known.sum(axis=1)
    x, y = np.where(known, x, 0.0), np.where(known, y, 0.0)
    some = np.maximum(n, 1)[:, None]
    dx = np.where(known, x - x.sum(axis=1, keepdims=True) / some, 0.0)
    dy = np.where(known, y - y.sum(axis=1, keepdims=True) / some, 0.0)
    of_x, of_xy, of_y = (np.where(known, part, 0.0).sum(axis=1) for part in noise)
    left = 1 - 1 / some[:, 0]  # of the noise, once the mean is off
    xx, xy, yy = ((dx * dx).sum(axis=1), (dx * dy).sum(axis=1), (dy * dy).sum(axis=1))
    xx, xy, yy = xx - left * of_x, xy - left * of_xy, yy - left * of_y
    nothing = np.full(len(x), math.nan)
    defined = (n >= 2) & (xx > 0) & (yy > 0)
    r = np.divide(xy, np.sqrt(np.where(defined, xx * yy, 1)), out=nothing.copy(), where=defined)
    square = (x * x).sum(axis=1) - of_x
    apart = ((x - y) ** 2).sum(axis=1) - (of_x - 2 * of_xy + of_y)
    missed = np.divide(apart, square, out=nothing.copy(), where=(n >= 1) & (square > 0))
    return np.clip(r, -1, 1), 1 - missed

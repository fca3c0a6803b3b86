"""How well ALT frequencies of a synthetic cohort follow the real ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics._intervals import Interval, block_weights, bootstrap_interval, correlation_interval
from hapforge.stats.ld import site_blocks

LOW_FREQUENCY = 0.2


@dataclass(frozen=True)
class AlleleFrequencyFit:
    """Synthetic on real ALT frequency, over the sites.

    Attributes
    ----------
    r, slope, intercept : float, Pearson's correlation and ordinary least squares; NaN where not defined
    r_interval, slope_interval, intercept_interval : 95 % (low, high), block bootstrap over sites
    num_sites : int
    """

    r: float
    slope: float
    intercept: float
    r_interval: Interval
    slope_interval: Interval
    intercept_interval: Interval
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
    if real.shape != synthetic.shape or real.ndim != 1:
        raise ValueError(f"frequencies: expected two vectors of one length, found {real.shape} and {synthetic.shape}")
    kept = real <= highest
    if (num_sites := int(kept.sum())) < 2:
        raise ValueError(f"frequencies: expected at least 2 sites at real frequency <= {highest}, found {num_sites}")
    p, q = real[kept], synthetic[kept]
    # Sums per block around the means: a resample is a weighted sum of them.
    dp, dq = p - p.mean(), q - q.mean()
    terms = np.stack([np.ones_like(p), dp, dq, dp * dp, dq * dq, dp * dq])
    blocks = np.add.reduceat(terms, site_blocks(num_sites)[:-1], axis=1)
    resampled = _lines(block_weights(blocks.shape[1], seed).astype(np.float64) @ blocks.T, p.mean(), q.mean())
    r, slope, intercept = (float(v[0]) for v in _lines(blocks.sum(axis=1)[None], p.mean(), q.mean()))
    num_blocks = blocks.shape[1]
    return AlleleFrequencyFit(
        r,
        slope,
        intercept,
        correlation_interval(r, resampled[0], num_blocks),
        bootstrap_interval(slope, resampled[1], num_blocks),
        bootstrap_interval(intercept, resampled[2], num_blocks),
        num_sites,
    )


def _lines(sums: NDArray[np.float64], mean_p: float, mean_q: float) -> tuple[NDArray[np.float64], ...]:
    """r, slope and intercept from rows of (n, sum dp, sum dq, sum dp², sum dq², sum dp dq)."""
    n, p, q, pp, qq, pq = sums.T
    var_p, var_q, cov = pp - p * p / n, qq - q * q / n, pq - p * q / n
    nothing = np.full(len(sums), math.nan)
    flat = 1e-13 * n
    slope = np.divide(cov, var_p, out=nothing.copy(), where=var_p > flat)
    defined = (var_p > flat) & (var_q > flat)
    r = np.divide(cov, np.sqrt(np.where(defined, var_p * var_q, 1)), out=nothing.copy(), where=defined)
    return np.clip(r, -1, 1), slope, mean_q + q / n - slope * (mean_p + p / n)


def newly_fixed(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> NDArray[np.int64]:
    """Sites at frequency 0 or 1 in the synthetic but not in the real cohort, ascending: alleles the model has lost."""
    fixed_real, fixed_synthetic = (((p == 0) | (p == 1)) for p in (real, synthetic))
    return np.flatnonzero(fixed_synthetic & ~fixed_real)

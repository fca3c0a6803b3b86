"""Pearson's correlation and the least squares line from sums over blocks, with intervals of a block bootstrap."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics._intervals import Interval, block_weights, bootstrap_interval, correlation_interval


@dataclass(frozen=True)
class Line:
    """Synthetic on real values.

    Attributes
    ----------
    r, slope, intercept : float, Pearson's correlation and ordinary least squares; NaN where not defined
    r_interval, slope_interval, intercept_interval : 95 % (low, high), block bootstrap
    """

    r: float
    slope: float
    intercept: float
    r_interval: Interval
    slope_interval: Interval
    intercept_interval: Interval


def moments(p: NDArray[np.float64], q: NDArray[np.float64]) -> NDArray[np.float64]:
    """(1, p, q, p², q², p q) of every pair, float64 (6, n): sums of them over blocks make a line."""
    return np.stack([np.ones_like(p), p, q, p * p, q * q, p * q])


def line_of_blocks(blocks: NDArray[np.float64], seed: int, mean_p: float = 0.0, mean_q: float = 0.0) -> Line:
    """The line over all blocks; intervals: spread over 1000 resamples of them, for r on Fisher's scale.

    Parameters
    ----------
    blocks : float64 (6, num_blocks), sums of `moments` of p - mean_p and q - mean_q over the pairs of each block; p and
        q of the order of 1, variances below 1e-13 count as none
    seed : int >= 0
    """
    num_blocks = blocks.shape[1]
    return line_of_groups(blocks, block_weights(num_blocks, seed).astype(np.float64), num_blocks, mean_p, mean_q)


def line_of_groups(
    groups: NDArray[np.float64],
    weights: NDArray[np.float64],
    num_blocks: int,
    mean_p: float = 0.0,
    mean_q: float = 0.0,
) -> Line:
    """`line_of_blocks` where pairs belong to groups, whose weights follow from those of several blocks.

    Parameters
    ----------
    groups : float64 (6, num_groups), sums as in `line_of_blocks`
    weights : float64 (num_resamples, num_groups)
    num_blocks : int, blocks that were resampled
    """
    resampled = _lines(weights @ groups.T, mean_p, mean_q)
    r, slope, intercept = (float(v[0]) for v in _lines(groups.sum(axis=1)[None], mean_p, mean_q))
    return Line(
        r,
        slope,
        intercept,
        correlation_interval(r, resampled[0], num_blocks),
        bootstrap_interval(slope, resampled[1], num_blocks),
        bootstrap_interval(intercept, resampled[2], num_blocks),
    )


def _lines(sums: NDArray[np.float64], mean_p: float, mean_q: float) -> tuple[NDArray[np.float64], ...]:
    """r, slope and intercept from rows of (n, sum p, sum q, sum p², sum q², sum p q) about the means."""
    n, p, q, pp, qq, pq = sums.T
    some = np.maximum(n, 1)
    var_p, var_q, cov = pp - p * p / some, qq - q * q / some, pq - p * q / some
    nothing = np.full(len(sums), math.nan)
    flat = 1e-13 * n
    slope = np.divide(cov, var_p, out=nothing.copy(), where=var_p > flat)
    defined = (var_p > flat) & (var_q > flat)
    r = np.divide(cov, np.sqrt(np.where(defined, var_p * var_q, 1)), out=nothing.copy(), where=defined)
    return np.clip(r, -1, 1), slope, mean_q + q / some - slope * (mean_p + p / some)

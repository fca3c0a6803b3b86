"""95 % intervals: Wilson and MOVER for shares, block bootstrap over sites for the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import philox

Interval = tuple[float, float]

Z = 1.959963984540054  # 97.5 % point of the normal distribution
NUM_RESAMPLES = 1000


def wilson(share: float, n: float) -> Interval:
    """Wilson's score interval of a share of n indicators (Wilson 1927); ties counted half make it a little too wide."""
    centre = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * math.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half))  # at 0 and 1 but for rounding


def share_interval(share: float, variance: float, n: int) -> Interval:
    """Wilson's interval of a share of which the sampling variance is known, for any dependence among its indicators.

    It is taken at the effective number share (1 - share) / variance (Kish 1965, section 8.2); at n where that has no
    meaning, for a share of 0 or 1.
    """
    spread = share * (1 - share)
    return wilson(share, spread / variance if spread > 1e-12 and variance > 0 else n)


def combine(value: float, parts: list[tuple[float, float, Interval]]) -> Interval:
    """Interval of value = sum_k c_k x_k from the intervals of the x_k taken as independent.

    The method of variance estimates recovery (Zou and Donner 2008, equations 2 and 3).

    Parameters
    ----------
    parts : (c_k, x_k, (low_k, high_k))
    """
    below = above = 0.0
    for factor, x, (low, high) in parts:
        down, up = factor * (x - low), factor * (high - x)
        if factor < 0:
            down, up = -up, -down
        below += down * down
        above += up * up
    return value - math.sqrt(below), value + math.sqrt(above)


@cache
def student(freedom: int) -> float:
    """97.5 % point t of Student's distribution with `freedom` >= 1 degrees of freedom.

    Bisection on the angle atan(t / sqrt(freedom)) of the finite sums for P(|T| < t) (Abramowitz and Stegun 1964,
    26.7.3 and 26.7.4).
    """
    low, high = 0.0, math.pi / 2
    for _ in range(60):
        angle = (low + high) / 2
        low, high = (angle, high) if _student_inside(angle, freedom) < 0.95 else (low, angle)
    return math.sqrt(freedom) * math.tan(low)


def _student_inside(angle: float, freedom: int) -> float:
    """P(|T| < sqrt(freedom) tan angle)."""
    sine, cosine = math.sin(angle), math.cos(angle)
    term, total = (cosine, 0.0) if freedom % 2 else (1.0, 0.0)
    for k in range(1 + freedom % 2, freedom, 2):
        total += term
        term *= k / (k + 1) * cosine * cosine
    return 2 / math.pi * (angle + sine * total) if freedom % 2 else sine * total


def halves_interval(value: Any, halves: Sequence[Any], limits: Interval, freedom: int | None = None) -> tuple[Any, Any]:
    """value -+ t standard deviations of what seeded halves of the rows give, within limits; NaN without two halves.

    t is Student's with `freedom`, or one degree of freedom less than there are halves (halves of a few groups have no
    more freedom than the groups). A half drawn without replacement varies about the whole as the whole does about the
    truth (Politis, Romano and Wolf 1999, chapter 2; the delete-half jackknife). Values may be arrays, the halves a
    sequence of them.
    """
    if len(halves) < 2:
        nowhere = np.full(np.shape(value), np.nan)[()]
        return nowhere, nowhere
    half = student(freedom or len(halves) - 1) * np.std(halves, axis=0, ddof=1)
    return np.clip(value - half, *limits), np.clip(value + half, *limits)


def block_weights(num_blocks: int, seed: int) -> NDArray[np.int64]:
    """How often each block is drawn, int64 (1000, num_blocks): as many blocks with replacement as there are."""
    rng = np.random.Generator(philox(seed, Stream.BOOTSTRAP))
    return rng.multinomial(num_blocks, np.full(num_blocks, 1 / num_blocks), size=NUM_RESAMPLES)


def bootstrap_interval(value: float, resampled: NDArray[np.float64], num_blocks: int) -> Interval:
    """value -+ 1.96 standard deviations of its resamples; NaN with fewer than 10 blocks or where a tenth is undefined.

    Resampled blocks add their own noise to a correlation or a squared error, so that percentiles of the resamples lie
    to one side of the value; their spread does not.
    """
    known = resampled[np.isfinite(resampled)]
    if num_blocks < 10 or len(known) < 0.9 * len(resampled) or not math.isfinite(value):
        return math.nan, math.nan
    half = Z * float(known.std())
    return value - half, value + half


def correlation_interval(r: float, resampled: NDArray[np.float64], num_blocks: int) -> Interval:
    """`bootstrap_interval` of a correlation, on Fisher's scale artanh r; as it is where one of them is perfect."""
    most = 1 - 1e-12
    if abs(r) > most or (np.abs(resampled) > most).any():
        low, high = bootstrap_interval(r, resampled, num_blocks)
        return float(np.maximum(-1.0, low)), float(np.minimum(1.0, high))
    low, high = bootstrap_interval(math.atanh(r), np.arctanh(resampled), num_blocks)
    return math.tanh(low), math.tanh(high)

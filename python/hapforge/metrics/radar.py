"""The six scores of the papers' radar plots, each from 0 (poor) to 1 (perfect), from scores that exist."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hapforge.metrics._intervals import Interval, combine


@dataclass(frozen=True)
class Part:
    """A score in [0, 1] or what one is made of, with its 95 % interval (low, high), NaN where none is known."""

    value: float
    interval: Interval = (math.nan, math.nan)


def radar(
    *,
    af_r_low: Part,
    three_point_r: Part,
    pairwise: Part,
    pairwise_binomial: float,
    aa_truth: Part,
    aa_syn: Part,
    ld_score: Part,
) -> dict[str, Part]:
    """The six scores of a radar plot.

    - "af": correlation of ALT frequencies over the sites at real frequency <= 0.2
    - "three_point": correlation of 3-point correlations of sites at random distances
    - "pairwise": 1 - W / W_b, W the Wasserstein distance between the distributions of pairwise differences within the
      real and within the synthetic cohort, W_b the same for independent sites at the real frequencies, which is scaled
      to 0
    - "overfitting": 1 - (0.5 - min(AA_truth, 0.5)) - (0.5 - min(AA_syn, 0.5))
    - "underfitting": 1 - (max(AA_truth, 0.5) - 0.5) - (max(AA_syn, 0.5) - 0.5)
    - "ld": 1 - sum (LD_real - LD_syn)² / sum LD_real² over the bins of LD decay

    What lies below 0 (a negative correlation, a set worse than independent sites) is 0, as the papers' scores span 0
    to 1.

    Parameters
    ----------
    af_r_low, three_point_r, pairwise, aa_truth, aa_syn, ld_score : Part, as the names of the scores have it; NaN gives
        NaN
    pairwise_binomial : float > 0, W_b in sites

    Returns
    -------
    {name: Part}, in this order

    Raises
    ------
    ValueError
        W_b is not above 0.

    References
    ----------
    Yelmen et al. 2023, methods, "Summary statistics".
    """
    if not pairwise_binomial > 0:
        raise ValueError(f"pairwise_binomial: expected a distance above 0, found {pairwise_binomial}")
    low, high = pairwise.interval
    return {
        "af": _clipped(af_r_low),
        "three_point": _clipped(three_point_r),
        "pairwise": _clipped(
            Part(
                1 - pairwise.value / pairwise_binomial,
                (1 - high / pairwise_binomial, 1 - low / pairwise_binomial),
            )
        ),
        "overfitting": _clipped(_less([_beyond(part, below=True) for part in (aa_truth, aa_syn)])),
        "underfitting": _clipped(_less([_beyond(part, below=False) for part in (aa_truth, aa_syn)])),
        "ld": _clipped(ld_score),
    }


def _beyond(part: Part, *, below: bool) -> Part:
    """How far a share is below (above) one half."""

    def distance(share: float) -> float:
        return max(0.0, 0.5 - share) if below else max(0.0, share - 0.5)

    if math.isnan(part.value):
        return part
    ends = sorted(distance(end) for end in part.interval)
    return Part(distance(part.value), (ends[0], ends[1]))


def _less(parts: list[Part]) -> Part:
    """1 less the parts."""
    value = 1 - sum(part.value for part in parts)
    return Part(value, combine(value, [(-1.0, part.value, part.interval) for part in parts]))


def _clipped(part: Part) -> Part:
    return Part(_clip(part.value), (_clip(part.interval[0]), _clip(part.interval[1])))


def _clip(value: float) -> float:
    return value if math.isnan(value) else min(1.0, max(0.0, value))

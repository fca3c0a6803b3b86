"""Error of the adversarial accuracy indicator: how far both parts are from one half."""

from __future__ import annotations

from dataclasses import dataclass

from hapforge.metrics._intervals import Interval, combine
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy


@dataclass(frozen=True)
class IndicatorError:
    """The error in [0, 0.25], its 95 % interval (low, high), and n, the rows of each side."""

    error: float
    interval: Interval
    n: int


def indicator_error(found: AdversarialAccuracy) -> IndicatorError:
    """Error of the adversarial accuracy indicator, eps_AAI = ((P_GG - 0.5)² + (P_DD - 0.5)²) / 2.

    P_GG is the share of generated rows whose nearest neighbour is generated, P_DD the share of real rows whose nearest
    neighbour is real (the paper's sentence on P_DD is garbled): AA_syn and AA_truth under the same tie rule. Under the
    strict rule ties count 0, so that even real rows against real rows are not at 0: judge against this control.

    Parameters
    ----------
    found : AdversarialAccuracy at equal n. Of a mean over subsamples, the error is that of the mean shares. The
        interval comes from those of the two parts, taken as independent.

    References
    ----------
    Carbone et al. 2023, fast and functional structured data generator, equation 8;
    Yale et al. 2020.
    """
    parts = [
        (0.5, (share - 0.5) ** 2, _squared(interval))
        for share, interval in (
            (found.aa_syn, found.aa_syn_interval),
            (found.aa_truth, found.aa_truth_interval),
        )
    ]
    error = sum(factor * square for factor, square, _ in parts)
    low, high = combine(error, parts)
    return IndicatorError(error, (max(0.0, low), high), found.n)


def _squared(interval: Interval) -> Interval:
    """Interval of (p - 0.5)² from that of p."""
    ends = sorted((end - 0.5) ** 2 for end in interval)
    return (0.0 if interval[0] <= 0.5 <= interval[1] else ends[0]), ends[1]

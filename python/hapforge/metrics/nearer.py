"""How many synthetic haplotypes are nearer to real ones than real ones are to one another?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, Z
from hapforge.metrics.design_effect import Dependence
from hapforge.metrics.nearest import ListedDistances, distances_to_train

_DEVIATION = math.sqrt(math.log(2 / 0.05) / 2)  # 97.5 % of sqrt(n) D+ lie below


@dataclass(frozen=True)
class NearerShare:
    """Result of `nearer_share`.

    Attributes
    ----------
    share : float in [0, 1], D+ = max_d F(d) - G(d), F of synthetic and G of reference rows
    interval : 95 % interval, share -+ the deviation that D+ of n rows and a true distribution has at most
    distance : float, sites at which the greatest difference lies (mean over subsamples)
    n, n_reference : int, synthetic and reference rows
    """

    share: float
    interval: Interval
    distance: float
    n: int
    n_reference: int


def nearer_share(
    train: HaplotypeMatrix, synthetic: HaplotypeMatrix, holdout: HaplotypeMatrix | None = None
) -> NearerShare:
    """Share of synthetic rows that, at least, are nearer (Hamming) to a training row than other real rows are.

    D+ = max_d F(d) - G(d), the one-sided Kolmogorov-Smirnov distance between the minimum distances of synthetic rows to
    the training rows (F) and those of the reference (G). Where a share c of the rows are copies and the rest is like
    the reference, F - G = c (1 - G) at the copies' distance: D+ is a lower bound of c, also where many real rows are
    identical. The reference is held-out rows to the training rows; without a holdout, every training row to the others.
    Of a perfect set D+ is above 0 by chance, in the mean at most about sqrt(pi / 8) sqrt(1 / n + 1 / n_reference) and
    less where distances tie: read it beside a control.

    Parameters
    ----------
    train : HaplotypeMatrix, at least 2 rows
    synthetic : HaplotypeMatrix
    holdout : HaplotypeMatrix, real persons that no model was fitted to

    Raises
    ------
    ValueError
        Different numbers of sites, too few rows.

    References
    ----------
    Smirnov 1939; Massart 1990, the tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality (the interval).
    """
    return nearer_over([distances_to_train(train, synthetic, holdout)])


def nearer_over(samples: Sequence[tuple[NDArray[np.uint32], NDArray[np.uint32]]]) -> NearerShare:
    """Mean over samples of one size: minimum distances of synthetic and of reference rows to the same training rows."""
    each = [_greatest(syn, reference) for syn, reference in samples]
    share, distance = np.mean(each, axis=0).tolist()
    n, n_reference = len(samples[0][0]), len(samples[0][1])
    half = _DEVIATION * math.sqrt(1 / n + 1 / n_reference)
    return NearerShare(share, (max(0.0, share - half), min(1.0, share + half)), distance, n, n_reference)


@dataclass(frozen=True)
class NearestMean:
    """Mean distance (sites) of n rows to the closest other one, and its 95 % interval (low, high)."""

    mean: float
    interval: Interval
    n: int


def nearest_mean_over(search: ListedDistances, subsamples: Sequence[NDArray[np.int64]]) -> NearestMean:
    """Mean distance of rows to the closest other one, mean over subsamples of one size n.

    It grows as rows are left out, so that no subsample of them varies as they do. The interval is that of the mean of
    n distances of which those with rows in common depend on each other (`Dependence`): too wide where parts of the set
    are denser than others, too narrow where sites are independent and a few rows are everybody's neighbours.

    Parameters
    ----------
    search : ListedDistances of rows among themselves
    subsamples : rows, ascending, 2 or more
    """
    means, variances = [], []
    for rows in subsamples:
        distance, index = search.nearest(rows, rows)
        place = np.searchsorted(rows, index)
        means.append(float(distance.mean()))
        among = Dependence(np.stack([np.arange(len(rows)), place], axis=1))
        variances.append(among.variance(distance - means[-1]) / len(rows) ** 2)
    mean, half = float(np.mean(means)), Z * math.sqrt(np.mean(variances))
    return NearestMean(mean, (max(0.0, mean - half), mean + half), len(subsamples[0]))


def _greatest(syn: NDArray[np.uint32], reference: NDArray[np.uint32]) -> tuple[float, int]:
    length = 1 + int(max(syn.max(), reference.max()))
    ahead = sum(
        sign * np.bincount(rows, minlength=length).cumsum() / len(rows) for sign, rows in ((1, syn), (-1, reference))
    )
    at = int(np.argmax(ahead))
    return float(np.asarray(ahead)[at]), at

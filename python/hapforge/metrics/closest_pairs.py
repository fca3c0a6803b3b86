"""Closest pairs: are synthetic haplotypes nearer to training haplotypes than other real ones are?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, wilson
from hapforge.metrics.nearest import NearestDistances, distances_to_train

SHARE = 0.01  # of the reference rows lie at or below the limit: what a harmless set scores
QUANTILES = (0.0, 0.001, 0.01, 0.05)
NUM_PAIRS = 20


@dataclass(frozen=True)
class ClosestPairs:
    """Result of `closest_pairs`.

    Attributes
    ----------
    share : float in [0, 1], synthetic rows nearer to a training row than the limit; 0.01 for a harmless set
    interval : 95 % interval, Wilson's at the number of rows that both samples together are worth, as the limit is
        uncertain too
    limit : float, 1 % quantile of the reference distances, in sites (mean over subsamples)
    quantiles, reference : float64 (4,), minimum distance to the training rows, in sites: the least, and the 0.1 %, 1 %
        and 5 % quantiles, of synthetic and of reference rows (mean over subsamples)
    n, n_reference : int, synthetic and reference rows
    """

    share: float
    interval: Interval
    limit: float
    quantiles: NDArray[np.float64]
    reference: NDArray[np.float64]
    n: int
    n_reference: int


@dataclass(frozen=True)
class ClosestPair:
    """A synthetic row and the training row closest to it.

    Attributes
    ----------
    synthetic, real : int, rows
    distance : int, sites that differ
    next_distance : int, to the next training row; a much greater one means that this row in particular was copied
        (their ratio is the nearest-neighbour distance ratio). -1 where there is no other row.
    """

    synthetic: int
    real: int
    distance: int
    next_distance: int


def closest_pairs(
    train: HaplotypeMatrix, synthetic: HaplotypeMatrix, holdout: HaplotypeMatrix | None = None
) -> ClosestPairs:
    """Share of synthetic rows nearer (Hamming) to a training row than all but 1 % of the real rows not trained on.

    Every row is compared with all training rows, so that the sizes of the other sets do not matter. The reference is
    the minimum distance of held-out rows to the training rows; without a holdout, that of every training row to the
    others, which are one fewer. Distances are whole numbers: rows exactly at the limit count by the part of the
    reference rows there that is needed for 1 %, so that a harmless set has an expectation of 0.01 also where many real
    haplotypes are identical. There a copy cannot be told from chance, and the share of a copying set stays low: read
    the limit beside it.

    Parameters
    ----------
    train : HaplotypeMatrix, at least 2 rows
    synthetic : HaplotypeMatrix
    holdout : HaplotypeMatrix, real persons that no model was fitted to, none of them related to training persons

    Raises
    ------
    ValueError
        Different numbers of sites, too few rows.

    References
    ----------
    The distance to the closest record (DCR) of synthetic tables, judged by that of a holdout: Platzer and Reutterer
    2021, holdout-based empirical assessment of mixed-type synthetic data. That a small distance alone proves no
    harm, and a large one no safety: Yao et al. 2025, the DCR delusion.
    """
    return closest_over([distances_to_train(train, synthetic, holdout)])


def closest_over(samples: Sequence[tuple[NDArray[np.uint32], NDArray[np.uint32]]]) -> ClosestPairs:
    """Mean over samples of one size: minimum distances of synthetic and of reference rows to the same training rows."""
    shares, limits = zip(*(_share(syn, reference) for syn, reference in samples), strict=True)
    share = float(np.mean(shares))
    n, n_reference = len(samples[0][0]), len(samples[0][1])
    quantiles, reference = (
        np.mean([np.quantile(sample[which], QUANTILES, method="inverted_cdf") for sample in samples], axis=0)
        for which in (0, 1)
    )
    return ClosestPairs(
        share=share,
        interval=wilson(share, n * n_reference / (n + n_reference)),
        limit=float(np.mean(limits)),
        quantiles=quantiles,
        reference=reference,
        n=n,
        n_reference=n_reference,
    )


def _share(syn: NDArray[np.uint32], reference: NDArray[np.uint32]) -> tuple[float, int]:
    limit = np.quantile(reference, SHARE, method="inverted_cdf")
    below, at = float((reference < limit).mean()), float((reference == limit).mean())
    return float((syn < limit).mean() + (SHARE - below) / at * (syn == limit).mean()), int(limit)


def list_closest(to_train: NearestDistances) -> list[ClosestPair]:
    """The 20 synthetic rows closest to a training row, by (distance, row); ties go to the lower training row."""
    index, distance = to_train.listed
    rows = np.lexsort((np.arange(len(distance)), distance[:, 0]))[:NUM_PAIRS]
    return [
        ClosestPair(
            int(row), int(index[row, 0]), int(distance[row, 0]), int(distance[row, 1]) if distance.shape[1] > 1 else -1
        )
        for row in rows
    ]

"""Overlap of two cohorts on the principal components of both together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge._backend import map_threads
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, Samples, seeded_order
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.transport import TransportCost, transport_cost
from hapforge.stats.pca import randomized_pca

MAX_ROWS = 1500
MAX_ROWS_LATER = 500
_STREAMS = (Stream.PCA_OVERLAP_REAL, Stream.PCA_OVERLAP_SYNTHETIC)
_PERSON_STREAMS = (Stream.PCA_OVERLAP_REAL_PERSONS, Stream.PCA_OVERLAP_SYNTHETIC_PERSONS)


@dataclass(frozen=True)
class PCAOverlap:
    """Result of `pca_overlap`.

    Attributes
    ----------
    costs : of components 1 and 2, 3 and 4, ...: TransportCost between subsamples
    n : of each of them, rows of the smaller side
    real, synthetic : float64 (rows, k), coordinates of all rows
    explained : float64 (k,), shares of the variance
    """

    costs: list[TransportCost]
    n: list[int]
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    explained: NDArray[np.float64]


def pca_overlap(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    *,
    num_components: int = 2,
    rows: int | None = MAX_ROWS,
    seed: int = 0,
) -> PCAOverlap:
    """2D Wasserstein distances between two cohorts on pairs of principal components of both together.

    PCA (centred, unscaled; `stats.randomized_pca`, which is exact up to 1,024 sites) of the rows of both. Then, for
    components 1 and 2, 3 and 4 and so on, the transport cost (`transport_cost`) between equal seeded subsamples of at
    most `rows` rows of each side, from the third component on of at most 500. Rows go into the parts of its margin by
    persons in a seeded order.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites
    num_components : int, 2 to 10, even
    rows : int, or None to take all rows of both for all pairs, whose numbers may then differ (costs grow with their
        product)
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, too few rows or sites for the components, or an odd number of them.
    MissingDependencyError
        Without POT (the exact cost).

    References
    ----------
    Yelmen et al. 2021, "Summary statistics": entropic regularised problem with squared Euclidean distances from PCs 1
    and 2, parameter 0.001. That the cost is divided by its maximum reproduces their figures; the paper does not say so.
    """
    check_same_sites(real=real, synthetic=synthetic)
    if num_components % 2:
        raise ValueError(f"num_components: expected an even number, found {num_components}")
    found = randomized_pca(HaplotypeMatrix(np.concatenate([real.words, synthetic.words]), real.sites), num_components)
    first, second = np.split(found.coordinates, [real.num_haplotypes])
    orders = [
        (seeded_order(len(cloud), seed, stream), _person_rank(matrix.samples, seed, person_stream))
        for cloud, matrix, stream, person_stream in zip(
            (first, second), (real, synthetic), _STREAMS, _PERSON_STREAMS, strict=True
        )
    ]
    pairs, sizes = [], []
    for pair in range(num_components // 2):
        most = max(len(first), len(second)) if rows is None else min(rows, MAX_ROWS_LATER if pair else rows)
        if rows is not None:
            most = min(len(first), len(second), most)
        clouds = []
        for cloud, (order, rank) in zip((first, second), orders, strict=True):
            chosen = order[:most]
            clouds.append(cloud[chosen[np.argsort(rank[chosen], kind="stable")], 2 * pair : 2 * pair + 2])
        pairs.append(clouds)
        sizes.append(min(len(first), len(second), most))
    costs = map_threads(lambda clouds: transport_cost(*clouds), pairs)
    return PCAOverlap(costs, sizes, first, second, found.explained)


def _person_rank(samples: Samples, seed: int, stream: int) -> NDArray[np.int64]:
    """For every row, the place of its person in a seeded order."""
    rank = np.empty(samples.num_persons, np.int64)
    rank[seeded_order(samples.num_persons, seed, stream)] = np.arange(samples.num_persons)
    return rank[samples.person]

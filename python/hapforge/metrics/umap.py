"""Overlap of two cohorts on a UMAP of both together."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, check_seed, seeded_order
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.transport import TransportCost, transport_cost
from hapforge.stats import umap_layout

MAX_ROWS = 1500
_STREAMS = (Stream.UMAP_REAL, Stream.UMAP_SYNTHETIC)


@dataclass(frozen=True)
class UMAPOverlap:
    """Result of `umap_overlap`.

    Attributes
    ----------
    cost : TransportCost, between the two embedded subsamples
    n : int, rows of each side
    real, synthetic : float64 (n, 2), where UMAP puts them
    """

    cost: TransportCost
    n: int
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]


def umap_overlap(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, rows: int = MAX_ROWS, seed: int = 0
) -> UMAPOverlap:
    """2D Wasserstein distance between two cohorts on a UMAP of both together.

    `stats.umap_layout` (Euclidean, that is the root of the number of differences) of equal seeded subsamples of at most
    `rows` haplotypes of each cohort; then `transport_cost` as for principal components. UMAP changes its layout with
    the seed: read the cost beside that of a control.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites
    rows : int, at least 8, at most 1500: the distances of all are formed (4 (2 rows)² bytes)
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 8 rows.
    MissingDependencyError
        Without umap-learn or POT.

    References
    ----------
    McInnes, Healy, Melville 2018. Yelmen et al. 2021, supplementary figure 3.
    """
    check_same_sites(real=real, synthetic=synthetic)
    n = min(real.num_haplotypes, synthetic.num_haplotypes, rows)
    if not 8 <= n <= MAX_ROWS:
        raise ValueError(f"rows: expected 8 to {MAX_ROWS} haplotypes of each cohort, found {n}")
    words = [
        cohort.words[seeded_order(cohort.num_haplotypes, seed, stream)[:n]]
        for cohort, stream in zip((real, synthetic), _STREAMS, strict=True)
    ]
    apart = np.sqrt(kernels.pairwise_hamming((np.concatenate(words), real.num_sites)).astype(np.float32))
    points = umap_layout(apart, check_seed(seed))
    first, second = points[:n], points[n:]
    return UMAPOverlap(transport_cost(first, second), n, first, second)

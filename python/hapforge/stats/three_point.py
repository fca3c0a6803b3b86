"""The triplets of sites whose 3-point correlations are compared: by spacing, and at random."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.kernels.three_point import random_triplets, triplets_at_spacing

SPACINGS = (1, 4, 16, 64, 256, 512, 1024)
RANDOM = "random"
NUM_TRIPLETS = 8000
MIN_TRIPLETS = 10


def three_point_triplets(matrix: HaplotypeMatrix, *, seed: int = 0) -> dict[str, NDArray[np.int64]]:
    """Triplets of sites at each spacing of the papers, and at random places.

    Up to 8000 of each kind, all there are where there are fewer; of one contig each. They follow from the sites and the
    seed alone, so that cohorts with the same sites have the same triplets.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    seed : int in [0, 2**64)

    Returns
    -------
    dict "1", "4" ... "1024" -> int64 (num_triplets, 3), sites (i, i + spacing, i + 2 spacing); "random" -> three
    different sites i < j < k, drawn independently. Kinds with fewer than 10 triplets are left out: those that do not
    fit the contigs.

    References
    ----------
    Yelmen et al. 2021, Materials and Methods, "Summary statistics".
    """
    found = {str(spacing): triplets_at_spacing(matrix, spacing, NUM_TRIPLETS, seed=seed) for spacing in SPACINGS}
    ranges = [(first, end) for _, first, end in matrix.sites.contig_blocks()]
    if sum(math.comb(end - first, 3) for first, end in ranges) > NUM_TRIPLETS:
        found[RANDOM] = random_triplets(matrix, NUM_TRIPLETS, seed=seed)
    else:
        every = itertools.chain.from_iterable(itertools.combinations(range(*block), 3) for block in ranges)
        found[RANDOM] = np.array(list(every), dtype=np.int64).reshape(-1, 3)
    return {kind: triplets for kind, triplets in found.items() if len(triplets) >= MIN_TRIPLETS}

"""Counts of short haplotype motifs.

References
----------
Yelmen et al., "Deep convolutional and conditional neural networks for large-scale genomic data generation", PLoS
Comput. Biol. 19 (2023), Materials and Methods: occurrences of each motif in non-overlapping windows of 4 and of 8
sites.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.kernels._inputs import as_packed, refuse_large, whole

_MOST_SITES = 16


def kmer_counts(m: Any, k: int, *, backend: str = "auto", threads: int | None = None) -> NDArray[np.int64]:
    """Haplotypes that carry each motif of k neighbouring sites, in every non-overlapping window.

    Window w holds sites k w to k w + k - 1. The first site of a window is the most significant bit of its motif: 0 1 1
    is motif 3. Windows never cross contigs: they start anew with each, and the up to k - 1 sites left at its end are
    dropped.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values. Only a HaplotypeMatrix has contigs.
    k : int from 1 to 16, sites of a window
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    int64 (num_windows, 2**k)
        Each row sums to the number of haplotypes.

    Raises
    ------
    ValueError
        k is not 1 to 16; the result would pass 2 GiB; bad values in the input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.

    Notes
    -----
    Memory: the result and 330 KB for each thread.
    """
    packed = as_packed(m, "m", threads)
    backend = _backend.resolve("kmers", backend)
    k = whole(k, "k", 1, _MOST_SITES)
    blocks = m.sites.contig_blocks() if isinstance(m, HaplotypeMatrix) else [("", 0, packed.num_sites)]
    runs = np.array([(begin, (end - begin) // k) for _, begin, end in blocks], dtype=np.int64).reshape(-1, 2)
    refuse_large((int(runs[:, 1].sum()), 1 << k), 8, "kmer_counts", "choose a smaller k or fewer sites")
    return _backend.core.kmer_counts(*packed, k, runs, backend, _backend.get_threads(threads))

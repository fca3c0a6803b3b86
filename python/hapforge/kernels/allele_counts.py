"""Allele counts."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.kernels._inputs import as_packed, handed_back, resolve


def allele_counts(m: Any, *, backend: str = "auto", threads: int | None = None) -> NDArray[np.int64]:
    """Haplotypes that carry ALT at each site, the column sums of the 0/1 matrix.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values; fewer than 2**31 haplotypes.
    backend : str
        "auto", or one of ``available_backends("allele_counts")``; "cuda" copies words of the host to the
        current device. Never changes the result.
    threads : int, optional
        Default: `hapforge`'s thread budget. Never changes the result; "cuda" takes no notice of it.

    Returns
    -------
    int64 (num_sites,)

    Raises
    ------
    ValueError
        Bad values in the input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    packed = as_packed(m, "m", threads, device=True)
    backend = resolve("allele_counts", backend, packed)
    found = _backend.run("allele_counts", *packed, backend=backend, threads=_backend.get_threads(threads))
    return handed_back(found, m)

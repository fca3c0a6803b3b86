"""Hamming distances between haplotypes: all of them, or how often each occurs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.kernels._inputs import as_packed, handed_back, refuse_large, resolve, same_sites


def pairwise_hamming(a: Any, b: Any = None, *, backend: str = "auto", threads: int | None = None) -> NDArray[np.uint32]:
    """Hamming distances of all pairs, d[i, j] = number of sites where a[i] and b[j] differ.

    Parameters
    ----------
    a : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values.
    b : same types, optional
        (m, num_sites). Absent: a itself.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    uint32 (n, m)

    Raises
    ------
    ValueError
        The result would pass 2 GiB; different numbers of sites; bad values in an input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    left = as_packed(a, "a", threads, device=True)
    right = left if b is None else as_packed(b, "b", threads, device=True)
    same_sites(left, right, ("a", "b"))
    refuse_large(
        (len(left.words), len(right.words)),
        4,
        "pairwise_hamming",
        "nearest_neighbours and hamming_histogram need no matrix",
    )
    backend = resolve("hamming", backend, left, right)
    args = (left.words, right.words, left.num_sites)
    found = _backend.run("pairwise_hamming", *args, backend=backend, threads=_backend.get_threads(threads))
    return handed_back(found, a, b)


def hamming_histogram(a: Any, b: Any = None, *, backend: str = "auto", threads: int | None = None) -> NDArray[np.int64]:
    """How many pairs lie at each Hamming distance; the matrix of distances is never formed.

    Parameters
    ----------
    a : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values.
    b : same types, optional
        Given: all n x m pairs (a[i], b[j]). Absent: the unordered pairs i < j of a, n (n - 1) / 2 of them.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    int64 (num_sites + 1,)
        Entry d is the number of pairs that differ at exactly d sites.

    Raises
    ------
    ValueError
        Different numbers of sites; bad values in an input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    left = as_packed(a, "a", threads, device=True)
    right = None if b is None else as_packed(b, "b", threads, device=True)
    if right is not None:
        same_sites(left, right, ("a", "b"))
    backend = resolve("hamming", backend, left, right or left)
    args = (left.words, None if right is None else right.words, left.num_sites)
    found = _backend.run("hamming_histogram", *args, backend=backend, threads=_backend.get_threads(threads))
    return handed_back(found, a, b)

"""Nearest neighbours by Hamming distance, brute force over packed bits."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.kernels._inputs import as_packed, same_sites


class Neighbours(NamedTuple):
    """The k nearest targets of each query, in ascending order of (distance, index).

    Attributes
    ----------
    index : int64 (n, k), rows of the targets
    distance : uint32 (n, k), numbers of sites that differ
    """

    index: NDArray[np.int64]  # type: ignore[assignment]  # takes the place of tuple.index
    distance: NDArray[np.uint32]


def nearest_neighbours(
    queries: Any,
    targets: Any = None,
    *,
    k: int = 1,
    exclude_self: bool | None = None,
    backend: str = "auto",
    threads: int | None = None,
) -> Neighbours:
    """The k nearest targets of every query by Hamming distance.

    The distance of two haplotypes is the number of sites where they differ. At equal distance the target with the
    lower index comes first. Every pair is compared; memory is the inputs, the result and a few tiles per thread.

    Parameters
    ----------
    queries : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values.
    targets : same types, optional
        (m, num_sites). Absent: the queries themselves.
    k : int
        Neighbours of each query, 1 up to the number of candidates.
    exclude_self : bool, optional
        Whether target i is no candidate for query i. The default is True without `targets` and False with them; True
        with `targets` needs as many targets as queries.
    backend : str
        "auto", or one of ``available_backends("nearest_neighbours")``. Never changes the result.
    threads : int, optional
        Default: `hapforge`'s thread budget. Never changes the result.

    Returns
    -------
    Neighbours
        index int64 (n, k) and distance uint32 (n, k).

    Raises
    ------
    ValueError
        k is below 1 or above the number of candidates; different numbers of sites; bad values in an input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.

    Examples
    --------
    >>> import numpy as np
    >>> from hapforge.kernels import nearest_neighbours
    >>> rows = np.array([[0, 0, 0], [0, 0, 1], [1, 1, 1]], dtype=np.uint8)
    >>> nearest_neighbours(rows).index.ravel().tolist()
    [1, 0, 1]
    """
    a = as_packed(queries, "queries")
    b = a if targets is None else as_packed(targets, "targets")
    same_sites(a, b, ("queries", "targets"))
    if exclude_self is None:
        exclude_self = targets is None
    num_queries, num_targets = len(a.words), len(b.words)
    if exclude_self and num_queries != num_targets:
        raise ValueError(
            f"exclude_self: expected as many targets as queries, found {num_targets} targets, {num_queries} queries"
        )
    candidates = max(0, num_targets - exclude_self)
    k = operator.index(k)
    if not 1 <= k <= candidates:
        raise ValueError(f"k: expected 1 to {candidates}, the number of candidates, found {k}")
    index, distance = _backend.core.nearest_neighbours(
        a.words,
        b.words,
        a.num_sites,
        k,
        bool(exclude_self),
        _backend.resolve("nearest_neighbours", backend),
        _backend.get_threads(threads),
    )
    return Neighbours(index, distance)

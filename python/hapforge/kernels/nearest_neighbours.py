"""Nearest neighbours by Hamming distance, exactly: of one set, or of two in one pass.

Where there are 4096 rows or more, and 1024 for each neighbour after the first (of which at most 64 are wanted), pairs
whose distance cannot matter are passed over: parities of groups of sites give a lower bound. Otherwise every pair is
compared. Either way a pair serves both of its rows, and the result is the same. Rows without any structure gain nothing
from pruning and lose some time to it.
"""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.kernels._inputs import as_packed, handed_back, resolve, same_sites


class Neighbours(NamedTuple):
    """The k nearest targets of each query, in ascending order of (distance, index).

    Attributes
    ----------
    index : int64 (n, k), rows of the targets
    distance : uint32 (n, k), numbers of sites that differ
    """

    index: NDArray[np.int64]  # type: ignore[assignment]  # takes the place of tuple.index
    distance: NDArray[np.uint32]


class JointNeighbours(NamedTuple):
    """Neighbours within and between two sets; the first letter is whose neighbours, the second where they are.

    Attributes
    ----------
    aa, bb : Neighbours within a and within b, no row its own
    ab, ba : Neighbours of the rows of a in b, and of the rows of b in a
    """

    aa: Neighbours
    ab: Neighbours
    ba: Neighbours
    bb: Neighbours


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
    lower index comes first. Memory is the inputs, the result and, for pruning, about 2.5 bits for each differing site
    of an average pair, 80 bytes and 2 k candidates of 8 bytes per row; without, k candidates per query and thread.

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
        "auto", or one of ``available_backends("nearest_neighbours")``; "cuda" copies rows of the host (which
        may be memory-mapped) to the current device, in slabs where they do not fit there, and passes over all pairs
        once for each of the k neighbours. Never changes the result.
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
    a = as_packed(queries, "queries", threads, device=True)
    b = a if targets is None else as_packed(targets, "targets", threads, device=True)
    same_sites(a, b, ("queries", "targets"))
    if exclude_self is None:
        exclude_self = targets is None
    num_queries, num_targets = len(a.words), len(b.words)
    if exclude_self and num_queries != num_targets:
        raise ValueError(
            f"exclude_self: expected as many targets as queries, found {num_targets} targets, {num_queries} queries"
        )
    k = _checked_k(k, max(0, num_targets - exclude_self))
    backend = resolve("nearest_neighbours", backend, a, b)
    args = (a.words, b.words, a.num_sites, k, bool(exclude_self))
    found = _backend.run("nearest_neighbours", *args, backend=backend, threads=_backend.get_threads(threads))
    return Neighbours(*handed_back(found, queries, targets))


def mutual_nearest_neighbours(
    a: Any, b: Any, *, k: int = 1, backend: str = "auto", threads: int | None = None
) -> tuple[Neighbours, Neighbours]:
    """The k nearest rows of b to every row of a, and of a to every row of b, in the work of one search.

    Order and ties as in `nearest_neighbours`, whose
    answers for (a, b) and (b, a) these are.

    Parameters
    ----------
    a, b : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        (n, num_sites) and (m, num_sites), without missing values.
    k : int
        Neighbours of each row, 1 up to the smaller of n and m.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    (Neighbours, Neighbours)
        index int64 (n, k) into b and distance uint32 (n, k); index int64 (m, k) into a and distance uint32 (m, k).

    Raises
    ------
    ValueError
        k is below 1 or above the number of rows of a or b; different numbers of sites; bad values in an input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    ab, ba = _joint(a, b, k, within=False, backend=backend, threads=threads)
    return ab, ba


def joint_nearest_neighbours(
    a: Any, b: Any, *, k: int = 1, backend: str = "auto", threads: int | None = None
) -> JointNeighbours:
    """The k nearest neighbours of every row of two sets, within its own set and in the other.

    What four calls of `nearest_neighbours` give, in half of their work or less.
    These are the distances behind nearest-neighbour adversarial accuracy: with a real and b synthetic, the columns 0
    of aa, ab, ba and bb are d_TT, d_TS, d_ST and d_SS.

    Parameters
    ----------
    a, b : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        (n, num_sites) and (m, num_sites), without missing values.
    k : int
        Neighbours of each row in each set, 1 up to one less than the rows of the smaller set.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    JointNeighbours
        aa, ab, ba, bb, each index int64 and distance uint32 of shape (rows, k).

    Raises
    ------
    ValueError
        k is below 1 or not below the number of rows of a and of b; different numbers of sites; bad values in an input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.

    References
    ----------
    Yale et al. 2019, privacy preserving synthetic health data; Yelmen et al. 2021, methods, "Nearest Neighbour
    Adversarial Accuracy (AATS) and privacy loss".
    """
    return JointNeighbours(*_joint(a, b, k, within=True, backend=backend, threads=threads))


def _joint(a: Any, b: Any, k: int, *, within: bool, backend: str, threads: int | None) -> list[Neighbours]:
    left, right = as_packed(a, "a", threads, device=True), as_packed(b, "b", threads, device=True)
    same_sites(left, right, ("a", "b"))
    k = _checked_k(k, max(0, min(len(left.words), len(right.words)) - within))
    backend = resolve("nearest_neighbours", backend, left, right)
    args = (left.words, right.words, left.num_sites, k, within)
    if backend == "cuda":
        found = _backend.cuda().joint_nearest_neighbours(*args)
    else:
        found = _backend.core.joint_nearest_neighbours(*args, None, backend, _backend.get_threads(threads))
    return [Neighbours(*handed_back(lists, a, b)) for lists in found]


def _checked_k(k: int, most: int) -> int:
    k = operator.index(k)
    if not 1 <= k <= most:
        raise ValueError(f"k: expected 1 to {most}, the number of candidates, found {k}")
    return k

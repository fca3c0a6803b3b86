"""Which of two sets holds the row nearest to each row: what an adversarial accuracy asks of distances."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.kernels._inputs import as_packed, handed_back, resolve, same_sites


class NearestSet(NamedTuple):
    """The nearest other row of every row of two sets, `a` of n rows and `b` of m.

    Attributes
    ----------
    a_distance : uint32 (n,), sites that differ between a row of `a` and the nearest other row of either set
    a_sets : uint8 (n,), which sets have a row at that distance: 1 = `a`, 2 = `b`, 3 = both (a tie)
    b_distance, b_sets : the same of the rows of `b`, (m,)
    """

    a_distance: NDArray[np.uint32]
    a_sets: NDArray[np.uint8]
    b_distance: NDArray[np.uint32]
    b_sets: NDArray[np.uint8]


def nearest_set(a: Any, b: Any, *, backend: str = "auto", threads: int | None = None) -> NearestSet:
    """Whether the nearest other row of each row, by Hamming distance, is in `a`, in `b`, or equally near in both.

    Exact, and most pairs are never compared in full: identical rows are decided by counting them; for the others,
    parities of groups of sites give a lower bound of a distance, and a pair whose bound exceeds what both rows have
    found already is passed over. Where bounds do not help, and on a device, every pair is compared. Memory is the
    inputs, about 2.5 bits for each differing site of an average pair per row, and some 80 bytes per row.

    Parameters
    ----------
    a, b : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values; two rows or more in all.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    NearestSet

    Raises
    ------
    ValueError
        Fewer than two rows in all; different numbers of sites; bad values in an input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.

    Examples
    --------
    >>> import numpy as np
    >>> from hapforge.kernels import nearest_set
    >>> a = np.array([[0, 0, 0, 0], [0, 0, 0, 1]], dtype=np.uint8)
    >>> b = np.array([[0, 0, 1, 1], [1, 1, 1, 1]], dtype=np.uint8)
    >>> nearest_set(a, b).a_sets.tolist(), nearest_set(a, b).b_sets.tolist()
    ([1, 3], [1, 2])
    """
    left, right = as_packed(a, "a", threads, device=True), as_packed(b, "b", threads, device=True)
    same_sites(left, right, ("a", "b"))
    n = len(left.words)
    if n + len(right.words) < 2:
        raise ValueError(f"a and b: expected two rows or more in all, found {n} and {len(right.words)}")
    backend, args = resolve("nearest_set", backend, left, right), (left.words, right.words, left.num_sites)
    if backend == "cuda":
        return NearestSet(*handed_back(_backend.cuda().nearest_set(*args), a, b))
    distance, sets = _backend.core.nearest_set(*args, backend, _backend.get_threads(threads))
    return NearestSet(distance[:n], sets[:n], distance[n:], sets[n:])

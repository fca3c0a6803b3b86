"""Size of a cohort when it is compressed: a rough measure of its entropy."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge._backend import map_threads
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order

LEVEL = 6
NUM_GROUPS = 10


@dataclass(frozen=True)
class CompressedSize:
    """Bytes of n rows of a cohort under gzip.

    Attributes
    ----------
    total : int, all n rows in one stream
    groups : int64 (10,), the same rows in 10 streams of consecutive rows; empty with fewer than 20 rows
    n : int
    """

    total: int
    groups: NDArray[np.int64]
    n: int


def compressed_size(matrix: HaplotypeMatrix, n: int, *, seed: int = 0) -> CompressedSize:
    """Bytes of n rows under gzip.

    Layout: the rows one after another in a seeded random order (an order by population would compress better than the
    same rows in any other), each ceil(num_sites / 8) bytes, site j at bit j % 8 of byte j // 8; no line ends. gzip at
    level 6, the default of the program, without name and time. The window of gzip is 32 KiB, 26 rows of 10,000 sites:
    what it finds are stretches of 24 sites and more that near rows share; unlinked sites look random to it.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    n : int, 1 to num_haplotypes
    seed : int >= 0

    Raises
    ------
    ValueError
        n out of range.

    Notes
    -----
    zlib is free to choose among encodings: another version of it may find sizes that differ by a little.
    """
    if not 1 <= n <= matrix.num_haplotypes:
        raise ValueError(f"n: expected 1 to {matrix.num_haplotypes} rows, found {n}")
    row_bytes = (matrix.num_sites + 7) // 8
    rows = matrix.words[seeded_order(matrix.num_haplotypes, seed, Stream.COMPRESSED_ROWS)[:n]]
    octets = np.ascontiguousarray(rows.astype("<u8", copy=False).view(np.uint8)[:, :row_bytes])
    edges = np.linspace(0, n, NUM_GROUPS + 1).astype(np.int64) if n >= 2 * NUM_GROUPS else np.zeros(1, np.int64)
    parts = [octets, *(octets[a:b] for a, b in itertools.pairwise(edges))]
    total, *groups = map_threads(_size, parts)
    return CompressedSize(total, np.array(groups, np.int64), n)


def _size(octets: NDArray[np.uint8]) -> int:
    return len(gzip.compress(octets.tobytes(), LEVEL, mtime=0))

"""The connected correlation of three sites.

With f_i(a) the frequency of allele a at site i, f_ij(a, b) that of a at i and b at j on one haplotype, and f_ijk that
of all three,

    c_ijk(a, b, c) = f_ijk(a, b, c) - f_ij(a, b) f_k(c) - f_ik(a, c) f_j(b) - f_jk(b, c) f_i(a)
                     + 2 f_i(a) f_j(b) f_k(c),

the third joint cumulant of the three indicators: zero where one of them is independent of the other two. Turning one
allele turns the sign and no more, so c_ijk(a, b, c) = (-1)^(number of zeros) c_ijk(1, 1, 1).

It is formed from whole numbers, n^3 c_ijk = n^2 n_ijk - n (n_ij c_k + n_ik c_j + n_jk c_i) + 2 c_i c_j c_k for n
haplotypes, without rounding; for up to 131,072 haplotypes the value is the double nearest to c_ijk, beyond that within
two units in the last place.

References
----------
Yelmen et al., "Creating artificial human genomes using generative neural networks", PLoS Genet. 17 (2021), Materials
and Methods, "Summary statistics": the formula, and 8,000 triplets each at spacings of 1, 4, 16, 64, 256, 512 and 1024
sites and at random.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, philox, seeded_order
from hapforge.kernels._inputs import (
    Packed,
    as_packed,
    handed_back,
    index_table,
    refuse_large,
    resolve,
    site_index,
    whole,
)


def three_point(
    m: Any,
    triplets: ArrayLike,
    alleles: tuple[int, int, int] = (1, 1, 1),
    *,
    backend: str = "auto",
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Connected correlation c_ijk(a, b, c) of listed triplets of sites.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values. Only a HaplotypeMatrix has contigs.
    triplets : integers (num_triplets, 3)
        Site indices (i, j, k) from 0 up, in any order, of one contig each; a site may occur twice.
        `triplets_at_spacing` and `random_triplets` make them; for all triplets of a block `three_point_block` is
        faster.
    alleles : (a, b, c), each 0 (REF) or 1 (ALT)
    backend, threads
        As in `nearest_neighbours`. They never change the result, to the last bit.

    Returns
    -------
    float64 (num_triplets,)
        NaN where there are no haplotypes.

    Raises
    ------
    IndexError
        A triplet names a site that is not there.
    ValueError
        `triplets` is not (num_triplets, 3); a triplet across contigs; alleles other than 0 and 1; bad values in the
        input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.

    Notes
    -----
    Memory: the result, a copy of the sites that occur, packed, and 9 bytes for each site of `m`.
    """
    packed = as_packed(m, "m", threads, device=True)
    backend = resolve("three_point", backend, packed)
    index = index_table(triplets, "triplets", (3,))
    negate = _negate(alleles)
    _check_contigs(m, index)
    budget = _backend.get_threads(threads)
    return handed_back(_backend.run("three_point", *packed, index, negate, backend=backend, threads=budget), m)


def three_point_block(
    m: Any,
    sites: ArrayLike | None = None,
    alleles: tuple[int, int, int] = (1, 1, 1),
    *,
    backend: str = "auto",
    threads: int | None = None,
) -> NDArray[np.float64]:
    """Connected correlation c_ijk(a, b, c) of all triplets of a block of sites; the list is never formed.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values. Only a HaplotypeMatrix has contigs.
    sites : integers or bool (num_sites,), optional
        The sites of the block, by index or mask, of one contig. Absent: all.
    alleles : (a, b, c), each 0 (REF) or 1 (ALT)
    backend, threads
        As in `nearest_neighbours`. They never change the result, to the last bit.

    Returns
    -------
    float64 (num_triplets,)
        Of (i, j, k) with i < j < k counted within the block, in the order of ``itertools.combinations``; C(L, 3) for L
        sites. NaN where there are no haplotypes.

    Raises
    ------
    IndexError
        `sites` names a site that is not there.
    ValueError
        The result would pass 2 GiB (1,174 sites and more); sites of several contigs; alleles other than 0 and 1; bad
        values in the input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.

    Notes
    -----
    Memory: the result, a packed copy of the block, half of one for each thread, and 4 bytes for each pair of sites.
    """
    packed = as_packed(m, "m", threads, device=True)
    backend = resolve("three_point", backend, packed)
    budget = _backend.get_threads(threads)
    negate = _negate(alleles)
    if sites is None:
        chosen = np.array([[0, packed.num_sites - 1]] if packed.num_sites else np.empty((0, 2)), dtype=np.int64)
        size = packed.num_sites
    else:
        index = site_index(sites, packed.num_sites, "sites")
        chosen, size = index[None], len(index)
    refuse_large((math.comb(size, 3),), 8, "three_point_block", "choose fewer sites, or list triplets")
    if sites is not None:
        words = _backend.select_sites(packed.words, packed.num_sites, index, budget)
        packed = Packed(words, size)
    if isinstance(m, HaplotypeMatrix) and chosen.size and len(np.unique(m.sites.contig[chosen])) > 1:
        raise ValueError("sites: expected those of one contig, found several; call it once for each")
    return handed_back(_backend.run("three_point_block", *packed, negate, backend=backend, threads=budget), m)


def triplets_at_spacing(m: Any, spacing: int, max_triplets: int | None = None, *, seed: int = 0) -> NDArray[np.int64]:
    """Triplets (i, i + spacing, i + 2 spacing) of sites of one contig.

    Parameters
    ----------
    m : HaplotypeMatrix, array or (words, num_sites), as `three_point` takes it, or the number of sites
    spacing : int >= 1, in sites
    max_triplets : int, optional
        Where there are more, this many are drawn without replacement.
    seed : int in [0, 2**64)

    Returns
    -------
    int64 (num_triplets, 3), ascending

    Raises
    ------
    ValueError
        A spacing or a number below 1; a seed out of range.
    TypeError
        Numbers that are not whole.
    """
    spacing = whole(spacing, "spacing", 1)
    ranges = [np.arange(a, max(a, b - 2 * spacing), dtype=np.int64) for a, b in _contig_ranges(m)]
    first = np.concatenate([np.empty(0, np.int64), *ranges])
    if max_triplets is not None and whole(max_triplets, "max_triplets", 1) < len(first):
        first = first[np.sort(seeded_order(len(first), seed)[:max_triplets])]
    return first[:, None] + spacing * np.arange(3)


def random_triplets(m: Any, num_triplets: int, *, seed: int = 0) -> NDArray[np.int64]:
    """Triplets of three different sites of one contig, each equally likely, drawn independently.

    Parameters
    ----------
    m : HaplotypeMatrix, array or (words, num_sites), as `three_point` takes it, or the number of sites
    num_triplets : int >= 0
    seed : int in [0, 2**64)

    Returns
    -------
    int64 (num_triplets, 3)
        i < j < k in each; the same on every platform.

    Raises
    ------
    ValueError
        No contig has three sites; a number below 0; a seed out of range.
    TypeError
        Numbers that are not whole.
    """
    num_triplets = whole(num_triplets, "num_triplets", 0)
    ranges = [(a, b - a) for a, b in _contig_ranges(m) if b - a >= 3]
    if not ranges:
        raise ValueError("m: expected three sites on one contig, found fewer")
    start, size = np.array(ranges, dtype=np.int64).T
    raw = philox(seed, Stream.RANDOM_TRIPLETS).random_raw((num_triplets, 4))
    # A contig by the share of all triplets that it has, then three of its sites: the second out of those that are
    # left, the third likewise. 64 random bits modulo a number of sites are even to one part in 2^33.
    share = np.cumsum([math.comb(n, 3) for n in size.tolist()], dtype=np.float64)
    share /= share[-1]
    contig = np.searchsorted(share, (raw[:, 0] >> np.uint64(11)) * 2.0**-53, side="right")
    draw = (raw[:, 1:] % (size[contig, None] - np.arange(3)).astype(np.uint64)).astype(np.int64)
    i, j, k = draw.T
    j = j + (j >= i)
    low, high = np.minimum(i, j), np.maximum(i, j)
    k = k + (k >= low)
    k = k + (k >= high)
    return start[contig, None] + np.sort(np.stack([i, j, k], axis=1), axis=1)


def _negate(alleles: tuple[int, int, int]) -> bool:
    values = tuple(alleles)
    if len(values) != 3 or any(value not in (0, 1) for value in values):
        raise ValueError(f"alleles: expected three of 0 and 1, found {alleles!r}")
    return sum(values) % 2 == 0


def _check_contigs(m: Any, index: NDArray[np.int64]) -> None:
    """Raise ValueError for a triplet across contigs; indices out of range are left to the kernel."""
    if not isinstance(m, HaplotypeMatrix) or len(blocks := m.sites.contig_blocks()) < 2:
        return
    ends = np.array([end for _, _, end in blocks])
    contig = np.searchsorted(ends, index, side="right")
    across = np.flatnonzero((contig != contig[:, :1]).any(axis=1) & (contig < len(ends)).all(axis=1))
    if len(across):
        t = int(across[0])
        names = ", ".join(blocks[c][0] for c in contig[t].tolist())
        raise ValueError(f"triplets: expected three sites of one contig, found {index[t].tolist()} on {names}")


def _contig_ranges(m: Any) -> list[tuple[int, int]]:
    """[first, end) of the sites of each contig."""
    if isinstance(m, HaplotypeMatrix):
        return [(begin, end) for _, begin, end in m.sites.contig_blocks()]
    num_sites = whole(m, "m", 0) if isinstance(m, int | np.integer) else as_packed(m, "m").num_sites
    return [(0, num_sites)] if num_sites else []

"""Joint allele counts of two sites, and linkage disequilibrium from them.

With c_i carriers of ALT at site i among n haplotypes, n11 carriers at both sites and d = n n11 - c_i c_j,

    D  = d / n^2
    r  = d / sqrt(c_i (n - c_i) c_j (n - c_j)), the correlation of the two columns; r2 is its square
    D' = d / min(c_i (n - c_j), (n - c_i) c_j) where d >= 0, d / min(c_i c_j, (n - c_i) (n - c_j)) where d < 0.

They are computed in double precision from integers and undefined where a site is monomorphic.

References
----------
Lewontin, "The interaction of selection and linkage. I.", Genetics 49 (1964): D and D'.
Hill and Robertson, "Linkage disequilibrium in finite populations", Theor. Appl. Genet. 38 (1968): r2.
"""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge.errors import MissingBackendError
from hapforge.haplotypes import POSITION_LIMIT, HaplotypeMatrix
from hapforge.kernels._inputs import Packed, as_packed, handed_back, index_table, refuse_large, resolve, site_index

_STATISTICS = ("r2", "r", "D", "D_prime")
_SUBSAMPLE_SEED = 0


class _Curve(NamedTuple):
    edges: NDArray[np.float64]
    mean_r2: NDArray[np.float64]
    num_pairs: NDArray[np.int64]


class LDDecay(_Curve):
    """Mean r2 of site pairs by distance: the tuple (edges, mean_r2, num_pairs), and what was left out.

    Attributes
    ----------
    edges : float64 (num_bins + 1,), base pairs; bin b is [edges[b], edges[b + 1])
    mean_r2 : float64 (num_bins,), NaN where a bin has no pair
    num_pairs : int64 (num_bins,)
    num_monomorphic : int, sites in no pair because all haplotypes have the same allele
    """

    num_monomorphic: int = 0


def joint_counts(
    m: Any, pairs: ArrayLike | None = None, *, backend: str = "auto", threads: int | None = None
) -> NDArray[np.int64]:
    """Haplotypes that carry ALT at both sites of a pair, n11.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values.
    pairs : integers (num_pairs, 2), optional
        Site indices from 0 up. Absent: all pairs, as a matrix.
    backend, threads
        As in `nearest_neighbours`. They never change the result.

    Returns
    -------
    int64 (num_pairs,), or (num_sites, num_sites) without `pairs`; the diagonal of that is the allele counts

    Raises
    ------
    IndexError
        A pair names a site that is not there.
    ValueError
        `pairs` is not (num_pairs, 2); a matrix would pass 2 GiB; bad values in the input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    packed = as_packed(m, "m", threads, device=True)
    backend = resolve("joint_counts", backend, packed)
    index = None
    if pairs is None:
        refuse_large((packed.num_sites,) * 2, 8, "joint_counts", "name the pairs")
    else:
        index = index_table(pairs, "pairs", (2,))
    budget = _backend.get_threads(threads)
    if index is None:
        return handed_back(_backend.run("joint_counts", *packed, backend=backend, threads=budget), m)
    if backend == "cuda":
        return handed_back(_backend.cuda().joint_counts_of_pairs(*packed, index), m)
    sites = _backend.transpose(*packed, budget)
    return _backend.core.joint_counts_of_pairs(sites, len(packed.words), index, backend, budget)


def ld_matrix(
    m: Any,
    sites: ArrayLike | None = None,
    *,
    statistic: Literal["r2", "r", "D", "D_prime"] = "r2",
    backend: str = "auto",
    threads: int | None = None,
) -> NDArray[np.float32]:
    """Linkage disequilibrium of all pairs of sites.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values. Contigs are not looked at.
    sites : integers or bool (num_sites,), optional
        The sites to compare, by index or mask. Absent: all.
    statistic : "r2", "r", "D" or "D_prime"
        r and D are positive where the ALT alleles occur together more often than by chance; D_prime, with the sign of
        D, is D over its greatest absolute value at the sites' frequencies. All but D lie in [-1, 1], D in
        [-1/4, 1/4].
    backend, threads
        As in `nearest_neighbours`. They never change the result, to the last bit.

    Returns
    -------
    float32 (num_selected, num_selected)
        Symmetric; NaN in the rows and columns of monomorphic sites. The rest of the diagonal is 1, of D p (1 - p).
        Beside it and the input, memory holds the input once more (and a third time where `sites` are chosen).

    Raises
    ------
    IndexError
        `sites` names a site that is not there.
    ValueError
        Another statistic; the matrix would pass 2 GiB; bad values in the input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    if statistic not in _STATISTICS:
        raise ValueError(f"statistic: expected one of {', '.join(_STATISTICS)}, found {statistic!r}")
    packed = as_packed(m, "m", threads, device=True)
    backend = resolve("joint_counts", backend, packed)
    budget = _backend.get_threads(threads)
    if sites is not None:
        index = site_index(sites, packed.num_sites, "sites")
        words = _backend.select_sites(packed.words, packed.num_sites, index, budget)
        packed = Packed(words, len(index))
    refuse_large((packed.num_sites,) * 2, 4, "ld_matrix", "choose fewer sites, or ld_decay, which needs no matrix")
    return handed_back(_backend.run("ld_matrix", *packed, statistic, backend=backend, threads=budget), m)


def ld_decay(
    m: Any,
    edges_bp: ArrayLike,
    max_pairs: int | None = None,
    *,
    backend: str = "auto",
    threads: int | None = None,
) -> LDDecay:
    """Mean r2 of site pairs by their distance; no matrix of pairs is ever formed.

    A pair of sites at distance d = abs(position_j - position_i) is in bin b where edges_bp[b] <= d < edges_bp[b + 1].
    Pairs across contigs and monomorphic sites are left out; the latter are counted.

    Every pair of sites takes part, without sampling, as long as `max_pairs` is not given: benchmarks/results/
    joint_counts.json has the time for all pairs of 65,535 sites. Memory: beside the input its bits once more (twice
    where sites are monomorphic), 16 bytes per bin and 64 sites, and some 0.2 MB and 0.6 kB per bin for each thread.

    Parameters
    ----------
    m : HaplotypeMatrix, (n, num_sites) array of 0 and 1 (bool, int8, uint8), or (words uint64, num_sites)
        Without missing values. Positions come from a HaplotypeMatrix; any other input has its sites at 1, 2, ...
    edges_bp : (num_bins + 1,)
        Bin edges in base pairs, strictly ascending, from 0 up.
    max_pairs : int, optional
        Where more pairs than this fall into the bins, sites are drawn in a fixed pseudo-random order, and each
        contributes its pairs with all later sites, as long as the total stays within `max_pairs` (the first site
        always does). The same input gives the same pairs.
    backend, threads
        As in `nearest_neighbours`. They never change the result, to the last bit; but "cuda" rounds each r2 to
        2**-40.

    Returns
    -------
    LDDecay

    Raises
    ------
    ValueError
        Edges that are not strictly ascending from 0 up, or fewer than two; max_pairs below 1; bad values in the
        input.
    TypeError
        An input of another type or dtype.
    MissingBackendError
        `backend` is not available here.
    """
    edges = _checked_edges(edges_bp)
    if max_pairs is not None and max_pairs < 1:
        raise ValueError(f"max_pairs: expected 1 or more, found {max_pairs}")
    packed = as_packed(m, "m", threads, device=True)
    backend = resolve("joint_counts", backend, packed)
    budget = _backend.get_threads(threads)
    chosen, (words,) = _polymorphic([packed], budget)
    sum_r2, num_pairs = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1, dtype=np.int64)
    if (bins := _Bins.of(m, packed.num_sites, chosen, edges, max_pairs)) is not None:
        args = (words, len(chosen), bins.position, bins.contig_end, bins.openers, bins.edges)
        found = _backend.run("ld_decay", *args, backend=backend, threads=budget)
        if packed.on_device:
            found = [one.to_host() for one in found]
        sum_r2[bins.filled], num_pairs[bins.filled] = found
    with np.errstate(invalid="ignore"):
        decay = LDDecay(edges, sum_r2 / num_pairs, num_pairs)
    decay.num_monomorphic = packed.num_sites - len(chosen)
    return decay


class LDMoments(NamedTuple):
    """Sums over the pairs of sites of x, r2 in one cohort, and y, r2 in another; zero below the diagonal.

    Attributes
    ----------
    moments : float64 (num_blocks, num_blocks, num_bins, 5), sums of x, y, x x, y y and x y
    num_pairs : int64 (num_blocks, num_blocks, num_bins)
    cell_sums : float64 (num_cells, num_cells, 2), sums of x and y over all bins
    cell_pairs : int64 (num_cells, num_cells)
    """

    moments: NDArray[np.float64]
    num_pairs: NDArray[np.int64]
    cell_sums: NDArray[np.float64]
    cell_pairs: NDArray[np.int64]


def ld_moments(
    a: Any,
    b: Any,
    edges_bp: ArrayLike,
    block_end: ArrayLike,
    cell_end: ArrayLike,
    *,
    backend: str = "auto",
    threads: int | None = None,
) -> LDMoments:
    """Sums of r2, its squares and products in two cohorts over the same pairs of sites, in one pass over all pairs.

    They make both decay curves, Pearson's correlation of r2 over the pairs and a block bootstrap of either, and the
    means of r2 over the cells of a grid. Sites monomorphic in either cohort are left out. No matrix of pairs is ever
    formed; memory beside the inputs' bits once more (twice where sites are left out): 48 bytes per 64 sites (or
    smaller cell), block and bin, 24 bytes per 64 sites and cell, and some 0.5 MB for each thread.

    Parameters
    ----------
    a, b, edges_bp, backend, threads
        As in `ld_decay`; equally many sites, whose positions are those of `a`.
    block_end, cell_end : integers (num_blocks,) and (num_cells,), ascending
        One past the last site of each block or cell of consecutive sites; the last is the number of sites. Every end
        of a block is one of a cell. At [k, l] of a result are the pairs of a site in k with a later one in l.

    Raises
    ------
    ValueError
        As `ld_decay`; different numbers of sites; ends that do not ascend to that number, or a block's that is no
        cell's.
    """
    edges = _checked_edges(edges_bp)
    first, second = as_packed(a, "a", threads), as_packed(b, "b", threads)
    if first.num_sites != second.num_sites:
        raise ValueError(f"b: expected the {first.num_sites} sites of a, found {second.num_sites}")
    ends = {"block_end": np.asarray(block_end, dtype=np.int64), "cell_end": np.asarray(cell_end, dtype=np.int64)}
    for name, end in ends.items():
        if len(end) == 0 or np.any(np.diff(end, prepend=0) < 0) or end[-1] != first.num_sites:
            raise ValueError(f"{name}: expected ascending ends up to {first.num_sites}, found {end}")
    if not np.isin(ends["block_end"], ends["cell_end"]).all():
        raise ValueError("cell_end: expected every end of a block among them")
    backend = _backend.resolve("joint_counts", backend)
    if backend == "cuda":
        raise MissingBackendError("backend: ld_moments runs on the CPU only, found 'cuda'")
    budget = _backend.get_threads(threads)
    chosen, (words_a, words_b) = _polymorphic([first, second], budget)
    blocks, cells = (np.searchsorted(chosen, end) for end in ends.values())
    found = LDMoments(
        np.zeros((len(blocks), len(blocks), len(edges) - 1, 5)),
        np.zeros((len(blocks), len(blocks), len(edges) - 1), np.int64),
        np.zeros((len(cells), len(cells), 2)),
        np.zeros((len(cells), len(cells)), np.int64),
    )
    if (bins := _Bins.of(a, first.num_sites, chosen, edges, None)) is not None:
        moments, num_pairs, found.cell_sums[:], found.cell_pairs[:] = _backend.core.compare_ld(
            words_a,
            words_b,
            len(chosen),
            bins.position,
            bins.contig_end,
            bins.openers,
            bins.edges,
            blocks,
            cells,
            backend,
            budget,
        )
        found.moments[:, :, bins.filled], found.num_pairs[:, :, bins.filled] = moments, num_pairs
    return found


def _checked_edges(edges_bp: ArrayLike) -> NDArray[np.float64]:
    edges = np.array(edges_bp, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.isfinite(edges)) or edges[0] < 0:
        raise ValueError("edges_bp: expected two or more finite distances from 0 up, in a vector")
    if not np.all(np.diff(edges) > 0):
        raise ValueError("edges_bp: expected strictly ascending distances")
    return edges


def _polymorphic(cohorts: list[Packed], budget: int) -> tuple[NDArray[np.intp], list[NDArray[np.uint64]]]:
    """Sites polymorphic in all cohorts, and the words of those."""
    num_sites = cohorts[0].num_sites
    varies = np.ones(num_sites, bool)
    for cohort in cohorts:
        counts = _backend.allele_counts(cohort.words, num_sites, budget)
        varies &= (counts > 0) & (counts < len(cohort.words))
    chosen = np.flatnonzero(varies)
    if len(chosen) == num_sites:
        return chosen, [cohort.words for cohort in cohorts]
    return chosen, [_backend.select_sites(cohort.words, num_sites, chosen, budget) for cohort in cohorts]


class _Bins(NamedTuple):
    """What the compiled functions take of the pairs, and which bins they fill."""

    position: NDArray[np.int64]
    contig_end: NDArray[np.int64]
    openers: NDArray[np.int64]
    edges: NDArray[np.int64]
    filled: NDArray[np.bool_]

    @classmethod
    def of(
        cls, m: Any, num_sites: int, chosen: NDArray[np.intp], edges: NDArray[np.float64], max_pairs: int | None
    ) -> _Bins | None:
        """Of the chosen sites of m; None where no distance is in a bin."""
        # Distances are whole, so [a, b) is [ceil(a), ceil(b)); bins between two whole numbers are empty.
        whole, bin_of_edge = np.unique(np.ceil(edges.clip(max=POSITION_LIMIT)).astype(np.int64), return_inverse=True)
        if len(whole) < 2:
            return None
        position, contig_end = _site_order(m, num_sites, chosen)
        openers = _openers(position, contig_end, int(whole[0]), int(whole[-1]), max_pairs)
        return cls(position, contig_end, openers, whole, np.diff(bin_of_edge) > 0)


def _site_order(m: Any, num_sites: int, chosen: NDArray[np.intp]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Positions of the chosen sites and, for each, one past the last chosen site of its contig."""
    if not isinstance(m, HaplotypeMatrix):
        return chosen.astype(np.int64) + 1, np.full(len(chosen), len(chosen), dtype=np.int64)
    contig = m.sites.contig[chosen]
    last = np.append(np.flatnonzero(contig[1:] != contig[:-1]), len(chosen) - 1) if len(chosen) else np.empty(0, int)
    contig_end = np.repeat(last + 1, np.diff(last, prepend=-1)).astype(np.int64)
    return np.ascontiguousarray(m.sites.position[chosen], dtype=np.int64), contig_end


def _openers(
    position: NDArray[np.int64], contig_end: NDArray[np.int64], low: int, high: int, max_pairs: int | None
) -> NDArray[np.int64]:
    """Rows that open a pair, ascending: all, or as many as `max_pairs` allows."""
    everyone = np.arange(len(position), dtype=np.int64)
    if max_pairs is None or len(position) == 0:
        return everyone
    partners = np.empty(len(position), dtype=np.int64)
    start = 0
    for end in np.unique(contig_end).tolist():
        here = position[start:end]
        reach = np.searchsorted(here, here + high) - np.maximum(
            np.searchsorted(here, here + low), np.arange(1, end - start + 1)
        )
        partners[start:end] = np.maximum(reach, 0)
        start = end
    if partners.sum() <= max_pairs:
        return everyone
    order = np.random.default_rng(_SUBSAMPLE_SEED).permutation(len(position))
    order = order[partners[order] > 0]
    keep = max(1, int(np.searchsorted(np.cumsum(partners[order]), max_pairs, side="right")))
    return np.sort(order[:keep]).astype(np.int64)

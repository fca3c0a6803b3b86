"""Linkage disequilibrium in one cohort: distance bins, blocks of sites, means over a grid, sampled pairs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import POSITION_LIMIT, HaplotypeMatrix, Sites, philox
from hapforge.kernels.allele_counts import allele_counts
from hapforge.kernels.joint_counts import joint_counts, ld_matrix

NUM_DISTANCE_BINS = 50
UNITS_PER_CM = 1_000_000  # of `at_genetic_positions`
NUM_BLOCKS = 20
MAX_CELLS = 200
MAX_MATRIX_SITES = 4096  # of a float32 matrix of r²: 64 MiB
NUM_SAMPLED_PAIRS = 1_000_000


def ld_distance_edges(sites: Sites, num_bins: int = NUM_DISTANCE_BINS) -> NDArray[np.float64]:
    """Edges of the distance bins of an LD decay curve, from the sites alone.

    The first bin is [1, g), g the median distance between neighbouring sites at different positions of a contig; the
    others are equally wide in log distance from g up to and including the greatest distance within a contig. Two
    records at one position (distance 0) are alleles of one place and fall in no bin. Edges are whole numbers, so that
    there may be fewer bins than asked for on a short region.

    Parameters
    ----------
    sites : Sites; where positions are not known distances count sites
    num_bins : int >= 1; the papers use 50 (Yelmen et al. 2021, figure 2, which does not give the edges)

    Returns
    -------
    float64 (num_edges,), strictly ascending, base pairs; bins are [a, b)

    Raises
    ------
    ValueError
        No two sites at different positions of one contig.
    """
    gaps, longest = [], 0
    for _, start, stop in sites.contig_blocks():
        steps = np.diff(sites.position[start:stop])
        gaps.append(steps[steps > 0])
        longest = max(longest, int(sites.position[stop - 1] - sites.position[start]))
    if longest == 0:
        raise ValueError("sites: expected two at different positions of one contig, found none")
    typical = float(np.median(np.concatenate(gaps)))
    end = max(longest + 1.0, math.nextafter(longest, math.inf), 3.0)  # above `longest` also beyond 2**53
    spaced = np.geomspace(max(typical, 2.0), end, num_bins)
    return np.unique(np.concatenate([[1.0], np.ceil(spaced)]))


def at_genetic_positions(H: HaplotypeMatrix) -> HaplotypeMatrix:
    """The sites whose genetic positions are known, in millionths of a centimorgan instead of base pairs.

    So every statistic of LD by distance is one by genetic distance: a unit is about a base pair where recombination is
    as frequent as in the human genome on average, 1 cM in 10^6 base pairs.

    Raises
    ------
    ValueError
        No site with a genetic position (`io.GeneticMap.attach` gives them).
    """
    known = np.flatnonzero(~np.isnan(H.sites.genetic_position_cm))
    if not len(known):
        raise ValueError("sites: expected genetic positions (a genetic map), found none")
    kept = H if len(known) == H.num_sites else H.select_sites(known)
    cm = kept.sites.genetic_position_cm
    position = np.empty(len(known), np.int64)
    for _, start, stop in kept.sites.contig_blocks():
        position[start:stop] = np.rint((cm[start:stop] - cm[start]) * UNITS_PER_CM).astype(np.int64) + 1
    return HaplotypeMatrix(kept.words, Sites(position, contig=kept.sites.contig), kept.samples, _checked=True)


def site_blocks(num_sites: int, num_blocks: int = NUM_BLOCKS) -> NDArray[np.int64]:
    """Edges of blocks of consecutive sites of (nearly) equal number, int64 (blocks + 1,); at least two sites each.

    Many sites are cut at whole words, which the kernel takes 64 sites at a time.
    """
    num_blocks = max(1, min(num_blocks, num_sites // 2))
    unit = 64 if num_sites >= 4 * 64 * num_blocks else 1
    edges = (np.linspace(0, num_sites / unit, num_blocks + 1).round() * unit).astype(np.int64)
    edges[-1] = num_sites
    return edges


def cell_ends(num_sites: int) -> NDArray[np.int64]:
    """Ends of up to 200 cells of consecutive sites, int64 (cells,), that the pictures of r² average over.

    All but the last hold equally many sites: one each up to 200 sites, whole multiples of 32 beyond 4096.
    """
    unit = 1 if num_sites <= MAX_MATRIX_SITES else 32
    size = unit * -(-num_sites // (unit * MAX_CELLS))
    return np.append(np.arange(size, num_sites, max(size, 1)), num_sites).astype(np.int64)


def ld_cells(matrix: HaplotypeMatrix, ends: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean r² over the pairs of sites between cells, from the matrix of r².

    Parameters
    ----------
    matrix : HaplotypeMatrix of at most 4096 sites, all of which vary
    ends : int64 (num_cells,), as `cell_ends` gives them

    Returns
    -------
    float64 (num_cells, num_cells), symmetric; NaN where no two sites of one contig make a pair (a cell of one site
    with itself)

    Raises
    ------
    ValueError
        More than 4096 sites, whose matrix would pass 64 MiB.
    """
    if matrix.num_sites > MAX_MATRIX_SITES:
        raise ValueError(f"matrix: expected at most {MAX_MATRIX_SITES} sites, found {matrix.num_sites}")
    cell_of_site = np.searchsorted(ends, np.arange(matrix.num_sites), side="right")
    total, count = np.zeros((len(ends), len(ends))), np.zeros((len(ends), len(ends)))
    for _, start, stop in matrix.sites.contig_blocks():
        cells, first, size = np.unique(cell_of_site[start:stop], return_index=True, return_counts=True)
        r2 = ld_matrix(matrix, np.arange(start, stop))
        sums = np.add.reduceat(np.add.reduceat(r2, first, axis=0, dtype=np.float64), first, axis=1)
        here = np.ix_(cells, cells)
        total[here] += sums - np.diag(size)  # a site with itself, r² = 1, is no pair
        count[here] += np.outer(size, size) - np.diag(size)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


@dataclass(frozen=True)
class SitePairs:
    """Pairs of sites drawn by distance, whatever their alleles.

    Attributes
    ----------
    edges_bp : float64 (num_bins + 1,)
    index : int64 (num_pairs, 2), ascending within a bin
    bin : int64 (num_pairs,), ascending
    num_possible : int64 (num_bins,), all pairs of the bin; where no more than its share, each was taken once
    """

    edges_bp: NDArray[np.float64]
    index: NDArray[np.int64]
    bin: NDArray[np.int64]
    num_possible: NDArray[np.int64]

    @property
    def num_drawn(self) -> NDArray[np.int64]:
        """Pairs per bin, int64 (num_bins,)."""
        return np.bincount(self.bin, minlength=len(self.num_possible))

    @property
    def complete(self) -> NDArray[np.bool_]:
        """Bins of which every pair was taken, bool (num_bins,)."""
        return self.num_drawn == self.num_possible


def sample_site_pairs(
    sites: Sites, edges_bp: NDArray[np.float64], num_pairs: int = NUM_SAMPLED_PAIRS, seed: int = 0
) -> SitePairs:
    """Draw pairs of sites of one contig, equally many for every distance bin.

    Every bin gets num_pairs / num_bins draws with replacement, uniform over its pairs; a bin with no more pairs than
    that gives each of them once. On bins equally wide in log distance that is uniform on log distance, as in Yelmen
    et al. 2023, "Summary statistics", but stratified: no bin comes out empty that has pairs. Only positions and the
    seed decide, so that cohorts with the same sites get the same pairs. Time and memory: a binary search and a few
    numbers per site and bin; no list of all pairs.

    Parameters
    ----------
    sites : Sites
    edges_bp : float64 (num_bins + 1,), ascending from 0 up; bins are [a, b)
    num_pairs : int >= num_bins
    seed : int >= 0
    """
    edges = np.asarray(edges_bp, dtype=np.float64)
    if edges.ndim != 1 or len(edges) < 2 or not np.all(np.diff(edges) > 0) or not 0 <= edges[0] <= edges[-1] < np.inf:
        raise ValueError("edges_bp: expected two or more finite distances, strictly ascending from 0 up")
    share = num_pairs // (len(edges) - 1)
    if share < 1:
        raise ValueError(f"num_pairs: expected at least one per bin, {len(edges) - 1}, found {num_pairs}")
    rng = np.random.Generator(philox(seed, Stream.SITE_PAIRS))
    index, bins, possible = [], [], []
    starts = _partners_from(sites, edges[0])
    for k, edge in enumerate(edges[1:]):
        ends = _partners_from(sites, edge)
        last = np.cumsum(ends - starts)  # pairs opened by this site and those before it
        total = int(last[-1]) if len(last) else 0
        drawn = np.arange(total) if total <= share else np.sort(rng.integers(0, total, share))
        opener = np.searchsorted(last, drawn, side="right")
        index.append(np.column_stack([opener, ends[opener] - (last[opener] - drawn)]))
        bins.append(np.full(len(drawn), k))
        possible.append(total)
        starts = ends
    return SitePairs(edges, np.concatenate(index), np.concatenate(bins), np.array(possible, dtype=np.int64))


def _partners_from(sites: Sites, distance: float) -> NDArray[np.int64]:
    """For each site the first later one of its contig at this distance or more, or the end of the contig."""
    first = np.arange(1, len(sites.position) + 1)
    whole = int(min(np.ceil(distance), POSITION_LIMIT))
    for _, start, stop in sites.contig_blocks():
        position = sites.position[start:stop]
        reached = start + np.searchsorted(position, position + whole)
        first[start:stop] = np.maximum(first[start:stop], reached)
    return first


def r2_of_pairs(matrix: HaplotypeMatrix, index: NDArray[np.int64]) -> NDArray[np.float64]:
    """r² of the pairs of sites in `index`, int64 (num_pairs, 2): float64 (num_pairs,), NaN where a site is monomorphic.

    r² = (n n11 - n1 n2)² / (n1 (n - n1) n2 (n - n2)) (Hill and Robertson 1968).
    """
    n = matrix.num_haplotypes
    carriers = allele_counts(matrix)
    c_i, c_j = carriers[index].T
    spread = (carriers * (n - carriers)).astype(np.float64)[index].prod(axis=1)
    d = (n * joint_counts(matrix, index) - c_i * c_j).astype(np.float64)
    return np.divide(d * d, spread, out=np.full(len(index), np.nan), where=spread > 0)


@dataclass(frozen=True)
class SampledDecay:
    """Mean r² by distance from sampled pairs.

    Attributes
    ----------
    edges_bp : float64 (num_bins + 1,)
    mean_r2 : float64 (num_bins,), NaN where a bin has no pair of sites that vary
    standard_error : float64 (num_bins,), of the mean over all pairs of the bin: 0 where each was taken, NaN with one
    num_pairs : int64 (num_bins,), drawn and varying
    """

    edges_bp: NDArray[np.float64]
    mean_r2: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    num_pairs: NDArray[np.int64]


def sampled_ld_decay(
    matrix: HaplotypeMatrix, edges_bp: NDArray[np.float64], num_pairs: int = NUM_SAMPLED_PAIRS, seed: int = 0
) -> SampledDecay:
    """Mean r² of site pairs by distance, from pairs sampled uniformly on log distance; for very long regions.

    The pairs are those of `sample_site_pairs`: stratified by bin, decided by positions and seed alone, so that cohorts
    with the same sites are compared on the same pairs. Pairs with a monomorphic site are left out; choose the sites
    that vary in both cohorts first. `kernels.ld_decay` is exact, and quick enough up to some 100,000 sites.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    edges_bp : float64 (num_bins + 1,), ascending from 0 up; bins are [a, b), such as `ld_distance_edges` gives
    num_pairs : int, over all bins
    seed : int >= 0

    Raises
    ------
    ValueError
        Edges that do not ascend from 0 up; fewer pairs than bins.

    References
    ----------
    Yelmen et al. 2023, "Summary statistics" (LD of the 65,535 SNPs, figure 5c).
    """
    pairs = sample_site_pairs(matrix.sites, edges_bp, num_pairs, seed)
    r2 = r2_of_pairs(matrix, pairs.index)
    known = np.isfinite(r2)
    num_bins = len(pairs.num_possible)
    count, mean = _means(pairs.bin[known], r2[known], num_bins)
    _, square = _means(pairs.bin[known], (r2[known] - mean[pairs.bin[known]]) ** 2, num_bins)
    error = np.sqrt(np.divide(square, count - 1, out=np.full(num_bins, np.nan), where=count > 1))
    error[pairs.complete & (count > 0)] = 0
    return SampledDecay(pairs.edges_bp, mean, error, count)


def _means(bins: NDArray[np.int64], values: NDArray[np.float64], num_bins: int) -> tuple[Any, NDArray[np.float64]]:
    """Number and mean of the values in each bin."""
    count = np.bincount(bins, minlength=num_bins)
    total = np.bincount(bins, values, num_bins)
    return count, np.divide(total, count, out=np.full(num_bins, np.nan), where=count > 0)

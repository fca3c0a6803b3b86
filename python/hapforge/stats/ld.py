"""Decay of linkage disequilibrium with distance in one cohort, in blocks of sites so that it can be resampled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix, Sites
from hapforge.kernels.joint_counts import ld_decay_of_blocks

NUM_DISTANCE_BINS = 50
NUM_BLOCKS = 20


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
    spaced = np.geomspace(max(typical, 2.0), max(longest + 1.0, 3.0), num_bins)
    return np.unique(np.concatenate([[1.0], np.ceil(spaced)]))


@dataclass(frozen=True)
class DecaySums:
    """Sums of r² over the pairs between blocks of sites: what a decay curve and its block bootstrap are made of.

    Attributes
    ----------
    edges_bp : float64 (num_bins + 1,)
    sum_r2 : float64 (num_blocks, num_blocks, num_bins), zero below the diagonal
    num_pairs : int64 of the same shape
    """

    edges_bp: NDArray[np.float64]
    sum_r2: NDArray[np.float64]
    num_pairs: NDArray[np.int64]

    def curve(self) -> NDArray[np.float64]:
        """Mean r² per bin, float64 (num_bins,), NaN where a bin has no pair."""
        return self.resampled(np.ones((1, len(self.sum_r2)), np.int64))[0]

    def resampled(self, weights: NDArray[np.int64]) -> NDArray[np.float64]:
        """Curves of resampled blocks.

        Parameters
        ----------
        weights : int64 (num_resamples, num_blocks), how often each block was drawn

        Returns
        -------
        float64 (num_resamples, num_bins). A pair within a block counts w_a times, a pair between blocks a and b
        w_a w_b times; pairs between two copies of one block are not counted.
        """
        num_blocks = len(self.sum_r2)
        same = np.arange(num_blocks)
        total, count = (
            np.einsum("ra,rb,abk->rk", weights, weights, _without_diagonal(table), optimize=True)
            + weights @ table[same, same]
            for table in (self.sum_r2, self.num_pairs.astype(np.float64))
        )
        return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _without_diagonal(table: NDArray[np.float64]) -> NDArray[np.float64]:
    table = table.copy()
    same = np.arange(len(table))
    table[same, same] = 0
    return table


def site_blocks(num_sites: int, num_blocks: int = NUM_BLOCKS) -> NDArray[np.int64]:
    """Edges of blocks of consecutive sites of (nearly) equal number, int64 (blocks + 1,); at least two sites each.

    Many sites are cut at whole words, which the kernel takes 64 sites at a time.
    """
    num_blocks = max(1, min(num_blocks, num_sites // 2))
    unit = 64 if num_sites >= 4 * 64 * num_blocks else 1
    edges = (np.linspace(0, num_sites / unit, num_blocks + 1).round() * unit).astype(np.int64)
    edges[-1] = num_sites
    return edges


def ld_decay_sums(matrix: HaplotypeMatrix, edges_bp: NDArray[np.float64], num_blocks: int = NUM_BLOCKS) -> DecaySums:
    """Sums of r² by distance bin and pair of site blocks, over all pairs of sites.

    r² = (n n11 - n1 n2)² / (n1 (n - n1) n2 (n - n2)) (Hill and Robertson 1968); pairs never cross contigs, monomorphic
    sites are left out.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    edges_bp : float64 (num_bins + 1,), ascending; bins are [a, b)
    num_blocks : int, blocks of consecutive sites; fewer where there are fewer than twice as many sites
    """
    edges = site_blocks(matrix.num_sites, num_blocks)
    return DecaySums(edges_bp, *ld_decay_of_blocks(matrix, edges_bp, edges[1:]))

"""Haplotypes of a cohort as a picture: rows sorted by their distance from a consensus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order

LOWEST_MAF = 0.05


def structure_sites(frequencies: NDArray[np.float64], most: int) -> NDArray[np.int64]:
    """Sites with a minor allele frequency above 0.05; the middle ones of them where there are more than `most`.

    Neighbours, as sites far apart would not show the blocks that haplotypes are made of.

    Parameters
    ----------
    frequencies : float64 (num_sites,), ALT frequencies
    most : int >= 1

    Returns
    -------
    int64, ascending

    Raises
    ------
    ValueError
        No such site; `most` below 1.

    References
    ----------
    Marnetto and Huerta-Sánchez 2017, Haplostrips; Yelmen et al. 2021, methods, "Haplostrips".
    """
    if most < 1:
        raise ValueError(f"most: expected 1 or more sites, found {most}")
    common = np.flatnonzero(np.minimum(frequencies, 1 - frequencies) > LOWEST_MAF + 1e-12)  # 1 - 0.95 is above 0.05
    if len(common) == 0:
        raise ValueError(f"frequencies: expected a site with a minor allele frequency above {LOWEST_MAF}, found none")
    first = max(0, len(common) - most) // 2
    return common[first : first + most]


def sorted_haplotypes(
    matrix: HaplotypeMatrix, sites: NDArray[np.int64], consensus: NDArray[np.uint8], rows: int, *, seed: int = 0
) -> NDArray[np.uint8]:
    """Seeded rows of a cohort at some sites, by rising Hamming distance from a consensus haplotype.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    sites : int64 (num_chosen,), ascending
    consensus : uint8 (num_chosen,), 0 or 1; of the real cohort its more frequent alleles
    rows : int >= 1; all where there are fewer
    seed : int >= 0

    Returns
    -------
    uint8 (rows, num_chosen); equally far rows are in the order of their alleles, so that equal ones are together

    Raises
    ------
    ValueError
        `rows` below 1; a consensus of another length.
    """
    if rows < 1:
        raise ValueError(f"rows: expected 1 or more, found {rows}")
    if consensus.shape != sites.shape:
        raise ValueError(f"consensus: expected {len(sites)} alleles, found an array of shape {consensus.shape}")
    chosen = np.sort(seeded_order(matrix.num_haplotypes, seed, Stream.SHOWN_ROWS)[:rows])
    dense = matrix.select_haplotypes(chosen).select_sites(sites).to_dense()
    distance = (dense != consensus).sum(axis=1)
    return dense[np.lexsort((*dense.T[::-1], distance))]


def consensus_haplotype(frequencies: NDArray[np.float64]) -> NDArray[np.uint8]:
    """The more frequent allele of each site, uint8 (num_sites,); REF where both are."""
    return (frequencies > 0.5).astype(np.uint8)

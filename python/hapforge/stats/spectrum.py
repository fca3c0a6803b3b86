"""Singular values of a cohort's 0/1 matrix, from counts of joint carriers: no dense matrix of the cohort is formed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend, kernels
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order

MAX_VALUES = 2048
"""Most singular values that are computed: the matrix that has their squares as eigenvalues is 32 MiB then."""

MAX_ROWS = 1500
"""Rows taken where there are more sites than `MAX_VALUES`."""

NUM_HALVES = 4


@dataclass(frozen=True)
class Spectrum:
    """Singular values of n rows of a cohort, and of random halves of their persons.

    Attributes
    ----------
    values : float64 (min(n, num_sites),), falling
    halves : list of (rows, float64 (min(rows, num_sites),)); empty with fewer than two persons
    n : int
    """

    values: NDArray[np.float64]
    halves: list[tuple[int, NDArray[np.float64]]]
    n: int


@_backend.one_blas_thread()
def singular_values(matrix: HaplotypeMatrix) -> NDArray[np.float64]:
    """Singular values of the 0/1 matrix X (num_haplotypes, num_sites), neither centred nor scaled, falling.

    Square roots of the eigenvalues of X^T X (joint allele counts) or of X X^T (sites where two rows both carry ALT),
    whichever is smaller, both exact integers. A small value has an absolute error of about 1e-8 of the greatest.

    Parameters
    ----------
    matrix : HaplotypeMatrix

    Returns
    -------
    float64 (min(num_haplotypes, num_sites),)

    Raises
    ------
    ValueError
        More than 2,048 values, or none.
    """
    n, num_sites = matrix.shape
    if not 1 <= min(n, num_sites) <= MAX_VALUES:
        raise ValueError(
            f"matrix: expected 1 to {MAX_VALUES} singular values, found {min(n, num_sites)} ({n} rows x {num_sites} "
            "sites)"
        )
    return _singular_values(matrix, np.float64)


def _singular_values(matrix: HaplotypeMatrix, precision: type[np.floating[Any]]) -> NDArray[np.float64]:
    n, num_sites = matrix.shape
    if num_sites <= n:
        gram = kernels.joint_counts(matrix)
    else:
        carried = np.bitwise_count(matrix.words).sum(axis=1, dtype=np.int64)
        gram = (carried[:, None] + carried - kernels.pairwise_hamming(matrix)) / 2
    return np.sqrt(np.maximum(np.linalg.eigvalsh(gram.astype(precision))[::-1].astype(np.float64), 0.0))


def rows_of_spectrum(n: int, num_sites: int) -> int:
    """Rows that `spectrum` takes of n: all up to 2,048 sites, 1,500 at most beyond."""
    return n if num_sites <= MAX_VALUES else min(n, MAX_ROWS)


@_backend.one_blas_thread()
def spectrum(matrix: HaplotypeMatrix, n: int, *, seed: int = 0) -> Spectrum:
    """Singular values of n seeded rows, and, in single precision, of 4 random halves of their persons.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    n : int, 2 to num_haplotypes; at most 1,500 of these are taken where there are more than 2,048 sites
    seed : int >= 0

    Raises
    ------
    ValueError
        n out of range, no sites.

    References
    ----------
    Carbone et al. 2023, fast and functional structured data generator, appendix C.
    """
    if not 2 <= n <= matrix.num_haplotypes:
        raise ValueError(f"n: expected 2 to {matrix.num_haplotypes} rows, found {n}")
    n = rows_of_spectrum(n, matrix.num_sites)
    if n < matrix.num_haplotypes:
        matrix = matrix.select_haplotypes(np.sort(seeded_order(matrix.num_haplotypes, seed, Stream.SPECTRUM_ROWS)[:n]))
    halves = []
    persons, person = np.unique(matrix.samples.person, return_inverse=True)
    if len(persons) >= 2:
        for h in range(NUM_HALVES):
            kept = np.zeros(len(persons), bool)
            kept[seeded_order(len(persons), seed, Stream.SPECTRUM_HALVES + h)[: len(persons) // 2]] = True
            halves.append(np.flatnonzero(kept[person]))

    def values(part: tuple[HaplotypeMatrix, type[np.floating[Any]]]) -> NDArray[np.float64]:
        return _singular_values(*part)

    parts: list[tuple[HaplotypeMatrix, type[np.floating[Any]]]] = [(matrix, np.float64)]
    parts += ((matrix.select_haplotypes(rows), np.float32) for rows in halves)
    whole, *of_halves = _backend.map_threads(values, parts)
    return Spectrum(whole, [(len(rows), found) for rows, found in zip(halves, of_halves, strict=True)], n)

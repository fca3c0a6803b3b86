"""Principal components of one packed cohort, in blocks of rows: no dense matrix of the cohort is formed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend, kernels
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.stats.allele_frequency import allele_frequencies

MAX_COMPONENTS = 10
_DENSE_SITES = 2048  # up to here the covariance matrix (32 MiB) is formed from joint counts
_BLOCK_VALUES = 1 << 23  # float64 values of an unpacked row block: 64 MiB
_EXTRA_COLUMNS = 8
_MAX_BASIS = 1500
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class PCA:
    """Principal components of centred, unscaled haplotypes.

    Attributes
    ----------
    mean : float64 (num_sites,), ALT frequencies
    components : float64 (k, num_sites), orthonormal rows, by falling variance; the first entry of each whose absolute
        value is (within 1e-6 of) the greatest is positive
    explained : float64 (k,), shares of the total variance
    coordinates : float64 (num_haplotypes, k), (x - mean) . components
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    explained: NDArray[np.float64]
    coordinates: NDArray[np.float64]

    def project(self, matrix: HaplotypeMatrix) -> NDArray[np.float64]:
        """Other rows of the same sites on these components, (x - mean) . components, float64 (num_haplotypes, k)."""
        if matrix.num_sites != len(self.mean):
            raise ValueError(f"matrix: expected {len(self.mean)} sites, found {matrix.num_sites}")
        return _coordinates(matrix, self.mean, self.components.T)


def pca(matrix: HaplotypeMatrix, num_components: int = 2) -> PCA:
    """Principal components of centred, unscaled 0/1 haplotypes.

    Eigenvectors of C = X^T X / n - p p^T. Up to 2,048 sites C is formed exactly from joint allele counts; beyond, its
    leading eigenvectors come from a block Krylov space with full reorthogonalisation (Saad 2011, chapter 6), a pass
    over the rows per step in float64, until every residual |C v - lambda v| is below 1e-9 lambda_1. The start is
    fixed: the same input gives the same output.

    Parameters
    ----------
    matrix : HaplotypeMatrix (num_haplotypes >= 2)
    num_components : int, 1 to 10

    Raises
    ------
    ValueError
        num_components out of range or above the sites or rows less one, rows that are all alike, no convergence.
    """
    n, num_sites = matrix.shape
    highest = min(MAX_COMPONENTS, n - 1, num_sites)
    if not 1 <= num_components <= highest:
        raise ValueError(
            f"num_components: expected 1 to {highest} for {n} rows x {num_sites} sites, found {num_components}"
        )
    mean = allele_frequencies(matrix)
    total = float((mean * (1 - mean)).sum())
    if total == 0:
        raise ValueError(f"matrix: expected rows that differ, found {n} alike")
    if num_sites <= _DENSE_SITES:
        covariance = kernels.joint_counts(matrix) / n - np.outer(mean, mean)
        values, vectors = np.linalg.eigh(covariance)
        values, vectors = values[::-1][:num_components], vectors[:, ::-1][:, :num_components]
    else:
        values, vectors = _leading_eigenvectors(matrix, mean, num_components)
    size = np.abs(vectors)
    top = (size >= (1 - 1e-6) * size.max(axis=0)).argmax(axis=0)  # complementary sites tie but for rounding
    vectors = vectors * np.where(vectors[top, np.arange(num_components)] < 0, -1.0, 1.0)
    return PCA(mean, np.ascontiguousarray(vectors.T), values / total, _coordinates(matrix, mean, vectors))


def _coordinates(
    matrix: HaplotypeMatrix, mean: NDArray[np.float64], vectors: NDArray[np.float64]
) -> NDArray[np.float64]:
    offset = mean @ vectors
    return np.concatenate([block @ vectors - offset for block in _row_blocks(matrix)])


def _row_blocks(matrix: HaplotypeMatrix) -> Iterator[NDArray[np.float64]]:
    rows = max(1, _BLOCK_VALUES // max(1, matrix.num_sites))
    for start in range(0, matrix.num_haplotypes, rows):
        words = np.ascontiguousarray(matrix.words[start : start + rows])
        yield _backend.unpack(words, matrix.num_sites).astype(np.float64)


def _leading_eigenvectors(
    matrix: HaplotypeMatrix, mean: NDArray[np.float64], k: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The k greatest eigenvalues, falling, and their eigenvectors (num_sites, k)."""
    rng = np.random.Generator(np.random.Philox(0))
    block = np.linalg.qr(rng.standard_normal((matrix.num_sites, k + _EXTRA_COLUMNS)))[0]
    basis, images = block[:, :0], block[:, :0]
    while True:
        image = _covariance_times(matrix, mean, block)
        basis, images = np.hstack([basis, block]), np.hstack([images, image])
        projected = basis.T @ images
        values, inner = np.linalg.eigh((projected + projected.T) / 2)
        values, inner = values[::-1][:k], inner[:, ::-1][:, :k]
        vectors = basis @ inner
        residual = np.linalg.norm(images @ inner - vectors * values, axis=0).max()
        if residual <= _TOLERANCE * values[0]:
            return values, vectors
        for _ in range(2):  # twice is enough (Giraud et al. 2005)
            image = image - basis @ (basis.T @ image)
        left, sizes, _ = np.linalg.svd(image, full_matrices=False)
        block = left[:, sizes > 1e-13 * values[0]]
        if block.shape[1] == 0:
            return values, vectors
        block = np.linalg.qr(block - basis @ (basis.T @ block))[0]
        if basis.shape[1] + block.shape[1] > _MAX_BASIS:
            raise ValueError(
                f"pca: expected convergence within {_MAX_BASIS} basis vectors, found a residual of "
                f"{residual / values[0]:.1e}"
            )


def _covariance_times(
    matrix: HaplotypeMatrix, mean: NDArray[np.float64], columns: NDArray[np.float64]
) -> NDArray[np.float64]:
    """C @ columns in one pass over the rows (the centred scores sum to zero, so that one centring is enough)."""
    offset = mean @ columns
    result = np.zeros_like(columns)
    for block in _row_blocks(matrix):
        result += block.T @ (block @ columns - offset)
    return result / matrix.num_haplotypes

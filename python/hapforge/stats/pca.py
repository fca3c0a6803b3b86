"""Principal components of packed haplotypes: no dense matrix of the cohort is formed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend, kernels
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, philox
from hapforge.kernels import bit_product
from hapforge.stats.allele_frequency import allele_frequencies

MAX_COMPONENTS = 10
PASSES = 6
_DENSE = 1024  # of the smaller side: up to here the covariance or Gram matrix is formed
_BLOCK_BYTES = 64 << 20  # of packed rows at a time; they are transposed, which takes as much again
_BLOCK_COLUMNS = 32  # products with packed bits cost about as much for 32 columns as for 10
_MAX_BASIS = 192
_KEPT = 64  # columns of the basis after a restart
_MAX_STEPS = 500
_TOLERANCE = 1e-9
_LARGEST_WEIGHT, _LARGEST_SUM = 1 << 26, (1 << 31) - 1  # of bit_product

Columns = NDArray[np.float64]
Operator = Callable[[Columns], Columns]


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
    residual : float, the greatest |C v - lambda v| / lambda_1 over the components v, C the covariance matrix; where
        haplotypes are fewer than sites C is their Gram matrix over n, and v the scores at length 1. An eigenvalue of C
        lies within residual * lambda_1 of every lambda, and the sine of the angle between v and its eigenvector is at
        most residual * lambda_1 over the distance to the next eigenvalue (Davis and Kahan 1970)
    """

    mean: NDArray[np.float64]
    components: NDArray[np.float64]
    explained: NDArray[np.float64]
    coordinates: NDArray[np.float64]
    residual: float

    def project(self, matrix: HaplotypeMatrix) -> NDArray[np.float64]:
        """Other rows of the same sites on these components, (x - mean) . components, float64 (num_haplotypes, k)."""
        if matrix.num_sites != len(self.mean):
            raise ValueError(f"matrix: expected {len(self.mean)} sites, found {matrix.num_sites}")
        return CentredProducts(matrix, self.mean, terms=2).scores(self.components.T)


@_backend.one_blas_thread()
def pca(matrix: HaplotypeMatrix, num_components: int = 2) -> PCA:
    """Principal components of centred, unscaled 0/1 haplotypes, to a residual of 1e-9.

    Eigenvectors of C = X^T X / n - p p^T. Where sites or haplotypes are at most 1,024, C or the Gram matrix of the
    haplotypes is formed exactly from joint allele counts or Hamming distances. Beyond, the leading eigenvectors of the
    smaller of the two come from a block Krylov space with thick restarts (Saad 2011, chapters 6 and 7). Products are
    sums of integer weights over packed bits (`kernels.bit_product`), the numbers being cut into two integers of up to
    26 bits. Memory beside the packed input: 6 kB for each of the fewer of sites and haplotypes, 2 kB for each of the
    others, and 128 MiB for blocks of rows.

    Parameters
    ----------
    matrix : HaplotypeMatrix (num_haplotypes >= 2)
    num_components : int, 1 to 10

    Raises
    ------
    ValueError
        num_components out of range or above the sites or rows less one, rows that are all alike, no convergence.
    """
    mean, highest_rank = _checked(matrix, num_components)
    if highest_rank <= _DENSE:
        return _dense(matrix, mean, num_components)
    data = CentredProducts(matrix, mean, terms=2)
    found = _krylov(data.operator, data.size, num_components, seed=0, max_steps=_MAX_STEPS, tolerance=_TOLERANCE)
    if found.residual > _TOLERANCE:
        raise ValueError(
            f"matrix: expected convergence within {_MAX_STEPS} steps, found a residual of {found.residual:.1e}"
        )
    return data.result(found)


@_backend.one_blas_thread()
def randomized_pca(matrix: HaplotypeMatrix, num_components: int = 2, *, passes: int = PASSES, seed: int = 0) -> PCA:
    """Principal components of centred, unscaled 0/1 haplotypes from a few passes over the packed bits.

    A random start of 32 columns is multiplied `passes` times by the covariance (or, where there are fewer haplotypes
    than sites, the Gram) matrix; the components are the Rayleigh-Ritz vectors of all columns seen. This is the
    randomized block Krylov method (Musco and Musco 2015, algorithm 2; Halko et al. 2011, section 4.5, keep the last
    power only). Numbers are rounded to integers of up to 26 bits in products. How accurate the result is stands in
    its `residual`: components whose variances are close to each other take more passes. Where `pca` forms a matrix, so
    does this. Memory as `pca`.

    Parameters
    ----------
    matrix : HaplotypeMatrix (num_haplotypes >= 2)
    num_components : int, 1 to 10
    passes : int >= 1, multiplications with the matrix
    seed : int >= 0, of the start

    Raises
    ------
    ValueError
        As `pca`, and passes out of range.
    """
    mean, highest_rank = _checked(matrix, num_components)
    if passes < 1:
        raise ValueError(f"passes: expected at least 1, found {passes}")
    if highest_rank <= _DENSE:
        return _dense(matrix, mean, num_components)
    data = CentredProducts(matrix, mean, terms=1)
    return data.result(_krylov(data.operator, data.size, num_components, seed=seed, max_steps=passes, tolerance=0.0))


def _checked(matrix: HaplotypeMatrix, num_components: int) -> tuple[NDArray[np.float64], int]:
    """ALT frequencies, and the smaller of the numbers of rows and sites."""
    n, num_sites = matrix.shape
    highest = min(MAX_COMPONENTS, n - 1, num_sites)
    if not 1 <= num_components <= highest:
        raise ValueError(
            f"num_components: expected 1 to {highest} for {n} rows x {num_sites} sites, found {num_components}"
        )
    mean = allele_frequencies(matrix)
    if not ((mean > 0) & (mean < 1)).any():
        raise ValueError(f"matrix: expected rows that differ, found {n} alike")
    return mean, min(n, num_sites)


@dataclass(frozen=True)
class _Leading:
    """Leading eigenvalues, falling, their eigenvectors (columns), and the greatest residual over the first value."""

    values: NDArray[np.float64]
    vectors: Columns
    residual: float


def _dense(matrix: HaplotypeMatrix, mean: NDArray[np.float64], k: int) -> PCA:
    """From the covariance matrix of the sites or the Gram matrix of the haplotypes, whichever is smaller."""
    data = CentredProducts(matrix, mean, terms=2)
    n = matrix.num_haplotypes
    if data.of_sites:
        square = kernels.joint_counts(matrix) / n - np.outer(mean, mean)
    else:
        square = gram_matrix(matrix) / n
    values, vectors = np.linalg.eigh(square)
    values, vectors = values[::-1][:k], vectors[:, ::-1][:, :k]
    residual = np.linalg.norm(square @ vectors - vectors * values, axis=0).max() / values[0]
    return data.result(_Leading(values, vectors, float(residual)))


def gram_matrix(matrix: HaplotypeMatrix) -> NDArray[np.float64]:
    """float64 (n, n): products of centred haplotypes, from the exact Hamming distances between them."""
    carried = np.bitwise_count(matrix.words).sum(axis=1, dtype=np.int64)
    shared = (np.add.outer(carried, carried) - kernels.pairwise_hamming(matrix).astype(np.int64)) / 2
    along = shared.mean(axis=0)
    return shared - along - along[:, None] + along.mean()


class CentredProducts:
    """Products with the centred matrix X - 1 p^T of packed rows.

    Parameters
    ----------
    matrix : HaplotypeMatrix
    mean : float64 (num_sites,), p: ALT frequencies
    terms : numbers are rounded to one integer of up to 26 bits, or to two that stand for 40 bits or more
    """

    def __init__(self, matrix: HaplotypeMatrix, mean: NDArray[np.float64], *, terms: int) -> None:
        self.matrix, self.mean, self.terms = matrix, mean, terms
        self.n, self.num_sites = matrix.shape
        self.of_sites = self.num_sites <= self.n
        self.size = min(matrix.shape)

    def _blocks(self) -> Iterator[tuple[int, NDArray[np.uint64]]]:
        rows = max(64, _BLOCK_BYTES // (8 * self.matrix.words.shape[1]))
        for start in range(0, self.n, rows):
            yield start, np.ascontiguousarray(self.matrix.words[start : start + rows])

    def _product(self, words: NDArray[np.uint64], num_lanes: int, columns: Columns) -> Columns:
        """float64 (num_lanes, c): bits (u, num_lanes) transposed, times columns (u, c)."""
        left = columns.T
        total = np.zeros((columns.shape[1], num_lanes))
        for _ in range(self.terms):
            size = np.abs(left)
            largest, summed = size.max(axis=1, keepdims=True), size.sum(axis=1, keepdims=True)
            with np.errstate(divide="ignore"):
                room = np.minimum(_LARGEST_WEIGHT / largest, (_LARGEST_SUM - left.shape[1]) / summed)
            scale = np.where(largest > 0, np.exp2(np.floor(np.log2(np.where(largest > 0, room, 1)))), 1)
            whole = np.rint(left * scale)
            total += bit_product((words, num_lanes), whole.astype(np.int32)) / scale
            left = left - whole / scale
        return total.T

    def scores(self, columns: Columns) -> Columns:
        """(X - 1 p^T) columns: (num_sites, c) to (n, c)."""
        offset = self.mean @ columns
        found = np.empty((self.n, columns.shape[1]))
        for start, words in self._blocks():
            lanes = _backend.transpose(words, self.num_sites)
            found[start : start + len(words)] = self._product(lanes, len(words), columns)
        return found - offset

    def loadings(self, rows: Columns) -> Columns:
        """(X - 1 p^T)^T rows: (n, c) to (num_sites, c)."""
        found = np.zeros((self.num_sites, rows.shape[1]))
        for start, words in self._blocks():
            found += self._product(words, self.num_sites, rows[start : start + len(words)])
        return found - np.outer(self.mean, rows.sum(axis=0))

    def operator(self, columns: Columns) -> Columns:
        """The covariance matrix, or the Gram matrix over n, times columns."""
        if self.of_sites:
            return self.loadings(self.scores(columns)) / self.n
        return self.scores(self.loadings(columns)) / self.n

    def result(self, found: _Leading) -> PCA:
        values, vectors = found.values, found.vectors
        if not self.of_sites:
            vectors = self.loadings(vectors)
            vectors /= np.linalg.norm(vectors, axis=0)
        size = np.abs(vectors)
        top = (size >= (1 - 1e-6) * size.max(axis=0)).argmax(axis=0)  # complementary sites tie but for rounding
        vectors = vectors * np.where(vectors[top, np.arange(len(values))] < 0, -1.0, 1.0)
        total = float((self.mean * (1 - self.mean)).sum())
        components = np.ascontiguousarray(vectors.T)
        return PCA(self.mean, components, values / total, self.scores(vectors), found.residual)


def _krylov(operator: Operator, size: int, k: int, *, seed: int, max_steps: int, tolerance: float) -> _Leading:
    """The k leading eigenpairs of a symmetric operator on columns of `size` numbers, by Rayleigh-Ritz.

    The basis grows by what its Ritz vectors miss, orthogonalised against all of it, and is cut back to the leading
    Ritz vectors where it is full.
    """
    rng = np.random.Generator(philox(seed, Stream.PCA_START))
    block = np.linalg.qr(rng.standard_normal((size, _BLOCK_COLUMNS)))[0]
    room = min(_MAX_BASIS, max_steps * _BLOCK_COLUMNS)
    basis, images = np.empty((room, size)), np.empty((room, size))  # by row
    count = 0
    for step in range(1, max_steps + 1):
        grown = count + block.shape[1]
        basis[count:grown], images[count:grown] = block.T, operator(block).T
        count = grown
        projected = basis[:count] @ images[:count].T
        values, inner = np.linalg.eigh((projected + projected.T) / 2)
        values, inner = values[::-1], inner[:, ::-1]
        wide = inner[:, :_BLOCK_COLUMNS]
        missed = wide.T @ images[:count] - (wide * values[: wide.shape[1]]).T @ basis[:count]
        residual = float(np.linalg.norm(missed[:k], axis=1).max() / values[0])
        if residual <= tolerance or step == max_steps:
            break
        for _ in range(2):  # twice is enough (Giraud et al. 2005)
            missed -= (missed @ basis[:count].T) @ basis[:count]
        left, sizes, _ = np.linalg.svd(missed.T, full_matrices=False)
        block = left[:, sizes > 1e-13 * values[0]]
        if block.shape[1] == 0 or count + block.shape[1] > size:
            break
        block = np.linalg.qr(block - basis[:count].T @ (basis[:count] @ block))[0]
        if count + block.shape[1] > room:
            for rows in (basis, images):
                rows[:_KEPT] = inner[:, :_KEPT].T @ rows[:count]
            count = _KEPT
    return _Leading(values[:k], basis[:count].T @ inner[:, :k], residual)

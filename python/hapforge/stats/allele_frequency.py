"""Allele frequencies of one cohort."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.haplotypes import HaplotypeMatrix

_PROJECTED_AT_ONCE = 1 << 18  # probabilities


def allele_frequencies(matrix: HaplotypeMatrix) -> NDArray[np.float64]:
    """ALT frequency of every site: p_j = (1 / n) sum_i x_ij.

    Parameters
    ----------
    matrix : HaplotypeMatrix of n >= 1 rows

    Returns
    -------
    float64 (num_sites,), between 0 and 1

    Raises
    ------
    ValueError
        No haplotypes.
    """
    if matrix.num_haplotypes == 0:
        raise ValueError("matrix: expected at least one haplotype, found none")
    return kernels.allele_counts(matrix) / matrix.num_haplotypes


def site_frequency_spectrum(
    counts: NDArray[np.int64], num_haplotypes: int, *, size: int | None = None, folded: bool = False
) -> NDArray[np.float64]:
    """Number of sites by ALT count, or by minor allele count, among `size` haplotypes.

    Where `size` is less than the number of haplotypes n, the number expected when `size` of them are drawn without
    replacement (the hypergeometric projection): a site with count c adds C(c, j) C(n - c, size - j) / C(n, size) to
    count j. Terms farther than 9 standard deviations and 30 counts from the mean, together below 1e-15, are left out.

    Parameters
    ----------
    counts : int64 (num_sites,), ALT counts (`kernels.allele_counts`)
    num_haplotypes : int >= 2
    size : int from 2 to num_haplotypes, default that
    folded : bool, by min(j, size - j)

    Returns
    -------
    float64 (size + 1,), folded (size // 2 + 1,). Counts 0 and `size`, the fixed sites, are part of it; the sum is the
    number of sites.

    Raises
    ------
    ValueError
        Counts out of range; a size that is not 2 to num_haplotypes.

    References
    ----------
    Marth et al., "The allele frequency spectrum in genome-wide human variation data reveals signals of differential
    demographic history in three large world populations", Genetics 166 (2004), equation 1; Gutenkunst et al., PLoS
    Genet. 5 (2009).
    """
    size = _check_size(counts, num_haplotypes, size)
    spectrum = np.zeros(size + 1)
    values, sites = np.unique(counts, return_counts=True)
    for row, j, probability in _projected(values, num_haplotypes, size):
        spectrum += np.bincount(j.ravel(), (probability * sites[row, None]).ravel(), minlength=size + 1)
    if not folded:
        return spectrum
    half = size // 2 + 1
    result = spectrum[:half].copy()
    result[: size + 1 - half] += spectrum[: half - 1 : -1]
    return result


def count_class_edges(size: int) -> NDArray[np.int64]:
    """Edges of classes of minor allele counts among `size` haplotypes: 0 (fixed), 1, 2-3, 4-7 ... up to size / 2.

    Returns
    -------
    int64 (num_classes + 1,): 0, 1, 2, 4, 8 ..., size // 2 + 1; classes are [a, b)
    """
    half = size // 2 + 1
    return np.array([0, *(1 << k for k in range(half.bit_length()) if 1 << k < half), half], dtype=np.int64)


def class_shares(counts: NDArray[np.int64], num_haplotypes: int, size: int) -> NDArray[np.float64]:
    """Probability that a site falls into each class of `count_class_edges` when `size` haplotypes are drawn.

    Parameters
    ----------
    counts, num_haplotypes, size : as in `site_frequency_spectrum`

    Returns
    -------
    float64 (num_sites, num_classes), rows sum to 1

    Raises
    ------
    ValueError
        As `site_frequency_spectrum`.
    """
    size = _check_size(counts, num_haplotypes, size)
    edges = count_class_edges(size)
    minor = np.minimum(np.arange(size + 1), size - np.arange(size + 1))
    class_of = np.searchsorted(edges, minor, side="right") - 1
    num_classes = len(edges) - 1
    values, index = np.unique(counts, return_inverse=True)
    shares = np.zeros((len(values), num_classes))
    for row, j, probability in _projected(values, num_haplotypes, size):
        place = (row - row[0])[:, None] * num_classes + class_of[j]
        block = np.bincount(place.ravel(), probability.ravel(), minlength=len(row) * num_classes)
        shares[row] = block.reshape(len(row), num_classes)
    return shares[index]


def _check_size(counts: NDArray[np.int64], num_haplotypes: int, size: int | None) -> int:
    size = num_haplotypes if size is None else size
    if not 2 <= size <= num_haplotypes:
        raise ValueError(f"size: expected 2 to {num_haplotypes} haplotypes, found {size}")
    if len(counts) and not (counts.min() >= 0 and counts.max() <= num_haplotypes):
        raise ValueError(f"counts: expected 0 to {num_haplotypes}, found {counts.min()} to {counts.max()}")
    return size


def _projected(
    values: NDArray[np.int64], n: int, size: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]]:
    """(rows of `values`, counts j (rows, width), their probabilities), a block of rows at a time."""
    if len(values) == 0:
        return
    if size == n:
        yield np.arange(len(values)), values[:, None], np.ones((len(values), 1))
        return
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    p = values / n
    mean = size * p
    reach = 9 * np.sqrt(mean * (1 - p) * (n - size) / (n - 1)) + 30
    low = np.maximum(np.maximum(0, values - (n - size)), np.floor(mean - reach).astype(np.int64))
    high = np.minimum(np.minimum(values, size), np.ceil(mean + reach).astype(np.int64))
    rows = max(1, _PROJECTED_AT_ONCE // int((high - low).max() + 1))
    for start in range(0, len(values), rows):
        row = np.arange(start, min(start + rows, len(values)))
        c, first, last = (v[row, None] for v in (values, low, high))
        j = first + np.arange(int((last - first).max()) + 1)
        inside = j <= last
        j = np.minimum(j, last)
        log_p = (
            (log_factorial[c] - log_factorial[j] - log_factorial[c - j])
            + (log_factorial[n - c] - log_factorial[size - j] - log_factorial[n - c - size + j])
            - (log_factorial[n] - log_factorial[size] - log_factorial[n - size])
        )
        probability = np.where(inside, np.exp(log_p), 0.0)
        yield row, j, probability / probability.sum(axis=1, keepdims=True)

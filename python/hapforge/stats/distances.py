"""Pairwise differences as histograms (`kernels.hamming_histogram`), never as a matrix of pairs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order

NUM_GROUPS = 8

Groups = Sequence[NDArray[np.int64]]


def wasserstein_1d(a: NDArray[np.int64], b: NDArray[np.int64]) -> float:
    """Wasserstein-1 distance between two distributions of pairwise differences, in sites.

    W = sum_d |F_a(d) - F_b(d)|, F the cumulative shares: exact for values on the integers.

    Parameters
    ----------
    a, b : int64 (num_sites + 1,), number of pairs at every distance; their totals may differ

    Raises
    ------
    ValueError
        Different lengths, or a histogram without pairs.
    """
    if a.shape != b.shape or a.ndim != 1:
        raise ValueError(f"histograms: expected two vectors of one length, found shapes {a.shape} and {b.shape}")
    num_a, num_b = int(a.sum()), int(b.sum())
    if num_a == 0 or num_b == 0:
        raise ValueError(f"histograms: expected at least one pair in each, found {num_a} and {num_b}")
    return float(np.abs(np.cumsum(a) / num_a - np.cumsum(b) / num_b).sum())


def person_groups(matrix: HaplotypeMatrix, seed: int) -> list[NDArray[np.int64]]:
    """Rows of 8 seeded groups of persons of equal size or nearly so, each ascending."""
    persons = matrix.samples.num_persons
    group = np.empty(persons, np.int64)
    group[seeded_order(persons, seed, Stream.PERSON_GROUPS)] = np.arange(persons) % NUM_GROUPS
    of_row = group[matrix.samples.person]
    return [np.flatnonzero(of_row == g) for g in range(NUM_GROUPS)]


def grouped_differences(
    a: HaplotypeMatrix, a_groups: Groups, b: HaplotypeMatrix | None = None, b_groups: Groups | None = None
) -> NDArray[np.int64]:
    """Histograms of pairwise differences by the groups of both rows; their sum is the histogram of all pairs.

    Parameters
    ----------
    a, b : HaplotypeMatrix with the same sites; without b the unordered pairs of different rows of a
    a_groups, b_groups : rows of each group, together all rows

    Returns
    -------
    int64 (groups of a, groups of b, 1 + greatest difference); without b nothing below the diagonal of the first two
        axes
    """
    parts = [(np.ascontiguousarray(a.words[rows]), a.num_sites) for rows in a_groups]
    others = parts
    if b is not None and b_groups is not None:
        others = [(np.ascontiguousarray(b.words[rows]), b.num_sites) for rows in b_groups]
    found: dict[tuple[int, int], NDArray[np.int64]] = {}
    for i, part in enumerate(parts):
        for j, other in enumerate(others):
            if b is not None or i < j:
                found[i, j] = np.trim_zeros(kernels.hamming_histogram(part, other), "b")
            elif i == j:
                found[i, j] = np.trim_zeros(kernels.hamming_histogram(part), "b")
    length = max(1, *(len(histogram) for histogram in found.values()))
    grouped = np.zeros((len(parts), len(others), length), np.int64)
    for (i, j), histogram in found.items():
        grouped[i, j, : len(histogram)] = histogram
    return grouped

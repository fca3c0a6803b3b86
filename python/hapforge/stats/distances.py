"""Numbers from a histogram of pairwise differences (`kernels.hamming_histogram`): never from a matrix of pairs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


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

"""Hamming distances of dense 0/1 matrices the slow way."""

import numpy as np


def pairwise_hamming(a, b):
    """uint32 (n, m)"""
    distance = np.zeros((len(a), len(b)), dtype=np.uint32)
    for i in range(len(a)):
        for j in range(len(b)):
            distance[i, j] = np.count_nonzero(a[i] != b[j])
    return distance


def hamming_histogram(a, b=None):
    """int64 (num_sites + 1,); without b the pairs i < j of a."""
    counts = np.zeros(a.shape[1] + 1, dtype=np.int64)
    for i in range(len(a)):
        for other in a[i + 1 :] if b is None else b:
            counts[np.count_nonzero(a[i] != other)] += 1
    return counts

"""Motif counts the slow way."""

import numpy as np


def kmer_counts(dense, k, contig=None):
    """int64 (num_windows, 2**k): each haplotype's motif in each window, windows anew with every contig"""
    num_sites = dense.shape[1]
    contig = np.zeros(num_sites, int) if contig is None else np.asarray(contig)
    windows = []
    start = 0
    while start + k <= num_sites:
        if contig[start] != contig[start + k - 1]:
            start = next(j for j in range(start, start + k) if contig[j] != contig[start])
            continue
        counts = np.zeros(2**k, dtype=np.int64)
        for row in dense[:, start : start + k]:
            counts[int("".join(map(str, row.tolist())), 2)] += 1
        windows.append(counts)
        start += k
    return np.array(windows, dtype=np.int64).reshape(-1, 2**k)

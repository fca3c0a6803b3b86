"""Joint counts and linkage disequilibrium of a dense 0/1 matrix the slow way."""

import math

import numpy as np


def joint_counts(dense, pairs):
    """n11 of each pair of sites, int64 (num_pairs,)"""
    return np.array([np.count_nonzero(dense[:, i] & dense[:, j]) for i, j in pairs], dtype=np.int64)


def linkage(dense, i, j, statistic="r2"):
    """r2, r, D or D_prime of two columns, from the haplotype frequencies; NaN where one is constant."""
    p_i, p_j = dense[:, i].mean(), dense[:, j].mean()
    if min(p_i, p_j) == 0 or max(p_i, p_j) == 1:
        return math.nan
    d = (dense[:, i] & dense[:, j]).mean() - p_i * p_j
    if statistic == "D":
        return d
    if statistic == "D_prime":
        if d < 0:
            return d / min(p_i * p_j, (1 - p_i) * (1 - p_j))
        return d / min(p_i * (1 - p_j), (1 - p_i) * p_j)
    r = d / math.sqrt(p_i * (1 - p_i) * p_j * (1 - p_j))
    return {"r": r, "r2": r * r}[statistic]


def ld_matrix(dense, statistic="r2"):
    """float64 (num_sites, num_sites)"""
    num_sites = dense.shape[1]
    return np.array([[linkage(dense, i, j, statistic) for j in range(num_sites)] for i in range(num_sites)]).reshape(
        num_sites, num_sites
    )


def ld_decay(dense, position, contig, edges):
    """mean r2 (NaN for an empty bin) and number of pairs by distance bin [edges[b], edges[b + 1])"""
    values = [[] for _ in range(len(edges) - 1)]
    for i in range(dense.shape[1]):
        for j in range(i + 1, dense.shape[1]):
            if contig[i] != contig[j]:
                continue
            distance = abs(int(position[j]) - int(position[i]))
            value = linkage(dense, i, j)
            for b in range(len(edges) - 1):
                if edges[b] <= distance < edges[b + 1] and not math.isnan(value):
                    values[b].append(value)
    means = np.array([math.fsum(v) / len(v) if v else math.nan for v in values])
    return means, np.array([len(v) for v in values], dtype=np.int64)

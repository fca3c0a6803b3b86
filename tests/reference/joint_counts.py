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


def ld_moments(dense_a, dense_b, position, contig, edges, block, cell):
    """Sums of x, y, x x, y y, x y over the pairs of sites that vary in both, x and y their r2 in a and b.

    `block` and `cell` give each site's; as [block, block, bin, 5] and [block, block, bin] (numbers of pairs), and of x
    and y alone as [cell, cell, 2] and [cell, cell].
    """
    num_blocks, num_cells, num_bins = max(block) + 1, max(cell) + 1, len(edges) - 1
    moments = np.zeros((num_blocks, num_blocks, num_bins, 5))
    num_pairs = np.zeros((num_blocks, num_blocks, num_bins), np.int64)
    cell_sums, cell_pairs = np.zeros((num_cells, num_cells, 2)), np.zeros((num_cells, num_cells), np.int64)
    for i in range(len(position)):
        for j in range(i + 1, len(position)):
            x, y = linkage(dense_a, i, j), linkage(dense_b, i, j)
            if contig[i] != contig[j] or math.isnan(x) or math.isnan(y):
                continue
            for b in range(num_bins):
                if edges[b] <= abs(int(position[j]) - int(position[i])) < edges[b + 1]:
                    moments[block[i], block[j], b] += (x, y, x * x, y * y, x * y)
                    num_pairs[block[i], block[j], b] += 1
                    cell_sums[cell[i], cell[j]] += (x, y)
                    cell_pairs[cell[i], cell[j]] += 1
    return moments, num_pairs, cell_sums, cell_pairs


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

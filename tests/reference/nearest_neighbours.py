"""Nearest neighbours of dense 0/1 matrices the slow way: sort all candidates by (distance, index)."""

import numpy as np


def nearest_neighbours(queries, targets, k, exclude_self):
    """index int64 (n, k), distance uint32 (n, k)"""
    index = np.zeros((len(queries), k), dtype=np.int64)
    distance = np.zeros((len(queries), k), dtype=np.uint32)
    for i, query in enumerate(queries):
        candidates = sorted(
            (int(np.count_nonzero(query != target)), j)
            for j, target in enumerate(targets)
            if not (exclude_self and i == j)
        )
        for rank, (d, j) in enumerate(candidates[:k]):
            index[i, rank], distance[i, rank] = j, d
    return index, distance


def joint_nearest_neighbours(a, b, k):
    """Pairs as above, in the order aa, ab, ba, bb: four searches."""
    return [nearest_neighbours(*sets, k, sets[0] is sets[1]) for sets in ((a, a), (a, b), (b, a), (b, b))]

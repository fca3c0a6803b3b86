"""Which set has the nearest other row, from all distances of dense 0/1 matrices."""

import numpy as np


def nearest_set(a, b):
    """distance uint32 (n + m,), sets uint8 (n + m,): 1, 2 or 3 = both; rows of a first"""
    rows = np.concatenate([a, b])
    second = np.arange(len(rows)) >= len(a)
    distance = np.zeros(len(rows), np.uint32)
    sets = np.zeros(len(rows), np.uint8)
    for i, row in enumerate(rows):
        to_others = np.count_nonzero(rows != row, axis=1)
        others = np.arange(len(rows)) != i
        distance[i] = to_others[others].min()
        nearest = others & (to_others == distance[i])
        sets[i] = 1 * (nearest & ~second).any() + 2 * (nearest & second).any()
    return distance, sets

"""Variance of a sum of nearest-neighbour indicators, each pair of rows looked at."""

import numpy as np


def deciding_rows(distance, num_truth):
    """For each row the rows that its indicator depends on: itself, its nearest row, one of the other set where tied.

    distance: (rows, rows) between all rows, truth first. The first of those equally near counts.
    """
    num_rows = len(distance)
    label = [i >= num_truth for i in range(num_rows)]
    found = []
    for i in range(num_rows):
        nearest = {}
        for j in range(num_rows):
            if j != i and (label[j] not in nearest or distance[i][j] < distance[i][nearest[label[j]]]):
                nearest[label[j]] = j
        least = min(distance[i][j] for j in nearest.values())
        found.append({i} | {j for j in nearest.values() if distance[i][j] == least})
    return found


def variance(distance, num_truth, effect):
    """Sum of effect_i effect_j over the ordered pairs i, j (also i = j) that have a deciding row in common."""
    rows = deciding_rows(distance, num_truth)
    pairs = [(i, j) for i in range(len(rows)) for j in range(len(rows)) if rows[i] & rows[j]]
    return max(0.0, float(sum(effect[i] * effect[j] for i, j in pairs)))


def size_of_kind(distance, num_truth, counted):
    """Mean over the counted rows of how many of them are identical to it, or its mutual nearest neighbour."""
    num_rows = len(distance)
    label = np.arange(num_rows) >= num_truth
    nearest = []
    for i in range(num_rows):
        order = sorted((distance[i][j], label[j], j) for j in range(num_rows) if j != i)
        nearest.append(order[0][2])
    sizes = []
    for i in counted:
        alike = [
            j == i or distance[i][j] == 0 or (distance[i][nearest[i]] > 0 and nearest[i] == j and nearest[j] == i)
            for j in counted
        ]
        sizes.append(sum(alike))
    return float(np.mean(sizes))

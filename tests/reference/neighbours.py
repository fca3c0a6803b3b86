"""Nearest-neighbour statistics of two dense 0/1 matrices from all distances, one row at a time."""

from itertools import product

import numpy as np


def distances(a, b):
    """int64 (n, m)"""
    return np.array([[np.count_nonzero(x != y) for y in b] for x in a])


def nearest_neighbour_test(d1, d2, k):
    """S(D1, D2): expected share of the k nearest in D1, ties at the k-th distance drawn at random."""
    pool = np.concatenate([d1, d2])
    shares = []
    for i in range(len(d1)):
        others = [j for j in range(len(pool)) if j != i]
        distance = {j: np.count_nonzero(pool[j] != d1[i]) for j in others}
        last = sorted(distance.values())[k - 1]
        sure = [j for j in others if distance[j] < last]
        tied = [j for j in others if distance[j] == last]
        own = sum(j < len(d1) for j in sure)
        own += (k - len(sure)) * sum(j < len(d1) for j in tied) / len(tied)
        shares.append(own / k)
    return np.mean(shares)


def chain_frequencies(truth, syn, longest=5):
    """{pattern: expected share of the chains}, every tied choice followed with its chance."""
    pool = np.concatenate([truth, syn])
    letters = ["T"] * len(truth) + ["S"] * len(syn)
    distance = distances(pool, pool)
    frequency = {"".join(p): 0.0 for size in range(2, longest + 1) for p in product("ST", repeat=size)}

    def follow(chain, chance):
        if len(chain) > 1:
            frequency["".join(letters[i] for i in chain)] += chance / len(pool)
        if len(chain) == longest:
            return
        left = [j for j in range(len(pool)) if j not in chain]
        least = min(distance[chain[-1], j] for j in left)
        tied = [j for j in left if distance[chain[-1], j] == least]
        for j in tied:
            follow([*chain, j], chance / len(tied))

    for start in range(len(pool)):
        follow([start], 1.0)
    return frequency


def minimum_distances(truth, syn):
    """d_TT, d_TS, d_ST, d_SS, each (rows,)"""
    found = []
    for a, b in ((truth, truth), (truth, syn), (syn, truth), (syn, syn)):
        d = distances(a, b).astype(float)
        if a is b:
            np.fill_diagonal(d, np.inf)
        found.append(d.min(axis=1))
    return found


def closest_share(syn, reference, share=0.01):
    """Share of minimum distances below the quantile of the reference, those at it by the part that is needed."""
    limit = sorted(reference)[int(np.ceil(share * len(reference))) - 1]
    below = sum(d < limit for d in reference)
    part = (share * len(reference) - below) / sum(d == limit for d in reference)
    return np.mean([1.0 if d < limit else part if d == limit else 0.0 for d in syn])

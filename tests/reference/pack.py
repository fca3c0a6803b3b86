"""Packed bits the slow way. Words are uint64 (n, ceil(num_sites / 64)); site j is bit j % 64 of word j // 64."""

import numpy as np


def pack(dense):
    """Packed words of a (n, num_sites) matrix of 0 and 1."""
    n, num_sites = dense.shape
    words = np.zeros((n, -(-num_sites // 64)), dtype=np.uint64)
    for j in range(num_sites):
        words[:, j // 64] |= dense[:, j].astype(np.uint64) << np.uint64(j % 64)
    return words


def unpack(words, num_sites):
    """uint8 (n, num_sites) of 0 and 1."""
    dense = np.zeros((len(words), num_sites), dtype=np.uint8)
    for j in range(num_sites):
        dense[:, j] = words[:, j // 64] >> np.uint64(j % 64) & np.uint64(1)
    return dense


def transpose(words, num_sites):
    return pack(unpack(words, num_sites).T)


def select_sites(words, num_sites, index):
    return pack(unpack(words, num_sites)[:, index])

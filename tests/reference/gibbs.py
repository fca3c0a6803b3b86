"""Draws of binary units in fixed point, in Python integers: which uniform, which threshold, which comparison.

The contract is stated in csrc/kernels/bernoulli_units/kernel.h.
"""

import numpy as np

MASK32 = 2**32 - 1
ONE = 2**30
EXP2 = (2**30, 744257403, 257891465, 59375086, 9884650, 1014583)


def philox4x32(counter, key):
    """Philox4x32-10 (Salmon et al. 2011): four 32-bit words of a counter of four and a key of two."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(0xD2511F53 * c0, 2**32)
        high1, low1 = divmod(0xCD9E8D57 * c2, 2**32)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + 0x9E3779B9) & MASK32
        k1 = (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def uniform(unit, chain, step, layer, seed):
    """The 32-bit uniform of one unit."""
    block = (unit >> 5) * 8 + ((unit & 15) >> 1)
    word = ((unit >> 4) & 1) * 2 + (unit & 1)
    return philox4x32((block, chain, step, layer), (seed & MASK32, seed >> 32))[word]


def decay(y, k):
    """exp(-y 2^-k) in units of 2^-30, from the integer y alone."""
    z = (y * 3098164009) >> (k - 1)
    n, f = z >> 32, z & MASK32
    p = EXP2[5]
    for i in (4, 3, 2, 1, 0):
        p = EXP2[i] - ((p * f) >> 32)
    return p >> n if n < 32 else 0


def draw_unit(x, u, k):
    """The unit's value, from its integer field and its uniform."""
    if x < 0:
        u = ~u & MASK32
    accepted = u * (ONE + decay(abs(x), k)) < 2**62
    return int(accepted) ^ int(x < 0)


def bernoulli_units(field, k, seed, step, layer, first_chain=0):
    """float32 (num_chains, num_units) of 0 and 1"""
    units = np.zeros(field.shape, dtype=np.float32)
    for c in range(field.shape[0]):
        for j in range(field.shape[1]):
            u = uniform(j, first_chain + c, step, layer, seed)
            units[c, j] = draw_unit(int(field[c, j]), u, k)
    return units

"""Gibbs steps of an RBM in fixed point, in Python integers: which sum, which uniform, which threshold.

The contract is stated in csrc/kernels/gibbs/unit_draw.h and kernel.h.
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
    """uint8 (num_chains, num_units) of 0 and 1, one unit after another"""
    units = np.zeros(field.shape, dtype=np.uint8)
    for c in range(field.shape[0]):
        for j in range(field.shape[1]):
            u = uniform(j, first_chain + c, step, layer, seed)
            units[c, j] = draw_unit(int(field[c, j]), u, k)
    return units


def bernoulli_units_at_once(field, k, seed, step, layer, first_chain=0):
    """The same in NumPy's 64-bit integers; no product passes 2**63."""
    num_chains, num_units = field.shape
    unit = np.arange(num_units, dtype=np.uint64)
    block = np.broadcast_to((unit >> 5) * 8 + ((unit & 15) >> 1), field.shape)
    chain = np.broadcast_to(np.arange(num_chains, dtype=np.uint64)[:, None] + np.uint64(first_chain), field.shape)
    counter = (block, chain, np.full(field.shape, step, np.uint64), np.full(field.shape, layer, np.uint64))
    words = np.stack(_philox_at_once(counter, seed))
    word = np.broadcast_to(((unit >> 4) & 1) * 2 + (unit & 1), field.shape).astype(np.int64)
    u = np.take_along_axis(words, word[None], axis=0)[0]
    negative = field < 0
    z = np.abs(field.astype(np.int64)).astype(np.uint64) * np.uint64(3098164009) >> np.uint64(k - 1)
    n, f = z >> np.uint64(32), z & np.uint64(MASK32)
    p = np.full(field.shape, EXP2[5], np.uint64)
    for i in (4, 3, 2, 1, 0):
        p = np.uint64(EXP2[i]) - (p * f >> np.uint64(32))
    e = np.where(n < 32, p >> np.minimum(n, np.uint64(63)), np.uint64(0))
    u = np.where(negative, u ^ np.uint64(MASK32), u)
    return ((u * (np.uint64(ONE) + e) < np.uint64(2**62)) ^ negative).astype(np.uint8)


def _philox_at_once(counter, seed):
    c0, c1, c2, c3 = counter
    k0, k1 = seed & MASK32, seed >> 32
    low, high = np.uint64(MASK32), np.uint64(32)
    for _ in range(10):
        p0, p1 = c0 * np.uint64(0xD2511F53), c2 * np.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (p1 >> high) ^ c1 ^ np.uint64(k0), p1 & low, (p0 >> high) ^ c3 ^ np.uint64(k1), p0 & low
        k0, k1 = (k0 + 0x9E3779B9) & MASK32, (k1 + 0xBB67AE85) & MASK32
    return c0, c1, c2, c3


def rounded(values, k):
    """int64: in units of 2**-k, half to even"""
    return np.rint(np.asarray(values, np.float64) * 2.0**k).astype(np.int64)


def gibbs(weights, visible_bias, hidden_bias, visible, k, steps, seed, first_step=0, first_chain=0, clamp=None):
    """(visible, hidden) uint8 (n, num_visible), (n, num_hidden), from integer parameters in units of 2**-k"""
    v = visible.astype(np.int64)
    held = np.zeros(v.shape, bool) if clamp is None else np.broadcast_to(clamp, v.shape)
    h = np.zeros((len(v), len(hidden_bias)), np.int64)
    for step in range(first_step, first_step + steps):
        h = bernoulli_units_at_once(v @ weights + hidden_bias, k, seed, step, 0, first_chain)
        drawn = bernoulli_units_at_once(h @ weights.T + visible_bias, k, seed, step, 1, first_chain)
        v = np.where(held, v, drawn).astype(np.int64)
    return v.astype(np.uint8), h.astype(np.uint8)

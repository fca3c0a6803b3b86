"""Arguments and expected results of every kernel that can be called from C and from numba, by function name."""

import itertools
from functools import cache

import numpy as np

from hapforge.kernels.gibbs import GibbsMachine
from kernels.cases import random_dense
from reference import (
    allele_counts,
    gibbs,
    hamming,
    joint_counts,
    kmers,
    nearest_neighbours,
    nearest_set,
    pack,
    three_point,
)

SHAPES = [(0, 65), (1, 1), (5, 0), (6, 63), (7, 64), (9, 65), (70, 130)]


def _dense(shape):
    return random_dense(shape, seed=1)


def _words(shape):
    return pack.pack(_dense(shape))


def _index(shape):
    return np.random.default_rng(shape).integers(0, shape[1], 70 if shape[1] else 0)


def _pairs(shape):
    return np.random.default_rng(shape).integers(0, shape[0], (40 if shape[0] else 0, 2))


def _triplets(shape):
    return np.random.default_rng(shape).integers(0, shape[1], (20 if shape[1] else 0, 3))


def _signed(values, negate):
    return np.array(values, float) * (-1 if negate else 1)


def _other(shape):
    dense = random_dense((5, shape[1]), seed=2)
    return dense, pack.pack(dense)


def _ld_decay(contigs):
    """Sites without a monomorphic one; positions may repeat, contigs start again from any position."""
    dense = random_dense((33, 20), seed=3)
    dense[0], dense[1] = 0, 1
    position = np.sort(np.random.default_rng(5).integers(1, 60, 20))
    contig = np.repeat(np.arange(contigs), 20 // contigs)
    edges = np.array([0, 1, 10, 25, 40])
    mean, pairs = joint_counts.ld_decay(dense, position, contig, edges)
    sums = np.where(pairs > 0, mean * pairs, 0.0)
    return (pack.pack(dense), 20, position, None if contigs == 1 else contig, edges), (sums, pairs)


def _gibbs(num_visible, num_hidden, num_chains, clamped):
    rng = np.random.default_rng([num_visible, num_hidden, num_chains])
    weights = rng.normal(0, 2000, (num_visible, num_hidden)).round().astype(np.int32)
    biases = rng.integers(-3000, 3000, num_visible, np.int32), rng.integers(-3000, 3000, num_hidden, np.int32)
    start = random_dense((num_chains, num_visible), seed=4)
    mask = random_dense((num_chains, num_visible), seed=5, density=0.3)
    seed, first_chain, first_step, steps = 2**63 + 11, 2**32 - num_chains, 9, 3
    drawn = gibbs.gibbs(weights, *biases, start, 12, steps, seed, first_step, first_chain, mask if clamped else None)
    clamp = pack.pack(mask.T) if clamped else None
    numbers = (num_chains, seed, clamp, first_chain, first_step, steps)
    return (weights, *biases, 12, pack.pack(start.T), *numbers), tuple(pack.pack(units.T) for units in drawn)


def _gibbs_rectified(*shape):
    """Expected is what Python's GibbsMachine gives, which its own tests compare with a reference."""
    arguments, _ = _gibbs(*shape, False)
    *parameters, bits, start, num_chains, seed, _, first_chain, first_step, steps = arguments
    machine = GibbsMachine(*parameters, fixed_point_bits=bits, hidden="relu")
    firsts = {"first_step": first_step, "first_chain": first_chain}
    return arguments, machine.run_bits(start, num_chains, steps=steps, seed=seed, **firsts)


_GIBBS = [(1, 1, 1, False), (33, 20, 65, False), (70, 35, 130, True)]


@cache
def cases(name):
    """(arguments, expected) of each case; expected is an array or a tuple of them. Not to be written to."""
    if name == "ld_decay":
        return [_ld_decay(1), _ld_decay(2), _ld_decay(4)]
    if name == "gibbs":
        return [_gibbs(*one) for one in _GIBBS]
    if name == "gibbs_rectified":
        return [_gibbs_rectified(*one[:3]) for one in _GIBBS]
    shapes = [(0, 5), (1, 1), (5, 0), (6, 7), (64, 9), (130, 30)] if name == "ld_matrix" else SHAPES
    return [case for shape in shapes for case in _CASES[name](shape)]


_CASES = {
    "pack": lambda s: [((_dense(s),), _words(s))],
    "unpack": lambda s: [((_words(s), s[1]), _dense(s))],
    "transpose": lambda s: [((_words(s), s[1]), pack.pack(_dense(s).T))],
    "select_sites": lambda s: [
        ((_words(s), s[1], index), pack.pack(_dense(s)[:, index])) for index in (_index(s), np.arange(0, s[1], 3))
    ],
    "allele_counts": lambda s: [((_words(s), s[1]), allele_counts.allele_counts(_dense(s)))],
    "pairwise_hamming": lambda s: [
        ((_words(s), _other(s)[1], s[1]), hamming.pairwise_hamming(_dense(s), _other(s)[0])),
    ],
    "hamming_histogram": lambda s: [
        ((_words(s), None, s[1]), hamming.hamming_histogram(_dense(s))),
        ((_words(s), _other(s)[1], s[1]), hamming.hamming_histogram(_dense(s), _other(s)[0])),
    ],
    "nearest_neighbours": lambda s: [
        ((_words(s), _other(s)[1], s[1], 2, False), nearest_neighbours.nearest_neighbours(*_both(s), 2, False)),
        *(
            [((_words(s), None, s[1], 1, True), nearest_neighbours.nearest_neighbours(_dense(s), _dense(s), 1, True))]
            if s[0] > 1
            else []
        ),
    ],
    "concat_sites": lambda s: [
        ((_words(s), s[1], pack.pack(part), part.shape[1]), pack.pack(np.hstack([_dense(s), part])))
        for part in (random_dense((s[0], 3)), random_dense((s[0], 129)))
    ],
    "joint_nearest_neighbours": lambda s: [
        (
            (_words(s), _other(s)[1], s[1], k),
            tuple(
                array
                for queries, targets in itertools.product(_both(s), repeat=2)
                for array in nearest_neighbours.nearest_neighbours(queries, targets, k, queries is targets)
            ),
        )
        for k in (1, 4)
        if k < s[0]
    ],
    "three_point": lambda s: [
        ((_words(s), s[1], _triplets(s), negate), _signed(three_point.three_point(_dense(s), _triplets(s)), negate))
        for negate in (0, 1)
    ],
    "three_point_block": lambda s: [
        (
            (_words((s[0], 9)), 9, negate),
            _signed(three_point.three_point_block(_dense((s[0], 9))), negate),
        )
        for negate in (0, 1)
    ],
    "kmer_counts": lambda s: [
        ((_words(s), s[1], k, first, (s[1] - first) // k), kmers.kmer_counts(_dense(s)[:, first:], k))
        for k, first in ((1, 0), (4, 0), (4, 2), (8, 1))
        if first <= s[1]
    ],
    "nearest_set": lambda s: [((_words(s), _other(s)[1], s[1]), nearest_set.nearest_set(*_both(s)))],
    "gibbs_counts": lambda s: [
        ((_words(s), _other(s)[1], s[1]), _dense(s).astype(np.int64) @ _other(s)[0].T.astype(np.int64))
    ],
    "joint_counts": lambda s: [((_words(s), s[1]), _dense(s).T.astype(np.int64) @ _dense(s))],
    "joint_counts_of_pairs": lambda s: [
        ((_words(s), s[1], _pairs(s)), joint_counts.joint_counts(_dense(s).T, _pairs(s)))
    ],
    "ld_matrix": lambda s: [
        ((_words(s), s[1], code), joint_counts.ld_matrix(_dense(s), statistic))
        for code, statistic in enumerate(["r2", "r", "D", "D_prime"] if s[0] else [])
    ],
}

NAMES = [*_CASES, "ld_decay", "gibbs", "gibbs_rectified"]
FLOATS = {"ld_matrix", "ld_decay"}  # float32, and float64 that the reference rounds and adds up in another order


@cache
def _both(shape):
    return _dense(shape), _other(shape)[0]


def assert_equal(name, found, expected):
    found, expected = (x if isinstance(x, tuple) else (x,) for x in (found, expected))
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.shape == other.shape
        if name in FLOATS:
            np.testing.assert_allclose(one, other, rtol=2e-7 if one.dtype == np.float32 else 1e-12, atol=1e-14)
        else:
            assert np.array_equal(one, other, equal_nan=one.dtype == np.float64)

"""Matrices that every kernel is tried on."""

from functools import cache

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

# Around the word, the vectors (128 to 512 bits), the blocks of sites (512) and the words packed at a time (60 and 160).
NUM_SITES = (0, 1, 63, 64, 65, 127, 128, 129, 255, 257, 511, 512, 513, 1023, 1025, 3839, 3841, 10239, 10241)
# Around the register blocks (4, 6, 8), the panels (8, 32), the word, the tiles (64, 192) and the byte counters (255).
NUM_ROWS = (0, 1, 2, 3, 4, 5, 11, 12, 63, 64, 65, 127, 129, 191, 192, 193, 254, 255, 256, 511)
SHAPES = [(5, sites) for sites in NUM_SITES] + [(rows, 130) for rows in NUM_ROWS] + [(65, 65), (67, 1000)]
SHAPES += [(21, sites) for sites in (64, 191, 193, 3839, 3841, 3905, 10241)]


def random_dense(shape, seed=0, density=0.5):
    return (np.random.default_rng([seed, *shape]).random(shape) < density).astype(np.uint8)


def fills(shape):
    """(name, matrix): all zero, all one, random."""
    return [("zeros", np.zeros(shape, np.uint8)), ("ones", np.ones(shape, np.uint8)), ("random", random_dense(shape))]


def dense_matrices(min_rows=0, max_rows=12, max_sites=200):
    shapes = st.tuples(st.integers(min_rows, max_rows), st.integers(0, max_sites))
    return npst.arrays(np.uint8, shapes, elements=st.integers(0, 1))


def mosaics(founders, n, rng, *, segments, flips):
    """Rows glued from stretches of the founders, with a share of bits flipped: distances of every size."""
    num_sites = founders.shape[1]
    rows = np.empty((n, num_sites), np.uint8)
    for row in rows:
        ends = np.sort(rng.integers(0, num_sites, segments))
        source = rng.integers(0, len(founders), segments + 1)[np.searchsorted(ends, np.arange(num_sites))]
        row[:] = founders[source, np.arange(num_sites)]
    return rows ^ (rng.random(rows.shape) < flips)


@cache
def mosaic_sets(segments, flips, num_sites):
    """Two sets of mosaics of the same 40 founders, 330 and 300 rows."""
    rng = np.random.default_rng([segments, num_sites])
    founders = (rng.random((40, num_sites)) < rng.beta(0.4, 1.5, num_sites)).astype(np.uint8)
    return tuple(mosaics(founders, n, rng, segments=segments, flips=flips) for n in (330, 300))

"""three_point and three_point_block against exact fractions, on every backend."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hapforge as hf
from hapforge import _backend
from hapforge.kernels import (
    available_backends,
    kmer_counts,
    random_triplets,
    three_point,
    three_point_block,
    triplets_at_spacing,
)
from kernels.cases import NUM_ROWS, dense_matrices, fills, random_dense
from reference import kmers as kmers_reference
from reference import pack as pack_reference
from reference import three_point as reference

BACKENDS = available_backends("three_point")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
ALLELES = list(itertools.product((0, 1), repeat=3))


def skewed_dense(shape, seed=0):
    """Frequencies from 0 to 1, so that some sites have ALT as the rarer allele and some REF."""
    rng = np.random.default_rng([seed, *shape])
    return (rng.random(shape) < rng.beta(0.4, 0.4, shape[1])).astype(np.uint8)


def same(found, expected):
    """Equal to the last bit, and no negative zero."""
    return np.array_equal(found, np.array(expected), equal_nan=True) and not np.signbit(found[found == 0]).any()


@every_backend
@pytest.mark.parametrize("n", [*NUM_ROWS, 512, 513, 2000])
def test_listed_triplets(backend, n, assert_ran):
    triplets = np.random.default_rng(n).integers(0, 70, (41, 3))
    for name, dense in [*fills((n, 70)), ("skewed", skewed_dense((n, 70)))]:
        found = three_point(dense, triplets, backend=backend, threads=1)
        assert found.dtype == np.float64
        assert same(found, reference.three_point(dense, triplets)), name
    assert_ran("three_point", backend)


@every_backend
@pytest.mark.parametrize(("n", "num_sites"), [(0, 4), (1, 5), (2, 3), (40, 0), (40, 2), (63, 9), (64, 12), (65, 17)])
@pytest.mark.parametrize("alleles", [(1, 1, 1), (0, 1, 1)], ids=str)
def test_small_blocks(backend, n, num_sites, alleles, assert_ran):
    for name, dense in [*fills((n, num_sites)), ("skewed", skewed_dense((n, num_sites)))]:
        found = three_point_block(dense, alleles=alleles, backend=backend, threads=1)
        assert same(found, reference.three_point_block(dense, alleles)), name
    assert_ran("three_point_block", backend)


@every_backend
@pytest.mark.parametrize(("n", "num_sites"), [(130, 63), (255, 65), (700, 72), (4100, 66), (40, 150)])
def test_blocks_are_their_triplets(backend, n, num_sites):
    dense = skewed_dense((n, num_sites))
    triplets = np.array(list(itertools.combinations(range(num_sites), 3)))
    expected = three_point(dense, triplets, backend="scalar", threads=1)
    # The emulated device is slow, and takes no notice of threads.
    listed, num_threads = (slice(None, None, 97), (1,)) if backend == "cuda" else (slice(None), (1, 2, 7))
    for threads in num_threads:
        assert same(three_point_block(dense, backend=backend, threads=threads), expected)
        assert same(three_point(dense, triplets[listed], backend=backend, threads=threads), expected[listed])
    some = np.random.default_rng(0).choice(len(triplets), 60, replace=False)
    assert same(expected[some], reference.three_point(dense, triplets[some]))


@every_backend
@pytest.mark.parametrize("n", [131_072, 131_073, 200_000])
def test_many_haplotypes(backend, n):
    """Up to 2^17 haplotypes the nearest double; beyond, two units in the last place at most."""
    dense = skewed_dense((n, 6))
    expected = np.array(reference.three_point_block(dense, (1, 0, 1)))
    found = three_point_block(dense, alleles=(1, 0, 1), backend=backend)
    listed = three_point(dense, list(itertools.combinations(range(6), 3)), (1, 0, 1), backend=backend)
    assert np.array_equal(found, listed)
    assert (np.abs(found - expected) <= (0 if n <= 2**17 else 2) * np.spacing(np.abs(expected))).all()


def test_by_hand():
    """Haplotypes 111, 100, 010, 001: c_ijk = 1/4 - 3 (1/4) (1/2) + 2 (1/8) = 1/8; turned around, -1/8."""
    dense = np.array([[1, 1, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.uint8)
    assert three_point(dense, [(0, 1, 2)]).tolist() == [1 / 8]
    assert three_point_block(1 - dense).tolist() == [-1 / 8]


def test_every_choice_of_alleles():
    dense = skewed_dense((90, 8))
    triplets = [*itertools.combinations(range(8), 3), (2, 2, 5), (5, 2, 2), (4, 4, 4), (7, 0, 3)]
    for alleles in ALLELES:
        assert same(three_point(dense, triplets, alleles), reference.three_point(dense, triplets, alleles)), alleles
    flipped = dense.copy()
    flipped[:, 3] ^= 1
    assert np.array_equal(three_point(dense, [(0, 3, 6)], (1, 0, 1)), three_point(flipped, [(0, 3, 6)]))


def test_block_of_some_sites():
    dense = skewed_dense((50, 90))
    index = np.array([80, 3, 3, 64, 12])
    assert np.array_equal(three_point_block(dense, index), three_point_block(dense[:, index]))
    mask = np.arange(90) % 9 == 0
    assert np.array_equal(three_point_block(dense, mask), three_point_block(dense[:, mask]))


def two_contigs():
    return hf.HaplotypeMatrix.from_dense(
        skewed_dense((20, 10)), positions=[*range(1, 7), *range(1, 5)], contig=["a"] * 6 + ["b"] * 4
    )


def test_triplets_across_contigs_are_refused():
    m = two_contigs()
    inside = [(0, 5, 2), (6, 9, 7)]
    assert np.array_equal(three_point(m, inside), three_point(m.to_dense(), inside))
    with pytest.raises(ValueError, match=r"three sites of one contig, found \[0, 1, 6\] on a, a, b$"):
        three_point(m, [*inside, (0, 1, 6)])
    with pytest.raises(ValueError, match="sites: expected those of one contig, found several"):
        three_point_block(m)
    with pytest.raises(ValueError, match="sites: expected those of one contig, found several"):
        three_point_block(m, [0, 7, 1])
    assert np.array_equal(three_point_block(m, np.arange(6, 10)), three_point_block(m.to_dense()[:, 6:]))


def test_triplets_at_spacing():
    assert triplets_at_spacing(7, 2).tolist() == [[0, 2, 4], [1, 3, 5], [2, 4, 6]]
    assert triplets_at_spacing(np.int64(6), 3).shape == (0, 3)
    assert triplets_at_spacing(0, 1).shape == (0, 3)
    m = two_contigs()
    assert triplets_at_spacing(m, 2).tolist() == [[0, 2, 4], [1, 3, 5]]
    assert triplets_at_spacing(m, 1).tolist() == [[i, i + 1, i + 2] for i in (0, 1, 2, 3, 6, 7)]
    assert np.array_equal(triplets_at_spacing(m.to_dense(), 2), triplets_at_spacing(10, 2))
    some = triplets_at_spacing(1000, 64, 50, seed=3)
    assert len(np.unique(some[:, 0])) == 50
    assert (np.diff(some[:, 0]) > 0).all()
    assert (np.diff(some, axis=1) == 64).all()
    assert some.min() >= 0
    assert some.max() < 1000
    assert np.array_equal(some, triplets_at_spacing(1000, 64, 50, seed=3))
    assert not np.array_equal(some, triplets_at_spacing(1000, 64, 50, seed=4))
    assert np.array_equal(triplets_at_spacing(100, 4, 92), triplets_at_spacing(100, 4))


def test_random_triplets_are_even():
    """All C(6, 3) + C(4, 3) triplets of two contigs, each as often: chi-square with 23 degrees of freedom."""
    m = two_contigs()
    drawn = random_triplets(m, 24_000, seed=5)
    assert np.array_equal(drawn, random_triplets(m, 24_000, seed=5))
    triplets, times = np.unique(drawn, axis=0, return_counts=True)
    expected = [*itertools.combinations(range(6), 3), *itertools.combinations(range(6, 10), 3)]
    assert triplets.tolist() == sorted(map(list, expected))
    assert ((times - 1000) ** 2 / 1000).sum() < 49.7  # 0.1 %
    assert random_triplets(3, 0).shape == (0, 3)
    assert not np.array_equal(random_triplets(1000, 5, seed=1), random_triplets(1000, 5, seed=2))


@pytest.mark.parametrize("backend", _backend.core.available_backends("three_point"))
@given(
    dense=dense_matrices(max_rows=140, max_sites=90),
    k=st.integers(1, 16),
    cut=st.integers(0, 90),
    threads=st.integers(1, 3),
    data=st.data(),
)
def test_any_shape_padding_and_thread_count(backend, dense, k, cut, threads, data):
    """three_point, three_point_block and kmer_counts: padding bits are never looked at, threads never matter."""
    n, num_sites = dense.shape
    words = pack_reference.pack(dense)
    dirty = words.copy()
    if num_sites % 64:
        dirty[:, -1] |= np.uint64(2**64 - 2 ** (num_sites % 64))
    site = st.integers(0, num_sites - 1)
    some = data.draw(st.lists(st.tuples(site, site, site), max_size=5)) if num_sites else []
    triplets = np.array(some, dtype=np.int64).reshape(-1, 3)
    expected = reference.three_point(dense, triplets)
    block = np.ascontiguousarray(dense[:, :12])
    runs = [(0, min(cut, num_sites) // k), (min(cut, num_sites), (num_sites - min(cut, num_sites)) // k)]
    motifs = [kmers_reference.kmer_counts(dense[:, :cut], k), kmers_reference.kmer_counts(dense[:, cut:], k)]
    core, other_backend = _backend.core, backend if backend in available_backends("kmers") else "scalar"
    for given_words in (words, dirty):
        assert same(core.three_point(given_words, num_sites, triplets, False, backend, threads), expected)
        counts = core.kmer_counts(given_words, num_sites, k, np.array(runs), other_backend, threads)
        assert np.array_equal(counts, np.concatenate(motifs))
    assert same(three_point_block(block, backend=backend, threads=threads), reference.three_point_block(block))
    assert kmer_counts(dense, k, backend=other_backend, threads=threads).sum() == num_sites // k * n


def test_bad_calls():
    dense = random_dense((5, 10))
    for triplets in ([(0, 1, 10)], [(-1, 0, 1)]):
        with pytest.raises(IndexError, match=r"triplets: .* is out of range for 10 sites"):
            three_point(dense, triplets)
    with pytest.raises(ValueError, match=r"triplets: expected shape \(n, 3\), found \(3,\)"):
        three_point(dense, [0, 1, 2])
    with pytest.raises(ValueError, match=r"triplets: expected shape \(n, 3\), found \(1, 2\)"):
        three_point(dense, [(0, 1)])
    with pytest.raises(TypeError, match="triplets: expected integers, found float64"):
        three_point(dense, [(0.0, 1.0, 2.0)])
    for alleles in ((1, 1), (1, 1, 2), (0, 0, -1)):
        with pytest.raises(ValueError, match="alleles: expected three of 0 and 1"):
            three_point(dense, [(0, 1, 2)], alleles)
        with pytest.raises(ValueError, match="alleles: expected three of 0 and 1"):
            three_point_block(dense, alleles=alleles)
    with pytest.raises(IndexError, match="out of range for 10 sites"):
        three_point_block(dense, [0, 1, 10])
    with pytest.raises(ValueError, match=r"sites: expected a mask of 10, found shape \(9,\)"):
        three_point_block(dense, np.ones(9, bool))
    with pytest.raises(ValueError, match=r"sites: expected shape \(n,\), found \(1, 2\)"):
        three_point_block(dense, [[1, 2]])
    with pytest.raises(TypeError, match="sites: expected integers, found float64"):
        three_point_block(dense, [1.0])
    assert math.comb(1173, 3) * 8 <= 2**31 < math.comb(1174, 3) * 8
    with pytest.raises(ValueError, match="three_point_block: expected at most 2 GiB"):
        three_point_block(np.zeros((1, 1174), np.uint8))
    with pytest.raises(hf.errors.MissingBackendError):
        three_point(dense, [(0, 1, 2)], backend="turbo")
    for spacing, kind in ((0, ValueError), (-1, ValueError), (1.5, TypeError)):
        with pytest.raises(kind, match="spacing: expected"):
            triplets_at_spacing(10, spacing)
    with pytest.raises(ValueError, match="max_triplets: expected 1 or more, found 0"):
        triplets_at_spacing(10, 1, 0)
    with pytest.raises(ValueError, match="num_triplets: expected 0 or more, found -1"):
        random_triplets(10, -1)
    with pytest.raises(ValueError, match="m: expected three sites on one contig"):
        random_triplets(2, 5)
    with pytest.raises(ValueError, match="m: expected 0 or more, found -1"):
        triplets_at_spacing(-1, 5)
    with pytest.raises(ValueError, match="seed"):
        random_triplets(10, 5, seed=-1)


def test_bad_calls_of_the_module():
    core, words = _backend.core, np.zeros((3, 2), np.uint64)
    index = np.zeros((1, 3), np.int64)
    with pytest.raises(ValueError, match="triplets: expected three columns"):
        core.three_point(words, 100, index[:, :2].copy(), False, "scalar", 1)
    with pytest.raises(IndexError, match="100 is out of range for 100 sites"):
        core.three_point(words, 100, index + 100, False, "scalar", 1)
    with pytest.raises(ValueError, match="expected 1 words per row"):
        core.three_point_block(words, 64, False, "scalar", 1)
    with pytest.raises(ValueError, match=r"at most 2\^19 sites"):
        core.three_point_block(np.zeros((0, 8193), np.uint64), 2**19 + 64, False, "scalar", 1)

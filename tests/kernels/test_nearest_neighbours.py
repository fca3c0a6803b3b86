"""nearest_neighbours against the reference, on every backend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge._backend import core
from hapforge.kernels import (
    Neighbours,
    available_backends,
    joint_nearest_neighbours,
    mutual_nearest_neighbours,
    nearest_neighbours,
)
from hapforge.kernels._inputs import as_packed
from kernels.cases import NUM_SITES, dense_matrices, mosaic_sets, mosaics, random_dense
from reference import nearest_neighbours as reference

BACKENDS = available_backends("nearest_neighbours")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_pruning_backend = pytest.mark.parametrize("backend", core.available_backends("nearest_neighbours"))


def check(found, expected):
    assert isinstance(found, Neighbours)
    assert found.index.dtype == np.int64
    assert found.distance.dtype == np.uint32
    assert np.array_equal(found.index, expected[0])
    assert np.array_equal(found.distance, expected[1])


@every_backend
@pytest.mark.parametrize("num_sites", NUM_SITES)
@pytest.mark.parametrize("k", [1, 3])
def test_numbers_of_sites(backend, num_sites, k, assert_ran):
    dense = random_dense((9, num_sites))
    expected = reference.nearest_neighbours(dense, dense, k, True)
    check(nearest_neighbours(dense, k=k, backend=backend, threads=1), expected)
    assert_ran("nearest_neighbours", backend)


@every_backend
@pytest.mark.parametrize("n", [2, 63, 64, 65, 127, 128, 129, 200])
def test_numbers_of_rows(backend, n):
    """Eight sites: nearly every distance is tied, so the order of ties decides."""
    dense, others = random_dense((n, 8)), random_dense((131, 8), 1)
    for k in {1, min(2, n - 1), n - 1}:
        expected = reference.nearest_neighbours(dense, dense, k, True)
        check(nearest_neighbours(dense, k=k, backend=backend, threads=1), expected)
    for k in (1, 131):
        expected = reference.nearest_neighbours(dense, others, k, False)
        check(nearest_neighbours(dense, others, k=k, backend=backend, threads=1), expected)


@every_backend
@pytest.mark.parametrize("fill", [0, 1])
def test_equal_rows_go_to_the_lowest_index(backend, fill):
    dense = np.full((150, 70), fill, np.uint8)
    found = nearest_neighbours(dense, k=2, backend=backend)
    assert not found.distance.any()
    assert found.index[0].tolist() == [1, 2]
    assert found.index[1].tolist() == [0, 2]
    assert (found.index[2:] == [0, 1]).all()


@every_backend
def test_self_exclusion(backend):
    dense = random_dense((70, 100))
    everyone = np.arange(70)
    assert np.array_equal(nearest_neighbours(dense, dense, backend=backend).index[:, 0], everyone)
    assert np.array_equal(nearest_neighbours(dense, exclude_self=False, backend=backend).index[:, 0], everyone)
    packed = as_packed(dense, "dense")  # the same rows in memory
    assert np.array_equal(nearest_neighbours(packed, packed, backend=backend).index[:, 0], everyone)
    among_themselves = nearest_neighbours(dense, backend=backend)
    check(nearest_neighbours(dense, dense, exclude_self=True, backend=backend), among_themselves)
    assert (among_themselves.index[:, 0] != everyone).all()


@every_backend
def test_results_are_the_same_on_any_number_of_threads(backend):
    """Ten sites: ties everywhere, and blocks of rows that end up with different threads."""
    dense, few = random_dense((600, 10)), random_dense((3, 10), 1)
    one = nearest_neighbours(dense, k=5, backend=backend, threads=1)
    of_few = nearest_neighbours(few, dense, k=5, backend=backend, threads=1)
    joint = joint_nearest_neighbours(dense, dense[250:], k=3, backend=backend, threads=1)
    check(one, nearest_neighbours(dense, dense, k=5, exclude_self=True, backend=backend, threads=1))
    packed = as_packed(dense, "dense")
    with_self = nearest_neighbours(packed, packed, k=5, backend=backend, threads=2)
    check(with_self, nearest_neighbours(dense, dense, k=5, backend=backend, threads=1))
    for threads in (2, 3, 16):
        check(nearest_neighbours(dense, k=5, backend=backend, threads=threads), one)
        check(nearest_neighbours(few, dense, k=5, backend=backend, threads=threads), of_few)
        again = joint_nearest_neighbours(dense, dense[250:], k=3, backend=backend, threads=threads)
        for found, expected in zip(again, joint, strict=True):
            check(found, expected)


@every_backend
@pytest.mark.parametrize(("n", "m"), [(2, 2), (3, 70), (65, 12), (64, 193), (193, 64), (257, 200)])
def test_joint_pass_is_four_searches(backend, n, m, assert_ran):
    """Nine sites, so that ties decide, and some rows in both sets."""
    a, b = random_dense((n, 9), 1), random_dense((m, 9), 2)
    b[: min(n, m) // 2] = a[: min(n, m) // 2]
    for k in {1, min(n, m, 6) - 1}:
        expected = reference.joint_nearest_neighbours(a, b, k)
        found = joint_nearest_neighbours(a, b, k=k, backend=backend)
        assert found._fields == ("aa", "ab", "ba", "bb")
        for part, answer in zip(found, expected, strict=True):
            check(part, answer)
    assert_ran("joint_nearest_neighbours", backend)


@every_backend
@given(dense=dense_matrices(min_rows=4, max_rows=40, max_sites=70), data=st.data())
def test_mutual_properties(backend, dense, data):
    cut = data.draw(st.integers(1, len(dense) - 1))
    a, b = dense[:cut], dense[cut:]
    k = data.draw(st.integers(1, min(len(a), len(b))))
    ab, ba = mutual_nearest_neighbours(a, b, k=k, backend=backend, threads=data.draw(st.integers(1, 3)))
    check(ab, reference.nearest_neighbours(a, b, k, False))
    check(ba, reference.nearest_neighbours(b, a, k, False))


def pruned(a, b, k, backend, threads):
    """The pruned search on any size; aa, ab, ba, bb."""
    a, b = as_packed(a, "a"), as_packed(b, "b")
    lists = core.joint_nearest_neighbours(a.words, b.words, a.num_sites, k, True, True, backend, threads)
    return [Neighbours(*found) for found in lists]


@every_pruning_backend
@given(dense=dense_matrices(min_rows=4, max_rows=40, max_sites=70), data=st.data())
def test_pruned_properties(backend, dense, data):
    """Few sites: many identical rows and ties."""
    cut = data.draw(st.integers(2, len(dense) - 2))
    a, b = dense[:cut], dense[cut:]
    k = data.draw(st.integers(1, min(len(a), len(b)) - 1))
    found = pruned(a, b, k, backend, data.draw(st.integers(1, 3)))
    for lists, (x, y) in zip(found, ((a, a), (a, b), (b, a), (b, b)), strict=True):
        check(lists, reference.nearest_neighbours(x, y, k, x is y))


@every_pruning_backend
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("k", [1, 5, 64])
@pytest.mark.parametrize(("segments", "flips"), [(1, 0.0), (2, 0.002), (40, 0.02), (40, 0.5)])
def test_pruned_like_exhaustive(backend, threads, k, segments, flips):
    """Copies, close kin, mosaics and noise, at more sites than a sketch has bits."""
    a, b = mosaic_sets(segments, flips, 3000)
    found = pruned(a, b, k, backend, threads)
    for lists, (x, y) in zip(found, ((a, None), (a, b), (b, a), (b, None)), strict=True):
        check(lists, nearest_neighbours(x, y, k=k))  # too few rows to be pruned


def test_large_sets_are_pruned():
    """The public functions on sizes where they prune, against parts too small for it."""
    rng = np.random.default_rng(8)
    founders = (rng.random((60, 1500)) < rng.beta(0.3, 1.0, 1500)).astype(np.uint8)
    a, b = (mosaics(founders, n, rng, segments=5, flips=0.001) for n in (2200, 4100))
    assert core.prunes(len(a), len(b), 1)
    assert core.prunes(len(b), 0, 1)
    parts = [nearest_neighbours(a[rows], b) for rows in np.array_split(np.arange(2200), 10)]  # too few queries
    expected = tuple(np.concatenate([part[i] for part in parts]) for i in range(2))
    check(nearest_neighbours(a, b), expected)
    found = joint_nearest_neighbours(a, b)
    check(found.ab, expected)
    check(mutual_nearest_neighbours(a, b)[1], found.ba)
    check(nearest_neighbours(b), found.bb)
    packed = as_packed(a, "a")
    for part, lists in zip(
        core.joint_nearest_neighbours(packed.words, as_packed(b, "b").words, 1500, 1, True, False, "scalar", 2),
        found,
        strict=True,
    ):
        check(lists, part)


def test_where_pruning_starts():
    assert core.prunes(4096, 0, 1)
    assert not core.prunes(4095, 0, 1)
    assert core.prunes(2048, 2048 + 1024, 2)
    assert not core.prunes(2048, 2047 + 1024, 2)
    assert core.prunes(10**6, 10**6, 64)
    assert not core.prunes(10**6, 10**6, 65)
    assert not core.prunes(10**6, 10**6, 0)


def test_queries_that_are_some_of_the_targets():
    """The same memory, but not as many rows: not a search among themselves."""
    words = as_packed(random_dense((100, 128)), "dense").words
    for queries, targets in ((words[:10], words), (words, words[:10])):
        for k in (1, 5):
            found = core.nearest_neighbours(queries, targets, 128, k, True, "scalar", 1)
            apart = core.nearest_neighbours(queries.copy(), targets, 128, k, True, "scalar", 1)
            assert np.array_equal(found[0], apart[0])
            assert np.array_equal(found[1], apart[1])


def test_memory_mapped_words(tmp_path):
    """Read-only and nowhere but on disk: nothing is copied, nothing is written."""
    packed = as_packed(random_dense((250, 130)), "dense")
    packed.words.tofile(tmp_path / "words")
    mapped = np.memmap(tmp_path / "words", dtype=np.uint64, mode="r", shape=packed.words.shape)
    found = joint_nearest_neighbours((mapped[:100], 130), (mapped[100:], 130), k=2)
    expected = joint_nearest_neighbours((packed.words[:100], 130), (packed.words[100:], 130), k=2)
    for part, answer in zip(found, expected, strict=True):
        check(part, answer)
    check(nearest_neighbours((mapped, 130)), nearest_neighbours(packed))


def test_bad_joint_calls():
    dense, other = random_dense((5, 64)), random_dense((4, 64))
    for bad_k in (0, 5):
        with pytest.raises(ValueError, match=f"k: expected 1 to 4, the number of candidates, found {bad_k}"):
            mutual_nearest_neighbours(dense, other, k=bad_k)
    with pytest.raises(ValueError, match="k: expected 1 to 3, the number of candidates, found 4"):
        joint_nearest_neighbours(dense, other, k=4)
    with pytest.raises(ValueError, match="k: expected 1 to 0"):
        mutual_nearest_neighbours(dense, other[:0])
    for function in (mutual_nearest_neighbours, joint_nearest_neighbours):
        with pytest.raises(ValueError, match="b: expected 64 sites, as in a, found 63"):
            function(dense, random_dense((4, 63)))
        with pytest.raises(TypeError):
            function(dense, other, k=1.0)


def test_no_queries():
    found = nearest_neighbours(random_dense((0, 70)), random_dense((4, 70)), k=2)
    assert found.index.shape == found.distance.shape == (0, 2)


@every_backend
@given(dense=dense_matrices(min_rows=2, max_rows=20, max_sites=70), data=st.data())
def test_properties(backend, dense, data):
    n, num_sites = dense.shape
    k = data.draw(st.integers(1, n - 1))
    found = nearest_neighbours(dense, k=k, backend=backend, threads=1)
    check(found, reference.nearest_neighbours(dense, dense, k, True))
    flips = np.array(data.draw(st.lists(st.integers(0, 1), min_size=num_sites, max_size=num_sites)), dtype=np.uint8)
    check(nearest_neighbours(dense ^ flips, k=k, backend=backend), found)  # recoding alleles changes no distance


def test_bad_calls():
    dense, other = random_dense((5, 64)), random_dense((4, 64))
    for bad_k in (0, -1, 5):
        with pytest.raises(ValueError, match=f"k: expected 1 to 4, the number of candidates, found {bad_k}"):
            nearest_neighbours(dense, k=bad_k)
    with pytest.raises(ValueError, match="k: expected 1 to 4"):
        nearest_neighbours(dense, other, k=5)
    with pytest.raises(TypeError):
        nearest_neighbours(dense, k=1.0)
    with pytest.raises(ValueError, match="as many targets as queries, found 4 targets, 5 queries"):
        nearest_neighbours(dense, other, exclude_self=True)
    with pytest.raises(ValueError, match="targets: expected 64 sites, as in queries, found 63"):
        nearest_neighbours(dense, random_dense((4, 63)))
    with pytest.raises(ValueError, match="k: expected 1 to 0"):
        nearest_neighbours(random_dense((1, 64)))

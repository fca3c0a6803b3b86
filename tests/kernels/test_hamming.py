"""pairwise_hamming and hamming_histogram against the reference, on every backend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge.kernels import available_backends, hamming_histogram, pairwise_hamming
from kernels.cases import SHAPES, dense_matrices, fills, random_dense
from reference import hamming as reference

BACKENDS = available_backends("hamming")
every_backend = pytest.mark.parametrize("backend", BACKENDS)


def distances(a, b):
    """As the reference, but quick enough for hundreds of rows."""
    a, b = a.astype(np.int64), b.astype(np.int64)
    return (a @ (1 - b).T + (1 - a) @ b.T).astype(np.uint32)


@every_backend
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_shapes(backend, shape, assert_ran):
    for name, dense in fills(shape):
        expected = distances(dense, dense)
        found = pairwise_hamming(dense, backend=backend, threads=1)
        assert found.dtype == np.uint32, name
        assert np.array_equal(found, expected), name
        above = expected[np.triu_indices(shape[0], 1)]
        histogram = hamming_histogram(dense, backend=backend, threads=1)
        assert histogram.dtype == np.int64, name
        assert np.array_equal(histogram, np.bincount(above, minlength=shape[1] + 1)), name
    assert_ran("pairwise_hamming", backend)
    assert_ran("hamming_histogram", backend)


@every_backend
@pytest.mark.parametrize(("n", "m"), [(0, 3), (3, 0), (1, 7), (5, 66), (130, 9), (67, 131)])
def test_two_matrices_match_the_reference(backend, n, m):
    a, b = random_dense((n, 200), 1), random_dense((m, 200), 2, 0.2)
    expected = reference.pairwise_hamming(a, b)
    assert np.array_equal(distances(a, b), expected)
    assert np.array_equal(pairwise_hamming(a, b, backend=backend), expected)
    assert np.array_equal(hamming_histogram(a, b, backend=backend), reference.hamming_histogram(a, b))
    assert np.array_equal(hamming_histogram(a, backend=backend), reference.hamming_histogram(a))


@every_backend
def test_results_are_the_same_on_any_number_of_threads(backend):
    a = random_dense((400, 300))
    one = pairwise_hamming(a, backend=backend, threads=1), hamming_histogram(a, backend=backend, threads=1)
    for threads in (2, 3, 16):
        assert np.array_equal(pairwise_hamming(a, backend=backend, threads=threads), one[0])
        assert np.array_equal(hamming_histogram(a, backend=backend, threads=threads), one[1])


@every_backend
@given(dense=dense_matrices(min_rows=1), data=st.data())
def test_properties(backend, dense, data):
    n, num_sites = dense.shape
    distance = pairwise_hamming(dense, backend=backend, threads=1).astype(np.int64)
    assert np.array_equal(distance, distance.T)
    assert not distance.diagonal().any()
    assert (distance[:, None] <= distance[:, :, None] + distance[None]).all()  # triangle inequality
    rows = np.array(data.draw(st.permutations(range(n))))
    sites = np.array(data.draw(st.permutations(range(num_sites))), dtype=int)
    shuffled = np.ascontiguousarray(dense[rows][:, sites])
    assert np.array_equal(pairwise_hamming(shuffled, backend=backend), distance[np.ix_(rows, rows)])
    assert np.array_equal(hamming_histogram(shuffled, backend=backend), hamming_histogram(dense, backend=backend))


def test_a_large_matrix_is_refused():
    words = np.zeros((30_000, 1), np.uint64)
    with pytest.raises(ValueError, match=r"at most 2 GiB.*3\.4 GiB; nearest_neighbours and hamming_histogram"):
        pairwise_hamming((words, 64))


def test_different_sites_are_refused():
    a, b = random_dense((3, 64)), random_dense((3, 65))
    for function in (pairwise_hamming, hamming_histogram):
        with pytest.raises(ValueError, match="b: expected 64 sites, as in a, found 65"):
            function(a, b)

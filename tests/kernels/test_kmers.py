"""kmer_counts against the reference, on every backend; test_three_point.py has its property test."""

import numpy as np
import pytest

import hapforge as hf
from hapforge import _backend
from hapforge.kernels import allele_counts, available_backends, kmer_counts
from kernels.cases import NUM_ROWS, fills, random_dense
from reference import kmers as reference

BACKENDS = available_backends("kmers")
every_backend = pytest.mark.parametrize("backend", BACKENDS)


@every_backend
@pytest.mark.parametrize("k", range(1, 17))
def test_every_k(backend, k, assert_ran):
    for num_sites in (0, k - 1, k, 130):
        for name, dense in fills((37, num_sites)):
            found = kmer_counts(dense, k, backend=backend, threads=1)
            assert found.dtype == np.int64
            assert np.array_equal(found, reference.kmer_counts(dense, k)), (num_sites, name)
    assert_ran("kmer_counts", backend)


@every_backend
@pytest.mark.parametrize("k", [1, 3, 4, 8])
@pytest.mark.parametrize("n", NUM_ROWS)
def test_every_number_of_rows(backend, n, k):
    """Around the groups of 16 rows too."""
    for _, dense in fills((n, 67)):
        assert np.array_equal(kmer_counts(dense, k, backend=backend, threads=1), reference.kmer_counts(dense, k))


def quick(dense, k):
    """The reference's counts with fewer Python steps."""
    windows = dense.shape[1] // k
    motifs = dense[:, : windows * k].reshape(len(dense), windows, k) @ (1 << np.arange(k)[::-1])
    flat = (motifs + np.arange(windows) * 2**k).ravel()
    return np.bincount(flat, minlength=windows * 2**k).reshape(windows, 2**k)


@every_backend
@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 8, 9])
def test_several_tiles(backend, k):
    """Windows of more than one tile of 16 words, rows of more than one of 2032; on any number of threads."""
    dense = random_dense((4100, 2051), density=0.3)
    expected = quick(dense, k)
    for threads in (1, 2, 5):
        assert np.array_equal(kmer_counts(dense, k, backend=backend, threads=threads), expected)
    small = random_dense((20, 100))
    assert np.array_equal(quick(small, k), reference.kmer_counts(small, k))


@every_backend
def test_more_rows_than_a_histogram_takes(backend):
    """16-bit histograms are added up before 65,536 rows; a common motif would pass them."""
    dense = np.ones((66_000, 9), np.uint8)
    dense[::3, 0] = 0
    for k in (4, 8):
        assert np.array_equal(kmer_counts(dense, k, backend=backend), quick(dense, k))


@every_backend
@pytest.mark.parametrize("k", [1, 3, 4, 7, 8, 11])
def test_windows_start_anew_with_each_contig(backend, k):
    dense = random_dense((30, 150))
    sizes = {"a": 70, "b": 2, "c": 64, "d": 14}
    contig = np.repeat(list(sizes), list(sizes.values()))
    position = np.concatenate([np.arange(1, size + 1) for size in sizes.values()])
    m = hf.HaplotypeMatrix.from_dense(dense, positions=position, contig=contig)
    found = kmer_counts(m, k, backend=backend)
    assert len(found) == sum(size // k for size in sizes.values())
    assert np.array_equal(found, reference.kmer_counts(dense, k, contig))


def test_by_hand():
    dense = np.array([[0, 1, 1, 0, 1], [0, 1, 1, 1, 1], [1, 0, 0, 1, 1]], dtype=np.uint8)
    assert kmer_counts(dense, 2).tolist() == [[0, 2, 1, 0], [0, 1, 1, 1]]
    assert kmer_counts(dense, 3).tolist() == [[0, 0, 0, 2, 1, 0, 0, 0]]


def test_windows_of_one_site_are_allele_counts():
    dense = random_dense((300, 200))
    counts = allele_counts(dense)
    assert np.array_equal(kmer_counts(dense, 1), np.stack([300 - counts, counts], axis=1))


def test_bad_calls():
    dense = random_dense((5, 40))
    for k in (0, 17, -1):
        with pytest.raises(ValueError, match=f"k: expected 1 to 16, found {k}"):
            kmer_counts(dense, k)
    with pytest.raises(TypeError, match="k: expected a whole number, found float"):
        kmer_counts(dense, 4.0)
    with pytest.raises(ValueError, match=r"kmer_counts: expected at most 2 GiB.*choose a smaller k"):
        kmer_counts(np.zeros((1, 16 * 4097), np.uint8), 16)
    with pytest.raises(hf.errors.MissingBackendError):
        kmer_counts(dense, 4, backend="cuda")
    core, words = _backend.core, np.zeros((3, 1), np.uint64)
    for runs in ([(0, 11)], [(-1, 2)], [(38, 1)], [(41, 0)], [(0, -1)]):
        with pytest.raises(ValueError, match="runs: expected windows inside the rows"):
            core.kmer_counts(words, 40, 4, np.array(runs), "scalar", 1)
    with pytest.raises(ValueError, match="runs: expected two columns"):
        core.kmer_counts(words, 40, 4, np.zeros((1, 3), np.int64), "scalar", 1)
    with pytest.raises(ValueError, match="k: expected 1 to 16"):
        core.kmer_counts(words, 40, 0, np.zeros((1, 2), np.int64), "scalar", 1)

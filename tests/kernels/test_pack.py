"""pack, unpack, transpose and select_sites against the reference, on every backend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge import _backend
from kernels.cases import SHAPES, dense_matrices, fills, random_dense
from reference import pack as reference

core = _backend.core
BACKENDS = _backend.available_backends("pack")
every_backend = pytest.mark.parametrize("backend", BACKENDS)


@every_backend
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_all_functions_match_the_reference(backend, shape):
    for name, dense in fills(shape):
        words = core.pack(dense, 0, backend, 1)
        assert np.array_equal(words, reference.pack(dense)), name
        assert np.array_equal(core.unpack(words, shape[1], backend, 1), dense), name
        transposed = core.transpose(words, shape[1], backend, 1)
        assert np.array_equal(transposed, reference.pack(dense.T)), name


@every_backend
def test_results_are_the_same_on_any_number_of_threads(backend):
    dense = random_dense((700, 1100))
    words = core.pack(dense, 0, backend, 1)
    index = np.arange(1099, -1, -7)
    for threads in (2, 3, 16):
        assert np.array_equal(core.pack(dense, 0, backend, threads), words)
        assert np.array_equal(core.unpack(words, 1100, backend, threads), dense)
        assert np.array_equal(core.transpose(words, 1100, backend, threads), core.transpose(words, 1100, backend, 1))
        assert np.array_equal(core.select_sites(words, 1100, index, backend, threads), reference.pack(dense[:, index]))


@every_backend
@pytest.mark.parametrize("index", [[], [0], [129], [64, 63, 64, 0, 0], [*range(130)], [*range(1, 130, 2)]], ids=len)
def test_select_sites(backend, index):
    dense = random_dense((20, 130))
    index = np.array(index, dtype=np.int64)
    selected = core.select_sites(reference.pack(dense), 130, index, backend, 1)
    assert np.array_equal(selected, reference.pack(dense[:, index]))


@every_backend
@given(dense=dense_matrices(max_rows=5, max_sites=400), data=st.data())
def test_select_sites_by_a_mask(backend, dense, data):
    num_sites = dense.shape[1]
    density = data.draw(st.sampled_from([0.02, 0.5, 0.98, 1.0]))
    mask = np.random.default_rng(data.draw(st.integers(0, 1000))).random(num_sites) < density
    selected = core.select_sites(core.pack(dense, 0, backend, 1), num_sites, np.flatnonzero(mask), backend, 1)
    assert np.array_equal(selected, reference.pack(dense[:, mask]))


@every_backend
@pytest.mark.parametrize("column", [0, 7, 8, 63, 64, 127, 128, 129])
@pytest.mark.parametrize("value", [2, 3, 128, 254, 255])
def test_another_value_is_named_with_its_place(backend, column, value):
    dense = random_dense((40, 130))
    dense[33, column] = value
    dense[39, 5] = 9  # a later one: the first in row-major order is named
    with pytest.raises(ValueError, match=f"found {value} at row 33, column {column}$"):
        core.pack(dense, 0, backend, 2)


def test_pack_takes_any_strides_and_names_the_right_row(monkeypatch):
    monkeypatch.setattr(_backend, "_PACK_BLOCK_BYTES", 3 * 130)  # three rows a block
    dense = random_dense((10, 130))
    for layout in (np.asfortranarray(dense), np.repeat(dense, 2, axis=1)[:, ::2], dense[::-1][::-1], dense[:, ::-1]):
        assert np.array_equal(_backend.pack(layout), reference.pack(layout))
    dense[8, 100] = 7
    with pytest.raises(ValueError, match="found 7 at row 8, column 100"):
        _backend.pack(np.asfortranarray(dense))


@every_backend
@pytest.mark.parametrize("shape", [(513, 700), (1100, 520), (449, 511), (64, 1025)], ids=str)
def test_transpose_of_several_tiles(backend, shape):
    """Tiles are 512 x 512, and cut short in every way."""
    dense = random_dense(shape)
    assert np.array_equal(core.transpose(reference.pack(dense), shape[1], backend, 1), reference.pack(dense.T))


@every_backend
@pytest.mark.parametrize("ahead", range(8))
def test_transpose_of_rows_that_start_anywhere_in_a_cache_line(backend, ahead):
    """Where all rows do alike (words per row a multiple of 8), tiles begin with the lines."""
    dense = random_dense((70, 1000))
    memory = np.zeros(70 * 16 + 16, np.uint64)
    start = -(memory.ctypes.data // 8) % 8 + ahead
    words = memory[start : start + 70 * 16].reshape(70, 16)
    words[:] = reference.pack(dense)
    assert words.ctypes.data // 8 % 8 == ahead
    assert np.array_equal(core.transpose(words, 1000, backend, 2), reference.pack(dense.T))


@given(sizes=st.lists(st.sampled_from([0, 1, 5, 63, 64, 65, 100, 128, 200]), min_size=1, max_size=6))
def test_concat_sites(sizes):
    parts = [random_dense((19, size), seed) for seed, size in enumerate(sizes)]
    whole = reference.pack(np.concatenate(parts, axis=1))
    for threads in (1, 3):
        assert np.array_equal(core.concat_sites([reference.pack(part) for part in parts], sizes, threads), whole)
    read_only = reference.pack(parts[0])
    read_only.flags.writeable = False
    assert np.array_equal(core.concat_sites([read_only], sizes[:1], 1), read_only)


def test_concat_sites_refuses():
    a, b = np.zeros((3, 1), np.uint64), np.zeros((4, 1), np.uint64)
    with pytest.raises(ValueError, match="expected equal numbers of rows"):
        core.concat_sites([a, b], [1, 1], 1)
    for parts, sizes in (([], []), ([a], [1, 2])):
        with pytest.raises(ValueError, match="parts: expected at least one, and a number of sites for each"):
            core.concat_sites(parts, sizes, 1)
    with pytest.raises(ValueError, match="parts: expected 2 words per row for 65 sites, found 1"):
        core.concat_sites([a], [65], 1)
    with pytest.raises(TypeError):
        core.concat_sites([a.astype(np.int64)], [1], 1)


@every_backend
@given(dense=dense_matrices(max_rows=140, max_sites=140), data=st.data())
def test_round_trips(backend, dense, data):
    n, num_sites = dense.shape
    words = core.pack(dense, 0, backend, 1)
    assert np.array_equal(core.unpack(words, num_sites, backend, 1), dense)
    assert np.array_equal(core.transpose(core.transpose(words, num_sites, backend, 1), n, backend, 1), words)
    if num_sites:
        order = np.array(data.draw(st.permutations(range(num_sites))), dtype=np.int64)
        there = core.select_sites(words, num_sites, order, backend, 1)
        assert np.array_equal(core.select_sites(there, num_sites, np.argsort(order), backend, 1), words)


def test_bad_calls():
    words = np.zeros((3, 2), np.uint64)
    with pytest.raises(ValueError, match="expected 1 words per row for 64 sites, found 2"):
        core.unpack(words, 64, "scalar", 1)
    with pytest.raises(ValueError, match=r"expected 2 dimension\(s\), found 1"):
        core.unpack(words[0], 100, "scalar", 1)
    for index in ([-1], [100], [0, 100]):
        with pytest.raises(IndexError, match="out of range for 100 sites"):
            core.select_sites(words, 100, np.array(index), "scalar", 1)
    with pytest.raises(TypeError):  # never converted silently
        core.pack(np.zeros((2, 2), np.int64), 0, "scalar", 1)
    with pytest.raises(TypeError):
        core.unpack(np.asfortranarray(np.zeros((3, 2), np.uint64)), 100, "scalar", 1)
    with pytest.raises(ValueError, match="backend 'sse9' is not available here"):
        core.pack(np.zeros((2, 2), np.uint8), 0, "sse9", 1)
    misaligned = np.zeros(3 * 2 * 8 + 1, np.uint8)[1:].view(np.uint64).reshape(3, 2)
    with pytest.raises((ValueError, TypeError)):
        core.unpack(misaligned, 100, "scalar", 1)

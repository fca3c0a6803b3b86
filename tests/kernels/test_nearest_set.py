"""nearest_set against the reference, on every backend."""

import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from hapforge.kernels import NearestSet, available_backends, nearest_neighbours, nearest_set
from kernels.cases import NUM_SITES, mosaic_sets, mosaics, random_dense
from reference import nearest_set as reference

BACKENDS = available_backends("nearest_set")
every_backend = pytest.mark.parametrize("backend", BACKENDS)


def check(found, a, b, expected=None):
    assert isinstance(found, NearestSet)
    distance, sets = expected or reference.nearest_set(a, b)
    assert found.a_distance.dtype == found.b_distance.dtype == np.uint32
    assert found.a_sets.dtype == found.b_sets.dtype == np.uint8
    assert np.array_equal(np.concatenate([found.a_distance, found.b_distance]), distance)
    assert np.array_equal(np.concatenate([found.a_sets, found.b_sets]), sets)


@every_backend
@pytest.mark.parametrize("num_sites", NUM_SITES)
def test_numbers_of_sites(backend, num_sites, assert_ran):
    a, b = random_dense((9, num_sites)), random_dense((7, num_sites), 1)
    check(nearest_set(a, b, backend=backend, threads=1), a, b)
    assert_ran("nearest_set", backend)


@every_backend
@pytest.mark.parametrize("sizes", [(1, 1), (0, 2), (2, 0), (1, 70), (63, 65), (64, 64), (200, 131), (3, 400)])
@pytest.mark.parametrize("num_sites", [6, 90])
def test_numbers_of_rows(backend, sizes, num_sites):
    """Six sites: nearly every row has copies and ties."""
    a, b = (random_dense((n, num_sites), seed) for seed, n in enumerate(sizes))
    check(nearest_set(a, b, backend=backend), a, b)


@cache
def expected_of_mosaics(*arguments):
    return reference.nearest_set(*mosaic_sets(*arguments))


@every_backend
@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize(
    ("segments", "flips"),
    [(1, 0.0), (2, 0.002), (8, 0.001), (60, 0.02), (60, 0.5)],  # copies, close kin, mosaics, noise
)
@pytest.mark.parametrize("num_sites", [900, 3000])  # 3000: sketches are shorter than rows
def test_mosaics(backend, threads, segments, flips, num_sites):
    a, b = mosaic_sets(segments, flips, num_sites)
    expected = expected_of_mosaics(segments, flips, num_sites)
    check(nearest_set(a, b, backend=backend, threads=threads), a, b, expected)


@every_backend
def test_common_sites_in_one_group(backend):
    """All sites but a few at frequency 1/2 and far more differences than sketch bits: bounds are at their loosest."""
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 2, (120, 9000), dtype=np.uint8) for _ in range(2))
    b[::3] = a[::3] ^ (rng.random((40, 9000)) < 0.3)
    check(nearest_set(a, b, backend=backend), a, b)


@every_backend
@given(data=st.data(), num_sites=st.integers(0, 70), n=st.integers(0, 20), m=st.integers(2, 20))
def test_properties(backend, data, num_sites, n, m):
    dense = data.draw(npst.arrays(np.uint8, (n + m, num_sites), elements=st.integers(0, 1)))
    a, b = dense[:n], dense[n:]
    found = nearest_set(a, b, backend=backend, threads=data.draw(st.integers(1, 3)))
    check(found, a, b)
    swapped = nearest_set(b, a, backend=backend)
    assert np.array_equal(swapped.b_distance, found.a_distance)
    assert np.array_equal(np.array([0, 2, 1, 3])[swapped.b_sets], found.a_sets)


def test_agrees_with_four_searches_on_a_real_size():
    rng = np.random.default_rng(3)
    founders = (rng.random((300, 2000)) < rng.beta(0.3, 1.0, 2000)).astype(np.uint8)
    a = mosaics(founders, 1500, rng, segments=6, flips=0.0005)
    b = mosaics(founders, 1300, rng, segments=9, flips=0.0005)
    found = nearest_set(a, b)
    own, other = nearest_neighbours(a).distance[:, 0], nearest_neighbours(a, b).distance[:, 0]
    assert np.array_equal(found.a_distance, np.minimum(own, other))
    assert np.array_equal(found.a_sets, 1 * (own <= other) + 2 * (other <= own))
    assert {1, 2, 3} == set(found.a_sets.tolist())


def test_bad_calls():
    with pytest.raises(ValueError, match="a and b: expected two rows or more in all, found 1 and 0"):
        nearest_set(random_dense((1, 64)), random_dense((0, 64)))
    with pytest.raises(ValueError, match="b: expected 64 sites, as in a, found 63"):
        nearest_set(random_dense((2, 64)), random_dense((2, 63)))
    with pytest.raises(ValueError, match="a: expected only 0 and 1"):
        nearest_set(np.full((2, 4), 2, np.uint8), random_dense((2, 4)))


def test_rows_of_one_hash_are_told_apart():
    """Rows made to collide in the hash of csrc/kernels/sketch/kinds.cpp: words 0 and 4 share a chain."""
    rng = np.random.default_rng(1)
    words = np.zeros((60, 8), np.uint64)
    words[:, 0] = rng.integers(0, 2**64, 60, np.uint64)
    chained = (np.uint64(1) ^ words[:, 0]) * np.uint64(0x9E3779B97F4A7C15)
    words[:, 4] = chained ^ chained >> np.uint64(32) ^ np.uint64(12345)
    words[50:] = words[:10]  # and some that are identical
    dense = np.unpackbits(words.view(np.uint8), axis=1, bitorder="little")
    check(nearest_set((words[:30], 512), (words[30:], 512)), dense[:30], dense[30:])


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc to reset the peak")
@pytest.mark.skipif("asan" in os.environ.get("LD_PRELOAD", ""), reason="a sanitizer keeps freed memory")
@pytest.mark.parametrize("function", ["nearest_set(a, b)", "joint_nearest_neighbours(a, b)"])
def test_memory(function):
    """No n x n: beyond inputs and result, a sketch (here as long as a row), 80 bytes and 2 candidates per row."""
    script = f"""
import numpy as np
from hapforge.kernels import joint_nearest_neighbours, nearest_set

def kib(name):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(name))

rng = np.random.default_rng(0)
words = rng.integers(0, 2**64, (2, 20_000, 32), np.uint64) & rng.integers(0, 2**64, (2, 20_000, 32), np.uint64)
a, b = ((rows, 2048) for rows in words)
nearest_set((words[0][:100], 2048), b)
open("/proc/self/clear_refs", "w").write("5")
before = kib("VmRSS")
{function}
print(kib("VmHWM") - before)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    rows = 40_000
    promised = rows * (32 * 8 + 80 + 2 * 8 + 2 * 12)
    assert int(run.stdout) * 1024 < promised + (8 << 20)

"""The private unit draws of the RBM against the reference in Python integers, on every backend."""

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge import _backend
from hapforge.kernels import _bernoulli_units as draw_units
from reference import gibbs as reference
from reference import pack as pack_reference

BACKENDS = _backend.available_backends("bernoulli_units")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
U32, U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)

PHILOX_KNOWN = [  # kat_vectors of Random123
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "words"), PHILOX_KNOWN)
def test_philox_known_answers(counter, key, words):
    assert _backend.core.philox4x32(*counter, *key) == words
    assert reference.philox4x32(counter, key) == words


def fields(shape, seed=0, scale=60_000):
    return np.random.default_rng([seed, *shape]).normal(0, scale, shape).round().astype(np.int32)


@every_backend
@pytest.mark.parametrize("num_units", [0, 1, 2, 15, 16, 17, 31, 32, 33, 47, 63, 64, 65, 96, 130])
def test_all_widths_and_forms_match_the_reference(backend, num_units, assert_ran):
    field = fields((3, num_units))
    args = {"seed": 2**63 + 12345, "step": 7, "layer": 1, "first_chain": 40}
    expected = reference.bernoulli_units(field, 15, **args)
    for given_field in (field, field.astype(np.float32)):
        units = draw_units(given_field, 15, **args, backend=backend, threads=1)
        assert units.dtype == np.float32
        assert np.array_equal(units, expected)
        words = draw_units(given_field, 15, **args, packed=True, backend=backend, threads=1)
        assert words.dtype == np.uint64
        assert np.array_equal(words, pack_reference.pack(expected.astype(np.uint8)))
    assert_ran("bernoulli_units", backend)


EXTREMES = [0, 1, -1, 2, -2, 2**15, -(2**15), 2**20, -(2**20), 2**24, -(2**24), 2**30, -(2**30), 2**31 - 1, -(2**31)]


@every_backend
@pytest.mark.parametrize("k", [1, 2, 8, 15, 16, 20])
def test_extreme_fields(backend, k):
    field = np.array([EXTREMES * 3], dtype=np.int32)
    found = draw_units(field, k, seed=1, step=2, layer=3, backend=backend)
    assert np.array_equal(found, reference.bernoulli_units(field, k, 1, 2, 3))


@every_backend
@given(
    row=st.lists(st.integers(-(2**31), 2**31 - 1) | st.integers(-(2**18), 2**18), min_size=1, max_size=40),
    k=st.integers(1, 20),
    seed=U64,
    step=U32,
    layer=U32,
    chain=U32,
)
def test_any_arguments_match_the_reference(backend, row, k, seed, step, layer, chain):
    field = np.array([row], dtype=np.int32)
    found = draw_units(field, k, seed=seed, step=step, layer=layer, first_chain=chain, backend=backend, threads=1)
    assert np.array_equal(found, reference.bernoulli_units(field, k, seed, step, layer, chain))


def test_one_hash_over_backends_and_threads():
    field = fields((200, 1000))
    digests = set()
    for backend in BACKENDS:
        for threads in (1, 2, 5):
            words = draw_units(field, 15, seed=3, step=1, layer=0, packed=True, backend=backend, threads=threads)
            digests.add(hashlib.sha256(words.tobytes()).hexdigest())
    assert len(digests) == 1


def test_a_batch_in_parts_is_the_batch():
    field = fields((50, 70))
    whole = draw_units(field, 15, seed=3, step=1, layer=0)
    parts = [draw_units(field[i : i + 20], 15, seed=3, step=1, layer=0, first_chain=i) for i in (0, 20, 40)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_the_threshold_is_the_logistic_function_and_monotone():
    k = 15
    for x in range(-10 * 2**k, 10 * 2**k, 4099):
        e = reference.decay(abs(x), k) / reference.ONE
        probability = 1 / (1 + e) if x >= 0 else e / (1 + e)
        assert abs(probability - 1 / (1 + math.exp(-x * 2.0**-k))) < 3e-8  # 2.1e-8 measured
    decays = [reference.decay(y, k) for y in range(0, 2**19, 61)]
    assert decays == sorted(decays, reverse=True)


@every_backend
def test_frequencies(backend):
    """Two million draws a field; the mean is within five standard errors of the logistic function."""
    n = 2_000_000
    for x in (-3.0, -0.5, 0.0, 0.25, 2.0):
        field = np.full((n // 1000, 1000), round(x * 2**15), dtype=np.int32)
        mean = draw_units(field, 15, seed=9, step=4, layer=2, backend=backend).mean(dtype=np.float64)
        p = 1 / (1 + math.exp(-x))
        assert abs(mean - p) < 5 * math.sqrt(p * (1 - p) / n), x


def test_bad_calls():
    field = fields((2, 10))
    args = {"seed": 0, "step": 0, "layer": 0}
    for k in (0, 21):
        with pytest.raises(ValueError, match=f"fixed_point_bits: expected 1 to 20, found {k}"):
            draw_units(field, k, **args)
    for bad in (0.5, np.nan, np.inf, -np.inf, 2.0**31, -(2.0**31) * 1.5):
        for place in (0, 9, 33):
            values = np.zeros((1, 34), np.float32)
            values[0, place] = bad
            for backend in BACKENDS:
                with pytest.raises(ValueError, match="field: expected integers"):
                    draw_units(values, 15, **args, backend=backend)
    for other in (field.astype(np.float64), field.astype(np.int64), np.asfortranarray(fields((20, 20)))):
        with pytest.raises(TypeError):
            draw_units(other, 15, **args)
    with pytest.raises(ValueError, match="chains below"):
        draw_units(field, 15, **args, first_chain=2**32 - 1)
    for name in ("step", "layer"):
        with pytest.raises(TypeError):
            draw_units(field, 15, **{**args, name: 2**32})

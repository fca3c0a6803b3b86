"""find_bcf_records and pack_bcf_calls against the reference, the latter on every backend."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge import _backend
from reference import bcf_calls as reference

core = _backend.core
BACKENDS = _backend.available_backends("bcf_calls")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
# Around the word (32 persons) and several words.
NUM_PERSONS = (0, 1, 2, 3, 4, 15, 16, 17, 31, 32, 33, 63, 64, 65, 300)


def random_calls(num_rows, num_persons, seed=0, gap=3):
    """(bytes, start of every row): rows `gap` bytes apart, so that they start at odd bytes too; other bytes between."""
    rng = np.random.default_rng([seed, num_rows, num_persons])
    rows = rng.integers(0, 256, (num_rows, gap + 2 * num_persons), dtype=np.uint8)
    rows[:, gap::2] = rng.choice([2, 3, 4, 5], (num_rows, num_persons))
    rows[:, gap + 1 :: 2] = rng.choice([3, 5], (num_rows, num_persons))
    return rows.reshape(-1), np.arange(num_rows) * rows.shape[1] + gap


@every_backend
@pytest.mark.parametrize("num_persons", NUM_PERSONS)
def test_calls_match_the_reference(backend, num_persons):
    data, start = random_calls(7, num_persons)
    for order in (start, start[::-1].copy(), start[:0]):
        words, bad = core.pack_bcf_calls(data, order, num_persons, backend)
        expected, _ = reference.pack_calls(data, order, num_persons)
        assert bad is None
        assert np.array_equal(words, expected)


@every_backend
@pytest.mark.parametrize("person", [0, 31, 32, 40])
@pytest.mark.parametrize("byte", [0, 1])
def test_every_other_byte_is_refused_with_its_place(backend, person, byte):
    good = {2, 3, 4, 5} if byte == 0 else {3, 5}
    data, start = random_calls(3, 41)
    data[start[2]] = 0  # a later one: the first in row-major order is named
    for value in range(256):
        data[start[1] + 2 * person + byte] = value
        _, bad = core.pack_bcf_calls(data, start, 41, backend)
        assert bad == ((2, 0) if value in good else (1, person)), value
        assert bad == reference.pack_calls(data, start, 41)[1]


@every_backend
@given(
    num_persons=st.integers(0, 140), changes=st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 6)), max_size=2)
)
def test_calls_with_random_bytes_changed(backend, num_persons, changes):
    data, start = random_calls(3, num_persons, gap=1)
    for at, value in changes:
        data[at % len(data)] = value
    words, bad = core.pack_bcf_calls(data, start, num_persons, backend)
    expected, expected_bad = reference.pack_calls(data, start, num_persons)
    assert bad == expected_bad
    if bad is None:
        assert np.array_equal(words, expected)


def test_the_backend_that_was_forced_runs(assert_ran, monkeypatch):
    monkeypatch.setenv("HAPFORGE_BACKEND", "scalar")
    data, start = random_calls(2, 5)
    _backend.pack_bcf_calls(data, start, 5)
    assert_ran("pack_bcf_calls", "scalar")


def test_bad_arguments():
    data = np.full(20, 3, np.uint8)
    for start in ([-1], [15], [21], [0, 2**62], [-(2**63)]):
        with pytest.raises(IndexError, match="is out of range for calls of 3 persons in 20 bytes"):
            core.pack_bcf_calls(data, np.array(start), 3, "scalar")
    core.pack_bcf_calls(data, np.array([14]), 3, "scalar")
    with pytest.raises(IndexError, match="out of range"):
        core.pack_bcf_calls(data, np.array([0]), 2**63, "scalar")
    with pytest.raises(ValueError, match="backend 'sse9' is not available here"):
        core.pack_bcf_calls(data, np.array([0]), 3, "sse9")
    with pytest.raises(TypeError):
        core.pack_bcf_calls(data, np.array([0], np.int32), 3, "scalar")


@st.composite
def record_bytes(draw):
    """Records of random lengths one after another; at the end possibly a part of one or one of a wrong length."""
    lengths = draw(st.lists(st.tuples(st.integers(24, 60), st.integers(0, 40)), max_size=6))
    if draw(st.booleans()):
        lengths.append((draw(st.sampled_from([0, 23, 24, 2**32 - 1])), draw(st.sampled_from([0, 7, 2**32 - 1]))))
    data = b""
    for before, of_calls in lengths:
        data += np.array([before, of_calls], "<u4").tobytes() + b"\xff" * min(before + of_calls, 100)
    return data[: draw(st.integers(0, len(data)))] if draw(st.booleans()) else data


@given(data=record_bytes())
def test_records_match_the_reference(data):
    *places, size, damaged = core.find_bcf_records(np.frombuffer(data, np.uint8))
    found, expected_size, expected_damaged = reference.find_records(data)
    assert list(zip(*(place.tolist() for place in places), strict=True)) == found
    assert (size, damaged) == (expected_size, expected_damaged)


def test_records_by_hand():
    record = np.array([24, 3], "<u4").tobytes() + bytes(27)
    whole = np.frombuffer(record * 2, np.uint8)
    start, calls, stop, size, damaged = core.find_bcf_records(whole)
    assert (start.tolist(), calls.tolist(), stop.tolist(), size, damaged) == ([8, 43], [32, 67], [35, 70], 70, False)
    for cut in range(35, 70):
        assert core.find_bcf_records(whole[:cut])[3:] == (35, False)
    short = np.frombuffer(record + b"\x17" + record[1:], np.uint8)
    assert core.find_bcf_records(short)[3:] == (35, True)

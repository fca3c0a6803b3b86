"""first_damaged_pgen_record against the plain Python decoder, of whole records and changed ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from hapforge import _backend
from pgen_files import random_calls, write_pgen
from reference import pgen as reference

NUM_SITES = 60


def records_of(data: bytes) -> tuple[int, np.ndarray, np.ndarray]:
    """(where records start, types, lengths) of a file of fewer than 65,536 sites and a byte or more for each type."""
    form = data[11]
    assert form & 4
    assert form >> 6 != 3
    size = 1 + (form & 3)
    at = 20 + NUM_SITES
    lengths = [int.from_bytes(data[at + size * j : at + size * (j + 1)], "little") for j in range(NUM_SITES)]
    return len(data) - sum(lengths), np.frombuffer(data[20 : 20 + NUM_SITES], np.uint8), np.array(lengths, np.int64)


def first_damaged(data: bytes, num_alleles: list[int], num_persons: int) -> int | None:
    """By the plain Python decoder."""
    count = 0
    try:
        for _ in reference.every_record(data, num_alleles, num_persons):
            count += 1
    except (ValueError, KeyError, IndexError):
        return count
    return None


@pytest.mark.parametrize("num_persons", [1, 2, 4, 5, 8, 9, 37, 70, 130, 300])
def test_changed_records(tmp_path: Path, num_persons: int) -> None:
    rng = np.random.default_rng([8, num_persons])
    alleles, phased, num_alleles = random_calls(rng, NUM_SITES, num_persons)
    data = write_pgen(tmp_path, alleles, phased, num_alleles).read_bytes()
    start, kinds, lengths = records_of(data)
    num_alts = np.array(num_alleles) - 1

    def found(changed: bytes) -> int | None:
        before = np.zeros(num_persons, np.uint8)
        body = np.frombuffer(changed[start:], np.uint8)
        return _backend.first_damaged_pgen_record(body, lengths, kinds, num_alts, before)

    assert found(data) is None
    assert first_damaged(data, num_alleles, num_persons) is None
    seen = set()
    for _ in range(100):
        changed = bytearray(data)
        at = int(rng.integers(start, len(data)))
        new = rng.integers(0, 256, int(rng.integers(1, 4)), dtype=np.uint8).tobytes()
        if rng.random() < 0.5:
            new = bytes([changed[at] ^ 1 << int(rng.integers(0, 8))])
        changed[at : at + len(new)] = new[: len(data) - at]
        expected = first_damaged(bytes(changed), num_alleles, num_persons)
        assert found(bytes(changed)) == expected
        seen.add(expected is None)
    assert len(seen) == 2 or num_persons in (4, 8)


def test_pieces_follow_each_other(tmp_path: Path) -> None:
    """What the records before leave behind is all that the next need."""
    rng = np.random.default_rng(3)
    alleles, phased, num_alleles = random_calls(rng, NUM_SITES, 90)
    data = write_pgen(tmp_path, alleles, phased, num_alleles).read_bytes()
    start, kinds, lengths = records_of(data)
    assert set(kinds & 7) >= {0, 2}
    before = np.zeros(90, np.uint8)
    at = start
    for j in range(NUM_SITES):
        body = np.frombuffer(data[at : at + lengths[j]], np.uint8)
        part = slice(j, j + 1)
        num_alts = np.array(num_alleles[part]) - 1
        assert _backend.first_damaged_pgen_record(body, lengths[part], kinds[part], num_alts, before) is None
        at += int(lengths[j])


def test_bad_arguments() -> None:
    data, one = np.zeros(4, np.uint8), np.array([4])
    before, kind = np.zeros(16, np.uint8), np.zeros(1, np.uint8)
    check = _backend.core.first_damaged_pgen_record
    assert check(data, one, kind, one, before) == 1
    for arguments, message in (
        ((data, np.array([5]), kind, one, before), "lengths that add up"),
        ((data, np.array([3]), kind, one, before), "lengths that add up"),
        ((data, np.array([-1]), kind, one, before), "lengths that add up"),
        ((data, one, kind[:0], one, before), "a value for each length"),
        ((data, one, kind, -one, before), "expected none below 0"),
        ((data, one, kind, one, before + np.uint8(4)), "categories 0 to 3"),
    ):
        with pytest.raises(ValueError, match=message):
            check(*arguments)

"""A .pgen of hard calls, record by record in plain Python, as section 2 of the PLINK 2 file format draft has it.

Strict: a ValueError for whatever the draft does not allow, such as bits behind the last value of a packed array.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

MISSING = -1


class _Bytes:
    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if self.at + count > len(self.data):
            raise ValueError("a record ends early")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def varint(self) -> int:
        value = shift = 0
        while True:
            byte = self.integer(1)
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value
            if shift > 28:
                raise ValueError("a varint of more than 32 bits")

    def packed(self, count: int, bits: int) -> list[int]:
        value = self.integer(-(-count * bits // 8))
        if value >> (count * bits):
            raise ValueError("bits behind the last value")
        return [value >> (k * bits) & ((1 << bits) - 1) for k in range(count)]


def _difflist(stream: _Bytes, num_persons: int, with_values: bool) -> tuple[list[int], list[int]]:
    length = stream.varint()
    if length == 0:
        return [], []
    if length > num_persons:
        raise ValueError("a list longer than the cohort")
    groups = -(-length // 64)
    size = 1 if num_persons <= 1 << 8 else 2 if num_persons <= 1 << 16 else 3 if num_persons <= 1 << 24 else 4
    firsts = [stream.integer(size) for _ in range(groups)]
    sizes = [stream.integer(1) + 63 for _ in range(groups - 1)]
    values = stream.packed(length, 2) if with_values else []
    ids: list[int] = []
    for g, first in enumerate(firsts):
        start = stream.at
        here = [first]
        for _ in range(min(64, length - 64 * g) - 1):
            here.append(here[-1] + stream.varint())
        if g < groups - 1 and stream.at - start != sizes[g]:
            raise ValueError("a group of another size")
        ids += here
    if any(b <= a for a, b in itertools.pairwise(ids)) or ids[-1] >= num_persons:
        raise ValueError("persons out of order")
    return ids, values


def _main_track(stream: _Bytes, kind: int, n: int, before: list[int]) -> list[int]:
    if kind == 0:
        return stream.packed(n, 2)
    if kind == 1:
        pair = {1: (0, 1), 2: (0, 2), 3: (0, 3), 5: (1, 2), 6: (1, 3), 9: (2, 3)}[stream.integer(1)]
        result = [pair[bit] for bit in stream.packed(n, 1)]
    elif kind in (2, 3):
        result = list(before)
    else:
        result = [{4: 0, 6: 2, 7: 3}[kind]] * n
    for person, value in zip(*_difflist(stream, n, True), strict=True):
        result[person] = value
    if kind == 3:  # plink2 writes the differences before the inversion, which the draft leaves open
        result = [(2, 1, 0, 3)[category] for category in result]
    return result


def _patches(stream: _Bytes, form: int, persons: list[int], n: int) -> list[int]:
    """The persons whose calls have other alleles."""
    if form == 15:
        return []
    if form == 0:
        bits = stream.packed(len(persons), 1)
        return [person for person, bit in zip(persons, bits, strict=True) if bit]
    if form == 1:
        chosen, _ = _difflist(stream, n, False)
        if not set(chosen) <= set(persons):
            raise ValueError("a person of another category")
        return chosen
    raise ValueError(f"format {form}")


def _width(num_alts: int, limits: list[tuple[int, int]]) -> int:
    return next(bits for most, bits in limits if num_alts <= most)


Calls = tuple[list[tuple[int, int]], list[bool]]


def records(data: bytes, num_alleles: list[int], num_persons: int) -> list[Calls]:
    """All of `every_record`."""
    return list(every_record(data, num_alleles, num_persons))


def every_record(data: bytes, num_alleles: list[int], num_persons: int) -> Iterator[Calls]:
    """(alleles by person, whether the call is phased) of every record; homozygous calls are.

    Parameters
    ----------
    data : of a file of storage mode 02 or 10
    num_alleles : REF among them, of every site of the .pvar
    """
    head = _Bytes(data)
    if head.take(2) != b"\x6c\x1b":
        raise ValueError("magic")
    mode, m, n, form = head.integer(1), head.integer(4), head.integer(4), head.integer(1)
    if (m, n) != (len(num_alleles), num_persons) or mode not in (2, 16):
        raise ValueError("header")
    kinds, lengths, places = [0] * m, [-(-n // 4)] * m, []
    if mode == 2:
        if form & 0x3F:
            raise ValueError("form")
        if form >> 6 == 3:
            head.packed(m, 1)
    else:
        if form & 15 > 7:
            raise ValueError("form")
        places = [head.integer(8) for _ in range(-(-m // 65536))]
        kinds, lengths = [], []
        for k in range(len(places)):
            here = min(65536, m - 65536 * k)
            kinds += head.packed(here, 8 if form & 4 else 4)
            lengths += [head.integer(1 + (form & 3)) for _ in range(here)]
            if form >> 4 & 3:
                counts = [head.integer(form >> 4 & 3) for _ in range(here)]
                if counts != num_alleles[65536 * k : 65536 * k + here]:
                    raise ValueError("allele counts")
            if form >> 6 == 3:
                head.packed(here, 1)
    before: list[int] = [0] * n
    for j, (kind, length) in enumerate(zip(kinds, lengths, strict=True)):
        if j % 65536 == 0 and ((places and places[j // 65536] != head.at) or kind & 7 in (2, 3)):
            raise ValueError("a block's place or first record")
        stream = _Bytes(head.take(length))
        if kind & 0xE0 or kind & 7 == 5 or (kind & 8 and num_alleles[j] == 2):
            raise ValueError("record type")
        main = _main_track(stream, kind & 7, n, before)
        if kind & 7 not in (2, 3):
            before = main
        calls = [((0, 0), (0, 1), (1, 1), (MISSING, MISSING))[category] for category in main]
        if kind & 8:
            num_alts = num_alleles[j] - 1
            form1, form2 = (lambda byte: (byte & 15, byte >> 4))(stream.integer(1))
            ones = _patches(stream, form1, [i for i, c in enumerate(main) if c == 1], n)
            bits = _width(num_alts, [(2, 0), (3, 1), (5, 2), (17, 4), (257, 8), (65537, 16)])
            for person, value in zip(ones, stream.packed(len(ones), bits), strict=True):
                calls[person] = (0, value + 2)
            twos = _patches(stream, form2, [i for i, c in enumerate(main) if c == 2], n)
            if num_alts == 2:
                for person, bit in zip(twos, stream.packed(len(twos), 1), strict=True):
                    calls[person] = (2, 2) if bit else (1, 2)
            else:
                bits = _width(num_alts, [(4, 2), (16, 4), (256, 8), (65536, 16)])
                values = stream.packed(2 * len(twos), bits)
                for person, low, high in zip(twos, values[::2], values[1::2], strict=True):
                    if low > high or high == 0:
                        raise ValueError("alleles of a patch")
                    calls[person] = (low + 1, high + 1)
        if max(max(call) for call in calls) >= num_alleles[j]:
            raise ValueError("an allele that is not there")
        phased = [a == b for a, b in calls]
        if kind & 16:
            hets = [i for i, (a, b) in enumerate(calls) if a != b]
            if not hets:
                raise ValueError("phase of no heterozygous call")
            first = stream.data[stream.at] & 1 if stream.at < len(stream.data) else 0
            if first:
                bits_ = stream.packed(1 + len(hets), 1)[1:]
                chosen = [i for i, bit in zip(hets, bits_, strict=True) if bit]
                swapped = stream.packed(len(chosen), 1)
            else:
                chosen = hets
                swapped = stream.packed(1 + len(hets), 1)[1:]
            for person, swap in zip(chosen, swapped, strict=True):
                phased[person] = True
                if swap:
                    calls[person] = calls[person][::-1]
        if stream.at != length:
            raise ValueError("bytes behind a record")
        yield calls, phased
    if head.at != len(data):
        raise ValueError("bytes behind the last record")

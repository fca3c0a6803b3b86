"""Indexes beside block-gzipped files (.tbi, .csi): from where on a region has to be read.

An index only proposes places. Which one is taken, the file itself says: a record is read at the places tried (as in a
search by halves), and reading starts at one that lies before the region, at which a record of the expected contig
stands; it ends at the first record behind the region. So nothing of a sorted file is left out, whatever the index says;
that the file is sorted outside the part that is read is what the index was made on, and is not gone through again.

An index is not used (`Unfit`) if it is older than the file, cut or damaged, names places outside the file or contigs
whose places overlap, does not reach to the last record, or proposes a place where no record of that contig starts. Of
a contig that it does not name it proposes nothing; whether there is one, the whole file says.

References
----------
The Tabix index file format; CSIv1; SAM/BAM specification, section 5, "Indexing BAM". Counters behind the last bin
(two numbers on) and linear offsets are passed over.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hapforge.errors import FormatError
from hapforge.io import bgzf
from hapforge.io.selection import Region

__all__ = ["Index", "Unfit", "candidates", "place_before", "read_index"]

_LARGEST = 1 << 28  # bytes of an index, uncompressed
_VCF = (2, 1, 2, 0, ord("#"))  # format, columns of contig, start and end, first byte of lines that are no records
_DEEPEST = 10  # levels of bins, with which 2^14-base bins reach over 2^44 bases

RecordAt = Callable[[Iterator[bytes]], tuple[str | int, int] | None]


class Unfit(Exception):
    """Why an index is not used."""


@dataclass(frozen=True)
class Index:
    """Places at which records start, by contig: names, or numbers in the header of a BCF.

    Attributes
    ----------
    places : contig -> virtual offsets (byte of a block << 16 | byte in it), ascending, each once
    end : int, the virtual offset behind the last record
    """

    places: dict[str | int, list[int]]
    end: int


class _Bytes:
    """Numbers and texts of an index, from its start to its end."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            raise Unfit("it is cut or damaged")
        self.at += count
        return self.data[self.at - count : self.at]

    def numbers(self, form: str) -> tuple[int, ...]:
        return struct.unpack(form, self.take(struct.calcsize(form)))


def read_index(path: str | os.PathLike[str], file_size: int) -> Index:
    """The places that a .tbi or .csi names.

    Parameters
    ----------
    file_size : bytes of the file that it belongs to

    Raises
    ------
    Unfit
        It is cut, damaged, of another kind of file, or does not fit the size.
    """
    data = bytearray()
    try:
        with contextlib.closing(bgzf.read_chunks(path)) as chunks:
            for chunk in chunks:
                data += chunk
                if len(data) > _LARGEST:
                    raise Unfit(f"it holds more than {_LARGEST >> 20} MiB")
    except FormatError:
        raise Unfit("it is cut or damaged") from None
    content = _Bytes(bytes(data))
    magic = content.take(4)
    names: list[str] | None
    if magic == b"TBI\1":
        (num_contigs,) = content.numbers("<i")
        names, depth = _names(content), 5
    elif magic == b"CSI\1":
        _, depth, num_bytes = content.numbers("<iii")
        if not 0 <= depth <= _DEEPEST:
            raise Unfit(f"it has bins of {depth} levels")
        aux = _Bytes(content.take(num_bytes))
        names = _names(aux) if num_bytes else None
        (num_contigs,) = content.numbers("<i")
    else:
        raise Unfit(f"it starts with {magic!r}")
    if num_contigs < 0 or (names is not None and len(names) != num_contigs):
        raise Unfit("it does not name its contigs")
    places: dict[str | int, list[int]] = {}
    spans = []
    for number in range(num_contigs):
        starts, stop = _places(content, depth, linear=magic == b"TBI\1")
        if starts:
            contig = number if names is None else names[number]
            places[contig] = starts
            spans.append((starts[0], stop))
    if len(content.data) - content.at not in (0, 8):  # the number of records without a place
        raise Unfit("it is cut or damaged")
    if not places:
        raise Unfit("it names no records")
    spans.sort()
    if any(stop > start for (_, stop), (start, _) in itertools.pairwise(spans)):
        raise Unfit("the places of its contigs overlap")
    end = max(stop for _, stop in spans)
    if end >> 16 > file_size - len(bgzf.EOF_BLOCK):
        raise Unfit("it names places behind the end of the file")
    return Index(places, end)


def _names(content: _Bytes) -> list[str]:
    """Contigs, of the header of a tabix index."""
    *form, _, num_bytes = content.numbers("<7i")
    if tuple(form) != _VCF:
        raise Unfit("it is not of a VCF")
    *names, behind = content.take(num_bytes).split(b"\0")
    try:
        texts = [name.decode() for name in names]
    except UnicodeDecodeError:
        raise Unfit("it is cut or damaged") from None
    if behind or len(set(texts)) < len(texts) or "" in texts:
        raise Unfit("it does not name each contig once")
    return texts


def _places(content: _Bytes, depth: int, *, linear: bool) -> tuple[list[int], int]:
    """(where records of the next contig start, ascending; where the last of them end)."""
    last_bin = ((1 << 3 * (depth + 1)) - 1) // 7 - 1
    form, size = ("<Ii", 8) if linear else ("<IQi", 16)
    (num_bins,) = content.numbers("<i")
    if not 0 <= num_bins <= (len(content.data) - content.at) // size:
        raise Unfit("it is cut or damaged")
    seen: set[int] = set()
    parts = []
    for _ in range(num_bins):
        number, *_, num_chunks = content.numbers(form)
        ends = np.frombuffer(content.take(16 * num_chunks), "<u8").reshape(-1, 2)
        if number in seen or number > last_bin + 2:
            raise Unfit("it is cut or damaged")
        seen.add(number)
        if number <= last_bin:
            parts.append(ends)
    if linear:
        (num_windows,) = content.numbers("<i")
        content.take(8 * num_windows)
    if not parts:
        return [], 0
    chunks = np.concatenate(parts)
    if not len(chunks):
        return [], 0
    if (chunks[:, 0] > chunks[:, 1]).any() or (chunks >> np.uint64(63)).any():
        raise Unfit("it names places that end before they start")
    return np.unique(chunks[:, 0]).tolist(), int(chunks[:, 1].max())


def place_before(
    path: str | os.PathLike[str], index: str | os.PathLike[str], region: Region, contig: str | int, record_at: RecordAt
) -> int | None:
    """A virtual offset at which a record stands that lies before all of a region.

    0 where that is the start of the file, None where the index does not name the contig.

    Parameters
    ----------
    path : of a block-gzipped file, sorted
    index : its .tbi or .csi
    contig : that of the region, as the index has it
    record_at : of the bytes from a place on: contig and position of the record there; None where there is none

    Raises
    ------
    Unfit
        The index is not used (see the module).
    """
    status, mine = os.stat(path), os.stat(index)
    if mine.st_mtime_ns < status.st_mtime_ns:
        raise Unfit("it is older than the file")
    found = read_index(index, status.st_size)
    if contig not in found.places:
        return None
    with open(path, "rb") as handle:

        def position_at(place: int, expected: str | int) -> int:
            try:
                record = record_at(bgzf.read_from(path, handle, place))
            except FormatError:
                record = None
            if record is None or record[0] != expected:
                raise Unfit(f"no record of contig {expected!r} starts at byte {place >> 16}, as it says")
            return record[1]

        try:
            behind = any(bgzf.read_from(path, handle, found.end))
        except FormatError:
            behind = True
        if behind:
            raise Unfit("it does not end with the last record")
        places = found.places[contig]
        tried: dict[int, int] = {}
        first, stop = 0, len(places)  # those before `first` lie before the region, those from `stop` on do not
        while first < stop:
            middle = (first + stop) // 2
            tried[middle] = position_at(places[middle], contig)
            first, stop = (middle + 1, stop) if tried[middle] < region.start else (first, middle)
        positions = [tried[k] for k in sorted(tried)]
        if positions != sorted(positions):
            raise Unfit("positions decrease from place to place")
        if first:
            return places[first - 1]
        before = [(starts[0], name) for name, starts in found.places.items() if starts[0] < places[0]]
        if not before:
            return 0
        neighbour = max(before)[1]
        place = max(start for start in found.places[neighbour] if start < places[0])
        position_at(place, neighbour)
        return place


def candidates(path: str | os.PathLike[str]) -> list[Path]:
    """The indexes beside a file."""
    return [place for ending in (".csi", ".tbi") if (place := Path(f"{os.fspath(path)}{ending}")).is_file()]

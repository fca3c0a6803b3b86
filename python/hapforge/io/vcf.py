"""VCF, VCF.gz and BCF: strict streamed reading, and writing with an index.

Read are biallelic records whose calls are all phased and diploid (``0|0``, ``0|1``, ``1|0``, ``1|1``). Anything else is
refused with one line that names file, site, what was expected and what was found: nothing is guessed, and no record
is passed over. ``0/0`` is refused too: a slash says that the file was not phased.

Text and BCF are taken apart here and not by htslib, which hands the calls of a line with a missing column to the next
persons and reads a cut file without an error. Memory is that of the packed result twice, and a few MiB.

A cut in plain text is seen unless it falls right behind a line; in BGZF and gzip it is always seen. Line ends are LF.

Sites whose alleles are not known (``.`` in `Sites`) are written as ``N`` and ``<ALT>``, declared in the header, and
that pair is read back as ``.``. Positions that are only a count are declared by ``##hapforge_positions=unknown``.

References
----------
The Variant Call Format Specification, VCFv4.5 and BCFv2.2.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.alignment import alphabet_of
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples, Sites, words_per_row
from hapforge.io import bgzf
from hapforge.io.atomic import atomic_file, atomic_files
from hapforge.io.selection import Region, frequent, no_site, rows_of

Advance = Callable[[int], object]
_STR = np.dtypes.StringDType()

_COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
_UNKNOWN = ("N", "<ALT>")
_BASES = re.compile("[A-Za-z]+")
_PHASED = "phased diploid calls (0|0, 0|1, 1|0, 1|1); phase the file first, for example with SHAPEIT or Beagle"
_CALLS = "diploid calls without missing alleles (0|0, 0|1, 1|0, 1|1)"
_TRANSPOSED = 1024  # sites that are turned to haplotype-major words at once
_CHUNKS = 2  # pieces of a file that are taken in at once
_WRITTEN = 1024  # sites that are written at once


@dataclass
class _Block:
    """Records of a file that follow each other; `words` are site-major, one bit a haplotype."""

    contig: list[str] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    ref: list[str] = field(default_factory=list)
    alt: list[str] = field(default_factory=list)
    words: NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, 0), np.uint64))

    def columns(self) -> tuple[list[str], list[int], list[str], list[str], list[str]]:
        """What there is of every record but its calls."""
        return self.contig, self.position, self.id, self.ref, self.alt

    def select(self, kept: Sequence[int]) -> _Block:
        """The records at `kept`, without calls."""
        return _Block(*([column[j] for j in kept] for column in self.columns()))  # type: ignore[arg-type]


class _Order:
    """Positions must not decrease, a contig is one block, (position, ref, alt) is there once: over all records."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = path
        self.contig = ""
        self.position = 0
        self.finished: set[str] = set()
        self.here: set[tuple[str, str]] = set()

    def __str__(self) -> str:
        return f"after site {self.contig}:{self.position}" if self.contig else "after the header"

    def add(self, block: _Block) -> None:
        """The next records."""
        if not block.position:
            return
        position = np.array(block.position, np.int64)
        if (
            position[0] > self.position
            and self.contig == block.contig[0]
            and block.contig.count(self.contig) == len(position)
            and (np.diff(position) > 0).all()
        ):
            self.position = int(position[-1])
            self.here = {(block.ref[-1], block.alt[-1])}
            return
        for record in zip(block.contig, block.position, block.ref, block.alt, strict=True):
            self._add(*record)

    def _add(self, contig: str, position: int, ref: str, alt: str) -> None:
        where = f"site {contig}:{position}"
        if contig != self.contig:
            self.finished.add(self.contig)
            if contig in self.finished:
                raise FormatError(
                    self.path, f"the sites of contig {contig} in one block", f"more behind {self.contig}", where
                )
            self.here.clear()
        elif position < self.position:
            raise FormatError(self.path, "positions that don't decrease", f"{position} after {self.position}", where)
        elif position > self.position:
            self.here.clear()
        if (ref, alt) in self.here and (ref, alt) != _UNKNOWN:
            raise FormatError(self.path, "each (position, REF, ALT) once", f"{ref[:20]}>{alt[:20]} again", where)
        if position < 1:
            raise FormatError(self.path, "a position of 1 or more", f"{position}", where)
        self.here.add((ref, alt))
        self.contig, self.position = contig, position


def _check_alleles(path: str | os.PathLike[str], block: _Block) -> None:
    bases = "".join(block.ref + block.alt)
    if bases.isalpha() and bases.isascii() and all(block.ref) and all(block.alt):
        return
    for j, (ref, alt) in enumerate(zip(block.ref, block.alt, strict=True)):
        if (_BASES.fullmatch(ref) and _BASES.fullmatch(alt)) or (ref, alt) == _UNKNOWN:
            continue
        where = f"site {block.contig[j]}:{block.position[j]}"
        if "," in alt:
            found = f"{alt[:40]} (multi-allelic)"
            raise FormatError(path, "one ALT allele; bcftools norm -m- splits a record", found, where)
        if not _BASES.fullmatch(ref):
            raise FormatError(path, "REF of bases", repr(ref[:40]), where)
        kind = "missing" if alt in (".", "") else "symbolic"
        raise FormatError(path, "an ALT allele of bases", f"{alt[:40]!r} ({kind})", where)


class _Cohort:
    """Takes the blocks of a file, keeps what was asked for, and turns it haplotype-major a piece at a time."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: list[str],
        region: Region | None,
        samples: Sequence[str] | None,
        maf: float | None,
        position_known: bool,
    ) -> None:
        self.path, self.region, self.maf, self.position_known = path, region, maf, position_known
        self.num_calls = 2 * len(names)
        sample_id = np.repeat(np.array(names, dtype=_STR), 2)
        self.columns = None if samples is None else rows_of(path, sample_id, samples)
        self.sample_id = sample_id if self.columns is None else sample_id[self.columns]
        self.records = _Block()
        self.waiting: list[NDArray[np.uint64]] = []
        self.num_waiting = 0
        self.pieces: list[NDArray[np.uint64]] = []

    def add(self, block: _Block) -> None:
        words = block.words
        if self.columns is not None:
            words = _backend.select_sites(words, self.num_calls, self.columns)
        if self.maf:
            counts = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
            kept = frequent(counts, len(self.sample_id), self.maf)
            if not kept.all():
                words, block = words[kept], block.select(np.flatnonzero(kept).tolist())
        for mine, new in zip(self.records.columns(), block.columns(), strict=True):
            cast(list[object], mine).extend(cast(list[object], new))
        self.waiting.append(words)
        self.num_waiting += len(words)
        if self.num_waiting >= _TRANSPOSED:
            self._turn(self.num_waiting - self.num_waiting % 64)

    def _turn(self, count: int) -> None:
        words = np.concatenate(self.waiting) if len(self.waiting) != 1 else self.waiting[0]
        self.pieces.append(_backend.transpose(np.ascontiguousarray(words[:count]), len(self.sample_id)))
        self.waiting, self.num_waiting = [words[count:]], len(words) - count

    def matrix(self) -> HaplotypeMatrix:
        """All that was taken."""
        records = self.records
        if not records.position:
            raise no_site(self.path, self.region, self.maf)
        self._turn(self.num_waiting)
        words = np.empty((len(self.sample_id), words_per_row(len(records.position))), np.uint64)
        at = words.shape[1]
        while self.pieces:  # from the last on, so that the memory of a piece is free once it is copied
            piece = self.pieces.pop()
            words[:, at - piece.shape[1] : at] = piece
            at -= piece.shape[1]
        contig, name, ref, alt = (
            np.array(column, dtype=_STR) for column in (records.contig, records.id, records.ref, records.alt)
        )
        unknown = (ref == _UNKNOWN[0]) & (alt == _UNKNOWN[1])
        ref[unknown] = alt[unknown] = UNKNOWN_ALLELE
        sites = Sites(
            np.array(records.position, np.int64),
            contig=contig,
            id=name,
            ref=ref,
            alt=alt,
            position_known=self.position_known,
        )
        return HaplotypeMatrix(words, sites, Samples(len(words), sample_id=self.sample_id), _checked=True)


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a VCF or BCF file, compressed or not.

    Parameters
    ----------
    region : sites to take; the whole file is gone through (and its order checked), an index is not used
    samples : sample ids to take, in the order of the file
    maf : drop sites whose minor allele frequency among the haplotypes taken is below
    progress : called with numbers of bytes taken in; they add up to the file's size

    Raises
    ------
    FormatError
        A file that is cut, damaged or not VCF; a record or call of another kind than the module's docstring names;
        nothing left to take.
    """
    # Closed here, also after an error: its threads must not be left to the garbage collector, which may run anywhere.
    with contextlib.closing(bgzf.read_chunks(path, progress)) as chunks:
        first = next(chunks, b"")
        stream = _Stream(path, first, chunks)
        if first.startswith(b"BCF"):
            names, contigs, gt_key, known = _bcf_header(path, stream)
            cohort = _Cohort(path, names, region, samples, maf, known)
            blocks = _bcf_blocks(path, stream, names, contigs, gt_key, region)
        else:
            names, known = _text_header(path, stream)
            cohort = _Cohort(path, names, region, samples, maf, known)
            blocks = _text_blocks(path, stream, names, region)
        for block in blocks:
            cohort.add(block)
    return cohort.matrix()


class _Stream:
    """Bytes that were not used yet, and where more come from."""

    def __init__(self, path: str | os.PathLike[str], data: bytes, chunks: Iterator[bytes]) -> None:
        self.path, self.data, self.chunks = path, data, chunks

    def more(self) -> bool:
        """Take in the next chunks; False at the end."""
        chunks = list(itertools.islice(self.chunks, _CHUNKS))
        self.data = b"".join([self.data, *chunks])
        return bool(chunks)

    def take(self, count: int, what: str) -> bytes:
        """The next `count` bytes, which are `what`."""
        while len(self.data) < count:
            if not self.more():
                raise FormatError(self.path, f"{count} bytes of {what}", f"{len(self.data)}: the file is cut")
        head, self.data = self.data[:count], self.data[count:]
        return head

    def line(self, what: str) -> bytes:
        """The next line, which is `what`, without its end."""
        while (end := self.data.find(b"\n")) < 0:
            if len(self.data) > 1 << 28 or not self.more():
                raise FormatError(self.path, f"{what} that ends in a line feed", "none: the file is cut or not VCF")
        head, self.data = self.data[:end], self.data[end + 1 :]
        return head


# ---------------------------------------------------------------------------------------------------------- headers


def _text_header(path: str | os.PathLike[str], stream: _Stream) -> tuple[list[str], bool]:
    """(sample names, whether positions are known)."""
    line = stream.line("a first line")
    known, number = True, 1
    if not line.startswith(b"##fileformat=VCFv4"):
        raise FormatError(path, "##fileformat=VCFv4.x", repr(line[:40].decode(errors="replace")), "line 1")
    while line.startswith(b"##"):
        if line.endswith(b"\r"):
            raise FormatError(path, "lines that end in LF", "CR LF", f"line {number}")
        known = known and line != b"##hapforge_positions=unknown"
        line = stream.line("a header")
        number += 1
    return _names(path, line, number), known


def _names(path: str | os.PathLike[str], line: bytes, number: int) -> list[str]:
    """The samples of the line of column names."""
    where = f"line {number}"
    columns = line.split(b"\t")
    wanted = _COLUMNS.split(b"\t")
    if columns[: len(wanted)] != wanted[: len(columns)] or len(columns) < 8:
        found = repr(line[:60].decode(errors="replace"))
        raise FormatError(path, "the column names #CHROM to FORMAT, separated by tabs", found, where)
    if len(columns) < 10:
        raise FormatError(path, "at least one sample", "none", where)
    if columns[-1].endswith(b"\r"):
        raise FormatError(path, "lines that end in LF", "CR LF", where)
    try:
        names = b"\t".join(columns[9:]).decode().split("\t")
    except UnicodeDecodeError:
        raise FormatError(path, "UTF-8 sample names", "other bytes", where) from None
    seen: set[str] = set()
    for i, name in enumerate(names):
        if not name or name in seen:
            found = f"{name!r} twice" if name else f"an empty one in column {i + 10}"
            raise FormatError(path, "each sample name once", found, where)
        seen.add(name)
    return names


def _bcf_header(path: str | os.PathLike[str], stream: _Stream) -> tuple[list[str], dict[int, str], int, bool]:
    """(sample names, contigs by number, number of the key GT, whether positions are known)."""
    magic = stream.take(9, "a BCF header")
    if magic[:4] != b"BCF\x02" or magic[4] not in (1, 2):
        raise FormatError(path, "BCF version 2.1 or 2.2", repr(magic[:5]), "byte 0")
    text = stream.take(int.from_bytes(magic[5:9], "little"), "header text").rstrip(b"\0")
    lines = text.split(b"\n")
    if lines[-1]:
        raise FormatError(path, "header text that ends in a line feed", "none", "header")
    lines.pop()
    if not lines or not lines[0].startswith(b"##fileformat=VCFv4"):
        raise FormatError(path, "##fileformat=VCFv4.x", "other header text", "header")
    contigs: dict[int, str] = {}
    keys: dict[str, int] = {"PASS": 0}
    known = True
    for line in lines[:-1]:
        known = known and line != b"##hapforge_positions=unknown"
        if (found := re.match(rb"##(contig|FILTER|INFO|FORMAT)=<(?:.*?,)?ID=([^,>]+)", line)) is None:
            continue
        name = found[2].decode(errors="replace")
        number = re.search(rb",IDX=(\d+)>\s*$", line)
        if found[1] == b"contig":
            contigs[int(number[1]) if number else len(contigs)] = name
        elif name not in keys:
            keys[name] = int(number[1]) if number else max(keys.values()) + 1
    names = _names(path, lines[-1], len(lines))
    if "GT" not in keys:
        raise FormatError(path, "genotypes (FORMAT GT)", "none declared", "header")
    return names, contigs, keys["GT"], known


# ------------------------------------------------------------------------------------------------------------- text


def _in_region(block: _Block, region: Region | None) -> Sequence[int]:
    if region is None:
        return range(len(block.position))
    return [
        j
        for j, (contig, position) in enumerate(zip(block.contig, block.position, strict=True))
        if contig == region.contig and region.start <= position <= region.end
    ]


def _text_blocks(
    path: str | os.PathLike[str], stream: _Stream, names: list[str], region: Region | None
) -> Iterator[_Block]:
    order = _Order(path)
    while True:
        head, feed, stream.data = stream.data.rpartition(b"\n")
        if feed:
            yield _text_block(path, head.split(b"\n"), names, region, order)
        if not stream.more():
            break
    if stream.data:
        raise FormatError(path, "a last line that ends in a line feed", "none: the file is cut", str(order))


def _text_block(
    path: str | os.PathLike[str], lines: list[bytes], names: list[str], region: Region | None, order: _Order
) -> _Block:
    n = len(names)
    block = _Block()
    calls: list[tuple[bytes, bytes]] = []
    try:
        for line in lines:
            contig, position, name, ref, alt, _, _, _, keys, tail = line.split(b"\t", 9)
            if not position.isdigit() or len(position) > 10:  # int() also takes "1_0" and "+1"
                raise ValueError(position)
            block.contig.append(contig.decode())
            block.position.append(int(position))
            block.id.append(name.decode())
            block.ref.append(ref.decode())
            block.alt.append(alt.decode())
            calls.append((keys, tail))
    except ValueError as error:
        order.add(block.select(range(len(calls))))
        fields = line.split(b"\t")
        if isinstance(error, UnicodeDecodeError):
            raise FormatError(path, "UTF-8 text", "other bytes", str(order)) from None
        if len(fields) < 10:
            raise FormatError(path, f"{9 + n} columns, as the header has", f"{len(fields)}", str(order)) from None
        raise FormatError(path, "a position", repr(fields[1][:20].decode(errors="replace")), str(order)) from None
    order.add(block)
    kept = _in_region(block, region)
    if len(kept) < len(calls):
        block, calls = block.select(kept), [calls[j] for j in kept]
    _check_alleles(path, block)
    width = 4 * n - 1
    tails = []
    for j, (keys, tail) in enumerate(calls):
        if len(tail) != width or keys != b"GT":
            tail = _calls_of_line(path, f"site {block.contig[j]}:{block.position[j]}", keys, tail, names)
        tails.append(tail)
    tails.append(b"")
    block.words = _text_words(path, block, np.frombuffer(b"\t".join(tails), np.uint8).reshape(-1, 4 * n), names)
    return block


def _calls_of_line(path: str | os.PathLike[str], where: str, keys: bytes, tail: bytes, names: list[str]) -> bytes:
    """The three bytes of GT of every sample, tabs between, from columns with other keys behind GT."""
    n = len(names)
    data = np.frombuffer(tail, np.uint8)
    tabs = np.flatnonzero(data == 9)
    if len(tabs) != n - 1:
        raise FormatError(path, f"{9 + n} columns, as the header has", f"{10 + len(tabs)}", where)
    if keys.split(b":")[0] != b"GT":
        raise FormatError(path, "genotypes (FORMAT starts with GT)", repr(keys[:40].decode(errors="replace")), where)
    starts = np.concatenate([[0], tabs + 1])
    stops = np.concatenate([tabs, [len(data)]])
    padded = np.concatenate([data, np.full(4, 58, np.uint8)])
    result = np.full((n, 4), 9, np.uint8)
    for k in range(3):
        result[:, k] = padded[starts + k]
    behind = np.where(starts + 3 < stops, padded[starts + 3], 58)
    bad = np.flatnonzero((stops - starts < 3) | (behind != 58))
    if len(bad):
        call = bytes(data[starts[bad[0]] : stops[bad[0]]]).split(b":")[0]
        raise _bad_call(path, where, names[bad[0]], call.decode(errors="replace"))
    return result.tobytes()[:-1]


def _bad_call(path: str | os.PathLike[str], where: str, name: str, call: str) -> FormatError:
    call = call.split(":")[0][:20]
    alleles = re.split(r"[|/]", call)
    kind = ""
    expected = _CALLS
    if len(alleles) == 1:
        kind = " (haploid)" if call.isdigit() else " (missing)"
    elif len(alleles) > 2:
        kind = " (more than two alleles)"
    elif "." in alleles:
        kind = " (missing)" if set(alleles) == {"."} else " (half missing)"
    elif "/" in call:
        kind, expected = " (not phased)", _PHASED
    elif all(a.isdigit() for a in alleles):
        kind = " (there is one ALT allele)"
    return FormatError(path, expected, f"{call!r}{kind} for sample {name!r}", where)


_TEXT_CALL = np.frombuffer(b"0|0\t", "<u4")[0]


def _text_words(
    path: str | os.PathLike[str], block: _Block, calls: NDArray[np.uint8], names: list[str]
) -> NDArray[np.uint64]:
    """Site-major words of calls that are four bytes each: allele, bar, allele, tab."""
    lanes = calls.view("<u4") ^ _TEXT_CALL
    good = np.uint32(0x00010001)
    if np.bitwise_or.reduce(lanes, axis=None) & ~good:
        j, i = (int(k[0]) for k in np.nonzero(lanes & ~good))
        where = f"site {block.contig[j]}:{block.position[j]}"
        line = calls[j].tobytes()
        if line.count(b"\t") != len(names):  # as many bytes, but other columns
            raise FormatError(path, f"{9 + len(names)} columns, as the header has", f"{9 + line.count(9)}", where)
        call = line.split(b"\t")[i].decode(errors="replace")
        raise _bad_call(path, where, names[i], call)
    return _packed(lanes.view(np.uint16).astype(np.uint8))


def _packed(nonzero: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Site-major words: bit i of row j is set where nonzero[j, i] is not 0."""
    num_sites, num_calls = nonzero.shape
    rows = np.zeros((num_sites, 8 * words_per_row(num_calls)), np.uint8)
    rows[:, : -(-num_calls // 8)] = np.packbits(nonzero, axis=1, bitorder="little")
    return rows.view("<u8").astype(np.uint64, copy=False)


# -------------------------------------------------------------------------------------------------------------- BCF

# what follows a record's two lengths; the numbers of INFOs and alleles share a word, and those of FORMATs and samples
_FIXED = np.dtype([("contig", "<i4"), ("start", "<i4"), ("rlen", "<i4"), ("qual", "<f4"), ("info", "<u2"),
                   ("alleles", "<u2"), ("samples", "<u4")])  # fmt: skip


def _bcf_blocks(
    path: str | os.PathLike[str],
    stream: _Stream,
    names: list[str],
    contigs: dict[int, str],
    gt_key: int,
    region: Region | None,
) -> Iterator[_Block]:
    order = _Order(path)
    while True:
        data = np.frombuffer(stream.data, np.uint8)
        start, calls, stop, size, damaged = _backend.find_bcf_records(data)
        if len(start):
            yield _bcf_block(path, stream.data, data, start, calls, stop, names, contigs, gt_key, region, order)
        if damaged:
            raise FormatError(path, "a BCF record", "other bytes", str(order))
        del data  # so that the next bytes come to lie where these are
        stream.data = stream.data[size:]
        if not stream.more():
            break
    if stream.data:
        raise FormatError(path, "a whole record", "a part of one: the file is cut", str(order))


def _bcf_block(
    path: str | os.PathLike[str],
    data: bytes,
    bytes_: NDArray[np.uint8],
    starts: NDArray[np.int64],
    calls: NDArray[np.int64],
    stops: NDArray[np.int64],
    names: list[str],
    contigs: dict[int, str],
    gt_key: int,
    region: Region | None,
    order: _Order,
) -> _Block:
    """The records at `starts`, whose calls start at `calls` and end before `stops`; `bytes_` is a view of `data`."""
    n = len(names)
    fixed = bytes_[starts[:, None] + np.arange(24)].view(_FIXED).reshape(-1)
    block = _Block(position=(fixed["start"].astype(np.int64) + 1).tolist())
    try:
        block.contig = list(map(contigs.__getitem__, fixed["contig"].tolist()))
    except KeyError as error:
        raise FormatError(path, "a contig that the header declares", f"number {error}", str(order)) from None
    _take_texts(path, data, bytes_, starts, calls, fixed["alleles"], block)
    order.add(block)
    kept = _in_region(block, region)
    if len(kept) < len(starts):
        block, calls, stops, fixed = block.select(kept), calls[kept], stops[kept], fixed[kept]
    _check_alleles(path, block)
    wrong = np.flatnonzero(fixed["samples"] & 0xFFFFFF != n)
    if len(wrong):
        j, found = int(wrong[0]), int(fixed["samples"][wrong[0]]) & 0xFFFFFF
        where = f"site {block.contig[j]}:{block.position[j]}"
        raise FormatError(path, f"{n} samples, as the header has", f"{found}", where)
    usual = (fixed["samples"] >> 24 > 0) & (stops - calls >= 3 + 2 * n) & (gt_key < 128)
    for k, byte in enumerate((0x11, gt_key, 0x21)):  # GT comes first, as two bytes a sample
        usual &= bytes_[np.where(usual, calls + k, 0)] == byte
    start = calls + 3
    if not usual.all():
        parts = []
        for j, (first, stop, packed) in enumerate(
            zip(calls.tolist(), stops.tolist(), fixed["samples"].tolist(), strict=True)
        ):
            where = f"site {block.contig[j]}:{block.position[j]}"
            parts.append(_bcf_calls(path, where, memoryview(data)[first:stop], packed >> 24, gt_key, names))
        bytes_ = np.frombuffer(b"".join(parts), np.uint8)
        start = np.arange(len(parts)) * (2 * n)
    block.words, bad = _backend.pack_bcf_calls(bytes_, start, n)
    if bad is not None:
        j, i = bad
        call = bytes_[start[j] + 2 * i :][:2].view(np.int8)
        raise _bad_call(path, f"site {block.contig[j]}:{block.position[j]}", names[i], _spelled(call.tolist()))
    return block


def _take_texts(
    path: str | os.PathLike[str],
    data: bytes,
    bytes_: NDArray[np.uint8],
    starts: NDArray[np.int64],
    calls: NDArray[np.int64],
    num_alleles: NDArray[np.uint16],
    block: _Block,
) -> None:
    """Id, REF and ALT of every record: typed strings behind its 24 fixed bytes."""
    at = starts + 24
    usual = num_alleles == 2
    spans = []
    for _ in range(3):  # strings of less than 15 bytes, in all records at once
        usual &= at < calls
        kind = bytes_[np.where(usual, at, 0)]
        usual &= ((kind & 15) == 7) & (kind < 0xF0)
        length = np.where(usual, kind >> 4, 0)
        spans.append((at + 1, length))
        at = at + 1 + length
    usual &= at <= calls
    columns = []
    for first, length in spans:
        if (length == 1).all():
            texts = list(bytes_[first].tobytes().decode("latin-1"))
        else:
            last = (first + length).tolist()
            texts = [data[a:b].decode("latin-1") if b > a else "." for a, b in zip(first.tolist(), last, strict=True)]
        columns.append(texts)
    block.id, block.ref, block.alt = columns
    slow = np.flatnonzero(~usual).tolist()
    if not "".join(block.id).isascii():
        slow += [j for j, name in enumerate(block.id) if not name.isascii()]
    for j in slow:
        where = f"site {block.contig[j]}:{block.position[j]}"
        try:
            block.id[j], cursor = _text(data, int(starts[j]) + 24)
            alleles = []
            for _ in range(int(num_alleles[j])):
                allele, cursor = _text(data, cursor)
                alleles.append(allele)
        except (IndexError, ValueError):
            raise FormatError(path, "a BCF record", "a damaged one", where) from None
        if cursor > calls[j]:
            raise FormatError(path, "a BCF record", "a damaged one", where)
        block.ref[j] = alleles[0] if alleles else "."
        block.alt[j] = ",".join(alleles[1:]) or "."


def _text(data: bytes, at: int) -> tuple[str, int]:
    """(typed string at `at`, "." for a missing one; where the next value starts)."""
    kind = data[at]
    length = kind >> 4
    at += 1
    if kind & 15 != 7:
        if kind == 0:
            return ".", at
        raise ValueError(kind)
    if length == 15:
        length, at = _integer(data, at)
    return (data[at : at + length].decode() if length else "."), at + length


def _integer(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """(typed scalar integer at `at`, where the next value starts)."""
    kind = data[at]
    size = {0x11: 1, 0x12: 2, 0x13: 4}.get(kind)
    if size is None:
        raise ValueError(kind)
    return int.from_bytes(data[at + 1 : at + 1 + size], "little", signed=True), at + 1 + size


_SIZE = {1: 1, 2: 2, 3: 4, 5: 4, 7: 1}


def _bcf_calls(
    path: str | os.PathLike[str], where: str, part: memoryview, num_formats: int, gt_key: int, names: list[str]
) -> memoryview:
    """The bytes of GT, two of each sample."""
    n = len(names)
    if gt_key < 128 and num_formats and part[:3] == bytes((0x11, gt_key, 0x21)) and len(part) >= 3 + 2 * n:
        return part[3 : 3 + 2 * n]
    at = 0
    try:
        for _ in range(num_formats):
            key, at = _integer(part, at)
            kind = part[at] & 15
            length = part[at] >> 4
            at += 1
            if length == 15:
                length, at = _integer(part, at)
            stop = at + n * length * _SIZE[kind] if kind or length else at
            if stop > len(part):
                raise ValueError(stop)
            if key == gt_key:
                return _narrow(path, where, part[at:stop], kind, length, names)
            at = stop
    except (IndexError, KeyError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, "a BCF record", "a damaged one", where) from None
    raise FormatError(path, "genotypes (FORMAT GT)", "none", where)


def _narrow(
    path: str | os.PathLike[str], where: str, part: memoryview, kind: int, length: int, names: list[str]
) -> memoryview:
    """GT as two bytes a sample, of integers of any width."""
    if kind not in (1, 2, 3):
        raise FormatError(path, "genotypes as integers", f"type {kind}", where)
    values = np.frombuffer(part, f"<i{_SIZE[kind]}").reshape(len(names), length)
    if length == 2 and kind != 1:
        values = np.where((values >= 0) & (values < 127), values, 127)
    if length != 2:
        i = int(np.argmax((values >= 0).sum(axis=1) != 2)) if length > 2 else 0
        raise _bad_call(path, where, names[i], _spelled(values[i].tolist()))
    return memoryview(values.astype(np.int8).tobytes())


def _spelled(values: Iterable[int]) -> str:
    """A call as VCF text."""
    text = ""
    for k, value in enumerate(v for v in values if v >= 0):
        text += ("|" if value & 1 else "/") if k else ""
        text += str((value >> 1) - 1) if value > 1 else "."
    return text


# ---------------------------------------------------------------------------------------------------------- writing


def write(matrix: HaplotypeMatrix, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write VCF, VCF.gz or BCF by the ending of `path`; the last two with an index beside (.tbi, .csi).

    A VCF has no place for labels and haplotype ids: what is lost is named in a warning.

    Parameters
    ----------
    progress : called with numbers of sites written

    Raises
    ------
    ValueError
        Not two rows for each person, side by side; no sites or no haplotypes; one of two alleles known only; names or
        alleles that VCF has no place for or that `read` refuses, such as symbolic ones.
    """
    target = Path(path)
    binary = target.name.endswith(".bcf")
    packed = binary or target.name.endswith(".gz")
    persons = _check_writable(matrix, target)
    if packed:
        try:
            import pysam
        except ImportError:
            raise MissingDependencyError("pysam", "io") from None
    _warn_of_losses(matrix, target)
    header = _header(matrix, persons, binary)
    write_records = _write_bcf if binary else _write_text
    advance = progress or (lambda count: None)
    if not packed:
        with atomic_file(target) as temporary, open(temporary, "wb") as sink:
            write_records(matrix, sink, header, advance)
        return
    with atomic_files(target, *companions(target)) as folder:
        temporary = folder / target.name
        with bgzf.BgzfWriter(temporary) as sink:
            write_records(matrix, sink, header, advance)
        csi = binary or int(matrix.sites.position.max()) >= 1 << 29  # as far as .tbi reaches
        pysam.tabix_index(os.fspath(temporary), preset="vcf", force=True, csi=csi)


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """Where indexes of `path` are looked for."""
    name = os.fspath(path)
    return [] if name.endswith(".vcf") else [Path(f"{name}{ending}") for ending in (".tbi", ".csi")]


def check(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError for aligned sequences."""
    if alphabet_of(sites):
        raise ValueError(f"{os.fspath(path)}: expected haplotypes to write as VCF, found aligned sequences (.fasta)")


def _check_writable(matrix: HaplotypeMatrix, path: Path) -> list[str]:
    """The names of the persons."""
    samples, sites = matrix.samples, matrix.sites
    n, num_sites = matrix.shape
    if not n or not num_sites:
        raise ValueError(
            f"{path}: expected at least one haplotype and one site to write as VCF, found {n} x {num_sites}"
        )
    if sites.position.max() >= 2**31 - 1:
        raise ValueError(f"{path}: expected positions below 2^31 - 1 to write as VCF, found {sites.position.max()}")
    if n % 2:
        raise ValueError(f"{path}: expected two haplotypes for each person to write as VCF, found an odd number ({n})")
    wrong = np.flatnonzero(samples.person != np.arange(n) // 2)
    if len(wrong):
        name = samples.sample_id[wrong[0]]
        raise ValueError(
            f"{path}: expected rows 2i and 2i + 1 to be one person to write as VCF, found {name!r} in row {wrong[0]}"
        )
    names = [str(name) for name in samples.sample_id[::2].tolist()]
    for name in names:
        if not name or re.search(r"[\t\n\r]", name):
            raise ValueError(f"{path}: expected sample ids without tabs and line ends to write as VCF, found {name!r}")
    for contig, _, _ in sites.contig_blocks():
        if not re.fullmatch(r"[^\s,<>=*][^\s,<>]*", contig):
            raise ValueError(f"{path}: expected contig names without spaces, commas and <> for VCF, found {contig!r}")
    for j, (name, ref, alt) in enumerate(zip(sites.id.tolist(), sites.ref.tolist(), sites.alt.tolist(), strict=True)):
        where = f"{path}, site {sites.contig[j]}:{sites.position[j]}"
        if not name or re.search(r"\s", name):
            raise ValueError(f"{where}: expected an id without spaces to write as VCF, found {name!r}")
        if _BASES.fullmatch(ref) and _BASES.fullmatch(alt):
            continue
        if (ref, alt) != (UNKNOWN_ALLELE, UNKNOWN_ALLELE):
            raise ValueError(
                f"{where}: expected REF and one ALT allele of bases, or both unknown ('.'), to write as VCF, "
                f"found {ref[:20]!r} and {alt[:20]!r}"
            )
    return names


def _warn_of_losses(matrix: HaplotypeMatrix, path: Path) -> None:
    samples = matrix.samples
    lost = [f"labels ({', '.join(samples.labels)})"] if samples.labels else []
    default = Samples(len(samples), sample_id=samples.sample_id)
    if not np.array_equal(default.haplotype_id, samples.haplotype_id):
        lost.append("haplotype ids")
    if lost:
        warnings.warn(f"{path}: {' and '.join(lost)} are lost, a VCF has no place for them", stacklevel=4)


def _header(matrix: HaplotypeMatrix, persons: list[str], binary: bool) -> bytes:
    """The header text; in BCF with the numbers of its dictionaries."""
    from hapforge import __version__

    def numbered(k: int) -> str:
        return f",IDX={k}" if binary else ""

    lines = ["##fileformat=VCFv4.2", f'##FILTER=<ID=PASS,Description="All filters passed"{numbered(0)}>']
    lines.append(f"##source=hapforge {__version__}")
    if not matrix.sites.position_known:
        lines.append("##hapforge_positions=unknown")
    lines += [f"##contig=<ID={name}{numbered(k)}>" for k, (name, _, _) in enumerate(matrix.sites.contig_blocks())]
    if (matrix.sites.ref == UNKNOWN_ALLELE).any():
        lines.append('##ALT=<ID=ALT,Description="alternative allele, not known">')
    lines.append(f'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype"{numbered(1)}>')
    lines.append("\t".join([_COLUMNS.decode(), *persons]))
    return ("\n".join(lines) + "\n").encode()


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def _dense_blocks(matrix: HaplotypeMatrix) -> Iterator[tuple[int, NDArray[np.uint8]]]:
    """(first site, uint8 (sites, haplotypes) of 0 and 1), `_WRITTEN` sites at a time."""
    step = _WRITTEN // 64
    for start in range(0, matrix.words.shape[1], step):
        num_sites = min(_WRITTEN, matrix.num_sites - 64 * start)
        words = np.ascontiguousarray(matrix.words[:, start : start + step])
        yield 64 * start, _backend.unpack(_backend.transpose(words, num_sites), matrix.num_haplotypes)


def _records(matrix: HaplotypeMatrix, start: int, count: int) -> Iterator[tuple[str, int, str, str, str]]:
    sites = matrix.sites
    stop = start + count
    columns = (sites.contig, sites.position, sites.id, sites.ref, sites.alt)
    for contig, position, name, ref, alt in zip(*(column[start:stop].tolist() for column in columns), strict=True):
        if ref == UNKNOWN_ALLELE:
            ref, alt = _UNKNOWN
        yield contig, position, name, ref, alt


def _write_text(matrix: HaplotypeMatrix, sink: _Sink, header: bytes, advance: Advance) -> None:
    sink.write(header)
    base = np.tile(_TEXT_CALL, matrix.num_haplotypes // 2)
    base -= np.where(matrix.samples.phased, 0, (ord("|") - ord("/")) << 8).astype(np.uint32)
    base[-1] += (10 - 9) << 24  # the last tab is the end of the line
    for start, dense in _dense_blocks(matrix):
        lanes = base + dense[:, 0::2]
        lanes += dense[:, 1::2].astype(np.uint32) << np.uint32(16)
        for (contig, position, name, ref, alt), calls in zip(
            _records(matrix, start, len(dense)), lanes.astype("<u4", copy=False), strict=True
        ):
            sink.write(f"{contig}\t{position}\t{name}\t{ref}\t{alt}\t.\t.\t.\tGT\t".encode())
            sink.write(calls.tobytes())
        advance(len(dense))


def _write_bcf(matrix: HaplotypeMatrix, sink: _Sink, header: bytes, advance: Advance) -> None:
    num_persons = matrix.num_haplotypes // 2
    sink.write(b"BCF\x02\x02" + struct.pack("<I", len(header) + 1) + header + b"\0")
    numbers = {contig: k for k, (contig, _, _) in enumerate(matrix.sites.contig_blocks())}
    base = np.full((num_persons, 2), 2, np.uint8)
    base[:, 1] += matrix.samples.phased
    single = b"\x11\x01\x21"  # the key GT, then two 8-bit integers a sample
    for start, dense in _dense_blocks(matrix):
        calls = base.reshape(-1) + 2 * dense
        for (contig, position, name, ref, alt), row in zip(_records(matrix, start, len(dense)), calls, strict=True):
            names = b"".join(_typed_text(value) for value in (name, ref, alt)) + b"\0"  # no FILTER
            fixed = struct.pack(
                "<iiiIHHI", numbers[contig], position - 1, len(ref), 0x7F800001, 0, 2, 1 << 24 | num_persons
            )
            lengths = struct.pack("<II", len(fixed) + len(names), len(single) + 2 * num_persons)
            sink.write(lengths + fixed + names + single)
            sink.write(row.tobytes())
        advance(len(dense))


def _typed_text(value: str) -> bytes:
    if value == ".":
        return b"\x07"
    data = value.encode()
    if len(data) < 15:
        return bytes((len(data) << 4 | 7,)) + data
    size, kind = next((s, k) for s, k in ((1, 0x11), (2, 0x12), (4, 0x13)) if len(data) < 1 << (8 * s - 1))
    return bytes((0xF7, kind)) + len(data).to_bytes(size, "little") + data

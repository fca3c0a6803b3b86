"""VCF, VCF.gz and BCF: strict streamed reading, and writing with an index.

Read are biallelic records whose calls are all phased and diploid (``0|0``, ``0|1``, ``1|0``, ``1|1``). Anything else is
refused with one line that names file, site, what was expected and what was found, unless a `hapforge.io.Policy` says
what to do with it: nothing is guessed, and no record is passed over. ``0/0`` is refused too: a slash says that the file
was not phased. Since VCF 4.4 such a mark may stand before the first allele, too (``|0|1``): the one between the alleles
tells. In BCF, what was ``0|1`` and what was ``/0|1`` cannot be told apart, as older writers leave out the first mark.

Text and BCF are taken apart here and not by htslib, which hands the calls of a line with a missing column to the next
persons and reads a cut file without an error. Memory is that of the packed result twice, and a few MiB; more of them
where calls are odd.

Of a region, a .tbi or .csi beside a VCF.gz or BCF says where to start reading; see `hapforge.io.index` for what proves
that nothing of the region is left out. What lies outside is then neither read nor checked, but for the header and the
block that ends the file. An index that does not fit is not used: a warning says why, and the whole file is read, as it
is without an index, for a contig that it does not name, and with the policies ``unsorted=sort`` and ``text=accept``.

A cut in plain text is seen unless it falls right behind a line; in BGZF and gzip it is always seen. Line ends are LF,
or CR LF where the policy accepts them. A second header, NUL bytes and empty lines between records are always refused.

Sites whose alleles are not known (``.`` in `Sites`) are written as ``N`` and ``<ALT>``, declared in the header, and
that pair is read back as ``.``. Symbolic ALT alleles are written as they are spelled, and declared, without the INFO
(END, SVLEN) that they may have had: `Sites` holds none. Positions that are only a count are declared by
``##hapforge_positions=unknown``.

References
----------
The Variant Call Format Specification, VCFv4.5 (GT: section 1.6.2) and BCFv2.2.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import struct
import warnings
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.alignment import alphabet_of
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples, Sites, words_per_row
from hapforge.io import bgzf, diploid, index
from hapforge.io.atomic import atomic_file, atomic_files, likely_error
from hapforge.io.blocks import BySite, Haplotypes
from hapforge.io.records import ABSENT, CALLS, MISSING, UNKNOWN, Block, Cohort, Policy, accepted_by
from hapforge.io.selection import Region

Advance = Callable[[int], object]

_COLUMNS = b"#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
_BASES = re.compile("[A-Za-z]+")
_SPACE = re.compile(r"[\0- ]")
_CALL = re.compile(rb"[|/]?(\d{1,5}|\.)(?:([|/])(\d{1,5}|\.))?")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SECOND_HEADER = "a second header: two files one behind the other?"
_CHUNKS = 2  # pieces of a file that are taken in at once
_LONGEST = 1 << 28  # bytes of a record at which an index points
_START = struct.Struct("<IIii12xI")  # of a BCF record: two lengths, contig, start, numbers of samples and FORMATs


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a VCF or BCF file, compressed or not.

    Parameters
    ----------
    region : sites to take; with an index beside only their part of the file is gone through (see the module)
    samples : sample ids to take, in the order of the file
    maf : drop sites whose minor allele frequency among the haplotypes taken is below
    policy : what is done with odd input, and where that is counted; all is refused by default
    progress : called with numbers of bytes taken in, or passed over; they add up to the file's size

    Raises
    ------
    FormatError
        A file that is cut, damaged or not VCF; a record or call of another kind than the module's docstring names;
        nothing left to take.

    Warns
    -----
    UserWarning
        An index that does not fit, and is not used.
    """
    policy = Policy() if policy is None else policy
    size = os.path.getsize(path)
    advance = _up_to(size, progress)
    with contextlib.ExitStack() as stack:

        def chunks_from(place: int) -> Generator[bytes]:
            # Closed here, also after an error: threads are not left to the garbage collector, which may run anywhere.
            return stack.enter_context(contextlib.closing(bgzf.read_chunks(path, advance, place)))

        chunks = chunks_from(0)
        first = next(chunks, b"")
        stream = _Stream(path, first, chunks)
        contigs: dict[int, str] | None = None
        if first.startswith(b"BCF"):
            names, contigs, gt_key, known = _bcf_header(path, stream)
        else:
            names, known = _text_header(path, stream, policy)
        cohort = Cohort(path, names, region=region, samples=samples, maf=maf, policy=policy, position_known=known)
        place = None
        if region is not None and policy["unsorted"] != "sort" and policy["text"] != "accept":
            place = _indexed_place(path, region, contigs, len(names))
        if place:
            chunks.close()
            stream = _Stream(path, b"", chunks_from(place))
        blocks = _text_blocks(stream, cohort) if contigs is None else _bcf_blocks(stream, cohort, contigs, gt_key)
        for block in blocks:
            cohort.add(block)
            if place is not None and cohort.is_behind():
                break
    advance(size)
    return cohort.matrix()


def _up_to(most: int, advance: Advance | None) -> Advance:
    """`advance`, with numbers that add up to `most` at most."""
    told = 0

    def counted(count: int) -> None:
        nonlocal told
        count = min(count, most - told)
        told += count
        if advance and count:
            advance(count)

    return counted


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


def _text_header(path: str | os.PathLike[str], stream: _Stream, policy: Policy) -> tuple[list[str], bool]:
    """(sample names, whether positions are known)."""
    accept = policy["text"] == "accept"

    def next_line(what: str) -> bytes:
        """The next line; other ends are cut off where they are accepted."""
        line = stream.line(what)
        if b"\0" in line:
            raise FormatError(path, "text without NUL bytes", "one", f"line {number}")
        if not line.endswith(b"\r"):
            return line
        if not accept:
            raise FormatError(path, "lines that end in LF", f"CR LF{accepted_by('text')}", f"line {number}")
        policy.count("text", lines=1)
        return line[:-1]

    known, number = True, 1
    if stream.data.startswith(_BYTE_ORDER_MARK):
        if not accept:
            raise FormatError(path, "##fileformat=VCFv4.x", f"a byte-order mark{accepted_by('text')}", "line 1")
        policy.count("text", lines=1)
        stream.data = stream.data.removeprefix(_BYTE_ORDER_MARK)
    line = next_line("a first line")
    if line.startswith(b"#CHROM\t") and accept:
        policy.count("text", lines=1)
    elif not line.startswith(b"##fileformat=VCFv4"):
        hint = accepted_by("text") if line.startswith(b"#CHROM\t") else ""
        found = f"{line[:40].decode(errors='replace')!r}{hint}"
        raise FormatError(path, "##fileformat=VCFv4.x", found, "line 1")
    while line.startswith(b"##"):
        known = known and line != b"##hapforge_positions=unknown"
        number += 1
        line = next_line("a header")
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
    if b"\0" in text or b"\r" in text:
        odd = "NUL bytes" if b"\0" in text else "CR LF"
        raise FormatError(path, "header text of lines that end in LF", odd, "header")
    if lines[-1]:
        raise FormatError(path, "header text that ends in a line feed", "none", "header")
    lines.pop()
    if not lines or not lines[0].startswith(b"##fileformat=VCFv4"):
        raise FormatError(path, "##fileformat=VCFv4.x", "other header text", "header")
    contigs: dict[int, str] = {}
    keys: dict[str, int] = {"PASS": 0}
    named, numbers = set[str](), {0}
    known = True
    for line in lines[:-1]:
        known = known and line != b"##hapforge_positions=unknown"
        if (found := re.match(rb"##(contig|FILTER|INFO|FORMAT)=<(?:.*?,)?ID=([^,>]+)", line)) is None:
            continue
        name = found[2].decode(errors="replace")
        stated = re.search(rb",IDX=(\d{1,9})>\s*$", line)
        if found[1] == b"contig":
            number = int(stated[1]) if stated else len(contigs)
            if number in contigs or name in named or "\ufffd" in name:
                raise FormatError(
                    path, "each contig and its number once", repr(line[:60].decode(errors="replace")), "header"
                )
            contigs[number] = name
            named.add(name)
        elif name not in keys:
            number = int(stated[1]) if stated else max(keys.values()) + 1
            if number in numbers:
                raise FormatError(
                    path, "each key and its number once", repr(line[:60].decode(errors="replace")), "header"
                )
            keys[name] = number
            numbers.add(number)
    names = _names(path, lines[-1], len(lines))
    if "GT" not in keys:
        raise FormatError(path, "genotypes (FORMAT GT)", "none declared", "header")
    return names, contigs, keys["GT"], known


# ----------------------------------------------------------------------------------------------------------- an index


def _indexed_place(
    path: str | os.PathLike[str], region: Region, contigs: dict[int, str] | None, num_persons: int
) -> int | None:
    """Where an index says to start reading, 0 for the first record; None where none does.

    Parameters
    ----------
    contigs : of a BCF, by number; None of text
    """
    reasons = []
    for file in index.candidates(path):
        try:
            if contigs is None:
                return index.place_before(path, file, region, region.contig, partial(_text_record, num_persons))
            number = next((number for number, name in contigs.items() if name == region.contig), None)
            if number is None:
                return None
            return index.place_before(path, file, region, number, partial(_bcf_record, num_persons))
        except index.Unfit as why:
            reasons.append(f"{file}: not used, as {why}")
    if reasons:
        warnings.warn(f"{'; '.join(reasons)}: all of {os.fspath(path)} is read", stacklevel=4)
    return None


def _text_record(num_persons: int, data: Iterator[bytes]) -> tuple[str, int] | None:
    """Contig and position of the record that `data` starts with; None where it starts with none."""
    parts: list[bytes] = []
    while not parts or b"\n" not in parts[-1]:
        if len(parts) > _LONGEST >> 16 or not (more := next(data, b"")):
            return None
        parts.append(more)
    columns = b"".join(parts).split(b"\n", 1)[0].split(b"\t")
    if len(columns) != 9 + num_persons or not columns[1].isdigit() or len(columns[1]) > 10:
        return None
    return columns[0].decode(errors="replace"), int(columns[1])


def _bcf_record(num_persons: int, data: Iterator[bytes]) -> tuple[int, int] | None:
    """`_text_record` of BCF, the contig by its number; the record behind is looked at too, where there is one."""
    taken = bytearray()
    found: list[tuple[int, int]] = []
    at = 0
    for _ in range(2):
        while len(taken) < at + _START.size and (more := next(data, b"")):
            taken += more
        if found and len(taken) == at:
            break
        if len(taken) < at + _START.size:
            return None
        shared, calls, contig, position, samples = _START.unpack_from(taken, at)
        if shared < 24 or samples & 0xFFFFFF != num_persons or position < 0 or shared + calls > _LONGEST:
            return None
        found.append((contig, position + 1))
        at += 8 + shared + calls
        while len(taken) < at and (more := next(data, b"")):
            taken += more
        if len(taken) < at:
            return None
    return found[0]


# ------------------------------------------------------------------------------------------------------------- text


def _text_blocks(stream: _Stream, cohort: Cohort) -> Iterator[Block]:
    path, accept, empty = cohort.path, cohort.policy["text"] == "accept", 0
    while True:
        head, feed, stream.data = stream.data.rpartition(b"\n")
        if feed:
            lines, before = head.split(b"\n"), empty
            if accept and b"\r" in head:
                cohort.policy.count("text", lines=sum(line.endswith(b"\r") and line != b"\r" for line in lines))
                lines = [line.removesuffix(b"\r") for line in lines]
            while lines and lines[-1] in (b"", b"\r"):
                empty += 1
                lines.pop()
            if lines:
                empty -= before
                yield _text_block([b""] * min(before, 1) + lines, cohort)
        if not stream.more():
            break
    if stream.data:
        raise FormatError(path, "a last line that ends in a line feed", "none: the file is cut", str(cohort.order))
    if empty and not accept:
        found = f"{empty} empty at the end{accepted_by('text')}"
        raise FormatError(path, "lines with records only", found, str(cohort.order))
    cohort.policy.count("text", lines=empty)


def _text_block(lines: list[bytes], cohort: Cohort) -> Block:
    block = Block()
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
        raise _bad_line(cohort, block.select(range(len(calls))), line, error) from None
    heads = [line[: len(line) - len(tail)] for line, (_, tail) in zip(lines, calls, strict=True)]  # without the calls
    if b"\0" in b"".join(heads):
        cohort.wanted(block.select(range(next(j for j, head in enumerate(heads) if b"\0" in head))))
        raise FormatError(cohort.path, "text without NUL bytes", "one", str(cohort.order))
    for column, no_first, expected in ((block.contig, "#", "a contig"), (block.id, "", "an id, or a dot for none")):
        if wrong := [column.index(text) for text in set(column) if not text or text[0] in no_first]:
            j = min(wrong)
            cohort.wanted(block.select(range(j)))
            raise FormatError(cohort.path, expected, repr(column[j][:40]), str(cohort.order))
    kept = cohort.wanted(block)
    if len(kept) < len(calls):
        block, calls = block.select(kept), [calls[j] for j in kept]
    _take_text_calls(cohort.path, block, calls, cohort.names)
    return block


def _bad_line(cohort: Cohort, before: Block, line: bytes, error: ValueError) -> FormatError:
    """What is wrong with a line that is no record, behind those of `before`."""
    cohort.wanted(before)
    path, where = cohort.path, str(cohort.order)
    columns = line.split(b"\t")
    num_columns = f"{9 + len(cohort.names)} columns, as the header has"
    if b"\0" in line:
        return FormatError(path, "text without NUL bytes", "one", where)
    if line.startswith(b"#"):
        return FormatError(path, "records only behind the header", _SECOND_HEADER, where)
    if line in (b"", b"\r"):
        return FormatError(path, num_columns, "an empty line between records", where)
    if isinstance(error, UnicodeDecodeError):
        return FormatError(path, "UTF-8 text", "other bytes", where)
    if len(columns) < 10:
        return FormatError(path, num_columns, f"{len(columns)}", where)
    return FormatError(path, "a position", repr(columns[1][:20].decode(errors="replace")), where)


def _take_text_calls(
    path: str | os.PathLike[str], block: Block, calls: list[tuple[bytes, bytes]], names: list[str]
) -> None:
    """Calls of every record, from its columns FORMAT and those behind it."""
    n = len(names)
    width = 4 * n - 1
    tails = [tail for _, tail in calls]  # of records whose calls are three bytes each
    others: list[int] = []
    for j, (keys, tail) in enumerate(calls):
        if len(tail) != width or keys != b"GT":
            short = _three_bytes(path, block.where(j), keys, tail, n)
            if short is None:
                others.append(j)
            else:
                tails[j] = short
    rows = np.delete(np.arange(len(calls)), others)
    shaped = np.frombuffer(b"\t".join([*(tails[j] for j in rows.tolist()), b""] if others else [*tails, b""]), np.uint8)
    shaped = shaped.reshape(-1, 4 * n)
    lanes = shaped.view("<u4") ^ _TEXT_CALL
    good = np.uint32(0x00010001)
    if not others and not np.bitwise_or.reduce(lanes, axis=None) & ~good:
        block.words = _packed(lanes.view(np.uint16).astype(np.uint8))
        return
    clean = ~(lanes & ~good).any(axis=1)
    block.words = np.zeros((len(calls), words_per_row(2 * n)), np.uint64)
    block.words[rows[clean]] = _packed(lanes[clean].view(np.uint16).astype(np.uint8))
    digits, is_call = _digits(shaped[~clean].reshape(-1, n, 4))
    odd = rows[~clean]
    others += odd[~is_call].tolist()
    block.odd = np.sort(np.concatenate([odd[is_call], np.array(others, np.int64)]))
    block.alleles = np.empty((len(block.odd), n, 2), np.int16)
    block.phased = np.empty((len(block.odd), n), bool)
    at = np.searchsorted(block.odd, odd[is_call])
    block.alleles[at] = digits[is_call]
    block.phased[at] = shaped[~clean].reshape(-1, n, 4)[is_call, :, 1] == ord("|")
    for j in others:
        k = int(np.searchsorted(block.odd, j))
        block.alleles[k], block.phased[k] = _split_calls(path, block.where(j), *calls[j], names)


def _three_bytes(path: str | os.PathLike[str], where: str, keys: bytes, tail: bytes, n: int) -> bytes | None:
    """The three bytes of GT of every sample, tabs between; None where a sample has more or less."""
    if b"\0" in tail:
        raise FormatError(path, "text without NUL bytes", "one", where)
    if tail.endswith(b"\r"):
        raise FormatError(path, "lines that end in LF", f"CR LF{accepted_by('text')}", where)
    data = np.frombuffer(tail, np.uint8)
    tabs = np.flatnonzero(data == 9)
    if len(tabs) != n - 1:
        raise FormatError(path, f"{9 + n} columns, as the header has", f"{10 + len(tabs)}", where)
    if keys.split(b":")[0] != b"GT":
        raise FormatError(path, "genotypes (FORMAT starts with GT)", repr(keys[:40].decode(errors="replace")), where)
    starts = np.concatenate([[0], tabs + 1])
    stops = np.concatenate([tabs, [len(data)]])
    padded = np.concatenate([data, np.full(4, 58, np.uint8)])
    behind = np.where(starts + 3 < stops, padded[starts + 3], 58)
    if ((stops - starts < 3) | (behind != 58)).any():
        return None
    result = np.full((n, 4), 9, np.uint8)
    for k in range(3):
        result[:, k] = padded[starts + k]
    return result.tobytes()[:-1]


def _digits(calls: NDArray[np.uint8]) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """(alleles, whether it is calls) of records of four bytes a call: digit or dot, bar or slash, the same, tab."""
    letters = calls[:, :, 0::2].astype(np.int16)
    dots = letters == ord(".")
    digits = np.where(dots, np.int16(MISSING), letters - ord("0"))
    bars, tabs = calls[:, :, 1], calls[:, :, 3]
    is_call = (
        (dots | ((digits >= 0) & (digits <= 9))).all(axis=2) & ((bars == ord("|")) | (bars == ord("/"))) & (tabs == 9)
    )
    return digits, is_call.all(axis=1)


def _split_calls(
    path: str | os.PathLike[str], where: str, keys: bytes, tail: bytes, names: list[str]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """(alleles (persons, 2), phased (persons,)) of a line."""
    columns = tail.split(b"\t")
    if len(columns) != len(names):
        raise FormatError(path, f"{9 + len(names)} columns, as the header has", f"{9 + len(columns)}", where)
    calls = [_text_call(column.split(b":", 1)[0]) for column in columns]
    if None in calls:
        i = calls.index(None)
        raise _bad_call(path, where, names[i], columns[i].decode(errors="replace"))
    alleles = np.array(calls, np.int32)
    return alleles[:, :2].astype(np.int16), alleles[:, 2] > 0


@lru_cache(maxsize=4096)
def _text_call(call: bytes) -> tuple[int, int, int] | None:
    """(first allele, second, whether phased) of GT; None where it is no call of one or two alleles."""
    found = _CALL.fullmatch(call)
    if found is None:
        return None
    first, bar, second = found.groups()
    alleles = [MISSING if allele == b"." else ABSENT if allele is None else int(allele) for allele in (first, second)]
    if max(alleles) > np.iinfo(np.int16).max:
        return None
    return alleles[0], alleles[1], bar != b"/"


def _bad_call(path: str | os.PathLike[str], where: str, name: str, call: str) -> FormatError:
    """The error of what is no call of one or two alleles."""
    call = call.split(":")[0][:20]
    kind = " (more than two alleles)" if len(re.findall(r"[|/]", call[1:])) > 1 else ""
    return FormatError(path, CALLS, f"{call!r}{kind} for sample {name!r}", where)


_TEXT_CALL = np.frombuffer(b"0|0\t", "<u4")[0]


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


def _bcf_blocks(stream: _Stream, cohort: Cohort, contigs: dict[int, str], gt_key: int) -> Iterator[Block]:
    path = cohort.path
    while True:
        data = np.frombuffer(stream.data, np.uint8)
        start, calls, stop, size, damaged = _backend.find_bcf_records(data)
        if len(start):
            yield _bcf_block(stream.data, data, start, calls, stop, cohort, contigs, gt_key)
        if stream.data[size : size + 5] in (b"BCF\x02\x01", b"BCF\x02\x02"):
            raise FormatError(path, "records only behind the header", _SECOND_HEADER, str(cohort.order))
        if damaged:
            raise FormatError(path, "a BCF record", "other bytes", str(cohort.order))
        del data  # so that the next bytes come to lie where these are
        stream.data = stream.data[size:]
        if not stream.more():
            break
    if stream.data:
        raise FormatError(path, "a whole record", "a part of one: the file is cut", str(cohort.order))


def _bcf_block(
    data: bytes,
    bytes_: NDArray[np.uint8],
    starts: NDArray[np.int64],
    calls: NDArray[np.int64],
    stops: NDArray[np.int64],
    cohort: Cohort,
    contigs: dict[int, str],
    gt_key: int,
) -> Block:
    """The records at `starts`, whose calls start at `calls` and end before `stops`; `bytes_` is a view of `data`."""
    path, names = cohort.path, cohort.names
    n = len(names)
    fixed = bytes_[starts[:, None] + np.arange(24)].view(_FIXED).reshape(-1)
    block = Block(position=(fixed["start"].astype(np.int64) + 1).tolist())
    try:
        block.contig = list(map(contigs.__getitem__, fixed["contig"].tolist()))
    except KeyError as error:
        raise FormatError(path, "a contig that the header declares", f"number {error}", str(cohort.order)) from None
    _take_texts(path, data, bytes_, starts, calls, fixed["alleles"], block)
    kept = cohort.wanted(block)
    if len(kept) < len(starts):
        block, calls, stops, fixed = block.select(kept), calls[kept], stops[kept], fixed[kept]
    wrong = np.flatnonzero(fixed["samples"] & 0xFFFFFF != n)
    if len(wrong):
        j, found = int(wrong[0]), int(fixed["samples"][wrong[0]]) & 0xFFFFFF
        raise FormatError(path, f"{n} samples, as the header has", f"{found}", block.where(j))
    usual = (fixed["samples"] >> 24 > 0) & (stops - calls >= 3 + 2 * n) & (gt_key < 128)
    for k, byte in enumerate((0x11, gt_key, 0x21)):  # GT comes first, as two bytes a sample
        usual &= bytes_[np.where(usual, calls + k, 0)] == byte
    start = calls + 3
    others = {}  # records with integers of more bytes, or other than two a sample
    for j in np.flatnonzero(~usual).tolist():
        part = memoryview(data)[int(calls[j]) : int(stops[j])]
        at, kind, length = _place_of_calls(path, block.where(j), part, int(fixed["samples"][j]) >> 24, gt_key, n)
        start[j] = calls[j] + at
        if (kind, length) != (1, 2):
            values = np.frombuffer(part[at:], f"<i{_SIZE[kind]}", n * length).reshape(n, length)
            others[j] = _integers(path, block.where(j), values, names)
    if not others:
        block.words, bad = _backend.pack_bcf_calls(bytes_, start, n)
        if bad is None:
            return block
    _take_odd_calls(path, block, bytes_, start, others, names)
    return block


def _take_odd_calls(
    path: str | os.PathLike[str],
    block: Block,
    bytes_: NDArray[np.uint8],
    start: NDArray[np.int64],
    others: dict[int, tuple[NDArray[np.int16], NDArray[np.bool_]]],
    names: list[str],
) -> None:
    """Calls of records of which some are odd: two bytes a sample from `start` on, or those of `others`."""
    n = len(names)
    odd = dict(others)
    clean = []
    for j, first in enumerate(start.tolist()):
        if j in odd:
            continue
        pairs = bytes_[first : first + 2 * n].reshape(n, 2)
        if ((pairs[:, 0] >> 1 == 1) | (pairs[:, 0] >> 1 == 2)).all() and (
            (pairs[:, 1] == 3) | (pairs[:, 1] == 5)
        ).all():
            clean.append(j)
        else:
            odd[j] = _integers(path, block.where(j), pairs.view(np.int8), names)
    block.words = np.zeros((len(start), words_per_row(2 * n)), np.uint64)
    block.words[clean], _ = _backend.pack_bcf_calls(bytes_, start[clean], n)
    rows = sorted(odd)
    block.odd = np.array(rows, np.int64)
    block.alleles = np.array([odd[j][0] for j in rows], np.int16)
    block.phased = np.array([odd[j][1] for j in rows], bool)


def _take_texts(
    path: str | os.PathLike[str],
    data: bytes,
    bytes_: NDArray[np.uint8],
    starts: NDArray[np.int64],
    calls: NDArray[np.int64],
    num_alleles: NDArray[np.uint16],
    block: Block,
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
    for column in columns:
        if not "".join(column).isascii():
            slow += [j for j, text in enumerate(column) if not text.isascii()]
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
    for j in [j for j, alt in enumerate(block.alt) if "," in alt]:
        if block.alt[j].count(",") + 2 != num_alleles[j]:
            raise FormatError(path, f"{num_alleles[j]} alleles", f"{block.alt[j][:40]!r} among them", block.where(j))
    for what, column in (("id", block.id), ("REF", block.ref), ("ALT", block.alt)):
        if (odd := _SPACE.search("".join(column))) is not None:
            j = next(j for j, text in enumerate(column) if odd[0] in text)
            raise FormatError(
                path, f"{what} without spaces and control characters", repr(column[j][:40]), block.where(j)
            )


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


def _place_of_calls(
    path: str | os.PathLike[str], where: str, part: memoryview, num_formats: int, gt_key: int, n: int
) -> tuple[int, int, int]:
    """(first byte of GT, its type, its integers a sample) among the values of a record, `part`."""
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
            if stop > len(part) or length < 0:
                raise ValueError(stop)
            if key == gt_key:
                if kind not in (1, 2, 3) or not length:
                    raise FormatError(path, "genotypes as integers", f"{length} of type {kind}", where)
                return at, kind, length
            at = stop
    except (IndexError, KeyError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(path, "a BCF record", "a damaged one", where) from None
    raise FormatError(path, "genotypes (FORMAT GT)", "none", where)


def _integers(
    path: str | os.PathLike[str], where: str, values: NDArray[np.integer], names: list[str]
) -> tuple[NDArray[np.int16], NDArray[np.bool_]]:
    """(alleles (persons, 2), phased (persons,)) of GT as integers (persons, any length)."""
    ended = values == np.iinfo(values.dtype).min + 1
    alleles = (values.astype(np.int32) >> 1) - 1
    wrong = (values < 0) & ~ended
    wrong |= alleles > np.iinfo(np.int16).max
    wrong[:, 0] |= ended[:, 0]
    wrong[:, 1:] |= ended[:, :-1] & ~ended[:, 1:]
    wrong[:, 2:] |= ~ended[:, 2:]
    if wrong.any():
        i = int(np.argmax(wrong.any(axis=1)))
        raise _bad_call(path, where, names[i], _spelled(values[i].tolist()))
    pairs = np.full((len(names), 2), ABSENT, np.int16)
    pairs[:, : values.shape[1]] = np.where(ended, ABSENT, alleles)[:, :2]
    return pairs, values[:, 1] & 1 > 0 if values.shape[1] > 1 else np.ones(len(names), bool)


def _spelled(values: Iterable[int]) -> str:
    """A call as VCF text."""
    text = ""
    for k, value in enumerate(v for v in values if v >= 0):
        text += ("|" if value & 1 else "/") if k else ""
        text += str((value >> 1) - 1) if value > 1 else "."
    return text


# ---------------------------------------------------------------------------------------------------------- writing


def write(matrix: Haplotypes, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write VCF, VCF.gz or BCF by the ending of `path`; the last two with an index beside (.tbi, .csi).

    A VCF has no place for labels and haplotype ids: what is lost is named in a warning.

    Parameters
    ----------
    progress : called with numbers of sites written

    Raises
    ------
    ValueError
        Not two rows for each person, side by side; no sites or no haplotypes; names or alleles that VCF has no place
        for, such as several ALT alleles of a site, or only ALT known.
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
    _warn_of_losses(matrix.samples, target)
    header = _header(matrix.sites, persons, binary)
    write_records = _write_bcf if binary else _write_text
    advance = progress or (lambda count: None)
    if not packed:
        with (
            diploid.by_site(matrix, target, "VCF") as table,
            atomic_file(target) as temporary,
            open(temporary, "wb") as sink,
        ):
            write_records(table, sink, header, advance)
        return
    with diploid.by_site(matrix, target, "VCF") as table, atomic_files(target, *companions(target)) as folder:
        temporary = folder / target.name
        with bgzf.BgzfWriter(temporary) as sink:
            write_records(table, sink, header, advance)
        csi = binary or int(matrix.sites.position.max()) >= 1 << 29  # as far as .tbi reaches
        said = pysam.set_verbosity(0)
        try:
            pysam.tabix_index(os.fspath(temporary), preset="vcf", force=True, csi=csi)
        except OSError as error:
            raise likely_error(target, "its index") if error.errno is None else error from None
        finally:
            pysam.set_verbosity(said)


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """Where indexes of `path` are looked for."""
    name = os.fspath(path)
    return [] if name.endswith(".vcf") else [Path(f"{name}{ending}") for ending in (".tbi", ".csi")]


def check(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError for aligned sequences."""
    if alphabet_of(sites):
        raise ValueError(f"{os.fspath(path)}: expected haplotypes to write as VCF, found aligned sequences (.fasta)")


def _check_writable(matrix: Haplotypes, path: Path) -> list[str]:
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
    for j, name in enumerate(sites.id.tolist()):
        where = f"{path}, site {sites.contig[j]}:{sites.position[j]}"
        if not name or re.search(r"\s", name):
            raise ValueError(f"{where}: expected an id without spaces to write as VCF, found {name!r}")
    diploid.check_alleles(sites, path, "VCF")
    return names


def _warn_of_losses(samples: Samples, path: Path) -> None:
    lost = [f"labels ({', '.join(samples.labels)})"] if samples.labels else []
    if not samples.named_by_person:
        lost.append("haplotype ids")
    if lost:
        warnings.warn(f"{path}: {' and '.join(lost)} are lost, a VCF has no place for them", stacklevel=4)


def _header(sites: Sites, persons: list[str], binary: bool) -> bytes:
    """The header text; in BCF with the numbers of its dictionaries."""
    from hapforge import __version__

    def numbered(k: int) -> str:
        return f",IDX={k}" if binary else ""

    lines = ["##fileformat=VCFv4.2", f'##FILTER=<ID=PASS,Description="All filters passed"{numbered(0)}>']
    lines.append(f"##source=hapforge {__version__}")
    if not sites.position_known:
        lines.append("##hapforge_positions=unknown")
    lines += [f"##contig=<ID={name}{numbered(k)}>" for k, (name, _, _) in enumerate(sites.contig_blocks())]
    lines += [f"##ALT={text}" for text in diploid.alt_lines(sites)]
    lines.append(f'##FORMAT=<ID=GT,Number=1,Type=String,Description="Genotype"{numbered(1)}>')
    lines.append("\t".join([_COLUMNS.decode(), *persons]))
    return ("\n".join(lines) + "\n").encode()


class _Sink(Protocol):
    def write(self, data: bytes, /) -> object: ...


def _records(sites: Sites, start: int, count: int) -> Iterator[tuple[str, int, str, str, str]]:
    stop = start + count
    columns = (sites.contig, sites.position, sites.id, sites.ref, sites.alt)
    for contig, position, name, ref, alt in zip(*(column[start:stop].tolist() for column in columns), strict=True):
        if ref == UNKNOWN_ALLELE:
            ref, alt = UNKNOWN
        yield contig, position, name, ref, alt


def _write_text(table: BySite, sink: _Sink, header: bytes, advance: Advance) -> None:
    sink.write(header)
    base = np.tile(_TEXT_CALL, table.num_haplotypes // 2)
    base -= np.where(table.samples.phased, 0, (ord("|") - ord("/")) << 8).astype(np.uint32)
    base[-1] += (10 - 9) << 24  # the last tab is the end of the line
    for start, dense in table.dense_blocks():
        lanes = base + dense[:, 0::2]
        lanes += dense[:, 1::2].astype(np.uint32) << np.uint32(16)
        for (contig, position, name, ref, alt), calls in zip(
            _records(table.sites, start, len(dense)), lanes.astype("<u4", copy=False), strict=True
        ):
            sink.write(f"{contig}\t{position}\t{name}\t{ref}\t{alt}\t.\t.\t.\tGT\t".encode())
            sink.write(calls.tobytes())
        advance(len(dense))


def _write_bcf(table: BySite, sink: _Sink, header: bytes, advance: Advance) -> None:
    num_persons = table.num_haplotypes // 2
    sink.write(b"BCF\x02\x02" + struct.pack("<I", len(header) + 1) + header + b"\0")
    numbers = {contig: k for k, (contig, _, _) in enumerate(table.sites.contig_blocks())}
    base = np.full((num_persons, 2), 2, np.uint8)
    base[:, 1] += table.samples.phased
    single = b"\x11\x01\x21"  # the key GT, then two 8-bit integers a sample
    for start, dense in table.dense_blocks():
        calls = base.reshape(-1) + 2 * dense
        for (contig, position, name, ref, alt), row in zip(
            _records(table.sites, start, len(dense)), calls, strict=True
        ):
            alleles = (ref,) if alt == UNKNOWN_ALLELE else (ref, alt)
            names = b"".join(map(_typed_text, (name, *alleles))) + b"\0"  # no FILTER
            fixed = struct.pack(
                "<iiiIHHI", numbers[contig], position - 1, len(ref), 0x7F800001, 0, len(alleles), 1 << 24 | num_persons
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

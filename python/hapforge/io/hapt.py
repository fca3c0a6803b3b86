"""HAPT, the format of the papers: a line for each haplotype, ``GROUP ID 0 1 1 0 ...``, as .hapt, .hapt.gz or .hapt.zip.

Columns are separated by spaces or tabs; the first becomes the label ``group``, the second the haplotype id, and
persons follow from the endings of the ids (`selection.sample_ids_of`), else rows 2i and 2i + 1 are one person. Sites
have no names in the format. A legend gives them: a header ``id position a0 a1`` and a line for each site, where a0 is
the allele of value 0 (REF) and a1 that of value 1 (ALT). It is taken from where the caller says, else from
``NAME.legend`` or ``NAME.legend.gz`` beside ``NAME.hapt``, ``NAME.hapt.gz`` or ``NAME.hapt.zip``. The contig is in ids
of the form ``contig:position`` or ``contig:position_a0_a1``, and is "1" where the ids have another form.
"""

from __future__ import annotations

import gzip
import os
import re
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples, Sites, words_per_row
from hapforge.io import text
from hapforge.io.atomic import atomic_files
from hapforge.io.blocks import Haplotypes, row_blocks
from hapforge.io.selection import sample_ids_of

Advance = Callable[[int], object]
_CHUNK = 4 << 20
_LEVEL = 4  # of deflate
_NAMES = 4096  # that are looked at at once
_LEGEND_ID = re.compile(r"([^:\s]+):(\d+)(?:_([^_\s]+)_([^_\s]+))?")
_GZIP_ERRORS = (EOFError, gzip.BadGzipFile, zlib.error)
ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    OSError,
    ValueError,
    KeyError,
)
"""What reading a damaged zip raises."""


def members(archive: zipfile.ZipFile) -> list[str]:
    """Names of the files in a zip but what macOS adds."""
    return [
        name
        for name in archive.namelist()
        if not name.endswith("/") and not name.startswith("__MACOSX/") and Path(name).name != ".DS_Store"
    ]


def read(
    path: str | os.PathLike[str],
    *,
    legend: str | os.PathLike[str] | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a HAPT file.

    Parameters
    ----------
    legend : file with the sites; default: the one beside (see the module), else positions are not known
    progress : called with numbers of bytes taken in; they add up to the file's size

    Raises
    ------
    FormatError
        Lines of different lengths, values other than 0 and 1, an id twice, a cut or damaged archive, a zip of more
        than one file, a byte order mark, a legend of another number of sites or out of order.
    """
    groups: list[str] = []
    ids: list[str] = []
    blocks: list[NDArray[np.uint64]] = []
    seen: dict[str, int] = {}
    num_sites = -1
    for number, lines in _line_blocks(path, progress or (lambda count: None)):
        if num_sites < 0:
            if lines[0].startswith(b"\xef\xbb\xbf"):
                raise FormatError(path, "plain text", "a byte order mark", "line 1")
            num_sites = _num_values(path, lines[0])
        dense = np.empty((len(lines), 2 * num_sites), np.uint8)
        for k, line in enumerate(lines):
            where = f"line {number + k}"
            group, name, tail = _columns(path, line, where)
            if name in seen:
                raise FormatError(path, "each haplotype id once", f"{name!r} again (first in line {seen[name]})", where)
            seen[name] = number + k
            groups.append(group)
            ids.append(name)
            if len(tail) != 2 * num_sites - 1:
                tail = _respaced(path, tail, num_sites, where)
            dense[k, :-1] = np.frombuffer(tail, np.uint8)
        dense[:, -1] = 32
        blocks.append(_backend.pack(_values(path, dense, lines, number)))
    if num_sites < 0:
        raise FormatError(path, "at least one line of GROUP ID 0 1 ...", "an empty file")
    sites = _sites(path, num_sites, legend)
    words = np.empty((len(ids), words_per_row(num_sites)), np.uint64)
    at = len(ids)
    while blocks:
        block = blocks.pop()
        words[at - len(block) : at] = block
        at -= len(block)
    labels = {} if set(groups) == {"."} else {"group": np.array(groups, dtype=np.dtypes.StringDType())}
    samples = Samples(len(ids), haplotype_id=ids, sample_id=sample_ids_of(ids), labels=labels)
    return HaplotypeMatrix(words, sites, samples, _checked=True)


def _line_blocks(path: str | os.PathLike[str], advance: Advance) -> Iterator[tuple[int, list[bytes]]]:
    """(number of the first, lines without their ends), about `_CHUNK` bytes at a time."""
    number, rest = 1, b""
    for chunk in _chunks(path, advance):
        head, feed, rest = (rest + chunk).rpartition(b"\n")
        if feed:
            lines = _plain(path, head, number)
            yield number, lines
            number += len(lines)
    if rest.strip():
        if number == 1:  # of a single line, nothing tells whether it was cut
            raise FormatError(path, "a line that ends in a line feed", "none: the file is cut", "line 1")
        yield number, _plain(path, rest, number)


def _plain(path: str | os.PathLike[str], data: bytes, number: int) -> list[bytes]:
    """Lines of `data` from line `number` on; CR LF ends one as LF does."""
    text.check_controls(path, data, number)
    lines = data.split(b"\n")
    return text.without_returns(path, lines, number) if b"\r" in data else lines


def _chunks(path: str | os.PathLike[str], advance: Advance) -> Iterator[bytes]:
    size = os.path.getsize(path)
    with open(path, "rb") as handle:
        head = handle.read(4)
        handle.seek(0)
        if head == b"PK\x03\x04":
            yield from _zipped(path, handle)
            advance(size)
            return
        packed = head[:2] == b"\x1f\x8b"
        at = 0
        try:
            with gzip.GzipFile(fileobj=handle) if packed else handle as stream:
                while chunk := stream.read(_CHUNK):
                    advance(handle.tell() - at)
                    at = handle.tell()
                    yield chunk
        except _GZIP_ERRORS as error:
            raise FormatError(path, "a whole gzip file", f"a cut or damaged one ({error})") from None
        advance(size - at)


def _zipped(path: str | os.PathLike[str], handle: BinaryIO) -> Iterator[bytes]:
    try:
        with zipfile.ZipFile(handle) as archive:
            names = members(archive)
            if len(names) != 1:
                found = f"{len(names)} ({', '.join(names[:4])})" if names else "none"
                raise FormatError(path, "a zip with one file", found)
            with archive.open(names[0]) as stream:
                while chunk := stream.read(_CHUNK):
                    yield chunk
    except FormatError:
        raise
    except ZIP_ERRORS as error:
        raise FormatError(path, "a whole zip file", f"a cut or damaged one ({str(error)[:80]})") from None


def _columns(path: str | os.PathLike[str], line: bytes, where: str) -> tuple[str, str, bytes]:
    parts = line.split(None, 2)
    if len(parts) != 3:
        raise FormatError(path, "GROUP ID 0 1 ...", f"{len(parts)} columns", where)
    try:
        return parts[0].decode(), parts[1].decode(), parts[2].rstrip()
    except UnicodeDecodeError:
        raise FormatError(path, "UTF-8 text", "other bytes", where) from None


def _num_values(path: str | os.PathLike[str], line: bytes) -> int:
    return len(_columns(path, line, "line 1")[2].split())


def _respaced(path: str | os.PathLike[str], tail: bytes, num_sites: int, where: str) -> bytes:
    """The values with one space between, of a line that has more."""
    values = tail.split()
    if len(values) != num_sites:
        raise FormatError(path, f"{num_sites} values, as line 1 has", f"{len(values)}", where)
    _check_values(path, values, where)
    return b" ".join(values)


def _check_values(path: str | os.PathLike[str], values: list[bytes], where: str) -> None:
    for j, value in enumerate(values):
        if value not in (b"0", b"1"):
            found = f"{value[:20].decode(errors='replace')!r} for site {j + 1}"
            raise FormatError(path, "values 0 and 1", found, where)


def _values(
    path: str | os.PathLike[str], dense: NDArray[np.uint8], lines: list[bytes], number: int
) -> NDArray[np.uint8]:
    """0 and 1 of rows whose bytes are to alternate between a digit and a separator."""
    values = dense[:, 0::2] - np.uint8(48)
    spaces = dense[:, 1::2]
    good = (values <= 1) & ((spaces == 32) | (spaces == 9))
    if not good.all():
        k = int(np.argmin(good.all(axis=1)))
        where = f"line {number + k}"
        found = _columns(path, lines[k], where)[2].split()
        if len(found) != values.shape[1]:
            raise FormatError(path, f"{values.shape[1]} values, as line 1 has", f"{len(found)}", where)
        _check_values(path, found, where)
        raise FormatError(path, "values separated by spaces or tabs", "other separators", where)
    return values


# ----------------------------------------------------------------------------------------------------------- legend


def _stem(path: str | os.PathLike[str]) -> Path:
    """`path` without .hapt, .hapt.gz or .hapt.zip."""
    target = Path(path)
    return target.with_name(re.sub(r"\.(gz|zip)$", "", target.name).removesuffix(".hapt"))


def legend_path(path: str | os.PathLike[str]) -> Path:
    """Where the legend of a HAPT file is written."""
    stem = _stem(path)
    return stem.with_name(f"{stem.name}.legend")


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """Where the legend of a HAPT file may be."""
    legend = legend_path(path)
    return [legend, legend.with_name(f"{legend.name}.gz")]


def _sites(path: str | os.PathLike[str], num_sites: int, legend: str | os.PathLike[str] | None) -> Sites:
    if legend is None:
        beside = legend_path(path)
        legend = next((p for p in (beside, beside.with_name(f"{beside.name}.gz")) if p.exists()), None)
        if legend is None:
            return Sites(num_sites=num_sites)
    sites = read_legend(legend)
    if len(sites) != num_sites:
        raise FormatError(legend, f"{num_sites} sites, as {os.fspath(path)} has", f"{len(sites)}")
    return sites


def read_legend(path: str | os.PathLike[str]) -> Sites:
    """The sites of a legend, plain or gzipped.

    Raises
    ------
    FormatError
        Other columns, an id that contradicts its line, sites out of order.
    """
    data = Path(path).read_bytes()
    try:
        data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        lines = [line.decode().split() for line in _plain(path, data.removesuffix(b"\n"), 1)]
    except _GZIP_ERRORS as error:
        raise FormatError(path, "a whole gzip file", f"a cut or damaged one ({error})") from None
    except UnicodeDecodeError:
        raise FormatError(path, "UTF-8 text", "other bytes") from None
    if [name.lower() for name in lines[0][:4]] != ["id", "position", "a0", "a1"]:
        found = repr(" ".join(lines[0])[:60]) if data else "an empty file"
        raise FormatError(path, "a header 'id position a0 a1'", found, "line 1")
    contig, position = [], []
    for number, fields in enumerate(lines[1:], 2):
        where = f"line {number}"
        if len(fields) != len(lines[0]):
            raise FormatError(path, f"{len(lines[0])} columns, as the header has", f"{len(fields)}", where)
        if not (fields[1].isascii() and fields[1].isdigit()):
            raise FormatError(path, "a position", repr(fields[1][:20]), where)
        position.append(int(fields[1]))
        found_id = _LEGEND_ID.fullmatch(fields[0])
        contig.append(found_id[1] if found_id else "1")
        if found_id and (found_id[2] != fields[1] or (found_id[3] and list(found_id.groups()[2:]) != fields[2:4])):
            raise FormatError(path, "an id that agrees with position and alleles", " ".join(fields[:4])[:80], where)
    columns = [[fields[k] for fields in lines[1:]] for k in (0, 2, 3)]
    try:
        return Sites(np.array(position, np.int64), contig=contig, id=columns[0], ref=columns[1], alt=columns[2])
    except (ValueError, OverflowError) as error:
        raise FormatError(path, "sites in order", str(error)) from None


# ---------------------------------------------------------------------------------------------------------- writing


def write(matrix: Haplotypes, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write HAPT, and a legend beside where positions are known.

    The first column is the label ``group``, or "." where there is none. Site ids are written in the legend's own form,
    ``contig:position_a0_a1``. What the format has no place for is named in a warning.

    Parameters
    ----------
    progress : called with numbers of haplotypes written

    Raises
    ------
    ValueError
        No haplotypes or no sites, spaces in ids, groups, contigs or alleles; positions that are not known and an older
        legend beside, which would be taken for this file's.
    """
    target = Path(path)
    n, num_sites = matrix.shape
    if not n or not num_sites:
        raise ValueError(
            f"{path}: expected at least one haplotype and one site to write as HAPT, found {n} x {num_sites}"
        )
    for first in range(0, n, _NAMES):
        groups, ids = _first_columns(matrix.samples, first, first + _NAMES)
        for what, names in (("haplotype ids", ids), ("groups", groups)):
            if bad := [name for name in names if not re.fullmatch(r"\S+", name)]:
                raise ValueError(f"{path}: expected {what} without spaces to write as HAPT, found {bad[0]!r}")
    beside = legend_path(target)
    known = matrix.sites.position_known
    if not known and (old := next((p for p in (beside, Path(f"{beside}.gz")) if p.exists()), None)):
        raise ValueError(
            f"{path}: positions are not known, and {old} beside would be taken for this file's; move it away"
        )
    text = _legend_text(matrix.sites, path) if known else ""
    _warn_of_losses(matrix, target)
    with atomic_files(target, *((beside, f"{beside}.gz") if known else ())) as folder:
        if known:
            (folder / beside.name).write_text(text, encoding="utf-8")
        _write_lines(matrix, folder / target.name, progress or (lambda count: None))


def _first_columns(samples: Samples, first: int, last: int) -> tuple[list[str], list[str]]:
    """Groups and ids of rows."""
    ids = samples.haplotype_id[first:last].tolist()
    if "group" not in samples.labels:
        return ["."] * len(ids), ids
    return [str(value) for value in samples.labels["group"][first:last].tolist()], ids


def _write_lines(matrix: Haplotypes, path: Path, advance: Advance) -> None:
    at_once, row = max(1, _CHUNK // (2 * matrix.num_sites)), 0
    with ExitStack() as stack:
        handle = stack.enter_context(path.open("wb"))
        sink: BinaryIO = handle
        if path.suffix == ".zip":
            archive = stack.enter_context(zipfile.ZipFile(handle, "w"))
            stamp = zipfile.ZipInfo(path.name.removesuffix(".zip"))  # of 1980: the same bytes at any time
            stamp.compress_type = zipfile.ZIP_DEFLATED
            sink = cast(BinaryIO, stack.enter_context(archive.open(stamp, "w", force_zip64=True)))
        elif path.suffix == ".gz":
            sink = cast(BinaryIO, stack.enter_context(gzip.GzipFile("", "wb", _LEVEL, handle, mtime=0)))
        for words in row_blocks(matrix):
            for start in range(0, len(words), at_once):
                dense = _backend.unpack(words[start : start + at_once], matrix.num_sites)
                text = np.full((len(dense), 2 * matrix.num_sites), 32, np.uint8)
                text[:, 0::2] = dense + np.uint8(48)
                text[:, -1] = 10
                names = zip(*_first_columns(matrix.samples, row, row + len(dense)), strict=True)
                for (group, name), line in zip(names, text, strict=True):
                    sink.write(f"{group} {name} ".encode() + line.tobytes())
                row += len(dense)
                advance(len(dense))


def _legend_text(sites: Sites, path: str | os.PathLike[str]) -> str:
    lines = ["id position a0 a1"]
    for contig, position, ref, alt in zip(
        sites.contig.tolist(), sites.position.tolist(), sites.ref.tolist(), sites.alt.tolist(), strict=True
    ):
        where = f"{path}, site {contig}:{position}"
        if not re.fullmatch(r"[^:\s]+", contig):
            raise ValueError(
                f"{where}: expected a contig without spaces and colons to write a legend, found {contig!r}"
            )
        if not (re.fullmatch(r"[^\s_]+", ref) and re.fullmatch(r"[^\s_]+", alt)):
            raise ValueError(
                f"{where}: expected alleles without spaces and _ to write a legend, found {ref!r} and {alt!r}"
            )
        lines.append(f"{contig}:{position}_{ref}_{alt} {position} {ref} {alt}")
    return "\n".join(lines) + "\n"


def _warn_of_losses(matrix: Haplotypes, path: Path) -> None:
    samples, sites = matrix.samples, matrix.sites
    lost = []
    if others := [name for name in samples.labels if name != "group"]:
        lost.append(f"labels ({', '.join(others)})")
    pairs = samples.named_by_person and np.array_equal(samples.person, np.arange(len(samples)) // 2)
    if not pairs or (samples.sample_id == "").any():
        back = Samples(len(samples), sample_id=sample_ids_of(samples.haplotype_id.tolist()))
        if not np.array_equal(back.sample_id, samples.sample_id):
            lost.append("sample ids")
    if sites.position_known and any(
        name not in (UNKNOWN_ALLELE, f"{contig}:{position}_{ref}_{alt}")
        for contig, position, ref, alt, name in zip(
            sites.contig.tolist(),
            sites.position.tolist(),
            sites.ref.tolist(),
            sites.alt.tolist(),
            sites.id.tolist(),
            strict=True,
        )
    ):
        lost.append("site ids")
    if not sites.position_known and (
        (sites.id != ".").any() or (sites.ref != ".").any() or (sites.contig != "1").any()
    ):
        lost.append("contigs, ids and alleles of sites without known positions")
    if lost:
        warnings.warn(f"{path}: {' and '.join(lost)} are lost, HAPT has no place for them", stacklevel=4)

"""VCF Zarr (.vcz): reading as bio2zarr and sgkit write it, in Zarr v2 and v3, as a folder or zipped; writing of both.

Zarr v2 is written unless v3 is asked for (``hapforge.write(..., zarr_format=3)``), since sgkit reads only that; a name
that ends in ``.vcz.zip`` is written as one zip file, with members that are stored as they are.

Read are ``call_genotype``, ``call_genotype_phased`` (without it nothing is phased), ``variant_position``,
``variant_contig``, ``contig_id``, ``variant_allele``, ``variant_id`` with its mask, and ``sample_id``, a chunk of
genotypes at a time. What is odd goes by the rules of `hapforge.io.records`. A region reads only chunks with something
of it, though all records' positions, to check their order. Memory is that of the packed result twice, and of a chunk of
genotypes; of writing, less than that of a chunk of genotypes.

A missing chunk is an error and never a fill value, with two exceptions, as bio2zarr leaves out chunks of zeros: those
of ``variant_contig``, where ``region_index`` says that their records are of contig 0 or there is no other; and those of
calls where the policy is ``chunks=fill``. Damage inside a chunk is noticed only as far as its compression notices it:
Zarr has no checksums. In a zip, the CRC of every member that is read is checked. Stores that are written here carry
``call_genotype/hapforge.sha256``, the SHA-256 of every file that is read, as ``sha256sum -c`` takes it; no Zarr reader
looks for it. It is checked where it is there.

Written are the arrays above, ``call_genotype_mask``, ``variant_length`` and ``region_index``, with consolidated
metadata, in chunks of 1024 sites and 10,000 persons, all chunks. Sites whose alleles are not known are written as ``N``
and ``<ALT>``, as in VCF. Positions that are only a count are said by the attribute ``hapforge_positions`` of
``variant_position``, and by the header line ``hapforge_positions=unknown``.

The files are read and written here directly, as those of `hapforge.io.hapz` are: zarr gives fill values for missing
chunks and is one more import. It is the independent reader of the tests.

References
----------
VCF Zarr specification 0.5; Zarr storage specification v2, Zarr core specification v3.0.
"""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import json
import math
import os
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import ChecksumError, FormatError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Sites, words_per_row
from hapforge.io import diploid
from hapforge.io.atomic import atomic_file, atomic_folder
from hapforge.io.blocks import BySite, Haplotypes
from hapforge.io.hapt import ZIP_ERRORS
from hapforge.io.hapz import check_only_zarr, text_bytes, texts
from hapforge.io.records import ABSENT, CALLS, MISSING, UNKNOWN, Block, Cohort, Policy, accepted_by
from hapforge.io.selection import Region

Advance = Callable[[int], object]
Array = NDArray[Any]
_STR = np.dtypes.StringDType()
_SITES = 1024  # of a chunk that is written; a multiple of 64
_PERSONS = 10_000
_AT_ONCE = 1 << 18  # calls that are turned to bits at once
_COMPRESSED = 1 << 19  # bytes of calls that are compressed at once
_SHORT = 128  # bytes that Blosc does not compress if there are fewer
_LARGEST = 1 << 31  # bytes of a chunk: no compressor of Zarr takes more
_SUMS = "call_genotype/hapforge.sha256"
_TOPS = ("call_genotype/.zarray", "call_genotype/zarr.json")
_COMPRESSORS = ("blosc", "zstd", "zlib", "gzip", "lz4", "bz2", "lzma")
_V2_FILTERS = ("vlen-utf8", "packbits", "delta", "crc32", "crc32c")
_V3_CODECS = ("bytes", "vlen-utf8", "blosc", "zstd", "gzip", "crc32c")
_V3_FIELDS = {
    *("zarr_format", "node_type", "shape", "data_type", "chunk_grid", "chunk_key_encoding", "fill_value", "codecs"),
    *("attributes", "storage_transformers", "dimension_names", "consolidated_metadata"),
}
_CODEC_ERRORS = (
    RuntimeError,
    SystemError,
    ValueError,
    TypeError,
    OSError,
    EOFError,
    MemoryError,
    ArithmeticError,
    LookupError,
)


# ------------------------------------------------------------------------------------------------- a folder or a zip


class _Source(Protocol):
    """The files of a Zarr group by their names in it."""

    def has(self, name: str) -> bool: ...

    def size(self, name: str) -> int: ...

    def read(self, name: str) -> bytes: ...

    def under(self, folder: str) -> list[str]: ...

    def close(self) -> None: ...


class _Folder:
    """Files on disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def has(self, name: str) -> bool:
        return (self.path / name).is_file()

    def size(self, name: str) -> int:
        """Bytes that reading takes in."""
        return (self.path / name).stat().st_size

    def read(self, name: str) -> bytes:
        """All of a file; FileNotFoundError where there is none."""
        return (self.path / name).read_bytes()

    def under(self, folder: str) -> list[str]:
        """Names of all files in a folder, relative to it."""
        top = self.path / folder
        return [Path(at, name).relative_to(top).as_posix() for at, _, names in os.walk(top) for name in names]

    def close(self) -> None: ...


class _Zip:
    """Members of a zip, at its top or in a folder there; the CRC of each is checked as it is read."""

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self.archive = zipfile.ZipFile(path)
        except FileNotFoundError:
            raise
        except ZIP_ERRORS as error:
            found = f"a cut or damaged one ({str(error)[:80] or type(error).__name__})"
            raise FormatError(path, "a whole zip file", found) from None
        try:
            self.members = self._checked()
        except FormatError:
            self.archive.close()
            raise

    def _checked(self) -> dict[str, zipfile.ZipInfo]:
        infos = [info for info in self.archive.infolist() if not info.is_dir()]
        end = 22 + len(self.archive.comment)
        with open(self.path, "rb") as handle:
            handle.seek(-end, os.SEEK_END)
            first = min((info.header_offset for info in self.archive.infolist()), default=0)
            whole = handle.read(4) == b"PK\5\6" and first == 0
        if not whole:
            raise FormatError(self.path, "one zip file", "other bytes before or behind it")
        for info in infos:
            where = self.path / info.filename
            if info.flag_bits & 1 or info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise FormatError(where, "a member that is stored or deflated", "one that is compressed otherwise")
            if info.file_size > _LARGEST:
                raise FormatError(where, "a member of less than 2 GiB", f"{info.file_size} bytes")
        tops = {name[: -len(top)] for name in self.archive.namelist() for top in _TOPS if name.endswith(f"/{top}")}
        tops |= {"" for top in _TOPS if top in self.archive.namelist()}
        if len(tops) != 1:
            raise FormatError(self.path, "one VCF Zarr store in the zip", f"{len(tops)}")
        top = tops.pop()
        members: dict[str, zipfile.ZipInfo] = {}
        for info in infos:
            if info.filename.startswith(top):
                name = info.filename.removeprefix(top)
                if name in members:
                    raise FormatError(self.path / info.filename, "each member once", "another of this name")
                members[name] = info
        return members

    def has(self, name: str) -> bool:
        return name in self.members

    def size(self, name: str) -> int:
        """Bytes that reading takes in."""
        return self.members[name].compress_size

    def read(self, name: str) -> bytes:
        """All of a member; FileNotFoundError where there is none."""
        if name not in self.members:
            raise FileNotFoundError(name)
        try:
            return self.archive.read(self.members[name])
        except ZIP_ERRORS as error:
            found = f"a cut or damaged one ({str(error)[:80] or type(error).__name__})"
            raise FormatError(self.path / name, "a whole member", found) from None

    def under(self, folder: str) -> list[str]:
        """Names of all members in a folder, relative to it."""
        return [name.removeprefix(f"{folder}/") for name in self.members if name.startswith(f"{folder}/")]

    def close(self) -> None:
        self.archive.close()


def in_zip(names: Iterable[str]) -> bool:
    """Whether members of a zip are those of a VCF Zarr store."""
    return any(f"/{name}".endswith(f"/{top}") for name in names for top in _TOPS)


# ----------------------------------------------------------------------------------------------- arrays of a Zarr group


class _Array:
    """An array of a Zarr group on disk.

    Parameters
    ----------
    store : of the array
    name : of its folder

    Raises
    ------
    FormatError
        No such array, damaged metadata, codecs that are not known.
    """

    def __init__(self, store: _Store, name: str) -> None:
        self.store, self.name, self.folder = store, name, store.path / name
        self.file = self.folder / ("zarr.json" if store.version == 3 else ".zarray")
        document = store.json(self.file)
        try:
            (self._parse_v3 if store.version == 3 else self._parse_v2)(document)
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            found = f"{type(error).__name__}: {str(error)[:60]}"
            raise FormatError(self.file, "the metadata of a Zarr array", found) from None
        numbers = [*self.shape, *self.chunks]
        if (
            len(self.shape) != len(self.chunks)
            or any(type(number) is not int or number < 0 for number in numbers)
            or 0 in self.chunks
            or math.prod(self.chunks) * max(1, self.dtype.itemsize) > _LARGEST
        ):
            found = f"shape {self.shape}, chunks {self.chunks}"
            raise FormatError(self.file, "a shape, and chunks of less than 2 GiB", found[:200])
        self.grid = tuple(-(-length // chunk) for length, chunk in zip(self.shape, self.chunks, strict=True))
        self.filled: set[tuple[int, ...]] = set()  # chunks that stand for their fill value
        self.last: tuple[tuple[int, ...], Array] | None = None
        self._counted: set[tuple[int, ...]] = set()

    def _parse_v2(self, document: dict[str, Any]) -> None:
        self.shape, self.chunks = tuple(document["shape"]), tuple(document["chunks"])
        self.dtype, self.order = _dtype(document["dtype"]), document["order"]
        separator = document.get("dimension_separator", ".")
        self._key: Callable[[Sequence[int]], str] = lambda index: separator.join(map(str, index))
        filters = document["filters"] or []
        compressor = [document["compressor"]] if document["compressor"] else []
        names = [codec["id"] for codec in filters], [codec["id"] for codec in compressor]
        if (
            document["zarr_format"] != 2
            or self.order not in ("C", "F")
            or separator not in (".", "/")
            or not set(names[0]) <= set(_V2_FILTERS)
            or not set(names[1]) <= set(_COMPRESSORS)
        ):
            raise ValueError(f"codecs {names}, order {self.order!r}")
        self._is_text = "vlen-utf8" in names[0]
        if self._is_text != (self.dtype == _STR) or (self._is_text and names[0] != ["vlen-utf8"]):
            raise ValueError(f"{self.dtype} with filters {names[0]}")
        import numcodecs

        self._codecs = [numcodecs.get_codec(dict(codec)) for codec in compressor]
        self._codecs += [numcodecs.get_codec(dict(codec)) for codec in filters[::-1] if not self._is_text]
        self.fill_is_zero = document["fill_value"] in (None, 0, False)

    def _parse_v3(self, document: dict[str, Any]) -> None:
        self.shape = tuple(document["shape"])
        self.chunks = tuple(document["chunk_grid"]["configuration"]["chunk_shape"])
        self.order = "C"
        encoding = document["chunk_key_encoding"]
        prefix = ["c"] if encoding["name"] == "default" else []
        separator = encoding.get("configuration", {}).get("separator", "/" if prefix else ".")
        self._key = lambda index: separator.join([*prefix, *map(str, index)])
        codecs = document["codecs"]
        names = [codec["name"] for codec in codecs]
        if (
            document["zarr_format"] != 3
            or document["node_type"] != "array"
            or document["chunk_grid"]["name"] != "regular"
            or encoding["name"] not in ("default", "v2")
            or separator not in (".", "/")
            or document.get("storage_transformers")
            or any(not _may_be_ignored(document[name]) for name in document.keys() - _V3_FIELDS)
            or not set(names) <= set(_V3_CODECS)
            or names[0] not in ("bytes", "vlen-utf8")
        ):
            raise ValueError(f"codecs {names}, separator {separator!r}")
        self._is_text = names[0] == "vlen-utf8"
        dtype = document["data_type"]
        if self._is_text != (dtype == "string"):
            raise ValueError(f"{dtype} with codecs {names}")
        self.dtype = _STR if self._is_text else _v3_dtype(dtype)
        if not self._is_text and codecs[0].get("configuration", {}).get("endian", "little") == "big":
            self.dtype = self.dtype.newbyteorder(">")
        import numcodecs

        self._codecs = [numcodecs.get_codec({"id": name}) for name in names[:0:-1]]
        self.fill_is_zero = document["fill_value"] in (0, False)

    def path(self, index: Sequence[int]) -> Path:
        """The file of a chunk."""
        return self.folder / self._key(index)

    def missing(self) -> list[tuple[int, ...]]:
        """Chunks that have no file; FormatError where there is a checksum of one."""
        present = set(self.store.source.under(self.name))
        missing = [index for index in np.ndindex(self.grid) if self._key(index) not in present]
        if (lost := next((index for index in missing if self.store.names_file(self.path(index))), None)) is not None:
            raise FormatError(self.path(lost), "a chunk of this array", "none")
        return missing

    def check_complete(self) -> None:
        """FormatError where a chunk is missing."""
        if missing := self.missing():
            raise FormatError(self.path(missing[0]), "a chunk of this array", "none")

    def get(self, *ranges: tuple[int, int]) -> Array:
        """The part between the ends of the ranges; of further dimensions, all.

        It is a view of a chunk where it is in one: calls are overwritten by the next, of `call_genotype_phased` too.
        """
        bounds = [*ranges, *((0, length) for length in self.shape[len(ranges) :])]
        spans = [range(a // c, -(-b // c)) for (a, b), c in zip(bounds, self.chunks, strict=True)]
        if all(len(span) == 1 for span in spans):
            chunk = self._chunk(tuple(span[0] for span in spans))
            return chunk[
                tuple(
                    slice(a - s[0] * c, b - s[0] * c) for (a, b), s, c in zip(bounds, spans, self.chunks, strict=True)
                )
            ]
        out = np.empty([b - a for a, b in bounds], self.dtype)
        for index in itertools.product(*spans):
            chunk = self._chunk(index)
            ends = [
                (max(a, k * c), min(b, (k + 1) * c)) for (a, b), k, c in zip(bounds, index, self.chunks, strict=True)
            ]
            source = tuple(slice(a - k * c, b - k * c) for (a, b), k, c in zip(ends, index, self.chunks, strict=True))
            target = tuple(slice(a - first, b - first) for (a, b), (first, _) in zip(ends, bounds, strict=True))
            out[target] = chunk[source]
        return out

    def _chunk(self, index: tuple[int, ...]) -> Array:
        if self.last is None or self.last[0] != index:
            self.last = None  # so that two are not in memory
            self.last = (index, self._decoded(index))
        return self.last[1]

    def _decoded(self, index: tuple[int, ...]) -> Array:
        if index in self.filled:
            return np.zeros(self.chunks, self.dtype)
        file = self.path(index)
        data: Any = self.store.bytes(file)
        if index not in self._counted:
            self._counted.add(index)
            self.store.advance(self.store.source.size(file.relative_to(self.store.path).as_posix()))
        count = math.prod(self.chunks)
        size = None if self._is_text else count * self.dtype.itemsize
        try:
            for codec in self._codecs:
                last = codec is self._codecs[-1]
                if codec.codec_id == "blosc":
                    _check_blosc(data, size if last else None)
                out = self.store.scratch(self, size) if codec.codec_id == "blosc" and last and size else None
                data = codec.decode(data, out=out)
            data = data if isinstance(data, bytes) else np.ascontiguousarray(data).view(np.uint8).reshape(-1).data
        except _CODEC_ERRORS as error:
            found = f"a cut or damaged one ({str(error)[:60] or type(error).__name__})"
            raise FormatError(file, "a chunk of a Zarr array", found) from None
        if self._is_text:
            return np.array(texts(file, data, count), dtype=_STR).reshape(self.chunks)
        if len(data) != size:
            raise FormatError(file, f"a chunk of {size} bytes", f"{len(data)}: it is cut or damaged")
        if self.dtype.kind == "b":
            values = np.frombuffer(data, np.uint8)
            if values.max(initial=0) > 1:
                raise FormatError(file, "booleans", "other bytes: it is damaged")
            if values.all():
                return np.broadcast_to(np.True_, self.chunks)  # phase, mostly: it takes no memory then
            return values.astype(bool).reshape(self.chunks, order=self.order)
        return np.frombuffer(data, self.dtype).reshape(self.chunks, order=self.order)

    def booleans(self, *ranges: tuple[int, int]) -> Array:
        """`get` of booleans, which xarray writes as integers."""
        values = self.get(*ranges)
        if values.dtype.kind != "b":
            if ((values != 0) & (values != 1)).any():
                raise FormatError(self.folder, "booleans, or integers 0 and 1", "others")
            values = values.astype(bool)
        return values

    def strings(self) -> Array:
        """All of an array of names."""
        return as_texts(self.folder, self.get((0, self.shape[0]))) if self.shape[0] else np.empty(0, _STR)


def _may_be_ignored(field: Any) -> bool:
    """Whether Zarr v3 lets a reader pass over a field that it does not know."""
    return isinstance(field, dict) and field.get("must_understand") is False


def _check_blosc(data: bytes, size: int | None) -> None:
    """ValueError where a Blosc chunk is not as long as it says, or does not hold `size` bytes."""
    if len(data) < 16:
        raise ValueError(f"{len(data)} bytes")
    unpacked, _, packed = struct.unpack_from("<III", data, 4)
    if packed != len(data) or unpacked > _LARGEST or size not in (None, unpacked):
        raise ValueError(f"Blosc header of {packed} and {unpacked} bytes")


def _dtype(name: Any) -> np.dtype[Any]:
    if name == "|O":
        return _STR
    dtype = np.dtype(name)
    if dtype.kind not in "biuUS" or not isinstance(name, str):
        raise ValueError(f"type {name!r}")
    return dtype


def _v3_dtype(name: Any) -> np.dtype[Any]:
    if isinstance(name, dict) and name["name"] == "fixed_length_utf32":
        return np.dtype(f"<U{name['configuration']['length_bytes'] // 4}")
    dtype = np.dtype(name)
    if dtype.kind not in "biu" or name not in ("bool", dtype.name):
        raise ValueError(f"type {name!r}")
    return dtype.newbyteorder("<")


class _Store:
    """A VCF Zarr group on disk, with the arrays that are read.

    Attributes
    ----------
    version : 2 or 3
    names : the sample ids
    position_known : bool
    """

    def __init__(self, path: str | os.PathLike[str], policy: Policy, advance: Advance) -> None:
        self.path, self.advance = Path(path), advance
        self._scratch: Array = np.empty(0, np.uint8)
        self.source: _Source = _Folder(self.path) if self.path.is_dir() else _Zip(self.path)
        with contextlib.ExitStack() as stack:
            stack.callback(self.close)
            self._open(policy)
            stack.pop_all()

    def close(self) -> None:
        """Close a zip, and let go of chunks: arrays and store name each other, so that they stay for a while."""
        self.source.close()
        self._scratch = np.empty(0, np.uint8)
        for array in vars(self).values():
            if isinstance(array, _Array):
                array.last = None

    def scratch(self, array: _Array, size: int) -> Array | None:
        """The one place where chunks of calls are unpacked, so that there is memory for one only; None for others."""
        if array.name not in ("call_genotype", "call_genotype_phased") or array.dtype.itemsize != 1:
            return None
        self.genotype.last = None
        if len(self._scratch) < size:
            self._scratch = np.empty(size, np.uint8)
        return self._scratch[:size]

    def _open(self, policy: Policy) -> None:
        self.version = 3 if self.source.has("call_genotype/zarr.json") else 2
        self._sums: dict[str, str] | None = None
        self._sums = self._read_sums()
        self.genotype = _Array(self, "call_genotype")
        self.phased = self._optional("call_genotype_phased")
        self.position = _Array(self, "variant_position")
        self.contig = _Array(self, "variant_contig")
        self.allele = _Array(self, "variant_allele")
        self.id = self._optional("variant_id")
        self.id_mask = self._optional("variant_id_mask")
        samples, contigs = _Array(self, "sample_id"), _Array(self, "contig_id")
        self._check_shapes(samples, contigs)
        for array in (self.position, self.allele, self.id, samples, contigs):
            if array is not None:
                array.check_complete()
        for array in (self.genotype, self.phased):
            if array is not None:
                self._check_calls(array, policy)
        if self.id_mask is not None:
            self.id_mask.filled = set(self.id_mask.missing())  # an id that is there says it by itself
        self.names, self.contigs = (names_of(array.folder, array.strings()) for array in (samples, contigs))
        self._check_contigs()
        self.position_known = self._position_known()

    def bytes(self, file: Path) -> bytes:
        """What a file holds, checked where its checksum is known."""
        name = file.relative_to(self.path).as_posix()
        data = self.source.read(name)
        if self._sums is not None and self._sums.get(name) != hashlib.sha256(data).hexdigest():
            raise ChecksumError(file, f"the SHA-256 of it in {_SUMS}", "another: the file is cut or damaged")
        return data

    def names_file(self, file: Path) -> bool:
        """Whether there is a checksum of a file."""
        return self._sums is not None and file.relative_to(self.path).as_posix() in self._sums

    def json(self, file: Path) -> dict[str, Any]:
        """A metadata file."""
        try:
            document = json.loads(self.bytes(file))
        except FileNotFoundError:
            raise FormatError(self.path, f"{file.relative_to(self.path)} of VCF Zarr", "none") from None
        except (ValueError, RecursionError) as error:
            if isinstance(error, FormatError):
                raise
            raise FormatError(file, "the metadata of Zarr", "other content: it is cut or damaged") from None
        if not isinstance(document, dict):
            raise FormatError(file, "the metadata of Zarr", "other content")
        return document

    def _read_sums(self) -> dict[str, str] | None:
        file = self.path / _SUMS
        if not self.source.has(_SUMS):
            return None
        try:
            lines = self.source.read(_SUMS).decode().split("\n")
        except UnicodeDecodeError:
            lines = [""]
        if lines[-1] or len(lines) < 2 or any(len(line) < 67 or line[64:66] != "  " for line in lines[:-1]):
            raise FormatError(file, "SHA-256 and name on each line", "others: it is cut or damaged")
        return {line[66:]: line[:64] for line in lines[:-1]}

    def _optional(self, name: str) -> _Array | None:
        there = self.source.under(name) or any(key.startswith(f"{name}/") for key in self._sums or ())
        return _Array(self, name) if there else None

    def _check_shapes(self, samples: _Array, contigs: _Array) -> None:
        shape = self.genotype.shape
        if len(shape) != 3 or shape[2] < 1 or self.genotype.dtype.kind != "i":
            found = f"{self.genotype.dtype} {shape}"
            raise FormatError(self.genotype.file, "integers (variants, samples, ploidy)", found)
        wanted: list[tuple[_Array | None, tuple[int, ...], str]] = [
            (self.phased, shape[:2], "bi"),
            (self.position, shape[:1], "iu"),
            (self.contig, shape[:1], "iu"),
            (self.allele, (*shape[:1], *self.allele.shape[1:2]), "TUS"),
            (self.id, shape[:1], "TUS"),
            (self.id_mask, shape[:1], "bi"),
            (samples, shape[1:2], "TUS"),
            (contigs, contigs.shape[:1], "TUS"),
        ]
        for array, expected, kinds in wanted:
            if array is not None and (array.shape != expected or array.dtype.kind not in kinds or not expected):
                what = {"bi": "booleans", "iu": "integers", "TUS": "texts"}[kinds]
                raise FormatError(array.file, f"{what} of shape {expected}", f"{array.dtype} {array.shape}")
        if len(self.allele.shape) != 2 or self.allele.shape[1] < 1:
            raise FormatError(self.allele.file, "texts (variants, alleles)", f"shape {self.allele.shape}")

    def _check_calls(self, array: _Array, policy: Policy) -> None:
        """Chunks of calls that are not there: an error, or zeros."""
        if not (missing := array.missing()):
            return
        if policy["chunks"] == "error" or not array.fill_is_zero:
            found = f"none{accepted_by('chunks') if array.fill_is_zero else ''}"
            raise FormatError(array.path(missing[0]), "a chunk of the calls", found)
        policy.count("chunks", chunks=len(missing))
        array.filled = set(missing)

    def _check_contigs(self) -> None:
        """Chunks of variant_contig that are not there must be known to be zeros otherwise."""
        missing = self.contig.missing()
        if missing and len(self.contigs) > 1:
            zeros = self._contig_zero_chunks()
            if (index := next((index for index in missing if index not in zeros), None)) is not None:
                found = "none, and several contigs and no region_index that says they are of the first"
                raise FormatError(self.contig.path(index), "a chunk of this array", found)
        if missing and not self.contig.fill_is_zero:
            raise FormatError(self.contig.path(missing[0]), "a chunk of this array", "none")
        self.contig.filled = set(missing)

    def _contig_zero_chunks(self) -> set[tuple[int, ...]]:
        """Chunks of variant_contig all of whose records are of contig 0, as region_index has it."""
        if (index := self._optional("region_index")) is None:
            return set()
        if len(index.shape) != 2 or index.shape[1] < 6 or index.dtype.kind not in "iu":
            raise FormatError(index.file, "integers (entries, 6)", f"{index.dtype} {index.shape}")
        index.check_complete()
        rows = index.get((0, index.shape[0])).astype(np.int64) if index.shape[0] else np.empty((0, 6), np.int64)
        num_sites, step = self.position.shape[0], self.position.chunks[0]
        if self.contig.chunks[0] != step:
            return set()
        known: set[tuple[int, ...]] = set()
        for k in range(self.contig.grid[0]):
            mine = rows[rows[:, 0] == k]
            if (mine[:, 1] == 0).all() and mine[:, 5].sum() == min(step, num_sites - k * step):
                known.add((k,))
        return known

    def _position_known(self) -> bool:
        """False where a mark says that positions are only a count."""
        if self.version == 3:
            of_array = self._attributes(self.position.file).get("attributes", {})
            of_group = self._attributes(self.path / "zarr.json").get("attributes", {})
        else:
            of_array = self._attributes(self.position.folder / ".zattrs")
            of_group = self._attributes(self.path / ".zattrs")
        header = of_group.get("vcf_meta_information", []) if isinstance(of_group, dict) else []
        counted = isinstance(of_array, dict) and of_array.get("hapforge_positions") == "unknown"
        return not (counted or (isinstance(header, list) and ["hapforge_positions", "unknown"] in header))

    def _attributes(self, file: Path) -> dict[str, Any]:
        """A file with attributes, which need not be there; those of the group, which others may add to, have no sum."""
        name = file.relative_to(self.path).as_posix()
        if not self.source.has(name):
            return {}
        if file.parent != self.path:
            return self.json(file)
        try:
            document = json.loads(self.source.read(name))
        except (ValueError, RecursionError) as error:
            if isinstance(error, FormatError):
                raise
            document = None
        if not isinstance(document, dict):
            raise FormatError(file, "the attributes of Zarr", "other content: it is cut or damaged")
        return document

    def records(self, start: int, stop: int) -> Block:
        """Sites `start` to `stop`, without calls."""
        span = (start, stop)
        ids = None if self.id is None else self.id.get(span)
        mask = None if self.id_mask is None else self.id_mask.booleans(span)
        return block_of(
            self.path, self.contigs, self.contig.get(span), self.position.get(span), self.allele.get(span), ids, mask
        )

    def calls(self, start: int, stop: int, first: int, last: int) -> tuple[Array, Array]:
        """(genotypes, phased) of some sites and persons."""
        none = np.broadcast_to(np.False_, (stop - start, last - first))
        phased = none if self.phased is None else self.phased.booleans((start, stop), (first, last))
        return self.genotype.get((start, stop), (first, last)), phased


# ------------------------------------------------------------------------------------------- records from arrays


def as_texts(path: str | os.PathLike[str], values: Array) -> Array:
    """Texts of any kind as those of variable length; bytes are UTF-8."""
    try:
        return (np.char.decode(values, "utf-8") if values.dtype.kind == "S" else values).astype(_STR, copy=False)
    except UnicodeDecodeError:
        raise FormatError(path, "UTF-8 text", "other bytes") from None


def names_of(path: str | os.PathLike[str], values: Array | Sequence[str]) -> list[str]:
    """Names of samples or contigs; FormatError unless each is there once."""
    names = [str(name) for name in np.asarray(values).tolist()]
    if not names or "" in names:
        raise FormatError(path, "names", "an empty one" if names else "none")
    seen: set[str] = set()
    if again := next((name for name in names if name in seen or seen.add(name)), None):  # type: ignore[func-returns-value]
        raise FormatError(path, "each name once", f"{again!r} twice")
    return names


def block_of(
    path: str | os.PathLike[str],
    contigs: Sequence[str],
    contig: Array,
    position: Array,
    alleles: Array,
    ids: Array | None,
    id_mask: Array | None,
) -> Block:
    """Records without calls, from the arrays of VCF Zarr.

    Parameters
    ----------
    contigs : names
    contig : integers (sites,), numbers of them
    position : integers (sites,)
    alleles : texts (sites, most alleles), REF first, empty ones behind
    ids : texts (sites,); none, or "" and "." where there is none
    id_mask : bool (sites,), true where there is no id

    Raises
    ------
    FormatError
        A number of no contig, alleles with gaps or commas.
    """
    wrong = np.flatnonzero((contig < 0) | (contig >= len(contigs)))
    if len(wrong):
        found = f"{contig[wrong[0]]} at position {position[wrong[0]]}"
        raise FormatError(path, f"variant_contig from 0 to {len(contigs) - 1}", found)
    alleles = as_texts(path, alleles)
    names = [UNKNOWN_ALLELE] * len(contig) if ids is None else as_texts(path, ids).tolist()
    masked = [False] * len(contig) if id_mask is None else id_mask.tolist()
    names = [UNKNOWN_ALLELE if none else name or UNKNOWN_ALLELE for name, none in zip(names, masked, strict=True)]
    others = alleles[:, 1:]
    block = Block([contigs[k] for k in contig.tolist()], position.tolist(), names, alleles[:, 0].tolist())
    empty = others == ""
    if (empty[:, :-1] & ~empty[:, 1:]).any():
        row = int(np.argmax((empty[:, :-1] & ~empty[:, 1:]).any(axis=1)))
        raise FormatError(path, "empty alleles behind the others only", "one before", block.where(row))
    if others.shape[1] == 1 or (others.shape[1] and empty[:, 1:].all()):
        block.alt = [alt or UNKNOWN_ALLELE for alt in others[:, 0].tolist()]
    else:
        block.alt = [",".join(filter(None, row)) or UNKNOWN_ALLELE for row in others.tolist()]
    num_alts = (~empty).sum(axis=1)
    if "," in "".join(block.alt):
        for row, alt in enumerate(block.alt):
            if alt.count(",") != max(0, int(num_alts[row]) - 1):
                raise FormatError(path, "alleles without commas", f"{alt[:40]!r}", block.where(row))
    return block


def add_calls(cohort: Cohort, block: Block, kept: Sequence[int], parts: Iterable[tuple[Array, Array]]) -> None:
    """Give `cohort` the records `kept` of a block, with their calls.

    Parameters
    ----------
    parts : (genotypes, integers (sites, persons, ploidy): numbers of alleles, -1 missing, -2 behind the last of a
        shorter call; phased, bool (sites, persons)) of persons that follow each other, together all of the file
    """
    rows = np.array(kept, np.int64)
    whole = len(kept) == len(block.position)
    if not whole:
        block = block.select(kept)
    words: list[NDArray[np.uint64]] = []
    widths: list[int] = []
    odd_calls: list[dict[int, tuple[Array, Array]]] = []
    odd = np.zeros(len(kept), bool)
    for genotypes, phased in parts:
        first, width = sum(widths) // 2, 2 * genotypes.shape[1]
        widths.append(width)
        words.append(np.empty((len(rows), words_per_row(width)), np.uint64))
        odd_calls.append({})
        step = max(1, _AT_ONCE // width)  # rows, so that what is made on the way is small beside the chunk
        for start in range(0, len(rows), step):
            mine = slice(rows[start], rows[start] + step) if whole else rows[start : start + step]
            pairs, bars = _pairs(cohort, block, genotypes[mine], first, start), phased[mine]
            clean = bars.all(axis=1) & ((pairs == 0) | (pairs == 1)).all(axis=(1, 2))
            for j in np.flatnonzero(~clean).tolist():
                odd_calls[-1][start + j] = pairs[j].astype(np.int16), bars[j].copy()
            odd[start : start + step] |= ~clean
            if not clean.all():
                pairs = np.where(clean[:, None, None], pairs, 0)
            dense = np.ascontiguousarray(pairs, np.int8).view(np.uint8).reshape(len(pairs), width)
            words[-1][start : start + step] = _backend.pack(dense)
        del genotypes, phased  # so that the next chunk is not beside this one
    block.words = words[0] if len(words) == 1 else _backend.concat_sites(words, widths)
    block.odd = np.flatnonzero(odd)
    persons = sum(widths) // 2
    block.alleles = np.empty((len(block.odd), persons, 2), np.int16)
    block.phased = np.ones((len(block.odd), persons), bool)
    at = 0
    for number, (width, calls) in enumerate(zip(widths, odd_calls, strict=True)):
        span = slice(at, at + width // 2)
        bits = _backend.unpack(np.ascontiguousarray(words[number][block.odd]), width)
        block.alleles[:, span] = bits.reshape(len(block.odd), width // 2, 2)
        for k, j in enumerate(block.odd.tolist()):
            if j in calls:
                block.alleles[k, span], block.phased[k, span] = calls[j]
        at += width // 2
    words.clear()
    cohort.add(block)


def _pairs(cohort: Cohort, block: Block, genotypes: Array, first: int, start: int) -> Array:
    """Genotypes of two alleles a person; they start at person `first` and record `start`."""
    ploidy = genotypes.shape[2]
    wrong = (genotypes < ABSENT) | (genotypes > np.iinfo(np.int16).max)
    wrong[:, :, 0] |= genotypes[:, :, 0] == ABSENT
    wrong[:, :, 1:] |= (genotypes[:, :, :-1] == ABSENT) & (genotypes[:, :, 1:] != ABSENT)
    wrong[:, :, 2:] |= genotypes[:, :, 2:] != ABSENT
    if wrong.any():
        j, person = (int(k) for k in np.argwhere(wrong.any(axis=2))[0])
        text = "|".join("." if allele == MISSING else str(allele) for allele in genotypes[j, person].tolist())
        found = f"{text[:20]!r} for sample {cohort.names[first + person]!r}"
        raise FormatError(cohort.path, CALLS, found, block.where(start + j))
    if ploidy == 1:
        return np.concatenate([genotypes, np.full_like(genotypes, ABSENT)], axis=2)
    return genotypes[:, :, :2]


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a VCF Zarr store.

    Parameters
    ----------
    region : sites to take; chunks of genotypes without any of them are not read
    samples : sample ids to take, in the order of the store
    maf : drop sites whose minor allele frequency among the haplotypes taken is below
    policy : what is done with odd input, and where that is counted; all is refused by default
    progress : called with numbers of bytes taken in; they add up to at most the store's size

    Raises
    ------
    FormatError, ChecksumError
        Missing, cut or damaged files; codecs that are not known; records or calls of another kind than the policy
        takes; nothing left to take.
    """
    policy = Policy() if policy is None else policy
    with contextlib.closing(_Store(path, policy, progress or (lambda count: None))) as store:
        cohort = Cohort(
            path,
            store.names,
            region=region,
            samples=samples,
            maf=maf,
            policy=policy,
            position_known=store.position_known,
        )
        _set_threads()
        _take(store, cohort)
    return cohort.matrix()


def _take(store: _Store, cohort: Cohort) -> None:
    """Give `cohort` all that it wants of a store."""
    num_sites, num_persons, _ = store.genotype.shape
    step, width, _ = store.genotype.chunks
    for start in range(0, num_sites, step):
        stop = min(start + step, num_sites)
        block = store.records(start, stop)
        if len(kept := cohort.wanted(block)):
            parts = (
                store.calls(start, stop, first, min(first + width, num_persons))
                for first in range(0, num_persons, width)
            )
            add_calls(cohort, block, kept, parts)


def _set_threads() -> None:
    from numcodecs import blosc

    blosc.set_nthreads(_backend.get_threads())


# ---------------------------------------------------------------------------------------------------------- writing


@dataclass
class _Target:
    """A group that is being written, of Zarr `version`, by `store` of a file's name and bytes."""

    store: Callable[[str, bytes], object]
    version: int
    metadata: dict[str, Any] = field(default_factory=dict)
    sums: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, data: bytes) -> None:
        """Write a file and take down its checksum."""
        self.store(name, data)
        self.sums[name] = hashlib.sha256(data).hexdigest()

    def put_json(self, name: str, document: dict[str, Any]) -> None:
        """Write metadata."""
        self.metadata[name] = document
        self.put(name, json.dumps(document, indent=1).encode())

    def describe(
        self, name: str, shape: Sequence[int], chunks: Sequence[int], dtype: np.dtype[Any], dimensions: str, **more: str
    ) -> None:
        """Write the metadata of an array; `more` are attributes."""
        text = dtype.kind == "T"
        blosc = {"cname": "zstd", "clevel": 7, "blocksize": 0}
        if self.version == 2:
            self.put_json(
                f"{name}/.zarray",
                {
                    "zarr_format": 2,
                    "shape": list(shape),
                    "chunks": list(chunks),
                    "dtype": "|O" if text else dtype.newbyteorder("<").str,
                    "fill_value": "" if text else None,
                    "order": "C",
                    "filters": [{"id": "vlen-utf8"}] if text else None,
                    "dimension_separator": ".",
                    "compressor": {"id": "blosc", **blosc, "shuffle": _shuffle(dtype)},
                },
            )
            self.put_json(f"{name}/.zattrs", {"_ARRAY_DIMENSIONS": dimensions.split(), **more})
            return
        shuffle = ("noshuffle", "shuffle", "bitshuffle")[_shuffle(dtype)]
        size = 1 if text else dtype.itemsize
        endian = {"configuration": {"endian": "little"}} if size > 1 else {}
        self.put_json(
            f"{name}/zarr.json",
            {
                "zarr_format": 3,
                "node_type": "array",
                "shape": list(shape),
                "data_type": "string" if text else dtype.name,
                "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
                "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
                "fill_value": "" if text else False if dtype.kind == "b" else 0,
                "codecs": [
                    {"name": "vlen-utf8", "configuration": {}} if text else {"name": "bytes", **endian},
                    {"name": "blosc", "configuration": {"typesize": size, "shuffle": shuffle, **blosc}},
                ],
                "attributes": more,
                "dimension_names": dimensions.split(),
                "storage_transformers": [],
            },
        )

    def key(self, name: str, index: Sequence[int]) -> str:
        """The file of a chunk."""
        return f"{name}/{'.'.join(map(str, index))}" if self.version == 2 else "/".join([name, "c", *map(str, index)])

    def array(self, name: str, values: Array, dimensions: str, rows: int = 0, **more: str) -> None:
        """Write an array in chunks of `rows`, or as one."""
        chunks = [max(1, length) for length in values.shape]
        chunks[0] = min(rows, chunks[0]) if rows else chunks[0]
        self.describe(name, values.shape, chunks, values.dtype, dimensions, **more)
        for k in range(-(-len(values) // chunks[0])):
            part = values[k * chunks[0] : (k + 1) * chunks[0]]
            if part.shape != tuple(chunks):
                whole = np.zeros(chunks, values.dtype)
                whole[: len(part)] = part
                part = whole
            self.put(self.key(name, [k] + [0] * (values.ndim - 1)), _packed(part))

    def finish(self, attributes: dict[str, Any]) -> None:
        """Write what is in the folder of the group, and the checksums of all else."""
        self.store(_SUMS, "".join(f"{value}  {key}\n" for key, value in self.sums.items()).encode())
        if self.version == 2:
            known = {**self.metadata, ".zgroup": {"zarr_format": 2}, ".zattrs": attributes}
            root = {name: known[name] for name in (".zgroup", ".zattrs")}
            root[".zmetadata"] = {"zarr_consolidated_format": 1, "metadata": known}
        else:
            known = {name.removesuffix("/zarr.json"): document for name, document in self.metadata.items()}
            inline = {"kind": "inline", "must_understand": False, "metadata": known}
            group = {"zarr_format": 3, "node_type": "group", "attributes": attributes, "consolidated_metadata": inline}
            root = {"zarr.json": group}
        for name, document in root.items():
            self.store(name, json.dumps(document, indent=1).encode())


def _packed(values: Array) -> bytes:
    """The bytes of a chunk."""
    from numcodecs import blosc

    text = values.dtype.kind == "T"
    data: Any = text_bytes(values.reshape(-1)) if text else np.ascontiguousarray(values)
    compressed: bytes = blosc.compress(data, b"zstd", 7, _shuffle(values.dtype))
    return compressed


def _shuffle(dtype: np.dtype[Any]) -> int:
    """Blosc's: of bits where a value has one byte, of bytes else."""
    return 2 if dtype.kind in "bi" and dtype.itemsize == 1 else 1


def write(
    matrix: Haplotypes,
    path: str | os.PathLike[str],
    *,
    zarr_format: int = 2,
    progress: Advance | None = None,
) -> None:
    """Write a VCF Zarr store, a folder or a zip. What is lost, such as labels and haplotype ids, is named in a warning.

    Parameters
    ----------
    zarr_format : 2, which all tools read, or 3
    progress : called with numbers of sites written

    Raises
    ------
    ValueError
        Not two rows for each person, side by side; no sites or no haplotypes; names or alleles that VCF has no place
        for; a folder in the place that is no VCF Zarr store, or with something else in it.
    """
    if zarr_format not in (2, 3):
        raise ValueError(f"zarr_format: expected 2 or 3, found {zarr_format!r}")
    name = "VCF Zarr"
    persons = diploid.person_ids(matrix, path, name)
    diploid.check_sites(matrix.sites, path, name)
    check_replaceable(path)
    diploid.warn_of_losses(matrix, path, name, list(matrix.samples.labels), counted=True)
    _set_threads()
    into = _into_zip if _is_zip(path) else _into_folder
    with diploid.by_site(matrix, path, name) as table, into(path) as store:
        target = _Target(store, zarr_format)
        _put_sites(target, matrix.sites)
        target.array(
            "sample_id", np.array(persons, _STR), "samples", _PERSONS
        )  # vcztools takes its chunks for those of calls
        _put_calls(target, table, progress or (lambda count: None))
        target.finish(_group_attributes(matrix.sites))


def _is_zip(path: str | os.PathLike[str]) -> bool:
    return os.fspath(path).endswith(".zip")


@contextlib.contextmanager
def _into_folder(path: str | os.PathLike[str]) -> Iterator[Callable[[str, bytes], object]]:
    with atomic_folder(path) as folder:

        def store(name: str, data: bytes) -> None:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)

        yield store


@contextlib.contextmanager
def _into_zip(path: str | os.PathLike[str]) -> Iterator[Callable[[str, bytes], object]]:
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:

        def store(name: str, data: bytes) -> None:
            info = zipfile.ZipInfo(name)  # its date is 1980: the same matrix gives the same bytes
            info.external_attr = 0o644 << 16
            archive.writestr(info, data)

        yield store


def _group_attributes(sites: Sites) -> dict[str, Any]:
    from hapforge import __version__

    header = [["fileformat", "VCFv4.3"], ["source", f"hapforge {__version__}"]]
    if not sites.position_known:
        header.append(["hapforge_positions", "unknown"])
    header += [["ALT", line] for line in diploid.alt_lines(sites)]
    return {"vcf_zarr_version": "0.5", "source": f"hapforge-{__version__}", "vcf_meta_information": header}


def _put_sites(target: _Target, sites: Sites) -> None:
    blocks = sites.contig_blocks()
    contig = np.repeat(np.arange(len(blocks), dtype=np.int32), [stop - start for _, start, stop in blocks])
    position = sites.position.astype(np.int32)
    alleles = np.stack([sites.ref, sites.alt], axis=1)
    unknown = sites.ref == UNKNOWN_ALLELE
    alleles[unknown] = np.array(UNKNOWN, _STR)
    alleles[alleles[:, 1] == UNKNOWN_ALLELE, 1] = ""
    length = np.strings.str_len(alleles[:, 0]).astype(np.int32)
    mark = {} if sites.position_known else {"hapforge_positions": "unknown"}
    target.array("contig_id", np.array([name for name, _, _ in blocks], _STR), "contigs")
    target.array("variant_contig", contig, "variants", _SITES)
    target.array("variant_position", position, "variants", _SITES, **mark)
    target.array("variant_length", length, "variants", _SITES)
    target.array("variant_id", sites.id, "variants", _SITES)
    target.array("variant_id_mask", sites.id == UNKNOWN_ALLELE, "variants", _SITES)
    target.array("variant_allele", alleles, "variants alleles", _SITES)
    index = []
    for k in range(-(-len(position) // _SITES)):
        span = slice(k * _SITES, (k + 1) * _SITES)
        last = position[span].astype(np.int64) + length[span] - 1
        for number in np.unique(contig[span]).tolist():
            mine = contig[span] == number
            at = position[span][mine]
            index.append([k, number, at[0], at[-1], last[mine].max(), len(at)])
    target.array("region_index", np.array(index, np.int32), "region_index_values region_index_fields")


def _put_calls(target: _Target, table: BySite, advance: Advance) -> None:
    num_sites, num_persons = table.num_sites, table.num_haplotypes // 2
    high, wide = min(_SITES, num_sites), min(_PERSONS, num_persons)
    shape = (num_sites, num_persons, 2)
    dimensions = "variants samples ploidy"
    calls, flag = np.dtype(np.int8), np.dtype(bool)
    target.describe("call_genotype", shape, (high, wide, 2), calls, dimensions)
    target.describe("call_genotype_mask", shape, (high, wide, 2), flag, dimensions)
    target.describe("call_genotype_phased", shape[:2], (high, wide), flag, "variants samples")
    no_mask = _packed_calls(np.zeros((min(64, high - at), 2 * wide), np.uint8) for at in range(0, high, 64))
    for k, start in enumerate(range(0, num_sites, _SITES)):
        for c, first in enumerate(range(0, num_persons, wide)):
            persons = slice(first, min(first + wide, num_persons))
            bands = _bands(table, start, high, persons, wide)
            target.put(target.key("call_genotype", (k, c, 0)), _packed_calls(bands))
            target.put(target.key("call_genotype_mask", (k, c, 0)), no_mask)
            phased = np.zeros((64, wide), np.uint8)
            phased[:, : persons.stop - first] = table.samples.phased[persons]
            bands = (phased[: high - at] for at in range(0, high, 64))
            target.put(target.key("call_genotype_phased", (k, c)), _packed_calls(bands))
        advance(min(_SITES, num_sites - start))


def _bands(table: BySite, start: int, high: int, persons: slice, wide: int) -> Iterator[Array]:
    """uint8 (64, 2 `wide`), the calls of a chunk that starts at site `start`, 64 of its `high` rows at a time."""
    first, last = 2 * persons.start, 2 * persons.stop
    lead = first % 64
    for at in range(0, high, 64):
        band = np.zeros((min(64, high - at), 2 * wide), np.uint8)
        if (count := min(64, table.num_sites - start - at)) > 0:
            bits = table.bits(start + at, start + at + count, first - lead, last)
            band[:count, : last - first] = _backend.unpack(bits, lead + last - first)[:, lead:]
        yield band


def _packed_calls(bands: Iterable[Array]) -> bytes:
    """The bytes of a chunk of calls, of 64 rows at a time (the last may be fewer), so that it is never whole in memory.

    Each block of a Blosc chunk is compressed by itself: those of short chunks, of one block each, are put together
    under one header (magic, flags and sizes; the offsets of the blocks; the blocks).
    """
    from numcodecs import blosc

    blocks: list[bytes] = []
    total, size, head = 0, 0, b""
    for band in bands:
        if band.shape[1] < _SHORT:
            return _packed(np.concatenate([band, *bands]).view(np.int8))
        rows = max(8, min(64, 1 << (_COMPRESSED // band.shape[1]).bit_length() - 1))
        for at in range(0, len(band), rows):
            piece = band[at : at + rows]
            frame = blosc.compress(piece, b"zstd", 7, blosc.BITSHUFFLE, piece.nbytes)
            head, size = head or frame[:4], size or piece.nbytes
            if frame[:4] != head or frame[2] & 2:  # seven bits in eight are zero: it does not happen
                raise RuntimeError("Blosc did not compress a block of calls")
            blocks.append(frame[20:])
            total += piece.nbytes
    offsets = np.cumsum([16 + 4 * len(blocks), *map(len, blocks)]).astype("<u4")
    return b"".join([head, struct.pack("<III", total, size, int(offsets[-1])), offsets[:-1].tobytes(), *blocks])


def check(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError for aligned sequences."""
    diploid.check_haplotypes(sites, path, "VCF Zarr")


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Refuse to put a store in the place of a folder that holds anything else.

    Raises
    ------
    ValueError
        A folder in the place that is no VCF Zarr store, and not empty, or has something else in it.
    """
    folder = Path(path)
    if not folder.is_dir() or _is_zip(path) or not any(folder.iterdir()):
        return
    if not is_store(folder):
        raise ValueError(f"{folder}: expected a VCF Zarr store, an empty folder or nothing there, found another folder")
    check_only_zarr(folder)


def is_store(folder: Path) -> bool:
    """Whether a folder is a Zarr group with genotypes."""
    return any((folder / name).is_file() for name in (".zgroup", "zarr.json")) and any(
        (folder / "call_genotype" / name).is_file() for name in (".zarray", "zarr.json")
    )

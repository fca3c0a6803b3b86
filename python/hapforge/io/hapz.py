"""The native store (.hapz): a Zarr v3 group that zarr reads too.

A folder with

- ``genotypes`` uint8 (num_haplotypes, site_bytes): the bytes of `HaplotypeMatrix.words`, little-endian, so that site j
  is bit ``j % 8`` of byte ``j // 8`` and site_bytes = 8 * words_per_row. Inner chunks of at most 512 haplotypes x 2048
  bytes (16,384 sites), each Blosc (zstd, no shuffle) and CRC-32C, in shards of at most 256 MiB;
- ``variant_position``, ``variant_contig`` (index into ``contig_id``), ``variant_id``, ``variant_allele`` (REF, ALT),
  ``sample_id`` (persons) under their VCF-Zarr names; ``variant_genetic_position_cm`` where any is known;
  ``variant_allele_count`` (of ALT), ``sample_phased``,
  ``haplotype_id``, ``haplotype_sample`` (index into ``sample_id``), ``haplotype_label_0`` ...: one chunk each, Blosc
  and CRC-32C. Text is UTF-8 of variable length;
- attributes: ``hapforge_format`` (1), ``num_sites``, ``position_known``, ``labels`` (names), ``sha256`` (of each
  array's uncompressed bytes; of text, of its vlen-utf8 encoding) and ``metadata_sha256`` of all metadata.

All of it is checked when it is read: the metadata on opening, CRC-32C of every inner chunk always, SHA-256 of an array
when the whole of it is read. A missing chunk is an error and never a fill value.

The mappable form has the genotypes in one uncompressed chunk; `Store.read` hands them out as a read-only
`numpy.memmap`. Read as a whole they are checked by one pass through the file unless ``verify=False``; a region or
some persons of them are not checked. A file that is removed or replaced stays mapped as it was (and so do those that
`write` replaces); one that another program cuts in place ends the process with SIGBUS where its lost part is used,
which the command line says in one line. Other files are never mapped.

The files are read and written here directly: zarr gives fill values for missing chunks, holds a whole shard in memory
to write it, and is one more import. It is the independent reader of the tests.

References
----------
Zarr core specification v3.0, sharding codec v1.0, Blosc and CRC-32C codecs; VCF Zarr specification.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import ChecksumError, FormatError
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, words_per_row
from hapforge.io.atomic import atomic_folder
from hapforge.io.blocks import Haplotypes, row_blocks
from hapforge.io.selection import Region, frequent, no_site, rows_of, site_range

Advance = Callable[[int], object]
Array = NDArray[Any]
FORMAT = 1
_GENETIC = "variant_genetic_position_cm"
_CHUNK_ROWS = 512
_CHUNK_BYTES = 2048
_SHARD_BYTES = 256 << 20
_READ = 4 << 20
_TEXTS = 4096  # that are taken out of an array at once
_STR = np.dtypes.StringDType()
_BLOSC = {"cname": "zstd", "clevel": 5, "shuffle": "noshuffle", "typesize": 1, "blocksize": 0}
_CODECS: list[dict[str, Any]] = [{"name": "blosc", "configuration": _BLOSC}, {"name": "crc32c"}]
_BYTES: dict[str, Any] = {"name": "bytes"}
_DTYPES = {
    "bool",
    "float16",
    "float32",
    "float64",
    *(f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)),
}
_LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}


# ------------------------------------------------------------------------------------------------- codecs, metadata


def _crc32c(data: bytes | memoryview) -> bytes:
    import google_crc32c

    return struct.pack("<I", google_crc32c.value(bytes(data)))


def _blosc() -> Any:
    from numcodecs import blosc

    return blosc


def _encoded(data: bytes | memoryview) -> bytes:
    packed: bytes = _blosc().compress(data, b"zstd", _BLOSC["clevel"], 0)
    return packed + _crc32c(packed)


def _decoded(path: Path, data: bytes | memoryview, size: int, out: Array | None = None) -> Any:
    """The `size` bytes of a chunk, into `out` where it is given."""
    body = memoryview(data)[:-4]
    if len(data) < 20 or _crc32c(body) != bytes(data[-4:]):
        raise ChecksumError(path, "a chunk with the CRC-32C behind it", "another: the file is damaged")
    if struct.unpack_from("<I", body, 4)[0] != size:
        raise FormatError(path, f"a chunk of {size} bytes", f"{struct.unpack_from('<I', body, 4)[0]}")
    try:
        return _blosc().decompress(body, out)
    except RuntimeError as error:
        raise FormatError(path, "a Blosc chunk", str(error)) from None


def _array_metadata(
    shape: Sequence[int], dtype: str, chunks: Sequence[int], codecs: list[dict[str, Any]], fill: Any
) -> dict[str, Any]:
    return {
        "zarr_format": 3,
        "node_type": "array",
        "shape": list(shape),
        "data_type": dtype,
        "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": list(chunks)}},
        "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
        "fill_value": fill,
        "codecs": codecs,
        "attributes": {},
        "storage_transformers": [],
    }


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":"), ensure_ascii=True).encode()


def _metadata_digest(document: dict[str, Any]) -> str:
    attributes = {key: value for key, value in document["attributes"].items() if key != "metadata_sha256"}
    return hashlib.sha256(json.dumps({**document, "attributes": attributes}, sort_keys=True).encode()).hexdigest()


def text_bytes(values: Array) -> bytes:
    """The vlen-utf8 encoding of strings (n,): the number of texts, then length and bytes of each."""
    data = bytearray(struct.pack("<I", len(values)))
    for start in range(0, len(values), _TEXTS):
        for value in values[start : start + _TEXTS].tolist():
            text = value.encode()
            data += struct.pack("<I", len(text)) + text
    return bytes(data)


def texts(path: Path, data: bytes, count: int) -> list[str]:
    """The `count` texts of a vlen-utf8 encoding; FormatError where it is none."""
    at, found = 4, []
    unpack = struct.Struct("<I").unpack_from
    try:
        if unpack(data, 0)[0] != count:
            raise ValueError(count)
        for _ in range(count):
            stop = at + 4 + unpack(data, at)[0]
            found.append(data[at + 4 : stop].decode())
            at = stop
    except (ValueError, struct.error):
        raise FormatError(path, f"{count} texts", "other bytes") from None
    if at != len(data):
        raise FormatError(path, f"{count} texts", "more bytes")
    return found


# ---------------------------------------------------------------------------------------------------------- reading


class Store:
    """A .hapz file, opened: metadata, sites and samples; genotypes are read when they are asked for.

    Attributes
    ----------
    path : Path
    shape : (num_haplotypes, num_sites)
    mappable : bool, whether the genotypes lie uncompressed
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        file = self.path / "zarr.json"
        try:
            document = json.loads(file.read_bytes())
            attributes = document["attributes"]
            version = attributes["hapforge_format"]
            stated = attributes["metadata_sha256"]
            digest = _metadata_digest(document)
        except (ValueError, KeyError, TypeError, RecursionError):
            raise FormatError(file, "the metadata of a hapforge store", "other content") from None
        if version != FORMAT:
            raise FormatError(file, f"store format {FORMAT}", f"{version}; a newer hapforge wrote it")
        if stated != digest:
            raise ChecksumError(file, "metadata of the SHA-256 it names", "other: the file is damaged")
        self._attributes: dict[str, Any] = attributes
        self._metadata: dict[str, dict[str, Any]] = document["consolidated_metadata"]["metadata"]
        for name, metadata in self._metadata.items():
            own = self.path / name / "zarr.json"
            try:
                same = json.loads(own.read_bytes()) == metadata
            except (ValueError, OSError, RecursionError):
                same = False
            if not same:
                raise ChecksumError(own, "the metadata that the group has of this array", "other or none")
        self.shape = (int(self._metadata["genotypes"]["shape"][0]), int(attributes["num_sites"]))
        grid = self._metadata["genotypes"]["chunk_grid"]["configuration"]["chunk_shape"]
        self._shard: tuple[int, int] = (grid[0], grid[1])
        first = self._metadata["genotypes"]["codecs"][0]
        self.mappable: bool = first["name"] == "bytes"
        chunk = self._shard if self.mappable else first["configuration"]["chunk_shape"]
        self._chunk: tuple[int, int] = (chunk[0], chunk[1])
        for file in self._genotype_files():
            if not file.is_file():
                raise FormatError(file, "a chunk of the genotypes", "none")

    def __repr__(self) -> str:
        return f"Store({str(self.path)!r}, {self.shape[0]} haplotypes x {self.shape[1]} sites)"

    def _genotype_files(self) -> list[Path]:
        if 0 in self.shape:
            return []
        return [self.path / "genotypes" / "c" / str(k) / "0" for k in range(-(-self.shape[0] // self._shard[0]))]

    def _array(self, name: str) -> Array:
        """A small array, as a whole."""
        metadata = self._metadata[name]
        shape = tuple(metadata["shape"])
        file = self.path / name / "c" / "/".join("0" for _ in shape)
        count = math.prod(shape)
        text = metadata["data_type"] == "string"
        data = b""
        if count:
            try:
                packed = file.read_bytes()
            except FileNotFoundError:
                raise FormatError(file, "the chunk of this array", "none") from None
            length = struct.unpack_from("<I", packed, 4)[0] if text and len(packed) >= 8 else -1
            size = length if text else count * np.dtype(metadata["data_type"]).itemsize
            data = _decoded(file, packed, size)
        self._verify(file, name, hashlib.sha256(data).hexdigest())
        if text:
            return np.array(texts(file, data, count) if count else [], dtype=_STR).reshape(shape)
        dtype = np.dtype(metadata["data_type"])
        return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(shape)

    def _verify(self, file: Path, name: str, digest: str) -> None:
        stated = self._attributes["sha256"][name]
        if digest != stated:
            raise ChecksumError(file, f"{name} of SHA-256 {stated[:16]}...", f"{digest[:16]}...")

    @cached_property
    def sites(self) -> Sites:
        """The sites."""
        contigs = self._array("contig_id")
        number = self._array("variant_contig")
        alleles = self._array("variant_allele")
        try:
            return Sites(
                self._array("variant_position"),
                contig=contigs[number] if len(number) else np.empty(0, _STR),
                id=self._array("variant_id"),
                ref=alleles[:, 0],
                alt=alleles[:, 1],
                position_known=self._attributes["position_known"],
                genetic_position_cm=self._array(_GENETIC) if _GENETIC in self._metadata else None,
            )
        except (ValueError, IndexError) as error:
            raise FormatError(self.path, "sites that fit", str(error)) from None

    @cached_property
    def samples(self) -> Samples:
        """Who the rows are."""
        person = self._array("haplotype_sample")
        names = self._array("sample_id")
        labels = {name: self._array(f"haplotype_label_{k}") for k, name in enumerate(self._attributes["labels"])}
        try:
            return Samples(
                self.shape[0],
                haplotype_id=self._array("haplotype_id"),
                sample_id=names[person] if len(person) else np.empty(0, _STR),
                labels=labels,
                phased=self._array("sample_phased"),
            )
        except (ValueError, IndexError) as error:
            raise FormatError(self.path, "samples that fit", str(error)) from None

    @cached_property
    def allele_counts(self) -> NDArray[np.int64]:
        """int64 (num_sites,): haplotypes with ALT, as counted when the store was written."""
        return self._array("variant_allele_count")

    def read(
        self,
        *,
        region: Region | None = None,
        samples: Sequence[str] | None = None,
        maf: float | None = None,
        verify: bool = True,
        progress: Advance | None = None,
    ) -> HaplotypeMatrix:
        """The haplotypes, or a part of them: only inner chunks with something of it are read.

        Parameters
        ----------
        region, samples : sites and sample ids to take
        maf : drop sites whose minor allele frequency among the haplotypes taken is below
        verify : check the SHA-256 of genotypes that are read as a whole (of the mappable form, this reads them all)
        progress : called with numbers of bytes of genotypes read; they add up to the files' sizes, or to less where
            a part is read

        Raises
        ------
        FormatError, ChecksumError
            Missing, cut or damaged files; nothing left to take.
        """
        n, num_sites = self.shape
        first, stop = site_range(self.path, self.sites, region) if region else (0, num_sites)
        rows = None if samples is None else rows_of(self.path, self.samples.sample_id, samples)
        advance = progress or (lambda count: None)
        if self.mappable:
            words = self._mapped(verify and region is None and rows is None, advance)
            if rows is not None:
                words = np.ascontiguousarray(words[rows])
            start = 0
        else:
            wanted = np.arange(n) if rows is None else rows
            start, width = first // 64, words_per_row(stop) - first // 64
            words = self._decompressed(wanted, 8 * start, 8 * width, advance)
            if verify and rows is None and width == words_per_row(num_sites):
                self._verify(self.path / "genotypes", "genotypes", _digest(words))
        if verify and region is None and rows is None:
            self.allele_counts  # noqa: B018 (read to be checked, so that a whole read leaves nothing unchecked)
        sites = self.sites
        if region is not None:
            index = np.arange(first, stop)
            words = _backend.select_sites(np.ascontiguousarray(words), 64 * words.shape[1], index - 64 * start)
            sites = sites.select(index)
        who = self.samples if rows is None else self.samples.select(rows)
        matrix = HaplotypeMatrix(words, sites, who, _checked=self.mappable and not verify)
        if maf:
            counts = self.allele_counts if region is None and rows is None else None
            if counts is None:
                counts = _backend.allele_counts(matrix.words, matrix.num_sites)
            kept = frequent(counts, matrix.num_haplotypes, maf)
            if not kept.any():
                raise no_site(self.path, region, maf)
            matrix = matrix if kept.all() else matrix.select_sites(kept)
        return matrix

    def _mapped(self, verify: bool, advance: Advance) -> NDArray[np.uint64]:
        """The genotypes in place."""
        n, width = self._metadata["genotypes"]["shape"]
        if n * width == 0:
            return np.zeros((n, width // 8), np.uint64)
        file = self._genotype_files()[0]
        if file.stat().st_size != n * width + 4:
            raise FormatError(file, f"{n * width + 4} bytes", f"{file.stat().st_size}: the file is cut")
        if verify:
            self._verify(file, "genotypes", _file_digest(file, n * width))
            advance(n * width + 4)
        return np.memmap(file, "<u8", "r", shape=(n, width // 8))

    def _decompressed(self, rows: Array, first: int, width: int, advance: Advance) -> NDArray[np.uint64]:
        """Words of `rows` (ascending), `width` bytes from byte `first` on."""
        _blosc().set_nthreads(_backend.get_threads())
        out = np.zeros((len(rows), width), np.uint8)
        high, wide = self._chunk
        per_row = -(-self._metadata["genotypes"]["shape"][1] // wide)
        columns = range(first // wide, -(-(first + width) // wide))
        shard = -1
        edges = np.searchsorted(rows, np.arange(0, self.shape[0] + high, high))
        with ExitStack() as stack:
            for r in np.flatnonzero(np.diff(edges)).tolist() if width else []:
                if r * high // self._shard[0] != shard:
                    stack.close()
                    shard = r * high // self._shard[0]
                    file = self._genotype_files()[shard]
                    handle = stack.enter_context(file.open("rb"))
                    index = _shard_index(file, handle, self._shard[0] // high * per_row)
                target = out[edges[r] : edges[r + 1]]
                mine = rows[edges[r] : edges[r + 1]] - r * high
                for c in columns:
                    at, length = (int(v) for v in index[r % (self._shard[0] // high) * per_row + c])
                    if at == 2**64 - 1:
                        raise FormatError(file, "every chunk of the genotypes", f"none for rows from {r * high} on")
                    handle.seek(at)
                    data = handle.read(length)
                    left, right = max(first, c * wide), min(first + width, (c + 1) * wide)
                    if len(mine) == high and left == c * wide and right - left == width == wide:
                        _decoded(file, data, high * wide, target)
                    else:
                        chunk = np.frombuffer(_decoded(file, data, high * wide), np.uint8).reshape(high, wide)
                        target[:, left - first : right - first] = chunk[mine, left - c * wide : right - c * wide]
                    advance(length)
        return out.view("<u8").astype(np.uint64, copy=False)


def _digest(words: NDArray[np.uint64]) -> str:
    digest = hashlib.sha256()
    for start in range(0, len(words), 4096):
        digest.update(np.ascontiguousarray(words[start : start + 4096]).astype("<u8", copy=False).data)
    return digest.hexdigest()


def _file_digest(file: Path, size: int) -> str:
    """Of the first `size` bytes, which are read: mapped ones would be a SIGBUS where the file is cut meanwhile."""
    digest, left = hashlib.sha256(), size
    with file.open("rb") as handle:
        while left:
            data = handle.read(min(left, _READ))
            if not data:
                raise FormatError(file, f"{size + 4} bytes", f"{size - left}: the file was cut while it was read")
            digest.update(data)
            left -= len(data)
    return digest.hexdigest()


def _shard_index(file: Path, handle: BinaryIO, count: int) -> NDArray[np.uint64]:
    """uint64 (count, 2): where each inner chunk starts and how long it is."""
    size = handle.seek(0, os.SEEK_END)
    if size < 16 * count + 4:
        raise FormatError(file, "a shard with its index", f"{size} bytes: the file is cut")
    handle.seek(size - 16 * count - 4)
    data = handle.read()
    if _crc32c(data[:-4]) != data[-4:]:
        raise ChecksumError(file, "a shard index with the CRC-32C behind it", "another: the file is cut or damaged")
    return np.frombuffer(data[:-4], "<u8").reshape(count, 2)


def open(path: str | os.PathLike[str]) -> Store:
    """Open a .hapz file without reading its genotypes."""
    return Store(path)


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """`Store.read` of the store at `path`, verified."""
    return Store(path).read(region=region, samples=samples, maf=maf, progress=progress)


# ---------------------------------------------------------------------------------------------------------- writing


def check_replaceable(path: str | os.PathLike[str]) -> None:
    """Refuse to put a store in the place of a folder that holds anything else.

    Raises
    ------
    ValueError
        A folder in the place that is no store, and not empty, or has something else in it.
    """
    folder = Path(path)
    if not folder.is_dir() or not any(folder.iterdir()):
        return
    try:
        found = "hapforge_format" in json.loads((folder / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        found = False
    if not found:
        raise ValueError(f"{folder}: expected a .hapz store, an empty folder or nothing there, found another folder")
    check_only_zarr(folder)


def check_only_zarr(folder: Path) -> None:
    """ValueError where a folder with a store has a file in it that Zarr does not know, or a folder without metadata."""
    for place in sorted(folder.iterdir()):
        own = any((place / name).is_file() for name in ("zarr.json", ".zarray", ".zgroup"))
        if not own and place.name not in ("zarr.json", ".zgroup", ".zattrs", ".zmetadata"):
            raise ValueError(f"{folder}: expected nothing but a store in the folder to replace, found {place.name}")


class Writer:
    """Write a store from blocks of rows, holding no more than 512 of them.

    Leaving the context without an error, with all rows there, puts the store in its place; on an error nothing is left.

    Parameters
    ----------
    path : of the store; what is there is replaced
    sites, samples : of the whole cohort
    mappable : genotypes uncompressed in one chunk

    Raises
    ------
    ValueError
        A folder in the place that is no store, and not empty, or has something else in it.
    """

    def __init__(self, path: str | os.PathLike[str], sites: Sites, samples: Samples, *, mappable: bool = False) -> None:
        self.path, self.sites, self.samples, self.mappable = Path(path), sites, samples, mappable
        n, width = len(samples), 8 * words_per_row(len(sites))
        self._width = width
        self._chunk = (max(1, min(n, _CHUNK_ROWS)), max(1, min(width, _CHUNK_BYTES)))
        per_shard = max(1, min(_SHARD_BYTES // max(1, self._chunk[0] * width), -(-n // self._chunk[0])))
        wide = max(1, -(-width // self._chunk[1])) * self._chunk[1]
        self._shard = (max(1, n), max(1, width)) if mappable else (self._chunk[0] * per_shard, wide)
        self._rows = 0
        self._counts = np.zeros(len(sites), np.int64)
        self._digest = hashlib.sha256()
        self._waiting: list[NDArray[np.uint64]] = []
        self._num_waiting = 0
        self._index: list[tuple[int, int]] = []
        self._crc: int | None = None
        self._stack = ExitStack()
        self._handle: BinaryIO | None = None
        self._arrays: dict[str, dict[str, Any]] = {}
        self._sha256: dict[str, str] = {}

    def __enter__(self) -> Writer:
        check_replaceable(self.path)
        _blosc().set_nthreads(_backend.get_threads())
        self._folder = self._stack.enter_context(atomic_folder(self.path))
        return self

    def append(self, words: NDArray[np.uint64]) -> None:
        """The next rows.

        Parameters
        ----------
        words : uint64 (rows, words_per_row), as in `HaplotypeMatrix`

        Raises
        ------
        ValueError
            Another width, more rows than there are samples, set padding bits.
        """
        if words.ndim != 2 or words.shape[1] * 8 != self._width or words.dtype != np.uint64:
            found = f"{words.dtype} {words.shape}"
            raise ValueError(f"words: expected uint64 (rows, {self._width // 8}), found {found}")
        if self._rows + self._num_waiting + len(words) > len(self.samples):
            raise ValueError(f"words: expected {len(self.samples)} rows in all, found more")
        if len(self.sites) % 64 and (words[:, -1] >> np.uint64(len(self.sites) % 64)).any():
            raise ValueError("words: expected zero padding bits, found set ones")
        self._waiting.append(np.array(words))
        self._num_waiting += len(words)
        step = self._chunk[0]
        if self._num_waiting >= step:
            rows = np.concatenate(self._waiting)
            whole = len(rows) - len(rows) % step
            for start in range(0, whole, step):
                self._put(rows[start : start + step])
            self._waiting, self._num_waiting = [rows[whole:].copy()], len(rows) - whole

    def _put(self, rows: NDArray[np.uint64]) -> None:
        """Write a row of inner chunks."""
        self._counts += _backend.allele_counts(np.ascontiguousarray(rows), len(self.sites))
        data = np.ascontiguousarray(rows).astype("<u8", copy=False).view(np.uint8)
        self._digest.update(data.data)
        if self._width:
            if self._handle is None:
                file = self._folder / "genotypes" / "c" / str(self._rows // self._shard[0]) / "0"
                file.parent.mkdir(parents=True)
                self._handle = self._stack.enter_context(file.open("wb"))
            if self.mappable:
                self._handle.write(data.data)
                self._crc = _extended(self._crc, data)
            else:
                self._put_chunks(data)
        self._rows += len(rows)
        if self._handle is not None and self._rows % self._shard[0] == 0:
            self._finish_shard()

    def _put_chunks(self, data: NDArray[np.uint8]) -> None:
        assert self._handle is not None
        high, wide = self._chunk
        for start in range(0, self._shard[1], wide):
            part = data[:, start : start + wide]
            if part.shape != (high, wide):
                part = np.pad(part, ((0, high - part.shape[0]), (0, wide - part.shape[1])))
            packed = _encoded(np.ascontiguousarray(part).reshape(-1).data)
            self._index.append((self._handle.tell(), len(packed)))
            self._handle.write(packed)

    def _finish_shard(self) -> None:
        assert self._handle is not None
        if self.mappable:
            assert self._crc is not None
            self._handle.write(struct.pack("<I", self._crc))
        else:
            count = self._shard[0] // self._chunk[0] * (self._shard[1] // self._chunk[1])
            index = np.full((count, 2), 2**64 - 1, "<u8")
            index[: len(self._index)] = self._index
            self._handle.write(index.tobytes() + _crc32c(index.tobytes()))
        self._handle.close()
        self._handle, self._index = None, []

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._stack.__exit__(kind, error, trace)
            return
        with self._stack:
            if self._num_waiting:
                self._put(np.concatenate(self._waiting))
            if self._rows != len(self.samples):
                raise ValueError(f"{self.path}: expected {len(self.samples)} rows, found {self._rows}")
            if self._handle is not None:
                self._finish_shard()
            self._finish()

    def _finish(self) -> None:
        """Metadata and the small arrays."""
        if self.mappable:
            codecs: list[dict[str, Any]] = [_BYTES, {"name": "crc32c"}]
        else:
            inner = {
                "chunk_shape": list(self._chunk),
                "codecs": [_BYTES, *_CODECS],
                "index_codecs": [_LITTLE, {"name": "crc32c"}],
                "index_location": "end",
            }
            codecs = [{"name": "sharding_indexed", "configuration": inner}]
        shape = (len(self.samples), self._width)
        self._describe("genotypes", _array_metadata(shape, "uint8", self._shard, codecs, 0))
        self._sha256["genotypes"] = self._digest.hexdigest()
        sites, samples = self.sites, self.samples
        blocks = sites.contig_blocks()
        self._small("contig_id", np.array([name for name, _, _ in blocks], dtype=_STR))
        lengths = [stop - start for _, start, stop in blocks]
        self._small("variant_contig", np.repeat(np.arange(len(blocks), dtype=np.int32), lengths))
        self._small("variant_position", sites.position)
        self._small("variant_id", sites.id)
        self._small("variant_allele", np.stack([sites.ref, sites.alt], axis=1))
        if not np.isnan(sites.genetic_position_cm).all():
            self._small(_GENETIC, sites.genetic_position_cm)
        self._small("variant_allele_count", self._counts)
        first = np.unique(samples.person, return_index=True)[1]
        self._small("sample_id", samples.sample_id[first])
        self._small("sample_phased", samples.phased)
        self._small("haplotype_id", samples.haplotype_id)
        self._small("haplotype_sample", samples.person)
        for k, values in enumerate(samples.labels.values()):
            self._small(f"haplotype_label_{k}", values)
        group: dict[str, Any] = {
            "zarr_format": 3,
            "node_type": "group",
            "attributes": {
                "hapforge_format": FORMAT,
                "num_sites": len(sites),
                "position_known": sites.position_known,
                "labels": list(samples.labels),
                "sha256": self._sha256,
            },
            "consolidated_metadata": {"kind": "inline", "must_understand": False, "metadata": self._arrays},
        }
        group["attributes"]["metadata_sha256"] = _metadata_digest(group)
        (self._folder / "zarr.json").write_bytes(_json(group))

    def _describe(self, name: str, metadata: dict[str, Any]) -> None:
        self._arrays[name] = metadata
        (self._folder / name).mkdir(exist_ok=True)
        (self._folder / name / "zarr.json").write_bytes(_json(metadata))

    def _small(self, name: str, values: Array) -> None:
        """An array of one chunk."""
        shape = values.shape
        fill: Any = ""
        if values.dtype.kind == "T":
            data = text_bytes(values.reshape(-1)) if values.size else b""
            dtype, codecs = "string", [{"name": "vlen-utf8"}, *_CODECS]
        else:
            dtype = values.dtype.name
            if dtype not in _DTYPES:
                raise ValueError(f"{self.path}: expected labels of a number type that zarr has, found {dtype}")
            data = np.ascontiguousarray(values).astype(values.dtype.newbyteorder("<"), copy=False).tobytes()
            codecs = [_BYTES if values.dtype.itemsize == 1 else _LITTLE, *_CODECS]
            fill = False if dtype == "bool" else 0 if values.dtype.kind in "iu" else 0.0
        self._describe(name, _array_metadata(shape, dtype, [max(1, length) for length in shape], codecs, fill))
        self._sha256[name] = hashlib.sha256(data).hexdigest()
        if data:
            file = self._folder / name / "c" / "/".join("0" for _ in shape)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(_encoded(data))


def _extended(crc: int | None, data: NDArray[np.uint8]) -> int:
    import google_crc32c

    return int(google_crc32c.extend(crc or 0, data.tobytes()))


def write(
    matrix: Haplotypes,
    path: str | os.PathLike[str],
    *,
    mappable: bool = False,
    progress: Advance | None = None,
) -> None:
    """Write a store.

    Parameters
    ----------
    mappable : genotypes uncompressed in one file, which reading maps into memory
    progress : called with numbers of haplotypes written
    """
    with Writer(path, matrix.sites, matrix.samples, mappable=mappable) as writer:
        for rows in row_blocks(matrix):
            for start in range(0, len(rows), _CHUNK_ROWS):
                writer.append(rows[start : start + _CHUNK_ROWS])
                if progress:
                    progress(len(rows[start : start + _CHUNK_ROWS]))

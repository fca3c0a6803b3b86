"""NumPy archives (.npz): packed haplotypes with their sites and persons.

Keys: ``packed`` uint8 (num_haplotypes, ceil(num_sites / 8)), ``np.packbits`` along the rows with the most significant
bit first and zero behind the last site; ``shape`` (num_haplotypes, num_sites); ``hap_id``, ``sample_id``, ``phased``
(of each person); ``chrom``, ``pos``, ``snp_id``, ``a0`` (REF), ``a1`` (ALT); ``position_known``; ``sha256``. Only the
first two must be there. Without ``sample_id`` persons follow from the endings of ``hap_id``, else rows 2i and 2i + 1
are one. Every other vector with a value for each haplotype is a label of its key's name; a label whose name is one of
those above or starts with ``label_`` has ``label_`` put before it in the file.

``sha256`` is of all other members: name, dtype, shape and bytes of each, in the order of their names. A file that has
it is checked; in every file the zip's own CRC-32 of each member is.

A .npz or .npy with one matrix of 0 and 1 is read too. Nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import tokenize
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import ChecksumError, FormatError
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites
from hapforge.io.atomic import atomic_file
from hapforge.io.blocks import Haplotypes, row_blocks
from hapforge.io.hapt import ZIP_ERRORS
from hapforge.io.selection import sample_ids_of

Advance = Callable[[int], object]
Array = NDArray[Any]
_SITE_KEYS = {"chrom": "contig", "snp_id": "id", "a0": "ref", "a1": "alt"}
_KEYS = {
    "packed",
    "shape",
    "hap_id",
    "sample_id",
    "phased",
    "pos",
    "position_known",
    "genetic_position_cm",
    "sha256",
    *_SITE_KEYS,
}
_HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
_NPY_ERRORS = (
    ValueError,
    TypeError,
    KeyError,
    EOFError,
    OverflowError,
    MemoryError,
    RecursionError,
    SyntaxError,
    tokenize.TokenError,
)
"""What reading a damaged .npy raises; its header is a Python literal."""
_TEXTS = 4096  # that are looked at at once
_LAST_CHARACTER = 0x10FFFF
_REVERSED = np.array([int(f"{k:08b}"[::-1], 2) for k in range(256)], np.uint8)


def read(path: str | os.PathLike[str], *, progress: Advance | None = None) -> HaplotypeMatrix:
    """The haplotypes of a NumPy archive.

    Parameters
    ----------
    progress : called with the file's size once it was taken in

    Raises
    ------
    FormatError
        A cut or damaged file, one that only unpickling could read, arrays that don't fit each other.
    ChecksumError
        The content is not what its checksum was made of.
    """
    arrays = _arrays(path)
    if progress:
        progress(os.path.getsize(path))
    if "packed" not in arrays:
        return _plain(path, arrays)
    if (stated := arrays.pop("sha256", None)) is not None and str(stated) != _digest(arrays):
        raise ChecksumError(path, f"content of sha256 {str(stated)[:16]}...", f"{_digest(arrays)[:16]}...")
    n, num_sites = _shape(path, arrays)
    words = _words(path, arrays["packed"], n, num_sites)
    hap_id = arrays.get("hap_id")
    sample_id: Any = arrays.get("sample_id")
    if sample_id is None and hap_id is not None:
        sample_id = sample_ids_of([str(name) for name in hap_id.tolist()]) if hap_id.ndim == 1 else None
    names = [key.removeprefix("label_") for key in arrays if key not in _KEYS]
    if len(set(names)) < len(names):
        raise FormatError(path, "each label once", f"one both with and without label_ before it, of {', '.join(names)}")
    labels = {key.removeprefix("label_"): v for key, v in arrays.items() if key not in _KEYS and v.shape == (n,)}
    if unknown := [key for key, v in arrays.items() if key not in _KEYS and v.shape != (n,)]:
        found = f"{unknown[0]!r} of shape {arrays[unknown[0]].shape}"
        raise FormatError(path, f"labels with {n} values, one for each haplotype", found)
    known = arrays.get("position_known")
    try:
        sites = Sites(
            arrays.get("pos"),
            num_sites=num_sites,
            position_known=None if known is None else bool(known),
            genetic_position_cm=arrays.get("genetic_position_cm"),
            **{name: arrays.get(key) for key, name in _SITE_KEYS.items()},
        )
        samples = Samples(n, haplotype_id=hap_id, sample_id=sample_id, labels=labels, phased=arrays.get("phased"))
    except (ValueError, TypeError) as error:
        raise FormatError(path, "sites and samples that fit", str(error)) from None
    return HaplotypeMatrix(words, sites, samples, _checked=True)


def _arrays(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Every array of the file; whole members are read, so that their CRC-32 is checked."""
    data = Path(path).read_bytes()
    if data[:2] != b"PK":
        return {"": _array(path, data, "the array")}
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if any(info.comment or (info.extra and len(data) < 1 << 32) for info in archive.infolist()):
                raise FormatError(path, "a zip directory without comments", "some: the file is damaged")
            if len(set(names)) < len(names) or not all(name.endswith(".npy") for name in names):
                raise FormatError(path, "a zip of .npy files", ", ".join(names[:6]))
            return {name.removesuffix(".npy"): _array(path, archive.read(name), name) for name in names}
    except FormatError:
        raise
    except ZIP_ERRORS as error:
        raise FormatError(path, "a whole .npz file", f"a cut or damaged one ({str(error)[:80]})") from None


def _array(path: str | os.PathLike[str], data: bytes, name: str) -> Array:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        read_header = _HEADERS[version]
        shape, _, dtype = read_header(stream)
        size, left = math.prod(shape) * dtype.itemsize, len(data) - stream.tell()
        if dtype.hasobject:
            raise FormatError(path, "a NumPy array", "pickled objects, which are never loaded", name)
        if min(shape, default=0) < 0 or size != left:  # seen before memory of the size that it names is asked for
            raise FormatError(path, f"an array of {size} bytes, as its header says", f"{left}", name)
        stream.seek(0)
        array = np.lib.format.read_array(stream, allow_pickle=False)
        if dtype.kind == "U" and _has_no_text(array):
            raise FormatError(path, "text of Unicode characters", "other numbers", name)
        return array
    except FormatError:
        raise
    except _NPY_ERRORS:
        raise FormatError(path, "a NumPy array", "a damaged one", name) from None


def _has_no_text(array: Array) -> bool:
    """Whether some of its numbers stand for no character."""
    codes = (
        np.ascontiguousarray(array)
        .reshape(-1)
        .view(np.uint32 if array.dtype.isnative else array.dtype.byteorder + "u4")
    )
    return bool((codes > _LAST_CHARACTER).any() or ((codes >= 0xD800) & (codes < 0xE000)).any())


def _plain(path: str | os.PathLike[str], arrays: dict[str, Array]) -> HaplotypeMatrix:
    matrices = [array for array in arrays.values() if array.ndim == 2]
    if len(arrays) != 1 or len(matrices) != 1:
        found = ", ".join(f"{key} {array.shape}" for key, array in list(arrays.items())[:6])
        raise FormatError(path, "the keys packed and shape, or one matrix of 0 and 1", found or "an empty archive")
    try:
        return HaplotypeMatrix.from_dense(matrices[0])
    except (ValueError, TypeError) as error:
        raise FormatError(path, "a matrix of 0 and 1", str(error)) from None


def _shape(path: str | os.PathLike[str], arrays: dict[str, Array]) -> tuple[int, int]:
    shape = arrays.get("shape")
    if shape is None or shape.shape != (2,) or shape.dtype.kind not in "iu" or (shape < 0).any():
        found = "none" if shape is None else f"{shape.dtype} {shape.tolist()}"
        raise FormatError(path, "shape: the numbers of haplotypes and sites", found)
    return int(shape[0]), int(shape[1])


def _words(path: str | os.PathLike[str], packed: Array, n: int, num_sites: int) -> NDArray[np.uint64]:
    width = -(-num_sites // 8)
    if packed.shape != (n, width) or packed.dtype != np.uint8:
        raise FormatError(path, f"packed: uint8 ({n}, {width})", f"{packed.dtype} {packed.shape}")
    if num_sites % 8 and (packed[:, -1] & (0xFF >> (num_sites % 8))).any():
        raise FormatError(path, "packed: zero behind the last site", "set bits")
    rows = np.zeros((n, -(-num_sites // 64) * 8), np.uint8)
    rows[:, :width] = _REVERSED[packed]
    return rows.view("<u8").astype(np.uint64, copy=False)


def _digest(arrays: dict[str, Array]) -> str:
    digest = hashlib.sha256()
    _digest_of(arrays, digest)
    return digest.hexdigest()


def _digest_of(arrays: dict[str, Array], digest: hashlib._Hash) -> None:
    for key in sorted(arrays):
        digest.update(_heading(key, arrays[key].dtype, arrays[key].shape))
        digest.update(np.ascontiguousarray(arrays[key]).tobytes())


def _heading(key: str, dtype: np.dtype[Any], shape: tuple[int, ...]) -> bytes:
    return f"{key} {dtype.str} {shape}\n".encode()


def write(matrix: Haplotypes, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write a NumPy archive; everything comes back as it was.

    Parameters
    ----------
    progress : called with numbers of haplotypes written
    """
    sites, samples = matrix.sites, matrix.samples
    packed = (matrix.num_haplotypes, -(-matrix.num_sites // 8))
    arrays: dict[str, Array] = {
        "shape": np.array(matrix.shape, np.int64),
        "hap_id": _text(samples.haplotype_id, "haplotype ids"),
        "sample_id": _text(samples.sample_id, "sample ids"),
        "phased": samples.phased,
        "pos": sites.position,
        "position_known": np.array(sites.position_known),
        **{key: _text(getattr(sites, name), name) for key, name in _SITE_KEYS.items()},
    }
    if not np.isnan(sites.genetic_position_cm).all():
        arrays["genetic_position_cm"] = sites.genetic_position_cm
    for name, values in samples.labels.items():
        key = f"label_{name}" if name in _KEYS or name.startswith("label_") else name
        if "/" in key or "\0" in key:
            raise ValueError(f"{path}: expected label names without / to write as .npz, found {name!r}")
        arrays[key] = _text(values, f"label {name}") if values.dtype.kind == "T" else values
    digest = hashlib.sha256()
    _digest_of({key: array for key, array in arrays.items() if key < "packed"}, digest)
    digest.update(_heading("packed", np.dtype(np.uint8), packed))
    with atomic_file(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED) as archive:
        with _member(archive, "packed") as member:
            shape = {"descr": "|u1", "fortran_order": False, "shape": packed}
            np.lib.format.write_array_header_1_0(member, shape)
            for words in row_blocks(matrix):
                little = words.astype("<u8", copy=False).view(np.uint8)
                rows = _REVERSED[little[:, : packed[1]]].tobytes()
                digest.update(rows)
                member.write(rows)
                if progress:
                    progress(len(words))
        _digest_of({key: array for key, array in arrays.items() if key > "packed"}, digest)
        arrays["sha256"] = np.array(digest.hexdigest())
        for key, array in arrays.items():
            with _member(archive, key) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _member(archive: zipfile.ZipFile, key: str) -> IO[bytes]:
    stamp = zipfile.ZipInfo(f"{key}.npy")  # of 1980: the same bytes at any time
    stamp.compress_type = zipfile.ZIP_DEFLATED
    return archive.open(stamp, "w", force_zip64=True)


def _text(values: Array, what: str) -> Array:
    """As fixed-width text, whose trailing NULs NumPy would not give back."""
    for first in range(0, len(values), _TEXTS):
        if bad := next((text for text in values[first : first + _TEXTS].tolist() if text.endswith("\0")), None):
            raise ValueError(f"{what}: expected text that does not end in NUL, found {bad!r}")
    return values.astype(f"U{max(1, int(np.strings.str_len(values).max(initial=1)))}")

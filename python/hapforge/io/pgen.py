"""PGEN/PVAR/PSAM of PLINK 2, phased, read and written through Pgenlib (extra ``io``).

``NAME.pgen`` stands with ``NAME.pvar`` (or ``NAME.pvar.zst``) and ``NAME.psam``. Before Pgenlib sees a file, its header
is held against both and against its size: the storage mode, the numbers of sites and persons, the type, length and
place of every record, allele counts; then every record is gone through, to its last bit. Hard calls are read; a file
with dosages is refused, for they would be lost.

A heterozygous call without phase, a missing call and a site of several ALT alleles go by the rules of
`hapforge.io.records.Policy`. Whether a homozygous call was phased is not in the format. Value 1 is ALT.

References
----------
PLINK 2 File Format Specification Draft, section 2 (PGEN), https://github.com/chrchang/plink-ng/tree/master/pgen_spec.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, Sites
from hapforge.io import diploid, plink_tables, text
from hapforge.io.atomic import atomic_files, likely_error
from hapforge.io.blocks import Haplotypes
from hapforge.io.records import MISSING, Block, Cohort, Policy
from hapforge.io.selection import Region

Advance = Callable[[int], object]
_AT_ONCE = 2 << 20  # calls
_CHECKED = 4 << 20  # bytes of records that are checked at once
_BLOCK = 1 << 16  # sites of a block of records
_FIXED, _VARIABLE = 0x02, 0x10
_MULTIALLELIC, _PHASED, _DOSAGE = 0x08, 0x10, 0xE0


def _pgenlib() -> Any:
    try:
        import pgenlib
    except ImportError:
        raise MissingDependencyError("Pgenlib", "io") from None
    return pgenlib


def check(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError for aligned sequences."""
    diploid.check_haplotypes(sites, path, "PGEN")


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """Where sites and persons of `path` may be."""
    return [*_site_files(path), Path(path).with_suffix(".psam")]


def _site_files(path: str | os.PathLike[str]) -> list[Path]:
    return [Path(path).with_suffix(ending) for ending in (".pvar", ".pvar.zst")]


# ---------------------------------------------------------------------------------------------------------- reading


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a .pgen with its .pvar and .psam beside; memory is that of the packed result twice, and 40 MiB.

    Parameters
    ----------
    region : sites to take; others are not read
    samples : sample ids (IID) to take, in the order of the file
    maf : drop sites whose minor allele frequency among the haplotypes taken is below
    policy : what is done with odd input; default: it is refused
    progress : called with numbers of bytes passed; they add up to the file's size

    Raises
    ------
    FormatError
        No .pvar or .psam, a header that does not fit them or the file's size, dosages, a damaged record; what `policy`
        does not accept.
    MissingDependencyError
        Pgenlib is not installed.
    """
    pgenlib = _pgenlib()
    policy = Policy() if policy is None else policy
    advance = progress or (lambda count: None)
    pvar = text.only_one(path, _site_files(path), ".pvar")
    psam = Path(path).with_suffix(".psam")
    for place, there in ((".pvar", pvar is not None), (".psam", psam.exists())):
        if not there:
            raise FormatError(path, f"{Path(path).stem}{place} beside", "none")
    assert pvar is not None
    sites, known = plink_tables.read_sites(pvar, policy)
    ids, labels = plink_tables.read_persons(psam, policy)
    num_sites, num_persons = len(sites.position), len(ids)
    num_alleles = np.array([2 + alt.count(",") for alt in sites.alt], np.int64)
    size = os.path.getsize(path)
    _check_contents(path, *check_header(path, num_alleles, num_persons), num_alleles - 1, num_persons)
    cohort = Cohort(path, ids, region=region, samples=samples, maf=maf, policy=policy, position_known=known)
    offsets = np.concatenate([[0], np.cumsum(num_alleles)]).astype(np.uintp)
    step = max(1, _AT_ONCE // (2 * num_persons))
    passed = 0
    reader = pgenlib.PgenReader(os.fsencode(path), num_persons, num_sites, allele_idx_offsets=offsets)
    try:
        for start in range(0, num_sites, step):
            stop = min(start + step, num_sites)
            block = sites.select(range(start, stop))
            kept = np.array(cohort.wanted(block), np.uint32)
            if len(kept):
                block = block.select(kept.tolist())
                _take_calls(path, reader, block, start + kept, num_persons)
                plink_tables.mark_haploid(block, labels, num_persons)
                cohort.add(block)
            advance(size * stop // num_sites - passed)
            passed = size * stop // num_sites
    finally:
        reader.close()
    return diploid.with_persons(cohort.matrix(), labels, cohort.persons)


def _take_calls(
    path: str | os.PathLike[str], reader: Any, block: Block, rows: NDArray[np.uint32], num_persons: int
) -> None:
    alleles = np.empty((len(rows), 2 * num_persons), np.int32)
    phased = np.empty((len(rows), num_persons), np.uint8)
    try:
        reader.read_alleles_and_phasepresent_list(rows.astype(np.uint32), alleles, phased)
    except RuntimeError as error:
        raise FormatError(path, "whole records", f"a damaged one ({error})", block.where(0)) from None
    odd = np.flatnonzero((alleles.view(np.uint32) > 1).any(axis=1) | ~phased.all(axis=1))
    values = alleles.astype(np.uint8)
    values[odd] = 0
    block.words = _backend.pack(values)
    if odd.size:
        calls = alleles[odd].reshape(-1, num_persons, 2)
        block.odd = odd
        block.alleles = np.where(calls < 0, MISSING, calls).astype(np.int16)
        block.phased = (phased[odd] != 0) | (calls[..., 0] == calls[..., 1])


def check_header(
    path: str | os.PathLike[str], num_alleles: NDArray[np.int64], num_persons: int
) -> tuple[int, NDArray[np.uint8], NDArray[np.int64]]:
    """Hold the header of a .pgen against its .pvar, its .psam and its size.

    Parameters
    ----------
    num_alleles : int64 (num_sites,), REF among them

    Returns
    -------
    (the byte at which the first record starts, types, lengths of all records)

    Raises
    ------
    FormatError
        What does not fit, or is not of this kind (see the module).
    """
    num_sites = len(num_alleles)
    with open(path, "rb") as handle:
        if os.fstat(handle.fileno()).st_size < 12:
            raise FormatError(path, "a .pgen of 12 bytes or more", "fewer: the file is cut")
        view = _Bytes(path, handle)
        header = view[:12]
        if header[:2] != b"\x6c\x1b" or header[2] not in (_FIXED, _VARIABLE):
            expected = "6c 1b and the storage mode 02 or 10 (hard calls): plink2 --make-pgen writes it"
            raise FormatError(path, expected, header[:3].hex(" "), "byte 0")
        found = tuple(int.from_bytes(header[at : at + 4], "little") for at in (3, 7))
        if found != (num_sites, num_persons):
            expected = f"{num_sites} sites and {num_persons} persons, as .pvar and .psam have"
            raise FormatError(path, expected, f"{found[0]} and {found[1]}", "byte 3")
        if header[2] == _FIXED:
            return _check_fixed(path, view, num_sites, num_persons)
        return _check_variable(path, view, num_alleles, num_persons)


class _Bytes:
    """The bytes of a file, read where they are asked for: of a mapped one, cut meanwhile, they would be a SIGBUS."""

    def __init__(self, path: str | os.PathLike[str], handle: BinaryIO) -> None:
        self._path, self._handle = path, handle
        self._size = os.fstat(handle.fileno()).st_size

    def __len__(self) -> int:
        return self._size

    def __getitem__(self, part: slice) -> bytes:
        start, stop, _ = part.indices(self._size)
        self._handle.seek(start)
        data = self._handle.read(max(0, stop - start))
        if len(data) != max(0, stop - start):
            raise FormatError(self._path, f"{self._size} bytes", "fewer: it changed while it was read")
        return data


def _check_fixed(
    path: str | os.PathLike[str], view: _Bytes, num_sites: int, num_persons: int
) -> tuple[int, NDArray[np.uint8], NDArray[np.int64]]:
    form = view[11:12][0]
    flags = -(-num_sites // 8) if form >> 6 == 3 else 0
    if form & 0x3F:
        raise FormatError(path, "a header without record types and allele counts", f"{form:#x}", "byte 11")
    width = -(-num_persons // 4)
    size = 12 + flags + num_sites * width
    if len(view) != size:
        raise FormatError(path, f"{size} bytes for {num_sites} sites of {num_persons} persons", f"{len(view)}")
    if flags and num_sites % 8 and view[11 + flags : 12 + flags][0] >> (num_sites % 8):
        raise FormatError(path, "zero bits behind the last record", "others: damaged", f"byte {11 + flags}")
    return 12 + flags, np.zeros(num_sites, np.uint8), np.full(num_sites, width, np.int64)


def _check_variable(
    path: str | os.PathLike[str], view: _Bytes, num_alleles: NDArray[np.int64], num_persons: int
) -> tuple[int, NDArray[np.uint8], NDArray[np.int64]]:
    form, num_sites = view[11:12][0], len(num_alleles)
    if form & 15 > 7:
        raise FormatError(path, "record types of 4 or 8 bits", f"{form & 15}", "byte 11")
    wide, length_size, count_size = form & 4, 1 + (form & 3), form >> 4 & 3
    num_blocks = -(-num_sites // _BLOCK)
    at = 12 + 8 * num_blocks
    if at > len(view):
        raise FormatError(path, f"places of {num_blocks} blocks", "the end of the file: it is cut", "byte 12")
    places = np.frombuffer(view[12:at], "<u8")
    every_kind, every_length = [], []
    for k in range(num_blocks):
        alleles = num_alleles[_BLOCK * k : _BLOCK * (k + 1)]
        n = len(alleles)
        parts = (n if wide else -(-n // 2), n * length_size, n * count_size, -(-n // 8) if form >> 6 == 3 else 0)
        if at + sum(parts) > len(view):
            raise FormatError(path, f"types and lengths of {n} records", "the end of the file: it is cut", f"byte {at}")
        data = []
        for size in parts:
            data.append(np.frombuffer(view[at : at + size], np.uint8))
            at += size
        kinds = data[0] if wide else np.stack([data[0] & 15, data[0] >> 4], axis=1).reshape(-1)
        if kinds[n:].any() or (data[3].size and n % 8 and data[3][-1] >> (n % 8)):
            raise FormatError(path, "zero bits behind the last record", "others: damaged", f"byte {at}")
        counts = _integers(data[2], count_size) if count_size else alleles
        if (wrong := np.flatnonzero(counts != alleles)).size:
            j = int(wrong[0])
            raise FormatError(path, f"{alleles[j]} alleles, as .pvar has", f"{counts[j]}", f"record {_BLOCK * k + j}")
        lengths = _integers(data[1], length_size)
        _check_records(path, kinds[:n], lengths, alleles, num_persons, _BLOCK * k)
        every_kind.append(kinds[:n])
        every_length.append(lengths)
    record = at
    for k, (place, lengths) in enumerate(zip(places.tolist(), every_length, strict=True)):
        if place != record:
            raise FormatError(path, f"block {k} of records at byte {record}", f"at {place}", f"byte {12 + 8 * k}")
        record += int(lengths.sum())
    if record != len(view):
        raise FormatError(path, f"records that end at byte {record}", f"{len(view)} bytes: cut, or more behind")
    return at, np.concatenate(every_kind), np.concatenate(every_length)


def _integers(data: NDArray[np.uint8], size: int) -> NDArray[np.int64]:
    """Little-endian integers of `size` bytes each."""
    weights = np.int64(256) ** np.arange(size)
    return data.reshape(-1, size).astype(np.int64) @ weights


def _check_records(
    path: str | os.PathLike[str],
    kinds: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    alleles: NDArray[np.int64],
    num_persons: int,
    first: int,
) -> None:
    """The types of records that follow each other, from number `first` on, which starts a block."""
    main = kinds & 7
    shortest = np.ones(len(kinds), np.int64)
    shortest[main == 0] = -(-num_persons // 4)
    shortest[main == 1] = 2 + -(-num_persons // 8)
    shortest += (kinds & _MULTIALLELIC > 0).astype(np.int64) + (kinds & _PHASED > 0)
    for wrong, expected, found in (
        (kinds & _DOSAGE > 0, "hard calls only (plink2 --make-pgen erase-dosage)", "dosages"),
        (main == 5, "a record type", "5, which is none"),
        ((kinds & _MULTIALLELIC > 0) & (alleles == 2), "two alleles, as .pvar has", "more"),
        (lengths < shortest, "a whole record", "a shorter one"),
        ((kinds == 0) & (lengths != shortest), "a record of two bits a person", "a longer one"),
    ):
        if wrong.any():
            raise FormatError(path, expected, found, f"record {first + int(np.argmax(wrong))}")
    if main[0] in (2, 3):
        raise FormatError(path, "a record for itself at the start of a block", "one of differences", f"record {first}")


def _check_contents(
    path: str | os.PathLike[str],
    at: int,
    kinds: NDArray[np.uint8],
    lengths: NDArray[np.int64],
    num_alts: NDArray[np.int64],
    num_persons: int,
) -> None:
    """Go through all records, the first of which starts at byte `at`."""
    before = np.zeros(num_persons, np.uint8)
    ends = np.cumsum(lengths)
    start = 0
    with open(path, "rb") as handle:
        handle.seek(at)
        while start < len(lengths):
            passed = int(ends[start - 1]) if start else 0
            stop = max(start + 1, int(np.searchsorted(ends, passed + _CHECKED, "right")))
            data = np.frombuffer(handle.read(int(ends[stop - 1]) - passed), np.uint8)
            if len(data) != ends[stop - 1] - passed:
                raise FormatError(path, f"{at + int(ends[-1])} bytes", "fewer: it changed while it was read")
            part = slice(start, stop)
            bad = _backend.first_damaged_pgen_record(data, lengths[part], kinds[part], num_alts[part], before)
            if bad is not None:
                raise FormatError(path, "a whole record", "a damaged one", f"record {start + bad}")
            start = stop


# ---------------------------------------------------------------------------------------------------------- writing


def write(matrix: Haplotypes, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write .pgen, .pvar and .psam; calls are phased but those of persons that are not.

    The files are put in their places one after the other, as no system does it at once for several: the old .pvar and
    .psam go, the .pgen is replaced, the new ones come (`hapforge.io.atomic.atomic_files`). A writer that is killed
    there leaves a set that lacks files, never old ones beside new ones; the next `hapforge.read` or write of it puts in
    place what is missing, plink2 finds no .pvar meanwhile. Sets that were mixed in another way, by copying say, are
    noticed by their numbers of sites and persons, and by sites of more than two alleles, only: a checksum in the .pvar
    would be copied by plink2 into files that it changes.

    Parameters
    ----------
    progress : called with numbers of sites written

    Raises
    ------
    ValueError
        Not two rows for each person, side by side; no sites or no haplotypes; spaces in names or alleles.
    MissingDependencyError
        Pgenlib is not installed.

    Warns
    -----
    UserWarning
        Haplotype ids that do not follow from sample ids, labels that a .psam has no place for.
    """
    pgenlib = _pgenlib()
    target = Path(path)
    ids = diploid.person_ids(matrix, target, "PGEN")
    sites = plink_tables.sites_text(matrix.sites, target, "PGEN")
    persons, lost = plink_tables.persons_text(ids, matrix.samples, target, "PGEN")
    diploid.warn_of_losses(matrix, target, "PGEN", lost, counted=True)
    advance = progress or (lambda count: None)
    pvar, _, psam = companions(target)
    phased = matrix.samples.phased.astype(np.uint8)
    with diploid.by_site(matrix, target, "PGEN") as table, atomic_files(target, *companions(target)) as folder:
        (folder / pvar.name).write_text(sites, encoding="utf-8")
        (folder / psam.name).write_text(persons, encoding="utf-8")
        writer = pgenlib.PgenWriter(
            os.fsencode(folder / target.name),
            len(ids),
            variant_ct=matrix.num_sites,
            nonref_flags=False,
            hardcall_phase_present=True,
        )
        try:
            with writer:
                for _, dense in table.dense_blocks():
                    calls = dense.astype(np.int32)
                    if phased.all():
                        writer.append_alleles_batch(calls, all_phased=True)
                    else:
                        writer.append_partially_phased_batch(calls, np.tile(phased, (len(dense), 1)))
                    advance(len(dense))
        except RuntimeError as error:
            reason = likely_error(target, error)
            os.truncate(folder / target.name, 0)  # Pgenlib does not close it: the room is given back nonetheless
            hooks = sys.excepthook, sys.unraisablehook
            sys.excepthook, sys.unraisablehook = _say_nothing, _say_nothing
            try:
                del writer  # which prints that it cannot be closed
            finally:
                sys.excepthook, sys.unraisablehook = hooks
            raise reason from None


def _say_nothing(*_: object) -> None: ...

"""PLINK 1 BED/BIM/FAM, read as genotypes that are not phased.

The format holds no phase, so that `Samples.phased` is False for all persons: a heterozygous call is 0 in a person's
first row and 1 in the second, and only their sum means something. A2, the sixth column of the .bim, is taken as REF and
A1, the fifth, as ALT (value 1), as plink2 takes them. plink 1 puts the commoner allele in A2 unless it is told
``--keep-allele-order``: where that was forgotten, REF and ALT are swapped at sites whose ALT is common, and
`hapforge.intersect` turns them back against a cohort that has them right.

References
----------
PLINK 1.9 documentation, "PLINK 1 binary" (.bed, .bim, .fam).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.io import diploid, plink_tables
from hapforge.io.records import MISSING, Block, Cohort, Policy
from hapforge.io.selection import Region

Advance = Callable[[int], object]
_AT_ONCE = 8 << 20  # bytes of calls, one each


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The genotypes of a .bed with its .bim and .fam beside; memory is that of the packed result twice, and a few MiB.

    Parameters
    ----------
    region : sites to take; others are not read
    samples : sample ids (IID) to take, in the order of the file
    maf : drop sites whose minor allele frequency among the persons taken is below
    policy : what is done with odd input, such as missing calls; default: it is refused
    progress : called with numbers of bytes passed; they add up to the file's size

    Raises
    ------
    FormatError
        No .bim or .fam, a size that does not fit theirs, another layout than a site after the other, bits set behind
        the last person; what `policy` does not accept.
    """
    policy = Policy() if policy is None else policy
    advance = progress or (lambda count: None)
    bim, fam = (_beside(path, ending) for ending in (".bim", ".fam"))
    sites, _ = plink_tables.read_sites(bim, policy)
    ids, labels = plink_tables.read_persons(fam, policy)
    num_sites, num_persons = len(sites.position), len(ids)
    width = -(-num_persons // 4)
    with open(path, "rb") as handle:
        magic = handle.read(3)
        if magic != b"\x6c\x1b\x01":
            found = "a person after the other: plink --make-bed turns it" if magic == b"\x6c\x1b\x00" else repr(magic)
            raise FormatError(path, "a .bed of a site after the other (6c 1b 01)", found, "byte 0")
        size = os.fstat(handle.fileno()).st_size
        if size != 3 + num_sites * width:
            expected = f"{3 + num_sites * width} bytes for {num_sites} sites of {num_persons} persons"
            raise FormatError(path, expected, f"{size}")
        advance(3)
        cohort = Cohort(path, ids, region=region, samples=samples, maf=maf, policy=policy)
        step = max(1, _AT_ONCE // (2 * num_persons))
        for start in range(0, num_sites, step):
            stop = min(start + step, num_sites)
            block = sites.select(range(start, stop))
            kept = cohort.wanted(block)
            if kept:
                handle.seek(3 + (start + kept[0]) * width)
                rows = kept[-1] + 1 - kept[0]
                data = np.frombuffer(handle.read(rows * width), np.uint8)
                if data.size != rows * width:
                    raise FormatError(path, f"{size} bytes", "fewer: it changed while it was read")
                codes = data.reshape(rows, width)[np.array(kept) - kept[0]]
                block = block.select(kept)
                _take_calls(path, block, codes, num_persons)
                plink_tables.mark_haploid(block, labels, num_persons)
                cohort.add(block)
            advance((stop - start) * width)
    return diploid.with_persons(cohort.matrix(), labels, cohort.persons, phased=False)


def _beside(path: str | os.PathLike[str], ending: str) -> Path:
    place = Path(path).with_suffix(ending)
    if not place.exists():
        raise FormatError(path, f"{place.name} beside", "none")
    return place


def _take_calls(path: str | os.PathLike[str], block: Block, codes: NDArray[np.uint8], num_persons: int) -> None:
    """Set the calls of `block`: two bits of a person, 0 A1 A1, 1 missing, 2 A1 A2, 3 A2 A2, the lowest first."""
    spare = num_persons % 4
    if spare and (bad := np.flatnonzero(codes[:, -1] >> np.uint8(2 * spare))).size:
        raise FormatError(path, "zero bits behind the last person", "others: damaged", block.where(int(bad[0])))
    bits = np.unpackbits(codes, axis=1, count=2 * num_persons, bitorder="little").reshape(-1, num_persons, 2)
    low, high = bits[..., 0], bits[..., 1]
    missing = low > high
    values = np.empty_like(bits)
    values[..., 0] = (low | high) ^ 1
    values[..., 1] = low ^ 1
    block.words = _backend.pack(values.reshape(len(codes), -1))
    odd = np.flatnonzero(missing.any(axis=1))
    if odd.size:
        block.odd = odd
        block.alleles = np.where(missing[odd][..., None], np.int16(MISSING), values[odd])
        block.phased = np.ones((len(odd), num_persons), bool)

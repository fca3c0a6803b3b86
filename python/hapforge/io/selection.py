"""What part of a file is wanted: a region, some persons, sites above a minor allele frequency."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.haplotypes import HaplotypeMatrix, Sites

_ENDING = re.compile(r"(.+)(?:_A|_B|\.1|\.2|_1|_2)", re.DOTALL)
_FIRST = ("_A", ".1", "_1")
_SECOND = {"_A": "_B", ".1": ".2", "_1": "_2"}


@dataclass(frozen=True)
class Region:
    """A whole contig, or the sites from `start` to `end` of it, 1-based and both included."""

    contig: str
    start: int = 1
    end: int = 2**62

    @classmethod
    def parse(cls, text: str) -> Region:
        """Of "chr" or "chr:a-b" (1-based, both ends included, commas allowed in the numbers)."""
        found = re.fullmatch(r"(\S+):([\d,]+)-([\d,]+)", text)
        if found is None:
            if not re.fullmatch(r"\S+", text) or re.search(r":[\d,-]*$", text):
                raise ValueError(f"region: expected 'chr' or 'chr:first-last' (1-based, both included), found {text!r}")
            return cls(text)
        start, end = (int(number.replace(",", "") or 0) for number in (found[2], found[3]))
        if not 1 <= start <= end:
            raise ValueError(f"region: expected 1 <= first <= last, found {text!r}")
        return cls(found[1], start, end)

    def __str__(self) -> str:
        return self.contig if self.end == 2**62 else f"{self.contig}:{self.start}-{self.end}"


def site_range(path: str | os.PathLike[str], sites: Sites, region: Region) -> tuple[int, int]:
    """(first site, one past the last) of `region`.

    Raises
    ------
    FormatError
        Positions are not known and not a whole contig is asked for, no such contig, no site in the region.
    """
    blocks = {contig: (start, stop) for contig, start, stop in sites.contig_blocks()}
    if not sites.position_known:
        raise FormatError(path, f"known positions to take {region} from", "none (a legend gives them)")
    if region.contig not in blocks:
        raise no_contig(path, region, list(blocks))
    start, stop = blocks[region.contig]
    first, last = np.searchsorted(sites.position[start:stop], [region.start, region.end + 1])
    if first == last:
        raise no_site(path, region)
    return start + int(first), start + int(last)


def no_site(path: str | os.PathLike[str], region: Region | None, maf: float | None = None) -> FormatError:
    """The error of a selection without sites."""
    where = f" in {region}" if region else ""
    above = f" with a minor allele frequency of {maf} or more" if maf else ""
    return FormatError(path, f"at least one site{where}{above}", "none")


def no_contig(path: str | os.PathLike[str], region: Region, contigs: Sequence[str]) -> FormatError:
    """The error of a region on none of the contigs that there are."""
    return FormatError(path, f"a site on contig {region.contig!r}", f"contigs {_some(contigs)}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:8]) + (" ..." if len(names) > 8 else "")


def wanted_ids(samples: Sequence[str] | str | os.PathLike[str]) -> list[str]:
    """Sample ids from a list, or from a file with one a line (empty lines are left out)."""
    if isinstance(samples, str | os.PathLike):
        source = os.fspath(samples)
        try:
            ids = [line.strip() for line in Path(source).read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        except UnicodeDecodeError:
            raise FormatError(source, "UTF-8 text with one sample id a line", "other bytes") from None
    else:
        source, ids = "samples", [str(name) for name in samples]
    if not ids:
        raise ValueError(f"{source}: expected at least one sample id, found none")
    if len(set(ids)) < len(ids):
        again = next(name for i, name in enumerate(ids) if name in ids[:i])
        raise ValueError(f"{source}: expected each sample id once, found {again!r} twice")
    return ids


def rows_of(path: str | os.PathLike[str], sample_id: NDArray[Any], ids: Sequence[str]) -> NDArray[np.int64]:
    """The rows of the persons `ids`, in the order of the file.

    Raises
    ------
    FormatError
        An id that is not in the file.
    """
    wanted = set(ids)
    names = sample_id.tolist()
    if missing := wanted.difference(names):
        first = next(name for name in ids if name in missing)
        more = f" (and {len(missing) - 1} more)" if len(missing) > 1 else ""
        raise FormatError(path, f"sample {first!r}{more}", "no sample of this id")
    return np.flatnonzero([name in wanted for name in names]).astype(np.int64)


def check_maf(maf: float | None) -> None:
    """ValueError unless `maf` is a frequency a minor allele can have."""
    if maf is not None and not 0 <= maf <= 0.5:
        raise ValueError(f"maf: expected a frequency from 0 to 0.5, found {maf}")


def frequent(allele_count: NDArray[np.int64], num_haplotypes: int | NDArray[np.int64], maf: float) -> NDArray[np.bool_]:
    """Which sites have a minor allele frequency of `maf` or more (a quotient: 0.07 * 100 is above 7); 0 among none."""
    return np.minimum(allele_count, num_haplotypes - allele_count) / np.maximum(num_haplotypes, 1) >= maf


def apply(
    path: str | os.PathLike[str],
    matrix: HaplotypeMatrix,
    region: Region | None,
    samples: Sequence[str] | None,
    maf: float | None,
) -> HaplotypeMatrix:
    """The selected part of a cohort that is in memory already."""
    if region is not None:
        matrix = matrix.select_sites(np.arange(*site_range(path, matrix.sites, region)))
    if samples is not None:
        matrix = matrix.select_haplotypes(rows_of(path, matrix.samples.sample_id, samples))
    if maf:
        counts = _backend.allele_counts(matrix.words, matrix.num_sites)
        kept = frequent(counts, matrix.num_haplotypes, maf)
        if not kept.any():
            raise no_site(path, region, maf)
        if not kept.all():
            matrix = matrix.select_sites(kept)
    return matrix


def sample_ids_of(haplotype_ids: Sequence[str]) -> list[str] | None:
    """The persons of haplotypes, from the endings of their ids.

    Rows 2i and 2i + 1 are one person; its id is theirs without ``_A`` and ``_B``, ``.1`` and ``.2``, or ``_1`` and
    ``_2`` behind it (a last row without partner needs the first of an ending). None where not all rows are so named,
    or two persons would have one id.
    """
    persons: list[str] = []
    for i in range(0, len(haplotype_ids), 2):
        name = haplotype_ids[i]
        found = _ENDING.fullmatch(name)
        if found is None or not name.endswith(_FIRST):
            return None
        if haplotype_ids[i + 1 : i + 2] not in ([], [found[1] + _SECOND[name[-2:]]]):
            return None
        persons.append(found[1])
    if len(set(persons)) < len(persons):
        return None
    return [person for person in persons for _ in range(2)][: len(haplotype_ids)]

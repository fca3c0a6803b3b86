"""What writers read of a cohort: some rows at a time, or all rows of some sites, be it in memory or being drawn.

Rows of a `HaplotypeBlocks` are made once, in their order. Formats that go by site need all of them before the first
site: then they lie meanwhile, turned site-major, in a file without a name beside the output. It takes a bit for each
haplotype and site, and is gone with the process, however that ends.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.haplotype_blocks import HaplotypeBlocks, rows_at_once
from hapforge.haplotypes import HaplotypeMatrix, words_per_row
from hapforge.io.atomic import explained

Haplotypes = HaplotypeMatrix | HaplotypeBlocks
_AT_ONCE = 8 << 20  # bytes of calls, one each


def row_blocks(cohort: Haplotypes) -> Iterator[NDArray[np.uint64]]:
    """Packed rows, those of a block after those of the one before."""
    step = rows_at_once(cohort.num_sites)
    for first in range(0, cohort.num_haplotypes, step):
        last = min(first + step, cohort.num_haplotypes)
        yield cohort.words[first:last] if isinstance(cohort, HaplotypeMatrix) else cohort.rows(first, last)


class BySite:
    """A cohort that is read by site.

    Parameters
    ----------
    cohort : whose sites and samples these are
    part : (first, last, first_site, last_site) -> packed (last_site - first_site, words_per_row(last - first)), of rows
        in one block of `rows_at_once`, both starts multiples of 64
    """

    def __init__(self, cohort: Haplotypes, part: Callable[[int, int, int, int], NDArray[np.uint64]]) -> None:
        self.sites, self.samples = cohort.sites, cohort.samples
        self.num_haplotypes, self.num_sites = cohort.shape
        self._part = part

    def bits(self, first_site: int, last_site: int, first: int = 0, last: int | None = None) -> NDArray[np.uint64]:
        """Packed (last_site - first_site, words_per_row(last - first)): sites of rows; starts are multiples of 64."""
        last = self.num_haplotypes if last is None else last
        step = rows_at_once(self.num_sites)
        found = np.empty((last_site - first_site, words_per_row(last - first)), np.uint64)
        for begin in range(first // step * step, last, step):
            a, b = max(first, begin), min(last, begin + step)
            at = (a - first) // 64
            found[:, at : at + words_per_row(b - a)] = self._part(a, b, first_site, last_site)
        return found

    def dense_blocks(self) -> Iterator[tuple[int, NDArray[np.uint8]]]:
        """(first site, uint8 (sites, num_haplotypes) of 0 and 1), about 8 MiB each, or a site."""
        n = self.num_haplotypes
        step = 64 * min(max(1, _AT_ONCE // (64 * max(1, n))), 16)
        at_once = max(1, _AT_ONCE // max(1, n))
        for start in range(0, self.num_sites, step):
            bits = self.bits(start, min(start + step, self.num_sites))
            for k in range(0, len(bits), at_once):
                yield start + k, _backend.unpack(bits[k : k + at_once], n)


@contextmanager
def by_site(cohort: Haplotypes, path: str | os.PathLike[str]) -> Iterator[BySite]:
    """The cohort by site, to be written to `path`."""
    num_sites = cohort.num_sites
    if isinstance(cohort, HaplotypeMatrix):
        words = cohort.words

        def turned(first: int, last: int, first_site: int, last_site: int) -> NDArray[np.uint64]:
            part = np.ascontiguousarray(words[first:last, first_site // 64 : words_per_row(last_site)])
            return _backend.transpose(part, last_site - first_site)

        yield BySite(cohort, turned)
        return
    with explained(path), TemporaryFile(dir=Path(path).absolute().parent) as file:
        starts: list[int] = []
        for rows in row_blocks(cohort):
            starts.append(file.tell())
            file.write(_backend.transpose(rows, num_sites).data)
        step = rows_at_once(num_sites)

        def read(first: int, last: int, first_site: int, last_site: int) -> NDArray[np.uint64]:
            block = first // step
            width = words_per_row(min(step, cohort.num_haplotypes - block * step))
            part = np.empty((last_site - first_site, width), np.uint64)
            file.seek(starts[block] + 8 * width * first_site)
            if file.readinto(part.data) != part.nbytes:
                expected = f"expected {part.nbytes} bytes of the haplotypes that wait, found fewer"
                raise OSError(errno.EIO, expected, os.fspath(path))
            at = first % step // 64
            return part[:, at : at + words_per_row(last - first)]

        yield BySite(cohort, read)

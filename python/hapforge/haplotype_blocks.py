"""Haplotypes that are made a block of rows at a time: a cohort of any size in the memory of a block."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, words_per_row

_BLOCK_BYTES = 16 << 20
_FEWEST_ROWS, _MOST_ROWS = 1024, 8192


class HaplotypeBlocks:
    """A cohort whose rows are made when they are asked for; nothing of them is kept.

    `hapforge.write` takes one as it takes a `HaplotypeMatrix`.

    Parameters
    ----------
    rows : (first, last) -> uint64 (last - first, words_per_row), C-contiguous: packed rows first ... last - 1 as in
        `HaplotypeMatrix`, the same ones however they are cut into blocks
    sites : Sites
    samples : Samples, of all rows: the one part that is in memory as a whole, about 50 bytes a row and those of labels
    """

    def __init__(self, rows: Callable[[int, int], NDArray[np.uint64]], sites: Sites, samples: Samples) -> None:
        self._rows = rows
        self.sites = sites
        self.samples = samples

    @property
    def num_haplotypes(self) -> int:
        """Number of rows."""
        return len(self.samples)

    @property
    def num_sites(self) -> int:
        """Number of sites."""
        return len(self.sites)

    @property
    def shape(self) -> tuple[int, int]:
        """(num_haplotypes, num_sites)."""
        return self.num_haplotypes, self.num_sites

    def __repr__(self) -> str:
        return f"HaplotypeBlocks({self.num_haplotypes} haplotypes x {self.num_sites} sites; {self.samples!r})"

    def rows(self, first: int, last: int) -> NDArray[np.uint64]:
        """Make packed rows first ... last - 1, uint64 (last - first, words_per_row)."""
        words = self._rows(first, last)
        expected = (last - first, words_per_row(self.num_sites))
        if words.dtype != np.uint64 or words.shape != expected:
            raise ValueError(f"rows: expected uint64 {expected}, found {words.dtype} {words.shape}")
        return words

    def iter_row_blocks(self, rows: int | None = None) -> Iterator[HaplotypeMatrix]:
        """Matrices of at most `rows` consecutive haplotypes; None: those of about 16 MiB, 1,024 to 8,192 of them."""
        if rows is None:
            rows = rows_at_once(self.num_sites)
        elif rows < 1:
            raise ValueError(f"rows: expected 1 or more, found {rows}")
        for first in range(0, self.num_haplotypes, rows):
            last = min(first + rows, self.num_haplotypes)
            yield HaplotypeMatrix(self.rows(first, last), self.sites, self.samples.select(np.arange(first, last)))

    def read(self) -> HaplotypeMatrix:
        """All of it, in memory."""
        return HaplotypeMatrix(self.rows(0, self.num_haplotypes), self.sites, self.samples)


def rows_at_once(num_sites: int) -> int:
    """Rows of a block where nothing else says how many: about 16 MiB packed, 1,024 to 8,192 rows."""
    return min(max(_BLOCK_BYTES // (8 * max(1, words_per_row(num_sites))), _FEWEST_ROWS), _MOST_ROWS) // 512 * 512

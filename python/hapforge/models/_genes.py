"""Which sites belong together: genes, and windows of sites where there are none."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import Sites

MOST_SITES = 100
"""Sites of a gene; one with more is parted."""


@dataclass(frozen=True)
class Layout:
    """Sites by gene.

    Attributes
    ----------
    order : int64 (num_sites,), site indices, those of one gene behind those of another, ascending within a gene
    start : int64 (genes + 1,): gene g has order[start[g] : start[g + 1]]
    """

    order: NDArray[np.int64]
    start: NDArray[np.int64]

    @property
    def num_genes(self) -> int:
        return len(self.start) - 1

    def blocks(self, num_sites: int, first: int = 0, last: int | None = None) -> list[tuple[int, int]]:
        """(first gene, one past the last) of runs of genes that have at most `num_sites` sites, or one gene."""
        last = self.num_genes if last is None else last
        found = []
        while first < last:
            stop = int(np.searchsorted(self.start, self.start[first] + num_sites, side="right")) - 1
            stop = min(max(stop, first + 1), last)
            found.append((first, stop))
            first = stop
        return found

    def check(self, num_sites: int) -> None:
        """Raise ValueError unless every site is in one gene, and no gene without sites."""
        for name, array in (("order", self.order), ("start", self.start)):
            if array.dtype != np.int64 or array.ndim != 1:
                raise ValueError(f"{name}: expected a vector of int64, found {array.dtype} {array.shape}")
        if not np.array_equal(np.sort(self.order), np.arange(num_sites)):
            raise ValueError(f"order: expected each of {num_sites} sites once, found others")
        if len(self.start) < 1 or self.start[0] != 0 or self.start[-1] != num_sites or (np.diff(self.start) < 1).any():
            raise ValueError(f"start: expected numbers that ascend from 0 to {num_sites}, found others")


def windows_of_sites(sites: Sites, window: int) -> Layout:
    """Runs of `window` neighbours, none across contigs; the last of a contig has what is left."""
    starts = [np.arange(first, last, window) for _, first, last in sites.contig_blocks()]
    return Layout(np.arange(len(sites)), np.concatenate([*starts, [len(sites)]]))

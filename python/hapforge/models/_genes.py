"""Which sites belong together: those of a gene, and windows of sites where there is none."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import Sites
from hapforge.io.genes import Genes

MOST_SITES = 100
"""Sites of a gene; one with more is parted."""

_STR = np.dtypes.StringDType()
Index = NDArray[np.int64]
Piece = tuple[Index, str]
"""Sites of a gene, ascending, and its name; "" for one that is called by its place."""


@dataclass(frozen=True)
class Layout:
    """Sites by gene.

    Attributes
    ----------
    order : int64 (num_sites,), site indices, those of one gene behind those of another, ascending within a gene
    start : int64 (genes + 1,): gene g has order[start[g] : start[g + 1]]
    name : StringDType (genes,); parts of a gene of more than 100 sites are NAME/1, NAME/2 ..., windows are called
        contig:first-last by the positions of their sites
    """

    order: Index
    start: Index
    name: NDArray[Any]

    @property
    def num_genes(self) -> int:
        return len(self.start) - 1

    def blocks(self, num_sites: int, first: int = 0, last: int | None = None) -> list[tuple[int, int]]:
        """(first gene, one past the last) of runs of genes that have at most `num_sites` sites, or one gene."""
        last = self.num_genes if last is None else last
        found = []
        while first < last:
            stop = int(np.searchsorted(self.start, int(self.start[first]) + num_sites, side="right")) - 1
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
        if len(self.name) != self.num_genes:
            raise ValueError(f"name: expected {self.num_genes} names, found {len(self.name)}")


def layout_of(sites: Sites, pieces: Iterable[Piece]) -> Layout:
    """Genes in order of their first sites; one of more than 100 sites in equal parts, or nearly so."""
    parts: list[Piece] = []
    for index, name in pieces:
        count = -(-len(index) // MOST_SITES)
        split = np.array_split(index, count) if count > 1 else [index]
        parts.extend((part, f"{name}/{k}" if name and count > 1 else name) for k, part in enumerate(split, 1))
    parts.sort(key=lambda part: int(part[0][0]))
    lengths = [len(index) for index, _ in parts]
    names = [name or _place(sites, index) for index, name in parts]
    order = np.concatenate([index for index, _ in parts]) if parts else np.empty(0, np.int64)
    return Layout(order, np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)]), np.array(names, _STR))


def _place(sites: Sites, index: Index) -> str:
    return f"{sites.contig[index[0]]}:{sites.position[index[0]]}-{sites.position[index[-1]]}"


def genes_of_sites(sites: Sites, genes: Genes, max_distance_bp: int) -> Index:
    """The gene of every site, int64 (num_sites,): the nearest, up to a distance; -1 where there is none.

    Where genes overlap a site is of the one that starts last, of those the shortest; of two at the same distance it is
    of the one before it. Contigs are compared without "chr".

    Raises
    ------
    ValueError
        Positions that are not known, or no gene near any site.
    """
    if not sites.position_known:
        raise ValueError("sites: expected known positions for genes, found a count")
    found = np.full(len(sites), -1, np.int64)
    contigs = np.array([str(name).removeprefix("chr") for name in genes.contig.tolist()], _STR)
    for name, first, last in sites.contig_blocks():
        own = np.flatnonzero(contigs == name.removeprefix("chr"))
        if not len(own):
            continue
        start, end, gene = _without_overlaps(genes, own)
        position = sites.position[first:last]
        left = np.searchsorted(start, position, side="right") - 1
        right = np.minimum(left + 1, len(start) - 1)
        to_left = np.where(left >= 0, np.maximum(position - end[left], 0), max_distance_bp + 1)
        to_right = np.where(left < len(start) - 1, start[right] - position, max_distance_bp + 1)
        nearest = np.where(to_left <= to_right, left, right)
        found[first:last] = np.where(np.minimum(to_left, to_right) <= max_distance_bp, gene[nearest], -1)
    if len(sites) and (found < 0).all():
        place = f"{sites.contig[0]}:{sites.position[0]}"
        raise ValueError(
            f"{genes.path}: expected genes within {max_distance_bp} bp of the sites, which begin at {place}, found none"
        )
    return found


def _without_overlaps(genes: Genes, own: Index) -> tuple[Index, Index, Index]:
    """Start, end and gene of stretches that do not overlap and cover what the genes `own` of one contig do."""
    start, end = genes.start[own].tolist(), genes.end[own].tolist()
    waiting = sorted(range(len(own)), key=start.__getitem__, reverse=True)
    edges = sorted({*start, *(last + 1 for last in end)})
    open_genes: list[tuple[int, int, int]] = []  # the one that starts last, then the shortest, first
    stretches: list[list[int]] = []
    for edge, following in itertools.pairwise(edges):
        while waiting and start[waiting[-1]] == edge:
            k = waiting.pop()
            heapq.heappush(open_genes, (-start[k], end[k], k))
        while open_genes and open_genes[0][1] < edge:
            heapq.heappop(open_genes)
        if open_genes:
            k = open_genes[0][2]
            if stretches and stretches[-1][2] == k and stretches[-1][1] == edge - 1:
                stretches[-1][1] = following - 1
            else:
                stretches.append([edge, following - 1, k])
    table = np.array(stretches, np.int64)
    return table[:, 0], table[:, 1], own[table[:, 2]]


def gene_pieces(genes: Genes, gene: Index) -> Iterator[Piece]:
    """Sites and names of genes that have some, from the gene of every site."""
    order = np.argsort(gene, kind="stable")
    order = order[np.searchsorted(gene[order], 0) :]
    for index in np.split(order, np.flatnonzero(np.diff(gene[order])) + 1):
        if len(index):
            yield index, str(genes.name[gene[index[0]]])


def runs_of(sites: Sites, taken: NDArray[np.bool_]) -> Index:
    """int64 (runs, 2): first and one past the last of runs of neighbours on a contig that are not taken."""
    free = np.flatnonzero(~taken)
    new_contig = np.zeros(len(sites), bool)
    new_contig[[first for _, first, _ in sites.contig_blocks()]] = True
    begins = np.ones(len(free), bool)
    begins[1:] = (np.diff(free) > 1) | new_contig[free[1:]]
    first = free[begins]
    last = free[np.roll(begins, -1)] + 1 if len(free) else first
    return np.stack([first, last], axis=1)


def windows_of_sites(runs: Index, window: int) -> Iterator[Piece]:
    """`window` neighbours at a time; the last of a run has what is left."""
    for first, last in runs.tolist():
        for begin in range(first, last, window):
            yield np.arange(begin, min(begin + window, last)), ""


def windows_of_distance(sites: Sites, runs: Index, window_cm: float) -> Iterator[Piece]:
    """The neighbours within `window_cm` centimorgans at a time, counted from the first of a run.

    Raises
    ------
    ValueError
        A genetic position that is not known.
    """
    for first, last in runs.tolist():
        cm = sites.genetic_position_cm[first:last]
        if np.isnan(cm).any():
            j = first + int(np.flatnonzero(np.isnan(cm))[0])
            raise ValueError(f"sites: expected genetic positions for windows in centimorgans, found none at site {j}")
        window = ((cm - cm[0]) / window_cm).astype(np.int64)
        for index in np.split(np.arange(first, last), np.flatnonzero(np.diff(window)) + 1):
            yield index, ""

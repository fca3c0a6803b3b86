"""Where genes lie: GFF3, GTF and BED files, plain or gzipped; they are told apart by their first line of data.

- GFF3: features whose type ends in ``gene`` (gene, ncRNA_gene, pseudogene ...);
- GTF: features ``gene``; in a file without any, what the features of a ``gene_id`` on a contig span;
- BED: every line.

Names are the first there is of Name, gene_name, gene_id and ID, or column 4 of BED; else contig:start-end.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import FormatError
from hapforge.haplotypes import POSITION_LIMIT
from hapforge.io import text
from hapforge.io.records import Policy

_EXPECTED = "genes in GFF3, GTF (9 columns, tabs between them) or BED (3 or more)"
_GTF = re.compile(r'(\w+) "([^"]*)"')
_NAMES = ("Name", "gene_name", "gene_id", "ID")

_Span = tuple[str, int, int, str]  # contig, first and last position, name


@dataclass(frozen=True)
class Genes:
    """Genes of a file, in its order; they may overlap.

    Attributes
    ----------
    path : str, where they were read
    contig : StringDType (num_genes,), without "chr" in front
    start, end : int64 (num_genes,), first and last position, 1-based base pairs
    name : StringDType (num_genes,), may repeat
    """

    path: str
    contig: NDArray[Any]
    start: NDArray[np.int64]
    end: NDArray[np.int64]
    name: NDArray[Any]

    def __len__(self) -> int:
        return len(self.start)


def read_genes(path: str | os.PathLike[str]) -> Genes:
    """Read the genes of a GFF3, GTF or BED file.

    Raises
    ------
    FormatError
        None of the three, a line with other columns than its format has, a start or an end that is no position or lies
        before the start, no gene, a cut or damaged file; with the line.
    """
    take: Callable[[int, list[str]], None] | None = None
    genes: list[_Span] = []
    spans: dict[tuple[str, str], _Span] = {}  # by contig and gene_id, of a GTF without genes

    def of_gff3(number: int, fields: list[str]) -> None:
        if fields[2].endswith("gene"):
            contig, start, end = _place(path, fields[0], fields[3], fields[4], 1, number)
            pairs = (pair.strip().partition("=") for pair in fields[8].split(";"))
            attributes = {key: unquote(value) for key, _, value in pairs}
            genes.append((contig, start, end, _name(attributes, contig, start, end)))

    def of_gtf(number: int, fields: list[str]) -> None:
        if genes and fields[2] != "gene":
            return
        attributes = dict(_GTF.findall(fields[8]))
        if not attributes.get("gene_id"):
            raise FormatError(path, 'an attribute gene_id "..."', repr(fields[8][:40]), f"line {number}")
        contig, start, end = _place(path, fields[0], fields[3], fields[4], 1, number)
        gene = (contig, start, end, _name(attributes, contig, start, end))
        if fields[2] == "gene":
            genes.append(gene)
            return
        key = (contig, attributes["gene_id"])
        before = spans.get(key, gene)
        spans[key] = (contig, min(start, before[1]), max(end, before[2]), before[3])

    def of_bed(number: int, fields: list[str]) -> None:
        contig, start, end = _place(path, fields[0], fields[1], fields[2], 0, number)
        genes.append((contig, start, end, fields[3] if len(fields) > 3 and fields[3] else f"{contig}:{start}-{end}"))

    width, sequences = 0, False
    with contextlib.closing(text.line_blocks(path, Policy({"text": "accept"}))) as blocks:
        for first, lines in blocks:
            for number, line in enumerate(lines, first):
                if line.startswith(b"##FASTA"):  # behind the features of a GFF3
                    sequences = True
                if sequences or not line or line.startswith((b"#", b"track ", b"browser ")):
                    continue
                try:
                    fields = line.decode().split("\t" if b"\t" in line else None)
                except UnicodeDecodeError:
                    raise FormatError(path, "UTF-8 text", "other bytes", f"line {number}") from None
                if take is None:
                    kind = _kind(fields)
                    if kind is None:
                        raise FormatError(path, _EXPECTED, repr(line[:60].decode(errors="replace")), f"line {number}")
                    take = {"gff3": of_gff3, "gtf": of_gtf, "bed": of_bed}[kind]
                    width = 9 if kind != "bed" else 3
                if len(fields) < width or (width == 9 and len(fields) != 9):
                    expected = "9 columns" if width == 9 else "3 columns or more"
                    raise FormatError(path, expected, str(len(fields)), f"line {number}")
                take(number, fields)
    found = genes or list(spans.values())
    if not found:
        raise FormatError(path, _EXPECTED, "no gene")
    contigs, starts, ends, names = zip(*found, strict=True)
    strings = np.dtypes.StringDType()
    return Genes(
        os.fspath(path),
        np.array(contigs, strings),
        np.array(starts, np.int64),
        np.array(ends, np.int64),
        np.array(names, strings),
    )


def _kind(fields: list[str]) -> str | None:
    if len(fields) == 9 and fields[3].isdigit() and fields[4].isdigit() and fields[6] in {"+", "-", ".", "?"}:
        return "gtf" if _GTF.search(fields[8]) else "gff3"
    return "bed" if len(fields) >= 3 and fields[1].isdigit() and fields[2].isdigit() else None


def _place(
    path: str | os.PathLike[str], contig: str, start: str, end: str, base: int, number: int
) -> tuple[str, int, int]:
    """(contig, first, last position, 1-based) from those of a file that counts from `base` and, from 0, ends behind."""
    where = f"line {number}"
    for found in (start, end):
        if not (found.isascii() and found.isdigit() and len(found) < 20 and int(found) < POSITION_LIMIT):
            raise FormatError(path, "a position in base pairs", repr(found[:20]), where)
    first, last = int(start) + 1 - base, int(end)
    if first < 1:
        raise FormatError(path, "a start of 1 or more", start, where)
    if last < first:
        raise FormatError(path, f"an end {'at or ' if base else ''}behind the start, {start}", end, where)
    return contig.removeprefix("chr"), first, last


def _name(attributes: dict[str, str], contig: str, start: int, end: int) -> str:
    return next((attributes[key] for key in _NAMES if attributes.get(key)), f"{contig}:{start}-{end}")

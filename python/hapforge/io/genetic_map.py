"""Genetic maps: where base pairs lie in centimorgans.

Three layouts, of whitespace-separated columns, plain or gzipped; they are told apart by their first line:

- ``pos chr cM`` (shapeit4) and ``chr pos cM``, in any order, under a heading;
- HapMap and IMPUTE: a heading with ``Position(bp)`` or ``position``, a rate in cM/Mb, which is not used, and the map in
  cM (``Map(cM)``, ``Genetic_Map(cM)``); the column of the chromosome may be missing;
- plink's ``.map``: no heading, chromosome, id, cM, position.
"""

from __future__ import annotations

import gzip
import os
import warnings
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import NO_LAST_LINE_FEED, FormatError
from hapforge.haplotypes import POSITION_LIMIT, HaplotypeMatrix, Sites
from hapforge.io import text

_HEADINGS = {
    "pos": "position",
    "position": "position",
    "position(bp)": "position",
    "bp": "position",
    "chr": "contig",
    "chrom": "contig",
    "#chrom": "contig",
    "chromosome": "contig",
    "cm": "cm",
    "map(cm)": "cm",
    "genetic_map(cm)": "cm",
}
_LAYOUTS = "columns pos, chr, cM (shapeit), Position(bp) and Map(cM) (HapMap), or chr, id, cM, pos (plink)"


@dataclass(frozen=True)
class GeneticMap:
    """A genetic map.

    Attributes
    ----------
    path : str, where it was read
    points : {contig: (int64 positions, ascending, float64 cM, not descending)}; contigs without "chr"; "" stands for
        the one contig of a map that does not name it
    """

    path: str
    points: dict[str, tuple[NDArray[np.int64], NDArray[np.float64]]]

    def at(self, sites: Sites) -> NDArray[np.float64]:
        """Centimorgans at sites, linear between the points of the map; NaN beyond them and on other contigs.

        Raises
        ------
        ValueError
            Positions that are not known; a map of an unnamed contig and sites of several; no site within the map.
        """
        if not sites.position_known:
            raise ValueError("sites: expected known positions for a genetic map, found a count")
        blocks = sites.contig_blocks()
        if "" in self.points and len(blocks) > 1:
            raise ValueError(f"{self.path}: expected a map with chromosomes for sites on {len(blocks)}, found none")
        found = np.full(len(sites), np.nan)
        for name, start, stop in blocks:
            points = self.points.get(name.removeprefix("chr"), self.points.get(""))
            if points is not None:
                found[start:stop] = np.interp(sites.position[start:stop], *points, left=np.nan, right=np.nan)
        if len(sites) and np.isnan(found).all():
            names = ", ".join(list(self.points)[:3])
            raise ValueError(
                f"{self.path}: expected a map of {blocks[0][0]}:{sites.position[0]}, found "
                + (f"contigs {names}" if "" not in self.points else "other positions")
            )
        return found

    def attach(self, H: HaplotypeMatrix) -> HaplotypeMatrix:
        """The same haplotypes with `Sites.genetic_position_cm`.

        Warns
        -----
        UserWarning
            How many sites lie beyond the map.
        """
        cm = self.at(H.sites)
        if beyond := int(np.isnan(cm).sum()):
            warnings.warn(f"{self.path}: {beyond} of {len(cm)} sites lie beyond the genetic map", stacklevel=2)
        return HaplotypeMatrix(H.words, H.sites.with_genetic_positions(cm), H.samples, _checked=True)


def read_genetic_map(path: str | os.PathLike[str]) -> GeneticMap:
    """Read a genetic map, of any of the module's layouts.

    Raises
    ------
    FormatError
        Another layout, positions that do not ascend within a chromosome, centimorgans that descend or are no numbers,
        a chromosome in two blocks, a cut or damaged file; with the line.
    """
    lines = _lines(path)
    if not lines:
        raise FormatError(path, f"a genetic map: {_LAYOUTS}", "an empty file")
    columns, first = _columns(path, lines[0].split())
    width = len(lines[0].split())
    contigs: dict[str, tuple[list[int], list[float]]] = {}
    last = None
    for number, line in enumerate(lines[first:], first + 1):
        fields, where = line.split(), f"line {number}"
        if len(fields) != width:
            raise FormatError(path, f"{width} columns, as the first line has", str(len(fields)), where)
        contig = fields[columns["contig"]].removeprefix("chr") if "contig" in columns else ""
        found = fields[columns["position"]]
        if not found.isdigit() or len(found) > 19 or not 0 < (position := int(found)) < POSITION_LIMIT:
            raise FormatError(path, "a position in base pairs, 1 or more", repr(found[:20]), where)
        cm = float(fields[columns["cm"]]) if text.NUMBER.fullmatch(fields[columns["cm"]]) else np.nan
        if not np.isfinite(cm):
            raise FormatError(path, "centimorgans", repr(fields[columns["cm"]][:20]), where)
        if contig != last and contig in contigs:
            raise FormatError(path, f"the points of chromosome {contig} in one block", "more of them", where)
        positions, values = contigs.setdefault(contig, ([], []))
        if positions and position <= positions[-1]:
            raise FormatError(path, f"a position above {positions[-1]}", str(position), where)
        if values and cm < values[-1]:
            raise FormatError(path, f"{values[-1]} cM or more, as the line before has", str(cm), where)
        positions.append(position)
        values.append(cm)
        last = contig
    if not contigs:
        raise FormatError(path, "at least one point of the map", "none")
    return GeneticMap(os.fspath(path), {name: (np.array(p, np.int64), np.array(v)) for name, (p, v) in contigs.items()})


def _lines(path: str | os.PathLike[str]) -> list[str]:
    with open(path, "rb") as handle:
        data = handle.read()
    if data[:2] == b"\x1f\x8b":
        try:
            data = gzip.decompress(data)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise FormatError(path, "a whole gzip file", f"a cut or damaged one ({error})") from None
    text.check_controls(path, data, 1)
    if data and not data.endswith(b"\n"):
        where = f"line {len(data.splitlines())}"
        raise FormatError(path, "a last line that ends in a line feed", NO_LAST_LINE_FEED, where)
    lines = text.without_returns(path, data.removesuffix(b"\n").split(b"\n"), 1) if data else []
    try:
        return [line.decode("ascii") for line in lines]
    except UnicodeDecodeError:
        raise FormatError(path, f"a genetic map: {_LAYOUTS}", "other than ASCII text") from None


def _columns(path: str | os.PathLike[str], words: list[str]) -> tuple[dict[str, int], int]:
    """{"position", "cm" and maybe "contig": column}, and lines of heading."""
    columns: dict[str, int] = {}
    for k, word in enumerate(words):
        if (name := _HEADINGS.get(word.lower())) is not None:
            columns.setdefault(name, k)
    if {"position", "cm"} <= columns.keys():
        return columns, 1
    if len(words) == 4 and words[3].isdigit() and not columns:
        return {"contig": 0, "cm": 2, "position": 3}, 0
    raise FormatError(path, f"a genetic map: {_LAYOUTS}", repr(" ".join(words)[:60]), "line 1")

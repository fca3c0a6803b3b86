"""Aligned sequences as FASTA, plain or gzipped: ``>NAME`` and the sequence in one line or more.

The name is what stands before the first space. What stands behind it are labels where every sequence has there the same
``LABEL=VALUE`` and nothing else, percent-encoded as `write` puts them; any other description is left out. Letters are
read in either case; "." is a gap, as "-" is. Sequences with an E, F, I, L, P or Q, which no nucleotide code has, are
proteins, those with a U else are RNA, all others DNA. Codes for several letters (N, X, B ...) are refused: what they
stand for is for the user to say. See `hapforge.alignment` for the haplotypes that sequences become.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

import numpy as np

from hapforge.alignment import AMINO_ACIDS, NUCLEOTIDES, RNA_NUCLEOTIDES, Alignment, alphabet_of, check_alphabet
from hapforge.errors import FormatError
from hapforge.haplotype_blocks import rows_at_once
from hapforge.haplotypes import HaplotypeMatrix, Sites
from hapforge.io.atomic import atomic_file
from hapforge.io.bgzf import BgzfWriter, read_chunks
from hapforge.io.blocks import Haplotypes
from hapforge.io.text import check_controls

Advance = Callable[[int], object]
_LINE = 60  # letters
_ONLY_PROTEIN = frozenset("EFILPQ")
_PLAIN = "".join(chr(code) for code in range(33, 127) if chr(code) not in "%=")  # of labels


def read(
    path: str | os.PathLike[str], *, alphabet: str | None = None, progress: Advance | None = None
) -> HaplotypeMatrix:
    """The sequences of a FASTA file; `hapforge.alignment.Alignment.from_haplotypes` gives their letters.

    In memory are the letters, some bytes each, and at the end a bit for each letter of the alphabet.

    Parameters
    ----------
    alphabet : str, the letters that may occur, in upper case; None: as they are found (see the module)
    progress : called with numbers of bytes taken in; they add up to the file's size

    Raises
    ------
    FormatError
        Sequences of different lengths, without letters or with letters outside the alphabet, a name twice or none,
        text before the first, an empty file, a cut or damaged archive.
    ValueError
        An alphabet that `Alignment` does not take.
    """
    if alphabet is not None:
        check_alphabet(alphabet)
    names: dict[str, int] = {}
    descriptions: list[str] = []
    rows: list[bytes] = []
    first_line: dict[int, int] = {}
    for number, header, letters in _records(path, progress, first_line):
        where = f"line {number}"
        words = header.split(None, 1)
        if not words or header[0].isspace():
            raise FormatError(path, "a name right behind '>'", "none", where)
        if words[0] in names:
            raise FormatError(path, "each name once", f"{words[0]!r} again (first in line {names[words[0]]})", where)
        names[words[0]] = number
        descriptions.append(words[1] if len(words) > 1 else "")
        if not letters:
            raise FormatError(path, f"letters of {words[0]!r}", "none", where)
        if rows and len(letters) != len(rows[0]):
            expected = f"{len(rows[0])} letters (aligned sequences), as {next(iter(names))!r} has"
            raise FormatError(path, expected, f"{len(letters)} in {words[0]!r}", where)
        rows.append(letters)
    if not rows:
        raise FormatError(path, "a line that starts with '>'", "an empty file")
    if alphabet is None:
        seen = {chr(code) for code in first_line}
        alphabet = AMINO_ACIDS if seen & _ONLY_PROTEIN else RNA_NUCLEOTIDES if "U" in seen else NUCLEOTIDES
    if unknown := set(first_line).difference(alphabet.encode()):
        code = min(unknown, key=lambda code: (first_line[code], code))
        found = repr(chr(code)) if code < 128 else f"a byte {code:#x}"
        raise FormatError(path, f"letters out of {alphabet}", found, f"line {first_line[code]}")
    place = np.zeros(256, np.uint8)
    place[np.frombuffer(alphabet.encode(), np.uint8)] = np.arange(len(alphabet))
    states = place[np.frombuffer(b"".join(rows), np.uint8)].reshape(len(rows), -1)
    return Alignment(states, alphabet, list(names), _labels(descriptions)).to_haplotypes()


def _records(
    path: str | os.PathLike[str], progress: Advance | None, first_line: dict[int, int]
) -> Iterator[tuple[int, str, bytes]]:
    """(line of the name, what stands behind '>', letters); fills in the line in which every letter first stands."""
    at, header, parts, line, alone = 0, "", list[bytes](), b"", True
    for number, line in enumerate(_lines(path, progress), 1):
        if line.startswith(b">"):
            if at:
                alone = False
                yield at, header, b"".join(parts)
            try:
                at, header, parts = number, line[1:].decode(), []
            except UnicodeDecodeError:
                raise FormatError(path, "UTF-8 text", "other bytes", f"line {number}") from None
        elif line and not at:
            raise FormatError(path, "a line that starts with '>'", repr(line[:20])[1:], f"line {number}")
        else:
            letters = line.upper().replace(b".", b"-")
            for code in set(letters).difference(first_line):
                first_line[code] = number
            parts.append(letters)
    if line and alone and at:
        expected = "a single sequence that ends in a line feed"
        raise FormatError(path, expected, "none: the file may be cut", f"line {number}")
    if at:
        yield at, header, b"".join(parts)


def _lines(path: str | os.PathLike[str], progress: Advance | None) -> Iterator[bytes]:
    """Lines without what ends them, a carriage return and other spaces included."""
    number, rest = 1, b""
    with closing(read_chunks(path, progress)) as chunks:
        for chunk in chunks:
            check_controls(path, chunk, number)
            *lines, rest = (rest + chunk).split(b"\n")
            number += len(lines)
            yield from (line.rstrip() for line in lines)
    yield rest.rstrip()


def _labels(descriptions: list[str]) -> dict[str, list[str]]:
    """Values by label, where all descriptions are made up of the same labels."""
    rows = [[word.partition("=") for word in text.split()] for text in descriptions]
    keys = [key for key, _, _ in rows[0]]
    names = [unquote(key) for key in keys]
    if len(set(names)) < len(names) or "" in names:
        return {}
    if any([key for key, _, _ in row] != keys or not all(equals for _, equals, _ in row) for row in rows):
        return {}
    columns = zip(*([unquote(value) for _, _, value in row] for row in rows), strict=True)
    return {name: list(column) for name, column in zip(names, columns, strict=True)}


def check(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError unless `sites` are those of aligned sequences."""
    if not alphabet_of(sites):
        raise ValueError(f"{os.fspath(path)}: expected aligned sequences to write as FASTA, found haplotypes")


def write(matrix: Haplotypes, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write aligned sequences, with their labels as text; gzipped (in blocks, BGZF) where the name ends in .gz.

    Parameters
    ----------
    progress : called with numbers of sequences written

    Raises
    ------
    ValueError
        Haplotypes that are no aligned sequences, none of them, names with spaces.
    """
    check(matrix.sites, path)
    if not matrix.num_haplotypes:
        raise ValueError(f"{path}: expected at least one sequence to write as FASTA, found none")
    if any(not quote(name, safe=_PLAIN) for name in matrix.samples.labels):
        raise ValueError(f"{path}: expected labels that have a name to write as FASTA, found ''")
    with atomic_file(path) as temporary, _sink(temporary, Path(path).name.endswith(".gz")) as sink:
        for block in matrix.iter_row_blocks(rows_at_once(matrix.num_sites)):
            alignment = Alignment.from_haplotypes(block)
            labels = {quote(name, safe=_PLAIN): values.tolist() for name, values in alignment.labels.items()}
            for i, (name, letters) in enumerate(zip(alignment.names.tolist(), alignment.sequences(), strict=True)):
                if name.split() != [name]:
                    raise ValueError(f"{path}: expected names without spaces to write as FASTA, found {name!r}")
                words = [f">{name}", *(f"{key}={quote(str(values[i]), safe=_PLAIN)}" for key, values in labels.items())]
                lines = [" ".join(words), *(letters[at : at + _LINE] for at in range(0, len(letters), _LINE))]
                sink.write(("\n".join(lines) + "\n").encode())
            if progress:
                progress(block.num_haplotypes)


def _sink(path: Path, packed: bool) -> Any:
    return BgzfWriter(path) if packed else open(path, "wb")

"""The sites and persons beside PLINK files: .bim and .pvar, .fam and .psam, read and written.

A .bim has A1 in its fifth column and A2 in its sixth: A2 is taken as REF, A1 as ALT, as plink2 does; "0" is an allele
that is not known. A .pvar names its columns. Genetic positions (CM) are taken as centimorgans; a plain "0", or a contig
of nothing but zeros, stands for positions that are not known.

Of persons, IID is the sample id; FID becomes the label ``family`` unless it is 0 or the IID everywhere, SEX the label
``sex``, all other columns labels of their names: numbers where all values are, else text. Columns in which all is
missing (0 for parents, SEX and FID, -9 or 0 for the phenotype of a .fam, NA) are left out.

PLINK stores a haploid call as two alleles that are alike. Such calls of men (SEX 1 or M) on X, and of all on Y and MT,
are haploid here, as in the VCF that plink2 writes of them, and go by the policy for those; calls of two alleles that
differ, as in the pseudo-autosomal regions, are diploid. These contigs go by PLINK's codes of human ones, too: 23 is X,
24 is Y, 26 is MT; each of them with or without chr.

References
----------
PLINK 2 File Format Specification Draft, sections 3 (PSAM) and 4 (PVAR); PLINK 1.9 documentation of .bim and .fam.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.haplotypes import UNKNOWN_ALLELE, Samples, Sites
from hapforge.io import diploid, text
from hapforge.io.records import ABSENT, UNKNOWN, Block, Policy
from hapforge.label_files import FAM, NO_VALUE

COUNTED = "##hapforge_positions=unknown"
"""Header line of a .pvar whose positions are only a count."""

_BIM = {6: ["CHROM", "ID", "CM", "POS", "ALT", "REF"], 5: ["CHROM", "ID", "POS", "ALT", "REF"]}
_PVAR = {"CHROM", "POS", "ID", "REF", "ALT", "QUAL", "FILTER", "INFO", "CM"}
_NO_VALUE = {**NO_VALUE, "PHENO1": {"0", "-9", "NA"}}
_OF_ALL = {"y", "24", "mt", "m", "26"}  # contigs, without chr, of which all persons have one
X = {"x", "chrx", "23", "chr23"}
"""Names of the contig of which men have one, but for upper and lower case."""
_NO_CATEGORY = re.compile(r"[+-]?\.?\d.*|(?i:na|nan|none)")


def read_sites(path: str | os.PathLike[str], policy: Policy) -> tuple[Block, bool]:
    """(sites without calls, whether positions are known) of a .bim or .pvar.

    Raises
    ------
    FormatError
        Other columns, a position that is none, no site.
    """
    block, columns, known = Block(), [], True
    for number, fields, header in _table(path, policy, _BIM, "#CHROM"):
        if header is not None:
            columns, known = header, COUNTED not in fields
            if unknown := [name for name in columns if name not in _PVAR]:
                raise FormatError(path, f"columns out of {', '.join(sorted(_PVAR))}", unknown[0][:20], f"line {number}")
            if not {"CHROM", "POS", "ID", "REF", "ALT"} <= set(columns):
                raise FormatError(path, "the columns CHROM, POS, ID, REF and ALT", " ".join(columns), f"line {number}")
            at = [columns.index(name) for name in ("CHROM", "POS", "ID", "REF", "ALT")]
            place = columns.index("CM") if "CM" in columns else None
            continue
        contig, position, name, ref, alt = (fields[k] for k in at)
        if "0" in (ref, alt):
            ref, alt = (UNKNOWN_ALLELE if allele == "0" else allele for allele in (ref, alt))
        if (ref, alt) == (UNKNOWN_ALLELE, UNKNOWN_ALLELE):
            ref, alt = UNKNOWN
        block.contig.append(contig)
        block.position.append(text.position(path, position, number))
        block.id.append(name)
        block.ref.append(ref)
        block.alt.append(alt)
        if place is not None:
            block.cm.append(text.centimorgans(path, fields[place], number, "0"))
    if not block.position:
        raise FormatError(path, "at least one site", "none")
    mapped = {contig for contig, cm in zip(block.contig, block.cm, strict=False) if cm > 0}
    block.cm = [cm if contig in mapped else np.nan for contig, cm in zip(block.contig, block.cm, strict=False)]
    return block, known


def read_persons(path: str | os.PathLike[str], policy: Policy) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """(sample ids, labels by person) of a .fam or .psam.

    Raises
    ------
    FormatError
        Other columns, an id twice, no person.
    """
    columns: list[str] = []
    seen: dict[str, int] = {}
    table: list[list[str]] = []
    for number, fields, header in _table(path, policy, FAM, "#FID", "#IID"):
        if header is not None:
            columns = header
            if "IID" not in columns[:2]:
                raise FormatError(path, "the columns #FID IID ... or #IID ...", " ".join(columns), f"line {number}")
            continue
        name = fields[columns.index("IID")]
        if name in seen:
            found = f"{name!r} again (first in line {seen[name]})"
            raise FormatError(path, "each sample id (IID) once", found, f"line {number}")
        if name == "0":
            raise FormatError(path, "a sample id (IID)", "'0', which stands for none", f"line {number}")
        seen[name] = number
        table.append(fields)
    if not table:
        raise FormatError(path, "at least one person", "none")
    ids = list(seen)
    labels: dict[str, NDArray[Any]] = {}
    for name, values in zip(columns, zip(*table, strict=True), strict=True):
        missing = _NO_VALUE.get(name, {"NA", "nan", "NONE"})
        if name == "IID" or set(values) <= missing or (name == "FID" and list(values) == ids):
            continue
        label = {"FID": "family", "SEX": "sex"}.get(name, name)
        if label in labels:
            raise FormatError(path, f"one column of the label {label!r}", "two", "header")
        labels[label] = np.array(values) if name in ("FID", "SID", "PAT", "MAT", "SEX") else _values(list(values))
    return ids, labels


def mark_haploid(block: Block, labels: dict[str, NDArray[Any]], num_persons: int) -> None:
    """Make calls of `block` haploid that PLINK takes for that (see the module); `labels` are those of all persons."""
    names = [contig.lower() for contig in block.contig]
    men = np.isin(labels.get("sex", np.zeros(num_persons, "U1")), ["1", "M", "m"])
    rows = [j for j, name in enumerate(names) if name.removeprefix("chr") in _OF_ALL or (name in X and men.any())]
    if not rows:
        return
    odd = np.union1d(block.odd, rows)
    bits = _backend.unpack(np.ascontiguousarray(block.words[odd]), 2 * num_persons)
    alleles = bits.reshape(len(odd), num_persons, 2).astype(np.int16)
    phased = np.ones((len(odd), num_persons), bool)
    if block.odd.size:
        before = np.searchsorted(odd, block.odd)
        alleles[before], phased[before] = block.alleles, block.phased
    for k in np.searchsorted(odd, rows).tolist():
        who = men if names[int(odd[k])] in X else np.ones(num_persons, bool)
        haploid = who & (alleles[k, :, 0] == alleles[k, :, 1])
        alleles[k, haploid, 1] = ABSENT
        phased[k, haploid] = True
    block.odd, block.alleles, block.phased = odd, alleles, phased


def _table(
    path: str | os.PathLike[str], policy: Policy, usual: dict[int, list[str]], *starts: str
) -> list[tuple[int, list[str], list[str] | None]]:
    """(number of the line, fields, None); before them (its number, lines before, columns) of the header."""
    result: list[tuple[int, list[str], list[str] | None]] = []
    columns: list[str] | None = None
    before: list[str] = []
    with contextlib.closing(text.rows(path, policy)) as rows:
        for number, fields in rows:
            if fields and fields[0].startswith("#"):
                if columns is not None:
                    raise FormatError(path, "one header, before all other lines", "another", f"line {number}")
                if fields[0] in starts:
                    columns = [fields[0][1:], *fields[1:]]
                    if len(set(columns)) < len(columns):
                        raise FormatError(path, "each column once", " ".join(columns)[:60], f"line {number}")
                    result.append((number, before, columns))
                before.append(" ".join(fields))
                continue
            if columns is None:
                if before or len(fields) not in usual:
                    expected = f"a header {' or '.join(starts)}, or {' or '.join(map(str, sorted(usual)))} columns"
                    raise FormatError(path, expected, f"{len(fields)} columns", f"line {number}")
                columns = usual[len(fields)]
                result.append((number, [], columns))
            if len(fields) != len(columns):
                expected = f"{len(columns)} columns, as the first line has"
                raise FormatError(path, expected, f"{len(fields)}", f"line {number}")
            result.append((number, fields, None))
    return result


def _values(texts: list[str]) -> NDArray[Any]:
    """Numbers where all are, NA as nan; else text."""
    missing = [value in ("NA", "nan") for value in texts]
    if all(re.fullmatch(r"[+-]?\d{1,18}", value) for value in texts):
        return np.array([int(value) for value in texts], np.int64)
    if all(gone or text.NUMBER.fullmatch(value) for value, gone in zip(texts, missing, strict=True)):
        return np.array([np.nan if gone else float(value) for value, gone in zip(texts, missing, strict=True)])
    return np.array(texts)


def sites_text(sites: Sites, path: Path, name: str) -> str:
    """The .pvar of `sites`.

    Raises
    ------
    ValueError
        Spaces in names or alleles, a contig that starts with "#".
    """
    if bad := next((contig for contig, _, _ in sites.contig_blocks() if contig.startswith("#")), None):
        raise ValueError(f"{path}: expected contigs that don't start with # to write as {name}, found {bad!r}")
    cm = diploid.centimorgan_texts(sites, "0")
    lines = [] if sites.position_known else [COUNTED]
    lines.append("#CHROM\tPOS\tID\tREF\tALT" + ("\tCM" if cm else ""))
    rows = diploid.site_columns(sites, path, name)
    if cm:
        lines += ["\t".join((*columns, at)) for columns, at in zip(rows, cm, strict=True)]
    else:
        lines += ["\t".join(columns) for columns in rows]
    return "\n".join(lines) + "\n"


def persons_text(ids: Sequence[str], samples: Samples, path: Path, name: str) -> tuple[str, list[str]]:
    """(the .psam of persons, labels that it has no place for).

    A place has: numbers, and text whose values plink2 reads as categories (none starts with a digit or is NA).

    Raises
    ------
    ValueError
        An id that starts with "#" or is "0".
    """
    if bad := next((value for value in ids if value.startswith("#") or value == "0"), None):
        raise ValueError(f"{path}: expected sample ids other than 0 and without a leading # for {name}, found {bad!r}")
    labels, lost = diploid.person_labels(samples)
    columns: dict[str, list[str]] = {"IID": list(ids), "SEX": ["NA"] * len(ids)}
    for label, values in labels.items():
        texts = ["NA" if value != value else str(value) for value in values.tolist()]
        if label == "family" and not (set(texts) <= {"0"} or texts == list(ids)) and not texts[0].startswith("#"):
            columns = {"FID": texts, **columns}
        elif label == "sex" and set(texts) <= {"1", "2", "M", "F", "m", "f", "NA", "0"} and set(texts) - {"NA", "0"}:
            columns["SEX"] = texts
        elif (
            label in ("FID", "IID", "SID", "PAT", "MAT", "SEX", "family")
            or label.startswith("#")
            or values.dtype.kind == "b"
            or set(texts) <= {"NA"}
            or (values.dtype.kind not in "iuf" and any(_NO_CATEGORY.fullmatch(value) for value in texts))
        ):
            lost.append(label)
        else:
            columns[label] = texts
    lines = ["#" + "\t".join(columns), *("\t".join(row) for row in zip(*columns.values(), strict=True))]
    return "\n".join(lines) + "\n", lost

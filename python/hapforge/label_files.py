"""Labels from a table beside a cohort: TSV, or a file of phenotypes as PLINK takes it (.fam, .psam, .pheno).

A TSV has a header, an id of a haplotype or a person first in every line, and labels behind it, text that is taken as it
stands.

A file is PLINK's where its name ends in .fam, .psam, .pheno or .phe, gzipped or not, or where it starts with a header
#FID, #IID, or FID and IID. Spaces and tabs part its columns, and IID is the id of a person. Without a header a .fam or
.psam has FID IID PAT MAT SEX [PHENO1], a .pheno FID IID PHENO1 [PHENO2 ...]. FID becomes the label ``family`` unless it
is 0 or the IID everywhere, SEX the label ``sex``, each other column a label of its name:

- 1 and 2 become "control" and "case"; 0, -9, NA and nan are missing, which is "";
- of 0 and 1 without any 2, which PLINK takes for missing and control, and others for control and case, nothing is made:
  they stay "0" and "1", and -9, NA and nan are missing;
- other numbers stay numbers; -9, NA and nan among them are nan;
- of text, NA, nan, NONE and -9 are missing.

Columns in which all is missing are left out.

References
----------
PLINK 1.9 documentation, --pheno and .fam; PLINK 2.0 documentation, --pheno and phenotype encoding; PLINK 2 File Format
Specification Draft, section 3 (PSAM).
"""

from __future__ import annotations

import csv
import gzip
import os
import re
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import NO_LAST_LINE_FEED, FormatError

FAM = {6: ["FID", "IID", "PAT", "MAT", "SEX", "PHENO1"], 5: ["FID", "IID", "PAT", "MAT", "SEX"]}
"""Columns of a .fam by their number."""
NO_VALUE = {"FID": {"0"}, "SID": {"0", "NA"}, "PAT": {"0"}, "MAT": {"0"}, "SEX": {"0", "NA", "-9"}}
"""What is written where there is none, in the columns that are no phenotypes."""
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)

_LIKE_FAM = (".fam", ".psam")
_IDS = ["FID", "IID"]
_CONTROL = re.compile("[\0-\x08\x0a-\x1f]")
_MISSING = {"-9", "NA", "nan"}
_STR = np.dtypes.StringDType()


def read_labels(
    path: str | os.PathLike[str], haplotype_id: Sequence[str], sample_id: Sequence[str]
) -> dict[str, NDArray[Any]]:
    """Labels by name, each with a value for every haplotype.

    Parameters
    ----------
    path : a TSV or a file of PLINK, gzipped or not, as the module says
    haplotype_id, sample_id : str (num_haplotypes,), the id of every row and of its person

    Returns
    -------
    dict name -> StringDType, int64 or float64 (num_haplotypes,); of lines of others nothing is taken

    Raises
    ------
    FormatError
        A haplotype without a line, an id on two lines, a line with another number of columns, a last line that does not
        end, a cut or damaged archive, control characters, other bytes than UTF-8; in a file of PLINK, no value at all.
    """
    where = os.fspath(path)
    lines = _lines(where)
    first = next((line.split() for line in lines if not line.startswith("##")), [])
    if _ending(where) in (*_LIKE_FAM, ".pheno", ".phe") or first[:1] in (["#FID"], ["#IID"]) or first[:2] == _IDS:
        ids, labels = _plink_table(where, lines)
        names, what = [list(sample_id)], "person, by IID"
    else:
        ids, labels = _tsv_table(where, lines)
        names, what = [list(haplotype_id), list(sample_id)], "haplotype or sample"
    place = {name: k for k, name in enumerate(ids)}
    rows = [next((place[name] for name in of if name in place), -1) for of in zip(*names, strict=True)]
    if missing := [i for i, row in enumerate(rows) if row < 0]:
        found = f"none for {len(missing)} of {len(rows)} haplotypes, the first {haplotype_id[missing[0]]!r}"
        raise FormatError(where, f"a line for every {what}", found)
    return {name: values[np.array(rows, np.int64)] for name, values in labels.items()}


def _ending(where: str) -> str:
    return os.path.splitext(where.lower().removesuffix(".gz"))[1]


def _lines(where: str) -> list[str]:
    """The lines of a file, with their ends."""
    with open(where, "rb") as probe:
        packed = probe.read(2) == b"\x1f\x8b"
    try:
        with (gzip.open if packed else open)(where, "rt", encoding="utf-8-sig", newline="\n") as handle:
            lines = list(handle)
    except UnicodeDecodeError:
        raise FormatError(where, "UTF-8 text", "other bytes") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise FormatError(where, "a whole gzip file", f"a cut or damaged one ({error})") from None
    if lines and not lines[-1].endswith("\n"):
        raise FormatError(where, "a last line that ends in a line feed", NO_LAST_LINE_FEED, f"line {len(lines)}")
    return lines


def _tsv_table(where: str, lines: list[str]) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """(ids, labels)."""
    table: dict[str, list[str]] = {}
    reader = csv.reader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    try:
        header = next(reader, [])
        if len(header) < 2 or _CONTROL.search("\t".join(header)):
            raise FormatError(where, "a header of at least two tab-separated columns", f"{len(header)}", "line 1")
        _check_names(where, header, "line 1")
        for line in reader:
            if len(line) != len(header):
                raise FormatError(where, f"{len(header)} columns", f"{len(line)}", f"line {reader.line_num}")
            _check_text(where, "tab-separated text", "\t".join(line), reader.line_num)
            if line[0] in table:
                raise FormatError(where, "each id once", f"{line[0]!r} again", f"line {reader.line_num}")
            table[line[0]] = line[1:]
    except csv.Error as error:
        raise FormatError(where, "tab-separated text", str(error)) from None
    columns = zip(*table.values(), strict=True) if table else [()] * (len(header) - 1)
    return list(table), {name: np.array(values, _STR) for name, values in zip(header[1:], columns, strict=True)}


def _plink_table(where: str, lines: list[str]) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """(IIDs, labels)."""
    columns: list[str] = []
    table: list[list[str]] = []
    seen: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        bare = line.removesuffix("\n").removesuffix("\r")
        _check_text(where, "text", bare, number)
        fields = [field for field in re.split("[ \t]+", bare) if field]
        if not columns:
            if bare.startswith("##"):
                continue
            if fields and fields[0].removeprefix("#") in _IDS:
                columns = [fields[0].removeprefix("#"), *fields[1:]]
                _check_names(where, columns, f"line {number}")
                if "IID" not in columns[:2]:
                    raise FormatError(where, "the columns FID IID ... or IID ...", bare[:60], f"line {number}")
                continue
            if _ending(where) in _LIKE_FAM:
                if len(fields) not in FAM:
                    raise FormatError(where, "a header, or 5 or 6 columns", f"{len(fields)}", f"line {number}")
                columns = FAM[len(fields)]
            elif len(fields) < 3:
                raise FormatError(where, "a header, or FID, IID and a phenotype", f"{len(fields)}", f"line {number}")
            else:
                columns = [*_IDS, *(f"PHENO{k}" for k in range(1, len(fields) - 1))]
        if len(fields) != len(columns):
            expected = f"{len(columns)} columns, as the first line has"
            raise FormatError(where, expected, f"{len(fields)}", f"line {number}")
        name = fields[columns.index("IID")]
        if name in seen:
            raise FormatError(where, "each IID once", f"{name!r} again (first in line {seen[name]})", f"line {number}")
        seen[name] = number
        table.append(fields)
    if not table:
        raise FormatError(where, "at least one person", "none")
    ids = list(seen)
    labels: dict[str, NDArray[Any]] = {}
    for name, values in zip(columns, map(list, zip(*table, strict=True)), strict=True):
        missing = NO_VALUE.get(name, _MISSING | {"NONE"})
        if name == "IID" or set(values) <= missing or (name == "FID" and values == ids):
            continue
        label = {"FID": "family", "SEX": "sex"}.get(name, name)
        if label in labels:
            raise FormatError(where, f"one column of the label {label!r}", "two", "header")
        labels[label] = _text(values, missing) if name in NO_VALUE else _phenotype(values)
    if not labels:
        raise FormatError(where, "a phenotype of at least one person", "none: all is missing")
    return ids, labels


def _phenotype(values: list[str]) -> NDArray[Any]:
    """Values of a column as the module says."""
    known = set(values) - _MISSING
    if known <= {"0", "1", "2"} and ("2" in known or "0" not in known):
        names = {"1": "control", "2": "case"}
        return np.array([names.get(value, "") for value in values], _STR)
    if not all(_NUMBER.fullmatch(value) for value in known) or known <= {"0", "1"}:
        return _text(values, _MISSING | {"NONE"})
    if known == set(values) and all(re.fullmatch(r"[+-]?\d{1,18}", value) for value in known):
        return np.array([int(value) for value in values], np.int64)
    return np.array([np.nan if value in _MISSING else float(value) for value in values])


def _text(values: list[str], missing: set[str]) -> NDArray[Any]:
    return np.array(["" if value in missing else value for value in values], _STR)


def _check_names(where: str, header: list[str], line: str) -> None:
    if again := next((name for k, name in enumerate(header) if name in header[:k]), None):
        raise FormatError(where, "each column name once", f"{again!r} twice", line)


def _check_text(where: str, expected: str, line: str, number: int) -> None:
    if (odd := _CONTROL.search(line)) is not None:
        raise FormatError(where, expected, f"the control character {odd[0]!r}", f"line {number}")

"""HAP/LEGEND/SAMPLE, HAPS/SAMPLE, BED/BIM/FAM and PVAR/PSAM, line by line in plain Python, and strict.

Each reader gives (sites, persons, values): sites as (contig, position, id, ref, alt), values a list of 0 and 1 for each
site. Whatever is not a clean file of two known alleles and called diploid genotypes is a ValueError.
"""

from __future__ import annotations

import math
import re
from pathlib import Path

from reference import containers, pgen

NUMBER = r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?"
Cohort = tuple[list[tuple[str, int, str, str, str]], list[str], list[list[int]]]


def _lines(place: Path) -> list[list[str]]:
    """Fields of every line of a file, or of it with .gz or .zst behind its name; spaces and tabs part them."""
    found = next((p for end in ("", ".gz", ".zst") if (p := Path(f"{place}{end}")).exists()), place)
    if (packed := found.read_bytes())[:4] != b"\x28\xb5\x2f\xfd" and found.suffix == ".zst":
        raise ValueError("not packed")
    data = containers.content(packed)
    if not data.endswith(b"\n") or data.startswith(b"\xef\xbb\xbf") or any(b < 32 and b not in b"\t\n" for b in data):
        raise ValueError("no plain text of whole lines")
    lines = [[field for field in re.split("[ \t]+", line) if field] for line in data.decode()[:-1].split("\n")]
    if not all(lines):
        raise ValueError("an empty line")
    return lines


def _position(text: str) -> int:
    if not re.fullmatch("[0-9]{1,10}", text) or not 1 <= int(text) < 2**31:
        raise ValueError("a position")
    return int(text)


def _check_sites(sites: list[tuple[str, int, str, str, str]]) -> None:
    seen = set()
    finished = set()
    for before, site in zip([None, *sites], sites, strict=False):
        contig, position, _, ref, alt = site
        if before and before[0] != contig:
            finished.add(before[0])
        elif before and before[1] > position:
            raise ValueError("order")
        if contig in finished:
            raise ValueError("a contig in two blocks")
        if (ref, alt) == ("N", "<ALT>"):
            continue
        if not re.fullmatch("[A-Za-z]+", ref) or not re.fullmatch("[A-Za-z]+", alt):
            raise ValueError("alleles")
        if (contig, position, ref, alt) in seen:
            raise ValueError("a site twice")
        seen.add((contig, position, ref, alt))


def _samples(place: Path) -> list[str]:
    header, *rows = _lines(place)
    if any(len(row) != len(header) for row in rows) or len({name.lower() for name in header}) < len(header):
        raise ValueError("columns")
    lower = [name.lower() for name in header]
    if lower[:3] == ["id_1", "id_2", "missing"]:
        types, *rows = rows
        if types[:3] != ["0", "0", "0"] or set(types[3:]) - set("DCPB"):
            raise ValueError("types")
        for k, kind in enumerate(types[3:], 3):
            values = [row[k] for row in rows if row[k] != "NA"]
            if kind in "CP":
                for value in values:
                    float(value.replace("_", "x"))  # float() takes 1_0
            if kind == "B" and values and (len(values) < len(rows) or set(values) - {"0", "1"}):
                raise ValueError("truth values")
        ids = [row[1] for row in rows]
    elif lower[0] in ("sample", "id") and len(header) > 1:
        ids = [row[0] for row in rows]
    else:
        raise ValueError("header")
    if not ids or len(set(ids)) < len(ids):
        raise ValueError("ids")
    return ids


def _values(fields: list[str], num_persons: int) -> list[int]:
    if len(fields) != 2 * num_persons or set(fields) - {"0", "1"}:
        raise ValueError("values")
    return [int(field) for field in fields]


def _place(text: str, position: str, ref: str, alt: str) -> str | None:
    found = re.fullmatch(r"([^:\s]+):([0-9]+)(?:_([^_\s]+)_([^_\s]+))?", text)
    if not found:
        return None
    if found[2] != position or (found[3] and found.groups()[2:] != (ref, alt)):
        raise ValueError("a place that is another")
    return found[1]


def hap(folder: Path, name: str) -> Cohort:
    """NAME.hap, NAME.legend and NAME.sample."""
    ids = _samples(folder / f"{name}.sample")
    header, *rows = _lines(folder / f"{name}.legend")
    if [column.lower() for column in header[:4]] != ["id", "position", "a0", "a1"]:
        raise ValueError("header")
    sites = []
    for row in rows:
        if len(row) != len(header):
            raise ValueError("columns")
        contig = _place(*row[:4])
        if contig is None:
            raise ValueError("no contig")
        sites.append((contig, _position(row[1]), row[4] if header[4:5] == ["site_id"] else row[0], row[2], row[3]))
    values = [_values(fields, len(ids)) for fields in _lines(folder / f"{name}.hap")]
    if len(values) != len(sites):
        raise ValueError("lines")
    _check_sites(sites)
    return sites, ids, values


def haps(folder: Path, name: str) -> Cohort:
    """NAME.haps and NAME.sample."""
    ids = _samples(folder / f"{name}.sample")
    sites, values = [], []
    for contig, site, position, ref, alt, *fields in _lines(folder / f"{name}.haps"):
        at = _position(position)
        sites.append((_place(contig, str(at), ref, alt) or contig, at, site, ref, alt))
        values.append(_values(fields, len(ids)))
    _check_sites(sites)
    return sites, ids, values


def _variants(place: Path) -> list[tuple[str, int, str, str, str]]:
    lines = _lines(place)
    names = {6: "CHROM ID CM POS ALT REF", 5: "CHROM ID POS ALT REF"}.get(len(lines[0]), "").split()
    head = [k for k, fields in enumerate(lines) if fields[0].startswith("#")]
    if head:
        if head != list(range(len(head))) or any(lines[k][0] == "#CHROM" for k in head[:-1]):
            raise ValueError("header")
        names = [lines[head[-1]][0][1:], *lines[head[-1]][1:]]
        lines = lines[len(head) :]
    known = {"CHROM", "POS", "ID", "REF", "ALT"}
    extra = {"QUAL", "FILTER", "INFO", "CM"}
    if not known <= set(names) or set(names) - known - extra or len(set(names)) < len(names) or not lines:
        raise ValueError("columns")
    sites = []
    for fields in lines:
        if len(fields) != len(names):
            raise ValueError("columns")
        row = dict(zip(names, fields, strict=True))
        if not re.fullmatch(NUMBER, row.get("CM", "0")) or not math.isfinite(float(row.get("CM", "0"))):
            raise ValueError("centimorgans")
        ref, alt = ("." if row[key] == "0" else row[key] for key in ("REF", "ALT"))
        if ref == alt == ".":
            ref, alt = "N", "<ALT>"
        sites.append((row["CHROM"], _position(row["POS"]), row["ID"], ref, alt))
    _check_sites(sites)
    return sites


def _persons(place: Path) -> tuple[list[str], list[bool]]:
    """(ids, who is a man)."""
    lines = _lines(place)
    names = {6: "FID IID PAT MAT SEX PHENO1", 5: "FID IID PAT MAT SEX"}.get(len(lines[0]), "").split()
    head = [k for k, fields in enumerate(lines) if fields[0].startswith("#")]
    if head:
        if head != list(range(len(head))) or any(lines[k][0] in ("#FID", "#IID") for k in head[:-1]):
            raise ValueError("header")
        names = [lines[head[-1]][0][1:], *lines[head[-1]][1:]]
        lines = lines[len(head) :]
    if names[:1] not in (["FID"], ["IID"]) or "IID" not in names[:2] or len(set(names)) < len(names):
        raise ValueError("columns")
    if any(len(fields) != len(names) for fields in lines):
        raise ValueError("columns")
    ids = [fields[names.index("IID")] for fields in lines]
    if not ids or len(set(ids)) < len(ids) or "0" in ids:
        raise ValueError("ids")
    at = names.index("SEX") if "SEX" in names else None
    return ids, [at is not None and fields[at] in ("1", "M", "m") for fields in lines]


def _check_ploidy(sites: list[tuple[str, int, str, str, str]], men: list[bool], values: list[list[int]]) -> None:
    """ValueError for two like alleles of a man on X, or of anyone on Y or MT."""
    for (contig, *_), row in zip(sites, values, strict=True):
        name = re.sub("^chr", "", contig.lower())
        for i, man in enumerate(men):
            haploid = name in ("y", "24", "mt", "m", "26") or (man and name in ("x", "23"))
            if haploid and row[2 * i] == row[2 * i + 1]:
                raise ValueError("a haploid call")


def bed(folder: Path, name: str) -> Cohort:
    """NAME.bed, NAME.bim and NAME.fam; a heterozygous call is 0 and 1."""
    sites = _variants(folder / f"{name}.bim")
    ids, men = _persons(folder / f"{name}.fam")
    data = (folder / f"{name}.bed").read_bytes()
    width = -(-len(ids) // 4)
    if data[:3] != b"\x6c\x1b\x01" or len(data) != 3 + width * len(sites):
        raise ValueError("size")
    values = []
    for j in range(len(sites)):
        bits = int.from_bytes(data[3 + width * j : 3 + width * (j + 1)], "little")
        if bits >> (2 * len(ids)):
            raise ValueError("bits behind the last person")
        calls = [bits >> (2 * i) & 3 for i in range(len(ids))]
        if 1 in calls:
            raise ValueError("a missing call")
        values.append([allele for call in calls for allele in {0: (1, 1), 2: (0, 1), 3: (0, 0)}[call]])
    _check_ploidy(sites, men, values)
    return sites, ids, values


def plink2(folder: Path, name: str) -> Cohort:
    """NAME.pgen, NAME.pvar and NAME.psam."""
    sites = _variants(folder / f"{name}.pvar")
    ids, men = _persons(folder / f"{name}.psam")
    values = []
    for calls, phased in pgen.records((folder / f"{name}.pgen").read_bytes(), [2] * len(sites), len(ids)):
        if not all(phased) or any(allele < 0 for call in calls for allele in call):
            raise ValueError("a call that is missing or not phased")
        values.append([allele for call in calls for allele in call])
    _check_ploidy(sites, men, values)
    return sites, ids, values

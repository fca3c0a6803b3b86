"""HAP/LEGEND/SAMPLE of IMPUTE2 and HAPS/SAMPLE of SHAPEIT: a line for each site, ``0 1 1 0 ...``, plain or gzipped.

``.hap`` has nothing but the values, two of each person. ``NAME.legend`` (or ``.legend.gz``) beside has a header
``id position a0 a1`` and a line for each site, ``NAME.sample`` (or ``.samples``) those of the persons; without it they
are sample0, sample1 ... ``.haps`` has five columns more in front: contig, id, position, a0, a1. Value 1 is a1, which is
ALT; plink2 writes ALT first unless it is told ``--export haps ref-first``. The contig of a ``.hap`` is in legend ids of
the form ``contig:position`` or ``contig:position_a0_a1``, else it is taken as "1", with a warning.

Files of either kind go by either name (bcftools writes HAPS as ``.hap.gz``, plink2 HAP as ``.haps``): a first line of
nothing but values is HAP, unless its name is ``.haps`` and no legend is beside.

On X, men may have one value a line, where .sample has their sex (1 or M, and not just 0 and 1, of which either may be
men); theirs are haploid calls then.

Other values: ``?`` and ``.`` are missing, ``-`` in the second place is what a haploid call has not, and a ``*`` behind
the values of a person says that they are not phased (IMPUTE2, bcftools). `hapforge.io.records.Policy` has rules for
them; without one they are refused.

Two dialects of ``.sample``: ``ID_1 ID_2 missing [...]`` with a second line of types (IMPUTE2, SHAPEIT, Oxford), where
ID_2 is the sample id, and ``sample population group sex [...]`` of reference panels. All other columns are labels:
numbers where the second line says C or P, truth values where it says B, else text. HAP is written with the second, HAPS
with the first.

A plain ``.haps`` that is cut right behind a line cannot be told from a whole one; a ``.hap`` is held against its
legend.

References
----------
Oxford formats: IMPUTE2 and SHAPEIT documentation; Howie et al. 2009, PLoS Genet. 5, e1000529.
"""

from __future__ import annotations

import contextlib
import os
import re
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.haplotypes import HaplotypeMatrix, Sites, words_per_row
from hapforge.io import bgzf, diploid, plink_tables, text
from hapforge.io.atomic import atomic_files
from hapforge.io.blocks import Haplotypes
from hapforge.io.records import ABSENT, MISSING, Block, Cohort, Policy
from hapforge.io.selection import Region

Advance = Callable[[int], object]
_ALLELES = {b"0": 0, b"1": 1, b"?": MISSING, b".": MISSING, b"-": ABSENT, b"0*": 0, b"1*": 1}
_PLACE = re.compile(r"([^:\s]+):(\d+)(?:_([^_\s]+)_([^_\s]+))?")
_PANEL = ("sample", "id")
_PANEL_COLUMNS = {"population": "population", "pop": "population", "group": "group", "sex": "sex"}
_RESERVED = {True: {"sample", "id", "pop"}, False: {"id_1", "id_2", "missing"}}
_HAPS_COLUMNS = 5
_GENETIC = "cM"  # column of a legend


def looks_like(line: bytes, name: str) -> bool:
    """Whether a file of this name whose first line starts so is HAP or HAPS, and not another table of text.

    Raises
    ------
    ValueError
        Nothing but values in a file of another name, which may be HAP or HAPT.
    """
    fields = line.split()
    if re.search(r"\.haps?(\.gz)?$", name):
        return True
    if re.search(r"\.hapt(\.gz|\.zip)?$", name):
        return False
    if fields and all(field in _ALLELES for field in fields):
        raise ValueError("nothing but values; name it .hap (sites in lines) or .hapt")
    return _starts_haps(fields) and all(field in _ALLELES for field in fields[_HAPS_COLUMNS:-1])


def _starts_haps(fields: list[bytes]) -> bool:
    """Whether a line begins as one of HAPS, and as none of HAPT or HAP: a position and alleles."""
    alleles = fields[3:_HAPS_COLUMNS]
    return len(fields) > _HAPS_COLUMNS and fields[2].isdigit() and not all(field in _ALLELES for field in alleles)


def check(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError for aligned sequences."""
    diploid.check_haplotypes(sites, path, "HAP or HAPS")


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """Where sites and persons of `path` may be."""
    return [*_legends(path), *_sample_files(path)] if _named_hap(path) else _sample_files(path)


def _stem(path: str | os.PathLike[str]) -> Path:
    target = Path(path)
    return target.with_name(re.sub(r"\.haps?$", "", target.name.removesuffix(".gz")))


def _named_hap(path: str | os.PathLike[str]) -> bool:
    return Path(path).name.removesuffix(".gz").endswith(".hap")


def _legends(path: str | os.PathLike[str]) -> list[Path]:
    stem = _stem(path)
    return [stem.with_name(stem.name + ending) for ending in (".legend", ".legend.gz")]


def _sample_files(path: str | os.PathLike[str]) -> list[Path]:
    stem = _stem(path)
    return [stem.with_name(stem.name + ending) for ending in (".sample", ".samples")]


# ---------------------------------------------------------------------------------------------------------- reading


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    legend: str | os.PathLike[str] | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a HAP or HAPS file; memory is that of the packed result twice, and a few MiB.

    Parameters
    ----------
    region : sites to take; the whole file is gone through, and its order checked
    samples : sample ids to take, in the order of the file
    maf : drop sites whose minor allele frequency among the haplotypes taken is below
    policy : what is done with odd input; default: it is refused
    legend : of a HAP file, where it is not beside under the same name
    progress : called with numbers of bytes of `path` taken in; they add up to its size

    Raises
    ------
    FormatError
        Lines of another number of values than there are persons, other values, another number of lines than the legend
        has; no legend; columns that are not as the module's docstring says; what `policy` does not accept.
    """
    policy = Policy() if policy is None else policy
    with contextlib.closing(text.line_blocks(path, policy, progress)) as blocks:
        first = next(blocks, None)
        if first is None:
            raise FormatError(path, "at least one line of 0 1 ...", "an empty file")
        columns = 0 if _is_hap(path, first[1][0], legend) else _HAPS_COLUMNS
        if legend is not None and columns:
            raise ValueError(f"legend: expected none for a file that names its sites, found {os.fspath(legend)}")
        sites = None if columns else _Legend(path, legend, policy)
        num_calls = len(first[1][0].split()) - columns
        first_site = _haps_columns(path, first[0], first[1][:1])[0] if sites is None else sites.sites
        ids, labels, single = _persons(path, num_calls, policy, first_site.contig[0].lower() in plink_tables.X)
        cohort = Cohort(path, ids, region=region, samples=samples, maf=maf, policy=policy)
        number, lines = first
        while True:
            block, tails = sites.take(number, lines) if sites else _haps_columns(path, number, lines)
            kept = cohort.wanted(block)
            if len(kept) < len(lines):
                block, tails = block.select(kept), [tails[j] for j in kept]
            if single is not None:
                for j, contig in enumerate(block.contig):
                    if contig.lower() in plink_tables.X:
                        tails[j] = _paired(path, block.where(j), tails[j], single)
            _take_calls(path, block, tails, len(ids))
            cohort.add(block)
            if (more := next(blocks, None)) is None:
                break
            number, lines = more
        if sites:
            sites.check_end()
    return diploid.with_persons(cohort.matrix(), labels, cohort.persons)


def _is_hap(path: str | os.PathLike[str], line: bytes, legend: str | os.PathLike[str] | None) -> bool:
    fields = line.split()
    if not all(field in _ALLELES for field in fields):
        return _named_hap(path) and not _starts_haps(fields)
    return _named_hap(path) or legend is not None or any(place.exists() for place in _legends(path))


class _Legend:
    """The sites of a HAP file, of which a piece is taken with each piece of its lines."""

    def __init__(self, path: str | os.PathLike[str], legend: str | os.PathLike[str] | None, policy: Policy) -> None:
        self.path = path
        found = text.only_one(path, _legends(path), "legend") if legend is None else legend
        if found is None:
            raise FormatError(path, f"{_legends(path)[0].name} or .legend.gz beside, or named as legend", "none")
        self.legend = found
        self.sites = _read_legend(found, policy)
        self.at = 0

    def take(self, number: int, lines: list[bytes]) -> tuple[Block, list[bytes]]:
        """(sites of the next lines, their values)."""
        stop = self.at + len(lines)
        total = len(self.sites.position)
        if stop > total:
            found = f"more than {total}, which {os.fspath(self.legend)} has"
            raise FormatError(self.path, f"{total} lines of values", found, f"line {number + total - self.at}")
        block = self.sites.select(range(self.at, stop))
        self.at = stop
        return block, lines

    def check_end(self) -> None:
        """Refuse a file of fewer lines than there are sites."""
        total = len(self.sites.position)
        if self.at < total:
            raise FormatError(self.path, f"{total} lines of values, as {os.fspath(self.legend)} has", f"{self.at}")


def _read_legend(path: str | os.PathLike[str], policy: Policy) -> Block:
    block = Block()
    places = 0
    with contextlib.closing(text.rows(path, policy)) as rows:
        header = next(rows, (0, []))[1]
        if [name.lower() for name in header[:4]] != ["id", "position", "a0", "a1"]:
            found = repr(" ".join(header)[:60]) if header else "an empty file"
            raise FormatError(path, "a header 'id position a0 a1'", found, "line 1")
        place = header.index(_GENETIC) if _GENETIC in header else None
        for number, fields in rows:
            if len(fields) != len(header):
                expected = f"{len(header)} columns, as the header has"
                raise FormatError(path, expected, f"{len(fields)}", f"line {number}")
            name, at, ref, alt = fields[:4]
            contig = _contig(path, number, name, at, ref, alt)
            places += contig is not None
            block.contig.append(contig or "1")
            block.position.append(text.position(path, at, number))
            block.id.append(fields[4] if header[4:5] == ["site_id"] else name)
            block.ref.append(ref)
            block.alt.append(alt)
            if place is not None:
                block.cm.append(text.centimorgans(path, fields[place], number, "NA"))
    if not block.position:
        raise FormatError(path, "at least one site", "none")
    if places < len(block.position):
        if places:
            raise FormatError(path, "ids that all have the form contig:position, or none", f"{places} that have it")
        warnings.warn(f"{os.fspath(path)}: no contig in the ids of the legend: taken as '1'", stacklevel=6)
    return block


def _contig(path: str | os.PathLike[str], number: int, name: str, at: str, ref: str, alt: str) -> str | None:
    """The contig of an id ``contig:position[_a0_a1]``, which must agree with its line; None for other ids."""
    found = _PLACE.fullmatch(name)
    if found is None:
        return None
    if found[2] != at or (found[3] and (found[3], found[4]) != (ref, alt)):
        shown = f"{name[:40]} {at[:20]} {ref[:20]} {alt[:20]}"
        raise FormatError(path, "an id that agrees with position and alleles", shown, f"line {number}")
    return found[1]


def _haps_columns(path: str | os.PathLike[str], number: int, lines: list[bytes]) -> tuple[Block, list[bytes]]:
    block, tails = Block(), []
    for k, line in enumerate(lines, number):
        fields = line.split(None, _HAPS_COLUMNS)
        if len(fields) <= _HAPS_COLUMNS:
            raise FormatError(path, "CONTIG ID POSITION A0 A1 0 1 ...", f"{len(fields)} columns", f"line {k}")
        at = text.position(path, fields[2], k)
        try:
            contig, name, ref, alt = (fields[j].decode() for j in (0, 1, 3, 4))
        except UnicodeDecodeError:
            raise FormatError(path, "UTF-8 text", "other bytes", f"line {k}") from None
        block.position.append(at)
        block.contig.append(_contig(path, k, contig, str(at), ref, alt) or contig)  # newer bcftools: the whole place
        block.id.append(name)
        block.ref.append(ref)
        block.alt.append(alt)
        tails.append(fields[_HAPS_COLUMNS])
    return block, tails


def _take_calls(path: str | os.PathLike[str], block: Block, tails: list[bytes], num_persons: int) -> None:
    """Set the calls of `block`: one byte of each value and a space between, or word by word where that is not so."""
    num_calls = 2 * num_persons
    width = 2 * num_calls
    usual = np.array([len(tail) == width - 1 for tail in tails], bool)
    data = b" ".join([*(tail if good else bytes(width - 1) for tail, good in zip(tails, usual, strict=True)), b""])
    cells = np.frombuffer(data, np.uint8).reshape(len(tails), width)
    values = cells[:, 0::2] - np.uint8(48)
    usual &= (values <= 1).all(axis=1) & (cells[:, 1::2] == 32).all(axis=1)
    odd = []
    for j in np.flatnonzero(~usual).tolist():
        row, alleles, phased = _call_row(path, block.where(j), tails[j], num_calls)
        values[j] = row
        if alleles is not None:
            odd.append((j, alleles, phased))
    block.words = (
        _backend.pack(np.ascontiguousarray(values)) if tails else np.empty((0, words_per_row(num_calls)), "u8")
    )
    if odd:
        block.odd = np.array([j for j, _, _ in odd], np.int64)
        block.alleles = np.array([alleles for _, alleles, _ in odd], np.int16)
        block.phased = np.array([phased for _, _, phased in odd], bool)


def _call_row(
    path: str | os.PathLike[str], where: str, tail: bytes, num_calls: int
) -> tuple[NDArray[np.uint8], NDArray[np.int16] | None, NDArray[np.bool_] | None]:
    """(values, alleles and phase by person where they are needed) of a line."""
    fields = tail.split()
    if len(fields) != num_calls:
        raise FormatError(path, f"{num_calls} values, two of each person", f"{len(fields)}", where)
    try:
        alleles = np.array([_ALLELES[field] for field in fields], np.int16).reshape(-1, 2)
    except KeyError:
        wrong = next(field for field in fields if field not in _ALLELES)
        found = f"{wrong[:20].decode(errors='replace')!r}"
        raise FormatError(path, "values 0 and 1 (or ? . - and *, by policy)", found, where) from None
    if (alleles[:, 0] == ABSENT).any():
        raise FormatError(path, "'-' in the second place of a person only", "one in the first", where)
    starred = np.array([field.endswith(b"*") for field in fields], bool).reshape(-1, 2)
    phased: NDArray[np.bool_] = ~(starred[:, 0] | starred[:, 1])
    if phased.all() and (alleles >= 0).all():
        return alleles.reshape(-1).astype(np.uint8), None, None
    return np.zeros(num_calls, np.uint8), alleles, phased


# ---------------------------------------------------------------------------------------------------------- persons


def _persons(
    path: str | os.PathLike[str], num_calls: int, policy: Policy, is_x: bool
) -> tuple[list[str], dict[str, NDArray[Any]], NDArray[np.bool_] | None]:
    """(sample ids, labels by person, who is a man where men have one value in a line of X)."""
    place = text.only_one(path, _sample_files(path), "file of persons")
    if place is None:
        if num_calls < 2 or num_calls % 2:
            raise FormatError(path, "two values of each person", f"{num_calls} values", "line 1")
        return [f"sample{i}" for i in range(num_calls // 2)], {}, None
    ids, labels = read_samples(place, policy)
    if num_calls == 2 * len(ids):
        return ids, labels, None
    sex = labels.get("sex", np.zeros(len(ids), int)).astype(str)
    men = np.isin(sex, ["1", "M", "m"])
    if set(sex.tolist()) == {"0", "1"}:  # may be women: their values are not to go to men
        men[:] = False
    if is_x and men.any() and num_calls == 2 * len(ids) - int(men.sum()):
        return ids, labels, men
    if num_calls < 2 or num_calls % 2:
        raise FormatError(path, "two values of each person", f"{num_calls} values", "line 1")
    raise FormatError(place, f"{num_calls // 2} persons, as {os.fspath(path)} has", f"{len(ids)}")


def _paired(path: str | os.PathLike[str], where: str, tail: bytes, single: NDArray[np.bool_]) -> bytes:
    """Values of a line with "-" behind those that stand alone."""
    fields = tail.split()
    wanted = 2 * len(single) - int(single.sum())
    if len(fields) != wanted:
        raise FormatError(path, f"{wanted} values, one of each man and two of all others", f"{len(fields)}", where)
    values = iter(fields)
    return b" ".join(b"%b %b" % (next(values), b"-" if alone else next(values)) for alone in single.tolist())


def read_samples(path: str | os.PathLike[str], policy: Policy) -> tuple[list[str], dict[str, NDArray[Any]]]:
    """(sample ids, labels by person) of a .sample file of either dialect.

    Raises
    ------
    FormatError
        Another header, lines of another number of columns, an id twice, no person.
    """
    with contextlib.closing(text.rows(path, policy)) as rows:
        header = next(rows, (0, []))[1]
        lower = [name.lower() for name in header]
        if len(set(lower)) < len(lower):
            raise FormatError(path, "each column once", " ".join(header)[:60], "line 1")
        oxford = lower[:3] == ["id_1", "id_2", "missing"]
        if not oxford and not (lower[:1] and lower[0] in _PANEL and len(lower) > 1):
            found = repr(" ".join(header)[:60]) if header else "an empty file"
            raise FormatError(path, "a header 'ID_1 ID_2 missing ...' or 'sample population ...'", found, "line 1")
        types = ["D"] * len(header)
        if oxford:
            types = next(rows, (0, []))[1]
            if len(types) != len(header) or types[:3] != ["0"] * 3 or not set(types[3:]) <= set("DCPB"):
                expected = "a second line of types, 0 0 0 and D, C, P or B of each other column"
                raise FormatError(path, expected, repr(" ".join(types)[:60]), "line 2")
        table: list[list[str]] = []
        seen: dict[str, int] = {}
        key = 1 if oxford else 0
        for number, fields in rows:
            if len(fields) != len(header):
                expected = f"{len(header)} columns, as the header has"
                raise FormatError(path, expected, f"{len(fields)}", f"line {number}")
            if fields[key] in seen:
                found = f"{fields[key]!r} again (first in line {seen[fields[key]]})"
                raise FormatError(path, "each sample id once", found, f"line {number}")
            seen[fields[key]] = number
            table.append(fields)
    if not table:
        raise FormatError(path, "at least one person", "none")
    ids = list(seen)
    columns = dict(zip(header, zip(*table, strict=True), strict=True))
    labels: dict[str, NDArray[Any]] = {}
    for name, kind in list(zip(header, types, strict=True))[3 if oxford else 1 :]:
        label = name if oxford else _PANEL_COLUMNS.get(name.lower(), name)
        values = _label(path, name, kind, list(columns[name]))
        if values is None or (label in ("population", "group") and list(columns[name]) == ids):
            continue  # bcftools writes the id for want of a population
        if label in labels:
            raise FormatError(path, f"one column of the label {label!r}", "two", "line 1")
        labels[label] = values
    if oxford:
        families = list(columns[header[0]])
        if families != ids and set(families) != {"0"}:
            labels["family"] = np.array(families)
    return ids, labels


def _label(path: str | os.PathLike[str], name: str, kind: str, texts: list[str]) -> NDArray[Any] | None:
    """The values of a column; None where all are missing."""
    missing = [value in ("NA", "-9") if kind == "P" else value == "NA" for value in texts]
    if all(missing):
        return None
    if kind == "D":
        return np.array(texts)
    try:
        if kind == "B" and not any(missing):
            return np.array([{"0": False, "1": True}[value] for value in texts])
        if not any(missing) and all(re.fullmatch(r"-?\d{1,18}", value) for value in texts):
            return np.array([int(value) for value in texts], np.int64)
        if "_" in "".join(texts):  # float() takes 1_0
            raise ValueError(name)
        return np.array(
            [np.nan if gone else float(value) for value, gone in zip(texts, missing, strict=True)], np.float64
        )
    except (ValueError, KeyError):
        raise FormatError(path, f"numbers in column {name!r} of type {kind}", "other text") from None


# ---------------------------------------------------------------------------------------------------------- writing


def write(matrix: Haplotypes, path: str | os.PathLike[str], *, progress: Advance | None = None) -> None:
    """Write HAP with a legend, or HAPS, by the ending of `path`; both with a .sample beside. ``.gz`` is block gzip.

    Ids of sites stand in a fifth column, ``site_id``, of the legend, unless all are ``contig:position_a0_a1``; genetic
    positions, where any is known, in one more, ``cM``, with NA for those that are not. HAPS has no place for them.
    Alleles that are not known are written as N and <ALT>. What the format has no place for is named in a warning.

    The files are put in their places one after the other, as no system does it at once for several: the old .legend and
    .sample go, the .hap or .haps is replaced, the new ones come (`hapforge.io.atomic.atomic_files`). A writer that is
    killed there leaves a set that lacks files, never old ones beside new ones; the next `hapforge.read` or write of it
    puts in place what is missing, other programs find no legend meanwhile. Sets that were mixed in another way, by
    copying say, are noticed by their numbers of sites and persons only: the format has no checksums.

    Parameters
    ----------
    progress : called with numbers of sites written

    Raises
    ------
    ValueError
        Not two rows for each person, side by side; no sites or no haplotypes; spaces in names or alleles, colons in
        contigs of a legend.
    """
    target = Path(path)
    packed = target.name.endswith(".gz")
    hap = _named_hap(target)
    name = "HAP" if hap else "HAPS"
    ids = diploid.person_ids(matrix, target, name)
    if hap and (bad := next((contig for contig, _, _ in matrix.sites.contig_blocks() if ":" in contig), None)):
        raise ValueError(f"{target}: expected contigs without colons to write a legend, found {bad!r}")
    columns = list(diploid.site_columns(matrix.sites, target, name))
    labels, lost = diploid.person_labels(matrix.samples)
    for label in _unwritable(labels, hap):
        del labels[label]
        lost.append(label)
    panel = _panel_text(ids, labels) if hap else _oxford_text(ids, labels)
    diploid.warn_of_losses(matrix, target, name, lost, phased=False)
    advance = progress or (lambda count: None)
    with diploid.by_site(matrix, target, name) as table, atomic_files(target, *companions(target)) as folder:
        (folder / _sample_files(target)[0].name).write_text(panel, encoding="utf-8")
        if hap:
            with _sink(folder / _legends(target)[packed].name) as sink:
                _write_legend(sink, columns, diploid.centimorgan_texts(matrix.sites, "NA"))
        with _sink(folder / target.name) as sink:
            for start, dense in table.dense_blocks():
                cells = np.full((len(dense), 2 * matrix.num_haplotypes), 32, np.uint8)
                cells[:, 0::2] = dense + np.uint8(48)
                cells[:, -1] = 10
                if hap:
                    sink.write(cells.tobytes())
                else:
                    for line, site in zip(cells, columns[start : start + len(dense)], strict=True):
                        contig, at, place, ref, alt = site
                        sink.write(f"{contig} {place} {at} {ref} {alt} ".encode() + line.tobytes())
                advance(len(dense))


@contextlib.contextmanager
def _sink(path: Path) -> Iterator[Any]:
    with bgzf.BgzfWriter(path) if path.name.endswith(".gz") else open(path, "wb") as sink:
        yield sink


def _write_legend(sink: Any, columns: list[tuple[str, str, str, str, str]], cm: list[str]) -> None:
    places = [
        f"{contig}:{at}_{ref}_{alt}" if "_" not in ref + alt else f"{contig}:{at}"
        for contig, at, _, ref, alt in columns
    ]
    named = any(site != place for place, (_, _, site, _, _) in zip(places, columns, strict=True))
    lines = [["id", "position", "a0", "a1", *(["site_id"] if named else []), *([_GENETIC] if cm else [])]]
    for j, (place, (_, at, site, ref, alt)) in enumerate(zip(places, columns, strict=True)):
        lines.append([place, at, ref, alt, *([site] if named else []), *([cm[j]] if cm else [])])
    sink.write("".join(f"{' '.join(line)}\n" for line in lines).encode())


def _unwritable(labels: dict[str, NDArray[Any]], hap: bool) -> list[str]:
    """Labels whose names are those of other columns, but for upper and lower case."""
    columns = {"population", "group", "sex"} if hap else {"family"}
    seen = set(_RESERVED[hap])
    lost = []
    for name in labels:
        if name.lower() in seen or (name.lower() in columns and name not in columns):
            lost.append(name)
        seen.add(name.lower())
    return lost


def _panel_text(ids: list[str], labels: dict[str, NDArray[Any]]) -> str:
    columns = {name: labels.get(name, np.full(len(ids), "NA")) for name in ("population", "group", "sex")}
    columns |= {name: values for name, values in labels.items() if name not in columns}
    lines = [" ".join(["sample", *columns])]
    rows = zip(ids, *([str(value) for value in values.tolist()] for values in columns.values()), strict=True)
    return "\n".join([*lines, *(" ".join(row) for row in rows)]) + "\n"


def _oxford_text(ids: list[str], labels: dict[str, NDArray[Any]]) -> str:
    columns = {name: values for name, values in labels.items() if name != "family"}
    kinds = {"b": "B", "i": "C", "u": "C", "f": "C"}
    types = [kinds.get(values.dtype.kind, "D") for values in columns.values()]
    texts = [_texts(values) for values in columns.values()]
    families = _texts(labels["family"]) if "family" in labels else ids
    lines = [" ".join(["ID_1", "ID_2", "missing", *columns]), " ".join(["0", "0", "0", *types])]
    rows = zip(families, ids, ["0"] * len(ids), *texts, strict=True)
    return "\n".join([*lines, *(" ".join(row) for row in rows)]) + "\n"


def _texts(values: NDArray[Any]) -> list[str]:
    if values.dtype.kind == "b":
        return [str(int(value)) for value in values.tolist()]
    return ["NA" if value != value else str(value) for value in values.tolist()]

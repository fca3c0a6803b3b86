"""Path <-> HaplotypeMatrix.

Reading goes by content, writing by the ending of the name:

=================================  ==================================================  ==============
ending                             what                                                module
=================================  ==================================================  ==============
``.vcf`` ``.vcf.gz`` ``.bcf``      phased diploid VCF; an index beside the last two    `hapforge.io.vcf`
``.hapt`` ``.hapt.gz`` ``.hapt.zip``  the papers' text format, with a legend           `hapforge.io.hapt`
``.hap`` ``.hap.gz``               IMPUTE2's HAP, with .legend and .sample             `hapforge.io.impute`
``.haps`` ``.haps.gz``             SHAPEIT's HAPS, with .sample                        `hapforge.io.impute`
``.pgen``                          PLINK 2, with .pvar and .psam                       `hapforge.io.pgen`
``.bed`` (read only)               PLINK 1, with .bim and .fam; not phased             `hapforge.io.bed`
``.vcz`` ``.zarr`` ``.vcz.zip``    VCF Zarr (v2 or v3), a folder or zipped             `hapforge.io.vcz`
``.trees`` (read only)             tree sequence of tskit                              `hapforge.io.trees`
``.npz``                           NumPy archive of packed bits                        `hapforge.io.npz`
``.hapz``                          native store, chunked and checksummed (Zarr v3)     `hapforge.io.hapz`
``.fasta`` ``.fa`` ``.faa`` ``.fna``  aligned sequences; each also with ``.gz``        `hapforge.io.fasta`
=================================  ==================================================  ==============

A region (``region=``) of a block-gzipped VCF or of BCF reads only its part of the file where a .tbi or .csi beside fits
(`hapforge.io.index`). Of .pgen, .bed and .trees only the sites in it are decoded, of VCF Zarr and .hapz only chunks of
genotypes with something of it; their tables of sites are read as a whole, and the form of all records of a .pgen is
checked, since Pgenlib takes it for granted. HAP, HAPS, and VCF without an index are gone through to their end, as
nothing says where a region lies; HAPT, FASTA and .npz are read, and then cut.

A format is one line of `FORMATS` and a module of its name, which is imported when a file of it is met. The module has
``read(path, *, progress)`` (with ``region, samples, maf`` too where it `Format.selects`, and with ``policy`` where it
reads `Format.records`) and, if its endings can be written, ``write(matrix, path, *, progress)``; where they are needed
``check(sites, path)``, a ValueError for sites it cannot write, and ``companions(path)``, the files that it puts beside
`path` or removes there.
"""

from __future__ import annotations

import contextlib
import gzip
import importlib
import os
import stat
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hapforge.errors import FormatError
from hapforge.haplotype_blocks import HaplotypeBlocks
from hapforge.haplotypes import HaplotypeMatrix, Sites, words_per_row
from hapforge.io import atomic
from hapforge.io.genes import Genes, read_genes
from hapforge.io.genetic_map import GeneticMap, read_genetic_map
from hapforge.io.records import Policy
from hapforge.io.selection import Region, apply, check_maf, wanted_ids

__all__ = [
    "ENDINGS",
    "FORMATS",
    "Format",
    "Genes",
    "GeneticMap",
    "Policy",
    "check_form",
    "check_room",
    "companions",
    "format_of_content",
    "format_of_name",
    "has_genetic_positions",
    "read",
    "read_genes",
    "read_genetic_map",
    "size_of",
    "write",
]

Advance = Callable[[int], object]


@dataclass(frozen=True)
class Format:
    """What is known of a format before its module is imported.

    Parameters
    ----------
    title : what `hapforge info` calls it
    endings : of names that are written so
    selects : its module takes region, samples and frequency while reading; else they are cut out of the whole
    by_site : writing is counted by sites, else by haplotypes
    diploid : it holds persons of two haplotypes, and nothing else
    records : its module reads records, through `hapforge.io.records.Cohort`, and takes a policy for odd ones
    genetic : endings of names with a place for `Sites.genetic_position_cm`
    """

    title: str
    endings: tuple[str, ...]
    selects: bool = False
    by_site: bool = False
    records: bool = False
    genetic: tuple[str, ...] = ()
    diploid: bool = False


FORMATS = {
    "vcf": Format("VCF or BCF", (".vcf", ".vcf.gz", ".bcf"), selects=True, by_site=True, records=True, diploid=True),
    "hapt": Format("HAPT", (".hapt", ".hapt.gz", ".hapt.zip")),
    "impute": Format(
        "HAP or HAPS",
        (".hap", ".hap.gz", ".haps", ".haps.gz"),
        selects=True,
        by_site=True,
        records=True,
        diploid=True,
        genetic=(".hap", ".hap.gz"),
    ),
    "pgen": Format("PGEN", (".pgen",), selects=True, by_site=True, records=True, diploid=True, genetic=(".pgen",)),
    "bed": Format("PLINK 1 BED, not phased", (), selects=True, records=True),
    "vcz": Format("VCF Zarr", (".vcz", ".zarr", ".vcz.zip"), selects=True, by_site=True, records=True, diploid=True),
    "trees": Format("tree sequence", (), selects=True, records=True),
    "npz": Format("NumPy archive", (".npz",), genetic=(".npz",)),
    "hapz": Format("hapz store", (".hapz",), selects=True, genetic=(".hapz",)),
    "fasta": Format("FASTA", tuple(f".{name}{gz}" for name in ("fasta", "fa", "faa", "fna") for gz in ("", ".gz"))),
}
"""Every format by its name, which is also that of its module."""

ENDINGS = {ending: name for name, format in FORMATS.items() for ending in format.endings}
"""Endings that can be written, and the format that each stands for."""

_EXPECTED = "a VCF, BCF, HAPT, HAP, HAPS, PGEN, BED, VCF Zarr, FASTA, .trees, .npz or .hapz file"
_READ_ONLY = {
    ".bed": "expected a format that holds phase, found .bed, which is only read (.pgen)",
    ".trees": "expected a format without a genealogy, which haplotypes do not tell, found .trees, which is only read",
}
_BESIDE = {
    ".bim": ".bed",
    ".fam": ".bed",
    ".pvar": ".pgen",
    ".zst": ".pgen",
    ".psam": ".pgen",
    ".legend": ".hap",
    ".sample": ".hap or .haps",
    ".samples": ".hap or .haps",
}
"""Endings of files that stand beside another, which is the one to be read."""
_FIRST = 1 << 16  # bytes of a first line that are looked at


def _module(kind: str) -> Any:
    return importlib.import_module(f"hapforge.io.{kind}")


def __getattr__(name: str) -> Any:
    if name in FORMATS:
        return _module(name)
    raise AttributeError(f"module 'hapforge.io' has no attribute {name!r}")


def format_of_name(path: str | os.PathLike[str]) -> str:
    """The name in `FORMATS` that the ending of a file's name stands for.

    Raises
    ------
    ValueError
        Another ending; the message lists the known ones.
    """
    name = Path(path).name
    if (why := next((why for ending, why in _READ_ONLY.items() if name.endswith(ending)), None)) is not None:
        raise ValueError(f"{os.fspath(path)}: {why}")
    found = [ending for ending in ENDINGS if name.endswith(ending) and len(name) > len(ending)]
    if not found:
        raise ValueError(f"{os.fspath(path)}: expected a name that ends in one of {', '.join(ENDINGS)}")
    return ENDINGS[max(found, key=len)]


def format_of_content(path: str | os.PathLike[str]) -> str:
    """The name in `FORMATS` of what a file holds.

    Raises
    ------
    FormatError
        Nothing that is known.
    FileNotFoundError
        Nothing there.
    """
    target = Path(path)
    if target.is_dir():
        if (target / "call_genotype").is_dir() or (target / ".zgroup").is_file():
            return "vcz"
        if (target / "zarr.json").is_file():
            return "hapz"
        raise FormatError(path, _EXPECTED, "a folder without zarr.json")
    if not stat.S_ISREG(target.stat().st_mode):
        raise FormatError(path, "a file (`hapforge convert -` takes standard input)", "a pipe or device")
    if (main := _BESIDE.get(target.with_name(target.name.removesuffix(".gz")).suffix)) is not None:
        raise FormatError(path, f"the {main} that this file stands beside", "sites or persons only")
    with open(target, "rb") as handle:
        head = handle.read(64)
        if not head:
            raise FormatError(path, _EXPECTED, "an empty file")
        if head[:2] == b"\x1f\x8b":
            handle.seek(0)
            try:
                head = gzip.GzipFile(fileobj=handle).read(64)
            except (EOFError, gzip.BadGzipFile, zlib.error) as error:
                raise FormatError(path, "a whole gzip file", f"a cut or damaged one ({error})") from None
        elif head[:2] == b"PK":
            from hapforge.io import hapt

            try:
                with zipfile.ZipFile(handle) as archive:
                    names = hapt.members(archive)
            except hapt.ZIP_ERRORS as error:
                raise FormatError(path, "a whole zip file", f"a cut or damaged one ({str(error)[:80]})") from None
            if any(name.endswith(".npy") for name in names):
                return "npz"
            return "vcz" if _module("vcz").in_zip(names) else "hapt"
    if head.startswith(b"\x89KAS\r\n\x1a\n"):
        return "trees"
    if head.startswith(b"\x93NUMPY"):
        return "npz"
    text = head.removeprefix(b"\xef\xbb\xbf")
    if head.startswith(b"BCF") or text.startswith((b"##fileformat=VCF", b"#CHROM\t")):
        return "vcf"
    if head.startswith(b">"):
        return "fasta"
    if head.startswith(b"\x6c\x1b"):
        return "bed" if head[2:3] in (b"\x00", b"\x01") else "pgen"
    if len(text.split()) >= 2 and b"\0" not in head and text.split(b"\n")[0].strip() and not text.startswith(b"##"):
        try:
            return "impute" if _module("impute").looks_like(_first_line(target), target.name) else "hapt"
        except ValueError as error:
            raise FormatError(path, "a name that says which format it is", str(error)) from None
    raise FormatError(path, _EXPECTED, f"other content ({head[:20]!r})")


def _first_line(path: Path) -> bytes:
    """The start of a text file's first line, gzipped or not."""
    with open(path, "rb") as handle:
        packed = handle.read(2) == b"\x1f\x8b"
        handle.seek(0)
        if not packed:
            return handle.read(_FIRST).split(b"\n")[0]
        with contextlib.suppress(EOFError, gzip.BadGzipFile, zlib.error):  # the reader says what is wrong, and where
            return gzip.GzipFile(fileobj=handle).readline(_FIRST).rstrip(b"\n")
    return b""


def check_form(sites: Sites, path: str | os.PathLike[str]) -> None:
    """Raise ValueError for sites that cannot be written to `path`, such as haplotypes as FASTA."""
    module = _module(format_of_name(path))
    if hasattr(module, "check"):
        module.check(sites, path)


def has_genetic_positions(path: str | os.PathLike[str]) -> bool:
    """Whether what is written to `path` has a place for `Sites.genetic_position_cm`."""
    return os.fspath(path).endswith(FORMATS[format_of_name(path)].genetic)


def companions(path: str | os.PathLike[str]) -> list[Path]:
    """What `write` puts beside `path` or removes there: indexes, a legend."""
    module = _module(format_of_name(path))
    return module.companions(path) if hasattr(module, "companions") else []


def size_of(path: str | os.PathLike[str]) -> int:
    """Bytes of a file, or of all files in a folder."""
    target = Path(path)
    if target.is_dir():
        return sum(file.stat().st_size for file in target.rglob("*") if file.is_file())
    return target.stat().st_size


def read(
    path: str | os.PathLike[str],
    region: str | None = None,
    samples: Sequence[str] | str | os.PathLike[str] | None = None,
    labels: Mapping[str, Any] | str | os.PathLike[str] | None = None,
    *,
    maf: float | None = None,
    legend: str | os.PathLike[str] | None = None,
    policy: Policy | Mapping[str, str] | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """Read haplotypes; the format is found from the content.

    Parameters
    ----------
    path : VCF, VCF.gz, BCF, HAPT, HAP, HAPS, PGEN, BED, VCF Zarr, .trees, .npz, .hapz, or FASTA of aligned
        sequences (see `hapforge.alignment`)
    region : "chr" or "chr:first-last", 1-based, both included: records with their position in it, as they are spelled
        in the file; which formats then read less is said in `hapforge.io`
    samples : sample ids, or a file with one a line; their haplotypes are taken in the order of the file `path`
    labels : dict name -> values, a TSV whose first column is a haplotype or sample id, or PLINK's .fam, .psam or .pheno
        (see `HaplotypeMatrix.with_labels`)
    maf : drop sites whose minor allele frequency among the haplotypes taken is below; 0 to 0.5
    legend : of a HAPT or HAP file, where it is not beside under the same name
    policy : what is done with input that is odd but not damaged, as ``{"multiallelic": "split", "missing": "skip"}``;
        kinds and choices are those of `hapforge.io.Policy`, which counts what was changed if it is given itself, and
        has the mask of ``missing=mask``
    progress : called with numbers of bytes taken in; they add up to at most the size of the input

    Raises
    ------
    FormatError
        A file that is cut, damaged, of no known format, or holds what cannot be represented; one line says where, what
        was expected and what was found. Nothing left to take.
    ValueError
        A region, frequency, legend or policy that makes no sense here.

    Warns
    -----
    UserWarning
        What was left out or changed by a mapping `policy`, in one line.
    """
    rules = Policy.of(policy)
    atomic.complete(path)
    kind = format_of_content(path)
    check_maf(maf)
    if legend is not None and kind not in ("hapt", "impute"):
        raise ValueError(f"legend: expected none for a file that names its sites, found {os.fspath(legend)}")
    if maf is not None and kind == "fasta":
        raise ValueError(f"maf: expected none for aligned sequences, found {maf}")
    wanted_region = None if region is None else Region.parse(region)
    ids = None if samples is None else wanted_ids(samples)
    module = _module(kind)
    matrix: HaplotypeMatrix
    extra: dict[str, Any] = {} if legend is None else {"legend": legend}
    # Beside a VCF are indexes. They may come and go meanwhile: what is read is that of the file, whatever they say.
    beside = module.companions(path) if kind != "vcf" and hasattr(module, "companions") else []
    with _unchanged(Path(path), *beside, *([] if legend is None else [Path(legend)])):
        if FORMATS[kind].selects:
            if FORMATS[kind].records:
                extra["policy"] = rules
            matrix = module.read(path, region=wanted_region, samples=ids, maf=maf, progress=progress, **extra)
        else:
            matrix = apply(path, module.read(path, progress=progress, **extra), wanted_region, ids, maf)
    if rules is not policy and (changed := rules.summary()):
        warnings.warn(f"{os.fspath(path)}: {changed}", stacklevel=2)
    return matrix if labels is None else matrix.with_labels(labels)


@contextlib.contextmanager
def _unchanged(*paths: Path) -> Iterator[None]:
    """FormatError where a file changes, goes or is replaced meanwhile; errors of the system say which file."""
    before = [_state(path) for path in paths]
    try:
        yield
    except (FormatError, OSError) as error:
        _check_state(paths, before)
        if isinstance(error, OSError) and error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, os.fspath(paths[0])) from error
        raise
    _check_state(paths, before)


def _check_state(paths: Sequence[Path], before: Sequence[tuple[int, ...]]) -> None:
    for path, old in zip(paths, before, strict=True):
        if (now := _state(path)) != old:
            found = "it changed" if now and old else "it went" if old else "it came"
            raise FormatError(path, "a file that stays as it is while it is read", found)


def _state(path: Path) -> tuple[int, ...]:
    """What changes with a file's content: of a folder, with its own and its metadata's; () where there is none."""
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            inner = [_state(path / name) for name in ("zarr.json", ".zmetadata", ".zgroup")]
            return (found.st_dev, found.st_ino, found.st_mtime_ns, *(number for state in inner for number in state))
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns) if stat.S_ISREG(found.st_mode) else ()


_TEXT = (".vcf", ".hapt", ".hap", ".haps")
"""Endings of files of text that is not compressed, with two bytes or more for a haplotype at a site."""


def check_room(
    path: str | os.PathLike[str],
    num_haplotypes: int,
    num_sites: int,
    *,
    mappable: bool = False,
    in_blocks: bool = False,
) -> None:
    """Raise OSError where the disk has no room for a file of this size, as far as it is known before it is written.

    Known is the least size of text that is not compressed and of the mappable store, of the others nothing; and, where
    haplotypes come `in_blocks` and the format goes by site, that of the file in which they lie until all are there.
    What is there already stays in its place meanwhile, so that it counts as used.
    """
    size = 0
    if mappable:
        size = num_haplotypes * 8 * words_per_row(num_sites)
    elif Path(path).name.endswith(_TEXT):
        size = 2 * num_haplotypes * num_sites
    waiting = in_blocks and FORMATS[format_of_name(path)].by_site
    atomic.check_room(path, size, beside=8 * words_per_row(num_haplotypes) * num_sites if waiting else 0)


def write(
    H: HaplotypeMatrix | HaplotypeBlocks,
    path: str | os.PathLike[str],
    *,
    mappable: bool = False,
    zarr_format: int | None = None,
    progress: Advance | None = None,
) -> None:
    """Write haplotypes; the format is that of the name's ending (see the module). What is there is replaced, at once.

    What comes in blocks, such as draws of a model (`Model.sample_in_blocks`), is never in memory as a whole: that of
    writing is some 100 MiB, and 100 to 250 bytes a haplotype for its names. Formats that go by site (`Format.by_site`)
    need a bit for each haplotype and site on the disk meanwhile.

    Parameters
    ----------
    H : haplotypes, in memory or in blocks
    mappable : for .hapz: leave the genotypes uncompressed, so that reading maps them into memory
    zarr_format : for VCF Zarr: 2, which is the default as sgkit reads nothing else, or 3
    progress : called with numbers of sites or haplotypes written (`Format.by_site`)

    Raises
    ------
    ValueError
        An unknown ending; a cohort that the format cannot hold, such as an odd number of haplotypes in VCF, aligned
        sequences in VCF or anything else in FASTA.
    OSError
        No room, known beforehand or found while writing, or another error of the system; the old file is as it was and
        nothing else is left.

    Warns
    -----
    UserWarning
        What the format has no place for: labels and haplotype ids in VCF, for example.
    """
    kind = format_of_name(path)
    check_form(H.sites, path)
    if mappable and kind != "hapz":
        raise ValueError(f"mappable: expected a .hapz file for it, found {os.fspath(path)}")
    check_room(path, *H.shape, mappable=mappable, in_blocks=isinstance(H, HaplotypeBlocks))
    if zarr_format is not None and kind != "vcz":
        raise ValueError(f"zarr_format: expected VCF Zarr (.vcz) for it, found {os.fspath(path)}")
    extra: dict[str, Any] = {"mappable": True} if mappable else {}
    if zarr_format is not None:
        extra["zarr_format"] = zarr_format
    if not has_genetic_positions(path) and not np.isnan(H.sites.genetic_position_cm).all():
        title = "HAPS" if kind == "impute" else FORMATS[kind].title
        warnings.warn(f"{os.fspath(path)}: {title} has no place for genetic positions", stacklevel=2)
    _module(kind).write(H, path, progress=progress, **extra)

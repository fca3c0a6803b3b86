"""What the writers of diploid formats share: persons of two rows, their labels, and sites a piece at a time."""

from __future__ import annotations

import itertools
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.alignment import alphabet_of
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples, Sites
from hapforge.io import blocks
from hapforge.io.blocks import BySite, Haplotypes
from hapforge.io.records import LAST_POSITION, UNKNOWN, is_allele

_WORD = re.compile(r"[^\s\x00-\x1f]+")


def person_ids(matrix: Haplotypes, path: str | os.PathLike[str], name: str) -> list[str]:
    """The sample ids of a cohort that can be written as `name`.

    Raises
    ------
    ValueError
        No haplotypes or no sites; not two rows for each person, side by side; ids with spaces; what `check_alleles`
        refuses.
    """
    samples = matrix.samples
    n, num_sites = matrix.shape
    where = os.fspath(path)
    if not n or not num_sites:
        raise ValueError(
            f"{where}: expected at least one haplotype and one site to write as {name}, found {n} x {num_sites}"
        )
    if n % 2:
        raise ValueError(
            f"{where}: expected two haplotypes for each person to write as {name}, found an odd number ({n})"
        )
    wrong = np.flatnonzero(samples.person != np.arange(n) // 2)
    if len(wrong):
        found = samples.sample_id[wrong[0]]
        raise ValueError(
            f"{where}: expected rows 2i and 2i + 1 to be one person to write as {name}, found {found!r} in row "
            f"{wrong[0]}"
        )
    check_alleles(matrix.sites, path, name)
    ids = [str(value) for value in samples.sample_id[::2].tolist()]
    check_words(ids, path, name, "sample ids")
    return ids


def check_haplotypes(sites: Sites, path: str | os.PathLike[str], name: str) -> None:
    """ValueError for aligned sequences."""
    if alphabet_of(sites):
        raise ValueError(f"{os.fspath(path)}: expected haplotypes to write as {name}, found aligned sequences (.fasta)")


def check_alleles(sites: Sites, path: str | os.PathLike[str], name: str) -> None:
    """ValueError for alleles that would not be read back as they are.

    REF is of bases and ALT one allele of VCF, symbolic ones among them, or neither is known. Where only ALT is missing,
    no haplotype may have it (`by_site`). REF N beside ALT <ALT> stands for alleles that are not known.
    """
    for j, (ref, alt) in enumerate(zip(sites.ref.tolist(), sites.alt.tolist(), strict=True)):
        if (ref, alt) == (UNKNOWN_ALLELE, UNKNOWN_ALLELE):
            continue
        found = f"{ref[:20]!r} and {alt[:20]!r}"
        if (ref, alt) == UNKNOWN:
            found += ", which stands for that"
        elif ref.isalpha() and ref.isascii() and "," not in alt and is_allele(alt):
            continue
        where = f"{os.fspath(path)}, site {sites.contig[j]}:{sites.position[j]}"
        raise ValueError(
            f"{where}: expected REF of bases and one ALT, or both unknown ('.'), to write as {name}, found {found}"
        )


def check_words(texts: Sequence[str], path: str | os.PathLike[str], name: str, what: str) -> None:
    """ValueError for a text that is empty or has spaces or control characters."""
    if (bad := next((text for text in texts if not _WORD.fullmatch(text)), None)) is not None:
        raise ValueError(f"{os.fspath(path)}: expected {what} without spaces to write as {name}, found {bad!r}")


def check_sites(sites: Sites, path: str | os.PathLike[str], name: str) -> None:
    """ValueError for spaces in names or alleles, or a position of 2^31 or more."""
    for what, values in (("contigs", sites.contig), ("site ids", sites.id), ("REF", sites.ref), ("ALT", sites.alt)):
        check_words(values.tolist(), path, name, what)
    if (last := int(sites.position.max())) > LAST_POSITION:
        raise ValueError(f"{os.fspath(path)}: expected positions below 2^31 to write as {name}, found {last}")


def site_columns(sites: Sites, path: str | os.PathLike[str], name: str) -> Iterator[tuple[str, str, str, str, str]]:
    """(contig, position, id, REF, ALT) of every site as they are written: N and <ALT> where both are not known.

    Raises
    ------
    ValueError
        As `check_sites`.
    """
    check_sites(sites, path, name)
    columns = (sites.contig, sites.position, sites.id, sites.ref, sites.alt)
    for contig, at, site, ref, alt in zip(*(column.tolist() for column in columns), strict=True):
        if (ref, alt) == (UNKNOWN_ALLELE, UNKNOWN_ALLELE):
            ref, alt = UNKNOWN
        yield contig, str(at), site, ref, alt


def centimorgan_texts(sites: Sites, unknown: str) -> list[str]:
    """The genetic positions as text, none of which is just "0" where they are known; empty where none is."""
    cm = sites.genetic_position_cm
    if np.isnan(cm).all():
        return []
    return [unknown if value != value else repr(value) for value in cm.tolist()]


def alt_lines(sites: Sites) -> list[str]:
    """What the header of a VCF says of alleles in <>: ``<ID=DEL,Description="...">``."""
    alts = {alt[1:-1]: "symbolic allele" for alt in sites.alt.tolist() if alt[0] == "<"}
    if (sites.ref == UNKNOWN_ALLELE).any():
        alts["ALT"] = "alternative allele, not known"
    return [f'<ID={name},Description="{text}">' for name, text in alts.items()]


def person_labels(samples: Samples) -> tuple[dict[str, NDArray[Any]], list[str]]:
    """(labels by person, names of those that differ within a person or have values with spaces)."""
    kept, lost = {}, []
    for name, values in samples.labels.items():
        texts = [str(value) for value in values.tolist()]
        plain = all(_WORD.fullmatch(text) for text in {name, *texts})
        if plain and texts[::2] == texts[1::2]:
            kept[name] = values[::2]
        else:
            lost.append(name)
    return kept, lost


def warn_of_losses(
    matrix: Haplotypes,
    path: str | os.PathLike[str],
    name: str,
    labels: Sequence[str],
    *,
    counted: bool = False,
    phased: bool = True,
) -> None:
    """One warning of what `name` has no place for.

    Parameters
    ----------
    labels : names of those that are lost
    counted : whether it can say that positions are only a count
    phased : whether it can say that a person is not phased
    """
    samples = matrix.samples
    lost = [f"labels ({', '.join(labels)})"] if labels else []
    if not samples.named_by_person:
        lost.append("haplotype ids")
    if not matrix.sites.position_known and not counted:
        lost.append("that positions are only a count")
    if not samples.phased.all() and not phased:
        lost.append("that persons are not phased")
    if lost:
        warnings.warn(f"{os.fspath(path)}: {' and '.join(lost)}: lost, {name} has no place for it", stacklevel=4)


@contextmanager
def by_site(cohort: Haplotypes, path: str | os.PathLike[str], name: str) -> Iterator[BySite]:
    """The cohort by site, drawn as a whole; ValueError where a haplotype has an ALT that is missing at a known REF."""
    sites = cohort.sites
    without = np.flatnonzero((sites.alt == UNKNOWN_ALLELE) & (sites.ref != UNKNOWN_ALLELE)).tolist()
    with blocks.by_site(cohort, path) as table:
        for start, group in itertools.groupby(without, key=lambda j: j // 64 * 64):
            carried = np.asarray(table.bits(start, min(start + 64, len(sites))).any(axis=1))
            if (j := next((j for j in group if carried[j - start]), None)) is not None:
                where = f"{os.fspath(path)}, site {sites.contig[j]}:{sites.position[j]}"
                raise ValueError(
                    f"{where}: expected no haplotype with ALT where it is missing ('.') to write as {name}, found some"
                )
        yield table


def with_persons(
    matrix: HaplotypeMatrix, labels: dict[str, NDArray[Any]], persons: NDArray[np.int64], *, phased: bool | None = None
) -> HaplotypeMatrix:
    """`matrix` with the labels of `persons`, whose values are by person of the file; `phased` of all, or as it is."""
    samples = matrix.samples
    kept = {name: np.repeat(values[persons], 2) for name, values in labels.items()}
    state = samples.phased if phased is None else np.full(samples.num_persons, phased)
    new = Samples(len(samples), sample_id=samples.sample_id, labels=kept, phased=state)
    return HaplotypeMatrix(matrix.words, matrix.sites, new, _checked=True)

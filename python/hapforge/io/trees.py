"""Tree sequences of tskit (.trees): reading. They are not written: haplotypes do not say what their genealogy is.

Every sample node is a haplotype. Where each belongs to an individual, haplotypes of an individual stand together, in
the order of individuals, as one person, ``tsk_0``, ``tsk_1`` ..., which are the names tskit gives them in VCF. Where
none does, rows 2i and 2i + 1 are one person, as everywhere.

tskit counts positions from 0; here the base at tskit's position p is p + 1. Where positions were taken over from VCF as
they are (as by tsinfer), that is one too many: see `hapforge.interop.from_tskit`. There is no contig in a tree
sequence: all sites are on "1". The ancestral allele is REF; alleles "0" and "1" of a mutation model without bases are
not known. Samples that are isolated at a site, more than two alleles and sites without mutations go by the rules of
`hapforge.io.records`; back mutations and repeated ones of one allele need none.

The file format has no checksum: damage that leaves a tree sequence in place goes unnoticed.

References
----------
Kelleher et al. 2016, PLoS Comput Biol 12:e1004842; tskit, "Data model".
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples
from hapforge.io.records import UNKNOWN, Block, Cohort, Policy
from hapforge.io.selection import Region

Advance = Callable[[int], object]
_CONTIG = "1"
_AT_ONCE = 4 << 20  # genotypes that are turned to bits at once


def read(
    path: str | os.PathLike[str],
    *,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    progress: Advance | None = None,
) -> HaplotypeMatrix:
    """The haplotypes of a tree sequence, which as a whole is in memory meanwhile.

    Parameters
    ----------
    region, samples, maf : what is taken, see `hapforge.read`; sites outside the region are not decoded
    policy : what is done with odd input, and where that is counted; all is refused by default
    progress : called with numbers of bytes taken in; they add up to the file's size

    Raises
    ------
    FormatError
        A cut or damaged file; positions that are no integers; alleles of another kind than the policy takes; nothing
        left to take.
    MissingDependencyError
        tskit is not installed.
    """
    try:
        import tskit
    except ImportError:
        raise MissingDependencyError("tskit", "io") from None
    size = os.path.getsize(path)
    try:
        tree_sequence = tskit.load(os.fspath(path))
    except FileNotFoundError:
        raise
    except (
        tskit.FileFormatError,
        tskit.exceptions.TskitException,
        ValueError,
        KeyError,
        TypeError,
        EOFError,
        OSError,
    ) as error:
        found = f"a cut or damaged one ({str(error)[:80] or type(error).__name__})"
        raise FormatError(path, "a whole tree sequence", found) from None
    return from_tree_sequence(
        tree_sequence, path, region=region, samples=samples, maf=maf, policy=policy, progress=progress, size=size
    )


def from_tree_sequence(
    tree_sequence: Any,
    path: str | os.PathLike[str],
    *,
    contig: str = _CONTIG,
    offset: int = 1,
    region: Region | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | None = None,
    progress: Advance | None = None,
    size: int = 0,
) -> HaplotypeMatrix:
    """`read` of a tree sequence in memory; `path` names it in messages, `offset` is added to positions."""
    import tskit

    nodes, names = _haplotypes(tree_sequence, path)
    position = tree_sequence.sites_position
    wrong = np.flatnonzero(position != np.floor(position))
    if len(wrong):
        found = f"{position[wrong[0]]:g}; simulate with discrete_genome=True, or round them with tskit"
        raise FormatError(path, "positions that are integers", found, f"tskit's site {wrong[0]}")
    cohort = Cohort(path, names, region=region, samples=samples, maf=maf, policy=policy, ploidy=1)
    step = max(1, _AT_ONCE // len(nodes))
    num_sites = tree_sequence.num_sites
    variant = tskit.Variant(tree_sequence, samples=nodes)
    told = 0
    for start in range(0, num_sites, step):
        numbers = range(start, min(start + step, num_sites))
        places = (position[numbers].astype(np.int64) + offset).tolist()
        kept = cohort.wanted(Block([contig] * len(numbers), places))
        block = Block([contig] * len(kept), [places[k] for k in kept])
        genotypes = np.empty((len(kept), len(nodes)), np.int16)
        for j, number in enumerate(start + k for k in kept):
            try:
                variant.decode(number)
                alleles = [allele for allele in variant.alleles if allele is not None]
            except (tskit.LibraryError, UnicodeDecodeError) as error:
                where = f"tskit's site {number}"
                raise FormatError(path, "a whole tree sequence", f"a damaged one ({error})", where) from None
            genotypes[j] = variant.genotypes
            ref, alt = _alleles(path, number, alleles)
            block.ref.append(ref)
            block.alt.append(alt)
        block.id = [UNKNOWN_ALLELE] * len(kept)
        if len(kept):
            _take(block, genotypes)
            cohort.add(block)
        if progress:
            done = size * numbers.stop // num_sites
            progress(done - told)
            told = done
    return cohort.matrix()


def _haplotypes(tree_sequence: Any, path: str | os.PathLike[str]) -> tuple[NDArray[np.int32], list[str]]:
    """(sample nodes in the order of persons, name of the person of each)."""
    nodes = tree_sequence.samples()
    individual = tree_sequence.nodes_individual[nodes]
    if not len(nodes):
        raise FormatError(path, "at least one sample node", "none")
    if (individual < 0).all():
        return nodes, Samples(len(nodes)).sample_id.tolist()
    if (individual < 0).any():
        node = nodes[individual < 0][0]
        raise FormatError(path, "an individual for all sample nodes, or for none", f"none for node {node} of some")
    order = np.argsort(individual, kind="stable")
    number = np.unique(individual, return_inverse=True)[1]
    return nodes[order], [f"tsk_{k}" for k in number[order].tolist()]


def _alleles(path: str | os.PathLike[str], number: int, alleles: list[str]) -> tuple[str, str]:
    """REF and ALT of a site; as of VCF where there are none, or more than one ALT."""
    if set(alleles) <= {"0", "1"}:
        return UNKNOWN[0], UNKNOWN[1] if len(alleles) > 1 else UNKNOWN_ALLELE
    if wrong := [allele for allele in alleles if not (allele.isalpha() and allele.isascii())]:
        raise FormatError(path, "alleles of bases, or 0 and 1", f"{wrong[0][:40]!r}", f"tskit's site {number}")
    return alleles[0], ",".join(alleles[1:]) or UNKNOWN_ALLELE


def _take(block: Block, genotypes: NDArray[np.int16]) -> None:
    """Give records their calls, (sites, haplotypes): numbers of alleles, -1 missing."""
    clean = ((genotypes == 0) | (genotypes == 1)).all(axis=1)
    block.odd = np.flatnonzero(~clean)
    block.words = _backend.pack(np.where(clean[:, None], genotypes, 0).astype(np.uint8))
    block.alleles = genotypes[block.odd][:, :, None]
    block.phased = np.ones((len(block.odd), genotypes.shape[1]), bool)

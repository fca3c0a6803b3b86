"""Cohorts of other sources brought to the sites that they share, and what speaks against their being comparable."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, Sites, same_records

_COMPLEMENT = str.maketrans("ACGTacgt", "TGCAtgca")
_MANY = 0.5  # share of the positions within the range of both that agree: at least, without a closer look
_FEW = 0.1  # at most, where other genome builds are suspected; 1000 Genomes has a site in 3 % of all positions
_ENOUGH = 20  # positions, or ids, from which anything is concluded

_Key = tuple[str, int, str, str, int]


class Intersection(list[HaplotypeMatrix]):
    """The matrices of `intersect`, with what was done to each.

    Attributes
    ----------
    num_flipped : list of int, sites whose REF and ALT were swapped against the first matrix
    num_flipped_ambiguous : list of int, those of them whose alleles are A and T or C and G: the other strand looks
        the same there as a swap, and frequencies alone can tell them apart
    num_dropped : list of int, sites that not all matrices have
    num_other_alleles : list of int, those of them at a position of the first matrix, with other alleles
    num_other_strand : list of int, those of them with the complements of the first's alleles
    num_ambiguous : int, shared sites whose alleles are A and T or C and G
    doubts : list of str, why the positions of some matrix seem to be of another genome build
    """

    num_flipped: list[int]
    num_flipped_ambiguous: list[int]
    num_dropped: list[int]
    num_other_alleles: list[int]
    num_other_strand: list[int]
    num_ambiguous: int
    doubts: list[str]

    def _unchanged(self, matrices: Sequence[HaplotypeMatrix]) -> Intersection:
        self.extend(matrices)
        none = [0] * len(matrices)
        self.num_flipped, self.num_flipped_ambiguous, self.num_dropped = none, none[:], none[:]
        self.num_other_alleles, self.num_other_strand = none[:], none[:]
        self.num_ambiguous = sum(map(_is_ambiguous, matrices[0].sites.ref.tolist(), matrices[0].sites.alt.tolist()))
        self.doubts = []
        return self


def intersect(matrices: Sequence[HaplotypeMatrix], *, names: Sequence[str] | None = None) -> Intersection:
    """Bring cohorts to the sites they share.

    Sites match by contig ("chr1" is "1", "M" is "MT"), position and alleles; where REF and ALT are swapped against the
    first matrix, the bits are flipped. Where positions are not known in all of them, sites are matched by their order,
    with a warning. Strands are not changed: alleles that are the complements of the first's are counted and left out.

    Parameters
    ----------
    matrices : at least one matrix
    names : what messages call them; "matrix 0" and so on

    Returns
    -------
    Intersection : list of matrices with the sites (records) of the first, and the counts

    Warns
    -----
    UserWarning
        Most of the rs numbers that two cohorts share stand at other positions, or next to none of the positions within
        the range of both agree: the genome builds may differ.

    Raises
    ------
    ValueError
        No common site (the message says what differs), or unknown positions and different numbers of sites.
    """
    matrices = list(matrices)
    if not matrices:
        raise ValueError("matrices: expected at least one, found none")
    names = [f"matrix {k}" for k in range(len(matrices))] if names is None else names
    first = matrices[0].sites
    if all(same_records(first, m.sites) and m.sites.position_known for m in matrices):
        return Intersection()._unchanged(matrices)
    if not all(m.sites.position_known for m in matrices):
        return Intersection()._unchanged(_matched_by_order(matrices, names))
    where = [_site_index(m.sites) for m in matrices]
    index: list[list[int]] = [[] for _ in matrices]
    flipped: list[list[bool]] = [[] for _ in matrices]
    for key in where[0]:
        contig, position, ref, alt, nth = key
        swapped = (contig, position, alt, ref, nth)
        found = []
        for table in where:
            if (j := table.get(key)) is not None:
                found.append((j, False))
            elif swapped not in where[0] and (j := table.get(swapped)) is not None:  # a record is used once
                found.append((j, True))
        if len(found) == len(matrices):
            for k, (j, flip) in enumerate(found):
                index[k].append(j)
                flipped[k].append(flip)
    result = Intersection()
    others = range(1, len(matrices))
    doubts = [_doubt(first, matrices[k].sites, names[0], names[k]) for k in others]
    result.doubts = [doubt for doubt in doubts if doubt]
    if not index[0]:
        k = next((k for k in others if not _shares(where[0], where[k])), 0)
        why = _difference(first, matrices[k].sites, names[0], names[k]) if k else "not one that all have"
        reasons = "; ".join([why, *result.doubts])
        raise ValueError(f"matrices: expected common sites (contig, position, alleles), found none: {reasons}")
    for doubt in result.doubts:
        warnings.warn(f"other genome builds? {doubt}", stacklevel=2)
    sites = first.select(np.array(index[0]))
    ambiguous = np.array(list(map(_is_ambiguous, sites.ref.tolist(), sites.alt.tolist())))
    result.num_ambiguous = int(ambiguous.sum())
    result.num_dropped = [m.num_sites - len(index[0]) for m in matrices]
    result.num_flipped = [sum(flips) for flips in flipped]
    result.num_flipped_ambiguous = [int(ambiguous[flips].sum()) for flips in flipped]
    counts = [_other_alleles(where[0], table) for table in where]
    result.num_other_alleles, result.num_other_strand = ([count[i] for count in counts] for i in range(2))
    for m, columns, flips in zip(matrices, index, flipped, strict=True):
        words = _backend.select_sites(m.words, m.num_sites, np.array(columns, dtype=np.int64))
        if any(flips):
            words = words ^ _backend.pack(np.array([flips], dtype=np.uint8))
        result.append(HaplotypeMatrix(words, sites, m.samples, _checked=True))
    return result


def _matched_by_order(matrices: list[HaplotypeMatrix], names: Sequence[str]) -> list[HaplotypeMatrix]:
    first = matrices[0]
    for name, m in zip(names, matrices, strict=True):
        if m.num_sites != first.num_sites:
            raise ValueError(
                f"matrices: expected {first.num_sites} sites in all where positions are not known, found "
                f"{m.num_sites} in {name}"
            )
    if len(matrices) > 1:
        warnings.warn("positions are not known in all cohorts: sites are matched by their order", stacklevel=3)
    return [
        m if m.sites is first.sites else HaplotypeMatrix(m.words, first.sites, m.samples, _checked=True)
        for m in matrices
    ]


def _plain(contig: str) -> str:
    """The name without "chr"; the mitochondrion's shortest."""
    name = contig.removeprefix("chr")
    return "M" if name == "MT" else name


def _site_index(sites: Sites) -> dict[_Key, int]:
    """Where a record stands, by plain contig, position, alleles, and its number among those alike (unknown)."""
    contigs: dict[str, str] = {}
    for name, _, _ in sites.contig_blocks():
        plain = _plain(name)
        if twin := next((other for other, known in contigs.items() if known == plain), None):
            raise ValueError(f"sites: expected {twin!r} and {name!r} to be one contig, found both in one cohort")
        contigs[name] = plain
    columns = (sites.contig.tolist(), sites.position.tolist(), sites.ref.tolist(), sites.alt.tolist())
    index: dict[_Key, int] = {}
    for j, (contig, position, ref, alt) in enumerate(zip(*columns, strict=True)):
        nth = 0
        while (key := (contigs[contig], position, ref, alt, nth)) in index:
            nth += 1
        index[key] = j
    return index


def _complement(allele: str) -> str:
    """Of bases, as the other strand spells them."""
    return allele.translate(_COMPLEMENT)[::-1]


def _is_ambiguous(ref: str, alt: str) -> bool:
    return ref != alt and ref.isalpha() and _complement(ref) == alt


def _shares(mine: dict[_Key, int], theirs: dict[_Key, int]) -> bool:
    return any(key in mine or (key[0], key[1], key[3], key[2], key[4]) in mine for key in theirs)


def _other_alleles(mine: dict[_Key, int], theirs: dict[_Key, int]) -> tuple[int, int]:
    """Their sites at positions of mine but with other alleles; those of them on the other strand."""
    alleles: dict[tuple[str, int], set[tuple[str, str]]] = {}
    for contig, position, ref, alt, _ in mine:
        alleles.setdefault((contig, position), set()).add((ref, alt))
    other = strand = 0
    for contig, position, ref, alt, _ in theirs:
        known = alleles.get((contig, position))
        if known and (ref, alt) not in known and (alt, ref) not in known:
            other += 1
            turned = _complement(ref), _complement(alt)
            strand += turned in known or turned[::-1] in known
    return other, strand


def _positions(sites: Sites) -> dict[str, NDArray[np.int64]]:
    return {_plain(name): np.unique(sites.position[start:stop]) for name, start, stop in sites.contig_blocks()}


def _doubt(mine: Sites, theirs: Sites, my_name: str, their_name: str) -> str | None:
    """Why two cohorts seem to have positions of different genome builds."""
    a, b = _positions(mine), _positions(theirs)
    agree = smaller = 0
    for contig in a.keys() & b.keys():
        low, high = max(a[contig][0], b[contig][0]), min(a[contig][-1], b[contig][-1])
        inside = [x[(x >= low) & (x <= high)] for x in (a[contig], b[contig])]
        agree += len(np.intersect1d(inside[0], inside[1], assume_unique=True))
        smaller += min(map(len, inside))
    if smaller and agree >= _MANY * smaller:
        return None
    placed = [_places(sites) for sites in (mine, theirs)]
    shared = placed[0].keys() & placed[1].keys()
    moved = [name for name in shared if placed[0][name] != placed[1][name]]
    if len(shared) >= _ENOUGH and len(moved) > _MANY * len(shared):
        name = min(moved, key=lambda name: placed[0][name])
        (contig, here), (other, there) = (places[name] for places in placed)
        return (
            f"{len(moved)} of {len(shared)} rs numbers that {my_name} and {their_name} share are at other positions, "
            f"{name} at {contig}:{here} and {other}:{there}"
        )
    if smaller >= _ENOUGH and agree <= _FEW * smaller:
        return f"{agree} of {smaller} positions within the range of {my_name} and {their_name} agree"
    return None


def _places(sites: Sites) -> dict[str, tuple[str, int]]:
    """Where an rs number stands that stands only once."""
    ids = sites.id.tolist()
    counts = Counter(ids)
    return {
        name: (_plain(contig), position)
        for name, contig, position in zip(ids, sites.contig.tolist(), sites.position.tolist(), strict=True)
        if name.startswith("rs") and counts[name] == 1
    }


def _difference(mine: Sites, theirs: Sites, my_name: str, their_name: str) -> str:
    """Why two cohorts share no site."""
    a, b = _positions(mine), _positions(theirs)
    shared = sorted(a.keys() & b.keys())
    if not shared:
        return f"contigs {_some(a)} in {my_name}, {_some(b)} in {their_name}"
    common = [(contig, np.intersect1d(a[contig], b[contig], assume_unique=True)) for contig in shared]
    if total := sum(len(positions) for _, positions in common):
        contig, position = next((contig, int(positions[0])) for contig, positions in common if len(positions))
        alleles = [
            next(
                f"{ref}/{alt}"
                for name, at, ref, alt in zip(
                    *(column.tolist() for column in (sites.contig, sites.position, sites.ref, sites.alt)), strict=True
                )
                if at == position and _plain(name) == contig
            )
            for sites in (mine, theirs)
        ]
        return (
            f"{total} positions agree, with other alleles; at {contig}:{position} {alleles[0]} in {my_name}, "
            f"{alleles[1]} in {their_name}"
        )
    contig = shared[0]
    spans = [f"{contig}:{positions[contig][0]}-{positions[contig][-1]}" for positions in (a, b)]
    return f"no position agrees, {spans[0]} in {my_name}, {spans[1]} in {their_name}"


def _some(names: dict[str, NDArray[np.int64]]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (", ..." if len(listed) > 3 else "")

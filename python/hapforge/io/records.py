"""What all readers of records share: order, alleles, the rules for odd input, and the way into a `HaplotypeMatrix`.

A reader hands over `Block` after `Block` to a `Cohort`, which takes the region, the persons and the sites above a minor
allele frequency, and turns them haplotype-major a piece at a time: memory is that of the packed result twice, and a
few blocks.

What is odd but not damaged is refused unless a `Policy` says what to do with it. The steps, in this order:

1. ``text``, ``unsorted``: lines and their order.
2. ``multiallelic``, ``symbolic``, ``duplicate``: which sites a record gives.
3. ``haploid``, ``missing``, ``unphased``: the calls of the persons taken, at each of those sites.

A site that one step drops is not looked at by the next, and what is changed in calls is counted at sites that stay.
Values that are no allele of their record are an error at any policy, in all persons.
"""

from __future__ import annotations

import difflib
import os
import re
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples, Sites, words_per_row
from hapforge.io.selection import Region, frequent, no_contig, no_site, rows_of

__all__ = [
    "ABSENT",
    "CALLS",
    "KINDS",
    "LAST_POSITION",
    "MISSING",
    "UNKNOWN",
    "Block",
    "Cohort",
    "Order",
    "Policy",
    "accepted_by",
    "is_allele",
]

_STR = np.dtypes.StringDType()
_TRANSPOSED = 1024  # sites that are turned to haplotype-major words at once
_BASES = re.compile("[A-Za-z]+")
_SYMBOLIC = re.compile(r"<[^<>\s]+>|\*|\.|[A-Za-z.]*[\[\]][^\[\]\s]+[\[\]][A-Za-z.]*|[A-Za-z]+\.|\.[A-Za-z]+")

MISSING = -1
"""In `Block.alleles`: an allele that was not called."""
ABSENT = -2
"""In `Block.alleles`: the second allele of a haploid call."""
UNKNOWN = ("N", "<ALT>")
"""REF and ALT of a record whose alleles are not known; "." in `Sites`."""
LAST_POSITION = 2**31 - 1
CALLS = "diploid calls without missing alleles (0|0, 0|1, 1|0, 1|1)"
_PHASED = "phased diploid calls (0|0, 0|1, 1|0, 1|1); phase the file first, for example with SHAPEIT or Beagle"

KINDS = {
    "multiallelic": ("error", "split", "skip", "major"),
    "symbolic": ("error", "skip", "keep"),
    "unphased": ("error", "keep", "skip"),
    "missing": ("error", "skip", "mask", "major"),
    "haploid": ("error", "skip", "double"),
    "duplicate": ("error", "skip"),
    "unsorted": ("error", "sort"),
    "text": ("error", "accept"),
    "chunks": ("error", "fill"),
}
"""Kinds of odd input, and what can be done with each; the first is the default."""

_SAID = {
    ("multiallelic", "split"): "{records} multi-allelic records split into {sites} sites",
    ("multiallelic", "skip"): "{records} multi-allelic records left out",
    ("multiallelic", "major"): "{records} multi-allelic records brought down to the commonest ALT",
    ("symbolic", "skip"): "{sites} sites with a symbolic or missing ALT left out",
    ("symbolic", "keep"): "{sites} sites with a symbolic or missing ALT kept",
    ("unphased", "keep"): "{calls} unphased heterozygous calls kept at {sites} sites",
    ("unphased", "skip"): "{sites} sites with unphased heterozygous calls left out",
    ("missing", "skip"): "{sites} sites with missing alleles left out",
    ("missing", "major"): "{alleles} missing alleles set to the commoner one at {sites} sites",
    ("missing", "mask"): "{alleles} missing alleles masked at {sites} sites",
    ("haploid", "skip"): "{sites} sites with haploid calls left out",
    ("haploid", "double"): "{calls} haploid calls counted twice at {sites} sites",
    ("duplicate", "skip"): "{sites} repeated sites left out",
    ("unsorted", "sort"): "{records} records brought into order",
    ("text", "accept"): "{lines} odd lines accepted (CR LF, byte-order mark, empty, no ##fileformat)",
    ("chunks", "fill"): "{chunks} missing chunks of calls taken as zeros",
}


class Policy:
    """What is done with input that is odd but not damaged, and how often it was.

    Parameters
    ----------
    choices : kind -> choice, of those in `KINDS`; "error" for kinds that are not named

        ==============  =====================================================================================
        kind            choices
        ==============  =====================================================================================
        multiallelic    ``split``: a site for each ALT, whose allele is 1 and all others 0; ``major``: only the
                        site of the commonest ALT (the first of those alike); ``skip``
        symbolic        an ALT in <>, ``*``, a breakend, or none (``.``): ``keep`` it as it is spelled; ``skip``
        unphased        ``keep``: `Samples.phased` is False for a person with an unphased heterozygous call, whose
                        alleles stay in the order of the file; ``skip`` the sites with such a call. Homozygous
                        calls with a slash are then taken as they are
        missing         ``major``: an allele that was not called is the site's commoner one among those that were
                        (REF where both are alike); ``skip`` the sites; ``mask``: it is 0, and `observed` says
                        so, for `RBM.impute`. Of a half-missing call one allele is; where it is not phased, its person
                        is not. A frequency (``maf``) is then that among called alleles
        haploid         ``double``: a haploid call counts twice; ``skip`` the sites. In PGEN and BED that is a call of
                        two like alleles of a man on X, or of anyone on Y and MT
        duplicate       of sites alike in position, REF and ALT: ``skip`` all but the first
        unsorted        ``sort`` by contig (in the order of the file) and position; needs more memory, for a third
                        copy of the calls and the names of all sites
        text            ``accept`` CR LF, a byte-order mark, empty lines at the end, a VCF without ##fileformat
        chunks          of a Zarr array of calls that are not there: ``fill`` them with zeros (REF, not phased), which
                        is what bio2zarr leaves out; damage by loss looks alike
        ==============  =====================================================================================

    Attributes
    ----------
    choices : dict, of all kinds
    changes : dict, kind -> what was counted ("sites", "records", "calls", "alleles", "lines", "chunks"), where any was
    observed : HaplotypeMatrix of the shape of what was read last, 1 where an allele was called, for ``missing=mask``;
        None where all were. It takes as much memory as the cohort, and that once more while reading

    Raises
    ------
    ValueError, TypeError
        An unknown kind or choice; no mapping.
    """

    def __init__(self, choices: Mapping[str, str] | None = None) -> None:
        if choices is not None and not isinstance(choices, Mapping):
            raise TypeError(f"policy: expected a mapping kind -> choice, found {type(choices).__name__}")
        self.choices = {kind: known[0] for kind, known in KINDS.items()}
        self.changes: dict[str, dict[str, int]] = {}
        self.observed: HaplotypeMatrix | None = None
        for kind, choice in (choices or {}).items():
            if kind not in KINDS:
                raise ValueError(f"policy: expected a kind out of {', '.join(KINDS)}, found {_near(kind, KINDS)}")
            if choice not in KINDS[kind]:
                known = ", ".join(KINDS[kind])
                raise ValueError(f"policy: expected {kind} to be one of {known}, found {_near(choice, KINDS[kind])}")
            self.choices[kind] = choice

    @classmethod
    def of(cls, policy: Policy | Mapping[str, str] | None) -> Policy:
        """`policy` itself, or that of a mapping.

        Raises
        ------
        ValueError, TypeError
            As of the class; a mapping with ``missing=mask``, whose mask nobody would get.
        """
        if isinstance(policy, Policy):
            return policy
        made = cls(policy)
        if made["missing"] == "mask":
            expected = "a hapforge.io.Policy for missing=mask, whose `observed` is then the mask"
            raise ValueError(f"policy: expected {expected}, found a mapping")
        return made

    @classmethod
    def parse(cls, texts: Iterable[str]) -> Policy:
        """Of texts "KIND=CHOICE".

        Raises
        ------
        ValueError
            Another text; a kind named twice; an unknown kind or choice.
        """
        choices: dict[str, str] = {}
        for text in texts:
            kind, equals, choice = text.partition("=")
            if not equals:
                raise ValueError(f"policy: expected KIND=CHOICE, as in multiallelic=split, found {text!r}")
            if kind in choices:
                raise ValueError(f"policy: expected each kind once, found {kind!r} twice")
            choices[kind] = choice
        return cls(choices)

    def __getitem__(self, kind: str) -> str:
        return self.choices[kind]

    def __repr__(self) -> str:
        chosen = {kind: choice for kind, choice in self.choices.items() if choice != KINDS[kind][0]}
        return f"Policy({chosen})"

    def count(self, kind: str, **numbers: int) -> None:
        """Add to what was changed by the rule for `kind`."""
        if any(numbers.values()):
            mine = self.changes.setdefault(kind, {})
            for what, number in numbers.items():
                mine[what] = mine.get(what, 0) + int(number)

    def summary(self) -> str:
        """What was changed, in the order of `KINDS`; empty where nothing was."""
        said = []
        for kind, choice in self.choices.items():
            if kind in self.changes:
                text = _SAID[kind, choice].format(**self.changes[kind])
                said.append(re.sub(r"\b(1 (?:[\w-]+ )*?)(record|site|call|allele|line|chunk)s\b", r"\1\2", text))
        return "; ".join(said)


def _near(name: object, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(str(name), list(known), 1, 0.5)
    return f"{name!r} (did you mean {close[0]!r}?)" if close else f"{name!r}"


def accepted_by(kind: str) -> str:
    """How to accept input of this kind, as the end of a message; but for a mask, which one command takes."""
    choices = [choice for choice in KINDS[kind][1:] if choice != "mask"]
    return f"; --policy {kind}={'|'.join(choices)} accepts it"


def is_allele(alt: str) -> bool:
    """Whether it is an ALT allele of VCF: bases, one in <>, ``*``, a breakend, or the ``.`` of a record without one."""
    return bool(_BASES.fullmatch(alt) or _SYMBOLIC.fullmatch(alt))


@dataclass
class Block:
    """Records of a file that follow each other.

    Attributes
    ----------
    contig, position, id, ref, alt : one for each record; several ALT alleles stand with commas between, none is "."
    cm : centimorgans, one for each record, NaN where they are not known; empty where the format has no place for them
    words : uint64 (records, words_per_row): site-major calls of all persons of the file, bit 2 i and 2 i + 1 of a row
        are the alleles of person i; for phased diploid calls of alleles 0 and 1
    odd : int64, rows of the records with other calls, ascending; their `words` are not looked at
    alleles : int16 (len(odd), persons, 2), numbers of alleles, `MISSING`, or `ABSENT` for the second of a haploid call
    phased : bool (len(odd), persons)
    """

    contig: list[str] = field(default_factory=list)
    position: list[int] = field(default_factory=list)
    id: list[str] = field(default_factory=list)
    ref: list[str] = field(default_factory=list)
    alt: list[str] = field(default_factory=list)
    cm: list[float] = field(default_factory=list, kw_only=True)
    words: NDArray[np.uint64] = field(default_factory=lambda: np.empty((0, 0), np.uint64))
    odd: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    alleles: NDArray[np.int16] = field(default_factory=lambda: np.empty((0, 0, 2), np.int16))
    phased: NDArray[np.bool_] = field(default_factory=lambda: np.empty((0, 0), bool))

    def columns(self) -> tuple[list[str], list[int], list[str], list[str], list[str]]:
        """What there is of every record but its calls."""
        return self.contig, self.position, self.id, self.ref, self.alt

    def select(self, kept: Sequence[int]) -> Block:
        """The records at `kept`, without calls."""
        columns = ([column[j] for j in kept] for column in self.columns())
        return Block(*columns, cm=[self.cm[j] for j in kept] if self.cm else [])  # type: ignore[arg-type]

    def where(self, row: int) -> str:
        """The record at `row`, as messages name it."""
        return f"site {self.contig[row]}:{self.position[row]}"


class Order:
    """Positions lie from 1 to `LAST_POSITION` and, unless they are to be sorted, don't decrease; a contig is one block.

    Attributes
    ----------
    behind : int, records that one before them should follow; counted where they are to be sorted
    """

    def __init__(self, path: str | os.PathLike[str], *, sort: bool = False) -> None:
        self.path, self.sort = path, sort
        self.contig = ""
        self.position = 0
        self.seen: dict[str, int] = {}  # contigs, in the order of the file
        self.behind = 0
        self._last = (0, 0)  # number of the contig and position that all records before reach at most

    def __str__(self) -> str:
        return f"after site {self.contig}:{self.position}" if self.contig else "after the header"

    def add(self, block: Block) -> None:
        """The next records."""
        if not block.position:
            return
        position = np.array(block.position, np.int64)
        if (
            position[0] >= max(self.position, 1)
            and self.contig == block.contig[0]
            and position[-1] <= LAST_POSITION
            and block.contig.count(self.contig) == len(position)
            and (np.diff(position) >= 0).all()
            and not self.behind
        ):
            self.position = int(position[-1])
            self._last = (self._last[0], self.position)
            return
        for j in range(len(position)):
            self._add(block.contig[j], block.position[j])

    def _add(self, contig: str, position: int) -> None:
        where = f"site {contig}:{position}"
        if position < 1:
            raise FormatError(self.path, "a position of 1 or more", f"{position}", where)
        if position > LAST_POSITION:
            raise FormatError(self.path, "a position of at most 2^31 - 1", f"{position}", where)
        if not self.sort:
            if contig != self.contig and contig in self.seen:
                found = f"more behind {self.contig}{accepted_by('unsorted')}"
                raise FormatError(self.path, f"the sites of contig {contig} in one block", found, where)
            if contig == self.contig and position < self.position:
                found = f"{position} after {self.position}{accepted_by('unsorted')}"
                raise FormatError(self.path, "positions that don't decrease", found, where)
        here = (self.seen.setdefault(contig, len(self.seen)), position)
        self.behind += here < self._last
        self._last = max(self._last, here)
        self.contig, self.position = contig, position


class Cohort:
    """Takes the blocks of a file, keeps what was asked for, and turns it haplotype-major a piece at a time.

    Parameters
    ----------
    path : of the file, for messages
    names : of all persons of the file, in the order of its calls; where `ploidy` is 1, one for each haplotype, and
        those of a person are alike
    region, samples, maf : what is taken, see `hapforge.read`
    policy : Policy, which counts what is changed
    position_known : whether positions are more than a count
    ploidy : 2, or 1 for a file of haplotypes: nothing is haploid or unphased there, and `Block.alleles` is of the
        shape (len(odd), haplotypes, 1)
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        names: Sequence[str],
        *,
        region: Region | None = None,
        samples: Sequence[str] | None = None,
        maf: float | None = None,
        policy: Policy | None = None,
        position_known: bool = True,
        ploidy: int = 2,
    ) -> None:
        self.path, self.region, self.maf, self.position_known = path, region, maf, position_known
        self.policy = Policy() if policy is None else policy
        self.order = Order(path, sort=self.policy["unsorted"] == "sort")
        self.names, self.ploidy = list(names), ploidy
        self.num_calls = ploidy * len(self.names)
        sample_id = np.repeat(np.array(self.names, dtype=_STR), ploidy)
        self.columns = None if samples is None else rows_of(path, sample_id, samples)
        self.sample_id = sample_id if self.columns is None else sample_id[self.columns]
        self.persons = np.arange(len(self.names)) if self.columns is None else self.columns[::ploidy] // ploidy
        self.unphased = np.zeros(len(self.persons), bool)
        self.records = Block()
        self.calls = _Turner(len(self.sample_id))
        self.gaps = _Turner(len(self.sample_id)) if self.policy["missing"] == "mask" else None
        self._last = ("", 0)  # contig and position of the last site taken
        self._here: set[tuple[str, int, str, str]] = set()  # sites that the next may repeat

    def wanted(self, block: Block) -> Sequence[int]:
        """Check the order of the next records, and say which of them lie in the region; no calls are needed."""
        region = self.region
        if not self.order.sort:
            self.order.add(block)
        if region is None:
            kept: Sequence[int] = range(len(block.position))
        else:
            kept = [
                j
                for j, (contig, position) in enumerate(zip(block.contig, block.position, strict=True))
                if contig == region.contig and region.start <= position <= region.end
            ]
        if self.order.sort:
            self.order.add(block if len(kept) == len(block.position) else block.select(kept))
        return kept

    def is_behind(self) -> bool:
        """Whether the last of the records so far lies behind the region, as do all that follow in a sorted file."""
        region, order = self.region, self.order
        if region is None or order.contig == region.contig:
            return region is not None and order.position > region.end
        return region.contig in order.seen

    def add(self, block: Block) -> None:
        """Take records that are `wanted`, with their calls."""
        if not block.position:
            return
        words = block.words
        if self.columns is not None:
            words = _backend.select_sites(words, self.num_calls, self.columns)
        gaps = None
        special = _special(block)
        if special or self._may_repeat(block):
            block, words, gaps = self._resolved(block, words, special)
            if not block.position:
                return
        if self.maf:
            counts = np.bitwise_count(words).sum(axis=1, dtype=np.int64)
            called = np.full(len(words), len(self.sample_id))
            if gaps is not None:
                called -= np.bitwise_count(gaps).sum(axis=1, dtype=np.int64)
            kept = frequent(counts, called, self.maf)
            if not kept.all():
                words, block = words[kept], block.select(np.flatnonzero(kept).tolist())
                gaps = None if gaps is None else gaps[kept]
        for mine, new in zip(self.records.columns(), block.columns(), strict=True):
            cast(list[object], mine).extend(cast(list[object], new))
        self.records.cm += block.cm
        self.calls.add(words)
        if self.gaps is not None:
            self.gaps.add(np.zeros_like(words) if gaps is None else gaps)

    def _may_repeat(self, block: Block) -> bool:
        """Whether a record may be alike to one before it; if not, they are taken down as the last."""
        contig, position = block.contig, np.array(block.position, np.int64)
        if (
            self.order.sort
            or contig.count(contig[0]) != len(contig)
            or (contig[0], position[0]) <= self._last
            or contig[0] != self._last[0]
            or (np.diff(position) <= 0).any()
        ):
            return True
        self._last = (contig[-1], block.position[-1])
        self._here = {(contig[-1], block.position[-1], block.ref[-1], block.alt[-1])}
        return False

    def _repeats(self, contig: str, position: int, ref: str, alt: str) -> bool:
        """Whether a site was there before; it is taken down."""
        if (contig, position) != self._last:
            self._last = (contig, position)
            if not self.order.sort:
                self._here.clear()
        key = (contig, position, ref, alt)
        if key in self._here and (ref, alt) != UNKNOWN:
            return True
        self._here.add(key)
        return False

    def _resolved(
        self, block: Block, words: NDArray[np.uint64], special: list[int]
    ) -> tuple[Block, NDArray[np.uint64], NDArray[np.uint64] | None]:
        """The sites that records give by the policy, their calls as words of the persons taken, and what is masked."""
        calls = _Calls(self, block, words, special)
        refused = _Refused(self.path, block)
        sites = self._unrepeated(block, self._sites(block, special, calls, refused), refused)
        place = {row: k for k, row in enumerate(special)}
        odd = [j for j, (row, _, _) in enumerate(sites) if row in place]
        of = np.array([place[sites[j][0]] for j in odd], np.int64)
        number = np.array([sites[j][1] for j in odd], np.int16)
        stay, odd_words, odd_gaps = self._diploid(calls, of, number, refused)
        refused.stop()
        rows = np.array([row for row, _, _ in sites], np.int64)
        result = words[rows]
        result[odd] = odd_words
        gaps = None
        if odd_gaps is not None:
            gaps = np.zeros_like(result)
            gaps[odd] = odd_gaps
        kept = np.ones(len(rows), bool)
        kept[odd] = stay
        block = block.select(rows[kept].tolist())
        block.alt = [sites[j][2] for j in np.flatnonzero(kept).tolist()]
        return block, result[kept], None if gaps is None else gaps[kept]

    def _sites(self, block: Block, special: list[int], calls: _Calls, refused: _Refused) -> list[tuple[int, int, str]]:
        """(record, number of the allele that is 1, its spelling) of every site, in the order of the file."""
        sites, at = [], 0
        for k, row in enumerate(special):
            sites += [(j, 1, block.alt[j]) for j in range(at, row)]
            at = row + 1
            if not _BASES.fullmatch(block.ref[row]):
                refused.add(row, "REF of bases", repr(block.ref[row][:40]))
                continue
            alts = [] if block.alt[row] == UNKNOWN_ALLELE else block.alt[row].split(",")
            if wrong := [alt for alt in alts if not (_BASES.fullmatch(alt) or _SYMBOLIC.fullmatch(alt))]:
                refused.add(row, "an ALT allele of bases", f"{wrong[0][:40]!r} (no allele)")
                continue
            numbers = self._numbers(row, k, alts, calls, refused)
            sites += [(row, number, alt) for number, alt in numbers if self._symbol_stays(row, alt, refused)]
            calls.check(k, len(alts), refused)
        return sites + [(j, 1, block.alt[j]) for j in range(at, len(block.position))]

    def _numbers(self, row: int, k: int, alts: list[str], calls: _Calls, refused: _Refused) -> list[tuple[int, str]]:
        """The ALT alleles of a record that become sites: their numbers and spellings."""
        every = list(enumerate(alts, 1))
        if len(alts) < 2:
            return every or [(1, UNKNOWN_ALLELE)]
        choice = self.policy["multiallelic"]
        if choice == "error":
            found = f"{','.join(alts)[:40]} (multi-allelic){accepted_by('multiallelic')}"
            refused.add(row, "one ALT allele", found)
            return []
        self.policy.count("multiallelic", records=1, **({"sites": len(alts)} if choice == "split" else {}))
        if choice == "major":
            return [every[calls.commonest(k, len(alts)) - 1]]
        return every if choice == "split" else []

    def _symbol_stays(self, row: int, alt: str, refused: _Refused) -> bool:
        if _BASES.fullmatch(alt) or (refused.block.ref[row], alt) == UNKNOWN:
            return True
        choice = self.policy["symbolic"]
        if choice == "error":
            kind = "missing" if alt == UNKNOWN_ALLELE else "symbolic"
            refused.add(row, "an ALT allele of bases", f"{alt[:40]!r} ({kind}){accepted_by('symbolic')}")
            return False
        self.policy.count("symbolic", sites=1)
        return choice == "keep"

    def _unrepeated(
        self, block: Block, sites: list[tuple[int, int, str]], refused: _Refused
    ) -> list[tuple[int, int, str]]:
        kept = []
        for site in sites:
            row, _, alt = site
            ref = block.ref[row]
            if not self._repeats(block.contig[row], block.position[row], ref, alt):
                kept.append(site)
            elif self.policy["duplicate"] == "error":
                found = f"{ref[:20]}>{alt[:20]} again{accepted_by('duplicate')}"
                refused.add(row, "each (position, REF, ALT) once", found)
            else:
                self.policy.count("duplicate", sites=1)
        return kept

    def _diploid(
        self, calls: _Calls, of: NDArray[np.int64], number: NDArray[np.int16], refused: _Refused
    ) -> tuple[NDArray[np.bool_], NDArray[np.uint64], NDArray[np.uint64] | None]:
        """(whether a site stays, its words, 1 for alleles that are masked, where any are).

        The words of site j are 1 where calls `of`[j] are allele `number`[j].
        """
        policy = self.policy
        alleles, phased = calls.alleles[of], calls.phased[of]
        values = np.where(alleles < 0, alleles, alleles == number[:, None, None]).astype(np.int8)
        first, second = values[..., 0], values[..., -1]  # views
        unread = (first < 0) & (second < 0)
        second[unread] = MISSING
        haploid = second == ABSENT
        stay = np.ones(len(of), bool)

        def judge(kind: str, odd: NDArray[np.bool_], expected: str) -> bool:
            """Apply "error" or "skip" to sites with an odd call; whether there are any, and the choice is another."""
            hit = odd.any(axis=1) & stay
            if not hit.any():
                return False
            if policy[kind] == "error":
                j = int(np.argmax(hit))
                calls.refuse(int(of[j]), int(np.argmax(odd[j])), kind, expected, refused)
            elif policy[kind] == "skip":
                policy.count(kind, sites=hit.sum())
            else:
                return True
            stay[hit] = False
            return False

        doubled = judge("haploid", haploid, CALLS)
        if doubled:
            second[haploid] = first[haploid]
        missing = values < 0
        filled = judge("missing", missing[..., 0] | missing[..., -1], CALLS)
        masked = filled and policy["missing"] == "mask"
        if filled:
            common = (values == 1).sum(axis=(1, 2)) > (values == 0).sum(axis=(1, 2))
            values = np.where(missing, False if masked else common[:, None, None], values)
            first, second = values[..., 0], values[..., -1]
        slash = ~(phased | unread | haploid)
        loose = slash & (first != second)
        if masked:  # which of two haplotypes was called is not known
            loose |= slash & (missing[..., 0] != missing[..., -1])
        unphased = judge("unphased", slash if policy["unphased"] == "error" else loose, _PHASED)

        values[~stay] = 0
        counted = stay.copy()
        if self.maf:
            ones = values.sum(axis=(1, 2), dtype=np.int64)
            called = len(self.sample_id) - (missing.sum(axis=(1, 2)) if masked else np.zeros(len(of), np.int64))
            counted &= frequent(ones, called, self.maf)
        if doubled:
            hits = haploid[counted]
            policy.count("haploid", calls=hits.sum(), sites=hits.any(axis=1).sum())
        if filled:
            gaps = missing[counted]
            policy.count("missing", alleles=gaps.sum(), sites=gaps.any(axis=(1, 2)).sum())
        if unphased:
            hits = loose[counted]
            policy.count("unphased", calls=hits.sum(), sites=hits.any(axis=1).sum())
            self.unphased |= hits.any(axis=0)
        missing[~stay] = False
        shape = len(of), len(self.sample_id)
        unread_words = _backend.pack(missing.reshape(shape).view(np.uint8)) if masked else None
        return stay, _backend.pack(values.reshape(shape).astype(np.uint8)), unread_words

    def matrix(self) -> HaplotypeMatrix:
        """All that was taken."""
        records = self.records
        if not records.position:
            contigs = self.order.seen
            if self.region is not None and contigs and self.region.contig not in contigs:
                raise no_contig(self.path, self.region, list(contigs))
            raise no_site(self.path, self.region, self.maf)
        words, observed = self.calls.turned(), self._observed()
        position = np.array(records.position, np.int64)
        contig, name, ref, alt = (
            np.array(column, dtype=_STR) for column in (records.contig, records.id, records.ref, records.alt)
        )
        unknown = (ref == UNKNOWN[0]) & (alt == UNKNOWN[1])
        ref[unknown] = alt[unknown] = UNKNOWN_ALLELE
        if self.order.behind:
            self.policy.count("unsorted", records=self.order.behind)
            number = np.array([self.order.seen[name] for name in records.contig], np.int64)
            rank = np.lexsort((position, number))  # stable: sites at one position stay in the order of the file
            words = _backend.select_sites(words, len(rank), rank)
            observed = None if observed is None else _backend.select_sites(observed, len(rank), rank)
            position, contig, name, ref, alt = (column[rank] for column in (position, contig, name, ref, alt))
            records.cm = [records.cm[j] for j in rank.tolist()] if records.cm else []
        sites = Sites(
            position,
            contig=contig,
            id=name,
            ref=ref,
            alt=alt,
            position_known=self.position_known,
            genetic_position_cm=self._genetic_positions(contig, position),
        )
        samples = Samples(len(words), sample_id=self.sample_id, phased=~self.unphased if self.ploidy == 2 else None)
        self.policy.observed = None if observed is None else HaplotypeMatrix(observed, sites, samples, _checked=True)
        return HaplotypeMatrix(words, sites, samples, _checked=True)

    def _genetic_positions(self, contig: NDArray[Any], position: NDArray[np.int64]) -> NDArray[np.float64] | None:
        """Those of the sites taken; none, with a warning, where they decrease on a contig."""
        cm = np.array(self.records.cm, np.float64)
        known = np.flatnonzero(~np.isnan(cm))
        if not len(known):
            return None
        lower = np.flatnonzero((np.diff(cm[known]) < 0) & (contig[known[1:]] == contig[known[:-1]]))
        if len(lower):
            j = known[lower[0] + 1]
            found = f"they decrease at site {contig[j]}:{position[j]}"
            warnings.warn(f"{os.fspath(self.path)}: genetic positions left out, {found}", stacklevel=5)
            return None
        return cm

    def _observed(self) -> NDArray[np.uint64] | None:
        """Haplotype-major words, 1 where an allele was called; None where all were."""
        if self.gaps is None:
            return None
        words = self.gaps.turned()
        if not words.any():
            return None
        np.bitwise_not(words, out=words)
        if spare := -len(self.records.position) % 64:
            words[:, -1] &= np.uint64(2**64 - 1) >> np.uint64(spare)
        return words


class _Turner:
    """Takes site-major words, and turns them haplotype-major a piece at a time; pieces of zeros take no memory."""

    def __init__(self, num_haplotypes: int) -> None:
        self.num_haplotypes, self.num_sites = num_haplotypes, 0
        self._waiting: list[NDArray[np.uint64]] = []
        self._num_waiting = 0
        self._pieces: list[tuple[int, NDArray[np.uint64] | None]] = []  # words of a row, and all rows'

    def add(self, words: NDArray[np.uint64]) -> None:
        """The next sites."""
        self._waiting.append(words)
        self._num_waiting += len(words)
        self.num_sites += len(words)
        if self._num_waiting >= _TRANSPOSED:
            self._turn(self._num_waiting - self._num_waiting % 64)

    def _turn(self, count: int) -> None:
        if not count:
            return
        words = np.concatenate(self._waiting) if len(self._waiting) != 1 else self._waiting[0]
        self._waiting, self._num_waiting = [], len(words) - count
        if self._num_waiting:
            self._waiting.append(words[count:].copy())  # a view would hold all of them
        mine = np.ascontiguousarray(words[:count])
        piece = _backend.transpose(mine, self.num_haplotypes) if mine.any() else None
        self._pieces.append((words_per_row(count), piece))

    def turned(self) -> NDArray[np.uint64]:
        """All of them, (haplotypes, words_per_row); they are gone then."""
        self._turn(self._num_waiting)
        words = np.zeros((self.num_haplotypes, words_per_row(self.num_sites)), np.uint64)
        at = words.shape[1]
        while self._pieces:  # from the last on, so that the memory of a piece is free once it is copied
            width, piece = self._pieces.pop()
            at -= width
            if piece is not None:
                words[:, at : at + width] = piece
        return words


def _special(block: Block) -> list[int]:
    """Records with odd calls, or without one ALT allele of bases."""
    bases = "".join(block.ref + block.alt)
    if bases.isalpha() and bases.isascii() and all(block.ref) and all(block.alt):
        return block.odd.tolist()
    rows = {
        j
        for j, (ref, alt) in enumerate(zip(block.ref, block.alt, strict=True))
        if not (_BASES.fullmatch(ref) and _BASES.fullmatch(alt)) and (ref, alt) != UNKNOWN
    }
    return sorted(rows.union(block.odd.tolist()))


class _Calls:
    """The calls of special records: alleles (records, persons taken, 2) and whether they are phased."""

    def __init__(self, cohort: Cohort, block: Block, words: NDArray[np.uint64], special: list[int]) -> None:
        self.block, self.special, self.names, self.persons = block, special, cohort.names, cohort.persons
        self._odd = {row: k for k, row in enumerate(block.odd.tolist())}
        shape = (len(special), len(self.persons))
        self.alleles = np.empty((*shape, cohort.ploidy), np.int16)
        self.phased = np.ones(shape, bool)
        self._highest = np.zeros(len(special), np.int64)  # of all persons
        plain = [k for k, row in enumerate(special) if row not in self._odd]
        if plain:
            rows = np.array(special)[plain]
            bits = _backend.unpack(np.ascontiguousarray(words[rows]), cohort.ploidy * shape[1])
            self.alleles[plain] = bits.reshape(-1, shape[1], cohort.ploidy)
            self._highest[plain] = block.words[rows].any(axis=1)
        odd = [k for k, row in enumerate(special) if row in self._odd]
        if odd:
            at = [self._odd[special[k]] for k in odd]
            self.alleles[odd] = block.alleles[at][:, self.persons]
            self.phased[odd] = block.phased[at][:, self.persons]
            self._highest[odd] = block.alleles[at].max(axis=(1, 2))

    def check(self, k: int, num_alts: int, refused: _Refused) -> None:
        """Refuse record k where it has an allele that it does not name."""
        if self._highest[k] <= num_alts:
            return
        row = self.special[k]
        if row in self._odd:
            person = int(np.argmax((self.block.alleles[self._odd[row]] > num_alts).any(axis=1)))
            text = self._spelled(row, person)
        else:
            ploidy = self.alleles.shape[2]
            bits = _backend.unpack(self.block.words[row : row + 1], ploidy * len(self.names)).reshape(-1, ploidy)
            person = int(np.argmax(bits.any(axis=1)))
            text = "|".join(map(str, bits[person].tolist()))
        there = {0: "there is no ALT allele", 1: "there is one ALT allele"}.get(
            num_alts, f"there are {num_alts} ALT alleles"
        )
        refused.add(row, f"alleles 0 to {num_alts}", f"{text!r} ({there}) for sample {self.names[person]!r}")

    def commonest(self, k: int, num_alts: int) -> int:
        """The ALT allele that most calls of record k have; the first of those alike."""
        alleles = self.alleles[k]
        return int(np.argmax(np.bincount(alleles[alleles > 0], minlength=num_alts + 1)[1 : num_alts + 1])) + 1

    def refuse(self, k: int, person: int, kind: str, expected: str, refused: _Refused) -> None:
        """Refuse record k for the call of a person taken."""
        row, number = self.special[k], int(self.persons[person])
        text = self._spelled(row, number)
        said = {"haploid": "haploid", "missing": "missing", "unphased": "not phased"}[kind]
        if kind == "missing" and any(letter.isdigit() for letter in text):
            said = "half missing"
        found = f"{text!r} ({said}) for sample {self.names[number]!r}{accepted_by(kind)}"
        refused.add(row, expected, found)

    def _spelled(self, row: int, person: int) -> str:
        """An odd call as VCF text."""
        k = self._odd[row]
        parts = [
            "." if allele == MISSING else str(allele) for allele in self.block.alleles[k, person] if allele > ABSENT
        ]
        return ("|" if self.block.phased[k, person] else "/").join(parts)


class _Refused:
    """The first record, in the order of the file, that something is wrong with."""

    def __init__(self, path: str | os.PathLike[str], block: Block) -> None:
        self.path, self.block = path, block
        self.row = len(block.position)
        self.error: FormatError | None = None

    def add(self, row: int, expected: str, found: str) -> None:
        """Something is wrong with a record; of one record, what is said first counts."""
        if row < self.row:
            self.row, self.error = row, FormatError(self.path, expected, found, self.block.where(row))

    def stop(self) -> None:
        """Raise what is wrong."""
        if self.error is not None:
            raise self.error

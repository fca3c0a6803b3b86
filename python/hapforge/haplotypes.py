"""The one type that is exchanged everywhere: bit-packed phased haplotypes with their sites and samples."""

from __future__ import annotations

import hashlib
import itertools
import operator
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge._streams import Stream
from hapforge.label_files import read_labels

UNKNOWN_ALLELE = "."
POSITION_LIMIT = 1 << 62  # positions and distances between them stay below; the sum of two fits int64
_STR = np.dtypes.StringDType()


def _strings(values: Any, length: int, argument: str) -> NDArray[Any]:
    """One-dimensional StringDType array of `length`; a single str is repeated."""
    if isinstance(values, str):
        return np.full(length, values, dtype=_STR)
    array = np.asarray(values)
    if array.dtype.kind == "S":
        array = np.char.decode(array, "utf-8")
    array = array.astype(_STR)
    if array.shape != (length,):
        raise ValueError(f"{argument}: expected {length} strings, found an array of shape {array.shape}")
    return array


def _frozen(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _first_duplicate(values: NDArray[Any]) -> str | None:
    seen: set[str] = set()
    for value in values.tolist():
        if value in seen:
            return str(value)
        seen.add(value)
    return None


class Sites:
    """The variable positions of a cohort, in order.

    Parameters
    ----------
    position : int64 (num_sites,), 1-based base pairs below 2**62, or None for 1..num_sites, flagged as unknown
    num_sites : int, needed where `position` is None
    contig : str or (num_sites,) str; one block per contig
    id : (num_sites,) str; may repeat or be "."
    ref, alt : (num_sites,) str; "." where the allele is not known
    genetic_position_cm : float64 (num_sites,), centimorgans, NaN where they are not known; default nowhere. An
        annotation: sites that are alike but for it are equal.

    Attributes
    ----------
    position_known : bool, False where positions are only a count

    Raises
    ------
    ValueError
        Positions below 1, 2**62 and above, or decreasing within a contig, a contig in two blocks, two records alike in
        (position, ref, alt) with known alleles, centimorgans that are infinite or decrease within a contig, wrong
        lengths.
    """

    __slots__ = ("alt", "contig", "genetic_position_cm", "id", "position", "position_known", "ref")

    def __init__(
        self,
        position: ArrayLike | None = None,
        *,
        num_sites: int | None = None,
        contig: Any = None,
        id: Any = None,
        ref: Any = None,
        alt: Any = None,
        position_known: bool | None = None,
        genetic_position_cm: ArrayLike | None = None,
    ) -> None:
        if position is None:
            if num_sites is None:
                raise ValueError("position or num_sites: expected one of them, found neither")
            array = np.arange(1, num_sites + 1, dtype=np.int64)
        else:
            array = np.asarray(position)
            if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
                raise ValueError(
                    f"positions: expected a vector of integers (base pairs), found {array.dtype} {array.shape}"
                )
            if num_sites is not None and len(array) != num_sites:
                raise ValueError(f"positions: expected {num_sites}, found {len(array)}")
            array = array.astype(np.int64)
        n = len(array)
        self.position = _frozen(array)
        self.position_known = position is not None if position_known is None else position_known
        self.contig = _frozen(_strings("1" if contig is None else contig, n, "contig"))
        self.id = _frozen(_strings("." if id is None else id, n, "ids"))
        self.ref = _frozen(_strings(UNKNOWN_ALLELE if ref is None else ref, n, "ref"))
        self.alt = _frozen(_strings(UNKNOWN_ALLELE if alt is None else alt, n, "alt"))
        cm = np.full(n, np.nan) if genetic_position_cm is None else np.array(genetic_position_cm, dtype=np.float64)
        self.genetic_position_cm = _frozen(cm)
        self._check()

    def _check(self) -> None:
        position = self.position
        if self.genetic_position_cm.shape != position.shape:
            raise ValueError(
                f"genetic_position_cm: expected {len(position)} numbers, found shape {self.genetic_position_cm.shape}"
            )
        if len(position) == 0:
            return
        if (low := int(position.min())) < 1:
            raise ValueError(f"positions: expected 1 or more, found {low} at site {int(position.argmin())}")
        if (high := int(position.max())) >= POSITION_LIMIT:
            raise ValueError(f"positions: expected less than 2**62, found {high} at site {int(position.argmax())}")
        new_contig = self.contig[1:] != self.contig[:-1]
        starts = np.concatenate([[0], np.flatnonzero(new_contig) + 1])
        if (again := _first_duplicate(self.contig[starts])) is not None:
            raise ValueError(f"contig: expected the sites of a contig in one block, found {again!r} in two")
        down = np.flatnonzero((np.diff(position) < 0) & ~new_contig)
        if len(down):
            j = int(down[0]) + 1
            raise ValueError(
                f"positions: expected them not to decrease within a contig, found {position[j]} after "
                f"{position[j - 1]} at site {j}"
            )
        self._check_genetic_positions(starts)
        same = np.concatenate([[False], (np.diff(position) == 0) & ~new_contig])
        run = np.flatnonzero(same | np.concatenate([same[1:], [False]]))
        seen: set[tuple[str, int, str, str]] = set()
        for j in run.tolist():
            if self.ref[j] == UNKNOWN_ALLELE or self.alt[j] == UNKNOWN_ALLELE:
                continue
            key = (str(self.contig[j]), int(position[j]), str(self.ref[j]), str(self.alt[j]))
            if key in seen:
                raise ValueError(
                    f"sites: expected each (position, ref, alt) once, found "
                    f"{key[0]}:{key[1]} {_short(key[2])}>{_short(key[3])} again at site {j}"
                )
            seen.add(key)

    def _check_genetic_positions(self, starts: NDArray[np.int64]) -> None:
        known = np.flatnonzero(~np.isnan(self.genetic_position_cm))
        cm = self.genetic_position_cm[known]
        if np.isinf(cm).any():
            j = int(known[np.flatnonzero(np.isinf(cm))[0]])
            raise ValueError(
                f"genetic_position_cm: expected numbers or NaN, found {self.genetic_position_cm[j]} at site {j}"
            )
        contig = np.searchsorted(starts, known, side="right")
        down = np.flatnonzero((np.diff(cm) < 0) & (np.diff(contig) == 0))
        if len(down):
            k = int(down[0])
            raise ValueError(
                "genetic_position_cm: expected centimorgans not to decrease within a contig, found "
                f"{cm[k + 1]} after {cm[k]} at site {known[k + 1]}"
            )

    def __len__(self) -> int:
        return len(self.position)

    def __repr__(self) -> str:
        return f"Sites({len(self)} on {len(self.contig_blocks())} contigs)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sites):
            return NotImplemented
        return len(self) == len(other) and all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("position", "contig", "id", "ref", "alt")
        )

    __hash__ = None  # type: ignore[assignment]

    def select(self, index: NDArray[np.int64]) -> Sites:
        """The sites at `index`, in that order (which must keep positions sorted within a contig)."""
        return Sites(
            self.position[index],
            contig=self.contig[index],
            id=self.id[index],
            ref=self.ref[index],
            alt=self.alt[index],
            position_known=self.position_known,
            genetic_position_cm=self.genetic_position_cm[index],
        )

    def with_genetic_positions(self, centimorgans: ArrayLike) -> Sites:
        """The same sites at these genetic positions, float64 (num_sites,), NaN where they are not known."""
        return Sites(
            self.position,
            contig=self.contig,
            id=self.id,
            ref=self.ref,
            alt=self.alt,
            position_known=self.position_known,
            genetic_position_cm=centimorgans,
        )

    def contig_blocks(self) -> list[tuple[str, int, int]]:
        """(contig, first site, one past the last) of every contig, in order."""
        if len(self) == 0:
            return []
        edges = [0, *(np.flatnonzero(self.contig[1:] != self.contig[:-1]) + 1).tolist(), len(self)]
        return [(str(self.contig[a]), a, b) for a, b in itertools.pairwise(edges)]


def _short(allele: str) -> str:
    return allele if len(allele) <= 20 else f"{allele[:17]}..."


class Samples:
    """Who the rows of a cohort are.

    Parameters
    ----------
    num_haplotypes : int
    haplotype_id : (num_haplotypes,) str, unique; by default the sample id with ``_A``, ``_B`` ... behind it
    sample_id : str per row (num_haplotypes,), or per person ((num_haplotypes + 1) // 2,) where rows 2i and
        2i + 1 are one person (the default, with ids ``sample0``, ``sample1`` ...)
    labels : mapping name -> values, per row or per person as above
    phased : bool (num_persons,), persons in order of their first row; default all True

    Attributes
    ----------
    sample_id : StringDType (num_haplotypes,): the person of every row
    person : int64 (num_haplotypes,): index of that person, in order of first appearance
    ploid : int64 (num_haplotypes,): 0 for a person's first row, 1 for the second ...
    """

    __slots__ = ("haplotype_id", "labels", "person", "phased", "ploid", "sample_id")

    def __init__(
        self,
        num_haplotypes: int,
        *,
        haplotype_id: Any = None,
        sample_id: Any = None,
        labels: Mapping[str, Any] | None = None,
        phased: ArrayLike | None = None,
    ) -> None:
        n = num_haplotypes
        if sample_id is None:
            ids = np.array([f"sample{i // 2}" for i in range(n)], dtype=_STR)
        else:
            ids = _per_row(sample_id, n, "sample_ids")
        ids = _strings(ids, n, "sample_ids")
        self.sample_id = _frozen(ids)
        order: dict[str, int] = {}
        counts: list[int] = []
        person, ploid = np.empty(n, np.int64), np.empty(n, np.int64)
        for row, name in enumerate(ids.tolist()):
            p = order.setdefault(name, len(order))
            if p == len(counts):
                counts.append(0)
            person[row], ploid[row] = p, counts[p]
            counts[p] += 1
        self.person, self.ploid = _frozen(person), _frozen(ploid)
        if haplotype_id is None:
            haplotype_id = _named_by_person(ids, ploid)
        self.haplotype_id = _frozen(_strings(haplotype_id, n, "haplotype_ids"))
        if (again := _first_duplicate(self.haplotype_id)) is not None:
            raise ValueError(f"haplotype_ids: expected each id once, found {again!r} twice")
        self.labels: dict[str, NDArray[Any]] = {}
        for name, values in (labels or {}).items():
            self.labels[str(name)] = _frozen(_label_array(_per_row(values, n, f"labels[{name!r}]")))
        state = np.ones(len(order), bool) if phased is None else np.asarray(phased)
        if state.shape != (len(order),) or state.dtype != bool:
            raise ValueError(
                f"phased: expected {len(order)} booleans, one per person, found {state.dtype} {state.shape}"
            )
        self.phased = _frozen(state)

    @classmethod
    def numbered(
        cls, num_haplotypes: int, prefix: str, *, ploidy: Literal[1, 2] = 2, labels: Mapping[str, Any] | None = None
    ) -> Samples:
        """Persons called by a prefix and their number from 0 on, each of `ploidy` rows in a row.

        Haplotype ids are those of the persons with _A and _B behind them, or nothing where the ploidy is 1. These are
        unique as they are made, which makes a million of them ten times as fast as names that are to be looked at.
        """
        n = num_haplotypes
        row = np.arange(n, dtype=np.int64)
        new = cls.__new__(cls)
        person = row // ploidy
        ids = np.strings.add(np.array(prefix, dtype=_STR), np.arange(-(-n // ploidy)).astype(_STR))
        new.sample_id = _frozen(np.repeat(ids, ploidy)[:n])
        new.person, new.ploid = _frozen(person), _frozen(row % ploidy)
        new.haplotype_id = _frozen(_named_by_person(new.sample_id, new.ploid)) if ploidy == 2 else new.sample_id
        new.labels = {str(name): _frozen(_label_array(_per_row(v, n, name))) for name, v in (labels or {}).items()}
        new.phased = _frozen(np.ones(len(ids), bool))
        return new

    def __len__(self) -> int:
        return len(self.haplotype_id)

    def __repr__(self) -> str:
        labels = f", labels {', '.join(self.labels)}" if self.labels else ""
        return f"Samples({len(self)} haplotypes of {self.num_persons} persons{labels})"

    @property
    def num_persons(self) -> int:
        """Number of different persons."""
        return len(self.phased)

    @property
    def named_by_person(self) -> bool:
        """Whether haplotype ids are the default ones: the sample id with ``_A``, ``_B`` ... behind it."""
        return np.array_equal(_named_by_person(self.sample_id, self.ploid), self.haplotype_id)

    def select(self, index: NDArray[np.int64]) -> Samples:
        """The rows at `index`, in that order."""
        kept = self.person[index]
        first = np.unique(kept, return_index=True)[1]
        return Samples(
            len(index),
            haplotype_id=self.haplotype_id[index],
            sample_id=self.sample_id[index],
            labels={name: values[index] for name, values in self.labels.items()},
            phased=self.phased[kept[np.sort(first)]],
        )


def _named_by_person(sample_id: NDArray[Any], ploid: NDArray[np.int64]) -> NDArray[Any]:
    """StringDType (num_haplotypes,): the default ids of haplotypes."""
    most = int(ploid.max(initial=-1)) + 1
    endings = np.array([f"_{chr(ord('A') + k) if k < 26 else k}" for k in range(most)], dtype=_STR)
    return np.strings.add(sample_id, endings[ploid])


def _per_row(values: Any, n: int, argument: str) -> Any:
    """`values` per haplotype, from one per haplotype or one per person of two rows."""
    array = np.asarray(values)
    if array.ndim == 1 and len(array) == n:
        return array
    if array.ndim == 1 and len(array) == (n + 1) // 2:
        return np.repeat(array, 2)[:n]
    raise ValueError(f"{argument}: expected {n} values, one per haplotype, found an array of shape {array.shape}")


def _label_array(values: Any) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind == "O" and not all(isinstance(value, str) for value in array.tolist()):
        raise TypeError("labels: expected text or numbers for every haplotype, found others (or none) among them")
    if array.dtype.kind in "USTO":
        return array.astype(_STR)
    if array.dtype.kind in "biuf":
        return array
    raise TypeError(f"labels: expected text or numbers, found {array.dtype}")


class HaplotypeMatrix:
    """Phased haplotypes, one row each, one bit a site: 0 is REF, 1 is ALT.

    Immutable: arrays are handed out read-only and every operation returns a new matrix (sharing memory where it can).

    Parameters
    ----------
    words : uint64 (num_haplotypes, words_per_row), C-contiguous; site j is bit ``j % 64`` of word ``j // 64``
        of its row; padding bits are zero. May be a memory map.
    sites : Sites
    samples : Samples, default: rows 2i and 2i + 1 are one person

    Raises
    ------
    TypeError, ValueError
        Wrong dtype, shape or contiguity, set padding bits, sites or samples of another length.
    """

    __slots__ = ("_words", "samples", "sites")

    def __init__(
        self, words: NDArray[np.uint64], sites: Sites, samples: Samples | None = None, *, _checked: bool = False
    ) -> None:
        if not isinstance(words, np.ndarray) or words.dtype != np.uint64:
            raise TypeError(f"words: expected a uint64 array, found {getattr(words, 'dtype', type(words).__name__)}")
        num_sites = len(sites)
        if words.ndim != 2 or words.shape[1] != words_per_row(num_sites):
            raise ValueError(
                f"words: expected shape (num_haplotypes, {words_per_row(num_sites)}) for {num_sites} sites, "
                f"found {words.shape}"
            )
        if not words.flags.c_contiguous:
            raise ValueError("words: expected a C-contiguous array, found a strided view")
        if num_sites % 64 and not _checked:
            dirty = np.flatnonzero(words[:, -1] >> np.uint64(num_sites % 64))
            if len(dirty):
                raise ValueError(f"words: expected zero padding bits, found set ones in row {int(dirty[0])}")
        self._words = _frozen(words)
        self.sites = sites
        self.samples = Samples(len(words)) if samples is None else samples
        if len(self.samples) != len(words):
            raise ValueError(f"samples: expected {len(words)} haplotypes, found {len(self.samples)}")

    @classmethod
    def from_dense(
        cls,
        array01: ArrayLike,
        positions: ArrayLike | None = None,
        contig: Any = None,
        ids: Any = None,
        ref: Any = None,
        alt: Any = None,
        haplotype_ids: Any = None,
        sample_ids: Any = None,
        labels: Mapping[str, Any] | None = None,
    ) -> HaplotypeMatrix:
        """Pack a dense 0/1 array.

        Parameters
        ----------
        array01 : bool or integer (num_haplotypes, num_sites) of 0 and 1
        positions : int (num_sites,), base pairs; None means 1..num_sites, flagged as unknown
        contig : str or (num_sites,) str, default "1"
        ids, ref, alt : (num_sites,) str, default "."
        haplotype_ids : (num_haplotypes,) str, unique
        sample_ids : str per haplotype, or per person where rows 2i and 2i + 1 are one
        labels : dict name -> values, per haplotype or per person

        Raises
        ------
        ValueError
            Not a matrix, values other than 0 and 1, lengths that don't fit, sites out of order.
        TypeError
            Not of a boolean or integer dtype.
        """
        if isinstance(array01, np.ma.MaskedArray):
            raise TypeError("array01: expected an array without a mask, found a masked one (missing calls)")
        array = np.asarray(array01)
        if array.ndim != 2:
            raise ValueError(f"array01: expected a matrix (haplotypes x sites), found {array.ndim} dimensions")
        if array.dtype.kind not in "biu":
            raise TypeError(
                f"array01: expected bool or integers 0 and 1, found {array.dtype}; convert with .astype(bool)"
            )
        if (array.dtype.kind == "i" or array.dtype.itemsize > 1) and array.size:  # packing checks bool and uint8
            low, high = array.min(), array.max()
            if low < 0 or high > 1:
                raise ValueError(f"array01: expected values 0 and 1, found values from {low} to {high}")
        dense = np.ascontiguousarray(array.view(np.uint8) if array.dtype.itemsize == 1 else array.astype(np.uint8))
        n, num_sites = dense.shape
        sites = Sites(positions, num_sites=num_sites, contig=contig, id=ids, ref=ref, alt=alt)
        samples = Samples(n, haplotype_id=haplotype_ids, sample_id=sample_ids, labels=labels)
        return cls(_backend.pack(dense), sites, samples, _checked=True)

    @property
    def words(self) -> NDArray[np.uint64]:
        """uint64 (num_haplotypes, words_per_row), read-only; site j is bit ``j % 64`` of word ``j // 64``."""
        return self._words

    @property
    def num_haplotypes(self) -> int:
        """Number of rows."""
        return int(self._words.shape[0])

    @property
    def num_sites(self) -> int:
        """Number of sites."""
        return len(self.sites)

    @property
    def shape(self) -> tuple[int, int]:
        """(num_haplotypes, num_sites)."""
        return self.num_haplotypes, self.num_sites

    def __repr__(self) -> str:
        return f"HaplotypeMatrix({self.num_haplotypes} haplotypes x {self.num_sites} sites; {self.samples!r})"

    def to_dense(self) -> NDArray[np.uint8]:
        """uint8 (num_haplotypes, num_sites) of 0 and 1: eight times the packed size."""
        return _backend.unpack(self._words, self.num_sites)

    def sha256(self) -> str:
        """Hex digest of the genotypes, positions, alleles and haplotype ids: the identity of a data set."""
        digest = hashlib.sha256(repr(self.shape).encode())
        for start in range(0, self.num_haplotypes, 4096):
            digest.update(np.ascontiguousarray(self._words[start : start + 4096]).data)
        digest.update(self.sites.position.tobytes())
        for names in (self.sites.contig, self.sites.ref, self.sites.alt, self.samples.haplotype_id):
            digest.update("\n".join(names.tolist()).encode() + b"\0")
        return digest.hexdigest()

    def select_sites(self, index_or_mask: ArrayLike) -> HaplotypeMatrix:
        """The sites at integer indices (their order must keep positions sorted) or where a boolean mask is True."""
        index = _as_index(index_or_mask, self.num_sites, "select_sites")
        words = _backend.select_sites(self._words, self.num_sites, index)
        return HaplotypeMatrix(words, self.sites.select(index), self.samples, _checked=True)

    def select_haplotypes(self, index_or_mask: ArrayLike) -> HaplotypeMatrix:
        """The rows at integer indices or where a boolean mask is True, in the index's order."""
        index = _as_index(index_or_mask, self.num_haplotypes, "select_haplotypes")
        return HaplotypeMatrix(
            np.ascontiguousarray(self._words[index]), self.sites, self.samples.select(index), _checked=True
        )

    def iter_row_blocks(self, rows: int) -> Iterator[HaplotypeMatrix]:
        """Matrices of at most `rows` consecutive haplotypes, sharing memory with this one."""
        if rows < 1:
            raise ValueError(f"rows: expected 1 or more, found {rows}")
        for start in range(0, self.num_haplotypes, rows):
            stop = min(start + rows, self.num_haplotypes)
            yield HaplotypeMatrix(
                self._words[start:stop], self.sites, self.samples.select(np.arange(start, stop)), _checked=True
            )

    def with_labels(self, mapping_or_path: Mapping[str, Any] | str | os.PathLike[str]) -> HaplotypeMatrix:
        """This matrix with labels added (a label of the same name is replaced).

        Parameters
        ----------
        mapping_or_path : dict name -> values (per haplotype or per person); or a tab-separated file whose first
            column is a haplotype id or a sample id and whose header names the others; or PLINK's .fam, .psam or .pheno,
            of which 1 and 2 are "control" and "case" (`hapforge.label_files` has all rules)

        Raises
        ------
        FormatError
            A haplotype without a line in the file, an id on two lines, a line with another number of columns, a last
            line that does not end.
        """
        if isinstance(mapping_or_path, Mapping):
            new = dict(mapping_or_path)
        else:
            samples = self.samples
            new = read_labels(mapping_or_path, samples.haplotype_id.tolist(), samples.sample_id.tolist())
        samples = Samples(
            self.num_haplotypes,
            haplotype_id=self.samples.haplotype_id,
            sample_id=self.samples.sample_id,
            labels={**self.samples.labels, **new},
            phased=self.samples.phased,
        )
        return HaplotypeMatrix(self._words, self.sites, samples, _checked=True)

    def split(self, fraction: float, seed: int) -> tuple[HaplotypeMatrix, HaplotypeMatrix]:
        """Hold out whole persons.

        Parameters
        ----------
        fraction : float in [0, 1], share of the *persons* held out, rounded down
        seed : int, non-negative

        Returns
        -------
        (train, holdout) : the rows of each keep their order
        """
        if not 0 <= fraction <= 1:
            raise ValueError(f"fraction: expected a share between 0 and 1, found {fraction}")
        num_persons = self.samples.num_persons
        held = np.zeros(num_persons, bool)
        num_held = int(Fraction(str(fraction)) * num_persons)  # 0.29 of 100 is 29, which 0.29 * 100 is not
        held[seeded_order(num_persons, seed)[:num_held]] = True
        mask = held[self.samples.person]
        return self.select_haplotypes(~mask), self.select_haplotypes(mask)


def words_per_row(num_sites: int) -> int:
    """Number of 64-bit words of a row of `num_sites` bits."""
    return (num_sites + 63) // 64


def seeded_order(n: int, seed: int, stream: int = Stream.ORDER) -> NDArray[np.int64]:
    """A random order of 0..n-1: ranks of raw Philox words, the same on every platform and numpy version.

    Raises
    ------
    TypeError, ValueError
        A seed that is no integer, or not in [0, 2**64).
    """
    raw = philox(seed, stream).random_raw(n) if n else np.empty(0, np.uint64)
    return np.argsort(raw, kind="stable")


def philox(seed: int, stream: int = Stream.ORDER) -> np.random.Philox:
    """The generator of random words that belongs to a seed, an integer in [0, 2**64), and one of its streams."""
    return np.random.Philox(key=np.array([check_seed(seed), stream], dtype=np.uint64))


def check_seed(seed: int) -> int:
    """The seed as a Python integer; TypeError where it is none, ValueError outside [0, 2**64)."""
    try:
        number = operator.index(seed)
    except TypeError:
        raise TypeError(f"seed: expected an integer, found {type(seed).__name__}") from None
    if not 0 <= number < 2**64:
        raise ValueError(f"seed: expected 0 to 2**64 - 1, found {number}")
    return number


def _as_index(index_or_mask: ArrayLike, length: int, what: str) -> NDArray[np.int64]:
    array = np.asarray(index_or_mask)
    if array.ndim != 1:
        raise ValueError(f"{what}: expected a vector of indices or a mask, found {array.ndim} dimensions")
    if array.dtype == bool:
        if len(array) != length:
            raise ValueError(f"{what}: expected a mask of {length}, found {len(array)}")
        return np.flatnonzero(array).astype(np.int64)
    if len(array) == 0:
        return np.empty(0, np.int64)
    if array.dtype.kind not in "iu":
        raise TypeError(f"{what}: expected integer indices or a boolean mask, found {array.dtype}")
    low, high = int(array.min()), int(array.max())
    if low < -length or high >= length:
        raise IndexError(
            f"{what}: expected indices from {-length} to {length - 1}, found {low if low < -length else high}"
        )
    index = array.astype(np.int64)
    return np.ascontiguousarray(np.where(index < 0, index + length, index))


def concat(matrices: Sequence[HaplotypeMatrix], axis: Literal["haplotypes", "sites"] = "haplotypes") -> HaplotypeMatrix:
    """Join cohorts.

    Parameters
    ----------
    matrices : at least one matrix
    axis : "haplotypes" puts rows below rows: sites must be the same, haplotype ids unique, and labels that not all
        have are dropped. "sites" puts sites behind sites: rows are matched by sample id and ploid index (order of
        the first matrix); where those differ, by equal order with a warning.

    Raises
    ------
    ValueError
        Different sites (axis "haplotypes": `intersect` mends it), different numbers of haplotypes, repeated ids.
    """
    matrices = list(matrices)
    if not matrices:
        raise ValueError("matrices: expected at least one, found none")
    if axis == "haplotypes":
        return _concat_haplotypes(matrices)
    if axis == "sites":
        return _concat_sites(matrices)
    raise ValueError(f"axis: expected 'haplotypes' or 'sites', found {axis!r}")


def _concat_haplotypes(matrices: list[HaplotypeMatrix]) -> HaplotypeMatrix:
    first = matrices[0]
    for i, other in enumerate(matrices[1:], 1):
        if other.num_sites != first.num_sites or not same_records(first.sites, other.sites):
            raise ValueError(
                f"matrices: expected the same sites in all, found {other.num_sites} in matrix {i} that are not the "
                f"{first.num_sites} of matrix 0; hapforge.intersect brings them to the same"
            )
    common = set.intersection(*(set(m.samples.labels) for m in matrices))
    for name in sorted(common):
        if len({m.samples.labels[name].dtype.kind in "biuf" for m in matrices}) > 1:
            raise ValueError(f"labels[{name!r}]: expected text or numbers in all matrices, found both")
    labels = {
        name: np.concatenate([m.samples.labels[name] for m in matrices])
        for name in first.samples.labels
        if name in common
    }
    samples = Samples(
        sum(m.num_haplotypes for m in matrices),
        haplotype_id=np.concatenate([m.samples.haplotype_id for m in matrices]),
        sample_id=np.concatenate([m.samples.sample_id for m in matrices]),
        labels=labels,
        phased=_joined_phase(matrices),
    )
    return HaplotypeMatrix(np.concatenate([m.words for m in matrices]), first.sites, samples, _checked=True)


def _joined_phase(matrices: list[HaplotypeMatrix]) -> NDArray[Any]:
    state: dict[str, bool] = {}
    for m in matrices:
        for name, person in zip(m.samples.sample_id.tolist(), m.samples.person.tolist(), strict=True):
            state[name] = state.get(name, True) and bool(m.samples.phased[person])
    return np.array(list(state.values()), dtype=bool)


def same_records(a: Sites, b: Sites) -> bool:
    """Whether all contigs, positions and alleles are the same, in this order."""
    return all(np.array_equal(getattr(a, name), getattr(b, name)) for name in ("position", "contig", "ref", "alt"))


def _concat_sites(matrices: list[HaplotypeMatrix]) -> HaplotypeMatrix:
    first = matrices[0]
    key = {pair: i for i, pair in enumerate(_row_keys(first))}
    parts = [first]
    for i, other in enumerate(matrices[1:], 1):
        if other.num_haplotypes != first.num_haplotypes:
            raise ValueError(
                f"matrices: expected {first.num_haplotypes} haplotypes in all, found {other.num_haplotypes} "
                f"in matrix {i}"
            )
        rows = [key.get(pair) for pair in _row_keys(other)]
        if None in rows:
            warnings.warn(
                f"matrix {i} has other sample ids than matrix 0: rows are joined in their order", stacklevel=3
            )
        elif rows != list(range(len(rows))):
            other = other.select_haplotypes(np.argsort(np.array(rows)))
        parts.append(other)
    known = all(m.sites.position_known for m in parts)  # positions that are only a count are counted anew
    sites = Sites(
        np.concatenate([m.sites.position for m in parts]) if known else None,
        num_sites=sum(m.num_sites for m in parts),
        contig=np.concatenate([m.sites.contig for m in parts]),
        id=np.concatenate([m.sites.id for m in parts]),
        ref=np.concatenate([m.sites.ref for m in parts]),
        alt=np.concatenate([m.sites.alt for m in parts]),
        genetic_position_cm=np.concatenate([m.sites.genetic_position_cm for m in parts]),
    )
    words = _backend.concat_sites([m.words for m in parts], [m.num_sites for m in parts])
    labels: dict[str, Any] = {}
    for m in reversed(parts):
        labels.update(m.samples.labels)
    samples = Samples(
        first.num_haplotypes,
        haplotype_id=first.samples.haplotype_id,
        sample_id=first.samples.sample_id,
        labels=labels,
        phased=np.logical_and.reduce([m.samples.phased for m in parts])
        if _same_persons(parts)
        else first.samples.phased,
    )
    return HaplotypeMatrix(words, sites, samples, _checked=True)


def _same_persons(parts: list[HaplotypeMatrix]) -> bool:
    return all(np.array_equal(m.samples.person, parts[0].samples.person) for m in parts)


def _row_keys(matrix: HaplotypeMatrix) -> list[tuple[str, int]]:
    return list(zip(matrix.samples.sample_id.tolist(), matrix.samples.ploid.tolist(), strict=True))

"""Aligned sequences: a letter of an alphabet at every position, as haplotypes with a site for each letter of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge.haplotype_blocks import HaplotypeBlocks
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, words_per_row

NUCLEOTIDES = "ACGT-"
RNA_NUCLEOTIDES = "ACGU-"
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY-"
CONTIG = "alignment"
"""Contig of the sites of aligned sequences; no other cohort may have it."""

_NOT_LETTERS = set(">.abcdefghijklmnopqrstuvwxyz")  # FASTA's own sign, and what is read as another letter
_AT_ONCE = 1 << 24  # bytes


class Alignment:
    """Aligned sequences by their letters.

    Everything of this package takes and gives `HaplotypeMatrix`, which `to_haplotypes` makes of it: on contig
    "alignment", position i has a site for each letter of the alphabet, with that letter as ALT, and a sequence has a 1
    at exactly one of them. Two sequences that differ at d positions are at a Hamming distance of 2 d; frequencies of
    sites are those of letters. A sequence is its own person.

    Parameters
    ----------
    states : integer (num_sequences, num_positions), places in `alphabet`
    alphabet : str, two or more different printable ASCII characters, none of them lower case, "." or ">"; such as
        `NUCLEOTIDES`, `RNA_NUCLEOTIDES`, `AMINO_ACIDS`, whose last is the gap
    names : (num_sequences,) str, unique; default sequence0, sequence1 ...
    labels : dict name -> values (num_sequences,)

    Attributes
    ----------
    states : uint8 (num_sequences, num_positions), read-only
    samples : Samples, the names as haplotype and as sample ids, and the labels

    Raises
    ------
    TypeError, ValueError
        States that are no integers or outside the alphabet, another alphabet, names or labels that do not fit.
    """

    __slots__ = ("alphabet", "samples", "states")

    def __init__(
        self, states: ArrayLike, alphabet: str, names: Any = None, labels: Mapping[str, Any] | None = None
    ) -> None:
        check_alphabet(alphabet)
        array = np.asarray(states)
        if array.ndim != 2:
            raise ValueError(f"states: expected a matrix (sequences x positions), found {array.ndim} dimensions")
        if array.dtype.kind not in "iu":
            raise TypeError(f"states: expected integers, found {array.dtype}")
        low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
        if low < 0 or high >= len(alphabet):
            raise ValueError(f"states: expected 0 to {len(alphabet) - 1}, found {low} to {high}")
        self.alphabet = alphabet
        self.states: NDArray[np.uint8] = array.astype(np.uint8)
        self.states.flags.writeable = False
        names = [f"sequence{i}" for i in range(len(array))] if names is None else names
        for name, values in (labels or {}).items():
            if np.shape(values) != (len(array),):
                raise ValueError(f"labels[{name!r}]: expected {len(array)} values, found shape {np.shape(values)}")
        self.samples = Samples(len(array), haplotype_id=names, sample_id=names, labels=labels)

    @classmethod
    def from_haplotypes(cls, H: HaplotypeMatrix) -> Alignment:
        """What `to_haplotypes` was called on. ValueError for other haplotypes."""
        states = states_of(H)
        return cls(states, alphabet_of(H.sites), H.samples.haplotype_id, H.samples.labels)

    @property
    def names(self) -> NDArray[Any]:
        """StringDType (num_sequences,)."""
        return self.samples.haplotype_id

    @property
    def labels(self) -> dict[str, NDArray[Any]]:
        """Values (num_sequences,) by name."""
        return self.samples.labels

    def __repr__(self) -> str:
        return f"Alignment({len(self.states)} sequences x {self.states.shape[1]} positions, letters {self.alphabet})"

    def sequences(self) -> list[str]:
        """The letters of every sequence."""
        letters = np.frombuffer(self.alphabet.encode(), np.uint8)
        return [letters[row].tobytes().decode() for row in self.states]

    def to_haplotypes(self) -> HaplotypeMatrix:
        """Packed, a bit for each letter of the alphabet at each position."""
        (n, num_positions), size = self.states.shape, len(self.alphabet)
        words = np.empty((n, words_per_row(num_positions * size)), np.uint64)
        for a, b in _blocks(n, num_positions * size):
            one_hot = self.states[a:b, :, None] == np.arange(size, dtype=np.uint8)
            words[a:b] = _backend.pack(one_hot.reshape(b - a, -1).view(np.uint8))
        sites = Sites(
            np.repeat(np.arange(1, num_positions + 1), size), contig=CONTIG, alt=list(self.alphabet) * num_positions
        )
        return HaplotypeMatrix(words, sites, self.samples)


def alphabet_of(sites: Sites) -> str:
    """The alphabet of aligned sequences with these sites; "" of haplotypes.

    Raises
    ------
    ValueError
        Sites on contig "alignment" that are not all letters of the same alphabet at every position, in its order.
    """
    if len(sites) == 0 or CONTIG not in (sites.contig[0], sites.contig[-1]):
        return ""
    size = int((sites.position == sites.position[0]).sum())
    alphabet = "".join(sites.alt[:size].tolist())
    whole = len(sites) % size == 0 and len(alphabet) == size and bool((sites.contig == CONTIG).all())
    if whole:
        position = sites.position.reshape(-1, size)
        whole = bool((position == position[:, :1]).all() and (np.diff(position[:, 0]) > 0).all())
        whole = whole and bool((sites.alt.reshape(-1, size) == sites.alt[:size]).all())
    if not whole:
        raise ValueError(
            f"sites: expected every letter at every position of contig {CONTIG!r} (aligned sequences), found a part"
        )
    check_alphabet(alphabet)
    return alphabet


def states_of(H: HaplotypeMatrix) -> NDArray[np.uint8]:
    """uint8 (num_sequences, num_positions), places in the alphabet of aligned sequences.

    Raises
    ------
    ValueError
        Haplotypes that are no aligned sequences, or have none or several letters at a position.
    """
    size = len(alphabet_of(H.sites))
    if not size:
        raise ValueError(f"H: expected aligned sequences (sites on contig {CONTIG!r}), found haplotypes")
    states = np.empty((H.num_haplotypes, H.num_sites // size), np.uint8)
    for a, b in _blocks(H.num_haplotypes, H.num_sites):
        one_hot = _backend.unpack(H.words[a:b], H.num_sites).reshape(b - a, -1, size)
        letters = one_hot.sum(2)
        if (letters != 1).any():
            row, place = np.argwhere(letters != 1)[0].tolist()
            name, position = H.samples.haplotype_id[a + row], H.sites.position[place * size]
            raise ValueError(
                f"H: expected one letter at every position, found {letters[row, place]} at {position} of {name!r}"
            )
        states[a:b] = one_hot.argmax(2)
    return states


def extent(H: HaplotypeMatrix | HaplotypeBlocks) -> str:
    """How large a cohort is, for reading."""
    if size := len(alphabet_of(H.sites)):
        return f"{H.num_haplotypes} sequences x {H.num_sites // size} positions"
    return f"{H.num_haplotypes} haplotypes x {H.num_sites} sites"


def check_alphabet(alphabet: str) -> None:
    """ValueError for one that `Alignment` does not take."""
    wrong = sorted({x for x in alphabet if not "!" <= x <= "~" or x in _NOT_LETTERS})
    if len(alphabet) < 2 or len(set(alphabet)) < len(alphabet) or wrong:
        raise ValueError(
            "alphabet: expected two or more different ASCII characters, none lower case, '.' or '>', found "
            f"{alphabet!r}"
        )


def _blocks(n: int, width: int) -> list[tuple[int, int]]:
    rows = max(1, _AT_ONCE // max(1, width))
    return [(a, min(a + rows, n)) for a in range(0, n, rows)]

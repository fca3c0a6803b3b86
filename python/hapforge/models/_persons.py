"""Rows of persons: both alleles of every site side by side, for genotypes that are learnt as such."""

from __future__ import annotations

import copy

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, words_per_row

_ROWS = 256


def unphased(H: HaplotypeMatrix) -> HaplotypeMatrix:
    """The same genotypes, in which no person is said to be phased."""
    samples = copy.copy(H.samples)
    samples.phased = np.zeros(samples.num_persons, bool)
    return HaplotypeMatrix(H.words, H.sites, samples)


def side_by_side(H: HaplotypeMatrix, label: str) -> HaplotypeMatrix:
    """A row of 2 * num_sites alleles for every person: columns 2j and 2j + 1 are its alleles at site j.

    Where a person is not phased the order of its alleles says nothing, and REF comes first. Of labels, `label` is kept.

    Raises
    ------
    ValueError
        Rows 2i and 2i + 1 are not one person somewhere, or have different labels.
    """
    samples, num_sites = H.samples, H.num_sites
    expected = np.arange(H.num_haplotypes) // 2
    if H.num_haplotypes % 2 or not np.array_equal(samples.person, expected):
        raise ValueError("H: expected two haplotypes of every person, one after the other, found others (unit=person)")
    labels = {}
    for name, values in samples.labels.items():
        if name != label:
            continue
        if (values[::2] != values[1::2]).any():
            raise ValueError(f"labels: expected one {name!r} for both haplotypes of a person, found two (unit=person)")
        labels[name] = values[::2]
    persons = H.num_haplotypes // 2
    words = np.zeros((persons, words_per_row(2 * num_sites)), np.uint64)
    for first in range(0, persons, _ROWS):
        last = min(first + _ROWS, persons)
        dense = H.select_haplotypes(np.arange(2 * first, 2 * last)).to_dense().reshape(-1, 2, num_sites)
        unphased = ~samples.phased[first:last]
        dense[unphased] = np.sort(dense[unphased], axis=1)
        words[first:last] = _backend.pack(dense.transpose(0, 2, 1).reshape(-1, 2 * num_sites))
    ids = [f"person{i}" for i in range(persons)]
    rows = Samples(persons, haplotype_id=ids, sample_id=ids, labels=labels)
    return HaplotypeMatrix(words, Sites(num_sites=2 * num_sites), rows)


def apart(words: NDArray[np.uint64], num_sites: int) -> NDArray[np.uint64]:
    """Packed haplotypes, two for every packed row of `side_by_side`."""
    found = np.zeros((2 * len(words), words_per_row(num_sites)), np.uint64)
    for first in range(0, len(words), _ROWS):
        dense = _backend.unpack(words[first : first + _ROWS], 2 * num_sites)
        haplotypes = dense.reshape(-1, num_sites, 2).transpose(0, 2, 1).reshape(-1, num_sites)
        found[2 * first : 2 * first + len(haplotypes)] = _backend.pack(haplotypes)
    return found

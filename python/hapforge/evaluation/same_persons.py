"""Persons of the holdout whose haplotypes are those of training persons: the same ones, or relatives."""

from __future__ import annotations

import hashlib
from collections import Counter

from hapforge.haplotypes import HaplotypeMatrix

_ROWS = 1024  # read at once
_DIGEST = 16  # bytes; two of 10^9 different haplotypes agree by chance once in 10^20 cohorts


def same_persons(real: HaplotypeMatrix, holdout: HaplotypeMatrix, name: str = "holdout") -> list[str]:
    """A note where persons of the holdout have haplotypes of the real set, with the same among the real persons.

    Haplotypes are compared whole, by their hashes: memory of some 200 bytes each. Over few sites strangers share them,
    so that numbers say something only beside those of the real persons among themselves. `name` is what the note calls
    the holdout.
    """
    mine, theirs = _persons(real), _persons(holdout)
    carriers = Counter(row for person in mine for row in set(person))
    persons = Counter(mine)
    one = sum(any(row in carriers for row in person) for person in theirs)
    both = sum(person in persons for person in theirs)
    if not one:
        return []
    real_one = sum(any(carriers[row] > 1 for row in person) for person in mine)
    real_both = sum(persons[person] > 1 for person in mine)
    return [
        f"{name}: {one} of {len(theirs)} persons have a whole haplotype of a real person ({real_one} of {len(mine)} "
        f"real persons have one of another); {both} have all those of one ({real_both}). More than among the real "
        "persons means relatives, or the same persons under other names."
    ]


def _persons(cohort: HaplotypeMatrix) -> list[tuple[bytes, ...]]:
    """The hashes of each person's haplotypes, sorted."""
    found: list[list[bytes]] = [[] for _ in range(cohort.samples.num_persons)]
    person = cohort.samples.person.tolist()
    for start in range(0, cohort.num_haplotypes, _ROWS):
        for k, row in enumerate(cohort.words[start : start + _ROWS], start):
            found[person[k]].append(hashlib.blake2b(row.tobytes(), digest_size=_DIGEST).digest())
    return [tuple(sorted(rows)) for rows in found]

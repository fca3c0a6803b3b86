"""The check that two cohorts have the same sites."""

from __future__ import annotations

from hapforge.haplotypes import HaplotypeMatrix


def check_same_sites(**cohorts: HaplotypeMatrix) -> None:
    """Raise TypeError or ValueError unless all are cohorts with equally many sites (see `hapforge.intersect`)."""
    for name, cohort in cohorts.items():
        if not isinstance(cohort, HaplotypeMatrix):
            raise TypeError(f"{name}: expected a HaplotypeMatrix, found {type(cohort).__name__}")
    (first, reference), *others = cohorts.items()
    for name, other in others:
        if other.num_sites != reference.num_sites:
            raise ValueError(
                f"{name}: expected the {reference.num_sites} sites of {first}, found {other.num_sites}; "
                "hapforge.intersect brings cohorts to the same sites"
            )

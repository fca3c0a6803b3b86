"""The recipe of simulated cohorts: out of Africa (Gutenkunst et al. 2009), three populations, one stretch."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites

if TYPE_CHECKING:
    import msprime

POPULATIONS = ("AFR", "EUR", "EAS")
MUTATION_RATE = 2.35e-8
"""Per base pair and generation, the rate the demography was inferred with."""
RECOMBINATION_RATE = 1e-8
"""Per base pair and generation, uniform."""
SITES_PER_BP = 3.4e-3
"""Sites with MAF >= 1 % that this demography leaves per base pair, roughly: only the first guess of the length."""

EMBEDDED = {"num_haplotypes": 5008, "num_sites": 10_000, "seed": 2009, "maf": 0.01}
"""`simulate` with these arguments is the cohort that `hapforge.datasets.load("ooa")` reads."""

# Gutenkunst et al. 2009, table 1: sizes in diploids, times in years, 25 years a generation.
_GENERATION = 25
_SIZE_ANCESTRAL, _SIZE_AFRICA, _SIZE_BOTTLENECK = 7300, 12_300, 2100
_SIZE_EUROPE, _GROWTH_EUROPE = 1000, 0.004
_SIZE_ASIA, _GROWTH_ASIA = 510, 0.0055
_TIME_AFRICA = 220e3 / _GENERATION
_TIME_OUT_OF_AFRICA = 140e3 / _GENERATION
_TIME_EUROPE_ASIA = 21.2e3 / _GENERATION


def demography() -> msprime.Demography:
    """The three-population model as an ``msprime.Demography`` with samples from AFR, EUR and EAS today.

    References
    ----------
    Gutenkunst, Hernandez, Williamson, Bustamante 2009, Inferring the joint demographic history of multiple populations
    from multidimensional SNP frequency data, PLoS Genetics 5(10), table 1.
    """
    model = _msprime().Demography()
    model.add_population(name="AFR", initial_size=_SIZE_AFRICA)
    model.add_population(
        name="EUR",
        initial_size=_SIZE_EUROPE / math.exp(-_GROWTH_EUROPE * _TIME_EUROPE_ASIA),
        growth_rate=_GROWTH_EUROPE,
    )
    model.add_population(
        name="EAS", initial_size=_SIZE_ASIA / math.exp(-_GROWTH_ASIA * _TIME_EUROPE_ASIA), growth_rate=_GROWTH_ASIA
    )
    model.add_population(name="OOA", initial_size=_SIZE_BOTTLENECK)
    model.add_population(name="AMH", initial_size=_SIZE_AFRICA)
    model.add_population(name="ANC", initial_size=_SIZE_ANCESTRAL)
    model.set_symmetric_migration_rate(["AFR", "EUR"], 3e-5)
    model.set_symmetric_migration_rate(["AFR", "EAS"], 1.9e-5)
    model.set_symmetric_migration_rate(["EUR", "EAS"], 9.6e-5)
    model.add_population_split(time=_TIME_EUROPE_ASIA, derived=["EUR", "EAS"], ancestral="OOA")
    model.add_symmetric_migration_rate_change(time=_TIME_EUROPE_ASIA, populations=["AFR", "OOA"], rate=2.5e-4)
    model.add_population_split(time=_TIME_OUT_OF_AFRICA, derived=["AFR", "OOA"], ancestral="AMH")
    model.add_population_split(time=_TIME_AFRICA, derived=["AMH"], ancestral="ANC")
    return model


def simulate(
    num_haplotypes: int,
    num_sites: int,
    *,
    seed: int,
    maf: float = 0.01,
    on_sites: Callable[[int], None] | None = None,
) -> HaplotypeMatrix:
    """A simulated cohort: the first `num_sites` sites with minor allele frequency >= `maf` of a stretch from base 1 on.

    Sites are streamed out of the tree sequence into packed words; the genotype matrix is never formed. The stretch is
    made a quarter longer, with the same seed, until it holds enough sites. ALT is the derived allele of msprime's
    binary mutation model; REF and ALT are written as A and G, letters without a meaning.

    Parameters
    ----------
    num_haplotypes : int, even; rows 2i and 2i + 1 are one person, persons a third each from AFR, EUR and EAS
    num_sites : int, 1 or more
    seed : int in [0, 2**31 - 2]; the same seed and msprime version give the same cohort
    maf : float in [0, 0.5); sites where one allele is absent are never kept
    on_sites : called with the number of newly found sites, for a progress bar

    Returns
    -------
    HaplotypeMatrix with label "population" and haplotype ids AFR0_A, AFR0_B ...

    Raises
    ------
    ValueError
        An odd or non-positive number of haplotypes, no sites, a seed or frequency out of its range.
    MissingDependencyError
        msprime is not installed.
    """
    if num_haplotypes < 2 or num_haplotypes % 2:
        raise ValueError(f"num_haplotypes: expected an even number, 2 or more, found {num_haplotypes}")
    if num_sites < 1:
        raise ValueError(f"num_sites: expected 1 or more, found {num_sites}")
    if not 0 <= seed <= 2**31 - 2:
        raise ValueError(f"seed: expected 0 to {2**31 - 2}, found {seed}")
    if not 0 <= maf < 0.5:
        raise ValueError(f"maf: expected at least 0 and below 0.5, found {maf}")
    persons = [(num_haplotypes // 2 + 2 - i) // 3 for i in range(3)]
    length = math.ceil(max(num_sites, 100) / SITES_PER_BP * 1.1)
    while True:
        found = _first_sites(persons, length, num_sites, seed, maf, on_sites)
        if found is not None:
            break
        if on_sites is not None:
            on_sites(-num_sites)
        length = math.ceil(length * 1.25)
    position, site_major = found
    return HaplotypeMatrix(
        _backend.transpose(site_major, num_haplotypes),
        Sites(position, contig="1", ref="A", alt="G"),
        cohort_samples(num_haplotypes),
    )


def cohort_samples(num_haplotypes: int) -> Samples:
    """Persons AFR0, AFR1 ... EUR0 ... EAS0 ..., a third each (the first populations take what is left over)."""
    persons = [(num_haplotypes // 2 + 2 - i) // 3 for i in range(3)]
    return Samples(
        num_haplotypes,
        sample_id=[f"{name}{i}" for name, count in zip(POPULATIONS, persons, strict=True) for i in range(count)],
        labels={"population": np.repeat(np.array(POPULATIONS), persons)},
    )


def _first_sites(
    persons: list[int],
    length: int,
    num_sites: int,
    seed: int,
    maf: float,
    on_sites: Callable[[int], None] | None,
) -> tuple[NDArray[np.int64], NDArray[np.uint64]] | None:
    """Positions and packed rows, one per site, of the first `num_sites` sites; None where the stretch is too short."""
    msprime = _msprime()
    trees = msprime.sim_ancestry(
        {name: count for name, count in zip(POPULATIONS, persons, strict=True) if count},
        demography=demography(),
        sequence_length=length,
        recombination_rate=RECOMBINATION_RATE,
        random_seed=2 * seed + 1,
    )
    trees = msprime.sim_mutations(
        trees, rate=MUTATION_RATE, model=msprime.BinaryMutationModel(), random_seed=2 * seed + 2
    )
    n = trees.num_samples
    fewest = max(1, math.ceil(maf * n - 1e-9))
    position = np.empty(num_sites, np.int64)
    rows = np.zeros((num_sites, (n + 63) // 64 * 8), np.uint8)
    kept = 0
    for variant in trees.variants(alleles=("0", "1"), copy=False):
        derived = variant.genotypes
        count = int(np.count_nonzero(derived))
        if min(count, n - count) < fewest:
            continue
        position[kept] = int(variant.site.position) + 1
        rows[kept, : (n + 7) // 8] = np.packbits(derived.astype(bool), bitorder="little")
        kept += 1
        if on_sites is not None:
            on_sites(1)
        if kept == num_sites:
            return position, rows.view("<u8").astype(np.uint64, copy=False)
    return None


def _msprime() -> Any:
    try:
        import msprime
    except ImportError as error:
        raise MissingDependencyError("msprime", "sim") from error
    return msprime

from __future__ import annotations

import time
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge import datasets
from hapforge.datasets import ooa
from hapforge.errors import ChecksumError

needs_msprime = pytest.mark.skipif(find_spec("msprime") is None, reason="msprime is not installed")


def test_embedded_cohort_is_what_it_says() -> None:
    start = time.perf_counter()
    cohort = hf.datasets.load("ooa")
    assert time.perf_counter() - start < 1
    assert cohort.shape == (5008, 10_000)
    names, counts = np.unique(cohort.samples.labels["population"], return_counts=True)
    assert dict(zip(names.tolist(), counts.tolist(), strict=True)) == {"AFR": 1670, "EUR": 1670, "EAS": 1668}
    assert cohort.samples.num_persons == 2504
    assert np.array_equal(cohort.samples.person, np.arange(5008) // 2)
    frequency = cohort.to_dense().mean(0)
    assert np.minimum(frequency, 1 - frequency).min() >= 0.01
    assert np.all(np.diff(cohort.sites.position) > 0)


def test_file_is_small() -> None:
    assert (Path(datasets.__path__[0]) / "ooa.xz").stat().st_size < 250_000


def test_unknown_name_is_refused() -> None:
    with pytest.raises(ValueError, match="expected 'ooa', found 'OOA'"):
        hf.datasets.load("OOA")


def test_damage_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets, "_OOA_SHA256", "0" * 64)
    with pytest.raises(ChecksumError):
        hf.datasets.load("ooa")


@needs_msprime
def test_recipe_regenerates_the_embedded_cohort_bit_for_bit() -> None:
    made, shipped = ooa.simulate(**ooa.EMBEDDED), hf.datasets.load("ooa")
    assert np.array_equal(made.words, shipped.words)
    assert made.sites == shipped.sites
    assert made.sha256() == shipped.sha256()


@needs_msprime
def test_demography_is_gutenkunst_2009() -> None:
    import msprime

    ours = ooa.demography()
    theirs = msprime.Demography._ooa_model()  # names YRI, CEU, CHB, and 848 and 5600 generations, as here
    for population, other in zip(ours.populations, theirs.populations, strict=True):
        assert population.initial_size == pytest.approx(other.initial_size, rel=1e-4)
        assert population.growth_rate == other.growth_rate
    assert np.array_equal(ours.migration_matrix, theirs.migration_matrix)
    assert [e.time for e in ours.events] == pytest.approx([e.time for e in theirs.events])
    assert [type(e) for e in ours.events] == [type(e) for e in theirs.events]


@needs_msprime
def test_sites_are_those_of_the_tree_sequence() -> None:
    """Against msprime's own genotype matrix, on a stretch that is too short at first."""
    import msprime

    cohort = ooa.simulate(10, 40, seed=5, maf=0.3)
    length = int(np.ceil(100 / ooa.SITES_PER_BP * 1.1))
    while True:
        trees = msprime.sim_ancestry(
            {"AFR": 2, "EUR": 2, "EAS": 1},
            demography=ooa.demography(),
            sequence_length=length,
            recombination_rate=1e-8,
            random_seed=11,
        )
        trees = msprime.sim_mutations(trees, rate=2.35e-8, model=msprime.BinaryMutationModel(), random_seed=12)
        matrix = trees.genotype_matrix(alleles=("0", "1"))
        minor = np.minimum(matrix.sum(1), 10 - matrix.sum(1))
        if (minor >= 3).sum() >= 40:
            break
        length = int(np.ceil(length * 1.25))
    keep = np.flatnonzero(minor >= 3)[:40]
    assert np.array_equal(cohort.to_dense(), matrix[keep].T)
    assert np.array_equal(cohort.sites.position, trees.tables.sites.position[keep] + 1)


@needs_msprime
def test_same_seed_same_cohort() -> None:
    a, b, c = (ooa.simulate(20, 50, seed=s) for s in (1, 1, 2))
    assert a.sha256() == b.sha256() != c.sha256()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_haplotypes": 3}, "num_haplotypes: expected an even number"),
        ({"num_haplotypes": 0}, "num_haplotypes: expected an even number"),
        ({"num_sites": 0}, "num_sites: expected 1 or more"),
        ({"seed": -1}, "seed: expected 0 to"),
        ({"maf": 0.5}, "maf: expected at least 0 and below 0.5"),
    ],
)
def test_bad_arguments(arguments: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ooa.simulate(**{"num_haplotypes": 4, "num_sites": 5, "seed": 0, **arguments})

"""Tree sequences: against tskit's own VCF, persons, odd sites, damage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cohorts
import numpy as np
import pytest

import hapforge as hf
from hapforge import io
from hapforge.errors import FormatError

tskit = pytest.importorskip("tskit")
msprime = pytest.importorskip("msprime")


def simulated(ploidy: int = 2, seed: int = 1, **mutations: Any) -> Any:
    """A tree sequence of 12 haplotypes; recurrent, back and multi-allelic mutations are in it."""
    tree_sequence = msprime.sim_ancestry(
        12 // ploidy,
        ploidy=ploidy,
        sequence_length=3000,
        recombination_rate=1e-5,
        population_size=1000,
        random_seed=seed,
    )
    return msprime.sim_mutations(tree_sequence, **{"rate": 2e-5, "random_seed": seed, **mutations})


def dumped(tree_sequence: Any, folder: Path) -> Path:
    tree_sequence.dump(folder / "x.trees")
    return folder / "x.trees"


def by_hand(sites: list[tuple[float, str, list[tuple[int, str]]]], **individuals: int) -> Any:
    """Samples (0, 1), (2, 3) under nodes 4, 5 and a root; sites (position, ancestral, [(node, derived)])."""
    tables = tskit.TableCollection(100)
    for node in range(4):
        tables.nodes.add_row(flags=tskit.NODE_IS_SAMPLE, time=0, individual=individuals.get(f"n{node}", -1))
    for _ in range(max(individuals.values(), default=-1) + 1):
        tables.individuals.add_row()
    for time in (1, 1, 2):
        tables.nodes.add_row(time=time)
    for parent, child in ((4, 0), (4, 1), (5, 2), (5, 3), (6, 4), (6, 5)):
        tables.edges.add_row(0, 90, parent, child)
    for position, ancestral, mutations in sites:
        site = tables.sites.add_row(position, ancestral)
        for node, derived in mutations:
            tables.mutations.add_row(site, node, derived)
    tables.sort()
    tables.build_index()
    tables.compute_mutation_parents()
    return tables.tree_sequence()


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_as_tskit_writes_to_vcf(tmp_path: Path, seed: int) -> None:
    tree_sequence = simulated(seed=seed)
    path = dumped(tree_sequence, tmp_path)
    (tmp_path / "x.vcf").write_text(
        tree_sequence.as_vcf(position_transform=lambda positions: [int(position) + 1 for position in positions])
    )
    for choice in ("split", "major", "skip"):
        for part in ({}, {"region": "1:500-1,000"}, {"samples": ["tsk_4", "tsk_1"]}, {"maf": 0.3}):
            policies = [io.Policy({"multiallelic": choice, "symbolic": "skip"}) for _ in range(2)]
            expected = hf.read(tmp_path / "x.vcf", policy=policies[0], **part)
            found = hf.read(path, policy=policies[1], **part)
            np.testing.assert_array_equal(found.to_dense(), expected.to_dense())
            assert found.sites.alt.tolist() == expected.sites.alt.tolist()
            assert found.sites.position.tolist() == expected.sites.position.tolist()
            assert found.samples.sample_id.tolist() == expected.samples.sample_id.tolist()
            assert policies[0].changes == policies[1].changes
    assert policies[0].changes["multiallelic"]["records"] > 5
    with pytest.raises(FormatError, match="multi-allelic"):
        hf.read(path)


def test_persons(tmp_path: Path) -> None:
    sites = [(10.0, "A", [(0, "C")]), (20.0, "G", [(4, "T"), (1, "G")]), (30.0, "A", [(2, "T"), (3, "T")])]
    columns = np.array([[1, 0, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], np.uint8)
    for individuals, rows, names in (
        ({}, [0, 1, 2, 3], ["sample0", "sample0", "sample1", "sample1"]),
        ({"n0": 1, "n1": 0, "n2": 1, "n3": 0}, [1, 3, 0, 2], ["tsk_0", "tsk_0", "tsk_1", "tsk_1"]),
        ({"n0": 0, "n1": 1, "n2": 2, "n3": 3}, [0, 1, 2, 3], ["tsk_0", "tsk_1", "tsk_2", "tsk_3"]),
        ({"n0": 0, "n1": 1, "n2": 1, "n3": 3}, [0, 1, 2, 3], ["tsk_0", "tsk_1", "tsk_1", "tsk_2"]),
    ):
        matrix = hf.read(dumped(by_hand(sites, **individuals), tmp_path))
        np.testing.assert_array_equal(matrix.to_dense(), columns.T[rows])
        assert matrix.samples.sample_id.tolist() == names
        assert matrix.sites.position.tolist() == [11, 21, 31]
        assert matrix.sites.ref.tolist() == ["A", "G", "A"]
        assert matrix.samples.phased.all()
        part = hf.read(tmp_path / "x.trees", samples=[names[-1]])
        assert part.samples.sample_id.tolist() == [name for name in names if name == names[-1]]
    with pytest.raises(FormatError, match="an individual for all sample nodes, or for none, found none for node 3"):
        hf.read(dumped(by_hand(sites, n0=0, n1=0, n2=1), tmp_path))


def test_sites_outside_a_region_are_not_decoded(tmp_path: Path) -> None:
    sites = [(10.0, "A", [(0, "C")]), (20.0, "", [(4, "T")]), (30.0, "A", [(2, "T"), (3, "T")])]
    path = dumped(by_hand(sites), tmp_path)
    for region, position, column in (("1:1-20", [11], [1, 0, 0, 0]), ("1:22-40", [31], [0, 0, 1, 1])):
        matrix = hf.read(path, region)
        assert matrix.sites.position.tolist() == position
        assert matrix.to_dense()[:, 0].tolist() == column
    with pytest.raises(FormatError, match="alleles of bases, or 0 and 1, found ''"):
        hf.read(path)


def test_odd_sites(tmp_path: Path) -> None:
    for site, message in (
        ((10.5, "A", [(0, "C")]), r"tskit's site 0: expected positions that are integers, found 10\.5"),
        ((10.0, "A", []), r"an ALT allele of bases, found '\.' \(missing\)"),
        ((10.0, "", [(0, "C")]), "alleles of bases, or 0 and 1, found ''"),
        ((10.0, "A", [(0, "C,T")]), "alleles of bases, or 0 and 1, found 'C,T'"),
        ((10.0, "A", [(0, "C"), (1, "T")]), r"one ALT allele, found C,T \(multi-allelic\)"),
        ((95.0, "A", [(0, "C")]), r"found '\.' \(missing\) for sample 'sample0'"),
    ):
        with pytest.raises(FormatError, match=message) as error:
            hf.read(dumped(by_hand([site]), tmp_path))
        assert "\n" not in str(error.value)
    with pytest.raises(FormatError, match="at least one site"):
        hf.read(dumped(by_hand([]), tmp_path))
    path = dumped(by_hand([(10.0, "0", [(0, "1")]), (92.0, "A", [(0, "T"), (1, "T"), (2, "A")])]), tmp_path)
    with pytest.warns(UserWarning, match="1 missing allele set to the commoner one at 1 site"):
        matrix = hf.read(path, policy={"missing": "major"})
    assert matrix.to_dense().tolist() == [[1, 1], [0, 1], [0, 0], [0, 1]]
    assert matrix.sites.alt.tolist() == [".", "T"]
    with pytest.warns(UserWarning, match="1 site with missing alleles left out"):
        assert hf.read(path, policy={"missing": "skip"}).num_sites == 1


def test_an_allele_that_is_no_text(tmp_path: Path) -> None:
    tables = by_hand([(10.0, "A", [(0, "C")])]).dump_tables()
    rows = tables.mutations
    rows.set_columns(
        site=rows.site,
        node=rows.node,
        parent=rows.parent,
        derived_state=np.array([-5], np.int8),
        derived_state_offset=rows.derived_state_offset,
    )
    with pytest.raises(FormatError, match=r"tskit's site 0: .*, found a damaged one \('utf-8'"):
        hf.read(dumped(tables.tree_sequence(), tmp_path))


def test_writing_is_refused(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match=r"which haplotypes do not tell, found \.trees, which is only read"):
        hf.write(small_cohort, tmp_path / "x.trees")
    assert not list(tmp_path.iterdir())


def test_pieces_make_the_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = dumped(simulated(rate=1e-5, model=msprime.BinaryMutationModel()), tmp_path)
    expected = hf.read(path, maf=0.1)
    monkeypatch.setattr(io.trees, "_AT_ONCE", 12 * 7)
    told: list[int] = []
    cohorts.assert_same(hf.read(path, maf=0.1, progress=told.append), expected)
    assert sum(told) == path.stat().st_size

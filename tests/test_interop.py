"""To and from scikit-allel, torch, tskit and sgkit's datasets."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge import interop
from hapforge.errors import FormatError


@pytest.fixture
def cohort(small_cohort: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    """Without labels, which nothing here has a place for."""
    samples = hf.Samples(20, sample_id=small_cohort.samples.sample_id, phased=np.arange(10) != 3)
    return hf.HaplotypeMatrix(small_cohort.words, small_cohort.sites, samples)


def assert_same(a: hf.HaplotypeMatrix, b: hf.HaplotypeMatrix) -> None:
    np.testing.assert_array_equal(a.words, b.words)
    assert a.sites == b.sites
    assert a.sites.position_known == b.sites.position_known
    assert a.samples.haplotype_id.tolist() == b.samples.haplotype_id.tolist()
    assert a.samples.phased.tolist() == b.samples.phased.tolist()


def test_allel(cohort: hf.HaplotypeMatrix) -> None:
    allel = pytest.importorskip("allel")
    array = interop.to_allel(cohort)
    assert isinstance(array, allel.HaplotypeArray)
    assert array.shape == (130, 20)
    assert array.count_alleles()[:, 1].tolist() == hf.kernels.allele_counts(cohort).tolist()
    sites = cohort.sites
    back = interop.from_allel(
        array, positions=sites.position, contig=sites.contig, ids=sites.id, ref=sites.ref, alt=sites.alt
    )
    np.testing.assert_array_equal(back.words, cohort.words)
    assert back.sites == sites
    with pytest.raises(ValueError, match=r"expected a matrix \(sites x haplotypes\), found 3 dimensions; genotypes: "):
        interop.from_allel(array.to_genotypes(ploidy=2))
    with pytest.raises(ValueError, match="expected values 0 and 1, found values from -1 to 1"):
        interop.from_allel(allel.HaplotypeArray([[0, 1], [-1, 0]], dtype="i1"))


def test_torch(cohort: hf.HaplotypeMatrix) -> None:
    torch = pytest.importorskip("torch")
    dense = interop.to_torch(cohort)
    assert dense.dtype == torch.uint8
    np.testing.assert_array_equal(dense.numpy(), cohort.to_dense())
    words = interop.to_torch(cohort, packed=True)
    assert words.dtype == torch.uint64
    assert words.data_ptr() == cohort.words.ctypes.data
    np.testing.assert_array_equal(hf.kernels.allele_counts((words, 130)), hf.kernels.allele_counts(cohort))
    for tensor in (dense, dense.bool(), dense.to(torch.int8), words):
        assert_same(interop.from_torch(tensor, cohort.sites, cohort.samples), cohort)
    shared = interop.from_torch(words, cohort.sites)
    assert shared.words.ctypes.data == words.data_ptr()
    assert not interop.from_torch(dense).sites.position_known
    with pytest.raises(ValueError, match="sites: expected Sites for packed words"):
        interop.from_torch(words)
    with pytest.raises(ValueError, match=r"expected shape \(num_haplotypes, 3\) for 130 sites"):
        interop.from_torch(words[:, :2].contiguous(), cohort.sites)
    with pytest.raises(ValueError, match="expected only 0 and 1, found 2 at row 0, column 1"):
        interop.from_torch(torch.tensor([[0, 2]], dtype=torch.uint8))
    with pytest.raises(ValueError, match="on the host without gradients"):
        interop.from_torch(torch.zeros(2, 2, requires_grad=True))


def test_tree_sequence() -> None:
    msprime = pytest.importorskip("msprime")
    tree_sequence = msprime.sim_ancestry(
        5, sequence_length=2000, recombination_rate=1e-5, population_size=1000, random_seed=3
    )
    tree_sequence = msprime.sim_mutations(tree_sequence, rate=2e-5, random_seed=3)
    with pytest.warns(UserWarning, match=r"tree sequence: \d+ multi-allelic records left out"):
        matrix = interop.from_tree_sequence(
            tree_sequence, contig="chr3", offset=0, region="chr3:100-1500", maf=0.2, policy={"multiallelic": "skip"}
        )
    expected = {
        int(v.site.position): v.genotypes.tolist()
        for v in tree_sequence.variants()
        if 100 <= v.site.position <= 1500 and len(v.alleles) == 2 and 2 <= v.genotypes.sum() <= 8
    }
    assert dict(zip(matrix.sites.position.tolist(), matrix.to_dense().T.tolist(), strict=True)) == expected
    assert set(matrix.sites.contig.tolist()) == {"chr3"}
    with pytest.raises(FormatError, match=r"^tree sequence, site 1:.*: expected one ALT allele"):
        interop.from_tree_sequence(tree_sequence)


def test_datasets(cohort: hf.HaplotypeMatrix, small_cohort: hf.HaplotypeMatrix) -> None:
    xarray = pytest.importorskip("xarray")
    dataset = interop.to_xarray(cohort)
    assert dict(dataset.sizes) == {"contigs": 2, "variants": 130, "samples": 10, "ploidy": 2, "alleles": 2}
    np.testing.assert_array_equal(dataset.call_genotype.values.reshape(130, 20).T, cohort.to_dense())
    policy = hf.io.Policy({"unphased": "keep"})
    assert_same(interop.from_xarray(dataset, policy=policy), cohort)
    assert policy.changes["unphased"]["sites"] == int((cohort.to_dense()[6] != cohort.to_dense()[7]).sum())
    part = interop.from_xarray(dataset, region="2:100-500", samples=["P1", "P5"], maf=0.5)
    counts = cohort.to_dense()[[2, 3, 10, 11]].sum(axis=0)
    at = [j for j in range(71, 80) if counts[j] == 2]
    np.testing.assert_array_equal(part.to_dense(), cohort.to_dense()[[2, 3, 10, 11]][:, at])
    older = dataset.drop_vars(["contig_id", "variant_id", "variant_id_mask"]).assign_attrs(contigs=["1", "2"])
    assert interop.from_xarray(older, policy=hf.io.Policy({"unphased": "keep"})).sites.contig.tolist() == (
        cohort.sites.contig.tolist()
    )
    with pytest.raises(FormatError, match="dataset: expected the variable sample_id, found none"):
        interop.from_xarray(dataset.drop_vars("sample_id"))
    with pytest.raises(FormatError, match=r"site 1:100: .* phased diploid calls .*\(not phased\) for sample 'P0'"):
        interop.from_xarray(dataset.drop_vars("call_genotype_phased"))
    with pytest.raises(FormatError, match="variant_position of 1 dimensions"):
        interop.from_xarray(dataset.assign(variant_position=("variants", np.zeros(130))))
    assert isinstance(dataset, xarray.Dataset)
    with pytest.warns(UserWarning, match=r"labels \(population\): lost, a dataset has no place"):
        interop.to_xarray(small_cohort)
    counted = hf.HaplotypeMatrix.from_dense([[0], [1]])
    assert_same(interop.from_xarray(interop.to_xarray(counted)), counted)


SGKIT = """
import sys, numpy as np, sgkit
ds = sgkit.load_dataset(sys.argv[1])
assert ds.call_genotype.dims == ("variants", "samples", "ploidy"), ds.call_genotype.dims
counts = sgkit.count_call_alleles(ds)
total = sgkit.variant_stats(ds).variant_allele_count.values
np.save(sys.argv[2], ds.call_genotype.values)
assert (total[:, 1] == ds.call_genotype.values.sum(axis=(1, 2))).all()
print(sgkit.__version__, *ds.sample_id.values, *ds.contig_id.values)
sgkit.save_dataset(ds.drop_vars("region_index").chunk({"variants": 50}), sys.argv[3], auto_rechunk=True)
"""


def test_sgkit(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """sgkit, which needs zarr < 3 and so a venv of its own, reads what is written here, and the other way."""
    python = os.environ.get("HAPFORGE_SGKIT_PYTHON")
    if not python or shutil.which(python) is None:
        pytest.skip("HAPFORGE_SGKIT_PYTHON does not name the Python of a venv with sgkit (.ci/sgkit.txt)")
    hf.write(cohort, tmp_path / "x.vcz")
    command = [python, "-W", "ignore", "-c", SGKIT, *(str(tmp_path / name) for name in ("x.vcz", "g.npy", "y.zarr"))]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    assert said[1:] == [f"P{i}" for i in range(10)] + ["1", "2"]
    np.testing.assert_array_equal(np.load(tmp_path / "g.npy").reshape(130, 20).T, cohort.to_dense())
    policy = hf.io.Policy({"unphased": "keep", "chunks": "fill"})
    assert_same(hf.read(tmp_path / "y.zarr", policy=policy), cohort)

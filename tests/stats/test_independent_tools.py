"""Frequencies, spectra, diversity and LD against scikit-allel, and LD against plink 1.9."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.distance import squareform

import hapforge as hf
from hapforge.kernels import allele_counts, hamming_histogram, joint_counts, ld_matrix
from hapforge.stats import allele_frequencies, site_frequency_spectrum

allel = pytest.importorskip("allel")
FLOAT32 = 2e-7  # r² in this precision


@pytest.fixture(scope="module", params=["embedded", "LCT"])
def cohort(request: pytest.FixtureRequest) -> hf.HaplotypeMatrix:
    """300 neighbouring sites of the embedded cohort, or of real haplotypes around LCT; some do not vary."""
    if request.param == "embedded":
        whole = hf.datasets.load("ooa").select_haplotypes(np.arange(0, 5008, 40))
        return hf.HaplotypeMatrix(whole.words, whole.sites).select_sites(np.arange(4000, 4300))
    folder: Path = request.getfixturevalue("shared_data")
    whole = hf.read(folder / "lct_chr2_8076.npz")
    return hf.HaplotypeMatrix(whole.words, whole.sites).select_sites(np.arange(4000, 4300))


def test_counts_and_frequencies(cohort: hf.HaplotypeMatrix) -> None:
    counted = allel.HaplotypeArray(cohort.to_dense().T.astype(np.int8)).count_alleles(max_allele=1)
    assert np.array_equal(allele_counts(cohort), counted[:, 1])
    assert np.array_equal(allele_frequencies(cohort), counted.to_frequencies()[:, 1])


def test_spectra(cohort: hf.HaplotypeMatrix) -> None:
    n, counts = cohort.num_haplotypes, allele_counts(cohort)
    assert np.array_equal(site_frequency_spectrum(counts, n), allel.sfs(counts, n=n))
    folded = allel.sfs_folded(np.stack([n - counts, counts], axis=1), n=n)
    assert np.array_equal(site_frequency_spectrum(counts, n, folded=True), folded)


def test_mean_pairwise_difference_is_the_heterozygosity(cohort: hf.HaplotypeMatrix) -> None:
    """Summed over the sites, and from the expected heterozygosity at allele frequencies with its n / (n - 1)."""
    n = cohort.num_haplotypes
    histogram = hamming_histogram(cohort)
    mean = (histogram * np.arange(len(histogram))).sum() / histogram.sum()
    counted = allel.HaplotypeArray(cohort.to_dense().T.astype(np.int8)).count_alleles(max_allele=1)
    assert mean == pytest.approx(allel.mean_pairwise_difference(counted).sum(), rel=1e-12)
    expected = allel.heterozygosity_expected(counted.to_frequencies(), ploidy=2).sum()
    assert mean == pytest.approx(expected * n / (n - 1), rel=1e-12)


def test_r2_is_that_of_homozygous_diploids(cohort: hf.HaplotypeMatrix) -> None:
    """Rogers and Huff's r of persons with one haplotype twice is the correlation of the haplotypes."""
    varies = np.flatnonzero((allele_counts(cohort) % cohort.num_haplotypes) > 0)
    assert 100 < len(varies) < cohort.num_sites
    x = cohort.select_sites(varies)
    theirs = squareform(allel.rogers_huff_r(np.ascontiguousarray(2 * x.to_dense().T.astype(np.int8))) ** 2)
    ours = ld_matrix(cohort)
    assert np.isnan(ours[np.setdiff1d(np.arange(cohort.num_sites), varies)]).all()
    np.testing.assert_allclose(
        ours[np.ix_(varies, varies)] - np.eye(len(varies)), theirs, rtol=0, atol=1e-5
    )  # theirs: float32 sums


@pytest.mark.skipif(shutil.which("plink1.9") is None, reason="plink1.9 is not here")
def test_r2_and_haplotype_counts_are_those_of_plink(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """`--r2` of persons with one haplotype twice, in double precision."""
    varies = np.flatnonzero((allele_counts(cohort) % cohort.num_haplotypes) > 0)[:120]
    x = cohort.select_sites(varies).to_dense()[:1200]
    x = x[:, (x.mean(axis=0) > 0) & (x.mean(axis=0) < 1)]
    n, num_sites = x.shape
    header = "##fileformat=VCFv4.2\n##contig=<ID=1>\n#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\t"
    rows = (f"1\t{j + 1}\ts{j}\tA\tC\t.\t.\t.\tGT\t" + "\t".join(f"{v}|{v}" for v in x[:, j]) for j in range(num_sites))
    source, out = tmp_path / "x.vcf", tmp_path / "x"
    source.write_text(header + "\t".join(f"P{i}" for i in range(n)) + "\n" + "\n".join(rows) + "\n")
    command = ["plink1.9", "--vcf", source, "--keep-allele-order", "--r2", "square", "bin", "--out", out]
    subprocess.run([*map(str, command), "--threads", "1"], check=True, capture_output=True)
    theirs = np.fromfile(out.with_suffix(".ld.bin")).reshape(num_sites, num_sites)
    ours = hf.HaplotypeMatrix.from_dense(x)
    np.testing.assert_allclose(ld_matrix(ours), theirs, rtol=0, atol=FLOAT32)
    both, carriers = joint_counts(ours) / n, x.mean(axis=0)
    covariance = both - np.outer(carriers, carriers)
    variance = carriers * (1 - carriers)
    np.testing.assert_allclose(covariance**2 / np.outer(variance, variance), theirs, rtol=0, atol=1e-9)

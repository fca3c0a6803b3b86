"""Spectra, quantiles, motifs and 3-point correlations inside an evaluation."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.evaluation import EQUAL_N
from hapforge.kernels import allele_counts, kmer_counts, three_point
from hapforge.metrics import (
    compare_frequency_bins,
    compare_frequency_quantiles,
    compare_motif_counts,
    compare_site_frequency_spectra,
    compare_three_point,
)
from hapforge.stats import allele_frequencies, site_frequency_spectrum, three_point_triplets

METRICS = ["allele_frequency", "three_point", "kmers"]
NUM_SITES = 90


def cohort(seed: int, n: int, **arguments) -> hf.HaplotypeMatrix:
    founders = (np.random.default_rng(1).random((9, NUM_SITES)) < np.linspace(0.02, 0.9, NUM_SITES)).astype(np.uint8)
    rng = np.random.default_rng(seed)
    x = founders[rng.integers(0, 9, n)] ^ (rng.random((n, NUM_SITES)) < 0.02)
    return hf.HaplotypeMatrix.from_dense(x.astype(np.uint8), positions=np.arange(1, NUM_SITES + 1) * 9, **arguments)


@pytest.fixture(scope="module")
def cohorts() -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    y = cohort(2, 70).to_dense()
    y[:, :12] = 0
    return cohort(1, 100), hf.HaplotypeMatrix.from_dense(y, positions=np.arange(1, NUM_SITES + 1) * 9)


@pytest.fixture(scope="module")
def result(cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> hf.evaluation.Evaluation:
    return hf.evaluate(cohorts[0], {"A": cohorts[1]}, metrics=METRICS, controls=["real_half", "bernoulli"], seed=5)


def test_scores_are_those_of_the_metrics(
    result: hf.evaluation.Evaluation, cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]
) -> None:
    real, synthetic = cohorts
    found = result.scores["A"]
    p, q = (allele_frequencies(m) for m in cohorts)

    def same(name: str, value: float, interval: tuple[float, float], n: int) -> None:
        score = found[name]
        assert (score.value, score.low, score.high, score.n) == pytest.approx((value, *interval, n), nan_ok=True), name

    bins = compare_frequency_bins(p, q, seed=5)
    for name, fit in zip(("0_5", "5_10", "10_20", "20_50", "50_100"), bins, strict=True):
        assert (f"af_r_{name}" in found) == (fit is not None)
        if fit is not None:
            same(f"af_r_{name}", fit.r, fit.r_interval, fit.num_sites)
    spectra = compare_site_frequency_spectra(
        *(v for m in cohorts for v in (allele_counts(m), m.num_haplotypes)), seed=5
    )
    same("sfs_distance", spectra.distance, spectra.interval, NUM_SITES)
    assert "both projected to 70 haplotypes" in found["sfs_distance"].procedure
    assert "projected" not in found["sfs_distance" + EQUAL_N].procedure
    quantiles = compare_frequency_quantiles(p, q, seed=5)
    same("af_quantile_w", quantiles.distance, quantiles.interval, quantiles.num_sites)
    for k in (4, 8):
        fit = compare_motif_counts(kmer_counts(real, k), kmer_counts(synthetic, k), seed=5)
        same(f"kmer{k}_r", fit.r, fit.r_interval, fit.num_motifs)
        same(f"kmer{k}_slope", fit.slope, fit.slope_interval, fit.num_motifs)
        same(f"kmer{k}_intercept", fit.intercept, fit.intercept_interval, fit.num_motifs)
    assert "scaled to 100 haplotypes" in found["kmer4_r"].procedure
    for kind, triplets in three_point_triplets(real, seed=5).items():
        fit = compare_three_point(*(three_point(m, triplets) for m in cohorts), triplets, NUM_SITES, seed=5)
        same(f"three_point_r_{kind}", fit.r, fit.r_interval, len(triplets))


def test_spacings_that_do_not_fit_are_left_out_and_said(result: hf.evaluation.Evaluation) -> None:
    kinds = [name for name in result.scores["A"] if name.startswith("three_point") and not name.endswith(EQUAL_N)]
    assert kinds == [f"three_point_r_{kind}" for kind in ("1", "4", "16", "random")]
    assert [note for note in result.data.notes if "3-point" in note] == [
        "3-point correlations: left out are spacings with fewer than 10 triplets in all contigs: 64, 256, 512, 1024."
    ]


def test_control_of_noise_and_of_a_real_half(result: hf.evaluation.Evaluation) -> None:
    half, noise = result.scores["real half"], result.scores["Bernoulli"]
    assert half["three_point_r_random"].value > 0.8
    assert abs(noise["three_point_r_random"].value) < 0.3
    assert noise["kmer8_r"].value < half["kmer8_r"].value - 0.1
    assert result.scores["A"]["sfs_distance"].value > half["sfs_distance"].value + 0.05


def test_figure_data(result: hf.evaluation.Evaluation, cohorts: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    real, _ = cohorts
    curves = result.data.curves
    p, q = (allele_frequencies(m) for m in cohorts)
    spectra = curves["site_frequency_spectra"]
    assert spectra.size == 50
    expected = site_frequency_spectrum(allele_counts(real), 100, size=50)
    assert spectra.class_edges.tolist() == [1, 2, 4, 8, 16, 26]
    by_hand = np.zeros(5)
    frequency_bins = np.zeros(50)
    for count in range(1, 50):
        by_hand[min(count, 50 - count).bit_length() - 1] += expected[count]
        frequency_bins[count - 1] += expected[count]  # (a, b] with edges at k / 50
    np.testing.assert_allclose(spectra.real_folded, by_hand)
    np.testing.assert_allclose(spectra.real_unfolded, frequency_bins)
    assert set(spectra.folded) == set(spectra.unfolded) == {"A", "Bernoulli"}
    fixed = curves["fixed_sites"]
    lost = np.flatnonzero((p > 0) & (p < 1) & ((q == 0) | (q == 1)))
    assert fixed.sites["A"].site.tolist() == lost.tolist()
    assert fixed.sites["A"].position.tolist() == (9 * (lost + 1)).tolist()
    assert fixed.sites["A"].real_frequency.tolist() == p[lost].tolist()
    maf = np.minimum(p, 1 - p)[lost]
    assert fixed.counts["A"][0] == len(lost) == result.scores["A"]["fixed_sites"].value
    for limit, count in zip(fixed.at_least[1:], fixed.counts["A"][1:], strict=True):
        assert count == (maf >= limit).sum()
    quantiles = curves["frequency_quantiles"]
    assert quantiles.num_sites["A"] == result.scores["A"]["af_quantile_w"].n
    np.testing.assert_allclose(quantiles.sets["A"], compare_frequency_quantiles(p, q).synthetic)
    assert set(quantiles.sets) == {"A", "Bernoulli"}
    motifs = curves["motifs"]
    for k in ("4", "8"):
        assert motifs.grids[k]["A"].sum() == result.scores["A"][f"kmer{k}_r"].n
    triplets = curves["three_point"]
    for kind, grid in triplets.grids["A"].items():
        assert grid.sum() == triplets.num_triplets[kind] == result.scores["A"][f"three_point_r_{kind}"].n
    real_c, set_c = (three_point(m, three_point_triplets(real, seed=5)["4"]) for m in cohorts)
    centre = triplets.tops["4"] * ((2 * np.arange(61) + 1) / 61 - 1)
    half = triplets.tops["4"] / 61 * 1.0001
    rows, columns = np.nonzero(triplets.grids["A"]["4"])
    for row, column in zip(rows, columns, strict=True):
        near = (abs(set_c - centre[row]) <= half) & (abs(real_c - centre[column]) <= half)
        assert near.sum() >= triplets.grids["A"]["4"][row, column]
    assert triplets.tops["4"] == max(abs(real_c).max(), abs(set_c).max())


def test_at_most_1000_lost_sites_are_listed_the_commonest_ones() -> None:
    rng = np.random.default_rng(0)
    x = (rng.random((60, 1300)) < np.linspace(0.05, 0.5, 1300)[rng.permutation(1300)]).astype(np.uint8)
    real = hf.HaplotypeMatrix.from_dense(x, positions=np.arange(1, 1301))
    nothing = hf.HaplotypeMatrix.from_dense(np.zeros_like(x), positions=np.arange(1, 1301))
    found = hf.evaluate(real, nothing, metrics=["allele_frequency"], controls=["real_half"]).data.curves["fixed_sites"]
    listed = found.sites["synthetic"]
    assert found.counts["synthetic"][0] > 1200
    assert len(listed.site) == len(listed.contig) == 1000
    assert (np.diff(listed.site) > 0).all()
    maf = np.minimum(x.mean(axis=0), 1 - x.mean(axis=0))
    rest = np.setdiff1d(np.arange(1300), listed.site)
    assert maf[listed.site].min() >= maf[rest].max()


def test_too_few_sites_for_triplets_and_windows() -> None:
    x = np.random.default_rng(2).integers(0, 2, (40, 4), dtype=np.uint8)
    cohorts = [hf.HaplotypeMatrix.from_dense(v, positions=[1, 2, 3, 4]) for v in (x, x[:30])]
    found = hf.evaluate(*cohorts, metrics=METRICS, controls=["real_half"])
    assert not any(name.startswith("three_point") for name in found.scores["synthetic"])
    assert "three_point" not in found.data.curves
    assert np.isfinite(found.scores["synthetic"]["kmer4_r"].value)
    assert "kmer8_r" not in found.scores["synthetic"]
    assert list(found.data.curves["motifs"].grids) == ["4"]
    assert "Motifs: left out are those of 8 sites, which no contig has." in found.data.notes
    fewer = hf.evaluate(*(m.select_sites([0, 1, 2]) for m in cohorts), metrics=["kmers"], controls=["real_half"])
    assert fewer.scores["synthetic"] == {}
    assert "motifs" not in fewer.data.curves

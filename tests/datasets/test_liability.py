"""Simulated cases and controls: against the model's definition, theory, and no genotype at all."""

from __future__ import annotations

from statistics import NormalDist
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge.datasets import CaseControl, case_control


def cohort(num_persons: int, num_sites: int, seed: int = 0) -> hf.HaplotypeMatrix:
    """Independent sites of frequencies 0.1 to 0.9 on two contigs; rows 2i and 2i + 1 are a person."""
    stream = np.random.default_rng(seed)
    bits = stream.random((2 * num_persons, num_sites)) < stream.uniform(0.1, 0.9, num_sites)
    half = num_sites // 2
    positions = np.concatenate([np.arange(1, half + 1), np.arange(1, num_sites - half + 1)])
    contig = ["1"] * half + ["2"] * (num_sites - half)
    return hf.HaplotypeMatrix.from_dense(bits.astype(np.uint8), positions=positions, contig=contig)


@pytest.fixture(scope="module")
def large() -> hf.HaplotypeMatrix:
    """20,000 persons x 60 sites."""
    return cohort(20_000, 60)


def by_hand(H: hf.HaplotypeMatrix, found: CaseControl) -> Any:
    """The genetic part from the sites and effects that are told, person by person."""
    dense = H.to_dense().astype(float)
    total = np.zeros(H.samples.num_persons)
    for site, effect in zip(found.site.tolist(), found.effect.tolist(), strict=True):
        genotype = np.array([dense[H.samples.person == p, site].sum() for p in range(len(total))])
        total += effect * (genotype - genotype.mean()) / genotype.std()
    return total


def test_liability_is_what_the_sites_and_effects_say() -> None:
    """Also where the rows of a person are apart."""
    H = cohort(50, 100)
    order = np.random.default_rng(1).permutation(100)
    for matrix in (H, H.select_haplotypes(order)):
        found = case_control(matrix, heritability=0.4, causal_genes=7, sites_per_gene=8, prevalence=0.26, seed=3)
        assert np.allclose(found.genetic, by_hand(matrix, found), atol=1e-12)
        assert found.genetic.var() == pytest.approx(0.4)
        assert found.realised_heritability == pytest.approx(found.genetic.var() / found.liability.var())
        assert found.case.sum() == 13
        assert found.liability[found.case].min() == found.threshold > found.liability[~found.case].max()
        expected = ["case" if found.case[p] else "control" for p in matrix.samples.person]
        assert matrix.with_labels({"x": found.labels}).samples.labels["x"].tolist() == expected


def test_a_causal_site_of_each_gene() -> None:
    """Windows of 8 sites, none over two contigs; one without a polymorphic site is no gene."""
    dense = cohort(30, 100).to_dense()
    dense[:, 8:16] = 1
    dense[:, 17:24] = 0
    positions = np.concatenate([np.arange(50), np.arange(50)]) + 1
    H = hf.HaplotypeMatrix.from_dense(dense, positions=positions, contig=["1"] * 50 + ["2"] * 50)
    found = case_control(H, causal_genes=1000, sites_per_gene=8, seed=1)
    windows = [*range(0, 50, 8), *range(50, 100, 8)]
    windows.remove(8)
    assert found.recipe["genes"] == found.recipe["causal_genes"] == len(windows)
    assert (np.searchsorted(windows, found.site, side="right") - 1).tolist() == list(range(len(windows)))
    assert 16 in found.site
    sites = {tuple(case_control(H, sites_per_gene=8, seed=seed).site.tolist()) for seed in range(5)}
    assert len(sites) == 5
    assert len(case_control(H, causal_genes=4, sites_per_gene=8).site) == 4


@pytest.mark.parametrize("heritability", [0.0, 0.2, 0.5, 0.8, 1.0])
def test_heritability_is_near_what_was_asked(large: hf.HaplotypeMatrix, heritability: float) -> None:
    """var(e) and cov(g, e) are of 20,000 persons: their standard errors make that of the ratio, at most 0.004."""
    found = case_control(large, heritability=heritability, sites_per_gene=1, seed=2)
    n, h2 = 20_000, heritability
    error = h2 * np.sqrt(2 * (1 - h2) ** 2 / n + 4 * h2 * (1 - h2) / n)
    assert abs(found.realised_heritability - h2) <= 4 * error + 1e-12
    environment = found.liability - found.genetic
    assert abs(environment.mean()) <= 4 * np.sqrt((1 - h2) / n) + 1e-12
    assert environment.var() == pytest.approx(1 - h2, abs=4 * (1 - h2) * np.sqrt(2 / n) + 1e-12)


@pytest.mark.parametrize("prevalence", [0.05, 0.3])
def test_heritability_of_cases_is_that_of_dempster_and_lerner(large: hf.HaplotypeMatrix, prevalence: float) -> None:
    """r² of being a case (0, 1) and the genetic part is h2 z² / (K (1 - K)), z the normal density at the threshold."""
    found = case_control(large, heritability=0.5, sites_per_gene=1, prevalence=prevalence, seed=4)
    normal = NormalDist()
    at = normal.inv_cdf(1 - prevalence)
    expected = 0.5 * normal.pdf(at) ** 2 / (prevalence * (1 - prevalence))
    r = np.corrcoef(found.case, found.genetic)[0, 1]
    assert r**2 == pytest.approx(expected, abs=8 * abs(r) / np.sqrt(20_000))  # r is off by 1 / sqrt(n) or less
    assert found.threshold == pytest.approx(at, abs=0.06)


def test_without_heritability_labels_know_no_genotype() -> None:
    """Other genotypes, same cases, and no gene is in the liability; at heritability 1 there is nothing but genes."""
    a, b = cohort(200, 80, seed=1), cohort(200, 90, seed=2)
    none = [case_control(H, heritability=0, seed=5) for H in (a, b)]
    assert np.array_equal(none[0].case, none[1].case)
    assert not none[0].genetic.any()
    assert not none[0].effect.any()
    assert none[0].realised_heritability == 0
    full = [case_control(H, heritability=1, seed=5) for H in (a, b)]
    assert not np.array_equal(full[0].case, full[1].case)
    assert np.array_equal(full[0].liability, full[0].genetic)


def test_same_seed_same_cases(large: hf.HaplotypeMatrix) -> None:
    H = large.select_haplotypes(range(400))
    first, again, other = (case_control(H, sites_per_gene=1, causal_genes=20, seed=seed) for seed in (7, 7, 8))
    assert np.array_equal(first.liability, again.liability)
    assert np.array_equal(first.site, again.site)
    assert not np.array_equal(first.site, other.site)
    assert not np.array_equal(first.case, other.case)
    weaker = case_control(H, sites_per_gene=1, causal_genes=20, seed=7, heritability=0.1, prevalence=0.1)
    assert np.array_equal(first.site, weaker.site)
    assert np.allclose(weaker.effect, first.effect * np.sqrt(0.1 / 0.5))


def test_in_pieces_as_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    H = cohort(40, 50)
    whole = case_control(H, sites_per_gene=2, seed=1)
    monkeypatch.setattr("hapforge.datasets.liability._GENOTYPES_AT_ONCE", 130)
    pieces = case_control(H, sites_per_gene=2, seed=1)
    assert np.allclose(whole.liability, pieces.liability, atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"heritability": 1.1}, "heritability: expected 0 to 1, found 1.1"),
        ({"heritability": float("nan")}, "heritability: expected 0 to 1, found nan"),
        ({"causal_genes": 0}, "causal_genes: expected 1 or more, found 0"),
        ({"sites_per_gene": -1}, "sites_per_gene: expected 1 or more, found -1"),
        ({"prevalence": 1}, "prevalence: expected a share between 0 and 1, found 1"),
        ({"prevalence": 0.01}, "a case and a control, found 0 cases of 10 persons"),
        ({"prevalence": 0.99}, "a case and a control, found 10 cases of 10 persons"),
        ({"seed": -1}, "seed: expected 0 to"),
    ],
)
def test_bad_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        case_control(cohort(10, 20), **arguments)


def test_cohorts_it_cannot_be_made_of() -> None:
    odd = cohort(10, 20).select_haplotypes(range(19))
    with pytest.raises(ValueError, match="two haplotypes of every person, found 1 of 'sample9'"):
        case_control(odd)
    alike = hf.HaplotypeMatrix.from_dense(np.tile(np.array([[0, 1]], np.uint8), (20, 1)))
    with pytest.raises(ValueError, match="expected persons who differ at polymorphic sites, found 2 sites without"):
        case_control(alike)
    heterozygous = hf.HaplotypeMatrix.from_dense(np.tile(np.array([[0], [1]], np.uint8), (10, 1)))
    with pytest.raises(ValueError, match="expected persons who differ at polymorphic sites"):
        case_control(heterozygous)
    assert case_control(alike, heritability=0).case.sum() == 3

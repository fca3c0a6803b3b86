"""Sites filled in by an RBM: against exact enumeration, for any mask, on any number of threads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge import _backend
from hapforge.metrics import imputation_accuracy
from hapforge.models import _imputation
from hapforge.models._fixed_point import BITS
from reference import boltzmann as reference

KINDS = ["bernoulli", "relu"]


def model_of(weights: np.ndarray, a: np.ndarray, b: np.ndarray, hidden: str, sites: hf.Sites) -> hf.models.RBM:
    model = hf.models.RBM(num_hidden=len(b), hidden=hidden, gibbs_steps=20)
    model._sites = sites
    grid = 1 << BITS
    model._restore(
        {
            "weights": np.round(weights * grid).astype(np.int16),
            "visible_bias": np.round(a * grid).astype(np.int32),
            "hidden_bias": np.round(b * grid).astype(np.int32),
            "fixed_point_bits": np.array([BITS], np.int32),
        }
    )
    return model


@pytest.fixture(scope="module", params=KINDS)
def tiny(request: pytest.FixtureRequest) -> tuple[hf.models.RBM, tuple]:
    rng = np.random.default_rng(8)
    strength = {"bernoulli": 2.0, "relu": 0.8}[request.param]
    parameters = rng.normal(0, strength, (6, 4)), rng.normal(0, 0.5, 6), rng.normal(0, 0.5, 4)
    return model_of(*parameters, request.param, hf.Sites(num_sites=6)), (*parameters, request.param)


def test_dosages_are_conditional_means(tiny: tuple) -> None:
    """A mask for every row, by enumeration. Means of 4000 chains: four standard errors are at most 0.03."""
    model, parameters = tiny
    rng = np.random.default_rng(2)
    given = rng.integers(0, 2, (9, 6), dtype=np.uint8)
    observed = rng.random((9, 6)) < 0.5
    observed[0], observed[1] = False, True
    expected = np.array(
        [reference.conditional_means(*parameters, row, mask) for row, mask in zip(given, observed, strict=True)]
    )
    alone = reference.conditional_means(*parameters, given[0], np.zeros(6, bool))
    found = model.impute(hf.HaplotypeMatrix.from_dense(given), observed, chains=4000, burn_in=20, steps=5)
    assert found.dosage.dtype == np.float32
    assert np.array_equal(found.dosage[observed], given[observed])
    assert np.abs(found.dosage - expected).max() < 0.02
    assert np.abs(np.where(observed, 0, expected - alone)).max() > 0.1  # what the observed sites say can be told
    calls = found.calls.to_dense()
    assert np.array_equal(calls[observed], given[observed])
    sure = np.abs(expected - 0.5) > 0.02
    assert np.array_equal(calls[sure], expected[sure] > 0.5)


@pytest.fixture(scope="module")
def fitted(cohort: hf.HaplotypeMatrix) -> hf.models.RBM:
    return hf.models.RBM(num_hidden=24, gibbs_steps=5, epochs=6, batch_size=100, num_chains=50).fit(cohort, seed=3)


def test_one_mask_is_that_mask_for_every_row(fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix) -> None:
    mask = np.random.default_rng(0).random(120) < 0.5
    rows = cohort.select_haplotypes(np.arange(30))
    one = fitted.impute(rows, mask, seed=4)
    each = fitted.impute(rows, np.tile(mask, (30, 1)), seed=4)
    assert np.array_equal(one.dosage, each.dosage)
    assert one.calls.sha256() == each.calls.sha256()
    assert ((one.dosage > 0) & (one.dosage < 1))[:, ~mask].mean() > 0.9
    assert not np.array_equal(one.dosage, fitted.impute(rows, mask, seed=5).dosage)


def test_all_observed_is_the_input(fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix) -> None:
    for observed in (None, np.ones(120, bool), np.ones(cohort.shape, bool)):
        found = fitted.impute(cohort, observed)
        assert found.calls.sha256() == cohort.sha256()
        assert np.array_equal(found.dosage, cohort.to_dense())
        assert np.isnan(found.estimated_r2()).all()
    none = fitted.impute(cohort.select_haplotypes([]), np.zeros(120, bool))
    assert none.dosage.shape == none.calls.shape == (0, 120)


def test_none_observed_is_a_draw(fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix) -> None:
    """After as many steps; binomial noise of 4000 draws is 0.008 at most."""
    rows = cohort.select_haplotypes(np.arange(20))
    found = fitted.impute(rows, np.zeros(120, bool), chains=200, burn_in=4, steps=1)
    drawn = fitted.sample(4000, seed=6).to_dense().mean(0)
    assert np.abs(found.dosage.mean(0) - drawn).max() < 0.04
    assert np.corrcoef(found.dosage.mean(0), drawn)[0, 1] > 0.99
    others = fitted.impute(
        cohort.select_haplotypes(np.arange(20, 40)), np.zeros(120, bool), chains=200, burn_in=4, steps=1
    )
    assert np.array_equal(found.dosage, others.dosage)  # nothing of the input matters


def test_threads_and_blocks_do_not_matter(
    fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    mask = np.random.default_rng(1).random((70, 120)) < 0.5
    rows = cohort.select_haplotypes(np.arange(70))
    before = _backend.get_threads()
    try:
        _backend.set_threads(1)
        expected = fitted.impute(rows, mask, seed=4, chains=3).dosage
        _backend.set_threads(3)
        assert np.array_equal(expected, fitted.impute(rows, mask, seed=4, chains=3).dosage)
    finally:
        _backend.set_threads(before)
    for at_once in (7, 2):  # two rows, or parts of the chains of one
        monkeypatch.setattr(_imputation, "_CHAINS", at_once)
        assert np.array_equal(expected, fitted.impute(rows, mask, seed=4, chains=3).dosage)
    few = fitted.impute(rows.select_haplotypes(np.arange(10)), mask[:10], seed=4, chains=3)
    assert np.array_equal(expected[:10], few.dosage)


def test_what_was_not_observed_is_not_looked_at(fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix) -> None:
    mask = np.random.default_rng(1).random(120) < 0.5
    rows = cohort.select_haplotypes(np.arange(20))
    dense = rows.to_dense()
    dense[:, ~mask] ^= 1
    other = hf.HaplotypeMatrix.from_dense(dense)
    assert np.array_equal(fitted.impute(rows, mask).dosage, fitted.impute(other, mask).dosage)


def test_a_cohort_that_has_some_of_the_sites(fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix) -> None:
    """Sites are found by contig, position and alleles; swapped alleles are flipped, others dropped."""
    index = np.sort(np.random.default_rng(5).permutation(120)[:40])
    observed = np.isin(np.arange(120), index)
    rows = cohort.select_haplotypes(np.arange(30))
    expected = fitted.impute(rows, observed, seed=2)
    some = rows.select_sites(index)
    found = fitted.impute(some, seed=2)
    assert np.array_equal(found.observed, observed)
    assert np.array_equal(found.dosage, expected.dosage)
    assert found.calls.sha256() == expected.calls.sha256()
    assert found.calls.sites == cohort.sites
    assert (found.num_dropped, found.num_flipped) == (0, 0)
    dense, sites = some.to_dense(), some.sites
    dense[:, 3] ^= 1
    ref, alt = sites.ref.copy(), sites.alt.copy()
    ref[3], alt[3] = alt[3], ref[3]
    positions = np.append(sites.position, sites.position[-1] + 10**6)
    array = hf.HaplotypeMatrix.from_dense(
        np.hstack([dense, dense[:, :1]]),
        positions,
        contig="chr" + str(sites.contig[0]),
        ref=[*ref, "A"],
        alt=[*alt, "C"],
        haplotype_ids=rows.samples.haplotype_id,
    )
    again = fitted.impute(array, seed=2)
    assert np.array_equal(again.dosage, expected.dosage)
    assert (again.num_dropped, again.num_flipped) == (1, 1)


@pytest.mark.parametrize("num_dimensions", [1, 2])
def test_masked_alleles_of_a_cohort_that_has_some_of_the_sites(
    fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix, num_dimensions: int
) -> None:
    """The mask is of the cohort's sites, and goes where they go; what is masked is not looked at, flipped or not."""
    rng = np.random.default_rng(6)
    index = np.sort(rng.permutation(120)[:70])
    rows = cohort.select_haplotypes(np.arange(30))
    mask = rng.random(70) < 0.8 if num_dimensions == 1 else rng.random((30, 70)) < 0.8
    observed = np.zeros((30, 120), bool)
    observed[:, index] = mask
    expected = fitted.impute(rows, observed, seed=2)
    some, swapped = rows.select_sites(index), rng.random(70) < 0.4
    ref, alt = some.sites.ref, some.sites.alt
    dense = np.where(mask, some.to_dense() ^ swapped, rng.integers(0, 2, (30, 70))).astype(np.uint8)
    array = hf.HaplotypeMatrix.from_dense(
        np.hstack([dense, dense[:, :1]]),
        np.append(some.sites.position, some.sites.position[-1] + 10**6),
        contig="chr" + str(some.sites.contig[0]),
        ref=[*np.where(swapped, alt, ref).tolist(), "A"],
        alt=[*np.where(swapped, ref, alt).tolist(), "C"],
        haplotype_ids=rows.samples.haplotype_id,
    )
    found = fitted.impute(array, np.concatenate([mask, np.ones((*mask.shape[:-1], 1), bool)], axis=-1), seed=2)
    assert np.array_equal(found.observed, observed)
    assert np.array_equal(found.dosage, expected.dosage)
    assert found.calls.sha256() == expected.calls.sha256()
    assert (found.num_dropped, found.num_flipped) == (1, swapped.sum())


def test_estimated_r2() -> None:
    dosage = np.array([[0.0, 0.5, 0.2], [1.0, 0.5, 0.4], [0.0, 0.5, 1.0], [1.0, 0.5, 0.0]], np.float32)
    observed = np.zeros((4, 3), bool)
    observed[2:, 2] = True
    calls = hf.HaplotypeMatrix.from_dense((dosage > 0.5).astype(np.uint8))
    found = _imputation.Imputation(calls, dosage, observed, 0, 0).estimated_r2()
    assert found == pytest.approx([1, 0, 0.01 / (0.3 * 0.7)], abs=1e-6)
    all_zero = _imputation.Imputation(calls, np.zeros((4, 3), np.float32), observed, 0, 0)
    assert np.isnan(all_zero.estimated_r2()).all()


def test_bad_arguments(fitted: hf.models.RBM, cohort: hf.HaplotypeMatrix) -> None:
    for arguments, message in (
        ({"observed": np.ones(119, bool)}, r"observed: expected shape \(120,\) or \(400, 120\), found \(119,\)"),
        ({"chains": 0}, "chains: expected 1 to 100000, found 0"),
        ({"chains": 2**24}, "chains: expected 1 to 100000, found 16777216"),
        ({"burn_in": -1}, "burn_in: expected 0 to 100000, found -1"),
        ({"steps": 0}, "steps: expected 1 to 100000, found 0"),
        ({"seed": -1}, "seed: expected 0"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.impute(cohort, **arguments)
    with pytest.raises(TypeError, match="observed: expected bool, found int64"):
        fitted.impute(cohort, np.ones(120, int))
    with pytest.raises(ValueError, match="H: expected 120 sites, found 5"):
        fitted.impute(hf.HaplotypeMatrix.from_dense(np.zeros((2, 5), np.uint8)), np.ones(5, bool))
    elsewhere = hf.HaplotypeMatrix.from_dense(np.zeros((2, 3), np.uint8), [1, 2, 3])
    with pytest.raises(ValueError, match="expected common sites"):
        fitted.impute(elsewhere)
    with pytest.raises(ValueError, match="call fit first"):
        hf.models.RBM().impute(cohort)


@pytest.mark.slow
def test_better_than_the_nearest_haplotypes(shared_data: Path) -> None:
    """Half of the 805 sites, of persons that the model has not seen."""
    whole = hf.io.hapt.read(shared_data / "805_SNP_1000G_real.hapt.zip", legend=shared_data / "805_SNP.legend")
    train, test = whole.split(0.5, 4)
    observed = np.random.default_rng(4).random(805) < 0.5
    near = hf.kernels.nearest_neighbours(test.select_sites(observed), train.select_sites(observed), k=20).index
    nearest = imputation_accuracy(test, train.to_dense()[near].mean(1), observed)
    settings = {"num_hidden": 200, "gibbs_steps": 10, "epochs": 300, "batch_size": 500, "num_chains": 300}
    model = hf.models.RBM(**settings, learning_rate=0.1, temperature=1.0).fit(train, seed=4)
    found = model.impute(test, observed)
    accuracy = imputation_accuracy(test, found.dosage, observed)
    assert accuracy.mean_r2 > nearest.mean_r2 + 0.01 > 0.1
    assert accuracy.mean_concordance > nearest.mean_concordance
    assert np.nanmean(found.estimated_r2()) == pytest.approx(accuracy.mean_r2, abs=0.04)  # dosages mean what they say
    among = (found.dosage[:, ~observed] * 10).astype(int)
    share = [test.to_dense()[:, ~observed][among == k].mean() for k in range(10)]
    assert np.abs(share - np.arange(0.05, 1, 0.1)).max() < 0.06

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import chi2

import hapforge as hf


def test_frequencies_are_those_of_the_cohort(cohort: hf.HaplotypeMatrix) -> None:
    model = hf.models.Bernoulli().fit(cohort)
    assert np.array_equal(model.frequencies, cohort.to_dense().mean(0))


def test_draws_follow_the_product_of_the_frequencies() -> None:
    """All 2^3 haplotypes, chi-square; the control with another frequency must fail."""
    data = np.zeros((20, 3), np.uint8)
    data[:5, 0] = data[:12, 1] = data[:1, 2] = 1
    model = hf.models.Bernoulli().fit(hf.HaplotypeMatrix.from_dense(data))
    drawn = model.sample(40_000, seed=3).to_dense()
    seen = np.bincount(drawn @ [1, 2, 4], minlength=8)

    def statistic(frequencies: list[float]) -> float:
        exact = np.array([np.prod([f if h >> j & 1 else 1 - f for j, f in enumerate(frequencies)]) for h in range(8)])
        return float(((seen - 40_000 * exact) ** 2 / (40_000 * exact)).sum())

    limit = chi2.isf(1e-4, 7)
    assert statistic([0.25, 0.6, 0.05]) < limit
    assert statistic([0.25, 0.57, 0.05]) > limit


def test_a_fixed_site_stays_fixed() -> None:
    data = np.zeros((6, 2), np.uint8)
    data[:, 1] = 1
    drawn = hf.models.Bernoulli().fit(hf.HaplotypeMatrix.from_dense(data)).sample(1000).to_dense()
    assert np.array_equal(drawn, np.tile([0, 1], (1000, 1)))


def test_who_is_drawn(cohort: hf.HaplotypeMatrix) -> None:
    drawn = hf.models.Bernoulli().fit(cohort).sample(5, seed=1)
    assert drawn.samples.haplotype_id.tolist() == ["AG0_A", "AG0_B", "AG1_A", "AG1_B", "AG2_A"]
    assert drawn.samples.person.tolist() == [0, 0, 1, 1, 2]
    assert drawn.sites == cohort.sites


def test_same_seed_same_draws_and_a_prefix_of_more(cohort: hf.HaplotypeMatrix) -> None:
    model = hf.models.Bernoulli().fit(cohort)
    a, b = model.sample(300, seed=7), model.sample(520, seed=7)
    assert np.array_equal(a.words[:256], b.words[:256])
    assert model.sample(300, seed=7).sha256() == a.sha256() != model.sample(300, seed=8).sha256()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n": -1}, "n: expected 0 or more, found -1"),
        ({"n": 1, "seed": -1}, "seed: expected 0 to"),
        ({"n": 1, "labels": "AFR"}, "labels: expected None, Bernoulli is not conditional"),
    ],
)
def test_bad_arguments(cohort: hf.HaplotypeMatrix, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hf.models.Bernoulli().fit(cohort).sample(**arguments)


def test_unfitted_and_empty_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a fitted model"):
        hf.models.Bernoulli().sample(1)
    with pytest.raises(ValueError, match="at least one haplotype and one site"):
        hf.models.Bernoulli().fit(hf.HaplotypeMatrix.from_dense(np.zeros((0, 3), np.uint8)))


def test_no_haplotypes_can_be_drawn(cohort: hf.HaplotypeMatrix) -> None:
    assert hf.models.Bernoulli().fit(cohort).sample(0).shape == (0, cohort.num_sites)


def test_letters_of_sequences_are_drawn_by_their_frequencies() -> None:
    """One letter at every position, no position knowing another."""
    rng = np.random.default_rng(1)
    first = rng.choice(5, size=400, p=[0.5, 0.3, 0.2, 0, 0])
    given = hf.Alignment(np.stack([first, first, rng.integers(4, size=400)], 1), "ACGT-").to_haplotypes()
    model = hf.models.Bernoulli().fit(given)
    drawn = hf.Alignment.from_haplotypes(model.sample(20_000, seed=2)).states
    for j in range(3):
        expected = np.bincount(hf.Alignment.from_haplotypes(given).states[:, j], minlength=5) / 400
        seen = np.bincount(drawn[:, j], minlength=5) / 20_000
        assert (np.abs(seen - expected) <= 5 * np.sqrt(expected * (1 - expected) / 20_000)).all()
    same = (first[:, None] == first).mean()
    assert abs((drawn[:, 0] == drawn[:, 1]).mean() - same) < 5 * np.sqrt(same / 20_000)
    assert np.array_equal(model.sample(300, seed=2).words, model.sample(20_000, seed=2).words[:300])
    samples = model.sample(3).samples  # a sequence is its own person
    assert samples.haplotype_id.tolist() == samples.sample_id.tolist() == ["AG0", "AG1", "AG2"]
    torn = hf.HaplotypeMatrix(given.words ^ np.uint64(1), given.sites, given.samples)
    with pytest.raises(ValueError, match="expected one letter at every position"):
        hf.models.Bernoulli().fit(torn)

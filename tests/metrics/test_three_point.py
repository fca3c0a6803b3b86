"""3-point correlations of two cohorts against the formula in fractions and scipy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import pearsonr

import hapforge as hf
from hapforge.metrics import compare_allele_frequencies, compare_motif_counts, compare_three_point
from hapforge.metrics._intervals import block_weights, correlation_interval
from hapforge.stats import allele_frequencies, three_point_triplets
from reference import three_point as reference


def structured(rng: np.random.Generator, n: int, num_sites: int, noise: float) -> np.ndarray:
    """Rows of three populations of unequal size: sites of any distance are correlated."""
    frequency = np.random.default_rng(5).beta(0.6, 0.8, (3, num_sites))
    frequency = np.clip(frequency + rng.normal(0, noise, frequency.shape), 0.01, 0.99)
    return (rng.random((n, num_sites)) < frequency[np.minimum(np.arange(n) % 5, 2)]).astype(np.uint8)


def test_r_is_scipys_over_the_formula(rng: np.random.Generator) -> None:
    x, y = structured(rng, 80, 90, 0), structured(rng, 60, 90, 0.05)
    x[:, 7], y[:, 40], y[:, 7] = 1, 0, 0  # a fixed site: 0 by the formula, and part of the correlation
    a, b = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
    every = three_point_triplets(a)
    assert list(every) == ["1", "4", "16", "random"]
    for kind, triplets in every.items():
        triplets = triplets[:400]
        p, q = hf.kernels.three_point(a, triplets), hf.kernels.three_point(b, triplets)
        found = compare_three_point(p, q, triplets, 90)
        slow_p, slow_q = reference.three_point(x, triplets), reference.three_point(y, triplets)
        fixed = (triplets == 40).any(axis=1)
        assert fixed.any()
        assert (q[fixed] == 0).all()
        assert (p[(triplets == 7).any(axis=1)] == 0).all()
        assert found.r == pytest.approx(pearsonr(slow_p, slow_q).statistic), kind
        assert found.num_triplets == len(triplets)
        assert found.r_interval[0] < found.r < found.r_interval[1]


def test_sites_used_many_times_are_drawn_many_times(rng: np.random.Generator) -> None:
    """Random triplets share sites: 8000 of them are no 8000 independent ones."""
    x, y = structured(rng, 200, 120, 0), structured(rng, 200, 120, 0.1)
    a, b = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
    triplets = three_point_triplets(a)["random"]
    p, q = hf.kernels.three_point(a, triplets), hf.kernels.three_point(b, triplets)
    wide = np.subtract(*compare_three_point(p, q, triplets, 120).r_interval[::-1])
    r = pearsonr(p, q)
    low, high = r.confidence_interval()
    assert wide > 3 * (high - low)
    # by hand, with the same draws: each triplet as often as its blocks
    block = triplets[:1500] // 6
    u, v = p[:1500], q[:1500]
    values = []
    for drawn in block_weights(20, 0)[:200]:
        w = np.array([np.prod(drawn[np.unique(t)]) for t in block], float)
        du, dv = u - np.average(u, weights=w), v - np.average(v, weights=w)
        values.append((w * du * dv).sum() / np.sqrt((w * du * du).sum() * (w * dv * dv).sum()))
    part = compare_three_point(u, v, triplets[:1500], 120)
    low, high = correlation_interval(part.r, np.array(values), 20)
    assert np.subtract(*part.r_interval[::-1]) == pytest.approx(high - low, rel=0.2)


def test_scale_and_order_do_not_matter(rng: np.random.Generator) -> None:
    triplets = np.arange(60)[:, None] + np.arange(3)
    p = rng.normal(size=60)
    q = p + rng.normal(size=60)
    found = compare_three_point(p, q, triplets, 62)
    order = rng.permutation(60)
    for other in (
        compare_three_point(1e-9 * p, 1e-7 * q, triplets, 62),
        compare_three_point(p[order], q[order], triplets[order], 62),
    ):
        assert other.r == pytest.approx(found.r)
        assert other.r_interval == pytest.approx(found.r_interval)


def test_undefined_and_refused() -> None:
    triplets = np.arange(50)[:, None] + np.arange(3)
    nothing = compare_three_point(np.zeros(50), np.arange(50.0), triplets, 52)
    assert np.isnan([nothing.r, *nothing.r_interval]).all()
    short = compare_three_point(np.arange(12.0), np.arange(12.0) ** 2, triplets[:12], 14)
    assert np.isfinite(short.r)
    assert np.isnan(short.r_interval).all()  # 6 blocks
    with pytest.raises(ValueError, match="the same number in both cohorts, found 50 with 50 and 49 values"):
        compare_three_point(np.zeros(50), np.zeros(49), triplets, 52)
    with pytest.raises(ValueError, match="at least 2"):
        compare_three_point(np.zeros(1), np.zeros(1), triplets[:1], 52)


def test_published_file(shared_data) -> None:
    """Figures of the GAN set of 2021, beside the frequency correlation that is known."""
    real = hf.read(shared_data / "805_SNP_1000G_real.hapt.zip")
    gan = hf.read(shared_data / "805_SNP_GAN_AG_20000epochs.hapt.zip")
    assert compare_allele_frequencies(allele_frequencies(real), allele_frequencies(gan)).r == pytest.approx(
        0.982, abs=5e-4
    )
    for k, r in ((4, 0.962), (8, 0.930)):
        counts = (hf.kernels.kmer_counts(cohort, k) for cohort in (real, gan))
        assert compare_motif_counts(*counts).r == pytest.approx(r, abs=2e-3)
    every = three_point_triplets(real)
    assert "512" not in every
    triplets = every["random"][:200]
    p, q = (hf.kernels.three_point(cohort, triplets) for cohort in (real, gan))
    slow = reference.three_point(real.to_dense(), triplets)
    np.testing.assert_allclose(p, slow, rtol=1e-14)
    assert compare_three_point(p, q, triplets, 805).r > 0.8

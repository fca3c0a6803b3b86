"""Correlation within bins of frequency, site frequency spectra and frequency quantiles, against scipy and fractions."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import linregress, wasserstein_distance

from hapforge.metrics import compare_frequency_bins, compare_frequency_quantiles, compare_site_frequency_spectra
from reference import site_frequency_spectrum as reference


def test_bins_are_half_open_but_for_the_last(rng: np.random.Generator) -> None:
    p = np.repeat([0.0, 0.049, 0.05, 0.0999, 0.1, 0.2, 0.4999, 0.5, 0.7, 1.0], 10)
    q = np.clip(p + rng.normal(0, 0.03, len(p)), 0, 1)
    found = compare_frequency_bins(p, q)
    members = [p < 0.05, (p >= 0.05) & (p < 0.1), (p >= 0.1) & (p < 0.2), (p >= 0.2) & (p < 0.5), p >= 0.5]
    assert [fit.num_sites for fit in found] == [20, 20, 10, 20, 30]
    for fit, kept in zip(found, members, strict=True):
        if np.ptp(p[kept]) == 0:
            assert np.isnan(fit.r)
            continue
        line = linregress(p[kept], q[kept])
        assert (fit.r, fit.slope, fit.intercept) == pytest.approx((line.rvalue, line.slope, line.intercept))
        assert fit.r_interval[0] < fit.r < fit.r_interval[1]


def test_bins_of_few_sites_are_left_out(rng: np.random.Generator) -> None:
    p = np.concatenate([rng.uniform(0, 0.5, 9), rng.uniform(0.5, 1, 10)])
    low, high = compare_frequency_bins(p, p, edges=(0.0, 0.5, 1.0))
    assert low is None
    assert high.r == pytest.approx(1)
    for edges in ((0.5,), (0.0, 0.5, 0.5)):
        with pytest.raises(ValueError, match="edges: expected at least 2 ascending"):
            compare_frequency_bins(p, p, edges=edges)
    with pytest.raises(ValueError, match=r"\(19,\) and \(3,\)"):
        compare_frequency_bins(p, p[:3])


@pytest.mark.parametrize(("num_real", "num_synthetic"), [(40, 40), (40, 30), (30, 40)])
def test_spectrum_distance_is_the_exact_one(rng: np.random.Generator, num_real: int, num_synthetic: int) -> None:
    p = rng.beta(0.3, 0.6, 120)
    x, y = rng.binomial(num_real, p), rng.binomial(num_synthetic, p**1.3)
    found = compare_site_frequency_spectra(x, num_real, y, num_synthetic)
    size = min(num_real, num_synthetic)
    s, t = reference.classes(x.tolist(), num_real, size), reference.classes(y.tolist(), num_synthetic, size)
    np.testing.assert_allclose(found.real, [float(v) / 120 for v in s], atol=1e-13)
    np.testing.assert_allclose(found.synthetic, [float(v) / 120 for v in t], atol=1e-13)
    assert found.distance == pytest.approx(float(sum(abs(a - b) for a, b in zip(s, t, strict=True)) / 240))
    assert 0 <= found.interval[0] < found.distance < found.interval[1]
    assert (found.size, found.num_sites) == (size, 120)
    assert found.edges.tolist() == ([0, 1, 2, 4, 8, 16, 21] if size == 40 else [0, 1, 2, 4, 8, 16])


def test_spectrum_distance_ends(rng: np.random.Generator) -> None:
    x = rng.integers(0, 21, 60)
    same = compare_site_frequency_spectra(x, 20, 20 - x, 20)  # folded: which allele is ALT does not matter
    assert same.distance == 0
    assert same.interval == (0, 0)
    assert compare_site_frequency_spectra(np.full(60, 10), 20, np.zeros(60, int), 20).distance == 1
    # 15 of 60 singletons are lost
    lost = np.ones(60, int)
    lost[:15] = 0
    assert compare_site_frequency_spectra(np.ones(60, int), 20, lost, 20).distance == pytest.approx(0.25)
    with pytest.raises(ValueError, match="at least one site"):
        compare_site_frequency_spectra(x[:0], 20, x[:0], 20)
    with pytest.raises(ValueError, match=r"\(60,\) and \(3,\)"):
        compare_site_frequency_spectra(x, 20, x[:3], 20)


def test_quantiles_are_scipys(rng: np.random.Generator) -> None:
    p = rng.beta(0.6, 0.9, 500)
    q = np.clip(p + rng.normal(0.02, 0.05, 500), 0, 1)
    p[:2], q[:2] = [0.1, 0.0999], [0.1, 0.8]  # the limit belongs to the kept sites
    found = compare_frequency_quantiles(p, q)
    kept = (p >= 0.1) & (q >= 0.1)
    assert kept[0]
    assert not kept[1]
    assert found.num_sites == kept.sum()
    assert found.distance == pytest.approx(wasserstein_distance(p[kept], q[kept]))
    np.testing.assert_allclose(found.real, np.percentile(p[kept], range(101)))
    np.testing.assert_allclose(found.synthetic, np.percentile(q[kept], range(101)))
    assert 0 <= found.interval[0] < found.distance < found.interval[1]
    swapped = compare_frequency_quantiles(p[kept], np.sort(p[kept]))
    assert swapped.distance == 0
    with pytest.raises(ValueError, match=r"at least 2 sites at frequency >= 0.1 in both, found 1"):
        compare_frequency_quantiles(np.array([0.5, 0.5]), np.array([0.5, 0.05]))


def test_resamples_of_quantiles_are_distances_of_resampled_sites(rng: np.random.Generator) -> None:
    """The interval, from sites in cells, has the width of one from the sites themselves."""
    p = rng.uniform(0.1, 0.9, 400)
    q = np.clip(p + 0.03 + rng.normal(0, 0.02, 400), 0.1, 1)
    blocks = np.arange(400).reshape(20, 20)
    drawn = [blocks[rng.integers(0, 20, 20)].ravel() for _ in range(400)]
    sd = np.std([wasserstein_distance(p[d], q[d]) for d in drawn])
    low, high = compare_frequency_quantiles(p, q).interval
    assert (high - low) / (2 * 1.96) == pytest.approx(sd, rel=0.15)

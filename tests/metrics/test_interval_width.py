"""Do intervals from one draw of sites have the spread of scores over many draws?"""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.metrics import compare_frequency_quantiles, compare_motif_counts, compare_three_point
from hapforge.stats import allele_frequencies, three_point_triplets

NUM_SITES = 600


def runs_of_ten(rng: np.random.Generator, n: int = 400) -> list[hf.HaplotypeMatrix]:
    """Two cohorts of the same 5 founders per run of 10 sites, at other frequencies; runs are independent."""
    x, y = (np.empty((n, NUM_SITES), np.uint8) for _ in range(2))
    for start in range(0, NUM_SITES, 10):
        founders = (rng.random((5, 10)) < rng.beta(0.6, 0.8, 10)).astype(np.uint8)
        shares = rng.dirichlet(np.ones(5))
        for cohort, p in ((x, shares), (y, rng.dirichlet(8 * shares + 0.3))):
            cohort[:, start : start + 10] = founders[rng.choice(5, n, p=p)]
    return [hf.HaplotypeMatrix.from_dense(v) for v in (x, y)]


def populations(rng: np.random.Generator, n: int = 400) -> list[hf.HaplotypeMatrix]:
    """Two cohorts of three populations: independent sites, correlated at any distance through the populations."""
    base = np.clip(rng.beta(0.6, 0.8, NUM_SITES) + rng.normal(0, 0.25, (3, NUM_SITES)), 0.01, 0.99)
    other = np.clip(base + rng.normal(0, 0.08, base.shape), 0.01, 0.99)
    rows = np.arange(n) % 3
    return [
        hf.HaplotypeMatrix.from_dense((rng.random((n, NUM_SITES)) < p[rows]).astype(np.uint8)) for p in (base, other)
    ]


@pytest.mark.slow
def test_claimed_spread_is_the_true_one(rng: np.random.Generator) -> None:
    found: dict[str, list[tuple[float, float]]] = {}

    def add(name: str, value: float, low: float, high: float) -> None:
        found.setdefault(name, []).append((value, (high - low) / (2 * 1.96)))

    for repeat in range(120):
        real, synthetic = runs_of_ten(rng)
        for k in (4, 8):
            fit = compare_motif_counts(*(hf.kernels.kmer_counts(m, k) for m in (real, synthetic)))
            add(f"kmer{k} r", *np.arctanh([fit.r, *fit.r_interval]))
            add(f"kmer{k} slope", fit.slope, *fit.slope_interval)
        far = compare_frequency_quantiles(allele_frequencies(real), allele_frequencies(synthetic) * 0.8 + 0.2)
        add("quantiles", far.distance, *far.interval)
        triplets = three_point_triplets(real, seed=repeat)["1"]
        values = [hf.kernels.three_point(m, triplets) for m in (real, synthetic)]
        line = compare_three_point(*values, triplets, NUM_SITES)
        add("three_point 1", *np.arctanh([line.r, *line.r_interval]))
        real, synthetic = populations(rng)
        for kind, triplets in three_point_triplets(real, seed=repeat).items():
            if kind in ("1", "16", "64", "random"):
                values = [hf.kernels.three_point(m, triplets) for m in (real, synthetic)]
                line = compare_three_point(*values, triplets, NUM_SITES)
                add(f"populations {kind}", *np.arctanh([line.r, *line.r_interval]))
    ratio = {
        name: np.mean([width for _, width in each]) / np.std([value for value, _ in each], ddof=1)
        for name, each in found.items()
    }
    for name, claimed in ratio.items():
        assert 0.75 < claimed < (1.7 if name == "populations random" else 1.25), ratio

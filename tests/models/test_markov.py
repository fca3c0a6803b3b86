from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2

import hapforge as hf


def counted(dense: np.ndarray, site: int, length: int) -> dict[tuple[int, ...], tuple[int, int]]:
    """The slow definition of `Markov.table`."""
    contexts = [tuple(row[site - length : site].tolist()) for row in dense]
    seen = Counter(contexts)
    ones = Counter(c for c, row in zip(contexts, dense, strict=True) if row[site])
    return {c: (seen[c], ones[c]) for c in seen}


@pytest.mark.parametrize("window", [1, 5, 10])
def test_tables_are_counts_of_the_training_rows(small_cohort: hf.HaplotypeMatrix, window: int) -> None:
    """Two contigs: the window starts again at the second, at site 70."""
    model = hf.models.Markov(window).fit(small_cohort)
    dense = small_cohort.to_dense()
    for site in range(small_cohort.num_sites):
        start = 0 if site < 70 else 70
        assert model.table(site) == counted(dense, site, min(window, site - start)), site


def test_draws_follow_the_exact_chain() -> None:
    """Every haplotype of 4 sites, window 2, against the product of its conditional probabilities, chi-square."""
    rng = np.random.default_rng(1)
    data = (rng.random((60, 4)) < [0.5, 0.4, 0.5, 0.6]).astype(np.uint8)
    data[:, 2] = data[:, 0] ^ (rng.random(60) < 0.3)
    model = hf.models.Markov(2).fit(hf.HaplotypeMatrix.from_dense(data))
    exact = np.zeros(16)
    for code in range(16):
        h = [code >> j & 1 for j in range(4)]
        exact[code] = 1
        for j in range(4):
            seen, ones = counted(data, j, min(j, 2)).get(tuple(h[max(0, j - 2) : j]), (1, 0))
            exact[code] *= ones / seen if h[j] else 1 - ones / seen
    n = 50_000
    drawn = np.bincount(model.sample(n, seed=2).to_dense() @ [1, 2, 4, 8], minlength=16)
    possible = exact > 0
    assert drawn[~possible].sum() == 0
    statistic = ((drawn - n * exact)[possible] ** 2 / (n * exact[possible])).sum()
    assert statistic < chi2.isf(1e-4, possible.sum() - 1)
    independent = np.array(
        [np.prod([data.mean(0)[j] if c >> j & 1 else 1 - data.mean(0)[j] for j in range(4)]) for c in range(16)]
    )
    assert ((drawn - n * independent) ** 2 / (n * independent)).sum() > chi2.isf(1e-4, 15)


def test_neighbouring_sites_keep_their_correlation(cohort: hf.HaplotypeMatrix) -> None:
    drawn = hf.models.Markov(5).fit(cohort).sample(4000, seed=1).to_dense().astype(float)
    real = cohort.to_dense().astype(float)

    def covariance(x: np.ndarray) -> np.ndarray:
        return ((x[:, 1:] - x[:, 1:].mean(0)) * (x[:, :-1] - x[:, :-1].mean(0))).mean(0)

    # the standard error of a covariance of 0/1 values from 4000 rows is below 0.25 / sqrt(4000) = 0.004
    assert np.abs(covariance(drawn) - covariance(real)).max() < 5 * 0.004
    assert np.abs(covariance(real)).max() > 0.1


def test_contigs_are_independent() -> None:
    """The first allele of the second contig copies the last of the first in training, and must not in the draws."""
    data = np.repeat([[0, 0], [1, 1]], 50, axis=0).astype(np.uint8)
    H = hf.HaplotypeMatrix.from_dense(data, positions=[5, 5], contig=["1", "2"])
    drawn = hf.models.Markov(5).fit(H).sample(4000, seed=1).to_dense()
    assert abs((drawn[:, 0] == drawn[:, 1]).mean() - 0.5) < 0.05


def test_a_long_window_repeats_training_rows_only() -> None:
    """With a window as long as the haplotype, only observed haplotypes can come out."""
    rng = np.random.default_rng(4)
    data = rng.integers(0, 2, (10, 16), dtype=np.uint8)
    drawn = hf.models.Markov(16).fit(hf.HaplotypeMatrix.from_dense(data)).sample(500, seed=9).to_dense()
    assert {tuple(r) for r in drawn.tolist()} == {tuple(r) for r in data.tolist()}


def test_same_seed_same_draws(cohort: hf.HaplotypeMatrix) -> None:
    model = hf.models.Markov().fit(cohort)
    assert model.sample(30, seed=5).sha256() == model.sample(30, seed=5).sha256() != model.sample(30, seed=6).sha256()


@pytest.mark.parametrize("window", [0, 17])
def test_window_out_of_range(window: int) -> None:
    with pytest.raises(ValueError, match=f"window: expected 1 to 16, found {window}"):
        hf.models.Markov(window)


def test_an_accelerator_is_refused(cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="device: expected 'auto' or 'cpu', found 'cuda'"):
        hf.models.Markov().fit(cohort, device="cuda")

"""Share of haplotypes nearer to real ones than these are to one another, against scipy and planted copies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from scipy.stats import ks_2samp

import hapforge as hf
from hapforge.metrics import nearer_share


def matrix(x: np.ndarray) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(x.astype(np.uint8))


@pytest.mark.parametrize("with_holdout", [False, True])
def test_is_the_one_sided_distance_of_scipy(with_holdout: bool) -> None:
    rng = np.random.default_rng(1)
    train, syn, held = ((rng.random((n, 30)) < p).astype(int) for n, p in ((60, 0.2), (45, 0.15), (50, 0.2)))
    distance = cdist(syn, train, "cityblock").min(axis=1)
    among = cdist(train, train, "cityblock")
    np.fill_diagonal(among, 99)
    reference = cdist(held, train, "cityblock").min(axis=1) if with_holdout else among.min(axis=1)
    found = nearer_share(matrix(train), matrix(syn), matrix(held) if with_holdout else None)
    expected = ks_2samp(distance, reference, alternative="greater", method="asymp")
    assert found.share == pytest.approx(expected.statistic, abs=1e-12)
    assert found.distance == expected.statistic_location
    assert (found.n, found.n_reference) == (45, 50 if with_holdout else 60)
    half = 1.3581 * np.sqrt(1 / 45 + 1 / found.n_reference)
    assert found.interval == pytest.approx((max(0, found.share - half), found.share + half), abs=1e-4)


def test_planted_copies_are_the_share() -> None:
    rng = np.random.default_rng(2)
    train, syn = ((rng.random((400, 200)) < 0.5).astype(int) for _ in range(2))
    syn[:100] = train[:100]
    assert nearer_share(matrix(train), matrix(syn)).share == pytest.approx(0.25, abs=0.01)


def test_the_interval_holds_the_noise_of_chance() -> None:
    rng = np.random.default_rng(3)
    low = [nearer_share(*(matrix(rng.random((100, 40)) < 0.3) for _ in range(2))).interval[0] > 0 for _ in range(200)]
    assert sum(low) <= 12  # 2.5 % of 200 are 5; 12 has a chance of 0.2 %


def test_bad_sets() -> None:
    one, three = matrix(np.zeros((1, 3))), matrix(np.zeros((3, 4)))
    with pytest.raises(ValueError, match="sites"):
        nearer_share(one, three)
    with pytest.raises(ValueError, match="at least one other haplotype"):
        nearer_share(one, one)

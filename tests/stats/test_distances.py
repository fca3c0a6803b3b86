"""Numbers from histograms of pairwise differences, against scipy and all pairs written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

import hapforge as hf
from hapforge.stats import grouped_differences, person_groups, wasserstein_1d

histograms = st.lists(st.integers(0, 50), min_size=8, max_size=8).map(lambda h: np.array(h, np.int64))


@given(histograms, histograms)
def test_wasserstein_1d_is_scipys(a: np.ndarray, b: np.ndarray) -> None:
    if a.sum() == 0 or b.sum() == 0:
        with pytest.raises(ValueError, match="at least one pair"):
            wasserstein_1d(a, b)
        return
    d = np.arange(8)
    assert wasserstein_1d(a, b) == pytest.approx(wasserstein_distance(d, d, a, b), abs=1e-12)
    assert wasserstein_1d(a, b) == pytest.approx(wasserstein_1d(b, a))
    assert wasserstein_1d(a, 3 * a) == pytest.approx(0, abs=1e-15)


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        wasserstein_1d(np.ones(3, np.int64), np.ones(4, np.int64))


def test_groups_of_persons(small_cohort: hf.HaplotypeMatrix) -> None:
    groups = person_groups(small_cohort, seed=3)
    assert sorted(np.concatenate(groups).tolist()) == list(range(20))
    assert [len(rows) for rows in groups] == [4, 4] + [2] * 6
    assert all((rows // 2 * 2 == rows).sum() == len(rows) // 2 for rows in groups)  # persons stay whole
    again, other = person_groups(small_cohort, seed=3), person_groups(small_cohort, seed=4)
    assert all((a == b).all() for a, b in zip(groups, again, strict=True))
    assert any(a.tolist() != b.tolist() for a, b in zip(groups, other, strict=True))


def test_grouped_differences(rng: np.random.Generator) -> None:
    x, y = rng.integers(0, 2, (20, 30), dtype=np.uint8), rng.integers(0, 2, (9, 30), dtype=np.uint8)
    a, b = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
    rows, columns = person_groups(a, 0), [np.array([0, 5, 8]), np.array([1, 2, 3, 4, 6, 7])]
    between, within = grouped_differences(a, rows, b, columns), grouped_differences(a, rows)
    assert between.shape[:2] == (8, 2)
    assert between[..., -1].any()  # no longer than the greatest difference
    for found, pairs in (
        (
            between,
            [(i, j, x[u], y[v]) for i, r in enumerate(rows) for u in r for j, c in enumerate(columns) for v in c],
        ),
        (
            within,
            [
                (*sorted((i, j)), x[u], x[v])
                for i, r in enumerate(rows)
                for u in r
                for j, c in enumerate(rows)
                for v in c
                if u < v
            ],
        ),
    ):
        expected = np.zeros_like(found)
        for i, j, u, v in pairs:
            expected[i, j, np.count_nonzero(u != v)] += 1
        np.testing.assert_array_equal(found, expected)

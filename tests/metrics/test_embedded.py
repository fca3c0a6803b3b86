"""Adversarial accuracy between points against all distances written out in numpy."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import seeded_order
from hapforge.metrics import adversarial_accuracy_embedded
from hapforge.metrics.embedded import nearest_points, unit_vectors
from hapforge.metrics.nearest import list_length


def brute(real: np.ndarray, syn: np.ndarray, distance) -> tuple[float, ...]:
    """AA_truth, AA_syn and both shares of ties from full distance matrices."""
    tt, ts, ss = distance(real, real), distance(real, syn), distance(syn, syn)
    np.fill_diagonal(tt, np.inf)
    np.fill_diagonal(ss, np.inf)
    a, b, c, d = ts.min(1), tt.min(1), ts.min(0), ss.min(1)
    return (a > b).mean(), (c > d).mean(), (a == b).mean(), (c == d).mean()


def values(found) -> tuple[float, ...]:
    return found.aa_truth, found.aa_syn, found.ties_truth, found.ties_syn


def angle(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    return np.arccos(np.clip(x @ y.T, -1, 1)) / np.pi


def euclid(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.linalg.norm(x[:, None] - y[None], axis=2)


@pytest.mark.parametrize("columns", [2, 5, 16, 17])
@pytest.mark.parametrize(("metric", "distance"), [("angular", angle), ("euclidean", euclid)])
def test_embedded(rng: np.random.Generator, metric, distance, columns: int) -> None:
    x, y = rng.normal(size=(2, 1100, columns))
    found = adversarial_accuracy_embedded(x, y, metric=metric)
    assert values(found) == pytest.approx(brute(x, y, distance), abs=1e-12)


@pytest.mark.parametrize("columns", [7, 30])
@pytest.mark.parametrize("metric", ["angular", "euclidean"])
def test_embedded_ties_are_exact(rng: np.random.Generator, metric, columns: int) -> None:
    x = rng.normal(size=(40, columns)).astype(np.float32)
    twice = np.concatenate([x, x])
    assert values(adversarial_accuracy_embedded(twice, twice[::-1], metric=metric)) == (0, 0, 1, 1)
    found = adversarial_accuracy_embedded(x, x, metric=metric)
    assert values(found) == (0, 0, 0, 0)
    assert found.identical == 1
    assert adversarial_accuracy_embedded(twice, twice, metric=metric, ties="half").aats == 0.5


def test_embedded_angles_ignore_length(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(2, 50, 4))
    scale = 2.0 ** rng.integers(-5, 5, (50, 1))
    assert values(adversarial_accuracy_embedded(x * scale, y)) == values(adversarial_accuracy_embedded(x, y))


@pytest.mark.parametrize("columns", [3, 20])
def test_embedded_unequal_sizes(rng: np.random.Generator, columns: int) -> None:
    x, y = rng.normal(size=(60, columns)), rng.normal(size=(20, columns))
    found = adversarial_accuracy_embedded(x, y, metric="euclidean", repeats=3, seed=2)
    each = [brute(x[seeded_order(60, 2, r)[:20]], y, euclid) for r in range(3)]
    assert values(found) == pytest.approx(tuple(np.mean(each, axis=0)))
    assert found.n == 20


def test_embedded_bad_input(rng: np.random.Generator) -> None:
    x = rng.normal(size=(5, 3))
    with pytest.raises(ValueError, match="'angular' or 'euclidean', found 'cosine'"):
        adversarial_accuracy_embedded(x, x, metric="cosine")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="y: expected 3 columns as in x, found 2"):
        adversarial_accuracy_embedded(x, x[:, :2])
    with pytest.raises(ValueError, match="x: expected finite"):
        adversarial_accuracy_embedded(np.where(x == x[2, 1], np.nan, x), x)
    with pytest.raises(ValueError, match="other than zero for angles, found one in row 1"):
        adversarial_accuracy_embedded(x, np.where(np.arange(5)[:, None] == 1, 0, x))
    with pytest.raises(ValueError, match="floating-point"):
        adversarial_accuracy_embedded(np.ones((4, 2), int), x)


@pytest.mark.parametrize("columns", [4, 18])
@pytest.mark.parametrize("n", [2, 40, 80])
def test_subsets_from_one_search(rng: np.random.Generator, columns: int, n: int) -> None:
    x, y = rng.normal(size=(60, columns)), rng.normal(size=(80, columns))
    x[10:40] = x[10]  # more equal points than a list has places
    inside, across = euclid(x, x), euclid(x, y)
    np.fill_diagonal(inside, np.inf)
    pair = nearest_points(x, y, n)
    for size in (2, 3, 10, 59):
        rows, others = rng.permutation(60)[:size], rng.permutation(80)[:size]
        np.testing.assert_allclose(pair.tt(rows, rows), inside[np.ix_(rows, rows)].min(1))
        np.testing.assert_allclose(pair.ts(rows, others), across[np.ix_(rows, others)].min(1))
        np.testing.assert_allclose(pair.st(others, rows), across[np.ix_(rows, others)].min(0))
    np.testing.assert_allclose(pair.tt(None, None), inside.min(1))


def test_distances_are_alike_both_ways(rng: np.random.Generator) -> None:
    """Otherwise ties would be made and broken by rounding."""
    x, y = (unit_vectors(points) for points in rng.normal(size=(2, 200, 10)))
    pair = nearest_points(x, y, 200)
    i = pair.ts(None, None).argmin()
    assert pair.ts(None, None)[i] == pair.st(None, None).min()


def test_lists_are_as_long_as_subsets_need() -> None:
    assert [list_length(n, 5000) for n in (5001, 5000, 4999, 4990, 2500, 10)] == [1, 1, 1, 2, 10, 16]


def test_missing_scipy_is_said(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy.spatial", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hapforge\[eval\]'"):
        adversarial_accuracy_embedded(*rng.normal(size=(2, 9, 3)))

"""Costs of transport against POT: its network simplex, and its iterations run to convergence."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import ot
import pytest

import hapforge as hf
from hapforge.errors import MissingDependencyError
from hapforge.metrics import transport, transport_cost
from hapforge.metrics.transport import entropic_plan_cost
from hapforge.stats import pca


def scaled(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    cost = ot.dist(x, y)
    return cost / cost.max()


@pytest.mark.parametrize("shift", [0.05, 3.0])
def test_costs_are_pots(rng: np.random.Generator, shift: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a shift of 3 all kernel values of the plain iteration are 0. By eigenvectors and by conjugate gradients."""
    x, y = rng.normal(size=(60, 2)), rng.normal(size=(45, 2)) + shift
    x[:20] += 4
    cost = scaled(x, y)
    masses = ot.unif(60), ot.unif(45)
    plan, log = ot.bregman.sinkhorn_log(*masses, cost, 1e-3, numItermax=100_000, stopThr=1e-10, log=True)
    assert log["err"][-1] < 1e-10
    strong = ot.sinkhorn(*masses, cost, 0.1, stopThr=1e-12)
    for most in (45, 44):
        monkeypatch.setattr(transport, "_MAX_DIRECT", most)
        found = transport_cost(x, y)
        assert found.entropic == pytest.approx((plan * cost).sum(), rel=1e-7)
        assert found.marginal_error < 1e-9
        assert found.exact == pytest.approx(ot.emd2(*masses, cost), rel=1e-12)
        assert entropic_plan_cost(cost, 0.1, np.zeros(45))[0] == pytest.approx((strong * cost).sum(), rel=1e-7)


def test_few_points_far_apart(rng: np.random.Generator) -> None:
    """Twenty single points, a dozen regularisations and more from each other: float32 stalls at 1e-8."""
    for _ in range(10):
        found = transport_cost(*(rng.normal(size=(20, 2)) for _ in range(2)))
        assert found.marginal_error < 1e-9
        assert found.exact < found.entropic < found.exact + 1e-3 * np.log(20)


def test_mass_that_must_cross_between_clusters(rng: np.random.Generator) -> None:
    """A tenth of the mass must cross a gap of 1000 regularisations: 1000 steps of the iteration miss it."""
    y = rng.normal(0, 0.02, (100, 2))
    x = y + rng.normal(0, 0.01, (100, 2))
    x[:50] += 3
    y[:60] += 3
    cost = scaled(x, y)
    found = transport_cost(x, y)
    stopped = ot.bregman.sinkhorn_log(ot.unif(100), ot.unif(100), cost, 1e-3, warn=False)
    assert (stopped * cost).sum() < 0.9 * found.exact
    assert found.marginal_error < 1e-9
    assert found.exact < found.entropic < found.exact + 1e-3 * np.log(100)


def test_hand_worked_costs() -> None:
    points = np.zeros((5, 2))
    same = transport_cost(points, points)
    assert (same.entropic, same.exact, same.marginal_error) == pytest.approx((0, 0, 0))
    assert np.isnan(same.margin)  # fewer than two points in a part
    # a quarter of the mass goes as far as any: half of it at one place, three quarters at the other
    x = np.repeat([0.0, 1.0], [10, 10])[:, None]
    y = np.repeat([0.0, 1.0], [5, 15])[:, None]
    assert transport_cost(x, y).exact == pytest.approx(0.25)
    assert transport_cost(x, y).entropic == pytest.approx(0.25, abs=1e-6)
    with pytest.raises(ValueError, match="at least one on each side, found 0 and 5"):
        transport_cost(points[:0], points)


def test_margin_from_parts(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(50, 2)), rng.normal(size=(37, 2)) + 0.3
    unit = ot.dist(x, y).max()
    ends = [0, 8, 16, 23, 30, 37]
    parts = [(x[10 * i : 10 * i + 10], y[ends[i] : ends[i + 1]]) for i in range(5)]
    costs = [ot.emd2(ot.unif(len(a)), ot.unif(len(b)), ot.dist(a, b) / unit) for a, b in parts]
    found = transport_cost(x, y)
    assert found.margin == pytest.approx(2.776445 * np.std(costs, ddof=1) / np.sqrt(5), rel=1e-6)
    assert found.exact_interval == (max(0, found.exact - found.margin), found.exact + found.margin)


def test_missing_pot_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    with pytest.raises(MissingDependencyError, match=r"pip install 'hapforge\[eval\]'"):
        transport_cost(np.zeros((2, 2)), np.ones((2, 2)))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("weights", "shift", "spread"),
    [
        ((0.26, 0.2, 0.2, 0.2, 0.14), 0.0, 0.04),
        ((0.3, 0.2, 0.2, 0.16, 0.14), 0.0, 0.04),
        ((0.26, 0.2, 0.2, 0.2, 0.14), 0.05, 0.08),
    ],
)
def test_intervals_cover(weights: tuple[float, ...], shift: float, spread: float) -> None:
    """Of draws from the same and from other mixtures: at least 92 % of the intervals hold the mean cost."""
    rng = np.random.default_rng(7)
    centres = np.array([[0, 0], [1, 0], [0.3, 0.8], [0.35, 0.7], [0.6, 0.5]])

    def draw(n: int, weights: tuple[float, ...], shift: float, spread: float) -> np.ndarray:
        return centres[rng.choice(5, n, p=weights)] + rng.normal(0, spread, (n, 2)) + shift

    first = (0.26, 0.2, 0.2, 0.2, 0.14)
    found = [transport_cost(draw(200, first, 0, 0.04), draw(200, weights, shift, spread)) for _ in range(200)]
    mean = np.mean([cost.exact for cost in found])
    inside = [low <= mean <= high for low, high in (cost.exact_interval for cost in found)]
    assert np.mean(inside) >= 0.92
    assert np.mean([cost.margin for cost in found]) < 4 * np.std([cost.exact for cost in found])


@pytest.mark.slow
def test_intervals_cover_on_real_halves(shared_data: Path) -> None:
    """Halves of the real persons, rows of a person together: the intervals hold the mean over the splits."""
    real = hf.read(shared_data / "805_SNP_1000G_real.hapt.zip")
    points = pca(real, 2).coordinates.reshape(-1, 2, 2)  # persons, their two rows, components
    rng, found = np.random.default_rng(5), []
    for _ in range(60):
        order = rng.permutation(len(points))[:1000]
        found.append(transport_cost(points[order[:500]].reshape(-1, 2), points[order[500:]].reshape(-1, 2)))
    mean = np.mean([cost.exact for cost in found])
    assert np.mean([low <= mean <= high for low, high in (cost.exact_interval for cost in found)]) >= 0.9


@pytest.mark.slow
def test_converged_pot_on_real_components(shared_data: Path) -> None:
    """POT's iteration started from no potentials, to a marginal error of 1e-9, on 300 rows of the published set."""
    real = hf.read(shared_data / "805_SNP_1000G_real.hapt.zip")
    synthetic = hf.read(shared_data / "805_SNP_GAN_AG_20000epochs.hapt.zip")
    both = np.concatenate([real.words, synthetic.words])
    points = pca(hf.HaplotypeMatrix(both, real.sites), 2).coordinates
    x, y = points[:5008:16][:300], points[5008::16][:300]
    cost = scaled(x, y)
    plan, log = ot.bregman.sinkhorn_log(
        ot.unif(300), ot.unif(300), cost, 1e-3, numItermax=200_000, stopThr=1e-9, log=True
    )
    assert log["err"][-1] < 1e-9
    assert transport_cost(x, y).entropic == pytest.approx((plan * cost).sum(), rel=1e-5)

"""Layouts in a plane: alike rows are near each other, the same on every call, and bad input is told."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hapforge.errors import MissingDependencyError
from hapforge.stats import tsne_layout, umap_layout


def clusters(rng: np.random.Generator) -> np.ndarray:
    return np.concatenate([rng.normal(centre, 1, (40, 30)) for centre in (0, 5)])


def assert_told(points: np.ndarray) -> None:
    """Rows of a cluster have their nearest neighbours in it."""
    apart = np.linalg.norm(points[:, None] - points, axis=2)
    np.fill_diagonal(apart, np.inf)
    assert np.array_equal(apart.argmin(1) // 40, np.arange(80) // 40)


def test_tsne(rng: np.random.Generator) -> None:
    pytest.importorskip("sklearn")
    values = clusters(rng)
    points = tsne_layout(values, seed=3)
    assert points.shape == (80, 2)
    assert_told(points)
    assert np.array_equal(points, tsne_layout(values, seed=3))
    assert tsne_layout(values[:4]).shape == (4, 2)
    with pytest.raises(ValueError, match="values: expected 2 columns or more for a layout, found 1"):
        tsne_layout(values[:, :1])


@pytest.mark.slow
def test_umap(rng: np.random.Generator) -> None:
    pytest.importorskip("umap")
    values = clusters(rng)
    distances = np.linalg.norm(values[:, None] - values, axis=2).astype(np.float32)
    points = umap_layout(distances, seed=3)
    assert_told(points)
    assert np.array_equal(points, umap_layout(distances, seed=3))


@pytest.mark.parametrize(
    ("layout", "module", "name"),
    [(tsne_layout, "sklearn.manifold", "scikit-learn"), (umap_layout, "umap", "umap-learn")],
)
def test_bad_input(monkeypatch: pytest.MonkeyPatch, layout: object, module: str, name: str) -> None:
    with pytest.raises(ValueError, match="rows: expected 4 or more for a layout, found 3"):
        layout(np.zeros((3, 3), np.float32))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingDependencyError, match=rf"{name}.*hapforge\[eval\]"):
        layout(np.zeros((5, 5), np.float32))

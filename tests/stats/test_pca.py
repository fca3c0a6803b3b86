"""Principal components against numpy's SVD and scikit-learn."""

from __future__ import annotations

import importlib
import tracemalloc

import numpy as np
import pytest
from sklearn.decomposition import PCA

import hapforge as hf
from hapforge.stats import pca, randomized_pca


def structured(rng: np.random.Generator, n: int, num_sites: int) -> np.ndarray:
    """Three populations with their own frequencies."""
    frequencies = rng.beta(0.6, 0.6, (3, num_sites))
    return (rng.random((n, num_sites)) < frequencies[np.arange(n) % 3]).astype(np.uint8)


@pytest.mark.parametrize(("n", "num_sites"), [(200, 130), (60, 500), (150, 2300), (40, 5000)])
@pytest.mark.parametrize("k", [1, 2, 10])
def test_against_svd(rng: np.random.Generator, n: int, num_sites: int, k: int) -> None:
    x = structured(rng, n, num_sites)
    found = pca(hf.HaplotypeMatrix.from_dense(x), k)
    centred = x - x.mean(axis=0)
    _, sizes, right = np.linalg.svd(centred, full_matrices=False)
    np.testing.assert_allclose(found.explained, sizes[:k] ** 2 / (sizes**2).sum(), rtol=1e-9)
    top = (np.abs(right[:k]) >= (1 - 1e-6) * np.abs(right[:k]).max(axis=1, keepdims=True)).argmax(axis=1)
    right = right[:k] * np.sign(right[np.arange(k), top])[:, None]
    gaps = np.abs(np.diff(sizes[: k + 1] ** 2)).min() / sizes[0] ** 2
    np.testing.assert_allclose(found.components, right, atol=1e-9 / abs(gaps))
    np.testing.assert_allclose(found.coordinates, centred @ found.components.T, atol=1e-9)
    np.testing.assert_allclose(found.components @ found.components.T, np.eye(k), atol=1e-10)
    assert (found.components[np.arange(k), top] > 0).all()


def test_against_scikit_learn(rng: np.random.Generator) -> None:
    x = structured(rng, 120, 300)
    found = pca(hf.HaplotypeMatrix.from_dense(x), 2)
    theirs = PCA(2, svd_solver="full").fit(x.astype(float))
    np.testing.assert_allclose(found.explained, theirs.explained_variance_ratio_, rtol=1e-9)
    np.testing.assert_allclose(np.abs(found.coordinates), np.abs(theirs.transform(x.astype(float))), atol=1e-8)


def test_same_input_same_output_in_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("hapforge.stats.pca")
    matrix = hf.HaplotypeMatrix.from_dense(structured(rng, 90, 2100))
    first = pca(matrix, 2)
    assert np.array_equal(first.coordinates, pca(matrix, 2).coordinates)
    monkeypatch.setattr(module, "_BLOCK_BYTES", 1)  # 64 rows
    np.testing.assert_allclose(pca(matrix, 2).coordinates, first.coordinates, atol=1e-9)
    monkeypatch.setattr(module, "_DENSE", 30)
    np.testing.assert_allclose(pca(matrix, 2).coordinates, first.coordinates, atol=1e-7)


@pytest.mark.parametrize("num_sites", [20, 2100])
def test_few_distinct_rows(num_sites: int) -> None:
    x = np.zeros((6, num_sites), np.uint8)
    x[3:, :4] = 1
    found = pca(hf.HaplotypeMatrix.from_dense(x), 1)
    assert found.explained.tolist() == pytest.approx([1.0])
    np.testing.assert_allclose(found.coordinates[:, 0], [-1, -1, -1, 1, 1, 1], atol=1e-12)


@pytest.mark.parametrize("shape", [(500, 400), (400, 600)])
def test_restarts_reach_the_same_components(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]
) -> None:
    """Of noise, whose variances lie close together: a basis of 96 columns is full many times over."""
    module = importlib.import_module("hapforge.stats.pca")
    monkeypatch.setattr(module, "_DENSE", 64)
    x = rng.integers(0, 2, shape, dtype=np.uint8)
    monkeypatch.setattr(module, "_MAX_BASIS", 96)
    found = pca(hf.HaplotypeMatrix.from_dense(x), 4)
    sizes = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    np.testing.assert_allclose(found.explained, sizes[:4] ** 2 / (sizes**2).sum(), rtol=1e-9)
    np.testing.assert_allclose(found.coordinates, (x - x.mean(axis=0)) @ found.components.T, atol=1e-9)
    assert 0 < found.residual <= 1e-9
    monkeypatch.setattr(module, "_MAX_STEPS", 3)
    with pytest.raises(ValueError, match="expected convergence within 3 steps, found a residual of"):
        pca(hf.HaplotypeMatrix.from_dense(x), 4)


@pytest.mark.parametrize("shape", [(600, 500), (500, 900)])
def test_randomized(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch, shape: tuple[int, int]) -> None:
    monkeypatch.setattr(importlib.import_module("hapforge.stats.pca"), "_DENSE", 64)
    matrix = hf.HaplotypeMatrix.from_dense(structured(rng, *shape))
    exact, found = pca(matrix, 6), randomized_pca(matrix, 6)
    assert found.residual < 0.02  # components 3 to 6 are noise
    residual = np.linalg.norm(
        (matrix.to_dense() - found.mean).T @ found.coordinates / shape[0]
        - found.components.T * found.coordinates.var(axis=0),
        axis=0,
    )
    lead = exact.explained[0] * (exact.mean * (1 - exact.mean)).sum()
    if shape[0] > shape[1]:
        assert residual.max() / lead == pytest.approx(found.residual, rel=0.05)
    else:  # theirs is of the scores, which one more product makes better
        assert residual.max() / lead < found.residual
    assert (found.explained <= exact.explained * (1 + 1e-6)).all()
    np.testing.assert_allclose(found.components[:2], exact.components[:2], atol=1e-6)
    np.testing.assert_allclose(found.coordinates[:, :2], exact.coordinates[:, :2], atol=1e-4)
    one = randomized_pca(matrix, 6, passes=1, seed=1)
    assert one.residual > found.residual
    assert np.array_equal(randomized_pca(matrix, 6).coordinates, found.coordinates)
    with pytest.raises(ValueError, match="passes: expected at least 1, found 0"):
        randomized_pca(matrix, 2, passes=0)


def test_memory_is_that_of_the_basis(rng: np.random.Generator) -> None:
    """6 kB for each of the fewer, 2 kB for each of the others; the blocks of rows are small here."""
    words = rng.integers(0, 1 << 63, (3000, 128), dtype=np.uint64)
    matrix = hf.HaplotypeMatrix(words, hf.Sites(num_sites=8192))
    tracemalloc.start()
    randomized_pca(matrix, 10)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6_000 * 3000 + 2_000 * 8192 + 2 * words.nbytes
    assert peak < 8 * 3000 * 8192 / 4  # far from a dense matrix


def test_bad_input(rng: np.random.Generator) -> None:
    matrix = hf.HaplotypeMatrix.from_dense(structured(rng, 5, 30))
    with pytest.raises(ValueError, match="expected 1 to 4 for 5 rows x 30 sites, found 5"):
        pca(matrix, 5)
    with pytest.raises(ValueError, match="found 0"):
        pca(matrix, 0)
    with pytest.raises(ValueError, match="found 5 alike"):
        pca(hf.HaplotypeMatrix.from_dense(np.ones((5, 30), np.uint8)), 1)


def test_other_rows_on_the_same_components(rng: np.random.Generator) -> None:
    x, y = (rng.integers(0, 2, (n, 70), dtype=np.uint8) for n in (40, 25))
    found = pca(hf.HaplotypeMatrix.from_dense(x), 3)
    np.testing.assert_allclose(
        found.project(hf.HaplotypeMatrix.from_dense(y)), (y - x.mean(axis=0)) @ found.components.T, atol=1e-12
    )
    with pytest.raises(ValueError, match="matrix: expected 70 sites, found 69"):
        found.project(hf.HaplotypeMatrix.from_dense(y[:, 1:]))

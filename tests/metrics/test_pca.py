"""Overlap of cohorts on principal components, UMAP and embedding distances against scikit-learn, POT and scipy."""

from __future__ import annotations

import importlib.util
import sys

import numpy as np
import ot
import pytest
from scipy.spatial.distance import cdist

import hapforge as hf
from hapforge.errors import MissingDependencyError
from hapforge.metrics import embedding_distances, pca_overlap, transport_cost, umap_overlap


def two_cohorts(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    frequencies = rng.beta(0.5, 0.5, (3, 150))
    return tuple((rng.random((n, 150)) < frequencies[np.arange(n) % 3]).astype(np.uint8) for n in (80, 50))


def test_pca_overlap_follows_the_procedure(rng: np.random.Generator) -> None:
    from sklearn.decomposition import PCA

    x, y = two_cohorts(rng)
    a, b = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
    found = pca_overlap(a, b, num_components=4, rows=None)
    theirs = PCA(4, svd_solver="full").fit_transform(np.concatenate([x, y]).astype(float))
    for pair, (cost, n) in enumerate(zip(found.costs, found.n, strict=True)):
        distance = ot.dist(theirs[:80, 2 * pair : 2 * pair + 2], theirs[80:, 2 * pair : 2 * pair + 2])
        distance /= distance.max()
        columns = slice(2 * pair, 2 * pair + 2)
        entropic = transport_cost(theirs[:80, columns], theirs[80:, columns]).entropic
        assert cost.entropic == pytest.approx(entropic, rel=1e-6)
        assert cost.exact == pytest.approx(ot.emd2(ot.unif(80), ot.unif(50), distance), rel=1e-9)
        assert n == 50
    assert found.real.shape == (80, 4)
    assert found.synthetic.shape == (50, 4)
    thinned = pca_overlap(a, b, rows=30, seed=3)
    assert thinned.n == [30]
    np.testing.assert_allclose(thinned.real, found.real[:, :2], atol=1e-9)
    assert thinned.costs == pca_overlap(a, b, rows=30, seed=3).costs
    assert thinned.costs != pca_overlap(a, b, rows=30, seed=4).costs


def test_odd_components(rng: np.random.Generator) -> None:
    x, y = (hf.HaplotypeMatrix.from_dense(v) for v in two_cohorts(rng))
    with pytest.raises(ValueError, match="num_components: expected an even number, found 3"):
        pca_overlap(x, y, num_components=3)


def test_embedding_distances_are_scipys(rng: np.random.Generator) -> None:
    x, y = rng.normal(size=(70, 4)), rng.normal(size=(41, 4))
    y[5] = x[8]
    found = embedding_distances(x, y)
    assert found.n == 41
    for name, theirs in (("l1", "cityblock"), ("l2", "euclidean"), ("cosine", "cosine")):
        nearest = np.sort(cdist(y, x, theirs).min(axis=1))
        one = getattr(found, name)
        assert one.median == pytest.approx(np.median(nearest))
        assert one.least == pytest.approx(0, abs=1e-15)
        # ranks 14 and 28 of 41: probability 0.9725 by the binomial distribution
        assert one.interval == pytest.approx((nearest[13], nearest[27]))
    assert np.isnan(embedding_distances(x, y[:5]).l1.interval).all()
    assert embedding_distances(np.zeros((1, 3)), np.ones((2, 3))).cosine.median == 1


def test_embedding_distances_in_blocks(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    from hapforge.metrics import embedding_distances as function

    x, y = rng.normal(size=(30, 3)), rng.normal(size=(23, 3))
    whole = function(x, y)
    monkeypatch.setitem(function.__globals__, "_BLOCK_VALUES", 30 * 7)
    assert function(x, y) == whole


def test_bad_embeddings() -> None:
    with pytest.raises(ValueError, match=r"real: expected a floating-point matrix of points"):
        embedding_distances(np.zeros((0, 3)), np.zeros((2, 3)))
    with pytest.raises(ValueError, match="synthetic: expected 3 columns as in real, found 2"):
        embedding_distances(np.zeros((2, 3)), np.zeros((2, 2)))
    with pytest.raises(ValueError, match="synthetic: expected finite values"):
        embedding_distances(np.zeros((2, 1)), np.full((2, 1), np.nan))


def test_missing_umap_is_said(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    x, y = (hf.HaplotypeMatrix.from_dense(v) for v in two_cohorts(rng))
    with pytest.raises(MissingDependencyError, match=r"umap-learn.*hapforge\[eval\]"):
        umap_overlap(x, y)
    with pytest.raises(ValueError, match="expected 8 to 1500 haplotypes of each cohort, found 4"):
        umap_overlap(x, y, rows=4)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("umap") is None, reason="needs umap-learn")
def test_umap_tells_noise_from_a_half(rng: np.random.Generator) -> None:
    frequencies = rng.beta(0.5, 0.5, (3, 150))
    x, y = ((rng.random((300, 150)) < frequencies[np.arange(300) % 3]).astype(np.uint8) for _ in range(2))
    noise = (rng.random((300, 150)) < x.mean(axis=0)).astype(np.uint8)
    a, b, c = (hf.HaplotypeMatrix.from_dense(v) for v in (x, y, noise))
    half, bad = umap_overlap(a, b, rows=200), umap_overlap(a, c, rows=200)
    assert bad.cost.exact > 3 * half.cost.exact
    again = umap_overlap(a, b, rows=200)
    assert (again.real == half.real).all()
    assert half.real.shape == half.synthetic.shape == (200, 2)

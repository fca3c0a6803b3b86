"""The hidden space of an RBM: means by enumeration or quadrature, singular vectors that make up W."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from reference import boltzmann as reference


@pytest.mark.parametrize("hidden", ["bernoulli", "relu"])
def test_means_of_hidden_units(cohort: hf.HaplotypeMatrix, hidden: str) -> None:
    settings = {"num_hidden": 9, "gibbs_steps": 3, "epochs": 1, "initial_scale": 0.3}
    model = hf.models.RBM(hidden=hidden, **settings).fit(cohort, seed=3)
    found = model.transform(cohort)
    assert found.shape == (400, 9)
    assert found.dtype == np.float32
    field = cohort.to_dense()[:40] @ model.weights + model.hidden_bias
    expected = [[reference.hidden_mean(x, hidden) for x in row] for row in field]
    assert np.allclose(found[:40], expected, rtol=1e-6)
    assert np.ptp(found, axis=0).max() > 0.05
    assert np.array_equal(model.transform(cohort.select_haplotypes([7])), found[7:8])
    assert model.transform(cohort.select_haplotypes([])).shape == (0, 9)

    axes = model.singular_vectors(9)
    assert np.allclose(axes.visible * axes.values @ axes.hidden.T, model.weights)
    assert np.allclose(axes.visible.T @ axes.visible, np.eye(9))
    assert (np.diff(axes.values) <= 0).all()
    assert (axes.visible[np.abs(axes.visible).argmax(0), np.arange(9)] > 0).all()
    leading = model.singular_vectors(2)
    assert all(np.array_equal(a[..., :2], b) for a, b in zip(axes, leading, strict=True))
    assert np.allclose(model.project(cohort, 2), found.astype(float) @ axes.hidden[:, :2])
    assert model.project(cohort).shape == (400, 2)


def test_bad_arguments(cohort: hf.HaplotypeMatrix) -> None:
    model = hf.models.RBM(num_hidden=3, epochs=1).fit(cohort)
    for k in (0, 4):
        with pytest.raises(ValueError, match=f"k: expected 1 to 3, found {k}"):
            model.project(cohort, k)
    with pytest.raises(ValueError, match="H: expected 120 sites, found 4"):
        model.transform(cohort.select_sites(np.arange(4)))

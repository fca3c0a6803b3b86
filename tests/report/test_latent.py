"""What the picture of a hidden space shows, and that it can be drawn for any shape and any name."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")


from hapforge.report.latent import LatentSpace, activation_by_label, draw_latent, strongest_by_run


def test_activation_by_label() -> None:
    means = np.array([[0, 1, 0.2], [0, 0.8, 0.2], [1, 0, 0.5], [1, 0.2, 0.7]], np.float32)
    names, difference, order = activation_by_label(means, np.array(["b", "b", "a", "a"]))
    assert names == ["a", "b"]
    assert difference == pytest.approx(np.array([[0.5, -0.4, 0.2], [-0.5, 0.4, -0.2]]), abs=1e-6)
    assert order.tolist() == [0, 2, 1]


def test_strongest_weights_of_runs() -> None:
    weights = np.array([[1.0, 0], [-2, 1], [0.5, -3], [0, 2], [0, 0]])
    assert strongest_by_run(weights, 2).tolist() == [[-2, 0.5], [1, -3]]
    assert np.array_equal(strongest_by_run(weights, 10), weights.T)


@pytest.mark.parametrize(
    ("num_hidden", "labels"),
    [
        (1, None),
        (5, np.array([f"${i % 40}_^" for i in range(80)])),
        (5, np.array(["_a", "$\\x$"] * 40)),
        (3, np.arange(80) % 7),
    ],
)
def test_any_shape_and_name(rng: np.random.Generator, num_hidden: int, labels: np.ndarray | None) -> None:
    means = rng.random((80, num_hidden), dtype=np.float32)
    weights = rng.normal(size=(1300, num_hidden))
    space = LatentSpace(
        means.astype(float), np.arange(num_hidden, 0, -1.0), means, weights, None if labels is None else "l_$", labels
    )
    drawn = draw_latent(space)
    assert Image.open(io.BytesIO(drawn)).size == (1200, 1300)
    if num_hidden == 1:
        assert drawn == draw_latent(space)
        flat = LatentSpace(means.astype(float), np.zeros(num_hidden), means * 0, weights * 0, space.label, labels)
        assert draw_latent(flat) != drawn

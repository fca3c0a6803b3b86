"""The normalisation kernel against the reference, on every backend of the CPU."""

import numpy as np
import pytest

from hapforge import _backend
from reference import normalisation as reference

BACKENDS = _backend.available_backends("normalisation")
SHAPES = [(1, 1, 2), (2, 3, 4), (3, 2, 7), (5, 4, 15), (4, 3, 16), (2, 2, 17), (3, 5, 63), (24, 20, 255), (2, 1, 5000)]


def case(shape, over_rows, seed=1):
    """x, weight, bias, gz, u, and what `normalise` gives for them with backend=...: values, mean, variance."""
    random = np.random.default_rng(seed)
    x, gz, u = (random.normal(size=shape).astype(np.float32) for _ in range(3))
    x = 3 * x + random.normal(size=(1, shape[1], 1)).astype(np.float32)
    weight, bias = (random.normal(size=shape[1]).astype(np.float32) for _ in range(2))
    return x, weight, bias, gz, u


def forward(backend, x, weight, bias, over_rows):
    groups = x.shape[1] * (1 if over_rows else x.shape[0])
    z, mean, variance = np.empty_like(x), np.empty(groups, np.float32), np.empty(groups, np.float32)
    _backend.core.normalise(x, weight, bias, over_rows, z, mean, variance, backend)
    return z, mean, variance


def everything(backend, x, weight, bias, gz, u, over_rows):
    """Every result of the three functions, in a list."""
    z, mean, variance = forward(backend, x, weight, bias, over_rows)
    gx, of_gz, of_x = np.empty_like(x), np.empty_like(x), np.empty_like(x)
    of_scale = _backend.core.normalise_backward(gz, x, weight, bias, over_rows, mean, variance, gx, backend)
    of_weight = _backend.core.normalise_twice(u, gz, x, weight, bias, over_rows, mean, variance, of_gz, of_x, backend)
    return [z, mean, variance, gx, *of_scale, of_gz, of_x, of_weight]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("over_rows", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_values_and_slopes(backend, shape, over_rows):
    x, weight, bias, gz, u = case(shape, over_rows)
    found = everything(backend, x, weight, bias, gz, u, over_rows)
    once, twice = reference.slopes(x, weight, bias, over_rows, gz, u)
    expected = [*reference.normalise(np.float64(x), weight, bias, over_rows), *once, *twice]
    for i, (a, b) in enumerate(zip(found, expected, strict=True)):
        size = max(np.abs(b).max(), 1e-2)  # two values have a slope of almost 0
        assert np.abs(a - b).max() < 1e-4 * size, i


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("over_rows", [False, True])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_same_bits_on_every_backend(backend, shape, over_rows):
    arguments = case(shape, over_rows, seed=2)
    for a, b in zip(
        everything(backend, *arguments, over_rows), everything("scalar", *arguments, over_rows), strict=True
    ):
        assert a.tobytes() == b.tobytes()


@pytest.mark.parametrize("backend", BACKENDS)
def test_values_that_are_all_the_same_give_the_bias(backend):
    x, weight = np.full((2, 2, 20), 7, np.float32), np.ones(2, np.float32)
    z, mean, variance = forward(backend, x, weight, np.array([2, -1], np.float32), False)
    assert (z[:, 0] == 2).all()
    assert np.allclose(z[:, 1], -0.01, atol=0)
    assert (mean == 7).all()
    assert (variance == 0).all()


@pytest.mark.parametrize("backend", BACKENDS)
def test_nothing_is_written_behind_an_array(backend):
    x, weight, bias, *_ = case((3, 2, 13), False)
    whole = np.full(x.size + 16, np.float32(5))
    z = whole[: x.size].reshape(x.shape)
    mean = np.empty(6, np.float32)
    _backend.core.normalise(x, weight, bias, False, z, mean, mean.copy(), backend)
    assert (whole[x.size :] == 5).all()
    assert not (z == 5).any()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 3), np.float32)}, "x: expected 3 dimension"),
        ({"x": np.zeros((0, 3, 4), np.float32)}, "x: expected rows, channels and values, found none"),
        ({"weight": np.zeros(2, np.float32)}, "weight, bias: expected one of each channel"),
        ({"z": np.zeros((2, 3, 5), np.float32)}, "z: expected the shape of x"),
        ({"mean": np.zeros(3, np.float32)}, "mean, variance: expected one of each group"),
        ({"backend": "sse9"}, "backend 'sse9' is not available"),
    ],
)
def test_bad_inputs(change, message):
    arguments = {
        "x": np.zeros((2, 3, 4), np.float32),
        "weight": np.zeros(3, np.float32),
        "bias": np.zeros(3, np.float32),
        "over_rows": False,
        "z": np.zeros((2, 3, 4), np.float32),
        "mean": np.zeros(6, np.float32),
        "variance": np.zeros(6, np.float32),
        "backend": "scalar",
    }
    with pytest.raises(ValueError, match=message):
        _backend.core.normalise(**{**arguments, **change})


def test_other_dtypes_strides_and_read_only_results_are_refused():
    x, weight, bias, *_ = case((2, 3, 4), False)
    mean = np.empty(6, np.float32)
    with pytest.raises(TypeError):
        _backend.core.normalise(np.float64(x), weight, bias, False, x, mean, mean, "scalar")
    with pytest.raises(TypeError):
        _backend.core.normalise(x, weight, bias, False, np.empty((2, 3, 8), np.float32)[..., ::2], mean, mean, "scalar")
    z = np.empty_like(x)
    z.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _backend.core.normalise(x, weight, bias, False, z, mean, mean, "scalar")

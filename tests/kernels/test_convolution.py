"""The convolution kernel against the reference, on every backend of the CPU."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge import _backend
from reference import convolution as reference

BACKENDS = _backend.available_backends("convolution")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
# rows, channels of x, channels of y, length of y, stride, padding
CASES = [
    (1, 1, 1, 1, 1, 0),
    (2, 3, 5, 4, 2, 1),
    (3, 2, 13, 7, 2, 0),
    (5, 17, 9, 15, 1, 1),
    (9, 4, 25, 4, 1, 1),
    (2, 60, 37, 33, 2, 0),
    (4, 47, 12, 31, 1, 0),
    (3, 90, 11, 16, 2, 1),
    (1, 5, 3, 1023, 1, 1),
    (40, 2, 1, 70, 2, 0),
    (2, 30, 26, 100, 1, 1),
    (3, 20, 20, 131, 1, 0),
    (3, 2, 2, 1, 1, 1),
    (2, 3, 1, 2, 1, 1),
]


def arrays(rows, inputs, outputs, out_length, stride, padding, seed=1):
    """x, w, y of fitting shapes, drawn."""
    random = np.random.default_rng(seed)
    length = (out_length - 1) * stride + 3 - 2 * padding
    shapes = (rows, inputs, length), (outputs, inputs, 3), (rows, outputs, out_length)
    return [random.normal(size=shape).astype(np.float32) for shape in shapes]


def everything(backend, x, w, y, stride, padding):
    """y of x and w, x of y and w, w of x and y."""
    found = np.full_like(y, np.nan), np.full_like(x, np.nan), np.full_like(w, np.nan)
    _backend.core.convolve(x, w, stride, padding, found[0], backend)
    _backend.core.convolve_transposed(y, w, stride, padding, found[1], backend)
    _backend.core.convolve_by_weight(x, y, stride, padding, found[2], backend)
    return found


def expected(x, w, y, stride, padding):
    return (
        reference.convolve(x, w, stride, padding),
        reference.convolve_transposed(y, w, stride, padding),
        reference.convolve_by_weight(x, y, stride, padding),
    )


@every_backend
@pytest.mark.parametrize("case", CASES, ids=str)
def test_all_shapes(backend, case):
    x, w, y = arrays(*case)
    for a, b in zip(everything(backend, x, w, y, *case[4:]), expected(x, w, y, *case[4:]), strict=True):
        assert a.shape == b.shape
        assert np.abs(a - b).max() < 1e-5 * np.abs(b).max()


@every_backend
@given(
    rows=st.integers(1, 9),
    inputs=st.integers(1, 40),
    outputs=st.integers(1, 40),
    out_length=st.integers(1, 70),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
)
def test_any_shape_has_the_same_bits_on_every_backend(backend, rows, inputs, outputs, out_length, stride, padding):
    if (out_length - 1) * stride + 3 - 2 * padding < 1:
        return
    x, w, y = arrays(rows, inputs, outputs, out_length, stride, padding)
    found, scalar = (everything(name, x, w, y, stride, padding) for name in (backend, "scalar"))
    assert [a.tobytes() for a in found] == [b.tobytes() for b in scalar]
    for a, b in zip(found, expected(x, w, y, stride, padding), strict=True):
        assert np.abs(a - b).max() < 1e-5 * max(np.abs(b).max(), 1)


@every_backend
def test_rows_do_not_depend_on_each_other(backend):
    x, w, y = arrays(7, 6, 5, 15, 2, 0)
    whole = everything(backend, x, w, y, 2, 0)
    for row in range(7):
        part = everything(backend, x[row : row + 1], w, y[row : row + 1], 2, 0)
        assert np.array_equal(part[0], whole[0][row : row + 1])
        assert np.array_equal(part[1], whole[1][row : row + 1])


@every_backend
def test_what_is_not_finite_stays_where_it_is(backend):
    x, w, y = arrays(2, 3, 4, 31, 1, 1)
    x[0, 1, 10] = np.nan
    found = everything(backend, x, w, y, 1, 1)[0]
    assert np.isnan(found[0, :, 9:12]).all()
    assert np.isfinite(np.delete(found[0], [9, 10, 11], 1)).all()
    assert np.isfinite(found[1]).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": np.zeros((2, 9), np.float32)}, "x: expected 3 dimension"),
        ({"stride": 3}, "stride: expected 1 or 2"),
        ({"stride": 0}, "stride: expected 1 or 2"),
        ({"padding": 2}, "padding: expected 0 or 1"),
        ({"w": np.zeros((4, 3, 5), np.float32)}, r"w: expected \(channels of y, channels of x, 3\)"),
        ({"w": np.zeros((3, 3, 3), np.float32)}, r"w: expected \(channels of y, channels of x, 3\)"),
        ({"y": np.zeros((1, 4, 9), np.float32)}, "y: expected as many rows"),
        ({"y": np.zeros((2, 4, 8), np.float32)}, "length of x"),
        ({"x": np.zeros((0, 3, 9), np.float32)}, "expected values, found none"),
        ({"backend": "sse9"}, "backend 'sse9' is not available"),
    ],
)
def test_bad_inputs(change, message):
    arguments = {
        "x": np.zeros((2, 3, 9), np.float32),
        "w": np.zeros((4, 3, 3), np.float32),
        "stride": 1,
        "padding": 1,
        "y": np.zeros((2, 4, 9), np.float32),
        "backend": "scalar",
    }
    for function in ("convolve", "convolve_transposed", "convolve_by_weight"):
        with pytest.raises(ValueError, match=message):
            getattr(_backend.core, function)(**{**arguments, **change})


def test_other_dtypes_and_read_only_results_are_refused():
    x, w, y = arrays(2, 3, 4, 9, 1, 1)
    with pytest.raises(TypeError):
        _backend.core.convolve(np.float64(x), w, 1, 1, y, "scalar")
    y.flags.writeable = False
    with pytest.raises(ValueError, match="writeable"):
        _backend.core.convolve(x, w, 1, 1, y, "scalar")

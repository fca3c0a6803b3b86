"""Convolution, and normalisation with a leaky rectifier, with the second derivatives that penalties need.

On the CPU in float32 they are the kernels ``csrc/kernels/convolution`` and ``csrc/kernels/normalisation``, each call in
the thread that makes it; elsewhere, and where autocast lowers the precision, torch's own operations.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn import functional

from hapforge import _backend

SLOPE = 0.01  # of the leaky rectifier, as in the kernel
EPSILON = 1e-5  # added to variances, as in the kernel

_Slopes = tuple[Tensor | None, ...]
_state = threading.local()


@contextmanager
def inputs_only() -> Iterator[None]:
    """A context in which this thread's derivatives by weights are left out: for those by what enters a network."""
    _state.inputs_only = True
    try:
        yield
    finally:
        _state.inputs_only = False


def convolve(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """(rows, out, length_out): of x (rows, in, length) by weight (out, in, 3), stride 1 or 2, padding 0 or 1."""
    if not _is_own(x):
        return functional.conv1d(x, weight, stride=stride, padding=padding)
    result: Tensor = _Convolve.apply(x, weight, stride, padding)
    return result


def convolve_transposed(x: Tensor, weight: Tensor, stride: int, padding: int) -> Tensor:
    """The transpose of `convolve` by the same weight: (rows, in, length) of x (rows, out, length_out)."""
    if not _is_own(x):
        return functional.conv_transpose1d(x, weight, stride=stride, padding=padding)
    result: Tensor = _Transposed.apply(x, weight, stride, padding)
    return result


def normalise(x: Tensor, weight: Tensor, bias: Tensor, *, over_rows: bool) -> tuple[Tensor, Tensor, Tensor]:
    """leaky_relu(weight * (x - mean) / sqrt(variance + 1e-5) + bias), slope 0.01, and its means and variances.

    Parameters
    ----------
    x : float (rows, channels, length)
    weight, bias : float (channels,)
    over_rows : whether statistics are of a channel of all rows (batch normalisation; Ioffe, Szegedy 2015), or of each
        row (instance normalisation; Ulyanov et al. 2016)

    Returns
    -------
    values : as x
    mean, variance : (channels,) or (rows * channels,), without gradients; the variance is divided by n
    """
    if _is_own(x):
        values, mean, variance = _Normalise.apply(x, weight, bias, over_rows)
        return values, mean, variance
    with torch.no_grad():
        variance, mean = torch.var_mean(x.float(), dim=(0, 2) if over_rows else 2, correction=0)
    if over_rows:
        y = functional.batch_norm(x, None, None, weight, bias, training=True, eps=EPSILON)
    else:
        y = functional.instance_norm(x, weight=weight, bias=bias, eps=EPSILON)
    return functional.leaky_relu(y, SLOPE), mean.reshape(-1), variance.reshape(-1)


def _is_own(x: Tensor) -> bool:
    return x.device.type == "cpu" and x.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")


def _wants_weights(ctx: Any, position: int) -> bool:
    return bool(ctx.needs_input_grad[position]) and not getattr(_state, "inputs_only", False)


def _array(tensor: Tensor) -> NDArray[np.float32]:
    found: NDArray[np.float32] = tensor.detach().contiguous().numpy()
    return found


class _Convolve(torch.autograd.Function):
    """y of x, w; each of the three classes has the other two as its derivatives."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, w)
        ctx.how = stride, padding
        y = torch.empty(len(x), len(w), (x.shape[2] + 2 * padding - 3) // stride + 1)
        _backend.core.convolve(_array(x), _array(w), stride, padding, y.numpy(), _backend.resolve("convolution"))
        return y

    @staticmethod
    def backward(ctx: Any, by_y: Tensor) -> _Slopes:
        x, w = ctx.saved_tensors
        by_x = _Transposed.apply(by_y, w, *ctx.how) if ctx.needs_input_grad[0] else None
        by_w = _ByWeight.apply(x, by_y, *ctx.how) if _wants_weights(ctx, 1) else None
        return by_x, by_w, None, None


class _Transposed(torch.autograd.Function):
    """x of y, w."""

    @staticmethod
    def forward(ctx: Any, y: Tensor, w: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(y, w)
        ctx.how = stride, padding
        x = torch.empty(len(y), w.shape[1], (y.shape[2] - 1) * stride - 2 * padding + 3)
        _backend.core.convolve_transposed(
            _array(y), _array(w), stride, padding, x.numpy(), _backend.resolve("convolution")
        )
        return x

    @staticmethod
    def backward(ctx: Any, by_x: Tensor) -> _Slopes:
        y, w = ctx.saved_tensors
        by_y = _Convolve.apply(by_x, w, *ctx.how) if ctx.needs_input_grad[0] else None
        by_w = _ByWeight.apply(by_x, y, *ctx.how) if _wants_weights(ctx, 1) else None
        return by_y, by_w, None, None


class _ByWeight(torch.autograd.Function):
    """w of x, y."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, y: Tensor, stride: int, padding: int) -> Tensor:
        ctx.save_for_backward(x, y)
        ctx.how = stride, padding
        w = torch.empty(y.shape[1], x.shape[1], 3)
        _backend.core.convolve_by_weight(
            _array(x), _array(y), stride, padding, w.numpy(), _backend.resolve("convolution")
        )
        return w

    @staticmethod
    def backward(ctx: Any, by_w: Tensor) -> _Slopes:
        x, y = ctx.saved_tensors
        by_x = _Transposed.apply(y, by_w, *ctx.how) if ctx.needs_input_grad[0] else None
        by_y = _Convolve.apply(x, by_w, *ctx.how) if ctx.needs_input_grad[1] else None
        return by_x, by_y, None, None


class _Normalise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, over_rows: bool) -> tuple[Tensor, Tensor, Tensor]:
        values = torch.empty(x.shape)
        groups = x.shape[1] * (1 if over_rows else len(x))
        mean, variance = torch.empty(groups), torch.empty(groups)
        _backend.core.normalise(
            _array(x),
            _array(weight),
            _array(bias),
            over_rows,
            _array(values),
            _array(mean),
            _array(variance),
            _backend.resolve("normalisation"),
        )
        ctx.over_rows = over_rows
        ctx.save_for_backward(x, weight, bias, mean, variance)
        ctx.mark_non_differentiable(mean, variance)
        ctx.set_materialize_grads(False)
        return values, mean, variance

    @staticmethod
    def backward(ctx: Any, by_values: Tensor | None, *_: Any) -> _Slopes:
        if by_values is None:
            return (None,) * 4
        by_x, by_weight, by_bias = _NormaliseOnce.apply(by_values, *ctx.saved_tensors, ctx.over_rows)
        return by_x, by_weight, by_bias, None


class _NormaliseOnce(torch.autograd.Function):
    """The derivatives of `_Normalise`; those by x can be derived once more."""

    @staticmethod
    def forward(
        ctx: Any,
        by_values: Tensor,
        x: Tensor,
        weight: Tensor,
        bias: Tensor,
        mean: Tensor,
        variance: Tensor,
        over_rows: bool,
    ) -> tuple[Tensor, Tensor, Tensor]:
        by_x = torch.empty(x.shape)
        by_weight, by_bias = _backend.core.normalise_backward(
            _array(by_values),
            _array(x),
            _array(weight),
            _array(bias),
            over_rows,
            _array(mean),
            _array(variance),
            _array(by_x),
            _backend.resolve("normalisation"),
        )
        ctx.over_rows = over_rows
        ctx.save_for_backward(by_values, x, weight, bias, mean, variance)
        ctx.set_materialize_grads(False)
        return by_x, torch.from_numpy(by_weight), torch.from_numpy(by_bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, by_x: Tensor | None, *by_others: Tensor | None) -> _Slopes:
        if any(by is not None for by in by_others):
            raise NotImplementedError("second derivatives by weight and bias")
        if by_x is None:
            return (None,) * 7
        of_values, of_x = torch.empty(by_x.shape), torch.empty(by_x.shape)
        by_values, x, weight, bias, mean, variance = ctx.saved_tensors
        of_weight = _backend.core.normalise_twice(
            _array(by_x),
            _array(by_values),
            _array(x),
            _array(weight),
            _array(bias),
            ctx.over_rows,
            _array(mean),
            _array(variance),
            _array(of_values),
            _array(of_x),
            _backend.resolve("normalisation"),
        )
        return of_values, of_x, torch.from_numpy(of_weight), None, None, None, None

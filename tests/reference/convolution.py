"""Convolution with kernel 3, its transpose and its slope by the weights, by their definition, in float64."""

import numpy as np


def _places(length, out_length, stride, padding):
    """For each tap: places of the result, and those of x that they take, where x has them."""
    for tap in range(3):
        j = np.arange(out_length)
        at = j * stride + tap - padding
        inside = (at >= 0) & (at < length)
        yield tap, j[inside], at[inside]


def convolve(x, w, stride, padding):
    x, w = np.float64(x), np.float64(w)
    out_length = (x.shape[2] + 2 * padding - 3) // stride + 1
    y = np.zeros((len(x), len(w), out_length))
    for tap, j, at in _places(x.shape[2], out_length, stride, padding):
        y[:, :, j] += np.einsum("oi,bil->bol", w[:, :, tap], x[:, :, at])
    return y


def convolve_transposed(y, w, stride, padding):
    y, w = np.float64(y), np.float64(w)
    length = (y.shape[2] - 1) * stride + 3 - 2 * padding
    x = np.zeros((len(y), w.shape[1], length))
    for tap, j, at in _places(length, y.shape[2], stride, padding):
        x[:, :, at] += np.einsum("oi,bol->bil", w[:, :, tap], y[:, :, j])
    return x


def convolve_by_weight(x, y, stride, padding):
    x, y = np.float64(x), np.float64(y)
    w = np.zeros((y.shape[1], x.shape[1], 3))
    for tap, j, at in _places(x.shape[2], y.shape[2], stride, padding):
        w[:, :, tap] = np.einsum("bol,bil->oi", y[:, :, j], x[:, :, at])
    return w

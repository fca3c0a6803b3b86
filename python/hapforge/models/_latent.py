"""The hidden space of a Boltzmann machine: means of its hidden units and the singular vectors of its weights."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.models._fixed_point import BITS
from hapforge.models._machine import Machine


class SingularVectors(NamedTuple):
    """Of W = sum_k s_k u_k w_k^T, by falling s_k.

    Attributes
    ----------
    visible : float64 (num_sites, k), the u_k: axes of the visible space
    values : float64 (k,), the s_k
    hidden : float64 (num_hidden, k), the w_k: axes of the hidden space
    """

    visible: NDArray[np.float64]
    values: NDArray[np.float64]
    hidden: NDArray[np.float64]


def hidden_means(machine: Machine, rows: Tensor) -> Tensor:
    """<h_j | v> of packed rows, float64 (n, num_hidden); x = b_j + (v W)_j.

    sigmoid(x); for rectified units x + phi(x) / Phi(x), the mean of a Gaussian around x cut off at 0.
    """
    x = machine.hidden_field(rows).double() / (1 << BITS)
    if machine.hidden == "bernoulli":
        return torch.sigmoid(x)
    return x + torch.exp(-x * x / 2 - math.log(2 * math.pi) / 2 - torch.special.log_ndtr(x))


@_backend.one_blas_thread()
def singular_vectors(weights: NDArray[np.float64], k: int) -> SingularVectors:
    """The k leading ones. In each u_k the first entry whose size is (within 1e-6 of) the greatest is positive."""
    if not 1 <= k <= min(weights.shape):
        raise ValueError(f"k: expected 1 to {min(weights.shape)}, found {k}")
    visible, values, hidden = np.linalg.svd(weights, full_matrices=False)
    visible, hidden = visible[:, :k], hidden[:k].T
    size = np.abs(visible)
    greatest = (size >= (1 - 1e-6) * size.max(0)).argmax(0)
    sign = np.where(visible[greatest, np.arange(k)] < 0, -1.0, 1.0)
    return SingularVectors(visible * sign, values[:k], hidden * sign)

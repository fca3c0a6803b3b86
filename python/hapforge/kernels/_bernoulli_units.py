"""Draws of binary units from fixed-point fields; private, for the models."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend


def _bernoulli_units(
    field: NDArray[Any],
    fixed_point_bits: int,
    *,
    seed: int,
    step: int,
    layer: int,
    first_chain: int = 0,
    packed: bool = False,
    backend: str = "auto",
    threads: int | None = None,
) -> NDArray[np.float32] | NDArray[np.uint64]:
    """Draw unit j of chain c as 1 with probability sigmoid(field[c, j] 2**-fixed_point_bits).

    The arithmetic is that of csrc/kernels/bernoulli_units/kernel.h: integers and Philox4x32-10 with key `seed` and
    counter (unit block, chain, step, layer), so a draw depends on nothing but the arguments. tests/reference/gibbs.py
    says the same in Python.

    Parameters
    ----------
    field : int32 or float32 (num_chains, num_units), C-contiguous
        Whole numbers below 2**31 in magnitude.
    fixed_point_bits : int
        k, 1 to 20.
    seed : int
        0 to 2**64 - 1.
    step, layer : int
        0 to 2**32 - 1.
    first_chain : int
        The number of the chain in row 0; a batch drawn in parts is the batch drawn at once.
    packed : bool
        Whether to return packed words instead of one float per unit.
    backend, threads
        They never change the result.

    Returns
    -------
    float32 (num_chains, num_units) of 0 and 1, or uint64 (num_chains, ceil(num_units / 64)) with zero padding

    Raises
    ------
    ValueError
        fixed_point_bits out of range; a float field that is not whole or too large.
    TypeError
        Another dtype, an array that is not C-contiguous, or an integer out of its range.
    """
    return _backend.core.bernoulli_units(
        field,
        fixed_point_bits,
        seed,
        step,
        layer,
        first_chain,
        packed,
        _backend.resolve("bernoulli_units", backend),
        _backend.get_threads(threads),
    )

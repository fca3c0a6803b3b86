"""Fields and draws of units in integers, in torch: on a device, the bits that `hapforge.kernels.gibbs` draws.

Weights are integers in units of 2**-BITS with two balanced base-256 digits, |W_q| <= LARGEST_WEIGHT. A field
``units @ W_q`` is then two products of 0/1 units with 8-bit digits, exact in float32 whatever the order of the sums:
128 K < 2**24 for K < 131,072 units.
"""

from __future__ import annotations

import torch
from torch import Tensor

from hapforge import _backend

BITS = 12
"""Weights and biases are multiples of 2**-BITS."""
LARGEST_WEIGHT = 127 * 256 + 127
LARGEST_BIAS = 1 << 28

_MASK32 = 0xFFFFFFFF
_ONE = 1 << 30
_GONE = 90_853  # from this y on exp(-y 2**-BITS) is 0 in units of 2**-30
_DECAYS: dict[torch.device, Tensor] = {}
_EXP2 = (1 << 30, 744257403, 257891465, 59375086, 9884650, 1014583)


def quantised(values: Tensor, largest: int) -> Tensor:
    """int32: values in units of 2**-BITS, rounded half to even, held within +-largest."""
    return (values.double() * (1 << BITS)).round_().clamp_(-largest, largest).to(torch.int32)


def digits(matrix: Tensor) -> Tensor:
    """int8 (a, 2 b): the low digits of an int32 (a, b) beside its high digits; matrix = low + 256 high."""
    low = ((matrix + 128) & 255) - 128
    return torch.cat([low, (matrix - low) >> 8], dim=1).to(torch.int8)


def check_range(weights: Tensor) -> None:
    """Raise ValueError where a field could pass 2**31: every row and column sum of |W_q| must stay below 2**30."""
    longest = max(weights.shape)
    if longest * LARGEST_WEIGHT < 1 << 30:
        return
    if longest >= 131_072:
        raise ValueError(f"weights: expected fewer than 131072 units in a layer, found {longest}")
    largest = max(int(weights.abs().sum(axis, dtype=torch.int64).max()) for axis in (0, 1))
    if largest >= 1 << 30:
        raise ValueError(
            f"weights: expected row and column sums of |W| below {2.0 ** (30 - BITS)}, found {largest / 2**BITS}"
        )


def product(units: Tensor, matrix_digits: Tensor) -> Tensor:
    """int32 (n, b): units int8 (n, a) of 0 and 1 times the matrix (a, b) whose `digits` are given; exact."""
    both = (units.float() @ matrix_digits.float()).to(torch.int32)
    width = both.shape[1] // 2
    return both[:, :width].add(both[:, width:], alpha=256)


def draw(field: Tensor, *, seed: int, step: int, layer: int, first_chain: int = 0) -> Tensor:
    """int8 (n, units): unit j of chain c is 1 with probability sigmoid(field[c, j] 2**-BITS).

    Parameters
    ----------
    field : int32 (n, units)
    seed, step, layer, first_chain : with the unit's number, the counter of its random word

    Notes
    -----
    csrc/kernels/gibbs/unit_draw.h defines it; no product here passes 2**63.
    """
    uniform = _uniforms(field, seed, step, layer, first_chain)
    x = field.long()
    negative = x < 0
    below = torch.where(negative, uniform ^ _MASK32, uniform) * (_ONE + _decay(x.abs())) < 1 << 62
    return (below ^ negative).to(torch.int8)


def draw_one(field: Tensor, *, seed: int, step: int, layer: int, first_chain: int = 0) -> Tensor:
    """int64 (n, units): in chain c unit j has value m with probability softmax(field[c, j] 2**-BITS)[m].

    Parameters
    ----------
    field : int32 (n, units, values), fewer than 2**16 values
    seed, step, layer, first_chain : with the unit's number, the counter of its random word U, as in `draw`

    Notes
    -----
    With e_m = exp(field_m - max field) in units of 2**-30, as `draw` has it, the first m is taken at which the sum of
    e_0 ... e_m exceeds floor(U sum(e) / 2**32): integers throughout, so every device draws the same.
    csrc/kernels/gibbs/categorical.cpp does it on the CPU, on one thread.
    """
    if field.device.type == "cpu":
        values = field.contiguous().numpy()
        return torch.from_numpy(_backend.core.gibbs_draw_values(values, BITS, seed, step, layer, first_chain))
    return _drawn_in_torch(field, seed, step, layer, first_chain)


def _drawn_in_torch(field: Tensor, seed: int, step: int, layer: int, first_chain: int) -> Tensor:
    x = field.long()
    below = (x.amax(2, keepdim=True) - x).clamp_(max=_GONE)
    reached = _decays(field.device)[below].cumsum(2)
    uniform = _uniforms(field, seed, step, layer, first_chain)
    total = reached[:, :, -1]  # below 2**46
    upper, lower = uniform * (total >> 16), uniform * (total & 0xFFFF)
    return (reached <= (upper + (lower >> 16) >> 16)[:, :, None]).sum(2)


def _decay(y: Tensor) -> Tensor:
    """int64: exp(-y 2**-BITS) in units of 2**-30, of int64 y >= 0."""
    z = y * 3098164009 >> (BITS - 1)
    whole, fraction = z >> 32, z & _MASK32
    decay = torch.full_like(fraction, _EXP2[5])
    for i in (4, 3, 2, 1, 0):
        decay = _EXP2[i] - (decay * fraction >> 32)
    return torch.where(whole < 32, decay >> whole.clamp(max=31), 0)


def _decays(device: torch.device) -> Tensor:
    """int64 (_GONE + 1,): `_decay` of all that have one."""
    if device not in _DECAYS:
        _DECAYS[device] = _decay(torch.arange(_GONE + 1, device=device))
    return _DECAYS[device]


def _uniforms(field: Tensor, seed: int, step: int, layer: int, first_chain: int) -> Tensor:
    """int64 (n, units): the 32-bit random word of every unit in dimension 1 of a field, for every chain."""
    n, num_units = field.shape[:2]
    unit = torch.arange(num_units, device=field.device)
    block = (unit >> 5) * 8 + ((unit & 15) >> 1)
    word = ((unit >> 4) & 1) * 2 + (unit & 1)
    blocks = torch.arange(num_units // 32 * 8 + min(8, (num_units % 32 + 1) // 2), device=field.device)
    chain = torch.arange(first_chain, first_chain + n, device=field.device)
    words = _philox(blocks.expand(n, -1), chain[:, None].expand(-1, len(blocks)), step, layer, seed)
    return torch.stack(words, 2).flatten(1)[:, 4 * block + word]


def _philox(block: Tensor, chain: Tensor, step: int, layer: int, seed: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Philox4x32-10 (Salmon et al. 2011) with counter (block, chain, step, layer): four 32-bit words, as int64."""
    c0, c1 = block, chain
    c2, c3 = torch.full_like(block, step), torch.full_like(block, layer)
    key0, key1 = seed & _MASK32, seed >> 32
    for _ in range(10):
        high0, low0 = _multiply(c0, 0xD2511F53)
        high1, low1 = _multiply(c2, 0xCD9E8D57)
        c0, c1, c2, c3 = high1 ^ c1 ^ key0, low1, high0 ^ c3 ^ key1, low0
        key0, key1 = (key0 + 0x9E3779B9) & _MASK32, (key1 + 0xBB67AE85) & _MASK32
    return c0, c1, c2, c3


def _multiply(a: Tensor, b: int) -> tuple[Tensor, Tensor]:
    """High and low 32 bits of the product of 32-bit numbers, by halves of b."""
    upper, lower = a * (b >> 16), a * (b & 0xFFFF)
    return upper + (lower >> 16) >> 16, ((upper << 16) + lower) & _MASK32

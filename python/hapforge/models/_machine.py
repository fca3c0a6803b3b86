"""A Boltzmann machine in integers: chains, fields, moments, free energies, on the CPU and, in torch, on a device.

Rows of units travel packed: int64 (n, words_per_row) on the machine's device, the bits of `HaplotypeMatrix.words`.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.haplotypes import words_per_row
from hapforge.kernels import GibbsMachine, bit_product
from hapforge.models import _fixed_point
from hapforge.models._fixed_point import BITS

ONE = 1 << 14
"""Hidden probabilities are counted in units of 1 / ONE ..."""
_TABLE_BITS, _TABLE_RANGE = 10, 12  # ... read at fields rounded to 2**-10 within +-12
_HIDDEN_LAYER, _VISIBLE_LAYER, _START_LAYER = 0, 1, 2


class Moments(NamedTuple):
    """Of v_i P(h_j = 1 | v) (num_visible, num_hidden), of v, of P(h | v): sums over rows, int64, or means, float64."""

    both: Tensor
    visible: Tensor
    hidden: Tensor


class Machine(Protocol):
    """An RBM in integers, ready to compute fields; the same numbers on any device.

    weights int32 (num_visible, num_hidden), visible_bias int32 (num_visible,), hidden_bias int32 (num_hidden,).
    """

    weights: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor

    def hidden_field(self, rows: Tensor) -> Tensor:
        """int32 (n, num_hidden) of packed rows, in units of 2**-BITS."""

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
    ) -> Tensor:
        """Packed rows: chains after `steps` steps.

        Parameters
        ----------
        n, first_chain : chains first_chain ... first_chain + n - 1, by whose numbers random words are chosen
        start : packed rows; None: every unit 1 with probability 1/2, by the seed
        clamp : bool (num_visible,), on the CPU; units that keep the value they have in `start`, which must be given;
            1 step or more
        """

    def sums(self, rows: Tensor) -> Moments:
        """Of packed rows, n <= 65,536; P(h | v) counts in units of 1 / ONE."""


class HostMachine:
    """A `Machine` on the CPU: hapforge.kernels.gibbs, on one thread (callers share out rows among threads)."""

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        parts = (part.numpy() for part in (weights, visible_bias, hidden_bias))
        self._gibbs = GibbsMachine(*parts, fixed_point_bits=BITS)

    def hidden_field(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self._hidden_fields(self._bits(rows), len(rows))).T.contiguous()

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
    ) -> Tensor:
        if clamp is not None:
            assert start is not None
            words = (start.numpy().view(np.uint64), len(self.weights))
            state = self._gibbs.run(
                words, steps=steps, seed=seed, clamp=clamp.numpy(), first_chain=first_chain, threads=1
            )
            return host_rows(state.visible[0])
        bits = None if start is None else self._bits(start)
        bits, _ = self._gibbs.run_bits(bits, n, steps=steps, seed=seed, first_chain=first_chain, threads=1)
        return host_rows(_backend.transpose(bits, n, 1))

    def sums(self, rows: Tensor) -> Moments:
        bits, num_visible = self._bits(rows), len(self.weights)
        probability = _probability(torch.from_numpy(self._hidden_fields(bits, len(rows))))  # (num_hidden, n)
        words = rows.numpy().view(np.uint64)
        both = torch.from_numpy(bit_product((words, num_visible), probability.numpy(), threads=1)).T
        visible = np.bitwise_count(bits).sum(1, dtype=np.int64)
        return Moments(both, torch.from_numpy(visible), probability.sum(1))

    def _hidden_fields(self, bits: NDArray[np.uint64], n: int) -> NDArray[np.int32]:
        return self._gibbs.hidden_fields(bits, n, threads=1)

    def _bits(self, rows: Tensor) -> NDArray[np.uint64]:
        """A row of bits a unit."""
        return _backend.transpose(rows.numpy().view(np.uint64), len(self.weights), 1)


class DeviceMachine:
    """A `Machine` in torch."""

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        _fixed_point.check_range(weights)
        self._to_hidden = _fixed_point.digits(weights)
        self._to_visible = _fixed_point.digits(weights.T)

    def hidden_field(self, rows: Tensor) -> Tensor:
        return self._hidden_field(unpacked(rows, len(self.weights)))

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
    ) -> Tensor:
        if start is None:
            even = torch.zeros((n, len(self.visible_bias)), dtype=torch.int32, device=self.weights.device)
            visible = _fixed_point.draw(even, seed=seed, step=0, layer=_START_LAYER, first_chain=first_chain)
        else:
            visible = unpacked(start, len(self.visible_bias))
        held = None if clamp is None else clamp.to(self.weights.device)
        for step in range(steps):
            where = {"seed": seed, "step": step, "first_chain": first_chain}
            hidden = _fixed_point.draw(self._hidden_field(visible), layer=_HIDDEN_LAYER, **where)
            field = _fixed_point.product(hidden, self._to_visible).add_(self.visible_bias)
            drawn = _fixed_point.draw(field, layer=_VISIBLE_LAYER, **where)
            visible = drawn if held is None else torch.where(held, visible, drawn)
        return packed(visible)

    def sums(self, rows: Tensor) -> Moments:
        visible = unpacked(rows, len(self.weights))
        probability = _probability(self._hidden_field(visible))  # (n, num_hidden)
        both = _fixed_point.product(visible.T.contiguous(), _fixed_point.digits(probability))
        return Moments(both, visible.sum(0), probability.sum(0))

    def _hidden_field(self, visible: Tensor) -> Tensor:
        return _fixed_point.product(visible, self._to_hidden).add_(self.hidden_bias)


def machine_of(weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> Machine:
    """The machine of int32 parameters, on their device."""
    kind = HostMachine if weights.device.type == "cpu" else DeviceMachine
    return kind(weights, visible_bias, hidden_bias)


def host_rows(words: NDArray[np.uint64]) -> Tensor:
    """Packed rows on the CPU; a copy where the words are read-only, as those of a cohort are."""
    return torch.from_numpy((words if words.flags.writeable else words.copy()).view(np.int64))


def unpacked(rows: Tensor, num_units: int) -> Tensor:
    """int8 (n, num_units) of packed rows."""
    places = torch.arange(64, device=rows.device)
    return (rows[:, :, None] >> places).bitwise_and_(1).to(torch.int8).flatten(1)[:, :num_units].contiguous()


def packed(units: Tensor) -> Tensor:
    """Packed rows of int8 (n, num_units)."""
    words = words_per_row(units.shape[1])
    whole = torch.nn.functional.pad(units, (0, 64 * words - units.shape[1])).long()
    return (whole.unflatten(1, (words, 64)) << torch.arange(64, device=units.device)).sum(2)


def free_energy(machine: Machine, rows: Tensor) -> Tensor:
    """F(v) = -a.v - sum_j log(1 + exp(b_j + (v W)_j)) of packed rows, float64 (n,)."""
    hidden = torch.nn.functional.softplus(machine.hidden_field(rows).double() / (1 << BITS)).sum(1)
    visible = unpacked(rows, len(machine.visible_bias)).double()  # integers below 2**53: the product is exact
    return -(visible @ machine.visible_bias.double()) / (1 << BITS) - hidden


def _probability(field: Tensor) -> Tensor:
    """int32, sigmoid(field 2**-BITS) in units of 1 / ONE, at fields rounded to 2**-_TABLE_BITS."""
    nearest = (field + (1 << BITS - _TABLE_BITS - 1)) >> BITS - _TABLE_BITS
    edge = _TABLE_RANGE << _TABLE_BITS
    return _probability_table(field.device)[nearest.clamp_(-edge, edge) + edge]


_TABLES: dict[str, Tensor] = {}


def _probability_table(device: torch.device) -> Tensor:
    """int32: ONE sigmoid(x) at x = -12, -12 + 2**-10 ... 12; a table, since exp may round by place in the array."""
    if str(device) not in _TABLES:
        edge = _TABLE_RANGE << _TABLE_BITS
        x = np.arange(-edge, edge + 1) / (1 << _TABLE_BITS)
        values = np.round(ONE / (1 + np.exp(-x))).astype(np.int32)
        _TABLES[str(device)] = torch.from_numpy(values).to(device)
    return _TABLES[str(device)]

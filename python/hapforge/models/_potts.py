"""Potts units: positions of aligned sequences, each a block of columns of which exactly one is 1."""

from __future__ import annotations

import torch
from torch import Tensor

from hapforge.haplotypes import words_per_row
from hapforge.models import _fixed_point
from hapforge.models._machine import START_LAYER, VISIBLE_LAYER, Machine, cooled, is_one, packed

_DRAWN_AT_ONCE = 1 << 20  # fields


class PottsMachine:
    """A `Machine` whose first columns are units of `num_states` values each, drawn by the softmax of their fields.

    Unit i of v has the random word that column i of a machine without Potts units has. What columns stand behind those
    of the units (a label's) are 0 in what is drawn, where they are not held.
    """

    def __init__(self, machine: Machine, num_units: int, num_states: int) -> None:
        self._num_units, self._num_states = num_units, num_states
        self.weights, self.visible_bias, self.hidden_bias = machine.weights, machine.visible_bias, machine.hidden_bias
        self.hidden, self.unit = machine.hidden, machine.unit
        self.hidden_field, self.visible_field, self.sums = machine.hidden_field, machine.visible_field, machine.sums
        self.draw_hidden = machine.draw_hidden

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
        temperature: float | Tensor = 1.0,
    ) -> Tensor:
        rows = self._random(n, seed, first_chain) if start is None else start
        for step in range(steps):
            last = step == steps - 1
            drawn, _ = self._step(rows, step, seed, first_chain, temperature if last else 1.0)
            if clamp is not None:
                held = packed(clamp.to(rows.device, torch.int8).expand(len(rows), -1))
                drawn = (rows & held) | (drawn & ~held)
            rows = drawn
        return rows

    def step(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> tuple[Tensor, Tensor]:
        return self._step(rows, step, seed, first_chain, 1.0)

    def _step(
        self, rows: Tensor, step: int, seed: int, first_chain: int, temperature: float | Tensor
    ) -> tuple[Tensor, Tensor]:
        hidden = self.draw_hidden(rows, step, seed, first_chain=first_chain)
        field = self.visible_field(hidden)[:, : self._num_units * self._num_states]
        if not is_one(temperature):
            field = cooled(field, temperature)
        return self._drawn(field, seed, step, VISIBLE_LAYER, first_chain), hidden

    def _random(self, n: int, seed: int, first_chain: int) -> Tensor:
        """Packed rows in which every value of a unit is as likely."""
        even = torch.zeros((1, 1), dtype=torch.int32, device=self.weights.device)
        return self._drawn(even.expand(n, self._num_units * self._num_states), seed, 0, START_LAYER, first_chain)

    def _drawn(self, field: Tensor, seed: int, step: int, layer: int, first_chain: int) -> Tensor:
        """Packed rows, of the fields of the units' columns."""
        n, columns = field.shape
        at_once = max(1, _DRAWN_AT_ONCE // columns)
        first_column = torch.arange(0, columns, self._num_states, device=field.device)
        rows = []
        for first in range(0, max(n, 1), at_once):
            part = field[first : first + at_once].unflatten(1, (self._num_units, self._num_states))
            where = {"seed": seed, "step": step, "first_chain": first_chain + first}
            column = first_column + _fixed_point.draw_one(part, layer=layer, **where)
            words = torch.zeros((len(part), words_per_row(len(self.weights))), dtype=torch.int64, device=field.device)
            rows.append(words.scatter_add_(1, column >> 6, 1 << (column & 63)))  # a bit at most once
        return torch.cat(rows)


def with_potts_units(machine: Machine, num_columns: int, num_states: int) -> Machine:
    """The machine with Potts units in its first columns; as it is where `num_states` is 0."""
    return PottsMachine(machine, num_columns // num_states, num_states) if num_states else machine


def to_zero_sum(parameters: Tensor, num_states: int) -> None:
    """Take from the parameters of every column, in place, their mean over the columns of its unit.

    Of W and a of Potts units it is the zero-sum gauge; one added to all columns of a unit belongs to b, or to nothing.
    """
    of_units = parameters.unflatten(0, (-1, num_states))
    total = of_units[:, 0].clone()
    for state in range(1, num_states):  # in this order, on any CPU
        total += of_units[:, state]
    of_units -= (total / num_states)[:, None]

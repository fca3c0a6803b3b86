"""A categorical unit in the visible layer of a Boltzmann machine: one-hot columns behind those of the sites."""

from __future__ import annotations

import torch
from torch import Tensor

from hapforge.models import _fixed_point
from hapforge.models._machine import Machine, packed, unpacked

_LABEL_LAYER, _LABEL_START_LAYER = 3, 4  # of random words; the units of the machine have 0 to 2


class LabelUnit:
    """Where the label is in packed rows of sites and label.

    Attributes
    ----------
    columns : bool (num_sites + num_labels,), True at the label's
    """

    def __init__(self, num_sites: int, num_labels: int, device: torch.device) -> None:
        self.num_sites, self.num_labels = num_sites, num_labels
        one_hot = torch.eye(num_labels, dtype=torch.int8, device=device)
        self._words = packed(torch.nn.functional.pad(one_hot, (num_sites, 0)))  # (num_labels, words_per_row)
        self._mask = self._words.sum(0)
        self.columns = torch.arange(num_sites + num_labels) >= num_sites

    def without(self, rows: Tensor) -> Tensor:
        """The rows with no label."""
        return rows & ~self._mask

    def put(self, rows: Tensor, labels: Tensor) -> Tensor:
        """The rows with these labels, int64 (n,), -1 for none, whatever they have."""
        return self.without(rows) | torch.where(labels[:, None] < 0, 0, self._words[labels])

    def read(self, rows: Tensor) -> Tensor:
        """int64 (n,), the label of every row; -1 where there is none."""
        found = torch.stack([(rows & word).any(1) for word in self._words], 1)
        return torch.where(found.any(1), found.long().argmax(1), -1)

    def random(self, rows: Tensor, seed: int, *, first_chain: int = 0) -> Tensor:
        """The rows with labels that are all as likely."""
        even = torch.zeros((len(rows), 1, self.num_labels), dtype=torch.int32, device=rows.device)
        where = {"seed": seed, "step": 0, "first_chain": first_chain}
        return self.put(rows, _fixed_point.draw_one(even, layer=_LABEL_START_LAYER, **where)[:, 0])

    def chains(
        self, machine: Machine, rows: Tensor, steps: int, seed: int, *, first_chain: int = 0, clamp_sites: bool = False
    ) -> Tensor:
        """Rows after `steps` steps in which the label moves: h given sites and label, then both given h.

        Parameters
        ----------
        clamp_sites : whether sites keep their values, so that only the label moves
        """
        to_label = _fixed_point.digits(machine.weights[self.num_sites :].T.contiguous())
        bias = machine.visible_bias[self.num_sites :]
        for step in range(steps):
            if clamp_sites:
                hidden = machine.draw_hidden(rows, step, seed, first_chain=first_chain)
            else:
                rows, hidden = machine.step(rows, step, seed, first_chain=first_chain)
            field = _fixed_point.product(unpacked(hidden, len(machine.hidden_bias)), to_label) + bias
            where = {"seed": seed, "step": step, "first_chain": first_chain}
            label = _fixed_point.draw_one(field[:, None], layer=_LABEL_LAYER, **where)[:, 0]
            rows = self.put(rows, label)
        return rows

    def free_energies(self, machine: Machine, rows: Tensor) -> Tensor:
        """F(v, l) + a.v for every label l, float64 (n, num_labels), whatever label the rows have."""
        field, unit = machine.hidden_field(self.without(rows)), 1 << _fixed_point.BITS
        of_label = machine.weights[self.num_sites :]
        parts = [
            torch.nn.functional.softplus((field + weights).double() / unit).sum(1) + bias.double() / unit
            for weights, bias in zip(of_label, machine.visible_bias[self.num_sites :], strict=True)
        ]
        return -torch.stack(parts, 1)

"""What the models of one Boltzmann machine share: its rounded parameters."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge.haplotypes import HaplotypeMatrix, words_per_row
from hapforge.models import _store
from hapforge.models._fixed_point import BITS
from hapforge.models._machine import Machine, machine_of
from hapforge.models._rbm_config import RBMConfig
from hapforge.models._training import TrainedModel
from hapforge.models._workers import Workers

ROWS = 1024
"""Rows that a thread computes at a time."""


class BoltzmannModel(TrainedModel):
    """A model that is one machine of visible and hidden units, its parameters multiples of 2**-BITS."""

    config: RBMConfig
    _weights: NDArray[np.int16]
    _visible_bias: NDArray[np.int32]
    _hidden_bias: NDArray[np.int32]

    def __init__(self) -> None:
        super().__init__()
        self._device = torch.device("cpu")

    @property
    def hidden_bias(self) -> NDArray[np.float64]:
        """b, float64 (num_hidden,)."""
        return self._hidden_bias.astype(np.float64) / (1 << BITS)

    def _check_sites(self, H: HaplotypeMatrix) -> None:
        if H.num_sites != len(self.sites):
            raise ValueError(f"H: expected {len(self.sites)} sites, found {H.num_sites}")

    def _machine(self, device: torch.device) -> Machine:
        parts = (self._weights.astype(np.int32), self._visible_bias, self._hidden_bias)
        weights, visible_bias, hidden_bias = (torch.from_numpy(part).to(device) for part in parts)
        return machine_of(weights, visible_bias, hidden_bias, self.config.hidden)

    def _in_blocks(self, first: int, last: int, draw: Callable[[int, int], Tensor]) -> NDArray[np.uint64]:
        """Packed rows first ... last - 1 at the model's sites; draw(a, b) gives at most ROWS of them, on any thread."""
        words = np.zeros((last - first, words_per_row(len(self.sites))), np.uint64)

        def blocks(begin: int, end: int) -> None:
            for a in range(begin, end, ROWS):
                b = min(a + ROWS, end)
                words[a:b] = draw(first + a, first + b)[:, : words.shape[1]].cpu().numpy().view(np.uint64)

        with Workers(self._device) as workers:
            workers.share(last - first, blocks)
        return words

    def _describe_training(self, data: HaplotypeMatrix, seed: int, **more: Any) -> None:
        super()._describe_training(data, seed, fixed_point_bits=BITS, **more)

    def _tensors(self) -> _store.Tensors:
        return {
            "weights": self._weights,
            "visible_bias": self._visible_bias,
            "hidden_bias": self._hidden_bias,
            "fixed_point_bits": np.array([BITS], np.int32),
        }

    def _take(self, tensors: _store.Tensors, num_visible: int, more: _store.Shapes) -> None:
        """Take the parameters, after a check of their names, shapes and dtypes and of those of what there is `more`."""
        num_hidden = self.config.num_hidden
        expected: _store.Shapes = {
            "weights": ((num_visible, num_hidden), np.int16),
            "visible_bias": ((num_visible,), np.int32),
            "hidden_bias": ((num_hidden,), np.int32),
            "fixed_point_bits": ((1,), np.int32),
        }
        _store.check_tensors(tensors, expected | more)
        if int(tensors["fixed_point_bits"][0]) != BITS:
            raise ValueError(f"fixed_point_bits: expected {BITS}, found {int(tensors['fixed_point_bits'][0])}")
        self._weights = tensors["weights"]
        self._visible_bias, self._hidden_bias = tensors["visible_bias"], tensors["hidden_bias"]

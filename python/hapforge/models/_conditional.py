"""One machine of a chain: a Boltzmann machine some of whose sites are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.models._boltzmann import BoltzmannLearner
from hapforge.models._machine import Machine, Moments, host_rows, packed
from hapforge.models._rbm_config import RBMConfig
from hapforge.models.rbm import RBM


@dataclass(frozen=True)
class ConditionalConfig(RBMConfig):
    """
    Attributes
    ----------
    num_pinned : int, sites at the beginning that are given; 0: an RBM
    """

    num_pinned: int = 0


class ConditionalRBM(RBM):
    """p(s | x) of inferred sites s given pinned ones x, the first of its sites.

    p(s, h | x) = exp(s.U.h + x.V.h + a.s + b.h) / Z(x): an RBM whose hidden biases depend on x. Chains hold x, and
    start their other units uniformly at random. With U over V as W and v = (x, s) the gradient of mean log p(s | x) is
    <v h>_data - <v h>_chains as in an RBM, where the chain of a row has that row's x: the second term is the mean over
    data rows x of E(v h | x), so that each row of a batch has one chain, whatever `num_chains`. As x is the same in
    both terms, pinned sites learn only V (<x (h_data - h_chain)>), and have no bias. In both terms h is its mean
    given the v of that term, data or end of the chain.

    What whitens the gradient is made of the covariance C of all v, pinned sites too: x is another one in every row, so
    that W acts on h by v as a whole, and steps along W are as long as v varies. Of the gradient of biases, 0 at pinned
    sites, C^-1 leaves at the others its block of s, which is the inverse covariance of s given x.

    References
    ----------
    Yelmen et al. 2023, Materials and Methods, "RBM", conditional RBM, figure 2.
    """

    name: ClassVar[str] = "crbm-window"
    summary: ClassVar[str] = "One window of a chain of conditional RBMs (Yelmen et al. 2023)."
    config_type: ClassVar[type] = ConditionalConfig
    config: ConditionalConfig

    @property
    def _learner_type(self) -> type[BoltzmannLearner]:
        return ConditionalLearner if self.config.num_pinned else BoltzmannLearner

    def extend(
        self,
        given: NDArray[np.uint64],
        seed: int,
        *,
        first_row: int = 0,
        steps: int | None = None,
        temperature: float | None = None,
    ) -> NDArray[np.uint64]:
        """Packed rows whose pinned sites are those of packed rows, from `first_row` on, the others drawn given them."""
        config, machine = self.config, self._machine(self._device)
        steps = steps or config.steps_of_draws
        temperature = temperature or config.temperature

        def block(first: int, last: int) -> Tensor:
            rows = host_rows(given[first - first_row : last - first_row]).to(self._device)
            return pinned_chains(
                machine, rows, config.num_pinned, steps, seed, first_chain=first, temperature=temperature
            )

        return self._in_blocks(first_row, first_row + len(given), block)


class ConditionalLearner(BoltzmannLearner):
    """Learns p(s | x); see `ConditionalRBM`."""

    def __init__(self, H: HaplotypeMatrix, config: ConditionalConfig, *args: Any, **more: Any) -> None:
        super().__init__(H, config, *args, **more)
        self._num_pinned = config.num_pinned
        self.visible_bias[: self._num_pinned] = 0

    def update(self, batch: Tensor, steps: int, rate: float, chain_seed: int) -> float:
        machine = self.machine()

        def chains(first: int, last: int) -> Moments:
            rows = batch[first:last]
            ended = pinned_chains(machine, rows, self._num_pinned, steps, chain_seed, first_chain=first)
            return machine.sums(ended)

        data = self.moments(machine, batch)
        model = self._mean(self._workers.share(len(batch), chains), len(batch), machine.unit)
        self.step(data, model, rate)
        self.visible_bias[: self._num_pinned] = 0
        return float((data.visible - model.visible)[self._num_pinned :].abs().mean())


def pinned_chains(
    machine: Machine,
    rows: Tensor,
    num_pinned: int,
    steps: int,
    seed: int,
    *,
    first_chain: int = 0,
    temperature: float = 1.0,
) -> Tensor:
    """Chains that hold the first sites of packed rows, one a row; the other sites start uniformly at random."""
    clamp = torch.arange(len(machine.visible_bias)) < num_pinned
    held = packed(clamp[None].to(torch.int8)).to(rows.device)
    start = machine.chains(len(rows), 0, seed, first_chain=first_chain)
    start = (start & ~held) | (rows & held)
    return machine.chains(
        len(rows), steps, seed, first_chain=first_chain, start=start, clamp=clamp, temperature=temperature
    )

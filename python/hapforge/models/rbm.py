"""Restricted Boltzmann machine, trained out of equilibrium."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix, words_per_row
from hapforge.models import _store
from hapforge.models._boltzmann import BoltzmannLearner
from hapforge.models._fixed_point import BITS
from hapforge.models._machine import Machine, free_energy, host_rows, machine_of
from hapforge.models._training import TrainedModel
from hapforge.models._workers import Workers, device_of

_ROWS = 1024
_MAX_ROWS = 65_536


@dataclass(frozen=True)
class RBMConfig:
    """
    Attributes
    ----------
    num_hidden : int, hidden units
    gibbs_steps : int, k: steps from the uniform start, the same at training and at sampling
    early_gibbs_steps : int, steps of the chains ...
    early_share : float in [0, 1), ... over this share of the updates: short chains learn the coarse structure cheaply,
        the last updates the distribution after k steps. 0 is Rdm-k as published: k steps throughout
    epochs : int, passes over the training rows
    batch_size : int, training rows per update (batches of an epoch are as equal as can be)
    num_chains : int, chains per update
    learning_rate : float, at its height
    warmup : float in [0, 1], share of the updates over which the rate grows from a tenth of its height
    hold : float in [0, 1], share of the updates after which it falls, exponentially ...
    final_rate : float in (0, 1], ... to this share of its height
    site_scaling : float in [0, 1]: site j's rate is multiplied by (4 max(f_j (1 - f_j), 0.01))**-site_scaling, so that
        rare alleles are learnt as fast as common ones
    initial_scale : float, standard deviation of the first weights
    """

    num_hidden: int = 400
    gibbs_steps: int = 10
    early_gibbs_steps: int = 10
    early_share: float = 0.0
    epochs: int = 600
    batch_size: int = 500
    num_chains: int = 300
    learning_rate: float = 0.1
    warmup: float = 0.2
    hold: float = 0.5
    final_rate: float = 0.05
    site_scaling: float = 0.5
    initial_scale: float = 0.001

    def __post_init__(self) -> None:
        for name in ("num_hidden", "gibbs_steps", "early_gibbs_steps", "epochs", "batch_size", "num_chains"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, found {getattr(self, name)}")
        for name in ("batch_size", "num_chains"):
            if getattr(self, name) > _MAX_ROWS:
                raise ValueError(f"{name}: expected at most {_MAX_ROWS}, found {getattr(self, name)}")
        for name in ("warmup", "hold", "site_scaling"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, found {getattr(self, name)}")
        if not 0 <= self.early_share < 1:
            raise ValueError(f"early_share: expected 0 or more and below 1, found {self.early_share}")
        for name in ("learning_rate", "initial_scale", "final_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected a positive number, found {getattr(self, name)}")
        if self.initial_scale > 1:
            raise ValueError(f"initial_scale: expected at most 1, found {self.initial_scale}")


class RBM(TrainedModel):
    """Restricted Boltzmann machine with binary units, trained out of equilibrium (Rdm-k).

    E(v, h) = -v.W.h - a.v - b.h. Chains start uniformly at random and take exactly k steps (h given v, then v given h),
    at training and at sampling alike; the gradient is <v h>_data - <v h>_chains with P(h | v) for h in both terms. What
    is learnt is the distribution after k steps, which needs no equilibrium. The gradient is centred (Melchior et al.
    2016): moments are taken of v - mean(v) and h - mean(h), with running means for h.

    Weights and biases act as multiples of 2**-12, in training too, and every random number is counter-based: the same
    seed gives the same weights and draws on any number of threads, resumed or not.

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `RBMConfig`

    References
    ----------
    Yelmen et al. 2023, Deep convolutional and conditional neural networks for large-scale genomic data generation,
    Materials and Methods, "RBM"; Decelle, Furtlehner, Seoane 2021, Equilibrium and non-equilibrium regimes in the
    learning of restricted Boltzmann machines; Melchior, Fischer, Wiskott 2016, How to center deep Boltzmann machines,
    JMLR 17, algorithm 1.
    """

    name: ClassVar[str] = "rbm"
    summary: ClassVar[str] = "Restricted Boltzmann machine trained out of equilibrium (Yelmen et al. 2023)."
    config_type: ClassVar[type] = RBMConfig
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        # 1,000 sites, 4,008 rows: benchmarks/results/demo.json has its time and scores
        "demo": {
            "num_hidden": 400,
            "gibbs_steps": 40,
            "early_gibbs_steps": 10,
            "early_share": 0.85,
            "epochs": 800,
            "batch_size": 500,
            "num_chains": 300,
            "learning_rate": 0.3,
            "warmup": 0.15,
            "hold": 0.6,
            "final_rate": 0.05,
        },
        # Yelmen et al. 2023, 10,000 sites: k = 200, hidden units "about the same order as the number of visible ones";
        # the rate "such that the eigenvalues of the weight matrix are smoothly increasing", without a number
        "oe_10k": {
            "num_hidden": 10_000,
            "gibbs_steps": 200,
            "learning_rate": 0.005,
            "warmup": 0.0,
            "hold": 1.0,
            "site_scaling": 0.0,
        },
        # Yelmen et al. 2023, 65,535 sites: 1,000 hidden units, rate 0.005, k = 100 (the first RBM of the chain)
        "oe_65k": {
            "num_hidden": 1000,
            "gibbs_steps": 100,
            "learning_rate": 0.005,
            "warmup": 0.0,
            "hold": 1.0,
            "site_scaling": 0.0,
        },
    }

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__()
        if preset is not None:
            if preset not in self.PRESETS:
                raise ValueError(f"preset: expected one of {', '.join(self.PRESETS)}, found {preset!r}")
            settings = {**self.PRESETS[preset], **settings}
        self.config: RBMConfig = RBMConfig(**settings)
        self._device = torch.device("cpu")

    @property
    def weights(self) -> NDArray[np.float64]:
        """W, float64 (num_sites, num_hidden), multiples of 2**-12."""
        return self._weights.astype(np.float64) / (1 << BITS)

    @property
    def visible_bias(self) -> NDArray[np.float64]:
        """a, float64 (num_sites,)."""
        return self._visible_bias.astype(np.float64) / (1 << BITS)

    @property
    def hidden_bias(self) -> NDArray[np.float64]:
        """b, float64 (num_hidden,)."""
        return self._hidden_bias.astype(np.float64) / (1 << BITS)

    def free_energy(self, H: HaplotypeMatrix) -> NDArray[np.float64]:
        """F(v) = -a.v - sum_j log(1 + exp(b_j + (v W)_j)) of every haplotype, float64 (num_haplotypes,)."""
        if H.num_sites != len(self.sites):
            raise ValueError(f"H: expected {len(self.sites)} sites, found {H.num_sites}")
        machine = self._machine()
        parts = [free_energy(machine, rows.to(self._device)) for rows in host_rows(H.words).split(_ROWS)]
        return torch.cat(parts).cpu().numpy()

    @contextmanager
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> Iterator[BoltzmannLearner]:
        self._device = device_of(device)
        with Workers(self._device) as workers:
            yield BoltzmannLearner(H, self.config, seed, workers, validation=validation, device=self._device)

    def _describe_training(self, data: HaplotypeMatrix, seed: int, **more: Any) -> None:
        super()._describe_training(data, seed, fixed_point_bits=BITS, **more)

    def _draw(self, n: int, seed: int) -> NDArray[np.uint64]:
        words = np.zeros((n, words_per_row(len(self.sites))), np.uint64)
        machine = self._machine()
        with Workers(self._device) as workers:

            def chains(first: int, last: int) -> None:
                for start in range(first, last, _ROWS):
                    rows = min(_ROWS, last - start)
                    drawn = machine.chains(rows, self.config.gibbs_steps, seed, first_chain=start)
                    words[start : start + rows] = drawn.cpu().numpy().view(np.uint64)

            workers.share(n, chains)
        return words

    def _machine(self) -> Machine:
        parts = (self._weights.astype(np.int32), self._visible_bias, self._hidden_bias)
        return machine_of(*(torch.from_numpy(part).to(self._device) for part in parts))

    def _tensors(self) -> _store.Tensors:
        return {
            "weights": self._weights,
            "visible_bias": self._visible_bias,
            "hidden_bias": self._hidden_bias,
            "fixed_point_bits": np.array([BITS], np.int32),
        }

    def _restore(self, tensors: _store.Tensors) -> None:
        if int(tensors["fixed_point_bits"][0]) != BITS:
            raise ValueError(f"fixed_point_bits: expected {BITS}, found {int(tensors['fixed_point_bits'][0])}")
        self._weights = tensors["weights"]
        self._visible_bias, self._hidden_bias = tensors["visible_bias"], tensors["hidden_bias"]

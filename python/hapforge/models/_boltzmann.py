"""How a Boltzmann machine learns: moments of data and chains, centred gradient, learning rate."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.kernels import allele_counts
from hapforge.models import _fixed_point, _store
from hapforge.models._fixed_point import BITS, LARGEST_BIAS, LARGEST_WEIGHT
from hapforge.models._machine import ONE, Machine, Moments, free_energy, host_rows, machine_of
from hapforge.models._training import Diverged, stream_seed
from hapforge.models._workers import Workers

_CENTRE_STEP = 0.01
_DIVERGED = 1000.0  # no field of a machine that learns comes near
_STATE = ("weights", "visible_bias", "hidden_bias", "hidden_centre")


class BoltzmannLearner:
    """The float master of the parameters, and how an update changes it.

    Every operation is exact or rounded once per element, so that no result depends on the number of threads.

    Attributes
    ----------
    weights, visible_bias, hidden_bias : float32 (num_visible, num_hidden), (num_visible,), (num_hidden,)
    visible_centre : float64 (num_visible,), allele frequencies of the data
    hidden_centre : float64 (num_hidden,), running means of P(h | data)
    """

    def __init__(
        self,
        H: HaplotypeMatrix,
        config: Any,
        seed: int,
        workers: Workers,
        *,
        validation: HaplotypeMatrix | None = None,
        device: torch.device | None = None,
    ) -> None:
        device = torch.device("cpu") if device is None else device
        self._config, self._seed, self._workers = config, seed, workers
        self._data = host_rows(H.words).to(device)  # packed, as all rows here
        self._held = None if validation is None else host_rows(validation.words).to(device)
        rows, num_visible = H.shape
        frequency = torch.from_numpy(allele_counts(H)).to(device).double() / rows
        inside = frequency.clamp(1 / (2 * rows), 1 - 1 / (2 * rows))
        stream = np.random.Generator(np.random.Philox(key=stream_seed(seed, "weights")))
        initial = stream.standard_normal((num_visible, config.num_hidden)) * config.initial_scale
        self.weights = torch.from_numpy(initial.astype(np.float32)).to(device)
        self.visible_bias = (inside.log() - (1 - inside).log()).float()
        self.hidden_bias = torch.zeros(config.num_hidden, device=device)
        self.visible_centre = frequency
        self.hidden_centre = torch.full((config.num_hidden,), 0.5, dtype=torch.float64, device=device)
        variance = (frequency * (1 - frequency)).clamp(min=0.01)
        self._site_rate = (4 * variance) ** -config.site_scaling  # (num_visible,)

    def machine(self) -> Machine:
        """The parameters, rounded."""
        return machine_of(
            _fixed_point.quantised(self.weights, LARGEST_WEIGHT),
            _fixed_point.quantised(self.visible_bias, LARGEST_BIAS),
            _fixed_point.quantised(self.hidden_bias, LARGEST_BIAS),
        )

    def epoch(self, epoch: int) -> dict[str, float]:
        """All rows once, in a seeded order, in batches that are as equal as can be."""
        config, num_rows = self._config, len(self._data)
        batches = max(1, round(num_rows / config.batch_size))
        num_updates = config.epochs * batches
        order = torch.from_numpy(seeded_order(num_rows, stream_seed(self._seed, "order", epoch))).to(self._data.device)
        gap = 0.0
        for batch, rows in enumerate(order.tensor_split(batches)):
            update = (epoch - 1) * batches + batch
            chain_seed = stream_seed(self._seed, "chains", epoch, batch)
            steps = config.early_gibbs_steps if update < config.early_share * num_updates else config.gibbs_steps
            gap += self.update(self._data[rows], steps, learning_rate(config, update / num_updates), chain_seed)
        largest = float(self.weights.abs().max())
        if not largest < _DIVERGED:
            raise Diverged(
                f"learning_rate: expected one at which training converges, found weights of {largest:.3g} in epoch "
                f"{epoch} at {config.learning_rate}"
            )
        machine = self.machine()
        metrics = {
            "frequency_gap": gap / batches,
            "largest_weight": float(machine.weights.abs().max()) / (1 << BITS),
        }
        if self._held is not None:
            metrics["free_energy_train"] = float(free_energy(machine, self._data[: len(self._held)]).mean())
            metrics["free_energy_validation"] = float(free_energy(machine, self._held).mean())
        return metrics

    def update(self, batch: Tensor, steps: int, rate: float, chain_seed: int) -> float:
        """One step up the gradient; the mean difference of frequencies, data against chains."""
        machine = self.machine()
        num_chains = self._config.num_chains

        def chains(first: int, last: int) -> Moments:
            return machine.sums(machine.chains(last - first, steps, chain_seed, first_chain=first))

        data = self.moments(machine, batch)
        model = mean(self._workers.share(num_chains, chains), num_chains)
        self.step(data, model, rate)
        return float((data.visible - model.visible).abs().mean())

    def moments(self, machine: Machine, rows: Tensor) -> Moments:
        """Means over packed rows."""
        return mean(self._workers.share(len(rows), lambda first, last: machine.sums(rows[first:last])), len(rows))

    def step(self, data: Moments, model: Moments, rate: float) -> None:
        """Move the parameters along the centred gradient, and the centre of the hidden units after the data's."""
        gradient = centred_gradient(data, model, self.visible_centre, self.hidden_centre)
        self.weights += ((rate * self._site_rate)[:, None] * gradient.both).float()
        self.visible_bias += (rate * self._site_rate * gradient.visible).float()
        self.hidden_bias += (rate * gradient.hidden).float()
        self.hidden_centre += _CENTRE_STEP * (data.hidden - self.hidden_centre)

    def tensors(self) -> _store.Tensors:
        """All that changes with training."""
        return {name: getattr(self, name).cpu().numpy() for name in _STATE}

    def restore(self, tensors: _store.Tensors) -> None:
        """Take what `tensors` gave."""
        for name in _STATE:
            setattr(self, name, torch.from_numpy(tensors[name].copy()).to(self.weights.device))

    def snapshot(self) -> _store.Tensors:
        """The rounded parameters, as a model keeps them."""
        machine = self.machine()
        return {
            "weights": machine.weights.to(torch.int16).cpu().numpy(),
            "visible_bias": machine.visible_bias.cpu().numpy(),
            "hidden_bias": machine.hidden_bias.cpu().numpy(),
            "fixed_point_bits": np.array([BITS], np.int32),
        }

    def looked_at(self) -> dict[str, float]:
        """The five largest singular values of W."""
        values = torch.linalg.svdvals(self.weights)[:5].tolist()
        return {f"singular_value_{i}": value for i, value in enumerate(values)}


def mean(parts: list[Moments], rows: int) -> Moments:
    """Moments of all rows from the sums of their parts; exact until the division."""
    both, visible, hidden = (sum(sums[1:], sums[0].long()).double() for sums in zip(*parts, strict=True))
    return Moments(both / (rows * ONE), visible / rows, hidden / (rows * ONE))


def centred_gradient(data: Moments, model: Moments, visible_centre: Tensor, hidden_centre: Tensor) -> Moments:
    """Gradient with respect to W, a and b of a machine in v - visible_centre and h - hidden_centre, in plain W, a, b.

    Melchior et al. 2016, algorithm 1: dW = <(v - m)(h - l)>_data - <(v - m)(h - l)>_model, da = d<v> - dW l,
    db = d<h> - dW^T m. With both centres zero it is the gradient of the mean log likelihood.
    """
    visible, hidden = data.visible - model.visible, data.hidden - model.hidden
    both = data.both - model.both - visible_centre[:, None] * hidden - visible[:, None] * hidden_centre
    # sums in integers: their order must not matter
    grid = (both * 2.0**30).round().long()
    hidden_grid, visible_grid = ((centre * 2.0**16).round().long() for centre in (hidden_centre, visible_centre))
    along_hidden = (grid * hidden_grid).sum(1).double() / 2.0**46
    along_visible = (grid * visible_grid[:, None]).sum(0).double() / 2.0**46
    return Moments(both, visible - along_hidden, hidden - along_visible)


def learning_rate(config: Any, progress: float) -> float:
    """The rate at a share of all updates."""
    rate: float = config.learning_rate
    if progress < config.warmup:
        rate *= 0.1 + 0.9 * progress / config.warmup
    if progress > config.hold:
        rate *= config.final_rate ** ((progress - config.hold) / (1 - config.hold))
    return rate

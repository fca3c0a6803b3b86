"""How a Boltzmann machine learns: moments of data and chains, centred gradient, learning rate."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.kernels import allele_counts
from hapforge.models import _fixed_point, _store
from hapforge.models._fixed_point import BITS, LARGEST_BIAS, LARGEST_WEIGHT
from hapforge.models._machine import Machine, Moments, free_energy, host_rows, machine_of
from hapforge.models._ranks import ALONE, Ranks
from hapforge.models._training import Diverged, stream_seed
from hapforge.models._whitening import Whitening, whitening
from hapforge.models._workers import Workers

_CENTRE_STEP = 0.01
_DIVERGED = 1000.0  # no field of a machine that learns comes near
_LOST = 0.25  # mean difference of frequencies, beyond chance, of chains that have left the data ...
_LOST_EPOCHS = 10  # ... and how long they may: at 805 sites they came back after 6 epochs at most
_SPECTRUM = 5  # singular values that are followed
_HIDDEN_START = {"bernoulli": 0.5, "relu": (2 / math.pi) ** 0.5}  # <h> at a field of 0


class BoltzmannLearner:
    """The float master of the parameters, and how an update changes it.

    Every operation is exact or rounded once per element, so that no result depends on the number of threads.

    Attributes
    ----------
    weights, visible_bias, hidden_bias : float32 (num_visible, num_hidden), (num_visible,), (num_hidden,)
    visible_centre : float64 (num_visible,), allele frequencies of the data
    hidden_centre : float64 (num_hidden,), running means of <h | data>
    basis : float32 (num_hidden, 5 or fewer), near the right singular vectors of the largest singular values
    growth : float64 (2,), factor of the learning rate, largest singular value after the last epoch
    lost : int64 (1,), epochs in a row whose chains have left the data
    chains : packed rows, the persistent chains of PCD
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
        self.weights = _by_column(initial.astype(np.float32), device)
        self.visible_bias = (inside.log() - (1 - inside).log()).float()
        self.hidden_bias = torch.zeros(config.num_hidden, device=device)
        self.visible_centre = frequency
        centre = _HIDDEN_START[config.hidden]
        self.hidden_centre = torch.full((config.num_hidden,), centre, dtype=torch.float64, device=device)
        followed = min(_SPECTRUM, num_visible, config.num_hidden)
        first = stream.standard_normal((config.num_hidden, followed)).astype(np.float32)
        self.basis = torch.linalg.qr(torch.from_numpy(first).to(device)).Q
        self.growth = torch.tensor([1.0, float(self._spectrum()[0])], dtype=torch.float64)
        self.lost = torch.zeros(1, dtype=torch.int64)
        self._state = ["weights", "visible_bias", "hidden_bias", "hidden_centre", "basis", "growth", "lost"]
        if config.training == "pcd":
            self.chains = self.machine().chains(config.num_chains, 0, stream_seed(seed, "persistent"))
            self._state.append("chains")
        variance = (frequency * (1 - frequency)).clamp(min=0.01)
        self._site_rate = (4 * variance) ** -config.site_scaling  # (num_visible,)
        self._whitening: Whitening | None = None
        if config.whiten_above:
            self._whitening = whitening(
                H,
                frequency.cpu().numpy(),
                self._site_rate.cpu().numpy(),
                config.whiten_above,
                stream_seed(seed, "whitening"),
                config.hidden,
            ).to(device)
            workers.ranks.follow(self._whitening.tensors())  # eigenvectors, as the spectrum below
            self._site_rate = torch.ones_like(self._site_rate)  # they stand in what whitens

    def machine(self) -> Machine:
        """The parameters, rounded."""
        return machine_of(
            _fixed_point.quantised(self.weights, LARGEST_WEIGHT),
            _fixed_point.quantised(self.visible_bias, LARGEST_BIAS),
            _fixed_point.quantised(self.hidden_bias, LARGEST_BIAS),
            self._config.hidden,
        )

    def epoch(self, epoch: int) -> dict[str, float]:
        """All rows once, in a seeded order, in batches that are as equal as can be."""
        config, num_rows = self._config, len(self._data)
        batches = config.updates_of_epoch(num_rows)
        num_updates = config.epochs * batches
        order = torch.from_numpy(seeded_order(num_rows, stream_seed(self._seed, "order", epoch))).to(self._data.device)
        gap = 0.0
        for batch, rows in enumerate(order.tensor_split(batches)):
            update = (epoch - 1) * batches + batch
            chain_seed = stream_seed(self._seed, "chains", epoch, batch)
            steps = config.early_gibbs_steps if update < config.early_share * num_updates else config.gibbs_steps
            rate = float(self.growth[0]) * learning_rate(config, update / num_updates)
            gap += self.update(self._data[rows], steps, rate, chain_seed)
        gap /= batches
        self._check(epoch, gap, min(num_rows / batches, config.num_chains))
        machine = self.machine()
        metrics = {
            "frequency_gap": gap,
            "largest_weight": float(machine.weights.abs().max()) / (1 << BITS),
            **self._follow_spectrum(),
        }
        if self._held is not None:
            metrics["free_energy_train"] = float(free_energy(machine, self._data[: len(self._held)]).mean())
            metrics["free_energy_validation"] = float(free_energy(machine, self._held).mean())
        return metrics

    def _check(self, epoch: int, gap: float, num_chains: float) -> None:
        """`Diverged` where weights are out of all proportion, or chains are lost: far from the data's frequencies.

        At a high rate that happens for some epochs, and chains come back. It is a blow-up where weights are beyond what
        the machine holds, too, or where it lasts.

        Parameters
        ----------
        gap : mean difference of frequencies, data against chains
        num_chains : rows that each of these is of, at least; by chance two means of them differ by sqrt(2 / pi)
            standard deviations
        """
        largest = float(self.weights.abs().max())
        deviation = float((self.visible_centre * (1 - self.visible_centre)).sqrt().mean()) * (2 / num_chains) ** 0.5
        lost = gap > _LOST + (2 / math.pi) ** 0.5 * deviation
        self.lost = self.lost + 1 if lost else torch.zeros_like(self.lost)
        beyond = largest > LARGEST_WEIGHT / (1 << BITS)
        if not largest < _DIVERGED or (lost and (beyond or int(self.lost) == _LOST_EPOCHS)):
            raise Diverged(
                f"learning_rate: expected one at which training converges, found weights of {largest:.3g} and chains "
                f"whose allele frequencies are {gap:.2f} off in epoch {epoch} at {self._config.learning_rate}"
            )

    def _follow_spectrum(self) -> dict[str, float]:
        """The largest singular values of W; the rate is halved where the largest has grown more than it should."""
        values = self._spectrum()
        self._workers.ranks.follow([values])  # floats, which another CPU may round otherwise
        grown, limit = float(values[0]) - float(self.growth[1]), self._config.spectrum_growth
        if limit and grown > limit:
            self.growth[0] /= 2
        self.growth[1] = float(values[0])
        followed = {f"singular_value_{i}": value for i, value in enumerate(values.tolist())}
        return followed | ({"rate_factor": float(self.growth[0])} if limit else {})

    def _spectrum(self) -> Tensor:
        """Two steps of subspace iteration from where the last ended (weights change little in an epoch), descending."""
        for _ in range(2):
            left = torch.linalg.qr(self.weights @ self.basis).Q
            self.basis, upper = torch.linalg.qr(self.weights.T @ left)
        return torch.linalg.svdvals(upper)

    def update(self, batch: Tensor, steps: int, rate: float, chain_seed: int) -> float:
        """One step up the gradient; the mean difference of frequencies, data against chains.

        Both terms take v and <h | v> of the same v: that of the data, that after the last step of the chains.
        """
        machine, training = self.machine(), self._config.training
        start = batch if training == "cd" else self.chains if training == "pcd" else None
        num_chains = self._config.num_chains if start is None else len(start)

        def chains(first: int, last: int) -> tuple[Tensor, Moments]:
            begun = None if start is None else start[first:last]
            rows = machine.chains(last - first, steps, chain_seed, first_chain=first, start=begun)
            return rows, machine.sums(rows)

        data = self.moments(machine, batch)
        parts = self._workers.share(num_chains, chains)
        model = self._mean([sums for _, sums in parts], num_chains, machine.unit)
        if training == "pcd":
            self.chains = self._joined([ended for ended, _ in parts], num_chains)
        self.step(data, model, rate)
        return float((data.visible - model.visible).abs().mean())

    def moments(self, machine: Machine, rows: Tensor) -> Moments:
        """Means over packed rows."""
        parts = self._workers.share(len(rows), lambda first, last: machine.sums(rows[first:last]))
        return self._mean(parts, len(rows), machine.unit)

    def _mean(self, parts: list[Moments], rows: float, unit: int) -> Moments:
        """Moments of all rows, of which this process has the sums of its parts."""
        if not parts:  # fewer rows than processes
            parameters = (self.weights, self.visible_bias, self.hidden_bias)
            parts = [Moments(*(torch.zeros_like(x, dtype=torch.int64) for x in parameters))]
        return mean(parts, rows, unit, self._workers.ranks)

    def _joined(self, parts: list[Tensor], rows: int) -> Tensor:
        """All packed rows, of which this process has its parts."""
        return self._workers.ranks.join(torch.cat([self._data[:0], *parts]), rows)

    def step(self, data: Moments, model: Moments, rate: float) -> None:
        """Move the parameters along the gradient, and the centre of the hidden units after the data's."""
        config = self._config
        if config.gradient == "centred":
            centres = self.visible_centre, self.hidden_centre
            gradient = centred_gradient(data, model, *centres, hidden=config.hidden, whiten=self._whitening)
        else:
            gradient = Moments(*(of_data - of_model for of_data, of_model in zip(data, model, strict=True)))
            if self._whitening:
                gradient = gradient._replace(
                    both=self._whitening(gradient.both), visible=self._whitening(gradient.visible)
                )
        change = gradient.both
        if config.weight_decay:
            change -= config.weight_decay * self.weights
        self.weights += change.mul_((rate * self._site_rate)[:, None]).float()
        self.visible_bias += (rate * self._site_rate * gradient.visible).float()
        self.hidden_bias += (rate * gradient.hidden).float()
        self.hidden_centre += _CENTRE_STEP * (data.hidden - self.hidden_centre)

    def tensors(self) -> _store.Tensors:
        """All that changes with training."""
        return {name: getattr(self, name).cpu().numpy() for name in self._state}

    def restore(self, tensors: _store.Tensors) -> None:
        """Take what `tensors` gave. ValueError where it is not of this learner's names, shapes and dtypes."""
        _store.check_tensors(tensors, {name: (x.shape, x.dtype) for name, x in self.tensors().items()})
        for name in self._state:
            given, device = tensors[name], getattr(self, name).device
            by_column = name in ("weights", "basis")  # as they lie in memory before: products of floats depend on it
            fresh = _by_column(given, device) if by_column else torch.from_numpy(given.copy()).to(device)
            setattr(self, name, fresh)

    def histograms(self) -> dict[str, NDArray[Any]]:
        """All singular values of W."""
        return {"singular_values": torch.linalg.svdvals(self.weights).cpu().numpy()}

    def snapshot(self) -> _store.Tensors:
        """The rounded parameters, as a model keeps them."""
        machine = self.machine()
        chains = {"chains": self.chains.cpu().numpy().view(np.uint64)} if "chains" in self._state else {}
        return {
            "weights": machine.weights.to(torch.int16).cpu().numpy(),
            "visible_bias": machine.visible_bias.cpu().numpy(),
            "hidden_bias": machine.hidden_bias.cpu().numpy(),
            "fixed_point_bits": np.array([BITS], np.int32),
            **chains,
        }


def _by_column(matrix: NDArray[np.float32], device: torch.device) -> Tensor:
    """A tensor of a matrix that lies in memory column after column: W a hidden unit after the other, as moments do."""
    return torch.from_numpy(np.ascontiguousarray(matrix.T).copy()).to(device).T


def mean(parts: list[Moments], rows: float, unit: int, ranks: Ranks = ALONE) -> Moments:
    """Moments of all rows from the sums of their parts, and of those of other processes; exact until the division."""
    totals = []
    for sums in zip(*parts, strict=True):
        total = sums[0].double()  # integers far below 2**53
        for more in sums[1:]:
            total += more
        totals.append(total)
    ranks.sum(totals)
    both, visible, hidden = totals
    return Moments(both.div_(rows * unit), visible.div_(rows), hidden.div_(rows * unit))


_RATE_BITS = 5  # rates of sites are at most 25
_GRIDS = {"bernoulli": (30, 16), "relu": (22, 12)}  # bits of gradient and centres; rectified units are above 1


def centred_gradient(
    data: Moments,
    model: Moments,
    visible_centre: Tensor,
    hidden_centre: Tensor,
    *,
    hidden: str = "bernoulli",
    whiten: Whitening | None = None,
) -> Moments:
    """Gradient with respect to W, a and b of a machine in v - visible_centre and h - hidden_centre, in plain W, a, b.

    Melchior et al. 2016, algorithm 1: dW = <(v - m)(h - l)>_data - <(v - m)(h - l)>_model, da = d<v> - dW l,
    db = d<h> - dW^T m. With both centres zero it is the gradient of the mean log likelihood. What whitens is applied to
    the gradient of the centred machine, to dW and d<v>, before it is that of the plain one.
    """
    of_visible, of_hidden = data.visible - model.visible, data.hidden - model.hidden
    both = data.both - model.both
    work = torch.empty_like(both)  # one for all: fresh memory takes as long as the sums
    both -= torch.mul(visible_centre[:, None], of_hidden, out=work)
    both -= torch.mul(of_visible[:, None], hidden_centre, out=work)
    bits, centre_bits = _GRIDS[hidden]
    if whiten:
        both, of_visible, bits = whiten(both), whiten(of_visible), bits - _RATE_BITS
    # sums in integers: their order must not matter
    grid = torch.mul(both, 2.0**bits, out=work).round_().long()
    hidden_grid, visible_grid = (
        (centre * 2.0**centre_bits).round().long() for centre in (hidden_centre, visible_centre)
    )
    along_hidden = _product(grid, hidden_grid).double() / 2.0 ** (bits + centre_bits)
    along_visible = _product(grid.T, visible_grid).double() / 2.0 ** (bits + centre_bits)
    return Moments(both, of_visible - along_hidden, of_hidden - along_visible)


def _product(matrix: Tensor, vector: Tensor) -> Tensor:
    """Of int64, for which CUDA has no matrix product."""
    return matrix @ vector if matrix.device.type == "cpu" else (matrix * vector).sum(1)


def learning_rate(config: Any, progress: float) -> float:
    """The rate at a share of all updates."""
    rate: float = config.learning_rate
    if progress < config.warmup:
        rate *= 0.1 + 0.9 * progress / config.warmup
    if progress > config.hold:
        rate *= config.final_rate ** ((progress - config.hold) / (1 - config.hold))
    return rate

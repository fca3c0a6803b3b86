"""Restricted Boltzmann machine, trained out of equilibrium."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar, NamedTuple, Protocol, Self, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, check_seed, seeded_order, words_per_row
from hapforge.kernels import GibbsMachine, bit_product
from hapforge.models import _fixed_point, _store
from hapforge.models._fixed_point import BITS, LARGEST_BIAS, LARGEST_WEIGHT
from hapforge.models._model import Model, check_data
from hapforge.models._training import Run, TrainingState, stream_seed

_Part = TypeVar("_Part")

_HIDDEN_LAYER, _VISIBLE_LAYER, _START_LAYER = 0, 1, 2
_ROWS = 1024
_MAX_ROWS = 65_536
_ONE = 1 << 14  # hidden probabilities are counted in units of 2**-14 ...
_TABLE_BITS, _TABLE_RANGE = 10, 12  # ... read at fields rounded to 2**-10 within +-12
_CENTRE_STEP = 0.01
_DIVERGED = 1000.0  # no field of a machine that learns comes near


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


class RBM(Model):
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

    def fit(
        self,
        H: HaplotypeMatrix,
        *,
        seed: int = 0,
        validation: HaplotypeMatrix | None = None,
        callback: Callable[[TrainingState], Any] | None = None,
        device: str = "auto",
        run: str | os.PathLike[str] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        checkpoint_every: int = 10,
        notes: Mapping[str, Any] | None = None,
    ) -> Self:
        """Train.

        Parameters
        ----------
        H : the training cohort
        seed : int in [0, 2**64)
        validation : a cohort with the same sites, by person apart from H; its free energy is logged beside that of
            training rows (overfitting shows as a growing gap); it never touches the weights
        callback : called with a `TrainingState` after every epoch; a truthy answer ends training there
        device : "auto" (CUDA where there is one), "cpu", "cuda"
        run : folder for checkpoints, log and, at the end, the model; None keeps everything in memory
        resume : whether to go on from the checkpoint in `run`; the result is that of an uninterrupted run
        overwrite : whether a run or model that is in `run` is replaced
        checkpoint_every : int, epochs
        notes : plain values that ``run.json`` keeps as they are (where the data came from ...)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Nothing to fit, a bad argument, a run folder of something else.
        """
        check_data(H)
        seed = check_seed(seed)
        if checkpoint_every < 1:
            raise ValueError(f"checkpoint_every: expected 1 or more, found {checkpoint_every}")
        if validation is not None and validation.num_sites != H.num_sites:
            raise ValueError(f"validation: expected {H.num_sites} sites, as in H, found {validation.num_sites}")
        if resume and run is None:
            raise ValueError("resume: expected a run folder to resume from, found run=None")
        self._device = _device(device)
        record = {
            "model": self.name,
            "seed": seed,
            "data_sha256": H.sha256(),
            "config": dataclasses.asdict(self.config),
        }
        folder = None if run is None else Run(run, record, notes or {}, resume=resume, overwrite=overwrite)
        with _Workers(self._device) as workers:
            self._train(H, seed, validation, callback, folder, resume, checkpoint_every, workers)
        if folder is not None:
            folder.finish(self)
        return self

    def _train(
        self,
        H: HaplotypeMatrix,
        seed: int,
        validation: HaplotypeMatrix | None,
        callback: Callable[[TrainingState], Any] | None,
        folder: Run | None,
        resume: bool,
        checkpoint_every: int,
        workers: _Workers,
    ) -> None:
        config = self.config
        data = torch.from_numpy(H.to_dense().view(np.int8)).to(self._device)  # (rows, sites)
        held = None if validation is None else torch.from_numpy(validation.to_dense().view(np.int8)).to(self._device)
        learner = _Learner(data, config, seed, workers)
        self._take(learner.machine())
        self._describe_training(H, seed)
        first_epoch, seconds = 0, 0.0
        if folder is not None and resume:
            tensors, state = folder.load_checkpoint()
            first_epoch, seconds = int(state["epoch"]), float(state["seconds"])
            learner.restore(tensors)
        elif folder is not None:
            folder.start(learner.tensors())
        batches = max(1, round(len(data) / config.batch_size))
        num_updates = config.epochs * batches
        epoch, checked = first_epoch, first_epoch
        for epoch in range(first_epoch + 1, config.epochs + 1):
            start = time.perf_counter()
            order = torch.from_numpy(seeded_order(len(data), stream_seed(seed, "order", epoch))).to(self._device)
            gap = 0.0
            for batch, rows in enumerate(order.tensor_split(batches)):
                update = (epoch - 1) * batches + batch
                chain_seed = stream_seed(seed, "chains", epoch, batch)
                steps = config.early_gibbs_steps if update < config.early_share * num_updates else config.gibbs_steps
                gap += learner.update(data[rows], steps, _rate(config, update / num_updates), chain_seed)
            largest = float(learner.weights.abs().max())
            if not largest < _DIVERGED:
                raise ValueError(
                    f"learning_rate: expected one at which training converges, found weights of {largest:.3g} in epoch "
                    f"{epoch} at {config.learning_rate}"
                )
            machine = learner.machine()
            self._take(machine)
            metrics = {
                "frequency_gap": gap / batches,
                "largest_weight": float(np.abs(self._weights).max()) / (1 << BITS),
            }
            if held is not None:
                metrics["free_energy_train"] = float(_free_energy(machine, data[: len(held)]).mean())
                metrics["free_energy_validation"] = float(_free_energy(machine, held).mean())
            seconds += time.perf_counter() - start
            if folder is not None:
                if epoch % checkpoint_every == 0:
                    values = torch.linalg.svdvals(learner.weights)[:5].tolist()
                    metrics |= {f"singular_value_{i}": value for i, value in enumerate(values)}
                folder.log({"epoch": epoch, "seconds": round(seconds, 3), **metrics})
                if epoch % checkpoint_every == 0:
                    folder.save_checkpoint(learner.tensors(), {"epoch": epoch, "seconds": seconds})
                    checked = epoch
            try:
                if callback is not None and callback(TrainingState(epoch, config.epochs, seconds, metrics, self)):
                    break
            except KeyboardInterrupt:
                if folder is not None and checked != epoch:
                    folder.save_checkpoint(learner.tensors(), {"epoch": epoch, "seconds": seconds})
                raise
        if epoch == first_epoch:  # resumed behind the last epoch
            self._take(learner.machine())
        if folder is not None and checked != epoch:
            folder.save_checkpoint(learner.tensors(), {"epoch": epoch, "seconds": seconds})
        self.training |= {"epochs_done": epoch, "seconds": round(seconds, 3), "fixed_point_bits": BITS}

    def free_energy(self, H: HaplotypeMatrix) -> NDArray[np.float64]:
        """F(v) = -a.v - sum_j log(1 + exp(b_j + (v W)_j)) of every haplotype, float64 (num_haplotypes,)."""
        if H.num_sites != len(self.sites):
            raise ValueError(f"H: expected {len(self.sites)} sites, found {H.num_sites}")
        machine = self._machine()
        parts = [
            _free_energy(machine, torch.from_numpy(block.to_dense().view(np.int8)).to(self._device))
            for block in H.iter_row_blocks(_ROWS)
        ]
        return torch.cat(parts).cpu().numpy() if parts else np.empty(0)

    def _draw(self, n: int, seed: int) -> NDArray[np.uint64]:
        words = np.zeros((n, words_per_row(len(self.sites))), np.uint64)
        machine = self._machine()
        with _Workers(self._device) as workers:

            def chains(first: int, last: int) -> None:
                for start in range(first, last, _ROWS):
                    rows = min(_ROWS, last - start)
                    visible = machine.chains(rows, self.config.gibbs_steps, seed, first_chain=start)
                    words[start : start + rows] = _backend.pack(visible.cpu().numpy().view(np.uint8))

            workers.share(n, chains)
        return words

    def _machine(self) -> _Machine:
        parts = (self._weights.astype(np.int32), self._visible_bias, self._hidden_bias)
        return _machine_of(*(torch.from_numpy(part).to(self._device) for part in parts))

    def _take(self, machine: _Machine) -> None:
        self._weights = machine.weights.to(torch.int16).cpu().numpy()
        self._visible_bias = machine.visible_bias.cpu().numpy()
        self._hidden_bias = machine.hidden_bias.cpu().numpy()

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


class _Moments(NamedTuple):
    """Of v_i P(h_j = 1 | v) (num_visible, num_hidden), of v, of P(h | v): sums over rows, int64, or means, float64."""

    both: Tensor
    visible: Tensor
    hidden: Tensor


class _Machine(Protocol):
    """An RBM in integers, ready to compute fields; the same numbers on any device.

    weights int32 (num_visible, num_hidden), visible_bias int32 (num_visible,), hidden_bias int32 (num_hidden,).
    """

    weights: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor

    def hidden_field(self, visible: Tensor) -> Tensor:
        """int32 (n, num_hidden) of visible int8 (n, num_visible)."""

    def chains(self, n: int, steps: int, seed: int, first_chain: int = 0) -> Tensor:
        """int8 (n, num_visible): chains after `steps` steps from a uniform start."""

    def sums(self, visible: Tensor) -> _Moments:
        """Of rows int8 (n, num_visible), n <= 65,536; P(h | v) counts in units of 2**-14."""


class _HostMachine:
    """A `_Machine` on the CPU: hapforge.kernels.gibbs, on one thread (callers share out rows among threads)."""

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        parts = (part.numpy() for part in (weights, visible_bias, hidden_bias))
        self._gibbs = GibbsMachine(*parts, fixed_point_bits=BITS)

    def hidden_field(self, visible: Tensor) -> Tensor:
        return torch.from_numpy(self._hidden_fields(_packed(visible), visible.shape[1])).T.contiguous()

    def chains(self, n: int, steps: int, seed: int, first_chain: int = 0) -> Tensor:
        bits, _ = self._gibbs.run_bits(None, n, steps=steps, seed=seed, first_chain=first_chain, threads=1)
        words = _backend.transpose(bits, n, 1)
        return torch.from_numpy(_backend.unpack(words, len(bits), 1).view(np.int8))

    def sums(self, visible: Tensor) -> _Moments:
        words, num_visible = _packed(visible), visible.shape[1]
        probability = _probability(torch.from_numpy(self._hidden_fields(words, num_visible)))  # (num_hidden, n)
        both = torch.from_numpy(bit_product((words, num_visible), probability.numpy(), threads=1)).T
        return _Moments(both, visible.sum(0), probability.sum(1))

    def _hidden_fields(self, words: NDArray[np.uint64], num_visible: int) -> NDArray[np.int32]:
        return self._gibbs.hidden_fields(_backend.transpose(words, num_visible, 1), len(words), threads=1)


def _packed(visible: Tensor) -> NDArray[np.uint64]:
    return _backend.pack(visible.numpy().view(np.uint8), 1)


class _DeviceMachine:
    """A `_Machine` in torch."""

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        _fixed_point.check_range(weights)
        self._to_hidden = _fixed_point.digits(weights)
        self._to_visible = _fixed_point.digits(weights.T)

    def hidden_field(self, visible: Tensor) -> Tensor:
        return _fixed_point.product(visible, self._to_hidden).add_(self.hidden_bias)

    def chains(self, n: int, steps: int, seed: int, first_chain: int = 0) -> Tensor:
        start = torch.zeros((n, len(self.visible_bias)), dtype=torch.int32, device=self.weights.device)
        visible = _fixed_point.draw(start, seed=seed, step=0, layer=_START_LAYER, first_chain=first_chain)
        for step in range(steps):
            where = {"seed": seed, "step": step, "first_chain": first_chain}
            hidden = _fixed_point.draw(self.hidden_field(visible), layer=_HIDDEN_LAYER, **where)
            field = _fixed_point.product(hidden, self._to_visible).add_(self.visible_bias)
            visible = _fixed_point.draw(field, layer=_VISIBLE_LAYER, **where)
        return visible

    def sums(self, visible: Tensor) -> _Moments:
        probability = _probability(self.hidden_field(visible))  # (n, num_hidden)
        both = _fixed_point.product(visible.T.contiguous(), _fixed_point.digits(probability))
        return _Moments(both, visible.sum(0), probability.sum(0))


def _machine_of(weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> _Machine:
    kind = _HostMachine if weights.device.type == "cpu" else _DeviceMachine
    return kind(weights, visible_bias, hidden_bias)


def _probability(field: Tensor) -> Tensor:
    """int32, 2**14 sigmoid(field 2**-BITS), at fields rounded to 2**-_TABLE_BITS."""
    nearest = (field + (1 << BITS - _TABLE_BITS - 1)) >> BITS - _TABLE_BITS
    edge = _TABLE_RANGE << _TABLE_BITS
    return _probability_table(field.device)[nearest.clamp_(-edge, edge) + edge]


def _free_energy(machine: _Machine, visible: Tensor) -> Tensor:
    """float64 (n,) of rows int8 (n, num_visible)."""
    hidden = torch.nn.functional.softplus(machine.hidden_field(visible).double() / (1 << BITS)).sum(1)
    return -(visible.double() @ machine.visible_bias.double()) / (1 << BITS) - hidden


class _Learner:
    """The float master of the parameters, and how an update changes it.

    Every operation is exact or rounded once per element, so that no result depends on the number of threads.
    """

    def __init__(self, data: Tensor, config: RBMConfig, seed: int, workers: _Workers) -> None:
        rows, num_visible = data.shape
        device = data.device
        frequency = data.sum(0).double() / rows
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
        self._config, self._workers = config, workers

    def machine(self) -> _Machine:
        """The parameters, rounded."""
        return _machine_of(
            _fixed_point.quantised(self.weights, LARGEST_WEIGHT),
            _fixed_point.quantised(self.visible_bias, LARGEST_BIAS),
            _fixed_point.quantised(self.hidden_bias, LARGEST_BIAS),
        )

    def update(self, batch: Tensor, steps: int, rate: float, chain_seed: int) -> float:
        """One step up the gradient; the mean difference of frequencies, data against chains."""
        machine = self.machine()
        num_chains = self._config.num_chains

        def chains(first: int, last: int) -> _Moments:
            return machine.sums(machine.chains(last - first, steps, chain_seed, first_chain=first))

        data = _mean(self._workers.share(len(batch), lambda first, last: machine.sums(batch[first:last])), len(batch))
        model = _mean(self._workers.share(num_chains, chains), num_chains)
        gradient = centred_gradient(data, model, self.visible_centre, self.hidden_centre)
        self.weights += ((rate * self._site_rate)[:, None] * gradient.both).float()
        self.visible_bias += (rate * self._site_rate * gradient.visible).float()
        self.hidden_bias += (rate * gradient.hidden).float()
        self.hidden_centre += _CENTRE_STEP * (data.hidden - self.hidden_centre)
        return float((data.visible - model.visible).abs().mean())

    def tensors(self) -> _store.Tensors:
        """All that changes with training."""
        return {name: getattr(self, name).cpu().numpy() for name in self._STATE}

    def restore(self, tensors: _store.Tensors) -> None:
        """Take what `tensors` gave."""
        for name in self._STATE:
            setattr(self, name, torch.from_numpy(tensors[name].copy()).to(self.weights.device))

    _STATE = ("weights", "visible_bias", "hidden_bias", "hidden_centre")


def _mean(parts: list[_Moments], rows: int) -> _Moments:
    """Moments of all rows from the sums of their parts; exact until the division."""
    both, visible, hidden = (sum(sums[1:], sums[0].long()).double() for sums in zip(*parts, strict=True))
    return _Moments(both / (rows * _ONE), visible / rows, hidden / (rows * _ONE))


def centred_gradient(data: _Moments, model: _Moments, visible_centre: Tensor, hidden_centre: Tensor) -> _Moments:
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
    return _Moments(both, visible - along_hidden, hidden - along_visible)


def _rate(config: RBMConfig, progress: float) -> float:
    """The learning rate at a share of all updates."""
    rate = config.learning_rate
    if progress < config.warmup:
        rate *= 0.1 + 0.9 * progress / config.warmup
    if progress > config.hold:
        rate *= config.final_rate ** ((progress - config.hold) / (1 - config.hold))
    return rate


_TABLES: dict[str, Tensor] = {}


def _probability_table(device: torch.device) -> Tensor:
    """int32: 2**14 sigmoid(x) at x = -12, -12 + 2**-10 ... 12; a table, since exp may round by place in the array."""
    if str(device) not in _TABLES:
        edge = _TABLE_RANGE << _TABLE_BITS
        x = np.arange(-edge, edge + 1) / (1 << _TABLE_BITS)
        values = np.round(_ONE / (1 + np.exp(-x))).astype(np.int32)
        _TABLES[str(device)] = torch.from_numpy(values).to(device)
    return _TABLES[str(device)]


def _device(name: str) -> torch.device:
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device: expected 'auto', 'cpu' or 'cuda', found {name!r}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError("device: expected a CUDA device for 'cuda', found none")
    return torch.device("cuda" if available and name != "cpu" else "cpu")


class _Workers:
    """Threads that share out rows; torch itself runs on one thread meanwhile, so that nothing waits at each product."""

    def __init__(self, device: torch.device) -> None:
        self.count = _backend.get_threads() if device.type == "cpu" else 1

    def __enter__(self) -> Self:
        self._torch_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(self.count)
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._torch_threads)

    def share(self, rows: int, work: Callable[[int, int], _Part]) -> list[_Part]:
        """work(first, last) on equal parts of the rows, in their order."""
        edges = [rows * i // self.count for i in range(self.count + 1)]
        parts = [(a, b) for a, b in pairwise(edges) if a < b]
        return [future.result() for future in [self._pool.submit(work, *part) for part in parts]]

"""Training a generator against a critic: the learner of GAN and WGAN."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.models import _store
from hapforge.models._network_model import NetworkConfig, NetworkModel, check_at_least, check_choice
from hapforge.models._network_training import (
    Optimised,
    Rows,
    Shards,
    freeze,
    generator_of,
    initialised,
    noise_of,
    within_memory,
)
from hapforge.models._operations import inputs_only
from hapforge.models._ranks import meet
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers, device_of

PENALTIES = ("gradient", "r1", "none")
_SCORED_ROWS = 512


@dataclass(frozen=True)
class AdversarialConfig(NetworkConfig):
    """
    Attributes
    ----------
    learning_rate, critic_rate : float, of the generator and the critic; critic_rate 0: as the generator's
    beta1, beta2 : float in [0, 1), of Adam
    critic_steps : int, updates of the critic for one of the generator
    pack : int, rows that the critic sees side by side and scores together (Lin et al. 2018, PacGAN)
    jitter : float in [0, 1): a real 0 becomes U(0, jitter), a real 1 becomes 1 - U(0, jitter)
    penalty : "gradient": (|d score / d x| - 1)**2 between real and drawn rows (Gulrajani et al. 2017, eq. 3); "r1":
        |d score / d x|**2 / 2 at real rows (Mescheder et al. 2018, eq. 9); "none"
    penalty_weight : float >= 0, of it
    l2 : float >= 0, times the sum of squared weights is added to both losses
    late_epochs : int, in the last of the epochs ...
    late_rate : float in (0, 1], ... the generator's rate is multiplied by this
    """

    critic_rate: float = 0.0
    beta1: float = 0.5
    beta2: float = 0.9
    critic_steps: int = 10
    pack: int = 3
    jitter: float = 0.1
    penalty: str = "gradient"
    penalty_weight: float = 10.0
    l2: float = 0.0
    late_epochs: int = 0
    late_rate: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, least in (
            ("critic_steps", 1),
            ("pack", 1),
            ("late_epochs", 0),
            ("penalty_weight", 0.0),
            ("l2", 0.0),
        ):
            check_at_least(name, getattr(self, name), least)
        for name in ("beta1", "beta2", "jitter", "critic_rate"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 0 or more and below 1, found {getattr(self, name)}")
        if not 0 < self.late_rate <= 1:
            raise ValueError(f"late_rate: expected more than 0 and at most 1, found {self.late_rate}")
        if self.late_epochs and self.late_epochs >= self.epochs:
            raise ValueError(f"late_epochs: expected fewer than {self.epochs} epochs, found {self.late_epochs}")
        check_choice("penalty", self.penalty, PENALTIES)
        for name, value in (("batch_size", self.batch_size), ("shard", self.shard)):
            if value % self.pack:
                raise ValueError(f"{name}: expected a multiple of pack, {self.pack}, found {value}")


class AdversarialModel(NetworkModel):
    """A model whose network is trained against a critic."""

    SHARDS: ClassVar[int]  # of a batch, where the config does not say how large they are
    config: AdversarialConfig

    @contextmanager
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> Iterator[AdversarialLearner]:
        self._device = device_of(device)
        with within_memory(), Workers(self._device, meet()) as workers:
            rows, held, counts = self._rows_of(H, validation, self.config.pack)
            of = rows.num_sites, rows.num_labels
            yield AdversarialLearner(
                self.config,
                seed,
                workers,
                initialised(lambda: self._network_of(*of), seed, "generator"),
                initialised(lambda: self._critic_of(*of), seed, "critic"),
                self,
                rows,
                held,
                counts,
                length=self._length(rows.num_sites),
                device=self._device,
            )

    def _length(self, num_columns: int) -> int:
        """Of the rows that the critic sees, with zeros behind the last column."""
        return num_columns

    def _start(self, generator: Any, counts: NDArray[np.int64], codes: NDArray[np.int64]) -> None:
        """What of the generator's first weights comes from the data: allele counts of labels, and the rows' labels."""

    @abstractmethod
    def _critic_of(self, num_columns: int, num_labels: int) -> nn.Module:
        """Scores of packs (packs, pack, length) and labels."""

    @abstractmethod
    def _seen(self, logits: Tensor) -> Tensor:
        """What the critic sees of logits."""

    @abstractmethod
    def _critic_loss(self, real: Tensor, drawn: Tensor, stream: torch.Generator) -> Tensor:
        """Sum over packs of the critic's loss, by its scores."""

    @abstractmethod
    def _generator_loss(self, drawn: Tensor) -> Tensor:
        """Sum over packs of the generator's loss, by the scores of its draws."""


Score = Callable[[Tensor, Tensor], Tensor]
"""Scores of packs (packs, pack, length) and their labels, (packs,)."""


def gradient_penalty(score: Score, real: Tensor, drawn: Tensor, share: Tensor, labels: Tensor) -> Tensor:
    """Sum over packs of (|d score / d x| - 1)**2 at x = share * real + (1 - share) * drawn.

    Parameters
    ----------
    real, drawn : float (packs, pack, length)
    share : float (packs,), in [0, 1]

    References
    ----------
    Gulrajani et al. 2017, Improved training of Wasserstein GANs, eq. 3.
    """
    x = torch.lerp(drawn, real, share[:, None, None]).requires_grad_()
    return ((_slope(score(x, labels), x).square().sum((1, 2)) + 1e-12).sqrt() - 1).square().sum()


def r1_penalty(score: Score, real: Tensor, labels: Tensor) -> Tensor:
    """Sum over packs of |d score / d x|**2 / 2 at real ones (Mescheder, Geiger, Nowozin 2018, eq. 9)."""
    x = real.detach().requires_grad_()
    return _slope(score(x, labels), x).square().sum() / 2


def _slope(scores: Tensor, x: Tensor) -> Tensor:
    with inputs_only():
        (slope,) = torch.autograd.grad(scores.sum(), x, create_graph=True)
    return slope


class AdversarialLearner:
    """A `Learner` (see `hapforge.models._training`) of two networks.

    An epoch is one pass of the critic over the training rows, but for what is less than a batch; the generator is
    updated after every `critic_steps`-th update of the critic.

    Parameters
    ----------
    generator : a `DrawingNetwork`, whose rows are at least as long as there are sites
    critic : scores of packs (packs, pack, length) and labels
    rules : the model, whose losses are followed
    """

    def __init__(
        self,
        config: AdversarialConfig,
        seed: int,
        workers: Workers,
        generator: Any,
        critic: nn.Module,
        rules: AdversarialModel,
        rows: Rows,
        held: Rows | None,
        counts: NDArray[np.int64],
        *,
        length: int,
        device: torch.device,
    ) -> None:
        self._config, self._seed, self._device, self._length = config, seed, device, length
        self._rows, self._held, self._counts = rows, held, counts
        if held is not None and not len(held.units(0)):
            raise ValueError(f"validation: expected {config.pack} haplotypes or more (of a label), found fewer")
        rows.check("H")
        units = len(rows.units(0))
        self._units = min(config.batch_size // config.pack, units)
        if (updates := config.epochs * (units // self._units)) < config.critic_steps:
            raise ValueError(
                f"epochs: expected {config.critic_steps} updates of the critic or more, for one of the generator, "
                f"found {updates} in {config.epochs} epochs"
            )
        shard = min(config.shard // config.pack or -(-self._units // rules.SHARDS), self._units)
        self._shards = Shards(workers, shard, device, config.precision)
        rules._start(generator, counts, rows.codes)
        betas = (config.beta1, config.beta2)
        self._generator = Optimised(generator.to(device), betas=betas, l2=config.l2, ema=config.ema)
        self._critic = Optimised(critic.to(device), betas=betas, l2=config.l2)
        self._rules = rules
        self._critic_updates = 0

    def tensors(self) -> _store.Tensors:
        return {
            **self._generator.tensors("generator"),
            **self._critic.tensors("critic"),
            "critic_updates": np.array([self._critic_updates]),
            "centres": self._rows.groups.centres,
        }

    def restore(self, tensors: _store.Tensors) -> None:
        self._rows.groups.check(tensors["centres"])
        self._generator.restore("generator", tensors)
        self._critic.restore("critic", tensors)
        self._critic_updates = int(tensors["critic_updates"][0])

    def snapshot(self) -> _store.Tensors:
        config = self._config
        with self._generator.with_mean() as network:
            freeze(network, self._shards, self._seed, self._shards.size * config.pack, self._rows.draw_labels)
            parts = {f"network.{name}": value.cpu().numpy().copy() for name, value in network.state_dict().items()}
        return {**parts, "allele_counts": self._counts, **self._rows.groups.tensors()}

    def histograms(self) -> dict[str, NDArray[Any]]:
        return {
            "generator": self._generator.flat.detach().cpu().numpy(),
            "critic": self._critic.flat.detach().cpu().numpy(),
        }

    def epoch(self, epoch: int) -> dict[str, float]:
        config = self._config
        late = epoch > config.epochs - config.late_epochs
        rate = config.learning_rate * (config.late_rate if late else 1.0)
        units = self._rows.units(stream_seed(self._seed, "order", epoch))
        batches = len(units) // self._units
        of_critic, penalties, of_generator, generator_updates = 0.0, 0.0, 0.0, 0
        for batch in range(batches):
            rows = units[batch * self._units : (batch + 1) * self._units]
            loss, penalty = self.critic_update(rows, epoch, batch)
            of_critic, penalties = of_critic + loss / batches, penalties + penalty / batches
            if self._critic_updates % config.critic_steps == 0:
                of_generator += self.generator_update(rate, epoch, batch)
                generator_updates += 1
        metrics = {
            "generator_updates": float(generator_updates),
            "critic_loss": of_critic,
            "penalty": penalties,
        }
        if generator_updates:
            metrics["generator_loss"] = of_generator / generator_updates
        if self._held is not None:
            metrics["score_train"] = self._mean_score(self._rows)
            metrics["score_validation"] = self._mean_score(self._held)
        return metrics

    def critic_update(self, units: Tensor, epoch: int, batch: int) -> tuple[float, float]:
        """One update of the critic by these units; its mean loss, without the penalty, and the mean penalty."""
        config, count = self._config, len(units)

        def work(shard: int, first: int, last: int) -> tuple[Tensor, ...]:
            stream = generator_of(self._device, self._seed, "critic", epoch, batch, shard)
            rows = units[first:last]
            labels = self._rows.labels[rows[:, 0]]
            real = self._packs(self._rows.alleles(rows.reshape(-1), self._length))
            if config.jitter:
                moved = config.jitter * torch.rand(real.shape, generator=stream, device=stream.device)
                moved[:, :, self._rows.num_sites :] = 0
                real = (real - moved).abs()
            with torch.no_grad():
                drawn = self._drawn(labels, stream)
            score: Any = self._critic.network
            of_real, of_drawn = score(torch.cat([real, drawn]), labels.repeat(2)).float().chunk(2)
            loss = self._rules._critic_loss(of_real, of_drawn, stream)
            penalty = torch.zeros((), device=self._device)
            if config.penalty == "gradient":
                share = torch.rand(len(rows), generator=stream, device=stream.device)
                penalty = gradient_penalty(score, real, drawn, share, labels)
            elif config.penalty == "r1":
                penalty = r1_penalty(score, real, labels)
            gradient = self._critic.gradient((loss + config.penalty_weight * penalty) / count)
            return gradient, torch.stack([loss.detach(), penalty.detach()]) / count

        gradient, losses = self._shards.sum(count, work)
        self._critic.update(gradient, config.critic_rate or config.learning_rate)
        self._critic_updates += 1
        return float(losses[0]), float(losses[1])

    def generator_update(self, rate: float, epoch: int, batch: int) -> float:
        """One update of the generator; its mean loss."""
        count = self._units

        def work(shard: int, first: int, last: int) -> tuple[Tensor, ...]:
            stream = generator_of(self._device, self._seed, "generator", epoch, batch, shard)
            labels = self._rows.draw_labels(last - first, stream)
            scores = self._critic.network(self._drawn(labels, stream), labels).float()
            loss = self._rules._generator_loss(scores) / count
            return self._generator.gradient(loss), loss.detach()

        gradient, loss = self._shards.sum(count, work)
        self._generator.update(gradient, rate)
        return float(loss)

    def _drawn(self, labels: Tensor, stream: torch.Generator) -> Tensor:
        """Packs that the generator draws, with zeros behind the last site as real ones have."""
        network: Any = self._generator.network
        of_rows = labels.repeat_interleave(self._config.pack)
        logits = network(noise_of(network.noise_shapes, len(of_rows), stream), of_rows, [])
        return self._packs(
            functional.pad(
                self._rules._seen(logits[:, : self._rows.num_sites].float()), (0, self._length - self._rows.num_sites)
            )
        )

    def _packs(self, alleles: Tensor) -> Tensor:
        return alleles.reshape(-1, self._config.pack, self._length)

    def _mean_score(self, rows: Rows) -> float:
        """The critic's mean score of at most 512 rows."""
        units = rows.units(0)[: max(1, _SCORED_ROWS // self._config.pack)]

        def work(shard: int, first: int, last: int) -> tuple[Tensor, ...]:
            part = units[first:last]
            with torch.no_grad():
                packs = self._packs(rows.alleles(part.reshape(-1), self._length))
                return (self._critic.network(packs, rows.labels[part[:, 0]]).float().sum(),)

        return float(self._shards.sum(len(units), work)[0]) / max(1, len(units))

"""Generative adversarial network of dense layers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from hapforge.models._adversarial import AdversarialConfig, AdversarialModel
from hapforge.models._network_model import check_at_least, parameters_of

SLOPE = 0.01  # of the leaky rectifier
_PUBLISHED: dict[str, Any] = {
    "latent_size": 600,
    "batch_size": 32,
    "critic_steps": 1,
    "pack": 1,
    "jitter": 0.0,
    "alleles": "round",
    "ema": 0.0,
    "learning_rate": 1e-4,
    "critic_rate": 8e-4,
    "beta1": 0.9,
    "beta2": 0.999,
    "penalty": "none",
    "l2": 1e-4,
    "smoothing": 0.1,
    "epochs": 20_000,
}


@dataclass(frozen=True)
class GANConfig(AdversarialConfig):
    """
    Attributes
    ----------
    latent_size : int, standard normal values that a row is made of
    smoothing : float in [0, 1): the target of real rows is 1 - U(0, smoothing)
    others : as in `AdversarialConfig` and `NetworkConfig`
    """

    epochs: int = 300
    batch_size: int = 32
    learning_rate: float = 2e-4
    critic_steps: int = 1
    pack: int = 1
    jitter: float = 0.0
    penalty: str = "r1"
    penalty_weight: float = 5.0
    latent_size: int = 600
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("latent_size", self.latent_size, 1)
        if not 0 <= self.smoothing < 1:
            raise ValueError(f"smoothing: expected 0 or more and below 1, found {self.smoothing}")


class GAN(AdversarialModel):
    """Generative adversarial network of dense layers.

    With L sites the generator has layers of L / 1.2, L / 1.1 and L, the critic (discriminator) of L / 2, L / 3 and 1,
    leaky rectifiers between, tanh at the generator's end; both minimise binary cross entropy. A label, or a
    cluster, joins the input of both as one-hot values.

    Beside what is published there are the penalty R1 at real rows, thresholds of sites and the running mean of weights;
    the presets have none of it.

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `GANConfig`

    References
    ----------
    Yelmen et al. 2021, Creating artificial human genomes using generative neural networks, Materials and Methods,
    "GAN model"; Goodfellow et al. 2014, Generative adversarial nets, algorithm 1 (with the non-saturating loss).
    """

    name: ClassVar[str] = "gan"
    summary: ClassVar[str] = "Generative adversarial network of dense layers (Yelmen et al. 2021)."
    config_type: ClassVar[type] = GANConfig
    config: GANConfig
    ROUND_AT: ClassVar[float] = 0.5493061443340549  # artanh(1 / 2)
    SHARDS: ClassVar[int] = 1
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        # Yelmen et al. 2021, "GAN model": U(0, 0.1) smooths the real labels; 5000 SNPs: rates lower by ten
        "gan_805": _PUBLISHED,
        "gan_10k": {**_PUBLISHED, "learning_rate": 1e-5, "critic_rate": 8e-5},
    }
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {
        "learning_rate": (0.2, 5.0),
        "penalty_weight": (0.2, 5.0),
        "latent_size": (0.25, 2.0),
    }

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__(GANConfig(**self._over_preset(preset, settings)))

    def _network_of(self, num_sites: int, num_labels: int) -> nn.Module:
        return DenseGenerator(num_sites, num_labels, self.config.latent_size)

    def _critic_of(self, num_sites: int, num_labels: int) -> nn.Module:
        return DenseCritic(num_sites, num_labels, self.config.pack)

    def _blocks(self, num_sites: int, num_labels: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, build in (("generator", self._network_of), ("critic", self._critic_of)):
            found[f"{name}_parameters"] = parameters_of(partial(build, num_sites, num_labels))
            with torch.device("meta"):
                layers = [layer for layer in build(num_sites, num_labels).modules() if isinstance(layer, nn.Linear)]
            found[name] = " - ".join(str(size) for size in (layers[0].in_features, *(x.out_features for x in layers)))
        return found

    def _chance(self, logits: Tensor) -> Tensor:
        return torch.tanh(logits)  # below 0 none

    def _seen(self, logits: Tensor) -> Tensor:
        return torch.tanh(logits)

    def _critic_loss(self, real: Tensor, drawn: Tensor, stream: torch.Generator) -> Tensor:
        smoothed = 1 - self.config.smoothing * torch.rand(real.shape, generator=stream, device=real.device)
        return cross_entropy(real, smoothed) + cross_entropy(drawn, torch.zeros_like(drawn))

    def _generator_loss(self, drawn: Tensor) -> Tensor:
        return cross_entropy(drawn, torch.ones_like(drawn))


def cross_entropy(scores: Tensor, targets: Tensor) -> Tensor:
    """Sum of the binary cross entropy of the sigmoids of scores and their targets."""
    return functional.binary_cross_entropy_with_logits(scores, targets, reduction="sum")


class DenseGenerator(nn.Module):
    """From latent values and label to one value a site, before tanh."""

    def __init__(self, num_sites: int, num_labels: int, latent_size: int) -> None:
        super().__init__()
        self.noise_shapes = [(1, latent_size)]
        self._num_labels = num_labels if num_labels > 1 else 0
        sizes = [latent_size + self._num_labels, round(num_sites / 1.2) or 1, round(num_sites / 1.1) or 1, num_sites]
        self._layers = _dense(sizes)

    def forward(self, noise: list[Tensor], labels: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        """Logits (rows, num_sites)."""
        return _through(self._layers, noise[0][:, 0], labels, self._num_labels)


class DenseCritic(nn.Module):
    """Scores, before the sigmoid, of packs and their label."""

    def __init__(self, num_sites: int, num_labels: int, pack: int) -> None:
        super().__init__()
        self._num_labels = num_labels if num_labels > 1 else 0
        size = pack * num_sites
        self._layers = _dense([size + self._num_labels, round(size / 2) or 1, round(size / 3) or 1, 1])

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Scores (packs,) of (packs, pack, num_sites)."""
        return _through(self._layers, x.flatten(1), labels, self._num_labels)[:, 0]


def _dense(sizes: list[int]) -> nn.ModuleList:
    """Dense layers with Glorot's first weights and zero biases, as Keras begins."""
    layers = [nn.Linear(a, b) for a, b in pairwise(sizes)]
    for layer in layers:
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)
    return nn.ModuleList(layers)


def _through(layers: nn.ModuleList, x: Tensor, labels: Tensor, num_labels: int) -> Tensor:
    if num_labels:
        x = torch.cat([x, functional.one_hot(labels, num_labels).to(x.dtype)], 1)
    for layer in layers[:-1]:
        x = functional.leaky_relu(layer(x), SLOPE)
    return layers[-1](x)

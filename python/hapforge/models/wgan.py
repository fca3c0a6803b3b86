"""Wasserstein GAN with gradient penalty, of convolutions, for long sequences of sites."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hapforge.models._adversarial import AdversarialConfig, AdversarialModel
from hapforge.models._convolutions import (
    Critic,
    Generator,
    blocks_of,
    channels_seen,
    check_width,
    mirrored,
    padded_length,
    shapes_of,
)
from hapforge.models._network_model import check_at_least, parameters_of
from hapforge.models._network_training import start_at_frequencies

# Yelmen et al. 2023; the number of epochs is not stated ("when generated and real genome clusters overlapped")
_PUBLISHED: dict[str, Any] = {
    "width": 10,
    "noise_channels": 2,
    "epochs": 5000,
    "batch_size": 96,
    "learning_rate": 5e-4,
    "beta1": 0.5,
    "beta2": 0.9,
    "critic_steps": 10,
    "pack": 3,
    "jitter": 0.1,
    "penalty": "gradient",
    "penalty_weight": 10.0,
    "late_rate": 0.1,
    "alleles": "round",
    "ema": 0.0,
    "by_site": False,
    "clusters": 0,
}


@dataclass(frozen=True)
class WGANConfig(AdversarialConfig):
    """
    Attributes
    ----------
    width : int, c, even: channels of all blocks are multiples of it, see `hapforge.models._convolutions`
    noise_channels : int, channels of noise that enter every block but the residual ones
    by_site : whether sites have weights of their own beside the location vectors: a bias, at first by the allele
        frequency (of each label), and a mix of the last block's features in the generator, `width` multiples of an
        allele that the critic sees beside it
    others : as in `AdversarialConfig` and `NetworkConfig`
    """

    clusters: int = 32
    width: int = 10
    noise_channels: int = 2
    by_site: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("noise_channels", self.noise_channels, 1)
        check_width(self.width)


class WGAN(AdversarialModel):
    """Wasserstein GAN with gradient penalty: convolutions, location vectors, noise at every block, packs.

    The critic C maximises E[C(x)] - E[C(G(z))] - penalty_weight * penalty over packs of real and drawn rows; the
    generator G maximises E[C(G(z))]. Rows are padded with zeros to the next length 4 * 2**(2m) - 1; where there are
    labels or clusters, every block has location vectors of each, in both networks, and packs are of one.

    Beside what is published there are thresholds of sites ("calibrated" alleles), clusters where there is no label, the
    running mean of the generator's weights, weights of every site (`by_site`), R1 instead of the gradient penalty,
    bfloat16; the presets have all of it off. Batch normalisation is by shards (`shard`) there, too; with ``shard=96``
    it is by the batch, as published, in one thread. The penalty takes slopes at padded places, too, as published.

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `WGANConfig`

    References
    ----------
    Yelmen et al. 2023, Deep convolutional and conditional neural networks for large-scale genomic data generation,
    Materials and Methods, "WGAN implementation", figure 1; Gulrajani et al. 2017, Improved training of Wasserstein
    GANs, algorithm 1; Lin et al. 2018, PacGAN; Yazici et al. 2019, The unusual effectiveness of averaging in GAN
    training.
    """

    name: ClassVar[str] = "wgan"
    summary: ClassVar[str] = "Convolutional Wasserstein GAN with gradient penalty (Yelmen et al. 2023)."
    config_type: ClassVar[type] = WGANConfig
    config: WGANConfig
    SHARDS: ClassVar[int] = 4
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "wgan_16k": _PUBLISHED,
        "wgan_65k": {**_PUBLISHED, "late_epochs": 200},
    }
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {"learning_rate": (0.2, 5.0), "penalty_weight": (0.2, 5.0)}

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__(WGANConfig(**self._over_preset(preset, settings)))

    def _network_of(self, num_sites: int, num_labels: int) -> nn.Module:
        config, length = self.config, padded_length(num_sites)
        return Generator(length, config.width, num_labels, config.noise_channels, config.noise_channels, config.by_site)

    def _start(self, generator: Generator, counts: NDArray[np.int64], codes: NDArray[np.int64]) -> None:
        if self.config.by_site:
            start_at_frequencies(generator.site_bias, counts, codes)

    def _critic_of(self, num_sites: int, num_labels: int) -> Critic:
        config = self.config
        return Critic(padded_length(num_sites), config.width, num_labels, config.pack, config.by_site)

    def _blocks(self, num_sites: int, num_labels: int) -> dict[str, Any]:
        config, length = self.config, padded_length(num_sites)
        seen = channels_seen(config.width, config.by_site)
        return {
            "padded_length": length,
            "generator_parameters": parameters_of(lambda: self._network_of(num_sites, num_labels)),
            "critic_parameters": parameters_of(lambda: self._critic_of(num_sites, num_labels)),
            **shapes_of("generator", blocks_of(length, config.width, config.noise_channels)),
            **shapes_of("critic", mirrored(blocks_of(length, config.width, 1), config.pack * seen)),
        }

    def _length(self, num_columns: int) -> int:
        return padded_length(num_columns)

    def _seen(self, logits: Tensor) -> Tensor:
        return torch.sigmoid(logits)

    def _critic_loss(self, real: Tensor, drawn: Tensor, stream: torch.Generator) -> Tensor:
        """C(G(z)) - C(x) (Yelmen et al. 2023, "WGAN implementation")."""
        return (drawn - real).sum()

    def _generator_loss(self, drawn: Tensor) -> Tensor:
        """-C(G(z))."""
        return -drawn.sum()

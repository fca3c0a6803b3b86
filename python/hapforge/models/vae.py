"""Variational autoencoder of convolutions: the networks of the WGAN, mirrored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.kernels import nearest_neighbours
from hapforge.models import _store
from hapforge.models._clusters import Groups
from hapforge.models._convolutions import (
    Encoder,
    Generator,
    blocks_of,
    channels_seen,
    check_width,
    mirrored,
    padded_length,
    shapes_of,
)
from hapforge.models._network_model import NetworkConfig, NetworkModel, check_at_least, parameters_of
from hapforge.models._network_training import (
    Optimised,
    Rows,
    Shards,
    freeze,
    generator_of,
    initialised,
    start_at_frequencies,
    within_memory,
)
from hapforge.models._ranks import meet
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers, device_of

_SCORED_ROWS = 512
_ENCODED_ROWS = 1 << 14  # at most, for the distributions of latent values
_FEWEST_ENCODED = 16  # for one of their own
# Yelmen et al. 2023: Adam, 1e-3; latent size, batch and number of epochs are not stated
_PUBLISHED: dict[str, Any] = {
    "width": 10,
    "epochs": 500,
    "batch_size": 96,
    "learning_rate": 1e-3,
    "kl_weight": 1.0,
    "kl_warmup": 0.0,
    "alleles": "round",
    "ema": 0.0,
    "by_site": False,
    "clusters": 0,
}


@dataclass(frozen=True)
class VAEConfig(NetworkConfig):
    """
    Attributes
    ----------
    width : int, c, even: channels of all blocks are multiples of it, see `hapforge.models._convolutions`
    latent_channels : int, channels of the latent values at length 4
    by_site : whether sites have weights of their own beside the location vectors, as in `WGANConfig`: encoder and
        decoder are like critic and generator
    clusters : int, of alike rows, at most, and of 32 rows or more each, as whose latent values those of draws are
        distributed; the networks are not told of them. Where there is a label it is as those of the label's rows; all
        rows are taken for fewer than 16, and where there are no clusters. 0: N(0, 1), as published
    kl_weight : float > 0, of the Kullback-Leibler divergence beside the log loss, both summed over a row; 1, as
        published, is for draws by N(0, 1)
    kl_warmup : float in [0, 1], share of the epochs over which its weight grows from 0 (Bowman et al. 2016)
    others : as in `NetworkConfig`
    """

    learning_rate: float = 1e-3
    clusters: int = 64
    width: int = 10
    latent_channels: int = 32
    by_site: bool = True
    kl_weight: float = 0.2
    kl_warmup: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("latent_channels", self.latent_channels, 1)
        check_width(self.width)
        if not 0 < self.kl_weight < float("inf"):
            raise ValueError(f"kl_weight: expected more than 0, found {self.kl_weight}")
        if not 0 <= self.kl_warmup <= 1:
            raise ValueError(f"kl_warmup: expected 0 to 1, found {self.kl_warmup}")


class VAE(NetworkModel):
    """Variational autoencoder: an encoder like the WGAN's critic, a decoder like its generator, without noise in it.

    It maximises E[log p(x | z)] - kl_weight KL(q(z | x) || N(0, 1)), p Bernoulli by the decoder's logits, q normal by
    the encoder's means and variances. Published draws are z ~ N(0, 1), of which q is only part where rows fall into
    groups: ours are of a mixture of normal distributions, one of each cluster of alike rows, with the mean and variance
    of q over its training rows (after training, as Ghosh et al. 2020 fit theirs), or, where there is a label, of the
    one of a label's rows; a smaller kl_weight is then no loss. Of more than 16,384 rows as many, drawn, are encoded.
    Rows are padded with zeros to the next length 4 * 2**(2m) - 1, which the loss leaves out; where there are labels,
    every block has location vectors of each, in both networks.

    Beside what is published there are thresholds of sites ("calibrated" alleles), the running mean of the weights,
    weights of every site (`by_site`), the distributions of latent values (`clusters`), and a divergence whose weight
    grows; the presets have all of it off.

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `VAEConfig`

    References
    ----------
    Kingma, Welling 2014, Auto-encoding variational Bayes, eqs. 3 and 10; Ghosh et al. 2020, From variational to
    deterministic autoencoders, section 4; Yelmen et al. 2023, Deep convolutional and conditional neural networks for
    large-scale genomic data generation, Materials and Methods, "VAE implementation", supplementary figure 1.
    """

    name: ClassVar[str] = "vae"
    summary: ClassVar[str] = "Convolutional variational autoencoder (Yelmen et al. 2023)."
    config_type: ClassVar[type] = VAEConfig
    NOISE_HOLDS: ClassVar[tuple[str, str]] = ("mean_agreement", "nearness to each other")
    config: VAEConfig
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        "vae_16k": _PUBLISHED,
        "vae_65k": _PUBLISHED,
    }
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {
        "learning_rate": (0.2, 5.0),
        "kl_weight": (0.2, 2.0),
        "latent_channels": (0.25, 2.0),
    }

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__(VAEConfig(**self._over_preset(preset, settings)))

    @staticmethod
    def _held(
        alleles: HaplotypeMatrix | NDArray[np.bool_], pairs: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> float:
        """Mean share of sites at which a row is like the row nearest to it.

        Of many rows it is better known than mean r2, by sampling clusters, and hence the noise.
        """
        num_sites = alleles.num_sites if isinstance(alleles, HaplotypeMatrix) else alleles.shape[1]
        return 1 - float(nearest_neighbours(alleles).distance.mean()) / num_sites

    def _find_groups(self, H: HaplotypeMatrix) -> Groups:
        self._told_apart = Groups.of(H, self.config.label, 0, self._unit)  # clusters are of latent values alone
        return self._told_apart

    def _network_of(self, num_sites: int, num_labels: int) -> Decoder:
        config = self.config
        of = padded_length(num_sites), config.width, num_labels, config.latent_channels, config.by_site
        return Decoder(*of, parts=num_labels if config.label else max(1, config.clusters))

    def _encoder_of(self, num_sites: int, num_labels: int) -> Encoder:
        config = self.config
        return Encoder(padded_length(num_sites), config.width, num_labels, config.latent_channels, config.by_site)

    def _blocks(self, num_sites: int, num_labels: int) -> dict[str, Any]:
        config, length = self.config, padded_length(num_sites)
        seen = channels_seen(config.width, config.by_site)
        return {
            "padded_length": length,
            "encoder_parameters": parameters_of(lambda: self._encoder_of(num_sites, num_labels)),
            "decoder_parameters": parameters_of(lambda: self._network_of(num_sites, num_labels)),
            **shapes_of("encoder", mirrored(blocks_of(length, config.width, 1), seen)),
            **shapes_of("decoder", blocks_of(length, config.width, config.latent_channels)),
        }

    @contextmanager
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> Iterator[VAELearner]:
        self._device = device_of(device)
        with within_memory(), Workers(self._device, meet()) as workers:
            rows, held, counts = self._rows_of(H, validation)
            of = rows.num_sites, rows.num_labels
            network = initialised(
                lambda: Autoencoder(self._encoder_of(*of), self._network_of(*of)), seed, "autoencoder"
            )
            parts = Groups.of(H, self.config.label, self.config.clusters, self._unit)
            codes = parts.codes(H)
            yield VAELearner(self.config, seed, workers, network, rows, held, counts, parts, codes, self._device)

    def _sampling(self) -> str:
        if not self.config.clusters:
            return super()._sampling()
        of = "rows with its label" if self.config.label else "a cluster of training rows or, without clusters, of all"
        return f"{super()._sampling()} A row's latent values are distributed as those of {of}."

    def _restore(self, tensors: _store.Tensors) -> None:
        if "clusters" in self.training:
            raise ValueError("clusters: expected none in the training of a VAE, found some")
        super()._restore(tensors)
        share, deviation = tensors["network.latent_share"], tensors["network.latent_deviation"]
        if (share < 0).any() or not share.sum() > 0 or (deviation < 0).any():
            raise ValueError("latent_share, latent_deviation: expected shares of a mixture and 0 or more, found others")


class Decoder(Generator):
    """A generator from latent values, and the normal distributions that those of draws are of.

    Parameters
    ----------
    parts : int, normal distributions: of every label or, without labels, of a mixture
    others : as of `Generator`

    Attributes
    ----------
    latent_mean, latent_deviation : float32 (parts, latent_channels, 4)
    latent_share : float32 (parts,), of the mixture; at first all draws are by the first part, N(0, 1)
    """

    latent_mean: Tensor
    latent_deviation: Tensor
    latent_share: Tensor

    def __init__(
        self, length: int, width: int, num_labels: int, latent_channels: int, by_site: bool, *, parts: int
    ) -> None:
        super().__init__(length, width, num_labels, latent_channels, 0, by_site)
        self._is_mixture = num_labels == 1 < parts
        self.register_buffer("latent_mean", torch.zeros(parts, latent_channels, 4))
        self.register_buffer("latent_deviation", torch.ones(parts, latent_channels, 4))
        self.register_buffer("latent_share", (torch.arange(parts) == 0).float())
        if self._is_mixture:
            self.noise_shapes.append((1, 1))

    def decode(self, latents: Tensor, labels: Tensor, seen: list[Tensor] | None) -> Tensor:
        """Logits, as of `Generator`, of latent values (rows, latent_channels, 4)."""
        return super().forward([latents], labels, seen)

    def forward(self, noise: list[Tensor], labels: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        """Logits of draws."""
        parts = labels
        if self._is_mixture:
            bounds = self.latent_share.double().cumsum(0)
            parts = torch.bucketize(
                torch.special.ndtr(noise[1].flatten().double()), bounds[:-1] / bounds[-1], right=True
            )
        return self.decode(self.latent_mean[parts] + self.latent_deviation[parts] * noise[0], labels, seen)


class Autoencoder(nn.Module):
    """Encoder and decoder."""

    encoder: Encoder
    decoder: Decoder

    def __init__(self, encoder: Encoder, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.decoder = encoder, decoder


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL(N(mean, exp(log_variance)) || N(0, 1)), summed (Kingma, Welling 2014, appendix B)."""
    return (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2


class VAELearner:
    """A `Learner` (see `hapforge.models._training`) of encoder and decoder.

    An epoch is one pass over the rows, but for what is less than a batch.
    """

    def __init__(
        self,
        config: VAEConfig,
        seed: int,
        workers: Workers,
        network: Autoencoder,
        rows: Rows,
        held: Rows | None,
        counts: NDArray[np.int64],
        parts: Groups,
        codes: NDArray[np.int64],
        device: torch.device,
    ) -> None:
        self._config, self._seed, self._device = config, seed, device
        self._rows, self._held, self._counts = rows, held, counts
        self._length = padded_length(rows.num_sites)
        self._batch = min(config.batch_size, len(rows.codes))
        rows.check("H")
        if held is not None and not len(held.units(0)):
            raise ValueError("validation: expected a haplotype or more (with a label), found none")
        shard = min(config.shard or -(-self._batch // 4), self._batch)
        self._shards = Shards(workers, shard, device, config.precision)
        if config.by_site:
            start_at_frequencies(network.decoder.site_bias, counts, rows.codes)
        self._network = Optimised(network.to(device), betas=(0.9, 0.999), ema=config.ema)
        self._parts, self._codes = parts, torch.from_numpy(codes).to(device)  # of the rows' latent values

    def tensors(self) -> _store.Tensors:
        return {**self._network.tensors("autoencoder"), "centres": self._parts.centres}

    def restore(self, tensors: _store.Tensors) -> None:
        self._parts.check(tensors["centres"])
        self._network.restore("autoencoder", tensors)

    def snapshot(self) -> _store.Tensors:
        with self._network.with_mean() as network:
            decoder = network.decoder
            if self._config.clusters:
                decoder.latent_share, decoder.latent_mean, decoder.latent_deviation = self._latents(network)
            freeze(decoder, self._shards, self._seed, self._shards.size, self._rows.draw_labels)
            parts = {f"network.{name}": value.cpu().numpy().copy() for name, value in decoder.state_dict().items()}
        return {**parts, "allele_counts": self._counts, **self._rows.groups.tensors()}

    def _latents(self, network: Autoencoder) -> tuple[Tensor, Tensor, Tensor]:
        """Share of every part in the rows, mean and deviation of their latent values.

        A part of few rows, which its latent values might give away, has those of all rows.
        """
        of, size, count = self._rows, self._shards.size, len(network.decoder.latent_share)
        rows = of.units(stream_seed(self._seed, "latents"))[:_ENCODED_ROWS, 0]
        rows = rows[: len(rows) // size * size or None]  # shards of one size: their rows are normalised together

        @torch.no_grad()
        def work(_: int, first: int, last: int) -> tuple[Tensor, ...]:
            some = rows[first:last]
            alleles = of.alleles(some, self._length)
            mean, log_variance = (value.float() for value in network.encoder(alleles[:, None], of.labels[some], []))
            own = functional.one_hot(self._codes[some], count).T.double()
            moments = (mean.double(), mean.double().square() + log_variance.double().exp())
            with torch.autocast(self._device.type, enabled=False):
                sums = [(own @ moment.flatten(1)).unflatten(1, mean.shape[1:]) for moment in moments]
            return own.sum(1), *sums

        found, *sums = self._shards.sum(len(rows), work)
        enough = (found >= _FEWEST_ENCODED)[:, None, None]
        known = torch.where(enough, found[:, None, None], found.sum())
        mean, squares = (torch.where(enough, value, value.sum(0)) / known for value in sums)
        return found / found.sum(), mean, (squares - mean.square()).clamp(min=0).sqrt()

    def histograms(self) -> dict[str, NDArray[Any]]:
        return {"autoencoder": self._network.flat.detach().cpu().numpy()}

    def epoch(self, epoch: int) -> dict[str, float]:
        config = self._config
        warm = config.kl_warmup * config.epochs
        weight = config.kl_weight * (min(1.0, epoch / warm) if warm else 1.0)
        units = self._rows.units(stream_seed(self._seed, "order", epoch))[:, 0]
        batches = max(1, len(units) // self._batch)
        totals = np.zeros(2)
        for batch in range(batches):
            rows = units[batch * self._batch : (batch + 1) * self._batch]
            gradient, *losses = self._sums(self._rows, rows, weight, "train", epoch, batch)
            self._network.update(gradient, config.learning_rate)
            totals += [float(loss) / batches for loss in losses]
        metrics = {
            "log_loss": float(totals[0]),
            "divergence": float(totals[1]),
        }
        if self._held is not None:
            for name, of in (("train", self._rows), ("validation", self._held)):
                rows = of.units(0)[:_SCORED_ROWS, 0]
                metrics[f"elbo_{name}"] = -sum(float(part) for part in self._sums(of, rows, None, name, 0, 0))
        return metrics

    def _sums(self, of: Rows, rows: Tensor, weight: float | None, name: str, epoch: int, batch: int) -> list[Tensor]:
        """Mean log loss and divergence of rows; before them, where a weight is given, the gradient."""
        count, network = len(rows), self._network.network

        @torch.set_grad_enabled(weight is not None)  # of this thread
        def work(shard: int, first: int, last: int) -> tuple[Tensor, ...]:
            stream = generator_of(self._device, self._seed, name, epoch, batch, shard)
            part = rows[first:last]
            labels, alleles = of.labels[part], of.alleles(part, self._length)
            mean, log_variance = (value.float() for value in network.encoder(alleles[:, None], labels, []))
            noise = torch.randn(mean.shape, generator=stream, device=stream.device)
            logits = network.decoder.decode(mean + noise * (log_variance / 2).exp(), labels, [])
            logits = logits[:, : of.num_sites].float()
            log_loss = functional.binary_cross_entropy_with_logits(logits, alleles[:, : of.num_sites], reduction="sum")
            apart = divergence(mean, log_variance)
            losses = (log_loss.detach() / count, apart.detach() / count)
            if weight is None:
                return losses
            return self._network.gradient((log_loss + weight * apart) / (count * of.num_sites)), *losses

        return self._shards.sum(count, work)

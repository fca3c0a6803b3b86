"""Diffusion in an embedding of haplotypes or genotypes: complete genomes from noise, step by step."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.io.atomic import sha256_file
from hapforge.models import _store
from hapforge.models._clusters import Groups
from hapforge.models._denoisers import (
    BACKBONES,
    CNNDenoiser,
    DenseDenoiser,
    MixedDenoiser,
    MLPDenoiser,
    TransformerDenoiser,
)
from hapforge.models._network_model import (
    NetworkConfig,
    NetworkModel,
    check_at_least,
    check_choice,
    counts_of,
    parameters_of,
)
from hapforge.models._network_training import Optimised, Rows, Shards, generator_of, initialised, within_memory
from hapforge.models._persons import unphased
from hapforge.models._ranks import meet
from hapforge.models._samplers import SAMPLERS, SCHEDULES, Schedule, ddim, ddpm, dpm_solver, guided
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers, device_of
from hapforge.models.embedding import CohortPCA, Embedding, GenewisePCA, restore

PREDICTED = ("noise", "velocity")
EMBEDDINGS = ("genes", "cohort")
_SCORED_ROWS = 512
_ROWS_AT_ONCE = 64
_BOTTLENECK_KEPT = 0.9
_MANY_WEIGHTS = 1 << 26
_KEPT_BYTES = 1 << 30  # embedded rows are kept where they take no more, else made for every batch
# Kenneweg et al., Generating synthetic genotypes using diffusion models: table 5 and its text; T by their scripts
_PUBLISHED: dict[str, Any] = {
    "backbone": "mlp+cnn",
    "mlp_width": 1024,
    "cnn_width": 64,
    "transformer_width": 384,
    "transformer_layers": 12,
    "positions_per_token": 32,
    "predicts": "noise",
    "steps": 500,
    "schedule": "linear",
    "sampler": "ddpm",
    "sampling_steps": 0,
    "guidance": 0.0,
    "clusters": 0,
    "alleles": "round",
}


@dataclass(frozen=True)
class DiffusionConfig(NetworkConfig):
    """
    Attributes
    ----------
    embedding : "genes": `GenewisePCA`; "cohort": `CohortPCA`
    genes : str, path of a GFF3, GTF or BED file with genes; "": windows of sites
    max_distance_bp : int, a site goes to the nearest gene that is not further away than that
    window : int, sites of a window, 1 to 100; 0: as many as the embedding chooses
    window_cm : float, centimorgans of a window, instead; 0: by sites
    components : int, of the whole cohort, with embedding=cohort
    backbone : "dense", "mlp", "cnn", "mlp+cnn" or "transformer"
    mlp_width : int, of the widest layer (mlp, mlp+cnn, dense)
    cnn_width : int, channels of the first level (cnn, mlp+cnn)
    transformer_width, transformer_layers : int
    positions_per_token : int, genes that are a token of the transformer
    predicts : what the backbone predicts, and the loss is of: "noise", as published, or "velocity", sqrt(abar) eps -
        sqrt(1 - abar) x (Salimans, Ho 2022, appendix D): where little is left of the data this is the data, and narrow
        layers need not pass on the noise of all values
    steps : int, T
    schedule : "linear" or "cosine", see `hapforge.models._samplers`
    sampler : "ddpm", "ddim" or "dpm" (DPM-Solver++)
    sampling_steps : int, how many of the T steps are taken in sampling, evenly spread (dpm: by signal over noise);
        0, or more than there are: all
    guidance : float >= 0, scale of classifier-free guidance
    label_dropout : float in [0, 1), share of the rows that are trained without their label (or cluster)
    unit : what a row is: a "haplotype", or a "person", of whom the genotypes are learnt, and drawn persons are not
        phased
    shard : int, rows that a thread computes at a time, without effect on the result but for rounding; 0: half of the
        batch where there are dense layers, else a quarter, and all of it where there are 67 million weights or more
    others : as in `NetworkConfig`
    """

    epochs: int = 300
    batch_size: int = 128
    learning_rate: float = 1e-3
    ema: float = 0.999
    clusters: int = 32
    embedding: str = "genes"
    genes: str = ""
    max_distance_bp: int = 10_000
    window: int = 0
    window_cm: float = 0.0
    components: int = 512
    backbone: str = "mlp+cnn"
    mlp_width: int = 512
    cnn_width: int = 16
    transformer_width: int = 192
    transformer_layers: int = 6
    positions_per_token: int = 8
    predicts: str = "velocity"
    steps: int = 500
    schedule: str = "linear"
    sampler: str = "dpm"
    sampling_steps: int = 25
    guidance: float = 0.0
    label_dropout: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, choices in (
            ("embedding", EMBEDDINGS),
            ("backbone", BACKBONES),
            ("schedule", SCHEDULES),
            ("sampler", SAMPLERS),
            ("predicts", PREDICTED),
        ):
            check_choice(name, getattr(self, name), choices)
        for name, least in (
            ("max_distance_bp", 0),
            ("window", 0),
            ("window_cm", 0.0),
            ("components", 1),
            ("mlp_width", 1),
            ("cnn_width", 1),
            ("transformer_width", 1),
            ("transformer_layers", 1),
            ("positions_per_token", 1),
            ("steps", 2),
            ("sampling_steps", 0),
            ("guidance", 0.0),
        ):
            check_at_least(name, getattr(self, name), least)
        if not 0 <= self.label_dropout < 1:
            raise ValueError(f"label_dropout: expected 0 or more and below 1, found {self.label_dropout}")
        if self.guidance and not ((self.label or self.clusters > 1) and self.label_dropout):
            raise ValueError("guidance: expected a label or clusters, and label_dropout, beside it, found none")


class NoisePredictor(nn.Module):
    """The noise in x_t by a backbone, which predicts it or the velocity; padding is zero, and no noise is there."""

    mask: Tensor
    kept: Tensor

    def __init__(self, backbone: nn.Module, mask: NDArray[np.bool_], schedule: Schedule, predicts: str) -> None:
        super().__init__()
        self.backbone, self._predicts = backbone, predicts
        self.register_buffer("mask", torch.from_numpy(mask.astype(np.float32)))
        self.register_buffer("kept", torch.from_numpy(schedule.kept.astype(np.float32)))

    def forward(self, x: Tensor, steps: Tensor, labels: Tensor) -> Tensor:
        """The noise, like x (rows, positions, channels), at steps (rows,) of 1 ... T."""
        found: Tensor = self.backbone(x, steps / (len(self.kept) - 1), labels) * self.mask
        if self._predicts == "noise":
            return found
        kept = self.kept[steps][:, None, None]
        return (1 - kept).sqrt() * x + kept.sqrt() * found

    def loss(self, of_noise: Tensor, steps: Tensor) -> Tensor:
        """The squared error of what the backbone predicts, by that of the noise, both (rows,)."""
        return of_noise if self._predicts == "noise" else of_noise / self.kept[steps]


@dataclass(frozen=True)
class Denoising:
    """How well a row is denoised at once, by how much noise there is.

    Attributes
    ----------
    step : int64 (levels,), t
    noise : float64 (levels,), sqrt(1 - abar_t), the noise's share of the standard deviation
    loss : float64 (levels,), mean squared error of the predicted noise
    error : float64 (levels,), root mean squared error of the data that the prediction implies; 1 is no better than 0
    share_of_cnn : float64 (levels,), lambda(t) of "mlp+cnn"; NaN for other backbones
    """

    step: NDArray[np.int64]
    noise: NDArray[np.float64]
    loss: NDArray[np.float64]
    error: NDArray[np.float64]
    share_of_cnn: NDArray[np.float64]

    def rounded(self) -> dict[str, list[float]]:
        """The arrays as lists, without those that are NaN."""
        arrays = {name: value for name, value in vars(self).items() if not np.isnan(value).any()}
        return {name: [float(f"{number:.5g}") for number in value.tolist()] for name, value in arrays.items()}


class Diffusion(NetworkModel):
    """Denoising diffusion in a gene-wise or cohort-wide PCA of haplotypes or genotypes, back to alleles by thresholds.

    A network learns to predict the noise in x_t = sqrt(abar_t) x + sqrt(1 - abar_t) eps, x the embedded row, by the
    mean of squares over what is no padding; draws start from noise and are denoised step by step. The embedding's
    inverse gives a value for every site; alleles are 1 above the site's threshold ("calibrated": that with which draws
    have the training rows' allele frequencies). Where there is no label, clusters of rows stand for it (`clusters`).

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `DiffusionConfig`

    References
    ----------
    Ho, Jain, Abbeel 2020, Denoising diffusion probabilistic models, algorithms 1 and 2; Kenneweg et al., Generating
    synthetic genotypes using diffusion models, sections 3.2 and 3.3, where the forward equation exchanges data and
    noise; Ho, Salimans 2022, Classifier-free diffusion guidance.
    """

    name: ClassVar[str] = "diffusion"
    summary: ClassVar[str] = "Denoising diffusion in a PCA of genes or of the cohort (Ho et al. 2020)."
    config_type: ClassVar[type] = DiffusionConfig
    config: DiffusionConfig
    ROUND_AT: ClassVar[float] = 0.5
    DRAWS_TAKE_LONG: ClassVar[bool] = True
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {"diffusion_genome": _PUBLISHED}

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__(DiffusionConfig(**self._over_preset(preset, settings)))
        self._embedding: Embedding | None = None

    @property
    def embedding(self) -> Embedding:
        """The fitted embedding. ValueError before `fit`."""
        if self._embedding is None:
            raise ValueError("Diffusion: expected a fitted model, found none: call fit first")
        return self._embedding

    def denoising(self, H: HaplotypeMatrix, *, levels: int = 20, seed: int = 0) -> Denoising:
        """How well rows of a cohort with the model's sites are denoised at once, at evenly spread levels of noise.

        Parameters
        ----------
        H : with the sites of the training cohort, and its label; at most 512 rows of it are taken
        levels : int, 1 to T
        seed : int in [0, 2**64)
        """
        config, schedule = self.config, self._schedule
        check_at_least("levels", levels, 1)
        rows = EmbeddedRows(H, self._told_apart, self.embedding, self._device)
        chosen = rows.units(0)[:_SCORED_ROWS, 0]
        x, labels = rows.embedded(chosen), rows.labels[chosen]
        steps, found = schedule.some(min(levels, config.steps))[::-1], []
        with torch.inference_mode():
            for t in steps.tolist():
                stream = generator_of(self._device, seed, "denoising", t)
                noise = torch.randn(x.shape, generator=stream, device=stream.device)
                found.append(
                    _errors(self._network, schedule, x, noise, torch.full((len(x),), t, device=x.device), labels)
                )
            t = torch.from_numpy(steps / config.steps).float().to(self._device)
            mixed = self._network.backbone
            share = mixed.share_of_cnn(t).cpu().numpy() if isinstance(mixed, MixedDenoiser) else np.full(len(t), np.nan)
        loss, error = (np.array([float(part[i].mean()) for part in found]) for i in range(2))
        return Denoising(steps, np.sqrt(1 - schedule.kept[steps]), loss, np.sqrt(error), share.astype(np.float64))

    def bottlenecks(self, H: HaplotypeMatrix, *, seed: int = 0) -> dict[str, NDArray[np.float32]]:
        """What the narrowest layers of the backbone hold of rows that have a little noise (a tenth of the variance).

        Rows are shown without their label: what tells labels apart here has not been told.

        Parameters
        ----------
        H : with the sites of the training cohort
        seed : int in [0, 2**64), of the noise

        Returns
        -------
        dict of float32 (rows, values) by kind of network, of which "mlp+cnn" has two; a row is a haplotype or, with
        unit=person, a person

        References
        ----------
        Kenneweg et al., Generating synthetic genotypes using diffusion models, figure 7.
        """
        schedule, device, step = self._schedule, self._device, _ROWS_AT_ONCE * self._rows_of_unit
        t = int(np.abs(schedule.kept - _BOTTLENECK_KEPT).argmin())
        found: dict[str, list[NDArray[np.float32]]] = {}
        backbone: Any = self._network.backbone

        def keep(name: str) -> Any:
            return lambda module, given, value: found.setdefault(name, []).append(value.flatten(1).cpu().numpy())

        hooks = [module.register_forward_hook(keep(name)) for name, module in backbone.bottlenecks.items()]
        try:
            with torch.inference_mode():
                for first in range(0, H.num_haplotypes, step):
                    block = H.select_haplotypes(np.arange(first, min(first + step, H.num_haplotypes)))
                    x = torch.from_numpy(self.embedding.encode(block)).to(device)
                    noise = torch.randn(
                        x.shape, generator=generator_of(device, seed, "bottlenecks", first), device=device
                    )
                    free = torch.full((len(x),), self._told_apart.count, device=device)
                    _errors(self._network, schedule, x, noise, torch.full_like(free, t), free)
        finally:
            for hook in hooks:
                hook.remove()
        return {name: np.concatenate(parts) for name, parts in found.items()}

    @property
    def _schedule(self) -> Schedule:
        return Schedule.of(self.config.schedule, self.config.steps)

    def _as_units(self, H: HaplotypeMatrix) -> HaplotypeMatrix:
        return super()._as_units(unphased(H) if self.config.unit == "person" else H)

    def _identity(self, H: HaplotypeMatrix) -> dict[str, Any]:
        genes = self.config.genes
        return {**super()._identity(H), **({"genes_sha256": sha256_file(Path(genes))} if genes else {})}

    def _describe_training(self, data: HaplotypeMatrix, seed: int, **more: Any) -> None:
        if self.config.unit == "person":
            more["unphased"] = True
        super()._describe_training(data, seed, embedding=self.embedding.settings, **more)

    def _network_of(self, num_columns: int, num_labels: int) -> NoisePredictor:
        config = self.config
        positions, channels = self.embedding.shape
        of = positions, channels, num_labels
        match config.backbone:
            case "dense":
                denoiser: nn.Module = DenseDenoiser(*of, config.mlp_width)
            case "mlp":
                denoiser = MLPDenoiser(*of, config.mlp_width)
            case "cnn":
                denoiser = CNNDenoiser(*of, config.cnn_width)
            case "transformer":
                width, layers = config.transformer_width, config.transformer_layers
                denoiser = TransformerDenoiser(*of, width, layers, config.positions_per_token)
            case _:
                denoiser = MixedDenoiser(MLPDenoiser(*of, config.mlp_width), CNNDenoiser(*of, config.cnn_width))
        return NoisePredictor(denoiser, self.embedding.mask, self._schedule, config.predicts)

    def _blocks(self, num_columns: int, num_labels: int) -> dict[str, Any]:
        config, (positions, channels) = self.config, self.embedding.shape
        return {
            "positions": positions,
            "channels": channels,
            "values": int(self.embedding.mask.sum()),
            "parameters": parameters_of(lambda: self._network_of(num_columns, num_labels)),
            "gflop_a_genome": round(min(config.sampling_steps or config.steps, config.steps) * self._flop / 1e9, 3),
        }

    @property
    def _flop(self) -> int:
        """Floating point operations of one step of one row."""
        with torch.device("meta"):
            backbone = self._network_of(0, self._told_apart.count).backbone
            with FlopCounterMode(display=False) as counter:
                backbone(torch.zeros(1, *self.embedding.shape), torch.ones(1), torch.zeros(1, dtype=torch.int64))
        return int(counter.get_total_flops())

    @contextmanager
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> Iterator[DiffusionLearner]:
        config, self._device = self.config, device_of(device)
        with within_memory(), Workers(self._device, meet()) as workers:
            groups = self._find_groups(H)
            if config.guidance and groups.count == 1:
                raise ValueError(f"guidance: expected a label or rows for two clusters, found {H.num_haplotypes} rows")
            self._embedding = embedding = self._unfitted().fit(H)
            rows = EmbeddedRows(H, groups, embedding, self._device)
            held = None if validation is None else EmbeddedRows(validation, groups, embedding, self._device)
            network = initialised(lambda: self._network_of(0, rows.num_labels), seed, "denoiser")
            counts = counts_of(self._as_units(H), rows.codes, rows.num_labels)
            yield DiffusionLearner(config, seed, workers, network, rows, held, counts, self._schedule, self._device)

    def _conclude(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        super()._conclude(H, validation, seed)
        of = {"training": H} if validation is None else {"training": H, "validation": validation}
        self.training["denoising"] = {name: self.denoising(rows, seed=seed).rounded() for name, rows in of.items()}

    def _logits(self, labels: Tensor, stream: np.random.Generator) -> Tensor:
        """What the embedding makes of denoised noise: a value for every site."""
        config, network, schedule, device = self.config, self._network, self._schedule, self._device
        shape = (len(labels), *self.embedding.shape)

        def noise() -> Tensor:
            return torch.from_numpy(stream.standard_normal(shape, np.float32)).to(device) * network.mask

        def at(x: Tensor, t: int, labels: Tensor = labels) -> Tensor:
            found: Tensor = network(x, torch.full((len(x),), t, device=device), labels)
            return found

        free = torch.full_like(labels, self._told_apart.count)
        predict = guided(lambda x, t: (at(x, t), at(x, t, free)), config.guidance) if config.guidance else at
        count = min(config.sampling_steps or config.steps, config.steps)
        steps = schedule.some_by_signal(count) if config.sampler == "dpm" else schedule.some(count)
        match config.sampler:
            case "ddpm":
                x = ddpm(predict, noise(), schedule, steps, noise)
            case "ddim":
                x = ddim(predict, noise(), schedule, steps)
            case _:
                x = dpm_solver(predict, noise(), schedule, steps)
        values = torch.from_numpy(self.embedding.values(x.cpu().numpy())).to(device)
        return values.repeat_interleave(self._rows_of_unit, 1)

    def _limits(self, alleles: str) -> Tensor | None:
        limits = super()._limits(alleles)
        if alleles == "round" and limits is not None and self.config.unit == "person":
            limits[:, ::2] += 1.0  # the first of two alleles that are in order is 1 where both are
        return limits

    def _logistic(self, shape: tuple[int, ...], stream: np.random.Generator) -> Tensor:
        rows, columns = shape  # a person's two alleles stand at one value
        each = self._rows_of_unit
        return super()._logistic((rows, columns // each), stream).repeat_interleave(each, 1)

    def _chance(self, values: Tensor) -> Tensor:
        return (values / self._rows_of_unit).clamp(0, 1)

    def _tensors(self) -> _store.Tensors:
        return {**super()._tensors(), **_named(self.embedding)}

    def _restore(self, tensors: _store.Tensors) -> None:
        self._embedding = restore(self.training["embedding"], _store.part_of(tensors, "embedding"), self.sites)
        super()._restore(tensors)

    def _unfitted(self) -> Embedding:
        config = self.config
        if config.embedding == "cohort":
            return CohortPCA(components=config.components, unit=self._unit)
        return GenewisePCA(
            config.genes or None,
            max_distance_bp=config.max_distance_bp,
            window=config.window or None,
            window_cm=config.window_cm or None,
            unit=self._unit,
        )


def _named(embedding: Embedding) -> _store.Tensors:
    return {f"embedding.{name}": value for name, value in embedding.tensors().items()}


class EmbeddedRows(Rows):
    """Rows of a cohort (haplotypes, or persons) as their embedding; kept where they take at most 1 GiB."""

    def __init__(self, H: HaplotypeMatrix, groups: Groups, embedding: Embedding, device: torch.device) -> None:
        self._H, self._of_unit, self.embedding = H, 2 if groups.unit == "person" else 1, embedding
        persons = H.select_haplotypes(np.arange(0, H.num_haplotypes, self._of_unit))
        super().__init__(persons, groups, groups.codes(H), device)
        self._kept: Tensor | None = None
        if len(self.codes) * int(np.prod(embedding.shape)) * 4 <= _KEPT_BYTES:
            self._kept = torch.from_numpy(embedding.encode(H)).to(device)

    def embedded(self, rows: Tensor) -> Tensor:
        """float32 (len(rows), positions, channels)."""
        if self._kept is not None:
            return self._kept[rows]
        first = rows.cpu().numpy()[:, None] * self._of_unit
        haplotypes = (first + np.arange(self._of_unit)).reshape(-1)
        return torch.from_numpy(self.embedding.encode(self._H.select_haplotypes(haplotypes))).to(rows.device)


def _errors(
    network: NoisePredictor, schedule: Schedule, x: Tensor, noise: Tensor, t: Tensor, labels: Tensor
) -> tuple[Tensor, Tensor]:
    """Mean squared errors of every row: of the noise, and of the data that it implies; t : int64 (rows,)."""
    mask = network.mask
    noise = noise * mask
    predicted = network(schedule.noised(x, noise, t), t, labels)
    of_noise = (predicted - noise).square().sum((1, 2)) / mask.sum()
    kept = x.new_tensor(schedule.kept)[t]
    return of_noise, of_noise * (1 - kept) / kept


class DiffusionLearner:
    """A `Learner` (see `hapforge.models._training`) of a denoiser.

    An epoch is one pass over the rows, but for what is less than a batch.
    """

    def __init__(
        self,
        config: DiffusionConfig,
        seed: int,
        workers: Workers,
        network: NoisePredictor,
        rows: EmbeddedRows,
        held: EmbeddedRows | None,
        counts: NDArray[np.int64],
        schedule: Schedule,
        device: torch.device,
    ) -> None:
        self._config, self._seed, self._device, self._schedule = config, seed, device, schedule
        self._rows, self._held, self._counts = rows, held, counts
        if held is not None and not len(held.units(0)):
            raise ValueError("validation: expected a haplotype or more (with a label), found none")
        self._batch = min(config.batch_size, len(rows.units(0)))
        weights = sum(value.numel() for value in network.parameters())
        # gradients of many weights are long to sum, and memory has one of every shard
        shards = 1 if weights > _MANY_WEIGHTS else 4 if config.backbone in ("cnn", "transformer") else 2
        shard = min(config.shard or -(-self._batch // shards), self._batch)
        self._shards = Shards(workers, shard, device, config.precision)
        self._network = Optimised(network.to(device), betas=(0.9, 0.999), ema=config.ema)

    def tensors(self) -> _store.Tensors:
        return {**self._network.tensors("denoiser"), "centres": self._rows.groups.centres}

    def restore(self, tensors: _store.Tensors) -> None:
        self._rows.groups.check(tensors["centres"])
        self._network.restore("denoiser", tensors)

    def snapshot(self) -> _store.Tensors:
        with self._network.with_mean() as network:
            parts = {f"network.{name}": value.cpu().numpy().copy() for name, value in network.state_dict().items()}
        return {**parts, "allele_counts": self._counts, **_named(self._rows.embedding), **self._rows.groups.tensors()}

    def histograms(self) -> dict[str, NDArray[Any]]:
        return {"denoiser": self._network.flat.detach().cpu().numpy()}

    def epoch(self, epoch: int) -> dict[str, float]:
        config = self._config
        units = self._rows.units(stream_seed(self._seed, "order", epoch))[:, 0]
        batches = max(1, len(units) // self._batch)
        total = 0.0
        for batch in range(batches):
            rows = units[batch * self._batch : (batch + 1) * self._batch]
            gradient, loss = self._sums(self._rows, rows, "train", epoch, batch)
            self._network.update(gradient, config.learning_rate)
            total += float(loss) / batches
        metrics = {"loss": total}
        if self._held is not None:
            with self._network.with_mean():
                for name, of in (("train", self._rows), ("validation", self._held)):
                    loss, error = self._sums(of, of.units(0)[:_SCORED_ROWS, 0], name)
                    metrics |= {f"noise_error_{name}": float(loss), f"one_shot_error_{name}": float(error) ** 0.5}
        return metrics

    def _sums(self, of: EmbeddedRows, rows: Tensor, name: str, epoch: int = 0, batch: int = 0) -> list[Tensor]:
        """Gradient and loss of a batch; of epoch 0 loss and squared one-shot error, of steps evenly spread."""
        count, network, num_steps = len(rows), self._network.network, self._schedule.num_steps

        @torch.set_grad_enabled(epoch > 0)  # of this thread
        def work(shard: int, first: int, last: int) -> tuple[Tensor, ...]:
            stream = generator_of(self._device, self._seed, name, epoch, batch, shard)
            part = rows[first:last]
            x, labels = of.embedded(part), of.labels[part]
            noise = torch.randn(x.shape, generator=stream, device=stream.device)
            if not epoch:
                t = 1 + torch.arange(first, last, device=x.device) * num_steps // count
                return tuple(error.sum() / count for error in _errors(network, self._schedule, x, noise, t, labels))
            t = torch.randint(1, num_steps + 1, (len(part),), generator=stream, device=stream.device)
            if of.num_labels > 1:
                dropped = torch.rand(len(part), generator=stream, device=stream.device) < self._config.label_dropout
                labels = torch.where(dropped, of.num_labels, labels)
            of_noise, _ = _errors(network, self._schedule, x, noise, t, labels)
            loss = network.loss(of_noise, t).sum() / count
            return self._network.gradient(loss), loss.detach()

        return self._shards.sum(count, work)

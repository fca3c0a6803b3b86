"""What the models that turn noise into haplotypes by a network share: drawing, alleles from logits, tensors."""

from __future__ import annotations

import hashlib
import math
import statistics
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hapforge import _backend
from hapforge.haplotype_blocks import HaplotypeBlocks
from hapforge.haplotypes import HaplotypeMatrix, check_seed, seeded_order, words_per_row
from hapforge.kernels import allele_counts, joint_counts
from hapforge.models import _store
from hapforge.models._clusters import Clusters, Groups
from hapforge.models._embedding import Unit
from hapforge.models._labels import codes_of, codes_to_draw, values_of
from hapforge.models._network_training import Rows
from hapforge.models._persons import apart, side_by_side
from hapforge.models._training import TrainedModel, stream_seed
from hapforge.models._workers import Workers

ALLELES = ("calibrated", "round", "bernoulli")
UNITS = ("haplotype", "person")
PRECISIONS = ("float32", "bfloat16")
_CALIBRATION_ROWS, _FEWEST_CALIBRATION_ROWS = 2048, 256
_TAIL, _FEW = 20, 2.5
_LD_ROWS, _MOST_LD_ROWS, _FEWEST_LD_ROWS, _LD_PAIRS, _LD_VALUES = 512, 4096, 32, 8192, 1 << 24
_DOUBLINGS, _HALVINGS = 6, 8
_LEAST_CHANCE = 2.0**-24


class DrawingNetwork(Protocol):
    """From noise to logits of alleles.

    Attributes
    ----------
    noise_shapes : list of (channels, length), standard normal, of what a row is made of
    """

    noise_shapes: list[tuple[int, int]]

    def __call__(self, noise: list[Tensor], labels: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        """Logits (rows, length); `seen` as in `hapforge.models._convolutions.Normalised`."""


@dataclass(frozen=True)
class NetworkConfig:
    """
    Attributes
    ----------
    label : str, the name in `H.samples.labels` by which is drawn; "": none. A phenotype is one, too: drawn without
        `labels`, persons get theirs and alleles that go with it
    clusters : int, groups of alike rows, at most, that stand for labels where there is none: their sizes and allele
        frequencies are those of training rows, and within one there is less left to learn (self-conditioning: Bao et
        al. 2022, Why are conditional generative models better than unconditional ones?; a VAE's are for its latent
        values alone); each has 32 rows or more; none with 0, as published, with too few rows for two, or rows that are
        all alike
    unit : what a row of the network is: a "haplotype", or a "person", whose two alleles of every site stand side by
        side; those of persons who are not phased in one order, and draws are then called not phased
    epochs : int, passes over the training rows
    batch_size : int, training rows of an update
    learning_rate : float, of Adam
    alleles : how a draw's logits become alleles. "calibrated": 1 above a threshold of the site, with which the model's
        draws have the training rows' allele frequency (of the group), so that rare alleles are not lost, after logistic
        noise of one scale for all sites, with which the mean r2 of pairs of sites, within groups (labels or clusters)
        if there are any, is that of training rows (of a VAE: how near rows are to each other): without, alleles whose
        chances are near one half all follow the latent values, and LD is too strong; "round": 1 above one half, as
        published; "bernoulli": drawn, every site for itself
    ema : float in [0, 1), draws are by a running mean of the weights, of which every update keeps this share; 0: by
        the last weights
    precision : "float32" or "bfloat16" (of convolutions and products in training; weights stay float32)
    shard : int, rows whose statistics normalise them together (ghost batches), and that a thread computes at a time:
        the same result on any number of threads; 0: a quarter of the batch, all of it for dense networks
    """

    label: str = ""
    clusters: int = 0
    unit: str = "haplotype"
    epochs: int = 100
    batch_size: int = 96
    learning_rate: float = 5e-4
    alleles: str = "calibrated"
    ema: float = 0.99
    precision: str = "float32"
    shard: int = 0

    def __post_init__(self) -> None:
        for name, least in (("epochs", 1), ("batch_size", 1), ("shard", 0), ("clusters", 0)):
            check_at_least(name, getattr(self, name), least)
        if not (0 < self.learning_rate < 1):
            raise ValueError(f"learning_rate: expected more than 0 and less than 1, found {self.learning_rate}")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema: expected 0 or more and below 1, found {self.ema}")
        check_choice("unit", self.unit, UNITS)
        check_choice("alleles", self.alleles, ALLELES)
        check_choice("precision", self.precision, PRECISIONS)


def check_at_least(name: str, value: float, least: float) -> None:
    """ValueError for a setting below its least value, or that is no number, or none that is whole where `least` is."""
    if isinstance(least, int) and not isinstance(value, int):
        raise ValueError(f"{name}: expected a whole number, found {value!r}")
    if not least <= value < math.inf:
        raise ValueError(f"{name}: expected {least} or more, found {value}")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """ValueError for a setting that is none of its choices."""
    if value not in choices:
        raise ValueError(f"{name}: expected one of {', '.join(choices)}, found {value!r}")


class NetworkModel(TrainedModel):
    """A model whose draws are a network's logits of standard normal noise, and thresholds for alleles.

    Noise is counter-based: a row's depends on the seed and its number alone, and rows are computed in blocks of fixed
    size, so that draws are the same on any number of threads and fewer are the first of more. Logits are float32: on
    another kind of CPU, or on a GPU, an allele whose logit is within rounding of its threshold may differ.
    """

    SAMPLING: ClassVar[dict[str, type]] = {"alleles": str}
    ROUND_AT: ClassVar[float] = 0.0  # the logit of one half
    DRAWS_TAKE_LONG: ClassVar[bool] = False  # against training
    NOISE_HOLDS: ClassVar[tuple[str, str]] = ("mean_r2", "mean r2 (within groups)")  # in `training`, in words
    config: NetworkConfig
    _network: Any  # a `DrawingNetwork`

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self._device = torch.device("cpu")
        self._thresholds: NDArray[np.float32] | None = None
        self._noise_scale = 0.0
        self._told_apart = Groups(config.label, [], None, self._unit)

    @property
    def labels(self) -> list[str]:
        """The labels of the training cohort, sorted; [] for a model without. ValueError before `fit`."""
        return list(self.training.get("labels", {})) if self.sites else []

    @property
    def _groups(self) -> dict[str, int]:
        """Training haplotypes by label, or by cluster; empty where all rows are drawn alike."""
        of = self.training if self.sites else {}
        found: dict[str, int] = of.get("labels") or of.get("clusters") or {}
        return found

    @property
    def thresholds(self) -> NDArray[np.float32]:
        """Noisy logit above which an allele is 1 where alleles are "calibrated", float32 (groups, num_sites).

        A group is a label or, of a model without labels, one of its clusters (not of a VAE), or all rows. A site that
        never varies in the training rows of the group has -inf or inf. Where a row is a person there are two columns a
        site.
        """
        if self._thresholds is None:
            self._noise_scale = self._chosen_noise()
            self._thresholds = self._calibrated()
        return self._thresholds

    @property
    def noise_scale(self) -> float:
        """Scale of the logistic noise that logits have where alleles are "calibrated"; it goes with `thresholds`."""
        _ = self.thresholds
        return self._noise_scale

    def sample(self, n: int, *, seed: int = 0, labels: Any = None, alleles: str | None = None) -> HaplotypeMatrix:
        """Draw artificial genomes.

        Parameters
        ----------
        n : int, haplotypes to draw; rows 2i and 2i + 1 are called one person, AG{i}
        seed : int in [0, 2**64); same seed and labels, same genomes, on any number of threads; fewer are the first of
            more
        labels : of a model that was trained with a label: that of all, or a sequence of n; None draws every person's
            with the frequencies of the training cohort
        alleles : "calibrated", "round" or "bernoulli"; None: that of the config

        Returns
        -------
        HaplotypeMatrix of n haplotypes with the sites of the training cohort, ids AG0_A, AG0_B ... and their label

        Raises
        ------
        ValueError
            Not fitted, an argument out of its range, labels that training had not or another number than n.
        """
        return self.sample_in_blocks(n, seed=seed, labels=labels, alleles=alleles).read()

    def sample_in_blocks(self, n: int, **how: Any) -> HaplotypeBlocks:
        """As `Model.sample_in_blocks`; persons are not phased where training ones were not (unit=person)."""
        blocks = super().sample_in_blocks(n, **how)
        if self.training.get("unphased"):
            blocks.samples.phased = np.zeros(blocks.samples.num_persons, bool)
        return blocks

    def _how(
        self, n: int, seed: int, labels: Any, *, alleles: str | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        alleles = self.config.alleles if alleles is None else alleles
        check_choice("alleles", alleles, ALLELES)
        if not self.labels:
            none = super()._how(n, seed, labels)[0]
            codes = codes_to_draw(n, seed, None, self._groups, self._rows_of_unit) if self._groups else None
            return {**none, "codes": codes, "alleles": alleles}, {}
        codes = codes_to_draw(n, seed, labels, self.training["labels"])
        if self._rows_of_unit == 2 and (codes[: n // 2 * 2 : 2] != codes[1::2]).any():
            raise ValueError("labels: expected one for both haplotypes of a person, found two (unit=person)")
        names = np.array(self.labels, np.dtypes.StringDType())
        return {"codes": codes, "alleles": alleles}, {self.config.label: names[codes]}

    def _draw_rows(
        self, first: int, last: int, seed: int, *, codes: NDArray[np.int64] | None, alleles: str
    ) -> NDArray[np.uint64]:
        """Packed haplotypes; `codes` are the numbers of the labels of all rows of the draw."""
        if self._rows_of_unit == 1:
            return self._units(first, last, seed, codes, alleles)
        codes = None if codes is None else codes[::2]
        persons = self._units(first // 2, -(-last // 2), seed, codes, alleles)
        return apart(persons, len(self.sites))[first % 2 :][: last - first]

    def _units(
        self, first: int, last: int, seed: int, codes: NDArray[np.int64] | None, alleles: str
    ) -> NDArray[np.uint64]:
        """Packed rows of the network's columns; `codes` are of all rows from the first of the draw on."""
        words = np.zeros((last - first, words_per_row(self._num_columns)), np.uint64)
        limits = self._limits(alleles)

        def take(begin: int, logits: Tensor, stream: np.random.Generator, labels: Tensor) -> None:
            if limits is None:
                uniform = torch.from_numpy(stream.random(logits.shape, np.float32)).to(logits.device)
                bits = uniform < self._chance(logits)
            else:
                bits = (self._noisy(logits, stream) if alleles == "calibrated" else logits) > limits[labels]
            a, b = max(begin, first), min(begin + len(bits), last)
            part = bits[a - begin : b - begin].cpu().numpy().view(np.uint8)
            words[a - first : b - first] = _backend.pack(part, threads=1)

        self._each_block(first, last, seed, codes, take)
        return words

    def _limits(self, alleles: str) -> Tensor | None:
        """Logits above which an allele is 1, (num_labels, num_sites); None where it is drawn."""
        if alleles == "bernoulli":
            return None
        if alleles == "calibrated":
            return torch.from_numpy(self.thresholds).to(self._device)
        return torch.full((self._told_apart.count, self._num_columns), self.ROUND_AT, device=self._device)

    def _noisy(self, logits: Tensor, stream: np.random.Generator) -> Tensor:
        """Logits with logistic noise of the chosen scale."""
        if not self._noise_scale:
            return logits
        return logits + self._noise_scale * self._logistic(logits.shape, stream).to(logits.device)

    def _logistic(self, shape: tuple[int, ...], stream: np.random.Generator) -> Tensor:
        """Logistic noise, of scale 1, float32."""
        return torch.from_numpy(stream.random(shape, np.float32)).logit(_LEAST_CHANCE)

    def _chance(self, logits: Tensor) -> Tensor:
        """The chance of allele 1 that a logit stands for."""
        return torch.sigmoid(logits)

    def _each_block(self, first: int, last: int, seed: int, codes: NDArray[np.int64] | None, take: Any) -> None:
        """take(begin, logits, stream, labels) for whole blocks of rows that cover first ... last - 1, on any thread.

        What a row's logits are does not depend on which rows are asked for: a block is always computed whole.
        """
        num_columns = self._num_columns
        rows = max(16, min(256, (1 << 18) // num_columns))
        key = stream_seed(seed, "noise")
        blocks = range(first // rows, -(-last // rows))

        @torch.inference_mode()
        def work(begin: int, end: int) -> None:
            for block in blocks[begin:end]:
                stream = np.random.Generator(np.random.Philox(key=np.array([key, block], np.uint64)))
                labels = torch.zeros(rows, dtype=torch.int64)
                if codes is not None:
                    part = torch.from_numpy(codes[block * rows : (block + 1) * rows])
                    labels[: len(part)] = part
                labels = labels.to(self._device)
                take(block * rows, self._logits(labels, stream)[:, :num_columns], stream, labels)

        if blocks:
            with Workers(self._device) as workers:
                workers.share(len(blocks), work)

    def _logits(self, labels: Tensor, stream: np.random.Generator) -> Tensor:
        """Logits of a block of draws with these labels, (len(labels), num_columns or more), by noise of the stream."""
        rows, shapes = len(labels), self._network.noise_shapes
        sizes = [channels * length for channels, length in shapes]
        values = torch.from_numpy(stream.standard_normal((rows, sum(sizes)), np.float32)).to(self._device)
        noise = [part.reshape(rows, *shape) for part, shape in zip(values.split(sizes, 1), shapes, strict=True)]
        logits: Tensor = self._network(noise, labels)
        return logits

    def _chosen_noise(self) -> float:
        """Scale of the noise by which `_held` of some draws comes down to that of as many training rows of each group.

        It is 0 where draws without noise have less. Alleles of these draws are 1 at the highest noisy logits of a site
        and group, as many as the frequency says. A group of which one row is among these tells nothing. There are 4,096
        at most, fewer of more than 4,096 columns or where draws take long: the shares of rows whose nearest is of their
        own set (AA) are steep in the noise, and mean r2 of few rows is not that of others. Memory: some four times
        2**24 float32 at most, and a block of draws.
        """
        of_group, target = self.training.get("ld_rows", []), self.training.get(self.NOISE_HOLDS[0], 0.0)
        columns, pairs = site_pairs(self._num_columns)
        if not of_group or not len(pairs):
            return 0.0
        of_set = np.repeat(np.arange(len(of_group)), of_group)
        sets = max(1, _LD_ROWS // len(of_set))  # what is held depends on the number of rows: of several sets the mean
        rows, seed = sets * len(of_set), stream_seed(self.training["seed"], "noise scale")
        codes = np.tile(of_set, sets)
        logits, noise = (np.empty((len(columns), rows), np.float32) for _ in range(2))

        def take(begin: int, part: Tensor, stream: np.random.Generator, *_: Any) -> None:
            end = min(begin + len(part), rows)
            for kept, values in ((logits, part), (noise, self._logistic(part.shape, stream))):
                kept[:, begin:end] = values[: end - begin].cpu().numpy()[:, columns].T

        self._each_block(0, rows, seed, codes, take)
        known = np.array(list(self._groups.values()) or [self.training["num_haplotypes"]])
        shares = self._counts[:, columns] * self._rows_of_unit / np.maximum(known, 1)[:, None]
        wanted = np.bincount(codes, minlength=len(shares))[:, None] * shares
        ones = np.floor(wanted + np.random.default_rng(seed).random(wanted.shape)).astype(np.int64)

        def held(scale: float) -> float:
            bits = np.zeros(logits.shape, bool)
            for label in np.unique(codes):
                of = np.flatnonzero(codes == label)
                part = logits[:, of] + np.float32(scale) * noise[:, of]
                place = len(of) - ones[label, :, None] - 1  # of the highest that is still 0
                limits = np.take_along_axis(np.sort(part, axis=1), np.maximum(place, 0), 1)
                bits[:, of] = (part > limits) | (place < 0)
            parts = np.split(bits, sets, axis=1)
            return statistics.mean(self._held(np.ascontiguousarray(part.T), pairs, of_set) for part in parts)

        if held(0.0) <= target:
            return 0.0
        low, high = 0.0, float(logits.std(1).mean())
        for _ in range(_DOUBLINGS):
            if held(high) <= target:
                break
            low, high = high, 2 * high
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            low, high = (low, middle) if held(middle) <= target else (middle, high)
        return high

    @staticmethod
    def _held(
        alleles: HaplotypeMatrix | NDArray[np.bool_], pairs: NDArray[np.int64], codes: NDArray[np.int64]
    ) -> float:
        """What the noise brings down to that of training rows, as `mean_r2` takes it and between 0 and 1."""
        return mean_r2(alleles, pairs, codes)

    def _calibrated(self) -> NDArray[np.float32]:
        """Quantiles of noisy logits of draws, at the training rows' frequencies."""
        num_labels, num_columns = self._counts.shape
        of_label = list(self._groups.values()) or [self.training["num_haplotypes"]]
        thresholds = np.empty((num_labels, num_columns), np.float32)
        for label, known in enumerate(of_label):
            rows = _CALIBRATION_ROWS  # of a group twice as many as it has, whose frequencies are no better known
            if num_labels > 1:
                rows = min(max(2 * known, _FEWEST_CALIBRATION_ROWS), _CALIBRATION_ROWS // 2)
            if num_labels > 1 and self.DRAWS_TAKE_LONG and not self.labels:  # only all clusters together are looked at
                rows = max(_CALIBRATION_ROWS // num_labels, min(known, _CALIBRATION_ROWS // 4))
            logits = np.empty((rows, num_columns), np.float32)

            def take(
                begin: int, part: Tensor, stream: np.random.Generator, *_: Any, logits: NDArray[np.float32] = logits
            ) -> None:
                end = min(begin + len(part), len(logits))
                logits[begin:end] = self._noisy(part, stream)[: end - begin].cpu().numpy()

            seed = stream_seed(self.training["seed"], "calibration", label)
            self._each_block(0, rows, seed, np.full(rows, label), take)
            thresholds[label] = quantiles(logits, 1 - self._counts[label] * self._rows_of_unit / known)
        return thresholds

    def _sampling(self) -> str:
        how = {
            "calibrated": "1 above a threshold of the site, after noise of one scale, by which draws have the training "
            f"rows' allele frequencies and {self.NOISE_HOLDS[1]}",
            "round": "1 above one half",
            "bernoulli": "drawn by their logits, every site for itself",
        }
        text = f"Independent draws: a network's logits of noise; alleles are {how[self.config.alleles]}."
        if self._told_apart.clusters is None:
            return text
        return f"{text} Each row is of one of {len(self._groups)} clusters of training rows."

    def _identity(self, H: HaplotypeMatrix) -> dict[str, Any]:
        if not self.config.label:
            return {}
        values = values_of(H, self.config.label)
        return {"labels_sha256": hashlib.sha256("\n".join(values.tolist()).encode()).hexdigest()}

    def _describe_training(self, data: HaplotypeMatrix, seed: int, **more: Any) -> None:
        groups, each = self._told_apart, self._rows_of_unit
        order = seeded_order(data.num_haplotypes // each, stream_seed(seed, "LD rows"))
        if names := groups.names:
            codes = codes_of(data, groups.label, names)
            counts = np.bincount(codes[codes >= 0], minlength=len(names)).tolist()
            more |= {"labels": dict(zip(names, counts, strict=True)), "num_without_label": int((codes < 0).sum())}
            order = order[codes[::each][order] >= 0]
        if groups.clusters is not None:
            haplotypes = groups.clusters.sizes * each
            more["clusters"] = {str(i): size for i, size in enumerate(haplotypes.tolist())}
        if self.config.unit == "person" and not data.samples.phased.all():
            more["unphased"] = True
        if len(order) >= _FEWEST_LD_ROWS:
            rows = order[: self._most_ld_rows(data.num_sites * each), None] * each + np.arange(each)
            some = data.select_haplotypes(rows.ravel())
            own, units = groups.codes(some), self._as_units(some)
            columns, pairs = site_pairs(units.num_sites)
            held = self._held(units.select_sites(columns), pairs, own)
            more |= {"ld_rows": np.bincount(own, minlength=groups.count).tolist(), self.NOISE_HOLDS[0]: held}
        super()._describe_training(data, seed, **more)

    def _most_ld_rows(self, num_columns: int) -> int:
        """Rows, at most, by which the noise is chosen."""
        if self.DRAWS_TAKE_LONG:
            return _LD_ROWS
        return min(_MOST_LD_ROWS, _LD_VALUES // max(1, len(site_pairs(num_columns)[0])))

    @property
    def _rows_of_unit(self) -> int:
        return 2 if self.config.unit == "person" else 1

    @property
    def _unit(self) -> Unit:
        return "person" if self.config.unit == "person" else "haplotype"

    @property
    def _num_columns(self) -> int:
        return len(self.sites) * self._rows_of_unit

    def _as_units(self, H: HaplotypeMatrix) -> HaplotypeMatrix:
        """The rows that the network learns."""
        return side_by_side(H, self.config.label) if self.config.unit == "person" else H

    def _rows_of(
        self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, pack: int = 1
    ) -> tuple[Rows, Rows | None, NDArray[np.int64]]:
        """Rows of both cohorts as the network learns them, and allele counts of the groups of the training rows."""
        units = self._as_units(H)
        groups = self._find_groups(H)
        rows = Rows(units, groups, groups.codes(H), self._device, pack)
        held = None
        if validation is not None:
            held = Rows(self._as_units(validation), groups, groups.codes(validation), self._device, pack)
        return rows, held, counts_of(units, rows.codes, rows.num_labels)

    def _find_groups(self, H: HaplotypeMatrix) -> Groups:
        """By what the rows of a training cohort are told apart, which the model keeps."""
        self._told_apart = Groups.of(H, self.config.label, self.config.clusters, self._unit)
        return self._told_apart

    def _description(self) -> dict[str, Any]:
        return {**super()._description(), "network": self._blocks(self._num_columns, self._told_apart.count)}

    @abstractmethod
    def _blocks(self, num_columns: int, num_labels: int) -> dict[str, Any]:
        """What ``hapforge info`` shows of the networks: parameters, and channels and length of every block."""

    @abstractmethod
    def _network_of(self, num_columns: int, num_labels: int) -> nn.Module:
        """The `DrawingNetwork` that draws."""

    def _tensors(self) -> _store.Tensors:
        tensors = {f"network.{name}": value.cpu().numpy() for name, value in self._network.state_dict().items()}
        tensors["allele_counts"] = self._counts
        tensors |= self._told_apart.tensors()
        if self._thresholds is None:
            return tensors
        return tensors | {"thresholds": self._thresholds, "noise_scale": np.array([self._noise_scale], np.float64)}

    def _restore(self, tensors: _store.Tensors) -> None:
        of_labels, rows = self._groups, self.training["num_haplotypes"]
        if not isinstance(of_labels, dict) or not all(isinstance(n, int) and n > 0 for n in of_labels.values()):
            raise ValueError(f"labels: expected names with their counts, found {of_labels!r}")
        if not isinstance(rows, int) or rows < 1:
            raise ValueError(f"num_haplotypes: expected 1 or more, found {rows!r}")
        check_seed(self.training["seed"])
        num_columns, num_labels = self._num_columns, max(1, len(of_labels))
        with torch.device("meta"):
            network = self._network_of(num_columns, num_labels)
        of_network = {f"network.{name}": value for name, value in network.state_dict().items()}
        expected: _store.Shapes = {name: (tuple(value.shape), np.float32) for name, value in of_network.items()}
        _store.check_tensors(tensors, {**expected, "allele_counts": ((num_labels, num_columns), np.int64)})
        clusters = None
        if of_labels and not self.labels:
            if sum(of_labels.values()) != rows:
                raise ValueError(f"clusters: expected {rows} haplotypes, found {sum(of_labels.values())}")
            own = _store.part_of(tensors, "clusters")
            sizes = np.array(list(of_labels.values()), np.int64) // self._rows_of_unit
            clusters = Clusters.restored(own, self.sites, sizes, self._unit)
        self._told_apart = Groups(self.config.label, self.labels, clusters, self._unit)
        network.load_state_dict(
            {name[len("network.") :]: torch.from_numpy(tensors[name].copy()).to(self._device) for name in of_network},
            assign=True,
        )
        self._network = network.requires_grad_(False)
        self._counts = tensors["allele_counts"]
        most = np.array([of_labels[name] for name in of_labels] or [rows])[:, None] // self._rows_of_unit
        if (self._counts < 0).any() or (self._counts > most).any():
            raise ValueError("allele_counts: expected no more than there are rows, found others")
        if any((value < 0).any() for name, value in tensors.items() if name.endswith(".variance")):
            raise ValueError("variance: expected 0 or more, found less")
        self._thresholds = tensors.get("thresholds")
        of_group, target = self.training.get("ld_rows", []), self.training.get(self.NOISE_HOLDS[0], 0.0)
        if not isinstance(of_group, list) or not all(isinstance(n, int) and n >= 0 for n in of_group):
            raise ValueError(f"ld_rows: expected a number of rows of every group, found {of_group!r}")
        most_rows = self._most_ld_rows(num_columns)
        if of_group and (len(of_group) != num_labels or not _FEWEST_LD_ROWS <= sum(of_group) <= most_rows):
            raise ValueError(
                f"ld_rows: expected {_FEWEST_LD_ROWS} to {most_rows} of {num_labels} groups, found {of_group}"
            )
        if not isinstance(target, int | float) or not 0 <= target <= 1:
            raise ValueError(f"{self.NOISE_HOLDS[0]}: expected 0 to 1, found {target!r}")
        scale = np.asarray(tensors.get("noise_scale", [0.0]))
        if scale.shape != (1,) or scale.dtype != np.float64 or not 0 <= scale[0] < math.inf:
            raise ValueError(f"noise_scale: expected a float64 of 0 or more, found {scale.dtype} {scale.tolist()}")
        self._noise_scale = float(scale[0])
        if self._thresholds is not None and (
            self._thresholds.shape != (num_labels, num_columns)
            or self._thresholds.dtype != np.float32
            or np.isnan(self._thresholds).any()
        ):
            raise ValueError(
                f"thresholds: expected float32 {num_labels, num_columns}, found {self._thresholds.dtype} "
                f"{self._thresholds.shape}"
            )

    def _conclude(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        if self.config.alleles == "calibrated":  # else they are found when they are asked for
            self._thresholds = self.thresholds


def counts_of(H: HaplotypeMatrix, codes: NDArray[np.int64], num_labels: int) -> NDArray[np.int64]:
    """Allele counts of the rows of every label, int64 (num_labels, num_sites)."""
    parts = [np.flatnonzero(codes == label) for label in range(num_labels)]
    return np.stack([allele_counts(H.select_haplotypes(rows)) for rows in parts]).astype(np.int64)


def site_pairs(num_columns: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Pairs of columns, any distance as likely by its logarithm; none of a single column.

    Returns
    -------
    columns : int64 (at most 16,384,), rising, those that are in a pair
    pairs : int64 (8,192 or 0, 2), places in `columns`
    """
    stream = np.random.default_rng(0)
    if num_columns < 2:
        return np.empty(0, np.int64), np.empty((0, 2), np.int64)
    apart = np.exp(stream.random(_LD_PAIRS) * math.log(num_columns)).astype(np.int64).clip(1, num_columns - 1)
    first = (stream.random(_LD_PAIRS) * (num_columns - apart)).astype(np.int64)
    columns, places = np.unique(np.stack([first, first + apart], 1), return_inverse=True)
    return columns, places.reshape(-1, 2)


def mean_r2(alleles: HaplotypeMatrix | NDArray[np.bool_], pairs: NDArray[np.int64], codes: NDArray[np.int64]) -> float:
    """Mean r2 within groups of pairs of sites of (n, num_sites) alleles; where one does not vary it is 0.

    It is the squared correlation of what is left of alleles less their group's frequencies; `codes` (n,) are numbers of
    the groups.
    """
    if not len(pairs):
        return 0.0
    covariance, variances = np.zeros(len(pairs)), np.zeros((2, len(pairs)))
    for code in np.unique(codes):
        rows = np.flatnonzero(codes == code)
        of = alleles.select_haplotypes(rows) if isinstance(alleles, HaplotypeMatrix) else alleles[rows]
        counts = allele_counts(of)[pairs.T].astype(np.float64)
        covariance += joint_counts(of, pairs) - counts[0] * counts[1] / len(rows)
        variances += counts * (1 - counts / len(rows))
    variances = variances.prod(0)
    return float((covariance**2 / np.where(variances > 0, variances, np.inf)).mean())


def quantiles(values: NDArray[np.float32], shares: NDArray[np.float64]) -> NDArray[np.float32]:
    """Of every column the value that a new row is below with the chance `shares`; -inf for 0, inf for 1.

    Between rows it is interpolated: of n values the one of rank i (1-based) is at i / (n + 1). Nearer than 2.5 rows to
    an end, where there are few, the tail beyond the 20 outermost is taken for exponential: with normal values the
    chance is right to about a tenth down to a tenth of a row, where interpolation would give several times too much.

    Parameters
    ----------
    values : float32 (n, columns), n > 20
    shares : float64 (columns,)
    """
    found = np.empty(values.shape[1], np.float32)
    for begin in range(0, len(found), 1024):
        part = np.sort(values[:, begin : begin + 1024].T, axis=1)
        below = shares[begin : begin + 1024]
        found[begin : begin + 1024] = np.where(below > 0.5, _upper(part, 1 - below), -_upper(-part[:, ::-1], below))
    found[shares <= 0], found[shares >= 1] = -np.inf, np.inf
    return found


def _upper(rows: NDArray[np.float32], above: NDArray[np.float64]) -> NDArray[np.float64]:
    """Of every sorted row the value that a new one is above with a chance of at most one half."""
    n = rows.shape[1]
    place = np.clip((n + 1) * (1 - above) - 1, 0, n - 1)
    low = np.minimum(place.astype(np.int64), n - 2)
    a, b = (np.take_along_axis(rows, i[:, None], 1)[:, 0].astype(np.float64) for i in (low, low + 1))
    edge = rows[:, n - _TAIL - 1].astype(np.float64)
    scale = rows[:, n - _TAIL :].mean(1, dtype=np.float64) - edge
    beyond = edge + scale * np.log((_TAIL + 0.5) / ((n + 1) * np.maximum(above, 1e-12)))
    return np.where(above < _FEW / (n + 1), beyond, a + (place - low) * (b - a))


def parameters_of(build: Callable[[], nn.Module]) -> int:
    """Number of parameters of a network, which is not made for it."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build().parameters())

"""Restricted Boltzmann machine of haplotypes, or aligned sequences, and their label."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.alignment import alphabet_of, states_of
from hapforge.haplotypes import HaplotypeMatrix, Sites
from hapforge.models import _store
from hapforge.models._automatic import filled, labelled_settings_for
from hapforge.models._boltzmann import BoltzmannLearner
from hapforge.models._boltzmann_model import ROWS, BoltzmannModel
from hapforge.models._fixed_point import BITS
from hapforge.models._label_unit import LabelUnit
from hapforge.models._labels import codes_of, codes_to_draw, names_of, values_of
from hapforge.models._machine import Machine, Moments, host_rows
from hapforge.models._potts import to_zero_sum, with_potts_units
from hapforge.models._ranks import meet
from hapforge.models._rbm_config import RBMConfig, check_sampling, check_temperature
from hapforge.models._temperature import choose_temperature
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers, device_of

_STR = np.dtypes.StringDType()
_WEIGHT_UNITS = 1024
_OPEN = ("epochs", "batch_size", "learning_rate", "temperature")
_FEWEST_ROWS = 100  # of a label, by which a temperature is chosen


@dataclass(frozen=True)
class LabelledRBMConfig(RBMConfig):
    """
    Attributes
    ----------
    label : str, the name in `H.samples.labels`
    epochs, batch_size, learning_rate, whiten_above : as in `RBMConfig`; 0, the default: chosen from the training cohort
        when training begins, see `hapforge.models._automatic.labelled_settings_for` (`whiten_above` stays 0 where
        nothing is to be whitened; 1e9, above any variance, is how to ask for that)
    training : "rdm" (out of equilibrium), two gradients of chains that start anew, one of each kind for every row of
        the batch; "pcd", `num_chains` persistent chains of haplotype and label, for comparison
    telling_weight : float in [1/1024, 1024], weight of the gradient that learns to tell labels over that which learns
        to draw by them, each a mean over its rows, those with a label or all ("rdm" only); 0, the default: chosen, as
        above. Where labels overlap, the two pull the coupling of label and hidden units apart: chains of k steps
        need it stronger than what a haplotype tells of its label. Below 1, draws follow their labels more closely
    temperature : as in `hapforge.models.rbm.RBMConfig`; 0, the default: one for every label, chosen after training by
        its training rows (`hapforge.models._temperature.choose_temperature`); draws before are at 1, and so are those
        of labels with fewer than 100 training rows
    others : as in `hapforge.models.rbm.RBMConfig`; hidden units are binary
    """

    label: str = "superpopulation"
    num_hidden: int = 300
    epochs: int = 0
    batch_size: int = 0
    learning_rate: float = 0.0
    telling_weight: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        chosen = {field.name: getattr(self, field.name) for field in fields(RBMConfig)}
        RBMConfig(**{name: value for name, value in chosen.items() if value or name not in _OPEN})  # checks them
        if not self.label:
            raise ValueError("label: expected the name of a label, found ''")
        if self.telling_weight and not 1 <= self.telling_weight * _WEIGHT_UNITS <= _WEIGHT_UNITS**2:
            raise ValueError(f"telling_weight: expected 1/1024 to 1024, found {self.telling_weight}")
        for name, allowed in (("training", ("rdm", "pcd")), ("hidden", ("bernoulli",))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: expected {' or '.join(allowed)}, found {getattr(self, name)!r}")


class LabelledRBM(BoltzmannModel):
    """Restricted Boltzmann machine with a categorical label unit, trained to draw by label and to tell the label.

    E(v, h, l) = -v.W.h - a.v - b.h - c_l - d_l.h for a label l. Two kinds of chains of k steps are held against the
    data, and their gradients are followed together: those that keep a training row's label and start with random
    sites, which learn to draw haplotypes of a label, and those that keep its haplotype and start with a random label,
    which learn to tell it. A row without label takes part in the first kind alone, without the terms of the label.
    With ``training="pcd"`` there is one gradient, of persistent chains in which haplotype and label both move; a row
    without label has the one that a chain of the second kind ends in. Draws need many steps then (`sample_steps`).

    Where the cohort is aligned sequences (`hapforge.Alignment.to_haplotypes`, a FASTA file), every position is a Potts
    unit: its letter is drawn by the softmax of the fields of all letters, in the same integers as the label is, and W
    and a are kept in the zero-sum gauge (their means over the letters of a position are 0). A column of W is then a
    letter at a position, in the order of `sites`.

    Settings that are left open are chosen from the training cohort when `fit` begins (`LabelledRBMConfig`), and then
    stand in `config`; in a region, where haplotypes nearly repeat each other, the gradient is whitened.

    Centring, rounding and random numbers are those of `hapforge.models.RBM`: the same seed gives the same weights and
    draws on any number of threads, and the same weights by any number of processes of torchrun, resumed or not.

    Parameters
    ----------
    label : str, the name of the label in `H.samples.labels`; text or whole numbers, "" where it is missing
    **settings : the other attributes of `LabelledRBMConfig`

    References
    ----------
    Carbone, Decelle, Rosset, Seoane 2023, Fast and functional structured data generator, eqs. 2 and 5, figure 2;
    Larochelle, Mandel, Pascanu, Bengio 2012, Learning algorithms for the classification restricted Boltzmann machine,
    JMLR 13; Tubiana, Cocco, Monasson 2019, Learning protein constitutive motifs from sequence data, eLife 8 (Potts
    units, zero-sum gauge).
    """

    name: ClassVar[str] = "labelled_rbm"
    summary: ClassVar[str] = "Label-conditioned restricted Boltzmann machine (Carbone et al. 2023)."
    config_type: ClassVar[type] = LabelledRBMConfig
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {
        "learning_rate": (0.2, 3.0),
        "num_hidden": (0.5, 3.0),
        "gibbs_steps": (0.5, 2.0),
        "telling_weight": (0.125, 8.0),
    }
    SAMPLING: ClassVar[dict[str, type]] = {"steps": int, "temperature": float}
    TAKES_SEQUENCES: ClassVar[bool] = True
    config: LabelledRBMConfig

    def __init__(self, label: str = "superpopulation", **settings: Any) -> None:
        super().__init__()
        self.config = self._asked = LabelledRBMConfig(label=label, **settings)

    @property
    def labels(self) -> list[str]:
        """The labels of the training cohort, sorted. ValueError before `fit`."""
        return list(self.training["labels"]) if self.sites else []

    @property
    def alphabet(self) -> str:
        """The letters of the aligned sequences it was trained on; "" for haplotypes. ValueError before `fit`."""
        return alphabet_of(self.sites)

    @property
    def weights(self) -> NDArray[np.float64]:
        """W, float64 (num_sites, num_hidden), multiples of 2**-12."""
        return self._weights[: len(self.sites)].astype(np.float64) / (1 << BITS)

    @property
    def label_weights(self) -> NDArray[np.float64]:
        """d, float64 (num_labels, num_hidden)."""
        return self._weights[len(self.sites) :].astype(np.float64) / (1 << BITS)

    @property
    def visible_bias(self) -> NDArray[np.float64]:
        """a, float64 (num_sites,)."""
        return self._visible_bias[: len(self.sites)].astype(np.float64) / (1 << BITS)

    @property
    def label_bias(self) -> NDArray[np.float64]:
        """c, float64 (num_labels,)."""
        return self._visible_bias[len(self.sites) :].astype(np.float64) / (1 << BITS)

    def predict_proba(self, H: HaplotypeMatrix) -> NDArray[np.float64]:
        """P(label | haplotype), exact: float64 (num_haplotypes, num_labels), columns in the order of `labels`.

        P(l | v) is proportional to exp(c_l) prod_j (1 + exp(b_j + (v W)_j + d_lj)): hidden units are summed out.
        """
        self._check_sites(H)
        machine, unit = self._machine(self._device), self._unit()
        parts = [
            torch.softmax(-unit.free_energies(machine, rows.to(self._device)), 1)
            for rows in _joined(H, np.full(H.num_haplotypes, -1), unit.num_labels).split(ROWS)
        ]
        return torch.cat(parts).cpu().numpy()

    def predict(self, H: HaplotypeMatrix) -> NDArray[Any]:
        """The likeliest label of every haplotype, strings (num_haplotypes,); the first of equal ones."""
        names = np.array(self.labels, _STR)
        return names[self.predict_proba(H).argmax(1)]

    def confusion(self, H: HaplotypeMatrix) -> NDArray[np.int64]:
        """Haplotypes of label i that are told to be of label j, int64 (num_labels, num_labels); those without left out.

        Raises
        ------
        ValueError
            H has no such label, or values that the training cohort had not.
        """
        truth = codes_of(H, self.config.label, self.labels)
        told = self.predict_proba(H).argmax(1)
        size = len(self.labels)
        counts: NDArray[np.int64] = np.bincount((truth * size + told)[truth >= 0], minlength=size**2)
        return counts.reshape(size, size)

    def sample(
        self, n: int, *, seed: int = 0, labels: Any = None, steps: int | None = None, temperature: float | None = None
    ) -> HaplotypeMatrix:
        """Draw artificial genomes by label, from random sites.

        Parameters
        ----------
        n : int, haplotypes to draw; rows 2i and 2i + 1 are called one person, AG{i}; aligned sequences are AG0, AG1 ...
        seed : int in [0, 2**64); same seed and labels, same genomes, on any number of threads; fewer are the first of
            more
        labels : the label of all, or a sequence of n; None draws every person's (every aligned sequence's) with the
            frequencies of the training cohort
        steps : int >= 1; None: `sample_steps` of the config, or where that is 0 its `gibbs_steps`
        temperature : float, the last v is drawn given the last h at logits divided by it; None: that of the config, or
            where that is 0 the one chosen for the label, see ``training["temperature"]``

        Returns
        -------
        HaplotypeMatrix of n haplotypes with the sites of the training cohort, ids AG0_A, AG0_B ... and their label

        Raises
        ------
        ValueError
            Not fitted, an argument out of its range, labels that training had not or another number than n.
        """
        return self.sample_in_blocks(n, seed=seed, labels=labels, steps=steps, temperature=temperature).read()

    def _how(
        self, n: int, seed: int, labels: Any, *, steps: int | None = None, temperature: float | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        check_sampling(steps, temperature)
        codes = codes_to_draw(n, seed, labels, self.training["labels"], 1 if self.alphabet else 2)
        names = np.array(self.labels, _STR)
        return {"codes": codes, "steps": steps, "temperature": temperature}, {self.config.label: names[codes]}

    def _draw_rows(
        self,
        first: int,
        last: int,
        seed: int,
        *,
        codes: NDArray[np.int64],
        steps: int | None = None,
        temperature: float | None = None,
    ) -> NDArray[np.uint64]:
        """Packed haplotypes; `codes` are the numbers of the labels of all rows of the draw."""
        config = self.config
        steps = steps or config.steps_of_draws
        temperature = temperature or config.temperature
        machine, unit = self._machine(self._device), self._unit()
        labels = torch.from_numpy(codes[first:last]).to(self._device)
        of_labels = torch.tensor(list(self._temperatures().values()), dtype=torch.float64, device=self._device)

        def block(a: int, b: int) -> Tensor:
            part = labels[a - first : b - first]
            at = temperature or of_labels[part][:, None]
            return unit.without(drawn(machine, unit, part, steps, seed, first_chain=a, temperature=at))

        return self._in_blocks(first, last, block)

    def _sampling(self) -> str:
        of_labels = ", ".join(f"{label} {at:g}" for label, at in self._temperatures().items())
        at = f"{self.config.temperature:g}" if self.config.temperature else f"chosen by label: {of_labels}"
        return f"{self.config.steps_of_draws} Gibbs steps from random sites by label; the last at temperature {at}."

    def _temperatures(self) -> dict[str, float]:
        """Chosen for draws of every label; 1 for those for which none was."""
        chosen = self.training.get("temperature", {})
        return {label: chosen[label]["temperature"] if label in chosen else 1.0 for label in self.labels}

    def _prepare(self, H: HaplotypeMatrix) -> None:
        asked = {name: getattr(self._asked, name) for name in ("training", "learning_rate", "num_hidden")}
        self.config = filled(self._asked, labelled_settings_for(H, **asked))

    def _conclude(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        if self.config.temperature:
            return
        found = {}
        for label, rows in self.training["labels"].items():
            if rows >= _FEWEST_ROWS:
                held = None if validation is None else _of_label(validation, self.config.label, label)
                draw = partial(self._of_one_label, label)
                found[label] = choose_temperature(draw, _of_label(H, self.config.label, label), held, seed)
        self.training["temperature"] = found

    def _of_one_label(self, label: str, n: int, seed: int, temperature: float) -> HaplotypeMatrix:
        return self.sample(n, seed=seed, labels=label, temperature=temperature)

    @contextmanager
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> Iterator[LabelledLearner]:
        self._device = device_of(device)
        names = names_of(H, self.config.label)
        if validation is not None:
            _check_alphabet("validation", validation, H.sites)
        if alphabet_of(H.sites):
            for cohort in (H, validation) if validation is not None else (H,):
                states_of(cohort)  # refuses rows without one letter at every position
        with Workers(self._device, meet()) as workers:
            yield LabelledLearner(H, self.config, seed, workers, names, validation=validation, device=self._device)

    def _identity(self, H: HaplotypeMatrix) -> dict[str, Any]:
        values = values_of(H, self.config.label)
        return {"labels_sha256": hashlib.sha256("\n".join(values.tolist()).encode()).hexdigest()}

    def _describe_training(self, data: HaplotypeMatrix, seed: int, **more: Any) -> None:
        names = names_of(data, self.config.label)
        codes = codes_of(data, self.config.label, names)
        counts = np.bincount(codes[codes >= 0], minlength=len(names)).tolist()
        alphabet = alphabet_of(data.sites)
        super()._describe_training(
            data,
            seed,
            **({"alphabet": alphabet} if alphabet else {}),
            labels=dict(zip(names, counts, strict=True)),
            num_without_label=int((codes < 0).sum()),
            **more,
        )

    def _check_sites(self, H: HaplotypeMatrix) -> None:
        _check_alphabet("H", H, self.sites)
        super()._check_sites(H)

    def _machine(self, device: torch.device) -> Machine:
        return with_potts_units(super()._machine(device), len(self.sites), len(self.alphabet))

    def _unit(self) -> LabelUnit:
        return LabelUnit(len(self.sites), len(self.labels), self._device)

    def _restore(self, tensors: _store.Tensors) -> None:
        counts = self.training["labels"]
        if not isinstance(counts, dict) or not all(isinstance(count, int) and count > 0 for count in counts.values()):
            raise ValueError(f"labels: expected names with their counts, found {counts!r}")
        for temperature in self._temperatures().values():
            check_temperature(temperature)
        self._take(tensors, len(self.sites) + len(counts), {})


class LabelledLearner(BoltzmannLearner):
    """A `BoltzmannLearner` of rows of sites, or letters at positions, and label."""

    def __init__(
        self,
        H: HaplotypeMatrix,
        config: LabelledRBMConfig,
        seed: int,
        workers: Workers,
        names: list[str],
        *,
        validation: HaplotypeMatrix | None = None,
        device: torch.device,
    ) -> None:
        self._unit = LabelUnit(H.num_sites, len(names), device)
        self._num_states = len(alphabet_of(H.sites))
        held = None if validation is None else _with_label_columns(validation, config.label, names)
        rows = _with_label_columns(H, config.label, names)
        super().__init__(rows, config, seed, workers, validation=held, device=device)
        codes = codes_of(H, config.label, names)
        share = torch.from_numpy(np.bincount(codes[codes >= 0], minlength=len(names))).to(device).double()
        self.visible_bias[H.num_sites :] = (share / share.sum()).log().float()
        if self._num_states:
            rare = 1 / (2 * H.num_haplotypes)
            self.visible_bias[: H.num_sites] = self.visible_centre[: H.num_sites].clamp(min=rare).log().float()
            self._to_zero_sum()
        if config.training == "pcd":
            self.chains = self._unit.random(self.chains, stream_seed(seed, "persistent"))
        # each gradient is a mean over its rows, those with a label or all; sums stay exact by multiples of 1/1024
        weight = config.telling_weight * H.num_haplotypes / int((codes >= 0).sum())
        self._telling_weight = round(weight * _WEIGHT_UNITS) / _WEIGHT_UNITS
        self._right, self._asked = 0, 0

    def machine(self) -> Machine:
        return with_potts_units(super().machine(), self._unit.num_sites, self._num_states)

    def step(self, data: Moments, model: Moments, rate: float) -> None:
        super().step(data, model, rate)
        if self._num_states:
            self._to_zero_sum()

    def _to_zero_sum(self) -> None:
        for parameters in (self.weights, self.visible_bias):
            to_zero_sum(parameters[: self._unit.num_sites], self._num_states)

    def epoch(self, epoch: int) -> dict[str, float]:
        self._right, self._asked = 0, 0
        metrics = super().epoch(epoch)
        if self._asked:
            metrics["label_chains_right"] = self._right / self._asked
        if self._held is not None:
            labels = self._unit.read(self._held)
            told = self._unit.free_energies(self.machine(), self._held).argmin(1)
            if known := int((labels >= 0).sum()):
                metrics["label_accuracy_validation"] = int((told == labels).sum()) / known
        return metrics

    def update(self, batch: Tensor, steps: int, rate: float, chain_seed: int) -> float:
        """One step up the gradients; the mean difference of frequencies of sites, data against chains that draw."""
        machine, unit, workers = self.machine(), self._unit, self._workers
        labels = unit.read(batch)
        known = labels >= 0
        if self._config.training == "pcd":
            rows = batch.clone()
            rows[~known] = self._told(machine, batch[~known], steps, chain_seed)

            def move(first: int, last: int) -> Tensor:
                return unit.chains(machine, self.chains[first:last], steps, chain_seed, first_chain=first)

            self.chains = self._joined(workers.share(len(self.chains), move), len(self.chains))
            data, model = self.moments(machine, rows), self.moments(machine, self.chains)
            self.step(data, model, rate)
            return float((data.visible - model.visible)[: unit.num_sites].abs().mean())

        some = batch[known]
        told = self._told(machine, some, steps, chain_seed)
        self._right += int((labels[known] == unit.read(told)).sum())
        self._asked += len(some)

        def draw(first: int, last: int) -> Moments:
            return machine.sums(drawn(machine, unit, labels[first:last], steps, chain_seed, first_chain=first))

        def sums(rows: Tensor) -> list[Moments]:
            return workers.share(len(rows), lambda first, last: machine.sums(rows[first:last]))

        weight = self._telling_weight

        def weighted(parts: list[Moments]) -> list[Moments]:
            return parts if weight == 1 else [Moments(*(total.double() * weight for total in part)) for part in parts]

        n = len(batch) + weight * len(some)
        data = self._mean(sums(batch) + weighted(sums(some)), n, machine.unit)
        model = self._mean(workers.share(len(batch), draw) + weighted(sums(told)), n, machine.unit)
        share = n / len(batch)  # of the sites' gradient, which rows that are told have none of
        self.step(data, model, rate * share / (1 + self._config.telling_weight))
        return float(share * (data.visible - model.visible)[: unit.num_sites].abs().mean())

    def _told(self, machine: Machine, rows: Tensor, steps: int, seed: int) -> Tensor:
        """The rows with the labels that chains of `steps` steps from random labels end in."""
        own = stream_seed(seed, "labels")

        def tell(first: int, last: int) -> Tensor:
            start = self._unit.random(rows[first:last], own, first_chain=first)
            return self._unit.chains(machine, start, steps, own, first_chain=first, clamp_sites=True)

        return self._joined(self._workers.share(len(rows), tell), len(rows))


def drawn(
    machine: Machine,
    unit: LabelUnit,
    labels: Tensor,
    steps: int,
    seed: int,
    *,
    first_chain: int = 0,
    temperature: float | Tensor = 1.0,
) -> Tensor:
    """Packed rows with these labels, -1 for none, `steps` steps after sites that are 1 with probability 1/2."""
    n = len(labels)
    start = unit.put(machine.chains(n, 0, seed, first_chain=first_chain), labels)
    return machine.chains(
        n, steps, seed, first_chain=first_chain, start=start, clamp=unit.columns, temperature=temperature
    )


def _check_alphabet(argument: str, H: HaplotypeMatrix, sites: Sites) -> None:
    """ValueError where one is aligned sequences and the other not, or of another alphabet."""
    expected, found = (
        f"aligned sequences of {alphabet}" if (alphabet := alphabet_of(of)) else "haplotypes" for of in (sites, H.sites)
    )
    if expected != found:
        raise ValueError(f"{argument}: expected {expected}, found {found}")


def _of_label(H: HaplotypeMatrix, label: str, value: str) -> HaplotypeMatrix:
    return H.select_haplotypes(np.flatnonzero(values_of(H, label) == value))


def _with_label_columns(H: HaplotypeMatrix, label: str, names: list[str]) -> HaplotypeMatrix:
    """Sites and, behind them, the label as one-hot columns."""
    words = _joined(H, codes_of(H, label, names), len(names)).numpy().view(np.uint64)
    return HaplotypeMatrix(words, Sites(num_sites=H.num_sites + len(names)))


def _joined(H: HaplotypeMatrix, codes: NDArray[np.int64], num_labels: int) -> Tensor:
    """Packed rows of sites and label; code -1 is none."""
    one_hot = (codes[:, None] == np.arange(num_labels)).view(np.uint8)
    return host_rows(_backend.concat_sites([H.words, _backend.pack(one_hot)], [H.num_sites, num_labels]))

"""What all models share: being fitted to a cohort, drawing artificial genomes, a folder on disk."""

from __future__ import annotations

import dataclasses
import datetime
import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hapforge.alignment import alphabet_of
from hapforge.errors import FormatError
from hapforge.haplotype_blocks import HaplotypeBlocks
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, check_seed
from hapforge.models import _store


class Model(ABC):
    """A generative model of haplotypes.

    Attributes
    ----------
    name : str, as in ``hapforge train NAME``
    summary : str, one sentence for the model card
    config : dataclass of plain numbers: everything the user chose
    training : dict, what it was fitted to and how: seed, data_sha256, num_haplotypes, num_sites, date, and what the
        model adds; empty before `fit`
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    config_type: ClassVar[type]
    config: Any
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}  # settings that have a name
    SAMPLING: ClassVar[dict[str, type]] = {}  # what `sample` takes beside n, seed and labels
    FITTING: ClassVar[dict[str, tuple[type, Any]]] = {}  # what `fit` takes beside what all do, and the default
    MONITORED: ClassVar[bool] = True  # whether it can be sampled while it is trained
    SHARED: ClassVar[bool] = False  # whether processes of torchrun train it together
    TAKES_SEQUENCES: ClassVar[bool] = False  # whether aligned sequences can be fitted, one letter at every position
    HOLDS_OUT: ClassVar[bool] = False  # whether ``hapforge train`` holds persons out for it where nothing is said

    def __init__(self) -> None:
        self._sites: Sites | None = None
        self.training: dict[str, Any] = {}

    @classmethod
    def _over_preset(cls, preset: str | None, settings: dict[str, Any]) -> dict[str, Any]:
        """The settings, over those of the preset."""
        if preset is None:
            return settings
        if preset not in cls.PRESETS:
            raise ValueError(f"preset: expected one of {', '.join(cls.PRESETS)}, found {preset!r}")
        return {**cls.PRESETS[preset], **settings}

    @property
    def sites(self) -> Sites:
        """The sites of the training cohort. ValueError before `fit`."""
        if self._sites is None:
            raise ValueError(f"{type(self).__name__}: expected a fitted model, found none: call fit first")
        return self._sites

    def sample(self, n: int, *, seed: int = 0, labels: Any = None) -> HaplotypeMatrix:
        """Draw artificial genomes.

        Parameters
        ----------
        n : int, haplotypes to draw; rows 2i and 2i + 1 are called one person, AG{i}; aligned sequences are AG0, AG1 ...
        seed : int in [0, 2**64); same seed, same genomes, on any number of threads; fewer are the first of more
        labels : None; this model knows no labels

        Returns
        -------
        HaplotypeMatrix of n haplotypes with the sites of the training cohort and ids AG0_A, AG0_B ...

        Raises
        ------
        ValueError
            Not fitted, n below 0, a seed out of its range, or labels for a model without.
        """
        return self.sample_in_blocks(n, seed=seed, labels=labels).read()

    def sample_in_blocks(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: Any = None,
        progress: Callable[[int], object] | None = None,
        **how: Any,
    ) -> HaplotypeBlocks:
        """What `sample` draws, drawn a block of rows at a time: more artificial genomes than memory holds.

        ``hapforge.write(model.sample_in_blocks(1_000_000, seed=1), "ag.hapz")`` draws into a file of any format. Memory
        is that of a block and of the model while it draws one, and for every haplotype that of its names: about 50
        bytes, 100 to 250 with what a writer makes of them.

        Parameters
        ----------
        n, seed, labels : as in `sample`
        progress : called with numbers of haplotypes drawn
        **how : what `sample` takes beside

        Returns
        -------
        HaplotypeBlocks, whose rows are those of `sample`, however they are cut into blocks

        Raises
        ------
        TypeError, ValueError
            As `sample`.
        """
        sites, seed = self.sites, check_draws(n, seed)
        drawing, named = self._how(n, seed, labels, **how)

        def rows(first: int, last: int) -> NDArray[np.uint64]:
            words = self._draw_rows(first, last, seed, **drawing)
            if progress is not None:
                progress(last - first)
            return words

        ploidy: Literal[1, 2] = 1 if alphabet_of(sites) else 2  # a sequence is its own person
        return HaplotypeBlocks(rows, sites, Samples.numbered(n, "AG", ploidy=ploidy, labels=named))

    def _how(self, n: int, seed: int, labels: Any, *_: Any, **how: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        """(what `_draw_rows` takes beside, labels of all rows by name) for a draw of n rows, after checks."""
        if labels is not None:
            raise ValueError(f"labels: expected None, {type(self).__name__} is not conditional, found {labels!r}")
        if how:
            raise TypeError(f"{next(iter(how))}: expected nothing that {type(self).__name__} does not know")
        return {}, {}

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write what is needed to draw again: ``model.json`` and ``weights.safetensors``; a model there is replaced.

        Parameters
        ----------
        folder : made where it is not there
        overwrite : whether a run of another model that is there goes, too

        Raises
        ------
        ValueError
            Not fitted, or the folder holds something else.
        """
        tensors = {**_store.sites_to_tensors(self.sites), **self._tensors()}
        where, description = Path(folder), self._description()
        _store.write_model(where, description, tensors, overwrite=overwrite, more=self._write_parts)

    def _description(self) -> dict[str, Any]:
        """What ``model.json`` says, but for the checksums of files."""
        return {
            "model": self.name,
            "hapforge": version("hapforge"),
            "config": dataclasses.asdict(self.config),
            "training": self.training,
            "card": {
                "summary": self.summary,
                "intended_use": "Research on artificial genomes; draws share the training cohort's sites.",
                "limits": "Draws are no better than the evaluation of this very model shows (hapforge evaluate).",
                "sampling": self._sampling(),
                "privacy": "No formal guarantee: draws can come close to or repeat training haplotypes.",
            },
        }

    @classmethod
    def _from_folder(cls, path: Path, description: dict[str, Any], tensors: _store.Tensors) -> Self:
        try:
            model = cls(**description["config"])
            model.training = dict(description["training"])
            if "num_haplotypes" not in model.training:
                raise KeyError("num_haplotypes")
            model._sites = _store.sites_from_tensors(tensors)
            model._restore(tensors)
        except (KeyError, TypeError, ValueError) as error:
            raise FormatError(path, f"the parts of a {cls.name} model", f"{type(error).__name__}: {error}") from None
        return model

    def _describe_training(self, data: HaplotypeMatrix, seed: int, **more: Any) -> None:
        self._sites = data.sites
        self.training = {
            "seed": seed,
            "data_sha256": data.sha256(),
            "num_haplotypes": data.num_haplotypes,
            "num_sites": data.num_sites,
            "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            **more,
        }

    @abstractmethod
    def fit(
        self,
        H: HaplotypeMatrix,
        *,
        seed: int = 0,
        validation: HaplotypeMatrix | None = None,
        callback: Callable[[Any], Any] | None = None,
        device: str = "auto",
    ) -> Self:
        """Learn from a cohort; returns the model itself."""

    def _sampling(self) -> str:
        """How `sample` draws where it is told nothing, for the model card."""
        return "Independent draws from the fitted distribution."

    def _write_parts(self, folder: Path) -> dict[str, str]:
        """Write what a model has beside its tensors into its folder; names of the files there and their SHA-256."""
        return {}

    @abstractmethod
    def _draw_rows(self, first: int, last: int, seed: int, *_: Any, **how: Any) -> NDArray[np.uint64]:
        """Packed rows first ... last - 1 of the draws of a seed, uint64 (last - first, words_per_row).

        A row depends on the seed and its own number alone: not on `first` and `last`, nor on threads. What of it goes
        by row, such as labels, is given in `how` for all rows of the draw.
        """

    @abstractmethod
    def _tensors(self) -> _store.Tensors:
        """The parameters, by name."""

    @abstractmethod
    def _restore(self, tensors: _store.Tensors) -> None:
        """Take the parameters that `_tensors` gave."""


def check_draws(n: int, seed: int) -> int:
    """The seed as a Python integer; ValueError where it or the number of draws is out of its range."""
    if n < 0:
        raise ValueError(f"n: expected 0 or more, found {n}")
    return check_seed(seed)


def check_data(model: Model, data: HaplotypeMatrix) -> None:
    """Raise TypeError or ValueError where there is nothing that the model can be fitted to."""
    if not isinstance(data, HaplotypeMatrix):
        raise TypeError(f"H: expected a HaplotypeMatrix, found {type(data).__name__}")
    if data.num_haplotypes == 0 or data.num_sites == 0:
        raise ValueError(
            f"H: expected at least one haplotype and one site, found {data.num_haplotypes} x {data.num_sites}"
        )
    if alphabet_of(data.sites) and not model.TAKES_SEQUENCES:
        raise ValueError(f"H: expected haplotypes for a {model.name} model, found aligned sequences (labelled_rbm)")


class CountedModel(Model):
    """A model that is counted in one pass over the cohort, without epochs."""

    def fit(
        self,
        H: HaplotypeMatrix,
        *,
        seed: int = 0,
        validation: HaplotypeMatrix | None = None,
        callback: Callable[[Any], Any] | None = None,
        device: str = "auto",
    ) -> Self:
        """Count.

        Parameters
        ----------
        H : the training cohort
        seed, validation, callback : taken for the sake of one signature; counting needs none of them
        device : "auto" or "cpu"

        Returns
        -------
        self

        Raises
        ------
        TypeError, ValueError
            Something other than a cohort, an empty one, a seed out of its range, another device.
        """
        check_data(self, H)
        seed = check_seed(seed)
        if device not in ("auto", "cpu"):
            raise ValueError(f"device: expected 'auto' or 'cpu', found {device!r}")
        self._count(H)
        self._describe_training(H, seed)
        return self

    @abstractmethod
    def _count(self, H: HaplotypeMatrix) -> None:
        """Take the parameters from a cohort that is not empty."""

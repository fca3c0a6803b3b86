"""Generative models: cohort -> parameters -> cohort. torch is imported where a model needs it."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hapforge.errors import FormatError, MissingDependencyError
from hapforge.models import _store
from hapforge.models._model import Model
from hapforge.models.bernoulli import Bernoulli
from hapforge.models.markov import Markov

if TYPE_CHECKING:
    from hapforge.models.crbm import CRBM
    from hapforge.models.diffusion import Diffusion
    from hapforge.models.gan import GAN
    from hapforge.models.labelled_rbm import LabelledRBM
    from hapforge.models.rbm import RBM
    from hapforge.models.vae import VAE
    from hapforge.models.wgan import WGAN

__all__ = [
    "CRBM",
    "GAN",
    "RBM",
    "VAE",
    "WGAN",
    "Bernoulli",
    "Diffusion",
    "LabelledRBM",
    "Markov",
    "Model",
    "by_name",
    "embedding",
    "load",
    "names",
]

_CLASSES = {
    "bernoulli": "Bernoulli",
    "markov": "Markov",
    "rbm": "RBM",
    "crbm": "CRBM",
    "labelled_rbm": "LabelledRBM",
    "gan": "GAN",
    "wgan": "WGAN",
    "vae": "VAE",
    "diffusion": "Diffusion",
}
_NEED_TORCH = ("CRBM", "Diffusion", "GAN", "LabelledRBM", "RBM", "VAE", "WGAN")
_MODULES = {found.lower(): module for module, found in _CLASSES.items()}


def names() -> list[str]:
    """Names of the models, as ``hapforge train`` takes them."""
    return list(_CLASSES)


def by_name(name: str) -> type[Model]:
    """The model's class; capitals and underscores don't matter.

    Raises
    ------
    ValueError
        No model has this name.
    MissingDependencyError
        It needs torch, which is not installed.
    """
    module = _MODULES.get(name.lower().replace("_", ""))
    if module is None:
        raise ValueError(f"model: expected one of {', '.join(_CLASSES)}, found {name!r}")
    try:
        model: type[Model] = getattr(importlib.import_module(f"hapforge.models.{module}"), _CLASSES[module])
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "train") from error
    return model


def load(folder: str | os.PathLike[str]) -> Model:
    """A model from the folder that `Model.save` or ``hapforge train`` wrote, ready to `sample`.

    Nothing in the folder is executed; checksums are verified.

    Raises
    ------
    FileNotFoundError
        No such folder.
    FormatError, ChecksumError
        Not a finished model, or damaged.
    """
    path = Path(folder)
    description, tensors = _store.read_model(path)
    name = description.get("model")
    if not isinstance(name, str) or name not in _CLASSES:
        raise FormatError(path / _store.DESCRIPTION, f"a model out of {', '.join(_CLASSES)}", repr(name), "model")
    return by_name(name)._from_folder(path / _store.DESCRIPTION, description, tensors)


def __getattr__(name: str) -> Any:
    if name == "embedding":
        return importlib.import_module("hapforge.models.embedding")
    if name in _NEED_TORCH:
        return by_name(name)
    raise AttributeError(f"module 'hapforge.models' has no attribute {name!r}")

"""A model that is trained in no time: it draws training rows with as much noise as its settings leave."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest

import hapforge as hf
from hapforge import models
from hapforge.models._training import Diverged, TrainedModel

BEST_RATE, DIVERGING_RATE = 0.01, 0.15


@dataclass(frozen=True)
class ToyConfig:
    epochs: int = 5
    learning_rate: float = 0.03
    batch_size: int = 16
    shape: str = "flat"

    def __post_init__(self) -> None:
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate: expected a positive number, found {self.learning_rate}")
        if self.shape not in ("flat", "deep"):
            raise ValueError(f"shape: expected flat or deep, found {self.shape!r}")
        if self.shape == "deep" and self.batch_size < 8:
            raise ValueError(f"batch_size: expected 8 or more for 'deep', found {self.batch_size}")


class _Learner:
    def __init__(self, config: ToyConfig, rows: np.ndarray) -> None:
        self._config, self._rows, self._noise = config, rows, np.array([0.5])

    def tensors(self) -> dict[str, np.ndarray]:
        return {"noise": self._noise.copy()}

    def restore(self, tensors: dict[str, np.ndarray]) -> None:
        self._noise = tensors["noise"].copy()

    def epoch(self, epoch: int) -> dict[str, float]:
        rate = self._config.learning_rate
        if rate > DIVERGING_RATE and epoch > 1:
            raise Diverged("noise: expected it to fall; a lower learning_rate helps")
        self._noise = 0.6 * self._noise + 0.4 * 0.1 * abs(math.log10(rate / BEST_RATE))
        return {"noise": float(self._noise[0])}

    def snapshot(self) -> dict[str, np.ndarray]:
        return {"noise": self._noise.copy(), "rows": self._rows}

    def histograms(self) -> dict[str, np.ndarray]:
        return {}


class Toy(TrainedModel):
    """Its best rate is 0.01; above 0.15 it diverges."""

    name: ClassVar[str] = "toy"
    summary: ClassVar[str] = "Training rows with noise."
    config_type: ClassVar[type] = ToyConfig
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {"learning_rate": (0.1, 10.0), "batch_size": (0.25, 4.0)}

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.config = ToyConfig(**settings)

    @contextmanager
    def _learner(self, H: Any, seed: int, validation: Any, device: str) -> Iterator[_Learner]:
        yield _Learner(self.config, H.words)

    def _draw_rows(self, first: int, last: int, seed: int, *_: Any, **how: Any) -> np.ndarray:
        rng = np.random.default_rng(seed)
        rows = self._tensors_now["rows"][rng.integers(len(self._tensors_now["rows"]), size=last)]
        flips = rng.random((last, len(self.sites))) < self._tensors_now["noise"][0]
        return (rows ^ hf.HaplotypeMatrix.from_dense(flips.astype(np.uint8)).words)[first:]

    def _tensors(self) -> dict[str, np.ndarray]:
        return self._tensors_now

    def _restore(self, tensors: dict[str, np.ndarray]) -> None:
        self._tensors_now = {name: tensors[name] for name in ("rows", "noise")}


def register(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the model one that `models.by_name` and `models.load` know."""
    found = models.by_name
    monkeypatch.setitem(models._CLASSES, "toy", "Toy")
    monkeypatch.setattr(models, "by_name", lambda name: Toy if name == "toy" else found(name))

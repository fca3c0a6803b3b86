"""From noise to data by a network that predicts noise: noise schedules and samplers, as plain functions.

x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) eps for steps t = 1 ... T (Ho et al. 2020, eq. 4; Kenneweg et al.,
Generating synthetic genotypes using diffusion models, eq. 5, exchange data and noise, by mistake).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

SCHEDULES = ("linear", "cosine")
SAMPLERS = ("ddpm", "ddim", "dpm")
FIRST_BETA, LAST_BETA = 1e-4, 0.02

Predict = Callable[[Tensor, int], Tensor]
"""The noise in x_t at step t, 1 ... T, like x_t."""


@dataclass(frozen=True)
class Schedule:
    """How much of x_t is data.

    Attributes
    ----------
    kept : float64 (T + 1,), abar_t, the share of the variance of x_t that is data's; 1 at t = 0
    """

    kept: NDArray[np.float64]

    @classmethod
    def of(cls, name: str, num_steps: int) -> Schedule:
        """ "linear": beta_t from 1e-4 to 0.02 (Ho et al. 2020, section 4); "cosine": Nichol, Dhariwal 2021, eq. 17."""
        if name == "linear":
            betas = np.linspace(FIRST_BETA, LAST_BETA, num_steps)
        else:
            offset = 0.008
            share = np.cos((np.arange(num_steps + 1) / num_steps + offset) / (1 + offset) * math.pi / 2) ** 2
            betas = np.minimum(1 - share[1:] / share[:-1], 0.999)
        return cls(np.concatenate([[1.0], np.cumprod(1 - betas)]))

    @property
    def num_steps(self) -> int:
        """T."""
        return len(self.kept) - 1

    def some(self, count: int) -> NDArray[np.int64]:
        """`count` steps, evenly spread from T down to 1."""
        return np.unique(np.linspace(self.num_steps, 1, count).round().astype(np.int64))[::-1]

    def some_by_signal(self, count: int) -> NDArray[np.int64]:
        """At most `count` steps from T down to 1, evenly spread by the log of signal over noise (Lu et al. 2022)."""
        signal = np.log(self.kept[1:] / (1 - self.kept[1:]))
        wanted = np.linspace(signal[-1], signal[0], count)
        return np.unique(1 + np.abs(signal[:, None] - wanted).argmin(0))[::-1]

    def noised(self, x: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """x_t of every row at its own step (Ho et al. 2020, eq. 4); t : int64 (rows,)."""
        kept = x.new_tensor(self.kept)[t].view(-1, *[1] * (x.dim() - 1))
        return kept.sqrt() * x + (1 - kept).sqrt() * noise

    def denoised(self, x: Tensor, noise: Tensor, t: int) -> Tensor:
        """The data that x_t has with this noise in it: x_t's equation, solved for x_0 (Ho et al. 2020, eq. 15)."""
        kept = float(self.kept[t])
        return (x - math.sqrt(1 - kept) * noise) / math.sqrt(kept)


def guided(at: Callable[[Tensor, int], tuple[Tensor, Tensor]], scale: float) -> Predict:
    """Classifier-free guidance: (1 + scale) eps(x, y) - scale eps(x, no label) (Ho, Salimans 2022, eq. 6).

    Parameters
    ----------
    at : gives the noise with the label and without
    scale : float, 0 for none
    """

    def predict(x: Tensor, t: int) -> Tensor:
        labelled, free = at(x, t)
        return (1 + scale) * labelled - scale * free

    return predict


def ddpm(
    predict: Predict, x: Tensor, schedule: Schedule, steps: NDArray[np.int64], noise: Callable[[], Tensor]
) -> Tensor:
    """Ancestral sampling (Ho et al. 2020, algorithm 2), with the variance of q(x_s | x_t, x_0), its eq. 7.

    Parameters
    ----------
    predict : see `Predict`
    x : normal noise, x_T
    steps : int64, those that are taken, falling, `Schedule.some`
    noise : more of it, like x; not asked for at the last step
    """
    for t, s in _pairs(steps):
        a, b = float(schedule.kept[t]), float(schedule.kept[s])
        data = schedule.denoised(x, predict(x, t), t)
        left = a / b  # 1 - beta over the steps from s to t
        x = (math.sqrt(b) * (1 - left) * data + math.sqrt(left) * (1 - b) * x) / (1 - a)
        if s:
            x = x + math.sqrt((1 - b) / (1 - a) * (1 - left)) * noise()
    return x


def ddim(predict: Predict, x: Tensor, schedule: Schedule, steps: NDArray[np.int64]) -> Tensor:
    """Sampling without new noise (Song, Meng, Ermon 2021, Denoising diffusion implicit models, eq. 12, eta = 0)."""
    for t, s in _pairs(steps):
        noise, b = predict(x, t), float(schedule.kept[s])
        x = math.sqrt(b) * schedule.denoised(x, noise, t) + math.sqrt(1 - b) * noise
    return x


def dpm_solver(predict: Predict, x: Tensor, schedule: Schedule, steps: NDArray[np.int64]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, DPM-Solver++, algorithm 2), the last step of first order."""
    before: tuple[Tensor, float] | None = None  # data as predicted one step before, and how far that step went
    for t, s in _pairs(steps):
        data = schedule.denoised(x, predict(x, t), t)
        if not s:
            return data
        a, b = float(schedule.kept[t]), float(schedule.kept[s])
        far = (math.log(b / (1 - b)) - math.log(a / (1 - a))) / 2  # of the log of signal over noise
        used = data
        if before is not None:
            used = data + far / (2 * before[1]) * (data - before[0])
        x = math.sqrt((1 - b) / (1 - a)) * x - math.sqrt(b) * math.expm1(-far) * used
        before = data, far
    return x


def _pairs(steps: NDArray[np.int64]) -> list[tuple[int, int]]:
    """Every step and the one after it, 0 at the end."""
    return list(zip(steps.tolist(), [*steps[1:].tolist(), 0], strict=True))

"""Evaluation during training: a callback that scores draws, logs them, keeps the best model and knows when to stop."""

from __future__ import annotations

import math
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol

from hapforge._streams import Stream
from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, check_seed, seeded_order
from hapforge.io.event_log import EventLog
from hapforge.metrics import adversarial_accuracy, compare_allele_frequencies, compare_ld
from hapforge.metrics.allele_frequency import LOW_FREQUENCY
from hapforge.metrics.transport import optimal_cost
from hapforge.models import _store
from hapforge.stats import allele_frequencies, randomized_pca

LOG, BEST, TENSORBOARD = _store.MONITOR_LOG, _store.BEST, _store.TENSORBOARD
SCORES = ("af_r", "af_r_low", "ld_score", "pca_wasserstein", "aa_truth", "aa_syn", "privacy")
MAX_PCA_ROWS = 500


class State(Protocol):
    """What a model tells its callback, as `models` does."""

    @property
    def epoch(self) -> int: ...
    @property
    def num_epochs(self) -> int: ...
    @property
    def model(self) -> Any: ...


class Monitor:
    """Callback for ``fit(callback=)`` that evaluates what a model draws while it is trained.

    Every `every` epochs, and after the last one, `n` haplotypes are drawn and scored against as many validation rows:
    AF r over all sites and those at most at 0.2, LD score, 2D Wasserstein distance on the first two principal
    components of the validation rows (exact plan, at most 500 rows; a single site has one component), AA truth, AA
    syn; and for privacy, the mean of these two minus that against n training rows. Training is not touched: draws have
    their own seed, the same every time, and training rows are looked at only for this and as the control: n of them
    against the same validation rows score what a perfect set would.

    The aggregate is the mean of five qualities from 0 to 1, each 1 where the set is as good as the control:

    - AF: r at most at 0.2 (over all sites where there are none), over the control's
    - LD: LD score over the control's
    - PCA: the control's distance over the set's
    - AA truth, AA syn: 1 - |AA - control| / max(control, 1 - control)

    The control is real, so that a model that repeats its training rows has a high aggregate, too: whether it copies is
    for `privacy` to say. With `leak`, training stops at the first evaluation where that is above it, and the best
    epoch is one before it, where there is any.

    Qualities are cut off at 0 and 1; one that cannot be computed is 0. Training stops once `patience` evaluations in a
    row have not raised the best aggregate. That aggregate is what Yelmen et al. 2023 wish for in their discussion:
    "some aggregate statistics crafted based on multiple summary statistics related to LD, site frequency spectrum,
    ancestry and overfitting scores".

    With a `folder` (that of the run) there are

    - ``monitor.jsonl``, one line per evaluation, with a checksum of itself: ``epoch``; ``seconds`` it took; ``n`` rows
      a side; ``seed``; ``scores`` and ``control`` {name: number or null}; ``qualities`` {af, ld, pca, aa_truth,
      aa_syn}; ``aggregate``; ``best_epoch`` and ``best_aggregate`` so far;
    - ``best/``, the model of the best epoch, which `models.load` and ``hapforge generate`` take; a temperature of draws
      that is left open is chosen for it, too, when training ends (evaluations during training are at 1);
    - ``tensorboard/monitor/`` where the package tensorboard is installed.

    A run that is resumed goes on with them: what is of epochs that are trained again is dropped.

    Parameters
    ----------
    train, validation : HaplotypeMatrix of the same sites and different persons; at least 4 rows each
    every : int >= 1, epochs
    n : int >= 4, haplotypes to draw; fewer where `train` or `validation` have fewer
    patience : int >= 1, evaluations; None never stops
    leak : float in (0, 1], the privacy score above which training stops; None never stops
    folder : path or None
    seed : int >= 0

    Attributes
    ----------
    history : list of dict, the lines of the log
    control : {score: float}
    best_epoch : int, 0 before the first evaluation
    """

    def __init__(
        self,
        train: HaplotypeMatrix,
        validation: HaplotypeMatrix,
        *,
        every: int = 10,
        n: int = 1000,
        patience: int | None = None,
        leak: float | None = None,
        folder: str | os.PathLike[str] | None = None,
        seed: int = 0,
    ) -> None:
        for name, matrix in (("train", train), ("validation", validation)):
            if matrix.num_haplotypes < 4:
                raise ValueError(f"{name}: expected at least 4 haplotypes, found {matrix.num_haplotypes}")
        if train.sites != validation.sites:
            raise ValueError("validation: expected the sites of train, found others (see hapforge.intersect)")
        for name, value, least in (("every", every, 1), ("n", n, 4), ("patience", patience, 1)):
            if value is not None and value < least:
                raise ValueError(f"{name}: expected {least} or more, found {value}")
        if leak is not None and not 0 < leak <= 1:
            raise ValueError(f"leak: expected more than 0 and at most 1, found {leak}")
        self._every, self._patience, self._leak, self._seed = every, patience, leak, check_seed(seed)
        self._folder = None if folder is None else Path(folder)
        self._n = min(n, train.num_haplotypes, validation.num_haplotypes)
        self._truth = _part(validation, self._n, self._seed, Stream.MONITOR_TRUTH)
        varying = allele_frequencies(self._truth) % 1 > 0
        # with rows all alike there are no components, and nothing can be said of the structure
        self._components = randomized_pca(self._truth, min(2, train.num_sites)) if varying.any() else None
        self._trained_on = _part(train, self._n, self._seed, Stream.MONITOR_CONTROL)
        self.control = self._score(self._trained_on)
        self.history: list[dict[str, Any]] = []
        self._begun = False
        self._board: EventLog | None = None

    def __call__(self, state: State) -> bool:
        """Evaluate where it is time to; whether training should stop."""
        if not self._begun:
            self._begin(state.epoch)
        if state.epoch % self._every and state.epoch != state.num_epochs:
            return False
        start = time.perf_counter()
        found = self.judge(state.model)
        scores, aggregate = found["scores"], found["aggregate"]
        best = max((entry["aggregate"] for entry in self.history), default=-math.inf)
        is_best = aggregate > best and (not self.history or not self._leaks(scores))
        entry: dict[str, Any] = {
            "epoch": state.epoch,
            "seconds": round(time.perf_counter() - start, 3),
            **found,
            "best_epoch": state.epoch if is_best else self.best_epoch,
            "best_aggregate": aggregate if is_best else best,
        }
        if self._folder is not None:
            if is_best:
                state.model.save(self._folder / BEST, overwrite=True)
            _store.append_sealed(self._folder / LOG, entry)
            if self._board is not None:
                shown = {**scores, "aggregate": aggregate}
                self._board.add(
                    state.epoch, {f"monitor/{name}": value for name, value in shown.items() if value is not None}
                )
        self.history.append(entry)
        return self._exhausted()

    def judge(self, model: Any) -> dict[str, Any]:
        """What a model draws, as it is: ``n``, ``seed``, ``scores``, ``control``, ``qualities``, ``aggregate``."""
        drawn = model.sample(self._n, seed=self._seed)
        scores = self._score(drawn)
        known = adversarial_accuracy(self._trained_on, drawn, seed=self._seed)
        scores["privacy"] = (scores["aa_truth"] + scores["aa_syn"]) / 2 - known.aats
        qualities = _qualities(scores, self.control)
        return {
            "n": self._n,
            "seed": self._seed,
            "scores": _plain(scores),
            "control": _plain(self.control),
            "qualities": qualities,
            "aggregate": sum(qualities.values()) / len(qualities),
        }

    @property
    def best_epoch(self) -> int:
        return int(self.history[-1]["best_epoch"]) if self.history else 0

    def _exhausted(self) -> bool:
        since = sum(entry["epoch"] > self.best_epoch for entry in self.history)
        tired = self._patience is not None and since >= self._patience
        return tired or (bool(self.history) and self._leaks(self.history[-1]["scores"]))

    def _leaks(self, scores: dict[str, float | None]) -> bool:
        privacy = scores["privacy"]
        return self._leak is not None and privacy is not None and privacy > self._leak

    def _begin(self, epoch: int) -> None:
        """Take over what an interrupted run has logged before this epoch; the rest goes."""
        self._begun = True
        if self._folder is None:
            return
        log = self._folder / LOG
        if log.exists():
            self.history = [entry for entry in _store.read_sealed_lines(log)[0] if entry["epoch"] < epoch]
            _store.write_sealed_lines(log, self.history)
        if not self.history:
            shutil.rmtree(self._folder / BEST, ignore_errors=True)
        with suppress(MissingDependencyError):
            self._board = EventLog(self._folder / TENSORBOARD / "monitor", epoch - 1)

    def _score(self, drawn: HaplotypeMatrix) -> dict[str, float]:
        """The scores of a set against the validation rows; NaN where one cannot be computed."""
        truth, seed = self._truth, self._seed
        found = dict.fromkeys(SCORES, math.nan)
        p, q = allele_frequencies(truth), allele_frequencies(drawn)
        for name, highest in (("af_r", 1.0), ("af_r_low", LOW_FREQUENCY)):
            with suppress(ValueError):  # no such sites, or all at one frequency
                found[name] = compare_allele_frequencies(p, q, highest=highest, seed=seed).r
        with suppress(ValueError):  # hardly any site varies
            found["ld_score"] = compare_ld(truth, drawn, seed=seed).score
        if self._components is not None:
            points = self._components.project(drawn)[:MAX_PCA_ROWS]
            found["pca_wasserstein"] = optimal_cost(self._components.coordinates[:MAX_PCA_ROWS], points)
        accuracy = adversarial_accuracy(truth, drawn, seed=seed)
        return found | {"aa_truth": accuracy.aa_truth, "aa_syn": accuracy.aa_syn}


def _part(cohort: HaplotypeMatrix, n: int, seed: int, stream: int) -> HaplotypeMatrix:
    """n seeded rows, in a seeded order."""
    return cohort.select_haplotypes(seeded_order(cohort.num_haplotypes, seed, stream)[:n])


def _qualities(scores: dict[str, float], control: dict[str, float]) -> dict[str, float]:
    """Five numbers from 0 to 1, 1 where as good as the control."""
    af = "af_r_low" if math.isfinite(control["af_r_low"]) else "af_r"
    found = {
        "af": _ratio(scores[af], control[af]),
        "ld": _ratio(scores["ld_score"], control["ld_score"]),
        "pca": _ratio(control["pca_wasserstein"], scores["pca_wasserstein"]),
    }
    for name in ("aa_truth", "aa_syn"):
        usual = control[name]
        found[name] = 1 - abs(scores[name] - usual) / max(usual, 1 - usual)
    return {name: min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0 for name, value in found.items()}


def _ratio(value: float, whole: float) -> float:
    return value / whole if whole > 0 else math.nan


def _plain(scores: dict[str, float]) -> dict[str, float | None]:
    return {name: value if math.isfinite(value) else None for name, value in scores.items()}

"""Training whatever the model: epochs, run folder, log, resumption, interruption. Knows no model."""

from __future__ import annotations

import dataclasses
import hashlib
import math
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, Self

from hapforge.haplotypes import HaplotypeMatrix, check_seed
from hapforge.models import _store
from hapforge.models._model import Model, check_data
from hapforge.models._run import Run


@dataclass(frozen=True)
class TrainingState:
    """What a callback is told after every epoch; a truthy answer ends training there.

    Attributes
    ----------
    epoch : int, epochs done
    num_epochs : int, epochs planned
    seconds : float, spent on training so far, over all interruptions
    metrics : dict, the epoch's line of the log
    model : Model, which can be sampled as it is
    """

    epoch: int
    num_epochs: int
    seconds: float
    metrics: dict[str, float]
    model: Model


class Diverged(ValueError):
    """Training does not converge; the loop adds where the last good checkpoint is."""


class Learner(Protocol):
    """What is trained: the parameters, what else changes with them, and how an epoch changes it all.

    The same state, seed and epoch give the same next state, on any number of threads.
    """

    def tensors(self) -> _store.Tensors:
        """All that changes with training: a checkpoint."""

    def restore(self, tensors: _store.Tensors) -> None:
        """Take what `tensors` gave."""

    def epoch(self, epoch: int) -> dict[str, float]:
        """Train for one epoch, the first is 1; what to log. `Diverged` where nothing good can come any more."""

    def snapshot(self) -> _store.Tensors:
        """The tensors of the model as it is now."""


class TrainedModel(Model):
    """A model that is trained by epochs; `config.epochs` of them.

    A subclass gives `_learner`, which checks what is its own to check and holds what training needs while it is open.
    """

    def fit(
        self,
        H: HaplotypeMatrix,
        *,
        seed: int = 0,
        validation: HaplotypeMatrix | None = None,
        callback: Callable[[TrainingState], Any] | None = None,
        device: str = "auto",
        run: str | os.PathLike[str] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        checkpoint_every: int = 10,
        notes: Mapping[str, Any] | None = None,
    ) -> Self:
        """Train.

        Parameters
        ----------
        H : the training cohort
        seed : int in [0, 2**64)
        validation : a cohort with the same sites, by person apart from H; what the model says of it is logged beside
            what it says of training rows (overfitting shows as a growing gap); it never touches the weights
        callback : called with a `TrainingState` after every epoch; a truthy answer ends training there
        device : "auto" (CUDA where there is one), "cpu", "cuda"
        run : folder for checkpoints, log and, at the end, the model; None keeps everything in memory
        resume : whether to go on from the checkpoint in `run`; the result is that of an uninterrupted run
        overwrite : whether a run or model that is in `run` is replaced
        checkpoint_every : int, epochs
        notes : plain values that ``run.json`` keeps as they are (where the data came from ...)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Nothing to fit, a bad argument, a run folder of something else; training that diverges, with the model as
            it was an epoch before, and the last checkpoint left in `run`.
        """
        check_data(H)
        self._prepare(H)
        seed, folder = open_run(
            self,
            H,
            seed=seed,
            validation=validation,
            run=run,
            resume=resume,
            overwrite=overwrite,
            checkpoint_every=checkpoint_every,
            notes=notes,
            identity=self._identity(H),
        )
        with self._learner(H, seed, validation, device) as learner:
            self._describe_training(H, seed)
            _train(self, learner, self.config.epochs, folder, resume, checkpoint_every, callback)
        self._conclude(H, validation, seed)
        if folder is not None:
            folder.finish(self)
        return self

    def _prepare(self, H: HaplotypeMatrix) -> None:
        """Choose what of the config is left to the data."""

    def _conclude(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        """Choose how to draw, once the parameters are there."""

    def _identity(self, H: HaplotypeMatrix) -> dict[str, Any]:
        """What of the training cohort matters beside its haplotypes, for a resumed run to have the same."""
        return {}

    def planned_epochs(self, H: HaplotypeMatrix) -> int:
        """Epochs that `fit` takes for a cohort."""
        epochs: int = self.config.epochs
        return epochs

    @abstractmethod
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> AbstractContextManager[Learner]:
        """The learner at its start."""


def open_run(
    model: Model,
    H: HaplotypeMatrix,
    *,
    seed: int,
    validation: HaplotypeMatrix | None,
    run: str | os.PathLike[str] | None,
    resume: bool,
    overwrite: bool,
    checkpoint_every: int,
    notes: Mapping[str, Any] | None,
    identity: Mapping[str, Any] | None = None,
) -> tuple[int, Run | None]:
    """The seed and the run folder, where there is one, of a training whose arguments are all right."""
    check_data(H)
    seed = check_seed(seed)
    if checkpoint_every < 1:
        raise ValueError(f"checkpoint_every: expected 1 or more, found {checkpoint_every}")
    if validation is not None and validation.num_sites != H.num_sites:
        raise ValueError(f"validation: expected {H.num_sites} sites, as in H, found {validation.num_sites}")
    if resume and run is None:
        raise ValueError("resume: expected a run folder to resume from, found run=None")
    record = {
        "model": model.name,
        "seed": seed,
        "data_sha256": H.sha256(),
        **(identity or {}),
        "config": dataclasses.asdict(model.config),
    }
    return seed, None if run is None else Run(run, record, notes or {}, resume=resume, overwrite=overwrite)


def _train(
    model: Model,
    learner: Learner,
    epochs: int,
    folder: Run | None,
    resume: bool,
    checkpoint_every: int,
    callback: Callable[[TrainingState], Any] | None,
) -> None:
    first_epoch, seconds = 0, 0.0
    found = folder.load_checkpoint() if folder is not None and resume else None
    if found is not None:
        tensors, state = found
        first_epoch, seconds = int(state["epoch"]), float(state["seconds"])
        learner.restore(tensors)
    elif folder is not None:
        folder.start(learner.tensors())
    model._restore(learner.snapshot())
    epoch, checked = first_epoch, first_epoch

    def save_checkpoint() -> None:
        nonlocal checked
        if folder is not None and checked != epoch:
            folder.save_checkpoint(learner.tensors(), {"epoch": epoch, "seconds": seconds})
            checked = epoch

    for epoch in range(first_epoch + 1, epochs + 1):
        start = time.perf_counter()
        try:
            metrics = learner.epoch(epoch)
            if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
                raise Diverged(f"{bad[0]}: expected a finite number in epoch {epoch}, found {metrics[bad[0]]}")
        except Diverged as error:
            kept = "" if folder is None else f"; {folder.folder} keeps the checkpoint of epoch {checked}"
            raise ValueError(f"{error}{kept}") from None
        model._restore(learner.snapshot())
        seconds += time.perf_counter() - start
        if folder is not None:
            folder.log({"epoch": epoch, "seconds": round(seconds, 3), **metrics})
            if epoch % checkpoint_every == 0:
                save_checkpoint()
        try:
            if callback is not None and callback(TrainingState(epoch, epochs, seconds, metrics, model)):
                break
        except KeyboardInterrupt:
            save_checkpoint()
            raise
    save_checkpoint()
    model.training |= {"epochs_done": epoch, "seconds": round(seconds, 3)}


def stream_seed(seed: int, *path: int | str) -> int:
    """A 64-bit seed for one purpose: SHA-256 of the seed and the path (a name, an epoch, a step ...)."""
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")

"""Training whatever the model: epochs, run folder, log, resumption, interruption, several processes. Knows no model.

Several processes (``torchrun``) train one model by what `hapforge.models._ranks` offers, for which a learner takes
`meet()` where it shares out its rows.
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import math
import os
import time
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix, check_seed
from hapforge.io.event_log import check_tensorboard
from hapforge.models import _store
from hapforge.models._model import Model, check_data
from hapforge.models._ranks import ALONE, Ranks, meet
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

    def histograms(self) -> dict[str, NDArray[Any]]:
        """Values whose distribution says how training goes, by name."""


class TrainedModel(Model):
    """A model that is trained by epochs; `config.epochs` of them.

    A subclass gives `_learner`, which checks what is its own to check and holds what training needs while it is open.

    Attributes
    ----------
    SEARCH : {setting: (least, most)}, as multiples of what `fit` takes on its own for a cohort: the space that
        ``hapforge tune`` searches, on a logarithmic scale, where it is told no other
    """

    FITTING: ClassVar[dict[str, tuple[type, Any]]] = {"tensorboard_every": (int, 0)}
    SHARED: ClassVar[bool] = True
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {"learning_rate": (0.1, 10.0)}

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
        tensorboard_every: int = 0,
        notes: Mapping[str, Any] | None = None,
    ) -> Self:
        """Train.

        Processes that ``torchrun`` has launched train one model together, if all of them call this with the same
        arguments: each computes its part of every batch. All have the model at the end; the first alone has the run
        folder and calls back. See `hapforge.models._ranks`.

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
        tensorboard_every : int, epochs between histograms for TensorBoard (of an RBM all singular values of W), which
            then has the log, too, in ``tensorboard/train`` of `run`; 0: none of it
        notes : plain values that ``run.json`` keeps as they are (where the data came from ...)

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Nothing to fit, a bad argument, a run folder of something else; training that diverges, with the model as
            it was an epoch before, and the last checkpoint left in `run`. Processes that differ in what they train on
            or, where they compute otherwise, in its result.
        ChildProcessError
            Another process has ended; the run can be resumed by any number of them.
        MissingDependencyError
            tensorboard is not installed.
        """
        check_data(self, H)
        ranks = meet()
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
            tensorboard_every=tensorboard_every,
            ranks=ranks,
        )
        with folder or nullcontext():
            with ExitStack() as stack:
                before = dict(vars(self))
                try:
                    learner = stack.enter_context(self._learner(H, seed, validation, device))
                except BaseException:
                    vars(self).clear()  # a model that was fitted before stays as it was
                    vars(self).update(before)
                    raise
                self._describe_training(H, seed)
                _train(
                    self,
                    learner,
                    self.config.epochs,
                    folder,
                    resume,
                    checkpoint_every,
                    tensorboard_every,
                    callback,
                    ranks,
                )
            if ranks.is_first:
                best = None if folder is None else folder.kept_best()
                if best is not None:
                    self._conclude_kept(best, H, validation, seed)
                self._conclude(H, validation, seed)
                if folder is not None:
                    folder.finish(self)
        if ranks.count > 1:
            told = ranks.told({"config": dataclasses.asdict(self.config), "training": self.training})
            self.config, self.training = type(self.config)(**told["config"]), told["training"]
        return self

    def _conclude_kept(self, best: Path, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        """Choose how the best model draws, which a monitor has kept, as the last one's draws are chosen."""
        description, tensors = _store.read_model(best)
        kept = copy.copy(self)
        kept.training = dict(description["training"])
        kept._restore(tensors)
        kept._conclude(H, validation, seed)
        _store.replace_description(best, kept._description())

    def _prepare(self, H: HaplotypeMatrix) -> None:
        """Choose what of the config is left to the data."""

    def _conclude(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        """Choose how to draw, once the parameters are there."""

    def _identity(self, H: HaplotypeMatrix) -> dict[str, Any]:
        """What of the training cohort matters beside its haplotypes, for a resumed run to have the same."""
        return {}

    def planned_epochs(self, H: HaplotypeMatrix) -> int:
        """Epochs that `fit` takes for a cohort."""
        self._prepare(H)
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
    tensorboard_every: int = 0,
    ranks: Ranks = ALONE,
) -> tuple[int, Run | None]:
    """The seed and the run folder, where there is one and this is the first process, of a training that can begin."""
    check_data(model, H)
    seed = check_seed(seed)
    for name, value, least in (("checkpoint_every", checkpoint_every, 1), ("tensorboard_every", tensorboard_every, 0)):
        if value < least:
            raise ValueError(f"{name}: expected {least} or more, found {value}")
    if tensorboard_every and run is None:
        raise ValueError("tensorboard_every: expected a run folder to write to, found run=None")
    if tensorboard_every:
        check_tensorboard()
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
    if ranks.count > 1:
        for key, value in ranks.told(record).items():
            other = ranks.first_not(record.get(key) == value)
            if other is not None:
                raise ValueError(f"torchrun: expected the same {key} in all processes, found another in number {other}")
    if run is None or not ranks.is_first:
        return seed, None
    return seed, Run(run, record, notes or {}, resume=resume, overwrite=overwrite)


def _train(
    model: Model,
    learner: Learner,
    epochs: int,
    folder: Run | None,
    resume: bool,
    checkpoint_every: int,
    tensorboard_every: int,
    callback: Callable[[TrainingState], Any] | None,
    ranks: Ranks,
) -> None:
    first_epoch, seconds, enough = 0, 0.0, False
    found = folder.load_checkpoint() if folder is not None and resume else None
    if found is not None:
        tensors, state = found
        first_epoch, seconds = int(state["epoch"]), float(state["seconds"])
        enough = bool(state.get("enough", False))
        learner.restore(tensors)
    elif folder is not None:
        folder.start(learner.tensors())
    if folder is not None and tensorboard_every:
        folder.show(tensorboard_every, first_epoch)
    if ranks.count > 1:  # all begin as the first
        first_epoch, seconds, enough = ranks.told([first_epoch, seconds, enough])
        learner.restore(ranks.arrays_of_first(learner.tensors()))
    model._restore(learner.snapshot())
    epoch, checked = first_epoch, first_epoch

    def save_checkpoint() -> None:
        nonlocal checked
        if folder is not None and checked != epoch:
            folder.save_checkpoint(learner.tensors(), {"epoch": epoch, "seconds": round(seconds, 6), "enough": enough})
            checked = epoch

    with _says_what_is_kept(folder, lambda: checked):
        for epoch in range(first_epoch + 1, first_epoch + 1 if enough else epochs + 1):
            start = time.perf_counter()
            try:
                metrics = learner.epoch(epoch)
                if bad := [name for name, value in metrics.items() if not math.isfinite(value)]:
                    raise Diverged(f"{bad[0]}: expected a finite number in epoch {epoch}, found {metrics[bad[0]]}")
            except Diverged as error:
                kept = "" if folder is None else f"; {folder.folder} keeps the checkpoint of epoch {checked}"
                raise Diverged(f"{error}{kept}") from error
            model._restore(learner.snapshot())
            model.training["epochs_done"] = epoch  # a callback may save it
            seconds += time.perf_counter() - start
            if folder is not None:
                folder.log({"epoch": epoch, "seconds": round(seconds, 3), **metrics}, learner.histograms)
            try:  # before the checkpoint: what the callback has written of an epoch is there where its checkpoint is
                if callback is not None and ranks.is_first:
                    enough = bool(callback(TrainingState(epoch, epochs, seconds, metrics, model)))
            except KeyboardInterrupt:
                save_checkpoint()
                raise
            enough = ranks.told(enough)
            if enough:
                break
            if epoch % checkpoint_every == 0:
                ranks.check_same(model._tensors())
                save_checkpoint()
        ranks.check_same(model._tensors())
        save_checkpoint()
    model.training |= {"epochs_done": epoch, "seconds": round(seconds, 3)}


@contextmanager
def _says_what_is_kept(run: Run | None, checkpoint: Callable[[], int]) -> Iterator[None]:
    """Errors of the system, such as a full disk, with the checkpoint that a run can go on from."""
    try:
        yield
    except OSError as error:
        if run is None or error.errno is None:
            raise
        kept = f"{error.strerror}; {run.folder} keeps the checkpoint of epoch {checkpoint()} (--resume goes on from it)"
        raise OSError(error.errno, kept, error.filename) from error


def stream_seed(seed: int, *path: int | str) -> int:
    """A 64-bit seed for one purpose: SHA-256 of the seed and the path (a name, an epoch, a step ...)."""
    text = "/".join(str(part) for part in (seed, *path))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")

"""Run folders: what is trained on what, checkpoints, a log and, at the end, the model.

A run folder holds

- ``run.json``: what is trained on what (model, config, seed, SHA-256 of the data);
- ``checkpoint/``: ``state-EPOCH.safetensors`` and ``state.json``, which has its epoch and SHA-256 and whose replacement
  is what makes a checkpoint the last one: killed at any moment, there is the one before or the one after;
- ``train.jsonl``: a line of JSON per epoch, each with a checksum of itself; the last one may be torn;
- ``tensorboard/train/``, where it is asked for: the same numbers, and histograms;
- ``model.json`` and ``weights.safetensors`` once training has ended (the checkpoint then goes);
- ``report.html``, where ``hapforge train`` wrote it: the log as curves (`report.training`);
- ``windows/``: a run folder for each window of a chain, which itself has neither checkpoint nor log.

The folder itself is locked (flock) while it is trained in, which leaves no file behind. A lock goes with its process;
where the file system has none, there is none.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from numpy.typing import NDArray

from hapforge.errors import FormatError
from hapforge.io.atomic import atomic_file, check_room, lock_folder, sha256_file, sync_file
from hapforge.io.event_log import EventLog
from hapforge.models import _store
from hapforge.models._model import Model

RUN_FORMAT, RUN_FORMAT_VERSION = "hapforge-run", 1
_TENSORS = "state-{}.safetensors"


class Run:
    """A run folder, locked from when it is there until this is closed (as a context).

    Parameters
    ----------
    folder : path; made by `start` where it is not there
    record : dict, what is trained on what; a resumed run must have the same
    notes : more to write down, which a resumed run need not share
    resume : whether to go on from the checkpoint in the folder
    overwrite : whether `start` removes a run or model that is in the folder (and nothing else in it)

    Raises
    ------
    ValueError
        Resuming a run with another record (the message says what differs) or one that has ended; starting one in a
        folder that holds something else, or without `overwrite` anything; a folder that another process trains in.
    FormatError
        Resuming where there is no run.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        record: dict[str, Any],
        notes: Mapping[str, Any],
        *,
        resume: bool,
        overwrite: bool,
    ) -> None:
        self.folder = Path(folder)
        self._events: EventLog | None = None
        self._record = {"format": RUN_FORMAT, "format_version": RUN_FORMAT_VERSION, **record, "notes": dict(notes)}
        self._lock: int | None = None
        self._is_new = not self.folder.exists()
        if self.folder.is_dir():
            self._take_lock()
        try:
            self._check(record, resume, overwrite)
        except BaseException:
            self.close()
            raise

    def _check(self, record: dict[str, Any], resume: bool, overwrite: bool) -> None:
        if resume:
            self._check_same(read_run(self.folder), record)
            if (self.folder / _store.DESCRIPTION).exists():
                self._drop_checkpoint()  # of a run that was killed between its end and this
                raise ValueError(f"{self.folder}: expected an interrupted run, found one that has ended")
            for left in _store.leftovers(self.folder):
                left.unlink()
            return
        empty = not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir()))
        if not empty and not (overwrite and _store.is_ours(self.folder)):
            what = "a run folder or nothing there" if overwrite else "a new or empty folder for a run"
            raise ValueError(f"{self.folder}: expected {what}, found something else")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the lock back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def _take_lock(self) -> None:
        try:
            self._lock = lock_folder(self.folder)
        except BlockingIOError:
            expected = "a run folder that no other process trains in"
            raise ValueError(f"{self.folder}: expected {expected}, found one in use") from None

    def start(self, tensors: _store.Tensors | None) -> None:
        """Begin: the old run goes, the folder becomes a run, the first checkpoint is written.

        Parameters
        ----------
        tensors : of the checkpoint; None: the run has none, its parts have (a chain's windows)

        Raises
        ------
        OSError
            No room for two checkpoints, of which the new one is written before the old one goes; nothing has changed.
        """
        if tensors is not None:
            before = sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())
            check_room(self.folder, 2 * sum(array.nbytes for array in tensors.values()) - before)
        if self._is_new:
            try:
                self.folder.mkdir()
            except FileExistsError:
                expected = "a new folder for a run"
                raise ValueError(f"{self.folder}: expected {expected}, found one that was made meanwhile") from None
            self._is_new = False
            self._take_lock()
        _store.remove_run(self.folder)
        _store.write_sealed(self.folder / _store.RUN_DESCRIPTION, self._record)
        if tensors is not None:
            self.save_checkpoint(tensors, {"epoch": 0, "seconds": 0.0})

    def show(self, every: int, epoch: int) -> None:
        """From here on, write the log to TensorBoard, too, from after `epoch`; histograms every so many epochs.

        Raises
        ------
        MissingDependencyError
            tensorboard is not installed.
        """
        self._events = EventLog(self.folder / _store.TENSORBOARD / "train", epoch)
        self._histograms_every = every

    def _check_same(self, before: dict[str, Any], now: dict[str, Any]) -> None:
        def flat(record: dict[str, Any]) -> dict[str, Any]:
            return {**{k: v for k, v in record.items() if k != "config"}, **record.get("config", {})}

        old, new = flat(before), flat(now)
        for key in new:
            if old.get(key) != new[key]:
                raise ValueError(
                    f"{self.folder}: expected to resume with the same {key}, {old.get(key)!r}, found {new[key]!r}"
                )

    def save_checkpoint(self, tensors: _store.Tensors, state: dict[str, Any]) -> None:
        """Replace the checkpoint, whole or not at all. state: ``epoch``, an int, and more plain values.

        The log is on the disk before: where there is a checkpoint, there are the lines up to it.
        """
        if (self.folder / _store.LOG).exists():
            sync_file(self.folder / _store.LOG)
        folder = self.folder / _store.CHECKPOINT
        folder.mkdir(exist_ok=True)
        tensors_file = folder / _TENSORS.format(state["epoch"])
        with atomic_file(tensors_file) as part:
            _store.write_tensors(part, tensors)
        _store.write_sealed(folder / _store.STATE, {**state, "sha256": sha256_file(tensors_file)})
        for path in folder.iterdir():  # the checkpoint before, and what one that was killed has left
            if path.name not in (tensors_file.name, _store.STATE):
                path.unlink()

    def load_checkpoint(self) -> tuple[_store.Tensors, dict[str, Any]] | None:
        """Tensors and state of the checkpoint, None where nothing was trained; log lines of later epochs go.

        Raises
        ------
        FormatError, ChecksumError
            No checkpoint, or a damaged one; a damaged line of the log up to it. (Without the log it goes, too.)
        """
        folder = self.folder / _store.CHECKPOINT
        if not (folder / _store.STATE).is_file():
            if (self.folder / _store.LOG).exists():
                raise FormatError(self.folder, "a checkpoint to resume from", "none")
            return None
        state = _store.read_json(folder / _store.STATE)
        _store.check_seal(folder / _store.STATE, state)
        tensors = _store.read_tensors(folder / _TENSORS.format(int(state["epoch"])), str(state.get("sha256")))
        log = self.folder / _store.LOG
        if log.exists():
            epochs = int(state["epoch"])
            entries, _ = read_log(self.folder, epochs)
            if len(entries) < epochs:
                raise FormatError(log, f"lines of {epochs} epochs, as the checkpoint", f"{len(entries)}")
            _store.write_sealed_lines(log, entries)
        return tensors, state

    def log(self, entry: dict[str, Any], histograms: Callable[[], dict[str, NDArray[Any]]]) -> None:
        """Append an epoch's line; `histograms` are computed where TensorBoard is to have them."""
        _store.append_sealed(self.folder / _store.LOG, entry)
        if self._events is not None:
            epoch, shown = entry["epoch"], {name: value for name, value in entry.items() if name != "epoch"}
            self._events.add(epoch, shown, {} if epoch % self._histograms_every else histograms())

    def kept_best(self) -> Path | None:
        """The folder of the best model, where a monitor has kept one."""
        best = self.folder / _store.BEST
        return best if (best / _store.DESCRIPTION).is_file() else None

    def finish(self, model: Model) -> None:
        """Save the model; the checkpoint has served."""
        model.save(self.folder)
        self._drop_checkpoint()

    def _drop_checkpoint(self) -> None:
        shutil.rmtree(self.folder / _store.CHECKPOINT, ignore_errors=True)


def read_log(folder: Path, most: int | None = None) -> tuple[list[dict[str, Any]], bool]:
    """The training log of a run folder: its lines, of epochs 1, 2 ..., and whether the last one is torn (and left out).

    Parameters
    ----------
    most : int, lines to read; None: all

    Raises
    ------
    FormatError, ChecksumError
        A line that is damaged, or not of the epoch after that of the line before.
    """
    log = folder / _store.LOG
    entries, torn = _store.read_sealed_lines(log, most)
    for number, entry in enumerate(entries, 1):
        if entry.get("epoch") != number:
            raise FormatError(log, f"the line of epoch {number}", f"that of {entry.get('epoch')}", f"line {number}")
    return entries, torn


def read_run(folder: Path) -> dict[str, Any]:
    """The record of a run folder.

    Raises
    ------
    FormatError
        No run in the folder.
    """
    path = folder / _store.RUN_DESCRIPTION
    if not path.is_file():
        raise FormatError(folder, "a run folder", f"no {_store.RUN_DESCRIPTION}")
    record = _store.read_json(path)
    if record.get("format") != RUN_FORMAT or record.get("format_version") != RUN_FORMAT_VERSION:
        raise FormatError(path, f"{RUN_FORMAT!r} version {RUN_FORMAT_VERSION}", "another")
    _store.check_seal(path, record)
    return {key: value for key, value in record.items() if key not in ("format", "format_version")}

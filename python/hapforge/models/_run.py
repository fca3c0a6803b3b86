"""Run folders: what is trained on what, checkpoints, a log and, at the end, the model.

A run folder holds

- ``run.json``: what is trained on what (model, config, seed, SHA-256 of the data);
- ``checkpoint/``: ``state.json`` and ``state.safetensors`` after some epoch, replaced as a whole;
- ``train.jsonl``: a line per epoch;
- ``model.json`` and ``weights.safetensors`` once training has ended (the checkpoint then goes).
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hapforge.errors import FormatError
from hapforge.io.atomic import atomic_file, atomic_folder, sha256_file
from hapforge.models import _store
from hapforge.models._model import Model

RUN_FORMAT, RUN_FORMAT_VERSION = "hapforge-run", 1
_TENSORS = "state.safetensors"


class Run:
    """A run folder.

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
        folder that holds something else, or without `overwrite` anything.
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
        self._record = {"format": RUN_FORMAT, "format_version": RUN_FORMAT_VERSION, **record, "notes": dict(notes)}
        if resume:
            self._check_same(read_run(self.folder), record)
            if (self.folder / _store.DESCRIPTION).exists():
                raise ValueError(f"{self.folder}: expected an interrupted run, found one that has ended")
            for left in self.folder.glob(f".{_store.CHECKPOINT}.*"):  # by one that was killed
                shutil.rmtree(left, ignore_errors=True)
            return
        empty = not self.folder.exists() or (self.folder.is_dir() and not any(self.folder.iterdir()))
        if not empty and not (overwrite and _store.is_ours(self.folder)):
            what = "a run folder or nothing there" if overwrite else "a new or empty folder for a run"
            raise ValueError(f"{self.folder}: expected {what}, found something else")

    def start(self, tensors: _store.Tensors) -> None:
        """Begin: the old run goes, the first checkpoint is written, and last what makes the folder a run."""
        _store.remove_run(self.folder)
        self.folder.mkdir(exist_ok=True)
        self.save_checkpoint(tensors, {"epoch": 0, "seconds": 0.0})
        with atomic_file(self.folder / _store.RUN_DESCRIPTION) as part:
            part.write_text(json.dumps(self._record, indent=2) + "\n", encoding="utf-8")

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
        """Replace the checkpoint, whole or not at all."""
        with atomic_folder(self.folder / _store.CHECKPOINT) as part:
            _store.write_tensors(part / _TENSORS, tensors)
            described = {**state, "sha256": sha256_file(part / _TENSORS)}
            (part / _store.STATE).write_text(json.dumps(described) + "\n", encoding="utf-8")

    def load_checkpoint(self) -> tuple[_store.Tensors, dict[str, Any]]:
        """Tensors and state of the checkpoint; log lines of later epochs are dropped."""
        folder = self.folder / _store.CHECKPOINT
        if not (folder / _store.STATE).is_file():
            raise FormatError(self.folder, "a checkpoint to resume from", "none")
        state = _store.read_json(folder / _store.STATE)
        tensors = _store.read_tensors(folder / _TENSORS, str(state.get("sha256")))
        log = self.folder / _store.LOG
        if log.exists():
            lines = [line for line in log.read_text(encoding="utf-8").splitlines() if line.endswith("}")]
            with atomic_file(log) as part:
                kept = (line for line in lines if json.loads(line)["epoch"] <= state["epoch"])
                part.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        return tensors, state

    def log(self, entry: dict[str, Any]) -> None:
        """Append one line of JSON."""
        with open(self.folder / _store.LOG, "a", encoding="utf-8") as handle:
            handle.write(json.dumps(entry) + "\n")

    def finish(self, model: Model) -> None:
        """Save the model; the checkpoint has served."""
        model.save(self.folder)
        shutil.rmtree(self.folder / _store.CHECKPOINT, ignore_errors=True)


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
    if record.pop("format", None) != RUN_FORMAT or record.pop("format_version", None) != RUN_FORMAT_VERSION:
        raise FormatError(path, f"{RUN_FORMAT!r} version {RUN_FORMAT_VERSION}", "another")
    return record

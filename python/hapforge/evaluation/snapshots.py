"""The model at chosen ages of its training: a callback that keeps it, and what reads it again."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hapforge.errors import FormatError
from hapforge.evaluation.monitor import State

SNAPSHOTS = "snapshots"


class Snapshots:
    """Callback for ``fit(callback=)`` that saves the model, as it is after chosen epochs, to FOLDER/snapshots/EPOCH.

    A resumed run writes those of the epochs that it repeats again, to the same bytes.

    Parameters
    ----------
    folder : the run folder
    epochs : int >= 1 each

    Raises
    ------
    ValueError
        No epoch, or one below 1.
    """

    def __init__(self, folder: str | os.PathLike[str], epochs: Iterable[int]) -> None:
        self._folder, self.epochs = Path(folder) / SNAPSHOTS, sorted(set(epochs))
        if not self.epochs or self.epochs[0] < 1:
            raise ValueError(f"snapshots: expected epochs of 1 or more, found {self.epochs}")

    def __call__(self, state: State) -> bool:
        """Save where it is time to; training goes on."""
        if state.epoch in self.epochs:
            self._folder.mkdir(exist_ok=True)
            state.model.save(self._folder / str(state.epoch), overwrite=True)
        return False


def load_snapshots(run: str | os.PathLike[str]) -> dict[int, Any]:
    """The snapshots of a run by their epoch, rising; none where it kept none.

    Raises
    ------
    FormatError, ChecksumError
        A snapshot that is not what was written, or a folder among them that is none.
    """
    from hapforge import models

    folder = Path(run) / SNAPSHOTS
    if not folder.is_dir():
        return {}
    found = {}
    for path in folder.iterdir():
        if path.name.startswith("."):  # what one that was killed has left
            continue
        if not path.name.isdecimal():
            raise FormatError(path, "a snapshot, named by its epoch", path.name)
        found[int(path.name)] = models.load(path)
    return dict(sorted(found.items()))

"""TensorBoard event files: scalars and histograms by step, in a file that can be gone on with."""

from __future__ import annotations

import importlib.util
import os
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.io.atomic import atomic_file, explained, output_of

_FILE = "events.out.tfevents.hapforge"


class EventLog:
    """The event file of a folder, which is made where it is not there.

    What the file has of steps after `last_step` goes, and so does an event that is not whole: steps that are trained
    again are not there twice. Each event is written through at once.

    Parameters
    ----------
    folder : path
    last_step : int, the last step to keep of what is there

    Raises
    ------
    MissingDependencyError
        tensorboard is not installed.
    """

    def __init__(self, folder: str | os.PathLike[str], last_step: int) -> None:
        check_tensorboard()
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.summary.writer.record_writer import RecordWriter

        self._event, self._writer = Event, RecordWriter
        self._path = Path(folder) / _FILE
        kept = [event for event in events(self._path) if event.step <= last_step] if self._path.exists() else []
        self._path.parent.mkdir(parents=True, exist_ok=True)
        for left in list(self._path.parent.iterdir()):
            if output_of(left.name) == _FILE:  # TensorBoard would read it
                left.unlink()
        with atomic_file(self._path) as part, open(part, "wb") as handle:
            writer = RecordWriter(handle)
            for event in kept or [Event(wall_time=time.time(), file_version="brain.Event:2")]:
                writer.write(event.SerializeToString())

    def add(
        self, step: int, scalars: dict[str, float], histograms: dict[str, NDArray[np.floating[Any]]] | None = None
    ) -> None:
        """One event of a step: numbers by their names, and values whose distribution is shown."""
        from tensorboard.plugins.histogram.summary_v2 import histogram_pb
        from tensorboard.plugins.scalar.summary_v2 import scalar_pb

        event = self._event(wall_time=time.time(), step=step)
        for name, value in scalars.items():
            event.summary.value.extend(scalar_pb(name, value).value)
        for name, values in (histograms or {}).items():
            event.summary.value.extend(histogram_pb(name, values).value)
        with explained(self._path), open(self._path, "ab") as handle:
            self._writer(handle).write(event.SerializeToString())


def check_tensorboard() -> None:
    """MissingDependencyError where tensorboard is not installed."""
    if importlib.util.find_spec("tensorboard") is None:
        raise MissingDependencyError("tensorboard", "train")


def events(path: Path) -> list[Any]:
    """The whole events of a file."""
    from tensorboard.backend.event_processing.event_file_loader import EventFileLoader

    return list(EventFileLoader(str(path)).Load())

"""Windows of a chain trained side by side, each in a process and a run folder of its own.

Processes are started afresh (never forked) as ``python -m hapforge.models._window_worker`` and spoken to in lines of
JSON; a window's haplotypes reach its process as a file. A process ends as soon as this one is gone.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeAlias

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.io.atomic import atomic_file
from hapforge.models import _store
from hapforge.models._conditional import ConditionalRBM
from hapforge.models._training import TrainingState, stream_seed
from hapforge.models._windows import Window

GO, ENOUGH, STOP = "go", "enough", "stop"
"""Answers to an epoch that is done: the next one, the window ends here, save a checkpoint and end the process."""


class WindowTraining:
    """How the windows of one chain are trained.

    Parameters
    ----------
    H, validation : the whole cohort, and another that is only looked at
    windows : all windows
    settings : of `ConditionalRBM`, but for num_pinned
    seed, device, checkpoint_every, tensorboard_every : as in `CRBM.fit`
    folder : in which every window has its run folder; None: all in memory
    callback : callback(number of a window, epoch, metrics) -> whether that window's training ends there
    """

    def __init__(
        self,
        H: HaplotypeMatrix,
        validation: HaplotypeMatrix | None,
        windows: list[Window],
        settings: dict[str, Any],
        *,
        seed: int,
        device: str,
        checkpoint_every: int,
        tensorboard_every: int,
        folder: Path | None,
        callback: Callable[[int, int, dict[str, float]], bool],
    ) -> None:
        self._H, self._validation, self._windows, self._settings = H, validation, windows, settings
        self._seed, self._device = seed, device
        self._checkpoint_every, self._tensorboard_every = checkpoint_every, tensorboard_every
        self._folder, self._callback = folder, callback

    def here(self, number: int) -> ConditionalRBM:
        """Train a window in this process."""

        def on_epoch(state: TrainingState) -> bool:
            return self._callback(number, state.epoch, state.metrics)

        return train_window(
            self._settings | {"num_pinned": self._windows[number].num_pinned},
            self._rows(self._H, number),
            None if self._validation is None else self._rows(self._validation, number),
            seed=window_seed(self._seed, number),
            run=None if self._folder is None else self._folder / window_name(number),
            device=self._device,
            checkpoint_every=self._checkpoint_every,
            tensorboard_every=self._tensorboard_every,
            callback=on_epoch,
        )

    def side_by_side(self, numbers: list[int], workers: int) -> None:
        """Train windows in processes, `workers` at a time; each has its share of the thread budget.

        Raises
        ------
        ValueError
            What a window's training raised.
        ChildProcessError
            A process that was killed, or failed otherwise.
        """
        pending = deque(numbers)
        events: _Events = queue.SimpleQueue()
        threads = max(1, _backend.get_threads() // workers)
        busy: set[_Worker] = set()
        try:
            for _ in range(min(workers, len(pending))):
                worker = _Worker(events, threads)
                busy.add(worker)
                worker.say(self._task(worker, pending.popleft()))
            while busy:
                worker, event = events.get()
                if worker not in busy:  # it has ended, having trained its last window
                    continue
                if event is None:
                    busy.discard(worker)
                    raise ChildProcessError(
                        f"window {worker.number}: expected its process to train it, found that it ended with status "
                        f"{worker.end()}; hapforge train --resume (resume=True) goes on"
                    )
                if "error" in event:
                    raise ValueError(f"window {worker.number}: {event['error']}")
                if "epoch" in event:
                    enough = self._callback(worker.number, event["epoch"], event["metrics"])
                    worker.say(ENOUGH if enough else GO)
                else:  # the window is trained
                    self._data(worker.number).unlink(missing_ok=True)
                    if pending:
                        worker.say(self._task(worker, pending.popleft()))
                    else:
                        busy.discard(worker)
                        worker.end()
        except BaseException:
            _stop(busy, events)
            raise
        finally:
            for worker in busy:
                worker.kill()
            for number in numbers:
                self._data(number).unlink(missing_ok=True)

    def _task(self, worker: _Worker, number: int) -> dict[str, Any]:
        """What a process needs to know about its next window, whose haplotypes are written for it."""
        assert self._folder is not None
        worker.number = number
        rows = self._rows(self._H, number)
        tensors: _store.Tensors = {"words": rows.words, **_store.sites_to_tensors(rows.sites)}
        if self._validation is not None:
            tensors["validation"] = self._rows(self._validation, number).words
        with atomic_file(self._data(number)) as path:
            _store.write_tensors(path, tensors)
        return {
            "settings": self._settings | {"num_pinned": self._windows[number].num_pinned},
            "data": str(self._data(number)),
            "seed": window_seed(self._seed, number),
            "run": str(self._folder / window_name(number)),
            "device": self._device,
            "checkpoint_every": self._checkpoint_every,
            "tensorboard_every": self._tensorboard_every,
        }

    def _data(self, number: int) -> Path:
        assert self._folder is not None
        return self._folder / f"{window_name(number)}.data"

    def _rows(self, H: HaplotypeMatrix, number: int) -> HaplotypeMatrix:
        part = H.select_sites(self._windows[number].sites)
        return HaplotypeMatrix(part.words, part.sites)  # whose rows they are is no matter of a window


def window_name(number: int) -> str:
    """Of a window's folder."""
    return f"{number:05d}"


def window_seed(seed: int, number: int) -> int:
    """Of a window, at training and at sampling."""
    return stream_seed(seed, "window", number)


def train_window(
    settings: dict[str, Any],
    H: HaplotypeMatrix,
    validation: HaplotypeMatrix | None,
    *,
    seed: int,
    run: Path | None,
    device: str,
    checkpoint_every: int,
    tensorboard_every: int,
    callback: Callable[[TrainingState], bool],
) -> ConditionalRBM:
    """Train a window from its beginning or, where its run folder has a checkpoint, from there."""
    resume = run is not None and (run / _store.RUN_DESCRIPTION).is_file()
    if run is not None and not resume:
        shutil.rmtree(run, ignore_errors=True)  # of a run that was killed before it began
    return ConditionalRBM(**settings).fit(
        H,
        seed=seed,
        validation=validation,
        callback=callback,
        device=device,
        run=run,
        resume=resume,
        checkpoint_every=checkpoint_every,
        tensorboard_every=tensorboard_every,
    )


_Events: TypeAlias = "queue.SimpleQueue[tuple[_Worker, dict[str, Any] | None]]"
"""Lines of processes; None where one has ended."""


class _Worker:
    """A process that trains windows, and the thread that hands its lines to the queue."""

    def __init__(self, events: _Events, threads: int) -> None:
        self.number, self.waits = -1, False
        self._line, theirs = socket.socketpair()  # as writing to a pipe nobody reads may end this process
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "hapforge.models._window_worker"],
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            env={
                **os.environ,
                "HAPFORGE_THREADS": str(threads),
                "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
            },
        )
        theirs.close()
        self._listener = threading.Thread(target=self._listen, args=(events,), daemon=True)
        self._listener.start()

    def _listen(self, events: _Events) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self.waits = True  # after every line it waits for an answer
            events.put((self, json.loads(line)))
        events.put((self, None))

    def say(self, message: dict[str, Any] | str) -> None:
        """Send a line; that the process is gone will be heard from its thread."""
        self.waits = False
        with suppress(BrokenPipeError, ConnectionResetError):
            self._line.sendall(json.dumps(message).encode() + b"\n", socket.MSG_NOSIGNAL)

    def end(self) -> int:
        """Exit status of a process that has ended, or ends as it has nothing to do."""
        assert self._process.stdout is not None
        self._line.close()
        status = self._process.wait()
        self._listener.join()
        self._process.stdout.close()
        return status

    def kill(self) -> None:
        """End the process wherever it is."""
        self._process.kill()
        self.end()


def _stop(busy: set[_Worker], events: _Events) -> None:
    """Let processes finish their epochs and save checkpoints; a second Ctrl-C ends the wait."""
    for worker in busy:
        if worker.waits:
            worker.say(STOP)
    while busy:
        worker, event = events.get()
        if event is not None:
            worker.say(STOP)
        elif worker in busy:
            busy.discard(worker)
            worker.end()

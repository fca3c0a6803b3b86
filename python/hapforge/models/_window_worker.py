"""A process that trains windows of a chain: ``python -m hapforge.models._window_worker``, for `_window_training` only.

A line of JSON on standard input is a window to train or the answer to an epoch, a line on standard output is an epoch
that is done, the end of a window, or an error in one line. It ends with its standard input: when whoever started it is
gone, at once and wherever it is; the checkpoint then is that of an earlier epoch.
"""

from __future__ import annotations

import hashlib
import json
import os
import queue
import signal
import sys
import threading
from pathlib import Path
from typing import Any

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.models import _store
from hapforge.models._training import TrainingState
from hapforge.models._window_training import ENOUGH, STOP, train_window


def main() -> None:
    """Train windows until told to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; whoever started this decides
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what anything else prints is no answer
    said: queue.SimpleQueue[Any] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(said,), daemon=True).start()

    def tell(message: dict[str, Any]) -> Any:
        answers.write(json.dumps(message) + "\n")
        answers.flush()
        return said.get()

    def on_epoch(state: TrainingState) -> bool:
        answer = tell({"epoch": state.epoch, "metrics": state.metrics})
        if answer == STOP:
            raise KeyboardInterrupt  # between epochs: training saves a checkpoint
        return bool(answer == ENOUGH)

    task = said.get()
    while task != STOP:
        try:
            _train(task, on_epoch)
        except KeyboardInterrupt:
            break
        except (ValueError, OSError) as error:
            said_of = f"{error.filename}: {error.strerror}" if isinstance(error, OSError) else str(error)
            task = tell({"error": said_of})
        else:
            task = tell({"done": True})
    os._exit(0)  # all is written; the listening thread would not let the interpreter end


def _train(task: dict[str, Any], on_epoch: Any) -> None:
    data = Path(task["data"])
    tensors = _store.read_tensors(data, hashlib.sha256(data.read_bytes()).hexdigest())
    sites = _store.sites_from_tensors(tensors)
    validation = tensors.get("validation")
    train_window(
        task["settings"],
        HaplotypeMatrix(tensors["words"], sites),
        None if validation is None else HaplotypeMatrix(validation, sites),
        seed=task["seed"],
        run=Path(task["run"]),
        device=task["device"],
        checkpoint_every=task["checkpoint_every"],
        tensorboard_every=task["tensorboard_every"],
        callback=on_epoch,
    )


def _listen(said: queue.SimpleQueue[Any]) -> None:
    for line in sys.stdin.buffer:
        said.put(json.loads(line))
    os._exit(1)


if __name__ == "__main__":
    main()

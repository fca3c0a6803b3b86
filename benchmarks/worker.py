"""One candidate of a benchmark, alone in its process; benchmarks/peers.py starts it and talks to it over pipes.

Imports the standard library and NumPy only, so that any interpreter that has the peer can run it. A line of JSON comes
in, a line of JSON goes out; what a peer prints goes to standard error.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def cpu_seconds() -> float:
    """Of this process, its threads, and the programs that it started and waited for."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def peak_memory_mb() -> int:
    """The most that this process held, or the largest of the programs that it ran."""
    status = Path("/proc/self/status").read_text().splitlines()
    own = next(int(line.split()[1]) for line in status if line.startswith("VmHWM"))
    return max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss) // 1024


def touch_memory(megabytes: int) -> None:
    """Touch as much memory as the candidate's last run has used, and give it back.

    A virtual machine's host takes back what the last candidate freed; who comes next would pay for getting it again.
    """
    np.ones(megabytes << 20, np.uint8)


def prepare(order: dict[str, Any]) -> tuple[Callable[[], Any], Callable[[Any], Any]]:
    """What is timed, and what makes a comparable answer of its result."""
    data = dict(order["scalars"])
    for name, path in order["arrays"].items():
        data[name] = np.load(path, mmap_mode="c").view(np.ndarray)
    names: dict[str, Any] = {}
    exec(compile(order["source"], order["function"], "exec"), names)
    made = names[order["function"]](data, order["threads"], **order["arguments"])
    return made if isinstance(made, tuple) else (made, lambda result: result)


def main() -> None:
    requests = sys.stdin
    replies = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run, answer = prepare(json.loads(requests.readline()))
    print(json.dumps({"ready": True}), file=replies, flush=True)
    peak = 0
    for line in requests:
        path = json.loads(line)["answer"]
        gc.collect()
        touch_memory(peak)
        start = time.perf_counter(), cpu_seconds()
        result = run()
        wall, cpu = time.perf_counter() - start[0], cpu_seconds() - start[1]
        peak = peak or peak_memory_mb()  # of the first run: what follows it adds its own
        if path is not None:
            np.save(path, np.asarray(answer(result)))
        del result
        print(json.dumps({"wall": wall, "cpu": cpu, "peak_memory_mb": peak}), file=replies, flush=True)


if __name__ == "__main__":
    main()

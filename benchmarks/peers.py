"""Candidates against each other, each in a process of its own.

Libraries disturb each other in one process (thread pools, allocators, CPU feature settings), so every candidate, ours
too, has a worker that is started once, is given the data as mapped files, and runs when told to. Rounds go over the
candidates in turn, so that a busy moment of the machine hits all alike. Answers are compared before any time is taken.
Times are CPU seconds of the worker, its threads and the programs it started, which a busy neighbour disturbs least;
wall seconds stand beside them. Read the ratios, not the times.

A peer may live in another virtual environment: ``HAPFORGE_PEER_PYTHONS`` names further interpreters, separated by
colons, and the first one that can import what the candidate needs runs it. A peer that is nowhere is reported as
absent.

A candidate is a function of (data, threads, ...) whose source text is sent to the worker: it imports what it uses
inside, does what is not to be timed, and returns the call to time, or that and a function that turns what the call
returns into the array to compare::

    def numkong_all_pairs(data, threads):
        import numkong

        octets = data["words"].view("uint8")
        return lambda: numkong.hammings_packed(octets, numkong.hammings_pack(octets, dtype="uint1"))

    entry = compare(
        "pairwise 5008 x 5008",
        {**backends("hamming", ours), "numkong": Candidate(numkong_all_pairs, ("numkong",))},
        {"words": packed.words, "num_sites": packed.num_sites},
        lambda answer: np.array_equal(answer, expected),
        threads=2,
    )
    write_results("hamming", [entry], versions("numkong"))
"""

from __future__ import annotations

import inspect
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from workloads import HERE

from hapforge import _backend

_THREAD_VARIABLES = (
    *("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "RAYON_NUM_THREADS"),
    *("NUMBA_NUM_THREADS", "HAPFORGE_THREADS"),
)
_WITHOUT = "import importlib.util, sys; sys.exit(not all(map(importlib.util.find_spec, sys.argv[1:])))"


@dataclass(frozen=True)
class Candidate:
    """Something that computes a workload's answer.

    Attributes
    ----------
    function : (data, threads, **arguments) -> call, or (call, its result -> array to compare); see the module
    modules : what its interpreter must be able to import
    programs : what must be on the PATH
    arguments : further keyword arguments of `function`, JSON values
    rounds : timed rounds, at most those of the comparison; for the slow
    """

    function: Callable[..., Any]
    modules: tuple[str, ...] = ()
    programs: tuple[str, ...] = ()
    arguments: dict[str, Any] = field(default_factory=dict)
    rounds: int | None = None


def backends(kernel: str, function: Callable[..., Any], **arguments: Any) -> dict[str, Candidate]:
    """Candidates "hapforge <backend>" for the CPU backends of a kernel; `function` takes the keyword `backend`."""
    return {
        f"hapforge {b}": Candidate(function, ("hapforge",), arguments={"backend": b, **arguments})
        for b in _backend.available_backends(kernel)
        if b != "cuda"
    }


def compare(
    name: str,
    candidates: dict[str, Candidate],
    data: dict[str, Any],
    right: Callable[[NDArray[Any]], bool],
    *,
    threads: int = 1,
    rounds: int = 5,
) -> dict[str, Any]:
    """Check and time candidates on one workload.

    Parameters
    ----------
    name : what is computed, with its sizes
    candidates : names that start with "hapforge" are ours, the others peers
    data : arrays (given to the workers as mapped files) and JSON values
    right : whether an answer is right
    threads : given to each candidate, and set in the environment of its process for the usual libraries
    rounds : each runs every candidate once

    Returns
    -------
    dict
        The entry of the result file: per candidate median, least and greatest CPU seconds, median wall seconds and
        peak memory; each peer's medians over those of our fastest candidate; the absent and why.
    """
    absent: dict[str, str] = {}
    workers: dict[str, _Worker] = {}
    with tempfile.TemporaryDirectory(prefix="hapforge-benchmark-") as scratch:
        folder = Path(scratch)
        arrays = {key: value for key, value in data.items() if isinstance(value, np.ndarray)}
        for key, array in arrays.items():
            np.save(folder / f"{key}.npy", array)
        shared = {
            "arrays": {key: str(folder / f"{key}.npy") for key in arrays},
            "scalars": {key: value for key, value in data.items() if key not in arrays},
            "threads": threads,
        }
        try:
            for candidate, how in candidates.items():
                python = interpreter(how)
                if python is None:
                    absent[candidate] = f"not installed: {', '.join((*how.modules, *how.programs))}"
                    continue
                workers[candidate] = worker = _Worker(candidate, python, how, shared, folder)
                path = folder / "answer.npy"
                worker.run(path)
                if not right(np.load(path)):
                    raise AssertionError(f"{name}: {candidate} gives a wrong answer")
            times: dict[str, list[dict[str, float]]] = {candidate: [] for candidate in workers}
            for done in range(rounds):
                for candidate, worker in workers.items():
                    if done < (candidates[candidate].rounds or rounds):
                        times[candidate].append(worker.run())
        finally:
            for worker in workers.values():
                worker.close()
    return _entry(name, threads, rounds, times, absent)


def growth(
    name: str,
    grows_with: str,
    sizes: Sequence[int],
    workload: Callable[[int], tuple[dict[str, Candidate], dict[str, Any], Callable[[NDArray[Any]], bool]]],
    *,
    threads: int = 1,
    rounds: int = 3,
    most_seconds: float = 20.0,
) -> dict[str, Any]:
    """How the cost of each candidate grows, in fresh processes for each size.

    Parameters
    ----------
    name : what is computed
    grows_with : "sites" or "rows"
    sizes : ascending
    workload : size -> candidates, data and check, as `compare` takes them
    most_seconds : a candidate that took more CPU seconds than this is left out of the larger sizes

    Returns
    -------
    dict
        For the list "growth" of the result file: per candidate and size (None where it was left out) median CPU and
        wall seconds and peak memory; the exponent e between neighbouring sizes, cost ~ size ** e.
    """
    entries: list[dict[str, Any]] = []
    too_slow: set[str] = set()
    seen: dict[str, None] = {}
    for size in sizes:
        candidates, data, right = workload(size)
        seen |= dict.fromkeys(candidates)
        chosen = {key: value for key, value in candidates.items() if key not in too_slow}
        entry = compare(f"{name}, {size} {grows_with}", chosen, data, right, threads=threads, rounds=rounds)
        entries.append(entry)
        too_slow |= {key for key, value in entry["cpu_seconds"].items() if value["median"] > most_seconds}
    absent = entries[0]["absent"]
    columns = {
        candidate: {
            "cpu_seconds": [entry["cpu_seconds"].get(candidate, {}).get("median") for entry in entries],
            "wall_seconds": [entry["cpu_seconds"].get(candidate, {}).get("wall_median") for entry in entries],
            "peak_memory_mb": [entry["peak_memory_mb"].get(candidate) for entry in entries],
        }
        for candidate in seen
        if candidate not in absent
    }
    for column in columns.values():
        column["exponent"] = [
            round(math.log(b / a) / math.log(y / x), 2) if a and b else None
            for a, b, x, y in zip(column["cpu_seconds"], column["cpu_seconds"][1:], sizes, sizes[1:], strict=False)
        ]
    return {
        "workload": name,
        "grows_with": grows_with,
        "sizes": list(sizes),
        "threads": threads,
        "rounds": rounds,
        "candidates": columns,
        "absent": absent,
    }


def versions(*modules: str) -> dict[str, str]:
    """Version of each distribution in the interpreter that has it; "absent" where none has."""
    return {module: _version(module) for module in modules}


def program_version(program: str) -> str:
    """First line of what `program --version` says, or "absent"."""
    if shutil.which(program) is None:
        return "absent"
    return subprocess.run([program, "--version"], capture_output=True, text=True).stdout.partition("\n")[0].strip()


def interpreter(how: Candidate) -> str | None:
    """The first Python that can import what a candidate needs; None where there is none, or a program is missing."""
    if any(shutil.which(program) is None for program in how.programs):
        return None
    return _python_with(how.modules)


@cache
def _python_with(modules: tuple[str, ...]) -> str | None:
    further = [path for path in os.environ.get("HAPFORGE_PEER_PYTHONS", "").split(":") if path]
    for python in (sys.executable, *further):
        if subprocess.run([python, "-c", _WITHOUT, "numpy", *modules], stderr=subprocess.DEVNULL).returncode == 0:
            return python
    return None


def _version(module: str) -> str:
    python = _python_with((module.split(".")[0],))
    if python is None:
        return "absent"
    code = (
        "import sys, importlib.metadata as m\nname = sys.argv[1]\n"
        "print(m.version(m.packages_distributions().get(name, [name])[0]))"
    )
    run = [python, "-c", code, module]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.strip()


class _Worker:
    """A running benchmarks/worker.py."""

    def __init__(self, name: str, python: str, how: Candidate, shared: dict[str, Any], folder: Path) -> None:
        self._name = name
        self._log = folder / f"{id(self)}.stderr"
        environment = os.environ | dict.fromkeys(_THREAD_VARIABLES, str(shared["threads"]))
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [python, str(HERE / "worker.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=environment,
            )
        source = textwrap.dedent(inspect.getsource(how.function))
        self._ask(shared | {"source": source, "function": how.function.__name__, "arguments": how.arguments})

    def run(self, answer: Path | None = None) -> dict[str, float]:
        """Run once; the answer goes to the file."""
        return self._ask({"answer": None if answer is None else str(answer)})

    def close(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def _ask(self, message: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(message) + "\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self._name} stopped:\n{self._log.read_text()}")
        reply: dict[str, Any] = json.loads(line)
        return reply


def _entry(
    name: str, threads: int, rounds: int, times: dict[str, list[dict[str, float]]], absent: dict[str, str]
) -> dict[str, Any]:
    seconds = {}
    for candidate, runs in times.items():
        cpu = [run["cpu"] for run in runs]
        seconds[candidate] = {
            "median": round(statistics.median(cpu), 5),
            "low": round(min(cpu), 5),
            "high": round(max(cpu), 5),
            "wall_median": round(statistics.median(run["wall"] for run in runs), 5),
        }
    ours = min((c for c in seconds if c.startswith("hapforge")), key=lambda c: seconds[c]["median"])
    peers = [c for c in seconds if not c.startswith("hapforge")]

    def over_fastest(key: str) -> dict[str, float]:
        return {c: round(seconds[c][key] / max(seconds[ours][key], 1e-5), 2) for c in peers}

    entry = {
        "workload": name,
        "threads": threads,
        "repeats": rounds,
        "cpu_seconds": seconds,
        "peak_memory_mb": {c: max(run["peak_memory_mb"] for run in runs) for c, runs in times.items()},
        "fastest": ours,
        "peer_over_fastest": over_fastest("median"),
        "peer_over_fastest_wall": over_fastest("wall_median"),
        "absent": absent,
    }
    print(f"{name}, {threads} thread{'s' if threads > 1 else ''}")
    for candidate, taken in seconds.items():
        beside = f"   {entry['peer_over_fastest'][candidate]} x {ours}" if candidate in peers else ""
        print(
            f"  {candidate:32s} {taken['median']:9.5f} CPU s  [{taken['low']:.5f}, {taken['high']:.5f}]"
            f"  {taken['wall_median']:9.5f} s{beside}"
        )
    for candidate, why in absent.items():
        print(f"  {candidate:32s} absent, {why}")
    return entry

"""benchmarks/peers.py: processes of their own, answers compared, absent peers told."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"


@pytest.fixture
def peers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import peers

    yield peers
    for name in ("peers", "workloads"):
        sys.modules.pop(name)


def column_sums(data, threads, add=0):
    import os

    assert os.environ["OMP_NUM_THREADS"] == str(threads)
    print("a peer may print")
    return (lambda: data["x"].sum(axis=0) * data["scale"]), lambda sums: sums + add


def spinning_program(data, threads):
    import subprocess
    import sys

    spin = "import time\nwhile time.process_time() < 0.2: pass"

    def run():
        subprocess.run([sys.executable, "-c", spin], check=True)
        return data["x"].sum(axis=0) * data["scale"]

    return run


def test_candidates_are_compared(peers: Any) -> None:
    x = np.arange(12).reshape(3, 4)
    candidates = {
        "hapforge": peers.Candidate(column_sums),
        "program": peers.Candidate(spinning_program, rounds=1),
        "no module": peers.Candidate(column_sums, ("no_such_module",)),
        "no program": peers.Candidate(column_sums, programs=("no-such-program",)),
    }
    entry = peers.compare("sums", candidates, {"x": x, "scale": 2}, lambda a: a.tolist() == [24, 30, 36, 42], threads=2)
    assert entry["absent"] == {
        "no module": "not installed: no_such_module",
        "no program": "not installed: no-such-program",
    }
    assert list(entry["cpu_seconds"]) == ["hapforge", "program"]
    assert entry["cpu_seconds"]["program"]["low"] >= 0.2, "the program's own CPU time is missing"
    assert entry["fastest"] == "hapforge"
    assert entry["peer_over_fastest"]["program"] > 10
    with pytest.raises(AssertionError, match="sums: hapforge gives a wrong answer"):
        peers.compare(
            "sums",
            {"hapforge": peers.Candidate(column_sums, arguments={"add": 1})},
            {"x": x, "scale": 2},
            lambda a: a.tolist() == [24, 30, 36, 42],
        )


def test_a_failing_candidate_says_why(peers: Any) -> None:
    with pytest.raises(RuntimeError, match=r"(?s)hapforge stopped.*KeyError: 'x'"):
        peers.compare("sums", {"hapforge": peers.Candidate(column_sums)}, {}, lambda _: True)


def test_growth(peers: Any) -> None:
    def workload(size: int) -> tuple[Any, ...]:
        x = np.ones((2, size))
        candidates = {"hapforge": peers.Candidate(column_sums), "program": peers.Candidate(spinning_program)}
        return candidates, {"x": x, "scale": 1}, lambda a: (a == 2).all() and len(a) == size

    found = peers.growth("sums", "columns", (2, 4), workload, rounds=1, most_seconds=0.1)
    assert found["sizes"] == [2, 4]
    assert found["candidates"]["program"]["cpu_seconds"][0] >= 0.2
    assert found["candidates"]["program"]["cpu_seconds"][1] is None
    assert found["candidates"]["hapforge"]["wall_seconds"][1] > 0

"""What the kernel benchmarks share: seeded cohorts, interleaved timing, and the result files.

`measure` times candidates within this process; benchmarks/peers.py gives each a process of its own, as peers need. A
workload runs all its candidates in turn, round after round, so that a busy moment of the machine hits all alike. Every
candidate's answer is checked before its time is taken. Times are CPU seconds of the process, which a busy neighbour
disturbs least (`measure`'s candidates run on one thread); wall seconds stand beside them. Read the ratios, not the
times.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy: peers get one thread, as we do
os.environ.setdefault("OMP_NUM_THREADS", "1")

import argparse
import json
import math
import platform
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import hapforge
from hapforge import HaplotypeMatrix, _backend, datasets

HERE = Path(__file__).resolve().parent


def cohort(num_haplotypes: int, num_sites: int, seed: int = 0) -> NDArray[np.uint8]:
    """Dense 0/1 haplotypes, sites independent, frequencies from Beta(0.3, 1), most of them low as in real data."""
    rng = np.random.default_rng(seed)
    frequency = rng.beta(0.3, 1.0, num_sites).astype(np.float32)
    dense = np.empty((num_haplotypes, num_sites), np.uint8)
    for row in dense:
        row[:] = rng.random(num_sites, dtype=np.float32) < frequency
    return dense


def ooa_cohort(num_haplotypes: int, num_sites: int) -> HaplotypeMatrix:
    """Out-of-Africa haplotypes, linked and with many exact duplicates, MAF >= 1 %.

    The first rows and sites of the embedded cohort; beyond its 5008 x 10,000 one is simulated (`hapforge simulate`,
    seed 2009), once: it is kept in the system's folder of temporary files.
    """
    embedded = datasets.ooa.EMBEDDED
    if num_haplotypes <= embedded["num_haplotypes"] and num_sites <= embedded["num_sites"]:
        cohort = datasets.load("ooa")
        return cohort.select_haplotypes(np.arange(num_haplotypes)).select_sites(np.arange(num_sites))
    path = Path(tempfile.gettempdir()) / "hapforge-benchmarks" / f"ooa-{num_haplotypes}x{num_sites}.hapz"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        hapforge.write(datasets.simulate(num_haplotypes, num_sites, seed=2009), path)
    return hapforge.read(path)


def scored(
    monitor: Any, train: HaplotypeMatrix, test: HaplotypeMatrix, drawn: HaplotypeMatrix
) -> dict[str, float | None]:
    """The Monitor's scores of as many rows as it takes, and the privacy score of all that were drawn."""
    scores = monitor._score(drawn.select_haplotypes(np.arange(monitor._n)))
    return plain({**scores, "privacy": hapforge.metrics.privacy_score(train, test, drawn)})


def by_clusters(train: HaplotypeMatrix, n: int) -> HaplotypeMatrix:
    """n rows of the clusters that a WGAN trains with, every allele drawn by its frequency in the row's cluster."""
    from hapforge.models._clusters import Clusters

    clusters = Clusters.of(train, 32, "haplotype")
    assert clusters is not None
    codes, dense = clusters.codes(train), train.to_dense()
    shares = np.array([dense[codes == code].mean(0) for code in range(len(clusters.sizes))])
    stream = np.random.default_rng(2)
    chosen = stream.choice(len(shares), n, p=clusters.sizes / clusters.sizes.sum())
    return HaplotypeMatrix.from_dense((stream.random((n, train.num_sites)) < shares[chosen]).astype(np.uint8))


def optional(module: str) -> Any:
    """The module, or None where this peer is not installed."""
    try:
        return __import__(module)
    except ImportError:
        return None


def measure(
    name: str,
    candidates: dict[str, Callable[[], Any]],
    check: Callable[[Any], bool],
    *,
    repeats: int = 5,
) -> dict[str, Any]:
    """Check and time candidates on one workload.

    Parameters
    ----------
    name : what is computed, with its sizes
    candidates : name -> call; names that start with "hapforge" are ours, the others peers
    check : whether an answer is right

    Returns
    -------
    dict
        The entry of the result file: per candidate median, least and greatest seconds, and each peer's median over that
        of our fastest candidate.
    """
    for candidate, call in candidates.items():
        if not check(call()):
            raise AssertionError(f"{name}: {candidate} gives a wrong answer")
    cpu: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    wall: dict[str, list[float]] = {candidate: [] for candidate in candidates}
    for _ in range(repeats):
        for candidate, call in candidates.items():
            start = time.perf_counter(), time.process_time()
            call()
            wall[candidate].append(time.perf_counter() - start[0])
            cpu[candidate].append(time.process_time() - start[1])
    seconds = {
        candidate: {
            "median": round(statistics.median(cpu[candidate]), 5),
            "low": round(min(cpu[candidate]), 5),
            "high": round(max(cpu[candidate]), 5),
            "wall_median": round(statistics.median(wall[candidate]), 5),
        }
        for candidate in candidates
    }
    ours = min((c for c in candidates if c.startswith("hapforge")), key=lambda c: seconds[c]["median"])
    ratio = {
        candidate: round(seconds[candidate]["median"] / seconds[ours]["median"], 2)
        for candidate in candidates
        if not candidate.startswith("hapforge")
    }
    print(f"{name}")
    for candidate, times in seconds.items():
        beside = f"   {ratio[candidate]} x {ours}" if candidate in ratio else ""
        print(f"  {candidate:32s} {times['median']:9.5f} s  [{times['low']:.5f}, {times['high']:.5f}]{beside}")
    return {
        "workload": name,
        "threads": 1,
        "repeats": repeats,
        "cpu_seconds": seconds,
        "fastest": ours,
        "peer_over_fastest": ratio,
    }


def every_backend(kernel: str, call: Callable[[str], Any]) -> dict[str, Callable[[], Any]]:
    """Candidates "hapforge <backend>" for the CPU backends of a kernel."""

    def bind(backend: str) -> Callable[[], Any]:
        return lambda: call(backend)

    return {f"hapforge {b}": bind(b) for b in _backend.available_backends(kernel) if b != "cuda"}


def write_results(
    kernel: str, entries: list[dict[str, Any]], peers: dict[str, str], growth: list[dict[str, Any]] | None = None
) -> None:
    """Write benchmarks/results/<kernel>.json, or what ``-o`` says.

    Parameters
    ----------
    entries : from `measure` or `peers.compare`
    peers : name -> version
    growth : from `peers.growth`
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("-o", type=Path, default=HERE / "results" / f"{kernel}.json")
    path = parser.parse_args().o
    result = {"kernel": kernel, "machine": machine(), "peers": peers, "results": entries}
    save(path, result if growth is None else result | {"growth": growth})


def plain(scores: dict[str, float]) -> dict[str, float | None]:
    """Scores to four digits; None for what is not known."""
    return {name: round(value, 4) if math.isfinite(value) else None for name, value in scores.items()}


def save(path: Path, result: dict[str, Any]) -> None:
    """Write a result file, whole or not at all."""
    beside = path.with_name(path.name + ".part")
    beside.write_text(json.dumps(result, indent=1) + "\n")
    beside.replace(path)


def machine() -> dict[str, Any]:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    cpu = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    git = [shutil.which("git") or "false", "-C", str(HERE)]
    commit = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    changed = subprocess.run([*git, "status", "--porcelain", "--", "../csrc"], capture_output=True, text=True)
    return {
        "cpu": f"{cpu['model name']}, family {cpu['cpu family']}, model {cpu['model']}",
        "cpus": os.cpu_count(),
        "compiler": _backend.core.compiler,
        "commit": (commit.stdout.strip() or "unknown") + (" with changes" if changed.stdout else ""),
        "python": platform.python_version(),
        "numpy": np.__version__,
    }

"""`hapforge.evaluate` against the same statistics written plainly (benchmarks/plain_evaluation.py).

    python benchmarks/bench_end_to_end.py [--data FOLDER] [--repeats 3] [--threads 2] [-o FILE]

On the papers' 805 sites (FOLDER holds their files; without it that workload is left out) and on 10,000 sites of the
embedded cohort: one synthetic set and the real-half control. Ours runs whole, and once more for each statistic; the
plain ones run one after another, each alone in a fresh process, as ours does. Scores of both are compared before a time
is believed. Ours has what the plain ones leave out: intervals, ten subsamples, everything at equal n a second time.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import datetime
import json
import logging
import math
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "HAPFORGE_THREADS")
# What both take from random rows of their own, points that are nearly ties, and neighbours that are tied (the plain
# ones take what the sort leaves first, ours are fair) differ a little.
TOLERANCE = {
    "pca_wasserstein": 0.5,
    "pca_wasserstein_exact": 0.5,
    "aa_truth_angular": 0.005,
    "aa_syn_angular": 0.005,
    "aa_truth_euclidean": 0.005,
    "aa_syn_euclidean": 0.005,
    "entropy_error": 0.2,
    **dict.fromkeys(("nn_test_real", "nn_test_syn", "chain_TT", "chain_TS", "chain_ST", "chain_SS"), 0.1),
}
SMALL = 1e-4  # and what is as small as this is equal
METRICS = {
    "allele_frequency": ["allele_frequency"],
    "linkage_disequilibrium": ["ld"],
    "three_point": ["three_point"],
    "kmers": ["kmers"],
    "distances": [
        *("pairwise", "adversarial_accuracy", "nearest_distance", "nearest_neighbour_test", "chains"),
        *("minimum_distance", "closest_pairs"),
    ],
    "principal_components": ["pca", "embedding"],
    "embedded_accuracy": ["embedded_accuracy"],
    "generation_errors": ["generation_errors"],
    "radar": ["radar"],
}
"""Statistics of hapforge behind each plain one."""


def published_805(folder: Path) -> tuple[Any, Any]:
    """5000 of the real haplotypes (so that both sides are equally many) and the 5000 of the 2021 GAN."""
    import numpy as np

    from hapforge.io.hapt import read

    names = ("805_SNP_1000G_real.hapt.zip", "805_SNP_GAN_AG_20000epochs.hapt.zip")
    real, gan = (read(folder / name, legend=folder / "805_SNP.legend") for name in names)
    return real.select_haplotypes(np.arange(gan.num_haplotypes)), gan


def embedded_10k(_folder: Path) -> tuple[Any, Any]:
    """The embedded cohort, 5008 haplotypes x 10,000 sites, and as many drawn from a Markov model of it."""
    import hapforge as hf

    real = hf.datasets.load("ooa")
    return real, hf.models.Markov(window=10).fit(real).sample(real.num_haplotypes)


WORKLOADS: dict[str, Callable[[Path], tuple[Any, Any]]] = {
    "published_805": published_805,
    "embedded_10k": embedded_10k,
}


def prepare(workload: str, data: Path, folder: Path) -> None:
    """Write the cohorts for both: packed, and as dense arrays with the same halves, triplets and distance bins."""
    import numpy as np

    import hapforge as hf
    from hapforge.evaluation.controls import person_halves
    from hapforge.stats import ld_distance_edges
    from hapforge.stats.three_point import three_point_triplets

    real, synthetic = WORKLOADS[workload](data)
    hf.write(real, folder / "real.hapz")
    hf.write(synthetic, folder / "synthetic.hapz")
    half_a, half_b = person_halves(real.samples, 0, 0)
    arrays = {
        "real": real.to_dense(),
        "synthetic": synthetic.to_dense(),
        "half_a": half_a,
        "half_b": half_b,
        "position": real.sites.position,
        "contig": np.unique(real.sites.contig, return_inverse=True)[1],
        "edges": ld_distance_edges(real.sites),
        **{f"triplets_{kind}": sites for kind, sites in three_point_triplets(real).items()},
    }
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)


class Times(logging.Handler):
    """Seconds by statistic, from what `evaluate` logs."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        metric, _column, seconds = record.args  # type: ignore[misc]
        self.seconds[str(metric)] = self.seconds.get(str(metric), 0.0) + float(seconds)  # type: ignore[arg-type]


def ours(folder: Path) -> dict[str, Any]:
    """The whole evaluation, alone in this process."""
    import hapforge as hf

    real, synthetic = hf.read(folder / "real.hapz"), hf.read(folder / "synthetic.hapz")
    logger, handler = logging.getLogger("hapforge.evaluation"), Times()
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    began = time.perf_counter(), time.process_time()
    result = hf.evaluate(real, synthetic, controls=("real_half",))
    return {
        "wall": time.perf_counter() - began[0],
        "cpu": time.process_time() - began[1],
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "seconds_by_metric": handler.seconds,
        "scores": {name: score.value for name, score in result.scores["synthetic"].items()},
        "shape": [list(real.shape), list(synthetic.shape)],
    }


def plain(name: str, folder: Path) -> dict[str, Any]:
    """One plain statistic, alone in this process."""
    sys.path.insert(0, str(HERE))
    from plain_evaluation import timed

    return timed(name, folder)


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result from a fresh process."""
    context = multiprocessing.get_context("spawn")
    with concurrent.futures.ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(function, *arguments).result()


def disagreements(found: dict[str, float], theirs: dict[str, float]) -> list[str]:
    """Scores that both have and that differ by more than their tolerance."""
    return [
        f"{name}: {found[name]:.6g} against {value:.6g}"
        for name, value in theirs.items()
        if name in found and not math.isclose(found[name], value, rel_tol=TOLERANCE.get(name, 1e-3), abs_tol=SMALL)
    ]


def measure(workload: str, data: Path, repeats: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone(prepare, workload, data, folder)
        runs = [alone(ours, folder) for _ in range(repeats)]
        first = runs[0]
        walls = [run["wall"] for run in runs]
        ours_wall, ours_cpu = statistics.median(walls), statistics.median(run["cpu"] for run in runs)
        print(f"{workload}: hapforge {ours_wall:.2f} s wall, {ours_cpu:.2f} s CPU, {first['peak_memory_mib']} MiB")
        parts: dict[str, Any] = {}
        compared = 0
        for part, metrics in METRICS.items():
            theirs = alone(plain, part, folder)
            if wrong := disagreements(first["scores"], theirs["scores"]):
                raise AssertionError(f"{workload}, {part}: {'; '.join(wrong)}")
            same = [score for score in theirs["scores"] if score in first["scores"]]
            compared += len(same)
            mine = sum(first["seconds_by_metric"].get(metric, 0.0) for metric in metrics)
            parts[part] = {**theirs, "compared": same, "hapforge_wall": mine}
            print(f"  {part:24s} {theirs['wall']:9.2f} s plain, {mine:7.2f} s hapforge; {len(same)} scores equal")
    if compared < 20:
        raise AssertionError(f"{workload}: expected at least 20 scores to compare, found {compared}")
    wall, cpu = (sum(part[key] for part in parts.values()) for key in ("wall", "cpu"))
    ratio = {"wall": wall / ours_wall, "cpu": cpu / ours_cpu}
    print(f"  plain {wall:.1f} s wall, {cpu:.1f} s CPU: {ratio['wall']:.1f} x, {ratio['cpu']:.1f} x")
    return {
        "shape": first["shape"],
        "hapforge": {
            "wall": {"median": ours_wall, "all": walls},
            "cpu": {"median": ours_cpu, "all": [run["cpu"] for run in runs]},
            "peak_memory_mib": max(run["peak_memory_mib"] for run in runs),
            "seconds_by_metric": first["seconds_by_metric"],
            "scores": first["scores"],
        },
        "plain": {"wall": wall, "cpu": cpu, "parts": parts},
        "plain_over_hapforge": ratio,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("--threads", type=int, default=2)
    arguments.add_argument("-o", "--output", type=Path, default=HERE / "results" / "end_to_end.json")
    given = arguments.parse_args()
    os.environ |= dict.fromkeys(_THREADS, str(given.threads))  # before any process imports NumPy
    names = [name for name in WORKLOADS if given.data is not None or name != "published_805"]
    results = {name: measure(name, given.data or Path(), given.repeats) for name in names}

    from hapforge.evaluation.provenance import describe_run
    from hapforge.io.atomic import atomic_file
    from hapforge.kernels import available_backends

    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    record = {
        "benchmark": "end_to_end",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cpu": describe_run({}, 0)["cpu"],
        "threads": given.threads,
        "backend": available_backends("nearest_neighbours")[0],
        "python": platform.python_version(),
        **{name: version(name) for name in ("numpy", "scipy", "scikit-learn", "pot")},
        "workloads": results,
    }
    with atomic_file(given.output) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

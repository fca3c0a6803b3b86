"""Time of `hapforge.evaluate`, statistic by statistic, on the papers' 805 sites and on 10,000 sites.

    python benchmarks/bench_end_to_end.py [--data FOLDER] [--repeats 3] [-o benchmarks/results/end_to_end.json]

FOLDER holds the papers' 805-SNP files; without it that workload is left out. Before a time is believed the scores are
checked against the metrics computed on their own.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import platform
import resource
import statistics
import subprocess
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

import hapforge as hf
from hapforge import _backend
from hapforge.evaluation.provenance import describe_run
from hapforge.io.atomic import atomic_file

HERE = Path(__file__).resolve().parent


def published_805(folder: Path) -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    """5008 real haplotypes and the 5000 of the 2021 GAN."""
    from hapforge.io.hapt import read

    names = ("805_SNP_1000G_real.hapt.zip", "805_SNP_GAN_AG_20000epochs.hapt.zip")
    real, gan = (read(folder / name, legend=folder / "805_SNP.legend") for name in names)
    return real, gan


def embedded_10k() -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    """The embedded cohort, 5008 haplotypes x 10,000 sites, and as many drawn from a Markov model of it."""
    real = hf.datasets.load("ooa")
    return real, hf.models.Markov(window=10).fit(real).sample(real.num_haplotypes)


class Times(logging.Handler):
    """Seconds by statistic, from what `evaluate` logs."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds: dict[str, float] = {}

    def emit(self, record: logging.LogRecord) -> None:
        metric, _column, seconds = record.args  # type: ignore[misc]
        self.seconds[str(metric)] = self.seconds.get(str(metric), 0.0) + float(seconds)  # type: ignore[arg-type]


def measure(real: hf.HaplotypeMatrix, synthetic: hf.HaplotypeMatrix, repeats: int) -> dict[str, Any]:
    logger = logging.getLogger("hapforge.evaluation")
    logger.setLevel(logging.INFO)
    runs, by_metric = [], []
    for _ in range(repeats):
        handler = Times()
        logger.addHandler(handler)
        began = time.perf_counter()
        result = hf.evaluate(real, synthetic)
        runs.append(time.perf_counter() - began)
        logger.removeHandler(handler)
        by_metric.append(handler.seconds)
    found = result.scores["synthetic"]
    accuracy = hf.metrics.adversarial_accuracy(real, synthetic)
    assert (found["aa_truth"].value, found["aa_syn"].value) == (accuracy.aa_truth, accuracy.aa_syn)
    assert all(np.isfinite(s.value) for s in found.values())
    return {
        "real": list(real.shape),
        "synthetic": list(synthetic.shape),
        "seconds": {"median": statistics.median(runs), "all": runs},
        "seconds_by_metric": {m: statistics.median(r[m] for r in by_metric) for m in by_metric[0]},
        "scores": {name: s.value for name, s in found.items()},
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--data", type=Path)
    arguments.add_argument("--repeats", type=int, default=3)
    arguments.add_argument("-o", "--output", type=Path, default=HERE / "results" / "end_to_end.json")
    given = arguments.parse_args()
    workloads = {"embedded_10k": embedded_10k()}
    if given.data is not None:
        workloads = {"published_805": published_805(given.data), **workloads}
    results = {}
    for name, (real, synthetic) in workloads.items():
        results[name] = measure(real, synthetic, given.repeats)
        print(name, f"{results[name]['seconds']['median']:.1f} s", results[name]["seconds_by_metric"])
    commit = subprocess.run(["git", "rev-parse", "HEAD"], cwd=HERE, capture_output=True, text=True, check=True)
    record = {
        "benchmark": "end_to_end",
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "commit": commit.stdout.strip(),
        "cpu": describe_run({}, 0)["cpu"],
        "threads": _backend.get_threads(None),
        "backend": hf.kernels.available_backends("nearest_neighbours")[0],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "pot": version("pot"),
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "workloads": results,
    }
    with atomic_file(given.output) as temporary:
        temporary.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

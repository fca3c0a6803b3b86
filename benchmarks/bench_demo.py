"""`hapforge demo` as a user runs it: its scores, its time, and the README's picture.

usage: python benchmarks/bench_demo.py       writes benchmarks/results/demo.json and .github/overview.png
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from workloads import HERE, machine

import hapforge as hf
from hapforge.report import figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", type=Path, default=HERE / "results" / "demo.json")
    parser.add_argument("--picture", type=Path, default=HERE.parent / ".github" / "overview.png")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch) / "demo"
        began = time.perf_counter()
        subprocess.run([sys.executable, "-m", "hapforge", "demo", "-o", str(out), "-q"], check=True)
        seconds = time.perf_counter() - began
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        report = json.loads((out / "report.json").read_text())
        real, synthetic, holdout = (hf.read(out / f"{name}.hapz") for name in ("train", "RBM", "holdout"))
    result = {
        "machine": machine(),
        "wall_seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "peak_memory_mb": round(used.ru_maxrss / 1024),
        **{key: report[key] for key in ("real_haplotypes", "num_sites", "num_haplotypes", "sets", "controls")},
        **{key: report[key] for key in ("score_labels", "scores")},
    }
    arguments.o.write_text(json.dumps(result, indent=1) + "\n")
    again = hf.evaluate(real, {"RBM": synthetic}, holdout=holdout)
    assert again.scores["RBM"]["aa_truth"].value == report["scores"]["RBM"]["aa_truth"]["value"]
    arguments.picture.write_bytes(figures.png(again.data))


if __name__ == "__main__":
    main()

"""Whole commands that bring a cohort from VCF.gz or BCF into a store of their own: ours, plink2, vcf2zarr, bcftools.

    python benchmarks/bench_convert.py [--persons 50000] [--repeats 5] [-o FILE]

2,504 persons x 10,000 sites of the embedded cohort, every tool in turn, round after round, with the threads it takes by
default; then BCF of as many persons as are asked for at the same sites (the embedded ones over and over), by us and
plink2: the memory of reading is stated in proportion to the result. ``bcftools view`` writes BCF again and stands for
what a reader through htslib costs. Tools that are not installed are left out. Times are those of the process and its
children; peak memory is the greatest of any of them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from workloads import HERE, machine

import hapforge as hf
from hapforge import datasets


def commands(source: Path, folder: Path) -> dict[str, tuple[list[str], Path]]:
    """Tool -> command line, what it writes."""
    kind = "--bcf" if source.suffix == ".bcf" else "--vcf"
    known = {
        "hapforge": ([sys.executable, "-m", "hapforge", "convert", "-q", "-f"], folder / "h.hapz", []),
        "plink2": (["plink2", kind], folder / "p", ["--make-pgen", "--silent", "--out"]),
        "vcf2zarr": (["vcf2zarr", "convert", "--no-progress", "--force"], folder / "v.vcz", []),
        "bcftools view": (["bcftools", "view", "-Ob", "-o"], folder / "b.bcf", []),
    }
    found = {}
    for tool, (start, target, middle) in known.items():
        if shutil.which(start[0]) is None:
            continue
        last = [str(target), str(source)] if tool.startswith("bcftools") else [str(source), *middle, str(target)]
        found[tool] = ([*start, *last], target)
    return found


# A process starts with the peak memory of the one that forked it: this one stays small.
TIMER = """
import json, os, subprocess, sys, time
began = time.perf_counter()
process = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL)
_, status, used = os.wait4(process.pid, 0)
print(json.dumps({
    "wall_seconds": time.perf_counter() - began,
    "cpu_seconds": used.ru_utime + used.ru_stime,
    "peak_memory_mib": used.ru_maxrss / 1024,
}))
sys.exit(os.waitstatus_to_exitcode(status) != 0)
"""


def timed(command: list[str]) -> dict[str, float]:
    done = subprocess.run([sys.executable, "-I", "-S", "-c", TIMER, *command], stdout=subprocess.PIPE, check=True)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def check(tool: str, target: Path, matrix: hf.HaplotypeMatrix) -> None:
    """What was written is the cohort; of plink2's, by its own frequencies."""
    if tool == "plink2":
        subprocess.run(["plink2", "--pfile", target, "--freq", "--silent", "--out", target], check=True)
        lines = target.with_suffix(".afreq").read_text().splitlines()
        column = lines[0].split("\t").index("ALT_FREQS")
        found = np.array([float(line.split("\t")[column]) for line in lines[1:]])
        right = np.allclose(found, hf.kernels.allele_counts(matrix) / matrix.num_haplotypes, atol=1e-5)
    elif tool == "vcf2zarr":
        import zarr

        calls = zarr.open_group(target, mode="r")["call_genotype"]
        right = np.array_equal(calls[:].reshape(matrix.num_sites, -1).T, matrix.to_dense())
    else:
        right = np.array_equal(hf.read(target).words, matrix.words)
    if not right:
        raise SystemExit(f"{tool} wrote another cohort")


def interleaved(
    matrix: hf.HaplotypeMatrix, ending: str, repeats: int, folder: Path, only: tuple[str, ...] = ()
) -> dict[str, Any]:
    source = folder / f"x{ending}"
    hf.write(matrix, source)
    tools = {tool: call for tool, call in commands(source, folder).items() if not only or tool in only}
    runs: dict[str, list[dict[str, float]]] = {tool: [] for tool in tools}
    for number in range(repeats + 1):
        for tool, (command, target) in tools.items():
            run = timed(command)
            if number:
                runs[tool].append(run)
            else:
                check(tool, target, matrix)
    return {
        "workload": f"{ending} of {matrix.samples.num_persons} x {matrix.num_sites}, {source.stat().st_size} bytes",
        "packed_mib": round(matrix.words.nbytes / 2**20, 1),
        "repeats": repeats,
        "tools": {tool: medians(found) for tool, found in runs.items()},
    }


def medians(runs: list[dict[str, float]]) -> dict[str, float]:
    return {key: round(statistics.median(run[key] for run in runs), 2) for key in runs[0]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--persons", type=int, default=50_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("-o", type=Path, default=HERE / "results" / "convert.json")
    arguments = parser.parse_args()
    stored = datasets.load("ooa")
    matrix = hf.HaplotypeMatrix(stored.words, stored.sites, hf.Samples(stored.num_haplotypes))
    with tempfile.TemporaryDirectory() as scratch:
        found = [interleaved(matrix, ending, arguments.repeats, Path(scratch)) for ending in (".bcf", ".vcf.gz")]
        many = hf.HaplotypeMatrix(matrix.words[np.arange(2 * arguments.persons) % len(matrix.words)], matrix.sites)
        found.append(interleaved(many, ".bcf", 1, Path(scratch), ("hapforge", "plink2")))
    arguments.o.write_text(json.dumps({"machine": machine(), "results": found}, indent=1) + "\n")
    for entry in found:
        print(entry["workload"])
        for tool, numbers in entry["tools"].items():
            print(f"  {tool:14s}", "  ".join(f"{key} {value}" for key, value in numbers.items()))


if __name__ == "__main__":
    main()

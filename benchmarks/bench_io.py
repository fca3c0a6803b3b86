"""Reading 2504 people x 10,000 sites: BCF and VCF.gz against cyvcf2's iteration, .hapz against zarr.

Three iterations of cyvcf2 stand beside: over the records without their calls, which gives no genotypes; with
``genotype.array()`` of each, which gives them as int16; with ``gt_types`` of each, which gives them without phase.
All run on one thread but where a name says otherwise: threads shorten the wall seconds, not the CPU seconds.
"""

import os

os.environ["HAPFORGE_THREADS"] = "1"

import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import cyvcf2
import numpy as np
import zarr
from workloads import measure, write_results

import hapforge as hf
from hapforge import _backend, datasets


def read_on(threads: int, path: Path) -> hf.HaplotypeMatrix:
    _backend.set_threads(threads)
    try:
        return hf.read(path)
    finally:
        _backend.set_threads(None)


def records(path: Path, threads: int | None = None) -> int:
    return sum(1 for _ in cyvcf2.VCF(str(path), threads=threads))


def arrays(path: Path) -> np.ndarray:
    last = None
    for variant in cyvcf2.VCF(str(path)):
        last = variant.genotype.array()
    return last[:, :2].reshape(-1)


def types(path: Path) -> np.ndarray:
    last = None
    for variant in cyvcf2.VCF(str(path)):
        last = variant.gt_types
    return last.copy()  # a view of what the record owns


def fresh_process(path: Path) -> float:
    """Wall seconds of the first read in a process, the imports that it brings included."""
    code = (
        "import sys, time, hapforge as hf\nstart = time.perf_counter()\nhf.read(sys.argv[1])\n"
        "print(time.perf_counter() - start)"
    )
    run = [sys.executable, "-c", code, str(path)]
    return float(subprocess.run(run, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    stored = datasets.load("ooa")
    matrix = hf.HaplotypeMatrix(stored.words, stored.sites, hf.Samples(stored.num_haplotypes))
    last = matrix.to_dense()[:, -1]
    unphased = np.array([0, 1, 3])[last[0::2] + last[1::2]]

    def is_right(answer: object) -> bool:
        if isinstance(answer, hf.HaplotypeMatrix):
            return np.array_equal(answer.words, matrix.words)
        if isinstance(answer, int):
            return answer == matrix.num_sites
        if answer.ndim == 2:
            return np.array_equal(np.ascontiguousarray(answer).view("<u8"), matrix.words)
        return np.array_equal(answer, last if len(answer) == len(last) else unphased)

    entries = []
    with tempfile.TemporaryDirectory() as scratch:
        for ending, repeats in ((".bcf", 15), (".vcf.gz", 5)):
            path = Path(scratch) / f"x{ending}"
            hf.write(matrix, path)
            candidates = {
                "hapforge": lambda path=path: hf.read(path),
                "hapforge, 2 threads": lambda path=path: read_on(2, path),
                "cyvcf2, records": lambda path=path: records(path),
                "cyvcf2, records, 2 threads": lambda path=path: records(path, 2),
                "cyvcf2, genotype.array()": lambda path=path: arrays(path),
                "cyvcf2, gt_types": lambda path=path: types(path),
            }
            name = f"read {ending} 2504 x {matrix.num_sites}"
            entries.append({**measure(name, candidates, is_right, repeats=repeats), "bytes": path.stat().st_size})
        store, mapped = Path(scratch) / "x.hapz", Path(scratch) / "m.hapz"
        hf.write(matrix, store)
        hf.write(matrix, mapped, mappable=True)
        candidates = {
            "hapforge": lambda: hf.read(store),
            "hapforge mappable": lambda: hf.read(mapped),
            "zarr, genotypes only": lambda: zarr.open_group(store, mode="r")["genotypes"][:],
        }
        entry = measure(f"read .hapz 5008 x {matrix.num_sites}", candidates, is_right, repeats=9)
        entry["first_read_wall_seconds"] = round(statistics.median(fresh_process(store) for _ in range(5)), 4)
        entry["bytes"] = sum(file.stat().st_size for file in store.rglob("*") if file.is_file())
        entries.append(entry)
        print(f"  first read of .hapz in a process: {entry['first_read_wall_seconds']} s")
    write_results("io", entries, {"cyvcf2": cyvcf2.__version__, "zarr": zarr.__version__})


if __name__ == "__main__":
    main()

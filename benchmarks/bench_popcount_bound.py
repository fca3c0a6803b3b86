"""How near the AVX-512 brute-force kernel is to what the execution ports allow.

benchmarks/popcount_bound.cpp is compiled and measures, on registers alone, the cycles that 512 bits of a pair take with
xor, population count and addition ("classic"), with the operations of popcount_tile ("falls"), and the clock. The
kernel is a whole pass over the pairs of two sets without pruning, for the nearest of every row in the other set, in CPU
time on one thread, so the fractions include packing, memory, tails and minima. Rounds take turns; the least counts.
"""

import json
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np
from workloads import HERE, ooa_cohort, write_results

from hapforge import _backend

N, SITES, ROUNDS = 5008, 10_000, 7


def main() -> None:
    words = ooa_cohort(N, SITES).words
    others = words.copy()
    vectors = N * N * words.shape[1] / 8
    seconds: list[float] = []
    bounds: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "popcount_bound"
        subprocess.run(["g++", "-O2", "-std=c++20", str(HERE / "popcount_bound.cpp"), "-o", str(program)], check=True)
        for _ in range(ROUNDS):
            bounds.append(json.loads(subprocess.run([program], check=True, capture_output=True).stdout))
            start = time.process_time()
            _backend.core.joint_nearest_neighbours(words, others, SITES, 1, False, False, "avx512", 1)
            seconds.append(time.process_time() - start)
    gigahertz = float(np.median([bound["gigahertz"] for bound in bounds]))
    cycles = min(seconds) * gigahertz * 1e9 / vectors
    classic, falls = (min(bound[name] for bound in bounds) for name in ("classic", "falls"))
    entry = {
        "workload": f"{N} x {N} x {SITES}, k = 1",
        "cpu_seconds": {"low": round(min(seconds), 5), "median": round(float(np.median(seconds)), 5)},
        "gigahertz": gigahertz,
        "cycles_per_512_bits": {"classic": classic, "falls": falls, "hapforge avx512": round(cycles, 4)},
        "fraction_of_bound": {"classic": round(classic / cycles, 3), "falls": round(falls / cycles, 3)},
    }
    print(json.dumps(entry, indent=1))
    write_results("popcount_bound", [entry], {})


if __name__ == "__main__":
    main()

"""All that needs a GPU, in one command: install, test, compute-sanitizer, timings. One JSON result.

    python benchmarks/gpu.py [--quick] [--only STEP ...] [--seconds 540] [--commit SHA] [-o gpu.json]
    python benchmarks/gpu.py --resources

There is no result until this has run on a device: benchmarks/results/gpu.json, of which benchmarks/tables.py makes the
README's table. It needs torch, nvcc, pytest and the build's tools, and no network. The file is written after each step,
so that a run that is cut leaves what it has, and is taken up again: steps that run replace what it says of them, as
long as device and commit are the same (``--commit`` where this folder is no clone). Exit status 1: something failed, or
was wrong.

Steps: install (of this folder into the running environment, with HAPFORGE_CUDA=ON where that is not set), tests (all
that run on "cuda"), sanitizer (the smallest of them), and the kernels of benchmarks/gpu_cases.py, each in a process of
its own. Only where it is named: int8, nearest neighbours of another build, with counts by products of bytes.

``--resources`` needs nvcc alone: registers, spills and shared memory of every kernel, as ptxas says them, into
benchmarks/results/cuda_resources.json.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
# The last one takes what time is left.
KERNELS = (
    *("pack", "allele_counts", "hamming_histogram", "joint_counts", "ld_decay", "three_point", "gibbs"),
    "nearest_neighbours",
)
STEPS = ("install", "tests", "sanitizer", *KERNELS)
PIP = (sys.executable, "-m", "pip", "install", "--no-build-isolation", "--no-deps", "--force-reinstall", ".")
TOOLS = ("memcheck", "racecheck", "synccheck", "initcheck")
SMALLEST = "tests/kernels/test_device_arrays.py::test_every_kernel_takes_and_gives_arrays_on_the_device"
# pytest-benchmark, where it is installed, warns of parallel tests, and warnings are errors.
PYTEST = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:benchmark")
ARCHITECTURES = ("75", "80", "90", "100")


def run(
    command: list[str], seconds: float, each: Callable[[str], None] = lambda line: None, **environment: str
) -> dict[str, Any]:
    """Run in the project's folder; `each` gets every line. Seconds, exit status (-9: cut), the end of what it said."""
    start = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    timer = threading.Timer(max(seconds, 0.1), os.killpg, (process.pid, signal.SIGKILL))
    timer.start()
    said = []
    assert process.stdout is not None
    with process.stdout:
        for line in process.stdout:
            said.append(line)
            each(line)
    status = process.wait()
    timer.cancel()
    return {"seconds": round(time.monotonic() - start, 2), "status": status, "said": "".join(said)[-4000:]}


def install(seconds: float) -> dict[str, Any]:
    how = os.environ.get("HAPFORGE_CUDA", "ON")  # not AUTO, which may build no CUDA module
    found = run([*PIP, "-C", f"cmake.define.HAPFORGE_CUDA={how}"], seconds)
    importlib.invalidate_caches()
    return found | {"ok": found["status"] == 0, "HAPFORGE_CUDA": how}


def tests(seconds: float) -> dict[str, Any]:
    """Counts of all tests that may run on "cuda", and of those passed that did."""
    # Others may need packages that a machine with a GPU does not have.
    every = (*ROOT.glob("tests/kernels/test_*.py"), *ROOT.glob("tests/models/test_*.py"))
    files = sorted(str(file) for file in every if re.search("available_backends|cuda", file.read_text()))
    with tempfile.TemporaryDirectory() as folder:
        xml = Path(folder) / "tests.xml"
        found = run([*PYTEST, "-n", "4", *files, "-k", "cuda or device", f"--junitxml={xml}"], seconds)
        counts = counted(ElementTree.parse(xml)) if xml.exists() else {"on_cuda": 0}
    return found | counts | {"ok": found["status"] == 0 and counts["on_cuda"] > 0}


def counted(tree: Any) -> dict[str, Any]:
    """Passed, failed and skipped tests of a JUnit file; of the passed ones those on "cuda", which their names say."""
    counts: dict[str, Any] = {"passed": 0, "failed": 0, "skipped": 0, "on_cuda": 0, "failures": []}
    for case in tree.iter("testcase"):
        name = f"{case.get('classname')}::{case.get('name')}"
        outcomes = {child.tag for child in case}
        if outcomes & {"failure", "error"}:
            counts["failed"] += 1
            counts["failures"].append(name)
        elif "skipped" in outcomes:
            counts["skipped"] += 1
        else:
            counts["passed"] += 1
            counts["on_cuda"] += bool(re.search(r"test_device_arrays::|\[(.*-)?cuda(-.*)?\]$", name))
    return counts


def sanitizer(seconds: float) -> dict[str, Any]:
    if shutil.which("compute-sanitizer") is None:
        return {"ok": True, "absent": "compute-sanitizer is not on the PATH"}
    until = time.monotonic() + seconds
    found: dict[str, Any] = {}
    for i, tool in enumerate(TOOLS):
        share = (until - time.monotonic()) / (len(TOOLS) - i)
        command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", "99", *PYTEST, "-n", "0", SMALLEST]
        found[tool] = run(command, share)
        found[tool]["summary"] = re.findall(r"=+ (\w+ SUMMARY:.*)", found[tool]["said"])
        if found[tool]["status"] == 0:
            found[tool].pop("said")
    return found | {"ok": all(found[tool]["status"] == 0 for tool in TOOLS)}


def kernel(
    name: str, quick: bool, bandwidth: float, seconds: float, put: Callable[[Any], None], **environment: str
) -> dict[str, Any]:
    """Entries go to `put` as they come."""
    entries = []

    def each(line: str) -> None:
        if line.startswith("{"):
            entries.append(json.loads(line))
            put(entries[-1])
            print(table_row(entries[-1]), flush=True)

    command = [sys.executable, str(HERE / "gpu_cases.py"), name, str(max(1, seconds - 15)), str(bandwidth)]
    found = run([*command, *(["--quick"] if quick else [])], seconds, each, **environment)
    ok = bool(entries) and all(one.get("right", False) for e in entries for one in [e["seconds"]["hapforge"]])
    return found | {"ok": found["status"] == 0 and ok, "clocks": nvidia_smi("clocks.sm,clocks.mem,power.draw")}


def int8(quick: bool, bandwidth: float, seconds: float, put: Callable[[Any], None]) -> dict[str, Any]:
    """Entries of nearest neighbours, of a build whose counts are products of bytes, not of bits."""
    with tempfile.TemporaryDirectory() as folder:
        flags = ["-C", "cmake.define.HAPFORGE_CUDA=ON", "-C", "cmake.define.CMAKE_CUDA_FLAGS=-DHAPFORGE_INT8_COUNTS"]
        built = run([*PIP, "--target", folder, "-C", f"build-dir={folder}/build", *flags], seconds)
        if built["status"] != 0:
            return built | {"ok": False}

        def named(entry: dict[str, Any]) -> None:
            put(entry | {"workload": f"{entry['workload']}, counts by int8"})

        left = seconds - built["seconds"]
        return kernel("nearest_neighbours", quick, bandwidth, left, named, PYTHONPATH=folder)


def table_row(entry: dict[str, Any]) -> str:
    cells = [f"{name} {one.get('median', one)}" for name, one in entry["seconds"].items()]
    return f"{entry['workload']}: {', '.join(cells)}; limit {entry['limit_seconds']:.3g}"


def nvidia_smi(fields: str) -> dict[str, str]:
    command = ["nvidia-smi", f"--query-gpu={fields}", "--format=csv,noheader"]
    line = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[0]
    return dict(zip(fields.split(","), line.split(", "), strict=True))


def taken_up(path: Path, machine: dict[str, Any]) -> dict[str, Any]:
    """What the file says, where it is of the same device and commit; else nothing yet."""
    if path.exists():
        result: dict[str, Any] = json.loads(path.read_text())
        if all(result["machine"].get(key) == machine[key] for key in ("name", "commit")):
            return result
    return {"kernel": "gpu", "machine": machine, "peers": {}, "steps": {}, "results": []}


def measure(given: argparse.Namespace) -> bool:
    until = time.monotonic() + given.seconds
    chosen = [step for step in (*STEPS, "int8") if step in (given.only or STEPS)]
    done = {"install": install(given.seconds)} if "install" in chosen else {}
    if not done.get("install", {"ok": True})["ok"]:
        print(done["install"]["said"])
        return False
    import workloads  # of what was just installed
    from peers import versions

    machine = workloads.machine() | nvidia_smi("name,driver_version,memory.total,clocks.max.sm,clocks.max.mem")
    result = taken_up(given.o, machine | ({"commit": given.commit} if given.commit else {}))
    result["peers"] = versions("torch", "cupy", "cuml", "cuvs", "faiss")
    result["steps"] |= done

    def put(entry: dict[str, Any]) -> None:
        others = [one for one in result["results"] if one["workload"] != entry["workload"]]
        result["results"] = [*others, entry]
        workloads.save(given.o, result)

    for i, step in enumerate(chosen):
        left = until - time.monotonic() - 20 * (len(chosen) - 1 - i)
        if step == "tests":
            done[step] = tests(min(left, 240))
        elif step == "sanitizer":
            done[step] = sanitizer(min(left, 160))
        elif step != "install":
            if "copy_bytes_per_second" not in result["machine"]:
                said = run([sys.executable, str(HERE / "gpu_cases.py"), "bandwidth", "60"], 60)
                result["machine"] |= json.loads(said["said"].splitlines()[-1])
            bandwidth = result["machine"]["copy_bytes_per_second"]
            measure_it = int8 if step == "int8" else partial(kernel, step)
            done[step] = measure_it(given.quick, bandwidth, left, put)
        if done[step]["ok"]:
            done[step].pop("said", None)
        print(f"{step}: {done[step]}", flush=True)
        result["steps"] |= done
        workloads.save(given.o, result)
    return all(found["ok"] for found in done.values())


# ---- what needs no device


def resources() -> dict[str, Any]:
    """Registers, bytes of spills and of shared memory of every kernel on every architecture."""
    found: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for file in sorted(ROOT.glob("csrc/kernels/*/cuda.cu")):
            flags = [f"-gencode=arch=compute_{a},code=sm_{a}" for a in ARCHITECTURES]
            command = ["nvcc", "-std=c++17", "-O3", f"-I{ROOT / 'csrc'}", "-Xptxas", "-v", *flags, "-c", str(file)]
            done = subprocess.run([*command, "-o", f"{folder}/kernel.o"], capture_output=True, text=True, check=True)
            for name, numbers in of_ptxas(done.stderr):
                found.setdefault(name, {}).update(numbers)
    version = subprocess.run(["nvcc", "--version"], capture_output=True, text=True, check=True).stdout
    return {
        "kernel": "cuda_resources",
        "compiler": version.splitlines()[-1],
        "results": [{"kernel": name, **found[name]} for name in sorted(found)],
    }


def of_ptxas(said: str) -> list[tuple[str, dict[str, Any]]]:
    """(kernel, {architecture: numbers}) for each that ``ptxas -v`` tells of."""
    pattern = re.compile(
        r"Compiling entry function '(\w+)' for '(sm_\w+)'.*?(\d+) bytes spill stores, (\d+) bytes spill loads"
        r".*?Used (\d+) registers([^\n]*)",
        re.DOTALL,
    )
    entries = pattern.findall(said)
    names = subprocess.run(["c++filt"], input="\n".join(entry[0] for entry in entries), capture_output=True, text=True)
    found = []
    for name, (_, architecture, stores, loads, registers, rest) in zip(names.stdout.splitlines(), entries, strict=True):
        body = re.search(r"run<(.*)>\(", name)
        shared = re.search(r"(\d+) bytes smem", rest)
        numbers = {"registers": int(registers), "spill_bytes": int(stores) + int(loads)}
        numbers["shared_bytes"] = int(shared[1]) if shared else 0
        found.append(((body[1] if body else name).replace("hapforge::", "").strip(), {architecture: numbers}))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="small sizes, a minute in all")
    parser.add_argument("--only", nargs="+", choices=(*STEPS, "int8"), help="these steps")
    parser.add_argument("--seconds", type=float, default=540, help="time for all of it")
    parser.add_argument("--commit", help="where this folder is no clone")
    parser.add_argument("--resources", action="store_true", help="without a device")
    parser.add_argument("-o", type=Path, help="default: benchmarks/results/gpu.json")
    given = parser.parse_args()
    given.o = given.o or HERE / "results" / ("cuda_resources.json" if given.resources else "gpu.json")
    if given.resources:
        import workloads

        workloads.save(given.o, resources() | {"commit": workloads.machine()["commit"]})
        return
    sys.exit(not measure(given))


if __name__ == "__main__":
    main()

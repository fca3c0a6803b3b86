"""benchmarks/gpu.py: every workload at a small size on torch's CPU tensors, by the CUDA module where there is one."""

from __future__ import annotations

import json
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hapforge.kernels import available_backends

torch = pytest.importorskip("torch")
BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
KERNELS = (
    *("pack", "allele_counts", "hamming_histogram", "joint_counts", "ld_decay", "three_point", "gibbs"),
    "nearest_neighbours",
)


@pytest.fixture
def cases(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu_cases

    torch.manual_seed(0)
    gpu_cases.device = torch.device("cpu")
    gpu_cases.BLOCK = 128  # several tiles, the last ones smaller
    if "cuda" in available_backends("hamming"):  # the emulation
        gpu_cases.backend = "cuda"
    yield gpu_cases
    sys.modules.pop("gpu_cases")


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import gpu

    yield gpu
    for name in ("gpu", "workloads", "peers"):
        sys.modules.pop(name, None)


def test_all_kernels_are_run(cases: Any, gpu: Any) -> None:
    assert set(cases.KERNELS) == set(KERNELS) == set(gpu.KERNELS)


@pytest.mark.parametrize("kernel", KERNELS)
def test_ours_and_torchs_formulations_agree(cases: Any, kernel: str) -> None:
    for case in cases.KERNELS[kernel](True):
        answer = case.ours()
        assert case.right(answer), case.workload
        for name, call in case.peers.items():
            assert case.same(answer, call()), f"{case.workload}: {name}"


def test_a_wrong_neighbour_is_seen(cases: Any) -> None:
    case = next(cases.nearest_neighbours(True))
    found = case.ours()
    for name in ("index", "distance"):
        wrong = getattr(found.ba, name).copy()
        wrong[-10] += 1  # of the rows that are looked at
        assert not case.right(found._replace(ba=found.ba._replace(**{name: wrong})))


def test_entries(cases: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases, "CEILINGS", {"slow": 2.0, "fast": 4.0})
    times = iter([60.0, 3.0, 1.0, 2.0, 60.0, 30.0, 20.0])  # 60: with what happens once
    monkeypatch.setattr(cases, "timed", lambda call: (call(), next(times)))

    def broken() -> int:
        raise RuntimeError("out of memory")

    peers = {"twice": lambda: 84, "broken": broken}
    case = cases.Case("answers", lambda: 42, peers, lambda a, b: a == b, 8, 10, lambda a: a == 42, "by hand")
    rates = {"hapforge": 0.1}
    entry = cases.measure(case, 5.0, rates, time.monotonic() + 100)
    assert entry["seconds"] == {
        "hapforge": {"right": True, "median": 2.0, "low": 1.0, "high": 3.0, "repeats": 3},
        "twice": {"right": False, "median": 30.0, "low": 30.0, "high": 30.0, "repeats": 1},
        "broken": {"failed": "RuntimeError: out of memory"},
    }
    assert entry["seconds_at_ceiling"] == {"bytes": 2.0, "slow": 4.0, "fast": 2.0}
    assert (entry["limit_seconds"], entry["fraction_of_limit"], entry["peer_over_ours"]) == (2.0, 1.0, {})
    assert rates == {"hapforge": 2 / 18, "twice": 30 / 18}
    late = cases.measure(case, 5.0, rates, time.monotonic() + 1.5)
    assert late["seconds"] == {"hapforge": {"left_out": "2 s expected, 1.5 s left"}}
    assert "fraction_of_limit" not in late
    long, _ = cases.candidate(lambda: 0, lambda answer: True, 18, 1.0, time.monotonic() + 100)
    assert (long["median"], long["repeats"]) == (20.0, 1)


def test_tests_on_the_device_are_counted(gpu: Any) -> None:
    of = '<testcase classname="tests.kernels.{}" name="{}">{}</testcase>'
    names = ("test_x[5-cuda]", "test_x[cuda-5]", "test_forced_cuda_packs", "test_x[not_cuda]")
    lines = [of.format("test_hamming", name, "") for name in names]
    lines += [of.format("test_device_arrays", "test_a", ""), of.format("test_device_arrays", "test_b", "<skipped/>")]
    lines += [of.format("test_hamming", "test_y[cuda]", "<failure/>")]
    counts = gpu.counted(ElementTree.ElementTree(ElementTree.fromstring(f"<suite>{''.join(lines)}</suite>")))
    failures = ["tests.kernels.test_hamming::test_y[cuda]"]
    assert counts == {"passed": 5, "failed": 1, "skipped": 1, "on_cuda": 3, "failures": failures}


def test_what_ptxas_says_is_read(gpu: Any) -> None:
    name = "_ZN8hapforge4cuda3runINS_18nearest_neighbours12NearestTilesEEEvT_"
    said = (
        f"ptxas info    : Compiling entry function '{name}' for 'sm_75'\n"
        f"ptxas info    : Function properties for {name}\n"
        "    96 bytes stack frame, 116 bytes spill stores, 136 bytes spill loads\n"
        "ptxas info    : Used 128 registers, used 1 barriers, 96 bytes cumulative stack size, 49152 bytes smem\n"
        f"ptxas info    : Compiling entry function '{name}' for 'sm_90'\n"
        "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n"
        "ptxas info    : Used 126 registers, used 1 barriers\n"
    )
    assert gpu.of_ptxas(said) == [
        ("nearest_neighbours::NearestTiles", {"sm_75": {"registers": 128, "spill_bytes": 252, "shared_bytes": 49152}}),
        ("nearest_neighbours::NearestTiles", {"sm_90": {"registers": 126, "spill_bytes": 0, "shared_bytes": 0}}),
    ]


def test_programs_are_cut(gpu: Any) -> None:
    lines: list[str] = []
    program = "import time; print('first', flush=True); time.sleep(60)"
    found = gpu.run([sys.executable, "-S", "-c", program], 0.5, lines.append)
    assert (found["status"], found["said"], lines) == (-9, "first\n", ["first\n"])


def test_a_run_is_taken_up(gpu: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that run again replace what they said; a wrong answer fails; another commit starts anew."""
    import workloads

    entries = {name: {"workload": name, "seconds": {"hapforge": {"right": True}}, "limit_seconds": 1} for name in "ab"}

    def run(command: list[str], seconds: float, each: Any = lambda line: None) -> dict[str, Any]:
        if "bandwidth" in command:
            return {"said": '{"copy_bytes_per_second": 4.0}'}
        for entry in entries.values():
            each(json.dumps(entry))
        return {"status": 0, "said": ""}

    monkeypatch.setattr(gpu, "run", run)
    monkeypatch.setattr(gpu, "nvidia_smi", lambda fields: dict.fromkeys(fields.split(","), "1"))
    monkeypatch.setattr("peers.versions", lambda *names: {})
    path = tmp_path / "gpu.json"
    given = SimpleNamespace(seconds=60, only=["pack"], commit="abc", quick=True, o=path)
    assert gpu.measure(given)
    entries["a"]["workload"] = "c"
    entries["b"]["seconds"]["hapforge"]["right"] = False
    assert not gpu.measure(given)
    result = json.loads(path.read_text())
    assert [one["workload"] for one in result["results"]] == ["a", "c", "b"]
    assert result["steps"]["pack"]["ok"] is False
    assert result["machine"]["copy_bytes_per_second"] == 4
    assert set(workloads.machine()) <= set(result["machine"])
    given.commit = "abd"
    assert not gpu.measure(given)
    assert [one["workload"] for one in json.loads(path.read_text())["results"]] == ["c", "b"]


def test_the_table_is_made_of_the_result(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import tables

    monkeypatch.setattr(tables, "HERE", tmp_path)
    assert tables.gpu() == "CUDA kernels: not yet run on a device."
    ours = {"right": True, "median": 0.25}
    done = {"workload": "done", "seconds": {"hapforge": ours}, "fraction_of_limit": 0.5, "peer_over_ours": {"torch": 3}}
    wrong = {"workload": "wrong one", "seconds": {"hapforge": {"right": False, "median": 0.1}}}
    failed = {"workload": "broken", "seconds": {"hapforge": {"failed": "RuntimeError: x\nand more"}}}
    machine = {"name": "G", "driver_version": "580", "copy_bytes_per_second": 4.3e12}
    result = {"machine": machine, "peers": {"torch": "2.11"}, "results": [done, wrong, failed]}
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "gpu.json").write_text(json.dumps(result))
    assert tables.gpu().splitlines()[2:6] == [
        "| done | 0.25 | 50% | torch 3x |",
        "| wrong one | wrong | | |",
        "| broken | RuntimeError: x | | |",
        "",
    ]
    sys.modules.pop("tables")

"""Choice of backend, thread budget, and the thread pool under concurrent calls."""

import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from hapforge import _backend
from hapforge.errors import MissingBackendError
from hapforge.kernels import available_backends, hamming_histogram, nearest_neighbours
from kernels.cases import random_dense

KERNELS = [
    "allele_counts",
    "bcf_calls",
    "gibbs",
    "hamming",
    "joint_counts",
    "kmers",
    "nearest_neighbours",
    "nearest_set",
    "pack",
    "three_point",
]


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv("HAPFORGE_BACKEND", raising=False)
    monkeypatch.delenv("HAPFORGE_THREADS", raising=False)
    monkeypatch.setattr(_backend, "_threads", None)


@pytest.mark.parametrize("name", KERNELS)
def test_available_backends(name):
    have = available_backends(name)
    assert "scalar" in have
    assert set(have) <= set(_backend.BACKENDS)
    assert have == sorted(have, key=_backend.BACKENDS.index)
    assert _backend.resolve(name) == have[0]


def test_the_cpu_features_of_this_machine_are_used():
    flags = Path("/proc/cpuinfo").read_text().split()
    for name in KERNELS:
        assert ("avx2" in available_backends(name)) == ("avx2" in flags)
    popcount = {"avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vpopcntdq"} <= set(flags)
    assert ("avx512" in available_backends("hamming")) == popcount


def test_unknown_kernel():
    with pytest.raises(ValueError, match=r"unknown kernel 'sorting'; known: allele_counts, .*, pack"):
        available_backends("sorting")


@pytest.mark.parametrize("name", KERNELS)
def test_a_named_backend_is_taken_or_refused(name):
    for backend in _backend.BACKENDS:
        if backend in available_backends(name):
            assert _backend.resolve(name, backend) == backend
        else:
            with pytest.raises(MissingBackendError, match=f"backend: {name} has .* on this machine, found '{backend}'"):
                _backend.resolve(name, backend)
    with pytest.raises(MissingBackendError, match=r"backend: expected one of auto, avx512, .*, found 'sse2'"):
        _backend.resolve(name, "sse2")


def test_the_environment_forces_a_backend_but_an_argument_wins(monkeypatch):
    monkeypatch.setenv("HAPFORGE_BACKEND", "scalar")
    assert _backend.resolve("hamming") == "scalar"
    assert _backend.resolve("hamming", available_backends("hamming")[0]) == available_backends("hamming")[0]
    monkeypatch.setenv("HAPFORGE_BACKEND", "sse2")
    with pytest.raises(MissingBackendError, match=r"HAPFORGE_BACKEND: expected one of .*, found 'sse2'"):
        _backend.resolve("hamming")


SCRIPT = """
import numpy as np
from hapforge import _backend
from hapforge.kernels import pairwise_hamming
core, seen = _backend.core, []
class Spy:
    def __getattr__(self, name):
        def call(*args):
            seen.extend(a for a in args if isinstance(a, str) and name != "available_backends")
            return getattr(core, name)(*args)
        return call
_backend.core = Spy()
pairwise_hamming(np.eye(3, dtype=np.uint8))
print(*sorted(set(seen)))
"""


def run_forced(backend):
    environment = {**os.environ, "HAPFORGE_BACKEND": backend}
    return subprocess.run([sys.executable, "-c", SCRIPT], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("backend", _backend.core.available_backends("hamming"))
def test_a_forced_backend_runs_in_a_fresh_process(backend):
    done = run_forced(backend)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [backend]


@pytest.mark.parametrize("backend", ["sse2", "AVX2", "neon" if "avx2" in available_backends("hamming") else "avx2"])
def test_a_forced_backend_that_is_not_there_raises(backend):
    done = run_forced(backend)
    assert done.returncode != 0
    assert "MissingBackendError: HAPFORGE_BACKEND" in done.stderr
    assert f"found '{backend}'" in done.stderr


def test_thread_budget(monkeypatch):
    assert _backend.get_threads() == len(os.sched_getaffinity(0))
    monkeypatch.setenv("HAPFORGE_THREADS", "3")
    assert _backend.get_threads() == 3
    _backend.set_threads(5)
    assert _backend.get_threads() == 5
    assert _backend.get_threads(7) == 7
    _backend.set_threads(None)
    assert _backend.get_threads() == 3


@pytest.mark.parametrize("value", ["0", "-2", "two", "1.5", " "])
def test_a_bad_environment_is_named(monkeypatch, value):
    monkeypatch.setenv("HAPFORGE_THREADS", value)
    with pytest.raises(
        ValueError, match=f"HAPFORGE_THREADS: expected a whole number of threads from 1 to 4096, found '{value}'"
    ):
        _backend.get_threads()


@pytest.mark.parametrize("value", [0, -1, 1.5])
def test_a_bad_number_of_threads_is_named(value):
    for function in (_backend.set_threads, _backend.get_threads):
        with pytest.raises(ValueError, match="threads: expected a whole number of threads"):
            function(value)
    with pytest.raises(ValueError, match="threads: expected"):
        hamming_histogram(np.eye(3, dtype=np.uint8), threads=value)


def test_concurrent_calls_agree():
    dense = random_dense((300, 400))
    expected = nearest_neighbours(dense, k=3, threads=1)
    wrong, ready = [], threading.Barrier(8)

    def work(threads):
        ready.wait()
        for _ in range(20):
            found = nearest_neighbours(dense, k=3, threads=threads)
            if not (np.array_equal(found.index, expected.index) and np.array_equal(found.distance, expected.distance)):
                wrong.append(threads)

    workers = [threading.Thread(target=work, args=(1 + i % 4,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=60)
        assert not worker.is_alive()
    assert not wrong

"""The CUDA module where there is one, its absence where there is not. Emulated on the CPU by .ci/sanitize."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest

from hapforge import _backend
from hapforge.errors import MissingBackendError
from hapforge.kernels import allele_counts, pairwise_hamming
from hapforge.kernels.joint_counts import ld_moments

built = importlib.util.find_spec("hapforge._cuda") is not None
needs_module = pytest.mark.skipif(not built, reason="built without CUDA")
has_device = built and _backend.cuda().device_count() > 0


@needs_module
def test_the_module_loads_without_a_driver():
    count = _backend.cuda().device_count()
    assert isinstance(count, int)
    assert ("cuda" in _backend.available_backends("allele_counts")) == (count > 0)


@pytest.mark.skipif(has_device, reason="there is a device")
def test_without_a_device_cuda_is_refused():
    with pytest.raises(MissingBackendError, match=r"allele_counts has .*scalar on this machine, found 'cuda'"):
        allele_counts(np.eye(3, dtype=np.uint8), backend="cuda")


@needs_module
@pytest.mark.skipif(has_device, reason="there is a device")
def test_a_call_without_a_driver_names_the_cuda_function():
    with pytest.raises(RuntimeError, match=r"^cuda\w+: "):
        _backend.cuda().allele_counts(np.ones((3, 1), np.uint64), 64)


@pytest.mark.skipif(not has_device, reason="no device")
def test_forced_cuda_packs_on_the_cpu(monkeypatch, assert_ran):
    monkeypatch.setenv("HAPFORGE_BACKEND", "cuda")
    assert pairwise_hamming(np.eye(3, dtype=np.uint8)).tolist() == [[0, 2, 2], [2, 0, 2], [2, 2, 0]]
    assert_ran("pairwise_hamming", "cuda")


@pytest.mark.skipif(not has_device, reason="no device")
def test_what_has_no_cuda_kernel_refuses_it():
    with pytest.raises(MissingBackendError, match="ld_moments runs on the CPU only, found 'cuda'"):
        ld_moments(np.eye(3, dtype=np.uint8), np.eye(3, dtype=np.uint8), [0, 5], [3], [3], backend="cuda")


@pytest.fixture
def broken_driver(monkeypatch):
    """How often it was asked."""
    asked = []

    class Module:
        def device_count(self):
            asked.append(1)
            raise RuntimeError("cudaGetDeviceCount: system has unsupported display driver / cuda driver combination")

    monkeypatch.setattr(_backend, "cuda", Module)
    _backend._has_cuda.cache_clear()
    yield asked
    _backend._has_cuda.cache_clear()


def test_the_cpu_kernels_leave_the_driver_alone(monkeypatch, broken_driver):
    monkeypatch.delenv("HAPFORGE_BACKEND", raising=False)
    assert _backend.resolve("hamming") != "cuda"
    assert _backend.resolve("hamming", "scalar") == "scalar"
    assert broken_driver == []


def test_a_broken_driver_is_no_device(broken_driver):
    assert "cuda" not in _backend.available_backends("hamming")
    with pytest.raises(MissingBackendError, match="found 'cuda'"):
        _backend.resolve("hamming", "cuda")
    assert broken_driver == [1]


def test_a_build_without_cuda_works_and_says_so():
    script = """
import sys
sys.modules["hapforge._cuda"] = None  # import now fails as it does where the module was left out
import numpy as np
from hapforge import _backend, kernels
assert kernels.allele_counts(np.eye(3, dtype=np.uint8)).tolist() == [1, 1, 1]
assert "cuda" not in kernels.available_backends("allele_counts")
try:
    _backend.cuda()
except _backend.MissingBackendError as error:
    assert "no CUDA module" in str(error), error
else:
    raise AssertionError
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_importing_the_package_does_not_load_cuda():
    script = "import sys, hapforge; sys.exit('hapforge._cuda' in sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)

"""The build without nvcc: kernels that CuPy compiles. .ci/without_nvcc runs the CUDA tests on one, with fake_driver."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

from hapforge import _backend, _nvrtc
from hapforge.errors import MissingDependencyError

built = importlib.util.find_spec("hapforge._cuda") is not None and hasattr(_backend.cuda(), "set_compiler")
STEP = os.environ.get("HAPFORGE_WITHOUT_NVCC")  # of .ci/without_nvcc: "no driver", "fake driver" or "cupy"


def test_the_build_is_there_where_ci_needs_it():
    assert built or not STEP
    assert not STEP or (_backend.cuda().device_count() > 0) == (STEP == "fake driver")


def test_without_cupy_the_message_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MissingDependencyError, match=r"needs cupy.*pip install 'hapforge\[cuda\]'"):
        _nvrtc.Compiler(tmp_path / "kernels.cuh")("hapforge::hamming::DistanceTiles", 8, 0)


@pytest.mark.skipif(not built, reason="built with nvcc, or without CUDA")
def test_the_module_comes_with_the_text_of_its_kernels():
    text = (_backend._installed / "kernels.cuh").read_text()
    assert "struct NearestTiles {" in text
    assert '#include "' not in text


@pytest.mark.skipif(STEP != "fake driver", reason="needs the fake driver")
def test_what_compiles_may_fail():
    """The exception is the caller's, and the next call tries again."""
    script = """
import numpy as np
from hapforge import _backend, kernels
compiled = []
def compile(body, size, device):
    compiled.append((body, device))
    raise OSError("no compiler")
_backend.cuda().set_compiler(compile)
for _ in range(2):
    try:
        kernels.pairwise_hamming(np.eye(3, dtype=np.uint8), backend="cuda")
    except OSError as error:
        assert str(error) == "no compiler"
    else:
        raise AssertionError
assert compiled == [("hapforge::popcount_tile::CountSetBits", 0)] * 2, compiled
"""
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.skipif(STEP != "cupy", reason="needs CuPy, NVRTC, and kernels that were launched on the fake driver")
def test_cupy_compiles_every_kernel_that_was_launched():
    """With CuPy's own options; but to what is linked later, since it asks a device for its architecture otherwise."""
    from cupy.cuda import compiler

    launched = sorted(Path(os.environ["HAPFORGE_FAKE_CUPY"]).glob("*.cu"))
    assert len(launched) > 10
    for file in launched:
        options = (*_nvrtc.OPTIONS, "-ftz=true", "-dlto")
        code, _ = compiler.compile_using_nvrtc(file.read_text(), options, arch="90", method="lto")
        assert code

"""Kernels where hapforge was installed without nvcc: compiled by NVRTC through CuPy when one is launched first.

CuPy keeps what it compiled under ``~/.cupy/kernel_cache`` (``CUPY_CACHE_DIR``), by the whole text and its options.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hapforge.errors import MissingDependencyError

# CuPy adds the architecture, -ftz=true (no kernel makes a subnormal float32) and --device-as-default-execution-space.
OPTIONS = ("-std=c++17", "-device-int128")
NAME = "hapforge_kernel"


def code(headers: str, body: str, size: int) -> str:
    """CUDA C++ of the kernel of a body, a C++ type of so many bytes; `headers` is the text of kernels.cuh."""
    return f"""{headers}
static_assert(sizeof({body}) == {size}, "the host's compiler disagrees");
extern "C" __global__ void HAPFORGE_LAUNCH_BOUNDS({body}) {NAME}(const {body} body) {{ body(); }}
"""


class Compiler:
    """Compiles kernels; called as compiler(body, size, device) it gives the driver's handle of one."""

    def __init__(self, headers: Path) -> None:
        self._headers = headers
        self._kernels: dict[str, Any] = {}  # they stay loaded

    def __call__(self, body: str, size: int, device: int) -> int:
        try:
            import cupy
        except ImportError:
            raise MissingDependencyError("cupy", "cuda") from None
        if body not in self._kernels:
            source = code(self._headers.read_text(), body, size)
            self._kernels[body] = cupy.RawKernel(source, NAME, options=OPTIONS)
        with cupy.cuda.Device(device):
            return int(self._kernels[body].kernel.ptr)

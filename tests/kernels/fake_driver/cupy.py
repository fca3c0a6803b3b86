"""Stands in for CuPy where libcuda.cpp does for the driver: a kernel is compiled as C++ for the CPU emulation."""

import ctypes
import hashlib
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace

_EMULATION = Path(__file__).parent.parent / "emulation"
_CACHE = Path(os.environ["HAPFORGE_FAKE_CUPY"])  # between processes
_device = []

# libcuda.cpp calls this; the body's bytes are copied now, as a driver does.
_CALL = """
extern "C" void call(unsigned blocks, unsigned threads, void* stream, const void* body) {
  const auto copied = *static_cast<const %s*>(body);
  emulation::launch(dim3(blocks), dim3(threads), stream, [copied] { %s(copied); });
}
"""


class _Device:
    def __init__(self, device):
        self.device = device

    def __enter__(self):
        _device.append(self.device)

    def __exit__(self, *_):
        _device.pop()


cuda = SimpleNamespace(
    Device=_Device,
    runtime=SimpleNamespace(getDeviceCount=lambda: 0, CUDARuntimeError=RuntimeError),  # for packages that look
)


class RawKernel:
    def __init__(self, code, name, options=()):
        assert options == ("-std=c++17", "-device-int128")
        (body,) = re.findall(rf"{name}\(const (.+) body\)", code)
        self._code = code
        self._call = _CALL % (body, name)

    @property
    def kernel(self):
        assert _device, "no device was chosen"
        built = _CACHE / f"{hashlib.sha256(self._code.encode()).hexdigest()}.so"
        if not built.exists():
            built.with_suffix(".cu").write_text(self._code)  # for test_nvrtc.py
            made = built.with_suffix(f".{os.getpid()}")
            flags = ["-std=c++17", "-O1", "-shared", "-fPIC", "-ffp-contract=off", f"-I{_EMULATION}"]
            command = ["c++", *flags, "-x", "c++", "-", "-o", made]
            subprocess.run(command, input=self._code + self._call, text=True, check=True)
            made.rename(built)
        return SimpleNamespace(ptr=ctypes.cast(ctypes.CDLL(str(built)).call, ctypes.c_void_p).value)

"""hapforge_device.cuh: what it computes, as C++ on the CPU, and that numba.cuda and NVRTC link it, without a device."""

import ctypes
import importlib.util
import os
import re
import subprocess
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from kernels.cases import random_dense
from reference import gibbs as reference
from reference import pack

HEADER = Path(hf.get_include()) / "hapforge" / "hapforge_device.cuh"
EMULATION = Path(__file__).parent / "emulation"


@pytest.fixture(scope="module")
def functions(tmp_path_factory):
    """The functions for the CPU."""
    built = tmp_path_factory.mktemp("device") / "functions.so"
    flags = ["-std=c++17", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Werror", "-shared", "-fPIC"]
    source = f'#define HF_DEVICE_API extern "C"\n#include "{HEADER}"\n#include "{HEADER}"\n'
    command = ["c++", *flags, f"-I{EMULATION}", "-x", "c++", "-", "-o", str(built)]
    subprocess.run(command, input=source, text=True, check=True)
    library = ctypes.CDLL(str(built))
    library.hf_device_hamming_distance.restype = ctypes.c_uint32
    library.hf_device_joint_count.restype = ctypes.c_uint32
    return library


@pytest.mark.parametrize("num_sites", [0, 1, 63, 64, 65, 1000])
def test_rows_are_compared(functions, num_sites):
    dense = random_dense((2, num_sites), 5)
    dense[:, :1] = 1
    words = pack.pack(dense)
    rows = [ctypes.c_void_p(row.ctypes.data) for row in words]
    num_words = ctypes.c_uint64(words.shape[1])
    assert functions.hf_device_hamming_distance(*rows, num_words) == np.count_nonzero(dense[0] != dense[1])
    assert functions.hf_device_joint_count(*rows, num_words) == np.count_nonzero(dense[0] & dense[1])


def test_philox(functions):
    # The known answers of its authors' Random123, tests/kat_vectors.
    cases = [
        (0, (0,) * 4, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (2**64 - 1, (2**32 - 1,) * 4, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ]
    for seed, counter, expected in cases:
        words = (ctypes.c_uint32 * 4)()
        functions.hf_device_philox(ctypes.c_uint64(seed), *map(ctypes.c_uint32, counter), words)
        assert tuple(words) == expected


def test_units_are_those_of_the_reference(functions):
    rng = np.random.default_rng(3)
    seed, step, layer, first_chain = 2**63 + 11, 7, 1, 2**32 - 3
    for k in (1, 15, 20):
        field = rng.integers(-(2**k) * 4, 2**k * 4, (3, 70), endpoint=True).astype(np.int32)
        field[0, :4] = 0, 2**31 - 1, -(2**31), -1
        expected = reference.bernoulli_units(field, k, seed, step, layer, first_chain)
        found = [
            [
                functions.hf_device_draw_unit(
                    ctypes.c_int32(int(field[c, j])),
                    k,
                    ctypes.c_uint64(seed),
                    *map(ctypes.c_uint32, (step, layer, first_chain + c, j)),
                )
                for j in range(70)
            ]
            for c in range(3)
        ]
        assert np.array_equal(found, expected)
        assert 0 < expected.mean() < 1


# ---- numba.cuda: .ci/run has it -------------------------------------------------------------------------------------

has_numba_cuda = importlib.util.find_spec("numba_cuda") is not None
needs_numba_cuda = pytest.mark.skipif(not has_numba_cuda, reason="no numba-cuda")


def test_numba_cuda_is_there_where_ci_needs_it():
    assert has_numba_cuda or not os.environ.get("HAPFORGE_NUMBA_CUDA")


@pytest.mark.skipif(has_numba_cuda, reason="numba-cuda is installed")
def test_without_numba_cuda_the_message_says_what_to_install():
    with pytest.raises(ImportError, match=r"needs numba-cuda.*pip install 'hapforge\[numba-cuda\]'"):
        import hapforge.kernels.numba_cuda  # noqa: F401


def kernels():
    """Kernels of numba.cuda with the C functions that they call, and the types of their arguments."""
    from numba import cuda, types

    from hapforge.kernels import numba_cuda

    def distances(words, out):
        i, j = cuda.grid(2)
        if i < words.shape[0] and j < words.shape[0]:
            out[i, j] = numba_cuda.hamming_distance(words[i], words[j])
            out[j, i] = numba_cuda.joint_count(words[i], words[j])

    def draws(field, seed, out):
        unit = cuda.grid(1)
        if unit < len(field):
            random = numba_cuda.philox(seed, unit, 0, 0, 2)
            out[unit] = numba_cuda.draw_unit(field[unit], 15, seed, 0, 0, random[0] ^ random[3], unit)

    words, counts = types.Array(types.uint64, 2, "C"), types.Array(types.uint32, 2, "C")
    fields = types.Array(types.int32, 1, "C")
    return [
        (distances, (words, counts), ["hf_device_hamming_distance", "hf_device_joint_count"]),
        (draws, (fields, types.uint64, fields), ["hf_device_philox", "hf_device_draw_unit"]),
    ]


@needs_numba_cuda
@pytest.mark.parametrize("architecture", [(7, 5), (9, 0), (10, 0)])
def test_kernels_of_numba_call_and_link_the_functions(architecture):
    from numba import cuda

    name = "".join(map(str, architecture))
    functions = compile_header(f"-arch=compute_{name}", "-rdc=true")
    for kernel, types, called in kernels():
        code, _ = cuda.compile(kernel, types, cc=architecture, output="ptx", device=False, abi="numba")
        assert all(re.search(rf"\.extern \.func .*\b{f}\b", code) for f in called)
        image = link(f"-arch=sm_{name}", kind="PTX", parts=[code.encode(), functions])
        assert all(f.encode() in image for f in called)


@needs_numba_cuda
def test_with_link_time_optimisation_no_call_is_left():
    """numba compiles the functions itself."""
    from numba import cuda

    for kernel, types, called in kernels():
        codes, _ = cuda.compile_all(kernel, types, cc=(9, 0), output="ltoir", device=False, abi="numba")
        assert len(codes) == 2
        image = link("-arch=sm_90", "-lto", kind="LTOIR", parts=[getattr(code, "code", code) for code in codes])
        assert kernel.__name__.encode() in image
        assert not any(f.encode() in image for f in called)


@needs_numba_cuda
def test_other_arrays_do_not_compile():
    from numba import cuda, types
    from numba.core.errors import TypingError

    from hapforge.kernels import numba_cuda

    def compare(words, out):
        out[0] = numba_cuda.hamming_distance(words[0], words[1])

    out = types.Array(types.uint32, 1, "C")
    for words, message in [
        (types.Array(types.int64, 2, "C"), r"found array\(int64, 1d, C\)"),
        (types.Array(types.uint64, 2, "A"), r"found array\(uint64, 1d, A\)"),
        (types.Array(types.uint64, 1, "C"), r"found uint64"),
    ]:
        with pytest.raises(TypingError, match=f"expected a C-contiguous array of 1 dimension of uint64, {message}"):
            cuda.compile_ptx(compare, (words, out), cc=(9, 0))


def compile_header(*options):
    """The PTX that NVRTC makes of the header."""
    from cuda.bindings import nvrtc

    program = checked(nvrtc.nvrtcCreateProgram(HEADER.read_bytes(), b"hapforge_device.cuh", 0, [], []))
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), [option.encode() for option in options])
    log = bytearray(checked(nvrtc.nvrtcGetProgramLogSize(program)))
    checked(nvrtc.nvrtcGetProgramLog(program, log))
    assert int(status) == 0, log.decode()
    code = bytearray(checked(nvrtc.nvrtcGetPTXSize(program)))
    checked(nvrtc.nvrtcGetPTX(program, code))
    return bytes(code).rstrip(b"\0")


def link(*options, kind, parts):
    """The program of a device."""
    from cuda.bindings import nvjitlink

    linker = nvjitlink.create(len(options), list(options))
    for i, part in enumerate(parts):
        nvjitlink.add_data(linker, getattr(nvjitlink.InputType, kind), part, len(part), f"part {i}")
    nvjitlink.complete(linker)
    image = bytearray(nvjitlink.get_linked_cubin_size(linker))
    nvjitlink.get_linked_cubin(linker, image)
    return bytes(image)


def checked(found):
    status, *values = found
    assert int(status) == 0, status
    return values[0] if values else None

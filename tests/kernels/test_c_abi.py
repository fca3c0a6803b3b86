"""The C interface: every function and every error, the header, the libraries, and programs built on them."""

import ctypes
import itertools
import os
import re
import shutil
import subprocess
import sys
from importlib.metadata import entry_points, version
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.kernels import available_backends
from kernels import c_functions
from kernels.c_functions import LIBRARY, Status, call, matrix
from kernels.cases import random_dense
from kernels.interface_cases import NAMES, assert_equal, cases
from reference import pack as reference

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
HEADER = Path(hf.get_include()) / "hapforge" / "hapforge.h"
FAMILY = {
    **dict.fromkeys(["pack", "unpack", "transpose", "select_sites", "concat_sites"], "pack"),
    **dict.fromkeys(["pairwise_hamming", "hamming_histogram", "joint_counts_of_pairs", "gibbs_counts"], "hamming"),
    **dict.fromkeys(["joint_counts", "ld_matrix", "ld_decay"], "joint_counts"),
    "allele_counts": "allele_counts",
    **dict.fromkeys(["nearest_neighbours", "joint_nearest_neighbours"], "nearest_neighbours"),
    **dict.fromkeys(["three_point", "three_point_block"], "three_point"),
    "kmer_counts": "kmers",
    "nearest_set": "nearest_set",
    **dict.fromkeys(["gibbs", "gibbs_rectified"], "gibbs"),
}
ADJACENT = {
    "pairwise_hamming",
    "hamming_histogram",
    "nearest_neighbours",
    "joint_nearest_neighbours",
    "nearest_set",
    "joint_counts_of_pairs",
}
TWO_MATRICES = {"pairwise_hamming", "nearest_set", "joint_nearest_neighbours"}
WITHOUT_STRIDE = {"gibbs", "gibbs_rectified", "gibbs_counts", "concat_sites"}
ABOUT = {"hf_abi_version", "hf_version", "hf_status_message", "hf_available_backends", "hf_parallel_for"}


def declared():
    text = re.sub(r"/\*.*?\*/", "", HEADER.read_text(), flags=re.DOTALL)
    return set(re.findall(r"HF_API [\w *]+[ *](hf_\w+)\(", text))


def run(*command, **options):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True, check=False, **options)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(*names):
    for name in names:
        if found := shutil.which(name):
            return found
    pytest.skip(f"no {' or '.join(names)}")


def expect(status, name, *arguments, **how):
    with pytest.raises(Status) as caught:
        call(name, *arguments, **how)
    assert caught.value.args == (status,)


# ---- results ---------------------------------------------------------------------------------------------------------


def test_every_kernel_is_tried():
    assert {f"hf_{name}" for name in NAMES} == declared() - ABOUT
    assert set(FAMILY) == set(NAMES)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_results_on_every_backend(name, threads):
    for backend in ["auto", *(b for b in available_backends(FAMILY[name]) if b != "cuda")]:
        for arguments, expected in cases(name):
            found = getattr(c_functions, name)(*arguments, backend=backend, threads=threads)
            assert_equal(name, found, expected)


def test_rows_may_lie_apart(monkeypatch):
    """A stride larger than a row, where the header allows it."""
    dense = random_dense((67, 300))
    wide = np.full((67, 9), 2**64 - 1, np.uint64)
    wide[:, 2:7] = reference.pack(dense)
    window = wide[:, 2:7]
    index = np.array([299, 0, 64, 64])
    assert np.array_equal(c_functions.unpack(window, 300), dense)
    assert np.array_equal(c_functions.transpose(window, 300, threads=2), reference.pack(dense.T))
    assert np.array_equal(c_functions.select_sites(window, 300, index), reference.pack(dense[:, index]))
    assert np.array_equal(
        c_functions.select_sites(window, 300, np.sort(index[:3])), reference.pack(dense[:, [0, 64, 299]])
    )
    assert np.array_equal(c_functions.allele_counts(window, 300, threads=2), dense.sum(axis=0))
    wide_dense = dense.astype(np.int64)
    assert np.array_equal(c_functions.joint_counts(window, 300, threads=2), wide_dense.T @ wide_dense)
    adjacent = np.ascontiguousarray(window)
    for call_with in (
        lambda words: c_functions.ld_matrix(words, 300, 0, threads=2),
        lambda words: c_functions.three_point(words, 300, np.array([[0, 299, 64], [5, 6, 7]]), 0),
        lambda words: c_functions.kmer_counts(words, 300, 8, 3, 37, threads=2),
        lambda words: c_functions.kmer_counts(words, 300, 5, 0, 60),
        lambda words: c_functions.concat_sites(words, 300, words, 300),
    ):
        for backend in [b for b in available_backends("kmers") if b != "cuda"]:
            with monkeypatch.context() as forced:
                forced.setitem(c_functions.BACKENDS, "auto", c_functions.BACKENDS[backend])
                assert np.array_equal(call_with(window), call_with(adjacent), equal_nan=True)
    narrow, copied = wide[:, 4:5], np.ascontiguousarray(wide[:, 4:5])
    assert np.array_equal(c_functions.three_point_block(narrow, 64, 0), c_functions.three_point_block(copied, 64, 0))
    assert np.array_equal(c_functions.pack(dense[:, 11:171]), reference.pack(dense[:, 11:171]))
    assert np.array_equal(c_functions.pack(dense[::3]), reference.pack(dense[::3]))


def test_about():
    assert LIBRARY.hf_version().decode() == version("hapforge") == hf.__version__
    assert LIBRARY.hf_abi_version() == int(re.search(r"#define HF_ABI_VERSION (\d+)", HEADER.read_text())[1])
    codes = dict(re.findall(r"(HF_(?:OK|ERROR_\w+)) = (\d+)", HEADER.read_text()))
    assert sorted(map(int, codes.values())) == list(range(11))
    messages = [LIBRARY.hf_status_message(code).decode() for code in range(11)]
    assert len(set(messages)) == 11
    for code in (-1, 11, 2**31 - 1):
        assert LIBRARY.hf_status_message(code) == b"no status of hapforge"
    for name, code in re.findall(r"HF_BACKEND_(\w+) = (\d+)", HEADER.read_text()):
        assert c_functions.BACKENDS[name.lower()] == int(code)


@pytest.mark.parametrize("kernel", sorted(set(FAMILY.values())))
def test_available_backends(kernel):
    names = {code: name for name, code in c_functions.BACKENDS.items()}
    expected = [b for b in available_backends(kernel) if b != "cuda"]
    codes, count = (ctypes.c_int * 8)(*[-1] * 8), ctypes.c_int64()
    for capacity in (8, 1, 0):
        status = LIBRARY.hf_available_backends(kernel.encode(), codes, ctypes.c_int64(capacity), ctypes.byref(count))
        assert (status, count.value) == (0, len(expected))
        assert [names[codes[i]] for i in range(min(capacity, len(expected)))] == expected[:capacity]
        assert codes[len(expected)] == -1
    assert LIBRARY.hf_available_backends(b"sorting", codes, ctypes.c_int64(8), ctypes.byref(count)) == c_functions.VALUE
    assert LIBRARY.hf_available_backends(None, codes, ctypes.c_int64(8), ctypes.byref(count)) == c_functions.POINTER


def test_parallel_for():
    kind = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    done = []
    function = kind(lambda context, task, slot: done.append((context, task, slot)))

    def go(tasks, threads, function=function):
        return LIBRARY.hf_parallel_for(ctypes.c_int64(tasks), threads, function, ctypes.c_void_p(77))

    assert go(100, 4) == 0
    assert sorted(task for _, task, _ in done) == list(range(100))
    assert {context for context, _, _ in done} == {77}
    assert all(0 <= slot < 4 for _, _, slot in done)
    done.clear()
    assert go(0, 4) == 0
    assert done == []
    assert go(-1, 4) == c_functions.SIZE
    assert go(5, 0) == go(5, 4097) == c_functions.THREADS
    assert go(5, 1, kind(0)) == c_functions.POINTER


# ---- errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_backends_and_threads_are_checked(name):
    arguments, _ = cases(name)[-1]
    function = getattr(c_functions, name)
    have = {c_functions.BACKENDS[b] for b in available_backends(FAMILY[name]) if b != "cuda"} | {0}
    for backend in range(-1, 7):
        if backend not in have:
            with pytest.raises(Status, match=f"^{c_functions.BACKEND}$"):
                function(*arguments, backend=backend)
    for threads in (0, -1, 4097):
        with pytest.raises(Status, match=f"^{c_functions.THREADS}$"):
            function(*arguments, threads=threads)
    assert_equal(name, function(*arguments, threads=4096), cases(name)[-1][1])


@pytest.mark.parametrize("name", NAMES)
def test_null_and_misaligned_pointers(name, monkeypatch):
    """Each array in turn is absent, then one byte off its alignment; both are refused before anything is read."""
    arguments, _ = cases(name)[-1]
    seen = []
    monkeypatch.setattr(c_functions, "call", lambda name, *converted, **how: seen.append(converted))
    getattr(c_functions, name)(*arguments)
    (converted,) = seen
    optional = {
        "hamming_histogram": {3},
        "nearest_neighbours": {3},
        "ld_decay": {5},
        "gibbs": {8},
        "gibbs_rectified": {8},
    }.get(name, set())
    arrays = [i for i, a in enumerate(converted) if isinstance(a, np.ndarray)]
    assert len(arrays) >= 2
    for i in arrays:
        wrong = [ctypes.c_void_p(converted[i].ctypes.data + 1)] if converted[i].itemsize > 1 else []
        for value in wrong + ([] if i in optional else [None]):
            expect(c_functions.POINTER, name, *converted[:i], value, *converted[i + 1 :])


@pytest.mark.parametrize("name", [n for n in NAMES if n not in WITHOUT_STRIDE])
def test_sizes_and_strides(name, monkeypatch):
    arguments, _ = cases(name)[-1]
    seen = []
    monkeypatch.setattr(c_functions, "call", lambda name, *converted, **how: seen.append(converted))
    getattr(c_functions, name)(*arguments)
    (converted,) = seen
    words = [(0, 1, 6, 2), (3, 4, 6, 5)] if name in TWO_MATRICES else None
    if name in ("hamming_histogram", "nearest_neighbours"):
        words = [(0, 1, 6, 2)] + ([(3, 4, 6, 5)] if converted[3] is not None else [])
    for _, rows, columns, row_stride in words or [(0, 1, 2, 3)]:

        def change(at, value):
            return [*converted[:at], value, *converted[at + 1 :]]

        for at in (rows, columns):
            for value in (-1, 2**31, 2**62):
                expect(c_functions.SIZE, name, *change(at, value))
        for value in (converted[row_stride] - 1, 0):
            expect(c_functions.STRIDE, name, *change(row_stride, value))
        expect(c_functions.SIZE, name, *change(row_stride, -1))
        if name in ADJACENT:
            expect(c_functions.STRIDE, name, *change(row_stride, converted[row_stride] + 1))


@pytest.mark.parametrize("name", [n for n in NAMES if n != "pack"])
def test_padding_bits_are_checked(name):
    arguments, _ = cases(name)[-1]
    for i, words in enumerate(arguments):
        if isinstance(words, np.ndarray) and words.dtype == np.uint64:
            dirty = words.copy()
            dirty[-1, -1] |= np.uint64(1) << np.uint64(63)
            with pytest.raises(Status, match=f"^{c_functions.PADDING}$"):
                getattr(c_functions, name)(*arguments[:i], dirty, *arguments[i + 1 :])


def test_values_and_indices():
    words = reference.pack(random_dense((6, 100)))
    for bad in (-1, 100, 2**62):
        with pytest.raises(Status, match=f"^{c_functions.INDEX}$"):
            c_functions.select_sites(words, 100, np.array([5, bad]))
    for bad in (-1, 6):
        with pytest.raises(Status, match=f"^{c_functions.INDEX}$"):
            c_functions.joint_counts_of_pairs(words, 100, np.array([[0, 5], [bad, 0]]))
    expect(c_functions.SIZE, "select_sites", *matrix(words, 100), np.array([1]), -1, np.empty((6, 1), np.uint64))
    expect(
        c_functions.SIZE, "joint_counts_of_pairs", *matrix(words, 100), np.array([[0, 1]]), -1, np.empty(1, np.int64)
    )
    dense = random_dense((6, 100))
    dense[5, 99] = 2
    with pytest.raises(Status, match=f"^{c_functions.VALUE}$"):
        c_functions.pack(dense, threads=2)
    result = np.empty((6, 7), np.int64), np.empty((6, 7), np.uint32)
    for k, exclude_self in [(0, 0), (-1, 0), (7, 0), (6, 1), (1, 2)]:
        expect(c_functions.VALUE, "nearest_neighbours", words, 6, 2, None, 0, 0, 100, k, exclude_self, *result)


def test_concat_sites_checks_every_part():
    words = reference.pack(random_dense((6, 100)))
    here, joined = words.ctypes.data, np.empty((6, 4), np.uint64)

    def refused(status, parts=(here, here), sites=(100, 100), strides=(2, 2), number=2, rows=6):
        lists = np.array(parts, np.uint64), np.array(sites), np.array(strides)
        expect(status, "concat_sites", *lists, number, rows, joined)

    refused(c_functions.POINTER, parts=(here, 0))
    refused(c_functions.POINTER, parts=(here, here + 1))
    refused(c_functions.PADDING, sites=(100, 99), parts=(here, np.full((6, 2), 2**64 - 1, np.uint64).ctypes.data))
    refused(c_functions.STRIDE, strides=(2, 1))
    for wrong in (-1, 2**31):
        refused(c_functions.SIZE, sites=(100, wrong))
        refused(c_functions.SIZE, rows=wrong)
    refused(c_functions.SIZE, number=0)
    refused(c_functions.SIZE, number=-1)


def test_three_point_and_kmers_refuse_what_is_not_there():
    words = reference.pack(random_dense((6, 100)))
    for bad in (-1, 100):
        with pytest.raises(Status, match=f"^{c_functions.INDEX}$"):
            c_functions.three_point(words, 100, np.array([[0, 1, bad]]), 0)
    with pytest.raises(Status, match=f"^{c_functions.VALUE}$"):
        c_functions.three_point(words, 100, np.array([[0, 1, 2]]), 2)
    one = np.empty(1)
    expect(c_functions.VALUE, "three_point_block", *matrix(words, 100), 2, one)
    expect(c_functions.SIZE, "three_point_block", None, 0, 2**19 + 1, 2**19, 0, one)
    expect(c_functions.SIZE, "three_point", *matrix(words, 100), np.array([[0, 1, 2]]), -1, 0, one)
    counts = np.empty((1, 4), np.int64)
    for k in (0, 17, -1):
        expect(c_functions.VALUE, "kmer_counts", *matrix(words, 100), k, 0, 1, counts)
    for first, windows in [(-1, 1), (101, 0), (0, 51), (99, 1)]:
        expect(c_functions.INDEX, "kmer_counts", *matrix(words, 100), 2, first, windows, counts)
    expect(c_functions.SIZE, "kmer_counts", *matrix(words, 100), 2, 0, -1, counts)


def test_searches_that_are_not_wanted():
    a, b = reference.pack(random_dense((6, 100))), reference.pack(random_dense((4, 100), seed=1))
    every = c_functions.joint_nearest_neighbours(a, b, 100, 3)
    for wanted in itertools.product((False, True), repeat=4):
        found = [np.zeros_like(array) if wanted[i // 2] else None for i, array in enumerate(every)]
        call("joint_nearest_neighbours", a, 6, 2, b, 4, 2, 100, 3, *found)
        for one, other in zip(found, every, strict=True):
            assert one is None or np.array_equal(one, other)
    for k, unwanted in [(0, ()), (4, (0, 1)), (5, (6, 7)), (5, (2, 3, 6, 7)), (6, (2, 3, 6, 7, 4, 5))]:
        found = [None if i in unwanted else np.zeros((6, 6), array.dtype) for i, array in enumerate(every)]
        if (k, unwanted) == (5, (2, 3, 6, 7)):
            call("joint_nearest_neighbours", a, 6, 2, b, 4, 2, 100, k, *found)
        else:
            expect(c_functions.VALUE, "joint_nearest_neighbours", a, 6, 2, b, 4, 2, 100, k, *found)


def test_nearest_set_needs_two_rows():
    words = reference.pack(random_dense((1, 100)))
    with pytest.raises(Status, match=f"^{c_functions.SIZE}$"):
        c_functions.nearest_set(words, words[:0], 100)
    assert c_functions.nearest_set(words, words, 100)[1].tolist() == [2, 1]


def test_gibbs_refuses_what_it_cannot_draw(monkeypatch):
    arguments, _ = cases("gibbs")[-1]
    seen = []
    monkeypatch.setattr(c_functions, "call", lambda name, *converted, **how: seen.append(converted))
    c_functions.gibbs(*arguments)
    c_functions.gibbs_counts(arguments[4], arguments[4], arguments[5])
    drawn, counted = seen

    def refused(status, **changes):
        names = ("weights", "a", "b", "v", "h", "bits", "visible", "hidden", "clamp", "chains", "seed", "c0", "t0", "t")
        values = dict(zip(names, drawn, strict=True)) | changes
        expect(status, "gibbs", *values.values())

    for wrong in (-1, 2**31):
        for name in ("v", "h", "chains"):
            refused(c_functions.SIZE, **{name: wrong})
        for at in (2, 3, 4):
            expect(c_functions.SIZE, "gibbs_counts", *counted[:at], wrong, *counted[at + 1 :])
    for bits in (0, 21):
        refused(c_functions.VALUE, bits=bits)
    for wrong in (-1, 2**32 - 1, 2**32):
        refused(c_functions.VALUE, c0=wrong)
        refused(c_functions.VALUE, t0=wrong)
    for wrong in (0, -1, 2**32):
        refused(c_functions.VALUE, t=wrong)
    for name, unit in (("weights", (3, 4)), ("a", 3), ("b", 4)):
        for value in (2**31 - 1, -(2**31)):
            large = drawn[("weights", "a", "b").index(name)].copy()
            large[unit] = value
            refused(c_functions.VALUE, **{name: large})


def test_ld_decay_at_the_farthest_positions():
    words, num_sites, position, _, _ = cases("ld_decay")[0][0]
    far = np.where(np.arange(num_sites) >= num_sites - 2, 2**62, position)
    edges = np.array([0, 2**61, 2**62], np.int64)
    _, num_pairs = c_functions.ld_decay(words, num_sites, far, None, edges)
    assert num_pairs.tolist() == [(num_sites - 2) * (num_sites - 3) // 2 + 1, 2 * (num_sites - 2)]


def test_ld_refuses_what_it_cannot_use():
    words, num_sites, position, _, edges = cases("ld_decay")[0][0]
    for statistic in (-1, 4):
        with pytest.raises(Status, match=f"^{c_functions.VALUE}$"):
            c_functions.ld_matrix(words, num_sites, statistic)
    one = np.ones(num_sites, np.int64)
    far = np.where(np.arange(num_sites) == num_sites - 1, 2**62 + 1, position)
    for bad in (position[::-1].copy(), position - 100, far):
        with pytest.raises(Status, match=f"^{c_functions.VALUE}$"):
            c_functions.ld_decay(words, num_sites, bad, one, edges)
    for bad in ([0, 0], [2, 1], [-1, 1], [0, 2**62 + 1]):
        with pytest.raises(Status, match=f"^{c_functions.VALUE}$"):
            c_functions.ld_decay(words, num_sites, position, None, np.array(bad))
    for monomorphic in (words & ~np.uint64(16), words | np.uint64(16)):
        with pytest.raises(Status, match=f"^{c_functions.VALUE}$"):
            c_functions.ld_decay(monomorphic, num_sites, position, None, edges)
    expect(c_functions.SIZE, "ld_decay", *matrix(words, num_sites), position, None, edges, 0, *np.empty((2, 4)))


def test_no_memory_is_a_status():
    """The exception of a failed allocation does not leave the library."""
    if "asan" in os.environ.get("LD_PRELOAD", ""):
        pytest.skip("the address sanitizer cannot run under a limit of address space")
    script = f"""
import ctypes, resource
library = ctypes.CDLL({LIBRARY._name!r})
k = 1 << 24
index, distance = (ctypes.c_int64 * k)(), (ctypes.c_uint32 * k)()
taken = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (taken + (64 << 20),) * 2)  # k candidates are 128 MiB
i64 = ctypes.c_int64
for targets in (None, index):
    arguments = (index, i64(1), i64(0), targets, i64(k), i64(0), i64(0), i64(k), 0, index, distance)
    print(library.hf_nearest_neighbours(*arguments, 0, 1))
"""
    found = run(sys.executable, "-c", script).split()
    assert found == [str(c_functions.VALUE), str(c_functions.MEMORY)]  # without targets one query has k = 1


# ---- header and libraries --------------------------------------------------------------------------------------------


def compilers():
    return [("C", s) for s in ("c99", "c11", "c17")] + [("CXX", s) for s in ("c++11", "c++17", "c++20")]


@pytest.mark.parametrize(("language", "standard"), compilers())
def test_the_header_compiles_without_a_warning(language, standard, tmp_path):
    compiler = tool("cc", "gcc", "clang") if language == "C" else tool("c++", "g++", "clang++")
    source = tmp_path / ("header.c" if language == "C" else "header.cpp")
    source.write_text("#include <hapforge/hapforge.h>\n" * 2 + "int used(void);\nint used(void) { return HF_OK; }\n")
    strict = ["-Wstrict-prototypes", "-Wmissing-prototypes"] if language == "C" else ["-Wold-style-cast", "-Wshadow"]
    flags = ["-Wall", "-Wextra", "-pedantic", "-Werror", *strict, f"-std={standard}"]
    run(compiler, *flags, f"-I{hf.get_include()}", "-c", source, "-o", tmp_path / "header.o")


def test_exported_symbols():
    library = LIBRARY._name
    lines = run(tool("nm"), "-D", "--defined-only", library).splitlines()
    symbols = {line.split()[2] for line in lines if line.split()[1] != "A"}
    assert symbols == {f"{name}@@HAPFORGE_1" for name in declared()}
    dynamic = run(tool("readelf"), "-d", library)
    assert re.search(r"SONAME.*\[libhapforge\.so\.1\]", dynamic)
    assert "RUNPATH" not in dynamic


def test_one_library_and_one_pool_in_a_process():
    """The Python module takes its threads from the shared library, found beside it."""
    from hapforge import _backend

    undefined = run(tool("nm"), "-D", "--undefined-only", _backend.core.__file__)
    assert re.search(r" hf_parallel_for@HAPFORGE_1$", undefined, flags=re.MULTILINE)
    assert re.search(r"RUNPATH.*\[\$ORIGIN/lib\]", run(tool("readelf"), "-d", _backend.core.__file__))
    loaded = {line.split()[-1] for line in Path("/proc/self/maps").read_text().splitlines() if "libhapforge" in line}
    assert {os.path.realpath(path) for path in loaded} == {os.path.realpath(LIBRARY._name)}
    script = f"""
import ctypes, numpy as np, pathlib
from hapforge.kernels import hamming_histogram
threads = lambda: len(list(pathlib.Path("/proc/self/task").iterdir()))
before = threads()
dense = np.random.default_rng(0).integers(0, 2, (600, 300), dtype=np.uint8)
expected = hamming_histogram(dense, threads=4)
print(threads() - before)
library = ctypes.CDLL({LIBRARY._name!r})
from hapforge import HaplotypeMatrix
words, counts = HaplotypeMatrix.from_dense(dense).words, np.empty(301, np.int64)
p, i = lambda a: ctypes.c_void_p(a.ctypes.data), ctypes.c_int64
assert library.hf_hamming_histogram(p(words), i(600), i(5), None, i(0), i(0), i(300), p(counts), 0, 4) == 0
assert np.array_equal(counts, expected)
print(threads() - before)
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    assert run(sys.executable, "-c", script, env=environment).split() == ["3", "3"]


# ---- programs --------------------------------------------------------------------------------------------------------

NEIGHBOURS = "0: 1 at 1\n1: 0 at 1\n2: 1 at 2\n3: 2 at 2\n"


def test_a_program_linked_by_hand(tmp_path):
    compiler = tool("cc", "gcc", "clang")
    program = tmp_path / "neighbours"
    libraries = hf.get_library_dir()
    run(
        compiler,
        *("-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", EXAMPLES / "cmake" / "neighbours.c"),
        *(f"-I{hf.get_include()}", f"-L{libraries}", f"-Wl,-rpath,{libraries}", "-lhapforge", "-o", program),
    )
    assert run(program) == NEIGHBOURS


def test_a_cmake_project(tmp_path):
    tool("cc", "gcc", "clang")
    cmake = tool("cmake")
    build = tmp_path / "build"
    run(
        cmake,
        "-S",
        EXAMPLES / "cmake",
        "-B",
        build,
        f"-Dhapforge_DIR={hf.get_cmake_dir()}",
        "-DCMAKE_BUILD_TYPE=Release",
    )
    run(cmake, "--build", build)
    for library in ("hapforge", "hapforge_static"):
        program = build / f"neighbours_with_{library}"
        assert run(program) == NEIGHBOURS
        needed = run(tool("readelf"), "-d", program)
        assert ("libhapforge.so.1" in needed) == (library == "hapforge")


@pytest.mark.slow
def test_a_package_built_on_the_kernels(tmp_path):
    """tests/examples/downstream finds hapforge by the entry point alone."""
    tool("c++", "g++", "clang++")
    for module in ("scikit_build_core", "pybind11"):
        pytest.importorskip(module)
    tool("cmake")
    assert [e.value for e in entry_points(group="cmake.root", name="hapforge")][:1] == ["hapforge"]
    source = shutil.copytree(EXAMPLES / "downstream", tmp_path / "source")
    site = tmp_path / "site"
    run(
        sys.executable, "-m", "pip", "install", "-q", "--no-build-isolation", "--no-deps", "--no-index",
        "--disable-pip-version-check", "--target", site, source,
    )  # fmt: skip
    script = """
import numpy as np
from haplotype_twins import count_twins
from hapforge import HaplotypeMatrix
m = HaplotypeMatrix.from_dense(np.array([[0, 1, 1], [1, 1, 0], [0, 1, 1], [1, 1, 0], [0, 1, 1]], np.uint8))
print(count_twins(m.words, m.num_sites, threads=2))
try:
    count_twins(m.words, 65)
except ValueError as error:
    print(error)
print(len({line.split()[-1] for line in open("/proc/self/maps") if "libhapforge" in line}))
"""
    found = run(sys.executable, "-c", script, env={**os.environ, "PYTHONPATH": str(site)}).splitlines()
    assert found == ["4", "a stride is less than a row, or rows that must be adjacent have a gap", "1"]


def test_a_host_may_unload_the_library():
    """Its threads sleep in its code, so it stays."""
    script = f"""
import _ctypes, ctypes, os
words, counts = (ctypes.c_uint64 * 5000)(), (ctypes.c_int64 * 64)()
i64 = ctypes.c_int64
for _ in range(3):
    library = ctypes.CDLL({LIBRARY._name!r})
    assert library.hf_allele_counts(words, i64(5000), i64(64), i64(1), counts, 0, 4) == 0
    _ctypes.dlclose(library._handle)
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr

"""The only importer of the compiled modules: which backend runs, on how many threads.

Two environment variables are read. ``HAPFORGE_BACKEND`` forces one backend for every call that does not name one
itself; a name that is unknown, or that this machine or build lacks for the kernel at hand, raises
`MissingBackendError` and never falls back; but packing and reading run on the CPU under "cuda", too.
``HAPFORGE_THREADS`` is the thread budget where `set_threads` was not called.
"""

from __future__ import annotations

import operator
import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from hapforge import _core, _nvrtc
from hapforge.errors import MissingBackendError

if TYPE_CHECKING:
    from types import ModuleType

Words = NDArray[np.uint64]
_Item = TypeVar("_Item")
_Found = TypeVar("_Found")

BACKENDS = ("avx512", "avx2", "neon", "scalar", "cuda")
"""Every backend name there is, on any machine."""

_CUDA_KERNELS = frozenset(
    {"allele_counts", "gibbs", "hamming", "joint_counts", "nearest_neighbours", "nearest_set", "three_point"}
)
_HOST_STEPS = frozenset({"bcf_calls", "pack"})  # on the way from a file or an array to a kernel
_PACK_BLOCK_BYTES = 64 << 20
_MAX_THREADS = 4096

_threads: int | None = None
_blas = threading.Lock()
_blas_users = 0
_blas_limit: Any = None
_cuda_lock = threading.Lock()
_cuda_users = 0

core = _core
"""The CPU module."""

_installed = Path(_core.__file__).parent  # in an editable install not where the Python files are


def explain_bus_errors() -> None:
    """End this process with one line and exit code 2 where a mapped file loses a part that is then used (SIGBUS)."""
    expected = "expected a mapped file (.hapz) that keeps its size while it is used, found that a program cut it"
    core.explain_bus_errors(f"hapforge: {expected}\n".encode())


def get_include() -> str:
    """The folder to compile against: it holds ``hapforge/hapforge.h``, the C interface of the kernels."""
    return str(_installed / "include")


def get_library_dir() -> str:
    """The folder to link against: it holds ``libhapforge.so.1``, ``libhapforge.so`` (for ``-lhapforge``) and ``.a``."""
    return str(_installed / "lib")


def get_cmake_dir() -> str:
    """The folder of the CMake package: ``hapforge_DIR`` for ``find_package(hapforge CONFIG)``."""
    return str(_installed / "lib" / "cmake" / "hapforge")


@cache
def cuda() -> ModuleType:
    """The CUDA module.

    Raises
    ------
    MissingBackendError
        It was left out of this build.
    """
    try:
        from hapforge import _cuda
    except ImportError as error:
        raise MissingBackendError(f"backend 'cuda': this build of hapforge has no CUDA module ({error})") from error
    if hasattr(_cuda, "set_compiler"):  # built without nvcc
        _cuda.set_compiler(_nvrtc.Compiler(_installed / "kernels.cuh"))
    return _cuda


@cache
def _has_cuda() -> bool:
    try:
        return bool(cuda().device_count() > 0)
    except RuntimeError:  # no CUDA module, or a broken driver, without which the CPU's kernels still run
        return False


os.register_at_fork(after_in_child=_has_cuda.cache_clear)  # a child cannot use the driver that its parent started


def available_backends(name: str) -> list[str]:
    """Backends of a kernel that this machine and this build can run, fastest first; "cuda" last.

    Parameters
    ----------
    name : str
        A kernel: "allele_counts", "bcf_calls", "convolution", "gibbs", "hamming", "joint_counts", "kmers",
        "nearest_neighbours", "nearest_set", "normalisation", "pack", "three_point".

    Returns
    -------
    list of str
        Out of "avx512", "avx2", "neon", "scalar", "cuda". ``backend="auto"`` takes the first for an input on the
        host.

    Raises
    ------
    ValueError
        No kernel has this name.
    """
    return core.available_backends(name) + (["cuda"] if name in _CUDA_KERNELS and _has_cuda() else [])


def resolve(name: str, backend: str = "auto", *, prefer_cuda: bool = False) -> str:
    """The backend that a call of kernel `name` runs on.

    Parameters
    ----------
    name : str
        A kernel, as in `available_backends`.
    backend : str
        "auto" is ``HAPFORGE_BACKEND`` where that is set, else the fastest; any other name is taken as it is.
    prefer_cuda : bool
        Whether "auto" is "cuda" where nothing is forced.

    Raises
    ------
    MissingBackendError
        The backend is unknown or not available for this kernel here.
    """
    source = "backend"
    have = core.available_backends(name)
    if backend == "auto":
        forced = os.environ.get("HAPFORGE_BACKEND", "")
        if forced in ("", "auto"):
            return resolve(name, "cuda") if prefer_cuda else have[0]
        if forced == "cuda" and name in _HOST_STEPS:
            return have[0]
        backend, source = forced, "HAPFORGE_BACKEND"
    if backend in have:
        return backend
    if backend not in BACKENDS:
        raise MissingBackendError(f"{source}: expected one of {', '.join(('auto', *BACKENDS))}, found {backend!r}")
    have = available_backends(name)  # starts the CUDA driver, which a fork of this process cannot use
    if backend not in have:
        raise MissingBackendError(f"{source}: {name} has {', '.join(have)} on this machine, found {backend!r}")
    return backend


@contextmanager
def preferring_cuda() -> Iterator[None]:
    """Kernels that have a CUDA part take it for input on the host, too, in the process while any thread is in here.

    Nothing changes where there is no device, nor where ``HAPFORGE_BACKEND`` or a call names a backend.
    """
    global _cuda_users
    with _cuda_lock:
        _cuda_users += 1
    try:
        yield
    finally:
        with _cuda_lock:
            _cuda_users -= 1


def cuda_is_preferred() -> bool:
    """Whether input on the host goes to a device now."""
    return _cuda_users > 0 and _has_cuda()


def run(function: str, *args: Any, backend: str, threads: int) -> Any:
    """function(*args) of the CUDA module where `backend`, a resolved one, is "cuda"; else of the CPU module.

    The CUDA module works where its first array on a device is, on that one's stream, and leaves the result there as a
    `DeviceArray`; without such an array on the current device, from and to the host.
    """
    if backend == "cuda":
        return getattr(cuda(), function)(*args)
    return getattr(core, function)(*args, backend, threads)


def _positive(value: Any, source: str) -> int:
    try:
        threads = int(value) if isinstance(value, str) else operator.index(value)
    except (TypeError, ValueError):
        threads = 0
    if not 1 <= threads <= _MAX_THREADS:
        raise ValueError(f"{source}: expected a whole number of threads from 1 to {_MAX_THREADS}, found {value!r}")
    return threads


def set_threads(n: int | None) -> None:
    """Set the thread budget of every kernel call that does not name its own; None goes back to the default."""
    global _threads
    _threads = None if n is None else _positive(n, "threads")


def get_threads(threads: int | None = None) -> int:
    """The thread budget of one call.

    It is `threads`, else what `set_threads` set, else ``HAPFORGE_THREADS``, else the number of CPUs this process may
    run on.

    Raises
    ------
    ValueError
        Not a whole number from 1 to 4096; the message says whether the argument or the environment was wrong.
    """
    if threads is not None:
        return _positive(threads, "threads")
    if _threads is not None:
        return _threads
    if value := os.environ.get("HAPFORGE_THREADS", ""):
        return _positive(value, "HAPFORGE_THREADS")
    return len(os.sched_getaffinity(0))


def map_threads(work: Callable[[_Item], _Found], items: Iterable[_Item], most: int = _MAX_THREADS) -> list[_Found]:
    """work(item) of every item, in their order, side by side on the thread budget but never more than `most`."""
    with ThreadPoolExecutor(min(get_threads(), most)) as pool:
        return list(pool.map(work, items))


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """numpy's linear algebra on one thread, for the whole process, while any thread is in here; also a decorator.

    Its results then do not depend on the number of threads. Decompositions of a thousand columns gain nothing from
    more, and wait long for them where other processes use the cores.
    """
    global _blas_users, _blas_limit
    from threadpoolctl import ThreadpoolController  # not at start-up

    with _blas:
        if _blas_users == 0:
            _blas_limit = ThreadpoolController().limit(limits=1, user_api="blas")
        _blas_users += 1
    try:
        yield
    finally:
        with _blas:
            _blas_users -= 1
            if _blas_users == 0:
                _blas_limit.restore_original_limits()


def pack(dense: NDArray[np.uint8], threads: int | None = None) -> Words:
    """Pack a dense matrix of 0 and 1.

    Parameters
    ----------
    dense : uint8 (n, num_sites)
        Of any strides; what is not C-contiguous is copied a block of rows at a time.

    Returns
    -------
    uint64 (n, words_per_row)
        Site j is bit j % 64 of word j // 64; padding bits are zero.

    Raises
    ------
    ValueError
        A value other than 0 and 1; the message names row, column and value.
    """
    backend, threads = resolve("pack"), get_threads(threads)
    if dense.flags.c_contiguous:
        return core.pack(dense, 0, backend, threads)
    rows, sites = dense.shape
    step = max(1, _PACK_BLOCK_BYTES // max(1, sites))
    words = np.empty((rows, -(-sites // 64)), dtype=np.uint64)
    for start in range(0, rows, step):
        block = np.ascontiguousarray(dense[start : start + step])
        words[start : start + step] = core.pack(block, start, backend, threads)
        del block  # before the next one is made
    return words


def unpack(words: Words, num_sites: int, threads: int | None = None) -> NDArray[np.uint8]:
    """The inverse of `pack`: uint8 (n, num_sites) of 0 and 1."""
    return core.unpack(words, num_sites, resolve("pack"), get_threads(threads))


def select_sites(words: Words, num_sites: int, index: NDArray[np.int64], threads: int | None = None) -> Words:
    """Gather columns: column index[k] becomes column k. Repeats and any order are fine; IndexError out of range.

    Words on a device are gathered there.
    """
    if not isinstance(words, np.ndarray):
        return cuda().select_sites(words, num_sites, index)
    return core.select_sites(words, num_sites, index, resolve("pack"), get_threads(threads))


def transpose(words: Words, num_sites: int, threads: int | None = None) -> Words:
    """Packed (n, num_sites) to packed (num_sites, n)."""
    return core.transpose(words, num_sites, resolve("pack"), get_threads(threads))


def concat_sites(parts: list[Words], num_sites: list[int], threads: int | None = None) -> Words:
    """Rows of packed parts behind each other; part p has num_sites[p] sites, all have as many rows."""
    return core.concat_sites(parts, num_sites, get_threads(threads))


def find_bcf_records(
    data: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int, bool]:
    """Where the BCF records stand that follow each other in `data`.

    Returns
    -------
    start, calls, stop : int64 (num_records,)
        Of every whole record: the byte behind its two lengths, the first of its calls, the first behind it.
    size : int
        Bytes that the whole records take up.
    damaged : bool
        Whether the bytes behind them cannot start a record, as they name less than its 24 fixed bytes.
    """
    return core.find_bcf_records(data)


def pack_bcf_calls(
    data: NDArray[np.uint8], start: NDArray[np.int64], num_persons: int
) -> tuple[Words, tuple[int, int] | None]:
    """Pack phased diploid calls of BCF records, two bytes a person, those of record j from data[start[j]] on.

    Returns
    -------
    (uint64 (num_records, words_per_row), None)
        Bits 2 i and 2 i + 1 of a row are the alleles of person i; padding bits are zero.
    (words that mean nothing, (record, person))
        The first call that is none of 0|0, 0|1, 1|0, 1|1.
    """
    return core.pack_bcf_calls(data, start, num_persons, resolve("bcf_calls"))


def first_damaged_pgen_record(
    data: NDArray[np.uint8],
    length: NDArray[np.int64],
    kind: NDArray[np.uint8],
    num_alts: NDArray[np.int64],
    before: NDArray[np.uint8],
) -> int | None:
    """The first of the PGEN records that follow each other in `data` that is not what its type says; None: none is.

    Parameters
    ----------
    length, kind, num_alts : (num_records,), bytes and type of every record, ALT alleles of its site
    before : uint8 (num_persons,), changed in place: the genotype categories (0 to 3) of the last record that stands for
        itself, before these records and then among them; zeros before the first of a file
    """
    found = core.first_damaged_pgen_record(data, length, kind, num_alts, before)
    return found if found < len(length) else None


def allele_counts(words: Words, num_sites: int, threads: int | None = None) -> NDArray[np.int64]:
    """Set bits of each column, int64 (num_sites,), on the host."""
    if not isinstance(words, np.ndarray):
        return cuda().allele_counts(words, num_sites).to_host()
    return run("allele_counts", words, num_sites, backend=resolve("allele_counts"), threads=get_threads(threads))

"""What every kernel accepts, turned into packed words (the one place where inputs are checked), and what it gives."""

from __future__ import annotations

import operator
import sys
from contextlib import nullcontext
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge.errors import MissingBackendError
from hapforge.haplotypes import HaplotypeMatrix

_DLPACK_HOST = frozenset({1, 3})  # pinned memory, too
_DLPACK_CUDA = frozenset({2, 13})  # device memory, and managed memory
_DEFAULT_STREAM = 1
_MAX_RESULT_BYTES = 2 << 30


class Packed(NamedTuple):
    """Packed haplotypes: uint64 (n, words_per_row), C-contiguous, padding bits zero; and the number of sites.

    The words may be a `DeviceArray`, which has shape, dtype and length as an array of numpy's.
    """

    words: NDArray[np.uint64]
    num_sites: int

    @property
    def on_device(self) -> bool:
        return not isinstance(self.words, np.ndarray)


def as_packed(value: Any, argument: str, threads: int | None = None, *, device: bool = False) -> Packed:
    """Packed words of a kernel's input.

    Parameters
    ----------
    value : HaplotypeMatrix, (n, num_sites) array of 0 and 1, or (words, num_sites)
        An array is bool, int8 or uint8; words are uint64 (n, words_per_row). Arrays may come from any library that
        speaks DLPack, or ``__cuda_array_interface__``. Nothing is copied but a dense array, which is packed.
    argument : str
        Name for messages.
    threads : int, optional
        For packing a dense array.
    device : bool
        Whether the kernel takes arrays on a device, which stay there.

    Raises
    ------
    TypeError
        Another type or dtype, or an array on a device that the kernel does not take.
    MissingBackendError
        An array on a CUDA device, in a build or on a machine without CUDA.
    ValueError
        Values other than 0 and 1, a wrong shape, words that are not C-contiguous or whose padding bits are set.
    """
    if isinstance(value, HaplotypeMatrix):
        return Packed(value.words, value.num_sites)
    if isinstance(value, tuple) and len(value) == 2:
        return _checked_words(_array(value[0], f"{argument}[0]", device), value[1], argument)
    return _packed_dense(_array(value, argument, device), argument, threads)


def resolve(name: str, backend: str, *inputs: Packed) -> str:
    """The backend that a call of kernel `name` with these inputs runs on; errors as of `_backend.resolve`."""
    on_device = any(packed.on_device for packed in inputs)
    found = _backend.resolve(name, backend, prefer_cuda=on_device or _backend.cuda_is_preferred())
    if on_device and found != "cuda":
        raise MissingBackendError(f"backend: expected 'cuda' for an array on a device, found {found!r}")
    return found


def handed_back(found: Any, *inputs: Any) -> Any:
    """What a kernel found, as the caller gets it: arrays on a device in the library of the first input on one.

    Libraries other than torch, CuPy, JAX and numba get a `DeviceArray`, which speaks DLPack and
    ``__cuda_array_interface__``; and so does JAX for numbers of 64 bits where it has them switched off.
    """
    if isinstance(found, tuple | list):
        return type(found)(handed_back(one, *inputs) for one in found)
    if isinstance(found, np.ndarray):
        return found
    arrays = [value[0] if isinstance(value, tuple) else value for value in inputs]
    library = next(_library(array) for array in arrays if _is_on_cuda(array))
    if library == "numba":
        return sys.modules["numba.cuda"].as_cuda_array(found)
    if library == "jax":
        jax = sys.modules["jax"]
        narrowed = found.dtype.itemsize == 8 and not jax.config.jax_enable_x64  # JAX would do it without a word
        return found if narrowed else jax.dlpack.from_dlpack(found)
    return sys.modules[library].from_dlpack(found) if library in ("torch", "cupy") else found


def same_sites(a: Packed, b: Packed, names: tuple[str, str]) -> None:
    """Raise ValueError where two inputs have different numbers of sites."""
    if a.num_sites != b.num_sites:
        raise ValueError(
            f"{names[1]}: expected {a.num_sites} sites, as in {names[0]}, found {b.num_sites}; "
            "hapforge.intersect finds the shared ones"
        )


def whole(value: Any, argument: str, least: int, most: int | None = None) -> int:
    """The argument as an int. TypeError for what is not whole, ValueError out of [least, most]."""
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{argument}: expected a whole number, found {type(value).__name__}") from None
    if number < least or (most is not None and number > most):
        expected = f"{least} or more" if most is None else f"{least} to {most}"
        raise ValueError(f"{argument}: expected {expected}, found {number}")
    return number


def site_index(sites: ArrayLike, num_sites: int, argument: str) -> NDArray[np.int64]:
    """Sites chosen by index or mask, as a vector of indices; whether they exist is left to the kernel.

    Raises
    ------
    TypeError
        Neither integers nor bool.
    ValueError
        Not a vector, or a mask of another length.
    """
    index = np.asarray(sites)
    if index.dtype == np.bool_:
        if index.shape != (num_sites,):
            raise ValueError(f"{argument}: expected a mask of {num_sites}, found shape {index.shape}")
        index = np.flatnonzero(index)
    return index_table(index, argument, ())


def index_table(values: ArrayLike, argument: str, columns: tuple[int, ...]) -> NDArray[np.int64]:
    """Integers (n, *columns), C-contiguous. TypeError for another dtype, ValueError for another shape."""
    index = np.asarray(values)
    if index.dtype.kind not in "iu" and index.size:
        raise TypeError(f"{argument}: expected integers, found {index.dtype}")
    if index.ndim != 1 + len(columns) or index.shape[1:] != columns:
        shape = f"(n, {', '.join(map(str, columns))})" if columns else "(n,)"
        raise ValueError(f"{argument}: expected shape {shape}, found {index.shape}")
    return np.ascontiguousarray(index, dtype=np.int64)


def refuse_large(shape: tuple[int, ...], itemsize: int, result: str, instead: str) -> None:
    """Raise ValueError where a result would pass 2 GiB."""
    size = itemsize
    for n in shape:
        size *= n
    if size > _MAX_RESULT_BYTES:
        raise ValueError(f"{result}: expected at most 2 GiB, {shape} would take {size / 2**30:.1f} GiB; {instead}")


def _array(value: Any, argument: str, device: bool) -> Any:
    """The value as `host_array`; or, where that is wanted, as an array on the CUDA device where it is."""
    return _device_array(value, argument) if device and _is_on_cuda(value) else host_array(value, argument)


def _is_on_cuda(value: Any) -> bool:
    if hasattr(value, "__dlpack_device__"):
        return value.__dlpack_device__()[0] in _DLPACK_CUDA
    return hasattr(value, "__cuda_array_interface__")


_LIBRARIES = {"torch": "torch", "cupy": "cupy", "jax": "jax", "jaxlib": "jax", "numba": "numba"}


def _library(value: Any) -> str:
    """The library of an array, or of what its class is derived from; empty: none that is known here."""
    roots = (kind.__module__.partition(".")[0] for kind in type(value).__mro__)
    return next((_LIBRARIES[root] for root in roots if root in _LIBRARIES), "")


def _from_dlpack(value: Any, module: Any) -> Any:
    """A `DeviceArray` in place, on the stream of its library now; where that is not known, calls are waited for."""
    library, device = _library(value), value.__dlpack_device__()[1]
    stream, owner, current = _DEFAULT_STREAM, None, nullcontext()
    if library == "torch":
        torch = sys.modules["torch"]
        owner, current = torch.cuda.current_stream(device), torch.cuda.device(device)
        stream = int(owner.cuda_stream) or _DEFAULT_STREAM
    elif library == "cupy":
        cupy = sys.modules["cupy"]
        current = cupy.cuda.Device(device)
        with current:
            owner = cupy.cuda.get_current_stream()
        stream = int(owner.ptr) or _DEFAULT_STREAM
    with current:  # torch shares nothing that is on another device
        try:
            capsule = value.__dlpack__(stream=stream, max_version=(1, 0))
        except TypeError:  # a library from before DLPack 1.0
            capsule = value.__dlpack__(stream=stream)
    return module.DeviceArray.from_dlpack(capsule, stream, owner, owner is None)


def _device_array(value: Any, argument: str) -> Any:
    """A `DeviceArray` of an array on a CUDA device, in place, ordered by the stream that its library works on."""
    module = _backend.cuda()
    if isinstance(value, module.DeviceArray):
        return value
    try:
        if not hasattr(value, "__dlpack_device__"):
            known = value.__cuda_array_interface__
            if known.get("mask") is not None:
                raise TypeError(f"{argument}: expected an array without a mask, found a masked one (missing calls)")
            stream = known.get("stream")
            form = known["data"][0], known["shape"], known["typestr"], known.get("strides")
            return module.DeviceArray.from_interface(*form, stream or _DEFAULT_STREAM, value, stream is None)
        return _from_dlpack(value, module)
    except BufferError as error:  # a tensor that requires gradients
        raise TypeError(f"{argument}: expected an array that can be shared, found one that cannot: {error}") from None


def device_array(value: Any, argument: str) -> Any:
    """The `DeviceArray` of an array on a CUDA device, in place; None for anything else."""
    return _device_array(value, argument) if _is_on_cuda(value) else None


def host_array(value: Any, argument: str) -> NDArray[Any]:
    """The array itself, or that of a library that speaks DLPack, on the host; TypeError for anything else."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{argument}: expected an array without a mask, found a masked one (missing calls)")
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack_device__"):
        kind, _ = value.__dlpack_device__()
        if kind in _DLPACK_HOST:
            try:  # torch shares pinned memory in its own way only
                return np.from_dlpack(value) if kind == 1 or _library(value) != "torch" else value.numpy()
            except (BufferError, RuntimeError) as error:  # a tensor that requires gradients
                raise TypeError(
                    f"{argument}: expected an array that can be shared, found one that cannot: {error}"
                ) from None
    elif not hasattr(value, "__cuda_array_interface__"):
        raise TypeError(
            f"{argument}: expected a HaplotypeMatrix, an array of 0 and 1, or (words, num_sites), "
            f"found {type(value).__name__}"
        )
    raise TypeError(f"{argument}: expected host memory, found an array on a device; copy it to the host first")


def _packed_dense(dense: Any, argument: str, threads: int | None) -> Packed:
    if dense.dtype not in (np.bool_, np.int8, np.uint8):
        hint = "; pass packed words as (words, num_sites)" if dense.dtype == np.uint64 else ""
        raise TypeError(
            f"{argument}: expected bool, int8 or uint8, found {dense.dtype}{hint or '; convert with .astype(np.uint8)'}"
        )
    if len(dense.shape) != 2:
        raise ValueError(f"{argument}: expected (haplotypes, sites), found shape {dense.shape}")
    if not isinstance(dense, np.ndarray):
        try:
            return Packed(_backend.cuda().pack(dense), dense.shape[1])
        except ValueError as error:
            raise ValueError(f"{argument}: {error}") from None
    if dense.dtype == np.int8 and dense.size and dense.min() < 0:
        row, column = np.argwhere(dense < 0)[0].tolist()
        raise ValueError(f"{argument}: expected only 0 and 1, found {dense[row, column]} at row {row}, column {column}")
    try:
        return Packed(_backend.pack(dense.view(np.uint8), threads), dense.shape[1])
    except ValueError as error:
        raise ValueError(f"{argument}: {error}") from None


def _checked_words(words: Any, num_sites: Any, argument: str) -> Packed:
    try:
        num_sites = operator.index(num_sites)
    except TypeError:
        raise TypeError(f"{argument}[1]: expected the number of sites, found {type(num_sites).__name__}") from None
    if words.dtype != np.uint64:
        raise TypeError(f"{argument}[0]: expected packed words of dtype uint64, found {words.dtype}")
    per_row = -(-num_sites // 64)
    if num_sites < 0 or len(words.shape) != 2 or words.shape[1] != per_row:
        raise ValueError(
            f"{argument}: expected words of shape (haplotypes, {per_row}) for {num_sites} sites, found {words.shape}"
        )
    on_host = isinstance(words, np.ndarray)
    if not (words.flags.c_contiguous if on_host else words.c_contiguous):
        raise ValueError(f"{argument}[0]: expected C-contiguous words; np.ascontiguousarray copies them")
    if tail := num_sites % 64:
        if on_host:
            rows = np.flatnonzero(words[:, -1] >> np.uint64(tail))
            dirty = int(rows[0]) if len(rows) else -1
        else:
            dirty = _backend.cuda().padded_row(words, num_sites)
        if dirty >= 0:
            raise ValueError(
                f"{argument}[0]: expected the {64 - tail} padding bits to be zero, found some set in row {dirty}"
            )
    return Packed(words, num_sites)

"""What every kernel accepts, turned into packed words: the one place where inputs are checked."""

from __future__ import annotations

import operator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix

_DLPACK_CPU = 1
_MAX_RESULT_BYTES = 2 << 30


class Packed(NamedTuple):
    """Packed haplotypes: uint64 (n, words_per_row), C-contiguous, padding bits zero; and the number of sites."""

    words: NDArray[np.uint64]
    num_sites: int


def as_packed(value: Any, argument: str, threads: int | None = None) -> Packed:
    """Packed words of a kernel's input.

    Parameters
    ----------
    value : HaplotypeMatrix, (n, num_sites) array of 0 and 1, or (words, num_sites)
        An array is bool, int8 or uint8; words are uint64 (n, words_per_row). Arrays may come from any library that
        speaks DLPack, on the host. Nothing is copied but a dense array, which is packed.
    argument : str
        Name for messages.
    threads : int, optional
        For packing a dense array.

    Raises
    ------
    TypeError
        Another type or dtype, or an array on a device.
    ValueError
        Values other than 0 and 1, a wrong shape, words that are not C-contiguous or whose padding bits are set.
    """
    if isinstance(value, HaplotypeMatrix):
        return Packed(value.words, value.num_sites)
    if isinstance(value, tuple) and len(value) == 2:
        return _checked_words(host_array(value[0], f"{argument}[0]"), value[1], argument)
    return _packed_dense(host_array(value, argument), argument, threads)


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


def host_array(value: Any, argument: str) -> NDArray[Any]:
    """The array itself, or that of a library that speaks DLPack, on the host; TypeError for anything else."""
    if isinstance(value, np.ma.MaskedArray):
        raise TypeError(f"{argument}: expected an array without a mask, found a masked one (missing calls)")
    if isinstance(value, np.ndarray):
        return value
    if hasattr(value, "__dlpack_device__"):
        kind, _ = value.__dlpack_device__()
        if kind == _DLPACK_CPU:
            try:
                return np.from_dlpack(value)
            except BufferError as error:  # a tensor that requires gradients
                raise TypeError(
                    f"{argument}: expected an array that can be shared, found one that cannot: {error}"
                ) from None
    elif not hasattr(value, "__cuda_array_interface__"):
        raise TypeError(
            f"{argument}: expected a HaplotypeMatrix, an array of 0 and 1, or (words, num_sites), "
            f"found {type(value).__name__}"
        )
    raise TypeError(f"{argument}: expected host memory, found an array on a device; copy it to the host first")


def _packed_dense(dense: NDArray[Any], argument: str, threads: int | None) -> Packed:
    if dense.dtype not in (np.bool_, np.int8, np.uint8):
        hint = "; pass packed words as (words, num_sites)" if dense.dtype == np.uint64 else ""
        raise TypeError(
            f"{argument}: expected bool, int8 or uint8, found {dense.dtype}{hint or '; convert with .astype(np.uint8)'}"
        )
    if dense.ndim != 2:
        raise ValueError(f"{argument}: expected (haplotypes, sites), found shape {dense.shape}")
    if dense.dtype == np.int8 and dense.size and dense.min() < 0:
        row, column = np.argwhere(dense < 0)[0].tolist()
        raise ValueError(f"{argument}: expected only 0 and 1, found {dense[row, column]} at row {row}, column {column}")
    try:
        return Packed(_backend.pack(dense.view(np.uint8), threads), dense.shape[1])
    except ValueError as error:
        raise ValueError(f"{argument}: {error}") from None


def _checked_words(words: NDArray[Any], num_sites: Any, argument: str) -> Packed:
    try:
        num_sites = operator.index(num_sites)
    except TypeError:
        raise TypeError(f"{argument}[1]: expected the number of sites, found {type(num_sites).__name__}") from None
    if words.dtype != np.uint64:
        raise TypeError(f"{argument}[0]: expected packed words of dtype uint64, found {words.dtype}")
    per_row = -(-num_sites // 64)
    if num_sites < 0 or words.ndim != 2 or words.shape[1] != per_row:
        raise ValueError(
            f"{argument}: expected words of shape (haplotypes, {per_row}) for {num_sites} sites, found {words.shape}"
        )
    if not words.flags.c_contiguous:
        raise ValueError(f"{argument}[0]: expected C-contiguous words; np.ascontiguousarray copies them")
    if tail := num_sites % 64:
        dirty = np.flatnonzero(words[:, -1] >> np.uint64(tail))
        if len(dirty):
            raise ValueError(
                f"{argument}[0]: expected the {64 - tail} padding bits to be zero, found some set in row {dirty[0]}"
            )
    return Packed(words, num_sites)

"""The kernels inside numba's ``@njit`` functions, on packed words.

::

    from numba import njit
    from hapforge.kernels import numba_api

    @njit(cache=True)
    def polymorphic(words, num_sites):
        counts = numba_api.allele_counts(words, num_sites)
        return np.flatnonzero((counts > 0) & (counts < len(words)))

Words are those of ``HaplotypeMatrix.words``: uint64 (rows, words_per_row), site j at bit j % 64 of word j // 64,
padding bits zero; read-only or not. They are not copied. Rows may lie apart, as in ``words[:, 2:5]``, where
``hapforge/hapforge.h`` does not ask for adjacent ones.

`backend` is one of `AUTO`, `SCALAR`, `AVX2`, `AVX512`, `NEON`, and `threads` a number from 1 to 4096, by default 1,
since the caller may already run on many. Neither changes a result. ``HAPFORGE_BACKEND`` and ``HAPFORGE_THREADS`` are
not looked at. What is wrong with an argument's value is a ValueError, with its type a TypingError when the caller is
compiled. Called from Python, or from a function with ``nogil=True``, a kernel runs without the GIL.

Compiled code holds the names of the C interface (``hapforge/hapforge.h``), which importing this module makes known to
numba, and no addresses: that is why callers may be cached.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from hapforge._backend import get_library_dir
from hapforge.errors import MissingDependencyError

try:
    import llvmlite.binding
    from numba import njit, types
    from numba.core.errors import TypingError
    from numba.extending import overload
except ImportError:
    raise MissingDependencyError("numba", "numba") from None

AUTO, SCALAR, AVX2, AVX512, NEON = range(5)  # HF_BACKEND_*
R2, R, D, D_PRIME = range(4)  # HF_LD_*

llvmlite.binding.load_library_permanently(str(Path(get_library_dir()) / "libhapforge.so.1"))

_POINTER, _SIZE = types.uintp, types.int64


def _c_function(name: str, *arguments: Any) -> Any:
    """A function of hapforge.h; each ends with backend and threads, and returns a status."""
    return types.ExternalFunction(name, types.intc(*arguments, types.intc, types.intc))


_PACKED = (_POINTER, _SIZE, _SIZE, _SIZE)  # words, rows, columns, stride
_hf_pack = _c_function("hf_pack", *_PACKED, _POINTER)
_hf_unpack = _c_function("hf_unpack", *_PACKED, _POINTER)
_hf_transpose = _c_function("hf_transpose", *_PACKED, _POINTER)
_hf_select_sites = _c_function("hf_select_sites", *_PACKED, _POINTER, _SIZE, _POINTER)
_hf_allele_counts = _c_function("hf_allele_counts", *_PACKED, _POINTER)
_TWO = (_POINTER, _SIZE, _SIZE, _POINTER, _SIZE, _SIZE, _SIZE)  # words, rows, stride, twice; columns
_hf_pairwise_hamming = _c_function("hf_pairwise_hamming", *_TWO, _POINTER)
_hf_hamming_histogram = _c_function("hf_hamming_histogram", *_TWO, _POINTER)
_hf_nearest_neighbours = _c_function("hf_nearest_neighbours", *_TWO, _SIZE, types.intc, _POINTER, _POINTER)
_hf_nearest_set = _c_function("hf_nearest_set", *_TWO, _POINTER, _POINTER)
_hf_joint_counts = _c_function("hf_joint_counts", *_PACKED, _POINTER)
_hf_joint_counts_of_pairs = _c_function("hf_joint_counts_of_pairs", *_PACKED, _POINTER, _SIZE, _POINTER)
_hf_ld_matrix = _c_function("hf_ld_matrix", *_PACKED, types.intc, _POINTER)
_hf_ld_decay = _c_function("hf_ld_decay", *_PACKED, _POINTER, _POINTER, _POINTER, _SIZE, _POINTER, _POINTER)
_hf_joint_nearest_neighbours = _c_function("hf_joint_nearest_neighbours", *_TWO, _SIZE, *(_POINTER,) * 8)
_hf_concat_sites = _c_function("hf_concat_sites", _POINTER, _POINTER, _POINTER, _SIZE, _SIZE, _POINTER)
_hf_three_point = _c_function("hf_three_point", *_PACKED, _POINTER, _SIZE, types.intc, _POINTER)
_hf_three_point_block = _c_function("hf_three_point_block", *_PACKED, types.intc, _POINTER)
_hf_kmer_counts = _c_function("hf_kmer_counts", *_PACKED, _SIZE, _SIZE, _SIZE, _POINTER)
_GIBBS = (
    *(_POINTER, _POINTER, _POINTER, _SIZE, _SIZE, types.intc),
    *(_POINTER, _POINTER, _POINTER, _SIZE, types.uint64, _SIZE, _SIZE, _SIZE),
)
_hf_gibbs = _c_function("hf_gibbs", *_GIBBS)
_hf_gibbs_rectified = _c_function("hf_gibbs_rectified", *_GIBBS)
_hf_gibbs_counts = _c_function("hf_gibbs_counts", _POINTER, _POINTER, _SIZE, _SIZE, _SIZE, _POINTER)


def _code(value):  # without annotations: numba compares the two signatures
    """An int of C: a ValueError out of its range, a TypingError for another type."""
    raise NotImplementedError


@overload(_code)
def _typed_code(value):
    if not isinstance(value, types.Integer | types.IntegerLiteral | types.Boolean | types.Omitted):
        raise TypingError(f"expected an integer, found {value}")

    def checked(value):
        if not -2147483648 <= value <= 2147483647:
            raise ValueError("expected a 32-bit integer")
        return np.intc(value)

    return checked


def _seed(value):
    """An unsigned 64-bit integer: a ValueError for a negative number, a TypingError for another type."""
    raise NotImplementedError


@overload(_seed)
def _typed_seed(value):
    if not isinstance(value, types.Integer | types.IntegerLiteral):
        raise TypingError(f"seed: expected an integer, found {value}")

    def checked(value):
        if value < 0:
            raise ValueError("seed: expected 0 to 2^64 - 1")
        return np.uint64(value)

    return checked


@njit
def _check(status: int) -> None:
    """The exception of a status; see HF_ERROR_* in hapforge.h."""
    if status == 0:
        return
    if status == 1:
        raise ValueError("expected aligned memory")
    if status == 2:
        raise ValueError("expected fewer than 2^31 rows and columns, and no negative size")
    if status == 3:
        raise ValueError("expected C-contiguous words")
    if status == 4:
        raise ValueError("expected padding bits to be zero, found some set")
    if status == 5:
        raise IndexError("an index is out of range")
    if status == 6:
        raise ValueError("an argument or a value in an array is not what it must be")
    if status == 7:
        raise ValueError("backend: this machine lacks it for this kernel")
    if status == 8:
        raise ValueError("threads: expected 1 to 4096")
    if status == 9:
        raise MemoryError("no memory for scratch space")
    raise RuntimeError("an internal error of hapforge")


@njit
def _check_and_keep(status: int, kept: Any) -> None:
    """As _check; a local array of which only the address was used stays until here."""
    _check(status)


def _address_of(dtype: Any, ndim: int) -> Any:
    """A function from an array to where its first element stands; it accepts arrays of this type alone."""

    def address(array):  # without annotations: numba compares the two signatures
        raise NotImplementedError

    @overload(address)
    def typed_address(array):
        if not isinstance(array, types.Array) or (array.dtype, array.ndim) != (dtype, ndim):
            raise TypingError(f"expected an array of {ndim} dimension(s) of {dtype}, found {array}")
        return lambda array: array.ctypes.data

    return address


_dense_address = _address_of(types.uint8, 2)
_words_address = _address_of(types.uint64, 2)
_index_address = _address_of(types.int64, 1)
_lists_address = _address_of(types.int64, 2)
_weights_address = _address_of(types.int32, 2)
_bias_address = _address_of(types.int32, 1)


@njit
def _row_stride(array: Any, columns: int) -> int:
    """Elements from one row to the next."""
    if array.shape[1] != columns:
        raise ValueError("words: expected (num_sites + 63) // 64 columns")
    if array.size == 0:
        return columns
    if columns > 1 and array.strides[1] != array.itemsize:
        raise ValueError("expected the elements of a row next to each other")
    if array.shape[0] == 1:
        return columns
    if array.strides[0] % array.itemsize != 0:
        raise ValueError("expected rows a whole number of elements apart")
    return array.strides[0] // array.itemsize


@njit
def _words_for(bits: int) -> int:
    return (bits + 63) // 64


@njit
def _units(bits: Any, num_units: int, num_chains: int) -> None:
    """Bits of chains, a row a unit."""
    if bits.shape != (num_units, _words_for(num_chains)):
        raise ValueError("expected a row of (num_chains + 63) // 64 words for each unit")
    _contiguous(bits)


@njit
def _contiguous(array: Any) -> None:
    if array.size > 0 and not array.flags.c_contiguous:
        raise ValueError("expected a C-contiguous array")


@njit(nogil=True)
def pack(dense: Any, backend: int = AUTO, threads: int = 1) -> Any:
    """Words, uint64 (rows, words_per_row), of a uint8 (rows, num_sites) array of 0 and 1."""
    rows, sites = dense.shape
    words = np.empty((rows, _words_for(sites)), np.uint64)
    address, stride = _dense_address(dense), _row_stride(dense, sites)
    status = _hf_pack(address, rows, sites, stride, words.ctypes.data, _code(backend), _code(threads))
    if status == 6:
        raise ValueError("dense: expected only 0 and 1")
    _check(status)
    return words


@njit(nogil=True)
def unpack(words: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """uint8 (rows, num_sites) of 0 and 1, the inverse of `pack`."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    dense = np.empty((len(words), num_sites), np.uint8)
    _check(_hf_unpack(address, len(words), num_sites, stride, dense.ctypes.data, _code(backend), _code(threads)))
    return dense


@njit(nogil=True)
def transpose(words: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Words of the transpose, uint64 (num_sites, words of len(words) bits): haplotype-major to site-major and back."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    transposed = np.empty((num_sites, _words_for(len(words))), np.uint64)
    _check(
        _hf_transpose(address, len(words), num_sites, stride, transposed.ctypes.data, _code(backend), _code(threads))
    )
    return transposed


@njit(nogil=True)
def select_sites(words: Any, num_sites: int, index: Any, backend: int = AUTO, threads: int = 1) -> Any:
    """Words of the columns index[0], index[1], ... (int64); IndexError where there is none."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    chosen = _index_address(index)
    _contiguous(index)
    selected = np.empty((len(words), _words_for(len(index))), np.uint64)
    out = selected.ctypes.data
    _check(
        _hf_select_sites(
            address, len(words), num_sites, stride, chosen, len(index), out, _code(backend), _code(threads)
        )
    )
    return selected


@njit(nogil=True)
def allele_counts(words: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Set bits of each column, int64 (num_sites,)."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    counts = np.empty(num_sites, np.int64)
    _check(
        _hf_allele_counts(address, len(words), num_sites, stride, counts.ctypes.data, _code(backend), _code(threads))
    )
    return counts


@njit(nogil=True)
def pairwise_hamming(a: Any, b: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Hamming distances of the rows of `a` and those of `b`, uint32 (len(a), len(b))."""
    address_a, stride_a = _words_address(a), _row_stride(a, _words_for(num_sites))
    address_b, stride_b = _words_address(b), _row_stride(b, _words_for(num_sites))
    distance = np.empty((len(a), len(b)), np.uint32)
    out = distance.ctypes.data
    _check(
        _hf_pairwise_hamming(
            address_a, len(a), stride_a, address_b, len(b), stride_b, num_sites, out, _code(backend), _code(threads)
        )
    )
    return distance


@njit(nogil=True)
def hamming_histogram(a: Any, b: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Pairs at each Hamming distance, int64 (num_sites + 1,): of rows of `a` and `b`, or i < j of `a` with b=None."""
    address_a, stride_a = _words_address(a), _row_stride(a, _words_for(num_sites))
    if b is None:
        address_b, rows_b, stride_b = np.uintp(0), 0, 0
    else:
        address_b, rows_b, stride_b = _words_address(b), len(b), _row_stride(b, _words_for(num_sites))
    counts = np.empty(num_sites + 1, np.int64)
    out = counts.ctypes.data
    _check(
        _hf_hamming_histogram(
            address_a, len(a), stride_a, address_b, rows_b, stride_b, num_sites, out, _code(backend), _code(threads)
        )
    )
    return counts


@njit(nogil=True)
def nearest_neighbours(
    queries: Any, targets: Any, num_sites: int, k: int, exclude_self: bool, backend: int = AUTO, threads: int = 1
) -> Any:
    """The k targets nearest to each query: (index int64, distance uint32), each (len(queries), k).

    Ascending by (distance, index). ``targets=None`` searches the queries among themselves. With `exclude_self`, target
    i is no candidate for query i.
    """
    address_a, stride_a = _words_address(queries), _row_stride(queries, _words_for(num_sites))
    if targets is None:
        address_b, rows_b, stride_b = np.uintp(0), 0, 0
    else:
        address_b, rows_b, stride_b = _words_address(targets), len(targets), _row_stride(targets, _words_for(num_sites))
    if k < 1:
        raise ValueError("k: expected 1 to the number of candidates")
    index = np.empty((len(queries), k), np.int64)
    distance = np.empty((len(queries), k), np.uint32)
    status = _hf_nearest_neighbours(
        address_a,
        len(queries),
        stride_a,
        address_b,
        rows_b,
        stride_b,
        num_sites,
        k,
        _code(exclude_self),
        index.ctypes.data,
        distance.ctypes.data,
        _code(backend),
        _code(threads),
    )
    if status == 6:
        raise ValueError("k: expected 1 to the number of candidates")
    _check(status)
    return index, distance


@njit(nogil=True)
def nearest_set(a: Any, b: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Of each row of `a`, then of `b`: (distance uint32, sets uint8) of the nearest other row of either.

    sets is 1 where that row is in `a`, 2 where in `b`, 3 where both have one.
    """
    address_a, stride_a = _words_address(a), _row_stride(a, _words_for(num_sites))
    address_b, stride_b = _words_address(b), _row_stride(b, _words_for(num_sites))
    rows = len(a) + len(b)
    if rows < 2:
        raise ValueError("expected two rows or more in all")
    distance, sets = np.empty(rows, np.uint32), np.empty(rows, np.uint8)
    status = _hf_nearest_set(
        address_a,
        len(a),
        stride_a,
        address_b,
        len(b),
        stride_b,
        num_sites,
        distance.ctypes.data,
        sets.ctypes.data,
        _code(backend),
        _code(threads),
    )
    _check(status)
    return distance, sets


@njit(nogil=True)
def joint_counts(words: Any, num_sites: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Haplotypes with ALT at both of every two sites, int64 (num_sites, num_sites)."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    n11 = np.empty((num_sites, num_sites), np.int64)
    _check(_hf_joint_counts(address, len(words), num_sites, stride, n11.ctypes.data, _code(backend), _code(threads)))
    return n11


@njit(nogil=True)
def joint_counts_of_pairs(sites: Any, num_haplotypes: int, pairs: Any, backend: int = AUTO, threads: int = 1) -> Any:
    """Haplotypes with ALT at both sites of each pair, int64 (len(pairs),).

    sites: site-major words, as `transpose` makes them. pairs: int64 (num_pairs, 2), rows of `sites`.
    """
    address, stride = _words_address(sites), _row_stride(sites, _words_for(num_haplotypes))
    chosen, count = _lists_address(pairs), len(pairs)
    _contiguous(pairs)
    if pairs.shape[1] != 2:
        raise ValueError("pairs: expected two columns")
    n11 = np.empty(count, np.int64)
    out = n11.ctypes.data
    _check(
        _hf_joint_counts_of_pairs(
            address, len(sites), num_haplotypes, stride, chosen, count, out, _code(backend), _code(threads)
        )
    )
    return n11


@njit(nogil=True)
def ld_matrix(words: Any, num_sites: int, statistic: int = R2, backend: int = AUTO, threads: int = 1) -> Any:
    """`R2`, `R`, `D` or `D_PRIME` of every two sites, float32 (num_sites, num_sites); NaN where one is monomorphic."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    ld = np.empty((num_sites, num_sites), np.float32)
    status = _hf_ld_matrix(
        address, len(words), num_sites, stride, _code(statistic), ld.ctypes.data, _code(backend), _code(threads)
    )
    if status == 6:
        raise ValueError("statistic: expected R2, R, D or D_PRIME")
    _check(status)
    return ld


@njit(nogil=True)
def ld_decay(
    words: Any, num_sites: int, position: Any, contig: Any, edges: Any, backend: int = AUTO, threads: int = 1
) -> Any:
    """Sums of r2 and numbers of pairs by distance: (float64, int64), each (len(edges) - 1,).

    words: without a monomorphic site. position: int64, not descending within a contig. contig: int64, equal
    neighbours are one contig; or None, one contig. edges: int64, strictly ascending from 0 up; bin b takes
    edges[b] <= distance < edges[b + 1].
    """
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    positions, bounds = _index_address(position), _index_address(edges)
    _contiguous(position)
    _contiguous(edges)
    if contig is None:
        contigs = np.uintp(0)
    else:
        contigs = _index_address(contig)
        _contiguous(contig)
        if len(contig) != num_sites:
            raise ValueError("contig: expected one for each site")
    if len(position) != num_sites:
        raise ValueError("position: expected one for each site")
    if len(edges) < 2:
        raise ValueError("edges: expected two or more")
    bins = len(edges) - 1
    sums, pairs = np.empty(bins, np.float64), np.empty(bins, np.int64)
    status = _hf_ld_decay(
        address,
        len(words),
        num_sites,
        stride,
        positions,
        contigs,
        bounds,
        bins,
        sums.ctypes.data,
        pairs.ctypes.data,
        _code(backend),
        _code(threads),
    )
    if status == 6:
        raise ValueError("ld_decay: expected ascending positions and edges, and no monomorphic site")
    _check(status)
    return sums, pairs


@njit
def _check_machine(weights: Any, visible_bias: Any, hidden_bias: Any, visible: Any, num_chains: int, clamp: Any) -> Any:
    """Where weights, biases and clamp stand."""
    num_visible, num_hidden = weights.shape
    parameters, a, b = _weights_address(weights), _bias_address(visible_bias), _bias_address(hidden_bias)
    _contiguous(weights)
    _contiguous(visible_bias)
    _contiguous(hidden_bias)
    if len(visible_bias) != num_visible or len(hidden_bias) != num_hidden:
        raise ValueError("expected one visible bias a row of weights and one hidden bias a column")
    _words_address(visible)
    _units(visible, num_visible, num_chains)
    if clamp is None:
        held = np.uintp(0)
    else:
        held = _words_address(clamp)
        _units(clamp, num_visible, num_chains)
    return parameters, a, b, held


@njit(nogil=True)
def gibbs(
    weights: Any,
    visible_bias: Any,
    hidden_bias: Any,
    fixed_point_bits: int,
    visible: Any,
    num_chains: int,
    seed: int,
    clamp: Any,
    first_chain: int,
    first_step: int,
    num_steps: int,
    backend: int = AUTO,
    threads: int = 1,
) -> Any:
    """Chains of a restricted Boltzmann machine, num_steps times h given v, then v given h: the last (v, h).

    weights: int32 (num_visible, num_hidden); biases: int32; in units of 2**-fixed_point_bits. visible: the start, words
    of `transpose`, a row a unit and bit c of it chain c; what is returned is of that kind. clamp: as `visible`, set
    bits are units that keep their value; or None. Draws depend on the seed and the numbers of chains and steps alone,
    so chains or steps cut into several calls are those of one call.
    """
    parameters, a, b, held = _check_machine(weights, visible_bias, hidden_bias, visible, num_chains, clamp)
    num_visible, num_hidden = weights.shape
    last, hidden = visible.copy(), np.empty((num_hidden, _words_for(num_chains)), np.uint64)
    status = _hf_gibbs(
        parameters,
        a,
        b,
        num_visible,
        num_hidden,
        _code(fixed_point_bits),
        last.ctypes.data,
        hidden.ctypes.data,
        held,
        num_chains,
        _seed(seed),
        first_chain,
        first_step,
        num_steps,
        _code(backend),
        _code(threads),
    )
    if status == 6:
        raise ValueError("gibbs: a weight is too large, or a number of chains, steps or bits out of its range")
    _check(status)
    return last, hidden


@njit(nogil=True)
def gibbs_rectified(
    weights: Any,
    visible_bias: Any,
    hidden_bias: Any,
    fixed_point_bits: int,
    visible: Any,
    num_chains: int,
    seed: int,
    clamp: Any,
    first_chain: int,
    first_step: int,
    num_steps: int,
    backend: int = AUTO,
    threads: int = 1,
) -> Any:
    """As `gibbs`, with rectified hidden units: float32 (num_chains, num_hidden)."""
    parameters, a, b, held = _check_machine(weights, visible_bias, hidden_bias, visible, num_chains, clamp)
    num_visible, num_hidden = weights.shape
    last, hidden = visible.copy(), np.empty((num_chains, num_hidden), np.float32)
    status = _hf_gibbs_rectified(
        parameters,
        a,
        b,
        num_visible,
        num_hidden,
        _code(fixed_point_bits),
        last.ctypes.data,
        hidden.ctypes.data,
        held,
        num_chains,
        _seed(seed),
        first_chain,
        first_step,
        num_steps,
        _code(backend),
        _code(threads),
    )
    if status == 6:
        raise ValueError("gibbs: a weight is too large, or a number of chains, steps or bits out of its range")
    _check(status)
    return last, hidden


@njit(nogil=True)
def gibbs_counts(visible: Any, hidden: Any, num_chains: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Chains with visible unit i and hidden unit j set, int64 (num_visible, num_hidden); units as `gibbs` has them."""
    v, h = _words_address(visible), _words_address(hidden)
    _units(visible, len(visible), num_chains)
    _units(hidden, len(hidden), num_chains)
    counts = np.empty((len(visible), len(hidden)), np.int64)
    out = counts.ctypes.data
    _check(_hf_gibbs_counts(v, h, len(visible), len(hidden), num_chains, out, _code(backend), _code(threads)))
    return counts


@njit(nogil=True)
def concat_sites(a: Any, num_sites_a: int, b: Any, num_sites_b: int, backend: int = AUTO, threads: int = 1) -> Any:
    """Words of the rows of `a`, each followed by that of `b`."""
    if len(a) != len(b):
        raise ValueError("expected equal numbers of rows")
    lists = np.empty((3, 2), np.int64)
    lists[0, 0], lists[1, 0], lists[2, 0] = _words_address(a), num_sites_a, _row_stride(a, _words_for(num_sites_a))
    lists[0, 1], lists[1, 1], lists[2, 1] = _words_address(b), num_sites_b, _row_stride(b, _words_for(num_sites_b))
    joined = np.empty((len(a), _words_for(num_sites_a + num_sites_b)), np.uint64)
    at = lists.ctypes.data
    status = _hf_concat_sites(at, at + 16, at + 32, 2, len(a), joined.ctypes.data, _code(backend), _code(threads))
    _check_and_keep(status, lists)
    return joined


@njit(nogil=True)
def joint_nearest_neighbours(a: Any, b: Any, num_sites: int, k: int, backend: int = AUTO, threads: int = 1) -> Any:
    """The k rows nearest to each row of two sets, within its own set and in the other.

    (index_aa, distance_aa, index_ab, distance_ab, index_ba, distance_ba, index_bb, distance_bb), the first letter the
    set of the row; no row is its own neighbour.
    """
    address_a, stride_a = _words_address(a), _row_stride(a, _words_for(num_sites))
    address_b, stride_b = _words_address(b), _row_stride(b, _words_for(num_sites))
    if k < 1:
        raise ValueError("k: expected 1 to one less than the smaller number of rows")
    index_aa, distance_aa = np.empty((len(a), k), np.int64), np.empty((len(a), k), np.uint32)
    index_ab, distance_ab = np.empty((len(a), k), np.int64), np.empty((len(a), k), np.uint32)
    index_ba, distance_ba = np.empty((len(b), k), np.int64), np.empty((len(b), k), np.uint32)
    index_bb, distance_bb = np.empty((len(b), k), np.int64), np.empty((len(b), k), np.uint32)
    status = _hf_joint_nearest_neighbours(
        address_a,
        len(a),
        stride_a,
        address_b,
        len(b),
        stride_b,
        num_sites,
        k,
        index_aa.ctypes.data,
        distance_aa.ctypes.data,
        index_ab.ctypes.data,
        distance_ab.ctypes.data,
        index_ba.ctypes.data,
        distance_ba.ctypes.data,
        index_bb.ctypes.data,
        distance_bb.ctypes.data,
        _code(backend),
        _code(threads),
    )
    if status == 6:
        raise ValueError("k: expected 1 to one less than the smaller number of rows")
    _check(status)
    return index_aa, distance_aa, index_ab, distance_ab, index_ba, distance_ba, index_bb, distance_bb


@njit(nogil=True)
def three_point(words: Any, num_sites: int, triplets: Any, negate: bool, backend: int = AUTO, threads: int = 1) -> Any:
    """Connected correlation of ALT at three sites, float64 (len(triplets),), times -1 with `negate`.

    triplets: int64 (num_triplets, 3). Taking REF for ALT at a site turns the sign.
    """
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    chosen, count = _lists_address(triplets), len(triplets)
    _contiguous(triplets)
    if triplets.shape[1] != 3:
        raise ValueError("triplets: expected three columns")
    correlations = np.empty(count, np.float64)
    out = correlations.ctypes.data
    _check(
        _hf_three_point(
            address, len(words), num_sites, stride, chosen, count, _code(negate), out, _code(backend), _code(threads)
        )
    )
    return correlations


@njit(nogil=True)
def three_point_block(words: Any, num_sites: int, negate: bool, backend: int = AUTO, threads: int = 1) -> Any:
    """As `three_point`, of all triplets i < j < k in lexicographic order."""
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    if num_sites > 1 << 19:
        raise ValueError("num_sites: expected at most 2^19")
    count = num_sites * (num_sites - 1) // 2 * (num_sites - 2) // 3 if num_sites > 2 else 0
    correlations = np.empty(count, np.float64)
    out = correlations.ctypes.data
    _check(
        _hf_three_point_block(
            address, len(words), num_sites, stride, _code(negate), out, _code(backend), _code(threads)
        )
    )
    return correlations


@njit(nogil=True)
def kmer_counts(
    words: Any, num_sites: int, k: int, first_site: int, num_windows: int, backend: int = AUTO, threads: int = 1
) -> Any:
    """Rows with each motif of k sites in each window, int64 (num_windows, 2**k).

    Window w is the k sites from first_site + w k on, the first of them the most significant bit of the motif.
    """
    address, stride = _words_address(words), _row_stride(words, _words_for(num_sites))
    if not 1 <= k <= 16:
        raise ValueError("k: expected 1 to 16")
    if not 0 <= num_windows <= num_sites // k:
        raise IndexError("an index is out of range")
    counts = np.empty((num_windows, 1 << k), np.int64)
    out = counts.ctypes.data
    _check(
        _hf_kmer_counts(
            address, len(words), num_sites, stride, k, first_site, num_windows, out, _code(backend), _code(threads)
        )
    )
    return counts

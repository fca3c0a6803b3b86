"""Functions of hapforge inside kernels of ``numba.cuda``, on packed words.

::

    from numba import cuda
    from hapforge.kernels import numba_cuda

    @cuda.jit
    def distances(words, out):  # uint64 (n, words_per_row), uint32 (n, n)
        i, j = cuda.grid(2)
        if i < words.shape[0] and j < words.shape[0]:
            out[i, j] = numba_cuda.hamming_distance(words[i], words[j])

Words are those of ``HaplotypeMatrix.words``. Each function runs in the thread that calls it; a row is a one-dimensional
C-contiguous array of uint64, and other types are a TypingError when the kernel is compiled. Lengths and padding bits
are not checked. The code is that of ``hapforge_device.cuh`` (in ``hapforge.get_include()``), which numba links: by
``lto=True`` into the kernel itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hapforge._backend import get_include
from hapforge.errors import MissingDependencyError

try:
    import numba_cuda  # noqa: F401  (numba's own cuda module does not link C++)
    from llvmlite import ir
    from numba import cuda, types
    from numba.core.errors import TypingError
    from numba.cuda.extending import intrinsic
except ImportError:
    raise MissingDependencyError("numba-cuda", "numba-cuda") from None

_HEADER = Path(get_include()) / "hapforge" / "hapforge_device.cuh"
# One object, or numba would link it twice. (Type checkers see numba's own module.)
_CODE = cuda.CUSource(_HEADER.read_text(), name=_HEADER.name)  # type: ignore[attr-defined, unused-ignore]


def _row(array: Any) -> Any:
    """The type of a row of words."""
    if not isinstance(array, types.Array) or (array.dtype, array.ndim, array.layout) != (types.uint64, 1, "C"):
        raise TypingError(f"expected a C-contiguous array of 1 dimension of uint64, found {array}")
    return array


def _call(context: Any, builder: Any, name: str, result: Any, arguments: Sequence[Any]) -> Any:
    """The value of a call of a C function; `context.active_code_library` is what the caller becomes a part of."""
    context.active_code_library.add_linking_file(_CODE)
    known = builder.module.globals.get(name)
    function = known or ir.Function(builder.module, ir.FunctionType(result, [a.type for a in arguments]), name)
    return builder.call(function, arguments)


def _compare_rows(name: str, a: Any, b: Any) -> Any:
    signature = types.uint32(_row(a), _row(b))

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        rows = [context.make_array(t)(context, builder, v) for t, v in zip(signature.args, arguments, strict=True)]
        return _call(context, builder, name, ir.IntType(32), [rows[0].data, rows[1].data, rows[0].nitems])

    return signature, lower


@intrinsic
def hamming_distance(typing_context, a, b):  # without annotations: numba compares signatures
    """Bits in which two rows of as many words differ, uint32."""
    return _compare_rows("hf_device_hamming_distance", a, b)


@intrinsic
def joint_count(typing_context, a, b):
    """Bits that two rows of as many words share, uint32."""
    return _compare_rows("hf_device_joint_count", a, b)


@intrinsic
def philox(typing_context, seed, c0, c1, c2, c3):
    """Four words, uint32, of Philox4x32-10 (Salmon et al. 2011) at a counter of four under a key of 64 bits."""

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        words = builder.alloca(ir.ArrayType(ir.IntType(32), 4))
        first = builder.bitcast(words, ir.IntType(32).as_pointer())
        _call(context, builder, "hf_device_philox", ir.VoidType(), [*arguments, first])
        return builder.load(words)

    return types.UniTuple(types.uint32, 4)(types.uint64, *(types.uint32,) * 4), lower


@intrinsic
def draw_unit(typing_context, field, fixed_point_bits, seed, step, layer, chain, unit):
    """A binary unit, 0 or 1: 1 with probability sigmoid(field 2^-fixed_point_bits), the field an int32.

    It is what `hapforge.kernels.gibbs` draws for the same seed, step (from 0 on), layer (0: hidden, 1: visible), chain
    and unit. fixed_point_bits: 1 to 20.
    """

    def lower(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return _call(context, builder, "hf_device_draw_unit", ir.IntType(32), arguments)

    return types.int32(types.int32, types.int32, types.uint64, *(types.uint32,) * 4), lower

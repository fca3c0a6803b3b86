"""pack against numpy.packbits, which does not check its values; unpack against numpy.unpackbits; transpose, choice of
columns and concatenation against what NumPy can do."""

import numpy as np
from workloads import cohort, every_backend, measure, write_results

from hapforge import _backend

N, SITES = 5008, 65_535
core = _backend.core


def shift_and_or(parts, sizes):
    """Words of parts whose widths are no multiples of 64, behind each other."""
    joined = np.zeros((N, -(-sum(sizes) // 64)), np.uint64)
    at = 0
    for part, size in zip(parts, sizes, strict=True):
        start, shift = divmod(at, 64)
        width = min(part.shape[1], joined.shape[1] - start)
        joined[:, start : start + width] |= part[:, :width] << np.uint64(shift)
        if shift:
            width = min(part.shape[1], joined.shape[1] - start - 1)
            joined[:, start + 1 : start + 1 + width] |= part[:, :width] >> np.uint64(64 - shift)
        at += size
    return joined


def main() -> None:
    dense = cohort(N, SITES)
    expected = np.packbits(dense, axis=1, bitorder="little")
    words = core.pack(dense, 0, "scalar", 1)

    def packed(answer):
        return np.array_equal(answer.view(np.uint8)[:, : expected.shape[1]], expected)

    entries = [
        measure(
            f"pack {N} x {SITES}",
            every_backend("pack", lambda b: core.pack(dense, 0, b, 1))
            | {"numpy.packbits": lambda: np.packbits(dense, axis=1, bitorder="little")},
            packed,
        ),
        measure(
            f"unpack {N} x {SITES}",
            every_backend("pack", lambda b: core.unpack(words, SITES, b, 1))
            | {"numpy.unpackbits": lambda: np.unpackbits(expected, axis=1, count=SITES, bitorder="little")},
            lambda answer: np.array_equal(answer, dense),
        ),
    ]
    index = np.sort(np.random.default_rng(1).choice(SITES, 10_000, replace=False))
    chosen = np.packbits(dense[:, index], axis=1, bitorder="little")
    entries.append(
        measure(
            f"select 10000 of {SITES} sites of {N}, ascending",
            every_backend("pack", lambda b: core.select_sites(words, SITES, index, b, 1))
            | {"numpy dense gather, packbits": lambda: np.packbits(dense[:, index], axis=1, bitorder="little")},
            lambda answer: np.array_equal(answer.view(np.uint8)[:, : chosen.shape[1]], chosen),
            repeats=3,
        )
    )
    flipped = np.packbits(dense.T, axis=1, bitorder="little")

    def through_bytes():
        dense_again = np.unpackbits(words.view(np.uint8), axis=1, count=SITES, bitorder="little")
        return np.packbits(dense_again.T, axis=1, bitorder="little")

    entries.append(
        measure(
            f"transpose {N} x {SITES}",
            every_backend("pack", lambda b: core.transpose(words, SITES, b, 1))
            | {"numpy through bytes": through_bytes},
            lambda answer: np.array_equal(answer.view(np.uint8)[:, : flipped.shape[1]], flipped),
            repeats=3,
        )
    )
    sizes = [10_001, 20_029, SITES - 30_030]
    stops = np.cumsum(sizes)
    ranges = [np.arange(stop - size, stop) for size, stop in zip(sizes, stops, strict=True)]
    parts = [core.select_sites(words, SITES, index, "scalar", 1) for index in ranges]
    entries.append(
        measure(
            f"concat_sites {N} x ({' + '.join(map(str, sizes))})",
            {
                "hapforge": lambda: core.concat_sites(parts, sizes, 1),
                "numpy, shift and or": lambda: shift_and_or(parts, sizes),
                "numpy, copy of the result": words.copy,
            },
            lambda answer: np.array_equal(answer, words),
        )
    )
    write_results("pack", entries, {"numpy": np.__version__})


if __name__ == "__main__":
    main()

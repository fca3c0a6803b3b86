"""pack against numpy.packbits, which does not check its values; unpack against numpy.unpackbits."""

import numpy as np
from workloads import cohort, every_backend, measure, write_results

from hapforge import _backend

N, SITES = 5008, 65_535
core = _backend.core


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
    small = np.ascontiguousarray(dense[:, :20_000])
    small_words = core.pack(small, 0, "scalar", 1)
    flipped = np.packbits(small.T, axis=1, bitorder="little")

    def through_bytes():
        dense_again = np.unpackbits(small_words.view(np.uint8), axis=1, count=20_000, bitorder="little")
        return np.packbits(dense_again.T, axis=1, bitorder="little")

    entries.append(
        measure(
            f"transpose {N} x 20000",
            every_backend("pack", lambda b: core.transpose(small_words, 20_000, b, 1))
            | {"numpy through bytes": through_bytes},
            lambda answer: np.array_equal(answer.view(np.uint8)[:, : flipped.shape[1]], flipped),
            repeats=3,
        )
    )
    write_results("pack", entries, {"numpy": np.__version__})


if __name__ == "__main__":
    main()

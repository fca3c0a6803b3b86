"""allele_counts against NumPy's column sums, of the dense matrix and of packed bits unpacked a block at a time."""

import numpy as np
from workloads import cohort, every_backend, measure, write_results

from hapforge.kernels import allele_counts
from hapforge.kernels._inputs import as_packed

N, SITES, BLOCK = 5008, 65_535, 255


def main() -> None:
    dense = cohort(N, SITES)
    packed = as_packed(dense, "dense")
    octets = packed.words.view(np.uint8)
    expected = dense.sum(axis=0, dtype=np.int64)

    def unpacked():
        counts = np.zeros(SITES, np.int64)
        for start in range(0, N, BLOCK):  # 255 rows at most, so that uint8 sums cannot overflow
            block = np.unpackbits(octets[start : start + BLOCK], axis=1, count=SITES, bitorder="little")
            counts += np.add.reduce(block, axis=0, dtype=np.uint8)
        return counts

    entry = measure(
        f"{N} x {SITES}",
        every_backend("allele_counts", lambda b: allele_counts(packed, backend=b, threads=1))
        | {
            "numpy, dense": lambda: dense.sum(axis=0, dtype=np.int64),
            "numpy.unpackbits, sum": unpacked,
        },
        lambda answer: np.array_equal(answer, expected),
        repeats=5,
    )
    write_results("allele_counts", [entry], {"numpy": np.__version__})


if __name__ == "__main__":
    main()

"""pairwise_hamming against NumKong's packed Hamming distances; the histogram against that and numpy.bincount."""

import numpy as np
from workloads import cohort, every_backend, measure, optional, write_results

from hapforge.kernels import hamming_histogram, pairwise_hamming
from hapforge.kernels._inputs import as_packed

N, SITES = 5008, 10_000


def main() -> None:
    packed = as_packed(cohort(N, SITES), "dense")
    octets = packed.words.view(np.uint8)
    matrix = pairwise_hamming(packed, backend="scalar", threads=1)
    counts = np.bincount(matrix[np.triu_indices(N, 1)], minlength=SITES + 1)
    pairs = every_backend("hamming", lambda b: pairwise_hamming(packed, backend=b, threads=1))
    histogram = every_backend("hamming", lambda b: hamming_histogram(packed, backend=b, threads=1))
    peers = {"numpy": np.__version__}
    if (numkong := optional("numkong")) is not None:
        peers["numkong"] = numkong.__version__

        def all_pairs():
            return np.asarray(numkong.hammings_packed(octets, numkong.hammings_pack(octets, dtype="uint1")))

        def binned():
            twice = np.bincount(all_pairs().ravel().astype(np.int64), minlength=SITES + 1)
            twice[0] -= N
            return twice // 2

        pairs["numkong.hammings_packed"] = all_pairs
        histogram["numkong, numpy.bincount"] = binned
    entries = [
        measure(f"pairwise {N} x {N} x {SITES}", pairs, lambda a: np.array_equal(a, matrix), repeats=3),
        measure(f"histogram {N} x {SITES}", histogram, lambda a: np.array_equal(a, counts), repeats=3),
    ]
    write_results("hamming", entries, peers)


if __name__ == "__main__":
    main()

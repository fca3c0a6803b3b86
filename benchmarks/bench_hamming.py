"""pairwise_hamming and hamming_histogram against matrices of distances by NumKong and SimSIMD, binned by NumPy.

The cohort is the embedded out-of-Africa one.
"""

import numpy as np
from peers import Candidate, backends, compare, versions
from workloads import ooa_cohort, write_results

from hapforge.kernels import pairwise_hamming

N, SITES = 5008, 10_000


def ours(data, threads, backend):
    from hapforge.kernels import pairwise_hamming

    rows = data["words"], data["sites"]
    return lambda: pairwise_hamming(rows, backend=backend, threads=threads)


def numkong_packed(data, threads):
    import numkong
    import numpy as np

    octets = np.array(data["words"].view("uint8"))
    return lambda: np.asarray(numkong.hammings_packed(octets, numkong.hammings_pack(octets, dtype="uint1")))


def simsimd_cdist(data, threads):
    import numpy as np
    import simsimd

    octets = np.array(data["words"].view("uint8"))
    return lambda: np.asarray(simsimd.cdist(octets, octets, "hamming", dtype="bin8", threads=threads))


def ours_binned(data, threads, backend):
    from hapforge.kernels import hamming_histogram

    rows = data["words"], data["sites"]
    return lambda: hamming_histogram(rows, backend=backend, threads=threads)


def numkong_binned(data, threads):
    import numkong
    import numpy as np

    octets, sites = np.array(data["words"].view("uint8")), data["sites"]

    def binned():
        distance = np.asarray(numkong.hammings_packed(octets, numkong.hammings_pack(octets, dtype="uint1")))
        twice = np.bincount(distance.ravel(), minlength=sites + 1)
        twice[0] -= len(octets)
        return twice // 2

    return binned


def main() -> None:
    words = ooa_cohort(N, SITES).words
    matrix = pairwise_hamming((words, SITES), backend="scalar")
    counts = np.bincount(matrix[np.triu_indices(N, 1)], minlength=SITES + 1)
    data = {"words": words, "sites": SITES}
    entries = []
    for threads in (1, 2):
        pairs, binned = backends("hamming", ours), backends("hamming", ours_binned)
        if threads == 1:
            pairs["numkong.hammings_packed"] = Candidate(numkong_packed, ("numkong",))
            pairs["simsimd.cdist"] = Candidate(simsimd_cdist, ("simsimd",))
            binned["numkong, numpy.bincount"] = Candidate(numkong_binned, ("numkong",))
        for name, candidates, expected in (("pairwise", pairs, matrix), ("histogram", binned, counts)):
            entries.append(
                compare(
                    f"{name} {N} x {N} x {SITES}",
                    candidates,
                    data,
                    lambda answer, e=expected: np.array_equal(answer, e),
                    threads=threads,
                    rounds=3,
                )
            )
    write_results("hamming", entries, versions("numkong", "simsimd", "numpy"))


if __name__ == "__main__":
    main()

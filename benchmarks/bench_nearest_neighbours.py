"""Nearest neighbours within one set, and within and between two, against exact searches by other libraries.

faiss.IndexBinaryFlat searches; NumKong, SimSIMD, torch and scipy give matrices of distances, of which minima are taken:
each pair once where the library allows it. scipy takes float64, so it is given a subset. Ours prune where there are
enough rows; benchmarks/bench_popcount_bound.py has the pass over all. The cohort is out-of-Africa haplotypes, rows
0 to 5007 and 5008 to 10,015 of 10,016. Growth is measured on independent sites, where little can be pruned.
"""

import numpy as np
from peers import Candidate, backends, compare, growth, versions
from workloads import cohort, ooa_cohort, write_results

from hapforge.kernels import joint_nearest_neighbours, nearest_neighbours
from hapforge.kernels._inputs import as_packed

N, SITES, SUBSET = 5008, 10_000, 200
GROWTH = (2500, 5000, 10_000, 20_000)


def ours(data, threads, backend, k=1):
    from hapforge.kernels import nearest_neighbours

    rows = data["a"], data["sites"]
    return lambda: nearest_neighbours(rows, k=k, backend=backend, threads=threads).distance


def faiss_search(data, threads, k=1):
    import os

    os.environ["OMP_WAIT_POLICY"] = "passive"  # waiting threads are not to count as work
    import faiss

    faiss.omp_set_num_threads(threads)
    octets = data["a"].view("uint8")
    index = faiss.IndexBinaryFlat(octets.shape[1] * 8)
    index.add(octets)
    # a row finds itself, at distance 0: one more, and a zero is dropped
    return lambda: index.search(octets, k + 1)[0][:, 1:]


def numkong_symmetric(data, threads):
    import numkong
    import numpy as np

    octets = np.array(data["a"].view("uint8"))

    def minima():
        distance = np.asarray(numkong.hammings_symmetric(octets, dtype="uint1")).copy()
        distance = np.triu(distance, 1)
        distance += distance.T
        np.fill_diagonal(distance, np.iinfo(distance.dtype).max)
        return distance.min(axis=1)[:, None]

    return minima


def numkong_packed(data, threads):
    import numkong
    import numpy as np

    octets = np.array(data["a"].view("uint8"))

    def minima():
        distance = np.array(numkong.hammings_packed(octets, numkong.hammings_pack(octets, dtype="uint1")))
        np.fill_diagonal(distance, np.iinfo(distance.dtype).max)
        return distance.min(axis=1)[:, None]

    return minima


def simsimd_cdist(data, threads):
    import numpy as np
    import simsimd

    octets = np.array(data["a"].view("uint8"))

    def minima():
        distance = np.array(simsimd.cdist(octets, octets, "hamming", dtype="bin8", threads=threads))
        np.fill_diagonal(distance, np.inf)
        return distance.min(axis=1)[:, None]

    return minima


def torch_product(data, threads):
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    bits = np.unpackbits(data["a"].view("uint8"), axis=1, bitorder="little", count=data["sites"])
    dense = torch.from_numpy(bits).float()
    ones = dense.sum(1)

    def minima():
        distance = ones[:, None] + ones[None, :] - 2 * (dense @ dense.T)
        distance.fill_diagonal_(float("inf"))
        return distance.min(1).values[:, None]

    return minima, lambda found: found.numpy()


def ours_joint(data, threads, backend):
    import numpy as np

    from hapforge.kernels import joint_nearest_neighbours

    a, b = ((data[name], data["sites"]) for name in ("a", "b"))
    return (
        lambda: joint_nearest_neighbours(a, b, backend=backend, threads=threads),
        lambda found: np.concatenate([part.distance[:, 0] for part in found]),
    )


def faiss_joint(data, threads):
    import os

    os.environ["OMP_WAIT_POLICY"] = "passive"  # waiting threads are not to count as work
    import faiss
    import numpy as np

    faiss.omp_set_num_threads(threads)
    a, b = (data[name].view("uint8") for name in ("a", "b"))
    in_a, in_b = (faiss.IndexBinaryFlat(a.shape[1] * 8) for _ in range(2))
    in_a.add(a)
    in_b.add(b)

    def four_searches():
        parts = in_a.search(a, 2)[0][:, 1], in_b.search(a, 1)[0][:, 0], in_a.search(b, 1)[0][:, 0]
        return np.concatenate([*parts, in_b.search(b, 2)[0][:, 1]])

    return four_searches


def numkong_joint(data, threads):
    from concurrent.futures import ThreadPoolExecutor
    from itertools import pairwise

    import numkong
    import numpy as np

    a, b = (np.array(data[name].view("uint8")) for name in ("a", "b"))
    pool = ThreadPoolExecutor(threads)

    def matrix(x, y):
        packed = numkong.hammings_pack(y, dtype="uint1")
        edges = np.linspace(0, len(x), threads + 1).astype(int)
        parts = pool.map(lambda r: np.asarray(numkong.hammings_packed(x[r[0] : r[1]], packed)), pairwise(edges))
        return np.concatenate(list(parts)) if threads > 1 else np.array(next(parts))

    def three_products():
        aa, ab, bb = matrix(a, a), matrix(a, b), matrix(b, b)
        for within in (aa, bb):
            np.fill_diagonal(within, np.iinfo(within.dtype).max)
        return np.concatenate([aa.min(axis=1), ab.min(axis=1), ab.min(axis=0), bb.min(axis=1)])

    return three_products


def ours_between(data, threads, backend):
    from hapforge.kernels import nearest_neighbours

    queries, targets = ((data[name], data["sites"]) for name in ("a", "b"))
    return lambda: nearest_neighbours(queries, targets, backend=backend, threads=threads).distance[:, 0]


def faiss_between(data, threads):
    import os

    os.environ["OMP_WAIT_POLICY"] = "passive"  # waiting threads are not to count as work
    import faiss

    faiss.omp_set_num_threads(threads)
    queries, targets = (data[name].view("uint8") for name in ("a", "b"))
    index = faiss.IndexBinaryFlat(targets.shape[1] * 8)
    index.add(targets)
    return lambda: index.search(queries, 1)[0][:, 0]


def scipy_cdist(data, threads):
    from scipy.spatial.distance import cdist

    queries, targets = data["dense"][: data["subset"]], data["dense"][data["subset"] :]
    return lambda: cdist(queries, targets, "hamming").min(axis=1) * data["sites"]


def main() -> None:
    both = ooa_cohort(2 * N, SITES)
    a, b = np.ascontiguousarray(both.words[:N]), np.ascontiguousarray(both.words[N:])
    data = {"a": a, "b": b, "sites": SITES}
    entries = []

    for k in (1, 10):
        expected = nearest_neighbours((a, SITES), k=k, backend="scalar").distance
        peers = {"faiss.IndexBinaryFlat": Candidate(faiss_search, ("faiss",), arguments={"k": k})}
        if k == 1:
            peers |= {
                "numkong.hammings_packed": Candidate(numkong_packed, ("numkong",)),
                "numkong.hammings_symmetric": Candidate(numkong_symmetric, ("numkong",)),
                "simsimd.cdist": Candidate(simsimd_cdist, ("simsimd",)),
                "torch, float32 product": Candidate(torch_product, ("torch",), rounds=1),
            }
        entries.append(
            compare(
                f"among themselves, {N} x {SITES}, k = {k}",
                backends("nearest_neighbours", ours, k=k) | peers,
                data,
                lambda answer, e=expected: np.array_equal(answer, e),
                rounds=3,
            )
        )

    expected = np.concatenate(
        [part.distance[:, 0] for part in joint_nearest_neighbours((a, SITES), (b, SITES), backend="scalar")]
    )
    joint = backends("nearest_neighbours", ours_joint)
    del joint["hapforge scalar"]
    joint |= {
        "faiss, four searches": Candidate(faiss_joint, ("faiss",)),
        "numkong.hammings_packed": Candidate(numkong_joint, ("numkong",)),
    }
    entries += [
        compare(
            f"within and between, {N} + {N} x {SITES}",
            joint,
            data,
            lambda answer: np.array_equal(answer, expected),
            threads=threads,
            rounds=3,
        )
        for threads in (1, 2)
    ]

    dense = both.select_haplotypes(np.arange(N)).to_dense()
    nearest = nearest_neighbours(dense[:SUBSET], dense[SUBSET:], backend="scalar").distance[:, 0]
    entries.append(
        compare(
            f"{SUBSET} x {N - SUBSET} x {SITES}, k = 1",
            backends("nearest_neighbours", ours_between)
            | {"scipy cdist, min": Candidate(scipy_cdist, ("scipy",), rounds=1)},
            {
                "a": as_packed(dense[:SUBSET], "queries").words,
                "b": as_packed(dense[SUBSET:], "targets").words,
                "dense": dense,
                "subset": SUBSET,
                "sites": SITES,
            },
            lambda answer: np.allclose(answer, nearest, atol=1e-6),
            rounds=3,
        )
    )

    rows = as_packed(cohort(2 * GROWTH[-1], SITES), "dense").words

    def workload(size):
        data = {"a": rows[:size], "b": rows[size : 2 * size], "sites": SITES}
        expected = nearest_neighbours((data["a"], SITES), (data["b"], SITES)).distance[:, 0]
        candidates = {
            "hapforge": Candidate(ours_between, ("hapforge",), arguments={"backend": "auto"}),
            "faiss.IndexBinaryFlat": Candidate(faiss_between, ("faiss",), rounds=1),
        }
        return candidates, data, lambda answer: np.array_equal(answer, expected)

    grown = growth(f"n x n x {SITES}, k = 1", "rows of each set", GROWTH, workload, threads=2, rounds=1)
    write_results(
        "nearest_neighbours", entries, versions("faiss", "numkong", "simsimd", "torch", "scipy"), growth=[grown]
    )


if __name__ == "__main__":
    main()

"""nearest_neighbours against faiss.IndexBinaryFlat on packed bits, and scipy's cdist on a subset (it takes float64)."""

import numpy as np
from workloads import cohort, every_backend, measure, optional, write_results

from hapforge.kernels import nearest_neighbours
from hapforge.kernels._inputs import as_packed

N, SITES, SUBSET = 5008, 10_000, 200


def main() -> None:
    entries, peers = [], {}
    dense = cohort(N, SITES)
    packed = as_packed(dense, "dense")
    faiss, scipy = optional("faiss"), optional("scipy.spatial")
    for k in (1, 10):
        expected = nearest_neighbours(packed, k=k, backend="scalar", threads=1).distance
        candidates = every_backend(
            "nearest_neighbours", lambda b, k=k: nearest_neighbours(packed, k=k, backend=b, threads=1).distance
        )
        if faiss is not None:
            peers["faiss"] = faiss.__version__
            faiss.omp_set_num_threads(1)
            index = faiss.IndexBinaryFlat(packed.words.shape[1] * 64)
            index.add(packed.words.view(np.uint8))

            def search(index=index, k=k):  # a row finds itself, at distance 0: one more, and drop a zero
                return index.search(packed.words.view(np.uint8), k + 1)[0][:, 1:]

            candidates["faiss.IndexBinaryFlat"] = search
        name = f"among themselves, {N} x {SITES}, k = {k}"
        entries.append(measure(name, candidates, lambda a, e=expected: np.array_equal(a, e), repeats=3))
    if scipy is not None:
        peers["scipy"] = scipy.__version__
        cdist = scipy.spatial.distance.cdist
        queries, targets = dense[:SUBSET], dense[SUBSET:]
        packed_queries, packed_targets = as_packed(queries, "queries"), as_packed(targets, "targets")
        expected = nearest_neighbours(packed_queries, packed_targets, backend="scalar").index[:, 0]
        entries.append(
            measure(
                f"{SUBSET} x {N - SUBSET} x {SITES}, k = 1",
                every_backend(
                    "nearest_neighbours",
                    lambda b: nearest_neighbours(packed_queries, packed_targets, backend=b, threads=1).index[:, 0],
                )
                | {"scipy cdist, argmin": lambda: cdist(queries, targets, "hamming").argmin(axis=1)},
                lambda answer: np.array_equal(answer, expected),
                repeats=3,
            )
        )
    write_results("nearest_neighbours", entries, peers)


if __name__ == "__main__":
    main()

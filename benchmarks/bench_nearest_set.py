"""nearest_set, what an adversarial accuracy needs, against four searches of faiss and of numkong.

Three pairs of sets: halves of an out-of-Africa cohort, which has many identical rows; the same without them, so that
the gains of counting copies and of pruning stand apart; and mosaics, whose nearest rows are hardly nearer than others.
"""

import numpy as np
from peers import Candidate, backends, compare, growth, versions
from workloads import ooa_cohort, write_results

from hapforge.kernels import nearest_neighbours
from hapforge.kernels._inputs import as_packed

SITES = 10_000
ROWS = (5_008, 20_000, 50_000)
GROWTH_SITES = (1_000, 4_000, 16_000, 65_000)


def ours(data, threads, backend):
    from hapforge.kernels import nearest_set

    a, b = ((data[name], data["num_sites"]) for name in "ab")
    return lambda: nearest_set(a, b, backend=backend, threads=threads), lambda found: [*found.a_sets, *found.b_sets]


def exhaustive(data, threads):
    """All pairs, each once and in full: what nearest_neighbours does where it does not prune."""
    from hapforge import _core

    backend = _core.available_backends("nearest_neighbours")[0]

    def run():
        arguments = (data["a"], data["b"], data["num_sites"], 1, True, False, backend, threads)
        return [lists[1][:, 0] for lists in _core.joint_nearest_neighbours(*arguments)]

    return run, lambda d: [*((d[0] <= d[1]) + 2 * (d[1] <= d[0])), *((d[2] <= d[3]) + 2 * (d[3] <= d[2]))]


def all_distances(data, threads):
    """All four nearest neighbours with distances and indices, pruned."""
    from hapforge.kernels import joint_nearest_neighbours

    a, b = ((data[name], data["num_sites"]) for name in "ab")

    def run():
        return [lists.distance[:, 0] for lists in joint_nearest_neighbours(a, b, threads=threads)]

    return run, lambda d: [*((d[0] <= d[1]) + 2 * (d[1] <= d[0])), *((d[2] <= d[3]) + 2 * (d[3] <= d[2]))]


def faiss_four(data, threads):
    import faiss

    faiss.omp_set_num_threads(threads)
    a, b = data["a"].view("uint8"), data["b"].view("uint8")
    indexes = []
    for rows in (a, b):
        indexes.append(faiss.IndexBinaryFlat(rows.shape[1] * 8))
        indexes[-1].add(rows)

    def run():  # a row finds itself first, so two neighbours in its own set
        return [
            index.search(rows, 1 + own)[0][:, own]
            for rows, index, own in ((a, indexes[0], 1), (a, indexes[1], 0), (b, indexes[0], 0), (b, indexes[1], 1))
        ]

    return run, lambda d: [*((d[0] <= d[1]) + 2 * (d[1] <= d[0])), *((d[2] <= d[3]) + 2 * (d[3] <= d[2]))]


def numkong_three(data, threads):
    """Three matrices: both directions between the sets come from one."""
    from concurrent.futures import ThreadPoolExecutor

    import numkong
    import numpy as np

    pool = ThreadPoolExecutor(threads)
    a, b = data["a"].view("uint8"), data["b"].view("uint8")

    def matrix(x, y):
        packed = numkong.hammings_pack(y, dtype="uint1")
        parts = np.array_split(x, threads)
        return np.concatenate(list(pool.map(lambda part: np.asarray(numkong.hammings_packed(part, packed)), parts)))

    def run():
        own = []
        for rows in (a, b):
            d = matrix(rows, rows)
            np.fill_diagonal(d, 2**31 - 1)
            own.append(d.min(axis=1))
        across = matrix(a, b)
        return own[0], across.min(axis=1), across.min(axis=0), own[1]

    return run, lambda d: [*((d[0] <= d[1]) + 2 * (d[1] <= d[0])), *((d[2] <= d[3]) + 2 * (d[3] <= d[2]))]


def halves(words):
    order = np.random.default_rng(0).permutation(len(words))
    half = len(words) // 2
    return np.ascontiguousarray(words[order[:half]]), np.ascontiguousarray(words[order[half:]])


def mosaics(dense, n, segments, flips, seed):
    """Rows glued from stretches of the given ones, a share of bits flipped."""
    rng = np.random.default_rng(seed)
    sites = np.arange(dense.shape[1])
    rows = np.empty((n, len(sites)), np.uint8)
    for row in rows:
        ends = np.sort(rng.integers(0, len(sites), segments))
        source = rng.integers(0, len(dense), segments + 1)[np.searchsorted(ends, sites)]
        row[:] = dense[source, sites] ^ (rng.random(len(sites)) < flips)
    return as_packed(rows, "rows").words


def expected(a, b, num_sites):
    a, b = (a, num_sites), (b, num_sites)
    d = [nearest_neighbours(q, t).distance[:, 0] for q, t in ((a, None), (a, b), (b, a), (b, None))]
    return np.concatenate([(d[0] <= d[1]) + 2 * (d[1] <= d[0]), (d[2] <= d[3]) + 2 * (d[3] <= d[2])])


def workload(a, b, num_sites):
    answer = expected(a, b, num_sites)
    return {"a": a, "b": b, "num_sites": num_sites}, lambda found: np.array_equal(found, answer)


PEERS = {
    "hapforge, all four distances": Candidate(all_distances, ("hapforge",)),
    "hapforge, exhaustive": Candidate(exhaustive, ("hapforge",), rounds=3),
    "faiss, four searches": Candidate(faiss_four, ("faiss",), rounds=3),
    "numkong, three matrices": Candidate(numkong_three, ("numkong",), rounds=3),
}
FASTEST = {"hapforge": Candidate(ours, ("hapforge",), arguments={"backend": "auto"})}


def main() -> None:
    entries = []
    for rows in ROWS:
        packed = as_packed(ooa_cohort(2 * rows, SITES), "cohort")
        a, b = halves(packed.words)
        size = f"{rows} + {rows} x {SITES}"
        candidates = backends("nearest_set", ours) if rows == ROWS[0] else FASTEST
        if rows < ROWS[-1]:
            candidates = candidates | PEERS
        for threads in (1, 2) if rows == ROWS[0] else (2,):
            data, right = workload(a, b, packed.num_sites)
            entries.append(
                compare(
                    f"{size}, out-of-Africa", candidates, data, right, threads=threads, rounds=5 if rows < 9999 else 1
                )
            )
    whole = ooa_cohort(2 * ROWS[0], SITES)
    unique = np.unique(whole.words, axis=0)
    a, b = halves(unique)
    data, right = workload(a, b, SITES)
    name = f"{len(a)} + {len(b)} x {SITES}, out-of-Africa without identical rows"
    entries.append(compare(name, FASTEST | PEERS, data, right, threads=2))
    dense = whole.to_dense()[: ROWS[0]]
    a, b = whole.words[: ROWS[0]], mosaics(dense, ROWS[0], 50, 0.001, 1)
    data, right = workload(np.ascontiguousarray(a), b, SITES)
    entries.append(compare(f"{ROWS[0]} + {ROWS[0]} x {SITES}, mosaics of 50", FASTEST | PEERS, data, right, threads=2))

    def by_rows(rows):
        a, b = halves(as_packed(ooa_cohort(2 * rows, SITES), "cohort").words)
        return FASTEST, *workload(a, b, SITES)

    def by_sites(sites):
        a, b = halves(as_packed(ooa_cohort(2 * ROWS[0], sites), "cohort").words)
        return FASTEST, *workload(a, b, sites)

    grown = [
        growth(f"two sets x {SITES} sites, out-of-Africa", "rows in each", ROWS, by_rows, threads=2),
        growth(f"{ROWS[0]} + {ROWS[0]}, out-of-Africa", "sites", GROWTH_SITES, by_sites, threads=2),
    ]
    write_results("nearest_set", entries, versions("faiss", "numkong"), grown)


if __name__ == "__main__":
    main()

"""three_point and three_point_block on out-of-Africa haplotypes against torch and NumPy.

The peers multiply centred columns, float32 and site-major, which are made before the clock starts: the mean of a
product of three is the same number as the formula from frequencies. For a block they take the products with the first
site and one matrix product with the other sites, for each first site. Ours starts from packed haplotypes.
"""

import numpy as np
from peers import Candidate, backends, compare, growth, versions
from workloads import cohort, ooa_cohort, write_results

from hapforge.kernels import random_triplets, three_point, three_point_block, triplets_at_spacing

N, SITES, EACH, BLOCK = 5008, 10_000, 8000, 256
SPACINGS = (1, 4, 16, 64, 256, 512, 1024)  # Yelmen et al. 2021, and random triplets


def ours_listed(data, threads, backend):
    from hapforge.kernels import three_point

    m = (data["words"], data["num_sites"])
    return lambda: three_point(m, data["triplets"], backend=backend, threads=threads)


def ours_block(data, threads, backend):
    from hapforge.kernels import three_point_block

    m = (data["words"], data["num_sites"])
    return lambda: three_point_block(m, backend=backend, threads=threads)


def torch_listed(data, threads):
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = torch.from_numpy(np.ascontiguousarray(dense.T)).float()
    sites -= sites.mean(1, keepdim=True)
    triplets = torch.from_numpy(np.array(data["triplets"]))

    def run():
        parts = []
        for some in triplets.split(16):  # of those tried, the number of triplets at a time that is fastest
            x, y, z = (sites[some[:, column]] for column in range(3))
            parts.append(torch.linalg.vecdot(x.mul_(y), z))
        return torch.cat(parts) / sites.shape[1]

    return run, lambda values: values.numpy()


def numpy_listed(data, threads):
    import numpy as np

    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = np.ascontiguousarray(dense.T, np.float32)
    sites -= sites.mean(axis=1, keepdims=True)
    triplets = np.array(data["triplets"])

    def run():
        values = np.empty(len(triplets), np.float32)
        for start in range(0, len(triplets), 16):
            x, y, z = (sites[column] for column in triplets[start : start + 16].T)
            values[start : start + 16] = np.einsum("ij,ij->i", x * y, z)
        return values / sites.shape[1]

    return run


def torch_block(data, threads):
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = torch.from_numpy(np.ascontiguousarray(dense.T)).float()
    sites -= sites.mean(1, keepdim=True)

    def run():
        parts = []
        for i in range(len(sites) - 2):
            later = sites[i + 1 :]
            products = (later * sites[i]) @ later.T
            above = torch.triu_indices(len(later), len(later), 1)
            parts.append(products[above[0], above[1]])
        return torch.cat(parts) / sites.shape[1]

    return run, lambda values: values.numpy()


def numpy_block(data, threads):
    import numpy as np

    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = np.ascontiguousarray(dense.T, np.float32)
    sites -= sites.mean(axis=1, keepdims=True)

    def run():
        parts = []
        for i in range(len(sites) - 2):
            later = sites[i + 1 :]
            parts.append(((later * sites[i]) @ later.T)[np.triu_indices(len(later), 1)])
        return np.concatenate(parts) / sites.shape[1]

    return run


def near(expected):
    """To what float32 sums of 5008 products leave: ours is exact, and agrees between the backends to the last bit."""
    return lambda answer: np.allclose(answer, expected, rtol=0, atol=2e-5)


def listed(name, words, num_sites, triplets):
    expected = three_point((words, num_sites), triplets, backend="scalar")
    return compare(
        name,
        {
            **backends("three_point", ours_listed),
            "torch, float32": Candidate(torch_listed, ("torch",), rounds=2),
            "numpy, float32": Candidate(numpy_listed, rounds=2),
        },
        {"words": words, "num_sites": num_sites, "triplets": triplets},
        near(expected),
        rounds=5,
    )


def block_workload(m):
    def workload(size):
        some = m.select_sites(np.arange(size))
        expected = three_point_block(some, backend="scalar", threads=1)
        candidates = {
            **backends("three_point", ours_block),
            "torch, float32": Candidate(torch_block, ("torch",)),
            "numpy, float32": Candidate(numpy_block),
        }
        return candidates, {"words": some.words, "num_sites": size}, near(expected)

    return workload


def main() -> None:
    m = ooa_cohort(N, SITES)
    published = [triplets_at_spacing(m, spacing, EACH, seed=1) for spacing in SPACINGS]
    published.append(random_triplets(m, EACH, seed=1))
    triplets = np.concatenate(published)
    workload = block_workload(m)
    entries = [listed(f"{len(triplets)} listed triplets of {N} x {SITES}", m.words, SITES, triplets)]
    name = f"all {BLOCK * (BLOCK - 1) * (BLOCK - 2) // 6} triplets of {BLOCK} sites x {N}"
    entries.append(compare(name, *workload(BLOCK), rounds=5))
    wide = cohort(N, 65_535)
    words = np.packbits(np.pad(wide, ((0, 0), (0, 1))), axis=1, bitorder="little").view(np.uint64)
    spaced = triplets_at_spacing(65_535, 64)
    entries.append(listed(f"all {len(spaced)} triplets at spacing 64 of {N} x 65535", words, 65_535, spaced))
    # On 2 threads a torch that waits for a busy core burns CPU time: read the wall seconds.
    grown = [
        growth(f"three_point_block of {N} haplotypes", "sites", sizes, workload, threads=threads, most_seconds=3)
        for threads, sizes in ((1, (64, 128, 256, 512)), (2, (128, 256)))
    ]
    write_results("three_point", entries, versions("torch", "numpy"), grown)


if __name__ == "__main__":
    main()

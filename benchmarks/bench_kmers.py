"""kmer_counts against NumPy and torch.

The peers start from dense bytes, NumPy's fastest way also from bits packed with the first site on top, of which a byte
is a motif of 8 and its halves are motifs of 4. Ours starts from packed haplotypes.
"""

import numpy as np
from peers import Candidate, backends, compare, growth, versions
from workloads import cohort, ooa_cohort, write_results

from hapforge import _backend
from hapforge.kernels import kmer_counts

N, SITES = 5008, 65_535


def ours(data, threads, backend):
    from hapforge.kernels import kmer_counts

    m = (data["words"], data["num_sites"])
    return lambda: kmer_counts(m, data["k"], backend=backend, threads=threads)


def numpy_packed(data, threads):
    """Rows 64 at a time, so that the indices of a round stay in the cache."""
    import numpy as np

    k, windows = data["k"], data["num_sites"] // data["k"]
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    octets = np.packbits(dense, axis=1)

    def run():
        offsets = np.arange(windows) * 2**k
        counts = np.zeros(windows * 2**k, np.int64)
        for start in range(0, len(octets), 64):
            motifs = octets[start : start + 64]
            if k == 4:
                motifs = np.stack([motifs >> 4, motifs & 15], axis=2).reshape(len(motifs), -1)
            counts += np.bincount((motifs[:, :windows] + offsets).ravel(), minlength=len(counts))
        return counts.reshape(windows, 2**k)

    return run


def numpy_dense(data, threads):
    import numpy as np

    k, windows = data["k"], data["num_sites"] // data["k"]
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")

    def run():
        motifs = np.zeros((len(dense), windows), np.int64)
        for site in range(k):
            motifs += dense[:, site : windows * k : k].astype(np.int64) << (k - 1 - site)
        motifs += np.arange(windows) * 2**k
        return np.bincount(motifs.ravel(), minlength=windows * 2**k).reshape(windows, 2**k)

    return run


def torch_dense(data, threads):
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    k, windows = data["k"], data["num_sites"] // data["k"]
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = torch.from_numpy(dense)

    def run():
        motifs = torch.arange(windows).mul_(2**k).repeat(len(sites), 1)
        for site in range(k):
            motifs += sites[:, site : windows * k : k].long() << (k - 1 - site)
        return torch.bincount(motifs.flatten(), minlength=windows * 2**k).view(windows, 2**k)

    return run, lambda counts: counts.numpy()


SLOW = {
    "numpy, dense": Candidate(numpy_dense, rounds=2),
    "torch, dense": Candidate(torch_dense, ("torch",), rounds=2),
}


def workload(words, num_sites, k, peers):
    expected = kmer_counts((words, num_sites), k, backend="scalar")
    candidates = {**backends("kmers", ours), "numpy, packed": Candidate(numpy_packed), **peers}
    data = {"words": words, "num_sites": num_sites, "k": k}
    return candidates, data, lambda answer: np.array_equal(answer, expected)


def main() -> None:
    m = ooa_cohort(N, 10_000)
    wide = _backend.pack(cohort(N, SITES))
    entries = [
        compare(f"k = {k}, {N} x {num_sites}", *workload(words, num_sites, k, SLOW), rounds=5)
        for words, num_sites in ((m.words, 10_000), (wide, SITES))
        for k in (4, 8)
    ]

    def of_sites(size):
        return workload(_backend.select_sites(wide, SITES, np.arange(size)), size, 8, {})

    def of_rows(size):
        return workload(np.resize(m.words, (size, m.words.shape[1])), 10_000, 8, {})

    grown = [
        growth(f"k = 8, {N} haplotypes", "sites", (1000, 4000, 16_000, 65_535), of_sites),
        growth("k = 8, 10,000 sites", "rows", (5000, 20_000, 100_000), of_rows),
    ]
    write_results("kmers", entries, versions("torch", "numpy"), grown)


if __name__ == "__main__":
    main()

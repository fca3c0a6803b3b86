"""ld_matrix and ld_decay on out-of-Africa haplotypes against plink 1.9, torch, scikit-allel and NumPy.

plink takes diploids: haplotypes are given to it as homozygous persons, whose r2 is that of the haplotypes, and it
writes its answer to a file, as it always does. Its .bed is made before the clock starts.
"""

import subprocess

import numpy as np
from peers import Candidate, backends, compare, growth, program_version, versions
from workloads import ooa_cohort, write_results

from hapforge.kernels import ld_decay, ld_matrix

N, BINS = 5008, 200


def ours_matrix(data, threads, backend):
    from hapforge.kernels import ld_matrix

    m = (data["words"], data["num_sites"])
    return lambda: ld_matrix(m, backend=backend, threads=threads)


def ours_decay(data, threads, backend):
    import hapforge as hf

    sites = hf.Sites(data["position"], contig="1", ref="A", alt="G")
    m = hf.HaplotypeMatrix(data["words"], sites, hf.Samples(len(data["words"])))
    return lambda: hf.kernels.ld_decay(m, data["edges"], backend=backend, threads=threads).mean_r2


def plink_matrix(data, threads):
    import subprocess
    import tempfile
    from pathlib import Path

    import numpy as np

    num_sites = data["num_sites"]
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=num_sites, bitorder="little")
    n = len(dense) // 4 * 4
    assert n == len(dense), "a byte of a .bed has four persons"
    fours = (3 * dense.T).reshape(num_sites, n // 4, 4)
    octets = fours[:, :, 0] | fours[:, :, 1] << 2 | fours[:, :, 2] << 4 | fours[:, :, 3] << 6
    folder = tempfile.TemporaryDirectory()  # lives as long as the call
    stem = Path(folder.name) / "x"
    stem.with_suffix(".bed").write_bytes(b"\x6c\x1b\x01" + octets.tobytes())
    stem.with_suffix(".bim").write_text("".join(f"1 s{j} 0 {j + 1} G A\n" for j in range(num_sites)))
    stem.with_suffix(".fam").write_text("".join(f"h{i} h{i} 0 0 1 -9\n" for i in range(n)))
    command = ["plink1.9", "--bfile", str(stem), "--r2", "triangle", "bin4", "--threads", str(threads)]

    def run():
        subprocess.run([*command, "--out", str(stem)], check=True, stdout=subprocess.DEVNULL)
        return folder

    return run, lambda folder: np.fromfile(folder.name + "/x.ld.bin", np.float32)


def torch_matrix(data, threads):
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = torch.from_numpy(np.ascontiguousarray(dense.T.view(np.int8)))
    n = sites.shape[1]

    def run():
        n11 = torch._int_mm(sites, sites.T)
        carriers = n11.diagonal().double()
        r = n11.float().mul_(n).sub_((carriers[:, None] * carriers).float())
        inverse = (carriers * (n - carriers)).rsqrt().float()
        return r.mul_(inverse[:, None]).mul_(inverse).square_()

    return run, lambda r2: r2.numpy()


def torch_decay(data, threads):
    """1000 sites at a time against the later ones."""
    import numpy as np
    import torch

    torch.set_num_threads(threads)
    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = torch.from_numpy(np.ascontiguousarray(dense.T.view(np.int8)))
    position = torch.from_numpy(data["position"].copy())
    edges = torch.from_numpy(data["edges"].copy())
    n, bins = sites.shape[1], len(edges) - 1

    def run():
        carriers = sites.sum(1, dtype=torch.int64).double()
        inverse = (carriers * (n - carriers)).rsqrt().float()
        sums = torch.zeros(bins + 1, dtype=torch.float64)
        pairs = torch.zeros(bins + 1, dtype=torch.int64)
        for start in range(0, len(sites), 1000):
            rows = slice(start, start + 1000)
            r = torch._int_mm(sites[rows], sites[start:].T).float().mul_(n)
            r2 = r.sub_((carriers[rows, None] * carriers[start:]).float()).mul_(inverse[rows, None])
            r2 = r2.mul_(inverse[start:]).square_()
            distance = (position[start:] - position[rows, None]).double()
            chosen = torch.bucketize(distance, edges, right=True).sub_(1).clamp_(max=bins)
            later = torch.ones_like(r2, dtype=torch.bool).triu_(1)
            chosen = chosen[later]
            sums += torch.bincount(chosen, r2[later].double(), bins + 1)
            pairs += torch.bincount(chosen, minlength=bins + 1)
        return (sums / pairs)[:bins]

    return run, lambda means: means.numpy()


def numpy_matrix(data, threads):
    """Columns of mean 0 and sum of squares 1: their products are correlations."""
    import numpy as np

    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = np.ascontiguousarray(dense.T, np.float32)

    def run():
        centred = sites - sites.mean(axis=1, keepdims=True)
        centred /= np.sqrt((centred * centred).sum(axis=1, keepdims=True))
        r = centred @ centred.T
        return np.square(r, out=r)

    return run


def allel_matrix(data, threads):
    import allel
    import numpy as np

    dense = np.unpackbits(data["words"].view("uint8"), axis=1, count=data["num_sites"], bitorder="little")
    sites = np.ascontiguousarray(dense.T.view(np.int8))

    def square(condensed):
        size = len(sites)
        r2 = np.ones((size, size), np.float32)
        above = np.triu_indices(size, 1)
        r2[above] = condensed**2
        r2.T[above] = r2[above]
        return r2

    return lambda: allel.rogers_huff_r(sites), square


def same_matrix(expected):
    """Compares a matrix, or plink's lower triangle row by row, with r2 to what float32 products leave of it."""

    def right(answer):
        for i, row in enumerate(expected):
            found = answer[i] if answer.ndim == 2 else answer[i * (i + 1) // 2 : (i + 1) * (i + 2) // 2]
            if not np.allclose(found, row[: len(found)], rtol=0, atol=5e-5):
                return False
        return True

    return right


def matrix_workload(num_sites):
    m = ooa_cohort(N, num_sites)
    candidates = {
        **backends("joint_counts", ours_matrix),
        "plink1.9 --r2 triangle bin4": Candidate(plink_matrix, programs=("plink1.9",), rounds=2),
        "torch int8": Candidate(torch_matrix, ("torch",)),
    }
    data = {"words": m.words, "num_sites": num_sites}
    return candidates, data, same_matrix(ld_matrix(m, backend="scalar"))


def decay_workload(num_sites):
    m = ooa_cohort(N, num_sites)
    edges = np.linspace(0, float(m.sites.position[-1]), BINS + 1)
    means = ld_decay(m, edges).mean_r2
    candidates = {
        **backends("joint_counts", ours_decay),
        "torch int8, bincount": Candidate(torch_decay, ("torch",), rounds=2),
    }
    data = {"words": m.words, "num_sites": num_sites, "position": m.sites.position, "edges": edges}
    return candidates, data, lambda answer: np.allclose(answer, means, rtol=1e-3, atol=0, equal_nan=True)


def without_slow_backends(workload):
    def smaller(num_sites):
        candidates, data, right = workload(num_sites)
        ours = [name for name in candidates if name.startswith("hapforge")]
        return {name: how for name, how in candidates.items() if name not in ours[1:]}, data, right

    return smaller


def plink2_has_all_pairs() -> bool:
    found = subprocess.run(["plink2", "--help", "r2-unphased"], capture_output=True, text=True).stdout
    return "--r2-unphased" in found


def main() -> None:
    candidates, data, right = matrix_workload(1000)
    candidates["scikit-allel rogers_huff_r"] = Candidate(allel_matrix, ("allel",), rounds=1)
    candidates["numpy float32"] = Candidate(numpy_matrix)
    entries = [compare(f"ld_matrix 1000 sites x {N}", candidates, data, right)]
    entries.append(compare(f"ld_matrix 10000 sites x {N}", *matrix_workload(10_000), threads=2, rounds=5))
    name = f"ld_decay 10000 sites x {N}, all pairs, {BINS} bins"
    entries.append(compare(name, *decay_workload(10_000), threads=1, rounds=3))
    candidates, data, right = decay_workload(65_535)
    ours = dict([next(iter(candidates.items()))])  # the fastest
    entries.append(compare(f"ld_decay 65535 sites x {N}, all 2.1e9 pairs, {BINS} bins", ours, data, right, threads=2))
    grown = [
        growth(name, "sites", sizes, without_slow_backends(workload), threads=2, rounds=3, most_seconds=5)
        for name, sizes, workload in (
            ("ld_matrix", (1000, 2000, 5000, 10_000, 20_000), matrix_workload),
            ("ld_decay", (1000, 2000, 5000, 10_000, 20_000, 65_535), decay_workload),
        )
    ]
    plink2 = program_version("plink2")
    if plink2 != "absent" and not plink2_has_all_pairs():
        plink2 += ": no r2 of all pairs"
    peers = {**versions("numpy", "torch", "allel"), "plink1.9": program_version("plink1.9"), "plink2": plink2}
    write_results("joint_counts", entries, peers, grown)


if __name__ == "__main__":
    main()

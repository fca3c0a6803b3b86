"""Embeddings by principal components: what a whole genome costs, and which alleles do not come back.

    python benchmarks/bench_embedding.py [--data FOLDER] [--parts genome peer errors] [-o FILE]

- genome: the size of Kenneweg et al., 26,624 genes of 5008 haplotypes, with 50 sites a gene: the embedded cohort side
  by side, persons shifted from one copy to the next. Fit, then encode and decode by blocks of 256 rows, in a process of
  its own on two threads, whose peak memory holds the packed cohort, too.
- peer: scikit-learn's PCA of each of 512 such genes, dense in memory, one thread. It has no way back to alleles; ours
  calibrates thresholds, too. Explained variances are compared before times are believed.
- errors: alleles that decode(encode(x)) gets wrong, of haplotypes and of persons' genotypes, fitted to nine in ten
  persons, on these and on the tenth held out; on the embedded cohort and, where FOLDER holds
  805_SNP_1000G_real.hapt.zip with 805_SNP.legend and lct_chr2_8076.npz, on those. Coordinates are numbers that are no
  padding.
"""

from __future__ import annotations

import workloads  # first: it gives NumPy's libraries one thread

# isort: split
import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from worker import cpu_seconds, peak_memory_mb

import hapforge as hf
from hapforge import _backend
from hapforge.haplotypes import Sites, words_per_row
from hapforge.models.embedding import CohortPCA, GenewisePCA, ReconstructionErrors

PARTS = ("genome", "peer", "errors")
GENES, SITES = 26_624, 50
PEER_GENES = 512  # whole words of sites
WINDOWS = (None, 64, 32, 16, 8)
COMPONENTS = (128, 512)


def side_by_side(num_sites: int) -> hf.HaplotypeMatrix:
    """The embedded cohort's haplotypes at its first 9,984 sites, over and over, each time of other persons."""
    once = hf.datasets.load("ooa").words[:, :156]
    words = np.empty((len(once), words_per_row(num_sites)), np.uint64)
    for copy, first in enumerate(range(0, words.shape[1], 156)):
        part = words[:, first : first + 156]
        part[:] = np.roll(once, 74 * copy, axis=0)[:, : part.shape[1]]
    return hf.HaplotypeMatrix(words, Sites(num_sites=num_sites))


def genome() -> dict[str, Any]:
    """Times and peak memory in MiB, of this process."""
    _backend.set_threads(2)
    H = side_by_side(GENES * SITES)
    found: dict[str, Any] = {"shape": H.shape, "genes": GENES, "packed_mb": H.words.nbytes >> 20}
    start = time.perf_counter(), cpu_seconds()
    embedding = GenewisePCA(window=SITES).fit(H)
    found["fit"] = {"wall": time.perf_counter() - start[0], "cpu": cpu_seconds() - start[1]}
    found["fit"]["peak_memory_mb"] = peak_memory_mb()
    assert embedding.shape == (GENES, 8)
    costs = {"encode": [0.0, 0.0], "decode": [0.0, 0.0]}
    wrong = 0
    for block in H.iter_row_blocks(256):
        start = time.perf_counter(), cpu_seconds()
        E = embedding.encode(block)
        middle = time.perf_counter(), cpu_seconds()
        back = embedding.decode(E)
        end = time.perf_counter(), cpu_seconds()
        for k in range(2):
            costs["encode"][k] += middle[k] - start[k]
            costs["decode"][k] += end[k] - middle[k]
        wrong += int(np.bitwise_count(back.words ^ block.words).sum())
    for name, (wall, cpu) in costs.items():
        found[name] = {"wall": wall, "cpu": cpu}
    found["wrong_alleles"] = wrong / (H.num_haplotypes * H.num_sites)
    found["peak_memory_mb"] = peak_memory_mb()
    return found


def peer() -> dict[str, Any]:
    """CPU seconds of both, on one thread, interleaved; the least of three."""
    decomposition = workloads.optional("sklearn.decomposition")
    if decomposition is None:
        return {"absent": "scikit-learn"}
    _backend.set_threads(1)
    H = side_by_side(PEER_GENES * SITES)
    dense = H.to_dense().astype(np.float32)
    ours, theirs = [], []
    for _ in range(3):
        start = cpu_seconds()
        embedding = GenewisePCA(window=SITES, explained=1.0).fit(H)
        embedding.encode(H)
        ours.append(cpu_seconds() - start)
        variance = np.empty((PEER_GENES, 8))
        start = cpu_seconds()
        for gene in range(PEER_GENES):
            pca = decomposition.decomposition.PCA(8)
            pca.fit_transform(dense[:, SITES * gene : SITES * (gene + 1)])
            variance[gene] = pca.explained_variance_
        theirs.append(cpu_seconds() - start)
        n = len(dense)
        np.testing.assert_allclose(embedding.tensors()["variance"], variance * (n - 1) / n, rtol=1e-2, atol=1e-5)
    return {"genes": PEER_GENES, "shape": H.shape, "ours_cpu": min(ours), "scikit_learn_cpu": min(theirs)}


def described(errors: ReconstructionErrors) -> dict[str, Any]:
    found = {"overall": errors.overall, "of_minor": errors.of_minor, "worst_site": float(errors.per_site.max())}
    if errors.per_gene is not None:
        found["worst_gene"] = float(errors.per_gene.max())
        found["genes_above_1_percent"] = float((errors.per_gene > 0.01).mean())
    return found


def errors(H: hf.HaplotypeMatrix) -> list[dict[str, Any]]:
    train, test = H.split(0.1, seed=0)
    entries = []
    for unit in ("haplotype", "person"):
        made: list[Any] = [GenewisePCA(window=window, unit=unit) for window in WINDOWS]
        made += [CohortPCA(components=k, unit=unit) for k in COMPONENTS]
        for embedding in made:
            start = cpu_seconds()
            embedding.fit(train)
            cpu = cpu_seconds() - start
            E = np.concatenate([embedding.encode(block) for block in train.iter_row_blocks(512)])
            carried = [hf.stats.allele_frequencies(rows) for rows in (embedding.decode(E), train)]
            entry = {
                "settings": embedding.settings,
                "shape": embedding.shape,
                "coordinates": int(embedding.mask.sum()),
                "fit_cpu": cpu,
                "train": described(embedding.errors(train)),
                "test": described(embedding.errors(test)),
                "largest_frequency_difference": float(np.abs(carried[0] - carried[1]).max()),
                "mean_frequency_difference": float(np.abs(carried[0] - carried[1]).mean()),
                "largest_coordinate": float(np.abs(E).max()),
            }
            entries.append(entry)
            train_errors, test_errors = entry["train"], entry["test"]
            print(
                f"  {unit}, {embedding.name} {embedding.shape}: {entry['coordinates']} coordinates, wrong "
                f"{train_errors['overall']:.5f}, of minor {train_errors['of_minor']:.4f}, test "
                f"{test_errors['overall']:.5f}, {cpu:.1f} CPU s",
                flush=True,
            )
    return entries


def cohorts(data: Path | None) -> dict[str, hf.HaplotypeMatrix]:
    found = {"ooa": hf.datasets.load("ooa")}
    if data is not None:
        found["805"] = hf.io.hapt.read(data / "805_SNP_1000G_real.hapt.zip", legend=data / "805_SNP.legend")
        found["lct"] = hf.read(data / "lct_chr2_8076.npz")
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--data", type=Path)
    arguments.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "embedding.json")
    given = arguments.parse_args()
    record: dict[str, Any] = json.loads(given.output.read_text()) if given.output.exists() else {}
    record["machine"] = workloads.machine()
    if "genome" in given.parts:
        code = "import json, bench_embedding; print(json.dumps(bench_embedding.genome()))"
        done = subprocess.run([sys.executable, "-c", code], cwd=workloads.HERE, check=True, stdout=subprocess.PIPE)
        record["genome"] = json.loads(done.stdout)
        print(json.dumps(record["genome"], indent=1), flush=True)
        workloads.save(given.output, record)
    if "peer" in given.parts:
        record["peer"] = peer()
        print(record["peer"], flush=True)
        workloads.save(given.output, record)
    if "errors" in given.parts:
        _backend.set_threads(1)
        for name, H in cohorts(given.data).items():
            print(f"{name}, {H}", flush=True)
            record.setdefault("errors", {})[name] = errors(H)
            workloads.save(given.output, record)


if __name__ == "__main__":
    main()

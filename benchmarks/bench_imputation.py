"""Imputation by an RBM on held-out persons: r² and concordance beside frequencies and nearest neighbours.

    python benchmarks/bench_imputation.py --data FOLDER [--seeds 3] [--regions lct 805] [-o FILE]

FOLDER holds 805_SNP_1000G_real.hapt.zip with 805_SNP.legend, and lct_chr2_8076.npz, of which nothing comes with the
project. Half of the persons train, on one thread; the others, of whom nothing is chosen by, have

- 805: a random half of the sites, far apart over all autosomes: what is left to learn is ancestry;
- lct: of the sites with a minor allele frequency of 0.2 % and more among training haplotypes, one in four of those
  with 5 % and more, as on an array: linked sites. One seed.

Baselines: the training frequency of each site, the mean of the k training haplotypes that are nearest at the observed
sites, and ridge regression of every site on the observed ones, held within 0 and 1. All k and penalties are shown; the
best of them is chosen on the test, the RBM's settings are not.
"""

from __future__ import annotations

import workloads  # first: it gives NumPy's and torch's libraries one thread

# isort: split
import argparse
import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

import hapforge as hf
from hapforge import _backend, kernels, metrics
from hapforge.haplotypes import seeded_order
from hapforge.stats import allele_frequencies

SETTINGS: dict[str, dict[str, Any]] = {
    "805": {
        "num_hidden": 200,
        "gibbs_steps": 10,
        "epochs": 300,
        "batch_size": 500,
        "num_chains": 300,
        "learning_rate": 0.1,
        "temperature": 1.0,
    },
    "lct": {"temperature": 1.0},  # the rest as chosen, whitened; no temperature plays a part here
}
NEAREST = (1, 5, 20)
CHAINS = ({"chains": 1, "steps": 1}, {}, {"burn_in": 0}, {"chains": 16}, {"burn_in": 100, "steps": 100})
PENALTIES = (10, 100, 1000)


def cohort(name: str, data: Path) -> hf.HaplotypeMatrix:
    if name == "805":
        return hf.io.hapt.read(data / "805_SNP_1000G_real.hapt.zip", legend=data / "805_SNP.legend")
    return hf.read(data / "lct_chr2_8076.npz")


def case(name: str, data: Path, seed: int) -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix, NDArray[np.bool_]]:
    """Training rows, test rows, which sites are observed."""
    train, test = cohort(name, data).split(0.5, seed)
    if name == "805":
        return train, test, seeded_order(train.num_sites, seed) < train.num_sites // 2
    frequency = allele_frequencies(train)
    minor = np.minimum(frequency, 1 - frequency)
    kept = minor >= 0.002
    on_array = np.zeros(len(minor), bool)
    on_array[np.flatnonzero(minor >= 0.05)[::4]] = True
    return train.select_sites(kept), test.select_sites(kept), on_array[kept]


def scores(
    test: hf.HaplotypeMatrix, dosage: NDArray[Any], observed: NDArray[np.bool_], frequency: NDArray[np.float64]
) -> dict[str, Any]:
    found = metrics.imputation_accuracy(test, dosage, observed, frequency=frequency)
    return {
        "mean_r2": found.mean_r2,
        "interval": found.interval,
        "concordance": found.mean_concordance,
        "bins": [dataclasses.asdict(entry) for entry in found.bins],
    }


def measured(name: str, data: Path, seed: int) -> dict[str, Any]:
    train, test, observed = case(name, data, seed)
    frequency = allele_frequencies(train)
    found: dict[str, Any] = {
        "machine": workloads.machine(),
        "train_rows": train.num_haplotypes,
        "test_rows": test.num_haplotypes,
        "sites": train.num_sites,
        "observed": int(observed.sum()),
        "frequency": scores(test, np.tile(frequency, (test.num_haplotypes, 1)), observed, frequency),
    }
    dense = train.to_dense()
    for k in NEAREST:
        near = kernels.nearest_neighbours(test.select_sites(observed), train.select_sites(observed), k=k).index
        found[f"nearest_{k}"] = scores(test, dense[near].mean(1, dtype=np.float32), observed, frequency)
    a, b = (rows.to_dense()[:, observed] - frequency[observed] for rows in (train, test))
    for penalty in PENALTIES:
        slopes = np.linalg.solve(a.T @ a + penalty * np.eye(a.shape[1]), a.T @ (dense - frequency))
        found[f"ridge_{penalty}"] = scores(test, np.clip(frequency + b @ slopes, 0, 1), observed, frequency)
    began = time.process_time()
    model = hf.models.RBM(**SETTINGS[name]).fit(train, seed=seed)
    found["training_cpu_seconds"] = round(time.process_time() - began, 1)
    found["config"] = vars(model.config)
    found["rbm"] = []
    for arguments in CHAINS:
        began = time.process_time()
        filled = model.impute(test, observed, seed=seed, **arguments)
        seconds = round(time.process_time() - began, 2)
        entry = scores(test, filled.dosage, observed, frequency)
        estimated = float(np.nanmean(filled.estimated_r2()))
        found["rbm"].append({"arguments": arguments, "cpu_seconds": seconds, "estimated_r2": estimated, **entry})
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--regions", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "imputation.json")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    _backend.set_threads(1)
    record: dict[str, Any] = {}
    if given.output.exists():
        record = json.loads(given.output.read_text(encoding="utf-8"))
    for name in given.regions:
        for seed in range(1 if name == "lct" else given.seeds):
            found = record.setdefault(name, {})[str(seed)] = measured(name, given.data, seed)
            given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
            print(f"{name}, seed {seed}: {found['training_cpu_seconds']} CPU s", flush=True)
            for key in ("frequency", *(f"nearest_{k}" for k in NEAREST), *(f"ridge_{x}" for x in PENALTIES)):
                print(f"  {key}: r2 {found[key]['mean_r2']:.3f}, concordance {found[key]['concordance']:.4f}")
            for entry in found["rbm"]:
                print(f"  rbm {entry['arguments']}: r2 {entry['mean_r2']:.3f}, {entry['concordance']:.4f}", flush=True)


if __name__ == "__main__":
    main()

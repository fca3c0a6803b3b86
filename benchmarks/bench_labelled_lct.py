"""`LabelledRBM` on the LCT region by continent: is the frequency of rs4988235 that of the continent asked for?

    python benchmarks/bench_labelled_lct.py --data FOLDER [--seeds 3] [--study] [-o FILE]

FOLDER holds lct_chr2_8076.npz, of which nothing comes with the project. Sites of MAF 1 % or more; half of the persons
held out by every seed, whom nothing is chosen by. Training takes the default settings, on one thread; `--study` adds
seed 0 with one setting changed at a time. Results that the file has already and are not asked for are kept.
"""

from __future__ import annotations

import workloads  # first: it gives NumPy's and torch's libraries one thread

# isort: split
import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from bench_labelled_rbm import LABEL, accuracy, of_label, regression
from bench_rbm_quality import LCT_LACTASE, region

import hapforge as hf
from hapforge import _backend, metrics
from hapforge.stats import allele_frequencies

STUDY: dict[str, dict[str, Any]] = {
    "telling_weight 1": {"telling_weight": 1.0},
    "not whitened": {"learning_rate": 0.25, "epochs": 250, "batch_size": 250, "telling_weight": 0.125},
}
DRAWS = 2000  # of every label
TIMES = 5  # as many as training rows, whose share of labels these have, for the frequencies over all labels


def measured(whole: hf.HaplotypeMatrix, seed: int, **settings: Any) -> dict[str, Any]:
    train, test = whole.split(0.5, seed)
    began = time.process_time()
    model = hf.models.LabelledRBM(LABEL, **settings).fit(train, seed=seed)
    seconds = time.process_time() - began
    drawn, plain = (
        model.sample(DRAWS * len(model.labels), seed=8, labels=np.repeat(model.labels, DRAWS), **how)
        for how in ({}, {"temperature": 1.0})
    )
    shares = np.tile(train.samples.labels[LABEL], TIMES)
    like_train = model.sample(len(shares), seed=7, labels=shares)
    like_test = model.sample(len(test.words), seed=9, labels=test.samples.labels[LABEL])
    accuracies = {
        name: metrics.adversarial_accuracy(test, other) for name, other in (("drawn", like_test), ("real", train))
    }
    pooled = {name: allele_frequencies(H) for name, H in (("test", test), ("drawn", like_train), ("real", train))}
    low = {
        name: metrics.compare_allele_frequencies(pooled["test"], pooled[name], highest=0.2).r
        for name in ("drawn", "real")
    }
    site = int(np.flatnonzero(whole.sites.position == LCT_LACTASE)[0])
    table = {}
    for label in model.labels:
        cohorts = {"all": whole, "train": train, "test": test, "drawn": drawn, "drawn_at_1": plain}
        frequencies = {name: allele_frequencies(of_label(H, label)) for name, H in cohorts.items()}
        of_others = {
            name: metrics.compare_allele_frequencies(frequencies["test"], frequencies[name]).r
            for name in ("drawn", "drawn_at_1", "train")
        }
        table[label] = {
            "temperature": model.training["temperature"][label]["temperature"],
            "rs4988235": {name: round(float(found[site]), 4) for name, found in frequencies.items()},
            "af_r_against_test": {name: round(r, 4) for name, r in of_others.items()},
        }
    return {
        "config": vars(model.config),
        "cpu_seconds": round(seconds, 1),
        "accuracy": accuracy(model, test),
        "logistic_regression": regression(train, test),
        "adversarial_accuracy": {name: (found.aa_truth, found.aa_syn) for name, found in accuracies.items()},
        "by_label": table,
        "af_r_low_against_test": {name: round(r, 4) for name, r in low.items()},
        "furthest": {
            other: round(max(abs(of["rs4988235"]["drawn"] - of["rs4988235"][other]) for of in table.values()), 4)
            for other in ("all", "train", "test")
        },
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--study", action="store_true", help="seed 0 with other settings")
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "labelled_lct.json")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    _backend.set_threads(1)
    whole = region("lct", given.data)
    record: dict[str, Any] = json.loads(given.output.read_text()) if given.output.exists() else {}
    record |= {"machine": workloads.machine(), "shape": whole.shape}

    def keep(part: str, name: str, found: dict[str, Any]) -> None:
        record.setdefault(part, {})[name] = found
        print(f"{part} {name}: {found}", flush=True)
        given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    for seed in range(given.seeds):
        keep("seeds", str(seed), measured(whole, seed))
    if given.study:
        for name, settings in STUDY.items():
            keep("study", name, measured(whole, 0, **settings))


if __name__ == "__main__":
    main()

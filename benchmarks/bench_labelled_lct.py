"""`LabelledRBM` on the LCT region by continent: is the frequency of rs4988235 that of the continent asked for?

    python benchmarks/bench_labelled_lct.py --data FOLDER [--seeds 1] [--default] [-o FILE]

FOLDER holds lct_chr2_8076.npz, of which nothing comes with the project. Sites of MAF 1 % or more; one in ten persons
held out by every seed. Labels overlap here (a logistic regression tells three in four), so that learning to tell them
weakens what draws take from them: `SETTINGS` give it little weight. `--default` trains with the default, too.
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

SETTINGS = {"num_hidden": 200, "epochs": 250, "learning_rate": 0.25, "warmup": 0.05, "telling_weight": 0.03125}
DRAWS = 2000  # of every label


def measured(whole: hf.HaplotypeMatrix, seed: int, **settings: Any) -> dict[str, Any]:
    train, test = whole.split(0.1, seed)
    began = time.process_time()
    model = hf.models.LabelledRBM(LABEL, **settings).fit(train, seed=seed)
    seconds = time.process_time() - began
    drawn, plain = (
        model.sample(DRAWS * len(model.labels), seed=8, labels=np.repeat(model.labels, DRAWS), **how)
        for how in ({}, {"temperature": 1.0})
    )
    like_test = model.sample(len(test.words), seed=9, labels=test.samples.labels[LABEL])
    accuracies = {
        name: metrics.adversarial_accuracy(test, other) for name, other in (("drawn", like_test), ("real", train))
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
        "furthest_from_all": max(abs(of["rs4988235"]["drawn"] - of["rs4988235"]["all"]) for of in table.values()),
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=1)
    arguments.add_argument("--default", action="store_true", help="the default settings, too")
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "labelled_lct.json")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    _backend.set_threads(1)
    whole = region("lct", given.data)
    record: dict[str, Any] = {"machine": workloads.machine(), "shape": whole.shape, "seeds": {}}

    def write() -> None:
        given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    for seed in range(given.seeds):
        record["seeds"][str(seed)] = measured(whole, seed, **SETTINGS)
        print(f"seed {seed}: {record['seeds'][str(seed)]}", flush=True)
        write()
    if given.default:
        record["default"] = measured(whole, 0)
        print(f"default settings: {record['default']}", flush=True)
        write()


if __name__ == "__main__":
    main()

"""`LabelledRBM` on the 805 sites by continent: accuracy on test persons, draws by label, over steps and training.

    python benchmarks/bench_labelled_rbm.py --data FOLDER [--seeds 3] [-o FILE]

FOLDER holds 805_SNP_1000G_real.hapt.zip, 805_SNP.legend and 805_labels.tsv, of which nothing comes with the project.
One in ten persons is held out by every seed; nothing is chosen by them. Training takes the default settings, on one
thread. For comparison: real against real (training rows against test rows, equally many), a tenth of the training
persons with a label, persistent chains, a logistic regression. Fewer updates for the last but one: theirs take longer.
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

import hapforge as hf
from hapforge import _backend, metrics
from hapforge.haplotypes import seeded_order
from hapforge.stats import allele_frequencies

LABEL = "superpopulation"
STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
AGES = (5, 10, 20, 40, 80, 120, 160, 200)
PCD = {"training": "pcd", "gibbs_steps": 100, "epochs": 40, "num_chains": 500}
PCD_STEPS = (1, 3, 10, 30, 100, 300, 1000)


def of_label(H: hf.HaplotypeMatrix, label: str) -> hf.HaplotypeMatrix:
    return H.select_haplotypes(H.samples.labels[LABEL] == label)


def accuracy(model: Any, H: hf.HaplotypeMatrix) -> float:
    counts = model.confusion(H)
    return float(counts.trace() / counts.sum())


def scores(real: hf.HaplotypeMatrix, synthetic: hf.HaplotypeMatrix) -> dict[str, float]:
    """Of one label, at equal n: r of allele frequencies and the three errors of Carbone et al. 2023, appendix C."""
    n = min(real.num_haplotypes, synthetic.num_haplotypes)
    real, synthetic = (H.select_haplotypes(np.sort(seeded_order(len(H.words), 0)[:n])) for H in (real, synthetic))
    found = metrics.adversarial_accuracy(real, synthetic)
    frequencies = [allele_frequencies(H) for H in (real, synthetic)]
    return {
        "n": n,
        "af_r": metrics.compare_allele_frequencies(*frequencies).r,
        "spectrum_error": metrics.spectrum_error(real, synthetic).error,
        "entropy_error": metrics.entropy_error(real, synthetic).error,
        "aai_error": metrics.indicator_error(found).error,
        "aa_truth": found.aa_truth,
        "aa_syn": found.aa_syn,
    }


def mean_scores(model: Any, test: hf.HaplotypeMatrix, steps: int | None = None) -> dict[str, float]:
    """Mean over labels of the scores against test rows, as many draws of every label."""
    drawn = model.sample(len(test.words), seed=7, labels=test.samples.labels[LABEL], steps=steps)
    of_labels = [scores(of_label(test, label), of_label(drawn, label)) for label in model.labels]
    return {key: float(np.mean([entry[key] for entry in of_labels])) for key in of_labels[0] if key != "n"}


def by_steps(model: Any, test: hf.HaplotypeMatrix, steps: tuple[int, ...]) -> dict[str, Any]:
    return {str(k): mean_scores(model, test, k) for k in steps}


def by_label(model: Any, train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix) -> dict[str, Any]:
    """Draws against test rows and, as many, against training rows; training against test rows beside them."""
    drawn = model.sample(len(train.words), seed=8, labels=train.samples.labels[LABEL])
    told = model.predict(drawn)
    table = {}
    for label in model.labels:
        rows, known, synthetic = (of_label(H, label) for H in (test, train, drawn))
        frequencies = [allele_frequencies(H) for H in (known, synthetic, rows)]
        table[label] = {
            "train_rows": known.num_haplotypes,
            "test": scores(rows, synthetic),
            "train": scores(known, synthetic),
            "real": scores(rows, known),
            "af_r_all_rows": {
                "train": metrics.compare_allele_frequencies(frequencies[0], frequencies[1]).r,
                "test": metrics.compare_allele_frequencies(frequencies[2], frequencies[1]).r,
                "train_low": metrics.compare_allele_frequencies(frequencies[0], frequencies[1], highest=0.2).r,
                "real": metrics.compare_allele_frequencies(frequencies[2], frequencies[0]).r,
            },
            "told_to_be_it": float((told[drawn.samples.labels[LABEL] == label] == label).mean()),
        }
        print(f"  {label}: {table[label]['af_r_all_rows']}", flush=True)
    return table


def regression(train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix) -> float | None:
    """Accuracy of a logistic regression; None where scikit-learn is not installed."""
    if workloads.optional("sklearn") is None:
        return None
    from sklearn.linear_model import LogisticRegression

    classifier = LogisticRegression(C=0.1, max_iter=500)
    classifier.fit(train.to_dense(), train.samples.labels[LABEL].tolist())
    return float(classifier.score(test.to_dense(), test.samples.labels[LABEL].tolist()))


def trained(train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix, seed: int, **settings: Any) -> tuple[Any, dict]:
    """A model and what is written of it; test rows are looked at, and change nothing."""
    ages, looking = {}, 0.0

    def look(state: Any) -> None:
        nonlocal looking
        if state.epoch in AGES:
            now = time.process_time()
            ages[str(state.epoch)] = {
                "cpu_seconds": round(now - began - looking, 1),
                "accuracy": accuracy(state.model, test),
                "label_chains_right": state.metrics.get("label_chains_right"),
                **mean_scores(state.model, test),
            }
            print(f"  epoch {state.epoch}: {ages[str(state.epoch)]}", flush=True)
            looking += time.process_time() - now

    began = time.process_time()
    model = hf.models.LabelledRBM(LABEL, **settings).fit(train, seed=seed, callback=look)
    seconds = time.process_time() - began - looking
    counts = model.confusion(test)
    return model, {
        "config": vars(model.config),
        "cpu_seconds": round(seconds, 1),
        "labels": model.training["labels"],
        "rows_without_label": model.training["num_without_label"],
        "accuracy": float(counts.trace() / counts.sum()),
        "accuracy_of_training_rows": accuracy(model, train.select_haplotypes(train.samples.labels[LABEL] != "")),
        "confusion": counts.tolist(),
        "by_age": ages,
    }


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "labelled_rbm.json")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    _backend.set_threads(1)
    whole = hf.io.hapt.read(given.data / "805_SNP_1000G_real.hapt.zip", legend=given.data / "805_SNP.legend")
    whole = whole.with_labels(given.data / "805_labels.tsv")
    record: dict[str, Any] = {"machine": workloads.machine(), "shape": whole.shape, "seeds": {}}

    def write() -> None:
        given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    for seed in range(given.seeds):
        train, test = whole.split(0.1, seed)
        model, found = trained(train, test, seed)
        found["logistic_regression"] = regression(train, test)
        found["by_label"] = by_label(model, train, test)
        found["by_steps"] = by_steps(model, test, STEPS)
        record["seeds"][str(seed)] = {"test_rows": len(test.words), **found}
        print(f"seed {seed}: accuracy {found['accuracy']}, {found['confusion']}", flush=True)
        write()
    train, test = whole.split(0.1, 0)
    values = train.samples.labels[LABEL].copy()
    order = seeded_order(train.samples.num_persons, 1)
    values[order[train.samples.person] >= train.samples.num_persons // 10] = ""
    partly = train.with_labels({LABEL: values})
    model, record["tenth_with_label"] = trained(partly, test, 0)
    record["tenth_with_label"]["logistic_regression"] = regression(partly.select_haplotypes(values != ""), test)
    print(f"a tenth with label: {record['tenth_with_label']['accuracy']}", flush=True)
    write()
    model, record["pcd"] = trained(train, test, 0, **PCD)
    record["pcd"]["by_steps"] = by_steps(model, test, PCD_STEPS)
    write()


if __name__ == "__main__":
    main()

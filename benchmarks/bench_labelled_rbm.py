"""`LabelledRBM` on the 805 sites by continent: accuracy on test persons, draws by label, over steps and training.

    python benchmarks/bench_labelled_rbm.py --data FOLDER [--only PART] [--seeds 3] [-o FILE]

FOLDER holds 805_SNP_1000G_real.hapt.zip, 805_SNP.legend and 805_labels.tsv, of which nothing comes with the project.
One in ten persons is held out by every seed; nothing is chosen by them. Training takes the default settings, on one
thread. Parts: "seeds", all labels known, and for comparison real against real (training rows against test rows, equally
many), one temperature for all labels; "tenth", a tenth of the training persons with a label, beside a logistic
regression; "pcd", persistent chains at two rates, "pcd_tenth", at the higher with a tenth of the labels. What the file
has of other parts is kept.
"""

from __future__ import annotations

import workloads  # first: it gives NumPy's and torch's libraries one thread

# isort: split
import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hapforge as hf
from hapforge import _backend, metrics
from hapforge.evaluation.labels import study_labels
from hapforge.evaluation.snapshots import Snapshots, load_snapshots
from hapforge.evaluation.statistics.by_label import label_scores
from hapforge.haplotypes import seeded_order
from hapforge.models._temperature import choose_temperature
from hapforge.stats import allele_frequencies

LABEL = "superpopulation"
STEPS = (1, 2, 3, 5, 7, 10, 15, 20, 30, 50, 100)
AGES = (5, 10, 20, 40, 80, 120, 160, 200)
PARTS = ("seeds", "tenth", "pcd", "pcd_tenth")
PCD = {"training": "pcd", "gibbs_steps": 100, "epochs": 100, "num_chains": 200}
PCD_RATES = (0.05, 0.02)
PCD_STEPS = (1, 3, 10, 30, 100, 300, 1000)
DRAWS = 10  # for every test row, where one draw each would be noise


def of_label(H: hf.HaplotypeMatrix, label: str) -> hf.HaplotypeMatrix:
    return H.select_haplotypes(H.samples.labels[LABEL] == label)


def accuracy(model: Any, H: hf.HaplotypeMatrix) -> float:
    counts = model.confusion(H)
    return float(counts.trace() / counts.sum())


def values(found: dict[str, Any]) -> dict[str, float]:
    return {name: round(score.value, 8) for name, score in found.items()}


def scores(real: hf.HaplotypeMatrix, other: hf.HaplotypeMatrix) -> dict[str, float]:
    """Of one label, at equal n."""
    n = min(real.num_haplotypes, other.num_haplotypes)
    return {"n": n, **values(label_scores(real, other, n, seed=0))}


def temperatures(model: Any, train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix, seed: int) -> dict[str, Any]:
    """Adversarial accuracy by label, draws at three choices of the temperature; how far from that of training rows.

    Ten draws a test row, in means over ten subsamples. Apart: the greater of the differences of the two parts from
    those of real rows, mean over labels.
    """
    chosen = model.training["temperature"]
    pooled = choose_temperature(lambda n, at_seed, t: model.sample(n, seed=at_seed, temperature=t), train, None, seed)[
        "temperature"
    ]
    of_each = {label: chosen[label]["temperature"] for label in model.labels}
    found: dict[str, Any] = {"pooled": pooled, "by_label": of_each}

    def parts(rows: hf.HaplotypeMatrix, other: hf.HaplotypeMatrix) -> tuple[float, float]:
        both = metrics.adversarial_accuracy(rows, other)
        return both.aa_truth, both.aa_syn

    control = {label: parts(of_label(test, label), of_label(train, label)) for label in model.labels}
    choices = {"at_1": dict.fromkeys(of_each, 1.0), "at_pooled": dict.fromkeys(of_each, pooled), "at_by_label": of_each}
    for name, choice in choices.items():
        accuracies = {}
        for label, temperature in choice.items():
            rows = of_label(test, label)
            drawn = model.sample(DRAWS * rows.num_haplotypes, seed=9, labels=label, temperature=temperature)
            accuracies[label] = parts(rows, drawn)
        apart = [max(abs(a - b) for a, b in zip(accuracies[key], control[key], strict=True)) for key in accuracies]
        found[name] = {"accuracies": accuracies, "apart": float(np.mean(apart))}
    found["real"] = control
    return found


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
            "temperature": model.training["temperature"][label]["temperature"],
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


def trained(
    train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix, seed: int, steps: tuple[int, ...], **settings: Any
) -> tuple[Any, dict]:
    """A model and what is written of it; `by_age` and `by_steps` are means over labels at temperature 1."""
    with tempfile.TemporaryDirectory() as folder:
        keep = Snapshots(folder, AGES)
        began = time.process_time()
        model = hf.models.LabelledRBM(LABEL, **settings).fit(train, seed=seed, callback=keep)
        seconds = time.process_time() - began
        study = study_labels(load_snapshots(folder), test, steps=steps)

    def means(age: int, k: int) -> dict[str, float]:
        names = next(iter(study.scores[age][k].values()))
        return {name: round(study.mean(age, k, name), 8) for name in names}

    own, last = model.config.steps_of_draws, max(study.updates)
    return model, {
        "config": vars(model.config),
        "cpu_seconds": round(seconds, 1),
        "labels": model.training["labels"],
        "rows_without_label": model.training["num_without_label"],
        "accuracy": accuracy(model, test),
        "accuracy_of_training_rows": accuracy(model, train.select_haplotypes(train.samples.labels[LABEL] != "")),
        "confusion": study.confusion.tolist(),
        "by_age": {
            str(age): {"updates": updates, "accuracy": study.accuracy[age], **means(age, own)}
            for age, updates in study.updates.items()
        },
        "by_steps": {str(k): means(last, k) for k in study.steps},
    }


def partly_labelled(train: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    """The labels of nine persons in ten left out."""
    some = train.samples.labels[LABEL].copy()
    order = seeded_order(train.samples.num_persons, 1)
    some[order[train.samples.person] >= train.samples.num_persons // 10] = ""
    return train.with_labels({LABEL: some})


def with_all_labels(whole: hf.HaplotypeMatrix, seed: int) -> dict[str, Any]:
    train, test = whole.split(0.1, seed)
    model, found = trained(train, test, seed, STEPS)
    found["logistic_regression"] = regression(train, test)
    found["by_label"] = by_label(model, train, test)
    found["temperatures"] = temperatures(model, train, test, seed)
    return {"test_rows": len(test.words), **found}


def with_a_tenth(whole: hf.HaplotypeMatrix, seed: int) -> dict[str, Any]:
    train, test = whole.split(0.1, seed)
    partly = partly_labelled(train)
    _, found = trained(partly, test, seed, STEPS)
    labelled = partly.select_haplotypes(partly.samples.labels[LABEL] != "")
    return {**found, "logistic_regression": regression(labelled, test)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--only", choices=PARTS, action="append", help="a part; may be given again; default: all")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "labelled_rbm.json")
    given = arguments.parse_args()
    torch.set_num_threads(1)
    _backend.set_threads(1)
    whole = hf.io.hapt.read(given.data / "805_SNP_1000G_real.hapt.zip", legend=given.data / "805_SNP.legend")
    whole = whole.with_labels(given.data / "805_labels.tsv")
    record: dict[str, Any] = json.loads(given.output.read_text()) if given.output.exists() else {"machine": {}}
    record["shape"], machine = whole.shape, workloads.machine()

    def keep(part: str, name: str, found: dict[str, Any]) -> None:
        record["machine"][part] = machine
        record.setdefault(part, {})[name] = found
        print(f"{part} {name}: accuracy {found['accuracy']}, {found['confusion']}", flush=True)
        given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    for part in given.only or PARTS:
        record[part] = {}
        if part in ("seeds", "tenth"):
            for seed in range(given.seeds):
                keep(part, str(seed), (with_all_labels if part == "seeds" else with_a_tenth)(whole, seed))
            continue
        train, test = whole.split(0.1, 0)
        for rate in PCD_RATES if part == "pcd" else PCD_RATES[:1]:
            known = train if part == "pcd" else partly_labelled(train)
            keep(part, f"{rate:g}", trained(known, test, 0, PCD_STEPS, **PCD, learning_rate=rate)[1])


if __name__ == "__main__":
    main()

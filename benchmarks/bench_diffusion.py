"""Diffusion by backbone and embedding, minutes each on two cores: scores, one-shot errors, recovery rates.

    python benchmarks/bench_diffusion.py --data FOLDER [--seconds 120] [--only SET/NAME;...]

FOLDER holds the 805 sites and LCT (805_SNP_1000G_real.hapt.zip, 805_labels.tsv, lct_chr2_8076.npz). Sets are "805",
"joined" (805 and LCT side by side, the same persons) and "ooa" (the embedded cohort). One in ten persons is held out as
test rows; a model is trained on the others for so many seconds, on the 805 sites by population, and as many rows of
every population are drawn. They are scored against test rows as `hapforge.evaluation.Monitor` does (for privacy all of
them), beside training rows (the control), Markov, clusters of alike rows by themselves (sites drawn independently by
their frequencies) and, of the 805 sites, Markov models of every population; there classifiers of continents and
populations are trained on draws, too (`hapforge.downstream.utility`). Of the longer sets as many rows are drawn as
there are test rows, in fewer steps.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import workloads

import hapforge as hf
from hapforge import _backend
from hapforge.downstream import utility
from hapforge.evaluation import Monitor
from hapforge.models import Diffusion, Markov

THREADS, SEED, REPEATS = 2, 1, 2
BACKBONES: dict[str, dict[str, Any]] = {
    "dense": {"backbone": "dense", "mlp_width": 1024},
    "mlp": {"backbone": "mlp"},
    "cnn": {"backbone": "cnn"},
    "mlp+cnn": {"backbone": "mlp+cnn"},
    "transformer": {"backbone": "transformer"},
}
SHORT = {"sampling_steps": 15}
LONG = {"cnn_width": 8, "sampling_steps": 10}
VARIANTS: dict[str, dict[str, Any]] = {
    **{f"805/{name}": {**settings, **SHORT} for name, settings in BACKBONES.items()},
    "805/mlp+cnn, noise predicted": {"backbone": "mlp+cnn", "predicts": "noise", **SHORT},
    "805/mlp, cohort PCA": {"backbone": "mlp", "embedding": "cohort", "components": 800, **SHORT},
    "805/mlp, without labels": {"backbone": "mlp", **SHORT},
    "805/mlp, without labels or clusters": {"backbone": "mlp", "clusters": 0, **SHORT},
    **{f"joined/{name}": {**settings, **LONG} for name, settings in BACKBONES.items()},
    "joined/transformer, without clusters": {"backbone": "transformer", "clusters": 0, **LONG},
    "joined/mlp, longer, without clusters": {"backbone": "mlp", "clusters": 0, **LONG},
    **{f"ooa/{name}": {**settings, **LONG} for name, settings in BACKBONES.items()},
    "ooa/transformer, without clusters": {"backbone": "transformer", "clusters": 0, **LONG},
}
AUGMENTED = "805/mlp+cnn"  # whose rows are added to few real ones, too


def cohort(name: str, data: Path) -> hf.HaplotypeMatrix:
    if name == "ooa":
        return hf.datasets.load("ooa")
    few = hf.read(data / "805_SNP_1000G_real.hapt.zip", labels=data / "805_labels.tsv")
    if name == "805":
        return few
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # ids are written in two ways; the order is the same
        return hf.concat([few, hf.read(data / "lct_chr2_8076.npz")], axis="sites")


def by_population(train: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    """As many rows of every population as there are, by a Markov model of each, in a seeded order."""
    names = np.array(train.samples.labels["population"].tolist())
    parts, labels = [], []
    for seed, name in enumerate(np.unique(names)):
        own = train.select_haplotypes(np.flatnonzero(names == name))
        parts.append(Markov().fit(own).sample(own.num_haplotypes, seed=seed).to_dense())
        labels += [str(name)] * own.num_haplotypes
    order = np.random.default_rng(3).permutation(len(labels))
    drawn = hf.HaplotypeMatrix.from_dense(np.concatenate(parts)[order])
    drawn = hf.HaplotypeMatrix(drawn.words, train.sites, drawn.samples)
    return drawn.with_labels({"population": [labels[i] for i in order]})


def with_continents(drawn: hf.HaplotypeMatrix, real: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    """Drawn rows of populations, and the continents that these are of."""
    labels = real.samples.labels
    of = dict(zip(labels["population"].tolist(), labels["superpopulation"].tolist(), strict=True))
    continents = [of[name] for name in drawn.samples.labels["population"].tolist()]
    return drawn.with_labels({"population": drawn.samples.labels["population"].tolist(), "superpopulation": continents})


def recovered(
    train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix, drawn: dict[str, hf.HaplotypeMatrix]
) -> dict[str, Any]:
    """Accuracies and recovery rates by label, classifier and set, means and intervals over repeats."""

    def estimate(found: Any) -> list[float]:
        return [round(value, 4) for value in (found.mean, found.low, found.high)]

    found: dict[str, Any] = {}
    for label in ("superpopulation", "population"):
        result = utility(train, test, drawn, label=label, repeats=REPEATS, seed=SEED, fractions=())
        found[label] = {
            kind: {
                "real": estimate(result.real(kind, next(iter(drawn)))),
                **{name: estimate(result.recovery(kind, name)) for name in drawn},
            }
            for kind in ("mlp", "transformer", "cnn")
        }
    best = {name: drawn[name] for name in (AUGMENTED,) if name in drawn}
    if best:
        few = utility(train, test, best, label="population", classifiers="mlp", repeats=REPEATS, seed=SEED)
        found["augmentation"] = [
            {"set": run.set, "share_of_real_persons": run.fraction, "accuracy": round(run.accuracy, 4)}
            for run in few.runs
        ]
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--only", help="models with semicolons between, which join the result that is there")
    arguments = parser.parse_args()
    _backend.set_threads(THREADS)
    path = workloads.HERE / "results" / "diffusion.json"
    result: dict[str, Any] = {"sets": {}, "models": {}} if arguments.only is None else json.loads(path.read_text())
    result |= {"machine": workloads.machine(), "threads": THREADS}
    at, names = "", list(VARIANTS) if arguments.only is None else arguments.only.split(";")
    draws: dict[str, hf.HaplotypeMatrix] = {}
    for name in names:
        of = name.split("/")[0]
        if of != at:
            at = of
            train, test = cohort(of, arguments.data).split(0.1, SEED)
            monitor = Monitor(train, test, every=10**9)
            result["sets"][of] = {
                "training_haplotypes": train.num_haplotypes,
                "test_haplotypes": test.num_haplotypes,
                "sites": train.num_sites,
                "control": workloads.plain(monitor.control),
                "markov": workloads.scored(
                    monitor, train, test, Markov().fit(train).sample(train.num_haplotypes, seed=2)
                ),
                "clusters": workloads.scored(monitor, train, test, workloads.by_clusters(train, train.num_haplotypes)),
            }
            if of == "805":
                drawn = by_population(train)
                result["sets"][of]["markov_by_population"] = workloads.scored(monitor, train, test, drawn)
                draws["805/markov by population"] = with_continents(drawn, train)
        start, epochs = time.perf_counter(), [0]

        def over(state: Any, start: float = start, epochs: list[int] = epochs) -> bool:
            epochs[0] = state.epoch
            return time.perf_counter() - start > arguments.seconds

        label = "population" if of == "805" and "without labels" not in name else ""
        model = Diffusion(epochs=100_000, label=label, **VARIANTS[name]).fit(
            train, seed=SEED, validation=test, callback=over
        )
        trained = time.perf_counter() - start
        start = time.perf_counter()
        if label:
            codes = np.random.default_rng(3).permutation(train.samples.labels["population"].tolist())
            drawn = draws[name] = with_continents(model.sample(len(codes), seed=2, labels=codes.tolist()), train)
        else:
            drawn = model.sample(train.num_haplotypes if of == "805" else monitor._n, seed=2)
        result["models"][name] = {
            "settings": VARIANTS[name],
            "seconds": arguments.seconds,
            "epochs": epochs[0],
            "parameters": sum(value.numel() for value in model._network.parameters()),
            "gflop_a_genome": round(model._flop * min(model.config.sampling_steps, model.config.steps) / 1e9, 3),
            "positions": model.embedding.shape[0],
            "embedding_error": round(model.embedding.errors(test).overall, 5),
            "seconds_with_calibration": round(trained, 1),
            "seconds_of_drawing": round(time.perf_counter() - start, 1),
            "scores": workloads.scored(monitor, train, test, drawn),
            "denoising": model.training["denoising"],
        }
        print(name, {k: v for k, v in result["models"][name].items() if k != "denoising"}, flush=True)
        workloads.save(path, result)
        if len(draws) > 1 and name == [other for other in names if other.startswith("805/")][-1]:
            result["recovery"] = recovered(train, test, draws)
            print(result["recovery"], flush=True)
            workloads.save(path, result)


if __name__ == "__main__":
    main()

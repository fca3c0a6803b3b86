"""What keeps an RBM of the 805 sites from its training persons: hidden units of both kinds and schemes of training.

    python benchmarks/bench_rbm_leakage.py --data FOLDER [--only NAME] [--small] [--seeds 3] [-o FILE]

Persons are split as in bench_rbm_quality.py, scores are against test persons. Every scheme changes `BASE`, or `RELU`
where it is of rectified units; the temperature of the last draw is chosen as for binary units after training, scores at
1 stand beside (rectified ones draw at 1 where nothing else is asked for).
Schemes that the file has already and are not asked for are kept. Log likelihoods are those at equilibrium, of
500 AIS runs through 1,000 temperatures, in nats a haplotype.

`--small` trains on few rows of the training half, `SMALL`.

Three schemes are of this benchmark alone, since they earn no place in the models:

- noise: Gaussian noise of that standard deviation on every element of the gradient of W in each update
- clip: a row's part of the moments, (v - <v>) (h - <h>)^T, is cut to that many times the median norm of the batch, in
  data and chains: what differentially private training does
- restart: that share of persistent chains begins anew before each update
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
from bench_rbm_quality import STATISTICS, region, scores

import hapforge as hf
from hapforge import _backend, metrics
from hapforge.models._boltzmann import BoltzmannLearner
from hapforge.models._machine import Machine, Moments, hidden_mean, unpacked
from hapforge.models._temperature import choose_temperature
from hapforge.models._training import stream_seed
from hapforge.models.rbm import RBM
from hapforge.stats import allele_frequencies

BASE: dict[str, Any] = {
    **{"hidden": "bernoulli", "num_hidden": 100, "gibbs_steps": 20, "epochs": 120},
    **{"batch_size": 250, "num_chains": 250, "learning_rate": 0.12},
}
RELU = {**BASE, "hidden": "relu", "gibbs_steps": 10, "learning_rate": 0.01}
SCHEMES: dict[str, tuple[dict[str, Any], dict[str, float]]] = {
    "binary, 100": (BASE, {}),
    "rectified, 50, rate 0.005, twice as long": ({**RELU, "num_hidden": 50, "learning_rate": 0.005, "epochs": 240}, {}),
    "rectified, 100, rate 0.01": (RELU, {}),
    "binary, 50": ({**BASE, "num_hidden": 50}, {}),
    "binary, rows clipped at half the median": (BASE, {"clip": 0.5}),
    "binary, noise of 0.01": (BASE, {"noise": 0.01}),
    "binary, noise of 0.03": (BASE, {"noise": 0.03}),
    "binary, weight decay of 0.01": ({**BASE, "weight_decay": 0.01}, {}),
    "binary, half as long": ({**BASE, "epochs": 60}, {}),
    "binary, PCD": ({**BASE, "training": "pcd"}, {}),
    "binary, PCD, 5 % of the chains anew": ({**BASE, "training": "pcd"}, {"restart": 0.05}),
}
SAMPLING_SETS = ("rectified, 50, rate 0.005, twice as long", "binary, 100")  # chains from validation rows, too
_BINARY = {"hidden": "bernoulli", "learning_rate": 0.12, "gibbs_steps": 20, "batch_size": 30}
_RECTIFIED = {"hidden": "relu", "learning_rate": 0.005, "gibbs_steps": 10, "num_chains": 250}
SMALL: list[tuple[str, int, tuple[float, ...], dict[str, Any]]] = [
    ("chr20", 0, (1.0, 0.9), {**_BINARY, "num_hidden": 50, "num_chains": 100, "epochs": 60}),
    ("chr20", 0, (1.0, 0.9), {**_BINARY, "num_hidden": 25, "num_chains": 100, "epochs": 120}),
    ("chr20", 0, (1.0, 0.9, 0.8), {**_BINARY, "num_hidden": 100, "num_chains": 250, "epochs": 120}),
    ("chr20", 0, (1.0, 0.9, 0.8), {**_BINARY, "num_hidden": 54, "num_chains": 250, "epochs": 42}),
    ("chr20", 0, (1.0, 0.9, 0.8), {**_BINARY, "num_hidden": 54, "num_chains": 250, "epochs": 120}),
    ("805", 200, (1.0,), {**_RECTIFIED, "num_hidden": 50, "batch_size": 22, "epochs": 240}),
    ("805", 200, (1.0,), {**_RECTIFIED, "num_hidden": 40, "batch_size": 22, "epochs": 80}),
    ("805", 500, (1.0,), {**_RECTIFIED, "num_hidden": 50, "batch_size": 55, "epochs": 120}),
    ("805", 1000, (1.0,), {**_RECTIFIED, "num_hidden": 50, "batch_size": 111, "epochs": 240}),
]


class SchemeLearner(BoltzmannLearner):
    """A learner with what `SCHEMES` names."""

    scheme: dict[str, float]

    def update(self, batch: torch.Tensor, steps: int, rate: float, chain_seed: int) -> float:
        self._stream = np.random.Generator(np.random.Philox(key=stream_seed(chain_seed, "scheme")))
        if restart := self.scheme.get("restart"):
            anew = torch.from_numpy(self._stream.random(len(self.chains)) < restart)
            fresh = self.machine().chains(len(self.chains), 0, stream_seed(chain_seed, "restart"))
            self.chains = torch.where(anew[:, None], fresh, self.chains)
        return super().update(batch, steps, rate, chain_seed)

    def step(self, data: Moments, model: Moments, rate: float) -> None:
        if noise := self.scheme.get("noise"):
            drawn = torch.from_numpy(self._stream.standard_normal(data.both.shape))
            data = data._replace(both=data.both + noise * drawn)
        super().step(data, model, rate)


class ClippedMachine:
    """A machine whose sums over rows have the parts of rows cut."""

    def __init__(self, machine: Machine, centres: tuple[torch.Tensor, torch.Tensor], clip: float) -> None:
        self._machine, self._centres, self._clip = machine, centres, clip

    def __getattr__(self, name: str) -> Any:
        return getattr(self._machine, name)

    def sums(self, rows: torch.Tensor) -> Moments:
        machine, (m, mean) = self._machine, self._centres
        visible = unpacked(rows, len(machine.weights)).double() - m
        hidden = hidden_mean(machine.hidden_field(rows), machine.hidden).double() / machine.unit - mean
        norm = visible.norm(dim=1) * hidden.norm(dim=1)
        kept = (self._clip * norm.median() / norm).clamp(max=1)[:, None]
        n, part, of_visible, of_hidden = len(rows), (kept * visible).T @ hidden, (kept * visible).sum(0), hidden.sum(0)
        both = part + m[:, None] * of_hidden + of_visible[:, None] * mean + n * m[:, None] * mean
        return Moments(both * machine.unit, of_visible + n * m, (of_hidden + n * mean) * machine.unit)


class ClippedLearner(SchemeLearner):
    def machine(self) -> Any:
        centres = self.visible_centre, self.hidden_centre
        return ClippedMachine(super().machine(), centres, self.scheme["clip"])


def learner_of(scheme: dict[str, float]) -> type[RBM]:
    kind = ClippedLearner if "clip" in scheme else SchemeLearner if scheme else BoltzmannLearner
    made = type("Learner", (kind,), {"scheme": scheme})
    return type("SchemeRBM", (RBM,), {"_learner_type": property(lambda _: made)})


def one(H: hf.HaplotypeMatrix, seed: int, name: str) -> dict[str, Any]:
    settings, scheme = SCHEMES[name]
    known, test = H.split(0.5, seed)
    train, validation = known.split(0.1, seed)
    began = time.process_time()
    model = learner_of(scheme)(**settings, temperature=1.0).fit(train, seed=seed, validation=validation)
    cpu, n = time.process_time() - began, test.num_haplotypes
    chosen = choose_temperature(
        lambda rows, at_seed, t: model.sample(rows, seed=at_seed, temperature=t), train, validation, seed
    )["temperature"]
    drawn = {
        "RBM": model.sample(n, seed=seed + 100, temperature=chosen),
        "T = 1": model.sample(n, seed=seed + 100),
    }
    if name in SAMPLING_SETS:
        drawn["from validation rows"] = model.sample(n, seed=seed + 100, start=validation, temperature=chosen)
    partition = model.log_partition(seed=seed)
    likelihood = {
        name: round(float(model.log_likelihood(cohort, partition=partition).mean()), 2)
        for name, cohort in (("train", train), ("test", test))
    }
    return {
        "train_shape": train.shape,
        "config": dataclasses.asdict(model.config),
        "cpu_seconds": round(cpu, 1),
        "temperature": chosen,
        "scores": scores(test, train, drawn, STATISTICS),
        "log_likelihood": likelihood | {"standard_error": round(partition.standard_error, 3)},
    }


def some_persons(H: hf.HaplotypeMatrix, rows: int) -> hf.HaplotypeMatrix:
    """Rows of seeded persons; H where rows is 0."""
    persons = np.sort(np.random.default_rng(5).permutation(H.num_haplotypes // 2)[: (rows or H.num_haplotypes) // 2])
    return H.select_haplotypes((2 * persons[:, None] + [0, 1]).ravel())


def small(
    H: hf.HaplotypeMatrix, title: str, rows: int, temperatures: tuple[float, ...], settings: dict[str, Any]
) -> list[dict[str, Any]]:
    """A model of some rows of the training half (0: all), against as many test rows."""
    known, others = H.split(0.5, 0)
    train, test = some_persons(known, rows), some_persons(others, 2 * rows)
    n = min(train.num_haplotypes, test.num_haplotypes)
    began = time.process_time()
    model = RBM(**settings, temperature=1.0).fit(train, seed=0)
    cpu = time.process_time() - began
    truth = test.select_haplotypes(np.arange(n))
    beside = test.select_haplotypes(np.arange(n, 2 * n)) if test.num_haplotypes >= 2 * n else train
    real = metrics.adversarial_accuracy(truth, beside)
    found = []
    for temperature in temperatures:
        drawn = model.sample(n, seed=100, temperature=temperature)
        p, q, of_train = (allele_frequencies(cohort) for cohort in (test, drawn, train))
        accuracy = metrics.adversarial_accuracy(truth, drawn)
        found.append(
            {
                "title": f"{title}, {train.num_haplotypes}",
                "settings": {**settings, "temperature": temperature},
                "cpu": round(cpu, 1),
                "aa_truth": accuracy.aa_truth,
                "aa_syn": accuracy.aa_syn,
                "control": [real.aa_truth, real.aa_syn],
                "privacy": metrics.privacy_score(train, truth, drawn),
                "af_r": metrics.compare_allele_frequencies(p, q).r,
                "af_r_train": metrics.compare_allele_frequencies(p, of_train).r,
                "ld": metrics.compare_ld(test, drawn).r2_r,
                "ld_train": metrics.compare_ld(test, train).r2_r,
            }
        )
    return found


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--only", choices=SCHEMES, nargs="*")
    arguments.add_argument("--small", action="store_true", help="small cohorts, and no scheme")
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "rbm_leakage.json")
    given = arguments.parse_args()
    record: dict[str, Any] = {"schemes": {}, "small": []}
    if given.output.exists():
        record = json.loads(given.output.read_text(encoding="utf-8"))
    record["machine"] = {**workloads.machine(), "threads": _backend.get_threads()}

    def write() -> None:
        given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    if given.small:
        record["small"] = []
        for title, *how in SMALL:
            record["small"] += small(region(title, given.data), title, *how)
            print(record["small"][-1], flush=True)
            write()
        return
    H = region("805", given.data)
    for name in given.only or SCHEMES:
        settings, scheme = SCHEMES[name]
        entry = {"settings": settings, "scheme": scheme, "seeds": {}}
        for seed in range(given.seeds):
            entry["seeds"][str(seed)] = found = one(H, seed, name)
            print(f"{name}, seed {seed}: {found}", flush=True)
            record["schemes"][name] = entry
            write()


if __name__ == "__main__":
    main()

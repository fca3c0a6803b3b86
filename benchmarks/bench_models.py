"""Fitting and drawing: Bernoulli and Markov on 5000 x 10,000, the RBM's chains against float32 products.

    python benchmarks/bench_models.py            writes results/models.json

The peer of the RBM's chains is the same Gibbs step as it is usually written in torch: float32 products, sigmoid, rand.
"""

from __future__ import annotations

import workloads  # first: it gives NumPy's and torch's libraries one thread

# isort: split
from typing import Any

import numpy as np
import torch

import hapforge as hf
from hapforge import _backend
from hapforge.models import rbm

NUM_CHAINS, NUM_SITES, NUM_HIDDEN, STEPS = 300, 1000, 400, 10


def counted(model: hf.models.Model, cohort: hf.HaplotypeMatrix) -> list[dict[str, Any]]:
    """Fit and draw as many haplotypes as there are; frequencies must come back within seven standard errors."""
    frequencies = cohort.to_dense().mean(0)

    def right(drawn: hf.HaplotypeMatrix) -> bool:
        return bool(np.abs(drawn.to_dense().mean(0) - frequencies).max() < 0.05)

    size = f"{cohort.num_haplotypes} x {cohort.num_sites}"
    name = " ".join([model.name, *(f"{key} {value}" for key, value in vars(model.config).items())])
    return [
        workloads.measure(f"fit {name}, {size}", {"hapforge": lambda: model.fit(cohort)}, lambda m: m is model),
        workloads.measure(f"draw {name}, {size}", {"hapforge": lambda: model.sample(len(cohort.words))}, right),
    ]


def chains() -> list[dict[str, Any]]:
    """Chains of the RBM and a whole update of its training, at the sizes of ``hapforge demo``."""
    rng = np.random.default_rng(0)
    shapes = ((0.1, (NUM_SITES, NUM_HIDDEN)), (1, NUM_SITES), (1, NUM_HIDDEN))
    parts = [rng.normal(0, scale, shape) for scale, shape in shapes]
    weights, a, b = (torch.from_numpy(part.astype(np.float32)) for part in parts)
    machine = rbm._machine_of(*(torch.from_numpy(np.round(part * 4096).astype(np.int32)) for part in parts))

    def ours() -> torch.Tensor:
        return machine.chains(NUM_CHAINS, STEPS, seed=1)

    def peer() -> torch.Tensor:
        visible = (torch.rand(NUM_CHAINS, NUM_SITES) < 0.5).float()
        for _ in range(STEPS):
            hidden = (torch.rand(NUM_CHAINS, NUM_HIDDEN) < torch.sigmoid(visible @ weights + b)).float()
            visible = (torch.rand(NUM_CHAINS, NUM_SITES) < torch.sigmoid(hidden @ weights.T + a)).float()
        return visible

    frequencies = ours().float().mean(0)

    def right(visible: torch.Tensor) -> bool:
        return bool((visible.float().mean(0) - frequencies).abs().mean() < 0.05)

    size = f"{NUM_CHAINS} x {NUM_SITES}, {NUM_HIDDEN} hidden, {STEPS} steps"
    dense = hf.datasets.load("ooa").select_sites(np.arange(NUM_SITES)).to_dense()[:500]
    batch = torch.from_numpy(dense.view(np.int8))
    config = rbm.RBMConfig(num_hidden=NUM_HIDDEN, num_chains=NUM_CHAINS)
    with rbm._Workers(torch.device("cpu")) as workers:
        learner = rbm._Learner(batch, config, 0, workers)
        update = {"hapforge": lambda: learner.update(batch, STEPS, 0.1, 3)}
        return [
            workloads.measure(f"RBM chains {size}", {"hapforge": ours, "torch float32": peer}, right, repeats=9),
            workloads.measure(f"RBM update {size}, batch 500", update, lambda gap: gap < 1, repeats=9),
        ]


if __name__ == "__main__":
    torch.set_num_threads(1)
    _backend.set_threads(1)
    whole = hf.datasets.load("ooa").select_haplotypes(np.arange(5000))
    models = (hf.models.Bernoulli(), hf.models.Markov(5), hf.models.Markov(10))
    entries = [entry for model in models for entry in counted(model, whole)]
    workloads.write_results("models", [*entries, *chains()], {"torch": torch.__version__})

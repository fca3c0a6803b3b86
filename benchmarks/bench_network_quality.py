"""GAN, WGAN and VAE on real haplotypes, minutes each on one core: scores by kinds of alleles, settings on and off.

    python benchmarks/bench_network_quality.py --data FOLDER [--sites 805] [--seconds 240] [--only NAME;...] [--split 1]

FOLDER holds 805_SNP_1000G_real.hapt.zip; with `--sites 8076` lct_chr2_8076.npz, whose result has a file of its own. One
in five persons is held out; a model is trained on the others for so many seconds and its draws are scored against the
held-out persons as `hapforge.evaluation.Monitor` does, beside training rows (the control: what a perfect set would
score), Markov, and what clusters of alike rows give by themselves: sites drawn independently by their frequencies. At
805 sites every variant changes one setting of its model, of WGAN's below, which let it begin within minutes; at 8,076,
padded to 16,383, the convolutional models are of reduced width. With another `--split` other persons are held out and
training has another seed; what is measured joins the result.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import workloads

import hapforge as hf
from hapforge import _backend
from hapforge.evaluation import Monitor
from hapforge.models import GAN, VAE, WGAN, Markov

THREADS, DRAWN, SEED = 1, 1000, 1
# Ten times as many updates of the generator as by default.
_WGAN = {"clusters": 0, "width": 4, "critic_steps": 3, "batch_size": 30, "shard": 30}
# Time ends the epochs, of which there are 100,000: the weight of the divergence grows over the first ten.
EPOCHS = 100_000
_VAE = {"width": 4, "kl_warmup": 10 / EPOCHS}
_SMALL = {"batch_size": 24, "shard": 24}
# Model, settings and, where it is not --seconds, how long it is trained.
_805: dict[str, tuple[Any, ...]] = {
    "gan": (GAN, {}),
    "gan, no running mean": (GAN, {"ema": 0.0}),
    "gan, packs of 2": (GAN, {"pack": 2}),
    "gan, no R1": (GAN, {"penalty": "none"}),
    "wgan": (WGAN, _WGAN),
    "wgan, no running mean": (WGAN, {**_WGAN, "ema": 0.0}),
    "wgan, no packs": (WGAN, {**_WGAN, "pack": 1}),
    "wgan, no weights of sites": (WGAN, {**_WGAN, "by_site": False}),
    "wgan, R1": (WGAN, {**_WGAN, "penalty": "r1"}),
    "wgan, faster critic": (WGAN, {**_WGAN, "critic_rate": 2e-3}),
    "vae": (VAE, _VAE),
    "vae, smaller batches": (VAE, {**_VAE, **_SMALL}),
    "vae, no weights of sites": (VAE, {**_VAE, "by_site": False}),
    "vae, no clusters": (VAE, {**_VAE, "clusters": 0, "kl_weight": 1.0}),
    "vae, divergence weighted 1": (VAE, {**_VAE, "kl_weight": 1.0}),
    "gan, clusters": (GAN, {"clusters": 32}),
    "wgan, clusters": (WGAN, {**_WGAN, "clusters": 32}),
}
_LCT: dict[str, tuple[Any, ...]] = {
    "gan": (GAN, {}),
    "wgan": (WGAN, {**_WGAN, "width": 2, "critic_rate": 2e-3}),
    "vae": (VAE, {**_VAE, "width": 2}),
    "vae, smaller batches": (VAE, {**_VAE, "width": 2, **_SMALL}),
    "vae, smaller batches, trained longer": (VAE, {**_VAE, "width": 2, **_SMALL}, 1020),
    "vae, no clusters": (VAE, {**_VAE, "width": 2, "clusters": 0, "kl_weight": 1.0}),
    "gan, clusters": (GAN, {"clusters": 32}),
    "wgan, clusters": (WGAN, {**_WGAN, "width": 2, "critic_rate": 2e-3, "clusters": 32}),
}
# File of the data, variants, file of the result.
SITES = {
    "805": ("805_SNP_1000G_real.hapt.zip", _805, "network_quality.json"),
    "8076": ("lct_chr2_8076.npz", _LCT, "network_quality_lct.json"),
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--sites", choices=SITES, default="805")
    parser.add_argument("--seconds", type=float, default=240)
    parser.add_argument("--only", help="models with semicolons between, which join the result that is there")
    parser.add_argument("--split", type=int, default=SEED, help="seed of the split and of the training")
    arguments = parser.parse_args()
    _backend.set_threads(THREADS)
    data, variants, file = SITES[arguments.sites]
    seed, path = arguments.split, workloads.HERE / "results" / file
    train, held = hf.read(arguments.data / data).split(0.2, seed)
    monitor = Monitor(train, held, every=10**9, n=DRAWN)
    kept: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if seed != SEED and not kept:
        parser.error(f"--split: expected a result of split {SEED} in {path}, found none")
    found: dict[str, Any] = {
        "control": workloads.plain(monitor.control),
        "markov": workloads.scored(monitor, train, held, Markov().fit(train).sample(monitor._n, seed=2)),
        "clusters": workloads.scored(monitor, train, held, workloads.by_clusters(train, monitor._n)),
    }
    if seed == SEED:
        found["models"] = {} if arguments.only is None else kept.get("models", {})
        result = {"machine": workloads.machine(), "threads": THREADS, **found, "splits": kept.get("splits", {})}
    else:
        found["models"] = kept.get("splits", {}).get(str(seed), {}).get("models", {})
        result = kept
        result.setdefault("splits", {})[str(seed)] = found
    for name in variants if arguments.only is None else arguments.only.split(";"):
        kind, settings, *own = variants[name]
        seconds = own[0] if own else arguments.seconds
        start = time.perf_counter()
        states: list[Any] = []

        def over(state: Any, end: float = start + seconds, states: list[Any] = states) -> bool:
            states[:] = [state]
            return time.perf_counter() > end

        model = kind(epochs=EPOCHS, **settings).fit(train, seed=seed, callback=over)
        found["models"][name] = {
            "settings": settings,
            "seconds": seconds,
            "epochs": states[-1].epoch,
            "last_epoch": {key: round(value, 3) for key, value in states[-1].metrics.items()},
            "noise_scale": round(model.noise_scale, 3),
            "scores": {
                alleles: workloads.scored(monitor, train, held, model.sample(monitor._n, seed=2, alleles=alleles))
                for alleles in ("calibrated", "round", "bernoulli")
            },
        }
        print(name, found["models"][name], flush=True)
        workloads.save(path, result)


if __name__ == "__main__":
    main()

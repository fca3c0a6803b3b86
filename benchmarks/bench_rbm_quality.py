"""Quality and privacy of `RBM` with the settings it chooses, half of the persons held out, and a study of settings.

    python benchmarks/bench_rbm_quality.py --data FOLDER [--only NAME] [--seeds 3] [--study] [-o FILE]

FOLDER holds 805_SNP_1000G_real.hapt.zip, lct_chr2_8076.npz, eur_chr20_ref300.npz and blocks01-15x50.npz, of which
nothing comes with the project; "ooa" is the embedded cohort. By every seed half of the persons are held out as test
persons, whom nothing is chosen by; of the others a tenth is for validation. Scores are against test persons, those of
training persons against test persons beside as "control", draws at temperature 1 as "T = 1". Results of regions and
studies that the file has already and are not asked for are kept. `--study` trains on the 805 sites (binary hidden
units) and on LCT with one setting changed at a time.
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

import hapforge as hf
from hapforge import _backend, metrics
from hapforge.models._automatic import nearness
from hapforge.models.rbm import RBM
from hapforge.stats import allele_frequencies

STATISTICS = ("allele_frequency", "ld", "pairwise", "pca", "adversarial_accuracy")
SCORES = (
    *("aa_truth", "aa_syn", "ties_truth", "ties_syn", "af_r", "af_r_low", "ld_r2_r", "ld_score"),
    *("pca_wasserstein", "pairwise_within", "pairwise_between", "identical_to_real"),
)
SITES = 4000
LCT_LACTASE = 136_608_646  # rs4988235
STUDIES: dict[
    str, tuple[dict[str, Any], dict[str, dict[str, Any]]]
] = {  # of a region: settings, and which of them change
    "805": (
        {"hidden": "bernoulli"},
        {
            "as chosen": {},
            "50 hidden units": {"num_hidden": 50},
            "200 hidden units": {"num_hidden": 200},
            "half as long": {"epochs": 60},
            "twice as long": {"epochs": 240},
            "10 steps": {"gibbs_steps": 10},
            "weight decay 0.002": {"weight_decay": 0.002},
            "half the rate": {"learning_rate": 0.06},
            "200 hidden units, half as long": {"num_hidden": 200, "epochs": 60},
            "chains half as many": {"num_chains": 125},
        },
    ),
    "lct": (
        {},
        {
            "as chosen": {},
            "not whitened, at a rate of 0.12": {"learning_rate": 0.12},
            "half as long": {"epochs": 139},
            "twice as long": {"epochs": 556},
            "150 hidden units": {"num_hidden": 150},
            "whitened above 0.3, at a rate of 0.8": {"whiten_above": 0.3, "learning_rate": 0.8},
            "whitened above 1, at a rate of 0.3": {"whiten_above": 1.0, "learning_rate": 0.3},
            "40 steps in the last 15 %": {"gibbs_steps": 40, "early_gibbs_steps": 10, "early_share": 0.85},
        },
    ),
}


def common(H: hf.HaplotypeMatrix, lowest: float) -> hf.HaplotypeMatrix:
    """Sites of MAF `lowest` or more, the first 4,000 of them."""
    frequency = allele_frequencies(H)
    return H.select_sites(np.flatnonzero(np.minimum(frequency, 1 - frequency) >= lowest)[:SITES])


def region(name: str, data: Path) -> hf.HaplotypeMatrix:
    if name == "805":  # without its legend, as in the papers: sites of all chromosomes as of one
        return hf.read(data / "805_SNP_1000G_real.hapt.zip")
    if name == "lct":
        return common(hf.read(data / "lct_chr2_8076.npz"), 0.01)
    if name == "chr20":
        return common(hf.read(data / "eur_chr20_ref300.npz"), 0.01)
    if name == "blocks":
        with np.load(data / "blocks01-15x50.npz") as blocks:
            num_sites = int(blocks["shape"][1])
            dense = [np.unpackbits(blocks[f"block{i:02}"], axis=1)[:, :num_sites] for i in range(1, 16)]
        return hf.HaplotypeMatrix.from_dense(np.hstack(dense))  # rows are other persons' in every block
    return hf.datasets.load("ooa").select_sites(range(SITES))


REGIONS = ("805", "lct", "ooa", "chr20", "blocks")


def scores(
    test: hf.HaplotypeMatrix,
    train: hf.HaplotypeMatrix,
    sets: dict[str, hf.HaplotypeMatrix],
    statistics: tuple[str, ...],
) -> dict[str, dict[str, float]]:
    """Of every set and of the training persons, against test persons; and what it leaks of the training persons."""
    found = hf.evaluate(test, sets, holdout=train, metrics=statistics, controls=()).scores
    table = {
        name: {key: round(column[key].value, 4) for key in SCORES if key in column} for name, column in found.items()
    }
    for name, drawn in sets.items():
        table[name]["privacy_score"] = round(metrics.privacy_score(train, test, drawn), 4)
    return {name: table[name] for name in sets} | {"control": table["holdout"]}


def trained(
    H: hf.HaplotypeMatrix, seed: int, statistics: tuple[str, ...] = STATISTICS, **settings: Any
) -> dict[str, Any]:
    """A model of half of the persons, and what is written of it."""
    known, test = H.split(0.5, seed)
    train, validation = known.split(0.1, seed)
    began, used = time.perf_counter(), time.process_time()
    model = RBM(**settings).fit(train, seed=seed, validation=validation)
    wall, cpu = time.perf_counter() - began, time.process_time() - used
    drawn = {
        "RBM": model.sample(test.num_haplotypes, seed=seed + 100),
        "T = 1": model.sample(test.num_haplotypes, seed=seed + 100, temperature=1.0),
    }
    if statistics is not STATISTICS:
        drawn["from validation rows"] = model.sample(test.num_haplotypes, seed=seed + 100, start=validation)
    result: dict[str, Any] = {
        "train_shape": train.shape,
        "config": dataclasses.asdict(model.config),
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(cpu, 1),
        "temperature": model.config.temperature,
        "scores": scores(test, train, drawn, statistics),
        "chosen_by": model.training.get("temperature"),
    }
    at = np.flatnonzero(H.sites.position == LCT_LACTASE) if H.sites.position_known else []
    if len(at):
        result["rs4988235"] = {
            name: round(float(allele_frequencies(cohort)[at[0]]), 4)
            for name, cohort in (("test", test), *drawn.items())
        }
    return result


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--data", type=Path, required=True)
    arguments.add_argument("--only", choices=REGIONS)
    arguments.add_argument("--seeds", type=int, default=3)
    arguments.add_argument("--study", action="store_true", help="studies of settings, and no region by itself")
    arguments.add_argument("-o", "--output", type=Path, default=workloads.HERE / "results" / "rbm_quality.json")
    given = arguments.parse_args()
    record: dict[str, Any] = {"regions": {}, "studies": {}}
    if given.output.exists():
        record = json.loads(given.output.read_text(encoding="utf-8"))
    record["machine"] = {**workloads.machine(), "threads": _backend.get_threads()}

    def write() -> None:
        given.output.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")

    seeds = range(given.seeds)
    if given.study:
        few = ("allele_frequency", "ld", "adversarial_accuracy")
        for name in (given.only,) if given.only else STUDIES:
            if name not in STUDIES:
                raise SystemExit(f"--only: expected one of {', '.join(STUDIES)} for a study, found {name}")
            H, (base, changes) = region(name, given.data), STUDIES[name]
            record["studies"][name] = {}
            for title, settings in changes.items():
                record["studies"][name][title] = {"changed": settings, "seeds": {}}
                for seed in seeds:
                    found = trained(H, seed, few, **{**base, **settings})
                    record["studies"][name][title]["seeds"][str(seed)] = found
                    print(f"{title}, seed {seed}: {found['cpu_seconds']} CPU s, {found['scores']['RBM']}", flush=True)
                    write()
        return
    for name in (given.only,) if given.only else REGIONS:
        H = region(name, given.data)
        record["regions"][name] = {"shape": H.shape, "nearness": round(nearness(H), 3), "seeds": {}}
        for seed in seeds:
            found = trained(H, seed)
            record["regions"][name]["seeds"][str(seed)] = found
            print(f"{name}, seed {seed}: {found}", flush=True)
            write()


if __name__ == "__main__":
    main()

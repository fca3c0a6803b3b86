"""Write the README's tables, and all figures into benchmarks/README.md, from the committed results.

usage: python benchmarks/tables.py        (tests/test_readme.py fails where the files are not what this makes)
"""

from __future__ import annotations

import json
import statistics
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
ALL = HERE / "README.md"
BEGIN = "<!-- tables: made by `python benchmarks/tables.py`; do not edit between these lines -->"
END = "<!-- end of tables -->"

KERNELS = (
    *("pack", "allele_counts", "hamming", "nearest_neighbours", "nearest_set", "joint_counts"),
    *("three_point", "kmers", "gibbs", "rbm_update"),
)
# What the README shows: result file -> beginnings of workloads.
HEADLINES = {
    "pack": ("transpose",),
    "hamming": ("pairwise", "histogram"),
    "nearest_neighbours": ("among themselves, 5008 x 10000, k = 1", "within and between"),
    "nearest_set": ("5008 + 5008 x 10000, out", "20000 + 20000", "3203 + 3204", "5008 + 5008 x 10000, mosaics"),
    "joint_counts": ("ld_matrix 10000", "ld_decay"),
    "three_point": ("63952", "all 2763520"),
    "kmers": ("k = 8, 5008 x 65535",),
    "gibbs": ("4 steps", "2 steps"),
    "rbm_update": ("3 updates",),
}
DEMO_SCORES = ("aa_truth", "aa_syn", "privacy_score", "af_r_low", "pca_wasserstein", "pairwise_within", "ld_score")


def _load(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text())
    return result


def speed(shown: dict[str, tuple[str, ...]]) -> str:
    """A row per workload of the kernel benchmarks: ours by default, and each peer's time over it.

    `shown`: result file -> beginnings of the workloads to show.
    """
    lines = ["| one thread, where not said otherwise | ours, CPU s | peers' time over ours |", "|---|---|---|"]
    for kernel, beginnings in shown.items():
        for entry in _load(kernel)["results"]:
            if not entry["workload"].startswith(beginnings):
                continue
            # of our backends the one that runs by default, which is listed first
            default = next(c for c in entry["cpu_seconds"] if c.startswith("hapforge"))
            ours = entry["cpu_seconds"][default]["median"]
            peers = ", ".join(
                f"{peer} {entry['cpu_seconds'][peer]['median'] / ours:.3g}x"
                for peer in entry["peer_over_fastest"]
                if "2 threads" not in peer
            )
            variant = default.removeprefix("hapforge").strip()
            name = f"`{kernel}` {entry['workload']}"
            if entry.get("threads", 1) > 1:
                name += f", {entry['threads']} threads"
            lines.append(f"| {name} | {ours:.3g}{f' ({variant})' if variant else ''} | {peers} |")
    machine = _load(KERNELS[0])["machine"]
    lines.append(f"\n{machine['cpu']}, {machine['compiler']}; medians of interleaved runs, every answer checked first.")
    return "\n".join(lines)


def growth() -> str:
    """A row per workload whose size was varied: CPU seconds and memory of our first, fastest backend."""
    lines = ["| cost by size, ours | CPU s | peak memory, MiB |", "|---|---|---|"]
    for kernel in KERNELS:
        for entry in _load(kernel).get("growth", ()):
            ours = next(column for name, column in entry["candidates"].items() if name.startswith("hapforge"))
            threads = f"{entry['threads']} thread{'s' if entry['threads'] > 1 else ''}"
            sizes = ", ".join(f"{size:,}" for size in entry["sizes"])
            seconds = ", ".join(f"{cpu:.3g}" for cpu in ours["cpu_seconds"])
            memory = ", ".join(str(peak) for peak in ours["peak_memory_mb"])
            name = f"`{kernel}` {entry['workload']}, {threads}: {sizes} {entry['grows_with']}"
            lines.append(f"| {name} | {seconds} | {memory} |")
    return "\n".join(lines)


def evaluation() -> str:
    """Whole evaluations of one set and its real-half control, in fresh processes, beside plain code for that list."""
    result = _load("end_to_end")
    lines = ["| `hf.evaluate`, whole | ours, s | CPU s | peak memory, MiB | plain code, CPU time over ours |"]
    lines.append("|---" * 5 + "|")
    for workload in result["workloads"].values():
        (rows, sites), (others, _) = workload["shape"]
        ours = workload["hapforge"]
        times = f"{ours['wall']['median']:.3g} | {ours['cpu']['median']:.3g} | {ours['peak_memory_mib']}"
        ratio = workload["plain_over_hapforge"]["cpu"]
        lines.append(f"| {rows} + {others} haplotypes x {sites} sites | {times} | {ratio:.3g}x |")
    lines.append(
        f"\nOn {result['threads']} threads, {result['cpu']}. Plain code: scipy, scikit-learn and numpy, one statistic "
        "after the other\n(`benchmarks/plain_evaluation.py`), without intervals and subsamples; its scores are "
        "compared with ours."
    )
    return "\n".join(lines)


def formats(beginnings: tuple[str, ...]) -> str:
    """A row per format that is read or written: ours, and each peer's time and memory beside."""
    lines = ["| file | ours, CPU s | peak memory, MiB | peers' time over ours (their MiB) |", "|---" * 4 + "|"]
    result = _load("io")
    for entry in result["results"]:
        if not entry["workload"].startswith(beginnings):
            continue
        memory = entry.get("peak_memory_mb", {})
        ours = entry["cpu_seconds"]["hapforge"]["median"]
        beside = [
            f"{peer} {entry['cpu_seconds'][peer]['median'] / ours:.3g}x" + (f" ({memory[peer]})" if memory else "")
            for peer in entry["peer_over_fastest"]
        ]
        beside += [f"{peer} absent ({why})" for peer, why in entry.get("absent", {}).items()]
        lines.append(f"| {entry['workload']} | {ours:.3g} | {memory.get('hapforge', '')} | {', '.join(beside)} |")
    machine = result["machine"]
    lines.append(
        f"\nOne thread, {machine['cpu']}; medians of interleaved runs in processes of their own, whose imports are in "
        "the memory;\nwhat was read and written was compared first (`benchmarks/bench_io.py` says what each peer does)."
    )
    return "\n".join(lines)


def conversion() -> str:
    """Whole commands that bring a VCF or BCF into a store of their own."""
    result = _load("convert")
    lines = ["| whole command | tool | wall, s | CPU s | peak memory, MiB |", "|---" * 5 + "|"]
    for entry in result["results"]:
        for tool, found in entry["tools"].items():
            numbers = f"{found['wall_seconds']:.3g} | {found['cpu_seconds']:.3g} | {found['peak_memory_mib']:.0f}"
            lines.append(f"| {entry['workload']}, {entry['packed_mib']:g} MiB packed | {tool} | {numbers} |")
    return "\n".join(lines)


def demo() -> str:
    """The demo's scores at equal n, beside its controls."""
    result = _load("demo")
    columns = [*result["sets"], *result["controls"]]
    lines = [f"| demo, scores at equal n | {' | '.join(columns)} |", "|---" * (len(columns) + 1) + "|"]
    for name in DEMO_SCORES:
        key = f"{name}_equal_n" if f"{name}_equal_n" in result["score_labels"] else name
        heading = result["score_labels"][key]["heading"].removesuffix(" (equal n)")
        cells = []
        for column in columns:
            score = result["scores"][column].get(key)
            cells.append("" if score is None or score["value"] is None else f"{score['value']:.3f}")
        lines.append(f"| {heading} | {' | '.join(cells)} |")
    machine = result["machine"]
    size = f"{result['real_haplotypes']} training haplotypes x {result['num_sites']} sites"
    time = f"{result['wall_seconds']:.0f} s on {machine['cpus']} cores ({machine['cpu']})"
    used = f"{result['cpu_seconds']:.0f} CPU s and {result['peak_memory_mb']} MiB"
    lines.append(f"\n{size}. The whole demo took {time}, {used}. A privacy score above the holdout's is a leak.")
    return "\n".join(lines)


QUALITY_SCORES = {
    "aa_truth": "AA truth",
    "aa_syn": "AA syn",
    "privacy_score": "privacy score",
    "af_r": "AF r",
    "af_r_low": "AF r, low",
    "ld_r2_r": "LD r² r",
    "pca_wasserstein": "PCA W",
    "pairwise_within": "pairwise W",
}


def _means(seeds: dict[str, Any], column: str) -> list[str]:
    """The mean over seeds of every score of a set."""
    cells = []
    for name in QUALITY_SCORES:
        found = [entry["scores"][column].get(name) for entry in seeds.values()]
        cells.append("" if None in found else f"{statistics.mean(found):.3f}")
    return cells


def quality() -> str:
    """`RBM` by its own choice on several regions, and one setting changed at a time."""
    result = _load("rbm_quality")
    lines = [
        f"| `RBM()`, half of the persons held out | T | CPU s | {' | '.join(QUALITY_SCORES.values())} |",
        "|---" * (3 + len(QUALITY_SCORES)) + "|",
    ]
    for name, region in result["regions"].items():
        seeds = region["seeds"]
        temperatures = ", ".join(f"{entry['temperature']:g}" for entry in seeds.values())
        cpu = statistics.mean(entry["cpu_seconds"] for entry in seeds.values())
        rows, sites = next(iter(seeds.values()))["train_shape"]
        title = f"{name}, {rows} x {sites}, {len(seeds)} seed{'s' if len(seeds) > 1 else ''}"
        lines.append(f"| {title} | {temperatures} | {cpu:.0f} | {' | '.join(_means(seeds, 'RBM'))} |")
        if any(entry["temperature"] != 1 for entry in seeds.values()):
            lines.append(f"| the same at T = 1 | 1 | | {' | '.join(_means(seeds, 'T = 1'))} |")
        lines.append(f"| training persons | | | {' | '.join(_means(seeds, 'control'))} |")
    lines.append(
        "\nTest persons are the truth. T, the temperature of the last draw, is chosen by training persons and, for "
        "privacy,\nvalidation persons, a tenth of those who are not held out. The 805 sites are read without their "
        "legend: their LD r is over\nall pairs, of which most lie on two chromosomes, as in the published figures."
    )
    for region, title in (("805", "805 sites, binary units"), ("lct", "LCT")):
        lines += [
            f"\n| {title}, one setting changed | T | CPU s | {' | '.join(QUALITY_SCORES.values())} |",
            "|---" * (3 + len(QUALITY_SCORES)) + "|",
        ]
        for name, entry in result["studies"][region].items():
            seeds = entry["seeds"]
            temperatures = ", ".join(f"{found['temperature']:g}" for found in seeds.values())
            cpu = statistics.mean(found["cpu_seconds"] for found in seeds.values())
            lines.append(f"| {name} | {temperatures} | {cpu:.0f} | {' | '.join(_means(seeds, 'RBM'))} |")
            if name == "as chosen":
                for shown in ("T = 1", "from validation rows"):
                    lines.append(f"| as chosen, {shown} | | | {' | '.join(_means(seeds, shown))} |")
    return "\n".join(lines)


LABEL_ERRORS = ("spectrum_error", "entropy_error", "aai_error", "af_r")


def _mean_over(seeds: list[dict[str, Any]], *path: str) -> float:
    """The mean over seeds of the number at a path."""
    found = []
    for entry in seeds:
        for key in path:
            entry = entry[key]
        found.append(entry)
    return statistics.mean(found)


def labelled() -> str:
    """`LabelledRBM` by continent: labels told, draws by label, their temperature, sampling steps and training age."""
    result = _load("labelled_rbm")
    seeds = list(result["seeds"].values())
    lines = [
        "| 805 sites, one in ten persons held out | CPU s | accuracy | logistic regression |",
        "|---|---|---|---|",
    ]
    runs = {f"seed {name}": entry for name, entry in result["seeds"].items()}
    runs |= {f"a tenth of the persons with a label, seed {name}": entry for name, entry in result["tenth"].items()}
    pcd = {f"rate {name}": entry for name, entry in result["pcd"].items()}
    pcd |= {f"rate {name}, a tenth with a label": entry for name, entry in result["pcd_tenth"].items()}
    runs |= {f"PCD, k = 100, {name}, seed 0": entry for name, entry in pcd.items()}
    for title, entry in runs.items():
        regression = entry.get("logistic_regression")
        beside = "" if regression is None else f"{regression:.3f}"
        lines.append(f"| {title} | {entry['cpu_seconds']:.0f} | {entry['accuracy']:.3f} | {beside} |")

    lines += [
        "\n| draws against test rows, means of seeds | T | AF r | AF r, real | AA truth / syn | at T = 1 |"
        " AA, real | told to be it |",
        "|---" * 8 + "|",
    ]

    def both(choice: str, label: str) -> str:
        found = [entry["temperatures"][choice] for entry in seeds]
        parts = [statistics.mean(of.get("accuracies", of)[label][i] for of in found) for i in (0, 1)]
        return " / ".join(f"{part:.2f}" for part in parts)

    for label in seeds[0]["by_label"]:
        temperatures = ", ".join(f"{entry['temperatures']['by_label'][label]:g}" for entry in seeds)
        drawn, real = (_mean_over(seeds, "by_label", label, "af_r_all_rows", of) for of in ("test", "real"))
        told = _mean_over(seeds, "by_label", label, "told_to_be_it")
        lines.append(
            f"| {label} | {temperatures} | {drawn:.3f} | {real:.3f} | {both('at_by_label', label)} | "
            f"{both('at_1', label)} | {both('real', label)} | {told:.3f} |"
        )
    apart = {name: _mean_over(seeds, "temperatures", name, "apart") for name in ("at_1", "at_pooled", "at_by_label")}
    lines.append(
        "\nReal: training rows against test rows, equally many. The last draw is at a temperature T chosen for each "
        "label by its\ntraining rows: the worse of the two parts of a label is on average "
        f"{apart['at_by_label']:.3f} from that of real rows, with one\ntemperature for all labels "
        f"{apart['at_pooled']:.3f}, at 1 {apart['at_1']:.3f}."
    )

    def table(heading: str, key: str, entries: list[dict[str, Any]], column: str = "") -> None:
        accuracy = "accuracy" in entries[0][key][next(iter(entries[0][key]))]
        names = [*LABEL_ERRORS, *(["accuracy"] if accuracy else [])]
        heads = " | ".join(name.replace("_", " ").replace("af", "AF").replace("aai", "AAI") for name in names)
        lines.extend([f"\n| {heading} | {heads} |", "|---" * (1 + len(names)) + "|"])
        for k, found in entries[0][key].items():
            cells = " | ".join(f"{_mean_over(entries, key, k, name):.3g}" for name in names)
            lines.append(f"| {found[column] if column else k} | {cells} |")

    table("sampling steps t_G, at T = 1, three seeds", "by_steps", seeds)
    table("training age in updates, ten steps, T = 1, three seeds", "by_age", seeds, "updates")
    lines += [f"\n| PCD, AF r by sampling steps t_G, T = 1 | {' | '.join(pcd)} |", "|---" * (1 + len(pcd)) + "|"]
    for k in next(iter(pcd.values()))["by_steps"]:
        found = [entry["by_steps"][k]["af_r"] for entry in pcd.values()]
        lines.append(f"| {k} | {' | '.join(f'{r:.3f}' for r in found)} |")
    config = next(iter(pcd.values()))["config"]
    lines.append(
        f"\nPCD of {config['epochs']} epochs in batches of {config['batch_size']}, {config['num_chains']} chains "
        "(Carbone et al.: 30,000 updates); draws start at\nrandom sites. Out of equilibrium ten steps reach what the "
        "first tables say."
    )
    return "\n".join(lines)


def chain() -> str:
    """Chains beside one RBM by the same settings, at the temperature chosen (of plain ones, by hand) and at 1."""
    cases = _load("crbm")["cases"]
    names = {"privacy_score": "privacy score", "af_r_low": "AF r, low", "r2_r": "LD r² r", "noise": "distance to real"}
    lines = [
        f"| `CRBM()`, half of the persons held out | T | CPU s | AA truth | AA syn | {' | '.join(names.values())} |",
        "|---" * (5 + len(names)) + "|",
    ]
    by_hand = {"805": 0.95, "lct": 0.7}
    kinds = {"crbm": "chain", "rbm": "one RBM"}
    for region, of in cases.items():
        for which, seeds in of.items():
            for seed, entry in seeds.items():
                for kind, seconds in entry["cpu_seconds"].items():
                    chosen = entry["chosen"][kind] if "chosen" in entry else by_hand[region]
                    title, time = f"{region}, {kinds[kind]}, {which}, seed {seed}", f"{seconds:.0f}"
                    for T in dict.fromkeys((chosen, 1.0)):
                        found = entry["by_temperature"][str(T)][kind]
                        cells = " | ".join(f"{found[name]:.3f}" for name in names)
                        aa = " | ".join(f"{part:.3f}" for part in found["accuracy"])
                        lines.append(f"| {title} | {T:g} | {time} | {aa} | {cells} |")
                        title, time = "the same at T = 1", ""
                aa = " | ".join(f"{part:.3f}" for part in entry["real_half"])
                lines.append(f"| training persons | | | {aa} |{' |' * len(names)}")
    return "\n".join(lines)


def leakage() -> str:
    """Kinds of hidden units and schemes against leakage, means over seeds, the range of what must hold for all."""
    result = _load("rbm_leakage")
    shown = {"aa_truth": 3, "aa_syn": 3, "privacy_score": 3, "af_r": 4, "ld_r2_r": 3, "pca_wasserstein": 4}
    shown["pairwise_within"] = 1
    headings = " | ".join(QUALITY_SCORES[name] for name in shown)
    lines = [f"| 805 sites, every seed | T | CPU s | {headings} | log p of test |", "|---" * (4 + len(shown)) + "|"]
    for name, entry in result["schemes"].items():
        seeds = entry["seeds"].values()
        cpu = statistics.mean(found["cpu_seconds"] for found in seeds)
        likelihood = ", ".join(f"{found['log_likelihood']['test']:.1f}" for found in seeds)
        for column, title in (
            ("RBM", name),
            ("T = 1", "the same at T = 1"),
            ("from validation rows", "the same from validation rows"),
        ):
            same = column == "T = 1" and all(found["temperature"] == 1 for found in seeds)
            if same or column not in next(iter(seeds))["scores"]:
                continue
            cells = [
                ", ".join(f"{found['scores'][column][score]:.{digits}f}" for found in seeds)
                for score, digits in shown.items()
            ]
            own = column == "RBM"
            temperatures = "1" if column == "T = 1" else ", ".join(f"{found['temperature']:g}" for found in seeds)
            time = f"{cpu:.0f} | {' | '.join(cells)} | {likelihood}" if own else f" | {' | '.join(cells)} | "
            lines.append(f"| {title} | {temperatures} | {time} |")
    lines.append(
        "\nT is chosen as for binary units; RBM() draws from rectified ones at 1. log p: nats a haplotype at "
        "equilibrium, by AIS,\nwhich a machine trained out of equilibrium does not draw from: not to compare the two "
        "kinds by. PCA W of one and the same\nmachine is 0.002 to 0.011 over draws "
        "(`pca_wasserstein_of_other_draws` in rbm_quality.json)."
    )
    lines += [
        "\nSmall cohorts: that many training rows, as many test rows as the truth. Real: other test rows, and the "
        "training rows\nfor AF and LD, against the same.\n",
        "| cohort, rows | settings | CPU s | AA truth | AA syn | real AA | privacy | AF r | real | LD r² r | real |",
        "|---" * 11 + "|",
    ]
    for entry in result["small"]:
        given = ", ".join(f"{key} {value}" for key, value in entry["settings"].items())
        scores = " | ".join(f"{entry[key]:.3f}" for key in ("aa_truth", "aa_syn"))
        real = " / ".join(f"{part:.3f}" for part in entry["control"])
        rest = " | ".join(f"{entry[key]:.3f}" for key in ("privacy", "af_r", "af_r_train", "ld", "ld_train"))
        lines.append(f"| {entry['title']} | {given} | {entry['cpu']:.0f} | {scores} | {real} | {rest} |")
    return "\n".join(lines)


def embeddings() -> str:
    """Alleles that do not come back from embeddings, and what a whole genome costs."""

    def is_chosen(settings: dict[str, Any]) -> bool:
        return settings["embedding"] == "genewise_pca" and settings["window"] is None

    result = _load("embedding")
    lines = [
        "| cohort, rows | embedding | positions | coordinates | wrong, % | of held-out persons | of minor alleles | "
        "frequency off by | fit, CPU s |",
        "|---" * 9 + "|",
    ]
    for name, entries in result["errors"].items():
        own = {e["settings"]["unit"]: e["settings"]["chosen_window"] for e in entries if is_chosen(e["settings"])}
        for entry in entries:
            settings = entry["settings"]
            if settings.get("window") == own[settings["unit"]]:
                continue  # it is there as chosen
            if settings["embedding"] == "cohort_pca":
                title = f"CohortPCA, {settings['components']}"
            else:
                chosen = ", chosen" if is_chosen(settings) else ""
                title = f"GenewisePCA, windows of {settings['chosen_window']}{chosen}"
            shares = (entry["train"]["overall"], entry["test"]["overall"], entry["train"]["of_minor"])
            cells = " | ".join(f"{100 * share:.3f}" for share in shares)
            lines.append(
                f"| {name}, {settings['unit']}s | {title} | {entry['shape'][0]} | {entry['coordinates']} | {cells} | "
                f"{entry['mean_frequency_difference']:.5f} | {entry['fit_cpu']:.1f} |"
            )
    whole, peer = result["genome"], result["peer"]
    rows, sites = whole["shape"]
    costs = ", ".join(f"{name} {whole[name]['cpu']:.0f}" for name in ("fit", "encode", "decode"))
    lines.append(
        f"\nA whole genome, {whole['genes']:,} genes and {sites:,} sites of {rows} haplotypes, CPU s of two threads: "
        f"{costs};\nthe fit takes {whole['fit']['peak_memory_mb']} MiB at most, {whole['packed_mb']} of which are the "
        f"packed haplotypes."
    )
    if "absent" not in peer:
        lines.append(
            f"scikit-learn's PCA of {peer['genes']} such genes, from dense floats and with no way back, takes "
            f"{peer['scikit_learn_cpu']:.2f} CPU s, ours {peer['ours_cpu']:.2f}."
        )
    return "\n".join(lines)


def _scores(scores: dict[str, float | None]) -> str:
    """Cells of a Monitor's scores."""

    def cell(name: str, digits: int = 3) -> str:
        value = scores.get(name)
        return "" if value is None else f"{value:.{digits}f}"

    parts = [cell("pca_wasserstein", 4), *map(cell, ("ld_score", "af_r_low"))]
    return " | ".join([*parts, f"{cell('aa_truth')} / {cell('aa_syn')}", cell("privacy")])


def diffusion() -> str:
    """Scores of diffusions by set and backbone, recovery rates of their draws, and few real persons with draws."""
    result = _load("diffusion")
    lines = [
        "| set, model | epochs | parameters | GFLOP a genome | PCA Wasserstein | LD score | AF r, low | AA truth / syn "
        "| privacy score |",
        "|---" * 9 + "|",
    ]
    plain = {
        "control": "real rows",
        "markov": "Markov",
        "clusters": "clusters alone",
        "markov_by_population": "Markov by population",
    }
    for name, of in result["sets"].items():
        for key, title in plain.items():
            if key in of:
                lines.append(f"| {name}, {title} | | | | {_scores(of[key])} |")
        for model, entry in result["models"].items():
            at, _, title = model.partition("/")
            if at == name:
                trained = f"{entry['epochs']} in {entry['seconds']:.0f} s"
                costs = f"{trained} | {entry['parameters']:,} | {entry['gflop_a_genome']:.3g}"
                lines.append(f"| {name}, {title} | {costs} | {_scores(entry['scores'])} |")
    recovery = result["recovery"]
    sets = [name for name in recovery["population"]["mlp"] if name != "real"]
    lines += [
        "\nRecovery rates on the 805 sites, percent, means of two repeats; before them the accuracy of real rows.\n",
        "| label, classifier | real rows | " + " | ".join(name.partition("/")[2] for name in sets) + " |",
        "|---" * (2 + len(sets)) + "|",
    ]
    for label, title in (("superpopulation", "5 continents"), ("population", "26 populations")):
        for kind, found in recovery[label].items():
            cells = " | ".join(f"{100 * found[name][0]:.1f}" for name in ("real", *sets))
            lines.append(f"| {title}, {kind} | {cells} |")
    runs = recovery["augmentation"]
    drawn = next(run["set"] for run in runs if run["set"])

    def mean(name: str, share: float) -> str:
        found = [run["accuracy"] for run in runs if (run["set"], run["share_of_real_persons"]) == (name, share)]
        return f"{100 * statistics.mean(found):.1f}" if found else ""

    shares = sorted({run["share_of_real_persons"] for run in runs})
    lines += [
        f"\nAccuracy of the MLP for 26 populations, percent, by the share of real persons, alone and with draws of "
        f"{drawn.partition('/')[2]}.\n",
        "| share of real persons | " + " | ".join(f"{share:.0%}" for share in shares) + " |",
        "|---" * (1 + len(shares)) + "|",
        "| alone | " + " | ".join(mean("", share) for share in shares) + " |",
        "| with draws | " + " | ".join(mean(drawn, share) for share in shares) + " |",
    ]
    return "\n".join(lines)


def networks(file: str) -> str:
    """Scores of GAN, WGAN and VAE with one setting changed, by kinds of alleles."""
    result = _load(file)
    lines = [
        "| model | epochs | noise scale | alleles | PCA Wasserstein | LD score | AF r, low | AA truth / syn "
        "| privacy score |",
        "|---" * 9 + "|",
        f"| real rows | | | | {_scores(result['control'])} |",
        f"| Markov | | | | {_scores(result['markov'])} |",
        f"| clusters alone | | | | {_scores(result['clusters'])} |",
    ]
    for name, entry in result["models"].items():
        for alleles, scores in entry["scores"].items():
            noise = entry["noise_scale"] if alleles == "calibrated" else ""
            trained = f"{entry['epochs']} in {entry['seconds']:.0f} s"
            lines.append(f"| {name} | {trained} | {noise} | {alleles} | {_scores(scores)} |")
    for split, found in result.get("splits", {}).items():
        lines.append(f"| real rows, split {split} | | | | {_scores(found['control'])} |")
        for name, entry in found["models"].items():
            trained = f"{entry['epochs']} in {entry['seconds']:.0f} s"
            scores = _scores(entry["scores"]["calibrated"])
            lines.append(f"| {name}, split {split} | {trained} | {entry['noise_scale']} | calibrated | {scores} |")
    return "\n".join(lines)


def lactase() -> str:
    """rs4988235 by continent in draws of a labelled RBM on the LCT region."""
    result = _load("labelled_lct")
    runs = {f"seed {name}": entry for name, entry in result["seeds"].items()}
    runs |= {f"{name}, seed 0": entry for name, entry in result["study"].items()}
    labels = list(next(iter(runs.values()))["by_label"])
    lines = [
        f"| rs4988235, {result['shape'][1]} sites of LCT | {' | '.join(labels)} | off all rows, test | AF r <= 0.2 | "
        "AF r by continent | accuracy | AA truth / syn | CPU s |",
        "|---" * (7 + len(labels)) + "|",
    ]

    def row(title: str, entry: dict[str, Any], cohort: str, *more: str) -> None:
        cells = [f"{entry['by_label'][label]['rs4988235'][cohort]:.3f}" for label in labels]
        lines.append(f"| {' | '.join((title, *cells, *(more or [''] * 6)))} |")

    def scores(entry: dict[str, Any], cohort: str, of: str) -> tuple[str, ...]:
        rs = [found["af_r_against_test"][cohort] for found in entry["by_label"].values()]
        parts = " / ".join(f"{part:.2f}" for part in entry["adversarial_accuracy"][of])
        accuracy = entry["accuracy" if of == "drawn" else "logistic_regression"]
        low = f"{entry['af_r_low_against_test'][of]:.3f}"
        return low, f"{min(rs):.3f} to {max(rs):.3f}", f"{accuracy:.3f}", parts

    row("all rows", next(iter(runs.values())), "all")
    for title, entry in runs.items():
        if title.startswith("seed"):
            row(f"test rows, {title}", entry, "test")
            row(f"training rows, {title}", entry, "train", "", *scores(entry, "train", "real"), "")
        off = f"{entry['furthest']['all']:.3f}, {entry['furthest']['test']:.3f}"
        row(f"draws, {title}", entry, "drawn", off, *scores(entry, "drawn", "drawn"), f"{entry['cpu_seconds']:.0f}")
    lines.append("\nAccuracy in the row of training rows: a logistic regression of them.")
    return "\n".join(lines)


def gpu() -> str:
    """A row per workload of benchmarks/gpu.py; one sentence as long as that has run nowhere."""
    if not (HERE / "results" / "gpu.json").exists():
        return "CUDA kernels: not yet run on a device."
    result = _load("gpu")
    lines = ["| on a GPU | ours, s | the least possible over it | peers' time over ours |", "|---|---|---|---|"]
    for entry in result["results"]:
        ours = entry["seconds"]["hapforge"]
        if not ours.get("right", False):
            why = ours.get("left_out") or ours.get("failed") or "wrong"
            lines.append(f"| {entry['workload']} | {why.partition(chr(10))[0]} | | |")
            continue
        peers = ", ".join(f"{name} {ratio:.3g}x" for name, ratio in entry["peer_over_ours"].items())
        lines.append(f"| {entry['workload']} | {ours['median']:.3g} | {entry['fraction_of_limit']:.0%} | {peers} |")
    machine = result["machine"]
    copied = f"{machine['copy_bytes_per_second'] / 1e12:.3g} TB/s"
    lines.append(
        f"\n{machine['name']}, driver {machine['driver_version']}, torch {result['peers']['torch']}; medians by CUDA "
        "events, every answer checked\nfirst. The least possible: for its bytes at the rate of a copy there "
        f"({copied}), or for its pairs of bits at 1e15 a\nsecond (int8 tensor cores)."
    )
    return "\n".join(lines)


def resources() -> str:
    """A row per CUDA kernel: what the compiler gives its threads and blocks."""
    architectures = ("sm_75", "sm_80", "sm_90", "sm_100")
    title = "CUDA kernel, registers a thread (bytes of spill stores and loads)"
    lines = [f"| {title} | {' | '.join(architectures)} | shared, bytes |"]
    lines.append("|---" * (2 + len(architectures)) + "|")
    for entry in _load("cuda_resources")["results"]:
        cells = []
        for found in (entry[architecture] for architecture in architectures):
            cells.append(f"{found['registers']}" + (f" ({found['spill_bytes']})" if found["spill_bytes"] else ""))
        shared = max(entry[architecture]["shared_bytes"] for architecture in architectures)
        lines.append(f"| `{entry['kernel']}` | {' | '.join(cells)} | {shared} |")
    return "\n".join(lines)


def render() -> str:
    """What stands between the README's markers."""
    parts = (demo(), evaluation(), speed(HEADLINES), formats(("read",)), gpu())
    return "\n\n".join((BEGIN, *parts, END))


def render_all() -> str:
    """benchmarks/README.md."""
    everything = dict.fromkeys(KERNELS, ("",))
    return f"""# Benchmarks

`python benchmarks/bench_<kernel>.py` writes `benchmarks/results/<kernel>.json`; this page is made of those files by
`python benchmarks/tables.py`. Peers run in processes of their own (`peers.py`), interleaved with ours; answers are
compared before anything is timed. Ratios are of CPU time; wall time, memory, threads and absent peers are in the files.

{speed(everything)}

{growth()}

{evaluation()}

`python benchmarks/bench_io.py`: each format read and written, beside what its users would otherwise take.

{formats(("",))}

`python benchmarks/bench_convert.py`: into .hapz, .pgen, VCF Zarr, and BCF again.

{conversion()}

## On a GPU

`python benchmarks/gpu.py` installs, tests and times there; its docstring says how.

{gpu()}

`python benchmarks/gpu.py --resources` needs no device: what the compiler gives each kernel.

{resources()}

## What an RBM reaches by its own choice

`python benchmarks/bench_rbm_quality.py --data FOLDER` and the same with `--study`.

{quality()}

## What a chain draws

`python benchmarks/bench_crbm.py --data FOLDER`; its docstring says what makes AA truth high and AA syn low, and what
mends it.

{chain()}

Distance to real: mean distance from draws to the nearest test haplotype over that between these. Windows: 322 of the
805 sites, 506 of the 1,261 of LCT, 1,000 of the 4,000 of ooa, half of each given. T of plain runs is by hand; they are
of an earlier commit, trained on all of the half. The record of ooa has no scores along the chain. There a chain of
short windows is nearer to real haplotypes than one RBM (above); on LCT and the 805 sites it is not. Nearly every site
is in two windows, which costs twice the time. The chain of rectified units (805) leaks less than the plain one, and
draws rare alleles less well.

## What a labelled RBM tells and draws

`python benchmarks/bench_labelled_rbm.py --data FOLDER`.

{labelled()}

`python benchmarks/bench_labelled_lct.py --data FOLDER`.

{lactase()}

## Hidden units, and what keeps a model from its training persons

`python benchmarks/bench_rbm_leakage.py --data FOLDER` says what the schemes are.

{leakage()}

## What embeddings give back

`python benchmarks/bench_embedding.py --data FOLDER`: alleles that decode(encode(x)) gets wrong, fitted to nine in ten
persons. Of minor alleles: in percent of these, where 100 is what the commonest allele of every site gets wrong.
Frequency: the mean difference over sites between decoded and true training rows.

{embeddings()}

## What a diffusion draws

`python benchmarks/bench_diffusion.py --data FOLDER --seconds 60`: every model is trained so long on two threads
("longer" ones by `--only`), on the 805 sites by population, and drawn by it; the others by clusters of alike rows.
Scores are against held-out persons. "joined" is the 805 sites and LCT side by side, "ooa" the embedded cohort.
Thresholds hold the allele frequencies of every population or cluster: much of what the draws have is this, as those of
models without either show. "Clusters alone" are alleles drawn by their frequencies in these. What is by population is
from before calibrated alleles had noise, the other rows with clusters, but that of the 805 sites, from before it held
r2 within clusters; of the longer sets the transformer was not trained with clusters.

{diffusion()}

## What GAN, WGAN and VAE draw, setting by setting

`python benchmarks/bench_network_quality.py --data FOLDER`: 805 sites, a minute or two each on one thread of a busy
machine, four of VAEs, eight of WGANs, these without clusters but where it is said, with width 4, batches of 30 and
three updates of the critic for one of the generator, which begins to learn after some 300. Epochs went with the load:
rows of fewer say little of their setting. "Clusters alone": alleles drawn by their frequencies in the 32 clusters that
a WGAN has for labels. A VAE's networks are not told of its 64: the latent values of its draws are distributed as those
of their rows, and without them by N(0, 1), for which the divergence is weighted 1. Each model with its defaults (the
VAE of width 4), then with one setting changed ("smaller batches": of 24, four times as many updates); alleles of the
same draws by thresholds that hold the frequencies, after noise that holds the mean r2 or, of a VAE, how near draws are
to each other (calibrated), by one half (round) and drawn (bernoulli). AA are steep in this noise, and move with the
split: below are a VAE's of others, with training of another seed, beside those of their real rows. The rows of a VAE
with other settings are from when its noise held the mean r2, too, WGAN's from when it was that of 512 rows (4,096 now),
those without a privacy score from before that was taken, on another machine than the file names.

{networks("network_quality")}

LCT, 8,076 sites padded to 16,383, the convolutional ones of reduced width (`--sites 8076`):

{networks("network_quality_lct")}
"""


def main() -> None:
    text = README.read_text()
    head, rest = text.split(BEGIN)
    README.write_text(head + render() + rest.split(END)[1])
    ALL.write_text(render_all())


if __name__ == "__main__":
    main()

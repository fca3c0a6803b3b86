"""Write the README's tables from the committed results.

usage: python benchmarks/tables.py        (tests/test_readme.py fails where the README is not what this makes)
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
BEGIN = "<!-- tables: made by `python benchmarks/tables.py`; do not edit between these lines -->"
END = "<!-- end of tables -->"

KERNELS = ("pack", "allele_counts", "hamming", "nearest_neighbours", "joint_counts", "three_point", "kmers", "gibbs")
DEMO_SCORES = ("aa_truth", "aa_syn", "privacy_score", "af_r_low", "pca_wasserstein", "pairwise_within", "ld_score")


def _load(name: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads((HERE / "results" / f"{name}.json").read_text())
    return result


def speed() -> str:
    """A row per workload of the kernel and reading benchmarks: our fastest variant, and each peer's time over ours."""
    lines = ["| one thread, where not said otherwise | ours, CPU s | peers' time over ours |", "|---|---|---|"]
    for kernel in (*KERNELS, "io"):
        for entry in _load(kernel)["results"]:
            ours = entry["cpu_seconds"][entry["fastest"]]["median"]
            peers = ", ".join(
                f"{peer} {ratio:g}x" for peer, ratio in entry["peer_over_fastest"].items() if "2 threads" not in peer
            )
            variant = entry["fastest"].removeprefix("hapforge").strip()
            name = entry["workload"] if kernel == "io" else f"`{kernel}` {entry['workload']}"
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


def render() -> str:
    """What stands between the markers."""
    return f"{BEGIN}\n\n{demo()}\n\n{speed()}\n\n{growth()}\n\n{END}"


def main() -> None:
    text = README.read_text()
    head, rest = text.split(BEGIN)
    README.write_text(head + render() + rest.split(END)[1])


if __name__ == "__main__":
    main()

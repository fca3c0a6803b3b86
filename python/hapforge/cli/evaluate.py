"""`hapforge evaluate REAL SYN [SYN ...] -o PREFIX`: a table, and PREFIX.json, .tsv, .html, .log."""

from __future__ import annotations

import datetime
import logging
import math
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from hapforge.cli._common import (
    Force,
    PolicyTexts,
    Quiet,
    Seed,
    Threads,
    check_output,
    printable,
    progress,
    read_cohort,
    set_threads,
    stdout,
)

if TYPE_CHECKING:
    from hapforge.evaluation import Evaluation
    from hapforge.haplotypes import HaplotypeMatrix
    from hapforge.report.data import Score

ENDINGS = (".json", ".tsv", ".html", ".log")


def _print_list(wanted: bool) -> None:
    if not wanted:
        return
    from hapforge.evaluation.statistics import STATISTICS

    for name, statistic in STATISTICS.items():
        print(f"{name} ({statistic.heading}{', only where it is named' if statistic.opt_in else ''})")
        for score, text in statistic.scores.items():
            print(f"  {score}{', _equal_n' if text.twice else ''}: {text.heading}; {text.reading}")
    raise typer.Exit


def _prefix(text: str) -> Path:
    if text.endswith(("/", os.sep)):
        raise typer.BadParameter(f"expected a prefix of file names, found the folder {text}")
    return Path(text)


def command(
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Real haplotypes; the training set with --holdout.")],
    synthetic: Annotated[list[Path], typer.Argument(metavar="SYN...", help="One or more sets of artificial genomes.")],
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="PREFIX", parser=_prefix, help="Writes PREFIX.json, .tsv, .html and .log."
        ),
    ],
    holdout: Annotated[
        Path | None, typer.Option("--holdout", metavar="FILE", help="Real persons no model has seen: privacy score.")
    ] = None,
    legend: Annotated[
        Path | None,
        typer.Option("--legend", metavar="FILE", help="Sites of the HAPT files that have no legend beside them."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="FILE", help="Labels of the real set: TSV, ids first, .fam, .psam, .pheno."),
    ] = None,
    metrics: Annotated[
        str | None,
        typer.Option(
            "--metrics",
            metavar="NAME,...",
            help="Only these statistics, of those that --list prints; default most of them.",
        ),
    ] = None,
    genetic_map: Annotated[
        Path | None,
        typer.Option("--genetic-map", metavar="FILE", help="LD decay by cM: a map of HapMap, shapeit or plink."),
    ] = None,
    controls: Annotated[
        str,
        typer.Option(
            "--controls", metavar="NAME,...", help="real_half (always there), bernoulli, markov; default all."
        ),
    ] = "real_half,bernoulli,markov",
    max_memory: Annotated[
        str | None,
        typer.Option(
            "--max-memory", metavar="SIZE", help="2G, say: leave out a statistic that may need more than is left of it."
        ),
    ] = None,
    _list: Annotated[
        bool, typer.Option("--list", callback=_print_list, is_eager=True, help="List statistics and scores, and stop.")
    ] = False,
    policy: PolicyTexts = None,
    device: Annotated[
        str, typer.Option("--device", help="cpu, or cuda for the kernels that have a CUDA part.")
    ] = "cpu",
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Measure artificial genomes against real ones, with controls beside."""
    from hapforge import evaluation, io
    from hapforge.evaluation.memory import parse_bytes
    from hapforge.io.atomic import atomic_files, sha256_file

    if output.is_dir():
        raise ValueError(f"-o: expected a prefix of file names, found the folder {output}")
    outputs = [output.with_name(output.name + ending) for ending in ENDINGS]
    for path in outputs:
        check_output(path, force, file=True)
    for path in (real, *synthetic, *(p for p in (holdout, legend, labels, genetic_map) if p is not None)):
        if not path.exists():
            raise ValueError(f"{path}: expected a file to read, found none")
        if path.resolve() in {target.resolve() for target in outputs}:
            raise ValueError(f"{path}: expected an input that is no output, found it among those of -o {output}")
    memory = None if max_memory is None else parse_bytes(max_memory)
    set_threads(threads)
    os.environ.setdefault("POT_BACKEND_DISABLE_PYTORCH", "1")  # it would import torch, a second, and use none of it

    log: list[str] = []
    handler = _Lines(log)
    logger = logging.getLogger("hapforge.evaluation")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        command_line = printable(" ".join(["hapforge", *sys.argv[1:]]))
        logger.info("%s", command_line)
        names = set_names(synthetic)
        files = {"real": real, **dict(zip(names, synthetic, strict=True))}
        if holdout is not None:
            files["holdout"] = holdout
        cohorts: dict[str, HaplotypeMatrix] = {}
        inputs: dict[str, dict[str, Any]] = {}
        for name, path in files.items():
            rules = io.Policy.parse(policy or [])
            cohort = read_cohort(path, rules, quiet, labels=labels if name == "real" else None)
            cohorts[name] = cohort if legend is None else _with_sites(cohort, legend, path)
            if name == "real" and genetic_map is not None:
                cohorts[name] = io.read_genetic_map(genetic_map).attach(cohorts[name])
            inputs[name] = {"file": printable(path.name), "file_sha256": sha256_file(path)}
            logger.info("read %s from %s: %r", name, printable(path), cohorts[name])
            if changed := rules.summary():
                logger.info("odd input in %s: %s", name, changed)
                inputs[name]["policy"] = {kind: rules[kind] for kind in rules.changes}
                inputs[name]["policy_changes"] = rules.changes
        with progress(quiet) as start:
            result = evaluation.evaluate(
                cohorts["real"],
                {name: cohorts[name] for name in names},
                holdout=cohorts.get("holdout"),
                metrics=None if metrics is None else metrics.split(","),
                seed=seed,
                controls=controls.split(","),
                ld_distance="bp" if genetic_map is None else "cM",
                max_memory=memory,
                device=device,
                progress=start,
                provenance={"command": command_line, "inputs": inputs},
            )
        for note in result.data.notes:
            logger.info("note: %s", note)
        logger.info("done %s", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    finally:
        logger.removeHandler(handler)

    texts = [result.json(), result.tsv(), result.html(), "\n".join(log) + "\n"]
    with atomic_files(*outputs) as folder:
        for path, text in zip(outputs, texts, strict=True):
            (folder / path.name).write_text(text, encoding="utf-8")
    stdout.print(score_table(result, stdout.width))
    for name, said in result.data.headlines.items():
        stdout.print(f"{name}: {said}", markup=False)
    if not quiet:
        for note in result.data.notes:
            stdout.print(note, markup=False)
        stdout.print(f"report: {printable(outputs[2])}", markup=False)


def _with_sites(cohort: HaplotypeMatrix, legend: Path, path: Path) -> HaplotypeMatrix:
    """The cohort with the sites of a legend, where its own file did not say them."""
    from hapforge.haplotypes import HaplotypeMatrix
    from hapforge.io.hapt import read_legend

    if cohort.sites.position_known:
        return cohort
    sites = read_legend(legend)
    if len(sites) != cohort.num_sites:
        raise ValueError(f"{legend}: expected {cohort.num_sites} sites, as {path} has, found {len(sites)}")
    return HaplotypeMatrix(cohort.words, sites, cohort.samples)


def set_names(
    paths: list[Path], others: Iterable[str] = ("real", "real half", "holdout", "Bernoulli", "Markov")
) -> list[str]:
    """Names of the sets from their files: the name up to its first ending, numbered where one is taken, by `others`."""
    taken = set(others)
    names = []
    for path in paths:
        stem = printable(path.name)
        for ending in (".zip", ".gz", ".bgz"):
            stem = stem.removesuffix(ending)
        stem = Path(stem).stem if Path(stem).suffix else stem
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem} ({number})", number + 1
        taken.add(name)
        names.append(name)
    return names


def score_table(result: Evaluation, width: int) -> Table:
    """Scores as rows; sets, then controls, as columns; n beside; 95 % intervals where `width` characters allow."""
    from hapforge.evaluation import EQUAL_N

    data = result.data
    columns = [*data.sets, *data.controls]
    intervals = width >= 40 + 26 * len(columns)
    table = Table(title=f"real: {data.real_haplotypes} haplotypes x {data.num_sites} sites", title_justify="left")
    table.add_column("score", no_wrap=True)
    for name in columns:
        role = "control" if name in data.controls else "set"
        table.add_column(
            f"{escape(name)}\n{role}\n{data.num_haplotypes[name]}", justify="right", overflow="fold", min_width=9
        )
    table.add_column("n", justify="right", no_wrap=True)
    own = [score for score in data.score_texts if not score.endswith(EQUAL_N)]
    equal = [score for score in data.score_texts if score.endswith(EQUAL_N)]
    for title, scores in (("at each set's own size", own), ("all at equal n", equal)):
        if scores:
            table.add_section()
            table.add_row(f"[bold]{title}[/bold]")
        for score in scores:
            found = [data.scores[name].get(score) for name in columns]
            sizes = sorted({s.n for s in found if s is not None})
            n = "..".join(map(_count, sizes[:1] + sizes[1:][-1:]))
            heading = data.score_texts[score].heading.removesuffix(" (equal n)")
            table.add_row(f"  {heading}", *(_cell(s, intervals) for s in found), n)
    return table


def _count(n: int) -> str:
    return f"{n / 1e6:.1f}M" if n >= 1_000_000 else str(n)


def _cell(score: Score | None, interval: bool) -> str:
    if score is None:
        return ""
    if math.isnan(score.value):
        return "-"
    text = str(int(score.value)) if score.value == int(score.value) else _decimal(score.value)
    if not interval or math.isnan(score.low):
        return text
    return f"{text} \\[{_decimal(score.low)}, {_decimal(score.high)}]"


def _decimal(value: float) -> str:
    return f"{value:.3f}" if abs(value) >= 0.1 else f"{value:.4f}"


class _Lines(logging.Handler):
    """Collects log records as lines with their time."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

"""`hapforge evaluate REAL SYN [SYN ...] -o PREFIX`: a table, and PREFIX.json, .tsv, .html, .log."""

from __future__ import annotations

import datetime
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from hapforge.cli._common import Force, Quiet, Seed, Threads, check_output, progress, set_threads, stdout

if TYPE_CHECKING:
    from hapforge.evaluation import Evaluation
    from hapforge.report.data import Score

ENDINGS = (".json", ".tsv", ".html", ".log")


def command(
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Real haplotypes; the training set with --holdout.")],
    synthetic: Annotated[list[Path], typer.Argument(metavar="SYN...", help="One or more sets of artificial genomes.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PREFIX", help="Writes PREFIX.json, .tsv, .html and .log.")
    ],
    holdout: Annotated[
        Path | None, typer.Option("--holdout", metavar="FILE", help="Real persons no model has seen: privacy score.")
    ] = None,
    legend: Annotated[
        Path | None, typer.Option("--legend", metavar="FILE", help="Sites of HAPT files; without it by their order.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", metavar="FILE", help="Labels of the real set: TSV, ids first.")
    ] = None,
    metrics: Annotated[
        str | None, typer.Option("--metrics", metavar="NAME,...", help="Only these statistics; default all.")
    ] = None,
    controls: Annotated[
        str, typer.Option("--controls", metavar="NAME,...", help="real_half (always there), bernoulli, markov.")
    ] = "real_half",
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Measure artificial genomes against real ones, with controls beside."""
    from contextlib import ExitStack

    from hapforge import evaluation, io
    from hapforge.io.atomic import atomic_file, sha256_file

    outputs = [output.with_name(output.name + ending) for ending in ENDINGS]
    for path in outputs:
        check_output(path, force)
    for path in (real, *synthetic, *(p for p in (holdout, legend, labels) if p is not None)):
        if not path.exists():
            raise ValueError(f"{path}: expected a file to read, found none")
        if path.resolve() in {target.resolve() for target in outputs}:
            raise ValueError(f"{path}: expected an input that is no output, found it among those of -o {output}")
    set_threads(threads)

    log: list[str] = []
    handler = _Lines(log)
    logger = logging.getLogger("hapforge.evaluation")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        command_line = " ".join(["hapforge", *sys.argv[1:]])
        logger.info("%s", command_line)
        names = set_names(synthetic)
        files = {"real": real, **dict(zip(names, synthetic, strict=True))}
        if holdout is not None:
            files["holdout"] = holdout
        cohorts, inputs = {}, {}
        for name, path in files.items():
            arguments = {"labels": labels} if name == "real" and labels is not None else {}
            cohorts[name] = io.read(path, **arguments, **({"legend": legend} if legend is not None else {}))
            inputs[name] = {"file": path.name, "file_sha256": sha256_file(path)}
            logger.info("read %s from %s: %r", name, path, cohorts[name])
        with progress(quiet) as start:
            result = evaluation.evaluate(
                cohorts["real"],
                {name: cohorts[name] for name in names},
                holdout=cohorts.get("holdout"),
                metrics=metrics.split(",") if metrics else None,
                seed=seed,
                controls=controls.split(","),
                progress=start,
                provenance={"command": command_line, "inputs": inputs},
            )
        for note in result.data.notes:
            logger.info("note: %s", note)
        logger.info("done %s", datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"))
    finally:
        logger.removeHandler(handler)

    texts = [result.json(), result.tsv(), result.html(), "\n".join(log) + "\n"]
    with ExitStack() as stack:  # all are written beside their places before the first takes its own
        for path, text in zip(outputs, texts, strict=True):
            stack.enter_context(atomic_file(path)).write_text(text, encoding="utf-8")
    stdout.print(score_table(result))
    if not quiet:
        for note in result.data.notes:
            stdout.print(note, markup=False)
        stdout.print(f"report: {outputs[2]}", markup=False)


def set_names(paths: list[Path]) -> list[str]:
    """Names of the sets from their files: the name up to its first ending, numbered where one is taken."""
    taken = {"real", "real half", "holdout", "Bernoulli", "Markov"}
    names = []
    for path in paths:
        stem = path.name
        for ending in (".zip", ".gz", ".bgz"):
            stem = stem.removesuffix(ending)
        stem = Path(stem).stem if Path(stem).suffix else stem
        name, number = stem, 2
        while name in taken:
            name, number = f"{stem} ({number})", number + 1
        taken.add(name)
        names.append(name)
    return names


def score_table(result: Evaluation) -> Table:
    """Scores as rows; sets, then controls, as columns; 95 % intervals in brackets, n where all columns share it."""
    data = result.data
    columns = [*data.sets, *data.controls]
    table = Table(title=f"real: {data.real_haplotypes} haplotypes x {data.num_sites} sites", title_justify="left")
    table.add_column("score")
    for name in columns:
        role = "control" if name in data.controls else "set"
        table.add_column(f"{escape(name)}\n{role}, {data.num_haplotypes[name]}", justify="right")
    table.add_column("n", justify="right")
    in_equal_part = False
    for score, (heading, _) in data.score_labels.items():
        if score.endswith("_equal_n") and not in_equal_part:
            in_equal_part = True
            table.add_section()
        found = [data.scores[name].get(score) for name in columns]
        sizes = sorted({s.n for s in found if s is not None})
        n = str(sizes[0]) if len(sizes) == 1 else f"{sizes[0]}..{sizes[-1]}"
        table.add_row(heading, *map(_cell, found), n)
    return table


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    if score.value != score.value:
        return "-"
    text = f"{score.value:.0f}" if score.value == int(score.value) and abs(score.value) > 1 else f"{score.value:.3f}"
    return text if score.low != score.low else f"{text} \\[{score.low:.3f}, {score.high:.3f}]"


class _Lines(logging.Handler):
    """Collects log records as lines with their time."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__()
        self._lines = lines
        self.setFormatter(logging.Formatter("%(asctime)s %(message)s"))

    def emit(self, record: logging.LogRecord) -> None:
        self._lines.append(self.format(record))

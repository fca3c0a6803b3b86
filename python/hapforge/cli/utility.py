"""`hapforge utility REAL_TRAIN REAL_TEST SYN [SYN ...] -o PREFIX`: what artificial training rows are worth."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

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
from hapforge.cli.evaluate import set_names
from hapforge.errors import MissingDependencyError

if TYPE_CHECKING:
    from hapforge.downstream import Estimate, Utility
    from hapforge.downstream.recovery import Unit
    from hapforge.models.embedding import Embedding

_ENDINGS = (".json", ".tsv", ".html")
_EMBEDDINGS = ("alleles", "genes", "cohort")


def command(
    train: Annotated[
        Path, typer.Argument(metavar="REAL_TRAIN", help="Real haplotypes that the models were fitted to.")
    ],
    test: Annotated[Path, typer.Argument(metavar="REAL_TEST", help="Real haplotypes of other persons.")],
    synthetic: Annotated[list[Path], typer.Argument(metavar="SYN...", help="Sets of artificial genomes, with labels.")],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="PREFIX", help="Writes PREFIX.json, .tsv and .html.")
    ],
    label: Annotated[
        str | None,
        typer.Option("--label", metavar="NAME", help="The label to tell; default the only one of REAL_TRAIN."),
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option("--labels", metavar="TSV", help="Labels by haplotype or sample id, of files that have none."),
    ] = None,
    unit: Annotated[
        str, typer.Option("--unit", help="haplotype, or person: classifiers read genotypes, 0 to 2 at a site.")
    ] = "haplotype",
    embedding: Annotated[
        str,
        typer.Option(
            "--embedding", help="What classifiers read: alleles, or their PCA, of genes or windows (genes), or cohort."
        ),
    ] = "alleles",
    genes: Annotated[
        Path | None, typer.Option("--genes", metavar="FILE", help="Genes of --embedding genes: GFF3, GTF, BED.")
    ] = None,
    classifiers: Annotated[
        str, typer.Option("--classifiers", metavar="NAME,...", help="Of mlp, transformer, cnn.")
    ] = "mlp,transformer,cnn",
    repeats: Annotated[int, typer.Option("--repeats", min=1, metavar="N", help="Trainings of each classifier.")] = 3,
    fractions: Annotated[
        str,
        typer.Option(
            "--fractions", metavar="SHARE,...", help="Shares of the real persons to augment; none: no such curve."
        ),
    ] = "0.05,0.1,0.2,0.5",
    policy: PolicyTexts = None,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train classifiers on real and on artificial genomes and test them on real ones: recovery rates.

    The recovery rate is the accuracy that artificial training rows give, as a share of that of as many real ones.
    """
    from hapforge.downstream import utility
    from hapforge.evaluation.provenance import describe_run
    from hapforge.evaluation.same_persons import same_persons
    from hapforge.io.atomic import atomic_files, sha256_file
    from hapforge.report.utility import to_html

    for module in ("torch", "plotly", "matplotlib"):
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(module, "train" if module == "torch" else "eval")

    outputs = [output.with_name(output.name + ending) for ending in _ENDINGS]
    for path in outputs:
        check_output(path, force, file=True)
    names = set_names(synthetic, ("train", "test"))
    files = {"train": train, "test": test, **dict(zip(names, synthetic, strict=True))}
    for path in (*files.values(), *(path for path in (labels, genes) if path is not None)):
        if not path.exists():
            raise ValueError(f"{path}: expected a file to read, found none")
        if path.resolve() in {target.resolve() for target in outputs}:
            raise ValueError(f"{path}: expected an input that is no output, found it among those of -o {output}")
    shares, read = _shares(fractions), _embedding(embedding, genes, unit)
    set_threads(threads)
    cohorts = {name: read_cohort(path, policy, quiet) for name, path in files.items()}
    if labels is not None:
        for name, cohort in cohorts.items():
            has = cohort.samples.labels.keys() if label is None else cohort.samples.labels.keys() & {label}
            cohorts[name] = cohort if has else cohort.with_labels(labels)
    with progress(quiet) as start:
        found = utility(
            cohorts["train"],
            cohorts["test"],
            {name: cohorts[name] for name in names},
            label=label,
            classifiers=classifiers.split(","),
            repeats=repeats,
            seed=seed,
            fractions=shares,
            unit=cast("Unit", unit),
            embedding=read,
            progress=start,
        )
    found.notes.extend(same_persons(cohorts["train"], cohorts["test"], "test"))
    inputs = {name: {"file": printable(path.name), "file_sha256": sha256_file(path)} for name, path in files.items()}
    record = describe_run(
        cohorts, seed, {"command": printable(" ".join(["hapforge", *sys.argv[1:]])), "inputs": inputs}
    )
    found = replace(found, provenance=record)
    texts = [found.json(), found.tsv(), to_html(found)]
    with atomic_files(*outputs) as folder:
        for path, text in zip(outputs, texts, strict=True):
            (folder / path.name).write_text(text, encoding="utf-8")
    stdout.print(_table(found))
    if not quiet:
        for note in found.notes:
            stdout.print(note, markup=False)
        stdout.print(f"report: {printable(outputs[2])}", markup=False)


def _embedding(name: str, genes: Path | None, unit: str) -> Embedding | None:
    from hapforge.models.embedding import CohortPCA, GenewisePCA

    if name not in _EMBEDDINGS:
        raise ValueError(f"--embedding: expected {', '.join(_EMBEDDINGS[:-1])} or {_EMBEDDINGS[-1]}, found {name!r}")
    if genes is not None and name != "genes":
        raise ValueError(f"--genes: expected --embedding genes beside it, found {name}")
    of: Any = unit
    return {
        "alleles": lambda: None,
        "genes": lambda: GenewisePCA(genes, unit=of),
        "cohort": lambda: CohortPCA(unit=of),
    }[name]()


def _shares(text: str) -> list[float]:
    if text in ("", "none"):
        return []
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--fractions: expected numbers with commas between, or none, found {text!r}") from None


def _table(found: Utility) -> Table:
    """Accuracies by the rows that were trained on and recovery rates, in percent, with intervals over repeats."""
    table = Table(
        title=f"{found.label}: {len(found.labels)} values, {sum(found.test_rows.values())} test {found.unit}s"
        f"{f' of {found.test_persons} persons' if found.unit == 'haplotype' else ''}, {found.repeats} repeats; percent",
        title_justify="left",
    )
    for name in ("set", "classifier"):
        table.add_column(name)
    for name in ("real rows", "set's rows", "recovery"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in found.sets:
        for kind in found.classifiers:
            parts = (found.real(kind, name), found.synthetic(kind, name), found.recovery(kind, name))
            table.add_row(escape(name), kind, *map(_percent, parts))
        table.add_section()
    return table


def _percent(value: Estimate) -> str:
    around = "" if value.low != value.low else f" ± {100 * (value.high - value.mean):.1f}"
    return f"{100 * value.mean:.1f}{around}"

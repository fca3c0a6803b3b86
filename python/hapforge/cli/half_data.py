"""`hapforge half-data MODEL DATA -o DIR`: what a model learns of persons and of the population, by half of them."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from hapforge.cli import evaluate, generate, train
from hapforge.cli._common import (
    ConfigFile,
    Device,
    Force,
    LabelsFile,
    PolicyTexts,
    Preset,
    Quiet,
    Seed,
    Settings,
    Threads,
    new_folder,
    read_cohort,
    set_threads,
    stderr,
    stdout,
)

STATISTICS = ("allele_frequency", "ld", "pairwise", "pca", "adversarial_accuracy")
SCORES = (
    "aa_truth",
    "aa_syn",
    "aats",
    "af_r",
    "af_r_low",
    "ld_r2_r",
    "pca_wasserstein",
    "pairwise_within",
    "privacy_score",
)


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="As hapforge train.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Haplotypes, in any format.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for everything.")],
    settings: Settings = None,
    config: ConfigFile = None,
    preset: Preset = None,
    labels: LabelsFile = None,
    policy: PolicyTexts = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted experiment in DIR.")] = False,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train on half of the persons; compare them, the other half and artificial genomes with each other.

    That is the experiment of Yelmen et al. 2023, supplementary figure S14. DIR gets train.hapz and test.hapz, the run,
    as many draws as there are test haplotypes, and two reports: "against_train" with training persons as the truth and
    the privacy score, "against_test" with test persons, whom the model has not seen; what "train" scores there is what
    a perfect set would. No persons are held out of the half that is trained on, but where --set validation=SHARE says
    so (they count as training persons in the reports).
    """
    from hapforge import io, models
    from hapforge.models._model import check_data

    set_threads(threads)
    kind = models.by_name(model)
    name = kind.name
    halves = {half: output / f"{half}.hapz" for half in ("train", "test")}
    run, synthetic = output / "run", output / f"{name}.hapz"
    if resume and not (run / "run.json").is_file():
        raise ValueError(f"{output}: expected an interrupted experiment to resume, found none")
    if not resume:
        if not data.exists():
            raise ValueError(f"{data}: expected a file to read, found none")
        made = train.model_with(kind, preset, config, settings or [])
        cohort = read_cohort(data, policy, quiet, labels=labels)
        check_data(made, cohort)
        if cohort.samples.num_persons < 2:
            raise ValueError(f"{data}: expected 2 persons or more, found {cohort.samples.num_persons}")
        new_folder(output, force)
        for part, path in zip(cohort.split(0.5, seed), halves.values(), strict=True):
            io.write(part, path)
    whole = ["validation=0"] if train.is_trained(kind) and not resume else []  # a run knows what it was started with
    if not (run / "model.json").is_file() or not resume:
        try:
            train.command(
                name,
                halves["train"],
                run,
                settings=[*whole, *(settings or [])],
                config=config,
                preset=preset,
                resume=resume,
                device=device,
                threads=threads,
                seed=seed,
                force=force,
                quiet=quiet,
            )
        except KeyboardInterrupt:
            again = ["hapforge", "half-data", name, str(data), "-o", str(output), "--resume", "--seed", str(seed)]
            stderr.print(f"{output}: to go on with the experiment: {shlex.join(again)}", markup=False)
            raise
    number = io.read(halves["test"]).num_haplotypes
    generate.command(run, number, synthetic, threads=threads, seed=seed, force=True, quiet=quiet)
    reports = {half: output / f"against_{half}" for half in halves}
    for half, sets in (("train", [synthetic]), ("test", [synthetic, halves["train"]])):
        evaluate.command(
            halves[half],
            sets,
            reports[half],
            holdout=halves["test"] if half == "train" else None,
            metrics=",".join([*STATISTICS, *(["privacy"] if half == "train" else [])]),
            controls="real_half",
            threads=threads,
            seed=seed,
            force=True,
            quiet=quiet,
        )
    stdout.print(_summary(name, reports))


def _summary(name: str, reports: dict[str, Path]) -> Table:
    """The scores of S14: the model's against both halves, and one half's against the other."""
    found = {half: json.loads(Path(f"{path}.json").read_text(encoding="utf-8")) for half, path in reports.items()}
    scores = {half: report["scores"] for half, report in found.items()}
    columns = {
        f"{name}\nagainst test": scores["test"][name],
        "train\nagainst test": scores["test"]["train"],
        f"{name}\nagainst train": scores["train"][name],
        "test\nagainst train": scores["train"]["holdout"],
    }
    table = Table(title="half of the persons", title_justify="left")
    table.add_column("score", no_wrap=True)
    for heading in columns:
        table.add_column(heading, justify="right")
    for score in SCORES:
        values = [column[score]["value"] if score in column else None for column in columns.values()]
        heading = found["train"]["score_labels"][score]["heading"]
        table.add_row(heading, *("" if value is None else f"{value:.3f}" for value in values))
    return table

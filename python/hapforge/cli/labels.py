"""`hapforge labels RUN DATA -o PREFIX`: how a labelled model draws and tells each label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from hapforge.cli._common import (
    Force,
    LabelsFile,
    PolicyTexts,
    Quiet,
    Seed,
    Threads,
    check_output,
    printable,
    read_cohort,
    set_threads,
    stderr,
)

if TYPE_CHECKING:
    from hapforge.haplotypes import HaplotypeMatrix
    from hapforge.models.labelled_rbm import LabelledRBM

_ENDINGS = ("json", "tsv", "scores.png", "confusion.png", "components.png")


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained labelled_rbm.")],
    data: Annotated[
        Path,
        typer.Argument(metavar="DATA", help="Test haplotypes with labels, or what RUN was trained on with validation."),
    ],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="PREFIX", help=f"Writes PREFIX.{', PREFIX.'.join(_ENDINGS)}."),
    ],
    labels: LabelsFile = None,
    control: Annotated[
        Path | None, typer.Option("--control", metavar="FILE", help="Other real haplotypes, scored as a perfect set.")
    ] = None,
    steps: Annotated[
        str | None,
        typer.Option("--steps", metavar="N,N,...", help="Sampling steps; default 1, 2, 3 ... up to ten times its own."),
    ] = None,
    policy: PolicyTexts = None,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Scores of each label over sampling steps and training age, confusion matrices, principal components.

    Ages are those of snapshots (hapforge train --set snapshots=20,80,200), and the end. Where DATA is what RUN was
    trained on with --set validation=SHARE, the persons that were held out are the test haplotypes and the others the
    control; PREFIX.tsv and PREFIX.json have every score.
    """
    import hapforge.models
    from hapforge.evaluation.labels import study_labels
    from hapforge.evaluation.snapshots import load_snapshots
    from hapforge.io.atomic import atomic_file
    from hapforge.report.labels import draw_components, draw_confusion, draw_scores

    paths = [output.with_name(f"{output.name}.{ending}") for ending in _ENDINGS]
    for path in paths:
        check_output(path, force, file=True)
    chosen = None if steps is None else _numbers(steps)
    set_threads(threads)
    loaded = hapforge.models.load(run)
    if not hasattr(loaded, "confusion"):
        raise ValueError(f"{printable(run)}: expected a model that knows labels, labelled_rbm, found {loaded.name}")
    model = cast("LabelledRBM", loaded)
    test, real = _test_and_control(run, model, read_cohort(data, policy, quiet, labels=labels), quiet)
    if control is not None:
        real = read_cohort(control, policy, quiet, labels=labels)
    models = load_snapshots(run) | {model.training["epochs_done"]: model}
    study = study_labels(models, test, steps=chosen, control=real, seed=seed)
    parts = [
        study.json().encode(),
        study.tsv().encode(),
        *(f(study) for f in (draw_scores, draw_confusion, draw_components)),
    ]
    for path, content in zip(paths, parts, strict=True):
        with atomic_file(path) as temporary:
            temporary.write_bytes(content)
    if not quiet:
        last, ages = max(study.updates), len(study.updates)
        stderr.print(
            f"{printable(output)}.*: {len(study.codes)} test haplotypes, {len(study.counts)} labels, "
            f"{ages} age{'s' if ages > 1 else ''}; {100 * study.accuracy[last]:.1f} % of the labels told rightly",
            markup=False,
        )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(f"--steps: expected whole numbers with commas between, found {text!r}") from None


def _test_and_control(
    run: Path, model: LabelledRBM, cohort: HaplotypeMatrix, quiet: bool
) -> tuple[HaplotypeMatrix, HaplotypeMatrix | None]:
    """The persons that training held out and those it had, where they are known to be in the cohort; all and none."""
    from hapforge.models._run import read_run
    from hapforge.models._store import RUN_DESCRIPTION

    notes: dict[str, Any] = read_run(run)["notes"] if (run / RUN_DESCRIPTION).is_file() else {}
    if share := notes.get("validation"):
        train, held = cohort.split(share, model.training["seed"])
        if train.sha256() == model.training["data_sha256"]:
            return held, train
    if not quiet and cohort.sha256() == model.training["data_sha256"]:
        stderr.print("DATA is what RUN was trained on: this is no test", markup=False)
    return cohort, None

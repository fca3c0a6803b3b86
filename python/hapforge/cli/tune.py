"""`hapforge tune MODEL DATA -o STUDY`: the settings with which a model draws best, in a study that can be resumed."""

from __future__ import annotations

import importlib.util
import shlex
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

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
    check_output,
    printable,
    progress,
    read_cohort,
    set_threads,
    stderr,
    stdout,
)
from hapforge.cli._settings import pairs, typed
from hapforge.cli.train import chosen_settings, types_of
from hapforge.errors import MissingDependencyError
from hapforge.io.atomic import atomic_file

if TYPE_CHECKING:
    from hapforge.report.tuning import Range, Trial, TuningData, Value

_JUDGED = {"patience": "monitor_patience", "every": "monitor_every", "leak": "monitor_leak", "validation": "validation"}
"""How a study is judged, and the names of that on the command line, which are those of ``hapforge train``."""


def command(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="rbm, labelled_rbm, gan, wgan, vae or diffusion.")],
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Haplotypes or aligned sequences, in any format.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="STUDY", help="Folder of the study.")],
    trials: Annotated[
        int | None, typer.Option("--trials", min=1, metavar="N", help="Trials in all; default 20.")
    ] = None,
    search: Annotated[
        list[str] | None,
        typer.Option(
            "--search",
            metavar="KEY=LOW:HIGH[:log]",
            help="A range to search, or KEY=A,B,C to choose from; may be given many times. Others are the model's own.",
        ),
    ] = None,
    settings: Settings = None,
    config: ConfigFile = None,
    preset: Preset = None,
    labels: LabelsFile = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with the study in STUDY, up to N trials.")] = False,
    policy: PolicyTexts = None,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Try settings, by the aggregate of their draws on held-out persons. Ctrl-C leaves what --resume goes on with.

    STUDY gets the best model (hapforge generate STUDY/best), its settings (hapforge train --config STUDY/best.toml),
    report.html, tune.json and study.sqlite, which is Optuna's. Beside those of the model, --set takes validation=0.2
    (share of the persons), monitor_every=0 (epochs between evaluations; 0: a tenth of them), monitor_patience=0,
    monitor_leak (privacy score above which a trial ends; 0: none; 0.06 where 1,000 rows are judged) and
    checkpoint_every=10.
    """
    from hapforge import models
    from hapforge.evaluation import tune as study
    from hapforge.evaluation.study_folder import BEST, REPORT, SETTINGS, read_study
    from hapforge.evaluation.tune import TRIALS, VALIDATION, check_optuna, check_tunable

    check_optuna()
    for module in ("plotly", "matplotlib"):
        if importlib.util.find_spec(module) is None:
            raise MissingDependencyError(module, "eval")
    kind: Any = models.by_name(model)
    check_tunable(kind)
    if not data.exists():
        raise ValueError(f"{data}: expected a file to read, found none")
    if not resume:
        check_output(output, force)
    judged: dict[str, tuple[type, Any]] = {
        "validation": (float, VALIDATION),
        "monitor_every": (int, 0),
        "monitor_patience": (int, 0),
        "monitor_leak": (float, None),
        "checkpoint_every": (int, 10),
    }
    given = chosen_settings(kind, preset, config, settings or [], judged)
    asked = _searched(kind, search or [])
    if resume:
        before = read_study(output)
        given = {**{_JUDGED[name]: before["record"][name] for name in _JUDGED}, **given}
        trials = trials or before["num_trials"]
    how = {key: given.pop(key, default) for key, (_, default) in judged.items()}
    set_threads(threads)
    cohort = read_cohort(data, policy, quiet, labels=labels)
    again = ["hapforge", "tune", kind.name, str(data), *(f"--policy={text}" for text in policy or [])]
    again += [] if labels is None else ["--labels", str(labels)]
    again += ["-o", str(output), "--resume", "--trials", str(trials or TRIALS), "--seed", str(seed)]
    with progress(quiet) as start:
        advance_trials = start("trials", trials or TRIALS)
        advance, at, done, stop = None, -1, 0, False

        def on_interrupt(*_: Any) -> None:
            nonlocal stop
            if stop:
                raise KeyboardInterrupt
            stop = True

        def on_epoch(number: int, state: Any) -> None:
            nonlocal advance, at, done
            if number != at or advance is None:
                advance, at, done = start(f"epochs of trial {number}", state.num_epochs), number, 0
            advance(state.epoch - done)
            done = state.epoch
            if stop:  # between epochs, so that nothing of this one is lost; a second Ctrl-C stops at once
                raise KeyboardInterrupt

        def on_trial(trial: Trial) -> None:
            advance_trials(1)
            if not quiet:
                stderr.print(_line(trial), markup=False)
            if stop:
                raise KeyboardInterrupt

        before_signal = signal.signal(signal.SIGINT, on_interrupt)
        try:
            found = study(
                kind,
                cohort,
                output,
                trials=trials or TRIALS,
                search=asked,
                settings=given,
                **{name: how[key] for name, key in _JUDGED.items()},
                checkpoint_every=how["checkpoint_every"],
                seed=seed,
                device=device,
                resume=resume,
                overwrite=force,
                on_epoch=on_epoch,
                on_trial=on_trial,
                notes={
                    "command": shlex.join(["hapforge", *sys.argv[1:]]),
                    "data": str(data),
                    **({"policy": policy} if policy else {}),
                },
            )
        except KeyboardInterrupt:
            if output.is_dir():
                stderr.print(f"{output}: to go on: {shlex.join(again)}", markup=False)
            raise
        finally:
            signal.signal(signal.SIGINT, before_signal)
    with atomic_file(output / REPORT) as path:
        path.write_text(found.to_html(), encoding="utf-8")
    if found.best is None:
        reasons = "; ".join(dict.fromkeys(trial.reason for trial in found.trials if trial.reason))
        raise ValueError(f"{output}: expected a trial that ends well, found {found.counts}: {reasons}")
    if not quiet:
        stdout.print(_summary(found))
        for note in found.notes[1:]:
            stdout.print(note, markup=False)
        stdout.print(
            f"{printable(output / BEST)}: the model; {printable(output / SETTINGS)}: its settings; "
            f"{printable(output / REPORT)}: all trials",
            markup=False,
        )


def _line(trial: Trial) -> str:
    """What came of a trial."""
    from hapforge.report.tuning import value_text

    chosen = ", ".join(f"{name} {value_text(value)}" for name, value in trial.parameters.items())
    if trial.aggregate is None:
        came = f"{trial.state} ({trial.reason})"
    else:
        kept = "" if trial.state == "complete" else f", {trial.state}"
        came = f"{trial.aggregate:.3f} at epoch {trial.epoch} of {trial.epochs}{kept}"
    return f"trial {trial.number}: {came}; {chosen}; {trial.seconds:.0f} s"


def _summary(found: TuningData) -> Table:
    """The best settings beside the model's own, and what each weighs."""
    from hapforge.report.tuning import value_text

    best, first = found.best, found.trials[0]
    assert best is not None
    table = Table(
        title=f"{len(found.trials)} trials of {found.model}: {found.counts}; {found.num_train} haplotypes to train on, "
        f"{found.num_validation} to judge by; trial 0 is the model's own choice",
        title_justify="left",
    )
    table.add_column("", no_wrap=True)
    for heading in (f"best: trial {best.number}", "trial 0", "searched", "weight (chance)"):
        table.add_column(heading, justify="right")

    def text(value: float | None) -> str:
        return "" if value is None else f"{value:.3f}"

    table.add_row("aggregate", text(best.aggregate), text(first.aggregate), "", "")
    table.add_row("privacy score", text(best.scores.get("privacy")), text(first.scores.get("privacy")), "", "")
    for name, space in found.search.items():
        weight = found.importances.get(name)
        table.add_row(
            name,
            value_text(best.parameters[name]),
            value_text(first.parameters[name]),
            ", ".join(map(value_text, space)) if isinstance(space, tuple) else str(space),
            "" if weight is None else f"{weight.share:.2f} ({weight.chance:.2f})",
        )
    return table


def _searched(kind: Any, given: list[str]) -> dict[str, Range | tuple[Value, ...]]:
    """Every KEY=LOW:HIGH[:log] or KEY=A,B,C, in the types of the model's settings."""
    from hapforge.report.tuning import Range

    known, found = types_of(kind), dict[str, Any]()
    for key, text in pairs(given, "--search", "KEY=LOW:HIGH[:log] or KEY=A,B,C"):
        if ":" in text:
            low, high, *more = text.split(":")
            if more not in ([], ["log"]):
                raise ValueError(f"--search: {key}: expected LOW:HIGH or LOW:HIGH:log, found {text!r}")
            a, b = (typed(kind.name, known, key, end.strip(), "--search") for end in (low, high))
            if known[key] is str:
                raise ValueError(f"--search: {key}: expected texts with commas between, found {text!r}")
            found[key] = Range(a, b, log=bool(more))
        else:
            values = (value.strip() for value in text.split(","))
            found[key] = tuple(typed(kind.name, known, key, value, "--search") for value in values)
    return found

"""`hapforge train MODEL DATA -o RUN`: a model from a cohort, in a run folder that can be resumed."""

from __future__ import annotations

import dataclasses
import json
import shlex
import signal
import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any

import typer

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
    progress,
    read_cohort,
    set_threads,
    stderr,
)
from hapforge.cli._settings import pairs, typed
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.io.atomic import atomic_file

_SEAM_DRAWS = 2000
_RUN_KEYS: dict[str, tuple[type, Any]] = {
    "checkpoint_every": (int, 10),
    "validation": (float, 0.0),
    "monitor_every": (int, 0),
    "monitor_patience": (int, 0),
    "monitor_leak": (float, 0.0),
    "snapshots": (str, ""),
}
"""Settings of a run rather than of a model: epochs between checkpoints, share of the persons held out, epochs between
evaluations on those (0: none), evaluations without a better one after which training stops (0: never), privacy score
above which it stops (0: never), epochs after which the model is kept, with commas between (hapforge labels)."""

_HELD_OUT, _FEWEST_PERSONS = 0.1, 500
"""Share of the persons that a model which asks for it holds out where nothing is said, and of how many at least."""


def command(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL", help="bernoulli, markov, rbm, crbm, labelled_rbm, gan, wgan, vae or diffusion."
        ),
    ],
    data: Annotated[
        Path, typer.Argument(metavar="DATA", help="Training haplotypes or aligned sequences, in any format.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="RUN", help="Run folder to write.")],
    settings: Settings = None,
    config: ConfigFile = None,
    preset: Preset = None,
    labels: LabelsFile = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted run in RUN.")] = False,
    policy: PolicyTexts = None,
    device: Device = "auto",
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train a model. Ctrl-C leaves a run folder that --resume goes on with.

    torchrun --nproc-per-node N -m hapforge train ... trains one by N processes.
    """
    from hapforge import models
    from hapforge.alignment import extent
    from hapforge.models import _ranks

    kind = models.by_name(model)
    ranks = _ranks.meet()
    if ranks.count > 1 and not kind.SHARED:
        raise ValueError(f"{kind.name}: expected one process, found {ranks.count} of torchrun")
    quiet = quiet or not ranks.is_first
    if resume and not is_trained(kind):
        raise ValueError(f"--resume: {kind.name} is counted at once, there is nothing to resume")
    if not data.exists():
        raise ValueError(f"{data}: expected a file to read, found none")
    if ranks.is_first and resume and not output.is_dir():
        raise ValueError(f"{output}: expected a run folder to resume, found none")
    if ranks.is_first and not resume:
        check_output(output, force)
    set_threads(threads)
    given = chosen_settings(kind, preset, config, settings or [], _run_keys(kind))
    said = set(given)
    if resume:
        given = {**ranks.told(_settings_of(output, kind) if ranks.is_first else None), **given}
    run_settings = {key: given.pop(key, default) for key, (_, default) in _run_keys(kind).items()}
    by_default = kind.HOLDS_OUT and preset is None and not resume and "validation" not in said
    made = kind(**given)
    cohort = read_cohort(data, policy, quiet, labels=labels)
    if by_default and cohort.samples.num_persons >= _FEWEST_PERSONS:
        run_settings["validation"] = _HELD_OUT
    validation = None
    if run_settings.get("validation"):
        cohort, validation = cohort.split(run_settings["validation"], seed)
        if not cohort.num_haplotypes or not validation.num_haplotypes:
            share = run_settings["validation"]
            raise ValueError(f"validation: expected persons on both sides, found none at a share of {share}")
    if run_settings.get("monitor_every") and validation is None:
        raise ValueError("monitor_every: expected validation=SHARE of the persons beside it, found none")
    if run_settings.get("monitor_patience") and not run_settings["monitor_every"]:
        raise ValueError("monitor_patience: expected monitor_every=EPOCHS beside it, found none")
    if run_settings.get("monitor_leak") and not run_settings["monitor_every"]:
        raise ValueError("monitor_leak: expected monitor_every=EPOCHS beside it, found none")
    if is_trained(kind):
        again = ["hapforge", "train", kind.name, str(data), *(f"--policy={text}" for text in policy or [])]
        again += [] if labels is None else ["--labels", str(labels)]
        again += ["-o", str(output), "--resume", "--seed", str(seed)]
        chosen = {"policy": policy, "preset": preset}
        notes = {"data": str(data), **{key: value for key, value in chosen.items() if value}, **run_settings}
        _train(made, cohort, validation, output, resume, force, run_settings, device, seed, quiet, notes, again)
        if isinstance(made, models.CRBM) and len(made.borders):
            _report_seams(made, validation or cohort, output, seed, quiet)
    else:
        made.fit(cohort, seed=seed, device=device)
        made.save(output, overwrite=force)
    if not quiet:
        held = "" if validation is None else f", {validation.num_haplotypes} held out for validation"
        stderr.print(f"{output}: {kind.name} of {extent(cohort)}{held}")
    if is_trained(kind) and ranks.is_first:
        _write_page(output, quiet)
    _ranks.leave()


def _train(
    made: Any,
    cohort: Any,
    validation: Any,
    output: Path,
    resume: bool,
    force: bool,
    run_settings: dict[str, Any],
    device: str,
    seed: int,
    quiet: bool,
    notes: dict[str, Any],
    again: list[str],
) -> None:
    """Train and, where that is interrupted, say the command `again` that goes on."""
    from hapforge.evaluation.monitor import BEST, Monitor
    from hapforge.evaluation.snapshots import Snapshots
    from hapforge.models import _ranks
    from hapforge.models._training import Diverged

    monitor, snapshots, ranks = None, None, _ranks.meet()
    if text := run_settings.get("snapshots"):
        snapshots = Snapshots(output, _epochs(text, made.planned_epochs(cohort)))
    if run_settings.get("monitor_every") and ranks.is_first:
        monitor = Monitor(
            cohort,
            validation,
            every=run_settings["monitor_every"],
            patience=run_settings["monitor_patience"] or None,
            leak=run_settings["monitor_leak"] or None,
            folder=output,
            seed=seed,
        )
    with progress(quiet) as start:
        advance, done, stop = start("epochs", made.planned_epochs(cohort)), 0, False

        def on_interrupt(*_: Any) -> None:
            nonlocal stop
            if not ranks.is_first:  # which ends for all
                return
            if stop:
                raise KeyboardInterrupt
            stop = True

        def on_epoch(state: Any) -> bool:
            nonlocal done
            advance(state.epoch - done)
            done = state.epoch
            if snapshots is not None:
                snapshots(state)
            enough = monitor is not None and monitor(state)
            # between epochs, so that nothing of this one is lost; a second Ctrl-C stops at once
            if stop and not enough:
                raise KeyboardInterrupt
            return enough

        def on_end(*_: Any) -> None:
            raise _ranks.lost()

        before = signal.signal(signal.SIGINT, on_interrupt)
        if ranks.count > 1 and ranks.is_first:
            signal.signal(signal.SIGTERM, on_end)  # torchrun sends it once any process has ended
        try:
            made.fit(
                cohort,
                seed=seed,
                validation=validation,
                callback=on_epoch,
                device=device,
                run=output,
                resume=resume,
                overwrite=force,
                checkpoint_every=run_settings["checkpoint_every"],
                notes=notes,
                **{key: run_settings[key] for key in made.FITTING},
            )
        except (KeyboardInterrupt, Diverged) as error:
            if ranks.is_first:
                with suppress(FormatError):  # no epoch is done
                    _write_page(output, quiet)
            if isinstance(error, KeyboardInterrupt) and (output / "run.json").is_file():
                stderr.print(f"{output}: to go on: {shlex.join(again)}", markup=False)
            raise
        finally:
            signal.signal(signal.SIGINT, before)
    if monitor is not None and not quiet:
        stderr.print(f"{output / BEST}: the best of {len(monitor.history)} evaluations, epoch {monitor.best_epoch}")


def _epochs(text: str, last: int) -> list[int]:
    """Epochs with commas between, of 1 to `last`."""
    parts = [part.strip() for part in text.split(",")]
    if wrong := [part for part in parts if not (part.isdecimal() and 1 <= int(part) <= last)]:
        raise ValueError(f"snapshots: expected epochs of 1 to {last} with commas between, found {wrong[0]!r}")
    return [int(part) for part in parts]


def _report_seams(made: Any, real: Any, output: Path, seed: int, quiet: bool) -> None:
    """Write how the windows of a chain join (hapforge info shows it), from at most 2000 draws."""
    from hapforge.metrics import seam_report
    from hapforge.models import _store

    drawn = made.sample(min(real.num_haplotypes, _SEAM_DRAWS), seed=seed)
    width = min(128, made.config.window - made.config.overlap) // 2 * 2
    try:
        found = seam_report(real, drawn, made.borders, width=width, seed=seed)
    except ValueError as error:
        if not quiet:
            stderr.print(f"{output}: no report on seams: {error}", markup=False)
        return
    with atomic_file(output / _store.SEAMS) as path:
        path.write_text(json.dumps(_without_nan(dataclasses.asdict(found)), indent=2) + "\n", encoding="utf-8")
    if not quiet:
        a, b = found.borders, found.inside
        stderr.print(
            f"{output / _store.SEAMS}: across borders and inside windows: r2 {a.r2_r:.3f} and {b.r2_r:.3f}, 3-point "
            f"{a.three_point_r:.3f} and {b.three_point_r:.3f}, AA truth {a.aa_truth:.3f} and {b.aa_truth:.3f}, AA syn "
            f"{a.aa_syn:.3f} and {b.aa_syn:.3f}"
        )


def _write_page(output: Path, quiet: bool) -> None:
    """Write the curves of a training; without plotly and matplotlib there are none."""
    from hapforge.models import _store
    from hapforge.report.training import read_training

    found = read_training(output)
    try:
        text = found.to_html()
    except MissingDependencyError as error:
        if not quiet:
            stderr.print(f"{output}: no {_store.REPORT}: {error}", markup=False)
        return
    with atomic_file(output / _store.REPORT) as path:
        path.write_text(text, encoding="utf-8")
    if not quiet:
        stderr.print(f"{output / _store.REPORT}: curves of the training", markup=False)


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    return None if value != value else value


def _run_keys(kind: Any) -> dict[str, tuple[type, Any]]:
    """Settings of a run of a model: their types and defaults."""
    if not is_trained(kind):
        return {}
    keys = {key: of for key, of in _RUN_KEYS.items() if kind.MONITORED or key in ("checkpoint_every", "validation")}
    return {**keys, **kind.FITTING}


def is_trained(kind: Any) -> bool:
    """Whether a kind of model is trained by epochs, and not counted at once."""
    return "epochs" in {field.name for field in dataclasses.fields(kind.config_type)}


def types_of(kind: Any) -> dict[str, type]:
    """Settings of a model and their types."""
    return {field.name: type(field.default) for field in dataclasses.fields(kind.config_type)}


def model_with(kind: Any, preset: str | None, config: Path | None, settings: list[str]) -> Any:
    """A model with what the user chose; ValueError for settings that it does not take."""
    run_keys = _run_keys(kind)
    chosen = chosen_settings(kind, preset, config, settings, run_keys)
    return kind(**{key: value for key, value in chosen.items() if key not in run_keys})


def chosen_settings(
    kind: Any, preset: str | None, config: Path | None, given: list[str], run_keys: dict[str, tuple[type, Any]]
) -> dict[str, Any]:
    """What the user chose of a model's settings and of `run_keys`: a preset, over it the file, over it --set."""
    known = types_of(kind) | {key: of for key, (of, _) in run_keys.items()}
    chosen: dict[str, Any] = {}
    if preset is not None:
        presets = kind.PRESETS
        if preset not in presets:
            known_ones = f"one of {', '.join(presets)}" if presets else f"none, {kind.name} has no presets"
            raise ValueError(f"--preset: expected {known_ones}, found {preset!r}")
        chosen.update(presets[preset])
    if config is not None:
        try:
            table = tomllib.loads(config.read_text(encoding="utf-8"))
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
            raise ValueError(f"{config}: expected TOML, found {error}") from None
        for key, value in table.items():
            chosen[key] = typed(kind.name, known, key, value, str(config))
    for key, text in pairs(given):
        chosen[key] = typed(kind.name, known, key, text, "--set")
    share = chosen.get("validation", 0.0)
    if not 0 <= share < 1:
        raise ValueError(f"validation: expected a share of the persons, 0 or more and below 1, found {share}")
    for key, least in (("checkpoint_every", 1), ("monitor_every", 0), ("monitor_patience", 0)):
        if chosen.get(key, least) < least:
            raise ValueError(f"{key}: expected {least} or more, found {chosen[key]}")
    return chosen


def _settings_of(run: Path, kind: Any) -> dict[str, Any]:
    """The settings that a run was started with."""
    from hapforge.models._run import read_run

    record = read_run(run)
    return {**record["config"], **{key: record["notes"][key] for key in _run_keys(kind) if key in record["notes"]}}

"""`hapforge demo`: the main job on the embedded cohort, as the commands a user would type."""

from __future__ import annotations

import shlex
import time
from pathlib import Path
from typing import Annotated

import typer

from hapforge.cli import evaluate, generate, train
from hapforge.cli._common import Force, Quiet, Seed, Threads, new_folder, set_threads, stderr, stdout

SITES = range(0, 2000, 2)
"""The slice of the embedded cohort: every second of its first 2,000 sites."""

HOLDOUT = 0.2
"""Share of the persons that the model never sees."""


def command(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="DIR", help="Folder for everything.")] = Path(
        "demo"
    ),
    resume: Annotated[bool, typer.Option("--resume", help="Go on with an interrupted demo in DIR.")] = False,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Train an RBM on the embedded cohort, draw artificial genomes, evaluate them, and write a report."""
    from hapforge import datasets, io

    began = time.perf_counter()
    set_threads(threads)
    data, holdout, run, synthetic = (output / name for name in ("train.hapz", "holdout.hapz", "run", "RBM.hapz"))
    if resume and not (run / "run.json").is_file():
        raise ValueError(f"{output}: expected an interrupted demo to resume, found none")
    if not resume:
        new_folder(output, force)
        cohort = datasets.load("ooa").select_sites(SITES)
        parts = cohort.split(HOLDOUT, seed)
        for part, path in zip(parts, (data, holdout), strict=True):
            io.write(part, path)
        _say(
            quiet,
            f"The embedded cohort, every second of its first {SITES.stop} sites: {parts[0].num_haplotypes} haplotypes "
            f"to train on, {parts[1].num_haplotypes} of other persons held out.",
        )
    if not (run / "model.json").is_file() or not resume:
        _say(quiet, f"\n$ hapforge train rbm {data} -o {run} --seed {seed}")
        try:
            train.command("rbm", data, run, resume=resume, threads=threads, seed=seed, force=force, quiet=quiet)
        except KeyboardInterrupt:
            again = shlex.join(["hapforge", "demo", "-o", str(output), "--resume", "--seed", str(seed)])
            stderr.print(f"{output}: to go on with the demo: {again}", markup=False)
            raise
    n = io.read(data).num_haplotypes
    _say(quiet, f"\n$ hapforge generate {run} -n {n} -o {synthetic} --seed {seed}")
    generate.command(run, n, synthetic, threads=threads, seed=seed, force=True, quiet=quiet)
    report = output / "report"
    _say(
        quiet,
        f"\n$ hapforge evaluate {data} {synthetic} --holdout {holdout} -o {report} --seed {seed}",
    )
    evaluate.command(
        data,
        [synthetic],
        report,
        holdout=holdout,
        threads=threads,
        seed=seed,
        force=True,
        quiet=quiet,
    )
    _say(quiet, f"\nDone in {time.perf_counter() - began:.0f} s. Open {report.with_suffix('.html')} in a browser.")


def _say(quiet: bool, text: str) -> None:
    if not quiet:
        stdout.print(text, markup=False)

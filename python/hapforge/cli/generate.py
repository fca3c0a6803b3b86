"""`hapforge generate RUN -n N -o OUT`: artificial genomes from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hapforge.cli._common import Force, Quiet, Seed, Threads, check_cohort_output, set_threads, stderr


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that hapforge train, or a model's save, wrote.")],
    number: Annotated[int, typer.Option("-n", metavar="N", min=1, help="Haplotypes to draw; two are a person.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="File to write; format by its name.")],
    label: Annotated[
        str | None, typer.Option("--label", metavar="NAME", help="Draw this label (models trained with labels).")
    ] = None,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Draw artificial genomes."""
    from hapforge import io, models

    check_cohort_output(output, force, number)
    set_threads(threads)
    drawn = models.load(run).sample(number, seed=seed, labels=label)
    io.write(drawn, output)
    if not quiet:
        stderr.print(f"{output}: {drawn.num_haplotypes} haplotypes x {drawn.num_sites} sites", markup=False)

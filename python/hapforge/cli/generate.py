"""`hapforge generate RUN -n N -o OUT`: artificial genomes from a trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from hapforge.cli._common import (
    Force,
    PolicyTexts,
    Quiet,
    Seed,
    Threads,
    check_cohort_output,
    progress,
    read_cohort,
    set_threads,
    stderr,
)
from hapforge.cli._settings import pairs, typed


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder that hapforge train, or a model's save, wrote.")],
    number: Annotated[
        int, typer.Option("-n", metavar="N", min=1, help="Haplotypes to draw, two a person, or sequences.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="File to write; format by its name.")],
    label: Annotated[
        str | None, typer.Option("--label", metavar="NAME", help="Draw this label (models trained with labels).")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            metavar="KEY=VALUE",
            help="How to draw; labelled_rbm: steps, temperature; rbm: start=random|chains, too; gan, wgan, vae, "
            "diffusion: alleles=calibrated|round|bernoulli.",
        ),
    ] = None,
    start: Annotated[
        Path | None, typer.Option("--start", metavar="FILE", help="Haplotypes that chains start from (rbm).")
    ] = None,
    policy: PolicyTexts = None,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Draw artificial genomes, as many as the disk holds.

    They are drawn and written in blocks, so that memory does not grow with N but for names, 100 to 250 bytes a
    haplotype. For VCF, BCF, HAP, HAPS, PGEN and VCF Zarr, which go by site, all draws lie packed (N x sites / 8 bytes)
    in a file without a name beside OUT until they are written. Fewer are the first of more with the same seed.
    """
    from hapforge import io, models
    from hapforge.alignment import extent

    kind = check_cohort_output(output, force, number)
    set_threads(threads)
    model = models.load(run)
    io.check_form(model.sites, output)
    io.check_room(output, number, len(model.sites), in_blocks=True)
    chosen: dict[str, Any] = {}
    for key, text in pairs(settings or []):
        chosen[key] = typed(model.name, model.SAMPLING, key, text, "--set")
    if start is not None:
        if "start" not in model.SAMPLING:
            raise ValueError(f"--start: expected a model whose draws start somewhere, found {model.name}")
        if "start" in chosen:
            raise ValueError("--start: expected no --set start=... beside it, found one")
        chosen["start"] = read_cohort(start, policy, quiet)
    with progress(quiet) as start_bar:
        drawn = model.sample_in_blocks(
            number, seed=seed, labels=label, progress=start_bar(f"drawing {number}", number), **chosen
        )
        written = start_bar(f"writing {output.name}", drawn.num_sites) if io.FORMATS[kind].by_site else None
        io.write(drawn, output, progress=written)
    if not quiet:
        how = "".join(f", {key} {value}" for key, value in chosen.items() if key != "start")
        stderr.print(f"{output}: {extent(drawn)}{how}", markup=False)

"""`hapforge simulate -o OUT --haplotypes N --sites L --seed S`: a cohort as large as wanted, out of Africa."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from hapforge.cli._common import Force, Quiet, Seed, Threads, check_cohort_output, progress, set_threads, stderr


def command(
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="File to write; format by its name.")],
    haplotypes: Annotated[int, typer.Option("--haplotypes", metavar="N", help="An even number; two are a person.")],
    sites: Annotated[int, typer.Option("--sites", metavar="L", help="Sites to keep.")],
    maf: Annotated[float, typer.Option("--maf", help="Least frequency of the rarer allele.")] = 0.01,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Simulate haplotypes of AFR, EUR and EAS persons (Gutenkunst et al. 2009) with msprime."""
    from hapforge import datasets, io

    check_cohort_output(output, force, haplotypes, sites)
    set_threads(threads)
    with progress(quiet) as start:
        cohort = datasets.simulate(haplotypes, sites, seed=seed, maf=maf, on_sites=start("sites", sites))
    io.write(cohort, output)
    if not quiet:
        stderr.print(f"{output}: {cohort.num_haplotypes} haplotypes x {cohort.num_sites} sites", markup=False)

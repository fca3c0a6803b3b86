"""`hapforge impute RUN FILE -o OUT`: the sites of a model that a file lacks, filled in by the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from hapforge.cli._common import (
    Force,
    PolicyTexts,
    Quiet,
    Seed,
    Threads,
    check_cohort_output,
    check_output,
    printable,
    read_cohort,
    set_threads,
    stderr,
)
from hapforge.cli._settings import pairs, typed

if TYPE_CHECKING:
    from hapforge.models._imputation import Imputation

_SETTINGS = {"chains": int, "burn_in": int, "steps": int}


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained rbm.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Haplotypes at some of the model's sites.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="OUT", help="File to write; format by its name.")],
    dosages: Annotated[
        Path | None,
        typer.Option("--dosages", metavar="TSV", help="Write dosages, too: a line a haplotype, a column a site."),
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="chains (a haplotype), burn_in, steps (averaged over)."),
    ] = None,
    policy: PolicyTexts = None,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Fill in the sites that a cohort was not observed at.

    OUT has all sites of the model: those of FILE as they are (REF and ALT as in the model), at the others the likelier
    allele. A dosage is the probability of ALT. With --policy missing=mask, alleles that FILE has no call of are filled
    in, too.
    """
    from hapforge import io, models
    from hapforge.io.atomic import check_room

    check_cohort_output(output, force)
    if dosages is not None:
        if dosages.absolute() in [path.absolute() for path in (output, *io.companions(output))]:
            raise ValueError(
                f"--dosages: expected another file than OUT and what is beside, found {printable(dosages)}"
            )
        check_output(dosages, force, file=True)
    chosen: dict[str, Any] = {
        key: typed("impute", _SETTINGS, key, text, "--set") for key, text in pairs(settings or [])
    }
    set_threads(threads)
    model = models.load(run)
    if not hasattr(model, "impute"):
        raise ValueError(f"{printable(run)}: expected a model that imputes, rbm, found {model.name}")
    rules = io.Policy.parse(policy or [])
    cohort = read_cohort(file, rules, quiet, masked=True)
    check_cohort_output(output, force, cohort.num_haplotypes, len(model.sites))
    if dosages is not None:
        check_room(dosages, 2 * cohort.num_haplotypes * len(model.sites))
    called = None if rules.observed is None else rules.observed.to_dense().view(bool)
    found = model.impute(cohort, called, seed=seed, **chosen)
    if dosages is not None:
        _write_dosages(found, dosages)
    io.write(found.calls, output)
    if not quiet:
        stderr.print(f"{printable(output)}: {_summary(found)}", markup=False)


def _summary(found: Imputation) -> str:
    nowhere = ~np.atleast_2d(found.observed).any(axis=0)
    parts = [
        f"{found.calls.num_haplotypes} haplotypes x {found.calls.num_sites} sites",
        f"{nowhere.sum()} of them imputed",
    ]
    masked = ~np.atleast_2d(found.observed)[:, ~nowhere]
    if masked.any():
        parts.append(f"{masked.sum()} single alleles at {masked.any(axis=0).sum()} others")
    r2 = found.estimated_r2()
    if not np.isnan(r2).all():
        parts.append(f"estimated r2 {np.nanmean(r2):.3f} on average")
    if found.num_dropped:
        parts.append(f"{found.num_dropped} sites that the model lacks dropped")
    if found.num_flipped:
        parts.append(f"REF and ALT swapped at {found.num_flipped}")
    return ", ".join(parts)


def _write_dosages(found: Imputation, path: Path) -> None:
    from hapforge.io.atomic import atomic_file

    sites = found.calls.sites
    columns = zip(sites.contig, sites.position.tolist(), sites.ref, sites.alt, strict=True)
    names = [f"{contig}:{position}:{ref}:{alt}" for contig, position, ref, alt in columns]
    text = [f"{i / 10_000:.4g}" for i in range(10_001)]
    with atomic_file(path) as temporary, temporary.open("w", encoding="utf-8") as handle:
        print("haplotype", *names, sep="\t", file=handle)
        for name, row in zip(found.calls.samples.haplotype_id, found.dosage, strict=True):
            numbers = np.rint(row * 10_000).astype(np.int64).tolist()
            print(name, *(text[i] for i in numbers), sep="\t", file=handle)

"""`hapforge latent RUN FILE -o PREFIX`: haplotypes in the hidden space of a trained Boltzmann machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import numpy as np
import typer

from hapforge.cli._common import (
    Force,
    LabelsFile,
    PolicyTexts,
    Quiet,
    Threads,
    check_output,
    printable,
    read_cohort,
    set_threads,
    stderr,
)

if TYPE_CHECKING:
    from hapforge.models.rbm import RBM
    from hapforge.report.latent import LatentSpace

_NUM_AXES = 10


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained rbm.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Haplotypes at the model's sites.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PREFIX", help="Writes PREFIX.tsv, PREFIX.png.")],
    labels: LabelsFile = None,
    colour: Annotated[
        str | None,
        typer.Option("--colour", metavar="NAME", help="Label that colours go by; default the first of 2 to 30 values."),
    ] = None,
    policy: PolicyTexts = None,
    threads: Threads = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show haplotypes in the hidden space of a model, and what its hidden units stand for.

    PREFIX.tsv has coordinates along the leading singular vectors of the weights (of the hidden side, applied to means
    of hidden units), PREFIX.png pictures of them by label, of the units and of their weights.
    """
    import hapforge.models
    from hapforge.intersection import intersect
    from hapforge.io.atomic import atomic_file
    from hapforge.report.latent import MAX_LABELS, LatentSpace, draw_latent

    table, picture = (output.with_name(f"{output.name}.{ending}") for ending in ("tsv", "png"))
    for path in (table, picture):
        check_output(path, force, file=True)
    set_threads(threads)
    loaded = hapforge.models.load(run)
    if not hasattr(loaded, "project"):
        raise ValueError(f"{printable(run)}: expected a model with hidden units, rbm, found {loaded.name}")
    model = cast("RBM", loaded)
    cohort = read_cohort(file, policy, quiet, labels=labels)
    if cohort.sites.position_known and model.sites.position_known and cohort.sites != model.sites:
        cohort = intersect([model.sample(0), cohort])[1]
    if cohort.num_sites != len(model.sites):
        expected = f"{printable(file)}: expected the {len(model.sites)} sites of the model"
        raise ValueError(f"{expected}, found {cohort.num_sites} of them; hapforge impute fills in the others")
    if not cohort.num_haplotypes:
        raise ValueError(f"{printable(file)}: expected at least one haplotype, found none")
    names = cohort.samples.labels
    if colour is not None and colour not in names:
        raise ValueError(f"--colour: expected one of {', '.join(names) or 'no labels'}, found {colour!r}")
    kinds = {name: len(np.unique(values)) for name, values in names.items()}
    chosen = colour or next((name for name, kind in kinds.items() if 2 <= kind <= MAX_LABELS), None)
    weights = model.weights
    axes = model.singular_vectors(min(weights.shape))
    means = model.transform(cohort)
    space = LatentSpace(
        coordinates=means.astype(np.float64) @ axes.hidden[:, :_NUM_AXES],
        values=axes.values,
        means=means,
        weights=weights,
        label=chosen,
        labels=None if chosen is None else names[chosen],
    )
    picture_bytes = draw_latent(space)
    with atomic_file(table) as temporary:
        _write_table(temporary, space, cohort.samples.haplotype_id, names)
    with atomic_file(picture) as temporary:
        temporary.write_bytes(picture_bytes)
    if not quiet:
        stderr.print(f"{printable(table)}, {printable(picture)}: {len(means)} haplotypes", markup=False)


def _write_table(path: Path, space: LatentSpace, ids: Any, labels: dict[str, Any]) -> None:
    """A line a haplotype: its id, its labels, its coordinates."""
    axes = [f"axis{k + 1}" for k in range(space.coordinates.shape[1])]
    columns = [values.tolist() for values in labels.values()]
    with path.open("w", encoding="utf-8") as handle:
        print("haplotype", *labels, *axes, sep="\t", file=handle)
        for i, (name, row) in enumerate(zip(ids.tolist(), space.coordinates.tolist(), strict=True)):
            print(name, *(column[i] for column in columns), *(f"{x:.6g}" for x in row), sep="\t", file=handle)

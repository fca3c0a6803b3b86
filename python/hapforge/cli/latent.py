"""`hapforge latent RUN FILE -o PREFIX`: haplotypes in the hidden space of a trained Boltzmann machine or diffusion."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
    from numpy.typing import NDArray

    from hapforge.haplotypes import HaplotypeMatrix
    from hapforge.models.diffusion import Diffusion
    from hapforge.models.rbm import RBM

    Columns = list[tuple[str, NDArray[Any]]]  # headings may come twice: labels have any name

_NUM_AXES = 10
_MOST_ROWS = 500  # of a layout, and as many draws


def command(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a trained rbm or diffusion.")],
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Haplotypes at the model's sites.")],
    output: Annotated[Path, typer.Option("-o", "--output", metavar="PREFIX", help="Writes PREFIX.tsv, PREFIX.png.")],
    labels: LabelsFile = None,
    colour: Annotated[
        str | None,
        typer.Option(
            "--colour",
            metavar="NAME",
            help="Label that colours go by; default the model's, or the first, of 2 to 30 values.",
        ),
    ] = None,
    policy: PolicyTexts = None,
    threads: Threads = None,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Show haplotypes in the hidden space of a model.

    Of an RBM, PREFIX.tsv has coordinates along the leading singular vectors of the weights (of the hidden side, applied
    to means of hidden units), PREFIX.png pictures of them by label, of the units and of their weights. Of a diffusion,
    at most 500 rows of FILE and as many draws are laid out in the plane, by UMAP of their embeddings (cosine distance)
    and by t-SNE of the narrowest layers of its backbone: PREFIX.tsv has the coordinates, PREFIX.png pictures by origin
    and by label.
    """
    import hapforge.models
    from hapforge.intersection import intersect
    from hapforge.io.atomic import atomic_file
    from hapforge.report.latent import MAX_LABELS

    table, picture = (output.with_name(f"{output.name}.{ending}") for ending in ("tsv", "png"))
    for path in (table, picture):
        check_output(path, force, file=True)
    set_threads(threads)
    model: Any = hapforge.models.load(run)
    if not (hasattr(model, "project") or hasattr(model, "bottlenecks")):
        raise ValueError(f"{printable(run)}: expected a model with hidden units, rbm or diffusion, found {model.name}")
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
    own = getattr(model.config, "label", "")
    usable = [name for name, values in names.items() if 2 <= len(np.unique(values)) <= MAX_LABELS]
    chosen = colour or min(usable, key=lambda name: name != own, default=None)
    show = _of_machine if hasattr(model, "project") else _of_diffusion
    columns, picture_bytes = show(model, cohort, chosen)
    with atomic_file(table) as temporary:
        _write_table(temporary, columns)
    with atomic_file(picture) as temporary:
        temporary.write_bytes(picture_bytes)
    if not quiet:
        count = len(columns[0][1])
        stderr.print(f"{printable(table)}, {printable(picture)}: {count} rows", markup=False)


def _of_machine(model: RBM, cohort: HaplotypeMatrix, chosen: str | None) -> tuple[Columns, bytes]:
    """Columns of the table, and the picture."""
    from hapforge.report.latent import LatentSpace, draw_latent

    names, weights = cohort.samples.labels, model.weights
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
    found = [(f"axis{k + 1}", values) for k, values in enumerate(space.coordinates.T)]
    return [("haplotype", cohort.samples.haplotype_id), *names.items(), *found], draw_latent(space)


def _of_diffusion(model: Diffusion, cohort: HaplotypeMatrix, chosen: str | None) -> tuple[Columns, bytes]:
    """Columns of the table, and the picture."""
    from hapforge.haplotypes import seeded_order
    from hapforge.report.latent import draw_layouts
    from hapforge.stats import tsne_layout, umap_layout

    each = 2 if model.config.unit == "person" else 1  # haplotypes of a row
    count = min(cohort.num_haplotypes // each, _MOST_ROWS)
    taken = np.sort(seeded_order(cohort.num_haplotypes // each, 0)[:count])
    real = cohort.select_haplotypes((taken[:, None] * each + np.arange(each)).reshape(-1))
    sets = {"real": real, "drawn": model.sample(count * each)}
    rows = np.concatenate([model.embedding.encode(rows).reshape(count, -1) for rows in sets.values()])
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    layouts = {"UMAP of embeddings": umap_layout(np.clip(1 - rows @ rows.T, 0, None))}
    kinds = [model.bottlenecks(rows) for rows in sets.values()]
    for kind in kinds[0]:
        layouts[f"t-SNE of the bottleneck, {kind}"] = tsne_layout(np.concatenate([found[kind] for found in kinds]))
    origin = np.repeat(np.array(list(sets), np.dtypes.StringDType()), count)
    nothing = np.full(count * each, "", np.dtypes.StringDType())
    labels = {}
    for name in cohort.samples.labels:
        parts = [rows.samples.labels.get(name, nothing)[::each] for rows in sets.values()]
        labels[name] = np.concatenate([part.astype(np.dtypes.StringDType()) for part in parts])
    groups = {"origin": origin}
    if chosen is not None and (labels[chosen] != "").any():
        groups[chosen] = labels[chosen]
    axes = ["umap", *(f"tsne_{kind.lower()}" for kind in kinds[0])]
    found = [
        (f"{name}{k + 1}", values)
        for name, points in zip(axes, layouts.values(), strict=True)
        for k, values in enumerate(points.T)
    ]
    ids = np.concatenate([rows.samples.haplotype_id[::each] for rows in sets.values()])
    return [("origin", origin), ("haplotype", ids), *labels.items(), *found], draw_layouts(layouts, groups)


def _write_table(path: Path, columns: Columns) -> None:
    """A line a row; numbers to six digits."""
    texts = [
        [f"{value:.6g}" for value in values.tolist()] if values.dtype.kind == "f" else values.tolist()
        for _, values in columns
    ]
    with path.open("w", encoding="utf-8") as handle:
        print(*(name for name, _ in columns), sep="\t", file=handle)
        for row in zip(*texts, strict=True):
            print(*row, sep="\t", file=handle)

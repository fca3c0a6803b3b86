"""`hapforge phenotype DATA -o LABELS.tsv`: simulated cases and controls among the persons of a cohort."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from hapforge.cli._common import (
    Force,
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


def command(
    data: Annotated[Path, typer.Argument(metavar="DATA", help="Haplotypes or genotypes, two rows a person.")],
    output: Annotated[
        Path,
        typer.Option("-o", "--output", metavar="LABELS.tsv", help="For --labels; the truth is in LABELS.json beside."),
    ],
    heritability: Annotated[float, typer.Option("--heritability", help="Of the liability, 0 to 1.")] = 0.5,
    causal_genes: Annotated[
        int, typer.Option("--causal-genes", metavar="N", help="Each has one causal site; all where there are fewer.")
    ] = 1000,
    sites_per_gene: Annotated[
        int, typer.Option("--sites-per-gene", metavar="N", help="A gene is a window of so many sites.")
    ] = 10,
    prevalence: Annotated[float, typer.Option("--prevalence", help="Share of the persons who are cases.")] = 0.3,
    policy: PolicyTexts = None,
    threads: Threads = None,
    seed: Seed = 0,
    force: Force = False,
    quiet: Quiet = False,
) -> None:
    """Simulate cases and controls among real persons by the liability-threshold model (Falconer 1965).

    The label is called simulated_phenotype, which reports show. LABELS.json has the recipe, the causal sites with their
    effects, and the liability of every person.
    """
    import hapforge
    from hapforge.datasets import liability
    from hapforge.io.atomic import atomic_files

    truth = output.with_suffix(".json")
    if output.suffix != ".tsv":
        raise ValueError(f"{printable(output)}: expected a name that ends in .tsv, found {printable(output.name)}")
    for path in (output, truth):
        check_output(path, force, file=True)
    set_threads(threads)
    cohort = read_cohort(data, policy, quiet)
    made = liability.case_control(
        cohort,
        heritability=heritability,
        causal_genes=causal_genes,
        sites_per_gene=sites_per_gene,
        prevalence=prevalence,
        seed=seed,
    )
    samples, sites = cohort.samples, cohort.sites.select(made.site)
    first = samples.ploid == 0
    names, labels = samples.sample_id[first].tolist(), made.labels[first].tolist()
    description = {
        **made.recipe,
        "hapforge": hapforge.__version__,
        "data": {"file": printable(data.name), "sha256": cohort.sha256()},
        "causal_sites": [
            {"contig": contig, "position": position, "id": name, "ref": ref, "alt": alt, "effect": effect}
            for contig, position, name, ref, alt, effect in zip(
                sites.contig.tolist(),
                sites.position.tolist(),
                sites.id.tolist(),
                sites.ref.tolist(),
                sites.alt.tolist(),
                made.effect.tolist(),
                strict=True,
            )
        ],
        "liability": dict(zip(names, made.liability.tolist(), strict=True)),
    }
    lines = [f"sample\t{liability.LABEL}", *(f"{name}\t{label}" for name, label in zip(names, labels, strict=True))]
    with atomic_files(output, truth) as folder:
        (folder / output.name).write_text("\n".join(lines) + "\n", encoding="utf-8")
        (folder / truth.name).write_text(json.dumps(description, indent=1) + "\n", encoding="utf-8")
    if not quiet:
        recipe = made.recipe
        fewer = "" if recipe["causal_genes"] == causal_genes else f", all there are (asked: {causal_genes})"
        stderr.print(
            f"{printable(output)}: simulated, {recipe['cases']} cases of {recipe['persons']} persons; "
            f"heritability {recipe['realised_heritability']:.3f} (asked: {heritability:g}); "
            f"{recipe['causal_genes']} causal genes{fewer}",
            markup=False,
        )

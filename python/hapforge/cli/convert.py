"""`hapforge convert`: read one format, write another, or a part of it."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Annotated

import typer

from hapforge.cli import _common
from hapforge.cli.info import in_units


def command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN", help="VCF, BCF, HAPT, HAP, HAPS, PGEN, BED, VCF Zarr, .trees, FASTA, .npz or .hapz."
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help=".vcf[.gz], .bcf, .hapt[.gz|.zip], .hap[.gz], .haps[.gz], .pgen, .vcz, .npz, .hapz, .fasta[.gz].",
        ),
    ],
    region: Annotated[
        str | None, typer.Option("-r", "--region", help="chr or chr:first-last (1-based, both included).")
    ] = None,
    maf: Annotated[
        float | None, typer.Option("--maf", help="Drop sites whose minor allele frequency is below; 0 to 0.5.")
    ] = None,
    samples: Annotated[
        Path | None, typer.Option("--samples", help="File with the sample ids to keep, one a line.")
    ] = None,
    labels: Annotated[
        Path | None, typer.Option("--labels", help="TSV whose first column is a haplotype or sample id.")
    ] = None,
    legend: Annotated[
        Path | None,
        typer.Option("--legend", help="Sites of a HAPT or HAP file; default NAME.legend[.gz] beside it."),
    ] = None,
    genetic_map: Annotated[
        Path | None,
        typer.Option("--genetic-map", metavar="FILE", help="Positions in cM, of a map of HapMap, shapeit or plink."),
    ] = None,
    policy: _common.PolicyTexts = None,
    mappable: Annotated[
        bool, typer.Option("--mappable", help="Leave the genotypes of .hapz uncompressed, for mapping into memory.")
    ] = False,
    threads: _common.Threads = None,
    force: _common.Force = False,
    quiet: _common.Quiet = False,
) -> None:
    """Convert between formats, or cut out a region, some persons, or the common sites.

    The format of IN is found from its content, that of OUT from its name.
    """
    from hapforge import io

    kind = _common.check_cohort_output(target, force)
    if mappable and kind != "hapz":
        raise ValueError(f"--mappable: expected a .hapz file for it, found {target}")
    if genetic_map is not None and not io.FORMATS[kind].genetic:
        raise ValueError(f"--genetic-map: expected .npz or .hapz, which have a place for it, found {target}")
    for path in (samples, labels, legend, genetic_map):
        if path is not None and not path.exists():
            raise ValueError(f"{path}: expected a file to read, found none")
    _common.set_threads(threads)
    if quiet:
        warnings.simplefilter("ignore")
    size = io.size_of(source)
    with _common.progress(quiet) as start:
        matrix = _common.read_cohort(
            source,
            policy,
            quiet,
            region=region,
            samples=samples,
            labels=labels,
            maf=maf,
            legend=legend,
            progress=start(f"reading {source.name}", size),
        )
        if genetic_map is not None:
            matrix = io.read_genetic_map(genetic_map).attach(matrix)
        total = matrix.num_sites if io.FORMATS[kind].by_site else matrix.num_haplotypes
        io.write(matrix, target, mappable=mappable, progress=start(f"writing {target.name}", total))
    if not quiet:
        n, num_sites = matrix.shape
        names = f"{_common.printable(source)} -> {_common.printable(target)}"
        print(
            f"{names}: {n} haplotypes of {matrix.samples.num_persons} persons x {num_sites} sites; "
            f"{in_units(size)} read, {in_units(io.size_of(target))} written"
        )

"""`hapforge convert`: read one format, write another, or a part of it."""

from __future__ import annotations

import errno
import shutil
import sys
import warnings
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from hapforge.cli import _common
from hapforge.cli.info import in_units


def command(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="VCF, BCF, HAPT, HAP, HAPS, PGEN, BED, VCF Zarr, .trees, FASTA, .npz or .hapz; - is standard input.",
        ),
    ],
    target: Annotated[
        Path,
        typer.Argument(
            metavar="OUT",
            help=".vcf[.gz], .bcf, .hapt[.gz|.zip], .hap[.gz], .haps[.gz], .pgen, .vcz[.zip], .npz, .hapz, "
            ".fasta[.gz]; - is VCF on standard output.",
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
    labels: _common.LabelsFile = None,
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
    zarr_format: Annotated[
        int | None, typer.Option("--zarr-format", help="Of .vcz: 2, which sgkit needs and is the default, or 3.")
    ] = None,
    threads: _common.Threads = None,
    force: _common.Force = False,
    quiet: _common.Quiet = False,
) -> None:
    """Convert between formats, or cut out a region, some persons, or the common sites.

    The format of IN is found from its content, that of OUT from its name. What comes or goes through a pipe lies in the
    system's folder of temporary files meanwhile, so that nothing is passed on of what turns out to be cut.
    """
    from hapforge import io

    to_pipe = str(target) == "-"
    kind = "vcf" if to_pipe else _common.check_cohort_output(target, force)
    if mappable and kind != "hapz":
        raise ValueError(f"--mappable: expected a .hapz file for it, found {target}")
    if zarr_format is not None and (kind != "vcz" or zarr_format not in (2, 3)):
        found = f"{zarr_format} for {target}"
        raise ValueError(f"--zarr-format: expected 2 or 3, for VCF Zarr (.vcz), found {found}")
    if genetic_map is not None and (to_pipe or not io.has_genetic_positions(target)):
        raise ValueError(
            f"--genetic-map: expected .npz, .hapz, .pgen or .hap, which have a place for it, found {target}"
        )
    for path in (samples, labels, legend, genetic_map):
        if path is not None and not path.exists():
            raise ValueError(f"{path}: expected a file to read, found none")
    _common.set_threads(threads)
    if quiet:
        warnings.simplefilter("ignore")
    with ExitStack() as stack:
        start = stack.enter_context(_common.progress(quiet))
        folder = Path(stack.enter_context(TemporaryDirectory())) if "-" in (str(source), str(target)) else Path()
        given = _from_pipe(folder) if str(source) == "-" else source
        made = folder / "standard-output.vcf" if to_pipe else target
        if given != source:
            _common.stand_ins[str(given)] = "standard input"
        if to_pipe:
            _common.stand_ins[str(made)] = "standard output"
        size = io.size_of(given)
        matrix = _common.read_cohort(
            given,
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
        advance = start(f"writing {target.name}", total)
        io.write(matrix, made, mappable=mappable, zarr_format=zarr_format, progress=advance)
        written = io.size_of(made)
        if to_pipe:
            with open(made, "rb") as handle:
                stack.close()  # the file has no name any more: nothing is left where the reader of a pipe ends us
                shutil.copyfileobj(handle, sys.stdout.buffer)
                sys.stdout.buffer.flush()
    if not quiet:
        n, num_sites = matrix.shape
        before = f"{_common.printable(source)} ({in_units(size)})"
        after = f"{_common.printable(target)} ({in_units(written)})"
        print(
            f"{before} -> {after}: {n} haplotypes of {matrix.samples.num_persons} persons x {num_sites} sites",
            file=sys.stderr if to_pipe else sys.stdout,
        )


def _from_pipe(folder: Path) -> Path:
    """Standard input as a file."""
    if sys.stdin.isatty():
        raise ValueError("-: expected a file on standard input, found a terminal")
    path = folder / "standard-input"
    try:
        with open(path, "wb") as handle:
            shutil.copyfileobj(sys.stdin.buffer, handle)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        expected = f"-: expected room for standard input in {folder.parent} (TMPDIR names another folder)"
        raise ValueError(f"{expected}, found: {error.strerror}") from None
    return path

"""What the subcommands share: options, the check of an output path, progress bars."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from hapforge import _backend
from hapforge.errors import MissingDependencyError

if TYPE_CHECKING:
    from hapforge.haplotypes import HaplotypeMatrix
    from hapforge.io import Policy

Threads = Annotated[
    int | None,
    typer.Option("--threads", min=1, max=4096, help="Threads for everything; default HAPFORGE_THREADS or all cores."),
]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Same seed, same result.")]
Force = Annotated[bool, typer.Option("-f", "--force", help="Replace what is there.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", help="No progress and no remarks.")]
Settings = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="A setting; may be given many times.")
]
ConfigFile = Annotated[
    Path | None, typer.Option("--config", metavar="FILE.toml", help="Settings, one KEY = VALUE a line.")
]
Preset = Annotated[str | None, typer.Option("--preset", metavar="NAME", help="Settings that have a name.")]
LabelsFile = Annotated[
    Path | None,
    typer.Option("--labels", metavar="FILE", help="Labels: TSV, haplotype or sample ids first; .fam, .psam, .pheno."),
]
Device = Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")]
PolicyTexts = Annotated[
    list[str] | None,
    typer.Option(
        "--policy",
        metavar="KIND=CHOICE",
        help="What to do with odd input that is refused otherwise, as multiallelic=split; may be given many times. "
        "multiallelic: split, skip, major. symbolic, unphased: skip, keep. missing: skip, major; mask, for impute. "
        "haploid: skip, double. duplicate: skip. unsorted: sort. text: accept.",
    ),
]

stand_ins: dict[str, str] = {}
"""Files that hold what comes or goes through a pipe, and what messages name instead."""

stdout = Console(highlight=False, soft_wrap=True)
stderr = Console(stderr=True, highlight=False, soft_wrap=True)


def set_threads(threads: int | None) -> None:
    """Give the whole process (kernels and torch) this many threads."""
    if threads is not None:
        os.environ["HAPFORGE_THREADS"] = str(threads)
        _backend.set_threads(threads)


def check_output(path: Path, force: bool, *, file: bool = False) -> None:
    """Fail before long work: the folder is there and writable, and nothing is replaced without -f.

    Where a `file` is to be written, a folder is never replaced. Whether the folder can be written to is tried: to root,
    permissions say nothing, and neither say they how long a name may be.
    """
    from hapforge.io.atomic import try_beside

    parent = path.absolute().parent
    if not parent.is_dir():
        raise ValueError(f"{path}: expected an existing folder to write to, found no {parent}")
    try:
        try_beside(path)
    except OSError as error:
        raise ValueError(f"{path}: expected a place that can be written to, found: {error.strerror}") from None
    if file and path.is_dir():
        raise ValueError(f"{path}: expected a file or nothing there, found a folder")
    if path.exists() and not force:
        raise ValueError(f"{path}: there already; -f replaces it")


def new_folder(path: Path, force: bool) -> None:
    """Make a folder for all that a command writes; fail where something is in it, unless with -f."""
    if path.exists() and not force and (not path.is_dir() or any(path.iterdir())):
        raise ValueError(f"{path}: expected a new or empty folder, found something in it; -f replaces it")
    path.mkdir(exist_ok=True)


def check_cohort_output(
    path: Path, force: bool, num_haplotypes: int | None = None, num_sites: int | None = None
) -> str:
    """Fail before long work where haplotypes cannot be written to `path`, or to what goes beside; the format.

    Where both numbers are given, room for them on the disk is looked for, too.
    """
    from hapforge import io

    kind = io.format_of_name(path)
    if io.FORMATS[kind].diploid and num_haplotypes is not None and num_haplotypes % 2:
        name = io.FORMATS[kind].title
        raise ValueError(f"{path}: expected an even number of haplotypes for diploid {name}, found {num_haplotypes}")
    if path.name.endswith((".vcf.gz", ".bcf")) and importlib.util.find_spec("pysam") is None:
        raise MissingDependencyError("pysam", "io")
    if kind == "pgen" and importlib.util.find_spec("pgenlib") is None:
        raise MissingDependencyError("Pgenlib", "io")
    folder = kind in ("hapz", "vcz") and path.suffix != ".zip"
    if folder:
        getattr(io, kind).check_replaceable(path)
    for place in (path, *io.companions(path)):
        check_output(place, force, file=not folder)
    if num_haplotypes is not None and num_sites is not None:
        io.check_room(path, num_haplotypes, num_sites)
    return kind


def read_cohort(
    path: Path, policy: Policy | list[str] | None, quiet: bool, *, masked: bool = False, **arguments: Any
) -> HaplotypeMatrix:
    """`hapforge.read`; what was left out or changed is said on stderr.

    Parameters
    ----------
    policy : one for this file, or KIND=CHOICE
    masked : whether the command looks at `Policy.observed`; if not, ``missing=mask`` is refused
    """
    from hapforge import io

    rules = policy if isinstance(policy, io.Policy) else io.Policy.parse(policy or [])
    if rules["missing"] == "mask" and not masked:
        expected = "missing=skip or missing=major, as only hapforge impute fills in what is masked"
        raise ValueError(f"--policy: expected {expected}, found missing=mask")
    matrix = io.read(path, policy=rules, **arguments)
    if (changed := rules.summary()) and not quiet:
        stderr.print(f"{printable(path)}: {changed}", markup=False)
    return matrix


def printable(text: str | os.PathLike[str]) -> str:
    """A name that can be encoded: the bytes of it that are no UTF-8 as ``\\xff``."""
    return for_users(os.fsencode(text).decode("utf-8", "backslashreplace"))


def for_users(message: str) -> str:
    """A message that names the pipe and not the file that stands in for it."""
    for file, pipe in stand_ins.items():
        message = message.replace(file, pipe)
    return message


@contextmanager
def progress(quiet: bool) -> Iterator[Callable[[str, int | None], Callable[[int], None]]]:
    """Progress bars on a terminal, nothing elsewhere.

    Yields a function ``start(description, total) -> advance(count)``.
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=stderr, disable=quiet or not sys.stderr.isatty(), transient=True) as bars:

        def start(description: str, total: int | None) -> Callable[[int], None]:
            task = bars.add_task(description, total=total)
            return lambda count: bars.advance(task, count)

        yield start

"""`hapforge info`: what is in a file of haplotypes, or in the folder of a model, trained or in training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer

from hapforge.cli import _common
from hapforge.errors import FormatError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from hapforge.haplotypes import Samples, Sites

_MOST_VALUES = 40
_MOST_CONTIGS = 40
_WIDEST = 100


def command(
    path: Annotated[Path, typer.Argument(metavar="FILE|RUN", help="File of haplotypes, or folder of a trained model.")],
    policy: _common.PolicyTexts = None,
    threads: _common.Threads = None,
    quiet: _common.Quiet = False,
) -> None:
    """Print what a file of haplotypes or a run folder holds.

    A .hapz file is not decompressed for it; other files are read.
    """
    _common.set_threads(threads)
    if (path / "model.json").is_file():
        _, remarks = _logged(path)
        seams = path / "seams.json"
        lines = [("run", _common.printable(path)), *remarks, *_described(path / "model.json")]
        lines += [(f"seams.{key}", value) for key, value in (_described(seams) if seams.is_file() else [])]
    elif (path / "run.json").is_file():
        epochs, remarks = _logged(path)
        lines = [("run", f"{_common.printable(path)} (not finished)"), ("epochs done", str(epochs)), *remarks]
        lines += _described(path / "run.json")
    else:
        lines = _file_lines(path, policy, quiet)
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        print(f"{key:<{width}}  {value}".rstrip())


def in_units(size: int) -> str:
    """A number of bytes for reading."""
    value, unit = float(size), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if value < 1000:
            break
        value, unit = value / 1000, larger
    return f"{size} bytes" if unit == "bytes" else f"{value:.3g} {unit}"


def _described(file: Path) -> list[tuple[str, str]]:
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        lines = _flat(content) if isinstance(content, dict) else None
    except (ValueError, RecursionError) as error:
        raise FormatError(file, "JSON", f"other content ({error})") from None
    if lines is None:
        raise FormatError(file, "a JSON object", type(content).__name__)
    return lines


def _logged(run: Path) -> tuple[int, list[tuple[str, str]]]:
    """How many epochs the log of a run has, or those of its windows, and what is wrong with them."""
    from hapforge.models._run import read_log

    epochs, remarks = 0, []
    for log in (*run.glob("train.jsonl"), *sorted(run.glob("windows/*/train.jsonl"))):
        try:
            entries, torn = read_log(log.parent)
        except FormatError as error:
            remarks.append(("damaged", str(error)))
            continue
        epochs += len(entries)
        if torn:
            remarks.append(("torn", f"{_common.printable(log)}: its last line is not whole, as that of a killed run"))
    return epochs, remarks


def _flat(content: dict[str, Any]) -> list[tuple[str, str]]:
    lines = []
    for key, value in content.items():
        if isinstance(value, dict):
            lines += [(f"{key}.{name}", _short(inner)) for name, inner in value.items()]
        else:
            lines.append((str(key), _short(value)))
    return lines


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    text = " ".join(text.split())
    return text if len(text) <= _WIDEST else f"{text[: _WIDEST - 3]}..."


def _file_lines(path: Path, policy: list[str] | None, quiet: bool) -> list[tuple[str, str]]:
    from hapforge import _backend, io

    kind = io.format_of_content(path)
    size = io.size_of(path)
    if kind == "hapz":
        store = io.hapz.open(path)
        name = f"hapz store ({'uncompressed, mappable' if store.mappable else 'compressed'})"
        sites, samples, counts = store.sites, store.samples, store.allele_counts
    else:
        with _common.progress(quiet) as start:
            matrix = _common.read_cohort(path, policy, quiet, progress=start(f"reading {path.name}", size))
        name = io.FORMATS[kind].title
        sites, samples = matrix.sites, matrix.samples
        counts = _backend.allele_counts(matrix.words, matrix.num_sites)
    return [
        ("file", _common.printable(path)),
        ("format", name),
        ("size", in_units(size)),
        *_sample_lines(samples),
        *_site_lines(sites),
        *_frequency_lines(counts, len(samples)),
    ]


def _sample_lines(samples: Samples) -> list[tuple[str, str]]:
    lines = [("haplotypes", f"{len(samples)}"), ("persons", f"{samples.num_persons}")]
    if not samples.phased.all():
        lines.append(("not phased", f"{int((~samples.phased).sum())} persons"))
    for name, values in samples.labels.items():
        names, counts = np.unique(values, return_counts=True)
        if len(names) > _MOST_VALUES:
            text = f"{len(names)} different values"
        else:
            text = ", ".join(f"{value} {count}" for value, count in zip(names.tolist(), counts.tolist(), strict=True))
        lines.append((f"label {name}", text))
    return lines


def _site_lines(sites: Sites) -> list[tuple[str, str]]:
    lines = [("sites", f"{len(sites)}")]
    if not sites.position_known:
        return [*lines, ("positions", "not known")]
    blocks = sites.contig_blocks()
    for contig, start, stop in blocks[:_MOST_CONTIGS]:
        first, last = sites.position[start], sites.position[stop - 1]
        lines.append((f"contig {contig}", f"{stop - start} sites, {first:,}-{last:,}"))
    if len(blocks) > _MOST_CONTIGS:
        lines.append(("", f"and {len(blocks) - _MOST_CONTIGS} more contigs"))
    unknown = int(((sites.ref == ".") | (sites.alt == ".")).sum())
    if unknown:
        lines.append(("alleles", "not known" if unknown == len(sites) else f"not known at {unknown} sites"))
    return lines


def _frequency_lines(counts: NDArray[np.int64], num_haplotypes: int) -> list[tuple[str, str]]:
    if not num_haplotypes or not len(counts):
        return []
    frequency = counts / num_haplotypes
    minor = np.minimum(frequency, 1 - frequency)
    quartiles = ", ".join(f"{value:.4f}" for value in np.quantile(frequency, [0, 0.25, 0.5, 0.75, 1]))
    return [
        ("ALT frequency", f"mean {frequency.mean():.4f}; minimum, quartiles, maximum {quartiles}"),
        ("minor allele", f"below 0.01 at {int((minor < 0.01).sum())} sites, below 0.05 at {int((minor < 0.05).sum())}"),
        ("monomorphic", f"{int((minor == 0).sum())} sites"),
    ]

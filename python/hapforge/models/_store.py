"""Model folders: ``weights.safetensors`` beside ``model.json``, which says what it is and holds its checksum."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import ChecksumError, FormatError, MissingDependencyError
from hapforge.haplotypes import Sites
from hapforge.io.atomic import (
    atomic_file,
    atomic_folder,
    check_room,
    explained,
    likely_error,
    output_of,
    sha256_file,
)

FORMAT, FORMAT_VERSION = "hapforge-model", 1
DESCRIPTION, TENSORS = "model.json", "weights.safetensors"
RUN_DESCRIPTION = "run.json"
SEAL = "sha256_of_this"
CHECKPOINT, STATE, LOG = "checkpoint", "state.json", "train.jsonl"
WINDOWS = "windows"  # a folder for each window of a chain
SEAMS = "seams.json"  # what `metrics.seam_report` says of a chain
REPORT = "report.html"  # the page of a training (report.training)
MONITOR_LOG, BEST, TENSORBOARD = "monitor.jsonl", "best", "tensorboard"
# of callbacks that evaluate the model or keep it (evaluation.Monitor, evaluation.snapshots)
MONITORED = (MONITOR_LOG, BEST, TENSORBOARD, "snapshots")
_STRING_FIELDS = ("contig", "id", "ref", "alt")

Tensors = dict[str, NDArray[Any]]
Shapes = dict[str, tuple[tuple[int, ...], Any]]
"""Shape and dtype by name."""


def write_model(
    folder: Path,
    description: dict[str, Any],
    tensors: Mapping[str, NDArray[Any]],
    *,
    overwrite: bool,
    more: Callable[[Path], dict[str, str]] | None = None,
) -> None:
    """Write a model folder, whole or not at all; where there is a model or its run, in place, the description last.

    `more` writes more files into the folder that it is given and tells their names in it and SHA-256.

    Raises
    ------
    ValueError
        Something is there that is neither a model nor (without `overwrite`) a run of this model nor empty.
    OSError
        No room for it; what is there stays.
    """
    in_place = is_ours(folder)
    check_room(folder, sum(array.nbytes for array in tensors.values()))  # before anything goes
    if overwrite:
        remove_run(folder)
    described = {"format": FORMAT, "format_version": FORMAT_VERSION, **description}
    if (folder / RUN_DESCRIPTION).exists() and (run := read_json(folder / RUN_DESCRIPTION).get("model")) != (
        model := description["model"]
    ):
        raise ValueError(f"{folder}: expected a run of the model {model!r}, found one of {run!r}")
    if in_place:
        (folder / DESCRIPTION).unlink(missing_ok=True)
        with atomic_file(folder / TENSORS) as path:
            write_tensors(path, tensors)
        described["files"] = {TENSORS: sha256_file(folder / TENSORS), **(more(folder) if more else {})}
        write_sealed(folder / DESCRIPTION, described)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ValueError(f"{folder}: expected a new folder or one that holds a model, found something else there")
    with atomic_folder(folder) as path:
        write_tensors(path / TENSORS, tensors)
        described["files"] = {TENSORS: sha256_file(path / TENSORS), **(more(path) if more else {})}
        write_sealed(path / DESCRIPTION, described)


def replace_description(folder: Path, description: dict[str, Any]) -> None:
    """Describe the model of a folder anew, whole or not at all; its tensors stay as they are."""
    path = folder / DESCRIPTION
    before = read_json(path)
    check_seal(path, before)
    kept = {key: before[key] for key in ("format", "format_version", "files")}
    write_sealed(path, {**kept, **description})


def is_ours(folder: Path) -> bool:
    """Whether a folder holds a run or a model, or nothing but what one that was killed has left."""
    if any((folder / name).is_file() for name in (RUN_DESCRIPTION, DESCRIPTION)):
        return True
    return folder.is_dir() and bool(left := leftovers(folder)) and set(folder.iterdir()) == set(left)


def leftovers(folder: Path) -> list[Path]:
    """Temporaries of our files, which nothing reads (see `hapforge.io.atomic`)."""
    names = (RUN_DESCRIPTION, DESCRIPTION, TENSORS, LOG, REPORT)
    return [path for path in folder.iterdir() if output_of(path.name) in names]


def remove_run(folder: Path) -> None:
    """Remove a run or model from a folder, where there is one, and nothing else that is in it.

    What says whose the folder is goes last: killed on the way, it can still be removed.
    """
    if not is_ours(folder):
        return
    log, *kept = MONITORED
    for part in (folder / CHECKPOINT, folder / WINDOWS, *(folder / name for name in kept)):
        shutil.rmtree(part, ignore_errors=True)
    for path in leftovers(folder):
        path.unlink()
    for name in (LOG, SEAMS, REPORT, log, TENSORS, DESCRIPTION, RUN_DESCRIPTION):
        (folder / name).unlink(missing_ok=True)


def read_model(folder: Path) -> tuple[dict[str, Any], Tensors]:
    """Description and tensors of a model folder; nothing in it is executed.

    Raises
    ------
    FileNotFoundError
        No such folder.
    FormatError, ChecksumError
        No finished model in it, a description of another kind or version, or a file that is not what was written.
    """
    path = folder / DESCRIPTION
    if not folder.exists():
        raise FileNotFoundError(2, "no such model folder", str(folder))
    if not path.is_file():
        unfinished = (folder / RUN_DESCRIPTION).is_file()
        found = "a run that has not ended (hapforge train --resume goes on)" if unfinished else f"no {DESCRIPTION}"
        raise FormatError(folder, "a model folder", found)
    description = read_json(path)
    if description.get("format") != FORMAT or description.get("format_version") != FORMAT_VERSION:
        found = f"{description.get('format')!r} version {description.get('format_version')!r}"
        raise FormatError(path, f"{FORMAT!r} version {FORMAT_VERSION}", found)
    files = description.get("files")
    if not isinstance(files, dict) or TENSORS not in files:
        raise FormatError(path, f"a checksum of {TENSORS}", "none", "files")
    check_seal(path, description)
    return description, read_tensors(folder / TENSORS, files[TENSORS])


def write_sealed(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON object with a checksum of itself, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text(json.dumps({**content, SEAL: _seal(content)}, indent=2) + "\n", encoding="utf-8")


def check_seal(path: Path, content: dict[str, Any], where: str = "") -> None:
    """Raise ChecksumError unless an object that `write_sealed` wrote is what it was; its checksum is taken out."""
    found, expected = content.pop(SEAL, None), _seal(content)
    if found != expected:
        raise ChecksumError(path, f"SHA-256 {expected} of itself", str(found), where)


def append_sealed(path: Path, entry: dict[str, Any]) -> None:
    """Append a line of JSON, an object with a checksum of itself."""
    with explained(path), open(path, "a", encoding="utf-8") as handle:
        handle.write(_sealed_line(entry))


def read_sealed_lines(path: Path, most: int | None = None) -> tuple[list[dict[str, Any]], bool]:
    """What `append_sealed` wrote, and whether a part of a line is behind it, as a process that was killed leaves it.

    Parameters
    ----------
    most : int, lines to read and check; None: all

    Raises
    ------
    FormatError, ChecksumError
        A line is not what was written; the message has its number.
    """
    refuse_link(path)
    *lines, rest = path.read_bytes().split(b"\n")
    entries = []
    for number, line in enumerate(lines[:most], 1):
        try:
            entry = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise FormatError(path, "a line of JSON", str(error), f"line {number}") from None
        if not isinstance(entry, dict):
            raise FormatError(path, "a JSON object", type(entry).__name__, f"line {number}")
        check_seal(path, entry, f"line {number}")
        if _sealed_line(entry).encode() != line + b"\n":  # numbers have more than one spelling
            raise ChecksumError(path, "a line as it was written", "another spelling of it", f"line {number}")
        entries.append(entry)
    return entries, bool(rest)


def write_sealed_lines(path: Path, entries: list[dict[str, Any]]) -> None:
    """Replace a file of such lines, whole or not at all."""
    with atomic_file(path) as part:
        part.write_text("".join(map(_sealed_line, entries)), encoding="utf-8")


def _sealed_line(entry: dict[str, Any]) -> str:
    return json.dumps({**entry, SEAL: _seal(entry)}) + "\n"


def _seal(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a file of its folder."""
    refuse_link(path)
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FormatError(path, "JSON", str(error)) from None
    if not isinstance(value, dict):
        raise FormatError(path, "a JSON object", type(value).__name__)
    return value


def refuse_link(path: Path) -> None:
    """Raise FormatError where a file or folder of a model is a link, to wherever."""
    if path.is_symlink():
        raise FormatError(path, "a file of this folder", "a link")


def write_tensors(path: Path, tensors: Mapping[str, NDArray[Any]]) -> None:
    """Arrays by name, as safetensors."""
    save_file = _safetensors().save_file
    from safetensors import SafetensorError

    try:
        save_file({name: np.ascontiguousarray(array) for name, array in tensors.items()}, str(path))
    except SafetensorError as error:
        raise likely_error(path, error) from None


def read_tensors(path: Path, sha256: str) -> Tensors:
    """Arrays by name, after the check of the file's checksum."""
    if not path.is_file():
        raise FormatError(path, "a file", "none")
    refuse_link(path)
    content = path.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ChecksumError(path, f"SHA-256 {sha256}", found)
    safetensors = _safetensors()
    from safetensors import SafetensorError

    try:
        tensors: Tensors = safetensors.load(content)
    except SafetensorError as error:
        raise FormatError(path, "safetensors", str(error)) from None
    return tensors


def check_tensors(tensors: Tensors, expected: Shapes) -> None:
    """Raise ValueError unless every tensor is there, of its shape and dtype, and finite."""
    for name, (shape, dtype) in expected.items():
        if name not in tensors:
            raise ValueError(f"{name}: expected a tensor, found none")
        found = tensors[name]
        if found.shape != shape or found.dtype != np.dtype(dtype):
            raise ValueError(f"{name}: expected {np.dtype(dtype)} {shape}, found {found.dtype} {found.shape}")
        if found.dtype.kind == "f" and not np.isfinite(found).all():
            raise ValueError(f"{name}: expected finite numbers, found others")


def part_of(tensors: Tensors, part: str) -> Tensors:
    """Those whose names begin with the part and a point, without these."""
    start = f"{part}."
    return {name.removeprefix(start): value for name, value in tensors.items() if name.startswith(start)}


def sites_to_tensors(sites: Sites) -> Tensors:
    """Sites as arrays of numbers: text is UTF-8 bytes with the length of every string, one where all are alike."""
    tensors: Tensors = {
        "sites.position": sites.position,
        "sites.position_known": np.array([sites.position_known], np.uint8),
    }
    for name in _STRING_FIELDS:
        tensors |= strings_to_tensors(f"sites.{name}", getattr(sites, name).tolist())
    return tensors


def sites_from_tensors(tensors: Tensors) -> Sites:
    """The inverse of `sites_to_tensors`."""
    position = tensors["sites.position"]
    columns: dict[str, Any] = {}
    for name in _STRING_FIELDS:
        columns[name] = strings_from_tensors(f"sites.{name}", tensors, len(position))
    return Sites(position, **columns, position_known=bool(tensors["sites.position_known"][0]))


def strings_to_tensors(name: str, values: list[str]) -> Tensors:
    """Text as UTF-8 bytes with the length of every string, one where all are alike."""
    encoded = [value.encode() for value in (values[:1] if len(set(values)) == 1 else values)]
    return {
        name: np.frombuffer(b"".join(encoded), np.uint8),
        f"{name}.length": np.array([len(value) for value in encoded], np.int32),
    }


def strings_from_tensors(name: str, tensors: Tensors, count: int) -> list[str]:
    """The inverse of `strings_to_tensors` for `count` strings."""
    content = tensors[name].tobytes()
    ends = np.cumsum(tensors[f"{name}.length"]).tolist()
    if len(ends) not in (1, count) or ends[-1] != len(content):
        raise ValueError(f"{name}: expected {count} strings or one, of {len(content)} bytes, found others")
    values = [content[a:b].decode() for a, b in zip([0, *ends[:-1]], ends, strict=True)]
    return values * count if len(values) == 1 else values


def _safetensors() -> Any:
    try:
        import safetensors.numpy as safetensors
    except ImportError as error:
        raise MissingDependencyError("safetensors", "train") from error
    return safetensors

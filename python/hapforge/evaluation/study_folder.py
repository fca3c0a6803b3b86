"""The folder of a study of settings: what is tuned on what, results so far, the best model and its settings.

- ``tune.json``: what is tuned on what, and what came of it, with a checksum of itself; its replacement is what makes a
  result known;
- ``study.sqlite``: Optuna's own record of the trials, by which a study goes on;
- ``best/``: the best model so far; ``best.toml``: its settings, for ``hapforge train --config``;
- ``trial/``: the run folder of the trial that is being trained, until it has ended.

The folder is locked (flock) while a process works in it.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from hapforge.errors import FormatError
from hapforge.io.atomic import atomic_file, atomic_folder, lock_folder, output_of
from hapforge.models import _store

FORMAT, FORMAT_VERSION = "hapforge-study", 1
DESCRIPTION, STORAGE, BEST, SETTINGS, TRIAL, REPORT = (
    *("tune.json", "study.sqlite", "best", "best.toml", "trial", "report.html"),
)


class StudyFolder:
    """A study's folder, locked until this is closed (as a context).

    Parameters
    ----------
    folder : path; made where it is not there
    record : dict of plain values, what is tuned on what; a resumed study must have the same
    resume : whether to go on with the study in it
    overwrite : whether a study that is in it goes (and nothing else)

    Raises
    ------
    ValueError
        Something else is there, a study with another record, another process that works in it.
    FormatError, ChecksumError
        Resuming where there is no study, or a damaged one.
    """

    def __init__(
        self, folder: str | os.PathLike[str], record: Mapping[str, Any], *, resume: bool, overwrite: bool
    ) -> None:
        self.path = Path(folder)
        self._record = json.loads(json.dumps(record))
        if resume:
            read_study(self.path)
        else:
            self._check_free(overwrite)
            self.path.mkdir(exist_ok=True)
        try:
            self._lock = lock_folder(self.path)
        except BlockingIOError:
            expected = "a study that no other process works on"
            raise ValueError(f"{self.path}: expected {expected}, found one in use") from None
        try:
            if resume:
                _check_same(self.path, read_study(self.path)["record"], self._record)
            else:
                self._check_free(overwrite)
                self._remove()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._lock)

    def write(self, content: Mapping[str, Any]) -> None:
        """Replace ``tune.json``."""
        head = {"format": FORMAT, "format_version": FORMAT_VERSION, "record": self._record}
        _store.write_sealed(self.path / DESCRIPTION, {**head, **content})

    def keep(self, model: Path, settings: Mapping[str, Any], said: str) -> None:
        """Replace the best model by that of a folder, and its settings, which begin with a line of comment."""
        with atomic_folder(self.path / BEST) as part:
            shutil.copytree(model, part, dirs_exist_ok=True)
        lines = [f"# {said}", *(f"{name} = {_toml(value)}" for name, value in settings.items())]
        with atomic_file(self.path / SETTINGS) as file:
            file.write_text("\n".join(lines) + "\n", encoding="utf-8")

    def drop_trial(self) -> None:
        """Remove the run of a trial."""
        shutil.rmtree(self.path / TRIAL, ignore_errors=True)

    def _check_free(self, overwrite: bool) -> None:
        if not self.path.exists() or (self.path.is_dir() and all(map(_is_left, self.path.iterdir()))):
            return
        if not (overwrite and (self.path / DESCRIPTION).is_file()):
            what = "a study or nothing there" if overwrite else "a new or empty folder for a study"
            raise ValueError(f"{self.path}: expected {what}, found something else")

    def _remove(self) -> None:
        """What says whose the folder is goes last."""
        for name in (TRIAL, BEST):
            shutil.rmtree(self.path / name, ignore_errors=True)
        for name in (STORAGE, f"{STORAGE}-journal", SETTINGS, REPORT, DESCRIPTION):
            (self.path / name).unlink(missing_ok=True)


def _is_left(path: Path) -> bool:
    """Whether it is what a study that was killed as it began has left."""
    return output_of(path.name) == DESCRIPTION


def read_study(folder: str | os.PathLike[str]) -> dict[str, Any]:
    """What ``tune.json`` of a study says.

    Raises
    ------
    FormatError, ChecksumError
        No study in the folder, or a damaged one.
    """
    path = Path(folder) / DESCRIPTION
    if not path.is_file():
        raise FormatError(folder, "a study", f"no {DESCRIPTION}")
    content = _store.read_json(path)
    if content.get("format") != FORMAT or content.get("format_version") != FORMAT_VERSION:
        raise FormatError(path, f"{FORMAT!r} version {FORMAT_VERSION}", "another")
    _store.check_seal(path, content)
    return content


def check_asked(
    folder: Path, before: Mapping[str, Any], model: str, settings: Mapping[str, Any], search: Mapping[str, Any]
) -> None:
    """Raise ValueError where what is asked for, of a study that is resumed, is not what it has."""
    if model != before["model"]:
        raise _other(folder, "model", before["model"], model)
    for name, value in settings.items():
        if value not in (before["given"].get(name), before["settings"].get(name)):
            raise _other(folder, name, before["settings"].get(name), value)
    for name, space in search.items():
        if space != before["search"].get(name):
            raise _other(folder, f"search of {name}", before["search"].get(name), space)


def _check_same(folder: Path, before: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ValueError, which names what differs first, unless both records are of the same study."""

    def flat(record: Mapping[str, Any]) -> dict[str, Any]:
        found = {key: value for key, value in record.items() if key not in ("given", "settings", "search")}
        found |= {f"search of {name}": space for name, space in record["search"].items()}
        return found | record["settings"]

    old, new = flat(before), flat(now)
    for key in {**old, **new}:
        if old.get(key) != new.get(key):
            raise _other(folder, key, old.get(key), new.get(key))


def _other(folder: Path, key: str, before: Any, now: Any) -> ValueError:
    old, new = ("none" if value is None else repr(value) for value in (before, now))
    return ValueError(f"{folder}: expected to resume with the same {key}, {old}, found {new}")


def _toml(value: Any) -> str:
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return repr(value)

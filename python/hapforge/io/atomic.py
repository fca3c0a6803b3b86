"""Outputs that appear whole or not at all: temporary name, fsync, rename, fsync of the folder.

A process that is killed without notice (SIGKILL, power) can leave hidden ``.NAME.xxxxxxxx.part`` and
``.NAME.xxxxxxxx.old`` beside an output; nothing reads them, and they can be deleted.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on success it takes `path`'s place, on any error it is removed.

    Raises
    ------
    IsADirectoryError
        A folder is in the place.
    """
    target = Path(path)
    _no_folder(target)
    temporary = _beside(target, "part")
    temporary.touch(exist_ok=False)
    try:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _fsync(target.parent)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; on success it takes `path`'s place (the old one is removed after).

    Where names can be exchanged at once, on Linux and its usual file systems, one of the two is there at any moment;
    elsewhere there is none for an instant between two renames.
    """
    target = Path(path)
    temporary = _beside(target, "part")
    temporary.mkdir()
    try:
        yield temporary
        for folder, _, files in os.walk(temporary, topdown=False):
            for name in files:
                _fsync(Path(folder) / name)
            _fsync(Path(folder))
        old = None
        if target.exists():
            if _exchanged(temporary, target):
                old = temporary
            else:
                old = _beside(target, "old")
                os.rename(target, old)
        if old != temporary:
            try:
                os.rename(temporary, target)
            except BaseException:
                if old is not None:
                    os.rename(old, target)
                raise
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    _fsync(target.parent)
    if old is not None:
        if old.is_dir():
            shutil.rmtree(old, ignore_errors=True)
        else:
            old.unlink(missing_ok=True)


@contextmanager
def atomic_files(target: str | os.PathLike[str], *companions: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `target` for a file of its name and of the companions' (an index, a legend).

    On success the companions that were there go first, so that old ones never stand beside new data, then the files
    take their places, `target` before the others. On any error until then the folder is removed and nothing else
    changes.

    Raises
    ------
    IsADirectoryError
        A folder is in one of the places.
    """
    places = [Path(path) for path in (target, *companions)]
    _no_folder(*places)
    temporary = _beside(places[0], "part")
    temporary.mkdir()
    before = temporary / ".before"
    try:
        yield temporary
        made = [place for place in places if (temporary / place.name).exists()]
        for place in made:
            _fsync(temporary / place.name)
        before.mkdir()
        try:
            for place in places[1:]:
                if os.path.lexists(place):
                    os.rename(place, before / place.name)
            os.replace(temporary / places[0].name, places[0])
        except BaseException:
            for place in before.iterdir():
                os.rename(place, places[0].parent / place.name)
            raise
        for place in made:
            if place != places[0]:
                os.replace(temporary / place.name, place)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    _fsync(places[0].parent)


def try_beside(target: str | os.PathLike[str]) -> None:
    """Make and remove a temporary such as the writers put beside `target`; OSError where that cannot be done."""
    temporary = _beside(Path(target), "part")
    temporary.mkdir()
    temporary.rmdir()


def _exchanged(first: Path, second: Path) -> bool:
    """Exchange two names at once; False where the system or file system cannot."""
    call = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if call is None:
        return False
    if call(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in (errno.ENOSYS, errno.EINVAL, errno.EOPNOTSUPP):
        return False
    raise OSError(number, os.strerror(number), str(second))


def _no_folder(*places: Path) -> None:
    for place in places:
        if place.is_dir():
            raise IsADirectoryError(errno.EISDIR, "expected a file or nothing there, found a folder", str(place))


def _beside(target: Path, ending: str) -> Path:
    return target.parent / f".{target.name}.{secrets.token_hex(4)}.{ending}"


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:
        if not path.is_dir():  # some file systems cannot sync a folder
            raise
    finally:
        os.close(descriptor)


def sync_file(path: str | os.PathLike[str]) -> None:
    """Have a file's content on the disk."""
    _fsync(Path(path))


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Hex SHA-256 of a file's bytes; of a folder, of its files' relative names and bytes in sorted order."""
    root = Path(path)
    digest = hashlib.sha256()
    files = sorted(p for p in root.rglob("*") if p.is_file()) if root.is_dir() else [root]
    for file in files:
        if file is not root:
            digest.update(os.fsencode(file.relative_to(root)) + b"\0")
        with open(file, "rb") as handle:
            while block := handle.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()

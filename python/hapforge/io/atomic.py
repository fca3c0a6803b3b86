"""Outputs that appear whole or not at all: temporary name, fsync, rename, fsync of the folder.

What cannot be written is said with the output's own name, what was expected and what was found. A process that is
killed without notice (SIGKILL, power) leaves hidden ``.NAME.hapforge-xxxxxxxx.part`` (or ``.old``) beside an output.
Their owner holds a lock (flock) on them, so that one without an owner is known:

- the next writer of the same output removes it, once it is a minute old;
- where its owner was killed while the files of a set were put in their places, they are put there by whoever reads or
  writes the set next (`complete`): a file ``.places`` in it says that all of them were whole and on the disk, and what
  they were to replace. Where something else has come into one of the places since, that stays.

Where the file system has no locks, or the temporary is another user's, nothing is removed or completed; such a file can
be deleted by hand.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import hashlib
import json
import os
import re
import resource
import secrets
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hapforge.errors import FormatError

_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of renameat2(2)
_PLACES = ".places"
_TEMPORARY = re.compile(r"\.(.+)\.hapforge-[0-9a-f]{8}\.(?:part|old)", re.DOTALL)
_YOUNG_S = 60
"""Seconds for which a temporary is left alone: its owner makes it and then locks it."""
_PATIENCE_S = 2.0
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.ENOSYS, errno.EBADF)
_WRITING = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS)
"""Errors of writing to an open file, which come without its name."""
_PAGE = 4096


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary path beside `path` to write to; on success it takes `path`'s place, on any error it is removed.

    Raises
    ------
    IsADirectoryError
        A folder is in the place.
    OSError
        What the system said, with `path` as its file and what was expected.
    """
    target = Path(path)
    _no_folder(target)
    with explained(target), _temporary(target, folder=False) as temporary:
        yield temporary
        _fsync(temporary)
        os.replace(temporary, target)
        _fsync(target.parent)


@contextmanager
def atomic_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path` to fill; on success it takes `path`'s place (the old one is removed after).

    Where names can be exchanged at once, on Linux and its usual file systems, one of the two is there at any moment;
    elsewhere there is none for an instant between two renames, which `complete` mends.
    """
    target = Path(path)
    old = None
    with explained(target), _temporary(target, folder=True) as temporary:
        yield temporary
        for folder, _, files in os.walk(temporary, topdown=False):
            for name in files:
                _fsync(Path(folder) / name)
            _fsync(Path(folder))
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
        _fsync(target.parent)
        if old is not None:
            _remove(old)


@contextmanager
def atomic_files(target: str | os.PathLike[str], *companions: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `target` for a file of its name and of the companions' (an index, a legend).

    On success the companions that were there go first, then the files take their places, `target` before the others: at
    no moment does an old file stand beside a new one. Killed on the way, the set lacks a file until `complete`. On any
    error until then the folder is removed and nothing else changes. Of two writers at once the files do not mix: the
    last one's are there.

    Raises
    ------
    IsADirectoryError
        A folder is in one of the places.
    OSError
        What the system said, with `target` as its file and what was expected.
    """
    places = [Path(path) for path in (target, *companions)]
    _no_folder(*places)
    with explained(places[0]), _temporary(places[0], folder=True) as temporary:
        yield temporary
        for place in places:
            if (temporary / place.name).exists():
                _fsync(temporary / place.name)
        plan = {
            "names": [place.name for place in places],
            "old": _state(places[0]),
            "new": _state(temporary / places[0].name),
        }
        (temporary / _PLACES).write_text(json.dumps(plan), encoding="utf-8")
        _fsync(temporary / _PLACES)
        _fsync(temporary)
        _put_in_place(temporary, places)


def _put_in_place(temporary: Path, places: list[Path]) -> None:
    """Go on from wherever the files of `temporary` are in taking their places, alone in their folder."""
    with _unowned(places[0].parent.resolve(), _PATIENCE_S):
        _move(temporary, places)


def _move(temporary: Path, places: list[Path]) -> None:
    target, companions, before = places[0], places[1:], temporary / ".before"
    if (temporary / target.name).exists():
        before.mkdir(exist_ok=True)
        try:
            for place in companions:
                if os.path.lexists(place):
                    os.rename(place, before / place.name)
            os.replace(temporary / target.name, target)
        except BaseException:
            for place in before.iterdir():
                os.rename(place, target.parent / place.name)
            raise
    for place in companions:
        if (temporary / place.name).exists():
            os.replace(temporary / place.name, place)
    _fsync(target.parent)


def complete(path: str | os.PathLike[str]) -> None:
    """Put the files of an output in their places where a writer was killed while it did so.

    A writer that is at it is waited for, some seconds.

    Raises
    ------
    FormatError
        The folder cannot be written to; the message names where the files are.
    """
    target = Path(path)
    for temporary in _temporaries(target):
        if temporary.suffix == ".old" or not _is_mine(temporary) or not (temporary / _PLACES).is_file():
            continue
        with _unowned(temporary, _PATIENCE_S) as free:
            if not free or not (temporary / _PLACES).is_file():
                continue
            try:
                places = _unfinished(temporary, target)
                if places is None:
                    continue
                _put_in_place(temporary, places)
            except OSError as error:
                expected = f"a folder that can be written to, to put in place what a killed writer left in {temporary}"
                raise FormatError(path, expected, f"{error.strerror}") from None
            _remove(temporary)
    old = [place for place in _temporaries(target) if place.suffix == ".old" and _is_mine(place)]
    if old and not os.path.lexists(target):
        with contextlib.suppress(OSError):
            os.rename(old[0], target)


def _state(place: Path) -> list[int] | None:
    """What another file in a place would not share; None where there is none."""
    try:
        found = place.stat()
    except FileNotFoundError:
        return None
    return [found.st_size, found.st_mtime_ns]


def _unfinished(temporary: Path, target: Path) -> list[Path] | None:
    """Where the files of a set are still to go; None where that is not known, or a place is taken by others' since."""
    try:
        plan = json.loads((temporary / _PLACES).read_text(encoding="utf-8"))
        names, old, new = plan["names"], plan["old"], plan["new"]
        if names[0] != target.name or any(name in ("", ".", "..") or "/" in name or "\0" in name for name in names):
            return None
    except (ValueError, KeyError, TypeError, IndexError):
        return None
    places = [target.parent / name for name in names]
    if (temporary / target.name).exists():
        return places if _state(target) == old else None
    waiting = [place for place in places[1:] if (temporary / place.name).exists()]
    return places if _state(target) == new and not any(map(os.path.lexists, waiting)) else None


def try_beside(target: str | os.PathLike[str]) -> None:
    """Write and remove a temporary such as the writers put beside `target`; OSError where that cannot be done."""
    temporary = _beside(Path(target), "part")
    temporary.mkdir()
    try:
        with open(temporary / "page", "wb") as handle:
            handle.write(bytes(_PAGE))
            handle.flush()
            os.fsync(handle.fileno())
    finally:
        _remove(temporary)


def check_room(path: str | os.PathLike[str], size: int, beside: int = 0) -> None:
    """Raise OSError where a file of at least `size` bytes cannot be written beside `path`, old ones left in place.

    `beside` are the bytes of a second file that is there meanwhile.
    """
    target = Path(path)
    most, _ = resource.getrlimit(resource.RLIMIT_FSIZE)
    if most != resource.RLIM_INFINITY and max(size, beside) > most:
        expected = f"a limit for files (ulimit -f) of {_in_units(max(size, beside))} or more, found {_in_units(most)}"
        raise OSError(errno.EFBIG, f"expected {expected}", os.fspath(path))
    free = _free(target.absolute().parent)
    if free is not None and size + beside > free:
        expected = f"room for {_in_units(size + beside)} or more in {target.absolute().parent}, found {_in_units(free)}"
        raise OSError(errno.ENOSPC, f"expected {expected}", os.fspath(path))


def likely_error(path: str | os.PathLike[str], said: object) -> OSError:
    """What was behind it when a library could not write `path` and did not say the system's reason."""
    folder = Path(path).absolute().parent
    free = _free(folder)
    if free is not None and free < 256 * _PAGE:
        number = errno.ENOSPC
    else:
        limited = resource.getrlimit(resource.RLIMIT_FSIZE)[0] != resource.RLIM_INFINITY
        number = errno.EFBIG if limited else errno.EIO
    return OSError(number, f"{os.strerror(number)} ({' '.join(str(said).split())})", os.fspath(path))


def _free(folder: Path) -> int | None:
    """Bytes that this user can write to the disk of a folder; None where the file system does not know."""
    try:
        disk = os.statvfs(folder)
    except OSError:
        return None
    return None if disk.f_blocks == 0 else disk.f_frsize * (disk.f_bfree if os.geteuid() == 0 else disk.f_bavail)


def _in_units(size: int) -> str:
    for unit, step in (("GiB", 30), ("MiB", 20), ("KiB", 10)):
        if size >= 1 << step:
            return f"{size / (1 << step):.1f} {unit}"
    return f"{size} bytes"


@contextmanager
def explained(path: str | os.PathLike[str]) -> Iterator[None]:
    """Errors of the system that are about `path` or a temporary beside it, with its name and what was expected."""
    target = Path(path)
    try:
        yield
    except OSError as error:
        folder, name = target.absolute().parent, f".{target.name}."
        if error.errno is None or (error.strerror or "").startswith("expected "):
            raise
        if isinstance(error.filename, (str, bytes)):
            place = Path(os.fsdecode(error.filename)).absolute()
            parts = place.relative_to(folder).parts[:1] if place.is_relative_to(folder) else ("..",)
            if parts and parts[0] != target.name and not parts[0].startswith(name):
                raise
        elif error.errno not in _WRITING:
            raise
        raise OSError(error.errno, _expectation(error, folder), str(target)) from error


def _expectation(error: OSError, folder: Path) -> str:
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            free = _free(folder)
            beside = "" if free is None else f" ({_in_units(free)} free there)"
            return f"expected room for it in {folder}, found: {error.strerror}{beside}"
        case errno.ENOENT | errno.ENOTDIR if not folder.is_dir():
            return f"expected an existing folder to write to, found no {folder}"
        case errno.EFBIG:
            return f"expected a limit for files (ulimit -f) that it fits in, found: {error.strerror}"
        case errno.EIO:
            return f"expected a disk that keeps what is written, found: {error.strerror}"
    return f"expected a place that can be written to, found: {error.strerror}"


@contextmanager
def _temporary(target: Path, *, folder: bool) -> Iterator[Path]:
    """A temporary of ours, locked, removed at the end; those that killed writers have left beside go before."""
    complete(target)
    for left in _temporaries(target):
        _remove_left(left, target)
    temporary = _beside(target, "part")
    if folder:
        temporary.mkdir()
        lock = os.open(temporary, os.O_RDONLY | os.O_DIRECTORY)
    else:
        lock = os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield temporary
    finally:
        if not _is_half_placed(temporary, target):
            _remove(temporary)
        os.close(lock)


def _is_half_placed(temporary: Path, target: Path) -> bool:
    """Whether `target` is in its place and a companion is not: `complete` needs it."""
    return (
        (temporary / _PLACES).is_file()
        and not (temporary / target.name).exists()
        and any(place.name[0] != "." for place in temporary.iterdir())
    )


def output_of(name: str) -> str | None:
    """The name of the output that a file or folder of this name is a temporary of; None where it is none."""
    found = _TEMPORARY.fullmatch(name)
    return found and found[1]


def _temporaries(target: Path) -> list[Path]:
    """Temporaries of any process beside `target`, in the order of their names."""
    try:
        with os.scandir(target.parent) as entries:
            return sorted(Path(entry.path) for entry in entries if output_of(entry.name) == target.name)
    except OSError:
        return []


def _remove_left(left: Path, target: Path) -> None:
    """Remove what a killed writer has left, unless it may be in use or be all there is of the old output."""
    try:
        # Of all in it: on a disk that several machines share, a lock may be seen by one of them only.
        age = time.time() - max(place.lstat().st_mtime for place in (left, *left.rglob("*")))
    except OSError:
        return
    if age > _YOUNG_S and _is_mine(left) and (left.suffix == ".part" or os.path.lexists(target)):
        with _unowned(left, 0) as free:
            if free:
                _remove(left)


def _is_mine(place: Path) -> bool:
    """Whether it is a file or folder of this user."""
    try:
        found = place.lstat()
    except OSError:
        return False
    return found.st_uid == os.geteuid() and (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode))


@contextmanager
def _unowned(temporary: Path, patience_s: float) -> Iterator[bool]:
    """Whether a temporary or folder has no owner (then locked meanwhile); False, too, where that cannot be told."""
    try:
        lock = os.open(temporary, os.O_RDONLY | os.O_NOFOLLOW)
    except OSError:
        yield False
        return
    try:
        yield _locked(lock, time.monotonic() + patience_s)
    finally:
        os.close(lock)


def lock_folder(folder: str | os.PathLike[str]) -> int:
    """Lock a folder (flock), which leaves no file behind; closing the descriptor that is returned gives the lock back.

    A lock goes with its process; that of one whose parent was killed goes a moment later, so it is waited for, some
    seconds. Where the file system has none, of folders at least (NFS), there is none.

    Raises
    ------
    BlockingIOError
        Another process holds it.
    """
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    end = time.monotonic() + _PATIENCE_S
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(lock)
                raise
            time.sleep(0.05)
        except OSError:
            return lock


def _locked(lock: int, end: float) -> bool:
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= end:
                return False
            time.sleep(0.02)
        except OSError:
            return False


def _remove(place: Path) -> None:
    if place.is_dir() and not place.is_symlink():
        shutil.rmtree(place, ignore_errors=True)
    else:
        place.unlink(missing_ok=True)


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
        try:
            mode = place.stat().st_mode  # asked once: another writer may replace the file between two questions
        except (FileNotFoundError, NotADirectoryError):
            continue
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, "expected a file or nothing there, found a folder", str(place))
        if not stat.S_ISREG(mode):  # a pipe or device would be replaced by a file
            raise OSError(errno.EINVAL, "expected a file or nothing there, found a pipe or device", str(place))


def _beside(target: Path, ending: str) -> Path:
    return target.parent / f".{target.name}.hapforge-{secrets.token_hex(4)}.{ending}"


def _fsync(path: Path) -> None:
    is_folder = path.is_dir()
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except PermissionError:
        if is_folder:  # one that can be written to but not listed
            return
        raise
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_folder or error.errno not in _NO_FOLDER_SYNC:  # some file systems cannot sync a folder
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

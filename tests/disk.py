"""Disks that are full, read-only or failing, for children of the tests: a tmpfs of their own, or limits."""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_NEWNS, _NEWUSER = 0x00020000, 0x10000000
_PRIVATE = 1 << 18 | 1 << 14  # MS_PRIVATE | MS_REC
_RDONLY, _REMOUNT = 1, 32
_LIBC = ctypes.CDLL(None, use_errno=True)


class NoMount(Exception):
    """Why nothing can be mounted here."""


def in_a_child(work: Callable[[], object], report: Path, seconds: int = 120) -> object:
    """What `work` gives (as JSON) in a forked process of one thread; skips the test where nothing can be mounted."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(seconds)
            report.write_text(json.dumps(["is", work()]))
        except NoMount as error:
            report.write_text(json.dumps(["no mount", str(error)]))
        except BaseException as error:
            report.write_text(json.dumps(["error", f"{type(error).__name__}: {error}"]))
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
    kind, found = json.loads(report.read_text())
    if kind == "no mount":
        pytest.skip(f"nothing can be mounted here: {found}")
    assert kind == "is", found
    return found


def own_mounts() -> None:
    """Give this process mounts of its own, as root or in a user namespace of its own."""
    user, group = os.geteuid(), os.getegid()
    if _LIBC.unshare(_NEWNS if user == 0 else _NEWNS | _NEWUSER):
        raise NoMount(f"unshare: {os.strerror(ctypes.get_errno())}")
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", "/", _PRIVATE, "")


def tmpfs(folder: Path, size: int) -> None:
    """Mount an empty disk of `size` bytes on a folder."""
    _mount("tmpfs", str(folder), 0, f"size={size}")


def set_read_only(folder: Path, size: int) -> None:
    """Make a disk that `tmpfs` mounted one that is not written to."""
    _mount("tmpfs", str(folder), _REMOUNT | _RDONLY, f"size={size}")


def _mount(source: str, target: str, flags: int, options: str) -> None:
    if _LIBC.mount(source.encode(), target.encode(), b"tmpfs", ctypes.c_ulong(flags), options.encode()):
        raise NoMount(f"mount: {os.strerror(ctypes.get_errno())}")


@contextmanager
def free_bytes(folder: Path, size: int) -> Iterator[None]:
    """Leave `size` bytes free on the disk of a folder, by a file that fills it."""
    disk = os.statvfs(folder)
    filler = folder / "filler"
    with open(filler, "wb") as handle:
        os.posix_fallocate(handle.fileno(), 0, max(1, disk.f_frsize * disk.f_bfree - size))
    try:
        yield
    finally:
        filler.unlink()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)

"""The package's own exception types. Every message is one line: what, where, what was expected, what was found."""

from __future__ import annotations

import os

NO_LAST_LINE_FEED = "none: the file may be cut (a line feed at its end shows that it is whole)"
"""What is found at the end of a table, which somebody may have written by hand."""


class HapforgeError(Exception):
    """Base of the package's own errors; the command line prints its message and exits with code 2."""


class FormatError(HapforgeError, ValueError):
    """A file is not what it should be.

    Parameters
    ----------
    path : path of the file
    expected, found : str, what should be there and what is
    where : str, line, site, array or byte in the file; optional
    """

    def __init__(self, path: str | os.PathLike[str], expected: str, found: str, where: str = "") -> None:
        self.path, self.expected, self.found, self.where = os.fspath(path), expected, found, where
        at = f"{self.path}, {where}" if where else self.path
        super().__init__(" ".join(f"{at}: expected {expected}, found {found}".split()))


class MissingDependencyError(HapforgeError, ImportError):
    """An optional dependency is not installed; the message gives the ``pip install`` line that mends it."""

    def __init__(self, module: str, extra: str) -> None:
        super().__init__(f"this needs {module}, which is not installed: pip install 'hapforge[{extra}]'")


class MissingBackendError(HapforgeError, RuntimeError):
    """A kernel backend was asked for that this machine or this build does not have."""


class ChecksumError(FormatError):
    """What was read is not what was written."""

"""Lines and tables of text files: whole lines, UTF-8, LF; what a policy may accept is taken and counted."""

from __future__ import annotations

import contextlib
import math
import os
import re
from collections.abc import Callable, Generator, Sequence

from hapforge.errors import NO_LAST_LINE_FEED, FormatError
from hapforge.io import bgzf
from hapforge.io.records import Policy, accepted_by

Advance = Callable[[int], object]
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MARK = b"\xef\xbb\xbf"
_TEXT = bytes(byte for byte in range(256) if byte >= 32 or byte in b"\t\n\r")


def line_blocks(
    path: str | os.PathLike[str], policy: Policy, advance: Advance | None = None
) -> Generator[tuple[int, list[bytes]]]:
    """(number of the first, lines without their ends) of a file, gzipped or not, about a MiB at a time.

    Parameters
    ----------
    policy : CR LF, a byte-order mark and empty lines at the end are taken, and counted, where its ``text`` says so
    advance : called with numbers of bytes of the file that were taken in

    Raises
    ------
    FormatError
        A cut or damaged archive, a last line without a line feed, control characters; what `policy` does not accept.
    """
    number, rest, empty = 1, b"", 0
    with contextlib.closing(
        _zstd(path) if os.fspath(path).endswith(".zst") else bgzf.read_chunks(path, advance)
    ) as chunks:
        for chunk in chunks:
            head, feed, rest = (rest + chunk).rpartition(b"\n")
            if not feed:
                continue
            check_controls(path, head, number + empty)
            if number == 1 and not empty and head.startswith(_MARK):
                _accept(path, policy, "a byte-order mark", 1)
                head = head.removeprefix(_MARK)
            lines = head.split(b"\n")
            if b"\r" in head:
                for k, line in enumerate(lines):
                    if line.endswith(b"\r"):
                        _accept(path, policy, "a line that ends in CR LF", number + empty + k)
                        lines[k] = line[:-1]
                    if b"\r" in lines[k]:
                        raise FormatError(path, "text", "a CR inside of a line", f"line {number + empty + k}")
            if empty and any(lines):
                raise FormatError(path, "empty lines at the end only", "more behind", f"line {number}")
            at_end = len(lines)
            while at_end and not lines[at_end - 1]:
                at_end -= 1
            empty += len(lines) - at_end
            if at_end:
                yield number, lines[:at_end]
                number += at_end
    if rest:
        where = f"line {number + empty}"
        raise FormatError(path, "a last line that ends in a line feed", NO_LAST_LINE_FEED, where)
    for k in range(empty):
        _accept(path, policy, "an empty line", number + k)


def check_controls(path: str | os.PathLike[str], data: bytes, number: int) -> None:
    """FormatError for a control character but tabs and line ends in `data`, which starts in line `number`."""
    if controls := data.translate(None, _TEXT):
        at = number + data[: data.index(controls[:1])].count(b"\n")
        raise FormatError(path, "text", f"the control character {controls[:1]!r}", f"line {at}")


def without_returns(path: str | os.PathLike[str], lines: list[bytes], number: int) -> list[bytes]:
    """`lines` from line `number` on without the CR that may end them; FormatError for one inside of a line."""
    lines = [line.removesuffix(b"\r") for line in lines]
    if (k := next((k for k, line in enumerate(lines) if b"\r" in line), None)) is not None:
        raise FormatError(path, "text", "a CR inside of a line", f"line {number + k}")
    return lines


def _zstd(path: str | os.PathLike[str]) -> Generator[bytes]:
    """The bytes of a Zstandard file, at once."""
    from numcodecs.zstd import decompress

    with open(path, "rb") as handle:
        data = handle.read()
    if data[:4] != b"\x28\xb5\x2f\xfd":
        raise FormatError(path, "a Zstandard file", repr(data[:4]), "byte 0")
    try:
        yield bytes(decompress(data))
    except (RuntimeError, SystemError, MemoryError) as error:  # the last two of a size that it states and has not
        found = f"a cut or damaged one ({str(error) or type(error).__name__})"
        raise FormatError(path, "a whole Zstandard file", found) from None


def _accept(path: str | os.PathLike[str], policy: Policy, what: str, number: int) -> None:
    if policy["text"] != "accept":
        raise FormatError(path, "plain lines that end in LF", f"{what}{accepted_by('text')}", f"line {number}")
    policy.count("text", lines=1)


def rows(path: str | os.PathLike[str], policy: Policy) -> Generator[tuple[int, list[str]]]:
    """(number, fields) of every line; spaces and tabs, one or more, stand between fields.

    Raises
    ------
    FormatError
        As of `line_blocks`; other bytes than UTF-8.
    """
    with contextlib.closing(line_blocks(path, policy)) as blocks:
        for first, lines in blocks:
            for number, line in enumerate(lines, first):
                try:
                    yield number, [field.decode() for field in line.split()]
                except UnicodeDecodeError:
                    raise FormatError(path, "UTF-8 text", "other bytes", f"line {number}") from None


def position(path: str | os.PathLike[str], text: str | bytes, number: int) -> int:
    """A position of line `number`: digits and nothing else."""
    if not (text.isdigit() and text.isascii()) or len(text) > 10:
        shown = text if isinstance(text, str) else text.decode(errors="replace")
        raise FormatError(path, "a position", repr(shown[:20]), f"line {number}")
    return int(text)


def centimorgans(path: str | os.PathLike[str], text: str, number: int, unknown: str) -> float:
    """A genetic position of line `number`; NaN where it is `unknown`."""
    if text == unknown:
        return math.nan
    if not NUMBER.fullmatch(text) or not math.isfinite(value := float(text)):
        raise FormatError(path, f"a genetic position in centimorgans, or {unknown}", repr(text[:20]), f"line {number}")
    return value


def only_one(path: str | os.PathLike[str], places: Sequence[os.PathLike[str]], what: str) -> os.PathLike[str] | None:
    """Which of `places` is there; None where none is.

    Raises
    ------
    FormatError
        More than one.
    """
    there = [place for place in places if os.path.exists(place)]
    if len(there) > 1:
        raise FormatError(path, f"one {what} beside", " and ".join(os.path.basename(place) for place in there))
    return there[0] if there else None

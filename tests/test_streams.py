"""No two kinds of draws share a stream of random words."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

from hapforge._streams import Stream

PACKAGE = Path(__file__).resolve().parents[1] / "python" / "hapforge"
MOST_REPEATS = 256  # of one kind


def test_streams_and_their_repeats_are_distinct() -> None:
    first = sorted(int(stream) for stream in Stream.__members__.values())  # aliases, which are equal ones, included
    assert all(b - a >= MOST_REPEATS for a, b in itertools.pairwise(first))
    assert 0 <= first[0] < first[-1] + MOST_REPEATS < 2**64


def test_every_stream_is_drawn_from_or_held_by_one_module() -> None:
    """Numbers that still stand in a module are listed here, too."""
    text = {path: path.read_text() for path in PACKAGE.rglob("*.py") if path.name != "_streams.py"}
    numbers = {
        int(number) << 20
        for code in text.values()
        for line in code.splitlines()
        if re.search("# streams?( |$)", line)
        for number in re.findall(r"(\d+) << 20", line)
    }
    assert numbers <= set(Stream)
    used = {name for code in text.values() for name in re.findall(r"\bStream\.([A-Z_]+)", code)}
    assert {stream.name for stream in Stream if stream not in numbers} == used

"""Settings as they are given on the command line or in a file: their names and types."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

_WORDS = {int: "a whole number", float: "a number", str: "text"}


def pairs(given: list[str], option: str = "--set", form: str = "KEY=VALUE") -> Iterator[tuple[str, str]]:
    """Key and value of every KEY=VALUE."""
    for pair in given:
        key, equals, text = pair.partition("=")
        if not equals:
            raise ValueError(f"{option}: expected {form}, found {pair!r}")
        yield key.strip(), text.strip()


def typed(model: str, known: Mapping[str, type], key: str, value: Any, source: str) -> Any:
    """The value in its type; ValueError for an unknown key, which names the nearest one, or a value of another type."""
    if key not in known:
        near = difflib.get_close_matches(key, known, n=1)
        hint = f"; nearest: {near[0]}" if near else ""
        raise ValueError(f"{source}: {model} knows {', '.join(known) or 'no settings'}, found {key!r}{hint}")
    of = known[key]
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"{source}: {key}: expected {_WORDS[of]}, found {value!r}")
    if of is str and not isinstance(value, str):
        raise ValueError(f"{source}: {key}: expected {_WORDS[of]}, found {value!r}")
    try:
        found = of(value)
    except ValueError:
        raise ValueError(f"{source}: {key}: expected {_WORDS[of]}, found {value!r}") from None
    if of is int and isinstance(value, float):
        raise ValueError(f"{source}: {key}: expected {_WORDS[of]}, found {value!r}")
    return found

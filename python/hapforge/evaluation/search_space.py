"""What a study searches: ranges and choices of a model's settings."""

from __future__ import annotations

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

from hapforge.report.tuning import Range, Space, Value

_WORDS = {int: "whole numbers", float: "numbers", str: "texts"}


def space_of(
    kind: Any,
    own: Mapping[str, Value],
    given: Mapping[str, Value],
    search: Mapping[str, Range | Sequence[Value]],
) -> dict[str, Space]:
    """The space that is searched: what is asked for, and what the model's class names, around its own choice.

    Parameters
    ----------
    kind : a class of trained models; its `SEARCH` are least and greatest multiples of its own choice
    own : its whole config, as it is where nothing is searched
    given : settings that the user chose, which are not searched
    search : ranges and choices that the user asked for

    Raises
    ------
    ValueError
        A setting that the model doesn't have, that is given, too, or values that it doesn't take; nothing to search.
    """
    types = {field.name: type(field.default) for field in dataclasses.fields(kind.config_type)}
    space: dict[str, Space] = {}
    for name, (least, most) in kind.SEARCH.items():
        value = own[name]
        if name not in given and name not in search and not isinstance(value, str) and value > 0:
            space[name] = _around(value, least, most, types[name])
    for name, asked in search.items():
        if name not in types:
            near = difflib.get_close_matches(name, types, n=1)
            hint = f"; nearest: {near[0]}" if near else ""
            raise ValueError(f"search: {kind.name} knows {', '.join(types)}, found {name!r}{hint}")
        if name in given:
            raise ValueError(f"search: {name}: expected a setting that is not given a value, found {given[name]!r}")
        space[name] = _checked(name, asked, types[name])
    if not space:
        raise ValueError("search: expected a setting to search, found none")
    for name, found in space.items():
        for value in (
            (_typed(found.low, types[name]), _typed(found.high, types[name])) if isinstance(found, Range) else found
        ):
            try:
                kind(**{**own, name: value})
            except ValueError as error:
                raise ValueError(f"search: {error}") from None
    return space


def _around(value: float, least: float, most: float, of: type) -> Range:
    if of is int:
        low = max(1, round(value * least))
        return Range(low, max(low + 1, round(value * most)), log=True)
    return Range(float(f"{value * least:.3g}"), float(f"{value * most:.3g}"), log=True)


def _checked(name: str, asked: Range | Sequence[Value], of: type) -> Space:
    if isinstance(asked, Range):
        if of is str:
            raise ValueError(f"search: {name}: expected texts to choose from, found a range")
        if not (math.isfinite(asked.low) and math.isfinite(asked.high) and asked.low < asked.high):
            raise ValueError(f"search: {name}: expected LOW below HIGH, found {asked.low:g} and {asked.high:g}")
        if asked.log and asked.low <= 0:
            raise ValueError(f"search: {name}: expected LOW above 0 for a logarithmic range, found {asked.low:g}")
        if of is int and (asked.low % 1 or asked.high % 1):
            raise ValueError(f"search: {name}: expected whole numbers, found {asked.low:g} and {asked.high:g}")
        return Range(_typed(asked.low, of), _typed(asked.high, of), asked.log)
    if len(asked) < 2 or len(set(asked)) < len(asked):
        raise ValueError(f"search: {name}: expected a range or two or more different values, found {list(asked)}")
    for value in asked:
        if isinstance(value, bool) or not isinstance(value, of if of is not float else (int, float)):
            raise ValueError(f"search: {name}: expected {_WORDS[of]}, found {value!r}")
    return tuple(of(value) for value in asked)


def _typed(value: float, of: type) -> Any:
    return int(value) if of is int else value


def inside(space: Space, value: Value) -> Value:
    """What of a space is nearest to a value: an end of a range, the first of other choices."""
    if not isinstance(space, Range):
        return value if value in space else space[0]
    assert not isinstance(value, str)
    return min(max(value, space.low), space.high)


def plain(space: Range | Sequence[Value]) -> dict[str, Any] | list[Value]:
    """A space as JSON has it."""
    return dataclasses.asdict(space) if isinstance(space, Range) else list(space)


def from_plain(found: dict[str, Any] | list[Value]) -> Space:
    """The inverse of `plain`."""
    return Range(**found) if isinstance(found, dict) else tuple(found)

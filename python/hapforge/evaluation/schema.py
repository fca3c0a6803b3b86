"""The JSON Schema of a result, made from the names and dataclasses that the result is made from."""

from __future__ import annotations

import dataclasses
import types
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import numpy as np

from hapforge.evaluation.statistics import SCORES, STATISTICS
from hapforge.report.data import Score, Verdict

_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": ["number", "null"]}


def schema(name: str, version: int) -> dict[str, Any]:
    """JSON Schema (2020-12) of a result of this format and version."""
    better = {"enum": ["higher", "lower", "control"]}
    read = _object({"heading": _TEXT, "group": _TEXT, "reading": _TEXT, "better": better})
    known = {
        "haplotypes": {"type": "integer"},
        "sites": {"type": "integer"},
        "sha256": {**_TEXT, "pattern": "^[0-9a-f]{64}$"},
    }
    made = {key: _TEXT for key in ("hapforge", "command", "date", "python", "numpy", "platform", "cpu")}
    curves = {key: _of(kind) for statistic in STATISTICS.values() for key, kind in statistic.curves.items()}
    properties = {
        "format": {"const": name},
        "format_version": {"const": version},
        "provenance": _object({**made, "seed": _COUNT, "inputs": _map(_object(known, open_=True))}, open_=True),
        "sets": {"type": "array", "items": _TEXT, "minItems": 1},
        "controls": {"type": "array", "items": _TEXT},
        "real_haplotypes": _COUNT,
        "num_sites": _COUNT,
        "num_haplotypes": _map(_COUNT),
        "descriptions": _map(_TEXT),
        "notes": {"type": "array", "items": _TEXT},
        "score_labels": _scored(read),
        "scores": _map(_scored(_of(Score))),
        "verdicts": _map(_scored(_of(Verdict))),
        "headlines": _map(_TEXT),
        "curves": {"type": "object", "properties": curves, "additionalProperties": False},
        "sha256": known["sha256"],
    }
    optional = {"published": _map(_scored(_NUMBER))}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Result of hapforge evaluate",
        "description": "Numbers that are not defined are null. sha256 is that of this object without it: keys sorted, "
        "no spaces, UTF-8.",
        **_object(properties),
        "properties": properties | optional,
        "$defs": {"score_name": {"enum": list(SCORES)}},
    }


def _object(properties: dict[str, Any], *, open_: bool = False) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": open_,
    }


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _scored(values: dict[str, Any]) -> dict[str, Any]:
    return {**_map(values), "propertyNames": {"$ref": "#/$defs/score_name"}}


def _of(kind: Any) -> dict[str, Any]:
    """The schema of a value of this type as `output` writes it. Arrays may have any number of axes."""
    if dataclasses.is_dataclass(kind):
        hints = get_type_hints(kind)
        return _object({field.name: _of(hints[field.name]) for field in dataclasses.fields(kind)})
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is np.ndarray:
        scalar = get_args(arguments[1])[0]
        item = _NUMBER if issubclass(scalar, np.floating) else _scalar(scalar)
        row = {"type": "array", "items": item}
        return {"type": "array", "items": {"anyOf": [item, row]}}
    if origin in (list, tuple):
        return {"type": "array", "items": _of(arguments[0])}
    if origin is dict:
        return _map(_of(arguments[1]))
    if origin is Literal:
        return {"enum": list(arguments)}
    if origin in (Union, types.UnionType):
        return {"anyOf": [_of(part) for part in arguments]}
    return _scalar(kind)


def _scalar(kind: type) -> dict[str, Any]:
    if kind is type(None):
        return {"type": "null"}
    if issubclass(kind, bool | np.bool_):
        return {"type": "boolean"}
    if issubclass(kind, int | np.integer):
        return {"type": "integer"}
    if issubclass(kind, float):
        return _NUMBER
    if issubclass(kind, str | np.str_):
        return _TEXT
    raise TypeError(f"curves: expected numbers, text, arrays, lists, dicts or dataclasses of them, found {kind}")

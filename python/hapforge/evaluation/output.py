"""The result of an evaluation, and its JSON, TSV and HTML."""

from __future__ import annotations

import csv
import dataclasses
import hashlib
import io
import json
import math
import os
from dataclasses import dataclass
from typing import Any

import numpy as np

from hapforge.evaluation.schema import schema
from hapforge.io.atomic import atomic_file
from hapforge.report.data import EvaluationData, Score

FORMAT = "hapforge-evaluation"
FORMAT_VERSION = 2


@dataclass(frozen=True)
class Evaluation:
    """What `evaluate` found.

    Attributes
    ----------
    data : report.data.EvaluationData, all of it
    """

    data: EvaluationData

    @property
    def scores(self) -> dict[str, dict[str, Score]]:
        """{set or control: {score name: Score}}; the names are listed in `evaluation.SCORES`."""
        return self.data.scores

    def json(self) -> str:
        """The result as JSON text that keeps to `json_schema()`; NaN is null."""
        payload = {"format": FORMAT, "format_version": FORMAT_VERSION, **_payload(self.data)}
        payload["sha256"] = payload_sha256(payload)
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    def tsv(self) -> str:
        """One line per set and score: set, role, score, value, low, high, n, procedure; "nan" where undefined."""
        text = io.StringIO()
        table = csv.writer(text, delimiter="\t", lineterminator="\n")
        table.writerow(["set", "role", "score", "value", "low", "high", "n", "procedure"])
        for name, found in self.scores.items():
            role = "set" if name in self.data.sets else "control"
            for score, s in found.items():
                table.writerow([name, role, score, repr(s.value), repr(s.low), repr(s.high), s.n, s.procedure])
        return text.getvalue()

    def html(self) -> str:
        """The report: one self-contained page."""
        from hapforge.report.html import render

        return render(self.data)

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write `json()` to `path`, whole or not at all."""
        _write(path, self.json())

    def to_tsv(self, path: str | os.PathLike[str]) -> None:
        """Write `tsv()` to `path`, whole or not at all."""
        _write(path, self.tsv())

    def to_html(self, path: str | os.PathLike[str]) -> None:
        """Write `html()` to `path`, whole or not at all."""
        _write(path, self.html())


def json_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of `Evaluation.json`."""
    return schema(FORMAT, FORMAT_VERSION)


def payload_sha256(payload: dict[str, Any]) -> str:
    """Checksum in a result: SHA-256 of the JSON without its "sha256", keys sorted, no spaces, UTF-8."""
    rest = {key: value for key, value in payload.items() if key != "sha256"}
    text = json.dumps(rest, ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _write(path: str | os.PathLike[str], text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def _payload(data: EvaluationData) -> dict[str, Any]:
    return {
        "provenance": _plain(data.provenance),
        "sets": list(data.sets),
        "controls": list(data.controls),
        "real_haplotypes": data.real_haplotypes,
        "num_sites": data.num_sites,
        "num_haplotypes": _plain(data.num_haplotypes),
        "descriptions": dict(data.descriptions),
        "notes": list(data.notes),
        "score_labels": {
            name: {"heading": text.heading, "group": text.group, "reading": text.reading, "better": text.better}
            for name, text in data.score_texts.items()
        },
        "scores": _plain(data.scores),
        "verdicts": _plain(data.verdicts),
        "headlines": dict(data.headlines),
        "curves": _plain(data.curves),
        **({"published": _plain(data.published)} if data.published else {}),
    }


def _plain(value: Any) -> Any:
    """`value` in JSON's own types: numbers of curves to 8 significant digits, NaN as None."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return [_plain(_rounded(item)) for item in value.tolist()]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.8g}")
    return [_rounded(item) for item in value] if isinstance(value, list) else value

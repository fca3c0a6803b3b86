"""The page of recovery rates: tables, the curve of augmented real rows, and how classifiers were trained."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from hapforge.downstream import Estimate, Utility
from hapforge.metrics._intervals import Z
from hapforge.report.figures import Figure, Panel, Series, Style
from hapforge.report.figures._base import NAME_WIDTH, REAL, SET_COLOURS, short, widened
from hapforge.report.html import page

HEADINGS = {"mlp": "MLP", "transformer": "Transformer", "cnn": "CNN"}
_POPULATIONS = 26
PUBLISHED = {
    "classifiers": ["MLP", "Transformer", "CNN"],
    "real": [90.23, 74.61, 77.34],
    "recovery": {
        "CNN": [15.58, 16.23, 19.52],
        "MLP": [65.80, 62.99, 56.57],
        "MLP + CNN": [93.02, 84.98, 77.54],
        "Transformer": [13.28, 8.38, 21.21],
    },
    "fractions": [5, 10, 20, 50],
    "alone": [29.01, 43.99, 71.52, 85.19],
    "with": [83.98, 86.93, 87.11, 87.50],
}
"""Percentages of 26 populations of 1000 Genomes, by whole genomes (Generating synthetic genotypes using diffusion
models, tables 2, 3 and 6)."""


def to_html(data: Utility) -> str:
    """The page, which needs nothing else.

    Raises
    ------
    MissingDependencyError
        Where plotly or matplotlib is not installed.
    """
    figures = {"Real rows augmented with artificial ones": [_curve(data)]} if data.fractions else {}
    return page(
        "utility.html.j2",
        figures,
        data.provenance,
        data=data,
        headings=HEADINGS,
        real=[{"accuracy": _percent(data.of(kind)), "balanced": _balanced(data.of, kind)} for kind in data.classifiers],
        rows=[{"name": name, "cells": [_cell(data, kind, name) for kind in data.classifiers]} for name in data.sets],
        curve=_curve_rows(data),
        settings=list(next(iter(data.settings.values()))),
        uncertain=100 * Z * math.sqrt(_spread(data) / data.test_persons),
        published=PUBLISHED if len(data.labels) == _POPULATIONS else None,
    )


def _spread(data: Utility) -> float:
    """Variance of whether a test row is told rightly, by the best classifier on all real rows."""
    best = max(data.of(kind).mean for kind in data.classifiers)
    return best * (1 - best)


def _cell(data: Utility, kind: str, name: str) -> dict[str, str]:
    a_s, a_r = data.synthetic(kind, name), data.real(kind, name)
    return {
        "recovery": _percent(data.recovery(kind, name)),
        "of": f"{100 * a_s.mean:.1f} of {100 * a_r.mean:.1f}",
        "balanced": f"balanced {100 * data.recovery(kind, name, score='balanced_accuracy').mean:.1f}",
    }


def _balanced(of: Any, kind: str) -> str:
    return f"balanced {100 * of(kind, score='balanced_accuracy').mean:.1f}"


def _percent(value: Estimate) -> str:
    if math.isnan(value.low):
        return f"{100 * value.mean:.1f}"
    return f"{100 * value.mean:.1f} ± {100 * (value.high - value.mean):.1f}"


def _curve_rows(data: Utility) -> list[dict[str, Any]]:
    """A line for each classifier and what is added: accuracies along the curve."""
    return [
        {
            "classifier": HEADINGS[kind],
            "added": name or "nothing",
            "cells": [_percent(data.of(kind, name, share)) for share in data.fractions],
        }
        for kind in (data.classifiers if data.fractions else [])
        for name in ("", *data.sets)
    ]


def _curve(data: Utility) -> Figure:
    panels = []
    everything = [
        data.of(kind, name, share).mean
        for kind in data.classifiers
        for share in data.fractions
        for name in ("", *data.sets)
    ]
    everything += [data.of(kind).mean for kind in data.classifiers]
    everything += [data.synthetic(kind, name).mean for kind in data.classifiers for name in data.sets]
    for kind in data.classifiers:
        alone = [data.of(kind, "", share).mean for share in (*data.fractions, 1.0)]
        series = [_line("real rows alone", REAL, [*data.fractions, 1.0], alone)]
        for place, name in enumerate(data.sets):
            added = [data.of(kind, name, share).mean for share in (0.0, *data.fractions)]
            style = Style(short(name, NAME_WIDTH), f"set{place % len(SET_COLOURS['light'])}")
            shares = [0.0, *data.fractions, 1.0]
            series.append(_line(f"with {style.label}", style, shares, [*added, data.of(kind).mean]))
        panels.append(
            Panel(
                HEADINGS[kind],
                "% of the real training persons",
                "accuracy",
                series,
                x_range=(-3.0, 103.0),
                y_range=widened(everything),
                legend=True,
            )
        )
    words = "; ".join(
        f"{HEADINGS[kind]} {data.of(kind, '', data.fractions[0]).mean:.2f} alone, "
        + ", ".join(f"{data.of(kind, name, data.fractions[0]).mean:.2f} with {name}" for name in data.sets)
        for kind in data.classifiers
    )
    return Figure(
        "augmentation",
        "Real rows augmented with artificial ones",
        "Where the line of a set stands above that of real rows alone, its rows add what the real ones left out. At 0 "
        "it is the set by itself, at 100 all real rows and none of the set.",
        f"Mean accuracy on the test rows over {data.repeats} repeat{'s' if data.repeats > 1 else ''}. Artificial rows "
        "are added to a share of the real persons of every label, up to the number of rows of all.",
        f"Accuracy by share of the real persons. At {100 * data.fractions[0]:g} %: {words}.",
        panels,
    )


def _line(name: str, style: Style, shares: list[float], values: list[float]) -> Series:
    return Series("line", name, style, 100 * np.array(shares), np.array(values))

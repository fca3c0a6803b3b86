"""The report of an evaluation: one HTML page that needs nothing else.

The page carries plotly's script once, the numbers of every figure as gzipped JSON, which the page unpacks and draws
when the figure comes near the window, and a static picture of each figure for where scripts are off or fail, and for
paper. Its Content-Security-Policy lets only the two scripts written here run (by their SHA-256) and nothing be loaded.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import math
import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.report.data import EQUAL_N, EvaluationData, Score
from hapforge.report.figures import Figure, Panel, Series, build_groups, draw, palette, shown, styles
from hapforge.report.figures._base import BAR_WIDTH, REAL

_TEMPLATES = Path(__file__).parent / "templates"
SYMBOLS = {"good": "\u2713", "fair": "\u2248", "poor": "\u2717", "unknown": "?"}  # beside the word and its colour
WORDS_IN_CELLS = 3  # with more sets the verdicts are spelt out below their table


def render(data: EvaluationData) -> str:
    """The page, as text without lone surrogates (safe to write as UTF-8).

    Parameters
    ----------
    data : EvaluationData
        What `evaluation` found. Names, notes and provenance may hold any characters: they are shown, never run.

    Raises
    ------
    MissingDependencyError
        Where plotly or matplotlib is not installed.
    """
    style = styles(data)
    return page(
        "report.html.j2",
        build_groups(data),
        data.provenance,
        data=data,
        style=style,
        symbols=SYMBOLS,
        columns=list(style),
        verdicts=_verdict_table(data),
        score_groups=_score_groups(data, list(style)),
        published=_published_rows(data, list(style)),
    )


def page(template: str, groups: Mapping[str, list[Figure]], provenance: Mapping[str, Any], **more: Any) -> str:
    """A page from a template that extends ``page.html.j2``, with the figures of each heading and where all is from.

    Parameters
    ----------
    more : what the template shows beside; text may hold any characters

    Raises
    ------
    MissingDependencyError
        Where plotly or matplotlib is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ModuleNotFoundError as error:
        raise MissingDependencyError("plotly", "eval") from error

    plotly_script = get_plotlyjs().replace("\r\n", "\n")
    page_script = (_TEMPLATES / "report.js").read_text(encoding="utf-8")
    figures = [figure for found in groups.values() for figure in found]
    environment = Environment(
        loader=FileSystemLoader(_TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else shown(value),
    )
    palettes = {scheme: palette(scheme) for scheme in ("light", "dark")}
    return environment.get_template(template).render(
        **more,
        figure_groups=[
            {"key": f"figures-{i}", "heading": heading, "figures": found}
            for i, (heading, found) in enumerate(groups.items(), 1)
        ],
        pictures={figure.key: _picture(figure) for figure in figures},
        packed={
            figure.key: Markup(packed([plot(panel, small=figure.layout == "four") for panel in figure.panels]))
            for figure in figures
        },
        palettes=palettes,
        provenance=list(_flat(provenance)),
        styles_text=Markup((_TEMPLATES / "report.css").read_text(encoding="utf-8")),
        schemes=Markup(script_json(palettes)),
        plotly_script=Markup(plotly_script),
        page_script=Markup(page_script),
        script_hashes=[_sha256(plotly_script), _sha256(page_script)],
    )


def packed(panels: list[dict[str, Any]]) -> str:
    """Panels as the page reads them: JSON, gzip, base64."""
    return base64.b64encode(gzip.compress(script_json(panels).encode("ascii"), 6, mtime=0)).decode("ascii")


def script_json(value: object) -> str:
    """JSON that can stand inside a <script> element: ASCII, and without <, > and &."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def plot(panel: Panel, *, small: bool = False) -> dict[str, Any]:
    """A panel as plotly traces and layout. Colours are roles of the palette, which the page turns into colours."""
    axis = {
        "automargin": True,
        "gridcolor": "grid",
        "linecolor": "muted",
        "tickcolor": "muted",
        "tickfont": {"color": "muted", "size": 11 if small else 12},
        "tickangle": 0,
        "zeroline": False,
        "ticks": "outside",
        "ticklen": 4,
        "nticks": 5 if small else 6,
        "showline": True,
    }
    x_axis: dict[str, Any] = {**axis, "title": {"text": _plain(panel.x_label), "standoff": 8}}
    y_axis: dict[str, Any] = {**axis, "title": {"text": _plain(panel.y_label), "standoff": 8}}
    if panel.x_range:
        x_axis["range"] = list(panel.x_range)
    if panel.y_range:
        y_axis["range"] = list(panel.y_range)
    elif panel.legend and not panel.log_y:
        y_axis["rangemode"] = "tozero"
    if panel.log_x:
        x_axis |= _logarithmic(np.concatenate([series.x for series in panel.series]))
    if panel.log_y:
        y_axis |= _logarithmic(np.concatenate([series.y for series in panel.series]))
    if panel.names:
        y_axis |= {"showticklabels": False, "showgrid": False, "ticks": ""}
    labels = [
        {
            "text": _plain(name),
            "xref": "paper",
            "x": 0.005,
            "xanchor": "left",
            "y": place - 0.32,
            "yanchor": "middle",
            "showarrow": False,
            "font": {"color": "ink"},
        }
        for place, name in enumerate(panel.names)
    ]
    guide = {"type": "line", "layer": "above", "line": {"color": "muted", "width": 1, "dash": "dash"}}
    shapes: list[dict[str, Any]] = []
    if panel.diagonal:
        assert panel.x_range is not None
        assert panel.y_range is not None
        low, high = max(panel.x_range[0], panel.y_range[0]), min(panel.x_range[1], panel.y_range[1])
        shapes.append({**guide, "x0": low, "y0": low, "x1": high, "y1": high})
    if panel.vertical is not None:
        shapes.append({**guide, "yref": "paper", "x0": panel.vertical, "x1": panel.vertical, "y0": 0, "y1": 1})
    layout = {
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"color": "ink", "size": 12, "family": "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"},
        "margin": {"l": 12 if panel.names else 52, "r": 12, "t": 8, "b": 44},
        "hovermode": "closest",
        "hoverlabel": {"bgcolor": "paper", "bordercolor": "muted", "font": {"color": "ink"}},
        "showlegend": False,
        "bargap": 0,
        "barmode": "overlay",
        "shapes": shapes,
        "annotations": labels,
        "xaxis": x_axis,
        "yaxis": y_axis,
        "uirevision": "kept",
    }
    return {"data": [_trace(series) for series in panel.series], "layout": layout}


def _logarithmic(values: NDArray[np.float64]) -> dict[str, Any]:
    """An axis with a label at every power of ten, or at 1, 2 and 5 times it where there would be too few."""
    positive = values[np.isfinite(values) & (values > 0)]
    low, high = (float(positive.min()), float(positive.max())) if positive.size else (1.0, 1.0)
    if high > 30 * low:
        return {"type": "log", "dtick": 1, "exponentformat": "SI" if low >= 1 else "none"}
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{power}") for power in powers for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:,.10g}" for tick in ticks]}


def _trace(series: Series) -> dict[str, Any]:
    colour = series.style.colour
    trace: dict[str, Any] = {
        "name": _plain(series.name),
        "meta": series.name,
        "x": _numbers(series.x),
        "y": _numbers(series.y),
    }
    if series.kind == "points":
        trace |= {
            "type": "scatter",
            "mode": "markers",
            "marker": {"color": colour, "size": 9, "opacity": 0.85}
            if series.large
            else {"color": colour, "size": 4, "opacity": 0.5},
            "hovertemplate": "%{x:.4~g}, %{y:.4~g}<extra>%{fullData.name}</extra>"
            if series.large
            else "%{x:.3~f}, %{y:.3~f}<extra></extra>",
        }
    elif series.kind == "line":
        trace |= {
            "type": "scatter",
            "mode": "lines",
            "line": {
                "color": colour,
                "dash": series.style.dash,
                "width": 3 if series.style == REAL else 2,
                "shape": "vh" if series.steps else "linear",
            },
            "hovertemplate": "%{x:,.4~g}: %{y:.3~g}<extra>%{fullData.name}</extra>",
        }
    elif series.kind == "bars":
        trace |= {
            "type": "bar",
            "orientation": "h",
            "width": BAR_WIDTH,
            "marker": {"color": "paper" if series.pale else colour, "line": {"color": colour, "width": 2}},
            "hovertemplate": "%{x:.3f}<extra>%{fullData.name}</extra>",
        }
        if series.low is not None:
            trace["error_x"] = {**_whiskers(series), "color": "ink"}
    elif series.kind == "dots":
        trace |= {
            "type": "scatter",
            "mode": "markers",
            "marker": {"color": "paper" if series.pale else colour, "size": 8, "line": {"color": colour, "width": 2}},
            "error_x": {**_whiskers(series), "color": colour},
            "hovertemplate": "%{x:.3~g}<extra>%{fullData.name}</extra>",
        }
    elif series.kind == "image":
        assert series.values is not None
        trace |= {
            "type": "heatmap",
            "z": [_numbers(row) for row in series.values],
            "zmin": 0,
            "zmax": series.top,
            "colorscale": [[0, "paper"], [1, colour]],
            "showscale": False,
            "hoverongaps": False,
            "hovertemplate": "%{x:.4~g}, %{y:.4~g}: %{z:.3~g}<extra></extra>",
        }
    else:
        assert series.counts is not None
        trace |= {
            "type": "heatmap",
            "z": series.counts.tolist(),  # the page takes the logarithm
            "colorscale": [[0, f"{colour}-pale"], [1, colour]],
            "showscale": False,
            "hoverongaps": False,
            "hovertemplate": f"about %{{x:.3~f}}, %{{y:.3~f}}: %{{customdata:,}} {series.unit}<extra></extra>",
        }
    return trace


def _whiskers(series: Series) -> dict[str, Any]:
    assert series.low is not None
    assert series.high is not None
    return {
        "type": "data",
        "symmetric": False,
        "array": _numbers(series.high - series.x),
        "arrayminus": _numbers(series.x - series.low),
        "thickness": 1.5,
        "width": 3,
    }


def _plain(text: str) -> str:
    """Text for plotly, which reads tags, entities and %{templates} in names."""
    return html.escape(text, quote=False).replace("%{", "&#37;{")


def _numbers(values: NDArray[np.float64]) -> list[float | None]:
    """Five significant digits; null where not finite."""
    return [float(f"{value:.5g}") if math.isfinite(value) else None for value in values.tolist()]


def _picture(figure: Figure) -> dict[str, Any]:
    """The static drawing as a data: address, with its size in pixels, which a PNG gives in its first chunk."""
    png = draw(figure)
    width, height = struct.unpack(">II", png[16:24])
    source = Markup("data:image/png;base64," + base64.b64encode(png).decode("ascii"))
    return {"source": source, "width": width, "height": height}


def _sha256(script: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


# The table of scores --------------------------------------------------------------------------------------------


def decimals(values: list[float]) -> int:
    """Decimal places for one row: 0 where all are whole, else so many that the smallest shows two digits, at most 5."""
    values = [abs(value) for value in values if math.isfinite(value)]
    if all(value == int(value) for value in values):
        return 0
    smallest, largest = min(value for value in values if value), max(values)
    if largest >= 100:
        return 1
    return min(5, max(2 if largest >= 10 else 3, 1 - math.floor(math.log10(smallest))))


def number(value: float, places: int) -> str:
    """A finite number with separators, a true minus sign and a fixed number of decimal places."""
    return f"{value:,.{places}f}".replace("-", "\u2212")


def _score_groups(data: EvaluationData, names: list[str]) -> list[dict[str, Any]]:
    """The scores of each statistic: those that can be compared across columns, and those at each set's own size."""
    used = {key for scores in data.scores.values() for key in scores}
    groups: dict[str, list[str]] = {}
    for key, text in data.score_texts.items():
        if key in used:
            groups.setdefault(text.group, []).append(key)
    result = []
    for heading, keys in groups.items():
        own = [key for key in keys if key + EQUAL_N in used]
        others = [key for key in keys if key in own or key.removesuffix(EQUAL_N) not in own]
        compared = [key + EQUAL_N if key in own else key for key in others]
        rows = _score_rows(data, names, compared)
        result.append({"heading": heading, "rows": rows, "own": _score_rows(data, names, own)})
    return result


def _verdict_table(data: EvaluationData) -> dict[str, Any]:
    """Every score that has a verdict, the sets side by side."""
    rows = []
    place = {key: i for i, key in enumerate(data.score_texts)}
    for key in sorted(place, key=lambda key: place.get(key.removesuffix(EQUAL_N), place[key])):
        text = data.score_texts[key]
        found = [data.verdicts.get(name, {}).get(key) for name in data.sets]
        scores = [data.scores.get(name, {}).get(key) for name in data.sets]
        places = decimals([score.value for score in scores if score is not None])
        cells = [
            verdict
            and {
                "verdict": verdict,
                "value": _cell(score, places, False)["value"],
                "meaning": verdict.text.partition(": ")[2] or verdict.text,
            }
            for verdict, score in zip(found, scores, strict=True)
        ]
        if any(found):
            rules = dict.fromkeys(verdict.rule for verdict in found if verdict)
            heading = text.heading.removesuffix(" (equal n)")
            rows.append({"heading": heading, "group": text.group, "cells": cells, "rule": "; ".join(rules)})
    tallies = {}
    for name in data.sets:
        levels = [verdict.level for verdict in data.verdicts.get(name, {}).values()]
        tallies[name] = {level: levels.count(level) for level in SYMBOLS if level in levels}
    return {"rows": rows, "tallies": tallies, "in_cells": len(data.sets) <= WORDS_IN_CELLS}


def _published_rows(data: EvaluationData, names: list[str]) -> list[dict[str, Any]]:
    """Every score that papers report of this cohort and that is here: ours, each set at its own size, and theirs."""
    rows = []
    for key in dict.fromkeys(score for found in data.published.values() for score in found):
        ours = [data.scores.get(name, {}).get(key) for name in names]
        theirs = [found.get(key) for found in data.published.values()]
        known = [score.value for score in ours if score is not None] + [value for value in theirs if value is not None]
        if key in data.score_texts:
            rows.append(
                {
                    "heading": data.score_texts[key].heading,
                    "ours": [_cell(score, decimals(known), False)["value"] for score in ours],
                    "theirs": ["" if value is None else f"{value:g}" for value in theirs],
                }
            )
    return rows


def _score_rows(data: EvaluationData, names: list[str], keys: list[str]) -> list[dict[str, Any]]:
    """One row per score; `n` stands beside the label where it is the same in every cell."""
    rows = []
    for key in keys:
        heading, reading = data.score_texts[key].heading, data.score_texts[key].reading
        if key.endswith(EQUAL_N):
            heading = heading.removesuffix(" (equal n)")
        scores = [data.scores.get(name, {}).get(key) for name in names]
        finite = [score for score in scores if score is not None and math.isfinite(score.value)]
        sizes = {score.n for score in finite}
        places = decimals([score.value for score in finite])
        rows.append(
            {
                "heading": heading,
                "reading": reading,
                "procedures": list(dict.fromkeys(score.procedure for score in finite if score.procedure)),
                "n": f"{finite[0].n:,}" if len(sizes) == 1 else "",
                "cells": [_cell(score, places, len(sizes) > 1) for score in scores],
            }
        )
    return rows


def _cell(score: Score | None, places: int, with_n: bool) -> dict[str, str]:
    if score is None:
        return {"value": "", "interval": "", "n": "", "reason": ""}
    if not math.isfinite(score.value):
        return {"value": "–", "interval": "", "n": "", "reason": score.procedure}
    has_interval = math.isfinite(score.low) and math.isfinite(score.high)
    return {
        "value": number(score.value, places),
        "interval": f"{number(score.low, places)} to {number(score.high, places)}" if has_interval else "",
        "n": f"{score.n:,}" if with_n else "",
        "reason": "",
    }


def _flat(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Nested dicts and lists as rows of (path, text)."""
    if isinstance(value, Mapping):
        for name, part in value.items():
            yield from _flat(part, f"{key} › {name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(part, Mapping | list | tuple) for part in value):
        for i, part in enumerate(value):
            yield from _flat(part, f"{key} › {i + 1}" if key else str(i + 1))
    elif isinstance(value, list | tuple):
        yield key, " ".join(str(part) for part in value)
    else:
        yield key, "" if value is None else str(value)

"""Figures as static pictures."""

from __future__ import annotations

import io
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from hapforge.errors import MissingDependencyError
from hapforge.report.figures._base import BAR_WIDTH, REAL, Figure, Panel, palette, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_DASHES = {"solid": "-", "dash": "--", "dot": ":"}
_DPI = 100
_LEGEND_COLUMNS = 4


def draw(figure: Figure) -> bytes:
    """A figure of the page as PNG, on white.

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.
    """
    columns = min(3, len(figure.panels))
    if len(figure.panels) == 4:
        columns = 2
    rows = -(-len(figure.panels) // columns)
    inches = 10.0 if columns > 1 else 8.0
    height = figure.panels[0].height_px / 100 if len(figure.panels) == 1 else 3.3 if columns == 3 else 3.9
    legend = 0.2 * -(-len(figure.legend) // _LEGEND_COLUMNS)
    return draw_panels(figure.panels, rows, columns, (inches, rows * height + legend))


def draw_panels(panels: list[Panel], rows: int, columns: int, size_inches: tuple[float, float]) -> bytes:
    try:
        import matplotlib
        from matplotlib.figure import Figure as Canvas
    except ModuleNotFoundError as error:
        raise MissingDependencyError("matplotlib", "eval") from error

    colours = palette("light")
    settings: Any = {
        "text.usetex": False,
        "text.parse_math": False,  # names are names, never formulas
        "font.family": "sans-serif",
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.edgecolor": colours["muted"],
        "axes.labelcolor": colours["ink"],
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": colours["grid"],
        "xtick.color": colours["muted"],
        "ytick.color": colours["muted"],
        "text.color": colours["ink"],
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas = Canvas(figsize=size_inches, dpi=_DPI, layout="constrained")
        one_legend = all(panel.legend for panel in panels)
        for i, panel in enumerate(panels):
            axes = canvas.add_subplot(rows, columns, i + 1)
            lines = _draw_panel(axes, panel, colours)
            # placeholders first: matplotlib drops a label that begins with an underscore
            labels = [str(k) for k in range(len(lines))]
            if one_legend and i == 0:
                legend = canvas.legend(lines, labels, frameon=False, loc="outside lower center", ncols=_LEGEND_COLUMNS)
            elif panel.legend and not one_legend:
                legend = axes.legend(lines, labels, frameon=False, fontsize=8)
            else:
                continue
            for text, series in zip(legend.get_texts(), panel.series, strict=True):
                text.set_text(series.name)
        stream = io.BytesIO()
        canvas.savefig(stream, format="png", metadata={"Software": None})
    return stream.getvalue()


def _draw_panel(axes: Axes, panel: Panel, colours: dict[str, str]) -> list[Any]:
    """Draw into `axes`; returns the curves."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    from matplotlib.ticker import NullFormatter

    lines: list[Any] = []
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
    else:
        axes.locator_params(axis="x", nbins=6)
    if panel.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    for series in panel.series:
        colour = colours[series.style.colour]
        if series.kind == "points":
            axes.scatter(series.x, series.y, s=5, color=colour, alpha=0.45, linewidths=0)
        elif series.kind == "line":
            dash = _DASHES[series.style.dash]
            lines += axes.plot(series.x, series.y, dash, color=colour, linewidth=2.2 if series.style == REAL else 1.5)
        elif series.kind == "bars":
            face = colours["paper"] if series.pale else colour
            axes.barh(series.y, series.x, height=BAR_WIDTH, facecolor=face, edgecolor=colour, linewidth=1.5)
            assert series.low is not None
            assert series.high is not None
            axes.hlines(series.y, series.low, series.high, color=colours["ink"], linewidth=1.2)
        elif series.kind == "dots":
            assert series.low is not None
            assert series.high is not None
            axes.hlines(series.y, series.low, series.high, color=colour, linewidth=1.2)
            axes.ticklabel_format(axis="x", scilimits=(-3, 6))
            face = colours["paper"] if series.pale else colour
            lines.append(
                axes.scatter(series.x, series.y, s=28, facecolor=face, edgecolor=colour, linewidths=1.5, zorder=3)
            )
        elif series.kind == "image":
            assert series.values is not None
            shades = LinearSegmentedColormap.from_list("set", [colours["paper"], colour])
            axes.pcolormesh(series.x, series.y, series.values, cmap=shades, vmin=0, vmax=series.top)
        else:
            assert series.counts is not None
            shades = LinearSegmentedColormap.from_list("set", [colours[f"{series.style.colour}-pale"], colour])
            counts = np.ma.masked_equal(series.counts, 0)
            axes.pcolormesh(series.x, series.y, counts, cmap=shades, norm=LogNorm(1, max(2, series.counts.max())))
    guide: dict[str, Any] = {"color": colours["muted"], "linestyle": (0, (4, 3)), "linewidth": 1}
    if panel.diagonal:
        axes.axline((0, 0), slope=1, **guide)
    if panel.vertical is not None:
        axes.axvline(panel.vertical, **guide)
    if panel.x_range:
        axes.set_xlim(panel.x_range)
    if panel.y_range:
        axes.set_ylim(panel.y_range)
    elif lines and not panel.log_y:
        axes.set_ylim(bottom=0)
    if panel.names:
        axes.set_yticks([])
        for place, name in enumerate(panel.names):
            axes.text(0.01, place - 0.32, name, va="center", transform=axes.get_yaxis_transform())
    axes.set(title=short(panel.title, 42), xlabel=panel.x_label, ylabel=panel.y_label)
    return lines

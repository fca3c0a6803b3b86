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

_DASHES: dict[str, Any] = {"solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (9, 3))}
_DPI = 100
_SHADES = 64  # colours of a picture
_LEGEND_COLUMNS = 4
_NARROW = 30  # a logarithmic axis whose ends are no further apart has ticks at 1, 2 and 5 times a power of ten
_ABOVE, _BELOW, _LEFT, _RIGHT = 0.32, 0.5, 0.72, 0.14  # inches around the axes of a panel


def draw(figure: Figure) -> bytes:
    """A figure of the page as PNG, on white.

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.
    """
    panels = figure.panels
    columns = min({"square": 1, "wide": 2, "three": 3, "four": 4}[figure.layout], len(panels))
    rows = -(-len(panels) // columns)
    height = max(figure.panel_height_px(panel) for panel in panels) / 100 if columns == 1 else 3.9 - 0.4 * columns
    width = 5.2 if figure.layout == "square" else 8.0 if columns == 1 else 10.0
    return draw_panels(panels, rows, columns, (width, rows * height + _legend_inches(panels)))


def _legend_inches(panels: list[Panel]) -> float:
    names = {series.name for panel in panels if panel.legend for series in panel.series}
    return 0.2 * -(-len(names) // _LEGEND_COLUMNS)


def draw_panels(panels: list[Panel], rows: int, columns: int, size_inches: tuple[float, float]) -> bytes:
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure as Canvas
        from PIL import Image
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
    width, height = size_inches
    across, down = width / columns, (height - _legend_inches(panels)) / rows
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        canvas = Canvas(figsize=(width, height), dpi=_DPI)
        handles: dict[str, Any] = {}
        for i, panel in enumerate(panels):
            left = _RIGHT if panel.names else _LEFT
            bottom = height - (i // columns + 1) * down + _BELOW
            box = (i % columns * across + left, bottom, across - left - _RIGHT, down - _ABOVE - _BELOW)
            axes = canvas.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
            drawn = _draw_panel(axes, panel, colours)
            if panel.legend:
                handles |= dict(zip((series.name for series in panel.series), drawn, strict=True))
            axes.set_title(short(panel.title, int(12 * box[2])), y=1.0)  # found by itself it takes a drawing more
        if handles:
            # placeholders first: matplotlib drops a label that begins with an underscore
            legend = canvas.legend(
                list(handles.values()),
                [str(k) for k in range(len(handles))],
                frameon=False,
                loc="lower center",
                ncols=_LEGEND_COLUMNS,
            )
            for text, name in zip(legend.get_texts(), handles, strict=True):
                text.set_text(name)
        agg = FigureCanvasAgg(canvas)
        agg.draw()
        picture = Image.fromarray(np.asarray(agg.buffer_rgba())[:, :, :3])
        few = picture.quantize(_SHADES, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
        stream = io.BytesIO()
        few.save(stream, format="png")
    return stream.getvalue()


def _draw_panel(axes: Axes, panel: Panel, colours: dict[str, str]) -> list[Any]:
    """Draw into `axes`; returns what stands for each series in a legend."""
    from matplotlib.colors import LinearSegmentedColormap, LogNorm
    from matplotlib.ticker import FixedLocator, NullFormatter

    drawn: list[Any] = []
    if panel.log_x:
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        values = np.concatenate([series.x for series in panel.series])
        values = values[values > 0]
        if values.size and values.max() <= _NARROW * values.min():  # else there may be no tick at all
            powers = range(int(np.floor(np.log10(values.min()))), int(np.ceil(np.log10(values.max()))) + 1)
            axes.xaxis.set_major_locator(FixedLocator([float(f"{digit}e{p}") for p in powers for digit in (1, 2, 5)]))
    else:
        axes.locator_params(axis="x", nbins=6)
    if panel.log_y:
        axes.set_yscale("log")
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
    for series in panel.series:
        colour = colours[series.style.colour]
        if series.kind == "points":
            points: dict[str, Any] = {"s": 36, "alpha": 0.85} if series.large else {"s": 5, "alpha": 0.45}
            drawn.append(axes.scatter(series.x, series.y, color=colour, linewidths=0, **points))
        elif series.kind == "line":
            line: dict[str, Any] = {"drawstyle": "steps-pre" if series.steps else "default"}
            line |= {"linestyle": _DASHES[series.style.dash], "linewidth": 2.2 if series.style == REAL else 1.5}
            drawn += axes.plot(series.x, series.y, color=colour, **line)
        elif series.kind == "bars":
            face = colours["paper"] if series.pale else colour
            drawn.append(axes.barh(series.y, series.x, BAR_WIDTH, facecolor=face, edgecolor=colour, linewidth=1.5))
            if series.low is not None and series.high is not None:
                axes.hlines(series.y, series.low, series.high, color=colours["ink"], linewidth=1.2)
        elif series.kind == "dots":
            assert series.low is not None
            assert series.high is not None
            axes.hlines(series.y, series.low, series.high, color=colour, linewidth=1.2)
            axes.ticklabel_format(axis="x", scilimits=(-3, 6))
            face = colours["paper"] if series.pale else colour
            look: dict[str, Any] = {"s": 28, "facecolor": face, "edgecolor": colour, "linewidths": 1.5, "zorder": 3}
            drawn.append(axes.scatter(series.x, series.y, **look))
        elif series.kind == "image":
            assert series.values is not None
            shades = LinearSegmentedColormap.from_list("set", [colours["paper"], colour])
            drawn.append(axes.pcolormesh(series.x, series.y, series.values, cmap=shades, vmin=0, vmax=series.top))
        else:
            assert series.counts is not None
            shades = LinearSegmentedColormap.from_list("set", [colours[f"{series.style.colour}-pale"], colour])
            counts = np.ma.masked_equal(series.counts, 0)
            scale = LogNorm(1, max(2, series.counts.max()))
            drawn.append(axes.pcolormesh(series.x, series.y, counts, cmap=shades, norm=scale))
    guide: dict[str, Any] = {"color": colours["muted"], "linestyle": (0, (4, 3)), "linewidth": 1}
    if panel.diagonal:
        axes.axline((0, 0), slope=1, **guide)
    if panel.vertical is not None:
        axes.axvline(panel.vertical, **guide)
    if panel.x_range:
        axes.set_xlim(panel.x_range)
    if panel.y_range:
        axes.set_ylim(panel.y_range)
    elif panel.legend and not panel.log_y:
        axes.set_ylim(bottom=0)
    if panel.names:
        axes.set_yticks([])
        for place, name in enumerate(panel.names):
            axes.text(0.01, place - 0.32, name, va="center", transform=axes.get_yaxis_transform())
    axes.set(xlabel=panel.x_label, ylabel=panel.y_label)
    return drawn

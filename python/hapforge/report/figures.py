"""The figures of a report: what each one shows, and its static drawing.

A figure is described once, as panels of plain series (`Figure`, `Panel`, `Series`). The page turns that description
into plotly (`html.py`), this module into PNG with matplotlib, so the two always show the same numbers.
"""

from __future__ import annotations

import io
import unicodedata
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.metrics.allele_frequency import LOW_FREQUENCY
from hapforge.report.data import EQUAL_N, EvaluationData, LDDecayCurves, PairwiseDifferences, PrincipalComponents

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_SITES_AS_POINTS = 5_000  # more sites per panel are counted on a grid
MAX_POINTS = 16_000  # more points in a whole figure are counted on a grid, too
MAX_CLOUD = 1_500  # points drawn of each cloud of a PCA panel
MAX_BINS = 160  # bins of a distribution
GRID = 100  # cells along each axis of a density
REAL_WITHIN = "real, within"
BAR_WIDTH = 0.26
NAME_WIDTH = 26  # longest name written inside a figure

# Ink for text and lines, grey for the real cohort, six colours for sets. The closest two of one scheme stay
# 14 CIELAB units apart in simulated protan-, deuteran- and tritanopia (tests/report/test_figures.py).
SET_COLOURS = {
    "light": ("#2b4fc7", "#d67c12", "#127a48", "#5a1470", "#2a98e6", "#c873b0"),
    "dark": ("#7a6cf2", "#c4972a", "#74e8a0", "#d23c9c", "#58aef5", "#e0857f"),
}
SCHEMES = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "muted": "#59636e", "grid": "#e6e9ed", "real": "#3d444d"},
    "dark": {"paper": "#161a1f", "ink": "#e6e9ed", "muted": "#a3acb8", "grid": "#2c333b", "real": "#d5dae0"},
}


def palette(scheme: Literal["light", "dark"]) -> dict[str, str]:
    """Colours by role: "paper", "ink", "muted", "grid", "real", "set0" ..., and "set0-pale" ... for densities."""
    colours = dict(SCHEMES[scheme])
    paper = colours["paper"]
    for i, colour in enumerate(SET_COLOURS[scheme]):
        mixed = (round(0.75 * int(paper[k : k + 2], 16) + 0.25 * int(colour[k : k + 2], 16)) for k in (1, 3, 5))
        colours[f"set{i}"] = colour
        colours[f"set{i}-pale"] = "#" + "".join(f"{channel:02x}" for channel in mixed)
    return colours


@dataclass(frozen=True)
class Style:
    """How a set is drawn in every figure: its short name, a role of `palette` and a line pattern."""

    label: str
    colour: str
    dash: Literal["solid", "dash", "dot"] = "solid"


REAL = Style("real", "real")


@dataclass(frozen=True)
class Series:
    """One thing drawn in a panel.

    Attributes
    ----------
    kind : "points"; "line"; "bars" (x is the length, y the place); "density" (x, y are cell centres)
    name : str, as it is shown
    style : Style
    x, y : float64 (n,); for a density (columns,) and (rows,)
    counts : int64 (rows, columns), densities only
    low, high : float64 (n,), intervals of bars, NaN where none is defined
    pale : whether bars are drawn hollow
    """

    kind: Literal["points", "line", "bars", "density"]
    name: str
    style: Style
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    counts: NDArray[np.int64] | None = None
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    pale: bool = False


@dataclass(frozen=True)
class Panel:
    """One pair of axes. A range of None is what fits; `names` stand above the bars at y = 0, 1, ... from the top."""

    title: str
    x_label: str
    y_label: str
    series: list[Series]
    x_range: tuple[float, float] | None = None
    y_range: tuple[float, float] | None = None
    log_x: bool = False
    diagonal: bool = False
    vertical: float | None = None
    names: tuple[str, ...] = ()
    legend: bool = False

    @property
    def height_px(self) -> int:
        if self.names:
            return 70 + 58 * len(self.names)
        return 340 if self.legend else 310


@dataclass(frozen=True)
class Figure:
    """Panels under one heading: `look` says what to look for, `caption` how it was drawn, `alt` what is in it."""

    key: str
    heading: str
    look: str
    caption: str
    alt: str
    panels: list[Panel]

    @property
    def wide(self) -> bool:
        return len(self.panels) <= 2

    @property
    def legend(self) -> list[Series]:
        """The series of all panels with a legend, each once."""
        return list({series.name: series for panel in self.panels if panel.legend for series in panel.series}.values())


def shown(text: object) -> str:
    """Text of a file as it may be shown: line breaks and tabs become blanks, other invisible characters U+FFFD."""
    blank = dict.fromkeys("\t\n\r", " ")
    return "".join(blank.get(c, "\ufffd") if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in str(text))


def short(name: str, width: int) -> str:
    """A name short enough for a figure; the middle is left out, names of runs often differ at the end."""
    name = shown(name)
    return name if len(name) <= width else f"{name[: (width - 1) // 2]}…{name[len(name) - width // 2 :]}"


def styles(data: EvaluationData) -> dict[str, Style]:
    """The style of every set (solid) and control (dashed); beyond six the colours return as dotted lines.

    Labels are unique, also beside that of the real cohort: a curve is found by its label.
    """
    result: dict[str, Style] = {}
    taken = {REAL.label, REAL_WITHIN}
    for i, name in enumerate(dict.fromkeys([*data.sets, *data.controls])):
        label, again = short(name, NAME_WIDTH), 1
        while label in taken:
            again += 1
            label = f"{short(name, NAME_WIDTH - 4)} ({again})"
        taken.add(label)
        dash: Literal["solid", "dash", "dot"] = "dash" if name in data.controls else "solid"
        turn, colour = divmod(i, len(SET_COLOURS["light"]))
        result[name] = Style(label, f"set{colour}", "dot" if turn else dash)
    return result


def build(data: EvaluationData) -> list[Figure]:
    """Every figure for which `data` has the numbers, in the order of the page."""
    makers = (
        _allele_frequencies,
        _low_allele_frequencies,
        _adversarial_accuracy,
        _principal_components,
        _pairwise_differences,
        _ld_decay,
    )
    return [figure for maker in makers if (figure := maker(data)) is not None]


def _in_order(data: EvaluationData, names: Iterable[str]) -> list[str]:
    names = set(names)
    return [name for name in dict.fromkeys([*data.sets, *data.controls]) if name in names]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names)


# Allele frequencies ---------------------------------------------------------------------------------------------


def _allele_frequencies(data: EvaluationData) -> Figure | None:
    if data.allele_frequencies is None:
        return None
    return _frequency_figure(
        data,
        np.ones(len(data.allele_frequencies.real), dtype=bool),
        (1.0, 1.0),
        key="allele-frequencies",
        heading="Allele frequencies",
        look="Points on the line mean that a site is as frequent in the set as in the real cohort; a flat row along "
        "the bottom or the top means sites that the set has lost or fixed.",
    )


def _low_allele_frequencies(data: EvaluationData) -> Figure | None:
    af = data.allele_frequencies
    if af is None or not (low := af.real <= LOW_FREQUENCY).any():
        return None
    highest = max((float(np.nanmax(f[low], initial=0)) for f in af.sets.values()), default=0.0)
    return _frequency_figure(
        data,
        low,
        (LOW_FREQUENCY, min(0.3, max(LOW_FREQUENCY, highest))),
        key="low-allele-frequencies",
        heading=f"Allele frequencies up to {LOW_FREQUENCY}",
        look="The same, enlarged: rare variants are lost first, and the correlation over all sites hides it.",
    )


def _frequency_figure(
    data: EvaluationData,
    chosen: NDArray[np.bool_],
    limits: tuple[float, float],
    *,
    key: str,
    heading: str,
    look: str,
) -> Figure | None:
    af, style = data.allele_frequencies, styles(data)
    assert af is not None
    names = _in_order(data, af.sets)
    if not names:
        return None
    real, num_sites = af.real[chosen], int(chosen.sum())
    as_points = num_sites <= MAX_SITES_AS_POINTS and num_sites * len(names) <= MAX_POINTS
    panels, above = [], 0
    for name in names:
        synthetic = af.sets[name][chosen]
        above += int((synthetic > limits[1]).sum())
        synthetic = np.minimum(synthetic, limits[1])
        if as_points:
            series = Series("points", shown(name), style[name], real, synthetic)
        else:
            counts, y_edges, x_edges = np.histogram2d(
                synthetic, real, bins=GRID, range=((0, limits[1]), (0, limits[0]))
            )
            x, y = (x_edges[:-1] + x_edges[1:]) / 2, (y_edges[:-1] + y_edges[1:]) / 2
            series = Series("density", shown(name), style[name], x, y, counts=counts.astype(np.int64))
        panels.append(
            Panel(shown(name), "ALT frequency, real", "ALT frequency, set", [series], *_padded(limits), diagonal=True)
        )
    caption = f"{num_sites:,} sites" + (
        ", one point each." if as_points else f", counted in {GRID} x {GRID} cells; a stronger colour means more."
    )
    if above:
        caption += f" {above:,} points above {limits[1]:g} are drawn at the upper edge."
    alt = f"ALT frequency in the real cohort against {_listed(names)}, {num_sites:,} sites, with the line of equality."
    return Figure(key, heading, look, caption, alt, panels)


def _padded(limits: tuple[float, float]) -> tuple[tuple[float, float], tuple[float, float]]:
    return (-0.02 * limits[0], 1.02 * limits[0]), (-0.02 * limits[1], 1.02 * limits[1])


# Adversarial accuracy -------------------------------------------------------------------------------------------

_PARTS = {"AA_truth": "aa_truth", "AA_syn": "aa_syn"}


def _adversarial_accuracy(data: EvaluationData) -> Figure | None:
    names = _in_order(data, (name for name, scores in data.scores.items() if {"aa_truth", "aa_syn"} & set(scores)))
    if not names:
        return None
    equal_n = all(part + EQUAL_N in data.scores[name] for name in names for part in ("aa_truth", "aa_syn"))
    parts = {name: part + EQUAL_N for name, part in _PARTS.items()} if equal_n else _PARTS
    style, series, words = styles(data), [], []
    for place, name in enumerate(names):
        found = {part: score for part, key in parts.items() if (score := data.scores[name].get(key)) is not None}
        for part, score in found.items():
            value, low, high = (np.array([v], dtype=np.float64) for v in (score.value, score.low, score.high))
            where = np.array([place + (0.0 if part == "AA_truth" else 0.28)])
            label, pale = f"{part}, {style[name].label}", part == "AA_syn"
            series.append(Series("bars", label, style[name], value, where, low=low, high=high, pale=pale))
        words.append(f"{shown(name)} " + ", ".join(f"{part} {score.value:.2f}" for part, score in found.items()))
    panel = Panel(
        "",
        "adversarial accuracy",
        "",
        series,
        x_range=(0, 1.02),
        y_range=(len(names) - 0.5, -0.55),
        vertical=0.5,
        names=tuple(short(name, 44) for name in names),
    )
    return Figure(
        "adversarial-accuracy",
        "Nearest-neighbour adversarial accuracy",
        "Both parts should be as close to the 0.5 line as those of the real-against-real control: lower means copies "
        "(overfitting), higher means that real and artificial haplotypes are easily told apart.",
        "For each set the filled bar is AA_truth (real haplotypes), the hollow bar AA_syn (artificial ones); whiskers "
        "are 95 % intervals where defined. The dashed line is 0.5."
        + (" All at the same number of haplotypes." if equal_n else ""),
        f"Bars of adversarial accuracy: {'; '.join(words)}.",
        [panel],
    )


# Principal components -------------------------------------------------------------------------------------------


def _thinned(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """At most MAX_CLOUD rows, chosen with a fixed seed, in their order."""
    if len(points) <= MAX_CLOUD:
        return points
    return points[np.sort(np.random.default_rng(0).choice(len(points), MAX_CLOUD, replace=False))]


def _pca_panel(name: str, pca: PrincipalComponents, style: Style) -> Panel:
    series = [
        Series("points", label, s, points[:, 0], points[:, 1])
        for label, s, points in (
            (REAL.label, REAL, _thinned(pca.real)),
            (shown(name), style, _thinned(pca.synthetic)),
        )
    ]
    labels = [f"PC{i + 1} ({100 * ratio:.1f} %)" for i, ratio in enumerate(pca.explained)]
    return Panel(shown(name), labels[0], labels[1], series)


def _principal_components(data: EvaluationData) -> Figure | None:
    names = _in_order(data, data.principal_components)
    if not names:
        return None
    style = styles(data)
    panels = [_pca_panel(name, data.principal_components[name], style[name]) for name in names]
    sizes = [len(cloud) for p in data.principal_components.values() for cloud in (p.real, p.synthetic)]
    caption = "Every panel is a PCA of its own: the real cohort (grey) together with one set (coloured)."
    if max(sizes) > MAX_CLOUD:
        total = max(*sizes, data.real_haplotypes, *(data.num_haplotypes.get(name, 0) for name in names))
        caption += f" Of each cloud {MAX_CLOUD:,} points are drawn (of up to {total:,}), chosen with a fixed seed."
    return Figure(
        "principal-components",
        "Principal components",
        "The two clouds should cover the same ground with the same density: coloured points where there is no grey "
        "are invented structure, grey without colour is diversity that was lost.",
        caption,
        f"First two principal components of the real cohort overlaid with {_listed(names)}.",
        panels,
    )


# Pairwise differences -------------------------------------------------------------------------------------------


def _distribution(
    counts: NDArray[np.int64], first: int, width: int, num_bins: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bin centres (differences) and the percentage of pairs per difference in each bin."""
    part = np.zeros(num_bins * width)
    inside = counts[first : first + num_bins * width]
    part[: len(inside)] = inside
    centres = first + (np.arange(num_bins, dtype=np.float64) + 0.5) * width - 0.5
    total = max(1, int(counts.sum()))
    return centres, 100 * part.reshape(num_bins, width).sum(axis=1) / width / total


def _pairwise_differences(data: EvaluationData) -> Figure | None:
    pairs = data.pairwise_differences
    if pairs is None:
        return None
    names = _in_order(data, {*pairs.within, *pairs.between})
    first, width, num_bins = _bins(pairs)
    style = styles(data)
    real = Series("line", REAL_WITHIN, REAL, *_distribution(pairs.within_real, first, width, num_bins))

    def panel(title: str, counts: Mapping[str, NDArray[np.int64]]) -> Panel:
        lines = [
            Series("line", style[name].label, style[name], *_distribution(counts[name], first, width, num_bins))
            for name in names
            if name in counts
        ]
        return Panel(
            title, "differences between two haplotypes", "% of pairs, per difference", [real, *lines], legend=True
        )

    copies = {name: int(pairs.between[name][0]) for name in names if name in pairs.between}
    caption = f"Bins of {width:,} difference{'s' if width > 1 else ''}; the real curve is the same in both panels."
    if any(copies.values()):
        found = ", ".join(f"{shown(name)} {count:,}" for name, count in copies.items() if count)
        caption += f" Pairs of a real and an identical other haplotype: {found}."
    return Figure(
        "pairwise-differences",
        "Pairwise differences",
        "The curves should lie on the real one: a peak further left means too little diversity, and mass near zero "
        "between a set and the real cohort means copies.",
        caption,
        f"Distribution of pairwise differences within the real cohort and {_listed(names)}, and between them.",
        [panel("Within each set", pairs.within), panel("Between each set and real", pairs.between)],
    )


def _bins(pairs: PairwiseDifferences) -> tuple[int, int, int]:
    """First difference, bin width and number of bins that cover every distribution."""
    used = np.zeros(len(pairs.within_real), dtype=bool)
    for counts in (pairs.within_real, *pairs.within.values(), *pairs.between.values()):
        used |= counts > 0
    where = np.flatnonzero(used)
    first, last = (int(where[0]), int(where[-1])) if len(where) else (0, 0)
    width = -(-(last - first + 1) // MAX_BINS)
    return first, width, -(-(last - first + 1) // width)


# LD decay -------------------------------------------------------------------------------------------------------


_LD_SITES = " The real curve is over all sites that vary in the real cohort, a set's over those that vary in both."


def _ld_panel(data: EvaluationData, ld: LDDecayCurves) -> Panel:
    style = styles(data)
    low, high = ld.edges_bp[:-1], ld.edges_bp[1:]
    centres = np.where(low > 0, np.sqrt(np.maximum(low, 0) * high), high / 2)
    names = _in_order(data, ld.sets)
    used = np.isfinite([ld.real, *(ld.sets[name] for name in names)]).any(axis=0)
    series = [Series("line", REAL.label, REAL, centres[used], ld.real[used])]
    series += [Series("line", style[name].label, style[name], centres[used], ld.sets[name][used]) for name in names]
    unit = "bp" if ld.position_known else "sites; positions are not known"
    return Panel("", f"distance ({unit})", "mean r²", series, log_x=True, legend=True)


def _ld_decay(data: EvaluationData) -> Figure | None:
    ld = data.ld_decay
    if ld is None:
        return None
    return Figure(
        "ld-decay",
        "Decay of linkage disequilibrium",
        "A curve below the real one means that correlation between sites was lost at that distance; one that stays "
        "high far out means too few distinct haplotypes.",
        f"Mean r² of site pairs in {len(ld.real)} distance bins, distance on a logarithmic axis."
        + (_LD_SITES if ld.real_beside else ""),
        f"Mean r² against distance for the real cohort and {_listed(_in_order(data, ld.sets))}.",
        [_ld_panel(data, ld)],
    )


# Static drawings ------------------------------------------------------------------------------------------------

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
    return _drawn(figure.panels, rows, columns, (inches, rows * height + legend))


def png(data: EvaluationData, name: str | None = None) -> bytes:
    """One picture of an evaluation: PCA and allele frequencies of one set, adversarial accuracy and LD of all.

    Parameters
    ----------
    data : EvaluationData
    name : the set whose PCA and allele frequencies are drawn; the first one if None

    Raises
    ------
    ValueError
        `name` is not a set of this evaluation, or there is nothing to draw.
    MissingDependencyError
        Where matplotlib is not installed.
    """
    style = styles(data)
    if name is None and data.sets:
        name = data.sets[0]
    if name is None or name not in style:
        raise ValueError(
            f"name: expected one of {', '.join(style) or 'the sets, of which there are none'}, found {name}"
        )
    figures = {figure.key: figure for figure in build(data)}
    panels = []
    for key, title in (
        ("principal-components", f"Principal components: real (grey), {style[name].label}"),
        ("allele-frequencies", f"ALT frequency: real against {style[name].label}"),
        ("adversarial-accuracy", "AA_truth (filled), AA_syn (hollow)"),
        ("ld-decay", "Decay of linkage disequilibrium"),
    ):
        if key not in figures:
            continue
        found = figures[key].panels
        if len(found) > 1 or found[0].title:
            found = [panel for panel in found if panel.series[-1].style == style[name]]
        panels += [Panel(**{**vars(panel), "title": title}) for panel in found[:1]]
    if not panels:
        raise ValueError("data: expected an evaluation with at least one figure, found none")
    columns = min(2, len(panels))
    rows = -(-len(panels) // columns)
    return _drawn(panels, rows, columns, (5.0 * columns + 1.0, 4.0 * rows))


def _drawn(panels: list[Panel], rows: int, columns: int, size_inches: tuple[float, float]) -> bytes:
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
    elif lines:
        axes.set_ylim(bottom=0)
    if panel.names:
        axes.set_yticks([])
        for place, name in enumerate(panel.names):
            axes.text(0.01, place - 0.32, name, va="center", transform=axes.get_yaxis_transform())
    axes.set(title=short(panel.title, 42), xlabel=panel.x_label, ylabel=panel.y_label)
    return lines

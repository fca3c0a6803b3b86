"""What a figure is made of: panels of plain series, in colours that every figure shares."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hapforge.report.data import EvaluationData

MAX_SITES_AS_POINTS = 3_000  # more sites per panel are counted on a grid
MAX_POINTS = 16_000  # more points in a whole figure are counted on a grid, too
MAX_BINS = 160  # bins of a distribution
GRID = 100  # cells along each axis of a density
REAL_WITHIN = "real, within"
BAR_WIDTH = 0.26
MAX_TALL_NAMES = 12  # more names in a panel stand closer
NAME_WIDTH = 26  # longest name written inside a figure

# Ink for text and lines, grey for the real cohort, six colours for sets. The closest two of one scheme stay
# 14 CIELAB units apart in simulated protan-, deuteran- and tritanopia (tests/report/test_figures.py).
SET_COLOURS = {
    "light": ("#2b4fc7", "#d67c12", "#127a48", "#5a1470", "#2a98e6", "#c873b0"),
    "dark": ("#7a6cf2", "#c4972a", "#74e8a0", "#d23c9c", "#58aef5", "#e0857f"),
}
SCHEMES = {
    "light": {"paper": "#ffffff", "ink": "#1f2328", "muted": "#59636e", "grid": "#e6e9ed", "real": "#3d444d"}
    | {"tint": "#f6f8fa", "good": "#116329", "fair": "#7d4e00", "poor": "#b3131f", "unknown": "#59636e"},
    "dark": {"paper": "#161a1f", "ink": "#e6e9ed", "muted": "#a3acb8", "grid": "#2c333b", "real": "#d5dae0"}
    | {"tint": "#1f252c", "good": "#56d364", "fair": "#e3b341", "poor": "#ff8a80", "unknown": "#a3acb8"},
}


def palette(scheme: Literal["light", "dark"]) -> dict[str, str]:
    """Colours by role: those of `SCHEMES`, "set0" ... and, for densities, "real-pale", "set0-pale" ..."""
    colours = dict(SCHEMES[scheme])
    paper = colours["paper"]
    drawn = {"real": colours["real"], **{f"set{i}": colour for i, colour in enumerate(SET_COLOURS[scheme])}}
    for role, colour in drawn.items():
        mixed = (round(0.75 * int(paper[k : k + 2], 16) + 0.25 * int(colour[k : k + 2], 16)) for k in (1, 3, 5))
        colours[role] = colour
        colours[f"{role}-pale"] = "#" + "".join(f"{channel:02x}" for channel in mixed)
    return colours


Dash = Literal["solid", "dash", "dot", "dashdot", "longdash"]
_SET_DASHES: tuple[Dash, ...] = ("solid", "dot", "dashdot", "longdash")


@dataclass(frozen=True)
class Style:
    """How a set is drawn in every figure: its short name, a role of `palette` and a line pattern."""

    label: str
    colour: str
    dash: Dash = "solid"


REAL = Style("real", "real")


@dataclass(frozen=True)
class Series:
    """One thing drawn in a panel.

    Attributes
    ----------
    kind : "points"; "line"; "bars" (x is the length, y the place); "dots" (one mark each, with its interval along x);
        "density" and "image" (x, y are cell centres)
    name : str, as it is shown
    style : Style
    x, y : float64 (n,); for a density or image (columns,) and (rows,)
    counts : int64 (rows, columns), densities only; drawn on a logarithmic scale, 0 left out
    unit : str, what a density counts
    values : float64 (rows, columns), images only; drawn from the paper's colour at 0 to the style's at `top`
    top : float
    low, high : float64 (n,), intervals of bars and dots, NaN where none is defined; None for bars: without
    pale : whether bars or dots are drawn hollow
    steps : whether a line is a staircase: a value holds from the x before it to its own
    large : whether points are few, and drawn so that each is seen
    """

    kind: Literal["points", "line", "bars", "dots", "density", "image"]
    name: str
    style: Style
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    counts: NDArray[np.int64] | None = None
    unit: str = "sites"
    values: NDArray[np.float64] | None = None
    top: float = 1.0
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    pale: bool = False
    steps: bool = False
    large: bool = False


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
    log_y: bool = False
    diagonal: bool = False
    vertical: float | None = None
    names: tuple[str, ...] = ()
    legend: bool = False


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
    def layout(self) -> Literal["square", "wide", "three", "four"]:
        """Panels side by side: one that is not stretched, up to two, three, or four."""
        panels = len(self.panels)
        if panels == 1 and self.panels[0].diagonal:
            return "square"
        return "wide" if panels <= 2 else "three" if panels in (3, 5, 6) else "four"

    def panel_height_px(self, panel: Panel) -> int:
        if panel.names:
            return 70 + (58 if len(panel.names) <= MAX_TALL_NAMES else 36) * len(panel.names)
        return {"square": 440, "wide": 340, "three": 300, "four": 230}[self.layout]

    @property
    def legend(self) -> list[Series]:
        """The series of all panels with a legend, each once."""
        return list({series.name: series for panel in self.panels if panel.legend for series in panel.series}.values())


@dataclass(frozen=True)
class Bins:
    """Bins of whole numbers that several histograms share: num_bins of `width` numbers each, from `first` on."""

    first: int
    width: int
    num_bins: int

    @classmethod
    def covering(cls, histograms: Sequence[NDArray[np.int64]]) -> Bins:
        """At most MAX_BINS for everything that was counted."""
        where = np.concatenate([np.flatnonzero(counts) for counts in histograms])
        first, last = (int(where.min()), int(where.max())) if len(where) else (0, 0)
        width = -(-(last - first + 1) // MAX_BINS)
        return cls(first, width, -(-(last - first + 1) // width))

    def percentages(self, counts: NDArray[np.int64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Centres of the bins, and the percentage counted per number in each."""
        part = np.zeros(self.num_bins * self.width)
        inside = counts[self.first : self.first + len(part)]
        part[: len(inside)] = inside
        centres = self.first + (np.arange(self.num_bins, dtype=np.float64) + 0.5) * self.width - 0.5
        total = max(1, int(counts.sum()))
        return centres, 100 * part.reshape(self.num_bins, self.width).sum(axis=1) / self.width / total

    @property
    def described(self) -> str:
        return f"Bins of {self.width:,} difference{'s' if self.width > 1 else ''}"


def shown(text: object) -> str:
    """Text of a file as it may be shown: line breaks and tabs become blanks, other invisible characters U+FFFD."""
    blank = dict.fromkeys("\t\n\r", " ")
    return "".join(blank.get(c, "\ufffd") if unicodedata.category(c) in ("Cc", "Cf", "Cs") else c for c in str(text))


def short(name: str, width: int) -> str:
    """A name short enough for a figure; the middle is left out, names of runs often differ at the end."""
    name = shown(name)
    return name if len(name) <= width else f"{name[: (width - 1) // 2]}…{name[len(name) - width // 2 :]}"


def styles(data: EvaluationData) -> dict[str, Style]:
    """The style of every set (solid) and control (dashed); beyond six sets the colours return with other patterns.

    Labels are unique, also beside that of the real cohort: a curve is found by its label.
    """
    result: dict[str, Style] = {}
    taken = {REAL.label, REAL_WITHIN}
    for place, name in enumerate(dict.fromkeys([*data.sets, *data.controls])):
        label, again = short(name, NAME_WIDTH), 1
        while label in taken:
            again += 1
            label = f"{short(name, NAME_WIDTH - 4)} ({again})"
        taken.add(label)
        turn, colour = divmod(place, len(SET_COLOURS["light"]))
        dash: Dash = "dash" if name in data.controls else _SET_DASHES[turn % len(_SET_DASHES)]
        result[name] = Style(label, f"set{colour}", dash)
    return result


def in_order(data: EvaluationData, names: Iterable[str]) -> list[str]:
    names = set(names)
    return [name for name in dict.fromkeys([*data.sets, *data.controls]) if name in names]


def listed(names: Iterable[str]) -> str:
    return ", ".join(shown(name) for name in names)


def widened(values: Sequence[float]) -> tuple[float, float]:
    """From the least to the greatest, and a little more; 0 to 1 where there are none."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    more = 0.06 * ((high - low) or abs(high) or 1.0)
    return low - more, high + more

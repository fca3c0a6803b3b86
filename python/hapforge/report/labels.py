"""Tables and pictures of how a labelled model draws and tells each label."""

from __future__ import annotations

import csv
import io
import json
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.report.data import Score
from hapforge.report.figures import palette
from hapforge.report.figures._base import short
from hapforge.report.figures.by_label import SCORES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FORMAT, FORMAT_VERSION = "hapforge-labels", 1
ERRORS = {
    "spectrum_error": "Spectrum",
    "entropy_error": "Entropy",
    "aai_error": "Accuracy indicator",
}
"""Scores that are drawn over sampling steps, and their headings."""

MAX_LABELS = 30
"""More have no lines and panels of their own."""
_MAX_NUMBERED = 12  # labels of a matrix whose cells have numbers in them
_MAX_AGES = 8  # lines; of more, as many are drawn, evenly chosen
_DASHES: tuple[Any, ...] = ("-", (0, (4, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (8, 3)))
_MARKERS = "os^Dv"
_NUM_BINS = 40
_OWN: dict[str, Any] = {"marker": "D", "markersize": 7, "markerfacecolor": "none", "markeredgewidth": 1.6}
_DRAWN = "#7b4fb5"  # what is drawn, in marginals; the paper's are violet, too


@dataclass(frozen=True)
class LabelStudy:
    """What `hapforge.evaluation.study_labels` found; nothing in it grows with haplotypes x sites.

    Attributes
    ----------
    label : str, the label's name
    labels : list of str, those of the model
    counts : {label: test haplotypes}, of those that have any
    own_steps : int, steps of the model's draws where nothing is said
    steps : list of int, t_G, rising
    updates : {age in epochs: updates of the parameters so far}, rising
    scores : {age: {t_G: {label: {score: Score}}}}, draws at temperature 1 against as many test haplotypes
    own : {label: {score: Score}}, the oldest model's draws in its own steps and at its own temperatures
    control : the same, other real haplotypes; empty without
    accuracy : {age: share of the test haplotypes whose label is told rightly}
    confusion : int64 (labels, labels), test haplotypes of label i that the oldest model says are of j
    asked : int64 (labels, labels), its draws for label i that it says are of j
    codes : int64 (n,), number of the label of every test haplotype and of the draw for it
    real, drawn : float64 (n, 2), test haplotypes and draws on the first two principal components
    explained : float64 (2,), shares of the variance
    """

    label: str
    labels: list[str]
    counts: dict[str, int]
    own_steps: int
    steps: list[int]
    updates: dict[int, int]
    scores: dict[int, dict[int, dict[str, dict[str, Score]]]]
    own: dict[str, dict[str, Score]]
    control: dict[str, dict[str, Score]]
    accuracy: dict[int, float]
    confusion: NDArray[np.int64]
    asked: NDArray[np.int64]
    codes: NDArray[np.int64]
    real: NDArray[np.float64]
    drawn: NDArray[np.float64]
    explained: NDArray[np.float64]

    def mean(self, age: int, steps: int, name: str) -> float:
        """A score's mean over the labels that have it; NaN where none has."""
        return _mean(self.scores[age][steps], name)

    def mean_of_control(self, name: str) -> float:
        """The same of other real haplotypes."""
        return _mean(self.control, name)

    def json(self) -> str:
        """All but the coordinates, as JSON; NaN is null."""
        payload = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            "label": self.label,
            "labels": self.labels,
            "counts": self.counts,
            "own_steps": self.own_steps,
            "ages": [
                {
                    "epoch": age,
                    "updates": updates,
                    "accuracy": self.accuracy[age],
                    "scores": {str(k): _plain(of_labels) for k, of_labels in self.scores[age].items()},
                }
                for age, updates in self.updates.items()
            ],
            "own": _plain(self.own),
            "control": _plain(self.control),
            "confusion": self.confusion.tolist(),
            "asked": self.asked.tolist(),
        }
        return json.dumps(payload, ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    def tsv(self) -> str:
        """A line a score: its set ("drawn" at temperature 1, "own", "real"), epoch, updates, steps, label and so on."""
        text = io.StringIO()
        table = csv.writer(text, delimiter="\t", lineterminator="\n")
        table.writerow(["set", "epoch", "updates", "steps", "label", "score", "value", "low", "high", "n"])

        def rows(start: list[Any], of_labels: dict[str, dict[str, Score]]) -> None:
            for label, found in of_labels.items():
                for name, s in found.items():
                    table.writerow([*start, label, name, *(f"{x:.6g}" for x in (s.value, s.low, s.high)), s.n])

        for age, updates in self.updates.items():
            for k, of_labels in self.scores[age].items():
                rows(["drawn", age, updates, k], of_labels)
        rows(["own", *list(self.updates.items())[-1], self.own_steps], self.own)
        rows(["real", "", "", ""], self.control)
        return text.getvalue()


def _mean(of_labels: dict[str, dict[str, Score]], name: str) -> float:
    values = [found[name].value for found in of_labels.values() if math.isfinite(found[name].value)]
    return sum(values) / len(values) if values else math.nan


def _plain(of_labels: dict[str, dict[str, Score]]) -> dict[str, Any]:
    def number(x: Any) -> Any:
        return None if isinstance(x, float) and not math.isfinite(x) else x

    return {
        label: {name: {key: number(x) for key, x in asdict(s).items()} for name, s in found.items()}
        for label, found in of_labels.items()
    }


def draw_scores(study: LabelStudy) -> bytes:
    """PNG of the three errors over sampling steps: of every label, drawn by the oldest model; their mean, at every age.

    Lines are draws at temperature 1, hollow marks the model's own draws. Where there are several ages, the accuracy of
    telling labels over age stands below.

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.

    References
    ----------
    Carbone et al. 2023, figures 3 and 7.
    """
    ages, oldest = _some(list(study.updates)), max(study.updates)
    columns = 2 if len(ages) > 1 else 1
    shown = list(study.counts) if len(study.counts) <= MAX_LABELS else []
    key_rows = -(-(len(shown) + 2) // 3)
    heights = [3.0] * len(ERRORS) + [0.25 + 0.2 * max(key_rows, 3)] + [2.6] * (columns - 1)
    with _canvas((5.2 * columns + 0.4, sum(heights))) as figure:
        ink = palette("light")
        grid = figure.add_gridspec(len(heights), columns, height_ratios=heights)
        for row, (name, heading) in enumerate(ERRORS.items()):
            by_label = figure.add_subplot(grid[row, 0])
            for number, label in enumerate(shown):
                values = [study.scores[oldest][k][label][name].value for k in study.steps]
                colour, dash, marker = _style(number)
                by_label.plot(
                    study.steps, values, color=colour, linestyle=dash, marker=marker, markersize=4, linewidth=1.4
                )
                value = study.own[label][name].value
                by_label.plot(study.own_steps, value, color=colour, **_OWN)
                if study.control:  # a stroke at the edge
                    value, across = study.control[label][name].value, by_label.get_yaxis_transform()
                    by_label.plot([0.96, 1], [value] * 2, color=colour, linewidth=2.2, transform=across)
            if not shown:
                values = [study.mean(oldest, k, name) for k in study.steps]
                by_label.plot(study.steps, values, color=ink["set0"], marker="o", markersize=4)
            _axes_of_steps(by_label, study, name, f"{heading}, {'by label' if shown else 'mean over labels'}")
            if columns == 1:
                continue
            by_age = figure.add_subplot(grid[row, 1], sharey=by_label)
            for age, colour in zip(ages, _shades(len(ages)), strict=True):
                values = [study.mean(age, k, name) for k in study.steps]
                by_age.plot(study.steps, values, color=colour, marker="o", markersize=4, linewidth=1.4)
            if study.control:
                by_age.axhline(study.mean_of_control(name), color=ink["real"], linestyle=(0, (4, 2)), linewidth=1.4)
            _axes_of_steps(by_age, study, name, f"{heading}, mean over labels")
        strokes: list[dict[str, Any]] = []
        for number in range(len(shown)):
            colour, dash, marker = _style(number)
            strokes.append({"color": colour, "linestyle": dash, "marker": marker, "markersize": 5})
        strokes += [{"color": ink["real"], "linestyle": "", **_OWN}] if shown else []
        strokes += [{"color": ink["real"], "linewidth": 2.2}] if study.control and shown else []
        key = [*(short(f"{label}, {study.counts[label]}", 24) for label in shown), "its own draws", "real rows (edge)"]
        _key(figure.add_subplot(grid[len(ERRORS), 0]), strokes, key[: len(strokes)])
        if columns == 2:
            strokes = [{"color": colour, "marker": "o", "markersize": 5} for colour in _shades(len(ages))]
            real = [{"color": ink["real"], "linestyle": (0, (4, 2))}] if study.control else []
            key = [f"{study.updates[age]:,} updates" for age in ages] + ["real rows"] * len(real)
            _key(figure.add_subplot(grid[len(ERRORS), 1]), strokes + real, key)
            _draw_accuracy(figure.add_subplot(grid[-1, :]), study)
        return _png(figure)


def draw_confusion(study: LabelStudy) -> bytes:
    """PNG of two matrices: labels of test haplotypes, and labels asked for, against those the oldest model tells.

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.

    References
    ----------
    Carbone et al. 2023, figure 5.
    """
    side = min(9.0, 3.4 + 0.28 * max(0, len(study.labels) - 5))
    with _canvas((2 * side + 1.2, side + 0.9)) as figure:
        panels = figure.subplots(1, 2)
        for axes, counts, what, rows in zip(
            panels,
            (study.confusion, study.asked),
            ("Test haplotypes", "Draws"),
            (f"{study.label} of the haplotype", f"{study.label} asked for"),
            strict=True,
        ):
            _draw_matrix(axes, counts, study.labels)
            right = counts.trace() / max(1, counts.sum())
            axes.set_title(f"{what}: {100 * right:.1f} % of {counts.sum():,} on the diagonal")
            axes.set_xlabel(f"{short(study.label, 30)} told by the model")
            axes.set_ylabel(short(rows, 40))
        return _png(figure)


def draw_components(study: LabelStudy) -> bytes:
    """PNG of test haplotypes and draws on the first two principal components, all in one and label by label.

    Large pale dots are test haplotypes, small rimmed ones draws, as many of every label; beside each panel stand the
    distributions along its axes, outlined of test haplotypes, filled of draws.

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.

    References
    ----------
    Carbone et al. 2023, figure 1.
    """
    shown = list(study.counts) if len(study.counts) <= MAX_LABELS else []
    columns = 3 if len(shown) <= 9 else 5
    rows = -(-len(shown) // columns)
    width, large = 10.5, 6.4
    small = (width - 0.2) / columns
    with _canvas((width, large + 0.92 * small * rows)) as figure:
        heights = [large] + [0.92 * small * rows] * bool(rows)
        parts = figure.subfigures(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0]
        every = np.concatenate([study.real, study.drawn])
        span = np.ptp(every, axis=0)
        margin = 0.04 * np.where(span > 0, span, 1)
        limits = list(zip(every.min(0) - margin, every.max(0) + margin, strict=True))
        axes = _with_marginals(parts[0], study, np.ones(len(study.codes), bool), limits, large=True)
        axes.set(
            xlabel=f"PC 1 ({100 * study.explained[0]:.1f} % of the variance)",
            ylabel=f"PC 2 ({100 * study.explained[1]:.1f} %)",
        )
        _key_of_components(parts[0], study, shown)
        if rows:
            cells = parts[1].subfigures(rows, columns, squeeze=False).ravel()
            for cell, label in zip(cells, shown, strict=False):
                member = study.codes == study.labels.index(label)
                axes = _with_marginals(cell, study, member, limits, large=False)
                cell.suptitle(
                    short(f"{label}, {study.counts[label]}", 28), x=0.02, ha="left", fontsize=10, weight="bold"
                )
        return _png(figure)


@contextmanager
def _canvas(size_inches: tuple[float, float]) -> Iterator[Figure]:
    """A figure to draw into, with our colours and letters."""
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise MissingDependencyError("matplotlib", "eval") from error

    ink = palette("light")
    settings: Any = {
        "text.usetex": False,
        "text.parse_math": False,  # names are names, never formulas
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titlelocation": "left",
        "axes.titleweight": "bold",
        "axes.edgecolor": ink["muted"],
        "axes.labelcolor": ink["ink"],
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "grid.color": ink["grid"],
        "xtick.color": ink["muted"],
        "ytick.color": ink["muted"],
        "text.color": ink["ink"],
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        yield Figure(figsize=size_inches, dpi=110, layout="constrained")


def _png(figure: Figure) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    stream = io.BytesIO()
    FigureCanvasAgg(figure).print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def _some(ages: list[int]) -> list[int]:
    """At most as many as lines can be told apart, the first and the last among them."""
    if len(ages) <= _MAX_AGES:
        return ages
    return [ages[i] for i in np.linspace(0, len(ages) - 1, _MAX_AGES).round().astype(int)]


def _style(number: int) -> tuple[str, Any, str]:
    """Colour, line and marker of a label."""
    turn, place = divmod(number, 6)
    return palette("light")[f"set{place}"], _DASHES[turn % len(_DASHES)], _MARKERS[turn % len(_MARKERS)]


def _shades(number: int) -> list[Any]:
    """Colours of rising age, from light to dark."""
    from matplotlib import colormaps

    return [colormaps["viridis_r"](x) for x in np.linspace(0.08, 0.98, number)]


def _axes_of_steps(axes: Axes, study: LabelStudy, name: str, title: str) -> None:
    axes.set_xscale("log")
    if any((np.nan_to_num(np.asarray(line.get_ydata(), np.float64)) > 0).any() for line in axes.lines):
        axes.set_yscale("log")  # on which an error of 0 has no mark
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_minor_formatter(lambda value, _: "")
    axes.axvline(study.own_steps, color=palette("light")["muted"], linestyle=":", linewidth=1, zorder=0)
    axes.grid(axis="y")
    axes.set(title=title, xlabel="sampling steps t_G", ylabel=SCORES[name])


def _key(axes: Axes, strokes: list[dict[str, Any]], names: list[str]) -> None:
    """A legend in axes of its own."""
    axes.axis("off")
    if not names:
        return
    lines = [axes.plot([], [], **stroke)[0] for stroke in strokes]
    # placeholders: a name that begins with _ would be dropped
    legend = axes.legend(lines, [str(i) for i in range(len(lines))], loc="upper center", ncols=3, frameon=False)
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)


def _draw_accuracy(axes: Axes, study: LabelStudy) -> None:
    ink = palette("light")
    x, y = list(study.updates.values()), list(study.accuracy.values())
    axes.plot(x, y, color=ink["set0"], marker="o", markersize=4)
    axes.annotate(f"{y[-1]:.3f}", (x[-1], y[-1]), xytext=(0, -6), textcoords="offset points", ha="right", va="top")
    axes.grid(axis="y")
    axes.set(
        title=f"Test haplotypes whose {short(study.label, 30)} is told rightly",
        xlabel="updates of the parameters",
        ylabel="share",
        ylim=(0, 1.03),
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")


def _draw_matrix(axes: Axes, counts: NDArray[np.int64], labels: list[str]) -> None:
    """Shares of every row in colour, counts in the cells where they have room."""
    ink = palette("light")
    shares = counts / np.maximum(1, counts.sum(1, keepdims=True))
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1, interpolation="nearest")
    size = 9 if len(labels) <= _MAX_NUMBERED else 6
    names = [short(label, 16) for label in labels]
    axes.set_yticks(np.arange(len(labels)), names, fontsize=size)
    axes.set_xticks(np.arange(len(labels)), names, fontsize=size)
    if len(labels) > 6 or max(len(name) for name in names) > 6:
        axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    if len(labels) > _MAX_NUMBERED:
        return
    for (i, j), count in np.ndenumerate(counts):
        if count:
            colour = "white" if shares[i, j] > 0.55 else ink["ink"]
            axes.text(j, i, f"{count:,}", ha="center", va="center", color=colour)


def _with_marginals(
    cell: Any, study: LabelStudy, member: NDArray[np.bool_], limits: list[tuple[float, float]], *, large: bool
) -> Axes:
    """A panel of these rows with distributions along its axes; its own axes."""
    ink = palette("light")
    grid = cell.add_gridspec(2, 2, width_ratios=(6, 1), height_ratios=(1, 6), wspace=0, hspace=0)
    axes: Axes = cell.add_subplot(grid[1, 0])
    turn = np.random.default_rng(0).permutation(np.flatnonzero(member))  # no label on top of all others
    colours = np.array([_style(code)[0] for code in range(len(study.labels))])[study.codes[turn]]
    size = 26 if large else 20
    axes.scatter(study.real[turn, 0], study.real[turn, 1], s=size, c=colours, alpha=0.3, linewidths=0)
    axes.scatter(
        study.drawn[turn, 0], study.drawn[turn, 1], s=0.45 * size, c=colours, edgecolors=ink["ink"], linewidths=0.5
    )
    axes.set(xlim=limits[0], ylim=limits[1])
    for place, along in ((grid[0, 0], 0), (grid[1, 1], 1)):
        side = cell.add_subplot(place)
        bins = np.linspace(*limits[along], _NUM_BINS + 1)
        how: dict[str, Any] = {"bins": bins, "orientation": ("vertical", "horizontal")[along]}
        side.hist(study.drawn[member, along], color=_DRAWN, alpha=0.45, **how)
        side.hist(study.real[member, along], histtype="step", color=ink["ink"], linewidth=1, **how)
        (side.set_xlim, side.set_ylim)[along](limits[along])
        side.axis("off")
    if not large:
        axes.tick_params(labelbottom=False, labelleft=False, length=0)
    return axes


def _key_of_components(part: Any, study: LabelStudy, shown: list[str]) -> None:
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    ink = palette("light")
    handles: list[Any] = [
        Line2D([], [], linestyle="", marker="o", markersize=6, color=_style(study.labels.index(label))[0])
        for label in shown
    ]
    handles += [
        Line2D([], [], linestyle="", marker="o", markersize=7, color=ink["muted"], alpha=0.4, markeredgewidth=0),
        Line2D([], [], linestyle="", marker="o", markersize=5, color=ink["muted"], markeredgecolor=ink["ink"]),
        Patch(facecolor="none", edgecolor=ink["ink"]),
        Patch(facecolor=_DRAWN, alpha=0.45),
    ]
    names = [
        *(short(label, 20) for label in shown),
        "test haplotype",
        "draw",
        "test haplotypes along an axis",
        "draws along an axis",
    ]
    columns = 1 if len(names) <= 16 else 2
    legend = part.legend(
        handles, [str(i) for i in range(len(names))], frameon=False, loc="outside right upper", ncols=columns
    )
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_text(name)

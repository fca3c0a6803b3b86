"""Pictures of hidden spaces: of a Boltzmann machine with what its units stand for, and of rows in the plane."""

from __future__ import annotations

import io
import itertools
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.report.figures import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_COLUMNS = 1000  # of a picture of weights; more sites are drawn by the strongest of each run of them
MAX_LABELS = 30
"""More are not named in the picture."""
_LEGEND_ROWS = 15
_MARKERS = "osD^v"


@dataclass(frozen=True)
class LatentSpace:
    """What `draw_latent` shows.

    Attributes
    ----------
    coordinates : float64 (n, k), haplotypes along the k leading hidden singular vectors of the weights
    values : float64, all singular values, falling
    means : float32 (n, num_hidden), means of the hidden units given each haplotype
    weights : float64 (num_sites, num_hidden)
    label : str or None, the name of `labels`
    labels : (n,), values that haplotypes are coloured by; None without
    """

    coordinates: NDArray[np.float64]
    values: NDArray[np.float64]
    means: NDArray[np.float32]
    weights: NDArray[np.float64]
    label: str | None
    labels: NDArray[Any] | None


def activation_by_label(
    means: NDArray[np.float32], labels: NDArray[Any]
) -> tuple[list[str], NDArray[np.float64], NDArray[np.int64]]:
    """Mean activation of hidden units by label, less that of all haplotypes.

    Returns
    -------
    names : list of str, sorted
    difference : float64 (num_labels, num_hidden)
    order : int64 (num_hidden,), units by the label that they are most active in, there by falling difference
    """
    names = np.unique(labels)
    difference = np.array([means[labels == name].mean(0, dtype=np.float64) for name in names])
    difference -= means.mean(0, dtype=np.float64)
    return [str(name) for name in names], difference, np.lexsort((-difference.max(0), difference.argmax(0)))


def strongest_by_run(weights: NDArray[np.float64], most: int = _MAX_COLUMNS) -> NDArray[np.float64]:
    """(num_hidden, columns <= most): of every run of consecutive sites the weight of the greatest size."""
    num_sites, num_hidden = weights.shape
    edges = np.linspace(0, num_sites, min(most, num_sites) + 1).astype(int)
    found = np.empty((num_hidden, len(edges) - 1))
    for i, (a, b) in enumerate(itertools.pairwise(edges)):
        found[:, i] = weights[a + np.abs(weights[a:b]).argmax(0), np.arange(num_hidden)]
    return found


def draw_latent(space: LatentSpace) -> bytes:
    """PNG of haplotypes along the first four axes, singular values, activations of hidden units, and their weights.

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.
    """
    return _png((12, 13), lambda figure: _draw_latent(figure, space))


def draw_layouts(layouts: dict[str, NDArray[np.float64]], groups: dict[str, NDArray[Any]]) -> bytes:
    """PNG of rows in the plane: below each other by layout, side by side by what colours them.

    Parameters
    ----------
    layouts : float64 (n, 2) each, by heading
    groups : (n,) of values that rows are coloured by; rows whose value is "" are not drawn

    Raises
    ------
    MissingDependencyError
        Where matplotlib is not installed.
    """

    def draw(figure: Any) -> None:
        axes = figure.subplots(len(layouts), len(groups), squeeze=False)
        for row, (heading, points) in zip(axes, layouts.items(), strict=True):
            for one, (name, values) in zip(row, groups.items(), strict=True):
                known = values != ""
                _scatter(one, points[known], values[known], legend=True)
                one.set(title=f"{heading}, by {name}", xticks=[], yticks=[])

    return _png((6.5 * len(groups), 5.0 * len(layouts)), draw)


def _png(size: tuple[float, float], draw: Callable[[Any], None]) -> bytes:
    try:
        import matplotlib
        from matplotlib.backends.backend_agg import FigureCanvasAgg
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
        "axes.spines.top": False,
        "axes.spines.right": False,
        "text.color": ink["ink"],
    }
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
        figure = Figure(figsize=size, dpi=100, layout="constrained")
        draw(figure)
        canvas = FigureCanvasAgg(figure)
        stream = io.BytesIO()
        canvas.print_png(stream, metadata={"Software": None})
    return stream.getvalue()


def _draw_latent(figure: Any, space: LatentSpace) -> None:
    ink = palette("light")
    grid = figure.add_gridspec(4, 6, height_ratios=(5, 3, 4, 4))
    order = np.arange(space.means.shape[1])
    if space.labels is not None:
        names, difference, order = activation_by_label(space.means, space.labels)
    pairs = [pair for pair in ((0, 1), (2, 3)) if pair[1] < space.coordinates.shape[1]] or [(0, 0)]
    for k, pair in enumerate(pairs):
        axes = figure.add_subplot(grid[0, 3 * k : 3 * k + 3])
        _scatter(axes, space.coordinates[:, list(pair)], space.labels, legend=k == len(pairs) - 1)
        a, b = (i + 1 for i in pair)
        axes.set(title=f"Haplotypes on hidden axes {a} and {b}", xlabel=f"axis {a}", ylabel=f"axis {b}")
    axes = figure.add_subplot(grid[1, :3])
    axes.plot(np.arange(1, len(space.values) + 1), space.values, ".-", color=ink["set0"], markersize=3)
    axes.set(title="Singular values of the weights", xlabel="axis", ylabel="value")
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes = figure.add_subplot(grid[1, 3:])
    axes.hist(space.means.mean(0), bins=40, color=ink["set0"])
    axes.set(title="Mean activations of hidden units", xlabel="mean over haplotypes", ylabel="units")
    axes = figure.add_subplot(grid[2, :])
    if space.labels is not None:
        _map(axes, difference[:, order], "less the mean of all")
        if len(names) <= MAX_LABELS:
            axes.set_yticks(
                np.arange(len(names)),
                [name[:20] for name in names],
                fontsize=9 if len(names) <= _LEGEND_ROWS else 6,
            )
        by = f"Activation of hidden units by {space.label}"
    else:
        _map(axes, space.means - space.means.mean(0), "less the mean of all")
        axes.set_ylabel("haplotype")
        by = "Activation of hidden units"
    axes.set(title=by, xlabel="hidden unit" + (", by the label it is most active in" if space.label else ""))
    axes = figure.add_subplot(grid[3, :])
    _map(axes, strongest_by_run(space.weights)[order], "weight", across=len(space.weights))
    axes.set(title="Weights: which sites a hidden unit reads", xlabel="site", ylabel="hidden unit, as above")


def _scatter(axes: Axes, points: NDArray[np.float64], labels: NDArray[Any] | None, *, legend: bool) -> None:
    ink = palette("light")
    names = [None] if labels is None else np.unique(labels).tolist()
    few = [ink[f"set{i}"] for i in range(6)]
    for i, name in enumerate(names):
        x, y = points[slice(None) if name is None else labels == name].T
        marker = _MARKERS[i // len(few) % len(_MARKERS)]
        axes.scatter(x, y, s=7, color=few[i % len(few)], marker=marker, alpha=0.5, linewidths=0)
    if legend and labels is not None and len(names) <= MAX_LABELS:
        found = axes.legend(
            axes.collections,
            [str(i) for i in range(len(names))],  # placeholders: a label that begins with _ would be dropped
            loc="center left",
            bbox_to_anchor=(1.0, 0.5),
            frameon=False,
            markerscale=2,
            ncols=-(-len(names) // _LEGEND_ROWS),
        )
        for text, name in zip(found.get_texts(), names, strict=True):
            text.set_text(str(name)[:20])


def _map(axes: Axes, values: NDArray[Any], name: str, *, across: int | None = None) -> None:
    """Values in colours around 0, which is white; the strongest hundredth share the last shade."""
    limit = float(np.quantile(np.abs(values), 0.99)) or 1.0
    extent = (-0.5, (values.shape[1] if across is None else across) - 0.5, len(values) - 0.5, -0.5)
    image = axes.imshow(
        values, aspect="auto", cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest", extent=extent
    )
    axes.figure.colorbar(image, ax=axes, label=name, pad=0.01, fraction=0.03)

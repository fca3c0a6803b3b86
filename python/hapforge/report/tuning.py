"""What a study of settings found, as plain data, and its page: trials, the best one, what each setting weighs."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hapforge.report.figures import Figure, Panel, Series, Style
from hapforge.report.figures._base import NAME_WIDTH, short, widened
from hapforge.report.html import number, page

Value = int | float | str
State = Literal["complete", "pruned", "diverged", "leak", "refused"]
STATES: dict[str, str] = {
    "complete": "trained to its end",
    "pruned": "stopped early, below the median of the trials before",
    "diverged": "training did not converge",
    "leak": "too near to training persons from its first evaluation on",
    "refused": "the model does not take these settings together",
}
QUALITIES = {"af": "AF", "ld": "LD", "pca": "PCA", "aa_truth": "AA truth", "aa_syn": "AA syn"}
_ENDED, _PRUNED, _BEST = Style("complete", "set0"), Style("pruned", "muted"), Style("best", "set1")
_CHANCE = Style("by chance", "muted")
_EDGE = 0.03


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included, drawn evenly, or with `log` evenly by their logarithm."""

    low: float
    high: float
    log: bool = False

    def __str__(self) -> str:
        return f"{self.low:.4g} to {self.high:.4g}{' (log)' if self.log else ''}"

    def place(self, value: float) -> float:
        """Where a value lies, from 0 to 1."""
        if self.log:
            return math.log(value / self.low) / math.log(self.high / self.low)
        return (value - self.low) / (self.high - self.low)


Space = Range | tuple[Value, ...]


@dataclass(frozen=True)
class Trial:
    """One set of settings and what came of it.

    Attributes
    ----------
    number : int, from 0 on; 0 has the model's own choice
    state : one of `STATES`
    aggregate : float, of the draws of the best model of this trial, or of one that was pruned so far; None: no model
    epoch, epochs, num_epochs : int, after which that model is kept, done, planned
    seconds : float, of training and evaluation
    parameters : {setting: value} that the study chose
    scores, qualities : of that model, as in `evaluation.Monitor`
    history : [epoch, aggregate] of every evaluation during training
    reason : str, why it did not end well; ""
    """

    number: int
    state: State
    aggregate: float | None
    epoch: int
    epochs: int
    num_epochs: int
    seconds: float
    parameters: dict[str, Value]
    scores: dict[str, float | None]
    qualities: dict[str, float]
    history: list[tuple[int, float]]
    reason: str = ""


@dataclass(frozen=True)
class Importance:
    """What a setting weighs.

    Attributes
    ----------
    share : float, of what all settings weigh
    chance : float, which is reached or passed in one shuffling of the results in twenty
    """

    share: float
    chance: float


@dataclass(frozen=True)
class TuningData:
    """A study of settings.

    Attributes
    ----------
    model : str, its name
    search : {setting: Range or choices}
    settings : {setting: value} of the whole config where nothing is searched: given, or the model's own choice
    monitor : {name: value}, how trials are judged: persons held out, epochs between evaluations ...
    trials : in their order
    num_trials : int, asked for in all
    importances : {setting: Importance}, heaviest first; empty where there are too few trials
    num_train, num_validation, num_sites : int, haplotypes and sites
    notes : remarks a reader must see
    provenance : where it comes from
    """

    model: str
    search: dict[str, Space]
    settings: dict[str, Value]
    monitor: dict[str, Any]
    trials: list[Trial]
    num_trials: int
    importances: dict[str, Importance]
    num_train: int
    num_validation: int
    num_sites: int
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def best(self) -> Trial | None:
        """The complete trial of the highest aggregate, the first of equal ones."""
        return max(self.of("complete"), key=lambda trial: trial.aggregate or 0.0, default=None)

    def of(self, state: State) -> list[Trial]:
        return [trial for trial in self.trials if trial.state == state]

    @property
    def counts(self) -> str:
        """How many trials ended how, in words."""
        found = {state: len(self.of(state)) for state in get_args(State)}
        return ", ".join(f"{count} {state}" for state, count in found.items() if count)

    def at_edges(self) -> list[str]:
        """Settings of the best trial that lie at an end of their range."""
        if self.best is None:
            return []
        ranges = {name: space for name, space in self.search.items() if isinstance(space, Range)}
        place = {name: space.place(float(self.best.parameters[name])) for name, space in ranges.items()}
        return [name for name, at in place.items() if not _EDGE <= at <= 1 - _EDGE]

    def to_html(self) -> str:
        """The page, which needs nothing else.

        Raises
        ------
        MissingDependencyError
            Where plotly or matplotlib is not installed.
        """
        drawn = self.of("complete") or self.of("pruned")
        figures = {
            "Aggregate": [_history(self), _curves(self)] if drawn else [],
            "Weight of each setting": _importance(self),
            "Aggregate by setting": _slices(self) if drawn else [],
        }
        return page(
            "tuning.html.j2",
            {heading: found for heading, found in figures.items() if found},
            self.provenance,
            data=self,
            states=STATES,
            settings=_settings(self),
            headings=[*QUALITIES.values(), "privacy"],
            rows=[_row(self, trial) for trial in self.trials],
        )


def value_text(value: Value | None) -> str:
    """A setting as it is shown: numbers with four significant digits."""
    return "" if value is None else f"{value:.4g}" if isinstance(value, float) else str(value)


def _settings(data: TuningData) -> list[dict[str, str]]:
    best = {} if data.best is None else data.best.parameters
    first = data.trials[0].parameters if data.trials else {}
    return [
        {
            "name": name,
            "best": value_text(best.get(name)),
            "own": value_text(first.get(name)),
            "space": str(space) if isinstance(space, Range) else ", ".join(map(value_text, space)),
        }
        for name, space in data.search.items()
    ]


def _row(data: TuningData, trial: Trial) -> dict[str, Any]:
    numbers = [trial.qualities.get(name) for name in QUALITIES] + [trial.scores.get("privacy")]
    return {
        "number": trial.number,
        "is_best": trial is data.best,
        "state": trial.state,
        "reason": trial.reason,
        "aggregate": _short(trial.aggregate),
        "numbers": [_short(value) for value in numbers],
        "epochs": f"{trial.epoch} of {trial.epochs}" if trial.epoch else str(trial.epochs),
        "seconds": f"{trial.seconds:,.0f}" if trial.seconds >= 10 else f"{trial.seconds:.1f}",
        "parameters": [value_text(trial.parameters[name]) for name in data.search],
    }


def _short(value: float | None) -> str:
    return "" if value is None else number(value, 3)


def _history(data: TuningData) -> Figure:
    x, y = _points(data.of("complete"), lambda trial: trial.number)
    top = np.maximum.accumulate(y)
    last = max(trial.number for trial in data.trials)
    stairs_x, stairs_y = np.repeat(np.append(x, last), 2)[1:-1], np.repeat(top, 2)
    series = [
        Series("line", "best so far", _BEST, stairs_x, stairs_y),
        *_by_state(data, lambda trial: float(trial.number)),
    ]
    best = "" if data.best is None else f" The best is trial {data.best.number}, {data.best.aggregate:.3f}."
    return Figure(
        "history",
        "Aggregate",
        "1 is a set that is as good as real haplotypes. A line that still climbs at its end asks for more trials.",
        "Trial 0 has the model's own choice of settings, or what is nearest to it in the space that was searched. "
        "A pruned trial stands at the best it had reached.",
        f"Aggregate of {len(data.trials)} trials: {data.counts}.{best}",
        [Panel("", "trial", "aggregate", series, y_range=_range(data), legend=True)],
    )


def _curves(data: TuningData) -> Figure:
    best = data.best
    others = [trial for trial in data.of("complete") if trial is not best]
    groups = [(_PRUNED, data.of("pruned")), (_ENDED, others), (_BEST, [] if best is None else [best])]
    series = [Series("line", style.label, style, *_joined(trials)) for style, trials in groups if trials]
    values = [value for trial in data.trials for _, value in trial.history]
    return Figure(
        "curves",
        "During training",
        "Curves that rise to their end want more epochs; those that fall before it have been trained too long.",
        "Aggregate of the draws during training, whose temperature is 1 where it is chosen after training.",
        f"Aggregate of {len(data.trials)} trials over their epochs.",
        [Panel("", "% of the epochs", "aggregate", series, y_range=widened(values), legend=True)],
    )


def _importance(data: TuningData) -> list[Figure]:
    if not data.importances:
        return []
    names = list(data.importances)
    place = np.arange(len(names), dtype=np.float64)
    share, chance = (
        np.array([getattr(data.importances[name], part) for name in names]) for part in ("share", "chance")
    )
    series = [
        Series("bars", "weight", _ENDED, share, place),
        Series("bars", _CHANCE.label, _CHANCE, chance, place + 0.3, pale=True),
    ]
    words = ", ".join(f"{name} {share:.2f}" for name, share in zip(names, share.tolist(), strict=True))
    figure = Figure(
        "importance",
        "Weight of each setting",
        "What moves the aggregate: a bar that is not well above the hollow one below it says nothing.",
        "PED-ANOVA (Watanabe, Bansal, Hutter 2023) of Optuna: how far the settings of the best quarter of the trials "
        "lie from those of all; shares of 1. Hollow: what one shuffling of the results in twenty reaches.",
        f"Weights: {words}.",
        [
            Panel(
                "",
                "share of the weight",
                "",
                series,
                x_range=(0.0, 1.0),
                y_range=(len(names) - 0.3, -0.6),
                names=tuple(names),
                legend=True,
            )
        ],
    )
    return [figure]


def _slices(data: TuningData) -> list[Figure]:
    panels = [_slice(data, name, space) for name, space in data.search.items()]
    figure = Figure(
        "slices",
        "Aggregate by setting",
        "Where the highest points lie. A best one at the border of its panel asks for a wider search.",
        "All other settings differ, too, between the points of a panel.",
        f"Aggregate of the trials over {', '.join(data.search)}.",
        panels,
    )
    return [figure]


def _slice(data: TuningData, name: str, space: Space) -> Panel:
    if isinstance(space, Range):
        series = _by_state(data, lambda trial: float(trial.parameters[name]))
        return Panel(name, "", "aggregate", series, y_range=_range(data), log_x=space.log, legend=True)
    series = [
        Series("points", one.name, one.style, one.y, one.x, large=True)
        for one in _by_state(data, lambda trial: float(space.index(trial.parameters[name])))
    ]
    labels = tuple(short(value_text(choice), NAME_WIDTH) for choice in space)
    y_range = (len(space) - 0.3, -0.6)
    return Panel(name, "aggregate", "", series, x_range=_range(data), y_range=y_range, names=labels, legend=True)


def _by_state(data: TuningData, x: Any) -> list[Series]:
    """The trials that have an aggregate as points, in the colour of their state; the best one on its own."""
    others = [trial for trial in data.of("complete") if trial is not data.best]
    groups = [(_PRUNED, data.of("pruned")), (_ENDED, others), (_BEST, [] if data.best is None else [data.best])]
    return [Series("points", style.label, style, *_points(trials, x), large=True) for style, trials in groups if trials]


def _points(trials: Iterable[Trial], x: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    found = [(x(trial), trial.aggregate) for trial in trials if trial.aggregate is not None]
    pairs = np.array(found, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _joined(trials: Sequence[Trial]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curves of trials as one, with gaps between."""
    gap = (math.nan, math.nan)
    found = [
        pair
        for trial in trials
        for pair in (*((100 * epoch / trial.num_epochs, value) for epoch, value in trial.history), gap)
    ]
    pairs = np.array(found, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _range(data: TuningData) -> tuple[float, float]:
    return widened([trial.aggregate for trial in data.trials if trial.aggregate is not None])

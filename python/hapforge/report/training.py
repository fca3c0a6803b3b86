"""How a training went, as plain data from its run folder, and its page: losses and scores over epochs, settings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import FormatError
from hapforge.models import _store, by_name
from hapforge.models._run import read_log, read_run
from hapforge.report.figures import Figure, Panel, Series, Style
from hapforge.report.figures._base import REAL, widened
from hapforge.report.html import number, page
from hapforge.report.tuning import QUALITIES

MAX_EPOCHS_AS_POINTS = 2_000  # of more, means of several are drawn
_LOG_FROM = 100  # a positive curve whose largest value is so many times its smallest has a logarithmic axis
_NOT_CURVES = ("epoch", "seconds", "generator_updates")
_TRAIN, _VALIDATION, _ALONE = Style("training rows", "set0"), Style("validation rows", "set1"), Style("", "set0")
_DRAWS, _BEST = Style("draws", "set0"), Style("best epoch", "set1")
_QUALITY_COLOURS = ("set0", "set2", "set3", "set4", "set5")
_ROWS = {"train": _TRAIN, "validation": _VALIDATION}

# Of what models log, without _train and _validation or a number behind it: heading, and how to read it.
METRICS = {
    "loss": (
        "Loss",
        "Of a diffusion the mean squared error of what its network predicts: 1 is no better than nothing.",
    ),
    "noise_error": (
        "Error of the noise",
        "Mean squared error of the predicted noise, over all levels of it, by the running mean of the weights.",
    ),
    "one_shot_error": (
        "One-shot error",
        "Root mean squared error of rows that are denoised in one step, over all levels of noise; 1 is no better than "
        "the mean of all.",
    ),
    "critic_loss": (
        "Critic loss",
        "Without the penalty. Of a WGAN minus the distance that the critic sees between draws and training rows, which "
        "should shrink to 0; of a GAN 1.39 (2 ln 2) where it cannot tell them, 0 where it always does.",
    ),
    "penalty": ("Penalty of the critic", "Not weighted. Small beside the loss once training has settled."),
    "generator_loss": (
        "Generator loss",
        "Of a GAN 0.69 (ln 2) where the critic cannot tell draws; of a WGAN its level says nothing, jumps do.",
    ),
    "score": (
        "Score of the critic",
        "Mean of what the critic gives to real rows. Training rows well above validation rows: it knows them by heart.",
    ),
    "log_loss": ("Reconstruction loss", "Negative log likelihood of a training row, given its latent values, in nats."),
    "divergence": ("KL divergence", "Of latent values from their prior, in nats a row. At 0 the rows are not in them."),
    "elbo": (
        "ELBO",
        "Lower bound of the log likelihood of a row, in nats. Validation rows that fall behind are overfitting.",
    ),
    "frequency_gap": (
        "Frequency gap",
        "Mean difference of the allele frequencies of training rows and of the model's chains.",
    ),
    "largest_weight": ("Largest weight", "By its size. A sudden rise is a training that diverges."),
    "singular_value": (
        "Largest singular values of the weights",
        "Directions that have been learnt; they part from the rest one after the other.",
    ),
    "rate_factor": ("Factor of the learning rate", "Halved where the largest singular value grew too fast."),
    "free_energy": (
        "Free energy",
        "Mean over rows, lower is likelier. A gap between training and validation rows that grows is overfitting.",
    ),
    "label_chains_right": (
        "Labels told in training",
        "Share of the chains from haplotypes to labels that end right.",
    ),
    "label_accuracy": ("Labels told", "Share of the validation rows whose label the model tells."),
}
SCORES = {
    "af_r": "AF r",
    "af_r_low": "AF r, frequency ≤ 0.2",
    "ld_score": "LD score",
    "pca_wasserstein": "PCA Wasserstein",
    "aa_truth": "AA truth",
    "aa_syn": "AA syn",
    "privacy": "privacy score",
}


@dataclass(frozen=True)
class TrainingData:
    """A training that has ended, or was interrupted.

    Attributes
    ----------
    model : str, its name
    logs : the lines of every log, of epochs 1, 2 ...; one, or one a window of a chain
    evaluations : the lines of the monitor's log; empty without a monitor
    settings : {setting: value}, as they were in the end
    published : {setting: value} of the preset that was used; empty without
    num_epochs : int, planned
    seconds : float, of training, without evaluations
    training : {name: value}, what the model tells of it: haplotypes, sites, date ...; empty where it was interrupted
    notes : remarks a reader must see
    provenance : where it comes from
    """

    model: str
    logs: list[list[dict[str, Any]]]
    evaluations: list[dict[str, Any]]
    settings: dict[str, Any]
    published: dict[str, Any]
    num_epochs: int
    seconds: float
    training: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def epochs_done(self) -> int:
        """Of one log; of a chain those of all its windows."""
        return sum(map(len, self.logs))

    @property
    def best(self) -> dict[str, Any] | None:
        """The evaluation of the best epoch; None without a monitor."""
        if not self.evaluations:
            return None
        epoch = self.evaluations[-1]["best_epoch"]
        return next(entry for entry in self.evaluations if entry["epoch"] == epoch)

    def to_html(self) -> str:
        """The page, which needs nothing else.

        Raises
        ------
        MissingDependencyError
            Where plotly or matplotlib is not installed.
        """
        groups = {"Losses": [_losses(self)]}
        if "denoising" in self.training:
            groups["Denoising"] = [_denoising(self)]
        if self.evaluations:
            groups["Evaluations"] = [_aggregate(self), _scores(self)]
        return page(
            "training.html.j2",
            groups,
            {**self.provenance, "settings": _settings(self)},
            data=self,
            facts=_facts(self),
            scores=_score_rows(self),
            metrics={METRICS[base][0]: METRICS[base][1] for base in _curves(self.logs) if base in METRICS},
        )


def read_training(run: Path) -> TrainingData:
    """What the run folder of a training says of it.

    Parameters
    ----------
    run : folder that `models` wrote; that of a chain, too

    Raises
    ------
    FormatError, ChecksumError
        No run, or a log that is not there, empty or damaged.
    """
    record = read_run(run)
    described = run / _store.DESCRIPTION
    notes, logs = [], []
    if described.is_file():
        description = _store.read_json(described)
        _store.check_seal(described, description)
    else:
        description = {"config": record["config"], "training": {}}
        notes.append("This training was interrupted: there is no model yet, and --resume goes on from the checkpoint.")
    folders = sorted(path.parent for path in run.glob(f"{_store.WINDOWS}/*/{_store.LOG}")) or [run]
    for folder in folders:
        log = folder / _store.LOG
        if not log.is_file():
            raise FormatError(log, "the log of a training", "none")
        entries, torn = read_log(folder)
        if not entries:
            raise FormatError(log, "a line for every epoch", "none")
        if torn:
            notes.append(f"The last line of {log.relative_to(run)} is not whole and is left out.")
        logs.append(entries)
    evaluations: list[dict[str, Any]] = []
    if (run / _store.MONITOR_LOG).is_file():
        evaluations, torn = _store.read_sealed_lines(run / _store.MONITOR_LOG)
        if torn:
            notes.append(f"The last line of {_store.MONITOR_LOG} is not whole and is left out.")
    said, training = dict(record.get("notes", {})), dict(description["training"])
    presets: Mapping[str, Mapping[str, Any]] = by_name(str(record["model"])).PRESETS
    return TrainingData(
        model=str(record["model"]),
        logs=logs,
        evaluations=evaluations,
        settings=dict(description["config"]),
        published=dict(presets.get(str(said.get("preset")), {})),
        num_epochs=int(description["config"]["epochs"]) * len(logs),
        seconds=sum(float(entries[-1]["seconds"]) for entries in logs),
        training=training,
        notes=notes,
        provenance={
            **({"hapforge": description["hapforge"], "date": training["date"]} if training else {}),
            "seed": record["seed"],
            "data_sha256": record["data_sha256"],
            **said,
        },
    )


def _facts(data: TrainingData) -> dict[str, str]:
    """What was trained on what, in words."""
    said = data.provenance
    facts: dict[str, Any] = {
        "data": said.get("data"),
        "checksum of the training rows (SHA-256)": said.get("data_sha256"),
        "training haplotypes": data.training.get("num_haplotypes"),
        "sites": data.training.get("num_sites"),
        "share of the persons held out": said.get("validation") or None,
        "seed": said.get("seed"),
        "preset": said.get("preset"),
        "windows": len(data.logs) if len(data.logs) > 1 else None,
        "epochs": f"{data.epochs_done:,} of {data.num_epochs:,}",
        "seconds of training": data.seconds,
        "seconds an epoch": data.seconds / data.epochs_done,
        "updates of the generator": sum(entry.get("generator_updates", 0) for entry in data.logs[0]) or None,
        "evaluations": len(data.evaluations) or None,
        "seconds of evaluations": sum(entry["seconds"] for entry in data.evaluations) or None,
    }
    return {name: _text(value) for name, value in facts.items() if value is not None}


def _settings(data: TrainingData) -> dict[str, str]:
    """The model's settings, beside them those of the preset where they differ."""
    return {
        name: _text(value)
        + (f" (preset: {_text(data.published[name])})" if data.published.get(name, value) != value else "")
        for name, value in data.settings.items()
    }


def _text(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e4 else f"{value:,.0f}"
    return "" if value is None else f"{value:,}" if isinstance(value, int) else str(value)


def _score_rows(data: TrainingData) -> list[dict[str, str]]:
    """Every score at the best epoch, at the last one, and of real rows."""
    if data.best is None:
        return []
    best, last = data.best, data.evaluations[-1]
    rows = [{"name": "aggregate", "best": _score(best["aggregate"]), "last": _score(last["aggregate"]), "real": ""}]
    for name, heading in SCORES.items():
        found = (best["scores"], last["scores"], best["control"])
        texts = (_score(scores.get(name)) for scores in found)
        rows.append({"name": heading, **dict(zip(("best", "last", "real"), texts, strict=True))})
    return rows


def _score(value: float | None) -> str:
    return "–" if value is None else number(value, 4)


# Figures --------------------------------------------------------------------------------------------------------

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]


def _losses(data: TrainingData) -> Figure:
    curves = _curves(data.logs)
    step = _step(data.logs)
    windows = " A curve for each window of the chain." if len(data.logs) > 1 else ""
    means = f" Each point is the mean of {step} epochs." if step > 1 else ""
    return Figure(
        "losses",
        "Losses",
        "Whether training goes on evenly and has come to rest at its end, and whether held-out rows keep up.",
        f"What the log of the run has: means over an epoch, or values after it.{windows}{means}",
        f"{', '.join(_heading(base) for base in curves)} over {data.epochs_done} epochs.",
        [_loss_panel(base, parts) for base, parts in curves.items()],
    )


def _denoising(data: TrainingData) -> Figure:
    found = data.training["denoising"]
    styles = {"training": _TRAIN, "validation": _VALIDATION}
    panels = []
    for name, heading, x, x_label in (
        ("loss", "Error of the noise", "noise", "share of noise"),
        ("error", "One-shot error", "noise", "share of noise"),
        ("share_of_cnn", "Share of the CNN", "step", "step"),
    ):
        series = [
            Series("line", styles[rows].label, styles[rows], np.array(values[x]), np.array(values[name]))
            for rows, values in found.items()
            if name in values and (name != "share_of_cnn" or rows == "training")
        ]
        if series:
            panels.append(Panel(heading, x_label, "", series, log_y=name == "error", legend=name != "share_of_cnn"))
    return Figure(
        "denoising",
        "Denoising",
        "How much of a row comes back from how much noise, in one step. Validation rows that come back worse are a "
        "sign of overfitting.",
        "Mean squared error of the predicted noise, and root mean squared error of the row that it implies, over what "
        "is no padding; share of noise is its part of the standard deviation. The share of the CNN is lambda(t).",
        "Errors of denoised rows by share of noise.",
        panels,
    )


def _curves(logs: Sequence[Sequence[Mapping[str, Any]]]) -> dict[str, dict[str, list[Curve]]]:
    """{what: {"train", "validation" or "": its curves}} of all that is logged; several are windows or numbered."""
    step = _step(logs)
    found: dict[str, dict[str, list[Curve]]] = {}
    for entries in logs:
        names = dict.fromkeys(name for entry in entries for name in entry if name not in _NOT_CURVES)
        for name in names:
            base, _, part = name.rpartition("_")
            if part not in _ROWS and not part.isdigit():
                base = name
            curve = _means([(entry["epoch"], entry[name]) for entry in entries if name in entry], step)
            found.setdefault(base, {}).setdefault(part if part in _ROWS else "", []).append(curve)
    return found


def _step(logs: Sequence[Sequence[Mapping[str, Any]]]) -> int:
    """Epochs that are drawn as one point."""
    return -(-max(map(len, logs)) // MAX_EPOCHS_AS_POINTS)


def _means(points: Sequence[tuple[int, float]], step: int) -> Curve:
    """Epochs and values, or with a step above 1 means of so many points, the last of fewer."""
    pairs = np.array(points, np.float64).reshape(-1, 2)
    starts = np.arange(0, len(pairs), step)
    sums = np.add.reduceat(pairs, starts)
    means = sums / np.diff([*starts, len(pairs)])[:, None]
    return means[:, 0], means[:, 1]


def _heading(base: str) -> str:
    return METRICS[base][0] if base in METRICS else base.replace("_", " ")


def _loss_panel(base: str, parts: dict[str, list[Curve]]) -> Panel:
    series = [_drawn(_ROWS.get(part, _ALONE), curves, _heading(base)) for part, curves in parts.items()]
    values = np.concatenate([one.y for one in series])
    log_y = _spans(values)
    y_range = None if log_y else widened(values[np.isfinite(values)].tolist())
    return Panel(_heading(base), "epoch", "", series, y_range=y_range, log_y=log_y, legend="" not in parts)


def _drawn(style: Style, curves: Iterable[Curve], name: str = "") -> Series:
    """Curves as one line with gaps between, or as points where none has two."""
    kept = list(curves)
    gap = np.full(1, math.nan)
    x, y = (np.concatenate([part for curve in kept for part in (curve[i], gap)][:-1]) for i in (0, 1))
    if max(len(curve[0]) for curve in kept) == 1:
        return Series("points", style.label or name, style, x, y, large=True)
    return Series("line", style.label or name, style, x, y)


def _spans(values: NDArray[np.float64]) -> bool:
    """Whether values ask for a logarithmic axis."""
    finite = values[np.isfinite(values)]
    return bool(len(finite) and finite.min() > 0 and finite.max() >= _LOG_FROM * finite.min())


def _aggregate(data: TrainingData) -> Figure:
    assert data.best is not None
    epoch, aggregate = data.best["epoch"], data.best["aggregate"]
    series = [
        _drawn(Style(heading, colour, "dot"), [_evaluated(data, "qualities", name)])
        for colour, (name, heading) in zip(_QUALITY_COLOURS, QUALITIES.items(), strict=True)
    ]
    line = np.array([(entry["epoch"], entry["aggregate"]) for entry in data.evaluations], np.float64)
    series += [
        _drawn(Style("aggregate", "real"), [(line[:, 0], line[:, 1])]),
        _mark(epoch, aggregate),
    ]
    return Figure(
        "aggregate",
        "Aggregate",
        "1 is a set that is as good as real haplotypes. A line that still climbs at its end asks for more epochs.",
        "The aggregate is the mean of five qualities, each cut off at 0 and 1: allele frequencies, LD, principal "
        "components, both parts of the adversarial accuracy. During training the temperature of draws is 1 where it is "
        "chosen at the end.",
        f"Aggregate of {len(data.evaluations)} evaluations; the best is {aggregate:.3f}, at epoch {epoch}.",
        [Panel("", "epoch", "", series, y_range=(-0.03, 1.03), legend=True)],
    )


def _scores(data: TrainingData) -> Figure:
    assert data.best is not None
    return Figure(
        "scores",
        "Scores",
        "How near each score comes to that of real haplotypes, and whether it stays there.",
        f"Draws, and as many real training rows, against the same {data.best['n']:,} validation rows. Real rows "
        "have no privacy score: above 0, draws are nearer to training rows than to validation rows.",
        f"{', '.join(SCORES.values())} over {data.epochs_done} epochs; the best epoch is {data.best['epoch']}.",
        [_score_panel(data, name) for name in SCORES if len(_evaluated(data, "scores", name)[0])],
    )


def _score_panel(data: TrainingData, name: str) -> Panel:
    best = data.best
    assert best is not None
    series = [_drawn(_DRAWS, [_evaluated(data, "scores", name)])]
    control = best["control"].get(name)
    if control is not None:
        last = float(max(data.evaluations[-1]["epoch"], 2))  # one epoch has a line, too
        style = Style("real rows", REAL.colour, "dash")
        series.append(Series("line", style.label, style, np.array([1.0, last]), np.full(2, control, np.float64)))
    if best["scores"][name] is not None:
        series.append(_mark(best["epoch"], best["scores"][name]))
    values = np.concatenate([one.y for one in series])
    log_y = _spans(values)
    y_range = None if log_y else widened(values.tolist())
    return Panel(SCORES[name], "epoch", "", series, y_range=y_range, log_y=log_y, legend=True)


def _evaluated(data: TrainingData, what: str, name: str) -> Curve:
    """Epochs and values, where there is one."""
    known = [(entry["epoch"], entry[what][name]) for entry in data.evaluations if entry[what].get(name) is not None]
    pairs = np.array(known, np.float64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _mark(epoch: int, value: float) -> Series:
    return Series("points", _BEST.label, _BEST, np.array([float(epoch)]), np.array([float(value)]), large=True)

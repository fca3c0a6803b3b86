"""Tuning: trials of a model's settings, each judged while it is trained, in a study that can be resumed."""

from __future__ import annotations

import dataclasses
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hapforge import models
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.evaluation.monitor import BEST, LOG, Monitor
from hapforge.evaluation.provenance import describe_run
from hapforge.evaluation.search_space import from_plain, inside, plain, space_of
from hapforge.evaluation.statistics import SCORES
from hapforge.evaluation.study_folder import STORAGE, TRIAL, StudyFolder, check_asked, read_study
from hapforge.haplotypes import HaplotypeMatrix, check_seed, seeded_order
from hapforge.models import _store
from hapforge.models._model import check_data
from hapforge.models._run import read_run
from hapforge.models._training import Diverged, TrainingState, stream_seed
from hapforge.report.tuning import Importance, Range, Space, State, Trial, TuningData, Value

VALIDATION, TRIALS = 0.2, 20
_NAME = "hapforge"
_ROWS = 1000  # that an evaluation draws, at most
_STEPS = 10  # at which trials are compared while they are trained
_FIRST_STEP = 3  # before which none is pruned
_AT_RANDOM, _UNPRUNED = 6, 4  # the first trials
_FEWEST_WEIGHED, _RELIABLE = 8, 20  # trials for importances, and for such as mean something
_TOP, _SHUFFLES, _CHANCE = 0.25, 100, 0.95


class _Pruned(Exception):
    """A trial that is no longer worth its time."""


def tune(
    model: str | type[models.Model],
    H: HaplotypeMatrix,
    folder: str | os.PathLike[str],
    *,
    trials: int = TRIALS,
    search: Mapping[str, Range | Sequence[Value]] | None = None,
    settings: Mapping[str, Value] | None = None,
    validation: float = VALIDATION,
    every: int = 0,
    patience: int = 0,
    leak: float | None = None,
    seed: int = 0,
    device: str = "auto",
    resume: bool = False,
    overwrite: bool = False,
    checkpoint_every: int = 10,
    on_epoch: Callable[[int, TrainingState], Any] | None = None,
    on_trial: Callable[[Trial], Any] | None = None,
    notes: Mapping[str, Any] | None = None,
) -> TuningData:
    """Search the settings with which a model draws best, by persons it is not trained on.

    Persons are split once. A trial trains on one part, with `Monitor`, which scores draws against the other; its result
    is the aggregate of the best model of its evaluations, as it draws in the end (where the temperature of draws is
    left open, that is chosen after training). Trial 0 has the model's own choice of everything, cut off to the space
    that is searched; the next five are drawn at random, and the others by a tree-structured Parzen estimator. Once
    four are complete, a trial is pruned at the first tenth of its epochs, from the third on, at which the best that it
    has reached is below the median of what the complete ones had there. Settings that are neither given nor searched
    are those that the model chooses for the training persons on its own. All trials have the seed of the study, so that
    ``hapforge train`` with the settings, seed and persons of a trial trains it again.

    A model that repeats training rows has a high aggregate, too. Training therefore ends at the first evaluation with a
    privacy score above `leak`, and the best model is one before it; a trial that is above it from the first on is left
    out. Training that diverges, and settings that the model does not take together, end a trial, not the study.

    A study is resumed from wherever it was killed, within a trial from its last checkpoint, and gives what an
    uninterrupted one gives. What is in its folder: `hapforge.evaluation.study_folder`.

    Parameters
    ----------
    model : name or class of a model that is trained by epochs and can be sampled meanwhile
    H : the cohort
    folder : path of the study's folder
    trials : int >= 1, in all, those before a resumption included
    search : {setting: `Range` or values to choose from}; others are those of the model's `SEARCH`, which are multiples
        of its own choice
    settings : {setting: value}, fixed
    validation : float in (0, 1), share of the persons that trials are judged by, as `HaplotypeMatrix.split` takes it
    every : int, epochs between evaluations; 0: a tenth of the trial's epochs
    patience : int, evaluations without a better one after which a trial ends; 0: never
    leak : float in [0, 1]; 0: no limit; None: 1 / sqrt(n) above what `evaluate` calls as good as real, of n rows that
        are judged (at most 1,000): two standard deviations of the privacy score of a set that does not leak
    seed : int in [0, 2**64)
    device, checkpoint_every : as in ``fit``
    resume : whether to go on with the study in `folder`; what `search` and `settings` leave out is as it was, all else
        must be what it was, but for `trials`, `device`, `checkpoint_every`
    overwrite : whether a study in `folder` is replaced
    on_epoch : called with a trial's number and its `TrainingState` after every epoch
    on_trial : called with every `Trial` once it has ended
    notes : plain values that ``tune.json`` keeps as they are (where the data came from ...)

    Returns
    -------
    TuningData

    Raises
    ------
    TypeError, ValueError
        Something other than a cohort, a model that cannot be tuned or fitted to it, an argument out of its range, too
        few persons, a folder of something else, another study than that which is resumed.
    FormatError, ChecksumError
        A study that is damaged.
    MissingDependencyError
        Optuna is not installed.

    References
    ----------
    Yelmen et al. 2023, Deep convolutional and conditional neural networks for large-scale genomic data generation,
    Discussion; Akiba et al. 2019, Optuna; Watanabe 2023, Tree-structured Parzen estimator; Watanabe, Bansal, Hutter
    2023, PED-ANOVA.
    """
    check_optuna()
    kind: Any = models.by_name(model) if isinstance(model, str) else model
    check_tunable(kind)
    seed = check_seed(seed)
    for name, value, least in (("trials", trials, 1), ("every", every, 0), ("patience", patience, 0)):
        if value < least:
            raise ValueError(f"{name}: expected {least} or more, found {value}")
    if not 0 < validation < 1:
        raise ValueError(f"validation: expected a share of the persons, above 0 and below 1, found {validation}")
    if leak is not None and not 0 <= leak <= 1:
        raise ValueError(f"leak: expected 0 to 1, found {leak}")
    given, asked = dict(settings or {}), dict(search or {})
    if resume:
        before = read_study(folder)["record"]
        check_asked(Path(folder), before, kind.name, given, {name: plain(found) for name, found in asked.items()})
        given = before["given"]
        asked = {name: from_plain(found) for name, found in before["search"].items()}
    made = kind(**given)
    check_data(made, H)
    train, held = H.split(validation, seed)
    if min(train.num_haplotypes, held.num_haplotypes) < 4:
        expected = "validation: expected 4 haplotypes or more on both sides"
        raise ValueError(f"{expected}, found {train.num_haplotypes} and {held.num_haplotypes}")
    if leak is None:
        rule = SCORES["privacy_score"].rule
        assert rule is not None
        leak = round(rule.close + min(_ROWS, train.num_haplotypes, held.num_haplotypes) ** -0.5, 3)
    made.planned_epochs(train)  # what is left open is chosen
    own = dataclasses.asdict(made.config)
    space = space_of(kind, own, given, asked)
    record = {
        "model": kind.name,
        "seed": seed,
        "data_sha256": H.sha256(),
        **made._identity(H),
        "validation": validation,
        "every": every,
        "patience": patience,
        "leak": leak,
        "given": given,
        "settings": own,
        "search": {name: plain(found) for name, found in space.items()},
    }
    said = {"command": "hapforge.evaluation.tune", "optuna": version("optuna"), **(notes or {})}
    more = {"notes": dict(notes or {}), "provenance": describe_run({"data": H}, seed, said)}
    with StudyFolder(folder, record, resume=resume, overwrite=overwrite) as place:
        if not resume:  # from here on it is a study
            place.write({**more, "num_trials": trials, "trials": []})
        with _opened(place.path / STORAGE) as study:
            tuner = _Tuner(place, study, kind, train, held, record, space, trials, device, checkpoint_every, more)
            return tuner.run(on_epoch, on_trial)


def check_optuna() -> Any:
    """The module; MissingDependencyError where it is not installed."""
    try:
        import optuna
    except ModuleNotFoundError as error:
        raise MissingDependencyError("optuna", "tune") from error
    return optuna


def check_tunable(kind: Any) -> None:
    """ValueError where a kind of model is not trained by epochs, or cannot be sampled meanwhile."""
    if not (hasattr(kind, "SEARCH") and kind.MONITORED):
        known = ", ".join(name for name in models.names() if hasattr(models.by_name(name), "SEARCH"))
        raise ValueError(f"model: expected one that can be judged while it is trained: {known}; found {kind.name!r}")


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Optuna's study in a SQLite file, closed at the end."""
    optuna = check_optuna()
    from sqlalchemy.exc import SQLAlchemyError
    from sqlalchemy.pool import NullPool

    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    storage = None
    try:
        try:
            # a path may hold what means something in an address
            how = {"creator": partial(sqlite3.connect, path), "poolclass": NullPool}
            storage = optuna.storages.RDBStorage("sqlite://", how)
            pruner = optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=_FIRST_STEP)
            study = optuna.create_study(
                storage=storage, study_name=_NAME, direction="maximize", pruner=pruner, load_if_exists=True
            )
        except RuntimeError as error:  # of another version
            raise FormatError(path, f"a study of Optuna {version('optuna')}", str(error)) from None
        yield study
    except (SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
        cause = getattr(error.__cause__ or error, "orig", None) or error
        raise FormatError(path, "a study of Optuna that can be read and written", str(cause)) from None
    finally:
        if storage is not None:
            storage.remove_session()
            storage.engine.dispose()
        optuna.logging.set_verbosity(verbosity)


class _Tuner:
    """A study with all that its trials need."""

    def __init__(
        self,
        place: StudyFolder,
        study: Any,
        kind: Any,
        train: HaplotypeMatrix,
        held: HaplotypeMatrix,
        record: dict[str, Any],
        space: dict[str, Space],
        num_trials: int,
        device: str,
        checkpoint_every: int,
        more: dict[str, Any],
    ) -> None:
        self._place, self._study, self._kind = place, study, kind
        self._train, self._held = train, held
        self._record, self._space, self._num_trials = record, space, num_trials
        self._fitting = {"device": device, "checkpoint_every": checkpoint_every}
        self._more = more
        self._seed: int = record["seed"]
        self._trials: list[Trial] = []  # that have ended

    def run(
        self, on_epoch: Callable[[int, TrainingState], Any] | None, on_trial: Callable[[Trial], Any] | None
    ) -> TuningData:
        """Trials until there are enough, that which was killed first."""
        from optuna.trial import Trial as OptunaTrial
        from optuna.trial import TrialState

        study, own = self._study, self._record["settings"]
        found = study.get_trials(deepcopy=False)
        self._trials = [_trial(trial.user_attrs["result"]) for trial in found if trial.state.is_finished()]
        if not found:
            study.enqueue_trial({name: inside(space, own[name]) for name, space in self._space.items()})
        self._write(self._data())
        while True:
            found = study.get_trials(deepcopy=False)
            begun = [trial.number for trial in found if not trial.state.is_finished()]
            number = begun[0] if begun else len(found)
            if not begun and number >= self._num_trials:
                break
            study.sampler = self._sampler(number)
            if begun and found[number].state == TrialState.RUNNING:
                storage = study._storage
                study_id = storage.get_study_id_from_name(study.study_name)
                trial = OptunaTrial(study, storage.get_trial_id_from_study_id_trial_number(study_id, number))
            else:
                self._place.drop_trial()
                trial = study.ask()
            result = self._result(trial, on_epoch)
            trial.set_user_attr("result", dataclasses.asdict(result))
            if result.state == "complete":
                self._keep_if_best(result)
                study.tell(trial, result.aggregate)
            else:  # what is told as pruned is avoided from then on; what failed is not looked at
                study.tell(trial, state=TrialState.PRUNED)
            self._place.drop_trial()
            self._trials.append(result)
            self._write(self._data())
            if on_trial is not None:
                on_trial(result)
        found = self._data(weighed=True)
        self._write(found)
        return found

    def _data(self, *, weighed: bool = False) -> TuningData:
        """What was found so far, with or without what each setting weighs."""
        record, trials = self._record, self._trials
        found = TuningData(
            model=record["model"],
            search=self._space,
            settings=record["settings"],
            monitor={name: record[name] for name in ("validation", "every", "patience", "leak")},
            trials=list(trials),
            num_trials=self._num_trials,
            importances=_importances(trials, self._space, self._seed) if weighed else {},
            num_train=self._train.num_haplotypes,
            num_validation=self._held.num_haplotypes,
            num_sites=self._train.num_sites,
            provenance=self._more["provenance"],
        )
        return dataclasses.replace(found, notes=self._notes(found))

    def _sampler(self, *path: int | str) -> Any:
        """A sampler of its own for each number that is drawn: what is drawn does not depend on what was before."""
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=stream_seed(self._seed, "tune", *path) % (1 << 32), n_startup_trials=_AT_RANDOM, constant_liar=False
        )

    def _parameters(self, trial: Any) -> dict[str, Value]:
        """The trial's settings, drawn where they are not there yet."""
        _ = trial.relative_params  # by the sampler of the trial
        found: dict[str, Value] = {}
        for name, space in self._space.items():
            self._study.sampler = self._sampler(trial.number, name)
            if not isinstance(space, Range):
                found[name] = trial.suggest_categorical(name, list(space))
            elif isinstance(space.low, int):
                found[name] = trial.suggest_int(name, space.low, int(space.high), log=space.log)
            else:
                found[name] = trial.suggest_float(name, space.low, space.high, log=space.log)
        return found

    def _result(self, trial: Any, on_epoch: Callable[[int, TrainingState], Any] | None) -> Trial:
        """Train and judge; a run that is there already is gone on with."""
        record, run = self._record, self._place.path / TRIAL
        parameters = self._parameters(trial)
        told = {"number": trial.number, "parameters": parameters}
        try:
            made = self._kind(**{**record["settings"], **parameters})
        except ValueError as error:
            return _failed("refused", str(error), told)
        num_epochs = made.planned_epochs(self._train)
        told["num_epochs"] = num_epochs
        monitor = Monitor(
            self._train,
            self._held,
            every=self._every(num_epochs),
            n=_ROWS,
            patience=record["patience"] or None,
            leak=record["leak"] or None,
            folder=run,
            seed=self._seed,
        )
        seconds = 0.0
        reported = set(self._study.get_trials(deepcopy=False)[trial.number].intermediate_values)

        def callback(state: TrainingState) -> bool:
            nonlocal seconds
            seconds = state.seconds
            enough = monitor(state)
            step = state.epoch * _STEPS // state.num_epochs
            if monitor.history and monitor.history[-1]["epoch"] == state.epoch and step:
                if step not in reported:
                    reported.add(step)
                    trial.report(monitor.history[-1]["aggregate"], step)
                is_last = enough or state.epoch == state.num_epochs
                # one that was killed may have been told more, which was no reason to prune it at this step
                if not is_last and step == max(reported) and trial.should_prune():
                    raise _Pruned
            if on_epoch is not None:
                on_epoch(trial.number, state)
            return enough

        begun = (run / _store.RUN_DESCRIPTION).is_file() and read_run(run)["notes"].get("trial") == trial.number
        if not begun:
            self._place.drop_trial()
        state: State = "complete"
        reason = ""
        if begun and (run / _store.DESCRIPTION).is_file():  # killed after it had ended
            history = _store.read_sealed_lines(run / LOG)[0]
            seconds = float(models.load(run).training["seconds"])
        else:
            try:
                made.fit(
                    self._train,
                    seed=self._seed,
                    validation=self._held,
                    callback=callback,
                    run=run,
                    resume=begun,
                    notes={"trial": trial.number},
                    **self._fitting,
                )
            except _Pruned:
                state = "pruned"
            except Diverged as error:
                state, reason = "diverged", str(error.__cause__)
            history = monitor.history
        told["history"] = [(entry["epoch"], entry["aggregate"]) for entry in history]
        told["epochs"] = history[-1]["epoch"] if history else 0
        told["seconds"] = round(seconds + sum(entry["seconds"] for entry in history), 3)
        if state == "diverged" or not history:
            return _failed("diverged", reason, told)
        epoch = history[-1]["best_epoch"]
        best = next(entry for entry in history if entry["epoch"] == epoch)
        if record["leak"] and (best["scores"]["privacy"] or 0.0) > record["leak"]:
            return _failed("leak", f"privacy score {best['scores']['privacy']:.3f}", told)
        if state == "complete":
            best = monitor.judge(models.load(run / BEST))
        return Trial(
            **told,
            epoch=epoch,
            state=state,
            aggregate=best["aggregate"],
            scores=best["scores"],
            qualities=best["qualities"],
        )

    def _every(self, num_epochs: int) -> int:
        return self._record["every"] or max(1, round(num_epochs / _STEPS))

    def _keep_if_best(self, result: Trial) -> None:
        """Take its model and settings over, where no trial before was as good."""
        before = [trial.aggregate for trial in self._trials if trial.state == "complete"]
        assert result.aggregate is not None
        if any(value is not None and value >= result.aggregate for value in before):
            return
        record = self._record
        settings = {
            **record["settings"],
            **result.parameters,
            "validation": record["validation"],
            "monitor_every": self._every(result.num_epochs),
            "monitor_patience": record["patience"],
            "monitor_leak": record["leak"],
        }
        said = f"trial {result.number} of a study of {record['model']}, seed {self._seed}: {result.aggregate:.4f}"
        self._place.keep(self._place.path / TRIAL / BEST, settings, said)

    def _write(self, found: TuningData) -> None:
        best = found.best
        self._place.write(
            {
                **self._more,
                "num_trials": self._num_trials,
                "trials": [dataclasses.asdict(trial) for trial in found.trials],
                "best": None if best is None else best.number,
                "importances": {name: dataclasses.asdict(part) for name, part in found.importances.items()},
                "remarks": found.notes,
            }
        )

    def _notes(self, found: TuningData) -> list[str]:
        record, own, best = self._record, self._record["settings"], found.best
        notes = []
        if best is not None:
            notes.append(
                f"All trials were judged by the same {found.num_validation:,} validation haplotypes, so that the best "
                "aggregate is higher than it would be by others: how good the model is, hapforge evaluate says on "
                "persons that are in none of this."
            )
            notes += [
                f"{name}: the best value lies at an end of what was searched; a wider range may have a better one."
                for name in found.at_edges()
            ]
        notes += [
            f"{name}: the model's own choice, {own[name]}, is outside of what is searched."
            for name, space in self._space.items()
            if inside(space, own[name]) != own[name]
        ]
        if leaks := found.of("leak"):
            notes.append(
                f"{len(leaks)} of {len(found.trials)} trials were left out, since their privacy score was above "
                f"{record['leak']:g} from the first evaluation on."
            )
        if not found.importances:
            notes.append(f"Weights of settings need {_FEWEST_WEIGHED} trials or more that differ.")
        elif len(found.trials) < _RELIABLE:
            notes.append(
                f"Weights of settings are from {len(found.trials)} trials: below {_RELIABLE} they say little, and what "
                "chance reaches stands beside them."
            )
        return notes


def _trial(told: dict[str, Any]) -> Trial:
    """A trial from JSON."""
    return Trial(**{**told, "history": [(int(epoch), float(value)) for epoch, value in told["history"]]})


def _failed(state: State, reason: str, told: dict[str, Any]) -> Trial:
    """A trial without a model."""
    nothing: dict[str, Any] = {"epoch": 0, "epochs": 0, "num_epochs": 0, "seconds": 0.0, "history": []}
    return Trial(**{**nothing, **told}, state=state, aggregate=None, scores={}, qualities={}, reason=reason)


def _importances(trials: list[Trial], space: dict[str, Space], seed: int) -> dict[str, Importance]:
    """What each setting weighs, by PED-ANOVA (Watanabe, Bansal, Hutter 2023, equation 16), heaviest first.

    The settings of the best quarter of the trials are held against those of all: what is no better than the median, as
    pruned trials are, and what has no model is not in that quarter. Beside stands what is reached by chance, the 95 %
    quantile over shufflings of the results.
    """
    values = np.array([trial.aggregate if trial.aggregate is not None else 0.0 for trial in trials])
    if len(trials) < _FEWEST_WEIGHED or len(set(values.tolist())) < 2 or len(space) < 2:
        return {}
    optuna = check_optuna()
    distributions = {name: _distribution(optuna, found) for name, found in space.items()}
    judge = optuna.importance.PedAnovaImportanceEvaluator(target_quantile=_TOP)

    def weights(results: Any) -> dict[str, float]:
        study = optuna.create_study(direction="maximize")
        study.add_trials(
            [
                optuna.trial.create_trial(params=trial.parameters, distributions=distributions, value=value)
                for trial, value in zip(trials, results.tolist(), strict=True)
            ]
        )
        found: dict[str, float] = optuna.importance.get_param_importances(study, evaluator=judge)
        return found

    shares = weights(values)
    orders = [seeded_order(len(trials), stream_seed(seed, "importances", k)) for k in range(_SHUFFLES)]
    shuffled = [weights(values[order]) for order in orders]
    return {
        name: Importance(float(share), float(np.quantile([other[name] for other in shuffled], _CHANCE)))
        for name, share in sorted(shares.items(), key=lambda pair: (-pair[1], pair[0]))
    }


def _distribution(optuna: Any, space: Space) -> Any:
    if not isinstance(space, Range):
        return optuna.distributions.CategoricalDistribution(list(space))
    of = optuna.distributions
    kind = of.IntDistribution if isinstance(space.low, int) else of.FloatDistribution
    return kind(space.low, space.high, log=space.log)

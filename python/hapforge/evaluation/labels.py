"""How well a labelled model draws each label, over steps of sampling and age of training, and how well it tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from hapforge.evaluation.cohorts import score
from hapforge.evaluation.statistics.by_label import MIN_ROWS, label_scores, rows_by_value
from hapforge.haplotypes import HaplotypeMatrix, check_seed
from hapforge.report.data import Score
from hapforge.report.figures.by_label import SCORES
from hapforge.report.labels import LabelStudy
from hapforge.stats.pca import pca

if TYPE_CHECKING:
    from hapforge.models.labelled_rbm import LabelledRBM

_LEADING_DIGITS = (1, 2, 3, 5, 7)


def steps_to_study(model: LabelledRBM) -> list[int]:
    """1, 2, 3, 5, 7, 10, 20 ... up to ten times the steps of the model's draws, and these."""
    own: int = model.config.steps_of_draws
    grid = {digit * 10**power for power in range(len(str(own)) + 1) for digit in _LEADING_DIGITS}
    return sorted({steps for steps in grid if steps <= 10 * own} | {own})


def study_labels(
    models: LabelledRBM | Mapping[int, LabelledRBM],
    test: HaplotypeMatrix,
    *,
    steps: Iterable[int] | None = None,
    control: HaplotypeMatrix | None = None,
    seed: int = 0,
) -> LabelStudy:
    """Scores of every label over sampling steps t_G and training age, confusion matrices, principal components.

    From every model, after every number of steps, as many haplotypes of each label are drawn at temperature 1 as `test`
    has, and scored against these: errors of spectrum, entropy and accuracy indicator (equations 6 to 8), both parts of
    the adversarial accuracy, correlation of frequencies. A label with fewer than 10 test haplotypes has no scores. The
    oldest model's own draws, in its number of steps and at its temperatures, are scored, too, and their labels, as the
    model tells them, held against those asked for, as those of the test haplotypes against the true ones; both are
    shown on the first two principal components of `control`, or without it of `test`. All draws have one seed.

    Parameters
    ----------
    models : a trained model, or models by their age in epochs (`load_snapshots`), of the same labels and sites
    test : HaplotypeMatrix with the model's sites and its label, persons it was not trained on; those whose label is ""
        are left out
    steps : int >= 1 each; None: `steps_to_study`
    control : HaplotypeMatrix, other real persons with labels, of whom as many as of `test` are scored, too: what a
        perfect set would score (adversarial accuracy is the mean over ten subsamples)
    seed : int in [0, 2**64)

    Returns
    -------
    LabelStudy

    Raises
    ------
    ValueError
        No model, models of different labels, sites that are not the model's, a label it does not know, no test
        haplotype with a label, steps below 1.

    References
    ----------
    Carbone, Decelle, Rosset, Seoane 2023, Fast and functional structured data generator, figures 1, 3, 5 and 7,
    appendix C.
    """
    seed = check_seed(seed)
    aged = dict(models) if isinstance(models, Mapping) else {models.training["epochs_done"]: models}
    if not aged:
        raise ValueError("models: expected at least one, found none")
    oldest = aged[max(aged)]
    label, names = oldest.config.label, oldest.labels
    if other := [age for age, model in aged.items() if (model.config.label, model.labels) != (label, names)]:
        raise ValueError(f"models: expected the labels {', '.join(names)}, found others at age {other[0]}")
    t_g = steps_to_study(oldest) if steps is None else sorted(set(steps))
    if not t_g or t_g[0] < 1:
        raise ValueError(f"steps: expected numbers of 1 or more, found {t_g}")
    for name, cohort in (("test", test), ("control", control)):
        if cohort is not None and cohort.num_sites != len(oldest.sites):
            raise ValueError(f"{name}: expected the {len(oldest.sites)} sites of the model, found {cohort.num_sites}")
    oldest.confusion(test)  # refuses labels that the model does not know
    test = _with_label("test", test, label)
    control = None if control is None else _with_label("control", control, label)
    if not test.num_haplotypes:
        raise ValueError(f"test: expected haplotypes with a {label}, found none")
    rows = rows_by_value(test, label)
    truth = {name: test.select_haplotypes(rows[name]) for name in names if name in rows}

    def scores(cohort: HaplotypeMatrix) -> dict[str, dict[str, Score]]:
        found = rows_by_value(cohort, label)
        return {
            name: _scores(real, cohort.select_haplotypes(found.get(name, [])), seed) for name, real in truth.items()
        }

    def draws(model: LabelledRBM, **how: Any) -> HaplotypeMatrix:
        return model.sample(test.num_haplotypes, seed=seed, labels=test.samples.labels[label], **how)

    drawn = draws(oldest)
    components = pca(test if control is None else control)
    confusion = {age: model.confusion(test) for age, model in sorted(aged.items())}
    return LabelStudy(
        label=label,
        labels=names,
        counts={name: real.num_haplotypes for name, real in truth.items()},
        own_steps=oldest.config.steps_of_draws,
        steps=t_g,
        updates={age: age * _updates_of_epoch(model) for age, model in sorted(aged.items())},
        scores={
            age: {k: scores(draws(model, steps=k, temperature=1.0)) for k in t_g} for age, model in sorted(aged.items())
        },
        own=scores(drawn),
        control={} if control is None else scores(control),
        accuracy={age: float(counts.trace() / counts.sum()) for age, counts in confusion.items()},
        confusion=confusion[max(aged)],
        asked=oldest.confusion(drawn),
        codes=np.array([names.index(value) for value in test.samples.labels[label].tolist()]),
        real=components.project(test),
        drawn=components.project(drawn),
        explained=components.explained,
    )


def _scores(real: HaplotypeMatrix, other: HaplotypeMatrix, seed: int) -> dict[str, Score]:
    n = min(real.num_haplotypes, other.num_haplotypes)
    if n < MIN_ROWS:
        return {key: score(np.nan, n, f"not computed: {n} rows, at least {MIN_ROWS} are needed") for key in SCORES}
    return label_scores(real, other, n, seed=seed)


def _with_label(name: str, cohort: HaplotypeMatrix, label: str) -> HaplotypeMatrix:
    """The haplotypes that have one, as text."""
    if (values := cohort.samples.labels.get(label)) is None:
        raise ValueError(
            f"{name}: expected the label {label!r}, found {', '.join(cohort.samples.labels) or 'no labels'}"
        )
    texts = values.astype(np.dtypes.StringDType())
    return cohort.with_labels({label: texts}).select_haplotypes(np.flatnonzero(texts != ""))


def _updates_of_epoch(model: LabelledRBM) -> int:
    updates: int = model.config.updates_of_epoch(model.training["num_haplotypes"])
    return updates

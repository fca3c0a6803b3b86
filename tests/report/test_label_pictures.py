"""The pictures of a labelled model can be drawn for any number of labels and ages, and any name."""

from __future__ import annotations

import dataclasses
import io
import math

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("matplotlib")

from hapforge.report.data import Score
from hapforge.report.figures.by_label import SCORES
from hapforge.report.labels import LabelStudy, draw_components, draw_confusion, draw_scores

PICTURES = (draw_scores, draw_confusion, draw_components)


def made(num_labels: int, num_ages: int, *, control: bool = True) -> LabelStudy:
    rng = np.random.default_rng(3)
    labels = [f"_${i}_^\n" for i in range(num_labels)]

    def table() -> dict[str, dict[str, Score]]:
        found = {label: {name: Score(float(rng.random()), 0.0, 1.0, 20, "") for name in SCORES} for label in labels}
        found[labels[0]] = {name: Score(math.nan, math.nan, math.nan, 5, "") for name in SCORES}
        return found

    codes = rng.integers(0, num_labels, 80)
    ages = [3 * i + 1 for i in range(num_ages)]
    counts = rng.integers(0, 900, (num_labels, num_labels))
    return LabelStudy(
        label="l_$",
        labels=labels,
        counts={label: int((codes == i).sum()) for i, label in enumerate(labels)},
        own_steps=3,
        steps=[1, 3, 10],
        updates={age: 9 * age for age in ages},
        scores={age: {k: table() for k in (1, 3, 10)} for age in ages},
        own=table(),
        control=table() if control else {},
        accuracy={age: 0.5 for age in ages},
        confusion=counts,
        asked=np.zeros_like(counts),
        codes=codes,
        real=rng.normal(size=(80, 2)),
        drawn=rng.normal(size=(80, 2)),
        explained=np.array([0.3, 0.1]),
    )


@pytest.mark.parametrize(
    ("num_labels", "num_ages", "control"),
    [(2, 1, False), (5, 3, True), pytest.param(14, 12, True, marks=pytest.mark.slow), (40, 2, True)],
)
def test_any_number_of_labels_and_ages(num_labels: int, num_ages: int, control: bool) -> None:
    study = made(num_labels, num_ages, control=control)
    for draw in PICTURES:
        width, height = Image.open(io.BytesIO(draw(study))).size
        assert 500 < width < 2200
        assert 300 < height < 2600


def test_pictures_show_the_numbers() -> None:
    study = made(3, 2)
    assert draw_scores(study) == draw_scores(study)
    others = dataclasses.replace(
        study, accuracy={1: 0.5, 4: 0.9}, asked=study.asked + np.eye(3, dtype=np.int64), drawn=study.drawn[::-1]
    )
    for draw in PICTURES:
        assert draw(others) != draw(study)


@pytest.mark.parametrize("value", [0.0, math.nan])
def test_points_that_are_all_one_and_scores_of_zero_or_none(value: float) -> None:
    study = made(2, 2)
    flat = {label: {name: Score(value, value, value, 20, "") for name in SCORES} for label in study.labels}
    scores = {age: dict.fromkeys((1, 3, 10), flat) for age in study.updates}
    still = dataclasses.replace(
        study, real=study.real * 0, drawn=study.drawn * 0, scores=scores, own=flat, control=flat
    )
    for draw in PICTURES:
        assert draw(still).startswith(b"\x89PNG")

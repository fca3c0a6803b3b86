"""The page of a study of settings: its parts, its numbers, and names that are shown and never run."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from hapforge.report.tuning import Importance, Range, Trial, TuningData, _curves, _history, _importance, _slices
from report.payloads import PAYLOADS
from report.test_html import Page

pytest.importorskip("plotly")
pytest.importorskip("matplotlib")
QUALITIES = {"af": 0.9, "ld": 0.8, "pca": 0.7, "aa_truth": 0.6, "aa_syn": 0.5}
SPACE = {"rate": Range(0.001, 1.0, log=True), "width": Range(2, 8), "shape": ("flat", "deep", "round")}


def trial(number: int, aggregate: float | None, state: Any = "complete", **more: Any) -> Trial:
    parameters = {"rate": 0.001 * 2**number, "width": 2 + number, "shape": SPACE["shape"][number % 3]}
    found: dict[str, Any] = {"epoch": 4, "epochs": 4, "num_epochs": 4, "seconds": 12.3, "parameters": parameters}
    history = [] if aggregate is None else [(2, aggregate / 2), (4, aggregate)]
    scores = {} if aggregate is None else {"privacy": -0.0123}
    qualities = {} if aggregate is None else QUALITIES
    more = {"history": history, "scores": scores, "qualities": qualities, **more}
    return Trial(number, state, aggregate, **(found | more))


@pytest.fixture
def data() -> TuningData:
    trials = [
        trial(0, 0.5),
        trial(1, 0.7),
        trial(2, 0.2, "pruned", epochs=2, epoch=2),
        trial(3, None, "diverged", epoch=0, reason="noise: expected it to fall"),
        trial(4, 0.6),
        trial(5, 0.7),
    ]
    importances = {"rate": Importance(0.7, 0.5), "shape": Importance(0.2, 0.6), "width": Importance(0.1, 0.4)}
    return TuningData(
        **{"model": "rbm", "search": SPACE, "settings": {}, "monitor": {}, "trials": trials, "num_trials": 6},
        **{"importances": importances, "num_train": 4008, "num_validation": 1000, "num_sites": 805},
        **{"notes": ["Look at this."], "provenance": {"seed": 3}},
    )


def test_the_best_is_the_first_of_the_highest(data: TuningData) -> None:
    assert data.best.number == 1
    assert data.counts == "4 complete, 1 pruned, 1 diverged"
    assert data.at_edges() == []
    first = dataclasses.replace(data, trials=[trial(0, 0.9), *data.trials[1:]])
    assert first.at_edges() == ["rate", "width"]
    assert dataclasses.replace(data, trials=[data.trials[2]]).best is None
    assert Range(0.01, 1.0, log=True).place(0.1) == pytest.approx(0.5)
    assert Range(2, 6).place(3) == 0.25


def test_the_page(data: TuningData) -> None:
    text = data.to_html()
    page = Page(text)
    assert [words for _, words in page.all("h1")] == ["Settings of rbm"]
    words = " ".join("".join(inside for _, inside in page.all("main")).split())
    assert "Trial 1: aggregate 0.700 after epoch 4 of 4; the model's own choice, trial 0, has 0.500" in words
    assert "Look at this." in words
    assert "noise: expected it to fall" in words
    rows = [" ".join(words.split()) for _, words in page.all("tr")]
    assert rows[1:4] == ["rate0.0020.0010.001 to 1 (log)", "width322 to 8", "shapedeepflatflat, deep, round"]
    assert rows[6] == "1best0.700 0.900 0.800 0.700 0.600 0.500 −0.012 4 of 4 0.002 3 deep 12"
    assert rows[8] == "3divergednoise: expected it to fall 4 0.008 5 flat 12"
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {attrs["href"][1:] for attrs, _ in page.all("a")} <= set(ids)
    assert len(page.all("figure")) == len(page.all("img")) == 4
    panels = page.panels()
    assert list(panels) == ["history", "curves", "importance", "slices"]
    assert all(attrs["scope"] in ("col", "row") for attrs, _ in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))


def test_the_figures_have_the_numbers(data: TuningData) -> None:
    best, pruned, complete, top = _history(data).panels[0].series
    assert best.x.tolist() == [0, 1, 1, 4, 4, 5, 5, 5]
    assert best.y.tolist() == [0.5, 0.5, 0.7, 0.7, 0.7, 0.7, 0.7, 0.7]
    assert (pruned.x.tolist(), pruned.y.tolist()) == ([2], [0.2])
    assert (complete.x.tolist(), complete.y.tolist()) == ([0, 4, 5], [0.5, 0.6, 0.7])
    assert (top.x.tolist(), top.y.tolist()) == ([1], [0.7])
    curves = _curves(data).panels[0].series
    assert [series.name for series in curves] == ["pruned", "complete", "best"]
    np.testing.assert_array_equal(curves[1].x, [50, 100, np.nan] * 3)
    share, chance = _importance(data)[0].panels[0].series
    assert (share.x.tolist(), chance.x.tolist()) == ([0.7, 0.2, 0.1], [0.5, 0.6, 0.4])
    rate, width, shape = _slices(data)[0].panels
    assert (rate.log_x, width.log_x) == (True, False)
    assert rate.series[-1].x.tolist() == [0.002]
    assert shape.names == ("flat", "deep", "round")
    assert (shape.series[-1].x.tolist(), shape.series[-1].y.tolist()) == ([0.7], [1])


@pytest.mark.parametrize("states", [[], ["diverged"], ["leak", "refused"], ["complete"]])
def test_few_trials(data: TuningData, states: list[str]) -> None:
    trials = [trial(i, 0.4 if state == "complete" else None, state) for i, state in enumerate(states)]
    few = dataclasses.replace(data, trials=trials, importances={})
    page = Page(few.to_html())
    assert len(page.all("figure")) == (3 if "complete" in states else 0)


def test_names_are_shown_and_never_run(data: TuningData) -> None:
    """A page full of payloads has the elements and attributes of one full of plain names, one by one."""

    def filled(names: list[str]) -> TuningData:
        choices = tuple(names[:12])
        trials = [
            dataclasses.replace(one, parameters={"shape": choices[one.number]}, reason=names[one.number])
            for one in data.trials
        ]
        more: dict[str, Any] = {"notes": names, "provenance": dict(zip(names, names, strict=True))}
        return dataclasses.replace(data, trials=trials, search={"shape": choices}, **more)

    page = Page(filled(PAYLOADS).to_html())
    plain = Page(filled([f"plain {i}" for i in range(len(PAYLOADS))]).to_html())
    assert [name for name, _, _ in page.elements] == [name for name, _, _ in plain.elements]
    assert [sorted(attrs) for _, attrs, _ in page.elements] == [sorted(attrs) for _, attrs, _ in plain.elements]

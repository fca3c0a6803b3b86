"""The page of recovery rates: its numbers, its curve, and names that are shown and never run."""

from __future__ import annotations

from typing import Any

import pytest

from hapforge.downstream import Run, Utility
from hapforge.report.utility import _curve, to_html
from report.payloads import PAYLOADS
from report.test_html import Page

pytest.importorskip("plotly")
pytest.importorskip("matplotlib")
SHARES = [0.1, 0.5]


def study(sets: list[str], labels: list[str], notes: list[str], *, label: str = "group", repeats: int = 2) -> Utility:
    """Accuracy of real rows 0.8, of a set 0.4, of the next one 0.2 more; of a tenth and a half alone 0.3 and 0.5."""
    runs = []
    for repeat in range(repeats):

        def add(name: str, fraction: float, accuracy: float, repeat: int = repeat) -> None:
            accuracy += 0.01 * (2 * repeat - 1)
            runs.append(Run("mlp", name, fraction, False, repeat, 100, 100, accuracy, accuracy / 2, 9, 5))

        add("", 1.0, 0.8)
        for place, name in enumerate(sets):
            add(name, 0.0, 0.4 + 0.2 * place)
            for share in SHARES:
                add(name, share, 0.6 + 0.1 * place)
        for share, accuracy in zip(SHARES, (0.3, 0.5), strict=True):
            add("", share, accuracy)
    each = dict.fromkeys(labels, 100)
    return Utility(
        label=label,
        labels=labels,
        unit="haplotype",
        classifiers=["mlp"],
        sets=sets,
        fractions=SHARES,
        repeats=repeats,
        seed=0,
        num_sites=805,
        test_persons=50,
        train_rows=each,
        test_rows=each,
        set_rows=dict.fromkeys(sets, each),
        settings={"mlp": {"width": 256, "learning_rate": 5e-4}},
        runs=runs,
        notes=notes,
        provenance=dict(zip(notes, notes, strict=True)),
    )


def test_the_page() -> None:
    page = Page(to_html(study(["one", "two"], ["a", "b"], ["Look at this."])))
    rows = [" ".join(words.split()) for _, words in page.all("tr")]
    assert rows[1].startswith("Real rows, accuracy200 80.0 ± 12.7balanced 40.0")
    assert rows[2].startswith("one200 50.0 ± 7.9")  # repeats 0.39 / 0.79 and 0.41 / 0.81
    assert "40.0 of 80.0" in rows[2]
    assert rows[3].startswith("two200 75.0 ± 4.0")
    assert "MLPone 60.0 ± 12.7 60.0 ± 12.7" in rows
    words = " ".join("".join(inside for _, inside in page.all("main")).split())
    assert "Look at this." in words
    assert "As published" not in words
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {attrs["href"][1:] for attrs, _ in page.all("a")} <= set(ids)
    assert len(page.all("caption")) == len(page.all("table"))
    assert list(page.panels()) == ["augmentation"]


def test_published_figures_stand_beside_26_populations() -> None:
    text = to_html(study(["one"], [f"P{i}" for i in range(26)], []))
    rows = [" ".join(words.split()) for _, words in Page(text).all("tr")]
    assert "Diffusion, MLP + CNN 93.0 85.0 77.5" in rows
    assert "Real rows, accuracy 90.2 74.6 77.3" in rows
    assert "other data" in text


def test_the_curve_has_the_numbers() -> None:
    alone, one, two = _curve(study(["one", "two"], ["a", "b"], [])).panels[0].series
    assert alone.x.tolist() == [10, 50, 100]
    assert alone.y.tolist() == pytest.approx([0.3, 0.5, 0.8])
    assert one.x.tolist() == two.x.tolist() == [0, 10, 50, 100]
    assert one.y.tolist() == pytest.approx([0.4, 0.6, 0.6, 0.8])
    assert two.y.tolist() == pytest.approx([0.6, 0.7, 0.7, 0.8])


def test_one_repeat_has_no_interval() -> None:
    rows = [" ".join(words.split()) for _, words in Page(to_html(study(["one"], ["a", "b"], [], repeats=1))).all("tr")]
    assert rows[1].startswith("Real rows, accuracy200 79.0balanced")


def test_names_are_shown_and_never_run() -> None:
    """A page full of payloads has the elements and attributes of one full of plain names, one by one."""

    def filled(names: list[str]) -> Page:
        more: dict[str, Any] = {"label": names[0]}
        return Page(to_html(study(names[:3], names, names, **more)))

    page, plain = filled(PAYLOADS), filled([f"plain {i}" for i in range(len(PAYLOADS))])
    assert [name for name, _, _ in page.elements] == [name for name, _, _ in plain.elements]
    assert [sorted(attrs) for _, attrs, _ in page.elements] == [sorted(attrs) for _, attrs, _ in plain.elements]

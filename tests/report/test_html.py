"""The page as text: its structure, its policy, its escapes and its numbers."""

from __future__ import annotations

import base64
import copy
import dataclasses
import hashlib
import json
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from hapforge.errors import MissingDependencyError
from hapforge.report.data import EvaluationData, Score, ScoreText
from hapforge.report.figures import build, shown
from hapforge.report.html import decimals, number, render, script_json
from report.evaluation_factory import CONTROLS, SETS, few_curves, make_evaluation
from report.payloads import PAYLOADS

_VOID = {"meta", "link", "img", "br", "input"}


class Page(HTMLParser):
    """Elements in order with attributes and the text inside; fails on a tag that is not closed in its place."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self._open: list[tuple[str, list[str]]] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag, attrs):
        assert len(dict(attrs)) == len(attrs), f"{tag}: an attribute twice"
        inside: list[str] = []
        self.elements.append((tag, dict(attrs), inside))
        if tag not in _VOID:
            self._open.append((tag, inside))

    def handle_endtag(self, tag):
        assert self._open.pop()[0] == tag

    def handle_data(self, data):
        for _, inside in self._open:
            inside.append(data)

    def all(self, tag: str) -> list[tuple[dict[str, str | None], str]]:
        return [(attrs, "".join(inside)) for name, attrs, inside in self.elements if name == tag]

    def payload(self) -> dict:
        (text,) = (text for attrs, text in self.all("script") if attrs.get("id") == "payload")
        return json.loads(text)


@pytest.fixture(scope="module")
def data() -> EvaluationData:
    return make_evaluation(num_sites=300, num_haplotypes=100)


@pytest.fixture(scope="module")
def text(data) -> str:
    return render(data)


@pytest.fixture(scope="module")
def page(text) -> Page:
    return Page(text)


def test_one_file_that_loads_nothing(text, page):
    from plotly.offline import get_plotlyjs

    assert text.startswith("<!DOCTYPE html>")
    assert text.count(get_plotlyjs()) == 1
    assert len(page.all("script")) == 3
    for tag, attrs, _ in page.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            assert (attrs.get(name) or "#").startswith(("#", "data:")), (tag, attrs)
        assert not [name for name in attrs if name.startswith("on")]
    styles = "".join(inside for _, inside in page.all("style"))
    assert "@import" not in styles
    assert "url(" not in styles


def test_policy_allows_the_two_scripts_and_nothing_else(page):
    (policy,) = (a["content"] for a, _ in page.all("meta") if a.get("http-equiv") == "Content-Security-Policy")
    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    hashes = [
        "'sha256-" + base64.b64encode(hashlib.sha256(code.encode()).digest()).decode() + "'"
        for attrs, code in page.all("script")
        if "type" not in attrs
    ]
    assert rules.pop("script-src").split() == hashes
    assert rules == {
        "default-src": "'none'",
        "style-src": "'unsafe-inline'",
        "img-src": "data: blob:",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_keyboard_and_screen_reader_basics(page):
    ((html, _),) = page.all("html")
    assert html["lang"] == "en"
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert set(levels[1:]) == {2}
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    links = [attrs["href"] for attrs, _ in page.all("a")]
    assert links[0] == "#main"  # the skip link comes first
    assert {link[1:] for link in links} <= set(ids)
    for name in ("aria-labelledby",):
        assert {attrs[name] for _, attrs, _ in page.elements if name in attrs} <= set(ids)
    images = page.all("img")
    assert len(images) == len(page.all("figure")) == len(page.all("figcaption")) == len(build(make_evaluation()))
    for attrs, _ in images:
        assert len(attrs["alt"]) > 40
        assert base64.b64decode(attrs["src"].removeprefix("data:image/png;base64,"))[:4] == b"\x89PNG"
    for attrs, words in page.all("th"):
        assert attrs["scope"] in ("col", "row", "colgroup")
        assert words.strip()
    assert len(page.all("caption")) == 1
    for attrs, _ in page.all("div"):
        if attrs.get("class") == "scroll":
            assert attrs["tabindex"] == "0"
            assert attrs["role"] == "region"


def test_every_panel_has_its_place(page):
    places = [attrs["data-panel"] for attrs, _ in page.all("div") if "data-panel" in attrs]
    panels = page.payload()["panels"]
    assert places == list(panels)
    assert len(places) == sum(len(figure.panels) for figure in build(make_evaluation()))


def _rows(text: str) -> list[list[str]]:
    table = text[text.index('<table class="scores">') :].split("</table>")[0]
    rows = table.split("<tbody>")[1].split("<tr>")[1:]
    return [[re.sub(r"<[^>]+>", "|", cell).strip("| \n") for cell in re.split(r"<td[^>]*>", row)] for row in rows]


def test_scores_stand_side_by_side_with_interval_and_n(data, text, page):
    head = [words for attrs, words in page.all("th") if "name" in (attrs.get("class") or "")]
    assert head == SETS + CONTROLS
    rows = {row[0].split("|")[0]: row for row in _rows(text)}
    assert list(rows) == [text.heading for text in data.score_texts.values()]
    assert all(len(row) == 7 for row in rows.values())
    assert rows["AA_truth"][0] == "AA_truth||n 100"
    score = data.scores["RBM"]["aa_truth"]
    assert rows["AA_truth"][1] == f"{score.value:.3f}|{score.low:.3f} to {score.high:.3f}"
    assert rows["Fixed sites"][3] == f"{data.scores[SETS[2]]['fixed_sites'].value:.0f}"
    assert rows["Privacy score"][3] == "–|not computed: the holdout has fewer than 2 persons"
    assert rows["Privacy score"][4] == ""
    readings = "".join(words for _, words in page.all("dd"))
    assert all(text.reading in readings for text in data.score_texts.values())


def test_different_n_stand_in_the_cells(data):
    other = copy.deepcopy(data)
    other.scores["RBM"]["af_r"] = Score(0.5, float("nan"), float("nan"), 12_345, "")
    other.score_texts["unlabelled"] = ScoreText("unlabelled", "", "control")
    other.scores["RBM"]["unlabelled"] = Score(1_234_567.0, float("nan"), float("nan"), 3, "")
    rows = {row[0].split("|")[0]: row for row in _rows(render(other))}
    assert rows["AF r"][0] == "AF r"
    assert rows["AF r"][1] == "0.500|n 12,345"
    assert rows["AF r"][2].endswith("n 100")
    assert rows["unlabelled"][1] == "1,234,567"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([3.0, 0.0, 12345.0], ["3", "0", "12,345"]),
        ([0.5, 1.0, -0.25], ["0.500", "1.000", "−0.250"]),
        ([0.00051, 0.0157], ["0.00051", "0.01570"]),
        ([1e-9, 0.5], ["0.00000", "0.50000"]),
        ([3.24, 42.2], ["3.24", "42.20"]),
        ([117.25, 4.0], ["117.2", "4.0"]),
        ([float("nan"), 2.0], ["2"]),
        ([], []),
    ],
)
def test_numbers_of_a_row_share_their_decimals(values, expected):
    places = decimals(values)
    assert [number(value, places) for value in values if np.isfinite(value)] == expected


def test_provenance_is_flattened(page):
    rows = dict(zip([w for a, w in page.all("th") if a["scope"] == "row"], [""] * 99, strict=False))
    assert {"version", "seed", "inputs › real › sha256"} <= set(rows)
    assert "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08" in [words for _, words in page.all("td")]


def test_script_json_has_nothing_that_html_reads():
    for payload in PAYLOADS:
        text = script_json({payload: [payload]})
        assert not set("<>&\u2028\u2029") & set(text)
        assert text.isascii()
        assert json.loads(text) == {payload: [payload]}
    with pytest.raises(ValueError, match="not JSON compliant"):
        script_json(float("nan"))


def _with_names(names: list[str]) -> EvaluationData:
    """Every text an evaluation can hold, taken from `names`; the two halves are sets and controls."""
    half = len(names) // 2
    data = make_evaluation(names[:half], names[half:], num_sites=12, num_haplotypes=6, notes=list(names))
    few = names[:1]
    extra = {f"key {i}": Score(0.5, 0.4, 0.6, 9, name or "-") for i, name in enumerate(names)}
    extra |= {f"failed {i}": Score(float("nan"), 0.4, 0.6, 9, name or "-") for i, name in enumerate(names)}
    texts = [ScoreText(name, name, "control") for name in names]
    return dataclasses.replace(
        data,
        scores={name: scores | (extra if name in few else {}) for name, scores in data.scores.items()},
        score_texts=dict(zip([*data.score_texts, *extra], texts * 3, strict=False)),
        provenance={name: [{name: name}, name, None] for name in names},
        descriptions={name: name for name in names},
        curves=few_curves(data, few),
    )


def test_names_of_files_never_become_markup(monkeypatch):
    """A page full of payloads has the same elements and attributes, one by one, as a page full of plain names."""
    assert len(PAYLOADS) >= 40
    monkeypatch.setattr("hapforge.report.html.draw", lambda figure: b"")  # PNG holds no markup
    plain = [f"plain {i}" for i in range(len(PAYLOADS))]
    page, reference = Page(render(_with_names(PAYLOADS))), Page(render(_with_names(plain)))
    assert [tag for tag, _, _ in page.elements] == [tag for tag, _, _ in reference.elements]
    for (tag, attrs, _), (_, expected, _) in zip(page.elements, reference.elements, strict=True):
        assert attrs.keys() == expected.keys()
        free = {"data-series", "aria-label", "alt", "content"}
        assert {k: v for k, v in attrs.items() if k not in free} == {
            k: v for k, v in expected.items() if k not in free
        }, tag
    assert [words for attrs, words in page.all("li")][-len(PAYLOADS) :] == [shown(name) for name in PAYLOADS]
    shown_names = [words for attrs, words in page.all("th") if "name" in (attrs.get("class") or "")]
    assert shown_names == [shown(name) for name in PAYLOADS]
    # plotly reads tags and entities in these
    panels = page.payload()["panels"].values()
    texts = [trace["name"] for panel in panels for trace in panel["data"]]
    texts += [label["text"] for panel in panels for label in panel["layout"]["annotations"]]
    assert len(texts) > 3 * len(PAYLOADS)
    assert not [text for text in texts if re.search(r"[<>]|%{|&(?!amp;|lt;|gt;|#37;)", text)]


def test_page_can_be_written_whatever_the_names():
    text = render(
        dataclasses.replace(make_evaluation(["a\udcff"], [], num_sites=20, num_haplotypes=5), notes=["\ud800"])
    )
    assert "a\ufffd" in text
    text.encode("utf-8")


def test_empty_evaluation_still_makes_a_page():
    page = Page(render(EvaluationData([], [], {}, {}, {})))
    assert page.all("figure") == []
    assert page.payload()["panels"] == {}


def test_missing_plotly_is_named(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingDependencyError, match=r"plotly.*hapforge\[eval\]"):
        render(data)

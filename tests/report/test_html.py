"""The page as text: its structure, its policy, its escapes and its numbers."""

from __future__ import annotations

import base64
import copy
import dataclasses
import gzip
import hashlib
import html
import itertools
import json
import re
import struct
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from hapforge.errors import MissingDependencyError
from hapforge.report.data import EvaluationData, Score, ScoreText, Verdict
from hapforge.report.figures import Figure, Panel, Series, Style, build, shown
from hapforge.report.html import decimals, number, plot, render, script_json
from report.evaluation_factory import CONTROLS, GROUPS, SETS, few_curves, make_evaluation
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

    def panels(self) -> dict[str, list[dict]]:
        """{key of a figure: its panels}, unpacked."""
        keys = [attrs["id"].removesuffix("-figure") for attrs, _ in self.all("figure")]
        texts = [text for attrs, text in self.all("script") if attrs.get("class") == "panels"]
        return {
            key: json.loads(gzip.decompress(base64.b64decode(text, validate=True)))
            for key, text in zip(keys, texts, strict=True)
        }


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
    assert len([attrs for attrs, _ in page.all("script") if "type" not in attrs]) == 2
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
    ((root, _),) = page.all("html")
    assert root["lang"] == "en"
    levels = [int(tag[1]) for tag, _, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels.count(1) == 1
    assert levels[0] == 1
    assert {2, 3} == set(levels[1:])
    assert all(level <= before + 1 for before, level in itertools.pairwise(levels))
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    links = [attrs["href"] for attrs, _ in page.all("a")]
    assert links[0] == "#main"  # the skip link comes first
    assert {link[1:] for link in links} <= set(ids)
    assert {attrs["aria-labelledby"] for _, attrs, _ in page.elements if "aria-labelledby" in attrs} <= set(ids)
    for landmark in ("header", "nav", "main", "footer"):
        assert len(page.all(landmark)) == 1
    images = page.all("img")
    assert len(images) == len(page.all("figure")) == len(page.all("figcaption")) == len(build(make_evaluation()))
    for attrs, _ in images:
        assert len(attrs["alt"]) > 40
        png = base64.b64decode(attrs["src"].removeprefix("data:image/png;base64,"))
        assert png[:4] == b"\x89PNG"
        assert (int(attrs["width"]), int(attrs["height"])) == struct.unpack(">II", png[16:24])
    for attrs, words in page.all("th"):
        assert attrs["scope"] in ("col", "row", "colgroup")
        assert words.strip()
    assert len(page.all("caption")) == len(page.all("table"))
    assert all(words.strip() for _, words in [*page.all("caption"), *page.all("summary"), *page.all("button")])
    for attrs, _ in page.all("div"):
        if attrs.get("class") == "scroll":
            assert attrs["tabindex"] == "0"
            assert attrs["role"] == "region"
            assert {"aria-label", "aria-labelledby"} & set(attrs)
        if attrs.get("role") == "img":
            assert len(attrs["aria-label"]) > 40
    assert all(attrs["type"] == "button" and attrs["aria-pressed"] == "true" for attrs, _ in page.all("button"))
    styles = "".join(inside for _, inside in page.all("style"))
    assert ":focus-visible" in styles
    assert "prefers-reduced-motion" in styles
    assert not re.search(r"outline:\s*(0|none)", styles.replace("main:focus { outline: none; }", ""))


def test_every_panel_has_its_place(page):
    places = [int(attrs["data-panel"]) for attrs, _ in page.all("div") if "data-panel" in attrs]
    panels = page.panels()
    assert list(panels) == [figure.key for figure in build(make_evaluation(num_sites=300, num_haplotypes=100))]
    assert places == [i for found in panels.values() for i in range(len(found))]


def _rows(text: str) -> list[list[str]]:
    tables = [part.split("</table>")[0] for part in text.split('<table class="scores"')[1:]]
    rows = [row for table in tables for row in table.split("<tbody>")[1].split("<tr>")[1:]]
    return [[re.sub(r"<[^>]+>", "|", cell).strip("| \n") for cell in re.split(r"<td[^>]*>", row)] for row in rows]


def test_scores_stand_side_by_side_with_interval_and_n(data, text, page):
    head = [words for attrs, words in page.all("th") if "name" in (attrs.get("class") or "")]
    assert head == SETS + (SETS + CONTROLS) * len(GROUPS)
    groups = [words.split("\n")[0] for attrs, words in page.all("summary")]
    assert [re.sub(r" \d+ scores?$", "", words) for words in groups if "score" in words] == list(GROUPS)
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


def test_different_n_stand_in_the_cells(data, monkeypatch):
    monkeypatch.setattr("hapforge.report.html.draw", lambda figure: bytes(24))
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
    """Names of sets and controls, and what is said of them, taken from `names`."""
    half = len(names) // 2
    data = make_evaluation(names[:half], names[half:], num_sites=12, num_haplotypes=6, notes=list(names))
    return dataclasses.replace(
        data,
        score_texts={key: text._replace(group="") for key, text in data.score_texts.items()},
        descriptions={name: name for name in names},
        headlines={name: name or "-" for name in names[:half]},
        curves=few_curves(data, names[:1]),
    )


def _with_texts(texts: list[str]) -> EvaluationData:
    """One set; every text on scores, verdicts and provenance taken from `texts`."""
    data = make_evaluation(["A"], [], num_sites=12, num_haplotypes=6, notes=[])
    keys = [f"key {i}" for i in range(len(texts))]
    good = {key: Score(0.5, 0.4, 0.6, 9, text or "-") for key, text in zip(keys, texts, strict=True)}
    failed = {f"not {key}": Score(float("nan"), 0.4, 0.6, 9, score.procedure) for key, score in good.items()}
    words = [ScoreText(text, text, "control", group=text) for text in texts]
    return dataclasses.replace(
        data,
        scores={"A": good | failed},
        score_texts=dict(zip([*good, *failed], words * 2, strict=True)),
        verdicts={"A": {key: Verdict("poor", text, text) for key, text in zip(keys, texts, strict=True)}},
        provenance={text: [{text: text}, text, None] for text in texts},
        curves={},
    )


@pytest.mark.parametrize("filled", [_with_names, _with_texts])
def test_names_and_texts_never_become_markup(monkeypatch, filled):
    """A page full of payloads has the same elements and attributes, one by one, as a page full of plain names."""
    assert len(set(PAYLOADS)) >= 200
    monkeypatch.setattr("hapforge.report.html.draw", lambda figure: bytes(24))  # PNG holds no markup
    plain = [f"plain {i}" for i in range(len(PAYLOADS))]
    page, reference = Page(render(filled(PAYLOADS))), Page(render(filled(plain)))
    assert [tag for tag, _, _ in page.elements] == [tag for tag, _, _ in reference.elements]
    for (tag, attrs, _), (_, expected, _) in zip(page.elements, reference.elements, strict=True):
        assert attrs.keys() == expected.keys()
        free = {"data-series", "aria-label", "alt", "content"}
        assert {k: v for k, v in attrs.items() if k not in free} == {
            k: v for k, v in expected.items() if k not in free
        }, tag
    if filled is _with_texts:
        headings = [words for _, words in page.all("dt")]
        assert headings == [shown(text) for text in PAYLOADS for _ in range(2)]
        return
    assert [words for attrs, words in page.all("li")][-len(PAYLOADS) :] == [shown(name) for name in PAYLOADS]
    names = [words for attrs, words in page.all("th") if "name" in (attrs.get("class") or "")]
    assert names[-len(PAYLOADS) :] == [shown(name) for name in PAYLOADS]
    # plotly reads tags and entities in these
    panels = [panel for found in page.panels().values() for panel in found]
    texts = [trace["name"] for panel in panels for trace in panel["data"]]
    texts += [label["text"] for panel in panels for label in panel["layout"]["annotations"]]
    assert len(texts) > 3 * len(PAYLOADS)
    assert not [text for text in texts if re.search(r"[<>]|%{|&(?!amp;|lt;|gt;|#37;)", text)]


def _figure(key: str, text: str) -> Figure:
    """A figure of every kind of series with this text wherever one goes."""
    style, one = Style(text, "set0"), np.array([0.5])
    grid = np.ones((1, 1), dtype=np.int64)
    series = [
        Series("points", text, style, one, one),
        Series("line", text, style, one, one),
        Series("bars", text, style, one, one, low=one, high=one),
        Series("density", text, style, one, one, counts=grid),
        Series("image", text, style, one, one, values=grid.astype(np.float64)),
    ]
    panels = [Panel(text, text, text, [s], names=(text,), legend=True) for s in series]
    return Figure(key, text, text, text, text, panels)


def test_texts_of_figures_never_become_markup(monkeypatch):
    monkeypatch.setattr("hapforge.report.html.draw", lambda figure: bytes(24))
    texts = ["plain", *filter(None, PAYLOADS)]
    groups = {text: [_figure(f"figure-{i}", text)] for i, text in enumerate(texts)}
    monkeypatch.setattr("hapforge.report.html.build_groups", lambda data: groups)
    page = Page(render(EvaluationData([], [], {}, {}, {})))
    tags = [tag for tag, _, _ in page.elements]
    starts = [i for i, (_, attrs, _) in enumerate(page.elements) if attrs.get("class") == "figures"]
    size = starts[1] - starts[0]
    assert starts == list(range(starts[0], starts[0] + size * len(texts), size))
    assert all(tags[start : start + size] == tags[starts[0] : starts[0] + size] for start in starts)
    for text, panels in zip(texts, page.panels().values(), strict=True):
        for panel in panels:
            layout = panel["layout"]
            labels = [layout["xaxis"]["title"]["text"], layout["yaxis"]["title"]["text"]]
            labels += [label["text"] for label in layout["annotations"]] + [trace["name"] for trace in panel["data"]]
            for label in labels:
                assert html.unescape(label) == text
                assert not re.search(r"[<>]|%{|&(?!amp;|lt;|gt;|#37;)", label)


def test_page_can_be_written_whatever_the_names():
    text = render(
        dataclasses.replace(make_evaluation(["a\udcff"], [], num_sites=20, num_haplotypes=5), notes=["\ud800"])
    )
    assert "a\ufffd" in text
    text.encode("utf-8")


def test_empty_evaluation_still_makes_a_page():
    page = Page(render(EvaluationData([], [], {}, {}, {})))
    assert page.all("figure") == []
    assert page.panels() == {}


def test_missing_plotly_is_named(monkeypatch, data):
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(MissingDependencyError, match=r"plotly.*hapforge\[eval\]"):
        render(data)


def test_verdicts_stand_first_in_words_and_signs(data, text, page):
    headings = [words for tag, _, inside in page.elements if tag == "h2" and (words := "".join(inside))]
    assert headings[:4] == ["Verdicts", "Notes", "What was compared", "Scores"]
    levels = [" ".join(words.split()) for attrs, words in page.all("td") if "rule" not in (attrs.get("class") or "")]
    assert any(words.startswith("✓ good 0.4") and words.endswith("so it is") for words in levels)
    assert {"good", "fair", "poor", "unknown"} == {
        attrs["class"].split()[1] for attrs, _ in page.all("span") if (attrs.get("class") or "").startswith("level")
    }
    assert text.index("Set 0 in one sentence.") < text.index('<table class="verdicts"')
    words = "so it is"
    assert text.count(words) == 9  # in the cells
    assert "Every verdict in words" not in text
    many = make_evaluation([f"set {i}" for i in range(4)], [], num_sites=20, num_haplotypes=6)
    text = render(dataclasses.replace(many, curves={}))
    assert text.index("Every verdict in words") < text.index(words)
    assert text.count(words) == 12  # below the table


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 1e4], {"dtick": 1, "exponentformat": "SI"}),
        ([1e-4, 1.0, np.nan], {"dtick": 1, "exponentformat": "none"}),
        ([0.002, 0.004], {"tickvals": [0.001, 0.002, 0.005, 0.01, 0.02, 0.05]}),
        ([2000.0], {"ticktext": ["1,000", "2,000", "5,000", "10,000", "20,000", "50,000"]}),
        ([], {"tickvals": [1.0, 2.0, 5.0]}),
    ],
)
def test_logarithmic_axes_have_labels_also_below_a_decade(values, expected):
    style = Style("a", "set0")
    panel = Panel("", "", "", [Series("line", "a", style, np.array(values), np.array(values))], log_x=True)
    axis = plot(panel)["layout"]["xaxis"]
    assert axis["type"] == "log"
    assert {key: axis.get(key) for key in expected} == expected

"""The page in a real, headless Chromium: it draws, follows the reader's scheme, fits a phone and runs nothing else."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hapforge.report.data import ScoreText
from hapforge.report.figures import build, palette, shown, styles
from hapforge.report.figures._base import short
from hapforge.report.html import render
from report.browser import CHROMIUM, Browser
from report.evaluation_factory import CONTROLS, SETS, few_curves, make_evaluation
from report.payloads import PAYLOADS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

NUM_FIGURES = len(build(make_evaluation()))
VISIBLE = "(e => e.getClientRects().length > 0)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    browser = Browser()
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def report(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(make_evaluation(num_sites=300, num_haplotypes=200)), encoding="utf-8")
    return path


def _rgb(colour: str) -> str:
    return "rgb({}, {}, {})".format(*(int(colour[k : k + 2], 16) for k in (1, 3, 5)))


def test_every_figure_is_drawn_without_a_word_on_the_console(browser, report):
    browser.emulate()
    browser.open(report)
    assert browser.problems() == []
    assert browser.count("figure.drawn") == NUM_FIGURES
    panels = sum(len(figure.panels) for figure in build(make_evaluation()))
    assert browser.count(".plot") == browser.count(".plot:has(svg .cartesianlayer path)") == panels
    assert not browser.evaluate(f"[...document.querySelectorAll('img.static')].some({VISIBLE})")
    assert browser.count("[data-panel=allele-frequencies-0] path.point") == 300
    assert browser.count("[data-panel=principal-components-0] path.point") == 400
    assert browser.texts("#adversarial-accuracy .annotation-text")[:2] == SETS[:2]
    assert browser.count(".modebar-btn") == 0


def test_figures_follow_the_scheme_also_when_it_changes(browser, report):
    browser.emulate(scheme="dark")
    browser.open(report)
    bar = "getComputedStyle(document.querySelector('#adversarial-accuracy .bars path')).fill"
    text = "getComputedStyle(document.querySelector('#ld-decay .xtitle')).fill"
    back = "getComputedStyle(document.body).backgroundColor"
    for scheme in ("dark", "light"):
        if scheme == "light":
            browser.evaluate("document.documentElement.removeAttribute('data-drawn')")
        browser.emulate(scheme=scheme)
        browser.wait("document.documentElement.hasAttribute('data-drawn')")
        colours = palette(scheme)
        assert browser.evaluate(f"[{bar}, {text}, {back}]") == [_rgb(colours[k]) for k in ("set0", "ink", "paper")]
    assert browser.problems() == []


@pytest.mark.parametrize("width", [375, 1280])
def test_no_sideways_scrolling(browser, report, width):
    browser.emulate(width=width, height=800)
    browser.open(report)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    parts = "[...document.querySelectorAll('.plot svg, h1, h2, p, dl, figcaption')]"
    over = f"{parts}.filter(e => e.getBoundingClientRect().right > {width}).map(e => e.outerHTML.slice(0, 90))"
    assert browser.evaluate(over) == []
    wide = "(e => e.scrollWidth > e.clientWidth)(document.querySelector('table.scores').parentElement)"
    assert browser.evaluate(wide) == (width < 1000)


def test_a_curve_is_hidden_and_shown_from_the_keyboard(browser, report):
    browser.emulate()
    browser.open(report)
    curves = "#ld-decay .scatterlayer .trace"
    assert browser.count(curves) == 7
    for expected in (6, 7):
        browser.evaluate("document.querySelectorAll('#ld-decay .key')[1].focus()")
        for kind in ("keyDown", "keyUp"):
            key = {"key": "Enter", "code": "Enter", "text": "\r", "windowsVirtualKeyCode": 13}
            browser.call("Input.dispatchKeyEvent", type=kind, **key)
        browser.wait(f"document.querySelectorAll('{curves}').length === {expected}")
    assert browser.problems() == []


def test_static_pictures_without_scripts_on_paper_and_after_a_failure(browser, report, tmp_path):
    static = f"[...document.querySelectorAll('img.static')].filter(e => {VISIBLE}(e) && e.naturalWidth > 500).length"
    live = f"[...document.querySelectorAll('.live, .legend')].some({VISIBLE})"

    browser.emulate()
    browser.open(report, scripts=False, drawn=False)
    assert browser.evaluate(static) == NUM_FIGURES
    assert not browser.evaluate(live)
    assert "Scripts are off" in browser.evaluate("document.body.innerText")

    browser.open(report)
    assert browser.evaluate(static) == 0
    browser.emulate(media="print")
    assert browser.evaluate(static) == NUM_FIGURES
    assert not browser.evaluate(live)
    browser.emulate()

    # one changed letter: the policy refuses plotly
    text = report.read_text(encoding="utf-8")
    broken = tmp_path / "broken.html"
    broken.write_text(text.replace("plotly.js v", "Plotly.js v", 1), encoding="utf-8")
    browser.open(broken, drawn=False)
    assert any("Content Security Policy" in problem for problem in browser.problems())
    assert browser.evaluate(static) == NUM_FIGURES
    assert not browser.evaluate(live)

    # a panel that cannot be drawn: its figure keeps the picture, the others are drawn
    broken.write_text(text.replace('data-panel="ld-decay-0"', 'data-panel="ld-decay-9"', 1), encoding="utf-8")
    browser.open(broken)
    assert any("ld-decay" in problem for problem in browser.problems())
    assert browser.evaluate(static) == 1


def test_names_run_nothing_and_are_shown_as_they_are(browser, tmp_path):
    data = make_evaluation(PAYLOADS[::2], PAYLOADS[1::2], num_sites=12, num_haplotypes=6, notes=PAYLOADS)
    data = dataclasses.replace(
        data,
        score_texts={
            key: ScoreText(payload, payload, "control")
            for key, payload in zip(data.score_texts, PAYLOADS, strict=False)
        },
        provenance={payload: {payload: payload} for payload in PAYLOADS},
        descriptions={payload: payload for payload in PAYLOADS},
        curves=few_curves(data, PAYLOADS[:4]),
    )
    path = tmp_path / "payloads.html"
    path.write_text(render(data), encoding="utf-8")
    browser.emulate()
    browser.open(path)
    browser.evaluate("""
        for (const e of document.querySelectorAll("bdi, svg text, .key, a, .scroll"))
            for (const kind of ["mouseover", "mousemove", "focus", "toggle", "load", "error"])
                e.dispatchEvent(new Event(kind, {bubbles: true}));
    """)
    assert browser.evaluate("window.hacked") is None
    assert browser.problems() == []
    assert browser.count("svg a, iframe, object, embed, video, base") == 0
    assert browser.texts("#notes li") == [shown(name) for name in PAYLOADS]
    style = styles(data)
    names = [*data.sets, *data.controls]
    assert browser.texts("#ld-decay .key") == ["real", *(style[name].label for name in names)]
    # plotly draws what it is given: tags and entities come out as the characters they are
    drawn = browser.texts("#adversarial-accuracy .annotation-text")
    expected = [short(name, 44) for name in names]
    assert [" ".join(text.split()) for text in drawn] == [" ".join(text.split()) for text in expected]


def test_a_whole_chromosome_and_many_rows_draw_at_once(browser, tmp_path):
    path = tmp_path / "large.html"
    path.write_text(render(make_evaluation(num_sites=65_535, num_haplotypes=100_000)), encoding="utf-8")
    assert path.stat().st_size < 9e6
    browser.emulate()
    browser.open(path)
    assert browser.problems() == []
    assert browser.count("figure.drawn") == NUM_FIGURES
    assert browser.count("[id*=allele-frequencies] .heatmaplayer image") == 2 * len(SETS + CONTROLS)
    assert browser.count("#principal-components path.point") == 2 * 1_500 * len(SETS + CONTROLS)


def test_a_screenshot_has_the_size_of_the_window(browser, report, tmp_path):
    browser.emulate(width=375, height=700)
    browser.open(report)
    browser.screenshot(tmp_path / "phone.png", full=False)
    assert struct.unpack(">II", (tmp_path / "phone.png").read_bytes()[16:24]) == (375, 700)

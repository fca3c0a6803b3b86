"""The page in a real, headless Chromium: it draws, follows the reader's scheme, fits a phone and runs nothing else."""

from __future__ import annotations

import dataclasses
import struct
from collections.abc import Iterator
from pathlib import Path

import pytest

from hapforge.report.data import ScoreText, Verdict
from hapforge.report.figures import build, draw, palette, shown, styles
from hapforge.report.figures._base import short
from hapforge.report.html import render
from report.browser import CHROMIUM, FRAMES, Browser
from report.evaluation_factory import CONTROLS, SETS, few_curves, make_evaluation
from report.payloads import PAYLOADS

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

NUM_FIGURES = len(build(make_evaluation()))
TALL = 30_000  # pixels: a window that every figure is in
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
    """In a window as narrow as a phone, and nothing is wider than it."""
    browser.emulate(width=375, height=6000)
    browser.open(report)
    assert 0 < browser.count("figure.drawn") < NUM_FIGURES  # those near the window only
    browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.show_all()
    check_width(browser, 375)
    assert browser.problems() == []
    assert browser.count("figure.drawn") == NUM_FIGURES
    panels = sum(len(figure.panels) for figure in build(make_evaluation()))
    assert browser.count(".plot") == browser.count(".plot:has(svg .cartesianlayer path)") == panels
    assert not browser.evaluate(f"[...document.querySelectorAll('img.static')].some({VISIBLE})")
    assert browser.count("#allele-frequencies [data-panel='0'] path.point") == 300
    assert browser.count("#principal-components [data-panel='0'] path.point") == 200
    assert browser.texts("#adversarial-accuracy .annotation-text")[:2] == SETS[:2]
    assert browser.count(".modebar-btn") == 0


@pytest.mark.slow
def test_figures_follow_the_scheme_also_when_it_changes(browser, report):
    browser.emulate(scheme="dark", height=TALL)
    browser.open(report)
    bar = "getComputedStyle(document.querySelector('#adversarial-accuracy .bars path')).fill"
    text = "getComputedStyle(document.querySelector('#ld-decay .xtitle')).fill"
    back = "getComputedStyle(document.body).backgroundColor"
    for scheme in ("dark", "light"):
        if scheme == "light":
            browser.evaluate("document.documentElement.removeAttribute('data-drawn')")
        browser.emulate(scheme=scheme, height=TALL)
        browser.wait("document.documentElement.hasAttribute('data-drawn')")
        colours = palette(scheme)
        assert browser.evaluate(f"[{bar}, {text}, {back}]") == [_rgb(colours[k]) for k in ("set0", "ink", "paper")]
    assert browser.problems() == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 1600])
def test_no_sideways_scrolling(browser, report, width):
    browser.emulate(width=width, height=800)
    browser.open(report)
    browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.show_all()
    check_width(browser, width)


def check_width(browser: Browser, width: int) -> None:
    """No part of the page is wider than the window, but a table that scrolls."""
    assert browser.evaluate("document.documentElement.scrollWidth") <= width
    parts = "[...document.querySelectorAll('.plot svg, h1, h2, p, dl, figcaption')]"
    parts += ".filter(e => !e.closest('.scroll'))"
    over = f"{parts}.filter(e => e.getBoundingClientRect().right > {width}).map(e => e.outerHTML.slice(0, 90))"
    assert browser.evaluate(over) == []
    wide = "(e => e.scrollWidth > e.clientWidth)(document.querySelector('table.scores').parentElement)"
    assert browser.evaluate(wide) == (width < 1600)


@pytest.mark.slow
def test_a_curve_is_hidden_and_shown_from_the_keyboard(browser, report):
    browser.emulate(height=TALL)
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


@pytest.mark.slow
def test_static_pictures_without_scripts_on_paper_and_after_a_failure(browser, report, tmp_path):
    static = f"[...document.querySelectorAll('img.static')].filter(e => {VISIBLE}(e) && e.naturalWidth > 500).length"
    live = f"[...document.querySelectorAll('.live, .legend')].some({VISIBLE})"

    browser.emulate()
    browser.open(report, scripts=False, drawn=False)
    assert browser.evaluate(static) == NUM_FIGURES
    assert not browser.evaluate(live)
    assert "Scripts are off" in browser.evaluate("document.body.innerText")

    browser.open(report)
    browser.show_all()
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
    ld = text.index('id="ld-decay-figure"')
    broken.write_text(text[:ld] + text[ld:].replace('data-panel="0"', 'data-panel="9"', 1), encoding="utf-8")
    browser.open(broken)
    browser.show_all()
    assert any("ld-decay" in problem for problem in browser.problems())
    assert browser.evaluate(static) == 1


@pytest.mark.slow
def test_names_run_nothing_and_are_shown_as_they_are(browser, monkeypatch, tmp_path):
    data = make_evaluation(PAYLOADS[::2], PAYLOADS[1::2], num_sites=12, num_haplotypes=6, notes=PAYLOADS)
    data = dataclasses.replace(
        data,
        score_texts={
            key: ScoreText(payload, payload, "control")
            for key, payload in zip(data.score_texts, PAYLOADS, strict=False)
        },
        verdicts={name: {"aa_syn": Verdict("fair", name, name)} for name in data.sets},
        headlines={name: name for name in data.sets},
        provenance={payload: {payload: payload} for payload in PAYLOADS},
        descriptions={payload: payload for payload in PAYLOADS},
        curves=few_curves(data, PAYLOADS[:4]),
    )
    picture = draw(build(data)[0])
    monkeypatch.setattr("hapforge.report.html.draw", lambda figure: picture)  # PNG holds no markup
    path = tmp_path / "payloads.html"
    path.write_text(render(data), encoding="utf-8")
    browser.emulate()
    browser.open(path)
    browser.evaluate("document.querySelectorAll('details').forEach(e => e.open = true)")
    browser.show_all()
    browser.evaluate("""
        for (const e of document.querySelectorAll("bdi, svg text, .key, summary, a, .scroll"))
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


@pytest.mark.slow
def test_figures_far_from_the_window_are_taken_down_and_come_back(browser, report):
    browser.emulate(height=600)
    browser.open(report)
    first = set(browser.texts("figure.drawn figcaption"))
    at_end = f"scrollTo({{top: 1e9, behavior: 'instant'}}), {FRAMES}"
    browser.evaluate(at_end)
    browser.wait("document.documentElement.hasAttribute('data-drawn')")
    assert not first & set(browser.texts("figure.drawn figcaption"))
    assert browser.count("#allele-frequencies svg") == 0
    browser.read_through()
    assert set(browser.texts("figure.drawn figcaption")) == first
    assert browser.problems() == []


@pytest.mark.slow
def test_the_reader_of_a_whole_chromosome_and_many_rows_never_waits(browser, tmp_path):
    """Ten sets at 65,535 sites and 100,000 rows: bounded size, numbers and time."""
    sets = [f"set {i}" for i in range(10)]
    path = tmp_path / "large.html"
    path.write_text(render(make_evaluation(sets, num_sites=65_535, num_haplotypes=100_000)), encoding="utf-8")
    assert path.stat().st_size < 6.5e6  # 4.6e6 of it plotly
    browser.emulate()
    browser.open(path)
    browser.evaluate("""
        window.longest = 0;
        new PerformanceObserver((tasks) => {
            for (const task of tasks.getEntries()) longest = Math.max(longest, task.duration);
        }).observe({type: "longtask"});
    """)
    browser.read_through()
    assert browser.problems() == []
    # about 100 ms on an idle machine; this one may be busy. A point takes 0.04 ms: the bounds are in test_figures
    assert browser.evaluate("longest") < 2000
    browser.show_all()
    assert browser.count("figure.drawn") == NUM_FIGURES
    assert browser.count("[id*=allele-frequencies] .heatmaplayer image") == 2 * len(sets + CONTROLS)
    assert browser.count("#principal-components path.point") == 300 * len(sets + CONTROLS)


def test_a_screenshot_has_the_size_of_the_window(browser, report, tmp_path):
    browser.emulate(width=375, height=700)
    browser.open(report)
    browser.screenshot(tmp_path / "phone.png")
    assert struct.unpack(">II", (tmp_path / "phone.png").read_bytes()[16:24]) == (375, 700)

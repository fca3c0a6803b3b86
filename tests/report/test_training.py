"""The page of a training: its curves have the numbers of the logs, and a log that is not one is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hapforge.errors import ChecksumError, FormatError
from hapforge.models import _store
from hapforge.models._run import RUN_FORMAT, RUN_FORMAT_VERSION
from hapforge.report import training
from hapforge.report.training import QUALITIES, SCORES, TrainingData, _aggregate, _losses, _scores, read_training
from report.payloads import PAYLOADS
from report.test_html import Page

pytest.importorskip("plotly")
pytest.importorskip("matplotlib")
CONFIG = {"epochs": 9, "width": 4, "learning_rate": 0.001, "label": ""}


def line(epoch: int) -> dict[str, Any]:
    """An epoch of a GAN: its generator is updated in even ones, its penalty falls from 1,000 to 1."""
    scores = {"score_train": epoch / 2, "score_validation": -epoch / 2}
    more = {"generator_loss": 0.7 + epoch} if epoch % 2 == 0 else {}
    numbers = {
        "generator_updates": float(len(more)),
        "critic_loss": -float(epoch),
        "penalty": 1000.0 ** (1 - epoch / 4),
    }
    return {"epoch": epoch, "seconds": 2.5 * epoch, **numbers, **more, **scores}


def evaluation(epoch: int, best: int) -> dict[str, Any]:
    scores: dict[str, float | None] = {name: epoch / 10 + place for place, name in enumerate(SCORES)}
    control: dict[str, float | None] = {name: 0.5 + place for place, name in enumerate(SCORES)}
    judged = {"n": 1000, "scores": scores, "control": {**control, "privacy": None}}
    judged |= {"qualities": dict.fromkeys(QUALITIES, epoch / 10), "aggregate": epoch / 10}
    return {"epoch": epoch, "seconds": 0.5, **judged, "best_epoch": best, "best_aggregate": best / 10}


def write_run(folder: Path, *, epochs: int = 4, monitored: tuple[tuple[int, int], ...] = (), **notes: Any) -> Path:
    """What `hapforge train` leaves, without weights."""
    folder.mkdir(parents=True)
    said = {"data": "cohort.hapz", "validation": 0.2, **notes}
    record = {"format": RUN_FORMAT, "format_version": RUN_FORMAT_VERSION, "model": "gan", "seed": 3}
    record |= {"data_sha256": "abc", "config": CONFIG, "notes": said}
    _store.write_sealed(folder / _store.RUN_DESCRIPTION, record)
    told = {"num_haplotypes": 4008, "num_sites": 805, "date": "2026-01-02"}
    described = {"model": "gan", "hapforge": "0.1.0", "config": CONFIG, "training": told}
    _store.write_sealed(folder / _store.DESCRIPTION, described)
    for epoch in range(1, epochs + 1):
        _store.append_sealed(folder / _store.LOG, line(epoch))
    for epoch, best in monitored:
        _store.append_sealed(folder / _store.MONITOR_LOG, evaluation(epoch, best))
    return folder


@pytest.fixture
def data(tmp_path: Path) -> TrainingData:
    return read_training(write_run(tmp_path / "run", monitored=((2, 2), (4, 2)), preset="gan_805"))


def test_the_losses_are_those_of_the_log(data: TrainingData) -> None:
    panels = {panel.title: panel for panel in _losses(data).panels}
    assert list(panels) == ["Critic loss", "Penalty of the critic", "Score of the critic", "Generator loss"]
    critic = panels["Critic loss"].series[0]
    assert (critic.kind, critic.x.tolist(), critic.y.tolist()) == ("line", [1, 2, 3, 4], [-1, -2, -3, -4])
    generator = panels["Generator loss"].series[0]
    assert (generator.x.tolist(), generator.y.tolist()) == ([2, 4], [2.7, 4.7])
    assert [panel.log_y for panel in panels.values()] == [False, True, False, False]
    train, validation = panels["Score of the critic"].series
    assert (train.name, validation.name) == ("training rows", "validation rows")
    np.testing.assert_array_equal(train.y, -validation.y)
    assert panels["Score of the critic"].y_range == pytest.approx((-2.24, 2.24))


def test_scores_stand_beside_those_of_real_rows_with_the_best_epoch_marked(data: TrainingData) -> None:
    panels = {panel.title: panel.series for panel in _scores(data).panels}
    assert list(panels) == list(SCORES.values())
    draws, real, best = panels["PCA Wasserstein"]
    assert (draws.x.tolist(), draws.y.tolist()) == ([2, 4], [3.2, 3.4])
    assert (real.name, real.x.tolist(), real.y.tolist()) == ("real rows", [1, 4], [3.5, 3.5])
    assert (best.name, best.x.tolist(), best.y.tolist()) == ("best epoch", [2], [3.2])
    assert [series.name for series in panels["privacy score"]] == ["draws", "best epoch"]
    *qualities, aggregate, best = _aggregate(data).panels[0].series
    assert [series.name for series in qualities] == list(QUALITIES.values())
    assert (aggregate.y.tolist(), best.x.tolist(), best.y.tolist()) == ([0.2, 0.4], [2], [0.2])


def test_the_page(data: TrainingData) -> None:
    page = Page(data.to_html())
    assert [words for _, words in page.all("h1")] == ["Training of gan"]
    assert list(page.panels()) == ["losses", "aggregate", "scores"]
    rows = [" ".join(words.split()) for _, words in page.all("tr")]
    for row in (
        "checksum of the training rows (SHA-256)abc",
        "training haplotypes4,008",
        "epochs4 of 9",
        "seconds an epoch2.5",
        "updates of the generator2",
        "seconds of evaluations1",
        "presetgan_805",
        "ScoreEpoch 2, the bestEpoch 4, the lastReal rows",
        "AF r0.20000.40000.5000",
        "privacy score6.20006.4000–",
        "settings › width4",
        "settings › learning_rate0.001 (preset: 0.0001)",
    ):
        assert row in rows
    ids = [attrs["id"] for _, attrs, _ in page.elements if "id" in attrs]
    assert len(set(ids)) == len(ids)
    assert {attrs["href"][1:] for attrs, _ in page.all("a")} <= set(ids)


def test_one_epoch_is_drawn_as_points(tmp_path: Path) -> None:
    data = read_training(write_run(tmp_path / "run", epochs=1, monitored=((1, 1),)))
    kinds = {series.kind for panel in _losses(data).panels for series in panel.series}
    assert kinds == {"points"}
    assert list(Page(data.to_html()).panels()) == ["losses", "aggregate", "scores"]


def test_without_a_monitor_there_are_only_losses(tmp_path: Path) -> None:
    page = Page(read_training(write_run(tmp_path / "run")).to_html())
    assert list(page.panels()) == ["losses"]
    assert not [words for _, words in page.all("tr") if "Real rows" in words or "preset" in words]


def test_many_epochs_are_drawn_as_means(data: TrainingData, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training, "MAX_EPOCHS_AS_POINTS", 2)
    figure = _losses(data)
    critic = figure.panels[0].series[0]
    assert (critic.x.tolist(), critic.y.tolist()) == ([1.5, 3.5], [-1.5, -3.5])
    assert "Each point is the mean of 2 epochs." in figure.caption


def test_windows_of_a_chain_are_curves_of_one_panel(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", epochs=0)
    for name, epochs in (("00000", 2), ("00001", 1)):
        write_run(run / _store.WINDOWS / name, epochs=epochs)
    data = read_training(run)
    critic = _losses(data).panels[0].series[0]
    np.testing.assert_array_equal(critic.x, [1, 2, np.nan, 1])
    assert (data.epochs_done, data.num_epochs, data.seconds) == (3, 18, 7.5)


def test_what_is_no_log_is_refused(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    log = run / _store.LOG
    whole = log.read_text()
    log.write_text(whole[:-20])
    torn = read_training(run)
    assert (torn.epochs_done, torn.notes) == (3, ["The last line of train.jsonl is not whole and is left out."])
    log.write_text(whole.replace('"penalty": 1.0', '"penalty": 2.0'))
    with pytest.raises(ChecksumError, match=r"train\.jsonl, line 4: expected"):
        read_training(run)
    log.write_text("")
    with pytest.raises(FormatError, match=r"train\.jsonl: expected a line for every epoch, found none"):
        read_training(run)
    log.unlink()
    with pytest.raises(FormatError, match=r"train\.jsonl: expected the log of a training, found none"):
        read_training(run)


def test_an_interrupted_training_has_a_page(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run")
    (run / _store.DESCRIPTION).unlink()
    data = read_training(run)
    assert data.epochs_done == 4
    assert data.training == {}
    assert "This training was interrupted" in data.notes[0]
    assert "This training was interrupted" in data.to_html()


def test_names_are_shown_and_never_run(tmp_path: Path) -> None:
    """A page of payloads has the elements and attributes of one of plain names, one by one."""

    def page(folder: str, texts: list[str]) -> Page:
        run = write_run(tmp_path / folder, **{f"x{i}": text for i, text in enumerate(texts)})
        numbers = {f"{text} loss": 1.0 for text in texts[:6]}
        _store.write_sealed_lines(run / _store.LOG, [{"epoch": 1, "seconds": 1.0, **numbers}])
        return Page(read_training(run).to_html())

    bad, plain = page("bad", PAYLOADS), page("plain", [f"plain {i}" for i in range(len(PAYLOADS))])
    assert [name for name, _, _ in bad.elements] == [name for name, _, _ in plain.elements]
    assert [sorted(attrs) for _, attrs, _ in bad.elements] == [sorted(attrs) for _, attrs, _ in plain.elements]

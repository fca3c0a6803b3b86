"""`hapforge train crbm`: a chain from training to its report on seams."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import generate, info, train

pytest.importorskip("torch")
SMALL = ["num_hidden=8", "epochs=3", "gibbs_steps=2", "num_chains=20", "batch_size=30", "window=40", "overlap=20"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    cohort = hf.datasets.load("ooa").select_haplotypes(np.arange(60)).select_sites(np.arange(0, 300, 3))
    path = tmp_path_factory.mktemp("data") / "data.hapz"
    hf.write(cohort, path)
    return path


def test_a_chain_is_trained_described_and_drawn(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = tmp_path / "run"
    train.command("crbm", data, run, settings=[*SMALL, "workers=1", "validation=0.2"], seed=7)
    said = " ".join(capsys.readouterr().err.split())
    assert "seams.json: across borders and inside windows: r2" in said
    seams = json.loads((run / "seams.json").read_text())
    assert (seams["borders"]["num_places"], seams["inside"]["num_places"], seams["width"]) == (3, 4, 20)
    model = hf.models.load(run)
    held = hf.read(data).split(0.2, 7)[1]
    drawn = model.sample(held.num_haplotypes, seed=7)
    again = hf.metrics.seam_report(held, drawn, model.borders, width=20, seed=7)
    assert seams["borders"]["r2_r"] == again.borders.r2_r
    info.command(run)
    out = capsys.readouterr().out
    assert "seams.borders.r2_r" in out
    assert json.loads((run / "run.json").read_text())["notes"]["workers"] == 1
    generate.command(run, 6, tmp_path / "ag.hapz", settings=["temperature=0.8", "steps=3"], seed=4, quiet=True)
    assert hf.read(tmp_path / "ag.hapz").sha256() == model.sample(6, seed=4, temperature=0.8, steps=3).sha256()
    train.command("bernoulli", data, run, force=True, quiet=True)  # nothing of the chain is left
    assert sorted(path.name for path in run.iterdir()) == ["model.json", "weights.safetensors"]


def test_an_interrupted_chain_is_resumed_and_described(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    fit = hf.models.CRBM.fit

    def stopped(self: hf.models.CRBM, H: hf.HaplotypeMatrix, **more: object) -> hf.models.CRBM:
        told = more.pop("callback")

        def callback(state: object) -> bool:
            if state.epoch == 5:
                raise KeyboardInterrupt
            return told(state)

        return fit(self, H, callback=callback, **more)

    monkeypatch.setattr(hf.models.CRBM, "fit", stopped)
    with pytest.raises(KeyboardInterrupt):
        train.command("crbm", data, run, settings=[*SMALL, "workers=1"], seed=7, quiet=True)
    monkeypatch.undo()
    info.command(run)
    assert "(not finished)" in (out := capsys.readouterr().out)
    assert out.split("epochs done")[1].split()[0] == "5"
    train.command("crbm", data, run, resume=True, seed=7, quiet=True)
    train.command("crbm", data, tmp_path / "whole", settings=[*SMALL, "workers=1"], seed=7, quiet=True)
    assert hf.models.load(run).sample(9).sha256() == hf.models.load(tmp_path / "whole").sample(9).sha256()


def test_windows_without_inside_are_no_error(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = [*SMALL[:-2], "window=99", "overlap=97", "workers=1"]
    train.command("crbm", data, tmp_path / "run", settings=settings)
    assert "no report on seams" in " ".join(capsys.readouterr().err.split())
    assert hf.models.load(tmp_path / "run").sample(2).shape == (2, 100)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["windows=10"], "crbm knows .*found 'windows'; nearest: window"),
        (["workers=-1"], "workers: expected 0 or more, found -1"),
        (["monitor_every=2"], "crbm knows .*found 'monitor_every'"),
        (["window=10", "overlap=12"], "overlap: expected 1 to 9"),
    ],
)
def test_bad_settings(data: Path, tmp_path: Path, settings: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train.command("crbm", data, tmp_path / "run", settings=settings, quiet=True)
    assert not (tmp_path / "run").exists()

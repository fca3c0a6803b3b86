"""`hapforge demo`: the chain of commands, small; its interruption; its folder."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

import hapforge as hf
from hapforge.cli import demo

torch = pytest.importorskip("torch")
from hapforge.models import _automatic  # noqa: E402


@pytest.fixture
def small_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    cohort = hf.datasets.load("ooa").select_haplotypes(range(400))
    monkeypatch.setattr("hapforge.datasets.load", lambda _name: cohort)
    monkeypatch.setattr(demo, "SITES", range(0, 160, 2))
    small = {"num_hidden": 16, "epochs": 4, "gibbs_steps": 5, "batch_size": 100, "num_chains": 50}
    settings_for = _automatic.settings_for
    monkeypatch.setattr(_automatic, "settings_for", lambda H, **asked: settings_for(H, **asked) | small)


def test_everything_is_written(
    small_demo: None,
    real_pictures: None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "demo"
    demo.command(out, seed=3)
    printed = capsys.readouterr().out
    assert str(out / "report.html") in printed
    assert "Markov" in printed
    assert "holdout" in printed
    assert {p.name for p in out.iterdir()} == {
        "train.hapz",
        "holdout.hapz",
        "run",
        "RBM.hapz",
        "report.json",
        "report.tsv",
        "report.html",
        "report.log",
    }
    train, holdout, drawn = (hf.read(out / f"{name}.hapz") for name in ("train", "holdout", "RBM"))
    assert train.num_haplotypes == drawn.num_haplotypes == 320
    assert holdout.num_haplotypes == 80
    assert not set(train.samples.sample_id.tolist()) & set(holdout.samples.sample_id.tolist())
    result = json.loads((out / "report.json").read_text())
    assert result["sets"] == ["RBM"]
    assert {"real half", "holdout", "Bernoulli", "Markov"} == set(result["controls"])
    assert result["scores"]["RBM"]["privacy_score"]["n"] == 80
    with pytest.raises(ValueError, match="-f replaces it"):
        demo.command(out)
    before = drawn.sha256()
    monkeypatch.setattr(demo.evaluate, "command", lambda *_given, **_more: None)
    demo.command(out, seed=3, force=True, quiet=True)
    assert hf.read(out / "RBM.hapz").sha256() == before


def test_an_interrupted_demo_goes_on(small_demo: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    evaluated = []
    monkeypatch.setattr(demo.evaluate, "command", lambda *given, **_more: evaluated.append(given))
    demo.command(whole, quiet=True)
    fit = hf.models.RBM.fit

    def interrupted(self: hf.models.RBM, *args: object, **kwargs: object) -> hf.models.RBM:
        def stop(state: object) -> None:
            if state.epoch == 2:  # type: ignore[attr-defined]
                raise KeyboardInterrupt

        return fit(self, *args, **{**kwargs, "callback": stop, "checkpoint_every": 1})  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(hf.models.RBM, "fit", interrupted)
        with pytest.raises(KeyboardInterrupt):
            demo.command(broken, quiet=True)
    assert len(evaluated) == 1
    demo.command(broken, resume=True, quiet=True)
    assert evaluated[1] == (broken / "train.hapz", [broken / "RBM.hapz"], broken / "report")
    assert hf.read(broken / "RBM.hapz").sha256() == hf.read(whole / "RBM.hapz").sha256()


def test_refusals_are_one_line(tmp_path: Path) -> None:
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "mine.txt").write_text("keep")
    for arguments in (["-o", "demo"], ["-o", "absent/demo"], ["-o", "nothing", "--resume"]):
        done = subprocess.run(
            [sys.executable, "-m", "hapforge", "demo", *arguments], cwd=tmp_path, capture_output=True, text=True
        )
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1, done.stderr
        assert done.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["demo"]
    assert [p.name for p in (tmp_path / "demo").iterdir()] == ["mine.txt"]

"""`hapforge tune`: what it takes, prints and writes, interruption, and that what it finds can be trained again."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from evaluation.toy_model import register
from hapforge.cli import generate, train, tune
from hapforge.errors import MissingDependencyError
from hapforge.evaluation.study_folder import read_study

pytest.importorskip("torch")
pytest.importorskip("optuna")
SMALL = ["num_hidden=8", "epochs=4", "gibbs_steps=2", "num_chains=20", "batch_size=20", "hidden=bernoulli"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    whole = hf.datasets.load("ooa").select_haplotypes(np.arange(0, 100)).select_sites(np.arange(0, 100, 5))
    path = tmp_path_factory.mktemp("data") / "data.hapz"
    hf.write(whole, path)
    return path


@pytest.mark.slow
def test_what_is_found_can_be_drawn_from_and_trained_again(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study, run = tmp_path / "study", tmp_path / "run"
    settings = [*SMALL[1:], "validation=0.3", "monitor_leak=0", "monitor_every=2"]
    tune.command("RBM", data, study, trials=2, search=["num_hidden=4:12"], settings=settings, seed=5)
    said = capsys.readouterr()
    lines = said.err.splitlines()
    assert re.match(r"trial 0: 0\.\d{3} at epoch \d of 4; learning_rate \S+, num_hidden \d+; \d+ s$", lines[0])
    assert lines[1].startswith("trial 1: ")
    found = read_study(study)
    best = found["trials"][found["best"]]
    assert found["record"]["search"]["num_hidden"] == {"low": 4, "high": 12, "log": False}
    assert found["notes"]["data"] == str(data)
    out = " ".join(said.out.split())
    assert "2 trials of rbm: 2 complete; 70 haplotypes to train on, 30 to judge by" in out
    assert f"best: trial {best['number']}" in out
    assert f"aggregate │ {best['aggregate']:.3f} │ {found['trials'][0]['aggregate']:.3f}" in out
    assert "Weights of settings need 8 trials" in out
    assert f"{study}/best: the model; {study}/best.toml: its settings; {study}/report.html: all trials" in out
    generate.command(study / "best", 6, tmp_path / "ag.vcf", quiet=True)
    assert hf.read(tmp_path / "ag.vcf").shape == (6, 20)
    page = (study / "report.html").read_text()
    assert f"Trial {best['number']}: aggregate" in page
    assert f"{best['aggregate']:.3f}" in page
    # the settings, seed and persons of a trial are all that it is
    train.command("rbm", data, run, config=study / "best.toml", seed=5, quiet=True)
    for name in ("weights.safetensors", "model.json"):
        mine, theirs = ((folder / "best" / name).read_bytes() for folder in (study, run))
        if name == "model.json":
            mine, theirs = (json.loads(part)["config"] for part in (mine, theirs))
        assert mine == theirs


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.mark.usefixtures("toy")
@pytest.mark.parametrize(
    ("search", "message"),
    [
        ("epochs", r"--search: expected KEY=LOW:HIGH\[:log\] or KEY=A,B,C, found 'epochs'"),
        ("epoch=1:3", "--search: toy knows epochs, .*, found 'epoch'; nearest: epochs"),
        ("epochs=1:3:5", "--search: epochs: expected LOW:HIGH or LOW:HIGH:log, found '1:3:5'"),
        ("epochs=1:3:log:log", "--search: epochs: expected LOW:HIGH or LOW:HIGH:log"),
        ("epochs=1.5:3", "--search: epochs: expected a whole number, found '1.5'"),
        ("epochs=:3", "--search: epochs: expected a whole number, found ''"),
        ("learning_rate=low:high", "--search: learning_rate: expected a number, found 'low'"),
        ("learning_rate=nan:1", "search: learning_rate: expected LOW below HIGH, found nan and 1"),
        ("epochs=3:1", "search: epochs: expected LOW below HIGH, found 3 and 1"),
        ("shape=a:b", "--search: shape: expected texts with commas between, found 'a:b'"),
        ("shape=flat,round", "search: shape: expected flat or deep, found 'round'"),
        ("shape=flat", "search: shape: expected a range or two or more different values"),
        ("batch_size=4,8", "search: batch_size: expected a setting that is not given a value, found 16"),
    ],
)
def test_bad_searches(data: Path, tmp_path: Path, search: str, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}"):
        tune.command("toy", data, tmp_path / "study", search=[search], settings=["batch_size=16"], quiet=True)
    assert not (tmp_path / "study").exists()


@pytest.mark.usefixtures("toy")
def test_what_is_refused(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    study = tmp_path / "study"
    for model, more, message in (
        ("markov", {}, "model: expected one that can be judged while it is trained: .*rbm.*; found 'markov'"),
        ("toy", {"settings": ["snapshots=3"]}, "--set: toy knows .*monitor_leak.*, found 'snapshots'"),
        ("toy", {"settings": ["validation=0"]}, "validation: expected a share of the persons, above 0"),
        ("toy", {"resume": True}, r"study: expected a study, found no tune\.json"),
    ):
        with pytest.raises(ValueError, match=message):
            tune.command(model, data, study, quiet=True, **more)
    with pytest.raises(ValueError, match=r"none\.vcf: expected a file to read, found none"):
        tune.command("toy", tmp_path / "none.vcf", study, quiet=True)
    study.mkdir()
    with pytest.raises(ValueError, match="study: there already; -f replaces it"):
        tune.command("toy", data, study, quiet=True)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "plotly" else importlib)
    with pytest.raises(MissingDependencyError, match="plotly"):
        tune.command("toy", data, tmp_path / "other", quiet=True)
    assert list(study.iterdir()) == []


@pytest.mark.usefixtures("toy")
def test_no_trial_that_ends_well(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tmp_path / "study"
    more: dict[str, Any] = {"settings": ["learning_rate=0.5"], "search": ["batch_size=4:8"], "trials": 2}
    with pytest.raises(ValueError, match="study: expected a trial that ends well, found 2 diverged: noise: expected"):
        tune.command("toy", data, study, **more)
    assert "trial 1: diverged (noise: expected it to fall; a lower learning_rate helps)" in capsys.readouterr().err
    assert "No trial was trained to its end" in (study / "report.html").read_text()


@pytest.mark.usefixtures("toy")
def test_resumed_with_what_it_was_begun_with(data: Path, tmp_path: Path) -> None:
    """Nothing has to be said again but the seed; what is said again must be the same; trials may be more."""
    study = tmp_path / "study"
    (tmp_path / "a.toml").write_text("epochs = 3\nmonitor_leak = 0\nvalidation = 0.4\n")
    search = ["learning_rate=0.005:0.02:log", "shape=flat,deep"]
    tune.command("toy", data, study, trials=1, search=search, config=tmp_path / "a.toml", seed=3, quiet=True)
    tune.command("toy", data, study, resume=True, seed=3, quiet=True)
    assert len(read_study(study)["trials"]) == 1
    tune.command(
        "toy", data, study, trials=2, search=search[1:], settings=["epochs=3"], resume=True, seed=3, quiet=True
    )
    found = read_study(study)
    assert len(found["trials"]) == 2
    assert found["record"]["validation"] == 0.4
    for more, message in (
        ({}, "the same seed, 3, found 0"),
        ({"seed": 3, "settings": ["epochs=4"]}, "the same epochs, 3, found 4"),
        ({"seed": 3, "settings": ["validation=0.3"]}, "the same validation, 0.4, found 0.3"),
        ({"seed": 3, "search": ["epochs=4:5"]}, "the same search of epochs, none, found"),
    ):
        with pytest.raises(ValueError, match=f"study: expected to resume with {message}"):
            tune.command("toy", data, study, resume=True, quiet=True, **more)


@pytest.mark.slow
def test_interrupted_and_resumed(data: Path, tmp_path: Path) -> None:
    """Ctrl-C as the terminal sends it: exit code 130, and the command that goes on, with the trial and its epochs."""
    study = tmp_path / "study"
    # long chains, so that an epoch takes long enough to be interrupted
    more = ("epochs=10", "gibbs_steps=300", "num_chains=300", "batch_size=60", "hidden=bernoulli", "temperature=1")
    pairs = [f"--set={s}" for s in (*more, "checkpoint_every=1", "monitor_leak=0")]
    arguments = ["tune", "rbm", data, "--seed", "5", "-o", study, *pairs, "--trials", "1"]
    process = subprocess.Popen(
        [sys.executable, "-c", "from hapforge.cli import main; main()", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    log = study / "trial" / "train.jsonl"
    for _ in range(1200):
        if log.exists() and log.read_text().count("\n") >= 2:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=120)
    assert process.returncode == 130, message
    assert re.search(
        r"to go on: hapforge tune rbm \S+ -o \S+ --resume --trials 1 --seed 5\nhapforge: interrupted\n$", message
    )
    assert read_study(study)["trials"] == []
    done = log.read_text().splitlines()
    tune.command("rbm", data, study, resume=True, seed=5, quiet=True)
    found = read_study(study)
    assert [trial["state"] for trial in found["trials"]] == ["complete"]
    model = hf.models.load(study / "best")
    assert model.training["seed"] == 5
    assert len(done) >= 2

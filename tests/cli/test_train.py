"""`hapforge train`: settings, run folders, interruption."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import generate, train

pytest.importorskip("torch")
SMALL = ["num_hidden=8", "epochs=3", "gibbs_steps=2", "num_chains=20", "batch_size=10"]


@pytest.fixture
def data(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.write(small_cohort, tmp_path / "data.hapz")
    return tmp_path / "data.hapz"


@pytest.mark.parametrize("name", ["bernoulli", "Markov", "RBM"])
def test_every_model(data: Path, tmp_path: Path, name: str) -> None:
    run = tmp_path / "run"
    train.command(name, data, run, settings=SMALL if name == "RBM" else None, seed=7, quiet=True)
    model = hf.models.load(run)
    assert model.name == name.lower()
    assert model.training["data_sha256"] == hf.read(data).sha256()
    settings = {"num_hidden": 8, "epochs": 3, "gibbs_steps": 2, "num_chains": 20, "batch_size": 10}
    again = hf.models.by_name(name)(**(settings if name == "RBM" else {})).fit(hf.read(data), seed=7)
    assert model.sample(9).sha256() == again.sample(9).sha256()


def test_a_model_with_labels(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Labels from a file, one missing; draws of one label carry it into the file; an unknown one is refused."""
    data, labels, run = tmp_path / "data.hapz", tmp_path / "labels.tsv", tmp_path / "run"
    hf.write(small_cohort, data)
    persons = [f"P{i}\t{'' if i == 3 else 'EUR' if i < 5 else 'AFR'}" for i in range(10)]
    labels.write_text("\n".join(["sample\tcontinent", *persons]) + "\n")
    settings = ["num_hidden=8", "epochs=3", "gibbs_steps=2", "batch_size=10", "label=continent"]
    train.command("labelled_rbm", data, run, settings=settings, labels=labels, seed=7, quiet=True)
    model = hf.models.load(run)
    assert model.training["labels"] == {"AFR": 10, "EUR": 8}
    assert model.training["num_without_label"] == 2
    generate.command(run, 6, tmp_path / "ag.hapz", label="AFR", settings=["steps=3"], seed=4, quiet=True)
    drawn = hf.read(tmp_path / "ag.hapz")
    assert drawn.samples.labels["continent"].tolist() == ["AFR"] * 6
    assert drawn.sha256() == model.sample(6, seed=4, labels="AFR", steps=3).sha256()
    with pytest.raises(ValueError, match="labels: expected one of AFR, EUR, found 'SAS'"):
        generate.command(run, 6, tmp_path / "none.hapz", label="SAS", quiet=True)
    assert not (tmp_path / "none.hapz").exists()
    with pytest.raises(ValueError, match="label: expected 'continent' among the labels of H, found population"):
        train.command("labelled_rbm", data, tmp_path / "bare", settings=settings, quiet=True)
    assert not (tmp_path / "bare").exists()


def test_preset_file_and_set_in_that_order(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(hf.models.RBM.PRESETS, "small", {"num_hidden": 5, "epochs": 9, "gibbs_steps": 3})
    (tmp_path / "a.toml").write_text("epochs = 2\nlearning_rate = 1\nnum_chains = 20\n")
    run = tmp_path / "run"
    train.command("rbm", data, run, settings=["num_chains=30"], preset="small", config=tmp_path / "a.toml", quiet=True)
    config = hf.models.load(run).config
    assert (config.num_hidden, config.gibbs_steps, config.epochs, config.num_chains) == (5, 3, 2, 30)
    assert config.learning_rate == 1.0


def test_validation_holds_out_persons(data: Path, tmp_path: Path) -> None:
    train.command("rbm", data, tmp_path / "run", settings=[*SMALL, "validation=0.3"], quiet=True)
    model = hf.models.load(tmp_path / "run")
    assert model.training["num_haplotypes"] == 14
    last = json.loads((tmp_path / "run" / "train.jsonl").read_text().splitlines()[-1])
    assert {"free_energy_train", "free_energy_validation"} <= set(last)


def test_persons_are_held_out_by_default(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A tenth, of 500 persons or more, unless a share or a preset is chosen; a resumed run has what it had."""
    from hapforge.cli.train import _FEWEST_PERSONS

    def rows(name: str, **more: object) -> int:
        train.command("rbm", data, tmp_path / name, settings=[*SMALL, *more.pop("settings", [])], **more)
        return int(hf.models.load(tmp_path / name).training["num_haplotypes"])

    assert _FEWEST_PERSONS == 500
    assert rows("few") == 20
    monkeypatch.setattr(train, "_FEWEST_PERSONS", 10)
    assert rows("held") == 18
    assert "18 haplotypes x 130 sites, 2 held out for validation" in " ".join(capsys.readouterr().err.split())
    assert rows("share", settings=["validation=0.3"]) == 14
    assert rows("none", settings=["validation=0"]) == 20
    assert rows("preset", preset="rbm_2021_805") == 20
    assert json.loads((tmp_path / "held" / "run.json").read_text())["notes"]["validation"] == 0.1


@pytest.mark.parametrize(
    ("model", "settings", "message"),
    [
        (
            "rbm",
            ["epoch=3"],
            "--set: rbm knows num_hidden, .*epochs, .*checkpoint_every, .*found 'epoch'; nearest: epochs$",
        ),
        ("markov", ["epochs=3"], "--set: markov knows window, found 'epochs'$"),
        ("rbm", ["training=pdc"], "training: expected one of rdm, pcd, cd, found 'pdc'"),
        ("bernoulli", ["x=3"], "--set: bernoulli knows no settings, found 'x'"),
        ("rbm", ["epochs=many"], "--set: epochs: expected a whole number, found 'many'"),
        ("rbm", ["epochs=1.5"], "--set: epochs: expected a whole number, found '1.5'"),
        ("rbm", ["learning_rate=fast"], "--set: learning_rate: expected a number, found 'fast'"),
        ("rbm", ["epochs"], "--set: expected KEY=VALUE, found 'epochs'"),
        ("rbm", ["epochs=-1"], "epochs: expected 1 or more, found -1"),
        ("rbm", ["validation=1"], "validation: expected a share"),
        ("rbm", ["validation=nan"], "validation: expected a share"),
        ("rbm", ["checkpoint_every=0"], "checkpoint_every: expected 1 or more"),
        (
            "pca",
            [],
            "model: expected one of bernoulli, markov, rbm, crbm, labelled_rbm, gan, wgan, vae, diffusion, found 'pca'",
        ),
    ],
)
def test_bad_settings(data: Path, tmp_path: Path, model: str, settings: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train.command(model, data, tmp_path / "run", settings=settings, quiet=True)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epochs = ", "expected TOML"),
        ("epochs = 2.5", "epochs: expected a whole number, found 2.5"),
        ("hidden = 3", "hidden: expected text, found 3"),
        ("gibs_steps = 3", "found 'gibs_steps'; nearest: gibbs_steps"),
        ("epochs = true", "epochs: expected a whole number, found True"),
        ("[run]\nepochs = 2", "rbm knows .* found 'run'"),
        ("[training]\nepochs = 2", "training: expected text, found {'epochs': 2}"),
    ],
)
def test_bad_files(data: Path, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "a.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        train.command("rbm", data, tmp_path / "run", config=tmp_path / "a.toml", quiet=True)


def test_what_is_replaced(data: Path, tmp_path: Path) -> None:
    run, other = tmp_path / "run", tmp_path / "other"
    train.command("bernoulli", data, run, quiet=True)
    with pytest.raises(ValueError, match="-f replaces it"):
        train.command("rbm", data, run, settings=SMALL, quiet=True)
    train.command("rbm", data, run, settings=SMALL, force=True, quiet=True)
    assert hf.models.load(run).name == "rbm"
    train.command("markov", data, run, force=True, quiet=True)
    assert sorted(p.name for p in run.iterdir()) == ["model.json", "weights.safetensors"]
    other.mkdir()
    (other / "thesis.tex").write_text("years")
    with pytest.raises(ValueError, match="found something else"):
        train.command("markov", data, other, force=True, quiet=True)
    assert (other / "thesis.tex").exists()


def test_aligned_sequences(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """FASTA in, with labels from a table, and out; nothing else of it can be written or fitted by binary units."""
    rng = np.random.default_rng(1)
    given = hf.Alignment(rng.integers(21, size=(40, 7)), hf.alignment.AMINO_ACIDS).to_haplotypes()
    data, labels, run = tmp_path / "data.fasta.gz", tmp_path / "labels.tsv", tmp_path / "run"
    hf.write(given, data)
    labels.write_text("name\tfamily\n" + "".join(f"sequence{i}\tGH_{i % 2}\n" for i in range(40)))
    settings = ["num_hidden=4", "epochs=2", "gibbs_steps=2", "label=family", "validation=0.25", "monitor_every=1"]
    train.command("labelled_rbm", data, run, settings=settings, labels=labels, seed=7)
    assert "30 sequences x 7 positions, 10 held out for validation" in " ".join(capsys.readouterr().err.split())
    generate.command(run, 5, tmp_path / "ag.faa", label="GH_1", seed=4)
    assert "ag.faa: 5 sequences x 7 positions" in " ".join(capsys.readouterr().err.split())
    drawn, model = hf.read(tmp_path / "ag.faa"), hf.models.load(run)
    assert drawn.samples.labels["family"].tolist() == ["GH_1"] * 5
    assert drawn.sha256() == model.sample(5, seed=4, labels="GH_1").sha256()
    with pytest.raises(ValueError, match=r"none\.vcf: expected haplotypes to write as VCF, found aligned sequences"):
        generate.command(run, 4, tmp_path / "none.vcf", quiet=True)
    with pytest.raises(ValueError, match="H: expected haplotypes for a rbm model, found aligned sequences"):
        train.command("rbm", data, tmp_path / "none", quiet=True)
    hf.models.Bernoulli().fit(hf.HaplotypeMatrix.from_dense(np.eye(4, dtype=np.uint8))).save(tmp_path / "other")
    with pytest.raises(
        ValueError, match=r"none\.fasta: expected aligned sequences to write as FASTA, found haplotypes"
    ):
        generate.command(tmp_path / "other", 4, tmp_path / "none.fasta", quiet=True)
    assert not list(tmp_path.glob("none*"))


def test_labels_are_read_and_checked(data: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("id\tgroup\nP0\tx\n")
    with pytest.raises(ValueError, match="a line for every haplotype"):
        train.command("markov", data, tmp_path / "run", labels=tmp_path / "labels.tsv", quiet=True)


def test_interrupted_and_resumed(data: Path, tmp_path: Path) -> None:
    """Ctrl-C as the terminal sends it: exit code 130, a folder, a line on how to go on; then the same weights."""
    run, whole = tmp_path / "run", tmp_path / "whole"
    # long chains, so that an epoch takes long enough to be interrupted
    more = ("epochs=6", "gibbs_steps=500", "num_chains=300", "batch_size=100", "checkpoint_every=1", "validation=0.2")
    pairs = [f"--set={s}" for s in (*SMALL, *more)]
    labels = tmp_path / "labels.tsv"
    persons = dict.fromkeys(hf.read(data).samples.sample_id.tolist())
    labels.write_text("id\tgroup\n" + "".join(f"{person}\tx\n" for person in persons))
    arguments = ["train", "rbm", data, "--seed", "5", "-o", run, *pairs, "--policy=missing=skip", "--labels", labels]
    process = subprocess.Popen(
        [sys.executable, "-c", "from hapforge.cli import main; main()", *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
    )
    log = run / "train.jsonl"
    for _ in range(600):
        if log.exists() and log.read_text().count("\n") >= 2:
            break
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGINT)
    _, message = process.communicate(timeout=60)
    assert process.returncode == 130, message
    said = rf"--policy=missing=skip --labels {re.escape(str(labels))} -o \S+ --resume --seed 5"
    command = rf"hapforge train rbm \S+ {said}"
    assert re.search(rf"to go on: {command}\nhapforge: interrupted\n$", message)
    assert json.loads((run / "run.json").read_text())["notes"]["policy"] == ["missing=skip"]
    assert not (run / "model.json").exists()
    assert "This training was interrupted" in (run / "report.html").read_text()
    assert (run / "checkpoint" / "state.json").exists()

    with pytest.raises(ValueError, match="expected to resume with the same num_hidden, 8, found 9"):
        train.command("rbm", data, run, settings=["num_hidden=9"], resume=True, seed=5, quiet=True)
    train.command("rbm", data, run, resume=True, seed=5, quiet=True, labels=labels)
    train.command("rbm", data, whole, settings=[*SMALL, *more], seed=5, quiet=True)
    assert (run / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    assert "6 of 6" in (run / "report.html").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="found one that has ended"):
        train.command("rbm", data, run, resume=True, seed=5, quiet=True)


def test_a_page_of_the_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the preset and what of it was changed; without plotly a line says so; a damaged log is refused."""
    from hapforge.models import _store

    run = tmp_path / "run"
    train.command("rbm", data, run, settings=SMALL, preset="rbm_2021_805")
    assert f"{run}/report.html: curves of the training" in capsys.readouterr().err.replace("\n", "")
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "rbm_2021_805" in page
    assert "8 (preset: 100)" in page
    assert hf.read(data).sha256() in page

    def none(*_: object, **__: object) -> str:
        raise hf.errors.MissingDependencyError("plotly", "eval")

    with monkeypatch.context() as patched:
        patched.setattr("hapforge.report.training.page", none)
        train.command("rbm", data, run, settings=SMALL, force=True)
    assert "run: no report.html: this needs plotly" in capsys.readouterr().err.replace("\n", " ")
    assert not (run / "report.html").exists()
    assert hf.models.load(run).training["epochs_done"] == 3

    def damaged(folder: Path, entry: dict[str, object], append: object = _store.append_sealed) -> None:
        append(folder, {**entry, "epoch": 7})

    monkeypatch.setattr(_store, "append_sealed", damaged)
    with pytest.raises(
        hf.errors.FormatError, match=r"train\.jsonl, line 1: expected the line of epoch 1, found that of 7"
    ):
        train.command("rbm", data, run, settings=SMALL, force=True, quiet=True)
    assert not (run / "report.html").exists()


def test_resume_needs_a_run(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a run folder to resume, found none"):
        train.command("rbm", data, tmp_path / "run", resume=True)
    with pytest.raises(ValueError, match="nothing to resume"):
        train.command("markov", data, tmp_path / "run", resume=True)


@pytest.mark.parametrize("model", ["bernoulli", "rbm"])
def test_replacing_a_run_removes_only_the_run(data: Path, tmp_path: Path, model: str) -> None:
    run = tmp_path / "run"
    settings = list(SMALL) if model == "rbm" else []
    train.command("rbm", data, run, settings=list(SMALL), quiet=True)
    (run / "notes.txt").write_text("mine")
    before = {p.name: p.read_bytes() for p in run.iterdir()}
    for bad in ({"device": "cuda"}, {"seed": 2**64}):
        with pytest.raises(ValueError, match="expected"):
            train.command(model, data, run, settings=settings, force=True, quiet=True, **bad)
        assert {p.name: p.read_bytes() for p in run.iterdir()} == before
    train.command(model, data, run, settings=settings, force=True, quiet=True)
    assert (run / "notes.txt").read_text() == "mine"
    assert json.loads((run / "model.json").read_text())["model"] == model
    assert (run / "run.json").exists() == (model == "rbm")


def test_a_share_without_persons_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="validation: expected persons on both sides"):
        train.command("rbm", data, tmp_path / "run", settings=[*SMALL, "validation=0.001"], quiet=True)
    assert not (tmp_path / "run").exists()


def test_monitor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cohort = hf.datasets.load("ooa").select_sites(range(100)).select_haplotypes(range(200))
    hf.write(cohort, tmp_path / "data.hapz")
    run, whole = tmp_path / "run", tmp_path / "whole"
    settings = [*SMALL, "epochs=6", "validation=0.3", "monitor_every=2", "monitor_patience=1", "learning_rate=0.0001"]
    train.command("rbm", tmp_path / "data.hapz", run, settings=settings, seed=5)
    assert re.search(r"run/best: the best of \d evaluations, epoch \d", capsys.readouterr().err.replace("\n", ""))
    lines = [json.loads(line) for line in (run / "monitor.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines] == list(range(2, hf.models.load(run).training["epochs_done"] + 1, 2))
    assert hf.models.load(run / "best").sample(4).num_sites == 100
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Training of rbm" in page
    assert f"{lines[-1]['scores']['aa_syn']:.4f}" in page
    train.command("rbm", tmp_path / "data.hapz", whole, settings=[*SMALL, "epochs=6", "validation=0.3"], quiet=True)
    assert not (whole / "monitor.jsonl").exists()
    page = (whole / "report.html").read_text(encoding="utf-8")
    assert "Frequency gap" in page
    assert "real rows" not in page
    train.command("markov", tmp_path / "data.hapz", run, force=True, quiet=True)
    assert sorted(p.name for p in run.iterdir()) == ["model.json", "weights.safetensors"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["monitor_every=2"], "monitor_every: expected validation=SHARE of the persons beside it, found none"),
        (["monitor_patience=2"], "monitor_patience: expected monitor_every=EPOCHS beside it, found none"),
        (["monitor_leak=0.1"], "monitor_leak: expected monitor_every=EPOCHS beside it, found none"),
        (["monitor_every=-1"], "monitor_every: expected 0 or more, found -1"),
    ],
)
def test_bad_monitors(data: Path, tmp_path: Path, settings: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train.command("rbm", data, tmp_path / "run", settings=settings, quiet=True)
    assert not (tmp_path / "run").exists()

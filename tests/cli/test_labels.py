"""`hapforge labels`: scores, matrices and pictures of a trained model with labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import labels, train
from hapforge.evaluation.labels import study_labels
from hapforge.evaluation.snapshots import load_snapshots

pytest.importorskip("torch")
pytest.importorskip("matplotlib")
SETTINGS = ["num_hidden=8", "epochs=4", "gibbs_steps=2", "batch_size=40", "label=population", "snapshots=1, 3"]
ENDINGS = ("components.png", "confusion.png", "json", "scores.png", "tsv")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """data.hapz, and run, trained on nine in ten of its persons."""
    path = tmp_path_factory.mktemp("labels")
    whole = hf.datasets.load("ooa")
    rows = np.concatenate([np.arange(first, first + 2) for first in range(0, 5008, 24)])
    hf.write(whole.select_haplotypes(rows).select_sites(np.arange(0, 400, 5)), path / "data.hapz")
    settings = [*SETTINGS, "validation=0.3"]
    train.command("labelled_rbm", path / "data.hapz", path / "run", settings=settings, seed=5, quiet=True)
    return path


def test_held_out_persons_are_the_test(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    run = folder / "run"
    assert sorted(path.name for path in (run / "snapshots").iterdir()) == ["1", "3"]
    labels.command(run, folder / "data.hapz", tmp_path / "out", steps="1,2", seed=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"out.{ending}" for ending in ENDINGS]
    known, held = hf.read(folder / "data.hapz").split(0.3, 5)
    models = load_snapshots(run) | {4: hf.models.load(run)}
    expected = study_labels(models, held, steps=[1, 2], control=known, seed=4)
    assert (tmp_path / "out.json").read_text() == expected.json()
    assert (tmp_path / "out.tsv").read_text() == expected.tsv()
    assert (tmp_path / "out.scores.png").read_bytes().startswith(b"\x89PNG")
    assert f"{held.num_haplotypes} test haplotypes, 3 labels, 3 ages" in capsys.readouterr().err


def test_other_haplotypes_and_a_control(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    whole = hf.read(folder / "data.hapz")
    known, held = whole.split(0.3, 5)
    hf.write(held, tmp_path / "test.hapz")
    hf.write(known, tmp_path / "train.hapz")
    run = folder / "run"
    labels.command(run, tmp_path / "test.hapz", tmp_path / "a", control=tmp_path / "train.hapz", steps="2", quiet=True)
    found = json.loads((tmp_path / "a.json").read_text())
    assert sum(found["counts"].values()) == held.num_haplotypes
    assert list(found["control"]) == ["AFR", "EAS", "EUR"]
    labels.command(run, tmp_path / "train.hapz", tmp_path / "b", steps="2")
    assert "DATA is what RUN was trained on: this is no test" in capsys.readouterr().err
    assert json.loads((tmp_path / "b.json").read_text())["control"] == {}


def test_models_kept_during_training_know_their_age(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    run, data = tmp_path / "run", folder / "data.hapz"
    settings = [*SETTINGS, "validation=0.3", "monitor_every=2", "temperature=1"]
    train.command("labelled_rbm", data, run, settings=settings, seed=5, quiet=True)
    best = json.loads((run / "monitor.jsonl").read_text().splitlines()[-1])["best_epoch"]
    for kept, age in ((run / "best", best), (run / "snapshots" / "3", 3)):
        assert hf.models.load(kept).training["epochs_done"] == age
        labels.command(kept, data, tmp_path / f"of_{kept.name}", steps="2")
        assert " labels, 1 age; " in capsys.readouterr().err
        ages = json.loads((tmp_path / f"of_{kept.name}.json").read_text())["ages"]
        assert [of["epoch"] for of in ages] == [age]


def test_bad_input(folder: Path, tmp_path: Path) -> None:
    data, run = folder / "data.hapz", folder / "run"
    hf.models.Markov(3).fit(hf.read(data)).save(tmp_path / "markov")
    hf.write(hf.read(data).select_sites(np.arange(9)), tmp_path / "some.hapz")
    before = sorted(path.name for path in tmp_path.iterdir())
    for model, file, prefix, more, message in (
        (tmp_path / "markov", data, "s", {}, "expected a model that knows labels, labelled_rbm, found markov"),
        (run, tmp_path / "some.hapz", "s", {}, "expected the 80 sites of the model, found 9"),
        (run, data, "s", {"steps": "1,x"}, "--steps: expected whole numbers with commas between, found '1,x'"),
        (run, data, "s", {"steps": "0"}, r"steps: expected numbers of 1 or more, found \[0\]"),
        (run, data, "none/s", {}, "expected an existing folder to write to"),
    ):
        with pytest.raises(ValueError, match=message):
            labels.command(model, file, tmp_path / prefix, quiet=True, **more)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    (tmp_path / "s.tsv").write_text("mine")
    with pytest.raises(ValueError, match=r"s\.tsv: there already; -f replaces it"):
        labels.command(run, data, tmp_path / "s", quiet=True)


@pytest.mark.parametrize("text", ["0", "5", "1,,2", "two", "-1"])
def test_bad_snapshots(folder: Path, tmp_path: Path, text: str) -> None:
    settings = [*SETTINGS, f"snapshots={text}"]
    with pytest.raises(ValueError, match="snapshots: expected epochs of 1 to 4 with commas between, found"):
        train.command("labelled_rbm", folder / "data.hapz", tmp_path / "run", settings=settings, quiet=True)
    assert not (tmp_path / "run").exists()


def test_a_new_run_in_the_folder_has_no_old_snapshots(folder: Path, tmp_path: Path) -> None:
    settings = ["num_hidden=4", "epochs=1", "gibbs_steps=1", "label=population", "temperature=1"]
    for more in (["snapshots=1"], []):
        train.command(
            "labelled_rbm", folder / "data.hapz", tmp_path / "run", settings=settings + more, force=True, quiet=True
        )
        assert (tmp_path / "run" / "snapshots").exists() == bool(more)

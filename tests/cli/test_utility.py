"""`hapforge utility` as a command: three outputs or none, one line and exit code 2 on bad input."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import main

pytest.importorskip("torch")
pytest.importorskip("plotly")
pytest.importorskip("matplotlib")

from hapforge.downstream import classifiers as networks

QUICK = ["--repeats", "1", "--classifiers", "mlp", "--fractions", "0.2"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """train, test and syn.npz with the label "group"; bare.npz without, and labels.tsv for it."""
    rng = np.random.default_rng(5)
    position = np.arange(1, 41)
    for name, n in (("train", 80), ("test", 40), ("syn", 100), ("bare", 80)):
        group = np.arange(n) // 2 % 2
        dense = (position % 2 == group[:, None]) ^ (rng.random((n, 40)) < 0.3)
        ids = [f"{name}{i}" for i in range(n // 2)]
        labels = {} if name == "bare" else {"group": np.array(["a", "b"])[group]}
        matrix = hf.HaplotypeMatrix.from_dense(
            dense.astype(np.uint8), positions=position, ref="A", alt="G", sample_ids=ids, labels=labels
        )
        hf.write(matrix, tmp_path / f"{name}.npz")
    lines = [f"bare{i}\t{'ab'[i % 2]}\n" for i in range(40)]
    (tmp_path / "labels.tsv").write_text("sample\tgroup\n" + "".join(lines))
    build, settings = networks.KINDS["mlp"]
    quick = networks.Settings(**{**vars(settings), "width": 8, "epochs": 8, "batch_size": 16, "learning_rate": 0.01})
    monkeypatch.setitem(networks.KINDS, "mlp", (build, quick))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main() sets its own
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["hapforge", "utility", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_three_outputs_and_a_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before = set(folder.iterdir())
    files = ["train.npz", "test.npz", "syn.npz", "bare.npz"]
    assert run(monkeypatch, *files, "--labels", "labels.tsv", "-o", "out", "--seed", "3", *QUICK) == 0
    assert {p.name for p in set(folder.iterdir()) - before} == {"out.json", "out.tsv", "out.html"}
    table = capsys.readouterr().out
    for word in ("group: 2 values, 40 test haplotypes of 20 persons", "recovery", "syn", "bare", "report: out.html"):
        assert word in table
    payload = json.loads((folder / "out.json").read_text())
    assert payload["sets"] == ["syn", "bare"]
    assert payload["recovery"]["syn"]["mlp"]["mean"] > 0.9
    assert payload["provenance"]["inputs"]["bare"]["file"] == "bare.npz"
    same = hf.downstream.utility(
        hf.read("train.npz"),
        hf.read("test.npz"),
        {"syn": hf.read("syn.npz"), "bare": hf.read("bare.npz", labels="labels.tsv")},
        classifiers=["mlp"],
        repeats=1,
        seed=3,
        fractions=(0.2,),
    )
    assert (folder / "out.tsv").read_text() == same.tsv()
    page = (folder / "out.html").read_text()
    assert f"{100 * same.recovery('mlp', 'syn').mean:.1f}<small>" in page
    assert "As published" not in page


@pytest.mark.parametrize("more", [["genes", "--unit", "person"], ["genes", "--genes", "genes.bed"], ["cohort"]])
def test_classifiers_of_embeddings(folder: Path, monkeypatch: pytest.MonkeyPatch, more: list[str]) -> None:
    (folder / "genes.bed").write_text("1\t0\t20\tone\n1\t20\t40\ttwo\n")
    assert run(monkeypatch, "train.npz", "test.npz", "syn.npz", "-o", "out", *QUICK, "--embedding", *more) == 0
    payload = json.loads((folder / "out.json").read_text())
    assert payload["recovery"]["syn"]["mlp"]["mean"] > 0.8
    name = "CohortPCA" if more == ["cohort"] else "GenewisePCA"
    assert any(f"by a {name} that was fitted to the real training rows" in note for note in payload["notes"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train.npz", "test.npz", "bare.npz"], "bare: expected the label 'group', found no labels"),
        (["train.npz", "test.npz", "syn.npz", "--label", "sex"], "train: expected the label 'sex', found group"),
        (["train.npz", "train.npz", "syn.npz"], "test: expected other persons than in train, found 80 haplotypes"),
        (["train.npz", "test.npz", "no.npz"], "no.npz: expected a file to read, found none"),
        (["train.npz", "test.npz", "syn.npz", "--embedding", "pca"], "--embedding: expected alleles, genes or cohort"),
        (["train.npz", "test.npz", "syn.npz", "--genes", "train.npz"], "--genes: expected --embedding genes beside it"),
        (["train.npz", "test.npz", "syn.npz", "--genes", "no.bed"], "no.bed: expected a file to read, found none"),
        (["train.npz", "test.npz", "syn.npz", "--fractions", "half"], "--fractions: expected numbers with commas"),
        (["train.npz", "test.npz", "syn.npz", "--fractions", "2"], "fractions: expected shares between 0 and 1"),
    ],
)
def test_one_line_and_nothing_written(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    before = set(folder.iterdir())
    assert run(monkeypatch, *arguments, "-o", "out") == 2
    said = capsys.readouterr().err
    assert said.startswith(f"hapforge: {message}")
    assert said.count("\n") == 1
    assert set(folder.iterdir()) == before


def test_what_is_there_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "out.tsv").write_text("mine")
    assert run(monkeypatch, "train.npz", "test.npz", "syn.npz", "-o", "out") == 2
    assert "out.tsv: there already; -f replaces it" in capsys.readouterr().err
    assert (folder / "out.tsv").read_text() == "mine"

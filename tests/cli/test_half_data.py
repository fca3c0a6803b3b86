"""`hapforge half-data`: both halves, the model's draws, what they score against each other; going on with it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import hapforge as hf
from hapforge.cli import half_data
from hapforge.metrics import privacy_score

pytest.importorskip("torch")
SMALL = ["num_hidden=8", "epochs=4", "gibbs_steps=2", "num_chains=20", "batch_size=10"]
FILES = [
    *(f"against_{half}{ending}" for half in ("test", "train") for ending in (".html", ".json", ".log", ".tsv")),
    *("rbm.hapz", "run", "test.hapz", "train.hapz"),
]


class Interrupt(KeyboardInterrupt):
    pass


@pytest.fixture
def data(tmp_path: Path) -> Path:
    cohort = hf.datasets.load("ooa").select_haplotypes(range(200)).select_sites(range(0, 160, 2))
    hf.write(cohort, tmp_path / "data.hapz")
    return tmp_path / "data.hapz"


def test_halves_are_compared(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "half"
    half_data.command("RBM", data, out, settings=SMALL, seed=3, quiet=True)
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    known, test, drawn = (hf.read(out / f"{name}.hapz") for name in ("train", "test", "rbm"))
    expected = hf.read(data).split(0.5, 3)
    assert [known.sha256(), test.sha256()] == [part.sha256() for part in expected]
    model = hf.models.load(out / "run")
    assert model.training["data_sha256"] == known.sha256()  # no one is held out of the half
    assert drawn.sha256() == model.sample(100, seed=3).sha256()
    found = {half: json.loads((out / f"against_{half}.json").read_text()) for half in ("train", "test")}
    assert [found["train"]["sets"], found["test"]["sets"]] == [["rbm"], ["rbm", "train"]]
    privacy = found["train"]["scores"]["rbm"]["privacy_score"]["value"]
    assert privacy == pytest.approx(privacy_score(known, test, drawn))
    lines = {
        line.split("│")[1].strip(): line.split("│")[2:-1]
        for line in capsys.readouterr().out.splitlines()
        if "│" in line
    }
    of_test, of_train = found["test"]["scores"], found["train"]["scores"]
    for label, score in (
        ("AA truth", "aa_truth"),
        ("AF r, low", "af_r_low"),
        ("pairwise W, within", "pairwise_within"),
    ):
        columns = of_test["rbm"], of_test["train"], of_train["rbm"], of_train["holdout"]
        assert [float(cell) for cell in lines[label]] == [round(column[score]["value"], 3) for column in columns]
    assert [cell.strip() for cell in lines["privacy score"]][:3] == ["", "", f"{privacy:.3f}"]


def test_an_interrupted_experiment_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole, broken, settings = tmp_path / "whole", tmp_path / "broken", [*SMALL, "validation=0.2"]
    monkeypatch.setattr(half_data.evaluate, "command", lambda *_given, **_more: None)  # the other test's
    monkeypatch.setattr(half_data, "_summary", lambda *_given: "")
    half_data.command("rbm", data, whole, settings=settings, seed=3, quiet=True)
    fit = hf.models.RBM.fit

    def interrupted(self: hf.models.RBM, *args: object, **given: object) -> hf.models.RBM:
        def stop(state: object) -> None:
            if state.epoch == 2:
                raise Interrupt

        return fit(self, *args, **(given | {"callback": stop}))

    with monkeypatch.context() as patched:
        patched.setattr(hf.models.RBM, "fit", interrupted)
        with pytest.raises(Interrupt):
            half_data.command("rbm", data, broken, settings=settings, seed=3, quiet=True)
    with pytest.raises(ValueError, match="expected a new or empty folder"):
        half_data.command("rbm", data, broken, settings=settings, seed=3, quiet=True)
    half_data.command("rbm", data, broken, resume=True, seed=3, quiet=True)
    assert hf.read(broken / "rbm.hapz").sha256() == hf.read(whole / "rbm.hapz").sha256()


def test_a_counted_model_and_bad_input(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(half_data.evaluate, "command", lambda *_given, **_more: None)
    monkeypatch.setattr(half_data, "_summary", lambda *_given: "")
    half_data.command("markov", data, tmp_path / "half", quiet=True)
    assert (tmp_path / "half" / "markov.hapz").exists()
    with pytest.raises(ValueError, match="expected a file to read, found none"):
        half_data.command("rbm", tmp_path / "absent", tmp_path / "a", quiet=True)
    with pytest.raises(ValueError, match="expected an interrupted experiment to resume"):
        half_data.command("rbm", data, tmp_path / "a", resume=True, quiet=True)
    hf.write(hf.read(data).select_haplotypes([0, 1]), tmp_path / "one.hapz")
    with pytest.raises(ValueError, match="expected 2 persons or more, found 1"):
        half_data.command("rbm", tmp_path / "one.hapz", tmp_path / "a", quiet=True)
    assert not (tmp_path / "a").exists()
    with pytest.raises(ValueError, match="found 'epohcs'; nearest: epochs"):
        half_data.command("rbm", data, tmp_path / "b", settings=["epohcs=3"], quiet=True)
    with pytest.raises(ValueError, match="epochs: expected 1 or more, found -3"):
        half_data.command("rbm", data, tmp_path / "b", settings=["epochs=-3"], quiet=True)
    sequences = hf.Alignment([[0, 1], [1, 0], [1, 1], [0, 0]], "ACGT-").to_haplotypes()
    hf.write(sequences, tmp_path / "sequences.fasta")
    with pytest.raises(ValueError, match="expected haplotypes for a rbm model, found aligned sequences"):
        half_data.command("rbm", tmp_path / "sequences.fasta", tmp_path / "b", quiet=True)
    assert not (tmp_path / "b").exists()

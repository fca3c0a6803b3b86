"""Scores of a labelled model over sampling steps and age: what is compared with what, and what is refused."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.errors import ChecksumError, FormatError
from hapforge.evaluation.labels import steps_to_study, study_labels
from hapforge.evaluation.snapshots import Snapshots, load_snapshots
from hapforge.report.labels import LabelStudy

pytest.importorskip("torch")
_spec = importlib.util.spec_from_file_location(
    "generation_errors_reference", Path(__file__).parents[1] / "reference" / "generation_errors.py"
)
reference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(reference)

SETTINGS = {"num_hidden": 8, "epochs": 6, "gibbs_steps": 3, "batch_size": 40, "learning_rate": 0.5}


def kinds(counts: dict[str, int], seed: int) -> hf.HaplotypeMatrix:
    """Haplotypes near one of four, one site in ten changed."""
    rng = np.random.default_rng(seed)
    centres = np.random.default_rng(99).integers(0, 2, (4, 60))
    which = np.repeat(["abc".find(name) for name in counts], list(counts.values()))
    dense = centres[which] ^ (rng.random((len(which), 60)) < 0.1)
    names = np.repeat(list(counts), list(counts.values()))
    return hf.HaplotypeMatrix.from_dense(dense.astype(np.uint8), labels={"kind": names})


@pytest.fixture(scope="module")
def train() -> hf.HaplotypeMatrix:
    return kinds({"a": 80, "b": 60, "c": 40}, 1)


@pytest.fixture(scope="module")
def test() -> hf.HaplotypeMatrix:
    """Of c too few for scores; ten without label."""
    return kinds({"b": 20, "a": 30, "": 10, "c": 8}, 2)


@pytest.fixture(scope="module")
def run(train: hf.HaplotypeMatrix, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    hf.models.LabelledRBM("kind", **SETTINGS).fit(train, seed=3, run=folder, callback=Snapshots(folder, [4, 2]))
    return folder


@pytest.fixture(scope="module")
def models(run: Path) -> dict[int, hf.models.LabelledRBM]:
    return load_snapshots(run) | {6: hf.models.load(run)}


@pytest.fixture(scope="module")
def study(models: dict, train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix) -> LabelStudy:
    return study_labels(models, test, steps=(5, 1, 3), control=train, seed=7)


def test_scores_are_those_of_the_equations(study: LabelStudy, models: dict, test: hf.HaplotypeMatrix) -> None:
    """Of draws that are asked for here once more, row by row under the reference."""
    values = test.samples.labels["kind"]
    known = test.select_haplotypes(values != "")
    assert list(study.scores) == [2, 4, 6]
    assert study.steps == list(study.scores[2]) == [1, 3, 5]
    assert study.counts == {"a": 30, "b": 20, "c": 8}
    for age, steps in ((2, 5), (6, 1)):
        drawn = models[age].sample(58, seed=7, labels=known.samples.labels["kind"], steps=steps, temperature=1.0)
        for label in ("a", "b"):
            x, y = (H.to_dense()[H.samples.labels["kind"] == label] for H in (known, drawn))
            found = {name: score.value for name, score in study.scores[age][steps][label].items()}
            assert found["spectrum_error"] == pytest.approx(reference.spectrum_error(x, y), rel=1e-6)
            assert found["aai_error"] == pytest.approx(reference.indicator_error(x, y))
            assert found["af_r"] == pytest.approx(np.corrcoef(x.mean(0), y.mean(0))[0, 1])
        few = study.scores[age][steps]["c"]["spectrum_error"]
        assert math.isnan(few.value)
        assert few.procedure == "not computed: 8 rows, at least 10 are needed"
    mean = study.mean(6, 3, "aai_error")
    assert mean == pytest.approx(np.mean([study.scores[6][3][label]["aai_error"].value for label in "ab"]))


def test_entropy_is_compared_at_one_size(study: LabelStudy, models: dict, test: hf.HaplotypeMatrix) -> None:
    known = test.select_haplotypes(test.samples.labels["kind"] != "")
    drawn = models[4].sample(58, seed=7, labels=known.samples.labels["kind"], steps=3, temperature=1.0)
    of_a = [H.select_haplotypes(H.samples.labels["kind"] == "a") for H in (known, drawn)]
    expected = hf.metrics.entropy_error(*of_a, seed=7).error
    assert study.scores[4][3]["a"]["entropy_error"].value == pytest.approx(expected)


def test_own_draws_control_and_ages(
    study: LabelStudy, models: dict, train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix
) -> None:
    known = test.select_haplotypes(test.samples.labels["kind"] != "")
    own = models[6].sample(58, seed=7, labels=known.samples.labels["kind"])
    assert study.own_steps == 3
    assert study.updates == {2: 8, 4: 16, 6: 24}  # 180 rows in batches near 40
    assert np.array_equal(study.confusion, models[6].confusion(known))
    assert study.confusion.sum() == study.asked.sum() == 58
    assert np.array_equal(study.asked, models[6].confusion(own))
    assert study.accuracy[2] == np.mean(models[2].predict(known) == known.samples.labels["kind"])
    assert study.own["a"]["af_r"].value == study.scores[6][3]["a"]["af_r"].value  # of fewer than 100 rows: T = 1
    assert {label: scores["aa_syn"].n for label, scores in study.control.items()} == {"a": 30, "b": 20, "c": 8}
    assert "mean over 10 seeded subsamples" in study.control["a"]["aa_syn"].procedure
    assert study.mean_of_control("spectrum_error") < study.mean(2, 1, "spectrum_error")
    assert study.real.shape == study.drawn.shape == (58, 2)
    assert study.codes.tolist() == ["abc".index(value) for value in known.samples.labels["kind"]]
    components = hf.stats.pca(train)
    assert study.real == pytest.approx(components.project(known))
    assert study.drawn == pytest.approx(components.project(own))


def test_a_model_alone_without_control(models: dict, test: hf.HaplotypeMatrix) -> None:
    study = study_labels(models[6], test, seed=7)
    assert study.steps == steps_to_study(models[6]) == [1, 2, 3, 5, 7, 10, 20, 30]
    assert list(study.updates) == [6]
    assert study.control == {}
    assert math.isnan(study.mean_of_control("aai_error"))
    assert [round(float(x), 6) for x in study.real.mean(0)] == [0, 0]  # components of the test haplotypes


def test_json_and_tsv(study: LabelStudy) -> None:
    found = json.loads(study.json())
    assert found["format"] == "hapforge-labels"
    assert [age["epoch"] for age in found["ages"]] == [2, 4, 6]
    score = study.scores[4][5]["b"]["aa_truth"]
    assert found["ages"][1]["scores"]["5"]["b"]["aa_truth"] == dataclasses.asdict(score)
    assert found["ages"][1]["scores"]["5"]["c"]["aa_truth"]["value"] is None
    assert found["confusion"] == study.confusion.tolist()
    header, *lines = [line.split("\t") for line in study.tsv().splitlines()]
    assert header == ["set", "epoch", "updates", "steps", "label", "score", "value", "low", "high", "n"]
    assert len(lines) == (3 * 3 + 1 + 1) * 3 * 6
    row = next(line for line in lines if line[:6] == ["drawn", "4", "16", "5", "b", "aa_truth"])
    assert float(row[6]) == pytest.approx(score.value, rel=1e-5)
    assert next(line for line in lines if line[0] == "real")[1:4] == ["", "", ""]


def test_whole_numbers_are_labels() -> None:
    numbered = kinds({"a": 40, "b": 40}, 1).with_labels({"kind": np.repeat([10, 9], 40)})
    model = hf.models.LabelledRBM("kind", **SETTINGS).fit(numbered)
    study = study_labels(model, numbered, steps=[1])
    assert study.counts == {"10": 40, "9": 40}


def test_bad_input(models: dict, train: hf.HaplotypeMatrix, test: hf.HaplotypeMatrix) -> None:
    other = hf.models.LabelledRBM("kind", **SETTINGS).fit(kinds({"a": 20, "b": 20}, 1))
    bare = hf.HaplotypeMatrix.from_dense(np.zeros((4, 60), np.uint8))
    for of, cohort, more, message in (
        ({}, test, {}, "models: expected at least one, found none"),
        ({1: other, 6: models[6]}, test, {}, "models: expected the labels a, b, c, found others at age 1"),
        (models, test, {"steps": []}, r"steps: expected numbers of 1 or more, found \[\]"),
        (models, test, {"steps": [3, 0]}, r"steps: expected numbers of 1 or more, found \[0, 3\]"),
        (models, test.select_sites(range(5)), {}, "test: expected the 60 sites of the model, found 5"),
        (models, test, {"control": train.select_sites(range(5))}, "control: expected the 60 sites of the model"),
        (models, test, {"control": bare}, "control: expected the label 'kind', found no labels"),
        (models, bare, {}, "label: expected 'kind' among the labels of H, found no labels"),
        (models, bare.with_labels({"kind": [""] * 4}), {}, "test: expected haplotypes with a kind, found none"),
        (models, bare.with_labels({"kind": ["z"] * 4}), {}, "out of a, b, c, found 'z'"),
        (models, test, {"seed": -1}, "seed"),
    ):
        with pytest.raises(ValueError, match=message):
            study_labels(of, cohort, **more)


def test_snapshots_are_the_model_at_that_age(run: Path, train: hf.HaplotypeMatrix) -> None:
    short = hf.models.LabelledRBM("kind", **SETTINGS)
    draws = {}
    short.fit(train, seed=3, callback=lambda state: draws.update({state.epoch: state.model.sample(9).sha256()}))
    kept = load_snapshots(run)
    assert list(kept) == [2, 4]
    assert {age: model.sample(9).sha256() for age, model in kept.items()} == {age: draws[age] for age in (2, 4)}


def test_snapshots_of_a_run_that_was_interrupted_twice(run: Path, train: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    keep = Snapshots(folder, [2, 4])

    def stop(state: object) -> bool:
        keep(state)
        if state.epoch == 5:
            raise KeyboardInterrupt
        return False

    model = hf.models.LabelledRBM("kind", **SETTINGS)
    with pytest.raises(KeyboardInterrupt):
        model.fit(train, seed=3, run=folder, callback=stop)
    hf.models.LabelledRBM("kind", **SETTINGS).fit(train, seed=3, run=folder, resume=True, callback=keep)
    for epoch in (2, 4):
        name = f"snapshots/{epoch}/weights.safetensors"
        assert (folder / name).read_bytes() == (run / name).read_bytes()


def test_bad_snapshots(run: Path, tmp_path: Path) -> None:
    assert load_snapshots(tmp_path) == {}
    for epochs in ([], [0, 3]):
        with pytest.raises(ValueError, match="snapshots: expected epochs of 1 or more"):
            Snapshots(tmp_path, epochs)
    (tmp_path / "snapshots" / "mine").mkdir(parents=True)
    with pytest.raises(FormatError, match="expected a snapshot, named by its epoch, found mine"):
        load_snapshots(tmp_path)
    (tmp_path / "snapshots" / "mine").rename(tmp_path / "snapshots" / "3")
    for name in ("model.json", "weights.safetensors"):
        content = bytearray((run / "snapshots" / "2" / name).read_bytes())
        (tmp_path / "snapshots" / "3" / name).write_bytes(content)
    assert list(load_snapshots(tmp_path)) == [3]
    content[-1] ^= 1
    (tmp_path / "snapshots" / "3" / "weights.safetensors").write_bytes(content)
    with pytest.raises(ChecksumError):
        load_snapshots(tmp_path)

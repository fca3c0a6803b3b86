"""Scores by label, errors of the spectrum and entropy, embedded accuracies and radar scores from end to end."""

from __future__ import annotations

import json

import jsonschema
import numpy as np
import pytest

import hapforge as hf
from hapforge.evaluation.controls import person_halves
from hapforge.evaluation.output import json_schema
from hapforge.metrics import adversarial_accuracy_embedded, entropy_error, indicator_error, spectrum_error
from hapforge.report.figures.by_label import SCORES
from hapforge.stats import pca

METRICS = ["generation_errors", "embedded_accuracy", "by_label", "haplotype_structure"]


def cohort(seed: int, per_label: dict[str, int], prefix: str, **labels) -> hf.HaplotypeMatrix:
    """Mosaics of founders of two populations, so many haplotypes of each label."""
    founders = np.random.default_rng(1).integers(0, 2, (2, 6, 120), dtype=np.uint8)
    rng = np.random.default_rng(seed)
    rows, names = [], []
    for label, n in per_label.items():
        source = np.repeat(rng.integers(0, 6, (n, 12)), 10, axis=1)
        x = founders[int(label == "south")][source, np.arange(120)]
        rows.append(x ^ (rng.random(x.shape) < 0.03))
        names += [label] * n
    return hf.HaplotypeMatrix.from_dense(
        np.concatenate(rows),
        positions=np.arange(1, 121) * 10,
        ref="A",
        alt="C",
        sample_ids=[f"{prefix}{i}" for i in range(len(names) // 2)],
        labels={"region": names, **labels},
    )


@pytest.fixture(scope="module")
def real() -> hf.HaplotypeMatrix:
    return cohort(5, {"north": 100, "south": 80}, "P", height=np.linspace(0, 1, 180), person=np.arange(180))


@pytest.fixture(scope="module")
def mixed_up() -> hf.HaplotypeMatrix:
    """Good haplotypes, but those labelled south are of the north; a single one labelled east."""
    found = cohort(7, {"north": 120}, "S")
    return found.with_labels({"region": ["north"] * 60 + ["south"] * 59 + ["east"], "person": np.arange(120)})


@pytest.fixture(scope="module")
def result(real: hf.HaplotypeMatrix, mixed_up: hf.HaplotypeMatrix) -> hf.evaluation.Evaluation:
    sets = {"good": cohort(6, {"north": 70, "south": 4, "west": 30}, "G"), "mixed up": mixed_up}
    return hf.evaluate(real, sets, metrics=METRICS, controls=("real_half", "bernoulli"), seed=2)


def test_scores_by_label(result: hf.evaluation.Evaluation) -> None:
    found = result.data.curves["label_scores"].sets
    assert list(found) == ["good", "mixed up", "real half"]  # Bernoulli rows have no labels
    for tables in found.values():
        assert list(tables) == ["region"]  # heights are no labels, and everybody is a person
        assert list(tables["region"]) == ["north", "south"]
        assert all(set(scores) == set(SCORES) for scores in tables["region"].values())
    control, mixed = found["real half"]["region"], found["mixed up"]["region"]
    sizes = {scores["north"]["aa_truth"].n for scores in (tables["region"] for tables in found.values())}
    assert len(sizes) == 1
    assert 10 <= sizes.pop() <= 60
    assert mixed["north"]["af_r"].value > 0.85
    assert mixed["south"]["af_r"].value < 0.5
    assert mixed["south"]["aa_truth"].value > control["south"]["aa_truth"].value + 0.3
    assert mixed["south"]["aai_error"].low > control["south"]["aai_error"].high
    for scores in mixed["north"], mixed["south"], control["north"]:
        for score in scores.values():
            assert score.low <= score.value <= score.high
    assert "label person has no table: no value with 10 haplotypes in a half of the real ones" in result.data.notes


def test_a_label_with_too_few_rows_is_said_and_stops_nothing(result: hf.evaluation.Evaluation) -> None:
    good = result.data.curves["label_scores"].sets["good"]["region"]
    assert np.isnan([score.value for score in good["south"].values()]).all()
    assert good["south"]["af_r"].procedure == "not computed: 4 rows of south in good, at least 10 are needed"
    assert np.isfinite([score.value for score in good["north"].values()]).all()


def test_scores_are_those_of_the_metrics(
    result: hf.evaluation.Evaluation, real: hf.HaplotypeMatrix, mixed_up: hf.HaplotypeMatrix
) -> None:
    found = result.scores["mixed up"]
    spectrum, entropy = spectrum_error(real, mixed_up, seed=2), entropy_error(real, mixed_up, seed=2)
    assert (found["spectrum_error"].value, found["spectrum_error"].n) == (spectrum.error, 120)
    assert (found["spectrum_error"].low, found["spectrum_error"].high) == spectrum.interval
    assert (found["entropy_error"].value, found["entropy_error"].low) == (entropy.error, entropy.interval[0])
    accuracy = hf.metrics.adversarial_accuracy(real, mixed_up, seed=2)
    assert found["aai_error"].value == indicator_error(accuracy).error
    first, second = (real.select_haplotypes(rows) for rows in person_halves(real.samples, 2, 0))
    embedding = pca(real, 10)
    x, y = embedding.coordinates, embedding.project(mixed_up)
    for metric in ("angular", "euclidean"):
        direct = adversarial_accuracy_embedded(x, y, metric=metric, seed=2)
        assert found[f"aa_truth_{metric}"].value == direct.aa_truth
        assert found[f"aa_syn_{metric}"].value == direct.aa_syn
        # at equal n, and for the control: fitted to one half, so that neither the other half nor a set is part of it
        half = pca(first, 10)
        control = adversarial_accuracy_embedded(half.project(first), half.project(second), metric=metric)
        for end in ("", "_equal_n"):
            assert result.scores["real half"][f"aa_truth_{metric}{end}"].value == control.aa_truth
            assert result.scores["real half"][f"aa_syn_{metric}{end}"].value == control.aa_syn
        assert result.scores["mixed up"][f"aa_truth_{metric}_equal_n"].n == control.n
        assert result.scores["Bernoulli"][f"aa_truth_{metric}"].value > 0.7


def test_radar_is_made_of_the_others(real: hf.HaplotypeMatrix) -> None:
    chosen = ["allele_frequency", "pairwise", "adversarial_accuracy", "radar"]
    found = hf.evaluate(real, cohort(6, {"north": 60, "south": 60}, "G"), metrics=chosen, controls=("bernoulli",))
    scores = found.scores["synthetic"]
    for end in ("", "_equal_n"):
        assert scores["radar_af" + end].value == scores["af_r_low" + end].value
        truth, syn = scores["aa_truth" + end].value, scores["aa_syn" + end].value
        assert scores["radar_overfitting" + end].value == pytest.approx(1 - max(0, 0.5 - truth) - max(0, 0.5 - syn))
        assert 0.8 < scores["radar_pairwise" + end].value <= 1
        assert found.scores["Bernoulli"]["radar_pairwise" + end].value < 0.1
        assert np.isnan(scores["radar_ld" + end].value)
        assert scores["radar_ld" + end].procedure == "not computed: ld_score is not known"


def test_the_result_keeps_to_the_schema(result: hf.evaluation.Evaluation) -> None:
    payload = json.loads(result.json())
    jsonschema.validate(payload, json_schema())
    assert payload["curves"]["label_scores"]["sets"]["good"]["region"]["south"]["af_r"]["value"] is None
    structure = payload["curves"]["haplotype_structure"]
    assert {len(row) for row in structure["real"]} == {len(structure["position_bp"])}
    assert set(structure["sets"]) == {"good", "mixed up", "Bernoulli"}
    assert "Scores by label: region" in result.html()

"""`evaluate` from end to end on small cohorts: controls, equal n, failures, outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import hapforge as hf
from hapforge._streams import Stream
from hapforge.evaluation import EQUAL_N, METRICS, SCORES
from hapforge.evaluation.controls import person_halves
from hapforge.evaluation.output import json_schema, payload_sha256
from hapforge.evaluation.statistics import STATISTICS
from hapforge.haplotypes import seeded_order
from hapforge.metrics import adversarial_accuracy, compare_allele_frequencies, pca_overlap, privacy_score
from hapforge.stats import allele_frequencies

NUM_SITES = 150
POSITION = np.arange(1, NUM_SITES + 1) * 40


def cohort(
    seed: int, n: int, *, prefix: str = "P", num_sites: int = NUM_SITES, mutation: float = 0.02, **arguments
) -> hf.HaplotypeMatrix:
    """Mosaics of 12 founders of two populations, the same founders for every seed."""
    founders = np.random.default_rng(1).random((12, num_sites)) < np.random.default_rng(2).beta(0.4, 0.8, num_sites)
    rng = np.random.default_rng(seed)
    source = rng.integers(0, 6, n) + 6 * (np.arange(n) // 2 % 2)
    x = np.empty((n, num_sites), np.uint8)
    for j in range(num_sites):
        switch = rng.random(n) < 0.03
        source = np.where(switch, rng.integers(0, 6, n) + source // 6 * 6, source)
        x[:, j] = founders[source, j] ^ (rng.random(n) < mutation)
    arguments = {"positions": POSITION[:num_sites], "ref": "A", "alt": "C"} | arguments
    return hf.HaplotypeMatrix.from_dense(x, sample_ids=[f"{prefix}{i}" for i in range((n + 1) // 2)], **arguments)


@pytest.fixture(scope="module")
def real() -> hf.HaplotypeMatrix:
    return cohort(10, 120)


@pytest.fixture(scope="module")
def good() -> hf.HaplotypeMatrix:
    return cohort(11, 100, prefix="S")


@pytest.fixture(scope="module")
def bad(real: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    p = np.where(allele_frequencies(real) < 0.1, 0, allele_frequencies(real))
    x = (np.random.default_rng(3).random((90, NUM_SITES)) < p).astype(np.uint8)
    return hf.HaplotypeMatrix.from_dense(x, positions=POSITION, ref="A", alt="C")


@pytest.fixture(scope="module")
def result(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix, bad: hf.HaplotypeMatrix) -> hf.evaluation.Evaluation:
    return hf.evaluate(
        real, {"good": good, "bad": bad}, holdout=cohort(12, 60, prefix="H"), seed=4, controls=["real_half"]
    )


def test_every_score_of_every_column(result: hf.evaluation.Evaluation) -> None:
    assert list(result.scores) == ["good", "bad", "real half", "holdout"]
    missing = {"af_r_5_10", "three_point_r_256", "three_point_r_512", "three_point_r_1024"}  # too few sites
    assert not any(SCORES[name].always for name in missing)
    missing |= {name for statistic in STATISTICS.values() if statistic.opt_in for name in statistic.scores}
    everything = set(SCORES) - missing - {name + EQUAL_N for name in missing}
    assert set(result.scores["good"]) == set(result.scores["bad"]) == set(result.scores["holdout"]) == everything
    assert set(result.scores["real half"]) == everything - {"privacy_score"}
    for column, found in result.scores.items():
        for name, score in found.items():
            if column == "bad" and name.removesuffix(EQUAL_N) == "af_r_0_5":  # all of these sites are fixed
                assert np.isnan(score.value)
                assert "not computed: one frequency at all sites" in score.procedure
                continue
            assert np.isfinite(score.value), name
            assert np.isnan(score.low) == np.isnan(score.high)
            if np.isfinite(score.low):
                assert score.low <= score.value <= score.high, name
            assert score.procedure
            assert "not computed" not in score.procedure


def test_scores_are_those_of_the_metrics(
    result: hf.evaluation.Evaluation, real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix
) -> None:
    found = result.scores["good"]
    accuracy = adversarial_accuracy(real, good, seed=4)
    for name in ("aa_truth", "aa_syn", "aats", "ties_truth", "ties_syn"):
        assert found[name].value == getattr(accuracy, name)
        assert found[name].n == 100
    assert (found["aa_syn"].low, found["aa_syn"].high) == accuracy.aa_syn_interval
    assert found["privacy_score"].value == privacy_score(real, cohort(12, 60, prefix="H"), good, seed=4)
    assert found["privacy_score"].n == 60
    line = compare_allele_frequencies(allele_frequencies(real), allele_frequencies(good), highest=0.2, seed=4)
    assert found["af_r_low"].value == line.r
    assert found["af_r_low"].n == line.num_sites
    overlap = pca_overlap(real, good, num_components=10, rows=60, seed=4)
    assert found["pca_wasserstein"].value == overlap.costs[0].entropic
    assert found["pca_wasserstein_exact_9_10"].value == overlap.costs[4].exact
    assert (found["pca_wasserstein"].low, found["pca_wasserstein"].high) == overlap.costs[0].entropic_interval
    assert {scores["pca_wasserstein"].n for scores in result.scores.values()} == {60}


def test_equal_n_is_one_n(result: hf.evaluation.Evaluation, real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    for found in result.scores.values():
        assert {found[name + EQUAL_N].n for name in ("aa_truth", "aa_syn", "aats", "ties_truth")} == {60}
    # by hand: the control is the mean over ten splits of the persons
    each = [
        adversarial_accuracy(*(real.select_haplotypes(half) for half in person_halves(real.samples, 4, r)))
        for r in range(10)
    ]
    control = result.scores["real half"]
    for name in ("aa_truth", "aa_syn", "ties_syn"):
        assert control[name].value == pytest.approx(np.mean([getattr(a, name) for a in each]), abs=1e-12)
        assert control[name + EQUAL_N].value == control[name].value
    assert control["aa_truth"].n == 60
    for half in person_halves(real.samples, 4, 3):
        assert (half[::2] % 2 == 0).all()
        assert (half[1::2] == half[::2] + 1).all()
    train, held = real.split(0.5, 4)
    halves = [real.select_haplotypes(half) for half in person_halves(real.samples, 4, 0)]
    assert [h.sha256() for h in halves] == [train.sha256(), held.sha256()]


def test_a_perfect_set_is_like_the_control_and_a_bad_one_is_not(result: hf.evaluation.Evaluation) -> None:
    good, bad, control = (result.scores[name] for name in ("good", "bad", "real half"))
    for name in ("aa_truth_equal_n", "aa_syn_equal_n"):
        assert abs(good[name].value - control[name].value) < 0.2
    assert bad["aa_truth_equal_n"].value > control["aa_truth_equal_n"].value + 0.3
    assert good["pca_wasserstein_exact"].value < bad["pca_wasserstein_exact"].value / 3
    assert good["pairwise_within"].value < bad["pairwise_within"].value / 3
    assert good["ld_score"].value > bad["ld_score"].value + 0.3
    assert bad["fixed_sites"].value > 0
    assert bad["fixed_sites_maf"].value < 0.1
    assert abs(good["privacy_score"].value) < 0.25
    assert abs(result.scores["holdout"]["privacy_score"].value) < 0.3


def test_copies_show(real: hf.HaplotypeMatrix) -> None:
    copied = real.select_haplotypes(range(80))
    found = hf.evaluate(
        real,
        copied,
        holdout=cohort(12, 60, prefix="H"),
        metrics=(chosen := ["adversarial_accuracy", "privacy", "allele_frequency"]),
    )
    scores = found.scores["synthetic"]
    assert scores["identical_to_real"].value == 80
    assert scores["aa_syn"].value < 0.1
    assert scores["privacy_score"].value > 0.1
    assert scores["privacy_score"].value > found.scores["holdout"]["privacy_score"].value + 0.1
    assert found.scores["real half"]["identical_to_real"].value == 0
    expected = {s for s in SCORES if s.removesuffix(EQUAL_N) in sum((METRICS[m] for m in chosen), ())}
    assert set(scores) <= expected
    assert {s for s in expected if SCORES[s].always} <= set(scores)
    assert list(found.data.curves) == [
        "allele_frequencies",
        "site_frequency_spectra",
        "fixed_sites",
        "frequency_quantiles",
        "mixed_accuracy",
    ]


def test_a_numpy_seed_is_a_seed(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    one, other = (hf.evaluate(real, good, metrics=["adversarial_accuracy"], seed=seed) for seed in (np.int64(3), 3))
    assert one.scores == other.scores
    assert json.loads(one.json())["provenance"]["seed"] == 3
    with pytest.raises(ValueError, match="seed: expected 0 to"):
        hf.evaluate(real, good, seed=2**64)


def test_curves(result: hf.evaluation.Evaluation, real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    data = result.data
    assert data.sets == ["good", "bad"]
    assert data.controls == ["real half", "holdout"]
    assert set(data.descriptions) == set(data.controls)
    assert data.num_haplotypes == {"good": 100, "bad": 90, "real half": 60, "holdout": 60}
    assert np.array_equal(data.curves["allele_frequencies"].sets["good"], good.to_dense().mean(axis=0))
    assert data.curves["pairwise_differences"].within_real.sum() == 120 * 119 // 2
    assert data.curves["pairwise_differences"].within["good"].sum() == 100 * 99 // 2
    assert data.curves["pairwise_differences"].between["good"].sum() == 120 * 100
    assert data.curves["principal_components"].sets["good"].real.shape == (120, 10)
    assert data.curves["principal_components"].sets["good"].density.sum() == 120
    together = data.curves["combined_components"]
    assert together.real.sum() == 120
    assert {name: counts.sum() for name, counts in together.sets.items()} == {"good": 100, "bad": 90, "holdout": 60}
    assert data.curves["principal_components"].sets["good"].synthetic.shape == (100, 10)
    assert set(data.curves["ld_decay"].sets) == set(data.curves["ld_decay"].real_beside) == set(result.scores)
    known = np.isfinite(data.curves["ld_decay"].sets["bad"])
    pearson = np.corrcoef(
        data.curves["ld_decay"].sets["bad"][known], data.curves["ld_decay"].real_beside["bad"][known]
    )[0, 1]
    assert result.scores["bad"]["ld_decay_r"].value == pytest.approx(pearson)


def test_json_keeps_to_its_schema(result: hf.evaluation.Evaluation, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    result.to_json(path)
    payload = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.Draft202012Validator(json_schema()).validate(payload)
    assert payload["sha256"] == payload_sha256(payload)
    assert payload["scores"]["good"]["aa_truth"]["value"] == result.scores["good"]["aa_truth"].value
    assert payload["scores"]["good"]["repeated_rows"]["low"] is None
    assert payload["provenance"]["seed"] == 4
    assert payload["provenance"]["inputs"]["good"]["haplotypes"] == 100
    assert set(payload["provenance"]["inputs"]) == {"real", "good", "bad", "holdout"}
    assert payload["score_labels"]["aa_truth"]["better"] == "control"
    broken = {**payload, "scores": {"good": {"aa_truthh": payload["scores"]["good"]["aa_truth"]}}}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json_schema()).validate(broken)
    assert payload_sha256(broken) != payload["sha256"]


def test_schema_lists_the_scores() -> None:
    assert json_schema()["$defs"]["score_name"]["enum"] == list(SCORES)
    assert {n for names in METRICS.values() for n in names} == {n.removesuffix(EQUAL_N) for n in SCORES}


def test_tsv_and_html(result: hf.evaluation.Evaluation, tmp_path: Path) -> None:
    result.to_tsv(tmp_path / "a.tsv")
    lines = [line.split("\t") for line in (tmp_path / "a.tsv").read_text().splitlines()]
    assert lines[0] == ["set", "role", "score", "value", "low", "high", "n", "procedure"]
    assert {len(line) for line in lines} == {8}
    assert len(lines) == 1 + sum(len(found) for found in result.scores.values())
    row = next(line for line in lines if line[0] == "good" and line[2] == "aa_truth")
    assert float(row[3]) == result.scores["good"]["aa_truth"].value
    assert {line[1] for line in lines if line[0] in ("real half", "holdout")} == {"control"}
    result.to_html(tmp_path / "a.html")
    page = (tmp_path / "a.html").read_text()
    assert "real half" in page
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.html", "a.tsv"]


def test_nearest_distance_is_the_mean_over_subsamples_at_equal_n(
    real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix
) -> None:
    """Of 100 rows 10 subsamples of half the real persons' number, not the first of them."""
    found = hf.evaluate(real, good, metrics=["nearest_distance"], controls=["real_half"], seed=4).scores["synthetic"]
    n = found["nearest_distance"].n
    x = good.to_dense()
    means = []
    for r in range(10):
        rows = x[seeded_order(len(x), 4, Stream.THIN_SET + r)[:n]]
        distance = (rows[:, None] != rows[None]).sum(2) + 9999 * np.eye(n, dtype=int)
        means.append(distance.min(1).mean())
    assert np.ptp(means) > 0
    assert found["nearest_distance"].value == pytest.approx(np.mean(means))


def test_same_seed_same_result(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    def scores(seed: int) -> dict:
        return json.loads(hf.evaluate(real, good, seed=seed, controls=["real_half"]).json())["scores"]["synthetic"]

    once = scores(7)
    assert once == scores(7)
    other = hf.evaluate(real, good, seed=8, metrics=["adversarial_accuracy"], controls=["real_half"]).scores[
        "synthetic"
    ]
    assert once["aa_truth"]["value"] != other["aa_truth"].value  # 100 of 120 rows, of other seeds


def test_a_device(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    """The same scores where there is one, one line where there is none."""
    how = {"metrics": ["adversarial_accuracy", "pairwise", "chains", "three_point"], "controls": ["real_half"]}
    if "cuda" not in hf.kernels.available_backends("nearest_set"):
        with pytest.raises(ValueError, match="device: expected a CUDA device for 'cuda', found none"):
            hf.evaluate(real, good, device="cuda", **how)
        return
    assert hf.evaluate(real, good, device="cuda", **how).tsv() == hf.evaluate(real, good, **how).tsv()


def test_sites_are_matched(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    flipped = hf.HaplotypeMatrix.from_dense(1 - good.to_dense(), positions=POSITION, ref="C", alt="A")
    fewer = flipped.select_sites(range(0, NUM_SITES, 2))
    found = hf.evaluate(real, fewer, metrics=["allele_frequency"])
    halves = (m.select_sites(range(0, NUM_SITES, 2)) for m in (real, good))
    expected = hf.evaluate(*halves, metrics=["allele_frequency"])
    assert found.scores["synthetic"]["af_r"].value == expected.scores["synthetic"]["af_r"].value
    assert found.data.num_sites == NUM_SITES // 2
    notes = " ".join(found.data.notes)
    assert "real: 75 sites left out" in notes
    assert "synthetic: REF and ALT swapped at 75 sites to match the real set." in notes


def test_doubts_about_sites_are_noted(real: hf.HaplotypeMatrix) -> None:
    ref, alt = np.full(NUM_SITES, "A"), np.full(NUM_SITES, "C")
    alt[:4] = "T"
    mine = hf.HaplotypeMatrix.from_dense(real.to_dense(), positions=POSITION, ref=ref, alt=alt)
    other = np.where(np.arange(NUM_SITES) < 10, POSITION, POSITION + 7)
    ref[2:4], alt[2:4], ref[8:10], alt[8:10] = "T", "A", "T", "G"
    moved = hf.HaplotypeMatrix.from_dense(1 - real.to_dense(), positions=other, ref=ref, alt=alt)
    with pytest.warns(UserWarning, match="other genome builds"):
        found = hf.evaluate(mine, moved, metrics=["allele_frequency"])
    assert found.data.notes[:4] == [
        "real: 142 sites left out that not all sets have.",
        "synthetic: 142 sites left out that not all sets have (2 at positions of the real set, with other alleles, "
        "2 of them those of the other strand).",
        "synthetic: REF and ALT swapped at 2 sites to match the real set; at 2 of them (A/T or C/G) it could be the "
        "strand instead.",
        "Other genome builds? Of the sites before matching, 10 of 149 positions within the range of real and synthetic "
        "agree.",
    ]


def test_persons_who_are_not_phased_are_noted(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    samples = hf.Samples(100, sample_id=good.samples.sample_id, phased=np.arange(50) >= 3)
    loose = hf.HaplotypeMatrix(good.words, good.sites, samples)
    data = hf.evaluate(real, {"good": good, "loose": loose}, metrics=["allele_frequency"], controls=[]).data
    assert [note.split(";")[0] for note in data.notes if "phased" in note] == ["loose: 3 of 50 persons are not phased"]


def test_persons_of_the_holdout_who_are_in_the_real_set(real: hf.HaplotypeMatrix) -> None:
    """Two persons under other names, with their haplotypes swapped, and one haplotype of a third."""
    holdout = cohort(12, 60, prefix="H")
    rows = real.to_dense()[[1, 0, 7, 6, 20]]
    x = np.concatenate([rows, holdout.to_dense()[5:]])
    holdout = hf.HaplotypeMatrix.from_dense(
        x, positions=POSITION, ref="A", alt="C", sample_ids=[f"H{i}" for i in range(30)]
    )
    found = hf.evaluate(real, cohort(11, 100), holdout=holdout, metrics=["allele_frequency"])
    assert [note for note in found.data.notes if note.startswith("holdout: ")] == [
        "holdout: 3 of 30 persons have a whole haplotype of a real person (0 of 60 real persons have one of another); "
        "2 have all those of one (0). More than among the real persons means relatives, or the same persons under "
        "other names."
    ]
    clean = hf.evaluate(real, cohort(11, 100), holdout=cohort(12, 60, prefix="H"), metrics=["allele_frequency"])
    assert not any("persons" in note and note.startswith("holdout") for note in clean.data.notes)


def test_unknown_positions(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    bare = hf.HaplotypeMatrix.from_dense(good.to_dense())
    with pytest.warns(UserWarning, match="by their order"):
        found = hf.evaluate(real, bare, metrics=["allele_frequency", "ld"])
    assert found.scores["synthetic"]["af_r"].value > 0.9
    assert any("Positions are not known" in note for note in found.data.notes)
    with pytest.raises(ValueError, match="found real 150, synthetic 149"):
        hf.evaluate(real, bare.select_sites(range(149)))


def test_a_failing_statistic_stops_nothing(
    real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ot", None)
    found = hf.evaluate(real, good)
    score = found.scores["synthetic"]["pca_wasserstein"]
    assert np.isnan(score.value)
    assert "pip install 'hapforge[eval]'" in score.procedure
    assert any(note.startswith("pca of synthetic could not be computed") for note in found.data.notes)
    assert np.isfinite(found.scores["synthetic"]["ld_score"].value)
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(found.json()))


def test_one_site_is_not_enough_for_some(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    found = hf.evaluate(real.select_sites([1]), good.select_sites([1])).scores["synthetic"]
    assert np.isfinite(found["aa_truth"].value)
    assert np.isfinite(found["pairwise_within"].value)
    for name in ("af_r", "pca_wasserstein", "ld_score"):
        assert np.isnan(found[name].value)
        assert "not computed" in found[name].procedure


def test_tiny_and_odd_cohorts() -> None:
    found = hf.evaluate(cohort(1, 10), cohort(2, 7))
    assert found.scores["synthetic"]["aa_truth"].n == 7
    assert found.scores["synthetic"]["aa_truth_equal_n"].n == 4  # 5 persons: halves of 6 and 4 rows
    assert found.scores["real half"]["aa_truth"].n == 4
    assert hf.evaluate(cohort(1, 4), cohort(2, 3)).scores["synthetic"]["aa_truth_equal_n"].n == 2


def test_progress(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    seen: list[int] = []

    def start(description: str, total: int | None):
        seen.append(-(total or 0))
        return seen.append

    hf.evaluate(real, good, metrics=["allele_frequency", "pairwise"], controls=["real_half"], progress=start)
    assert seen == [-2, 1, 1, -2, 1, 1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"metrics": ["af"]}, "metrics: expected names from allele_frequency"),
        ({"metrics": "pca"}, "metrics: expected names"),
        ({"metrics": ["privacy"]}, "expected a holdout with 'privacy'"),
        ({"controls": ["gan"]}, "controls: expected names from real_half, bernoulli, markov"),
        ({"synthetic": {}}, "at least one set"),
        ({"synthetic": {"holdout": cohort(1, 4)}}, "another name than that of a control, found 'holdout'"),
        ({"synthetic": cohort(1, 1)}, "synthetic: expected at least 2 haplotypes, found 1"),
        ({"real": cohort(10, 2)}, "at least 2 haplotypes in each half"),
        ({"holdout": cohort(10, 120).select_haplotypes(range(40))}, "expected other persons than in real, found 40"),
        ({"seed": -1}, "seed"),
        ({"synthetic": {"\udcff": cohort(1, 4)}}, "expected names that can be written as UTF-8"),
    ],
)
def test_bad_arguments(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix, arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hf.evaluate(**({"real": real, "synthetic": good} | arguments))


def test_model_controls(real: hf.HaplotypeMatrix, good: hf.HaplotypeMatrix) -> None:
    found = hf.evaluate(real, good, metrics=["allele_frequency", "pairwise"])
    assert found.data.controls == ["real half", "Bernoulli", "Markov"]
    assert found.data.num_haplotypes["Markov"] == 120
    scores = found.scores
    assert scores["Bernoulli"]["af_r"].value > 0.95
    assert scores["synthetic"]["pairwise_within"].value < scores["Bernoulli"]["pairwise_within"].value


@pytest.mark.slow
def test_memory_does_not_grow_with_pairs() -> None:
    """15,000 x 15,000 bytes would be 215 MiB; an evaluation of all metrics needs less than 190 beside the libraries."""
    code = """
import resource
import numpy as np
import hapforge as hf
import ot
rng = np.random.default_rng(0)
a, b = (hf.HaplotypeMatrix.from_dense((rng.random((15_000, 64)) < rng.random(64)).astype(np.uint8)) for _ in range(2))
a = hf.HaplotypeMatrix(a.words, hf.Sites(np.arange(64) + 1))
b = hf.HaplotypeMatrix(b.words, a.sites)
base = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
E = hf.evaluate(a, b, controls=["real_half"])
assert E.scores["synthetic"]["aa_truth"].n == 15_000
print(base, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    before, after = map(int, done.stdout.split())
    assert after - before < 190 * 1024


@pytest.mark.parametrize("synthetic", [{3: cohort(1, 4)}, [cohort(1, 4)]])
def test_names_are_text(real: hf.HaplotypeMatrix, synthetic: object) -> None:
    with pytest.raises(TypeError, match="synthetic: expected"):
        hf.evaluate(real, synthetic)


def test_too_few_rows_for_an_interval(real: hf.HaplotypeMatrix) -> None:
    found = hf.evaluate(real, cohort(2, 8), metrics=["pca"], controls=["real_half"]).scores["synthetic"]
    assert np.isfinite(found["pca_wasserstein"].value)
    assert all(np.isnan(s.low) and np.isnan(s.high) for s in found.values())

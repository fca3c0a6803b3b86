"""What fails, or would need too much memory, is reported and stops nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import jsonschema
import numpy as np
import pytest

import hapforge as hf
from hapforge.evaluation import EQUAL_N, METRICS, json_schema
from hapforge.evaluation.memory import in_words, parse_bytes, resident_bytes
from hapforge.evaluation.statistics import STATISTICS


def cohort(seed: int, n: int = 60, num_sites: int = 90, **labels: list[str]) -> hf.HaplotypeMatrix:
    founders = np.random.default_rng(1).random((8, num_sites)) < 0.4
    rng = np.random.default_rng(seed)
    x = founders[rng.integers(0, 8, (n, 6)).repeat(num_sites // 6, axis=1), np.arange(num_sites)]
    x = x ^ (rng.random(x.shape) < 0.02)
    position = np.arange(1, num_sites + 1) * 30
    ids = [f"{seed}_{i}" for i in range(n // 2)]
    return hf.HaplotypeMatrix.from_dense(
        x.astype(np.uint8), positions=position, ref="A", alt="C", sample_ids=ids, labels=labels or None
    )


@pytest.mark.parametrize("column", ["synthetic", pytest.param("real half", marks=pytest.mark.slow)])
def test_every_statistic_may_fail_on_one_cohort(monkeypatch: pytest.MonkeyPatch, column: str) -> None:
    for statistic in STATISTICS.values():

        def compute(self, of, whole=statistic.compute):
            if of.name == column:
                raise ValueError("planted")
            return whole(self, of)

        monkeypatch.setattr(statistic, "compute", compute)
    found = hf.evaluate(cohort(1, 40), cohort(2, 40), holdout=cohort(3, 40), controls=["bernoulli"])
    assert {s.procedure for s in found.scores[column].values()} == {"not computed: planted"}
    finite = [name for name, s in found.scores["Bernoulli"].items() if np.isfinite(s.value)]
    assert {"aa_truth", "af_r", "pairwise_within"} <= set(finite)
    for name in METRICS:
        if name not in ("umap", "ld_sampled"):
            assert f"{name.replace('_', ' ')} of {column} could not be computed: planted" in found.data.notes
    assert {v.level for v in found.data.verdicts["synthetic"].values()} == {"unknown"}
    jsonschema.Draft202012Validator(json_schema()).validate(json.loads(found.json()))
    assert "planted" in found.html()


def test_figure_data_may_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    def collect(self):
        raise ValueError("planted")

    monkeypatch.setattr(STATISTICS["pairwise"], "collect", collect)
    found = hf.evaluate(cohort(1), cohort(2), metrics=["pairwise", "allele_frequency"], controls=["real_half"])
    assert "figures of pairwise could not be made: planted" in found.data.notes
    assert "allele_frequencies" in found.data.curves
    assert np.isfinite(found.scores["synthetic"]["pairwise_within"].value)


def test_a_label_with_a_single_row() -> None:
    real, synthetic = cohort(1, group=["one", "many"] * 30), cohort(2, group=["one"] + ["many"] * 59)
    found = hf.evaluate(real, synthetic, metrics=["by_label", "pairwise"], controls=["real_half"])
    table = json.loads(found.json())["curves"]["label_scores"]
    assert "1 rows of one in synthetic" in json.dumps(table)
    assert np.isfinite(found.scores["synthetic"]["pairwise_within"].value)


def test_what_needs_too_much_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        asked.append((num_haplotypes, num_sites))
        return 10 << 30

    monkeypatch.setattr(STATISTICS["pairwise"], "bytes_needed", classmethod(bytes_needed))
    metrics = ["pairwise", "adversarial_accuracy"]
    found = hf.evaluate(cohort(1), cohort(2, 80), metrics=metrics, controls=["real_half"], max_memory=9 << 30)
    assert set(asked) == {(80, 90), (60, 90)}
    score = found.scores["synthetic"]["pairwise_within" + EQUAL_N]
    assert np.isnan(score.value)
    assert score.procedure.startswith("not computed: expected to need up to 10.00 GiB, ")
    assert score.procedure.endswith("of 9.00 GiB are left")
    assert np.isfinite(found.scores["synthetic"]["aa_truth"].value)
    assert "pairwise_differences" not in found.data.curves
    alone = hf.evaluate(cohort(1), cohort(2, 80), metrics=metrics, controls=["real_half"])
    assert found.scores["synthetic"]["aa_truth"] == alone.scores["synthetic"]["aa_truth"]
    with pytest.raises(ValueError, match="max_memory: expected a number of bytes above 0"):
        hf.evaluate(cohort(1), cohort(2), max_memory=0)


PEAK = """
import sys
import numpy as np
import hapforge as hf
from hapforge.evaluation.memory import resident_bytes

def highest():
    with open("/proc/self/status") as handle:
        return next(int(line.split()[1]) << 10 for line in handle if line.startswith("VmHWM"))

rng = np.random.default_rng(0)
a, b = (hf.HaplotypeMatrix.from_dense(rng.integers(0, 2, (3000, 1500), dtype=np.uint8), positions=np.arange(1500) + 1)
        for _ in range(2))
small = a.select_haplotypes(range(40))
hf.evaluate(small, small, metrics=sys.argv[2].split(","), controls=["real_half"])  # loads what is imported late
with open("/proc/self/clear_refs", "w") as handle:
    handle.write("5")  # the highest residence counts from here
base = resident_bytes()
limit = base + (int(sys.argv[1]) << 20) if sys.argv[1] != "none" else None
found = hf.evaluate(a, b, metrics=sys.argv[2].split(","), controls=["real_half"], max_memory=limit)
scores = found.scores["synthetic"]
print(highest() - base, *(name for name, score in scores.items() if score.value != score.value))
"""


def test_the_peak_stays_below_the_limit() -> None:
    """Measured: with 20 MiB beyond the cohorts, what needs more is left out, and the peak stays there."""

    def peak(limit: str) -> tuple[float, set[str]]:
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "HAPFORGE_THREADS": "1"}
        command = [sys.executable, "-c", PEAK, limit, "generation_errors,adversarial_accuracy"]
        done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
        size, *missing = done.stdout.split()
        return int(size) / 2**20, set(missing)

    least, left_out = peak("20")
    most, nothing = peak("none")
    assert nothing == set()
    assert set(METRICS["generation_errors"]) <= left_out
    assert not set(METRICS["adversarial_accuracy"]) & left_out
    assert least < 20
    assert most > 20


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_says_what_it_needs(name: str) -> None:
    small, large = (STATISTICS[name].bytes_needed(n, 10_000) for n in (500, 5000))
    assert 0 < small <= large
    assert large < 2 << 30


@pytest.mark.parametrize(
    ("text", "size"), [("2G", 2 << 30), ("512m", 512 << 20), ("1.5GiB", 3 << 29), ("800000", 800_000), ("4 KB", 4096)]
)
def test_sizes(text: str, size: int) -> None:
    assert parse_bytes(text) == size


@pytest.mark.parametrize("text", ["", "G", "-1G", "0", "2X", "nan", "inf", "two"])
def test_bad_sizes(text: str) -> None:
    with pytest.raises(ValueError, match="--max-memory: expected a size such as 2G or 512M, found"):
        parse_bytes(text)


def test_words_and_residence() -> None:
    assert in_words(3 << 29) == "1.50 GiB"
    assert in_words(5 << 20) == "5 MiB"
    before = resident_bytes()
    held = np.ones(200 << 20, np.uint8)
    assert resident_bytes() - before > 100 << 20
    del held

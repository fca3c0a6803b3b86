"""Every score has an interval, but for those listed here with the reason."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.evaluation import EQUAL_N, SCORES

WITHOUT = {
    "fixed_sites_maf": "an extreme, which no resample reaches beyond",
    "identical_to_real": "a count over all rows",
    "repeated_rows": "a count over all rows",
}


def cohort(seed: int, n: int, prefix: str, num_sites: int = 1600) -> hf.HaplotypeMatrix:
    frequency = np.random.default_rng(1).beta(0.5, 0.8, num_sites).clip(0.02, 0.98)
    founders = np.random.default_rng(2).random((20, num_sites)) < frequency
    rng = np.random.default_rng(seed)
    x = founders[rng.integers(0, 20, (n, 40)).repeat(num_sites // 40, axis=1), np.arange(num_sites)]
    x = (x ^ (rng.random(x.shape) < 0.03)).astype(np.uint8)
    ids = [f"{prefix}{i}" for i in range(n // 2)]
    return hf.HaplotypeMatrix.from_dense(
        x, positions=np.arange(1, num_sites + 1) * 50, ref="A", alt="C", sample_ids=ids
    )


@pytest.fixture(scope="module")
def result() -> hf.evaluation.Evaluation:
    real, synthetic, holdout = (cohort(seed, 160, prefix) for seed, prefix in enumerate("RSH"))
    return hf.evaluate(real, synthetic, holdout=holdout, controls=["real_half"])


def test_no_score_is_without_an_interval_by_oversight(result: hf.evaluation.Evaluation) -> None:
    found = {name: s for name, s in result.scores["synthetic"].items() if np.isfinite(s.value)}
    bare = {name.removesuffix(EQUAL_N) for name, s in found.items() if not np.isfinite(s.low)}
    assert bare == set(WITHOUT)
    assert set(WITHOUT) <= set(SCORES)
    for name in sorted(set(found) - {name + end for name in WITHOUT for end in ("", EQUAL_N)}):
        assert found[name].low <= found[name].value <= found[name].high, name


def test_what_was_checked_is_nearly_everything(result: hf.evaluation.Evaluation) -> None:
    """Scores not looked at above are those asked for by name, and those that this cohort is too small for."""
    checked = {name.removesuffix(EQUAL_N) for name, s in result.scores["synthetic"].items() if np.isfinite(s.value)}
    assert len({name.removesuffix(EQUAL_N) for name in SCORES} - checked) <= 8

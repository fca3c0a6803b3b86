"""Radar scores against their equations."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hapforge.metrics.radar import Part, radar
from reference import generation_errors as reference

PERFECT = {
    "af_r_low": Part(1.0),
    "three_point_r": Part(1.0),
    "pairwise": Part(0.0),
    "pairwise_binomial": 40.0,
    "aa_truth": Part(0.5),
    "aa_syn": Part(0.5),
    "ld_score": Part(1.0),
}


@given(st.floats(0, 1), st.floats(0, 1))
def test_over_and_underfitting(aa_truth: float, aa_syn: float) -> None:
    found = radar(**PERFECT | {"aa_truth": Part(aa_truth), "aa_syn": Part(aa_syn)})
    assert found["overfitting"].value == pytest.approx(reference.overfitting(aa_truth, aa_syn), abs=1e-12)
    assert found["underfitting"].value == pytest.approx(reference.underfitting(aa_truth, aa_syn), abs=1e-12)


def test_the_papers_chain() -> None:
    """CRBM at 65,535 sites: AA_truth 0.86 and AA_syn 0.26, whose mean of 0.56 looks good."""
    found = radar(**PERFECT | {"aa_truth": Part(0.86, (0.85, 0.87)), "aa_syn": Part(0.26, (0.25, 0.27))})
    assert found["overfitting"].value == pytest.approx(0.76)
    assert found["underfitting"].value == pytest.approx(0.64)
    assert found["overfitting"].interval == pytest.approx((0.75, 0.77))
    assert found["underfitting"].interval == pytest.approx((0.63, 0.65))


def test_scaling_and_bounds() -> None:
    assert all(part.value == 1 for part in radar(**PERFECT).values())
    found = radar(
        **PERFECT
        | {
            "pairwise": Part(10.0, (8.0, 12.0)),
            "af_r_low": Part(-0.2, (-0.4, 0.1)),
            "ld_score": Part(-3.0),
            "three_point_r": Part(math.nan),
        }
    )
    assert found["pairwise"].value == 0.75
    assert found["pairwise"].interval == pytest.approx((0.7, 0.8))
    assert (found["af"].value, found["af"].interval) == (0, (0, 0.1))
    assert found["ld"].value == 0
    assert math.isnan(found["three_point"].value)
    assert list(found) == ["af", "three_point", "pairwise", "overfitting", "underfitting", "ld"]
    assert radar(**PERFECT | {"pairwise": Part(50.0)})["pairwise"].value == 0
    assert math.isnan(radar(**PERFECT | {"aa_syn": Part(math.nan)})["overfitting"].value)
    with pytest.raises(ValueError, match="pairwise_binomial: expected a distance above 0, found 0"):
        radar(**PERFECT | {"pairwise_binomial": 0.0})

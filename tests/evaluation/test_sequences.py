"""Aligned sequences are evaluated as haplotypes with a site for each letter."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf


def test_sequences_against_sequences() -> None:
    """Accuracies by distances between letters, counted here; no control that draws several letters at a position."""
    rng = np.random.default_rng(4)
    common = rng.integers(5, size=12)
    real, drawn = (
        np.where(rng.random((60, 12)) < share, rng.integers(5, size=(60, 12)), common) for share in (0.5, 0.7)
    )
    given = [hf.Alignment(states, "ACGT-").to_haplotypes() for states in (real, drawn)]
    found = hf.evaluate(*given, metrics=["adversarial_accuracy", "allele_frequency"], seed=1)
    assert set(found.scores) == {"synthetic", "real half", "Bernoulli"}

    def nearest(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        distance = (a[:, None] != b).sum(2)
        if a is b:
            np.fill_diagonal(distance, 99)
        return distance.min(1)

    scores = found.scores["synthetic"]
    assert scores["aa_truth"].value == pytest.approx((nearest(real, drawn) > nearest(real, real)).mean())
    assert scores["aa_syn"].value == pytest.approx((nearest(drawn, real) > nearest(drawn, drawn)).mean())
    frequencies = [(v[:, :, None] == np.arange(5)).mean(0).ravel() for v in (real, drawn)]
    assert scores["af_r"].value == pytest.approx(np.corrcoef(*frequencies)[0, 1])

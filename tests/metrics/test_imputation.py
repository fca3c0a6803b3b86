"""Accuracy of dosages, against numpy's correlation."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.metrics import imputation_accuracy


@pytest.fixture
def case(rng: np.random.Generator) -> tuple[hf.HaplotypeMatrix, np.ndarray, np.ndarray]:
    """600 x 40, more than one block of rows; site 0 is fixed, dosages of site 1 are constant, site 2 is observed."""
    p = rng.uniform(0.01, 0.6, 40)
    truth = (rng.random((600, 40)) < p).astype(np.uint8)
    dosage = np.clip(0.6 * truth + rng.uniform(0, 0.4, truth.shape), 0, 1).astype(np.float32)
    dosage[:, 3:20] = rng.random((600, 17))
    truth[:, 0] = 0
    dosage[:, 1] = 0.3
    observed = rng.random(truth.shape) < 0.4
    observed[:, 2] = True
    return hf.HaplotypeMatrix.from_dense(truth), dosage, observed


def test_correlation_and_concordance(case: tuple) -> None:
    truth, dosage, observed = case
    x = truth.to_dense()
    found = imputation_accuracy(truth, dosage, observed)
    assert np.isnan(found.r2[[0, 2]]).all()
    assert found.r2[1] == 0
    for j in range(3, 40):
        kept = ~observed[:, j]
        assert found.r2[j] == pytest.approx(np.corrcoef(x[kept, j], dosage[kept, j])[0, 1] ** 2, abs=1e-9)
        assert found.concordance[j] == pytest.approx(((dosage > 0.5) == x)[kept, j].mean())
    assert found.mean_r2 == pytest.approx(np.nanmean(found.r2))
    assert found.interval[0] < found.mean_r2 < found.interval[1]
    assert found.mean_concordance == pytest.approx(((dosage > 0.5) == x)[~observed].mean())
    p = x.mean(0)
    minor = np.minimum(p, 1 - p)
    for entry in found.bins:
        kept = (minor >= entry.low) & (minor < entry.high) & ~np.isnan(found.r2)
        assert entry.num_sites == kept.sum()
        if not kept.any():
            assert np.isnan([entry.mean_r2, entry.pooled_r2, entry.concordance]).all()
            continue
        counted = ~observed & kept
        assert entry.mean_r2 == pytest.approx(found.r2[kept].mean())
        assert entry.pooled_r2 == pytest.approx(np.corrcoef(x[counted], dosage[counted])[0, 1] ** 2, abs=1e-9)
        assert entry.concordance == pytest.approx(((dosage > 0.5) == x)[counted].mean())
    assert sum(entry.num_sites for entry in found.bins) == 38


def test_the_truth_and_a_constant(case: tuple) -> None:
    truth, _, observed = case
    x = truth.to_dense().astype(float)
    perfect = imputation_accuracy(truth, x, observed)
    assert perfect.mean_r2 == pytest.approx(1)
    assert perfect.mean_concordance == 1
    constant = imputation_accuracy(truth, np.tile(x.mean(0), (600, 1)), observed)
    assert constant.mean_r2 == 0
    assert 0 < max(entry.pooled_r2 for entry in constant.bins if entry.num_sites) < 0.5
    nothing = imputation_accuracy(truth, x, np.ones(40, bool))
    assert np.isnan([nothing.mean_r2, nothing.mean_concordance, *nothing.interval]).all()


def test_bins_by_other_frequencies(case: tuple) -> None:
    truth, dosage, _ = case
    frequency = np.linspace(0, 1, 40)
    found = imputation_accuracy(truth, dosage, np.zeros(40, bool), frequency=frequency, edges=(0, 0.25, 0.5))
    minor = np.minimum(frequency, 1 - frequency)
    defined = np.arange(40) != 0
    assert [entry.num_sites for entry in found.bins] == [
        (defined & (minor < 0.25)).sum(),
        (defined & (minor >= 0.25)).sum(),
    ]


def test_bad_arguments(case: tuple) -> None:
    truth, dosage, observed = case
    for arguments, message in (
        ((truth, dosage[:5], observed), r"dosage: expected shape \(600, 40\), as truth has, found \(5, 40\)"),
        ((truth, dosage + 1, observed), "dosage: expected probabilities, 0 to 1"),
        ((truth, dosage, observed[:5]), r"observed: expected shape \(40,\) or \(600, 40\), found \(5, 40\)"),
    ):
        with pytest.raises(ValueError, match=message):
            imputation_accuracy(*arguments)
    with pytest.raises(TypeError, match="observed: expected bool, found int64"):
        imputation_accuracy(truth, dosage, observed.astype(int))
    with pytest.raises(ValueError, match="edges: expected at least 2 ascending"):
        imputation_accuracy(truth, dosage, observed, edges=(0.5, 0.1))
    with pytest.raises(ValueError, match=r"frequency: expected shape \(40,\), found \(3,\)"):
        imputation_accuracy(truth, dosage, observed, frequency=np.zeros(3))

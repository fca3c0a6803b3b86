"""Numbers from histograms of pairwise differences, against scipy and all pairs written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import wasserstein_distance

from hapforge.stats import wasserstein_1d

histograms = st.lists(st.integers(0, 50), min_size=8, max_size=8).map(lambda h: np.array(h, np.int64))


@given(histograms, histograms)
def test_wasserstein_1d_is_scipys(a: np.ndarray, b: np.ndarray) -> None:
    if a.sum() == 0 or b.sum() == 0:
        with pytest.raises(ValueError, match="at least one pair"):
            wasserstein_1d(a, b)
        return
    d = np.arange(8)
    assert wasserstein_1d(a, b) == pytest.approx(wasserstein_distance(d, d, a, b), abs=1e-12)
    assert wasserstein_1d(a, b) == pytest.approx(wasserstein_1d(b, a))
    assert wasserstein_1d(a, 3 * a) == pytest.approx(0, abs=1e-15)


def test_lengths_must_fit() -> None:
    with pytest.raises(ValueError, match=r"\(3,\) and \(4,\)"):
        wasserstein_1d(np.ones(3, np.int64), np.ones(4, np.int64))

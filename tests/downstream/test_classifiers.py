"""The classifiers as they are by default, beside logistic regression."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf


@pytest.mark.slow
def test_classifiers_are_as_good_as_logistic_regression() -> None:
    pytest.importorskip("torch")
    linear = pytest.importorskip("sklearn.linear_model")
    whole = hf.datasets.load("ooa").select_sites(np.arange(0, 10_000, 50))
    train, test = whole.select_haplotypes(np.repeat(np.arange(0, 2504, 4), 2) * 2 + np.tile([0, 1], 626)).split(0.3, 1)
    found = hf.downstream.utility(train, test, train, repeats=1, fractions=())
    model = linear.LogisticRegression(C=0.1, max_iter=500)
    labels = train.samples.labels["population"].tolist()
    told = model.fit(train.to_dense(), labels).predict(test.to_dense())
    reached = np.mean(told == np.array(test.samples.labels["population"].tolist()))
    for kind in hf.downstream.CLASSIFIERS:
        assert found.of(kind).mean > reached - 0.05
        assert found.recovery(kind, "synthetic").mean == 1.0  # the same rows, chosen by the same seed

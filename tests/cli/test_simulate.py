"""`hapforge simulate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import simulate

pytest.importorskip("msprime")


def test_a_cohort_is_written(tmp_path: Path) -> None:
    out = tmp_path / "a.hapz"
    simulate.command(out, 30, 70, maf=0.1, seed=4, quiet=True)
    cohort = hf.read(out)
    assert cohort.shape == (30, 70)
    assert cohort.samples.labels["population"].tolist() == ["AFR"] * 10 + ["EUR"] * 10 + ["EAS"] * 10
    frequency = cohort.to_dense().mean(0)
    assert np.minimum(frequency, 1 - frequency).min() >= 0.1
    assert cohort.sha256() == hf.datasets.simulate(30, 70, maf=0.1, seed=4).sha256()


def test_nothing_is_replaced_without_force(tmp_path: Path) -> None:
    out = tmp_path / "a.npz"
    out.write_text("mine")
    with pytest.raises(ValueError, match="-f replaces it"):
        simulate.command(out, 4, 5)
    assert out.read_text() == "mine"


def test_what_goes_beside_is_not_replaced_without_force(tmp_path: Path) -> None:
    (tmp_path / "a.legend").write_text("mine")
    with pytest.raises(ValueError, match=r"a\.legend: there already; -f replaces it"):
        simulate.command(tmp_path / "a.hapt", 4, 5)
    assert [(p.name, p.read_text()) for p in tmp_path.iterdir()] == [("a.legend", "mine")]


def test_an_unknown_ending_is_refused_before_the_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hapforge.datasets.simulate", None)  # calling it would be a TypeError
    with pytest.raises(ValueError, match=r"expected a name that ends in one of \.vcf"):
        simulate.command(tmp_path / "a.txt", 4, 5)


def test_odd_numbers_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected an even number"):
        simulate.command(tmp_path / "a.npz", 5, 5, quiet=True)
    assert list(tmp_path.iterdir()) == []

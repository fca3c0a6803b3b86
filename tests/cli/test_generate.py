"""`hapforge generate`."""

from __future__ import annotations

from pathlib import Path

import pytest

import hapforge as hf
from hapforge.cli import generate
from hapforge.errors import FormatError


@pytest.fixture
def run(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.models.Markov(3).fit(small_cohort).save(tmp_path / "run")
    return tmp_path / "run"


def test_the_models_draws_are_written(run: Path, tmp_path: Path) -> None:
    generate.command(run, 7, tmp_path / "ag.hapz", seed=5, quiet=True)
    assert hf.read(tmp_path / "ag.hapz").sha256() == hf.models.load(run).sample(7, seed=5).sha256()


def test_a_label_needs_a_model_with_labels(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Markov is not conditional, found 'YRI'"):
        generate.command(run, 2, tmp_path / "ag.hapz", label="YRI", quiet=True)


def test_an_odd_number_is_no_diploid_file(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"odd|even|diploid"):
        generate.command(run, 3, tmp_path / "ag.vcf", quiet=True)
    assert [p.name for p in tmp_path.iterdir()] == ["run"]


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected a model folder"):
        generate.command(tmp_path, 2, tmp_path / "ag.npz", quiet=True)

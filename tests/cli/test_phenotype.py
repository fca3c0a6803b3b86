"""`hapforge phenotype`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import phenotype


def test_labels_and_truth(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    hf.write(small_cohort, tmp_path / "x.npz")
    out = tmp_path / "als.tsv"
    phenotype.command(tmp_path / "x.npz", out, heritability=0.7, causal_genes=8, prevalence=0.4, seed=3)
    assert "simulated, 4 cases of 10 persons" in (said := capsys.readouterr().err)
    assert "asked: 0.7); 8 causal genes\n" in said
    made = hf.datasets.case_control(small_cohort, heritability=0.7, causal_genes=8, prevalence=0.4, seed=3)
    read = hf.read(tmp_path / "x.npz", labels=out)
    assert read.samples.labels["simulated_phenotype"].tolist() == made.labels.tolist()
    truth = json.loads((tmp_path / "als.json").read_text())
    assert "simulated" in truth["simulated"]
    assert {**truth, **made.recipe} == truth
    assert truth["data"] == {"file": "x.npz", "sha256": small_cohort.sha256()}
    assert truth["liability"] == {f"P{i}": value for i, value in enumerate(made.liability.tolist())}
    sites = small_cohort.sites.select(made.site)
    assert [site["id"] for site in truth["causal_sites"]] == sites.id.tolist()
    assert [site["contig"] for site in truth["causal_sites"]] == sites.contig.tolist()
    assert np.array_equal([site["effect"] for site in truth["causal_sites"]], made.effect)


def test_fewer_genes_than_asked_are_said(
    small_cohort: hf.HaplotypeMatrix, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hf.write(small_cohort, tmp_path / "x.npz")
    phenotype.command(tmp_path / "x.npz", tmp_path / "a.tsv")
    assert "13 causal genes, all there are (asked: 1000)" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["als.tsv", "als.json"])
def test_nothing_is_replaced_without_force(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str) -> None:
    hf.write(small_cohort, tmp_path / "x.npz")
    (tmp_path / name).write_text("mine")
    with pytest.raises(ValueError, match=f"{name}: there already; -f replaces it"):
        phenotype.command(tmp_path / "x.npz", tmp_path / "als.tsv", quiet=True)
    assert (tmp_path / name).read_text() == "mine"
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["x.npz", name])
    phenotype.command(tmp_path / "x.npz", tmp_path / "als.tsv", quiet=True, force=True)
    assert (tmp_path / name).read_text() != "mine"


def test_bad_input_leaves_nothing(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.write(small_cohort, tmp_path / "x.npz")
    with pytest.raises(ValueError, match=r"als\.txt: expected a name that ends in \.tsv"):
        phenotype.command(tmp_path / "x.npz", tmp_path / "als.txt")
    with pytest.raises(ValueError, match="prevalence: expected a share"):
        phenotype.command(tmp_path / "x.npz", tmp_path / "als.tsv", prevalence=2, quiet=True)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]

"""`hapforge latent`: coordinates and a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import latent

pytest.importorskip("torch")
pytest.importorskip("matplotlib")


@pytest.fixture
def run(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.models.RBM(num_hidden=4, epochs=1, gibbs_steps=2, initial_scale=0.3).fit(small_cohort).save(tmp_path / "run")
    hf.write(small_cohort, tmp_path / "data.hapz")
    return tmp_path / "run"


def test_coordinates_and_picture(
    run: Path, small_cohort: hf.HaplotypeMatrix, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    latent.command(run, tmp_path / "data.hapz", tmp_path / "space")
    header, *lines = [line.split("\t") for line in (tmp_path / "space.tsv").read_text().splitlines()]
    assert header == ["haplotype", "population", "axis1", "axis2", "axis3", "axis4"]
    assert [line[0] for line in lines] == small_cohort.samples.haplotype_id.tolist()
    assert [line[1] for line in lines] == ["GBR"] * 10 + ["YRI"] * 10
    expected = hf.models.load(run).project(small_cohort, 4)
    assert np.allclose(np.array([line[2:] for line in lines], float), expected, rtol=1e-5, atol=1e-5)
    assert (tmp_path / "space.png").read_bytes().startswith(b"\x89PNG")
    assert "space.png: 20 haplotypes" in capsys.readouterr().err


def test_labels_of_a_file(run: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("sample\tsex\n" + "".join(f"P{i}\t{'fm'[i % 2]}\n" for i in range(10)))
    latent.command(
        run, tmp_path / "data.hapz", tmp_path / "s", labels=tmp_path / "labels.tsv", colour="sex", quiet=True
    )
    assert (tmp_path / "s.tsv").read_text().startswith("haplotype\tpopulation\tsex\taxis1")


def test_bad_input(run: Path, small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.models.Markov(3).fit(small_cohort).save(tmp_path / "markov")
    hf.write(small_cohort.select_sites(np.arange(100)), tmp_path / "some.hapz")
    hf.write(small_cohort.select_haplotypes([]), tmp_path / "none.hapz")
    before = sorted(path.name for path in tmp_path.iterdir())
    for model, file, prefix, more, message in (
        (tmp_path / "markov", "data.hapz", "s", {}, "expected a model with hidden units, rbm, found markov"),
        (run, "some.hapz", "s", {}, "expected the 130 sites of the model, found 100 of them; hapforge impute fills in"),
        (run, "none.hapz", "s", {}, "expected at least one haplotype, found none"),
        (run, "data.hapz", "s", {"colour": "sex"}, "--colour: expected one of population, found 'sex'"),
        (run, "data.hapz", "none/s", {}, "expected an existing folder to write to"),
    ):
        with pytest.raises(ValueError, match=message):
            latent.command(model, tmp_path / file, tmp_path / prefix, quiet=True, **more)
        assert sorted(path.name for path in tmp_path.iterdir()) == before
    (tmp_path / "s.png").write_text("mine")
    with pytest.raises(ValueError, match=r"s\.png: there already; -f replaces it"):
        latent.command(run, tmp_path / "data.hapz", tmp_path / "s", quiet=True)

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
    assert "space.png: 20 rows" in capsys.readouterr().err


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
        (
            tmp_path / "markov",
            "data.hapz",
            "s",
            {},
            "expected a model with hidden units, rbm or diffusion, found markov",
        ),
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


@pytest.fixture
def quick_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiling UMAP takes longer than all else here: a slow test has it."""

    def layout(distances: np.ndarray, seed: int = 0) -> np.ndarray:
        assert distances.dtype == np.float32
        assert distances.min() >= 0
        assert np.allclose(distances, distances.T, atol=1e-6)
        return distances[:, :2].astype(np.float64)

    monkeypatch.setattr(hf.stats, "umap_layout", layout)


def of_diffusion(folder: Path, cohort: hf.HaplotypeMatrix) -> None:
    settings = {"mlp_width": 16, "cnn_width": 4, "steps": 10}
    model = hf.models.Diffusion(epochs=1, label="population", **settings).fit(cohort)
    model.save(folder / "run")
    hf.write(cohort, folder / "data.hapz")
    latent.command(folder / "run", folder / "data.hapz", folder / "space", quiet=True)
    header, *lines = [line.split("\t") for line in (folder / "space.tsv").read_text().splitlines()]
    axes = [f"{name}{k}" for name in ("umap", "tsne_mlp", "tsne_cnn") for k in (1, 2)]
    assert header == ["origin", "haplotype", "population", *axes]
    assert [line[0] for line in lines] == ["real"] * 20 + ["drawn"] * 20
    assert [line[1] for line in lines] == [*cohort.samples.haplotype_id, *model.sample(20).samples.haplotype_id]
    assert {line[2] for line in lines[20:]} == {"GBR", "YRI"}
    assert np.isfinite(np.array([line[3:] for line in lines], float)).all()
    assert (folder / "space.png").read_bytes().startswith(b"\x89PNG")
    before = (folder / "space.tsv").read_bytes()
    latent.command(folder / "run", folder / "data.hapz", folder / "space", force=True, quiet=True)
    assert (folder / "space.tsv").read_bytes() == before


@pytest.mark.usefixtures("quick_umap")
def test_diffusion(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    of_diffusion(tmp_path, small_cohort)


@pytest.mark.slow
def test_diffusion_by_umap(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    of_diffusion(tmp_path, small_cohort)


def test_colours_go_by_the_label_of_the_model(
    small_cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"batch": ["a", "b"] * 5, "population": ["GBR"] * 5 + ["YRI"] * 5}
    cohort = hf.HaplotypeMatrix.from_dense(small_cohort.to_dense(), labels=labels)
    hf.write(cohort, tmp_path / "data.hapz")
    taken = []

    def show(model: object, cohort: hf.HaplotypeMatrix, chosen: str | None) -> tuple[latent.Columns, bytes]:
        taken.append(chosen)
        return [("x", np.zeros(1))], b""

    monkeypatch.setattr(latent, "_of_diffusion", show)
    for label in ("population", "batch", ""):
        model = hf.models.Diffusion(epochs=1, label=label, backbone="dense", mlp_width=8, steps=5).fit(cohort)
        model.save(tmp_path / f"run-{label}")
        latent.command(tmp_path / f"run-{label}", tmp_path / "data.hapz", tmp_path / f"space-{label}", quiet=True)
    assert taken == ["population", "batch", "batch"]


@pytest.mark.usefixtures("quick_umap")
def test_persons_of_a_diffusion_without_labels(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    cohort = hf.HaplotypeMatrix(small_cohort.words, small_cohort.sites, hf.Samples(20))
    settings = {"unit": "person", "backbone": "dense", "mlp_width": 8, "steps": 5}
    hf.models.Diffusion(epochs=1, **settings).fit(cohort).save(tmp_path / "run")
    hf.write(cohort, tmp_path / "data.hapz")
    latent.command(tmp_path / "run", tmp_path / "data.hapz", tmp_path / "space", quiet=True)
    header, *lines = [line.split("\t") for line in (tmp_path / "space.tsv").read_text().splitlines()]
    assert header == ["origin", "haplotype", "umap1", "umap2", "tsne_dense1", "tsne_dense2"]
    assert len(lines) == 20

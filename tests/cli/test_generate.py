"""`hapforge generate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge import haplotype_blocks
from hapforge.cli import generate
from hapforge.errors import FormatError, MissingDependencyError


@pytest.fixture
def run(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.models.Markov(3).fit(small_cohort).save(tmp_path / "run")
    return tmp_path / "run"


def test_the_models_draws_are_written(run: Path, tmp_path: Path) -> None:
    generate.command(run, 7, tmp_path / "ag.hapz", seed=5, quiet=True)
    assert hf.read(tmp_path / "ag.hapz").sha256() == hf.models.load(run).sample(7, seed=5).sha256()


@pytest.mark.filterwarnings("ignore:.*lost")
@pytest.mark.parametrize("name", ["ag.vcf.gz", "ag.hapt", "ag.pgen", "ag.npz", "ag.vcz"])
def test_any_format_has_the_same_draws_in_any_blocks(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    if name == "ag.pgen":
        pytest.importorskip("pgenlib")
    whole = hf.models.load(run).sample(1100, seed=5)
    for rows in (512, 8192):
        monkeypatch.setattr(haplotype_blocks, "_FEWEST_ROWS", rows)
        monkeypatch.setattr(haplotype_blocks, "_MOST_ROWS", rows)
        generate.command(run, 1100, tmp_path / name, seed=5, quiet=True, force=True)
        assert np.array_equal(hf.read(tmp_path / name).words, whole.words)


def test_room_for_draws_that_wait_is_looked_for_before_them(run: Path, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    with pytest.raises(OSError, match=r"expected room for 15134.0 GiB or more"):
        generate.command(run, 10**12, tmp_path / "ag.bcf", quiet=True)
    assert set(tmp_path.iterdir()) == before


def test_a_label_needs_a_model_with_labels(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Markov is not conditional, found 'YRI'"):
        generate.command(run, 2, tmp_path / "ag.hapz", label="YRI", quiet=True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("ag.vcf", "expected an even number of haplotypes for diploid VCF or BCF, found 3"),
        ("ag.bcf", "expected an even number of haplotypes for diploid VCF or BCF, found 3"),
        ("ag.pgen", "expected an even number of haplotypes for diploid PGEN, found 3"),
        ("ag.haps", "expected an even number of haplotypes for diploid HAP or HAPS, found 3"),
        ("ag.bed", r"expected a format that holds phase, found \.bed, which is only read"),
        ("ag.txt", r"expected a name that ends in one of \.vcf"),
    ],
)
def test_what_cannot_be_written_is_refused_before_the_model_is_read(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        generate.command(tmp_path / "no run", 3, tmp_path / name, quiet=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.filterwarnings("ignore:.*site ids are lost")
@pytest.mark.parametrize(
    ("name", "beside"),
    [("g.hapt", "g.legend"), ("g.vcf.gz", "g.vcf.gz.tbi"), ("g.hap", "g.legend.gz"), ("g.pgen", "g.psam")],
)
def test_what_goes_beside_is_not_replaced_without_force(run: Path, tmp_path: Path, name: str, beside: str) -> None:
    (tmp_path / beside).write_text("mine")
    with pytest.raises(ValueError, match=f"{beside}: there already; -f replaces it"):
        generate.command(run, 2, tmp_path / name, quiet=True)
    assert {p.name for p in tmp_path.iterdir()} == {"run", beside}
    assert (tmp_path / beside).read_text() == "mine"
    generate.command(run, 2, tmp_path / name, force=True, quiet=True)
    assert hf.read(tmp_path / name).num_haplotypes == 2


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="expected a model folder"):
        generate.command(tmp_path, 2, tmp_path / "ag.npz", quiet=True)


def test_a_missing_writer_is_said_before_the_draw(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingDependencyError, match=r"hapforge\[io\]"):
        generate.command(tmp_path / "no run is looked for yet", 4, tmp_path / "x.bcf")


def test_how_draws_are_made(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    pytest.importorskip("torch")
    model = hf.models.RBM(num_hidden=5, epochs=2, gibbs_steps=2, num_chains=10, training="pcd").fit(small_cohort)
    model.save(tmp_path / "run")
    hf.write(small_cohort, tmp_path / "start.hapz")
    out = tmp_path / "ag.hapz"
    for settings, start, expected in (
        (["temperature=0.5", "steps=3"], None, {"temperature": 0.5, "steps": 3}),
        (["start=random"], None, {"start": "random"}),
        ([], tmp_path / "start.hapz", {"start": small_cohort}),
    ):
        generate.command(tmp_path / "run", 6, out, settings=settings, start=start, seed=5, force=True)
        assert hf.read(out).sha256() == model.sample(6, seed=5, **expected).sha256()
    assert "temperature 0.5, steps 3" in capsys.readouterr().err
    for settings, start, message in (
        (
            ["temprature=1"],
            None,
            "rbm knows start, steps, temperature, found 'temprature'; nearest: temperature",
        ),
        (["temperature=0"], None, "temperature: expected 0.01 to 100.0, found 0.0"),
        (["temperature"], None, "--set: expected KEY=VALUE, found 'temperature'"),
        (["start=random"], tmp_path / "start.hapz", "--start: expected no --set start"),
    ):
        with pytest.raises(ValueError, match=message):
            generate.command(tmp_path / "run", 6, out, settings=settings, start=start, force=True)


def test_models_without_chains_start_nowhere(run: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="--start: expected a model whose draws start somewhere, found markov"):
        generate.command(run, 2, tmp_path / "ag.hapz", start=run, quiet=True)
    with pytest.raises(ValueError, match="--set: markov knows no settings, found 'steps'"):
        generate.command(run, 2, tmp_path / "ag.hapz", settings=["steps=2"], quiet=True)

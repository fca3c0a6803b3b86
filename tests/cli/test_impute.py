"""`hapforge impute`: a cohort at some of the sites in, all sites out."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import hapforge as hf
from hapforge.cli import app, impute

pytest.importorskip("torch")


@pytest.fixture
def run(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.models.RBM(num_hidden=8, epochs=3, gibbs_steps=2).fit(small_cohort).save(tmp_path / "run")
    return tmp_path / "run"


@pytest.fixture
def some(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.write(small_cohort.select_sites(np.arange(0, 130, 3)), tmp_path / "some.hapz")
    return tmp_path / "some.hapz"


def test_the_models_sites_are_filled_in(
    run: Path, some: Path, small_cohort: hf.HaplotypeMatrix, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    out, table = tmp_path / "all.hapz", tmp_path / "all.tsv"
    impute.command(run, some, out, dosages=table, settings=["chains=3", "burn_in=1", "steps=2"], seed=5)
    expected = hf.models.load(run).impute(hf.read(some), seed=5, chains=3, burn_in=1, steps=2)
    found = hf.read(out)
    assert found.sha256() == expected.calls.sha256()
    assert found.sites == small_cohort.sites
    assert found.samples.labels["population"].tolist() == small_cohort.samples.labels["population"].tolist()
    lines = [line.split("\t") for line in table.read_text().splitlines()]
    assert lines[0][:3] == ["haplotype", "1:100:A:G", "1:200:A:G"]
    assert [line[0] for line in lines[1:]] == small_cohort.samples.haplotype_id.tolist()
    assert np.abs(np.array([line[1:] for line in lines[1:]], float) - expected.dosage).max() <= 0.5001e-4
    remark = capsys.readouterr().err
    assert "20 haplotypes x 130 sites, 86 of them imputed, estimated r2 0." in remark


def test_masked_alleles_are_filled_in(
    run: Path, small_cohort: hf.HaplotypeMatrix, tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    """A file with half of the sites and some missing alleles, one site of which has no call."""
    index = np.arange(0, 130, 2)
    rng = np.random.default_rng(9)
    called = (rng.random((20, 65)) < 0.9) & (np.arange(65) != 11)
    some = small_cohort.select_sites(index)
    hf.write(
        hf.HaplotypeMatrix(some.words, some.sites, hf.Samples(20, sample_id=some.samples.sample_id)), tmp_path / "x.vcf"
    )
    lines = [line.split("\t") for line in (tmp_path / "x.vcf").read_text().splitlines()]
    for line, mask in zip([line for line in lines if line[0][0] != "#"], called.T, strict=True):
        for k in range(10):
            pair = [allele if mask[2 * k + h] else "." for h, allele in enumerate(line[9 + k].split("|"))]
            line[9 + k] = "|".join(pair)
    (tmp_path / "x.vcf").write_text("".join("\t".join(line) + "\n" for line in lines))
    settings = ["chains=3", "burn_in=1", "steps=2"]
    out = tmp_path / "out.npz"
    impute.command(run, tmp_path / "x.vcf", out, settings=settings, policy=["missing=mask"], seed=5)
    observed = np.zeros((20, 130), bool)
    observed[:, index] = called
    expected = hf.models.load(run).impute(small_cohort, observed, seed=5, chains=3, burn_in=1, steps=2)
    found = hf.read(out)
    assert np.array_equal(found.words, expected.calls.words)
    assert np.array_equal(found.to_dense()[observed], small_cohort.to_dense()[observed])
    remark = capsys.readouterr().err
    others = ~called[:, np.arange(65) != 11]
    assert f"{(~called).sum()} missing alleles masked at {(~called).any(axis=0).sum()} sites" in remark
    told = (
        f"20 haplotypes x 130 sites, 66 of them imputed, {others.sum()} single alleles at {others.any(0).sum()} others"
    )
    assert told in remark
    with pytest.raises(ValueError, match=r"half missing|missing\) for sample .*; --policy missing=skip"):
        impute.command(run, tmp_path / "x.vcf", out, force=True)


def test_other_commands_refuse_a_mask(run: Path, tmp_path: Path) -> None:
    """Before they read: the files are not there."""
    none, out = str(tmp_path / "none.vcf"), str(tmp_path / "out")
    for command in (
        ["convert", none, f"{out}.npz"],
        ["info", none],
        ["train", "markov", none, "-o", out],
        ["evaluate", none, none, "-o", out],
        ["latent", str(run), none, "-o", out],
        ["half-data", "rbm", none, "-o", out],
    ):
        (tmp_path / "none.vcf").write_text("not looked at")
        result = CliRunner().invoke(app, [*command, "--policy", "missing=mask"])
        assert isinstance(result.exception, ValueError), command
        assert str(result.exception) == (
            "--policy: expected missing=skip or missing=major, as only hapforge impute fills in what is masked, "
            "found missing=mask"
        ), command
        assert not (tmp_path / "out.npz").exists()


def test_nothing_is_half_done(run: Path, some: Path, small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.models.Markov(3).fit(small_cohort).save(tmp_path / "markov")
    hf.write(small_cohort.select_haplotypes(np.arange(3)), tmp_path / "odd.hapz")
    hf.write(hf.HaplotypeMatrix.from_dense(np.zeros((2, 3), np.uint8), [1, 2, 3]), tmp_path / "other.hapz")
    before = sorted(path.name for path in tmp_path.iterdir())
    out = tmp_path / "out.hapz"
    for model, file, to, more, message in (
        (tmp_path / "markov", some, out, {}, "markov: expected a model that imputes, rbm, found markov"),
        (
            run,
            some,
            out,
            {"settings": ["chain=3"]},
            "impute knows chains, burn_in, steps, found 'chain'; nearest: chains",
        ),
        (run, some, out, {"settings": ["chains=0"]}, "chains: expected 1 to 100000, found 0"),
        (run, some, out, {"dosages": out}, "--dosages: expected another file than OUT"),
        (
            run,
            some,
            tmp_path / "o.hapt",
            {"dosages": tmp_path / "o.legend"},
            "--dosages: expected another file than OUT",
        ),
        (run, some, out, {"dosages": tmp_path / "none" / "x.tsv"}, "expected an existing folder to write to"),
        (run, some, some, {}, "some.hapz: there already; -f replaces it"),
        (run, tmp_path / "odd.hapz", tmp_path / "out.vcf", {}, "expected an even number of haplotypes"),
        (run, tmp_path / "other.hapz", out, {}, "expected common sites"),
    ):
        with pytest.raises(ValueError, match=message):
            impute.command(model, file, to, quiet=True, **more)
        assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_bad_input_is_one_line(run: Path, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "hapforge",
        "impute",
        str(run),
        str(tmp_path / "none.vcf"),
        "-o",
        str(tmp_path / "o.npz"),
    ]
    result = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert result.returncode == 2
    assert (
        result.stderr == f"hapforge: {tmp_path}/none.vcf: expected it to be there, found: No such file or directory\n"
    )

"""hapforge convert, as a process: what it writes, what it says, exit codes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from commands import forked
from hapforge.cli.info import in_units


def hapforge(*arguments: object) -> subprocess.CompletedProcess[str]:
    """In a process that nothing has been imported into."""
    command = [sys.executable, "-c", "from hapforge.cli import main; main()", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


@pytest.fixture
def store(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> Path:
    hf.write(small_cohort, tmp_path / "in.hapz")
    return tmp_path / "in.hapz"


def test_convert_and_part(store: Path, tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    target = tmp_path / "out.bcf"
    result = hapforge("convert", store, target, "--threads", 1)
    assert result.returncode == 0
    sizes = [in_units(hf.io.size_of(path)) for path in (store, target)]
    assert result.stdout == (
        f"{store} ({sizes[0]}) -> {target} ({sizes[1]}): 20 haplotypes of 10 persons x 130 sites\n"
    )
    assert result.stderr == f"warning: {target}: labels (population) are lost, a VCF has no place for them\n"
    np.testing.assert_array_equal(hf.read(target).words, small_cohort.words)
    people = tmp_path / "people.txt"
    people.write_text("P3\nP7\n")
    labels = tmp_path / "labels.tsv"
    labels.write_text("id\tside\n" + "".join(f"P{i}\t{'left' if i < 5 else 'right'}\n" for i in range(10)))
    part = tmp_path / "part.npz"
    options = ["-r", "2:100-2,000", "--samples", people, "--labels", labels, "--maf", 0.25]
    assert hapforge("convert", target, part, "-q", *options).stdout == ""
    back = hf.read(part)
    dense = small_cohort.to_dense()[[6, 7, 14, 15]][:, 71:110]
    kept = np.minimum(dense.sum(axis=0), 4 - dense.sum(axis=0)) >= 1
    np.testing.assert_array_equal(back.to_dense(), dense[:, kept])
    assert back.samples.labels["side"].tolist() == ["left", "left", "right", "right"]


def test_plink_files(store: Path, tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    """PGEN keeps all; a BED whose calls miss is read by a rule, and says so."""
    target = tmp_path / "out.pgen"
    result = forked("convert", store, target, "--threads", 1)
    assert (result.returncode, result.stderr) == (0, "")
    assert hf.read(target).sha256() == small_cohort.sha256()
    (tmp_path / "x.bed").write_bytes(b"\x6c\x1b\x01\x0e\x01")  # of two persons: A1 A2, A2 A2; then missing, A1 A1
    (tmp_path / "x.bim").write_text("1\trs1\t0\t10\tG\tA\n1\trs2\t0\t20\tC\tT\n")
    (tmp_path / "x.fam").write_text("0 a 0 0 1 -9\n0 b 0 0 2 -9\n")
    result = forked("convert", tmp_path / "x.bed", tmp_path / "y.npz")
    assert result.returncode == 2
    assert "site 1:20: expected diploid calls without missing alleles" in result.stderr
    result = forked("convert", tmp_path / "x.bed", tmp_path / "y.npz", "--policy", "missing=major")
    assert result.returncode == 0
    assert "2 missing alleles set to the commoner one at 1 site" in result.stderr
    back = hf.read(tmp_path / "y.npz")
    assert back.to_dense().tolist() == [[0, 1], [1, 1], [0, 1], [0, 1]]
    assert not back.samples.phased.any()
    assert back.samples.labels["sex"].tolist() == ["1", "1", "2", "2"]


def test_quiet_says_nothing(store: Path, tmp_path: Path) -> None:
    result = forked("convert", store, tmp_path / "out.vcf.gz", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_nothing_is_replaced_without_force(store: Path, tmp_path: Path) -> None:
    for name, there in (
        ("out.vcf.gz", "out.vcf.gz"),
        ("out.vcf.gz", "out.vcf.gz.tbi"),
        ("out.hapt", "out.legend"),
        ("out.hapt", "out.legend.gz"),
    ):
        (tmp_path / there).write_text("mine")
        result = forked("convert", store, tmp_path / name)
        assert result.returncode == 2
        assert result.stderr == f"hapforge: {tmp_path / there}: there already; -f replaces it\n"
        assert (tmp_path / there).read_text() == "mine"
        assert forked("convert", store, tmp_path / name, "-f", "-q").returncode == 0
        assert hf.read(tmp_path / name).shape == (20, 130)
        for path in tmp_path.glob("out*"):
            path.unlink()


@pytest.mark.parametrize(("name", "folder"), [("o.vcf", "o.vcf"), ("o.bcf", "o.bcf.csi"), ("o.hapz", "o.hapz")])
def test_force_does_not_replace_a_folder_of_something_else(store: Path, tmp_path: Path, name: str, folder: str) -> None:
    (tmp_path / folder).mkdir()
    (tmp_path / folder / "mine.txt").write_text("dear")
    result = forked("convert", store, tmp_path / name, "-f")
    assert result.returncode == 2
    assert result.stderr.startswith(f"hapforge: {tmp_path / folder}: expected ")
    assert result.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"in.hapz", folder}
    assert (tmp_path / folder / "mine.txt").read_text() == "dear"


def test_names_that_are_no_utf8(store: Path, tmp_path: Path) -> None:
    target = tmp_path / os.fsdecode(b"a\xff.npz")
    result = forked("convert", store, target)
    if "Illegal byte" in result.stderr:
        pytest.skip("this file system takes UTF-8 names only")
    assert (result.returncode, result.stderr) == (0, "")
    assert f"a\\xff.npz ({in_units(target.stat().st_size)}): 20 haplotypes" in result.stdout
    assert forked("info", target).returncode == 0


def test_zarr_format(store: Path, tmp_path: Path) -> None:
    for name in ("x.vcz", "x.vcz.zip"):
        assert forked("convert", store, tmp_path / name, "--zarr-format", 3).returncode == 0
        np.testing.assert_array_equal(hf.read(tmp_path / name).words, hf.read(store).words)
    assert (tmp_path / "x.vcz" / "zarr.json").is_file()
    assert forked("convert", tmp_path / "x.vcz.zip", tmp_path / "x.vcz.zip").returncode == 2  # there already


def test_mappable(store: Path, tmp_path: Path) -> None:
    assert forked("convert", store, tmp_path / "m.hapz", "--mappable").returncode == 0
    assert hf.io.hapz.open(tmp_path / "m.hapz").mappable


def test_legend(tmp_path: Path) -> None:
    (tmp_path / "x.hapt").write_text("g a 0 1\ng b 1 1\n")
    (tmp_path / "sites.legend").write_text("id position a0 a1\n9:5_A_C 5 A C\n9:6_A_C 6 A C\n")
    target = tmp_path / "y.vcf"
    command = ["convert", tmp_path / "x.hapt", target, "-q", "--legend", tmp_path / "sites.legend"]
    assert forked(*command).returncode == 0
    assert target.read_text().splitlines()[-1].split("\t") == [
        "9", "6", "9:6_A_C", "A", "C", ".", ".", ".", "GT", "1|1",
    ]  # fmt: skip


def test_bad_input_is_one_line_and_exit_code_2(store: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.bcf"
    forked("convert", store, tmp_path / "whole.bcf", "-q")
    cut.write_bytes((tmp_path / "whole.bcf").read_bytes()[:-10])
    names = sorted(path.name for path in tmp_path.iterdir())
    out = tmp_path / "out.npz"
    for arguments, message in (
        ((cut, out), "expected the empty block that ends a BGZF file"),
        ((tmp_path / "none.vcf", out), "none.vcf: expected it to be there, found: No such file or directory"),
        ((store, tmp_path / "out.txt"), "expected a name that ends in one of .vcf"),
        ((store, tmp_path / "no" / "out.npz"), "expected an existing folder to write to"),
        ((store, out, "-r", "5"), "expected a site on contig '5'"),
        ((store, out, "-r", "1:x-"), "1:x-"),
        ((store, out, "--maf", "0.9"), "maf: expected a frequency from 0 to 0.5, found 0.9"),
        ((store, out, "--mappable"), "--mappable: expected a .hapz file for it"),
        ((store, out, "--zarr-format", 3), "--zarr-format: expected 2 or 3, for VCF Zarr (.vcz), found 3 for"),
        ((store, out, "--legend", store), "legend: expected none"),
        ((store, out, "--samples", tmp_path / "none"), "none: expected a file to read, found none"),
        ((store, out, "--labels", tmp_path / "none"), "none: expected a file to read, found none"),
    ):
        result = forked("convert", *arguments)
        assert result.returncode == 2, arguments
        assert result.stderr.startswith("hapforge: ")
        assert message in result.stderr
        assert result.stderr.count("\n") == 1
        assert result.stdout == ""
        assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_real_chr20(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "eur_chr20_ref300.vcf.gz"
    assert forked("convert", source, tmp_path / "x.hapz", "-r", "20:1,000,341-1,000,788").returncode == 0
    assert hf.read(tmp_path / "x.hapz").sites.position.tolist() == [1000341, 1000716, 1000788]


def test_a_genetic_map(store: Path, tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    genetic_map = tmp_path / "map.txt"
    genetic_map.write_text("pos chr cM\n100 1 0\n7100 1 7\n100 2 0\n2000 2 1\n")
    target = tmp_path / "out.hapz"
    result = forked("convert", store, target, "--genetic-map", genetic_map)
    assert result.returncode == 0
    assert result.stderr == f"warning: {genetic_map}: 21 of 130 sites lie beyond the genetic map\n"
    found = hf.read(target).sites.genetic_position_cm
    assert found[:70] == pytest.approx((small_cohort.sites.position[:70] - 100) / 1000)
    assert np.isnan(found[70:]).sum() == 21
    result = forked("convert", store, tmp_path / "out.bcf", "--genetic-map", genetic_map)
    assert result.returncode == 2
    assert "--genetic-map: expected .npz, .hapz, .pgen or .hap, which have a place for it, found" in result.stderr
    assert not (tmp_path / "out.bcf").exists()


ODD = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB
1\t10\t.\tA\tG,T\t.\t.\t.\tGT\t0|1\t2|1
1\t20\t.\tA\tG\t.\t.\t.\tGT\t0|.\t1|1
1\t30\t.\tA\tG\t.\t.\t.\tGT\t0/1\t1|1
"""


def test_policies_for_odd_input(tmp_path: Path) -> None:
    source, target = tmp_path / "in.vcf", tmp_path / "out.npz"
    source.write_text(ODD)
    refused = forked("convert", source, target)
    assert (refused.returncode, refused.stdout, target.exists()) == (2, "", False)
    assert refused.stderr == (
        f"hapforge: {source}, site 1:10: expected one ALT allele, found G,T (multi-allelic); "
        "--policy multiallelic=split|skip|major accepts it\n"
    )
    options = ["--policy", "multiallelic=split", "--policy", "missing=skip", "--policy", "unphased=keep"]
    done = forked("convert", source, target, *options)
    assert done.returncode == 0
    assert done.stderr == (
        f"{source}: 1 multi-allelic record split into 2 sites; 1 unphased heterozygous call kept at 1 site; "
        "1 site with missing alleles left out\n"
    )
    matrix = hf.read(target)
    np.testing.assert_array_equal(matrix.to_dense(), [[0, 0, 0], [1, 0, 1], [0, 1, 1], [1, 0, 1]])
    assert matrix.samples.phased.tolist() == [False, True]
    quiet = forked("convert", source, target, "-f", "-q", *options)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    about = forked("info", source, *options)
    assert about.stderr == done.stderr
    assert "not phased" in about.stdout
    wrong = forked("convert", source, tmp_path / "x.npz", "--policy", "mising=skip")
    assert wrong.returncode == 2
    assert re.fullmatch(
        r"hapforge: policy: expected a kind out of multiallelic, .* found 'mising' \(did you mean 'missing'\?\)\n",
        wrong.stderr,
    )


def test_pipes(store: Path, tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    """In and out through `-`; the remarks go to the other stream; of a cut input nothing is passed on."""
    first = forked("convert", store, "-")
    lost = "standard output: labels (population) are lost, a VCF has no place for them"
    assert first.stderr.splitlines()[0] == f"warning: {lost}"
    assert first.stdout.startswith("##fileformat=VCFv4")
    sizes = [in_units(size) for size in (hf.io.size_of(store), len(first.stdout))]
    said = f"{store} ({sizes[0]}) -> - ({sizes[1]}): 20 haplotypes of 10 persons x 130 sites"
    assert first.stderr.splitlines()[-1] == said
    second = forked("convert", "-", tmp_path / "out.npz", input=first.stdout)
    assert second.returncode == 0, second.stderr
    assert np.array_equal(hf.read(tmp_path / "out.npz").words, small_cohort.words)
    third = forked("convert", "-q", "-", "-", input=first.stdout)
    assert (third.stdout, third.stderr) == (first.stdout, "")
    cut = forked("convert", "-", "-", input=first.stdout[:-5])
    assert (cut.returncode, cut.stdout) == (2, "")
    expected = "expected a last line that ends in a line feed, found none: the file is cut\n"
    assert re.fullmatch(rf"hapforge: standard input, after site 2:\d+: {expected}", cut.stderr)
    assert forked("convert", "-", "-", input="").stderr.startswith("hapforge: standard input: expected a VCF, ")


def test_what_is_said_of_pipes(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    """Errors and remarks name them, and no temporary file."""
    hf.write(small_cohort.select_haplotypes(range(3)), tmp_path / "odd.npz")
    odd = forked("convert", tmp_path / "odd.npz", "-")
    expected = "expected two haplotypes for each person to write as VCF, found an odd number (3)"
    assert odd.stderr == f"hapforge: standard output: {expected}\n"
    names = "#CHROM POS ID REF ALT QUAL FILTER INFO FORMAT P".replace(" ", "\t")
    text = f"##fileformat=VCFv4.2\n{names}\n1\t5\t.\tA\tC\t.\t.\t.\tGT\t0|1\n\n"
    changed = forked("convert", "-", tmp_path / "x.npz", "--policy", "text=accept", input=text)
    assert changed.stderr.startswith("standard input: ")
    assert changed.stdout.startswith("- (")

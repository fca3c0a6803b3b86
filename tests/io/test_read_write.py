"""hapforge.read and hapforge.write: the format of a file, selection, labels."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
from pathlib import Path

import cohorts
import numpy as np
import pytest

import hapforge as hf
from hapforge import io
from hapforge.errors import FormatError
from hapforge.io.atomic import atomic_files, sha256_file
from hapforge.io.selection import Region, frequent

NAMES = ["x.vcf", "x.vcf.gz", "x.bcf", "x.hapt", "x.hapt.gz", "x.hapt.zip", "x.npz", "x.hapz", "x.vcz", "x.vcz.zip"]
V3 = "v3.vcz"  # of Zarr v3
WITH_FILES_BESIDE = ["x.hap", "x.haps.gz", "x.pgen"]  # found by name


@pytest.fixture
def plain_cohort(rng: np.random.Generator) -> hf.HaplotypeMatrix:
    """A cohort that every format holds as it is."""
    position = np.arange(1, 101) * 10
    return hf.HaplotypeMatrix.from_dense(
        rng.integers(0, 2, (12, 100), dtype=np.uint8),
        positions=position,
        contig="7",
        ids=[f"7:{p}_A_T" for p in position],
        ref="A",
        alt="T",
        sample_ids=[f"P{i}" for i in range(6)],
    )


@pytest.mark.parametrize("name", NAMES)
def test_format_comes_from_content(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str) -> None:
    hf.write(plain_cohort, tmp_path / name)
    misnamed = tmp_path / "data.txt"
    (tmp_path / name).rename(misnamed)
    legend = tmp_path / "x.legend"
    back = hf.read(misnamed, legend=legend if legend.exists() else None)
    cohorts.assert_same(back, plain_cohort)
    assert io.format_of_content(misnamed) == io.format_of_name(name)


def write(matrix: hf.HaplotypeMatrix, path: Path) -> Path:
    hf.write(matrix, path, zarr_format=3 if path.name.endswith(V3) else None)
    return path


@pytest.mark.parametrize("source", [*NAMES, *WITH_FILES_BESIDE, V3])
@pytest.mark.parametrize("target", [*NAMES, *WITH_FILES_BESIDE, V3])
def test_any_format_to_any_other(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path, source: str, target: str) -> None:
    first = write(plain_cohort, tmp_path / f"a{source}")
    second = write(hf.read(first), tmp_path / f"b{target}")
    cohorts.assert_same(hf.read(second), plain_cohort)


@pytest.mark.parametrize("target", [*NAMES, *WITH_FILES_BESIDE, V3])
def test_a_tree_sequence_to_any_format(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path, target: str) -> None:
    tskit = pytest.importorskip("tskit")
    tables = tskit.TableCollection(2000)
    root = tables.nodes.add_row(0, time=1)
    for row in range(12):
        node = tables.nodes.add_row(tskit.NODE_IS_SAMPLE, time=0, individual=row // 2)
        tables.edges.add_row(0, 2000, root, node)
    for _ in range(6):
        tables.individuals.add_row()
    for j, (position, calls) in enumerate(zip(plain_cohort.sites.position, plain_cohort.to_dense().T, strict=True)):
        tables.sites.add_row(position - 1, "A")
        for row in np.flatnonzero(calls).tolist():
            tables.mutations.add_row(j, row + 1, "T")
    tables.sort()
    tables.tree_sequence().dump(tmp_path / "x.trees")
    matrix = hf.read(tmp_path / "x.trees")
    np.testing.assert_array_equal(matrix.words, plain_cohort.words)
    at = matrix.sites.position
    sites = hf.Sites(at, id=[f"1:{p}_A_T" for p in at], ref=matrix.sites.ref, alt=matrix.sites.alt)
    named = hf.HaplotypeMatrix(matrix.words, sites, matrix.samples)
    cohorts.assert_same(hf.read(write(named, tmp_path / f"b{target}")), named)


@pytest.mark.parametrize("name", NAMES + WITH_FILES_BESIDE)
def test_selection_is_the_same_in_every_format(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    hf.write(plain_cohort, path)
    people = tmp_path / "people.txt"
    people.write_text("P4\n\nP1\n")
    rows, columns = [2, 3, 8, 9], np.arange(4, 60)
    counts = plain_cohort.to_dense()[rows][:, columns].sum(axis=0)
    kept = columns[np.minimum(counts, 4 - counts) >= 2]
    part = hf.read(path, "7:50-600", people, {"side": ["a", "a", "b", "b"]}, maf=0.5)
    expected = plain_cohort.select_haplotypes(rows).select_sites(kept).with_labels({"side": ["a", "a", "b", "b"]})
    cohorts.assert_same(part, expected)
    with pytest.raises(FormatError, match=r"sample 'Q' \(and 1 more\), found no sample of this id"):
        hf.read(path, samples=["P1", "Q", "R"])
    with pytest.raises(FormatError, match="7:1001-1002"):
        hf.read(path, "7:1001-1002")
    with pytest.raises(FormatError):
        hf.read(path, "8")
    with pytest.raises(FormatError, match="minor allele frequency"):
        hf.read(path, samples=["P1"], region="7:10-10", maf=0.5) if counts[0] else hf.read(
            path, "7:10-9999", ["P1"], maf=0.5
        )


def test_bad_selections(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.hapz"
    hf.write(plain_cohort, path)
    for arguments, message in (
        ({"region": "7:5"}, r"region: expected 'chr' or 'chr:first-last'.* found '7:5'"),
        ({"region": "7:9-5"}, r"region: expected 1 <= first <= last, found '7:9-5'"),
        ({"region": "7:0-5"}, r"region: expected 1 <= first <= last, found '7:0-5'"),
        ({"region": ""}, r"region: expected 'chr'"),
        ({"maf": 0.7}, r"maf: expected a frequency from 0 to 0\.5, found 0\.7"),
        ({"maf": float("nan")}, r"maf: expected a frequency"),
        ({"samples": []}, r"samples: expected at least one sample id, found none"),
        ({"samples": ["P1", "P1"]}, r"samples: expected each sample id once, found 'P1' twice"),
        ({"legend": "x.legend"}, r"legend: expected none for a file that names its sites"),
    ):
        with pytest.raises(ValueError, match=message):
            hf.read(path, **arguments)


def test_region_of_unknown_positions_is_refused(tmp_path: Path) -> None:
    hf.write(hf.HaplotypeMatrix.from_dense(np.eye(4, dtype=np.uint8)), tmp_path / "x.hapt")
    with pytest.raises(FormatError, match=r"known positions to take 1:1-2 from, found none \(a legend gives them\)"):
        hf.read(tmp_path / "x.hapt", "1:1-2")


@pytest.mark.parametrize(
    ("text", "region"),
    [
        ("chr2", Region("chr2")),
        ("chr2:1,000-2,000", Region("chr2", 1000, 2000)),
        ("HLA:A*01", Region("HLA:A*01")),
        ("HLA:A*01:5-6", Region("HLA:A*01", 5, 6)),
    ],
)
def test_regions(text: str, region: Region) -> None:
    assert Region.parse(text) == region
    assert Region.parse(str(region)) == region


def test_names_that_cannot_be_written(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    for name in ("x", "x.txt", "x.gz", ".vcf", "x.vcf.zip"):
        with pytest.raises(ValueError, match=r"expected a name that ends in one of \.vcf, \.vcf\.gz, \.bcf, .*\.hapz"):
            hf.write(plain_cohort, tmp_path / name)
    with pytest.raises(ValueError, match=r"mappable: expected a \.hapz file"):
        hf.write(plain_cohort, tmp_path / "x.npz", mappable=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"", "an empty file"),
        (b"\n\n", "other content"),
        (b"\x00\x01\x02 \x03 \x04", "other content"),
        (b"hello", "other content"),
        (b"PK\x03\x04", "cut or damaged"),
        (b"\x1f\x8b\x08", "cut or damaged"),
        (gzip.compress(b"", mtime=0), "other content"),
        (b"\x28\xb5\x2f\xfd123", "other content"),
    ],
)
def test_files_of_no_known_format(tmp_path: Path, data: bytes, found: str) -> None:
    path = tmp_path / "x"
    path.write_bytes(data)
    with pytest.raises(FormatError, match=found) as error:
        hf.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("name", "main"),
    [
        ("x.fam", r"\.bed"),
        ("x.bim", r"\.bed"),
        ("x.psam", r"\.pgen"),
        ("x.pvar.zst", r"\.pgen"),
        ("x.legend.gz", r"\.hap"),
        ("x.sample", r"\.hap or \.haps"),
    ],
)
def test_a_file_that_stands_beside_another_is_not_read_as_one(tmp_path: Path, name: str, main: str) -> None:
    (tmp_path / name).write_text("0 P1 0 0 1 1\n0 P2 0 0 1 1\n")  # of a .fam, and of HAPT
    with pytest.raises(FormatError, match=f"expected the {main} that this file stands beside"):
        hf.read(tmp_path / name)


def test_folders_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"found a folder without zarr\.json"):
        hf.read(tmp_path)
    with pytest.raises(FileNotFoundError):
        hf.read(tmp_path / "no.vcf")


def test_companions() -> None:
    assert [p.name for p in io.companions("a/x.vcf.gz")] == ["x.vcf.gz.tbi", "x.vcf.gz.csi"]
    assert [p.name for p in io.companions("a/x.hapt.zip")] == ["x.legend", "x.legend.gz"]
    assert [p.name for p in io.companions("a/x.hap")] == ["x.legend", "x.legend.gz", "x.sample", "x.samples"]
    assert [p.name for p in io.companions("x.haps.gz")] == ["x.sample", "x.samples"]
    assert [p.name for p in io.companions("x.pgen")] == ["x.pvar", "x.pvar.zst", "x.psam"]
    assert io.companions("x.vcf") == io.companions("x.npz") == io.companions("x.hapz") == []


@pytest.mark.parametrize("name", ["x.hapz", "x.vcz", V3])
def test_a_store_with_files_of_somebody_is_not_replaced(
    plain_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str
) -> None:
    """All of its arrays are, also those of other programs."""
    target, more = tmp_path / name, {"zarr_format": 3} if name == V3 else {}
    hf.write(plain_cohort, target, **more)
    shutil.copytree(next(path for path in target.iterdir() if path.is_dir()), target / "of_another_program")
    for mine in ("notes.txt", "plots"):
        (tmp_path / mine).mkdir() if mine == "plots" else (tmp_path / mine).write_text("dear")
        shutil.move(tmp_path / mine, target)
        with pytest.raises(ValueError, match=f"{name}: expected nothing but a store in the folder .* found {mine}"):
            hf.write(plain_cohort, target, **more)
        shutil.move(target / mine, tmp_path)
    assert (target / "of_another_program").is_dir()
    hf.write(plain_cohort, target, **more)
    assert not (target / "of_another_program").exists()


def test_files_that_appear_together(tmp_path: Path) -> None:
    target, index, old = tmp_path / "x", tmp_path / "x.i", tmp_path / "x.old"
    for path in (target, old):
        path.write_text("before")

    def fill(error: BaseException | None) -> None:
        with atomic_files(target, index, old) as folder:
            (folder / "x").write_text("new")
            (folder / "x.i").write_text("index")
            if error:
                raise error

    with pytest.raises(KeyboardInterrupt):
        fill(KeyboardInterrupt())
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"x": "before", "x.old": "before"}
    fill(None)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"x": "new", "x.i": "index"}


def test_old_companions_come_back_when_the_rename_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target, index = tmp_path / "x", tmp_path / "x.i"
    for path in (target, index):
        path.write_text("before")

    def refused(*_: object) -> None:
        raise PermissionError("not yours")

    def fill() -> None:
        with atomic_files(target, index) as folder:
            (folder / "x").write_text("new")
            (folder / "x.i").write_text("index")
            monkeypatch.setattr("os.replace", refused)

    with pytest.raises(PermissionError, match="not yours"):
        fill()
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"x": "before", "x.i": "before"}


@pytest.mark.parametrize(
    ("name", "folder"),
    [(n, n) for n in NAMES + WITH_FILES_BESIDE]
    + [("x.bcf", "x.bcf.csi"), ("x.hapt", "x.legend"), ("x.haps.gz", "x.sample"), ("x.pgen", "x.psam")],
)
def test_a_folder_of_something_else_is_never_replaced(
    plain_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str, folder: str
) -> None:
    mine = tmp_path / folder / "mine.txt"
    mine.parent.mkdir()
    mine.write_text("dear")
    (tmp_path / folder / "zarr.json").write_text('{"attributes": {}}')
    with pytest.raises((ValueError, IsADirectoryError)) as error:
        hf.write(plain_cohort, tmp_path / name)
    assert str(tmp_path / folder) in str(error.value)
    assert [p.name for p in tmp_path.iterdir()] == [folder]
    assert mine.read_text() == "dear"


def test_an_empty_folder_and_a_store_are_replaced_by_a_store(plain_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    (tmp_path / "x.hapz").mkdir()
    for part in (plain_cohort, plain_cohort.select_haplotypes([0, 1])):
        hf.write(part, tmp_path / "x.hapz")
        cohorts.assert_same(hf.read(tmp_path / "x.hapz"), part)


def test_checksum_of_a_folder_with_names_that_are_no_utf8(tmp_path: Path) -> None:
    name = b"a\xff"
    try:
        (tmp_path / os.fsdecode(name)).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert sha256_file(tmp_path) == hashlib.sha256(name + b"\0x").hexdigest()


def test_real_chain(shared_data: Path, tmp_path: Path) -> None:
    """805 sites through every format and back."""
    source = shared_data / "805_SNP_1000G_real.hapt.zip"
    first = hf.read(source, legend=shared_data / "805_SNP.legend", labels=shared_data / "805_labels.tsv")
    hf.write(first, tmp_path / "a.hapz")
    matrix = hf.read(tmp_path / "a.hapz")
    cohorts.assert_same(matrix, first)
    hf.write(matrix, tmp_path / "b.npz")
    cohorts.assert_same(hf.read(tmp_path / "b.npz"), first)
    shutil.rmtree(tmp_path / "a.hapz")
    with pytest.warns(UserWarning, match="labels"):
        hf.write(hf.read(tmp_path / "b.npz"), tmp_path / "c.bcf")
    cohorts.assert_same(hf.read(tmp_path / "c.bcf"), first, labels=False)


@pytest.mark.parametrize("percent", range(1, 51))
def test_a_site_exactly_at_the_floor_is_kept(percent: int) -> None:
    assert frequent(np.array([percent - 1, percent, 100 - percent]), 100, percent / 100).tolist() == [False, True, True]

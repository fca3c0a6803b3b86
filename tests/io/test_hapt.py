"""HAPT and its legend: real files, plain Python as the independent reader, refusals, truncation."""

from __future__ import annotations

import gzip
import tempfile
import zipfile
from pathlib import Path

import cohorts
import numpy as np
import pytest
from hypothesis import given, settings

import hapforge as hf
from hapforge.errors import FormatError

ENDINGS = (".hapt", ".hapt.gz", ".hapt.zip")
TEXT = "Real HG1_A 0 1 1\nReal HG1_B 1 1 0\nAG AG2 0 0 1\n"
LEGEND = "id position a0 a1\n1:10_A_G 10 A G\n1:20_A_ACC 20 A ACC\n2:7 7 C T\n"


def write_text(text: str | bytes, path: Path) -> Path:
    data = text.encode() if isinstance(text, str) else text
    if path.suffix == ".gz":
        data = gzip.compress(data)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("inner.hapt", data)
    else:
        path.write_bytes(data)
    return path


def plain_python(path: Path) -> tuple[list[str], list[str], np.ndarray]:
    """Groups, ids and values by the simplest code there is."""
    data = path.read_bytes()
    if data[:2] == b"PK":
        with zipfile.ZipFile(path) as archive:
            data = archive.read(archive.namelist()[0])
    elif data[:2] == b"\x1f\x8b":
        data = gzip.decompress(data)
    rows = [line.split() for line in data.decode().splitlines()]
    return [r[0] for r in rows], [r[1] for r in rows], np.array([[int(v) for v in r[2:]] for r in rows], np.uint8)


@pytest.mark.parametrize(
    ("name", "group", "person"),
    [("805_SNP_1000G_real", "Real", "HG00096"), ("805_SNP_GAN_AG_20000epochs", "AG", "sample0")],
)
def test_real_files_against_plain_python(shared_data: Path, name: str, group: str, person: str) -> None:
    path = shared_data / f"{name}.hapt.zip"
    groups, ids, dense = plain_python(path)
    matrix = hf.read(path, legend=shared_data / "805_SNP.legend")
    np.testing.assert_array_equal(matrix.to_dense(), dense)
    assert matrix.samples.haplotype_id.tolist() == ids
    assert matrix.samples.labels["group"].tolist() == groups == [group] * len(ids)
    assert matrix.samples.sample_id[:2].tolist() == [person, person]
    assert len(matrix.sites.contig_blocks()) == 22
    lines = [line.split() for line in (shared_data / "805_SNP.legend").read_text().splitlines()[1:]]
    assert matrix.sites.position.tolist() == [int(line[1]) for line in lines]
    assert matrix.sites.contig.tolist() == [line[0].split(":")[0] for line in lines]
    assert matrix.sites.alt.tolist() == [line[3] for line in lines]
    assert not hf.read(path).sites.position_known


def test_real_labels_and_region(shared_data: Path) -> None:
    path = shared_data / "805_SNP_1000G_real.hapt.zip"
    legend = shared_data / "805_SNP.legend"
    matrix = hf.read(path, "22", ["NA21144", "HG00096"], shared_data / "805_labels.tsv", legend=legend)
    assert matrix.shape == (4, 13)
    assert matrix.samples.haplotype_id.tolist() == ["HG00096_A", "HG00096_B", "NA21144_A", "NA21144_B"]
    assert matrix.samples.labels["superpopulation"].tolist() == ["EUR", "EUR", "SAS", "SAS"]
    whole = hf.read(path, legend=legend, maf=0.05)
    assert whole.num_sites == 805 - 13  # by plink2 --maf 0.05


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.replace(" ", "\t"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace("\n", " \n"),
        TEXT.replace("0 1 1", "0  1\t1"),
        TEXT.rstrip("\n"),
    ],
    ids=["spaces", "tabs", "CR LF", "space at the end", "more spaces", "no last line feed"],
)
def test_spellings(tmp_path: Path, text: str, ending: str) -> None:
    matrix = hf.read(write_text(text, tmp_path / f"x{ending}"))
    np.testing.assert_array_equal(matrix.to_dense(), [[0, 1, 1], [1, 1, 0], [0, 0, 1]])
    assert matrix.samples.haplotype_id.tolist() == ["HG1_A", "HG1_B", "AG2"]
    assert matrix.samples.sample_id.tolist() == ["sample0", "sample0", "sample1"]
    assert matrix.samples.labels["group"].tolist() == ["Real", "Real", "AG"]


@pytest.mark.parametrize(
    ("ids", "persons"),
    [
        (["a_A", "a_B", "b_A", "b_B"], ["a", "a", "b", "b"]),
        (["a.1", "a.2", "b.1", "b.2"], ["a", "a", "b", "b"]),
        (["a_1", "a_2", "b_A", "b_B"], ["a", "a", "b", "b"]),
        (["a_A", "a_B", "b_A"], ["a", "a", "b"]),
        (["a_B", "a_A"], ["sample0"] * 2),
        (["a_A", "b_B"], ["sample0"] * 2),
        (["a_A", "a_B", "b", "c"], ["sample0"] * 2 + ["sample1"] * 2),
        (["a_A", "a_B", "a_1", "a_2"], ["sample0"] * 2 + ["sample1"] * 2),
        (["_A", "_B"], ["sample0"] * 2),
    ],
)
def test_persons_from_ids(tmp_path: Path, ids: list[str], persons: list[str]) -> None:
    path = write_text("".join(f"g {name} 0 1\n" for name in ids), tmp_path / "x.hapt")
    assert hf.read(path).samples.sample_id.tolist() == persons


def test_legend_beside_is_found(tmp_path: Path) -> None:
    path = write_text(TEXT, tmp_path / "x.hapt.zip")
    (tmp_path / "x.legend.gz").write_bytes(gzip.compress(LEGEND.encode()))
    sites = hf.read(path).sites
    assert sites.position_known
    assert sites.position.tolist() == [10, 20, 7]
    assert sites.contig.tolist() == ["1", "1", "2"]
    assert sites.id.tolist() == ["1:10_A_G", "1:20_A_ACC", "2:7"]
    assert sites.ref.tolist() == ["A", "A", "C"]
    assert sites.alt.tolist() == ["G", "ACC", "T"]


REFUSED = [
    (TEXT.replace("1 1 0", "1 1"), r"line 2: expected 3 values, as line 1 has, found 2"),
    (TEXT.replace("1 1 0", "1 1 0 1"), r"line 2: expected 3 values, as line 1 has, found 4"),
    (TEXT.replace("1 1 0", "1 2 0"), r"line 2: expected values 0 and 1, found '2' for site 2"),
    (TEXT.replace("1 1 0", "1 10 0"), r"line 2: expected values 0 and 1, found '10' for site 2"),
    (TEXT.replace("1 1 0", "1,1,0"), r"line 2: expected 3 values, as line 1 has, found 1"),
    (TEXT.replace("1 1 0", "1,1 0"), r"line 2: expected 3 values, as line 1 has, found 2"),
    (TEXT.replace("1 1 0", "1 . 0"), r"line 2: expected values 0 and 1, found '\.' for site 2"),
    (TEXT.replace("1 1 0", "110"), r"line 2: expected 3 values, as line 1 has, found 1"),
    (
        TEXT.replace("HG1_B", "HG1_A"),
        r"line 2: expected each haplotype id once, found 'HG1_A' again \(first in line 1\)",
    ),
    (TEXT.replace("\nAG", "\n\nAG"), r"line 3: expected GROUP ID 0 1 \.\.\., found 0 columns"),
    (TEXT.replace("1 1 0", ""), r"line 2: expected GROUP ID 0 1 \.\.\., found 2 columns"),
    (TEXT.encode().replace(b"HG1_B", b"HG\xff"), r"line 2: expected UTF-8 text"),
    (b"\xef\xbb\xbf" + TEXT.encode(), r"line 1: expected plain text, found a byte order mark"),
    (TEXT.replace("HG1_B", "HG1\x1f_B"), r"line 2: expected text, found the control character b'\\x1f'"),
    (TEXT.replace("1 1 0", "1\x0b1 0"), r"line 2: expected text, found the control character b'\\x0b'"),
    (TEXT.replace("1 1 0", "1\r1 0"), r"line 2: expected text, found a CR inside of a line"),
    (TEXT[:-4], r"line 3: expected 3 values, as line 1 has, found 1"),
    (TEXT.split("\n")[0], r"line 1: expected a line that ends in a line feed, found none: the file is cut"),
]


@pytest.mark.parametrize(("text", "message"), REFUSED, ids=range(len(REFUSED)))
def test_text_that_is_refused(tmp_path: Path, text: str | bytes, message: str) -> None:
    for ending in ENDINGS:
        path = write_text(text, tmp_path / f"x{ending}")
        with pytest.raises(FormatError, match=message) as error:
            hf.read(path)
        assert str(error.value).startswith(f"{path}, ")
        assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("legend", "message"),
    [
        (LEGEND.rsplit("\n", 2)[0] + "\n", r"x\.legend: expected 3 sites, as .*x\.hapt has, found 2"),
        (
            LEGEND.replace("id position", "rs pos"),
            r"line 1: expected a header 'id position a0 a1', found 'rs pos a0 a1'",
        ),
        (LEGEND.replace("20 A ACC", "21 A ACC"), r"line 3: expected an id that agrees with position and alleles"),
        (LEGEND.replace("20 A ACC", "20 A AC"), r"line 3: expected an id that agrees with position and alleles"),
        (LEGEND.replace("2:7 7 C T", "2:7 7 C"), r"line 4: expected 4 columns, as the header has, found 3"),
        (LEGEND.replace("2:7 7 C T", "rs 7 C T"), r"expected sites in order, found positions: .* found 7 after 20"),
        (LEGEND.replace("2:7 7 C T", "rs x C T"), r"line 4: expected a position, found 'x'"),
        (LEGEND.replace("2:7 7 C T", "2:7\x0c7 C T"), r"line 4: expected text, found the control character b'\\x0c'"),
        (LEGEND.replace("\n2:7", "\u20282:7"), r"legend, line 3: expected 4 columns, as the header has, found 8"),
        ("", r"line 1: expected a header"),
    ],
)
def test_legends_that_are_refused(tmp_path: Path, legend: str, message: str) -> None:
    path = write_text(TEXT, tmp_path / "x.hapt")
    (tmp_path / "x.legend").write_text(legend)
    with pytest.raises(FormatError, match=message):
        hf.read(path)


def test_zip_of_several_files_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    for names, message in (
        (["a.hapt", "b.hapt"], r"expected a zip with one file, found 2 \(a\.hapt, b\.hapt\)"),
        (["__MACOSX/._a.hapt"], "expected a zip with one file, found none"),
    ):
        with zipfile.ZipFile(path, "w") as archive:
            for name in names:
                archive.writestr(name, TEXT)
        with pytest.raises(FormatError, match=message):
            hf.read(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("__MACOSX/._a.hapt", "x")
        archive.writestr("folder/a.hapt", TEXT)
    assert hf.read(path).shape == (3, 3)


# -------------------------------------------------------------------------------------------------------- writing


@settings(max_examples=40, deadline=None)
@given(cohorts.cohorts())
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    """Bits, ids, positions and alleles; group is the only label; persons where the ids tell them."""
    groups = hf.Samples(
        matrix.num_haplotypes,
        sample_id=matrix.samples.sample_id,
        labels={"group": np.where(np.arange(matrix.num_haplotypes) % 2, "Real", "AG")},
    )
    sites = matrix.sites if matrix.sites.position_known else hf.Sites(num_sites=matrix.num_sites)
    known = [f"{c}:{p}_{a}_{b}" for c, p, a, b in zip(sites.contig, sites.position, sites.ref, sites.alt, strict=True)]
    ids = known if sites.position_known else sites.id
    sites = hf.Sites(
        sites.position,
        contig=sites.contig,
        id=ids,
        ref=sites.ref,
        alt=sites.alt,
        position_known=sites.position_known,
    )
    matrix = hf.HaplotypeMatrix(matrix.words, sites, groups)
    with tempfile.TemporaryDirectory() as folder:
        for ending in ENDINGS:
            path = Path(folder) / f"x{ending}"
            hf.write(matrix, path)
            cohorts.assert_same(hf.read(path), matrix)
            groups_found, ids_found, dense = plain_python(path)
            np.testing.assert_array_equal(dense, matrix.to_dense())
            assert ids_found == matrix.samples.haplotype_id.tolist()
            assert groups_found == matrix.samples.labels["group"].tolist()


def test_what_hapt_cannot_hold_is_named(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"labels \(population\) and site ids are lost, HAPT has no place"):
        hf.write(small_cohort, tmp_path / "x.hapt")
    back = hf.read(tmp_path / "x.hapt")
    cohorts.assert_same(back, small_cohort, labels=False, site_ids=False)
    assert back.samples.labels == {}


def test_an_old_legend_never_stands_beside_new_data(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.hapt.gz"
    (tmp_path / "x.legend.gz").write_bytes(gzip.compress(LEGEND.encode()))
    counted = hf.HaplotypeMatrix.from_dense(np.eye(3, dtype=np.uint8))
    with pytest.raises(ValueError, match=r"positions are not known, and .*x\.legend\.gz beside would be taken"):
        hf.write(counted, path)
    with pytest.warns(UserWarning, match="lost"):
        hf.write(small_cohort, path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x.hapt.gz", "x.legend"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_while_writing_leaves_what_was_there(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    hf.write(hf.HaplotypeMatrix.from_dense([[0, 1], [1, 1]], positions=[1, 2]), path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hf.write(hf.HaplotypeMatrix.from_dense([[0, 0], [1, 1]], positions=[3, 4]), path, progress=stop)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"haplotype_ids": ["a b", "c"]}, "haplotype ids without spaces .* found 'a b'"),
        ({"labels": {"group": ["a", ""]}}, "groups without spaces .* found ''"),
        ({"positions": [1], "ref": ["A_"], "alt": ["C"]}, "alleles without spaces and _ .* found 'A_' and 'C'"),
        ({"positions": [1], "contig": "HLA:1"}, "contig without spaces and colons .* found 'HLA:1'"),
    ],
)
def test_cohorts_that_are_refused(tmp_path: Path, arguments: dict, message: str) -> None:
    matrix = hf.HaplotypeMatrix.from_dense([[0], [1]], **arguments)
    with pytest.raises(ValueError, match=message):
        hf.write(matrix, tmp_path / "x.hapt")
    with pytest.raises(ValueError, match="at least one haplotype and one site"):
        hf.write(hf.HaplotypeMatrix.from_dense(np.zeros((2, 0), int)), tmp_path / "x.hapt")
    assert list(tmp_path.iterdir()) == []

"""Labels out of PLINK's files of phenotypes; those of a TSV are in test_haplotypes.py."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge.errors import FormatError

IDS = ["P0", "P1", "P2", "P3"]


@pytest.fixture
def cohort() -> hf.HaplotypeMatrix:
    """Eight haplotypes of four persons."""
    return hf.HaplotypeMatrix.from_dense(np.eye(8, dtype=np.uint8), sample_ids=IDS)


def of_persons(cohort: hf.HaplotypeMatrix, path: Path) -> dict[str, list[Any]]:
    """Labels by person; both haplotypes have the same."""
    labels = cohort.with_labels(path).samples.labels
    assert all(values[::2].tolist() == values[1::2].tolist() for values in labels.values() if values.dtype.kind != "f")
    return {name: values[::2].tolist() for name, values in labels.items()}


FAM = "F1 P0 0 0 1 2\nF1 P1 0 0 2 1\nF2 P2\t0 0  0 -9\nF2 P3 0 0 1 0\nF3 P9 P0 0 1 2\n"
CASES = ["case", "control", "", ""]


def test_fam(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """1 and 2 are control and case, 0 and -9 are missing; the line of somebody else is left, but says what is there."""
    path = tmp_path / "x.fam"
    path.write_text(FAM)
    expected = {"family": ["F1", "F1", "F2", "F2"], "sex": ["1", "2", "", "1"], "PHENO1": CASES, "PAT": [""] * 4}
    assert of_persons(cohort, path) == expected
    packed = tmp_path / "x.FAM.gz"
    packed.write_bytes(gzip.compress(FAM.replace("\n", "\r\n").encode()))
    assert of_persons(cohort, packed) == expected
    hf.write(cohort, tmp_path / "x.npz")
    assert hf.read(tmp_path / "x.npz", labels=path).samples.labels["PHENO1"][::2].tolist() == CASES


@pytest.mark.parametrize("header", ["#FID IID", "FID\tIID", "#IID", "IID"])
@pytest.mark.parametrize("name", ["x.pheno", "x.phe", "x.psam", "x.txt"])
def test_headers(cohort: hf.HaplotypeMatrix, tmp_path: Path, header: str, name: str) -> None:
    """By name, or by a header that only PLINK has; IID alone may stand over a TSV as well."""
    if (header, name) == ("IID", "x.txt"):
        return
    path = tmp_path / name
    families = "FID" in header
    lines = [f"{'0 ' * families}{person} {value} 1.5" for person, value in zip(IDS, ["2", "1", "NA", "1"], strict=True)]
    path.write_text("\n".join(["## made by hand", f"{header} ALS dose", *lines]) + "\n")
    assert of_persons(cohort, path) == {"ALS": ["case", "control", "", "control"], "dose": [1.5] * 4}


def test_a_tsv_over_which_iid_stands_is_taken_as_it_is(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.tsv"
    path.write_text("IID\tALS\twhere\n" + "".join(f"{name}\t2\tin a town\n" for name in IDS))
    assert of_persons(cohort, path) == {"ALS": ["2"] * 4, "where": ["in a town"] * 4}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("2 1 1 2", ["case", "control", "control", "case"]),
        ("1 1 -9 1", ["control", "control", "", "control"]),
        ("2 2 0 nan", ["case", "case", "", ""]),
        ("0 1 1 0", ["0", "1", "1", "0"]),
        ("0 1 NA -9", ["0", "1", "", ""]),
        ("1 2 3 1", [1, 2, 3, 1]),
        ("0 170 -12 3", [0, 170, -12, 3]),
        ("1.5 .25 1e2 -3", [1.5, 0.25, 100.0, -3.0]),
        ("1.5 -9 NA 0", [1.5, None, None, 0.0]),
        ("172 -9 165 0", [172.0, None, 165.0, 0.0]),
        ("case control NA -9", ["case", "control", "", ""]),
        ("A NONE 2 nan", ["A", "", "2", ""]),
    ],
)
def test_values(cohort: hf.HaplotypeMatrix, tmp_path: Path, values: str, expected: list[Any]) -> None:
    path = tmp_path / "x.pheno"
    path.write_text("".join(f"F {name} {value}\n" for name, value in zip(IDS, values.split(), strict=True)))
    found = of_persons(cohort, path)["PHENO1"]
    assert [None if value != value else value for value in found] == expected
    assert {type(value) for value in found} == {type(value) for value in expected if value is not None}


def test_a_part_of_the_persons_has_the_labels_of_all(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """What a column is depends on the whole file: two persons of values 0 and 1 are not read as 0 and 1."""
    path = tmp_path / "x.pheno"
    path.write_text("F P0 0\nF P1 1\nF P2 2\nF P3 2\n")
    assert of_persons(cohort.select_haplotypes(range(4)), path)["PHENO1"] == ["", "control"]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("x.fam", "F P0 0 0 1\nF P1 0 0 1 2\n", "line 2: expected 5 columns, as the first line has, found 6"),
        ("x.fam", "F P0 0 0\n", "line 1: expected a header, or 5 or 6 columns, found 4"),
        ("x.pheno", "F P0\n", "line 1: expected a header, or FID, IID and a phenotype, found 2"),
        ("x.pheno", "#FID ALS\nF 2\n", r"line 1: expected the columns FID IID ... or IID ..., found '?#FID ALS"),
        ("x.pheno", "#IID ALS ALS\n", "line 1: expected each column name once, found 'ALS' twice"),
        ("x.pheno", "#IID sex SEX\nP0 1 2\n", "expected one column of the label 'sex', found two"),
        (
            "x.pheno",
            "#IID ALS\nP0 2\nP1 1\nP0 2\n",
            r"line 4: expected each IID once, found 'P0' again \(first",
        ),
        ("x.pheno", "#IID ALS\nP0 2\n\nP1 2\n", "line 3: expected 2 columns, as the first line has, found 0"),
        ("x.pheno", "#IID ALS\nP0 2\nP1 \x01\n", r"line 3: expected text, found the control character '\\x01'"),
        ("x.pheno", "#IID ALS\n", "expected at least one person, found none"),
        ("x.pheno", "", "expected at least one person, found none"),
        (
            "x.pheno",
            "".join(f"0 {n} -9\n" for n in IDS),
            "a phenotype of at least one person, found none: all is",
        ),
        (
            "x.pheno",
            "0 P0 2\n0 P1 1\n",
            "for every person, by IID, found none for 4 of 8 haplotypes, the first 'P2_A",
        ),
        ("x.pheno", "0 P0 2", "line 1: expected a last line that ends in a line feed"),
        ("x.txt", "FID\tIID\tALS\nF\tP0\n", "line 2: expected 3 columns, as the first line has, found 2"),
    ],
)
def test_bad_files(cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str, text: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(FormatError, match=message) as caught:
        cohort.with_labels(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_plink2_calls_cases_are_cases(tmp_path: Path) -> None:
    """A .bed whose .fam is given as labels: its numbers become names, under the same label."""
    (tmp_path / "x.bed").write_bytes(bytes([0x6C, 0x1B, 0x01, 0b00111000]))
    (tmp_path / "x.bim").write_text("1 rs1 0 100 G A\n")
    (tmp_path / "x.fam").write_text("0 P0 0 0 0 2\n0 P1 0 0 0 1\n0 P2 0 0 0 1\n")
    assert hf.read(tmp_path / "x.bed").samples.labels["PHENO1"].tolist() == [2, 2, 1, 1, 1, 1]
    named = hf.read(tmp_path / "x.bed", labels=tmp_path / "x.fam")
    assert named.samples.labels["PHENO1"].tolist() == ["case"] * 2 + ["control"] * 4

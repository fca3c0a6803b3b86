"""PGEN/PVAR/PSAM and BED/BIM/FAM: against plain Python and plink2, policies, refusals, what is lost."""

from __future__ import annotations

import itertools
import shutil
import subprocess
import tempfile
from pathlib import Path

import cohorts
import numpy as np
import pytest
from hypothesis import assume, given, settings

import hapforge as hf
from hapforge import io
from hapforge.errors import FormatError, MissingDependencyError
from pgen_files import random_calls, write_pgen
from reference import pgen as reference
from reference import tables

needs_plink2 = pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed")
BIM = "1\trs1\t0\t10\tG\tA\n1\trs2\t0\t20\tACC\tA\n2\t.\t0\t7\tT\tC\n"
FAM = "F1\tP1\t0\t0\t1\t2\nF1\tP2\tP1\t0\t2\t-9\n0\tP3\t0\t0\t0\t1\n"
CALLS = [[0, 1, 2], [2, 1, 1], [0, 0, 1]]  # ALT alleles, -1: missing


def plink2(*arguments: str | Path) -> None:
    subprocess.run(["plink2", *arguments, "--threads", "1"], check=True, capture_output=True)


def bed_bytes(calls: list[list[int]]) -> bytes:
    """By the format's table: two bits a person, 0 A1 A1, 1 missing, 2 A1 A2, 3 A2 A2, the first lowest."""
    codes = {2: 0, -1: 1, 1: 2, 0: 3}
    rows = [
        sum(codes[call] << (2 * i) for i, call in enumerate(row)).to_bytes(-(-len(row) // 4), "little") for row in calls
    ]
    return b"\x6c\x1b\x01" + b"".join(rows)


def write_bed(folder: Path, bed: bytes | None = None, bim: str = BIM, fam: str = FAM) -> Path:
    (folder / "x.bed").write_bytes(bed_bytes(CALLS) if bed is None else bed)
    (folder / "x.bim").write_text(bim)
    (folder / "x.fam").write_text(fam)
    return folder / "x.bed"


# ------------------------------------------------------------------------------------------------------------- BED


def test_bed_by_hand(tmp_path: Path) -> None:
    matrix = hf.read(write_bed(tmp_path))
    assert matrix.to_dense().tolist() == [[0, 1, 0], [0, 1, 0], [0, 0, 0], [1, 1, 0], [1, 0, 0], [1, 1, 1]]
    assert not matrix.samples.phased.any()
    assert matrix.sites.ref.tolist() == ["A", "A", "C"]
    assert matrix.sites.alt.tolist() == ["G", "ACC", "T"]
    assert matrix.samples.sample_id[::2].tolist() == ["P1", "P2", "P3"]
    assert {name: values[::2].tolist() for name, values in matrix.samples.labels.items()} == {
        "family": ["F1", "F1", "0"],
        "PAT": ["0", "P1", "0"],
        "sex": ["1", "2", "0"],
        "PHENO1": [2, -9, 1],
    }


def test_bed_selection(tmp_path: Path) -> None:
    path = write_bed(tmp_path)
    part = hf.read(path, "1:15-30", ["P3", "P1"])
    assert part.to_dense().tolist() == [[1], [1], [0], [1]]
    assert part.samples.labels["sex"].tolist() == ["1", "1", "0", "0"]
    assert hf.read(path, maf=0.5).sites.position.tolist() == [10]


def test_bed_missing_calls(tmp_path: Path) -> None:
    path = write_bed(tmp_path, bed_bytes([[0, 1, 2], [2, -1, 1], [0, 0, 1]]))
    with pytest.raises(
        FormatError, match=r"site 1:20: .* found '\.\|\.' \(missing\) for sample 'P2'; --policy missing="
    ):
        hf.read(path)
    with pytest.warns(UserWarning, match="2 missing alleles set to the commoner one at 1 site"):
        matrix = hf.read(path, policy={"missing": "major"})
    assert matrix.to_dense()[:, 1].tolist() == [1, 1, 1, 1, 0, 1]
    assert not matrix.samples.phased.any()
    with pytest.warns(UserWarning, match="1 site with missing alleles left out"):
        assert hf.read(path, policy={"missing": "skip"}).sites.position.tolist() == [10, 7]


def test_bim_without_an_allele(tmp_path: Path) -> None:
    path = write_bed(tmp_path, bim=BIM.replace("G\tA", "0\tA"), bed=bed_bytes([[0, 0, 0], *CALLS[1:]]))
    with pytest.raises(FormatError, match=r"site 1:10: expected an ALT allele of bases, found '\.' \(missing\)"):
        hf.read(path)
    with pytest.warns(UserWarning, match="ALT kept"):
        assert hf.read(path, policy={"symbolic": "keep"}).sites.alt.tolist() == [".", "ACC", "T"]
    assert hf.read(write_bed(tmp_path, bim=BIM.replace("G\tA", "0\t0"))).sites.ref.tolist() == [".", "A", "C"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bed": bed_bytes(CALLS)[:-1]}, r"expected 6 bytes for 3 sites of 3 persons, found 5"),
        ({"bed": bed_bytes(CALLS) + b"\0"}, r"expected 6 bytes for 3 sites of 3 persons, found 7"),
        ({"bed": b"\x6c\x1b\x00" + bed_bytes(CALLS)[3:]}, r"found a person after the other: plink --make-bed turns it"),
        ({"bed": bed_bytes(CALLS)[:5] + b"\x7b"}, r"site 2:7: expected zero bits behind the last person"),
        ({"bim": BIM + BIM[-9:]}, r"x\.bim, line 4: expected 6 columns"),
        ({"bim": BIM.replace("\t0\t", "\t0\t0\t")}, r"x\.bim, line 1: expected a header #CHROM, or 5 or 6 columns"),
        ({"bim": BIM.replace("20", "5")}, r"site 1:5: expected positions that don't decrease"),
        ({"bim": ""}, r"x\.bim: expected at least one site, found none"),
        ({"fam": FAM.replace("P2\tP1", "P1\tP1")}, r"x\.fam, line 2: expected each sample id \(IID\) once, found 'P1'"),
        ({"fam": FAM.replace("P3", "0")}, r"line 3: expected a sample id \(IID\), found '0'"),
        ({"fam": FAM + FAM.replace("P", "Q")}, r"expected 9 bytes for 3 sites of 6 persons, found 6"),
        ({"fam": FAM[:-1]}, r"line 3: expected a last line that ends in a line feed, found none: the file may be cut"),
    ],
)
def test_bed_files_that_are_refused(tmp_path: Path, change: dict[str, bytes | str], message: str) -> None:
    with pytest.raises(FormatError, match=message) as error:
        hf.read(write_bed(tmp_path, **change))  # type: ignore[arg-type]
    assert "\n" not in str(error.value)


def test_bed_needs_its_tables_and_is_not_written(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = write_bed(tmp_path)
    (tmp_path / "x.fam").unlink()
    with pytest.raises(FormatError, match=r"expected x\.fam beside, found none"):
        hf.read(path)
    with pytest.raises(ValueError, match=r"expected a format that holds phase, found \.bed, which is only read"):
        hf.write(small_cohort, tmp_path / "y.bed")


def test_bed_many_sites_by_plain_python(tmp_path: Path, rng: np.random.Generator) -> None:
    """More than one chunk, and numbers of persons around a byte."""
    for num_persons, num_sites in ((1, 7), (3, 70), (4, 70), (5, 70), (9000, 1000)):
        calls = rng.integers(0, 3, (num_sites, num_persons))
        rows = np.packbits(np.stack([calls == 0, calls < 2], axis=2).reshape(num_sites, -1), axis=1, bitorder="little")
        bim = "".join(f"1\t.\t0\t{j + 1}\tC\tA\n" for j in range(num_sites))
        fam = "".join(f"0\ts{i}\t0\t0\t0\t-9\n" for i in range(num_persons))
        path = write_bed(tmp_path, b"\x6c\x1b\x01" + rows.tobytes(), bim, fam)
        dense = hf.read(path).to_dense()
        np.testing.assert_array_equal(dense[0::2] + dense[1::2], calls.T)
        assert (dense[0::2] <= dense[1::2]).all()


@needs_plink2
def test_bed_of_plink2(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "eur_chr20_ref300.vcf.gz"
    plink2("--vcf", source, "--make-bed", "--out", tmp_path / "p")
    matrix, expected = hf.read(tmp_path / "p.bed"), hf.read(source)
    dense, phased = matrix.to_dense(), expected.to_dense()
    np.testing.assert_array_equal(dense[0::2] + dense[1::2], phased[0::2] + phased[1::2])
    for name in ("position", "contig", "id", "ref", "alt"):
        np.testing.assert_array_equal(getattr(matrix.sites, name), getattr(expected.sites, name))
    np.testing.assert_array_equal(matrix.samples.sample_id, expected.samples.sample_id)


# ------------------------------------------------------------------------------------------------------------ PGEN


@settings(max_examples=20, deadline=None)
@given(cohorts.cohorts(diploid=True))
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    assume("0" not in matrix.samples.sample_id)
    labels = {"population": ["GBR", "YRI"], "age": [30, 40], "score": [0.5, np.nan], "sex": ["1", "NA"]}
    n = matrix.num_haplotypes
    person = np.arange(n) // 2 % 2
    samples = hf.Samples(
        n,
        sample_id=matrix.samples.sample_id,
        labels={name: np.array(values)[person] for name, values in labels.items()},
        phased=np.arange(n // 2) % 3 != 1,
    )
    sites = matrix.sites
    known = hf.Sites(
        sites.position,
        contig=sites.contig,
        id=sites.id,
        ref=np.where(sites.alt == ".", ".", "A"),
        alt=sites.alt,
        position_known=sites.position_known,
    )
    matrix = hf.HaplotypeMatrix(matrix.words, known, samples)
    dense = matrix.to_dense()
    unphased = ~samples.phased & (dense[0::2] != dense[1::2]).any(axis=1)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.pgen"
        hf.write(matrix, path)
        policy = io.Policy({"unphased": "keep"})
        back = hf.read(path, policy=policy)
        if not unphased.any():
            assert policy.changes == {}
        expected = dense.copy()  # an unphased call has no order in the format
        loose = ~samples.phased
        expected[0::2][loose] = dense[0::2][loose] & dense[1::2][loose]
        expected[1::2][loose] = dense[0::2][loose] | dense[1::2][loose]
        assert [str(name) for name in back.samples.labels] == ["sex", "population", "age", "score"]
        for name, values in back.samples.labels.items():
            np.testing.assert_array_equal(values, samples.labels[name], err_msg=name)
        same = hf.Samples(n, sample_id=samples.sample_id, phased=~unphased)
        wanted = hf.HaplotypeMatrix(hf.HaplotypeMatrix.from_dense(expected).words, known, same)
        cohorts.assert_same(back, wanted, labels=False)
        if not unphased.any():
            _, ids, values = tables.plink2(Path(folder), "x")
            np.testing.assert_array_equal(np.array(values).T, expected)
            assert ids == samples.sample_id[::2].tolist()


@needs_plink2
def test_written_files_against_plink2(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.write(small_cohort, tmp_path / "x.pgen")
    plink2("--pfile", tmp_path / "x", "--validate", "--out", tmp_path / "v")
    plink2("--pfile", tmp_path / "x", "--export", "vcf", "--out", tmp_path / "p")
    cohorts.assert_same(hf.read(tmp_path / "p.vcf"), small_cohort, labels=False)


@needs_plink2
def test_files_that_plink2_writes(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "eur_chr20_ref300.vcf.gz"
    expected = hf.read(source)
    for modifier in ([], ["vzs"]):
        plink2("--vcf", source, "--make-pgen", *modifier, "--out", tmp_path / "p")
        cohorts.assert_same(hf.read(tmp_path / "p.pgen"), expected)
        (tmp_path / "p.pvar").unlink(missing_ok=True)
    part = hf.read(tmp_path / "p.pgen", "20:2000000-2500000", ["HG00097", "NA06986"], maf=0.3)
    cohorts.assert_same(part, hf.read(source, "20:2000000-2500000", ["HG00097", "NA06986"], maf=0.3))
    data = (tmp_path / "p.pvar.zst").read_bytes()
    for cut in (0, 3, 40, len(data) // 2, len(data) - 1):
        (tmp_path / "p.pvar.zst").write_bytes(data[:cut])
        with pytest.raises(FormatError, match=r"p\.pvar\.zst"):
            hf.read(tmp_path / "p.pgen")


@needs_plink2
def test_odd_calls_of_plink2(shared_data: Path, tmp_path: Path) -> None:
    """Multi-allelic sites, missing and unphased calls: the same matrix as from the VCF under the same policy."""
    source = shared_data / "ceu_chr4_95samples_messy.vcf.gz"
    plink2("--vcf", source, "--make-pgen", "--out", tmp_path / "p")
    with pytest.raises(FormatError, match="multi-allelic"):
        hf.read(tmp_path / "p.pgen")
    for choices in (
        {"multiallelic": "split", "symbolic": "keep", "unphased": "keep", "missing": "major"},
        {"multiallelic": "major", "symbolic": "skip", "unphased": "skip", "missing": "skip"},
        {"multiallelic": "skip", "symbolic": "skip", "unphased": "keep", "missing": "skip"},
    ):
        choices = {**choices, "duplicate": "skip", "text": "accept"}
        here, there = io.Policy(choices), io.Policy(choices)
        matrix, expected = hf.read(tmp_path / "p.pgen", policy=here), hf.read(source, policy=there)
        cohorts.assert_same(matrix, expected)
        assert here.changes == {kind: counts for kind, counts in there.changes.items() if kind != "text"}


HAPLOID = """##fileformat=VCFv4.2
##contig=<ID=22>
##contig=<ID=X>
##contig=<ID=Y>
##contig=<ID=MT>
##FORMAT=<ID=GT,Number=1,Type=String,Description="g">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\tC\tD
22\t5\ta\tA\tC\t.\t.\t.\tGT\t0|1\t1|1\t0|0\t1|0
X\t3000000\tb\tA\tC\t.\t.\t.\tGT\t1\t0|1\t0\t1|1
X\t3000010\tc\tA\tC\t.\t.\t.\tGT\t0\t1|0\t1\t.|.
X\t3000020\td\tA\tC\t.\t.\t.\tGT\t0|1\t1|0\t0|1\t0|0
X\t3000030\te\tA\tC\t.\t.\t.\tGT\t.\t1|0\t1\t0|0
Y\t5\tf\tA\tC\t.\t.\t.\tGT\t0\t.\t1\t.
MT\t7\tg\tA\tC\t.\t.\t.\tGT\t0\t1\t1\t0
"""


@needs_plink2
@pytest.mark.parametrize("codes", ["26", "chrM"])
def test_haploid_calls_are_those_of_the_vcf(tmp_path: Path, codes: str) -> None:
    """Men on X, all on Y and MT: PGEN and BED give what the VCF gives that plink2 makes of them, by any policy."""
    (tmp_path / "x.vcf").write_text(HAPLOID)
    (tmp_path / "x.psam").write_text("#IID\tSEX\nA\t1\nB\t2\nC\t1\nD\tNA\n")
    sexes = ("--psam", tmp_path / "x.psam", "--split-par", "hg38")
    plink2("--vcf", tmp_path / "x.vcf", *sexes, "--output-chr", codes, "--make-pgen", "--out", tmp_path / "p")
    plink2("--pfile", tmp_path / "p", "--output-chr", codes, "--make-bed", "--out", tmp_path / "b")
    for kind, name in (("--pfile", "p"), ("--bfile", "b")):
        more = ("--export", "vcf", "id-paste=iid", "--output-chr", codes)
        plink2(kind, tmp_path / name, *more, "--out", tmp_path / f"{name}-out")
        path = tmp_path / (f"{name}.pgen" if name == "p" else f"{name}.bed")
        for haploid, missing in itertools.product(("double", "skip"), ("major", "skip")):
            choices = {"haploid": haploid, "missing": missing, "unphased": "keep"}
            here, there = io.Policy(choices), io.Policy(choices)
            matrix = hf.read(path, policy=here)
            expected = hf.read(tmp_path / f"{name}-out.vcf", policy=there)
            assert matrix.sites == expected.sites
            for kept in ("haploid", "missing"):
                assert here.changes.get(kept) == there.changes.get(kept)
            alleles, others = (m.to_dense().reshape(4, 2, -1) for m in (matrix, expected))
            np.testing.assert_array_equal(alleles.sum(axis=1), others.sum(axis=1))
            if name == "p":
                np.testing.assert_array_equal(alleles, others)
        choices = {"missing": "major", "unphased": "keep"}
        with pytest.raises(FormatError, match=r":3000000: .* found '1' \(haploid\) for sample 'A'; --policy haploid="):
            hf.read(path, policy=choices)
        women = hf.read(path, samples=["B", "D"], region={"26": "23", "chrM": "chrX"}[codes], policy=io.Policy(choices))
        assert women.num_sites == 4


@pytest.mark.parametrize("num_persons", [1, 3, 4, 5, 37, 70, 300])
def test_every_kind_of_record(tmp_path: Path, rng: np.random.Generator, num_persons: int) -> None:
    """Against a plain Python decoder, split and with gaps filled."""
    alleles, phased, counts = random_calls(rng, 120, num_persons)
    path = write_pgen(tmp_path, alleles, phased, counts)
    records = reference.records(path.read_bytes(), counts, num_persons)
    policy = io.Policy({"multiallelic": "split", "unphased": "keep", "missing": "major"})
    matrix = hf.read(path, policy=policy)
    expected, gaps, loose = [], 0, 0
    for (calls, known), count in zip(records, counts, strict=True):
        flat = [allele for call in calls for allele in call]
        for k in range(1, count):
            common = int(sum(a == k for a in flat) > sum(a not in (k, -1) for a in flat))
            expected.append([common if a < 0 else int(a == k) for a in flat])
            gaps += sum(a < 0 for a in flat)
            loose += sum(not p and (a == k) != (b == k) for (a, b), p in zip(calls, known, strict=True) if a >= 0)
    np.testing.assert_array_equal(matrix.to_dense().T, expected)
    assert policy.changes.get("missing", {}).get("alleles", 0) == gaps
    assert policy.changes.get("unphased", {}).get("calls", 0) == loose


@pytest.mark.parametrize(
    ("at", "new", "message"),
    [
        (2, b"\x20", r"byte 0: expected 6c 1b and the storage mode 02 or 10"),
        (2, b"\x03", r"byte 0: expected 6c 1b and the storage mode 02 or 10"),
        (3, b"\x05", r"byte 3: expected 6 sites and 3 persons, as \.pvar and \.psam have, found 5 and 3"),
        (7, b"\x04", r"expected 6 sites and 3 persons, .* found 6 and 4"),
        (11, b"\x4f", r"byte 11: expected record types of 4 or 8 bits"),
        (12, b"\x00", r"byte 12: expected block 0 of records at byte 32, found at 0"),
        (20, b"\x05", r"record 0: expected a record type, found 5"),
        (20, b"\x02", r"record 0: expected a record for itself at the start of a block"),
        (21, b"\x40", r"record 1: expected hard calls only .*, found dosages"),
        (21, b"\x08", r"record 1: expected two alleles, as \.pvar has, found more"),
        (26, b"\x00", r"record 0: expected a whole record, found a shorter one"),
        (31, b"\x09", r"expected records that end at byte .*: cut, or more behind"),
    ],
)
def test_headers_that_are_refused(tmp_path: Path, at: int, new: bytes, message: str) -> None:
    dense = np.array([[0, 1, 1, 0, 1, 0]] * 3 + [[1, 0, 1, 0, 0, 1]] * 3)
    path = write_pgen(tmp_path, dense, np.ones((6, 3)), [2] * 6)
    data = bytearray(path.read_bytes())
    assert data[11] & 15 == 4  # a byte for a type, a byte for a length: types at 20, lengths at 26
    data[at : at + 1] = new
    path.write_bytes(data)
    with pytest.raises(FormatError, match=message):
        hf.read(path)


def test_tables_that_are_refused(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.pgen"
    hf.write(small_cohort, path)
    pvar, psam = (tmp_path / f"x{ending}" for ending in (".pvar", ".psam"))
    sites, persons = pvar.read_text(), psam.read_text()
    for place, text, message in (
        (pvar, sites[sites.index("\n") + 1 :], r"expected the columns|expected 5 columns|a position"),
        (pvar, sites.replace("ALT\n", "ALT\tFORMAT\n").replace("\tG\n", "\tG\tGT\n"), r"expected columns out of"),
        (pvar, sites + "3\t1\t.\tA\tC\n", r"expected 131 sites and 10 persons, .* found 130 and 10"),
        (pvar, sites + "#CHROM\tPOS\n", r"line 132: expected one header"),
        (psam, persons + "Q\tNA\tGBR\n", r"expected 130 sites and 11 persons"),
        (psam, persons.replace("P3\t", "P2\t"), r"line 5: expected each sample id \(IID\) once"),
        (psam, persons.replace("SEX", "IID"), r"line 1: expected each column once"),
    ):
        before = place.read_text()
        place.write_text(text)
        with pytest.raises(FormatError, match=message):
            hf.read(path)
        place.write_text(before)
    (tmp_path / "x.pvar.zst").write_bytes(b"")
    with pytest.raises(FormatError, match=r"expected one \.pvar beside, found x\.pvar and x\.pvar\.zst"):
        hf.read(path)
    (tmp_path / "x.pvar.zst").unlink()
    pvar.unlink()
    with pytest.raises(FormatError, match=r"expected x\.pvar beside, found none"):
        hf.read(path)


def test_what_is_lost_is_named(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    labels = {"side": ["a", "b"] * 10, "code": ["1x"] * 20, "ill": [True] * 20, "sex": ["male"] * 20, "IID": ["x"] * 20}
    matrix = hf.HaplotypeMatrix(
        small_cohort.words,
        small_cohort.sites,
        hf.Samples(20, sample_id=small_cohort.samples.sample_id, labels=labels),
    )
    with pytest.warns(UserWarning, match=r"labels \(side, code, ill, IID\): lost, PGEN has no place for it"):
        hf.write(matrix, tmp_path / "x.pgen")
    assert hf.read(tmp_path / "x.pgen").samples.labels["sex"].tolist() == ["male"] * 20


def test_what_cannot_be_written(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.pgen"
    for matrix, message in (
        (small_cohort.select_haplotypes([0, 1, 2]), "expected two haplotypes for each person to write as PGEN"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], sample_ids=["0"]), "expected sample ids other than 0"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], sample_ids=["#a"]), "expected sample ids other than 0"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], contig="#1"), "expected contigs that don't start with #"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], ref="A", alt="C,T"), "expected REF of bases and one ALT"),
        (hf.Alignment(np.eye(2, dtype=np.uint8), "ACGT").to_haplotypes(), "found aligned sequences"),
    ):
        with pytest.raises(ValueError, match=message):
            hf.write(matrix, path)
    assert list(tmp_path.iterdir()) == []


def test_without_pgenlib(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.pgen"
    hf.write(small_cohort, path)
    monkeypatch.setitem(__import__("sys").modules, "pgenlib", None)
    for call in (lambda: hf.read(path), lambda: hf.write(small_cohort, tmp_path / "y.pgen")):
        with pytest.raises(
            MissingDependencyError, match=r"needs Pgenlib, which is not installed: pip install 'hapforge"
        ):
            call()


@pytest.mark.parametrize("size", [1 << 62, 1 << 63])
def test_a_pvar_that_states_a_huge_size(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, size: int) -> None:
    """No error of the library's own, and no memory of that size."""
    hf.write(small_cohort, tmp_path / "x.pgen")
    (tmp_path / "x.pvar").unlink()
    frame = b"\x28\xb5\x2f\xfd\xe0" + size.to_bytes(8, "little") + b"\x01\x00\x00"
    (tmp_path / "x.pvar.zst").write_bytes(frame)
    with pytest.raises(FormatError, match=r"x\.pvar\.zst: expected a whole Zstandard file, found a cut or damaged one"):
        hf.read(tmp_path / "x.pgen")

"""HAP/LEGEND/SAMPLE and HAPS/SAMPLE: against plain Python, bcftools (in pysam), plink2; policies, refusals, memory."""

from __future__ import annotations

import gzip
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import cohorts
import numpy as np
import pysam.bcftools
import pytest
from hypothesis import given, settings

import hapforge as hf
from hapforge import io
from hapforge.errors import FormatError
from reference import tables

ENDINGS = (".hap", ".hap.gz", ".haps", ".haps.gz")
HAP = "0 1 1 1\n1 0 0 0\n1 1 0 1\n"
LEGEND = "id position a0 a1\n1:10_A_G 10 A G\n1:20_A_ACC 20 A ACC\n2:7 7 C T\n"
PANEL = "sample population group sex\nP1 GBR EUR 1\nP2 YRI AFR 2\n"
OXFORD = "ID_1 ID_2 missing sex age ill\n0 0 0 D C B\nF1 P1 0 1 31.5 0\nF2 P2 0 2 NA 1\n"
HAPS = "1 rs1 10 A G 0 1 1 1\n1 rs2 20 A ACC 1 0 0 0\n2 . 7 C T 1 1 0 1\n"
DENSE = [[0, 1, 1], [1, 0, 1], [1, 0, 0], [1, 0, 1]]
needs_plink2 = pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed")


def write_hap(folder: Path, hap: str = HAP, legend: str = LEGEND, sample: str | None = PANEL) -> Path:
    (folder / "x.hap").write_text(hap)
    (folder / "x.legend").write_text(legend)
    if sample is not None:
        (folder / "x.sample").write_text(sample)
    return folder / "x.hap"


def write_haps(folder: Path, haps: str | bytes = HAPS, sample: str | None = OXFORD) -> Path:
    (folder / "x.haps").write_bytes(haps if isinstance(haps, bytes) else haps.encode())
    if sample is not None:
        (folder / "x.sample").write_text(sample)
    return folder / "x.haps"


def plink2(*arguments: str | Path) -> None:
    subprocess.run(["plink2", *arguments, "--threads", "1"], check=True, capture_output=True)


def test_hap_by_hand(tmp_path: Path) -> None:
    matrix = hf.read(write_hap(tmp_path))
    assert matrix.to_dense().tolist() == DENSE
    assert matrix.sites.contig.tolist() == ["1", "1", "2"]
    assert matrix.sites.position.tolist() == [10, 20, 7]
    assert matrix.sites.id.tolist() == ["1:10_A_G", "1:20_A_ACC", "2:7"]
    assert matrix.sites.ref.tolist() == ["A", "A", "C"]
    assert matrix.sites.alt.tolist() == ["G", "ACC", "T"]
    assert matrix.samples.sample_id.tolist() == ["P1", "P1", "P2", "P2"]
    assert {name: values[::2].tolist() for name, values in matrix.samples.labels.items()} == {
        "population": ["GBR", "YRI"],
        "group": ["EUR", "AFR"],
        "sex": ["1", "2"],
    }


def test_haps_by_hand(tmp_path: Path) -> None:
    matrix = hf.read(write_haps(tmp_path))
    assert matrix.to_dense().tolist() == DENSE
    assert matrix.sites.id.tolist() == ["rs1", "rs2", "."]
    labels = matrix.samples.labels
    assert labels["sex"][::2].tolist() == ["1", "2"]
    np.testing.assert_array_equal(labels["age"][::2], [31.5, np.nan])
    assert labels["ill"][::2].tolist() == [False, True]
    assert labels["family"][::2].tolist() == ["F1", "F2"]


def test_both_dialects_go_with_both_formats(tmp_path: Path) -> None:
    for sample in (PANEL, OXFORD, PANEL.replace("sample pop", "ID POP").replace("ulation", "")):
        for write in (write_hap, write_haps):
            samples = hf.read(write(tmp_path, sample=sample)).samples
            assert samples.sample_id[::2].tolist() == ["P1", "P2"]
            assert samples.labels["sex"][::2].tolist() == ["1", "2"]


def test_without_a_file_of_persons(tmp_path: Path) -> None:
    assert hf.read(write_hap(tmp_path, sample=None)).samples.sample_id[::2].tolist() == ["sample0", "sample1"]
    assert hf.read(write_haps(tmp_path, sample=None)).samples.sample_id[::2].tolist() == ["sample0", "sample1"]


def test_spellings(tmp_path: Path) -> None:
    for text in (HAPS.replace(" ", "\t"), HAPS.replace(" ", "  "), HAPS.replace("\n", " \n")):
        assert hf.read(write_haps(tmp_path, text)).to_dense().tolist() == DENSE
    for text in (HAP.replace(" ", "\t"), HAP.replace(" ", "  ")):
        assert hf.read(write_hap(tmp_path, text)).to_dense().tolist() == DENSE
    (tmp_path / "x.hap").unlink()
    (tmp_path / "x.hap.gz").write_bytes(gzip.compress(HAP.encode()))
    (tmp_path / "x.legend").unlink()
    (tmp_path / "x.legend.gz").write_bytes(gzip.compress(LEGEND.encode()))
    (tmp_path / "x.sample").write_text(PANEL)
    assert hf.read(tmp_path / "x.hap.gz").to_dense().tolist() == DENSE


def test_what_is_which(tmp_path: Path) -> None:
    """HAP, HAPS and HAPT are told apart by content, and by name where it could be either."""
    haps, hap = write_haps(tmp_path), write_hap(tmp_path)
    hapt = tmp_path / "y.hapt"
    hapt.write_text("0 1 0 1\n1 0 1 1\n")
    assert io.format_of_content(hapt) == "hapt"
    assert [io.format_of_content(path) for path in (haps, hap)] == ["impute"] * 2
    as_hap = tmp_path / "b.hap"  # as bcftools names HAPS
    as_hap.write_text(HAPS)
    assert hf.read(as_hap).sites.id.tolist() == ["rs1", "rs2", "."]
    as_haps = tmp_path / "x.haps"  # as plink2 names HAP: there is a legend beside
    as_haps.write_text(HAP)
    assert hf.read(as_haps).to_dense().tolist() == DENSE
    unnamed = tmp_path / "z.txt"
    unnamed.write_text(HAPS)
    assert hf.read(unnamed).to_dense().tolist() == DENSE
    unnamed.write_text(HAP)
    with pytest.raises(FormatError, match=r"found nothing but values; name it \.hap \(sites in lines\) or \.hapt"):
        hf.read(unnamed)
    unnamed.write_text("G1 0 1 0 1 0 1\n")  # the values tell that these are no alleles
    assert io.format_of_content(unnamed) == "hapt"
    hap.write_text("Real a 0 1 1\nReal b 1 1 0\n")
    with pytest.raises(FormatError, match="line 1: expected two values of each person, found 5 values"):
        hf.read(hap)


def test_legend_by_name_and_without_contigs(tmp_path: Path) -> None:
    path = write_hap(tmp_path)
    (tmp_path / "x.legend").rename(tmp_path / "y")
    with pytest.raises(FormatError, match=r"expected x\.legend or \.legend\.gz beside, or named as legend, found none"):
        hf.read(path)
    assert hf.read(path, legend=tmp_path / "y").to_dense().tolist() == DENSE
    with pytest.raises(ValueError, match="legend: expected none"):
        hf.read(write_haps(tmp_path), legend=tmp_path / "y")
    (tmp_path / "y").write_text("id position a0 a1\nrs1 10 A G\nrs2 20 A C\nrs3 20 A T\n")
    with pytest.warns(UserWarning, match="no contig in the ids of the legend: taken as '1'"):
        sites = hf.read(path, legend=tmp_path / "y").sites
    assert sites.contig.tolist() == ["1"] * 3


@pytest.mark.parametrize(
    ("hap", "legend", "sample", "message"),
    [
        (HAP.replace("0 1 1 1", "0 1 1"), LEGEND, PANEL, r"line 1: expected two values of each person, found 3"),
        (HAP.replace("1 1 0 1", "1 1 0"), LEGEND, PANEL, r"site 2:7: expected 4 values, two of each person, found 3"),
        (HAP.replace("1 1 0 1", "1 1 2 1"), LEGEND, PANEL, r"site 2:7: expected values 0 and 1 .*, found '2'"),
        (HAP.replace("1 1 0 1", "1101"), LEGEND, PANEL, r"site 2:7: expected 4 values"),
        (HAP + "0 0 0 0\n", LEGEND, PANEL, r"line 4: expected 3 lines of values, found more than 3"),
        (HAP[:16], LEGEND, PANEL, r"expected 3 lines of values, as .*x\.legend has, found 2"),
        (HAP[:-1], LEGEND, PANEL, r"line 3: expected a last line that ends in a line feed, .* may be cut"),
        (HAP.replace("0 1 1 1", "0 1 1 1\r"), LEGEND, PANEL, r"line 1: expected plain lines that end in LF"),
        (HAP, LEGEND.replace("20 A ACC", "21 A ACC"), PANEL, r"line 3: expected an id that agrees"),
        (HAP, LEGEND.replace("7 C T", "7 C"), PANEL, r"line 4: expected 4 columns"),
        (HAP, LEGEND.replace("2:7 7", "rs 7"), PANEL, r"expected ids that all have the form contig:position"),
        (HAP, LEGEND.replace("20", "5"), PANEL, r"site 1:5: expected positions that don't decrease"),
        (HAP, LEGEND.replace("id pos", "rs pos"), PANEL, r"line 1: expected a header 'id position a0 a1'"),
        (HAP, LEGEND, PANEL.replace("P2", "P1"), r"line 3: expected each sample id once, found 'P1' again"),
        (HAP, LEGEND, PANEL + "P3 A B 1\n", r"expected 2 persons, as .*x\.hap has, found 3"),
        (HAP, LEGEND, PANEL.replace(" AFR", ""), r"line 3: expected 4 columns, as the header has, found 3"),
        (HAP, LEGEND, PANEL.replace("sample", "name"), r"expected a header 'ID_1 ID_2 missing"),
        (HAP, LEGEND, OXFORD.replace("0 0 0 D", "0 1 0 D"), r"line 2: expected a second line of types"),
        (HAP, LEGEND, OXFORD.replace("31.5", "old"), r"expected numbers in column 'age' of type C"),
        (HAP, LEGEND, OXFORD.replace("ill", "sex"), r"line 1: expected each column once"),
    ],
)
def test_files_that_are_refused(tmp_path: Path, hap: str, legend: str, sample: str, message: str) -> None:
    path = write_hap(tmp_path)
    (tmp_path / "x.hap").write_bytes(hap.encode())
    (tmp_path / "x.legend").write_text(legend)
    (tmp_path / "x.sample").write_text(sample)
    with pytest.raises(FormatError, match=message) as error:
        hf.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("haps", "message"),
    [
        (HAPS.replace("20 A", "2x A"), r"line 2: expected a position, found '2x'"),
        (HAPS.replace("1 rs2 20 A ACC", "rs2 20 A"), r"line 2: expected a position, found 'A'"),
        (HAPS.replace(" 1 0 0 0", ""), r"line 2: expected CONTIG ID POSITION A0 A1 0 1"),
        (HAPS.replace("A G", "A <DEL>"), r"site 1:10: expected an ALT allele of bases, found '<DEL>' \(symbolic\)"),
        (HAPS + HAPS[HAPS.index("2 .") :], r"site 2:7: expected each \(position, REF, ALT\) once"),
        (HAPS.replace("A ACC", "A\x01 ACC"), r"line 2: expected text, found the control character"),
        ("\ufeff" + HAPS, r"line 1: expected plain lines that end in LF, found a byte-order mark"),
        (HAPS.replace("rs1 10", "rs1\n 10"), r"line 1: expected"),
        (HAPS.replace("1 1 1\n", "- 1 1\n").replace("0 - ", "- 0 "), r"'-' in the second place of a person only"),
    ],
)
def test_haps_that_are_refused(tmp_path: Path, haps: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        hf.read(write_haps(tmp_path, haps))


def test_text_that_a_policy_accepts(tmp_path: Path) -> None:
    path = write_haps(tmp_path, ("\ufeff" + HAPS.replace("\n", "\r\n") + "\r\n\n").encode())
    policy = io.Policy({"text": "accept"})
    assert hf.read(path, policy=policy).to_dense().tolist() == DENSE
    assert policy.changes == {"text": {"lines": 7}}
    path.write_bytes(HAPS.replace("\n2", "\n\n2").encode())
    with pytest.raises(FormatError, match="line 3: expected CONTIG"):
        hf.read(path, policy=policy)


ODD = "##fileformat=VCFv4.2\n##contig=<ID=1>\n" + '##FORMAT=<ID=GT,Number=1,Type=String,Description="G">\n'
ODD += "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\ta\tb\tc\n"
ODD += "1\t10\t.\tA\tC\t.\t.\t.\tGT\t0|1\t1\t0/1\n1\t20\t.\tG\tC\t.\t.\t.\tGT\t1|1\t./.\t1|0\n"
ODD += "1\t30\t.\tG\tC\t.\t.\t.\tGT\t1|0\t0|1\t1|0\n"


@pytest.mark.parametrize("kind", ["hapsample", "haplegendsample"])
def test_odd_calls_as_bcftools_writes_them(tmp_path: Path, kind: str) -> None:
    """Missing, haploid and unphased calls: the same matrix as from the VCF under the same policy."""
    (tmp_path / "x.vcf").write_text(ODD)
    pysam.bcftools.convert(f"--{kind}", str(tmp_path / "b"), str(tmp_path / "x.vcf"), catch_stdout=False)
    path = tmp_path / "b.hap.gz"
    with pytest.raises(FormatError, match=r"site 1:10: .* found '1' \(haploid\) for sample 'b'; --policy haploid="):
        hf.read(path)
    for choices in (
        {"haploid": "double", "missing": "major", "unphased": "keep"},
        {"haploid": "double", "missing": "skip", "unphased": "keep"},
        {"haploid": "skip", "missing": "major"},
        {"haploid": "double", "missing": "major", "unphased": "skip"},
    ):
        here, there = io.Policy(choices), io.Policy(choices)
        matrix, expected = hf.read(path, policy=here), hf.read(tmp_path / "x.vcf", policy=there)
        cohorts.assert_same(matrix, expected, site_ids=False, labels=False)
        assert here.changes == there.changes


@pytest.mark.parametrize("name", ["x.hap", "x.haps"])
def test_men_with_one_value(tmp_path: Path, name: str) -> None:
    """As if their second value were "-"; that takes the sex of all."""
    (tmp_path / "x.legend").write_text("id position a0 a1\nX:5 5 A C\nX:7 7 A G\n")
    front = ["X rs1 5 A C ", "X rs2 7 A G "] if name == "x.haps" else ["", ""]
    sample = "sample population group sex\na p g M\nb p g F\nc p g M\nd p g F\n"
    (tmp_path / "x.sample").write_text(sample)
    made = []
    for lines in (["0 - 1 0 1 - 0 1", "1 - 1 0 ? - 1 1"], ["0 1 0 1 0 1", "1 1 0 ? 1 1"]):
        (tmp_path / name).write_text("".join(f"{a}{b}\n" for a, b in zip(front, lines, strict=True)))
        with pytest.raises(FormatError, match=r"X:5: .* found '0' \(haploid\) for sample 'a'; --policy haploid="):
            hf.read(tmp_path / name)
        policy = io.Policy({"haploid": "double", "missing": "major"})
        made.append((hf.read(tmp_path / name, policy=policy), policy.changes))
    cohorts.assert_same(made[0][0], made[1][0])
    assert made[0][1] == made[1][1] == {"haploid": {"calls": 3, "sites": 2}, "missing": {"alleles": 2, "sites": 1}}
    assert made[0][0].to_dense().T.tolist() == [[0, 0, 1, 0, 1, 1, 0, 1], [1, 1, 1, 0, 1, 1, 1, 1]]
    (tmp_path / name).write_text((tmp_path / name).read_text().replace("? 1 1", "? 1 1 1"))
    with pytest.raises(FormatError, match="X:7: expected 6 values, one of each man and two of all others, found 7"):
        hf.read(tmp_path / name, policy=policy)
    for other in (sample.replace("M", "F"), sample.replace("M", "0").replace("F", "1")):  # 1 may be women: not guessed
        (tmp_path / "x.sample").write_text(other)
        with pytest.raises(FormatError, match=r"x\.sample: expected 3 persons, as .* has, found 4"):
            hf.read(tmp_path / name, policy=policy)


# -------------------------------------------------------------------------------------------------------- writing


@settings(max_examples=12, deadline=None)
@given(cohorts.cohorts(diploid=True))
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    sites = matrix.sites
    known = hf.Sites(
        sites.position,
        contig=sites.contig,
        id=sites.id,
        ref=np.where(sites.alt == ".", ".", "A"),
        alt=sites.alt,
    )
    labels = {"population": ["GBR", "YRI"], "age": [30, 40], "score": [0.5, np.nan], "sick": [True, False]}
    n = matrix.num_haplotypes
    person = np.arange(n) // 2 % 2
    samples = hf.Samples(
        n, sample_id=matrix.samples.sample_id, labels={k: np.array(v)[person] for k, v in labels.items()}
    )
    matrix = hf.HaplotypeMatrix(matrix.words, known, samples)
    as_text = {name: [str(value) for value in values.tolist()] for name, values in samples.labels.items()}
    panel = hf.HaplotypeMatrix(matrix.words, known, hf.Samples(n, sample_id=samples.sample_id, labels=as_text))
    with tempfile.TemporaryDirectory() as folder:
        for ending in ENDINGS:
            path = Path(folder) / f"x{ending}"
            hf.write(matrix, path)
            back = hf.read(path)
            cohorts.assert_same(back, matrix if "haps" in ending else panel)
            name = ending.split(".")[1]
            if not ending.endswith(".gz"):
                _, ids, values = getattr(tables, name)(Path(folder), "x")
                np.testing.assert_array_equal(np.array(values).T, matrix.to_dense())
                assert ids == samples.sample_id[::2].tolist()
            for file in Path(folder).iterdir():
                file.unlink()


@pytest.mark.parametrize("ending", ENDINGS)
def test_written_files_against_bcftools(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, ending: str) -> None:
    ids = [f"1:{100 * j}_A_G" for j in range(1, 71)]
    sites = hf.Sites(np.arange(1, 71) * 100, id=ids, ref="A", alt="G")
    first = small_cohort.select_sites(np.arange(70))
    first = hf.HaplotypeMatrix(first.words, sites, first.samples)
    path = tmp_path / f"x{ending}"
    hf.write(first, path)
    if "haps" in ending:
        # bcftools takes the contig from ids of the form contig:position_REF_ALT, as legends have them anyway
        option, files = "--hapsample2vcf", f"{path},{tmp_path / 'x.sample'}"
    else:
        legend = tmp_path / ("x.legend.gz" if ending.endswith("gz") else "x.legend")
        option, files = "--haplegendsample2vcf", f"{path},{legend},{tmp_path / 'x.sample'}"
    pysam.bcftools.convert(option, files, "-o", str(tmp_path / "b.vcf"), catch_stdout=False)
    back = hf.read(tmp_path / "b.vcf")
    np.testing.assert_array_equal(back.words, first.words)
    np.testing.assert_array_equal(back.sites.position, first.sites.position)
    np.testing.assert_array_equal(back.samples.sample_id, first.samples.sample_id)


@needs_plink2
@pytest.mark.parametrize("ending", ENDINGS)
def test_written_files_against_plink2(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, ending: str) -> None:
    first = small_cohort.select_sites(np.arange(70))
    path = tmp_path / f"x{ending}"
    hf.write(first, path)
    if "haps" in ending:
        given = ["--haps", path, "ref-first", "--sample", tmp_path / "x.sample"]
    else:
        legend = tmp_path / ("x.legend.gz" if ending.endswith("gz") else "x.legend")
        given = ["--haps", path, "ref-first", "--legend", legend, "1"]
    plink2(*given, "--export", "vcf", "id-paste=iid", "--out", tmp_path / "p")
    back = hf.read(tmp_path / "p.vcf")
    np.testing.assert_array_equal(back.words, first.words)
    for name in ("position", "contig", "ref", "alt"):
        np.testing.assert_array_equal(getattr(back.sites, name), getattr(first.sites, name))
    if "haps" in ending:
        np.testing.assert_array_equal(back.samples.sample_id, first.samples.sample_id)
        np.testing.assert_array_equal(back.sites.id, first.sites.id)


@needs_plink2
def test_files_that_plink2_writes(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.write(small_cohort, tmp_path / "x.pgen")
    plink2("--pfile", tmp_path / "x", "--export", "haps", "ref-first", "--out", tmp_path / "p")
    cohorts.assert_same(hf.read(tmp_path / "p.haps"), small_cohort, labels=False)
    plink2("--pfile", tmp_path / "x", "--export", "haps", "--out", tmp_path / "q")  # ALT first: both are swapped
    swapped = hf.read(tmp_path / "q.haps")
    np.testing.assert_array_equal(swapped.to_dense(), 1 - small_cohort.to_dense())
    np.testing.assert_array_equal(swapped.sites.ref, small_cohort.sites.alt)
    turned = hf.intersect([small_cohort, swapped])[1]
    np.testing.assert_array_equal(turned.to_dense(), small_cohort.to_dense())
    only = ["--chr", "1", "--export", "hapslegend", "ref-first"]
    plink2("--pfile", tmp_path / "x", *only, "--out", tmp_path / "r")
    with pytest.warns(UserWarning, match="no contig"):
        back = hf.read(tmp_path / "r.haps")
    cohorts.assert_same(back, small_cohort.select_sites(np.arange(70)), labels=False)


def test_real_data(shared_data: Path, tmp_path: Path) -> None:
    matrix = hf.read(shared_data / "eur_chr20_ref300.npz")
    for ending in (".hap.gz", ".haps"):
        hf.write(matrix, tmp_path / f"x{ending}")
        cohorts.assert_same(hf.read(tmp_path / f"x{ending}"), matrix)
        part = hf.read(tmp_path / f"x{ending}", "20:2000000-2500000", ["HG00097", "NA06986"], maf=0.3)
        expected = hf.read(
            shared_data / "eur_chr20_ref300.vcf.gz", "20:2000000-2500000", ["HG00097", "NA06986"], maf=0.3
        )
        cohorts.assert_same(part, expected, labels=False)


def test_what_is_lost_is_named(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    samples = hf.Samples(
        20,
        sample_id=small_cohort.samples.sample_id,
        haplotype_id=[f"h{i}" for i in range(20)],
        labels={"side": ["a", "b"] * 10, "note": ["a b"] * 20, "population": ["GBR"] * 20},
        phased=np.arange(10) > 0,
    )
    matrix = hf.HaplotypeMatrix(small_cohort.words, hf.Sites(num_sites=130), samples)
    message = (
        r"labels \(side, note\) and haplotype ids and that positions are only a count and that persons are not phased: "
        r"lost, HAPS has no place for it"
    )
    with pytest.warns(UserWarning, match=message):
        hf.write(matrix, tmp_path / "x.haps")
    back = hf.read(tmp_path / "x.haps")
    assert list(back.samples.labels) == ["population"]
    np.testing.assert_array_equal(back.words, matrix.words)


@pytest.mark.parametrize(
    ("ending", "lost", "kept"),
    [
        (".hap", ["Sex", "sample", "Age"], ["age", "ID_1", "missing", "family"]),
        (".haps", ["ID_1", "missing", "Age"], ["Sex", "sample", "age", "family"]),
    ],
)
def test_labels_that_are_called_as_other_columns(tmp_path: Path, ending: str, lost: list[str], kept: list[str]) -> None:
    names = ["Sex", "sample", "age", "Age", "ID_1", "missing", "family"]
    matrix = hf.HaplotypeMatrix.from_dense(np.eye(4, dtype=np.uint8), labels={name: [name, "x"] for name in names})
    matrix = hf.HaplotypeMatrix(matrix.words, hf.Sites([1, 2, 3, 4]), matrix.samples)
    with pytest.warns(UserWarning, match=rf"labels \({', '.join(n for n in names if n in lost)}\): lost"):
        hf.write(matrix, tmp_path / f"x{ending}")
    labels = hf.read(tmp_path / f"x{ending}").samples.labels
    assert sorted(labels) == sorted(kept)
    for name in kept:
        assert labels[name][::2].tolist() == [name, "x"]


def test_what_cannot_be_written(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.haps"
    for matrix, message in (
        (small_cohort.select_haplotypes([0, 1, 2]), "expected two haplotypes for each person to write as HAPS"),
        (small_cohort.select_haplotypes([0, 2, 1, 3]), "expected rows 2i and 2i \\+ 1 to be one person"),
        (small_cohort.select_sites([]), "expected at least one haplotype and one site"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], sample_ids=["a b"]), "expected sample ids without spaces"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], positions=[2**31]), r"expected positions below 2\^31"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], ref="-", alt="C"), "expected REF of bases and one ALT"),
        (hf.HaplotypeMatrix.from_dense([[0], [1]], ref="A", alt="C,T"), "expected REF of bases and one ALT"),
    ):
        with pytest.raises(ValueError, match=message):
            hf.write(matrix, path)
    with pytest.raises(ValueError, match="expected contigs without colons"):
        hf.write(hf.HaplotypeMatrix.from_dense([[0], [1]], contig="a:b"), tmp_path / "x.hap")
    with pytest.raises(ValueError, match="found aligned sequences"):
        hf.write(hf.Alignment(np.eye(2, dtype=np.uint8), "ACGT").to_haplotypes(), path)
    assert list(tmp_path.iterdir()) == []


def test_old_companions_go(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    for name in ("x.legend", "x.samples"):
        (tmp_path / name).write_text("old")
    hf.write(small_cohort, tmp_path / "x.hap.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.hap.gz", "x.legend.gz", "x.sample"]
    (tmp_path / "x.samples").write_text(PANEL)
    with pytest.raises(FormatError, match=r"expected one file of persons beside, found x\.sample and x\.samples"):
        hf.read(tmp_path / "x.hap.gz")


@pytest.mark.parametrize("ending", [".hap", ".pgen"])
def test_memory(tmp_path: Path, ending: str) -> None:
    """Reading takes at most twice the packed size and a chunk, writing a chunk: each in a process of its own."""
    words = np.zeros((8000, 200), np.uint64)  # 12.8 MB packed, 102 MB as int8
    words[:, ::7] = np.random.default_rng(5).integers(0, 2**63, (8000, 29), dtype=np.uint64)
    matrix = hf.HaplotypeMatrix(words, hf.Sites(np.arange(1, 12801)))
    hf.write(matrix, tmp_path / "big.npz")
    small = hf.HaplotypeMatrix.from_dense([[0, 1], [1, 1]], positions=[1, 2])
    hf.write(small, tmp_path / "small.npz")
    big, little = tmp_path / f"big{ending}", tmp_path / f"little{ending}"
    code = (
        f"import sys, hapforge as hf\n{cohorts.MOST_MEMORY}\n"
        "small, big = (hf.read(path) for path in sys.argv[1:3])\n"
        "hf.write(small, sys.argv[3])\n"
        "before = most()\n"
        "hf.write(big, sys.argv[4])\n"
        "print(most() - before)"
    )
    files = [tmp_path / "small.npz", tmp_path / "big.npz", little, big]
    result = subprocess.run([sys.executable, "-c", code, *files], capture_output=True, text=True, check=True)
    assert int(result.stdout) * 1024 < 64 << 20
    code = (
        f"import sys, hapforge as hf\n{cohorts.MOST_MEMORY}\n"
        "hf.read(sys.argv[1])\n"
        "before = most()\n"
        "hf.read(sys.argv[2])\n"
        "print(most() - before)"
    )
    result = subprocess.run([sys.executable, "-c", code, little, big], capture_output=True, text=True, check=True)
    assert words.nbytes < int(result.stdout) * 1024 < 2 * words.nbytes + (40 << 20)


def test_progress_adds_up(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    for ending in (*ENDINGS, ".pgen"):
        path = tmp_path / f"x{ending}"
        written: list[int] = []
        hf.write(small_cohort, path, progress=written.append)
        assert sum(written) == small_cohort.num_sites
        taken: list[int] = []
        hf.read(path, progress=taken.append)
        assert sum(taken) == path.stat().st_size

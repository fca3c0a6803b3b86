"""VCF, VCF.gz and BCF: against bcftools (in pysam), plink2 and cyvcf2, refusals, truncation, memory."""

from __future__ import annotations

import gzip
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import cohorts
import numpy as np
import pysam
import pysam.bcftools
import pytest
from hypothesis import given, settings

import hapforge as hf
from hapforge.errors import FormatError
from hapforge.io import bgzf

ENDINGS = (".vcf", ".vcf.gz", ".bcf")
HEADER = """##fileformat=VCFv4.2
##contig=<ID=1>
##contig=<ID=2>
##INFO=<ID=DP,Number=1,Type=Integer,Description="d">
##FORMAT=<ID=GT,Number=1,Type=String,Description="g">
##FORMAT=<ID=DS,Number=1,Type=Float,Description="d">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\tC
"""
LINES = [
    "1\t10\trs1\tA\tG\t.\tPASS\tDP=3\tGT\t0|1\t1|1\t0|0",
    "1\t20\t.\tAC\tG\t5\t.\t.\tGT:DS\t1|0:0.5\t0|0:0.1\t1|1:2",
    "2\t5\trs3\tT\tTA\t.\t.\t.\tGT\t0|0\t0|1\t1|0",
]


def vcf_text(*lines: str) -> str:
    return HEADER + "\n".join(lines or LINES) + "\n"


def as_bcf(text: str, folder: Path) -> Path:
    """The same as BCF, through bcftools."""
    source, target = folder / "in.vcf", folder / "in.bcf"
    source.write_text(text)
    pysam.bcftools.view("-Ob", "-o", str(target), str(source), catch_stdout=False)
    return target


def three_forms(text: str, folder: Path) -> list[Path]:
    plain, packed = folder / "t.vcf", folder / "t.vcf.gz"
    plain.write_text(text)
    packed.write_bytes(gzip.compress(text.encode()))
    return [plain, packed, as_bcf(text, folder)]


# ------------------------------------------------------------------------------------------------------- reading


def test_records_of_every_form(tmp_path: Path) -> None:
    for path in three_forms(vcf_text(), tmp_path):
        matrix = hf.read(path)
        np.testing.assert_array_equal(
            matrix.to_dense(), np.array([[0, 1, 0], [1, 0, 0], [1, 0, 0], [1, 0, 1], [0, 1, 1], [0, 1, 0]])
        )
        assert matrix.sites.contig.tolist() == ["1", "1", "2"]
        assert matrix.sites.position.tolist() == [10, 20, 5]
        assert matrix.sites.id.tolist() == ["rs1", ".", "rs3"]
        assert matrix.sites.ref.tolist() == ["A", "AC", "T"]
        assert matrix.sites.alt.tolist() == ["G", "G", "TA"]
        assert matrix.samples.sample_id.tolist() == ["A", "A", "B", "B", "C", "C"]
        assert matrix.samples.haplotype_id.tolist() == ["A_A", "A_B", "B_A", "B_B", "C_A", "C_B"]
        assert matrix.samples.phased.all()


def test_real_chr20_has_the_bits_of_its_npz(shared_data: Path) -> None:
    matrix = hf.read(shared_data / "eur_chr20_ref300.vcf.gz")
    stored = np.load(shared_data / "eur_chr20_ref300.npz", allow_pickle=False)
    dense = np.unpackbits(stored["packed"], axis=1)[:, : stored["shape"][1]]
    np.testing.assert_array_equal(matrix.to_dense(), dense)
    np.testing.assert_array_equal(matrix.sites.position, stored["pos"])
    assert matrix.sites.ref.tolist() == stored["a0"].tolist()
    assert matrix.sites.alt.tolist() == stored["a1"].tolist()
    assert matrix.sites.id.tolist() == stored["snp_id"].tolist()
    assert matrix.samples.haplotype_id.tolist() == stored["hap_id"].tolist()


def test_real_apoe_against_cyvcf2(shared_data: Path) -> None:
    cyvcf2 = pytest.importorskip("cyvcf2")
    path = shared_data / "apoe_8x2504.vcf.gz"
    calls = np.array([v.genotype.array()[:, :2].reshape(-1) for v in cyvcf2.VCF(str(path))])
    matrix = hf.read(path)
    assert matrix.shape == (5008, 8)
    np.testing.assert_array_equal(matrix.to_dense(), calls.T)


def test_real_messy_file_is_refused(shared_data: Path, tmp_path: Path) -> None:
    path = shared_data / "ceu_chr4_95samples_messy.vcf.gz"
    with pytest.raises(FormatError, match=r"line 1: expected ##fileformat=VCFv4\.x"):
        hf.read(path)
    mended = tmp_path / "mended.vcf"
    mended.write_bytes(b"##fileformat=VCFv4.1\n" + gzip.decompress(path.read_bytes()))
    with pytest.raises(FormatError, match=r"site 4:\d+: expected .*(multi-allelic|symbolic|again)"):
        hf.read(mended)


def test_selection_while_reading(tmp_path: Path, rng: np.random.Generator) -> None:
    dense = (rng.random((40, 9000)) < rng.random(9000) ** 3).astype(np.uint8)  # more sites than are transposed at once
    position = np.arange(1, 9001) * 7
    whole = hf.HaplotypeMatrix.from_dense(dense, positions=position, contig="3", ref="A", alt="G")
    for ending in ENDINGS:
        path = tmp_path / f"x{ending}"
        hf.write(whole, path)
        part = hf.read(path, "3:700-35,007", ["sample3", "sample11"], maf=0.25)
        rows = [6, 7, 22, 23]
        inside = np.flatnonzero((position >= 700) & (position <= 35007))
        counts = dense[rows][:, inside].sum(axis=0)
        kept = inside[np.minimum(counts, 4 - counts) >= 1]
        assert 0 < len(kept) < len(inside)
        np.testing.assert_array_equal(part.to_dense(), dense[rows][:, kept])
        np.testing.assert_array_equal(part.sites.position, position[kept])
        assert part.samples.sample_id.tolist() == ["sample3", "sample3", "sample11", "sample11"]


def test_empty_selections_are_refused(tmp_path: Path) -> None:
    for path in three_forms(vcf_text(), tmp_path):
        with pytest.raises(FormatError, match="at least one site in 1:11-19, found none"):
            hf.read(path, "1:11-19")
        with pytest.raises(FormatError, match="expected a site on contig '3', found contigs 1, 2"):
            hf.read(path, "3")
        with pytest.raises(FormatError, match="expected sample 'X'"):
            hf.read(path, samples=["A", "X"])
        with pytest.raises(FormatError, match=r"at least one site in 1 with a minor allele frequency of 0\.3"):
            hf.read(path, samples=["C"], region="1", maf=0.3)


def test_progress_adds_up_to_the_size(tmp_path: Path, rng: np.random.Generator) -> None:
    matrix = hf.HaplotypeMatrix.from_dense(rng.integers(0, 2, (200, 20000), dtype=np.uint8))
    for ending in ENDINGS:
        path, read, written = tmp_path / f"x{ending}", [], []
        hf.write(matrix, path, progress=written.append)
        hf.read(path, progress=read.append)
        assert sum(written) == 20000
        assert sum(read) + len(bgzf.EOF_BLOCK) >= path.stat().st_size >= sum(read)
        assert len(read) > 1
        assert len(written) > 1


def test_wide_integers_in_bcf(tmp_path: Path) -> None:
    """GT of 16 bits, as a writer may choose."""
    path = as_bcf(vcf_text(LINES[0]), tmp_path)
    data = bytearray(gzip.decompress(path.read_bytes()))
    found = re.search(rb"\x21[\x02\x03]\x05[\x04\x05]\x05[\x02\x03]\x03", data)
    assert found
    at = found.start()
    wide = b"\x22" + b"".join(bytes((v, 0)) for v in data[at + 1 : at + 7])
    start = 9 + int.from_bytes(data[5:9], "little")
    data[start + 4 : start + 8] = (int.from_bytes(data[start + 4 : start + 8], "little") + 6).to_bytes(4, "little")
    changed = tmp_path / "wide.bcf"
    changed.write_bytes(bytes(data[:at]) + wide + bytes(data[at + 7 :]))
    np.testing.assert_array_equal(hf.read(changed).to_dense()[:, 0], [0, 1, 1, 1, 0, 0])


def test_bcf_header_without_numbers(tmp_path: Path) -> None:
    """Dictionaries are then numbered in the order of the lines, PASS first."""
    data = gzip.decompress(as_bcf(vcf_text(), tmp_path).read_bytes())
    size = int.from_bytes(data[5:9], "little")
    text = re.sub(rb",IDX=\d+", b"", data[9 : 9 + size])
    assert len(text) < size
    path = tmp_path / "unnumbered.bcf"
    path.write_bytes(data[:5] + len(text).to_bytes(4, "little") + text + data[9 + size :])
    cohorts.assert_same(hf.read(path), hf.read(tmp_path / "in.vcf"))


def test_long_texts_in_bcf(tmp_path: Path) -> None:
    long = "ACGT" * 10000
    lines = [
        f"1\t5\t{'r' * 300}\tA\t{long}\t.\t.\t.\tGT\t0|1\t1|0\t0|0",
        "1\t6\tfifteenletters_\tC\tG\t.\t.\t.\tGT\t0|1\t1|0\t0|0",
    ]
    for path in three_forms(vcf_text(*lines), tmp_path):
        matrix = hf.read(path)
        assert matrix.sites.alt.tolist() == [long, "G"]
        assert matrix.sites.id.tolist() == ["r" * 300, "fifteenletters_"]
        again = tmp_path / "again.bcf"
        hf.write(matrix, again)
        cohorts.assert_same(hf.read(again), matrix)


# ------------------------------------------------------------------------------------------------------- refusals

CALLS = [
    ("0/1", r"phased diploid calls .*phase the file first.* found '0/1' \(not phased\) for sample 'B'"),
    ("0/0", r"phased diploid calls .* found '0/0' \(not phased\) for sample 'B'"),
    (".|.", r"without missing alleles .* found '\.\|\.' \(missing\) for sample 'B'"),
    ("./.", r"found '\./\.' \(missing\) for sample 'B'"),
    ("0|.", r"found '0\|\.' \(half missing\) for sample 'B'"),
    ("1", r"found '1' \(haploid\) for sample 'B'"),
    ("0|1|1", r"found '0\|1\|1' \(more than two alleles\) for sample 'B'"),
    ("0|2", r"found '0\|2' \(there is one ALT allele\) for sample 'B'"),
]


@pytest.mark.parametrize(("call", "message"), CALLS, ids=[call for call, _ in CALLS])
@pytest.mark.parametrize("keys", ["GT", "GT:DS"])
def test_calls_that_are_refused(tmp_path: Path, call: str, message: str, keys: str) -> None:
    values = [c if keys == "GT" else f"{c}:1" for c in ("0|1", call, "0|0")]
    line = "\t".join(["1", "15", ".", "A", "G", ".", ".", ".", keys, *values])
    for path in three_forms(vcf_text(LINES[0], line, LINES[2]), tmp_path):
        with pytest.raises(FormatError, match=f"{re.escape(path.name)}, site 1:15: expected .*{message}") as error:
            hf.read(path)
        assert "\n" not in str(error.value)


RECORDS = [
    (("15", ".", "A", "G,T"), r"site 1:15: expected one ALT allele.* found G,T \(multi-allelic\)"),
    (("15", ".", "A", "<DEL>"), r"site 1:15: expected an ALT allele of bases, found '<DEL>' \(symbolic\)"),
    (("15", ".", "A", "*"), r"site 1:15: .* found '\*' \(symbolic\)"),
    (("15", ".", "A", "G]2:5]"), r"site 1:15: .* found 'G\]2:5\]' \(symbolic\)"),
    (("15", ".", "A", "."), r"site 1:15: .* found '\.' \(missing\)"),
    (("15", ".", "A", "<ALT>"), r"site 1:15: .* found '<ALT>' \(symbolic\)"),
    (("9", ".", "A", "G"), r"site 1:9: expected positions that don't decrease, found 9 after 10"),
    (("10", "x", "A", "G"), r"site 1:10: expected each \(position, REF, ALT\) once, found A>G again"),
]


@pytest.mark.parametrize(("fields", "message"), RECORDS, ids=[fields[-1] for fields, _ in RECORDS])
def test_records_that_are_refused(tmp_path: Path, fields: tuple[str, ...], message: str) -> None:
    line = "\t".join(["1", *fields, ".", ".", ".", "GT", "0|0", "0|0", "0|0"])
    for path in three_forms(vcf_text(LINES[0], line, LINES[2]), tmp_path):
        with pytest.raises(FormatError, match=message) as error:
            hf.read(path)
        assert "\n" not in str(error.value)


def test_a_record_without_genotypes_is_refused(tmp_path: Path) -> None:
    line = "1\t15\t.\tA\tG\t.\t.\t.\tDS\t1\t1\t1"
    for path in three_forms(vcf_text(LINES[0], line), tmp_path):
        with pytest.raises(FormatError, match=r"site 1:15: expected genotypes \(FORMAT"):
            hf.read(path)


def test_same_position_with_other_alleles_is_read(tmp_path: Path) -> None:
    for path in three_forms(vcf_text(LINES[0], LINES[0].replace("\tG\t", "\tT\t"), LINES[2]), tmp_path):
        assert hf.read(path).sites.position.tolist() == [10, 10, 5]


def test_a_contig_in_two_blocks_is_refused(tmp_path: Path) -> None:
    late = LINES[1].replace("1\t20", "1\t30")
    for path in three_forms(vcf_text(LINES[0], LINES[2], late), tmp_path):
        with pytest.raises(
            FormatError, match="site 1:30: expected the sites of contig 1 in one block, found more behind 2"
        ):
            hf.read(path)


SHORT = "expected 12 columns, as the header has, found 11"
TEXTS = [
    (vcf_text().replace("\tC\n", "\n", 1), r"expected 11 columns, as the header has, found 12"),
    (vcf_text().replace("\tC\n", "\tC\tD\n", 1), r"expected 13 columns, as the header has, found 12"),
    (vcf_text().replace("\tGT\t0|1\t1|1", "\tGT\t0|1", 1), "site 1:10: " + SHORT),
    (vcf_text().replace("0|1\t1|1\t0|0", "0|1\t1|1|0|0", 1), "site 1:10: " + SHORT),
    (vcf_text().replace("GT:DS\t1|0:0.5\t", "GT:DS\t", 1), "site 1:20: " + SHORT),
    (vcf_text()[:-1], r"expected a last line that ends in a line feed, found none: the file is cut"),
    (vcf_text()[:-3], r"expected a last line that ends in a line feed"),
    (vcf_text().replace("\tB\tC", "\tB\tB"), r"line 7: expected each sample name once, found 'B' twice"),
    (vcf_text().replace("\tB\tC", "\t\tC"), r"line 7: expected each sample name once, found an empty one in column 11"),
    (vcf_text().replace("\tFORMAT\tA\tB\tC", ""), r"line 7: expected at least one sample, found none"),
    (vcf_text().replace("\tA\tB\tC", ""), r"line 7: expected at least one sample, found none"),
    (HEADER, r"expected at least one site, found none"),
    (HEADER[:60], r"a header that ends in a line feed, found none: the file is cut"),
    (HEADER.replace("#CHROM\tPOS", "#CHROM POS") , r"line 7: expected the column names"),
    (vcf_text().replace("\n", "\r\n"), r"line 1: expected lines that end in LF, found CR LF"),
    (vcf_text().replace("1\t10\t", "1\tten\t"), r"expected a position, found 'ten'"),
    (vcf_text().replace("1\t10\t", "1\t1_0\t"), r"expected a position, found '1_0'"),
    (vcf_text().replace("1\t10\t", "1\t+10\t"), r"expected a position, found '\+10'"),
    (vcf_text().replace("1\t10\t", "1\t99999999999999999999\t"), r"expected a position, found '99999999999999999999'"),
    (vcf_text().replace("1\t10\t", "1\t0\t"), r"site 1:0: expected a position of 1 or more"),
    (vcf_text(LINES[0], "1\t20\trs2\tA"), r"after site 1:10: expected 12 columns, as the header has, found 4"),
    (vcf_text(LINES[0], "", LINES[1]), r"after site 1:10: expected 12 columns, .* found an empty line between records"),
    ("##fileformat=VCFv3.3\n" + vcf_text(), r"line 1: expected ##fileformat=VCFv4\.x, found '##fileformat=VCFv3\.3'"),
    (vcf_text().replace("\trs1\t", "\trs\xff\t"), r"expected UTF-8 text"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), TEXTS, ids=range(len(TEXTS)))
def test_text_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    for name, data in (("t.vcf", text.encode("latin-1")), ("t.vcf.gz", gzip.compress(text.encode("latin-1")))):
        path = tmp_path / name
        path.write_bytes(data)
        with pytest.raises(FormatError, match=message) as error:
            hf.read(path)
        assert str(path) in str(error.value)
        assert "\n" not in str(error.value)


def test_a_refused_file_leaves_no_thread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the error is still held: what is left to the garbage collector may be ended anywhere, in a lock too."""
    monkeypatch.setenv("HAPFORGE_THREADS", "2")
    path = as_bcf(vcf_text("1\t10\t.\tA\tG\t.\t.\t.\tGT\t0|1\t0/1\t0|0"), tmp_path)
    before = set(threading.enumerate())
    with pytest.raises(FormatError, match="not phased") as error:
        hf.read(path)
    assert set(threading.enumerate()) <= before
    assert error.tb is not None


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same cohort in every form; several BGZF blocks."""
    folder = tmp_path_factory.mktemp("large")
    dense = np.random.default_rng(3).integers(0, 2, (100, 3000), dtype=np.uint8)
    matrix = hf.HaplotypeMatrix.from_dense(dense, positions=np.arange(1, 3001), ref="A", alt="C")
    for ending in ENDINGS:
        hf.write(matrix, folder / f"x{ending}")
    (folder / "plain.vcf.gz").write_bytes(gzip.compress((folder / "x.vcf").read_bytes()))
    (folder / "raw.bcf").write_bytes(gzip.decompress((folder / "x.bcf").read_bytes()))
    return {path.name: path for path in folder.iterdir() if path.suffix in (".vcf", ".gz", ".bcf")}


@pytest.fixture(params=["isal", "zlib"])
def inflated_by(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Reading with isal and as if that were not installed."""
    if request.param == "isal":
        pytest.importorskip("isal")
    else:
        monkeypatch.setitem(sys.modules, "isal", None)
    bgzf._reader.cache_clear()
    assert (bgzf._reader()[0] is gzip.GzipFile) == (request.param == "zlib")
    yield request.param
    bgzf._reader.cache_clear()


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.usefixtures("inflated_by")
def test_chunks_are_the_bytes_of_gzip(large: dict[str, Path], monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    monkeypatch.setenv("HAPFORGE_THREADS", str(threads))
    for name in ("x.vcf.gz", "x.bcf", "plain.vcf.gz"):
        with gzip.open(large[name]) as stream:
            assert b"".join(bgzf.read_chunks(large[name])) == stream.read()


def blocks_of(data: bytes) -> list[tuple[int, int]]:
    """(first byte, one past the last) of every BGZF block."""
    places, at = [], 0
    while at < len(data):
        places.append((at, at + int.from_bytes(data[at + 16 : at + 18], "little") + 1))
        at = places[-1][1]
    return places


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("field", ["body", "checksum", "length"])
@pytest.mark.usefixtures("inflated_by")
def test_a_damaged_block_is_named(
    large: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, field: str, threads: int
) -> None:
    monkeypatch.setenv("HAPFORGE_THREADS", str(threads))
    data = large["x.vcf.gz"].read_bytes()
    places = blocks_of(data)
    monkeypatch.setattr(bgzf, "_BATCH", 4)
    assert len(places) > 8
    for start, stop in (places[0], places[3], places[4], places[-2]):
        changed = bytearray(data)
        changed[{"body": (start + stop) // 2, "checksum": stop - 8, "length": stop - 4}[field]] ^= 0x10
        path = tmp_path / "x.vcf.gz"
        path.write_bytes(changed)
        with pytest.raises(FormatError, match=rf"z, byte {start}: expected a whole BGZF block, found a damaged one"):
            hf.read(path)


@pytest.mark.usefixtures("inflated_by")
def test_blocks_that_make_up_for_each_other_are_refused(large: dict[str, Path], tmp_path: Path) -> None:
    data = large["x.vcf.gz"].read_bytes()
    (_, first), (_, second), *_ = blocks_of(data)
    path = tmp_path / "x.vcf.gz"
    changed = bytearray(data)
    for end, change in ((first, 16), (second, -16)):  # lengths of two blocks that are wrong, their sum right
        length = int.from_bytes(data[end - 4 : end], "little") + change
        changed[end - 4 : end] = length.to_bytes(4, "little")
    padded = bytearray(data[:first] + bytes(8) + data[first:])  # a block that ends in zeros, which gzip passes over
    padded[16:18] = (first + 7).to_bytes(2, "little")
    assert gzip.decompress(padded) == gzip.decompress(data)
    for content in (changed, padded):
        path.write_bytes(content)
        with pytest.raises(FormatError, match="BGZF block"):
            hf.read(path)


@pytest.mark.parametrize("name", ["x.vcf", "x.vcf.gz", "x.bcf", "plain.vcf.gz", "raw.bcf"])
@pytest.mark.usefixtures("inflated_by")
def test_cut_files_are_refused(large: dict[str, Path], tmp_path: Path, name: str) -> None:
    data = large[name].read_bytes()
    block_end = 0
    if bgzf.is_bgzf(data[:18]):  # right behind a block: only the missing end marker tells
        block_end = int.from_bytes(data[16:18], "little") + 1
    offsets = {0, 1, 3, 10, 17, 40, 200, len(data) // 4, len(data) // 2, 3 * len(data) // 4, len(data) - 29}
    offsets |= {len(data) - 28, len(data) - 27, len(data) - 5, len(data) - 1, block_end}
    for offset in sorted(offsets):
        if name == "x.vcf" and data[:offset].endswith(b"\n"):
            continue
        path = tmp_path / name
        path.write_bytes(data[:offset])
        with pytest.raises(FormatError):
            hf.read(path)


@pytest.mark.parametrize("name", ["x.vcf.gz", "x.bcf", "plain.vcf.gz"])
@pytest.mark.usefixtures("inflated_by")
def test_changed_bytes_are_refused(large: dict[str, Path], tmp_path: Path, name: str) -> None:
    """But where a copy of other, equal bytes is taken: the content is then the same."""
    data, path, whole = large[name].read_bytes(), tmp_path / name, gzip.decompress(large[name].read_bytes())
    same = 0
    for offset in np.linspace(30, len(data) - 40, 25, dtype=int):
        changed = data[:offset] + bytes((data[offset] ^ 0x10,)) + data[offset + 1 :]
        path.write_bytes(changed)
        try:
            same += gzip.decompress(changed) == whole
        except (zlib.error, EOFError, gzip.BadGzipFile):
            with pytest.raises(FormatError):
                hf.read(path)
    assert same <= 1


def test_memory_of_reading(tmp_path: Path) -> None:
    """At most twice the packed size and some MiB, measured in a process of its own."""
    words = np.zeros((8000, 200), np.uint64)  # 12.8 MB packed, 102 MB as int8
    words[:, ::7] = np.random.default_rng(5).integers(0, 2**63, (8000, 29), dtype=np.uint64)
    path = tmp_path / "x.bcf"
    hf.write(hf.HaplotypeMatrix(words, hf.Sites(num_sites=12800)), path)
    code = (
        f"import sys, hapforge as hf\n{cohorts.MOST_MEMORY}\n"
        "hf.read(sys.argv[2])\n"
        "before = most()\n"
        "hf.read(sys.argv[1])\n"
        "print(most() - before)"
    )
    small = tmp_path / "small.vcf"
    small.write_text(vcf_text())
    result = subprocess.run([sys.executable, "-c", code, path, small], capture_output=True, text=True, check=True)
    assert words.nbytes < int(result.stdout) * 1024 < 2 * words.nbytes + (32 << 20)


# -------------------------------------------------------------------------------------------------------- writing


@settings(max_examples=40, deadline=None)
@given(cohorts.cohorts(diploid=True))
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for ending in ENDINGS:
            path = Path(folder) / f"x{ending}"
            if matrix.samples.labels:
                with pytest.warns(UserWarning, match="labels .* are lost"):
                    hf.write(matrix, path)
            else:
                hf.write(matrix, path)
            cohorts.assert_same(hf.read(path), matrix, labels=False)


@pytest.fixture
def unlabelled(small_cohort: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    samples = hf.Samples(20, sample_id=small_cohort.samples.sample_id)
    return hf.HaplotypeMatrix(small_cohort.words, small_cohort.sites, samples)


@pytest.mark.parametrize("ending", ENDINGS)
def test_written_files_against_bcftools(unlabelled: hf.HaplotypeMatrix, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    hf.write(unlabelled, path)
    text = pysam.bcftools.query("-f", "%CHROM %POS %ID %REF %ALT[ %GT]\n", str(path))
    dense = unlabelled.to_dense()
    sites = unlabelled.sites
    for j, line in enumerate(text.splitlines()):
        calls = [f"{dense[2 * i, j]}|{dense[2 * i + 1, j]}" for i in range(10)]
        assert line.split() == [
            sites.contig[j],
            str(sites.position[j]),
            sites.id[j],
            sites.ref[j],
            sites.alt[j],
            *calls,
        ]
    with pysam.VariantFile(str(path)) as file:
        assert list(file.header.samples) == [f"P{i}" for i in range(10)]


@pytest.mark.parametrize(("ending", "index"), [(".vcf.gz", ".tbi"), (".bcf", ".csi")])
def test_index_finds_a_region(unlabelled: hf.HaplotypeMatrix, tmp_path: Path, ending: str, index: str) -> None:
    path = tmp_path / f"x{ending}"
    stale = tmp_path / f"x{ending}{'.csi' if index == '.tbi' else '.tbi'}"
    stale.write_bytes(b"of other data")
    hf.write(unlabelled, path)
    assert (tmp_path / f"x{ending}{index}").exists()
    assert not stale.exists()
    found = pysam.bcftools.query("-f", "%POS\n", "-r", "2:100-200", str(path))
    assert found.split() == ["100", "150", "200"]


def test_positions_beyond_tbi(tmp_path: Path) -> None:
    matrix = hf.HaplotypeMatrix.from_dense([[0, 1], [1, 1]], positions=[5, 2**30], ref="A", alt="C")
    hf.write(matrix, tmp_path / "x.vcf.gz")
    assert (tmp_path / "x.vcf.gz.csi").exists()
    assert pysam.bcftools.query("-f", "%POS\n", "-r", "1:1000000000-", str(tmp_path / "x.vcf.gz")).split() == [
        str(2**30)
    ]


@pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed")
@pytest.mark.parametrize("ending", ENDINGS)
def test_written_files_against_plink2(unlabelled: hf.HaplotypeMatrix, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"x{ending}"
    hf.write(unlabelled, path)
    kind = "--bcf" if ending == ".bcf" else "--vcf"
    command = ["plink2", kind, path, "--export", "haps", "ref-first", "--out", tmp_path / "p", "--threads", "1"]
    subprocess.run(command, check=True, capture_output=True)
    rows = [line.split() for line in (tmp_path / "p.haps").read_text().splitlines()]
    np.testing.assert_array_equal(np.array([row[5:] for row in rows], dtype=np.uint8), unlabelled.to_dense().T)
    assert [row[3:5] for row in rows] == [["A", "G"]] * 130


def test_unknown_alleles_and_positions_are_declared(tmp_path: Path) -> None:
    matrix = hf.HaplotypeMatrix.from_dense([[0, 1, 1], [1, 1, 0]])
    path = tmp_path / "x.vcf"
    hf.write(matrix, path)
    text = path.read_text()
    assert "##hapforge_positions=unknown\n" in text
    assert '##ALT=<ID=ALT,Description="alternative allele, not known">\n' in text
    assert "\n1\t2\t.\tN\t<ALT>\t.\t.\t.\tGT\t1|1\n" in text
    cohorts.assert_same(hf.read(path), matrix)


def test_unphased_persons_are_written_with_a_slash(tmp_path: Path) -> None:
    samples = hf.Samples(4, phased=np.array([True, False]))
    matrix = hf.HaplotypeMatrix(np.array([[0], [1], [0], [1]], np.uint64), hf.Sites([7], ref=["A"], alt=["C"]), samples)
    for ending in ENDINGS:
        path = tmp_path / f"x{ending}"
        hf.write(matrix, path)
        assert pysam.bcftools.query("-f", "[%GT ]", str(path)).split() == ["0|1", "0/1"]
        with pytest.raises(FormatError, match="not phased"):
            hf.read(path)


def test_what_a_vcf_cannot_hold_is_named(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.vcf"
    with pytest.warns(UserWarning, match=r"labels \(population\) are lost, a VCF has no place for them"):
        hf.write(small_cohort, path)
    named = hf.HaplotypeMatrix.from_dense(np.eye(2, dtype=np.uint8), haplotype_ids=["x", "y"])
    with pytest.warns(UserWarning, match="haplotype ids are lost"):
        hf.write(named, path)


WRONG = [
    ({"array01": [[0], [1], [1]]}, r"two haplotypes for each person .* odd number \(3\)"),
    ({"array01": [[0]] * 4, "sample_ids": ["a", "b", "a", "b"]}, "to be one person .* found 'b' in row 1"),
    ({"array01": [[0]] * 4, "sample_ids": ["a", "a", "a", "b"]}, "to be one person .* found 'a' in row 2"),
    ({"array01": np.zeros((0, 3), int)}, "at least one haplotype and one site"),
    ({"array01": np.zeros((2, 0), int)}, "at least one haplotype and one site"),
    ({"array01": [[0], [1]], "ref": ["A"]}, r"site 1:1: expected no haplotype with ALT where it is missing \('\.'\)"),
    ({"array01": [[0], [1]], "ref": ["A"], "alt": ["G,T"]}, "found 'A' and 'G,T'"),
    ({"array01": [[0], [1]], "alt": ["A"]}, r"expected REF of bases and one ALT, or both .* found '\.' and 'A'"),
    ({"array01": [[0], [1]], "ref": ["A"], "alt": ["<DEL"]}, "found 'A' and '<DEL'"),
    ({"array01": [[0], [1]], "ref": ["N"], "alt": ["<ALT>"]}, "found 'N' and '<ALT>', which stands for that"),
    ({"array01": [[0, 0, 0], [0, 0, 1]], "ref": ["A"] * 3}, "site 1:3: expected no haplotype with ALT"),
    ({"array01": [[0], [1]], "ref": ["0"], "alt": ["1"]}, "found '0' and '1'"),
    ({"array01": [[0], [1]], "ids": ["a b"]}, "an id without spaces .* found 'a b'"),
    ({"array01": [[0], [1]], "contig": ["a,b"]}, "contig names without .* found 'a,b'"),
    ({"array01": [[0], [1]], "sample_ids": ["a\tb"]}, r"sample ids without tabs"),
    ({"array01": [[0], [1]], "positions": [2**31]}, "positions below 2\\^31"),
]  # fmt: skip


@pytest.mark.parametrize(("arguments", "message"), WRONG, ids=range(len(WRONG)))
def test_cohorts_that_are_refused(tmp_path: Path, arguments: dict, message: str) -> None:
    matrix = hf.HaplotypeMatrix.from_dense(**{k: np.array(v) for k, v in arguments.items()})
    for ending in ENDINGS:
        with pytest.raises(ValueError, match=message):
            hf.write(matrix, tmp_path / f"x{ending}")
    assert list(tmp_path.iterdir()) == []


SYMBOLIC = ["<DEL>", "*", "G]2:5]", "]2:5]G", ".G", "G.", "<INS:ME:ALU>", "<ALT>", ".", "C", "<*>"]


@pytest.mark.parametrize("ending", [*ENDINGS, ".vcz", ".hap", ".haps.gz", ".pgen"])
def test_symbolic_alleles(tmp_path: Path, ending: str) -> None:
    """They are written as they are spelled, and come back where they are kept; cyvcf2 and bcftools read them."""
    rng = np.random.default_rng(4)
    dense = rng.integers(0, 2, (8, len(SYMBOLIC)))
    dense[:, SYMBOLIC.index(".")] = 0
    matrix = hf.HaplotypeMatrix.from_dense(
        dense, positions=np.arange(1, len(SYMBOLIC) + 1) * 10, ref="A", alt=SYMBOLIC, sample_ids=list("abcd")
    )
    path = tmp_path / f"x{ending}"
    hf.write(matrix, path)
    policy = hf.io.Policy({"symbolic": "keep"})
    cohorts.assert_same(hf.read(path, policy=policy), matrix)
    assert policy.changes == {"symbolic": {"sites": len(SYMBOLIC) - 1}}
    with pytest.raises(FormatError, match="expected an ALT allele of bases, found '<DEL>'"):
        hf.read(path)
    if ending not in ENDINGS:
        return
    cyvcf2 = pytest.importorskip("cyvcf2")
    records = list(cyvcf2.VCF(str(path)))
    assert [",".join(record.ALT) or "." for record in records] == SYMBOLIC
    assert [np.array(r.genotypes)[:, :2].reshape(-1).tolist() for r in records] == dense.T.tolist()
    if shutil.which("bcftools"):
        command = ["bcftools", "query", "-f", "%REF %ALT[ %GT]\n", str(path)]
        said = subprocess.run(command, check=True, capture_output=True, text=True)
        calls = [f"{a}|{b}" for row in dense.T for a, b in zip(row[::2], row[1::2], strict=True)]
        expected = [f"A {alt} {' '.join(calls[4 * j : 4 * j + 4])}" for j, alt in enumerate(SYMBOLIC)]
        assert said.stdout.splitlines() == expected
        assert said.stderr == ""


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_error_while_writing_leaves_what_was_there(
    unlabelled: hf.HaplotypeMatrix, tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"x{ending}"
    hf.write(unlabelled, path)
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hf.write(unlabelled.select_haplotypes(np.arange(4)), path, progress=stop)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_bytes_do_not_depend_on_threads(
    unlabelled: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    for threads in ("1", "3"):
        monkeypatch.setenv("HAPFORGE_THREADS", threads)
        hf.write(unlabelled, tmp_path / "x.bcf")
        written.append((tmp_path / "x.bcf").read_bytes())
    assert written[0] == written[1]

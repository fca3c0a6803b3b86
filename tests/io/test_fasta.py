"""FASTA of aligned sequences."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import hapforge as hf
from hapforge.alignment import AMINO_ACIDS, NUCLEOTIDES, RNA_NUCLEOTIDES
from hapforge.errors import FormatError
from hapforge.io import fasta

PLAIN = ">a\nACGT-\n>b first of two\nacg.T\n"


def text(folder: Path, content: str | bytes) -> Path:
    path = folder / "x.fasta"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path: Path) -> hf.Alignment:
    return hf.Alignment.from_haplotypes(hf.read(path))


@pytest.mark.parametrize(
    "content",
    [
        PLAIN,
        PLAIN.replace("\n", "\r\n"),
        PLAIN.removesuffix("\n"),
        PLAIN.replace("ACGT-", "AC\nG\n\nT-\n\n"),
        f"\n{PLAIN}\n\n",
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_what_is_read(tmp_path: Path, content: str, packed: bool) -> None:
    """Line ends, lines of any length, case, both gaps, descriptions; gzipped or not."""
    data = gzip.compress(content.encode()) if packed else content
    if content.startswith("\n"):  # the format is told by the first byte
        found = hf.Alignment.from_haplotypes(fasta.read(text(tmp_path, data)))
    else:
        found = read(text(tmp_path, data))
    assert found.names.tolist() == ["a", "b"]
    assert found.sequences() == ["ACGT-", "ACG-T"]
    assert found.alphabet == NUCLEOTIDES
    assert found.labels == {}


@pytest.mark.parametrize(
    ("letters", "alphabet"),
    [
        ("ACGT", NUCLEOTIDES),
        ("----", NUCLEOTIDES),
        ("AC.U", RNA_NUCLEOTIDES),
        ("ACGP", AMINO_ACIDS),
        ("NNFN", AMINO_ACIDS),
        ("tqil", AMINO_ACIDS),
    ],
)
def test_which_alphabet(tmp_path: Path, letters: str, alphabet: str) -> None:
    assert read(text(tmp_path, f">a\n{letters}\n")).alphabet == alphabet


def test_a_given_alphabet(tmp_path: Path) -> None:
    path = text(tmp_path, ">a\nACGT\n>b\nNNNN\n")
    found = hf.Alignment.from_haplotypes(fasta.read(path, alphabet=AMINO_ACIDS))
    assert found.alphabet == AMINO_ACIDS
    assert found.sequences() == ["ACGT", "NNNN"]
    with pytest.raises(FormatError, match=r"line 2: expected letters out of ACN, found 'G'"):
        fasta.read(path, alphabet="ACN")
    for wrong in ("", "acgt", "ACA", "AC\u00e9"):
        with pytest.raises(ValueError, match=r"^alphabet: expected two or more different ASCII characters"):
            fasta.read(path, alphabet=wrong)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (">a\nACGT\n>b\nACG\n", r"line 3: expected 4 letters \(aligned sequences\), as 'a' has, found 3 in 'b'"),
        (">a\nACGT\n>b\nACGTA\n", "line 3: expected 4 letters .*, found 5 in 'b'"),
        (">a\nAC\n>a\nAC\n", r"line 3: expected each name once, found 'a' again \(first in line 1\)"),
        (">a\nAC\n>\nAC\n", "line 3: expected a name right behind '>', found none"),
        ("> a\nAC\n", "line 1: expected a name right behind '>', found none"),
        (">a\n>b\nAC\n", "line 1: expected letters of 'a', found none"),
        (">a\nAC\n>b\n", "line 3: expected letters of 'b', found none"),
        (">a\nACGT", "line 2: expected a single sequence that ends in a line feed, found none: the file may be cut"),
        (">a\nACGT\n>b\0\nACGT\n", r"line 3: expected text, found the control character b'\\x00'"),
        (">a\nACGT\x0b\n", r"line 2: expected text, found the control character b'\\x0b'"),
        (">a\nACN\n", "line 2: expected letters out of ACGT-, found 'N'"),
        (">a\nACUX\n", "line 2: expected letters out of ACGU-, found 'X'"),
        (">a\nACUT\n", "line 2: expected letters out of ACGU-, found 'T'"),
        (">a\nACEF\n>b\nAC-C\n>c\nACG\nB\n", f"line 7: expected letters out of {AMINO_ACIDS}, found 'B'"),
        (">a\nACGT*\n", r"line 2: expected letters out of ACGT-, found '\*'"),
        (">a\nAC GT\n", "line 2: expected letters out of ACGT-, found ' '"),
        (">a\nAC\rGT\n", r"line 2: expected letters out of ACGT-, found '\\r'"),
        (">a\nAC>GT\n", "line 2: expected letters out of ACGT-, found '>'"),
        (b">a\nAC\0T\n", r"line 2: expected text, found the control character b'\\x00'"),
        (b">a\nAC\xc3\xa9T\n", "line 2: expected letters out of ACGT-, found a byte 0xa9"),
        (b">a\xff\nACT\n", "line 1: expected UTF-8 text, found other bytes"),
        ("ACGT\n", "line 1: expected a line that starts with '>', found 'ACGT'"),
        ("", "expected a line that starts with '>', found an empty file"),
        ("\n\n", "expected a line that starts with '>', found an empty file"),
    ],
)
def test_what_is_refused(tmp_path: Path, content: str | bytes, message: str) -> None:
    path = text(tmp_path, content)
    with pytest.raises(FormatError, match=message) as caught:
        fasta.read(path)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_what_hapforge_read_refuses(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="found an empty file"):
        hf.read(text(tmp_path, ""))
    path = text(tmp_path, gzip.compress(PLAIN.encode())[:-9])
    with pytest.raises(FormatError, match="expected a whole gzip file, found a cut or damaged one"):
        hf.read(path)
    path = text(tmp_path, PLAIN)
    with pytest.raises(ValueError, match=r"maf: expected none for aligned sequences, found 0\.1"):
        hf.read(path, maf=0.1)
    with pytest.raises(ValueError, match="legend: expected none"):
        hf.read(path, legend=path)
    assert read(path).sequences() == ["ACGT-", "ACG-T"]
    assert hf.Alignment.from_haplotypes(hf.read(path, "alignment:4-5", ["b"])).sequences() == ["-T"]


def test_labels_from_a_table(tmp_path: Path) -> None:
    (tmp_path / "labels.tsv").write_text("name\tfamily\nb\tGH30_2\na\tGH30_1\nc\tother\n")
    H = hf.read(text(tmp_path, PLAIN), labels=tmp_path / "labels.tsv")
    assert H.samples.labels["family"].tolist() == ["GH30_1", "GH30_2"]
    (tmp_path / "labels.tsv").write_text("name\tfamily\na\tGH30_1\n")
    with pytest.raises(FormatError, match="none for 1 of 2 haplotypes, the first 'b'"):
        hf.read(text(tmp_path, PLAIN), labels=tmp_path / "labels.tsv")


def test_labels_behind_the_name(tmp_path: Path) -> None:
    """Only where all sequences have the same and nothing else."""
    path = text(tmp_path, ">a kind=x%20y n=\nAC\n>b kind=%3Dz n=1\nAC\n")
    labels = read(path).labels
    assert {name: values.tolist() for name, values in labels.items()} == {"kind": ["x y", "=z"], "n": ["", "1"]}
    for header in ("b kind=x", "b n=1 kind=x", "b kind=x n=1 more", "b", "b kind=x kind=y", "b =x n=1"):
        assert read(text(tmp_path, f">a kind=x n=1\nAC\n>{header}\nAC\n")).labels == {}
    for twice in ("x=1 x=2", "x=1 %78=2"):
        assert read(text(tmp_path, f">a {twice}\nAC\n")).labels == {}


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc", "Z")), min_size=1, max_size=8)
VALUES = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\0"), max_size=6)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_is_written_comes_back(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject) -> None:
    n, length = data.draw(st.integers(1, 5)), data.draw(st.integers(1, 130))
    names = data.draw(st.lists(NAMES.filter(lambda x: x.split() == [x]), min_size=n, max_size=n, unique=True))
    alphabet = data.draw(st.sampled_from([AMINO_ACIDS, NUCLEOTIDES, RNA_NUCLEOTIDES]))
    states = np.random.default_rng(data.draw(st.integers(0, 99))).integers(len(alphabet), size=(n, length))
    keys = data.draw(st.lists(VALUES.filter(bool), max_size=3, unique=True))
    labels = {key: data.draw(st.lists(VALUES, min_size=n, max_size=n)) for key in keys}
    given = hf.Alignment(states, alphabet, names, labels)
    path = tmp_path_factory.mktemp("f") / data.draw(st.sampled_from(["x.fasta", "x.fa.gz", "x.faa", "x.fna.gz"]))
    hf.write(given.to_haplotypes(), path)
    found = hf.Alignment.from_haplotypes(fasta.read(path, alphabet=alphabet))
    assert found.names.tolist() == names
    assert found.sequences() == given.sequences()
    assert {name: values.tolist() for name, values in found.labels.items()} == labels
    before = path.read_bytes()
    hf.write(found.to_haplotypes(), path)
    assert path.read_bytes() == before
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize("name", ["x.fasta", "x.fa.gz"])
def test_htslib_reads_what_is_written(tmp_path: Path, name: str) -> None:
    pysam = pytest.importorskip("pysam")
    rng = np.random.default_rng(1)
    given = hf.Alignment(rng.integers(21, size=(40, 150)), AMINO_ACIDS, labels={"kind": ["x y"] * 40})
    hf.write(given.to_haplotypes(), tmp_path / name)
    with pysam.FastaFile(str(tmp_path / name)) as found:
        assert found.references == [f"sequence{i}" for i in range(40)]
        assert [found.fetch(name) for name in found.references] == given.sequences()
    lines = (tmp_path / name).read_bytes()
    assert max(map(len, (gzip.decompress(lines) if name.endswith("gz") else lines).split(b"\n"))) <= 60


def test_other_formats_keep_sequences(tmp_path: Path) -> None:
    given = hf.Alignment([[0, 1, 4], [3, 2, 0]], NUCLEOTIDES, ["a", "b"], {"kind": ["x", "y"]}).to_haplotypes()
    for name in ("x.npz", "x.hapz"):
        hf.write(given, tmp_path / name)
        found = hf.Alignment.from_haplotypes(hf.read(tmp_path / name))
        assert found.sequences() == ["AC-", "TGA"]
        assert found.labels["kind"].tolist() == ["x", "y"]


def test_what_cannot_be_written(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    given = hf.Alignment([[0, 1], [3, 2]], NUCLEOTIDES)
    H = given.to_haplotypes()
    path = tmp_path / "x.fasta"
    path.write_text("before")
    with pytest.raises(ValueError, match=r"x\.fasta: expected aligned sequences to write as FASTA, found haplotypes"):
        hf.write(small_cohort, path)
    with pytest.raises(ValueError, match=r"x\.vcf: expected haplotypes to write as VCF, found aligned sequences"):
        hf.write(H, tmp_path / "x.vcf")
    with pytest.raises(ValueError, match="expected at least one sequence to write as FASTA, found none"):
        hf.write(H.select_haplotypes([]), path)
    with pytest.raises(ValueError, match="expected names without spaces to write as FASTA, found 'b c'"):
        hf.write(hf.Alignment(given.states, NUCLEOTIDES, ["a", "b c"]).to_haplotypes(), path)
    with pytest.raises(ValueError, match="expected labels that have a name to write as FASTA, found ''"):
        hf.write(hf.Alignment(given.states, NUCLEOTIDES, labels={"": ["x", "y"]}).to_haplotypes(), path)
    with pytest.raises(ValueError, match="found 0 at 1 of 'sequence0'"):
        hf.write(hf.HaplotypeMatrix(H.words ^ np.uint64(1), H.sites, H.samples), path)
    with pytest.raises(ValueError, match=r"mappable: expected a \.hapz file"):
        hf.write(H, path, mappable=True)
    assert path.read_text() == "before"
    assert [p.name for p in tmp_path.iterdir()] == ["x.fasta"]


def test_progress_adds_up(tmp_path: Path) -> None:
    path, counts = text(tmp_path, "".join(f">s{i}\nACGT\n" for i in range(1000))), []
    H = hf.read(path, progress=counts.append)
    assert sum(counts) == path.stat().st_size
    counts.clear()
    hf.write(H, path, progress=counts.append)
    assert counts == [1000]

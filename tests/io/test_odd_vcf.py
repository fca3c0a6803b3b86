"""Odd VCF and BCF by every policy: against a slow reader, bcftools, and what cannot be accepted."""

from __future__ import annotations

import gzip
import re
import shutil
import struct
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pysam
import pysam.bcftools
import pytest

import hapforge as hf
from hapforge.errors import FormatError
from hapforge.io import bgzf, records
from reference import odd_vcf

COLUMNS = "#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT"
ALTS = ["G", "G", "G", "T", "TC", "G,T", "T,G,TC", "<DEL>", "*", ".", "G,<DEL>", "T,*", "G]2:5]", ".G", "<ALT>"]


def header(names: list[str]) -> str:
    lines = ["##fileformat=VCFv4.2", "##contig=<ID=1>", "##contig=<ID=2>", "##contig=<ID=3>"]
    lines += ['##ALT=<ID=DEL,Description="d">', '##ALT=<ID=ALT,Description="a">']
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']
    lines += ['##FORMAT=<ID=DS,Number=1,Type=Float,Description="d">']
    return "\n".join([*lines, "\t".join([COLUMNS, *names])]) + "\n"


def random_vcf(rng: np.random.Generator) -> str:
    """A file that is odd in some ways and damaged in none."""
    names = [f"P{i}" for i in range(rng.integers(1, 7))]
    num_records = int(rng.choice([1, 3, 12, 150]))
    share = {kind: rng.random() * rng.choice([0, 0, 0.1, 0.5]) for kind in ("alt", "slash", "dot", "haploid", "order")}
    contig, position, lines = 1, 1, []
    for _ in range(num_records):
        alt = str(rng.choice(ALTS)) if rng.random() < share["alt"] else "G"
        ref = "N" if alt == "<ALT>" and rng.random() < 0.5 else str(rng.choice(["A", "A", "AC"]))
        top = 0 if alt == "." else alt.count(",") + 1
        if rng.random() < 0.05:
            contig += 1
        position += int(rng.integers(0, 3)) if rng.random() < 0.3 else int(rng.integers(1, 50))
        if rng.random() < share["order"] / 4:
            position = max(1, position - int(rng.integers(1, 80)))
        if rng.random() < share["order"] / 8:
            contig = 1
        calls = []
        for _ in names:
            alleles = [str(a) for a in rng.integers(0, top + 1, 1 if rng.random() < share["haploid"] else 2)]
            alleles = ["." if rng.random() < share["dot"] else a for a in alleles]
            calls.append(("/" if rng.random() < share["slash"] else "|").join(alleles))
        keys = "GT"
        if rng.random() < 0.2:
            keys, calls = "GT:DS", [f"{call}:0.5" for call in calls]
        fields = [str(min(contig, 3)), str(position), str(rng.choice([".", "rs1"])), ref, alt, ".", ".", ".", keys]
        lines.append("\t".join([*fields, *calls]))
    return header(names) + "\n".join(lines) + "\n"


def as_bcf(text: str, target: Path) -> Path:
    """The same as BCF, through bcftools."""
    source = target.with_suffix(".in.vcf")
    source.write_text(text)
    pysam.bcftools.view("-Ob", "-o", str(target), str(source), catch_stdout=False)
    return target


def forms(data: bytes, folder: Path, *, bcf: bool = True) -> list[Path]:
    """The same text plain, in gzip, in BGZF, and as BCF."""
    plain, packed, blocks = folder / "t.vcf", folder / "t.vcf.gz", folder / "b.vcf.gz"
    plain.write_bytes(data)
    packed.write_bytes(gzip.compress(data))
    with pysam.BGZFile(str(blocks), "wb") as sink:
        sink.write(data)
    return [plain, packed, blocks, *([as_bcf(data.decode(), folder / "t.bcf")] if bcf else [])]


def random_policy(rng: np.random.Generator) -> dict[str, str]:
    lenient = rng.random() < 0.8
    return {kind: str(rng.choice(known[1:] if lenient else known)) for kind, known in records.KINDS.items()}


def assert_as_expected(matrix: hf.HaplotypeMatrix, policy: hf.io.Policy, expected: dict[str, Any]) -> None:
    np.testing.assert_array_equal(matrix.to_dense(), np.array(expected["calls"], np.uint8).T)
    for name in ("contig", "position", "id", "ref", "alt"):
        assert getattr(matrix.sites, name).tolist() == expected[name], name
    assert matrix.samples.sample_id.tolist() == [name for name in expected["names"] for _ in range(2)]
    assert matrix.samples.phased.tolist() == expected["phased"]
    assert policy.changes == {kind: dict(numbers) for kind, numbers in expected["changes"].items()}
    observed = np.array(expected["observed"], np.uint8).T
    assert (policy.observed is None) == observed.all()
    if policy.observed is not None:
        np.testing.assert_array_equal(policy.observed.words, hf.HaplotypeMatrix.from_dense(observed).words)
        assert policy.observed.sites == matrix.sites


def compare(path: Path, data: bytes, choices: dict[str, str], **selection: Any) -> str:
    """What a file is read as, and what the slow reader makes of its text, `data`; the outcome."""
    wanted = dict(selection)
    if "region" in wanted:
        contig, span = wanted["region"].split(":")
        wanted["region"] = (contig, *map(int, span.split("-")))
    policy = hf.io.Policy(choices)
    try:
        expected = odd_vcf.read(data, choices, **wanted)
    except odd_vcf.Refused as refusal:
        with pytest.raises(FormatError, match=rf"--policy ({'|'.join(refusal.kinds)})="):
            hf.read(path, policy=policy, **selection)
        return "refused"
    if not expected["position"]:
        with pytest.raises(FormatError, match=r"at least one site|a site on contig"):
            hf.read(path, policy=policy, **selection)
        return "empty"
    assert_as_expected(hf.read(path, policy=policy, **selection), policy, expected)
    return "read"


def dressed(text: str, rng: np.random.Generator) -> bytes:
    """The same text with what ``text=accept`` accepts around it."""
    data = text.encode()
    if rng.random() < 0.3:
        data = data.split(b"\n", next(k for k, line in enumerate(text.split("\n")) if line[:2] != "##"))[-1]
    if rng.random() < 0.5:
        data = data.replace(b"\n", b"\r\n", int(rng.choice([1, 4, -1])))
    data += b"".join([b"\n", b"\r\n"][k] for k in rng.integers(0, 2, rng.integers(0, 3)))
    return b"\xef\xbb\xbf" + data if rng.random() < 0.3 else data


def compare_random(seed: int, folder: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    rng = np.random.default_rng(seed)
    monkeypatch.setattr(bgzf, "_READ", int(rng.choice([97, 1 << 20])))  # many pieces, or one
    monkeypatch.setattr(records, "_TRANSPOSED", int(rng.choice([64, 1024])))
    text = random_vcf(rng)
    selection: dict[str, Any] = {}
    if rng.random() < 0.3:
        selection["region"] = "1:5-150"
    if rng.random() < 0.3:
        selection["samples"] = ["P0"]
    if rng.random() < 0.3:
        selection["maf"] = 0.25
    outcomes = []
    odd_text = rng.random() < 0.3
    data = dressed(text, rng) if odd_text else text.encode()
    for path in forms(data, folder, bcf=not odd_text):
        outcomes.append(compare(path, data, random_policy(rng), **selection))
    return outcomes


def test_random_files_against_the_slow_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [outcome for seed in range(60) for outcome in compare_random(seed, tmp_path, monkeypatch)]
    assert outcomes.count("read") > 100
    assert outcomes.count("refused") > 15


@pytest.mark.slow
def test_many_random_files_against_the_slow_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = [outcome for seed in range(1000, 4000) for outcome in compare_random(seed, tmp_path, monkeypatch)]
    assert outcomes.count("read") > 5000


# ------------------------------------------------------------------------------------------------- against bcftools


def listed(path: Path) -> list[list[str]]:
    """Contig, position, REF, ALT and every allele of a file's records, as bcftools reads them."""
    lines = pysam.bcftools.query("-f", "%CHROM %POS %REF %ALT[ %GT]\n", str(path)).splitlines()
    return [line.replace("|", " ").replace("/", " ").split() for line in lines]


def spelled(matrix: hf.HaplotypeMatrix) -> list[list[str]]:
    """The same of a matrix."""
    sites = matrix.sites
    columns = (sites.contig.tolist(), map(str, sites.position.tolist()), sites.ref.tolist(), sites.alt.tolist())
    calls = matrix.to_dense().T.astype(str).tolist()
    return [[*record, *row] for *record, row in zip(*columns, calls, strict=True)]


@pytest.fixture
def messy(shared_data: Path, tmp_path: Path) -> Path:
    """The messy file as bcftools reads it: with ##fileformat, contig and FORMAT declared, without INFO, in BGZF."""
    text = gzip.decompress((shared_data / "ceu_chr4_95samples_messy.vcf.gz").read_bytes()).decode()
    head = '##fileformat=VCFv4.2\n##contig=<ID=4>\n##FORMAT=<ID=GT,Number=1,Type=String,Description="g">\n'
    path = tmp_path / "messy.vcf.gz"
    rows = [line.split("\t") for line in text.splitlines()]
    lines = ["\t".join(rows[0]), *("\t".join([*row[:7], ".", *row[8:]]) for row in rows[1:])]
    with pysam.BGZFile(str(path), "wb") as sink:
        sink.write((head + "\n".join(lines) + "\n").encode())
    return path


def test_the_messy_file_by_every_policy(shared_data: Path, messy: Path, tmp_path: Path) -> None:
    """567 records with one ALT and 2 with two; no other kind of oddness but the missing ##fileformat."""
    source = shared_data / "ceu_chr4_95samples_messy.vcf.gz"
    with pytest.raises(FormatError, match=r"line 1: .* found '#CHROM.*; --policy text=accept accepts it"):
        hf.read(source)
    with pytest.raises(FormatError, match=r"site 4:\d+: expected one ALT allele, found [ACGT]+,[ACGT]+ \(multi-alle"):
        hf.read(source, policy={"text": "accept"})
    forms = {"split": tmp_path / "split.vcf", "skip": tmp_path / "skip.vcf"}
    pysam.bcftools.norm("-m-any", "-o", str(forms["split"]), str(messy), catch_stdout=False)
    pysam.bcftools.view("-m2", "-M2", "-o", str(forms["skip"]), str(messy), catch_stdout=False)
    expected = {choice: listed(path) for choice, path in forms.items()}
    expected["major"] = [
        max((r for r in expected["split"] if r[:3] == record[:3]), key=lambda r: r.count("1"))
        for record in listed(messy)
    ]
    assert [len(expected[choice]) for choice in ("split", "skip", "major")] == [571, 567, 569]
    packed = as_bcf(gzip.decompress(messy.read_bytes()).decode(), tmp_path / "messy.bcf")
    for choice, records_ in expected.items():
        changes = {"multiallelic": {"records": 2, **({"sites": 4} if choice == "split" else {})}}
        for path, text in ((source, {"text": {"lines": 1}}), (messy, {}), (packed, {})):
            policy = hf.io.Policy({"multiallelic": choice, "text": "accept"})
            assert spelled(hf.read(path, policy=policy)) == records_
            assert policy.changes == changes | text
    for kind in ("symbolic", "unphased", "missing", "haploid", "duplicate", "unsorted"):
        for choice in records.KINDS[kind]:
            policy = hf.io.Policy({"multiallelic": "split", kind: choice})
            assert spelled(hf.read(messy, policy=policy)) == expected["split"]
            assert list(policy.changes) == ["multiallelic"]


def edited(source: Path, target: Path, kind: str) -> None:
    """Make 30 of the records of a file odd in one way."""
    rng = np.random.default_rng(8)
    lines = gzip.decompress(source.read_bytes()).decode().splitlines()
    body = [k for k, line in enumerate(lines) if line[0] != "#" and "," not in line.split("\t")[4]]
    for k in sorted(rng.choice(body[5:], 30, replace=False).tolist(), reverse=True):
        fields = lines[k].split("\t")
        for i in rng.integers(9, len(fields), 3):
            if kind == "missing":
                fields[i] = ".|."
            elif kind == "half missing":
                fields[i] = str(rng.choice([".|.", fields[i][:2] + ".", "." + fields[i][1:]]))
            elif kind == "haploid":
                fields[i] = fields[i][0]
            elif kind == "unphased":
                fields[i] = fields[i].replace("|", "/")
        if kind == "symbolic":
            fields[4] = str(rng.choice(["<DEL>", "*"]))
        lines[k] = "\t".join(fields)
        if kind == "duplicate":
            lines.insert(k + 1, "\t".join([*fields[:9], *rng.permutation(fields[9:]).tolist()]))
        if kind == "unsorted":
            lines.insert(k - int(rng.integers(1, 5)), lines.pop(k))
    target.write_text("\n".join(lines) + "\n")


FILTERS = {
    ("missing", "skip"): ["view", "-e", 'GT="mis"'],
    ("haploid", "skip"): ["view", "-e", 'GT="hap"'],
    ("duplicate", "skip"): ["norm", "-d", "exact"],
    ("unsorted", "sort"): ["sort"],
    ("symbolic", "skip"): ["view", "-e", 'ALT="<DEL>" || ALT="*"'],
    ("symbolic", "keep"): ["view"],
    ("unphased", "keep"): ["view"],
    ("missing", "major"): ["+setGT", "-t", ".", "-n", "M"],
    ("missing", "mask"): ["+setGT", "-t", ".", "-n", "0"],
    ("haploid", "double"): ["+fixploidy", "-f", "2"],
}


def filtered(source: Path, target: Path, command: str, *options: str) -> None:
    """What bcftools makes of a file; plugins are those of the program, which pysam has not."""
    if command[0] != "+":
        getattr(pysam.bcftools, command)(*options, "-o", str(target), str(source), catch_stdout=False)
        return
    program = shutil.which("bcftools")
    if program is None or subprocess.run([program, command, "-h"], capture_output=True, check=False).returncode > 1:
        pytest.skip(f"bcftools {command} is not installed")
    subprocess.run([program, command, "-o", target, source, "--", *options], check=True, capture_output=True)


@pytest.mark.parametrize(("kind", "choice"), FILTERS, ids=["-".join(key) for key in FILTERS])
def test_counts_against_bcftools(messy: Path, tmp_path: Path, kind: str, choice: str) -> None:
    """The messy file with 30 odd records more, split first, then as bcftools leaves it by a filter."""
    source, split, wanted = tmp_path / "odd.vcf", tmp_path / "split.vcf", tmp_path / "wanted.vcf"
    edited(messy, source, kind)
    pysam.bcftools.norm("-m-any", "-o", str(split), str(source), catch_stdout=False)
    filtered(split, wanted, *FILTERS[kind, choice])
    before, expected = listed(split), listed(wanted)
    if kind == "unphased":
        expected = [[a.replace("/", "|") for a in record] for record in expected]
    with pytest.raises(FormatError, match=f"--policy {kind}="):
        hf.read(source, policy={"multiallelic": "split"})
    paths = [source] if kind == "unsorted" else [source, as_bcf(source.read_text(), tmp_path / "odd.bcf")]
    for path in paths:
        policy = hf.io.Policy({"multiallelic": "split", kind: choice})
        matrix = hf.read(path, policy=policy)
        assert spelled(matrix) == expected
        changes = policy.changes[kind]
        if choice == "skip":
            assert changes == {"sites": len(before) - len(expected)}
            assert changes["sites"] == 30
        elif kind == "symbolic":
            assert changes == {"sites": 30}
        elif kind == "unsorted":
            assert 0 < changes["records"] <= 120
        elif kind in ("missing", "haploid"):
            text = pysam.bcftools.query("-f", "[%GT\n]", str(split)).split()
            number = {"missing": 2 * text.count(".|."), "haploid": text.count("0") + text.count("1")}[kind]
            assert changes == {"alleles" if kind == "missing" else "calls": number, "sites": 30}
            assert number > 80
        else:
            text = pysam.bcftools.query("-f", "[%SAMPLE %GT\n]", str(split))
            loose = [line.split()[0] for line in text.splitlines() if line.endswith(("0/1", "1/0"))]
            assert changes["calls"] == len(loose) > 10
            unphased = matrix.samples.sample_id[::2][~matrix.samples.phased]
            assert set(unphased.tolist()) == set(loose)


def test_masks_against_bcftools(messy: Path, tmp_path: Path) -> None:
    """The messy file with whole and half-missing calls at 30 records, as bcftools spells them."""
    source, split = tmp_path / "odd.vcf", tmp_path / "split.vcf"
    edited(messy, source, "half missing")
    pysam.bcftools.norm("-m-any", "-o", str(split), str(source), catch_stdout=False)
    expected = listed(split)
    called = np.array([[allele != "." for allele in record[4:]] for record in expected])
    half = (called[:, ::2] != called[:, 1::2]).sum()
    assert half > 30
    for path in (source, as_bcf(source.read_text(), tmp_path / "odd.bcf")):
        policy = hf.io.Policy({"multiallelic": "split", "missing": "mask"})
        matrix = hf.read(path, policy=policy)
        assert spelled(matrix) == [[*record[:4], *(a.replace(".", "0") for a in record[4:])] for record in expected]
        assert policy.observed is not None
        np.testing.assert_array_equal(policy.observed.to_dense().T, called)
        assert policy.changes["missing"] == {"alleles": (~called).sum(), "sites": 30}


# ---------------------------------------------------------------------------------------------- what nothing accepts

LENIENT = {kind: known[-1] for kind, known in records.KINDS.items()}
GOOD = header(["A", "B", "C"]) + (
    "1\t10\trs1\tA\tG\t.\t.\t.\tGT\t0|1\t1|1\t0|0\n"
    "1\t20\trs2\tC\tT\t.\t.\t.\tGT:DS\t0|1:1\t0|0:0\t1|1:2\n"
    "2\t5\trs3\tT\tTA\t.\t.\t.\tGT\t0|0\t0|1\t1|0\n"
)
RECORDS = GOOD[GOOD.index("1\t10") :]

DAMAGED = {
    "one name short": (GOOD.replace("\tC\n", "\n", 1), "site 1:10: expected 11 columns, as the header has, found 12"),
    "one name long": (GOOD.replace("\tC\n", "\tC\tD\n", 1), "site 1:10: expected 13 columns, .* found 12"),
    "a name twice": (GOOD.replace("\tB\tC\n", "\tB\tA\n", 1), "expected each sample name once, found 'A' twice"),
    "position 2^31": (GOOD.replace("1\t20\t", "1\t2147483648\t"), r"expected a position of at most 2\^31 - 1"),
    "position 2^32 + 20": (GOOD.replace("1\t20\t", "1\t4294967316\t"), r"expected a position of at most 2\^31 - 1"),
    "position 0": (GOOD.replace("1\t10\t", "1\t0\t"), "site 1:0: expected a position of 1 or more"),
    "position -5": (GOOD.replace("1\t10\t", "1\t-5\t"), "expected a position, found '-5'"),
    "allele 3 of 2": (GOOD.replace("1|1:2", "1|3:2"), r"site 1:20: .* found '1\|3' \(there is one ALT allele\) .*'C'"),
    "allele 3 of 2 ALTs": (GOOD.replace("\tTA\t", "\tTA,G\t").replace("\t1|0\n", "\t1|3\n"),
                           r"site 2:5: expected alleles 0 to 2, found '1\|3' \(there are 2 ALT alleles\)"),
    "an allele of none": (GOOD.replace("\tTA\t", "\t.\t"), r"site 2:5: .* found '0\|1' \(there is no ALT"),
    "an allele as large as 99999": (GOOD.replace("1|1:2", "1|99999:2"), r"site 1:20: .* found '1\|99999'"),
    "three alleles": (GOOD.replace("1|1:2", "1|1|0:2"), r"site 1:20: .* \(more than two alleles\) for sample 'C'"),
    "a call of letters": (GOOD.replace("1|1:2", "A|G:2"), r"site 1:20: .* found 'A\|G' for sample 'C'"),
    "an empty call": (GOOD.replace("1|1:2", ":2"), "site 1:20: .* found '' for sample 'C'"),
    "a bar too many": (GOOD.replace("0|1\t1|1\t0|0", "0|1|\t1\t0|0"), r"site 1:10: .* found '0\|1\|' .*more than two"),
    "a column short": (GOOD.replace("\t1|1:2", ""), "site 1:20: expected 12 columns, as the header has, found 11"),
    "a column long": (GOOD.replace("\t1|1:2", "\t1|1:2\t0|0"), "site 1:20: expected 12 columns, .* found 13"),
    "no genotypes": (GOOD.replace("GT:DS", "DS"), "site 1:20: expected genotypes"),
    "NUL in INFO": (GOOD.replace("rs2\tC\tT\t.\t.\t.", "rs2\tC\tT\t.\t.\t\0"), "expected text without NUL bytes"),
    "NUL in a name": (GOOD.replace("\tC\n", "\tC\0\n", 1), "expected text without NUL bytes"),
    "NUL in a call": (GOOD.replace("1|1:2", "1|1:\0"), "expected text without NUL bytes"),
    "NUL for a call": (GOOD.replace("0|1\t1|1\t0|0", "0|1\t1\0001\t0|0"), "site 1:10: "),
    "NUL behind": (GOOD + "\0\n", "after site 2:5: expected text without NUL bytes"),
    "an empty line between": (GOOD.replace("1\t20", "\n1\t20"), "after site 1:10: .* an empty line between records"),
    "many empty lines between": (GOOD.replace("2\t5", "\n\n\n2\t5"), "after site 1:20: .* an empty line between"),
    "a line of spaces": (GOOD + "  \n", "after site 2:5: expected 12 columns, as the header has, found 1"),
    "an empty line in the header": (GOOD.replace("#CHROM", "\n#CHROM"), "expected the column names"),
    "two files": (GOOD + GOOD, "after site 2:5: expected records only behind the header, found a second header"),
    "the header's last line again": (GOOD + GOOD[GOOD.index("#CHROM") :], "after site 2:5: .* found a second header"),
    "a cut last line": (GOOD[:-1], "expected a last line that ends in a line feed, found none: the file is cut"),
    "a cut header": (GOOD[:100], "a line feed, found none: the file is cut"),
    "no record": (GOOD[: GOOD.index("1\t10")], "expected at least one site, found none"),
    "CR only": (GOOD.replace("\n", "\r"), "ends in a line feed, found none"),
    "no contig": (GOOD.replace("1\t20", "\t20"), "after site 1:10: expected a contig, found ''"),
    "a comment": (GOOD.replace("1\t20", "#1\t20"), "after site 1:10: expected a contig, found '#1'"),
    "no id": (GOOD.replace("rs2", ""), "after site 1:10: expected an id, .* found ''"),
    "REF with a digit": (GOOD.replace("\tC\tT", "\tC1\tT"), "site 1:20: expected REF of bases, found 'C1'"),
    "an ALT of nothing": (GOOD.replace("\tC\tT", "\tC\t"), "site 1:20: expected an ALT allele of bases"),
    "an ALT of nothing beside": (GOOD.replace("\tC\tT", "\tC\tT,"), r"site 1:20: .* found '' \(no allele"),
    "an ALT of no letters": (GOOD.replace("\tC\tT", "\tC\t-"), r"site 1:20: .* found '-' \(no allele\)"),
    "other bytes": (GOOD.replace("rs2", "rs\udcff"), "after site 1:10: expected UTF-8 text"),
    "version 3": (GOOD.replace("VCFv4.2", "VCFv3.3"), r"line 1: expected ##fileformat=VCFv4\.x"),
}  # fmt: skip

UNREAD = ("allele 3 of 2 ALTs", "an allele of none")  # whose sites are refused before their calls by default


@pytest.mark.parametrize("case", DAMAGED)
def test_damaged_text_is_refused_by_any_policy(tmp_path: Path, case: str) -> None:
    text, message = DAMAGED[case]
    for path in forms(text.encode(errors="surrogateescape"), tmp_path, bcf=False):
        for choices in ({}, LENIENT):
            with pytest.raises(FormatError, match=message if choices or case not in UNREAD else "site") as error:
                hf.read(path, policy=choices)
            assert str(error.value).startswith(f"{path}, ") or case in ("no record", "CR only", "a cut header")
            assert "\n" not in str(error.value)
            assert "--policy" not in str(error.value) or choices == {}


MARKED = ["|0|1", "/0|1", "|1/0", "/1/0", "|1", "/0", "|.|.", "/./1"]


@pytest.mark.parametrize("choices", [{}, {"unphased": "keep", "haploid": "double", "missing": "major"}])
@pytest.mark.parametrize("call", MARKED)
def test_a_mark_before_the_first_allele(tmp_path: Path, call: str, choices: dict[str, str]) -> None:
    """VCF 4.4: as without it, in text and BCF."""
    outcomes = []
    for k, middle in enumerate((call[1:], call)):
        records = [f"1\t{10 + j}\t.\tA\tG\t.\t.\t.\tGT\t0|1\t{c}\t1|0" for j, c in enumerate(["1|1", middle, "0|0"])]
        text = (header(["A", "B", "C"]) + "\n".join(records) + "\n").replace("VCFv4.2", "VCFv4.4")
        (tmp_path / f"{k}.vcf").write_text(text)
        for path in (tmp_path / f"{k}.vcf", as_bcf(text, tmp_path / f"{k}.bcf")):
            policy = hf.io.Policy(choices)
            try:
                matrix = hf.read(path, policy=policy)
                outcomes.append((matrix.to_dense().tolist(), matrix.samples.phased.tolist(), policy.changes))
            except FormatError as error:
                outcomes.append((error.expected, error.found, error.where))
    assert all(outcome == outcomes[0] for outcome in outcomes), outcomes
    assert isinstance(outcomes[0][0], str) == (not choices and call not in ("|0|1", "/0|1"))


def test_files_without_text_are_refused(tmp_path: Path) -> None:
    noise = np.random.default_rng(2).bytes(300)
    for path in [path for data in (b"", noise, b"\0" * 200) for path in forms(data, tmp_path, bcf=False)]:
        with pytest.raises(FormatError):
            hf.read(path, policy=LENIENT)
    for path in forms(GOOD.encode(), tmp_path, bcf=False)[1:]:
        path.write_bytes(path.read_bytes() + noise)
        with pytest.raises(FormatError, match=r"gzip|BGZF"):
            hf.read(path, policy=LENIENT)


def test_members_behind_each_other(tmp_path: Path) -> None:
    """Two gzip or BGZF files are one, if the second goes on with records."""
    whole = tmp_path / "whole.vcf"
    whole.write_text(GOOD)
    for cut in (GOOD.index("1\t20"), GOOD.index("2\t5") + 8, 30):
        first, second = GOOD[:cut].encode(), GOOD[cut:].encode()
        packed = tmp_path / "x.vcf.gz"
        packed.write_bytes(gzip.compress(first) + gzip.compress(second))
        assert hf.read(packed).sites == hf.read(whole).sites
        parts = [path.read_bytes() for data in (first, second) for path in [forms(data, tmp_path, bcf=False)[2]]]
        packed.write_bytes(b"".join(parts))
        np.testing.assert_array_equal(hf.read(packed).words, hf.read(whole).words)
    for k in (1, 2):
        path = forms(GOOD.encode(), tmp_path, bcf=False)[k]
        path.write_bytes(path.read_bytes() * 2)
        with pytest.raises(
            FormatError, match=r"after site 2:5: .* found a second header: two files one behind the other"
        ):
            hf.read(path, policy=LENIENT)


def test_a_file_without_its_end_is_refused(tmp_path: Path) -> None:
    """Cut at a line and a block, without the block that ends BGZF."""
    for path in forms(GOOD.encode(), tmp_path)[2:]:
        data = path.read_bytes()
        assert data.endswith(bgzf.EOF_BLOCK)
        path.write_bytes(data.removesuffix(bgzf.EOF_BLOCK))
        with pytest.raises(FormatError, match="the empty block that ends a BGZF file"):
            hf.read(path, policy=LENIENT)


DRESSED = {
    "CR LF": GOOD.replace("\n", "\r\n"),
    "one CR LF": GOOD.replace("0|0\n", "0|0\r\n"),
    "a CR LF behind other keys": GOOD.replace("1|1:2\n", "1|1:2\r\n"),
    "one in the header": GOOD.replace("\tC\n", "\tC\r\n"),
    "a byte-order mark": "\ufeff" + GOOD,
    "empty lines": GOOD + "\n\r\n\n",
    "no ##fileformat": GOOD[GOOD.index("#CHROM") :],
}
NUM_LINES = dict(zip(DRESSED, [GOOD.count("\n"), 1, 1, 1, 1, 3, 1], strict=True))


@pytest.mark.parametrize("case", DRESSED)
def test_other_text_is_accepted_by_policy_only(tmp_path: Path, case: str) -> None:
    whole = tmp_path / "whole.vcf"
    whole.write_text(GOOD)
    for path in forms(DRESSED[case].encode(), tmp_path, bcf=False):
        with pytest.raises(FormatError, match=r"--policy text=accept accepts it$"):
            hf.read(path)
        with pytest.warns(UserWarning, match=rf"{path.name}: {NUM_LINES[case]} odd lines? accepted") as said:
            matrix = hf.read(path, policy={"text": "accept"})
        assert len(said) == 1
        np.testing.assert_array_equal(matrix.words, hf.read(whole).words)
        assert matrix.samples.sample_id.tolist() == ["A", "A", "B", "B", "C", "C"]


# ---------------------------------------------------------------------------------------------------------------- BCF


def taken_apart(path: Path) -> tuple[bytes, bytes]:
    """(header text, records) of a BCF file."""
    data = gzip.decompress(path.read_bytes())
    size = int.from_bytes(data[5:9], "little")
    return data[9 : 9 + size], data[9 + size :]


def put_together(path: Path, text: bytes, body: bytes) -> Path:
    with pysam.BGZFile(str(path), "wb") as sink:
        sink.write(b"BCF\x02\x02" + len(text).to_bytes(4, "little") + text + body)
    return path


def test_damaged_bcf_is_refused_by_any_policy(tmp_path: Path) -> None:
    text, body = taken_apart(as_bcf(GOOD, tmp_path / "good.bcf"))
    whole = b"BCF\x02\x02" + len(text).to_bytes(4, "little") + text + body

    def changed(before: bytes, after: bytes) -> bytes:
        assert len(before) == len(after)
        assert body.count(before) == 1
        return body.replace(before, after)

    place = struct.pack("<iii", 0, 9, 1)  # of 1:10: contig, position from 0, length
    found = re.search(rb"[\x02\x03]\x05[\x04\x05]\x05[\x02\x03]\x03", body)
    assert found
    genotypes = found[0]
    damaged = {
        "one name short": (text.replace(b"\tC\n", b"\n"), body, "site 1:10: expected 2 samples, .* found 3"),
        "one name long": (text.replace(b"\tC\n", b"\tC\tD\n"), body, "site 1:10: expected 4 samples, .* found 3"),
        "a name twice": (text.replace(b"\tC\n", b"\tA\n"), body, "expected each sample name once, found 'A' twice"),
        "NUL in the header": (text.replace(b"\tC\n", b"\tC\0\n"), body, "header: .* found NUL bytes"),
        "CR LF in the header": (text.replace(b"\tC\n", b"\tC\r\n"), body, "header: .* found CR LF"),
        "NUL in an id": (text, changed(b"rs1", b"r\x001"), "site 1:10: expected id without spaces and control"),
        "position 2^31": (
            text, changed(place, struct.pack("<iii", 0, 2**31 - 1, 1)), r"at most 2\^31 - 1"
        ),
        "position 0": (text, changed(place, struct.pack("<iii", 0, -1, 1)), "a position of 1 or more, found 0"),
        "position -5": (text, changed(place, struct.pack("<iii", 0, -6, 1)), "1 or more, found -5"),
        "a comma in ALT": (text, changed(b"\x27TA", b"\x27G,"), "site 2:5: expected 2 alleles, found 'G,' among them"),
        "allele 3 of 2": (text, changed(genotypes, genotypes[:5] + b"\x09"), r"site 1:10: .* found '0\|3' .*one ALT"),
        "a negative allele": (text, changed(genotypes, b"\x80" + genotypes[1:]), "site 1:10: .* for sample 'A'"),
        "no allele": (text, changed(genotypes, b"\x81\x81" + genotypes[2:]), "site 1:10: .* for sample 'A'"),
        "the first allele ended": (text, changed(genotypes, b"\x81" + genotypes[1:]), "site 1:10: .* for sample 'A'"),
        "another contig": (text, changed(place, struct.pack("<iii", 9, 9, 1)), "a contig that"),
        "two files": (text, body + whole, "after site 2:5: expected records only .* found a second header"),
        "bytes behind": (text, body + b"\x01" * 40, "after site 2:5: expected a (BCF|whole) record"),
        "a part of a record": (text, body[:-3], "after site 1:20: expected a whole record, found a part of one"),
        "no record": (text, b"", "expected at least one site, found none"),
        "a contig twice": (text.replace(b"<ID=3", b"<ID=2"), body, "header: expected each contig and its number once"),
        "a contig's number twice": (
            text.replace(b"<ID=3,IDX=2", b"<ID=3,IDX=1"), body, "header: expected each contig and its number once"
        ),
        "a key's number twice": (
            text.replace(b'"g",IDX=1>', b'"g",IDX=0>'), body, "header: expected each key and its number once"
        ),
        "a tab in an id": (text, changed(b"rs1", b"r\t1"), "site 1:10: expected id without spaces and control"),
        "a cut header": (text[:-20], body, "header"),
        "no column names": (text[: text.index(b"#CHROM")], body, "expected the column names"),
    }  # fmt: skip
    for case, (other, records_, message) in damaged.items():
        path = put_together(tmp_path / "x.bcf", other, records_)
        for choices in ({}, LENIENT):
            with pytest.raises(FormatError, match=message) as error:
                hf.read(path, policy=choices)
            assert "\n" not in str(error.value), case
    two = tmp_path / "two.bcf"
    two.write_bytes((tmp_path / "good.bcf").read_bytes() * 2)
    with pytest.raises(FormatError, match=r"after site 2:5: .* found a second header"):
        hf.read(two, policy=LENIENT)
    half = body.index(b"\x37rs2") - 32  # where the second record starts
    with pysam.BGZFile(str(tmp_path / "rest.bcf"), "wb") as sink:
        sink.write(body[half:])
    first = put_together(tmp_path / "first.bcf", text, body[:half])
    two.write_bytes(first.read_bytes() + (tmp_path / "rest.bcf").read_bytes())
    np.testing.assert_array_equal(hf.read(two).words, hf.read(tmp_path / "good.bcf").words)

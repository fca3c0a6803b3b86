"""Odd VCF and BCF by every policy: against a slow reader, bcftools, and what cannot be accepted."""

from __future__ import annotations

import gzip
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
    num_records = int(rng.choice([1, 3, 12, 70]))
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
        with pytest.raises(FormatError, match="at least one site"):
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

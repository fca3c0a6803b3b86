"""``missing=mask``: what is 0 for want of a call, and the mask that says so, of every format with missing calls."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cohorts
import numpy as np
import pysam
import pysam.bcftools
import pytest

import hapforge as hf
from hapforge import interop
from hapforge.errors import FormatError
from hapforge.io import Policy, bgzf, records

NUM_SITES, NUM_PERSONS = 150, 12
POSITIONS = np.arange(1, NUM_SITES + 1) * 10
NAMES = [f"P{i}" for i in range(NUM_PERSONS)]
FORMATS = ("vcf", "vcf.gz", "bcf", "hap", "vcz", "pgen", "bed")


def random_calls(*, whole: bool) -> np.ndarray:
    """Alleles (sites, persons, 2), -1 missing; some sites without any call, some without a gap."""
    rng = np.random.default_rng(3)
    calls = (rng.random((NUM_SITES, NUM_PERSONS, 2)) < rng.random((NUM_SITES, 1, 1))).astype(int)
    gaps = rng.random((NUM_SITES, NUM_PERSONS, 1 if whole else 2)) < rng.choice([0, 0.1, 0.5], (NUM_SITES, 1, 1))
    gaps[7] = True
    return np.where(gaps, -1, calls)


def written(folder: Path, kind: str, calls: np.ndarray) -> Path:
    """The calls as a file of one kind, by hand or by another tool."""
    path = folder / f"x.{kind}"
    texts = np.array(["0", "1", "."])[calls]
    if kind in ("vcf", "vcf.gz", "bcf"):
        lines = ["##fileformat=VCFv4.2", "##contig=<ID=1>", '##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']
        lines += ["\t".join(["#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT", *NAMES])]
        for position, row in zip(POSITIONS, texts, strict=True):
            lines.append("\t".join([f"1\t{position}\t.\tA\tC\t.\t.\t.\tGT", *("|".join(pair) for pair in row)]))
        (folder / "t.vcf").write_text("\n".join(lines) + "\n")
        form = {"vcf": "-Ov", "vcf.gz": "-Oz", "bcf": "-Ob"}[kind]
        pysam.bcftools.view(form, "-o", str(path), str(folder / "t.vcf"), catch_stdout=False)
        if kind != "vcf":
            pysam.tabix_index(str(path), preset="vcf", force=True, csi=kind == "bcf")
    elif kind == "hap":
        rows = texts.reshape(NUM_SITES, -1)
        path.write_text("".join(" ".join(row).replace(".", "?") + "\n" for row in rows))
        legend = "".join(f"1:{position}_A_C {position} A C\n" for position in POSITIONS)
        (folder / "x.legend").write_text("id position a0 a1\n" + legend)
        (folder / "x.sample").write_text("sample population group sex\n" + "".join(f"{n} A B 1\n" for n in NAMES))
    elif kind == "vcz":
        zarr = pytest.importorskip("zarr")
        group = zarr.create_group(path, zarr_format=2)
        for name, values in {
            "call_genotype": calls.astype(np.int8),
            "call_genotype_phased": np.ones(calls.shape[:2], bool),
            "variant_position": POSITIONS,
            "variant_contig": np.zeros(NUM_SITES, int),
            "variant_allele": np.array([["A", "C"]] * NUM_SITES, np.dtypes.StringDType()),
            "sample_id": np.array(NAMES, np.dtypes.StringDType()),
            "contig_id": np.array(["1"], np.dtypes.StringDType()),
        }.items():
            chunks = (64, 5, 2)[: values.ndim] if name.startswith("call") else values.shape
            group.create_array(name, shape=values.shape, dtype=values.dtype, chunks=chunks,
                               config={"write_empty_chunks": True})[...] = values  # fmt: skip
    elif kind == "pgen":
        pgen_files = pytest.importorskip("pgen_files")
        alleles = np.where(calls < 0, -9, calls).reshape(NUM_SITES, -1)
        pgen_files.write_pgen(folder, alleles, np.ones(calls.shape[:2], bool), [2] * NUM_SITES)
        lines = [f"1\t{position}\t.\tA\tC\n" for position in POSITIONS]
        (folder / "x.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(lines))
        (folder / "x.psam").write_text("#IID\n" + "".join(f"{name}\n" for name in NAMES))
    else:
        code = np.where((calls < 0).any(axis=2), 1, np.array([3, 2, 0])[np.maximum(calls, 0).sum(axis=2)])
        rows = [sum(int(c) << (2 * i) for i, c in enumerate(row)).to_bytes(-(-len(row) // 4), "little") for row in code]
        path.write_bytes(b"\x6c\x1b\x01" + b"".join(rows))
        (folder / "x.bim").write_text("".join(f"1\t.\t0\t{position}\tC\tA\n" for position in POSITIONS))
        (folder / "x.fam").write_text("".join(f"0\t{name}\t0\t0\t0\t-9\n" for name in NAMES))
    return path


@pytest.mark.parametrize("kind", FORMATS)
def test_masks_of_every_format(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_TRANSPOSED", 64)  # some pieces
    calls = random_calls(whole=kind in ("pgen", "bed"))
    path = written(tmp_path, kind, calls)
    with pytest.raises(FormatError, match=r"missing\) for sample .*; --policy missing=skip\|major accepts it"):
        hf.read(path, policy=Policy({"unphased": "keep"}))
    if kind == "bed":  # an order of the alleles of a person that the format does not have
        calls = np.where(calls < 0, -1, np.sort(calls, axis=2))
    for selection in ({}, {"region": "1:300-1,250"}, {"samples": ["P2", "P11", "P7"]}, {"maf": 0.3},
                      {"region": "1:20-700", "samples": ["P9", "P1"], "maf": 0.5}):  # fmt: skip
        wanted = calls
        kept = np.ones(NUM_SITES, bool)
        if "region" in selection:
            start, end = (int(end.replace(",", "")) for end in str(selection["region"])[2:].split("-"))
            kept = (start <= POSITIONS) & (end >= POSITIONS)
        if "samples" in selection:
            wanted = wanted[:, [name in selection["samples"] for name in NAMES]]
        if "maf" in selection:
            number, ones = (wanted >= 0).sum(axis=(1, 2)), (wanted == 1).sum(axis=(1, 2))
            kept &= (number > 0) & (np.minimum(ones, number - ones) >= selection["maf"] * number)
        rows = wanted[kept].reshape(kept.sum(), -1).T
        policy = Policy({"missing": "mask", "unphased": "keep"})
        matrix = hf.read(path, policy=policy, **selection)
        np.testing.assert_array_equal(matrix.to_dense(), rows == 1)
        assert matrix.sites.position.tolist() == POSITIONS[kept].tolist()
        if (rows >= 0).all():
            assert policy.observed is None
            continue
        assert policy.observed is not None
        np.testing.assert_array_equal(policy.observed.words, hf.HaplotypeMatrix.from_dense(rows >= 0).words)
        assert policy.observed.sites == matrix.sites
        assert policy.observed.samples.haplotype_id.tolist() == matrix.samples.haplotype_id.tolist()
        gaps = {"alleles": (rows < 0).sum(), "sites": (rows < 0).any(axis=0).sum()}
        assert policy.changes["missing"] == gaps
        assert f"{gaps['alleles']} missing alleles masked at {gaps['sites']} sites" in policy.summary()


def test_where_nothing_is_missing_there_is_no_mask(tmp_path: Path) -> None:
    calls = random_calls(whole=True)
    path = written(tmp_path, "vcf", calls)
    policy = Policy({"missing": "mask"})
    hf.read(path, policy=policy)
    assert policy.observed is not None
    whole = hf.read(written(tmp_path, "vcf", np.abs(calls)), policy=policy)
    assert policy.observed is None  # of what was read last
    assert np.array_equal(whole.to_dense(), np.abs(calls).reshape(NUM_SITES, -1).T)


def test_masks_go_with_sorted_sites(tmp_path: Path) -> None:
    path = written(tmp_path, "vcf", calls := random_calls(whole=False))
    lines = path.read_text().splitlines(keepends=True)
    body = [line for line in lines if line[0] != "#"]
    order = np.random.default_rng(1).permutation(NUM_SITES)
    path.write_text("".join([*(line for line in lines if line[0] == "#"), *(body[k] for k in order)]))
    policy = Policy({"missing": "mask", "unsorted": "sort"})
    matrix = hf.read(path, policy=policy)
    rows = calls.reshape(NUM_SITES, -1).T
    np.testing.assert_array_equal(matrix.to_dense(), rows == 1)
    assert policy.observed is not None
    np.testing.assert_array_equal(policy.observed.to_dense(), rows >= 0)


def test_half_missing_calls_that_are_not_phased(tmp_path: Path) -> None:
    """Which haplotype was called is not known: the person is not phased, and without unphased=keep it is refused."""
    path = written(tmp_path, "vcf", random_calls(whole=True)[:, :, :])
    head = [line for line in path.read_text().splitlines() if line[0] == "#"]
    calls = ["0/.", "./1", "./.", ".", "0/0", "0|.", *["1|0"] * 6]
    path.write_text("\n".join([*head, "\t".join(["1\t5\t.\tA\tC\t.\t.\t.\tGT", *calls])]) + "\n")
    policy = Policy({"missing": "mask", "unphased": "keep", "haploid": "double"})
    matrix = hf.read(path, policy=policy)
    assert matrix.to_dense()[:, 0].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, *[1, 0] * 6]
    assert policy.observed is not None
    assert policy.observed.to_dense()[:, 0].tolist() == [1, 0, 0, 1, 0, 0, 0, 0, 1, 1, 1, 0, *[1] * 12]
    assert matrix.samples.phased.tolist() == [False, False, *[True] * 10]
    with pytest.raises(FormatError, match=r"found '0/\.' \(not phased\) for sample 'P0'"):
        hf.read(path, policy=Policy({"missing": "mask", "haploid": "double"}))


def test_a_mapping_has_no_place_for_a_mask(tmp_path: Path) -> None:
    message = (
        "policy: expected a hapforge.io.Policy for missing=mask, whose `observed` is then the mask, found a mapping"
    )
    for call in (
        lambda: hf.read(tmp_path / "none.vcf", policy={"missing": "mask"}),
        lambda: interop.from_xarray({}, policy={"missing": "mask"}),
        lambda: interop.from_tree_sequence(None, policy={"missing": "mask"}),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.slow
def test_memory_of_a_mask(tmp_path: Path) -> None:
    """At most three times the packed size and some MiB: cohort, mask, and one of them once more on the way."""
    num_persons, num_sites = 8000, 12_800
    words = np.zeros((2 * num_persons, num_sites // 64), np.uint64)
    words[:, ::7] = np.random.default_rng(5).integers(0, 2**63, (len(words), 29), dtype=np.uint64)
    path = tmp_path / "x.bcf"
    hf.write(hf.HaplotypeMatrix(words, hf.Sites(num_sites=num_sites)), path)
    data = bytearray(b"".join(bgzf.read_chunks(path)))
    size = 9 + int.from_bytes(data[5:9], "little")
    length = (len(data) - size) // num_sites
    assert size + length * num_sites == len(data)
    for end in range(size + length, len(data) + 1, 16 * length):
        data[end - 2 : end] = b"\0\1"  # .|. of the last person, at every 16th site
    with bgzf.BgzfWriter(path) as sink:
        sink.write(bytes(data))
    code = (
        f"import sys, hapforge as hf\n{cohorts.MOST_MEMORY}\n"
        "hf.read(sys.argv[2], policy=hf.io.Policy({'missing': 'mask'}))\n"
        "before, policy = most(), hf.io.Policy({'missing': 'mask'})\n"
        "hf.read(sys.argv[1], policy=policy)\n"
        "assert policy.changes == {'missing': {'alleles': 1600, 'sites': 800}}\n"
        "print(most() - before)"
    )
    small = written(tmp_path, "vcf", random_calls(whole=True))
    result = subprocess.run([sys.executable, "-c", code, path, small], capture_output=True, text=True, check=True)
    assert words.nbytes < int(result.stdout) * 1024 < 3 * words.nbytes + (48 << 20)

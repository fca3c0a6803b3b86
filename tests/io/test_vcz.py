"""VCF Zarr: against bio2zarr, vcztools and zarr, missing chunks, damage, what is refused."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import tracemalloc
import warnings
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cohorts
import format_cases
import numpy as np
import pytest
from damage import damaged, in_a_child
from hypothesis import given, settings

import hapforge as hf
from hapforge import io
from hapforge.errors import ChecksumError, FormatError
from hapforge.io import vcz

ODD = """##fileformat=VCFv4.2
##contig=<ID=1>
##contig=<ID=2>
##contig=<ID=3>
##FORMAT=<ID=GT,Number=1,Type=String,Description="g">
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT\tA\tB\tC
1\t7\trs0\tA\tG\t.\t.\t.\tGT\t0|0\t0|0\t0|0
1\t8\t.\tA\tC\t.\t.\t.\tGT\t0|0\t0|0\t0|0
2\t10\trs1\tA\tG\t.\t.\t.\tGT\t0|1\t1|1\t0|0
2\t20\t.\tAC\tG,T\t.\t.\t.\tGT\t2|0\t0|0\t1|1
2\t30\t.\tA\t<DEL>\t.\t.\t.\tGT\t.|0\t0/0\t1|.
2\t40\tx\tA\tT\t.\t.\t.\tGT\t0/1\t0/0\t1|0
3\t5\trs3\tT\tTA\t.\t.\t.\tGT\t0\t0|1\t1|0
3\t5\trs4\tT\tTA\t.\t.\t.\tGT\t0|1\t0|1\t1|0
3\t9\trs5\tA\tC\t.\t.\t.\tGT\t0|1\t1|1\t0|0
"""
LENIENT = {
    "multiallelic": "split",
    "symbolic": "keep",
    "unphased": "keep",
    "missing": "major",
    "haploid": "double",
    "duplicate": "skip",
    "chunks": "fill",
}


def run(*command: str) -> str:
    """What a Python program prints."""
    return subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same odd records as VCF, and as bio2zarr makes VCF Zarr of it in Zarr v2 and v3."""
    pytest.importorskip("bio2zarr")
    import pysam

    folder = tmp_path_factory.mktemp("odd")
    (folder / "x.vcf").write_text(ODD)
    pysam.tabix_index(str(folder / "x.vcf"), preset="vcf", force=True, keep_original=True)
    script = (
        "import sys, bio2zarr.vcf as v\n"
        "v.explode(sys.argv[1] + '/x.icf', [sys.argv[1] + '/x.vcf.gz'])\n"
        "for z in (2, 3):\n"
        "    v.encode(sys.argv[1] + '/x.icf', f'{sys.argv[1]}/{z}.vcz', variants_chunk_size=2, samples_chunk_size=2,"
        " zarr_format=z)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder)], check=True, capture_output=True)
    return {"vcf": folder / "x.vcf", "2": folder / "2.vcz", "3": folder / "3.vcz"}


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks both ways in a small cohort."""
    monkeypatch.setattr(vcz, "_SITES", 64)
    monkeypatch.setattr(vcz, "_PERSONS", 3)


def write(matrix: hf.HaplotypeMatrix, path: Path, zarr_format: int | None = None) -> Path:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hf.write(matrix, path, zarr_format=zarr_format)
    return path


def zipped(store: Path, path: Path, method: int = zipfile.ZIP_DEFLATED, top: str = "") -> Path:
    """A zip of a store."""
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(store.rglob("*")):
            archive.write(file, top + file.relative_to(store).as_posix())
    return path


# -------------------------------------------------------------------------------------------------------- as others do


@settings(max_examples=5, deadline=None)
@given(cohorts.cohorts(diploid=True))
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, form in (("x.vcz", None), ("y.vcz", 3), ("x.vcz.zip", 2), ("y.vcz.zip", 3)):
            path = write(matrix, Path(folder) / name, form)
            cohorts.assert_same(hf.read(path), matrix, labels=False)
            assert io.format_of_content(path) == "vcz"


@pytest.mark.parametrize("form", ["2", "3"])
@pytest.mark.parametrize("choice", range(8))
def test_what_bio2zarr_wrote_is_what_its_vcf_says(odd: dict[str, Path], form: str, choice: int) -> None:
    """The same matrix and the same counts by any policy."""
    rows = itertools.product(("split", "major"), ("major", "skip"), ("double", "skip"))
    multiallelic, missing, haploid = list(rows)[choice]
    choices = {**LENIENT, "multiallelic": multiallelic, "missing": missing, "haploid": haploid}
    mine, theirs = io.Policy(choices), io.Policy(choices)
    for part in ({}, {"region": "2:20-40"}, {"samples": ["C", "A"]}, {"maf": 0.3, "region": "3"}):
        expected = hf.read(odd["vcf"], policy=theirs, **part)
        cohorts.assert_same(hf.read(odd[form], policy=mine, **part), expected)
    assert mine.changes.pop("chunks")["chunks"] > 0
    assert mine.changes == theirs.changes


@pytest.mark.parametrize("form", ["2", "3"])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("top", ["", "x.vcz/"])
def test_what_bio2zarr_wrote_zipped(odd: dict[str, Path], tmp_path: Path, form: str, method: int, top: str) -> None:
    path = zipped(odd[form], tmp_path / "x.vcz.zip", method, top)
    for part in ({}, {"region": "2:20-40", "samples": ["C", "A"]}):
        expected = hf.read(odd["vcf"], policy=io.Policy(LENIENT), **part)
        cohorts.assert_same(hf.read(path, policy=io.Policy(LENIENT), **part), expected)
    taken: list[int] = []
    hf.read(path, policy=io.Policy(LENIENT), progress=taken.append)
    assert 0 < sum(taken) <= io.size_of(path)


@pytest.mark.parametrize("form", ["2", "3"])
@pytest.mark.parametrize("kind", ["multiallelic", "symbolic", "unphased", "missing", "haploid", "duplicate"])
def test_odd_records_are_refused_as_in_vcf(odd: dict[str, Path], form: str, kind: str) -> None:
    choices = {**LENIENT, "missing": "skip", kind: "error"}
    with pytest.raises(FormatError) as expected:
        hf.read(odd["vcf"], policy=choices)
    with pytest.raises(FormatError) as found:
        hf.read(odd[form], policy=choices)
    assert str(found.value).partition(",")[2] == str(expected.value).partition(",")[2]


@pytest.mark.parametrize(("name", "form"), [("x.vcz", 2), ("x.vcz", 3), ("x.vcz.zip", 3)])
def test_what_is_written_by_other_readers(
    tmp_path: Path, small_cohort: hf.HaplotypeMatrix, small_chunks: None, form: int, name: str
) -> None:
    zarr = pytest.importorskip("zarr")
    xarray = pytest.importorskip("xarray")
    pytest.importorskip("vcztools")
    phased = np.arange(10) != 4
    samples = hf.Samples(20, sample_id=small_cohort.samples.sample_id, phased=phased)
    matrix = hf.HaplotypeMatrix(small_cohort.words, small_cohort.sites, samples)
    path = write(matrix, tmp_path / name, form)
    store = zarr.storage.ZipStore(path, mode="r") if path.suffix == ".zip" else path
    group = zarr.open_group(store, mode="r", use_consolidated=True)
    assert group.metadata.zarr_format == form
    assert group["call_genotype"].chunks == (64, 3, 2)
    genotypes = group["call_genotype"][:]
    np.testing.assert_array_equal(genotypes.reshape(130, 20).T, matrix.to_dense())
    assert (group["call_genotype_phased"][:] == phased).all()
    assert group["variant_position"][:].tolist() == matrix.sites.position.tolist()
    assert group["variant_id"][:].tolist() == matrix.sites.id.tolist()
    assert group["region_index"][:].tolist() == [
        [0, 0, 100, 6400, 6400, 64],
        [1, 0, 6500, 7000, 7000, 6],
        [1, 1, 50, 2900, 2900, 58],
        [2, 1, 2950, 3000, 3000, 2],
    ]
    for name, array in group.arrays():
        if path.suffix != ".zip":  # zarr's ZipStore takes variant_id_mask for a part of variant_id
            assert array.nchunks == array.nchunks_initialized, name
        assert array.attrs["_ARRAY_DIMENSIONS"] if form == 2 else array.metadata.dimension_names
    with xarray.open_zarr(store, consolidated=True, chunks=None) as dataset:
        assert dataset.call_genotype.dims == ("variants", "samples", "ploidy")
        np.testing.assert_array_equal(dataset.call_genotype.values, genotypes)
        assert dataset.variant_allele.values[:, 1].tolist() == matrix.sites.alt.tolist()
    (tmp_path / "x.vcf").write_text(run("vcztools", "view", str(path)))
    cohorts.assert_same(hf.read(tmp_path / "x.vcf", policy=io.Policy({"unphased": "keep"})), matrix)
    if form == 3:
        return
    part = run("vcztools", "view", str(path), "-r", "2:2900-2950", "-H")
    assert [line.split("\t")[1] for line in part.splitlines()] == ["2900", "2950"]


def test_names_and_alleles_through_vcztools(tmp_path: Path) -> None:
    pytest.importorskip("vcztools")
    matrix = hf.HaplotypeMatrix.from_dense(
        [[0, 1, 1], [1, 0, 1]], contig=["chr1", "chr1", "2"], ref=["A", ".", "AC"], alt=["GT", ".", "C"], ids="x1"
    )
    path = write(matrix, tmp_path / "x.vcz")
    (tmp_path / "x.vcf").write_text(run("vcztools", "view", str(path)), encoding="utf-8")
    cohorts.assert_same(hf.read(tmp_path / "x.vcf"), matrix)
    cohorts.assert_same(hf.read(path), matrix)


@pytest.mark.slow
def test_real_chr20_through_bio2zarr(shared_data: Path, tmp_path: Path) -> None:
    pytest.importorskip("bio2zarr")
    source = shared_data / "eur_chr20_ref300.vcf.gz"
    run("bio2zarr", "vcf2zarr", "convert", str(source), str(tmp_path / "x.vcz"), "--no-progress")
    matrix = hf.read(source)
    cohorts.assert_same(hf.read(tmp_path / "x.vcz"), matrix)
    part = hf.read(tmp_path / "x.vcz", "20:2,000,000-2,100,000")
    cohorts.assert_same(part, hf.read(source, "20:2,000,000-2,100,000"))


@pytest.mark.parametrize("separator", [".", "/"])
def test_other_layouts(tmp_path: Path, separator: str) -> None:
    """As older sgkit writes it: packed booleans, text of fixed width, other chunks for every array, Fortran order."""
    zarr, numcodecs = pytest.importorskip("zarr"), pytest.importorskip("numcodecs")
    rng = np.random.default_rng(1)
    genotypes = rng.integers(0, 2, (30, 5, 2), dtype=np.int8)
    arrays: dict[str, tuple[Any, tuple[int, ...], dict[str, Any]]] = {
        "call_genotype": (genotypes, (7, 2, 1), {"compressors": numcodecs.Zstd(), "order": "F"}),
        "call_genotype_phased": (np.ones((30, 5), bool), (8, 4), {"filters": [numcodecs.PackBits()]}),
        "variant_position": (np.arange(1, 31, dtype=">i8"), (4,), {"compressors": numcodecs.Zlib()}),
        "variant_contig": (np.repeat([0, 1], 15).astype(np.int16), (30,), {"filters": [numcodecs.Delta("<i2")]}),
        "variant_allele": (np.array([["A", "C"]] * 30, "S1"), (11, 1), {"compressors": None}),
        "variant_id": (np.array([f"é{j}" for j in range(30)]), (9,), {}),
        "sample_id": (np.array(list("abcde")), (2,), {}),
        "contig_id": (np.array(["1", "2"]), (2,), {}),
    }
    group = zarr.create_group(tmp_path / "x.zarr", zarr_format=2)
    for name, (values, chunks, extra) in arrays.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            made = group.create_array(
                name,
                shape=values.shape,
                chunks=chunks,
                dtype=values.dtype,
                chunk_key_encoding={"name": "v2", "separator": separator},
                config={"write_empty_chunks": True},
                **extra,
            )
            made[...] = values
    matrix = hf.read(tmp_path / "x.zarr")
    np.testing.assert_array_equal(matrix.to_dense(), genotypes.reshape(30, 10).T)
    assert matrix.sites.position.tolist() == list(range(1, 31))
    assert matrix.sites.contig.tolist() == ["1"] * 15 + ["2"] * 15
    assert matrix.sites.id.tolist() == [f"é{j}" for j in range(30)]
    assert matrix.sites.alt.tolist() == ["C"] * 30
    assert matrix.samples.sample_id[::2].tolist() == list("abcde")


# --------------------------------------------------------------------------------------------------- chunks and damage


@pytest.mark.parametrize("sums", [True, False])
def test_a_missing_file_is_an_error(
    tmp_path: Path, small_cohort: hf.HaplotypeMatrix, small_chunks: None, sums: bool
) -> None:
    """But for files that are not read, and without checksums for those that others stand in for."""
    path = write(small_cohort, tmp_path / "x.vcz")
    expected = hf.read(path)
    unread = {".zattrs", ".zgroup", ".zmetadata", "length", "region_index", "call_genotype_mask", "hapforge.sha256"}
    if not sums:
        (path / vcz._SUMS).unlink()
        unread |= {"variant_id_mask/0", "variant_id_mask/1", "variant_id_mask/2"}  # the ids say it
        unread |= {"variant_contig/0"}  # region_index says it
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        data = file.read_bytes()
        file.unlink()
        name = file.relative_to(path).as_posix()
        if name in unread or file.name in unread or file.parent.name in unread or "variant_length" in name:
            if not (sums and name == "variant_position/.zattrs"):
                cohorts.assert_same(hf.read(path), expected)
        else:
            with pytest.raises(FormatError) as error:
                hf.read(path)
            assert str(path) in str(error.value)
        file.write_bytes(data)
    cohorts.assert_same(hf.read(path), expected)


def test_chunks_that_bio2zarr_left_out(odd: dict[str, Path], tmp_path: Path) -> None:
    """Those of calls by the policy only; those of contigs where something else says what they are."""
    for form in ("2", "3"):
        with pytest.raises(FormatError, match="a chunk of the calls, found none; --policy chunks=fill accepts it"):
            hf.read(odd[form], policy={**LENIENT, "chunks": "error"})
        copy = tmp_path / f"{form}.vcz"
        shutil.copytree(odd[form], copy)
        policy = io.Policy(LENIENT)
        hf.read(copy, policy=policy)
        assert "missing chunks of calls taken as zeros" in policy.summary()
        shutil.rmtree(copy / "region_index")
        with pytest.raises(FormatError, match="several contigs and no region_index"):
            hf.read(copy, policy=LENIENT)
        shutil.copytree(odd[form] / "region_index", copy / "region_index")
        number = copy / "variant_contig" / ("c/2" if form == "3" else "2")
        number.unlink()  # of contigs 2 and 3, as region_index says
        with pytest.raises(FormatError, match="several contigs and no region_index"):
            hf.read(copy, policy=LENIENT)


def test_a_region_reads_its_chunks_only(tmp_path: Path, small_cohort: hf.HaplotypeMatrix, small_chunks: None) -> None:
    path = write(small_cohort, tmp_path / "x.vcz")
    expected = hf.read(path, "2:2950-3000")
    (path / "call_genotype" / "0.0.0").write_bytes(b"")
    cohorts.assert_same(hf.read(path, "2:2950-3000"), expected)
    with pytest.raises(ChecksumError, match=r"0\.0\.0: expected the SHA-256 of it"):
        hf.read(path, "1")


def zip_with(path: Path, members: dict[str, bytes]) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w") as archive:
        warnings.simplefilter("ignore")  # of names that repeat
        for name, data in members.items():
            archive.writestr(name.rstrip("?"), data)
    return path


def test_zips_that_are_refused(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    good = write(small_cohort, tmp_path / "good.vcz.zip")
    with zipfile.ZipFile(good) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    name = "call_genotype/0.0.0"
    data, bad = good.read_bytes(), tmp_path / "bad.vcz.zip"
    at = data.index(members[name])
    for changed, message in (
        (data[:-30], "cut or damaged"),
        (data[: len(data) // 2], "cut or damaged"),
        (data + data, "one zip file, found other bytes before or behind it"),
        (data + b"\0", "other bytes before or behind it|cut or damaged"),
        (b"PK\3\4" + data, "other bytes before or behind it"),
        (data[:at] + b"?" + data[at + 1 :], r"0\.0\.0: expected a whole member, found .*Bad CRC"),
    ):
        bad.write_bytes(changed)
        with pytest.raises(FormatError, match=message):
            hf.read(bad)
    del members["call_genotype/hapforge.sha256"]
    for more, message in (
        ({"x/call_genotype/.zarray": b""}, "expected one VCF Zarr store in the zip, found 2"),
        ({"call_genotype/.zarray?": b""}, r"\.zarray: expected each member once"),
    ):
        with pytest.raises(FormatError, match=message):
            hf.read(zip_with(bad, {**members, **more}))
    del members[name]
    with pytest.raises(FormatError, match=r"0\.0\.0: expected a chunk of the calls, found none"):
        hf.read(zip_with(bad, members))
    with zipfile.ZipFile(bad, "w", zipfile.ZIP_BZIP2) as archive:
        archive.writestr("call_genotype/.zarray", b"{}")
    with pytest.raises(FormatError, match="a member that is stored or deflated"):
        hf.read(bad)


@pytest.mark.parametrize("seed", [6, *(pytest.param(100 + k, marks=pytest.mark.slow) for k in range(12))])
def test_damage_without_checksums(odd: dict[str, Path], tmp_path: Path, seed: int) -> None:
    """Damage to a store of bio2zarr with odd records, by lenient rules: a matrix or one line, no crash, no hang."""
    rng = np.random.default_rng(seed)
    for form in ("2", "3"):
        path = tmp_path / f"{form}.vcz"
        shutil.copytree(odd[form], path)
        files = sorted(p for p in path.rglob("*") if p.is_file() and "length" not in p.parts)

        def work(path: Path = path, files: list[Path] = files) -> Iterator[str]:
            for k in range(100):
                file = files[k % len(files)]
                data = file.read_bytes()
                file.write_bytes(damaged(data, rng))
                try:
                    hf.read(path, policy=io.Policy(LENIENT))
                    yield ""
                except FormatError as error:
                    yield str(error)
                file.write_bytes(data)

        said = in_a_child(work, tmp_path / "report")
        assert len(said) == 100, said
        assert sum(bool(line) for line in said) > 30
        assert not any("\n" in line for line in said)


def changed_json(file: Path, **changes: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


def test_a_field_that_zarr_3_does_not_know(tmp_path: Path, rng: np.random.Generator) -> None:
    path = tmp_path / "x.vcz"
    format_cases.write_vcz_3(path, rng)
    expected = hf.read(path)
    file = path / "variant_id" / "zarr.json"
    changed_json(file, other={"must_understand": False})
    cohorts.assert_same(hf.read(path), expected)
    for value in (1, {}, {"must_understand": True}):
        changed_json(file, other=value)
        with pytest.raises(FormatError, match="expected the metadata of a Zarr array"):
            hf.read(path)


def test_what_is_refused(tmp_path: Path, small_cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    good = write(small_cohort, tmp_path / "good.vcz")
    (good / vcz._SUMS).unlink()
    blosc = {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1, "blocksize": 0}
    for name, changes, message in (
        ("call_genotype", {"shape": [130, 10, 3], "chunks": [130, 10, 3]}, r"a chunk of a Zarr array|a chunk of"),
        ("call_genotype", {"shape": [130, 11, 2]}, r"booleans of shape \(130, 11\)|texts of shape \(11,\)"),
        ("call_genotype", {"dtype": "|u1"}, r"integers \(variants, samples, ploidy\), found uint8"),
        ("call_genotype", {"chunks": [0, 1, 2]}, "a shape, and chunks"),
        ("call_genotype", {"chunks": [10**9, 10, 2]}, "a shape, and chunks of less than 2 GiB"),
        ("call_genotype", {"compressor": {"id": "pickle"}}, "the metadata of a Zarr array"),
        ("variant_allele", {"filters": [{"id": "pickle"}]}, "the metadata of a Zarr array"),
        ("variant_allele", {"filters": None}, "the metadata of a Zarr array"),
        (
            "variant_position",
            {"dtype": "<f4"},
            "the metadata of a Zarr array",
        ),
        ("variant_position", {"dtype": "<i8"}, "a chunk of a Zarr array"),
        ("sample_id", {"compressor": {**blosc, "id": "no"}}, "the metadata of a Zarr array"),
    ):
        path = tmp_path / "bad.vcz"
        shutil.copytree(good, path)
        changed_json(path / name / ".zarray", **changes)
        with pytest.raises(FormatError, match=message):
            hf.read(path)
        shutil.rmtree(path)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("call_genotype", [[[-2, 0]]], r"diploid calls .*, found '-2\|0' for sample 'P'"),
        ("call_genotype", [[[0, 2]]], r"alleles 0 to 1, found '0\|2' \(there is one ALT allele\) for sample 'P'"),
        ("call_genotype", [[[0, 1, 0]]], r"found '0\|1\|0' for sample 'P'"),
        ("call_genotype", [[[0]]], r"'0' \(haploid\) for sample 'P'"),
        ("call_genotype_phased", [[False]], r"'0/1' \(not phased\) for sample 'P'"),
        ("variant_contig", [1], "variant_contig from 0 to 0, found 1 at position 5"),
        ("variant_contig", [-1], "variant_contig from 0 to 0, found -1 at position 5"),
        ("variant_position", [0], "a position of 1 or more, found 0"),
        ("variant_allele", [["A", "", "C"]], "empty alleles behind the others only, found one before"),
        ("variant_allele", [["A", "C,T"]], "alleles without commas, found 'C,T'"),
        ("variant_allele", [["", "C"]], "REF of bases, found ''"),
        ("variant_allele", [["A"]], r"an ALT allele of bases, found '\.' \(missing\)"),
        ("contig_id", [""], "names, found an empty one"),
        ("sample_id", ["P", "P"], r"texts of shape \(1,\)"),
    ],
)
@pytest.mark.parametrize("version", [2, 3])
def test_values_that_are_refused(tmp_path: Path, name: str, value: Any, message: str, version: int) -> None:
    zarr = pytest.importorskip("zarr")
    arrays: dict[str, Any] = {
        "call_genotype": np.array([[[0, 1]]], np.int8),
        "call_genotype_phased": np.array([[True]]),
        "variant_position": np.array([5]),
        "variant_contig": np.array([0]),
        "variant_allele": np.array([["A", "C"]], np.dtypes.StringDType()),
        "sample_id": np.array(["P"], np.dtypes.StringDType()),
        "contig_id": np.array(["1"], np.dtypes.StringDType()),
    }

    def made(path: Path) -> Path:
        group = zarr.create_group(path, zarr_format=version)
        for key, values in arrays.items():
            group.create_array(key, data=values, config={"write_empty_chunks": True})
        return path

    assert hf.read(made(tmp_path / "good.vcz")).to_dense().tolist() == [[0], [1]]
    arrays[name] = np.array(value, arrays[name].dtype)
    with pytest.raises(FormatError, match=message):
        hf.read(made(tmp_path / "bad.vcz"))


def test_sharded_arrays_are_refused(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    group = zarr.create_group(tmp_path / "x.vcz", zarr_format=3)
    group.create_array("call_genotype", shape=(4, 2, 2), chunks=(2, 2, 2), shards=(4, 2, 2), dtype="i1")
    with pytest.raises(FormatError, match="sharding_indexed"):
        hf.read(tmp_path / "x.vcz")


# ------------------------------------------------------------------------------------------------------------- writing


def test_what_cannot_be_written(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    path = tmp_path / "x.vcz"
    odd_number = small_cohort.select_haplotypes(np.arange(3))
    with pytest.raises(ValueError, match="two haplotypes for each person to write as VCF Zarr"):
        hf.write(odd_number, path)
    with pytest.raises(ValueError, match=r"expected rows 2i and 2i . 1 to be one person"):
        hf.write(small_cohort.select_haplotypes([0, 2, 1, 3]), path)
    assert not path.exists()
    with pytest.warns(UserWarning, match=r"labels \(population\): lost, VCF Zarr has no place for it"):
        hf.write(small_cohort, path)
    (tmp_path / "other.zarr").mkdir()
    (tmp_path / "other.zarr" / "mine.txt").write_text("dear")
    with pytest.raises(ValueError, match="expected a VCF Zarr store, an empty folder or nothing there"):
        hf.write(small_cohort, tmp_path / "other.zarr")
    hf.write(small_cohort, tmp_path / "x.hapz")
    (tmp_path / "x.hapz").rename(tmp_path / "y.zarr")
    with pytest.raises(ValueError, match="expected a VCF Zarr store"):
        hf.write(small_cohort, tmp_path / "y.zarr")
    with pytest.raises(ValueError, match="zarr_format: expected 2 or 3, found 4"):
        hf.write(small_cohort, tmp_path / "z.vcz", zarr_format=4)
    with pytest.raises(ValueError, match=r"zarr_format: expected VCF Zarr \(\.vcz\) for it"):
        hf.write(small_cohort, tmp_path / "z.bcf", zarr_format=3)
    assert io.format_of_content(tmp_path / "y.zarr") == "hapz"


def peak(work: Callable[[], object]) -> int:
    """Bytes that are traced at most while something is done."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("width", [2, 126, 128, 130, 1000, 3000, 20_000])
@pytest.mark.parametrize("height", [1, 7, 64, 65, 200])
def test_chunks_that_are_put_together(width: int, height: int) -> None:
    """Blosc unpacks them to what was packed; random, all 0 and all 1."""
    from numcodecs import blosc

    rng = np.random.default_rng(width + height)
    for values in (rng.integers(0, 2, (height, width), np.uint8), *(np.full((height, width), k, "u1") for k in (0, 1))):
        packed = vcz._packed_calls(values[at : at + 64].copy() for at in range(0, height, 64))
        np.testing.assert_array_equal(np.frombuffer(blosc.decompress(packed), np.uint8).reshape(values.shape), values)
        vcz._check_blosc(packed, values.nbytes)


def test_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the matrix, writing takes less than a chunk; reading takes two matrices and a chunk."""
    monkeypatch.setattr(vcz, "_PERSONS", 1000)
    words = np.random.default_rng(1).integers(0, 2**63, (4000, 64), dtype=np.uint64)  # nothing to compress in the bits
    position = np.arange(1, 64 * 64 + 1)
    matrix = hf.HaplotypeMatrix(words, hf.Sites(position, ref=["A"] * len(position), alt=["C"] * len(position)))
    chunk, packed = 1024 * 2000, words.nbytes
    for name in ("x.vcz", "x.vcz.zip"):
        path = write(matrix.select_haplotypes([0, 1]), tmp_path / name)
        hf.read(path)
        assert peak(lambda path=path: write(matrix, path)) < chunk
        assert peak(lambda path=path: hf.read(path)) < 2 * packed + chunk
        np.testing.assert_array_equal(hf.read(path).words, words)


@pytest.mark.filterwarnings("ignore:.*has no place for it")
def test_an_interrupt_leaves_what_was_there(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    path = tmp_path / "x.vcz"
    hf.write(small_cohort.select_sites(np.arange(5)), path)
    before = hf.read(path)

    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hf.write(small_cohort, path, progress=stop)
    assert os.listdir(tmp_path) == ["x.vcz"]
    cohorts.assert_same(hf.read(path), before)
    written: list[int] = []
    hf.write(small_cohort, path, progress=written.append)
    read: list[int] = []
    cohorts.assert_same(hf.read(path, progress=read.append), small_cohort, labels=False)
    assert sum(written) == 130
    assert 0 < sum(read) <= io.size_of(path)


def test_checksums_are_those_of_sha256sum(tmp_path: Path, small_cohort: hf.HaplotypeMatrix) -> None:
    path = write(small_cohort, tmp_path / "x.vcz")
    lines = (path / "call_genotype" / "hapforge.sha256").read_text().splitlines()
    for line in lines:
        digest, name = line.split("  ")
        assert hashlib.sha256((path / name).read_bytes()).hexdigest() == digest
    names = {line[66:] for line in lines}
    assert names == {p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file() and p.parent != path} - {
        "call_genotype/hapforge.sha256"
    }

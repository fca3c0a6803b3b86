"""The native store: zarr as the independent reader, partial reads, damage, streaming, mapping."""

from __future__ import annotations

import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import cohorts
import numpy as np
import pytest
from hypothesis import given, settings

import hapforge as hf
from hapforge.errors import ChecksumError, FormatError
from hapforge.io import hapz


@pytest.fixture(params=[False, True], ids=["compressed", "mappable"])
def mappable(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several chunks both ways and several shards in a small cohort."""
    monkeypatch.setattr(hapz, "_CHUNK_ROWS", 8)
    monkeypatch.setattr(hapz, "_CHUNK_BYTES", 24)
    monkeypatch.setattr(hapz, "_SHARD_BYTES", 8 * 64 * 2)


def random_cohort(rng: np.random.Generator, n: int = 45, num_sites: int = 500) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(
        rng.integers(0, 2, (n, num_sites), dtype=np.uint8),
        positions=np.concatenate([np.arange(1, 301), np.arange(1, num_sites - 299)]) * 10,
        contig=["1"] * 300 + ["2"] * (num_sites - 300),
        labels={"population": np.where(np.arange(n) % 3, "A", "Bé"), "age": np.arange(n)},
    )


@settings(max_examples=15, deadline=None)
@given(cohorts.cohorts(empty=True))
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.hapz"
        for mappable in (False, True):
            hf.write(matrix, path, mappable=mappable)  # the second replaces the first
            cohorts.assert_same(hf.read(path), matrix)


def test_files_against_zarr(rng: np.random.Generator, tmp_path: Path, small_chunks: None, mappable: bool) -> None:
    zarr = pytest.importorskip("zarr")
    matrix = random_cohort(rng)
    hf.write(matrix, tmp_path / "x.hapz", mappable=mappable)
    group = zarr.open_group(tmp_path / "x.hapz", mode="r")
    stored = group["genotypes"]
    assert stored.shape == (45, 64)
    if not mappable:
        assert stored.chunks == (8, 24)
        assert stored.shards == (16, 72)
        assert len(list((tmp_path / "x.hapz" / "genotypes").glob("c/*/0"))) == 3
    dense = np.unpackbits(stored[:], axis=1, bitorder="little")
    np.testing.assert_array_equal(dense[:, :500], matrix.to_dense())
    assert not dense[:, 500:].any()
    assert group["variant_position"][:].tolist() == matrix.sites.position.tolist()
    assert [group["contig_id"][:].tolist()[k] for k in group["variant_contig"][:]] == matrix.sites.contig.tolist()
    assert group["variant_allele"][:, 0].tolist() == matrix.sites.ref.tolist()
    assert group["variant_allele_count"][:].tolist() == matrix.to_dense().sum(axis=0).tolist()
    assert group["sample_id"][:].tolist() == [f"sample{i}" for i in range(23)]
    assert group["haplotype_sample"][:].tolist() == matrix.samples.person.tolist()
    assert group["haplotype_id"][:].tolist() == matrix.samples.haplotype_id.tolist()
    assert group["sample_phased"][:].all()
    assert group.attrs["labels"] == ["population", "age"]
    assert group["haplotype_label_0"][:].tolist() == matrix.samples.labels["population"].tolist()
    assert group["haplotype_label_1"][:].tolist() == list(range(45))
    single = zarr.open_array(tmp_path / "x.hapz" / "variant_position", mode="r")  # without the group's metadata
    assert single[:3].tolist() == [10, 20, 30]


def test_partial_reads(rng: np.random.Generator, tmp_path: Path, small_chunks: None, mappable: bool) -> None:
    matrix = random_cohort(rng)
    hf.write(matrix, tmp_path / "x.hapz", mappable=mappable)
    dense = matrix.to_dense()
    for region, first, stop in (("1", 0, 300), ("2", 300, 500), ("1:635-1,280", 63, 128), ("2:1990-2000", 498, 500)):
        for people in (None, ["sample0"], ["sample22", "sample4", "sample5"]):
            part = hf.read(tmp_path / "x.hapz", region, people)
            rows = np.arange(45) if people is None else np.flatnonzero(np.isin(matrix.samples.sample_id, people))
            np.testing.assert_array_equal(part.to_dense(), dense[rows][:, first:stop])
            np.testing.assert_array_equal(part.sites.position, matrix.sites.position[first:stop])
            assert part.samples.haplotype_id.tolist() == matrix.samples.haplotype_id[rows].tolist()
    kept = np.minimum(dense.sum(axis=0), 45 - dense.sum(axis=0)) >= 0.45 * 45
    np.testing.assert_array_equal(hf.read(tmp_path / "x.hapz", maf=0.45).to_dense(), dense[:, kept])
    with pytest.raises(FormatError, match="a site on contig '3', found contigs 1, 2"):
        hf.read(tmp_path / "x.hapz", "3")


def test_only_what_is_needed_is_read(rng: np.random.Generator, tmp_path: Path, small_chunks: None) -> None:
    """Damage elsewhere is not met: opening reads no genotypes, a region only its chunks."""
    matrix = random_cohort(rng)
    path = tmp_path / "x.hapz"
    hf.write(matrix, path)
    file = path / "genotypes" / "c" / "0" / "0"
    data = bytearray(file.read_bytes())
    data[20] ^= 1  # in the first chunk: rows 0-7, sites 0-191
    file.write_bytes(data)
    store = hapz.open(path)
    assert store.shape == (45, 500)
    assert store.sites == matrix.sites
    assert store.samples.labels["age"].tolist() == list(range(45))
    np.testing.assert_array_equal(store.allele_counts, matrix.to_dense().sum(axis=0))
    np.testing.assert_array_equal(hf.read(path, "2").to_dense(), matrix.to_dense()[:, 300:])
    np.testing.assert_array_equal(hf.read(path, samples=["sample6"]).to_dense(), matrix.to_dense()[12:14])
    for part in ({}, {"region": "1"}, {"samples": ["sample1"]}):
        with pytest.raises(ChecksumError, match="CRC-32C"):
            hf.read(path, **part)


def test_missing_chunks_are_errors(rng: np.random.Generator, tmp_path: Path, small_chunks: None) -> None:
    path = tmp_path / "x.hapz"
    hf.write(random_cohort(rng), path)
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        data = file.read_bytes()
        file.unlink()
        with pytest.raises((FormatError, FileNotFoundError)):
            hf.read(path)
        file.write_bytes(data)
    hf.read(path)


def test_all_zero_chunks_are_stored(tmp_path: Path) -> None:
    """As many chunks in the index as there are, also where zarr would leave out those that equal the fill value."""
    hf.write(hf.HaplotypeMatrix.from_dense(np.zeros((4, 70), np.uint8)), tmp_path / "x.hapz")
    data = (tmp_path / "x.hapz" / "genotypes" / "c" / "0" / "0").read_bytes()
    assert np.frombuffer(data[-20:-4], "<u8").tolist() == [0, len(data) - 20]


def test_every_changed_byte_is_noticed(rng: np.random.Generator, tmp_path: Path, mappable: bool) -> None:
    path = tmp_path / "x.hapz"
    matrix = random_cohort(rng, n=6, num_sites=400)
    hf.write(matrix, path, mappable=mappable)
    for file in sorted(p for p in path.rglob("*") if p.is_file()):
        data = file.read_bytes()
        stop = len(data) - 4 if mappable and "genotypes" in file.parts and file.name == "0" else len(data)
        for offset in {*range(0, stop, max(1, stop // 12)), stop - 1}:
            file.write_bytes(data[:offset] + bytes((data[offset] ^ 0x02,)) + data[offset + 1 :])
            with pytest.raises(FormatError) as error:
                hf.read(path)
            assert "\n" not in str(error.value)
        for cut in (0, 1, len(data) // 2, len(data) - 1):
            file.write_bytes(data[:cut])
            with pytest.raises(FormatError):
                hf.read(path)
        file.write_bytes(data)
    cohorts.assert_same(hf.read(path), matrix)


def test_a_chunk_in_another_place_is_noticed(rng: np.random.Generator, tmp_path: Path, small_chunks: None) -> None:
    """Chunks that are whole, but not where they belong: only the array's own checksum tells."""
    path = tmp_path / "x.hapz"
    hf.write(random_cohort(rng), path)
    shards = sorted((path / "genotypes" / "c").iterdir())
    assert len(shards) == 3
    shutil.move(shards[0], tmp_path / "aside")
    shutil.move(shards[1], shards[0])
    shutil.move(tmp_path / "aside", shards[1])
    with pytest.raises(ChecksumError, match="genotypes of SHA-256"):
        hf.read(path)


def test_a_newer_format_is_refused(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.hapz"
    hf.write(small_cohort, path)
    document = json.loads((path / "zarr.json").read_text())
    document["attributes"]["hapforge_format"] = 99
    (path / "zarr.json").write_text(json.dumps(document))
    with pytest.raises(FormatError, match="expected store format 1, found 99; a newer hapforge wrote it"):
        hf.read(path)


def test_other_zarr_groups_are_refused(tmp_path: Path) -> None:
    zarr = pytest.importorskip("zarr")
    zarr.create_group(tmp_path / "x.zarr")
    with pytest.raises(FormatError, match="expected the metadata of a hapforge store"):
        hf.read(tmp_path / "x.zarr")


def test_mapped_words(rng: np.random.Generator, tmp_path: Path) -> None:
    matrix = random_cohort(rng)
    path = tmp_path / "x.hapz"
    hf.write(matrix, path, mappable=True)
    back = hf.read(path)
    base = back.words
    while base.base is not None and not isinstance(base, np.memmap):
        base = base.base
    assert isinstance(base, np.memmap)
    assert not back.words.flags.writeable
    np.testing.assert_array_equal(back.words, matrix.words)
    file = path / "genotypes" / "c" / "0" / "0"
    data = bytearray(file.read_bytes())
    data[0] ^= 1
    file.write_bytes(data)
    with pytest.raises(ChecksumError, match="genotypes of SHA-256"):
        hf.read(path)
    unchecked = hapz.open(path).read(verify=False)
    assert int(unchecked.words[0, 0] ^ matrix.words[0, 0]) == 1


@pytest.mark.parametrize("step", [1, 7, 8, 45])
def test_streaming_writer(
    rng: np.random.Generator, tmp_path: Path, small_chunks: None, mappable: bool, step: int
) -> None:
    matrix = random_cohort(rng)
    whole, streamed = tmp_path / "whole.hapz", tmp_path / "streamed.hapz"
    hf.write(matrix, whole, mappable=mappable)
    with hapz.Writer(streamed, matrix.sites, matrix.samples, mappable=mappable) as writer:
        for block in matrix.iter_row_blocks(step):
            writer.append(block.words)
            assert not streamed.exists()
    files = [p.relative_to(whole) for p in sorted(whole.rglob("*")) if p.is_file()]
    assert files == [p.relative_to(streamed) for p in sorted(streamed.rglob("*")) if p.is_file()]
    assert all((whole / p).read_bytes() == (streamed / p).read_bytes() for p in files)


def append_all(path: Path, matrix: hf.HaplotypeMatrix, blocks: list[np.ndarray], mappable: bool) -> None:
    with hapz.Writer(path, matrix.sites, matrix.samples, mappable=mappable) as writer:
        for block in blocks:
            writer.append(block)


def test_what_a_writer_refuses(rng: np.random.Generator, tmp_path: Path, mappable: bool) -> None:
    matrix = random_cohort(rng)
    before = random_cohort(rng, n=4)
    path = tmp_path / "x.hapz"
    hf.write(before, path)
    dirty = matrix.words.copy()
    dirty[0, -1] |= np.uint64(1 << 63)
    for blocks, message in (
        ([matrix.words[:44]], "expected 45 rows, found 44"),
        ([matrix.words, matrix.words[:1]], "expected 45 rows in all, found more"),
        ([matrix.words[:, :3]], r"expected uint64 \(rows, 8\), found uint64 \(45, 3\)"),
        ([dirty], "expected zero padding bits"),
    ):
        with pytest.raises(ValueError, match=message):
            append_all(path, matrix, blocks, mappable)
        assert [p.name for p in tmp_path.iterdir()] == ["x.hapz"]
        cohorts.assert_same(hf.read(path), before)


def test_an_interrupt_while_writing_leaves_what_was_there(rng: np.random.Generator, tmp_path: Path) -> None:
    matrix = random_cohort(rng)

    def stop(_count: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hf.write(matrix, tmp_path / "x.hapz", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_progress(rng: np.random.Generator, tmp_path: Path, small_chunks: None, mappable: bool) -> None:
    path, read, written = tmp_path / "x.hapz", [], []
    hf.write(random_cohort(rng), path, mappable=mappable, progress=written.append)
    hf.read(path, progress=read.append)
    size = sum(p.stat().st_size for p in (path / "genotypes" / "c").rglob("*") if p.is_file())
    assert sum(written) == 45
    assert 0.5 * size < sum(read) <= size


def test_labels_of_other_number_types_are_refused(tmp_path: Path) -> None:
    labels = {"x": np.zeros(2, np.longdouble)}
    with pytest.raises(ValueError, match="labels of a number type that zarr has, found float"):
        hf.write(hf.HaplotypeMatrix.from_dense([[0], [1]], labels=labels), tmp_path / "x.hapz")
    assert list(tmp_path.iterdir()) == []


def test_reading_in_a_forked_child(rng: np.random.Generator, tmp_path: Path) -> None:
    """Blosc's threads do not survive a fork: the child must not wait for them."""
    matrix = random_cohort(rng)
    hf.write(matrix, tmp_path / "x.hapz")
    hf.read(tmp_path / "x.hapz")
    child = os.fork()
    if child == 0:
        signal.alarm(30)
        os._exit(0 if np.array_equal(hf.read(tmp_path / "x.hapz").words, matrix.words) else 1)
    assert os.waitpid(child, 0)[1] == 0

"""NumPy archives: the shared files, round trips, checksums, and that nothing is unpickled."""

from __future__ import annotations

import io
import pickle
import tempfile
import zipfile
from pathlib import Path

import cohorts
import numpy as np
import pytest
from hypothesis import given, settings

import hapforge as hf
from hapforge.errors import ChecksumError, FormatError


@settings(max_examples=60, deadline=None)
@given(cohorts.cohorts(empty=True))
def test_round_trip(matrix: hf.HaplotypeMatrix) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.npz"
        hf.write(matrix, path)
        cohorts.assert_same(hf.read(path), matrix)
        with np.load(path, allow_pickle=False) as stored:  # numpy alone
            dense = np.unpackbits(stored["packed"], axis=1)[:, : matrix.num_sites]
            np.testing.assert_array_equal(dense, matrix.to_dense())
            assert stored["shape"].tolist() == list(matrix.shape)
            assert stored["pos"].tolist() == matrix.sites.position.tolist()
            assert stored["a1"].tolist() == matrix.sites.alt.tolist()


def test_real_lct(shared_data: Path) -> None:
    path = shared_data / "lct_chr2_8076.npz"
    stored = np.load(path, allow_pickle=False)
    matrix = hf.read(path)
    np.testing.assert_array_equal(matrix.to_dense(), np.unpackbits(stored["packed"], axis=1)[:, :8076])
    assert matrix.samples.haplotype_id[:2].tolist() == ["HG00096.1", "HG00096.2"]
    assert matrix.samples.sample_id[:3].tolist() == ["HG00096", "HG00096", "HG00097"]
    assert matrix.samples.num_persons == 2504
    assert list(matrix.samples.labels) == ["population", "superpopulation"]
    assert matrix.samples.labels["population"].tolist() == stored["population"].tolist()
    assert matrix.sites.id.tolist() == stored["snp_id"].tolist()
    counts = matrix.to_dense().sum(axis=0)
    assert int(((counts == 0) | (counts == 5008)).sum()) == 23


def test_blocks_without_packed_are_refused(shared_data: Path) -> None:
    with pytest.raises(FormatError, match=r"expected the keys packed and shape, or one matrix .* found .*block01"):
        hf.read(shared_data / "blocks01-15x50.npz")


def test_one_plain_matrix(tmp_path: Path) -> None:
    dense = np.array([[0, 1, 1], [1, 0, 1]])
    for dtype in (np.uint8, np.int64, bool):
        np.savez(tmp_path / "x.npz", anything=dense.astype(dtype))
        np.save(tmp_path / "y.npy", dense.astype(dtype))
        for name in ("x.npz", "y.npy"):
            matrix = hf.read(tmp_path / name)
            np.testing.assert_array_equal(matrix.to_dense(), dense)
            assert not matrix.sites.position_known
    for bad, message in ((dense * 2, "values 0 and 1"), (dense / 2, "float64"), (dense[0], r"one matrix of 0 and 1")):
        np.save(tmp_path / "y.npy", bad)
        with pytest.raises(FormatError, match=message):
            hf.read(tmp_path / "y.npy")


class _Bomb:
    def __reduce__(self) -> tuple:
        return (Path.touch, (Path("bomb"),))


@pytest.mark.parametrize("key", ["packed", "hap_id", "other"])
def test_nothing_is_unpickled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    monkeypatch.chdir(tmp_path)
    arrays = {"packed": np.zeros((2, 1), np.uint8), "shape": np.array([2, 3])}
    arrays[key] = np.array([_Bomb(), _Bomb()], dtype=object)
    np.savez(tmp_path / "x.npz", **arrays, allow_pickle=True)
    with pytest.raises(FormatError, match="found pickled objects, which are never loaded"):
        hf.read(tmp_path / "x.npz")
    (tmp_path / "x.npy").write_bytes(pickle.dumps(_Bomb()))
    with pytest.raises(FormatError):
        hf.read(tmp_path / "x.npy")
    assert not (tmp_path / "bomb").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"packed": np.zeros((2, 2), np.uint8)}, r"packed: uint8 \(2, 1\), found uint8 \(2, 2\)"),
        ({"packed": np.zeros((2, 1), np.int8)}, r"packed: uint8 \(2, 1\), found int8 \(2, 1\)"),
        ({"packed": np.full((2, 1), 255, np.uint8)}, r"packed: zero behind the last site, found set bits"),
        ({"shape": np.array([2.0, 3.0])}, r"shape: .* found float64"),
        ({"shape": np.array([-1, 3])}, r"shape: .* found int64 \[-1, 3\]"),
        ({"pos": np.array([3, 2, 1])}, r"expected sites and samples that fit, found positions: .* found 2 after 3"),
        ({"pos": np.array([1, 2])}, r"positions: expected 3, found 2"),
        ({"hap_id": np.array(["a", "a"])}, r"haplotype_ids: expected each id once"),
        ({"label": np.zeros(3)}, r"labels with 2 values, one for each haplotype, found 'label' of shape \(3,\)"),
        ({"x": np.zeros(2), "label_x": np.zeros(2)}, r"each label once"),
        ({"phased": np.array([2])}, r"phased: expected 1 booleans"),
    ],
)
def test_arrays_that_do_not_fit(tmp_path: Path, changes: dict, message: str) -> None:
    np.savez(tmp_path / "x.npz", **{"packed": np.zeros((2, 1), np.uint8), "shape": np.array([2, 3]), **changes})
    with pytest.raises(FormatError, match=message):
        hf.read(tmp_path / "x.npz")


def test_checksum(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """A file that was changed and zipped again, so that no CRC-32 tells."""
    path = tmp_path / "x.npz"
    hf.write(small_cohort, path)
    with np.load(path, allow_pickle=False) as stored:
        arrays = dict(stored)
    arrays["packed"][3, 3] ^= 1
    np.savez(path, **arrays)
    with pytest.raises(ChecksumError, match=r"content of sha256 [0-9a-f]{16}\.\.\., found"):
        hf.read(path)


def test_cut_and_changed_files(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    hf.write(small_cohort, path)
    data = path.read_bytes()
    for offset in (0, 1, 4, 30, 100, len(data) // 2, len(data) - 23, len(data) - 1):
        path.write_bytes(data[:offset])
        with pytest.raises(FormatError):
            hf.read(path)
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        spans = [(info.header_offset + 30 + len(info.filename) + 20, info.compress_size) for info in archive.infolist()]
    refused = 0
    for offset in range(0, len(data), 7):
        path.write_bytes(data[:offset] + bytes((data[offset] ^ 0x04,)) + data[offset + 1 :])
        try:
            cohorts.assert_same(hf.read(path), small_cohort)  # times and versions in the zip's own fields
        except FormatError:
            refused += 1
        else:
            assert not any(start <= offset < start + size - 1 for start, size in spans)  # the last byte has spare bits
    assert refused > len(data) // 7 // 2


def test_an_error_while_writing_leaves_what_was_there(
    small_cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.npz"
    hf.write(small_cohort, path)
    before = path.read_bytes()

    def fail(*_args: object, **_kwargs: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(np.lib.format, "write_array", fail)
    with pytest.raises(OSError, match="no space"):
        hf.write(small_cohort, path)
    assert [p.name for p in tmp_path.iterdir()] == ["x.npz"]
    assert path.read_bytes() == before


def test_label_names_with_a_slash_are_refused(tmp_path: Path) -> None:
    matrix = hf.HaplotypeMatrix.from_dense([[0], [1]], labels={"a/b": [1, 2]})
    with pytest.raises(ValueError, match=r"label names without / .* found 'a/b'"):
        hf.write(matrix, tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (b"(2, 3), }", b"(2, 3,   ", "expected a NumPy array, found a damaged one"),
        (b"(2, 3), }", b"(2,99999)}", "expected an array of 199998 bytes, as its header says, found 6"),
        (b"(2, 3), }", b"(2, -3), }", "expected a"),
        (b"NUMPY\x01", b"NUMPY\x07", "expected a NumPy array, found a damaged one"),
    ],
)
def test_headers_of_arrays_that_are_refused(tmp_path: Path, before: bytes, after: bytes, message: str) -> None:
    """Numbers in them are seen before memory is asked for."""
    path = tmp_path / "x.npy"
    np.save(path, np.zeros((2, 3), np.uint8))
    data = path.read_bytes()
    assert data.count(before) == 1
    path.write_bytes(data.replace(before + b" " * (len(after) - len(before)), after))
    with pytest.raises(FormatError, match=message) as error:
        hf.read(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("code", [0x110000, 0xD800])
@pytest.mark.parametrize("order", ["<", ">"])
def test_text_of_no_characters_is_refused(tmp_path: Path, code: int, order: str) -> None:
    arrays = {"packed": np.zeros((2, 1), np.uint8), "shape": np.array([2, 3])}
    ids = np.array([[65, 66], [65, code]], f"{order}u4").view(f"{order}U2").reshape(2)
    np.savez(tmp_path / "x.npz", **arrays, hap_id=ids)
    with pytest.raises(FormatError, match=r"hap_id\.npy: expected text of Unicode characters, found other numbers"):
        hf.read(tmp_path / "x.npz")

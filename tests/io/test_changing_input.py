"""Files that are cut, removed or replaced while they are read: one line, never a silently altered cohort."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge import io
from hapforge.errors import FormatError
from hapforge.io import atomic

NAMES = [
    "x.vcf",
    "x.vcf.gz",
    "x.bcf",
    "x.hapt",
    "x.hap",
    "x.haps.gz",
    "x.pgen",
    "x.npz",
    "x.hapz",
    "x.vcz",
    "x.vcz.zip",
]


def cohort(seed: int) -> hf.HaplotypeMatrix:
    rows = np.random.default_rng(seed).integers(0, 2, (40, 300), dtype=np.uint8)
    position = np.arange(1, 301)
    names = [f"1:{p}_A_C" for p in position]
    return hf.HaplotypeMatrix.from_dense(rows, position, "1", names, "A", "C", sample_ids=[f"P{i}" for i in range(20)])


def when_read(monkeypatch: pytest.MonkeyPatch, path: Path, change: Callable[[], object]) -> None:
    """Have `change` done once the module of the format has read."""
    module = io._module(io.format_of_content(path))
    read = module.read

    def then_changed(*arguments: object, **more: object) -> hf.HaplotypeMatrix:
        matrix: hf.HaplotypeMatrix = read(*arguments, **more)
        change()
        return matrix

    monkeypatch.setattr(module, "read", then_changed)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("what", ["replaced", "removed"])
def test_replaced_or_removed_while_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, what: str) -> None:
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    path = tmp_path / name
    hf.write(cohort(1), path)

    def change() -> None:
        if what == "replaced":
            hf.write(cohort(2), path)
        elif path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()

    when_read(monkeypatch, path, change)
    found = "it changed" if what == "replaced" else "it went"
    with pytest.raises(FormatError, match=f"expected a file that stays as it is while it is read, found {found}"):
        hf.read(path)


@pytest.mark.parametrize("name", ["x.hap", "x.pgen"])
def test_a_file_beside_that_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    path = tmp_path / name
    hf.write(cohort(1), path)
    beside = tmp_path / ("x.pvar" if name == "x.pgen" else "x.legend")
    when_read(monkeypatch, path, lambda: beside.write_text(beside.read_text().replace("\tA\tC", "\tC\tA") + " "))
    with pytest.raises(FormatError, match=f"{beside.name}: expected a file that stays as it is while it is read"):
        hf.read(path)


def test_cut_while_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text file, cut at a line's end below a reader that is through with what it has in memory."""
    path = tmp_path / "x.hapt"
    hf.write(cohort(1), path)
    lines = path.read_bytes().splitlines(keepends=True)
    when_read(monkeypatch, path, lambda: path.write_bytes(b"".join(lines[:-1])))
    with pytest.raises(FormatError, match="found it changed"):
        hf.read(path)


def test_an_error_of_the_disk_says_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.npz"
    hf.write(cohort(1), path)

    def fails() -> None:
        raise OSError(5, "Input/output error")

    when_read(monkeypatch, path, fails)
    with pytest.raises(OSError, match=r"Input/output error: '.*x\.npz'"):
        hf.read(path)


def test_a_mapped_store_that_is_cut(tmp_path: Path) -> None:
    """Before and while it is checked: an error. Removed or replaced while it is mapped: nothing. Cut: one line."""
    path = tmp_path / "x.hapz"
    hf.write(cohort(1), path, mappable=True)
    words = np.array(hf.read(path).words)
    mapped = hf.read(path)
    hf.write(cohort(2), path, mappable=True)
    assert np.array_equal(mapped.words, words)
    shutil.rmtree(path)
    assert np.array_equal(mapped.words, words)
    hf.write(cohort(1), path, mappable=True)
    script = f"""
import os, sys
import hapforge as hf
from hapforge import _backend
from hapforge.io import hapz
path = {str(path)!r}
genotypes = path + "/genotypes/c/0/0"
if sys.argv[1] == "while checked":
    is_file = hapz._file_digest
    def cut(file, size):
        os.truncate(genotypes, 100)
        return is_file(file, size)
    hapz._file_digest = cut
    hf.read(path)
else:
    _backend.explain_bus_errors()
    matrix = hf.read(path)
    os.truncate(genotypes, 0)
    print(matrix.words.sum())
"""
    for when in ("while checked", "while used"):
        hf.write(cohort(1), path, mappable=True)
        done = subprocess.run([sys.executable, "-c", script, when], capture_output=True, text=True, check=False)
        if when == "while used":
            expected = (
                "expected a mapped file (.hapz) that keeps its size while it is used, found that a program cut it"
            )
            assert (done.returncode, done.stdout, done.stderr) == (2, "", f"hapforge: {expected}\n")
        else:
            assert "FormatError" in done.stderr
            assert "100: the file was cut while it was read" in done.stderr


def half_placed(path: Path, *, placed: bool = True) -> Path:
    """What the writer of a .hap leaves if it is killed before the legend is in its place, or before anything is."""
    hf.write(cohort(1), path)
    left = path.parent / f".{path.name}.hapforge-01234567.part"
    left.mkdir()
    plan = {"names": [path.name, "x.legend", "x.samples"], "old": atomic._state(path), "new": atomic._state(path)}
    (left / ".places").write_text(json.dumps(plan))
    os.rename(path.with_suffix(".legend"), left / "x.legend")
    if not placed:
        shutil.copy(path, left / path.name)
    return left


def test_a_set_that_cannot_be_completed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a killed writer has left, in a folder that cannot be written to."""
    path = tmp_path / "x.hap"
    left = half_placed(path)

    def refuses(*_: object) -> None:
        raise OSError(30, os.strerror(30))

    with monkeypatch.context() as context:
        context.setattr(os, "replace", refuses)
        with pytest.raises(
            FormatError, match=r"what a killed writer left in .*\.x\.hap\.hapforge-01234567\.part, found Read-only"
        ):
            hf.read(path)
    assert np.array_equal(hf.read(path).words, cohort(1).words)
    assert not left.exists()


@pytest.mark.parametrize("placed", [True, False])
def test_what_came_since_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, placed: bool) -> None:
    """Files that another program has put there after a writer was killed are not replaced by what that one left."""
    path = tmp_path / "x.hap"
    left = half_placed(path, placed=placed)
    (tmp_path / "other").mkdir()
    hf.write(cohort(2).select_sites(np.arange(5, 290)), tmp_path / "other" / "x.hap")
    expected = hf.read(tmp_path / "other" / "x.hap")
    for name in ("x.hap", "x.legend", "x.sample"):
        os.replace(tmp_path / "other" / name, tmp_path / name)
    found = hf.read(path)
    assert np.array_equal(found.words, expected.words)
    assert np.array_equal(found.sites.position, expected.sites.position)
    assert left.exists()
    monkeypatch.setattr(atomic, "_YOUNG_S", -1)
    hf.write(cohort(1), path)
    assert not left.exists()


@pytest.mark.parametrize("names", ["x.hap", ["y.hap"], [], ["x.hap", "../y"], ["x.hap", "a/../../y"], ["x.hap", 5]])
def test_a_plan_of_other_places_is_not_followed(tmp_path: Path, names: object) -> None:
    (tmp_path / "inner").mkdir()
    path = tmp_path / "inner" / "x.hap"
    left = half_placed(path)
    plan = json.loads((left / ".places").read_text())
    (left / ".places").write_text(json.dumps({**plan, "names": names}))
    (left / "y").write_text("")
    with pytest.raises(FormatError, match="legend"):
        hf.read(path)
    assert not (tmp_path / "y").exists()
    assert left.exists()


def test_files_of_a_similar_name_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only what has our name in its own is removed."""
    monkeypatch.setattr(atomic, "_YOUNG_S", -1)
    own = [".x.npz.01234567.part", ".x.npz.01234567.old", ".x.npz.hapforge.part", ".y.npz.hapforge-01234567.part"]
    for name in (*own, ".x.npz.hapforge-01234567.part"):
        (tmp_path / name).write_text("mine")
    hf.write(cohort(1), tmp_path / "x.npz")
    assert {path.name for path in tmp_path.iterdir()} == {"x.npz", *own}


def test_temporaries_of_other_users_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a shared folder: neither completed nor removed."""
    path = tmp_path / "x.hap"
    left = half_placed(path)
    monkeypatch.setattr(atomic, "_YOUNG_S", -1)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(FormatError, match="legend"):
        hf.read(path)
    hf.write(cohort(2), path)
    assert left.exists()


def test_a_pipe_is_neither_read_nor_replaced(tmp_path: Path) -> None:
    """Its bytes can be read once only, to find the format, and its other end may never come."""
    for name in ("x.vcf", "x.vcf.gz"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(FormatError, match=r"expected a file \(.*convert -.*\), found a pipe or device"):
            hf.read(tmp_path / name)
        with pytest.raises(OSError, match="expected a file or nothing there, found a pipe or device"):
            hf.write(cohort(1), tmp_path / name)
        assert (tmp_path / name).is_fifo()


def test_a_writer_that_is_at_it_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Some time: its temporary is locked, and neither completed nor removed."""
    path = tmp_path / "x.hap"
    hf.write(cohort(1), path)
    monkeypatch.setattr(atomic, "_PATIENCE_S", 0.05)
    monkeypatch.setattr(atomic, "_YOUNG_S", -1)
    with atomic._temporary(path, folder=True) as temporary:
        plan = {"names": ["x.hap", "x.legend"], "old": None, "new": atomic._state(path)}
        (temporary / ".places").write_text(json.dumps(plan))
        (temporary / "x.legend").write_text("of the new set\n")
        assert np.array_equal(hf.read(path).words, cohort(1).words)
        hf.write(cohort(2), path)
        assert (temporary / "x.legend").exists()


def test_a_store_that_was_moved_away_is_put_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where names cannot be exchanged at once, a writer that was killed between its two renames leaves .old only."""
    path = tmp_path / "x.hapz"
    hf.write(cohort(1), path)
    os.rename(path, tmp_path / ".x.hapz.hapforge-01234567.old")
    assert np.array_equal(hf.read(path).words, cohort(1).words)
    monkeypatch.setattr(atomic, "_exchanged", lambda *_: False)
    hf.write(cohort(2), path)
    assert np.array_equal(hf.read(path).words, cohort(2).words)
    assert [file.name for file in tmp_path.iterdir()] == ["x.hapz"]


def test_two_writers_of_a_set_do_not_mix(tmp_path: Path) -> None:
    """Many at once: what is there is the set of one of them."""
    path = tmp_path / "x.hap"
    expected = []
    for seed in range(4):
        (tmp_path / str(seed)).mkdir()
        hf.write(cohort(seed).select_sites(np.arange(seed, 296 + seed)), tmp_path / str(seed) / "x.hap")
        files = [tmp_path / str(seed) / name for name in ("x.hap", "x.legend", "x.sample")]
        expected.append([file.read_bytes() for file in files])

    def write(seed: int) -> None:
        for _ in range(8):
            hf.write(cohort(seed).select_sites(np.arange(seed, 296 + seed)), path)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert [(tmp_path / name).read_bytes() for name in ("x.hap", "x.legend", "x.sample")] in expected
    assert [file.name for file in tmp_path.iterdir() if file.name.startswith(".")] == []

"""Disks that are full, read-only, failing or gone: one line, the old files as they were, nothing else left."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from functools import cache
from io import BytesIO, TextIOWrapper
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from disk import free_bytes, in_a_child, largest_file, own_mounts, set_read_only, tmpfs
from hapforge import io
from hapforge.cli import main

SIZE = 4 << 20
ALIASES = {".zarr", ".zarr.zip", *(f".{name}{gz}" for name in ("fa", "faa", "fna") for gz in ("", ".gz"))}
NAMES = [f"x{ending}" for ending in io.ENDINGS if ending not in ALIASES]
"""Of every format that is written: a new one is here as soon as `FORMATS` has its ending."""


@cache
def cohort(name: str, seed: int = 1) -> hf.HaplotypeMatrix:
    rng = np.random.default_rng(seed)
    if "fasta" in name:
        return hf.Alignment(rng.integers(0, 4, (40, 600)), "ACGT").to_haplotypes()
    rows = rng.integers(0, 2, (80, 640), dtype=np.uint8)
    position = np.arange(1, 641)
    names = [f"1:{p}_A_C" for p in position]
    return hf.HaplotypeMatrix.from_dense(rows, position, "1", names, "A", "C", sample_ids=[f"P{i}" for i in range(40)])


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def write(name: str, path: Path, seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hf.write(cohort(name, seed), path)


def refused(work: Callable[[], object], folder: Path) -> str:
    """The one line with which `work` fails; all files are as they were."""
    before = contents(folder)
    try:
        work()
    except OSError as error:
        said = f"{error.filename}: {error.strerror}"
    else:
        raise AssertionError("written")
    assert contents(folder) == before, "something changed"
    assert "\n" not in said
    assert said.startswith(f"{folder}/x"), said
    assert "expected" in said, said
    assert "found" in said, said
    assert ".part" not in said, said
    return said


@pytest.fixture
def needs_pgenlib() -> None:
    pytest.importorskip("pgenlib")
    pytest.importorskip("pysam")


@pytest.mark.usefixtures("needs_pgenlib")
@pytest.mark.parametrize("name", NAMES)
def test_a_full_disk(tmp_path: Path, name: str) -> None:
    """With room for nothing, for a part, for all but a page of what is to be written."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def work() -> list[str]:
        own_mounts()
        tmpfs(folder, SIZE)
        path = folder / name
        write(name, path, 2)
        used = os.statvfs(folder)
        needed = used.f_frsize * (used.f_blocks - used.f_bfree)
        said = []
        for part in (0, needed // 3, needed - 3 * used.f_frsize):
            with free_bytes(folder, part):
                said.append(refused(lambda: write(name, path, 1), folder))
        write(name, path, 1)
        (folder / "again").mkdir()
        write(name, folder / "again" / name, 1)
        now = contents(folder)
        assert all(now[f"again/{file}"] == content for file, content in now.items() if not file.startswith("again"))
        return said

    said = in_a_child(work, tmp_path / "report")
    assert isinstance(said, list)
    assert len(said) == 3
    assert all("expected room for " in line for line in said), said


@pytest.mark.usefixtures("needs_pgenlib")
@pytest.mark.parametrize("name", NAMES)
def test_a_limit_for_files(tmp_path: Path, name: str) -> None:
    """RLIMIT_FSIZE, which every system has."""

    def work() -> list[str]:
        path = tmp_path / "disk" / name
        path.parent.mkdir()
        write(name, path, 2)
        largest = max(file.stat().st_size for file in path.parent.rglob("*") if file.is_file())
        said = []
        for size in (0, largest // 2):
            with largest_file(size):
                said.append(refused(lambda: write(name, path, 1), path.parent))
        write(name, path, 1)
        return said

    said = in_a_child(work, tmp_path / "report")
    assert isinstance(said, list)
    assert all("limit for files" in line for line in said), said


@pytest.mark.usefixtures("needs_pgenlib")
@pytest.mark.parametrize("name", NAMES)
def test_a_disk_that_does_not_keep_what_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """fsync fails, of any of the files."""
    path = tmp_path / name
    write(name, path, 2)
    real, before, calls = os.fsync, contents(tmp_path), 0

    def counted(descriptor: int) -> None:
        nonlocal calls
        calls += 1
        real(descriptor)

    monkeypatch.setattr(os, "fsync", counted)
    write(name, path, 2)
    assert calls >= 2  # the file and its folder
    for failing in (1, calls - 1):  # the last one is that of the folder, when all is in place
        calls = 0

        def fails(descriptor: int, failing: int = failing) -> None:
            nonlocal calls
            calls += 1
            if calls == failing:
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            real(descriptor)

        monkeypatch.setattr(os, "fsync", fails)
        said = refused(lambda: write(name, path, 2), tmp_path)
        assert "expected a disk that keeps what is written, found: Input/output error" in said
    assert contents(tmp_path) == before


def test_the_folder_that_cannot_be_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That a file system does not know it is no error; that it failed is one."""
    real, number = os.fsync, errno.EINVAL

    def fails(descriptor: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{descriptor}"):
            raise OSError(number, os.strerror(number))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fails)
    write("x.npz", tmp_path / "x.npz", 1)
    number = errno.EIO
    with pytest.raises(OSError, match=r"expected a disk that keeps what is written, found: Input/output error"):
        write("x.npz", tmp_path / "x.npz", 2)
    assert [path.name for path in tmp_path.iterdir()] == ["x.npz"]


@pytest.mark.usefixtures("needs_pgenlib")
@pytest.mark.parametrize("name", NAMES)
def test_a_folder_that_is_not_there(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="expected an existing folder to write to, found no"):
        write(name, tmp_path / "gone" / name, 1)


def test_read_only_disk(tmp_path: Path) -> None:
    """A disk that is mounted so stops root, too; every command says it before it reads."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def work() -> list[str]:
        own_mounts()
        tmpfs(folder, SIZE)
        write("x.npz", folder / "x.npz", 2)
        set_read_only(folder, SIZE)
        said = [refused(lambda name=name: write(name, folder / name, 1), folder) for name in NAMES]
        for command in (
            ["convert", tmp_path / "none", folder / "y.npz"],
            ["convert", "-f", tmp_path / "none", folder / "x.npz"],
            ["simulate", "--haplotypes", "10", "--sites", "10", "-o", folder / "y.npz"],
            ["train", "markov", folder / "x.npz", "-o", folder / "run"],
            ["generate", "none", "-n", "2", "-o", folder / "y.npz"],
            ["impute", "none", "none", "-o", folder / "y.npz"],
            ["latent", "none", "none", "-o", folder / "y"],
            ["labels", "none", "none", "-o", folder / "y"],
            ["evaluate", "none", "none", "-o", folder / "y"],
        ):
            said.append(said_by(*command))
        assert contents(folder).keys() == {"x.npz"}
        return said

    said = in_a_child(work, tmp_path / "report")
    assert isinstance(said, list)
    assert [
        line for line in said if "expected a place that can be written to, found: Read-only file system" not in line
    ] == []


def said_by(*arguments: object) -> str:
    """The only line of a command that ends with code 2, run in this process (of which nothing more is asked)."""
    sys.argv = ["hapforge", *map(str, arguments)]
    sys.stdout, sys.stderr = (TextIOWrapper(BytesIO(), write_through=True) for _ in range(2))
    with pytest.raises(SystemExit) as ended:
        main()
    said, line = (stream.buffer.getvalue().decode() for stream in (sys.stdout, sys.stderr))
    assert (ended.value.code, said) == (2, ""), (arguments, ended.value.code, said, line)
    assert line.startswith("hapforge: ")
    assert line.count("\n") == 1, line
    return line


def test_commands_on_a_full_disk(tmp_path: Path) -> None:
    """Found before anything is read: the inputs are not even there."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def work() -> list[str]:
        own_mounts()
        tmpfs(folder, SIZE)
        with free_bytes(folder, 0):
            said = [
                said_by("convert", tmp_path / "none", folder / "x.bcf"),
                said_by("evaluate", "none", "none", "-o", folder / "x"),
                said_by("generate", "none", "-n", "2", "-o", folder / "x.npz"),
            ]
        assert contents(folder) == {}
        return said

    said = in_a_child(work, tmp_path / "report")
    assert isinstance(said, list)
    assert len([line for line in said if "expected a place that can be written to, found: No space" in line]) == 3


def test_room_that_is_known_beforehand(tmp_path: Path) -> None:
    """Nothing is begun: half the size of the text is free, or the limit is below it."""

    def work() -> list[str]:
        said = []
        for name in ("x.vcf", "x.hap", "x.haps", "x.hapt"):
            with largest_file(2 * 80 * 640 - 1):
                said.append(refused(lambda name=name: write(name, tmp_path / name, 1), tmp_path))
        with largest_file(100):
            said.append(refused(lambda: hf.write(cohort("x"), tmp_path / "x.hapz", mappable=True), tmp_path))
        return said

    said = in_a_child(work, tmp_path.parent / f"{tmp_path.name}.report")
    assert isinstance(said, list)
    assert [line.partition(": ")[2] for line in said[:1]] == [
        "expected a limit for files (ulimit -f) of 100.0 KiB or more, found 100.0 KiB"
    ]
    assert all("(ulimit -f) of" in line for line in said)
    with pytest.raises(OSError, match=r"expected room for 2097152.0 GiB or more in .*, found .*y.vcf"):
        io.check_room(tmp_path / "y.vcf", 1 << 30, 1 << 20)
    io.check_room(tmp_path / "y.bcf", 1 << 30, 1 << 20)  # nobody knows


def test_standard_output_that_is_full_or_gone(tmp_path: Path) -> None:
    """`convert x -` and what is only printed; a pipe whose reader has enough ends us quietly, with nothing left."""
    write("x.npz", tmp_path / "x.npz", 1)
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary)}
    code = "from hapforge.cli import main; main()"
    for arguments in (["convert", tmp_path / "x.npz", "-"], ["info", tmp_path / "x.npz"]):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        with open("/dev/full", "w") as full:
            done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment)
        expected = "hapforge: standard output: expected to read or write it, found: No space left on device\n"
        assert (done.returncode, done.stderr) == (2, expected)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment)
        assert process.stdout is not None
        assert process.stderr is not None
        if arguments[0] == "convert":
            assert len(process.stdout.read(100)) == 100
        process.stdout.close()
        assert process.stderr.read() == b""
        process.stderr.close()
        assert process.wait() == -13  # SIGPIPE, as of any other tool
        assert list(temporary.iterdir()) == []


def test_standard_input_that_has_no_room(tmp_path: Path) -> None:
    write("x.vcf", tmp_path / "x.vcf", 1)
    limited = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (5000, 5000)); from hapforge.cli import main; main()"
    with open(tmp_path / "x.vcf", "rb") as source:
        command = [sys.executable, "-c", limited, "convert", "-", str(tmp_path / "y.npz")]
        done = subprocess.run(command, stdin=source, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith("hapforge: -: expected room for standard input in ")
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.vcf"]

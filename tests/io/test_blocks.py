"""Cohorts that come a block of rows at a time are written as those in memory are, in the memory of a block."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from cohorts import MOST_MEMORY

import hapforge as hf
from disk import free_bytes, in_a_child, largest_file, own_mounts, tmpfs
from hapforge import haplotype_blocks, io
from hapforge.io import ENDINGS, atomic

BY_SITE = ("x.vcf", "x.vcf.gz", "x.bcf", "x.hap", "x.haps", "x.pgen", "x.vcz", "x.vcz.zip")
BY_ROW = ("x.hapt", "x.hapt.gz", "x.hapt.zip", "x.npz", "x.hapz")
SEQUENCES = ("x.fasta", "x.fasta.gz")
N, BLOCK = 1300, 512


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(haplotype_blocks, "_FEWEST_ROWS", BLOCK)
    monkeypatch.setattr(haplotype_blocks, "_MOST_ROWS", BLOCK)


@pytest.fixture(scope="module")
def cohort() -> hf.HaplotypeMatrix:
    """1,300 rows x 200 sites of persons AG0, AG1 ... with a label."""
    rows = np.random.default_rng(1).integers(0, 2, (N, 200), dtype=np.uint8)
    position = np.arange(1, 201) * 7
    sites = hf.Sites(position, id=[f"1:{p}_A_C" for p in position], ref="A", alt="C")
    samples = hf.Samples.numbered(N, "AG", labels={"group": np.repeat(["AFR", "EUR"], N // 2)})
    return hf.HaplotypeMatrix(hf.HaplotypeMatrix.from_dense(rows).words, sites, samples)


def cohort_for(name: str, cohort: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    if name not in SEQUENCES:
        return cohort
    letters = np.random.default_rng(2).integers(0, 5, (N, 33))
    own = [f"AG{i}" for i in range(N)]
    return hf.Alignment(letters, "ACGT-", own, {"group": ["a", "b"] * (N // 2)}).to_haplotypes()


def in_blocks(
    H: hf.HaplotypeMatrix, before: Callable[[int, int], object] = lambda first, last: None
) -> hf.HaplotypeBlocks:
    """The cohort in blocks; `before` is called with the rows of each."""

    def rows(first: int, last: int) -> np.ndarray:
        before(first, last)
        return H.words[first:last].copy()

    return hf.HaplotypeBlocks(rows, H.sites, H.samples)


def content(folder: Path) -> dict[str, str]:
    return {path.name: atomic.sha256_file(path) for path in folder.iterdir()}


def test_every_format_is_here() -> None:
    kinds = {ENDINGS["." + name.split(".", 1)[1]] for name in (*BY_SITE, *BY_ROW, *SEQUENCES)}
    assert kinds == set(ENDINGS.values())
    assert {name for name in (*BY_SITE, *BY_ROW) if io.FORMATS[io.format_of_name(name)].by_site} == set(BY_SITE)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.filterwarnings("ignore:.*lost")
@pytest.mark.parametrize("name", [*BY_SITE, *BY_ROW, *SEQUENCES])
def test_the_same_files_as_of_a_cohort_in_memory(tmp_path: Path, cohort: hf.HaplotypeMatrix, name: str) -> None:
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    H = cohort_for(name, cohort)
    seen: list[tuple[int, int]] = []
    counts: list[int] = []
    for folder in ("memory", "blocks"):
        (tmp_path / folder).mkdir()
    hf.write(H, tmp_path / "memory" / name)
    hf.write(
        in_blocks(H, lambda first, last: seen.append((first, last))), tmp_path / "blocks" / name, progress=counts.append
    )
    assert content(tmp_path / "blocks") == content(tmp_path / "memory")
    assert seen == [(0, 512), (512, 1024), (1024, 1300)]  # each once, in their order
    assert sum(counts) == (H.num_sites if name in BY_SITE else N)
    assert np.array_equal(hf.read(tmp_path / "blocks" / name).words, H.words)


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.filterwarnings("ignore:.*lost")
@pytest.mark.parametrize("name", ["x.vcf.gz", "x.hap", "x.vcz"])
def test_an_alt_that_is_missing_and_drawn_is_refused(tmp_path: Path, cohort: hf.HaplotypeMatrix, name: str) -> None:
    """Site 70 has no ALT: nobody has it, or only the last row."""
    alt = cohort.sites.alt.copy()
    alt[70] = "."
    sites = hf.Sites(cohort.sites.position, ref="A", alt=alt)
    words = cohort.words.copy()
    words[:, 1] &= ~np.uint64(1 << 6)
    hf.write(in_blocks(hf.HaplotypeMatrix(words, sites, cohort.samples)), tmp_path / f"a{name}")
    there = content(tmp_path)
    words[N - 1, 1] |= np.uint64(1 << 6)
    with pytest.raises(ValueError, match=r"site 1:497: expected no haplotype with ALT where it is missing"):
        hf.write(in_blocks(hf.HaplotypeMatrix(words, sites, cohort.samples)), tmp_path / name)
    assert content(tmp_path) == there


@pytest.mark.parametrize("name", ["x.vcf", "x.pgen", "x.hapt", "x.fasta", "x.vcz"])
def test_what_cannot_be_written_is_refused_before_anything_is_drawn(
    tmp_path: Path, cohort: hf.HaplotypeMatrix, name: str
) -> None:
    def never(first: int, last: int) -> None:
        raise AssertionError("a row was asked for")

    odd = cohort.select_haplotypes(np.arange(0 if name == "x.hapt" else 7))
    with pytest.raises(ValueError, match=r"expected (two haplotypes|at least one|aligned)"):
        hf.write(in_blocks(odd, never), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.filterwarnings("ignore:.*lost")
@pytest.mark.parametrize("name", ["x.bcf", "x.hapz", "x.npz"])
@pytest.mark.parametrize("end", ["error", "interrupt", "kill"])
def test_ended_while_it_is_drawn(
    tmp_path: Path, cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch, name: str, end: str
) -> None:
    """The old file is as it was; of one that is killed, the next writer removes what is left."""
    old = cohort.select_haplotypes(np.arange(4))
    hf.write(old, tmp_path / name)
    before = content(tmp_path)

    def ended(first: int, last: int) -> None:
        if first:
            if end == "kill":
                os.kill(os.getpid(), signal.SIGKILL)
            raise KeyboardInterrupt if end == "interrupt" else ZeroDivisionError

    if end == "kill":
        child = os.fork()
        if child == 0:
            try:
                hf.write(in_blocks(cohort, ended), tmp_path / name)
            finally:
                os._exit(1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
    else:
        with pytest.raises((KeyboardInterrupt, ZeroDivisionError)):
            hf.write(in_blocks(cohort, ended), tmp_path / name)
    left = {path.name for path in tmp_path.iterdir()} - set(before)
    assert all(atomic.output_of(hidden) == name for hidden in left)
    assert bool(left) == (end == "kill" and name != "x.bcf")  # draws that wait for all others have no name
    assert np.array_equal(hf.read(tmp_path / name).words, old.words)
    monkeypatch.setattr(atomic, "_YOUNG_S", -1)
    hf.write(old, tmp_path / name)
    assert content(tmp_path) == before


@pytest.mark.usefixtures("small_blocks")
def test_a_disk_without_room(tmp_path: Path, cohort: hf.HaplotypeMatrix) -> None:
    """Known before anything is drawn where it can be, else said with the name of the output."""

    cohort = hf.HaplotypeMatrix(cohort.words, cohort.sites)

    def work() -> list[object]:
        own_mounts()
        disk = tmp_path / "disk"
        disk.mkdir()
        tmpfs(disk, 1 << 20)
        said: list[object] = []
        drawn: list[int] = []
        for room in (20_000, 500_000):  # the draws take 33,600 bytes

            def fill(first: int, last: int) -> None:
                drawn.append(first)
                if first:
                    with contextlib.suppress(OSError):
                        (disk / "more").write_bytes(bytes(1 << 20))

            with free_bytes(disk, room):
                try:
                    hf.write(in_blocks(cohort, fill), disk / "x.vcf.gz")
                except OSError as error:
                    said.append([error.errno, error.filename, error.strerror.split(",")[0], len(drawn)])
            (disk / "more").unlink(missing_ok=True)
            said.append([path.name for path in disk.iterdir()])
        return said

    room = f"expected room for 32.8 KiB or more in {tmp_path / 'disk'}"
    found = in_a_child(work, tmp_path / "report")
    name = str(tmp_path / "disk" / "x.vcf.gz")
    assert found[:2] == [[errno.ENOSPC, name, room, 0], []]
    assert found[2:] == [[errno.ENOSPC, name, f"expected room for it in {tmp_path / 'disk'}", 2], []]


def test_a_limit_of_files_counts_the_draws_that_wait(tmp_path: Path) -> None:
    io.check_room(tmp_path / "x.bcf", 1 << 16, 1 << 12)
    with largest_file(1 << 20):
        io.check_room(tmp_path / "x.bcf", 1 << 16, 1 << 12)
        io.check_room(tmp_path / "x.hapz", 1 << 16, 1 << 12, in_blocks=True)
        with pytest.raises(OSError, match=r"expected a limit for files \(ulimit -f\) of 32.0 MiB or more"):
            io.check_room(tmp_path / "x.bcf", 1 << 16, 1 << 12, in_blocks=True)


PROGRAM = (
    MOST_MEMORY
    + """
import sys, warnings
import numpy as np
import hapforge as hf
warnings.simplefilter("ignore")
name, n, num_sites, model = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
H = hf.HaplotypeMatrix.from_dense(np.random.default_rng(1).random((60, num_sites)) < np.linspace(0, 0.3, num_sites))
sites = hf.Sites(np.arange(1, num_sites + 1), ref="A", alt="C")
H = hf.HaplotypeMatrix(H.words, sites)
fitted = {"bernoulli": hf.models.Bernoulli, "markov": hf.models.Markov}[model]().fit(H)
hf.write(fitted.sample_in_blocks(n), name)
print(most())
"""
)
"""KiB at most of a process that draws n haplotypes into a file."""


def memory_mib(path: Path, n: int, num_sites: int, model: str) -> float:
    arguments = [sys.executable, "-c", PROGRAM, str(path), str(n), str(num_sites), model]
    found = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=600)
    assert found.returncode == 0, found.stderr
    return int(found.stdout) / 1024


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.hapz", "x.npz", "x.hapt", "x.vcf.gz", "x.bcf", "x.pgen", "x.hap", "x.vcz"])
def test_a_haplotype_costs_its_names(tmp_path: Path, name: str) -> None:
    """At most 250 bytes each, whatever is drawn at 805 sites: 300,000 rows are 240 MB of calls."""
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    least, most = (memory_mib(tmp_path / name, n, 805, "markov") for n in (8192, 300_000))
    assert most - least < 250 * (300_000 - 8192) / (1 << 20) + 24, (least, most)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["x.hapz", "x.npz", "x.vcf.gz", "x.pgen"])
def test_memory_does_not_grow_with_what_is_drawn(tmp_path: Path, name: str) -> None:
    """65,535 sites: 4,096 rows are 34 MB packed, 12,000 are 98 MB and 790 MB of calls."""
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    least, most = (memory_mib(tmp_path / name, n, 65_535, "bernoulli") for n in (4096, 12_000))
    assert most - least < 40, (least, most)
    assert most < 200

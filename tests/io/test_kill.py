"""Writers that are killed (SIGKILL): what is there afterwards is the old cohort or the new one, in whole sets.

Of sets of files, too: what a killed writer has not put in place is put there by whoever reads next.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.io import ENDINGS, atomic

ALIASES = {".zarr", ".zarr.zip", *(f".{name}{gz}" for name in ("fa", "faa", "fna") for gz in ("", ".gz"))}
NAMES = [f"x{ending}" for ending in ENDINGS if ending not in ALIASES]
"""Of every format that is written: a new one is here as soon as `FORMATS` has its ending."""
ANEW = [name for name in NAMES if name in ("x.bcf", "x.hap", "x.pgen", "x.hapt", "x.hapz", "x.npz", "x.vcz.zip")]
"""Of every way in which files take their places."""
STEPS = {"x.hapz": 19, "x.vcz": 19}  # each of their files is synced, then removed
CALLS = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir")


def cohort(seed: int) -> hf.HaplotypeMatrix:
    rows = np.random.default_rng(seed).integers(0, 2, (40, 500), dtype=np.uint8)
    position = np.arange(1, 501)
    names = [f"1:{p}_A_C" for p in position]
    return hf.HaplotypeMatrix.from_dense(rows, position, "1", names, "A", "C", sample_ids=[f"P{i}" for i in range(20)])


OLD, NEW = cohort(1), cohort(2)
SEQUENCES = [hf.Alignment(np.random.default_rng(k).integers(0, 4, (9, 70)), "ACGT").to_haplotypes() for k in (1, 2)]


def cohorts(name: str) -> list[hf.HaplotypeMatrix]:
    """The old and the new one, as they are written."""
    return SEQUENCES if name.split(".")[1] in ("fasta", "fa", "faa", "fna") else [OLD, NEW]


def killed(path: Path, *, before_call: int = 0, after: float = 0.0) -> bool:
    """Write the new cohort over what is there in a child that is killed; whether it ended before."""
    child = os.fork()
    if child == 0:
        try:
            calls = 0

            def counted(call):
                def instead(*arguments, **more):
                    nonlocal calls
                    calls += 1
                    if calls == before_call:
                        os.kill(os.getpid(), signal.SIGKILL)
                    return call(*arguments, **more)

                return instead

            if before_call:
                for name in CALLS:
                    setattr(os, name, counted(getattr(os, name)))
            else:
                signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
                signal.setitimer(signal.ITIMER_REAL, after)
            hf.write(cohorts(path.name)[1], path)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def sign(path: Path) -> bytes:
    """What a reader gets: bits, sites and names."""
    H = hf.read(path)
    return repr((H.words.tobytes(), H.sites.position.tolist(), list(H.sites.id), list(H.samples.sample_id))).encode()


def signs(folder: Path, name: str) -> dict[bytes, str]:
    """What a reader gets of the old cohort and of the new one."""
    folder.mkdir()
    found = {}
    for state, H in zip(("old", "new"), cohorts(name), strict=True):
        hf.write(H, folder / name)
        found[sign(folder / name)] = state
    assert len(found) == 2
    return found


def hidden(folder: Path) -> list[Path]:
    return [path for path in folder.iterdir() if path.name.startswith(".x.")]


@pytest.fixture
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that is killed leaves what it has written, synced or not."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.mark.usefixtures("no_sync")
@pytest.mark.parametrize(("name", "before"), [*((name, "old") for name in NAMES), *((name, "none") for name in ANEW)])
def test_killed_before_every_change_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, before: str
) -> None:
    """Over an old file, and where there is none; the next writer but one removes what is left."""
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    state_of = signs(tmp_path / "signs", name)
    path = tmp_path / "here" / name
    path.parent.mkdir()
    seen = []
    for call in range(1, 400, STEPS.get(name, 1)):
        if seen and seen[-1] == before:
            pass
        elif before == "old":
            hf.write(cohorts(name)[0], path)
        else:
            shutil.rmtree(path.parent)
            path.parent.mkdir()
        ended = killed(path, before_call=call)
        try:
            seen.append(state_of[sign(path)])
        except FileNotFoundError:
            seen.append("none")
        if ended:
            break
    assert ended
    assert [a for a, b in zip(seen, [*seen[1:], ""], strict=True) if a != b] == [before, "new"]
    files = {file.name for file in path.parent.iterdir()} - {file.name for file in hidden(path.parent)}
    if before == "old":
        assert hidden(path.parent)
    hf.write(cohorts(name)[0], path)  # what was made a moment ago may be in use: it stays
    monkeypatch.setattr(atomic, "_YOUNG_S", -1)
    hf.write(cohorts(name)[0], path)
    assert {file.name for file in path.parent.iterdir()} == files


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """200 moments, over the time that writing takes."""
    rng = np.random.default_rng(7)
    seen: dict[str, int] = {}
    for name in NAMES:
        state_of = signs(tmp_path / f"signs-{name}", name)
        path = tmp_path / name
        hf.write(cohorts(name)[0], path)
        began = time.perf_counter()
        assert killed(path, after=60)
        needed = time.perf_counter() - began
        for _ in range(20):
            hf.write(cohorts(name)[0], path)
            ended = killed(path, after=max(1e-5, float(rng.random()) * 1.5 * needed))
            state = state_of[sign(path)]
            assert state == "new" or not ended
            seen[state] = seen.get(state, 0) + 1
    assert seen["old"] > 20
    assert seen["new"] > 20
    assert sum(seen.values()) == 20 * len(NAMES) >= 200

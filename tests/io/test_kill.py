"""Writers that are killed (SIGKILL): what is there afterwards is the old cohort or the new one."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.errors import FormatError

ALONE = ["x.vcf", "x.vcf.gz", "x.bcf", "x.npz", "x.hapz", "x.vcz", "x.hapt", "x.haps"]
SETS = ["x.hap.gz", "x.pgen"]
"""Of files that none can be read without: of a set that is torn, reading says in one line what is missing."""
CALLS = ("replace", "rename", "fsync", "unlink", "rmdir", "mkdir")


def cohort(seed: int) -> hf.HaplotypeMatrix:
    rows = np.random.default_rng(seed).integers(0, 2, (40, 500), dtype=np.uint8)
    position = np.arange(1, 501)
    names = [f"1:{p}_A_C" for p in position]
    return hf.HaplotypeMatrix.from_dense(rows, position, "1", names, "A", "C", sample_ids=[f"P{i}" for i in range(20)])


OLD, NEW = cohort(1), cohort(2)


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
            hf.write(NEW, path)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signal.SIGKILL), code
    return code == 0


def found(path: Path) -> str:
    """Which cohort a reader gets."""
    try:
        words = hf.read(path).words
    except (FormatError, ValueError, OSError) as error:
        return "torn" if path.name in SETS and "\n" not in str(error) else str(error)
    return next(name for name, H in (("old", OLD), ("new", NEW)) if np.array_equal(words, H.words))


@pytest.mark.parametrize("name", [*ALONE, *SETS])
def test_killed_before_every_change_of_a_file(tmp_path: Path, name: str) -> None:
    if name == "x.pgen":
        pytest.importorskip("pgenlib")
    path = tmp_path / name
    seen = []
    for call in range(1, 400, 7 if name in ("x.hapz", "x.vcz") else 1):  # each of their files is synced, then removed
        hf.write(OLD, path)
        ended = killed(path, before_call=call)
        seen.append(found(path))
        if ended:
            break
    assert ended
    assert seen[0] == "old"
    assert seen[-1] == "new"
    order = ["old", *(["torn"] if name in SETS else []), "new"]
    assert [a for a, b in zip(seen, [*seen[1:], ""], strict=True) if a != b] == order


@pytest.mark.slow
def test_killed_at_any_moment(tmp_path: Path) -> None:
    """200 moments, over the time that writing takes."""
    rng = np.random.default_rng(7)
    seen: dict[str, int] = {}
    for name in [*ALONE, *SETS]:
        path = tmp_path / name
        hf.write(OLD, path)
        began = time.perf_counter()
        assert killed(path, after=60)
        needed = time.perf_counter() - began
        for _ in range(20):
            hf.write(OLD, path)
            ended = killed(path, after=max(1e-5, float(rng.random()) * 1.5 * needed))
            state = found(path)
            assert state == "new" or not ended
            seen[state] = seen.get(state, 0) + 1
    assert set(seen) <= {"old", "torn", "new"}, seen
    assert seen["old"] > 20
    assert seen["new"] > 20
    assert sum(seen.values()) == 200

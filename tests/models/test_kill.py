"""Training that is killed (SIGKILL) and resumed, and checkpoints that are damaged."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.errors import ChecksumError, FormatError

pytest.importorskip("torch")

RBM = {"num_hidden": 12, "gibbs_steps": 3, "epochs": 12, "batch_size": 100, "num_chains": 30, "training": "pcd"}
SETTINGS = {
    "RBM": RBM,
    "WGAN": {"width": 2, "critic_steps": 2, "epochs": 12, "batch_size": 96, "shard": 48},
}

# Children are forked before torch has computed anything. The n-th one begins a run, is killed before its n-th call of
# what changes files (or after a time), and is then resumed and killed again three times, until it ends.
AT_EVERY_CALL = """
import os, signal, sys
from pathlib import Path
import hapforge as hf

model, settings = eval(sys.argv[1])
folder, data, trained = Path(sys.argv[2]), hf.read(sys.argv[3]), getattr(hf.models, model)

def train(run, resume, deadly, delay):
    pid = os.fork()
    if pid == 0:
        calls = 0
        def counted(call):
            def instead(*arguments, **more):
                nonlocal calls
                calls += 1
                if calls == deadly:
                    os.kill(os.getpid(), signal.SIGKILL)
                return call(*arguments, **more)
            return instead
        for name in ("replace", "rename", "fsync", "unlink", "mkdir", "rmdir"):
            setattr(os, name, counted(getattr(os, name)))
        if delay:
            signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGKILL))
            signal.setitimer(signal.ITIMER_REAL, delay)
        try:
            trained(**settings).fit(data, seed=3, run=run, resume=resume, checkpoint_every=2, overwrite=not resume)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
        os._exit(0)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if status not in (0, -signal.SIGKILL):
        sys.exit(f"{run}, call {deadly}, delay {delay}: exit code {status}")
    return status == 0

def resumable(run):
    return (run / "run.json").is_file()

for mode in sys.argv[4:]:
    kind, value = mode.split("=")
    run = folder / mode
    deadly, delay = (int(value), 0) if kind == "call" else (0, float(value))
    ended, tries = train(run, False, deadly, delay), 0
    kills = not ended
    while not (ended or (run / "model.json").is_file()):  # killed between the model and the end of its checkpoint
        tries += 1
        ended = train(run, resumable(run), 0 if tries > 3 else deadly and deadly // 2 + 2, 0 if tries > 3 else delay)
        kills += not ended
    print(mode, int(kills))
"""


def kill(cohort: hf.HaplotypeMatrix, folder: Path, modes: list[str], model: str = "RBM") -> dict[str, int]:
    hf.write(cohort, folder / "data.hapz")
    arguments = [str((model, SETTINGS[model])), str(folder), str(folder / "data.hapz"), *modes]
    done = subprocess.run(
        [sys.executable, "-c", AT_EVERY_CALL, *arguments], capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, done.stderr
    return {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()}


def check(cohort: hf.HaplotypeMatrix, folder: Path, kills: dict[str, int], model: str = "RBM") -> None:
    whole = getattr(hf.models, model)(**SETTINGS[model]).fit(cohort, seed=3)
    whole.save(folder / "whole")
    expected = (folder / "whole" / "weights.safetensors").read_bytes()
    for mode in kills:
        assert (folder / mode / "weights.safetensors").read_bytes() == expected, mode
        names = {p.name for p in (folder / mode).iterdir()}
        assert names - {"checkpoint"} == {"model.json", "run.json", "train.jsonl", "weights.safetensors"}
        lines = (folder / mode / "train.jsonl").read_text().splitlines()
        assert [int(line.split(",")[0].split(":")[1]) for line in lines] == list(range(1, 13)), mode


def test_killed_before_any_change_of_a_file(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    kills = kill(cohort, tmp_path, [f"call={n}" for n in range(1, 75, 14)])
    assert sum(count >= 2 for count in kills.values()) > len(kills) / 2
    check(cohort, tmp_path, kills)


@pytest.mark.slow
def test_killed_at_any_time(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    delays = np.random.default_rng(5).uniform(0.005, 0.25, 60).round(4)
    kills = kill(cohort, tmp_path, [f"call={n}" for n in range(1, 75)] + [f"time={delay}" for delay in set(delays)])
    assert sum(count >= 1 for mode, count in kills.items() if mode.startswith("time")) >= 20
    check(cohort, tmp_path, kills)


@pytest.mark.slow
def test_networks_killed_at_any_time(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """The optimisers' moments, the running mean and the number of updates are in the checkpoint, too."""
    few = cohort.select_haplotypes(np.arange(200)).select_sites(np.arange(50))
    modes = [f"call={n}" for n in range(1, 75, 9)] + [f"time={delay}" for delay in (0.5, 1.0, 1.5, 2.0)]
    kills = kill(few, tmp_path, modes, "WGAN")
    assert sum(kills.values()) >= 10
    check(few, tmp_path, kills, "WGAN")


class Interrupt(Exception):
    pass


def test_any_flipped_bit_of_a_checkpoint_is_refused(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """90 copies of an interrupted run, each with one bit of a file flipped; the whole one is resumed at the end."""

    def stop(state: object) -> None:
        if state.epoch == 3:
            raise Interrupt

    def fit(**more: object) -> hf.models.RBM:
        return hf.models.RBM(**RBM).fit(cohort, seed=3, run=run, checkpoint_every=2, **more)

    run = tmp_path / "run"
    with pytest.raises(Interrupt):
        fit(callback=stop)
    files = [run / "run.json", run / "checkpoint" / "state.json", run / "checkpoint" / "state-2.safetensors"]
    assert set((run / "checkpoint").iterdir()) == set(files[1:])
    rng = np.random.default_rng(12)
    for i in range(90):
        path = files[i % 3]
        content = path.read_bytes()
        bit = int(rng.integers(8 * len(content)))
        path.write_bytes(content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :])
        with pytest.raises((FormatError, ChecksumError)):
            fit(resume=True)
        path.write_bytes(content)
    assert np.array_equal(fit(resume=True).weights, hf.models.RBM(**RBM).fit(cohort, seed=3).weights)

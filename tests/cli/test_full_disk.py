"""Commands whose disk fills after they have begun: one line, exit code 2, what was whole before is whole after."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf

pytest.importorskip("torch")

# In a process of its own: it trains, so that torch's threads and a fork do not meet.
SCRIPT = """
import json, sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from disk import NoMount, free_bytes, own_mounts, tmpfs
import hapforge as hf
from hapforge import evaluation
from hapforge.cli import main
from hapforge.models import _imputation, _run
from hapforge.report import training

disk, data, some, report = (Path(name) for name in sys.argv[2:6])
try:
    own_mounts()
    tmpfs(disk, 32 << 20)
except NoMount as error:
    report.write_text(json.dumps(str(error)))
    sys.exit()
found, real = {}, (sys.stdout, sys.stderr)

def said(*arguments):
    sys.argv = ["hapforge", *map(str, arguments)]
    sys.stdout, sys.stderr = (TextIOWrapper(BytesIO(), write_through=True) for _ in range(2))
    try:
        main()
    except SystemExit as ended:
        code = ended.code or 0
    line = sys.stderr.buffer.getvalue().decode()
    sys.stdout, sys.stderr = real
    files = sorted(str(path.relative_to(disk)) for path in disk.rglob("*") if path.name != "filler")
    return [code, line, files]

fill = None

def full_from_now_on():
    global fill
    fill = free_bytes(disk, 0)
    fill.__enter__()

def room():
    fill.__exit__(None, None, None)

settings = [text for key, value in {"num_hidden": 8, "epochs": 6, "gibbs_steps": 2, "num_chains": 20, "batch_size": 10,
            "temperature": 1.0, "checkpoint_every": 2, "validation": 0}.items() for text in ("--set", f"{key}={value}")]
train = ["train", "rbm", data, "--seed", "5", "-q"]

with free_bytes(disk, 8192):
    found["no room for checkpoints"] = said(*train, *settings, "-o", disk / "x")
found["whole"] = said(*train, *settings, "-o", disk / "whole")

log = _run.Run.log
def fills_in_epoch_5(self, entry, histograms):
    if entry["epoch"] == 5:
        full_from_now_on()
    log(self, entry, histograms)
_run.Run.log = fills_in_epoch_5
found["train"] = said(*train, *settings, "-o", disk / "run")
room()
_run.Run.log = log
found["resumed"] = said(*train, "--resume", "-o", disk / "run")
found["same"] = [hf.models.load(disk / name).sample(20, seed=3).sha256() for name in ("whole", "run")]

def full_after(module, name):
    call = getattr(module, name)
    def then_full(*arguments, **more):
        setattr(module, name, call)
        result = call(*arguments, **more)
        full_from_now_on()
        return result
    setattr(module, name, then_full)

full_after(training, "read_training")
found["page"] = said(*train, *settings, "-o", disk / "p")
room()
full_after(hf.models.RBM, "_draw_rows")
found["generate"] = said("generate", disk / "run", "-n", "20", "-o", disk / "ag.bcf")
room()
full_after(hf.models.RBM, "impute")
found["impute"] = said("impute", disk / "run", some, "-o", disk / "i.hapz", "--dosages", disk / "i.tsv")
room()
full_after(evaluation, "evaluate")
few = ["--metrics", "allele_frequency", "--controls", "real_half"]
found["evaluate"] = said("evaluate", data, data, *few, "-o", disk / "e")
room()
report.write_text(json.dumps(found))
"""


def test_every_command_on_a_disk_that_fills(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    disk, data, some, report = (tmp_path / name for name in ("disk", "data.hapz", "some.hapz", "report"))
    disk.mkdir()
    hf.write(small_cohort, data)
    hf.write(small_cohort.select_sites(np.arange(0, 130, 2)), some)
    run = [sys.executable, "-c", SCRIPT, str(Path(__file__).parents[1]), *map(str, (disk, data, some, report))]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HAPFORGE_THREADS": "1"}
    done = subprocess.run(run, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(report.read_text())
    if isinstance(found, str):
        pytest.skip(f"nothing can be mounted here: {found}")
    finished = ["model.json", "report.html", "run.json", "train.jsonl", "weights.safetensors"]
    files = ["whole", *(f"whole/{name}" for name in finished)]
    unfinished = ["checkpoint", "checkpoint/state-4.safetensors", "checkpoint/state.json", "run.json", "train.jsonl"]
    assert found["no room for checkpoints"][2] == []
    assert f"hapforge: {disk}/x: expected room for " in found["no room for checkpoints"][1]
    assert found["whole"] == [0, "", files]
    assert found["train"][2] == ["run", *(f"run/{name}" for name in unfinished), *files]
    said = rf"hapforge: {disk}/run/(train.jsonl|checkpoint/state-6.safetensors): expected room for it in {disk}/run"
    assert re.match(said, found["train"][1])
    assert found["train"][1].endswith("; " + f"{disk}/run keeps the checkpoint of epoch 4 (--resume goes on from it)\n")
    files = ["run", *(f"run/{name}" for name in finished), *files]
    assert found["resumed"] == [0, "", files]
    assert found["same"][0] == found["same"][1]
    files = ["p", *(f"p/{name}" for name in finished if name != "report.html"), *files]
    for command, name in (
        ("page", "p/report.html"),
        ("generate", "ag.bcf"),
        ("impute", "i.tsv"),
        ("evaluate", "e.json"),
    ):
        code, line, left = found[command]
        assert (code, left) == (2, files), command
        assert line.startswith(
            f"hapforge: {disk / name}: expected room for it in {(disk / name).parent}, found: No space left on device"
        )
    for name in ("no room for checkpoints", "train", "page", "generate", "impute", "evaluate"):
        assert found[name][0] == 2
        assert found[name][1].count("\n") == 1

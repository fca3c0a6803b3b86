"""hapforge info, as a process: files of haplotypes and run folders."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from commands import forked
from hapforge.models import _store


def info(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return forked("info", path, *options)


def table(text: str) -> dict[str, str]:
    return {line.split("  ")[0]: line.split("  ", 1)[1].strip() for line in text.splitlines()}


@pytest.mark.parametrize(
    ("name", "kind"),
    [("x.hapz", "hapz store (compressed)"), ("x.npz", "NumPy archive")],
)
def test_a_labelled_cohort(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str, kind: str) -> None:
    hf.write(small_cohort, tmp_path / name)
    result = info(tmp_path / name)
    assert (result.returncode, result.stderr) == (0, "")
    lines = table(result.stdout)
    frequency = small_cohort.to_dense().mean(axis=0)
    quartiles = ", ".join(f"{value:.4f}" for value in np.quantile(frequency, [0, 0.25, 0.5, 0.75, 1]))
    size = lines.pop("size")
    assert size.endswith("kB")
    assert lines == {
        "file": str(tmp_path / name),
        "format": kind,
        "haplotypes": "20",
        "persons": "10",
        "label population": "GBR 10, YRI 10",
        "sites": "130",
        "contig 1": "70 sites, 100-7,000",
        "contig 2": "60 sites, 50-3,000",
        "ALT frequency": f"mean {frequency.mean():.4f}; minimum, quartiles, maximum {quartiles}",
        "minor allele": "below 0.01 at 0 sites, below 0.05 at 0",
        "monomorphic": "0 sites",
    }


def test_genotypes_of_a_store_are_not_read(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "x.hapz"
    hf.write(small_cohort, path, mappable=True)
    (path / "genotypes" / "c" / "0" / "0").write_bytes(b"nothing of use")
    lines = table(info(path).stdout)
    assert lines["format"] == "hapz store (uncompressed, mappable)"
    assert lines["ALT frequency"].startswith(f"mean {small_cohort.to_dense().mean():.4f};")


def test_unknown_positions_and_many_labels(tmp_path: Path) -> None:
    matrix = hf.HaplotypeMatrix.from_dense(np.eye(50, dtype=np.uint8), labels={"name": [f"n{i}" for i in range(50)]})
    hf.write(matrix, tmp_path / "x.npz")
    lines = table(info(tmp_path / "x.npz").stdout)
    assert lines["positions"] == "not known"
    assert lines["label name"] == "50 different values"
    assert lines["minor allele"] == "below 0.01 at 0 sites, below 0.05 at 50"


def test_a_run_folder(tmp_path: Path) -> None:
    content = {
        "model": "rbm",
        "version": "0.1.0",
        "config": {"num_hidden": 5, "rate": 0.1},
        "data": {"path": "x"},
        "n": None,
    }
    (tmp_path / "model.json").write_text(json.dumps(content))
    assert table(info(tmp_path).stdout) == {
        "run": str(tmp_path),
        "model": "rbm",
        "version": "0.1.0",
        "config.num_hidden": "5",
        "config.rate": "0.1",
        "data.path": "x",
        "n": "null",
    }
    for text in ("{", "[]", "[" * 100_000):
        (tmp_path / "model.json").write_text(text)
        result = info(tmp_path)
        assert result.returncode == 2
        assert result.stderr.startswith(f"hapforge: {tmp_path / 'model.json'}: expected ")
        assert result.stderr.count("\n") == 1


def test_an_unfinished_run(tmp_path: Path) -> None:
    record = {"format": "hapforge-run", "model": "rbm", "config": {"epochs": 9}, "seed": 4, "notes": {"data": "x.npz"}}
    (tmp_path / "run.json").write_text(json.dumps(record))
    expected = {
        "run": f"{tmp_path} (not finished)",
        "epochs done": "0",
        "format": "hapforge-run",
        "model": "rbm",
        "config.epochs": "9",
        "seed": "4",
        "notes.data": "x.npz",
    }
    assert table(info(tmp_path).stdout) == expected
    log = tmp_path / "train.jsonl"
    for epoch in (1, 2):
        _store.append_sealed(log, {"epoch": epoch, "loss": 0.25})
    assert table(info(tmp_path).stdout) == {**expected, "epochs done": "2"}
    whole = log.read_text()
    log.write_text(whole + '{"epo')
    torn = f"{log}: its last line is not whole, as that of a killed run"
    assert table(info(tmp_path).stdout) == {**expected, "epochs done": "2", "torn": torn}
    log.write_text(whole.replace("0.25", "0.26", 1))
    for name, content in (("model.json", '{"model": "rbm"}'), ("run.json", json.dumps(record))):
        (tmp_path / name).write_text(content)  # a run that has ended, and then one that has not
        lines = table(info(tmp_path).stdout)
        assert lines["damaged"].startswith(f"{log}, line 1: expected SHA-256 ")
        assert lines.get("epochs done") == ("0" if name == "run.json" else None)
        (tmp_path / "model.json").unlink(missing_ok=True)


def test_a_store_whose_metadata_nests_too_deep(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.write(small_cohort, tmp_path / "x.hapz")
    (tmp_path / "x.hapz" / "zarr.json").write_text("[" * 100_000)
    result = info(tmp_path / "x.hapz")
    assert result.returncode == 2
    assert result.stderr == (
        f"hapforge: {tmp_path / 'x.hapz' / 'zarr.json'}: expected the metadata of a hapforge store, "
        "found other content\n"
    )


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"\0\0")
    for path in (tmp_path, tmp_path / "x", tmp_path / "none"):
        result = info(path)
        assert result.returncode == 2
        assert result.stderr.startswith(f"hapforge: {path}: ")
        assert result.stderr.count("\n") == 1

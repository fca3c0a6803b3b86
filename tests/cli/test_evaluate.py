"""`hapforge evaluate` as a command: four outputs or none, one line and exit code 2 on bad input."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path

import jsonschema
import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import main
from hapforge.cli.evaluate import set_names
from hapforge.evaluation import EQUAL_N, METRICS, SCORES, json_schema
from hapforge.evaluation.statistics import STATISTICS


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """real.npz, syn.npz, holdout.npz and bare.hapt (no sites) in the working folder."""
    rng = np.random.default_rng(5)
    frequency = rng.beta(0.5, 0.5, 80)
    position = np.arange(1, 81) * 25
    for name, n in (("real", 40), ("syn", 36), ("holdout", 20)):
        x = (rng.random((n, 80)) < frequency).astype(np.uint8)
        ids = [f"{name}{i}" for i in range(n // 2)]
        matrix = hf.HaplotypeMatrix.from_dense(x, positions=position, ref="A", alt="G", sample_ids=ids)
        hf.write(matrix, tmp_path / f"{name}.npz")
    lines = [f"AG AG{i} " + " ".join(map(str, row)) for i, row in enumerate(x)]
    (tmp_path / "bare.hapt").write_text("\n".join(lines) + "\n")
    (tmp_path / "sites.legend").write_text(
        "id position a0 a1\n" + "".join(f"1:{p}_A_G {p} A G\n" for p in position.tolist())
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)  # main() sets its own
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["hapforge", "evaluate", *arguments])
    with pytest.raises(SystemExit) as stopped:
        main()
    return int(stopped.value.code or 0)


def test_four_outputs_and_a_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    before = set(folder.iterdir())
    code = run(monkeypatch, "real.npz", "syn.npz", "--holdout", "holdout.npz", "-o", "out", "--seed", "3")
    assert code == 0
    assert {p.name for p in set(folder.iterdir()) - before} == {"out.json", "out.tsv", "out.html", "out.log"}
    table = capsys.readouterr().out
    for word in ("AA truth", "privacy score", "syn", "real half", "holdout", "out.html"):
        assert word in table
    payload = json.loads((folder / "out.json").read_text())
    assert list(payload["scores"]) == ["syn", "real half", "Bernoulli", "Markov", "holdout"]
    asked_for = {name for statistic in STATISTICS.values() if statistic.opt_in for name in statistic.scores}
    expected = {name for name, text in SCORES.items() if text.always} - asked_for
    assert expected <= set(payload["scores"]["syn"]) <= set(SCORES) - asked_for
    assert payload["headlines"]["syn"] in table
    entry = payload["provenance"]["inputs"]["syn"]
    assert entry["file"] == "syn.npz"
    assert entry["file_sha256"] == hashlib.sha256((folder / "syn.npz").read_bytes()).hexdigest()
    assert payload["provenance"]["command"].startswith("hapforge evaluate real.npz syn.npz")
    assert payload["provenance"]["seed"] == 3
    log = (folder / "out.log").read_text()
    for word in ("read real from real.npz", "80 sites", "pca, syn:", "ld, real half:", "note:"):
        assert word in log


def test_values_are_those_of_the_function(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, "real.npz", "syn.npz", "-o", "out", "-q", "--metrics", "allele_frequency,pairwise") == 0
    expected = hf.evaluate(hf.read("real.npz"), hf.read("syn.npz"), metrics=["allele_frequency", "pairwise"])
    found = json.loads((folder / "out.json").read_text())["scores"]["syn"]
    assert {name: s["value"] for name, s in found.items()} == {
        name: s.value for name, s in expected.scores["synthetic"].items()
    }


def test_max_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("-q", "--metrics", "pairwise")
    assert run(monkeypatch, "real.npz", "syn.npz", "-o", "out", "--max-memory", "64K", *options) == 0
    payload = json.loads((folder / "out.json").read_text())
    assert payload["scores"]["syn"]["pairwise_within"]["value"] is None
    assert "0 MiB of 0 MiB are left" in payload["scores"]["syn"]["pairwise_within"]["procedure"]
    assert "could not be computed" in (folder / "out.log").read_text()


def test_list(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(monkeypatch, "--list") == 0
    listed = capsys.readouterr().out
    assert {line.split()[0].rstrip(",:") for line in listed.splitlines()} == {
        *METRICS,
        *(name.removesuffix(EQUAL_N) for name in SCORES),
    }
    assert run(monkeypatch, "--help") == 0
    assert "--metrics NAME,... Only these statistics, of those that --list prints" in " ".join(
        capsys.readouterr().out.split()
    )


@pytest.mark.parametrize(
    ("prefix", "message"),
    [
        ("nowhere/out", "nowhere/out.json: expected an existing folder to write to, found no "),
        ("real.npz/out", "real.npz/out.json: expected an existing folder to write to, found no "),
        ("/proc/out", "/proc/out.json: expected a place that can be written to, found: "),
        ("n" * 245, ".json: expected a place that can be written to, found: File name too long"),
    ],
)
def test_output_that_cannot_be_written_is_found_before_reading(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], prefix: str, message: str
) -> None:
    monkeypatch.setattr("hapforge.io.read", lambda *_args, **_options: pytest.fail("read before the output was tried"))
    before = set(folder.iterdir())
    assert run(monkeypatch, "real.npz", "syn.npz", "-o", prefix) == 2
    assert message in capsys.readouterr().err
    assert set(folder.iterdir()) == before


def test_other_commands_do_not_import_the_statistics() -> None:
    code = "import sys, hapforge.cli; print([m for m in sys.modules if m.startswith('hapforge.evaluation')])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"


def test_a_genetic_map(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "map.txt").write_text("pos chr cM\n1 1 0\n100000000 1 50\n")
    arguments = ["real.npz", "syn.npz", "-o", "by_cm", "--metrics", "ld", "--genetic-map"]
    assert run(monkeypatch, *arguments, "map.txt") == 0
    assert json.loads((folder / "by_cm.json").read_text())["curves"]["ld_decay"]["unit"] == "cM"
    capsys.readouterr()
    (folder / "map.txt").write_text("pos chr cM\n1 X 0\n9 X 50\n")
    assert run(monkeypatch, *arguments, "map.txt", "-f") == 2
    assert "map.txt: expected a map of 1:" in capsys.readouterr().err
    assert run(monkeypatch, *arguments, "absent.txt", "-f") == 2
    assert "absent.txt: expected a file to read, found none" in capsys.readouterr().err


def test_legend(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    options = ("-q", "--metrics", "allele_frequency")
    assert run(monkeypatch, "real.npz", "bare.hapt", "-o", "with", "--legend", "sites.legend", *options) == 0
    assert "Positions are not known" not in (folder / "with.log").read_text()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert run(monkeypatch, "real.npz", "bare.hapt", "-o", "without", *options) == 0
    assert "Positions are not known" in (folder / "without.log").read_text()
    scores = [json.loads((folder / f"{p}.json").read_text())["scores"]["bare"] for p in ("with", "without")]
    assert scores[0] == scores[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("real.npz", "none.npz", "-o", "out"), "none.npz: expected a file to read, found none"),
        (("real.npz", "syn.npz", "-o", "nowhere/out"), "nowhere/out.json: expected an existing folder"),
        (("real.npz", "syn.npz", "-o", "out", "--metrics", "af"), "metrics: expected names from"),
        (("real.npz", "syn.npz", "-o", "out", "--metrics", ""), "metrics: expected names from"),
        (("real.npz", "syn.npz", "-o", "out", "--max-memory", "lots"), "--max-memory: expected a size such as 2G"),
        (("real.npz", "syn.npz", "-o", "out", "--device", "gpu"), "device: expected 'cpu' or 'cuda', found 'gpu'"),
        (("real.npz", "syn.npz", "-o", "."), "-o: expected a prefix of file names, found the folder ."),
        (("real.npz", "syn.npz", "-o", "e8/"), "expected a prefix of file names, found the folder e8/"),
        (("real.npz", "syn.npz", "-f", "-o", "dd"), "dd.json: expected a file or nothing there, found a folder"),
        (("real.npz", "syn.npz", "-o", "out", "--controls", "gan"), "controls: expected names from"),
        (("real.npz", "real.npz", "--holdout", "real.npz", "-o", "out"), "expected other persons"),
        (
            ("real.npz", "bare.hapt", "--legend", "short.legend", "-o", "out"),
            "expected 80 sites, as bare.hapt has, found 1",
        ),
        (("real.npz", "notes.txt", "-o", "out"), "notes.txt"),
    ],
)
def test_bad_input(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    message: str,
) -> None:
    (folder / "notes.txt").write_text("not haplotypes\n")
    (folder / "short.legend").write_text("id position a0 a1\n1:5_A_G 5 A G\n")
    (folder / "dd.json").mkdir()
    before = set(folder.iterdir())
    assert run(monkeypatch, *arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("hapforge: ")
    assert captured.err.count("\n") == 1
    assert message in captured.err
    assert set(folder.iterdir()) == before


@pytest.mark.parametrize("ending", ["json", "tsv", "html", "log"])
def test_nothing_is_replaced_without_force(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    (folder / f"out.{ending}").write_text("kept")
    before = set(folder.iterdir())
    options = ("real.npz", "syn.npz", "-o", "out", "-q", "--metrics", "allele_frequency")
    assert run(monkeypatch, *options) == 2
    assert f"out.{ending}: there already; -f replaces it" in capsys.readouterr().err
    assert (folder / f"out.{ending}").read_text() == "kept"
    assert set(folder.iterdir()) == before
    assert run(monkeypatch, *options, "-f") == 0
    assert (folder / f"out.{ending}").read_text() != "kept"


def test_a_failure_while_writing_leaves_nothing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_data: object) -> str:
        raise ValueError("no page")

    monkeypatch.setattr("hapforge.report.html.render", broken)
    before = set(folder.iterdir())
    assert run(monkeypatch, "real.npz", "syn.npz", "-o", "out", "-q", "--metrics", "allele_frequency") == 2
    assert set(folder.iterdir()) == before


def test_names_that_are_no_utf8(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name, prefix = os.fsdecode(b"s\xff.npz"), os.fsdecode(b"o\xff")
    try:
        (folder / "syn.npz").rename(folder / name)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    assert run(monkeypatch, "real.npz", name, "-o", prefix, "--metrics", "allele_frequency") == 0
    payload = json.loads((folder / f"{prefix}.json").read_text())
    assert payload["provenance"]["inputs"]["s\\xff"]["file"] == "s\\xff.npz"
    assert "s\\xff.npz" in payload["provenance"]["command"]
    assert "from s\\xff.npz" in (folder / f"{prefix}.log").read_text()
    assert "report: o\\xff.html" in capsys.readouterr().out


def test_set_names() -> None:
    paths = [Path(p) for p in ("a/x.hapt.zip", "b/x.vcf.gz", "x.hapz", "holdout.npz", "real half.npz", "v1.2.npz")]
    assert set_names(paths) == ["x", "x (2)", "x (3)", "holdout (2)", "real half (2)", "v1.2"]


def test_odd_input_is_counted(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    hf.write(hf.read(folder / "real.npz"), folder / "real.vcf")
    lines = (folder / "real.vcf").read_text().splitlines()
    first = next(k for k, line in enumerate(lines) if line[0] != "#")
    lines[first] = lines[first].replace("\tG\t", "\tG,T\t")  # the second ALT has no calls
    lines[first + 1] = lines[first + 1].replace("0|0", ".|.", 2).replace("0|1", ".|.", 1)
    gaps = 2 * lines[first + 1].count(".|.")
    (folder / "real.vcf").write_text("\n".join(lines) + "\n")
    assert run(monkeypatch, "real.vcf", "syn.npz", "-o", "out", "--metrics", "allele_frequency") == 2
    assert "--policy multiallelic=split|skip|major accepts it" in capsys.readouterr().err
    policies = ["--policy", "multiallelic=major", "--policy", "missing=major"]
    assert run(monkeypatch, "real.vcf", "syn.npz", "-o", "out", "--metrics", "allele_frequency", *policies) == 0
    said = f"{gaps} missing alleles set to the commoner one at 1 site"
    said = f"1 multi-allelic record brought down to the commonest ALT; {said}"
    assert f"real.vcf: {said}\n" in capsys.readouterr().err
    assert f"odd input in real: {said}\n" in (folder / "out.log").read_text()
    payload = json.loads((folder / "out.json").read_text())
    jsonschema.Draft202012Validator(json_schema()).validate(payload)
    entry = payload["provenance"]["inputs"]["real"]
    assert entry["policy"] == {"multiallelic": "major", "missing": "major"}
    assert entry["policy_changes"] == {"multiallelic": {"records": 1}, "missing": {"alleles": gaps, "sites": 1}}
    assert "policy" not in payload["provenance"]["inputs"]["syn"]

"""The README's commands and figures are those of the tree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def test_commands_stand_as_promised() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert "pip install -c constraints.txt '.[all]' && hapforge demo" in lines
    assert "pip install -c constraints.txt '.[all,test]' && pytest" in lines


def test_tables_are_those_of_the_committed_results(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import tables

    assert tables.render() in (ROOT / "README.md").read_text()
    assert tables.render_all() == (ROOT / "benchmarks" / "README.md").read_text()
    sys.modules.pop("tables")


def test_linked_files_exist() -> None:
    text = (ROOT / "README.md").read_text()
    for name in (".github/overview.png", ".github/CONTRIBUTING.md", "CHANGELOG.md", "benchmarks/README.md"):
        assert name in text
        assert (ROOT / name).is_file()

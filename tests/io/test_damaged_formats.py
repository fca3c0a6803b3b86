"""Damaged files of every format: a slow strict reader says which are, and what the others hold."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from damage import damaged, in_a_child
from format_cases import CASES, Case, Choices, Content, is_read
from test_odd_vcf import random_policy

from hapforge.errors import FormatError

COUNT, MANY = 48, 300  # damaged files of a format and seed


def said_by(case: Case, path: Path, choices: Choices) -> tuple[Content | None, str]:
    """(what hapforge reads, None where it refuses; what is wrong with how it refuses)."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            return case.content(path, choices), ""
        except FormatError as error:
            return None, "" if "\n" not in str(error) and str(path.parent) in str(error) else repr(str(error))
        except UserWarning:  # such as a legend without contigs, taken as 1
            return None, ""
        except Exception as error:
            return None, f"{type(error).__name__}: {error}"


def expected_of(case: Case, path: Path, choices: Choices) -> Content | None:
    try:
        return case.reference(path, choices)
    except (ValueError, KeyError, IndexError, TypeError, RuntimeError, SystemError):
        return None


def differences(case: Case, folder: Path, seed: int, count: int) -> Iterator[str]:
    """Of each damaged file, "read" or "refused", or what is wrong: with a copy of it in `folder`."""
    rng = np.random.default_rng(seed)
    path = folder / "x" / case.file
    path.parent.mkdir()
    for k in range(count):
        if k % 50 == 0:
            shutil.rmtree(path.parent)
            path.parent.mkdir()
            case.write(path, rng)
            places = sorted(place for place in path.parent.rglob("*") if place.is_file() and is_read(place))
            main = [place for place in places if place == path] or places
            before, wrong = said_by(case, path, {})
            if wrong or (before is None) != (expected_of(case, path, {}) is None):
                yield f"{k}: {wrong or before}, of a whole file"
                return
        chosen = main if rng.random() < 0.5 else places
        place = chosen[int(rng.integers(0, len(chosen)))]
        whole = place.read_bytes()
        if path.is_dir() and rng.random() < 0.05:
            place.unlink()
        else:
            place.write_bytes(damaged(whole, rng))
        choices = random_policy(rng) if case.odd else {}
        found, wrong = said_by(case, path, choices)
        expected = expected_of(case, path, choices)
        if wrong:
            outcome = wrong
        elif case.loose(place) and (found is None or found == before):
            outcome = "refused" if found is None else "read"
        elif found is None:
            outcome = "refused" if expected is None else "refused, though it is whole"
        elif expected is None:
            outcome = "read, though it is damaged"
        else:
            other = [name for name in expected if found.get(name) != expected[name]]
            outcome = f"read with other {', '.join(other)}" if other else "read"
        if outcome not in ("read", "refused"):
            shutil.copytree(path.parent, folder / f"kept{k}")
            outcome = f"kept{k}, {place.name}, {choices}: {outcome}"
        yield outcome
        place.write_bytes(whole)


def check(name: str, folder: Path, seed: int, count: int) -> None:
    case = CASES[name]
    count = count // 6 if "vcz" in name else count  # zarr takes a tenth of a second
    outcomes = in_a_child(lambda: differences(case, folder, seed, count), folder / "report")
    wrong = [outcome for outcome in outcomes if outcome not in ("read", "refused")]
    assert wrong == []
    assert len(outcomes) == count
    assert outcomes.count("refused") > count / 10
    assert "read" in outcomes or count < MANY


@pytest.mark.parametrize("name", CASES)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    check(name, tmp_path, 1, COUNT)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2, 6))
@pytest.mark.parametrize("name", CASES)
def test_many_damaged_files(tmp_path: Path, name: str, seed: int) -> None:
    check(name, tmp_path, seed, MANY)

"""Files of every format that are cut, or lack one that stands beside: never read as a smaller cohort."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from damage import bgzf_blocks, in_a_child
from format_cases import CASES, Case, is_read

from hapforge.errors import FormatError

FEW, MANY = 12, 400  # cuts of a file, beside those at the ends of its parts
# Plain text without a number of lines anywhere: a cut right behind a line leaves a whole file.
UNCOUNTED = (".vcf", ".haps", ".hapt", ".fasta", ".map", ".tsv")
UNENDED = (".hapt", ".fasta")  # and here the last line may lack its line feed
# Without these there are other names, but all sites and haplotypes.
OPTIONAL = {"hap": ".sample", "hap.gz": ".sample", "haps": ".sample", "haps.gz": ".sample", "hapt": ".legend"}
OPTIONAL |= {"hapt.gz": ".legend", "hapt.zip": ".legend"}


def ends(data: bytes) -> list[int]:
    """Where lines, blocks and members of a file end."""
    if data[:4] == b"\x1f\x8b\x08\x04":
        return np.cumsum([len(block) for block in bgzf_blocks(data)]).tolist()
    mark = b"PK" if data[:2] == b"PK" else b"\n"
    return [at + (mark == b"\n") for at in range(len(data)) if data.startswith(mark, at)]


def cuts(data: bytes, rng: np.random.Generator, count: int) -> list[int]:
    """Sizes that are less than the whole: all of them, or some spread over it with the ends of parts and around."""
    if len(data) <= count:
        return list(range(len(data)))
    some = rng.permutation(ends(data))[:count].tolist()
    near = {at + step for at in some for step in (-1, 0, 1)} | {0, len(data) - 29, len(data) - 28, len(data) - 1}
    return sorted(at for at in near | set(rng.integers(0, len(data), count).tolist()) if 0 <= at < len(data))


def wrongly_read(case: Case, name: str, folder: Path, count: int) -> Iterator[str]:
    """For each cut "" where the file is refused or read as it was whole, or else what was cut."""
    rng = np.random.default_rng(3)
    path = folder / "x" / case.file
    path.parent.mkdir()
    case.write(path, rng)
    warnings.simplefilter("error")  # a warning says that names are lost
    whole = case.content(path, {})

    def is_taken() -> bool:
        try:
            return case.content(path, {}) != whole
        except (FormatError, UserWarning):
            return False
        except FileNotFoundError:
            return path.exists()

    places = sorted(place for place in path.parent.rglob("*") if place.is_file() and is_read(place))
    count = max(1, count // 12) if path.is_dir() else count  # of each of many files
    for place in places:
        data = place.read_bytes()
        for at in cuts(data, rng, count):
            if place.suffix in UNCOUNTED and data[:at].endswith(b"\n"):
                continue
            if place.suffix in UNENDED and data[at : at + 1] == b"\n":
                continue
            place.write_bytes(data[:at])
            yield f"{place.name} cut to {at} of {len(data)} bytes" if is_taken() else ""
        place.unlink()
        yield f"{place.name} gone" if is_taken() and place.suffix != OPTIONAL.get(name) else ""
        place.write_bytes(data)
    assert case.content(path, {}) == whole


def check(name: str, folder: Path, count: int) -> None:
    said = in_a_child(lambda: wrongly_read(CASES[name], name, folder, count), folder / "report")
    assert [line for line in said if line] == []
    assert len(said) > FEW


@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("odd")])
def test_cut_files(tmp_path: Path, name: str) -> None:
    check(name, tmp_path, FEW)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in CASES if not name.startswith("odd")])
def test_many_cut_files(tmp_path: Path, name: str) -> None:
    check(name, tmp_path, MANY)

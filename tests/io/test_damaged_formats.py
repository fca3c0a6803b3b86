"""Damaged HAP, HAPS, BED and PGEN files: a strict reader in plain Python says which are, and what the others hold."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path

import numpy as np
import pytest
from damage import in_a_child, mutated

import hapforge as hf
from hapforge.errors import FormatError
from reference import tables

KINDS = {
    "hap": (tables.hap, (".hap", ".legend", ".sample")),
    "haps": (tables.haps, (".haps", ".sample")),
    "bed": (tables.bed, (".bed", ".bim", ".fam")),
    "pgen": (tables.plink2, (".pgen", ".pvar", ".psam")),
}


def content(path: Path) -> list[object] | None:
    """Sites, persons and values as hapforge reads them; None where it refuses."""
    try:
        matrix = hf.read(path)
    except FormatError:
        return None
    unknown = {".": ("N", "<ALT>")}
    sites = [
        (str(c), int(p), str(i), *unknown.get(r, (str(r), str(a))))
        for c, p, i, r, a in zip(*(getattr(matrix.sites, k).tolist() for k in SITE), strict=True)
    ]
    return [sites, matrix.samples.sample_id[::2].tolist(), matrix.to_dense().T.tolist()]


SITE = ("contig", "position", "id", "ref", "alt")


def write_valid(kind: str, folder: Path, rng: np.random.Generator) -> None:
    """Files of ten persons and 40 sites on two contigs."""
    dense = rng.integers(0, 2, (20, 40), dtype=np.uint8) * (rng.random(40) < 0.7)
    dense[:, 20:30] = dense[:, 10:20] ^ (rng.random((20, 10)) < 0.05)  # so that PGEN writes differences
    if kind == "bed":
        dense = np.sort(dense.reshape(10, 2, 40), axis=1).reshape(20, 40)
    matrix = hf.HaplotypeMatrix.from_dense(
        dense,
        positions=[*range(100, 300, 10), *range(50, 250, 10)],
        contig=["1"] * 20 + ["2"] * 20,
        ids=[f"rs{j}" for j in range(40)],
        ref=["A"] * 40,
        alt=["C", "GT", "T", "G"] * 10,
        sample_ids=[f"P{i}" for i in range(10)],
        labels={"population": ["GBR"] * 5 + ["YRI"] * 5},
    )
    if kind != "bed":
        hf.write(matrix, folder / f"x.{kind}")
        return
    bits = np.zeros((40, 12, 2), np.uint8)
    calls = dense.reshape(10, 2, 40).sum(axis=1).T
    bits[:, :10, 0] = calls == 0
    bits[:, :10, 1] = calls < 2
    rows = np.packbits(bits.reshape(40, 24), axis=1, bitorder="little")
    (folder / "x.bed").write_bytes(b"\x6c\x1b\x01" + rows.tobytes())
    sites = matrix.sites
    lines = [f"{c}\t{i}\t0\t{p}\t{a}\t{r}\n" for c, p, i, r, a in zip(*(getattr(sites, k) for k in SITE), strict=True)]
    (folder / "x.bim").write_text("".join(lines))
    (folder / "x.fam").write_text("".join(f"0\tP{i}\t0\t0\t0\t-9\n" for i in range(10)))


def differences(kind: str, folder: Path, seed: int, count: int) -> list[str]:
    """Files that are read although they are damaged, otherwise than they are, or not although they are whole."""
    reference, endings = KINDS[kind]
    rng = np.random.default_rng(seed)
    write_valid(kind, folder, rng)
    whole = {ending: (folder / f"x{ending}").read_bytes() for ending in endings}
    path = folder / f"x{endings[0]}"
    first = reference(folder, "x")
    assert content(path) == [first[0], first[1], first[2]]
    wrong, read = [], 0
    for k in range(count):
        ending = endings[0] if rng.random() < 0.5 else endings[int(rng.integers(0, len(endings)))]
        data = mutated(whole[ending], rng, ending not in (".bed", ".pgen"))
        (folder / f"x{ending}").write_bytes(data)
        try:
            expected: list[object] | None = list(reference(folder, "x"))
        except (ValueError, KeyError, IndexError):
            expected = None
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found = content(path)
            except UserWarning:  # a legend without contigs
                found = None
        if found != expected:
            kept = folder / f"kept{k}{ending}"
            shutil.copy(folder / f"x{ending}", kept)
            wrong.append(f"{k} {ending}: {'refused' if found is None else 'read'}, expected {expected is not None}")
        read += found is not None
        (folder / f"x{ending}").write_bytes(whole[ending])
    assert 0 < read < count
    return wrong


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files(tmp_path: Path, kind: str) -> None:
    assert in_a_child(lambda: differences(kind, tmp_path, 1, 300), tmp_path / "report") == []


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", range(2, 7))
def test_many_damaged_files(tmp_path: Path, kind: str, seed: int) -> None:
    assert in_a_child(lambda: differences(kind, tmp_path, seed, 1000), tmp_path / "report") == []

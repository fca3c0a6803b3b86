"""PGEN files of every kind of record, written by Pgenlib."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pgenlib


def write_pgen(folder: Path, alleles: np.ndarray, phased: np.ndarray, num_alleles: list[int]) -> Path:
    num_sites, num_persons = phased.shape
    with pgenlib.PgenWriter(
        bytes(folder / "x.pgen"),
        num_persons,
        variant_ct=num_sites,
        nonref_flags=False,
        allele_ct_limit=max(num_alleles),
        hardcall_phase_present=True,
    ) as writer:
        for row, known, count in zip(alleles.astype(np.int32), phased.astype(np.uint8), num_alleles, strict=True):
            writer.append_partially_phased(row, known, count)
    alts = ["C", "G", "T", "CC", "GG"]
    lines = [f"1\t{j + 1}\t.\tA\t{','.join(alts[: k - 1])}\n" for j, k in enumerate(num_alleles)]
    (folder / "x.pvar").write_text("#CHROM\tPOS\tID\tREF\tALT\n" + "".join(lines))
    (folder / "x.psam").write_text("#IID\n" + "".join(f"s{i}\n" for i in range(num_persons)))
    return folder / "x.pgen"


def random_calls(
    rng: np.random.Generator, num_sites: int, num_persons: int
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Alleles (-9: missing), phase and numbers of alleles of sites of every kind of record."""
    counts = np.where(rng.random(num_sites) < 0.3, rng.integers(3, 7, num_sites), 2)
    alleles = (rng.random((num_sites, 2 * num_persons)) < rng.choice([0.01, 0.3, 0.5, 0.99], (num_sites, 1))).astype(
        int
    )
    for j in range(1, num_sites):  # differences from the site before, which are stored as such
        if rng.random() < 0.4:
            alleles[j] = alleles[j - 1] ^ (rng.random() < 0.3)
            alleles[j, rng.integers(0, 2 * num_persons, 2)] ^= 1
    many = counts > 2
    alleles[many] = np.where(
        rng.random((many.sum(), 2 * num_persons)) < 0.3,
        rng.integers(0, counts[many][:, None], (many.sum(), 2 * num_persons)),
        alleles[many],
    )
    missing = rng.random((num_sites, num_persons)) < 0.1 * (rng.random((num_sites, 1)) < 0.3)
    alleles = np.where(np.repeat(missing, 2, axis=1), -9, alleles)
    return alleles, rng.random((num_sites, num_persons)) < rng.choice([0.7, 1], (num_sites, 1)), counts.tolist()

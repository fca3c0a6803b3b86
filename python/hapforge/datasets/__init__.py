"""Cohorts that come with the package, and simulated cases and controls among the persons of any."""

from __future__ import annotations

import hashlib
import lzma
from importlib.resources import files

import numpy as np

from hapforge.datasets.liability import CaseControl, case_control
from hapforge.datasets.ooa import EMBEDDED, cohort_samples, simulate
from hapforge.errors import ChecksumError
from hapforge.haplotypes import HaplotypeMatrix, Sites, words_per_row

__all__ = ["CaseControl", "case_control", "load", "simulate"]

_OOA_SHA256 = "f7c174f3fc180417470a0c133bd02387b621bb43f6d2e733fe6302c98ec11f16"


def load(name: str) -> HaplotypeMatrix:
    """A cohort by name; needs no extra.

    Parameters
    ----------
    name : "ooa", the only one: 5008 simulated haplotypes (835 AFR, 835 EUR and 834 EAS persons, label "population")
        x 10,000 sites with MAF >= 1 %, the first ones of a stretch that `hapforge.datasets.ooa` describes and makes.

    Raises
    ------
    ValueError
        No cohort has this name.
    ChecksumError
        The file in the package is damaged.
    """
    if name != "ooa":
        raise ValueError(f"name: expected 'ooa', found {name!r}")
    source = files("hapforge.datasets") / "ooa.xz"
    content = lzma.decompress(source.read_bytes())
    digest = hashlib.sha256(content).hexdigest()
    if digest != _OOA_SHA256:
        raise ChecksumError(str(source), f"SHA-256 {_OOA_SHA256}", digest)
    num_haplotypes, num_sites = int(EMBEDDED["num_haplotypes"]), int(EMBEDDED["num_sites"])
    width = words_per_row(num_sites)
    # the words of all haplotypes, then the positions, little-endian
    words = np.frombuffer(content, "<u8", num_haplotypes * width).astype(np.uint64, copy=False)
    position = np.frombuffer(content, "<i8", num_sites, offset=8 * num_haplotypes * width)
    return HaplotypeMatrix(
        words.reshape(num_haplotypes, width),
        Sites(position, contig="1", ref="A", alt="G"),
        cohort_samples(num_haplotypes),
    )

"""Fixtures that all tests share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


def pytest_configure(config: pytest.Config) -> None:
    """Workers of pytest-xdist, which inherit this, share the CPUs: threads beyond them would wait for one another."""
    if workers := getattr(config.option, "numprocesses", None):
        threads = max(1, len(os.sched_getaffinity(0)) // workers)
        for name in ("HAPFORGE_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ.setdefault(name, str(threads))


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real 1000 Genomes files, which is not part of the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("the real data (../shared/data) is not here")
    return SHARED_DATA


_DOT = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de"
    "0000000c49444154789c63f8ffff3f0005fe02fe0def46b80000000049454e44ae426082"
)
"""A white picture of one pixel."""


@pytest.fixture
def real_pictures() -> None:
    """For tests of commands and evaluations that draw the static pictures of their pages (see `_no_pictures`)."""


@pytest.fixture(autouse=True)
def _no_pictures(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One pixel for each static picture, which take most of the time of a small page; tests/report draws them."""
    if request.path.parent.name in ("cli", "evaluation") and "real_pictures" not in request.fixturenames:
        monkeypatch.setattr("hapforge.report.html.draw", lambda _figure: _DOT)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260101)


@pytest.fixture
def small_cohort(rng: np.random.Generator) -> hf.HaplotypeMatrix:
    """20 haplotypes of 10 persons x 130 sites on two contigs, with alleles, ids and a label."""
    num_sites = 130
    return hf.HaplotypeMatrix.from_dense(
        rng.integers(0, 2, (20, num_sites), dtype=np.uint8),
        positions=np.concatenate([np.arange(1, 71) * 100, np.arange(1, 61) * 50]),
        contig=["1"] * 70 + ["2"] * 60,
        ids=[f"rs{j}" for j in range(num_sites)],
        ref=["A"] * num_sites,
        alt=["G"] * num_sites,
        sample_ids=[f"P{i}" for i in range(10)],
        labels={"population": ["GBR"] * 5 + ["YRI"] * 5},
    )

"""Cohorts small enough to enumerate."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge.models import _machine


@pytest.fixture(scope="session")
def cohort() -> hf.HaplotypeMatrix:
    """400 rows x 120 sites of the embedded cohort."""
    whole = hf.datasets.load("ooa")
    return whole.select_haplotypes(np.arange(0, 5008, 12)[:400]).select_sites(np.arange(0, 600, 5))


@pytest.fixture(params=["torch", "kernels"])
def device_machine(request: pytest.FixtureRequest) -> Any:
    """A machine of devices, which takes tensors of the CPU, too: in torch, or by the CUDA kernels."""
    if request.param == "torch":
        return _machine.DeviceMachine
    if "cuda" not in hf.kernels.available_backends("gibbs"):
        pytest.skip("no device")
    return _machine.KernelMachine

"""What an evaluation was made from and with."""

from __future__ import annotations

import datetime
import platform
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from hapforge.haplotypes import HaplotypeMatrix


def describe_run(
    inputs: Mapping[str, HaplotypeMatrix], seed: int, extra: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Versions, seed, date, machine, and shape and SHA-256 of every input as it was given.

    Parameters
    ----------
    inputs : {name: HaplotypeMatrix}
    extra : entries to add, such as "command"; those of "inputs" ({name: {...}}) go to the input of that name
    """
    given = dict(extra or {})
    files = given.pop("inputs", {})
    return {
        "hapforge": version("hapforge"),
        "command": given.pop("command", "hapforge.evaluate"),
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "platform": platform.platform(),
        "cpu": _cpu(),
        "inputs": {
            name: {
                "haplotypes": matrix.num_haplotypes,
                "sites": matrix.num_sites,
                "sha256": matrix.sha256(),
                **files.get(name, {}),
            }
            for name, matrix in inputs.items()
        },
        **given,
    }


def _cpu() -> str:
    table = Path("/proc/cpuinfo")
    if table.exists():
        for line in table.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()

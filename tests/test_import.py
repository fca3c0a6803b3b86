"""`import hapforge` is cheap and pulls in no extra."""

from __future__ import annotations

import json
import subprocess
import sys

HEAVY = [
    "torch",
    "numba",
    "cupy",
    "zarr",
    "plotly",
    "sklearn",
    "ot",
    "matplotlib",
    "cyvcf2",
    "pysam",
    "msprime",
    "typer",
    "rich",
    "scipy",
    "optuna",
]


def test_import_is_light() -> None:
    code = (
        "import time, sys, json; t = time.process_time(); import hapforge; t = time.process_time() - t;"
        f"print(json.dumps([t, [m for m in {HEAVY!r} if m in sys.modules]]))"
    )
    runs = [
        json.loads(subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout)
        for _ in range(3)
    ]
    assert min(seconds for seconds, _ in runs) < 0.5
    assert runs[0][1] == []


def test_public_names() -> None:
    import hapforge

    assert {
        "read",
        "write",
        "HaplotypeMatrix",
        "concat",
        "intersect",
        "kernels",
        "metrics",
        "models",
        "datasets",
        "evaluate",
    } <= set(dir(hapforge))
    for name in hapforge.__all__:
        assert getattr(hapforge, name) is not None

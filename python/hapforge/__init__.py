"""Artificial genomes: generative models of phased haplotypes, and how good and how private what they draw is."""

from __future__ import annotations

import importlib
from importlib.metadata import version as _version
from typing import TYPE_CHECKING, Any

from hapforge import kernels
from hapforge._backend import get_cmake_dir, get_include, get_library_dir
from hapforge.alignment import Alignment
from hapforge.haplotype_blocks import HaplotypeBlocks
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, concat
from hapforge.intersection import intersect
from hapforge.io import read, write

if TYPE_CHECKING:
    from hapforge import datasets, downstream, evaluation, interop, metrics, models, report, stats
    from hapforge.evaluation import evaluate

__version__ = _version("hapforge")

__all__ = [
    "Alignment",
    "HaplotypeBlocks",
    "HaplotypeMatrix",
    "Samples",
    "Sites",
    "concat",
    "datasets",
    "downstream",
    "evaluate",
    "evaluation",
    "get_cmake_dir",
    "get_include",
    "get_library_dir",
    "interop",
    "intersect",
    "kernels",
    "metrics",
    "models",
    "read",
    "report",
    "stats",
    "write",
]

_ON_DEMAND = ("datasets", "downstream", "evaluation", "interop", "metrics", "models", "report", "stats")


def __getattr__(name: str) -> Any:
    if name in _ON_DEMAND:
        return importlib.import_module(f"hapforge.{name}")
    if name == "evaluate":
        return importlib.import_module("hapforge.evaluation").evaluate
    raise AttributeError(f"module 'hapforge' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_ON_DEMAND, "evaluate"])

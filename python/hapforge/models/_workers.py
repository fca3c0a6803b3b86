"""Threads that share out rows, and the device that torch computes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Self, TypeVar

import torch

from hapforge import _backend

_Part = TypeVar("_Part")


class Workers:
    """Threads that share out rows; torch itself runs on one thread meanwhile, so that nothing waits at each product."""

    def __init__(self, device: torch.device) -> None:
        self.count = _backend.get_threads() if device.type == "cpu" else 1

    def __enter__(self) -> Self:
        self._torch_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._pool = ThreadPoolExecutor(self.count)
        return self

    def __exit__(self, *_error: object) -> None:
        self._pool.shutdown()
        torch.set_num_threads(self._torch_threads)

    def share(self, rows: int, work: Callable[[int, int], _Part]) -> list[_Part]:
        """work(first, last) on equal parts of the rows, in their order."""
        edges = [rows * i // self.count for i in range(self.count + 1)]
        parts = [(a, b) for a, b in pairwise(edges) if a < b]
        return [future.result() for future in [self._pool.submit(work, *part) for part in parts]]


def device_of(name: str) -> torch.device:
    """The device of "auto" (CUDA where there is one), "cpu" or "cuda"."""
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device: expected 'auto', 'cpu' or 'cuda', found {name!r}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError("device: expected a CUDA device for 'cuda', found none")
    return torch.device("cuda" if available and name != "cpu" else "cpu")

"""Threads that share out rows, and the device that torch computes on."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import pairwise
from typing import Any, Self, TypeVar

import torch

from hapforge import _backend
from hapforge.models._ranks import ALONE, Ranks, meet

_Part = TypeVar("_Part")


class Workers:
    """Threads that share out rows; torch itself runs on one thread meanwhile, so that nothing waits at each product.

    Where the device is a CUDA one, kernels that have a CUDA part run there meanwhile, those of a callback, too.

    Parameters
    ----------
    device : threads are for the CPU
    ranks : processes that share out the rows first, and the thread budget
    """

    def __init__(self, device: torch.device, ranks: Ranks = ALONE) -> None:
        self.ranks = ranks
        self._device = device
        self.count = max(1, _backend.get_threads() // ranks.local_count) if device.type == "cpu" else 1

    def __enter__(self) -> Self:
        self._torch_threads = torch.get_num_threads()
        torch.set_num_threads(1)
        self._kernels = ExitStack()
        on_device: dict[str, Any] = {}
        if self._device.type == "cuda":  # a thread's current device, too: torch shares tensors of that one alone
            self._kernels.enter_context(torch.cuda.device(self._device))
            self._kernels.enter_context(_backend.preferring_cuda())
            self._kernels.enter_context(torch.backends.cudnn.flags(enabled=True, deterministic=True))
            on_device = {"initializer": torch.cuda.set_device, "initargs": (torch.cuda.current_device(),)}
        self._pool = ThreadPoolExecutor(self.count, **on_device)
        return self

    def __exit__(self, *_error: object) -> None:
        self._kernels.close()
        self._pool.shutdown()
        torch.set_num_threads(self._torch_threads)

    def share(self, rows: int, work: Callable[[int, int], _Part]) -> list[_Part]:
        """work(first, last) on equal parts of this process's rows, in their order."""
        begin, end = self.ranks.part(rows)
        edges = [begin + (end - begin) * i // self.count for i in range(self.count + 1)]
        parts = [(a, b) for a, b in pairwise(edges) if a < b]
        return [future.result() for future in [self._pool.submit(work, *part) for part in parts]]


def device_of(name: str) -> torch.device:
    """The device of "auto" (CUDA where there is one), "cpu" or "cuda"; each process of torchrun has its own."""
    if name not in ("auto", "cpu", "cuda"):
        raise ValueError(f"device: expected 'auto', 'cpu' or 'cuda', found {name!r}")
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ValueError("device: expected a CUDA device for 'cuda', found none")
    if not available or name == "cpu":
        return torch.device("cpu")
    ranks = meet()
    if ranks.count == 1:
        return torch.device("cuda")
    if ranks.local_count > torch.cuda.device_count():
        raise ValueError(
            f"device: expected a CUDA device for each of {ranks.local_count} processes, found "
            f"{torch.cuda.device_count()}"
        )
    return torch.device("cuda", ranks.local_rank)

"""Processes that train one model together, as ``torchrun`` launches them: what a learner asks of the others.

Every process has all training rows and all parameters. It computes its part of the rows of a batch (and of chains, or
of whatever else is drawn), by their numbers among all; what comes of it is summed over processes, and each moves its
parameters by the sums, alike. A learner needs three things for that: `Ranks.part`, `Ranks.sum` and, for rows that all
must have, `Ranks.join`. The loop in `_training` does the rest: the first process alone has the run folder and calls
back, all begin with its state, and before every checkpoint it is checked that they still agree.

A learner of gradients takes the rows of its part, divides the sum of their losses by the rows of the whole batch, and
after ``backward()`` calls ``sum(parameter.grad for parameter in ...)``.

Sums of integers are exact, so that what a Boltzmann machine learns is the same, bit by bit, for any number of
processes. Sums of floats are taken in float64: the same bits in every process; another number of processes rounds
otherwise.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from hapforge.models import _store

if TYPE_CHECKING:
    from torch import Tensor

_PATIENCE = datetime.timedelta(days=1)  # with one that evaluates; one that is gone is noticed at once


class Ranks:
    """The processes of a training, and which of them this is.

    Attributes
    ----------
    rank, count : of this process, the first is 0; of all
    local_rank, local_count : on this machine
    """

    def __init__(self, rank: int = 0, count: int = 1, local_rank: int = 0, local_count: int = 1) -> None:
        self.rank, self.count = rank, count
        self.local_rank, self.local_count = local_rank, local_count

    @property
    def is_first(self) -> bool:
        return self.rank == 0

    def part(self, rows: int) -> tuple[int, int]:
        """This process's rows: first ... last - 1; none where there are fewer rows than processes."""
        return rows * self.rank // self.count, rows * (self.rank + 1) // self.count

    def sum(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor by its sum over processes; floats are summed in float64."""
        if self.count == 1:
            return
        import torch.distributed as dist

        for tensor in tensors:
            wide = (tensor.double() if tensor.is_floating_point() else tensor).contiguous()
            _together(dist.all_reduce, wide)
            if wide is not tensor:
                tensor.copy_(wide)

    def join(self, part: Tensor, rows: int) -> Tensor:
        """All rows, of which each process gives its `part`; integers."""
        if self.count == 1:
            return part
        first, last = self.part(rows)
        whole = part.new_zeros((rows, *part.shape[1:]))
        whole[first:last] = part
        self.sum([whole])
        return whole

    def follow(self, tensors: Iterable[Tensor]) -> None:
        """Replace each tensor, contiguous, by that of the first process."""
        if self.count == 1:
            return
        import torch.distributed as dist

        for tensor in tensors:
            _together(dist.broadcast, tensor, 0)

    def arrays_of_first(self, arrays: _store.Tensors) -> _store.Tensors:
        """Those of the first process; all have them in the same names, shapes and dtypes."""
        if self.count == 1:
            return arrays
        import torch

        found = {}
        for name, array in arrays.items():
            content = torch.from_numpy(np.frombuffer(array.tobytes(), np.uint8).copy())
            self.follow([content])
            found[name] = content.numpy().view(array.dtype).reshape(array.shape)
        return found

    def told(self, value: Any) -> Any:
        """The value, one of JSON, that the first process gives."""
        if self.count == 1:
            return value
        import torch

        text = json.dumps(value).encode() if self.is_first else b""
        size = torch.tensor([len(text)])
        self.follow([size])
        content = torch.tensor(list(text), dtype=torch.uint8) if text else torch.empty(int(size), dtype=torch.uint8)
        self.follow([content])
        return json.loads(content.numpy().tobytes())

    def first_not(self, fine: bool) -> int | None:
        """The number of the first process where this is not so; the same answer in all."""
        import torch

        wrong = self.join(torch.tensor([not fine], dtype=torch.int64), self.count)
        return int(wrong.argmax()) if bool(wrong.any()) else None

    def check_same(self, arrays: _store.Tensors) -> None:
        """ValueError, in all processes, unless all have the same bits."""
        if self.count == 1:
            return
        digest = hashlib.sha256()
        for name in sorted(arrays):
            digest.update(arrays[name].tobytes())
        other = self.first_not(self.told(digest.hexdigest()) == digest.hexdigest())
        if other is not None:
            raise ValueError(
                f"torchrun: expected the same parameters in all {self.count} processes, found others in number {other} "
                "than in number 0"
            )


ALONE = Ranks()


def launched() -> bool:
    """Whether this process is one of several that torchrun has launched."""
    return "RANK" in os.environ and os.environ.get("WORLD_SIZE", "1") != "1"


def meet() -> Ranks:
    """The processes that torchrun has launched with this one, after waiting for all of them; `ALONE` without torchrun.

    They speak by gloo on the CPU and by NCCL between CUDA devices.
    """
    if not launched():
        return ALONE
    import torch.distributed as dist

    if not dist.is_initialized():
        store, rank, count = _rendezvous()
        import torch

        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() and dist.is_nccl_available() else "gloo"
        _together(dist.init_process_group, backend, store=store, rank=rank, world_size=count, timeout=_PATIENCE)
        _together(dist.all_reduce, torch.zeros(1))  # one that ends before others are connected makes gloo write lines
    rank, count = dist.get_rank(), dist.get_world_size()
    local_rank = int(os.environ.get("LOCAL_RANK", rank))
    return Ranks(rank, count, local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", count)))


def leave() -> None:
    """Leave the others, at the end."""
    if launched():
        import torch.distributed as dist

        dist.destroy_process_group()


def may_speak() -> bool:
    """Whether this process is the first to say why the training ends, so that one line is printed, not one each."""
    if not launched():
        return True
    try:
        return int(_rendezvous()[0].add("hapforge/said", 1)) == 1
    except (RuntimeError, ValueError):  # the process that kept count is gone, or was never named
        return True


@cache
def _rendezvous() -> Any:
    import torch.distributed as dist

    return next(iter(dist.rendezvous("env://")))


def _together(call: Callable[..., Any], *arguments: Any, **more: Any) -> None:
    """A call that all processes make."""
    try:
        call(*arguments, **more)
    except RuntimeError as error:
        raise lost() from error


def lost() -> ChildProcessError:
    """What to raise where another process is gone."""
    return ChildProcessError(
        f"torchrun: expected {os.environ['WORLD_SIZE']} processes that train together, found that one has ended; "
        "hapforge train --resume (resume=True) goes on, with any number of them"
    )

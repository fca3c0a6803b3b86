"""Training networks in shards: parts of fixed size of a batch, whose gradients are summed.

A shard is what is computed at a time, by one thread: batch statistics are those of its rows (ghost batches; Hoffer,
Hubara, Soudry 2017, Train longer, generalize better). How a batch is cut depends on the settings alone, and gradients
are summed in float64 in the order of the shards, so that the result is the same on any number of threads; memory is
that of as many shards as there are threads, and a gradient of every shard. Several processes share out the shards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from typing import Any, Generic, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.models import _store
from hapforge.models._clusters import Groups
from hapforge.models._convolutions import Normalised
from hapforge.models._machine import host_rows, unpacked
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers

_STATISTICS_SHARDS = 16
_STRETCH = 1 << 15  # values
_Network = TypeVar("_Network", bound=nn.Module)


class Optimised(Generic[_Network]):
    """A network, Adam over all of its parameters, and their running mean.

    Parameters
    ----------
    network : whose parameters become parts of one vector
    betas : of Adam
    l2 : float, l2 times the sum of squared weights (not biases) is added to the loss
    ema : float in [0, 1), share of the running mean that an update keeps
    """

    def __init__(self, network: _Network, *, betas: tuple[float, float], l2: float = 0.0, ema: float = 0.0) -> None:
        self.network = network
        self.parameters = list(network.parameters())
        self.flat = nn.Parameter(torch.cat([parameter.detach().reshape(-1) for parameter in self.parameters]))
        self._point_to(self.flat.data)
        self._adam = torch.optim.Adam([self.flat], lr=1.0, betas=betas, fused=True)
        self._ema, self._l2 = ema, l2
        self.mean = self.flat.detach().clone() if ema else self.flat.detach()
        self._adam.state[self.flat] = {
            "step": torch.zeros((), device=self.flat.device),
            "exp_avg": torch.zeros_like(self.flat),
            "exp_avg_sq": torch.zeros_like(self.flat),
        }

    def _point_to(self, flat: Tensor) -> None:
        for parameter, part in zip(self.parameters, flat.split([p.numel() for p in self.parameters]), strict=True):
            parameter.data = part.view_as(parameter)

    def gradient(self, loss: Tensor) -> Tensor:
        """d loss / d parameters, one vector."""
        return torch.cat([part.reshape(-1) for part in torch.autograd.grad(loss, self.parameters)])

    def update(self, gradient: Tensor, rate: float) -> None:
        """One step of Adam."""
        self._adam.param_groups[0]["lr"] = rate
        if self._l2:
            decayed = [p.detach() if p.dim() > 1 else torch.zeros_like(p) for p in self.parameters]
            gradient = gradient.add(torch.cat([part.reshape(-1) for part in decayed]), alpha=2 * self._l2)
        self.flat.grad = gradient
        self._adam.step()
        self.flat.grad = None
        if self._ema:  # less is kept of the first weights, which are none that were learnt
            done = float(self._adam.state[self.flat]["step"])
            self.mean.lerp_(self.flat.detach(), 1 - min(self._ema, done / (10 + done)))

    @contextmanager
    def with_mean(self) -> Iterator[_Network]:
        """A context in which the network has the running mean as its parameters."""
        self._point_to(self.mean)
        try:
            yield self.network
        finally:
            self._point_to(self.flat.data)

    def tensors(self, name: str) -> _store.Tensors:
        state = self._adam.state[self.flat]
        found = {"": self.flat.detach(), ".mean": self.mean, **{f".{key}": value for key, value in state.items()}}
        return {f"{name}{key}": value.cpu().numpy().copy() for key, value in found.items()}

    def restore(self, name: str, tensors: _store.Tensors) -> None:
        state = self._adam.state[self.flat]
        for key, value in {"": self.flat.data, ".mean": self.mean, **{f".{key}": state[key] for key in state}}.items():
            value.copy_(torch.from_numpy(tensors[f"{name}{key}"]).reshape(value.shape))


class Rows:
    """The rows of a cohort on the device, packed, in units that share a label: single rows, or packs of them.

    Parameters
    ----------
    H : the rows
    groups : by what rows are told apart
    codes : int64 (num_haplotypes,), number of every row's group; rows with -1, which have none, are left out
    pack : int, rows of a unit
    """

    def __init__(
        self, H: HaplotypeMatrix, groups: Groups, codes: NDArray[np.int64], device: torch.device, pack: int = 1
    ) -> None:
        self.num_sites, self._pack, self._device = H.num_sites, pack, device
        self.words = host_rows(H.words).to(device)
        self.groups, self.codes, self.num_labels = groups, codes, groups.count
        self.labels = torch.from_numpy(self.codes).to(device)

    def units(self, seed: int) -> Tensor:
        """int64 (units, pack): all rows in a seeded order, but what is over of a label."""
        found = []
        for label in range(self.num_labels):
            rows = np.flatnonzero(self.codes == label)
            order = rows[seeded_order(len(rows), stream_seed(seed, label))]
            found.append(order[: len(rows) // self._pack * self._pack].reshape(-1, self._pack))
        every = np.concatenate(found)
        return torch.from_numpy(every[seeded_order(len(every), seed)]).to(self._device)

    def check(self, what: str) -> None:
        """ValueError where there are not rows enough (of a group) for a unit."""
        for label in range(self.num_labels):
            if (found := int((self.codes == label).sum())) < self._pack:
                of = " in every cluster" if self.groups.clusters else ""
                if self.groups.names:
                    of = f" with the label {self.groups.names[label]!r}"
                raise ValueError(f"{what}: expected {self._pack} rows or more{of}, found {found}")

    def alleles(self, rows: Tensor, length: int) -> Tensor:
        """float32 (len(rows), length) of 0 and 1, zeros behind the last site."""
        dense = unpacked(self.words[rows], self.num_sites).float()
        return nn.functional.pad(dense, (0, length - self.num_sites))

    def draw_labels(self, count: int, stream: torch.Generator) -> Tensor:
        """int64 (count,): labels by their shares of the rows."""
        if self.num_labels == 1:
            return torch.zeros(count, dtype=torch.int64, device=self._device)
        known = self.labels[self.labels >= 0]
        return known[torch.randint(len(known), (count,), generator=stream, device=stream.device)]


class Shards:
    """Computes the shards of a batch and sums what comes of them.

    Parameters
    ----------
    workers : threads
    size : int, units of a shard
    """

    def __init__(self, workers: Workers, size: int, device: torch.device, precision: str) -> None:
        self.workers, self.size = workers, size
        self._device, self._precision = device, precision

    def sum(self, units: int, work: Callable[[int, int, int], tuple[Tensor, ...]]) -> list[Tensor]:
        """The sums of what work(shard, first, last) gives of units first ... last - 1, in float64 and back to float32.

        They are the same for any number of threads, and processes, which have them all.
        """
        count = -(-units // self.size)

        def part(begin: int, end: int) -> list[tuple[Tensor, ...]]:
            found = []
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._precision == "bfloat16"):
                for shard in range(begin, end):
                    found.append(work(shard, shard * self.size, min((shard + 1) * self.size, units)))
            return found

        ranks = self.workers.ranks
        shared = count >= ranks.count  # with fewer shards every process computes them all
        found = self.workers.share(count, part) if shared else [part(0, count)]
        parts = list(chain(*found))
        kind = torch.float32 if ranks.count == 1 else torch.float64
        sums = [self._summed(values, kind) for values in zip(*parts, strict=True)]
        if shared and ranks.count > 1:
            ranks.sum(sums)
        return [total.float() for total in sums]

    def _summed(self, values: Sequence[Tensor], kind: torch.dtype) -> Tensor:
        """The float64 sum in their order, of this kind; a stretch at a time, which stays in the cache."""
        first, *others = values
        if not others:
            return first.to(kind)
        total = torch.empty(first.shape, dtype=kind, device=first.device)
        flat, of_first, *of_others = (value.reshape(-1) for value in (total, first, *others))
        size = _STRETCH if self._device.type == "cpu" else max(1, len(flat))

        def work(begin: int, end: int) -> None:
            for at in range(begin, end, size):
                stretch = slice(at, min(at + size, end))
                part = of_first[stretch].double()
                for value in of_others:
                    part += value[stretch].double()  # faster than adding float32 to it
                flat[stretch] = part

        if len(flat) <= size or self.workers.ranks.count > 1:
            work(0, len(flat))
        else:
            self.workers.share(len(flat), work)
        return total


@contextmanager
def within_memory() -> Iterator[None]:
    """A context whose torch errors of too little memory are a MemoryError that says what takes less."""
    try:
        yield
    except RuntimeError as error:
        text = str(error)
        if isinstance(error, torch.OutOfMemoryError) or "allocate memory" in text or "overflow" in text:
            raise MemoryError(
                "settings: expected a training that fits into memory, found one that does not; a smaller width, "
                "batch_size or shard, or fewer threads, take less"
            ) from error
        raise


def generator_of(device: torch.device, seed: int, *path: int | str) -> torch.Generator:
    """torch's random numbers of one purpose; on the CPU it has 2**32 streams, of which a long run repeats some."""
    return torch.Generator(device).manual_seed(stream_seed(seed, *path) >> 1)


def noise_of(shapes: list[tuple[int, int]], rows: int, stream: torch.Generator) -> list[Tensor]:
    """Standard normal noise of some rows, as a `DrawingNetwork` takes it."""
    return [torch.randn((rows, *shape), generator=stream, device=stream.device) for shape in shapes]


def freeze(
    network: Any, shards: Shards, seed: int, rows: int, draw_labels: Callable[[int, torch.Generator], Tensor]
) -> None:
    """Give the batch normalisations of a drawing network the means and variances over some shards of its draws."""
    norms = [module for module in network.modules() if isinstance(module, Normalised)]
    if not norms:
        return
    device = norms[0].mean.device

    def of_shard(shard: int, first: int, last: int) -> tuple[Tensor, ...]:
        stream = generator_of(device, seed, "statistics", shard)
        seen: list[Tensor] = []
        with torch.no_grad():
            network(noise_of(network.noise_shapes, rows, stream), draw_labels(rows, stream), seen)
        return tuple(seen)

    found = shards.sum(_STATISTICS_SHARDS * shards.size, of_shard)
    for norm, total in zip(norms, found, strict=True):
        norm.mean, squares = (total / _STATISTICS_SHARDS).unbind(0)
        norm.variance = (squares - norm.mean.square()).clamp(min=0)


def start_at_frequencies(bias: nn.Parameter, counts: NDArray[np.int64], codes: NDArray[np.int64]) -> None:
    """Fill a bias (labels, length) with the logits of allele frequencies, which are kept from 0 and 1."""
    rows = np.bincount(codes[codes >= 0], minlength=len(counts))[:, None]
    share = (counts + 0.5) / (rows + 1)
    with torch.no_grad():
        bias[:, : counts.shape[1]] = torch.from_numpy(np.log(share / (1 - share)))


def initialised(build: Callable[[], _Network], seed: int, name: str) -> _Network:
    """A network with first weights of its own stream; torch's global random numbers of the CPU stay as they are."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "weights", name) >> 1)
        return build()

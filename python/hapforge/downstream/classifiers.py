"""Small networks that tell the label of a haplotype or a person, and one protocol by which they are trained.

The protocol is the same whatever the training rows are, real, synthetic or both:

1. Of the training rows a tenth of the persons is held out for validation, in a seeded order, spread over the labels;
   of each label one person at least stays. No row of another set is looked at.
2. Inputs are centred and scaled to standard deviation 1 at every position, by the rows that are trained on; a position
   that does not vary there is 0.
3. AdamW (Loshchilov and Hutter 2019) on the cross-entropy, in batches of seeded order, at a constant rate; weights
   decay, biases do not; inputs and hidden units are dropped out.
4. After every epoch the cross-entropy of the validation rows is taken; where it has not improved for `patience`
   epochs, training stops, and the weights of the best epoch are kept.

A training takes one thread and has random numbers of its own, so that it gives the same network for a seed beside any
number of others. In memory are a batch of inputs, the network and the packed rows (or embeddings) themselves.

References
----------
Kenneweg et al., Generating synthetic genotypes using diffusion models, section 3.4.4: classifiers of these three kinds.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.models._network_training import generator_of, initialised
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers


@dataclass(frozen=True)
class Alleles:
    """Numbers of ALT alleles as inputs, one channel: of haplotypes 0 or 1, of persons 0 to 2.

    Attributes
    ----------
    matrix : HaplotypeMatrix
    members : int64 (n, k), the rows of the matrix whose alleles are added up
    """

    matrix: HaplotypeMatrix
    members: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.members)

    @property
    def shape(self) -> tuple[int, int, int]:
        return len(self.members), self.matrix.num_sites, 1

    def __getitem__(self, rows: NDArray[np.int64]) -> NDArray[np.uint8]:
        """uint8 (len(rows), num_sites, 1)."""
        words, members = self.matrix.words, self.members[rows]
        found = _backend.unpack(words[members[:, 0]], self.matrix.num_sites, threads=1)
        for more in members.T[1:]:
            found += _backend.unpack(words[more], self.matrix.num_sites, threads=1)
        return found[:, :, None]


Source = Alleles | NDArray[np.float32]
"""Alleles, or embeddings: float32 (n, positions, channels)."""

_SHOWN = 256  # rows at a time where nothing is learnt
_MAX_TOKENS = 256
_Found = TypeVar("_Found")
_initialising = threading.Lock()  # first weights come from torch's one global stream


@dataclass(frozen=True)
class Settings:
    """How a kind of network is built and trained; chosen on validation persons of the 805 sites of 1000 Genomes.

    Attributes
    ----------
    width : int, hidden units of a layer; channels of a token or of a convolution
    dropout : float, share of hidden units that are left out while training
    input_dropout : float, share of the inputs
    learning_rate, weight_decay : of AdamW
    batch_size : int, rows
    epochs : int, at most
    patience : int, epochs without improvement that end a training
    validation : float, share of the training persons
    """

    width: int
    dropout: float
    input_dropout: float
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    batch_size: int = 64
    epochs: int = 100
    patience: int = 8
    validation: float = 0.1


class Stopped(Exception):
    """A training that is wanted no more."""


class Rows:
    """Rows of one or more sources, read by batch.

    Parameters
    ----------
    parts : (source, int64 index of its rows) each, in the order of the rows

    Attributes
    ----------
    shape : (positions, channels) of a row
    """

    def __init__(self, parts: Sequence[tuple[Source, NDArray[np.int64]]]) -> None:
        self._sources = [source for source, _ in parts]
        self._source = np.repeat(np.arange(len(parts)), [len(rows) for _, rows in parts])
        self._row = np.concatenate([rows for _, rows in parts])
        self.shape: tuple[int, int] = (self._sources[0].shape[1], self._sources[0].shape[2])

    def __len__(self) -> int:
        return len(self._row)

    def batch(self, index: NDArray[np.int64]) -> Tensor:
        """float32 (len(index), positions, channels)."""
        found = np.empty((len(index), *self.shape), np.float32)
        for number, source in enumerate(self._sources):
            here = self._source[index] == number
            found[here] = source[self._row[index[here]]]
        return torch.from_numpy(found)

    def blocks(self, index: NDArray[np.int64]) -> Iterator[Tensor]:
        """The rows of `index`, some at a time."""
        for first in range(0, len(index), _SHOWN):
            yield self.batch(index[first : first + _SHOWN])


class _Dropout(nn.Module):
    """Dropout with random numbers of its own network: torch's are shared by all threads."""

    def __init__(self, share: float, stream: torch.Generator) -> None:
        super().__init__()
        self._keep, self._stream = 1 - share, stream

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self._keep == 1:
            return x
        return x * (torch.rand(x.shape, generator=self._stream) < self._keep) / self._keep


class MLP(nn.Sequential):
    """Two hidden layers of GELU units over all inputs."""

    def __init__(self, shape: tuple[int, int], labels: int, settings: Settings, stream: torch.Generator) -> None:
        width, inputs = settings.width, math.prod(shape)
        super().__init__(
            nn.Flatten(),
            _Dropout(settings.input_dropout, stream),
            nn.Linear(inputs, width),
            nn.GELU(),
            _Dropout(settings.dropout, stream),
            nn.Linear(width, width),
            nn.GELU(),
            _Dropout(settings.dropout, stream),
            nn.Linear(width, labels),
        )


class CNN(nn.Sequential):
    """Two convolutions over the positions, of every fourth place each, and a linear layer over all that is left."""

    KERNEL, STRIDE = 9, 4

    def __init__(self, shape: tuple[int, int], labels: int, settings: Settings, stream: torch.Generator) -> None:
        positions, channels = shape
        layers: list[nn.Module] = [_Dropout(settings.input_dropout, stream)]
        for width in (settings.width, settings.width):
            layers += [nn.Conv1d(channels, width, self.KERNEL, self.STRIDE, self.KERNEL // 2), nn.GELU()]
            positions, channels = -(-positions // self.STRIDE), width
        layers += [nn.Flatten(), _Dropout(settings.dropout, stream), nn.Linear(positions * channels, labels)]
        super().__init__(*layers)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = super().forward(x.transpose(1, 2))
        return found


class _Attention(nn.Module):
    """A layer of a Transformer, normalised before each part (Xiong et al. 2020)."""

    HEADS = 4

    def __init__(self, width: int, dropout: float, stream: torch.Generator) -> None:
        super().__init__()
        self.norms = nn.ModuleList([nn.LayerNorm(width), nn.LayerNorm(width)])
        self.queries_keys_values, self.joined = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.dense = nn.Sequential(nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.dropout = _Dropout(dropout, stream)

    def forward(self, x: Tensor) -> Tensor:  # (n, tokens, width)
        parts = self.queries_keys_values(self.norms[0](x)).unflatten(2, (3, self.HEADS, -1))
        queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (n, heads, tokens, width / heads)
        seen = functional.scaled_dot_product_attention(queries, keys, values)
        x = x + self.dropout(self.joined(seen.transpose(1, 2).flatten(2)))
        return x + self.dropout(self.dense(self.norms[1](x)))


class Transformer(nn.Module):
    """Runs of positions as tokens, each with a projection of its own, a layer of attention, and their mean.

    A projection of its own tells a token's place, too, as in the generator of the paper.
    """

    RUN = 128

    def __init__(self, shape: tuple[int, int], labels: int, settings: Settings, stream: torch.Generator) -> None:
        super().__init__()
        positions, channels = shape
        width = settings.width
        run = max(self.RUN, -(-positions // _MAX_TOKENS))
        self.tokens = -(-positions // run)
        self._padding = self.tokens * run - positions
        self.inputs = _Dropout(settings.input_dropout, stream)
        self.projections = nn.Parameter(torch.randn(self.tokens, run * channels, width) / math.sqrt(run * channels))
        self.places = nn.Parameter(0.02 * torch.randn(self.tokens, width))
        self.attention = _Attention(width, settings.dropout, stream)
        self.told = nn.Sequential(_Dropout(settings.dropout, stream), nn.Linear(width, labels))
        self.norm = nn.LayerNorm(width)

    def forward(self, x: Tensor) -> Tensor:
        whole = functional.pad(self.inputs(x), (0, 0, 0, self._padding)).unflatten(1, (self.tokens, -1)).flatten(2)
        tokens = torch.bmm(whole.transpose(0, 1), self.projections).transpose(0, 1) + self.places
        found: Tensor = self.told(self.norm(self.attention(tokens)).mean(1))
        return found


_Build = Callable[[tuple[int, int], int, Settings, torch.Generator], nn.Module]
KINDS: dict[str, tuple[_Build, Settings]] = {
    "mlp": (MLP, Settings(width=256, dropout=0.5, input_dropout=0.3, learning_rate=5e-4)),
    "transformer": (Transformer, Settings(width=128, dropout=0.3, input_dropout=0.5)),
    "cnn": (CNN, Settings(width=32, dropout=0.5, input_dropout=0.3, weight_decay=0.1)),
}
"""{kind: (network, how it is trained)}."""


@dataclass(frozen=True)
class Classifier:
    """A trained network.

    Attributes
    ----------
    network : from standardised inputs to a number for each label
    mean, scale : float32 (positions, channels)
    epochs, best_epoch : int, trained, and the one whose weights it has
    """

    network: nn.Module
    mean: Tensor
    scale: Tensor
    epochs: int
    best_epoch: int

    def predict(self, source: Source) -> NDArray[np.int64]:
        """int64 (n,), the label of every row."""
        rows = Rows([(source, np.arange(len(source)))])
        with torch.inference_mode():
            found = [
                self.network((x - self.mean) * self.scale).argmax(1).numpy() for x in rows.blocks(np.arange(len(rows)))
            ]
        return np.concatenate(found)


def train(
    kind: str,
    rows: Rows,
    codes: NDArray[np.int64],
    persons: NDArray[np.int64],
    num_labels: int,
    *,
    seed: int,
    stop: threading.Event | None = None,
) -> Classifier:
    """A classifier, by the protocol above. The caller sees to it that torch computes on one thread.

    Parameters
    ----------
    kind : one of `KINDS`
    rows : training rows
    codes : int64 (n,), their labels, 0 to num_labels - 1
    persons : int64 (n,), of equal numbers for the rows of one person
    seed : int in [0, 2**64), of the validation persons, the first weights, the batches and the dropout
    stop : set where what is trained is wanted no more

    Raises
    ------
    Stopped
        `stop` was set.
    ValueError
        No label with two persons, so that none can be held out.
    """
    build, settings = KINDS[kind]
    held = held_out(codes, persons, settings.validation, stream_seed(seed, "validation"))
    learnt, watched = np.flatnonzero(~held), np.flatnonzero(held)
    mean, scale = _standard(rows, learnt)
    cpu = torch.device("cpu")
    with _initialising:
        network = initialised(
            lambda: build(rows.shape, num_labels, settings, generator_of(cpu, seed, "dropout")), seed, kind
        )
    weights, biases = ([p for p in network.parameters() if (p.dim() > 1) is many] for many in (True, False))
    adam = torch.optim.AdamW(
        [{"params": weights, "weight_decay": settings.weight_decay}, {"params": biases, "weight_decay": 0.0}],
        lr=settings.learning_rate,
        fused=True,
    )
    labels = torch.from_numpy(codes)
    least, best_epoch, epoch = math.inf, 0, 0
    best: dict[str, Tensor] = {}
    while epoch < settings.epochs and epoch - best_epoch < settings.patience:
        epoch += 1
        network.train()
        order = learnt[seeded_order(len(learnt), stream_seed(seed, "order", epoch))]
        for batch in np.array_split(order, -(-len(order) // settings.batch_size)):
            if stop is not None and stop.is_set():
                raise Stopped
            adam.zero_grad()
            told = network((rows.batch(batch) - mean) * scale)
            functional.cross_entropy(told, labels[batch]).backward()  # type: ignore[no-untyped-call]
            adam.step()
        network.eval()
        with torch.no_grad():
            told = torch.cat([network((x - mean) * scale) for x in rows.blocks(watched)])
            loss = float(functional.cross_entropy(told, labels[watched]))
        if loss < least or not best:
            least, best_epoch = loss, epoch
            best = {name: value.clone() for name, value in network.state_dict().items()}
    network.load_state_dict(best)
    return Classifier(network.eval(), mean, scale, epoch, best_epoch)


def held_out(codes: NDArray[np.int64], persons: NDArray[np.int64], share: float, seed: int) -> NDArray[np.bool_]:
    """Which rows are held out, bool (n,): those of a share of the persons (one at least), spread over the labels.

    A person's label is that of its first row. Of every label the first person of a seeded order stays.

    Raises
    ------
    ValueError
        Each label has one person.
    """
    _, first, person = np.unique(persons, return_index=True, return_inverse=True)
    label = codes[first]
    order = seeded_order(len(first), seed)
    order = order[np.argsort(label[order], kind="stable")]
    free = order[1:][label[order[1:]] == label[order[:-1]]]
    if not len(free):
        raise ValueError("rows: expected two persons or more with one label, found one of each")
    number = max(1, min(round(share * len(first)), len(free)))
    chosen = np.zeros(len(first), bool)
    chosen[free[(np.arange(number) * 2 + 1) * len(free) // (2 * number)]] = True
    found: NDArray[np.bool_] = chosen[person]
    return found


def _standard(rows: Rows, index: NDArray[np.int64]) -> tuple[Tensor, Tensor]:
    """Mean, and 1 / standard deviation (0 where nothing varies), float32 (positions, channels)."""
    total = torch.zeros(rows.shape, dtype=torch.float64)
    squares = torch.zeros(rows.shape, dtype=torch.float64)
    for x in rows.blocks(index):
        total += x.sum(0, dtype=torch.float64)
    mean = total / len(index)
    for x in rows.blocks(index):
        squares += (x - mean).square().sum(0)
    deviation = (squares / len(index)).sqrt()
    scale = torch.where(deviation > 1e-6, 1 / deviation, 0.0)
    return mean.float(), scale.float()


def beside_each_other(jobs: Sequence[Callable[[threading.Event], _Found]]) -> list[_Found]:
    """What every job gives; each is computed by one thread, torch's parts too, of the thread budget.

    A job is told by its argument when the others are of no use any more: one has failed, or Ctrl-C.
    """
    waiting, stop = deque(enumerate(jobs)), threading.Event()
    found: dict[int, _Found] = {}

    def work(_first: int, _last: int) -> None:
        while not stop.is_set():
            try:
                number, job = waiting.popleft()
            except IndexError:
                return
            try:
                found[number] = job(stop)
            except Stopped:
                return
            except BaseException:
                stop.set()
                raise

    with Workers(torch.device("cpu")) as workers:
        try:
            workers.share(workers.count, work)
        finally:
            stop.set()
    return [found[number] for number in range(len(jobs))]

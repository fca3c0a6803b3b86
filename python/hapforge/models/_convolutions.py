"""The convolutional networks of WGAN and VAE, for any padded length 4 * 2**(2m) - 1.

A network is a list of blocks between length 4 and the padded length, and its mirror image (Yelmen et al. 2023, figure
1; the channels are those of the authors' settings for 65,535 sites). With c the width and top = 6 + 8 (m - 2):

=============  ============================================  ====================================
block          channels of its convolutions                   lengths
=============  ============================================  ====================================
head           (top + 6) c, (top + 4) c, (top + 2) c, top c   4, 7, 15, 15
up (m - 2)     fall by 4 c, twice                             from 4 * 2**i - 1 twice doubled
residual       as they are, after the ups to 6c, 22c, 38c     as it is
tail           4c, 2c                                         doubled twice, to the padded length
output         c, c / 2, 1                                    as it is
=============  ============================================  ====================================

For 65,535 sites, m = 7, these are 52c 50c 48c 46c, 38c 30c 22c 14c 6c, 4c 2c c c/2 1. One location vector (of every
label, where there are labels) and the noise channels enter every block but the residual ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from hapforge.models._operations import EPSILON, SLOPE, convolve, convolve_transposed, normalise

_SMALLEST = 2  # m


@dataclass(frozen=True)
class Block:
    """Channels and length that enter a block of the growing network, and those that leave it.

    Attributes
    ----------
    kind : "head", "up", "residual", "tail" or "output"
    channels, lengths : tuples of int, of what enters (without location vector and noise) and of every convolution
    """

    kind: str
    channels: tuple[int, ...]
    lengths: tuple[int, ...]


def padded_length(num_sites: int) -> int:
    """The least 4 * 2**(2m) - 1, m >= 2, that is not below `num_sites`: 63, 255, 1,023, 4,095, 16,383, 65,535 ..."""
    length = 4 * 4**_SMALLEST - 1
    while length < num_sites:
        length = 4 * (length + 1) - 1
    return length


def check_width(width: int) -> None:
    """ValueError for a width that is odd or below 2."""
    if width < 2 or width % 2:
        raise ValueError(f"width: expected an even number, 2 or more, found {width}")


def blocks_of(length: int, width: int, first_channels: int) -> list[Block]:
    """The blocks of a network that grows from `first_channels` at length 4 to one channel at `length`.

    Parameters
    ----------
    length : int, a `padded_length`
    width : int, c, even
    first_channels : int, of what enters at length 4
    """
    ups, at = 0, 4 * 4**_SMALLEST - 1
    while at < length:
        ups, at = ups + 1, 4 * (at + 1) - 1
    top = 6 + 8 * ups
    blocks = [Block("head", (first_channels, *(width * (top + more) for more in (6, 4, 2, 0))), (4, 4, 7, 15, 15))]
    at = 15
    for step in range(ups):
        high = top - 8 * step
        channels = (width * high, width * (high - 4), width * (high - 8))
        blocks.append(Block("up", channels, (at, 2 * at + 1, 4 * at + 3)))
        at = 4 * at + 3
        if (high - 8) % 16 == 6:
            blocks.append(Block("residual", channels[-1:] * 3, (at,) * 3))
    blocks.append(Block("tail", (6 * width, 4 * width, 2 * width), (at, 2 * at + 1, length)))
    blocks.append(Block("output", (2 * width, width, width // 2, 1), (length,) * 4))
    return blocks


class Normalised(nn.Module):
    """Normalisation of every channel, over rows ("batch") or in each ("instance"), scale, shift and leaky rectifier.

    Over rows it has no running statistics: in training they are of the rows that are given together; afterwards those
    that it was given. What is appended to `seen` are means and means of squares.
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, channels: int, kind: str) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.kind = kind
        if kind == "batch":
            self.register_buffer("mean", torch.zeros(channels))
            self.register_buffer("variance", torch.ones(channels))

    def forward(self, x: Tensor, seen: list[Tensor] | None) -> Tensor:
        """x : (rows, channels, length); seen: None to normalise by what was frozen, else statistics are appended.

        A leaky rectifier follows.
        """
        if self.kind == "batch" and seen is None:
            y = functional.batch_norm(x, self.mean, self.variance, self.weight, self.bias, training=False, eps=EPSILON)
            return functional.leaky_relu(y, SLOPE)
        y, mean, variance = normalise(x, self.weight, self.bias, over_rows=self.kind == "batch")
        if seen is not None:
            seen.append(torch.stack([mean, variance + mean.square()]))
        return y


def _convolved(of: Any, x: Tensor) -> Tensor:
    """x by an nn.Conv1d or nn.ConvTranspose1d of kernel 3."""
    operation = convolve_transposed if isinstance(of, nn.ConvTranspose1d) else convolve
    y = operation(x, of.weight, of.stride[0], of.padding[0])
    return y if of.bias is None else y + of.bias[:, None]


class Convolutions(nn.Module):
    """A block's convolutions, kernel 3, without bias where a normalisation follows, each with a leaky rectifier.

    Parameters
    ----------
    block : Block
    extra : int, channels that are joined to what enters
    kind : of normalisation, "batch" or "instance"
    last_is_plain : whether nothing follows the last convolution, which then has a bias
    """

    def __init__(self, block: Block, extra: int, kind: str, last_is_plain: bool = False) -> None:
        super().__init__()
        channels, lengths = block.channels, block.lengths
        channels_in = [channels[0] + extra, *channels[1:-1]]
        self.convolutions = nn.ModuleList()
        self.norms = nn.ModuleList()
        for i, ((before, after), out) in enumerate(zip(pairwise(lengths), channels[1:], strict=True)):
            plain = last_is_plain and i == len(channels) - 2
            padding = 1 if before == after or {before, after} == {4, 7} else 0
            stride = 1 if before == after else 2
            of = nn.ConvTranspose1d if after > before else nn.Conv1d
            self.convolutions.append(of(channels_in[i], out, 3, stride=stride, padding=padding, bias=plain))
            if not plain:
                self.norms.append(Normalised(out, kind))

    def forward(self, x: Tensor, seen: list[Tensor] | None) -> Tensor:
        for i, convolution in enumerate(self.convolutions):
            x = _convolved(convolution, x)
            if i < len(self.norms):
                x = self.norms[i](x, seen)
        return x


class _Chain(nn.Module):
    """Blocks one after the other, with location vectors and noise.

    Parameters
    ----------
    blocks : as they are gone through
    num_labels : int, location vectors of a block, 1 without labels
    noise : int, noise channels of a block; those of the first are what enters it
    """

    def __init__(self, blocks: list[Block], *, num_labels: int, noise: int, kind: str) -> None:
        super().__init__()
        self.blocks = nn.ModuleList()
        self.locations = nn.ParameterList()
        self.noise_shapes: list[tuple[int, int]] = []
        self._located: list[bool] = []
        self._noisy: list[bool] = []
        self._residual: list[bool] = []
        for block in blocks:
            length = block.lengths[0]
            located = block.kind != "residual" and length > 4
            noisy = noise if located else 0
            self._located.append(located)
            self._noisy.append(noisy > 0)
            self._residual.append(block.kind == "residual")
            if located:
                self.locations.append(nn.Parameter(torch.zeros(num_labels, length)))
            if noisy:
                self.noise_shapes.append((noisy, length))
            last = block.kind == "output"
            self.blocks.append(Convolutions(block, located + noisy, kind, last_is_plain=last))

    def forward(
        self, x: Tensor, noise: list[Tensor], labels: Tensor, seen: list[Tensor] | None
    ) -> tuple[Tensor, Tensor]:
        """What leaves the last block, and what enters it."""
        locations, noises = iter(self.locations), iter(noise)
        entered = x
        for block, located, noisy, residual in zip(
            self.blocks, self._located, self._noisy, self._residual, strict=True
        ):
            entered, enters = x, [x]
            if located:
                enters.append(next(locations)[labels][:, None].to(x.dtype))
            if noisy:
                enters.append(next(noises).to(x.dtype))
            y = block(torch.cat(enters, 1) if located else x, seen)
            x = x + y if residual else y
        return x, entered


class Generator(nn.Module):
    """From noise to one logit a site.

    Parameters
    ----------
    by_site : whether a site's logit has a bias of its own, of each label, and its own mix of what enters the last block

    Attributes
    ----------
    noise_shapes : list of (channels, length), of what `forward` takes
    """

    def __init__(
        self, length: int, width: int, num_labels: int, first_channels: int, noise: int, by_site: bool = False
    ) -> None:
        super().__init__()
        blocks = blocks_of(length, width, first_channels)
        self._chain = _Chain(blocks, num_labels=num_labels, noise=noise, kind="batch")
        self.noise_shapes = [(first_channels, 4), *self._chain.noise_shapes]
        self.by_site: nn.Parameter | None = None
        if by_site:
            self.by_site = nn.Parameter(torch.randn(2 * width, length) / (2 * width) ** 0.5)
            self.site_bias = nn.Parameter(torch.zeros(num_labels, length))

    def forward(self, noise: list[Tensor], labels: Tensor, seen: list[Tensor] | None = None) -> Tensor:
        """Logits, float (rows, length); see `Normalised` for `seen`."""
        first, *more = noise
        out, features = self._chain(first, more, labels, seen)
        if self.by_site is None:
            return out[:, 0]
        return out[:, 0] + (features * self.by_site).sum(1) + self.site_bias[labels]


def channels_seen(width: int, by_site: bool) -> int:
    """Channels that stand for an allele in a critic or an encoder: it, and multiples that are the site's own."""
    return 1 + width if by_site else 1


class SiteMultiples(nn.Module):
    """Alleles, and beside each some multiples of it by factors that are the site's own.

    Parameters
    ----------
    channels : int, `channels_seen`
    """

    def __init__(self, channels: int, length: int) -> None:
        super().__init__()
        multiples = channels - 1
        self.factors = nn.Parameter(torch.randn(multiples, length) / multiples**0.5) if multiples else None

    def forward(self, x: Tensor) -> Tensor:
        """(rows, pack * channels, length) of x (rows, pack, length)."""
        if self.factors is None:
            return x
        return torch.cat([x, (x[:, :, None] * self.factors).flatten(1, 2)], 1)


class Critic(nn.Module):
    """From packs of rows to a score each: the mirror image, normalised by row, then one channel and a linear layer."""

    def __init__(self, length: int, width: int, num_labels: int, pack: int, by_site: bool = False) -> None:
        super().__init__()
        channels = channels_seen(width, by_site)
        self._sites = SiteMultiples(channels, length)
        blocks = mirrored(blocks_of(length, width, 1), pack * channels)
        self._chain = _Chain(blocks, num_labels=num_labels, noise=0, kind="instance")
        self._last = nn.Conv1d(blocks[-1].channels[-1], 1, 3, padding=1)
        self._score = nn.Linear(4, 1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        """Scores, float (packs,), of alleles (packs, pack, length) and the label of each pack."""
        last, _ = self._chain(self._sites(x), [], labels, None)
        return self._score(_convolved(self._last, last)[:, 0])[:, 0]


class Encoder(nn.Module):
    """From rows to mean and log variance of their latent values: the mirror image, normalised over rows."""

    def __init__(self, length: int, width: int, num_labels: int, latent_channels: int, by_site: bool = False) -> None:
        super().__init__()
        channels = channels_seen(width, by_site)
        self._sites = SiteMultiples(channels, length)
        blocks = mirrored(blocks_of(length, width, 1), channels)
        self._chain = _Chain(blocks, num_labels=num_labels, noise=0, kind="batch")
        self._last = nn.Conv1d(blocks[-1].channels[-1], 2 * latent_channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor, seen: list[Tensor] | None = None) -> tuple[Tensor, Tensor]:
        """Mean and log variance, float (rows, latent_channels, 4), of alleles (rows, 1, length)."""
        last, _ = self._chain(self._sites(x), [], labels, seen)
        mean, log_variance = _convolved(self._last, last).chunk(2, 1)
        return mean, log_variance


def mirrored(blocks: list[Block], first_channels: int) -> list[Block]:
    """The blocks of a network that shrinks, in their order: `first_channels` enter where one left.

    Output and tail are one block, and the head ends with its widest convolution at length 4.
    """
    head, *middle, tail, output = blocks
    first = Block(
        "tail",
        (first_channels, *output.channels[-2::-1], *tail.channels[-2::-1]),
        (*output.lengths[::-1], *tail.lengths[-2::-1]),
    )
    turned = [Block(block.kind, block.channels[::-1], block.lengths[::-1]) for block in reversed(middle)]
    return [first, *turned, Block("head", head.channels[:0:-1], head.lengths[:0:-1])]


def shapes_of(network: str, blocks: list[Block]) -> dict[str, str]:
    """Channels x length of what enters a block and of every convolution of it, by network, number and kind."""
    return {
        f"{network}_block_{number:02d}": f"{block.kind}: "
        + ", ".join(f"{c} x {n}" for c, n in zip(block.channels, block.lengths, strict=True))
        for number, block in enumerate(blocks, 1)
    }

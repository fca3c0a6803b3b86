"""Backbones of diffusion: networks that predict the noise in an embedded haplotype, eps = f(x, t, y), or its like.

All take x (rows, positions, channels), t (rows,) in (0, 1] and labels (rows,), of which number `num_labels` stands for
"none", and pad the positions to a length that suits them; `bottlenecks` names the layers that the least passes through
(of the transformer, which has none, the middle one). Source: Kenneweg et al., Generating synthetic genotypes using
diffusion models, section 3.3, figures 2, 8 and 9, tables and text of appendix "Architecture details"; its
earlier version for the dense baseline. Figures 2 and 8 do not state every width: where they are silent the blocks are
those of Ho et al. 2020, appendix B.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

BACKBONES = ("dense", "mlp", "cnn", "mlp+cnn", "transformer")
MULTIPLIERS = (1, 1, 1, 1, 2, 2, 3, 4)  # of the base width, by level of the convolutional network
_ATTENTION = (4, 5)  # levels with attention: "blocks 5 and 6"
_HEADS, _GROUPS, _OF_GROUP = 4, 8, 4
_LAMBDA = 128  # hidden units of lambda(t)
_FREQUENCIES = 64


class Conditions(nn.Module):
    """t, as sines and cosines, and label, as one vector of `size`.

    Parameters
    ----------
    size : int
    num_labels : int; one more label stands for "none"
    """

    def __init__(self, size: int, num_labels: int) -> None:
        super().__init__()
        self._of_time = nn.Sequential(nn.Linear(2 * _FREQUENCIES, size), nn.SiLU(), nn.Linear(size, size))
        self._of_label = nn.Embedding(num_labels + 1, size)
        self.register_buffer("_waves", torch.exp(torch.linspace(0, math.log(1000), _FREQUENCIES)))

    _waves: Tensor

    def forward(self, t: Tensor, labels: Tensor) -> Tensor:
        """(rows, size)."""
        angles = t[:, None] * self._waves
        found: Tensor = self._of_time(torch.cat([angles.sin(), angles.cos()], 1)) + self._of_label(labels)
        return found


class _DenseBlock(nn.Module):
    """Normalisation, rectifier and dense layer, to which the conditions are added, and another with a way past both."""

    def __init__(self, before: int, after: int, conditions: int) -> None:
        super().__init__()
        self._first = nn.Sequential(nn.LayerNorm(before), nn.SiLU(), nn.Linear(before, after))
        self._conditions = nn.Sequential(nn.SiLU(), nn.Linear(conditions, after))
        self._second = nn.Sequential(nn.LayerNorm(after), nn.SiLU(), nn.Linear(after, after))
        self._past = nn.Identity() if before == after else nn.Linear(before, after)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        found: Tensor = self._past(x) + self._second(self._first(x) + self._conditions(c))
        return found


class DenseDenoiser(nn.Module):
    """The baseline: dense layers of one width, without skips over the whole."""

    def __init__(self, positions: int, channels: int, num_labels: int, width: int) -> None:
        super().__init__()
        self._conditions = Conditions(width, num_labels)
        self._first = nn.Linear(positions * channels, width)
        self._layers = nn.ModuleList([nn.Linear(width, width) for _ in range(2)])
        self._last = nn.Linear(width, positions * channels)

    @property
    def bottlenecks(self) -> dict[str, nn.Module]:
        return {"dense": self._layers[0]}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise, like x."""
        h = self._first(x.flatten(1)) + self._conditions(t, labels)
        for layer in self._layers:
            h = layer(functional.silu(h))
        found: Tensor = self._last(functional.silu(h)).view_as(x)
        return found


class MLPDenoiser(nn.Module):
    """U-Net of dense layers: widths w, w / 2, w / 4 and back, what went down joins what goes up."""

    def __init__(self, positions: int, channels: int, num_labels: int, width: int) -> None:
        super().__init__()
        size = max(16, width // 4)
        widths = [width, max(1, width // 2), max(1, width // 4)]
        self._conditions = Conditions(size, num_labels)
        self._first = nn.Linear(positions * channels, width)
        self._down = nn.ModuleList([_DenseBlock(a, b, size) for a, b in pairwise([width, *widths])])
        self._middle = _DenseBlock(widths[-1], widths[-1], size)
        up = list(zip(reversed(widths), [*reversed(widths[:-1]), width], strict=True))
        self._up = nn.ModuleList([_DenseBlock(2 * a, b, size) for a, b in up])
        self._last = nn.Sequential(nn.LayerNorm(width), nn.SiLU(), nn.Linear(width, positions * channels))

    @property
    def bottlenecks(self) -> dict[str, nn.Module]:
        return {"MLP": self._middle}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise, like x."""
        c = self._conditions(t, labels)
        h, went = self._first(x.flatten(1)), []
        for block in self._down:
            h = block(h, c)
            went.append(h)
        h = self._middle(h, c)
        for block in self._up:
            h = block(torch.cat([h, went.pop()], 1), c)
        found: Tensor = self._last(h).view_as(x)
        return found


class _ConvolutionBlock(nn.Module):
    """Two convolutions of kernel 3 with normalisation by groups, and a way past both.

    Conditions scale and shift what was normalised (Dhariwal, Nichol 2021, Diffusion models beat GANs, eq. 11): added
    before it, the normalisation of small groups would take them out again.
    """

    def __init__(self, before: int, after: int, conditions: int) -> None:
        super().__init__()
        self._first = nn.Sequential(_by_groups(before), nn.SiLU(), nn.Conv1d(before, after, 3, padding=1))
        self._conditions = nn.Sequential(nn.SiLU(), nn.Linear(conditions, 2 * after))
        self._norm = _by_groups(after)
        self._second = nn.Sequential(nn.SiLU(), nn.Conv1d(after, after, 3, padding=1))
        self._past = nn.Identity() if before == after else nn.Conv1d(before, after, 1)

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        scale, shift = self._conditions(c)[:, :, None].chunk(2, 1)
        found: Tensor = self._past(x) + self._second(self._norm(self._first(x)) * (1 + scale) + shift)
        return found


class _Attention(nn.Module):
    """Attention of several heads among positions, added to what enters."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self._heads = math.gcd(_HEADS, channels)
        self._norm = _by_groups(channels)
        self._queries = nn.Conv1d(channels, 3 * channels, 1)
        self._last = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        rows, channels, length = x.shape
        parts = self._queries(self._norm(x)).view(rows, 3, self._heads, channels // self._heads, length)
        queries, keys, values = parts.transpose(3, 4).unbind(1)
        found = functional.scaled_dot_product_attention(queries, keys, values)
        result: Tensor = x + self._last(found.transpose(2, 3).reshape(rows, channels, length))
        return result


class CNNDenoiser(nn.Module):
    """U-Net of convolutions along the positions, `MULTIPLIERS` of the width, attention at levels 5 and 6.

    With few positions there are fewer levels, the deepest of 4 positions or more, and attention at the last two.
    """

    def __init__(self, positions: int, channels: int, num_labels: int, width: int) -> None:
        super().__init__()
        levels = 1
        while levels < len(MULTIPLIERS) and positions >= 4 * 2**levels:
            levels += 1
        attended = _ATTENTION if levels > _ATTENTION[-1] else (levels - 2, levels - 1)
        size = 4 * width
        self._multiple = 2 ** (levels - 1)
        self._conditions = Conditions(size, num_labels)
        self._first = nn.Conv1d(channels, width, 3, padding=1)
        self._down, self._up = nn.ModuleList(), nn.ModuleList()
        self._shrink, self._grow = nn.ModuleList(), nn.ModuleList()
        at, channels_of = width, [width * multiplier for multiplier in MULTIPLIERS[:levels]]
        for level, after in enumerate(channels_of):
            self._down.append(_Level(at, after, size, level in attended))
            at = after
            if level < levels - 1:
                self._shrink.append(nn.Conv1d(at, at, 3, stride=2, padding=1))
        self._middle = nn.ModuleList([_Level(at, at, size, True), _Level(at, at, size, False)])
        for level, after in reversed(list(enumerate(channels_of))):
            self._up.append(_Level(at + after, after, size, level in attended))
            at = after
            if level:
                self._grow.append(nn.Conv1d(at, at, 3, padding=1))
        self._last = nn.Sequential(_by_groups(at), nn.SiLU(), nn.Conv1d(at, channels, 3, padding=1))

    @property
    def bottlenecks(self) -> dict[str, nn.Module]:
        return {"CNN": self._middle[-1]}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise, like x."""
        c = self._conditions(t, labels)
        positions = x.shape[1]
        h = self._first(functional.pad(x.transpose(1, 2), (0, -positions % self._multiple)))
        went: list[Tensor] = []
        for level, block in enumerate(self._down):
            h = block(h, c)
            went.append(h)
            if level < len(self._shrink):
                h = self._shrink[level](h)
        for block in self._middle:
            h = block(h, c)
        for level, block in enumerate(self._up):
            h = block(torch.cat([h, went.pop()], 1), c)
            if level < len(self._grow):
                h = self._grow[level](functional.interpolate(h, scale_factor=2.0))
        found: Tensor = self._last(h)[:, :, :positions].transpose(1, 2)
        return found


class _Level(nn.Module):
    """A block of convolutions, and attention where there is some."""

    def __init__(self, before: int, after: int, conditions: int, attends: bool) -> None:
        super().__init__()
        self._block = _ConvolutionBlock(before, after, conditions)
        self._attention = _Attention(after) if attends else nn.Identity()

    def forward(self, x: Tensor, c: Tensor) -> Tensor:
        found: Tensor = self._attention(self._block(x, c))
        return found


class MixedDenoiser(nn.Module):
    """(1 - lambda(t)) MLP(x, t, y) + lambda(t) CNN(x, t, y), lambda a network of 1 - 128 - 1 (eq. 1)."""

    def __init__(self, mlp: MLPDenoiser, cnn: CNNDenoiser) -> None:
        super().__init__()
        self._mlp, self._cnn = mlp, cnn
        self._lambda = nn.Sequential(nn.Linear(1, _LAMBDA), nn.SiLU(), nn.Linear(_LAMBDA, 1), nn.Sigmoid())

    def share_of_cnn(self, t: Tensor) -> Tensor:
        """lambda(t), (rows,)."""
        found: Tensor = self._lambda(t[:, None])[:, 0]
        return found

    @property
    def bottlenecks(self) -> dict[str, nn.Module]:
        return {**self._mlp.bottlenecks, **self._cnn.bottlenecks}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise, like x."""
        share = self.share_of_cnn(t)[:, None, None]
        found: Tensor = (1 - share) * self._mlp(x, t, labels) + share * self._cnn(x, t, labels)
        return found


class TransformerDenoiser(nn.Module):
    """Encoder layers over tokens of several positions, with two more tokens for t and label.

    First and last projections are every token's own, positions are learnt.
    """

    def __init__(
        self, positions: int, channels: int, num_labels: int, width: int, layers: int, positions_per_token: int
    ) -> None:
        super().__init__()
        tokens = -(-positions // positions_per_token)
        size = positions_per_token * channels
        self._size, self._padding = size, tokens * positions_per_token - positions
        self._time = Conditions(width, 0)
        self._label = nn.Embedding(num_labels + 1, width)
        self._first = nn.Parameter(torch.randn(tokens, size, width) / math.sqrt(size))
        self._first_bias = nn.Parameter(torch.zeros(tokens, width))
        self._place = nn.Parameter(torch.randn(tokens + 2, width) * 0.02)
        heads = math.gcd(6, width)
        self._layers = nn.ModuleList(
            [
                nn.TransformerEncoderLayer(
                    width, heads, 4 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
                )
                for _ in range(layers)
            ]
        )
        self._norm = nn.LayerNorm(width)
        self._last = nn.Parameter(torch.randn(tokens, width, size) / math.sqrt(width))
        self._last_bias = nn.Parameter(torch.zeros(tokens, size))

    @property
    def bottlenecks(self) -> dict[str, nn.Module]:
        return {"transformer": self._layers[len(self._layers) // 2]}

    def forward(self, x: Tensor, t: Tensor, labels: Tensor) -> Tensor:
        """The noise, like x."""
        rows, positions, channels = x.shape
        parts = functional.pad(x, (0, 0, 0, self._padding)).view(rows, -1, self._size)
        tokens = torch.einsum("rks,ksw->rkw", parts, self._first) + self._first_bias
        two = torch.stack([self._time(t, torch.zeros_like(labels)), self._label(labels)], 1)
        h = torch.cat([two, tokens], 1) + self._place
        for layer in self._layers:
            h = layer(h)
        found = torch.einsum("rkw,kws->rks", self._norm(h[:, 2:]), self._last) + self._last_bias
        return found.reshape(rows, -1, channels)[:, :positions]


def _by_groups(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(math.gcd(_GROUPS, channels // _OF_GROUP or 1, channels), channels)

"""The networks of WGAN and VAE: lengths and channels as published, normalisation, derivatives."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hapforge.models import _convolutions  # noqa: E402 - torch first
from hapforge.models._adversarial import gradient_penalty, r1_penalty  # noqa: E402
from hapforge.models._network_training import start_at_frequencies  # noqa: E402


def test_padded_lengths() -> None:
    lengths = [63, 255, 1023, 4095, 16_383, 65_535, 262_143]
    assert lengths == [4 * 2 ** (2 * m) - 1 for m in range(2, 9)]
    assert [_convolutions.padded_length(n) for n in (1, 63, 64, 805, 8_076, 10_000, 16_384, 65_535)] == [
        63,
        63,
        255,
        1023,
        16_383,
        16_383,
        65_535,
        65_535,
    ]


def test_the_published_plan() -> None:
    """52c 50c 48c 46c, five ups that fall by 8c, 4c 2c c c/2 1, c = 10; residual blocks at 38c, 22c and 6c."""
    blocks = _convolutions.blocks_of(65_535, 10, 2)
    assert [block.kind for block in blocks] == [
        *("head", "up", "residual", "up", "up", "residual", "up", "up", "residual", "tail", "output")
    ]
    assert blocks[0].channels == (2, 520, 500, 480, 460)
    assert [block.channels[-1] for block in blocks if block.kind == "up"] == [380, 300, 220, 140, 60]
    assert [block.channels[0] for block in blocks if block.kind == "residual"] == [380, 220, 60]
    assert blocks[-2].channels == (60, 40, 20)
    assert blocks[-1].channels == (20, 10, 5, 1)
    enter = [block.lengths[0] for block in blocks if block.kind != "residual"]
    assert enter == [4, *(4 * 2**i - 1 for i in range(2, 15, 2))]
    assert [block.channels[1] for block in _convolutions.blocks_of(16_383, 10, 2)][:1] == [440]


@pytest.mark.parametrize("length", [63, 255, 1023])
def test_networks_have_the_lengths_and_channels_of_the_plan(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    blocks = _convolutions.blocks_of(length, 2, 3)
    generator = _convolutions.Generator(length, 2, 1, 3, 2)
    shapes = []
    convolved = _convolutions._convolved

    def noted(of: torch.nn.Module, x: torch.Tensor) -> torch.Tensor:
        y = convolved(of, x)
        shapes.append(tuple(y.shape[1:]))
        return y

    monkeypatch.setattr(_convolutions, "_convolved", noted)
    labels = torch.zeros(6, dtype=torch.int64)
    logits = generator([torch.randn(6, *shape) for shape in generator.noise_shapes], labels, [])
    assert logits.shape == (6, length)
    planned = [pair for block in blocks for pair in zip(block.channels[1:], block.lengths[1:], strict=True)]
    assert shapes == planned
    assert [shape[1] for shape in generator.noise_shapes] == [
        4,
        *(block.lengths[0] for block in blocks[1:] if block.kind != "residual"),
    ]
    critic = _convolutions.Critic(length, 2, 1, 3)
    assert critic(torch.sigmoid(logits).reshape(2, 3, length), labels[:2]).shape == (2,)
    mean, log_variance = _convolutions.Encoder(length, 2, 1, 5)(torch.rand(4, 1, length), labels[:4], [])
    assert mean.shape == log_variance.shape == (4, 5, 4)


def test_numbers_of_parameters_at_full_width() -> None:
    """By hand: 3 weights a pair of channels, 2 a channel that is normalised, location vectors, the last bias."""

    def expected(length: int) -> int:
        blocks = _convolutions.blocks_of(length, 10, 2)
        total = 1  # bias of the last convolution
        for block in blocks:
            extra = 0 if block.kind in ("residual", "head") else 3
            total += block.lengths[0] if extra else 0
            channels = [block.channels[0] + extra, *block.channels[1:]]
            total += sum(3 * a * b for a, b in pairwise(channels))
            total += 2 * sum(block.channels[1:]) - (2 if block.kind == "output" else 0)
        return total

    for length, number in ((1023, 859_722), (16_383, 3_230_960), (65_535, 5_877_315)):
        generator = _convolutions.Generator(length, 10, 1, 2, 2)
        assert sum(parameter.numel() for parameter in generator.parameters()) == expected(length) == number


def test_batch_normalisation_by_what_was_frozen_is_that_of_the_rows() -> None:
    torch.manual_seed(1)
    norm = _convolutions.Normalised(4, "batch")
    x, seen = torch.randn(5, 4, 7) * 3 + 2, []
    together = norm(x, seen)
    before_rectifier = torch.where(together > 0, together, together / 0.01)
    assert torch.allclose(before_rectifier.mean((0, 2)), torch.zeros(4), atol=1e-5)
    mean, squares = seen[0]
    norm.mean, norm.variance = mean, squares - mean.square()
    assert torch.allclose(norm(x[:2], None), together[:2], atol=1e-5)
    by_row = _convolutions.Normalised(4, "instance")
    assert torch.allclose(by_row(x, None)[:2], by_row(x[:2], None), atol=1e-6)


def test_labels_have_their_own_location_vectors() -> None:
    torch.manual_seed(1)
    generator = _convolutions.Generator(63, 2, 3, 2, 2)
    with torch.no_grad():
        for vectors in generator._chain.locations:
            vectors.normal_()
    noise = [torch.randn(1, *shape).expand(3, *shape) for shape in generator.noise_shapes]
    logits = generator(noise, torch.arange(3), [])
    assert len({tuple(row) for row in logits.detach().numpy().round(3).tolist()}) == 3


def numerical_slope(score, x, labels):
    """Central differences of every pack's score by every value of it, float64; a pack's score is of it alone."""
    steps = 1e-4 * torch.eye(x[0].numel(), dtype=x.dtype).view(-1, 1, *x.shape[1:])
    above, below = (score((x + step).flatten(0, 1), labels.repeat(len(steps))) for step in (steps, -steps))
    return ((above - below) / 2e-4).view(len(steps), len(x)).T.reshape(x.shape)


@pytest.mark.parametrize("kind", ["gradient", "r1"])
def test_penalties_against_finite_differences(kind: str) -> None:
    """Values by numerical slopes, and the gradient of the penalty by a weight by numerical differences of values."""
    torch.manual_seed(2)
    critic = _convolutions.Critic(63, 2, 1, 2).double()
    real, drawn = torch.rand(2, 3, 2, 63, dtype=torch.float64).unbind(0)
    share, labels = torch.rand(3, dtype=torch.float64), torch.zeros(3, dtype=torch.int64)

    def penalty() -> torch.Tensor:
        if kind == "r1":
            return r1_penalty(critic, real, labels)
        return gradient_penalty(critic, real, drawn, share, labels)

    with torch.no_grad():
        at = real if kind == "r1" else drawn + share[:, None, None] * (real - drawn)
        squares = numerical_slope(critic, at, labels).square().sum((1, 2))
    expected = squares.sum() / 2 if kind == "r1" else (squares.sqrt() - 1).square().sum()
    found = penalty()
    assert found.item() == pytest.approx(expected.item(), rel=1e-3)  # rectifiers have kinks
    weight = critic._chain.blocks[0].convolutions[0].weight
    (gradient,) = torch.autograd.grad(found, weight)
    place = int(gradient.abs().argmax())
    values = []
    for step in (1e-8, -1e-8):
        with torch.no_grad():
            weight.view(-1)[place] += step
        values.append(penalty().item())
        with torch.no_grad():
            weight.view(-1)[place] -= step
    assert gradient.view(-1)[place].item() == pytest.approx((values[0] - values[1]) / 2e-8, rel=1e-3)


@pytest.mark.parametrize("by_site", [False, True])
@pytest.mark.parametrize("kind", ["gradient", "r1"])
def test_penalties_by_the_kernels_have_the_gradients_of_float64(kind: str, by_site: bool) -> None:
    torch.manual_seed(3)
    single = _convolutions.Critic(255, 4, 1, 2, by_site)
    double = copy.deepcopy(single).double()
    real, drawn, share, labels = torch.rand(3, 2, 255), torch.rand(3, 2, 255), torch.rand(3), torch.zeros(3).long()
    found = []
    for critic, dtype in ((single, torch.float32), (double, torch.float64)):
        a, b, c = (value.to(dtype) for value in (real, drawn, share))
        penalty = r1_penalty(critic, a, labels) if kind == "r1" else gradient_penalty(critic, a, b, c, labels)
        found.append(torch.autograd.grad(penalty + critic(a, labels).sum(), list(critic.parameters())))
    for of_single, of_double in zip(*found, strict=True):
        assert torch.allclose(of_single.double(), of_double, rtol=2e-3, atol=2e-3 * float(of_double.abs().max()) + 1e-6)


def test_weights_of_sites() -> None:
    """A generator's logits have a bias of the site and label; two sites with the same features differ by theirs."""
    torch.manual_seed(1)
    plain, generator = (_convolutions.Generator(63, 2, 2, 2, 2, by_site) for by_site in (False, True))
    more = sum(value.numel() for value in generator.parameters()) - sum(value.numel() for value in plain.parameters())
    assert more == 4 * 63 + 2 * 63
    noise, labels = [torch.randn(5, *shape) for shape in generator.noise_shapes], torch.tensor([0, 1, 0, 1, 1])
    before = generator(noise, labels, [])
    counts, codes = np.array([[1, 4], [0, 6]]), np.array([0] * 4 + [1] * 6 + [-1])
    start_at_frequencies(generator.site_bias, counts, codes)
    found = (generator(noise, labels, []) - before)[:, :3].detach()
    expected = [np.log(1.5 / 3.5), np.log(4.5 / 0.5), 0], [np.log(0.5 / 6.5), np.log(6.5 / 0.5), 0]
    assert np.allclose(found, np.array(expected)[labels], atol=1e-5)
    assert torch.equal(_convolutions.SiteMultiples(1, 63)(noise[1]), noise[1])
    multiples = _convolutions.SiteMultiples(4, 63)
    seen = multiples(torch.ones(2, 2, 63)).detach()
    assert seen.shape == (2, 2 * 4, 63)
    assert torch.equal(seen[1, 2:5], multiples.factors)


def test_penalties_of_a_linear_score() -> None:
    """The slope of w.x is w everywhere: (|w| - 1)**2 and |w|**2 / 2 a pack."""
    w = torch.tensor([3.0, 0.0, 4.0])

    def score(x: torch.Tensor, _labels: torch.Tensor) -> torch.Tensor:
        return (x * w).sum((1, 2))

    x, labels = torch.rand(4, 1, 3), torch.zeros(4, dtype=torch.int64)
    assert gradient_penalty(score, x, x.flip(0), torch.rand(4), labels).item() == pytest.approx(4 * 16, rel=1e-4)
    assert r1_penalty(score, x, labels).item() == pytest.approx(4 * 12.5, rel=1e-5)

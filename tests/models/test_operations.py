"""The operations of the networks against torch's own in float64, with first and second derivatives."""

import threading

import pytest
import torch
from torch.nn import functional

from hapforge.models import _operations


def plain_normalise(x, weight, bias, over_rows):
    axes = (0, 2) if over_rows else (2,)
    variance, mean = torch.var_mean(x, axes, correction=0, keepdim=True)
    return functional.leaky_relu((x - mean) / (variance + 1e-5).sqrt() * weight[:, None] + bias[:, None], 0.01)


def penalised(x, weights, network):
    """What a gradient penalty does: the derivatives of |d network / d x| by x and the weights."""
    values = network(x, *weights)
    with _operations.inputs_only():
        (slope,) = torch.autograd.grad((values * values).sum(), x, create_graph=True)
    penalty = (slope.square().sum((1, 2)).sqrt() - 1).square().sum() + values.sum()
    return [values, slope, *torch.autograd.grad(penalty, (x, *weights))]


@pytest.mark.parametrize("over_rows", [False, True])
def test_a_network_and_its_penalty(over_rows: bool) -> None:
    torch.manual_seed(1)
    x, weights = torch.randn(4, 3, 15), [torch.randn(*shape) for shape in ((5, 3, 3), (5,), (5,), (5, 2, 3), (6, 2, 3))]

    def ours(x, w, scale, shift, up, last):
        y, _, _ = _operations.normalise(_operations.convolve(x, w, 2, 0), scale, shift, over_rows=over_rows)
        return _operations.convolve(_operations.convolve_transposed(y, up, 2, 0), last, 1, 1)

    def plain(x, w, scale, shift, up, last):
        y = plain_normalise(functional.conv1d(x, w, stride=2), scale, shift, over_rows)
        return functional.conv1d(functional.conv_transpose1d(y, up, stride=2), last, padding=1)

    found = penalised(x.requires_grad_(), [w.requires_grad_() for w in weights], ours)
    x, weights = x.detach().double(), [w.detach().double() for w in weights]
    expected = penalised(x.requires_grad_(), [w.requires_grad_() for w in weights], plain)
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-3, atol=1e-4 * float(b.detach().abs().max()))


def test_derivatives_by_weights_can_be_derived_again() -> None:
    torch.manual_seed(2)
    x, w, up = torch.randn(3, 2, 9), torch.randn(4, 2, 3), torch.randn(4, 3, 3)

    def twice(convolve, transposed, *leaves):
        x, w, up = (leaf.requires_grad_() for leaf in leaves)
        y = transposed(convolve(x, w).square(), up)
        slopes = torch.autograd.grad(y.square().sum(), (w, up), create_graph=True)
        return torch.autograd.grad(sum(slope.square().sum() for slope in slopes), (x, w, up))

    found = twice(
        lambda x, w: _operations.convolve(x, w, 2, 0),
        lambda y, w: _operations.convolve_transposed(y, w, 2, 1),
        *(leaf.clone() for leaf in (x, w, up)),
    )
    expected = twice(
        lambda x, w: functional.conv1d(x, w, stride=2),
        lambda y, w: functional.conv_transpose1d(y, w, stride=2, padding=1),
        *(leaf.double() for leaf in (x, w, up)),
    )
    for a, b in zip(found, expected, strict=True):
        assert torch.allclose(a.double(), b, rtol=1e-3, atol=1e-5 * float(b.abs().max()))


def test_what_has_no_second_derivative_says_so() -> None:
    x, scale = torch.randn(2, 3, 7).requires_grad_(), torch.ones(3).requires_grad_()
    values, _, _ = _operations.normalise(x, scale, torch.zeros(3), over_rows=False)
    (slope,) = torch.autograd.grad(values.square().sum(), scale, create_graph=True)
    with pytest.raises(NotImplementedError, match="second derivatives by weight and bias"):
        torch.autograd.grad(slope.sum(), x)


def test_statistics() -> None:
    x = torch.randn(3, 2, 7)
    for over_rows, axes in ((True, (0, 2)), (False, 2)):
        _, mean, variance = _operations.normalise(x, torch.ones(2), torch.zeros(2), over_rows=over_rows)
        variance_of, mean_of = torch.var_mean(x, axes, correction=0)
        assert torch.allclose(mean, mean_of.reshape(-1), atol=1e-6)
        assert torch.allclose(variance, variance_of.reshape(-1), atol=1e-6)


def test_lower_precision_and_strided_values_give_the_same() -> None:
    torch.manual_seed(1)
    x, w = torch.randn(3, 15, 4).transpose(1, 2), torch.randn(5, 4, 3)
    of_torch = functional.conv1d(x, w, stride=2)
    assert torch.allclose(_operations.convolve(x, w, 2, 0), of_torch, atol=1e-5)
    with torch.autocast("cpu", torch.bfloat16):
        lower = _operations.convolve(x, w, 2, 0)
        assert lower.dtype == torch.bfloat16
        values, _, _ = _operations.normalise(lower, torch.ones(5), torch.zeros(5), over_rows=True)
    assert torch.allclose(lower.float(), of_torch, atol=0.2)
    expected = plain_normalise(of_torch, torch.ones(5), torch.zeros(5), True)
    assert torch.allclose(values.float(), expected, atol=0.2)


def test_weights_are_left_out_in_this_thread_only() -> None:
    x, w = torch.randn(2, 3, 9).requires_grad_(), torch.randn(4, 3, 3).requires_grad_()
    found = []

    def by_weight() -> None:
        found.append(torch.autograd.grad(_operations.convolve(x, w, 1, 1).sum(), w, allow_unused=True)[0] is not None)

    with _operations.inputs_only():
        by_weight()
        thread = threading.Thread(target=by_weight)
        thread.start()
        thread.join()
    by_weight()
    assert found == [False, True, True]

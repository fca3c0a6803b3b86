"""The five networks that predict noise."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from hapforge.models import _denoisers as d  # noqa: E402 - torch first

POSITIONS, CHANNELS, LABELS = 37, 8, 3
SMALL = {
    "dense": lambda: d.DenseDenoiser(POSITIONS, CHANNELS, LABELS, 16),
    "mlp": lambda: d.MLPDenoiser(POSITIONS, CHANNELS, LABELS, 16),
    "cnn": lambda: d.CNNDenoiser(POSITIONS, CHANNELS, LABELS, 8),
    "mlp+cnn": lambda: d.MixedDenoiser(
        d.MLPDenoiser(POSITIONS, CHANNELS, LABELS, 16), d.CNNDenoiser(POSITIONS, CHANNELS, LABELS, 8)
    ),
    "transformer": lambda: d.TransformerDenoiser(POSITIONS, CHANNELS, LABELS, 12, 2, 4),
}


def test_all_are_here() -> None:
    assert tuple(SMALL) == d.BACKBONES


@pytest.mark.parametrize("name", SMALL)
def test_rows_by_themselves_with_time_and_label(name: str) -> None:
    """A row's noise depends on its x, t and label, on nothing else, and every parameter takes part."""
    torch.manual_seed(1)
    network = SMALL[name]().double()
    x = torch.randn(5, POSITIONS, CHANNELS, dtype=torch.float64)
    t, labels = torch.linspace(0.1, 1, 5, dtype=torch.float64), torch.tensor([0, 1, 2, 3, 0])
    found = network(x, t, labels)
    assert found.shape == x.shape
    assert torch.allclose(network(x[2:3], t[2:3], labels[2:3]), found[2:3])
    assert not torch.allclose(network(x, t / 2, labels), found)
    assert not torch.allclose(network(x, t, (labels + 1) % 4)[3], found[3])
    network(x, t, labels).square().sum().backward()
    still = [key for key, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert [key for key in still if "_time._of_label" not in key] == []


@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer", "dense"])
def test_any_number_of_positions(name: str) -> None:
    for positions in (1, 2, 5, 64, 130):
        of = positions, CHANNELS, 1
        network = {
            "dense": lambda of=of: d.DenseDenoiser(*of, 4),
            "mlp": lambda of=of: d.MLPDenoiser(*of, 4),
            "cnn": lambda of=of: d.CNNDenoiser(*of, 4),
            "transformer": lambda of=of: d.TransformerDenoiser(*of, 6, 1, 32),
        }[name]()
        x = torch.randn(2, positions, CHANNELS)
        assert network(x, torch.ones(2), torch.zeros(2, dtype=torch.int64)).shape == x.shape


def test_the_mix_is_the_sum_of_both_by_lambda() -> None:
    network = SMALL["mlp+cnn"]()
    x, t = torch.randn(2, POSITIONS, CHANNELS), torch.tensor([0.2, 0.9])
    labels = torch.tensor([0, 2])
    share = network.share_of_cnn(t)
    assert ((share > 0) & (share < 1)).all()
    expected = (1 - share)[:, None, None] * network._mlp(x, t, labels) + share[:, None, None] * network._cnn(
        x, t, labels
    )
    assert torch.allclose(network(x, t, labels), expected)
    assert sum(p.numel() for p in network._lambda.parameters()) == 385  # table 5: what MLP + CNN has beside both


def test_parameters_beside_those_of_table_5() -> None:
    """18,432 positions of 8 values, two labels. Inner widths of U-Nets are not all stated."""

    def count(build) -> int:
        with torch.device("meta"):
            return sum(p.numel() for p in build().parameters())

    of = 18_432, 8, 2
    assert count(lambda: d.TransformerDenoiser(*of, 384, 12, 32)) == pytest.approx(135_280_130, rel=1e-3)
    assert count(lambda: d.MLPDenoiser(*of, 1024)) == pytest.approx(310_094_848, rel=0.02)
    assert count(lambda: d.CNNDenoiser(*of, 64)) < 18_556_168

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

from hapforge.models import _fixed_point
from hapforge.models._fixed_point import BITS, LARGEST_WEIGHT

_spec = spec_from_file_location("gibbs_reference", Path(__file__).parents[1] / "reference" / "gibbs.py")
assert _spec is not None
assert _spec.loader is not None
reference = module_from_spec(_spec)
_spec.loader.exec_module(reference)


def test_digits_give_the_matrix_back() -> None:
    edges = [-LARGEST_WEIGHT, -256, -129, -128, -127, -1, 0, 1, 127, 128, 255, 256, LARGEST_WEIGHT]
    matrix = torch.tensor([edges], dtype=torch.int32)
    both = _fixed_point.digits(matrix).to(torch.int32)
    assert torch.equal(both[:, : len(edges)] + 256 * both[:, len(edges) :], matrix)


@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 64, 7), (300, 1001, 33)])
def test_products_are_exact(shape: tuple[int, int, int]) -> None:
    n, a, b = shape
    rng = np.random.default_rng(3)
    units = rng.integers(0, 2, (n, a)).astype(np.int8)
    matrix = rng.integers(-LARGEST_WEIGHT, LARGEST_WEIGHT + 1, (a, b)).astype(np.int32)
    matrix[:, 0] = LARGEST_WEIGHT
    found = _fixed_point.product(torch.from_numpy(units), _fixed_point.digits(torch.from_numpy(matrix)))
    assert np.array_equal(found.numpy(), units.astype(np.int64) @ matrix)


def test_rounding_is_half_to_even_and_held_within_range() -> None:
    values = torch.tensor([0.5, 1.5, -0.5, -2.5, 1e9]) / (1 << BITS)
    assert _fixed_point.quantised(values, LARGEST_WEIGHT).tolist() == [0, 2, 0, -2, LARGEST_WEIGHT]


def test_a_field_that_could_overflow_is_refused() -> None:
    assert 40_000 * 30_000 > 1 << 30
    with pytest.raises(ValueError, match="expected row and column sums"):
        _fixed_point.check_range(torch.full((40_000, 1), 30_000, dtype=torch.int32))
    _fixed_point.check_range(torch.full((40_000, 1), 20_000, dtype=torch.int32))
    with pytest.raises(ValueError, match="fewer than 131072 units"):
        _fixed_point.check_range(torch.zeros((131_072, 1), dtype=torch.int32))


@pytest.mark.parametrize("seed", [0, 2**64 - 1, 0x0123456789ABCDEF])
def test_draws_are_those_of_the_reference(seed: int) -> None:
    """On fields from certain to even, with more units than a group of 32 and an offset of chains."""
    rng = np.random.default_rng(5)
    field = np.concatenate(
        [
            rng.integers(-(6 << BITS), 6 << BITS, (5, 71)),
            rng.integers(-3, 4, (3, 71)),
            rng.integers(-(1 << 28), 1 << 28, (2, 71)),
        ]
    ).astype(np.int32)
    found = _fixed_point.draw(torch.from_numpy(field), seed=seed, step=9, layer=1, first_chain=4)
    assert np.array_equal(found.numpy(), reference.bernoulli_units(field, BITS, seed, 9, 1, 4))
    assert 0 < found.sum() < field.size

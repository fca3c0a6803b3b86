"""A Boltzmann machine in integers: chains, fields, moments, free energies, on the CPU and, in torch, on a device.

Rows of units travel packed: int64 (n, words_per_row) on the machine's device, the bits of `HaplotypeMatrix.words`.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.haplotypes import words_per_row
from hapforge.kernels import GibbsMachine, allele_counts, available_backends, bit_product
from hapforge.models import _fixed_point
from hapforge.models._fixed_point import BITS, LARGEST_BIAS

UNITS = {"bernoulli": 1 << 14, "relu": 1 << 12}  # means of hidden units are counted in units of 1 / this ...
_TABLE_BITS, _TABLE_RANGE = 10, {"bernoulli": 12, "relu": 64}  # ... read at fields rounded to 2**-10 within +-range
RECTIFIED_BITS = 10  # rectified units are multiples of 2**-10, see hapforge.kernels.gibbs
_HIDDEN_LAYER, VISIBLE_LAYER, START_LAYER = 0, 1, 2  # of random words
_DRAWN_AT_ONCE = 1 << 20


class Moments(NamedTuple):
    """Of v_i <h_j | v> (num_visible, num_hidden), of v, of <h | v>: sums over rows, int64, or means, float64."""

    both: Tensor
    visible: Tensor
    hidden: Tensor


class Machine(Protocol):
    """An RBM in integers, ready to compute fields; the same numbers on any device.

    weights int32 (num_visible, num_hidden), visible_bias int32 (num_visible,), hidden_bias int32 (num_hidden,);
    hidden, the kind of the hidden units: "bernoulli" or "relu"; unit, of hidden means in `sums`: 1 / unit.
    """

    weights: Tensor
    visible_bias: Tensor
    hidden_bias: Tensor
    hidden: str
    unit: int

    def hidden_field(self, rows: Tensor) -> Tensor:
        """int32 (n, num_hidden) of packed rows, in units of 2**-BITS."""

    def visible_field(self, hidden: Tensor) -> Tensor:
        """int32 (n, num_visible) of packed rows of binary hidden units, in units of 2**-BITS."""

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
        temperature: float | Tensor = 1.0,
    ) -> Tensor:
        """Packed rows: chains after `steps` steps.

        Parameters
        ----------
        n, first_chain : chains first_chain ... first_chain + n - 1, by whose numbers random words are chosen
        start : packed rows; None: every unit 1 with probability 1/2, by the seed
        clamp : bool (num_visible,) or (n, num_visible), on the CPU; units that keep the value they have in `start`,
            which must be given
        temperature : the last v is drawn given the last h at fields divided by it, rounded to 2**-BITS; one number, or
            float64 (n, 1) on the machine's device, one of every chain
        """

    def draw_hidden(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> Tensor:
        """Packed rows of h, binary: what `step` draws first."""

    def step(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> tuple[Tensor, Tensor]:
        """Packed rows of v and of h, binary: that step of `chains` from these rows, h and then v given h."""

    def sums(self, rows: Tensor) -> Moments:
        """Of packed rows, n <= 65,536; <h | v> counts in units of 1 / unit."""


class HostMachine:
    """A `Machine` on the CPU: hapforge.kernels.gibbs, on one thread (callers share out rows among threads)."""

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor, hidden: str = "bernoulli") -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        self.hidden, self.unit = hidden, UNITS[hidden]
        parts = (part.numpy() for part in (weights, visible_bias, hidden_bias))
        self._gibbs = GibbsMachine(*parts, fixed_point_bits=BITS, hidden=hidden)

    def hidden_field(self, rows: Tensor) -> Tensor:
        return torch.from_numpy(self._hidden_fields(self._bits(rows), len(rows))).T.contiguous()

    def visible_field(self, hidden: Tensor) -> Tensor:
        bits = _backend.transpose(hidden.numpy().view(np.uint64), len(self.hidden_bias), 1)
        return torch.from_numpy(self._gibbs.visible_fields(bits, len(hidden), threads=1)).T.contiguous()

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
        temperature: float | Tensor = 1.0,
    ) -> Tensor:
        bits = None if start is None else self._bits(start)
        held = None if clamp is None else clamp.numpy()
        bits, hidden = self._gibbs.run_bits(
            bits, n, steps=steps, seed=seed, clamp=held, first_chain=first_chain, threads=1
        )
        rows = host_rows(_backend.transpose(bits, n, 1))
        if is_one(temperature) or not steps:
            return rows
        if self.hidden == "relu":
            scaled = torch.from_numpy(hidden).double() * (1 << RECTIFIED_BITS)  # integers: the product is exact
            field = scaled @ self.weights.T.double() / (1 << RECTIFIED_BITS) + self.visible_bias
        else:
            field = torch.from_numpy(self._gibbs.visible_fields(hidden, n, threads=1)).T
        drawn = _drawn_at(field, temperature, seed, steps - 1, first_chain)
        return packed(_held(unpacked(rows, len(self.weights)), drawn, clamp))

    def draw_hidden(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> Tensor:
        return self.step(rows, step, seed, first_chain=first_chain)[1]

    def step(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> tuple[Tensor, Tensor]:
        n = len(rows)
        visible, hidden = self._gibbs.run_bits(
            self._bits(rows), n, steps=1, seed=seed, first_step=step, first_chain=first_chain, threads=1
        )
        return host_rows(_backend.transpose(visible, n, 1)), host_rows(_backend.transpose(hidden, n, 1))

    def sums(self, rows: Tensor) -> Moments:
        bits, num_visible = self._bits(rows), len(self.weights)
        mean = hidden_mean(torch.from_numpy(self._hidden_fields(bits, len(rows))), self.hidden)  # (num_hidden, n)
        visible = torch.from_numpy(np.bitwise_count(bits).sum(1, dtype=np.int64))
        return Moments(self._product(rows, mean, num_visible), visible, mean.sum(1))

    def _product(self, rows: Tensor, mean: Tensor, num_visible: int) -> Tensor:
        words = rows.numpy().view(np.uint64)
        at_once = len(rows)
        if self.hidden == "relu":  # sums are kept below 2**31
            at_once = max(1, ((1 << 31) - 1) // max(1, int(mean.max()))) if mean.numel() else 1
        parts = [
            torch.from_numpy(
                bit_product((words[a : a + at_once], num_visible), mean[:, a : a + at_once].numpy(), threads=1)
            )
            for a in range(0, len(rows), max(1, at_once))
        ]
        return (parts[0] if len(parts) == 1 else torch.stack(parts).sum(0)).T

    def _hidden_fields(self, bits: NDArray[np.uint64], n: int) -> NDArray[np.int32]:
        return self._gibbs.hidden_fields(bits, n, threads=1)

    def _bits(self, rows: Tensor) -> NDArray[np.uint64]:
        """A row of bits a unit."""
        return _backend.transpose(rows.numpy().view(np.uint64), len(self.weights), 1)


class KernelMachine:
    """A `Machine` with binary hidden units on a CUDA device, by the kernels there; rows stay on it."""

    hidden, unit = "bernoulli", UNITS["bernoulli"]

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        parts = (_array(part.contiguous()) for part in (weights, visible_bias, hidden_bias))
        self._gibbs = GibbsMachine(*parts, fixed_point_bits=BITS, backend="cuda")

    def hidden_field(self, rows: Tensor) -> Tensor:
        return self._hidden_field(rows).T

    def visible_field(self, hidden: Tensor) -> Tensor:
        return _tensor(self._gibbs.visible_fields((_words(hidden), len(self.hidden_bias)))).T

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
        temperature: float | Tensor = 1.0,
    ) -> Tensor:
        if start is None:
            words, _ = self._gibbs.start(n, seed=seed, first_chain=first_chain, like=_array(self.visible_bias))
            start = _tensor(words)
        if not steps:
            return start
        rows, hidden = self._run(start, steps, seed, 0, first_chain, clamp)
        if is_one(temperature):
            return rows
        drawn = _drawn_at(self.visible_field(hidden), temperature, seed, steps - 1, first_chain)
        return packed(_held(unpacked(rows, len(self.visible_bias)), drawn, clamp))

    def draw_hidden(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> Tensor:
        return self.step(rows, step, seed, first_chain=first_chain)[1]

    def step(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> tuple[Tensor, Tensor]:
        return self._run(rows, 1, seed, step, first_chain)

    def sums(self, rows: Tensor) -> Moments:
        units = _words(rows), len(self.visible_bias)
        mean = hidden_mean(self._hidden_field(rows), self.hidden)  # (num_hidden, n)
        both = _tensor(bit_product(units, _array(mean), backend="cuda")).T
        return Moments(both, _tensor(allele_counts(units, backend="cuda")), mean.sum(1))

    def _hidden_field(self, rows: Tensor) -> Tensor:
        return _tensor(self._gibbs.hidden_fields((_words(rows), len(self.visible_bias))))

    def _run(
        self, rows: Tensor, steps: int, seed: int, first_step: int, first_chain: int, clamp: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        state = self._gibbs.run(
            (_words(rows), len(self.visible_bias)),
            steps=steps,
            seed=seed,
            clamp=None if clamp is None else clamp.numpy(),
            first_step=first_step,
            first_chain=first_chain,
        )
        return _tensor(state.visible[0]), _tensor(state.hidden[0])


class DeviceMachine:
    """A `Machine` with binary hidden units in torch, for devices without the kernels."""

    hidden, unit = "bernoulli", UNITS["bernoulli"]

    def __init__(self, weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor) -> None:
        self.weights, self.visible_bias, self.hidden_bias = weights, visible_bias, hidden_bias
        _fixed_point.check_range(weights)
        self._to_hidden = _fixed_point.digits(weights)
        self._to_visible = _fixed_point.digits(weights.T)

    def hidden_field(self, rows: Tensor) -> Tensor:
        return self._hidden_field(unpacked(rows, len(self.weights)))

    def visible_field(self, hidden: Tensor) -> Tensor:
        return self._visible_field(unpacked(hidden, len(self.hidden_bias)))

    def chains(
        self,
        n: int,
        steps: int,
        seed: int,
        *,
        first_chain: int = 0,
        start: Tensor | None = None,
        clamp: Tensor | None = None,
        temperature: float | Tensor = 1.0,
    ) -> Tensor:
        if start is None:
            even = torch.zeros((n, len(self.visible_bias)), dtype=torch.int32, device=self.weights.device)
            visible = _fixed_point.draw(even, seed=seed, step=0, layer=START_LAYER, first_chain=first_chain)
        else:
            visible = unpacked(start, len(self.visible_bias))
        for step in range(steps):
            last = step == steps - 1
            drawn, _ = self._step(visible, step, seed, first_chain, temperature if last else 1.0)
            visible = _held(visible, drawn, clamp)
        return packed(visible)

    def draw_hidden(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> Tensor:
        return packed(self._draw_hidden(unpacked(rows, len(self.weights)), step, seed, first_chain))

    def step(self, rows: Tensor, step: int, seed: int, *, first_chain: int = 0) -> tuple[Tensor, Tensor]:
        visible, hidden = self._step(unpacked(rows, len(self.weights)), step, seed, first_chain)
        return packed(visible), packed(hidden)

    def sums(self, rows: Tensor) -> Moments:
        visible = unpacked(rows, len(self.weights))
        probability = hidden_mean(self._hidden_field(visible), self.hidden)  # (n, num_hidden)
        both = _fixed_point.product(visible.T.contiguous(), _fixed_point.digits(probability))
        return Moments(both, visible.sum(0), probability.sum(0))

    def _step(
        self, visible: Tensor, step: int, seed: int, first_chain: int, temperature: float | Tensor = 1.0
    ) -> tuple[Tensor, Tensor]:
        hidden = self._draw_hidden(visible, step, seed, first_chain)
        field = self._visible_field(hidden)
        if not is_one(temperature):
            return _drawn_at(field, temperature, seed, step, first_chain), hidden
        where = {"seed": seed, "step": step, "first_chain": first_chain}
        return _fixed_point.draw(field, layer=VISIBLE_LAYER, **where), hidden

    def _draw_hidden(self, visible: Tensor, step: int, seed: int, first_chain: int) -> Tensor:
        where = {"seed": seed, "step": step, "first_chain": first_chain}
        return _fixed_point.draw(self._hidden_field(visible), layer=_HIDDEN_LAYER, **where)

    def _hidden_field(self, visible: Tensor) -> Tensor:
        return _fixed_point.product(visible, self._to_hidden).add_(self.hidden_bias)

    def _visible_field(self, hidden: Tensor) -> Tensor:
        return _fixed_point.product(hidden, self._to_visible).add_(self.visible_bias)


def machine_of(weights: Tensor, visible_bias: Tensor, hidden_bias: Tensor, hidden: str = "bernoulli") -> Machine:
    """The machine of int32 parameters, on their device; rectified hidden units only on the CPU."""
    if weights.device.type == "cpu":
        return HostMachine(weights, visible_bias, hidden_bias, hidden)
    assert hidden == "bernoulli"
    kind = KernelMachine if "cuda" in available_backends("gibbs") else DeviceMachine
    return kind(weights, visible_bias, hidden_bias)


def _array(tensor: Tensor) -> Any:
    """A tensor as the kernels take it: on the CPU as an array of numpy's."""
    return tensor.numpy() if tensor.device.type == "cpu" else tensor


def _words(rows: Tensor) -> Any:
    """Packed rows as the kernels take them."""
    return _array(rows.contiguous().view(torch.uint64))


def _tensor(found: Any) -> Tensor:
    """What a kernel gave; words as packed rows."""
    tensor: Tensor = torch.from_numpy(found) if isinstance(found, np.ndarray) else found
    return tensor.view(torch.int64) if tensor.dtype == torch.uint64 else tensor


def _held(before: Tensor, drawn: Tensor, clamp: Tensor | None) -> Tensor:
    return drawn if clamp is None else torch.where(clamp.to(drawn.device), before, drawn)


def is_one(temperature: float | Tensor) -> bool:
    """Whether fields are drawn at as they are."""
    return not isinstance(temperature, Tensor) and temperature == 1


def _drawn_at(field: Tensor, temperature: float | Tensor, seed: int, step: int, first_chain: int) -> Tensor:
    """int8 (n, num_visible): visible units of a step at fields divided by the temperature."""
    at_once = max(1, _DRAWN_AT_ONCE // max(1, field.shape[1]))
    parts = []
    for first in range(0, len(field), at_once):
        rows = slice(first, first + at_once)
        at = temperature[rows] if isinstance(temperature, Tensor) else temperature
        where = {"seed": seed, "step": step, "first_chain": first_chain + first}
        parts.append(_fixed_point.draw(cooled(field[rows], at), layer=VISIBLE_LAYER, **where))
    return torch.cat(parts) if parts else torch.empty(field.shape, dtype=torch.int8, device=field.device)


def cooled(field: Tensor, temperature: float | Tensor) -> Tensor:
    """int32: fields divided by a temperature, rounded, and held where nothing is left to chance."""
    if not isinstance(temperature, Tensor):  # CUDA would multiply by the reciprocal of a number
        temperature = torch.full((), temperature, dtype=torch.float64, device=field.device)
    return (field.double() / temperature).round_().clamp_(-LARGEST_BIAS, LARGEST_BIAS).to(torch.int32)


def host_rows(words: NDArray[np.uint64]) -> Tensor:
    """Packed rows on the CPU; a copy where the words are read-only, as those of a cohort are."""
    return torch.from_numpy((words if words.flags.writeable else words.copy()).view(np.int64))


def unpacked(rows: Tensor, num_units: int) -> Tensor:
    """int8 (n, num_units) of packed rows."""
    places = torch.arange(64, device=rows.device)
    return (rows[:, :, None] >> places).bitwise_and_(1).to(torch.int8).flatten(1)[:, :num_units].contiguous()


def packed(units: Tensor) -> Tensor:
    """Packed rows of int8 (n, num_units)."""
    words = words_per_row(units.shape[1])
    whole = torch.nn.functional.pad(units, (0, 64 * words - units.shape[1])).long()
    return (whole.unflatten(1, (words, 64)) << torch.arange(64, device=units.device)).sum(2)


def free_energy(machine: Machine, rows: Tensor) -> Tensor:
    """F(v) = -a.v - sum_j f(b_j + (v W)_j) of packed rows, float64 (n,).

    f(x) is the log of the summed out hidden unit: log(1 + exp(x)); for rectified ones the log of the integral of
    exp(x h - h^2 / 2) over h > 0, x^2 / 2 + log(sqrt(2 pi) Phi(x)).
    """
    x = machine.hidden_field(rows).double() / (1 << BITS)
    if machine.hidden == "relu":
        hidden = (x * x / 2 + torch.special.log_ndtr(x) + math.log(2 * math.pi) / 2).sum(1)
    else:
        hidden = torch.nn.functional.softplus(x).sum(1)
    visible = unpacked(rows, len(machine.visible_bias)).double()  # integers below 2**53: the product is exact
    return -(visible @ machine.visible_bias.double()) / (1 << BITS) - hidden


def hidden_mean(field: Tensor, hidden: str) -> Tensor:
    """int32: <h | v> in units of 1 / UNITS, at fields rounded to 2**-_TABLE_BITS.

    sigmoid(x); for rectified units x + phi(x) / Phi(x), which is x above the table, and held where it ends below.
    """
    nearest = (field + (1 << BITS - _TABLE_BITS - 1)) >> BITS - _TABLE_BITS
    edge = _TABLE_RANGE[hidden] << _TABLE_BITS
    table = _table(hidden, field.device)
    if hidden == "bernoulli":
        return table[nearest.clamp_(-edge, edge) + edge]
    highest = 1 << _TABLE_BITS + RECTIFIED_BITS  # as rectified units are
    above = (nearest.clamp(edge, highest) - edge) * (UNITS["relu"] >> _TABLE_BITS)
    return table[nearest.clamp_(-edge, edge) + edge] + above


_TABLES: dict[tuple[str, str], Tensor] = {}


def _table(hidden: str, device: torch.device) -> Tensor:
    """int32, means at fields -range, -range + 2**-10 ... range; a table, since exp may round by place in the array."""
    key = hidden, str(device)
    if key not in _TABLES:
        edge = _TABLE_RANGE[hidden] << _TABLE_BITS
        x = np.arange(-edge, edge + 1) / (1 << _TABLE_BITS)
        if hidden == "relu":
            log_share = torch.special.log_ndtr(torch.from_numpy(x)).numpy()  # log Phi(x)
            means = x + np.exp(-x * x / 2 - math.log(2 * math.pi) / 2 - log_share)
        else:
            means = 1 / (1 + np.exp(-x))
        _TABLES[key] = torch.from_numpy(np.round(UNITS[hidden] * means).astype(np.int32)).to(device)
    return _TABLES[key]

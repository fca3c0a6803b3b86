"""Machine, learner and partition function against the enumeration of tiny machines."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import hapforge as hf
from hapforge.models import _boltzmann, _machine, _rbm_config, _workers
from hapforge.models._fixed_point import BITS

_spec = spec_from_file_location("boltzmann_reference", Path(__file__).parents[1] / "reference" / "boltzmann.py")
assert _spec is not None
assert _spec.loader is not None
reference = module_from_spec(_spec)
_spec.loader.exec_module(reference)

KINDS = ["bernoulli", "relu"]


@pytest.fixture(scope="module")
def parameters() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    parts = rng.normal(0, 0.7, (6, 4)), rng.normal(0, 0.5, 6), rng.normal(-0.5, 0.5, 4)
    return tuple(np.round(part * (1 << BITS)) / (1 << BITS) for part in parts)  # what rounding leaves alone


def machine_of(parameters: tuple, hidden: str = "bernoulli") -> _machine.Machine:
    parts = [torch.from_numpy(np.round(part * (1 << BITS)).astype(np.int32)) for part in parameters]
    return _machine.machine_of(*parts, hidden)


def model_of(parameters: tuple, hidden: str = "bernoulli", **settings: object) -> hf.models.RBM:
    """A model with these parameters: fitted to something, then given them."""
    weights, a, b = parameters
    H = hf.HaplotypeMatrix.from_dense(np.array([[0] * len(a), [1] * len(a)], np.uint8))
    small = {"num_hidden": len(b), "epochs": 1, "gibbs_steps": 3, "num_chains": 8, **settings}
    model = hf.models.RBM(hidden=hidden, **small).fit(H)
    scaled = [np.round(part * (1 << BITS)) for part in (weights, a, b)]
    model._weights, model._visible_bias, model._hidden_bias = (
        part.astype(dtype) for part, dtype in zip(scaled, (np.int16, np.int32, np.int32), strict=True)
    )
    return model


def seen(rows: torch.Tensor, num_units: int) -> np.ndarray:
    return np.bincount(_machine.unpacked(rows, num_units).numpy() @ (1 << np.arange(num_units)[::-1]), minlength=64)


def chi_square(found: np.ndarray, p: np.ndarray) -> float:
    expected = found.sum() * p
    return float(((found - expected) ** 2 / expected).sum())


@pytest.mark.parametrize("n", [1, 63, 64, 65, 130])
def test_packing_is_that_of_a_cohort(n: int) -> None:
    dense = np.random.default_rng(n).integers(0, 2, (5, n), dtype=np.uint8)
    rows = _machine.packed(torch.from_numpy(dense.view(np.int8)))
    assert np.array_equal(rows.numpy().view(np.uint64), hf.HaplotypeMatrix.from_dense(dense).words)
    assert np.array_equal(_machine.unpacked(rows, n).numpy(), dense)


@pytest.mark.parametrize("hidden", KINDS)
def test_hidden_means(hidden: str) -> None:
    """Fields are rounded to 2^-10, whose slope is at most 1, and means to 2^-12 or finer."""
    x = np.array([-200, -63.9, -8, -1.5, -0.001, 0, 0.3, 4, 30, 63.999, 64.001, 100.25])
    field = torch.from_numpy(np.round(x * (1 << BITS)).astype(np.int32))
    found = _machine.hidden_mean(field, hidden).numpy() / _machine.UNITS[hidden]
    expected = np.array([reference.hidden_mean(max(at, -64), hidden) for at in x])
    assert np.abs(found - expected).max() < 2**-11 + 2**-13


@pytest.mark.parametrize("hidden", KINDS)
def test_free_energy_and_moments(parameters: tuple, hidden: str) -> None:
    weights, a, b = parameters
    v = reference.states(6)
    rows = _machine.packed(torch.from_numpy(v.astype(np.int8)))
    machine = machine_of(parameters, hidden)
    assert np.allclose(-_machine.free_energy(machine, rows), reference.log_weights(weights, a, b, hidden), atol=1e-9)
    mean = np.vectorize(lambda x: reference.hidden_mean(x, hidden))(v @ weights + b)
    sums = machine.sums(rows)
    found = _boltzmann.mean([sums], 64, machine.unit)
    assert np.abs(found.both.numpy() - v.T @ mean / 64).max() < 2**-10
    assert np.array_equal(found.visible.numpy(), v.mean(0))
    assert np.abs(found.hidden.numpy() - mean.mean(0)).max() < 2**-10
    split = _boltzmann.mean([machine.sums(rows[:10]), machine.sums(rows[10:])], 64, machine.unit)
    assert all(torch.equal(x, y) for x, y in zip(found, split, strict=True))


def test_sums_of_large_rectified_means_do_not_overflow() -> None:
    """Means of 500 in 5,000 rows: 5,000 x 500 x 2^12 is five times 2^31."""
    machine = machine_of((np.zeros((2, 1)), np.zeros(2), np.array([500.0])), "relu")
    rows = torch.ones((5000, 1), dtype=torch.int64)
    sums = machine.sums(rows)
    assert sums.both[:, 0].tolist() == [5000 * 500 << 12, 0]
    assert sums.hidden.tolist() == [5000 * 500 << 12]


@pytest.mark.parametrize("hidden", KINDS)
def test_many_steps_reach_equilibrium(parameters: tuple, hidden: str) -> None:
    log_p = reference.log_weights(*parameters, hidden)
    machine = machine_of(parameters, hidden)
    p, limit = np.exp(log_p - reference.log_partition(*parameters, hidden)), chi2.isf(1e-4, 63)
    assert chi_square(seen(machine.chains(60_000, 40, 3), 6), p) < limit
    assert chi_square(seen(machine.chains(60_000, 1, 3), 6), p) > limit


@pytest.mark.parametrize("temperature", [0.6, 1.0, 1.5])
def test_temperature_is_that_of_the_last_draw(parameters: tuple, temperature: float) -> None:
    machine, limit = machine_of(parameters), chi2.isf(1e-4, 63)
    found = seen(machine.chains(60_000, 2, 5, temperature=temperature), 6)
    assert chi_square(found, reference.last_draw(*parameters, 2, temperature)) < limit
    assert chi_square(found, reference.last_draw(*parameters, 2, temperature * 1.1)) > limit


def test_temperature_on_a_device_and_of_rectified_units(device_machine: Any) -> None:
    """The same bits from the kernel's fields and torch's; at temperature 1, those of the kernel's own draw."""
    rng = np.random.default_rng(1)
    parts = [
        np.round(rng.normal(0, s, n) * (1 << BITS)).astype(np.int32) for s, n in ((0.5, (70, 45)), (1, 70), (1, 45))
    ]
    tensors = [torch.from_numpy(part) for part in parts]
    host, device = _machine.HostMachine(*tensors), device_machine(*tensors)
    start = host.chains(90, 1, 4)
    held = torch.from_numpy(rng.random((90, 70)) < 0.5)
    for more in ({}, {"start": start}, {"start": start, "clamp": held}):
        arguments = {"first_chain": 7, "temperature": 0.7, **more}
        found = host.chains(90, 3, 9, **arguments)
        assert torch.equal(found, device.chains(90, 3, 9, **arguments))
        assert not torch.equal(found, host.chains(90, 3, 9, **(arguments | {"temperature": 1.0})))
    rectified = _machine.HostMachine(*tensors, "relu")
    almost = rectified.chains(90, 3, 9, temperature=1 + 1e-12)
    assert torch.equal(almost, rectified.chains(90, 3, 9))


@pytest.mark.parametrize("hidden", KINDS)
def test_log_partition(parameters: tuple, hidden: str) -> None:
    """Within 4 standard errors of the enumeration; too few temperatures have an error that is larger."""
    exact = reference.log_partition(*parameters, hidden)
    model = model_of(parameters, hidden)
    found = model.log_partition(num_chains=400, temperatures=100, seed=2)
    assert abs(found.value - exact) < 4 * found.standard_error < 0.2
    assert model.log_partition(num_chains=400, temperatures=2, seed=2).standard_error > found.standard_error
    H = hf.HaplotypeMatrix.from_dense(reference.states(6).astype(np.uint8), positions=model.sites.position)
    expected = reference.log_weights(*parameters, hidden) - found.value
    assert np.allclose(model.log_likelihood(H, partition=found), expected, atol=1e-9)


def test_errors_of_the_log_partition_are_standard(parameters: tuple) -> None:
    exact, model = reference.log_partition(*parameters, "bernoulli"), model_of(parameters)
    found = [model.log_partition(num_chains=100, temperatures=20, seed=seed) for seed in range(40)]
    z = np.array([(one.value - exact) / one.standard_error for one in found])
    assert 0.5 < (z**2).mean() < 1.8  # 40 squared normals: 1 +- 0.22
    assert len({one.value for one in found}) == 40


def learner(H: hf.HaplotypeMatrix, workers: _workers.Workers, **settings: object) -> _boltzmann.BoltzmannLearner:
    config = _rbm_config.RBMConfig(**{"num_hidden": 4, "num_chains": 2000, "site_scaling": 0.0, **settings})
    return _boltzmann.BoltzmannLearner(H, config, 1, workers)


def some_rows() -> np.ndarray:
    return np.random.default_rng(4).integers(0, 2, (64, 6), dtype=np.uint8)


def numerical_slopes(dense: np.ndarray, parameters: tuple, hidden: str) -> list[np.ndarray]:
    """Central differences of the mean log likelihood of `dense` by every parameter."""
    index, step = dense @ (1 << np.arange(6)[::-1]), 1e-5

    def likelihood(parts: list[np.ndarray]) -> float:
        log_p = reference.log_weights(*parts, hidden)
        return float((log_p - np.logaddexp.reduce(log_p))[index].mean())

    slopes = []
    for which in range(3):
        slope = np.zeros(parameters[which].shape)
        for at in np.ndindex(slope.shape):
            ends = []
            for sign in (1, -1):
                moved = [part.copy() for part in parameters]
                moved[which][at] += sign * step
                ends.append(likelihood(moved))
            slope[at] = (ends[0] - ends[1]) / (2 * step)
        slopes.append(slope)
    return slopes


@pytest.fixture(scope="module")
def slopes() -> dict[str, list[np.ndarray]]:
    """Numerical slopes by kind of hidden unit, each found once."""
    return {}


@pytest.mark.parametrize("hidden", KINDS)
@pytest.mark.parametrize("gradient", ["plain", "centred"])
def test_an_update_follows_the_likelihood(
    parameters: tuple, slopes: dict[str, list[np.ndarray]], hidden: str, gradient: str
) -> None:
    """The change of the plain gradient is that of finite differences; the centred one is an ascent, too."""
    dense = some_rows()
    expected = slopes[hidden] = slopes.get(hidden) or numerical_slopes(dense, parameters, hidden)
    with _workers.Workers(torch.device("cpu")) as workers:
        chosen = {"hidden": hidden, "gradient": gradient, "training": "pcd", "num_chains": 40_000}
        at = learner(hf.HaplotypeMatrix.from_dense(dense), workers, **chosen)
        names = ("weights", "visible_bias", "hidden_bias")
        for name, part in zip(names, parameters, strict=True):
            setattr(at, name, torch.from_numpy(part.astype(np.float32)))
        before = [getattr(at, name).clone() for name in names]
        at.update(at._data, 60, 1.0, 5)
        changes = [(getattr(at, name) - old).numpy() for name, old in zip(names, before, strict=True)]
    if gradient == "plain":
        # 40,000 chains: v h varies by at most about 1, three units of 1 / 200 and the tables' rounding
        for change, slope in zip(changes, expected, strict=True):
            assert np.abs(change - slope).max() < 0.02
    else:
        assert sum((change * slope).sum() for change, slope in zip(changes, expected, strict=True)) > 0.01
    assert max(np.abs(slope).max() for slope in expected) > 0.05


def test_where_chains_start(cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []
    chains = _machine.HostMachine.chains

    def recorded(self: _machine.HostMachine, n: int, *arguments: int, **more: object) -> torch.Tensor:
        starts.append(more.get("start"))
        ended = chains(self, n, *arguments, **more)
        recorded_ends.append(ended)
        return ended

    recorded_ends: list[torch.Tensor] = []
    with _workers.Workers(torch.device("cpu")) as workers:
        workers.count = 1
        for training in ("rdm", "cd", "pcd"):
            at = learner(cohort, workers, training=training, num_chains=30, gibbs_steps=2)
            first = at.chains.clone() if training == "pcd" else None
            starts.clear()
            recorded_ends.clear()
            with monkeypatch.context() as patch:
                patch.setattr(_machine.HostMachine, "chains", recorded)
                at.update(at._data[:50], 2, 0.1, 3)
                at.update(at._data[50:90], 2, 0.1, 4)
            if training == "rdm":
                assert starts == [None, None]
                assert [len(rows) for rows in recorded_ends] == [30, 30]
            elif training == "cd":
                assert torch.equal(starts[0], at._data[:50])
                assert torch.equal(starts[1], at._data[50:90])
            else:
                assert torch.equal(starts[0], first)
                assert torch.equal(starts[1], recorded_ends[0])
                assert torch.equal(at.chains, recorded_ends[1])
                assert 0.4 < _machine.unpacked(first, cohort.num_sites).double().mean() < 0.6


def test_the_spectrum_is_followed_and_slows_training(cohort: hf.HaplotypeMatrix) -> None:
    lines: dict[float, list[dict]] = {0.0: [], 0.05: []}
    models = {}
    for limit, seen_lines in lines.items():
        settings = {"num_hidden": 24, "gibbs_steps": 5, "epochs": 60, "batch_size": 100, "num_chains": 50}
        model = hf.models.RBM(**settings, learning_rate=0.3, spectrum_growth=limit)
        models[limit] = model.fit(cohort, seed=3, callback=lambda state, to=seen_lines: to.append(state.metrics))
    for limit, seen_lines in lines.items():
        exact = np.linalg.svd(models[limit].weights, compute_uv=False)[:5]
        found = [seen_lines[-1][f"singular_value_{i}"] for i in range(5)]
        assert np.allclose(found[0], exact[0], rtol=0.01)
        assert found == sorted(found, reverse=True)
    values = {limit: np.array([line["singular_value_0"] for line in seen_lines]) for limit, seen_lines in lines.items()}
    factors = [line["rate_factor"] for line in lines[0.05]]
    grown = np.diff(values[0.05])
    for epoch in range(1, 60):
        assert factors[epoch] == factors[epoch - 1] / (2 if grown[epoch - 1] > 0.05 else 1)
    assert factors[-1] < 1
    assert values[0.05][-1] < values[0.0][-1]
    assert "rate_factor" not in lines[0.0][0]


def test_weight_decay_shrinks(cohort: hf.HaplotypeMatrix) -> None:
    with _workers.Workers(torch.device("cpu")) as workers:
        parts = {}
        for decay in (0.0, 0.25):
            at = learner(cohort, workers, weight_decay=decay)
            before = at.weights.clone()
            at.update(at._data[:100], 1, 0.1, 1)
            parts[decay] = at.weights
        expected = parts[0.0] - 0.1 * 0.25 * before
        assert torch.allclose(parts[0.25], expected, atol=1e-7)
        assert not torch.equal(parts[0.25], parts[0.0])

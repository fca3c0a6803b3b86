from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import hapforge as hf
from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.models import _boltzmann, _machine, _workers, rbm
from hapforge.models._fixed_point import BITS

TINY = {
    **{"num_hidden": 24, "gibbs_steps": 5, "epochs": 6, "batch_size": 100, "num_chains": 50},
    **{"learning_rate": 0.1, "temperature": 1.0},
}


def fit(cohort: hf.HaplotypeMatrix, seed: int = 3, **more: object) -> rbm.RBM:
    fields = set(rbm.RBMConfig.__dataclass_fields__)
    settings = {**TINY, **{key: more.pop(key) for key in list(more) if key in fields}}
    return hf.models.RBM(**settings).fit(cohort, seed=seed, **more)


def parameters(model: rbm.RBM) -> list[np.ndarray]:
    return [model.weights, model.visible_bias, model.hidden_bias]


def machine_of(weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> _machine.Machine:
    parts = [np.round(np.asarray(x) * (1 << BITS)).astype(np.int32) for x in (weights, a, b)]
    return _machine.machine_of(*map(torch.from_numpy, parts))


def states(n: int) -> np.ndarray:
    return np.array(list(product([0, 1], repeat=n)), np.int8)


def exact(weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """P(v) at equilibrium for all v, hidden units summed out."""
    v = states(len(a)).astype(float)
    log_p = v @ a + np.logaddexp(0, v @ weights + b).sum(1)
    p = np.exp(log_p - log_p.max())
    return p / p.sum()


@pytest.fixture(scope="module")
def tiny_machine() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(8)
    grid = 1 << BITS  # parameters that rounding leaves alone
    return tuple(
        np.round(x * grid) / grid for x in (rng.normal(0, 0.8, (6, 4)), rng.normal(0, 0.5, 6), rng.normal(0, 0.5, 4))
    )


def chi_square(machine: _machine.Machine, expected: np.ndarray, steps: int, n: int) -> float:
    drawn = _machine.unpacked(machine.chains(n, steps, seed=5), 6).numpy()
    seen = np.bincount(drawn @ (1 << np.arange(6)[::-1]), minlength=64)
    return float(((seen - n * expected) ** 2 / (n * expected)).sum())


def one_step(weights: np.ndarray, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Transition matrix of one step on all v: sum over h of P(v' | h) P(h | v)."""

    def conditional(field: np.ndarray, outcome: np.ndarray) -> np.ndarray:
        p = 1 / (1 + np.exp(-field))
        return np.prod(np.where(outcome[None].astype(bool), p[:, None], 1 - p[:, None]), axis=2)

    v, h = states(6), states(4)
    return conditional(v @ weights + b, h) @ conditional(h @ weights.T + a, v)


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_chains_follow_the_exact_distribution_after_k_steps(tiny_machine: tuple, steps: int) -> None:
    """From the uniform start; the distribution after one step more or less must be told apart."""
    machine = machine_of(*tiny_machine)
    transition = one_step(*tiny_machine)

    def after(k: int) -> np.ndarray:
        return np.full(64, 1 / 64) @ np.linalg.matrix_power(transition, k)

    limit = chi2.isf(1e-4, 63)
    assert chi_square(machine, after(steps), steps, 60_000) < limit
    assert chi_square(machine, after(steps + 1), steps, 60_000) > limit


def test_a_device_computes_what_the_kernel_does(device_machine: Any) -> None:
    """Draws, fields and moments of code for devices against those of hapforge.kernels.gibbs on the CPU."""

    def there(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.cuda() if torch.cuda.is_available() else tensor

    rng = np.random.default_rng(1)
    parts = [rng.normal(0, s, n).astype(np.float32) for s, n in ((0.5, (70, 45)), (1, 70), (1, 45))]
    parts = [torch.from_numpy(np.round(part * (1 << BITS)).astype(np.int32)) for part in parts]
    host, device = _machine.machine_of(*parts), device_machine(*map(there, parts))
    assert isinstance(host, _machine.HostMachine)
    visible = host.chains(150, 3, seed=7, first_chain=20)
    start = there(visible)
    assert torch.equal(device.chains(150, 3, seed=7, first_chain=20).cpu(), visible)
    held = torch.from_numpy(rng.random(70) < 0.5)
    for more in ({}, {"clamp": held}, {"clamp": held, "temperature": 0.88}):
        again = host.chains(150, 2, seed=8, first_chain=5, start=visible, **more)
        assert torch.equal(device.chains(150, 2, seed=8, first_chain=5, start=start, **more).cpu(), again)
        moved = _machine.unpacked(again ^ visible, 70).bool()
        assert moved[:, held].any() == ("clamp" not in more)
        assert moved[:, ~held].any()
    assert torch.equal(device.hidden_field(start).cpu(), host.hidden_field(visible))
    drawn = device.step(start, 3, 9, first_chain=2)
    for found, expected in zip(drawn, host.step(visible, 3, 9, first_chain=2), strict=True):
        assert torch.equal(found.cpu(), expected)
    assert torch.equal(device.chains(150, 0, seed=3).cpu(), host.chains(150, 0, seed=3))
    for found, expected in zip(host.sums(visible), device.sums(start), strict=True):
        assert torch.equal(found.long(), expected.cpu().long())
    field = torch.arange(-(1 << 17), 1 << 17, dtype=torch.int32)
    for temperature in (0.88, 0.96, 1.04):
        cooled = _machine.cooled(there(field), temperature).cpu()
        assert torch.equal(cooled, torch.from_numpy(np.rint(field.numpy() / temperature).astype(np.int32)))


@pytest.mark.slow
def test_many_steps_reach_equilibrium(tiny_machine: tuple) -> None:
    """Chi-square against the enumerated Boltzmann distribution on 2 million chains; 8 steps are not enough."""
    machine = machine_of(*tiny_machine)
    limit = chi2.isf(1e-4, 63)
    assert chi_square(machine, exact(*tiny_machine), 60, 2_000_000) < limit
    assert chi_square(machine, exact(*tiny_machine), 2, 2_000_000) > limit


def test_gradient_is_that_of_the_exact_likelihood(tiny_machine: tuple) -> None:
    """Moments of data minus enumerated moments of the model, against central differences of the mean log likelihood."""
    weights, a, b = tiny_machine
    rng = np.random.default_rng(2)
    data = rng.integers(0, 2, (40, 6)).astype(np.int8)
    index = data @ (1 << np.arange(6)[::-1])

    def likelihood(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
        return float(np.log(exact(w, x, y)[index]).mean())

    def differences(which: int) -> np.ndarray:
        step, parts = 1e-5, [weights, a, b]
        slope = np.zeros(parts[which].shape)
        for at in np.ndindex(slope.shape):
            up, down = [p.copy() for p in parts], [p.copy() for p in parts]
            up[which][at] += step
            down[which][at] -= step
            slope[at] = (likelihood(*up) - likelihood(*down)) / (2 * step)
        return slope

    p = exact(weights, a, b)
    v = states(6).astype(float)
    hidden = 1 / (1 + np.exp(-(v @ weights + b)))
    model = _machine.Moments(*(torch.from_numpy(x) for x in ((v * p[:, None]).T @ hidden, p @ v, p @ hidden)))
    found_data = _boltzmann.mean(
        [machine_of(*tiny_machine).sums(_machine.packed(torch.from_numpy(data)))], len(data), 1 << 14
    )
    none_v, none_h = torch.zeros(6, dtype=torch.float64), torch.zeros(4, dtype=torch.float64)
    gradient = _boltzmann.centred_gradient(found_data, model, none_v, none_h)
    # hidden probabilities are read from a table with steps of 2^-10: an error of at most 2^-11 / 4 = 1.2e-4
    for found, which in zip(gradient, range(3), strict=True):
        assert np.abs(found.numpy() - differences(which)).max() < 2e-4


def test_centred_gradient_is_the_plain_one_of_the_shifted_machine() -> None:
    """dE/dW in centred units, moved back to plain biases, by the definition on single rows."""
    rng = np.random.default_rng(6)
    mv, mh = rng.random(5), rng.random(3)
    v, h = rng.integers(0, 2, (2, 50, 5)).astype(float), rng.random((2, 50, 3))
    moments = [
        _machine.Moments(*map(torch.from_numpy, (v[i].T @ h[i] / 50, v[i].mean(0), h[i].mean(0)))) for i in (0, 1)
    ]
    both = ((v[0] - mv).T @ (h[0] - mh) - (v[1] - mv).T @ (h[1] - mh)) / 50
    found = _boltzmann.centred_gradient(*moments, torch.from_numpy(mv), torch.from_numpy(mh))
    # the centres act in units of 2^-16
    assert np.allclose(found.both, both, atol=1e-12)
    assert np.allclose(found.visible, v[0].mean(0) - v[1].mean(0) - both @ mh, atol=1e-4)
    assert np.allclose(found.hidden, h[0].mean(0) - h[1].mean(0) - mv @ both, atol=1e-4)


def test_free_energy_is_the_log_of_the_summed_out_weight(cohort: hf.HaplotypeMatrix) -> None:
    model = fit(cohort)
    v = cohort.to_dense().astype(float)
    expected = -v @ model.visible_bias - np.logaddexp(0, v @ model.weights + model.hidden_bias).sum(1)
    assert np.allclose(model.free_energy(cohort), expected, rtol=1e-12)


def test_it_learns_a_handful_of_haplotypes() -> None:
    """Overfit on purpose: 4 haplotypes of 20 sites, drawn back with few errors and in their proportions."""
    rng = np.random.default_rng(0)
    kinds = rng.integers(0, 2, (4, 20), dtype=np.uint8)
    data = kinds[np.repeat([0, 1, 2, 3], [40, 30, 20, 10])]
    model = hf.models.RBM(num_hidden=12, gibbs_steps=10, epochs=1500, batch_size=100, num_chains=100, learning_rate=0.3)
    drawn = model.fit(hf.HaplotypeMatrix.from_dense(data), seed=1).sample(1000, seed=2).to_dense()
    distance = (drawn[:, None] != kinds[None]).sum(2)
    assert distance.min(1).mean() < 0.5
    shares = np.bincount(distance.argmin(1), minlength=4) / 1000
    assert np.abs(shares - [0.4, 0.3, 0.2, 0.1]).max() < 0.08


KINDS = [
    {},
    {"training": "pcd", "spectrum_growth": 0.01},
    {"training": "cd", "gradient": "plain", "weight_decay": 0.01},
    {"hidden": "relu", "learning_rate": 0.01},
    {"hidden": "relu", "training": "pcd", "learning_rate": 0.01, "temperature": 0.8},
]


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("threads", [2, 3])
def test_threads_do_not_change_weights_or_draws(
    cohort: hf.HaplotypeMatrix,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    threads: int,
    settings: dict[str, object],
) -> None:
    files = []
    for count in (1, threads):
        monkeypatch.setattr(_backend, "get_threads", lambda given=None, count=count: given or count)
        model = fit(cohort, **settings)
        model.save(tmp_path / str(count))
        files.append((tmp_path / str(count) / "weights.safetensors").read_bytes())
        files.append(model.sample(333, seed=9).words.tobytes())
    assert files[:2] == files[2:]


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("settings", KINDS)
@pytest.mark.parametrize("epoch", [1, 4])
def test_resumed_training_ends_where_the_uninterrupted_ends(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, epoch: int, settings: dict[str, object]
) -> None:
    """Stopped by an exception (as Ctrl-C is one) in an epoch without a checkpoint."""

    def stop(state: object) -> None:
        if state.epoch == epoch:
            raise Interrupt

    run = tmp_path / "run"
    with pytest.raises(Interrupt):
        fit(cohort, run=run, checkpoint_every=3, callback=stop, **settings)
    assert not (run / "model.json").exists()
    with pytest.raises(FormatError, match="a run that has not ended"):
        hf.models.load(run)
    whole, resumed = fit(cohort, **settings), fit(cohort, run=run, checkpoint_every=3, resume=True, **settings)
    for a, b in zip(parameters(whole), parameters(resumed), strict=True):
        assert np.array_equal(a, b)
    assert hf.models.load(run).sample(20, seed=1).sha256() == whole.sample(20, seed=1).sha256()
    log = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2, 3, 4, 5, 6]
    assert sorted(p.name for p in run.iterdir()) == ["model.json", "run.json", "train.jsonl", "weights.safetensors"]


def test_resuming_something_else_is_refused(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    run = tmp_path / "run"

    def stop(state: object) -> None:
        raise Interrupt

    with pytest.raises(Interrupt):
        fit(cohort, run=run, callback=stop)
    with pytest.raises(ValueError, match="the same num_hidden, 24, found 25"):
        fit(cohort, run=run, resume=True, num_hidden=25)
    with pytest.raises(ValueError, match="the same seed, 3, found 4"):
        fit(cohort, run=run, resume=True, seed=4)
    with pytest.raises(ValueError, match="the same data_sha256"):
        fit(cohort.select_haplotypes(np.arange(100)), run=run, resume=True)
    with pytest.raises(ValueError, match="expected a new or empty folder"):
        fit(cohort, run=run)
    with pytest.raises(FormatError, match="expected a run folder"):
        fit(cohort, run=tmp_path, resume=True)
    fit(cohort, run=run, resume=True)
    with pytest.raises(ValueError, match="found one that has ended"):
        fit(cohort, run=run, resume=True)


def test_callback_sees_every_epoch_and_can_stop(cohort: hf.HaplotypeMatrix) -> None:
    seen = []

    def callback(state: object) -> bool:
        seen.append((state.epoch, state.num_epochs, state.model.sample(4).shape, state.metrics["frequency_gap"] >= 0))
        return state.epoch == 2

    model = fit(cohort, callback=callback)
    assert seen == [(1, 6, (4, 120), True), (2, 6, (4, 120), True)]
    assert model.training["epochs_done"] == 2


def test_validation_is_only_looked_at(cohort: hf.HaplotypeMatrix) -> None:
    train, held = cohort.split(0.2, 1)
    metrics = []
    model = fit(train, validation=held, callback=lambda state: metrics.append(state.metrics))
    assert np.isclose(metrics[-1]["free_energy_validation"], model.free_energy(held).mean())
    for a, b in zip(parameters(model), parameters(fit(train)), strict=True):
        assert np.array_equal(a, b)


def test_seeds_matter(cohort: hf.HaplotypeMatrix) -> None:
    model = fit(cohort)
    assert not np.array_equal(model.weights, fit(cohort, seed=4).weights)
    assert model.sample(20, seed=0).sha256() != model.sample(20, seed=1).sha256()
    assert np.array_equal(model.sample(5, seed=2).words, model.sample(20, seed=2).words[:5])


def test_first_biases_are_the_frequencies(cohort: hf.HaplotypeMatrix) -> None:
    with _workers.Workers(torch.device("cpu")) as workers:
        learner = _boltzmann.BoltzmannLearner(cohort, rbm.RBMConfig(), 0, workers)
    assert np.allclose(1 / (1 + np.exp(-learner.visible_bias.numpy())), cohort.to_dense().mean(0), atol=1e-6)


def test_learning_rate_schedule() -> None:
    config = rbm.RBMConfig(learning_rate=2.0, warmup=0.2, hold=0.5, final_rate=0.01)
    rates = [_boltzmann.learning_rate(config, x) for x in (0, 0.1, 0.2, 0.5, 0.75, 1)]
    assert rates == pytest.approx([0.2, 1.1, 2, 2, 0.2, 0.02])
    assert _boltzmann.learning_rate(rbm.RBMConfig(learning_rate=2.0, warmup=0, hold=1, final_rate=0.01), 1) == 2


def test_early_chains_are_short(cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 rows in batches of 100, 6 epochs: 24 updates, half of them early."""
    steps = []
    chains = _machine.HostMachine.chains

    def recorded(
        self: _machine.HostMachine, n: int, k: int, seed: int, *, first_chain: int = 0, **more: object
    ) -> torch.Tensor:
        if first_chain == 0:
            steps.append(k)
        return chains(self, n, k, seed, first_chain=first_chain, **more)

    monkeypatch.setattr(_machine.HostMachine, "chains", recorded)
    model = fit(cohort, gibbs_steps=5, early_gibbs_steps=2, early_share=0.5)
    assert steps == [2] * 12 + [5] * 12
    steps.clear()
    model.sample(3)
    assert steps == [5]
    steps.clear()
    fit(cohort, gibbs_steps=5, early_gibbs_steps=2)
    assert steps == [5] * 24


@pytest.mark.parametrize("name", sorted(rbm.RBM.PRESETS))
def test_presets(name: str) -> None:
    assert hf.models.RBM(preset=name, epochs=1).config.epochs == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_hidden": -1}, "num_hidden: expected 1 or more"),
        ({"initial_scale": 1e300}, "initial_scale: expected at most 1"),
        ({"learning_rate": -1.0}, "learning_rate: expected a positive number"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a positive number"),
        ({"hold": 1.5}, "hold: expected 0 to 1"),
        ({"early_share": 1.0}, "early_share: expected 0 or more and below 1"),
        ({"early_gibbs_steps": 0}, "early_gibbs_steps: expected 1 or more"),
        ({"num_chains": 65_537}, "num_chains: expected at most 65536"),
        ({"preset": "none"}, "preset: expected one of rbm_2021_805"),
        ({"hidden": "gaussian"}, "hidden: expected one of bernoulli, relu, found 'gaussian'"),
        ({"training": "rdm-10"}, "training: expected one of rdm, pcd, cd, found 'rdm-10'"),
        ({"gradient": "central"}, "gradient: expected one of centred, plain, found 'central'"),
        ({"weight_decay": -1.0}, "weight_decay: expected 0 or more, found -1.0"),
        ({"spectrum_growth": float("nan")}, "spectrum_growth: expected 0 or more, found nan"),
        ({"sample_steps": -1}, "sample_steps: expected 0 or more, found -1"),
        ({"temperature": 0.001}, "temperature: expected 0.01 to 100.0, found 0.001"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hf.models.RBM(**settings)


def test_bad_arguments(cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="validation: expected 120 sites"):
        fit(cohort, validation=cohort.select_sites(np.arange(5)))
    with pytest.raises(ValueError, match="resume: expected a run folder"):
        fit(cohort, resume=True)
    with pytest.raises(ValueError, match="device: expected 'auto', 'cpu' or 'cuda', found 'tpu'"):
        fit(cohort, device="tpu")
    with pytest.raises(ValueError, match="checkpoint_every: expected 1 or more"):
        fit(cohort, checkpoint_every=0)


def test_where_draws_start(cohort: hf.HaplotypeMatrix) -> None:
    """With strong weights a step hardly moves a chain: draws stay near the rows that they started from."""
    model = fit(cohort, training="pcd", sample_steps=1)
    chains = hf.HaplotypeMatrix(model._persistent, cohort.sites)
    assert chains.shape == (50, 120)
    rows = cohort.select_haplotypes(np.arange(7))
    model._weights[:], model._visible_bias[:] = 0, 0
    model._weights[np.arange(24), np.arange(24)] = 7 << BITS  # unit j copies site j
    model._visible_bias[:24], model._hidden_bias[:] = -3.5 * (1 << BITS), -3.5 * (1 << BITS)
    assert model.sample(70, seed=4).sha256() == model.sample(70, seed=4, start="chains", steps=1).sha256()
    assert model.sample(70, seed=4).sha256() != model.sample(70, seed=4, start="random").sha256()
    assert model.sample(70, seed=4).sha256() != model.sample(70, seed=4, steps=2).sha256()
    assert np.array_equal(model.sample(70, seed=4).words[:20], model.sample(20, seed=4).words)
    drawn = model.sample(70, seed=4, start=rows).to_dense()[:, :24]
    begun = rows.to_dense()[:, :24]
    nearest = (drawn[:, None] != begun).sum(2)
    kinds = len(np.unique(begun, axis=0))
    assert nearest.min(1).mean() < 2.5  # two draws of 24 units, each wrong with probability 0.03
    assert len(np.unique(nearest.argmin(1))) == kinds > 1
    again = nearest.argmin(1).reshape(10, 7)  # rows come round in one order
    assert (again == again[0]).mean() > 0.9


def test_bad_draws(cohort: hf.HaplotypeMatrix) -> None:
    model = fit(cohort)
    for arguments, message in (
        ({"start": "chains"}, "start: expected a machine trained by 'pcd' for 'chains', found no persistent chains"),
        ({"start": "training"}, "start: expected 'random', 'chains' or a cohort, found 'training'"),
        ({"start": cohort.select_sites(np.arange(9))}, "start: expected rows of 120 sites, found 400 of 9"),
        ({"start": cohort.select_haplotypes([])}, "start: expected rows of 120 sites, found 0 of 120"),
        ({"steps": 0}, "steps: expected 1 or more, found 0"),
        ({"temperature": 0.0}, "temperature: expected 0.01 to 100.0, found 0.0"),
        ({"labels": "AFR"}, "labels: expected None"),
    ):
        with pytest.raises(ValueError, match=message):
            model.sample(3, **arguments)


def test_temperature_of_the_config_is_that_of_draws(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    model = fit(cohort, temperature=0.5)
    assert all(np.array_equal(a, b) for a, b in zip(parameters(model), parameters(fit(cohort)), strict=True))
    cold, plain = model.sample(200, seed=1), model.sample(200, seed=1, temperature=1.0)
    assert plain.sha256() == fit(cohort).sample(200, seed=1).sha256() != cold.sha256()
    entropy = [(f * (1 - f)).mean() for f in (cold.to_dense().mean(0), plain.to_dense().mean(0))]
    assert entropy[0] < entropy[1]
    model.save(tmp_path / "m")
    assert hf.models.load(tmp_path / "m").sample(200, seed=1).sha256() == cold.sha256()
    card = json.loads((tmp_path / "m" / "model.json").read_text())["card"]
    assert card["sampling"] == "5 Gibbs steps from a uniform start; the last visible units at temperature 0.5."


def test_rectified_units_are_for_the_cpu(cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="device: expected 'cpu' or 'auto' for rectified hidden units, found 'cuda'"):
        fit(cohort, hidden="relu", device="cuda")


def test_training_that_diverges_is_an_error(cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="learning_rate: expected one at which training converges"):
        hf.models.RBM(**(TINY | {"learning_rate": 1e30})).fit(cohort)


@pytest.mark.parametrize("training", ["rdm", "pcd"])
def test_a_rectified_machine_that_blows_up_stops(cohort: hf.HaplotypeMatrix, tmp_path: Path, training: str) -> None:
    """The model and the checkpoint are of the epoch before; at a low rate nothing happens."""
    settings = {"hidden": "relu", "training": training, "epochs": 60, "learning_rate": 0.5}
    seen: list[dict[str, float]] = []
    model = hf.models.RBM(**(TINY | settings))
    with pytest.raises(ValueError, match="chains whose allele frequencies are") as stopped:
        model.fit(cohort, run=tmp_path / "run", checkpoint_every=1, callback=lambda state: seen.append(state.metrics))
    done = len(seen)
    assert 1 < done < 60
    said = f"off in epoch {done + 1} at 0.5; {tmp_path / 'run'} keeps the checkpoint of epoch {done}"
    assert str(stopped.value).endswith(said)
    again = hf.models.RBM(**(TINY | settings))
    again.fit(cohort, callback=lambda state: state.epoch == done)
    assert np.array_equal(model.weights, again.weights)
    calm = hf.models.RBM(**(TINY | settings | {"learning_rate": 0.02})).fit(cohort)
    assert calm.training["epochs_done"] == 60


def test_lost_chains_are_a_blow_up_where_weights_are_beyond_or_it_lasts(cohort: hf.HaplotypeMatrix) -> None:
    """Neither large weights nor lost chains alone are, nor are differences that so few chains have by chance."""
    config = rbm.RBMConfig(num_hidden=3)
    blown = r"weights of .* and chains whose .* are 0\.90 off"
    with _workers.Workers(torch.device("cpu")) as workers:
        learner = _boltzmann.BoltzmannLearner(cohort, config, 0, workers)
        for gap in (*[0.9] * 9, 0.25, *[0.9] * 9):
            learner._check(1, gap, 1000)
        again = _boltzmann.BoltzmannLearner(cohort, config, 0, workers)
        again.restore(learner.tensors())
        for one in (learner, again):
            with pytest.raises(_boltzmann.Diverged, match=blown):
                one._check(1, 0.9, 1000)
        learner._check(1, 0.0, 1000)
        learner.weights[0, 0] = -8.0
        learner._check(1, 0.25, 1000)
        learner._check(1, 0.5, 1)
        with pytest.raises(_boltzmann.Diverged, match=blown):
            learner._check(1, 0.9, 1000)
        learner.weights[0, 0] = 1000.0
        with pytest.raises(_boltzmann.Diverged, match="weights of 1e"):
            learner._check(1, 0.0, 1000)


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_metric_that_is_not_finite_ends_training(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bad: float
) -> None:
    """The last good checkpoint stays, and the model is that of the epoch before."""
    seen = []
    epoch = _boltzmann.BoltzmannLearner.epoch

    def spoilt(self: _boltzmann.BoltzmannLearner, number: int) -> dict[str, float]:
        return epoch(self, number) | ({"frequency_gap": bad} if number == 5 else {})

    model = hf.models.RBM(**TINY)
    run = tmp_path / "run"
    with monkeypatch.context() as patch:
        patch.setattr(_boltzmann.BoltzmannLearner, "epoch", spoilt)
        message = (
            f"frequency_gap: expected a finite number in epoch 5, found {bad}; .*/run keeps the checkpoint of epoch 4"
        )
        with pytest.raises(ValueError, match=message):
            model.fit(cohort, seed=3, run=run, checkpoint_every=2, callback=lambda s: seen.append(s.model.weights))
    assert np.array_equal(model.weights, seen[-1])
    assert len(seen) == 4
    resumed = hf.models.RBM(**TINY).fit(cohort, seed=3, run=run, resume=True)
    assert np.array_equal(resumed.weights, fit(cohort).weights)


def test_another_models_run_is_left_alone(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    fit(cohort, run=tmp_path / "run")
    with pytest.raises(ValueError, match="expected a run of the model 'bernoulli', found one of 'rbm'"):
        hf.models.Bernoulli().fit(cohort).save(tmp_path / "run")


def test_seeds_are_integers_of_any_kind(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    model = hf.models.Bernoulli().fit(cohort, seed=np.int64(3))
    model.save(tmp_path / "model")
    assert model.sample(4, seed=np.int64(5)).sha256() == model.sample(4, seed=5).sha256()
    assert len({model.sample(4, seed=2**63 + i).sha256() for i in range(20)}) == 20
    with pytest.raises(TypeError, match="seed: expected an integer, found float"):
        model.sample(4, seed=1.5)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="H: expected a HaplotypeMatrix, found ndarray"):
        hf.models.Bernoulli().fit(cohort.to_dense())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="call fit first"):
        hf.models.RBM().save(tmp_path / "none")

"""Noise schedules and samplers, by data whose noise is known in closed form."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from hapforge.models._samplers import Schedule, ddim, ddpm, dpm_solver, guided  # noqa: E402 - torch first

DEVIATION = 0.5  # of data that are normal


@pytest.fixture(params=["linear", "cosine"])
def schedule(request: pytest.FixtureRequest) -> Schedule:
    return Schedule.of(request.param, 500)


def known(schedule: Schedule, deviation: float = DEVIATION):
    """The expected noise in x_t where data are normal, of mean 0."""

    def predict(x, t: int):
        kept = schedule.kept[t]
        return x * np.sqrt(1 - kept) / (kept * deviation**2 + 1 - kept)

    return predict


def test_schedules() -> None:
    linear = Schedule.of("linear", 500)
    assert linear.num_steps == 500
    assert linear.kept[0] == 1
    assert linear.kept[1] == pytest.approx(1 - 1e-4)
    assert linear.kept[500] / linear.kept[499] == pytest.approx(1 - 0.02)
    cosine = Schedule.of("cosine", 100)
    assert cosine.kept[50] == pytest.approx(np.cos((0.5 + 0.008) / 1.008 * np.pi / 2) ** 2, rel=1e-3)
    for found in (linear, cosine):
        assert (np.diff(found.kept) < 0).all()
        assert found.kept[-1] < 0.01
    assert linear.some(500).tolist() == list(range(500, 0, -1))
    assert linear.some(3).tolist() == [500, 250, 1]
    assert linear.some(1).tolist() == [500]
    assert linear.some_by_signal(2).tolist() == [500, 1]
    steps = linear.some_by_signal(5)
    signal = np.log(linear.kept[steps] / (1 - linear.kept[steps]))
    assert np.allclose(np.diff(signal), np.diff(signal).mean(), rtol=0.2)


def test_noise_is_added_and_taken_out_again(schedule: Schedule) -> None:
    x, noise = torch.randn(2, 4, 3, 2, dtype=torch.float64)
    t = torch.tensor([1, 7, 250, 500])
    noised = schedule.noised(x, noise, t)
    for row, step in enumerate(t.tolist()):
        kept = schedule.kept[step]
        assert torch.allclose(noised[row], np.sqrt(kept) * x[row] + np.sqrt(1 - kept) * noise[row])
        assert torch.allclose(schedule.denoised(noised[row], noise[row], step), x[row])


@pytest.mark.parametrize(("sampler", "count"), [(ddim, 500), (dpm_solver, 100)])
def test_without_new_noise_it_is_the_flow_of_probability(sampler, count: int, schedule: Schedule) -> None:
    """dx/dt keeps every value at the same quantile: x_0 = x_T * deviation / that of x_T."""
    start = torch.linspace(-2, 2, 9, dtype=torch.float64)
    found = sampler(known(schedule), start, schedule, schedule.some(count))
    kept = schedule.kept[500]
    expected = start * DEVIATION / np.sqrt(kept * DEVIATION**2 + 1 - kept)
    assert torch.allclose(found, expected, rtol=0.02)


def test_dpm_solver_needs_fewer_steps_than_ddim() -> None:
    schedule = Schedule.of("linear", 500)
    start = torch.ones(1, dtype=torch.float64)
    kept = schedule.kept[500]
    expected = DEVIATION / np.sqrt(kept * DEVIATION**2 + 1 - kept)
    by_ddim = ddim(known(schedule), start, schedule, schedule.some(20))
    by_dpm = dpm_solver(known(schedule), start, schedule, schedule.some_by_signal(20))
    assert abs(float(by_dpm) - expected) < abs(float(by_ddim) - expected) / 2


def test_ddpm_in_closed_form(schedule: Schedule) -> None:
    """A step is linear in x and new noise: the variance of its draws follows by recursion."""
    torch.manual_seed(1)
    found = ddpm(
        known(schedule),
        torch.randn(20_000, dtype=torch.float64),
        schedule,
        schedule.some(500),
        lambda: torch.randn(20_000, dtype=torch.float64),
    )
    assert float(found.std()) == pytest.approx(DEVIATION, rel=0.03)
    assert abs(float(found.mean())) < 0.02
    few = ddpm(known(schedule), torch.ones(2), schedule, schedule.some(2), lambda: torch.full((2,), 0.5))
    t, b = 500, schedule.kept[1]
    a, predict = schedule.kept[t], known(schedule)
    one = torch.ones(2)
    data = (one - np.sqrt(1 - a) * predict(one, t)) / np.sqrt(a)
    beta = 1 - a / b
    mean = (np.sqrt(b) * beta * data + np.sqrt(1 - beta) * (1 - b) * one) / (1 - a)  # Ho et al. 2020, eq. 7
    x = mean + np.sqrt((1 - b) / (1 - a) * beta) * 0.5
    assert torch.allclose(few, schedule.denoised(x, predict(x, 1), 1).to(few), rtol=1e-4)


def test_guidance() -> None:
    predict = guided(lambda x, t: (x + t, x - t), 0.5)
    assert torch.allclose(predict(torch.ones(2), 3), torch.full((2,), 1.5 * 4 - 0.5 * -2))

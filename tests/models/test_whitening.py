"""The whitened gradient against dense matrices, and what it is for."""

from __future__ import annotations

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import numpy as np
import pytest
import torch

import hapforge as hf
from hapforge import _backend
from hapforge.metrics import adversarial_accuracy
from hapforge.models import _boltzmann, _rbm_config, _whitening, _workers
from hapforge.models._machine import Moments
from hapforge.models._whitening import Whitening, whitening

_spec = spec_from_file_location("whitening_reference", Path(__file__).parents[1] / "reference" / "whitening.py")
assert _spec is not None
assert _spec.loader is not None
reference = module_from_spec(_spec)
_spec.loader.exec_module(reference)


def linked(rows: int, sites: int, seed: int = 0) -> hf.HaplotypeMatrix:
    """Sites that follow three hidden ones, with an error in ten."""
    rng = np.random.default_rng(seed)
    follows = rng.integers(0, 2, (rows, 3))[:, np.arange(sites) % 3]
    return hf.HaplotypeMatrix.from_dense((follows ^ (rng.random((rows, sites)) < 0.1)).astype(np.uint8))


def of(H: hf.HaplotypeMatrix, rates: np.ndarray, above: float, hidden: str = "bernoulli") -> Whitening:
    return whitening(H, H.to_dense().mean(0), rates, above, 0, hidden)


@pytest.mark.parametrize(("rows", "sites"), [(300, 40), (30, 40), (130, 300)])
@pytest.mark.parametrize("hidden", ["bernoulli", "relu"])
def test_by_its_definition(rows: int, sites: int, hidden: str, monkeypatch: pytest.MonkeyPatch) -> None:
    H, rng = linked(rows, sites), np.random.default_rng(1)
    rates = rng.uniform(1, 5, sites)
    if rows == 130:  # of which 100 are taken; repeated rows, so that any hundred are much like all
        monkeypatch.setattr(_whitening, "_ROWS", 100)
        monkeypatch.setattr(_whitening, "_SITES_AT_ONCE", 128)
        H = hf.HaplotypeMatrix.from_dense(np.tile(H.to_dense()[:2], (65, 1)))
    found = of(H, rates, 0.7, hidden)
    gradient = rng.normal(0, 0.1, (sites, 9)) + 0.1 * (H.to_dense()[:1].astype(float) - H.to_dense()[1]).T
    expected = reference.preconditioner(H.to_dense(), rates, 0.7) @ gradient
    close = {"rtol": 0, "atol": 1e-2 if rows == 130 or hidden == "relu" else 5e-5}
    assert np.abs(expected - rates[:, None] * gradient).max() > 0.1
    np.testing.assert_allclose(found(torch.from_numpy(gradient)).numpy(), expected, **close)
    np.testing.assert_allclose(found(torch.from_numpy(gradient[:, 0])).numpy(), expected[:, 0], **close)


def test_what_varies_most_is_slowed_to_the_limit() -> None:
    H = linked(400, 60)
    values, vectors = np.linalg.eigh(np.cov(H.to_dense(), rowvar=False, bias=True))
    found = of(H, np.ones(60), 0.5)
    for at, factor in ((-1, 0.5 / values[-1]), (0, 1.0)):
        along = torch.from_numpy(vectors[:, at].copy())
        np.testing.assert_allclose(found(along).numpy(), factor * along.numpy(), atol=1e-4)
    assert values[-1] > 3 > 0.5 > values[0]


def test_products_are_exact() -> None:
    """Columns by themselves, and rows in another order, give the same bits."""
    H, rng = linked(500, 700), np.random.default_rng(2)
    found = of(H, rng.uniform(1, 25, 700), 0.1)
    gradient = torch.from_numpy(rng.uniform(-1, 1, (700, 33)))
    whole = found(gradient)
    assert torch.equal(torch.cat([found(gradient[:, :5]), found(gradient[:, 5:].contiguous())], 1), whole)
    order = torch.from_numpy(rng.permutation(700))
    turned = Whitening(found.root[order], found.directions[order], found.along, "bernoulli")
    assert torch.equal(turned(gradient[order]), whole[order])


def test_nothing_above_and_nothing_that_varies() -> None:
    gradient = torch.from_numpy(np.random.default_rng(3).uniform(-1, 1, (40, 3)))
    for H, above in ((linked(50, 40), 1e9), (hf.HaplotypeMatrix.from_dense(np.zeros((5, 40), np.uint8)), 0.1)):
        np.testing.assert_allclose(of(H, np.full(40, 4.0), above)(gradient), 4 * gradient, atol=1e-6)


@pytest.mark.parametrize("gradient", ["centred", "plain"])
def test_the_change_of_an_update(gradient: str) -> None:
    H, rng = linked(200, 30), np.random.default_rng(4)
    config = _rbm_config.RBMConfig(num_hidden=5, gradient=gradient, whiten_above=0.4, site_scaling=0.5)
    with _workers.Workers(torch.device("cpu")) as workers:
        at = _boltzmann.BoltzmannLearner(H, config, 1, workers)
        at.hidden_centre = torch.from_numpy(rng.random(5).round(3))
        names = ("weights", "visible_bias", "hidden_bias")
        before = [getattr(at, name).clone() for name in names]
        data, model = (Moments(*(torch.from_numpy(rng.random(shape)) for shape in ((30, 5), 30, 5))) for _ in range(2))
        moved = [(a - b).numpy() for a, b in zip(data, model, strict=True)]
        centres = at.visible_centre.numpy().copy(), at.hidden_centre.numpy().copy()
        at.step(data, model, 0.25)
        changes = [(getattr(at, name) - old).numpy() for name, old in zip(names, before, strict=True)]
    frequency = H.to_dense().mean(0)
    P = reference.preconditioner(H.to_dense(), (4 * frequency * (1 - frequency)) ** -0.5, 0.4)
    if gradient == "plain":
        expected = [P @ moved[0], P @ moved[1], moved[2]]
    else:
        expected = reference.centred(*moved, *centres, P)
    for change, slope in zip(changes, expected, strict=True):
        np.testing.assert_allclose(change, 0.25 * slope, atol=2e-4)
        assert np.abs(slope).max() > 0.1


def test_a_run_is_the_same_on_any_number_of_threads(cohort: hf.HaplotypeMatrix) -> None:
    before, sums = _backend.get_threads(), set()
    try:
        for threads in (1, 2, 3):
            _backend.set_threads(threads)
            model = hf.models.RBM(num_hidden=7, epochs=3, gibbs_steps=2, temperature=1.0, whiten_above=0.2)
            sums.add(model.fit(cohort, seed=2).sample(20, seed=1).sha256())
    finally:
        _backend.set_threads(before)
    assert len(sums) == 1


@pytest.mark.slow
def test_linked_sites_are_learnt_faster_and_in_proportion() -> None:
    """Fewer real rows are told from draws than after as many updates at the plain rate, and frequencies hold."""
    train, test = hf.datasets.load("ooa").select_sites(range(300)).split(0.5, 0)
    frequencies = train.to_dense().mean(0)

    def drawn(**settings: float) -> tuple[float, float]:
        model = hf.models.RBM(num_hidden=60, gibbs_steps=5, epochs=50, temperature=1.0, **settings)
        found = model.fit(train, seed=0).sample(test.num_haplotypes, seed=1)
        return adversarial_accuracy(test, found).aa_truth, np.abs(found.to_dense().mean(0) - frequencies).max()

    accuracy, off = drawn(whiten_above=0.6, learning_rate=0.6)
    plain_accuracy, _ = drawn(learning_rate=0.12)
    _, plain_off = drawn(learning_rate=0.6)
    assert accuracy < plain_accuracy - 0.1  # 0.71, 0.88
    assert off < 0.5 * plain_off  # 0.05, 0.17


def test_refused() -> None:
    with pytest.raises(ValueError, match=r"^whiten_above: expected 0 or more, found -1$"):
        hf.models.RBM(whiten_above=-1)

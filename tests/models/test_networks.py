"""GAN, WGAN, VAE and diffusion: losses, training on any number of threads, resumption, draws, thresholds, labels."""

from __future__ import annotations

import copy
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge import _backend
from hapforge.cli import main

torch = pytest.importorskip("torch")

from hapforge.models import _network_model, gan, vae, wgan  # noqa: E402 - torch first

SMALL: dict[str, dict[str, Any]] = {
    "gan": {"epochs": 2, "batch_size": 48, "latent_size": 8, "shard": 12},
    "wgan": {"epochs": 2, "width": 2, "critic_steps": 2, "batch_size": 48, "shard": 12},
    "vae": {"epochs": 2, "width": 2, "latent_channels": 3, "batch_size": 48, "shard": 12},
    "diffusion": {"epochs": 2, "mlp_width": 16, "cnn_width": 4, "steps": 5, "batch_size": 48, "shard": 12},
}
MODELS = list(SMALL)


def made(name: str, **more: Any) -> Any:
    return hf.models.by_name(name)(**{**SMALL[name], **more})


@pytest.fixture(scope="module")
def small(cohort: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    return cohort.select_haplotypes(np.arange(110)).select_sites(np.arange(60))


@pytest.fixture(scope="module")
def labelled(small: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    """Two labels that differ at the first ten sites, and a person without."""
    dense = small.to_dense()
    group = np.repeat([f"g{i % 2}" for i in range(55)], 2)
    dense[:, :10] = (group == "g1")[:, None]
    group[:2] = ""
    made = hf.HaplotypeMatrix.from_dense(dense)
    return made.with_labels({"group": group.tolist()})


@pytest.fixture(scope="module")
def fitted(small: hf.HaplotypeMatrix) -> dict[str, Any]:
    return {name: made(name).fit(small, seed=3) for name in MODELS}


def same(a: Any, b: Any) -> bool:
    """Whether two models have the same parameters, bit by bit."""
    x, y = a._tensors(), b._tensors()
    return x.keys() == y.keys() and all(np.array_equal(x[key], y[key]) for key in x)


@pytest.mark.parametrize("name", MODELS)
def test_any_number_of_threads_trains_and_draws_the_same(name: str, small: Any, fitted: dict) -> None:
    before = _backend.get_threads()
    try:
        for threads in (1, 3):
            _backend.set_threads(threads)
            again = made(name).fit(small, seed=3)
            assert same(again, fitted[name])
            assert np.array_equal(again.sample(40, seed=1).words, fitted[name].sample(40, seed=1).words)
    finally:
        _backend.set_threads(before)
    assert not same(made(name).fit(small, seed=4), fitted[name])


@pytest.mark.parametrize("name", MODELS)
def test_a_resumed_run_gives_the_same_model(name: str, small: Any, tmp_path: Path) -> None:
    whole = made(name, epochs=3).fit(small, seed=3, run=tmp_path / "whole", checkpoint_every=1)

    def stop(state: Any) -> None:
        if state.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        made(name, epochs=3).fit(small, seed=3, run=tmp_path / "cut", callback=stop, checkpoint_every=1)
    made(name, epochs=3).fit(small, seed=3, run=tmp_path / "cut", resume=True)
    assert same(hf.models.load(tmp_path / "cut"), whole)
    assert same(hf.models.load(tmp_path / "whole"), whole)


@pytest.mark.parametrize("name", MODELS)
def test_draws(name: str, small: Any, fitted: dict, tmp_path: Path) -> None:
    model = fitted[name]
    drawn = model.sample(301, seed=5)
    assert drawn.shape == (301, 60)
    assert drawn.sites == small.sites
    assert np.array_equal(model.sample(20, seed=5).words, drawn.words[:20])
    assert not np.array_equal(model.sample(20, seed=6).words, drawn.words[:20])
    assert model.sample(0).shape == (0, 60)
    model.save(tmp_path / "m")
    loaded = hf.models.load(tmp_path / "m")
    assert loaded.noise_scale == model.noise_scale
    for alleles in ("calibrated", "round", "bernoulli"):
        words = model.sample(30, seed=5, alleles=alleles).words
        assert np.array_equal(loaded.sample(30, seed=5, alleles=alleles).words, words)
    with pytest.raises(ValueError, match="alleles: expected one of calibrated, round, bernoulli, found 'drawn'"):
        model.sample(3, alleles="drawn")
    with pytest.raises(ValueError, match="labels: expected None"):
        model.sample(3, labels="EUR")


@pytest.mark.parametrize("name", MODELS)
def test_rows_from_anywhere_are_those_of_the_whole(name: str, fitted: dict) -> None:
    model = fitted[name]
    whole = model.sample(600, seed=5).words
    how, _ = model._how(600, 5, None)
    for first, last in ((0, 1), (250, 260), (255, 513), (599, 600)):
        assert np.array_equal(model._draw_rows(first, last, 5, **how), whole[first:last])


@pytest.mark.parametrize("name", MODELS)
def test_calibrated_alleles_have_the_frequencies_of_training_rows(name: str, small: Any, fitted: dict) -> None:
    """Within five standard deviations of both estimates, the thresholds' and the draws'; fixed sites stay fixed."""
    n = 4000
    frequencies = small.to_dense().mean(0)
    found = fitted[name].sample(n, seed=8).to_dense().mean(0)
    deviation = np.sqrt(frequencies * (1 - frequencies) * (1 / n + 1 / 2048))
    assert (np.abs(found - frequencies) <= 5 * deviation + 1 / 2048).all()
    fixed = (frequencies == 0) | (frequencies == 1)
    assert np.array_equal(found[fixed], frequencies[fixed])
    rounded = fitted[name].sample(n, seed=8, alleles="round").to_dense().mean(0)
    assert np.abs(rounded - frequencies).mean() > 2 * np.abs(found - frequencies).mean()  # hardly trained


@pytest.mark.parametrize("name", MODELS)
def test_labels(name: str, labelled: Any, tmp_path: Path) -> None:
    model = made(name, label="group").fit(labelled, seed=3, run=tmp_path / "run")
    assert model.labels == ["g0", "g1"]
    assert model.training["num_without_label"] == 2
    for label, allele in (("g0", 0), ("g1", 1)):
        drawn = hf.models.load(tmp_path / "run").sample(64, seed=1, labels=label)
        assert set(drawn.samples.labels["group"].tolist()) == {label}
        assert (drawn.to_dense()[:, :10] == allele).all()  # frequencies are held by label
    mixed = model.sample(200, seed=2)
    group = np.array(mixed.samples.labels["group"].tolist())
    assert (group[::2] == group[1::2]).all()
    assert ((mixed.to_dense()[:, 0] == 1) == (group == "g1")).all()
    assert np.array_equal(model.sample(10, seed=2, labels=group[:10].tolist()).words, mixed.words[:10])
    with pytest.raises(ValueError, match="labels: expected one of g0, g1, found 'g2'"):
        model.sample(2, labels="g2")
    with pytest.raises(ValueError, match="label: expected 'nation' among the labels of H, found group"):
        made(name, label="nation").fit(labelled)


@pytest.mark.parametrize("name", MODELS)
def test_genotypes_of_persons_with_a_phenotype(name: str, labelled: Any, tmp_path: Path) -> None:
    """Two columns a site: heterozygous sites stay; unphased persons give unphased draws; a phenotype goes along."""
    dense = labelled.to_dense()
    dense[::2, 10:20], dense[1::2, 10:20] = 1, 0  # heterozygous in everybody, either way round
    dense[::4, 10:20], dense[1::4, 10:20] = 0, 1
    eyes = ["blue" if dense[2 * i, 0] else "brown" for i in range(55)]
    H = hf.HaplotypeMatrix.from_dense(dense, labels={"eyes": eyes})
    H.samples.phased = np.zeros(55, bool)
    model = made(name, unit="person", label="eyes").fit(H, seed=3, run=tmp_path / "run")
    drawn = hf.models.load(tmp_path / "run").sample(201, seed=1)
    assert drawn.shape == (201, 60)
    assert not drawn.samples.phased.any()
    found = drawn.to_dense()
    assert (found[:200].reshape(100, 2, 60)[:, :, 10:20].sum(1) == 1).all()
    assert (found[:, 0] == (np.array(drawn.samples.labels["eyes"].tolist()) == "blue")).all()
    assert np.array_equal(model._draw_rows(3, 8, 1, **model._how(201, 1, None)[0]), drawn.words[3:8])
    assert model.sample(2, labels="blue").to_dense()[:, 0].tolist() == [1, 1]
    with pytest.raises(ValueError, match="labels: expected one for both haplotypes of a person, found two"):
        model.sample(2, labels=["blue", "brown"])
    with pytest.raises(ValueError, match="H: expected two haplotypes of every person, one after the other"):
        made(name, unit="person").fit(H.select_haplotypes(np.arange(1, 21)))


@pytest.mark.parametrize("name", MODELS)
def test_validation_rows_are_told_and_change_nothing(name: str, small: Any, cohort: Any, fitted: dict) -> None:
    held = cohort.select_haplotypes(np.arange(110, 160)).select_sites(np.arange(60))
    told: list[dict] = []
    model = made(name).fit(small, seed=3, validation=held, callback=lambda state: told.append(state.metrics) and False)
    assert same(model, fitted[name])
    kind = {"vae": "elbo", "diffusion": "noise_error"}.get(name, "score")
    assert all({f"{kind}_train", f"{kind}_validation"} <= metrics.keys() for metrics in told)


def test_gan_losses_in_closed_form() -> None:
    """log(1 + e^-s) for a real pack of target 1, log(1 + e^s) for a drawn one; half of each at a target of 1/2."""
    s = torch.tensor([-1.5, 0.0, 2.0])
    assert gan.cross_entropy(s, torch.ones(3)).item() == pytest.approx(np.log1p(np.exp([1.5, 0.0, -2.0])).sum())
    assert gan.cross_entropy(s, torch.zeros(3)).item() == pytest.approx(np.log1p(np.exp([-1.5, 0.0, 2.0])).sum())


def test_wgan_losses_in_closed_form() -> None:
    real, drawn = torch.tensor([1.0, 2.0]), torch.tensor([0.5, -1.0])
    assert wgan.WGAN()._critic_loss(real, drawn, torch.Generator()).item() == pytest.approx(-3.5)
    assert wgan.WGAN()._generator_loss(drawn).item() == pytest.approx(0.5)


def test_divergence_in_closed_form_and_by_integration() -> None:
    """KL(N(m, s^2) || N(0, 1)) = (m^2 + s^2 - 1 - log s^2) / 2, and the integral of q log(q / p)."""
    mean, log_variance = 0.7, -0.6
    x = np.linspace(-12, 12, 200_001)
    q = np.exp(-((x - mean) ** 2) / (2 * np.exp(log_variance))) / np.sqrt(2 * np.pi * np.exp(log_variance))
    p = np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi)
    expected = np.trapezoid(q * np.log(np.maximum(q, 1e-300) / p), x)
    found = vae.divergence(torch.full((2, 3), mean), torch.full((2, 3), log_variance))
    assert found.item() == pytest.approx(6 * expected, rel=1e-5)


@pytest.mark.parametrize("name", ["gan", "wgan"])  # the VAE's statistics are of a shard
def test_gradients_of_shards_are_that_of_the_batch(name: str, small: Any) -> None:
    """The critics, in one shard or many, in float32."""
    found = []
    for shard in (12, 48):
        with made(name, shard=shard, jitter=0.0, penalty="none")._learner(small, 1, None, "cpu") as learner:
            units = learner._rows.units(1)[: 48 // learner._config.pack]

            def work(_shard: int, first: int, last: int, learner: Any = learner, units: Any = units) -> Any:
                rows = units[first:last]
                packs = learner._packs(learner._rows.alleles(rows.reshape(-1), learner._length))
                scores = learner._critic.network(packs, learner._rows.labels[rows[:, 0]])
                return (learner._critic.gradient(scores.square().sum()),)

            found.append(learner._shards.sum(len(units), work)[0])
    assert torch.allclose(found[0], found[1], rtol=1e-4, atol=1e-5 * float(found[1].abs().max()))


def test_quantiles() -> None:
    """Of n values the one of rank i is at i / (n + 1)."""
    values = np.random.default_rng(1).permuted(np.tile(np.arange(1.0, 100), (3, 1)), axis=1).T.astype(np.float32)
    assert np.allclose(_network_model.quantiles(values, np.array([0.5, 0.25, 0.9])), [50, 25, 90])
    assert np.allclose(_network_model.quantiles(values, np.array([0.125, 0.055, 0.505])), [12.5, 5.5, 50.5])
    assert _network_model.quantiles(values, np.array([0.0, 1.0, 0.5])).tolist() == [-np.inf, np.inf, 50]


@pytest.mark.parametrize("rows", [0.1, 0.4, 1, 2, 5, 20, 500])
def test_rare_alleles_are_as_rare_as_they_should_be(rows: float) -> None:
    """The mean chance beyond the threshold of 2,048 normal values, over 2,000 columns, at either end."""
    values = np.random.default_rng(2).standard_normal((2048, 2000), np.float32)
    chance = rows / 2048
    for shares, sign in ((1 - chance, 1), (chance, -1)):
        found = _network_model.quantiles(values, np.full(2000, shares))
        above = np.mean([math.erfc(sign * value / math.sqrt(2)) / 2 for value in found.tolist()])
        assert above == pytest.approx(chance, rel=0.12)


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("wgan", {"width": 3}, "width: expected an even number, 2 or more, found 3"),
        ("wgan", {"batch_size": 50}, "batch_size: expected a multiple of pack, 3, found 50"),
        ("wgan", {"penalty": "clip"}, "penalty: expected one of gradient, r1, none, found 'clip'"),
        ("wgan", {"critic_steps": 0}, "critic_steps: expected 1 or more, found 0"),
        ("wgan", {"jitter": 1.0}, "jitter: expected 0 or more and below 1, found 1.0"),
        ("gan", {"ema": 1.0}, "ema: expected 0 or more and below 1, found 1.0"),
        ("gan", {"alleles": "none"}, "alleles: expected one of calibrated, round, bernoulli, found 'none'"),
        ("gan", {"learning_rate": 0.0}, "learning_rate: expected more than 0 and less than 1, found 0.0"),
        ("gan", {"latent_size": 0}, "latent_size: expected 1 or more, found 0"),
        ("vae", {"kl_weight": 0.0}, "kl_weight: expected more than 0, found 0.0"),
        ("vae", {"kl_warmup": 1.5}, "kl_warmup: expected 0 to 1, found 1.5"),
        ("vae", {"precision": "half"}, "precision: expected one of float32, bfloat16, found 'half'"),
    ],
)
def test_bad_settings_are_named(name: str, settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        hf.models.by_name(name)(**settings)


PUBLISHED = {
    "gan_805": (1e-4, 8e-4, 0.9, 0.999, 32, 1, 1, "none", 1e-4, 0.1, 600),
    "gan_10k": (1e-5, 8e-5, 0.9, 0.999, 32, 1, 1, "none", 1e-4, 0.1, 600),
    "wgan_16k": (5e-4, 0.0, 0.5, 0.9, 96, 10, 3, "gradient", 0.0, 0.1, 10, 10.0, 0),
    "wgan_65k": (5e-4, 0.0, 0.5, 0.9, 96, 10, 3, "gradient", 0.0, 0.1, 10, 10.0, 200),
    "vae_16k": (1e-3, 96, 10, 1.0, 0.0),
    "vae_65k": (1e-3, 96, 10, 1.0, 0.0),
}


@pytest.mark.parametrize("preset", sorted(PUBLISHED))
def test_presets_are_as_published(preset: str) -> None:
    name = preset.split("_")[0]
    assert preset in hf.models.by_name(name).PRESETS
    c = hf.models.by_name(name)(preset).config
    assert (c.alleles, c.ema, c.precision) == ("round", 0.0, "float32")
    assert name == "gan" or not c.by_site
    if name == "vae":
        found = (c.learning_rate, c.batch_size, c.width, c.kl_weight, c.kl_warmup)
    else:
        found = (
            c.learning_rate,
            c.critic_rate,
            c.beta1,
            c.beta2,
            c.batch_size,
            c.critic_steps,
            c.pack,
            c.penalty,
            c.l2,
        )
        found += (c.smoothing, c.latent_size) if name == "gan" else (c.jitter, c.width, c.penalty_weight, c.late_epochs)
    assert found == PUBLISHED[preset]
    with pytest.raises(ValueError, match="preset: expected one of"):
        hf.models.by_name(name)("other")


@pytest.mark.parametrize(
    ("name", "settings", "rows", "held", "message"),
    [
        ("wgan", {}, 2, None, "H: expected 3 rows or more, found 2"),
        ("wgan", {}, 40, 2, "validation: expected 3 haplotypes or more"),
        ("vae", {}, 40, 0, "validation: expected a haplotype or more"),
        (
            "wgan",
            {"critic_steps": 10, "epochs": 5},
            40,
            None,
            "epochs: expected 10 updates of the critic or more, for one",
        ),
        ("wgan", {"late_epochs": 2}, 40, None, "late_epochs: expected fewer than 2 epochs, found 2"),
        ("wgan", {"pack": 1.5}, 40, None, "pack: expected a whole number, found 1.5"),
    ],
)
def test_too_few_rows_or_updates(small: Any, name: str, settings: dict, rows: int, held: Any, message: str) -> None:
    validation = None if held is None else small.select_haplotypes(np.arange(held))
    with pytest.raises(ValueError, match=message):
        made(name, **settings).fit(small.select_haplotypes(np.arange(rows)), validation=validation)


def test_a_label_with_fewer_rows_than_a_pack(labelled: Any) -> None:
    few = labelled.select_haplotypes(np.r_[2:4, 4:60:4, 5:60:4])
    with pytest.raises(ValueError, match="H: expected 3 rows or more with the label 'g1', found 2"):
        made("wgan", label="group").fit(few)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"training.labels": [1]}, "labels: expected names with their counts"),
        ({"training.num_haplotypes": "many"}, "num_haplotypes: expected 1 or more, found 'many'"),
        ({"training.seed": "x"}, "seed: expected an integer"),
        ({"training.ld_rows": 1.5}, "ld_rows: expected a number of rows of every group, found 1.5"),
        ({"training.ld_rows": [5000]}, r"ld_rows: expected 32 to 4096 of 2 groups, found \[5000\]"),
        ({"training.ld_rows": [30, 1]}, r"ld_rows: expected 32 to 4096 of 2 groups, found \[30, 1\]"),
        ({"training.mean_r2": -1}, "mean_r2: expected 0 to 1, found -1"),
        ({"noise_scale": -1.0}, "noise_scale: expected a float64 of 0 or more"),
        ({"allele_counts": -1}, "allele_counts: expected no more than there are rows"),
        ({"variance": -1.0}, "variance: expected 0 or more"),
        ({"thresholds": np.float64}, "thresholds: expected float32"),
    ],
)
def test_other_contents_of_a_folder_are_refused(fitted: dict, tmp_path: Path, change: dict, message: str) -> None:
    model = copy.copy(fitted["wgan"])
    tensors, model.training = model._tensors(), dict(model.training)
    for key, value in change.items():
        if key.startswith("training."):
            model.training[key[len("training.") :]] = value
        elif key == "thresholds":
            tensors[key] = tensors[key].astype(value)
        else:
            name = next(name for name in tensors if name.endswith(key))
            tensors[name] = np.full_like(tensors[name], value)
    hf.models._store.write_model(
        tmp_path / "m",
        model._description(),
        {**hf.models._store.sites_to_tensors(model.sites), **tensors},
        overwrite=False,
    )
    with pytest.raises(hf.errors.FormatError, match=message):
        hf.models.load(tmp_path / "m")


def test_mean_r2_is_that_of_numpy(rng: np.random.Generator) -> None:
    alleles = rng.random((80, 12)) < 0.4
    alleles[:, 3] = False
    pairs = np.array([[a, b] for a in range(12) for b in range(a + 1, 12)])
    varying = np.delete(np.arange(12), 3)
    r2 = np.corrcoef(alleles[:, varying].T) ** 2
    one = np.zeros(80, np.int64)
    assert _network_model.mean_r2(alleles, pairs, one) == pytest.approx(np.triu(r2, 1).sum() / len(pairs), rel=1e-12)
    assert _network_model.mean_r2(alleles, np.empty((0, 2), np.int64), one) == 0
    codes = rng.integers(0, 3, 80) * 2
    alleles[codes == 2, :6] = True
    left = alleles.astype(np.float64)
    for code in (0, 2, 4):
        left[codes == code] -= left[codes == code].mean(0)
    r2 = np.corrcoef(left[:, varying].T) ** 2
    expected = pytest.approx(np.triu(r2, 1).sum() / len(pairs), rel=1e-12)
    assert _network_model.mean_r2(alleles, pairs, codes) == expected
    assert _network_model.mean_r2(hf.HaplotypeMatrix.from_dense(alleles.astype(np.uint8)), pairs, codes) == expected
    assert _network_model.mean_r2(alleles, pairs, np.arange(80)) == 0


@pytest.mark.parametrize("num_columns", [1, 2, 3, 60, 5000])
def test_pairs_of_sites_are_apart(num_columns: int) -> None:
    columns, places = _network_model.site_pairs(num_columns)
    first, second = columns[places].T
    assert len(first) == (0 if num_columns == 1 else 8192)
    assert ((first >= 0) & (first < second) & (second < num_columns)).all()
    assert np.array_equal(columns, np.unique([first, second]))
    assert len(np.unique(second - first)) >= min(num_columns - 1, 1000) // 2


@pytest.mark.parametrize("settings", [{"clusters": 0}, {"label": "group"}, {"clusters": 2}])
def test_noise_brings_ld_down_to_that_of_training_rows(labelled: Any, settings: dict, monkeypatch: Any) -> None:
    """A network whose logits all follow one value, where training rows (of a group) are only a little linked."""
    model = made("wgan", **settings).fit(labelled, seed=3)
    assert len(model.training["ld_rows"]) == (settings.get("clusters", 2) or 1)

    def one_value(labels: Any, stream: np.random.Generator) -> Any:
        value = torch.from_numpy(stream.standard_normal((len(labels), 1), np.float32))
        return 2 * value.repeat(1, model._num_columns) + labels[:, None]

    monkeypatch.setattr(model, "_logits", one_value)
    model._thresholds = None
    assert model.noise_scale > 0.1
    expected, of_group = model.training["mean_r2"], model.training["ld_rows"]
    codes = np.repeat(np.arange(len(of_group)), of_group)
    columns, pairs = _network_model.site_pairs(labelled.num_sites)

    def drawn() -> Any:
        words = model._draw_rows(0, 20 * len(codes), 4, codes=np.tile(codes, 20), alleles="calibrated")
        return _backend.unpack(words, labelled.num_sites)

    dense = drawn()
    found = np.mean([_network_model.mean_r2(part[:, columns], pairs, codes) for part in np.split(dense, 20)])
    assert found == pytest.approx(expected, rel=0.15)
    frequencies = labelled.to_dense().mean(0)
    assert np.abs(dense.mean(0) - frequencies).max() < 0.06
    monkeypatch.setitem(model.training, "mean_r2", 1.0)
    model._thresholds = None
    assert model.noise_scale == 0
    again = drawn()
    apart = np.mean([_network_model.mean_r2(part[:, columns], pairs, codes) for part in np.split(again, 20)])
    assert apart > 1.4 * expected


@pytest.mark.parametrize("settings", [{"clusters": 2}, {"label": "group"}])
def test_noise_of_a_vae_brings_draws_as_far_apart_as_training_rows(
    labelled: Any, settings: dict, monkeypatch: Any
) -> None:
    """A network whose logits all follow one value, so that draws are near to each other."""
    model = made("vae", **settings).fit(labelled, seed=3)
    dense = labelled.to_dense().astype(np.int64)
    if "label" in settings:  # less the person without
        dense = dense[[value in ("g0", "g1") for value in labelled.samples.labels["group"]]]
    unlike = (dense[:, None] != dense).sum(2) + 1000 * np.eye(len(dense), dtype=np.int64)
    expected = 1 - unlike.min(1).mean() / labelled.num_sites
    assert model.training["mean_agreement"] == pytest.approx(expected, rel=1e-12)

    def one_value(labels: Any, stream: np.random.Generator) -> Any:
        value = torch.from_numpy(stream.standard_normal((len(labels), 1), np.float32))
        return 2 * value.repeat(1, model._num_columns)

    monkeypatch.setattr(model, "_logits", one_value)
    model._thresholds = None
    assert model.noise_scale > 0.02
    columns, pairs = _network_model.site_pairs(labelled.num_sites)
    sets = [model.sample(len(dense), seed=seed).select_sites(columns) for seed in range(20)]
    found = [model._held(drawn, pairs, np.zeros(0, np.int64)) for drawn in sets]
    assert 1 - np.mean(found) == pytest.approx(1 - expected, rel=0.2)
    monkeypatch.setitem(model.training, "mean_agreement", 1.0)
    model._thresholds = None
    assert model.noise_scale == 0
    assert 1 - model._held(model.sample(len(dense), seed=1), pairs, np.zeros(0, np.int64)) < (1 - expected) / 2


def test_noise_is_of_many_rows_as_far_as_memory_goes(small: Any, monkeypatch: Any) -> None:
    """Up to 4,096 of them, whose values at sites that are looked at are 2**24 at most."""
    monkeypatch.setattr(_network_model, "_MOST_LD_ROWS", 100)
    for values, expected in ((1 << 24, 100), (60 * small.num_sites, 60)):
        monkeypatch.setattr(_network_model, "_LD_VALUES", values)
        assert made("gan", epochs=1).fit(small, seed=3).training["ld_rows"] == [expected]


@pytest.mark.parametrize("name", MODELS)
def test_noise_is_kept_with_thresholds(name: str, small: Any, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(_network_model.NetworkModel, "_chosen_noise", lambda self: 0.3)
    model = made(name, epochs=1).fit(small, seed=3)
    model.save(tmp_path / "m")
    loaded = hf.models.load(tmp_path / "m")
    assert loaded.noise_scale == model.noise_scale == 0.3
    drawn = loaded.sample(300, seed=1)
    assert np.array_equal(drawn.words, model.sample(300, seed=1).words)
    assert np.array_equal(model.sample(20, seed=1).words, drawn.words[:20])
    model._noise_scale = 0.0
    assert not np.array_equal(model.sample(300, seed=1).words, drawn.words)


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_is_near_float32(name: str, small: Any, fitted: dict) -> None:
    """Not the same weights, but thresholds, which are quantiles of the draws' logits, go together."""
    model = made(name, precision="bfloat16").fit(small, seed=3)
    assert not same(model, fitted[name])
    varying = np.isfinite(model.thresholds)
    found = np.corrcoef(model.thresholds[varying], fitted[name].thresholds[varying])[0, 1]
    assert found > 0.97


def test_one_that_diverges_says_so(small: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """And the checkpoint before stays."""
    monkeypatch.setattr(wgan.WGAN, "_generator_loss", lambda _self, drawn: drawn.sum() * float("inf"))
    with pytest.raises(
        ValueError, match=r"generator_loss: expected a finite number in epoch 1, found.*keeps the check"
    ):
        made("wgan").fit(small, seed=1, run=tmp_path / "run")


def test_train_generate_and_info(small: Any, tmp_path: Path, capsys: Any) -> None:
    hf.write(small, tmp_path / "data.hapz")
    settings = [word for key, value in SMALL["wgan"].items() for word in ("--set", f"{key}={value}")]
    for words in (
        ["train", "wgan", str(tmp_path / "data.hapz"), "-o", str(tmp_path / "run"), "-q", *settings],
        ["generate", str(tmp_path / "run"), "-n", "10", "-o", str(tmp_path / "a.hapz"), "--set", "alleles=round"],
    ):
        sys.argv = ["hapforge", *words]
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None), words
    assert hf.read(tmp_path / "a.hapz").shape == (10, 60)
    capsys.readouterr()
    sys.argv = ["hapforge", "info", str(tmp_path / "run")]
    with pytest.raises(SystemExit):
        main()
    shown = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line.startswith("network."))
    assert shown["network.padded_length"] == "63"
    assert shown["network.generator_block_01"] == "head: 2 x 4, 24 x 4, 20 x 7, 16 x 15, 12 x 15"
    assert shown["network.critic_block_02"] == "head: 12 x 15, 16 x 15, 20 x 7, 24 x 4"
    network = hf.models.load(tmp_path / "run")._network
    assert int(shown["network.generator_parameters"]) == sum(value.numel() for value in network.parameters())


def test_import_without_torch() -> None:
    script = """
import sys
sys.modules["torch"] = None
import hapforge as hf
for name in ("GAN", "WGAN", "VAE"):
    try:
        getattr(hf.models, name)
    except hf.errors.MissingDependencyError as error:
        print(name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["GAN", "WGAN", "VAE"]


def log_of(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]


def test_the_late_epochs_have_a_lower_rate(small: Any, tmp_path: Path) -> None:
    """The first epoch is the same, the late one not."""
    made("gan", epochs=2).fit(small, seed=1, run=tmp_path / "a")
    made("gan", epochs=2, late_epochs=1, late_rate=0.01).fit(small, seed=1, run=tmp_path / "b")
    a, b = log_of(tmp_path / "a"), log_of(tmp_path / "b")
    assert a[0]["critic_loss"] == b[0]["critic_loss"]
    assert a[1]["critic_loss"] != b[1]["critic_loss"]


DATA = Path(__file__).resolve().parents[3] / "shared" / "data"

LARGEST = """
import resource, sys
import numpy as np
import hapforge as hf
rows = np.random.default_rng(0).integers(0, 2, (96, 65_535), dtype=np.uint8)
model = hf.models.WGAN("wgan_65k")
with model._learner(hf.HaplotypeMatrix.from_dense(rows), 1, None, "cpu") as learner:
    losses = [learner.critic_update(learner._rows.units(1), 1, 0)[0], learner.generator_update(5e-4, 1, 0)]
print(len(learner._generator.flat), np.isfinite(losses).all(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10)
"""


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("wgan", {"width": 4_000_000, "by_site": False, "critic_steps": 1}),
        ("vae", {"width": 4_000_000, "by_site": False}),
    ],
)
def test_more_than_fits_into_memory_is_one_line(name: str, settings: dict) -> None:
    H = hf.HaplotypeMatrix.from_dense(np.random.default_rng(1).integers(0, 2, (60, 40), np.uint8))
    with pytest.raises(MemoryError, match="expected a training that fits into memory"):
        hf.models.by_name(name)(epochs=1, **settings).fit(H)


@pytest.mark.slow
def test_an_update_of_the_largest_preset_in_20_gb() -> None:
    """Both networks at full width, batch 96, two shards at a time on two threads."""
    done = subprocess.run(
        [sys.executable, "-c", LARGEST], env={**os.environ, "HAPFORGE_THREADS": "2"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    parameters, finite, peak = done.stdout.split()
    assert (int(parameters), finite) == (5_877_315, "True")
    assert int(peak) < 20_000


@pytest.mark.slow
@pytest.mark.skipif(not DATA.is_dir(), reason="needs the 805 sites of 1000 Genomes")
@pytest.mark.parametrize(("name", "settings"), [("gan", {"epochs": 15}), ("vae", {"epochs": 15, "width": 4})])
def test_real_haplotypes_are_learnt_better_than_by_markov(name: str, settings: dict) -> None:
    """2D Wasserstein distance on the principal components of held-out persons, and rare alleles are not lost.

    None of them is told of clusters, which by themselves are better than Markov.
    """
    train, held = hf.read(DATA / "805_SNP_1000G_real.hapt.zip").split(0.2, 1)
    monitor = hf.evaluation.Monitor(train, held, every=1000)
    model = hf.models.by_name(name)(**settings).fit(train, seed=1)
    scores, markov = (monitor._score(m.sample(1000, seed=2)) for m in (model, hf.models.Markov().fit(train)))
    assert scores["pca_wasserstein"] < markov["pca_wasserstein"] / 2
    assert scores["af_r_low"] > 0.9
    if name == "gan":  # so few updates teach a VAE the groups, not the LD of neighbours
        assert scores["ld_score"] > markov["ld_score"]

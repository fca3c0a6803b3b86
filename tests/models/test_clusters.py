"""Groups of alike rows that stand for labels, by themselves and in networks."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge import _backend

pytest.importorskip("torch")

import torch

from hapforge.models import vae
from hapforge.models._clusters import FEWEST, Clusters, Groups
from hapforge.models.diffusion import Diffusion

SIZES = (150, 90, 40, 10)


@pytest.fixture(scope="module")
def kinds() -> np.ndarray:
    return np.random.default_rng(3).permutation(np.repeat(np.arange(len(SIZES)), SIZES))


@pytest.fixture(scope="module")
def founded(kinds: np.ndarray) -> hf.HaplotypeMatrix:
    """290 rows x 70 sites, each one of four founders but for one allele in fifty."""
    rng = np.random.default_rng(4)
    founders = rng.integers(0, 2, (len(SIZES), 70))
    wrong = rng.random((len(kinds), 70)) < 0.02
    return hf.HaplotypeMatrix.from_dense((founders[kinds] ^ wrong).astype(np.uint8))


def test_rows_of_a_founder_are_a_cluster_unless_they_are_few(founded: hf.HaplotypeMatrix, kinds: np.ndarray) -> None:
    clusters = Clusters.of(founded, 4, "haplotype")
    assert clusters is not None
    codes = clusters.codes(founded)
    assert len(clusters.centres) == codes.max() + 1 == 3  # ten rows are none of their own
    assert np.bincount(codes).min() >= FEWEST
    for kind in range(3):
        assert len(np.unique(codes[kinds == kind])) == 1
    assert np.array_equal(clusters.codes(founded.select_haplotypes(np.arange(20, 60))), codes[20:60])


def test_any_number_of_threads_finds_the_same(founded: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for threads in (1, 3):
        monkeypatch.setattr(_backend, "_threads", threads)
        clusters = Clusters.of(founded, 8, "haplotype")
        assert clusters is not None
        found.append(clusters.tensors())
    for name, value in found[0].items():
        assert np.array_equal(value, found[1][name]), name


def test_persons_are_clustered_by_both_haplotypes(founded: hf.HaplotypeMatrix) -> None:
    clusters = Clusters.of(founded, 3, "person")
    assert clusters is not None
    codes = clusters.codes(founded)
    assert len(codes) == founded.num_haplotypes // 2
    swapped = founded.select_haplotypes(np.arange(founded.num_haplotypes).reshape(-1, 2)[:, ::-1].ravel())
    assert np.array_equal(clusters.codes(swapped), codes)


@pytest.mark.parametrize(("rows", "count"), [(2 * FEWEST - 1, 8), (290, 1), (290, 0)])
def test_too_few_for_two(founded: hf.HaplotypeMatrix, rows: int, count: int) -> None:
    assert Clusters.of(founded.select_haplotypes(np.arange(rows)), count, "haplotype") is None


def test_few_different_rows_are_no_cause_for_a_warning() -> None:
    dense = np.random.default_rng(1).integers(0, 2, (200, 2), dtype=np.uint8)
    clusters = Clusters.of(hf.HaplotypeMatrix.from_dense(dense), 6, "haplotype")
    assert clusters is not None
    assert len(clusters.centres) == 4


@pytest.fixture(scope="module")
def model(founded: hf.HaplotypeMatrix) -> Diffusion:
    settings: dict[str, Any] = {"epochs": 2, "mlp_width": 16, "steps": 5, "backbone": "mlp", "batch_size": 48}
    return Diffusion(clusters=4, **settings).fit(founded, seed=2, validation=founded)


def test_a_diffusion_draws_clusters_by_their_sizes(model: Diffusion, founded: hf.HaplotypeMatrix) -> None:
    sizes = model.training["clusters"]
    assert all(0 <= size - known <= 10 for size, known in zip(sorted(sizes.values())[::-1], SIZES[:3], strict=True))
    assert sum(sizes.values()) == founded.num_haplotypes
    assert model.labels == []
    with pytest.raises(ValueError, match="labels: expected None, Diffusion is not conditional"):
        model.sample(4, labels="0")
    drawn = model.sample(3000, seed=5)
    assert drawn.samples.labels == {}
    codes = Clusters.of(founded, 4, "haplotype").codes(drawn)
    shares = np.bincount(codes, minlength=3) / len(codes)
    expected = np.array(list(sizes.values())) / founded.num_haplotypes
    assert np.abs(shares - expected).max() < 0.05
    assert np.array_equal(model.sample(77, seed=5).words, drawn.words[:77])


NETWORKS: dict[str, dict[str, Any]] = {
    "gan": {"latent_size": 8},
    "wgan": {"width": 2, "critic_steps": 2},
}


@pytest.mark.parametrize("unit", ["haplotype", "person"])
@pytest.mark.parametrize("name", NETWORKS)
def test_other_networks_draw_clusters_too(name: str, unit: str, founded: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Every row is of its cluster's few founders, which two epochs alone do not teach."""
    settings = {**NETWORKS[name], "epochs": 2, "batch_size": 48, "clusters": 4, "unit": unit}
    model = hf.models.by_name(name)(**settings).fit(founded, seed=2, validation=founded)
    sizes = np.array(list(model.training["clusters"].values()))
    assert sizes.sum() == founded.num_haplotypes
    assert len(sizes) == model.thresholds.shape[0] >= 2
    assert model.labels == []
    drawn = model.sample(2000, seed=5)
    clusters = Clusters.of(founded, 4, "haplotype" if unit == "haplotype" else "person")
    assert clusters is not None
    codes = clusters.codes(drawn)
    assert np.abs(np.bincount(codes, minlength=len(sizes)) / len(codes) - sizes / sizes.sum()).max() < 0.06
    for code in range(len(sizes)):
        rows = np.flatnonzero(np.repeat(clusters.codes(founded), 1 if unit == "haplotype" else 2) == code)
        mine = np.flatnonzero(np.repeat(codes, 1 if unit == "haplotype" else 2) == code)
        of = founded.select_haplotypes(rows).to_dense().mean(0) - drawn.select_haplotypes(mine).to_dense().mean(0)
        assert np.abs(of).mean() < 0.05
    model.save(tmp_path / "run")
    assert np.array_equal(hf.models.load(tmp_path / "run").sample(50, seed=1).words, model.sample(50, seed=1).words)


@pytest.mark.parametrize("label", ["", "group"])
def test_latent_values_of_a_vae_are_as_its_rows(label: str, founded: hf.HaplotypeMatrix) -> None:
    """Mean and variance of q over the rows of a cluster or label, by an encoder whose values are known."""
    H = founded.with_labels({"group": ["", "", *("ab"[i % 2] for i in range(288))]})
    model = hf.models.VAE(width=2, latent_channels=3, batch_size=48, shard=12, clusters=4, label=label)
    with model._learner(H, 3, None, "cpu") as learner:
        network = learner._network.network

        class Known(torch.nn.Module):
            def forward(self, x: torch.Tensor, labels: torch.Tensor, seen: Any) -> tuple[torch.Tensor, torch.Tensor]:
                mean = x[:, :, :12].reshape(-1, 3, 4) + labels[:, None, None]
                return mean, torch.full_like(mean, math.log(0.25))

        encoded: list[torch.Tensor] = []
        network.encoder = Known()
        alleles = learner._rows.alleles
        learner._rows.alleles = lambda rows, length: (encoded.append(rows), alleles(rows, length))[1]
        share, mean, deviation = learner._latents(network)
        parts, rows = learner._codes.numpy(), torch.cat(encoded).numpy()
    assert len(rows) == 288
    assert set(parts[rows]) == set(range(2 if label else 3))
    for part in range(len(share)):
        of = rows[parts[rows] == part]
        values = H.to_dense()[of][:, :12].reshape(-1, 3, 4) + (part if label else 0)
        assert float(share[part]) == pytest.approx(len(of) / 288)
        if len(of):
            assert np.allclose(mean[part], values.mean(0), atol=1e-5)
            assert np.allclose(deviation[part], np.sqrt(values.var(0) + 0.25), atol=1e-4)
        else:  # as all rows
            assert np.allclose(mean[part], H.to_dense()[rows][:, :12].reshape(-1, 3, 4).mean(0), atol=1e-5)


def test_draws_of_a_vae_are_of_the_mixture(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(vae.Decoder, "decode", lambda self, latents, labels, seen: latents)
    decoder = vae.Decoder(63, 2, 1, 2, False, parts=4)
    stream = np.random.default_rng(1)
    noise = [torch.from_numpy(stream.standard_normal((4000, *shape), np.float32)) for shape in decoder.noise_shapes]
    labels = torch.zeros(4000, dtype=torch.int64)
    assert torch.equal(decoder(noise, labels), noise[0])  # as it is made: N(0, 1)
    decoder.latent_share = torch.tensor([0.0, 0.3, 0.0, 0.7])
    decoder.latent_mean = torch.tensor([0.0, 100, 200, 300])[:, None, None].expand(4, 2, 4)
    decoder.latent_deviation = torch.tensor([0.0, 1, 2, 3])[:, None, None].expand(4, 2, 4)
    drawn = decoder(noise, labels)
    for part, share in ((1, 0.3), (3, 0.7)):
        mine = (drawn - 100 * part).abs().amax((1, 2)) < 50
        assert float(mine.float().mean()) == pytest.approx(share, abs=0.03)
        assert torch.allclose(drawn[mine], 100 * part + part * noise[0][mine])
    told = vae.Decoder(63, 2, 3, 2, False, parts=3)
    assert told.noise_shapes == [(2, 4)]
    told.latent_mean = torch.tensor([0.0, 100, 200])[:, None, None].expand(3, 2, 4)
    assert torch.equal(told(noise[:1], labels + 2), noise[0] + 200)


def test_a_vae_of_too_few_rows_for_clusters_takes_all(founded: hf.HaplotypeMatrix) -> None:
    """Persons, and a label of one of them: it is not drawn as this one is encoded."""
    H = founded.with_labels({"group": ["a", "a", *["b"] * 288]})
    for label in ("", "group"):
        some = H.select_haplotypes(np.arange(30))
        model = hf.models.VAE(width=2, epochs=1, unit="person", label=label, batch_size=10, shard=5).fit(some, seed=1)
        tensors = model._tensors()
        mean, share = tensors["network.latent_mean"], tensors["network.latent_share"]
        assert len(np.unique(mean, axis=0)) == 1
        assert mean.any()
        assert share[:2] == pytest.approx([1 / 15, 14 / 15] if label else [1, 0])


def test_a_vae_without_clusters_is_as_published(founded: hf.HaplotypeMatrix) -> None:
    tensors = hf.models.VAE("vae_16k", epochs=1, width=2).fit(founded)._tensors()
    assert tensors["network.latent_share"].tolist() == [1]
    assert not tensors["network.latent_mean"].any()
    assert (tensors["network.latent_deviation"] == 1).all()


@pytest.mark.parametrize("name", ["latent_share", "latent_deviation"])
def test_a_damaged_mixture_is_refused(name: str, founded: hf.HaplotypeMatrix) -> None:
    model = hf.models.VAE(epochs=1, width=2, clusters=3).fit(founded)
    tensors = model._tensors()
    assert len(np.unique(tensors["network.latent_mean"], axis=0)) > 2
    tensors[f"network.{name}"] = -tensors[f"network.{name}"]
    with pytest.raises(ValueError, match="latent_share, latent_deviation: expected"):
        model._restore(tensors)


def test_groups(founded: hf.HaplotypeMatrix) -> None:
    """Without a label or clusters all rows are of one; a label comes before clusters."""
    one = Groups.of(founded, "", 0, "person")
    assert (one.count, one.codes(founded).tolist()) == (1, [0] * 145)
    values = ["b", "b", "", "", *["a"] * 286]
    labelled = Groups.of(founded.with_labels({"group": values}), "group", 4, "person")
    assert (labelled.count, labelled.clusters, labelled.centres.shape) == (2, None, (0, 0))
    assert labelled.codes(founded.with_labels({"group": values}))[:3].tolist() == [1, -1, 0]


@pytest.mark.parametrize("name", ["wgan", "diffusion"])
def test_a_fit_that_is_refused_leaves_the_model_as_it_was(name: str, founded: hf.HaplotypeMatrix) -> None:
    small = {"width": 2, "critic_steps": 2} if name == "wgan" else {"mlp_width": 8, "steps": 3, "backbone": "dense"}
    model = hf.models.by_name(name)(**small, epochs=1, clusters=4).fit(founded, seed=1)
    before = model._tensors()
    with pytest.raises(ValueError, match=r"validation: expected (a|3) haplotypes? or more"):
        model.fit(founded.select_haplotypes(np.arange(140)), validation=founded.select_haplotypes([]))
    assert before.keys() == model._tensors().keys()
    for name, value in model._tensors().items():
        assert np.array_equal(before[name], value), name


def test_rows_that_are_alike_are_no_clusters() -> None:
    H = hf.HaplotypeMatrix.from_dense(np.tile(np.arange(30, dtype=np.uint8) % 2, (100, 1)))
    assert Clusters.of(H, 4, "haplotype") is None
    assert np.array_equal(hf.models.VAE(width=2, epochs=1).fit(H).sample(4).to_dense(), H.to_dense()[:4])


def test_a_pack_is_of_one_cluster(founded: hf.HaplotypeMatrix) -> None:
    model = hf.models.WGAN(width=2, clusters=4, pack=50, batch_size=50, epochs=40)
    with pytest.raises(ValueError, match=r"H: expected 50 rows or more in every cluster, found 4[0-9]"):
        model.fit(founded)


def test_haplotypes_of_a_person_are_drawn_for_themselves(model: Diffusion) -> None:
    codes = model._how(2000, 3, None)[0]["codes"]
    assert (codes[::2] != codes[1::2]).any()


def test_saved_and_loaded(model: Diffusion, founded: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    model.save(tmp_path / "run")
    loaded = hf.models.load(tmp_path / "run")
    assert np.array_equal(loaded.sample(50, seed=1).words, model.sample(50, seed=1).words)
    assert np.array_equal(loaded.denoising(founded, levels=3).loss, model.denoising(founded, levels=3).loss)


@pytest.mark.parametrize("damage", ["shape", "value", "sizes", "sum", "list", "none"])
def test_damaged_clusters_are_refused(model: Diffusion, damage: str) -> None:
    tensors = model._tensors()
    other = copy.copy(model)
    other.training = dict(model.training)
    match damage:
        case "shape":
            tensors["clusters.centres"] = tensors["clusters.centres"][1:]
        case "value":
            tensors["clusters.centres"] = np.full_like(tensors["clusters.centres"], np.nan)
        case "sizes":
            other.training["clusters"] = {"0": 0, "1": 290, "2": 0}
        case "sum":
            other.training["clusters"] = {"0": 2**70, "1": 290, "2": 1}
        case "list":
            other.training["clusters"] = [1, 2]
        case "none":
            tensors = {name: value for name, value in tensors.items() if not name.startswith("clusters.")}
    with pytest.raises((KeyError, ValueError)):
        other._restore(tensors)


def test_labels_and_zero_leave_clusters_out(founded: hf.HaplotypeMatrix) -> None:
    settings: dict[str, Any] = {"epochs": 1, "mlp_width": 8, "steps": 3, "backbone": "dense"}
    labelled = founded.with_labels({"group": np.repeat(["a", "b"], 145).tolist()})
    for more, H in (({"clusters": 0}, founded), ({"label": "group"}, labelled)):
        model = Diffusion(**settings, **more).fit(H, seed=1)
        assert "clusters" not in model.training
        assert not [name for name in model._tensors() if name.startswith("clusters")]


def test_guidance_needs_clusters(founded: hf.HaplotypeMatrix) -> None:
    few = founded.select_haplotypes(np.arange(50))
    with pytest.raises(ValueError, match="guidance: expected a label or rows for two clusters, found 50 rows"):
        Diffusion(guidance=1.0, epochs=1).fit(few)


def test_training_goes_on_with_its_own_clusters_only(
    founded: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"epochs": 3, "mlp_width": 8, "steps": 3, "backbone": "dense"}

    def stop(state: Any) -> None:
        if state.epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Diffusion(**settings).fit(founded, seed=1, run=tmp_path / "run", checkpoint_every=1, callback=stop)
    of = Clusters.of
    with monkeypatch.context() as other:
        other.setattr(Clusters, "of", lambda H, _count, unit: of(H, 2, unit))
        with pytest.raises(ValueError, match="clusters: expected those that the training began with, found others"):
            Diffusion(**settings).fit(founded, seed=1, run=tmp_path / "run", resume=True)
    resumed = Diffusion(**settings).fit(founded, seed=1, run=tmp_path / "run", resume=True)
    whole = Diffusion(**settings).fit(founded, seed=1)
    for name, value in whole._tensors().items():
        assert np.array_equal(value, resumed._tensors()[name]), name

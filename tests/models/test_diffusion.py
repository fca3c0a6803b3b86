"""Diffusion: what is its own beside `test_networks`: denoising, samplers, guidance, genotypes, the full size."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge.cli import main

torch = pytest.importorskip("torch")

from hapforge.models._samplers import Schedule  # noqa: E402 - torch first
from hapforge.models.diffusion import Diffusion, NoisePredictor  # noqa: E402 - torch first

SMALL: dict[str, Any] = {"epochs": 2, "mlp_width": 16, "cnn_width": 4, "steps": 5, "batch_size": 48, "shard": 12}


@pytest.fixture(scope="module")
def small(cohort: hf.HaplotypeMatrix) -> hf.HaplotypeMatrix:
    dense = cohort.select_haplotypes(np.arange(100)).select_sites(np.arange(60)).to_dense()
    made = hf.HaplotypeMatrix.from_dense(dense)
    return made.with_labels({"group": np.repeat([f"g{i % 2}" for i in range(50)], 2).tolist()})


@pytest.mark.parametrize("predicts", ["noise", "velocity"])
def test_what_the_backbone_predicts(predicts: str) -> None:
    """Of one that knows all: the noise is right, the loss is 0, and away from it as the definition says."""
    schedule = Schedule.of("linear", 10)
    x, noise = torch.randn(2, 3, 4, 2, dtype=torch.float64)
    t = torch.tensor([1, 5, 10])
    kept = torch.from_numpy(schedule.kept)[t][:, None, None]
    of = noise if predicts == "noise" else kept.sqrt() * noise - (1 - kept).sqrt() * x

    class Knows(torch.nn.Module):
        off = 0.0

        def forward(self, *_: Any) -> Any:
            return of + self.off

    knows = Knows()
    network = NoisePredictor(knows, np.ones((4, 2), bool), schedule, predicts).double()
    noised = schedule.noised(x, noise, t)
    assert torch.allclose(network(noised, t, t), noise, atol=1e-6)
    knows.off = 0.5
    of_noise = (network(noised, t, t) - noise).square().mean((1, 2))
    assert torch.allclose(network.loss(of_noise, t), torch.full((3,), 0.25, dtype=torch.float64), rtol=1e-3)


@pytest.mark.parametrize("backbone", ["dense", "mlp", "cnn", "mlp+cnn", "transformer"])
def test_every_backbone_learns_and_denoises(backbone: str) -> None:
    """Rows of two kinds: the loss falls, and the one-shot error rises with the noise."""
    rng = np.random.default_rng(1)
    kind = rng.integers(0, 2, (100, 1))
    H = hf.HaplotypeMatrix.from_dense((rng.random((100, 60)) < np.where(kind, 0.9, 0.1)).astype(np.uint8))
    settings = {**SMALL, "epochs": 6, "shard": 48, "learning_rate": 1e-2, "ema": 0.0, "steps": 20}
    told: list[float] = []
    of = {"backbone": backbone, "transformer_width": 12, "transformer_layers": 1}
    model = Diffusion(**settings, **of, sampler="dpm", sampling_steps=3).fit(
        H, validation=H, callback=lambda state: told.append(state.metrics["noise_error_validation"]) and False
    )
    assert told[-1] < 0.99 * told[0]
    found = model.denoising(H, levels=4)
    assert found.step.tolist() == [1, 7, 14, 20]
    assert np.allclose(found.noise, np.sqrt(1 - Schedule.of("linear", 20).kept[found.step]))
    assert (np.diff(found.error) > 0).all()
    assert np.isnan(found.share_of_cnn).all() == (backbone != "mlp+cnn")
    assert model.sample(10).shape == (10, 60)


@pytest.mark.parametrize(
    "settings", [{"sampler": "ddim"}, {"sampler": "dpm", "sampling_steps": 3}, {"schedule": "cosine"}]
)
def test_samplers_draw_what_their_seed_says(settings: dict, small: Any) -> None:
    plain = {**SMALL, "sampler": "ddpm"}
    model = Diffusion(**{**plain, **settings}).fit(small)
    assert np.array_equal(model.sample(300, seed=2).words[:9], model.sample(9, seed=2).words)
    assert not np.array_equal(model.sample(9, seed=2).words, Diffusion(**plain).fit(small).sample(9, seed=2).words)


def test_guidance_moves_draws_to_their_label(small: Any) -> None:
    """Two labels that differ at ten sites, where values of unguided draws lie between."""
    dense = small.to_dense()
    dense[:, :10] = (small.samples.labels["group"] == "g1")[:, None]
    H = hf.HaplotypeMatrix.from_dense(dense).with_labels({"group": small.samples.labels["group"].tolist()})
    far = []
    for guidance in (0.0, 4.0):
        settings = {**SMALL, "epochs": 8, "shard": 48, "backbone": "mlp", "learning_rate": 1e-2, "label": "group"}
        model = Diffusion(**settings, guidance=guidance).fit(H)
        means = [model.sample(200, labels=name, alleles="bernoulli").to_dense()[:, :10].mean() for name in ("g0", "g1")]
        far.append(means[1] - means[0])
    assert 0 < far[0] < far[1]


def test_persons_are_drawn_as_genotypes(small: Any, tmp_path: Path) -> None:
    model = Diffusion(**SMALL, unit="person").fit(small)
    drawn = model.sample(2000, seed=1)
    assert not drawn.samples.phased.any()

    def shares(H: Any) -> np.ndarray:
        dense = H.to_dense()
        genotypes = dense[::2] + dense[1::2]
        return np.stack([(genotypes == count).mean(0) for count in range(3)])

    assert np.abs(shares(drawn) - shares(small)).max() < 0.06  # both thresholds hold
    rounded = model.sample(400, seed=1, alleles="round").to_dense()
    assert (rounded[::2] <= rounded[1::2]).all()  # an allele that is one of two is the second
    model.save(tmp_path / "m")
    assert np.array_equal(hf.models.load(tmp_path / "m").sample(20, seed=1).words, drawn.words[:20])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backbone": "unet"}, "backbone: expected one of dense, mlp, cnn, mlp+cnn, transformer, found 'unet'"),
        ({"embedding": "umap"}, "embedding: expected one of genes, cohort, found 'umap'"),
        ({"sampler": "euler"}, "sampler: expected one of ddpm, ddim, dpm, found 'euler'"),
        ({"schedule": "sigmoid"}, "schedule: expected one of linear, cosine, found 'sigmoid'"),
        ({"predicts": "data"}, "predicts: expected one of noise, velocity, found 'data'"),
        ({"steps": 1}, "steps: expected 2 or more, found 1"),
        (
            {"guidance": 1.0, "clusters": 0},
            "guidance: expected a label or clusters, and label_dropout, beside it, found none",
        ),
        ({"clusters": -1}, "clusters: expected 0 or more, found -1"),
        ({"label_dropout": 1.0}, "label_dropout: expected 0 or more and below 1, found 1.0"),
        ({"mlp_width": 0}, "mlp_width: expected 1 or more, found 0"),
    ],
)
def test_bad_settings_are_named(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        Diffusion(**settings)


def test_train_generate_and_info(small: Any, tmp_path: Path, capsys: Any) -> None:
    """VCF in, VCF out, with the same sites; what is shown of the network."""
    hf.write(hf.HaplotypeMatrix.from_dense(small.to_dense(), contig="1"), tmp_path / "in.vcf.gz")
    settings = [word for key, value in SMALL.items() for word in ("--set", f"{key}={value}")]
    data, run, out = str(tmp_path / "in.vcf.gz"), str(tmp_path / "run"), str(tmp_path / "out.vcf.gz")
    for words in (
        ["train", "diffusion", data, "-o", run, "-q", *settings],
        ["generate", run, "-n", "30", "-o", out, "-q", "--set", "alleles=round"],
        ["info", run],
    ):
        sys.argv = ["hapforge", *words]
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code in (0, None), words
    assert hf.read(out).sites == hf.read(data).sites
    shown = dict(line.split(None, 1) for line in capsys.readouterr().out.splitlines() if line.startswith("network."))
    model = hf.models.load(run)
    assert (int(shown["network.positions"]), int(shown["network.channels"])) == model.embedding.shape
    assert int(shown["network.parameters"]) == sum(value.numel() for value in model._network.parameters())
    told = model.training["denoising"]["training"]
    assert told["loss"] == pytest.approx(model.denoising(hf.read(data)).loss, rel=1e-4)
    assert "One-shot error" in (tmp_path / "run" / "report.html").read_text()


def test_genes_of_a_file(small: Any, tmp_path: Path) -> None:
    """Sites of genes and the windows between; another file is another run."""
    genes = tmp_path / "genes.bed"
    genes.write_text("1\t9\t20\tA\n1\t30\t41\tB\n")
    H = hf.HaplotypeMatrix.from_dense(small.to_dense(), np.arange(1, 61), contig="1")
    settings = {**SMALL, "genes": str(genes), "max_distance_bp": 2}

    def stop(state: Any) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Diffusion(**settings).fit(H, run=tmp_path / "run", callback=stop)
    model = Diffusion(**settings).fit(H, run=tmp_path / "run", resume=True)
    assert {"A", "B"} <= set(model.embedding.layout.name.tolist())
    assert np.array_equal(hf.models.load(tmp_path / "run").sample(9).words, model.sample(9).words)
    with pytest.raises(KeyboardInterrupt):
        Diffusion(**settings).fit(H, run=tmp_path / "run", callback=stop, overwrite=True)
    genes.write_text("1\t9\t20\tA\n")
    with pytest.raises(ValueError, match="expected to resume with the same genes_sha256"):
        Diffusion(**settings).fit(H, run=tmp_path / "run", resume=True)
    genes.unlink()
    with pytest.raises(FileNotFoundError):
        Diffusion(**settings).fit(H)


@pytest.mark.slow
def test_the_full_size_in_20_gb() -> None:
    """26,624 genes of 8 values, the widths of the paper: an update and a step of sampling."""
    program = """
import numpy as np, resource
import hapforge as hf
rows, genes = 16, 26_624
dense = np.random.default_rng(1).integers(0, 2, (rows, 8 * genes), np.uint8)
H = hf.HaplotypeMatrix.from_dense(dense)
model = hf.models.by_name("diffusion")("diffusion_genome", epochs=1, batch_size=rows, sampling_steps=1, window=8)
told = []
model.fit(H, callback=lambda state: told.append(state.metrics["loss"]) and False)
assert model.embedding.shape == (genes, 8)
assert 0.5 < told[0] < 2
assert model.sample(2, alleles="round").shape == (2, 8 * genes)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 20e9

"""Whole published training steps of WGAN and VAE on two threads: ours against a plain implementation in torch.

    python benchmarks/bench_network_step.py            writes results/network_step.json

A WGAN step is 10 updates of the critic, each with its own draws and gradient penalty, and one of the generator (Yelmen
et al. 2023, width 10, batch 96, packs of 3); a VAE step is one update. The plain one has the same blocks as torch.nn
modules, takes the batch as a whole and lets torch share out threads within each operation; ours takes shards of 24
rows, one a thread, by the kernels of csrc/kernels/convolution and normalisation. It is right where it has as many
parameters and a finite loss. Times are wall times, interleaved.
"""

from __future__ import annotations

import statistics
import time
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import workloads
from torch import nn
from torch.nn import functional

import hapforge as hf
from hapforge import _backend
from hapforge.models import _convolutions, vae, wgan

THREADS, ROWS, WIDTH = 2, 96, 10
RUNS = {("wgan", 805): 5, ("vae", 805): 9, ("vae", 8076): 3}  # repeats


def convolutions(block: Any, extra: int, norm: Any, plain: bool = False) -> nn.Sequential:
    channels, lengths = block.channels, block.lengths
    layers: list[nn.Module] = []
    for i, ((before, after), (a, b)) in enumerate(zip(pairwise(lengths), pairwise(channels), strict=True)):
        padding = 1 if before == after or {before, after} == {4, 7} else 0
        last = plain and i == len(lengths) - 2
        kind = nn.ConvTranspose1d if after > before else nn.Conv1d
        stride = 1 if before == after else 2
        layers.append(kind(a + extra * (i == 0), b, 3, stride=stride, padding=padding, bias=last))
        layers += [] if last else [norm(b), nn.LeakyReLU(0.01)]
    return nn.Sequential(*layers)


class Grow(nn.Module):
    def __init__(self, length: int, first: int, noise: int) -> None:
        super().__init__()
        self.blocks, self.noise = _convolutions.blocks_of(length, WIDTH, first), noise
        self.parts, self.locations = nn.ModuleList(), nn.ParameterList()
        for block in self.blocks:
            joined = block.kind not in ("head", "residual")
            self.parts.append(convolutions(block, joined * (1 + noise), nn.BatchNorm1d, block.kind == "output"))
            self.locations.append(nn.Parameter(torch.zeros(1, 1, block.lengths[0] if joined else 0)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block, part, location in zip(self.blocks, self.parts, self.locations, strict=True):
            if block.kind == "residual":
                x = x + part(x)
            elif block.kind == "head":
                x = part(x)
            else:
                noise = [torch.randn(len(x), self.noise, block.lengths[0])] if self.noise else []
                x = part(torch.cat([x, location.expand(len(x), -1, -1), *noise], 1))
        return x


class Shrink(nn.Module):
    def __init__(self, length: int, pack: int, norm: Any, last: int) -> None:
        super().__init__()
        self.blocks = _convolutions.mirrored(_convolutions.blocks_of(length, WIDTH, 1), pack)
        self.parts, self.locations = nn.ModuleList(), nn.ParameterList()
        for block in self.blocks:
            joined = block.kind != "residual"
            self.parts.append(convolutions(block, int(joined), norm))
            self.locations.append(nn.Parameter(torch.zeros(1, 1, block.lengths[0] if joined else 0)))
        self.last = nn.Conv1d(self.blocks[-1].channels[-1], last, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block, part, location in zip(self.blocks, self.parts, self.locations, strict=True):
            x = x + part(x) if block.kind == "residual" else part(torch.cat([x, location.expand(len(x), -1, -1)], 1))
        return self.last(x)


def plain_wgan(real: torch.Tensor, length: int) -> tuple[Any, int]:
    generator = Grow(length, 2, 2)
    critic = nn.Sequential(
        Shrink(length, 3, lambda channels: nn.InstanceNorm1d(channels, affine=True), 1), nn.Flatten(), nn.Linear(4, 1)
    )
    adam = [torch.optim.Adam(network.parameters(), 5e-4, (0.5, 0.9)) for network in (generator, critic)]

    def drawn() -> torch.Tensor:
        return torch.sigmoid(generator(torch.randn(ROWS, 2, 4))).reshape(ROWS // 3, 3, length)

    def step() -> float:
        for _ in range(10):
            adam[1].zero_grad()
            x = (real + 0.1 * torch.rand_like(real)).reshape(ROWS // 3, 3, length)
            y = drawn().detach()
            share = torch.rand(ROWS // 3, 1, 1)
            between = (share * x + (1 - share) * y).requires_grad_()
            (slope,) = torch.autograd.grad(critic(between).sum(), between, create_graph=True)
            penalty = (slope.flatten(1).norm(2, 1) - 1).square().mean()
            loss = critic(y).mean() - critic(x).mean() + 10 * penalty
            loss.backward()
            adam[1].step()
        adam[0].zero_grad()
        of_generator = -critic(drawn()).mean()
        of_generator.backward()
        adam[0].step()
        return float(loss.detach()) + float(of_generator.detach())

    return step, sum(p.numel() for network in (generator, critic) for p in network.parameters())


def plain_vae(real: torch.Tensor, length: int, sites: int) -> tuple[Any, int]:
    encoder, decoder = Shrink(length, 1, nn.BatchNorm1d, 64), Grow(length, 32, 0)
    parameters = [*encoder.parameters(), *decoder.parameters()]
    adam = torch.optim.Adam(parameters, 1e-3)

    def step() -> float:
        adam.zero_grad()
        mean, log_variance = encoder(real).chunk(2, 1)
        logits = decoder(mean + torch.randn_like(mean) * (log_variance / 2).exp())
        loss = functional.binary_cross_entropy_with_logits(logits[..., :sites], real[..., :sites], reduction="sum")
        loss = (loss + (mean.square() + log_variance.exp() - 1 - log_variance).sum() / 2) / (ROWS * sites)
        loss.backward()
        adam.step()
        return float(loss.detach())

    return step, sum(p.numel() for p in parameters)


def measured(name: str, sites: int, repeats: int) -> dict[str, Any]:
    length = _convolutions.padded_length(sites)
    dense = workloads.cohort(ROWS, sites)
    H = hf.HaplotypeMatrix.from_dense(dense)
    real = torch.zeros(ROWS, 1, length)
    real[:, 0, :sites] = torch.from_numpy(dense).float()
    torch.manual_seed(1)
    plain, parameters = plain_wgan(real, length) if name == "wgan" else plain_vae(real, length, sites)
    kind = wgan.WGAN if name == "wgan" else vae.VAE
    seconds: dict[str, list[float]] = {"hapforge": [], "torch, plain": []}
    with kind(ema=0.0, by_site=False, clusters=0)._learner(H, 1, None, "cpu") as learner:
        units = learner._rows.units(1)

        def ours() -> float:
            if name == "wgan":
                losses = [learner.critic_update(units, 1, batch)[0] for batch in range(10)]
                return losses[-1] + learner.generator_update(5e-4, 1, 0)
            gradient, *losses = learner._sums(learner._rows, units[:, 0], 1.0, "train", 1, 1)
            learner._network.update(gradient, 1e-3)
            return float(sum(losses))

        trained = (learner._generator, learner._critic) if name == "wgan" else (learner._network,)
        if sum(len(one.flat) for one in trained) != parameters:
            raise AssertionError(f"{name}: {parameters} parameters in the plain one, others in ours")
        for repeat in range(repeats + 1):
            for candidate, call, threads in (("hapforge", ours, 1), ("torch, plain", plain, THREADS)):
                torch.set_num_threads(threads)
                start = time.perf_counter()
                if not np.isfinite(call()):
                    raise AssertionError(f"{name}: {candidate} gives no finite loss")
                if repeat:  # the first warms up
                    seconds[candidate].append(time.perf_counter() - start)
        torch.set_num_threads(1)
    medians = {candidate: statistics.median(values) for candidate, values in seconds.items()}
    entry = {
        "workload": f"{name} step, {ROWS} x {sites} sites (padded to {length}), width {WIDTH}",
        "threads": THREADS,
        "parameters": parameters,
        "wall_seconds": {
            candidate: {"median": round(medians[candidate], 4), "low": round(min(v), 4), "high": round(max(v), 4)}
            for candidate, v in seconds.items()
        },
        "plain_over_ours": round(medians["torch, plain"] / medians["hapforge"], 2),
    }
    print(entry)
    return entry


if __name__ == "__main__":
    _backend.set_threads(THREADS)
    entries = [measured(*run, repeats) for run, repeats in RUNS.items()]
    workloads.write_results("network_step", entries, {"torch": torch.__version__})

"""What benchmarks/gpu.py times: each kernel on torch tensors of a device, beside torch's own formulations.

    python benchmarks/gpu_cases.py KERNEL SECONDS BYTES_PER_SECOND [--quick]

prints a line of JSON for each workload. Every answer is compared before its time is told: ours with an independent
formulation, on all of it or on what "checked" names, and each peer's with ours. Times are those between two CUDA events
on a stream of the caller; inputs are on the device, and so are results (but for the few numbers of `ld_decay`). Torch
multiplies 0/1 matrices in int8 or bf16, which is exact; what follows a product is compiled. Sites are independent, with
frequencies from Beta(0.3, 1), and some rows twice: no kernel here does less work for other data.

The limit of a workload is the greater of the times for its bytes (by the copy bandwidth that was measured on this
device) and for its operations, one for each pair of bits (by the better of CEILINGS).
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from hapforge import kernels
from hapforge.kernels._inputs import as_packed

Tensor = torch.Tensor

CEILINGS = {"popc": 1.24e14, "int8": 1e15}
"""Pairs of bits per second that an H200 can compare at most: by its popc units, by its int8 tensor cores."""
BLOCK = 8192  # rows of a tile of the formulations by torch
FAR = 1 << 20  # more than any distance
device = torch.device("cuda")
backend = "auto"  # that of the data


@dataclass(frozen=True)
class Case:
    """A workload.

    Attributes
    ----------
    workload : what is computed, with its sizes
    ours : the call to time
    peers : name -> call
    same : (our answer, a peer's) -> whether they agree
    operations : pairs of bits to compare
    moved : bytes to read and to write at least
    right : whether our answer is right, by an independent computation, which `checked` names
    """

    workload: str
    ours: Callable[[], Any]
    peers: dict[str, Callable[[], Any]]
    same: Callable[[Any, Any], bool]
    operations: int
    moved: int
    right: Callable[[Any], bool]
    checked: str
    absent: dict[str, str] = field(default_factory=dict)


# ---- data


def round_up(n: int, multiple: int) -> int:
    return -(-n // multiple) * multiple


def bits(rows: int, sites: int, seed: int, *, common: bool = False) -> Tensor:
    """Random 0/1, uint8 (rows, sites and zeros up to a multiple of 64); `common`: no site is rare."""
    generator = torch.Generator(device).manual_seed(seed)
    frequency = torch.rand(sites, generator=generator, device=device)
    frequency = 0.1 + 0.8 * frequency if common else frequency ** (1 / 0.3)
    dense = torch.zeros(rows, round_up(sites, 64), dtype=torch.uint8, device=device)
    for some in dense.split(max(1, (1 << 28) // sites)):
        some[:, :sites] = torch.rand(len(some), sites, generator=generator, device=device) < frequency
    twice = dense[1::97]
    twice.copy_(dense[0::97][: len(twice)].clone())
    return dense


def octets_by_torch(dense: Tensor) -> Tensor:
    """Packed rows as bytes."""
    shifts = torch.arange(8, dtype=torch.uint8, device=dense.device)
    return (dense.view(len(dense), -1, 8) << shifts).sum(2, dtype=torch.uint8)


def packed_by_torch(dense: Tensor) -> Tensor:
    """uint64 (n, words_per_row)."""
    return octets_by_torch(dense).view(torch.uint64)


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, dynamic=False) if device.type == "cuda" else function


def operand(dense: Tensor, how: str) -> Tensor:
    """0/1 as a factor of `product`."""
    return dense.view(torch.int8) if how == "int8" else dense.to(torch.bfloat16)


def product(x: Tensor, y: Tensor) -> Tensor:
    """x times the transpose of y, exact: int32 of int8, float32 of bfloat16."""
    if x.dtype == torch.int8:
        return torch._int_mm(x, y.T)
    if device.type == "cuda":
        return torch.mm(x, y.T, out_dtype=torch.float32)
    return x.float() @ y.float().T


def int64(array: Any) -> Tensor:
    """A result of ours, on the device."""
    return (array if isinstance(array, Tensor) else torch.as_tensor(array)).to(device, torch.int64)


def tiles(size: int) -> Iterator[tuple[slice, slice]]:
    """Of the pairs of rows i <= j."""
    for i in range(0, size, BLOCK):
        for j in range(i, size, BLOCK):
            yield slice(i, min(i + BLOCK, size)), slice(j, min(j + BLOCK, size))


# ---- nearest neighbours


def joint_by_torch(a: Tensor, b: Tensor, how: str) -> Callable[[], list[Tensor]]:
    """Least distances (aa, ab, ba, bb), each pair of rows once: running minima over tiles, without indices."""
    block = min(BLOCK, round_up(max(len(a), len(b)), 32))
    parts: list[tuple[int, slice, Tensor, Tensor]] = []
    for of, dense in enumerate((a, b)):
        for first in range(0, len(dense), block):
            rows = torch.zeros(block, dense.shape[1], dtype=torch.uint8, device=device)
            here = dense[first : first + block]
            rows[: len(here)] = here
            ones = rows.sum(1, dtype=torch.int32)
            ones[len(here) :] = 2 * FAR
            x = operand(rows, how)
            parts.append((of, slice(first, first + block), x, ones if how == "int8" else ones.float()))

    @compiled
    def least(found: Tensor, ones_x: Tensor, ones_y: Tensor, diagonal: bool) -> tuple[Tensor, Tensor]:
        distance = ones_x[:, None] + ones_y - 2 * found
        if diagonal:
            at = torch.arange(len(distance), device=distance.device)
            distance = torch.where(at[:, None] == at, 2 * FAR, distance)
        return distance.amin(1), distance.amin(0)

    def call() -> list[Tensor]:
        sizes = [round_up(len(dense), block) for dense in (a, b)]
        best = [[torch.full((n,), FAR, dtype=parts[0][3].dtype, device=device) for _ in "ab"] for n in sizes]
        for i, (s, rows, x, ones_x) in enumerate(parts):
            for j, (t, columns, y, ones_y) in enumerate(parts[i:], i):
                of_rows, of_columns = least(product(x, y), ones_x, ones_y, i == j)
                for found, where, new in ((best[s][t], rows, of_rows), (best[t][s], columns, of_columns)):
                    torch.minimum(found[where], new, out=found[where])
        return [best[s][t][: (len(a), len(b))[s]] for s in (0, 1) for t in (0, 1)]

    return call


def some_are_nearest(neighbours: Any, own: Tensor, targets: Tensor, exclude_self: bool) -> bool:
    """Whether index and distance of 32 rows are right, the lower index first where targets tie."""
    chosen = torch.arange(32, device=device) * (len(own) // 32)
    distance = own[chosen].sum(1, dtype=torch.int64)[:, None] + targets.sum(1, dtype=torch.int64)
    distance -= 2 * product(own[chosen].view(torch.int8), targets.view(torch.int8))
    if exclude_self:
        distance[torch.arange(32, device=device), chosen] = FAR
    keys = (distance << 32).add_(torch.arange(len(targets), device=device)).amin(1)
    index, least = int64(neighbours.index)[chosen, 0], int64(neighbours.distance)[chosen, 0]
    return torch.equal(keys, (least << 32) + index)


def same_distances(neighbours: Any, theirs: Tensor) -> bool:
    return torch.equal(int64(neighbours.distance)[:, 0], int64(theirs).ravel())


def same_sets(found: kernels.NearestSet, theirs: list[Tensor]) -> bool:
    aa, ab, ba, bb = theirs
    sets = [(found.a_distance, found.a_sets, aa, ab), (found.b_distance, found.b_sets, ba, bb)]
    return all(
        torch.equal(int64(least), int64(torch.minimum(in_a, in_b)))
        and torch.equal(int64(which), (in_a <= in_b).long() + 2 * (in_b <= in_a))
        for least, which, in_a, in_b in sets
    )


def nearest_neighbours(quick: bool) -> Iterator[Case]:
    sizes = [(320, 700)] if quick else [(5008, 10_000), (5008, 65_535), (100_000, 10_000), (1_000_000, 10_000)]
    checked = "index and distance of 32 rows of a set, by torch int8; peers: all distances"
    for n, sites in sizes:
        a, b = bits(n, sites, 0), bits(n, sites, 1)
        b[:: n // 50] = a[:: n // 50]
        x, y = (packed_by_torch(dense) for dense in (a, b))
        rows = (x, sites), (y, sites)
        sets = (a, a, True), (a, b, False), (b, a, False), (b, b, True)
        peers = {f"torch {how}, distances only": joint_by_torch(a, b, how) for how in ("int8", "bf16")}
        yield Case(
            f"joint_nearest_neighbours {n} + {n} x {sites}, k = 1",
            lambda rows=rows: kernels.joint_nearest_neighbours(*rows, backend=backend),
            peers,
            lambda found, theirs: all(map(same_distances, found, theirs)),
            math.comb(2 * n, 2) * sites,
            x.nbytes + y.nbytes + 4 * n * 12,
            lambda found, sets=sets: all(some_are_nearest(one, *of) for one, of in zip(found, sets, strict=True)),
            checked,
        )
        if n > 100_000:
            return
        yield Case(
            f"nearest_set {n} + {n} x {sites}",
            lambda rows=rows: kernels.nearest_set(*rows, backend=backend),
            peers,
            same_sets,
            math.comb(2 * n, 2) * sites,
            x.nbytes + y.nbytes + 2 * n * 5,
            lambda found, peers=peers: same_sets(found, peers["torch int8, distances only"]()),
            "torch int8, all of it",
        )
        peers, absent = {}, {}
        for name, make in (("faiss", faiss_binary), ("cuml", cuml_brute), ("cuvs", cuvs_brute)):
            try:
                peers[name] = make(a, b, x, y)
            except ImportError as error:
                absent[name] = f"not installed ({error})"
        yield Case(
            f"nearest_neighbours {n} in {n} x {sites}, k = 1",
            lambda rows=rows: kernels.nearest_neighbours(*rows, backend=backend),
            peers,
            same_distances,
            n * n * sites,
            x.nbytes + y.nbytes + 12 * n,
            lambda found, sets=sets: some_are_nearest(found, *sets[1]),
            checked,
            absent,
        )


def faiss_binary(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> Callable[[], Any]:
    import faiss

    index = faiss.GpuIndexBinaryFlat(faiss.StandardGpuResources(), 64 * x.shape[1])
    queries, targets = (words.view(torch.uint8).cpu().numpy() for words in (x, y))
    index.add(targets)
    return lambda: index.search(queries, 1)[0]


def cuml_brute(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> Callable[[], Any]:
    from cuml.neighbors import NearestNeighbors

    search = NearestNeighbors(n_neighbors=1, algorithm="brute", metric="sqeuclidean").fit(b.float())
    queries = a.float()
    return lambda: torch.as_tensor(search.kneighbors(queries)[0], device=device).round()


def cuvs_brute(a: Tensor, b: Tensor, x: Tensor, y: Tensor) -> Callable[[], Any]:
    from cuvs.neighbors import brute_force

    index, queries = brute_force.build(b.float(), metric="sqeuclidean"), a.float()
    return lambda: torch.as_tensor(brute_force.search(index, queries, 1)[0], device=device).round()


# ---- Hamming distances, counts, packing


def hamming_histogram(quick: bool) -> Iterator[Case]:
    n, sites = (320, 700) if quick else (100_000, 10_000)
    dense = bits(n, sites, 0)
    words, ones = packed_by_torch(dense), dense.sum(1, dtype=torch.int32)

    def peer(how: str) -> Callable[[], Tensor]:
        x = operand(dense, how)

        @compiled
        def distances(found: Tensor, ones_x: Tensor, ones_y: Tensor, ahead: Tensor) -> Tensor:
            i, j = [torch.arange(len(ones), device=found.device) for ones in (ones_x, ones_y)]
            distance = ones_x[:, None] + ones_y - 2 * found.to(torch.int32)
            return torch.where(j + ahead > i[:, None], distance, sites + 1)

        def call() -> Tensor:
            counts = torch.zeros(sites + 2, dtype=torch.int64, device=device)
            for here, there in tiles(n):
                ahead = torch.tensor(there.start - here.start, device=device)
                found = distances(product(x[here], x[there]), ones[here], ones[there], ahead)
                counts += torch.bincount(found.ravel(), minlength=sites + 2)
            return counts[:-1]

        return call

    peers = {f"torch {how}, bincount": peer(how) for how in ("int8", "bf16")}
    yield Case(
        f"hamming_histogram {n} x {sites}",
        lambda: kernels.hamming_histogram((words, sites), backend=backend),
        peers,
        same_integers,
        math.comb(n, 2) * sites,
        words.nbytes + 8 * sites,
        lambda found: same_integers(found, peers["torch int8, bincount"]()),
        "torch int8, all of it",
    )


def same_integers(found: Any, theirs: Tensor) -> bool:
    return torch.equal(int64(found), int64(theirs))


def near(found: Any, theirs: Tensor, most: float) -> bool:
    return bool((torch.as_tensor(found, device=device) - theirs).abs().max() <= most)


def allele_counts(quick: bool) -> Iterator[Case]:
    n, sites = (320, 700) if quick else (1_000_000, 10_000)
    dense = bits(n, sites, 0)
    words = packed_by_torch(dense)
    expected = sum(some.sum(0, dtype=torch.int64) for some in dense.split(1 << 16))[:sites]
    del dense

    @compiled
    def by_torch(octets: Tensor) -> Tensor:
        shifts = torch.arange(8, dtype=torch.uint8, device=octets.device)
        return (octets[:, :, None] >> shifts & 1).sum(0, dtype=torch.int32).ravel()[:sites]

    yield Case(
        f"allele_counts {n} x {sites}",
        lambda: kernels.allele_counts((words, sites), backend=backend),
        {"torch, packed bits": lambda: by_torch(words.view(torch.uint8))},
        same_integers,
        0,
        words.nbytes + 8 * sites,
        lambda found: same_integers(found, expected),
        "sums of the dense matrix by torch, all of it",
    )


def pack(quick: bool) -> Iterator[Case]:
    n, sites = (320, 704) if quick else (100_000, 10_048)
    dense = bits(n, sites, 0)
    words, by_torch = packed_by_torch(dense), compiled(octets_by_torch)
    peers, absent = {"torch": lambda: by_torch(dense)}, {}
    try:
        peers["cupy.packbits"] = cupy_packbits(dense)
    except ImportError as error:
        absent["cupy.packbits"] = f"not installed ({error})"
    yield Case(
        f"pack {n} x {sites}, values checked",
        lambda: as_packed(dense, "m", device=True).words,
        peers,
        lambda found, theirs: torch.equal(torch.from_dlpack(found), theirs.view(torch.uint64).view(n, -1)),
        0,
        dense.nbytes + words.nbytes,
        lambda found: torch.equal(torch.from_dlpack(found), words),
        "torch, all of it",
        absent,
    )


def cupy_packbits(dense: Tensor) -> Callable[[], Tensor]:
    import cupy

    array = cupy.from_dlpack(dense)

    def call() -> Tensor:
        with cupy.cuda.ExternalStream(torch.cuda.current_stream().cuda_stream):
            return torch.from_dlpack(cupy.packbits(array, bitorder="little"))

    return call


# ---- linkage disequilibrium, three sites


def turned(n: int, sites: int) -> tuple[Tensor, Tensor]:
    """Packed haplotypes, and sites as rows: uint8 (sites, n and zeros up to a multiple of 64)."""
    dense = bits(n, sites, 0, common=True)
    across = torch.zeros(sites, round_up(n, 64), dtype=torch.uint8, device=device)
    across[:, :n] = dense[:, :sites].T
    return packed_by_torch(dense), across


def scales(across: Tensor, n: int) -> tuple[Tensor, Tensor]:
    """Carriers of each site, and one over the root of carriers times others."""
    ones = across.sum(1, dtype=torch.float64)
    return ones, (ones * (n - ones)).rsqrt().float()


def r_squared(n11: Tensor, ones_x: Tensor, ones_y: Tensor, scale_x: Tensor, scale_y: Tensor, n: int) -> Tensor:
    covariance = (n11.double() * n - ones_x[:, None] * ones_y).float()
    return (covariance * scale_x[:, None] * scale_y) ** 2


def joint_counts(quick: bool) -> Iterator[Case]:
    n, sites = (96, 320) if quick else (5008, 10_000)
    words, across = turned(n, sites)
    ones, scale = scales(across, n)

    def peers(finish: Callable[[Tensor], Tensor]) -> dict[str, Callable[[], Tensor]]:
        finish = compiled(finish)
        factors = {f"torch {how}": operand(across, how) for how in ("int8", "bf16")}
        return {name: lambda x=x: finish(product(x, x)) for name, x in factors.items()}

    whole, r2 = peers(lambda found: found.to(torch.int64)), peers(lambda f: r_squared(f, ones, ones, scale, scale, n))
    for name, ours, same, theirs, size, checked in (
        ("joint_counts", kernels.joint_counts, same_integers, whole, 8, "torch int8, all of it"),
        ("ld_matrix", kernels.ld_matrix, lambda f, t: near(f, t, 5e-5), r2, 4, "torch int8, all of it, within 5e-5"),
    ):
        yield Case(
            f"{name} {sites} sites x {n}",
            lambda ours=ours: ours((words, sites), backend=backend),
            theirs,
            same,
            math.comb(sites + 1, 2) * n,
            words.nbytes + size * sites * sites,
            lambda found, same=same, theirs=theirs: same(found, theirs["torch int8"]()),
            checked,
        )


def ld_decay(quick: bool) -> Iterator[Case]:
    n, sites = (96, 640) if quick else (5008, 65_535)
    words, across = turned(n, sites)
    bins, edges = 100, np.linspace(0, sites, 101)
    apart = np.arange(1, sites)
    num_pairs = np.bincount(np.searchsorted(edges, apart, side="right") - 1, weights=sites - apart, minlength=bins)
    padding = round_up(sites, 64) - sites
    ones, scale = (torch.nn.functional.pad(one, (0, padding)) for one in scales(across, n))
    bounds = torch.as_tensor(edges, dtype=torch.float32, device=device)

    def peer(how: str) -> Callable[[], Tensor]:
        x = operand(torch.nn.functional.pad(across, (0, 0, 0, padding)), how)

        @compiled
        def sums(found: Tensor, ones_x: Tensor, ones_y: Tensor, scale_x: Tensor, scale_y: Tensor, ahead: Tensor):
            r2 = r_squared(found, ones_x, ones_y, scale_x, scale_y, n)
            i, j = [torch.arange(len(ones), device=found.device) for ones in (ones_x, ones_y)]
            distance = j + ahead - i[:, None]
            chosen = torch.bucketize(distance.float(), bounds, right=True) - 1
            chosen = torch.where((distance > 0) & (chosen < bins), chosen, bins)  # the last one holds the rest
            zeros = torch.zeros(len(ones_x), bins + 1, device=found.device)
            return zeros.scatter_add(1, chosen, r2).sum(0, dtype=torch.float64)

        def call() -> Tensor:
            total = torch.zeros(bins + 1, dtype=torch.float64, device=device)
            for here, there in tiles(len(x)):
                ahead = torch.tensor(there.start - here.start, device=device)
                given = product(x[here], x[there]), ones[here], ones[there], scale[here], scale[there]
                total += sums(*given, ahead)
            return total[:bins]

        return call

    def same(found: Any, theirs: Tensor) -> bool:
        return np.allclose(found.mean_r2 * found.num_pairs, theirs.cpu().numpy(), rtol=1e-3)

    peers = {f"torch {how}, scatter_add": peer(how) for how in ("int8", "bf16")}
    yield Case(
        f"ld_decay {sites} sites x {n}, all pairs, {bins} bins",
        lambda: kernels.ld_decay((words, sites), edges, backend=backend),
        peers,
        same,
        math.comb(sites, 2) * n,
        words.nbytes,
        lambda found: np.array_equal(found.num_pairs, num_pairs) and same(found, peers["torch int8, scatter_add"]()),
        "sums of r2 by torch int8, within 1e-3; numbers of pairs exactly",
    )


def three_point(quick: bool) -> Iterator[Case]:
    n, sites = (96, 40) if quick else (5008, 300)
    words, across = turned(n, sites)
    centred = across[:, :n].double()
    centred -= centred.mean(1, keepdim=True)
    i, j, k = triplets = torch.combinations(torch.arange(sites, device=device), 3).T

    def peer(precision: str) -> Callable[[], Tensor]:
        x = centred.float()

        @compiled
        def products(some: Tensor) -> Tensor:
            return ((some[:, None] * x).view(-1, n) @ x.T).view(-1, sites, sites) / n

        def call() -> Tensor:
            torch.set_float32_matmul_precision(precision)
            return torch.cat([products(some) for some in x.split(20)])[i, j, k]

        return call

    def right(found: Any) -> bool:
        chosen = torch.arange(0, len(i), len(i) // 1000, device=device)
        values = centred[triplets[:, chosen]].prod(0).mean(1)
        return near(torch.as_tensor(found, device=device)[chosen], values, 1e-12)

    yield Case(
        f"three_point_block {sites} sites x {n}",
        lambda: kernels.three_point_block((words, sites), backend=backend),
        {"torch float32": peer("highest"), "torch TF32": peer("high")},
        lambda found, theirs: near(found, theirs, 5e-4),
        len(i) * n,
        words.nbytes + 8 * len(i),
        right,
        "1000 triplets by torch float64, within 1e-12; peers: all, within 5e-4",
    )


# ---- Gibbs sampling


def unpacked_by_torch(words: Tensor, sites: int) -> Tensor:
    shifts = torch.arange(8, dtype=torch.uint8, device=device)
    return (words.view(torch.uint8)[:, :, None] >> shifts & 1).view(len(words), -1)[:, :sites]


def gibbs(quick: bool) -> Iterator[Case]:
    n, num_visible, num_hidden, steps = (96, 300, 72, 4) if quick else (5008, 10_000, 1000, 10)
    rng = np.random.default_rng(0)
    # as of a trained machine of 16 fractional bits; two digits of 8 bits a weight
    weights = np.clip(rng.normal(0, 0.04, (num_visible, num_hidden)) * 2**16, -32_639, 32_639).astype(np.int32)
    biases = [(rng.normal(at, 1, size) * 2**16).astype(np.int32) for at, size in ((-2, num_visible), (-1, num_hidden))]

    def machine(backend: str) -> kernels.GibbsMachine:
        return kernels.GibbsMachine(weights, *biases, fixed_point_bits=16, backend=backend)

    dense = bits(n, num_visible, 0)
    words, start = packed_by_torch(dense), dense[:, :num_visible]
    ours = machine("cuda" if device.type == "cuda" else backend)

    def call() -> kernels.GibbsState:
        return ours.run((words, num_visible), steps=steps, seed=1)

    def peer(dtype: torch.dtype) -> Callable[[], Tensor]:
        w, a, b = ((torch.as_tensor(part, device=device) / 2**16).to(dtype) for part in (weights, *biases))
        back = w.T.contiguous()

        @compiled
        def step(v: Tensor) -> Tensor:
            field = torch.addmm(b, v, w)
            h = (torch.rand(field.shape, device=field.device) < torch.sigmoid(field)).to(dtype)
            field = torch.addmm(a, h, back)
            return (torch.rand(field.shape, device=field.device) < torch.sigmoid(field)).to(dtype)

        def run() -> Tensor:
            torch.set_float32_matmul_precision("high")
            v = start.to(dtype)
            for _ in range(steps):
                v = step(v)
            return v

        return run

    def right(found: kernels.GibbsState) -> bool:
        cpu = machine(kernels.available_backends("gibbs")[0])
        expected = cpu.run((words[:64].cpu().numpy(), num_visible), steps=steps, seed=1)
        pairs = zip(found, expected, strict=True)
        return all(np.array_equal(torch.as_tensor(one[0]).cpu()[:64], other[0]) for one, other in pairs)

    def same(found: kernels.GibbsState, theirs: Tensor) -> bool:
        """The root mean square difference of allele frequencies, in standard errors; 1 is expected."""
        words = torch.as_tensor(found.visible[0], device=device)
        p, q = unpacked_by_torch(words, num_visible).double().mean(0), theirs.double().mean(0)
        variance = 2 * torch.clamp(p * (1 - p), min=1 / n) / n
        return bool(((p - q) ** 2 / variance).mean().sqrt() < 1.3)

    each = num_visible * num_hidden
    yield Case(
        f"gibbs, {steps} steps of {n} chains, {num_visible} x {num_hidden}",
        call,
        {"torch bf16": peer(torch.bfloat16), "torch TF32": peer(torch.float32)},
        same,
        steps * 2 * 2 * each * n,  # two layers, two digits
        steps * (2 * 2 * each + 2 * n * (num_visible + num_hidden) // 8),
        right,
        "64 chains by the CPU, every bit; peers: allele frequencies, within 1.3 standard errors",
    )
    state = call()
    v, h = (unpacked_by_torch(torch.as_tensor(one, device=device), m).T.contiguous() for one, m in state)
    yield Case(
        f"gibbs, counts <v h> of {n} chains, {num_visible} x {num_hidden}",
        lambda: ours.state_counts(state),
        counts_by_torch(v, h),
        lambda found, theirs: same_integers(found.both, theirs),
        each * n,
        n * (num_visible + num_hidden) // 8 + 8 * each,
        lambda found: same_integers(found.both, counts_by_torch(v, h)["torch int8"]()),
        "torch int8, all of it",
    )


def counts_by_torch(v: Tensor, h: Tensor) -> dict[str, Callable[[], Tensor]]:
    factors = {f"torch {how}": (operand(v, how), operand(h, how)) for how in ("int8", "bf16")}
    return {name: lambda x=x, y=y: product(x, y) for name, (x, y) in factors.items()}


KERNELS = {
    f.__name__: f
    for f in (pack, allele_counts, hamming_histogram, joint_counts, ld_decay, three_point, gibbs, nearest_neighbours)
}


# ---- timing


def timed(call: Callable[[], Any]) -> tuple[Any, float]:
    """The answer, and the seconds between two events on the current stream."""
    if device.type == "cpu":
        start = time.perf_counter()
        return call(), time.perf_counter() - start
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in "ab")
    begin.record()
    answer = call()
    end.record()
    end.synchronize()
    return answer, begin.elapsed_time(end) / 1000


def candidate(
    call: Callable[[], Any], agrees: Callable[[Any], bool], work: float, rate: float, until: float
) -> tuple[dict[str, Any], Any]:
    """Check and time one candidate; `rate`: seconds for each unit of work in the workload before, 0: not known."""
    left = until - time.monotonic()
    if rate * work > left:
        return {"left_out": f"{rate * work:.3g} s expected, {max(left, 0):.3g} s left"}, None
    try:
        answer, first = timed(call)
        found: dict[str, Any] = {"right": bool(agrees(answer))}
    except (RuntimeError, TypeError, ValueError, AttributeError) as error:  # out of memory, or a library that changed
        return {"failed": f"{type(error).__name__}: {error}"[:2000]}, None
    if max(first, 10) < 2 * rate * work:
        times = [first]  # it was to take long, so that little of it is what happens once
    else:
        times = [timed(call)[1]]
        times += [timed(call)[1] for _ in range(min(19, max(2, int(2 / times[0]))) if times[0] < 10 else 0)]
    low, median, high = (float(f"{of(times):.4g}") for of in (min, statistics.median, max))
    found |= {"median": median, "low": low, "high": high, "repeats": len(times)}
    return found, answer


def measure(case: Case, bandwidth: float, rates: dict[str, float], until: float) -> dict[str, Any]:
    """The entry of the result file; `rates` is brought up to date."""
    work = case.operations + case.moved
    ours, answer = candidate(case.ours, case.right, work, rates.get("hapforge", 0), until)
    found = {"hapforge": ours}
    for name, call in case.peers.items():
        if answer is not None:
            found[name], _ = candidate(call, lambda theirs: case.same(answer, theirs), work, rates.get(name, 0), until)
    rates |= {name: one["median"] / work for name, one in found.items() if "median" in one}
    floors = {name: case.operations / ceiling for name, ceiling in CEILINGS.items()}
    limit = max(case.moved / bandwidth, min(floors.values()))
    entry = {
        "workload": case.workload,
        "seconds": found,
        "checked": case.checked,
        "absent": case.absent,
        "operations": case.operations,
        "bytes": case.moved,
        "seconds_at_ceiling": {"bytes": case.moved / bandwidth, **floors},
        "limit_seconds": limit,
    }
    if "median" in ours:
        entry["fraction_of_limit"] = limit / ours["median"]
        entry["peer_over_ours"] = {
            name: one["median"] / ours["median"]
            for name, one in found.items()
            if name != "hapforge" and "median" in one and one["right"]
        }
    return entry


def run(kernel: str, *, quick: bool, bandwidth: float, until: float) -> Iterator[dict[str, Any]]:
    """Entries of a kernel's workloads; `until` by time.monotonic()."""
    rates: dict[str, float] = {}
    for case in KERNELS[kernel](quick):
        torch.compiler.reset()  # or a later workload's shapes would run as they are written
        torch.cuda.empty_cache()  # ours takes memory of the device, and not of torch
        yield measure(case, bandwidth, rates, until)


def copy_bandwidth() -> float:
    """Bytes per second that a copy on the device reads and writes."""
    from_, to = (torch.empty(4 << 30, dtype=torch.uint8, device=device) for _ in "ab")
    times = [timed(lambda: to.copy_(from_))[1] for _ in range(10)]
    return 2 * from_.nbytes / statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("kernel", choices=[*KERNELS, "bandwidth"])
    parser.add_argument("seconds", type=float)
    parser.add_argument("bandwidth", type=float, nargs="?", default=math.nan)
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    until = time.monotonic() + given.seconds
    with torch.cuda.stream(torch.cuda.Stream()):
        if given.kernel == "bandwidth":
            print(json.dumps({"copy_bytes_per_second": copy_bandwidth()}), flush=True)
            return
        for entry in run(given.kernel, quick=given.quick, bandwidth=given.bandwidth, until=until):
            print(json.dumps(entry), flush=True)


if __name__ == "__main__":
    main()

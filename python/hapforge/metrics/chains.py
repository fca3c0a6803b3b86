"""Nearest-neighbour chains: where does one come by going from neighbour to neighbour?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge._backend import map_threads
from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, philox
from hapforge.metrics._intervals import Interval, halves_interval
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import equal_subsamples
from hapforge.metrics.nearest import Subsample, halves_of
from hapforge.metrics.pool import SIDE_BY_SIDE, SYN, TRUTH, Pool, PoolSample

LONGEST = 5
LETTERS = "TS"
_FIRST_WIDTH = 8

PATTERNS: tuple[str, ...] = tuple(
    "".join(LETTERS[code >> place & 1] for place in range(size))
    for size in range(2, LONGEST + 1)
    for code in range(1 << size)
)
"""The 60 patterns of sizes 2 to 5, S synthetic and T truth."""

_IDEAL = np.array([0.5 ** len(pattern) for pattern in PATTERNS])


@dataclass(frozen=True)
class NearestChains:
    """Result of `nearest_chains`.

    Attributes
    ----------
    frequency : {pattern: share of all 2n chains of its size}; those of one size add up to 1, 2**-size each is ideal
    interval : {pattern: 95 % interval}, from the spread over 10 seeded halves of the rows: chains
        run into the same few rows, so that they are worth less than 2n independent ones
    error : float, greatest |frequency - 2**-size| over all 60 patterns
    error_interval : the same for it
    n : int, rows of each set
    """

    frequency: dict[str, float]
    interval: dict[str, Interval]
    error: float
    error_interval: Interval
    n: int


def nearest_chains(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, repeats: int = 10, seed: int = 0
) -> NearestChains:
    """Frequencies of truth (T) and synthetic (S) along chains of nearest neighbours of 2 to 5 haplotypes.

    A chain starts at each of the 2n haplotypes of both sets and goes to the nearest (Hamming) that it has not visited,
    and so on. Of several that are equally near one is drawn, each with the same chance: neither the order of rows nor
    copies favour a set.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 3 rows each
    repeats : int >= 1. Unequal sizes: the larger set is subsampled without replacement to the smaller n this many
        times, and frequencies are the mean over them. Equal sizes: everything once.
    seed : int >= 0, of subsamples and of draws among ties

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 3 rows, repeats below 1.

    References
    ----------
    Yelmen et al. 2023, methods, "Nearest neighbour chain analysis", and table 1.
    """
    check_same_sites(real=real, synthetic=synthetic)
    subsamples = equal_subsamples((real.num_haplotypes, synthetic.num_haplotypes), repeats, seed)
    pool = Pool(real, synthetic)
    return chains_over(pool, subsamples, seed)


def chains_over(pool: Pool, subsamples: Sequence[Subsample], seed: int) -> NearestChains:
    """Mean frequencies of chains over subsamples of one size; every draw among ties is seeded."""
    first = pool.at(*subsamples[0])
    n = first.n

    def of_sample(r: int) -> NDArray[np.float64]:
        return _frequencies(pool.at(*subsamples[r]) if r else first, seed, Stream.CHAIN_TIES + r)

    def of_half(half: tuple[int, tuple[NDArray[np.int64], NDArray[np.int64]]]) -> NDArray[np.float64]:
        h, rows = half
        return _frequencies(first.part(*rows), seed, Stream.CHAIN_TIES_OF_HALVES + h)

    whole = map_threads(of_sample, range(len(subsamples)), SIDE_BY_SIDE)
    halves = map_threads(of_half, enumerate(halves_of(n, seed)), SIDE_BY_SIDE) if n >= 6 else []
    frequency = np.mean(whole, axis=0)
    low, high = halves_interval(frequency, halves, (0.0, 1.0))
    error_low, error_high = halves_interval(_error(frequency), [_error(found) for found in halves], (0.0, 1.0))
    return NearestChains(
        frequency=dict(zip(PATTERNS, frequency.tolist(), strict=True)),
        interval=dict(zip(PATTERNS, zip(low.tolist(), high.tolist(), strict=True), strict=True)),
        error=_error(frequency),
        error_interval=(float(error_low), float(error_high)),
        n=n,
    )


def chain_labels(sample: PoolSample, rng: np.random.Generator) -> NDArray[np.int64]:
    """Labels along the chain from every row of a sample, truth first: int64 (2n, 5), 0 truth and 1 synthetic."""
    if sample.n < 3:
        raise ValueError(f"rows: expected at least 3 of each set for chains of {LONGEST}, found {sample.n}")
    num_chains = 2 * sample.n
    types, labels = np.empty((2, num_chains, LONGEST), np.int64)
    types[:, 0], labels[:, 0] = sample.start_types, sample.start_labels
    for step in range(1, LONGEST):
        draw = rng.random(num_chains)
        todo = np.arange(num_chains)
        for width in sample.widths(_FIRST_WIDTH):
            index, distance, horizon = sample.around(types[todo, step - 1], width)
            rows = sample.counts[index]
            for visited in range(step):
                here = index == types[todo, visited, None]
                rows[here, labels[todo, visited][here.any(axis=1)]] -= 1
            left = rows[:, :, TRUTH] + rows[:, :, SYN] > 0
            nearest = np.where(left, distance, horizon[:, None]).min(axis=1)
            known = nearest < horizon
            chances = (
                np.where((distance == nearest[:, None])[:, :, None], rows, 0).reshape(len(todo), -1).cumsum(axis=1)
            )
            chosen = np.floor(draw[todo] * chances[:, -1])
            where = (chances > chosen[:, None]).argmax(axis=1)
            types[todo, step] = index[np.arange(len(todo)), where // 2]
            labels[todo, step] = where % 2
            todo = todo[~known]
            if not len(todo):
                break
    return labels


def _frequencies(sample: PoolSample, seed: int, stream: int) -> NDArray[np.float64]:
    """Shares of the chains in the order of PATTERNS."""
    labels = chain_labels(sample, np.random.Generator(philox(seed, stream)))
    shares = []
    for size in range(2, LONGEST + 1):
        code = labels[:, :size] @ (1 << np.arange(size))
        shares.append(np.bincount(code, minlength=1 << size) / len(labels))
    return np.concatenate(shares)


def _error(frequency: NDArray[np.float64]) -> float:
    return float(np.abs(frequency - _IDEAL).max())

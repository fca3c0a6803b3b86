"""How much an adversarial accuracy notices of real haplotypes mixed into a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import equal_subsamples
from hapforge.metrics.nearest import LIST_LENGTH, NearestPair, nearest_among, nearest_between

_STEPS = (1, 10, 50, 100, 500)


@dataclass(frozen=True)
class MixedAccuracy:
    """Result of `mixed_accuracy`.

    Attributes
    ----------
    copies : int64 (levels,), synthetic rows that are replaced by real ones
    aa_truth, aa_syn : float64 (levels,)
    n : int, rows of each set
    """

    copies: NDArray[np.int64]
    aa_truth: NDArray[np.float64]
    aa_syn: NDArray[np.float64]
    n: int


def mixed_accuracy(real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, seed: int = 0) -> MixedAccuracy:
    """Adversarial accuracy (Hamming, strict ties) with 0, 1, 10, 50, 100, 500, 1000 ... rows replaced by real ones.

    Up to half of the synthetic rows make way for copies of rows of `real`; both are drawn without replacement, and
    those of one level are kept at the next. Both sets are brought to the smaller n by one seeded subsample.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 2 rows each
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows.

    References
    ----------
    Yelmen et al. 2021, supplementary figure 21 (1, 10, 50, 100, 500 and 1000 of 2000).
    """
    check_same_sites(real=real, synthetic=synthetic)
    truth, syn = equal_subsamples((real.num_haplotypes, synthetic.num_haplotypes), 1, seed)[0]
    ts, st = nearest_between(real, synthetic, LIST_LENGTH)
    pair = NearestPair(nearest_among(real, LIST_LENGTH), ts, st, nearest_among(synthetic, LIST_LENGTH))
    every = np.arange(real.num_haplotypes), np.arange(synthetic.num_haplotypes)
    return mixed_over(pair, every[0] if truth is None else truth, every[1] if syn is None else syn, seed)


def mixed_over(pair: NearestPair, truth: NDArray[np.int64], syn: NDArray[np.int64], seed: int) -> MixedAccuracy:
    """Mixed accuracies of n truth and n synthetic rows from searches that were done already."""
    n = len(truth)
    to_truth, to_real = pair.tt(truth, truth), pair.st(syn, truth)
    taken, replaced = seeded_order(n, seed, Stream.MIXED_TAKEN), seeded_order(n, seed, Stream.MIXED_REPLACED)
    copies, parts = levels(n), []
    for count in copies:
        stays = np.ones((2, n), bool)  # truth rows that are not copied, synthetic rows that are not replaced
        stays[0, taken[:count]] = stays[1, replaced[:count]] = False
        rest = syn[stays[1]]
        # a row that is copied has its copy at distance 0, and so has the copy: neither counts
        others = truth[stays[0]]
        nearest = pair.ts(others, rest)
        if count:
            nearest = np.minimum(nearest, pair.tt(others, truth[taken[:count]]))
        aa_truth = (nearest > to_truth[stays[0]]).sum() / n
        # copies of truth rows are no nearer to a synthetic row than the nearest truth row is
        aa_syn = (to_real[stays[1]] > pair.ss(rest, rest)).sum() / n if len(rest) > 1 else 0.0
        parts.append((aa_truth, aa_syn))
    aa_truth, aa_syn = np.array(parts).T
    return MixedAccuracy(np.array(copies), aa_truth, aa_syn, n)


def levels(n: int) -> list[int]:
    """0, 1, 10, 50, 100, 500, 1000, 5000 ... up to half of n, and that half."""
    steps = {0, n // 2, *(step for step in _STEPS if step <= n // 2)}
    step = 1000
    while step <= n // 2:
        steps |= {step, *([5 * step] if 5 * step <= n // 2 else [])}
        step *= 10
    return sorted(steps)

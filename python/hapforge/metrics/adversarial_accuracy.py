"""Nearest-neighbour adversarial accuracy: is the nearest neighbour of a haplotype of its own kind?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, combine, wilson
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.nearest import Compare, Comparison, NearestSets, Subsample, rows_at

Ties = Literal["strict", "half"]


@dataclass(frozen=True)
class AdversarialAccuracy:
    """Result of `adversarial_accuracy`.

    Attributes
    ----------
    aa_truth : float in [0, 1], share of real haplotypes whose nearest neighbour is real
    aa_syn : float in [0, 1], share of synthetic haplotypes whose nearest neighbour is synthetic
    aats : float, their mean
    ties_truth, ties_syn : float, shares of rows whose nearest real and nearest synthetic neighbour are equally far
    n : int, rows on each side
    identical : float, share of synthetic rows that are identical to a real one among these n
    aa_truth_interval, aa_syn_interval, aats_interval : 95 % intervals (low, high): Wilson over the n per-row
        indicators, for the mean combined from both; never a bootstrap of rows, whose duplicates are at distance 0
    """

    aa_truth: float
    aa_syn: float
    aats: float
    ties_truth: float
    ties_syn: float
    n: int
    identical: float
    aa_truth_interval: Interval
    aa_syn_interval: Interval
    aats_interval: Interval


def adversarial_accuracy(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    *,
    ties: Ties = "strict",
    repeats: int = 10,
    seed: int = 0,
) -> AdversarialAccuracy:
    """Nearest-neighbour adversarial accuracy by Hamming distance.

    AA_truth = (1 / n) sum_i 1(d_TS(i) > d_TT(i)), AA_syn = (1 / n) sum_i 1(d_ST(i) > d_SS(i)), AATS their mean;
    d_TS(i) is the distance of real row i to its nearest synthetic row, d_TT(i) to its nearest other real row, etc.
    0.5 is ideal without ties; below: synthetic rows lie too close to real ones (copying); above: too far. Read both
    parts, and read them beside real against real at the same n.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 2 rows each
    ties : "strict" counts equal distances as 0, as the papers do; "half" counts them 1/2. Their shares are returned
        either way.
    repeats : int >= 1. Unequal sizes: the larger set is subsampled without replacement to the smaller n this many
        times, and everything is the mean over them. Equal sizes: one exact computation.
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows, an unknown tie rule, repeats below 1.

    References
    ----------
    Yale et al. 2019, privacy preserving synthetic health data; Yelmen et al. 2021, methods, "Nearest Neighbour
    Adversarial Accuracy (AATS) and privacy loss"; Yelmen et al. 2023, "Nearest Neighbour Adversarial Accuracy".
    """
    check_same_sites(real=real, synthetic=synthetic)
    subsamples = equal_subsamples((real.num_haplotypes, synthetic.num_haplotypes), repeats, seed)
    return accuracy_over(NearestSets(real, synthetic), subsamples, ties)


def equal_subsamples(sizes: tuple[int, int], repeats: int, seed: int) -> list[Subsample]:
    """Row subsets of two sets at the smaller one's size: `repeats` of them, or one of everything at equal sizes."""
    n = min(sizes)
    if n < 2:
        raise ValueError(f"real and synthetic: expected at least 2 haplotypes each, found {sizes[0]} and {sizes[1]}")
    if repeats < 1:
        raise ValueError(f"repeats: expected 1 or more, found {repeats}")
    if sizes[0] == sizes[1]:
        return [(None, None)]
    return [(rows_at(sizes[0], n, seed, r), rows_at(sizes[1], n, seed, r)) for r in range(repeats)]


def accuracy_over(compare: Compare, subsamples: Sequence[Subsample], ties: Ties = "strict") -> AdversarialAccuracy:
    """Mean adversarial accuracy over subsamples (truth rows, synthetic rows) of one common size."""
    if ties not in ("strict", "half"):
        raise ValueError(f"ties: expected 'strict' or 'half', found {ties!r}")
    results = [_accuracy(compare(t, s), ties) for t, s in subsamples]
    n = len(results[0][0])
    truth, syn, ties_truth, ties_syn, identical = np.mean(
        [[part.mean() for part in result] for result in results], axis=0
    ).tolist()
    aats = (truth + syn) / 2
    truth_interval, syn_interval = wilson(truth, n), wilson(syn, n)
    return AdversarialAccuracy(
        aa_truth=truth,
        aa_syn=syn,
        aats=aats,
        ties_truth=ties_truth,
        ties_syn=ties_syn,
        n=n,
        identical=identical,
        aa_truth_interval=truth_interval,
        aa_syn_interval=syn_interval,
        aats_interval=combine(aats, [(0.5, truth, truth_interval), (0.5, syn, syn_interval)]),
    )


def _accuracy(found: Comparison, ties: Ties) -> tuple[NDArray[np.float64], ...]:
    """Per-row indicators of the two parts, of their ties, and of synthetic rows at distance 0 of a real one."""
    weight = 0.5 if ties == "half" else 0.0
    tied_truth, tied_syn = found.truth == 0, found.syn == 0
    return (
        (found.truth > 0) + weight * tied_truth,
        (found.syn > 0) + weight * tied_syn,
        tied_truth.astype(np.float64),
        tied_syn.astype(np.float64),
        found.identical.astype(np.float64),
    )

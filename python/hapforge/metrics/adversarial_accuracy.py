"""Nearest-neighbour adversarial accuracy: is the nearest neighbour of a haplotype of its own kind?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, combine, wilson
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.design_effect import LabelDependence
from hapforge.metrics.nearest import Compare, Linked, NearestSets, Subsample, rows_at

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
    aa_truth_interval, aa_syn_interval, aats_interval, ties_truth_interval, ties_syn_interval : 95 % intervals (low,
        high): Wilson over the per-row indicators, at as many independent ones as they are worth (`design_effect`); for
        the mean combined from both. Never a bootstrap of rows, whose duplicates are at distance 0. Of embeddings in
        more than 16 dimensions, whose search says distances only, indicators are taken as independent: too narrow.
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
    ties_truth_interval: Interval
    ties_syn_interval: Interval


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
    return [
        (rows_at(sizes[0], n, seed, Stream.ORDER + r), rows_at(sizes[1], n, seed, Stream.ORDER + r))
        for r in range(repeats)
    ]


def accuracy_over(compare: Compare, subsamples: Sequence[Subsample], ties: Ties = "strict") -> AdversarialAccuracy:
    """Mean adversarial accuracy over subsamples (truth rows, synthetic rows) of one common size."""
    if ties not in ("strict", "half"):
        raise ValueError(f"ties: expected 'strict' or 'half', found {ties!r}")
    found = [compare(truth, syn) for truth, syn in subsamples]
    n = len(found[0].truth)
    truth, syn, ties_truth, ties_syn, identical = np.mean(
        [[part.mean() for part in (*_indicators(c.truth, c.syn, ties), c.identical)] for c in found], axis=0
    ).tolist()
    effects = [_design_effects(c.linked, ties) for c in found if c.linked is not None]
    worth = (n / np.mean(effects, axis=0)).tolist() if effects else [n] * 5
    aats = (truth + syn) / 2
    return AdversarialAccuracy(
        aa_truth=truth,
        aa_syn=syn,
        aats=aats,
        ties_truth=ties_truth,
        ties_syn=ties_syn,
        n=n,
        identical=identical,
        aa_truth_interval=wilson(truth, worth[0]),
        aa_syn_interval=wilson(syn, worth[1]),
        aats_interval=combine(aats, [(0.5, share, wilson(share, worth[4])) for share in (truth, syn)]),
        ties_truth_interval=wilson(ties_truth, worth[2]),
        ties_syn_interval=wilson(ties_syn, worth[3]),
    )


def _indicators(truth: NDArray[np.int8], syn: NDArray[np.int8], ties: Ties) -> tuple[NDArray[np.float64], ...]:
    """Per-row indicators of the two parts, and of their ties."""
    weight = 0.5 if ties == "half" else 0.0
    tied = [(part == 0).astype(np.float64) for part in (truth, syn)]
    return (truth > 0) + weight * tied[0], (syn > 0) + weight * tied[1], *tied


def _design_effects(linked: Linked, ties: Ties) -> list[float]:
    """Design effects of the two parts, of their ties, and of the mean of the two parts."""
    m = len(linked.truth)
    truth_rows, syn_rows = slice(0, m), slice(m, 2 * m)
    among = LabelDependence(linked)
    parts = list(zip([truth_rows, syn_rows] * 2, _indicators(linked.truth, linked.syn, ties), strict=True))
    return [*(among.design_effect(part) for part in parts), among.design_effect(*parts[:2])]

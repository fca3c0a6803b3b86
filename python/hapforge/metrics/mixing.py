"""How much an adversarial accuracy notices of real haplotypes mixed into a set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import accuracy_over
from hapforge.metrics.nearest import NearestSets

_REPLACED, _TAKEN = 12 << 20, 13 << 20  # streams
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
    n = min(real.num_haplotypes, synthetic.num_haplotypes)
    if n < 2:
        raise ValueError(f"real and synthetic: expected at least 2 haplotypes each, found {n}")
    taken = seeded_order(real.num_haplotypes, seed, _TAKEN)[:n]
    replaced = seeded_order(synthetic.num_haplotypes, seed, _REPLACED)[:n]
    truth, copies = real.select_haplotypes(np.sort(taken)), levels(n)
    parts = []
    for count in copies:
        mixed = synthetic.words[replaced]
        mixed[:count] = real.words[taken[:count]]
        found = accuracy_over(NearestSets(truth, HaplotypeMatrix(mixed, truth.sites)), [(None, None)])
        parts.append((found.aa_truth, found.aa_syn))
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

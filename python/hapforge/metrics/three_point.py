"""How well the connected correlations of three sites are kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics._intervals import Interval, block_weights
from hapforge.metrics._lines import Line, line_of_blocks, line_of_groups, moments
from hapforge.stats.ld import site_blocks


@dataclass(frozen=True)
class ThreePointFit:
    """Result of `compare_three_point`.

    Attributes
    ----------
    r : float, Pearson's correlation over the triplets; NaN where one cohort has the same value at all of them
    r_interval : 95 % (low, high), block bootstrap over sites
    num_triplets : int
    """

    r: float
    r_interval: Interval
    num_triplets: int


def compare_three_point(
    real: NDArray[np.float64],
    synthetic: NDArray[np.float64],
    triplets: NDArray[np.int64],
    num_sites: int,
    *,
    seed: int = 0,
) -> ThreePointFit:
    """Correlation of synthetic with real 3-point correlations, over the same triplets of sites.

    Interval: spread over 1000 resamples of 20 blocks of consecutive sites on Fisher's scale; NaN with fewer than 10.
    Where no two triplets have the same first site (those at a spacing) the blocks are of first sites and a triplet
    belongs to that of its own. Else (random ones, which use a site many times) it counts as often as its sites: w_a w_b
    w_c times where they are of three blocks drawn w_a, w_b and w_c times, w_a w_b times where two are of one block, w_a
    times within one. On independent sites the first is up to a sixth too narrow, the second up to a half too wide.

    Parameters
    ----------
    real, synthetic : float64 (num_triplets,), `kernels.three_point` of the two cohorts. A triplet with a fixed site is
        0 by the formula and stays in.
    triplets : int64 (num_triplets, 3), sites (`stats.three_point_triplets`)
    num_sites : int, of the cohorts
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of triplets, or fewer than two.

    References
    ----------
    Yelmen et al. 2021, Materials and Methods and supplementary figure 10; Yelmen et al. 2023, supplementary figures S3
    and S9.
    """
    if not (len(real) == len(synthetic) == len(triplets) >= 2):
        raise ValueError(
            f"triplets: expected at least 2, the same number in both cohorts, found {len(triplets)} with {len(real)} "
            f"and {len(synthetic)} values"
        )
    p, q = (_unit(values) for values in (real, synthetic))
    terms = moments(p - p.mean(), q - q.mean())
    first, order = np.unique(triplets.min(axis=1), return_inverse=True)
    if len(first) == len(triplets):
        blocks = np.add.reduceat(terms[:, np.argsort(order)], site_blocks(len(first))[:-1], axis=1)
        line = line_of_blocks(blocks, seed)
    else:
        line = _line_of_triples(terms, triplets, site_blocks(num_sites), seed)
    return ThreePointFit(line.r, line.r_interval, len(triplets))


def _line_of_triples(
    terms: NDArray[np.float64], triplets: NDArray[np.int64], edges: NDArray[np.int64], seed: int
) -> Line:
    num_blocks = len(edges) - 1
    block = np.sort(np.searchsorted(edges, triplets, side="right") - 1, axis=1)
    code = (block[:, 0] * num_blocks + block[:, 1]) * num_blocks + block[:, 2]
    _, example, group = np.unique(code, return_index=True, return_inverse=True)
    groups = np.stack([np.bincount(group, term).astype(np.float64) for term in terms])
    a, b, c = block[example].T
    drawn = block_weights(num_blocks, seed).astype(np.float64)
    weights = drawn[:, a] * np.where(b > a, drawn[:, b], 1) * np.where(c > b, drawn[:, c], 1)
    return line_of_groups(groups, weights, num_blocks)


def _unit(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """On a scale of 1, which a correlation does not depend on."""
    most = float(np.abs(values).max())
    return values / most if most > 0 else values

"""How well haplotypes hold together where a chain of windows passes from one to the next."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, Sites, philox
from hapforge.kernels.joint_counts import ld_matrix
from hapforge.kernels.three_point import three_point
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import adversarial_accuracy

_TRIPLETS = 1000  # of every place


@dataclass(frozen=True)
class SeamScores:
    """Scores of blocks of sites, over pairs and triplets that have sites on both sides of the block's middle.

    Attributes
    ----------
    r2_r : float, Pearson's correlation of synthetic with real r² over pairs that are polymorphic in both; NaN with
        fewer than two, or where one cohort has the same value at all of them
    r2_real, r2_synthetic : float, mean r² of those pairs
    three_point_r : float, Pearson's correlation of synthetic with real 3-point correlations; NaN as above
    aa_truth, aa_syn : float, parts of the adversarial accuracy of the whole block, ties counted 1/2, means over blocks
    num_places, num_pairs, num_triplets : int, blocks, and pairs and triplets in all of them
    """

    r2_r: float
    r2_real: float
    r2_synthetic: float
    three_point_r: float
    aa_truth: float
    aa_syn: float
    num_places: int
    num_pairs: int
    num_triplets: int


@dataclass(frozen=True)
class SeamReport:
    """Result of `seam_report`.

    Attributes
    ----------
    borders : SeamScores, of blocks with a border in the middle
    inside : SeamScores, of as wide blocks without a border, half way between two
    width : int, sites of a block
    """

    borders: SeamScores
    inside: SeamScores
    width: int


def seam_report(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, borders: ArrayLike, *, width: int = 128, seed: int = 0
) -> SeamReport:
    """LD, 3-point correlations and adversarial accuracy across the borders of windows, beside the same inside windows.

    A block is `width` consecutive sites of one contig. Pairs have a site on either side of its middle, so that at
    borders and inside they have the same distances in sites; triplets (1000 a block, the same in each) have their first
    and last site on either side. Where the second row of scores is the better one, windows do not join well.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 2 rows each; unequal numbers are subsampled for the
        adversarial accuracy (mean over 10 repeats)
    borders : integers (num_borders,), the first site of a new window (`models.CRBM.borders`)
    width : int >= 4, even. Borders nearer than half of it to an end of their contig are left out, and so are gaps
        between borders, or between a border and an end of the contig, of fewer sites
    seed : int in [0, 2**64), of triplets and subsamples

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows, borders that are no sites, a width that leaves no border or no
        gap.

    Notes
    -----
    Memory: a block of both cohorts and, for each border, width²/2 + 2000 numbers of 8 bytes.
    """
    check_same_sites(real=real, synthetic=synthetic)
    if width < 4 or width % 2:
        raise ValueError(f"width: expected an even number, 4 or more, found {width}")
    at = np.unique(np.asarray(borders))
    if not len(at) or at.dtype.kind not in "iu" or at[0] < 0 or at[-1] >= real.num_sites:
        raise ValueError(f"borders: expected one or more sites from 0 to {real.num_sites - 1}, found {at.tolist()}")
    seams, inside = _places(real.sites, at.astype(np.int64), width)
    if not seams or not inside:
        what = "border with as many sites around it" if not seams else "gap of as many sites without a border"
        raise ValueError(f"width: expected one for which there is a {what}, found {width}")
    triplets = _triplets(width, seed)
    across, within = (_scores(real, synthetic, places, width, triplets, seed) for places in (seams, inside))
    return SeamReport(across, within, width)


def _places(sites: Sites, borders: NDArray[np.int64], width: int) -> tuple[list[int], list[int]]:
    """Middles of blocks: borders, and the middles of gaps between them."""
    half, seams, inside = width // 2, [], []
    for _, start, stop in sites.contig_blocks():
        own = [int(border) for border in borders if start < border < stop]
        seams += [border for border in own if border - half >= start and border + half <= stop]
        edges = [start, *own, stop]
        if own:
            inside += [(a + b) // 2 for a, b in pairwise(edges) if b - a >= width]
    return seams, inside


def _triplets(width: int, seed: int) -> NDArray[np.int64]:
    """int64 (1000, 3) of sites of a block, i < j < k, i in its first half and k in its second."""
    stream, half = np.random.Generator(philox(seed, Stream.SEAM_TRIPLETS)), width // 2
    first, last = stream.integers(0, half, 4 * _TRIPLETS), stream.integers(half, width, 4 * _TRIPLETS)
    room = last - first > 1
    first, last = first[room][:_TRIPLETS], last[room][:_TRIPLETS]
    return np.stack([first, stream.integers(first + 1, last), last], axis=1)


def _scores(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    places: list[int],
    width: int,
    triplets: NDArray[np.int64],
    seed: int,
) -> SeamScores:
    half = width // 2

    def blocks() -> Iterator[tuple[HaplotypeMatrix, HaplotypeMatrix]]:
        for middle in places:
            sites = np.arange(middle - half, middle + half)
            yield real.select_sites(sites), synthetic.select_sites(sites)

    r2, moments, accuracies = [], [], []
    for pair in blocks():
        across = np.stack([ld_matrix(block)[:half, half:].ravel() for block in pair]).astype(np.float64)
        r2.append(across[:, ~np.isnan(across).any(axis=0)])
        moments.append(np.stack([three_point(block, triplets) for block in pair]))
        found = adversarial_accuracy(*pair, ties="half", seed=seed)
        accuracies.append((found.aa_truth, found.aa_syn))
    pairs, threes = np.concatenate(r2, axis=1), np.concatenate(moments, axis=1)
    aa_truth, aa_syn = np.mean(accuracies, axis=0)
    mean_real, mean_synthetic = pairs.mean(axis=1) if pairs.size else (np.nan, np.nan)
    return SeamScores(
        r2_r=_correlation(pairs),
        r2_real=float(mean_real),
        r2_synthetic=float(mean_synthetic),
        three_point_r=_correlation(threes),
        aa_truth=float(aa_truth),
        aa_syn=float(aa_syn),
        num_places=len(places),
        num_pairs=pairs.shape[1],
        num_triplets=threes.shape[1],
    )


def _correlation(values: NDArray[Any]) -> float:
    """Pearson's, of two rows."""
    if values.shape[1] < 2 or (values == values[:, :1]).all(axis=1).any():
        return float("nan")
    return float(np.corrcoef(values)[0, 1])

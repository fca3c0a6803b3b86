"""How often short haplotype motifs occur in a synthetic cohort against how often in the real one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics._lines import Line, line_of_blocks
from hapforge.stats.ld import site_blocks

MOTIF_LENGTHS = (4, 8)


@dataclass(frozen=True)
class MotifFit(Line):
    """Synthetic on real counts of motifs, in haplotypes out of as many as the real cohort has.

    Attributes
    ----------
    r, slope, intercept : float, Pearson's correlation and ordinary least squares; NaN where not defined
    r_interval, slope_interval, intercept_interval : 95 % (low, high), block bootstrap over windows
    num_motifs, num_windows : int, motifs that occur in either cohort, each in its window, and windows
    """

    num_motifs: int
    num_windows: int


def compare_motif_counts(real: NDArray[np.int64], synthetic: NDArray[np.int64], *, seed: int = 0) -> MotifFit:
    """Correlation and regression line of synthetic on real counts of motifs.

    A point is a motif in a window that at least one haplotype of either cohort carries; x is its count in the real
    cohort, y that in the synthetic one times n_real / n_synthetic. Intervals: spread over 1000 resamples of 20 blocks
    of consecutive windows, for r on Fisher's scale.

    Parameters
    ----------
    real, synthetic : int64 (num_windows, 2**k), `kernels.kmer_counts` of the two cohorts
    seed : int >= 0

    Raises
    ------
    ValueError
        Different shapes, no windows, or no haplotypes.

    References
    ----------
    Yelmen et al. 2023, Materials and Methods and supplementary figures S4 and S10.
    """
    num_real, num_synthetic = _check_counts(real, synthetic)
    # Motifs that are in neither cohort add to no sum but that of ones. Sums of whole numbers are exact.
    sums = np.stack(
        [
            np.count_nonzero(real | synthetic, axis=1),
            real.sum(axis=1),
            synthetic.sum(axis=1),
            np.einsum("wm,wm->w", real, real),
            np.einsum("wm,wm->w", synthetic, synthetic),
            np.einsum("wm,wm->w", real, synthetic),
        ]
    )
    edges = site_blocks(len(real))
    p, q = 1 / num_real, 1 / num_synthetic
    blocks = np.add.reduceat(sums, edges[:-1], axis=1) * np.array([[1], [p], [q], [p * p], [q * q], [p * q]])
    line = line_of_blocks(blocks, seed)
    low, high = line.intercept_interval
    in_counts = {"intercept": num_real * line.intercept, "intercept_interval": (num_real * low, num_real * high)}
    return MotifFit(**{**vars(line), **in_counts}, num_motifs=int(sums[0].sum()), num_windows=len(real))


def motif_density(
    real: NDArray[np.int64], synthetic: NDArray[np.int64], num_cells: int, *, top: float = 1.0
) -> NDArray[np.int64]:
    """Motifs by their share of the haplotypes in the real cohort (columns) and in the synthetic one (rows).

    Parameters
    ----------
    real, synthetic : int64 (num_windows, 2**k), as in `compare_motif_counts`
    num_cells : int, along each axis
    top : float, cells cut the shares from 0 to this evenly; what lies above is in the last ones

    Returns
    -------
    int64 (num_cells, num_cells). Motifs that are in neither cohort are left out.

    Raises
    ------
    ValueError
        As `compare_motif_counts`.
    """
    num_real, num_synthetic = _check_counts(real, synthetic)
    seen = (real | synthetic) != 0
    column, row = (
        np.minimum((counts[seen] * (num_cells / (top * n))).astype(np.int64), num_cells - 1)
        for counts, n in ((real, num_real), (synthetic, num_synthetic))
    )
    return np.bincount(row * num_cells + column, minlength=num_cells**2).reshape(num_cells, num_cells)


def _check_counts(real: NDArray[np.int64], synthetic: NDArray[np.int64]) -> tuple[int, int]:
    """Haplotypes of both."""
    if real.shape != synthetic.shape or real.ndim != 2:
        raise ValueError(f"counts: expected two tables of one shape, found {real.shape} and {synthetic.shape}")
    if len(real) == 0:
        raise ValueError("counts: expected at least one window of sites, found none")
    num_real, num_synthetic = int(real[0].sum()), int(synthetic[0].sum())
    if num_real == 0 or num_synthetic == 0:
        raise ValueError(f"counts: expected haplotypes in both, found {num_real} and {num_synthetic}")
    return num_real, num_synthetic

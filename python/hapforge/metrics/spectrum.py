"""Error of the spectrum: how far the singular values of a synthetic cohort are from the real ones."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, student
from hapforge.metrics._sites import check_same_sites
from hapforge.stats.spectrum import Spectrum, spectrum


@dataclass(frozen=True)
class SpectrumError:
    """Result of `spectrum_error`.

    Attributes
    ----------
    error : float >= 0
    interval : 95 % (low, high), NaN where there are too few persons
    n, num_values : int, rows of each side and singular values N_s
    """

    error: float
    interval: Interval
    n: int
    num_values: int


def spectrum_error(real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, seed: int = 0) -> SpectrumError:
    """Error of the spectrum, eps_S = (1 / N_s) sum_i (s_i(real) - s_i(synthetic))², at equal n.

    s_1 >= s_2 ... are the singular values of the 0/1 matrix X (n, num_sites) as it is, neither centred nor scaled, as
    the equation has it (the text around it speaks of the covariance); N_s = min(n, num_sites). The singular values of
    more rows are greater: only errors at one n can be compared. Two draws of one kind do not score 0.

    Both sides are brought to n = the smaller one by a seeded subsample, and to 1,500 rows where there are more than
    2,048 sites. Interval: 4 random halves of the persons of both, without replacement, scaled to n.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites, at least 2 rows each
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows, no sites.

    References
    ----------
    Carbone et al. 2023, fast and functional structured data generator, equation 6.
    """
    check_same_sites(real=real, synthetic=synthetic)
    n = min(real.num_haplotypes, synthetic.num_haplotypes)
    return compare_spectra(spectrum(real, n, seed=seed), spectrum(synthetic, n, seed=seed))


def compare_spectra(real: Spectrum, synthetic: Spectrum) -> SpectrumError:
    """`spectrum_error` from spectra of equally many rows of the same sites."""
    if real.n != synthetic.n or len(real.values) != len(synthetic.values):
        raise ValueError(
            f"spectra: expected equally many rows and values, found {real.n} and {synthetic.n} rows, "
            f"{len(real.values)} and {len(synthetic.values)} values"
        )
    n, num_values = real.n, len(real.values)
    error = _mean_square(real.values, synthetic.values)
    halves = []
    for (rows_a, a), (rows_b, b) in zip(real.halves, synthetic.halves, strict=False):
        shared = min(len(a), len(b))  # persons of one and of two rows can make halves of different sizes
        scale = n / (rows_a * rows_b) ** 0.5 * shared / num_values  # squares of singular values grow with the rows
        halves.append(_mean_square(a[:shared], b[:shared]) * scale)
    if len(halves) < 2:
        return SpectrumError(error, (math.nan, math.nan), n, num_values)
    width = student(len(halves) - 1) * float(np.std(halves, ddof=1))
    return SpectrumError(error, (max(0.0, error - width), error + width), n, num_values)


def _mean_square(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    return float(np.square(a - b).mean())

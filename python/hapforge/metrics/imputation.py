"""How well dosages of sites that were not observed follow the truth."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, block_weights, bootstrap_interval
from hapforge.stats.ld import site_blocks

MAF_BINS = (0.0, 0.01, 0.05, 0.1, 0.2, 0.5)
_ROWS = 256


@dataclass(frozen=True)
class ImputationBin:
    """Sites whose minor allele frequency is in [low, high), the last bin [low, high].

    Attributes
    ----------
    low, high : float
    num_sites : int, sites that r² is defined at
    mean_r2 : float, mean over these sites of r² within the site
    pooled_r2 : float, r² over all haplotypes of all these sites together; it rewards knowing the frequencies, too
    concordance : float, share of right alleles at these sites
    """

    low: float
    high: float
    num_sites: int
    mean_r2: float
    pooled_r2: float
    concordance: float


@dataclass(frozen=True)
class ImputationAccuracy:
    """Result of `imputation_accuracy`; NaN where nothing is defined.

    Attributes
    ----------
    r2 : float64 (num_sites,), squared correlation of dosage and allele over the haplotypes that were not observed at
        the site; 0 where dosages are all the same, NaN where alleles are, or all were observed
    concordance : float64 (num_sites,), share of haplotypes not observed whose likelier allele (ALT above 1/2) is right
    mean_r2, interval : float, mean of `r2`; 95 % (low, high), block bootstrap over sites
    mean_concordance : float, share of right alleles among all that were not observed
    bins : list of ImputationBin, by minor allele frequency
    """

    r2: NDArray[np.float64]
    concordance: NDArray[np.float64]
    mean_r2: float
    interval: Interval
    mean_concordance: float
    bins: list[ImputationBin]


def imputation_accuracy(
    truth: HaplotypeMatrix,
    dosage: NDArray[np.floating],
    observed: NDArray[np.bool_],
    *,
    frequency: NDArray[np.float64] | None = None,
    edges: tuple[float, ...] = MAF_BINS,
    seed: int = 0,
) -> ImputationAccuracy:
    """Dosages against the truth where nothing was observed.

    r² = cov(d, x)² / (var d var x) of dosages d and alleles x in {0, 1}, by haplotype. A constant, such as the allele
    frequency, has r² 0 within a site. Interval of the mean: spread over 1000 resamples of 20 blocks of consecutive
    sites.

    Parameters
    ----------
    truth : HaplotypeMatrix (n, num_sites)
    dosage : float (n, num_sites), probabilities of ALT, 0 to 1
    observed : bool (num_sites,) or (n, num_sites), what does not count
    frequency : float64 (num_sites,), ALT frequencies that bins go by, such as those of the training set; None: those of
        `truth`
    edges : floats, ascending, of the bins of minor allele frequency
    seed : int >= 0

    Raises
    ------
    TypeError, ValueError
        Shapes that do not fit, dosages outside 0 to 1, a mask that is not bool, edges that do not ascend.

    References
    ----------
    Browning and Browning 2009, A unified approach to genotype imputation and haplotype-phase inference, AJHG 84
    (allelic r²). Rubinacci et al. 2021, Efficient phasing and imputation of low-coverage sequencing data, Nature
    Genetics 53 (r² pooled within bins of frequency).
    """
    n, num_sites = truth.shape
    if dosage.shape != truth.shape:
        raise ValueError(f"dosage: expected shape {truth.shape}, as truth has, found {dosage.shape}")
    if observed.dtype != bool:
        raise TypeError(f"observed: expected bool, found {observed.dtype}")
    if observed.shape not in ((num_sites,), (n, num_sites)):
        raise ValueError(f"observed: expected shape {(num_sites,)} or {(n, num_sites)}, found {observed.shape}")
    if len(edges) < 2 or (np.diff(edges) <= 0).any():
        raise ValueError(f"edges: expected at least 2 ascending numbers, found {edges}")
    sums = np.zeros((6, num_sites))  # of 1, d, x, d², d x, right; x² is x
    alleles = np.zeros(num_sites)
    for start, block in zip(range(0, n, _ROWS), truth.iter_row_blocks(_ROWS), strict=True):
        d = dosage[start : start + _ROWS].astype(np.float64)
        if not ((d >= 0) & (d <= 1)).all():
            raise ValueError("dosage: expected probabilities, 0 to 1, found others or NaN")
        x = block.to_dense()
        counted = ~(observed if observed.ndim == 1 else observed[start : start + _ROWS])
        for total, term in zip(sums, (1, d, x, d * d, d * x, (d > 0.5) == x), strict=True):
            total += (term * counted * np.ones_like(d)).sum(0)
        alleles += x.sum(0)
    p = alleles / max(n, 1) if frequency is None else frequency
    if p.shape != (num_sites,):
        raise ValueError(f"frequency: expected shape {(num_sites,)}, found {p.shape}")
    r2 = _squared_correlation(sums)
    defined = ~np.isnan(r2)
    bins = []
    minor = np.minimum(p, 1 - p)
    for low, high in itertools.pairwise(edges):
        kept = defined & (minor >= low) & ((minor <= high) if high == edges[-1] else (minor < high))
        pooled = sums[:, kept].sum(1, keepdims=True)
        bins.append(
            ImputationBin(
                low,
                high,
                int(kept.sum()),
                float(r2[kept].mean()) if kept.any() else math.nan,
                float(_squared_correlation(pooled)[0]),
                _ratio(pooled[5, 0], pooled[0, 0]),
            )
        )
    with np.errstate(invalid="ignore"):
        concordance = sums[5] / sums[0]
    return ImputationAccuracy(
        r2,
        concordance,
        *_mean_and_interval(r2[defined], seed),
        _ratio(sums[5].sum(), sums[0].sum()),
        bins,
    )


def _squared_correlation(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    n, d, x, dd, dx, _ = sums
    var_d, var_x, cov = n * dd - d * d, n * x - x * x, n * dx - d * x
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.minimum(cov * cov / (var_d * var_x), 1)
    constant = var_d <= 1e-12 * n * dd  # by rounding
    return np.where(var_x > 0, np.where(constant, 0.0, found), np.nan)


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


def _mean_and_interval(values: NDArray[np.float64], seed: int) -> tuple[float, Interval]:
    if len(values) == 0:
        return math.nan, (math.nan, math.nan)
    edges = site_blocks(len(values))
    weights = block_weights(len(edges) - 1, seed)
    resampled = weights @ np.add.reduceat(values, edges[:-1]) / (weights @ np.diff(edges))
    mean = float(values.mean())
    return mean, bootstrap_interval(mean, resampled, len(edges) - 1)

"""Overlap of two cohorts on the first principal components of both together."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics._sites import check_same_sites
from hapforge.stats.pca import pca

REGULARISATION = 0.001
MAX_ROWS = 1500
_MAX_STEPS = 1000
_TOLERANCE = 1e-9
_STREAMS = (4 << 20, 5 << 20)


@dataclass(frozen=True)
class TransportCost:
    """Cost of moving one point cloud onto another.

    Attributes
    ----------
    entropic : float, sum_ij P_ij C_ij of the entropic plan P
    exact : float, of the optimal plan
    marginal_error : float, Euclidean norm of what the columns of the entropic plan miss; above 1e-9 the iteration was
        stopped at its limit of 1000 steps
    """

    entropic: float
    exact: float
    marginal_error: float


@dataclass(frozen=True)
class PCAOverlap:
    """Result of `pca_overlap`.

    Attributes
    ----------
    cost : TransportCost, between subsamples
    n : int, rows of each side of it
    real, synthetic : float64 (rows, 2), coordinates of all rows
    explained : float64 (2,), shares of the variance
    """

    cost: TransportCost
    n: int
    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    explained: NDArray[np.float64]


def pca_overlap(
    real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, rows: int | None = MAX_ROWS, seed: int = 0
) -> PCAOverlap:
    """2D Wasserstein distance between two cohorts on PC 1 and 2 of both together.

    PCA (centred, unscaled) of the rows of both; then the transport cost (`transport_cost`) between equal seeded
    subsamples of at most `rows` rows of each side.

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites
    rows : int, or None to take all rows of both, whose numbers may then differ (costs grow with their product)
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, or too few rows or sites for two components.
    MissingDependencyError
        Without POT (the exact cost).

    References
    ----------
    Yelmen et al. 2021, "Summary statistics": entropic regularised problem with squared Euclidean distances from PCs 1
    and 2, parameter 0.001. That the cost is divided by its maximum reproduces their figures; the paper does not say so.
    """
    check_same_sites(real=real, synthetic=synthetic)
    both = HaplotypeMatrix(np.concatenate([real.words, synthetic.words]), real.sites)
    found = pca(both, 2)
    first, second = np.split(found.coordinates, [real.num_haplotypes])
    n = min(len(first), len(second), MAX_ROWS if rows is None else rows)
    if rows is None:
        cost, n = transport_cost(first, second), min(len(first), len(second))
    else:
        chosen = (
            cloud[np.sort(seeded_order(len(cloud), seed, stream)[:n])]
            for cloud, stream in zip((first, second), _STREAMS, strict=True)
        )
        cost = transport_cost(*chosen)
    return PCAOverlap(cost, n, first, second, found.explained)


def transport_cost(x: NDArray[np.float64], y: NDArray[np.float64]) -> TransportCost:
    """Entropic and exact cost of moving the points x onto the points y, all of equal mass.

    C_ij = |x_i - y_j|² / max |x - y|². Entropic: P minimises sum P C + 0.001 sum P log P under its marginals (Cuturi
    2013, equation 2), by the iteration of POT's `sinkhorn_log` (at most 1000 steps, error 1e-9); the value is sum P C,
    which can lie below the exact cost where the limit stopped it early. Exact: POT's `emd2`.

    Parameters
    ----------
    x, y : float64 (n, d) and (m, d)

    Raises
    ------
    ValueError
        No points.
    MissingDependencyError
        Without POT.
    """
    if len(x) == 0 or len(y) == 0:
        raise ValueError(f"points: expected at least one on each side, found {len(x)} and {len(y)}")
    try:
        import ot
    except ImportError:
        raise MissingDependencyError("POT", "eval") from None
    cost = np.zeros((len(x), len(y)))
    for a, b in zip(x.T, y.T, strict=True):
        cost += np.subtract.outer(a, b) ** 2
    if (highest := cost.max()) > 0:
        cost /= highest
    masses = np.full(len(x), 1 / len(x)), np.full(len(y), 1 / len(y))
    exact = float(ot.emd2(*masses, cost, numItermax=10_000_000))
    entropic, error = sinkhorn(cost, REGULARISATION)
    return TransportCost(entropic, exact, error)


def sinkhorn(cost: NDArray[np.float64], regularisation: float) -> tuple[float, float]:
    """sum P C of the entropic plan between uniform masses, and the error of its column sums.

    The iterates are those of the log-domain iteration (POT's `sinkhorn_log`: v, then u, from u = 0; stopped at error
    1e-9, looked at every tenth step, or after 1000). Between rare rebuilds of the kernel exp(f + g - C / reg) only
    products with it are needed (Schmitzer 2019, algorithm 2): no logarithm of a sum per step, no underflow.

    Parameters
    ----------
    cost : float64 (n, m)
    regularisation : float > 0, in units of the cost
    """
    n, m = cost.shape
    scaled = cost / -regularisation
    f = np.zeros(n)
    g = -math.log(m) - _log_sum_exp(scaled + f[:, None], 0)
    f = -math.log(n) - _log_sum_exp(scaled + g, 1)
    kernel = np.exp(scaled + f[:, None] + g)
    u, v = np.ones(n), np.ones(m)
    error = float(np.linalg.norm(kernel.sum(axis=0) - 1 / m))
    for step in range(1, _MAX_STEPS):
        if error < _TOLERANCE:
            break
        # einsum: these products are bound by memory, and BLAS threads that meet 2000 times stall on a busy machine
        v = (1 / m) / np.einsum("i,ij->j", u, kernel)
        u = (1 / n) / np.einsum("ij,j->i", kernel, v)
        if step % 10 == 0 or step == _MAX_STEPS - 1:
            error = float(np.linalg.norm(v * np.einsum("i,ij->j", u, kernel) - 1 / m))
        if max(u.max(), v.max(), 1 / u.min(), 1 / v.min()) > 1e30:
            f, g = f + np.log(u), g + np.log(v)
            np.exp(scaled + f[:, None] + g, out=kernel)
            u, v = np.ones(n), np.ones(m)
    return float(u @ (kernel * cost) @ v), error


def _log_sum_exp(values: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    top = values.max(axis=axis, keepdims=True)
    return np.squeeze(top, axis) + np.log(np.exp(values - top).sum(axis=axis))

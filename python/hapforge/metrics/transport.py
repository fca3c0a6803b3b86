"""Cost of moving one point cloud onto another: the entropic plan, to convergence, and the optimal one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.metrics._intervals import student

REGULARISATION = 0.001
NUM_PARTS = 5
_TOLERANCE = 1e-9
_MAX_STEPS = 200
_MAX_CG = 300
_MAX_DIRECT = 128

Points = NDArray[np.float64]


@dataclass(frozen=True)
class TransportCost:
    """Cost of moving one point cloud onto another.

    Attributes
    ----------
    entropic : float, sum_ij P_ij C_ij of the entropic plan P
    exact : float, of the optimal plan
    marginal_error : float, Euclidean norm of what the columns of the entropic plan miss of their mass; 1e-9 or less
        where the iteration converged
    margin : float, 97.5 % point of the sampling error of either cost, NaN where the points are too few
    """

    entropic: float
    exact: float
    marginal_error: float
    margin: float

    @property
    def entropic_interval(self) -> tuple[float, float]:
        """95 % interval; a cost is at least 0."""
        return _around(self.entropic, self.margin)

    @property
    def exact_interval(self) -> tuple[float, float]:
        """95 % interval; a cost is at least 0."""
        return _around(self.exact, self.margin)


def _around(cost: float, margin: float) -> tuple[float, float]:
    return float(np.maximum(0.0, cost - margin)), cost + margin


def transport_cost(x: Points, y: Points) -> TransportCost:
    """Entropic and exact cost of moving the points x onto the points y, all of equal mass.

    C_ij = |x_i - y_j|² / max |x - y|². Entropic: P minimises sum P C + 0.001 sum P log P under its marginals (Cuturi
    2013, equation 2) and is found to a marginal error of 1e-9 (`entropic_plan_cost`); the value is sum P C. Exact:
    POT's `emd2`.

    The margin is from subsamples without replacement (Politis, Romano and Wolf 1999): x and y are cut into 5 parts
    each, in their order, and the exact costs of the 5 pairs of parts, in the same unit, give the standard deviation s
    at a fifth of the points. That of all points is s / sqrt(5), or less where the two distributions are one; the
    margin is 2.776 (Student's t, 4 degrees of freedom) times it. It says how far the cost lies from its expectation
    at this number of points, which is above the cost between the distributions. Rows that belong together (of one
    person) should therefore stand together.

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
    cost = _costs(x, y)
    exact, potentials = _optimal(cost)
    entropic, error = entropic_plan_cost(cost, REGULARISATION, potentials)
    margin = math.nan
    if min(cost.shape) >= 2 * NUM_PARTS:
        rows, columns = (np.array_split(np.arange(size), NUM_PARTS) for size in cost.shape)
        parts = [_optimal(cost[np.ix_(a, b)])[0] for a, b in zip(rows, columns, strict=True)]
        margin = student(NUM_PARTS - 1) * float(np.std(parts, ddof=1)) / math.sqrt(NUM_PARTS)
    return TransportCost(entropic, exact, error, margin)


def optimal_cost(x: Points, y: Points) -> float:
    """The exact cost of `transport_cost` alone."""
    return _optimal(_costs(x, y))[0]


def _costs(x: Points, y: Points) -> NDArray[np.float64]:
    """Squared distances over the greatest one."""
    if len(x) == 0 or len(y) == 0:
        raise ValueError(f"points: expected at least one on each side, found {len(x)} and {len(y)}")
    cost = np.zeros((len(x), len(y)))
    for a, b in zip(x.T, y.T, strict=True):
        cost += np.subtract.outer(a, b) ** 2
    if (highest := cost.max()) > 0:
        cost /= highest
    return cost


def _optimal(cost: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
    """Cost of the optimal plan between uniform masses, and the potentials of the columns."""
    try:
        from ot import emd2
    except ImportError:
        raise MissingDependencyError("POT", "eval") from None
    masses = (np.full(size, 1 / size) for size in cost.shape)
    value, log = emd2(*masses, np.ascontiguousarray(cost), numItermax=10_000_000, log=True)
    return float(value), log["v"]


def entropic_plan_cost(
    cost: NDArray[np.float64], regularisation: float, potentials: NDArray[np.float64]
) -> tuple[float, float]:
    """sum P C of the entropic plan between uniform masses, and the Euclidean error of its column sums.

    P_ij = exp((f_i + g_j - C_ij) / reg), f so that the rows have their mass (computed in the log domain), g by Newton's
    method on the semi-dual, a concave function of g (Cuturi and Peyré 2018, section 3): its gradient is what the
    columns miss, its curvature diag(P^T 1) - n P^T P over reg. Directions come from conjugate gradients in float32,
    of up to 128 columns from the curvature's eigenvectors, since few points may lie too far apart for float32; steps
    are shortened as the logarithmic change of the kernel requires (Sun and Tran-Dinh 2019, section 4). About ten steps
    from the potentials of the exact plan, where Sinkhorn's iteration takes thousands once mass must move between
    clusters that are far apart: stopped at 1000 steps it can stand below the exact cost.

    Parameters
    ----------
    cost : float64 (n, m)
    regularisation : float > 0, in units of the cost
    potentials : float64 (m,), a start for g, in units of the cost: those of the exact plan, from which no mass is
        out of reach
    """
    n, m = cost.shape
    g = np.array(potentials, np.float64)
    plan = np.empty_like(cost)
    for _ in range(_MAX_STEPS):
        np.subtract(g, cost, out=plan)
        plan /= regularisation
        plan -= plan.max(axis=1, keepdims=True)
        np.exp(plan, out=plan)
        plan /= plan.sum(axis=1, keepdims=True)  # n P
        columns = plan.sum(axis=0)
        missed = n / m - columns
        error = float(np.linalg.norm(missed)) / n
        if error <= _TOLERANCE:
            break
        if m <= _MAX_DIRECT:
            direction = _direct_direction(plan, columns, missed)
        else:
            direction = _newton_direction(_sparse(plan), columns, missed, error * math.sqrt(m))
        reach = float(direction.max() - direction.min())
        g += regularisation * direction * (1.0 if reach < 0.7 else 1.3 * math.log1p(reach) / reach)
    return float(np.vdot(plan, cost)) / n, error


def _sparse(plan: NDArray[np.float64]) -> Any:
    """The plan in float32 without the entries, nine in ten, that no direction depends on (Schmitzer 2019)."""
    from scipy.sparse import csr_array

    kept = plan > 1e-8
    rows = np.concatenate([[0], np.cumsum(np.count_nonzero(kept, axis=1))])
    where = np.flatnonzero(kept)
    values = plan.ravel()[where].astype(np.float32)
    return csr_array((values, (where % plan.shape[1]).astype(np.int32), rows.astype(np.int32)), shape=plan.shape)


def _direct_direction(
    plan: NDArray[np.float64], columns: NDArray[np.float64], missed: NDArray[np.float64]
) -> NDArray[np.float64]:
    """The shortest solution of what `_newton_direction` approximates; along what is flat but for rounding, nothing."""
    scale = 1 / np.sqrt(np.maximum(columns, 1e-300))
    curvature = (np.diag(columns) - plan.T @ plan) * np.outer(scale, scale)
    values, vectors = np.linalg.eigh(curvature)
    kept = values > 1e-13 * values[-1]
    along = vectors[:, kept]
    return np.asarray(scale * (along @ (along.T @ (missed * scale) / values[kept])))


def _newton_direction(
    plan: Any, columns: NDArray[np.float64], missed: NDArray[np.float64], error: float
) -> NDArray[np.float64]:
    """An approximate solution d of (diag(columns) - plan^T plan) d = missed, rows of `plan` of sum 1, scaled by n."""
    diagonal, left = columns.astype(np.float32), missed.astype(np.float32)
    diagonal = np.maximum(diagonal, np.float32(1e-12))
    turned = plan.T.tocsr()
    found = np.zeros_like(left)
    scaled = left / diagonal
    along = scaled
    size = first = float(left @ scaled)
    wanted = first * min(0.1, max(error, 1e-3)) ** 2
    for _ in range(_MAX_CG):
        image = diagonal * along - turned @ (plan @ along)
        curvature = float(along @ image)
        if curvature <= 1e-6 * float(along @ (diagonal * along)):  # flat but for rounding
            break
        step = np.float32(size / curvature)
        found += step * along
        left -= step * image
        scaled = left / diagonal
        size, previous = float(left @ scaled), size
        if size <= wanted:
            break
        along = scaled + np.float32(size / previous) * along
    return found.astype(np.float64)

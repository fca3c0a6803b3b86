"""Nearest-neighbour adversarial accuracy between points: haplotypes in an embedding."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge._backend import get_threads
from hapforge.errors import MissingDependencyError
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy, Ties, accuracy_over, equal_subsamples
from hapforge.metrics.nearest import ListedDistances, Nearest, NearestPair, Rows, Search, list_length

Metric = Literal["angular", "euclidean"]

_TREE_COLUMNS = 16
_LEAF = 64  # points that are compared one by one
_BLOCK_ROWS = 1024


def adversarial_accuracy_embedded(
    x: ArrayLike,
    y: ArrayLike,
    *,
    metric: Metric = "angular",
    ties: Ties = "strict",
    repeats: int = 10,
    seed: int = 0,
) -> AdversarialAccuracy:
    """Nearest-neighbour adversarial accuracy between embedded haplotypes; formula as in `adversarial_accuracy`.

    Parameters
    ----------
    x, y : real and synthetic, floating point (n, d) and (m, d), finite; computed in float64
    metric : "angular": arccos(x.y / (|x| |y|)) / pi, in [0, 1]; "euclidean": |x - y|
    ties, repeats, seed : as in `adversarial_accuracy`. Distances of identical rows are exactly 0.

    Raises
    ------
    ValueError
        Shapes that don't fit, values that are not finite, a zero vector under "angular", and as above.

    References
    ----------
    Kenneweg et al., creating synthetic genomes using diffusion models, equations 9 and 10.
    """
    if metric not in ("angular", "euclidean"):
        raise ValueError(f"metric: expected 'angular' or 'euclidean', found {metric!r}")
    points = [checked_points(values, name) for name, values in (("x", x), ("y", y))]
    if points[0].shape[1] != points[1].shape[1]:
        raise ValueError(f"y: expected {points[0].shape[1]} columns as in x, found {points[1].shape[1]}")
    if metric == "angular":
        points = [unit_vectors(cloud, name) for cloud, name in zip(points, "xy", strict=True)]
    subsamples = equal_subsamples((len(points[0]), len(points[1])), repeats, seed)
    return accuracy_over(nearest_points(points[0], points[1], min(map(len, points))), subsamples, ties)


def nearest_points(x: NDArray[np.float64], y: NDArray[np.float64], n: int) -> NearestPair:
    """The four searches between real points x and synthetic points y, float64 (n, d) and (m, d), by |x - y|.

    Searches among unit vectors (`unit_vectors`) compare as their angles do. They serve any subsets, those of n points
    on each side fastest.
    """
    pairs = ((x, x), (x, y), (y, x), (y, y))
    return NearestPair(*(search_points(queries, targets, n) for queries, targets in pairs))


def unit_vectors(points: NDArray[np.float64], name: str = "points") -> NDArray[np.float64]:
    """The points at length 1; ValueError for one at the origin."""
    length = np.linalg.norm(points, axis=1, keepdims=True)
    if len(points) and length.min() == 0:
        raise ValueError(f"{name}: expected vectors other than zero for angles, found one in row {length.argmin()}")
    return points / length


def checked_points(values: ArrayLike, name: str) -> NDArray[np.float64]:
    """Points as float64 (n, d); ValueError for other than a floating-point matrix of finite values with a row."""
    points = np.asarray(values)
    if points.ndim != 2 or points.dtype.kind != "f" or len(points) == 0:
        raise ValueError(
            f"{name}: expected a floating-point matrix of points (n, d), found {points.dtype} {points.shape}"
        )
    points = points.astype(np.float64)
    if not np.isfinite(points).all():
        raise ValueError(f"{name}: expected finite values, found others")
    return points


def search_points(queries: NDArray[np.float64], targets: NDArray[np.float64], n: int) -> Search:
    """Distances of queries to the nearest of some n targets; where both are the same array, to the nearest other."""
    if queries.shape[1] <= _TREE_COLUMNS:
        return _ByTree(queries, targets, list_length(n, len(targets)))
    return _ByProducts(queries, targets)


class _ByTree(ListedDistances):
    """By a k-d tree; its distances are alike for (a, b) and (b, a), and exactly 0 for equal points."""

    def __init__(self, queries: NDArray[np.float64], targets: NDArray[np.float64], k: int) -> None:
        self._queries, self._targets, self._same = queries, targets, queries is targets
        count = min(k, len(targets) - self._same)
        distance, index = self._nearest(np.arange(len(queries)), np.arange(len(targets)), count)
        super().__init__(index, distance, len(targets))

    def _search(self, query_rows: NDArray[np.int64], target_rows: NDArray[np.int64]) -> Nearest:
        distance, index = self._nearest(query_rows, target_rows, 1)
        return distance[:, 0], index[:, 0]

    def _nearest(
        self, query_rows: NDArray[np.int64], target_rows: NDArray[np.int64], k: int
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Distances and rows of the k nearest among these targets, each (len(query_rows), k), without the query."""
        try:
            from scipy.spatial import KDTree
        except ImportError:
            raise MissingDependencyError("scipy", "eval") from None
        # without balancing: a median among many equal points is slow to find
        tree = KDTree(self._targets[target_rows], leafsize=_LEAF, balanced_tree=False)
        count = min(k + self._same, len(target_rows))
        distance, index = tree.query(self._queries[query_rows], k=np.arange(1, count + 1), workers=get_threads(None))
        index = target_rows[index]
        if self._same:
            itself = index == query_rows[:, None]
            itself[~itself.any(axis=1), -1] = True  # among many equal points, all at distance 0: any of them goes
            others = np.argsort(itself, axis=1, kind="stable")[:, :k]
            distance, index = (np.take_along_axis(found, others, axis=1) for found in (distance, index))
        return distance[:, :k], index[:, :k]


class _ByProducts:
    """As `_ByTree`, for many columns, each subset anew.

    The nearest point is found by products, its distance then from differences, which are alike for (a, b) and (b, a)
    and exactly 0 for equal rows: rounding of the products neither makes ties nor breaks them.
    """

    def __init__(self, queries: NDArray[np.float64], targets: NDArray[np.float64]) -> None:
        self._queries, self._targets, self._same = queries, targets, queries is targets

    def __call__(self, query_rows: Rows = None, target_rows: Rows = None) -> NDArray[np.float64]:
        rows = np.arange(len(self._queries)) if query_rows is None else query_rows
        columns = np.arange(len(self._targets)) if target_rows is None else target_rows
        targets = self._targets[columns]
        length = np.einsum("ij,ij->i", targets, targets)
        distance = np.empty(len(rows))
        for start in range(0, len(rows), _BLOCK_ROWS):
            block = rows[start : start + _BLOCK_ROWS]
            queries = self._queries[block]
            squared = length - 2 * (queries @ targets.T)  # less the constant |query|²
            if self._same:
                squared[columns == block[:, None]] = np.inf
            # candidates within rounding of the least are told apart by their exact differences
            scale = np.einsum("ij,ij->i", queries, queries) + length.max()
            near = squared <= (squared.min(axis=1) + 1e-12 * scale)[:, None]
            i, j = np.nonzero(near)
            gap = queries[i] - targets[j]
            exact = np.full(len(block), np.inf)
            np.minimum.at(exact, i, np.sqrt(np.einsum("ij,ij->i", gap, gap)))
            distance[start : start + len(block)] = exact
        return distance

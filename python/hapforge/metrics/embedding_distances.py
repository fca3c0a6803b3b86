"""How far synthetic haplotypes lie from the nearest real one in an embedding: L1, L2 and cosine."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hapforge.metrics._intervals import Interval, Z
from hapforge.metrics.embedded import checked_points

_BLOCK_VALUES = 1 << 21  # distances at a time: 16 MiB


@dataclass(frozen=True)
class NearestInEmbedding:
    """Distances of the synthetic points to their nearest real one, under one measure.

    Attributes
    ----------
    median : float
    interval : 95 % interval of the median, from order statistics; NaN below 8 points
    least : float, the smallest of all
    """

    median: float
    interval: Interval
    least: float


@dataclass(frozen=True)
class EmbeddingDistances:
    """Result of `embedding_distances`.

    Attributes
    ----------
    l1 : sum_k |x_k - y_k|
    l2 : |x - y|
    cosine : 1 - x.y / (|x| |y|); 1 where one of them is at the origin
    n : int, synthetic points
    """

    l1: NearestInEmbedding
    l2: NearestInEmbedding
    cosine: NearestInEmbedding
    n: int


def embedding_distances(real: ArrayLike, synthetic: ArrayLike) -> EmbeddingDistances:
    """Distances of every synthetic point to the nearest real one: their median and their least.

    A least distance of 0 is a point that matches a real one; a median far below that of real points that were held
    out is closeness to the training set. The numbers fall with the number of real points: compare at equal n, in one
    embedding, which is to be fitted without the synthetic points. The interval takes the synthetic points as
    independent and the real ones as given; it rests on ranks alone.

    Parameters
    ----------
    real, synthetic : floating point (n, d) and (m, d), finite; computed in float64

    Raises
    ------
    ValueError
        No points, shapes that do not fit, values that are not finite.

    References
    ----------
    Kenneweg et al., Generating synthetic genotypes using diffusion models, section 4: "L1, L2, and cosine
    distances between synthetic and real data points", which show that no synthetic point matches a real one; how they
    are summed up the paper does not say.
    """
    x, y = (checked_points(values, name) for name, values in (("real", real), ("synthetic", synthetic)))
    if x.shape[1] != y.shape[1]:
        raise ValueError(f"synthetic: expected {x.shape[1]} columns as in real, found {y.shape[1]}")
    units = [points / np.maximum(np.linalg.norm(points, axis=1, keepdims=True), 1e-300) for points in (x, y)]
    nearest = np.empty((3, len(y)))
    rows = max(1, _BLOCK_VALUES // len(x))
    for start in range(0, len(y), rows):
        block = y[start : start + rows]
        l1, squared = np.zeros((len(block), len(x))), np.zeros((len(block), len(x)))
        for a, b in zip(block.T, x.T, strict=True):
            gap = np.abs(np.subtract.outer(a, b))
            l1 += gap
            squared += gap * gap
        nearest[0, start : start + rows] = l1.min(axis=1)
        nearest[1, start : start + rows] = np.sqrt(squared.min(axis=1))
        nearest[2, start : start + rows] = 1 - (units[1][start : start + rows] @ units[0].T).max(axis=1)
    nearest[2] = np.maximum(nearest[2], 0)
    l1_found, l2_found, cosine_found = map(_summary, nearest)
    return EmbeddingDistances(l1_found, l2_found, cosine_found, len(y))


def _summary(distances: NDArray[np.float64]) -> NearestInEmbedding:
    """Median, the order statistics around it (Conover 1999, section 3.2), and least."""
    m = len(distances)
    ordered = np.sort(distances)
    half = Z * math.sqrt(m) / 2
    low, high = math.floor(m / 2 - half) - 1, math.ceil(m / 2 + half)
    interval = (math.nan, math.nan) if low < 0 or high >= m else (float(ordered[low]), float(ordered[high]))
    return NearestInEmbedding(float(np.median(ordered)), interval, float(ordered[0]))

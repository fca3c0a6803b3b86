"""How much less sure a share over nearest neighbours is than one over as many independent rows."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hapforge.metrics.nearest import Linked

_FEW = 1.0  # independent events that what is known of groups beforehand counts for


class Dependence:
    """Which rows' scores depend on one another: those that are decided by a row in common.

    The score of a row by its nearest neighbour depends on both. Two scores that have a row in common depend on each
    other: those of mutual nearest neighbours, of rows with the same neighbour, of a row and its neighbour's. Their
    products estimate the covariances, as in a network; the variance is Schilling's (1986, section 3) where both sets
    are alike, and too great where their parts differ in the mean.

    Parameters
    ----------
    members : int64 (rows, up to 3), the rows that decide each row's score; -1: one fewer

    References
    ----------
    Schilling 1986, multivariate two-sample tests based on nearest neighbors; Henze 1988, a multivariate two-sample test
    based on the number of nearest neighbor type coincidences. Leung 2020, treatment and spillover effects under network
    interference, equation 13 (the estimator of variance).
    """

    def __init__(self, members: NDArray[np.int64]) -> None:
        num_rows, most = members.shape
        # rows that have one member in common at least: those in common less pairs in common and more triples
        self._shared: list[tuple[int, NDArray[np.int64], NDArray[np.int64]]] = []
        for size in range(1, most + 1):
            chosen = np.concatenate([members[:, list(columns)] for columns in combinations(range(most), size)])
            of_row = np.tile(np.arange(num_rows), len(chosen) // num_rows)
            full = (chosen >= 0).all(axis=1)
            columns = np.sort(chosen[full], axis=1).T
            group = columns[0]
            for column in columns[1:]:
                group = np.unique(group * num_rows + column, return_inverse=True)[1]
            self._shared.append(((-1) ** (size - 1), of_row[full], group))

    def variance(self, effect: NDArray[np.float64]) -> float:
        """Sum of products of the effects (rows,) of each two rows that depend on each other, and of each row's square.

        Effects are scores less their mean; the result is the variance of the sum of scores.
        """
        total = 0.0
        for sign, row, group in self._shared:
            total += sign * float(np.square(np.bincount(group, effect[row])).sum())
        return max(total, 0.0)


class LabelDependence(Dependence):
    """`Dependence` of indicators of which set the nearest other row of each row is in; of a tie, one row of each set.

    Parameters
    ----------
    linked : Linked
    """

    def __init__(self, linked: Linked) -> None:
        rows = np.arange(len(linked.own))
        gap = np.concatenate([linked.truth, linked.syn])
        super().__init__(
            np.stack([rows, np.where(gap >= 0, linked.own, -1), np.where(gap <= 0, linked.other, -1)], axis=1)
        )
        is_truth = rows < len(linked.truth)
        nearest = np.where((gap > 0) | ((gap == 0) & is_truth), linked.own, linked.other)  # a truth row where tied
        alike = linked.repeated | (nearest[nearest] == rows)
        self._kind = np.where(alike, np.minimum(rows, nearest), rows)  # rows that are identical, or a mutual pair

    def design_effect(self, *shares: tuple[slice, NDArray[np.float64]]) -> float:
        """Variance of the sum of shares over that of independent indicators.

        Of fewer than some independent events nothing can be learned of how they depend; there it is led by the mean
        number of rows that are identical to a row, or its mutual neighbour.

        Parameters
        ----------
        shares : (rows, their indicators), sets without rows in common
        """
        effect, counted = np.zeros(len(self._kind)), np.zeros(len(self._kind), bool)
        independent = events = 0.0
        for rows, indicator in shares:
            share = indicator.mean()
            effect[rows], counted[rows] = indicator - share, True
            independent += len(indicator) * share * (1 - share)
            events += len(indicator) * min(share, 1 - share)
        group = np.bincount(self._kind[counted])
        expected = float(np.square(group).sum() / group.sum())
        if independent <= 0:
            return expected
        found = self.variance(effect) / independent
        events /= max(found, 1.0)
        return float((events * found + _FEW * expected) / (events + _FEW))

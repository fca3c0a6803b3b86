"""A preconditioner for the gradient of weights between linked sites."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, seeded_order

_ROWS, _DIRECTIONS = 2000, 200
_SITES_AT_ONCE = 1024
_DIRECTION_BITS = 16  # of the grids; see `Whitening`
_GRADIENT_BITS = {"bernoulli": 22, "relu": 14}
_ALONG_BITS = 2


class Whitening:
    """P = S (1 - U D U^T) S, by which a gradient along the sites is multiplied.

    S^2 are the rates of sites. U are the principal directions of S (v - mean(v)) whose variances l are greater than
    `above`, and D = 1 - above / l: along U the gradient is that much smaller, elsewhere as it was. Sites in linkage
    disequilibrium move together, by a step that grows with their number, so that without this the rate at which a
    region's populations stay in proportion is far too low for what tells its haplotypes apart. P is positive definite:
    what is a direction up the gradient remains one.

    With P = C^-1 it is the gradient with respect to the weights of whitened units, carried back to the plain ones.

    Products are sums of integers below 2^53 in float64, which no order of adding changes: directions count in units of
    2^-16, gradients of 2^-22 (2^-14, rectified units). Directions come from 2,000 rows and are 200 at most;
    with more than these above `above`, the variance of the 201st stands for it.

    References
    ----------
    Melchior, Fischer, Wiskott 2016, How to center deep Boltzmann machines, JMLR 17 (centring, of which this is the
    second order); Desjardins et al. 2015, Natural neural networks, NIPS (whitened units).
    """

    def __init__(self, root: Tensor, directions: Tensor, along: Tensor, hidden: str) -> None:
        """float64 (m,), S; float64 integers (m, k), U in units of 2^-16; float64 (k,), D."""
        self.root, self.directions, self.along = root, directions, along
        self._hidden, self._bits = hidden, _GRADIENT_BITS[hidden]

    def to(self, device: torch.device) -> Whitening:
        return Whitening(self.root.to(device), self.directions.to(device), self.along.to(device), self._hidden)

    def tensors(self) -> list[Tensor]:
        return [self.root, self.directions, self.along]

    def __call__(self, gradient: Tensor) -> Tensor:
        """P times float64 (num_visible, n) or (num_visible,)."""
        columns = gradient if gradient.ndim == 2 else gradient[:, None]
        scaled = (columns * (self.root * 2.0**self._bits)[:, None]).round_()
        less = (self.directions.T @ scaled).mul_(self.along[:, None] * 2.0 ** (_ALONG_BITS - _DIRECTION_BITS)).round_()
        less = (self.directions @ less).mul_(2.0 ** -(_DIRECTION_BITS + _ALONG_BITS))
        return (scaled - less).mul_((self.root * 2.0**-self._bits)[:, None]).view(gradient.shape)


def whitening(
    H: HaplotypeMatrix, frequency: NDArray[np.float64], rates: NDArray[np.float64], above: float, seed: int, hidden: str
) -> Whitening:
    """That of a cohort, its allele frequencies and the rates of its sites, on the CPU.

    Memory beside the cohort: 200 MB, and 4 kB for every site.
    """
    root = np.sqrt(rates)
    some = H.select_haplotypes(seeded_order(H.num_haplotypes, seed)[:_ROWS])
    n = some.num_haplotypes

    def scaled(first: int) -> NDArray[np.float64]:
        sites = np.arange(first, min(first + _SITES_AT_ONCE, H.num_sites))
        return (some.select_sites(sites).to_dense() - frequency[sites]) * root[sites]

    starts = range(0, H.num_sites, _SITES_AT_ONCE)
    with _backend.one_blas_thread():
        gram = np.zeros((n, n))
        for first in starts:
            block = scaled(first)
            gram += block @ block.T
        values, vectors = np.linalg.eigh(gram / n)
        values, vectors = values[::-1], vectors[:, ::-1]
        if n > _DIRECTIONS:
            above = max(above, float(values[_DIRECTIONS]))
        k = min(int((values > above).sum()), _DIRECTIONS)
        onto_sites = vectors[:, :k] / np.sqrt(values[:k] * n)
        directions = np.vstack([scaled(first).T @ onto_sites for first in starts])
    integers = np.round(directions * 2.0**_DIRECTION_BITS)
    along = 1 - above / values[:k]
    return Whitening(torch.from_numpy(root), torch.from_numpy(integers), torch.from_numpy(along), hidden)

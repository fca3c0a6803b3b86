"""Sites on their own: every allele, or letter of aligned sequences, drawn from its frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend, kernels
from hapforge.alignment import alphabet_of, states_of
from hapforge.haplotypes import HaplotypeMatrix, philox, words_per_row
from hapforge.models import _store
from hapforge.models._model import CountedModel

_ROWS = 256
_NUMBERS = 1 << 20  # drawn at once


@dataclass(frozen=True)
class BernoulliConfig:
    """Nothing to choose."""


class Bernoulli(CountedModel):
    """P(h) = prod_j f_j^h_j (1 - f_j)^(1 - h_j), f_j the ALT frequency of site j: no site knows another.

    Of aligned sequences no position knows another: its letter is drawn by the frequencies of the letters there.

    References
    ----------
    Yelmen et al. 2021, Creating artificial human genomes using generative neural networks, Materials and Methods,
    "Bernoulli distribution model".
    """

    name: ClassVar[str] = "bernoulli"
    summary: ClassVar[str] = "Independent sites, alleles drawn from their frequencies (Yelmen et al. 2021)."
    config_type: ClassVar[type] = BernoulliConfig
    TAKES_SEQUENCES: ClassVar[bool] = True

    def __init__(self) -> None:
        super().__init__()
        self.config = BernoulliConfig()

    def _count(self, H: HaplotypeMatrix) -> None:
        if alphabet_of(H.sites):
            states_of(H)  # refuses rows without one letter at every position
        self._counts = np.asarray(kernels.allele_counts(H), dtype=np.int64)

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """ALT frequency of every site, float64 (num_sites,)."""
        return self._counts / self.training["num_haplotypes"]

    def _draw_rows(self, first: int, last: int, seed: int) -> NDArray[np.uint64]:
        """Each block of _ROWS rows has a stream of its own, whose numbers its rows take one after the other."""
        num_sites = len(self.sites)
        words = np.empty((last - first, words_per_row(num_sites)), np.uint64)
        at_once = max(1, _NUMBERS // max(1, num_sites))
        for block in range(first // _ROWS, -(-last // _ROWS)):
            stream = np.random.Generator(philox(seed, block))
            end = min((block + 1) * _ROWS, last)
            for a in range(block * _ROWS, end, at_once):
                b = min(a + at_once, end)
                drawn = _backend.pack(self._alleles(stream, b - a).view(np.uint8))
                words[max(a - first, 0) : max(b - first, 0)] = drawn[max(first - a, 0) :]
        return words

    def _alleles(self, stream: np.random.Generator, rows: int) -> NDArray[np.bool_]:
        """bool (rows, num_sites), of the next numbers of a stream."""
        frequencies, alphabet = self.frequencies, alphabet_of(self.sites)
        if not alphabet:
            return stream.random((rows, len(frequencies))) < frequencies
        reached = self._counts.reshape(-1, len(alphabet)).cumsum(1)
        passed = stream.integers(reached[0, -1], size=(rows, len(reached)))
        letters = (reached <= passed[:, :, None]).sum(2)
        return (letters[:, :, None] == np.arange(len(alphabet))).reshape(rows, -1)

    def _tensors(self) -> _store.Tensors:
        return {"allele_counts": self._counts}

    def _restore(self, tensors: _store.Tensors) -> None:
        _store.check_tensors(tensors, {"allele_counts": ((len(self.sites),), np.int64)})
        self._counts = tensors["allele_counts"]

"""Sites on their own: every allele, or letter of aligned sequences, drawn from its frequency."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.alignment import Alignment, alphabet_of, states_of
from hapforge.haplotypes import HaplotypeMatrix, philox, words_per_row
from hapforge.models import _store
from hapforge.models._model import CountedModel

_ROWS = 256


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

    def _draw(self, n: int, seed: int) -> NDArray[np.uint64]:
        frequencies, alphabet = self.frequencies, alphabet_of(self.sites)
        words = np.zeros((n, words_per_row(len(frequencies))), np.uint64)
        for block, start in enumerate(range(0, n, _ROWS)):
            stream = np.random.Generator(philox(seed, block))
            rows = min(_ROWS, n - start)
            if alphabet:
                reached = self._counts.reshape(-1, len(alphabet)).cumsum(1)
                passed = stream.integers(reached[0, -1], size=(rows, len(reached)))
                drawn = Alignment((reached <= passed[:, :, None]).sum(2), alphabet).to_haplotypes()
            else:
                drawn = HaplotypeMatrix.from_dense(stream.random((rows, len(frequencies))) < frequencies)
            words[start : start + rows] = drawn.words
        return words

    def _tensors(self) -> _store.Tensors:
        return {"allele_counts": self._counts}

    def _restore(self, tensors: _store.Tensors) -> None:
        _store.check_tensors(tensors, {"allele_counts": ((len(self.sites),), np.int64)})
        self._counts = tensors["allele_counts"]

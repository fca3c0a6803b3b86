"""A chain along the chromosome: every allele drawn given the last few."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, Sites, philox, words_per_row
from hapforge.models import _store
from hapforge.models._model import CountedModel

_ROWS = 8192
_COUNTED = 4  # numbers of a step of Philox's counter
_MAX_WINDOW = 16


@dataclass(frozen=True)
class MarkovConfig:
    """
    Attributes
    ----------
    window : int, 1 to 16: how many previous sites an allele depends on (5 or 10 in the paper)
    """

    window: int = 10


class Markov(CountedModel):
    """P(h) = prod_j P(h_j | h_{j-w} .. h_{j-1}), each factor counted in the training haplotypes.

    The window grows from 0 at the first site of a contig to w and starts again at the next contig. A drawn context is
    always one that was counted: it is an observed context followed by an allele observed after it.

    References
    ----------
    Yelmen et al. 2021, Creating artificial human genomes using generative neural networks, Materials and Methods,
    "Markov chain model".
    """

    name: ClassVar[str] = "markov"
    summary: ClassVar[str] = "Alleles drawn given the previous ones, probabilities counted (Yelmen et al. 2021)."
    config_type: ClassVar[type] = MarkovConfig

    def __init__(self, window: int = 10) -> None:
        super().__init__()
        if not 1 <= window <= _MAX_WINDOW:
            raise ValueError(f"window: expected 1 to {_MAX_WINDOW}, found {window}")
        self.config = MarkovConfig(window)

    def _count(self, H: HaplotypeMatrix) -> None:
        lengths = _context_lengths(H.sites, self.config.window)
        site_major = _backend.transpose(H.words, H.num_sites)
        code = np.zeros(H.num_haplotypes, np.uint16)
        contexts, seen, ones = [], [], []
        for start in range(0, H.num_sites, 64):
            alleles = _backend.unpack(site_major[start : start + 64], H.num_haplotypes)
            for j, allele in enumerate(alleles, start):
                code &= _mask(lengths[j])
                here = np.bincount(code, minlength=1)
                observed = np.flatnonzero(here)
                contexts.append(observed.astype(np.uint16))
                seen.append(here[observed].astype(np.uint32))
                ones.append(np.bincount(code[allele.view(bool)], minlength=len(here))[observed].astype(np.uint32))
                code <<= 1
                code |= allele
        self._first = np.concatenate([[0], np.cumsum([len(c) for c in contexts])]).astype(np.int64)
        self._context, self._seen, self._ones = (np.concatenate(parts) for parts in (contexts, seen, ones))

    def table(self, site: int) -> dict[tuple[int, ...], tuple[int, int]]:
        """What was counted at a site: {previous alleles, nearest last: (times seen, times followed by ALT)}."""
        length = int(_context_lengths(self.sites, self.config.window)[site])
        part = slice(self._first[site], self._first[site + 1])
        return {
            tuple(code >> (length - 1 - i) & 1 for i in range(length)): (seen, ones)
            for code, seen, ones in zip(
                self._context[part].tolist(), self._seen[part].tolist(), self._ones[part].tolist(), strict=True
            )
        }

    def _draw_rows(self, first: int, last: int, seed: int) -> NDArray[np.uint64]:
        """Each block of _ROWS rows has a stream of its own: _ROWS numbers for the first site, by row, then the next."""
        words = np.empty((last - first, words_per_row(len(self.sites))), np.uint64)
        for block in range(first // _ROWS, -(-last // _ROWS)):
            begin = block * _ROWS
            a, b = max(first, begin), min(last, begin + _ROWS)
            self._draw_part(philox(seed, block), a - begin, words[a - first : b - first])
        return words

    def _draw_part(self, numbers: np.random.Philox, first: int, words: NDArray[np.uint64]) -> None:
        """Draw rows of a block from its row `first` on."""
        lead = first % _COUNTED  # rows before the first that share a step of the counter with it
        rows = lead + len(words)
        code = np.zeros(rows, np.uint16)
        probability = np.divide(self._ones, self._seen, dtype=np.float64)
        by_code = np.empty(1 << self.config.window)
        lengths = _context_lengths(self.sites, self.config.window)
        stream = np.random.Generator(numbers)
        numbers.advance((first - lead) // _COUNTED)
        to_next_site = (_ROWS - rows - -rows % _COUNTED) // _COUNTED
        for word in range(words.shape[1]):
            alleles = np.empty((min(64, len(lengths) - 64 * word), rows), bool)
            for j, allele in enumerate(alleles, 64 * word):
                code &= _mask(lengths[j])
                part = slice(self._first[j], self._first[j + 1])
                by_code[self._context[part]] = probability[part]
                np.less(stream.random(rows), by_code[code], out=allele)
                numbers.advance(to_next_site)
                code <<= 1
                code |= allele
            words[:, word] = _backend.transpose(_backend.pack(alleles.view(np.uint8)), rows)[lead:, 0]

    def _tensors(self) -> _store.Tensors:
        return {
            "first_context": self._first,
            "context": self._context,
            "seen": self._seen,
            "followed_by_alt": self._ones,
        }

    def _restore(self, tensors: _store.Tensors) -> None:
        self._first, self._context = tensors["first_context"], tensors["context"]
        self._seen, self._ones = tensors["seen"], tensors["followed_by_alt"]


def _context_lengths(sites: Sites, window: int) -> NDArray[np.int64]:
    """How many previous sites of its own contig every site looks at."""
    lengths = np.empty(len(sites), np.int64)
    for _, start, stop in sites.contig_blocks():
        lengths[start:stop] = np.minimum(np.arange(stop - start), window)
    return lengths


def _mask(length: int) -> np.uint16:
    return np.uint16((1 << int(length)) - 1)

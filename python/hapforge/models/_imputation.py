"""Unobserved sites of haplotypes from a Boltzmann machine: the observed ones are held, the others averaged."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, Sites, words_per_row
from hapforge.intersection import intersect
from hapforge.kernels import GibbsMachine
from hapforge.models._fixed_point import BITS, LARGEST_BIAS
from hapforge.models._machine import RECTIFIED_BITS, UNITS, hidden_mean
from hapforge.models._workers import Workers

_CHAINS = 1024  # at a time on a thread ...
_BYTES = 16 << 20  # ... fewer where a field of each at every site takes more


@dataclass(frozen=True)
class Imputation:
    """Haplotypes at all sites of a model, of which some were observed.

    Attributes
    ----------
    calls : HaplotypeMatrix (n, num_sites), the sites of the model and the persons of the input; observed sites as they
        are, at the others the likelier allele: ALT where the dosage is above 1/2
    dosage : float32 (n, num_sites), P(ALT | the haplotype's observed sites); 0 or 1 where observed
    observed : bool (num_sites,), or (n, num_sites) where haplotypes differ
    num_dropped : int, sites of the input that the model does not have
    num_flipped : int, sites of the input whose REF and ALT were swapped against the model's
    """

    calls: HaplotypeMatrix
    dosage: NDArray[np.float32]
    observed: NDArray[np.bool_]
    num_dropped: int
    num_flipped: int

    def estimated_r2(self) -> NDArray[np.float64]:
        """What r² between dosage and truth would be if dosages are right, float64 (num_sites,).

        var(d) / (p (1 - p)) of the dosages d of haplotypes at which the site was not observed, p their mean. It needs
        no truth. NaN where all observe the site, or p is 0 or 1.

        References
        ----------
        Das et al. 2016, Next-generation genotype imputation service and methods, Nature Genetics 48 (minimac's Rsq).
        """
        r2 = np.full(self.dosage.shape[1], np.nan)
        observed = np.broadcast_to(self.observed, self.dosage.shape)
        for j in np.flatnonzero(~observed.all(0)):
            d = self.dosage[~observed[:, j], j].astype(np.float64)
            if 0 < (p := d.mean()) < 1:
                r2[j] = d.var() / (p * (1 - p))
        return r2


def at_sites_of(
    sites: Sites, H: HaplotypeMatrix, called: NDArray[np.bool_] | None = None
) -> tuple[NDArray[np.uint64], NDArray[np.bool_], int, int]:
    """H's words at a model's sites, zero where it has none; which it has; numbers of sites dropped and flipped.

    Parameters
    ----------
    called : bool (H.num_sites,) or (n, H.num_sites), what H has of its own sites; None: all

    Returns
    -------
    words, zero where not observed; observed, bool (len(sites),), or (n, len(sites)) with `called`; two numbers
    """
    n = H.num_haplotypes
    if called is not None:  # masks go the same way, and a row of zeros, which says where bits are flipped
        masks = _backend.pack(np.broadcast_to(called, H.shape).view(np.uint8))
        none = np.zeros((1, H.words.shape[1]), np.uint64)
        H = HaplotypeMatrix(np.concatenate([H.words, masks, none]), H.sites)
    numbered = Sites(
        sites.position,
        contig=sites.contig,
        id=np.arange(len(sites)).astype(str),
        ref=sites.ref,
        alt=sites.alt,
        position_known=sites.position_known,
    )
    mine = HaplotypeMatrix(np.empty((0, words_per_row(len(sites))), np.uint64), numbered)
    common = intersect([mine, H])
    index = common[0].sites.id.astype(np.int64)
    observed = np.zeros(len(sites), bool)
    observed[index] = True
    source = np.zeros(len(sites), np.int64)
    source[index] = np.arange(len(index))
    words = _backend.select_sites(common[1].words, len(index), source)
    if called is not None:
        masks = words[n : 2 * n] ^ words[2 * n]
        observed = observed & _backend.unpack(masks, len(sites)).view(bool)
        words = words[:n]
    words &= _backend.pack(np.atleast_2d(observed).view(np.uint8))
    return words, observed, common.num_dropped[1], common.num_flipped[1]


def check_observed(observed: NDArray[np.bool_], num_haplotypes: int, num_sites: int) -> NDArray[np.bool_]:
    """The mask; TypeError, ValueError where it is none of these haplotypes."""
    mask = np.asarray(observed)
    if mask.dtype != bool:
        raise TypeError(f"observed: expected bool, found {mask.dtype}")
    if mask.shape not in ((num_sites,), (num_haplotypes, num_sites)):
        raise ValueError(
            f"observed: expected shape {(num_sites,)} or {(num_haplotypes, num_sites)}, found {mask.shape}"
        )
    return mask


class ConditionalMeans:
    """A machine whose visible units are drawn, and averaged, given some of them."""

    def __init__(
        self,
        weights: NDArray[np.int32],
        visible_bias: NDArray[np.int32],
        hidden_bias: NDArray[np.int32],
        hidden: str,
    ) -> None:
        self._gibbs = GibbsMachine(weights, visible_bias, hidden_bias, fixed_point_bits=BITS, hidden=hidden)
        self._weights, self._visible_bias = weights, visible_bias
        self._hidden = hidden

    def dosages(
        self,
        words: NDArray[np.uint64],
        observed: NDArray[np.bool_],
        *,
        chains: int,
        burn_in: int,
        steps: int,
        seed: int,
        workers: Workers,
    ) -> NDArray[np.float32]:
        """Means of P(v = 1 | h) over `steps` steps after `burn_in` of `chains` chains for every row.

        Parameters
        ----------
        words : uint64 (n, words_per_row), what is observed
        observed : bool (num_visible,) or (n, num_visible)

        Returns
        -------
        float32 (n, num_visible), the bits of `words` where observed
        """
        n, num_visible = len(words), len(self._visible_bias)
        found = np.empty((n, num_visible), np.float32)
        limit = max(1, min(_CHAINS, _BYTES // (4 * max(1, num_visible))))
        rows = max(1, limit // chains)

        def share(first: int, last: int) -> None:
            for a in range(first, last, rows):
                b = min(a + rows, last)
                mask = np.broadcast_to(observed[a:b] if observed.ndim == 2 else observed, (b - a, num_visible))
                found[a:b] = _backend.unpack(words[a:b], num_visible, 1)
                sites = np.flatnonzero(~mask.all(0))
                if len(sites):
                    total = np.zeros((b - a, len(sites)), np.int64)
                    for c in range(0, chains, limit):
                        part = min(limit, chains - c)
                        total += self._sums(words[a:b], mask, sites, part, burn_in, steps, seed, a * chains + c)
                    mean = total / (chains * steps * UNITS["bernoulli"])
                    found[a:b, sites] = np.where(mask[:, sites], found[a:b, sites], mean)

        workers.share(n, share)
        return found

    def _sums(
        self,
        words: NDArray[np.uint64],
        mask: NDArray[np.bool_],
        sites: NDArray[np.int64],
        chains: int,
        burn_in: int,
        steps: int,
        seed: int,
        first_chain: int,
    ) -> NDArray[np.int64]:
        """Of P(v = 1 | h) in units of 1 / UNITS at the sites, (rows, len(sites)); chains of a row are numbered on."""
        num_visible, n = len(self._visible_bias), chains * len(words)
        of_chain = np.repeat(np.arange(len(words)), chains)
        held = _backend.transpose(_backend.pack(mask.view(np.uint8), 1)[of_chain], num_visible, 1)
        given = _backend.transpose(words[of_chain], num_visible, 1) & held
        start, _ = self._gibbs.run_bits(None, n, steps=0, seed=seed, first_chain=first_chain, threads=1)
        visible = given | (start & ~held)
        total = np.zeros((len(sites), n), np.int32)
        for step in range(burn_in + steps):
            drawn, hidden = self._gibbs.run_bits(
                visible, n, steps=1, seed=seed, first_step=step, first_chain=first_chain, threads=1
            )
            visible = given | (drawn & ~held)
            if step >= burn_in:
                field = torch.from_numpy(self._visible_fields(hidden, n)[sites])
                total += hidden_mean(field, "bernoulli").numpy()
        return total.reshape(len(sites), len(words), chains).sum(2, dtype=np.int64).T

    def _visible_fields(self, hidden: NDArray[Any], n: int) -> NDArray[np.int32]:
        """int32 (num_visible, n), in units of 2**-BITS."""
        if self._hidden == "bernoulli":
            return self._gibbs.visible_fields(hidden, n, threads=1)
        scaled = hidden.astype(np.float64) * (1 << RECTIFIED_BITS)  # integers: the product is exact
        field = self._weights.astype(np.float64) @ scaled.T / (1 << RECTIFIED_BITS) + self._visible_bias[:, None]
        limit = LARGEST_BIAS  # far beyond where a sigmoid is 0 or 1
        return np.clip(np.rint(field), -limit, limit).astype(np.int32)

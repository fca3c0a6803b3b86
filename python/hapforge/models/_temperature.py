"""Choice of the temperature of the last draw by real haplotypes: neither noisier than they are nor nearer to copies."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.kernels import allele_counts, ld_matrix, nearest_set
from hapforge.models._training import stream_seed
from hapforge.stats.pca import PCA, randomized_pca

_NEAR_ONE = (1.0, 0.975, 0.95, 0.925, 0.9, 0.875, 0.85)
TEMPERATURES = (*_NEAR_ONE, 0.8, 0.75, 0.7, 0.65, 0.6)
HIGHEST_PRIVACY, MORE_PRIVACY = 0.07, 0.03  # what is allowed in all, or above that at 1: 0.05, and 0.02 for chance
LOWER = {"af_r": 0.005, "af_r_low": 0.01, "ld_r": 0.01}  # by which these may be below those at temperature 1
HIGHER = {"pca_distance": 0.02}  # and this above
_ROWS, _SITES = 2000, 1000
_LOW_FREQUENCY = 0.2
_DECIMALS = 4  # floating point sums may differ by machine; scores are compared after rounding


def choose_temperature(
    draw: Callable[[int, int, float], HaplotypeMatrix],
    train: HaplotypeMatrix,
    validation: HaplotypeMatrix | None,
    seed: int,
) -> dict[str, Any]:
    """The temperature at which both parts of the adversarial accuracy are nearest to those of real haplotypes.

    Draws are compared with one half of the training persons (up to 2,000 rows), and so is the other half, which is what
    a perfect set would be. Not with validation persons, who are few: the accuracy falls with every row that is there to
    be near, and 250 rows choose too high a temperature for 2,500. A machine that has learnt single rows lowers both
    parts, and hardly moves the temperature at which they are as far from the other half's. Of the temperatures in
    `TEMPERATURES`, and those halfway beside the best of them, the one is taken at which the greater of
    |AA truth - control's| and |AA syn - control's| is least, the warmest of equal ones, among those at which nothing
    else pays for it:

    - ``af_r``, correlation of frequencies, at most 0.005 below that at 1, and ``af_r_low``, that over sites of ALT
      frequency at most 0.2, at most 0.01
    - ``ld_r``, correlation of r2 over the pairs of up to 1,000 sites, at most 0.01 below
    - ``pca_distance``, mean over the truth's first two components of the 1D Wasserstein distance in standard
      deviations, at most 0.02 above
    - ``privacy``, where there are validation persons: mean AA against them minus that against as many training rows, in
      sets of as many draws, at most 0.07, or 0.03 above that at 1

    A score that cannot be computed is left out.

    Parameters
    ----------
    draw : (n, seed, temperature) -> cohort
    train, validation : HaplotypeMatrix of the same sites and different persons
    seed : int in [0, 2**64)

    Returns
    -------
    dict of plain values: ``temperature``; ``n`` rows a side; ``num_validation``, rows of validation; ``control`` and
    ``scores`` {temperature as text: {name: value}}. Only ``temperature``, 1, where there are fewer than 2 rows a side.
    """
    truth, control = (
        half.select_haplotypes(seeded_order(half.num_haplotypes, stream_seed(seed, "temperature", name))[:_ROWS])
        for half, name in zip(train.split(0.5, stream_seed(seed, "temperature")), ("truth", "control"), strict=True)
    )
    n = min(truth.num_haplotypes, control.num_haplotypes)
    if n < 2:
        return {"temperature": 1.0}
    truth, control = (cohort.select_haplotypes(np.arange(n)) for cohort in (truth, control))
    judge = _Judge(truth, validation, stream_seed(seed, "temperature", "sites"))
    perfect = judge.scores(control)
    drawing = stream_seed(seed, "temperature", "draws")
    scores: dict[float, dict[str, float]] = {}

    def best_with(temperatures: list[float]) -> float:
        for at in temperatures:
            drawn = draw(n, drawing, at)
            scores[at] = judge.scores(drawn) | judge.privacy(drawn)
        as_good = [at for at in sorted(scores, reverse=True) if _as_good(scores[at], scores[1.0])]
        apart = {at: max(abs(scores[at][name] - perfect[name]) for name in ("aa_truth", "aa_syn")) for at in as_good}
        return min(as_good, key=lambda at: apart[at])

    best = TEMPERATURES.index(best_with(list(TEMPERATURES)))
    beside = TEMPERATURES[max(0, best - 1) : best + 2]
    chosen = best_with([round((a + b) / 2, 4) for a, b in pairwise(beside)])
    return {
        "temperature": chosen,
        "n": n,
        "num_validation": 0 if validation is None else validation.num_haplotypes,
        "control": perfect,
        "scores": {f"{at:g}": scores[at] for at in sorted(scores, reverse=True)},
    }


def said_of(found: dict[str, Any]) -> str:
    """A sentence on what `choose_temperature` found, for a model card; none where it compared nothing."""
    if "scores" not in found:
        return ""

    def parts(of: dict[str, float]) -> str:
        return f"{of['aa_truth']:.2f} / {of['aa_syn']:.2f}"

    scores, chosen = found["scores"], f"{found['temperature']:g}"
    return (
        f" It was chosen by {found['n']} training rows, of AA truth / syn {parts(scores[chosen])}, at 1 "
        f"{parts(scores['1'])}, real ones {parts(found['control'])}."
    )


def _as_good(found: dict[str, float], plain: dict[str, float]) -> bool:
    """Whether nothing but the adversarial accuracy pays for a temperature."""
    return (
        all(found[name] >= plain[name] - by for name, by in LOWER.items() if name in plain and name in found)
        and all(found[name] <= plain[name] + by for name, by in HIGHER.items() if name in plain and name in found)
        and found.get("privacy", 0.0) <= max(HIGHEST_PRIVACY, plain.get("privacy", 0.0) + MORE_PRIVACY)
    )


class _Judge:
    """Scores of sets against truth rows, and how much nearer they are to these than to validation rows."""

    def __init__(self, truth: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        self._truth, self._validation = truth, validation
        self._counts = allele_counts(truth)
        varying = np.flatnonzero((self._counts > 0) & (self._counts < truth.num_haplotypes))
        self._sites = np.sort(varying[seeded_order(len(varying), seed)[:_SITES]])
        self._r2 = _pairs(truth, self._sites)
        few = min(2, truth.num_sites, truth.num_haplotypes - 1)
        self._components: PCA | None = randomized_pca(truth, few) if len(varying) else None

    def scores(self, drawn: HaplotypeMatrix) -> dict[str, float]:
        aa_truth, aa_syn = _accuracy(self._truth, drawn)
        found = {"aa_truth": aa_truth, "aa_syn": aa_syn}
        low = self._counts <= _LOW_FREQUENCY * self._truth.num_haplotypes
        counts = allele_counts(drawn)
        found["af_r"] = _correlation(self._counts, counts)
        found["af_r_low"] = _correlation(self._counts[low], counts[low])
        found["ld_r"] = _correlation(self._r2, _pairs(drawn, self._sites))
        if self._components is not None:
            real, projected = self._components.coordinates, self._components.project(drawn)
            apart = np.abs(np.sort(real, axis=0) - np.sort(projected, axis=0)).mean(0) / real.std(0)
            found["pca_distance"] = float(apart.mean())
        return {name: round(value, _DECIMALS) for name, value in found.items() if math.isfinite(value)}

    def privacy(self, drawn: HaplotypeMatrix) -> dict[str, float]:
        if self._validation is None or not self._validation.num_haplotypes:
            return {}
        n = min(self._validation.num_haplotypes, drawn.num_haplotypes)
        others, found = self._validation.select_haplotypes(np.arange(n)), []
        for first in range(0, drawn.num_haplotypes - n + 1, n):
            rows = np.arange(first, first + n)
            part, known = drawn.select_haplotypes(rows), self._truth.select_haplotypes(rows)
            found.append((sum(_accuracy(others, part)) - sum(_accuracy(known, part))) / 2)
        return {"privacy": round(float(np.mean(found)), _DECIMALS)}


def _accuracy(real: HaplotypeMatrix, drawn: HaplotypeMatrix) -> tuple[float, float]:
    """Shares of real and of drawn rows whose nearest other row is of their own set, ties not (Yale et al. 2019)."""
    near = nearest_set(real, drawn)
    return float((near.a_sets == 1).mean()), float((near.b_sets == 2).mean())


def _pairs(cohort: HaplotypeMatrix, sites: NDArray[np.int64]) -> NDArray[np.float64]:
    """r2 of all pairs of sites; 0 where one does not vary."""
    r2 = ld_matrix(cohort.select_sites(sites))
    return np.nan_to_num(r2[np.triu_indices(len(sites), 1)].astype(np.float64))


def _correlation(x: NDArray[Any], y: NDArray[Any]) -> float:
    """Pearson's, NaN where nothing varies."""
    if len(x) < 2 or (x == x[0]).all() or (y == y[0]).all():
        return math.nan
    return float(np.corrcoef(x, y)[0, 1])

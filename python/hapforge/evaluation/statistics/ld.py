"""Linkage disequilibrium: r² pair by pair, and its decay with distance."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.haplotypes import POSITION_LIMIT, HaplotypeMatrix
from hapforge.kernels import ld_decay
from hapforge.metrics.ld import COMMON_FREQUENCY, LDComparison, compare_ld, compare_sampled_ld, vary
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.ld import LDCorrelation, LDDecayCurves, LDMatrices
from hapforge.stats.ld import (
    MAX_MATRIX_SITES,
    NUM_SAMPLED_PAIRS,
    UNITS_PER_CM,
    at_genetic_positions,
    ld_distance_edges,
    r2_of_pairs,
    sample_site_pairs,
    sampled_ld_decay,
)

MAX_EXACT_SITES = 100_000  # more sites are compared on sampled pairs
_SHOWN_PAIRS = 200_000  # of the density of r² against r²
_DENSITY_CELLS = 50
_R2_R = ScoreText(
    "LD r² r",
    "correlation of r² over all pairs of sites",
    "higher",
    Rule(0.02, 0.1, "pairs of sites are not as correlated as in the real set", ""),
)
_DECAY_R = ScoreText("LD decay r", "correlation of mean r² per distance bin", "higher")
_SCORE = ScoreText(
    "LD score",
    "1 - sum (LD real - LD syn)² / sum LD real² over distance bins; 1 is perfect",
    "higher",
    Rule(0.03, 0.15, "correlation between sites is lost, or invented", ""),
)


def _texts(found: LDComparison, pairs: str, end: str = "") -> dict[str, Score]:
    """The scores of a comparison over `pairs`, by their names with an ending."""
    text = f"{pairs}; Yelmen et al. 2021, 2023"
    bins = f"{found.num_bins} distance bins, {text}"
    if found.r2_sites < found.num_sites:
        text = (
            f"all pairs of {found.r2_sites} sites, evenly spaced among the {found.num_sites} that vary in both; "
            "interval: block bootstrap over sites; Yelmen et al. 2021"
        )
    return {
        f"ld_r2_r{end}": score(
            found.r2_r, found.r2_pairs, f"Pearson of r² real and r² syn, {text}", found.r2_r_interval
        ),
        f"ld_decay_r{end}": score(found.decay_r, found.num_sites, f"Pearson over {bins}", found.decay_r_interval),
        f"ld_score{end}": score(
            found.score, found.num_sites, f"1 - sum (LD real - LD syn)² / sum LD real², {bins}", found.score_interval
        ),
    }


def _sampled_text(found: LDComparison) -> str:
    return (
        f"{found.num_pairs} pairs of the {found.num_sites} sites that vary in both, sampled uniformly on log distance, "
        "bins with fewer in full; interval: of the sampling"
    )


class LinkageDisequilibrium(Statistic):
    name = "ld"
    heading = "Linkage disequilibrium"
    scores = {
        "ld_r2_r": _R2_R,
        "ld_decay_r": _DECAY_R,
        "ld_score": _SCORE,
        "ld_decay_r_common": ScoreText(
            "LD decay r, common", "the same without sites of ALT frequency below 0.1 in either set", "higher"
        ),
        "ld_score_common": ScoreText(
            "LD score, common", "the same without sites of ALT frequency below 0.1 in either set", "higher"
        ),
    }
    curves = {"ld_decay": LDDecayCurves, "ld_matrices": LDMatrices, "ld_correlation": LDCorrelation}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._own: dict[str, LDComparison] = {}
        self._own_common: dict[str, LDComparison] = {}
        self._density: dict[str, NDArray[np.int64]] = {}

    @cached_property
    def _edges(self) -> NDArray[np.float64]:
        return ld_distance_edges(self._placed(self.run.real.matrix).sites)

    def _placed(self, matrix: HaplotypeMatrix, kept: NDArray[np.bool_] | None = None) -> HaplotypeMatrix:
        """The haplotypes with the positions that distances are taken of, of some sites."""
        if self.run.ld_distance == "cM":
            matrix = HaplotypeMatrix(matrix.words, self.run.real.matrix.sites, matrix.samples)
        chosen = matrix if kept is None else matrix.select_sites(kept)
        return at_genetic_positions(chosen) if self.run.ld_distance == "cM" else chosen

    def _compare(self, truth: Cohort, cohort: Cohort, lowest: float, cells: bool) -> tuple[LDComparison, str]:
        """A comparison, and the pairs of sites it is over."""
        kept = vary(truth.frequencies, lowest) & vary(cohort.frequencies, lowest)
        real, synthetic, seed = self._placed(truth.matrix), self._placed(cohort.matrix), self.run.seed
        if np.count_nonzero(kept) > MAX_EXACT_SITES:
            found = compare_sampled_ld(real, synthetic, min_frequency=lowest, edges_bp=self._edges, seed=seed)
            text = _sampled_text(found)
        else:
            found = compare_ld(real, synthetic, min_frequency=lowest, edges_bp=self._edges, cells=cells, seed=seed)
            text = f"all pairs of the {found.num_sites} sites that vary in both; interval: block bootstrap over sites"
        if lowest:
            text = text.replace("that vary in both", f"of ALT frequency >= {lowest:g} in both")
        return found, text

    def compute(self, column: Column) -> dict[str, Score]:
        def scores(truth: Cohort, cohort: Cohort) -> dict[str, Score]:
            own = truth is column.truth and cohort is column.cohort
            found, text = self._compare(truth, cohort, 0.0, cells=own)
            if own:
                self._own[column.name] = found
                self._density[column.name] = _density(truth, cohort, self.run.seed)
            result = _texts(found, text)
            try:
                common, text = self._compare(truth, cohort, COMMON_FREQUENCY, cells=False)
            except ValueError as error:  # no common sites are no reason to leave out the rest
                nothing = score(np.nan, 0, f"not computed: {error}")
                return result | {"ld_decay_r_common": nothing, "ld_score_common": nothing}
            if own:
                self._own_common[column.name] = common
            rest = _texts(common, text, "_common")
            return result | {name: rest[name] for name in ("ld_decay_r_common", "ld_score_common")}

        return column.twice(scores)

    def _real_curve(self, lowest: float) -> NDArray[np.float64]:
        real = self.run.real
        kept = self._placed(real.matrix, vary(real.frequencies, lowest))
        exact = kept.num_sites <= MAX_EXACT_SITES
        if exact:
            return ld_decay(kept, self._edges).mean_r2
        return sampled_ld_decay(kept, self._edges, seed=self.run.seed).mean_r2

    def collect(self) -> dict[str, Any]:
        if not self._own:
            return {}
        by_cm = self.run.ld_distance == "cM"
        curves = LDDecayCurves(
            self._edges / UNITS_PER_CM if by_cm else self._edges,
            self._real_curve(0.0),
            {name: found.synthetic for name, found in self._own.items()},
            "cM" if by_cm else "bp" if self.run.real.matrix.sites.position_known else "sites",
            {name: found.real for name, found in self._own.items()},
            self._real_curve(COMMON_FREQUENCY),
            {name: found.synthetic for name, found in self._own_common.items()},
        )
        cells = {name: found.cells for name, found in self._own.items() if found.cells is not None}
        below_and_above = {
            name: np.where(np.tri(len(c.end), dtype=bool).T, c.real, c.synthetic) for name, c in cells.items()
        }
        edges = np.linspace(0, 1, _DENSITY_CELLS + 1)
        return {
            "ld_decay": curves,
            "ld_matrices": LDMatrices(
                {name: np.append(0, c.end) for name, c in cells.items()},
                {name: _per_mille(values) for name, values in below_and_above.items()},
            ),
            "ld_correlation": LDCorrelation(edges, self._density),
        }

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        """Both cohorts at the sites they share, twice; per 32 sites 20 x 52 sums and 200 cells; a matrix of r²."""
        num_sites_exact = min(num_sites, MAX_EXACT_SITES)
        matrix = 8 * min(num_sites, MAX_MATRIX_SITES) ** 2
        sampled = 200 * NUM_SAMPLED_PAIRS if num_sites > MAX_EXACT_SITES else 0
        return num_haplotypes * num_sites // 2 + 2000 * num_sites_exact + matrix + sampled + (32 << 20)


class SampledLinkageDisequilibrium(Statistic):
    """The same from sampled pairs at any number of sites, beside the exact ones to be compared with them."""

    name = "ld_sampled"
    heading = "Linkage disequilibrium"
    opt_in = True
    scores = {
        f"{name}_sampled": text._replace(
            heading=f"{text.heading}, sampled", reading=f"{text.reading}, from sampled pairs", rule=None, always=False
        )
        for name, text in (("ld_r2_r", _R2_R), ("ld_decay_r", _DECAY_R), ("ld_score", _SCORE))
    }

    def compute(self, column: Column) -> dict[str, Score]:
        edges = ld_distance_edges(self.run.real.matrix.sites)

        def scores(truth: Cohort, cohort: Cohort) -> dict[str, Score]:
            found = compare_sampled_ld(truth.matrix, cohort.matrix, edges_bp=edges, seed=self.run.seed)
            return _texts(found, _sampled_text(found), "_sampled")

        return column.twice(scores)

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return num_haplotypes * num_sites // 2 + 200 * NUM_SAMPLED_PAIRS


def _density(truth: Cohort, cohort: Cohort, seed: int) -> NDArray[np.int64]:
    """Pairs of sites by (r² in the set, r² in the real one), from a seeded sample of all pairs."""
    kept = vary(truth.frequencies) & vary(cohort.frequencies)
    first, second = (c.matrix.select_sites(kept) for c in (truth, cohort))
    pairs = sample_site_pairs(first.sites, np.array([0.0, POSITION_LIMIT]), _SHOWN_PAIRS, seed)
    x, y = (r2_of_pairs(m, pairs.index) for m in (first, second))
    counts, _, _ = np.histogram2d(y, x, bins=_DENSITY_CELLS, range=((0, 1), (0, 1)))
    return counts.astype(np.int64)


def _per_mille(values: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.where(np.isnan(values), -1, (1000 * np.nan_to_num(values)).round()).astype(np.int64)

"""Allele frequencies of a set against the real ones."""

from __future__ import annotations

import itertools
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.allele_frequency import (
    FREQUENCY_BINS,
    LOW_FREQUENCY,
    MIN_BIN_SITES,
    compare_allele_frequencies,
    compare_frequency_bins,
    compare_frequency_quantiles,
    compare_site_frequency_spectra,
    newly_fixed,
    newly_fixed_interval,
)
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.allele_frequency import AlleleFrequencies
from hapforge.report.figures.site_frequency import (
    FixedSiteList,
    FixedSites,
    FrequencyQuantiles,
    SiteFrequencySpectra,
)
from hapforge.stats.allele_frequency import count_class_edges, site_frequency_spectrum

MAX_LISTED_SITES = 1000
_FREQUENCY_EDGES = np.linspace(0, 1, 51)
_NUM_LIMITS = 60  # of minor allele frequency, from that of a single haplotype on
_BINS = {f"af_r_{100 * low:.0f}_{100 * high:.0f}": (low, high) for low, high in itertools.pairwise(FREQUENCY_BINS)}


class AlleleFrequency(Statistic):
    name = "allele_frequency"
    heading = "Allele frequencies"
    scores = {
        "af_r": ScoreText(
            "AF r",
            "correlation of ALT frequencies over all sites",
            "higher",
            Rule(0.005, 0.03, "sites are not as frequent as in the real set", ""),
        ),
        "af_slope": ScoreText("AF slope", "least squares slope of synthetic on real frequency; 1 is ideal", "control"),
        "af_intercept": ScoreText("AF intercept", "least squares intercept; 0 is ideal", "control"),
        "af_r_low": ScoreText(
            "AF r, low",
            "correlation over the sites with real ALT frequency <= 0.2",
            "higher",
            Rule(0.02, 0.08, "rare alleles are not as frequent as in the real set", ""),
        ),
        "af_slope_low": ScoreText("AF slope, low", "slope over the sites with real ALT frequency <= 0.2", "control"),
        "af_intercept_low": ScoreText(
            "AF intercept, low", "intercept over the sites with real ALT frequency <= 0.2", "control"
        ),
        **{
            name: ScoreText(
                f"AF r, {100 * low:.0f} to {100 * high:.0f} %",
                f"correlation over the sites with real ALT frequency from {100 * low:.0f} to {100 * high:.0f} %",
                "higher",
                always=False,
            )
            for name, (low, high) in _BINS.items()
        },
        "sfs_distance": ScoreText(
            "SFS distance",
            "share of the sites that are in another class of minor allele count than in the real set",
            "lower",
            Rule(0.02, 0.06, "", "too many or too few sites are rare, common or fixed"),
        ),
        "af_quantile_w": ScoreText(
            "AF quantile W",
            "Wasserstein distance between the distributions of ALT frequencies, sites at 0.1 or more in both",
            "lower",
        ),
        "fixed_sites": ScoreText("fixed sites", "sites that vary in the real set and not in this one", "lower"),
        "fixed_sites_maf": ScoreText(
            "highest fixed MAF",
            "greatest real minor allele frequency among the fixed sites; high: real variation is lost",
            "lower",
        ),
    }
    curves = {
        "allele_frequencies": AlleleFrequencies,
        "site_frequency_spectra": SiteFrequencySpectra,
        "frequency_quantiles": FrequencyQuantiles,
        "fixed_sites": FixedSites,
    }

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._quantiles = FrequencyQuantiles({}, {}, {})

    @cached_property
    def _bins(self) -> dict[str, tuple[float, float]]:
        """Bins in which the real cohort has enough sites; the others are left out, which a note says."""
        sites = [fit.num_sites if fit else 0 for fit in compare_frequency_bins(*[self.run.real.frequencies] * 2)]
        kept = {name: limits for (name, limits), n in zip(_BINS.items(), sites, strict=True) if n >= MIN_BIN_SITES}
        empty = [f"{low:g} to {high:g}" for name, (low, high) in _BINS.items() if name not in kept]
        if empty:
            self.run.notes.append(
                f"Correlation of allele frequencies: left out are sites at {', '.join(empty)}, of which the real set "
                f"has fewer than {MIN_BIN_SITES}."
            )
        return kept

    def compute(self, column: Column) -> dict[str, Score]:
        def scores(truth: Cohort, cohort: Cohort) -> dict[str, Score]:
            own = truth is column.truth and cohort is column.cohort
            drawn = column.name if own and not column.is_real_half else None
            return (
                self._lines(truth, cohort)
                | self._within_bins(truth, cohort)
                | self._spectrum(truth, cohort)
                | self._quantile_distance(truth, cohort, drawn)
            )

        return column.twice(scores)

    def _lines(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
        p, q = truth.frequencies, cohort.frequencies
        scores = {}
        for end, highest, where in (
            ("", 1.0, "all sites"),
            ("_low", LOW_FREQUENCY, "sites with real ALT frequency <= 0.2"),
        ):
            try:
                fit = compare_allele_frequencies(p, q, highest=highest, seed=self.run.seed)
            except ValueError as error:  # no low-frequency sites are no reason to leave out the rest
                for name in ("af_r", "af_slope", "af_intercept"):
                    scores[name + end] = score(np.nan, int((p <= highest).sum()), f"not computed: {error}")
                continue
            text = (
                f"synthetic on real ALT frequency, {where}; interval: block bootstrap over sites; "
                "Yelmen et al. 2023, fig. 5b"
            )
            scores[f"af_r{end}"] = score(fit.r, fit.num_sites, f"Pearson, {text}", fit.r_interval)
            scores[f"af_slope{end}"] = score(fit.slope, fit.num_sites, f"least squares, {text}", fit.slope_interval)
            scores[f"af_intercept{end}"] = score(
                fit.intercept, fit.num_sites, f"least squares, {text}", fit.intercept_interval
            )
        fixed = newly_fixed(p, q)
        maf = np.minimum(p, 1 - p)[fixed]
        scores["fixed_sites"] = score(
            len(fixed),
            len(p),
            "sites at frequency 0 or 1 in the set, not in the real one; interval: Wilson, block bootstrap over sites",
            newly_fixed_interval(fixed, len(p), seed=self.run.seed),
        )
        scores["fixed_sites_maf"] = score(
            float(maf.max()) if len(maf) else 0.0,
            len(fixed),
            "greatest real minor allele frequency of the fixed sites; 0: none",
        )
        return scores

    def _within_bins(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
        scores = {}
        fits = compare_frequency_bins(truth.frequencies, cohort.frequencies, seed=self.run.seed)
        for (name, (low, high)), fit in zip(_BINS.items(), fits, strict=True):
            if name not in self._bins:
                continue
            end = "]" if high == FREQUENCY_BINS[-1] else ")"
            where = f"sites with real ALT frequency in [{low:g}, {high:g}{end}"
            if fit is None:
                scores[name] = score(np.nan, 0, f"not computed: fewer than {MIN_BIN_SITES} {where}")
            elif np.isnan(fit.r):
                scores[name] = score(np.nan, fit.num_sites, f"not computed: one frequency at all {where}")
            else:
                text = f"Pearson, {where}; interval: block bootstrap over sites"
                scores[name] = score(fit.r, fit.num_sites, text, fit.r_interval)
        return scores

    def _spectrum(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
        sizes = truth.matrix.num_haplotypes, cohort.matrix.num_haplotypes
        found = compare_site_frequency_spectra(_counts(truth), sizes[0], _counts(cohort), sizes[1], seed=self.run.seed)
        projected = "" if sizes[0] == sizes[1] else f", both projected to {found.size} haplotypes"
        text = (
            "total variation of the folded spectra in classes 0, 1, 2-3, 4-7 ... of minor allele counts"
            f"{projected}; interval: block bootstrap over sites"
        )
        return {"sfs_distance": score(found.distance, found.num_sites, text, found.interval)}

    def _quantile_distance(self, truth: Cohort, cohort: Cohort, drawn: str | None) -> dict[str, Score]:
        try:
            found = compare_frequency_quantiles(truth.frequencies, cohort.frequencies, seed=self.run.seed)
        except ValueError as error:
            return {"af_quantile_w": score(np.nan, 0, f"not computed: {error}")}
        if drawn is not None:
            self._quantiles.real[drawn], self._quantiles.sets[drawn] = found.real, found.synthetic
            self._quantiles.num_sites[drawn] = found.num_sites
        text = (
            "Wasserstein-1, sites at ALT frequency >= 0.1 in both; interval: block bootstrap over sites; Yelmen et al. "
            "2021, suppl. fig. 19"
        )
        return {"af_quantile_w": score(found.distance, found.num_sites, text, found.interval)}

    def collect(self) -> dict[str, Any]:
        real = self.run.real
        sets = {c.name: c.cohort for c in self.run.columns if not c.is_real_half}
        found: dict[str, Any] = {
            "allele_frequencies": AlleleFrequencies(
                real.frequencies, {name: cohort.frequencies for name, cohort in sets.items()}
            ),
            "site_frequency_spectra": self._site_frequency_spectra(real, sets),
            "fixed_sites": self._fixed_sites(real, sets),
        }
        return found | ({"frequency_quantiles": self._quantiles} if self._quantiles.sets else {})

    def _site_frequency_spectra(self, real: Cohort, sets: dict[str, Cohort]) -> SiteFrequencySpectra:
        size = self.run.equal_n
        edges = count_class_edges(size)[1:]
        count = np.arange(1, size)
        at = np.searchsorted(_FREQUENCY_EDGES, count / size) - 1
        classes = np.searchsorted(edges, np.minimum(count, size - count), side="right") - 1
        folded: dict[str, NDArray[np.float64]] = {}
        unfolded: dict[str, NDArray[np.float64]] = {}
        for name, cohort in {"": real, **sets}.items():
            spectrum = site_frequency_spectrum(_counts(cohort), cohort.matrix.num_haplotypes, size=size)[1:size]
            folded[name] = np.bincount(classes, spectrum, len(edges) - 1).astype(np.float64)
            unfolded[name] = np.bincount(at, spectrum, len(_FREQUENCY_EDGES) - 1).astype(np.float64)
        return SiteFrequencySpectra(size, edges, folded.pop(""), folded, _FREQUENCY_EDGES, unfolded.pop(""), unfolded)

    def _fixed_sites(self, real: Cohort, sets: dict[str, Cohort]) -> FixedSites:
        maf = np.minimum(real.frequencies, 1 - real.frequencies)
        limits = np.geomspace(min(0.5, 1 / real.matrix.num_haplotypes), 0.5, _NUM_LIMITS)
        limits[0] = 0  # rounding must not lose the rarest
        where, counts, lists = real.matrix.sites, {}, {}
        for name, cohort in sets.items():
            lost = newly_fixed(real.frequencies, cohort.frequencies)
            counts[name] = len(lost) - np.searchsorted(np.sort(maf[lost]), limits)
            kept = np.sort(lost[np.argsort(-maf[lost], kind="stable")[:MAX_LISTED_SITES]])
            lists[name] = FixedSiteList(kept, where.contig[kept].tolist(), where.position[kept], real.frequencies[kept])
        limits[0] = 1 / real.matrix.num_haplotypes
        return FixedSites(limits, counts, lists)

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return 64 * num_haplotypes + 600 * num_sites + (80 << 20)


def _counts(cohort: Cohort) -> NDArray[np.int64]:
    return np.rint(cohort.frequencies * cohort.matrix.num_haplotypes).astype(np.int64)

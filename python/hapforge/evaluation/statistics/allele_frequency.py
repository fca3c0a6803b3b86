"""Allele frequencies of a set against the real ones."""

from __future__ import annotations

from typing import Any

import numpy as np

from hapforge.evaluation.cohorts import Cohort, Column, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.allele_frequency import LOW_FREQUENCY, compare_allele_frequencies, newly_fixed
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.allele_frequency import AlleleFrequencies


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
        "fixed_sites": ScoreText("fixed sites", "sites that vary in the real set and not in this one", "lower"),
        "fixed_sites_maf": ScoreText(
            "highest fixed MAF",
            "greatest real minor allele frequency among the fixed sites; high: real variation is lost",
            "lower",
        ),
    }
    curves = {"allele_frequencies": AlleleFrequencies}

    def compute(self, column: Column) -> dict[str, Score]:
        return column.twice(self._scores)

    def _scores(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
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
            len(fixed), len(p), "sites at frequency 0 or 1 in the set but not in the real one"
        )
        scores["fixed_sites_maf"] = score(
            float(maf.max()) if len(maf) else 0.0,
            len(fixed),
            "greatest real minor allele frequency of the fixed sites; 0: none",
        )
        return scores

    def collect(self) -> dict[str, Any]:
        sets = {c.name: c.cohort.frequencies for c in self.run.columns if not c.is_real_half}
        return {"allele_frequencies": AlleleFrequencies(self.run.real.frequencies, sets)}

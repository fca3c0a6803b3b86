"""The six scores of the papers' radar plots."""

from __future__ import annotations

import math
from functools import cached_property

from hapforge import kernels
from hapforge.evaluation.cohorts import Column, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.radar import Part, radar
from hapforge.report.data import EQUAL_N, Score, ScoreText
from hapforge.stats.distances import wasserstein_1d

MAX_ROWS = 1000  # of independent sites
_PARTS = {
    "af_r_low": "af_r_low",
    "three_point_r": "three_point_r_random",
    "pairwise": "pairwise_within",
    "aa_truth": "aa_truth",
    "aa_syn": "aa_syn",
    "ld_score": "ld_score",
}
_MADE_OF = {
    "af": ("af_r_low",),
    "three_point": ("three_point_r",),
    "pairwise": ("pairwise",),
    "overfitting": ("aa_truth", "aa_syn"),
    "underfitting": ("aa_truth", "aa_syn"),
    "ld": ("ld_score",),
}


class Radar(Statistic):
    """Made from scores of other statistics, which must have been computed before."""

    name = "radar"
    heading = "Radar scores"
    scores = {
        "radar_af": ScoreText("radar: allele frequency", "AF r over the sites at frequency <= 0.2; 0 to 1", "higher"),
        "radar_three_point": ScoreText(
            "radar: 3-point", "correlation of 3-point correlations at random distances; 0 to 1", "higher"
        ),
        "radar_pairwise": ScoreText(
            "radar: pairwise distance", "1 - W / W of independent sites at the real frequencies; 0 to 1", "higher"
        ),
        "radar_overfitting": ScoreText(
            "radar: overfitting", "1 less what AA_truth and AA_syn lack to 0.5; low: copies", "higher"
        ),
        "radar_underfitting": ScoreText(
            "radar: underfitting", "1 less what AA_truth and AA_syn exceed 0.5 by; low: told apart", "higher"
        ),
        "radar_ld": ScoreText("radar: LD", "the LD score; 0 to 1", "higher"),
    }

    def compute(self, column: Column) -> dict[str, Score]:
        return self._scores(column, "") | self._scores(column, EQUAL_N)

    def _scores(self, column: Column, end: str) -> dict[str, Score]:
        done = self.run.scores[column.name]
        found = {part: done.get(name + end) for part, name in _PARTS.items()}
        parts = {part: Part(math.nan) if s is None else Part(s.value, (s.low, s.high)) for part, s in found.items()}
        scores = {}
        for name, part in radar(pairwise_binomial=self._binomial, **parts).items():
            n = min((s.n for key in _MADE_OF[name] if (s := found[key]) is not None), default=0)
            missing = [_PARTS[key] for key in _MADE_OF[name] if math.isnan(parts[key].value)]
            text = f"from {', '.join(_PARTS[key] + end for key in _MADE_OF[name])}; Yelmen et al. 2023"
            if name == "pairwise":
                text = f"1 - W / {self._binomial:.4g} of independent sites at the real frequencies, {text}"
            if missing:
                text = f"not computed: {', '.join(missing)} is not known"
            scores[f"radar_{name}{end}"] = score(part.value, n, text, part.interval)
        return scores

    @cached_property
    def _binomial(self) -> float:
        """Distance between the differences within the real cohort and within rows of independent sites."""
        from hapforge.models import Bernoulli

        real = self.run.real.matrix
        rows = max(2, min(MAX_ROWS, real.num_haplotypes))
        drawn = Bernoulli().fit(real, seed=self.run.seed).sample(rows, seed=self.run.seed)
        return wasserstein_1d(self.run.real.differences, kernels.hamming_histogram(drawn))

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return MAX_ROWS * num_sites // 8 + 256 * 9 * num_sites

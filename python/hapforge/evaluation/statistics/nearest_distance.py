"""How near haplotypes are to one another and to the real ones."""

from __future__ import annotations

from dataclasses import replace
from math import nan

from hapforge.evaluation.cohorts import Column, score
from hapforge.evaluation.controls import HOLDOUT
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.nearer import nearer_over, nearest_mean_over
from hapforge.metrics.nearest import ListedDistances
from hapforge.report.data import Rule, Score, ScoreText


class NearestDistance(Statistic):
    name = "nearest_distance"
    heading = "Nearest neighbours"
    scores = {
        "nearest_distance": ScoreText(
            "nearest distance",
            "mean number of differences to the closest other haplotype of the set; below the real half's where AA syn "
            "is high: clumps",
            "control",
            twice=False,
        ),
        "nearer_than_real": ScoreText(
            "nearer than real",
            "share of the haplotypes that, at least, are nearer to a real one than real ones are to one another",
            "lower",
            Rule(0.02, 0.08, "", "nearer to real haplotypes than these are to one another: near copies"),
            twice=False,
        ),
    }

    def compute(self, column: Column) -> dict[str, Score]:
        search = column.pair.ss
        assert isinstance(search, ListedDistances)
        own = nearest_mean_over(search, [rows for _, rows in column.equal_rows])
        if column.is_real_half:
            pair = column.pair
            whose = "rows of the half to one another"
            found = nearer_over([(pair.st(syn, truth), pair.tt(truth, truth)) for truth, syn in column.own_rows])
            found = replace(found, interval=(nan, nan))  # a mean over many splits: what chance gives, not a sample
        elif self.run.holdout is None or column.name == HOLDOUT:
            whose = "each real row to the others"
            found = nearer_over([(column.pair.st(None, None), self.run.real.nearest())])
        else:
            whose = "held-out rows to the real ones"
            found = nearer_over([(column.pair.st(None, None), self.run.holdout.pair.st(None, None))])
        return {
            "nearest_distance": score(
                own.mean,
                own.n,
                f"mean d_SS in sites at n = {own.n}, mean over {len(column.equal_rows)} seeded subsamples; interval: "
                "rows that share neighbours not independent; Yelmen et al. 2021, equation of AATS",
                own.interval,
            ),
            "nearer_than_real": score(
                found.share,
                found.n,
                f"greatest lead (at {found.distance:.4g} sites) of the cumulative shares of minimum distances to real "
                f"rows over those of {whose}, one-sided Kolmogorov-Smirnov; interval: Massart 1990",
                found.interval,
            ),
        }

"""The privacy score, where a holdout is given."""

from __future__ import annotations

import numpy as np

from hapforge._streams import Stream
from hapforge.evaluation.cohorts import REPEATS, Column, score
from hapforge.evaluation.controls import HOLDOUT, person_halves
from hapforge.evaluation.statistics._base import Statistic
from hapforge.haplotypes import seeded_order
from hapforge.metrics.adversarial_accuracy import accuracy_over
from hapforge.metrics.nearest import LIST_LENGTH, NearestPair, nearest_between, rows_at
from hapforge.metrics.privacy import privacy_difference, privacy_over
from hapforge.report.data import Rule, Score, ScoreText

_HALVES_OF_HOLDOUT = Stream.HOLDOUT_FIRST_HALF, Stream.HOLDOUT_SECOND_HALF


class Privacy(Statistic):
    name = "privacy"
    heading = "Privacy"
    scores = {
        "privacy_score": ScoreText(
            "privacy score",
            "AATS with the held-out persons less AATS with the training persons; above 0: a leak",
            "lower",
            Rule(0.03, 0.06, "", "nearer to the training persons than to held-out ones: a leak"),
            twice=False,
        )
    }

    def compute(self, column: Column) -> dict[str, Score]:
        held, real = self.run.holdout, self.run.real.matrix
        if held is None or column.is_real_half:
            return {}
        if column.name == HOLDOUT:
            halves = [person_halves(held.cohort.matrix.samples, self.run.seed, r) for r in range(REPEATS)]
            n = min(real.num_haplotypes, *(min(len(a), len(b)) for a, b in halves))
            own = held.cohort.nearest
            if n < 2:
                raise ValueError(f"holdout: expected at least 2 haplotypes in each half of the persons, found {n}")
            seed = self.run.seed
            truths = [rows_at(real.num_haplotypes, n, seed, Stream.HALVES_OF_TRAIN + r) for r in range(REPEATS)]
            first, second = (
                [
                    np.sort(both[k][seeded_order(len(both[k]), seed, _HALVES_OF_HOLDOUT[k] + r)[:n]])
                    for r, both in enumerate(halves)
                ]
                for k in (0, 1)
            )
            found = privacy_difference(
                accuracy_over(column.pair, list(zip(truths, second, strict=True))),
                accuracy_over(NearestPair(own, own, own, own), list(zip(first, second, strict=True))),
            )
            what = "one half of the held-out persons as a perfect set, the other as the test set"
        else:
            cohort = column.cohort.matrix
            ts, st = nearest_between(held.cohort.matrix, cohort, LIST_LENGTH)
            on_holdout = NearestPair(tt=held.cohort.nearest, ts=ts, st=st, ss=column.cohort.nearest)
            size = {
                "train": real.num_haplotypes,
                "holdout": held.cohort.matrix.num_haplotypes,
                "synthetic": cohort.num_haplotypes,
            }
            found = privacy_over(column.pair, on_holdout, size, REPEATS, self.run.seed)
            what = "AATS(holdout, set) - AATS(train, set)"
        text = f"{what}, all at n = {found.n}, mean over up to {REPEATS} seeded subsamples; Yelmen et al. 2023"
        return {"privacy_score": score(found.score, found.n, text, found.interval)}

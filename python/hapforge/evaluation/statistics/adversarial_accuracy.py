"""Nearest-neighbour adversarial accuracy, copies and repeats."""

from __future__ import annotations

from typing import Any

import numpy as np

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy as Accuracy
from hapforge.metrics.mixing import MixedAccuracy, mixed_over
from hapforge.metrics.pairwise import num_repeated_rows
from hapforge.report.data import EQUAL_N, Rule, Score, ScoreText
from hapforge.report.figures.mixing import MixedAccuracies


class AdversarialAccuracy(Statistic):
    name = "adversarial_accuracy"
    heading = "Adversarial accuracy"
    scores = {
        "aa_truth": ScoreText(
            "AA truth",
            "share of real haplotypes whose nearest neighbour is real; low: synthetic ones crowd around real ones",
            "control",
            Rule(
                0.05,
                0.15,
                "synthetic haplotypes crowd around real ones: overfitting",
                "real haplotypes have no synthetic ones near them: parts of the real diversity are missing",
            ),
        ),
        "aa_syn": ScoreText(
            "AA syn",
            "share of synthetic haplotypes whose nearest neighbour is synthetic; low: near copies of real ones",
            "control",
            Rule(
                0.05,
                0.15,
                "nearest neighbours of AGs are real: near copies, or noise where AA truth is high",
                "nearest neighbours of AGs are AGs: mode clumping",
            ),
        ),
        "aats": ScoreText("AATS", "mean of the two parts, which can hide failure: read both", "control"),
        "ties_truth": ScoreText(
            "ties, truth",
            "share of real rows equally near to both sets; ties count 0 and pull AA truth down",
            "control",
        ),
        "ties_syn": ScoreText(
            "ties, syn",
            "share of synthetic rows equally near to both sets; ties count 0 and pull AA syn down",
            "control",
        ),
        "identical_to_real": ScoreText(
            "identical to real", "number of synthetic haplotypes identical to a real one", "control"
        ),
        "repeated_rows": ScoreText(
            "repeated rows", "haplotypes of the set that repeat an earlier one of it", "control", twice=False
        ),
    }

    curves = {"mixed_accuracy": MixedAccuracies}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._mixed: dict[str, MixedAccuracy] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        self._mixed[column.name] = self._mix(column)
        found = _scores(column.accuracy, len(column.own_rows), "")
        cohort = column.cohort.matrix
        if not column.is_real_half:  # a copy of any real haplotype counts, not only of those in a subsample
            found["identical_to_real"] = score(
                int((column.pair.st(None, None) == 0).sum()),
                cohort.num_haplotypes,
                f"of {cohort.num_haplotypes} rows, against all {self.run.real.matrix.num_haplotypes} real",
            )
        found["repeated_rows"] = score(
            num_repeated_rows(cohort), cohort.num_haplotypes, "rows identical to an earlier one of the set"
        )
        return found | _scores(column.accuracy_equal_n, len(column.equal_rows), EQUAL_N)

    def _mix(self, column: Column) -> MixedAccuracy:
        sizes = self.run.real.matrix.num_haplotypes, column.cohort.matrix.num_haplotypes
        truth, syn = (np.arange(n) if r is None else r for r, n in zip(column.own_rows[0], sizes, strict=True))
        return mixed_over(column.pair, truth, syn, self.run.seed)

    def collect(self) -> dict[str, Any]:
        return {"mixed_accuracy": MixedAccuracies(self._mixed)} if self._mixed else {}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return 2 * num_haplotypes * (num_sites // 4 + 16 * 12 + 500)


def _scores(found: Accuracy, repeats: int, end: str) -> dict[str, Score]:
    how = "exact" if repeats == 1 else f"mean over {repeats} seeded subsamples"
    if end:
        how += " of a real half and of the set"
    text = (
        f"Hamming, strict ties, n = {found.n} on each side, {how}; interval: Wilson at as many rows as they are worth, "
        "neighbours being shared; Yelmen et al. 2021, 2023"
    )
    values = {
        "aa_truth": (found.aa_truth, "share of d_TS > d_TT", found.aa_truth_interval),
        "aa_syn": (found.aa_syn, "share of d_ST > d_SS", found.aa_syn_interval),
        "aats": (found.aats, "(AA_truth + AA_syn) / 2", found.aats_interval),
        "ties_truth": (found.ties_truth, "share of d_TS = d_TT", found.ties_truth_interval),
        "ties_syn": (found.ties_syn, "share of d_ST = d_SS", found.ties_syn_interval),
        "identical_to_real": (found.identical * found.n, "rows with d_ST = 0", (np.nan, np.nan)),
    }
    return {
        name + end: score(value, found.n, f"{formula}; {text}", interval)
        for name, (value, formula, interval) in values.items()
    }

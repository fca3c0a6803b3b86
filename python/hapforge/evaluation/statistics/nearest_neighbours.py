"""Whom haplotypes have around them: the nearest-neighbour test, and chains of nearest neighbours."""

from __future__ import annotations

from typing import Any

from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.chains import PATTERNS, NearestChains, chains_over
from hapforge.metrics.nearest_neighbour_test import K, NearestNeighbourTest, neighbour_test_over
from hapforge.metrics.pool import LIST_LENGTH, SIDE_BY_SIDE
from hapforge.report.data import EQUAL_N, Rule, Score, ScoreText
from hapforge.report.figures.chains import NeighbourChains


def _how(column: Column, equal_n: bool) -> str:
    rows = column.equal_rows if equal_n else column.own_rows
    how = "exact" if len(rows) == 1 else f"mean over {len(rows)} seeded subsamples"
    return how + (" of a real half and of the set" if equal_n else "")


def _bytes(num_haplotypes: int, num_sites: int) -> int:
    words = 2 * num_haplotypes * ((num_sites + 63) // 64) * 8
    return 3 * words + SIDE_BY_SIDE * 2 * num_haplotypes * (LIST_LENGTH + 1) * 8 * 10


class NeighbourTest(Statistic):
    name = "nearest_neighbour_test"
    heading = "Nearest neighbours"
    scores = {
        "nn_test_real": ScoreText(
            "NN test, real",
            "share of the 10 nearest neighbours of real haplotypes that are real; 0.5: both sets are one",
            "control",
            Rule(
                0.05,
                0.15,
                "neighbours of real haplotypes are synthetic: they crowd around real ones",
                "neighbours of real haplotypes are real: synthetic ones keep away from them",
            ),
        ),
        "nn_test_syn": ScoreText(
            "NN test, syn",
            "share of the 10 nearest neighbours of synthetic haplotypes that are synthetic; 0.5: both sets are one",
            "control",
            Rule(
                0.05,
                0.15,
                "neighbours of synthetic haplotypes are real: no ground of their own",
                "neighbours of synthetic haplotypes are synthetic: clumps, or off the real ground",
            ),
        ),
    }

    def compute(self, column: Column) -> dict[str, Score]:
        own = neighbour_test_over(column.pool, column.own_rows, K)
        equal = own if column.same_n else neighbour_test_over(column.pool, column.equal_rows, K)
        return self._scores(own, _how(column, False), "") | self._scores(equal, _how(column, True), EQUAL_N)

    @staticmethod
    def _scores(found: NearestNeighbourTest, how: str, end: str) -> dict[str, Score]:
        text = (
            f"Hamming, k = {found.k}, ties by their expected share, n = {found.n} on each side, {how}; interval: "
            "jackknife over rows; Kenneweg et al., eq. 11"
        )
        return {
            "nn_test_real" + end: score(found.real, found.n, f"S(real, set); {text}", found.real_interval),
            "nn_test_syn" + end: score(found.syn, found.n, f"S(set, real); {text}", found.syn_interval),
        }

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return _bytes(num_haplotypes, num_sites)


class Chains(Statistic):
    name = "chains"
    heading = "Nearest neighbours"
    scores = {
        f"chain_{pattern}": ScoreText(
            f"chain {pattern}",
            f"share of all haplotypes that are {first} and have a {second} nearest neighbour; 0.25 is ideal",
            "control",
        )
        for pattern, first, second in (
            ("SS", "synthetic", "synthetic"),
            ("ST", "synthetic", "real"),
            ("TT", "real", "real"),
            ("TS", "real", "synthetic"),
        )
    } | {
        "chain_error": ScoreText(
            "chain error",
            "greatest difference of a pattern of 2 to 5 nearest neighbours from an even mix of real and synthetic",
            "lower",
            Rule(0.03, 0.1, "", "neighbours of neighbours are not an even mix of both sets"),
        )
    }
    curves = {"neighbour_chains": NeighbourChains}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._found: dict[str, NearestChains] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        own = chains_over(column.pool, column.own_rows, self.run.seed)
        equal = own if column.same_n else chains_over(column.pool, column.equal_rows, self.run.seed)
        self._found[column.name] = equal
        return self._scores(own, _how(column, False), "") | self._scores(equal, _how(column, True), EQUAL_N)

    @staticmethod
    def _scores(found: NearestChains, how: str, end: str) -> dict[str, Score]:
        text = (
            f"Hamming, ties drawn, from each of 2 x {found.n} rows, {how}; interval: 10 seeded halves of the rows; "
            "Yelmen et al. 2023, table 1"
        )
        scores = {
            f"chain_{pattern}{end}": score(
                found.frequency[pattern], found.n, f"frequency of {pattern}; {text}", found.interval[pattern]
            )
            for pattern in ("SS", "ST", "TT", "TS")
        }
        scores["chain_error" + end] = score(
            found.error,
            found.n,
            f"greatest |frequency - 2^-size| of the 60 patterns of sizes 2 to 5; {text}",
            found.error_interval,
        )
        return scores

    def collect(self) -> dict[str, Any]:
        if not self._found:
            return {}
        sets = {name: [found.frequency[pattern] for pattern in PATTERNS] for name, found in self._found.items()}
        n = next(iter(self._found.values())).n
        return {"neighbour_chains": NeighbourChains(list(PATTERNS), sets, n)}

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return _bytes(num_haplotypes, num_sites)

"""Scores of every label, where real and synthetic haplotypes carry the same ones."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.evaluation.cohorts import REPEATS, Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics.accuracy_indicator import indicator_error
from hapforge.metrics.adversarial_accuracy import accuracy_over
from hapforge.metrics.allele_frequency import compare_allele_frequencies
from hapforge.metrics.entropy import compare_sizes
from hapforge.metrics.nearest import NearestSets, rows_at
from hapforge.metrics.spectrum import compare_spectra
from hapforge.report.data import Score
from hapforge.report.figures.by_label import SCORES, LabelScores
from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.compression import compressed_size
from hapforge.stats.spectrum import spectrum

MIN_ROWS = 10
MAX_LABELS = 100
MAX_SPECTRUM_ROWS = 500

Rows = NDArray[np.int64]


class ByLabel(Statistic):
    """Scores of each label against one half of the real persons, at one n for all columns; a table, not scores."""

    name = "by_label"
    heading = "Labels"
    scores = {}
    curves = {"label_scores": LabelScores}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._found: dict[str, dict[str, dict[str, dict[str, Score]]]] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        tables = {}
        for name, truth in self._truth.items():
            rows = rows_by_value(column.cohort.matrix, name)
            common = [value for value in truth if value in rows]
            if common:
                tables[name] = {value: self._scores(column, name, value, rows[value]) for value in common}
        if tables:
            self._found[column.name] = tables
        return {}

    @cached_property
    def _half(self) -> Cohort:
        return next(column.truth for column in self.run.columns if column.is_real_half)

    @cached_property
    def _truth(self) -> dict[str, dict[str, Rows]]:
        """{label name: {label: rows of the real half}}, of those that a set has, too."""
        sets = [column.cohort.matrix for column in self.run.columns if column.name in self.run.sets]
        found = {}
        for name in self._half.matrix.samples.labels:
            carried = {value for cohort in sets for value in rows_by_value(cohort, name)}
            rows = {value: r for value, r in rows_by_value(self._half.matrix, name).items() if value in carried}
            enough = any(len(r) >= MIN_ROWS for r in rows.values())
            if enough and len(rows) <= MAX_LABELS:
                found[name] = rows
            elif rows:
                why = f"{len(rows)} values, more than the {MAX_LABELS} of a table"
                why = why if enough else f"no value with {MIN_ROWS} haplotypes in a half of the real ones"
                self.run.notes.append(f"label {name} has no table: {why}")
        return found

    @cached_property
    def _n(self) -> dict[tuple[str, str], int]:
        """Rows of each label on both sides: the fewest that the real half and the columns have, 10 at least."""
        least = {(name, value): len(rows) for name, values in self._truth.items() for value, rows in values.items()}
        for column in self.run.columns:
            for name in self._truth:
                for value, rows in rows_by_value(column.cohort.matrix, name).items():
                    if len(rows) >= MIN_ROWS and (name, value) in least:
                        least[name, value] = min(least[name, value], len(rows))
        return least

    def _scores(self, column: Column, name: str, value: str, rows: Rows) -> dict[str, Score]:
        truth = self._truth[name][value]
        for who, number in (("a half of the real haplotypes", len(truth)), (column.name, len(rows))):
            if number < MIN_ROWS:
                reason = f"not computed: {number} rows of {value} in {who}, at least {MIN_ROWS} are needed"
                return {key: score(np.nan, number, reason) for key in SCORES}
        return label_scores(
            self._half.matrix.select_haplotypes(truth),
            column.cohort.matrix.select_haplotypes(rows),
            self._n[name, value],
            seed=self.run.seed,
        )

    def collect(self) -> dict[str, Any]:
        return {"label_scores": LabelScores(self._found)} if self._found else {}


def label_scores(truth: HaplotypeMatrix, cohort: HaplotypeMatrix, n: int, *, seed: int) -> dict[str, Score]:
    """The scores of `SCORES` of two cohorts of one label, n rows of each; NaN, with the reason, for what has none.

    Where a cohort has more rows, adversarial accuracy is the mean over ten seeded subsamples, the others are of the
    first of these.

    Parameters
    ----------
    truth, cohort : HaplotypeMatrix with the same sites, at least n rows each
    n : int >= 1
    seed : int >= 0
    """
    try:
        return _computed(truth, cohort, n, seed)
    except ValueError as error:
        return {key: score(np.nan, 0, f"not computed: {error}") for key in SCORES}


def _computed(truth: HaplotypeMatrix, cohort: HaplotypeMatrix, n: int, seed: int) -> dict[str, Score]:
    sides = [
        (matrix, [rows_at(matrix.num_haplotypes, n, seed, stream + r) for r in range(REPEATS)])
        for matrix, stream in ((truth, Stream.LABEL_TRUTH), (cohort, Stream.LABEL_SET))
    ]
    subsamples = list(zip(sides[0][1], sides[1][1], strict=True))
    if truth.num_haplotypes == cohort.num_haplotypes == n:
        subsamples = subsamples[:1]
    accuracy = accuracy_over(NearestSets(truth, cohort), subsamples)
    error = indicator_error(accuracy)
    first, second = (m if rows[0] is None else m.select_haplotypes(rows[0]) for m, rows in sides)
    fit = compare_allele_frequencies(allele_frequencies(first), allele_frequencies(second), seed=seed)
    few = min(n, MAX_SPECTRUM_ROWS)
    spectra = compare_spectra(spectrum(first, few, seed=seed), spectrum(second, few, seed=seed))
    sizes = compare_sizes(compressed_size(first, n, seed=seed), compressed_size(second, n, seed=seed))
    of_label = f"rows of this label, {n} of each side"
    nearest = f"strict ties, {of_label}, mean over {len(subsamples)} seeded subsamples"
    return {
        "aa_truth": score(accuracy.aa_truth, n, nearest, accuracy.aa_truth_interval),
        "aa_syn": score(accuracy.aa_syn, n, nearest, accuracy.aa_syn_interval),
        "af_r": score(fit.r, fit.num_sites, f"Pearson, all sites, {of_label}", fit.r_interval),
        "spectrum_error": score(
            spectra.error, spectra.n, f"{spectra.num_values} singular values, {spectra.n} rows", spectra.interval
        ),
        "entropy_error": score(sizes.error, n, f"ratio {sizes.ratio:.4f}, {of_label}", sizes.interval),
        "aai_error": score(error.error, n, nearest, error.interval),
    }


def rows_by_value(matrix: HaplotypeMatrix, name: str) -> dict[str, Rows]:
    """{label: rows that have it}; none where the cohort has no such label or its values are measurements."""
    values = matrix.samples.labels.get(name)
    if values is None or values.dtype.kind == "f":
        return {}
    kinds, kind = np.unique(values.astype(np.dtypes.StringDType()), return_inverse=True)
    order = np.argsort(kind, kind="stable")
    edges = np.searchsorted(kind[order], np.arange(1, len(kinds)))
    return dict(zip(kinds.tolist(), np.split(order, edges), strict=True))

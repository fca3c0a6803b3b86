"""Errors of the spectrum, of the entropy and of the accuracy indicator."""

from __future__ import annotations

from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.metrics.accuracy_indicator import indicator_error
from hapforge.metrics.entropy import compare_sizes
from hapforge.metrics.spectrum import compare_spectra
from hapforge.report.data import EQUAL_N, Score, ScoreText
from hapforge.stats.compression import CompressedSize, compressed_size
from hapforge.stats.spectrum import MAX_ROWS, MAX_VALUES, Spectrum, spectrum

_PAPER = "Carbone et al. 2023"


class GenerationErrors(Statistic):
    name = "generation_errors"
    heading = "Spectrum, entropy and indicator"
    scores = {
        "spectrum_error": ScoreText(
            "spectrum error",
            "mean squared difference of the singular values; grows with the haplotypes, so compare at one n",
            "lower",
        ),
        "entropy_error": ScoreText(
            "entropy error",
            "(S syn / S real - 1)² of the sizes under gzip; large: less diverse, or less ordered, than real haplotypes",
            "lower",
        ),
        "aai_error": ScoreText(
            "AAI error", "mean squared distance of both adversarial accuracies from one half", "lower"
        ),
    }

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._spectra: dict[tuple[int, int], Spectrum] = {}
        self._sizes: dict[tuple[int, int], CompressedSize] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        found = column.twice(self._scores)
        for end, accuracy in (("", column.accuracy), (EQUAL_N, column.accuracy_equal_n)):
            error = indicator_error(accuracy)
            text = (
                f"((AA_syn - 0.5)² + (AA_truth - 0.5)²) / 2, strict ties, n = {error.n} on each side; {_PAPER}, eq. 8"
            )
            found["aai_error" + end] = score(error.error, error.n, text, error.interval)
        return found

    def _scores(self, truth: Cohort, cohort: Cohort) -> dict[str, Score]:
        n = min(truth.matrix.num_haplotypes, cohort.matrix.num_haplotypes)
        spectra = compare_spectra(self._spectrum(truth, n), self._spectrum(cohort, n))
        sizes = compare_sizes(self._size(truth, n), self._size(cohort, n))
        return {
            "spectrum_error": score(
                spectra.error,
                spectra.n,
                f"mean of (s_i real - s_i syn)² over {spectra.num_values} singular values of the 0/1 matrices, not "
                f"centred, {spectra.n} rows; interval: half-samples of persons; {_PAPER}, eq. 6",
                spectra.interval,
            ),
            "entropy_error": score(
                sizes.error,
                sizes.n,
                f"ratio {sizes.ratio:.4f}, {sizes.n} rows of packed bits in seeded order, gzip level 6; interval: 10 "
                f"groups of rows; {_PAPER}, eq. 7",
                sizes.interval,
            ),
        }

    def _spectrum(self, cohort: Cohort, n: int) -> Spectrum:
        key = (id(cohort), n)
        if key not in self._spectra:
            self._spectra[key] = spectrum(cohort.matrix, n, seed=self.run.seed)
        return self._spectra[key]

    def _size(self, cohort: Cohort, n: int) -> CompressedSize:
        key = (id(cohort), n)
        if key not in self._sizes:
            self._sizes[key] = compressed_size(cohort.matrix, n, seed=self.run.seed)
        return self._sizes[key]

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        values = min(num_sites, num_haplotypes) if num_sites <= MAX_VALUES else MAX_ROWS
        packed = num_haplotypes * (num_sites // 8 + 8)
        return max(20 * 8 * values * values, 4 * packed)  # five decompositions at once

"""`evaluate`: every metric on every set, with the controls beside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge import kernels
from hapforge.errors import MissingDependencyError
from hapforge.evaluation.controls import DESCRIPTIONS, HOLDOUT, NAMES, REAL_HALF, model_controls, person_halves
from hapforge.evaluation.output import Evaluation
from hapforge.evaluation.provenance import describe_run
from hapforge.evaluation.scores import EQUAL_N, METRICS, SCORES
from hapforge.haplotypes import HaplotypeMatrix, check_seed, intersect, seeded_order
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy, accuracy_over, equal_subsamples
from hapforge.metrics.allele_frequency import LOW_FREQUENCY, compare_allele_frequencies, newly_fixed
from hapforge.metrics.ld import compare_decay_sums, vary
from hapforge.metrics.nearest import (
    LIST_LENGTH,
    NearestDistances,
    NearestPair,
    Subsample,
    nearest_among,
    nearest_between,
    rows_at,
)
from hapforge.metrics.pairwise import compare_pairwise_differences, num_repeated_rows
from hapforge.metrics.pca import MAX_ROWS, pca_overlap
from hapforge.metrics.privacy import privacy_difference, privacy_over
from hapforge.report.data import (
    AlleleFrequencies,
    EvaluationData,
    LDDecayCurves,
    PairwiseDifferences,
    PrincipalComponents,
    Score,
)
from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.ld import DecaySums, ld_decay_sums, ld_distance_edges

REPEATS = 10
MAX_COORDINATES = 5000  # rows of a side whose coordinates are kept for the figure
_THIN_TRUTH, _THIN_SET, _KEEP = 6 << 20, 7 << 20, 8 << 20  # streams of seeded subsamples

Rows = NDArray[np.int64]
Progress = Callable[[str, int | None], Callable[[int], None]]
_log = logging.getLogger("hapforge.evaluation")


class _Cohort:
    """One cohort with the statistics that several scores share, each computed once."""

    def __init__(self, matrix: HaplotypeMatrix) -> None:
        self.matrix = matrix
        self._decay: dict[bytes, DecaySums] = {}
        self._between: dict[int, NDArray[np.int64]] = {}

    @cached_property
    def frequencies(self) -> NDArray[np.float64]:
        return allele_frequencies(self.matrix)

    @cached_property
    def differences(self) -> NDArray[np.int64]:
        return kernels.hamming_histogram(self.matrix)

    @cached_property
    def nearest(self) -> NearestDistances:
        return nearest_among(self.matrix, LIST_LENGTH)

    def between(self, other: _Cohort) -> NDArray[np.int64]:
        """Histogram of differences between the rows of this cohort and those of another."""
        if id(other) not in self._between:
            self._between[id(other)] = kernels.hamming_histogram(self.matrix, other.matrix)
        return self._between[id(other)]

    def decay(self, kept: NDArray[np.bool_], edges_bp: NDArray[np.float64]) -> DecaySums:
        key = kept.tobytes()
        if key not in self._decay:
            self._decay[key] = ld_decay_sums(self.matrix.select_sites(kept), edges_bp)
        return self._decay[key]


@dataclass
class _Column:
    """A set or control against its truth: at their own sizes, and thinned to the one n of all columns."""

    name: str
    truth: _Cohort
    cohort: _Cohort
    pair: NearestPair | None = None
    own_rows: list[Subsample] = field(default_factory=list)
    equal_rows: list[tuple[Rows, Rows]] = field(default_factory=list)
    thinned: _Cohort | None = None


def evaluate(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix | Mapping[str, HaplotypeMatrix],
    *,
    holdout: HaplotypeMatrix | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    controls: Sequence[str] = ("real_half",),
    progress: Progress | None = None,
    provenance: Mapping[str, Any] | None = None,
) -> Evaluation:
    """Score synthetic cohorts against a real one, with controls beside.

    Cohorts are first brought to the sites they all share (`hapforge.intersect`; what was dropped or flipped is noted).
    Nearest-neighbour scores are taken at equal n. Besides every set stands "real half": one half of the real persons
    against the other, what a perfect set scores at that n. Scores that end in ``_equal_n`` are taken at one n for all
    columns (the smallest set or half), with one half of the real persons as the truth: those of a set and of the
    controls can be compared as they are.

    Parameters
    ----------
    real : HaplotypeMatrix; the training set where a holdout is given
    synthetic : HaplotypeMatrix, or {name: HaplotypeMatrix}
    holdout : HaplotypeMatrix, real persons that no model was fitted to; adds the privacy score and a control
    metrics : names from `evaluation.METRICS`, default all
    seed : int >= 0, of every subsample, split and resample
    controls : any of "real_half" (always there), "bernoulli", "markov" (fitted to `real`)
    progress : callable (description, total) -> advance(count)
    provenance : entries to add to those of the result, such as the command

    Returns
    -------
    Evaluation : `.scores`, `.data`, `.to_json(path)`, `.to_tsv(path)`, `.to_html(path)`. A statistic that cannot be
        computed is NaN, its procedure says why, and a note repeats it.

    Raises
    ------
    TypeError
        Something other than a HaplotypeMatrix.
    ValueError
        No common sites (or different numbers where positions are not known), unknown metrics or controls, fewer than
        4 real haplotypes of 2 persons, fewer than 2 in another set, the same persons in `real` and `holdout`, a set
        named as a control.
    """
    sets = {"synthetic": synthetic} if isinstance(synthetic, HaplotypeMatrix) else dict(synthetic)
    seed = check_seed(seed)
    chosen = _chosen(metrics, controls, sets, holdout)
    given = {"real": real, **sets, **({HOLDOUT: holdout} if holdout is not None else {})}
    for name, matrix in given.items():
        if not isinstance(matrix, HaplotypeMatrix):
            raise TypeError(f"{name}: expected a HaplotypeMatrix, found {type(matrix).__name__}")
        if matrix.num_haplotypes < 2:
            raise ValueError(f"{name}: expected at least 2 haplotypes, found {matrix.num_haplotypes}")
    record = describe_run(given, seed, provenance)
    notes: list[str] = []
    matched = dict(zip(given, _matched(given, notes), strict=True))
    if holdout is not None:
        _check_holdout(matched["real"], matched[HOLDOUT])
    run = _Run(matched, list(sets), model_controls(matched["real"], controls, seed), seed, notes)
    start = progress or (lambda _description, _total: lambda _count: None)
    advance = start("evaluate", len(chosen) * len(run.columns))
    for metric in chosen:
        for column in run.columns:
            began = time.perf_counter()
            run.add(metric, column)
            _log.info("%s, %s: %.2f s", metric, column.name, time.perf_counter() - began)
            advance(1)
    return Evaluation(run.data(record))


def _chosen(
    metrics: Sequence[str] | None,
    controls: Sequence[str],
    sets: Mapping[str, HaplotypeMatrix],
    holdout: HaplotypeMatrix | None,
) -> list[str]:
    for argument, values, known in (("metrics", metrics or (), METRICS), ("controls", controls, NAMES)):
        if isinstance(values, str) or any(v not in known for v in values):
            raise ValueError(f"{argument}: expected names from {', '.join(known)}, found {values!r}")
    if not sets:
        raise ValueError("synthetic: expected at least one set, found none")
    if taken := [name for name in sets if name in DESCRIPTIONS or name == "real"]:
        raise ValueError(f"synthetic: expected another name than that of a control, found {taken[0]!r}")
    if metrics is not None and "privacy" in metrics and holdout is None:
        raise ValueError("metrics: expected a holdout with 'privacy', found none")
    names = METRICS if metrics is None else dict.fromkeys(metrics)
    return [name for name in names if name != "privacy" or holdout is not None]


def _check_holdout(real: HaplotypeMatrix, holdout: HaplotypeMatrix) -> None:
    """The holdout must be other persons: rows of one id that are also alike are the same haplotype."""
    row = {name: i for i, name in enumerate(real.samples.haplotype_id.tolist())}
    pairs = [(row[name], i) for i, name in enumerate(holdout.samples.haplotype_id.tolist()) if name in row]
    if not pairs:
        return
    a, b = np.array(pairs).T
    alike = int((real.words[a] == holdout.words[b]).all(axis=1).sum())
    if 2 * alike > len(pairs):
        raise ValueError(f"holdout: expected other persons than in real, found {alike} haplotypes that are in both")


def _matched(given: Mapping[str, HaplotypeMatrix], notes: list[str]) -> list[HaplotypeMatrix]:
    known = all(m.sites.position_known for m in given.values())
    names, shapes = list(given), [m.num_sites for m in given.values()]
    if not known and len(set(shapes)) > 1:
        counts = ", ".join(f"{name} {n}" for name, n in zip(names, shapes, strict=True))
        raise ValueError(f"sites: expected the same number in all where positions are not known, found {counts}")
    result = intersect(list(given.values()))
    if not known:
        notes.append(
            "Positions are not known in all sets: sites are matched by their order, and LD decay is by number of sites."
        )
    for name, dropped, flipped in zip(names, result.num_dropped, result.num_flipped, strict=True):
        if dropped:
            notes.append(f"{name}: {dropped} sites left out that not all sets have.")
        if flipped:
            notes.append(f"{name}: REF and ALT swapped at {flipped} sites to match the real set.")
    return list(result)


class _Run:
    """Columns, scores and curves of one evaluation while they are filled in."""

    def __init__(
        self,
        matched: Mapping[str, HaplotypeMatrix],
        sets: list[str],
        models: Mapping[str, HaplotypeMatrix],
        seed: int,
        notes: list[str],
    ) -> None:
        self.seed, self.notes, self.sets = seed, notes, sets
        self.real = _Cohort(matched["real"])
        halves = [person_halves(self.real.matrix.samples, seed, r) for r in range(REPEATS)]
        half_n = min(min(len(a), len(b)) for a, b in halves)
        if half_n < 2:
            raise ValueError(
                f"real: expected at least 2 haplotypes in each half of the persons, found {self.real.matrix!r}"
            )
        others = {**{name: matched[name] for name in sets}, **models}
        if HOLDOUT in matched:
            others[HOLDOUT] = matched[HOLDOUT]
        self.equal_n = min(half_n, *(m.num_haplotypes for m in others.values()))
        self.columns = [self._set_column(name, _Cohort(m), halves) for name, m in others.items()]
        self.by_name = {column.name: column for column in self.columns}
        self.columns.insert(len(sets), self._half_column(halves, half_n))
        self.controls = [column.name for column in self.columns if column.name not in sets]
        self.scores: dict[str, dict[str, Score]] = {column.name: {} for column in self.columns}
        self.components: dict[str, PrincipalComponents] = {}
        self.decays: dict[str, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self.edges: NDArray[np.float64] | None = None
        notes.append(
            f"Scores at equal n compare all sets and controls at n = {self.equal_n} haplotypes, with one half of the "
            "real persons as the truth; the others are at each set's own size."
        )

    def _thin(self, rows: Rows, stream: int) -> Rows:
        return np.sort(rows[seeded_order(len(rows), self.seed, stream)[: self.equal_n]])

    def _set_column(self, name: str, cohort: _Cohort, halves: list[tuple[Rows, Rows]]) -> _Column:
        n = cohort.matrix.num_haplotypes
        equal = [
            (self._thin(truth, _THIN_TRUTH + r), self._thin(np.arange(n), _THIN_SET + r))
            for r, (truth, _) in enumerate(halves)
        ]
        own = equal_subsamples((self.real.matrix.num_haplotypes, n), REPEATS, self.seed)
        return _Column(name, self.real, cohort, own_rows=own, equal_rows=equal)

    def _half_column(self, halves: list[tuple[Rows, Rows]], half_n: int) -> _Column:
        own: list[Subsample] = [(a[:half_n], b[:half_n]) for a, b in halves]
        equal = [(self._thin(a, _THIN_TRUTH + r), self._thin(b, _THIN_SET + r)) for r, (a, b) in enumerate(halves)]
        first, second = (_part(self.real, rows) for rows in halves[0])
        self.thinned_truth = first if len(halves[0][0]) == self.equal_n else _part(self.real, equal[0][0])
        return _Column(REAL_HALF, first, second, own_rows=own, equal_rows=equal)

    def add(self, metric: str, column: _Column) -> None:
        """Compute one metric of one column; an expected failure becomes NaN scores and a note."""
        if metric == "privacy" and column.name == REAL_HALF:
            return
        try:
            found = getattr(self, f"_{metric}")(column)
        except (ValueError, MissingDependencyError) as error:
            self.notes.append(f"{metric.replace('_', ' ')} of {column.name} could not be computed: {error}")
            names = (name + end for name in METRICS[metric] for end in ("", EQUAL_N) if name + end in SCORES)
            found = {name: _score(np.nan, 0, f"not computed: {error}") for name in names}
        self.scores[column.name] |= found

    # nearest neighbours

    def _pair(self, column: _Column) -> NearestPair:
        if column.pair is None:
            if column.name == REAL_HALF:
                own = self.real.nearest
                column.pair = NearestPair(own, own, own, own)
            else:
                ts, st = nearest_between(self.real.matrix, column.cohort.matrix, LIST_LENGTH)
                column.pair = NearestPair(tt=self.real.nearest, ts=ts, st=st, ss=column.cohort.nearest)
        return column.pair

    def _adversarial_accuracy(self, column: _Column) -> dict[str, Score]:
        pair = self._pair(column)
        own = accuracy_over(pair, column.own_rows)
        scores = _accuracy_scores(own, len(column.own_rows), "")
        if column.name != REAL_HALF:  # a copy of any real haplotype counts, not only of those in a subsample
            n = column.cohort.matrix.num_haplotypes
            scores["identical_to_real"] = _score(
                int((pair.st(None, None) == 0).sum()),
                n,
                f"of {n} rows, against all {self.real.matrix.num_haplotypes} real",
            )
        scores["repeated_rows"] = _score(
            num_repeated_rows(column.cohort.matrix),
            column.cohort.matrix.num_haplotypes,
            "rows identical to an earlier one of the set",
        )
        same = column.name == REAL_HALF and own.n == self.equal_n
        equal = own if same else accuracy_over(pair, column.equal_rows)
        return scores | _accuracy_scores(equal, len(column.equal_rows), EQUAL_N)

    def _privacy(self, column: _Column) -> dict[str, Score]:
        held = self.by_name[HOLDOUT]
        on_train = self._pair(column)
        if column.name == HOLDOUT:
            halves = [person_halves(held.cohort.matrix.samples, self.seed, r) for r in range(REPEATS)]
            n = min(self.real.matrix.num_haplotypes, *(min(len(a), len(b)) for a, b in halves))
            own = held.cohort.nearest
            if n < 2:
                raise ValueError(f"holdout: expected at least 2 haplotypes in each half of the persons, found {n}")
            truths = [rows_at(self.real.matrix.num_haplotypes, n, self.seed, _THIN_TRUTH + r) for r in range(REPEATS)]
            found = privacy_difference(
                accuracy_over(on_train, [(t, b[:n]) for t, (_, b) in zip(truths, halves, strict=True)]),
                accuracy_over(NearestPair(own, own, own, own), [(a[:n], b[:n]) for a, b in halves]),
            )
            what = "one half of the held-out persons as a perfect set, the other as the test set"
        else:
            cohort = column.cohort.matrix
            ts, st = nearest_between(held.cohort.matrix, cohort, LIST_LENGTH)
            on_holdout = NearestPair(tt=held.cohort.nearest, ts=ts, st=st, ss=column.cohort.nearest)
            size = {
                "train": self.real.matrix.num_haplotypes,
                "holdout": held.cohort.matrix.num_haplotypes,
                "synthetic": cohort.num_haplotypes,
            }
            found = privacy_over(on_train, on_holdout, size, REPEATS, self.seed)
            what = "AATS(holdout, set) - AATS(train, set)"
        text = f"{what}, all at n = {found.n}, mean over up to {REPEATS} seeded subsamples; Yelmen et al. 2023"
        return {"privacy_score": _score(found.score, found.n, text, found.interval)}

    # the others, at own size and thinned

    def _twice(self, column: _Column, score: Callable[[_Cohort, _Cohort], dict[str, Score]]) -> dict[str, Score]:
        own = score(column.truth, column.cohort)
        if column.thinned is None:
            rows = column.equal_rows[0][1]
            source = self.real if column.name == REAL_HALF else column.cohort
            same = len(rows) == column.cohort.matrix.num_haplotypes
            column.thinned = column.cohort if same else _part(source, rows)
        same = self.thinned_truth is column.truth and column.thinned is column.cohort
        thinned = own if same else score(self.thinned_truth, column.thinned)
        at = f"at n = {self.equal_n} haplotypes of a real half and of the set: "
        return own | {
            name + EQUAL_N: Score(s.value, s.low, s.high, s.n, at + s.procedure)
            for name, s in thinned.items()
            if name + EQUAL_N in SCORES
        }

    def _allele_frequency(self, column: _Column) -> dict[str, Score]:
        return self._twice(column, self._frequency_scores)

    def _frequency_scores(self, truth: _Cohort, cohort: _Cohort) -> dict[str, Score]:
        p, q = truth.frequencies, cohort.frequencies
        scores = {}
        for end, highest, where in (
            ("", 1.0, "all sites"),
            ("_low", LOW_FREQUENCY, "sites with real ALT frequency <= 0.2"),
        ):
            try:
                fit = compare_allele_frequencies(p, q, highest=highest, seed=self.seed)
            except ValueError as error:  # no low-frequency sites are no reason to leave out the rest
                for name in ("af_r", "af_slope", "af_intercept"):
                    scores[name + end] = _score(np.nan, int((p <= highest).sum()), f"not computed: {error}")
                continue
            text = (
                f"synthetic on real ALT frequency, {where}; interval: block bootstrap over sites; "
                "Yelmen et al. 2023, fig. 5b"
            )
            scores[f"af_r{end}"] = _score(fit.r, fit.num_sites, f"Pearson, {text}", fit.r_interval)
            scores[f"af_slope{end}"] = _score(fit.slope, fit.num_sites, f"least squares, {text}", fit.slope_interval)
            scores[f"af_intercept{end}"] = _score(
                fit.intercept, fit.num_sites, f"least squares, {text}", fit.intercept_interval
            )
        fixed = newly_fixed(p, q)
        maf = np.minimum(p, 1 - p)[fixed]
        scores["fixed_sites"] = _score(
            len(fixed), len(p), "sites at frequency 0 or 1 in the set but not in the real one"
        )
        scores["fixed_sites_maf"] = _score(
            float(maf.max()) if len(maf) else 0.0,
            len(fixed),
            "greatest real minor allele frequency of the fixed sites; 0: none",
        )
        return scores

    def _pairwise(self, column: _Column) -> dict[str, Score]:
        return self._twice(column, self._pairwise_scores)

    def _pairwise_scores(self, truth: _Cohort, cohort: _Cohort) -> dict[str, Score]:
        between = truth.between(cohort)
        found = compare_pairwise_differences(truth.differences, cohort.differences, between)
        text = "Wasserstein-1 in sites, all pairs; Yelmen et al. 2021, suppl. fig. 4"
        return {
            "pairwise_within": _score(
                found.within, int(cohort.differences.sum()), f"real-real against synthetic-synthetic, {text}"
            ),
            "pairwise_between": _score(found.between, int(between.sum()), f"real-real against real-synthetic, {text}"),
        }

    def _pca(self, column: _Column) -> dict[str, Score]:
        rows = min(MAX_ROWS, self.equal_n)
        found = pca_overlap(column.truth.matrix, column.cohort.matrix, rows=rows, seed=self.seed)
        first, second = (
            points[np.sort(seeded_order(len(points), self.seed, _KEEP)[:MAX_COORDINATES])]
            for points in (found.real, found.synthetic)
        )
        self.components[column.name] = PrincipalComponents(first, second, found.explained)
        text = (
            f"PC 1-2 of the pair, squared Euclidean cost over its maximum, {found.n} seeded rows of each side; "
            "Yelmen et al. 2021"
        )
        limit = found.cost.marginal_error
        stopped = f", stopped after 1000 steps at marginal error {limit:.1e}" if limit > 1e-9 else ""
        return {
            "pca_wasserstein": _score(
                found.cost.entropic, found.n, f"entropic, regularisation 0.001, log domain{stopped}; {text}"
            ),
            "pca_wasserstein_exact": _score(found.cost.exact, found.n, f"optimal plan; {text}"),
        }

    def _ld(self, column: _Column) -> dict[str, Score]:
        if self.edges is None:
            self.edges = ld_distance_edges(self.real.matrix.sites)
        return self._twice(column, self._ld_scores)

    def _ld_scores(self, truth: _Cohort, cohort: _Cohort) -> dict[str, Score]:
        assert self.edges is not None
        kept = vary(truth.frequencies) & vary(cohort.frequencies)
        found = compare_decay_sums(
            truth.decay(kept, self.edges), cohort.decay(kept, self.edges), int(kept.sum()), self.seed
        )
        for column in self.columns:
            if column.truth is truth and column.cohort is cohort:
                self.decays[column.name] = found.real, found.synthetic
        text = (
            f"{found.num_bins} distance bins, all pairs of the {found.num_sites} sites that vary in both; "
            "interval: block bootstrap over sites; Yelmen et al. 2023"
        )
        return {
            "ld_decay_r": _score(found.r, found.num_sites, f"Pearson over {text}", found.r_interval),
            "ld_score": _score(
                found.score,
                found.num_sites,
                f"1 - sum (LD real - LD syn)² / sum LD real², {text}",
                found.score_interval,
            ),
        }

    def data(self, record: dict[str, Any]) -> EvaluationData:
        """Everything found, as the report takes it."""
        done = {name for scores in self.scores.values() for name in scores}
        shown = [column for column in self.columns if column.name != REAL_HALF]
        real = self.real.matrix
        frequencies = differences = decay = None
        if "af_r" in done:
            frequencies = AlleleFrequencies(self.real.frequencies, {c.name: c.cohort.frequencies for c in shown})
        if "pairwise_within" in done:
            differences = PairwiseDifferences(
                self.real.differences,
                {c.name: c.cohort.differences for c in self.columns},
                {c.name: c.truth.between(c.cohort) for c in self.columns},
            )
        if self.edges is not None and self.decays:
            vary_in_real = vary(self.real.frequencies)
            decay = LDDecayCurves(
                self.edges,
                self.real.decay(vary_in_real, self.edges).curve(),
                {name: curves[1] for name, curves in self.decays.items()},
                real.sites.position_known,
                {name: curves[0] for name, curves in self.decays.items()},
            )
        return EvaluationData(
            sets=self.sets,
            controls=self.controls,
            scores={name: {s: found[s] for s in SCORES if s in found} for name, found in self.scores.items()},
            score_labels={name: (text.heading, text.reading) for name, text in SCORES.items() if name in done},
            provenance=record,
            notes=self.notes,
            real_haplotypes=real.num_haplotypes,
            num_sites=real.num_sites,
            num_haplotypes={c.name: c.cohort.matrix.num_haplotypes for c in self.columns},
            descriptions={name: DESCRIPTIONS[name] for name in self.controls},
            allele_frequencies=frequencies,
            pairwise_differences=differences,
            principal_components=self.components,
            ld_decay=decay,
        )


def _part(cohort: _Cohort, rows: Rows) -> _Cohort:
    return _Cohort(cohort.matrix.select_haplotypes(rows))


def _score(value: float, n: int, procedure: str, interval: tuple[float, float] = (np.nan, np.nan)) -> Score:
    return Score(float(value), float(interval[0]), float(interval[1]), int(n), procedure)


def _accuracy_scores(found: AdversarialAccuracy, repeats: int, end: str) -> dict[str, Score]:
    how = "exact" if repeats == 1 else f"mean over {repeats} seeded subsamples"
    if end:
        how += " of a real half and of the set"
    text = f"Hamming, strict ties, n = {found.n} on each side, {how}; Yelmen et al. 2021, 2023"
    values = {
        "aa_truth": (found.aa_truth, "share of d_TS > d_TT", found.aa_truth_interval),
        "aa_syn": (found.aa_syn, "share of d_ST > d_SS", found.aa_syn_interval),
        "aats": (found.aats, "(AA_truth + AA_syn) / 2", found.aats_interval),
        "ties_truth": (found.ties_truth, "share of d_TS = d_TT", (np.nan, np.nan)),
        "ties_syn": (found.ties_syn, "share of d_ST = d_SS", (np.nan, np.nan)),
        "identical_to_real": (found.identical * found.n, "rows with d_ST = 0", (np.nan, np.nan)),
    }
    return {
        name + end: _score(value, found.n, f"{formula}; {text}", interval)
        for name, (value, formula, interval) in values.items()
    }

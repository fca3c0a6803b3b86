"""`evaluate`: every metric on every set, with the controls beside."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np

from hapforge._backend import available_backends, one_blas_thread, preferring_cuda
from hapforge.errors import MissingDependencyError
from hapforge.evaluation.cohorts import Column, Run, score
from hapforge.evaluation.controls import DESCRIPTIONS, HOLDOUT, NAMES, model_controls
from hapforge.evaluation.memory import in_words, resident_bytes
from hapforge.evaluation.output import Evaluation
from hapforge.evaluation.provenance import describe_run
from hapforge.evaluation.published import published_scores
from hapforge.evaluation.same_persons import same_persons
from hapforge.evaluation.statistics import SCORES, STATISTICS, Statistic
from hapforge.evaluation.verdicts import headlines, judge
from hapforge.haplotypes import HaplotypeMatrix, check_seed
from hapforge.intersection import intersect
from hapforge.report.data import EQUAL_N, EvaluationData, Score

Progress = Callable[[str, int | None], Callable[[int], None]]
EXPECTED = (ValueError, MemoryError, MissingDependencyError)
_log = logging.getLogger("hapforge.evaluation")


@one_blas_thread()
def evaluate(
    real: HaplotypeMatrix,
    synthetic: HaplotypeMatrix | Mapping[str, HaplotypeMatrix],
    *,
    holdout: HaplotypeMatrix | None = None,
    metrics: Sequence[str] | None = None,
    seed: int = 0,
    controls: Sequence[str] = NAMES,
    ld_distance: str = "bp",
    max_memory: int | None = None,
    device: str = "cpu",
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
    controls : any of "real_half" (always there), "bernoulli", "markov" (fitted to `real`; not of aligned
        sequences); default all
    ld_distance : "bp", or "cM" where `real` has genetic positions (`io.GeneticMap.attach`): of the scores and curves of
        LD decay, over the sites within the map
    max_memory : int, bytes that the process should stay below. Before every statistic of every set what it needs at
        most is compared with what is left; it is not computed where that is too much, and the rest goes on. This is
        no hard limit: the cohorts themselves and libraries that a statistic loads are not foreseen, only counted
        once they are there.
    device : "cpu", or "cuda" for the kernels that have a CUDA part (neighbours, 3-point ...); scores are the same
    progress : callable (description, total) -> advance(count)
    provenance : entries to add to those of the result, such as the command

    Returns
    -------
    Evaluation : `.scores`, `.data`, `.to_json(path)`, `.to_tsv(path)`, `.to_html(path)`. A statistic that cannot be
        computed is NaN, its procedure says why, and a note repeats it.

    Raises
    ------
    TypeError
        Something other than a HaplotypeMatrix, or names that are not text.
    ValueError
        A max_memory below 1, no CUDA device for "cuda", no common sites (or different numbers where positions are not
        known), unknown metrics or controls, real persons of whom a half has fewer than 2 haplotypes, fewer than 2 in
        another set, the same persons in `real` and `holdout`, a set named as a control or by text that UTF-8 does not
        have.
    """
    if max_memory is not None and max_memory < 1:
        raise ValueError(f"max_memory: expected a number of bytes above 0, found {max_memory}")
    if device not in ("cpu", "cuda"):
        raise ValueError(f"device: expected 'cpu' or 'cuda', found {device!r}")
    if device == "cuda" and "cuda" not in available_backends("nearest_set"):
        raise ValueError("device: expected a CUDA device for 'cuda', found none")
    if not isinstance(synthetic, HaplotypeMatrix | Mapping):
        raise TypeError(f"synthetic: expected a HaplotypeMatrix or {{name: ...}}, found {type(synthetic).__name__}")
    sets = {"synthetic": synthetic} if isinstance(synthetic, HaplotypeMatrix) else dict(synthetic)
    for name in sets:
        if not isinstance(name, str):
            raise TypeError(f"synthetic: expected text as names, found {name!r}")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ValueError(f"synthetic: expected names that can be written as UTF-8, found {name!r}") from None
    if ld_distance not in ("bp", "cM"):
        raise ValueError(f"ld_distance: expected 'bp' or 'cM', found {ld_distance!r}")
    seed = check_seed(seed)
    chosen = _chosen(metrics, controls, sets, holdout)
    given = {"real": real, **sets, **({HOLDOUT: holdout} if holdout is not None else {})}
    for name, matrix in given.items():
        if not isinstance(matrix, HaplotypeMatrix):
            raise TypeError(f"{name}: expected a HaplotypeMatrix, found {type(matrix).__name__}")
        if matrix.num_haplotypes < 2:
            raise ValueError(f"{name}: expected at least 2 haplotypes, found {matrix.num_haplotypes}")
    record = describe_run(given, seed, provenance)
    notes = [
        f"{name}: {int((~phased).sum())} of {len(phased)} persons are not phased; scores of haplotypes take the "
        "order of their alleles in the file for it."
        for name, phased in ((name, matrix.samples.phased) for name, matrix in given.items())
        if not phased.all()
    ]
    matched = dict(zip(given, _matched(given, notes), strict=True))
    if ld_distance == "cM" and not np.isfinite(matched["real"].sites.genetic_position_cm).any():
        raise ValueError("ld_distance: expected genetic positions of the real set for cM, found none")
    if ld_distance == "cM":
        known = np.isfinite(matched["real"].sites.genetic_position_cm)
        notes.append(f"LD is that of the {known.sum()} of {len(known)} sites with a genetic position; decay is by cM.")
    if holdout is not None:
        _check_holdout(matched["real"], matched[HOLDOUT])
        notes.extend(same_persons(matched["real"], matched[HOLDOUT]))
    run = Run(matched, list(sets), model_controls(matched["real"], controls, seed), seed, notes, ld_distance)
    start = progress or (lambda _description, _total: lambda _count: None)
    scores = run.scores
    curves: dict[str, Any] = {}
    with preferring_cuda() if device == "cuda" else nullcontext():
        for name in chosen:
            advance = start(name.replace("_", " "), len(run.columns))
            statistic = STATISTICS[name](run)
            for column in run.columns:
                began = time.perf_counter()
                scores[column.name] |= _computed(statistic, column, max_memory)
                _log.info("%s, %s: %.2f s", name, column.name, time.perf_counter() - began)
                advance(1)
            curves |= _collected(statistic, max_memory)
    done = {name for found in scores.values() for name in found}
    texts = {name: text for name, text in SCORES.items() if name in done}
    return Evaluation(
        EvaluationData(
            sets=run.sets,
            controls=run.controls,
            scores={name: {s: found[s] for s in texts if s in found} for name, found in scores.items()},
            score_texts=texts,
            provenance=record,
            notes=notes,
            real_haplotypes=run.real.matrix.num_haplotypes,
            num_sites=run.real.matrix.num_sites,
            num_haplotypes={c.name: c.cohort.matrix.num_haplotypes for c in run.columns},
            descriptions={name: DESCRIPTIONS[name] for name in run.controls},
            verdicts=judge(run.sets, scores, texts, run.equal_n),
            headlines=headlines(run.sets, scores, texts, run.equal_n),
            curves=curves,
            published=published_scores(run.real.matrix.sites),
        )
    )


def _computed(statistic: Statistic, column: Column, max_memory: int | None) -> dict[str, Score]:
    """Scores of one column; an expected failure becomes NaN scores and a note, and never stops the rest."""
    try:
        _check_memory(statistic, column.cohort.matrix.num_haplotypes, max_memory)
        return statistic.compute(column)
    except EXPECTED as error:
        reason = _reason(error)
        words = statistic.name.replace("_", " ")
        statistic.run.notes.append(f"{words} of {column.name} could not be computed: {reason}")
        names = (name + end for name in statistic.scores for end in ("", EQUAL_N) if name + end in SCORES)
        return {name: score(np.nan, 0, f"not computed: {reason}") for name in names}


def _collected(statistic: Statistic, max_memory: int | None) -> dict[str, Any]:
    """Figure data; where it fails as expected, none and a note."""
    try:
        _check_memory(statistic, statistic.run.real.matrix.num_haplotypes, max_memory)
        return statistic.collect()
    except EXPECTED as error:
        words = statistic.name.replace("_", " ")
        statistic.run.notes.append(f"figures of {words} could not be made: {_reason(error)}")
        return {}


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _check_memory(statistic: Statistic, num_haplotypes: int, max_memory: int | None) -> None:
    """Raise MemoryError where the statistic may need more than is left."""
    if max_memory is None:
        return
    real = statistic.run.real.matrix
    needed = statistic.bytes_needed(max(real.num_haplotypes, num_haplotypes), real.num_sites)
    if needed > (left := max_memory - resident_bytes()):
        raise MemoryError(
            f"expected to need up to {in_words(needed)}, {in_words(max(left, 0))} of {in_words(max_memory)} are left"
        )


def _chosen(
    metrics: Sequence[str] | None,
    controls: Sequence[str],
    sets: Mapping[str, HaplotypeMatrix],
    holdout: HaplotypeMatrix | None,
) -> list[str]:
    for argument, values, known in (("metrics", metrics or (), STATISTICS), ("controls", controls, NAMES)):
        if isinstance(values, str) or any(v not in known for v in values):
            raise ValueError(f"{argument}: expected names from {', '.join(known)}, found {values!r}")
    if not sets:
        raise ValueError("synthetic: expected at least one set, found none")
    if taken := [name for name in sets if name in DESCRIPTIONS or name == "real"]:
        raise ValueError(f"synthetic: expected another name than that of a control, found {taken[0]!r}")
    if metrics is not None and "privacy" in metrics and holdout is None:
        raise ValueError("metrics: expected a holdout with 'privacy', found none")
    wanted = [name for name, statistic in STATISTICS.items() if not statistic.opt_in] if metrics is None else metrics
    names = [name for name in STATISTICS if name in wanted]
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
    result = intersect(list(given.values()), names=names)
    if not known:
        notes.append(
            "Positions are not known in all sets: sites are matched by their order, and LD decay is by number of sites."
        )
    for k, name in enumerate(names):
        if dropped := result.num_dropped[k]:
            other, strand = result.num_other_alleles[k], result.num_other_strand[k]
            of_them = f", {strand} of them those of the other strand" if strand else ""
            at_real = f" ({other} at positions of the real set, with other alleles{of_them})" if other else ""
            notes.append(f"{name}: {dropped} sites left out that not all sets have{at_real}.")
        if flipped := result.num_flipped[k]:
            unsure = result.num_flipped_ambiguous[k]
            either = f"; at {unsure} of them (A/T or C/G) it could be the strand instead" if unsure else ""
            notes.append(f"{name}: REF and ALT swapped at {flipped} sites to match the real set{either}.")
    notes.extend(f"Other genome builds? Of the sites before matching, {doubt}." for doubt in result.doubts)
    return list(result)

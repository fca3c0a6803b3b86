"""What synthetic haplotypes are worth as training rows: recovery rates, and real rows augmented with synthetic ones."""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from threading import Event
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, check_seed, seeded_order
from hapforge.intersection import intersect
from hapforge.io.atomic import atomic_file
from hapforge.metrics._intervals import student
from hapforge.models._labels import names_of, numbered, values_of
from hapforge.models._training import stream_seed

if TYPE_CHECKING:
    from hapforge.downstream.classifiers import Source

FORMAT, FORMAT_VERSION = "hapforge-utility", 1
CLASSIFIERS = ("mlp", "transformer", "cnn")
"""Kinds of classifiers."""
FRACTIONS = (0.05, 0.1, 0.2, 0.5)
_LEAST_PERSONS = 2  # of a label in a part of the real persons: one to learn from, and one that may be held out

Unit = Literal["haplotype", "person"]
Progress = Callable[[str, int | None], Callable[[int], None]]


class Fitted(Protocol):
    """What gives a cohort's inputs, once it has seen the training rows: `GenewisePCA`, `CohortPCA` or the like."""

    def fit(self, H: HaplotypeMatrix) -> Any: ...
    def encode(self, H: HaplotypeMatrix) -> NDArray[np.float32]: ...


@dataclass(frozen=True)
class Estimate:
    """A number over repeats.

    Attributes
    ----------
    mean : float
    low, high : float, 95 % interval of the mean over repeats by Student's t, cut off at 0; NaN of one repeat
    values : of every repeat
    """

    mean: float
    low: float
    high: float
    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> Estimate:
        mean = sum(values) / len(values)
        if len(values) < 2:
            return cls(mean, math.nan, math.nan, tuple(values))
        half = student(len(values) - 1) * float(np.std(values, ddof=1)) / math.sqrt(len(values))
        return cls(mean, max(0.0, mean - half), mean + half, tuple(values))


@dataclass(frozen=True)
class Run:
    """One trained classifier and what it tells of the test rows.

    Attributes
    ----------
    classifier : str
    set : str, whose synthetic rows it was trained on, or beside whose rows it stands; "" of real rows alone
    fraction : float, share of the real training persons it was trained on; 0: synthetic rows alone
    like : bool, whether these are real rows, as many of each label as `set` could give, which is fewer than all
    repeat : int
    real_rows, synthetic_rows : int, trained on, the validation rows included
    accuracy : float, share of the test rows told rightly
    balanced_accuracy : float, mean of those shares over the labels of the test rows
    epochs, best_epoch : int
    """

    classifier: str
    set: str
    fraction: float
    like: bool
    repeat: int
    real_rows: int
    synthetic_rows: int
    accuracy: float
    balanced_accuracy: float
    epochs: int
    best_epoch: int


@dataclass(frozen=True)
class Utility:
    """What `utility` found.

    Attributes
    ----------
    label : str, the label's name
    labels : list of str, its values
    unit : "haplotype" or "person", what a row is
    classifiers, sets : names
    fractions : of the augmentation curve, rising
    repeats, seed : int
    num_sites, test_persons : int
    train_rows, test_rows : {label: real rows}
    set_rows : {set: {label: rows that the recovery rate is of, real as synthetic}}
    settings : {classifier: how it is built and trained}
    runs : list of Run
    notes : remarks a reader must see
    provenance : where it comes from, as far as the caller says
    """

    label: str
    labels: list[str]
    unit: Unit
    classifiers: list[str]
    sets: list[str]
    fractions: list[float]
    repeats: int
    seed: int
    num_sites: int
    test_persons: int
    train_rows: dict[str, int]
    test_rows: dict[str, int]
    set_rows: dict[str, dict[str, int]]
    settings: dict[str, dict[str, Any]]
    runs: list[Run]
    notes: list[str] = field(default_factory=list)
    provenance: dict[str, Any] = field(default_factory=dict)

    def of(
        self, classifier: str, name: str = "", fraction: float = 1.0, *, like: bool = False, score: str = "accuracy"
    ) -> Estimate:
        """Accuracy, or `score` "balanced_accuracy", over repeats; `name`, `fraction` and `like` as in `Run`."""
        key = (classifier, name, fraction, like)
        found = [run for run in self.runs if (run.classifier, run.set, run.fraction, run.like) == key]
        if not found:
            raise ValueError(f"of: expected what was trained, found {classifier!r}, {name!r}, {fraction:g}")
        return Estimate.of([getattr(run, score) for run in found])

    def real(self, classifier: str, name: str, *, score: str = "accuracy") -> Estimate:
        """a_r: trained on as many real rows of each label as of the set `name`."""
        like = any(run.like and run.set == name for run in self.runs)
        return self.of(classifier, name if like else "", like=like, score=score)

    def synthetic(self, classifier: str, name: str, *, score: str = "accuracy") -> Estimate:
        """a_s: trained on the set's rows alone."""
        return self.of(classifier, name, 0.0, score=score)

    def recovery(self, classifier: str, name: str, *, score: str = "accuracy") -> Estimate:
        """R = a_s / a_r, repeat by repeat (equation 2)."""
        a_s, a_r = (part(classifier, name, score=score).values for part in (self.synthetic, self.real))
        return Estimate.of([s / r if r else math.nan for s, r in zip(a_s, a_r, strict=True)])

    def json(self) -> str:
        """All of it as JSON, with the recovery rates; NaN is null."""
        payload = {
            "format": FORMAT,
            "format_version": FORMAT_VERSION,
            **{key: value for key, value in asdict(self).items() if key != "runs"},
            "recovery": {
                name: {kind: asdict(self.recovery(kind, name)) for kind in self.classifiers} for name in self.sets
            },
            "runs": [asdict(run) for run in self.runs],
        }
        return json.dumps(_plain(payload), ensure_ascii=False, allow_nan=False, indent=1) + "\n"

    def tsv(self) -> str:
        """A line for each number over repeats: classifier, trained on, set, share of the real persons, score ..."""
        text = io.StringIO()
        table = csv.writer(text, delimiter="\t", lineterminator="\n")
        table.writerow(
            ["classifier", "set", "real_fraction", "real_rows", "synthetic_rows", "score", "mean", "low", "high"]
        )

        def line(kind: str, name: str, fraction: float | str, rows: tuple[int, int], score: str, e: Estimate) -> None:
            table.writerow([kind, name, fraction, *rows, score, *(f"{x:.6g}" for x in (e.mean, e.low, e.high))])

        for run in self.runs:
            if run.repeat:
                continue
            for score in ("accuracy", "balanced_accuracy"):
                found = self.of(run.classifier, run.set, run.fraction, like=run.like, score=score)
                rows = (run.real_rows, run.synthetic_rows)
                line(run.classifier, run.set, f"{run.fraction:g}", rows, score, found)
        for name in self.sets:
            n = sum(self.set_rows[name].values())
            for kind in self.classifiers:
                line(kind, name, 0, (0, n), "recovery", self.recovery(kind, name))
                line(kind, name, 0, (0, n), "balanced_recovery", self.recovery(kind, name, score="balanced_accuracy"))
        return text.getvalue()

    def to_json(self, path: str | os.PathLike[str]) -> None:
        """Write `json()` to `path`, whole or not at all."""
        _write(path, self.json())

    def to_tsv(self, path: str | os.PathLike[str]) -> None:
        """Write `tsv()` to `path`, whole or not at all."""
        _write(path, self.tsv())


def utility(
    train: HaplotypeMatrix,
    test: HaplotypeMatrix,
    synthetic: HaplotypeMatrix | Mapping[str, HaplotypeMatrix],
    *,
    label: str | None = None,
    classifiers: Sequence[str] = CLASSIFIERS,
    repeats: int = 3,
    seed: int = 0,
    fractions: Sequence[float] = FRACTIONS,
    unit: Unit = "haplotype",
    embedding: Fitted | None = None,
    progress: Progress | None = None,
) -> Utility:
    """Train classifiers on real and on synthetic haplotypes, by one protocol, and test all on held-out real ones.

    The recovery rate is R = a_s / a_r: the accuracy on `test` of a classifier that was trained on synthetic rows, as
    a share of that of one trained on real rows. Both have the same number of rows of every label: all of `train`, and
    as many of the set, chosen by the seed where it has more. Where a set has fewer rows of some label, its a_r is that
    of as many real rows. For the augmentation curve classifiers are trained on a share of the real persons of every
    label (two at least), alone and with rows of a set added up to the numbers of `train`, or as far as it has them.
    Every repeat has its own first weights, batches, validation persons and choices of rows, the same for all sets. The
    test rows are the same in all, so that intervals over repeats do not say how far other test persons would differ.
    How a classifier is trained: `hapforge.downstream.classifiers`.

    Parameters
    ----------
    train, test : HaplotypeMatrix with the label, of different persons; rows without a value are left out
    synthetic : HaplotypeMatrix with the label, or {name: HaplotypeMatrix}, drawn by models that saw `train` alone
    label : str; None: the only one that `train` has
    classifiers : of "mlp", "transformer", "cnn"
    repeats : int >= 1
    seed : int in [0, 2**64)
    fractions : shares of the real training persons, above 0 and below 1; () for no augmentation curve
    unit : "haplotype", or "person": genotypes, sums of the alleles of a person's two haplotypes, are told, and a row is
        a person in all that is said here
    embedding : such as `models.embedding.GenewisePCA()`, which is fitted here, to the real training rows at the sites
        that all cohorts have; classifiers read what its `encode` gives, float32 (rows, positions, channels), all of a
        cohort's in memory. None: alleles
    progress : callable (description, total) -> advance(count)

    Returns
    -------
    Utility : the same for a seed on any number of threads, each of which trains a classifier at a time

    Raises
    ------
    TypeError
        Something other than a HaplotypeMatrix, labels that are fractions.
    ValueError
        No common sites, a cohort without the label, fewer than two values of it, a value of the test rows or of a set
        that `train` does not have, or one of `train` that a set lacks, persons of `test` that are in `train`, persons
        with other than two haplotypes of one label where they are told, shares, repeats or classifiers out of range.
    MissingDependencyError
        torch is not installed.

    References
    ----------
    Kenneweg et al., Generating synthetic genotypes using diffusion models, equation 2, sections 3.4.1 and 3.4.4,
    tables 2, 3 and 6.
    """
    if not isinstance(synthetic, HaplotypeMatrix | Mapping):
        raise TypeError(f"synthetic: expected a HaplotypeMatrix or {{name: ...}}, found {type(synthetic).__name__}")
    sets = {"synthetic": synthetic} if isinstance(synthetic, HaplotypeMatrix) else dict(synthetic)
    kinds = list(dict.fromkeys([classifiers] if isinstance(classifiers, str) else classifiers))
    seed, shares = check_seed(seed), sorted(set(map(float, fractions)))
    _check(train, test, sets, kinds, shares, repeats, unit)
    label = _only_label(train) if label is None else label
    notes: list[str] = []
    matched = _matched({"train": train, "test": test, **sets}, notes)
    matched = {name: _labelled(name, matrix, label, notes) for name, matrix in matched.items()}
    if unit == "person":
        for name, matrix in matched.items():
            _check_pairs(name, matrix, label)
    _check_persons(matched["train"], matched["test"])
    names = names_of(matched["train"], label)
    tables = {
        name: _Table(matrix, _codes(name, matrix, label, names), len(names), unit) for name, matrix in matched.items()
    }
    held, real = tables.pop("test"), tables["train"]
    for name in sets:
        notes.extend(_short(name, tables[name].counts, real.counts, label, names))
    try:
        from hapforge.downstream import classifiers as networks
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise MissingDependencyError("torch", "train") from error

    if embedding is not None:
        embedding.fit(real.matrix)
    inputs: dict[str, Source] = {name: _inputs(name, table, embedding) for name, table in tables.items()}
    tested = _inputs("test", held, embedding)
    if isinstance(tested, np.ndarray):
        positions, channels = tested.shape[1:]
        notes.append(
            f"classifiers read {positions:,} positions of {channels} values each, by a {type(embedding).__name__} that "
            "was fitted to the real training rows"
        )
    plans = _plans(kinds, tables, shares, repeats, seed)
    advance = (progress or (lambda _description, _total: lambda _count: None))("classifiers", len(plans))

    def run(plan: _Plan, stop: Event) -> Run:
        parts = [(name, rows) for name, rows in (("train", plan.real), (plan.set, plan.synthetic)) if len(rows)]
        trained = networks.train(
            plan.classifier,
            networks.Rows([(inputs[name], rows) for name, rows in parts]),
            np.concatenate([tables[name].codes[rows] for name, rows in parts]),
            np.concatenate([2 * tables[name].persons[rows] + (name == "train") for name, rows in parts]),
            len(names),
            seed=stream_seed(seed, "classifier", plan.classifier, plan.repeat),
            stop=stop,
        )
        right = trained.predict(tested) == held.codes
        by_label = [float(right[held.codes == code].mean()) for code in np.unique(held.codes)]
        advance(1)
        return Run(
            plan.classifier,
            plan.set,
            plan.fraction,
            plan.like,
            plan.repeat,
            len(plan.real),
            len(plan.synthetic),
            float(right.mean()),
            sum(by_label) / len(by_label),
            trained.epochs,
            trained.best_epoch,
        )

    runs = networks.beside_each_other([partial(run, plan) for plan in plans])
    return Utility(
        label=label,
        labels=names,
        unit=unit,
        classifiers=kinds,
        sets=list(sets),
        fractions=shares,
        repeats=repeats,
        seed=seed,
        num_sites=real.matrix.num_sites,
        test_persons=held.matrix.samples.num_persons,
        train_rows=dict(zip(names, real.counts.tolist(), strict=True)),
        test_rows=dict(zip(names, held.counts.tolist(), strict=True)),
        set_rows={
            name: dict(zip(names, np.minimum(real.counts, tables[name].counts).tolist(), strict=True)) for name in sets
        },
        settings={kind: asdict(networks.KINDS[kind][1]) for kind in kinds},
        runs=runs,
        notes=notes,
    )


class _Table:
    """What is told of a cohort, haplotypes or persons, with numbers of their labels.

    Attributes
    ----------
    members : int64 (n, k), the haplotypes of each
    codes, persons : int64 (n,)
    counts : int64 (num_labels,), how many have each label
    """

    def __init__(self, matrix: HaplotypeMatrix, codes: NDArray[np.int64], num_labels: int, unit: Unit) -> None:
        self.matrix, persons = matrix, matrix.samples.person
        if unit == "person":
            self.members = np.argsort(persons, kind="stable").reshape(matrix.samples.num_persons, -1)
            self.persons = np.arange(len(self.members))
        else:
            self.members, self.persons = np.arange(len(persons))[:, None], persons
        self.codes = codes[self.members[:, 0]]
        self.counts = np.bincount(self.codes, minlength=num_labels)

    def rows(self, counts: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
        """Of every label so many, or all it has, person by person in a seeded order."""
        place = np.argsort(seeded_order(self.matrix.samples.num_persons, seed))
        order = np.lexsort((place[self.persons], self.codes))
        first = np.cumsum(self.counts) - self.counts
        codes = self.codes[order]
        return np.sort(order[np.arange(len(order)) - first[codes] < counts[codes]])

    def part(self, share: float, seed: int) -> NDArray[np.int64]:
        """A share of every label's persons, two of them at least; a person has the label of its first haplotype."""
        label = self.codes[np.unique(self.persons, return_index=True)[1]]
        persons = np.bincount(label, minlength=len(self.counts))
        place = np.argsort(seeded_order(len(label), seed))
        order = np.lexsort((place, label))
        first = np.cumsum(persons) - persons
        taken = np.maximum(_LEAST_PERSONS, np.rint(share * persons))
        chosen = order[np.arange(len(order)) - first[label[order]] < taken[label[order]]]
        return np.flatnonzero(np.isin(self.persons, chosen))


@dataclass(frozen=True)
class _Plan:
    """A classifier to train; names as in `Run`."""

    classifier: str
    set: str
    fraction: float
    like: bool
    repeat: int
    real: NDArray[np.int64]
    synthetic: NDArray[np.int64]


def _plans(kinds: list[str], tables: dict[str, _Table], shares: list[float], repeats: int, seed: int) -> list[_Plan]:
    real, none = tables["train"], np.empty(0, np.int64)
    sets = {name: table for name, table in tables.items() if name != "train"}
    every, found = np.arange(len(real.codes)), []
    for repeat in range(repeats):
        seeds = {of: stream_seed(seed, of, repeat) for of in ("real", "synthetic")}
        taken: list[tuple[str, float, bool, NDArray[np.int64], NDArray[np.int64]]] = [("", 1.0, False, every, none)]
        for name, table in sets.items():
            taken.append((name, 0.0, False, none, table.rows(real.counts, seeds["synthetic"])))
            if (table.counts < real.counts).any():
                taken.append((name, 1.0, True, real.rows(table.counts, seeds["real"]), none))
        for share in shares:
            part = real.part(share, seeds["real"])
            missing = real.counts - np.bincount(real.codes[part], minlength=len(real.counts))
            taken.append(("", share, False, part, none))
            taken += [(n, share, False, part, t.rows(missing, seeds["synthetic"])) for n, t in sets.items()]
        found += [_Plan(kind, *what[:3], repeat, *what[3:]) for kind in kinds for what in taken]
    return found


def _check(
    train: Any, test: Any, sets: Mapping[Any, Any], kinds: list[str], shares: list[float], repeats: int, unit: str
) -> None:
    for name, matrix in {"train": train, "test": test, **sets}.items():
        if not isinstance(name, str):
            raise TypeError(f"synthetic: expected text as names, found {name!r}")
        if not isinstance(matrix, HaplotypeMatrix):
            raise TypeError(f"{name}: expected a HaplotypeMatrix, found {type(matrix).__name__}")
    if not sets or {"", "train", "test"} & set(sets):
        raise ValueError(f"synthetic: expected sets with names other than '', train and test, found {list(sets)}")
    if not kinds or (unknown := [kind for kind in kinds if kind not in CLASSIFIERS]):
        raise ValueError(
            f"classifiers: expected some of {', '.join(CLASSIFIERS)}, found {(unknown if kinds else kinds)}"
        )
    if not all(0 < share < 1 for share in shares):
        raise ValueError(f"fractions: expected shares between 0 and 1, found {shares}")
    if unit not in get_args(Unit):
        raise ValueError(f"unit: expected 'haplotype' or 'person', found {unit!r}")
    if repeats < 1:
        raise ValueError(f"repeats: expected 1 or more, found {repeats}")


def _only_label(train: HaplotypeMatrix) -> str:
    known = list(train.samples.labels)
    if len(known) != 1:
        raise ValueError(f"label: expected one that is named, of those of train: {', '.join(known) or 'it has none'}")
    return known[0]


def _matched(given: dict[str, HaplotypeMatrix], notes: list[str]) -> dict[str, HaplotypeMatrix]:
    """The cohorts at the sites that all have."""
    found = intersect(list(given.values()), names=list(given))
    if not all(matrix.sites.position_known for matrix in given.values()):
        notes.append("Positions are not known in all sets: sites are matched by their order.")
    for name, dropped, flipped in zip(given, found.num_dropped, found.num_flipped, strict=True):
        if dropped:
            notes.append(f"{name}: {dropped} sites left out that not all sets have.")
        if flipped:
            notes.append(f"{name}: REF and ALT swapped at {flipped} sites to match train.")
    notes.extend(f"Other genome builds? Of the sites before matching, {doubt}." for doubt in found.doubts)
    return dict(zip(given, found, strict=True))


def _labelled(name: str, cohort: HaplotypeMatrix, label: str, notes: list[str]) -> HaplotypeMatrix:
    """The rows that have a value."""
    if label not in cohort.samples.labels:
        known = ", ".join(cohort.samples.labels) or "no labels"
        raise ValueError(f"{name}: expected the label {label!r}, found {known}")
    known_rows = values_of(cohort, label) != ""
    if known_rows.all() and len(known_rows):
        return cohort
    if not known_rows.any():
        raise ValueError(f"{name}: expected haplotypes with a {label}, found none")
    notes.append(f"{name}: {int((~known_rows).sum())} haplotypes without a {label} left out.")
    return cohort.select_haplotypes(known_rows)


def _check_pairs(name: str, cohort: HaplotypeMatrix, label: str) -> None:
    """Every person has two haplotypes with one value."""
    persons = cohort.samples.person
    if (counts := np.bincount(persons)).min() != 2 or counts.max() != 2:
        person = cohort.samples.sample_id[np.flatnonzero(counts[persons] != 2)[0]]
        raise ValueError(f"{name}: expected two haplotypes of each person to tell persons, found others of {person}")
    first, second = np.argsort(persons, kind="stable").reshape(-1, 2).T
    values = values_of(cohort, label)
    if len(two := np.flatnonzero(values[first] != values[second])):
        person = cohort.samples.sample_id[first[two[0]]]
        raise ValueError(f"{name}: expected one {label} for both haplotypes of a person, found two of {person}")


def _codes(name: str, cohort: HaplotypeMatrix, label: str, names: list[str]) -> NDArray[np.int64]:
    codes = numbered(values := values_of(cohort, label), names)
    if len(unknown := np.flatnonzero(codes < 0)):
        found = str(values[unknown[0]])
        raise ValueError(f"{name}: expected values of {label!r} that train has ({_some(names)}), found {found!r}")
    return codes


def _short(name: str, counts: NDArray[np.int64], real: NDArray[np.int64], label: str, names: list[str]) -> list[str]:
    """A note where a set has fewer rows of some label than train; ValueError where it has none."""
    if len(lacking := np.flatnonzero(counts == 0)):
        raise ValueError(f"{name}: expected rows of every {label} of train, found none of {names[lacking[0]]!r}")
    few = [f"{names[k]} {counts[k]} of {real[k]}" for k in np.flatnonzero(counts < real)]
    if not few:
        return []
    return [f"{name}: fewer rows than train ({_some(few)}); its recovery rate is against as many real ones."]


def _some(words: list[str]) -> str:
    return ", ".join(words[:6]) + (", ..." if len(words) > 6 else "")


def _check_persons(train: HaplotypeMatrix, test: HaplotypeMatrix) -> None:
    """Rows of one id that are alike are the same haplotype."""
    place = {name: i for i, name in enumerate(train.samples.haplotype_id.tolist())}
    pairs = [(place[name], i) for i, name in enumerate(test.samples.haplotype_id.tolist()) if name in place]
    if not pairs:
        return
    mine, theirs = np.array(pairs).T
    alike = (train.words[mine] == test.words[theirs]).all(axis=1)
    if 2 * alike.sum() > len(pairs):
        example = train.samples.sample_id[mine[alike][0]]
        raise ValueError(
            f"test: expected other persons than in train, found {int(alike.sum())} haplotypes that are in both, of "
            f"{example} and others"
        )


def _inputs(name: str, table: _Table, embedding: Fitted | None) -> Source:
    if embedding is None:
        from hapforge.downstream.classifiers import Alleles

        return Alleles(table.matrix, table.members)
    found = np.asarray(embedding.encode(table.matrix))
    if found.dtype != np.float32 or found.ndim != 3 or len(found) != len(table.codes):
        raise ValueError(
            f"embedding: expected float32 ({len(table.codes)}, positions, channels) of {name}, found {found.dtype} "
            f"{found.shape}"
        )
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _write(path: str | os.PathLike[str], text: str) -> None:
    with atomic_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

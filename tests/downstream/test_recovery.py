"""Recovery rates: which rows are taken, what comes of them, and what is refused."""

from __future__ import annotations

import json
import threading
import time
from typing import Any

import numpy as np
import pytest

import hapforge as hf

torch = pytest.importorskip("torch")

from hapforge import _backend  # noqa: E402
from hapforge.downstream import classifiers as networks  # noqa: E402
from hapforge.downstream.recovery import Estimate, _plans, _Table  # noqa: E402

SITES = 40
NAMES = ["a", "b", "c"]


def cohort(rows: dict[str, int], seed: int, *, noise: float = 0.2, name: str = "p") -> hf.HaplotypeMatrix:
    """Haplotypes of labels that differ at a third of the sites each, but for noise."""
    rng = np.random.default_rng(seed)
    values = np.repeat(list(rows), list(rows.values()))
    place = np.array([NAMES.index(value) for value in values])
    dense = (np.arange(SITES) % len(NAMES) == place[:, None]) ^ (rng.random((len(values), SITES)) < noise)
    ids = [f"{name}{i // 2}" for i in range(len(values))]
    return hf.HaplotypeMatrix.from_dense(
        dense,
        positions=np.arange(1, SITES + 1),
        contig="1",
        ref="A",
        alt="G",
        sample_ids=ids,
        labels={"group": values},
    )


TRAIN = cohort({"a": 40, "b": 60, "c": 20}, 1)
TEST = cohort({"a": 20, "b": 20, "c": 20}, 2, name="t")
LIKE_REAL = cohort({"a": 60, "b": 60, "c": 40}, 3, name="s")


def haplotypes(matrix: hf.HaplotypeMatrix) -> networks.Alleles:
    return networks.Alleles(matrix, np.arange(matrix.num_haplotypes)[:, None])


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small networks that are trained for few epochs."""
    for kind, (build, settings) in list(networks.KINDS.items()):
        small = {**vars(settings), "width": 8, "epochs": 8, "batch_size": 16, "dropout": 0.1, "learning_rate": 0.01}
        monkeypatch.setitem(networks.KINDS, kind, (build, networks.Settings(**small)))


def test_as_good_as_real_or_worse_than_useless() -> None:
    """A set from the same distribution recovers all, one whose labels are exchanged nothing."""
    labels = LIKE_REAL.samples.labels["group"].tolist()
    wrong = LIKE_REAL.with_labels({"group": [{"a": "b", "b": "c", "c": "a"}[value] for value in labels]})
    sets = {"like real": LIKE_REAL, "wrong": wrong}
    found = hf.downstream.utility(TRAIN, TEST, sets, repeats=1, fractions=())
    for kind in hf.downstream.CLASSIFIERS:
        assert found.of(kind).mean > 0.9
        assert found.recovery(kind, "like real").mean > 0.9
        assert found.recovery(kind, "wrong").mean < 0.1


def test_real_rows_augmented() -> None:
    weak = cohort({"a": 60, "b": 60, "c": 40}, 3, noise=0.5, name="s")
    sets = {"like real": LIKE_REAL, "noise": weak}
    found = hf.downstream.utility(TRAIN, TEST, sets, classifiers="mlp", repeats=1, fractions=(0.1,))
    assert found.synthetic("mlp", "noise").mean < 0.6
    assert found.of("mlp", "like real", 0.1).mean > found.of("mlp", "noise", 0.1).mean + 0.1


def test_same_result_on_any_number_of_threads() -> None:
    before = _backend.get_threads()
    try:
        found = []
        for threads in (1, 3):
            _backend.set_threads(threads)
            found.append(hf.downstream.utility(TRAIN, TEST, LIKE_REAL, repeats=1, fractions=(), seed=5).runs)
    finally:
        _backend.set_threads(before)
    assert found[0] == found[1]
    other = hf.downstream.utility(TRAIN, TEST, LIKE_REAL, classifiers="cnn", repeats=1, fractions=(), seed=6).runs
    assert other != [run for run in found[0] if run.classifier == "cnn"]


def test_rows_are_equal_in_number_by_label() -> None:
    real = _Table(TRAIN, np.repeat([0, 1, 2], [40, 60, 20]), 3, "haplotype")
    few = _Table(cohort({"a": 60, "b": 10, "c": 20}, 4), np.repeat([0, 1, 2], [60, 10, 20]), 3, "haplotype")
    plans = _plans(["mlp"], {"train": real, "few": few}, [0.1], 2, 0)
    counts = {(p.set, p.fraction, p.like, p.repeat): (numbers(real, p.real), numbers(few, p.synthetic)) for p in plans}
    assert counts["", 1.0, False, 0] == ([40, 60, 20], [0, 0, 0])
    assert counts["few", 0.0, False, 0] == ([0, 0, 0], [40, 10, 20])
    assert counts["few", 1.0, True, 0] == ([40, 10, 20], [0, 0, 0])
    assert counts["", 0.1, False, 1] == ([4, 6, 4], [0, 0, 0])  # 2 of 20, 3 of 30, and no less than 2 of 10 persons
    assert counts["few", 0.1, False, 1] == ([4, 6, 4], [36, 10, 16])
    parts = [p.real for p in plans if p.fraction == 0.1 and not p.set]
    assert not np.array_equal(*parts)  # other persons in another repeat
    for part in parts:
        assert (np.bincount(TRAIN.samples.person[part])[TRAIN.samples.person[part]] == 2).all()  # whole persons


def numbers(table: _Table, rows: Any) -> list[int]:
    found: list[int] = np.bincount(table.codes[rows], minlength=3).tolist()
    return found


def test_recovery_of_a_short_set_is_against_as_many_real_rows() -> None:
    few = cohort({"a": 60, "b": 10, "c": 20}, 4, name="s")
    found = hf.downstream.utility(TRAIN, TEST, {"few": few}, classifiers=["mlp"], repeats=2, fractions=())
    assert found.set_rows["few"] == {"a": 40, "b": 10, "c": 20}
    assert found.notes == ["few: fewer rows than train (b 10 of 60); its recovery rate is against as many real ones."]
    like = [run.accuracy for run in found.runs if run.like]
    synthetic = [run.accuracy for run in found.runs if run.set == "few" and not run.like]
    assert len(like) == len(synthetic) == 2
    expected = [s / r for s, r in zip(synthetic, like, strict=True)]
    assert found.recovery("mlp", "few").values == pytest.approx(expected)


def test_balanced_accuracy_is_the_mean_over_labels() -> None:
    test = cohort({"a": 30, "b": 4, "c": 2}, 7, noise=0.35, name="t")
    found = hf.downstream.utility(TRAIN, test, LIKE_REAL, classifiers=["mlp"], repeats=1, fractions=())
    run = found.runs[0]
    codes = np.repeat([0, 1, 2], [40, 60, 20])
    seed = networks.stream_seed(0, "classifier", "mlp", 0)
    again = networks.train(
        "mlp", networks.Rows([(haplotypes(TRAIN), np.arange(120))]), codes, TRAIN.samples.person, 3, seed=seed
    ).predict(haplotypes(test))
    right = again == np.repeat([0, 1, 2], [30, 4, 2])
    assert run.accuracy == right.mean()
    assert run.balanced_accuracy == pytest.approx((right[:30].mean() + right[30:34].mean() + right[34:].mean()) / 3)
    assert run.accuracy != run.balanced_accuracy


def test_interval_over_repeats() -> None:
    found = Estimate.of([0.5, 0.6, 0.7])
    assert (found.mean, found.low, found.high) == pytest.approx((0.6, 0.6 - 0.24841, 0.6 + 0.24841), abs=1e-5)
    assert np.isnan(Estimate.of([0.5]).low)


def test_json_and_tsv() -> None:
    found = hf.downstream.utility(TRAIN, TEST, {"s\t1": LIKE_REAL}, classifiers=["mlp"], repeats=1, fractions=(0.5,))
    payload = json.loads(found.json())
    assert payload["format"] == "hapforge-utility"
    assert payload["recovery"]["s\t1"]["mlp"]["low"] is None
    assert payload["train_rows"] == {"a": 40, "b": 60, "c": 20}
    lines = found.tsv().splitlines()
    assert lines[0].split("\t")[:3] == ["classifier", "set", "real_fraction"]
    assert len(lines) == 1 + 4 * 2 + 2


class Pairs:
    """Alleles two by two, and on what it was fitted."""

    def __init__(self, channels: int = 2) -> None:
        self.channels = channels

    def fit(self, H: hf.HaplotypeMatrix) -> None:
        self.fitted = H

    def encode(self, H: hf.HaplotypeMatrix) -> Any:
        found = H.to_dense().astype(np.float32)
        return found.reshape(-1, 20, 2) if self.channels == 2 else found


def test_embeddings_are_taken_for_alleles() -> None:
    pairs = Pairs()
    found = hf.downstream.utility(TRAIN, TEST, LIKE_REAL, repeats=1, fractions=(), embedding=pairs)
    assert np.array_equal(pairs.fitted.words, TRAIN.words)
    for kind in hf.downstream.CLASSIFIERS:
        assert found.synthetic(kind, "synthetic").mean > 0.9
    assert any("classifiers read 20 positions of 2 values each, by a Pairs that was fitted" in n for n in found.notes)
    with pytest.raises(ValueError, match=r"embedding: expected float32 \(120, positions, channels\) of train, found"):
        hf.downstream.utility(TRAIN, TEST, LIKE_REAL, embedding=Pairs(1))


def test_persons_are_told_by_their_genotypes() -> None:
    """Of a label that is which two haplotypes a person has, haplotypes say nothing that persons do not."""
    rng = np.random.default_rng(8)

    def mixed(persons: int, name: str) -> hf.HaplotypeMatrix:
        kind = np.tile([[0, 1], [0, 0], [1, 1]], (persons // 3, 1))  # one of each, or two alike
        dense = (np.arange(SITES) % 2 == kind.reshape(-1, 1)) ^ (rng.random((2 * persons, SITES)) < 0.1)
        values = ["both", "alike", "alike"] * (persons // 3)
        ids = [f"{name}{i}" for i in range(persons)]
        return hf.HaplotypeMatrix.from_dense(
            dense, positions=np.arange(1, SITES + 1), sample_ids=ids, labels={"kind": values}
        )

    train, test, drawn = mixed(90, "p"), mixed(45, "t"), mixed(90, "s")
    order = np.random.default_rng(9).permutation(180)
    found = hf.downstream.utility(
        train, test, drawn.select_haplotypes(order), classifiers="mlp", repeats=1, fractions=(0.1,), unit="person"
    )
    assert found.train_rows == {"alike": 60, "both": 30}
    assert [(run.set, run.real_rows, run.synthetic_rows) for run in found.runs] == [
        ("", 90, 0),
        ("synthetic", 0, 90),
        ("", 9, 0),
        ("synthetic", 9, 81),
    ]
    genotypes = networks.Alleles(train, np.arange(180).reshape(-1, 2))
    np.testing.assert_array_equal(
        genotypes[np.array([4, 0])][:, :, 0], train.to_dense().reshape(90, 2, SITES).sum(1)[[4, 0]]
    )


def test_sites_are_those_that_all_have() -> None:
    """Sites that a set lacks are left out, and alleles that it has swapped are put right."""
    swapped = hf.HaplotypeMatrix.from_dense(
        1 - LIKE_REAL.to_dense()[:, 5:],
        positions=np.arange(6, SITES + 1),
        contig="1",
        ref="G",
        alt="A",
        labels={"group": LIKE_REAL.samples.labels["group"]},
    )
    found = hf.downstream.utility(TRAIN, TEST, swapped, classifiers="mlp", repeats=1, fractions=())
    assert found.num_sites == SITES - 5
    assert found.synthetic("mlp", "synthetic").mean > 0.9
    assert found.notes == [
        "train: 5 sites left out that not all sets have.",
        "test: 5 sites left out that not all sets have.",
        "synthetic: REF and ALT swapped at 35 sites to match train.",
    ]


def test_rows_without_a_value_are_left_out() -> None:
    values = TEST.samples.labels["group"].tolist()
    found = hf.downstream.utility(
        TRAIN,
        TEST.with_labels({"group": ["", "", *values[2:]]}),
        LIKE_REAL,
        classifiers=["mlp"],
        repeats=1,
        fractions=(),
    )
    assert found.test_rows == {"a": 18, "b": 20, "c": 20}
    assert found.notes == ["test: 2 haplotypes without a group left out."]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "sex"}, "train: expected the label 'sex', found group"),
        ({"classifiers": ["svm"]}, r"classifiers: expected some of mlp, transformer, cnn, found \['svm'\]"),
        ({"unit": "family"}, "unit: expected 'haplotype' or 'person', found 'family'"),
        (
            {"unit": "person", "test": TEST.select_haplotypes(np.arange(2, 45))},
            "test: expected two haplotypes .* of t22",
        ),
        (
            {"unit": "person", "test": TEST.with_labels({"group": ["a", "b"] * 30})},
            "test: expected one group for both haplotypes of a person, found two of t0",
        ),
        ({"repeats": 0}, "repeats: expected 1 or more, found 0"),
        ({"fractions": (0.1, 1)}, r"fractions: expected shares between 0 and 1, found \[0.1, 1.0\]"),
        ({"train": TRAIN.with_labels({"other": TRAIN.samples.labels["group"]})}, "label: expected one .* group, other"),
        ({"test": TRAIN.select_haplotypes(np.arange(50, 70))}, "test: expected other persons .* 20 haplotypes .* p25"),
        ({"test": TEST.with_labels({"group": ["d"] * 60})}, r"test: .* that train has \(a, b, c\), found 'd'"),
        ({"synthetic": {"x": cohort({"a": 20, "b": 20}, 3)}}, "x: expected rows of every group .* none of 'c'"),
        ({"synthetic": {"train": LIKE_REAL}}, "synthetic: expected sets with names other than"),
        ({"synthetic": LIKE_REAL.select_haplotypes([0, 1]).with_labels({"group": ["", ""]})}, "found none"),
    ],
)
def test_refused(change: dict[str, Any], message: str) -> None:
    given = {"train": TRAIN, "test": TEST, "synthetic": LIKE_REAL, **change}
    with pytest.raises(ValueError, match=message):
        hf.downstream.utility(given.pop("train"), given.pop("test"), given.pop("synthetic"), **given)


def test_one_person_of_each_label_cannot_be_held_out() -> None:
    with pytest.raises(ValueError, match="two persons or more with one label"):
        networks.held_out(np.array([0, 0, 1, 1]), np.array([5, 5, 9, 9]), 0.1, 0)


def test_held_out_persons_are_whole_and_spread_over_labels() -> None:
    persons = np.repeat(np.arange(100), 2)
    codes = np.repeat([0, 1, 2, 3], [80, 80, 38, 2])
    held = networks.held_out(codes, persons, 0.1, 3)
    assert (held[::2] == held[1::2]).all()
    assert held[::2].sum() == 10
    assert np.bincount(codes[held][::2], minlength=4).tolist() == [4, 4, 2, 0]
    assert not np.array_equal(held, networks.held_out(codes, persons, 0.1, 4))


def test_inputs_are_standardised_by_the_training_rows_alone() -> None:
    rows = networks.Rows([(haplotypes(TRAIN), np.arange(0, 100)), (haplotypes(LIKE_REAL), np.arange(0, 60))])
    dense = np.concatenate([TRAIN.to_dense()[:100], LIKE_REAL.to_dense()[:60]]).astype(float)
    index = np.arange(10, 150)
    mean, scale = networks._standard(rows, index)
    np.testing.assert_allclose(mean[:, 0], dense[index].mean(0), rtol=1e-6)
    np.testing.assert_allclose(scale[:, 0], 1 / dense[index].std(0), rtol=1e-6)
    mixed = np.array([0, 159, 50, 101])
    np.testing.assert_array_equal(rows.batch(mixed)[:, :, 0], dense[mixed])


def test_a_position_that_does_not_vary_is_nought() -> None:
    flat = np.full((6, 3, 2), 0.1, np.float32)
    _, scale = networks._standard(networks.Rows([(flat, np.arange(6))]), np.arange(6))
    assert (scale == 0).all()


def test_a_failing_job_stops_the_others() -> None:
    """The one that trains beside it ends before its last epoch, and what waits is not begun."""
    before, begun = _backend.get_threads(), []

    def trained(stop: threading.Event) -> None:
        begun.append(1)
        codes = np.repeat([0, 1, 2], [40, 60, 20])
        rows = networks.Rows([(haplotypes(TRAIN), np.arange(120))])
        while True:  # but for `stop` it would never end
            networks.train("mlp", rows, codes, TRAIN.samples.person, 3, seed=1, stop=stop)

    def failing(_stop: threading.Event) -> None:
        while not begun:
            time.sleep(0.01)
        raise ValueError("no more")

    try:
        _backend.set_threads(2)
        with pytest.raises(ValueError, match="no more"):
            networks.beside_each_other([trained, failing, trained, trained])
    finally:
        _backend.set_threads(before)
    assert begun == [1]

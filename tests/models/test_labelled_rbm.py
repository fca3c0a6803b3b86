from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import chi2

import hapforge as hf
from hapforge import _backend
from hapforge.errors import FormatError
from hapforge.models import _fixed_point, _machine, _store, labelled_rbm
from hapforge.models._fixed_point import BITS
from hapforge.models._label_unit import LabelUnit
from hapforge.models._temperature import choose_temperature
from hapforge.models._workers import Workers


def _reference(name: str) -> ModuleType:
    spec = spec_from_file_location(f"{name}_reference", Path(__file__).parents[1] / "reference" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


exact, gibbs = _reference("label_unit"), _reference("gibbs")
TINY = {"num_hidden": 24, "gibbs_steps": 5, "epochs": 6, "batch_size": 100, "num_chains": 50}
SITES, LABELS, HIDDEN = 4, 3, 3
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def cohort() -> hf.HaplotypeMatrix:
    """400 rows x 120 sites of the embedded cohort, label "population", one in ten without."""
    whole = hf.datasets.load("ooa")
    some = whole.select_haplotypes(np.arange(0, 5008, 12)[:400]).select_sites(np.arange(0, 600, 5))
    values = some.samples.labels["population"].copy()
    values[::10] = ""
    return some.with_labels({"population": values})


def fit(cohort: hf.HaplotypeMatrix, seed: int = 3, **more: object) -> labelled_rbm.LabelledRBM:
    fields = set(labelled_rbm.LabelledRBMConfig.__dataclass_fields__)
    settings = {**TINY, **{key: more.pop(key) for key in list(more) if key in fields}}
    return hf.models.LabelledRBM("population", **settings).fit(cohort, seed=seed, **more)


@pytest.fixture(scope="module")
def model(cohort: hf.HaplotypeMatrix) -> labelled_rbm.LabelledRBM:
    return fit(cohort)


@pytest.fixture(scope="module")
def parts() -> tuple[np.ndarray, ...]:
    """w, a, b, c, d that rounding leaves alone."""
    rng = np.random.default_rng(8)
    shapes = ((SITES, HIDDEN), (SITES,), (HIDDEN,), (LABELS,), (LABELS, HIDDEN))
    return tuple(np.round(rng.normal(0, 1, shape) * (1 << BITS)) / (1 << BITS) for shape in shapes)


def machine_of(parts: tuple[np.ndarray, ...]) -> _machine.Machine:
    w, a, b, c, d = (np.round(part * (1 << BITS)).astype(np.int32) for part in parts)
    return _machine.machine_of(*map(torch.from_numpy, (np.concatenate([w, d]), np.concatenate([a, c]), b)))


def number(rows: torch.Tensor) -> np.ndarray:
    """The number of every row's sites, the first the most significant."""
    units = _machine.unpacked(rows, SITES + LABELS).numpy()[:, :SITES]
    return units @ (1 << np.arange(SITES)[::-1])


def z_square(seen: np.ndarray, expected: np.ndarray) -> float:
    """Chi-square over its limit at 1e-4: below 1 is alike."""
    n = seen.sum()
    return float(((seen - n * expected) ** 2 / (n * expected)).sum() / chi2.isf(1e-4, len(seen) - 1))


def test_one_of_many_is_drawn_as_in_the_reference() -> None:
    """Integer for integer, with fields from even to certain and an offset of chains."""
    rng = np.random.default_rng(2)
    field = np.concatenate(
        [
            rng.integers(-(3 << BITS), 3 << BITS, (30, 5)),
            rng.integers(-2, 3, (20, 5)),
            rng.integers(-(2**31), 2**31, (10, 5)),
            [[2**31 - 1, -(2**31), 0, 0, 0]],
        ]
    )
    for seed in (0, 2**64 - 1):
        found = _fixed_point.draw_one(
            torch.from_numpy(field.astype(np.int32))[:, None], seed=seed, step=4, layer=3, first_chain=9
        )[:, 0]
        expected = [
            exact.draw_one(row, BITS, gibbs.uniform(0, 9 + chain, 4, 3, seed), gibbs.decay)
            for chain, row in enumerate(field.tolist())
        ]
        assert found.tolist() == expected


def test_one_of_many_is_drawn_by_the_softmax() -> None:
    field = np.array([1.0, -0.5, 0.0, 2.0])
    fixed = torch.from_numpy((field * (1 << BITS)).astype(np.int32)).expand(200_000, 1, 4)
    seen = np.bincount(_fixed_point.draw_one(fixed, seed=5, step=0, layer=3)[:, 0].numpy(), minlength=4)
    assert z_square(seen, exact.softmax(field)) < 1
    assert z_square(seen, exact.softmax(1.02 * field)) > 1


def test_labels_in_rows() -> None:
    """Across a word's edge: put, read, none."""
    unit = LabelUnit(62, 5, CPU)
    rng = np.random.default_rng(1)
    rows = _machine.packed(torch.from_numpy(rng.integers(0, 2, (40, 67)).astype(np.int8)))
    labels = torch.from_numpy(rng.integers(0, 5, 40))
    units = _machine.unpacked(unit.put(rows, labels), 67)
    assert torch.equal(units[:, :62], _machine.unpacked(rows, 67)[:, :62])
    assert torch.equal(units[:, 62:].argmax(1), labels)
    assert torch.equal(units[:, 62:].sum(1), torch.ones(40))
    assert torch.equal(unit.read(unit.put(rows, labels)), labels)
    assert torch.equal(unit.read(unit.without(rows)), torch.full((40,), -1))
    assert unit.columns.tolist() == [False] * 62 + [True] * 5


@pytest.mark.parametrize("steps", [0, 1, 2])
def test_label_chains_follow_the_exact_distribution_after_k_steps(parts: tuple, steps: int) -> None:
    """Sites held, from labels that are all as likely; one step more must be told apart."""
    machine, unit = machine_of(parts), LabelUnit(SITES, LABELS, CPU)
    v = exact.states(SITES)[9]
    sites = torch.from_numpy(np.concatenate([v, np.zeros(LABELS)]).astype(np.int8)).expand(40_000, -1)
    start = unit.random(_machine.packed(sites), 3)
    rows = unit.chains(machine, start, steps, 3, clamp_sites=True)
    assert torch.equal(unit.without(rows), _machine.packed(sites))
    seen = np.bincount(unit.read(rows).numpy(), minlength=LABELS)

    def after(k: int) -> np.ndarray:
        return np.full(LABELS, 1 / LABELS) @ np.linalg.matrix_power(exact.label_step(*parts, v), k)

    assert z_square(seen, after(steps)) < 1
    assert z_square(seen, after(steps + 1)) > (1 if steps < 2 else 0)


@pytest.mark.parametrize("label", range(LABELS))
def test_draws_by_label_follow_the_exact_distribution_after_k_steps(parts: tuple, label: int) -> None:
    machine, unit = machine_of(parts), LabelUnit(SITES, LABELS, CPU)
    rows = labelled_rbm.drawn(machine, unit, torch.full((60_000,), label), 2, 5)
    assert (unit.read(rows) == label).all()
    seen = np.bincount(number(rows), minlength=1 << SITES)
    size = 1 << SITES
    expected = np.full(size, 1 / size) @ np.linalg.matrix_power(exact.site_step(*parts, label), 2)
    other = np.full(size, 1 / size) @ np.linalg.matrix_power(exact.site_step(*parts, (label + 1) % LABELS), 2)
    assert z_square(seen, expected) < 1
    assert z_square(seen, other) > 1


def test_chains_in_which_both_move_follow_the_exact_distribution(parts: tuple) -> None:
    machine, unit = machine_of(parts), LabelUnit(SITES, LABELS, CPU)
    rows = unit.random(machine.chains(60_000, 0, 7), 7)
    rows = unit.chains(machine, rows, 2, 7)
    seen = np.bincount(number(rows) * LABELS + unit.read(rows).numpy(), minlength=LABELS << SITES)
    size = LABELS << SITES
    step = exact.joint_step(*parts)
    assert z_square(seen, np.full(size, 1 / size) @ step @ step) < 1
    assert z_square(seen, np.full(size, 1 / size) @ step) > 1


def test_a_device_draws_what_the_kernel_does(device_machine: Any) -> None:
    rng = np.random.default_rng(1)
    tensors = [torch.from_numpy(rng.integers(-3000, 3000, n).astype(np.int32)) for n in ((70, 45), 70, 45)]
    host, device = _machine.HostMachine(*tensors), device_machine(*tensors)
    unit = LabelUnit(66, 4, CPU)
    rows = unit.random(host.chains(150, 0, 3), 3)
    for clamp in (False, True):
        ended = [unit.chains(m, rows, 3, 8, first_chain=11, clamp_sites=clamp) for m in (host, device)]
        assert torch.equal(*ended)
        assert not torch.equal(ended[0], rows)
    for found, expected in zip(host.step(rows, 2, 9), device.step(rows, 2, 9), strict=True):
        assert torch.equal(found, expected)
    whole = host.chains(150, 2, 9, start=rows)
    assert torch.equal(host.step(host.step(rows, 0, 9)[0], 1, 9)[0], whole)


def test_label_probabilities_are_the_enumerated_ones(parts: tuple) -> None:
    model = hf.models.LabelledRBM("kind", num_hidden=HIDDEN, epochs=1)
    v = exact.states(SITES)
    data = hf.HaplotypeMatrix.from_dense(v.astype(np.uint8), labels={"kind": ["x", "y", "z", "x"] * 4})
    model.fit(data)
    w, a, b, c, d = (np.round(part * (1 << BITS)).astype(np.int32) for part in parts)
    joined = {"weights": np.concatenate([w, d]).astype(np.int16), "visible_bias": np.concatenate([a, c])}
    model._restore({**joined, "hidden_bias": b, "fixed_point_bits": np.array([BITS], np.int32)})
    expected = exact.label_given_sites(*parts, v)
    assert np.allclose(model.predict_proba(data), expected, rtol=1e-12)
    assert model.predict(data).tolist() == [["x", "y", "z"][i] for i in expected.argmax(1)]
    assert len(set(expected.argmax(1))) > 1
    for name, part in zip(
        ("weights", "visible_bias", "hidden_bias", "label_bias", "label_weights"), parts, strict=True
    ):
        assert np.array_equal(getattr(model, name), part)


@pytest.mark.parametrize(("training", "weight"), [("rdm", 1.0), ("rdm", 0.25), ("pcd", 1.0)])
def test_what_an_update_holds_against_the_data(
    parts: tuple, monkeypatch: pytest.MonkeyPatch, training: str, weight: float
) -> None:
    """Moments of an update against enumeration: two kinds of chains of k steps, rows without label among the data."""
    v = exact.states(SITES)
    kinds, n = np.array([3, 9, 14]), 60_000
    row = np.repeat(kinds, n // 3)
    names = np.tile(["x", "y", "z", "y", ""], n // 5)
    data = hf.HaplotypeMatrix.from_dense(v[row].astype(np.uint8), labels={"kind": names})
    config = labelled_rbm.LabelledRBMConfig(
        label="kind", training=training, telling_weight=weight, num_hidden=HIDDEN, batch_size=n, num_chains=n
    )
    w, a, b, _, d = parts
    steps, seen = 2, {}
    with Workers(CPU) as workers:
        learner = labelled_rbm.LabelledLearner(data, config, 1, workers, ["x", "y", "z"], device=CPU)
        monkeypatch.setattr(learner, "machine", lambda: machine_of(parts))
        monkeypatch.setattr(learner, "step", lambda data, model, rate: seen.update(data=data, model=model))
        learner.update(learner._data, steps, 0.1, 5)

    def moments(p: np.ndarray) -> list[np.ndarray]:
        """Of P(v, l), (2**SITES, LABELS)."""
        hidden = 1 / (1 + np.exp(-((v @ w + b)[:, None] + d)))
        both = np.einsum("vl,vi,vlj->ij", p, v, hidden)
        label = np.einsum("vl,vlj->lj", p, hidden)
        return [
            np.concatenate([both, label]),
            np.concatenate([p.sum(1) @ v, p.sum(0)]),
            np.einsum("vl,vlj->j", p, hidden),
        ]

    told = np.zeros((len(v), LABELS))
    for kind in kinds:
        even = np.full(LABELS, 1 / LABELS)
        told[kind] = even @ np.linalg.matrix_power(exact.label_step(*parts, v[kind]), steps) / 3
    rows = 0.2 * told
    rows[kinds] += np.array([0.2, 0.4, 0.2]) / 3
    size = 1 << SITES
    if training == "pcd":
        even = np.full(size * LABELS, 1 / (size * LABELS))
        model = moments((even @ np.linalg.matrix_power(exact.joint_step(*parts), steps)).reshape(size, LABELS))
    else:
        known = np.zeros((size, LABELS))
        known[kinds] = np.array([0.2, 0.4, 0.2]) / 3
        bare = w, a, b, np.zeros(1), np.zeros((1, HIDDEN))  # one in five has no label: d.h and c.l are not there
        draws = [np.linalg.matrix_power(exact.site_step(*parts, label), steps).mean(0) for label in range(LABELS)]
        free = 0.2 * np.linalg.matrix_power(exact.site_step(*bare, 0), steps).mean(0)
        drawn, without = np.stack(draws, 1) * known.sum(0), np.zeros(size)
        without[kinds] = 0.2 / 3

        def both(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> list[np.ndarray]:
            """Of P(v, l), of P(v) without label, and of P(v, l) of chains that tell."""
            hidden = 1 / (1 + np.exp(-(v @ w + b)))
            more = (
                np.concatenate([(q[:, None] * v).T @ hidden, np.zeros((LABELS, HIDDEN))]),
                np.concatenate([q @ v, np.zeros(LABELS)]),
                q @ hidden,
            )
            parts_of_all = zip(moments(p), more, moments(r), strict=True)
            return [(x + y + weight * z / 0.8) / (1 + weight) for x, y, z in parts_of_all]

        model, data_moments = both(drawn, free, 0.8 * told), both(known, without, known)
    if training == "pcd":
        data_moments = moments(rows)
    # five standard errors of 60,000 rows, and 1.2e-4 from the table of hidden probabilities
    for found, expected in ((seen["data"], data_moments), (seen["model"], model)):
        for x, y in zip(found, expected, strict=True):
            assert np.abs(x.numpy() - y).max() < 5 * 0.5 / np.sqrt(n) + 2e-4
    assert max(np.abs(x - y).max() for x, y in zip(data_moments, model, strict=True)) > 0.05


def three_kinds(n: int, known: float, seed: int = 0) -> tuple[hf.HaplotypeMatrix, np.ndarray]:
    """Haplotypes near one of three, 1 site in 20 changed; the label known for a share of the persons."""
    rng = np.random.default_rng(seed)
    kinds = np.random.default_rng(99).integers(0, 2, (3, 40))
    which = np.repeat(rng.choice(3, n // 2, p=[0.5, 0.3, 0.2]), 2)
    dense = kinds[which] ^ (rng.random((n, 40)) < 0.05)
    names = np.array(["a", "b", "c"])[which]
    given = np.where(np.repeat(rng.random(n // 2) < known, 2), names, "")
    return hf.HaplotypeMatrix.from_dense(dense.astype(np.uint8), labels={"kind": given}), names


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    ("training", "known"),
    [("rdm", 1), pytest.param("rdm", 0.1, marks=SLOW), pytest.param("pcd", 0.1, marks=SLOW)],
)
def test_it_learns_to_tell_and_to_draw(training: str, known: float) -> None:
    """Three kinds of haplotypes, told and drawn right, also where one in ten has a label."""
    train, _ = three_kinds(600, known)
    test, truth = three_kinds(400, 0, seed=1)
    settings = {"num_hidden": 12, "epochs": 120, "batch_size": 300, "learning_rate": 1.0, "training": training}
    model = hf.models.LabelledRBM("kind", **settings).fit(train, seed=1)
    assert (model.predict(test) == truth).mean() > 0.98
    # persistent chains learn the equilibrium, from few that move slowly between kinds
    dense, steps, limit = test.to_dense(), 200 if training == "pcd" else 10, 0.05 if known == 1 else 0.12
    for name in model.labels:
        frequencies = model.sample(1000, seed=2, labels=name, steps=steps).to_dense().mean(0)
        assert np.abs(frequencies - dense[truth == name].mean(0)).mean() < limit
    assert model.training["num_without_label"] == (train.samples.labels["kind"] == "").sum()
    confusion = model.confusion(test.with_labels({"kind": truth}))
    assert confusion.sum() == 400
    assert confusion.trace() / 400 == (model.predict(test) == truth).mean()


def test_first_biases_are_the_frequencies(cohort: hf.HaplotypeMatrix) -> None:
    names = ["AFR", "EAS", "EUR"]
    values = cohort.samples.labels["population"]
    assert set(values.tolist()) == {"", *names}
    with Workers(CPU) as workers:
        config = labelled_rbm.LabelledRBMConfig(label="population")
        learner = labelled_rbm.LabelledLearner(cohort, config, 0, workers, names, device=CPU)
    bias = learner.visible_bias.numpy()
    assert np.allclose(1 / (1 + np.exp(-bias[:120])), cohort.to_dense().mean(0), atol=1e-6)
    shares = [(values == name).sum() / (values != "").sum() for name in names]
    assert np.allclose(np.exp(bias[120:]), shares, atol=1e-6)


@pytest.mark.parametrize(("training", "weight"), [("rdm", 1.0), ("rdm", 0.3), ("pcd", 1.0)])
def test_threads_do_not_change_weights_or_draws(
    cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, training: str, weight: float
) -> None:
    files = []
    for count in (1, 3):
        monkeypatch.setattr(_backend, "get_threads", lambda given=None, count=count: given or count)
        model = fit(cohort, training=training, telling_weight=weight)
        model.save(tmp_path / str(count))
        files.append((tmp_path / str(count) / "weights.safetensors").read_bytes())
        files.append(model.sample(333, seed=9).words.tobytes())
    assert files[:2] == files[2:]


class Interrupt(Exception):
    pass


@pytest.mark.parametrize("training", ["rdm", "pcd"])
def test_resumed_training_ends_where_the_uninterrupted_ends(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, training: str
) -> None:
    def stop(state: object) -> None:
        if state.epoch == 4:
            raise Interrupt

    run = tmp_path / "run"
    with pytest.raises(Interrupt):
        fit(cohort, training=training, run=run, checkpoint_every=3, callback=stop)
    others = np.roll(cohort.samples.labels["population"], 1)
    with pytest.raises(ValueError, match="expected to resume with the same labels_sha256"):
        fit(cohort.with_labels({"population": others}), training=training, run=run, resume=True)
    whole, resumed = fit(cohort, training=training), fit(cohort, training=training, run=run, resume=True)
    for name in ("weights", "visible_bias", "hidden_bias", "label_weights", "label_bias"):
        assert np.array_equal(getattr(whole, name), getattr(resumed, name))
    loaded = hf.models.load(run)
    assert isinstance(loaded, labelled_rbm.LabelledRBM)
    assert loaded.config == whole.config
    assert loaded.labels == ["AFR", "EAS", "EUR"]
    a, b = loaded.sample(20, seed=1), whole.sample(20, seed=1)
    assert a.sha256() == b.sha256()
    assert np.array_equal(a.samples.labels["population"], b.samples.labels["population"])
    assert np.array_equal(loaded.predict_proba(cohort), whole.predict_proba(cohort))
    log = [json.loads(line) for line in (run / "train.jsonl").read_text().splitlines()]
    assert [entry["epoch"] for entry in log] == [1, 2, 3, 4, 5, 6]
    assert [("label_chains_right" in entry) for entry in log] == [training == "rdm"] * 6


@pytest.mark.parametrize("labels", [["AFR", "EAS"], {"AFR": 0, "EAS": 1, "EUR": 1}, {"AFR": 1, "EUR": 1}])
def test_a_model_whose_labels_do_not_fit_is_refused(
    model: labelled_rbm.LabelledRBM, tmp_path: Path, labels: object
) -> None:
    model.save(tmp_path / "run")
    path = tmp_path / "run" / "model.json"
    description = json.loads(path.read_text())
    description["training"]["labels"] = labels
    del description[_store.SEAL]
    _store.write_sealed(path, description)
    with pytest.raises(FormatError, match="the parts of a labelled_rbm model"):
        hf.models.load(tmp_path / "run")


def test_validation_is_only_looked_at(cohort: hf.HaplotypeMatrix) -> None:
    train, held = cohort.split(0.2, 1)
    metrics = []
    model = fit(train, validation=held, callback=lambda state: metrics.append(state.metrics))
    confusion = model.confusion(held)
    assert metrics[-1]["label_accuracy_validation"] == pytest.approx(confusion.trace() / confusion.sum())
    assert np.array_equal(model.weights, fit(train).weights)


def test_labels_of_draws(model: labelled_rbm.LabelledRBM, cohort: hf.HaplotypeMatrix) -> None:
    one = model.sample(7, seed=2, labels="AFR")
    assert one.samples.labels["population"].tolist() == ["AFR"] * 7
    assert one.sites == cohort.sites
    names = ["AFR", "EUR", "EAS", "AFR", "EUR"]
    many = model.sample(5, seed=2, labels=names)
    assert many.samples.labels["population"].tolist() == names
    for row in (0, 3):  # the same chain, the same label: the same haplotype
        assert np.array_equal(one.words[row], many.words[row])
    free = model.sample(4001, seed=2)
    drawn = free.samples.labels["population"]
    assert np.array_equal(drawn[0:4000:2], drawn[1:4000:2])
    values = cohort.samples.labels["population"]
    for name in model.labels:  # 2,001 persons: 5 standard errors
        assert abs((drawn == name).mean() - (values == name).sum() / (values != "").sum()) < 0.056
    few = model.sample(5, seed=2)
    assert np.array_equal(few.words, free.words[:5])
    assert np.array_equal(few.samples.labels["population"], drawn[:5])
    assert model.sample(0).shape == (0, 120)
    assert model.sample(50, seed=2, steps=5).sha256() == model.sample(50, seed=2).sha256()
    assert model.sample(50, seed=2, steps=6).sha256() != model.sample(50, seed=2).sha256()
    cold = model.sample(50, seed=2, temperature=0.5)
    assert cold.sha256() != model.sample(50, seed=2).sha256()
    assert cold.samples.labels["population"].tolist() == model.sample(50, seed=2).samples.labels["population"].tolist()


@pytest.fixture(scope="module")
def cooled() -> labelled_rbm.LabelledRBM:
    """Of 40 sites that are told apart too little; 102 rows of c, 90 of d."""
    train, names = three_kinds(600, 1)
    rest = np.flatnonzero(names == "c")
    values = names.copy()
    values[rest[102:]] = "d"
    settings = {"num_hidden": 12, "epochs": 30, "batch_size": 300, "learning_rate": 1.0}
    return hf.models.LabelledRBM("kind", **settings).fit(train.with_labels({"kind": values}), seed=1)


def test_temperatures_are_chosen_by_the_rows_of_each_label(cooled: labelled_rbm.LabelledRBM) -> None:
    """For labels with 100 rows or more; every row is drawn at its own label's."""
    rows, chosen = cooled.training["labels"], cooled.training["temperature"]
    assert set(chosen) == {name for name in rows if rows[name] >= 100}
    assert "d" in rows
    at = {name: chosen[name]["temperature"] if name in chosen else 1.0 for name in rows}
    assert len(set(at.values())) > 1
    for name, found in chosen.items():
        assert abs(found["n"] - rows[name] / 2) <= 2
    train, _ = three_kinds(600, 1)
    of_a = train.select_haplotypes(train.samples.labels["kind"] == "a")  # c alone has lost rows to d
    again = choose_temperature(lambda n, s, t: cooled.sample(n, seed=s, labels="a", temperature=t), of_a, None, 1)
    assert chosen["a"] == again
    labels = np.tile(list(rows), 12)
    mixed = cooled.sample(48, seed=6, labels=labels)
    for name, temperature in at.items():
        alone = cooled.sample(48, seed=6, labels=labels, temperature=temperature)
        assert np.array_equal(mixed.words[labels == name], alone.words[labels == name])
    assert cooled._sampling().endswith(", ".join(f"{name} {at[name]:g}" for name in rows) + ".")


def test_chosen_temperatures_are_kept(cooled: labelled_rbm.LabelledRBM, tmp_path: Path) -> None:
    cooled.save(tmp_path / "model")
    loaded = hf.models.load(tmp_path / "model")
    assert loaded.sample(60, seed=2).sha256() == cooled.sample(60, seed=2).sha256()
    path = tmp_path / "model" / "model.json"
    description = json.loads(path.read_text())
    for wrong in (-1.0, "cold", None):
        description["training"]["temperature"]["a"]["temperature"] = wrong
        description.pop(_store.SEAL)
        _store.write_sealed(path, description)
        description = json.loads(path.read_text())
        with pytest.raises(FormatError, match="the parts of a labelled_rbm model"):
            hf.models.load(tmp_path / "model")


def test_a_given_temperature_is_taken() -> None:
    train, _ = three_kinds(300, 1)
    model = hf.models.LabelledRBM("kind", num_hidden=4, epochs=1, temperature=0.7).fit(train)
    assert "temperature" not in model.training
    assert model.sample(20).sha256() == model.sample(20, temperature=0.7).sha256()
    assert model.sample(20).sha256() != model.sample(20, temperature=1.0).sha256()


def test_whole_numbers_are_labels() -> None:
    train, _ = three_kinds(60, 1)
    numbered = train.with_labels({"kind": np.repeat([10, 9, 9], 20)})
    model = hf.models.LabelledRBM("kind", num_hidden=4, epochs=1).fit(numbered)
    assert model.training["labels"] == {"10": 20, "9": 40}
    assert model.sample(2, labels=9).samples.labels["kind"].tolist() == ["9", "9"]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("XYZ", "labels: expected one of AFR, EAS, EUR, found 'XYZ'"),
        (["AFR", "EAS", ""], "labels: expected one of AFR, EAS, EUR, found ''"),
        (["AFR", "EAS"], r"labels: expected one label or 3 of them, found an array of shape \(2,\)"),
    ],
)
def test_unknown_labels(model: labelled_rbm.LabelledRBM, labels: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        model.sample(3, labels=labels)


def test_bad_arguments(model: labelled_rbm.LabelledRBM, cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="label: expected 'superpopulation' among the labels of H, found population"):
        hf.models.LabelledRBM().fit(cohort)
    with pytest.raises(ValueError, match="label: expected 'population' among the labels of H, found no labels"):
        fit(hf.HaplotypeMatrix.from_dense(np.zeros((4, 3), np.uint8)))
    one = cohort.with_labels({"population": ["AFR"] * 399 + [""]})
    with pytest.raises(ValueError, match="two different values of 'population' or more, found only 'AFR'"):
        fit(one)
    with pytest.raises(ValueError, match="two different values of 'population' or more, found none"):
        fit(cohort.with_labels({"population": [""] * 400}))
    with pytest.raises(TypeError, match="label: expected text or whole numbers in 'population', found float64"):
        fit(cohort.with_labels({"population": np.linspace(0, 1, 400)}))
    other = cohort.with_labels({"population": ["GBR"] * 400})
    with pytest.raises(ValueError, match="values of 'population' out of AFR, EAS, EUR, found 'GBR'"):
        fit(cohort, validation=other)
    with pytest.raises(ValueError, match="out of AFR, EAS, EUR, found 'GBR'"):
        model.confusion(other)
    with pytest.raises(ValueError, match="H: expected 120 sites, found 5"):
        model.predict(cohort.select_sites(np.arange(5)))
    with pytest.raises(ValueError, match="n: expected 0 or more"):
        model.sample(-1)
    with pytest.raises(ValueError, match="steps: expected 1 or more"):
        model.sample(1, steps=0)
    with pytest.raises(ValueError, match=r"temperature: expected 0.01 to 100.0, found 0"):
        model.sample(1, temperature=0.0)
    with pytest.raises(ValueError, match="call fit first"):
        hf.models.LabelledRBM().predict(cohort)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"label": ""}, "label: expected the name of a label"),
        ({"training": "cd"}, "training: expected rdm or pcd, found 'cd'"),
        ({"hidden": "relu"}, "hidden: expected bernoulli, found 'relu'"),
        ({"telling_weight": 0.0009}, "telling_weight: expected 1/1024 to 1024, found 0.0009"),
        ({"telling_weight": float("nan")}, "telling_weight: expected 1/1024 to 1024, found nan"),
        ({"gibbs_steps": 0}, "gibbs_steps: expected 1 or more"),
        ({"batch_size": 65_537}, "batch_size: expected at most 65536"),
        ({"hold": 2.0}, "hold: expected 0 to 1"),
        ({"learning_rate": float("nan")}, "learning_rate: expected a positive number"),
        ({"initial_scale": 2.0}, "initial_scale: expected at most 1"),
    ],
)
def test_bad_settings(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hf.models.LabelledRBM(**settings)


@pytest.mark.slow
def test_handwritten_digits() -> None:
    """Binary images: told right on a fifth held out, and drawn nearest to the mean image of their digit."""
    datasets = pytest.importorskip("sklearn.datasets")
    images, digits = datasets.load_digits(return_X_y=True)
    images = (images > 7).astype(np.uint8)
    order = np.random.default_rng(0).permutation(len(images))
    test, train = order[:360], order[360:]
    data = hf.HaplotypeMatrix.from_dense(images[train], labels={"digit": digits[train]})
    model = hf.models.LabelledRBM("digit", num_hidden=100, epochs=300, batch_size=240, learning_rate=0.5)
    model.fit(data, seed=1)
    assert (model.predict(hf.HaplotypeMatrix.from_dense(images[test])) == digits[test].astype(str)).mean() > 0.9
    means = np.stack([images[digits == digit].mean(0) for digit in range(10)])
    drawn = np.stack([model.sample(500, seed=2, labels=str(digit)).to_dense().mean(0) for digit in range(10)])
    assert (np.abs(drawn[:, None] - means).mean(2).argmin(1) == np.arange(10)).all()
    assert np.corrcoef(drawn.ravel(), means.ravel())[0, 1] > 0.97

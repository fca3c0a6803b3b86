"""Potts units: draws against enumeration, and a labelled RBM of sequences from a known Potts model."""

from __future__ import annotations

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
from hapforge.alignment import states_of
from hapforge.models import _fixed_point, _machine, labelled_rbm
from hapforge.models._fixed_point import BITS
from hapforge.models._label_unit import LabelUnit
from hapforge.models._potts import PottsMachine, to_zero_sum


def _reference(name: str) -> ModuleType:
    spec = spec_from_file_location(f"{name}_reference", Path(__file__).parents[1] / "reference" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


exact, gibbs, label_unit = _reference("potts"), _reference("gibbs"), _reference("label_unit")
SITES, STATES, LABELS, HIDDEN = 3, 3, 2, 3
COLUMNS, ALL = SITES * STATES, STATES**SITES
CPU = torch.device("cpu")
NAMES = np.array(["x", "y", "z"])


@pytest.fixture(scope="module")
def parts() -> tuple[np.ndarray, ...]:
    """w, a, b, c, d that rounding leaves alone."""
    rng = np.random.default_rng(4)
    shapes = ((SITES, STATES, HIDDEN), (SITES, STATES), (HIDDEN,), (LABELS,), (LABELS, HIDDEN))
    return tuple(np.round(rng.normal(0, 1, shape) * (1 << BITS)) / (1 << BITS) for shape in shapes)


def tensors_of(parts: tuple[np.ndarray, ...]) -> list[torch.Tensor]:
    w, a, b, c, d = parts
    joined = np.concatenate([w.reshape(-1, HIDDEN), d]), np.concatenate([a.ravel(), c]), b
    return [torch.from_numpy(np.round(part * (1 << BITS)).astype(np.int32)) for part in joined]


def machine_of(parts: tuple[np.ndarray, ...]) -> PottsMachine:
    return PottsMachine(_machine.machine_of(*tensors_of(parts)), SITES, STATES)


def rows_of(v: np.ndarray) -> torch.Tensor:
    """Packed rows of states, without label."""
    one_hot = exact.one_hot(v, STATES).reshape(len(v), -1)
    return _machine.packed(torch.from_numpy(np.pad(one_hot, ((0, 0), (0, LABELS))).astype(np.int8)))


def number(rows: torch.Tensor) -> np.ndarray:
    """The number of every row's sequence, its first site the most significant."""
    units = _machine.unpacked(rows, COLUMNS + LABELS).numpy()[:, :COLUMNS].reshape(-1, SITES, STATES)
    assert (units.sum(2) == 1).all()
    return units.argmax(2) @ (STATES ** np.arange(SITES)[::-1])


def z_square(seen: np.ndarray, expected: np.ndarray) -> float:
    """Chi-square over its limit at 1e-4: below 1 is alike."""
    n = seen.sum()
    return float(((seen - n * expected) ** 2 / (n * expected)).sum() / chi2.isf(1e-4, len(seen) - 1))


@pytest.mark.parametrize("values", [1, 2, 5, 21])
def test_units_are_drawn_as_in_the_reference(values: int) -> None:
    """Integer for integer, on the CPU and in torch: units in several blocks of random words, fields to the limits."""
    rng = np.random.default_rng(values)
    field = rng.integers(-(3 << BITS), 3 << BITS, (4, 67, values))
    field[2] = rng.integers(-2, 3, (67, values))
    field[3] = rng.integers(-(2**31), 2**31, (67, values))
    field[3, 0] = [2**31 - 1, *[-(2**31)] * (values - 1)]
    given = torch.from_numpy(field.astype(np.int32))
    for seed in (0, 2**64 - 1):
        expected = [
            [
                label_unit.draw_one(row, BITS, gibbs.uniform(j, 9 + chain, 4, 1, seed), gibbs.decay)
                for j, row in enumerate(rows)
            ]
            for chain, rows in enumerate(field.tolist())
        ]
        assert _fixed_point.draw_one(given, seed=seed, step=4, layer=1, first_chain=9).tolist() == expected
        assert _fixed_point._drawn_in_torch(given, seed, 4, 1, 9).tolist() == expected
        strided = given.permute(2, 1, 0).contiguous().permute(2, 1, 0)
        assert _fixed_point.draw_one(strided, seed=seed, step=4, layer=1, first_chain=9).tolist() == expected


def test_what_the_kernel_refuses() -> None:
    draw = _backend.core.gibbs_draw_values
    with pytest.raises(ValueError, match="fields: expected 1 to 65535 values, found 0"):
        draw(np.zeros((1, 1, 0), np.int32), 12, 0, 0, 0, 0)
    with pytest.raises(ValueError, match=r"fields: expected 3 dimension\(s\), found 2"):
        draw(np.zeros((1, 1), np.int32), 12, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="fixed_point_bits: expected 1 to 20, found 21"):
        draw(np.zeros((1, 1, 2), np.int32), 21, 0, 0, 0, 0)
    with pytest.raises(ValueError, match="first_chain: expected chains below"):
        draw(np.zeros((2, 1, 2), np.int32), 12, 0, 0, 0, 2**32 - 1)


@pytest.mark.parametrize("label", range(LABELS))
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_draws_by_label_follow_the_exact_distribution(parts: tuple, label: int, temperature: float) -> None:
    """After 0 and 2 steps from states that are all as likely; another label, or one step, must be told apart."""
    w, a, b, _, d = parts
    machine, unit = machine_of(parts), LabelUnit(COLUMNS, LABELS, CPU)
    labels = torch.full((60_000,), label)
    even = np.full(ALL, 1 / ALL)
    start = labelled_rbm.drawn(machine, unit, labels, 0, 5)
    assert z_square(np.bincount(number(start), minlength=ALL), even) < 1
    rows = labelled_rbm.drawn(machine, unit, labels, 2, 5, temperature=temperature)
    assert (unit.read(rows) == label).all()
    seen = np.bincount(number(rows), minlength=ALL)
    last = exact.site_step(w, a, b, d, label, temperature)
    assert z_square(seen, even @ exact.site_step(w, a, b, d, label) @ last) < 1
    assert z_square(seen, even @ last) > 1
    other = 1 - label
    assert z_square(seen, even @ exact.site_step(w, a, b, d, other) @ exact.site_step(w, a, b, d, other, 0.5)) > 1


def test_chains_in_which_both_move_follow_the_exact_distribution(parts: tuple) -> None:
    machine, unit = machine_of(parts), LabelUnit(COLUMNS, LABELS, CPU)
    rows = unit.random(machine.chains(60_000, 0, 7), 7)
    rows = unit.chains(machine, rows, 2, 7)
    seen = np.bincount(number(rows) * LABELS + unit.read(rows).numpy(), minlength=LABELS * ALL)
    step, even = exact.joint_step(*parts), np.full(LABELS * ALL, 1 / (LABELS * ALL))
    assert z_square(seen, even @ step @ step) < 1
    assert z_square(seen, even @ step) > 1


def test_a_device_draws_what_the_kernel_does(
    parts: tuple, monkeypatch: pytest.MonkeyPatch, device_machine: Any
) -> None:
    """In torch throughout, in blocks of rows, on part of the chains: the same bits."""
    host = machine_of(parts)
    device = PottsMachine(device_machine(*tensors_of(parts)), SITES, STATES)
    unit = LabelUnit(COLUMNS, LABELS, CPU)
    rows = unit.random(host.chains(150, 0, 3), 3)
    clamp = unit.columns
    found = [host.chains(150, 3, 8, start=rows, clamp=clamp, temperature=0.7), *host.step(rows, 2, 9)]
    assert torch.equal(
        host.chains(100, 3, 8, first_chain=50, start=rows[50:], clamp=clamp, temperature=0.7), found[0][50:]
    )
    assert torch.equal(unit.read(found[0]), unit.read(rows))
    each = torch.full((150, 1), 0.7, dtype=torch.float64)
    each[3] = 1.9
    cold = host.chains(150, 3, 8, start=rows, clamp=clamp, temperature=each)
    assert (cold != found[0]).any(1).nonzero().flatten().tolist() == [3]
    everywhere = clamp.expand(150, -1)
    assert torch.equal(host.chains(150, 3, 8, start=rows, clamp=everywhere, temperature=0.7), found[0])
    monkeypatch.setattr(_fixed_point, "draw_one", lambda field, **where: _drawn_in_torch(field, **where))
    monkeypatch.setattr("hapforge.models._potts._DRAWN_AT_ONCE", 7 * COLUMNS)
    again = [device.chains(150, 3, 8, start=rows, clamp=clamp, temperature=0.7), *device.step(rows, 2, 9)]
    for x, y in zip(found, again, strict=True):
        assert torch.equal(x, y)
    columns = _machine.machine_of(*tensors_of(parts))
    for machine in (host, device, columns):
        assert torch.equal(machine.draw_hidden(rows, 2, 9), found[2])
    assert host.chains(0, 2, 1).shape == (0, 1)


def _drawn_in_torch(field: torch.Tensor, *, seed: int, step: int, layer: int, first_chain: int) -> torch.Tensor:
    return _fixed_point._drawn_in_torch(field, seed, step, layer, first_chain)


def test_label_probabilities_are_the_enumerated_ones(parts: tuple) -> None:
    w, a, b, c, d = parts
    v = exact.states(SITES, STATES)
    data = hf.Alignment(v, "AC-", labels={"kind": ["x", "y", "y"] * (ALL // 3)}).to_haplotypes()
    model = hf.models.LabelledRBM("kind", num_hidden=HIDDEN, epochs=1).fit(data)
    weights, visible_bias, hidden_bias = (tensor.numpy() for tensor in tensors_of(parts))
    joined = {"weights": weights.astype(np.int16), "visible_bias": visible_bias, "hidden_bias": hidden_bias}
    model._restore({**joined, "fixed_point_bits": np.array([BITS], np.int32)})
    expected = exact.label_given_sites(w, a, b, c, d, v)
    assert np.allclose(model.predict_proba(data), expected, rtol=1e-12)
    assert len(set(expected.argmax(1))) > 1
    assert np.array_equal(model.weights.reshape(SITES, STATES, HIDDEN), w)


def test_the_gauge_changes_no_probability(parts: tuple) -> None:
    """Taken from W and a, and given to b: nothing changes; a mean that is not given to b does change something."""
    w, a, b, c, d = parts
    v = exact.states(SITES, STATES)
    gauged_w, gauged_a = (torch.from_numpy(part.reshape(COLUMNS, *part.shape[2:]).copy()) for part in (w, a))
    to_zero_sum(gauged_w, STATES)
    to_zero_sum(gauged_a, STATES)
    new_w, new_a = gauged_w.numpy().reshape(w.shape), gauged_a.numpy().reshape(a.shape)
    assert np.abs(new_w.sum(1)).max() < 1e-12
    assert np.abs(new_a.sum(1)).max() < 1e-12
    before = exact.label_given_sites(w, a, b, c, d, v)
    assert np.allclose(exact.label_given_sites(new_w, new_a, b + w.mean(1).sum(0), c, d, v), before, rtol=1e-12)
    assert not np.allclose(exact.label_given_sites(new_w, new_a, b, c, d, v), before, rtol=1e-3)


def known_model(sites: int, states: int, labels: int, pairs: list[tuple[int, int]], seed: int) -> tuple:
    """Fields of every label (labels, sites, states) and couplings (sites, sites, states, states) of a Potts model."""
    rng = np.random.default_rng(seed)
    field = rng.normal(0, 0.4, (1, sites, states)) + rng.normal(0, 0.6, (labels, sites, states))
    coupling = np.zeros((sites, sites, states, states))
    for i, j in pairs:
        coupling[i, j] = rng.normal(0, 1.5, (states, states))
    return field, coupling


def sequences_of(p: np.ndarray, v: np.ndarray, n: int, seed: int) -> hf.HaplotypeMatrix:
    """n sequences and labels from p(v, label)."""
    drawn = np.random.default_rng(seed).choice(p.size, size=n, p=p.ravel())
    kinds = NAMES[drawn % p.shape[1]]
    return hf.Alignment(v[drawn // p.shape[1]], "ACGT-"[: v.max() + 1], labels={"kind": kinds}).to_haplotypes()


def test_sequences_of_a_known_potts_model() -> None:
    """Enumerated: letters and pairs of letters by label, and the label of every sequence there is."""
    field, coupling = known_model(4, 3, 2, [(0, 1), (1, 3), (0, 2)], seed=1)
    p, v = exact.potts_probabilities(field, coupling), exact.states(4, 3)
    train = sequences_of(p, v, 3000, seed=2)
    settings = {
        "num_hidden": 12,
        "gibbs_steps": 6,
        "epochs": 60,
        "batch_size": 500,
        "learning_rate": 4.0,
        "temperature": 1.0,
    }
    model = hf.models.LabelledRBM("kind", **settings).fit(train, seed=1)
    assert model.alphabet == model.training["alphabet"] == "ACG"
    block = model.weights.reshape(4, 3, 12)
    assert np.abs(block.sum(1)).max() < 3 / (1 << BITS)
    assert np.abs(block).max() > 0.5
    told = model.predict_proba(hf.Alignment(v, "ACG").to_haplotypes())
    posterior = p / p.sum(1, keepdims=True)
    assert np.abs(told - posterior).max(1) @ p.sum(1) < 0.05
    assert p[np.arange(len(v)), told.argmax(1)].sum() > p.max(1).sum() - 0.01
    assert p.max(1).sum() > p.sum(0).max() + 0.1  # there is something to tell
    for k, name in enumerate(model.labels):
        drawn, given = states_of(model.sample(20_000, seed=3, labels=name)), p[:, k] / p[:, k].sum()
        assert np.abs(exact.one_hot(drawn, 3).mean(0) - np.einsum("n,nia->ia", given, exact.one_hot(v, 3))).max() < 0.04
        pairs, expected = exact.pair_frequencies(drawn, 3), exact.pair_frequencies(v, 3, given)
        assert np.abs(pairs - expected).max() < 0.04
        linked, expected = exact.connected(drawn, 3), exact.connected(v, 3, given)
        assert np.corrcoef(linked.ravel(), expected.ravel())[0, 1] > 0.95
        assert np.abs(expected).max() > 0.05


def test_the_reference_sampler_draws_the_enumerated_model() -> None:
    field, coupling = known_model(4, 3, 2, [(0, 1), (1, 3), (0, 2)], seed=1)
    p = exact.potts_probabilities(field, coupling)
    for k in range(2):
        v = exact.potts_samples(field[k], coupling, 8000, 15, np.random.default_rng(k))
        seen = np.bincount(v @ (3 ** np.arange(4)[::-1]), minlength=81)
        assert z_square(seen, p[:, k] / p[:, k].sum()) < 1
        assert z_square(seen, p[:, 1 - k] / p[:, 1 - k].sum()) > 1


@pytest.mark.slow
def test_sequences_of_a_larger_known_potts_model() -> None:
    """30 sites of 5 letters, 20 coupled pairs, three labels, drawn by a sampler that knows nothing of ours."""
    sites, states, labels = 30, 5, 3
    pairs = [(i, i + 1) for i in range(0, 29, 2)] + [(i, i + 15) for i in range(0, 15, 3)]
    field, coupling = known_model(sites, states, labels, pairs, seed=1)
    rng = np.random.default_rng(2)
    known = [exact.potts_samples(of, coupling, 6000, 30, rng) for of in field]
    train, test, truth = (
        hf.Alignment(
            np.concatenate([v[a:b] for v in known]), "ACGT-", labels={"kind": np.repeat(NAMES, b - a)}
        ).to_haplotypes()
        for a, b in ((0, 1500), (1500, 2000), (2000, 6000))
    )
    settings = {"num_hidden": 40, "epochs": 150, "batch_size": 500, "learning_rate": 2.0, "temperature": 1.0}
    model = hf.models.LabelledRBM("kind", **settings).fit(train, seed=1)
    # couplings are common to all labels: logistic regression has the form of the true posterior
    linear_model = pytest.importorskip("sklearn.linear_model")
    peer = linear_model.LogisticRegression().fit(train.to_dense(), train.samples.labels["kind"].tolist())
    of_peer = peer.score(test.to_dense(), test.samples.labels["kind"].tolist())
    assert (model.predict(test) == test.samples.labels["kind"]).mean() > of_peer - 0.04
    assert of_peer > 0.8
    i, j = np.triu_indices(sites, 1)
    coupled = np.isin(i * sites + j, [x * sites + y for x, y in pairs])
    for name in model.labels:
        drawn = states_of(model.sample(4000, seed=3, labels=name))
        real = states_of(truth)[truth.samples.labels["kind"] == name]
        singles = [exact.one_hot(v, states).mean(0).ravel() for v in (drawn, real)]
        assert np.corrcoef(singles)[0, 1] > 0.985
        linked = [exact.connected(v, states) for v in (drawn, real)]
        assert np.corrcoef(*(x[coupled].ravel() for x in linked))[0, 1] > 0.95
        slope = np.polyfit(*(x[coupled].ravel() for x in linked[::-1]), 1)[0]
        assert 0.8 < slope < 1.2
        assert np.abs(linked[0] - linked[1]).max() < 0.08
        assert np.abs(linked[1][coupled]).max() > 0.15


TINY = {
    "num_hidden": 16,
    "gibbs_steps": 3,
    "epochs": 6,
    "batch_size": 100,
    "num_chains": 50,
    "learning_rate": 1.0,
    "temperature": 1.0,
}


@pytest.fixture(scope="module")
def sequences() -> hf.HaplotypeMatrix:
    """300 sequences of 11 positions, 21 letters (231 columns, 4 words), one in ten without label."""
    rng = np.random.default_rng(5)
    kinds = rng.integers(3, size=300)
    common = rng.integers(21, size=(3, 11))
    states = np.where(rng.random((300, 11)) < 0.3, rng.integers(21, size=(300, 11)), common[kinds])
    labels = np.where(np.arange(300) % 10 == 0, "", NAMES[kinds])
    return hf.Alignment(states, hf.alignment.AMINO_ACIDS, labels={"kind": labels}).to_haplotypes()


def fit(sequences: hf.HaplotypeMatrix, training: str, **more: object) -> labelled_rbm.LabelledRBM:
    return hf.models.LabelledRBM("kind", training=training, **TINY).fit(sequences, seed=3, **more)


@pytest.mark.parametrize("training", ["rdm", "pcd"])
def test_threads_and_interruption_change_nothing(
    sequences: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, training: str
) -> None:
    files = []
    for count in (1, 3):
        monkeypatch.setattr(_backend, "get_threads", lambda given=None, count=count: given or count)
        model = fit(sequences, training)
        model.save(tmp_path / str(count))
        files.append((tmp_path / str(count) / "weights.safetensors").read_bytes())
        files.append(model.sample(333, seed=9).words.tobytes())
    assert files[:2] == files[2:]

    def stop(state: object) -> None:
        if state.epoch == 4:
            raise InterruptedError

    run = tmp_path / "run"
    with pytest.raises(InterruptedError):
        fit(sequences, training, run=run, checkpoint_every=3, callback=stop)
    fit(sequences, training, run=run, resume=True)
    assert (run / "weights.safetensors").read_bytes() == files[0]
    loaded = hf.models.load(run)
    assert loaded.alphabet == hf.alignment.AMINO_ACIDS
    drawn = loaded.sample(333, seed=9)
    assert drawn.words.tobytes() == files[1]
    assert drawn.sites == sequences.sites
    assert drawn.samples.haplotype_id.tolist() == drawn.samples.sample_id.tolist() == [f"AG{i}" for i in range(333)]
    assert states_of(drawn).shape == (333, 11)


def test_first_biases_are_the_frequencies(sequences: hf.HaplotypeMatrix) -> None:
    """With W at 0 a letter is drawn by its frequency; one that is nowhere seen by a rare one."""
    model = hf.models.LabelledRBM("kind", **{**TINY, "epochs": 1, "learning_rate": 1e-9, "initial_scale": 1e-9})
    model.fit(sequences)
    frequencies = exact.softmax(model.visible_bias.reshape(11, 21))
    seen = exact.one_hot(states_of(sequences), 21).mean(0)
    expected = np.maximum(seen, 1 / 600)
    assert (seen == 0).any()
    assert np.allclose(frequencies, expected / expected.sum(1, keepdims=True), rtol=1e-3)


def test_labels_of_draws_and_validation(sequences: hf.HaplotypeMatrix) -> None:
    train, held = sequences.split(0.2, 1)
    metrics: list[dict[str, float]] = []
    model = fit(train, "rdm", validation=held, callback=lambda state: metrics.append(state.metrics))
    confusion = model.confusion(held)
    assert metrics[-1]["label_accuracy_validation"] == pytest.approx(confusion.trace() / confusion.sum())
    assert {"free_energy_train", "free_energy_validation"} < set(metrics[-1])
    free = model.sample(3001, seed=2)
    drawn = free.samples.labels["kind"]
    assert not np.array_equal(drawn[0:3000:2], drawn[1:3000:2])  # every sequence has its own
    values = train.samples.labels["kind"]
    for name in model.labels:
        assert abs((drawn == name).mean() - (values == name).sum() / (values != "").sum()) < 0.046
    assert np.array_equal(model.sample(5, seed=2).words, free.words[:5])


def test_what_does_not_fit_is_refused(sequences: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    model = fit(sequences, "rdm")
    labels = {"kind": ["x", "y"]}
    other = hf.Alignment([[0, 1], [2, 3]], "ACGT-", labels=labels).to_haplotypes()
    haplotypes = hf.HaplotypeMatrix.from_dense(np.eye(2, dtype=np.uint8), labels=labels)
    amino = f"aligned sequences of {hf.alignment.AMINO_ACIDS}"
    with pytest.raises(ValueError, match=f"H: expected {amino}, found aligned sequences of ACGT-"):
        model.predict(other)
    with pytest.raises(ValueError, match=f"H: expected {amino}, found haplotypes"):
        model.predict(haplotypes)
    with pytest.raises(ValueError, match="H: expected 231 sites, found 210"):
        model.predict(sequences.select_sites(np.arange(210)))
    with pytest.raises(ValueError, match="expected every letter at every position of contig 'alignment'"):
        model.predict(sequences.select_sites(np.arange(230)))
    ten = hf.HaplotypeMatrix.from_dense(np.eye(10, dtype=np.uint8), labels={"kind": ["x", "y"] * 5})
    with pytest.raises(ValueError, match="validation: expected haplotypes, found aligned sequences of ACGT-"):
        hf.models.LabelledRBM("kind", **TINY).fit(ten, validation=other)
    torn = hf.HaplotypeMatrix(other.words ^ np.uint64(1), other.sites, other.samples)
    for arguments in ({"H": torn}, {"H": other, "validation": torn}):
        with pytest.raises(ValueError, match="expected one letter at every position, found 0 at 1 of 'sequence0'"):
            hf.models.LabelledRBM("kind", **TINY).fit(**arguments)
    for kind in (hf.models.RBM, hf.models.Markov):
        with pytest.raises(ValueError, match=f"H: expected haplotypes for a {kind.name} model, found aligned"):
            kind().fit(sequences)

"""A row of a draw depends on the seed and its own number: not on blocks, threads, or how many are drawn."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

import hapforge as hf
from hapforge import _backend
from hapforge.models import Bernoulli, Markov, Model

MOST = {"markov": 8500}  # more than a block: 8,192 rows here; 256 of Bernoulli, 1,024 of a machine
SMALL = {"num_hidden": 9, "epochs": 1, "gibbs_steps": 2, "num_chains": 10, "batch_size": 100}
SHORT = {"epochs": 2, "critic_steps": 2, "batch_size": 30, "pack": 1}
MODELS = (
    *("bernoulli", "bernoulli of sequences", "markov", "rbm", "pcd", "relu", "crbm", "labelled_rbm", "potts"),
    *("gan", "wgan", "vae", "vae of persons"),
)


def fitted(name: str, H: hf.HaplotypeMatrix) -> Model:
    letters = np.random.default_rng(1).integers(0, 4, (H.num_haplotypes, 9))
    sequences = hf.Alignment(letters, "ACGT").to_haplotypes()
    persons = hf.HaplotypeMatrix(H.words, H.sites)
    labels = {"superpopulation": ["AFR", "EUR", "EAS", "EUR"] * (H.num_haplotypes // 4)}
    make: dict[str, Callable[[], Model]] = {
        "bernoulli": lambda: Bernoulli().fit(H),
        "bernoulli of sequences": lambda: Bernoulli().fit(sequences),
        "markov": lambda: Markov(4).fit(H),
        "rbm": lambda: hf.models.RBM(**SMALL, temperature=0.8).fit(H),
        "pcd": lambda: hf.models.RBM(**SMALL, training="pcd").fit(H),
        "relu": lambda: hf.models.RBM(**SMALL, hidden="relu", temperature=0.9).fit(H),
        "crbm": lambda: hf.models.CRBM(**SMALL, window=20, overlap=5, temperature=0.8).fit(H),
        "labelled_rbm": lambda: hf.models.LabelledRBM(**SMALL).fit(H.with_labels(labels)),
        "gan": lambda: hf.models.GAN(**SHORT).fit(H),
        "wgan": lambda: hf.models.WGAN(**SHORT, width=2).fit(H.with_labels(labels)),
        "vae": lambda: hf.models.VAE(epochs=1, width=2).fit(H),
        "vae of persons": lambda: hf.models.VAE(epochs=1, width=2, unit="person").fit(persons),
        "potts": lambda: hf.models.LabelledRBM(**SMALL).fit(sequences.with_labels(labels)),
    }
    return make[name]()


@pytest.fixture(scope="module", params=MODELS)
def model(request: pytest.FixtureRequest, cohort: hf.HaplotypeMatrix) -> Model:
    if "bernoulli" not in request.param and request.param != "markov":
        pytest.importorskip("torch")
    return fitted(request.param, cohort.select_sites(np.arange(70)))


@pytest.fixture
def threads() -> Iterator[Callable[[int], None]]:
    before = _backend.get_threads()
    yield _backend.set_threads
    _backend.set_threads(before)


def alike(a: hf.HaplotypeMatrix, b: hf.HaplotypeMatrix) -> bool:
    names = ("haplotype_id", "sample_id", "person", "ploid", "phased")
    same = all(np.array_equal(getattr(a.samples, name), getattr(b.samples, name)) for name in names)
    labels = [{key: values.tolist() for key, values in m.samples.labels.items()} for m in (a, b)]
    return same and labels[0] == labels[1] and np.array_equal(a.words, b.words)


def test_rows_are_the_same_in_any_blocks(model: Model, threads: Callable[[int], None]) -> None:
    n = MOST.get(model.name, 2100)
    threads(2)
    whole = model.sample(n, seed=5)
    assert len({row.tobytes() for row in whole.words}) > n / 2  # no block is that before it again
    blocks = model.sample_in_blocks(n, seed=5)
    assert blocks.shape == whole.shape
    assert blocks.sites == whole.sites
    assert alike(blocks.read(), whole)
    threads(1)
    for rows in (None, 1000, 1033):
        parts = list(blocks.iter_row_blocks(rows))
        assert alike(hf.concat(parts), whole), rows
        assert len(parts) == -(-n // (rows or 8192))
    rng = np.random.default_rng(1)
    for first in rng.integers(0, n, 12).tolist():
        last = min(n, first + int(rng.integers(0, 70)))
        assert np.array_equal(blocks.rows(first, last), whole.words[first:last]), (first, last)
    assert not np.array_equal(model.sample_in_blocks(9, seed=6).rows(0, 9), whole.words[:9])


def test_fewer_are_the_first_of_more(model: Model) -> None:
    whole = model.sample(MOST.get(model.name, 2100), seed=5)
    for n in (0, 1, 2, 255, 1026, 8192 if model.name == "markov" else 2048):
        fewer = model.sample(n, seed=5)
        assert np.array_equal(fewer.words, whole.words[:n]), n
        assert {key: v.tolist() for key, v in fewer.samples.labels.items()} == {
            key: v[:n].tolist() for key, v in whole.samples.labels.items()
        }


def test_what_sample_takes_beside_is_the_same_in_blocks(cohort: hf.HaplotypeMatrix) -> None:
    pytest.importorskip("torch")
    H = cohort.select_sites(np.arange(70))
    rbm, labelled = fitted("rbm", H), fitted("labelled_rbm", H)
    for model, how in (
        (rbm, {"start": H, "steps": 1, "temperature": 0.5}),
        (rbm, {"start": "random", "steps": 3}),
        (labelled, {"labels": "EAS", "steps": 3}),
        (labelled, {"labels": ["EUR", "AFR", "EAS"] * 500, "temperature": 0.5}),
    ):
        whole = model.sample(1500, seed=3, **how)
        parts = list(model.sample_in_blocks(1500, seed=3, **how).iter_row_blocks(401))
        assert alike(hf.concat(parts), whole)
        assert not np.array_equal(whole.words, model.sample(1500, seed=3).words)


def test_bad_arguments_are_refused_before_anything_is_drawn(cohort: hf.HaplotypeMatrix) -> None:
    model = Markov(3).fit(cohort)
    for arguments, kind, message in (
        ({"n": -1}, ValueError, "n: expected 0 or more, found -1"),
        ({"n": 4, "seed": -1}, ValueError, "seed: expected 0 to"),
        ({"n": 4, "labels": "EUR"}, ValueError, "Markov is not conditional, found 'EUR'"),
        ({"n": 4, "steps": 3}, TypeError, "steps: expected nothing that Markov does not know"),
    ):
        with pytest.raises(kind, match=message):
            model.sample_in_blocks(**arguments)
    with pytest.raises(ValueError, match="rows: expected 1 or more, found 0"):
        next(model.sample_in_blocks(4).iter_row_blocks(0))
    with pytest.raises(ValueError, match="expected a fitted model"):
        Markov(3).sample_in_blocks(4)


def test_progress_counts_rows(cohort: hf.HaplotypeMatrix) -> None:
    counts: list[int] = []
    blocks = Markov(3).fit(cohort).sample_in_blocks(700, progress=counts.append)
    assert counts == []
    assert sum(part.num_haplotypes for part in blocks.iter_row_blocks(300)) == 700
    assert counts == [300, 300, 100]


def test_a_source_that_gives_other_rows_is_refused(cohort: hf.HaplotypeMatrix) -> None:
    blocks = hf.HaplotypeBlocks(lambda first, last: cohort.words[:3], cohort.sites, cohort.samples)
    with pytest.raises(ValueError, match=r"rows: expected uint64 \(5, 2\), found uint64 \(3, 2\)"):
        blocks.rows(0, 5)


def test_numbered_samples_are_those_that_are_named_one_by_one() -> None:
    for n in (0, 1, 2, 7):
        for ploidy in (1, 2):
            named = [f"AG{i // ploidy}" for i in range(n)]
            own = {"haplotype_id": named} if ploidy == 1 else {}
            expected = hf.Samples(n, sample_id=named, labels={"k": list(range(n))}, **own)
            found = hf.Samples.numbered(n, "AG", ploidy=ploidy, labels={"k": list(range(n))})
            for name in ("haplotype_id", "sample_id", "person", "ploid", "phased"):
                a, b = getattr(expected, name), getattr(found, name)
                assert np.array_equal(a, b), (n, ploidy, name)
                assert a.dtype == b.dtype
                assert not b.flags.writeable
            assert found.labels["k"].tolist() == list(range(n))

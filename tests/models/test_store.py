from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge.errors import ChecksumError, FormatError
from hapforge.io import atomic
from hapforge.models import _store


def rewrite(path: Path, content: dict) -> None:
    """Replace a description by one with a right checksum."""
    content.pop(_store.SEAL, None)
    _store.write_sealed(path, content)


MODELS = {
    "bernoulli": lambda: hf.models.Bernoulli(),
    "markov": lambda: hf.models.Markov(3),
    "rbm": lambda: hf.models.RBM(num_hidden=5, epochs=1, gibbs_steps=2, num_chains=10),
}


@pytest.fixture(params=sorted(MODELS))
def model(request: pytest.FixtureRequest, small_cohort: hf.HaplotypeMatrix) -> hf.models.Model:
    return MODELS[request.param]().fit(small_cohort, seed=2)


def test_a_loaded_model_draws_the_same(
    model: hf.models.Model, small_cohort: hf.HaplotypeMatrix, tmp_path: Path
) -> None:
    model.save(tmp_path / "m")
    loaded = hf.models.load(tmp_path / "m")
    assert type(loaded) is type(model)
    assert loaded.config == model.config
    assert loaded.training == model.training
    assert loaded.sites == small_cohort.sites
    drawn = loaded.sample(21, seed=6)
    assert drawn.sha256() == model.sample(21, seed=6).sha256()
    assert drawn.sites.position_known


def test_what_is_written_down(model: hf.models.Model, small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    description = json.loads((tmp_path / "m" / "model.json").read_text())
    assert description["model"] == model.name
    assert description["training"]["data_sha256"] == small_cohort.sha256()
    assert description["training"]["seed"] == 2
    assert (description["training"]["num_haplotypes"], description["training"]["num_sites"]) == small_cohort.shape
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["model.json", "weights.safetensors"]


def test_unknown_positions_stay_unknown(tmp_path: Path) -> None:
    H = hf.HaplotypeMatrix.from_dense(np.eye(4, dtype=np.uint8), ids=["a", "b\n", "ß", ""])
    hf.models.Bernoulli().fit(H).save(tmp_path / "m")
    sites = hf.models.load(tmp_path / "m").sites
    assert not sites.position_known
    assert sites == H.sites


def test_any_changed_byte_of_the_weights_is_noticed(model: hf.models.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    path = tmp_path / "m" / "weights.safetensors"
    content = bytearray(path.read_bytes())
    for at in (0, len(content) // 2, len(content) - 1):
        path.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
        with pytest.raises(ChecksumError, match="SHA-256"):
            hf.models.load(tmp_path / "m")
    path.write_bytes(content[:-1])
    with pytest.raises(ChecksumError):
        hf.models.load(tmp_path / "m")
    path.unlink()
    with pytest.raises(FormatError, match="expected a file, found none"):
        hf.models.load(tmp_path / "m")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"model": "../evil"}, "expected a model out of"),
        ({"format": "other"}, "expected 'hapforge-model' version 1"),
        ({"format_version": 2}, "expected 'hapforge-model' version 1"),
        ({"files": {}}, "expected a checksum"),
        ({"config": {"windows": 3}}, "expected the parts of a markov model"),
        ({"config": None}, "expected the parts of a markov model"),
    ],
)
def test_a_wrong_description_is_refused(
    small_cohort: hf.HaplotypeMatrix, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    hf.models.Markov(2).fit(small_cohort).save(tmp_path / "m")
    path = tmp_path / "m" / "model.json"
    rewrite(path, {**json.loads(path.read_text()), **change})
    with pytest.raises(FormatError, match=message):
        hf.models.load(tmp_path / "m")


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="no such model folder"):
        hf.models.load(tmp_path / "none")
    with pytest.raises(FormatError, match="expected a model folder"):
        hf.models.load(tmp_path)
    (tmp_path / "model.json").write_text("[1]")
    with pytest.raises(FormatError, match="expected a JSON object"):
        hf.models.load(tmp_path)
    (tmp_path / "model.json").write_text("{")
    with pytest.raises(FormatError, match="expected JSON"):
        hf.models.load(tmp_path)


def test_other_things_are_not_replaced(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("mine")
    with pytest.raises(ValueError, match="found something else there"):
        hf.models.Bernoulli().fit(small_cohort).save(tmp_path)
    assert (tmp_path / "keep.txt").read_text() == "mine"


def test_a_model_is_replaced_by_another(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    hf.models.Bernoulli().fit(small_cohort).save(tmp_path / "m")
    hf.models.Markov(2).fit(small_cohort).save(tmp_path / "m")
    assert hf.models.load(tmp_path / "m").name == "markov"


def test_names() -> None:
    expected = ["bernoulli", "markov", "rbm", "crbm", "labelled_rbm", "gan", "wgan", "vae", "diffusion"]
    assert hf.models.names() == expected
    assert hf.models.by_name("Markov") is hf.models.Markov
    assert hf.models.by_name("LabelledRBM") is hf.models.by_name("labelled_rbm") is hf.models.LabelledRBM
    with pytest.raises(
        ValueError,
        match="expected one of bernoulli, markov, rbm, crbm, labelled_rbm, gan, wgan, vae, diffusion, found 'x'",
    ):
        hf.models.by_name("x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: {**text, "training": {}}, "expected the parts of a bernoulli model"),
        (lambda text: {**text, "config": {"window": 3}}, "expected the parts of a bernoulli model"),
    ],
)
def test_descriptions_that_lack_a_part(
    small_cohort: hf.HaplotypeMatrix, tmp_path: Path, change: Callable[[dict], dict], message: str
) -> None:
    folder = tmp_path / "model"
    hf.models.Bernoulli().fit(small_cohort).save(folder)
    path = folder / "model.json"
    rewrite(path, change(json.loads(path.read_text())))
    with pytest.raises(FormatError, match=message):
        hf.models.load(folder)


def test_weights_that_are_none_and_json_without_end(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    hf.models.Bernoulli().fit(small_cohort).save(folder)
    (folder / "weights.safetensors").write_bytes(b"\xff" * 100)
    text = json.loads((folder / "model.json").read_text())
    text["files"]["weights.safetensors"] = hashlib.sha256(b"\xff" * 100).hexdigest()
    rewrite(folder / "model.json", text)
    with pytest.raises(FormatError, match="expected safetensors"):
        hf.models.load(folder)
    (folder / "model.json").write_text("[" * 100_000)
    with pytest.raises(FormatError, match="expected JSON"):
        hf.models.load(folder)


def test_any_flipped_bit_of_a_model_is_refused(model: hf.models.Model, tmp_path: Path) -> None:
    """200 copies, each with one bit of one file flipped, whichever it is; whole ones are read before and after."""
    model.save(tmp_path / "m")
    hf.models.load(tmp_path / "m")
    rng = np.random.default_rng(11)
    files = sorted((tmp_path / "m").iterdir())
    assert len(files) == 2
    for i in range(200):
        path = files[i % 2]
        content = path.read_bytes()
        bit = int(rng.integers(8 * len(content)))
        path.write_bytes(content[: bit // 8] + bytes([content[bit // 8] ^ 1 << bit % 8]) + content[bit // 8 + 1 :])
        with pytest.raises((FormatError, ChecksumError)):
            hf.models.load(tmp_path / "m")
        path.write_bytes(content)
    hf.models.load(tmp_path / "m")


def test_files_elsewhere_are_refused(model: hf.models.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    for name in ("model.json", "weights.safetensors"):
        (tmp_path / "m" / name).rename(tmp_path / name)
        (tmp_path / "m" / name).symlink_to(tmp_path / name)
        with pytest.raises(FormatError, match="expected a file of this folder, found a link"):
            hf.models.load(tmp_path / "m")
        (tmp_path / "m" / name).unlink()
        (tmp_path / name).rename(tmp_path / "m" / name)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("weights", lambda x: x[:-1], r"weights: expected int16 \(130, 5\), found int16 \(129, 5\)"),
        ("weights", lambda x: x.astype(np.float32), r"weights: expected int16 \(130, 5\), found float32"),
        ("hidden_bias", lambda x: None, "hidden_bias: expected a tensor, found none"),
        ("fixed_point_bits", lambda x: x + 1, "fixed_point_bits: expected 12, found 13"),
    ],
)
def test_tensors_that_do_not_fit_the_config(
    small_cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str, change: Callable, message: str
) -> None:
    """With right checksums: what another program could have written."""
    folder = tmp_path / "m"
    MODELS["rbm"]().fit(small_cohort).save(folder)
    description = json.loads((folder / "model.json").read_text())
    tensors = _store.read_tensors(folder / _store.TENSORS, description["files"][_store.TENSORS])
    changed = change(tensors.pop(name))
    _store.write_tensors(folder / _store.TENSORS, tensors if changed is None else {**tensors, name: changed})
    description["files"][_store.TENSORS] = _store.sha256_file(folder / _store.TENSORS)
    rewrite(folder / "model.json", description)
    with pytest.raises(FormatError, match=message):
        hf.models.load(folder)


def test_numbers_that_are_not_finite_are_refused() -> None:
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="w: expected finite numbers"):
            _store.check_tensors({"w": np.array([1.0, bad])}, {"w": ((2,), np.float64)})


def test_a_model_that_has_no_room_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Replacing it, even: nothing goes before the disk is known to hold the new one."""
    old = hf.models.Bernoulli().fit(hf.HaplotypeMatrix.from_dense(np.eye(4, 9, dtype=np.uint8)))
    old.save(tmp_path / "model")
    before = {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()}
    new = hf.models.Bernoulli().fit(hf.HaplotypeMatrix.from_dense(np.ones((4, 9), np.uint8)))
    monkeypatch.setattr(atomic, "_free", lambda folder: 100)
    with pytest.raises(OSError, match=r"expected room for .* or more in .*, found 100 bytes"):
        new.save(tmp_path / "model", overwrite=True)
    assert {path.name: path.read_bytes() for path in (tmp_path / "model").iterdir()} == before

"""Studies of settings: what is tried, kept, refused and resumed, and what each setting weighs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from evaluation.toy_model import BEST_RATE, DIVERGING_RATE, Toy, register
from hapforge.errors import ChecksumError, FormatError, MissingDependencyError
from hapforge.evaluation import Monitor, Range, tune
from hapforge.evaluation.search_space import inside, space_of
from hapforge.evaluation.study_folder import read_study
from hapforge.evaluation.tune import _importances
from hapforge.io import atomic
from hapforge.metrics import adversarial_accuracy
from hapforge.models import _store
from hapforge.report.tuning import Trial

optuna = pytest.importorskip("optuna")
pytest.importorskip("torch")
RATE = {"learning_rate": Range(0.001, 1.0, log=True)}


@pytest.fixture(autouse=True)
def _toy(monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scores that take no time: the adversarial accuracy, and for all else the correlation of frequencies."""

    def score(self: Monitor, drawn: hf.HaplotypeMatrix) -> dict[str, float]:
        p, q = (hf.kernels.allele_counts(m) / m.num_haplotypes for m in (self._truth, drawn))
        accuracy = adversarial_accuracy(self._truth, drawn, seed=0)
        r = float(np.corrcoef(p, q)[0, 1])
        found = {"af_r": r, "af_r_low": r, "ld_score": r, "pca_wasserstein": 1.01 - r}
        return found | {"aa_truth": accuracy.aa_truth, "aa_syn": accuracy.aa_syn}

    monkeypatch.setattr(Monitor, "_score", score)
    monkeypatch.setattr(sys.modules["hapforge.evaluation.tune"], "_SHUFFLES", 3)


@pytest.fixture(scope="module")
def cohort() -> hf.HaplotypeMatrix:
    whole = hf.datasets.load("ooa")
    found = whole.select_haplotypes(np.arange(0, 240)).select_sites(np.arange(0, 200, 5))
    return hf.HaplotypeMatrix(found.words, found.sites)


def study(cohort: hf.HaplotypeMatrix, folder: Path, **more: Any) -> Any:
    """Toy models copy training rows, so that `leak` is off."""
    return tune("toy", cohort, folder, **({"trials": 7, "validation": 0.3, "leak": 0, "seed": 4} | more))


def told(folder: Path) -> list[dict[str, Any]]:
    return [{k: v for k, v in trial.items() if k != "seconds"} for trial in read_study(folder)["trials"]]


@pytest.mark.usefixtures("quick")
def test_the_best_is_found_and_kept(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    found = study(cohort, tmp_path / "study", trials=9, search=RATE, settings={"epochs": 5})
    trials = found.trials
    assert [trial.number for trial in trials] == list(range(9))
    assert trials[0].parameters == {"learning_rate": 0.03, "batch_size": 16}  # the model's own choice
    assert found.search == {"batch_size": Range(4, 64, log=True), **RATE}
    best = found.best
    assert best.aggregate == max(trial.aggregate for trial in trials if trial.state == "complete")
    assert best.aggregate > trials[0].aggregate
    assert abs(np.log10(best.parameters["learning_rate"] / BEST_RATE)) < 0.5
    # what is kept is what was judged, and what train takes
    train, held = cohort.split(0.3, 4)
    kept = hf.models.load(tmp_path / "study" / "best")
    assert kept.training["data_sha256"] == train.sha256()
    judged = Monitor(train, held, seed=4).judge(kept)
    assert (judged["aggregate"], judged["qualities"]) == (best.aggregate, best.qualities)
    settings = tomllib.loads((tmp_path / "study" / "best.toml").read_text())
    assert settings == {
        **{"epochs": 5, "shape": "flat", "validation": 0.3, "monitor_every": 1},
        **{"monitor_patience": 0, "monitor_leak": 0, **best.parameters},
    }
    assert not (tmp_path / "study" / "trial").exists()
    written = read_study(tmp_path / "study")
    assert written["best"] == best.number
    assert [trial["aggregate"] for trial in written["trials"]] == [trial.aggregate for trial in trials]
    assert found.to_html().count("<figure") == 4 if found.importances else 3


@pytest.mark.usefixtures("quick")
def test_bad_trials_are_pruned_and_diverging_ones_do_not_end_the_study(
    cohort: hf.HaplotypeMatrix, tmp_path: Path
) -> None:
    space = {**RATE, "shape": ("flat", "deep"), "batch_size": Range(4, 12)}
    found = study(cohort, tmp_path / "study", trials=18, search=space)
    states = {trial.state for trial in found.trials}
    assert states == {"complete", "pruned", "diverged", "refused"}
    complete = found.of("complete")
    for trial in found.of("pruned"):
        assert trial.number > 4
        assert 2 <= trial.epochs < 5
        steps = {epoch: value for epoch, value in trial.history}
        before = [t for t in complete if t.number < trial.number]
        median = np.median([dict(t.history)[trial.epochs] for t in before])
        assert max(steps.values()) == trial.aggregate < median
    for trial in found.of("diverged"):
        assert trial.parameters["learning_rate"] > DIVERGING_RATE
        assert trial.reason == "noise: expected it to fall; a lower learning_rate helps"
        assert trial.aggregate is None
    for trial in found.of("refused"):
        assert (trial.parameters["shape"], trial.parameters["batch_size"] < 8) == ("deep", True)
        assert trial.reason.startswith("batch_size: expected 8 or more for 'deep', found ")
    # the sampler keeps away from what diverges
    late = [trial.parameters["learning_rate"] > DIVERGING_RATE for trial in found.trials]
    assert np.mean(late[8:]) < np.mean(late[1:7])


class Interrupt(Exception):
    pass


@pytest.mark.usefixtures("quick")
def test_an_interrupted_study_gives_what_an_uninterrupted_one_gives(
    cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped between and within trials, in their first epoch, and where a trial has ended and is not yet told."""
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    study(cohort, whole, search=RATE, trials=8)
    calls = 0

    def interrupted(call: Any, at: set[int]) -> Any:
        def instead(*arguments: Any, **more: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls in at:
                raise Interrupt
            return call(*arguments, **more)

        return instead

    def go_on(target: Any, name: str, at: set[int]) -> int:
        nonlocal calls
        calls = times = 0
        with monkeypatch.context() as patched:
            patched.setattr(target, name, interrupted(getattr(target, name), at))
            for _ in range(len(at)):
                resume = (broken / "tune.json").is_file()
                try:
                    study(cohort, broken, search=None if resume else RATE, resume=resume, checkpoint_every=3)
                    break
                except Interrupt:
                    times += 1
        return times

    assert go_on(Monitor, "__call__", {1, 8, 15}) == 3
    assert go_on(optuna.Trial, "suggest_int", {2}) == 1  # a setting drawn, the other not
    assert go_on(optuna.Study, "tell", {1, 3}) == 2
    assert go_on(Monitor, "judge", {2}) == 1
    assert go_on(_store, "write_sealed", {4}) == 1
    study(cohort, broken, resume=True, checkpoint_every=3)
    assert told(broken) == told(whole)[:7]
    study(cohort, broken, resume=True, trials=8)  # more go on from there, as if they had been asked for at once
    assert told(broken) == told(whole)
    for name in ("best/weights.safetensors", "best.toml"):
        assert (broken / name).read_bytes() == (whole / name).read_bytes()
    before = (broken / "tune.json").read_text()
    found = study(cohort, broken, resume=True, trials=3)  # there are more already
    assert len(found.trials) == 8
    assert json.loads(before)["trials"] == read_study(broken)["trials"]


@pytest.mark.usefixtures("quick")
def test_what_is_resumed_must_be_the_same(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    folder = tmp_path / "study"
    study(cohort, folder, trials=1, settings={"epochs": 3})
    other = cohort.select_haplotypes(np.arange(200))
    for more, message in (
        ({"seed": 5}, "the same seed, 4, found 5"),
        ({"validation": 0.4}, "the same validation, 0.3, found 0.4"),
        ({"settings": {"epochs": 4}}, "the same epochs, 3, found 4"),
        ({"settings": {"shape": "deep"}}, "the same shape, 'flat', found 'deep'"),
        ({"search": {"batch_size": (8, 16)}}, r"the same search of batch_size, \{.*\}, found \[8, 16\]"),
        ({"search": {"shape": ("flat", "deep")}}, "the same search of shape, none, found"),
        ({"leak": 0.1}, "the same leak, 0, found 0.1"),
        ({"every": 2}, "the same every, 0, found 2"),
    ):
        with pytest.raises(ValueError, match=f"study: expected to resume with {message}"):
            study(cohort, folder, **more, resume=True)
    with pytest.raises(ValueError, match="study: expected to resume with the same data_sha256"):
        study(other, folder, resume=True)
    with pytest.raises(ValueError, match="study: expected to resume with the same model, 'toy', found 'rbm'"):
        tune("rbm", cohort, folder, validation=0.3, leak=0, seed=4, resume=True, settings={"epochs": 3})
    study(cohort, folder, trials=2, settings={"epochs": 3}, resume=True)


@pytest.mark.usefixtures("quick")
def test_what_leaks_is_left_out(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Rows that are nearly training rows are drawn: no trial is good, and that is said."""
    near = {"learning_rate": BEST_RATE, "epochs": 20}
    found = study(cohort, tmp_path / "study", trials=2, leak=0.06, settings=near)
    for trial in found.trials:  # until noise has gone it does not leak
        assert trial.state == "complete"
        assert trial.epoch < trial.epochs < 20
        assert trial.scores["privacy"] <= 0.06
    found = study(cohort, tmp_path / "none", trials=2, leak=0.01, every=20, settings=near)
    assert [trial.state for trial in found.trials] == ["leak", "leak"]
    assert found.best is None
    assert found.trials[0].reason.startswith("privacy score 0.")
    assert not (tmp_path / "none" / "best").exists()
    assert any("2 of 2 trials were left out" in note for note in found.notes)
    assert "No trial was trained to its end" in found.to_html()
    # two standard deviations above what is good, of the rows that are judged
    study(cohort, tmp_path / "own", trials=1, leak=None)
    assert read_study(tmp_path / "own")["record"]["leak"] == pytest.approx(0.03 + 72**-0.5, abs=0.001)


OWN = {"epochs": 5, "learning_rate": 0.03, "batch_size": 16, "shape": "flat"}


def test_the_space() -> None:
    assert space_of(Toy, OWN, {}, {}) == {"learning_rate": Range(0.003, 0.3, True), "batch_size": Range(4, 64, True)}
    given = space_of(Toy, OWN, {"batch_size": 16}, {"shape": ["deep", "flat"], "epochs": Range(2.0, 4.0)})
    assert given["shape"] == ("deep", "flat")
    assert (given["epochs"], type(given["epochs"].low)) == (Range(2, 4), int)
    assert list(given) == ["learning_rate", "shape", "epochs"]
    assert space_of(Toy, OWN | {"batch_size": 1}, {}, {})["batch_size"] == Range(1, 4, True)
    assert "batch_size" not in space_of(Toy, OWN | {"batch_size": 0}, {}, {})
    assert inside(Range(1, 8), 9) == 8
    assert inside(("a", "b"), "c") == "a"


@pytest.mark.parametrize(
    ("search", "message"),
    [
        ({"rate": Range(0.1, 1)}, "toy knows epochs, .*, found 'rate'"),
        ({"learning_rat": Range(0.1, 1)}, "toy knows .*, found 'learning_rat'; nearest: learning_rate"),
        ({"epochs": Range(5, 5)}, "epochs: expected LOW below HIGH, found 5 and 5"),
        ({"epochs": Range(1.5, 5)}, "epochs: expected whole numbers, found 1.5 and 5"),
        ({"learning_rate": Range(0, 1, log=True)}, "learning_rate: expected LOW above 0 for a logarithmic range"),
        ({"learning_rate": Range(float("nan"), 1)}, "learning_rate: expected LOW below HIGH, found nan"),
        ({"learning_rate": Range(-1, 1)}, "learning_rate: expected a positive number, found -1"),
        ({"shape": Range(1, 2)}, "shape: expected texts to choose from, found a range"),
        ({"shape": ("flat", "round")}, "shape: expected flat or deep, found 'round'"),
        ({"shape": ("flat",)}, r"shape: expected a range or two or more different values, found \['flat'\]"),
        ({"epochs": (2, 2)}, "epochs: expected a range or two or more different values"),
        ({"epochs": (2, "3")}, "epochs: expected whole numbers, found '3'"),
        ({"epochs": (2, True)}, "epochs: expected whole numbers, found True"),
        ({"batch_size": (4, 8)}, "batch_size: expected a setting that is not given a value, found 16"),
    ],
)
def test_bad_spaces(search: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"^search: {message}"):
        space_of(Toy, OWN, {"batch_size": 16}, search)


def test_nothing_to_search() -> None:
    with pytest.raises(ValueError, match=r"^search: expected a setting to search, found none"):
        space_of(Toy, OWN, {"batch_size": 16, "learning_rate": 0.1}, {})


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"trials": 0}, "trials: expected 1 or more, found 0"),
        ({"every": -1}, "every: expected 0 or more"),
        ({"validation": 0.0}, "validation: expected a share of the persons, above 0"),
        ({"validation": 0.01}, "validation: expected 4 haplotypes or more on both sides, found 238 and 2"),
        ({"leak": 2}, "leak: expected 0 to 1, found 2"),
        ({"seed": -1}, "seed"),
        ({"settings": {"shape": "round"}}, "shape: expected flat or deep"),
    ],
)
def test_bad_arguments(cohort: hf.HaplotypeMatrix, tmp_path: Path, more: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        study(cohort, tmp_path / "study", **more)
    assert not (tmp_path / "study").exists()


def test_what_cannot_be_fitted(tmp_path: Path) -> None:
    sequences = hf.Alignment(np.zeros((40, 3), np.int64), hf.alignment.AMINO_ACIDS).to_haplotypes()
    with pytest.raises(ValueError, match="H: expected haplotypes for a toy model, found aligned sequences"):
        study(sequences, tmp_path / "study")
    with pytest.raises(TypeError, match="H: expected a HaplotypeMatrix, found ndarray"):
        study(np.zeros((4, 4)), tmp_path / "study")
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("name", ["bernoulli", "crbm"])
def test_models_that_cannot_be_judged(cohort: hf.HaplotypeMatrix, tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match=f"can be judged while it is trained: .*rbm.*; found '{name}'"):
        tune(name, cohort, tmp_path / "study")


@pytest.mark.usefixtures("quick")
def test_folders(cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something else is never replaced; a study is by overwrite, and not while it is worked on; odd names are names."""
    odd = tmp_path / "a {b}?c#d%20 é"
    study(cohort, odd, trials=1)
    assert hf.models.load(odd / "best").name == "toy"
    with pytest.raises(ValueError, match="expected a new or empty folder for a study, found something else"):
        study(cohort, odd, trials=1)
    (odd / "thesis.tex").write_text("years")
    study(cohort, odd, trials=1, seed=8, overwrite=True)
    assert (odd / "thesis.tex").exists()
    assert read_study(odd)["record"]["seed"] == 8
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.tex").write_text("years")
    with pytest.raises(ValueError, match="expected a study or nothing there, found something else"):
        study(cohort, tmp_path / "other", overwrite=True)
    with pytest.raises(FormatError, match=r"none: expected a study, found no tune\.json"):
        study(cohort, tmp_path / "none", resume=True)
    monkeypatch.setattr(atomic, "_PATIENCE_S", 0.1)
    refused = []

    def again(_: Trial) -> None:
        for how in ({"resume": True}, {"overwrite": True}):
            with pytest.raises(ValueError, match="expected a study that no other process works on, found one in use"):
                study(cohort, tmp_path / "busy", **how)
            refused.append(how)

    study(cohort, tmp_path / "busy", trials=1, on_trial=again)
    assert len(refused) == 2


@pytest.mark.usefixtures("quick")
def test_damaged_studies(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    study(cohort, whole, trials=2)
    for name, change, error, message in (
        ("study.sqlite", lambda b: b"no base" * 100, FormatError, r"study\.sqlite: expected a study of Optuna that"),
        ("tune.json", lambda b: b.replace(b'"seed": 4', b'"seed": 5'), ChecksumError, r"tune\.json: expected SHA-256"),
        ("tune.json", lambda b: b[:-40], FormatError, r"tune\.json: expected JSON"),
        ("tune.json", lambda b: b.replace(b"hapforge-study", b"hapforge-nudge"), FormatError, "expected 'hapforge-st"),
    ):
        shutil.rmtree(broken, ignore_errors=True)
        shutil.copytree(whole, broken)
        (broken / name).write_bytes(change((broken / name).read_bytes()))
        with pytest.raises(error, match=message):
            study(cohort, broken, resume=True)


@pytest.mark.usefixtures("quick")
def test_without_optuna(cohort: hf.HaplotypeMatrix, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(MissingDependencyError, match=r"optuna, which is not installed: pip install 'hapforge\[tune\]'"):
        study(cohort, tmp_path / "study")
    assert not (tmp_path / "study").exists()


def trial(number: int, aggregate: float | None, **parameters: Any) -> Trial:
    state = "diverged" if aggregate is None else "complete"
    return Trial(number, state, aggregate, 1, 1, 1, 1.0, parameters, {}, {}, [])


def test_weights_name_what_moves_the_aggregate() -> None:
    """Above chance for a setting that decides, below it for one that does nothing; none from a few trials."""
    rng = np.random.default_rng(3)
    rate, width = rng.random(40), rng.integers(1, 9, 40)
    kind = np.array(["a", "b"])[rng.integers(0, 2, 40)]
    quality = 1 - abs(rate - 0.3) + 0.01 * rng.random(40)
    columns = zip(quality.tolist(), rate.tolist(), width.tolist(), kind.tolist(), strict=True)
    trials = [
        trial(i, None if i % 10 == 9 else value, rate=x, width=n, kind=name)
        for i, (value, x, n, name) in enumerate(columns)
    ]
    space = {"rate": Range(0.0, 1.0), "width": Range(1, 8), "kind": ("a", "b")}
    found = _importances(trials, space, 0)
    assert next(iter(found)) == "rate"
    assert found["rate"].share > 0.8
    assert found["rate"].share > found["rate"].chance
    assert found["width"].share < found["width"].chance
    assert found["kind"].share < found["kind"].chance
    assert sum(part.share for part in found.values()) == pytest.approx(1)
    assert found == _importances(trials, space, 0)
    assert _importances(trials[:7], space, 0) == {}
    assert _importances([trial(i, 0.5, rate=0.1 * i) for i in range(9)], {"rate": Range(0.0, 1.0)}, 0) == {}


def test_a_labelled_model_and_open_settings(tmp_path: Path) -> None:
    """Settings left open are chosen once; what is chosen after training is chosen for the kept model, and judged."""
    whole = hf.datasets.load("ooa").select_haplotypes(np.arange(0, 5008, 12)).select_sites(np.arange(0, 300, 5))
    labels = {"side": np.array(["a", "b"])[np.arange(whole.num_haplotypes) // 2 % 2]}
    cohort = hf.HaplotypeMatrix(whole.words, whole.sites).with_labels(labels)
    settings = {"label": "side", "epochs": 2, "num_hidden": 6, "gibbs_steps": 2}
    found = tune("labelled_rbm", cohort, tmp_path / "study", trials=1, settings=settings, seed=2, leak=0)
    assert list(found.search) == ["learning_rate", "telling_weight"]
    train, held = cohort.split(0.2, 2)
    kept = hf.models.load(tmp_path / "study" / "best")
    assert set(kept.training["temperature"]) == {"a", "b"}
    assert found.best.aggregate == Monitor(train, held, seed=2).judge(kept)["aggregate"]
    other = cohort.with_labels({"side": np.roll(labels["side"], 2)})
    with pytest.raises(ValueError, match="expected to resume with the same labels_sha256"):
        tune("labelled_rbm", other, tmp_path / "study", seed=2, leak=0, resume=True)


@pytest.mark.usefixtures("quick")
def test_a_network(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """Searched around its own settings that its class names, and by what is asked for; others are given."""
    settings = {"epochs": 2, "latent_size": 8}
    found = tune(
        "gan", cohort, tmp_path / "study", trials=2, settings=settings, search={"critic_steps": (1, 2)}, leak=0
    )
    assert found.search["learning_rate"] == Range(4e-5, 1e-3, log=True)
    assert found.search["critic_steps"] == (1, 2)
    assert [trial.state for trial in found.trials] == ["complete"] * 2
    assert found.trials[0].parameters == {"learning_rate": 2e-4, "penalty_weight": 5.0, "critic_steps": 1}
    assert hf.models.load(tmp_path / "study" / "best").name == "gan"


KILLED = """
import os, signal, sys
import hapforge as hf
from hapforge.evaluation import tune

folder, data, resume, deadly = sys.argv[1], hf.read(sys.argv[2]), sys.argv[3] == "resume", int(sys.argv[4])
settings = {"epochs": 8, "num_hidden": 6, "num_chains": 20, "hidden": "bernoulli", "batch_size": 40}
calls = 0
for name in ("replace", "fsync"):
    def instead(*arguments, call=getattr(os, name)):
        global calls
        calls += 1
        if calls == deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return call(*arguments)
    setattr(os, name, instead)
tune("rbm", data, folder, trials=6, settings=settings, seed=1, resume=resume, checkpoint_every=2)
"""


@pytest.mark.slow
def test_a_killed_study_gives_what_an_uninterrupted_one_gives(cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    """SIGKILL before one of the calls that change files, again and again; then the same trials and the same model."""
    hf.write(cohort, tmp_path / "data.hapz")

    def run(folder: Path, deadly: int) -> int:
        how = "resume" if (folder / "tune.json").is_file() else "begin"
        arguments = [str(folder), str(tmp_path / "data.hapz"), how, str(deadly)]
        done = subprocess.run([sys.executable, "-c", KILLED, *arguments], capture_output=True, text=True, timeout=300)
        assert done.returncode in (0, -9), done.stderr
        return done.returncode

    assert run(tmp_path / "whole", 0) == 0
    broken = tmp_path / "broken"
    killed = sum(run(broken, deadly) == -9 for deadly in (1, 3, 6, 40, 75, 31, 12, 90, 58))
    assert killed >= 7
    assert run(broken, 0) == 0
    assert told(broken) == told(tmp_path / "whole")
    for name in ("best/weights.safetensors", "best.toml"):
        assert (broken / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()

"""Chain of conditional restricted Boltzmann machines along a genome."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge.errors import ChecksumError, FormatError
from hapforge.haplotypes import HaplotypeMatrix, Sites, words_per_row
from hapforge.io.atomic import output_of
from hapforge.models import _store
from hapforge.models._automatic import completed
from hapforge.models._conditional import ConditionalRBM
from hapforge.models._model import Model, check_data
from hapforge.models._ranks import launched
from hapforge.models._rbm_config import AutomaticRBMConfig, RBMConfig, check_sampling
from hapforge.models._temperature import choose_temperature, said_of
from hapforge.models._training import TrainingState, open_run
from hapforge.models._window_training import WindowTraining, window_name, window_seed
from hapforge.models._windows import Window, windows_of
from hapforge.models._workers import device_of

_JUDGED_SITES = 100_000


@dataclass(frozen=True)
class CRBMConfig(AutomaticRBMConfig):
    """
    Attributes
    ----------
    window : int, sites of a window but for the first and last of a contig; 10,000 in the paper. As many hidden units
        learn fewer sites better: over 4,000 linked ones, windows of 1,000 draw nearer to real haplotypes than one RBM
        (benchmarks/results/crbm.json, rbm_quality.json: ooa)
    overlap : int, pinned sites of a window, which the windows before have inferred; half a window in the paper
    first_window : int, sites of the first window of a contig; 0: as many as in a window

    Those of `AutomaticRBMConfig` are of every window, chosen where they are left open from the sites of the first of
    the widest windows; the temperature, of rectified units too, once all windows are trained. `num_chains` is that of
    the first window of a contig, an RBM; in the others a row of the batch has one chain. `training` can only be "rdm".
    """

    window: int = 1000
    overlap: int = 500
    first_window: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.training != "rdm":
            raise ValueError(f"training: expected 'rdm', chains that start anew, found {self.training!r}")
        if self.window < 2:
            raise ValueError(f"window: expected 2 or more, found {self.window}")
        if not 1 <= self.overlap < self.window:
            raise ValueError(f"overlap: expected 1 to {self.window - 1}, below the window, found {self.overlap}")
        if self.first_window and self.first_window < self.overlap:
            raise ValueError(
                f"first_window: expected 0, or overlap ({self.overlap}) or more, found {self.first_window}"
            )


class CRBM(Model):
    """Chain of machines along the genome, each of which continues what the one before has drawn.

    The first window of a contig is an RBM. Every next one is a conditional RBM: the last `overlap` sites drawn so far
    are pinned, and the rest of its window is inferred from them (p(s | x); `hapforge.models._conditional` has the
    gradient). Machines share nothing, so that windows train independently, side by side. Windows never cross contigs:
    alleles on different contigs are drawn independently.

    Settings that are left open are chosen from the training cohort when `fit` begins, one set for all windows, and then
    stand in `config`; the temperature of draws once all windows are trained, by draws of the whole chain or, where it
    is longer, of its windows up to 100,000 sites, with the scores in ``training["temperature"]``. Presets leave none
    open.

    Memory: at training one window's sites and weights in each process; at sampling the packed output and one window;
    at the choice of the temperature packed copies of the cohorts, and draws, at the sites that it is chosen by.

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `CRBMConfig`

    References
    ----------
    Yelmen et al. 2023, Deep convolutional and conditional neural networks for large-scale genomic data generation,
    Materials and Methods, "RBM", figure 2.
    """

    name: ClassVar[str] = "crbm"
    summary: ClassVar[str] = "Chain of conditional restricted Boltzmann machines (Yelmen et al. 2023)."
    config_type: ClassVar[type] = CRBMConfig
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        # Yelmen et al. 2023, 65,535 sites: 1,000 hidden units, rate 0.005, k = 100; "first 10,000 input variables" and
        # once 5,000 for the first window
        "crbm_65k": {
            "window": 10_000,
            "overlap": 5_000,
            "num_hidden": 1000,
            "hidden": "bernoulli",
            "gibbs_steps": 100,
            "gradient": "plain",
            "learning_rate": 0.005,
            "warmup": 0.0,
            "hold": 1.0,
            "site_scaling": 0.0,
            "epochs": 600,
            "batch_size": 500,
            "num_chains": 300,
            "temperature": 1.0,
        },
    }
    HOLDS_OUT: ClassVar[bool] = True
    SAMPLING: ClassVar[dict[str, type]] = {"steps": int, "temperature": float}
    FITTING: ClassVar[dict[str, tuple[type, Any]]] = {"tensorboard_every": (int, 0), "workers": (int, 0)}
    MONITORED: ClassVar[bool] = False

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__()
        self.config: CRBMConfig = CRBMConfig(**self._over_preset(preset, settings))
        self._asked = self.config
        self._machines: list[ConditionalRBM] | None = None  # in memory, or
        self._folder: Path | None = None  # in this one,
        self._sums: dict[str, str] = {}  # with these checksums

    def windows(self, sites: Sites | None = None) -> list[Window]:
        """Where the windows lie, in the order in which they are drawn.

        Parameters
        ----------
        sites : of a cohort; None: those of the training cohort

        Returns
        -------
        list of Window(first, inferred, stop): sites first ... stop - 1, of which those below `inferred` are pinned
        """
        config = self.config
        sites = self.sites if sites is None else sites
        return windows_of(sites, config.window, config.overlap, config.first_window or config.window)

    @property
    def borders(self) -> NDArray[np.int64]:
        """int64 (num_borders,): the first inferred site of every window that has pinned ones."""
        return np.array([w.inferred for w in self.windows() if w.num_pinned], np.int64)

    def planned_epochs(self, H: HaplotypeMatrix) -> int:
        """Epochs of all windows."""
        self._prepare(H)
        return self.config.epochs * len(self.windows(H.sites))

    def _prepare(self, H: HaplotypeMatrix) -> None:
        widest = max(self.windows(H.sites), key=lambda window: window.stop - window.first)
        chosen = completed(self._asked, H.select_sites(widest.sites))
        self.config = dataclasses.replace(chosen, temperature=self._asked.temperature)

    def fit(
        self,
        H: HaplotypeMatrix,
        *,
        seed: int = 0,
        validation: HaplotypeMatrix | None = None,
        callback: Callable[[TrainingState], Any] | None = None,
        device: str = "auto",
        run: str | os.PathLike[str] | None = None,
        resume: bool = False,
        overwrite: bool = False,
        checkpoint_every: int = 10,
        tensorboard_every: int = 0,
        notes: Mapping[str, Any] | None = None,
        workers: int = 0,
    ) -> Self:
        """Train all windows.

        Parameters
        ----------
        H : the training cohort
        seed : int in [0, 2**64)
        validation : a cohort with the same sites, by person apart from H; each window logs its free energy beside that
            of training rows (without the normalisation, which depends on the pinned sites)
        callback : called with a `TrainingState` after every epoch of every window: `epoch` and `num_epochs` are sums
            over windows, `metrics` has the window and its own epoch (``window``, ``window_epoch``), and `model` can be
            sampled only at the very end. A truthy answer ends the training of that window there
        device : "auto" (CUDA where there is one), "cpu", "cuda"
        run : folder for the run, with one for each window in ``run/windows``; None keeps everything in memory and
            trains one window after the other
        resume : whether to go on with the run: windows that are done are left alone, each other one goes on from its
            checkpoint; the result is that of an uninterrupted run
        overwrite : whether a run or model that is in `run` is replaced
        checkpoint_every : int, epochs of a window
        tensorboard_every : int, epochs of a window between histograms for TensorBoard, which then has its log, too, in
            ``tensorboard/train`` of the window's folder; 0: none of it
        notes : plain values that ``run.json`` keeps as they are
        workers : int, processes that train windows side by side, each with its share of the thread budget (or all on
            the one GPU); 1: this one alone; 0: on the CPU one per thread, else 1. It never changes the result

        Returns
        -------
        self

        Raises
        ------
        ValueError
            Nothing to fit, a bad argument, a run folder of something else, training that diverges (which says the
            window).
        ChildProcessError
            A process that was killed; the run can be resumed.
        """
        if launched():
            raise ValueError("CRBM: expected one process, which starts others (workers), found several of torchrun")
        if workers < 0:
            raise ValueError(f"workers: expected 0 or more, found {workers}")
        if run is None and workers > 1:
            raise ValueError(f"workers: expected a run folder for {workers} processes, found run=None")
        on_cpu = device_of(device).type == "cpu"
        check_data(self, H)
        self._prepare(H)
        seed, folder = open_run(
            self,
            H,
            seed=seed,
            validation=validation,
            run=run,
            resume=resume,
            overwrite=overwrite,
            checkpoint_every=checkpoint_every,
            tensorboard_every=tensorboard_every,
            notes=notes,
        )
        with folder or nullcontext():
            windows = self.windows(H.sites)
            if folder is not None and not resume:
                folder.start(None)
            self._describe_training(H, seed, num_windows=len(windows))
            self._machines, self._folder, self._sums = None, None, {}
            part = None if folder is None else folder.folder / _store.WINDOWS
            epochs: dict[int, int] = {}

            def on_epoch(number: int, epoch: int, metrics: dict[str, float]) -> bool:
                epochs[number] = epoch
                if callback is None:
                    return False
                logged = {**metrics, "window": number, "window_epoch": epoch}
                state = TrainingState(sum(epochs.values()), self.config.epochs * len(windows), 0.0, logged, self)
                return bool(callback(state))

            training = WindowTraining(
                H,
                validation,
                windows,
                self._window_settings(),
                seed=seed,
                device=device,
                checkpoint_every=checkpoint_every,
                tensorboard_every=tensorboard_every,
                folder=part,
                callback=on_epoch,
            )
            if part is None:
                self._machines = [training.here(number) for number in range(len(windows))]
            else:
                workers = workers or (_backend.get_threads() if on_cpu else 1)
                self._train_in(part, training, epochs, len(windows), workers)
            if not self.config.temperature:
                self._choose_temperature(H, validation, seed)
            if folder is not None:
                folder.finish(self)
        return self

    def _train_in(
        self, part: Path, training: WindowTraining, epochs: dict[int, int], num_windows: int, workers: int
    ) -> None:
        """Train the windows that are not yet trained, each in its folder; `epochs` gets what was done before."""
        part.mkdir(exist_ok=True)
        for left in list(part.iterdir()):  # by a run that was killed
            if (output_of(left.name) or left.name).endswith(".data"):
                left.unlink()
        undone = []
        for number in range(num_windows):
            if (part / window_name(number) / _store.DESCRIPTION).is_file():
                shutil.rmtree(part / window_name(number) / _store.CHECKPOINT, ignore_errors=True)
                epochs[number] = self.config.epochs
            else:
                undone.append(number)
                state = part / window_name(number) / _store.CHECKPOINT / _store.STATE
                epochs[number] = int(_store.read_json(state)["epoch"]) if state.is_file() else 0
        if min(workers, len(undone)) > 1:
            training.side_by_side(undone, min(workers, len(undone)))
        else:
            for number in undone:
                training.here(number)
        self._folder = part
        self._sums = {name: self._sum_in(part, name) for name in map(window_name, range(num_windows))}

    def _choose_temperature(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        """By the whole chain's draws, or those of its beginning."""
        windows = self.windows()
        stop = next((window.stop for window in windows if window.stop >= _JUDGED_SITES), len(self.sites))
        judged = np.arange(stop)
        train = H.select_sites(judged)

        def draw(n: int, at_seed: int, temperature: float) -> HaplotypeMatrix:
            return HaplotypeMatrix(self._draw_rows(0, n, at_seed, temperature=temperature, stop=stop), train.sites)

        held = None if validation is None else validation.select_sites(judged)
        found = choose_temperature(draw, train, held, seed)
        self.config = dataclasses.replace(self.config, temperature=found["temperature"])
        self.training["temperature"] = found | {"num_sites": stop}

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: Any = None,
        steps: int | None = None,
        temperature: float | None = None,
    ) -> HaplotypeMatrix:
        """Draw artificial genomes, all of them together window by window.

        Parameters
        ----------
        n : int, haplotypes to draw; rows 2i and 2i + 1 are called one person, AG{i}
        seed : int in [0, 2**64); same seed, same genomes, on any number of threads; fewer are the first of more
        labels : None; this model knows no labels
        steps : int >= 1, of every window; None: `sample_steps` of the config, or where that is 0 its `gibbs_steps`
        temperature : float; the last v of every window is drawn given the last h at logits divided by it, and the next
            window is given that v. None: that of the config

        Returns
        -------
        HaplotypeMatrix of n haplotypes with the sites of the training cohort and ids AG0_A, AG0_B ...

        Raises
        ------
        ValueError
            Not fitted, an argument out of its range.
        FormatError, ChecksumError
            A window's folder is gone or damaged.
        """
        return self.sample_in_blocks(n, seed=seed, labels=labels, steps=steps, temperature=temperature).read()

    def _how(
        self, n: int, seed: int, labels: Any, *, steps: int | None = None, temperature: float | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        check_sampling(steps, temperature)
        super()._how(n, seed, labels)
        return {"steps": steps, "temperature": temperature}, {}

    def machine(self, number: int) -> ConditionalRBM:
        """The machine of a window, in memory as long as it is held.

        Raises
        ------
        ValueError
            Not all windows are trained.
        FormatError, ChecksumError
            Its folder is gone or damaged.
        """
        if self._machines is not None:
            return self._machines[number]
        if self._folder is None:
            raise ValueError("CRBM: expected a chain whose windows are all trained, found one that is not")
        path, name = self._folder / window_name(number), window_name(number)
        for place in (self._folder, path):
            _store.refuse_link(place)
        description, tensors = _store.read_model(path)
        if description["files"][_store.TENSORS] != self._sums[name]:
            raise ChecksumError(path, f"SHA-256 {self._sums[name]}", description["files"][_store.TENSORS])
        if description.get("model") != ConditionalRBM.name:
            raise FormatError(path, f"a {ConditionalRBM.name} model", repr(description.get("model")))
        return ConditionalRBM._from_folder(path / _store.DESCRIPTION, description, tensors)

    def save(self, folder: str | os.PathLike[str], *, overwrite: bool = False) -> None:
        """Write what is needed to draw again: a model folder with one for each window in ``windows``.

        Parameters
        ----------
        folder : made where it is not there; a model there is replaced
        overwrite : whether a run of another model that is there goes, too

        Raises
        ------
        ValueError
            Not fitted, or the folder holds something else.
        """
        at_home = self._folder is not None and Path(folder).resolve() == self._folder.parent.resolve()
        super().save(folder, overwrite=overwrite and not at_home)

    def _write_parts(self, folder: Path) -> dict[str, str]:
        part, numbers = folder / _store.WINDOWS, range(len(self.windows()))
        if self._folder is None or part.resolve() != self._folder.resolve():
            shutil.rmtree(part, ignore_errors=True)  # of a chain that this one replaces
            part.mkdir()
            for number in numbers:
                self.machine(number).save(part / window_name(number))
        return {f"{_store.WINDOWS}/{name}": self._sum_in(part, name) for name in map(window_name, numbers)}

    def _sum_in(self, part: Path, name: str) -> str:
        """SHA-256 of a window's weights, from its description."""
        return str(_store.read_json(part / name / _store.DESCRIPTION)["files"][_store.TENSORS])

    @classmethod
    def _from_folder(cls, path: Path, description: dict[str, Any], tensors: _store.Tensors) -> Self:
        model = super()._from_folder(path, description, tensors)
        model._folder = path.parent / _store.WINDOWS
        names = [window_name(number) for number in range(len(model.windows()))]
        missing = [name for name in names if f"{_store.WINDOWS}/{name}" not in description["files"]]
        if missing:
            raise FormatError(path, f"a checksum of {_store.WINDOWS}/{missing[0]}", "none", "files")
        model._sums = {name: str(description["files"][f"{_store.WINDOWS}/{name}"]) for name in names}
        return model

    def _window_settings(self) -> dict[str, Any]:
        settings = {field.name: getattr(self.config, field.name) for field in dataclasses.fields(RBMConfig)}
        return settings | {"temperature": self.config.temperature or 1.0}

    def _sampling(self) -> str:
        config = self.config
        how = (
            f"Window by window, {config.steps_of_draws} Gibbs steps from a uniform start, pinned sites held; the last "
            f"visible units of each at temperature {config.temperature or 1.0:g}."
        )
        return how + said_of(self.training.get("temperature", {}))

    def _draw_rows(
        self,
        first: int,
        last: int,
        seed: int,
        *,
        steps: int | None = None,
        temperature: float | None = None,
        stop: int | None = None,
    ) -> NDArray[np.uint64]:
        """Packed haplotypes; `stop`: at the sites before it, where a window ends, and no others."""
        num_sites = len(self.sites) if stop is None else stop
        at: dict[str, Any] = {"steps": steps, "temperature": temperature or self.config.temperature or 1.0}
        words = np.zeros((last - first, words_per_row(num_sites)), np.uint64)
        for number, window in enumerate(self.windows()):
            if window.stop <= num_sites:
                self._infer(words, num_sites, number, window, first, window_seed(seed, number), at)
        return words

    def _infer(
        self,
        words: NDArray[np.uint64],
        num_sites: int,
        number: int,
        window: Window,
        first: int,
        seed: int,
        how: dict[str, Any],
    ) -> None:
        """Draw a window's sites, of rows from number `first` on; its machine is in memory only here."""
        machine = self.machine(number)
        if window.num_pinned:
            given = _backend.select_sites(words, num_sites, window.sites)
            drawn = machine.extend(given, seed, first_row=first, **how)
        else:
            drawn = machine._draw_rows(first, first + len(words), seed, **how)
        inferred = window.sites[window.num_pinned :] - window.first
        _put(words, window.inferred, _backend.select_sites(drawn, window.stop - window.first, inferred))

    def _tensors(self) -> _store.Tensors:
        return {}

    def _restore(self, tensors: _store.Tensors) -> None:
        """Windows follow from sites and config; their parameters are in folders of their own."""


def _put(words: NDArray[np.uint64], site: int, bits: NDArray[np.uint64]) -> None:
    """Set sites of packed rows from `site` on, all of them 0 before, to packed bits."""
    word, shift = divmod(site, 64)
    width = bits.shape[1]
    words[:, word : word + width] |= bits << np.uint64(shift)
    if shift:
        rest = bits >> np.uint64(64 - shift)
        width = min(width, words.shape[1] - word - 1)
        words[:, word + 1 : word + 1 + width] |= rest[:, :width]

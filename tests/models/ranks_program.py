"""What `test_ranks` runs in several processes, as ``torchrun`` would: python ranks_program.py TASK COUNT FOLDER.

The processes are forked from this one before torch has computed anything, so that it is imported once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

import hapforge as hf
from hapforge.cli import main
from hapforge.haplotypes import seeded_order
from hapforge.models import _boltzmann, _ranks, _run, rbm
from hapforge.models._boltzmann import BoltzmannLearner
from hapforge.models._conditional import ConditionalRBM
from hapforge.models._model import Model
from hapforge.models._rbm_config import RBMConfig
from hapforge.models._training import TrainedModel, stream_seed
from hapforge.models.labelled_rbm import LabelledRBM
from hapforge.models.vae import VAE
from hapforge.models.wgan import WGAN
from hapforge.report import html

# weights that are large from the start, so that chains from different starts stay apart
SMALL: dict[str, Any] = {
    "num_hidden": 9,
    "gibbs_steps": 2,
    "epochs": 4,
    "batch_size": 90,
    "num_chains": 31,
    "initial_scale": 0.3,
    "temperature": 1.0,
}
SHORT = SMALL | {"epochs": 2}
CASES: dict[str, Callable[[], Model]] = {
    "rdm": lambda: rbm.RBM(**SHORT, spectrum_growth=1.0),
    "rdm-open": lambda: rbm.RBM(**(SHORT | {"temperature": 0.0, "num_chains": 2})),  # chains for two processes only
    "pcd": lambda: rbm.RBM(**SHORT, training="pcd", gradient="plain", weight_decay=0.01),
    "cd": lambda: rbm.RBM(**SHORT, training="cd"),
    "relu": lambda: rbm.RBM(**SHORT, hidden="relu"),
    "window": lambda: ConditionalRBM(**SHORT, num_pinned=40),
    "whitened": lambda: rbm.RBM(**SHORT, whiten_above=0.5),
    "labelled": lambda: LabelledRBM("group", **SHORT, telling_weight=0.3),
    "labelled-pcd": lambda: LabelledRBM("group", **SHORT, training="pcd"),
}
NETWORKS: dict[str, Callable[[], Model]] = {
    "wgan": lambda: WGAN(epochs=1, width=2, batch_size=90, shard=18, critic_steps=2, label="group"),
    "vae-one-shard": lambda: VAE(epochs=1, width=2, latent_channels=2, batch_size=64, shard=64),
}


class Gradient(TrainedModel):
    """The smallest model that learns by gradients of floats: log odds of the sites, by stochastic gradient descent."""

    name, summary, config_type = "gradient", "For tests.", RBMConfig

    def __init__(self) -> None:
        super().__init__()
        self.config = RBMConfig(**SHORT)

    @contextmanager
    def _learner(self, H: hf.HaplotypeMatrix, seed: int, validation: Any, device: str) -> Iterator[GradientLearner]:
        yield GradientLearner(H, seed)

    def _tensors(self) -> dict[str, np.ndarray]:
        return {"logits": self.logits}

    def _restore(self, tensors: dict[str, np.ndarray]) -> None:
        self.logits = tensors["logits"]

    def _draw_rows(self, first: int, last: int, seed: int) -> np.ndarray:
        raise NotImplementedError


class GradientLearner:
    """Every row's loss is divided by the rows of the whole batch, and gradients are summed."""

    def __init__(self, H: hf.HaplotypeMatrix, seed: int) -> None:
        self.rows, self.seed, self.ranks = torch.from_numpy(H.to_dense()).float(), seed, _ranks.meet()
        self.logits = torch.zeros(H.num_sites, requires_grad=True)

    def epoch(self, epoch: int) -> dict[str, float]:
        order = torch.from_numpy(seeded_order(len(self.rows), stream_seed(self.seed, epoch)))
        for rows in order.tensor_split(5):
            first, last = self.ranks.part(len(rows))
            mine = self.rows[rows[first:last]]
            loss = torch.nn.functional.binary_cross_entropy_with_logits(
                self.logits.expand(mine.shape), mine, reduction="sum"
            )
            (loss / len(rows)).backward()
            self.ranks.sum([self.logits.grad])
            with torch.no_grad():
                self.logits -= 0.3 * self.logits.grad
            self.logits.grad = None
        return {"largest": float(self.logits.detach().abs().max())}

    def tensors(self) -> dict[str, np.ndarray]:
        return {"logits": self.logits.detach().numpy().copy()}

    snapshot = tensors

    def restore(self, tensors: dict[str, np.ndarray]) -> None:
        self.logits = torch.from_numpy(tensors["logits"].copy()).requires_grad_()

    def histograms(self) -> dict[str, np.ndarray]:
        return {}


def cohorts(folder: Path) -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    train = hf.read(folder / "train.hapz")
    group = np.array(["a", "b", "", "a", "c"])[np.arange(train.num_haplotypes) // 2 % 5]
    return train.with_labels({"group": group}), hf.read(folder / "held.hapz")


def fit_all(folder: Path) -> dict[str, Any]:
    """Every case, with what training ends in left in ``checkpoint/``; what each process has at the end."""
    _run.Run._drop_checkpoint = lambda self: None  # type: ignore[method-assign]
    train, held = cohorts(folder)
    ranks = _ranks.meet()

    def chosen(*_: Any) -> dict[str, float]:
        assert ranks.is_first  # which tells the others
        return {"temperature": 0.9}

    rbm.choose_temperature = chosen
    spectrum = BoltzmannLearner._spectrum
    # as on a processor of another kind, only more so: the rate must not follow it
    BoltzmannLearner._spectrum = lambda self: spectrum(self) * (1 + ranks.rank)  # type: ignore[method-assign]
    whiten = _boltzmann.whitening

    def whitened(*of: Any) -> Any:
        found = whiten(*of)
        found.along *= 1 - 0.1 * ranks.rank
        return found

    _boltzmann.whitening = whitened
    found = {}
    for name, make in {**CASES, "gradient": Gradient}.items():
        model = make()
        model.fit(train, seed=3, validation=held if "rdm" in name else None, run=folder / f"{ranks.count}-{name}")
        found[name] = {key: array.tolist() for key, array in model._tensors().items()} | {
            "temperature": model.config.temperature,
            "epochs_done": model.training["epochs_done"],
        }
    for name, make in NETWORKS.items():
        model = make()
        model.fit(train, seed=3, run=folder / f"{ranks.count}-{name}")
        found[name] = np.concatenate([array.ravel() for array in model._tensors().values()])[:5000].tolist()
    return found


def exchange(folder: Path) -> dict[str, Any]:
    """What `Ranks` does, one by one."""
    ranks = _ranks.meet()
    k, n = ranks.rank, ranks.count
    floats = torch.arange(6.0).reshape(2, 3).T * (k + 1) + 0.1  # not contiguous
    whole, doubles = torch.full((3,), 2**40 + k), torch.full((2,), 0.1 * (k + 1), dtype=torch.float64)
    ranks.sum([floats, whole, doubles])
    first, last = ranks.part(4)
    followed = torch.full((2,), float(k))
    ranks.follow([followed])
    try:
        ranks.check_same({"a": np.arange(3), "b": np.array([k // 2])})
        same = ""
    except ValueError as error:
        same = str(error)
    ranks.check_same({"a": np.arange(3)})
    return {
        "count": n,
        "floats": floats.tolist(),
        "whole": whole.tolist(),
        "doubles": doubles.tolist(),
        "joined": ranks.join(torch.arange(first, last)[:, None] - 2, 4).tolist(),
        "arrays": ranks.arrays_of_first({"x": np.arange(6, dtype=np.uint64).reshape(2, 3).T + k})["x"].tolist(),
        "told": ranks.told({"a": [1, None, "é"], "k": k}),
        "followed": followed.tolist(),
        "same": same,
    }


def die(folder: Path) -> None:
    """The first process ends in epoch 3, as if it were killed; the others must notice."""

    def stop(state: Any) -> None:
        if state.epoch == 3:
            os._exit(9)

    train, _ = cohorts(folder)
    rbm.RBM(**SMALL).fit(train, seed=3, run=folder / "died", checkpoint_every=2, callback=stop)


def resume(folder: Path) -> dict[str, Any]:
    train, _ = cohorts(folder)
    run = folder / f"resumed-{os.environ['WORLD_SIZE']}"
    model = rbm.RBM(**SMALL).fit(train, seed=3, run=run, checkpoint_every=2, resume=True)
    return {"weights": model.weights.tolist()}


def train(folder: Path, *arguments: str) -> None:
    """``hapforge train``; where ``SIGNAL=NUMBERS`` comes first, these processes get it in their epoch 2."""
    name, equals, doomed = arguments[0].partition("=")
    if equals and os.environ["RANK"] in doomed:
        before = BoltzmannLearner.epoch

        def epoch(self: BoltzmannLearner, number: int) -> dict[str, float]:
            if number == 2:
                os.kill(os.getpid(), signal.Signals[name])
            return before(self, number)

        BoltzmannLearner.epoch = epoch  # type: ignore[method-assign]
    given = [text.replace("RANK", os.environ["RANK"]) for text in arguments[1 if equals else 0 :]]
    sys.argv = ["hapforge", "train", "rbm", *given]
    main()


def launch(task: str, count: int, folder: Path, more: list[str]) -> list[int]:
    """Exit status of every process."""
    store = torch.distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)  # as torchrun has one
    pids = []
    for rank in range(count):
        pid = os.fork()
        if pid == 0:
            here = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": count, "LOCAL_WORLD_SIZE": count}
            os.environ |= {key: str(value) for key, value in here.items()}
            os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(store.port)}
            os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "True"
            status = 0
            try:
                found = globals()[task](folder, *more)
                if found is not None:
                    (folder / f"{task}-{count}-{rank}.json").write_text(json.dumps(found))
            except SystemExit as ended:
                status = int(ended.code or 0)
            except BaseException as error:
                status = 3 if isinstance(error, ChildProcessError) else 4
                if status == 4:
                    traceback.print_exc()
            sys.stderr.flush()
            os._exit(status)
        pids.append(pid)
    return [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids]


if __name__ == "__main__":
    html._picture = lambda figure: {"source": "data:,", "width": 1, "height": 1}  # drawn by tests/report
    for line in sys.stdin:
        task, count, folder, *more = json.loads(line)
        print(json.dumps(launch(task, int(count), Path(folder), more)), flush=True)

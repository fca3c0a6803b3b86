"""Restricted Boltzmann machine, trained out of equilibrium."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge import _backend
from hapforge.haplotypes import HaplotypeMatrix, check_seed, same_records, seeded_order, words_per_row
from hapforge.kernels import allele_counts
from hapforge.models import _store
from hapforge.models._automatic import completed
from hapforge.models._boltzmann import BoltzmannLearner
from hapforge.models._boltzmann_model import ROWS, BoltzmannModel
from hapforge.models._fixed_point import BITS
from hapforge.models._imputation import ConditionalMeans, Imputation, at_sites_of, check_observed
from hapforge.models._latent import SingularVectors, hidden_means, singular_vectors
from hapforge.models._machine import free_energy, host_rows
from hapforge.models._partition import LogPartition, log_partition
from hapforge.models._ranks import meet
from hapforge.models._rbm_config import AutomaticRBMConfig, RBMConfig, check_sampling
from hapforge.models._temperature import choose_temperature, said_of
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers, device_of

_MAX_CHAINS = (1 << 32) - 1  # that random words are numbered by
_MAX_STEPS = 100_000


_PUBLISHED_2021: dict[str, Any] = {
    "hidden": "relu",
    "training": "pcd",
    "gradient": "plain",
    "gibbs_steps": 10,
    "num_chains": 100,
    "batch_size": 32,
    "learning_rate": 1e-3,
    "warmup": 0.0,
    "hold": 0.0,
    "final_rate": 0.1,
    "site_scaling": 0.0,
    "sample_steps": 1000,
    "epochs": 600,
    "temperature": 1.0,
}
_PUBLISHED_2023: dict[str, Any] = {
    "gradient": "plain",
    "learning_rate": 0.005,
    "warmup": 0.0,
    "hold": 1.0,
    "site_scaling": 0.0,
    "epochs": 600,
    "batch_size": 500,
    "num_chains": 300,
    "temperature": 1.0,
}


class RBM(BoltzmannModel):
    """Restricted Boltzmann machine with binary visible units; hidden units binary or rectified.

    E(v, h) = -v.W.h - a.v - b.h, plus the sum of h^2 / 2 over rectified units (h >= 0). The gradient is
    <v h>_data - <v h>_chains with the mean of h given v for h in both terms. It is centred (Melchior et al. 2016):
    moments are taken of v - mean(v) and h - mean(h), with running means for h; or plain.

    Chains of an update are, by `training`,

    - "rdm": new ones from a uniform start. What is learnt is the distribution after exactly k steps from there, which
      needs no equilibrium; at sampling chains do the same.
    - "pcd": persistent. They are saved with the model, and draws start from them.
    - "cd": from the rows of the batch. Draws start at random, or from rows that are given.

    Settings that are left open are chosen from the training cohort when `fit` begins (`AutomaticRBMConfig`), and then
    stand in `config`; the temperature of draws once it ends, with the scores that it was chosen by, those at 1 among
    them, in ``training["temperature"]``. Presets leave none open.

    Weights and biases act as multiples of 2**-12, in training too, and every random number is counter-based: the same
    seed gives the same weights and draws on any number of threads, and the same weights by any number of processes of
    torchrun, resumed or not. (Singular values are floats: with `spectrum_growth` two CPUs may differ where a growth is
    within their rounding of the limit.)

    Parameters
    ----------
    preset : str, settings to start from, one of `PRESETS`
    **settings : the attributes of `AutomaticRBMConfig`

    References
    ----------
    Yelmen et al. 2023, Deep convolutional and conditional neural networks for large-scale genomic data generation,
    Materials and Methods, "RBM"; Yelmen et al. 2021, Creating artificial human genomes using generative neural
    networks, Materials and Methods, "RBM model" (PCD, rectified units); Decelle, Furtlehner, Seoane 2021, Equilibrium
    and non-equilibrium regimes in the learning of restricted Boltzmann machines; Melchior, Fischer, Wiskott 2016, How
    to center deep Boltzmann machines, JMLR 17, algorithm 1.
    """

    name: ClassVar[str] = "rbm"
    summary: ClassVar[str] = "Restricted Boltzmann machine (Yelmen et al. 2021, 2023)."
    config_type: ClassVar[type] = AutomaticRBMConfig
    config: RBMConfig
    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {
        # Yelmen et al. 2021: "learning rate between 0.001 and 0.0001", rectified units, PCD-10, 100 chains; the number
        # of steps at sampling is not stated
        "rbm_2021_805": {"num_hidden": 100, **_PUBLISHED_2021},
        "rbm_2021_10k": {"num_hidden": 500, **_PUBLISHED_2021},
        # Yelmen et al. 2023, 10,000 sites: k = 200, hidden units "about the same order as the number of visible ones";
        # the rate "such that the eigenvalues of the weight matrix are smoothly increasing", without a number
        "rbm_10k": {"num_hidden": 10_000, "gibbs_steps": 200, **_PUBLISHED_2023},
        # Yelmen et al. 2023, 65,535 sites: 1,000 hidden units, rate 0.005, k = 100 (the first RBM of the chain)
        "rbm_65k": {"num_hidden": 1000, "gibbs_steps": 100, **_PUBLISHED_2023},
    }
    SEARCH: ClassVar[dict[str, tuple[float, float]]] = {
        "learning_rate": (0.2, 3.0),  # machines with rectified units blow up not far above
        "num_hidden": (0.5, 3.0),
        "gibbs_steps": (0.5, 2.0),
        "batch_size": (0.5, 2.0),
    }
    HOLDS_OUT: ClassVar[bool] = True
    SAMPLING: ClassVar[dict[str, type]] = {"start": str, "steps": int, "temperature": float}

    def __init__(self, preset: str | None = None, **settings: Any) -> None:
        super().__init__()
        self.config = self._asked = self.config_type(**self._over_preset(preset, settings))
        self._persistent: NDArray[np.uint64] | None = None

    @property
    def _learner_type(self) -> type[BoltzmannLearner]:
        return BoltzmannLearner

    @property
    def weights(self) -> NDArray[np.float64]:
        """W, float64 (num_sites, num_hidden), multiples of 2**-12."""
        return self._weights.astype(np.float64) / (1 << BITS)

    @property
    def visible_bias(self) -> NDArray[np.float64]:
        """a, float64 (num_sites,)."""
        return self._visible_bias.astype(np.float64) / (1 << BITS)

    def free_energy(self, H: HaplotypeMatrix) -> NDArray[np.float64]:
        """F(v) = -a.v - sum_j f(b_j + (v W)_j) of every haplotype, float64 (num_haplotypes,).

        f(x) = log(1 + exp(x)), for rectified units x^2 / 2 + log(sqrt(2 pi) Phi(x)); exp(-F) sums exp(-E) over h.
        """
        self._check_sites(H)
        machine = self._machine(self._device)
        parts = [free_energy(machine, rows.to(self._device)) for rows in host_rows(H.words).split(ROWS)]
        return torch.cat(parts).cpu().numpy()

    def log_partition(self, *, num_chains: int = 500, temperatures: int = 1000, seed: int = 0) -> LogPartition:
        """log Z of the rounded machine by annealed importance sampling, with a standard error.

        Z sums exp(-E(v, h)) over v and h (integrates, over rectified h).

        Parameters
        ----------
        num_chains : int >= 2, independent runs, over whose weights the standard error is taken
        temperatures : int >= 1, steps from independent sites to the machine
        seed : int in [0, 2**64)

        Returns
        -------
        LogPartition

        Notes
        -----
        See `hapforge.models._partition`: the mean weight is unbiased for Z, its log is biased towards small values
        where weights vary, and runs that miss a mode don't show in the standard error. Log likelihoods from it are
        therefore too high rather than too low: take more temperatures until the number no longer falls.
        """
        for name, value, least in (("num_chains", num_chains, 2), ("temperatures", temperatures, 1)):
            if value < least:
                raise ValueError(f"{name}: expected {least} or more, found {value}")
        seed = check_seed(seed)
        start = self.sample(ROWS, seed=seed)
        with Workers(torch.device("cpu")) as workers:
            return log_partition(
                self._machine(torch.device("cpu")),
                allele_counts(start) / ROWS,
                num_chains,
                temperatures,
                seed,
                workers,
            )

    def log_likelihood(self, H: HaplotypeMatrix, *, partition: LogPartition | None = None) -> NDArray[np.float64]:
        """log p(v) = -F(v) - log Z at equilibrium, natural log, float64 (num_haplotypes,).

        Parameters
        ----------
        H : haplotypes at the model's sites
        partition : what `log_partition` gave; None computes it with its defaults. Its standard error and bias are
            those of every value here. A machine trained by "rdm" draws from its distribution after k steps, not from
            the equilibrium that this is about.
        """
        return -self.free_energy(H) - (partition or self.log_partition()).value

    def impute(
        self,
        H: HaplotypeMatrix,
        observed: NDArray[np.bool_] | None = None,
        *,
        seed: int = 0,
        chains: int = 4,
        burn_in: int | None = None,
        steps: int = 10,
    ) -> Imputation:
        """Fill in the sites that were not observed, given those that were.

        For every haplotype `chains` chains of h | v and v | h run, in which observed sites keep their alleles and the
        others start at 0 or 1 with probability 1/2. The dosage of a site is the mean of P(v = 1 | h) over chains and
        over `steps` steps after the first `burn_in`. That is an estimate of P(v = 1 | observed sites): its error falls
        as one over the root of chains, and less with steps, which follow each other.

        Parameters
        ----------
        H : a cohort that shares sites with the model, such as one from a genotyping array: its sites are looked up as
            in `hapforge.intersect` (contig, position, alleles, REF and ALT swapped where need be), others are dropped.
            Where positions are not known, the model's sites in their order
        observed : bool (H.num_sites,), or (n, H.num_sites) where haplotypes differ: which of its alleles H has; what
            stands at others is ignored. None: all. `hapforge.io.Policy.observed` of a file with missing calls, as
            ``observed.to_dense() > 0``
        seed : int in [0, 2**64); same seed, same result, on any number of threads; that of a haplotype depends on its
            row number and on what it was observed at, on no other haplotype
        chains, steps : int >= 1
        burn_in : int >= 0; None: the steps of `sample`

        Returns
        -------
        Imputation : with dosages, 4 bytes for every haplotype and site. The chains run on the CPU, in blocks: a
            thread has at most 1,024 of them, fewer where 4 bytes for each at every site would be more than 16 MiB

        Raises
        ------
        TypeError, ValueError
            Not fitted, an argument out of its range, a mask of another shape or dtype, no site in common.
        """
        sites, config = self.sites, self.config
        for name, value, least in (("chains", chains, 1), ("burn_in", burn_in or 0, 0), ("steps", steps, 1)):
            if not least <= value <= _MAX_STEPS:
                raise ValueError(f"{name}: expected {least} to {_MAX_STEPS}, found {value}")
        seed = check_seed(seed)
        if H.num_haplotypes * chains > _MAX_CHAINS:
            raise ValueError(f"chains: expected at most {_MAX_CHAINS} for all haplotypes, found {chains} for each")
        dropped = flipped = 0
        called = None if observed is None else check_observed(observed, *H.shape)
        known = sites.position_known and H.sites.position_known
        if called is not None and (not known or same_records(sites, H.sites)):
            self._check_sites(H)
            observed = called
            words = H.words & _backend.pack(np.atleast_2d(called).view(np.uint8))
        else:
            words, observed, dropped, flipped = at_sites_of(sites, H, called)
        parts = (self._weights.astype(np.int32), self._visible_bias, self._hidden_bias)
        with Workers(torch.device("cpu")) as workers:
            dosage = ConditionalMeans(*parts, config.hidden).dosages(
                words,
                observed,
                chains=chains,
                burn_in=config.steps_of_draws if burn_in is None else burn_in,
                steps=steps,
                seed=stream_seed(seed, "impute"),
                workers=workers,
            )
        calls = HaplotypeMatrix(_backend.pack((dosage > 0.5).view(np.uint8)), sites, H.samples)
        return Imputation(calls, dosage, observed, dropped, flipped)

    def transform(self, H: HaplotypeMatrix) -> NDArray[np.float32]:
        """Means of the hidden units given a haplotype, <h | v>, float32 (num_haplotypes, num_hidden).

        sigmoid(b + v W), in [0, 1]; for rectified units the mean of the cut off Gaussian, above 0.

        References
        ----------
        Yelmen et al. 2021, supplementary figure 16.
        """
        self._check_sites(H)
        machine = self._machine(self._device)
        found = np.empty((H.num_haplotypes, self.config.num_hidden), np.float32)
        for a in range(0, H.num_haplotypes, ROWS):
            rows = host_rows(H.words[a : a + ROWS]).to(self._device)
            found[a : a + ROWS] = hidden_means(machine, rows).cpu().numpy()
        return found

    def singular_vectors(self, k: int) -> SingularVectors:
        """The k leading singular values and vectors of the weights, of the visible and the hidden space.

        Parameters
        ----------
        k : int, 1 to the smaller of num_sites and num_hidden

        References
        ----------
        Yelmen et al. 2021, Materials and Methods, "RBM model": "direction wise".
        """
        return singular_vectors(self.weights, k)

    def project(self, H: HaplotypeMatrix, k: int = 2) -> NDArray[np.float64]:
        """Haplotypes in the hidden space: <h | v> along the k leading hidden singular vectors, float64 (n, k).

        What PCA is for v, this is for the machine's features; it is not centred.

        References
        ----------
        Yelmen et al. 2021, Materials and Methods, "RBM model", and supplementary figure 15.
        """
        return self.transform(H).astype(np.float64) @ self.singular_vectors(k).hidden

    def _prepare(self, H: HaplotypeMatrix) -> None:
        if isinstance(self._asked, AutomaticRBMConfig):
            self.config = completed(self._asked, H)

    def _conclude(self, H: HaplotypeMatrix, validation: HaplotypeMatrix | None, seed: int) -> None:
        if not self.config.temperature:
            found = choose_temperature(
                lambda n, at_seed, t: self.sample(n, seed=at_seed, temperature=t), H, validation, seed
            )
            self.config = dataclasses.replace(self.config, temperature=found["temperature"])
            self.training["temperature"] = found

    @contextmanager
    def _learner(
        self, H: HaplotypeMatrix, seed: int, validation: HaplotypeMatrix | None, device: str
    ) -> Iterator[BoltzmannLearner]:
        if self.config.hidden == "relu":
            if device == "cuda":
                raise ValueError(
                    "device: expected 'cpu' or 'auto' for rectified hidden units, found 'cuda'; hidden='bernoulli' "
                    "trains there"
                )
            device = "cpu" if device == "auto" else device
        self._device = device_of(device)
        with Workers(self._device, meet()) as workers:
            yield self._learner_type(H, self.config, seed, workers, validation=validation, device=self._device)

    def sample(
        self,
        n: int,
        *,
        seed: int = 0,
        labels: Any = None,
        start: HaplotypeMatrix | str | None = None,
        steps: int | None = None,
        temperature: float | None = None,
    ) -> HaplotypeMatrix:
        """Draw artificial genomes.

        Parameters
        ----------
        n : int, haplotypes to draw; rows 2i and 2i + 1 are called one person, AG{i}
        seed : int in [0, 2**64); same seed, same genomes, on any number of threads; fewer are the first of more
        labels : None; this model knows no labels
        start : where chains start. "random": every unit 1 with probability 1/2. "chains": the persistent chains of
            "pcd", over and over where n is more. A cohort at the model's sites: its rows in a seeded order, over and
            over (training rows, or an independent sampling set, the remedy of Yelmen et al. 2021 for draws that come
            too close to training rows). None: "chains" where there are any, else "random"
        steps : int >= 1; None: `sample_steps` of the config, or where that is 0 its `gibbs_steps`
        temperature : float; the last v is drawn given the last h at logits divided by it. Below 1 there is less noise
            of single sites. It is no temperature of the machine: chains run at 1. None: that of the config

        Returns
        -------
        HaplotypeMatrix of n haplotypes with the sites of the training cohort and ids AG0_A, AG0_B ...

        Raises
        ------
        ValueError
            Not fitted, an argument out of its range, no such start.
        """
        how: dict[str, Any] = {"start": start, "steps": steps, "temperature": temperature}
        return self.sample_in_blocks(n, seed=seed, labels=labels, **how).read()

    def _how(
        self,
        n: int,
        seed: int,
        labels: Any,
        *,
        start: HaplotypeMatrix | str | None = None,
        steps: int | None = None,
        temperature: float | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        check_sampling(steps, temperature)
        super()._how(n, seed, labels)
        self._start(start, seed)  # refuses what is none
        return {"start": start, "steps": steps, "temperature": temperature}, {}

    def _sampling(self) -> str:
        config = self.config
        where = "the persistent chains" if config.training == "pcd" else "a uniform start"
        steps = config.steps_of_draws
        how = f"{steps} Gibbs steps from {where}; the last visible units at temperature {config.temperature or 1.0:g}."
        return how + said_of(self.training.get("temperature", {}))

    def _start(
        self, start: HaplotypeMatrix | str | None, seed: int
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]] | None:
        """Rows to start from and their order, over and over; None: at random."""
        if isinstance(start, HaplotypeMatrix):
            if start.num_sites != len(self.sites) or not start.num_haplotypes:
                expected = f"start: expected rows of {len(self.sites)} sites"
                raise ValueError(f"{expected}, found {start.num_haplotypes} of {start.num_sites}")
            return start.words, seeded_order(start.num_haplotypes, stream_seed(seed, "start"))
        if start not in (None, "random", "chains"):
            raise ValueError(f"start: expected 'random', 'chains' or a cohort, found {start!r}")
        if start == "chains" and self._persistent is None:
            raise ValueError("start: expected a machine trained by 'pcd' for 'chains', found no persistent chains")
        if start == "random" or self._persistent is None:
            return None
        return self._persistent, np.arange(len(self._persistent))

    def _draw_rows(
        self,
        first: int,
        last: int,
        seed: int,
        *,
        start: HaplotypeMatrix | str | None = None,
        steps: int | None = None,
        temperature: float | None = None,
    ) -> NDArray[np.uint64]:
        config = self.config
        steps = steps or config.steps_of_draws
        temperature = temperature or config.temperature or 1.0
        machine, begun = self._machine(self._device), self._start(start, seed)

        def block(a: int, b: int) -> Tensor:
            rows = None
            if begun is not None:
                words, order = begun
                rows = host_rows(words[order[np.arange(a, b) % len(order)]]).to(self._device)
            return machine.chains(b - a, steps, seed, first_chain=a, start=rows, temperature=temperature)

        return self._in_blocks(first, last, block)

    def _tensors(self) -> _store.Tensors:
        tensors = super()._tensors()
        return tensors if self._persistent is None else tensors | {"chains": self._persistent}

    def _restore(self, tensors: _store.Tensors) -> None:
        num_sites, config = len(self.sites), self.config
        more: _store.Shapes = {}
        if config.training == "pcd":
            more = {"chains": ((config.num_chains, words_per_row(num_sites)), np.uint64)}
        self._take(tensors, num_sites, more)
        self._persistent = tensors.get("chains")

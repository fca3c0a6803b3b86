"""What can be chosen about a Boltzmann machine and its training."""

from __future__ import annotations

from dataclasses import dataclass, fields

_MAX_ROWS = 65_536
HIDDEN_KINDS = ("bernoulli", "relu")
_COLDEST, _HOTTEST = 0.01, 100.0
_CHOICES = {"hidden": HIDDEN_KINDS, "training": ("rdm", "pcd", "cd"), "gradient": ("centred", "plain")}


def check_sampling(steps: int | None, temperature: float | None) -> None:
    """ValueError where one of them is given and out of its range."""
    if steps is not None and steps < 1:
        raise ValueError(f"steps: expected 1 or more, found {steps}")
    if temperature is not None:
        check_temperature(temperature)


def check_temperature(temperature: float) -> None:
    """ValueError where it is none."""
    if not _COLDEST <= temperature <= _HOTTEST:
        raise ValueError(f"temperature: expected {_COLDEST} to {_HOTTEST}, found {temperature}")


@dataclass(frozen=True)
class RBMConfig:
    """
    Attributes
    ----------
    num_hidden : int, hidden units
    hidden : "bernoulli" or "relu", kind of the hidden units: 0 or 1, or rectified (truncated Gaussian; on the CPU only)
    training : where the chains of an update start: "rdm" (out of equilibrium), each unit at random; "pcd" (persistent
        contrastive divergence), where they ended in the update before; "cd", at the rows of the batch
    gradient : "centred" or "plain"
    gibbs_steps : int, k: steps of the chains of an update
    early_gibbs_steps : int, steps of the chains ...
    early_share : float in [0, 1), ... over this share of the updates: short chains learn the coarse structure cheaply,
        the last updates the distribution after k steps. 0 is Rdm-k as published: k steps throughout
    epochs : int, passes over the training rows
    batch_size : int, training rows per update (batches of an epoch are as equal as can be)
    num_chains : int, chains per update; "cd" has as many as rows
    learning_rate : float, at its height
    warmup : float in [0, 1], share of the updates over which the rate grows from a tenth of its height
    hold : float in [0, 1], share of the updates after which it falls, exponentially ...
    final_rate : float in (0, 1], ... to this share of its height
    site_scaling : float in [0, 1]: site j's rate is multiplied by (4 max(f_j (1 - f_j), 0.01))**-site_scaling, so that
        rare alleles are learnt as fast as common ones
    whiten_above : float, the gradient is made smaller along principal directions of the training data (of sites
        multiplied by the square roots of their rates) whose variances are greater than this, by variance over this; 0:
        along none. See `hapforge.models._whitening`
    initial_scale : float, standard deviation of the first weights
    weight_decay : float, L2: the gradient of -weight_decay / 2 times the sum of squared weights is added
    spectrum_growth : float, the rate is halved after an epoch in which the largest singular value of W has grown by
        more than this; 0 never. It measures what Yelmen et al. 2023 wish for, a rate "such that the eigenvalues of the
        learning weight matrix are smoothly increasing"
    sample_steps : int, steps at sampling; 0: gibbs_steps, as "rdm" needs it
    temperature : float, at sampling the last v is drawn given the last h at logits divided by this
    """

    num_hidden: int = 400
    hidden: str = "bernoulli"
    training: str = "rdm"
    gradient: str = "centred"
    gibbs_steps: int = 10
    early_gibbs_steps: int = 10
    early_share: float = 0.0
    epochs: int = 600
    batch_size: int = 500
    num_chains: int = 300
    learning_rate: float = 0.1
    warmup: float = 0.2
    hold: float = 0.5
    final_rate: float = 0.05
    site_scaling: float = 0.5
    whiten_above: float = 0.0
    initial_scale: float = 0.001
    weight_decay: float = 0.0
    spectrum_growth: float = 0.0
    sample_steps: int = 0
    temperature: float = 1.0

    def __post_init__(self) -> None:
        for name in ("num_hidden", "gibbs_steps", "early_gibbs_steps", "epochs", "batch_size", "num_chains"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: expected 1 or more, found {getattr(self, name)}")
        for name in ("batch_size", "num_chains"):
            if getattr(self, name) > _MAX_ROWS:
                raise ValueError(f"{name}: expected at most {_MAX_ROWS}, found {getattr(self, name)}")
        for name in ("warmup", "hold", "site_scaling"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: expected 0 to 1, found {getattr(self, name)}")
        if not 0 <= self.early_share < 1:
            raise ValueError(f"early_share: expected 0 or more and below 1, found {self.early_share}")
        for name in ("learning_rate", "initial_scale", "final_rate"):
            if not 0 < getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected a positive number, found {getattr(self, name)}")
        for name, allowed in _CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}: expected one of {', '.join(allowed)}, found {getattr(self, name)!r}")
        for name in ("weight_decay", "spectrum_growth", "whiten_above"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise ValueError(f"{name}: expected 0 or more, found {getattr(self, name)}")
        if self.sample_steps < 0:
            raise ValueError(f"sample_steps: expected 0 or more, found {self.sample_steps}")
        check_temperature(self.temperature)
        if self.initial_scale > 1:
            raise ValueError(f"initial_scale: expected at most 1, found {self.initial_scale}")

    @property
    def steps_of_draws(self) -> int:
        """Steps at sampling."""
        return self.sample_steps or self.gibbs_steps

    def updates_of_epoch(self, num_rows: int) -> int:
        """Batches of an epoch over so many training rows."""
        return max(1, round(num_rows / self.batch_size))


AUTOMATIC = (
    *("hidden", "num_hidden", "gibbs_steps", "epochs", "batch_size", "num_chains", "learning_rate", "whiten_above"),
    "temperature",
)


@dataclass(frozen=True)
class AutomaticRBMConfig(RBMConfig):
    """
    Attributes
    ----------
    hidden, num_hidden, gibbs_steps, epochs, batch_size, num_chains, learning_rate, whiten_above : as in `RBMConfig`;
        "" or 0, the default: chosen from the training cohort when training begins, see
        `hapforge.models._automatic.settings_for` (`whiten_above` stays 0 where nothing is to be whitened;
        1e9, above any variance, is how to ask for that)
    temperature : as in `RBMConfig`; 0, the default: chosen with them, or after training, see
        `hapforge.models._temperature.choose_temperature`; draws before are at 1
    others : as in `RBMConfig`
    """

    hidden: str = ""
    num_hidden: int = 0
    gibbs_steps: int = 0
    epochs: int = 0
    batch_size: int = 0
    num_chains: int = 0
    learning_rate: float = 0.0
    temperature: float = 0.0

    def __post_init__(self) -> None:
        chosen = {field.name: getattr(self, field.name) for field in fields(RBMConfig)}
        RBMConfig(**{name: value for name, value in chosen.items() if value or name not in AUTOMATIC})  # checks them

"""Log partition function of a Boltzmann machine by annealed importance sampling.

From independent sites, p_0(v) ~ exp(a_0.v), to the machine, p_1(v) ~ exp(-F(v)), over the machines p_t with weights
t W, hidden biases t b and visible biases (1 - t) a_0 + t a, all rounded to multiples of 2**-12: the end is the rounded
machine itself, and every step leaves the distribution invariant that is weighed. A chain starts at a draw v_0 from p_0;
for the k-th of K machines its weight is multiplied by p_k(v_{k-1}) / p_{k-1}(v_{k-1}), unnormalised, and v_k is drawn
by a Gibbs step of that machine. The mean weight, times Z_0, is unbiased for Z (Neal 2001); its log is too small by half
its relative variance, to first order.

References
----------
Neal 2001, Annealed importance sampling, Statistics and Computing 11; Salakhutdinov, Murray 2008, On the quantitative
analysis of deep belief networks, ICML, section 4.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from hapforge.models._fixed_point import BITS
from hapforge.models._machine import Machine, free_energy, machine_of
from hapforge.models._training import stream_seed
from hapforge.models._workers import Workers

_LOG_OF_NO_FIELD = {"bernoulli": math.log(2), "relu": math.log(math.pi / 2) / 2}  # log of the summed out hidden unit


class LogPartition(NamedTuple):
    """Attributes
    ----------
    value : float, log Z, natural log
    standard_error : float, of it, from the spread of the weights of independent runs (delta method)
    """

    value: float
    standard_error: float


def log_partition(
    machine: Machine, frequencies: NDArray[np.float64], num_chains: int, temperatures: int, seed: int, workers: Workers
) -> LogPartition:
    """log Z of a machine on the CPU; a_0 are the log odds of `frequencies` (num_visible,), held from 0.001 to 0.999.

    Any frequencies will do; the nearer they are to the machine's own the smaller is the error.
    """
    inside = torch.from_numpy(np.clip(frequencies, 0.001, 0.999))
    base = torch.round((inside / (1 - inside)).log() * (1 << BITS)).to(torch.int32)
    log_base = torch.nn.functional.softplus(base.double() / (1 << BITS)).sum()
    log_base += len(machine.hidden_bias) * _LOG_OF_NO_FIELD[machine.hidden]

    def between(share: float) -> Machine:
        visible_bias = (1 - share) * base + share * machine.visible_bias.double()
        weights, hidden_bias = (part.double() * share for part in (machine.weights, machine.hidden_bias))
        rounded = [part.round().to(torch.int32) for part in (weights, visible_bias, hidden_bias)]
        return machine_of(rounded[0], rounded[1], rounded[2], machine.hidden)

    before = between(0.0)
    rows = before.chains(num_chains, 1, stream_seed(seed, "annealing", 0))  # without weights a step is a draw
    log_weights = torch.zeros(num_chains, dtype=torch.float64)
    for k in range(1, temperatures + 1):
        after = machine if k == temperatures else between(k / temperatures)
        step_seed = stream_seed(seed, "annealing", k)
        parts = workers.share(num_chains, _annealed(before, after, rows, step_seed))
        log_weights += torch.cat([gain for gain, _ in parts])
        rows, before = torch.cat([moved for _, moved in parts]), after
    largest = log_weights.max()
    weights = (log_weights - largest).exp()
    value = float(log_base + largest + weights.mean().log())
    return LogPartition(value, float(weights.std() / weights.mean()) / num_chains**0.5)


def _annealed(before: Machine, after: Machine, rows: Tensor, seed: int) -> Callable[[int, int], tuple[Tensor, Tensor]]:
    def work(first: int, last: int) -> tuple[Tensor, Tensor]:
        mine = rows[first:last]
        gain = free_energy(before, mine) - free_energy(after, mine)
        return gain, after.chains(last - first, 1, seed, first_chain=first, start=mine)

    return work

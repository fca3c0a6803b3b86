"""Exact probabilities of tiny Boltzmann machines: every visible state, hidden units summed or integrated out."""

import itertools

import numpy as np
from scipy import integrate
from scipy.special import logsumexp


def states(n):
    """float64 (2**n, n), the first unit slowest"""
    return np.array(list(itertools.product([0, 1], repeat=n)), dtype=float)


def summed_out(x, hidden):
    """log of the sum (binary) or integral (rectified, by quadrature) over h of exp(x h [- h^2 / 2])"""
    if hidden == "bernoulli":
        return np.logaddexp(0, x)
    peak = max(x, 0.0)
    shift = peak * x - peak**2 / 2
    value, _ = integrate.quad(
        lambda h: np.exp(x * h - h * h / 2 - shift), 0, peak + 40, points=[peak], limit=200, epsabs=0, epsrel=1e-12
    )
    return shift + np.log(value)


def hidden_mean(x, hidden):
    """<h | x>; of rectified units by quadrature"""
    if hidden == "bernoulli":
        return 1 / (1 + np.exp(-x))
    peak = max(x, 0.0)
    shift = peak * x - peak**2 / 2
    arguments = {"points": [peak], "limit": 200, "epsabs": 0, "epsrel": 1e-12}
    weight = lambda h: np.exp(x * h - h * h / 2 - shift)  # noqa: E731
    above, _ = integrate.quad(lambda h: h * weight(h), 0, peak + 40, **arguments)
    return above / integrate.quad(weight, 0, peak + 40, **arguments)[0]


def log_weights(weights, a, b, hidden):
    """-F(v) of every state"""
    v = states(len(a))
    return v @ a + np.array([sum(summed_out(x, hidden) for x in row) for row in v @ weights + b])


def log_partition(weights, a, b, hidden):
    return float(logsumexp(log_weights(weights, a, b, hidden)))


def last_draw(weights, a, b, steps, temperature):
    """P(v) after steps from a uniform start, binary hidden units, the last v drawn at logits / temperature"""

    def conditional(field, outcome):
        p = 1 / (1 + np.exp(-field))
        return np.prod(np.where(outcome[None].astype(bool), p[:, None], 1 - p[:, None]), axis=2)

    v, h = states(len(a)), states(len(b))
    up = conditional(v @ weights + b, h)
    down = conditional(h @ weights.T + a, v)
    start = np.full(len(v), 1 / len(v)) @ np.linalg.matrix_power(up @ down, steps - 1)
    return start @ up @ conditional((h @ weights.T + a) / temperature, v)


def conditional_means(weights, a, b, hidden, given, observed):
    """E(v | the observed units of `given`), by a sum over all states that agree with them"""
    v = states(len(a))
    agrees = (v[:, observed] == np.asarray(given)[observed]).all(1)
    log_p = log_weights(weights, a, b, hidden)[agrees]
    return np.exp(log_p - logsumexp(log_p)) @ v[agrees]

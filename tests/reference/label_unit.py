"""A machine with a label, small enough to enumerate: E(v, h, l) = -v.W.h - a.v - b.h - c_l - d_l.h."""

from itertools import product

import numpy as np


def states(n):
    """float (2**n, n), all rows of n units, the first the most significant."""
    return np.array(list(product([0, 1], repeat=n)), float)


def bernoulli(field, outcome):
    """P(outcome[k] | field[i]) of independent units, (num_fields, num_outcomes)."""
    p = 1 / (1 + np.exp(-field))
    return np.prod(np.where(outcome[None].astype(bool), p[:, None], 1 - p[:, None]), axis=2)


def softmax(field):
    e = np.exp(field - field.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def label_given_sites(w, a, b, c, d, v):
    """P(l | v) by the sum over all h of the joint weights."""
    weights = np.zeros((len(v), len(c)))
    for h in states(len(b)):
        weights += np.exp((v @ w @ h + v @ a + b @ h)[:, None] + (c + d @ h)[None])
    return weights / weights.sum(1, keepdims=True)


def label_step(w, a, b, c, d, v):
    """P(l' | l, v) of one step, h given (v, l), then l given h: (num_labels, num_labels)."""
    h = states(len(b))
    return bernoulli(v @ w + b + d, h) @ softmax(h @ d.T + c)


def site_step(w, a, b, c, d, label):
    """P(v' | v, label) of one step, (2**num_sites, 2**num_sites)."""
    h, v = states(len(b)), states(len(a))
    return bernoulli(v @ w + b + d[label], h) @ bernoulli(h @ w.T + a, v)


def joint_step(w, a, b, c, d):
    """P(v', l' | v, l) of one step; state (v, l) is number v * num_labels + l."""
    h, v = states(len(b)), states(len(a))
    to_h = bernoulli((v @ w + b)[:, None, :].repeat(len(c), 1).reshape(-1, len(b)) + np.tile(d, (len(v), 1)), h)
    to_both = bernoulli(h @ w.T + a, v)[:, :, None] * softmax(h @ d.T + c)[:, None, :]
    return to_h @ to_both.reshape(len(h), -1)


def draw_one(field, bits, uniform, decay):
    """The value drawn from integer fields by one 32-bit number: the first whose running sum passes U total / 2**32."""
    weights = [decay(max(field) - x, bits) for x in field]
    threshold = uniform * sum(weights) >> 32
    for value in range(len(field)):
        if sum(weights[: value + 1]) > threshold:
            return value
    raise AssertionError

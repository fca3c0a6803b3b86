"""Sites of q states: a Boltzmann machine with a label small enough to enumerate, and a pairwise Potts model.

Machine: E(v, h, l) = -sum_i (a[i, v_i] + W[i, v_i].h) - b.h - c_l - d_l.h; w (L, q, H), a (L, q).
Potts model: p(v, l) ~ exp(sum_i field[l, i, v_i] + sum_{i<j} coupling[i, j, v_i, v_j]).
"""

from itertools import combinations, product

import numpy as np


def states(num_sites, num_states):
    """int (q**L, L), all rows of states, the first slowest"""
    return np.array(list(product(range(num_states), repeat=num_sites)))


def softmax(field):
    e = np.exp(field - field.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def hidden_given(field):
    """P(h | field) of binary units, (num_fields, 2**H), the first unit slowest"""
    h = states(field.shape[1], 2)
    p = 1 / (1 + np.exp(-field))
    return np.prod(np.where(h[None].astype(bool), p[:, None], 1 - p[:, None]), axis=2)


def sites_given(w, a, h, temperature=1.0):
    """P(v | h), (num_h, q**L): a softmax for every site"""
    p = softmax((np.einsum("iqj,hj->hiq", w, h) + a) / temperature)
    v = states(*a.shape)
    out = np.ones((len(h), len(v)))
    for i in range(len(a)):
        out *= p[:, i][:, v[:, i]]
    return out


def of_states(parameters, v):
    """sum_i parameters[i, v_i], (num_v, ...)"""
    return sum(parameters[i][v[:, i]] for i in range(len(parameters)))


def site_step(w, a, b, d, label, temperature=1.0):
    """P(v' | v, label) of one step, (q**L, q**L); v' drawn at fields divided by a temperature"""
    v, h = states(*a.shape), states(len(b), 2)
    return hidden_given(of_states(w, v) + b + d[label]) @ sites_given(w, a, h, temperature)


def joint_step(w, a, b, c, d):
    """P(v', l' | v, l) of one step; state (v, l) is number v * num_labels + l"""
    v, h = states(*a.shape), states(len(b), 2)
    field = (of_states(w, v)[:, None] + b + d).reshape(-1, len(b))
    both = sites_given(w, a, h)[:, :, None] * softmax(h @ d.T + c)[:, None, :]
    return hidden_given(field) @ both.reshape(len(h), -1)


def label_given_sites(w, a, b, c, d, v):
    """P(l | v), by the sum over all h of the joint weights"""
    weights = np.zeros((len(v), len(c)))
    for h in states(len(b), 2):
        weights += np.exp((of_states(w, v) @ h + of_states(a, v) + b @ h)[:, None] + (c + d @ h)[None])
    return weights / weights.sum(1, keepdims=True)


def potts_probabilities(field, coupling):
    """p(v, l), (q**L, num_labels)"""
    _, num_sites, num_states = field.shape
    v = states(num_sites, num_states)
    pairs = sum(coupling[i, j][v[:, i], v[:, j]] for i, j in combinations(range(num_sites), 2))
    weights = np.exp(np.stack([of_states(of, v) for of in field], 1) + pairs[:, None])
    return weights / weights.sum()


def potts_samples(field, coupling, n, sweeps, rng):
    """int (n, L): chains of site-by-site heat bath from random states, with the fields of one label (L, q)"""
    num_sites, num_states = field.shape
    v = rng.integers(num_states, size=(n, num_sites))
    both = coupling + coupling.transpose(1, 0, 3, 2)  # one of the two is 0
    near = [np.flatnonzero(both[i].any((1, 2))) for i in range(num_sites)]
    for _ in range(sweeps):
        for i in range(num_sites):
            x = np.tile(field[i], (n, 1))
            for j in near[i]:
                x += both[i, j].T[v[:, j]]
            v[:, i] = (softmax(x).cumsum(1) < rng.random((n, 1))).sum(1)
    return v


def one_hot(v, num_states):
    return (v[:, :, None] == np.arange(num_states)).astype(float)


def pair_frequencies(v, num_states, weights=None):
    """f_ij(a, b) for i < j, (L (L - 1) / 2, q, q)"""
    x = one_hot(v, num_states)
    weights = np.full(len(v), 1 / len(v)) if weights is None else weights
    both = np.einsum("n,nia,njb->ijab", weights, x, x, optimize=True)
    return both[np.triu_indices(v.shape[1], 1)]


def connected(v, num_states, weights=None):
    """f_ij(a, b) - f_i(a) f_j(b) for i < j"""
    weights = np.full(len(v), 1 / len(v)) if weights is None else weights
    single = np.einsum("n,nia->ia", weights, one_hot(v, num_states))
    i, j = np.triu_indices(v.shape[1], 1)
    return pair_frequencies(v, num_states, weights) - single[i][:, :, None] * single[j][:, None, :]

"""Whitened, centred gradient of a Boltzmann machine, with dense matrices."""

import numpy as np


def preconditioner(dense, rates, above):
    """S (1 - U D U^T) S over the eigenvectors U of the covariance of S v whose values are above `above`"""
    root = np.sqrt(rates)
    values, vectors = np.linalg.eigh(np.cov(dense * root, rowvar=False, bias=True))
    high = values > above
    within = (vectors[:, high] * (1 - above / values[high])) @ vectors[:, high].T
    return root[:, None] * (np.eye(len(rates)) - within) * root


def centred(both, visible, hidden, visible_centre, hidden_centre, whiten):
    """Changes of W, a, b of the plain machine by those of the centred one

    v.W.h + a.v + b.h = (v - m).W.(h - l) + (a + W l).v + (b + W^T m).h and a constant: a' = a + W l and b' = b + W^T m
    have the derivatives d<v> and d<h>, W that of (v - m)(h - l).
    both, visible, hidden: differences of moments, data less model
    """
    of_weights = both - np.outer(visible_centre, hidden) - np.outer(visible, hidden_centre)
    change = whiten @ of_weights
    return change, whiten @ visible - change @ hidden_centre, hidden - change.T @ visible_centre

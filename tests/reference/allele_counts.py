"""Allele counts of a dense 0/1 matrix."""

import numpy as np


def allele_counts(dense):
    """int64 (num_sites,)"""
    return dense.sum(axis=0, dtype=np.int64)

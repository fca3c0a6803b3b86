"""Kernels on packed haplotypes: they check their input, choose a backend and run on the thread budget.

Each takes a `HaplotypeMatrix`, a dense array of 0 and 1 (bool, int8, uint8), or packed words as ``(words, num_sites)``.
Neither the backend nor the number of threads ever changes a result.
"""

from __future__ import annotations

from hapforge._backend import available_backends
from hapforge.kernels.allele_counts import allele_counts
from hapforge.kernels.gibbs import GibbsCounts, GibbsMachine, GibbsState, bit_product, gibbs
from hapforge.kernels.hamming import hamming_histogram, pairwise_hamming
from hapforge.kernels.joint_counts import LDDecay, joint_counts, ld_decay, ld_matrix
from hapforge.kernels.kmers import kmer_counts
from hapforge.kernels.nearest_neighbours import (
    JointNeighbours,
    Neighbours,
    joint_nearest_neighbours,
    mutual_nearest_neighbours,
    nearest_neighbours,
)
from hapforge.kernels.nearest_set import NearestSet, nearest_set
from hapforge.kernels.three_point import random_triplets, three_point, three_point_block, triplets_at_spacing

__all__ = [
    "GibbsCounts",
    "GibbsMachine",
    "GibbsState",
    "JointNeighbours",
    "LDDecay",
    "NearestSet",
    "Neighbours",
    "allele_counts",
    "available_backends",
    "bit_product",
    "gibbs",
    "hamming_histogram",
    "joint_counts",
    "joint_nearest_neighbours",
    "kmer_counts",
    "ld_decay",
    "ld_matrix",
    "mutual_nearest_neighbours",
    "nearest_neighbours",
    "nearest_set",
    "pairwise_hamming",
    "random_triplets",
    "three_point",
    "three_point_block",
    "triplets_at_spacing",
]

"""Kernels on packed haplotypes: they check their input, choose a backend and run on the thread budget.

Each takes a `HaplotypeMatrix`, a dense array of 0 and 1 (bool, int8, uint8), or packed words as ``(words, num_sites)``.
Neither the backend nor the number of threads ever changes a result.

An array on a CUDA device, from torch, CuPy, JAX, numba or whatever speaks DLPack (of either protocol) or
``__cuda_array_interface__``, stays where it is: the kernel runs on that device and on its library's current stream,
and results come back there, as arrays of that library (from any other one as arrays that speak both protocols). Input
on the host goes to the device of the other input. A call waits for the device where bits behind the last site or the
values of a dense array are checked, an input is on the host, or the stream of the library that an array is from is not
known (it is of torch, of CuPy and where ``__cuda_array_interface__`` names one, which must live as long as the arrays
that came back on it). Kernels without a CUDA part refuse such arrays, and the few numbers of `ld_decay` are always on
the host.
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

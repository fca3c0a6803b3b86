"""The compiled CPU kernels. Arrays are C-contiguous and of exactly these dtypes; nothing is converted."""

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]

compiler: str

def available_backends(name: str) -> list[str]: ...
def pack(dense: NDArray[np.uint8], first_row: int, backend: str, threads: int) -> Words: ...
def unpack(words: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.uint8]: ...
def transpose(words: Words, num_sites: int, backend: str, threads: int) -> Words: ...
def select_sites(words: Words, num_sites: int, index: NDArray[np.int64], backend: str, threads: int) -> Words: ...
def allele_counts(words: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.int64]: ...
def pairwise_hamming(a: Words, b: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.uint32]: ...
def hamming_histogram(a: Words, b: Words | None, num_sites: int, backend: str, threads: int) -> NDArray[np.int64]: ...
def nearest_neighbours(
    queries: Words, targets: Words | None, num_sites: int, k: int, exclude_self: bool, backend: str, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]: ...
def joint_counts(
    sites: Words, num_haplotypes: int, pairs: NDArray[np.int64] | None, backend: str, threads: int
) -> NDArray[np.int64]: ...
def ld_matrix(sites: Words, num_haplotypes: int, backend: str, threads: int) -> NDArray[np.float32]: ...
def ld_decay(
    sites: Words,
    num_haplotypes: int,
    position: NDArray[np.int64],
    contig_end: NDArray[np.int64],
    first: Words,
    first_index: NDArray[np.int64],
    edges: NDArray[np.int64],
    backend: str,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
def bernoulli_units(
    field: NDArray[np.int32] | NDArray[np.float32],
    fixed_point_bits: int,
    seed: int,
    step: int,
    layer: int,
    first_chain: int,
    packed: bool,
    backend: str,
    threads: int,
) -> NDArray[np.float32] | Words: ...
def philox4x32(c0: int, c1: int, c2: int, c3: int, key0: int, key1: int) -> tuple[int, int, int, int]: ...

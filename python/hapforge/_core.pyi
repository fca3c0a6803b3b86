"""The compiled CPU kernels. Arrays are C-contiguous and of exactly these dtypes; nothing is converted."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Floats = NDArray[np.float32]

compiler: str

def available_backends(name: str) -> list[str]: ...
def explain_bus_errors(line: bytes) -> None: ...
def pack(dense: NDArray[np.uint8], first_row: int, backend: str, threads: int) -> Words: ...
def unpack(words: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.uint8]: ...
def transpose(words: Words, num_sites: int, backend: str, threads: int) -> Words: ...
def select_sites(words: Words, num_sites: int, index: NDArray[np.int64], backend: str, threads: int) -> Words: ...
def concat_sites(parts: list[Words], num_sites: list[int], threads: int) -> Words: ...
def find_bcf_records(
    data: NDArray[np.uint8],
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], int, bool]: ...
def first_damaged_pgen_record(
    data: NDArray[np.uint8],
    length: NDArray[np.int64],
    kind: NDArray[np.uint8],
    num_alts: NDArray[np.int64],
    before: NDArray[np.uint8],
) -> int: ...
def pack_bcf_calls(
    data: NDArray[np.uint8], start: NDArray[np.int64], num_persons: int, backend: str
) -> tuple[Words, tuple[int, int] | None]: ...
def allele_counts(words: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.int64]: ...
def pairwise_hamming(a: Words, b: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.uint32]: ...
def hamming_histogram(a: Words, b: Words | None, num_sites: int, backend: str, threads: int) -> NDArray[np.int64]: ...
def nearest_neighbours(
    queries: Words, targets: Words | None, num_sites: int, k: int, exclude_self: bool, backend: str, threads: int
) -> tuple[NDArray[np.int64], NDArray[np.uint32]]: ...
def joint_nearest_neighbours(
    a: Words, b: Words, num_sites: int, k: int, within: bool, prune: bool | None, backend: str, threads: int
) -> list[tuple[NDArray[np.int64], NDArray[np.uint32]]]: ...
def prunes(rows_a: int, rows_b: int, k: int) -> bool: ...
def nearest_set(
    a: Words, b: Words, num_sites: int, backend: str, threads: int
) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]: ...
def joint_counts(words: Words, num_sites: int, backend: str, threads: int) -> NDArray[np.int64]: ...
def joint_counts_of_pairs(
    sites: Words, num_haplotypes: int, pairs: NDArray[np.int64], backend: str, threads: int
) -> NDArray[np.int64]: ...
def ld_matrix(words: Words, num_sites: int, statistic: str, backend: str, threads: int) -> NDArray[np.float32]: ...
def ld_decay(
    words: Words,
    num_sites: int,
    position: NDArray[np.int64],
    contig_end: NDArray[np.int64],
    first_index: NDArray[np.int64],
    edges: NDArray[np.int64],
    backend: str,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
def compare_ld(
    a: Words,
    b: Words,
    num_sites: int,
    position: NDArray[np.int64],
    contig_end: NDArray[np.int64],
    first_index: NDArray[np.int64],
    edges: NDArray[np.int64],
    block_end: NDArray[np.int64],
    cell_end: NDArray[np.int64],
    backend: str,
    threads: int,
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.float64], NDArray[np.int64]]: ...
def three_point(
    words: Words, num_sites: int, triplets: NDArray[np.int64], negate: bool, backend: str, threads: int
) -> NDArray[np.float64]: ...
def three_point_block(
    words: Words, num_sites: int, negate: bool, backend: str, threads: int
) -> NDArray[np.float64]: ...
def kmer_counts(
    words: Words, num_sites: int, k: int, runs: NDArray[np.int64], backend: str, threads: int
) -> NDArray[np.int64]: ...

class GibbsLayer:
    def __init__(self, weights: NDArray[np.int32], bias: NDArray[np.int32], backend: str, threads: int) -> None: ...
    def fields(self, bits: Words, num_lanes: int, threads: int) -> NDArray[np.int32]: ...

def gibbs_run(
    to_hidden: GibbsLayer,
    to_visible: GibbsLayer,
    rectified: bool,
    visible: Words | None,
    num_chains: int,
    clamp: Words | None,
    fixed_point_bits: int,
    seed: int,
    first_chain: int,
    first_step: int,
    steps: int,
    threads: int,
) -> tuple[Words, Any]: ...
def gibbs_draw_values(
    fields: NDArray[np.int32], fixed_point_bits: int, seed: int, step: int, layer: int, first_chain: int
) -> NDArray[np.int64]: ...
def gibbs_counts(visible: Words, hidden: Words, num_chains: int, backend: str, threads: int) -> NDArray[np.int64]: ...
def philox4x32(c0: int, c1: int, c2: int, c3: int, key0: int, key1: int) -> tuple[int, int, int, int]: ...
def normalise(
    x: Floats, weight: Floats, bias: Floats, over_rows: bool, z: Floats, mean: Floats, variance: Floats, backend: str
) -> None: ...
def normalise_backward(
    gz: Floats,
    x: Floats,
    weight: Floats,
    bias: Floats,
    over_rows: bool,
    mean: Floats,
    variance: Floats,
    gx: Floats,
    backend: str,
) -> tuple[Floats, Floats]: ...
def normalise_twice(
    u: Floats,
    gz: Floats,
    x: Floats,
    weight: Floats,
    bias: Floats,
    over_rows: bool,
    mean: Floats,
    variance: Floats,
    of_gz: Floats,
    of_x: Floats,
    backend: str,
) -> Floats: ...
def convolve(x: Floats, w: Floats, stride: int, padding: int, y: Floats, backend: str) -> None: ...
def convolve_transposed(y: Floats, w: Floats, stride: int, padding: int, x: Floats, backend: str) -> None: ...
def convolve_by_weight(x: Floats, y: Floats, stride: int, padding: int, w: Floats, backend: str) -> None: ...

"""Every function of hapforge.h for Python: through ctypes, with the arrays' own pointers, sizes and strides."""

import ctypes
import math

import numpy as np

from hapforge import get_library_dir

LIBRARY = ctypes.CDLL(f"{get_library_dir()}/libhapforge.so.1")
LIBRARY.hf_status_message.restype = LIBRARY.hf_version.restype = ctypes.c_char_p

OK, POINTER, SIZE, STRIDE, PADDING, INDEX, VALUE, BACKEND, THREADS, MEMORY, INTERNAL = range(11)
BACKENDS = {"auto": 0, "scalar": 1, "avx2": 2, "avx512": 3, "neon": 4}


class Status(Exception):
    """A call returned another status than HF_OK."""


def call(name, *arguments, backend="auto", threads=1):
    """Call hf_<name>; arrays go as pointers, other arguments as int64, then backend and threads."""
    converted = [
        ctypes.c_void_p(a.ctypes.data)
        if isinstance(a, np.ndarray)
        else a
        if a is None or isinstance(a, ctypes.c_void_p)
        else ctypes.c_uint64(a)  # an int64 too, bit for bit
        for a in arguments
    ]
    code = BACKENDS.get(backend, backend)
    status = getattr(LIBRARY, f"hf_{name}")(*converted, ctypes.c_int(code), ctypes.c_int(threads))
    if status != OK:
        raise Status(status)


def matrix(words, num_sites):
    """words, rows, columns, stride."""
    return words, len(words), num_sites, stride(words)


def stride(words):
    return words.strides[0] // words.itemsize if len(words) > 1 else words.shape[1]


def words_for(bits):
    return -(-bits // 64)


def pack(dense, **how):
    words = np.full((len(dense), words_for(dense.shape[1])), 2**64 - 1, np.uint64)
    call("pack", dense, *dense.shape, stride(dense), words, **how)
    return words


def unpack(words, num_sites, **how):
    dense = np.full((len(words), num_sites), 7, np.uint8)
    call("unpack", *matrix(words, num_sites), dense, **how)
    return dense


def transpose(words, num_sites, **how):
    transposed = np.full((num_sites, words_for(len(words))), 2**64 - 1, np.uint64)
    call("transpose", *matrix(words, num_sites), transposed, **how)
    return transposed


def select_sites(words, num_sites, index, **how):
    selected = np.full((len(words), words_for(len(index))), 2**64 - 1, np.uint64)
    call("select_sites", *matrix(words, num_sites), index, len(index), selected, **how)
    return selected


def allele_counts(words, num_sites, **how):
    counts = np.full(num_sites, -1, np.int64)
    call("allele_counts", *matrix(words, num_sites), counts, **how)
    return counts


def pairwise_hamming(a, b, num_sites, **how):
    distance = np.full((len(a), len(b)), 7, np.uint32)
    call("pairwise_hamming", a, len(a), stride(a), b, len(b), stride(b), num_sites, distance, **how)
    return distance


def hamming_histogram(a, b, num_sites, **how):
    counts = np.full(num_sites + 1, -1, np.int64)
    other = (None, -1, -1) if b is None else (b, len(b), stride(b))
    call("hamming_histogram", a, len(a), stride(a), *other, num_sites, counts, **how)
    return counts


def nearest_neighbours(queries, targets, num_sites, k, exclude_self, **how):
    index, distance = np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), 7, np.uint32)
    other = (None, -1, -1) if targets is None else (targets, len(targets), stride(targets))
    call(
        "nearest_neighbours",
        queries,
        len(queries),
        stride(queries),
        *other,
        num_sites,
        k,
        exclude_self,
        index,
        distance,
        **how,
    )
    return index, distance


def nearest_set(a, b, num_sites, **how):
    rows = len(a) + len(b)
    distance, sets = np.full(rows, 7, np.uint32), np.full(rows, 7, np.uint8)
    call("nearest_set", a, len(a), stride(a), b, len(b), stride(b), num_sites, distance, sets, **how)
    return distance, sets


def joint_counts(words, num_sites, **how):
    n11 = np.full((num_sites, num_sites), -1, np.int64)
    call("joint_counts", *matrix(words, num_sites), n11, **how)
    return n11


def joint_counts_of_pairs(sites, num_haplotypes, pairs, **how):
    n11 = np.full(len(pairs), -1, np.int64)
    call("joint_counts_of_pairs", *matrix(sites, num_haplotypes), pairs, len(pairs), n11, **how)
    return n11


def ld_matrix(words, num_sites, statistic, **how):
    ld = np.full((num_sites, num_sites), 7, np.float32)
    call("ld_matrix", *matrix(words, num_sites), statistic, ld, **how)
    return ld


def ld_decay(words, num_sites, position, contig, edges, **how):
    sums, pairs = np.full(len(edges) - 1, -1.0), np.full(len(edges) - 1, -1, np.int64)
    call("ld_decay", *matrix(words, num_sites), position, contig, edges, len(edges) - 1, sums, pairs, **how)
    return sums, pairs


def gibbs_rectified(weights, visible_bias, hidden_bias, bits, start, num_chains, seed, clamp, *firsts, **how):
    visible, hidden = start.copy(), np.full((num_chains, weights.shape[1]), -1, np.float32)
    parameters = weights, visible_bias, hidden_bias, *weights.shape, bits
    call("gibbs_rectified", *parameters, visible, hidden, clamp, num_chains, seed, *firsts, **how)
    return visible, hidden


def gibbs(
    weights, visible_bias, hidden_bias, bits, start, num_chains, seed, clamp, first_chain, first_step, steps, **how
):
    visible, hidden = start.copy(), np.full((weights.shape[1], words_for(num_chains)), 2**64 - 1, np.uint64)
    numbers = (num_chains, seed, first_chain, first_step, steps)
    call("gibbs", weights, visible_bias, hidden_bias, *weights.shape, bits, visible, hidden, clamp, *numbers, **how)
    return visible, hidden


def gibbs_counts(visible, hidden, num_chains, **how):
    counts = np.full((len(visible), len(hidden)), -1, np.int64)
    call("gibbs_counts", visible, hidden, len(visible), len(hidden), num_chains, counts, **how)
    return counts


def concat_sites(a, num_sites_a, b, num_sites_b, **how):
    joined = np.full((len(a), words_for(num_sites_a + num_sites_b)), 2**64 - 1, np.uint64)
    parts = np.array([a.ctypes.data, b.ctypes.data], np.uint64)
    call(
        "concat_sites",
        parts,
        np.array([num_sites_a, num_sites_b]),
        np.array([stride(a), stride(b)]),
        2,
        len(a),
        joined,
        **how,
    )
    return joined


def joint_nearest_neighbours(a, b, num_sites, k, **how):
    found = [np.full((len(rows), k), 7, dtype) for rows in (a, a, b, b) for dtype in (np.int64, np.uint32)]
    call("joint_nearest_neighbours", a, len(a), stride(a), b, len(b), stride(b), num_sites, k, *found, **how)
    return tuple(found)


def three_point(words, num_sites, triplets, negate, **how):
    correlations = np.full(len(triplets), 7.0)
    call("three_point", *matrix(words, num_sites), triplets, len(triplets), negate, correlations, **how)
    return correlations


def three_point_block(words, num_sites, negate, **how):
    correlations = np.full(math.comb(num_sites, 3), 7.0)
    call("three_point_block", *matrix(words, num_sites), negate, correlations, **how)
    return correlations


def kmer_counts(words, num_sites, k, first_site, num_windows, **how):
    counts = np.full((num_windows, 2**k), -1, np.int64)
    call("kmer_counts", *matrix(words, num_sites), k, first_site, num_windows, counts, **how)
    return counts

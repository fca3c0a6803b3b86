"""The kernels inside @njit functions: results, errors, and that callers can be cached."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from hapforge.kernels import available_backends
from kernels import c_functions
from kernels.cases import random_dense
from kernels.interface_cases import NAMES, assert_equal, cases
from kernels.test_c_abi import FAMILY
from reference import pack as reference

numba = pytest.importorskip("numba")

from numba.core.errors import TypingError  # noqa: E402

from hapforge.kernels import numba_api  # noqa: E402

CODES = {"scalar": numba_api.SCALAR, "avx2": numba_api.AVX2, "avx512": numba_api.AVX512, "neon": numba_api.NEON}


def test_codes_are_those_of_the_header():
    assert {"auto": numba_api.AUTO, **CODES} == c_functions.BACKENDS


@pytest.mark.parametrize("name", NAMES)
def test_results_on_every_backend(name):
    function = getattr(numba_api, name)
    for backend in ["auto", *(b for b in available_backends(FAMILY[name]) if b != "cuda")]:
        for threads in (1, 3):
            for arguments, expected in cases(name):
                found = function(*arguments, {"auto": 0, **CODES}[backend], threads)
                assert_equal(name, found, expected)


@pytest.mark.parametrize("name", NAMES)
def test_inputs_may_be_read_only(name):
    arguments, expected = cases(name)[-1]
    arguments = [a.copy() if isinstance(a, np.ndarray) else a for a in arguments]
    for array in arguments:
        if isinstance(array, np.ndarray):
            array.flags.writeable = False
    assert_equal(name, getattr(numba_api, name)(*arguments), expected)


def test_rows_may_lie_apart():
    dense = random_dense((67, 300))
    wide = np.full((67, 9), 2**64 - 1, np.uint64)
    wide[:, 2:7] = reference.pack(dense)

    @numba.njit
    def window(words, first, last, num_sites):
        return numba_api.allele_counts(words[:, first:last], num_sites)

    assert np.array_equal(window(wide, 2, 7, 300), dense.sum(axis=0))
    assert np.array_equal(numba_api.transpose(wide[::2, 2:7], 300), reference.pack(dense[::2].T))
    assert np.array_equal(numba_api.pack(dense[:, 11:171]), reference.pack(dense[:, 11:171]))


def test_calls_inside_a_parallel_loop():
    blocks = np.stack([reference.pack(random_dense((40, 130), seed)) for seed in range(16)])

    @numba.njit(parallel=True)
    def nearest(blocks, num_sites):
        total = np.zeros(len(blocks), np.int64)
        for b in numba.prange(len(blocks)):
            _, distance = numba_api.nearest_neighbours(blocks[b], None, num_sites, 1, True, numba_api.AUTO, 2)
            total[b] = distance.sum()
        return total

    expected = [c_functions.nearest_neighbours(words, None, 130, 1, True)[1].sum() for words in blocks]
    assert nearest(blocks, 130).tolist() == expected


WORDS = reference.pack(random_dense((6, 100)))


def dirty_words():
    words = WORDS.copy()
    words[3, 1] |= np.uint64(1 << 63)
    return words


def misaligned_words():
    raw = np.zeros(WORDS.nbytes + 1, np.uint8)
    raw[1:] = WORDS.view(np.uint8).ravel()
    return raw[1:].view(np.uint64).reshape(WORDS.shape)


POSITION, EDGES = np.arange(100), np.array([0, 5])
BAD_VALUES = [
    ("allele_counts", (WORDS, 129), "words: expected .* columns"),
    ("allele_counts", (WORDS, -1), "words: expected .* columns"),
    ("allele_counts", (WORDS[:, :1], 100), "words: expected .* columns"),
    ("allele_counts", (WORDS[:, ::-1], 100), "elements of a row next to each other"),
    ("allele_counts", (WORDS[::-1], 100), "no negative size"),
    ("allele_counts", (dirty_words(), 100), "padding bits to be zero"),
    ("allele_counts", (WORDS, 100, 9), "backend: this machine lacks it"),
    ("allele_counts", (WORDS, 100, 0, 0), "threads: expected 1 to 4096"),
    ("pairwise_hamming", (WORDS, np.hstack([WORDS, WORDS])[:, :2], 100), "C-contiguous words"),
    ("pack", (np.full((3, 70), 2, np.uint8),), "dense: expected only 0 and 1"),
    ("nearest_neighbours", (WORDS, None, 100, 6, True), "k: expected"),
    ("nearest_neighbours", (WORDS, None, 100, 0, True), "k: expected"),
    ("joint_nearest_neighbours", (WORDS, WORDS[:3], 100, 3), "k: expected 1 to one less"),
    ("joint_nearest_neighbours", (WORDS, WORDS, 100, 0), "k: expected 1 to one less"),
    ("concat_sites", (WORDS, 100, WORDS[:3], 100), "equal numbers of rows"),
    ("three_point", (WORDS, 100, np.zeros((2, 4), np.int64), 0), "triplets: expected three columns"),
    ("kmer_counts", (WORDS, 100, 17, 0, 1), "k: expected 1 to 16"),
    ("gibbs_counts", (WORDS, WORDS, 200), "a row of .* words for each unit"),
    ("nearest_set", (WORDS[:1], WORDS[:0], 100), "two rows or more"),
    ("select_sites", (WORDS, 100, np.arange(20)[::2]), "C-contiguous array"),
    ("joint_counts_of_pairs", (WORDS, 100, np.zeros((2, 3), np.int64)), "pairs: expected two columns"),
    ("joint_counts_of_pairs", (WORDS, 100, np.zeros((2, 4), np.int64)[:, ::2]), "C-contiguous array"),
    ("ld_matrix", (WORDS, 100, 4), "statistic: expected R2"),
    ("ld_decay", (WORDS, 100, POSITION[:5], None, EDGES), "position: expected one for each site"),
    ("ld_decay", (WORDS, 100, POSITION, POSITION[:5], EDGES), "contig: expected one for each site"),
    ("ld_decay", (WORDS, 100, POSITION, None, EDGES[:1]), "edges: expected two or more"),
    ("ld_decay", (WORDS, 100, POSITION[::-1].copy(), None, EDGES), "ascending positions"),
    ("ld_decay", (WORDS, 100, POSITION * 0, None, np.array([3, 3])), "ascending positions and edges"),
]


@pytest.mark.parametrize(("name", "arguments", "message"), BAD_VALUES)
def test_bad_values_are_named(name, arguments, message):
    with pytest.raises(ValueError, match=message):
        getattr(numba_api, name)(*arguments)


@pytest.mark.parametrize("value", [2**32 + 1, -(2**31) - 1])
@pytest.mark.parametrize("name", NAMES)
def test_codes_are_not_cut_to_32_bits(name, value):
    arguments, _ = next(iter(cases(name)))
    for backend, threads in ((value, 1), (numba_api.AUTO, value)):
        with pytest.raises(ValueError, match="expected a 32-bit integer"):
            getattr(numba_api, name)(*arguments, backend, threads)


def test_a_negative_seed_is_refused():
    arguments = list(next(iter(cases("gibbs")))[0])
    arguments[6] = -1
    with pytest.raises(ValueError, match="seed: expected 0 to"):
        numba_api.gibbs(*arguments)


def test_codes_are_integers():
    with pytest.raises(TypingError, match="expected an integer"):
        numba_api.allele_counts(WORDS, 100, numba_api.AUTO, 1.9)


def test_misaligned_words_are_refused():
    with pytest.raises(ValueError, match="aligned memory"):
        numba_api.allele_counts(misaligned_words(), 100)


@pytest.mark.parametrize("index", [-1, 100])
def test_an_index_out_of_range_is_an_index_error(index):
    with pytest.raises(IndexError, match="out of range"):
        numba_api.select_sites(WORDS, 100, np.array([0, index]))


@pytest.mark.parametrize(("first_site", "num_windows"), [(-1, 1), (0, 51), (2, 50), (0, -1)])
def test_a_window_that_is_not_there_is_an_index_error(first_site, num_windows):
    with pytest.raises(IndexError, match="out of range"):
        numba_api.kmer_counts(WORDS, 100, 2, first_site, num_windows)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("allele_counts", (WORDS.view(np.int64), 100)),
        ("allele_counts", (WORDS[0], 100)),
        ("allele_counts", (WORDS.astype(">u8"), 100)),
        ("pack", (np.zeros((3, 70)),)),
        ("select_sites", (WORDS, 100, np.zeros(3, np.int32))),
        ("joint_counts_of_pairs", (WORDS, 100, np.zeros(3, np.int64))),
    ],
)
def test_other_types_do_not_compile(name, arguments):
    with pytest.raises(numba.TypingError):
        getattr(numba_api, name)(*arguments)


def test_the_message_of_a_wrong_type_says_what_was_expected():
    with pytest.raises(numba.TypingError, match=r"expected an array of 2 dimension\(s\) of uint64, found array\(int64"):
        numba_api.allele_counts(WORDS.view(np.int64), 100)


# ---- caching ---------------------------------------------------------------------------------------------------------

CALLERS = """
from numba import njit
from numba.core.errors import TypingError
from hapforge.kernels import numba_api
"""
CALLER = """
@njit(cache=True)
def {name}({arguments}):
    return numba_api.{name}({arguments})
"""
SCRIPT = """
import json, mmap, sys
import numpy as np
shift = mmap.mmap(-1, int(sys.argv[1]))  # moves what is loaded from here on
sys.path[:0] = {folders!r}
from kernels.interface_cases import NAMES, assert_equal, cases
import callers
for name in NAMES:
    for arguments, expected in cases(name):
        assert_equal(name, getattr(callers, name)(*arguments), expected)
import llvmlite.binding
statistics = [getattr(callers, name).stats for name in NAMES]
print(json.dumps({{
    "address": llvmlite.binding.address_of_symbol("hf_allele_counts"),
    "hits": [sum(s.cache_hits.values()) for s in statistics],
    "misses": [sum(s.cache_misses.values()) for s in statistics],
}}))
"""


@pytest.mark.slow
def test_cached_callers_work_in_a_process_where_the_library_is_elsewhere(tmp_path):
    names = {}
    for name in NAMES:
        arguments = [arguments for arguments, _ in cases(name)]
        names[name] = len({tuple(a is None for a in one) for one in arguments})
    (tmp_path / "callers.py").write_text(
        CALLERS
        + "".join(
            CALLER.format(name=name, arguments=", ".join(f"a{i}" for i in range(len(cases(name)[0][0]))))
            for name in NAMES
        )
    )
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    script = SCRIPT.format(folders=[str(tmp_path), tests])
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache")}
    runs = []
    for shift in (1 << 20, 1 << 30):
        done = subprocess.run(
            [sys.executable, "-c", script, str(shift)], env=environment, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        runs.append(json.loads(done.stdout))
    first, second = runs
    assert first["address"] != second["address"]
    assert first["hits"] == [0] * len(NAMES)
    assert second["misses"] == [0] * len(NAMES)
    assert second["hits"] == first["misses"]
    assert all(first["misses"][i] >= names[name] for i, name in enumerate(NAMES))


def test_without_numba_the_message_says_what_to_install():
    script = """
import sys
sys.modules["numba"] = None
import hapforge.kernels
try:
    from hapforge.kernels import numba_api
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "this needs numba, which is not installed: pip install 'hapforge[numba]'\n"

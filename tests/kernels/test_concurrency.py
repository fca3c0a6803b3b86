"""Calls at the same time: the GIL is released in every binding, many threads call at once, also around a fork."""

import operator
import os
import subprocess
import sys
import sysconfig
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from hapforge import _backend
from kernels import c_functions
from kernels.cases import random_dense
from kernels.interface_cases import NAMES, assert_equal, cases

core = _backend.core
holds_the_gil = pytest.mark.skipif(
    not getattr(sys, "_is_gil_enabled", lambda: True)(), reason="this Python runs without a GIL"
)
# The child then waits for ever in the sanitizer's allocator, which has no handler of forks (glibc's has).
forks_beside_threads = pytest.mark.skipif(
    "asan" in os.environ.get("LD_PRELOAD", ""), reason="GCC's sanitizer may hold its allocator's lock when it is forked"
)


def words_of(rows, sites):
    return core.pack(random_dense((rows, sites)), 0, "scalar", 1)


def bcf_records(number):
    """Whole BCF records of 24 fixed bytes and no calls, one behind the other."""
    record = np.zeros(32, np.uint8)
    record[0] = 24
    return np.tile(record, number)


def decay_arguments(haplotypes, sites):
    index = np.arange(sites)
    end = np.full(sites, sites)
    return words_of(haplotypes, sites), sites, index, end, index, np.array([0, sites])


def gibbs_layer(num_out, num_in):
    return core.GibbsLayer(np.ones((num_out, num_in), np.int32), np.zeros(num_out, np.int32), "scalar", 1)


def convolved(*names):
    """Arrays of a convolution: x, w and y."""
    found = {"x": (4, 10, 1002), "w": (20, 10, 3), "y": (4, 20, 1000)}
    return [np.ones(found[name], np.float32) for name in names]


def normalised(rows):
    """Arrays of a normalisation over rows of (64, 50, 400): as many of the shape of x, two of channels."""
    whole = [np.ones((64, 50, 400), np.float32) for _ in range(rows)]
    return [*whole, np.ones(50, np.float32), np.ones(50, np.float32), True]


def statistics():
    return [np.ones(50, np.float32), np.ones(50, np.float32)]


# Every function of the module with arguments on which it takes some hundredth of a second on one thread.
LONG_CALLS = {
    "pack": lambda: (np.ones((2000, 20_000), np.uint8), 0, "scalar", 1),
    "unpack": lambda: (words_of(2000, 20_000), 20_000, "scalar", 1),
    "transpose": lambda: (words_of(2000, 20_000), 20_000, "scalar", 1),
    "select_sites": lambda: (words_of(500, 20_000), 20_000, np.arange(20_000)[::-1].copy(), "scalar", 1),
    "find_bcf_records": lambda: (bcf_records(1_000_000),),
    "first_damaged_pgen_record": lambda: (
        *(np.zeros(40_000_000, np.uint8), np.full(10_000, 4000, np.int64), np.zeros(10_000, np.uint8)),
        *(np.ones(10_000, np.int64), np.zeros(16_000, np.uint8)),
    ),
    "pack_bcf_calls": lambda: (np.full(40_000_000, 3, np.uint8), np.zeros(10, np.int64), 20_000_000, "scalar"),
    "pairwise_hamming": lambda: (words_of(1000, 2000), words_of(1000, 2000), 2000, "scalar", 1),
    "hamming_histogram": lambda: (words_of(1500, 2000), None, 2000, "scalar", 1),
    "nearest_neighbours": lambda: (words_of(1000, 2000), None, 2000, 1, True, "scalar", 1),
    "joint_nearest_neighbours": lambda: (words_of(1000, 2000), words_of(1001, 2000), 2000, 1, True, None, "scalar", 1),
    "nearest_set": lambda: (words_of(500, 2000), words_of(501, 2000), 2000, "scalar", 1),
    "allele_counts": lambda: (words_of(2000, 10_000), 10_000, "scalar", 1),
    "joint_counts": lambda: (words_of(2000, 1000), 1000, "scalar", 1),
    "joint_counts_of_pairs": lambda: (words_of(100, 2000), 2000, np.zeros((1_000_000, 2), np.int64), "scalar", 1),
    "ld_matrix": lambda: (words_of(2000, 1000), 1000, "r2", "scalar", 1),
    "ld_decay": lambda: (*decay_arguments(2000, 1000), "scalar", 1),
    "compare_ld": lambda: (words_of(2000, 1000), *decay_arguments(2000, 1000), *[np.array([1000])] * 2, "scalar", 1),
    "concat_sites": lambda: ([words_of(2000, 20_001), words_of(2000, 20_000)], [20_001, 20_000], 1),
    "three_point": lambda: (words_of(2000, 1000), 1000, np.zeros((100_000, 3), np.int64), False, "scalar", 1),
    "three_point_block": lambda: (words_of(2000, 200), 200, False, "scalar", 1),
    "kmer_counts": lambda: (words_of(2000, 10_000), 10_000, 4, np.array([(0, 2500)]), "scalar", 1),
    "GibbsLayer": lambda: (np.ones((1000, 2000), np.int32), np.zeros(1000, np.int32), "scalar", 1),
    "GibbsLayer.fields": lambda: (gibbs_layer(500, 500), words_of(500, 500), 500, 1),
    "gibbs_run": lambda: (
        *(gibbs_layer(100, 200), gibbs_layer(200, 100), False, words_of(200, 500), 500, None),
        *(10, 1, 0, 0, 2, 1),
    ),
    "gibbs_draw_values": lambda: (np.zeros((4000, 50, 20), np.int32), 12, 0, 0, 0, 0),
    "convolve": lambda: (*convolved("x", "w"), 1, 0, *convolved("y"), "scalar"),
    "convolve_transposed": lambda: (*convolved("y", "w"), 1, 0, *convolved("x"), "scalar"),
    "convolve_by_weight": lambda: (*convolved("x", "y"), 1, 0, *convolved("w"), "scalar"),
    "normalise": lambda: (*normalised(1), np.ones((64, 50, 400), np.float32), *statistics(), "scalar"),
    "normalise_backward": lambda: (*normalised(2), *statistics(), np.ones((64, 50, 400), np.float32), "scalar"),
    "normalise_twice": lambda: (
        *(*normalised(3), *statistics()),
        *(np.ones((64, 50, 400), np.float32), np.ones((64, 50, 400), np.float32), "scalar"),
    ),
    "gibbs_counts": lambda: (words_of(1000, 2000), words_of(1000, 2000), 2000, "scalar", 1),
}
INSTANT = {"available_backends", "explain_bus_errors", "philox4x32", "prunes"}


@pytest.fixture
def no_forced_switches():
    """The interpreter takes the GIL from no thread: another one runs only once it is given up."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(3600)
    yield
    sys.setswitchinterval(before)


def lets_others_run(function, attempts=50):
    """Whether this thread got to run while another one was inside `function`."""
    for _ in range(attempts):
        inside, done = threading.Event(), []

        def work(inside=inside, done=done):
            inside.set()
            function()
            done.append(True)

        thread = threading.Thread(target=work)
        thread.start()
        inside.wait()
        seen = not done
        thread.join()
        if seen:
            return True
    return False


@holds_the_gil
def test_a_function_that_keeps_the_gil_is_noticed(no_forced_switches):
    values = list(range(300_000))
    assert not lets_others_run(lambda: sum(values), attempts=5)


@holds_the_gil
@pytest.mark.parametrize("name", sorted(LONG_CALLS))
def test_the_gil_is_released_during_a_call(name, no_forced_switches):
    arguments = LONG_CALLS[name]()
    assert lets_others_run(lambda: operator.attrgetter(name)(core)(*arguments))


def test_a_free_threaded_python_stays_without_a_gil():
    if not sysconfig.get_config_var("Py_GIL_DISABLED"):
        pytest.skip("this Python has a GIL")
    script = "import hapforge, sys; print(sys._is_gil_enabled())"
    done = subprocess.run([sys.executable, "-W", "error", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_every_function_of_the_module_is_tried():
    public = {name: value for name, value in vars(core).items() if callable(value) and not name.startswith("_")}
    methods = {
        f"{name}.{method}"
        for name, value in public.items()
        if isinstance(value, type)
        for method in vars(value)
        if not method.startswith("_")
    }
    assert (set(public) | methods) - set(LONG_CALLS) - INSTANT == set(), "LONG_CALLS has none of them yet"


@holds_the_gil
def test_the_gil_is_released_by_numba_functions(no_forced_switches):
    pytest.importorskip("numba")
    from hapforge.kernels import numba_api

    words = words_of(1500, 2000)
    numba_api.hamming_histogram(words[:2], None, 2000)  # compiles
    assert lets_others_run(lambda: numba_api.hamming_histogram(words, None, 2000, numba_api.SCALAR))


def test_all_kernels_from_many_threads_at_once():
    """Sixteen threads, each on up to four of the pool's, call everything that C can call."""
    ready = threading.Barrier(16)

    def work(seed):
        ready.wait()
        order = np.random.default_rng(seed).permutation(NAMES * 3)
        for name in order:
            arguments, expected = cases(str(name))[-1]
            assert_equal(name, getattr(c_functions, name)(*arguments, threads=1 + seed % 4), expected)

    with ThreadPoolExecutor(16) as executor:
        for future in [executor.submit(work, seed) for seed in range(16)]:
            future.result(timeout=120)


FORKING = """
import os, sys, threading
import numpy as np
from hapforge.kernels import hamming_histogram
from kernels import c_functions

dense = np.random.default_rng(0).integers(0, 2, (300, 200), dtype=np.uint8)
words = c_functions.pack(dense)
expected = hamming_histogram(dense, threads=1)
stop = threading.Event()

def right():
    return (np.array_equal(hamming_histogram(dense, threads=3), expected)
            and np.array_equal(c_functions.hamming_histogram(words, None, 200, threads=3), expected))

def work():
    while not stop.is_set():
        assert right()

workers = [threading.Thread(target=work) for _ in range(3)]
for worker in workers:
    worker.start()
failed = 0
for _ in range(40):
    pid = os.fork()
    if pid == 0:
        os._exit(0 if right() else 1)
    failed += os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0
stop.set()
for worker in workers:
    worker.join()
print(failed, right())
"""


@forks_beside_threads
def test_the_pool_survives_fork():
    """A child of a process whose pool has run starts its own; the parent's still works."""
    # A script of its own: forking the test process would copy the threads' state of other libraries too.
    script = """
import os, sys
import numpy as np
from hapforge.kernels import hamming_histogram
dense = np.random.default_rng(0).integers(0, 2, (400, 500), dtype=np.uint8)
expected = hamming_histogram(dense, threads=4)
for generation in range(3):
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        assert np.array_equal(hamming_histogram(dense, threads=4), expected)
        sys.exit(os.waitstatus_to_exitcode(status))
    if not np.array_equal(hamming_histogram(dense, threads=4), expected):
        os._exit(1)
"""
    done = subprocess.run([sys.executable, "-c", script], timeout=60, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@forks_beside_threads
def test_forks_while_other_threads_are_inside_kernels():
    """The pool's mutex may be locked and its threads busy at the fork; a child starts afresh, the parent goes on."""
    tests = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = {**os.environ, "PYTHONPATH": tests}
    done = subprocess.run(
        [sys.executable, "-c", FORKING], env=environment, timeout=120, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["0", "True"]

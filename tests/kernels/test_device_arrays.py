"""Arrays on a CUDA device, in and out: in place, on the caller's stream, back in the caller's library."""

import sys
from contextlib import nullcontext
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from hapforge import HaplotypeMatrix, _backend, kernels
from hapforge.errors import MissingBackendError
from hapforge.kernels.joint_counts import ld_moments
from kernels.cases import random_dense
from reference import pack as reference

ROWS, SITES = 70, 600
if "cuda" not in _backend.available_backends("hamming"):
    pytest.skip("no device", allow_module_level=True)
# On a device a number is no stream; the emulation runs what is on one when somebody waits for it, and not before.
emulated = not Path("/dev/nvidiactl").exists()
only_emulated = pytest.mark.skipif(not emulated, reason="needs streams by number")
STREAM = 0x1000 if emulated else 1


def device_array(array, stream=STREAM, device=0):
    """On the device, ordered by `stream`."""
    return _backend.cuda().DeviceArray.from_host(array, device, stream)


class ByDLPack:
    """Shows an array on a device by DLPack alone, as libraries do since DLPack 1.0 or did before."""

    def __init__(self, array, versioned=True):
        self.array, self.versioned, self.streams = array, versioned, []

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, *, stream=None, **how):
        if how and not self.versioned:
            raise TypeError("unexpected keyword")
        self.streams.append(stream)
        return self.array.__dlpack__(stream=stream, **how)


class ByInterface:
    """Shows an array on a device by __cuda_array_interface__ alone."""

    def __init__(self, array, **changed):
        self.array = array
        self.__cuda_array_interface__ = {**array.__cuda_array_interface__, **changed}


def on_device(dense, kind="words"):
    if kind == "dense":
        return device_array(dense)
    words = device_array(reference.pack(dense))
    wrapped = {"words": words, "dlpack": ByDLPack(words), "old dlpack": ByDLPack(words, False)}
    wrapped["interface"] = ByInterface(words)
    return wrapped[kind], dense.shape[1]


def to_host(found):
    if isinstance(found, tuple | list):
        return [to_host(one) for one in found]
    return found.to_host() if hasattr(found, "to_host") else found


def same(found, expected):
    if isinstance(expected, tuple | list):
        assert len(found) == len(expected)
        for one, other in zip(found, expected, strict=True):
            same(one, other)
    else:
        np.testing.assert_array_equal(found, expected)
        assert found.dtype == expected.dtype


A, B = random_dense((ROWS, SITES)), random_dense((40, SITES), seed=1)
WEIGHTS = np.arange(-100, 3 * ROWS - 100, dtype=np.int32).reshape(3, ROWS) * 997
PAIRS, TRIPLETS = np.array([[0, 5], [599, 2]]), np.array([[0, 5, 9], [599, 2, 3]])
CALLS = {
    "allele_counts": lambda a, b: kernels.allele_counts(a),
    "pairwise_hamming": lambda a, b: kernels.pairwise_hamming(a, b),
    "hamming_histogram": lambda a, b: kernels.hamming_histogram(a),
    "nearest_neighbours": lambda a, b: kernels.nearest_neighbours(a, b, k=3),
    "joint_nearest_neighbours": lambda a, b: kernels.joint_nearest_neighbours(a, b, k=2),
    "nearest_set": lambda a, b: kernels.nearest_set(a, b),
    "joint_counts": lambda a, b: kernels.joint_counts(b),
    "joint_counts of pairs": lambda a, b: kernels.joint_counts(a, PAIRS),
    "ld_matrix": lambda a, b: kernels.ld_matrix(a, [3, 70, 599]),
    "bit_product": lambda a, b: kernels.bit_product(a, WEIGHTS),
    "three_point": lambda a, b: kernels.three_point(a, TRIPLETS),
    "three_point_block": lambda a, b: kernels.three_point_block(a, np.arange(7)),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_kernel_takes_and_gives_arrays_on_the_device(name):
    call = CALLS[name]
    found = call(on_device(A), on_device(B))
    first = found[0][0] if isinstance(found[0] if isinstance(found, tuple) else None, tuple) else found
    first = first[0] if isinstance(first, tuple) else first
    assert (first.device, first.stream) == (0, STREAM)
    same(to_host(found), call(A, B))


@pytest.mark.parametrize("kind", ["dlpack", "old dlpack", "interface", "dense"])
def test_the_ways_in(kind):
    same(to_host(kernels.pairwise_hamming(on_device(A, kind), on_device(B, kind))), kernels.pairwise_hamming(A, B))


def test_one_set_on_the_host():
    expected = kernels.pairwise_hamming(A, B)
    for a, b in [(on_device(A), HaplotypeMatrix.from_dense(B)), (A, on_device(B)), (on_device(A), B)]:
        same(to_host(kernels.pairwise_hamming(a, b)), expected)


def test_ld_decay_has_its_curve_on_the_host():
    edges = [0, 10, 100, 1000]
    found, expected = kernels.ld_decay(on_device(A), edges), kernels.ld_decay(A, edges, backend="cuda")
    same(tuple(found), tuple(expected))


@pytest.mark.parametrize(("rows", "sites"), [(0, 65), (1, 1), (5, 0), (9, 65), (3, 512), (33, 1025)])
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.bool_])
def test_dense_arrays_of_any_strides(rows, sites, dtype):
    dense = random_dense((rows, sites)).astype(dtype)
    columns = device_array(np.ascontiguousarray(dense.T))
    known = columns.__cuda_array_interface__
    turned = ByInterface(columns, shape=(rows, sites), strides=(1, rows))
    expected = dense.sum(axis=0, dtype=np.int64)
    same(to_host(kernels.allele_counts(turned)), expected)
    same(to_host(kernels.allele_counts(device_array(dense))), expected)
    assert known["shape"] == (sites, rows)


@pytest.mark.parametrize(("rows", "sites"), [(0, 65), (5, 0), (9, 65), (3, 512), (130, 1025)])
def test_words_are_turned_chosen_and_unpacked(rows, sites):
    dense = random_dense((rows, sites))
    words, cuda = device_array(reference.pack(dense)), _backend.cuda()
    same(cuda.transpose(words, sites).to_host(), reference.pack(dense.T))
    same(cuda.unpack(words, sites).to_host(), dense)
    index = np.random.default_rng(0).integers(0, sites, 77 if sites else 0)
    same(cuda.select_sites(words, sites, index).to_host(), reference.pack(dense[:, index]))
    with pytest.raises(IndexError):
        cuda.select_sites(words, sites, np.array([sites]))


def test_bad_values_and_bits_are_found_there():
    dense = A.copy()
    dense[31, 599] = dense[40, 0] = 7
    with pytest.raises(ValueError, match="m: expected only 0 and 1, found 7 at row 31, column 599"):
        kernels.allele_counts(device_array(dense))
    with pytest.raises(ValueError, match="m: expected only 0 and 1, found -1 at row 2, column 3"):
        kernels.allele_counts(device_array(np.where(np.arange(30).reshape(3, 10) == 23, -1, 0).astype(np.int8)))
    words = reference.pack(A)
    words[[5, 9], -1] |= np.uint64(1 << 63)
    with pytest.raises(ValueError, match=r"m\[0\]: expected the 40 padding bits to be zero, found some set in row 5"):
        kernels.allele_counts((device_array(words), SITES))


def test_what_does_not_fit():
    words = device_array(reference.pack(A))
    with pytest.raises(TypeError, match="m: expected bool, int8 or uint8, found float32"):
        kernels.allele_counts(device_array(np.zeros((2, 3), np.float32)))
    with pytest.raises(ValueError, match="m: expected words of shape"):
        kernels.allele_counts((words, SITES + 64))
    with pytest.raises(ValueError, match="expected C-contiguous words"):
        kernels.allele_counts((ByInterface(words, shape=(35, 10), strides=(160, 8)), SITES))
    with pytest.raises(TypeError, match="expected host memory, found an array on a device"):
        kernels.kmer_counts((words, SITES), 3)
    host = reference.pack(A)
    with pytest.raises(ValueError, match="expected memory of a CUDA device"):
        kernels.allele_counts((ByInterface(words, data=(host.ctypes.data, False)), SITES))


def test_a_backend_of_the_cpu_is_refused(monkeypatch):
    with pytest.raises(MissingBackendError, match="backend: expected 'cuda' for an array on a device, found 'scalar'"):
        kernels.allele_counts(on_device(A), backend="scalar")
    monkeypatch.setenv("HAPFORGE_BACKEND", "scalar")
    with pytest.raises(MissingBackendError, match="expected 'cuda' for an array on a device, found 'scalar'"):
        kernels.allele_counts(on_device(A))


@only_emulated
def test_results_wait_for_the_stream_of_whoever_takes_them():
    """Nothing on STREAM has happened yet; the other stream must be told to wait for it."""
    found = kernels.allele_counts(on_device(A))
    capsule = found.__dlpack__(stream=0x2000)
    there = _backend.cuda().DeviceArray.from_dlpack(capsule, 0x2000, None, False)
    same(there.to_host(), A.sum(axis=0, dtype=np.int64))


@only_emulated
def test_memory_goes_back_behind_what_its_taker_has_queued():
    cuda = _backend.cuda()
    found = cuda.transpose(device_array(reference.pack(A)), SITES)
    there = cuda.DeviceArray.from_dlpack(found.__dlpack__(stream=0x2000), 0x2000, None, False)
    turned_back = cuda.transpose(there, ROWS)  # queued on 0x2000
    del found, there
    others = [device_array(np.ones((SITES, 2), np.uint64)) for _ in range(3)]  # wait for STREAM, and take memory of it
    same(turned_back.to_host(), reference.pack(A))
    assert len(others) == 3


@only_emulated
def test_inputs_of_two_streams():
    a, b = A[:, :576], B[:, :576]  # without padding, which would be looked at, and so waited for
    queued = _backend.cuda().transpose(device_array(reference.pack(a.T), 0x2000), ROWS)
    found = kernels.pairwise_hamming((device_array(reference.pack(b)), 576), (queued, 576))
    assert found.stream == STREAM
    same(found.to_host(), kernels.pairwise_hamming(b, a))


@only_emulated
def test_the_second_device():
    on_second = (device_array(reference.pack(A), device=1), SITES)
    found = kernels.nearest_neighbours(on_second)
    assert found.index.__dlpack_device__() == (2, 1)
    weights, biases = np.random.default_rng(0).normal(0, 1, (SITES, 9)), (np.zeros(SITES), np.zeros(9))
    state = kernels.gibbs(weights, *biases, on_second, steps=1, seed=1)
    assert state.visible[0].__dlpack_device__() == (2, 1)
    same(to_host(state.visible[0]), reference.pack(kernels.gibbs(weights, *biases, A, steps=1, seed=1).visible))
    ones = np.ones((2, ROWS), np.int32)
    same(to_host(kernels.bit_product(on_second, ones)), kernels.bit_product(A, ones))
    same(to_host(found), kernels.nearest_neighbours(A))
    with pytest.raises(ValueError, match="expected arrays on one device, found devices 1 and 0"):
        kernels.pairwise_hamming(on_second, on_device(B))


@only_emulated
@pytest.mark.parametrize("architecture", [750, 1000])
def test_architectures_with_other_matrix_instructions(monkeypatch, architecture):
    """75 has XOR of bits and small products of bytes, 100 no instruction on bits."""
    weights, chains = np.random.default_rng(0).normal(0, 1, (SITES, 70)), A[:40]
    calls = [
        lambda backend: kernels.pairwise_hamming(A, B, backend=backend),
        lambda backend: kernels.gibbs(weights, np.zeros(SITES), np.ones(70), chains, steps=2, seed=1, backend=backend),
    ]
    expected = [call("scalar") for call in calls]
    monkeypatch.setenv("HAPFORGE_EMULATED_ARCHITECTURE", str(architecture))
    for call, wanted in zip(calls, expected, strict=True):
        same(call("cuda"), wanted)


@only_emulated
@pytest.mark.parametrize("where", ["host", "device", "queued"])
def test_neighbours_of_sets_that_are_larger_than_the_device(monkeypatch, where):
    """Whole words, in which no padding is looked for: what is queued is not waited for before the search."""
    a, b = random_dense((800, 1088), seed=2), random_dense((700, 1088), seed=3)
    a[5], b[650] = b[9], b[9]

    def put(rows):
        turned = device_array(reference.pack(rows.T))
        return _backend.cuda().transpose(turned, len(rows)) if where == "queued" else device_array(reference.pack(rows))

    def search(kernel, *sets, free, **how):
        monkeypatch.delenv("HAPFORGE_EMULATED_BYTES", raising=False)
        own = 0 if where == "host" else sum(136 * len(rows) for rows in sets)
        there = sets if where == "host" else [(put(rows), 1088) for rows in sets]
        monkeypatch.setenv("HAPFORGE_EMULATED_BYTES", str(own + free))
        return to_host(kernel(*there, backend="cuda", **how))

    joint, nearest = kernels.joint_nearest_neighbours, kernels.nearest_neighbours
    for _ in range(2):  # with copies that are early and late
        same(search(joint, a, b, k=2, free=300_000), joint(a, b, k=2))  # lists take up 120,000, rows 294,000
        same(search(nearest, a, b, k=3, free=300_000), nearest(a, b, k=3))
        same(search(nearest, a, free=150_000), nearest(a))  # lists 16,000, rows 157,000
        apart = {"exclude_self": True}
        same(search(nearest, b[:600], a[:600], free=230_000, **apart), nearest(b[:600], a[:600], **apart))
    with pytest.raises(RuntimeError, match=r"^cudaMallocAsync: "):
        search(joint, a, b, free=40_000)


@only_emulated
@pytest.mark.parametrize("library", ["torch", "cupy", "jax", "numba"])
def test_results_are_arrays_of_the_callers_library(monkeypatch, library):
    """With a stand-in for the library: its current stream is taken, its own way makes the result."""
    words = device_array(reference.pack(A), 0x3000)
    taken = []

    def take(array):
        taken.append(array)
        return library, array

    stand_in = ModuleType(library)
    stand_in.from_dlpack = stand_in.as_cuda_array = take
    stand_in.dlpack = SimpleNamespace(from_dlpack=take)
    stand_in.config = SimpleNamespace(jax_enable_x64=True)
    stand_in.cuda = SimpleNamespace(
        current_stream=lambda device: SimpleNamespace(cuda_stream=0x3000),
        device=lambda device: nullcontext(),
        Device=lambda device: nullcontext(),
        get_current_stream=lambda: SimpleNamespace(ptr=0x3000),
    )
    monkeypatch.setitem(sys.modules, library, stand_in)
    if library == "numba":
        monkeypatch.setitem(sys.modules, "numba.cuda", stand_in)
    kind = ByInterface if library == "numba" else ByDLPack
    array = type("Array", (kind,), {"__module__": f"{library}.arrays"})(words)
    found = kernels.allele_counts((array, SITES))
    assert found == (library, taken[0])
    if library != "jax":  # it has no stream to ask for
        assert taken[0].stream == 0x3000
    same(taken[0].to_host(), A.sum(axis=0, dtype=np.int64))
    derived = type("Tensor", (type(array),), {"__module__": "somebody.elses"})(words)
    assert kernels.allele_counts((derived, SITES))[0] == library
    stand_in.config.jax_enable_x64 = False
    same(
        to_host(kernels.allele_counts((array, SITES))) if library == "jax" else found[1].to_host(),
        A.sum(0, dtype=np.int64),
    )


def test_host_input_goes_to_a_preferred_device(monkeypatch, assert_ran):
    expected, edges = kernels.pairwise_hamming(A), [0, 10, 100]
    with _backend.preferring_cuda():
        same(kernels.pairwise_hamming(A), expected)
        kernels.pairwise_hamming(A, backend="scalar")
        kernels.kmer_counts(A, 3)
        kernels.ld_decay(A, edges)
        moments = ld_moments(A, A, edges, [SITES], [SITES])  # runs on the CPU alone
    assert moments.num_pairs.sum() > 0
    with pytest.raises(AssertionError, match=r"ran on .*scalar"):
        assert_ran("pairwise_hamming", "cuda")
    monkeypatch.setenv("HAPFORGE_BACKEND", "scalar")
    with _backend.preferring_cuda():
        kernels.hamming_histogram(A)
    assert_ran("hamming_histogram", "scalar")
    assert not _backend.cuda_is_preferred()


def test_dlpack_capsules_are_used_once():
    array = device_array(A)
    cuda = _backend.cuda()
    for how in ({}, {"max_version": (1, 0)}):
        capsule = array.__dlpack__(stream=-1, **how)
        assert ("versioned" in repr(capsule)) == bool(how)
        cuda.DeviceArray.from_dlpack(capsule, 1, None, False)
        with pytest.raises(BufferError, match="that nobody has used"):
            cuda.DeviceArray.from_dlpack(capsule, 1, None, False)
    with pytest.raises(BufferError, match="dl_device"):
        array.__dlpack__(dl_device=(1, 0))
    with pytest.raises(BufferError, match="copy"):
        array.__dlpack__(copy=True)
    with pytest.raises(BufferError, match="expected memory of a CUDA device, found DLPack device type 1"):
        cuda.DeviceArray.from_dlpack(A.__dlpack__(), 1, None, False)


def test_torch_on_a_device():
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("this torch has no device")
    words = torch.from_numpy(reference.pack(A)).cuda()
    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        found = kernels.nearest_neighbours((words, SITES))
        assert found.index.is_cuda
        same(found.index.cpu().numpy(), kernels.nearest_neighbours(A).index)


def machine(backend):
    rng = np.random.default_rng(1)
    parts = rng.normal(0, 0.3, (SITES, 33)), rng.normal(0, 1, SITES), rng.normal(0, 1, 33)
    return kernels.GibbsMachine.rounded(*parts, fixed_point_bits=10, backend=backend)


def test_chains_and_their_counts_stay_on_the_device():
    args = {"seed": 5, "clamp": np.arange(SITES) % 4 == 0}
    host, cuda = machine("scalar"), machine("cuda")
    state = cuda.run(on_device(A), steps=1, **args)
    state = cuda.run((ByDLPack(state.visible[0]), SITES), steps=2, first_step=1, **args)
    counts = cuda.state_counts(state)
    assert [units for _, units in state] == [SITES, 33]
    assert {(words.device, words.stream) for words, _ in state} == {(0, 1)}  # that of a library we do not know
    del cuda  # what is queued still needs its weights
    expected = host.run(A, steps=3, **args)
    same(to_host([words for words, _ in state]), [reference.pack(units) for units in expected])
    same(to_host(counts), host.state_counts(expected))


def test_dense_chains_on_the_device():
    found, expected = (
        machine("cuda").run(on_device(A, "dense"), steps=2, seed=5),
        machine("scalar").run(A, steps=2, seed=5),
    )
    same(to_host(found), expected)


def test_gibbs_runs_where_the_chains_are():
    parts = np.ones((SITES, 3)), np.zeros(SITES), np.zeros(3)
    found = kernels.gibbs(*parts, on_device(A), steps=1, seed=5)
    same(found.hidden[0].to_host(), reference.pack(kernels.gibbs(*parts, A, steps=1, seed=5).hidden))
    with pytest.raises(MissingBackendError, match="expected 'cuda' for an array on a device, found 'scalar'"):
        kernels.gibbs(*parts, on_device(A), steps=1, seed=5, backend="scalar")
    with pytest.raises(TypeError, match=r"visible.*expected host memory"):
        machine("scalar").run(on_device(A), steps=1, seed=5)


def test_parameters_on_the_device():
    rng = np.random.default_rng(2)
    weights = rng.integers(-(2**17), 2**17, (SITES, 70)).astype(np.int32)
    biases = [rng.integers(-(2**17), 2**17, n).astype(np.int32) for n in weights.shape]
    there = [device_array(weights), ByInterface(device_array(biases[0])), biases[1]]
    found = kernels.GibbsMachine(*there, fixed_point_bits=16).run(on_device(A), steps=2, seed=1)
    expected = kernels.GibbsMachine(weights, *biases, fixed_point_bits=16, backend="scalar").run(A, steps=2, seed=1)
    same(to_host([words for words, _ in found]), [reference.pack(units) for units in expected])
    weights[5, 69] = -(2**26) - 1
    with pytest.raises(ValueError, match=r"expected at most 2\^26 in magnitude, found 67108865 for unit 69"):
        kernels.GibbsMachine(device_array(weights), *biases, fixed_point_bits=16)
    with pytest.raises(TypeError, match="weights: expected an array of int32, found uint32"):
        kernels.GibbsMachine(device_array(weights.view(np.uint32)), *biases, fixed_point_bits=16)
    with pytest.raises(MissingBackendError, match="expected 'cuda' for parameters on a device, found 'scalar'"):
        kernels.GibbsMachine(there[0], *biases, fixed_point_bits=16, backend="scalar")


def test_rectified_units_stay_on_the_cpu_while_cuda_is_preferred():
    parts = np.ones((SITES, 3)) / SITES, np.zeros(SITES), np.zeros(3)
    expected = kernels.gibbs(*parts, A, steps=1, seed=5, hidden="relu")
    with _backend.preferring_cuda():
        same(kernels.gibbs(*parts, A, steps=1, seed=5, hidden="relu"), expected)
    with pytest.raises(MissingBackendError, match="hidden='relu' runs on the CPU only"):
        kernels.gibbs(*parts, on_device(A), steps=1, seed=5, hidden="relu")

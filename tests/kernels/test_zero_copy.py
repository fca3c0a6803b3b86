"""Nothing that can be read in place is copied: by the address of what the kernels are given, and by peak memory."""

import subprocess
import sys

import numpy as np
import pytest

from hapforge import HaplotypeMatrix
from hapforge.kernels import allele_counts, nearest_neighbours
from hapforge.kernels._inputs import as_packed
from kernels.cases import random_dense
from reference import pack as reference

SITES = 130


def packed():
    return reference.pack(random_dense((9, SITES)))


def address(words, num_sites=SITES):
    """Where the words stand that a kernel reads."""
    return as_packed((words, num_sites), "m").words.ctypes.data


class Exporter:
    """Shows an array by DLPack alone; `versions` is what its __dlpack__ understands."""

    def __init__(self, array, versioned):
        self.array, self.asked = array, []
        if not versioned:
            self.__class__ = Unversioned

    def __dlpack_device__(self):
        return self.array.__dlpack_device__()

    def __dlpack__(self, **how):
        self.asked.append(how)
        return self.array.__dlpack__(**how)


class Unversioned(Exporter):
    """As the libraries did before DLPack 1.0: no keyword but `stream`."""

    def __dlpack__(self, *, stream=None):
        self.asked.append({})
        return self.array.__dlpack__(stream=stream)


def test_numpy_words():
    words = packed()
    assert address(words) == words.ctypes.data
    assert as_packed(HaplotypeMatrix.from_dense(random_dense((9, SITES))), "m").words.flags.c_contiguous
    words.flags.writeable = False
    assert address(words) == words.ctypes.data
    rows = words[2:5]
    assert address(rows) == words.ctypes.data + 2 * words.strides[0]


def test_memory_mapped_words(tmp_path):
    np.save(tmp_path / "words.npy", packed())
    words = np.load(tmp_path / "words.npy", mmap_mode="r")
    assert address(words) == words.ctypes.data
    assert np.array_equal(allele_counts((words, SITES)), random_dense((9, SITES)).sum(axis=0))


@pytest.mark.parametrize("versioned", [True, False])
def test_dlpack_words(versioned):
    exporter = Exporter(packed(), versioned)
    assert address(exporter) == exporter.array.ctypes.data
    assert ("max_version" in exporter.asked[-1]) == versioned
    assert np.array_equal(allele_counts((exporter, SITES)), random_dense((9, SITES)).sum(axis=0))


def test_read_only_words_come_by_versioned_dlpack():
    """The older protocol cannot say that memory is read-only, so numpy refuses to export it there."""
    words = packed()
    words.flags.writeable = False
    assert address(Exporter(words, versioned=True)) == words.ctypes.data
    with pytest.raises(TypeError, match=r"m\[0\]: expected an array that can be shared"):
        address(Exporter(words, versioned=False))


@pytest.mark.parametrize("versioned", [True, False])
def test_dense_arrays_by_dlpack(versioned):
    dense = random_dense((9, SITES))
    for dtype in (np.uint8, np.int8, np.bool_):
        for array in (dense.astype(dtype), np.asfortranarray(dense.astype(dtype)), dense.astype(dtype)[::2, 1::3]):
            found = as_packed(Exporter(array, versioned), "m")
            assert np.array_equal(found.words, reference.pack(array.astype(np.uint8)))


def test_torch_tensors():
    torch = pytest.importorskip("torch")
    words = torch.from_numpy(packed())
    assert address(words) == words.data_ptr()
    assert address(words[3:]) == words.data_ptr() + 3 * words.stride(0) * 8
    with pytest.raises(ValueError, match=r"m\[0\]: expected C-contiguous words"):
        address(words[:, :2], 128)
    dense = torch.from_numpy(random_dense((9, SITES)))
    expected = reference.pack(random_dense((9, SITES)))
    for tensor in (dense, dense.T.contiguous().T, dense.bool(), dense.to(torch.int8)):
        assert np.array_equal(as_packed(tensor, "m").words, expected)
    assert np.array_equal(as_packed(dense[::2, ::3], "m").words, reference.pack(dense[::2, ::3].numpy()))
    near = nearest_neighbours(dense)
    assert np.array_equal(near.index, nearest_neighbours((words, SITES)).index)


def test_words_that_cannot_be_read_in_place_are_refused():
    words = packed()
    for swapped in (words.astype(">u8"), words.byteswap().view(">u8")):
        with pytest.raises(TypeError, match=r"m\[0\]: expected packed words of dtype uint64, found >u8"):
            address(swapped)
    for apart in (np.asfortranarray(words), words[:, ::-1], words[::2], np.hstack([words, words])[:, :3]):
        with pytest.raises(ValueError, match=r"m\[0\]: expected C-contiguous words"):
            address(apart)
    raw = np.zeros(words.nbytes + 1, np.uint8)
    raw[1:] = words.view(np.uint8).ravel()
    with pytest.raises(ValueError, match="expected aligned memory"):
        allele_counts((raw[1:].view(np.uint64).reshape(words.shape), SITES))


MEASURE = """
import resource, sys
import numpy as np
from hapforge.kernels import allele_counts, nearest_neighbours
from hapforge.kernels._inputs import as_packed

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

class Exporter:
    def __init__(self, array):
        self.array = array
    def __dlpack_device__(self):
        return self.array.__dlpack_device__()
    def __dlpack__(self, **how):
        return self.array.__dlpack__(**how)

kind = sys.argv[1]
allele_counts(np.eye(200, dtype=np.uint8), threads=2)  # the pool is there
if kind == "words":
    array = np.ones((4000, 4096), np.uint64)
    value = (array, 4096 * 64)
elif kind == "dlpack":
    array = np.ones((4000, 4096), np.uint64)
    array.flags.writeable = False
    value = (Exporter(array), 4096 * 64)
elif kind == "dense":
    value = np.ones((4000, 32768), np.uint8)
else:
    value = np.ones((32768, 4000), np.uint8).T
before = peak()
allele_counts(value, threads=2)
print(before, peak() - before)
"""


@pytest.mark.parametrize(
    ("kind", "most_mib"),
    [
        ("words", 12),  # the result takes 2 MiB
        ("dlpack", 12),
        ("dense", 16 + 12),  # an eighth of the input: its packed words
        ("fortran", 16 + 64 + 12),  # and a block of 64 MiB
    ],
)
def test_peak_memory(kind, most_mib):
    """Inputs of 125 MiB; a copy would show."""
    done = subprocess.run([sys.executable, "-c", MEASURE, kind], capture_output=True, text=True, check=True)
    before, grown = map(float, done.stdout.split())
    assert before > 125
    assert grown < most_mib

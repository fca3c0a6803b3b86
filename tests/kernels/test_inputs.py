"""What every kernel accepts and refuses."""

import numpy as np
import pytest

import hapforge as hf
from hapforge.kernels import allele_counts
from hapforge.kernels._inputs import as_packed
from kernels.cases import random_dense
from reference import pack as reference


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8])
def test_dense_arrays(dtype):
    dense = random_dense((7, 100))
    packed = as_packed(dense.astype(dtype), "m")
    assert packed.num_sites == 100
    assert np.array_equal(packed.words, reference.pack(dense))


def test_a_matrix_and_words_are_taken_without_a_copy():
    m = hf.HaplotypeMatrix.from_dense(random_dense((6, 100)))
    assert as_packed(m, "m").words is m.words
    words = reference.pack(random_dense((7, 100)))
    words.flags.writeable = False
    assert np.shares_memory(as_packed((words, 100), "m").words, words)
    assert np.array_equal(allele_counts((words, 100)), reference.unpack(words, 100).sum(axis=0))


@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64, np.int16, object])
def test_other_dtypes_are_refused_with_a_hint(dtype):
    with pytest.raises(TypeError, match=r"m: expected bool, int8 or uint8, found .*; convert with .astype\(np.uint8\)"):
        as_packed(random_dense((3, 5)).astype(dtype), "m")
    with pytest.raises(TypeError, match=r"pass packed words as \(words, num_sites\)"):
        as_packed(np.zeros((3, 5), np.uint64), "m")


@pytest.mark.parametrize("value", [[[0, 1]], "path.vcf", None, 3, (1, 2, 3)])
def test_other_types_are_refused(value):
    with pytest.raises(TypeError, match="m: expected a HaplotypeMatrix, an array of 0 and 1, or"):
        as_packed(value, "m")


@pytest.mark.parametrize(("dtype", "value"), [(np.uint8, 2), (np.uint8, 255), (np.int8, -1), (np.int8, 3)])
def test_other_values_are_refused(dtype, value):
    dense = random_dense((7, 100)).astype(dtype)
    dense[3, 64] = value
    with pytest.raises(ValueError, match=f"^m: expected only 0 and 1, found {value} at row 3, column 64$"):
        as_packed(dense, "m")


@pytest.mark.parametrize("shape", [(5,), (2, 3, 4), ()])
def test_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=r"m: expected \(haplotypes, sites\), found shape"):
        as_packed(np.zeros(shape, np.uint8), "m")


def test_bad_words_are_refused():
    words = np.zeros((4, 2), np.uint64)
    words[2, 1] = np.uint64(1) << np.uint64(36)
    with pytest.raises(ValueError, match="expected the 28 padding bits to be zero, found some set in row 2"):
        as_packed((words, 100), "m")
    assert as_packed((words, 101), "m").num_sites == 101
    for num_sites in (0, 64, 129, -1):
        with pytest.raises(ValueError, match="m: expected words of shape"):
            as_packed((words, num_sites), "m")
    with pytest.raises(ValueError, match="expected C-contiguous words"):
        as_packed((np.zeros((4, 4), np.uint64)[:, ::2], 100), "m")
    with pytest.raises(TypeError, match=r"m\[0\]: expected packed words of dtype uint64, found int64"):
        as_packed((words.view(np.int64), 128), "m")
    with pytest.raises(TypeError, match=r"m\[1\]: expected the number of sites, found float"):
        as_packed((words, 100.0), "m")


def test_torch_tensors_come_through_dlpack():
    torch = pytest.importorskip("torch")
    dense = random_dense((7, 100))
    for dtype in (torch.uint8, torch.int8, torch.bool):
        assert np.array_equal(as_packed(torch.from_numpy(dense).to(dtype), "m").words, reference.pack(dense))
    words = torch.from_numpy(reference.pack(dense))
    assert np.array_equal(as_packed((words, 100), "m").words, reference.pack(dense))
    with pytest.raises(TypeError, match="expected bool, int8 or uint8, found float32"):
        as_packed(torch.zeros((2, 2)), "m")


class OnDevice:
    def __dlpack_device__(self):
        return (2, 0)


class CudaInterface:
    __cuda_array_interface__ = None


@pytest.mark.parametrize("value", [OnDevice(), CudaInterface(), (OnDevice(), 100)])
def test_device_memory_is_refused(value):
    with pytest.raises(TypeError, match="expected host memory, found an array on a device"):
        as_packed(value, "m")


def test_a_mask_is_not_dropped_silently() -> None:
    with pytest.raises(TypeError, match="masked"):
        hf.kernels.allele_counts(np.ma.masked_array(np.zeros((2, 3), np.uint8), mask=True))


def test_a_tensor_with_gradients_is_one_clear_error() -> None:
    torch = pytest.importorskip("torch")
    with pytest.raises(TypeError, match="m: expected an array that can be shared"):
        hf.kernels.allele_counts(torch.zeros((2, 3), requires_grad=True))

"""allele_counts against the reference, on every backend."""

import numpy as np
import pytest
from hypothesis import given

from hapforge.kernels import allele_counts, available_backends
from kernels.cases import SHAPES, dense_matrices, fills, random_dense
from reference import allele_counts as reference

BACKENDS = available_backends("allele_counts")
every_backend = pytest.mark.parametrize("backend", BACKENDS)


@every_backend
@pytest.mark.parametrize("shape", [*SHAPES, (1024, 600)], ids=str)
def test_all_shapes(backend, shape, assert_ran):
    for name, dense in fills(shape):
        found = allele_counts(dense, backend=backend, threads=1)
        assert found.dtype == np.int64, name
        assert np.array_equal(found, reference.allele_counts(dense)), name
    assert_ran("allele_counts", backend)


@every_backend
def test_results_are_the_same_on_any_number_of_threads(backend):
    dense = random_dense((300, 3000), density=0.1)
    for threads in (1, 2, 3, 16):
        found = allele_counts(dense, backend=backend, threads=threads)
        assert np.array_equal(found, reference.allele_counts(dense))


@every_backend
@given(dense=dense_matrices(max_rows=300, max_sites=150))
def test_rows_in_any_order_and_in_two_parts(backend, dense):
    whole = allele_counts(dense, backend=backend, threads=1)
    assert np.array_equal(allele_counts(dense[::-1], backend=backend, threads=1), whole)
    half = len(dense) // 2
    parts = [allele_counts(part, backend=backend, threads=1) for part in (dense[:half], dense[half:])]
    assert np.array_equal(parts[0] + parts[1], whole)

"""ld_matrix and ld_decay against float32 matrix products (NumPy, OpenBLAS on one thread)."""

import numpy as np
from workloads import cohort, every_backend, measure, write_results

from hapforge import HaplotypeMatrix
from hapforge.kernels import ld_decay, ld_matrix

N, MATRIX_SITES, DECAY_SITES, SPACING, BINS = 5008, 2000, 10_000, 100, 50


def polymorphic(num_sites: int) -> np.ndarray:
    dense = cohort(N, num_sites)
    dense[0], dense[1] = 0, 1
    return dense


def standardised(dense: np.ndarray) -> np.ndarray:
    """Columns of mean 0 and sum of squares 1: their products are correlations."""
    centred = np.ascontiguousarray(dense.T, dtype=np.float32)
    centred -= centred.mean(axis=1, keepdims=True)
    centred /= np.sqrt((centred * centred).sum(axis=1, keepdims=True))
    return centred


def blas_matrix(dense: np.ndarray) -> np.ndarray:
    z = standardised(dense)
    return (z @ z.T) ** 2


def blas_decay(dense: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Blocks of 1000 rows, each against the later sites; sites are equally spaced, so a bin is a band of diagonals."""
    z, sites = standardised(dense), np.arange(dense.shape[1])
    sums, pairs = np.zeros(len(edges) - 1), np.zeros(len(edges) - 1)
    for start in range(0, len(z), 1000):
        rows = sites[start : start + 1000]
        r2 = (z[rows] @ z[start:].T) ** 2
        bins = np.searchsorted(edges, (sites[None, start:] - rows[:, None]) * SPACING, side="right") - 1
        use = (sites[None, start:] > rows[:, None]) & (bins < len(sums))
        sums += np.bincount(bins[use], r2[use], len(sums))
        pairs += np.bincount(bins[use], minlength=len(sums))
    return sums / pairs


def main() -> None:
    dense = polymorphic(MATRIX_SITES)
    m = HaplotypeMatrix.from_dense(dense)
    expected = ld_matrix(m, backend="scalar", threads=1)
    entries = [
        measure(
            f"ld_matrix {MATRIX_SITES} sites x {N}",
            every_backend("joint_counts", lambda b: ld_matrix(m, backend=b, threads=1))
            | {"numpy, float32 product": lambda: blas_matrix(dense)},
            lambda answer: np.allclose(answer, expected, rtol=0, atol=5e-5),  # the peer is 1.5e-5 off float64
            repeats=3,
        )
    ]
    dense = polymorphic(DECAY_SITES)
    m = HaplotypeMatrix.from_dense(dense, positions=np.arange(1, DECAY_SITES + 1) * SPACING)
    edges = np.linspace(0, DECAY_SITES * SPACING, BINS + 1)
    means = ld_decay(m, edges, backend="scalar", threads=1).mean_r2
    entries.append(
        measure(
            f"ld_decay {DECAY_SITES} sites x {N}, all pairs, {BINS} bins",
            every_backend("joint_counts", lambda b: ld_decay(m, edges, backend=b, threads=1).mean_r2)
            | {"numpy, float32 product": lambda: blas_decay(dense, edges)},
            lambda answer: np.allclose(answer, means, rtol=1e-3, atol=0),
            repeats=3,
        )
    )
    write_results("joint_counts", entries, {"numpy": np.__version__})


if __name__ == "__main__":
    main()

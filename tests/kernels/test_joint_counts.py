"""joint_counts, ld_matrix and ld_decay against the reference, on every backend."""

import itertools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hapforge as hf
from hapforge import _backend
from hapforge.kernels import available_backends, joint_counts, ld_decay, ld_matrix
from hapforge.kernels.joint_counts import ld_moments
from kernels.cases import NUM_ROWS, dense_matrices, fills, random_dense
from reference import joint_counts as reference

BACKENDS = available_backends("joint_counts")
STATISTICS = ("r2", "r", "D", "D_prime")
CPU_BACKENDS = _backend.core.available_backends("joint_counts")
every_backend = pytest.mark.parametrize("backend", BACKENDS)
every_cpu_backend = pytest.mark.parametrize("backend", CPU_BACKENDS)


def linked_dense(n, num_sites, seed=0):
    """Neighbouring sites are correlated, a few are monomorphic."""
    rng = np.random.default_rng([seed, n, num_sites])
    founders = rng.integers(0, 2, (6, num_sites), dtype=np.uint8)
    switch = rng.random((n, num_sites)) < 0.1
    copied = np.where(switch, rng.integers(0, 6, (n, num_sites)), 0).cumsum(axis=1) % 6
    dense = np.take_along_axis(founders, copied, axis=0)
    dense[:, rng.random(num_sites) < 0.05] = 0
    dense[:, rng.random(num_sites) < 0.05] = 1
    return dense


@every_backend
@pytest.mark.parametrize("n", NUM_ROWS)
def test_joint_counts_of_all_pairs(backend, n, assert_ran):
    for name, dense in fills((n, 70)):
        wide = dense.astype(np.int64)
        found = joint_counts(dense, backend=backend, threads=1)
        assert found.dtype == np.int64, name
        assert np.array_equal(found, wide.T @ wide), name
    assert_ran("joint_counts", backend)


@every_backend
@pytest.mark.parametrize("n", [2047, 2049, 8191, 8193, 20_000])
def test_joint_counts_of_many_haplotypes(backend, n):
    """Past the words that are handled at a time, 32 (AVX2) and 128; columns past a register block."""
    dense = random_dense((n, 33))
    wide = dense.astype(np.float64)
    assert np.array_equal(joint_counts(dense, backend=backend, threads=2), wide.T @ wide)
    ones = np.ones((n, 9), np.uint8)
    assert (joint_counts(ones, backend=backend) == n).all()


@every_backend
@pytest.mark.parametrize("num_sites", [1, 7, 8, 9, 23, 25, 63, 65, 95, 97, 161, 200])
def test_joint_counts_of_many_sites(backend, num_sites):
    dense = random_dense((70, num_sites))
    wide = dense.astype(np.int64)
    assert np.array_equal(joint_counts(dense, backend=backend, threads=2), wide.T @ wide)


@every_backend
@pytest.mark.parametrize("n", [1, 64, 8000, 20_000])
def test_joint_counts_of_some_pairs(backend, n):
    dense = random_dense((n, 9))
    pairs = [(0, 0), (8, 1), (1, 8), (8, 8), (3, 4)]
    assert np.array_equal(joint_counts(dense, pairs, backend=backend), reference.joint_counts(dense, pairs))
    many = np.random.default_rng(0).integers(0, 9, (3000, 2))
    assert np.array_equal(
        joint_counts(dense, many, backend=backend, threads=2), joint_counts(dense, backend=backend)[*many.T]
    )
    assert joint_counts(dense, np.empty((0, 2), int), backend=backend).shape == (0,)


@every_backend
@pytest.mark.parametrize("statistic", STATISTICS)
@pytest.mark.parametrize(("n", "num_sites"), [(0, 2), (1, 3), (2, 5), (40, 0), (40, 1), (64, 67), (100, 130)])
def test_ld_matrix(backend, statistic, n, num_sites, assert_ran):
    dense = linked_dense(n, num_sites)
    found = ld_matrix(dense, statistic=statistic, backend=backend, threads=1)
    assert found.dtype == np.float32
    polymorphic = dense.any(axis=0) & ~dense.all(axis=0)
    if n:
        # The reference's own rounding in double, then one rounding to float32: below 2^-23 of values up to 1.
        expected = reference.ld_matrix(dense, statistic)
        np.testing.assert_allclose(found, expected, rtol=0, atol=2e-7, equal_nan=True)
    assert np.array_equal(found, found.T, equal_nan=True)
    if statistic == "D":
        p = dense[:, polymorphic].sum(axis=0) / max(n, 1)
        np.testing.assert_allclose(found.diagonal()[polymorphic], p * (1 - p), rtol=1e-6)
    else:
        assert (found.diagonal()[polymorphic] == 1).all()
    assert np.isnan(found[~polymorphic]).all()
    assert np.isfinite(found[np.ix_(polymorphic, polymorphic)]).all()
    assert_ran("ld_matrix", backend)


def test_linkage_worked_by_hand():
    """Haplotypes AB, AB, Ab, ab, ab: p = 3/5 and 2/5, p(AB) = 2/5, D = 4/25, which is all it can be."""
    dense = np.array([[1, 1], [1, 1], [1, 0], [0, 0], [0, 0]], np.uint8)
    found = {s: float(ld_matrix(dense, statistic=s)[0, 1]) for s in STATISTICS}
    assert found == pytest.approx({"r2": 4 / 9, "r": 2 / 3, "D": 4 / 25, "D_prime": 1.0}, rel=1e-7)
    flipped = dense ^ np.array([0, 1], np.uint8)
    found = {s: float(ld_matrix(flipped, statistic=s)[0, 1]) for s in STATISTICS}
    assert found == pytest.approx({"r2": 4 / 9, "r": -2 / 3, "D": -4 / 25, "D_prime": -1.0}, rel=1e-7)


def test_ld_matrix_of_some_sites():
    dense = linked_dense(50, 100)
    whole = ld_matrix(dense)
    index = np.array([99, 3, 3, 64])
    assert np.array_equal(ld_matrix(dense, index), whole[np.ix_(index, index)], equal_nan=True)
    mask = np.arange(100) % 3 == 0
    assert np.array_equal(ld_matrix(dense, mask), whole[np.ix_(mask, mask)], equal_nan=True)


def test_r2_by_hand():
    """n = 4, c_i = 2, c_j = 1, n11 = 1: (4 - 2)^2 / (2 2 1 3) = 1/3."""
    dense = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], dtype=np.uint8)
    assert ld_matrix(dense)[0, 1] == np.float32(1 / 3)
    assert ld_decay(dense, [1, 2]).mean_r2[0] == 1 / 3


def cohort(n, num_sites, contigs, seed=0):
    """Sites with repeated positions and gaps, on contigs of unequal sizes."""
    rng = np.random.default_rng([seed, n, num_sites])
    contig = np.sort(rng.integers(0, contigs, num_sites))
    position = np.cumsum(rng.integers(0, 30, num_sites))
    for c in range(contigs):
        position[contig == c] -= position[contig == c].min(initial=10**9) - 1
    return hf.HaplotypeMatrix.from_dense(
        linked_dense(n, num_sites, seed), positions=position, contig=[f"chr{c}" for c in contig]
    )


@every_backend
@pytest.mark.parametrize(("num_sites", "contigs"), [(1, 1), (2, 1), (64, 3), (130, 1), (200, 2), (300, 4)])
@pytest.mark.parametrize("edges", [[0, 1], [1, 50, 51, 400], [0, 10, 10.5, 100.5, 3000], [200, 1e9]], ids=str)
def test_ld_decay(backend, num_sites, contigs, edges, assert_ran):
    m = cohort(30, num_sites, contigs)
    found = ld_decay(m, edges, backend=backend, threads=1)
    mean, num_pairs = slow_decay(m, edges)
    assert found.edges.tolist() == edges
    assert np.array_equal(found.num_pairs, num_pairs)
    # Up to 3e4 additions of values up to 1 in double precision.
    np.testing.assert_allclose(found.mean_r2, mean, rtol=1e-12, atol=1e-12, equal_nan=True)
    if num_sites > 1:
        assert_ran("ld_decay", backend)


def slow_decay(m, edges):
    """The reference's ld_decay from a matrix of r2, which is quicker."""
    dense, position = m.to_dense().astype(np.int64), m.sites.position
    n, carriers = m.num_haplotypes, dense.sum(axis=0)
    spread = (carriers * (n - carriers)).astype(float)
    with np.errstate(invalid="ignore"):
        r2 = (n * dense.T @ dense - np.outer(carriers, carriers)) ** 2 / np.outer(spread, spread)
    i, j = np.triu_indices(m.num_sites, 1)
    use = (m.sites.contig[i] == m.sites.contig[j]) & ~np.isnan(r2[i, j])
    distance, value = (position[j] - position[i])[use], r2[i, j][use]
    bins = [value[(low <= distance) & (distance < high)] for low, high in itertools.pairwise(edges)]
    return np.array([b.mean() if len(b) else np.nan for b in bins]), [len(b) for b in bins]


def test_ld_decay_matches_the_reference():
    m = cohort(20, 60, 3)
    edges = [0, 5, 100, 600]
    mean, num_pairs = reference.ld_decay(m.to_dense(), m.sites.position, m.sites.contig, edges)
    found = ld_decay(m, edges)
    assert np.array_equal(found.num_pairs, num_pairs)
    np.testing.assert_allclose(found.mean_r2, mean, rtol=1e-12, equal_nan=True)


def assert_same_decay(found, expected, backend):
    """To the last bit; "cuda" rounds each r2 to 2**-40."""
    assert np.array_equal(found.num_pairs, expected.num_pairs)
    if backend == "cuda":
        np.testing.assert_allclose(found.mean_r2, expected.mean_r2, rtol=0, atol=2**-40, equal_nan=True)
    else:
        assert found.mean_r2.tobytes() == expected.mean_r2.tobytes()


def test_ld_decay_is_the_same_to_the_last_bit_everywhere():
    m = cohort(100, 700, 3)
    edges = np.linspace(0, 5000, 30)
    one = ld_decay(m, edges, backend="scalar", threads=1)
    for backend in BACKENDS:
        for threads in (1, 2, 3, 16):
            assert_same_decay(ld_decay(m, edges, backend=backend, threads=threads), one, backend)


def test_ld_decay_without_positions_counts_sites():
    dense = linked_dense(30, 80)
    bare = ld_decay(dense, [1, 2, 40])
    matrix = ld_decay(hf.HaplotypeMatrix.from_dense(dense), [1, 2, 40])
    assert np.array_equal(bare.num_pairs, matrix.num_pairs)
    assert np.array_equal(bare.mean_r2, matrix.mean_r2)


def test_ld_decay_of_fewer_pairs():
    m = cohort(50, 400, 2)
    edges = [0, 100, 1000, 2000]
    everything = ld_decay(m, edges)
    total = int(everything.num_pairs.sum())
    assert np.array_equal(ld_decay(m, edges, max_pairs=total).num_pairs, everything.num_pairs)
    some = ld_decay(m, edges, max_pairs=total // 4)
    assert total // 5 < some.num_pairs.sum() <= total // 4
    again = ld_decay(m, edges, max_pairs=total // 4, threads=3)
    assert np.array_equal(some.num_pairs, again.num_pairs)
    assert some.mean_r2.tobytes() == again.mean_r2.tobytes()
    # The pairs of each site drawn: their sum, taken over the sites one by one, is the sum over all of them.
    assert (np.abs(some.mean_r2 - everything.mean_r2) < 0.05).all()
    assert ld_decay(m, edges, max_pairs=1).num_pairs.sum() > 0


@every_backend
@given(dense=dense_matrices(min_rows=2, max_rows=70, max_sites=40), data=st.data())
def test_properties(backend, dense, data):
    n, num_sites = dense.shape
    r2 = ld_matrix(dense, backend=backend, threads=1)
    finite = r2[~np.isnan(r2)]
    assert ((finite >= 0) & (finite <= 1)).all()
    rows = np.array(data.draw(st.permutations(range(n))))
    flips = np.array(data.draw(st.lists(st.integers(0, 1), min_size=num_sites, max_size=num_sites)), dtype=np.uint8)
    assert np.array_equal(ld_matrix(dense[rows] ^ flips, backend=backend), r2, equal_nan=True)


@st.composite
def cohorts(draw):
    """Haplotypes around the word and the register blocks; rare, common and fixed alleles; sites that share a place."""
    n = draw(st.sampled_from([1, 2, 3, 63, 64, 65, 127, 129, 200]))
    num_sites = draw(st.integers(0, 150))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    dense = (rng.random((n, num_sites)) < rng.choice([0, 0.01, 0.3, 0.5, 0.99, 1], num_sites)).astype(np.uint8)
    contigs = np.sort(rng.integers(0, draw(st.integers(1, 3)), num_sites))
    position = np.empty(num_sites, np.int64)
    for contig in np.unique(contigs):
        here = contigs == contig
        position[here] = 1 + np.cumsum(rng.integers(0, 20, here.sum()))
    edges = np.unique(rng.integers(0, 1500, draw(st.integers(2, 40))))
    if len(edges) < 2:
        edges = np.array([0, 10])
    m = hf.HaplotypeMatrix.from_dense(dense, positions=position, contig=[f"chr{c}" for c in contigs])
    return m, edges


@given(cohort=cohorts(), max_pairs=st.none() | st.integers(1, 3000))
def test_every_backend_gives_the_same_bits(cohort, max_pairs):
    m, edges = cohort
    one = ld_decay(m, edges, max_pairs, backend="scalar", threads=1)
    dense = m.to_dense()
    carriers = dense.sum(axis=0)
    assert one.num_monomorphic == np.count_nonzero((carriers == 0) | (carriers == m.num_haplotypes))
    if max_pairs is None:
        mean, num_pairs = slow_decay(m, edges)
        assert np.array_equal(one.num_pairs, num_pairs)
        np.testing.assert_allclose(one.mean_r2, mean, rtol=1e-12, atol=1e-12, equal_nan=True)
    counts = dense.astype(np.int64).T @ dense.astype(np.int64)
    matrices = {s: ld_matrix(m, statistic=s, backend="scalar", threads=1) for s in STATISTICS}
    for backend, threads in itertools.product(BACKENDS, (1, 3)):
        assert_same_decay(ld_decay(m, edges, max_pairs, backend=backend, threads=threads), one, backend)
        assert np.array_equal(joint_counts(m, backend=backend, threads=threads), counts)
        for statistic, expected in matrices.items():
            again = ld_matrix(m, statistic=statistic, backend=backend, threads=threads)
            assert again.tobytes() == expected.tobytes()


@every_cpu_backend
def test_padding_bits_are_never_counted(backend):
    """Wrappers refuse words whose padding bits are set; the compiled functions do not need to trust them."""
    core, (n, num_sites) = _backend.core, (65, 77)
    dense = linked_dense(n, num_sites)
    dense[:2] = [[0], [1]]  # polymorphic
    clean = _backend.pack(dense)
    dirty = clean | np.array([0, -1 << num_sites % 64], np.int64).view(np.uint64)
    position, end = np.arange(num_sites), np.full(num_sites, num_sites)
    edges = np.array([1, 5, 70])
    for call in (
        lambda words: core.joint_counts(words, num_sites, backend, 1),
        lambda words: core.ld_matrix(words, num_sites, "r2", backend, 1),
        lambda words: core.ld_decay(words, num_sites, position, end, position, edges, backend, 1)[0],
        lambda words: core.compare_ld(
            words, clean, num_sites, position, end, position, edges, end[:1], end[:1], backend, 1
        )[0],
    ):
        assert np.array_equal(call(dirty), call(clean))


def ends_of(cuts, num_sites):
    """One past the last site of each part, and the part of each site."""
    return [*cuts, num_sites], np.searchsorted(cuts, np.arange(num_sites), side="right")


@every_cpu_backend
@pytest.mark.parametrize(("num_sites", "contigs"), [(1, 1), (2, 1), (9, 2), (70, 1), (70, 3)])
@pytest.mark.parametrize("edges", [[0, 1e9], [1, 50, 51, 400], [0, 10, 10.5, 100.5]], ids=str)
def test_ld_moments(backend, num_sites, contigs, edges, assert_ran):
    """Cohorts of unequal sizes; sites fixed in one of them; blocks and cells of no site."""
    a, b = cohort(30, num_sites, contigs), cohort(131, num_sites, contigs, seed=1).to_dense()
    position, contig = a.sites.position, a.sites.contig
    b = hf.HaplotypeMatrix.from_dense(b, positions=position, contig=contig)
    blocks, block = ends_of([num_sites // 3, num_sites // 3], num_sites)
    cells, cell = ends_of(sorted({*blocks[:-1], num_sites // 2, num_sites // 5}), num_sites)
    found = ld_moments(a, b, edges, blocks, cells, backend=backend, threads=1)
    expected = reference.ld_moments(a.to_dense(), b.to_dense(), position, contig, edges, block, cell)
    for ours, right in zip(found, expected, strict=True):
        whole = np.zeros(ours.shape, ours.dtype)  # parts at the end that have no site
        whole[tuple(map(slice, right.shape))] = right
        # Up to 2415 additions of values up to 1 in double precision.
        np.testing.assert_allclose(ours, whole, rtol=1e-12, atol=1e-12)
    if num_sites > 1:
        assert_ran("compare_ld", backend)


def test_ld_moments_of_nothing():
    empty = np.zeros((5, 0), np.uint8)
    assert ld_moments(empty, empty, [0, 10], [0], [0]).num_pairs.tolist() == [[[0]]]
    dense = random_dense((5, 10))
    assert ld_moments(dense, dense, [0.2, 0.4], [10], [10]).num_pairs.tolist() == [[[0]]]


def test_moments_by_hand():
    """r2 of the pair is 1/3 (above) and, with 2 of 4 carriers each and 1 of both, 0; then 1/3 and 1."""
    a = np.array([[1, 1], [1, 0], [0, 0], [0, 0]], dtype=np.uint8)
    b = np.array([[1, 1], [1, 0], [0, 1], [0, 0]], dtype=np.uint8)
    assert ld_moments(a, b, [1, 2], [2], [2]).moments.ravel().tolist() == [1 / 3, 0, 1 / 9, 0, 0]
    same = ld_moments(a, a[:, [0, 0]], [1, 2], [1, 2], [1, 2])
    assert same.moments[0, 1, 0].tolist() == [1 / 3, 1, 1 / 9, 1, 1 / 3]
    assert same.cell_sums.tolist() == [[[0, 0], [1 / 3, 1]], [[0, 0], [0, 0]]]


@given(pair=st.tuples(cohorts(), cohorts()), data=st.data())
def test_moments_are_the_same_to_the_last_bit_everywhere(pair, data):
    (a, edges), (other, _) = pair
    a = a.select_sites(np.arange(min(a.num_sites, other.num_sites)))
    b = other.select_sites(np.arange(a.num_sites))
    cuts = sorted(data.draw(st.lists(st.integers(0, a.num_sites), max_size=9)))
    blocks, cells = [*cuts[::2], a.num_sites], [*cuts, a.num_sites]
    one = ld_moments(a, b, edges, blocks, cells, backend="scalar", threads=1)
    for backend, threads in itertools.product(CPU_BACKENDS, (1, 3)):
        found = ld_moments(a, b, edges, blocks, cells, backend=backend, threads=threads)
        assert all(x.tobytes() == y.tobytes() for x, y in zip(found, one, strict=True))
    counts = [m.to_dense().sum(axis=0) for m in (a, b)]
    both = (counts[0] % a.num_haplotypes > 0) & (counts[1] % b.num_haplotypes > 0)
    for k, m in enumerate((a, hf.HaplotypeMatrix.from_dense(b.to_dense(), a.sites.position, a.sites.contig))):
        decay = ld_decay(m.select_sites(both), edges)
        assert np.array_equal(one.num_pairs.sum((0, 1)), decay.num_pairs)
        np.testing.assert_allclose(
            one.moments[..., k].sum((0, 1)), np.nan_to_num(decay.mean_r2) * decay.num_pairs, rtol=1e-12
        )
    assert one.cell_pairs.sum() == one.num_pairs.sum()
    np.testing.assert_allclose(one.cell_sums.sum((0, 1)), one.moments.sum((0, 1, 2))[:2], rtol=1e-12)


@pytest.mark.parametrize("size", [8, 40, 64, 200, 1300])
def test_cells_of_any_size_give_the_same_sums(size):
    """Past 504 partners, what a tile holds, and 64 openers, what a task holds."""
    a, b = linked_dense(70, 1300), linked_dense(90, 1300, seed=5)
    edges = np.geomspace(1, 1300, 12)
    cells = [*range(size, 1300, size), 1300]
    found = ld_moments(a, b, edges, [1300], cells, threads=2)
    whole = ld_moments(a, b, edges, [1300], [1300], backend="scalar", threads=1)
    assert np.array_equal(found.num_pairs, whole.num_pairs)
    np.testing.assert_allclose(found.moments, whole.moments, rtol=1e-12)
    r2 = ld_matrix(b).astype(float)[:size, -(1300 - cells[-2] if len(cells) > 1 else 1300) :]
    if len(cells) > 1:
        varies = ~np.isnan(ld_matrix(a)[:size, -r2.shape[1] :])
        assert found.cell_pairs[0, -1] == np.count_nonzero(varies & ~np.isnan(r2))
        assert found.cell_sums[0, -1, 1] == pytest.approx(np.nansum(r2[varies]), rel=1e-6)


def test_ld_decay_needs_no_more_memory_than_it_says():
    """All pairs of 30,000 sites, whose matrix would be 3.6 GB: the input's 1.9 MB once more and little besides."""
    code = """
import numpy as np
from hapforge.kernels import ld_decay

def memory_kb(field):
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith(field))

rng = np.random.default_rng(0)
words = rng.integers(0, 2**63, (512, 469), dtype=np.uint64) & np.uint64(2**63 - 1)
words[:, -1] &= np.uint64(2**48 - 1)
edges = np.linspace(0, 30_000, 101)
ld_decay((words[:, :4].copy(), 256), edges, threads=2)
before = memory_kb("VmRSS")
pairs = ld_decay((words, 30_000), edges, threads=2).num_pairs.sum()
print(pairs, memory_kb("VmHWM") - before)
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    polymorphic = 30_000 - 468  # bit 63 of each whole word is zero
    assert int(found[0]) == polymorphic * (polymorphic - 1) // 2
    assert int(found[1]) < 12_000


def test_bad_calls():
    dense = random_dense((5, 10))
    with pytest.raises(IndexError, match="pairs: 10 is out of range for 10 sites"):
        joint_counts(dense, [(0, 10)])
    with pytest.raises(ValueError, match=r"pairs: expected shape \(n, 2\), found \(2,\)"):
        joint_counts(dense, [0, 1])
    with pytest.raises(TypeError, match="pairs: expected integers, found float64"):
        joint_counts(dense, [(0.0, 1.0)])
    with pytest.raises(IndexError, match="out of range for 10 sites"):
        ld_matrix(dense, [-1])
    with pytest.raises(ValueError, match=r"sites: expected a mask of 10, found shape \(9,\)"):
        ld_matrix(dense, np.ones(9, bool))
    with pytest.raises(ValueError, match="statistic: expected one of r2, r, D, D_prime, found 'd'"):
        ld_matrix(dense, statistic="d")
    with pytest.raises(ValueError, match=r"at most 2 GiB.*ld_decay"):
        ld_matrix((np.zeros((2, 400), np.uint64), 25_600))
    for edges in ([1], [], [0, 0], [2, 1], [-1, 5], [0, np.nan], [0, np.inf], [[0, 1]]):
        with pytest.raises(ValueError, match="edges_bp"):
            ld_decay(dense, edges)
    for ends in ([], [9], [3, 2, 10], [11]):
        with pytest.raises(ValueError, match="block_end: expected ascending ends up to 10"):
            ld_moments(dense, dense, [0, 1], ends, [10])
        with pytest.raises(ValueError, match="cell_end: expected ascending ends up to 10"):
            ld_moments(dense, dense, [0, 1], [10], ends)
    with pytest.raises(ValueError, match="cell_end: expected every end of a block among them"):
        ld_moments(dense, dense, [0, 1], [4, 10], [5, 10])
    with pytest.raises(ValueError, match="b: expected the 10 sites of a, found 9"):
        ld_moments(dense, dense[:, :9], [0, 1], [10], [10])
    with pytest.raises(ValueError, match="max_pairs: expected 1 or more, found 0"):
        ld_decay(dense, [0, 1], max_pairs=0)


def test_an_edge_beyond_any_position() -> None:
    dense = np.random.default_rng(1).integers(0, 2, (20, 30), dtype=np.uint8)
    far = hf.kernels.ld_decay(dense, [0, 1e19])
    assert far.num_pairs.tolist() == hf.kernels.ld_decay(dense, [0, 100]).num_pairs.tolist()

"""Distance bins, blocks and cells of sites, and sampled pairs against every pair written out."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.kernels import ld_decay, ld_matrix
from hapforge.stats import ld_distance_edges, sample_site_pairs, sampled_ld_decay
from hapforge.stats.ld import cell_ends, ld_cells, r2_of_pairs, site_blocks


def pair_table(cohort: hf.HaplotypeMatrix) -> list[tuple[int, int, int, float]]:
    """(site i, site j, distance, r²) of all pairs of polymorphic sites of a contig, by numpy's correlation."""
    x = cohort.to_dense().astype(float)
    position, contig = cohort.sites.position, cohort.sites.contig
    varying = [j for j in range(cohort.num_sites) if 0 < x[:, j].mean() < 1]
    return [
        (i, j, int(position[j] - position[i]), float(np.corrcoef(x[:, i], x[:, j])[0, 1] ** 2))
        for i in varying
        for j in varying
        if i < j and contig[i] == contig[j]
    ]


@pytest.fixture
def linked_cohort(rng: np.random.Generator) -> hf.HaplotypeMatrix:
    """40 x 90 on two contigs: neighbours alike, some sites monomorphic, some positions twice."""
    x = (rng.random((40, 90)).cumsum(axis=1) * 1.7 % 2 < 1).astype(np.uint8)
    x[:, [7, 60]] = 0
    x[:, 20] = 1
    position = np.sort(rng.integers(1, 3000, 90))
    position[50:] = np.sort(position[50:] - position[50] + 1)
    position[31] = position[30]
    return hf.HaplotypeMatrix.from_dense(x, positions=position, contig=["3"] * 50 + ["4"] * 40)


def test_edges_cover_every_distance(linked_cohort: hf.HaplotypeMatrix) -> None:
    edges = ld_distance_edges(linked_cohort.sites)
    distances = [d for _, _, d, _ in pair_table(linked_cohort)]
    assert edges[0] == 1
    assert edges[-1] > max(distances)
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= 51
    assert np.array_equal(edges, edges.round())
    counted = ld_decay(linked_cohort, edges).num_pairs.sum()
    assert counted == sum(d >= 1 for d in distances)


def test_edges_need_two_positions() -> None:
    sites = hf.Sites([5, 5, 9], contig=["1", "1", "2"])
    with pytest.raises(ValueError, match="two at different positions"):
        ld_distance_edges(sites)


def test_blocks_are_even() -> None:
    assert site_blocks(100, 20).tolist() == list(range(0, 101, 5))
    assert site_blocks(7, 20).tolist() == [0, 2, 5, 7]
    assert site_blocks(1, 20).tolist() == [0, 1]
    many = site_blocks(5200, 20)
    assert (many[:-1] % 64 == 0).all()
    assert many[-1] == 5200
    assert np.diff(many).min() > 150


@pytest.mark.parametrize(
    ("num_sites", "size", "cells"),
    [
        *[(0, 0, 1), (1, 1, 1), (200, 1, 200), (201, 2, 101), (805, 5, 161), (4096, 21, 196)],
        *[(4097, 32, 129), (10_000, 64, 157), (65_535, 352, 187)],
    ],
)
def test_cells_are_even(num_sites: int, size: int, cells: int) -> None:
    ends = cell_ends(num_sites)
    assert len(ends) == cells
    assert ends[0] == size
    assert ends[-1] == num_sites
    assert (np.diff(ends)[:-1] == size).all()


@pytest.mark.parametrize("ends", [[90], [30, 50, 90], [45, 90], [3, 20, 21, 22, 55, 90]])
def test_cells_are_the_means_of_their_pairs(linked_cohort: hf.HaplotypeMatrix, ends: list[int]) -> None:
    """Cells of one site, and cells across the contigs, whose pairs do not count."""
    x = linked_cohort.to_dense()
    x[0, [7, 60]], x[0, 20] = 1, 0
    sites = linked_cohort.sites
    varying = hf.HaplotypeMatrix.from_dense(x, positions=sites.position, contig=sites.contig)
    found = ld_cells(varying, np.array(ends))
    cell = np.searchsorted(ends, np.arange(90), side="right")
    values: dict[tuple[int, int], list[float]] = {}
    for i, j, _, r2 in pair_table(varying):
        values.setdefault((cell[i], cell[j]), []).append(r2)
    expected = np.full((len(ends), len(ends)), np.nan)
    for (a, b), some in values.items():
        expected[a, b] = expected[b, a] = np.mean(some)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(ValueError, match="expected at most 4096 sites, found 4097"):
        ld_cells(hf.HaplotypeMatrix.from_dense(np.eye(2, 4097, dtype=np.uint8)), np.array([4097]))


def test_r2_of_pairs(linked_cohort: hf.HaplotypeMatrix) -> None:
    pairs = np.array([(0, 1), (1, 0), (3, 3), (7, 8), (89, 40)])
    matrix = ld_matrix(linked_cohort)
    np.testing.assert_allclose(r2_of_pairs(linked_cohort, pairs), matrix[*pairs.T], rtol=1e-6)
    assert np.isnan(r2_of_pairs(linked_cohort, pairs)[3])
    assert r2_of_pairs(linked_cohort, np.empty((0, 2), np.int64)).shape == (0,)


def test_every_pair_once_where_there_are_few(linked_cohort: hf.HaplotypeMatrix) -> None:
    edges = np.array([0.0, 1.0, 30.0, 200.0, 900.0, 5000.0, 6000.0])
    pairs = sample_site_pairs(linked_cohort.sites, edges, 6 * 4000)
    sites = linked_cohort.sites
    everything = {
        (i, j): int(sites.position[j] - sites.position[i])
        for i in range(90)
        for j in range(i + 1, 90)
        if sites.contig[i] == sites.contig[j]
    }
    assert len(pairs.index) == len(everything)
    assert {(int(i), int(j)) for i, j in pairs.index} == set(everything)
    distance = np.array([everything[int(i), int(j)] for i, j in pairs.index])
    assert np.array_equal(np.searchsorted(edges, distance, side="right") - 1, pairs.bin)
    assert pairs.complete.all()
    found, exact = sampled_ld_decay(linked_cohort, edges, 6 * 4000), ld_decay(linked_cohort, edges)
    np.testing.assert_allclose(found.mean_r2, exact.mean_r2, rtol=1e-12)
    assert np.array_equal(found.num_pairs, exact.num_pairs)
    assert np.array_equal(found.standard_error, np.where(exact.num_pairs > 0, 0, np.nan), equal_nan=True)


def test_sampled_pairs_depend_on_positions_and_seed_only(
    linked_cohort: hf.HaplotypeMatrix, rng: np.random.Generator
) -> None:
    edges = np.array([1.0, 30.0, 200.0, 900.0])
    pairs = sample_site_pairs(linked_cohort.sites, edges, 300, seed=4)
    assert pairs.num_drawn.tolist() == [min(100, n) for n in pairs.num_possible]
    assert np.array_equal(pairs.index, sample_site_pairs(linked_cohort.sites, edges, 300, seed=4).index)
    assert not np.array_equal(pairs.index, sample_site_pairs(linked_cohort.sites, edges, 300, seed=5).index)
    distance = np.diff(linked_cohort.sites.position[pairs.index], axis=1)[:, 0]
    assert np.array_equal(np.searchsorted(edges, distance, side="right") - 1, pairs.bin)
    assert (linked_cohort.sites.contig[pairs.index[:, 0]] == linked_cohort.sites.contig[pairs.index[:, 1]]).all()
    for one, text in (([1.0], "two or more"), ([2.0, 1.0], "ascending"), ([-1.0, 1.0], "from 0 up")):
        with pytest.raises(ValueError, match=f"edges_bp: .*{text}"):
            sample_site_pairs(linked_cohort.sites, np.array(one), 300)
    with pytest.raises(ValueError, match="num_pairs: expected at least one per bin, 3, found 2"):
        sample_site_pairs(linked_cohort.sites, edges, 2)
    assert len(sample_site_pairs(hf.Sites([]), edges, 300).index) == 0


def test_pairs_of_a_bin_are_equally_likely() -> None:
    """All 190 pairs of 20 sites in one bin with more pairs than draws: 94,500 draws fit a uniform distribution."""
    sites = hf.Sites(np.arange(1, 21))
    drawn = np.concatenate([sample_site_pairs(sites, np.array([1.0, 50.0]), 189, seed).index for seed in range(500)])
    counts = np.bincount(drawn[:, 0] * 20 + drawn[:, 1], minlength=400).reshape(20, 20)[np.triu_indices(20, 1)]
    assert counts.sum() == 94_500
    expected = 94_500 / 190
    chi_square = ((counts - expected) ** 2 / expected).sum()
    assert chi_square < 189 + 5 * np.sqrt(2 * 189)


def test_standard_error_is_that_of_the_mean(linked_cohort: hf.HaplotypeMatrix) -> None:
    """Over 300 seeds the errors, in units of the standard error, have mean 0 and variance 1."""
    edges = np.array([1.0, 500.0, 3000.0])
    exact = ld_decay(linked_cohort, edges).mean_r2
    off = []
    for seed in range(300):
        found = sampled_ld_decay(linked_cohort, edges, 400, seed)
        off.append((found.mean_r2 - exact) / found.standard_error)
    assert np.abs(np.mean(off)) < 4 / np.sqrt(600)
    assert np.var(off) == pytest.approx(1, abs=0.25)

"""Decay sums against r² written out pair by pair, and their resampling against resampled pairs."""

from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.stats import ld_decay_sums, ld_distance_edges
from hapforge.stats.ld import site_blocks


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


@pytest.mark.parametrize("num_blocks", [1, 3, 20])
def test_sums_are_those_of_all_pairs(linked_cohort: hf.HaplotypeMatrix, num_blocks: int) -> None:
    edges = np.array([1.0, 30.0, 200.0, 201.5, 900.0, 5000.0])
    sums = ld_decay_sums(linked_cohort, edges, num_blocks)
    block = np.repeat(np.arange(num_blocks), np.diff(site_blocks(90, num_blocks)))
    r2, pairs = np.zeros_like(sums.sum_r2), np.zeros_like(sums.num_pairs)
    for i, j, distance, value in pair_table(linked_cohort):
        if 1 <= distance < 5000:
            k = np.searchsorted(edges, distance, side="right") - 1
            r2[block[i], block[j], k] += value
            pairs[block[i], block[j], k] += 1
    assert np.array_equal(sums.num_pairs, pairs)
    np.testing.assert_allclose(sums.sum_r2, r2, atol=1e-9)
    with np.errstate(invalid="ignore"):
        np.testing.assert_allclose(sums.curve(), r2.sum((0, 1)) / pairs.sum((0, 1)), rtol=1e-9)


def test_resampling_weighs_pairs_of_blocks(linked_cohort: hf.HaplotypeMatrix) -> None:
    edges = np.array([1.0, 300.0, 5000.0])
    sums = ld_decay_sums(linked_cohort, edges, 4)
    weights = np.array([2, 0, 1, 3])
    block = np.repeat(np.arange(4), np.diff(site_blocks(90, 4)))
    total, count = np.zeros(2), np.zeros(2)
    for i, j, distance, value in pair_table(linked_cohort):
        if distance >= 1:
            a, b, k = block[i], block[j], int(distance >= 300)
            w = weights[a] if a == b else weights[a] * weights[b]
            total[k] += w * value
            count[k] += w
    np.testing.assert_allclose(sums.resampled(weights[None])[0], total / count, rtol=1e-9)


def test_edges_cover_every_distance(linked_cohort: hf.HaplotypeMatrix) -> None:
    edges = ld_distance_edges(linked_cohort.sites)
    distances = [d for _, _, d, _ in pair_table(linked_cohort)]
    assert edges[0] == 1
    assert edges[-1] > max(distances)
    assert (np.diff(edges) > 0).all()
    assert len(edges) <= 51
    assert np.array_equal(edges, edges.round())
    counted = ld_decay_sums(linked_cohort, edges).num_pairs.sum()
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


def test_blocks_cut_at_words(rng: np.random.Generator) -> None:
    x = rng.integers(0, 2, (30, 530), dtype=np.uint8)
    x[:, ::3] = x[:, :1]
    cohort = hf.HaplotypeMatrix.from_dense(x, positions=np.arange(1, 531) * 3, contig=["1"] * 300 + ["2"] * 230)
    edges = np.array([1.0, 50.0, 400.0, 2000.0])
    assert site_blocks(530, 2).tolist() == [0, 256, 530]
    sums, whole = ld_decay_sums(cohort, edges, 2), hf.kernels.ld_decay(cohort, edges)
    assert np.array_equal(sums.num_pairs.sum((0, 1)), whole.num_pairs)
    np.testing.assert_allclose(sums.curve(), whole.mean_r2, rtol=1e-9)

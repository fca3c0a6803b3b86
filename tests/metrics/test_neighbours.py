"""Nearest-neighbour test, chains, minimum distances, closest pairs and mixing against all distances written out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import cdist
from scipy.stats import t as scipy_t
from scipy.stats import wasserstein_distance

import hapforge as hf
from hapforge._streams import Stream
from hapforge.haplotypes import philox, seeded_order
from hapforge.metrics import (
    adversarial_accuracy,
    closest_pairs,
    minimum_distances,
    mixed_accuracy,
    nearest_chains,
    nearest_neighbour_test,
)
from hapforge.metrics._intervals import correlation_interval, halves_interval, share_interval, student, wilson
from hapforge.metrics.chains import PATTERNS, chain_labels
from hapforge.metrics.closest_pairs import list_closest
from hapforge.metrics.mixing import levels
from hapforge.metrics.nearest import nearest_between
from hapforge.metrics.nearest_neighbour_test import neighbour_test_over, own_shares
from hapforge.metrics.pool import Pool
from reference import neighbours as reference


def pack(x: np.ndarray) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(x)


def population(rng: np.random.Generator, n: int, num_sites: int, founders: int = 6, noise: float = 0.1) -> np.ndarray:
    """Rows near one of a few founders."""
    centres = np.random.default_rng(7).integers(0, 2, (founders, num_sites), dtype=np.uint8)
    return centres[rng.integers(0, founders, n)] ^ (rng.random((n, num_sites)) < noise).astype(np.uint8)


# the pool


@pytest.mark.parametrize("num_sites", [5, 12, 70])
@pytest.mark.parametrize("size", [2, 9, 150])
def test_surroundings_are_complete_below_the_horizon(rng: np.random.Generator, num_sites: int, size: int) -> None:
    x, y = population(rng, 200, num_sites), population(rng, 160, num_sites)
    y[:10] = x[:10]
    x[20:60] = x[20]
    pool = Pool(pack(x), pack(y))
    rows, columns = rng.permutation(200)[:size], rng.permutation(160)[:size]
    sample = pool.at(rows, columns)
    both = [tuple(row) for row in np.concatenate([x[rows], y[columns]])]
    different = sorted(set(both))
    assert sample.types.size == len(different)
    assert sample.counts.sum(axis=0).tolist() == [size, size]
    dense = hf.HaplotypeMatrix(pool.haplotypes(np.arange(pool.num_types))[0], pack(x).sites).to_dense()
    for width in (1, 4, *sample.widths()):
        found = sample.around(sample.types, width)
        for i, query in enumerate(sample.types):
            distance = np.count_nonzero(dense[sample.types] != dense[query], axis=1)
            listed = sample.counts[found.types[i]].sum(axis=1) > 0
            assert found.types[i, 0] == query
            assert (np.diff(found.distance[i]) >= 0).all()
            near = found.distance[i] < found.horizon[i]
            inside = set(found.types[i][near & listed].tolist())
            assert inside == set(sample.types[distance < found.horizon[i]].tolist())
            for j, d in zip(found.types[i][listed], found.distance[i][listed], strict=True):
                assert np.count_nonzero(dense[j] != dense[query]) == d
    assert (found.horizon > num_sites).all()


def test_pool_bad_input(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (5, 10), dtype=np.uint8))
    with pytest.raises(ValueError, match=r"expected rows and sites, found \(5, 0\)"):
        Pool(x.select_sites([]), x.select_sites([]))
    with pytest.raises(ValueError, match="equally many of both sets, found 2 and 3"):
        Pool(x, x).at(np.arange(2), np.arange(3))


# the nearest-neighbour test


@pytest.mark.parametrize("num_sites", [3, 6, 20, 90])
@pytest.mark.parametrize("k", [1, 2, 10])
def test_shares(rng: np.random.Generator, num_sites: int, k: int) -> None:
    x, y = population(rng, 40, num_sites), population(rng, 40, num_sites, founders=5)
    y[:8] = x[:8]
    x[10:25] = x[10]
    found = nearest_neighbour_test(pack(x), pack(y), k=k)
    assert found.real == pytest.approx(reference.nearest_neighbour_test(x, y, k))
    assert found.syn == pytest.approx(reference.nearest_neighbour_test(y, x, k))
    for value, (low, high) in ((found.real, found.real_interval), (found.syn, found.syn_interval)):
        assert 0 <= low <= value <= high <= 1
        assert low < high
    assert (found.n, found.k) == (40, k)


def test_the_example_of_the_docstring() -> None:
    found = nearest_neighbour_test(
        pack(np.array([[0, 0, 0], [0, 0, 1]], np.uint8)), pack(np.array([[0, 1, 1], [1, 0, 1]], np.uint8)), k=2
    )
    assert found.real == pytest.approx((1 / 2 + 1 / 3) / 2)


def test_shares_at_a_subsample_are_those_of_its_rows(rng: np.random.Generator) -> None:
    """At a quarter of the rows lists run out, and are searched again."""
    x, y = population(rng, 400, 24), population(rng, 390, 24)
    found = nearest_neighbour_test(pack(x), pack(y[:100]), repeats=3, seed=4)
    each = [nearest_neighbour_test(pack(x[np.sort(seeded_order(400, 4, r)[:100])]), pack(y[:100])) for r in range(3)]
    assert found.real == pytest.approx(np.mean([e.real for e in each]))
    assert found.syn == pytest.approx(np.mean([e.syn for e in each]))
    assert found.n == 100


@settings(max_examples=25, deadline=None)
@given(st.integers(6, 30), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_row_order_does_not_matter(n: int, num_sites: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 2, (2, n, num_sites), dtype=np.uint8)
    one = nearest_neighbour_test(pack(x), pack(y))
    other = nearest_neighbour_test(pack(rng.permutation(y)), pack(rng.permutation(x)))
    assert (one.real, one.syn) == pytest.approx((other.syn, other.real), abs=1e-12)
    assert one.real_interval == pytest.approx(other.syn_interval, abs=1e-9)


def test_duplicates_favour_no_set(rng: np.random.Generator) -> None:
    """50 copies of one row in both sets: a rule by index would find all neighbours in the first."""
    x = np.repeat(rng.integers(0, 2, (1, 30), dtype=np.uint8), 50, axis=0)
    found = nearest_neighbour_test(pack(x), pack(x))
    assert (found.real, found.syn) == pytest.approx((49 / 99, 49 / 99))
    clumps = np.repeat(rng.integers(0, 2, (6, 30), dtype=np.uint8), 20, axis=0)
    found = nearest_neighbour_test(pack(clumps), pack(rng.permutation(clumps)))
    assert (found.real, found.syn) == pytest.approx((19 / 39, 19 / 39))


def test_extremes(rng: np.random.Generator) -> None:
    x = (rng.random((40, 100)) < 0.1).astype(np.uint8)
    apart = nearest_neighbour_test(pack(x), pack(1 - x))
    assert (apart.real, apart.syn) == (1, 1)
    assert apart.real_interval == pytest.approx(wilson(1.0, 40))
    copies = nearest_neighbour_test(pack(x), pack(x), k=1)
    assert copies.real < 0.1
    # a clump in the middle: its rows have each other, real rows have the clump
    centre = np.repeat((x.mean(axis=0) > 0.5).astype(np.uint8)[None], 40, axis=0)
    clump = nearest_neighbour_test(pack(x), pack(centre))
    assert clump.real < 0.2
    assert clump.syn == 1


def test_test_bad_input(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (5, 10), dtype=np.uint8))
    with pytest.raises(ValueError, match="k: expected 1 to 9, the number of other rows, found 10"):
        nearest_neighbour_test(x, x, k=10)
    with pytest.raises(ValueError, match="k: expected 1 to 9, the number of other rows, found 0"):
        nearest_neighbour_test(x, x, k=0)
    with pytest.raises(ValueError, match="expected the 10 sites of real, found 9"):
        nearest_neighbour_test(x, x.select_sites(range(9)))


@pytest.mark.slow
@pytest.mark.parametrize("num_sites", [40, 300])
def test_intervals_hold_with_hubs(num_sites: int) -> None:
    """Fresh sets of one population: the intervals cover (n - 1) / (2n - 1), binomial ones of n rows would not."""
    rng = np.random.default_rng(1)
    covered, values, widths = 0, [], []
    for _ in range(200):
        x, y = (population(rng, 120, num_sites) for _ in range(2))
        found = nearest_neighbour_test(pack(x), pack(y))
        low, high = found.real_interval
        covered += low <= 119 / 239 <= high
        values.append(found.real)
        widths.append((high - low) / 3.92)
    assert covered / 200 > 0.9
    assert np.mean(widths) == pytest.approx(np.std(values), rel=0.25)


# chains


@pytest.mark.parametrize("apart", [False, True])
def test_chains_without_ties(rng: np.random.Generator, apart: bool) -> None:
    x, y = rng.integers(0, 2, (2, 12, 200_000), dtype=np.uint8)
    if apart:
        y[:, :100_000] = 0
    expected = reference.chain_frequencies(x, y)
    found = nearest_chains(pack(x), pack(y))
    assert found.frequency == pytest.approx(expected)
    assert found.error == pytest.approx(max(abs(f - 0.5 ** len(p)) for p, f in expected.items()))
    assert set(PATTERNS) == set(expected)
    assert len(PATTERNS) == 60


@pytest.mark.parametrize("num_sites", [2, 4, 9])
def test_chains_with_ties_are_right_on_average(rng: np.random.Generator, num_sites: int) -> None:
    x, y = population(rng, 6, num_sites, founders=3), population(rng, 6, num_sites, founders=2)
    expected = reference.chain_frequencies(x, y)
    each = [list(nearest_chains(pack(x), pack(y), seed=seed).frequency.values()) for seed in range(150)]
    spread = np.std(each, axis=0) / np.sqrt(150)
    gap = np.abs(np.mean(each, axis=0) - [expected[p] for p in PATTERNS])
    assert (gap <= 4.5 * spread + 1e-9).all()


def test_every_step_goes_to_a_nearest_row_not_visited(rng: np.random.Generator) -> None:
    """Also where lists of the pool run out: a tenth of 500 rows, hundreds of ties."""
    x, y = population(rng, 500, 10), population(rng, 500, 10)
    rows, columns = rng.permutation(500)[:50], rng.permutation(500)[:50]
    labels = chain_labels(Pool(pack(x), pack(y)).at(rows, columns), np.random.Generator(philox(3)))
    again = chain_labels(Pool(pack(x[rows]), pack(y[columns])).at(), np.random.Generator(philox(3)))
    assert labels.shape == (100, 5)
    assert labels[:, 0].tolist() == [0] * 50 + [1] * 50
    # which row is drawn among ties depends on the order of types, frequencies hardly do
    assert np.abs(labels.mean(axis=0) - again.mean(axis=0)).max() < 0.15


def test_duplicates_favour_no_set_in_chains(rng: np.random.Generator) -> None:
    x = np.repeat(rng.integers(0, 2, (1, 30), dtype=np.uint8), 300, axis=0)
    found = nearest_chains(pack(x), pack(x), seed=5)
    for pattern, share in found.frequency.items():
        ideal = 0.5 ** len(pattern)
        assert abs(share - ideal) < 5 * np.sqrt(ideal / 600)


def test_chains_see_the_papers_aberrations(rng: np.random.Generator) -> None:
    """Synthetic points around real modes at higher variance: ST and TT are frequent (CRBM, table 1); and a clump."""
    real = population(rng, 200, 150, noise=0.05)
    spread = nearest_chains(pack(real), pack(population(rng, 200, 150, noise=0.11)))
    f = spread.frequency
    assert f["ST"] > 0.4 > 0.1 > f["SS"]
    assert f["TT"] > 0.4 > 0.1 > f["TS"]
    assert f["STTTT"] > 10 * f["SSSSS"]
    clump = nearest_chains(pack(real), pack(population(rng, 200, 150, noise=0.01)))
    assert clump.frequency["SSSSS"] > 0.4
    assert clump.frequency["TS"] > 0.4
    assert clump.error > 0.4
    perfect = nearest_chains(pack(real), pack(population(rng, 200, 150, noise=0.05)))
    assert perfect.error < 0.1
    low, high = perfect.interval["TT"]
    assert low < 0.25 < high
    for size in range(2, 6):
        assert sum(v for p, v in f.items() if len(p) == size) == pytest.approx(1)


def test_chains_bad_input(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (5, 10), dtype=np.uint8))
    with pytest.raises(ValueError, match="at least 3 of each set for chains of 5, found 2"):
        nearest_chains(x, x.select_haplotypes([0, 1]))
    assert np.isnan(nearest_chains(x, x).error_interval).all()


# minimum distances


def test_minimum_distances(rng: np.random.Generator) -> None:
    x, y = population(rng, 60, 50), population(rng, 60, 50, noise=0.05)
    tt, ts, st_, ss = reference.minimum_distances(x, y)
    found = minimum_distances(pack(x), pack(y))
    assert found.within == pytest.approx(wasserstein_distance(tt, ss))
    assert found.between == pytest.approx(wasserstein_distance(tt, st_))
    for histogram, expected in ((found.tt, tt), (found.ts, ts), (found.st, st_), (found.ss, ss)):
        assert histogram.tolist() == np.bincount(expected.astype(int), minlength=51).tolist()
    assert found.within_interval[0] < found.within < found.within_interval[1]
    unequal = minimum_distances(pack(x), pack(y[:30]), repeats=4)
    assert unequal.n == 30
    assert unequal.tt.sum() == 120
    copies = minimum_distances(pack(x), pack(x))
    assert copies.within == 0
    assert copies.st[0] == 60


# closest pairs


def test_closest_share(rng: np.random.Generator) -> None:
    train, holdout, syn = population(rng, 300, 60), population(rng, 150, 60), population(rng, 200, 60, noise=0.07)
    found = closest_pairs(pack(train), pack(syn), pack(holdout))
    to_train, held = (reference.distances(v, train).min(axis=1) for v in (syn, holdout))
    assert found.share == pytest.approx(reference.closest_share(to_train, held))
    assert found.limit == sorted(held)[1]
    assert found.quantiles.tolist() == [sorted(to_train)[i] for i in (0, 0, 1, 9)]
    assert found.reference.tolist() == [sorted(held)[i] for i in (0, 0, 1, 7)]
    assert (found.n, found.n_reference) == (200, 150)
    tt = reference.minimum_distances(train, syn)[0]
    assert closest_pairs(pack(train), pack(syn)).share == pytest.approx(reference.closest_share(to_train, tt))


def test_harmless_sets_score_one_percent_also_with_ties(rng: np.random.Generator) -> None:
    """Few sites: many real rows are identical, and the limit is 0."""
    for num_sites in (12, 60):
        shares, covered = [], 0
        for _ in range(60):
            train, holdout, syn = (population(rng, 200, num_sites, noise=0.08) for _ in range(3))
            found = closest_pairs(pack(train), pack(syn), pack(holdout))
            shares.append(found.share)
            covered += found.interval[0] <= 0.01 <= found.interval[1]
        assert np.mean(shares) == pytest.approx(0.01, abs=4 * np.std(shares) / np.sqrt(60))
        assert covered >= 54


def test_planted_copies_are_found_and_listed(rng: np.random.Generator) -> None:
    train, holdout, syn = (population(rng, 400, 300) for _ in range(3))
    syn[7] = train[33]
    syn[100:140] = train[100:140] ^ (np.arange(300) == 5)  # one site off
    a, b = pack(train), pack(syn)
    found = closest_pairs(a, b, pack(holdout))
    assert found.interval[0] > 0.05
    assert found.quantiles[0] == 0
    assert closest_pairs(a, b).interval[0] > 0.05
    pairs = list_closest(nearest_between(a, b, 2)[1])
    assert len(pairs) == 20
    assert (pairs[0].synthetic, pairs[0].real, pairs[0].distance) == (7, 33, 0)
    assert [(p.synthetic, p.real, p.distance) for p in pairs[1:]] == [(i, i, 1) for i in range(100, 119)]
    assert all(p.next_distance > 10 for p in pairs)
    alone = list_closest(nearest_between(a.select_haplotypes([3]), b, 2)[1])
    assert {p.next_distance for p in alone} == {-1}


# mixing


@pytest.mark.parametrize("num_sites", [8, 40, 200])
def test_mixing_is_the_accuracy_of_mixed_sets(rng: np.random.Generator, num_sites: int) -> None:
    """Also with many ties and copies, at 8 sites."""
    x, y = population(rng, 120, num_sites), population(rng, 120, num_sites)
    found = mixed_accuracy(pack(x), pack(y), seed=1)
    assert (found.copies.tolist(), found.n) == ([0, 1, 10, 50, 60], 120)
    taken, replaced = seeded_order(120, 1, Stream.MIXED_TAKEN), seeded_order(120, 1, Stream.MIXED_REPLACED)
    for count, aa_truth, aa_syn in zip(found.copies, found.aa_truth, found.aa_syn, strict=True):
        mixed = y.copy()
        mixed[replaced[:count]] = x[taken[:count]]
        expected = adversarial_accuracy(pack(x), pack(mixed))
        assert (aa_truth, aa_syn) == pytest.approx((expected.aa_truth, expected.aa_syn))


def test_mixing_of_unequal_sets(rng: np.random.Generator) -> None:
    found = mixed_accuracy(pack(population(rng, 130, 200)), pack(population(rng, 25, 200)))
    assert (found.copies.tolist(), found.n) == ([0, 1, 10, 12], 25)
    assert found.aa_syn[0] > found.aa_syn[-1]
    two = pack(rng.integers(0, 2, (2, 30), dtype=np.uint8))
    assert mixed_accuracy(two, two).aa_syn.tolist() == [0, 0]


def test_levels() -> None:
    assert levels(2) == [0, 1]
    assert levels(5008) == [0, 1, 10, 50, 100, 500, 1000, 2504]
    assert levels(20_000) == [0, 1, 10, 50, 100, 500, 1000, 5000, 10_000]
    assert levels(100_000) == [0, 1, 10, 50, 100, 500, 1000, 5000, 10_000, 50_000]


# intervals


def test_share_interval() -> None:
    assert share_interval(0.3, 0.3 * 0.7 / 50, 999) == pytest.approx(wilson(0.3, 50))
    assert share_interval(1.0, 0.0, 40) == wilson(1.0, 40)
    assert share_interval(0.5, 0.0, 40) == wilson(0.5, 40)


@pytest.mark.parametrize("freedom", [*range(1, 12), 30, 31, 1000, 1001])
def test_student(freedom: int) -> None:
    assert student(freedom) == pytest.approx(scipy_t.ppf(0.975, freedom), rel=1e-10)


def test_halves_interval() -> None:
    halves = [[0.4, 0.0], [0.6, 0.02]] * 5
    low, high = halves_interval(np.array([0.5, 0.01]), halves, (0.0, 1.0))
    half = scipy_t.ppf(0.975, 9) * np.std([0.4, 0.6] * 5, ddof=1)
    assert (low[0], high[0]) == pytest.approx((0.5 - half, 0.5 + half))
    assert low[1] == 0
    for too_few in ([], [0.4]):
        assert np.isnan(halves_interval(0.5, too_few, (0, 1))).all()


def test_correlations_near_one_have_a_narrow_interval() -> None:
    many = np.array([1.0] * 100 + [0.9999] * 900)
    low, high = correlation_interval(0.99995, many, 20)
    assert 0.9998 < low < 0.99995 < high <= 1
    assert correlation_interval(0.5, np.array([0.4, 0.6] * 500), 20) == pytest.approx((0.29, 0.66), abs=0.02)


# real data


def test_adversarial_accuracy_is_that_of_scipy_on_real_data(shared_data: Path) -> None:
    real = hf.read(shared_data / "805_SNP_1000G_real.hapt.zip").select_haplotypes(range(0, 5008, 4))
    syn = hf.read(shared_data / "805_SNP_GAN_AG_20000epochs.hapt.zip").select_haplotypes(range(1252))
    x, y = real.to_dense().astype(float), syn.to_dense().astype(float)
    tt, ts, ss = (np.rint(cdist(a, b, "cityblock")) for a, b in ((x, x), (x, y), (y, y)))
    np.fill_diagonal(tt, np.inf)
    np.fill_diagonal(ss, np.inf)
    found = adversarial_accuracy(real, syn)
    assert found.aa_truth == (ts.min(1) > tt.min(1)).mean()
    assert found.aa_syn == (ts.min(0) > ss.min(1)).mean()
    assert found.ties_truth == (ts.min(1) == tt.min(1)).mean()
    minimum = minimum_distances(real, syn)
    assert minimum.st.tolist() == np.bincount(ts.min(0).astype(int), minlength=806).tolist()
    pool = np.concatenate([np.concatenate([tt, ts], axis=1), np.concatenate([ts.T, ss], axis=1)])
    order = np.argsort(pool[:400], axis=1, kind="stable")[:, :11]
    untied = np.take_along_axis(pool[:400], order[:, 9:11], axis=1)
    untied = untied[:, 0] < untied[:, 1]
    own = (order[:, :10] < 1252).mean(axis=1)
    both = Pool(real, syn)
    sample = both.at()
    shares = own_shares(sample, 10).own[sample.place(sample.start_types[:400]), 0]
    assert untied.sum() > 150
    np.testing.assert_allclose(shares[untied], own[untied])
    whole = neighbour_test_over(both, [(None, None)], 10)
    assert whole.syn > 0.9
    assert whole.real < 0.4


def test_real_halves_are_even(shared_data: Path) -> None:
    real = hf.read(shared_data / "805_SNP_1000G_real.hapt.zip")
    for seed in range(3):
        a, b = real.split(0.5, seed)
        found, chains = nearest_neighbour_test(a, b), nearest_chains(a, b)
        assert found.real == pytest.approx(0.5, abs=0.035)
        assert found.syn == pytest.approx(0.5, abs=0.035)
        assert chains.error < 0.035

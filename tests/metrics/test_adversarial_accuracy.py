"""Adversarial accuracy and privacy against all distances written out in numpy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hapforge as hf
from hapforge.haplotypes import seeded_order
from hapforge.metrics import adversarial_accuracy, privacy_score
from hapforge.metrics.nearest import nearest_among, nearest_between


def brute(real: np.ndarray, syn: np.ndarray, distance, weight: float = 0.0) -> tuple[float, ...]:
    """AA_truth, AA_syn and both shares of ties from full distance matrices."""
    tt, ts, ss = distance(real, real), distance(real, syn), distance(syn, syn)
    np.fill_diagonal(tt, np.inf)
    np.fill_diagonal(ss, np.inf)
    a, b, c, d = ts.min(1), tt.min(1), ts.min(0), ss.min(1)
    truth, syn_part = (a > b) + weight * (a == b), (c > d) + weight * (c == d)
    return truth.mean(), syn_part.mean(), (a == b).mean(), (c == d).mean()


def hamming(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return (x[:, None] != y[None]).sum(2).astype(float)


def pack(x: np.ndarray) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(x)


def values(found) -> tuple[float, ...]:
    return found.aa_truth, found.aa_syn, found.ties_truth, found.ties_syn


@pytest.mark.parametrize("num_sites", [3, 8, 64, 200])
@pytest.mark.parametrize(("ties", "weight"), [("strict", 0.0), ("half", 0.5)])
def test_equal_sizes(rng: np.random.Generator, num_sites: int, ties, weight: float) -> None:
    x, y = rng.integers(0, 2, (2, 60, num_sites), dtype=np.uint8)
    y[:20] = x[:20]  # planted copies: ties at distance 0
    found = adversarial_accuracy(pack(x), pack(y), ties=ties)
    assert values(found) == pytest.approx(brute(x, y, hamming, weight), abs=1e-12)
    assert found.aats == pytest.approx((found.aa_truth + found.aa_syn) / 2)
    assert found.n == 60
    assert found.identical == (hamming(x, y).min(0) == 0).mean()
    for value, (low, high) in (
        (found.aa_truth, found.aa_truth_interval),
        (found.aa_syn, found.aa_syn_interval),
        (found.aats, found.aats_interval),
    ):
        assert low - 1e-12 <= value <= high + 1e-12
        assert low < high


@pytest.mark.parametrize(("n", "m"), [(40, 25), (25, 40), (100, 6), (3, 50)])
def test_unequal_sizes_are_the_mean_over_seeded_subsamples(rng: np.random.Generator, n: int, m: int) -> None:
    x, y = (rng.integers(0, 2, (k, 12), dtype=np.uint8) for k in (n, m))
    found = adversarial_accuracy(pack(x), pack(y), repeats=7, seed=5)
    least = min(n, m)
    each = []
    for repeat in range(7):
        a = x[seeded_order(n, 5, repeat)[:least]] if n > m else x
        b = y[seeded_order(m, 5, repeat)[:least]] if m > n else y
        each.append(brute(a, b, hamming))
    assert values(found) == pytest.approx(tuple(np.mean(each, axis=0)), abs=1e-12)
    assert found.n == least
    assert values(found) == values(adversarial_accuracy(pack(x), pack(y), repeats=7, seed=5))


def test_identical_sets(rng: np.random.Generator) -> None:
    x = rng.integers(0, 2, (50, 300), dtype=np.uint8)
    found = adversarial_accuracy(pack(x), pack(x[::-1]))
    assert values(found) == (0, 0, 0, 0)  # each row's copy is nearer than any other row
    twice = np.concatenate([x, x])
    found = adversarial_accuracy(pack(twice), pack(twice))
    assert values(found) == (0, 0, 1, 1)
    assert adversarial_accuracy(pack(twice), pack(twice), ties="half").aats == 0.5


def test_apart(rng: np.random.Generator) -> None:
    x = (rng.random((40, 100)) < 0.1).astype(np.uint8)
    found = adversarial_accuracy(pack(x), pack(1 - x))
    assert values(found) == (1, 1, 0, 0)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 30), st.integers(1, 70), st.integers(0, 2**32 - 1))
def test_row_order_and_site_order_do_not_matter(n: int, num_sites: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 2, (2, n, num_sites), dtype=np.uint8)
    sites = rng.permutation(num_sites)
    one = adversarial_accuracy(pack(x), pack(y))
    other = adversarial_accuracy(pack(rng.permutation(x)[:, sites]), pack(rng.permutation(y)[:, sites]))
    assert values(one) == pytest.approx(values(other), abs=1e-12)
    swapped = adversarial_accuracy(pack(y), pack(x))
    assert (swapped.aa_truth, swapped.aa_syn) == pytest.approx((one.aa_syn, one.aa_truth), abs=1e-12)


@pytest.mark.parametrize("k", [1, 2, 16])
def test_subsets_from_one_search(rng: np.random.Generator, k: int) -> None:
    x, y = (rng.integers(0, 2, (m, 9), dtype=np.uint8) for m in (50, 70))
    inside, across = hamming(x, x), hamming(x, y)
    np.fill_diagonal(inside, np.inf)
    own, (other, back) = nearest_among(pack(x), k), nearest_between(pack(x), pack(y), k)
    for size in (2, 3, 10, 49):
        rows, columns = rng.permutation(50)[:size], rng.permutation(70)[:size]
        assert own(rows, rows).tolist() == inside[np.ix_(rows, rows)].min(1).tolist()
        assert other(rows, columns).tolist() == across[np.ix_(rows, columns)].min(1).tolist()
        assert back(columns, rows).tolist() == across[np.ix_(rows, columns)].min(0).tolist()
    assert own().tolist() == inside.min(1).tolist()


def test_privacy(rng: np.random.Generator) -> None:
    train, holdout, fresh = rng.integers(0, 2, (3, 80, 40), dtype=np.uint8)
    leak = train.copy()
    leak[np.arange(80), rng.integers(0, 40, 80)] ^= 1  # near copies of the training rows
    found = privacy_score(pack(train), pack(holdout), pack(leak))
    expected = [np.mean(brute(truth, leak, hamming)[:2]) for truth in (holdout, train)]
    assert found == pytest.approx(expected[0] - expected[1])
    assert found > 0.3
    assert abs(privacy_score(pack(train), pack(holdout), pack(fresh))) < 0.15
    assert privacy_score(pack(holdout), pack(train), pack(leak)) == pytest.approx(-found)


def test_privacy_takes_the_smallest_n(rng: np.random.Generator) -> None:
    train = rng.integers(0, 2, (300, 40), dtype=np.uint8)
    holdout = rng.integers(0, 2, (30, 40), dtype=np.uint8)
    perfect = rng.integers(0, 2, (300, 40), dtype=np.uint8)
    assert abs(privacy_score(pack(train), pack(holdout), pack(perfect))) < 0.1
    # copies in the order of the training rows: rows of both must be drawn independently of one another
    same = privacy_score(pack(train), pack(holdout), pack(train), repeats=50)
    share = 30 / 300  # of the drawn copies whose original is drawn
    assert 0 < same < 2 * share


def test_bad_input(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (5, 10), dtype=np.uint8))
    with pytest.raises(ValueError, match="expected the 10 sites of real, found 9"):
        adversarial_accuracy(x, x.select_sites(range(9)))
    with pytest.raises(ValueError, match="at least 2 haplotypes each, found 5 and 1"):
        adversarial_accuracy(x, x.select_haplotypes([0]))
    with pytest.raises(ValueError, match="'strict' or 'half', found 'loose'"):
        adversarial_accuracy(x, x, ties="loose")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="repeats: expected 1 or more, found 0"):
        adversarial_accuracy(x, x, repeats=0)
    with pytest.raises(ValueError, match="at least 2 haplotypes each"):
        privacy_score(x, x.select_haplotypes([1]), x)

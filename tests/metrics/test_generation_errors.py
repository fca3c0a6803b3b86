"""Errors of the spectrum, the entropy and the accuracy indicator against their equations written out."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

import hapforge as hf
from hapforge.haplotypes import seeded_order
from hapforge.metrics import adversarial_accuracy, entropy_error, indicator_error, spectrum_error
from hapforge.metrics.entropy import compare_sizes
from hapforge.metrics.spectrum import compare_spectra
from hapforge.stats import compressed_size, singular_values, spectrum
from hapforge.stats.spectrum import MAX_ROWS, rows_of_spectrum
from reference import generation_errors as reference


def pack(x: np.ndarray) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(x)


def linked(rng: np.random.Generator, n: int, num_sites: int, founders: int = 12) -> np.ndarray:
    """Rows that copy long stretches of a few founders."""
    pool = rng.integers(0, 2, (founders, num_sites), dtype=np.uint8)
    chosen = np.repeat(rng.integers(0, founders, (n, -(-num_sites // 100))), 100, axis=1)[:, :num_sites]
    return pool[chosen, np.arange(num_sites)]


@pytest.mark.parametrize(("n", "num_sites"), [(50, 20), (20, 50), (64, 64), (3, 129), (2, 1)])
def test_singular_values(rng: np.random.Generator, n: int, num_sites: int) -> None:
    x = (rng.random((n, num_sites)) < 0.3).astype(np.uint8)
    expected = np.linalg.svd(x.astype(float), compute_uv=False)
    np.testing.assert_allclose(singular_values(pack(x)), expected, atol=1e-7 * expected[0])


@pytest.mark.parametrize("num_sites", [30, 200])
def test_spectrum_error(rng: np.random.Generator, num_sites: int) -> None:
    x = (rng.random((100, num_sites)) < 0.3).astype(np.uint8)
    y = (rng.random((100, num_sites)) < 0.4).astype(np.uint8)
    found = spectrum_error(pack(x), pack(y))
    assert found.error == pytest.approx(reference.spectrum_error(x, y), rel=1e-6)
    assert (found.n, found.num_values) == (100, min(100, num_sites))
    assert found.interval[0] < found.error < found.interval[1]
    assert spectrum_error(pack(x), pack(x[::-1])).error == pytest.approx(0, abs=1e-10)
    more = np.concatenate([y, y[:20]])
    kept = np.sort(seeded_order(120, 7, 20 << 20)[:100])
    assert spectrum_error(pack(x), pack(more), seed=7).error == pytest.approx(
        reference.spectrum_error(x, more[kept]), rel=1e-6
    )


@pytest.mark.parametrize(("n", "num_sites", "p"), [(300, 40, 0.4), (300, 40, 0.3), (80, 300, 0.4)])
def test_width_of_the_spectrums_interval(rng: np.random.Generator, n: int, num_sites: int, p: float) -> None:
    """It is the spread over draws; where there is no difference but chance it is wider, never much narrower."""
    errors, widths = [], []
    for _ in range(30):
        x = pack((rng.random((n, num_sites)) < 0.3).astype(np.uint8))
        y = pack((rng.random((n, num_sites)) < p).astype(np.uint8))
        found = spectrum_error(x, y)
        errors.append(found.error)
        widths.append((found.interval[1] - found.error) / 3.18)
    assert 0.6 < np.mean(widths) / np.std(errors, ddof=1) < (1.8 if p == 0.4 else 4)


def test_rows_of_long_cohorts(rng: np.random.Generator) -> None:
    assert rows_of_spectrum(5008, 2048) == 5008
    assert rows_of_spectrum(5008, 2049) == MAX_ROWS
    assert rows_of_spectrum(1000, 2049) == 1000
    long = pack(rng.integers(0, 2, (MAX_ROWS + 30, 2049), dtype=np.uint8))
    found = spectrum(long, MAX_ROWS + 30, seed=3)
    assert found.n == len(found.values) == MAX_ROWS


def test_one_person_has_no_interval(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (2, 9), dtype=np.uint8))
    assert np.isnan(spectrum_error(x, x).interval).all()


def test_bad_spectra(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (10, 30), dtype=np.uint8))
    with pytest.raises(ValueError, match="n: expected 2 to 10 rows, found 11"):
        spectrum(x, 11)
    with pytest.raises(ValueError, match="found 10 and 9 rows"):
        compare_spectra(spectrum(x, 10), spectrum(x, 9))
    with pytest.raises(ValueError, match="expected the 30 sites of real, found 29"):
        spectrum_error(x, x.select_sites(np.arange(29)))
    big = hf.HaplotypeMatrix(np.zeros((2049, 33), np.uint64), hf.haplotypes.Sites(num_sites=2100))
    with pytest.raises(ValueError, match=r"1 to 2048 singular values, found 2049 \(2049 rows x 2100 sites\)"):
        singular_values(big)
    with pytest.raises(ValueError, match="found 0"):
        singular_values(x.select_sites([]))


@pytest.mark.skipif(shutil.which("gzip") is None, reason="no gzip program")
@pytest.mark.parametrize("num_sites", [1, 8, 77, 400])
def test_size_is_that_of_gzip(rng: np.random.Generator, num_sites: int) -> None:
    x = linked(rng, 200, num_sites)
    order = seeded_order(200, 4, 22 << 20)
    found = compressed_size(pack(x), 150, seed=4)
    assert found.total == pytest.approx(reference.gzip_size(x[order[:150]]), rel=0.02, abs=12)  # zlib is not gzip's
    assert found.groups.tolist()[3] == compressed_size_of(x[order[45:60]])
    assert found.groups.shape == (10,)


def compressed_size_of(rows: np.ndarray) -> int:
    import zlib

    stream = zlib.compressobj(6, wbits=31)
    return len(stream.compress(np.packbits(rows, axis=1, bitorder="little").tobytes()) + stream.flush())


def test_entropy_error(rng: np.random.Generator) -> None:
    x, same = np.split(linked(rng, 600, 900), 2)
    clumped = x[rng.integers(0, 5, 300)]
    noise = (rng.random((300, 900)) < x.mean(axis=0)).astype(np.uint8)
    control, low, high = (entropy_error(pack(x), pack(y)) for y in (same, clumped, noise))
    assert control.error < 0.01 < low.error
    assert low.ratio < 0.7
    assert high.ratio > 1.5
    assert low.error == pytest.approx((low.ratio - 1) ** 2)
    for found in (control, low, high):
        assert found.interval[0] <= found.error <= found.interval[1]
    assert control.interval[0] == 0
    assert control.interval[1] < low.interval[0]
    assert entropy_error(pack(x), pack(x)).error == 0
    assert entropy_error(pack(x), pack(x[:100])).n == 100


def test_order_of_the_rows_is_not_seen(rng: np.random.Generator) -> None:
    by_population = np.concatenate([linked(rng, 100, 4000, founders=8) for _ in range(8)])
    mixed = by_population[rng.permutation(800)]
    assert compressed_size_of(by_population) < 0.8 * compressed_size_of(mixed)
    found = compressed_size(pack(by_population), 800).total / compressed_size(pack(mixed), 800).total
    assert found == pytest.approx(1, abs=0.05)


def test_few_rows_have_no_interval(rng: np.random.Generator) -> None:
    x = pack(rng.integers(0, 2, (19, 64), dtype=np.uint8))
    assert np.isnan(entropy_error(x, x).interval).all()
    with pytest.raises(ValueError, match="n: expected 1 to 19 rows, found 20"):
        compressed_size(x, 20)
    with pytest.raises(ValueError, match="equally many rows, found 19 and 18"):
        compare_sizes(compressed_size(x, 19), compressed_size(x, 18))


@pytest.mark.parametrize("copies", [0, 15])
def test_indicator_error(rng: np.random.Generator, copies: int) -> None:
    x, y = rng.integers(0, 2, (2, 50, 14), dtype=np.uint8)
    y[:copies] = x[:copies]
    found = indicator_error(adversarial_accuracy(pack(x), pack(y)))
    assert found.error == pytest.approx(reference.indicator_error(x, y))
    assert found.interval[0] <= found.error <= found.interval[1]
    assert found.n == 50


def test_indicator_error_has_its_bounds(rng: np.random.Generator) -> None:
    x = (rng.random((60, 80)) < 0.1).astype(np.uint8)
    for y in (x, 1 - x):
        found = indicator_error(adversarial_accuracy(pack(x), pack(y)))
        assert found.error == 0.25
        assert 0.2 < found.interval[0] <= 0.25 <= found.interval[1] + 1e-12

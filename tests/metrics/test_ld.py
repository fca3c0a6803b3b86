"""r² pair by pair and decay curves of two cohorts against NumPy, on small cohorts and on the published files."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr

import hapforge as hf
from hapforge.io.hapt import read as read_hapt
from hapforge.metrics import LDComparison, compare_ld, compare_sampled_ld
from hapforge.metrics.ld import _resampled
from hapforge.stats import ld_distance_edges, sampled_ld_decay


def copied_sites(rng: np.random.Generator, n: int, num_sites: int, rate: float) -> np.ndarray:
    """Sites copied from their left neighbour but for a share of `rate`."""
    x = rng.integers(0, 2, (n, num_sites), dtype=np.uint8)
    for j in range(1, num_sites):
        kept = rng.random(n) > rate
        x[kept, j] = x[kept, j - 1]
    return x


@pytest.fixture
def pair(rng: np.random.Generator) -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    """300 and 200 haplotypes of 120 sites on two contigs; sites fixed or rare in either; positions that repeat."""
    x, y = copied_sites(rng, 300, 120, 0.1), copied_sites(rng, 200, 120, 0.3)
    x[:, 5] = 1
    x[:280, 11] = 0
    y[:, [40, 41]] = 0
    y[:190, 90] = 1
    position = np.cumsum(rng.integers(1, 30, 120))
    position[31] = position[30]
    position[80:] -= position[79]
    contig = ["1"] * 80 + ["2"] * 40
    first, second = (hf.HaplotypeMatrix.from_dense(v, positions=position, contig=contig) for v in (x, y))
    return first, second


def pairs_of(
    real: hf.HaplotypeMatrix, synthetic: hf.HaplotypeMatrix, lowest: float = 0.0
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(i, j, distance, r² real, r² syn) of all pairs of a contig, i and j counting the sites kept."""
    x, y = (m.to_dense().astype(float) for m in (real, synthetic))
    kept = np.ones(real.num_sites, bool)
    for v in (x, y):
        kept &= (v.mean(0) > 0) & (v.mean(0) < 1) & (v.mean(0) >= lowest)
    i, j = np.triu_indices(kept.sum(), 1)
    position, contig = real.sites.position[kept], real.sites.contig[kept]
    same = contig[i] == contig[j]
    i, j = i[same], j[same]
    return i, j, position[j] - position[i], *(np.corrcoef(v[:, kept].T)[i, j] ** 2 for v in (x, y))


def curves_of(found: LDComparison, distance: np.ndarray, *values: np.ndarray) -> list[np.ndarray]:
    k = np.searchsorted(found.edges_bp, distance, side="right") - 1
    inside = (k >= 0) & (k < len(found.edges_bp) - 1)
    count = np.bincount(k[inside], minlength=len(found.edges_bp) - 1)
    with np.errstate(invalid="ignore"):
        return [np.bincount(k[inside], v[inside], len(count)) / count for v in values]


@pytest.mark.parametrize("lowest", [0.0, 0.1])
@pytest.mark.parametrize("edges", [None, [10.0, 40.0, 300.0, 700.0], [0.0, 50.0, 5000.0]])
def test_against_numpy(
    pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix], lowest: float, edges: list[float] | None
) -> None:
    found = compare_ld(*pair, min_frequency=lowest, edges_bp=None if edges is None else np.array(edges))
    _, _, distance, x, y = pairs_of(*pair, lowest)
    assert found.num_pairs == len(x)
    assert found.num_sites == (117 if lowest == 0 else 116)
    assert found.r2_r == pytest.approx(pearsonr(x, y).statistic, rel=1e-9)  # those outside the bins count, too
    real, synthetic = curves_of(found, distance, x, y)
    np.testing.assert_allclose(found.real, real, rtol=1e-9)
    np.testing.assert_allclose(found.synthetic, synthetic, rtol=1e-9)
    full = np.isfinite(real)
    assert found.num_bins == full.sum()
    assert found.decay_r == pytest.approx(pearsonr(real[full], synthetic[full]).statistic)
    assert found.score == pytest.approx(1 - np.nansum((real - synthetic) ** 2) / np.nansum(real**2))
    for value, (low, high) in (
        (found.r2_r, found.r2_r_interval),
        (found.decay_r, found.decay_r_interval),
        (found.score, found.score_interval),
    ):
        assert low < value < high or len(real) < 3  # two bins correlate perfectly


@pytest.mark.parametrize("compare", [compare_ld, compare_sampled_ld])
@pytest.mark.parametrize("last", [2**62 - 1, 2**61 + 7])
def test_the_farthest_positions(
    pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix], compare: Callable[..., LDComparison], last: int
) -> None:
    """Sites at either end of the range: every pair in a bin, those between the ends in the last one."""
    x, y = (m.to_dense()[:, 20:40] for m in pair)
    position = np.r_[1:11, last - 9 : last + 1]
    real, synthetic = (hf.HaplotypeMatrix.from_dense(v, positions=position) for v in (x, y))
    found = compare(real, synthetic)
    _, _, distance, r2, _ = pairs_of(real, synthetic)
    assert len(found.real) == len(found.edges_bp) - 1
    assert found.real[np.isfinite(found.real)][-1] == pytest.approx(r2[distance > 10].mean())
    assert found.num_pairs == len(r2)
    inner = compare(real, synthetic, edges_bp=np.array([1.0, 5.0, 20.0]))
    for k, (low, high) in enumerate([(1, 5), (5, 20)]):
        assert inner.real[k] == pytest.approx(r2[(distance >= low) & (distance < high)].mean())
    beyond = compare(real, synthetic, edges_bp=np.array([1.0, 20.0, 1e30]))
    assert beyond.real[1] == pytest.approx(r2[distance >= 20].mean())


def test_a_perfect_set(pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    found = compare_ld(pair[0], pair[0])
    assert (found.r2_r, found.decay_r, found.score) == (pytest.approx(1), pytest.approx(1), 1)


def test_resampling_weighs_pairs_of_blocks(rng: np.random.Generator) -> None:
    """Against pairs counted one by one, as often as the blocks of their sites were drawn."""
    block = np.repeat(np.arange(4), [3, 1, 4, 2])
    weights = np.array([[2, 0, 1, 3], [1, 1, 1, 1]])
    table, expected = np.zeros((4, 4, 2, 3)), np.zeros((2, 2, 3))
    for i in range(10):
        for j in range(i + 1, 10):
            a, b, k, values = block[i], block[j], int(j > i + 2), rng.random(3)
            table[a, b, k] += values
            for row, w in enumerate(weights):
                expected[row, k] += (w[a] if a == b else w[a] * w[b]) * values
    np.testing.assert_allclose(_resampled(table, weights), expected, rtol=1e-12)


def test_intervals_come_from_the_same_blocks(pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    assert compare_ld(*pair, seed=3).r2_r_interval == compare_ld(*pair, seed=3).r2_r_interval
    assert compare_ld(*pair, seed=3).r2_r_interval != compare_ld(*pair, seed=4).r2_r_interval


def test_cells_one_per_pair(pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    assert compare_ld(*pair).cells is None
    cells = compare_ld(*pair, cells=True).cells
    assert cells is not None
    i, j, _, x, y = pairs_of(*pair)
    assert cells.end.tolist() == list(range(1, 118))
    for table, values in ((cells.real, x), (cells.synthetic, y)):
        np.testing.assert_allclose(table[i, j], values, rtol=1e-5, atol=1e-12)
        assert np.array_equal(table, table.T, equal_nan=True)
        assert np.isfinite(table).sum() == 2 * len(i)


def test_cells_of_many_sites(rng: np.random.Generator) -> None:
    """Beyond 4096 sites they come out of the pass over all pairs; every score stays the same."""
    x, y = copied_sites(rng, 60, 4500, 0.1), copied_sites(rng, 50, 4500, 0.2)
    contig = ["1"] * 3000 + ["2"] * 1500
    first, second = (hf.HaplotypeMatrix.from_dense(v, positions=np.r_[:3000, :1500] + 1, contig=contig) for v in (x, y))
    plain, found = compare_ld(first, second), compare_ld(first, second, cells=True)
    assert (found.r2_r, found.score) == (pytest.approx(plain.r2_r, rel=1e-12), pytest.approx(plain.score, rel=1e-12))
    assert found.r2_r_interval == pytest.approx(plain.r2_r_interval, abs=0.01)  # blocks end with cells
    assert found.cells is not None
    end = found.cells.end
    assert np.diff(end, prepend=0).tolist() == [32] * (found.num_sites // 32) + [found.num_sites % 32]
    i, j, _, r2_x, r2_y = pairs_of(first, second)
    a, b = (np.searchsorted(end, k, side="right") for k in (i, j))
    shape = len(end), len(end)
    count = np.bincount(a * len(end) + b, minlength=len(end) ** 2).reshape(shape)
    for table, values in ((found.cells.real, r2_x), (found.cells.synthetic, r2_y)):
        total = np.bincount(a * len(end) + b, values, len(end) ** 2).reshape(shape)
        expected = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
        np.testing.assert_allclose(table[np.triu_indices(len(end))], expected[np.triu_indices(len(end))], rtol=1e-9)
        assert np.array_equal(table, table.T, equal_nan=True)


def test_sampled_is_exact_where_every_pair_is_taken(pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    for lowest in (0.0, 0.1):
        exact, found = compare_ld(*pair, min_frequency=lowest), compare_sampled_ld(*pair, min_frequency=lowest)
        np.testing.assert_allclose(found.real, exact.real, rtol=1e-9)
        np.testing.assert_allclose(found.synthetic, exact.synthetic, rtol=1e-9)
        assert (found.r2_r, found.r2_r_interval) == (exact.r2_r, exact.r2_r_interval)
        for name in ("decay_r", "score"):
            value = getattr(exact, name)
            assert getattr(found, name) == pytest.approx(value, rel=1e-9)
            assert getattr(found, f"{name}_interval") == pytest.approx((value, value), rel=1e-6)
        assert (found.num_bins, found.num_sites, found.num_pairs) == (exact.num_bins, exact.num_sites, exact.num_pairs)


def test_sampled_intervals_hold_the_exact_values(pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]) -> None:
    """Noise that is a good part of the curves' differences: 95 % of 150 samples, less 3 of its standard errors."""
    edges = np.geomspace(1, 1300, 11)
    exact = compare_ld(*pair, edges_bp=edges)
    held = dict.fromkeys(("decay_r", "score"), 0)
    for seed in range(150):
        found = compare_sampled_ld(*pair, edges_bp=edges, num_pairs=12 * 100, seed=seed)
        for name in held:
            low, high = getattr(found, f"{name}_interval")
            held[name] += low <= getattr(exact, name) <= high
    assert all(count / 150 > 0.95 - 3 * np.sqrt(0.95 * 0.05 / 150) for count in held.values()), held


@pytest.mark.slow
def test_sampled_against_exact_on_many_sites() -> None:
    """10,000 sites and a set that has lost some linkage, 60 seeds: both scores, and the means of every bin."""
    real = hf.datasets.load("ooa")
    rng = np.random.default_rng(1)
    dense = real.to_dense()[:1000]
    changed = dense.copy()
    flips = rng.random(dense.shape) < 0.02
    changed[flips] = dense[rng.integers(0, 1000, flips.sum()), np.nonzero(flips)[1]]
    a, b = (hf.HaplotypeMatrix.from_dense(v, positions=real.sites.position) for v in (dense, changed))
    edges = ld_distance_edges(real.sites)
    exact = compare_ld(a, b, edges_bp=edges)
    varying = a.select_sites((dense.std(axis=0) > 0) & (changed.std(axis=0) > 0))
    held, off, squares = dict.fromkeys(("decay_r", "score"), 0), [], []
    for seed in range(60):
        found = compare_sampled_ld(a, b, edges_bp=edges, num_pairs=500_000, seed=seed)
        for name in held:
            low, high = getattr(found, f"{name}_interval")
            held[name] += low <= getattr(exact, name) <= high
        curve = sampled_ld_decay(varying, edges, 500_000, seed)
        off.append(curve.mean_r2 - exact.real)
        squares.append(curve.standard_error**2)
    assert all(count >= 51 for count in held.values()), held  # 57, less 3.5 standard errors
    band = np.sqrt(squares)
    assert (np.abs(off)[band == 0] < 1e-12).all()
    assert np.mean(np.abs(off)[band > 0] < 1.96 * band[band > 0]) == pytest.approx(0.95, abs=0.03)
    assert (np.abs(np.mean(off, axis=0)) <= 4 * np.sqrt(np.mean(squares, axis=0) / 60) + 1e-12).all()


def test_sites_without_pairs(rng: np.random.Generator) -> None:
    x = rng.integers(0, 2, (20, 6), dtype=np.uint8)
    y = x.copy()
    y[:, 1:] = 0
    first, second = hf.HaplotypeMatrix.from_dense(x), hf.HaplotypeMatrix.from_dense(y)
    for compare in (compare_ld, compare_sampled_ld):
        with pytest.raises(ValueError, match="at least 2 distance bins, found 0 among 1 sites"):
            compare(first, second)
        with pytest.raises(ValueError, match="at least 2 distance bins, found 0 among 0 sites"):
            compare(first, hf.HaplotypeMatrix.from_dense(y * 0))
        with pytest.raises(ValueError, match="synthetic: expected the 6 sites of real, found 5"):
            compare(first, second.select_sites(range(5)))
        with pytest.raises(ValueError, match=r"min_frequency: expected 0 or more and less than 1, found 1.5"):
            compare(first, second, min_frequency=1.5)


def test_r2_that_does_not_differ_has_no_correlation() -> None:
    """Three sites alike, r² = 1 for every pair."""
    x = np.repeat(np.array([[0], [0], [1], [1]], np.uint8), 3, axis=1)
    cohort = hf.HaplotypeMatrix.from_dense(x, positions=[1, 2, 4])
    found = compare_ld(cohort, cohort, edges_bp=np.array([1.0, 2.0, 4.0]))
    assert np.isnan(found.r2_r)
    assert found.score == 1
    assert np.isnan(compare_sampled_ld(cohort, cohort, edges_bp=np.array([1.0, 2.0, 4.0])).r2_r)


def test_published_gan(shared_data: Path) -> None:
    """0.924: over the pairs of the 800 sites that vary in both, whatever their chromosome (TARGETS)."""
    real = read_hapt(shared_data / "805_SNP_1000G_real.hapt.zip")
    gan = read_hapt(shared_data / "805_SNP_GAN_AG_20000epochs.hapt.zip")
    found = compare_ld(real, gan)
    _, _, _, x, y = pairs_of(real, gan)
    assert found.num_sites == 800
    assert found.num_pairs == len(x) == 800 * 799 // 2
    assert found.r2_r == pytest.approx(np.corrcoef(x, y)[0, 1], rel=1e-9)
    assert found.r2_r == pytest.approx(0.924, abs=0.0005)
    x, y = (np.concatenate([v, v, np.ones(800)]) for v in (x, y))  # whole matrices, with the diagonal
    assert np.corrcoef(x, y)[0, 1] == pytest.approx(0.946, abs=0.0005)


@pytest.mark.skipif(shutil.which("plink1.9") is None, reason="plink1.9 is not here")
def test_real_haplotypes_against_plink(shared_data: Path, tmp_path: Path) -> None:
    """600 sites at LCT: haplotypes as homozygous persons, so that plink's genotype r² is that of haplotypes."""
    whole = hf.read(shared_data / "lct_chr2_8076.npz")
    part = whole.select_sites(range(2000, 2600))
    other = part.select_haplotypes(range(0, part.num_haplotypes, 3))
    first = part.select_haplotypes(np.flatnonzero(np.arange(part.num_haplotypes) % 3))
    tables = []
    for name, cohort in (("a", first), ("b", other)):
        alleles = np.repeat(np.where(cohort.to_dense(), "2", "1"), 2, axis=1).reshape(cohort.num_haplotypes, -1)
        people = [f"h{i} h{i} 0 0 0 0 " + " ".join(row) for i, row in enumerate(alleles)]
        (tmp_path / f"{name}.ped").write_text("\n".join(people) + "\n")
        places = [f"1 s{j} 0 {p}" for j, p in enumerate(cohort.sites.position)]
        (tmp_path / f"{name}.map").write_text("\n".join(places) + "\n")
        command = ["plink1.9", "--file", name, "--r2", "square", "--out", name, "--allow-extra-chr", "--silent"]
        subprocess.run(command, cwd=tmp_path, check=True)
        tables.append(np.loadtxt(tmp_path / f"{name}.ld"))
    x, y = (table[np.triu_indices(600, 1)] for table in tables)
    both = np.isfinite(x) & np.isfinite(y)
    found = compare_ld(first, other)
    assert found.num_pairs == both.sum()
    assert found.r2_r == pytest.approx(np.corrcoef(x[both], y[both])[0, 1], abs=1e-5)  # plink writes six digits


def test_long_regions_say_what_the_correlation_rests_on(
    pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix], monkeypatch: pytest.MonkeyPatch
) -> None:
    from hapforge.evaluation.statistics import ld as statistic

    monkeypatch.setattr("hapforge.metrics.ld.MAX_R2_SITES", 60)
    monkeypatch.setattr(statistic, "MAX_EXACT_SITES", 50)
    found = hf.evaluate(*pair, metrics=["ld"], controls=["real_half"]).scores["synthetic"]
    assert found["ld_r2_r"].procedure.startswith("Pearson of r² real and r² syn, all pairs of 60 sites, evenly spaced")
    assert "sampled uniformly on log distance" in found["ld_decay_r"].procedure
    exact = compare_ld(*(cohort.select_sites(_spaced(pair, 60)) for cohort in pair))
    assert found["ld_r2_r"].value == pytest.approx(exact.r2_r, rel=1e-12)
    assert found["ld_r2_r"].n == exact.num_pairs


def _spaced(pair: tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix], num_sites: int) -> np.ndarray:
    frequency = np.array([cohort.to_dense().mean(axis=0) for cohort in pair])
    both = np.flatnonzero(((frequency > 0) & (frequency < 1)).all(axis=0))
    return both[np.linspace(0, len(both) - 1, num_sites).round().astype(int)]

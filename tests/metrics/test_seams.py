from __future__ import annotations

import numpy as np
import pytest

import hapforge as hf
from hapforge.metrics import seam_report
from hapforge.metrics.seams import _triplets


def chain(rng: np.random.Generator, n: int, num_sites: int, flip: float, breaks: tuple[int, ...] = ()) -> np.ndarray:
    """Sites that repeat the one before with few flips; rows are shuffled at breaks."""
    start = rng.integers(0, 2, (n, 1), dtype=np.uint8)
    dense = np.hstack([start, rng.random((n, num_sites - 1)) < flip]).astype(np.uint8)
    dense = np.bitwise_xor.accumulate(dense, axis=1)
    for site in breaks:
        dense[:, site:] = dense[rng.permutation(n), site:]
    return dense


@pytest.fixture(scope="module")
def cohorts() -> tuple[hf.HaplotypeMatrix, hf.HaplotypeMatrix]:
    """Haplotypes of two contigs of 200 and 100 sites, and others broken at 80 of the first."""
    rng = np.random.default_rng(3)
    position, contig = [*range(1, 201), *range(1, 101)], ["1"] * 200 + ["2"] * 100
    made = []
    for breaks in ((), (80,)):
        parts = [chain(rng, 300, 200, 0.05, breaks), chain(rng, 300, 100, 0.05)]
        made.append(hf.HaplotypeMatrix.from_dense(np.hstack(parts), positions=position, contig=contig))
    return made[0], made[1]


def test_a_broken_border_is_seen_and_the_inside_is_not(cohorts: tuple) -> None:
    found = seam_report(*cohorts, [80], width=40)
    assert (found.borders.num_places, found.inside.num_places, found.width) == (1, 2, 40)
    assert found.borders.r2_synthetic < 0.01 < 0.05 < found.borders.r2_real
    assert abs(found.inside.r2_synthetic - found.inside.r2_real) < 0.02
    assert found.borders.r2_r < 0.5 < 0.9 < found.inside.r2_r
    assert found.borders.aa_truth + found.borders.aa_syn > found.inside.aa_truth + found.inside.aa_syn


def test_against_dense_arithmetic(cohorts: tuple) -> None:
    real, synthetic = cohorts
    found = seam_report(real, synthetic, np.array([80, 250]), width=20)
    assert (found.borders.num_places, found.inside.num_places) == (2, 4)  # gaps 0-80, 80-200, 200-250, 250-300

    def r2_across(H: hf.HaplotypeMatrix, middle: int) -> np.ndarray:
        block = H.to_dense()[:, middle - 10 : middle + 10].astype(float)
        return np.corrcoef(block.T)[:10, 10:].ravel() ** 2

    def third_moments(H: hf.HaplotypeMatrix, middle: int) -> np.ndarray:
        block = H.to_dense()[:, middle - 10 : middle + 10].astype(float)
        return (block - block.mean(0))[:, _triplets(20, 0)].prod(axis=2).mean(0)

    for scores, middles in ((found.borders, (80, 250)), (found.inside, (40, 140, 225, 275))):
        p, q = (np.concatenate([r2_across(H, m) for m in middles]) for H in (real, synthetic))
        assert scores.num_pairs == 100 * len(middles)
        assert scores.num_triplets == 1000 * len(middles)
        assert scores.r2_r == pytest.approx(np.corrcoef(p, q)[0, 1], abs=1e-5)
        assert (scores.r2_real, scores.r2_synthetic) == pytest.approx((p.mean(), q.mean()), abs=1e-6)
        p, q = (np.concatenate([third_moments(H, m) for m in middles]) for H in (real, synthetic))
        assert scores.three_point_r == pytest.approx(np.corrcoef(p, q)[0, 1], abs=1e-9)
        parts = []
        for m in middles:
            index = np.arange(m - 10, m + 10)
            blocks = real.select_sites(index), synthetic.select_sites(index)
            parts.append(hf.metrics.adversarial_accuracy(*blocks, ties="half"))
        assert scores.aa_truth == pytest.approx(np.mean([part.aa_truth for part in parts]))
        assert scores.aa_syn == pytest.approx(np.mean([part.aa_syn for part in parts]))


def test_triplets_straddle_the_middle() -> None:
    triplets = _triplets(10, 1)
    assert triplets.shape == (1000, 3)
    assert (np.diff(triplets, axis=1) > 0).all()
    assert triplets[:, 0].max() == 4
    assert triplets[:, 2].min() == 5
    assert set(triplets[:, 1]) == set(range(1, 9))


def test_sites_that_do_not_vary_are_left_out(cohorts: tuple) -> None:
    real, synthetic = cohorts
    dense = synthetic.to_dense().copy()
    dense[:, 75] = 0
    fixed = hf.HaplotypeMatrix.from_dense(dense, positions=real.sites.position, contig=real.sites.contig.tolist())
    assert seam_report(real, fixed, [80], width=20).borders.num_pairs == 90
    dense[:] = 0
    none = hf.HaplotypeMatrix.from_dense(dense, positions=real.sites.position, contig=real.sites.contig.tolist())
    empty = seam_report(real, none, [80], width=20).borders
    assert empty.num_pairs == 0
    assert np.isnan([empty.r2_r, empty.r2_real, empty.three_point_r]).all()


@pytest.mark.parametrize(
    ("borders", "width", "message"),
    [
        ([], 20, "borders: expected one or more sites from 0 to 299, found"),
        ([300], 20, "borders: expected one or more sites from 0 to 299"),
        ([0.5], 20, "borders: expected one or more sites"),
        ([80], 21, "width: expected an even number, 4 or more, found 21"),
        ([80], 2, "width: expected an even number"),
        ([8], 20, "width: expected one for which there is a border with as many sites around it, found 20"),
        ([80], 162, "there is a border with as many"),
        ([200], 20, "there is a border with as many"),
    ],
)
def test_bad_arguments(cohorts: tuple, borders: list, width: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        seam_report(*cohorts, borders, width=width)


def test_gaps_may_all_be_too_narrow(cohorts: tuple) -> None:
    with pytest.raises(ValueError, match="a gap of as many sites without a border, found 160"):
        seam_report(*cohorts, [80, 100, 120], width=160)
    with pytest.raises(ValueError, match="synthetic: expected the 300 sites"):
        seam_report(cohorts[0], cohorts[1].select_sites(np.arange(200)), [80])

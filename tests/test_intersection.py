"""`hapforge.intersect`: the sites cohorts share, against a search of all pairs; what it counts, doubts and refuses."""

from __future__ import annotations

import re
import warnings

import numpy as np
import pytest

import hapforge as hf


def dense(rng: np.random.Generator, n: int, num_sites: int) -> np.ndarray:
    return rng.integers(0, 2, (n, num_sites), dtype=np.uint8)


def test_intersect_flips_and_counts(rng: np.random.Generator) -> None:
    a = dense(rng, 4, 6)
    first = hf.HaplotypeMatrix.from_dense(
        a, positions=[1, 2, 3, 4, 5, 6], contig="chr1", ref=list("AAAAAA"), alt=list("CCCCGG")
    )
    b = a.copy()
    b[:, 1] ^= 1
    second = hf.HaplotypeMatrix.from_dense(
        b[:, 1:], positions=[2, 3, 4, 5, 7], contig="1", ref=list("CAATA"), alt=list("ACCGG"), sample_ids=["x", "y"]
    )
    left, right = both = hf.intersect([first, second])
    assert left.sites.position.tolist() == [2, 3, 4]
    assert np.array_equal(left.to_dense(), a[:, 1:4])
    assert np.array_equal(right.to_dense(), a[:, 1:4])
    assert right.sites == left.sites
    assert both.num_flipped == [0, 1]
    assert both.num_dropped == [3, 2]
    assert right.samples.sample_id.tolist() == ["x", "x", "y", "y"]
    with pytest.raises(ValueError, match="found none"):
        hf.intersect([first.select_sites([0]), second])


def test_intersect_without_positions(rng: np.random.Generator) -> None:
    a, b = (hf.HaplotypeMatrix.from_dense(dense(rng, 4, 6)) for _ in range(2))
    with pytest.warns(UserWarning, match="by their order"):
        both = hf.intersect([a, b])
    assert np.array_equal(both[1].words, b.words)
    with pytest.raises(ValueError, match="found 5 in matrix 1"):
        hf.intersect([a, b.select_sites(range(5))])


def test_intersect_uses_a_record_once(rng: np.random.Generator) -> None:
    def cohort(n: int, alleles: str, contig: object = "1") -> hf.HaplotypeMatrix:
        ref, alt = [a[0] for a in alleles.split()], [a[1] for a in alleles.split()]
        return hf.HaplotypeMatrix.from_dense(dense(rng, n, len(ref)), [5] * len(ref), contig, ref=ref, alt=alt)

    both, one = cohort(4, "AT TA"), cohort(2, "AT")
    left, right = hf.intersect([both, one])
    assert left.sites.ref.tolist() == ["A"]
    assert np.array_equal(right.words, one.words)
    unknown = cohort(4, ".. ..")
    assert hf.intersect([unknown]).num_dropped == [0]
    assert hf.intersect([unknown, cohort(2, ".. .. ..")])[0].num_sites == 2
    with pytest.raises(ValueError, match="found both in one cohort"):
        hf.intersect([cohort(4, "AT AT", ["1", "chr1"]), one])


def cohort(records: str, ids: list[str] | None = None) -> hf.HaplotypeMatrix:
    """Two haplotypes at records such as "1:5:A:C"; the second is 1 at all."""
    contig, position, ref, alt = zip(*(record.split(":") for record in records.split()), strict=True)
    rows = np.vstack([np.zeros(len(ref), np.uint8), np.ones(len(ref), np.uint8)])
    return hf.HaplotypeMatrix.from_dense(rows, list(map(int, position)), list(contig), ids, list(ref), list(alt))


def test_strands_are_reported() -> None:
    first = cohort("1:1:A:T 1:2:C:G 1:3:A:C 1:4:G:A 1:5:AC:GT 1:6:C:T 1:7:A:G 1:8:A:AT")
    other = cohort("chr1:1:T:A chr1:2:C:G chr1:3:C:A chr1:4:C:T chr1:5:AC:GT chr1:6:A:G chr1:7:C:G chr1:9:A:C")
    left, right = both = hf.intersect([first, other])
    assert left.sites.position.tolist() == [1, 2, 3, 5]
    assert right.to_dense().tolist() == [[1, 0, 1, 0], [0, 1, 0, 1]]
    assert both.num_ambiguous == 3  # A/T, C/G, AC/GT
    assert both.num_flipped == [0, 2]
    assert both.num_flipped_ambiguous == [0, 1]
    assert both.num_dropped == [4, 4]
    assert both.num_other_alleles == [0, 3]  # at 4, 6, 7
    assert both.num_other_strand == [0, 2]  # G/A is C/T, C/T is A/G swapped
    assert both.doubts == []
    same = hf.intersect([first, first])
    assert (same.num_ambiguous, same.num_flipped_ambiguous, same.num_other_alleles) == (3, [0, 0], [0, 0])


def test_names_of_contigs() -> None:
    assert len(hf.intersect([cohort("chrM:1:A:C chrX:2:A:C"), cohort("MT:1:A:C X:2:A:C")])[0].sites) == 2
    with pytest.raises(ValueError, match="expected 'MT' and 'chrM' to be one contig, found both in one cohort"):
        hf.intersect([cohort("MT:1:A:C chrM:1:A:C"), cohort("M:1:A:C")])


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ("2:1:A:C 3:1:A:C 4:1:A:C 5:1:A:C", "contigs 1 in a, 2, 3, 4, ... in b"),
        ("1:2:A:C 1:9:A:C", "no position agrees, 1:1-5 in a, 1:2-9 in b"),
        ("1:1:A:C 1:5:A:G", "1 positions agree, with other alleles; at 1:5 G/T in a, A/G in b"),
    ],
)
def test_nothing_in_common(records: str, message: str) -> None:
    first, other = cohort("1:1:G:T 1:5:G:T"), cohort(records.replace("1:1:A:C 1:5", "1:5"))
    with pytest.raises(ValueError, match=re.escape(f"found none: {message}") + "$"):
        hf.intersect([first, other], names=["a", "b"])


def test_nothing_that_all_have() -> None:
    first, second, third = cohort("1:1:A:C 1:2:A:C"), cohort("1:1:A:C"), cohort("1:2:A:C")
    with pytest.raises(ValueError, match=r"found none: not one that all have$"):
        hf.intersect([first, second, third])


def lifted(rng: np.random.Generator, ids: bool, share: float) -> list[hf.HaplotypeMatrix]:
    """100 sites, and the same with all but a share of the positions moved."""
    position = 1000 * np.arange(1, 101)
    moved = position + np.where(rng.permutation(100) < round(100 * share), 0, 217)
    names = [f"rs{i}" for i in range(100)] if ids else ["."] * 100
    return [hf.HaplotypeMatrix.from_dense(dense(rng, 4, 100), p, "1", names, "A", "C") for p in (position, moved)]


def test_another_genome_build(rng: np.random.Generator) -> None:
    with pytest.warns(UserWarning, match="other genome builds") as caught:
        both = hf.intersect(lifted(rng, True, 0.3), names=["real", "GAN"])
    assert re.search(
        r"70 of 100 rs numbers that real and GAN share are at other positions, rs\d+ at 1:\d+ and 1:\d+$",
        str(caught[0].message),
    )
    assert len(both.doubts) == 1
    assert both[0].num_sites == 30
    with pytest.warns(UserWarning, match=r"8 of (99|100) positions within the range of matrix 0 and matrix 1 agree"):
        hf.intersect(lifted(rng, False, 0.08))
    with pytest.raises(ValueError, match=r"no position agrees, .*; 100 of 100 rs numbers that matrix 0 and matrix 1"):
        hf.intersect(lifted(rng, True, 0.0))


def test_no_doubt_without_a_reason(rng: np.random.Generator) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert hf.intersect(lifted(rng, True, 0.6)).doubts == []  # most agree
        assert hf.intersect(lifted(rng, False, 0.2)).doubts == []
        whole = lifted(rng, True, 1.0)[0]
        assert hf.intersect([whole, whole.select_sites(range(0, 100, 20))]).doubts == []  # a sparser set
        assert hf.intersect([whole.select_sites(range(60)), whole.select_sites(range(50, 100))]).doubts == []


def random_records(rng: np.random.Generator) -> list[tuple[str, int, str, str]]:
    """Up to 40 records at five positions on two contigs, none of them another one's swap."""
    known = {
        (str(rng.integers(1, 3)), int(rng.integers(1, 6)), *map(str, rng.permutation(list("ACGT"))[:2]))
        for _ in range(40)
    }
    return sorted((c, p, r, a) for c, p, r, a in known if r < a or (c, p, a, r) not in known)


@pytest.mark.parametrize("seed", range(40))
def test_against_a_search_of_all_pairs(seed: int) -> None:
    """Swaps, complements and repeats all over."""
    rng = np.random.default_rng(seed)
    cohorts = []
    for prefix in ("", "chr", ""):
        contig, position, ref, alt = map(list, zip(*random_records(rng), strict=True))
        names = [prefix + name for name in contig]
        cohorts.append(hf.HaplotypeMatrix.from_dense(dense(rng, 6, len(ref)), position, names, None, ref, alt))
    check_by_search(cohorts)


def check_by_search(cohorts: list[hf.HaplotypeMatrix]) -> None:
    columns = []
    for m in cohorts:
        s, x = m.sites, m.to_dense()
        columns.append(
            {
                (s.contig[j].removeprefix("chr"), int(s.position[j]), s.ref[j], s.alt[j]): x[:, j]
                for j in range(m.num_sites)
            }
        )
    kept, flips = [], np.zeros(len(cohorts), int)
    for c, p, r, a in columns[0]:
        found = [t.get((c, p, r, a), 1 - t[c, p, a, r] if (c, p, a, r) in t else None) for t in columns]
        if all(f is not None for f in found):
            kept.append(found)
            flips += [(c, p, r, a) not in t for t in columns]
    result = hf.intersect(cohorts)
    for k, m in enumerate(result):
        assert np.array_equal(m.to_dense(), np.stack([found[k] for found in kept], axis=1))
        assert m.sites == result[0].sites
    assert result.num_flipped == flips.tolist()
    assert result.num_dropped == [m.num_sites - len(kept) for m in cohorts]

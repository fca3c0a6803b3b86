"""HaplotypeMatrix, Sites and Samples: invariants at the door, selection, joining, splitting, labels."""

from __future__ import annotations

import gzip
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hapforge as hf
from hapforge.errors import FormatError
from hapforge.haplotypes import seeded_order


def dense(rng: np.random.Generator, n: int, num_sites: int) -> np.ndarray:
    return rng.integers(0, 2, (n, num_sites), dtype=np.uint8)


@pytest.mark.parametrize("num_sites", [0, 1, 63, 64, 65, 127, 128, 513])
@pytest.mark.parametrize("n", [0, 1, 2, 7])
def test_dense_round_trip_and_bit_order(rng: np.random.Generator, n: int, num_sites: int) -> None:
    a = dense(rng, n, num_sites)
    m = hf.HaplotypeMatrix.from_dense(a)
    assert m.shape == (n, num_sites)
    assert m.words.dtype == np.uint64
    assert m.words.shape == (n, -(-num_sites // 64))
    assert np.array_equal(m.to_dense(), a)
    for i in range(n):
        for j in range(num_sites):
            assert (int(m.words[i, j // 64]) >> (j % 64)) & 1 == a[i, j]
    again = hf.HaplotypeMatrix(m.words.copy(), m.sites, m.samples)
    assert np.array_equal(again.to_dense(), a)


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint8, np.int16, np.uint16, np.int64])
def test_from_dense_dtypes(rng: np.random.Generator, dtype: type) -> None:
    a = dense(rng, 5, 70)
    assert np.array_equal(hf.HaplotypeMatrix.from_dense(a.astype(dtype)).to_dense(), a)
    fortran = np.asfortranarray(a.astype(dtype))
    assert np.array_equal(hf.HaplotypeMatrix.from_dense(fortran).to_dense(), a)
    assert np.array_equal(hf.HaplotypeMatrix.from_dense(fortran[::2]).to_dense(), a[::2])


@pytest.mark.parametrize(
    ("array", "error", "message"),
    [
        (np.full((2, 3), 2, np.uint8), ValueError, "0 and 1|0/1|0 or 1"),
        (np.full((2, 3), -1, np.int8), ValueError, "0 and 1|0/1|0 or 1"),
        (np.full((2, 3), -1, np.int64), ValueError, "from -1 to -1"),
        (np.array([[0, 256]], np.int64), ValueError, "from 0 to 256"),
        (np.zeros(3, np.uint8), ValueError, "1 dimensions"),
        (np.zeros((2, 3)), TypeError, "found float64"),
        (np.ma.zeros((2, 3), np.uint8), TypeError, "masked"),
    ],
)
def test_from_dense_refuses(array: np.ndarray, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hf.HaplotypeMatrix.from_dense(array)


def test_words_are_checked() -> None:
    sites = hf.Sites(num_sites=65)
    with pytest.raises(ValueError, match="row 1"):
        hf.HaplotypeMatrix(np.array([[0, 1], [0, 2]], np.uint64), sites)
    with pytest.raises(ValueError, match=r"\(num_haplotypes, 2\)"):
        hf.HaplotypeMatrix(np.zeros((2, 1), np.uint64), sites)
    with pytest.raises(TypeError, match="uint64"):
        hf.HaplotypeMatrix(np.zeros((2, 2), np.int64), sites)
    with pytest.raises(ValueError, match="C-contiguous"):
        hf.HaplotypeMatrix(np.zeros((4, 2), np.uint64)[::2], sites)
    with pytest.raises(ValueError, match="expected 2 haplotypes, found 3"):
        hf.HaplotypeMatrix(np.zeros((2, 2), np.uint64), sites, hf.Samples(3))


def test_handed_out_arrays_are_read_only(small_cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="read-only"):
        small_cohort.words[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        small_cohort.sites.position[0] = 1
    with pytest.raises(ValueError, match="read-only"):
        small_cohort.samples.labels["population"][0] = "x"


def test_defaults() -> None:
    m = hf.HaplotypeMatrix.from_dense(np.zeros((5, 3), np.uint8))
    assert m.samples.sample_id.tolist() == ["sample0", "sample0", "sample1", "sample1", "sample2"]
    assert m.samples.haplotype_id.tolist() == ["sample0_A", "sample0_B", "sample1_A", "sample1_B", "sample2_A"]
    assert m.samples.phased.tolist() == [True] * 3
    assert m.sites.position.tolist() == [1, 2, 3]
    assert not m.sites.position_known
    assert m.sites.ref.tolist() == ["."] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"positions": [1, 2]}, "expected 3, found 2"),
        ({"positions": [2, 1, 3]}, "found 1 after 2 at site 1"),
        ({"positions": [0, 1, 3]}, "found 0 at site 0"),
        ({"positions": [1, 2, 2**62]}, r"expected less than 2\*\*62, found 4611686018427387904 at site 2"),
        ({"positions": [1.0, 2.0, 3.0]}, "integers"),
        ({"contig": ["1", "2", "1"]}, "'1' in two"),
        ({"positions": [1, 5, 5], "ref": "A", "alt": "C"}, "1:5 A>C again at site 2"),
        ({"haplotype_ids": ["a", "a"]}, "'a' twice"),
        ({"sample_ids": ["a", "b", "c"]}, "expected 2 values"),
        ({"labels": {"x": [1, 2, 3]}}, "labels\\['x'\\]"),
        ({"ids": ["a"]}, "ids: expected 3"),
    ],
)
def test_site_and_sample_invariants(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        hf.HaplotypeMatrix.from_dense(np.zeros((2, 3), np.uint8), **arguments)


def test_repeated_positions_with_other_alleles_are_fine() -> None:
    m = hf.HaplotypeMatrix.from_dense(np.zeros((2, 3), np.uint8), positions=[1, 5, 5], ref="A", alt=["C", "C", "G"])
    assert m.sites.alt.tolist() == ["C", "C", "G"]
    hf.HaplotypeMatrix.from_dense(np.zeros((2, 3), np.uint8), positions=[5, 5, 5])  # unknown alleles may differ
    hf.HaplotypeMatrix.from_dense(np.zeros((2, 2), np.uint8), positions=[5, 5], contig=["1", "2"], ref="A", alt="C")


def test_selection(small_cohort: hf.HaplotypeMatrix, rng: np.random.Generator) -> None:
    a = small_cohort.to_dense()
    mask = rng.random(130) < 0.4
    s = small_cohort.select_sites(mask)
    assert np.array_equal(s.to_dense(), a[:, mask])
    assert np.array_equal(s.sites.position, small_cohort.sites.position[mask])
    assert np.array_equal(small_cohort.select_sites([-1]).to_dense(), a[:, [-1]])
    assert small_cohort.select_sites([]).shape == (20, 0)
    index = rng.permutation(20)[:7]
    r = small_cohort.select_haplotypes(index)
    assert np.array_equal(r.to_dense(), a[index])
    assert r.samples.haplotype_id.tolist() == small_cohort.samples.haplotype_id[index].tolist()
    assert r.samples.labels["population"].tolist() == small_cohort.samples.labels["population"][index].tolist()
    with pytest.raises(IndexError, match="found 130"):
        small_cohort.select_sites([130])
    with pytest.raises(ValueError, match="mask of 20, found 3"):
        small_cohort.select_haplotypes([True, False, True])
    with pytest.raises(TypeError, match="integer"):
        small_cohort.select_haplotypes([0.5])
    with pytest.raises(ValueError, match="not to decrease"):
        small_cohort.select_sites([3, 2])


def test_labels_of_one_name_are_of_one_kind() -> None:
    text, number = (
        hf.HaplotypeMatrix.from_dense(np.zeros((2, 1), np.uint8), sample_ids=[i], labels={"x": values})
        for i, values in (("a", ["u", "v"]), ("b", [1, 2]))
    )
    with pytest.raises(ValueError, match=r"labels\['x'\]: expected text or numbers in all"):
        hf.concat([text, number])
    with pytest.raises(TypeError, match="found others"):
        hf.HaplotypeMatrix.from_dense(np.zeros((2, 1), np.uint8), labels={"x": ["u", None]})


def test_phase_follows_persons() -> None:
    m = hf.HaplotypeMatrix(
        np.zeros((6, 1), np.uint64), hf.Sites(num_sites=1), hf.Samples(6, phased=[True, False, True])
    )
    assert m.select_haplotypes([4, 5, 2, 3]).samples.phased.tolist() == [True, False]


def test_row_blocks(small_cohort: hf.HaplotypeMatrix) -> None:
    blocks = list(small_cohort.iter_row_blocks(7))
    assert [b.num_haplotypes for b in blocks] == [7, 7, 6]
    assert np.array_equal(np.concatenate([b.to_dense() for b in blocks]), small_cohort.to_dense())
    assert np.shares_memory(blocks[1].words, small_cohort.words)
    assert hf.concat(blocks).sha256() == small_cohort.sha256()
    with pytest.raises(ValueError, match="rows"):
        next(small_cohort.iter_row_blocks(0))


@given(st.integers(0, 60), st.floats(0, 1), st.integers(0, 2**64 - 1))
def test_split_holds_out_whole_persons(num_persons: int, fraction: float, seed: int) -> None:
    n = 2 * num_persons
    m = hf.HaplotypeMatrix.from_dense(
        np.arange(n)[:, None] % 2, sample_ids=[f"p{i % max(num_persons, 1)}" for i in range(n)]
    )
    train, holdout = m.split(fraction, seed)
    assert holdout.samples.num_persons == int(Fraction(str(fraction)) * num_persons)
    assert not set(train.samples.sample_id.tolist()) & set(holdout.samples.sample_id.tolist())
    assert train.num_haplotypes + holdout.num_haplotypes == n
    order = {name: i for i, name in enumerate(m.samples.haplotype_id.tolist())}
    for part in (train, holdout):
        ranks = [order[name] for name in part.samples.haplotype_id.tolist()]
        assert ranks == sorted(ranks)
    assert m.split(fraction, seed)[1].samples.haplotype_id.tolist() == holdout.samples.haplotype_id.tolist()


def test_split_is_stable() -> None:
    m = hf.HaplotypeMatrix.from_dense(np.zeros((20, 1), np.uint8))
    assert m.split(0.3, 7)[1].samples.haplotype_id.tolist() == m.split(0.3, 7)[1].samples.haplotype_id.tolist()
    raw = np.random.Philox(key=[7, 0]).random_raw(10)
    assert seeded_order(10, 7).tolist() == np.argsort(raw, kind="stable").tolist()
    held = {f"sample{i}" for i in seeded_order(10, 7)[:3]}
    assert set(m.split(0.3, 7)[1].samples.sample_id.tolist()) == held
    with pytest.raises(ValueError, match="fraction"):
        m.split(1.5, 0)
    for seed in (-1, 2**64):
        with pytest.raises(ValueError, match="seed: expected 0 to"):
            m.split(0.5, seed)
    with pytest.raises(TypeError, match="found float"):
        m.split(0.5, 1.5)  # type: ignore[arg-type]
    assert m.split(0.3, np.int64(7))[1].sha256() == m.split(0.3, 7)[1].sha256()
    assert len({tuple(seeded_order(50, 2**63 + i).tolist()) for i in range(20)}) == 20


@pytest.mark.parametrize("percent", [1, 7, 28, 29, 57, 58, 99, 100])
def test_split_rounds_down_what_was_written(percent: int) -> None:
    m = hf.HaplotypeMatrix.from_dense(np.zeros((200, 1), np.uint8))
    assert m.split(percent / 100, 0)[1].samples.num_persons == percent


def test_concat_haplotypes(small_cohort: hf.HaplotypeMatrix, rng: np.random.Generator) -> None:
    other = hf.HaplotypeMatrix(
        hf.HaplotypeMatrix.from_dense(dense(rng, 4, 130)).words,
        small_cohort.sites,
        hf.Samples(4, labels={"x": [1, 2, 3, 4]}),
    )
    joined = hf.concat([small_cohort, other])
    assert np.array_equal(joined.to_dense(), np.concatenate([small_cohort.to_dense(), other.to_dense()]))
    assert joined.samples.labels == {}
    with pytest.raises(ValueError, match="twice"):
        hf.concat([small_cohort, small_cohort])
    with pytest.raises(ValueError, match="intersect"):
        hf.concat([small_cohort, other.select_sites(range(129))])
    with pytest.raises(ValueError, match="at least one"):
        hf.concat([])
    with pytest.raises(ValueError, match="axis"):
        hf.concat([other], axis="rows")  # type: ignore[arg-type]


@pytest.mark.parametrize("cut", [0, 1, 63, 64, 65, 70, 129, 130])
def test_concat_sites(small_cohort: hf.HaplotypeMatrix, cut: int) -> None:
    left, right = small_cohort.select_sites(range(cut)), small_cohort.select_sites(range(cut, 130))
    joined = hf.concat(
        [left, right.select_haplotypes(list(range(19, -1, -1))).select_haplotypes(list(range(19, -1, -1)))],
        axis="sites",
    )
    assert joined.sha256() == small_cohort.sha256()
    # rows in another order are matched by sample id and ploid index, not by order
    shuffled = [2, 3, 0, 1, *range(4, 20)]
    joined = hf.concat([left, right.select_haplotypes(shuffled)], axis="sites")
    assert np.array_equal(joined.to_dense(), small_cohort.to_dense())


def test_concat_sites_three_parts_and_strangers(rng: np.random.Generator) -> None:
    a = dense(rng, 6, 200)
    parts = [
        hf.HaplotypeMatrix.from_dense(a[:, s:e], positions=np.arange(s, e) + 1)
        for s, e in [(0, 30), (30, 131), (131, 200)]
    ]
    assert np.array_equal(hf.concat(parts, axis="sites").to_dense(), a)
    stranger = hf.HaplotypeMatrix.from_dense(a[:, 30:131], positions=np.arange(30, 131) + 1, sample_ids=["x", "y", "z"])
    with pytest.warns(UserWarning, match="in their order"):
        assert np.array_equal(hf.concat([parts[0], stranger], axis="sites").to_dense(), a[:, :131])
    with pytest.raises(ValueError, match="expected 6 haplotypes in all, found 4"):
        hf.concat([parts[0], parts[1].select_haplotypes(range(4))], axis="sites")


def test_counted_positions_are_counted_anew(rng: np.random.Generator) -> None:
    a = dense(rng, 4, 100)
    parts = [hf.HaplotypeMatrix.from_dense(a[:, s:e]) for s, e in [(0, 70), (70, 100)]]
    joined = hf.concat(parts, axis="sites")
    assert joined.sites.position.tolist() == list(range(1, 101))
    assert not joined.sites.position_known
    assert np.array_equal(joined.to_dense(), a)


def test_labels_from_tsv(small_cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    path = tmp_path / "labels.tsv"
    persons = [f"P{i}" for i in range(10)]
    text = (
        "sample\tregion\tcity\n" + "".join(f"{p}\tR{i}\tC{i % 2}\n" for i, p in enumerate(persons)) + "stranger\tx\ty\n"
    )
    path.write_text(text)
    m = small_cohort.with_labels(path)
    assert m.samples.labels["region"].tolist() == [f"R{i // 2}" for i in range(20)]
    assert set(m.samples.labels) == {"population", "region", "city"}
    packed = tmp_path / "labels.tsv.gz"
    packed.write_bytes(gzip.compress(text.replace("\n", "\r\n").encode()))
    assert small_cohort.with_labels(packed).samples.labels["city"].tolist() == m.samples.labels["city"].tolist()
    by_haplotype = tmp_path / "haplotypes.tsv"
    by_haplotype.write_text("id\tx\n" + "".join(f"{h}\t{i}\n" for i, h in enumerate(m.samples.haplotype_id.tolist())))
    assert small_cohort.with_labels(by_haplotype).samples.labels["x"].tolist() == [str(i) for i in range(20)]
    assert small_cohort.with_labels({"n": range(10)}).samples.labels["n"].tolist() == [i // 2 for i in range(20)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id\tx\nP0\t1\n", "none for 18 of 20 haplotypes, the first 'P1_A'"),
        ("id\tx\nP0\t1\t2\n", "line 2: expected 2 columns, found 3"),
        ("id\tx\nP0\t1\nP0\t2\n", "line 3: expected each id once, found 'P0' again"),
        ("id\tx\tx\n", "'x' twice"),
        ("id\n", "two tab-separated columns"),
        ("", "two tab-separated columns"),
        ("id\tx\nP\xff\t1\n", "UTF-8"),
        ("id\tx\nP0\t" + "a" * 200_000 + "\n", "tab-separated text"),
        ("id\tx\rP0\t1\n", "tab-separated text, found new-line character"),
        ("id\tx\nP0\t1", r"line 2: expected a last line .* may be cut \(a line feed at its end shows"),
        ("id\tx\nP0\t\x0b1\n", r"line 2: expected tab-separated text, found the control character '\\x0b'"),
        ("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x00", "a whole gzip file"),
    ],
)
def test_bad_label_files(small_cohort: hf.HaplotypeMatrix, tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "labels.tsv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(FormatError, match=message) as caught:
        small_cohort.with_labels(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_memory_mapped_words(tmp_path: Path, rng: np.random.Generator) -> None:
    m = hf.HaplotypeMatrix.from_dense(dense(rng, 8, 100))
    np.save(tmp_path / "w.npy", m.words)
    mapped = hf.HaplotypeMatrix(np.load(tmp_path / "w.npy", mmap_mode="r"), m.sites, m.samples)
    assert np.array_equal(mapped.to_dense(), m.to_dense())
    assert mapped.sha256() == m.sha256()


def test_digest_sees_every_part(small_cohort: hf.HaplotypeMatrix) -> None:
    first = small_cohort.sha256()
    a = small_cohort.to_dense()
    a[3, 100] ^= 1
    changed = hf.HaplotypeMatrix(hf.HaplotypeMatrix.from_dense(a).words, small_cohort.sites, small_cohort.samples)
    assert changed.sha256() != first
    assert small_cohort.select_haplotypes([1, 0, *range(2, 20)]).sha256() != first

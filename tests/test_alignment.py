"""Aligned sequences and the haplotypes they become."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import hapforge as hf
from hapforge.alignment import AMINO_ACIDS, NUCLEOTIDES, alphabet_of, extent, states_of

LABELS = {"kind": ["x", "", "y"], "year": [3, 1, 2]}


@pytest.fixture
def alignment() -> hf.Alignment:
    return hf.Alignment([[0, 4, 1], [3, 3, 3], [4, 0, 2]], NUCLEOTIDES, ["a", "b", "c"], LABELS)


def test_letters_become_sites(alignment: hf.Alignment) -> None:
    H = alignment.to_haplotypes()
    assert alignment.sequences() == ["A-C", "TTT", "-AG"]
    assert H.to_dense().reshape(3, 3, 5).argmax(2).tolist() == [[0, 4, 1], [3, 3, 3], [4, 0, 2]]
    assert (H.to_dense().sum(1) == 3).all()
    assert H.sites.position.tolist() == [1] * 5 + [2] * 5 + [3] * 5
    assert "".join(H.sites.alt.tolist()) == "ACGT-" * 3
    assert set(H.sites.contig.tolist()) == {"alignment"}
    assert H.samples.haplotype_id.tolist() == H.samples.sample_id.tolist() == ["a", "b", "c"]
    assert H.samples.num_persons == 3
    assert H.samples.labels["year"].tolist() == [3, 1, 2]
    assert hf.kernels.pairwise_hamming(H).tolist() == [[0, 6, 6], [6, 0, 6], [6, 6, 0]]
    assert extent(H) == "3 sequences x 3 positions"
    assert extent(hf.HaplotypeMatrix.from_dense(np.eye(2, dtype=np.uint8))) == "2 haplotypes x 2 sites"
    assert repr(alignment) == "Alignment(3 sequences x 3 positions, letters ACGT-)"
    with pytest.raises(ValueError, match="read-only"):
        alignment.states[0, 0] = 1


@given(st.integers(0, 9), st.integers(1, 40), st.integers(0, 99), st.sampled_from([NUCLEOTIDES, AMINO_ACIDS, "A!"]))
def test_everything_comes_back(n: int, num_positions: int, seed: int, alphabet: str) -> None:
    states = np.random.default_rng(seed).integers(len(alphabet), size=(n, num_positions))
    H = hf.Alignment(states, alphabet).to_haplotypes()
    back = hf.Alignment.from_haplotypes(H)
    assert back.alphabet == alphabet_of(H.sites) == alphabet
    assert back.states.dtype == np.uint8
    assert np.array_equal(back.states, states)
    assert np.array_equal(back.names, [f"sequence{i}" for i in range(len(states))])
    assert back.to_haplotypes().sha256() == H.sha256()


def test_in_blocks_of_rows(alignment: hf.Alignment, monkeypatch: pytest.MonkeyPatch) -> None:
    H = alignment.to_haplotypes()
    monkeypatch.setattr("hapforge.alignment._AT_ONCE", 31)
    assert np.array_equal(alignment.to_haplotypes().words, H.words)
    assert np.array_equal(states_of(H), alignment.states)


def test_parts_of_it(alignment: hf.Alignment) -> None:
    H = alignment.to_haplotypes()
    some = hf.Alignment.from_haplotypes(H.select_haplotypes([2, 0]).select_sites(np.arange(5, 15)))
    assert some.sequences() == ["AG", "-C"]
    assert some.labels["kind"].tolist() == ["y", "x"]
    train, held = H.split(0.4, 1)
    assert sorted([*train.samples.haplotype_id.tolist(), *held.samples.haplotype_id.tolist()]) == ["a", "b", "c"]
    assert held.num_haplotypes == 1


def test_a_part_of_the_letters_is_refused(alignment: hf.Alignment) -> None:
    H = alignment.to_haplotypes()
    for sites in (np.arange(9), np.delete(np.arange(15), 7), [1, 0, *range(2, 15)]):
        with pytest.raises(ValueError, match=r"expected every letter at every position .*, found a part"):
            states_of(H.select_sites(sites))
    with pytest.raises(ValueError, match=r"expected every letter at every position .*, found a part"):
        alphabet_of(hf.Sites([1, 1, 1], contig=["1", "alignment", "alignment"], alt=["A", "C", "G"]))
    # four letters at the one position there is: an alphabet, but not one letter a row
    with pytest.raises(ValueError, match="expected one letter at every position, found 0 at 1 of 'c'"):
        states_of(H.select_sites(np.arange(4)))


def test_rows_without_one_letter_are_refused(alignment: hf.Alignment) -> None:
    H = alignment.to_haplotypes()
    for bit, found in ((1, 0), (2, 2)):
        words = H.words.copy()
        words[0] ^= np.uint64(bit)
        with pytest.raises(ValueError, match=f"expected one letter at every position, found {found} at 1 of 'a'"):
            states_of(hf.HaplotypeMatrix(words, H.sites, H.samples))
    with pytest.raises(ValueError, match=r"expected aligned sequences .*, found haplotypes"):
        hf.Alignment.from_haplotypes(hf.HaplotypeMatrix.from_dense(np.eye(3, dtype=np.uint8)))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0, 1], "AC"), ValueError, "states: expected a matrix .* found 1 dimensions"),
        (([[0.0, 1.0]], "AC"), TypeError, "states: expected integers, found float64"),
        (([[0, 2]], "AC"), ValueError, "states: expected 0 to 1, found 0 to 2"),
        (([[-1, 1]], "AC"), ValueError, "states: expected 0 to 1, found -1 to 1"),
        (([[0, 256]], "AC"), ValueError, "states: expected 0 to 1, found 0 to 256"),
        (([[0]], "A"), ValueError, "alphabet: expected two or more different ASCII characters"),
        (([[0]], "ACA"), ValueError, "alphabet: expected .*, found 'ACA'"),
        (([[0]], "Aa"), ValueError, "none lower case"),
        (([[0]], "A."), ValueError, "found 'A.'"),
        (([[0]], "A>"), ValueError, "found 'A>'"),
        (([[0]], "A "), ValueError, "found 'A '"),
        (([[0]], "Aé"), ValueError, "found 'Aé'"),
        (([[0], [1]], "AC", ["a"]), ValueError, "sample_ids|haplotype_ids"),
        (([[0], [1]], "AC", ["a", "a"]), ValueError, "haplotype_ids: expected each id once"),
        (([[0], [1]], "AC", None, {"kind": ["x"]}), ValueError, r"labels\['kind'\]: expected 2 values"),
    ],
)
def test_bad_alignments(arguments: tuple, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        hf.Alignment(*arguments)

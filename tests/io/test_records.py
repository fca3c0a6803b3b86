"""What readers of records share: policies by name, order, blocks without odd calls that are odd all the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

import hapforge as hf
from hapforge.errors import FormatError
from hapforge.io import records
from hapforge.io.records import Block, Cohort, Order, Policy


def test_choices_of_a_policy() -> None:
    assert Policy().choices == dict.fromkeys(records.KINDS, "error")
    policy = Policy.parse(["multiallelic=split", "missing=major"])
    assert (policy["multiallelic"], policy["missing"], policy["haploid"]) == ("split", "major", "error")
    assert repr(policy) == "Policy({'multiallelic': 'split', 'missing': 'major'})"
    for kind, known in records.KINDS.items():
        for choice in known:
            assert Policy({kind: choice})[kind] == choice


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        (["multialelic=split"], r"a kind out of multiallelic, .* found 'multialelic' (did you mean 'multiallelic'?)"),
        (["haploid=doubled"], "haploid to be one of error, skip, double, found 'doubled' (did you mean 'double'?)"),
        (["text="], "text to be one of error, accept, found ''"),
        (["=skip"], "a kind out of .*, found ''"),
        (["skip"], "KIND=CHOICE, as in multiallelic=split, found 'skip'"),
        (["missing=skip", "missing=major"], "each kind once, found 'missing' twice"),
    ],
)
def test_unknown_choices_are_refused(texts: list[str], message: str) -> None:
    pattern = re.escape(message).replace(r"\.\*", ".*")
    with pytest.raises(ValueError, match=rf"^policy: expected {pattern}$"):
        Policy.parse(texts)


def test_a_policy_is_a_mapping() -> None:
    with pytest.raises(TypeError, match="policy: expected a mapping kind -> choice, found list"):
        Policy(["missing"])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="policy: expected a mapping"):
        hf.read(__file__, policy="missing=skip")  # type: ignore[arg-type]


def test_changes_add_up() -> None:
    policy = Policy({"missing": "major", "duplicate": "skip", "multiallelic": "split"})
    assert policy.summary() == ""
    policy.count("duplicate", sites=0)
    assert policy.changes == {}
    policy.count("missing", alleles=1, sites=1)
    policy.count("duplicate", sites=1)
    assert policy.summary() == "1 missing allele set to the commoner one at 1 site; 1 repeated site left out"
    policy.count("missing", alleles=10, sites=1)
    policy.count("multiallelic", records=11, sites=22)
    assert policy.changes["missing"] == {"alleles": 11, "sites": 2}
    assert policy.summary() == (
        "11 multi-allelic records split into 22 sites; 11 missing alleles set to the commoner one at 2 sites; "
        "1 repeated site left out"
    )


def test_every_rule_has_its_words() -> None:
    for kind, known in records.KINDS.items():
        for choice in known[1:]:
            policy = Policy({kind: choice})
            policy.count(kind, records=2, sites=3, calls=4, alleles=5, lines=6, chunks=6)
            assert re.search("[23456] ", policy.summary())
            assert "{" not in policy.summary()


def block(*sites: tuple[str, int, str, str], calls: list[list[int]] | None = None) -> Block:
    """Sites (contig, position, REF, ALT) with phased diploid calls, one list a site; all 0 by default."""
    contig, position, ref, alt = (list(column) for column in zip(*sites, strict=True))
    dense = np.array(calls if calls is not None else [[0, 0]] * len(sites), np.uint8)
    words = hf.HaplotypeMatrix.from_dense(dense).words
    return Block(contig, position, ["."] * len(sites), ref, alt, words)


def test_order_goes_on_from_block_to_block() -> None:
    order = Order("x")
    order.add(block(("1", 5, "A", "C"), ("1", 5, "A", "G")))
    order.add(block(("1", 5, "A", "T"), ("2", 1, "A", "T")))
    assert str(order) == "after site 2:1"
    for wrong, message in (
        (
            ("1", 9, "A", "C"),
            r"site 1:9: expected the sites of contig 1 in one block, found more behind 2; --policy uns",
        ),
        (("2", 0, "A", "C"), "site 2:0: expected a position of 1 or more"),
        (("3", 2**31, "A", "C"), r"site 3:2147483648: expected a position of at most 2\^31 - 1"),
    ):
        with pytest.raises(FormatError, match=message):
            order.add(block(wrong))
    order.add(block(("2", 2**31 - 1, "A", "C")))
    with pytest.raises(FormatError, match="site 2:2147483646: expected positions that don't decrease, found 21474"):
        order.add(block(("2", 2**31 - 2, "A", "C")))


def test_sorted_sites_keep_their_calls() -> None:
    policy = Policy({"unsorted": "sort", "duplicate": "skip"})
    cohort = Cohort("x", ["P"], policy=policy)
    for part in (
        block(("2", 7, "A", "C"), ("2", 3, "A", "C"), calls=[[0, 1], [1, 0]]),
        block(("1", 9, "A", "C"), ("2", 3, "A", "G"), calls=[[1, 1], [0, 0]]),
        block(("2", 7, "A", "C"), ("1", 9, "A", "T"), calls=[[1, 1], [0, 1]]),
    ):
        kept = cohort.wanted(part)
        assert list(kept) == [0, 1]
        cohort.add(part)
    matrix = cohort.matrix()
    assert matrix.sites.contig.tolist() == ["2", "2", "2", "1", "1"]
    assert matrix.sites.position.tolist() == [3, 3, 7, 9, 9]
    assert matrix.sites.alt.tolist() == ["C", "G", "C", "C", "T"]
    np.testing.assert_array_equal(matrix.to_dense(), [[1, 0, 0, 1, 0], [0, 0, 1, 1, 1]])
    assert policy.changes == {"unsorted": {"records": 3}, "duplicate": {"sites": 1}}


def test_two_alts_of_clean_calls() -> None:
    """Records whose calls are all 0 and 1, but which have two ALT alleles, or none."""
    sites = [("1", 5, "A", "C,G"), ("1", 6, "A", "C"), ("1", 7, "A", ".")]
    policy = Policy({"multiallelic": "split", "symbolic": "keep"})
    cohort = Cohort("x", ["P", "Q"], policy=policy, samples=["Q"])
    cohort.add(block(*sites, calls=[[1, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]))
    matrix = cohort.matrix()
    assert matrix.sites.alt.tolist() == ["C", "G", "C", "."]
    np.testing.assert_array_equal(matrix.to_dense(), [[0, 0, 1, 0], [1, 0, 0, 0]])
    cohort = Cohort("x", ["P", "Q"], policy=policy, samples=["Q"])
    with pytest.raises(FormatError, match=r"site 1:7: .* found '0\|1' \(there is no ALT allele\) for sample 'P'"):
        cohort.add(block(*sites, calls=[[1, 1, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]]))


def test_the_first_bad_record_is_named() -> None:
    cohort = Cohort("x", ["P"])
    sites = [("1", 5, "A", "C"), ("1", 6, "A", "C"), ("1", 6, "A", "C"), ("1", 8, "A", "C,G"), ("1", 9, "A", "<DEL>")]
    part = block(*sites)
    part.odd = np.array([1])
    part.alleles = np.array([[[0, -1]]], np.int16)
    part.phased = np.ones((1, 1), bool)
    with pytest.raises(
        FormatError, match=r"site 1:6: .* found '0\|\.' \(half missing\) for sample 'P'; --policy missing"
    ):
        cohort.add(part)

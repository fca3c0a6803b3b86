"""Cohorts and comparisons that the tests of input and output share."""

from __future__ import annotations

from typing import Any

import hypothesis.strategies as st
import numpy as np

import hapforge as hf

NUM_SITES = (1, 2, 63, 64, 65, 130)
MOST_MEMORY = """
def most():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
"""
# KiB that a process took; ru_maxrss is at least what its parent had when it started it
_NAME = st.text("abcXYZ019-.éß", min_size=1, max_size=6)
_BASES = st.text("ACGTacgtN", min_size=1, max_size=20)


@st.composite
def cohorts(draw: Any, diploid: bool = False, empty: bool = False) -> hf.HaplotypeMatrix:
    """Any cohort that every format can hold: known alleles of bases or none, one to three contigs, labels."""
    sizes = [2, 4, 10] if diploid else [1, 2, 3, 9]
    n = draw(st.sampled_from([0, *sizes] if empty else sizes))
    num_sites = draw(st.sampled_from([0, *NUM_SITES] if empty else NUM_SITES))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    num_contigs = min(num_sites, draw(st.integers(1, 3)))
    contig = np.sort(rng.integers(0, max(1, num_contigs), num_sites))
    known = draw(st.booleans())
    position = np.concatenate(
        [np.sort(rng.integers(1, 10**6, int((contig == c).sum()))) for c in range(max(1, num_contigs))]
    )
    alleles = [(f"{a}A", f"{b}C") for a, b in draw(st.lists(st.tuples(_BASES, _BASES), min_size=1, max_size=4))]
    chosen = [alleles[k] for k in rng.integers(0, len(alleles), num_sites)]
    repeated = np.concatenate([[False], np.diff(position) == 0])[:num_sites]
    no_alleles = rng.random(num_sites) < draw(st.sampled_from([0, 0.5, 1]))
    ref = ["." if u or r else a for (a, _), u, r in zip(chosen, no_alleles, repeated, strict=True)]
    alt = ["." if u or r else b for (_, b), u, r in zip(chosen, no_alleles, repeated, strict=True)]
    ids = draw(st.lists(st.one_of(st.just("."), _NAME), min_size=1, max_size=3))
    people = draw(st.lists(_NAME, min_size=(n + 1) // 2, max_size=(n + 1) // 2, unique=True))
    sites = hf.Sites(
        position,
        contig=[f"c{c}" for c in contig],
        id=[ids[k] for k in rng.integers(0, len(ids), num_sites)],
        ref=ref,
        alt=alt,
        position_known=known,
    )
    labels: dict[str, Any] = {}
    if n and draw(st.booleans()):
        labels = {
            "population": rng.choice(["A", "Bé"], n),
            "pos": rng.integers(0, 9, n),
            "label_x": rng.random(n) < 0.5,
        }
    samples = hf.Samples(n, sample_id=np.array(people, dtype="U6"), labels=labels)
    dense = rng.integers(0, 2, (n, num_sites), dtype=np.uint8)
    return hf.HaplotypeMatrix(hf.HaplotypeMatrix.from_dense(dense).words, sites, samples)


def assert_same(a: hf.HaplotypeMatrix, b: hf.HaplotypeMatrix, *, labels: bool = True, site_ids: bool = True) -> None:
    """Equal in bits, sites and samples."""
    assert a.shape == b.shape
    np.testing.assert_array_equal(a.words, b.words)
    for name in ("position", "contig", "ref", "alt", *(["id"] if site_ids else [])):
        np.testing.assert_array_equal(getattr(a.sites, name), getattr(b.sites, name), err_msg=name)
    assert a.sites.position_known == b.sites.position_known
    np.testing.assert_array_equal(a.samples.haplotype_id, b.samples.haplotype_id)
    np.testing.assert_array_equal(a.samples.sample_id, b.samples.sample_id)
    np.testing.assert_array_equal(a.samples.phased, b.samples.phased)
    if labels:
        assert list(a.samples.labels) == list(b.samples.labels)
        for name, values in a.samples.labels.items():
            assert values.dtype == b.samples.labels[name].dtype
            np.testing.assert_array_equal(values, b.samples.labels[name], err_msg=name)

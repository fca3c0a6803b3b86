"""Which triplets of sites are compared."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import hapforge as hf
from hapforge.stats import three_point_triplets


def bare(num_sites: int, contig: list[str] | None = None) -> hf.HaplotypeMatrix:
    return hf.HaplotypeMatrix.from_dense(
        np.zeros((2, num_sites), np.uint8), positions=np.arange(1, num_sites + 1), contig=contig
    )


def test_all_there_are_where_there_are_few() -> None:
    found = three_point_triplets(bare(41))
    assert list(found) == ["1", "4", "random"]  # 9 triplets at a spacing of 16 are too few
    assert found["1"].tolist() == [[i, i + 1, i + 2] for i in range(39)]
    assert found["4"].tolist() == [[i, i + 4, i + 8] for i in range(33)]
    assert len(found["random"]) == 8000  # of 10,660
    assert list(three_point_triplets(bare(42))) == ["1", "4", "16", "random"]
    few = three_point_triplets(bare(20))["random"]
    assert few.tolist() == [list(t) for t in itertools.combinations(range(20), 3)]


def test_never_across_contigs() -> None:
    found = three_point_triplets(bare(24, ["1"] * 12 + ["2"] * 12))
    assert list(found) == ["1", "random"]
    assert len(found["1"]) == 20
    assert len(found["random"]) == 2 * 220
    assert (found["random"] // 12 == found["random"][:, :1] // 12).all()
    assert three_point_triplets(bare(4)) == {}


def test_8000_of_many_and_the_seed() -> None:
    matrix = bare(10_500)
    found = three_point_triplets(matrix, seed=3)
    assert list(found) == ["1", "4", "16", "64", "256", "512", "1024", "random"]
    for kind, triplets in found.items():
        assert triplets.shape == (8000, 3)
        if kind != "random":
            assert (np.diff(triplets, axis=1) == int(kind)).all()
            assert len(np.unique(triplets[:, 0])) == 8000
    again, other = three_point_triplets(matrix, seed=3), three_point_triplets(matrix, seed=4)
    for kind, triplets in found.items():
        assert (triplets == again[kind]).all()
        assert (triplets != other[kind]).any()
    with pytest.raises(ValueError, match="seed"):
        three_point_triplets(matrix, seed=-1)

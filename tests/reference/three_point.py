"""Connected 3-point correlation the slow way: the formula in exact fractions, rounded once."""

import itertools
import math
from fractions import Fraction


def three_point(dense, triplets, alleles=(1, 1, 1)):
    """c_ijk(a, b, c) of each triplet, list of float; NaN where there are no haplotypes"""
    n = len(dense)
    values = []
    for triplet in triplets:
        if n == 0:
            values.append(math.nan)
            continue
        x, y, z = (dense[:, site] == allele for site, allele in zip(triplet, alleles, strict=True))
        f = {name: Fraction(int(rows.sum()), n) for name, rows in (("i", x), ("j", y), ("k", z))}
        f |= {name: Fraction(int(rows.sum()), n) for name, rows in (("ij", x & y), ("ik", x & z), ("jk", y & z))}
        f_ijk = Fraction(int((x & y & z).sum()), n)
        values.append(
            float(f_ijk - f["ij"] * f["k"] - f["ik"] * f["j"] - f["jk"] * f["i"] + 2 * f["i"] * f["j"] * f["k"])
        )
    return values


def three_point_block(dense, alleles=(1, 1, 1)):
    return three_point(dense, itertools.combinations(range(dense.shape[1]), 3), alleles)

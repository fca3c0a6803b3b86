"""Site frequency spectra the slow way: exact fractions, one site and one count at a time."""

import math
from fractions import Fraction


def project(count, num_haplotypes, size):
    """Probability of each count among `size` haplotypes drawn out of `num_haplotypes` with `count` carriers"""
    ways = math.comb(num_haplotypes, size)
    others = num_haplotypes - count
    return [Fraction(math.comb(count, j) * math.comb(others, size - j), ways) for j in range(size + 1)]


def site_frequency_spectrum(counts, num_haplotypes, size, folded=False):
    """list of Fraction: expected number of sites by ALT count, folded by minor allele count"""
    spectrum = [Fraction(0)] * (size + 1)
    for count in counts:
        for j, probability in enumerate(project(count, num_haplotypes, size)):
            spectrum[min(j, size - j) if folded else j] += probability
    return spectrum[: size // 2 + 1] if folded else spectrum


def class_of(minor_count):
    """0 is class 0, 1 is 1, 2-3 is 2, 4-7 is 3 ..."""
    return minor_count.bit_length()


def classes(counts, num_haplotypes, size):
    """Number of sites by class of minor allele count"""
    folded = site_frequency_spectrum(counts, num_haplotypes, size, folded=True)
    result = [Fraction(0)] * (class_of(size // 2) + 1)
    for j, sites in enumerate(folded):
        result[class_of(j)] += sites
    return result

"""The streams of random words below one seed, all in one place: two draws of one number would be the same draw."""

from __future__ import annotations

from enum import IntEnum


class Stream(IntEnum):
    """First stream of every kind of draw; repeats take those after it, which are free up to the next kind.

    `haplotypes.seeded_order` and `haplotypes.philox` take them. Samples of `models.Bernoulli` and `models.Markov` take
    the streams 0, 1 ... of their own seed, a block of rows each.
    """

    ORDER = 0  # `HaplotypeMatrix.split`, halves of persons, subsamples of rows: repeat r is stream r
    LD_CURVES = 0x1DC  # noise of the curves of sampled LD
    BOOTSTRAP = 0xB10C  # resampled blocks of sites
    PRIVACY_TRAIN = 1 << 20
    PRIVACY_HOLDOUT = 2 << 20
    PRIVACY_SYNTHETIC = 3 << 20
    PCA_OVERLAP_REAL = 4 << 20
    PCA_OVERLAP_SYNTHETIC = 5 << 20
    THIN_TRUTH = 6 << 20  # to the one n of all columns of an evaluation
    THIN_SET = 7 << 20
    PCA_SHOWN = 8 << 20
    CHAIN_TIES = 9 << 20
    CHAIN_TIES_OF_HALVES = 10 << 20
    NEAREST_HALVES = 11 << 20
    MIXED_REPLACED = 12 << 20
    MIXED_TAKEN = 13 << 20
    PCA_COMBINED = 14 << 20
    PCA_EMBEDDED_TRUTH = 15 << 20
    PCA_EMBEDDED_SET = 16 << 20
    SPECTRUM_ROWS = 20 << 20
    SPECTRUM_HALVES = 21 << 20
    COMPRESSED_ROWS = 22 << 20
    SHOWN_ROWS = 23 << 20
    LABEL_TRUTH = 24 << 20
    LABEL_SET = 25 << 20
    MONITOR_TRUTH = 30 << 20
    MONITOR_CONTROL = 31 << 20
    HOLDOUT_FIRST_HALF = 32 << 20
    HOLDOUT_SECOND_HALF = 33 << 20
    LINKED_ROWS = 34 << 20  # whose neighbours are looked up for an interval
    RANDOM_TRIPLETS = 40 << 20
    SITE_PAIRS = 41 << 20
    PCA_OVERLAP_REAL_PERSONS = 43 << 20
    PCA_OVERLAP_SYNTHETIC_PERSONS = 44 << 20
    UMAP_REAL = 45 << 20
    UMAP_SYNTHETIC = 46 << 20
    HALVES_OF_TRAIN = 47 << 20
    PERSON_GROUPS = 48 << 20
    PAIRWISE_HALVES = 49 << 20
    PCA_START = 50 << 20
    SEAM_TRIPLETS = 51 << 20
    LIABILITY_GENES = 52 << 20  # which genes are causal, then which of their sites
    LIABILITY_EFFECTS = 53 << 20
    LIABILITY_ENVIRONMENT = 54 << 20

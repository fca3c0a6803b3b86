"""One cohort -> numbers."""

from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.distances import wasserstein_1d
from hapforge.stats.ld import DecaySums, ld_decay_sums, ld_distance_edges
from hapforge.stats.pca import PCA, pca

__all__ = [
    "PCA",
    "DecaySums",
    "allele_frequencies",
    "ld_decay_sums",
    "ld_distance_edges",
    "pca",
    "wasserstein_1d",
]

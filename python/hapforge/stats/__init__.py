"""One cohort -> numbers."""

from hapforge.stats.allele_frequency import allele_frequencies, class_shares, count_class_edges, site_frequency_spectrum
from hapforge.stats.compression import CompressedSize, compressed_size
from hapforge.stats.distances import grouped_differences, person_groups, wasserstein_1d
from hapforge.stats.ld import DecaySums, ld_decay_sums, ld_distance_edges
from hapforge.stats.pca import PCA, pca, randomized_pca
from hapforge.stats.spectrum import Spectrum, singular_values, spectrum
from hapforge.stats.three_point import three_point_triplets

__all__ = [
    "PCA",
    "CompressedSize",
    "DecaySums",
    "Spectrum",
    "allele_frequencies",
    "class_shares",
    "compressed_size",
    "count_class_edges",
    "grouped_differences",
    "ld_decay_sums",
    "ld_distance_edges",
    "pca",
    "person_groups",
    "randomized_pca",
    "singular_values",
    "site_frequency_spectrum",
    "spectrum",
    "three_point_triplets",
    "wasserstein_1d",
]

"""One cohort -> numbers."""

from hapforge.stats.allele_frequency import allele_frequencies, class_shares, count_class_edges, site_frequency_spectrum
from hapforge.stats.compression import CompressedSize, compressed_size
from hapforge.stats.distances import grouped_differences, person_groups, wasserstein_1d
from hapforge.stats.layouts import tsne_layout, umap_layout
from hapforge.stats.ld import SampledDecay, at_genetic_positions, ld_distance_edges, sample_site_pairs, sampled_ld_decay
from hapforge.stats.pca import PCA, pca, randomized_pca
from hapforge.stats.spectrum import Spectrum, singular_values, spectrum
from hapforge.stats.three_point import three_point_triplets

__all__ = [
    "PCA",
    "CompressedSize",
    "SampledDecay",
    "Spectrum",
    "allele_frequencies",
    "at_genetic_positions",
    "class_shares",
    "compressed_size",
    "count_class_edges",
    "grouped_differences",
    "ld_distance_edges",
    "pca",
    "person_groups",
    "randomized_pca",
    "sample_site_pairs",
    "sampled_ld_decay",
    "singular_values",
    "site_frequency_spectrum",
    "spectrum",
    "three_point_triplets",
    "tsne_layout",
    "umap_layout",
    "wasserstein_1d",
]

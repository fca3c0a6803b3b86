"""One cohort -> numbers."""

from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.compression import CompressedSize, compressed_size
from hapforge.stats.distances import wasserstein_1d
from hapforge.stats.ld import DecaySums, ld_decay_sums, ld_distance_edges
from hapforge.stats.pca import PCA, pca
from hapforge.stats.spectrum import Spectrum, singular_values, spectrum

__all__ = [
    "PCA",
    "CompressedSize",
    "DecaySums",
    "Spectrum",
    "allele_frequencies",
    "compressed_size",
    "ld_decay_sums",
    "ld_distance_edges",
    "pca",
    "singular_values",
    "spectrum",
    "wasserstein_1d",
]

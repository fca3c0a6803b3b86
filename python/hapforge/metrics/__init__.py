"""Two cohorts -> scores."""

from hapforge.metrics.accuracy_indicator import IndicatorError, indicator_error
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy, adversarial_accuracy
from hapforge.metrics.allele_frequency import (
    AlleleFrequencyFit,
    QuantileComparison,
    SiteFrequencyComparison,
    compare_allele_frequencies,
    compare_frequency_bins,
    compare_frequency_quantiles,
    compare_site_frequency_spectra,
)
from hapforge.metrics.chains import NearestChains, nearest_chains
from hapforge.metrics.closest_pairs import ClosestPairs, closest_pairs
from hapforge.metrics.embedded import adversarial_accuracy_embedded
from hapforge.metrics.embedding_distances import EmbeddingDistances, NearestInEmbedding, embedding_distances
from hapforge.metrics.entropy import EntropyError, entropy_error
from hapforge.metrics.imputation import ImputationAccuracy, ImputationBin, imputation_accuracy
from hapforge.metrics.kmers import MotifFit, compare_motif_counts
from hapforge.metrics.ld import LDCells, LDComparison, compare_ld, compare_sampled_ld
from hapforge.metrics.minimum_distance import MinimumDistances, minimum_distances
from hapforge.metrics.mixing import MixedAccuracy, mixed_accuracy
from hapforge.metrics.nearer import NearerShare, nearer_share
from hapforge.metrics.nearest_neighbour_test import NearestNeighbourTest, nearest_neighbour_test
from hapforge.metrics.pairwise import PairwiseComparison, compare_grouped_differences, compare_pairwise_differences
from hapforge.metrics.pca import PCAOverlap, pca_overlap
from hapforge.metrics.privacy import Privacy, privacy_score
from hapforge.metrics.seams import SeamReport, SeamScores, seam_report
from hapforge.metrics.spectrum import SpectrumError, spectrum_error
from hapforge.metrics.three_point import ThreePointFit, compare_three_point
from hapforge.metrics.transport import TransportCost, transport_cost
from hapforge.metrics.umap import UMAPOverlap, umap_overlap

__all__ = [
    "AdversarialAccuracy",
    "AlleleFrequencyFit",
    "ClosestPairs",
    "EmbeddingDistances",
    "EntropyError",
    "ImputationAccuracy",
    "ImputationBin",
    "IndicatorError",
    "LDCells",
    "LDComparison",
    "MinimumDistances",
    "MixedAccuracy",
    "MotifFit",
    "NearerShare",
    "NearestChains",
    "NearestInEmbedding",
    "NearestNeighbourTest",
    "PCAOverlap",
    "PairwiseComparison",
    "Privacy",
    "QuantileComparison",
    "SeamReport",
    "SeamScores",
    "SiteFrequencyComparison",
    "SpectrumError",
    "ThreePointFit",
    "TransportCost",
    "UMAPOverlap",
    "adversarial_accuracy",
    "adversarial_accuracy_embedded",
    "closest_pairs",
    "compare_allele_frequencies",
    "compare_frequency_bins",
    "compare_frequency_quantiles",
    "compare_grouped_differences",
    "compare_ld",
    "compare_motif_counts",
    "compare_pairwise_differences",
    "compare_sampled_ld",
    "compare_site_frequency_spectra",
    "compare_three_point",
    "embedding_distances",
    "entropy_error",
    "imputation_accuracy",
    "indicator_error",
    "minimum_distances",
    "mixed_accuracy",
    "nearer_share",
    "nearest_chains",
    "nearest_neighbour_test",
    "pca_overlap",
    "privacy_score",
    "seam_report",
    "spectrum_error",
    "transport_cost",
    "umap_overlap",
]

"""Two cohorts -> scores."""

from hapforge.metrics.accuracy_indicator import IndicatorError, indicator_error
from hapforge.metrics.adversarial_accuracy import (
    AdversarialAccuracy,
    adversarial_accuracy,
)
from hapforge.metrics.allele_frequency import (
    AlleleFrequencyFit,
    QuantileComparison,
    SiteFrequencyComparison,
    compare_allele_frequencies,
    compare_frequency_bins,
    compare_frequency_quantiles,
    compare_site_frequency_spectra,
)
from hapforge.metrics.embedded import adversarial_accuracy_embedded
from hapforge.metrics.entropy import EntropyError, entropy_error
from hapforge.metrics.kmers import MotifFit, compare_motif_counts
from hapforge.metrics.ld import DecayComparison, compare_ld_decay
from hapforge.metrics.pairwise import PairwiseComparison, compare_pairwise_differences
from hapforge.metrics.pca import PCAOverlap, pca_overlap, transport_cost
from hapforge.metrics.privacy import Privacy, privacy_score
from hapforge.metrics.spectrum import SpectrumError, spectrum_error
from hapforge.metrics.three_point import ThreePointFit, compare_three_point

__all__ = [
    "AdversarialAccuracy",
    "AlleleFrequencyFit",
    "DecayComparison",
    "EntropyError",
    "IndicatorError",
    "MotifFit",
    "PCAOverlap",
    "PairwiseComparison",
    "Privacy",
    "QuantileComparison",
    "SiteFrequencyComparison",
    "SpectrumError",
    "ThreePointFit",
    "adversarial_accuracy",
    "adversarial_accuracy_embedded",
    "compare_allele_frequencies",
    "compare_frequency_bins",
    "compare_frequency_quantiles",
    "compare_ld_decay",
    "compare_motif_counts",
    "compare_pairwise_differences",
    "compare_site_frequency_spectra",
    "compare_three_point",
    "entropy_error",
    "indicator_error",
    "pca_overlap",
    "privacy_score",
    "spectrum_error",
    "transport_cost",
]

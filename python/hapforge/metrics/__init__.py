"""Two cohorts -> scores."""

from hapforge.metrics.adversarial_accuracy import (
    AdversarialAccuracy,
    adversarial_accuracy,
    adversarial_accuracy_embedded,
)
from hapforge.metrics.allele_frequency import AlleleFrequencyFit, compare_allele_frequencies
from hapforge.metrics.ld import DecayComparison, compare_ld_decay
from hapforge.metrics.pairwise import PairwiseComparison, compare_pairwise_differences
from hapforge.metrics.pca import PCAOverlap, pca_overlap, transport_cost
from hapforge.metrics.privacy import Privacy, privacy_score

__all__ = [
    "AdversarialAccuracy",
    "AlleleFrequencyFit",
    "DecayComparison",
    "PCAOverlap",
    "PairwiseComparison",
    "Privacy",
    "adversarial_accuracy",
    "adversarial_accuracy_embedded",
    "compare_allele_frequencies",
    "compare_ld_decay",
    "compare_pairwise_differences",
    "pca_overlap",
    "privacy_score",
    "transport_cost",
]

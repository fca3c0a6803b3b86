"""Every statistic of an evaluation, one module each, in the order of the page."""

from __future__ import annotations

from hapforge.evaluation.statistics._base import Statistic
from hapforge.evaluation.statistics.adversarial_accuracy import AdversarialAccuracy
from hapforge.evaluation.statistics.allele_frequency import AlleleFrequency
from hapforge.evaluation.statistics.by_label import ByLabel
from hapforge.evaluation.statistics.closest_pairs import ClosestPairs
from hapforge.evaluation.statistics.embedded_accuracy import EmbeddedAccuracy
from hapforge.evaluation.statistics.generation_errors import GenerationErrors
from hapforge.evaluation.statistics.haplotype_structure import Haplotypes
from hapforge.evaluation.statistics.kmers import HaplotypeMotifs
from hapforge.evaluation.statistics.ld import LinkageDisequilibrium, SampledLinkageDisequilibrium
from hapforge.evaluation.statistics.minimum_distance import MinimumDistance
from hapforge.evaluation.statistics.nearest_distance import NearestDistance
from hapforge.evaluation.statistics.nearest_neighbours import Chains, NeighbourTest
from hapforge.evaluation.statistics.pairwise import Pairwise
from hapforge.evaluation.statistics.pca import EmbeddingDistances, PrincipalComponentAnalysis
from hapforge.evaluation.statistics.privacy import Privacy
from hapforge.evaluation.statistics.radar import Radar
from hapforge.evaluation.statistics.three_point import ThreePoint
from hapforge.evaluation.statistics.umap import UniformManifold
from hapforge.report.data import EQUAL_N, ScoreText

__all__ = ["METRICS", "SCORES", "STATISTICS", "Statistic"]

STATISTICS: dict[str, type[Statistic]] = {
    statistic.name: statistic
    for statistic in (
        AlleleFrequency,
        LinkageDisequilibrium,
        SampledLinkageDisequilibrium,
        ThreePoint,
        HaplotypeMotifs,
        Pairwise,
        PrincipalComponentAnalysis,
        EmbeddingDistances,
        UniformManifold,
        AdversarialAccuracy,
        EmbeddedAccuracy,
        NearestDistance,
        NeighbourTest,
        Chains,
        MinimumDistance,
        Privacy,
        ClosestPairs,
        GenerationErrors,
        ByLabel,
        Haplotypes,
        Radar,  # after all that it is made of
    )
}

METRICS: dict[str, tuple[str, ...]] = {name: tuple(statistic.scores) for name, statistic in STATISTICS.items()}
"""Statistics that can be chosen, and the scores of each."""

_ALL = {
    name: text._replace(group=statistic.heading)
    for statistic in STATISTICS.values()
    for name, text in statistic.scores.items()
}

SCORES: dict[str, ScoreText] = _ALL | {
    name + EQUAL_N: text._replace(
        heading=f"{text.heading} (equal n)", reading=f"{text.reading}; at the one n of all sets and controls"
    )
    for name, text in _ALL.items()
    if text.twice
}
"""Every score there is, by name."""

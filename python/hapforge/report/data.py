"""What an evaluation found, as plain data: scores, and the numbers behind every figure.

`evaluation` fills these; `report` draws them. No field holds anything that grows with haplotypes x haplotypes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

EQUAL_N = "_equal_n"
"""Ending of the scores that are taken at one n for all sets and controls."""


@dataclass(frozen=True)
class Score:
    """One number and how sure it is.

    Attributes
    ----------
    value : float, NaN where it could not be computed (`procedure` says why)
    low, high : float, 95 % interval, NaN where none is defined
    n : int, haplotypes per side (nearest-neighbour scores), sites or pairs it rests on
    procedure : str, one line: formula, subsampling, source
    """

    value: float
    low: float
    high: float
    n: int
    procedure: str


@dataclass(frozen=True)
class AlleleFrequencies:
    """ALT frequencies: `real` and each of `sets` float64 (num_sites,)."""

    real: NDArray[np.float64]
    sets: dict[str, NDArray[np.float64]]


@dataclass(frozen=True)
class PairwiseDifferences:
    """Numbers of pairs at every distance: int64 (num_sites + 1,) within a set and between it and the real one."""

    within_real: NDArray[np.int64]
    within: dict[str, NDArray[np.int64]]
    between: dict[str, NDArray[np.int64]]


@dataclass(frozen=True)
class PrincipalComponents:
    """PCA of real and one set together.

    Attributes
    ----------
    real, synthetic : float64 (n, 2), coordinates of at most 5,000 rows of each
    explained : float64 (2,), share of the variance along each component
    """

    real: NDArray[np.float64]
    synthetic: NDArray[np.float64]
    explained: NDArray[np.float64]


@dataclass(frozen=True)
class LDDecayCurves:
    """Mean r² per distance bin [edges[i], edges[i + 1]): float64 (num_bins,), NaN where a bin is empty.

    `real` is over all sites that vary in the real set; a set's curve in `sets` and the real one in `real_beside` under
    the same name are over the sites that vary in both, and are what the scores compare.
    """

    edges_bp: NDArray[np.float64]
    real: NDArray[np.float64]
    sets: dict[str, NDArray[np.float64]]
    position_known: bool
    real_beside: dict[str, NDArray[np.float64]] = field(default_factory=dict)


@dataclass(frozen=True)
class EvaluationData:
    """Everything a report shows. A field that is empty or None is left out of the report.

    Attributes
    ----------
    sets : names of the synthetic sets, in the user's order
    controls : names of the sets added for comparison ("real half", "holdout", ...)
    scores : {set or control: {score name: Score}}; the bars of adversarial accuracy are "aa_truth" and "aa_syn",
        or, where every set has them, "aa_truth_equal_n" and "aa_syn_equal_n"
    score_labels : {score name: (short heading, one line on how to read it)}
    notes : remarks and failures a reader must see (dropped sites, a failed statistic ...)
    provenance : version, command, seed, inputs with their hashes, date, machine; nested dicts and lists are shown
    real_haplotypes, num_sites : shape of the real cohort after matching sites
    num_haplotypes : {set or control: haplotypes}
    descriptions : {set or control: one sentence on what it is}
    """

    sets: list[str]
    controls: list[str]
    scores: dict[str, dict[str, Score]]
    score_labels: dict[str, tuple[str, str]]
    provenance: dict[str, Any]
    notes: list[str] = field(default_factory=list)
    real_haplotypes: int = 0
    num_sites: int = 0
    num_haplotypes: dict[str, int] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    allele_frequencies: AlleleFrequencies | None = None
    pairwise_differences: PairwiseDifferences | None = None
    principal_components: dict[str, PrincipalComponents] = field(default_factory=dict)
    ld_decay: LDDecayCurves | None = None

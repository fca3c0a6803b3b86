"""Every score there is: its name, how it is headed, how it is read and which way is better."""

from __future__ import annotations

from typing import Literal, NamedTuple

from hapforge.report.data import EQUAL_N

Better = Literal["higher", "lower", "control"]


class ScoreText(NamedTuple):
    """Words for a score.

    Attributes
    ----------
    heading : str, short
    reading : str, one line on how to read it
    better : "higher", "lower", or "control": the nearer to real half against real half the better
    """

    heading: str
    reading: str
    better: Better


_BASE = {
    "aa_truth": ScoreText(
        "AA truth",
        "share of real haplotypes whose nearest neighbour is real; low: synthetic ones crowd around real ones",
        "control",
    ),
    "aa_syn": ScoreText(
        "AA syn",
        "share of synthetic haplotypes whose nearest neighbour is synthetic; low: near copies of real ones",
        "control",
    ),
    "aats": ScoreText("AATS", "mean of the two parts, which can hide failure: read both", "control"),
    "ties_truth": ScoreText(
        "ties, truth", "share of real rows equally near to both sets; ties count 0 and pull AA truth down", "control"
    ),
    "ties_syn": ScoreText(
        "ties, syn", "share of synthetic rows equally near to both sets; ties count 0 and pull AA syn down", "control"
    ),
    "identical_to_real": ScoreText(
        "identical to real", "number of synthetic haplotypes identical to a real one", "control"
    ),
    "repeated_rows": ScoreText("repeated rows", "haplotypes of the set that repeat an earlier one of it", "control"),
    "privacy_score": ScoreText(
        "privacy score", "AATS with the held-out persons less AATS with the training persons; above 0: a leak", "lower"
    ),
    "af_r": ScoreText("AF r", "correlation of ALT frequencies over all sites", "higher"),
    "af_slope": ScoreText("AF slope", "least squares slope of synthetic on real frequency; 1 is ideal", "control"),
    "af_intercept": ScoreText("AF intercept", "least squares intercept; 0 is ideal", "control"),
    "af_r_low": ScoreText("AF r, low", "correlation over the sites with real ALT frequency <= 0.2", "higher"),
    "af_slope_low": ScoreText("AF slope, low", "slope over the sites with real ALT frequency <= 0.2", "control"),
    "af_intercept_low": ScoreText(
        "AF intercept, low", "intercept over the sites with real ALT frequency <= 0.2", "control"
    ),
    "fixed_sites": ScoreText("fixed sites", "sites that vary in the real set and not in this one", "lower"),
    "fixed_sites_maf": ScoreText(
        "highest fixed MAF",
        "greatest real minor allele frequency among the fixed sites; high: real variation is lost",
        "lower",
    ),
    "pairwise_within": ScoreText(
        "pairwise W, within",
        "Wasserstein distance, in sites, between pairwise differences within the real and within this set",
        "lower",
    ),
    "pairwise_between": ScoreText(
        "pairwise W, between",
        "Wasserstein distance, in sites, between pairwise differences within the real set and between it and this one",
        "lower",
    ),
    "pca_wasserstein": ScoreText(
        "PCA W",
        "2D Wasserstein distance on PC 1 and 2 of the pair, entropic as in the papers, cost over its maximum",
        "lower",
    ),
    "pca_wasserstein_exact": ScoreText("PCA W, exact", "the same with the optimal plan", "lower"),
    "ld_decay_r": ScoreText("LD decay r", "correlation of mean r² per distance bin", "higher"),
    "ld_score": ScoreText(
        "LD score", "1 - sum (LD real - LD syn)² / sum LD real² over distance bins; 1 is perfect", "higher"
    ),
}

METRICS: dict[str, tuple[str, ...]] = {
    "adversarial_accuracy": (
        "aa_truth",
        "aa_syn",
        "aats",
        "ties_truth",
        "ties_syn",
        "identical_to_real",
        "repeated_rows",
    ),
    "privacy": ("privacy_score",),
    "allele_frequency": (
        "af_r",
        "af_slope",
        "af_intercept",
        "af_r_low",
        "af_slope_low",
        "af_intercept_low",
        "fixed_sites",
        "fixed_sites_maf",
    ),
    "pairwise": ("pairwise_within", "pairwise_between"),
    "pca": ("pca_wasserstein", "pca_wasserstein_exact"),
    "ld": ("ld_decay_r", "ld_score"),
}
"""Statistics that can be chosen, and the scores of each."""

_AT_ONE_N_ALREADY = {"privacy_score", "repeated_rows", "pca_wasserstein", "pca_wasserstein_exact"}

SCORES: dict[str, ScoreText] = _BASE | {
    name + EQUAL_N: ScoreText(
        f"{text.heading} (equal n)", f"{text.reading}; at the one n of all sets and controls", text.better
    )
    for name, text in _BASE.items()
    if name not in _AT_ONE_N_ALREADY
}

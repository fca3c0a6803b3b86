"""Synthetic evaluations that look like real ones, made from seeded random numbers; nothing here is measured."""

from __future__ import annotations

import dataclasses

import numpy as np

from hapforge.metrics.chains import PATTERNS
from hapforge.metrics.mixing import MixedAccuracy, levels
from hapforge.report.data import EvaluationData, Score, ScoreText, Verdict
from hapforge.report.figures.allele_frequency import AlleleFrequencies
from hapforge.report.figures.by_label import SCORES as LABEL_SCORES
from hapforge.report.figures.by_label import LabelScores
from hapforge.report.figures.chains import NeighbourChains
from hapforge.report.figures.closest_pairs import ClosestDistances, ClosestSet
from hapforge.report.figures.haplotype_structure import HaplotypeStructure
from hapforge.report.figures.kmers import MotifDensities
from hapforge.report.figures.ld import LDCorrelation, LDDecayCurves, LDMatrices
from hapforge.report.figures.minimum_distance import MinimumDistances
from hapforge.report.figures.mixing import MixedAccuracies
from hapforge.report.figures.pairwise import PairwiseDifferences
from hapforge.report.figures.pca import CombinedPCA, PairPCAs, PrincipalComponents
from hapforge.report.figures.site_frequency import FixedSiteList, FixedSites, FrequencyQuantiles, SiteFrequencySpectra
from hapforge.report.figures.three_point import ThreePointDensities

SETS = ["RBM", "WGAN <65k> & friends", "Markov, a rather long name that does not fit on an axis"]
CONTROLS = ["real half", "holdout", "Bernoulli"]
LABELS = {
    "aats": ("AATS", "Mean of the two parts below; 0.5 is ideal, but the mean can hide two opposite failures."),
    "aa_truth": ("AA_truth", "Share of real haplotypes nearer to another real one than to any artificial one."),
    "aa_syn": ("AA_syn", "Share of artificial haplotypes nearer to another artificial one than to any real one."),
    "privacy_score": ("Privacy score", "AATS against the holdout minus AATS against the training set; > 0 is a leak."),
    "af_r": ("AF r", "Correlation of ALT frequencies over all sites; 1 is ideal."),
    "af_r_low": ("AF r (≤ 0.2)", "The same over sites with a real ALT frequency of at most 0.2."),
    "fixed_sites": ("Fixed sites", "Sites that vary in the real cohort and not in the set."),
    "pca_wasserstein": ("PCA Wasserstein", "Distance of the two clouds on the first two components; 0 is ideal."),
    "radar_af": ("Radar: AF", "AF r over sites at frequency <= 0.2; 0 to 1."),
    "radar_overfitting": ("Radar: overfitting", "What both parts lack to 0.5; 1 is perfect."),
    "pairwise_wasserstein": ("Pairwise Wasserstein", "Distance of the pairwise-difference distributions; 0 is ideal."),
}
GROUPS = {
    "Adversarial accuracy": ("aats", "aa_truth", "aa_syn"),
    "Privacy": ("privacy_score",),
    "Allele frequencies": ("af_r", "af_r_low", "fixed_sites"),
    "Distances": ("pca_wasserstein", "pairwise_wasserstein"),
}
JUDGED = ("aa_truth", "aa_syn", "af_r")
LEVELS = ("good", "fair", "poor", "unknown")


def make_evaluation(
    sets: list[str] | None = None,
    controls: list[str] | None = None,
    *,
    num_sites: int = 805,
    num_haplotypes: int = 2504,
    notes: list[str] | None = None,
    seed: int = 0,
) -> EvaluationData:
    """An evaluation with every field filled; sets get worse in their order, controls are good ones."""
    sets = SETS if sets is None else sets
    controls = CONTROLS if controls is None else controls
    names = [*sets, *controls]
    rng = np.random.default_rng(seed)
    noise = {name: 0.01 + 0.05 * i / max(1, len(sets)) for i, name in enumerate(sets)}
    noise |= dict.fromkeys(controls, 0.008)

    real = rng.beta(0.35, 0.9, num_sites)
    frequencies = {
        name: np.clip(real + rng.normal(0, noise[name], num_sites) * np.sqrt(real * (1 - real)) * 3, 0, 1)
        for name in names
    }
    if sets:
        frequencies[sets[-1]][(real < 0.05) & (rng.random(num_sites) < 0.4)] = 0.0  # lost rare sites

    def histogram(mean: float, deviation: float, weight_low: float = 0.3) -> np.ndarray:
        d = np.arange(num_sites + 1)
        shape = np.exp(-0.5 * ((d - mean) / deviation) ** 2)
        shape += weight_low * np.exp(-0.5 * ((d - 0.72 * mean) / (0.6 * deviation)) ** 2)
        pairs = num_haplotypes * (num_haplotypes - 1) // 2
        return np.round(pairs * shape / shape.sum()).astype(np.int64)

    mean, deviation = 0.3 * num_sites, 0.05 * num_sites
    pairwise = PairwiseDifferences(
        histogram(mean, deviation),
        {name: histogram(mean * (1 - 3 * noise[name]), deviation * (1 - 2 * noise[name])) for name in names},
        {name: histogram(mean * (1 + 2 * noise[name]), deviation) for name in names},
    )
    if sets:
        pairwise.between[sets[0]][0] = 3

    centres = np.array([[-8.0, 1.0], [5.0, -6.0], [6.0, 7.0]])

    def cloud(spread: float, shrink: float) -> np.ndarray:
        where = centres[rng.integers(0, 3, num_haplotypes)]
        return shrink * where + rng.normal(0, 1.2 + spread, (num_haplotypes, 2))

    axis = np.linspace(-12, 12, 81)
    cells = (axis[1:] + axis[:-1]) / 2

    def density(points: np.ndarray) -> np.ndarray:
        return np.histogram2d(points[:, 1], points[:, 0], bins=[axis, axis])[0].astype(np.int64)

    explained = np.geomspace(0.183, 0.004, 10)
    components, densities = {}, {}
    for name in names:
        both = [cloud(0, 1), cloud(8 * noise[name], 1 - 6 * noise[name])]
        drawn = [np.hstack([points[:300], rng.normal(0, 1, (len(points[:300]), 8))]) for points in both]
        cost = np.geomspace(0.002, 0.001, 5) + 8 * noise[name] ** 2
        components[name] = PrincipalComponents(*drawn, explained, cells, cells, density(both[0]), cost)
        densities[name] = density(both[1])

    edges = np.concatenate([[0.0], np.geomspace(100, 1e6, 25)])
    decay = 0.55 / (1 + (edges[:-1] + edges[1:]) / 2 / 8_000) + 0.01
    curves = {name: decay * (1 - 8 * noise[name]) for name in names}
    for name in names[-1:]:
        curves[name][3] = np.nan  # an empty bin
    place = np.arange(40)
    linked = 1000 / (1 + np.abs(place[:, None] - place))
    matrices = LDMatrices(
        dict.fromkeys(names, np.linspace(0, num_sites, 41).astype(np.int64)),
        {
            name: np.triu(linked).astype(np.int64) + np.tril(linked * (1 - 8 * noise[name]), -1).astype(np.int64)
            for name in names
        },
    )
    drawn = np.random.default_rng([seed, 1])
    r2 = drawn.beta(0.3, 4, 5000)
    correlation = LDCorrelation(
        np.linspace(0, 1, 51),
        {
            name: np.histogram2d(np.clip(r2 + drawn.normal(0, noise[name], 5000), 0, 1), r2, 50, ((0, 1), (0, 1)))[
                0
            ].astype(np.int64)
            for name in names
        },
    )

    def chains(stay: float) -> list[float]:
        """Of synthetic haplotypes that have a synthetic neighbour with this chance, whatever came before."""
        chance = {"S": stay, "T": 1 - stay}
        return [0.5 * float(np.prod([chance[letter] for letter in pattern[1:]])) for pattern in PATTERNS]

    closest = 0.1 * mean
    nearest = {name: histogram(0.5 * mean * (1 - 4 * noise[name]), 0.3 * deviation) for name in names}
    minimum = MinimumDistances(histogram(0.5 * mean, 0.3 * deviation), nearest, nearest, nearest, num_haplotypes, 10)
    copies = np.array(levels(num_haplotypes))
    part = copies / num_haplotypes
    mixed = {n: MixedAccuracy(copies, 0.5 - part / 2, 0.45 + 9 * noise[n] - part, num_haplotypes) for n in names}
    shares = np.geomspace(1e-4, 0.1, 40)
    tail = np.sort(np.round(closest * (1 + np.log10(shares / 1e-5) / 4)).astype(np.int64))
    pairs = {
        name: ClosestSet(
            np.round(tail * (1 - 3 * noise[name])).astype(np.int64),
            np.array([closest, closest, closest + 1, closest + 2]),
            [f"AG{i}" for i in range(20)],
            [f"HG{i}_A" for i in range(20)],
            list(range(3, 23)),
            list(range(30, 50)),
        )
        for name in names
    }
    class_edges = np.array([1, 2, 4, 8, 16, 32, 64, 101])
    folded = num_sites / (1 + np.arange(7.0))
    unfolded = num_sites * np.exp(-np.linspace(0, 5, 50))
    spectra = SiteFrequencySpectra(
        200,
        class_edges,
        folded,
        {name: folded * (1 - 3 * noise[name]) for name in names},
        np.linspace(0, 1, 51),
        unfolded,
        {name: unfolded * (1 + 2 * noise[name]) for name in names},
    )
    at_least = np.geomspace(1e-4, 0.5, 20)
    lost = {name: np.maximum(0, np.round(300 * noise[name] - 20 * np.arange(20))).astype(np.int64) for name in names}
    listed = FixedSiteList(np.array([3, 8]), ["1", "2"], np.array([100, 200]), np.array([0.01, 0.99]))
    evenly = np.linspace(0.1, 1, 101)
    quantiles = FrequencyQuantiles(
        dict.fromkeys(names, evenly), {name: evenly ** (1 + noise[name]) for name in names}, dict.fromkeys(names, 400)
    )

    def grid(name: str, cells: int, width: float) -> np.ndarray:
        row, column = np.mgrid[:cells, :cells]
        height = np.exp(-((row - column) ** 2) / (cells * (width + noise[name])) ** 2)
        return np.round(50 * height - 10).clip(0).astype(np.int64)

    motifs = MotifDensities(
        num_haplotypes, {"4": 1000.0, "8": 500.0}, {k: {name: grid(name, 20, 0.02) for name in names} for k in "48"}
    )
    three_point = ThreePointDensities(
        {"1": 8000, "random": 8000},
        {"1": 0.05, "random": 0.01},
        {name: {kind: grid(name, 21, 0.05) for kind in ("1", "random")} for name in sets[:3]},
    )

    def score(value: float, width: float = 0.012) -> Score:
        return Score(value, value - width, value + width, num_haplotypes, "mean over 10 seeded subsamples at equal n")

    def point(value: float, n: int, procedure: str) -> Score:
        return Score(value, float("nan"), float("nan"), n, procedure)

    scores = {}
    for name in names:
        bad = noise[name]
        truth, syn = 0.46 - 4 * bad + 0.03, min(0.99, 0.45 + 9 * bad)
        scores[name] = {
            "aats": score((truth + syn) / 2),
            "aa_truth": score(truth),
            "aa_syn": score(syn),
            "af_r": score(1 - bad**2 * 20, 0.002),
            "af_r_low": score(1 - bad**2 * 60, 0.006),
            "fixed_sites": point(float(round(300 * bad)), num_sites, "sites with real 0 < frequency < 1, set 0 or 1"),
            "pca_wasserstein": point(bad**2 * 8, num_haplotypes, "entropic, reg 0.001, cost divided by its maximum"),
            "pairwise_wasserstein": point(bad * 300, num_haplotypes, "Wasserstein-1 of the two histograms"),
        }
        scores[name] |= {"radar_af": score(1 - 5 * bad), "radar_overfitting": point(1 - 4 * bad, 0, "from AA")}

    def by_label(name: str) -> dict[str, Score]:
        return {key: score(rng.random() * (1 - noise[name])) for key in LABEL_SCORES}

    populations = ["AFR", "AMR", "EAS", "<i>EUR</i>", "SAS"]
    by_labels = {name: {"population": {label: by_label(name) for label in populations}} for name in names}
    for name in sets[-1:]:
        by_labels[name]["population"]["AMR"] = dict.fromkeys(
            LABEL_SCORES, point(float("nan"), 1, "not computed: 1 rows of AMR, at least 10 are needed")
        )
    position = np.cumsum(rng.integers(1, 9000, 40))
    stripes = rng.random((4, 40)) < 0.4

    def picture(mutation: float) -> list[str]:
        alleles = stripes[np.sort(rng.integers(0, 4, 30))] ^ (rng.random((30, 40)) < mutation)
        return ["".join("01"[allele] for allele in row) for row in alleles.tolist()]

    structure = HaplotypeStructure(
        position, True, picture(0.01), {name: picture(noise[name]) for name in names if name != "real half"}
    )
    for name in sets:
        scores[name]["privacy_score"] = (
            point(float("nan"), 0, "not computed: the holdout has fewer than 2 persons")
            if name == sets[-1]
            else score(0.01)
        )
    digest = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
    return EvaluationData(
        sets=sets,
        controls=controls,
        scores=scores,
        score_texts={
            key: ScoreText(*LABELS[key], "control", group=group) for group, keys in GROUPS.items() for key in keys
        },
        provenance={
            "version": "0.1.0",
            "command": "hapforge evaluate real.hapz rbm.hapz wgan.hapz --holdout holdout.hapz -o out --seed 7",
            "seed": 7,
            "inputs": {
                "real": {"path": "data/real.hapz", "sha256": digest},
                sets[0] if sets else "none": {"sha256": digest},
            },
        },
        notes=["12 sites of rbm.hapz are not in real.hapz and were left out."] if notes is None else notes,
        real_haplotypes=num_haplotypes,
        num_sites=num_sites,
        num_haplotypes=dict.fromkeys(names, num_haplotypes),
        descriptions={
            "real half": "One half of the real haplotypes against the other: what a perfect generator scores.",
            "holdout": "Real persons that no model was trained on.",
            "Bernoulli": "Every site drawn on its own from its frequency: no correlation between sites.",
        },
        verdicts={
            name: {
                key: Verdict(LEVELS[(i + k) % 4], f"{LABELS[key][0]} of set {i}: so it is", f"rule of {key}")
                for k, key in enumerate(JUDGED)
            }
            for i, name in enumerate(sets)
        },
        headlines={name: f"Set {i} in one sentence." for i, name in enumerate(sets)},
        curves={
            "allele_frequencies": AlleleFrequencies(real, frequencies),
            "site_frequency_spectra": spectra,
            "fixed_sites": FixedSites(at_least, lost, dict.fromkeys(names, listed)),
            "frequency_quantiles": quantiles,
            "three_point": three_point,
            "motifs": motifs,
            "pairwise_differences": pairwise,
            "combined_components": CombinedPCA(explained[:2], cells, cells, density(cloud(0, 1)), densities),
            "principal_components": PairPCAs(components),
            "ld_decay": LDDecayCurves(edges, decay, curves, "bp", dict.fromkeys(names, decay), decay, curves),
            "ld_matrices": matrices,
            "ld_correlation": correlation,
            "label_scores": LabelScores(by_labels),
            "haplotype_structure": structure,
            "neighbour_chains": NeighbourChains(list(PATTERNS), {n: chains(0.5 + 4 * noise[n]) for n in names}, 2504),
            "minimum_distances": minimum,
            "mixed_accuracy": MixedAccuracies(mixed),
            "closest_pairs": ClosestDistances(shares, tail, "held-out rows", [0.0, 0.001, 0.01, 0.05], pairs),
        },
    )


def few_curves(data: EvaluationData, names: list[str]) -> dict:
    """The curves without the panels of most sets."""
    found = {
        key: curve for key, curve in data.curves.items() if key not in ("allele_frequencies", "combined_components")
    }
    found["principal_components"] = PairPCAs({name: found["principal_components"].sets[name] for name in names})
    matrices, pairs = found["ld_matrices"], found["ld_correlation"]
    found["ld_matrices"] = LDMatrices(*({name: part[name] for name in names} for part in vars(matrices).values()))
    found["ld_correlation"] = LDCorrelation(pairs.edges, {name: pairs.counts[name] for name in names})
    beside = {name: found["ld_decay"].real_beside[name] for name in names}
    found["ld_decay"] = dataclasses.replace(found["ld_decay"], real_beside=beside)
    grids = found["motifs"].grids
    few = {k: {name: sets[name] for name in names} for k, sets in grids.items()}
    found["motifs"] = dataclasses.replace(found["motifs"], grids=few)
    return found

"""What papers report of cohorts that can be told by their sites, to stand beside our scores."""

from __future__ import annotations

import hashlib

from hapforge.haplotypes import Sites

PUBLISHED: dict[tuple[int, str], dict[str, dict[str, float]]] = {
    (805, "84074b8c9b9640ecb839e82d09a82eee10ec32bd0b548be0659f4cbbf730b8e6"): {
        "GAN 2021": {"pca_wasserstein": 0.006, "umap_wasserstein": 0.021, "identical_to_real": 0.0},
        "GAN 2021, recomputed": {"aa_truth": 0.208, "aa_syn": 0.993, "af_r": 0.982, "ld_r2_r": 0.924},
        "RBM 2021": {"pca_wasserstein": 0.006, "umap_wasserstein": 0.091, "identical_to_real": 0.0},
        "Markov 2021": {"pca_wasserstein": 0.124, "umap_wasserstein": 0.088},
        "Bernoulli 2021": {"pca_wasserstein": 0.240, "umap_wasserstein": 0.127},
        "real half 2021": {"pca_wasserstein": 0.01},
    }
}
"""{(number of sites, their `fingerprint`): {model: {score: value}}}. 805 highly differentiated SNPs of 1000 Genomes:
Yelmen et al. 2021, PLoS Genetics 17, e1009303; "recomputed" are our scores of that paper's published draws, 5,000 rows
a side."""


def published_scores(sites: Sites) -> dict[str, dict[str, float]]:
    """{model: {score: value}} that papers report of a cohort with exactly these sites; empty where none is known.

    Sites are told by contig (with or without "chr") and position, in their order; without positions they cannot be.
    """
    if not sites.position_known or all(len(sites) != number for number, _ in PUBLISHED):
        return {}
    return PUBLISHED.get((len(sites), fingerprint(sites)), {})


def fingerprint(sites: Sites) -> str:
    """SHA-256 of a line CONTIG:POSITION for each site, the contig without "chr"."""
    places = zip(sites.contig.tolist(), sites.position.tolist(), strict=True)
    text = "".join(f"{contig.removeprefix('chr')}:{position}\n" for contig, position in places)
    return hashlib.sha256(text.encode()).hexdigest()

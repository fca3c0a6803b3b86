"""Settings of an RBM by the cohort that it is trained on."""

from __future__ import annotations

from typing import Any

from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.kernels import allele_counts, nearest_neighbours

LOOSE = 0.25
_ROWS = 5000


def nearness(H: HaplotypeMatrix) -> float:
    """Mean distance of a haplotype to its nearest other one over that of two haplotypes drawn at random.

    The latter is the sum of 2 f (1 - f) over sites. Of at most 5,000 rows; 1 where there is nothing to compare. 0.66 on
    805 sites spread over all autosomes, 0.02 on a region of 300 kb (benchmarks/results/rbm_quality.json).
    """
    some = H.select_haplotypes(seeded_order(H.num_haplotypes, 0)[:_ROWS])
    frequency = allele_counts(some) / some.num_haplotypes
    apart = float((2 * frequency * (1 - frequency)).sum())
    if some.num_haplotypes < 2 or not apart:
        return 1.0
    return float(nearest_neighbours(some).distance.mean()) / apart


def settings_for(H: HaplotypeMatrix) -> dict[str, Any]:
    """Settings by the rows and sites of a training cohort, and by how close its haplotypes are to each other.

    Where the nearest other haplotype is far (`nearness` of `LOOSE` or more: sites that are hardly linked, or few
    haplotypes) machines are small and training is short, since more of it learns single haplotypes: 120 passes over the
    data, 1,000 updates at least. Where haplotypes of a region nearly repeat each other, draws are told from real ones
    by a few alleles, which takes more hidden units and updates, 1,500. More of both brings draws nearer, and loses the
    frequencies: chains no longer reach all populations in their proportions.

    Returns
    -------
    dict of num_hidden, gibbs_steps, epochs, batch_size, num_chains, learning_rate
    """
    num_rows = H.num_haplotypes
    batch = min(250, num_rows)
    batches = round(num_rows / batch)
    if nearness(H) >= LOOSE:
        return {
            "num_hidden": 100,
            "gibbs_steps": 20,
            "epochs": max(120, round(1000 / batches)),
            "batch_size": batch,
            "num_chains": 250,
            "learning_rate": 0.12,
        }
    return {
        "num_hidden": 200,
        "gibbs_steps": 10,
        "epochs": max(1, round(1500 / batches)),
        "batch_size": batch,
        "num_chains": 250,
        "learning_rate": 0.12,
    }

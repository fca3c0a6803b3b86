"""Simulated cases and controls among real persons: the liability-threshold model.

A stand-in for sets of cases and controls that are closed, such as the 3,192 cases and 7,213 controls of ALS of Kenneweg
et al., Generating synthetic genotypes using diffusion models: their persons are real, the disease here is made up.

References
----------
Dempster ER, Lerner IM. Heritability of threshold characters. Genetics 35, 1950.
Falconer DS. The inheritance of liability to certain diseases, estimated from the incidence among relatives. Annals of
Human Genetics 29, 1965.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix, philox, seeded_order
from hapforge.kernels import allele_counts

LABEL = "simulated_phenotype"
"""Name of the label: whatever is reported of it says that it is simulated."""
_STR = np.dtypes.StringDType()
_GENOTYPES_AT_ONCE = 1 << 23


@dataclass(frozen=True, eq=False)
class CaseControl:
    """Who is a case, and the truth behind it.

    Attributes
    ----------
    labels : StringDType (num_haplotypes,), "case" or "control", for ``H.with_labels({LABEL: labels})``
    case : bool (num_persons,), persons in order of their first row, as all arrays of persons here
    liability, genetic : float64 (num_persons,): liability = genetic + environment, genetic part with mean 0
    threshold : float, the lowest liability of a case
    site : int64 (causal_genes,), ascending: the causal site of each causal gene
    effect : float64 (causal_genes,): what one standard deviation of the genotype there adds to the liability
    realised_heritability : float, variance of the genetic part over that of the liability, among these persons
    recipe : dict of plain values: everything that it was made with, and what came of it
    """

    labels: NDArray[Any]
    case: NDArray[np.bool_]
    liability: NDArray[np.float64]
    genetic: NDArray[np.float64]
    threshold: float
    site: NDArray[np.int64]
    effect: NDArray[np.float64]
    realised_heritability: float
    recipe: dict[str, Any]


def case_control(
    H: HaplotypeMatrix,
    *,
    heritability: float = 0.5,
    causal_genes: int = 1000,
    sites_per_gene: int = 10,
    prevalence: float = 0.3,
    seed: int = 0,
) -> CaseControl:
    """Simulate cases and controls: persons whose liability is highest are the cases.

    A gene is a window of `sites_per_gene` consecutive sites of a contig (the last one of a contig may be shorter) where
    at least one is polymorphic in H. Of every causal gene, drawn without replacement, one polymorphic site is causal.
    With a_j ~ N(0, 1) and z_ij, the genotype (0, 1, 2) of person i at causal site j less its mean and over its standard
    deviation among the persons of H,

        g_i = s * sum_j a_j z_ij,  s such that var(g) = h2,   l_i = g_i + e_i,   e_i ~ N(0, 1 - h2),

    and the round(prevalence * persons) persons with the highest l_i are the cases (of equal ones the first). Nobody is
    picked by disease: the share of cases is the prevalence. Linkage and structure are those of H: populations that
    differ in frequencies differ in g, too, so that part of what tells cases from controls is ancestry.

    Parameters
    ----------
    H : two haplotypes of every person, phased or not
    heritability : float in [0, 1], h2 on the scale of the liability
    causal_genes : int, 1 or more; all genes where H has fewer
    sites_per_gene : int, 1 or more
    prevalence : float between 0 and 1, the share of cases
    seed : int in [0, 2**64); another heritability or prevalence has the same causal sites, effects (but for s) and
        environments (but for their scale)

    Raises
    ------
    ValueError
        A value out of its range, a person without two haplotypes, no case or no control, a heritability above 0 without
        a polymorphic site or of persons who are all alike at the causal ones.

    References
    ----------
    Falconer 1965; Dempster and Lerner 1950.
    """
    if not 0 <= heritability <= 1:
        raise ValueError(f"heritability: expected 0 to 1, found {heritability}")
    for name, number in (("causal_genes", causal_genes), ("sites_per_gene", sites_per_gene)):
        if operator.index(number) < 1:
            raise ValueError(f"{name}: expected 1 or more, found {number}")
    samples = H.samples
    num_persons = samples.num_persons
    if odd := np.flatnonzero(np.bincount(samples.person, minlength=num_persons) != 2).tolist():
        name = samples.sample_id[samples.person == odd[0]][0]
        rows = int((samples.person == odd[0]).sum())
        raise ValueError(f"H: expected two haplotypes of every person, found {rows} of {name!r}")
    if not 0 < prevalence < 1:
        raise ValueError(f"prevalence: expected a share between 0 and 1, found {prevalence}")
    num_cases = round(prevalence * num_persons)
    if not 0 < num_cases < num_persons:
        found = f"{num_cases} cases of {num_persons} persons"
        raise ValueError(f"prevalence: expected one that leaves a case and a control, found {found}")

    site, num_genes = _causal_sites(H, causal_genes, sites_per_gene, seed)
    effect = np.random.Generator(philox(seed, Stream.LIABILITY_EFFECTS)).standard_normal(len(site))
    score = _genetic_score(H, site, effect)
    spread = float(score.std())
    if heritability > 0 and spread == 0:
        raise ValueError(f"H: expected persons who differ at polymorphic sites, found {H.num_sites} sites without such")
    scale = np.sqrt(heritability) / spread if heritability > 0 else 0.0
    genetic, effect = score * scale, effect * scale
    environment = np.random.Generator(philox(seed, Stream.LIABILITY_ENVIRONMENT)).standard_normal(num_persons)
    liability = genetic + np.sqrt(1 - heritability) * environment
    first = np.argsort(-liability, kind="stable")[:num_cases]
    case = np.zeros(num_persons, bool)
    case[first] = True
    realised = float(genetic.var() / liability.var())
    threshold = float(liability[first[-1]])
    recipe = {
        "simulated": "cases and controls are simulated, no diagnosis: liability-threshold model",
        "heritability": float(heritability),
        "causal_genes": len(site),
        "genes": num_genes,
        "sites_per_gene": int(sites_per_gene),
        "prevalence": float(prevalence),
        "seed": int(seed),
        "persons": num_persons,
        "cases": num_cases,
        "realised_heritability": realised,
        "threshold": threshold,
        "references": ["Falconer 1965", "Dempster and Lerner 1950"],
    }
    labels = np.array(["control", "case"], _STR)[case[samples.person].astype(np.int64)]
    return CaseControl(labels, case, liability, genetic, threshold, site, effect, realised, recipe)


def _causal_sites(
    H: HaplotypeMatrix, causal_genes: int, sites_per_gene: int, seed: int
) -> tuple[NDArray[np.int64], int]:
    """(the causal sites, ascending; the number of genes)."""
    counts = allele_counts(H)
    gene = np.empty(H.num_sites, np.int64)
    before = 0
    for _, start, stop in H.sites.contig_blocks():
        gene[start:stop] = before + np.arange(stop - start) // sites_per_gene
        before += -(-(stop - start) // sites_per_gene)
    sites = np.flatnonzero((counts > 0) & (counts < H.num_haplotypes))
    starts = np.unique(gene[sites], return_index=True)[1]
    lengths = np.diff(np.append(starts, len(sites)))
    chosen = np.sort(seeded_order(len(starts), seed, Stream.LIABILITY_GENES)[:causal_genes])
    picks = np.random.Generator(philox(seed, Stream.LIABILITY_GENES + 1)).random(len(starts))
    return sites[starts[chosen] + (picks[chosen] * lengths[chosen]).astype(np.int64)], len(starts)


def _genetic_score(H: HaplotypeMatrix, site: NDArray[np.int64], effect: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64 (num_persons,): sums of effects times standardised genotypes, some sites at a time."""
    num_persons = H.samples.num_persons
    order = np.argsort(H.samples.person, kind="stable")
    score = np.zeros(num_persons)
    step = max(1, _GENOTYPES_AT_ONCE // num_persons)
    for start in range(0, len(site), step):
        alleles = H.select_sites(site[start : start + step]).to_dense()
        genotype = (alleles[order[::2]] + alleles[order[1::2]]).astype(np.float64)
        genotype -= genotype.mean(axis=0)
        deviation = genotype.std(axis=0)
        genotype /= np.where(deviation > 0, deviation, 1)  # all heterozygous: nobody differs
        score += (genotype * effect[start : start + step]).sum(axis=1)
    return score

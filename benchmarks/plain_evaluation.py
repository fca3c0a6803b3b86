"""The statistics of `hapforge.evaluate` as one writes them today with NumPy, SciPy, scikit-learn and POT.

The peer of benchmarks/bench_end_to_end.py: float and boolean matrices, `cdist`, the full LD matrix, singular value
decompositions, no intervals, no repeats. Distances are computed once and shared by all that is made of them, columns of
correlations go through BLAS: this is the honest baseline, not the slowest. Imports nothing of hapforge.

Each function takes a real and a synthetic cohort, uint8 (n, num_sites) of 0 and 1, and what else it needs by keyword;
it returns {score name as in hapforge: value}.
"""

from __future__ import annotations

import gzip
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Cohort = NDArray[np.uint8]
Values = dict[str, float]


def allele_frequency(real: Cohort, synthetic: Cohort, **_: Any) -> Values:
    from scipy.stats import linregress

    p, q = real.mean(axis=0), synthetic.mean(axis=0)
    found = {}
    for end, kept in (("", p <= 1), ("_low", p <= 0.2)):
        line = linregress(p[kept], q[kept])
        found |= {f"af_r{end}": line.rvalue, f"af_slope{end}": line.slope, f"af_intercept{end}": line.intercept}
    found["fixed_sites"] = int(np.isin(q, (0, 1)).sum() - (np.isin(q, (0, 1)) & np.isin(p, (0, 1))).sum())
    for cohort in (real, synthetic):
        np.bincount(cohort.sum(axis=0, dtype=np.int64), minlength=len(cohort) + 1)  # the site frequency spectrum
        np.quantile(cohort.mean(axis=0), np.linspace(0, 1, 101))
    return found


def linkage_disequilibrium(
    real: Cohort,
    synthetic: Cohort,
    *,
    position: NDArray[np.int64],
    contig: NDArray[np.int64],
    edges: NDArray[np.float64],
    **_: Any,
) -> Values:
    p, q = real.mean(axis=0), synthetic.mean(axis=0)
    kept = (p > 0) & (p < 1) & (q > 0) & (q < 1)
    place, chromosome = position[kept], contig[kept]
    matrices = [np.corrcoef(cohort[:, kept].T.astype(np.float64)) ** 2 for cohort in (real, synthetic)]
    sums = np.zeros((2, len(edges) - 1))
    pairs = np.zeros(len(edges) - 1)
    products = np.zeros(6)
    for i in range(len(place) - 1):
        distance = place[i + 1 :] - place[i]
        inside = (distance >= edges[0]) & (distance < edges[-1]) & (chromosome[i + 1 :] == chromosome[i])
        bins = np.digitize(distance[inside], edges) - 1
        pairs += np.bincount(bins, minlength=len(pairs))
        rows = [matrix[i, i + 1 :] for matrix in matrices]
        for total, row in zip(sums, rows, strict=True):
            total += np.bincount(bins, row[inside], minlength=len(pairs))
        together = chromosome[i + 1 :] == chromosome[i]
        x, y = (row[together] for row in rows)
        products += (len(x), x.sum(), y.sum(), x @ x, y @ y, x @ y)
    x, y = (sums / np.where(pairs > 0, pairs, np.nan))[:, pairs > 0]
    n, sx, sy, sxx, syy, sxy = products
    return {
        "ld_decay_r": float(np.corrcoef(x, y)[0, 1]),
        "ld_score": float(1 - ((x - y) ** 2).sum() / (x**2).sum()),
        "ld_r2_r": (n * sxy - sx * sy) / np.sqrt((n * sxx - sx * sx) * (n * syy - sy * sy)),
    }


def three_point(real: Cohort, synthetic: Cohort, *, triplets: dict[str, NDArray[np.int64]], **_: Any) -> Values:
    def correlations(cohort: Cohort, sites: NDArray[np.int64]) -> NDArray[np.float64]:
        found = []
        for start in range(0, len(sites), 500):
            a, b, c = (cohort[:, column].astype(np.float32) for column in sites[start : start + 500].T)
            ab, fa, fb, fc = a * b, a.mean(axis=0), b.mean(axis=0), c.mean(axis=0)
            found.append(
                (ab * c).mean(axis=0)
                - ab.mean(axis=0) * fc
                - (a * c).mean(axis=0) * fb
                - (b * c).mean(axis=0) * fa
                + 2 * fa * fb * fc
            )
        return np.concatenate(found)

    return {
        f"three_point_r_{kind}": float(np.corrcoef(correlations(real, sites), correlations(synthetic, sites))[0, 1])
        for kind, sites in triplets.items()
    }


def kmers(real: Cohort, synthetic: Cohort, *, contig: NDArray[np.int64], **_: Any) -> Values:
    found = {}
    for k in (4, 8):
        starts = []
        for c in np.unique(contig):
            sites = np.flatnonzero(contig == c)
            starts += sites[: len(sites) // k * k : k].tolist()
        counts = [
            np.stack([np.bincount(cohort[:, s : s + k] @ (1 << np.arange(k)[::-1]), minlength=1 << k) for s in starts])
            for cohort in (real, synthetic)
        ]
        seen = (counts[0] + counts[1]) > 0
        found[f"kmer{k}_r"] = float(np.corrcoef(counts[0][seen], counts[1][seen])[0, 1])
    return found


def distances(real: Cohort, synthetic: Cohort, **_: Any) -> Values:
    """All that is made of Hamming distances: their distributions, nearest neighbours, the k nearest, chains."""
    from scipy.spatial.distance import cdist
    from scipy.stats import wasserstein_distance

    n = min(len(real), len(synthetic))
    real, synthetic = real[:n].astype(bool), synthetic[:n].astype(bool)
    sites = real.shape[1]
    tt, ts, ss = (
        np.rint(cdist(a, b, "hamming") * sites).astype(np.int32)
        for a, b in ((real, real), (real, synthetic), (synthetic, synthetic))
    )
    above = np.triu_indices(n, 1)
    within_real = tt[above]
    found = {
        "pairwise_within": float(wasserstein_distance(within_real, ss[above])),
        "pairwise_between": float(wasserstein_distance(within_real, ts.ravel())),
    }
    far = sites + 1
    np.fill_diagonal(tt, far)
    np.fill_diagonal(ss, far)
    d_tt, d_ts, d_st, d_ss = tt.min(axis=1), ts.min(axis=1), ts.min(axis=0), ss.min(axis=1)
    truth, syn = float((d_ts > d_tt).mean()), float((d_st > d_ss).mean())
    found |= {
        "aa_truth": truth,
        "aa_syn": syn,
        "aats": (truth + syn) / 2,
        "ties_truth": float((d_ts == d_tt).mean()),
        "ties_syn": float((d_st == d_ss).mean()),
        "aai_error": ((truth - 0.5) ** 2 + (syn - 0.5) ** 2) / 2,
    }
    pool = np.block([[tt, ts], [ts.T, ss]])
    nearest = np.argpartition(pool, 10, axis=1)[:, :10]
    nearest = np.take_along_axis(nearest, np.argsort(np.take_along_axis(pool, nearest, axis=1), axis=1), axis=1)
    own = (nearest < n) == (np.arange(2 * n) < n)[:, None]
    found |= {"nn_test_real": float(own[:n].mean()), "nn_test_syn": float(own[n:].mean())}
    visited = np.arange(2 * n)[:, None]
    for _size in range(2, 6):
        options = nearest[visited[:, -1]]
        unseen = (options[:, :, None] != visited[:, None, :]).all(axis=2)
        visited = np.column_stack([visited, options[np.arange(2 * n), unseen.argmax(axis=1)]])
        patterns = np.bincount((visited >= n) @ (1 << np.arange(visited.shape[1])), minlength=1 << visited.shape[1])
        if visited.shape[1] == 2:
            found |= dict(
                zip(("chain_TT", "chain_ST", "chain_TS", "chain_SS"), (patterns / (2 * n)).tolist(), strict=True)
            )
    return found


def principal_components(real: Cohort, synthetic: Cohort, **_: Any) -> Values:
    import ot
    from sklearn.decomposition import PCA

    n = min(len(real), len(synthetic))
    points = PCA(2, random_state=0).fit_transform(np.concatenate([real, synthetic]).astype(np.float32))
    rng = np.random.default_rng(0)
    x, y = points[: len(real)], points[len(real) :]
    rows = min(n // 2, 1500)
    x, y = (side[rng.permutation(len(side))[:rows]].astype(np.float64) for side in (x, y))
    cost = ot.dist(x, y)
    cost /= cost.max()
    masses = ot.unif(rows), ot.unif(rows)
    plan = ot.bregman.sinkhorn_log(*masses, cost, 0.001, numItermax=1000, warn=False)
    return {
        "pca_wasserstein": float((plan * cost).sum()),
        "pca_wasserstein_exact": float(ot.emd2(*masses, cost, numItermax=10_000_000)),
    }


def embedded_accuracy(real: Cohort, synthetic: Cohort, **_: Any) -> Values:
    from scipy.spatial.distance import cdist
    from sklearn.decomposition import PCA

    n = min(len(real), len(synthetic))
    # the randomised solver is faster and misses the later components where the spectrum is flat
    model = PCA(10, svd_solver="arpack", random_state=0).fit(real.astype(np.float64))
    x, y = (model.transform(cohort[:n].astype(np.float64)) for cohort in (real, synthetic))
    found = {}
    for name, metric in (("euclidean", "euclidean"), ("angular", "cosine")):  # angles are in the order of cosines
        tt, ts, ss = cdist(x, x, metric), cdist(x, y, metric), cdist(y, y, metric)
        np.fill_diagonal(tt, np.inf)
        np.fill_diagonal(ss, np.inf)
        found[f"aa_truth_{name}"] = float((ts.min(axis=1) > tt.min(axis=1)).mean())
        found[f"aa_syn_{name}"] = float((ts.min(axis=0) > ss.min(axis=1)).mean())
    return found


def generation_errors(real: Cohort, synthetic: Cohort, **_: Any) -> Values:
    n, sites = min(len(real), len(synthetic)), real.shape[1]
    rows = n if sites <= 2048 else min(n, 1500)
    rng = np.random.default_rng(0)
    s, t = (
        np.linalg.svd(cohort[rng.permutation(n)[:rows]].astype(np.float64), compute_uv=False)
        for cohort in (real, synthetic)
    )
    size, other = (
        len(gzip.compress(np.packbits(cohort[rng.permutation(n)], axis=1).tobytes(), 6)) for cohort in (real, synthetic)
    )
    found = {"entropy_error": (other / size - 1) ** 2}
    if rows == n:
        found["spectrum_error"] = float(((s - t) ** 2).mean())
    return found


def radar(real: Cohort, synthetic: Cohort, **_: Any) -> Values:
    """The bound of the pairwise score; the other axes are scores above."""
    from scipy.spatial.distance import pdist
    from scipy.stats import wasserstein_distance

    rng = np.random.default_rng(0)
    independent = rng.random((1000, real.shape[1])) < real.mean(axis=0)
    some = real[rng.permutation(len(real))[:1000]].astype(bool)
    wasserstein_distance(*(np.rint(pdist(cohort, "hamming") * real.shape[1]) for cohort in (some, independent)))
    return {}


STATISTICS: tuple[Callable[..., Values], ...] = (
    allele_frequency,
    linkage_disequilibrium,
    three_point,
    kmers,
    distances,
    principal_components,
    embedded_accuracy,
    generation_errors,
    radar,
)


def timed(name: str, folder: Path) -> dict[str, Any]:
    """One statistic of the set and of the real half, on the arrays in a folder, alone in this process."""
    arrays = {path.stem: np.load(path) for path in folder.glob("*.npy")}
    real, synthetic = arrays.pop("real"), arrays.pop("synthetic")
    halves = [np.ascontiguousarray(real[arrays.pop(half)]) for half in ("half_a", "half_b")]
    triplets = {key.removeprefix("triplets_"): arrays.pop(key) for key in list(arrays) if key.startswith("triplets_")}
    function = next(f for f in STATISTICS if f.__name__ == name)
    began = time.perf_counter(), time.process_time()
    values = function(real, synthetic, triplets=triplets, **arrays)
    function(*halves, triplets=triplets, **arrays)
    return {
        "wall": time.perf_counter() - began[0],
        "cpu": time.process_time() - began[1],
        "peak_memory_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "scores": values,
    }

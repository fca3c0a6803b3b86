"""Overlap of the real cohort and a set on principal components."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.evaluation.cohorts import Cohort, Column, Run, score
from hapforge.evaluation.statistics._base import Statistic
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.metrics.embedding_distances import embedding_distances
from hapforge.metrics.pca import MAX_ROWS, MAX_ROWS_LATER, pca_overlap
from hapforge.report.data import Rule, Score, ScoreText
from hapforge.report.figures.pca import CombinedPCA, PairPCAs, PrincipalComponents
from hapforge.stats.pca import MAX_COMPONENTS, randomized_pca

MAX_COORDINATES = 300  # rows of a side whose coordinates are kept for the figures
MAX_COMBINED = 20_000  # rows of all cohorts in the combined PCA
GRID = 80  # cells along each axis of a density
_PAIRS = [f"{i}-{i + 1}" for i in range(1, MAX_COMPONENTS, 2)]
_ENDINGS = ["" if pair == "1-2" else "_" + pair.replace("-", "_") for pair in _PAIRS]


def _texts() -> dict[str, ScoreText]:
    texts = {}
    for pair, end in zip(_PAIRS, _ENDINGS, strict=True):
        rule = Rule(0.003, 0.02, "", "the set does not cover the ground of the real haplotypes") if not end else None
        which = "PCA W" + (f", PC {pair}" if end else "")
        texts[f"pca_wasserstein{end}"] = ScoreText(
            which,
            f"2D Wasserstein distance on PC {pair.replace('-', ' and ')} of the pair, entropic as in the papers, cost "
            "over its maximum",
            "lower",
            rule,
            twice=False,
            always=not end,
        )
        texts[f"pca_wasserstein_exact{end}"] = ScoreText(
            f"{which}, exact", "the same with the optimal plan", "lower", twice=False, always=not end
        )
    return texts


class PrincipalComponentAnalysis(Statistic):
    name = "pca"
    heading = "Principal components"
    scores = _texts()
    curves = {"combined_components": CombinedPCA, "principal_components": PairPCAs}

    def __init__(self, run: Run) -> None:
        super().__init__(run)
        self._components: dict[str, PrincipalComponents] = {}

    def compute(self, column: Column) -> dict[str, Score]:
        rows = min(MAX_ROWS, self.run.equal_n)
        first, second = column.truth.matrix, column.cohort.matrix
        components = min(MAX_COMPONENTS, first.num_haplotypes + second.num_haplotypes - 1, first.num_sites) // 2 * 2
        found = pca_overlap(first, second, num_components=max(2, components), rows=rows, seed=self.run.seed)
        x, y, (density, _) = _densities([found.real, found.synthetic])
        self._components[column.name] = PrincipalComponents(
            real=self._kept(found.real),
            synthetic=self._kept(found.synthetic),
            explained=found.explained,
            x=x,
            y=y,
            density=density,
            wasserstein=np.array([cost.entropic for cost in found.costs]),
        )
        scores = {}
        for pair, end, cost, n in zip(_PAIRS, _ENDINGS, found.costs, found.n, strict=False):
            text = (
                f"PC {pair} of the pair, squared Euclidean cost over its maximum, {n} seeded rows of each side"
                + (f" (at most {MAX_ROWS_LATER} from PC 3 on)" if end else "")
                + "; interval: costs of 5 disjoint parts of them, Student's t; Yelmen et al. 2021"
            )
            limit = cost.marginal_error
            stopped = f", stopped at marginal error {limit:.1e}" if limit > 1e-9 else ", converged"
            scores[f"pca_wasserstein{end}"] = score(
                cost.entropic, n, f"entropic, regularisation 0.001, log domain{stopped}; {text}", cost.entropic_interval
            )
            scores[f"pca_wasserstein_exact{end}"] = score(cost.exact, n, f"optimal plan; {text}", cost.exact_interval)
        return scores

    def _kept(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.round(points[_some(len(points), MAX_COORDINATES, self.run.seed, Stream.PCA_SHOWN)], 3)

    def collect(self) -> dict[str, Any]:
        if not self._components:
            return {}
        return {"combined_components": self._together(), "principal_components": PairPCAs(self._components)}

    def _together(self) -> CombinedPCA:
        """One PCA of the real cohort and every set and control that is not a part of it, of equal numbers of rows."""
        cohorts = {"real": self.run.real} | {c.name: c.cohort for c in self.run.columns if not c.is_real_half}
        most = max(2, MAX_COMBINED // len(cohorts))
        words = [
            m.words[_some(m.num_haplotypes, most, self.run.seed, Stream.PCA_COMBINED)]
            for m in (cohort.matrix for cohort in cohorts.values())
        ]
        found = randomized_pca(HaplotypeMatrix(np.concatenate(words), self.run.real.matrix.sites), 2)
        clouds = np.split(found.coordinates, np.cumsum([len(part) for part in words])[:-1])
        x, y, counts = _densities(clouds)
        return CombinedPCA(found.explained, x, y, counts[0], dict(zip(list(cohorts)[1:], counts[1:], strict=True)))

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        both = 2 * num_haplotypes
        words = both * (num_sites + 63) // 64 * 8  # of the pair together
        fewer, more = sorted((both, num_sites))
        return words + 6_000 * fewer + 2_000 * more + (128 << 20) + 40 * MAX_ROWS**2


class EmbeddingDistances(Statistic):
    name = "embedding"
    heading = "Principal components"
    scores = {
        f"embedding_{measure}": ScoreText(
            f"embedding {words}",
            f"median {words} distance of a synthetic haplotype to the nearest real one on the principal components of "
            "the real ones; far below the control: close to the training set",
            "control",
            twice=False,
        )
        for measure, words in (("l1", "L1"), ("l2", "L2"), ("cosine", "cosine"))
    }

    def compute(self, column: Column) -> dict[str, Score]:
        n = min(MAX_ROWS, self.run.equal_n)
        fitted = column.truth.components
        real = fitted.coordinates[self._rows(column.truth, Stream.PCA_EMBEDDED_TRUTH, n)]
        rows = self._rows(column.cohort, Stream.PCA_EMBEDDED_SET, n)
        found = embedding_distances(real, fitted.project(column.cohort.matrix.select_haplotypes(rows)))
        text = (
            f"first {fitted.coordinates.shape[1]} PCs of the real haplotypes, {n} seeded rows of each side, least "
            "{least:.3g}; interval: order statistics; after 'Generating synthetic genotypes using diffusion models'"
        )
        return {
            f"embedding_{name}": score(one.median, found.n, text.format(least=one.least), one.interval)
            for name, one in (("l1", found.l1), ("l2", found.l2), ("cosine", found.cosine))
        }

    def _rows(self, cohort: Cohort, stream: int, n: int) -> NDArray[np.int64]:
        return _some(cohort.matrix.num_haplotypes, n, self.run.seed, stream)

    @classmethod
    def bytes_needed(cls, num_haplotypes: int, num_sites: int) -> int:
        return PrincipalComponentAnalysis.bytes_needed(num_haplotypes, num_sites)


def _some(num_rows: int, most: int, seed: int, stream: int) -> NDArray[np.int64]:
    """At most so many seeded rows, ascending."""
    return np.sort(seeded_order(num_rows, seed, stream)[:most])


def _densities(
    clouds: list[NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[NDArray[np.int64]]]:
    """Cell centres along the first two columns of all clouds, and how many points of each are in every cell."""
    low, high = (getattr(np, end)([getattr(c[:, :2], end)(axis=0) for c in clouds], axis=0) for end in ("min", "max"))
    high = np.where(high > low, high, low + 1)
    edges = np.linspace(low, high, GRID + 1)
    cells = [edges[:, 1], edges[:, 0]]
    counts = [np.histogram2d(cloud[:, 1], cloud[:, 0], bins=cells)[0].astype(np.int64) for cloud in clouds]
    centres = (edges[1:] + edges[:-1]) / 2
    return centres[:, 0], centres[:, 1], counts

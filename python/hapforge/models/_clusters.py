"""Groups of alike rows, which stand for labels where a cohort has none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, Sites
from hapforge.models import _store
from hapforge.models._embedding import Floats, Unit
from hapforge.models.embedding import CohortPCA

COMPONENTS = 16
_ROWS, _SOME = 4096, 1 << 16
FEWEST = 32  # rows of a cluster: of one with few rows a model would learn these


@dataclass(frozen=True)
class Clusters:
    """K-means on the leading principal components of all sites; a row belongs to the nearest centre.

    Attributes
    ----------
    pca : of at most 16 components
    centres : float32 (clusters, components), scores
    sizes : int64 (clusters,), training rows (haplotypes or persons)
    """

    pca: CohortPCA
    centres: Floats
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, H: HaplotypeMatrix, count: int, unit: Unit) -> Self | None:
        """`count` clusters at most, of 32 rows or more each; None where there are too few rows for two.

        The same on any number of threads. Centres are found by 65,536 rows at most. Memory: see
        `CohortPCA.fit_components`, of 16 components.

        Raises
        ------
        MissingDependencyError
            Without scikit-learn.
        """
        count = min(count, H.num_haplotypes // (2 if unit == "person" else 1) // FEWEST)
        if count < 2:
            return None
        try:
            from sklearn.cluster import KMeans
            from threadpoolctl import threadpool_limits
        except ImportError:
            raise MissingDependencyError("scikit-learn", "train") from None
        pca = CohortPCA(components=COMPONENTS, unit=unit).fit_components(H)
        scores = pca.scores(H)
        some = scores[:: -(-len(scores) // _SOME)]
        with threadpool_limits(1):
            found = KMeans(min(count, len(np.unique(some, axis=0))), n_init=3, random_state=0).fit(some)
        centres = found.cluster_centers_.astype(np.float32)
        while True:
            sizes = np.bincount(_nearest(scores, centres), minlength=len(centres))
            if len(centres) == 1 or sizes.min() >= FEWEST:
                break
            centres = np.delete(centres, sizes.argmin(), axis=0)
        return cls(pca, centres, sizes) if len(centres) > 1 else None

    def codes(self, H: HaplotypeMatrix) -> NDArray[np.int64]:
        """int64, the cluster of every row (haplotype or person) of a cohort with the same sites."""
        return _nearest(self.pca.scores(H), self.centres)

    def tensors(self) -> _store.Tensors:
        """What `restored` takes."""
        parts = self.pca.tensors()
        return {name: parts[name] for name in ("mean", "variance", "vectors")} | {"centres": self.centres}

    @classmethod
    def restored(cls, tensors: _store.Tensors, sites: Sites, sizes: NDArray[np.int64], unit: Unit) -> Self:
        """The clusters whose `tensors` these are; ValueError where they are not those of as many as sizes."""
        none = np.zeros((2 if unit == "person" else 1, len(sites)), np.float32)  # nothing is decoded
        pca = CohortPCA.from_parts({"components": COMPONENTS, "unit": unit}, {**tensors, "thresholds": none}, sites)
        _store.check_tensors(tensors, {"centres": ((len(sizes), int(pca.mask.sum())), np.float32)})
        return cls(pca, tensors["centres"], sizes)


def _nearest(scores: Floats, centres: Floats) -> NDArray[np.int64]:
    parts = [scores[first : first + _ROWS, None] for first in range(0, len(scores), _ROWS)]
    return np.concatenate([np.empty(0, np.int64), *(((part - centres) ** 2).sum(2).argmin(1) for part in parts)])

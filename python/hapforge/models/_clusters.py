"""By what networks tell rows apart: a label or, where a cohort has none, clusters of alike rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError
from hapforge.haplotypes import HaplotypeMatrix, Sites
from hapforge.kernels import allele_counts
from hapforge.models import _store
from hapforge.models._embedding import Floats, Unit
from hapforge.models._labels import codes_of, names_of
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
        """`count` clusters at most, of 32 rows or more each; None where there are too few rows, or all are alike.

        The same on any number of threads. Centres are found by 65,536 rows at most. Memory: see
        `CohortPCA.fit_components`, of 16 components.

        Raises
        ------
        MissingDependencyError
            Without scikit-learn.
        """
        count = min(count, H.num_haplotypes // (2 if unit == "person" else 1) // FEWEST)
        if count < 2 or not (allele_counts(H) % H.num_haplotypes).any():
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


@dataclass(frozen=True)
class Groups:
    """A label, the clusters that stand for it, or neither: all rows are of one group.

    Attributes
    ----------
    label : str, "": none
    names : list of str, its values
    clusters : Clusters or None
    unit : what a row is
    """

    label: str
    names: list[str]
    clusters: Clusters | None
    unit: Unit

    @classmethod
    def of(cls, H: HaplotypeMatrix, label: str, clusters: int, unit: Unit) -> Self:
        """Those of a training cohort; `clusters` as `Clusters.of` takes it, without effect where there is a label."""
        if label:
            return cls(label, names_of(H, label), None, unit)
        return cls("", [], Clusters.of(H, clusters, unit), unit)

    @property
    def count(self) -> int:
        """How many there are, 1 or more."""
        return len(self.names) or (1 if self.clusters is None else len(self.clusters.centres))

    def codes(self, H: HaplotypeMatrix) -> NDArray[np.int64]:
        """int64, the group of every row (haplotype or person) of a cohort with the same sites; -1 without a label."""
        if self.clusters is not None:
            return self.clusters.codes(H)
        codes = codes_of(H, self.label, self.names) if self.names else np.zeros(H.num_haplotypes, np.int64)
        return codes[:: 2 if self.unit == "person" else 1]

    @property
    def centres(self) -> Floats:
        """Of the clusters, which a checkpoint keeps for `check`; empty where there are none."""
        return np.empty((0, 0), np.float32) if self.clusters is None else self.clusters.centres

    def check(self, centres: Floats) -> None:
        """ValueError where a checkpoint is of other clusters."""
        if not np.array_equal(centres, self.centres):
            raise ValueError(
                "clusters: expected those that the training began with, found others (on another machine?)"
            )

    def tensors(self) -> _store.Tensors:
        """Of the clusters, as a model keeps them."""
        parts = {} if self.clusters is None else self.clusters.tensors()
        return {f"clusters.{name}": value for name, value in parts.items()}


def _nearest(scores: Floats, centres: Floats) -> NDArray[np.int64]:
    parts = [scores[first : first + _ROWS, None] for first in range(0, len(scores), _ROWS)]
    return np.concatenate([np.empty(0, np.int64), *(((part - centres) ** 2).sum(2).argmin(1) for part in parts)])

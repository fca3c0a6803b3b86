"""Embeddings of genotypes: where a diffusion model works, and the way back to alleles.

`GenewisePCA` is that of Kenneweg et al., Generating synthetic genotypes using diffusion models (section 3.2, after Luo
et al. 2023): principal components of the sites of each gene, up to eight of them, padded to eight. What is ours is the
way back. `CohortPCA` are principal components of all sites at once, behind the same protocol.
"""

from __future__ import annotations

import itertools
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend
from hapforge._streams import Stream
from hapforge.errors import FormatError
from hapforge.haplotypes import HaplotypeMatrix, Sites, philox
from hapforge.io import read_genes
from hapforge.models import _genes, _store
from hapforge.models._embedding import (
    CHANNELS,
    TILE,
    Block,
    Floats,
    Index,
    PCAEmbedding,
    ReconstructionErrors,
    Unit,
    calibrated_thresholds,
    dense_by_site,
    dense_sites,
    in_threads,
    level_counts,
    packed_sites,
    planes_of,
    positive_signs,
    products_of_sites,
    sites_at_once,
    tiled,
    untiled,
)
from hapforge.stats.allele_frequency import allele_frequencies
from hapforge.stats.pca import CentredProducts, gram_matrix

__all__ = ["CohortPCA", "Embedding", "GenewisePCA", "ReconstructionErrors", "load", "restore"]

WINDOWS = (64, 32, 16, 8)  # sites; the widest that is good enough is taken
GOOD_ENOUGH = 0.005  # wrong alleles over all alleles
_TRIED_SITES = 1 << 16  # of a long cohort so many sites, in windows of 64, are enough to choose by
_COUNTED_SITES = 512  # joint counts of all pairs of so many sites at once, of which those of genes are taken
_SETTINGS = ("genes", "max_distance_bp", "window", "window_cm", "explained", "unit")  # of GenewisePCA
_LEAST = 1e-9  # of the variance of a gene, or of all sites: less is rounding
_DENSE, _PASSES, _MORE_COLUMNS = 2048, 6, 32  # of CohortPCA


@runtime_checkable
class Embedding(Protocol):
    """What `Diffusion` asks of an embedding; `GenewisePCA` and `CohortPCA` say more."""

    unit: Unit

    @property
    def shape(self) -> tuple[int, int]: ...
    @property
    def mask(self) -> NDArray[np.bool_]: ...
    @property
    def settings(self) -> dict[str, Any]: ...
    def fit(self, H: HaplotypeMatrix) -> Self: ...
    def encode(self, H: HaplotypeMatrix) -> Floats: ...
    def values(self, E: NDArray[np.floating[Any]]) -> Floats: ...
    def decode(self, E: NDArray[np.floating[Any]]) -> HaplotypeMatrix: ...
    def tensors(self) -> _store.Tensors: ...
    def save(self, folder: str | os.PathLike[str]) -> None: ...


class GenewisePCA(PCAEmbedding):
    """Principal components of the sites of each gene, one to eight for each, standardised and padded to eight.

    Sites near a gene are that gene's. What is left, and all sites where no genes are given, is parted into windows of
    neighbours, which stand for genes; none goes across a gene or contigs. A gene or window of more than 100 sites is
    parted. The genes of a position and their names are in `layout`.

    Parameters
    ----------
    genes : path of a GFF3, GTF or BED file (`hapforge.io.read_genes`), or None
    max_distance_bp : int, a site goes to the nearest gene that is not further away than that
    window : int, 1 to 100, sites of a window; None: the widest of 64, 32, 16 and 8 with which at most 0.5 % of the
        training rows' alleles there come back wrong (8 where none does), in `chosen_window`
    window_cm : float, centimorgans of a window, by `Sites.genetic_position_cm`, instead of `window`
    explained : float in (0, 1], share of a gene's variance that its components explain together at least, unless eight
        are not enough
    unit : "haplotype", or "person": a row is a person's genotypes, whatever their phase
    """

    name: ClassVar[str] = "genewise_pca"

    def __init__(
        self,
        genes: str | os.PathLike[str] | None = None,
        *,
        max_distance_bp: int = 10_000,
        window: int | None = None,
        window_cm: float | None = None,
        explained: float = 0.99,
        unit: Unit = "haplotype",
    ) -> None:
        super().__init__(unit)
        if max_distance_bp < 0:
            raise ValueError(f"max_distance_bp: expected 0 or more, found {max_distance_bp}")
        if window is not None and not 1 <= window <= _genes.MOST_SITES:
            raise ValueError(f"window: expected 1 to {_genes.MOST_SITES} sites, found {window}")
        if window_cm is not None and not 0 < window_cm < math.inf:
            raise ValueError(f"window_cm: expected centimorgans above 0, found {window_cm}")
        if window is not None and window_cm is not None:
            raise ValueError(f"window, window_cm: expected one of them, found both, {window} and {window_cm}")
        if not 0 < explained <= 1:
            raise ValueError(f"explained: expected a share above 0, up to 1, found {explained}")
        self.genes = None if genes is None else os.fspath(genes)
        self.max_distance_bp, self.window, self.window_cm = max_distance_bp, window, window_cm
        self.explained = explained
        self.chosen_window = window
        self._layout = _genes.Layout(np.empty(0, np.int64), np.zeros(1, np.int64), np.empty(0))
        self._components: Floats = np.empty((0, CHANNELS), np.float32)  # (num_sites, channels), sites in layout's order

    @property
    def settings(self) -> dict[str, Any]:
        chosen = {"embedding": self.name, "chosen_window": self.chosen_window}
        return {**chosen, **{name: getattr(self, name) for name in _SETTINGS}}

    @property
    def layout(self) -> _genes.Layout:
        """Which sites each gene has, and its name. ValueError before `fit`."""
        assert self.sites is not None
        return self._layout

    def fit(self, H: HaplotypeMatrix) -> Self:
        """Learn components and thresholds from training rows; returns the embedding itself.

        Covariances come from joint allele counts, which are exact; of a thousand sites (where rows are 5,000) all
        rows are dense at a time, in each thread.

        Raises
        ------
        FormatError
            Of the file of genes.
        ValueError
            Fewer than two rows, no sites, persons who are not rows 2i and 2i + 1, no gene near any site, positions
            (or genetic positions) that are not known where they are needed.
        """
        planes, sites = planes_of(H, self.unit), H.sites
        if len(planes[0]) < 2 or not len(sites):
            raise ValueError(f"H: expected two rows or more and a site, found {len(planes[0])} x {len(sites)}")
        pieces: list[_genes.Piece] = []
        taken = np.zeros(len(sites), bool)
        if self.genes is not None:
            genes = read_genes(self.genes)
            gene = _genes.genes_of_sites(sites, genes, self.max_distance_bp)
            pieces.extend(_genes.gene_pieces(genes, gene))
            taken = gene >= 0
        runs = _genes.runs_of(sites, taken)
        if self.window_cm is not None:
            pieces.extend(_genes.windows_of_distance(sites, runs, self.window_cm))
        elif len(runs):
            self.chosen_window = self.window or self._good_enough(sites, planes, runs)
            pieces.extend(_genes.windows_of_sites(runs, self.chosen_window))
        self._fit(sites, planes, _genes.layout_of(sites, pieces))
        return self

    def _good_enough(self, sites: Sites, planes: list[NDArray[np.uint64]], runs: Index) -> int:
        """The widest window that is good enough; the narrowest where none is."""
        widest = [index for index, _ in _genes.windows_of_sites(runs, WINDOWS[0])]
        tried = np.array([(index[0], index[-1] + 1) for index in widest[:: -(-len(sites) // _TRIED_SITES)]])
        alleles = self._ploidy * len(planes[0]) * int(np.diff(tried).sum())
        for window in WINDOWS[:-1]:
            one = GenewisePCA(explained=self.explained, unit=self.unit)
            one._fit(sites, planes, _genes.layout_of(sites, _genes.windows_of_sites(tried, window)))
            if one._wrong(planes)[0].sum() <= GOOD_ENOUGH * alleles:
                return window
        return WINDOWS[-1]

    def _fit(self, sites: Sites, planes: list[NDArray[np.uint64]], layout: _genes.Layout) -> None:
        num_sites, ploidy = len(sites), self._ploidy
        self._sites, self._layout = sites, layout
        self._mean = np.empty(num_sites, np.float32)
        self._variance = np.zeros((layout.num_genes, CHANNELS), np.float32)
        self._components = np.zeros((len(layout.order), CHANNELS), np.float32)
        self._thresholds = np.empty((ploidy, num_sites), np.float32)

        def learn(block: Block) -> None:
            self._learn_components(planes, block)
            index = self._block_sites(block)
            values = dense_by_site(planes, index)
            values -= self._mean[index][:, None]
            components = self._components[self._layout.start[block[0]] : self._layout.start[block[1]]]
            for _, own, k in self._genes_of(block):  # what their scores make of them
                values[own] = components[own, :k] @ (components[own, :k].T @ values[own])
            values += self._mean[index][:, None]
            self._thresholds[:, index] = calibrated_thresholds(values, level_counts(planes, index))

        in_threads(learn, self._blocks(len(planes[0])))

    def _learn_components(self, planes: list[NDArray[np.uint64]], block: Block) -> None:
        """Means, components and their variances of the genes first ... last - 1."""
        n, start = len(planes[0]), self._layout.start
        for first, last in self._layout.blocks(_COUNTED_SITES, *block):
            index = self._layout.order[start[first] : start[last]]
            products, sums = products_of_sites([packed_sites(plane, index) for plane in planes], len(index))
            mean = sums / n
            self._mean[index] = mean
            for gene in range(first, last):
                own = slice(start[gene] - start[first], start[gene + 1] - start[first])
                covariance = products[own, own] / n - np.outer(mean[own], mean[own])
                values, vectors = np.linalg.eigh(covariance)
                values, vectors = values[::-1][:CHANNELS], vectors[:, ::-1][:, :CHANNELS]
                total = float(np.trace(covariance))
                k = min(
                    int(np.searchsorted(np.cumsum(values), self.explained * total * (1 - _LEAST))) + 1,
                    int((values > _LEAST * total).sum()),
                )
                self._variance[gene, :k] = values[:k]
                self._components[start[gene] : start[gene + 1], :k] = positive_signs(vectors[:, :k])

    def _encode(self, planes: list[NDArray[np.uint64]]) -> Floats:
        n = len(planes[0])
        found = np.empty((n, *self.shape), np.float32)

        def encode(block: Block) -> None:
            truth = dense_sites(planes, self._block_sites(block))
            found[:, block[0] : block[1]] = untiled(self._block_scores(block, truth), n)

        in_threads(encode, self._blocks(n))
        return found

    def _blocks(self, rows: int = TILE) -> list[Block]:
        return self._layout.blocks(sites_at_once(rows))

    def _block_sites(self, block: Block) -> Index:
        first, last = block
        return self._layout.order[self._layout.start[first] : self._layout.start[last]]

    def _genes_of(self, block: Block) -> Iterator[tuple[int, slice, int]]:
        """Number of a gene in its block, where its sites are among the block's, and number of its components."""
        start = (self._layout.start[block[0] : block[1] + 1] - self._layout.start[block[0]]).tolist()
        components = np.count_nonzero(self._variance[slice(*block)], axis=1).tolist()
        for gene, (first, last) in enumerate(itertools.pairwise(start)):
            yield gene, slice(first, last), components[gene]

    def _weights(self, block: Block, factor: Floats) -> Floats:
        """float32 (sites of the block, channels): components times a factor of each, (genes, channels)."""
        start = self._layout.start[block[0] : block[1] + 1]
        return self._components[start[0] : start[-1]] * np.repeat(factor, np.diff(start), axis=0)

    def _block_scores(self, block: Block, truth: NDArray[np.uint8]) -> Floats:
        """float32 (tiles, TILE, genes, channels) from the values of rows at the sites of a block."""
        centred = tiled(truth)
        centred -= self._mean[self._block_sites(block)]
        found = np.empty((*centred.shape[:2], block[1] - block[0], CHANNELS), np.float32)
        variance = self._variance[slice(*block)]
        weights = self._weights(block, np.divide(1, np.sqrt(variance), out=np.zeros_like(variance), where=variance > 0))
        for gene, own, _ in self._genes_of(block):
            np.matmul(centred[:, :, own], weights[own], out=found[:, :, gene])
        return found

    def _block_values(self, block: Block, E: Floats) -> Floats:
        n, E = len(E), tiled(E[:, slice(*block)])
        mean = self._mean[self._block_sites(block)]
        found = np.empty((*E.shape[:2], len(mean)), np.float32)
        weights = self._weights(block, np.sqrt(self._variance[slice(*block)]))
        for gene, own, k in self._genes_of(block):
            np.matmul(E[:, :, gene, :k], weights[own, :k].T, out=found[:, :, own])
        found += mean
        return untiled(found, n)

    def _per_gene(self, per_site: NDArray[np.float64]) -> NDArray[np.float64] | None:
        start = self._layout.start
        return np.add.reduceat(per_site[self._layout.order], start[:-1]) / np.diff(start)

    def tensors(self) -> _store.Tensors:
        layout = self._layout
        names = _store.strings_to_tensors("name", layout.name.tolist())
        own: _store.Tensors = {"components": self._components, "order": layout.order, "start": layout.start}
        return {**super().tensors(), **own, **names}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], tensors: _store.Tensors, sites: Sites) -> Self:
        own = cls(**{name: settings[name] for name in _SETTINGS})
        chosen = settings["chosen_window"]
        own.chosen_window = None if chosen is None else int(chosen)
        own._restore(tensors, sites)
        names = _store.strings_from_tensors("name", tensors, own.shape[0])
        layout = _genes.Layout(tensors["order"], tensors["start"], np.array(names, np.dtypes.StringDType()))
        layout.check(len(sites))
        if layout.num_genes != own.shape[0]:
            raise ValueError(f"start: expected {own.shape[0]} genes, found {layout.num_genes}")
        _store.check_tensors(tensors, {"components": ((len(sites), CHANNELS), np.float32)})
        own._layout, own._components = layout, tensors["components"]
        return own


class CohortPCA(PCAEmbedding):
    """Principal components of all sites of a cohort at once, standardised, eight to a position.

    The space of Szatkownik et al., Towards creating longer genetic sequences with GANs: generation in principal
    component space (2024). Positions are components in falling order of variance, not places of the genome.

    Parameters
    ----------
    components : int >= 1, components at most; there are no more than sites, nor than training rows less one
    unit : "haplotype", or "person": a row is a person's genotypes, whatever their phase
    """

    name: ClassVar[str] = "cohort_pca"

    def __init__(self, *, components: int = 512, unit: Unit = "haplotype") -> None:
        super().__init__(unit)
        if components < 1:
            raise ValueError(f"components: expected 1 or more, found {components}")
        self.components = components
        self._vectors: Floats = np.empty((0, 0), np.float32)  # (components, num_sites), orthonormal rows

    @property
    def settings(self) -> dict[str, Any]:
        return {"embedding": self.name, "components": self.components, "unit": self.unit}

    @_backend.one_blas_thread()
    def fit(self, H: HaplotypeMatrix) -> Self:
        """Learn components (see `fit_components`) and thresholds from training rows; returns the embedding itself.

        Raises
        ------
        ValueError
            Fewer than two rows, no sites, rows that are all alike, persons who are not rows 2i and 2i + 1.
        """
        self.fit_components(H)
        planes = planes_of(H, self.unit)
        self._thresholds = np.empty((self._ploidy, H.num_sites), np.float32)
        E = self._encode(planes)

        reduced = self._scaled(E).T

        def calibrate(block: Block) -> None:
            values = self._vectors[:, slice(*block)].T @ reduced
            values += self._mean[slice(*block), None]
            self._thresholds[:, slice(*block)] = calibrated_thresholds(
                values, level_counts(planes, self._block_sites(block))
            )

        in_threads(calibrate, self._blocks(len(E)))
        return self

    @_backend.one_blas_thread()
    def fit_components(self, H: HaplotypeMatrix) -> Self:
        """Learn all that `encode` needs, but not the way back to alleles; returns the embedding itself.

        Where rows or sites are at most 2,048 the components are those of the covariance or the Gram matrix. Beyond,
        they come from six passes of subspace iteration with 32 more columns than components (Halko et al. 2011,
        algorithm 4.4): the last ones are then not quite those of largest variance. Memory beside the packed input: some
        30 bytes for each of these columns and each site or row.

        Raises
        ------
        ValueError
            As `fit`.
        """
        n = len(planes_of(H, self.unit)[0])
        if n < 2 or not H.num_sites:
            raise ValueError(f"H: expected two rows or more and a site, found {n} x {H.num_sites}")
        frequency = allele_frequencies(H)
        if not ((frequency > 0) & (frequency < 1)).any():
            raise ValueError(f"H: expected rows that differ, found {n} alike")
        vectors, scores = self._leading(H, frequency)
        variance = np.square(scores).mean(0)
        kept = variance > _LEAST * variance.sum()
        self._sites, self._mean = H.sites, (self._ploidy * frequency).astype(np.float32)
        self._vectors = np.ascontiguousarray(vectors[:, kept].T, np.float32)
        padded = np.zeros(-(-int(kept.sum()) // CHANNELS) * CHANNELS, np.float32)
        padded[: kept.sum()] = variance[kept]
        self._variance = padded.reshape(-1, CHANNELS)
        return self

    def _leading(
        self, H: HaplotypeMatrix, frequency: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """float64 (num_sites, k) orthonormal components, and (n, k) centred scores."""
        ploidy = self._ploidy
        n = H.num_haplotypes // ploidy
        size, k = min(H.num_sites, n), min(self.components, H.num_sites, n - 1)
        of_sites = H.num_sites <= n
        rough, fine = (CentredProducts(H, frequency, terms=terms) for terms in (1, 2))

        def scores(columns: NDArray[np.float64], data: CentredProducts) -> NDArray[np.float64]:
            return data.scores(columns).reshape(n, ploidy, -1).sum(1)

        def loadings(rows: NDArray[np.float64], data: CentredProducts) -> NDArray[np.float64]:
            return data.loadings(np.repeat(rows, ploidy, axis=0))

        def square_times(columns: NDArray[np.float64]) -> NDArray[np.float64]:
            if of_sites:
                return loadings(scores(columns, rough), rough)
            return scores(loadings(columns, rough), rough)

        if size <= _DENSE and of_sites:
            planes = [np.ascontiguousarray(plane) for plane in planes_of(H, self.unit)]
            products, sums = products_of_sites(planes, size)
            vectors = _leading_vectors(products - np.outer(sums, sums) / n, k)
        elif size <= _DENSE:
            vectors = _leading_vectors(gram_matrix(H).reshape(n, ploidy, n, ploidy).sum((1, 3)), k)
        else:
            rng = np.random.Generator(philox(0, Stream.PCA_START))
            basis = rng.standard_normal((size, min(k + _MORE_COLUMNS, size)))
            for _ in range(_PASSES):
                basis = np.linalg.qr(square_times(basis))[0]
            vectors = basis @ _leading_vectors(basis.T @ square_times(basis), k)
        if not of_sites:
            vectors = np.linalg.qr(loadings(vectors, fine))[0]
        vectors = positive_signs(vectors)
        return vectors, scores(vectors, fine)

    def _encode(self, planes: list[NDArray[np.uint64]]) -> Floats:
        k, n = len(self._vectors), len(planes[0])
        found = np.zeros((n, self._variance.size), np.float32)
        scale = (1 / np.sqrt(self._variance.ravel()[:k]))[:, None]

        def encode(first: int) -> None:
            rows = slice(first, first + TILE)
            total = np.zeros((1, TILE, k), np.float32)
            for block in self._blocks():
                truth = tiled(dense_sites([plane[rows] for plane in planes], self._block_sites(block)))
                total += (truth - self._mean[slice(*block)]) @ (self._vectors[:, slice(*block)] * scale).T
            found[rows, :k] = untiled(total, min(TILE, n - first))

        in_threads(encode, list(range(0, n, TILE)))
        return found.reshape(n, *self._variance.shape)

    def _blocks(self, rows: int = TILE) -> list[Block]:
        num_sites, step = len(self._mean), sites_at_once(rows)
        return [(first, min(first + step, num_sites)) for first in range(0, num_sites, step)]

    def _block_sites(self, block: Block) -> Index:
        return np.arange(*block)

    def _block_values(self, block: Block, E: Floats) -> Floats:
        values = self._scaled(tiled(E)) @ self._vectors[:, slice(*block)]
        return untiled(values + self._mean[slice(*block)], len(E))

    def scores(self, H: HaplotypeMatrix) -> Floats:
        """Coordinates on the components, not standardised, float32 (rows, components); ValueError as `encode`."""
        return self._scaled(self.encode(H))

    def _scaled(self, E: Floats) -> Floats:
        """Scores (..., components) of coordinates (..., positions, channels)."""
        k = len(self._vectors)
        return E.reshape(*E.shape[:-2], self._variance.size)[..., :k] * np.sqrt(self._variance.ravel()[:k])

    def tensors(self) -> _store.Tensors:
        return {**super().tensors(), "vectors": self._vectors}

    @classmethod
    def from_parts(cls, settings: dict[str, Any], tensors: _store.Tensors, sites: Sites) -> Self:
        own = cls(**{name: settings[name] for name in ("components", "unit")})
        own._restore(tensors, sites)
        _store.check_tensors(tensors, {"vectors": ((int(own.mask.sum()), len(sites)), np.float32)})
        own._vectors = tensors["vectors"]
        return own


def _leading_vectors(square: NDArray[np.float64], k: int) -> NDArray[np.float64]:
    """The k eigenvectors (columns) of greatest eigenvalue of a matrix that is symmetric but for rounding."""
    return np.linalg.eigh((square + square.T) / 2)[1][:, ::-1][:, :k]


_CLASSES: dict[str, type[PCAEmbedding]] = {kind.name: kind for kind in (GenewisePCA, CohortPCA)}


def restore(settings: dict[str, Any], tensors: _store.Tensors, sites: Sites) -> PCAEmbedding:
    """The embedding whose `settings` and `tensors` (others beside them are left alone) these are.

    Raises
    ------
    KeyError, TypeError, ValueError
        They are not those of an embedding of these sites.
    """
    kind = settings["embedding"]
    if kind not in _CLASSES:
        raise ValueError(f"embedding: expected one of {', '.join(_CLASSES)}, found {kind!r}")
    return _CLASSES[kind].from_parts(settings, tensors, sites)


def load(folder: str | os.PathLike[str]) -> PCAEmbedding:
    """An embedding from the folder that its `save` wrote; checksums are verified, nothing is executed.

    Raises
    ------
    FileNotFoundError
        No such folder.
    FormatError, ChecksumError
        No embedding in it, or a damaged one.
    """
    path = Path(folder)
    description, tensors = _store.read_model(path)
    try:
        return restore(description["settings"], tensors, _store.sites_from_tensors(tensors))
    except (KeyError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {error}"
        raise FormatError(path / _store.DESCRIPTION, "the parts of an embedding", found) from None

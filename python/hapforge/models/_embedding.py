"""What embeddings by principal components share: alleles from real values, thresholds, errors, a folder on disk."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from hapforge import _backend, kernels
from hapforge.haplotypes import HaplotypeMatrix, Samples, Sites, same_records, words_per_row
from hapforge.models import _store

CHANNELS = 8
TILE = 256
"""Rows of every matrix product, the last ones filled up with zeros.

A sum of products of floats may come out otherwise for another number of rows. So a row's result does not depend on
the rows beside it.
"""
_MOST_THREADS = 16  # each has some ten megabytes
_BLOCK_VALUES, _MOST_BLOCK_SITES = 5 << 20, 8192
_SAME = 1e-5  # of values: nearer ones may be those of rows that are alike, but for rounding

Floats = NDArray[np.float32]
Index = NDArray[np.int64]
Unit = Literal["haplotype", "person"]
Block = tuple[int, int]
"""First and one past the last gene, or site."""


@dataclass(frozen=True)
class ReconstructionErrors:
    """Alleles that decode(encode(H)) gets wrong.

    Attributes
    ----------
    overall : float, wrong alleles over all alleles
    of_minor : float, wrong alleles over minor alleles (those that are the rarer ones at their site in H): 1 is what a
        reconstruction by the commonest allele of every site gets wrong; NaN where H has none
    per_site : float64 (num_sites,), wrong alleles over alleles of the site
    per_gene : float64 (positions,), wrong alleles over alleles of the sites of each position; None where all positions
        stand for all sites
    """

    overall: float
    of_minor: float
    per_site: NDArray[np.float64]
    per_gene: NDArray[np.float64] | None = None


class PCAEmbedding(ABC):
    """Real coordinates of haplotypes or persons from which alleles are had back.

    A row is a haplotype (values 0 and 1) or a person (genotypes 0, 1 and 2, whatever their phase). Coordinates are
    standardised scores of principal components: mean 0 and variance 1 over the training rows each. Coming back, the
    expected value of every site is compared with thresholds of the site, one (two for genotypes), at which as many of
    the training rows' own reconstructions are above it as there are training rows with this allele (or genotype); where
    reconstructions of rows are alike, as near to it as can be, fewer where two are as near.

    Attributes
    ----------
    shape : (positions, channels)
    mask : bool (positions, channels), False where a coordinate is padding: 0 in `encode`, not looked at by `values`
        and `decode`
    unit : "haplotype" or "person"
    sites : Sites, of the training rows
    """

    name: ClassVar[str]

    def __init__(self, unit: Unit) -> None:
        if unit not in ("haplotype", "person"):
            raise ValueError(f"unit: expected 'haplotype' or 'person', found {unit!r}")
        self.unit: Unit = unit
        self._sites: Sites | None = None
        self._variance: Floats = np.zeros((0, CHANNELS), np.float32)  # of components, (positions, channels); 0: padding
        self._mean: Floats = np.zeros(0, np.float32)  # (num_sites,)
        self._thresholds: Floats = np.zeros((self._ploidy, 0), np.float32)  # (ploidy, num_sites)

    @property
    def _ploidy(self) -> int:
        return 1 if self.unit == "haplotype" else 2

    @property
    def sites(self) -> Sites:
        """The sites of the training rows. ValueError before `fit`."""
        if self._sites is None:
            raise ValueError(f"{type(self).__name__}: expected a fitted embedding, found none: call fit first")
        return self._sites

    @property
    def shape(self) -> tuple[int, int]:
        """(positions, channels). ValueError before `fit`."""
        assert self.sites is not None
        return len(self._variance), CHANNELS

    @property
    def mask(self) -> NDArray[np.bool_]:
        """bool (positions, channels): False where a coordinate is padding. ValueError before `fit`."""
        assert self.sites is not None
        return self._variance > 0

    @property
    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """What was chosen, as plain values, with the name of the embedding under "embedding"."""

    @abstractmethod
    def fit(self, H: HaplotypeMatrix) -> Self:
        """Learn components and thresholds from training rows; returns the embedding itself."""

    def encode(self, H: HaplotypeMatrix) -> Floats:
        """Standardised coordinates of haplotypes, or of persons.

        Parameters
        ----------
        H : HaplotypeMatrix of the sites that the embedding was fitted to; blocks of it (`iter_row_blocks`) where not
            all coordinates fit into memory: a row's do not depend on the others

        Returns
        -------
        float32 (n, positions, channels), 0 where `mask` is False

        Raises
        ------
        ValueError
            Not fitted, other sites, persons who are not rows 2i and 2i + 1.
        """
        return self._encode(self._planes(H))

    @abstractmethod
    def _blocks(self, rows: int = TILE) -> list[Block]:
        """What `_block_sites` and `_block_values` take, every site in one; of sites that so many rows can be dense at.

        Where a value depends on its block, by rounding, that is always one for `TILE` rows.
        """

    @abstractmethod
    def _block_sites(self, block: Block) -> Index:
        """Indices of the sites of a block."""

    @abstractmethod
    def _block_values(self, block: Block, E: Floats) -> Floats:
        """Values of the sites of a block, float32 (n, sites of the block), from E (n, positions, channels)."""

    def values(self, E: NDArray[np.floating[Any]]) -> Floats:
        """The expected allele (genotype, where a row is a person) of every site, before thresholds.

        Parameters
        ----------
        E : float32 (n, positions, channels), coordinates; padding is not looked at

        Returns
        -------
        float32 (n, num_sites); not bounded by the alleles
        """
        E = self._checked(E)
        found = np.empty((len(E), len(self.sites)), np.float32)

        for first in range(0, len(E), TILE):
            rows = E[first : first + TILE]

            def fill(block: Block, rows: Floats = rows, found: Floats = found[first : first + TILE]) -> None:
                found[:, slice_of(self._block_sites(block))] = self._block_values(block, rows)

            in_threads(fill, self._blocks())
        return found

    def decode(self, E: NDArray[np.floating[Any]]) -> HaplotypeMatrix:
        """Haplotypes of coordinates: `values`, and thresholds of the sites.

        Parameters
        ----------
        E : float32 (n, positions, channels), coordinates; padding is not looked at

        Returns
        -------
        HaplotypeMatrix of the sites of the training rows: n haplotypes, or 2 n, two for each person, who are not
        phased: REF comes first at heterozygous sites
        """
        E = self._checked(E)
        ploidy, num_sites = self._ploidy, len(self.sites)
        words = np.empty((ploidy * len(E), words_per_row(num_sites)), np.uint64)
        for first in range(0, len(E), TILE):
            rows = E[first : first + TILE]
            alleles = np.empty((len(rows), ploidy, num_sites), np.uint8)

            def fill(block: Block, rows: Floats = rows, alleles: NDArray[np.uint8] = alleles) -> None:
                index = slice_of(self._block_sites(block))
                values = self._block_values(block, rows)
                for copy in range(ploidy):  # of genotypes the second allele is ALT where any is
                    alleles[:, copy, index] = values > self._thresholds[ploidy - 1 - copy, index]

            in_threads(fill, self._blocks())
            packed = _backend.pack(alleles.reshape(-1, num_sites))
            words[ploidy * first : ploidy * first + len(packed)] = packed
        n = len(words)
        samples = Samples(n, phased=np.zeros(len(E), bool)) if ploidy == 2 else Samples(n)
        return HaplotypeMatrix(words, self.sites, samples)

    def errors(self, H: HaplotypeMatrix) -> ReconstructionErrors:
        """How many alleles of H its own reconstruction, decode(encode(H)), gets wrong.

        Where a row is a person the difference of genotypes is counted, whatever their phase.

        Raises
        ------
        ValueError
            Other sites than those of the training rows, no rows, persons who are not rows 2i and 2i + 1.
        """
        planes = self._planes(H)
        if not len(planes[0]):
            raise ValueError("H: expected at least one row, found none")
        wrong, carriers = self._wrong(planes)
        alleles = self._ploidy * len(planes[0])
        minor = np.minimum(carriers, alleles - carriers).sum()
        return ReconstructionErrors(
            float(wrong.sum() / (alleles * len(wrong))),
            float(wrong.sum() / minor) if minor else np.nan,
            wrong / alleles,
            self._per_gene(wrong / alleles),
        )

    def _wrong(self, planes: list[NDArray[np.uint64]]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """By site: alleles that come back wrong, and ALT alleles there are, int64 (num_sites,)."""
        wrong, carriers = np.zeros(len(self.sites), np.int64), np.zeros(len(self.sites), np.int64)
        for first in range(0, len(planes[0]), TILE):
            part = [plane[first : first + TILE] for plane in planes]
            E = self._encode(part)

            def count(block: Block, part: list[NDArray[np.uint64]] = part, E: Floats = E) -> None:
                index = self._block_sites(block)
                truth, values = dense_sites(part, index).astype(np.int8), self._block_values(block, E)
                found = (values[None] > self._thresholds[:, None, index]).sum(0, dtype=np.int8)
                wrong[index] += np.abs(found - truth).sum(0, dtype=np.int64)
                carriers[index] += truth.sum(0, dtype=np.int64)

            in_threads(count, self._blocks())
        return wrong, carriers

    def _per_gene(self, per_site: NDArray[np.float64]) -> NDArray[np.float64] | None:
        return None

    @abstractmethod
    def _encode(self, planes: list[NDArray[np.uint64]]) -> Floats:
        """What `encode` returns, from packed rows that add up to values."""

    def _planes(self, H: HaplotypeMatrix) -> list[NDArray[np.uint64]]:
        """Packed rows that add up to values, after a check of the sites."""
        sites = self.sites
        if len(H.sites) != len(sites) or not same_records(H.sites, sites):
            raise ValueError(
                f"H: expected the {len(sites)} sites that the embedding was fitted to, found {len(H.sites)} others"
            )
        return planes_of(H, self.unit)

    def _checked(self, E: NDArray[np.floating[Any]]) -> Floats:
        E = np.asarray(E)
        if E.ndim != 3 or E.shape[1:] != self.shape:
            raise ValueError(f"E: expected shape (n, {self.shape[0]}, {self.shape[1]}), found {E.shape}")
        if E.dtype.kind != "f":
            raise TypeError(f"E: expected float32, found {E.dtype}")
        return E.astype(np.float32, copy=False)

    # -- parts ---------------------------------------------------------------------------------------------------------

    def tensors(self) -> _store.Tensors:
        """What `fit` has learnt, by name; with `settings` and the sites all that `from_parts` needs."""
        assert self.sites is not None
        return {"mean": self._mean, "variance": self._variance, "thresholds": self._thresholds}

    @classmethod
    @abstractmethod
    def from_parts(cls, settings: dict[str, Any], tensors: _store.Tensors, sites: Sites) -> Self:
        """The embedding whose `settings` and `tensors` (others beside them are left alone) these are.

        Raises
        ------
        KeyError, TypeError, ValueError
            They are not those of an embedding of these sites.
        """

    def _restore(self, tensors: _store.Tensors, sites: Sites) -> None:
        L = len(sites)
        positions = len(tensors["variance"])
        _store.check_tensors(tensors, {"mean": ((L,), np.float32), "variance": ((positions, CHANNELS), np.float32)})
        thresholds = tensors["thresholds"]
        if thresholds.shape != (self._ploidy, L) or thresholds.dtype != np.float32 or np.isnan(thresholds).any():
            raise ValueError(
                f"thresholds: expected float32 {self._ploidy, L}, found {thresholds.dtype} {thresholds.shape}"
            )
        if (tensors["variance"] < 0).any():
            raise ValueError("variance: expected 0 or more, found less")
        self._mean, self._variance, self._thresholds = tensors["mean"], tensors["variance"], thresholds
        self._sites = sites

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the embedding, whole or not at all; one that is there is replaced. `embedding.load` reads it.

        Raises
        ------
        ValueError
            Not fitted, or the folder holds something else.
        OSError
            No room for it; what is there stays.
        """
        tensors = {**_store.sites_to_tensors(self.sites), **self.tensors()}
        described = {"model": self.name, "hapforge": version("hapforge"), "settings": self.settings}
        _store.write_model(Path(folder), described, tensors, overwrite=False)


def planes_of(H: HaplotypeMatrix, unit: Unit) -> list[NDArray[np.uint64]]:
    """Packed rows whose sum are the values of rows: those of haplotypes, or those of both haplotypes of persons."""
    if unit == "haplotype":
        return [H.words]
    if H.num_haplotypes % 2 or not np.array_equal(H.samples.person, np.arange(H.num_haplotypes) // 2):
        raise ValueError("H: expected two haplotypes of every person, one after the other, found others (unit=person)")
    return [H.words[0::2], H.words[1::2]]


def packed_sites(plane: NDArray[np.uint64], index: Index) -> NDArray[np.uint64]:
    """Packed rows of the sites `index`, in this order; only the words that have some of them are looked at."""
    low, high = int(index.min()) // 64, int(index.max()) // 64 + 1
    part = np.ascontiguousarray(plane[:, low:high])
    return _backend.select_sites(part, 64 * (high - low), index - 64 * low, threads=1)


def dense_sites(planes: list[NDArray[np.uint64]], index: Index) -> NDArray[np.uint8]:
    """uint8 (n, len(index)): values of rows at these sites."""
    first, *more = (_backend.unpack(packed_sites(plane, index), len(index), threads=1) for plane in planes)
    for other in more:
        first += other
    return first


def dense_by_site(planes: list[NDArray[np.uint64]], index: Index) -> Floats:
    """float32 (len(index), n): values of rows at these sites, a row for each site."""
    found = np.zeros((len(index), len(planes[0])), np.float32)
    for plane in planes:
        lanes = _backend.transpose(packed_sites(plane, index), len(index), threads=1)
        found += _backend.unpack(lanes, found.shape[1], threads=1)
    return found


def products_of_sites(packed: list[NDArray[np.uint64]], num_sites: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Sums over rows of x_i x_j, int64 (num_sites, num_sites), and of x_i, of values that the packed rows add up to."""
    parts = len(packed)
    side_by_side = packed[0] if parts == 1 else _backend.concat_sites(packed, [num_sites] * parts, 1)
    counts = kernels.joint_counts((side_by_side, num_sites * parts), threads=1)
    sums = counts.diagonal().reshape(parts, num_sites).sum(0)
    return counts.reshape(parts, num_sites, parts, num_sites).sum((0, 2)), sums


def tiled(rows: NDArray[Any]) -> Floats:
    """float32 (tiles, TILE, ...): rows, and zeros behind the last."""
    tiles = -(-len(rows) // TILE)
    found = np.zeros((tiles * TILE, *rows.shape[1:]), np.float32)
    found[: len(rows)] = rows
    return found.reshape(tiles, TILE, *rows.shape[1:])


def untiled(tiles: Floats, n: int) -> Floats:
    """float32 (n, ...): the first n rows."""
    return tiles.reshape(-1, *tiles.shape[2:])[:n]


def level_counts(planes: list[NDArray[np.uint64]], index: Index) -> NDArray[np.int64]:
    """int64 (ploidy, len(index)): rows with a value of 1 or more at a site, and, for genotypes, of 2."""
    packed = [packed_sites(plane, index) for plane in planes]
    if len(packed) == 2:
        packed = [packed[0] | packed[1], packed[0] & packed[1]]
    return np.stack([_backend.allele_counts(words, len(index), 1) for words in packed])


def calibrated_thresholds(values: Floats, counts: NDArray[np.int64]) -> Floats:
    """Thresholds of sites above which there are as many values as there are alleles, or genotypes.

    Parameters
    ----------
    values : float32 (sites, n), reconstructions; they are sorted in place
    counts : int64 (levels, sites), how many values belong above each level

    Returns
    -------
    float32 (levels, sites), half-way between the values on both sides; -inf and inf where all values or none are
    above. Values nearer than 1e-5 stay on one side: that where the number is nearer to the count, below if both are.
    """
    num_sites, n = values.shape
    values.sort(axis=1)
    columns = np.arange(num_sites)
    found = np.empty(counts.shape, np.float32)
    for level, cut in enumerate(n - counts):  # values below the threshold
        inside = np.flatnonzero((cut > 0) & (cut < n))
        tied = inside[values[inside, cut[inside]] - values[inside, cut[inside] - 1] <= _SAME]
        if len(tied):
            near, value = values[tied], values[tied, cut[tied]][:, None]
            fewest, most = (near < value - _SAME).sum(1), (near <= value + _SAME).sum(1)
            cut[tied] = np.where(cut[tied] - fewest < most - cut[tied], fewest, most)
        below = np.where(cut > 0, values[columns, np.maximum(cut - 1, 0)], -np.inf)
        above = np.where(cut < n, values[columns, np.minimum(cut, n - 1)], np.inf)
        with np.errstate(invalid="ignore"):
            found[level] = np.where(cut == 0, -np.inf, np.where(cut == n, np.inf, below + (above - below) / 2))
    return found


def positive_signs(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    """Columns whose first entry that is (within 1e-6 of) the greatest in size is positive."""
    size = np.abs(vectors)
    top = (size >= (1 - 1e-6) * size.max(axis=0)).argmax(axis=0)
    return vectors * np.where(vectors[top, np.arange(vectors.shape[1])] < 0, -1.0, 1.0)


def sites_at_once(rows: int) -> int:
    """Sites of a block whose values are dense for so many rows."""
    return min(max(_BLOCK_VALUES // max(rows, 1), 1), _MOST_BLOCK_SITES)


def slice_of(index: Index) -> slice | Index:
    """A slice where ascending indices follow each other, which is faster; else the indices."""
    if index[-1] - index[0] + 1 == len(index) and (np.diff(index) == 1).all():
        return slice(int(index[0]), int(index[-1]) + 1)
    return index


def in_threads(work: Callable[[Any], None], blocks: list[Any]) -> None:
    """work(block) of all blocks on the thread budget, linear algebra on one thread each."""
    with _backend.one_blas_thread():
        _backend.map_threads(work, blocks, _MOST_THREADS)

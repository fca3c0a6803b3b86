"""To and from what other libraries hold in memory: scikit-allel, torch, tskit, sgkit.

Each library is imported where it is used. Dense NumPy arrays are `HaplotypeMatrix.from_dense` and
`HaplotypeMatrix.to_dense`.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from hapforge import _backend
from hapforge.errors import FormatError, MissingDependencyError
from hapforge.haplotypes import UNKNOWN_ALLELE, HaplotypeMatrix, Samples, Sites
from hapforge.io import diploid, trees, vcz
from hapforge.io.records import Cohort, Policy
from hapforge.io.selection import Region, check_maf, wanted_ids

__all__ = ["from_allel", "from_torch", "from_tree_sequence", "from_xarray", "to_allel", "to_torch", "to_xarray"]

_DATASET = "dataset"
_TREES = "tree sequence"
_SITES = 1024  # that are taken from a dataset at once


def from_allel(array: Any, **arguments: Any) -> HaplotypeMatrix:
    """Of scikit-allel's HaplotypeArray, or any array with a row for each site.

    Parameters
    ----------
    array : HaplotypeArray, integers (sites, haplotypes) of 0 and 1
    arguments : positions, contig, ids, ... of `HaplotypeMatrix.from_dense`

    Raises
    ------
    ValueError, TypeError
        As `HaplotypeMatrix.from_dense`; missing alleles (-1) and second ALT alleles (2) are values other than 0 and 1.
    """
    values = np.asarray(array)
    if values.ndim != 2:
        found = f"{values.ndim} dimensions; genotypes: .to_haplotypes()" if values.ndim == 3 else f"{values.ndim}"
        raise ValueError(f"array: expected a matrix (sites x haplotypes), found {found}")
    return HaplotypeMatrix.from_dense(values.T, **arguments)


def to_allel(matrix: HaplotypeMatrix) -> Any:
    """scikit-allel's HaplotypeArray, int8 (sites, haplotypes): eight times the packed size."""
    try:
        import allel
    except ImportError:
        raise MissingDependencyError("scikit-allel", "interop") from None
    words = _backend.transpose(matrix.words, matrix.num_sites)
    return allel.HaplotypeArray(_backend.unpack(words, matrix.num_haplotypes).view(np.int8), copy=False)


def from_torch(tensor: Any, sites: Sites | None = None, samples: Samples | None = None) -> HaplotypeMatrix:
    """Of a tensor on the host, dense or packed.

    Parameters
    ----------
    tensor : bool, int8 or uint8 (num_haplotypes, num_sites) of 0 and 1; or torch.uint64 (num_haplotypes,
        words_per_row), words as of `HaplotypeMatrix.words`, which are shared and not copied: do not change them
    sites : needed for words; by default positions are a count
    samples : by default, rows 2i and 2i + 1 are one person

    Raises
    ------
    ValueError, TypeError
        A tensor on a device or with gradients, values other than 0 and 1, shapes that don't fit, set padding bits.
    """
    if tensor.device.type != "cpu" or tensor.requires_grad:
        raise ValueError(f"tensor: expected one on the host without gradients, found one on {tensor.device}")
    values: np.ndarray[Any, Any] = np.from_dlpack(tensor)
    if values.dtype != np.uint64:
        dense = HaplotypeMatrix.from_dense(values)
        sites = dense.sites if sites is None else sites
        return HaplotypeMatrix(dense.words, sites, samples)
    if sites is None:
        raise ValueError("sites: expected Sites for packed words, whose number of sites is not known, found none")
    return HaplotypeMatrix(values, sites, samples)


def to_torch(matrix: HaplotypeMatrix, *, packed: bool = False) -> Any:
    """A tensor on the host: uint8 (num_haplotypes, num_sites) of 0 and 1, or the words themselves.

    Parameters
    ----------
    packed : torch.uint64 (num_haplotypes, words_per_row), which shares the matrix's memory: do not change it.
        Kernels take it as ``(words, num_sites)``

    Returns
    -------
    torch.Tensor
    """
    try:
        from torch.utils.dlpack import from_dlpack
    except ImportError:
        raise MissingDependencyError("torch", "train") from None
    return from_dlpack(matrix.words if packed else matrix.to_dense())


def from_tree_sequence(
    tree_sequence: Any,
    *,
    contig: str = "1",
    offset: int = 1,
    region: str | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | Mapping[str, str] | None = None,
) -> HaplotypeMatrix:
    """Of a tree sequence of tskit in memory; see `hapforge.io.trees` for persons and alleles.

    Parameters
    ----------
    tree_sequence : tskit.TreeSequence
    contig : of all sites
    offset : what is added to tskit's positions, which count from 0; 0 where they were taken from VCF as they are
    region, samples, maf, policy : as of `hapforge.read`

    Raises
    ------
    FormatError
        Positions that are no integers; alleles of another kind than the policy takes; nothing left to take.

    Warns
    -----
    UserWarning
        What was left out or changed by a mapping `policy`.
    """
    check_maf(maf)
    rules = Policy.of(policy)
    matrix = trees.from_tree_sequence(
        tree_sequence,
        _TREES,
        contig=contig,
        offset=offset,
        region=None if region is None else Region.parse(region),
        samples=None if samples is None else wanted_ids(samples),
        maf=maf,
        policy=rules,
    )
    _say(_TREES, rules, policy)
    return matrix


def from_xarray(
    dataset: Any,
    *,
    region: str | None = None,
    samples: Sequence[str] | None = None,
    maf: float | None = None,
    policy: Policy | Mapping[str, str] | None = None,
) -> HaplotypeMatrix:
    """Of a dataset with sgkit's variables, 1024 sites at a time (dask arrays are computed as they come).

    Parameters
    ----------
    dataset : xarray.Dataset with ``call_genotype`` (variants, samples, ploidy), ``variant_position``,
        ``variant_contig``, ``contig_id`` (or the attribute ``contigs``), ``variant_allele`` and ``sample_id``; where
        they are there, ``call_genotype_phased`` (without it nothing is phased), ``variant_id`` and its mask
    region, samples, maf, policy : as of `hapforge.read`

    Raises
    ------
    FormatError
        A variable that is not there or does not fit the others; calls and alleles of another kind than the policy
        takes; nothing left to take.

    Warns
    -----
    UserWarning
        What was left out or changed by a mapping `policy`.
    """
    check_maf(maf)
    rules = Policy.of(policy)
    genotypes = _variable(dataset, "call_genotype", 3, "iu")
    num_sites, num_persons, _ = genotypes.shape
    contigs = dataset["contig_id"].values if "contig_id" in dataset else dataset.attrs.get("contigs", [])
    by_site = {
        name: _variable(dataset, name, dimensions, kinds, num_sites)
        for name, dimensions, kinds in (
            ("variant_contig", 1, "iu"),
            ("variant_position", 1, "iu"),
            ("variant_allele", 2, "TUSO"),
            ("variant_id", 1, "TUSO"),
            ("variant_id_mask", 1, "b"),
            ("call_genotype_phased", 2, "b"),
        )
        if name in dataset or name in ("variant_contig", "variant_position", "variant_allele")
    }
    names = vcz.names_of(_DATASET, _variable(dataset, "sample_id", 1, "TUSO", num_persons).values)
    contigs = vcz.names_of(_DATASET, contigs)
    known = dataset["variant_position"].attrs.get("hapforge_positions") != "unknown"
    cohort = Cohort(
        _DATASET,
        names,
        region=None if region is None else Region.parse(region),
        samples=None if samples is None else wanted_ids(samples),
        maf=maf,
        policy=rules,
        position_known=known,
    )
    for start in range(0, num_sites, _SITES):
        span = slice(start, start + _SITES)
        columns = {name: variable[span].values for name, variable in by_site.items() if name[:4] != "call"}
        block = vcz.block_of(
            _DATASET,
            contigs,
            columns["variant_contig"],
            columns["variant_position"],
            columns["variant_allele"],
            columns.get("variant_id"),
            columns.get("variant_id_mask"),
        )
        if len(kept := cohort.wanted(block)):
            calls = genotypes[span].values
            phased = by_site["call_genotype_phased"][span].values if "call_genotype_phased" in by_site else None
            vcz.add_calls(cohort, block, kept, [(calls, np.zeros(calls.shape[:2], bool) if phased is None else phased)])
    matrix = cohort.matrix()
    _say(_DATASET, rules, policy)
    return matrix


def _variable(dataset: Any, name: str, dimensions: int, kinds: str, length: int | None = None) -> Any:
    if name not in dataset:
        raise FormatError(_DATASET, f"the variable {name}", "none")
    variable = dataset[name]
    if (
        variable.ndim != dimensions
        or variable.dtype.kind not in kinds
        or (length is not None and variable.shape[0] != length)
    ):
        found = f"{variable.dtype} {variable.shape}"
        raise FormatError(_DATASET, f"{name} of {dimensions} dimensions that fits call_genotype", found)
    return variable


def _say(name: str, rules: Policy, policy: Policy | Mapping[str, str] | None) -> None:
    if rules is not policy and (changed := rules.summary()):
        warnings.warn(f"{name}: {changed}", stacklevel=3)


def to_xarray(matrix: HaplotypeMatrix) -> Any:
    """An xarray dataset with sgkit's variables and dimensions, in memory: about 32 bytes for a byte of packed bits.

    Raises
    ------
    ValueError
        Not two rows for each person, side by side; no sites or no haplotypes; aligned sequences.

    Warns
    -----
    UserWarning
        Labels and haplotype ids, which have no place there.
    """
    try:
        import xarray
    except ImportError:
        raise MissingDependencyError("xarray", "interop") from None
    diploid.check_haplotypes(matrix.sites, _DATASET, "a dataset")
    persons = diploid.person_ids(matrix, _DATASET, "a dataset")
    rows = list(diploid.site_columns(matrix.sites, _DATASET, "a dataset"))
    diploid.warn_of_losses(matrix, _DATASET, "a dataset", list(matrix.samples.labels), counted=True)
    blocks = matrix.sites.contig_blocks()
    words = _backend.transpose(matrix.words, matrix.num_sites)
    genotypes = _backend.unpack(words, matrix.num_haplotypes).view(np.int8).reshape(matrix.num_sites, -1, 2)
    phased = np.repeat(matrix.samples.phased[None], matrix.num_sites, axis=0)
    ids = np.array([row[2] for row in rows], "O")
    mark = {} if matrix.sites.position_known else {"hapforge_positions": "unknown"}
    number = np.repeat(np.arange(len(blocks), dtype=np.int32), [stop - start for _, start, stop in blocks])
    calls = ("variants", "samples", "ploidy")
    return xarray.Dataset(
        {
            "contig_id": ("contigs", np.array([name for name, _, _ in blocks], "O")),
            "variant_contig": ("variants", number),
            "variant_position": ("variants", matrix.sites.position.astype(np.int32), mark),
            "variant_id": ("variants", ids),
            "variant_id_mask": ("variants", ids == UNKNOWN_ALLELE),
            "variant_allele": (("variants", "alleles"), np.array([row[3:] for row in rows], "O")),
            "sample_id": ("samples", np.array(persons, "O")),
            "call_genotype": (calls, genotypes),
            "call_genotype_mask": (calls, np.zeros(genotypes.shape, bool)),
            "call_genotype_phased": (calls[:2], phased),
        },
        {"source": "hapforge"},
    )

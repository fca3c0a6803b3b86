"""A whole file of every kind that hapforge reads, and who reads it slowly and strictly."""

from __future__ import annotations

import gzip
import shutil
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from damage import bgzf
from numcodecs import zstd
from test_odd_vcf import as_bcf, random_vcf

import hapforge as hf
from reference import cohorts, containers, odd_vcf, tables

zarr = pytest.importorskip("zarr")  # here, for a forked child has not much time and memory
msprime = pytest.importorskip("msprime")
SITE = ("contig", "position", "id", "ref", "alt")

Content = dict[str, Any]
Choices = Mapping[str, str]  # of a policy
Reader = Callable[[Path, Choices], Content]


def cohort(rng: np.random.Generator, num_persons: int = 10) -> hf.HaplotypeMatrix:
    """Persons and 40 sites on two contigs."""
    dense = rng.integers(0, 2, (2 * num_persons, 40), dtype=np.uint8) * (rng.random(40) < 0.7)
    dense[:, 20:30] = dense[:, 10:20] ^ (rng.random((2 * num_persons, 10)) < 0.05)  # so that PGEN writes differences
    return hf.HaplotypeMatrix.from_dense(
        dense,
        positions=[*range(100, 300, 10), *range(50, 250, 10)],
        contig=["1"] * 20 + ["2"] * 20,
        ids=[f"rs{j}" for j in range(40)],
        ref=["A"] * 40,
        alt=["C", "GT", "T", "G"] * 10,
        sample_ids=[f"P{i}" for i in range(num_persons)],
        labels={"population": ["GBR"] * (num_persons // 2) + ["YRI"] * (num_persons - num_persons // 2)},
    )


def content(path: Path, choices: Choices) -> Content:
    """What hapforge reads."""
    policy = hf.io.Policy(choices)
    matrix = hf.read(path, policy=policy)
    samples, dense = matrix.samples, matrix.to_dense()
    return {
        "sites": list(zip(*(getattr(matrix.sites, name).tolist() for name in SITE), strict=True)),
        "samples": samples.sample_id.tolist(),
        "haplotypes": samples.haplotype_id.tolist(),
        "phased": samples.phased.tolist(),
        "values": dense.T.tolist(),
        "labels": {name: values.tolist() for name, values in samples.labels.items()},
        "observed": (np.ones_like(dense) if policy.observed is None else policy.observed.to_dense()).T.tolist(),
        "changes": policy.changes,
    }


def sequences(path: Path, choices: Choices) -> Content:
    """What hapforge reads of aligned sequences."""
    alignment = hf.Alignment.from_haplotypes(hf.read(path))
    return {"names": alignment.names.tolist(), "sequences": list(alignment.sequences())}


def points(path: Path, choices: Choices) -> Content:
    """What hapforge reads of a genetic map."""
    found = hf.io.read_genetic_map(path).points
    return {name: list(zip(*(values.tolist() for values in pair), strict=True)) for name, pair in found.items()}


# ------------------------------------------------------------------------------------------------ slow strict readers


def of_vcf(path: Path, choices: Choices) -> Content:
    """VCF or BCF, packed or not."""
    try:
        found = odd_vcf.read(containers.content(path.read_bytes()), choices)
    except (odd_vcf.Damaged, odd_vcf.Refused) as error:
        raise ValueError(str(error)) from None
    if not found["position"]:
        raise ValueError("no site")
    return {
        "sites": list(zip(*(found[name] for name in SITE), strict=True)),
        "samples": [name for name in found["names"] for _ in range(2)],
        "values": found["calls"],
        "phased": found["phased"],
        "observed": found["observed"],
        "changes": found["changes"],
    }


def alone(reader: Callable[[Path], Content]) -> Reader:
    """A reader that knows of no policy."""
    return lambda path, choices: reader(path)


def of_tables(reader: Callable[[Path, str], tables.Cohort]) -> Reader:
    """The files that stand beside each other."""

    def read(path: Path, choices: Choices) -> Content:
        sites, ids, values = reader(path.parent, "x")
        known = [(*site[:3], *((".", ".") if site[3:] == ("N", "<ALT>") else site[3:])) for site in sites]
        return {"sites": known, "samples": [name for name in ids for _ in range(2)], "values": values}

    return read


# ------------------------------------------------------------------------------------------------------- whole files


def write(path: Path, rng: np.random.Generator) -> None:
    """As hapforge writes it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        hf.write(cohort(rng), path)


def write_bgzf(path: Path, rng: np.random.Generator) -> None:
    """With several blocks in each block gzip file."""
    write(path, rng)
    for place in list(path.parent.iterdir()):
        if place.suffix in (".gz", ".bcf"):
            place.write_bytes(bgzf(gzip.decompress(place.read_bytes())))
        elif place.suffix in (".csi", ".tbi"):
            place.unlink()


def write_odd(path: Path, rng: np.random.Generator) -> None:
    """VCF or BCF of bcftools, odd in some ways."""
    text = random_vcf(rng)
    if path.suffix == ".bcf":
        as_bcf(text, path)
        (path.with_suffix(".in.vcf")).unlink()
    else:
        path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


def write_bed(path: Path, rng: np.random.Generator) -> None:
    """PLINK 1 of unphased calls."""
    matrix = cohort(rng)
    calls = matrix.to_dense().reshape(10, 2, 40).sum(axis=1).T
    bits = np.zeros((40, 12, 2), np.uint8)
    bits[:, :10, 0] = calls == 0
    bits[:, :10, 1] = calls < 2
    rows = np.packbits(bits.reshape(40, 24), axis=1, bitorder="little")
    path.write_bytes(b"\x6c\x1b\x01" + rows.tobytes())
    sites = matrix.sites
    lines = [f"{c}\t{i}\t0\t{p}\t{a}\t{r}\n" for c, p, i, r, a in zip(*(getattr(sites, k) for k in SITE), strict=True)]
    path.with_suffix(".bim").write_text("".join(lines))
    path.with_suffix(".fam").write_text("".join(f"0\tP{i}\t0\t0\t0\t-9\n" for i in range(10)))


def write_packed_pvar(path: Path, rng: np.random.Generator) -> None:
    """PGEN with a packed .pvar."""
    write(path, rng)
    plain = path.with_suffix(".pvar")
    path.with_suffix(".pvar.zst").write_bytes(zstd.compress(plain.read_bytes()))
    plain.unlink()


def write_fasta(path: Path, rng: np.random.Generator) -> None:
    """Aligned sequences."""
    states = rng.integers(0, 5, (6, 70))
    hf.write(hf.Alignment(states, "ACGT-", labels={"clade": list("aabbcc")}).to_haplotypes(), path)
    if path.suffix == ".gz":
        path.write_bytes(bgzf(gzip.decompress(path.read_bytes())))


def write_npz_without_sum(path: Path, rng: np.random.Generator) -> None:
    """As of another program, without a checksum of the content."""
    write(path, rng)
    with np.load(path) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "sha256"}
    np.savez_compressed(path, **kept)


def write_vcz_without_sums(path: Path, rng: np.random.Generator) -> None:
    """As of another program."""
    write(path, rng)
    (path / "call_genotype" / "hapforge.sha256").unlink()


def write_vcz_3(path: Path, rng: np.random.Generator) -> None:
    """Zarr v3, by zarr."""
    write(path.with_name("y.vcz"), rng)
    source = zarr.open_group(path.with_name("y.vcz"), mode="r")
    group = zarr.create_group(path, zarr_format=3)
    for name in ("call_genotype", "call_genotype_phased", "variant_position", "variant_contig", "variant_allele"):
        _copy_array(group, name, source[name])
    for name in ("variant_id", "sample_id", "contig_id"):
        _copy_array(group, name, source[name])
    shutil.rmtree(path.with_name("y.vcz"))


def _copy_array(group: Any, name: str, source: Any) -> None:
    chunks = tuple(max(1, -(-length // 2)) for length in source.shape)
    made = group.create_array(
        name, shape=source.shape, chunks=chunks, dtype=source.dtype, config={"write_empty_chunks": True}
    )
    made[...] = source[...]


def write_trees(path: Path, rng: np.random.Generator) -> None:
    """A simulated tree sequence."""
    seed = int(rng.integers(1, 1000))
    tree_sequence = msprime.sim_ancestry(4, sequence_length=300, recombination_rate=1e-4, random_seed=seed)
    model = msprime.BinaryMutationModel() if rng.random() < 0.3 else None
    msprime.sim_mutations(tree_sequence, rate=5e-3, random_seed=seed, model=model).dump(path)


def write_map(path: Path, rng: np.random.Generator) -> None:
    """One of the layouts of genetic maps."""
    rows = [(f"{1 + k // 6}", 1000 * (k % 6) + 17, round(0.25 * (k % 6), 3)) for k in range(12)]
    text = [
        "pos chr cM\n" + "".join(f"{p} {c} {cm}\n" for c, p, cm in rows),
        "Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)\n" + "".join(f"chr{c}\t{p}\t0.1\t{cm}\n" for c, p, cm in rows),
        "".join(f"{c}\t.\t{cm}\t{p}\n" for c, p, cm in rows),
    ][int(rng.integers(0, 3))].encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def write_labels(path: Path, rng: np.random.Generator) -> None:
    """A table of labels by sample id."""
    rows = [f"P{i}\t{rng.choice(['GBR', 'YRI'])}\t{rng.integers(0, 90)}\n" for i in range(10)]
    text = ("sample\tpopulation\tage\n" + "".join(rows)).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


LABELLED = cohort(np.random.default_rng(1))


def labels(path: Path, choices: Choices) -> Content:
    """What hapforge reads of a table of labels."""
    return {name: values.tolist() for name, values in LABELLED.with_labels(path).samples.labels.items()}


def of_labels(path: Path, choices: Choices) -> Content:
    """A table of labels, over those there are."""
    samples = LABELLED.samples
    before = {name: values.tolist() for name, values in samples.labels.items()}
    return {**before, **cohorts.labels(path, samples.haplotype_id.tolist(), samples.sample_id.tolist())}


@dataclass(frozen=True)
class Case:
    """A kind of file.

    Parameters
    ----------
    file : name of the one that is read
    write : makes it, and what stands beside it
    reference : reads it slowly and strictly, ValueError where it is damaged
    content : what hapforge reads, as `reference` says it
    loose : files whose damage is refused, or else read as if there were none, whatever the reference does; why is
        said in `CASES`
    odd : whether it is read by any policy
    """

    file: str
    write: Callable[[Path, np.random.Generator], None]
    reference: Reader
    content: Reader = content
    loose: Callable[[Path], bool] = lambda place: False
    odd: bool = False


def is_read(place: Path) -> bool:
    """Nothing of a VCF Zarr depends on what these say, as sums and arrays of their own do."""
    folders = ("variant_length", "call_genotype_mask", "region_index")
    return place.name not in (".zattrs", ".zgroup", ".zmetadata") and not set(folders) & set(place.parts)


CASES = {
    "vcf": Case("x.vcf", write, of_vcf),
    "vcf.gz": Case("x.vcf.gz", write_bgzf, of_vcf),
    "bcf": Case("x.bcf", write_bgzf, of_vcf),
    "odd vcf": Case("x.vcf", write_odd, of_vcf, odd=True),
    "odd vcf.gz": Case("x.vcf.gz", write_odd, of_vcf, odd=True),
    "odd bcf": Case("x.bcf", write_odd, of_vcf, odd=True),
    "hapt": Case("x.hapt", write, alone(cohorts.hapt)),
    "hapt.gz": Case("x.hapt.gz", write, alone(cohorts.hapt)),
    # A zip and the local headers in it say much that nothing depends on, such as dates.
    "hapt.zip": Case("x.hapt.zip", write, alone(cohorts.hapt), loose=lambda place: place.suffix == ".zip"),
    "hap": Case("x.hap", write, of_tables(tables.hap)),
    "hap.gz": Case("x.hap.gz", write_bgzf, of_tables(tables.hap)),
    "haps": Case("x.haps", write, of_tables(tables.haps)),
    "haps.gz": Case("x.haps.gz", write_bgzf, of_tables(tables.haps)),
    "bed": Case("x.bed", write_bed, of_tables(tables.bed)),
    "pgen": Case("x.pgen", write, of_tables(tables.plink2)),
    "pgen with .pvar.zst": Case("x.pgen", write_packed_pvar, of_tables(tables.plink2)),
    # As of a zip; zipfile takes comments and fields that hapforge refuses.
    "npz": Case("x.npz", write, alone(cohorts.npz), loose=lambda place: True),
    "npz without a sum": Case("x.npz", write_npz_without_sum, alone(cohorts.npz), loose=lambda place: True),
    "hapz": Case("x.hapz", write, alone(cohorts.hapz)),
    "fasta": Case("x.fasta", write_fasta, alone(cohorts.fasta), sequences),
    "fasta.gz": Case("x.fasta.gz", write_fasta, alone(cohorts.fasta), sequences),
    # zarr looks at no checksum of a file, takes metadata that no array here can have, refuses what only matters for
    # writing, and passes over bytes behind a chunk and its last text. An id that is there needs no mask.
    "vcz": Case("x.vcz", write, alone(cohorts.vcz), loose=lambda place: True),
    "vcz.zip": Case("x.vcz.zip", write, alone(cohorts.vcz), loose=lambda place: True),
    "vcz without sums": Case("x.vcz", write_vcz_without_sums, alone(cohorts.vcz), loose=lambda place: True),
    "vcz of Zarr 3": Case("x.vcz", write_vcz_3, alone(cohorts.vcz), loose=lambda place: True),
    "trees": Case("x.trees", write_trees, alone(cohorts.trees)),
    "labels": Case("x.tsv", write_labels, of_labels, labels),
    "labels.gz": Case("x.tsv.gz", write_labels, of_labels, labels),
    "map": Case("x.map", write_map, alone(cohorts.genetic_map), points),
    "map.gz": Case("x.map.gz", write_map, alone(cohorts.genetic_map), points),
}

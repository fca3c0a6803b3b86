"""Every format read and written, beside what its users would otherwise take: cyvcf2, pysam, plink2, zarr and others.

    python benchmarks/bench_io.py [--sites 4000] [--rounds 5] [-o FILE]

The embedded cohort (2,504 persons) at as many sites as are asked for. A candidate reads a whole file into an array of
its own kind, or writes one from what it would have in memory (programs: from a file); all of them in turn, round after
round, in processes of their own (`peers.py`), on one thread. Before anything is timed what was read is compared, and
what was written is read again. Peers in other virtual environments are found through HAPFORGE_PEER_PYTHONS, those that
are nowhere are listed as absent. What a peer leaves out stands by its name: reading the records only, or a conversion
by a program, whose result is a file.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from peers import Candidate, compare, program_version, versions
from workloads import HERE, machine

import hapforge as hf
from hapforge import datasets
from hapforge.errors import MissingDependencyError

warnings.simplefilter("ignore")  # of what a format has no place for

# ------------------------------------------------------------------------------------------------------------ reading
# Each gives the call, and what makes uint8 (haplotypes, sites) of its result.


def ours(data, threads, **arguments):
    import hapforge as hf

    return lambda: hf.read(data["path"], **arguments), lambda matrix: matrix.to_dense()


def cyvcf2_arrays(data, threads):
    import cyvcf2
    import numpy as np

    def run():
        return np.array([record.genotype.array()[:, :2] for record in cyvcf2.VCF(data["path"])], np.int8)

    return run, lambda calls: calls.reshape(len(calls), -1).T.astype(np.uint8)


def cyvcf2_records(data, threads):
    import cyvcf2
    import numpy as np

    def run():
        last = None
        for record in cyvcf2.VCF(data["path"]):
            last = record
        return last

    return run, lambda record: record.genotype.array()[:, :2].reshape(-1, 1).astype(np.uint8)


def pysam_calls(data, threads):
    import numpy as np
    import pysam

    def run():
        with pysam.VariantFile(data["path"]) as records:
            return np.array([np.array([call["GT"] for call in record.samples.values()], np.int8) for record in records])

    return run, lambda calls: calls.reshape(len(calls), -1).T.astype(np.uint8)


def scikit_allel(data, threads):
    import allel
    import numpy as np

    def run():
        found = allel.read_vcf(data["path"], fields=["calldata/GT"], chunk_length=data["num_sites"])
        return found["calldata/GT"]

    return run, lambda calls: calls.reshape(len(calls), -1).T.astype(np.uint8)


def plink2_to_pgen(data, threads, options):
    import subprocess

    import numpy as np
    import pgenlib

    target = data["path"] + ".plink2"
    command = ["plink2", *(data["path"] if option == "PATH" else option for option in options)]

    def run():
        subprocess.run([*command, "--make-pgen", "--threads", str(threads), "--silent", "--out", target], check=True)

    def answer(_):
        with pgenlib.PgenReader((target + ".pgen").encode()) as reader:
            calls = np.empty((reader.get_variant_ct(), 2 * reader.get_raw_sample_ct()), np.int32)
            reader.read_alleles_range(0, len(calls), calls)
        return calls.T.astype(np.uint8)

    return run, answer


def pgenlib_alleles(data, threads):
    import numpy as np
    import pgenlib

    def run():
        with pgenlib.PgenReader(data["path"].encode()) as reader:
            calls = np.empty((reader.get_variant_ct(), 2 * reader.get_raw_sample_ct()), np.int32)
            reader.read_alleles_range(0, len(calls), calls)
        return calls

    return run, lambda calls: calls.T.astype(np.uint8)


def pgenlib_genotypes(data, threads):
    import numpy as np
    import pgenlib

    def run():
        with pgenlib.PgenReader(data["path"].encode(), raw_sample_ct=data["num_persons"]) as reader:
            calls = np.empty((reader.get_variant_ct(), reader.get_raw_sample_ct()), np.int8)
            reader.read_range(0, len(calls), calls)
        return calls

    return run, lambda calls: calls.T.astype(np.uint8)


def our_genotypes(data, threads):
    import hapforge as hf

    def run():
        return hf.read(data["path"], policy={"unphased": "keep"})

    return run, lambda matrix: matrix.to_dense()[0::2] + matrix.to_dense()[1::2]


def pandas_table(data, threads, skipped, by_row):
    import numpy as np
    import pandas

    def run():
        columns = pandas.read_csv(data["path"], sep=" ", header=None, nrows=1).shape[1]
        chosen = range(skipped, columns)
        kinds = dict.fromkeys(chosen, np.uint8)
        return pandas.read_csv(data["path"], sep=" ", header=None, usecols=chosen, dtype=kinds).to_numpy()

    return run, lambda table: np.ascontiguousarray(table if by_row else table.T)


def numpy_text(data, threads, skipped, by_row):
    import numpy as np

    def run():
        with open(data["path"], "rb") as handle:
            columns = len(handle.readline().split())
        return np.loadtxt(data["path"], np.uint8, usecols=range(skipped, columns))

    return run, lambda table: np.ascontiguousarray(table if by_row else table.T)


def zarr_genotypes(data, threads):
    import numpy as np
    import zarr

    def run():
        return zarr.open_group(data["path"], mode="r")["call_genotype"][:]

    return run, lambda calls: calls.reshape(len(calls), -1).T.astype(np.uint8)


def zarr_packed(data, threads):
    import numpy as np
    import zarr

    def run():
        return zarr.open_group(data["path"], mode="r")["genotypes"][:]

    return run, lambda packed: np.unpackbits(packed, axis=1, count=data["num_sites"], bitorder="little")


def vcztools_view(data, threads):
    import subprocess
    import sys

    import numpy as np

    def run():
        command = "import sys; from vcztools.cli import vcztools_main; sys.exit(vcztools_main())"
        with open(data["path"] + ".vcf", "wb") as target:
            subprocess.run([sys.executable, "-c", command, "view", data["path"]], stdout=target, check=True)

    def answer(_):
        with open(data["path"] + ".vcf", "rb") as source:
            lines = [line.split(b"\t", 9)[9] for line in source if not line.startswith(b"#")]
        return np.array([np.frombuffer(line, np.uint8)[: 2 * len(line) // 2 : 2] - 48 for line in lines]).T

    return run, answer


def tskit_matrix(data, threads):
    import numpy as np
    import tskit

    return lambda: tskit.load(data["path"]).genotype_matrix(), lambda calls: calls.T.astype(np.uint8)


def numpy_archive(data, threads):
    import numpy as np

    def run():
        with np.load(data["path"]) as archive:
            return archive["packed"]

    return run, lambda packed: np.unpackbits(packed, axis=1, count=data["num_sites"])


def pysam_sequences(data, threads):
    import numpy as np
    import pysam

    def run():
        with pysam.FastxFile(data["path"]) as records:
            return [record.sequence for record in records]

    return run, lambda lines: np.array([list(line.encode()) for line in lines], np.uint8)


def our_sequences(data, threads):
    import numpy as np

    import hapforge as hf

    def run():
        return hf.Alignment.from_haplotypes(hf.read(data["path"]))

    return run, lambda found: np.array([list(line.encode()) for line in found.sequences()], np.uint8)


# ------------------------------------------------------------------------------------------------------------ writing
# Each gives the call, and the name of what it wrote.


def our_file(data, threads):
    import warnings

    import numpy as np

    import hapforge as hf

    warnings.simplefilter("ignore")
    matrix = hf.read(data["source"])
    return lambda: hf.write(matrix, data["target"]), lambda _: np.array(data["target"])


def plink2_export(data, threads, options, ending):
    import subprocess

    import numpy as np

    target = data["target"].removesuffix(data["ending"]) + "-plink2"
    command = ["plink2", "--pfile", data["pfile"], *options, "--threads", str(threads), "--silent", "--out", target]
    return lambda: subprocess.run(command, check=True), lambda _: np.array(target + ending)


def pgenlib_writer(data, threads):
    import shutil

    import numpy as np
    import pgenlib

    calls = np.ascontiguousarray(data["dense"].T).astype(np.int32)
    target = data["target"].removesuffix(".pgen") + "-pgenlib"

    def run():
        with pgenlib.PgenWriter(
            f"{target}.pgen".encode(),
            calls.shape[1] // 2,
            variant_ct=len(calls),
            nonref_flags=False,
            hardcall_phase_present=True,
        ) as writer:
            writer.append_alleles_batch(calls, all_phased=True)
        for ending in (".pvar", ".psam"):
            shutil.copyfile(data["pfile"] + ending, target + ending)

    return run, lambda _: np.array(f"{target}.pgen")


def vcf2zarr(data, threads):
    import subprocess
    import sys

    import numpy as np

    target = data["target"].removesuffix(".vcz") + "-vcf2zarr.vcz"
    code = "from bio2zarr.cli import vcf2zarr_main; vcf2zarr_main()"
    command = [sys.executable, "-c", code, "convert", "--no-progress", "--force", data["bcf"], target]
    return lambda: subprocess.run(command, check=True), lambda _: np.array(target)


def numpy_savetxt(data, threads):
    import shutil

    import numpy as np

    calls = np.ascontiguousarray(data["dense"].T)
    target = data["target"].removesuffix(".hap") + "-numpy"

    def run():
        np.savetxt(f"{target}.hap", calls, "%d")
        for ending in (".legend", ".sample"):
            shutil.copyfile(data["target"].removesuffix(".hap") + ending, target + ending)

    return run, lambda _: np.array(f"{target}.hap")


def numpy_compressed(data, threads):
    import numpy as np

    packed = np.packbits(data["dense"], axis=1)
    target = data["target"].removesuffix(".npz") + "-numpy.npz"
    return lambda: np.savez_compressed(target, packed=packed), lambda _: np.array(target)


PGENLIB, PLINK2 = ("pgenlib",), ("plink2",)
OURS = Candidate(ours, ("hapforge",))
OUR_FILE = Candidate(our_file, ("hapforge",))


def plink2(*options: str) -> Candidate:
    return Candidate(plink2_to_pgen, PGENLIB, PLINK2, {"options": options}, rounds=3)


def exported(*options: str, ending: str) -> Candidate:
    return Candidate(plink2_export, (), PLINK2, {"options": options, "ending": ending}, rounds=3)


def table(function: Callable[..., Any], module: str, skipped: int, by_row: bool = False) -> Candidate:
    return Candidate(function, (module,), arguments={"skipped": skipped, "by_row": by_row}, rounds=1)


READERS: dict[str, dict[str, Candidate]] = {
    ".vcf": {
        "hapforge": OURS,
        "cyvcf2, genotype.array()": Candidate(cyvcf2_arrays, ("cyvcf2",), rounds=3),
        "scikit-allel": Candidate(scikit_allel, ("allel",), rounds=3),
        "plink2 to .pgen": plink2("--vcf", "PATH"),
    },
    ".vcf.gz": {
        "hapforge": OURS,
        "cyvcf2, genotype.array()": Candidate(cyvcf2_arrays, ("cyvcf2",), rounds=3),
        "scikit-allel": Candidate(scikit_allel, ("allel",), rounds=3),
        "plink2 to .pgen": plink2("--vcf", "PATH"),
    },
    ".bcf": {
        "hapforge": OURS,
        "cyvcf2, records without calls": Candidate(cyvcf2_records, ("cyvcf2",)),
        "cyvcf2, genotype.array()": Candidate(cyvcf2_arrays, ("cyvcf2",)),
        "pysam": Candidate(pysam_calls, ("pysam",), rounds=1),
        "plink2 to .pgen": plink2("--bcf", "PATH"),
    },
    ".hapt": {
        "hapforge": OURS,
        "pandas": table(pandas_table, "pandas", 2, by_row=True),
        "numpy.loadtxt": table(numpy_text, "numpy", 2, by_row=True),
    },
    ".hap": {"hapforge": OURS, "pandas": table(pandas_table, "pandas", 0)},
    ".hap.gz": {"hapforge": OURS, "pandas": table(pandas_table, "pandas", 0)},
    ".haps": {
        "hapforge": OURS,
        "pandas": table(pandas_table, "pandas", 5),
        "plink2 to .pgen": plink2("--haps", "PATH", "ref-first"),
    },
    ".pgen": {"hapforge": OURS, "Pgenlib, int32 alleles": Candidate(pgenlib_alleles, PGENLIB)},
    ".bed": {
        "hapforge": Candidate(our_genotypes, ("hapforge",)),
        "Pgenlib, int8 genotypes": Candidate(pgenlib_genotypes, PGENLIB),
    },
    ".vcz": {
        "hapforge": OURS,
        "zarr, genotypes only": Candidate(zarr_genotypes, ("zarr",)),
        "vcztools view to VCF": Candidate(vcztools_view, ("vcztools", "zarr"), rounds=1),
    },
    ".trees": {"hapforge": OURS, "tskit, genotype_matrix()": Candidate(tskit_matrix, ("tskit",))},
    ".npz": {"hapforge": OURS, "numpy.load, genotypes only": Candidate(numpy_archive)},
    ".hapz": {"hapforge": OURS, "zarr, genotypes only": Candidate(zarr_packed, ("zarr",))},
    ".fasta": {
        "hapforge": Candidate(our_sequences, ("hapforge",)),
        "pysam.FastxFile": Candidate(pysam_sequences, ("pysam",)),
    },
}
WRITERS: dict[str, dict[str, Candidate]] = {
    ".vcf": {"hapforge": OUR_FILE, "plink2 --export": exported("--export", "vcf", ending=".vcf")},
    ".vcf.gz": {"hapforge": OUR_FILE, "plink2 --export": exported("--export", "vcf", "bgz", ending=".vcf.gz")},
    ".bcf": {"hapforge": OUR_FILE, "plink2 --export": exported("--export", "bcf", ending=".bcf")},
    ".hapt": {"hapforge": OUR_FILE},
    ".hap": {
        "hapforge": OUR_FILE,
        "numpy.savetxt": Candidate(numpy_savetxt, rounds=1),
        "plink2 --export": exported("--export", "hapslegend", "ref-first", ending=".haps"),
    },
    ".haps": {"hapforge": OUR_FILE, "plink2 --export": exported("--export", "haps", "ref-first", ending=".haps")},
    ".pgen": {
        "hapforge": OUR_FILE,
        "Pgenlib": Candidate(pgenlib_writer, PGENLIB),
        "plink2 --make-pgen": exported("--make-pgen", ending=".pgen"),
    },
    ".vcz": {"hapforge": OUR_FILE, "vcf2zarr, from BCF": Candidate(vcf2zarr, ("bio2zarr",), rounds=1)},
    ".npz": {"hapforge": OUR_FILE, "numpy.savez_compressed, genotypes only": Candidate(numpy_compressed)},
    ".hapz": {"hapforge": OUR_FILE},
}


def files_of(matrix: hf.HaplotypeMatrix, folder: Path) -> dict[str, Path]:
    """The cohort in every format that is read, where what writes it is here."""
    found = {}
    for ending in READERS:
        path = found[ending] = folder / f"x{ending}"
        if ending == ".bed":
            if shutil.which("plink2") is None or ".pgen" not in found:
                del found[ending]
                continue
            command = ["plink2", "--pfile", str(folder / "x"), "--make-bed", "--silent", "--out", str(folder / "x")]
            subprocess.run(command, check=True)
        elif ending == ".trees":
            try:
                import msprime
            except ImportError:
                del found[ending]
                continue
            length = 100 * matrix.num_sites
            trees = msprime.sim_ancestry(2504, population_size=1e4, sequence_length=length, recombination_rate=1e-8)
            trees = msprime.sim_mutations(trees, rate=3e-8, random_seed=1)
            odd = [site.id for site in trees.sites() if len(site.mutations) > 1]
            trees.delete_sites([*odd, *range(matrix.num_sites, trees.num_sites)]).dump(path)
        elif ending == ".fasta":
            states = np.random.default_rng(1).integers(0, 20, (2000, matrix.num_sites // 4))
            hf.write(hf.Alignment(states, "ACDEFGHIKLMNPQRSTVWY").to_haplotypes(), path)
        else:
            try:
                hf.write(matrix, path)
            except MissingDependencyError:
                del found[ending]
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sites", type=int, default=4000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("-o", type=Path, default=HERE / "results" / "io.json")
    arguments = parser.parse_args()
    os.environ["HAPFORGE_THREADS"] = "1"
    stored = datasets.load("ooa").select_sites(range(arguments.sites))
    names = hf.Samples(stored.num_haplotypes)
    matrix = hf.HaplotypeMatrix(stored.words, stored.sites, names)
    dense = matrix.to_dense()
    size = f"{matrix.samples.num_persons} x {matrix.num_sites}"
    entries = []
    with tempfile.TemporaryDirectory(prefix="hapforge-formats-") as scratch:
        folder = Path(scratch)
        files = files_of(matrix, folder)
        for ending, candidates in READERS.items():
            if ending not in files:
                print(f"read {ending}: nothing here writes it")
                continue
            path = files[ending]
            expected = dense
            if ending == ".bed":
                expected = dense[0::2] + dense[1::2]
            elif ending == ".trees":
                expected = hf.read(path).to_dense()
            elif ending == ".fasta":
                lines = hf.Alignment.from_haplotypes(hf.read(path)).sequences()
                expected = np.array([list(line.encode()) for line in lines], np.uint8)
            data = {"path": str(path), "num_sites": matrix.num_sites, "num_persons": len(dense) // 2}
            shown = size
            if ending in (".fasta", ".trees"):
                shown = f"{len(expected)} {'sequences' if ending == '.fasta' else 'haplotypes'} x {expected.shape[1]}"
            right = _is(expected)
            entries.append(compare(f"read {ending} {shown}", candidates, data, right, rounds=arguments.rounds))
        (folder / "out").mkdir()
        for ending, candidates in WRITERS.items():
            if ending not in files:
                print(f"write {ending}: nothing here writes it")
                continue
            data = {
                "source": str(files[".hapz"]),
                "target": str(folder / "out" / f"y{ending}"),
                "ending": ending,
                "pfile": str(folder / "x"),
                "bcf": str(folder / "x.bcf"),
                "dense": dense,
            }
            right = _holds(matrix)
            entries.append(compare(f"write {ending} {size}", candidates, data, right, rounds=arguments.rounds))
    known = versions("cyvcf2", "pysam", "allel", "pgenlib", "pandas", "zarr", "vcztools", "bio2zarr", "tskit")
    known["plink2"] = program_version("plink2")
    result = {"kernel": "io", "machine": machine(), "peers": known, "results": entries}
    arguments.o.write_text(json.dumps(result, indent=1) + "\n")


def _is(expected: NDArray[np.uint8]) -> Callable[[NDArray[Any]], bool]:
    """Whether what was read is the cohort, or, of one column, its last site."""
    return lambda answer: np.array_equal(answer, expected[:, -1:] if answer.shape[1] == 1 else expected)


def _holds(matrix: hf.HaplotypeMatrix) -> Callable[[NDArray[Any]], bool]:
    """Whether what was written is the cohort."""

    def check(answer: NDArray[Any]) -> bool:
        path = str(answer)
        if path.endswith("-numpy.npz"):
            with np.load(path) as archive:
                return np.array_equal(
                    np.unpackbits(archive["packed"], axis=1, count=matrix.num_sites), matrix.to_dense()
                )
        return np.array_equal(hf.read(path).words, matrix.words)

    return check


if __name__ == "__main__":
    main()

"""Regions read through .tbi and .csi: the same as of the whole file, whatever the index says."""

from __future__ import annotations

import gzip
import os
import shutil
import struct
import warnings
from functools import partial
from pathlib import Path

import cohorts
import damage
import numpy as np
import pysam
import pysam.bcftools
import pytest
from typer.testing import CliRunner

import hapforge as hf
from hapforge.cli import app
from hapforge.errors import FormatError
from hapforge.io import bgzf

FORMS = (("x.vcf.gz", ".tbi"), ("x.vcf.gz", ".csi"), ("x.bcf", ".csi"))
NUM_PERSONS = 32
POLICY = {"multiallelic": "split", "duplicate": "skip", "unphased": "keep"}
CONTIGS = ("chr2", "1", "11", "chr1")  # in the order of the file; of the header, another


bgzip = partial(damage.bgzf, size=2000, level=0)  # not packed, so that a small file has many places


def gunzip(path: Path) -> bytes:
    return b"".join(bgzf.read_chunks(path))


def vcf_text() -> str:
    """Contigs with dense and sparse sites, long alleles, several ALTs, repeated positions and sites, odd calls."""
    rng = np.random.default_rng(7)
    names = [f"P{i}" for i in range(NUM_PERSONS)]
    lines = ["##fileformat=VCFv4.2", *(f"##contig=<ID={name}>" for name in sorted(CONTIGS))]
    lines += ['##FORMAT=<ID=GT,Number=1,Type=String,Description="g">']
    lines += ["\t".join(["#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO\tFORMAT", *names])]
    for contig, count, step in zip(CONTIGS, (1200, 40, 2400, 300), (3, 5, 2000, 400), strict=True):
        position, last = 50, ""
        for _ in range(count):
            position += int(rng.integers(0, step))
            ref = "A" * int(rng.choice([1, 1, 1, 30]))  # reaches over the sites behind it
            alt = "G,C" if rng.random() < 0.05 else str(rng.choice(["G", "C", "T"]))
            calls = [f"{a}|{b}" for a, b in rng.integers(0, 2 + ("," in alt), (NUM_PERSONS, 2))]
            if rng.random() < 0.02:
                calls[3] = "0/1"
            line = "\t".join([contig, str(position), ".", ref, alt, ".", ".", ".", "GT", *calls])
            if line != last:
                lines.append(line)
            if rng.random() < 0.02:
                lines.append(line)
            last = line
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder per form: the file with its index in `indexed`, and without in `bare`."""
    folder = tmp_path_factory.mktemp("indexed")
    text, plain = vcf_text(), folder / "plain.vcf"
    plain.write_text(text)
    pysam.bcftools.view("-Ou", "-o", str(folder / "u.bcf"), str(plain), catch_stdout=False)
    contents = {"x.vcf.gz": text.encode(), "x.bcf": gunzip(folder / "u.bcf")}
    for name, ending in FORMS:
        for place in ("indexed", "bare"):
            (folder / ending / place).mkdir(parents=True, exist_ok=True)
            (folder / ending / place / name).write_bytes(bgzip(contents[name]))
        made = folder / ending / "indexed" / name
        pysam.tabix_index(str(made), preset="vcf", csi=ending == ".csi", force=True)
        assert Path(f"{made}{ending}").exists()
    return folder


def copied(folder: Path, target: Path, name: str, ending: str) -> Path:
    """The file of a form, copied with its index, and with the times of both."""
    for file in (folder / ending / "indexed").glob(f"{name}*"):
        shutil.copy2(file, target)
    return target / name


@pytest.fixture(scope="module")
def whole(folder: Path) -> hf.HaplotypeMatrix:
    return hf.read(folder / "plain.vcf", policy=hf.io.Policy(POLICY))


def part(matrix: hf.HaplotypeMatrix, contig: str, start: int, end: int) -> hf.HaplotypeMatrix:
    sites = matrix.sites
    return matrix.select_sites((sites.contig == contig) & (sites.position >= start) & (sites.position <= end))


def regions(whole: hf.HaplotypeMatrix, count: int, seed: int) -> list[tuple[str, int, int]]:
    """Ends on sites, beside them and anywhere; narrow and wide; before the first site and behind the last."""
    rng = np.random.default_rng(seed)
    found = []
    for k in range(count):
        contig = CONTIGS[k % 4]
        position = whole.sites.position[whole.sites.contig == contig]
        start = max(1, int(rng.choice(position)) + int(rng.integers(-1, 2)))
        if rng.random() < 0.2:
            start = int(rng.choice([1, position[0], position[-1]]))
        end = start + int(rng.choice([0, 1, 20, 3000, 200_000, 10**7]))
        if rng.random() < 0.3:
            end = max(start, int(rng.choice(position)))
        found.append((contig, start, end))
    return found


def same_phase(a: hf.HaplotypeMatrix, b: hf.HaplotypeMatrix) -> None:
    """Equal but for who is marked as unphased, which is seen at the sites that are read."""
    np.testing.assert_array_equal(a.words, b.words)
    for name in ("position", "contig", "ref", "alt"):
        np.testing.assert_array_equal(getattr(a.sites, name), getattr(b.sites, name), err_msg=name)


@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_regions_equal_those_of_the_whole(folder: Path, whole: hf.HaplotypeMatrix, name: str, ending: str) -> None:
    path = folder / ending / "indexed" / name
    found = 0
    for contig, start, end in regions(whole, 48, seed=3):
        truth = part(whole, contig, start, end)
        if not truth.num_sites:
            with pytest.raises(FormatError, match="expected at least one site"):
                hf.read(path, f"{contig}:{start}-{end}", policy=hf.io.Policy(POLICY))
            continue
        same_phase(hf.read(path, f"{contig}:{start}-{end}", policy=hf.io.Policy(POLICY)), truth)
        found += 1
    assert found > 30
    for contig in CONTIGS:
        same_phase(hf.read(path, contig, policy=hf.io.Policy(POLICY)), part(whole, contig, 1, 2**31))


@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_a_region_with_persons_frequency_and_counts(folder: Path, name: str, ending: str) -> None:
    results = []
    for place in ("indexed", "bare"):
        policy = hf.io.Policy(POLICY)
        path = folder / ending / place / name
        samples = ["P3", "P30", "P7"]
        results.append((hf.read(path, "11:9000-1,500,000", samples=samples, maf=0.2, policy=policy), policy.changes))
    assert results[0][1] == results[1][1]
    assert set(results[0][1]) == {"multiallelic", "duplicate", "unphased"}
    cohorts.assert_same(results[0][0], results[1][0])


@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_regions_against_bcftools(folder: Path, whole: hf.HaplotypeMatrix, name: str, ending: str) -> None:
    path = folder / ending / "indexed" / name
    policy = hf.io.Policy({**POLICY, "multiallelic": "skip"})
    for contig, start, end in regions(whole, 8, seed=4):
        query = ("-f", "%POS\n", "-r", f"{contig}:{start}-{end}", "--regions-overlap", "pos", "-e", "N_ALT>1")
        truth = [int(line) for line in pysam.bcftools.query(*query, str(path)).split()]
        if truth:
            matrix = hf.read(path, f"{contig}:{start}-{end}", policy=policy)
            assert sorted(set(truth)) == sorted(set(matrix.sites.position.tolist()))


@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_only_a_part_is_read(folder: Path, whole: hf.HaplotypeMatrix, tmp_path: Path, name: str, ending: str) -> None:
    """A block far from the region may be damaged; the block that ends the file may not be missing."""
    path = copied(folder, tmp_path, name, ending)
    data, status = bytearray(path.read_bytes()), path.stat()
    told: list[int] = []
    hf.read(path, "chr2:1-300", policy=hf.io.Policy(POLICY), progress=told.append)
    assert sum(told) == len(data)
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    for contig, start, end in (("chr2", 1, 300), ("chr1", 50_000, 60_000), ("1", 1, 2**31)):
        matrix = hf.read(path, f"{contig}:{start}-{end}", policy=hf.io.Policy(POLICY))
        same_phase(matrix, part(whole, contig, start, end))
    for region in ("11", None):
        with pytest.raises(FormatError, match="expected a whole BGZF block"):
            hf.read(path, region, policy=hf.io.Policy(POLICY))
    path.write_bytes(data[:-28])
    os.utime(path, ns=(status.st_mtime_ns, status.st_mtime_ns))
    with pytest.raises(FormatError, match="the empty block that ends a BGZF file"):
        hf.read(path, "chr2:1-300", policy=hf.io.Policy(POLICY))


def outcome(path: Path, region: str) -> tuple[hf.HaplotypeMatrix | str, list[str]]:
    """(what is read, or the error without the name of the file; warnings)."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result: hf.HaplotypeMatrix | str = hf.read(path, region, policy=hf.io.Policy(POLICY))
        except FormatError as error:
            result = f"{error.expected}, {error.found}"
    return result, [str(warning.message) for warning in caught]


def check_as_whole(path: Path, whole: hf.HaplotypeMatrix, contig: str, start: int, end: int) -> list[str]:
    """What is read of a region is that of the whole file; the warnings."""
    result, said = outcome(path, f"{contig}:{start}-{end}")
    truth = part(whole, contig, start, end)
    if isinstance(result, str):
        assert not truth.num_sites
        assert result.startswith(("at least one site in", "a site on contig"))
    else:
        same_phase(result, truth)
    return said


@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_an_index_that_does_not_fit_is_not_used(
    folder: Path, whole: hf.HaplotypeMatrix, tmp_path: Path, name: str, ending: str
) -> None:
    path = copied(folder, tmp_path, name, ending)
    index = Path(f"{path}{ending}")
    good = index.read_bytes()
    content = gunzip(index)

    def reason(data: bytes) -> str:
        index.write_bytes(data)
        said = check_as_whole(path, whole, "11", 100_000, 300_000)
        assert len(said) == 1
        assert said[0].startswith(f"{index}: not used, as ")
        assert said[0].endswith(f": all of {path} is read")
        return said[0].removeprefix(f"{index}: not used, as ").removesuffix(f": all of {path} is read")

    assert reason(b"") == "it is cut or damaged"
    assert reason(b"of other data") == "it starts with b'of o'"
    assert reason(good[:-28]) == "it is cut or damaged"
    assert reason(good[: len(good) // 2]) == "it is cut or damaged"
    for size in (3, 7, 40, len(content) // 2, len(content) - 9, len(content) - 1):
        assert reason(bgzip(content[:size])) in ("it is cut or damaged", f"it starts with {content[:size]!r}")
    assert reason(bgzip(content + b"more")) == "it is cut or damaged"
    assert reason(bgzip(b"BAI\1" + content[4:])) == "it starts with b'BAI\\x01'"
    if name == "x.vcf.gz":
        index.write_bytes(bgzip(content.replace(b"11\0", b"12\0")))  # then the whole file says which contigs there are
        assert check_as_whole(path, whole, "11", 100_000, 300_000) == []
        assert reason(bgzip(content.replace(b"11\0", b"1\0\0"))) == "it does not name each contig once"
        assert "no record of contig '11' starts at" in reason(bgzip(content.replace(b"11\0chr1", b"chr1\x0011")))
    sites = {"positions": range(1, 91), "contig": ["1"] * 45 + ["11"] * 45}
    other = hf.HaplotypeMatrix.from_dense(np.eye(80, 90, dtype=np.uint8), **sites)
    hf.write(other, tmp_path / f"other.{name}")
    assert reason(Path(f"{tmp_path}/other.{name}.{'tbi' if name == 'x.vcf.gz' else 'csi'}").read_bytes())
    index.write_bytes(good)
    assert check_as_whole(path, whole, "11", 100_000, 300_000) == []
    assert outcome(path, "chr7") == ("a site on contig 'chr7', contigs chr2, 1, 11, chr1", [])
    os.utime(index, ns=(path.stat().st_mtime_ns - 1,) * 2)
    assert "not used, as it is older than the file" in check_as_whole(path, whole, "11", 100_000, 300_000)[0]


@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_an_index_of_the_file_before_it_changed(
    folder: Path, whole: hf.HaplotypeMatrix, tmp_path: Path, name: str, ending: str
) -> None:
    """Sites that came or went, and an index that claims to be younger."""
    path = copied(folder, tmp_path, name, ending)
    for kept in (slice(1, None), slice(500, 3000)):
        rows = np.arange(whole.num_sites)[kept]
        changed = whole.select_sites(rows)
        text = tmp_path / "changed.vcf"
        hf.write(changed, text)
        if name == "x.bcf":
            pysam.bcftools.view("-Ou", "-o", str(tmp_path / "u.bcf"), str(text), catch_stdout=False)
        path.write_bytes(bgzip(gunzip(tmp_path / "u.bcf") if name == "x.bcf" else text.read_bytes()))
        os.utime(f"{path}{ending}")
        for contig, start, end in (("chr2", 1, 2000), ("chr1", 1, 10**6)):
            check_as_whole(path, changed, contig, start, end)


@pytest.mark.parametrize("count", [25, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize(("name", "ending"), FORMS)
def test_changed_indexes_change_nothing(
    folder: Path, whole: hf.HaplotypeMatrix, tmp_path: Path, name: str, ending: str, count: int
) -> None:
    """Numbers of an index are changed, its checksums are right."""
    path = copied(folder, tmp_path, name, ending)
    index = Path(f"{path}{ending}")
    content = gunzip(index)
    rng = np.random.default_rng(11)
    used = 0
    for contig, start, end in regions(whole, count, seed=5):
        changed = bytearray(content)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(0, len(content) - 8))
            kind = rng.integers(0, 4)
            if kind == 0:
                changed[at] = rng.integers(0, 256)
            elif kind == 1:
                changed[at] = (changed[at] + int(rng.choice([1, 255]))) % 256
            elif kind == 2:
                source = int(rng.integers(0, len(content) - 8))
                changed[at : at + 8] = changed[source : source + 8]
            else:
                changed[at : at + 4] = struct.pack("<i", int(rng.choice([-1, 0, 2**31 - 1, 3])))
        index.write_bytes(bgzip(bytes(changed)))
        used += not check_as_whole(path, whole, contig, start, end)
    assert 0.1 * count < used < 0.9 * count


def test_one_of_two_indexes_fits(folder: Path, whole: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    for ending in (".csi", ".tbi"):
        path = copied(folder, tmp_path, "x.vcf.gz", ending)
    Path(f"{path}.csi").write_bytes(b"of other data")
    assert check_as_whole(path, whole, "11", 100_000, 300_000) == []


def test_rules_that_need_the_whole_file(folder: Path, tmp_path: Path) -> None:
    """`unsorted=sort` and `text=accept` say something of the whole file: an index is not looked at."""
    path = tmp_path / "x.vcf.gz"
    shutil.copy2(folder / ".tbi" / "indexed" / "x.vcf.gz", path)
    Path(f"{path}.tbi").write_bytes(b"not looked at")
    for more in ({"unsorted": "sort"}, {"text": "accept"}):
        assert hf.read(path, "chr2:1-300", policy=hf.io.Policy({**POLICY, **more})).num_sites > 10


def test_a_file_that_is_not_block_gzipped(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.vcf.gz"
    path.write_bytes(gzip.compress((folder / "plain.vcf").read_bytes(), 1))
    shutil.copy(folder / ".tbi" / "indexed" / "x.vcf.gz.tbi", tmp_path)
    with pytest.warns(UserWarning, match="not used, as it names places behind the end"):
        assert hf.read(path, "chr2:1-300", policy=hf.io.Policy(POLICY)).num_sites > 10


def test_command_line_says_that_all_is_read(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.bcf"
    shutil.copy2(folder / ".csi" / "indexed" / "x.bcf", path)
    Path(f"{path}.csi").write_bytes(b"of other data")
    policies = [f"--policy={kind}={choice}" for kind, choice in POLICY.items()]
    with pytest.warns(UserWarning, match="not used, as it starts with"):
        result = CliRunner().invoke(app, ["convert", str(path), str(tmp_path / "o.npz"), "-r", "chr2:1-300", *policies])
    assert result.exit_code == 0

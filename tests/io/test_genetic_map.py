"""Genetic maps: three layouts, interpolation, what is refused; positions in cM through files and into LD decay."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import hapforge as hf
from hapforge import io
from hapforge.errors import FormatError
from hapforge.haplotypes import Sites
from hapforge.io import read_genetic_map
from hapforge.kernels import ld_decay
from hapforge.stats import at_genetic_positions

SHAPEIT = "pos\tchr\tcM\n100\t20\t0.0\n200\t20\t1.0\n400\t20\t1.5\n"
LAYOUTS = {
    "shapeit": SHAPEIT,
    "bed-like": "#chrom pos cM\nchr20 100 0\nchr20 200 1\nchr20 400 1.5\n",
    "hapmap": "Chromosome\tPosition(bp)\tRate(cM/Mb)\tMap(cM)\n"
    "chr20\t100\t10000\t0\nchr20\t200\t2500\t1\nchr20\t400\t0\t1.5\n",
    "impute": "position COMBINED_rate(cM/Mb) Genetic_Map(cM)\n100 10000 0\n200 2500 1\n400 0 1.5\n",
    "plink": "20 . 0 100\n20 rs1 1 200\n20 . 1.5 400\n",
}
POSITIONS = [50, 100, 150, 200, 300, 400, 401]
EXPECTED = [np.nan, 0.0, 0.5, 1.0, 1.25, 1.5, np.nan]


def written(folder: Path, text: str) -> Path:
    path = folder / "map.txt"
    path.write_text(text)
    return path


def cohort(contig: str | list[str] = "20") -> hf.HaplotypeMatrix:
    rows = np.random.default_rng(5).integers(0, 2, (20, len(POSITIONS)), dtype=np.uint8)
    return hf.HaplotypeMatrix.from_dense(rows, POSITIONS, contig, ref="A", alt="C")


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts(tmp_path: Path, layout: str, packed: bool) -> None:
    path = written(tmp_path, LAYOUTS[layout])
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    found = read_genetic_map(path)
    assert list(found.points) == ["" if layout == "impute" else "20"]
    for contig in ("20", "chr20"):
        np.testing.assert_allclose(found.at(cohort(contig).sites), EXPECTED, rtol=1e-15)


def test_the_map_of_chromosome_20(shared_data: Path) -> None:
    """As NumPy reads it, at the sites of real haplotypes."""
    path = shared_data / "chr20.b37.gmap.gz"
    table = np.loadtxt(path, skiprows=1)
    H = hf.read(shared_data / "eur_chr20_ref300.npz")
    found = read_genetic_map(path).at(H.sites)
    np.testing.assert_allclose(found, np.interp(H.sites.position, table[:, 0], table[:, 2]), rtol=1e-12)
    assert not np.isnan(found).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "found an empty file"),
        ("a b c\n1 2 3\n", "line 1: expected a genetic map: .*, found 'a b c'"),
        ("pos chr cM\n", "at least one point"),
        ("pos chr cM\n1 20\n", "line 2: expected 3 columns, as the first line has, found 2"),
        ("pos chr cM\n0 20 1\n", "line 2: expected a position in base pairs, 1 or more, found '0'"),
        ("pos chr cM\n1e3 20 1\n", "found '1e3'"),
        ("pos chr cM\n1 20 x\n", "line 2: expected centimorgans, found 'x'"),
        ("pos chr cM\n1 20 nan\n", "expected centimorgans, found 'nan'"),
        ("pos chr cM\n1 20 1\n1 20 2\n", "line 3: expected a position above 1, found 1"),
        ("pos chr cM\n1 20 1\n2 20 0.5\n", "line 3: expected 1.0 cM or more, as the line before has, found 0.5"),
        ("pos chr cM\n1 20 1\n2 21 0\n3 20 2\n", "line 4: expected the points of chromosome 20 in one block"),
        ("pos chr cM\n1 20 1\n\n", "line 3: expected 3 columns, as the first line has, found 0"),
        ("pos chr cM\n1 20 \xe91\n", "found other than ASCII text"),
        ("pos chr cM\n1 20 1_0\n", "line 2: expected centimorgans, found '1_0'"),
        ("pos chr cM\n1 20 0.2", r"line 2: expected a last line .* may be cut \(a line feed at its end shows"),
        ("pos chr cM\n1 20 0\n2\x0b20 1\n", r"line 3: expected text, found the control character b'\\x0b'"),
        ("pos chr cM\n1 20\r0\n", "line 2: expected text, found a CR inside of a line"),
    ],
)
def test_bad_maps(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(FormatError, match=message):
        read_genetic_map(written(tmp_path, text))


def test_a_cut_map(tmp_path: Path) -> None:
    path = tmp_path / "map.gz"
    path.write_bytes(gzip.compress(SHAPEIT.encode())[:-9])
    with pytest.raises(FormatError, match="expected a whole gzip file"):
        read_genetic_map(path)


def test_sites_that_a_map_does_not_fit(tmp_path: Path) -> None:
    found = read_genetic_map(written(tmp_path, SHAPEIT))
    with pytest.raises(ValueError, match=r"expected a map of 21:50, found contigs 20$"):
        found.at(cohort("21").sites)
    with pytest.raises(ValueError, match="expected known positions for a genetic map, found a count"):
        found.at(Sites(num_sites=3))
    bare = read_genetic_map(written(tmp_path, LAYOUTS["impute"]))
    with pytest.raises(ValueError, match="expected a map with chromosomes for sites on 2, found none"):
        bare.at(cohort(["1"] * 3 + ["2"] * 4).sites)
    with pytest.raises(ValueError, match="found other positions"):
        bare.at(cohort().select_sites([0]).sites)


def test_positions_of_sites() -> None:
    with pytest.raises(ValueError, match="expected 2 numbers, found shape"):
        Sites([1, 2], genetic_position_cm=[1.0])
    with pytest.raises(ValueError, match="expected numbers or NaN, found inf at site 1"):
        Sites([1, 2], genetic_position_cm=[1.0, np.inf])
    with pytest.raises(ValueError, match=r"found 0\.5 after 1\.0 at site 2"):
        Sites([1, 2, 3], genetic_position_cm=[1.0, np.nan, 0.5])
    assert len(Sites([1, 2, 3], contig=["1", "1", "2"], genetic_position_cm=[1.0, 1.0, 0.5])) == 3


def test_through_files_and_selections(tmp_path: Path) -> None:
    path = written(tmp_path, SHAPEIT)
    with pytest.warns(UserWarning, match=r"map.txt: 2 of 7 sites lie beyond the genetic map$"):
        H = read_genetic_map(path).attach(cohort())
    assert H.sites == cohort().sites
    for name in ("a.npz", "a.hapz"):
        hf.write(H, tmp_path / name)
        np.testing.assert_array_equal(hf.read(tmp_path / name).sites.genetic_position_cm, H.sites.genetic_position_cm)
        hf.write(cohort(), tmp_path / f"bare{name}")
        assert np.isnan(hf.read(tmp_path / f"bare{name}").sites.genetic_position_cm).all()
    with pytest.warns(UserWarning, match=r"a.vcf: VCF or BCF has no place for genetic positions$"):
        hf.write(H, tmp_path / "a.vcf")
    halves = [H.select_sites([1, 2]), H.select_sites([3, 4, 6])]
    np.testing.assert_array_equal(halves[1].sites.genetic_position_cm, [1.0, 1.25, np.nan])
    np.testing.assert_array_equal(
        hf.concat(halves, axis="sites").sites.genetic_position_cm, [0.0, 0.5, 1.0, 1.25, np.nan]
    )
    np.testing.assert_array_equal(hf.intersect([H, cohort()])[0].sites.genetic_position_cm, EXPECTED)


def test_ld_by_centimorgans(tmp_path: Path) -> None:
    H = hf.HaplotypeMatrix(cohort().words, cohort().sites.with_genetic_positions(EXPECTED))
    edges = np.array([0.0, 0.3, 0.6, 2.0])
    found = ld_decay(at_genetic_positions(H), edges * 1e6)
    kept = slice(1, 6)
    r2 = np.corrcoef(H.to_dense()[:, kept].T) ** 2
    apart = np.abs(np.subtract.outer(EXPECTED[kept], EXPECTED[kept]))
    pairs = np.triu(np.ones((5, 5), bool), 1)
    for k in range(3):
        inside = pairs & (apart >= edges[k]) & (apart < edges[k + 1])
        assert found.num_pairs[k] == inside.sum()
        assert found.mean_r2[k] == pytest.approx(r2[inside].mean())
    with pytest.raises(ValueError, match="expected genetic positions"):
        at_genetic_positions(cohort())


def test_evaluation_by_centimorgans(tmp_path: Path) -> None:
    """A map of one rate gives the curve by base pairs; another does not; sets need no map."""
    ooa = hf.datasets.load("ooa").select_sites(range(120))
    real, synthetic = ooa.select_haplotypes(range(200)), ooa.select_haplotypes(range(200, 400))
    position = real.sites.position

    def curve(cm: np.ndarray | None, **options: str) -> dict:
        sites = real.sites if cm is None else real.sites.with_genetic_positions(cm)
        mapped = hf.HaplotypeMatrix(real.words, sites, real.samples)
        result = hf.evaluate(mapped, synthetic, metrics=["ld"], controls=["real_half"], **options)
        noted = "LD is that of the 120 of 120 sites with a genetic position; decay is by cM." in result.data.notes
        assert noted == (options != {})
        return json.loads(result.json())["curves"]["ld_decay"]

    plain, even = curve(None), curve(position / 1e6, ld_distance="cM")
    assert (plain["unit"], even["unit"]) == ("bp", "cM")
    np.testing.assert_allclose(even["edges"], np.array(plain["edges"]) / 1e6)
    assert even["real"] == plain["real"]
    assert even["sets"] == plain["sets"]
    assert curve(np.sqrt(position), ld_distance="cM")["real"] != plain["real"]
    with pytest.raises(ValueError, match="expected genetic positions of the real set for cM, found none"):
        curve(None, ld_distance="cM")
    with pytest.raises(ValueError, match="ld_distance: expected 'bp' or 'cM', found 'kb'"):
        curve(None, ld_distance="kb")


# ------------------------------------------------------------------------------------------- beside haplotypes in files


def mapped_cohort(cm: list[float]) -> hf.HaplotypeMatrix:
    num_sites = len(cm)
    contig = ["1"] * (num_sites - 2) + ["2"] * 2
    sites = hf.Sites(
        np.arange(1, num_sites + 1) * 10,
        contig=contig,
        id=[f"s{j}" for j in range(num_sites)],
        ref=["A"] * num_sites,
        alt=["C"] * num_sites,
        genetic_position_cm=cm,
    )
    dense = np.random.default_rng(2).integers(0, 2, (8, num_sites), dtype=np.uint8)
    return hf.HaplotypeMatrix(hf.HaplotypeMatrix.from_dense(dense).words, sites, hf.Samples(8, sample_id=list("PQRS")))


CM = [np.nan, 0.0, 1e-07, np.nan, 0.1, 1 / 3, 12.5, np.nan, 0.25]


@pytest.mark.parametrize("name", ["x.pgen", "x.hap", "x.hap.gz", "x.npz", "x.hapz"])
def test_round_trips(tmp_path: Path, name: str) -> None:
    matrix = mapped_cohort(CM)
    hf.write(matrix, tmp_path / name)
    back = hf.read(tmp_path / name)
    np.testing.assert_array_equal(back.sites.genetic_position_cm, CM)
    assert back.sites == matrix.sites
    part = hf.read(tmp_path / name, "1:20-60", ["Q", "S"])
    np.testing.assert_array_equal(part.sites.genetic_position_cm, CM[1:6])


@pytest.mark.parametrize("name", ["x.haps", "x.bcf", "x.vcz", "x.vcz.zip"])
def test_formats_without_a_place_say_so(tmp_path: Path, name: str) -> None:
    title = {"x.haps": "HAPS", "x.bcf": "VCF or BCF"}.get(name, "VCF Zarr")
    with pytest.warns(UserWarning, match=f"{name}: {title} has no place for genetic positions$"):
        hf.write(mapped_cohort(CM), tmp_path / name)
    assert np.isnan(hf.read(tmp_path / name).sites.genetic_position_cm).all()
    assert not io.has_genetic_positions(tmp_path / name)


@pytest.mark.skipif(shutil.which("plink2") is None, reason="plink2 is not installed")
def test_through_plink2(tmp_path: Path) -> None:
    """Its .bim has them in the third column; unknown ones are 0, which is what a 0 known there becomes."""
    matrix = mapped_cohort([*CM[:1], 0.05, *CM[3:]])
    hf.write(matrix, tmp_path / "x.pgen")
    command = ["plink2", "--pfile", str(tmp_path / "x"), "--make-bed", "--out", str(tmp_path / "y"), "--threads", "1"]
    subprocess.run(command, check=True, capture_output=True)
    back = hf.read(tmp_path / "y.bed", policy={"unphased": "keep"}).sites
    np.testing.assert_allclose(back.genetic_position_cm, matrix.sites.genetic_position_cm, rtol=1e-5)
    bim = (tmp_path / "y.bim").read_text()
    (tmp_path / "y.bim").write_text("".join(f"{line}\n" for line in bim.replace("\t0.05\t", "\t0.0\t").splitlines()))
    assert hf.read(tmp_path / "y.bed", policy={"unphased": "keep"}).sites.genetic_position_cm[1] == 0


def test_odd_ones(tmp_path: Path) -> None:
    hf.write(mapped_cohort(CM), tmp_path / "x.pgen")
    pvar = (tmp_path / "x.pvar").read_text()
    (tmp_path / "x.pvar").write_text(pvar.replace("\t12.5\n", "\t0.2\n"))
    with pytest.warns(UserWarning, match="x.pgen: genetic positions left out, they decrease at site 1:70$"):
        matrix = hf.read(tmp_path / "x.pgen")
    assert np.isnan(matrix.sites.genetic_position_cm).all()
    with pytest.warns(UserWarning, match="genetic positions left out"):
        hf.read(tmp_path / "x.pgen", "1")
    assert hf.read(tmp_path / "x.pgen", "2").sites.genetic_position_cm[1] == 0.25
    for wrong in ("x", "inf", "1e999", "nan", "1_0", ""):
        (tmp_path / "x.pvar").write_text(pvar.replace("\t12.5\n", f"\t{wrong}\n"))
        with pytest.raises(FormatError, match=r"x\.pvar, line 8: expected (a genetic position in centi|6 columns)"):
            hf.read(tmp_path / "x.pgen")
    table = [line.split("\t") for line in pvar.splitlines()]
    zeros = ["\t".join([*row[:5], "CM" if j == 0 else "0.000"]) for j, row in enumerate(table)]
    (tmp_path / "x.pvar").write_text("\n".join(zeros) + "\n")
    assert np.isnan(hf.read(tmp_path / "x.pgen").sites.genetic_position_cm).all()

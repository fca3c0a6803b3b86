from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hapforge as hf
from hapforge import _backend
from hapforge.errors import ChecksumError, FormatError
from hapforge.models import _embedding, embedding
from hapforge.models._embedding import calibrated_thresholds

KINDS = {
    "genes": lambda unit: hf.models.embedding.GenewisePCA(window=24, explained=0.9, unit=unit),
    "cohort": lambda unit: hf.models.embedding.CohortPCA(components=37, unit=unit),
}


@pytest.fixture(params=["haplotype", "person"])
def unit(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=sorted(KINDS))
def fitted(request: pytest.FixtureRequest, unit: Any, cohort: hf.HaplotypeMatrix) -> Any:
    return KINDS[request.param](unit).fit(cohort)


@pytest.fixture(scope="module")
def cohort() -> hf.HaplotypeMatrix:
    """400 rows, 200 persons, x 120 sites of the embedded cohort."""
    whole = hf.datasets.load("ooa")
    rows = (np.arange(0, 5008, 24)[:200, None] + np.arange(2)).ravel()
    return whole.select_haplotypes(rows).select_sites(np.arange(0, 600, 5))


def rows_of(H: hf.HaplotypeMatrix, unit: str) -> np.ndarray:
    """float64 (n, num_sites): what the rows of an embedding stand for."""
    dense = H.to_dense().astype(float)
    return dense if unit == "haplotype" else dense.reshape(-1, 2, H.num_sites).sum(1)


def test_coordinates_are_standardised(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    E = fitted.encode(cohort)
    assert isinstance(fitted, embedding.Embedding)
    assert E.dtype == np.float32
    assert E.shape == (400 if fitted.unit == "haplotype" else 200, *fitted.shape)
    assert fitted.mask.shape == fitted.shape
    assert not E[:, ~fitted.mask].any()
    # float32 sums of up to 120 products over standard deviations down to a tenth
    np.testing.assert_allclose(E.mean(0, dtype=float), 0, atol=1e-5)
    np.testing.assert_allclose(E.var(0, dtype=float)[fitted.mask], 1, atol=1e-4)


@pytest.mark.parametrize("explained", [0.8, 0.99, 1.0])
def test_genes_against_numpy(unit: Any, explained: float, cohort: hf.HaplotypeMatrix) -> None:
    fitted = hf.models.embedding.GenewisePCA(window=25, unit=unit, explained=explained).fit(cohort)
    X, E = rows_of(cohort, unit), fitted.encode(cohort)
    assert fitted.shape == (5, 8)
    for gene in range(5):
        centred = X[:, 25 * gene : 25 * gene + 25] - X[:, 25 * gene : 25 * gene + 25].mean(0)
        scores, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        share = np.cumsum(sizes**2) / (sizes**2).sum()
        k = min(8, int((share < explained - 1e-9).sum()) + 1, int((sizes > 1e-6).sum()))
        np.testing.assert_array_equal(fitted.mask[gene], np.arange(8) < k)
        expected = scores[:, :k] * np.sqrt(len(X))
        signs = np.sign((E[:, gene, :k] * expected).sum(0))
        np.testing.assert_allclose(E[:, gene, :k], expected * signs, atol=2e-4)


def test_all_components_give_everything_back(unit: Any, cohort: hf.HaplotypeMatrix) -> None:
    for fitted in (
        hf.models.embedding.GenewisePCA(window=8, explained=1, unit=unit).fit(cohort),
        hf.models.embedding.CohortPCA(components=120, unit=unit).fit(cohort),
    ):
        E = fitted.encode(cohort)
        np.testing.assert_allclose(fitted.values(E), rows_of(cohort, unit), atol=1e-4)
        found = fitted.decode(E)
        assert found.sites == cohort.sites
        np.testing.assert_array_equal(rows_of(found, unit), rows_of(cohort, unit))
        assert fitted.errors(cohort).overall == 0
        if unit == "person":
            assert not found.samples.phased.any()
            assert (found.to_dense()[0::2] <= found.to_dense()[1::2]).all()
        else:
            assert found.samples.phased.all()


def test_values_come_from_the_components(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    """values(encode(X)) is the projection of X: nothing of what is left correlates with a coordinate."""
    X, E = rows_of(cohort, fitted.unit), fitted.encode(cohort)
    left = X - fitted.values(E)
    np.testing.assert_allclose(left.mean(0), 0, atol=1e-5)
    assert 0.001 < np.square(left).mean() < 0.05
    if isinstance(fitted, hf.models.embedding.CohortPCA):
        products = E.reshape(len(E), -1).T.astype(float) @ left / len(E)
        np.testing.assert_allclose(products, 0, atol=1e-4)


@pytest.mark.parametrize("shape", [(400, 120), (100, 300)])
def test_subspace_iteration(unit: Any, shape: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    """It finds nearly all of the variance that the leading components have, of sites or of rows."""
    whole = hf.datasets.load("ooa")
    H = whole.select_haplotypes(np.arange(shape[0]) + 2000).select_sites(np.arange(shape[1]) * 3)
    exact = hf.models.embedding.CohortPCA(components=20, unit=unit).fit(H)
    monkeypatch.setattr(embedding, "_DENSE", 0)
    found = hf.models.embedding.CohortPCA(components=20, unit=unit).fit(H)
    X = rows_of(H, unit)
    expected = np.linalg.svd(X - X.mean(0), compute_uv=False)[:20] ** 2 / len(X)
    np.testing.assert_allclose(exact.tensors()["variance"].ravel()[:20], expected, rtol=1e-4)
    before, after = (np.sort(fitted.tensors()["variance"].ravel())[::-1] for fitted in (exact, found))
    np.testing.assert_allclose(after[:15], before[:15], rtol=1e-3)
    assert 0.999 * before.sum() < after.sum() < before.sum() * (1 + 1e-5)
    np.testing.assert_allclose(found.encode(H).var(0, dtype=float)[found.mask], 1, atol=1e-4)


def test_padding_is_not_looked_at(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    E = fitted.encode(cohort)[:5]
    noisy = E.copy()
    noisy[:, ~fitted.mask] = np.nan
    assert (~fitted.mask).any()
    np.testing.assert_array_equal(fitted.values(E), fitted.values(noisy))
    np.testing.assert_array_equal(fitted.decode(E).words, fitted.decode(noisy).words)


def test_a_row_does_not_depend_on_those_beside_it(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    E = fitted.encode(cohort)
    for first, last in ((0, 1), (3, 40), (100, 200)):
        copies = 400 // len(E)
        part = cohort.select_haplotypes(np.arange(copies * first, copies * last))
        np.testing.assert_array_equal(fitted.encode(part), E[first:last])
        np.testing.assert_array_equal(fitted.values(E[first:last]), fitted.values(E)[first:last])
        np.testing.assert_array_equal(
            fitted.decode(E[first:last]).words, fitted.decode(E).words[copies * first : copies * last]
        )


def test_threads_do_not_matter(unit: Any, cohort: hf.HaplotypeMatrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_embedding, "_BLOCK_VALUES", 30 * 400)  # several blocks of sites
    for kind in KINDS.values():
        found = []
        for threads in (1, 3):
            _backend.set_threads(threads)
            try:
                fitted = kind(unit).fit(cohort)
                E = fitted.encode(cohort)
                found.append({**fitted.tensors(), "E": E, "words": fitted.decode(E).words})
            finally:
                _backend.set_threads(None)
        assert len(fitted._blocks(400)) > 3
        for name, array in found[0].items():
            np.testing.assert_array_equal(array, found[1][name])


def test_frequencies_hold(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    found, truth = (rows_of(H, fitted.unit) for H in (fitted.decode(fitted.encode(cohort)), cohort))
    for level in (0, 1) if fitted.unit == "person" else (0,):
        off = np.abs((found > level).mean(0) - (truth > level).mean(0))
        assert off.max() < 0.03
        assert off.mean() < 0.003


def test_errors_against_decode(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    X = rows_of(cohort, fitted.unit)
    wrong = np.abs(rows_of(fitted.decode(fitted.encode(cohort)), fitted.unit) - X)
    errors = fitted.errors(cohort)
    alleles = 400 * 120
    assert errors.overall == wrong.sum() / alleles > 0
    np.testing.assert_allclose(errors.per_site, wrong.sum(0) / 400)
    carriers = X.sum(0)
    assert errors.of_minor == pytest.approx(wrong.sum() / np.minimum(carriers, 400 - carriers).sum())
    if isinstance(fitted, hf.models.embedding.GenewisePCA):
        np.testing.assert_allclose(errors.per_gene, wrong.sum(0).reshape(5, 24).mean(1) / 400)
    else:
        assert errors.per_gene is None


def test_thresholds_by_hand() -> None:
    values = np.array([[0.7, 0.1, 0.9, 0.2], [0.5, 0.8, 0.5, 0.5], [0, 0, 1, 1], [7, 7, 7, 7]], np.float32)
    # one of four; two of four, of which three are alike: one; four of four; none
    found = calibrated_thresholds(values.copy(), np.array([[1, 2, 4, 0]]))
    np.testing.assert_allclose(found, [[0.8, 0.65, -np.inf, np.inf]])
    # of two pairs one value is wanted: none or two are as near
    np.testing.assert_allclose(calibrated_thresholds(values[2:3].copy(), np.array([[1]])), [[np.inf]])
    # genotypes: three of four are 1 or more, one is 2
    np.testing.assert_allclose(calibrated_thresholds(values[:1].copy(), np.array([[3], [1]])), [[0.15], [0.8]])


def test_the_widest_window_that_is_good_enough() -> None:
    """Copies of few haplotypes: their 64 sites have few components; independent sites have as many as there are."""
    rng = np.random.default_rng(3)
    linked = rng.integers(0, 2, (5, 160))[rng.integers(0, 5, 200)]
    free = rng.integers(0, 2, (200, 160))
    assert hf.models.embedding.GenewisePCA().fit(hf.HaplotypeMatrix.from_dense(linked)).chosen_window == 64
    fitted = hf.models.embedding.GenewisePCA().fit(hf.HaplotypeMatrix.from_dense(free))
    assert (fitted.chosen_window, fitted.shape) == (8, (20, 8))


def test_some_windows_of_a_long_cohort_choose(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every third window of 64 sites is tried; what lies between them does not count."""
    rng = np.random.default_rng(3)
    X = rng.integers(0, 2, (200, 640))
    tried = (np.arange(640) // 64) % 3 == 0
    X[:, tried] = rng.integers(0, 2, (5, 256))[rng.integers(0, 5, 200)]
    H = hf.HaplotypeMatrix.from_dense(X)
    assert hf.models.embedding.GenewisePCA().fit(H).chosen_window == 8
    monkeypatch.setattr(embedding, "_TRIED_SITES", 256)
    assert hf.models.embedding.GenewisePCA().fit(H).chosen_window == 64


def test_windows_end_with_contigs() -> None:
    X = np.random.default_rng(0).integers(0, 2, (50, 30))
    H = hf.HaplotypeMatrix.from_dense(X, positions=np.arange(1, 31), contig=["1"] * 13 + ["2"] * 17)
    fitted = hf.models.embedding.GenewisePCA(window=8).fit(H)
    np.testing.assert_array_equal(fitted.layout.start, [0, 8, 13, 21, 29, 30])
    assert fitted.layout.name.tolist() == ["1:1-8", "1:9-13", "2:14-21", "2:22-29", "2:30-30"]


def test_windows_of_distance() -> None:
    X = np.random.default_rng(0).integers(0, 2, (50, 230))
    contig = ["1"] * 10 + ["2"] * 220
    cm = np.concatenate([[0.5, 0.6, 1.4, 1.5, 1.6, 2.6, 2.7, 9, 9, 9], np.linspace(3, 3.9, 220)])
    H = hf.HaplotypeMatrix.from_dense(X, positions=np.arange(1, 231), contig=contig)
    with pytest.raises(
        ValueError, match="expected genetic positions for windows in centimorgans, found none at site 0"
    ):
        hf.models.embedding.GenewisePCA(window_cm=1).fit(H)
    H = hf.HaplotypeMatrix(H.words, H.sites.with_genetic_positions(cm), H.samples)
    fitted = hf.models.embedding.GenewisePCA(window_cm=1).fit(H)
    np.testing.assert_array_equal(fitted.layout.start, [0, 3, 5, 7, 10, 84, 157, 230])  # at most 100 sites
    assert fitted.settings["window_cm"] == 1
    assert fitted.chosen_window is None


def nearest_gene(genes: list[tuple[str, int, int]], contig: str, position: int, most: int) -> int:
    """The gene of a site: distance, and of those that hold it the one that starts last, the shortest."""
    near = []
    for k, (name, start, end) in enumerate(genes):
        distance = max(start - position, position - end, 0)
        if name == contig and distance <= most:
            near.append((distance, start > position, -start if distance == 0 else 0, end if distance == 0 else 0, k))
    return min(near)[-1] if near else -1


def test_nearest_genes(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    path = tmp_path / "genes.bed"
    for trial in range(20):
        # ends and starts differ, so that only one gene is nearest from each side
        places = rng.choice(np.arange(10, 900), (12, 2), replace=False)
        genes = [(f"{1 + k % 2}", int(min(p)), int(max(p)) if k % 3 else int(min(p)) + 5) for k, p in enumerate(places)]
        path.write_text("".join(f"chr{c}\t{start - 1}\t{end}\tG{k}\n" for k, (c, start, end) in enumerate(genes)))
        position = np.sort(rng.choice(np.arange(1, 1000), 150, replace=False))
        contig = ["1"] * 150 + ["2"] * 150 + ["3"] * 10
        positions = np.concatenate([position, position, position[:10]])
        H = hf.HaplotypeMatrix.from_dense(rng.integers(0, 2, (20, 310)), positions=positions, contig=contig)
        most = [0, 20, 100][trial % 3]
        fitted = hf.models.embedding.GenewisePCA(path, max_distance_bp=most, window=7).fit(H)
        layout = fitted.layout
        layout.check(310)
        first = layout.order[layout.start[:-1]]
        assert (np.diff(first) > 0).all()
        found = np.full(310, -1)
        for gene, name in enumerate(layout.name.tolist()):
            index = layout.order[layout.start[gene] : layout.start[gene + 1]]
            assert (np.diff(index) > 0).all()
            if name.startswith("G"):
                found[index] = int(name[1:].partition("/")[0])
            else:
                assert len(index) <= 7
                assert (np.diff(index) == 1).all()
                assert len({contig[j] for j in index}) == 1
                assert name == f"{contig[index[0]]}:{positions[index[0]]}-{positions[index[-1]]}"
        expected = [nearest_gene(genes, c, int(p), most) for c, p in zip(contig, positions, strict=True)]
        np.testing.assert_array_equal(found, expected)
    assert fitted.settings["genes"] == str(path)
    np.testing.assert_array_equal(
        hf.models.embedding.restore(fitted.settings, fitted.tensors(), fitted.sites).layout.name, layout.name
    )


def test_genes_that_do_not_fit(tmp_path: Path, cohort: hf.HaplotypeMatrix) -> None:
    path = tmp_path / "genes.bed"
    path.write_text("17\t5000\t6000\tA\n")
    with pytest.raises(ValueError, match=r"genes.bed: expected genes within 10000 bp of the sites, .*, found none"):
        hf.models.embedding.GenewisePCA(path).fit(cohort)
    with pytest.raises(ValueError, match="expected known positions for genes, found a count"):
        hf.models.embedding.GenewisePCA(path).fit(hf.HaplotypeMatrix.from_dense(cohort.to_dense()))


def test_genes_of_more_than_100_sites(tmp_path: Path, cohort: hf.HaplotypeMatrix) -> None:
    path = tmp_path / "genes.bed"
    name = cohort.sites.contig[0]
    path.write_text(f"{name}\t0\t{cohort.sites.position[-1]}\tA\n")
    fitted = hf.models.embedding.GenewisePCA(path).fit(cohort)
    np.testing.assert_array_equal(fitted.layout.start, [0, 60, 120])
    assert fitted.layout.name.tolist() == ["A/1", "A/2"]
    assert fitted.chosen_window is None


def test_sites_that_do_not_vary() -> None:
    X = np.zeros((20, 16), np.uint8)
    X[:, 3], X[:, 9] = 1, np.arange(20) % 2
    H = hf.HaplotypeMatrix.from_dense(X)
    fitted = hf.models.embedding.GenewisePCA(window=8).fit(H)
    np.testing.assert_array_equal(fitted.mask.sum(1), [0, 1])
    noise = np.random.default_rng(0).normal(size=(30, 2, 8)).astype(np.float32)
    drawn = fitted.decode(noise).to_dense()
    assert drawn[:, 3].all()
    assert 0 < drawn[:, 9].sum() < 30
    assert not np.delete(drawn, [3, 9], axis=1).any()


def test_a_loaded_embedding_is_the_same(fitted: Any, cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    fitted.save(tmp_path / "e")
    loaded = embedding.load(tmp_path / "e")
    assert type(loaded) is type(fitted)
    assert loaded.settings == fitted.settings
    assert loaded.sites == cohort.sites
    E = fitted.encode(cohort)
    np.testing.assert_array_equal(loaded.encode(cohort), E)
    np.testing.assert_array_equal(loaded.decode(E).words, fitted.decode(E).words)
    again = embedding.restore(fitted.settings, fitted.tensors(), fitted.sites)
    np.testing.assert_array_equal(again.values(E), fitted.values(E))
    fitted.save(tmp_path / "e")  # in place
    weights = tmp_path / "e" / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(ChecksumError):
        embedding.load(tmp_path / "e")


def test_parts_of_others_are_refused(fitted: Any, cohort: hf.HaplotypeMatrix, tmp_path: Path) -> None:
    settings, tensors, sites = fitted.settings, fitted.tensors(), fitted.sites
    for name in tensors:
        with pytest.raises((KeyError, ValueError), match=name):
            embedding.restore(settings, {key: tensors[key] for key in tensors if key != name}, sites)
        with pytest.raises(ValueError, match="expected"):
            embedding.restore(settings, tensors | {name: tensors[name][..., :-1]}, sites)
    if isinstance(fitted, hf.models.embedding.GenewisePCA):
        for name, first in (("order", 1), ("start", 5)):
            array = tensors[name].copy()
            array[0] = first
            with pytest.raises(ValueError, match=f"{name}: expected"):
                embedding.restore(settings, tensors | {name: array}, sites)
    with pytest.raises(ValueError, match="expected one of genewise_pca, cohort_pca, found 'other'"):
        embedding.restore(settings | {"embedding": "other"}, tensors, sites)
    hf.models.Bernoulli().fit(cohort).save(tmp_path / "m")
    with pytest.raises(FormatError, match="the parts of an embedding"):
        embedding.load(tmp_path / "m")


def test_no_rows(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    E = fitted.encode(cohort.select_haplotypes([]))
    assert E.shape == (0, *fitted.shape)
    assert fitted.values(E).shape == (0, 120)
    assert fitted.decode(E).shape == (0, 120)
    with pytest.raises(ValueError, match="expected at least one row"):
        fitted.errors(cohort.select_haplotypes([]))


WHOLE_GENOME = """
import time
import numpy as np
import hapforge as hf
from hapforge import _backend
from hapforge.haplotypes import Sites

_backend.set_threads(2)
ooa = hf.datasets.load("ooa").words[:, :156]
words = np.empty((5008, 50 * 26624 // 64), np.uint64)
for copy, first in enumerate(range(0, words.shape[1], 156)):
    part = words[:, first : first + 156]
    part[:] = np.roll(ooa, 74 * copy, axis=0)[:, : part.shape[1]]
H = hf.HaplotypeMatrix(words, Sites(num_sites=50 * 26624))
start = time.process_time()
embedding = hf.models.embedding.GenewisePCA(window=50).fit(H)
seconds = time.process_time() - start
part = H.select_haplotypes(np.arange(256))
E = embedding.encode(part)
wrong = np.bitwise_count(embedding.decode(E).words ^ part.words).sum() / (256 * 50 * 26624)
peak = next(int(line.split()[1]) >> 10 for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(*E.shape, wrong, seconds, peak)
"""


@pytest.mark.slow
def test_a_whole_genome() -> None:
    """26,624 genes of 50 sites and 5008 haplotypes: below two minutes on two cores, and 4 GB with the packed cohort."""
    done = subprocess.run([sys.executable, "-c", WHOLE_GENOME], capture_output=True, text=True, check=True)
    rows, genes, channels, wrong, cpu_seconds, peak_mb = map(float, done.stdout.split())
    assert (rows, genes, channels) == (256, 26_624, 8)
    assert wrong < 0.01
    assert cpu_seconds < 240
    assert peak_mb < 4000


def test_bad_input(fitted: Any, cohort: hf.HaplotypeMatrix) -> None:
    with pytest.raises(ValueError, match="expected the 120 sites that the embedding was fitted to, found 119 others"):
        fitted.encode(cohort.select_sites(np.arange(119)))
    with pytest.raises(ValueError, match=r"E: expected shape \(n, 5, 8\), found \(2, 4, 8\)"):
        fitted.decode(np.zeros((2, 4, 8), np.float32))
    with pytest.raises(TypeError, match="E: expected float32, found int64"):
        fitted.decode(np.zeros((2, 5, 8), np.int64))
    new = type(fitted)(unit=fitted.unit)
    for use in (lambda: new.encode(cohort), lambda: new.shape, lambda: new.mask, new.tensors):
        with pytest.raises(ValueError, match="call fit first"):
            use()
    with pytest.raises(ValueError, match="expected two rows or more"):
        new.fit(cohort.select_haplotypes([0, 1]) if fitted.unit == "person" else cohort.select_haplotypes([0]))
    if fitted.unit == "person":
        with pytest.raises(ValueError, match="expected two haplotypes of every person"):
            new.fit(cohort.select_haplotypes(np.arange(399)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: hf.models.embedding.GenewisePCA(unit="genome"),
            "unit: expected 'haplotype' or 'person', found 'genome'",
        ),
        (lambda: hf.models.embedding.GenewisePCA(window=101), "window: expected 1 to 100 sites, found 101"),
        (lambda: hf.models.embedding.GenewisePCA(window_cm=0), "window_cm: expected centimorgans above 0, found 0"),
        (lambda: hf.models.embedding.GenewisePCA(window=8, window_cm=1), "expected one of them, found both, 8 and 1"),
        (lambda: hf.models.embedding.GenewisePCA(max_distance_bp=-1), "max_distance_bp: expected 0 or more, found -1"),
        (lambda: hf.models.embedding.GenewisePCA(explained=0), "explained: expected a share above 0, up to 1, found 0"),
        (lambda: hf.models.embedding.CohortPCA(components=0), "components: expected 1 or more, found 0"),
    ],
)
def test_bad_settings(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()

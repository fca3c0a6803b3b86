"""What the figures hold, against hand-worked numbers; the static drawings."""

from __future__ import annotations

import dataclasses
import struct
import sys

import numpy as np
import pytest

from hapforge.errors import MissingDependencyError
from hapforge.metrics.chains import PATTERNS
from hapforge.metrics.mixing import MixedAccuracy
from hapforge.report import figures
from hapforge.report.data import Score
from hapforge.report.figures._base import MAX_BINS, MAX_POINTS, MAX_SITES_AS_POINTS, NAME_WIDTH, SET_COLOURS
from hapforge.report.figures.allele_frequency import AlleleFrequencies
from hapforge.report.figures.by_label import LabelScores
from hapforge.report.figures.chains import NeighbourChains
from hapforge.report.figures.closest_pairs import ClosestDistances, ClosestSet
from hapforge.report.figures.ld import LDDecayCurves, LDMatrices
from hapforge.report.figures.minimum_distance import MinimumDistances
from hapforge.report.figures.mixing import MixedAccuracies
from hapforge.report.figures.pairwise import PairwiseDifferences
from hapforge.report.figures.pca import PairPCAs
from hapforge.report.figures.umap import PairUMAPs, UMAPLayout
from hapforge.report.html import packed, plot
from report.evaluation_factory import CONTROLS, SETS, make_evaluation

# Machado, Oliveira and Fernandes 2009, severity 1.0, on linear RGB
_VISION = {
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.3039]],
    "normal": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def _linear(colour: str) -> np.ndarray:
    c = np.array([int(colour[k : k + 2], 16) for k in (1, 3, 5)]) / 255
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def _cielab(linear: np.ndarray) -> np.ndarray:
    to_xyz = [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175], [0.0193339, 0.119192, 0.9503041]]
    xyz = np.array(to_xyz) @ linear / [0.95047, 1, 1.08883]
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_colours_are_told_apart_and_stand_out(scheme):
    colours = figures.palette(scheme)
    drawn = [colours["real"], *SET_COLOURS[scheme]]
    for vision in _VISION.values():
        seen = [_cielab(np.clip(np.array(vision) @ _linear(colour), 0, 1)) for colour in drawn]
        closest = min(np.linalg.norm(a - b) for i, a in enumerate(seen) for b in seen[:i])
        assert closest >= 14
    paper = _linear(colours["paper"]) @ _LUMINANCE

    def contrast(colour: str) -> float:
        low, high = sorted([paper, _linear(colour) @ _LUMINANCE])
        return (high + 0.05) / (low + 0.05)

    assert min(map(contrast, drawn)) >= 3.0  # WCAG 2.2, 1.4.11: graphical objects
    assert contrast(colours["ink"]) >= 7.0
    paper = _linear(colours["tint"]) @ _LUMINANCE  # the darker ground in the light scheme, the lighter in the dark one
    for role in ("muted", "good", "fair", "poor", "unknown"):
        assert contrast(colours[role]) >= 4.5  # 1.4.3: text


def _figure(data, key):
    return next(figure for figure in figures.build(data) if figure.key == key)


def test_every_figure_in_order_and_a_set_has_one_colour_everywhere():
    data = make_evaluation()
    built = figures.build(data)
    assert [figure.key for figure in built] == [
        "allele-frequencies",
        "low-allele-frequencies",
        "site-frequency-spectrum",
        "fixed-sites",
        "frequency-quantiles",
        "ld-matrix",
        "ld-decay",
        "ld-decay-common",
        "ld-bins",
        "ld-pairs",
        "three-point-0",
        "three-point-1",
        "three-point-2",
        "motifs-4",
        "motifs-8",
        "pairwise-differences",
        "combined-components",
        "principal-components",
        "later-components",
        "component-distances",
        "adversarial-accuracy",
        "mixed-accuracy",
        "neighbour-chains",
        "minimum-distances",
        "closest-pairs",
        "by-label-0",
        "haplotype-structure",
        "radar",
    ]
    style = figures.styles(data)
    assert len({s.colour for s in style.values()}) == 6
    assert [style[name].dash for name in SETS + CONTROLS] == ["solid"] * 3 + ["dash"] * 3
    labels = {s.label: s.colour for s in style.values()}
    curves = [series for figure in built for panel in figure.panels if panel.legend for series in panel.series]
    assert all(labels.get(series.name, "real") == series.style.colour for series in curves)
    clouds = {panel.title: panel.series[-1].style.colour for panel in _figure(data, "principal-components").panels}
    assert clouds == {name: style[name].colour for name in SETS + CONTROLS}


def test_what_is_drawn_is_bounded_whatever_the_cohorts():
    """Ten sets at 65,535 sites and 100,000 rows; by all figures together what a browser draws and a page carries."""
    data = make_evaluation([f"set {i}" for i in range(10)], num_sites=65_535, num_haplotypes=100_000)
    for figure in figures.build(data):
        assert sum(len(s.x) for panel in figure.panels for s in panel.series if s.kind == "points") <= MAX_POINTS
        for panel in figure.panels:
            grids = [
                s.values if s.kind == "image" else s.counts for s in panel.series if s.kind in ("density", "image")
            ]
            assert all(grid.size <= 40_000 for grid in grids)
            marks = sum(len(s.x) for s in panel.series if s.kind not in ("density", "image"))
            assert marks <= 3_000, (figure.key, panel.title)
        assert len(packed([plot(panel) for panel in figure.panels])) < 500_000, figure.key


def test_many_sets_are_told_apart_by_colour_and_pattern():
    style = figures.styles(make_evaluation([f"set {i}" for i in range(24)], ["a", "b", "c", "d", "e", "f"]))
    assert len({(s.colour, s.dash) for s in style.values()}) == 30


def without(data, key):
    return {"curves": {name: found for name, found in data.curves.items() if name != key}}


def with_curve(data, key, found, **changes):
    return dataclasses.replace(data, curves={**data.curves, key: found}, **changes)


def test_a_field_without_numbers_is_left_out():
    full = make_evaluation()
    everything = {figure.key for figure in figures.build(full)}
    pairs = {"principal-components", "later-components", "component-distances"}
    for gone, keys in [
        (without(full, "allele_frequencies"), {"allele-frequencies", "low-allele-frequencies"}),
        ({"scores": {}}, {"adversarial-accuracy", "radar"}),
        (without(full, "principal_components"), pairs),
        (without(full, "combined_components"), {"combined-components"}),
        (without(full, "pairwise_differences"), {"pairwise-differences"}),
        (without(full, "ld_decay"), {"ld-decay", "ld-decay-common", "ld-bins"}),
        (without(full, "ld_matrices"), {"ld-matrix"}),
        (without(full, "ld_correlation"), {"ld-pairs"}),
        (without(full, "motifs"), {"motifs-4", "motifs-8"}),
        (without(full, "neighbour_chains"), {"neighbour-chains"}),
        (without(full, "minimum_distances"), {"minimum-distances"}),
        (without(full, "mixed_accuracy"), {"mixed-accuracy"}),
        (without(full, "closest_pairs"), {"closest-pairs"}),
    ]:
        left = {figure.key for figure in figures.build(dataclasses.replace(full, **gone))}
        assert everything - left == keys


def test_labels_are_short_unique_and_never_that_of_real():
    names = ["real", "real, within", "x" * 60 + "/a", "x" * 60 + "/b", "y" * 80, "y" * 79]
    style = figures.styles(make_evaluation(names, []))
    labels = [style[name].label for name in names]
    assert labels[:2] == ["real (2)", "real, within (2)"]
    assert labels[2].endswith("x/a")
    assert labels[3].endswith("x/b")
    assert labels[5].endswith("y (2)")
    assert len(set(labels)) == 6
    assert max(map(len, labels)) <= NAME_WIDTH


def test_invisible_characters_are_made_visible():
    assert figures.shown("a\u202eb\x00c\ud800d\u200be\nf\tg") == "a\ufffdb\ufffdc\ufffdd\ufffde f g"
    assert figures.shown("Yoruba ≤ 0.2, 東京, é") == "Yoruba ≤ 0.2, 東京, é"


def _frequencies(real, **sets):
    found = AlleleFrequencies(np.array(real), {name: np.array(f) for name, f in sets.items()})
    return with_curve(make_evaluation(list(sets), []), "allele_frequencies", found)


def test_low_frequencies_include_the_limit_and_say_what_is_cut():
    full, low, *_ = figures.build(_frequencies([0.0, 0.1, 0.2, 0.21, 1.0], A=[0.0, 0.9, 0.2, 0.2, 1.0]))
    (points,) = full.panels[0].series
    assert points.x.tolist() == [0.0, 0.1, 0.2, 0.21, 1.0]
    assert points.y.tolist() == [0.0, 0.9, 0.2, 0.2, 1.0]
    (points,) = low.panels[0].series
    assert points.x.tolist() == [0.0, 0.1, 0.2]
    assert points.y.tolist() == [0.0, 0.3, 0.2]
    assert "3 sites" in low.caption
    assert "1 points above 0.3" in low.caption
    assert "above" not in full.caption


def test_many_sites_are_counted_and_none_is_lost(rng):
    n = MAX_SITES_AS_POINTS
    for sites, kind in [(n, "points"), (n + 1, "density")]:
        real, synthetic = rng.random(sites), rng.random(sites)
        real[:2], synthetic[:2] = [0, 1], [1, 1]
        (series,) = figures.build(_frequencies(real, A=synthetic))[0].panels[0].series
        assert series.kind == kind
    assert series.counts.sum() == sites
    assert series.counts[-1, 0] >= 1  # rows are the set's frequency, columns the real one
    column = series.counts[:, 10].sum()
    assert column == ((real >= 0.1) & (real < 0.11)).sum()


def test_components_of_a_pair_and_of_all_together():
    data = make_evaluation(["A", "B"], ["real half"])
    built = {figure.key: figure for figure in figures.build(data)}
    pair = data.curves["principal_components"].sets["B"]
    panel = built["principal-components"].panels[1]
    real, synthetic = panel.series
    assert (real.kind, synthetic.kind) == ("density", "points")
    assert real.counts.tolist() == pair.density.tolist()
    assert synthetic.y.tolist() == pair.synthetic[:, 1].tolist()
    assert panel.x_label == "PC1 (18.3 %)"
    assert "300 points are drawn (of up to 2,504)" in built["principal-components"].caption
    combined = built["combined-components"].panels
    assert [panel.title for panel in combined] == ["real", "A", "B", "real half"]
    assert {panel.x_range for panel in combined} == {(-12.0, 12.0)}
    assert combined[2].series[0].counts.sum() == data.curves["combined_components"].sets["B"].sum()
    later = built["later-components"].panels
    assert [(panel.title, panel.x_label[:3]) for panel in later] == [
        (name, f"PC{i}") for name in "AB" for i in (3, 5, 7, 9)
    ]
    assert later[4].series[0].y.tolist() == pair.real[:, 3].tolist()
    (distances,) = built["component-distances"].panels
    assert [series.name for series in distances.series] == ["A", "B", "real half"]
    assert distances.series[1].x.tolist() == [1, 3, 5, 7, 9]
    assert distances.series[1].y.tolist() == pair.wasserstein.tolist()


def test_further_components_of_few_sets_and_of_none():
    built = {figure.key: figure for figure in figures.build(make_evaluation(list("ABCDE"), []))}
    assert {panel.title for panel in built["later-components"].panels} == set("ABC")
    assert "The first 3 sets are drawn; 2 more are not." in built["later-components"].caption
    data = make_evaluation(["A"], [])
    pair = data.curves["principal_components"].sets["A"]
    two = dataclasses.replace(
        pair,
        real=pair.real[:, :2],
        synthetic=pair.synthetic[:, :2],
        explained=pair.explained[:2],
        wasserstein=pair.wasserstein[:1],
    )
    keys = {figure.key for figure in figures.build(with_curve(data, "principal_components", PairPCAs({"A": two})))}
    assert "principal-components" in keys
    assert not keys & {"later-components", "component-distances"}


def test_umap_layouts(rng):
    real, synthetic = rng.normal(size=(30, 2)), rng.normal(size=(20, 2))
    data = with_curve(make_evaluation(["A"], []), "umap", PairUMAPs({"A": UMAPLayout(real, synthetic)}))
    (panel,) = next(figure for figure in figures.build(data) if figure.key == "umap").panels
    assert [series.name for series in panel.series] == ["real", "A"]
    assert panel.series[1].y.tolist() == synthetic[:, 1].tolist()


def test_distributions_keep_all_pairs_and_their_place():
    counts = np.zeros(10_001, dtype=np.int64)
    counts[[50, 51, 4_000]] = [1, 1, 2]
    pairs = PairwiseDifferences(counts, {"A": counts}, {"A": 3 * counts})
    data = with_curve(make_evaluation(["A"], []), "pairwise_differences", pairs)
    figure = next(f for f in figures.build(data) if f.key == "pairwise-differences")
    width = -(-(4_000 - 50 + 1) // MAX_BINS)
    for panel in figure.panels:
        for series in panel.series:
            assert len(series.x) <= MAX_BINS
            assert series.y.sum() * width == pytest.approx(100)
            assert series.y[0] * width == pytest.approx(50)
            assert series.x[0] == 50 + (width - 1) / 2
    counts = np.zeros(31, dtype=np.int64)
    counts[[0, 30]] = [2, 8]
    pairs = PairwiseDifferences(counts, {}, {"A": counts})
    figure = next(f for f in figures.build(with_curve(data, "pairwise_differences", pairs)) if f.key.startswith("pair"))
    line = figure.panels[1].series[1]
    assert line.x.tolist() == list(range(31))
    assert line.y[[0, 1, 30]].tolist() == [20, 0, 80]
    assert "identical other haplotype: A 2." in figure.caption
    assert len(figure.panels[0].series) == 1


def test_accuracy_bars_show_both_parts_and_prefer_one_n_for_all():
    data = make_evaluation()
    figure = next(f for f in figures.build(data) if f.key == "adversarial-accuracy")
    (panel,) = figure.panels
    assert panel.names[:2] == ("RBM", "WGAN <65k> & friends")
    assert panel.vertical == 0.5
    assert [(s.pale, s.x[0], s.low[0], s.high[0]) for s in panel.series[:2]] == [
        (key == "aa_syn", score.value, score.low, score.high)
        for key in ("aa_truth", "aa_syn")
        for score in [data.scores["RBM"][key]]
    ]
    for scores in data.scores.values():
        scores["aa_truth_equal_n"] = scores["aa_syn_equal_n"] = Score(0.25, np.nan, np.nan, 10, "")
    figure = next(f for f in figures.build(data) if f.key == "adversarial-accuracy")
    assert {series.x[0] for series in figure.panels[0].series} == {0.25}
    assert "same number of haplotypes" in figure.caption


def test_chains_are_shares_of_those_that_begin_alike():
    frequency = [0.0] * len(PATTERNS)
    frequency[PATTERNS.index("SS")], frequency[PATTERNS.index("STTTT")] = 0.4, 0.05
    found = NeighbourChains(list(PATTERNS), {"A": frequency}, 30)
    figure = _drawn(with_curve(make_evaluation(["A"], []), "neighbour_chains", found), "neighbour-chains")
    even, line = figure.panels[0].series
    assert even.y.tolist() == [0.5, 0.25, 0.125, 0.0625]
    assert line.x.tolist() == [2, 3, 4, 5]
    assert line.y.tolist() == [0.8, 0, 0, 0]
    assert figure.panels[1].series[1].y.tolist() == [0, 0, 0, 0.1]
    assert "2 x 30" in figure.caption


def test_minimum_distances_share_their_bins():
    real, near, far = (np.bincount(where, minlength=12) for where in ([4, 5], [1, 1], [11]))
    found = MinimumDistances(real, {"A": near}, {"A": far}, {"A": real}, 2, 10)
    figure = _drawn(with_curve(make_evaluation(["A"], []), "minimum_distances", found), "minimum-distances")
    assert [panel.series[0].y.tolist() for panel in figure.panels] == [[0, 0, 0, 50, 50, 0, 0, 0, 0, 0, 0]] * 3
    assert [panel.series[1].x[panel.series[1].y > 0].tolist() for panel in figure.panels] == [[1], [11], [4, 5]]


def test_mixed_sets_start_at_half_a_haplotype():
    found = MixedAccuracy(np.array([0, 1, 50]), np.array([0.5, 0.4, 0.3]), np.array([0.6, 0.5, 0.1]), 100)
    data = with_curve(make_evaluation(["A"], []), "mixed_accuracy", MixedAccuracies({"A": found}))
    figure = _drawn(data, "mixed-accuracy")
    assert [panel.series[0].x.tolist() for panel in figure.panels] == [[0.5, 1, 50]] * 2
    assert [panel.series[0].y.tolist() for panel in figure.panels] == [[0.5, 0.4, 0.3], [0.6, 0.5, 0.1]]


def test_the_closest_pair_is_said_in_words_and_names_nobody():
    one = ClosestSet(np.array([3, 9]), np.zeros(4), ["AG7", "AG8"], ["HG1_A", "HG2_B"], [3, 5], [40, 6])
    alone = ClosestSet(np.array([2, 2]), np.zeros(4), ["B1"], ["HG1_A"], [2], [-1])
    found = ClosestDistances(np.array([0.001, 0.1]), np.array([20, 30]), "held-out rows", [0.0], {"A": one, "B": alone})
    figure = _drawn(with_curve(make_evaluation(["A", "B"], []), "closest_pairs", found), "closest-pairs")
    assert "Closest pair: A 3 (next 40); B 2." in figure.caption
    assert "HG1" not in figure.caption + figure.alt
    assert [(s.x.tolist(), s.y.tolist()) for s in figure.panels[0].series] == [
        ([0.1, 10], [20, 30]),
        ([0.1, 10], [3, 9]),
        ([0.1, 10], [2, 2]),
    ]


def _drawn(data, key):
    return next(figure for figure in figures.build(data) if figure.key == key)


def test_ld_bins_stand_at_their_middle_on_the_log_axis():
    edges, real = np.array([0.0, 100.0, 10_000.0, 1e6]), np.array([0.5, 0.1, np.nan])
    curves = {"A": np.array([0.4, np.nan, np.nan])}
    data = with_curve(make_evaluation(["A"], []), "ld_decay", LDDecayCurves(edges, real, curves, "sites"))

    def drawn(data):
        return next(figure for figure in figures.build(data) if figure.key == "ld-decay")

    (panel,) = drawn(data).panels
    assert panel.series[0].x.tolist() == [50.0, 1000.0]  # the bin in which no curve has a pair is left out
    assert "positions are not known" in panel.x_label
    assert plot(panel)["data"][1]["y"] == [0.4, None]
    assert "vary in both" not in drawn(data).caption
    beside = LDDecayCurves(edges, real, curves, "sites", real_beside={"A": real})
    assert "vary in both" in drawn(with_curve(data, "ld_decay", beside)).caption


def test_real_ld_is_below_the_diagonal_and_the_set_above():
    """Rows are drawn from the bottom up: a row above the column's number is above the diagonal."""
    table = np.array([[-1, 100, 300], [20, -1, 50], [0, 40, -1]])
    found = LDMatrices({"A": np.arange(4)}, {"A": table})
    data = with_curve(make_evaluation(["A"], []), "ld_matrices", found)
    figure = next(f for f in figures.build(data) if f.key == "ld-matrix")
    (series,) = figure.panels[0].series
    assert series.y.tolist() == series.x.tolist() == [0, 1, 2]
    assert np.array_equal(series.values, np.where(table < 0, np.nan, table / 1000), equal_nan=True)
    assert "each cell a pair of sites" in figure.caption
    assert 0.2 < series.top < 0.3


def test_many_ld_matrices_get_coarser():
    """Means over the cells of the same side; at most 160,000 cells in all."""
    names = [f"s{i}" for i in range(10)]
    place = np.arange(200)
    table = np.where(place[:, None] <= place, 1000, 0)
    table[0, 0] = -1
    found = LDMatrices(dict.fromkeys(names, np.arange(201) * 30), dict.fromkeys(names, table))
    data = with_curve(make_evaluation(names, []), "ld_matrices", found)
    figure = next(f for f in figures.build(data) if f.key == "ld-matrix")
    for panel in figure.panels:
        (series,) = panel.series
        assert series.values.shape == (100, 100)
        assert (series.values[np.triu_indices(100)] == 1).all()
        assert (series.values[np.tril_indices(100, -1)] == 0).all()
        assert series.x[:2].tolist() == [29.5, 89.5]
    assert "runs of 60 sites" in figure.caption


def test_plotly_accepts_every_panel():
    import plotly.graph_objects as go

    colours = figures.palette("dark")

    def painted(node, key=""):
        if isinstance(node, dict):
            return {name: painted(part, name) for name, part in node.items()}
        if key == "colorscale":
            return [[at, colours[role]] for at, role in node]
        if isinstance(node, list):
            return [painted(part) for part in node]
        return colours.get(node, node) if isinstance(node, str) and key.endswith("color") else node

    kinds = set()
    for sites in (300, 6_000):
        for figure in figures.build(make_evaluation(num_sites=sites)):
            for panel in figure.panels:
                drawn = go.Figure(painted(plot(panel)))  # raises on an unknown or invalid property
                kinds |= {trace.type for trace in drawn.data}
    assert kinds == {"scatter", "bar", "heatmap"}


def _size(png: bytes) -> tuple[int, int]:
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", png[16:24])


def test_static_drawings_of_odd_names():
    """Warnings are errors here: no missing glyph, dropped label or formula may raise one."""
    data = make_evaluation(["$\\frac{x$", "_hidden"], ["東京 🧬", "%s{x}"], num_sites=200, num_haplotypes=50)
    for figure in figures.build(data):
        assert min(_size(figures.draw(figure))) > 200
    assert _size(figures.png(data)) == (1100, 800)
    assert _size(figures.png(data, "東京 🧬")) == (1100, 800)


def test_overview_shows_the_set_that_was_asked_for():
    data = make_evaluation(num_sites=200, num_haplotypes=50)
    assert figures.png(data) == figures.png(data, SETS[0])
    assert figures.png(data) != figures.png(data, SETS[1])
    with pytest.raises(ValueError, match=r"expected one of RBM.* found nobody"):
        figures.png(data, "nobody")
    with pytest.raises(ValueError, match="of which there are none"):
        figures.png(make_evaluation([], []))


def test_missing_matplotlib_is_named(monkeypatch):
    for module in [name for name in sys.modules if name.split(".")[0] == "matplotlib"]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(MissingDependencyError, match=r"matplotlib.*hapforge\[eval\]"):
        figures.png(make_evaluation(num_sites=50, num_haplotypes=20))


def test_labels_without_haplotypes_have_no_mark():
    data = make_evaluation()
    figure = next(figure for figure in figures.build(data) if figure.key == "by-label-0")
    assert [panel.title for panel in figure.panels][:3] == ["AA_truth", "AA_syn", "AF r"]
    first, *_, last = figure.panels[0].series
    assert (first.pale, last.pale) == (False, True)
    assert figure.panels[0].names == ("AFR", "AMR", "EAS", "<i>EUR</i>", "SAS")
    found = data.curves["label_scores"].sets
    for i, name in enumerate([*SETS, *CONTROLS]):
        values = [found[name]["population"][label]["af_r"].value for label in figure.panels[2].names]
        np.testing.assert_array_equal(figure.panels[2].series[i].x, values)
    assert np.isnan(figure.panels[0].series[2].x).tolist() == [False, True, False, False, False]
    assert "A label with fewer than 10 haplotypes has no mark" in figure.caption


def test_many_labels_are_left_out_and_said():
    data = make_evaluation(["RBM"], ["real half"])
    table = data.curves["label_scores"].sets["RBM"]["population"]["AFR"]
    many = {name: {"village": {f"v{i}": table for i in range(40)}} for name in ("RBM", "real half")}
    figure = next(
        f for f in figures.build(with_curve(data, "label_scores", LabelScores(many))) if f.key == "by-label-0"
    )
    assert len(figure.panels[0].names) == 30
    assert "Not drawn: 10 further labels" in figure.caption
    assert figures.draw(figure).startswith(b"\x89PNG")


def test_radar_scores_are_dots():
    data = make_evaluation()
    figure = next(figure for figure in figures.build(data) if figure.key == "radar")
    (panel,) = figure.panels
    assert len(panel.names) == 6
    for name, series in zip([*SETS, *CONTROLS], panel.series, strict=True):
        assert series.kind == "dots"
        assert series.x[0] == data.scores[name]["radar_af"].value
        assert np.isnan(series.x[1])  # no 3-point correlations here
        assert (series.low[0], series.high[0]) == (
            data.scores[name]["radar_af"].low,
            data.scores[name]["radar_af"].high,
        )


def test_pictures_of_haplotypes():
    data = make_evaluation()
    found = data.curves["haplotype_structure"]
    figure = next(figure for figure in figures.build(data) if figure.key == "haplotype-structure")
    assert [panel.title for panel in figure.panels] == ["real", *SETS, "holdout", "Bernoulli"]
    image = figure.panels[1].series[0].values
    assert image.shape == (30, 40)
    assert "".join(str(int(allele)) for allele in image[3]) == found.sets[SETS[0]][3]
    assert f"from position {found.position_bp[0]:,}" in figure.caption

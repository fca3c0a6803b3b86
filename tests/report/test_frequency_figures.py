"""Figures of spectra, lost sites, quantiles, motifs and 3-point correlations."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from hapforge.report import figures
from hapforge.report.figures.kmers import MotifDensities
from hapforge.report.figures.site_frequency import (
    FixedSiteList,
    FixedSites,
    FrequencyQuantiles,
    SiteFrequencySpectra,
)
from hapforge.report.figures.three_point import ThreePointDensities
from hapforge.report.html import plot
from report.evaluation_factory import make_evaluation


def built(found, key, sets=("A",)):
    data = dataclasses.replace(make_evaluation(list(sets), []), curves={"it": found})
    return next((figure for figure in figures.build(data) if figure.key == key), None)


def test_spectrum_is_per_count_and_leaves_out_what_cannot_be_seen():
    real, a = np.array([8.0, 6.0, 12.0]), np.array([0.01, 4.0, 0.0])
    found = SiteFrequencySpectra(
        14, np.array([1, 2, 4, 8]), real, {"A": a}, np.array([0, 0.5, 1]), np.array([20.0, 6.0]), {"A": np.zeros(2)}
    )
    folded, unfolded = built(found, "site-frequency-spectrum").panels
    first, second = folded.series
    assert folded.log_x
    assert folded.log_y
    assert first.name == "real"
    assert first.x.tolist() == pytest.approx([1, np.sqrt(6), np.sqrt(28)])  # middle of 1, of 2-3, of 4-7
    assert first.y.tolist() == [8, 3, 3]
    assert plot(folded)["data"][1]["y"] == [None, 2, None]
    assert np.isfinite(second.y).tolist() == [False, True, False]
    assert unfolded.series[0].x.tolist() == [0.25, 0.75]
    assert unfolded.series[0].y.tolist() == [20, 6]
    assert "14 haplotypes" in built(found, "site-frequency-spectrum").caption


def test_lost_sites_are_counted_from_a_frequency_on():
    none = FixedSiteList(np.array([], int), [], np.array([], int), np.array([]))
    limits = np.array([0.001, 0.01, 0.1])
    counts = {"A": np.array([120, 7, 0]), "B": np.array([0, 0, 0])}
    figure = built(FixedSites(limits, counts, {"A": none, "B": none}), "fixed-sites", ["A", "B"])
    (panel,) = figure.panels
    (series,) = panel.series
    assert series.x.tolist() == [0.001, 0.01]
    assert series.y.tolist() == [120, 7]
    assert "In all: A 120." in figure.caption
    assert built(FixedSites(limits, {"A": counts["B"]}, {"A": none}), "fixed-sites") is None


def test_quantiles_of_a_set_stand_against_those_of_the_real_cohort_in_its_sites():
    q = np.linspace(0.1, 1, 5)
    found = FrequencyQuantiles({"A": q, "B": q**2}, {"A": q**3, "B": q}, {"A": 40, "B": 50})
    figure = built(found, "frequency-quantiles", ["A", "B"])
    (panel,) = figure.panels
    assert panel.diagonal
    assert [s.x.tolist() for s in panel.series] == [q.tolist(), (q**2).tolist()]
    assert [s.y.tolist() for s in panel.series] == [(q**3).tolist(), q.tolist()]
    assert "40 to 50 sites" in figure.caption
    assert built(FrequencyQuantiles({}, {}, {}), "frequency-quantiles") is None


def test_motifs_lie_in_haplotypes():
    grid = np.zeros((4, 4), int)
    grid[3, 0] = 5
    found = MotifDensities(100, {"4": 80.0}, {"4": {"A": grid}})
    (panel,) = built(found, "motifs-4").panels
    (series,) = panel.series
    assert series.x.tolist() == series.y.tolist() == [10, 30, 50, 70]
    assert series.counts[3, 0] == 5  # many in the set, few in the real cohort
    assert panel.x_range == panel.y_range == (0, 80)
    assert "motifs<" in plot(panel)["data"][0]["hovertemplate"]
    assert built(found, "motifs-8") is None


def test_three_point_is_centred_and_its_line_goes_through_both_quadrants():
    grid = np.zeros((3, 3), int)
    grid[1, 2] = 9
    found = ThreePointDensities({"1": 9, "random": 9}, {"1": 0.3, "random": 6.0}, {"A": {"1": grid, "random": grid}})
    figure = built(found, "three-point-0")
    assert [panel.title for panel in figure.panels] == ["spacing 1", "random sites"]
    assert figure.panels[0].series[0].x.tolist() == pytest.approx([-0.2, 0, 0.2])
    assert figure.panels[1].series[0].y.tolist() == [-4, 0, 4]
    (line,) = plot(figure.panels[1])["layout"]["shapes"]
    assert (line["x0"], line["y0"], line["x1"], line["y1"]) == (-6, -6, 6, 6)
    assert figure.heading == "3-point correlations: A"

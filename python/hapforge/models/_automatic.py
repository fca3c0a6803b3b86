"""Settings of an RBM by the cohort that it is trained on."""

from __future__ import annotations

import dataclasses
from typing import Any, TypeVar

from hapforge.alignment import alphabet_of
from hapforge.haplotypes import HaplotypeMatrix, seeded_order
from hapforge.kernels import allele_counts, nearest_neighbours
from hapforge.models._rbm_config import AutomaticRBMConfig, RBMConfig

LOOSE = 0.25
RECTIFIED_DIFFERENCES = 400
_RECTIFIED_RATE, _HIGHEST_RATE, _AT_DIFFERENCES = 0.005, 0.02, 340
_ROWS = 5000
_BATCH = 250
_Config = TypeVar("_Config", bound=RBMConfig)
_Automatic = TypeVar("_Automatic", bound=AutomaticRBMConfig)


def differences(H: HaplotypeMatrix) -> float:
    """Mean number of sites at which two haplotypes drawn at random differ, the sum of 2 f (1 - f); of 5,000 rows."""
    some = _some(H)
    frequency = allele_counts(some) / some.num_haplotypes
    return float((2 * frequency * (1 - frequency)).sum())


def nearness(H: HaplotypeMatrix) -> float:
    """Mean distance of a haplotype to its nearest other one over that of two haplotypes drawn at random.

    Of at most 5,000 rows; 1 where there is nothing to compare. 0.66 on 805 sites spread over all autosomes, 0.02 on a
    region of 300 kb (benchmarks/results/rbm_quality.json).
    """
    apart = differences(H)
    if H.num_haplotypes < 2 or not apart:
        return 1.0
    return float(nearest_neighbours(_some(H)).distance.mean()) / apart


def _some(H: HaplotypeMatrix) -> HaplotypeMatrix:
    return H.select_haplotypes(seeded_order(H.num_haplotypes, 0)[:_ROWS])


def settings_for(
    H: HaplotypeMatrix, *, hidden: str = "", learning_rate: float = 0.0, num_hidden: int = 0
) -> dict[str, Any]:
    """Settings by the rows and sites of a training cohort, and by how close its haplotypes are to each other.

    Where the nearest other haplotype is far (`nearness` of `LOOSE` or more: sites that are hardly linked, or few
    haplotypes) machines are small and training is short, since more of it learns single haplotypes. Hidden units are
    rectified there, at a low rate, where haplotypes differ at no more than 400 sites: their draws need no lower
    temperature, and leak less (benchmarks/results/rbm_leakage.json). Twice the rate ended in a blow-up in some runs at
    342 differences, the rate itself in one at 900. Where there are fewer a hidden unit sees less of a haplotype, and
    learns as much slower: the rate is higher in proportion, up to four times. Binary units, or a rate for them, can be
    asked for. An epoch has nine updates however few the rows, since what is learnt of single haplotypes grows with the
    passes over them; few hundred rows get fewer hidden units, and where these are rectified fewer passes.

    Where haplotypes of a region nearly repeat each other, draws are told from real ones by a few alleles. There the
    gradient is whitened, which allows a rate five times as high without loss of frequencies, and 2,500 updates follow.
    Over 2,000 sites the rate is half of that: on 4,000, with 500 units, it ended in a blow-up. More than 300 hidden
    units, which make the same rate a longer step, are whitened further. Longer training brings draws nearer to real
    haplotypes, and to those of training persons more than to others.

    Parameters
    ----------
    hidden : kind of hidden units that is asked for; "": none
    learning_rate : rate that is asked for, one of binary units where no kind is and of a gradient that is not whitened;
        0: none
    num_hidden : number of hidden units that is asked for; 0: none

    Returns
    -------
    dict of hidden, num_hidden, gibbs_steps, epochs, batch_size, num_chains, learning_rate, whiten_above;
        of a loose cohort's rectified units temperature, too, which is else chosen after training
    """
    num_rows = H.num_haplotypes
    loose = nearness(H) >= LOOSE
    left = loose and not hidden and not learning_rate
    apart = differences(H)
    rectified = hidden == "relu" or (left and apart <= RECTIFIED_DIFFERENCES)
    if loose:
        few = {
            "num_hidden": min(50 if rectified else 100, max(2, num_rows // 5)),
            "epochs": round(240 * min(1.0, max(1 / 3, num_rows / 1000))) if rectified else 120,
            "batch_size": min(_BATCH, max(1, num_rows // 9)),
        }
    if loose and rectified:
        return {
            "hidden": "relu",
            **few,
            "gibbs_steps": 10,
            "num_chains": 250,
            "learning_rate": min(_HIGHEST_RATE, _RECTIFIED_RATE * max(1.0, _AT_DIFFERENCES / max(apart, 1.0))),
            "whiten_above": 0.0,
            "temperature": 1.0,
        }
    if loose:
        return {
            "hidden": "bernoulli",
            **few,
            "gibbs_steps": 20,
            "num_chains": 250,
            "learning_rate": 0.12,
            "whiten_above": 0.0,
        }
    return {
        "hidden": "relu" if rectified else "bernoulli",
        "num_hidden": 300,
        "gibbs_steps": 10,
        "epochs": _epochs_of_a_region(num_rows),
        "batch_size": min(_BATCH, num_rows),
        "num_chains": 250,
        "learning_rate": _RECTIFIED_RATE if rectified else _whitened_rate(H),
        "whiten_above": 0.0 if rectified or learning_rate else _whitened_above(num_hidden),
    }


def completed(config: _Automatic, H: HaplotypeMatrix) -> _Automatic:
    """The config with what it leaves open as `settings_for` chooses it (but for a temperature that it doesn't)."""
    asked = {name: getattr(config, name) for name in ("hidden", "learning_rate", "num_hidden")}
    return filled(config, settings_for(H, **asked))


def filled(config: _Config, chosen: dict[str, Any]) -> _Config:
    """The config, with a chosen setting where it leaves one open ("" or 0)."""
    return dataclasses.replace(config, **{name: value for name, value in chosen.items() if not getattr(config, name)})


def labelled_settings_for(
    H: HaplotypeMatrix, *, training: str = "rdm", learning_rate: float = 0.0, num_hidden: int = 300
) -> dict[str, Any]:
    """Settings of a labelled machine by its training cohort.

    Where haplotypes of a region nearly repeat each other (`nearness` below `LOOSE`) the gradient is whitened, as that
    of `settings_for` is, and labels overlap: telling them counts an eighth of drawing by them, since at equal weight
    more are told, but draws keep less to theirs (benchmarks/results/labelled_lct.json). Elsewhere, for aligned
    sequences and for persistent chains, whose rate is lower, it is not whitened.

    Parameters
    ----------
    training : "rdm" or "pcd"
    learning_rate : rate that is asked for, one of a gradient that is not whitened; 0: none
    num_hidden : number of hidden units

    Returns
    -------
    dict of epochs, batch_size, learning_rate, whiten_above, telling_weight
    """
    num_rows = H.num_haplotypes
    if training == "rdm" and not learning_rate and not alphabet_of(H.sites) and nearness(H) < LOOSE:
        return {
            "epochs": _epochs_of_a_region(num_rows),
            "batch_size": min(_BATCH, num_rows),
            "learning_rate": _whitened_rate(H),
            "whiten_above": _whitened_above(num_hidden),
            "telling_weight": 0.125,
        }
    return {
        "epochs": 200,
        "batch_size": 500,
        "learning_rate": 0.05 if training == "pcd" else 0.2,
        "whiten_above": 0.0,
        "telling_weight": 1.0,
    }


def _epochs_of_a_region(num_rows: int) -> int:
    """As many as 2,500 updates."""
    return max(1, round(2500 / round(num_rows / min(_BATCH, num_rows))))


def _whitened_rate(H: HaplotypeMatrix) -> float:
    return 0.6 if H.num_sites <= 2000 else 0.3


def _whitened_above(num_hidden: int) -> float:
    return 180 / max(300, num_hidden)

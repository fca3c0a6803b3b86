"""Controls: what a perfect set and simple models would score."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hapforge._streams import Stream
from hapforge.alignment import alphabet_of
from hapforge.haplotypes import HaplotypeMatrix, Samples, seeded_order

REAL_HALF = "real half"
HOLDOUT = "holdout"
MODELS = {"bernoulli": "Bernoulli", "markov": "Markov"}
NAMES = ("real_half", *MODELS)

DESCRIPTIONS = {
    REAL_HALF: "One half of the real persons against the other: what a perfect set scores.",
    HOLDOUT: "Real persons that were held out, against the training set.",
    "Bernoulli": "Sites drawn independently at the real frequencies.",
    "Markov": "Sites drawn given the 10 before them, from the real haplotypes.",
}


def model_controls(real: HaplotypeMatrix, names: Sequence[str], seed: int) -> dict[str, HaplotypeMatrix]:
    """As many haplotypes as `real` has from each of the simple models named, fitted to it.

    Of aligned sequences there is no Markov control: it knows sites of two alleles only.
    """
    drawn = {}
    for name in names:
        if name == "real_half" or (name == "markov" and alphabet_of(real.sites)):
            continue
        from hapforge.models import Bernoulli, Markov

        model = Bernoulli() if name == "bernoulli" else Markov(window=10)
        drawn[MODELS[name]] = model.fit(real, seed=seed).sample(real.num_haplotypes, seed=seed)
    return drawn


def person_halves(samples: Samples, seed: int, repeat: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two halves of the persons, each ascending; repeat 0 is `HaplotypeMatrix.split(0.5, seed)`."""
    second = np.zeros(samples.num_persons, bool)
    second[seeded_order(samples.num_persons, seed, Stream.ORDER + repeat)[: samples.num_persons // 2]] = True
    mask = second[samples.person]
    return np.flatnonzero(~mask), np.flatnonzero(mask)

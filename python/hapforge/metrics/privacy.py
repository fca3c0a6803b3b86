"""Privacy score: are synthetic haplotypes closer to those a model was trained on than to others?"""

from __future__ import annotations

from dataclasses import dataclass

from hapforge._streams import Stream
from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, combine
from hapforge.metrics._sites import check_same_sites
from hapforge.metrics.adversarial_accuracy import AdversarialAccuracy, accuracy_over
from hapforge.metrics.nearest import Compare, NearestSets, rows_at

REPEATS = 10
_STREAMS = {  # rows of the sets are drawn independently
    "train": Stream.PRIVACY_TRAIN,
    "holdout": Stream.PRIVACY_HOLDOUT,
    "synthetic": Stream.PRIVACY_SYNTHETIC,
}


@dataclass(frozen=True)
class Privacy:
    """A privacy score with its parts.

    Attributes
    ----------
    score : float, AATS(holdout, synthetic) - AATS(train, synthetic)
    interval : 95 % (low, high), from the per-row indicators of both, taken as independent
    holdout, train : AdversarialAccuracy, both at the same n
    n : int, rows of each of the three sets
    """

    score: float
    interval: Interval
    holdout: AdversarialAccuracy
    train: AdversarialAccuracy
    n: int


def privacy_score(
    train: HaplotypeMatrix,
    holdout: HaplotypeMatrix,
    synthetic: HaplotypeMatrix,
    *,
    repeats: int = REPEATS,
    seed: int = 0,
) -> float:
    """Privacy score: AATS(holdout, synthetic) - AATS(train, synthetic), strict ties. Above 0 is a leak.

    Parameters
    ----------
    train : HaplotypeMatrix, what the model was trained on
    holdout : HaplotypeMatrix, other persons of the same kind
    synthetic : HaplotypeMatrix; all three with the same sites and at least 2 rows
    repeats : int >= 1; all are brought to n = the smallest set, the larger ones by seeded subsamples without
        replacement, and the score is the mean over them
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, fewer than 2 rows, repeats below 1.

    References
    ----------
    Yelmen et al. 2023, "Privacy score = Test AATS - Train AATS". (The diffusion papers have the opposite sign.)
    """
    check_same_sites(train=train, holdout=holdout, synthetic=synthetic)
    size = {"train": train.num_haplotypes, "holdout": holdout.num_haplotypes, "synthetic": synthetic.num_haplotypes}
    if min(size.values()) < 2:
        raise ValueError(f"train, holdout, synthetic: expected at least 2 haplotypes each, found {size}")
    on_train, on_holdout = NearestSets(train, synthetic), NearestSets(holdout, synthetic)
    return privacy_over(on_train, on_holdout, size, repeats, seed).score


def privacy_over(train: Compare, holdout: Compare, size: dict[str, int], repeats: int, seed: int) -> Privacy:
    """The privacy score from comparisons with the synthetic set; `size`: rows of "train", "holdout", "synthetic"."""
    if repeats < 1:
        raise ValueError(f"repeats: expected 1 or more, found {repeats}")
    n = min(size.values())
    rows = {
        name: [rows_at(size[name], n, seed, stream + r) for r in range(repeats)] for name, stream in _STREAMS.items()
    }
    once = slice(0, 1 if max(size.values()) == n else repeats)
    on_train = accuracy_over(train, list(zip(rows["train"], rows["synthetic"], strict=True))[once])
    on_holdout = accuracy_over(holdout, list(zip(rows["holdout"], rows["synthetic"], strict=True))[once])
    return privacy_difference(on_train, on_holdout)


def privacy_difference(on_train: AdversarialAccuracy, on_holdout: AdversarialAccuracy) -> Privacy:
    """The privacy score from two adversarial accuracies of one set, taken at the same n."""
    score = on_holdout.aats - on_train.aats
    interval = combine(
        score, [(1, on_holdout.aats, on_holdout.aats_interval), (-1, on_train.aats, on_train.aats_interval)]
    )
    return Privacy(score, interval, on_holdout, on_train, on_train.n)

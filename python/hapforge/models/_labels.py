"""The label of every haplotype as a number, for models that are trained with one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.models._training import stream_seed

_STR = np.dtypes.StringDType()


def values_of(H: HaplotypeMatrix, label: str) -> NDArray[Any]:
    """The label of every haplotype as a string; "" is none.

    Raises
    ------
    ValueError, TypeError
        H has no such label, or one of fractions.
    """
    values = H.samples.labels.get(label)
    if values is None:
        known = ", ".join(H.samples.labels) or "no labels"
        raise ValueError(f"label: expected {label!r} among the labels of H, found {known}")
    if values.dtype.kind == "f":
        raise TypeError(f"label: expected text or whole numbers in {label!r}, found {values.dtype}")
    return values.astype(_STR)


def names_of(H: HaplotypeMatrix, label: str) -> list[str]:
    """The labels that occur, sorted; ValueError where they are fewer than two."""
    names = [name for name in np.unique(values_of(H, label)).tolist() if name]
    if len(names) < 2:
        found = f"only {names[0]!r}" if names else "none"
        raise ValueError(f"label: expected two different values of {label!r} or more, found {found}")
    return names


def codes_of(H: HaplotypeMatrix, label: str, names: list[str]) -> NDArray[np.int64]:
    """int64 (num_haplotypes,), the place of every haplotype's label in `names`; -1 where it has none.

    Raises
    ------
    ValueError
        A label that is not among them.
    """
    values = values_of(H, label)
    codes = numbered(values, names)
    if (unknown := np.flatnonzero((codes < 0) & (values != ""))).size:
        raise ValueError(f"label: expected values of {label!r} out of {', '.join(names)}, found {values[unknown[0]]!r}")
    return codes


def numbered(values: NDArray[Any], names: list[str]) -> NDArray[np.int64]:
    """Places in `names`; -1 where a value is not among them."""
    place = {name: i for i, name in enumerate(names)}
    return np.array([place.get(value, -1) for value in values.tolist()], np.int64)


def codes_to_draw(n: int, seed: int, labels: Any, counts: dict[str, int], rows_of_person: int = 2) -> NDArray[np.int64]:
    """The place in `counts` of the label of every row to draw, int64 (n,).

    Parameters
    ----------
    labels : one label, or a sequence of n; None draws every person's by `counts`, the same for fewer rows
    counts : training rows by label
    rows_of_person : int, rows that share a label
    """
    names = list(counts)
    if labels is None:
        reached = np.cumsum(list(counts.values()))
        stream = np.random.Generator(np.random.Philox(key=stream_seed(seed, "labels")))
        persons = stream.integers(reached[-1], size=-(-n // rows_of_person))
        return np.repeat(np.searchsorted(reached, persons, side="right"), rows_of_person)[:n]
    values = np.asarray(labels)
    if values.ndim == 0:
        values = np.full(n, str(labels), _STR)
    if values.shape != (n,):
        raise ValueError(f"labels: expected one label or {n} of them, found an array of shape {values.shape}")
    codes = numbered(values.astype(_STR), names)
    if (unknown := np.flatnonzero(codes < 0)).size:
        found = str(values[unknown[0]])
        raise ValueError(f"labels: expected one of {', '.join(names)}, found {found!r}")
    return codes

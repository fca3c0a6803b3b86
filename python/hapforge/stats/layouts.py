"""Rows in a plane, near each other where they are alike."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from hapforge.errors import MissingDependencyError

_NEIGHBOURS = 15
_PERPLEXITY = 30.0


def umap_layout(distances: NDArray[np.float32], seed: int = 0) -> NDArray[np.float64]:
    """UMAP (15 neighbours, minimum distance 0.1) of rows whose distances are known, on one thread.

    Parameters
    ----------
    distances : float32 (n, n), n >= 4
    seed : int >= 0; the layout changes with it

    Returns
    -------
    float64 (n, 2)

    Raises
    ------
    ValueError
        Fewer than 4 rows.
    MissingDependencyError
        Without umap-learn.

    References
    ----------
    McInnes, Healy, Melville 2018.
    """
    _check_rows(len(distances))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the packages it imports
            from umap import UMAP
    except ImportError:
        raise MissingDependencyError("umap-learn", "eval") from None
    layout = UMAP(
        n_neighbors=min(_NEIGHBOURS, len(distances) - 1),
        metric="precomputed",
        random_state=seed % (1 << 32),
        n_jobs=1,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a precomputed metric has no inverse, that few rows have one component
        points: NDArray[np.float64] = layout.fit_transform(distances).astype(np.float64)
    return points


def tsne_layout(values: NDArray[np.floating], seed: int = 0) -> NDArray[np.float64]:
    """t-SNE (perplexity 30, or a third of the rows where they are few; from the principal components), on one thread.

    Parameters
    ----------
    values : float (n, k), n >= 4, k >= 2
    seed : int >= 0

    Returns
    -------
    float64 (n, 2)

    Raises
    ------
    ValueError
        Fewer than 4 rows or 2 columns.
    MissingDependencyError
        Without scikit-learn.

    References
    ----------
    van der Maaten, Hinton 2008; as scikit-learn has it.
    """
    _check_rows(len(values))
    if values.shape[1] < 2:
        raise ValueError(f"values: expected 2 columns or more for a layout, found {values.shape[1]}")
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError:
        raise MissingDependencyError("scikit-learn", "eval") from None
    perplexity = min(_PERPLEXITY, len(values) / 3)
    with threadpool_limits(1):
        layout = TSNE(perplexity=perplexity, init="pca", random_state=seed % (1 << 32), n_jobs=1)
        return np.asarray(layout.fit_transform(values), np.float64)


def _check_rows(n: int) -> None:
    if n < 4:
        raise ValueError(f"rows: expected 4 or more for a layout, found {n}")

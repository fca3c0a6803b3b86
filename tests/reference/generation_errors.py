"""Scores of Carbone et al. 2023, appendix C, and of the radar plots of Yelmen et al. 2023, as their equations read."""

from __future__ import annotations

import io
import subprocess

import numpy as np


def spectrum_error(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 6, by singular value decomposition of the 0/1 matrices."""
    s = np.linalg.svd(x.astype(float), compute_uv=False)
    t = np.linalg.svd(y.astype(float), compute_uv=False)
    total = 0.0
    for a, b in zip(s, t, strict=True):
        total += (a - b) ** 2
    return total / min(x.shape)


def gzip_size(rows: np.ndarray) -> int:
    """Bytes of the rows under the program gzip, eight sites a byte, the first in the lowest bit."""
    text = io.BytesIO()
    for row in rows.tolist():
        for start in range(0, len(row), 8):
            text.write(bytes([sum(bit << place for place, bit in enumerate(row[start : start + 8]))]))
    return len(
        subprocess.run(["gzip", "-6", "-n", "-c"], input=text.getvalue(), capture_output=True, check=True).stdout
    )


def indicator_error(x: np.ndarray, y: np.ndarray) -> float:
    """Equation 8 from the joined set, row by row; ties count as the other set."""
    joined = np.concatenate([x, y])
    own = [0, 0]
    for i, row in enumerate(joined):
        distance = (joined != row).sum(axis=1)
        kind = int(i >= len(x))
        same, other = (
            (distance[: len(x)], distance[len(x) :]) if kind == 0 else (distance[len(x) :], distance[: len(x)])
        )
        same = np.delete(same, i - kind * len(x))
        own[kind] += same.min() < other.min()
    p_dd, p_gg = own[0] / len(x), own[1] / len(y)
    return ((p_gg - 0.5) ** 2 + (p_dd - 0.5) ** 2) / 2


def overfitting(aa_truth: float, aa_syn: float) -> float:
    return 1 - (0.5 - min(aa_truth, 0.5)) - (0.5 - min(aa_syn, 0.5))


def underfitting(aa_truth: float, aa_syn: float) -> float:
    return 1 - (max(aa_truth, 0.5) - 0.5) - (max(aa_syn, 0.5) - 0.5)

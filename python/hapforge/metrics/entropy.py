"""Error of the entropy: is a synthetic cohort as compressible as the real one?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hapforge.haplotypes import HaplotypeMatrix
from hapforge.metrics._intervals import Interval, student
from hapforge.metrics._sites import check_same_sites
from hapforge.stats.compression import CompressedSize, compressed_size


@dataclass(frozen=True)
class EntropyError:
    """Result of `entropy_error`.

    Attributes
    ----------
    error : float >= 0
    ratio : float, S_gen / S_data; below 1: the synthetic rows are more alike
    interval : 95 % (low, high) of `error`, NaN with fewer than 20 rows
    n : int, rows of each side
    """

    error: float
    ratio: float
    interval: Interval
    n: int


def entropy_error(real: HaplotypeMatrix, synthetic: HaplotypeMatrix, *, seed: int = 0) -> EntropyError:
    """Error of the entropy, Delta S = (S_gen / S_data - 1)², S the size under gzip of n rows.

    The bytes that are compressed are stated at `stats.compressed_size`; both sides have the same n and layout. A header
    of 18 bytes is part of the sizes. Interval: ratios of 10 groups of rows (Student's t on their logarithms).

    Parameters
    ----------
    real, synthetic : HaplotypeMatrix with the same sites; n = the smaller number of rows
    seed : int >= 0

    Raises
    ------
    ValueError
        Different numbers of sites, a cohort without rows.

    References
    ----------
    Carbone et al. 2023, fast and functional structured data generator, equation 7,
    which does not state what is compressed.
    """
    check_same_sites(real=real, synthetic=synthetic)
    n = min(real.num_haplotypes, synthetic.num_haplotypes)
    return compare_sizes(compressed_size(real, n, seed=seed), compressed_size(synthetic, n, seed=seed))


def compare_sizes(real: CompressedSize, synthetic: CompressedSize) -> EntropyError:
    """`entropy_error` from the sizes of equally many rows of the same sites."""
    if real.n != synthetic.n:
        raise ValueError(f"sizes: expected those of equally many rows, found {real.n} and {synthetic.n}")
    ratio = synthetic.total / real.total
    error = (ratio - 1) ** 2
    num_groups = len(real.groups)
    if num_groups == 0:
        return EntropyError(error, ratio, (math.nan, math.nan), real.n)
    spread = np.log(synthetic.groups / real.groups).std(ddof=1)
    factor = math.exp(student(num_groups - 1) * float(spread) / math.sqrt(num_groups))
    ends = [(ratio / factor - 1) ** 2, (ratio * factor - 1) ** 2]
    low = 0.0 if ratio / factor <= 1 <= ratio * factor else min(ends)
    return EntropyError(error, ratio, (low, max(ends)), real.n)

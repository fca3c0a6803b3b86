"""The compiled CUDA kernels; absent from a build without CUDA. Importable without a driver."""

import numpy as np
from numpy.typing import NDArray

def device_count() -> int: ...
def allele_counts(words: NDArray[np.uint64], num_sites: int) -> NDArray[np.int64]: ...

"""Which haplotypes of a cohort are alike."""

import hapforge  # noqa: F401  # first: it loads libhapforge.so.1, which the extension module is linked to
from haplotype_twins._twins import count_twins

__all__ = ["count_twins"]

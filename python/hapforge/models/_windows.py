"""Where the windows of a chain lie."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hapforge.haplotypes import Sites


class Window(NamedTuple):
    """Sites first ... stop - 1 of a cohort; those below `inferred` are given by the windows before.

    The first window of a contig has inferred == first.
    """

    first: int
    inferred: int
    stop: int

    @property
    def num_pinned(self) -> int:
        """Sites that are given."""
        return self.inferred - self.first

    @property
    def sites(self) -> NDArray[np.int64]:
        """Indices of the window's sites in the cohort."""
        return np.arange(self.first, self.stop, dtype=np.int64)


def windows_of(sites: Sites, window: int, overlap: int, first_window: int) -> list[Window]:
    """The windows of all contigs, in the order in which they are drawn.

    On each contig the first has `first_window` sites, every next one the last `overlap` of those that there are and
    the sites after them, `window` in all; the last of a contig ends with it.
    """
    windows = []
    for _, first, end in sites.contig_blocks():
        stop = min(first + first_window, end)
        windows.append(Window(first, first, stop))
        while stop < end:
            inferred, stop = stop, min(stop - overlap + window, end)
            windows.append(Window(inferred - overlap, inferred, stop))
    return windows

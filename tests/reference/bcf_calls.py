"""BCF records the slow way: where they stand, and their calls as packed bits."""

import numpy as np

from reference import pack

ALLELE = {2: 0, 3: 0, 4: 1, 5: 1}  # (allele + 1) << 1 | phased


def find_records(data):
    """([(start, calls, stop)], bytes of whole records, whether what follows is damaged)."""
    found, at = [], 0
    while at + 8 <= len(data):
        before, of_calls = np.frombuffer(data[at : at + 8], "<u4").tolist()
        if before < 24:
            return found, at, True
        if at + 8 + before + of_calls > len(data):
            break
        found.append((at + 8, at + 8 + before, at + 8 + before + of_calls))
        at = found[-1][2]
    return found, at, False


def pack_calls(data, start, num_persons):
    """(words, None), or (None, (row, person) of the first call that is not 0|0, 0|1, 1|0 or 1|1)."""
    dense = np.zeros((len(start), 2 * num_persons), np.uint8)
    for j, first in enumerate(start):
        for i in range(num_persons):
            a, b = data[first + 2 * i : first + 2 * i + 2]
            if a not in ALLELE or b not in ALLELE or not b & 1:
                return None, (j, i)
            dense[j, 2 * i : 2 * i + 2] = ALLELE[a], ALLELE[b]
    return pack.pack(dense), None

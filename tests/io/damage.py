"""Damage to files, and children that are forked to read them."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np

SIGNS = b"\t \n\r\0\xff2-?.*+_:#0123456789ACGT"
LIMIT_S = 10


def mutated(data: bytes, rng: np.random.Generator, text: bool) -> bytes:
    """One of: bits flipped, bytes replaced, a cut, bytes or lines left out, copied, moved."""
    size = len(data)
    at, other = (int(k) for k in rng.integers(0, size, 2))
    length = int(rng.integers(1, 9))
    match int(rng.integers(0, 8)):
        case 0:
            changed = bytearray(data)
            for k in rng.integers(0, size, int(rng.integers(1, 4))).tolist():
                changed[k] ^= 1 << int(rng.integers(0, 8))
            return bytes(changed)
        case 1:
            new = bytes(rng.choice(list(SIGNS), length).tolist()) if text else rng.bytes(length)
            return data[:at] + new + data[at + length :]
        case 2:
            return data[:at]
        case 3:
            return data[:at] + data[at + length :]
        case 4:
            return data[:at] + data[other : other + length] + data[at:]
        case 5:
            return data[:at] + data[other : other + length] + data[at + length :]
    if not text:
        return data[:at] + rng.bytes(1) + data[at + 1 :]
    lines = data.split(b"\n")
    i, j = (int(k) for k in rng.integers(0, len(lines), 2))
    match int(rng.integers(0, 4)):
        case 0:
            lines[i], lines[j] = lines[j], lines[i]
        case 1:
            lines.insert(i, lines[j])
        case 2:
            del lines[i]
        case _:
            fields = lines[i].split()
            if fields:
                fields[int(rng.integers(0, len(fields)))] = bytes([int(rng.choice(list(SIGNS)))])
            lines[i] = b" ".join(fields)
    return b"\n".join(lines)


def in_a_child(work: Callable[[], list[str]], report: Path) -> list[str]:
    """What `work` says in a forked process, which must end by itself."""
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(LIMIT_S * 6)
            report.write_text(json.dumps(work()))
            os._exit(0)
        except BaseException as error:
            report.write_text(json.dumps([f"{type(error).__name__}: {error}"]))
            os._exit(1)
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), f"signal {os.WTERMSIG(status)}"
    return [str(line) for line in json.loads(report.read_text())]

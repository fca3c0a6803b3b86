"""Memory of this process, and of what it is about to do."""

from __future__ import annotations

import os

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def resident_bytes() -> int:
    """Memory that this process has in RAM now, libraries included (Linux)."""
    with open("/proc/self/statm", encoding="ascii") as handle:
        return int(handle.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def parse_bytes(text: str) -> int:
    """Bytes from text such as "2G", "512M", "1.5GiB" or "800000"; K, M, G and T are powers of 1024.

    Raises
    ------
    ValueError
        Something else, or nothing above 0.
    """
    upper = text.strip().upper().removesuffix("B").removesuffix("I")
    number, unit = (upper[:-1], upper[-1]) if upper[-1:].isalpha() else (upper, "")
    try:
        found = int(float(number) * _UNITS[unit])
    except (KeyError, ValueError, OverflowError):
        found = 0
    if found <= 0:
        raise ValueError(f"--max-memory: expected a size such as 2G or 512M, found {text!r}")
    return found


def in_words(size: int) -> str:
    """Bytes for a reader."""
    return f"{size / (1 << 30):.2f} GiB" if size >= 1 << 30 else f"{size / (1 << 20):.0f} MiB"

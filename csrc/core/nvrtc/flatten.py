"""One file of headers and all that they include, for compilers that are given a text and no folder.

usage: flatten.py CSRC OUT HEADER...        names as in an include, relative to CSRC

``#include <name>`` stays for others than NVRTC, which gets core/nvrtc/name.
"""

import re
import sys
from pathlib import Path


def flatten(csrc: Path, headers: list[str]) -> str:
    """The text; SystemExit where a header includes what NVRTC cannot have."""
    lines = ["#pragma once"]
    done = set()

    def add(name: str, path: Path) -> None:
        if name in done:
            return
        done.add(name)
        for line in path.read_text().splitlines():
            ours = re.match(r'#include "(.*)"', line)
            theirs = re.match(r"#include <(.*)>", line)
            if ours:
                add(ours[1], csrc / ours[1])
            elif theirs:
                add_system(theirs[1], line, path)
            elif line != "#pragma once":
                lines.append(line)

    def add_system(name: str, line: str, includer: Path) -> None:
        path = csrc / "core" / "nvrtc" / name
        if not path.exists():
            sys.exit(f"{includer}: NVRTC has no <{name}>")
        if f"<{name}>" in done:
            return
        lines.append("#if defined(__CUDACC_RTC__)")
        add(f"<{name}>", path)
        lines.extend(["#else", line, "#endif"])

    for header in headers:
        add(header, csrc / header)
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    csrc, out, *headers = sys.argv[1:]
    Path(out).write_text(flatten(Path(csrc), headers))

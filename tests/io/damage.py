"""Seeded damage to files of any kind, and children that are forked to read them.

`damaged` finds out by itself what it has before it: text, gzip, block gzip, zip, BCF, Blosc chunks or other bytes. What
is packed is damaged as it lies, or taken out, damaged and packed again with checksums that are right.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import resource
import signal
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import google_crc32c
import numpy as np
from numcodecs import blosc, zstd

from hapforge.io.bgzf import EOF_BLOCK

LIMIT_S = 10
MEMORY = 1 << 30  # bytes that a child may ask for beyond what it was born with
SIGNS = [bytes([code]) for code in b"\t \n\r\0\xff2-?.*+_:#0123456789ACGTN,|/<>"]
WORDS = [b"0", b"-1", b"1_0", b"+1", b"1e5", b"0x1", b"2147483647", b"2147483648", b"18446744073709551616"]
WORDS += [
    b"9" * 40,
    b".",
    b"",
    b"NA",
    b"nan",
    "é".encode(),
    "１".encode(),
    b"0|3",
    b"0/1",
    b"./.",
    b"1",
    b"A",
    b"<DEL>",
]
NUMBERS = [0, 1, 23, 24, 127, 128, 255, 32767, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 8, 2**32 - 1, 2**62, 2**64 - 1]
Generator = np.random.Generator
Members = list[tuple[str, bytes]]


T = TypeVar("T")


def one_of(rng: Generator, choices: list[T]) -> T:
    return choices[int(rng.integers(0, len(choices)))]


# ------------------------------------------------------------------------------------------------------- any bytes


def _flipped(data: bytes, rng: Generator) -> bytes:
    changed = bytearray(data)
    for at in rng.integers(0, len(data), int(rng.integers(1, 4))).tolist():
        changed[at] ^= 1 << int(rng.integers(0, 8))
    return bytes(changed)


def _span(data: bytes, rng: Generator) -> tuple[int, int]:
    at = int(rng.integers(0, len(data)))
    return at, at + int(rng.integers(1, 9))


def _replaced(data: bytes, rng: Generator) -> bytes:
    at, stop = _span(data, rng)
    return data[:at] + rng.bytes(stop - at) + data[stop:]


def _inserted(data: bytes, rng: Generator) -> bytes:
    at, stop = _span(data, rng)
    return data[:at] + rng.bytes(stop - at) + data[at:]


def _deleted(data: bytes, rng: Generator) -> bytes:
    at, stop = _span(data, rng)
    return data[:at] + data[stop:]


def _cut(data: bytes, rng: Generator) -> bytes:
    return data[: int(rng.integers(0, len(data)))]


def _doubled(data: bytes, rng: Generator) -> bytes:
    """A stretch, or all."""
    at, stop = (0, len(data)) if rng.random() < 0.1 else sorted(rng.integers(0, len(data) + 1, 2).tolist())
    return data[:stop] + data[at:]


def _numbered(data: bytes, rng: Generator) -> bytes:
    """A number of one to eight bytes, small or huge, in the place of another."""
    size = one_of(rng, [1, 2, 4, 8])
    at = int(rng.integers(0, len(data)))
    return data[:at] + (one_of(rng, NUMBERS) % 256**size).to_bytes(size, "little") + data[at + size :]


def _with_nul(data: bytes, rng: Generator) -> bytes:
    at = int(rng.integers(0, len(data)))
    return data[:at] + b"\0" + data[at + int(rng.integers(0, 2)) :]


BYTES = [_flipped, _replaced, _inserted, _deleted, _cut, _doubled, _numbered, _with_nul]

# ------------------------------------------------------------------------------------------------------------ text


def _with_sign(data: bytes, rng: Generator) -> bytes:
    at = int(rng.integers(0, len(data)))
    return data[:at] + one_of(rng, SIGNS) + data[at + int(rng.integers(0, 2)) :]


def _lines(change: Callable[[list[bytes], int, int], None]) -> Callable[[bytes, Generator], bytes]:
    """Damage to lines i and j of a text."""

    def damage(data: bytes, rng: Generator) -> bytes:
        lines = data.split(b"\n")
        change(lines, *rng.integers(0, len(lines), 2).tolist())
        return b"\n".join(lines)

    return damage


def _swap(parts: list[bytes], i: int, j: int) -> None:
    parts[i], parts[j] = parts[j], parts[i]


def _drop(parts: list[bytes], i: int, j: int) -> None:
    del parts[i]


def _copy(parts: list[bytes], i: int, j: int) -> None:
    parts.insert(i, parts[j])


def _fields(data: bytes, rng: Generator, changes: list[str]) -> bytes:
    """Fields of a line swapped, dropped, doubled, or another word for one."""
    lines = data.split(b"\n")
    k = int(rng.integers(0, len(lines)))
    parts = re.split(rb"([\t ])", lines[k])  # odd ones are what stands between
    fields = parts[::2]
    i, j = rng.integers(0, len(fields), 2).tolist()
    match one_of(rng, changes):
        case "swap":
            _swap(fields, i, j)
        case "drop":
            del fields[i], parts[1:3]
        case "copy":
            fields.insert(i, fields[j])
            parts += [parts[1] if len(parts) > 1 else b" ", b""]
        case _:
            fields[i] = one_of(rng, WORDS)
    parts[::2] = fields or [b""]
    lines[k] = b"".join(parts)
    return b"\n".join(lines)


def _other_field(data: bytes, rng: Generator) -> bytes:
    return _fields(data, rng, ["swap", "drop", "copy", "word", "word"])


def _other_number(data: bytes, rng: Generator) -> bytes:
    """Another number for one that is there."""
    if not (found := list(re.finditer(rb"\d+", data))):
        return _with_sign(data, rng)
    start, stop = one_of(rng, found).span()
    return data[:start] + one_of(rng, WORDS) + data[stop:]


def _header(data: bytes, rng: Generator) -> bytes:
    """The line of names, one of them short or long."""
    lines = data.split(b"\n")
    k = next((k for k, line in enumerate(lines) if line.startswith(b"#") and not line.startswith(b"##")), 0)
    head, between, last = re.fullmatch(rb"(.*?)([\t ]?)([^\t ]*)", lines[k]).groups()  # type: ignore[union-attr]
    lines[k] = head if rng.random() < 0.5 else lines[k] + (between or b" ") + one_of(rng, [b"more", last, b""])
    return b"\n".join(lines)


def _with_ends(data: bytes, rng: Generator) -> bytes:
    """CR LF in one place or all, a byte-order mark, an empty line, no last line feed."""
    match int(rng.integers(0, 5)):
        case 0:
            return data.replace(b"\n", b"\r\n")
        case 1:
            lines = data.split(b"\n")
            lines[int(rng.integers(0, len(lines)))] += b"\r"
            return b"\n".join(lines)
        case 2:
            return b"\xef\xbb\xbf" + data
        case 3:
            return data + b"\n"
        case _:
            return data.removesuffix(b"\n")


TEXT = [*BYTES, _with_sign, _lines(_swap), _lines(_drop), _lines(_copy), _other_field, _other_field, _other_number]
TEXT += [_header, _with_ends]

# ---------------------------------------------------------------------------------------------------- packed forms


def bgzf_blocks(data: bytes) -> list[bytes]:
    """The blocks of a block gzip file."""
    blocks, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 16 : at + 18], "little") + 1
        blocks.append(data[at : at + size])
        at += size
    return blocks


def bgzf(data: bytes, size: int = 300, level: int = 1) -> bytes:
    """Block gzip, of small blocks, which level 0 stores as they are."""
    blocks = []
    for at in range(0, len(data), size):
        part = data[at : at + size]
        packer = zlib.compressobj(level, zlib.DEFLATED, -15)
        body = packer.compress(part) + packer.flush()
        head = b"\x1f\x8b\x08\x04" + bytes(5) + b"\xff\x06\0BC\x02\0" + struct.pack("<H", len(body) + 25)
        blocks.append(head + body + struct.pack("<II", zlib.crc32(part), len(part)))
    return b"".join([*blocks, EOF_BLOCK])


def _unzipped(data: bytes) -> Members:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [(name, archive.read(name)) for name in archive.namelist()]


def zipped(members: Members) -> bytes:
    """A zip of members, deflated."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name or "empty"), content, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _bcf_parts(data: bytes) -> Members:
    size = int.from_bytes(data[5:9], "little")
    return [("header", data[9 : 9 + size].removesuffix(b"\0")), ("records", data[9 + size :])]


def _bcf(members: Members) -> bytes:
    header = members[0][1] + b"\0"
    return b"BCF\x02\x02" + len(header).to_bytes(4, "little") + header + b"".join(part for _, part in members[1:])


def _chunk(data: bytes) -> bytes:
    return bytes(blosc.compress(data, b"zstd", 1, 0))


def _is_blosc(data: bytes) -> bool:
    return len(data) > 16 and data[0] == 2 and int.from_bytes(data[12:16], "little") == len(data)


def _packing(data: bytes) -> tuple[Members, Callable[[Members], bytes]] | None:
    """(what is packed in a file, how to pack it again)."""
    if data[:4] == b"\x1f\x8b\x08\x04":
        return [("", gzip.decompress(data))], lambda members: bgzf(members[0][1])
    if data[:2] == b"\x1f\x8b":
        return [("", gzip.decompress(data))], lambda members: gzip.compress(members[0][1], 1, mtime=0)
    if data[:2] == b"PK":
        return _unzipped(data), zipped
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return [("", bytes(zstd.decompress(data)))], lambda members: bytes(zstd.compress(members[0][1]))
    if data[:3] == b"BCF":
        return _bcf_parts(data), _bcf
    if _is_blosc(data):
        return [("", bytes(blosc.decompress(data)))], lambda members: _chunk(members[0][1])
    if _is_blosc(data[:-4]):
        return [("", bytes(blosc.decompress(data[:-4])))], lambda members: _summed(_chunk(members[0][1]))
    return None


def _summed(data: bytes) -> bytes:
    return data + struct.pack("<I", google_crc32c.value(data))


def _is_text(data: bytes) -> bool:
    return not any(byte < 32 and byte not in b"\t\n" for byte in data[:300])


def damaged(data: bytes, rng: Generator) -> bytes:
    """A file with one damage, of a kind that suits what it holds."""
    if not data:
        return one_of(rng, SIGNS)
    packing = _packing(data)
    if packing is not None and rng.random() < 0.65:
        members, pack = packing
        k = int(rng.integers(0, len(members)))
        if len(members) > 2 and rng.random() < 0.15:
            change = one_of(rng, ["drop", "rename", "copy"])
            if change == "drop":
                del members[k]
            else:
                name, content = one_of(rng, members)
                members[k] = (name, members[k][1]) if change == "rename" else (members[k][0], content)
            members = list(dict(members).items())
        else:
            members[k] = members[k][0], damaged(members[k][1], rng)
        return pack(members)
    if data[:4] == b"\x1f\x8b\x08\x04" and rng.random() < 0.3:
        blocks = bgzf_blocks(data)
        one_of(rng, [_swap, _drop, _copy])(blocks, *rng.integers(0, len(blocks), 2).tolist())
        return b"".join(blocks)
    return one_of(rng, TEXT if packing is None and _is_text(data) else BYTES)(data, rng)


# -------------------------------------------------------------------------------------------------------- children


def _limit_time() -> None:
    """A signal ends this process after `LIMIT_S` of work, or six times that of waiting, which a busy machine makes."""
    signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
    signal.alarm(6 * LIMIT_S)


def in_a_child(work: Callable[[], Iterator[str]], report: Path) -> list[str]:
    """What `work` says of file after file in a forked process, which has `LIMIT_S` for each and not much memory."""
    child = os.fork()
    if child == 0:
        with open(report, "w", encoding="utf-8") as sink:
            try:
                own = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
                resource.setrlimit(resource.RLIMIT_AS, (own + MEMORY, resource.RLIM_INFINITY))
                _limit_time()
                for said in work():
                    _limit_time()
                    sink.write(json.dumps(said) + "\n")
                    sink.flush()
            except BaseException as error:
                sink.write(json.dumps(f"{type(error).__name__}: {error}") + "\n")
                sink.flush()
                os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    said = [json.loads(line) for line in report.read_text(encoding="utf-8").splitlines()]
    assert not os.WIFSIGNALED(status), f"file {len(said)}: signal {os.WTERMSIG(status)}"
    assert status == 0, said[-1]
    return said

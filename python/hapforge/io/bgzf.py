"""Compressed text and BCF as a stream of bytes: block gzip (BGZF) in both directions, plain gzip and no compression.

Every BGZF block's length and CRC-32 are checked, and so is the empty block that ends a whole file: without it the file
was cut, which htslib only remarks on.

References
----------
SAM/BAM specification, section 4.1, "The BGZF compression format".
"""

from __future__ import annotations

import contextlib
import gzip
import io
import os
import struct
import zlib
from collections import deque
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from hapforge import _backend
from hapforge.errors import FormatError

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")
_LEVEL = 4  # of calls as text, four times as fast as 6, which makes them a seventh smaller
_MAX_BLOCK = 65280  # uncompressed bytes of a block, as htslib writes them
_MOST = 65536  # uncompressed bytes that a block may hold
_BATCH = 16  # blocks inflated by one task: 1 MiB
_READ = 1 << 20  # bytes read at once
_HEADER = struct.Struct("<4sIBBH2sHH")  # magic and flags, time, extra flags, system, extra length, "BC", 2, size - 1
_MAGIC = b"\x1f\x8b\x08\x04"

Advance = Callable[[int], object]


@cache
def _reader() -> tuple[type[gzip.GzipFile], tuple[type[Exception], ...]]:
    """The class that reads gzip, and what it raises: that of ISA-L where it is installed, or else Python's own."""
    errors = (EOFError, gzip.BadGzipFile, zlib.error)
    try:
        from isal import igzip, isal_zlib
    except ImportError:
        return gzip.GzipFile, errors
    return igzip.IGzipFile, (*errors, isal_zlib.error)  # type: ignore[return-value]  # declared as an instance


def is_bgzf(head: bytes) -> bool:
    """Whether a file that starts with `head` (18 bytes or more) is block gzip."""
    return head[:4] == _MAGIC and head[12:16] == b"BC\x02\x00"


def read_chunks(path: str | os.PathLike[str], advance: Advance | None = None, place: int = 0) -> Generator[bytes]:
    """The uncompressed bytes of a file, in pieces of about 1 MiB; to be closed by who does not take them all.

    Parameters
    ----------
    advance : called with numbers of bytes of the file that were taken in; they add up to its size
    place : where to start in block gzip, a virtual offset: the byte at which a block starts << 16 | a byte of what it
        holds

    Raises
    ------
    FormatError
        A cut or damaged file.
    """
    advance = advance or (lambda count: None)
    with open(path, "rb") as handle:
        head = handle.read(18)
        handle.seek(0)
        if is_bgzf(head):
            yield from _behind(path, place, _inflated(path, handle, advance, place >> 16))
        elif head[:2] == b"\x1f\x8b":
            yield from _gunzipped(path, handle, advance)
        else:
            while chunk := handle.read(_READ):
                advance(len(chunk))
                yield chunk


def _gunzipped(path: str | os.PathLike[str], handle: BinaryIO, advance: Advance) -> Iterator[bytes]:
    at = 0
    file, errors = _reader()
    try:
        with file(fileobj=handle) as stream:
            while chunk := stream.read(_READ):
                advance(handle.tell() - at)
                at = handle.tell()
                yield chunk
    except errors as error:
        raise FormatError(path, "a whole gzip file", f"a cut or damaged one ({error})") from None


def read_from(path: str | os.PathLike[str], handle: BinaryIO, place: int) -> Generator[bytes]:
    """What a file of block gzip holds from a place on (see `read_chunks`), a block at a time.

    Raises
    ------
    FormatError
        No such place; a cut or damaged block.
    """
    batches = _batches(path, handle, place >> 16, 1)
    return _behind(path, place, (_inflate(path, start, blocks) for start, blocks, _ in batches))


def _behind(path: str | os.PathLike[str], place: int, pieces: Generator[bytes]) -> Generator[bytes]:
    """`pieces`, which start with the block of a place, without what lies before that place in it."""
    skip = place & 0xFFFF
    with contextlib.closing(pieces):
        for piece in pieces:
            if skip > len(piece):
                found = f"{len(piece)}"
                raise FormatError(path, f"a block of {skip} bytes or more", found, f"byte {place >> 16}")
            yield piece[skip:]
            skip = 0


def _inflated(path: str | os.PathLike[str], handle: BinaryIO, advance: Advance, offset: int) -> Generator[bytes]:
    """What blocks hold from the one at byte `offset` on."""
    size = handle.seek(0, os.SEEK_END)
    handle.seek(max(0, size - len(EOF_BLOCK)))
    if handle.read() != EOF_BLOCK:
        raise FormatError(path, "the empty block that ends a BGZF file", "none: the file is cut or still being written")
    workers = min(_backend.get_threads() - 1, 4)  # this thread is the one that takes the bytes apart
    if not workers:
        for start, blocks, length in _batches(path, handle, offset):
            advance(length)
            yield _inflate(path, start, blocks)
        return
    with ThreadPoolExecutor(workers) as pool:
        pending: deque[tuple[int, Future[bytes]]] = deque()
        try:
            for start, blocks, length in _batches(path, handle, offset):
                pending.append((length, pool.submit(_inflate, path, start, blocks)))
                if len(pending) > workers:
                    length, task = pending.popleft()
                    advance(length)
                    yield task.result()
            for length, task in pending:
                advance(length)
                yield task.result()
        finally:
            for _, task in pending:
                task.cancel()


def _batches(
    path: str | os.PathLike[str], handle: BinaryIO, offset: int = 0, num_blocks: int = _BATCH
) -> Iterator[tuple[int, list[bytes], int]]:
    """(byte in the file, compressed blocks, their length) of `num_blocks` blocks each, from a byte of the file on."""
    blocks, length, data, at = [], 0, b"", 0
    handle.seek(offset)
    while True:
        if at + 18 > len(data) or at + (size := int.from_bytes(data[at + 16 : at + 18], "little") + 1) > len(data):
            more = handle.read(min(_READ, num_blocks * _MOST))
            data, at = data[at:] + more, 0
            if not data:
                break
            if not more:
                raise FormatError(path, "a whole BGZF block", "the end of the file", f"byte {offset + length}")
            continue
        if not is_bgzf(data[at : at + 18]) or size < 26:
            raise FormatError(path, "the start of a BGZF block", "other bytes", f"byte {offset + length}")
        blocks.append(data[at : at + size])
        at += size
        length += size
        if len(blocks) == num_blocks:
            yield offset, blocks, length
            offset, blocks, length = offset + length, [], 0
    if blocks:
        yield offset, blocks, length


def _inflate(path: str | os.PathLike[str], start: int, blocks: list[bytes]) -> bytes:
    """What blocks hold, the first of which starts at byte `start`.

    All in one call, so that it runs beside the thread that takes the bytes apart; one by one if that fails, so that
    the damaged one is named.
    """
    length = sum(int.from_bytes(block[-4:], "little") for block in blocks)
    file, errors = _reader()
    try:
        with file(fileobj=io.BytesIO(b"".join(blocks))) as stream:
            # A byte more is asked for than there is, so that the last checksum is looked at too.
            data = stream.read(min(length, _MOST * len(blocks)) + 1)
        if len(data) == length:
            return data
        found = "another length than it names"
    except errors as error:
        found = str(error)
    if len(blocks) > 1:
        for block in blocks:
            _inflate(path, start, [block])
            start += len(block)
    raise FormatError(path, "a whole BGZF block", f"a damaged one ({found})", f"byte {start}")


class BgzfWriter:
    """Write block gzip; blocks are compressed by the threads of the process.

    Leaving the context without an error writes what is left and the block that ends the file.
    """

    def __init__(self, path: Path) -> None:
        self._handle = open(path, "wb")  # noqa: SIM115 (closed in __exit__)
        self._buffer = bytearray()
        self._threads = _backend.get_threads()
        self._pool = ThreadPoolExecutor(min(self._threads, 4))
        self._pending: deque[Future[bytes]] = deque()

    def __enter__(self) -> BgzfWriter:
        return self

    def write(self, data: bytes) -> None:
        """Append uncompressed bytes."""
        self._buffer += data
        whole = len(self._buffer) - len(self._buffer) % _MAX_BLOCK
        if whole >= _MAX_BLOCK * 16:
            self._submit(bytes(self._buffer[:whole]))
            del self._buffer[:whole]

    def _submit(self, data: bytes) -> None:
        self._pending.append(self._pool.submit(_deflate, data))
        while len(self._pending) > self._threads:
            self._handle.write(self._pending.popleft().result())

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                self._submit(bytes(self._buffer))
                while self._pending:
                    self._handle.write(self._pending.popleft().result())
                self._handle.write(EOF_BLOCK)
        finally:
            self._pool.shutdown(cancel_futures=True)
            self._handle.close()


def _deflate(data: bytes) -> bytes:
    blocks = []
    for at in range(0, len(data), _MAX_BLOCK):
        part = data[at : at + _MAX_BLOCK]
        packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, -15)
        body = packer.compress(part) + packer.flush()
        if len(body) > 65536 - 26:  # bytes that deflate makes longer: stored as they are
            packer = zlib.compressobj(0, zlib.DEFLATED, -15)
            body = packer.compress(part) + packer.flush()
        blocks.append(_HEADER.pack(_MAGIC, 0, 0, 255, 6, b"BC", 2, len(body) + 25))
        blocks.append(body)
        blocks.append(struct.pack("<II", zlib.crc32(part), len(part)))
    return b"".join(blocks)

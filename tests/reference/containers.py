"""What gzip, block gzip and Zstandard files hold; an error for whatever is not whole."""

import zlib

import numcodecs.zstd

EOF_BLOCK = bytes.fromhex("1f8b08040000000000ff0600424302001b0003000000000000000000")


def content(data):
    """The bytes of a file, packed or not; zeros behind the last gzip member are passed over, as gzip does."""
    if data[:4] == b"\x28\xb5\x2f\xfd":
        return bytes(numcodecs.zstd.decompress(data))
    if data[:2] != b"\x1f\x8b":
        return data
    if data[:4] == b"\x1f\x8b\x08\x04" and data[12:16] == b"BC\x02\0":
        return _blocks(data)
    parts = []
    while data.strip(b"\0"):
        part, data = _member(data)
        parts.append(part)
    return b"".join(parts)


def _member(data):
    """(what the first gzip member holds, what is behind it)."""
    unpacker = zlib.decompressobj(31)
    try:
        part = unpacker.decompress(data)
    except zlib.error as error:
        raise ValueError(str(error)) from None
    if not unpacker.eof:
        raise ValueError("cut")
    return part, unpacker.unused_data


def _blocks(data):
    if not data.endswith(EOF_BLOCK):
        raise ValueError("no end")
    parts = []
    while data:
        if data[:4] != b"\x1f\x8b\x08\x04" or data[12:16] != b"BC\x02\0":
            raise ValueError("no block")
        size = int.from_bytes(data[16:18], "little") + 1
        part, behind = _member(data[:size])
        if behind or size > len(data):
            raise ValueError("a block of another size")
        parts.append(part)
        data = data[size:]
    return b"".join(parts)

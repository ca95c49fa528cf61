"""PNG files for tests, plain and odd. Asserts nothing."""

from __future__ import annotations

import struct
import zlib

BEGIN = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def png(
    width: int = 2, height: int = 2, *, depth: int = 8, kind: int = 6, interlaced: int = 0, pixels: bytes | None = None,
    before: tuple[bytes, ...] = (), behind: bytes = b"",
) -> bytes:  # fmt: skip
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}.get(kind, 1)
    lines = b"".join(b"\0" + b"\x7f" * ((width * channels * depth + 7) // 8) for _line in range(min(height, 2000)))
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, interlaced))
    body = chunk(b"IDAT", zlib.compress(lines if pixels is None else pixels))
    return BEGIN + head + b"".join(before) + body + chunk(b"IEND", b"") + behind

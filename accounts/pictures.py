"""PNG files from outside: read strictly and written anew, so that nothing but pixels is kept. Knows no other format; pure.

A picture goes through here pixel by pixel: text, comments, profiles and whatever hangs on behind the end stay outside.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

LARGEST = 256 * 1024
"""In bytes, as it comes in."""
WIDEST = 1024
"""In pixels, each side."""
_BEGIN = b"\x89PNG\r\n\x1a\n"
# Channels of a colour type, and the depths that it may have.
_KINDS = {0: (1, (1, 2, 4, 8, 16)), 2: (3, (8, 16)), 3: (1, (1, 2, 4, 8)), 4: (2, (8, 16)), 6: (4, (8, 16))}


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture as it is kept."""

    data: bytes
    width: int
    height: int


def read(data: bytes) -> Picture:
    """The same picture, written anew. Raises ValidationError for what is no plain PNG, or too large."""
    if len(data) > LARGEST:
        raise ValidationError(_("The picture is too large: at most 256 kB."))
    if not data.startswith(_BEGIN):
        raise ValidationError(_("Only PNG pictures can be used."))
    chunks = _chunks(data)
    head = chunks.get(b"IHDR", b"")
    if len(head) != 13:
        raise _broken()
    width, height, depth, kind, packing, filtering, interlaced = struct.unpack(">IIBBBBB", head)
    if not (0 < width <= WIDEST and 0 < height <= WIDEST):
        raise ValidationError(_("The picture is too large: at most 1,024 pixels on each side."))
    if interlaced:
        raise ValidationError(_("The picture is interlaced. Save it without that."))
    channels, depths = _KINDS.get(kind, (0, ()))
    if depth not in depths or packing or filtering:
        raise _broken()
    lines = height * (1 + (width * channels * depth + 7) // 8)
    kept = [(b"IHDR", head), *_colours(chunks, kind=kind, depth=depth)]
    kept += [(b"IDAT", zlib.compress(_pixels(chunks.get(b"IDAT", b""), size=lines), 9)), (b"IEND", b"")]
    return Picture(_BEGIN + b"".join(_chunk(name, body) for name, body in kept), width, height)


def _chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks up to the end, those of the same name put together."""
    found: dict[bytes, bytes] = {}
    at = len(_BEGIN)
    while at + 12 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        name, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        check = data[at + 8 + size : at + 12 + size]
        if len(body) != size or len(check) != 4 or zlib.crc32(name + body) != int.from_bytes(check, "big"):
            raise _broken()
        found[name] = found.get(name, b"") + body
        at += 12 + size
        if name == b"IEND":
            return found
    raise _broken()


def _colours(chunks: dict[bytes, bytes], *, kind: int, depth: int) -> list[tuple[bytes, bytes]]:
    """The palette and what is transparent."""
    palette, clear = chunks.get(b"PLTE", b""), chunks.get(b"tRNS", b"")
    if kind == 3:
        if not palette or len(palette) % 3 or len(palette) > 3 * 2**depth or len(clear) > len(palette) // 3:
            raise _broken()
        return [(b"PLTE", palette), *([(b"tRNS", clear)] if clear else [])]
    if clear and len(clear) != {0: 2, 2: 6}.get(kind):
        raise _broken()
    return [(b"tRNS", clear)] if clear else []


def _pixels(packed: bytes, *, size: int) -> bytes:
    """Exactly so many bytes: what unpacks to more is not unpacked."""
    unpacking = zlib.decompressobj()
    try:
        pixels = unpacking.decompress(packed, size)
        more = unpacking.decompress(unpacking.unconsumed_tail, 1)
    except zlib.error:
        raise _broken() from None
    if len(pixels) != size or more:
        raise _broken()
    return pixels


def _chunk(name: bytes, body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + name + body + zlib.crc32(name + body).to_bytes(4, "big")


def _broken() -> ValidationError:
    return ValidationError(_("This picture cannot be read. Save it as PNG once more."))

"""PNG files from outside are written anew, and what is no plain picture is refused."""

from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError

from accounts import pictures
from tests.accounts.drawing import BEGIN, chunk, png


def test_only_pixels_are_kept() -> None:
    secret = b"Author\0somebody <script>alert(1)</script>"
    given = png(before=(chunk(b"tEXt", secret), chunk(b"eXIf", b"where I live")), behind=b"PK\x03\x04 a zip file")
    kept = pictures.read(given)
    assert (kept.width, kept.height) == (2, 2)
    assert b"script" not in kept.data
    assert b"eXIf" not in kept.data
    assert b"PK" not in kept.data
    assert pictures.read(kept.data) == kept  # what was written here is read here


@pytest.mark.parametrize(("kind", "depth"), [(0, 1), (0, 16), (2, 8), (4, 8), (6, 16)])
def test_every_plain_kind_is_taken(kind: int, depth: int) -> None:
    assert pictures.read(png(3, 5, kind=kind, depth=depth)).height == 5


def test_a_palette_stays_with_its_picture() -> None:
    palette, clear = chunk(b"PLTE", b"\1\2\3" * 4), chunk(b"tRNS", b"\0")
    assert b"PLTE" in pictures.read(png(kind=3, depth=2, before=(palette, clear))).data
    with pytest.raises(ValidationError):
        pictures.read(png(kind=3, depth=2))


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (b"", "Only PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "Only PNG"),
        (b"\xff\xd8\xff\xe0JFIF", "Only PNG"),
        (b"GIF89a", "Only PNG"),
        (BEGIN, "cannot be read"),
        (png()[:-3], "cannot be read"),
        (png(1025, 1), "1,024 pixels"),
        (png(1, 2**31 - 1), "1,024 pixels"),
        (png(0, 1), "1,024 pixels"),
        (png(interlaced=1), "interlaced"),
        (png(kind=7), "cannot be read"),
        (png(depth=3), "cannot be read"),
        (png(pixels=b"\0" * 5), "cannot be read"),
        (png(pixels=b"\0" * 200_000_000), "cannot be read"),
        (png().replace(b"IDAT", b"IDAX"), "cannot be read"),
        (png(behind=b"x" * 300_000), "256 kB"),
        (png(before=(chunk(b"tRNS", b"\0\0"),)), "cannot be read"),
    ],
)
def test_what_is_no_plain_picture_is_refused_with_a_word(given: bytes, says: str) -> None:
    with pytest.raises(ValidationError) as refused:
        pictures.read(given)
    assert says in str(refused.value.messages[0])

"""Everything about one person as files in zips, each small enough for an answer of the site. Reads only; who may is decided elsewhere."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from itertools import islice

from accounts import personal
from accounts.models import User

MOST_BYTES = 900_000
ROWS = 2_000
"""So many rows stand in one file."""
CUT = 400_000
"""So many characters stand in one file of text at most; each is at most four bytes, and text is packed to less than half."""
File = tuple[str, str]
Body = tuple[str, bytes]


def files(person: User, *, without: frozenset[str] = frozenset()) -> Iterator[File]:
    """Every file (name, text), in the same order each time. `without`: slugs of parts that are left out."""
    for part in personal.parts():
        if part.slug in without:
            continue
        if part.rows is not None:
            yield from _in_rows(part.slug, part.rows(person))
        if part.texts is not None:
            yield from part.texts(person)


def portion(given: Iterable[File], *, part: int = 1, most: int = MOST_BYTES) -> tuple[list[Body], bool]:
    """The files of one part, packed at most `most` bytes (one file at least), and whether there is a further part.

    What fits depends on the files alone, so parts asked for one after the other fit together.
    """
    number, size = 1, 0
    kept: list[Body] = []
    for name, text in given:
        body = text.encode()
        weight = len(zlib.compress(body, 6)) + len(name) + 400
        if size and size + weight > most:
            if number == part:
                return kept, True
            number, size = number + 1, 0
        size += weight
        if number == part:
            kept.append((name, body))
    return kept, False


def archive(given: Iterable[File], *, part: int = 1) -> tuple[bytes, int, bool]:
    """The part's zip, how many files are in it, and whether there is a further one."""
    files, more = portion(given, part=part)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, body in files:
            packed.writestr(name, body)
    return out.getvalue(), len(files), more


def write(given: Iterable[File], *, path: str) -> int:
    """All of it into one zip on the disk, for the command; how many files."""
    count = 0
    with zipfile.ZipFile(path, "x", zipfile.ZIP_DEFLATED) as packed:
        for count, (name, text) in enumerate(given, start=1):  # noqa: B007  # the last number
            packed.writestr(name, text)
    return count


def _in_rows(slug: str, rows: personal.Rows) -> Iterator[File]:
    number = 0
    while block := list(islice(rows, ROWS)):
        number += 1
        yield f"{slug}-{number}.json", json.dumps(block, indent=1, default=str, ensure_ascii=False) + "\n"

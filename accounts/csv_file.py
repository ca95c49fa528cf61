"""A table in a file, whatever a spreadsheet makes of it: read into cells, and written so that no cell is ever a formula.

Knows no columns and does nothing with what it reads.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
MARK = "\ufeff"
"""At a file's beginning it tells spreadsheets that this is UTF-8."""

Row = tuple[int, list[str]]
"""(its number in the file, its cells)."""


class Unreadable(Exception):
    """The file as a whole is refused, before anything was done; `message` says why."""

    def __init__(self, message: str | Promise) -> None:
        super().__init__(str(message))
        self.message = message


def read(content: bytes, *, most_bytes: int) -> list[Row]:
    """The lines that hold anything. Raises Unreadable."""
    if len(content) > most_bytes:
        raise Unreadable(_("The file is too large: at most %(n)d kB. Nothing was done.") % {"n": most_bytes // 1024})
    return list(_rows(text_of(content)))


def columns(first: Sequence[str], headings: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Where each column stands, by the words of the heading line; those that it does not name are left out."""
    named = [unguarded(cell).casefold().strip() for cell in first]
    return {name: place for name, words in headings.items() for place, cell in enumerate(named) if cell in words}


def line(cells: Iterable[object]) -> str:
    """One line of a file."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerow([guarded(cell) for cell in cells])
    return out.getvalue()


def guarded(cell: object) -> str:
    """The cell as text that a spreadsheet does not take for a formula; a number is one, below zero too."""
    if isinstance(cell, int | Decimal):
        return f"{cell:f}" if isinstance(cell, Decimal) else str(cell)
    text = "" if cell is None else str(cell)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def unguarded(cell: str) -> str:
    """The cell without that mark, so that a file which was written here is read as it was meant."""
    return cell[1:] if cell.startswith("'") and cell[1:].lstrip(" ").startswith(FORMULA) else cell


def text_of(content: bytes) -> str:
    """What the bytes say: by their mark, else UTF-8, else GBK (as Chinese spreadsheets write). Raises Unreadable."""
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise Unreadable(_("This is a workbook. Save it as CSV first, then choose that file. Nothing was done."))
    marked = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    for encoding in ("utf-16",) if marked else ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\x00" not in text:
            return text
    raise Unreadable(_("The file is no text. Save it as CSV (UTF-8) and choose it again. Nothing was done."))


def _rows(text: str) -> Iterator[Row]:
    """The lines that hold anything, with their number in the file."""
    first = next((line for line in text.splitlines() if line.strip()), "")
    delimiter = max("\t;，,", key=first.count) if any(mark in first for mark in "\t;，,") else ","
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield reader.line_num, [cell.strip() for cell in cells]
    except csv.Error:
        raise Unreadable(
            _("Line %(number)d can't be read: a quotation mark is missing there or before. Nothing was done.")
            % {"number": reader.line_num}
        ) from None

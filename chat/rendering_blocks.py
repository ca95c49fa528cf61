"""Where one top-level Markdown block ends and the next begins, line by line.

Follows CommonMark's container rules (quotes, list items, lazy continuation) with O(depth) work per line and never
looks back. Refuses to know HTML: it hands out source slices, which are rendered each by itself.
"""

import re
from dataclasses import dataclass
from enum import Enum

from markdown_it.rules_block.table import escapedSplit

from chat.rendering_math import math_aborts, math_closes, math_opening

MAX_TEXT = 256_000
"""Characters of one text that are looked at as Markdown; what follows is one plain block."""
MAX_DEPTH = 16
"""Quotes and list items inside each other; a block with deeper nests is shown plain."""

_SPACES = re.compile(" +")
_SETEXT = re.compile(r"(?:=+|-+) *$")
_HEADING = re.compile(r"#{1,6}(?: |$)")
_RULE = re.compile(r"([-*_])(?: *\1){2,} *$")
_FENCE = re.compile(r"(`{3,})[^`]*$|(~{3,})")
_MARKER = re.compile(r"([-+*]|(\d{1,9})[.)])(?= |$)")
_DELIMITER_ROW = re.compile(r"[-:|](?=[-:|\s])[-:|\s]*$")
_DELIMITER_CELL = re.compile(r":?-+:?$")


class Leaf(Enum):
    """What the innermost container is in the middle of."""

    NONE = "none"
    PARAGRAPH = "paragraph"
    TABLE = "table"
    CODE = "indented code"
    FENCE = "fence"
    MATH = "math"


@dataclass(slots=True)
class Container:
    """A quote (width 0) or a list item, whose content starts `width` columns in."""

    width: int
    empty: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """The source of one top-level block; `plain` when it must not be read as Markdown."""

    source: str
    plain: bool = False


def _indent(text: str, start: int) -> int:
    found = _SPACES.match(text, start)
    return found.end() - start if found else 0


def _columns(cells: list[str]) -> int:
    """The number of cells of a row, without the empty ones outside its outer bars."""
    return len(cells) - (not cells[0].strip()) - (len(cells) > 1 and not cells[-1].strip())


def _starts_table(header: str, row: str) -> bool:
    """Whether `row` is the delimiter row of a table with this header."""
    if "|" not in header or not _DELIMITER_ROW.match(row) or row.startswith("- "):
        return False
    cells = row.strip().split("|")
    inner = [cell.strip() for index, cell in enumerate(cells) if cell.strip() or 0 < index < len(cells) - 1]
    if not inner or not all(_DELIMITER_CELL.match(cell) for cell in inner):
        return False
    return _columns(escapedSplit(header.strip())) == len(inner)


class Splitter:
    """Takes lines in order; finished blocks appear in `done`, lines of the open one in `lines`."""

    def __init__(self) -> None:
        self.done: list[Block] = []
        self.lines: list[str] = []
        self._size = 0
        self._tail = False
        self._deep = False
        self._marker = ""
        """Marker of the list that is the open top-level block; "" when it is no list."""
        self._containers: list[Container] = []
        self._leaf = Leaf.NONE
        self._fence = ""
        self._math_lines = 0
        self._before = ""
        """The paragraph's line before this one, for tables."""
        self._complete = False

    def push(self, line: str) -> None:
        """One line without its newline."""
        self._size += len(line) + 1
        if self._size > MAX_TEXT and not self._tail:
            self._close()
            self._tail = self._deep = True
        if self._tail:
            self.lines.append(line)
            return
        self._step(line.expandtabs(4) if "\t" in line else line)
        if self.lines or line.strip(" \t"):
            self.lines.append(line)
        if self._complete:
            self._close()

    def finish(self) -> None:
        """The text ends here."""
        self._close()

    @property
    def open_is_plain(self) -> bool:
        """Whether the open block is beyond a limit and shown plain."""
        return self._deep

    def _close(self) -> None:
        end = len(self.lines)
        while end and not self.lines[end - 1].strip(" \t"):
            end -= 1
        if end:
            self.done.append(Block("\n".join(self.lines[:end]), plain=self._deep))
        self.lines = []
        self._containers = []
        self._leaf = Leaf.NONE
        self._marker = ""
        self._complete = self._deep = False

    def _cut(self, depth: int, *, marker: str = "") -> None:
        """Something new begins inside the first `depth` containers; at depth 0 that ends the open block,
        unless it is a further item of the open list."""
        del self._containers[depth:]
        self._leaf = Leaf.NONE
        if depth == 0 and not (marker and marker == self._marker):
            self._close()

    def _whole(self, depth: int) -> None:
        """A leaf ends with this line."""
        self._leaf = Leaf.NONE
        self._complete = depth == 0

    def _step(self, text: str) -> None:
        depth, position = self._match(text)
        if depth == len(self._containers) and self._verbatim(text, position, depth=depth):
            return
        if not text[position:].strip(" "):
            self._blank(depth)
            return
        self._start(text, position, depth=depth)

    def _match(self, text: str) -> tuple[int, int]:
        """How many open containers this line continues, and where its content starts."""
        position = 0
        for depth, container in enumerate(self._containers):
            indent = _indent(text, position)
            blank = position + indent >= len(text)
            if container.width:
                if container.empty if blank else indent < container.width:
                    return depth, position
                container.empty = container.empty and blank
                position = min(position + container.width, len(text))
            elif not blank and text[position + indent] == ">":
                position += indent + 1
                position += text[position : position + 1] == " "
            else:
                return depth, position
        return len(self._containers), position

    def _verbatim(self, text: str, position: int, *, depth: int) -> bool:
        """Lines of a fence or a formula: nothing in them is Markdown. True when the line was one."""
        content = text[position:].strip(" ")
        if self._leaf is Leaf.FENCE:
            closing = len(content) >= len(self._fence) and not content.strip(self._fence[0])
            if closing and _indent(text, position) < 4:
                self._whole(depth)
            return True
        if self._leaf is not Leaf.MATH:
            return False
        self._math_lines += 1
        if math_aborts(content, lines=self._math_lines):
            self._leaf = Leaf.NONE
            return False
        if math_closes(content, self._fence):
            self._whole(depth)
        return True

    def _blank(self, depth: int) -> None:
        if depth < len(self._containers) or self._leaf in (Leaf.PARAGRAPH, Leaf.TABLE):
            self._leaf = Leaf.NONE
        del self._containers[depth:]
        self._complete = not self._containers and not self._marker and self._leaf is Leaf.NONE

    def _start(self, text: str, position: int, *, depth: int) -> None:
        """Open the containers that begin on this line, then its leaf."""
        alive = depth == len(self._containers)
        fresh = False
        while True:
            indent = _indent(text, position)
            content = text[position + indent :]
            paragraph = self._leaf is Leaf.PARAGRAPH and alive and not fresh
            if indent >= 4 or not content:
                break
            if paragraph and _starts_table(self._before, content):
                self._leaf = Leaf.TABLE
                return
            if paragraph and _SETEXT.match(content):
                self._whole(depth)
                return
            if self._single(content, depth=depth):
                return
            width = self._container(content, depth=depth, indent=indent, paragraph=paragraph)
            if not width:
                break
            position += indent + width
            depth += 1
            fresh = True
        self._text(content, depth=depth, indented=indent >= 4, alive=alive, fresh=fresh)

    def _single(self, content: str, *, depth: int) -> bool:
        """Leaves that their first line tells: heading, rule, fence, formula."""
        if _HEADING.match(content) or _RULE.match(content):
            self._cut(depth)
            self._whole(depth)
            return True
        if fence := _FENCE.match(content):
            self._cut(depth)
            self._leaf, self._fence = Leaf.FENCE, fence[1] or fence[2]
            return True
        if opening := math_opening(content):
            self._cut(depth)
            self._leaf, self._fence, self._math_lines = Leaf.MATH, opening.closer, 0
            if opening.complete:
                self._whole(depth)
            return True
        return False

    def _container(self, content: str, *, depth: int, indent: int, paragraph: bool) -> int:
        """Open a quote or a list item here; the columns its marker takes, 0 when there is none."""
        quote = content.startswith(">")
        marker = None if quote else _MARKER.match(content)
        if not quote and marker is None:
            return 0
        if marker and paragraph and (marker[2] not in (None, "1") or not content[marker.end() :].strip(" ")):
            # A number inside running text begins no list; "1." and bullets with text do.
            return 0
        if depth >= MAX_DEPTH:
            self._deep = True
            return 0
        if marker is None:
            self._cut(depth)
            self._containers.append(Container(0))
            return 2 if content[1:2] == " " else 1
        kind = marker[1][-1]
        self._cut(depth, marker=kind)
        if depth == 0:
            self._marker = kind
        gap = _indent(content, marker.end())
        empty = marker.end() + gap >= len(content)
        width = marker.end() + (gap if 1 <= gap <= 4 and not empty else 1)
        self._containers.append(Container(indent + width, empty=empty))
        return width

    def _text(self, content: str, *, depth: int, indented: bool, alive: bool, fresh: bool) -> None:
        """What is left of the line: running text, a table's row, indented code."""
        if not content:
            return
        if not fresh and self._leaf is Leaf.PARAGRAPH:
            # Also the lazy continuation: the containers stay open although this line does not repeat their marks.
            self._before = content
            return
        going_on = Leaf.CODE if indented else Leaf.TABLE
        if alive and not fresh and self._leaf is going_on:
            return
        self._cut(depth)
        self._leaf = Leaf.CODE if indented else Leaf.PARAGRAPH
        self._before = content

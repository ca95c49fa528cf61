"""Splits the bytes of an event stream into events, however they were cut. Pure: no sockets, no JSON, no decoding.

Refuses lines and events longer than `max_line` bytes.
"""

from __future__ import annotations

BOM = b"\xef\xbb\xbf"


class TooLong(ValueError):
    """A line, or the data of one event, is longer than allowed."""


class Reader:
    """Fed with chunks of bytes, gives back whole events as (name, data). Line ends may be LF, CRLF or CR, mixed."""

    __slots__ = ("_after_cr", "_data", "_data_size", "_max", "_name", "_parts", "_parts_size", "_start")

    def __init__(self, *, max_line: int = 1 << 20) -> None:
        self._max = max_line
        self._parts: list[bytes] = []  # the beginning of a line whose end has not come
        self._parts_size = 0
        self._data: list[bytes] = []  # the data lines of an event whose end has not come
        self._data_size = 0
        self._name = b""
        self._after_cr = False  # the last byte was a CR: an LF that follows belongs to it
        self._start: bytes | None = b""  # what may still turn out to be a byte order mark

    def feed(self, chunk: bytes) -> list[tuple[bytes, bytes]]:
        """The events that are complete with this chunk. Raises TooLong."""
        if self._start is not None:
            chunk = self._without_bom(chunk)
        if chunk and (self._after_cr or b"\r" in chunk):
            chunk = self._with_lf_only(chunk)
        if not chunk:
            return []
        if b"\n" not in chunk:
            self._keep(chunk)
            return []
        lines = chunk.split(b"\n")
        if self._parts:
            self._parts.append(lines[0])
            lines[0] = b"".join(self._parts)
            self._parts.clear()
            self._parts_size = 0
        rest = lines.pop()
        events: list[tuple[bytes, bytes]] = []
        for line in lines:
            if line:
                self._take(line)
            elif self._data:
                events.append(self._event())
            else:
                self._name = b""
        if rest:
            self._keep(rest)
        return events

    def finish(self) -> list[tuple[bytes, bytes]]:
        """What is left at the end of the body: an event without its blank line, perhaps cut in the middle."""
        if self._start:
            self._keep(self._start)
        self._start = None
        if self._parts:
            self._take(b"".join(self._parts))
            self._parts.clear()
            self._parts_size = 0
        return [self._event()] if self._data else []

    def _without_bom(self, chunk: bytes) -> bytes:
        head = (self._start or b"") + chunk
        if len(head) < len(BOM) and BOM.startswith(head):
            self._start = head
            return b""
        self._start = None
        return head.removeprefix(BOM)

    def _with_lf_only(self, chunk: bytes) -> bytes:
        if self._after_cr and chunk.startswith(b"\n"):
            chunk = chunk[1:]
            if not chunk:
                self._after_cr = False
                return chunk
        self._after_cr = chunk.endswith(b"\r")
        return chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")

    def _keep(self, part: bytes) -> None:
        self._parts.append(part)
        self._parts_size += len(part)
        if self._parts_size > self._max:
            raise TooLong

    def _take(self, line: bytes) -> None:
        if len(line) > self._max:
            raise TooLong
        if line.startswith(b"data:"):
            value = line[6:] if line[5:6] == b" " else line[5:]
            self._data_size += len(value)
            if self._data_size > self._max:
                raise TooLong
            self._data.append(value)
        elif line.startswith(b"event:"):
            self._name = line[6:].strip()
        # comments, ids, retry hints and fields of others: not ours

    def _event(self) -> tuple[bytes, bytes]:
        data = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
        event = (self._name, data)
        self._data.clear()
        self._data_size = 0
        self._name = b""
        return event
